//! Opens a data folder, and begins an empty one: organization, administrator, starter workflows, credits, signing key.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context as _;
use blob::Blobs;
use serde::Serialize;
use service::{Founded, FoundingPlan, Parts, Service, ServiceSettings};
use store::Store;
use store_sqlite::{Sqlite, SystemClock};

use crate::config::Config;
use crate::ids::UuidV7;
use crate::inspect::Inspector;
use crate::measures::MeasureLimits;
use crate::seal::ServerKey;
use crate::thumbnailer::SmallPictures;
use crate::{limits, outside};

/// Sign-in name of the first administrator.
const ADMIN_EMAIL: &str = "admin@packshot.local";

/// What must be kept, opened.
pub struct Opened {
    pub store: Arc<dyn Store>,
    pub blobs: Blobs,
    pub key: Arc<ServerKey>,
}

/// Opens the data folder, making it if it is not there.
pub fn open(config: &Config) -> anyhow::Result<Opened> {
    let dir = &config.data_dir;
    std::fs::create_dir_all(dir)
        .with_context(|| format!("cannot create the data folder `{}`", dir.display()))?;
    restrict(dir)?;
    let database = dir.join("packshot.db");
    let store = Sqlite::open(&database, Arc::new(SystemClock::new()))
        .with_context(|| format!("cannot open the database `{}`", database.display()))?;
    let blobs = Blobs::folder(&dir.join("blobs")).context("cannot open the folder of blobs")?;
    let key = Arc::new(ServerKey::open(&config.secret_key_file)?);
    Ok(Opened { store: Arc::new(store), blobs, key })
}

/// Opens a data folder for reading; refuses one that is not there.
pub fn open_existing(config: &Config) -> anyhow::Result<Arc<dyn Store>> {
    let database = config.data_dir.join("packshot.db");
    anyhow::ensure!(
        database.is_file(),
        "there is no data in `{}`; run `packshot serve` once",
        config.data_dir.display()
    );
    Ok(open(config)?.store)
}

/// The folder holds password hashes and keys: nobody else on the machine may read it.
#[cfg(unix)]
fn restrict(dir: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::Permissions::from_mode(0o700);
    std::fs::set_permissions(dir, mode)
        .with_context(|| format!("cannot protect the data folder `{}`", dir.display()))
}

#[cfg(not(unix))]
fn restrict(_dir: &Path) -> anyhow::Result<()> {
    Ok(())
}

/// The service over an opened data folder. `address` is where the server can be reached, unless the settings say better.
pub fn service(config: &Config, opened: &Opened, address: &str) -> anyhow::Result<Service> {
    let defaults = ServiceSettings::default();
    let seconds = |many: u32| domain::time::Millis::seconds(many.into());
    let public_url = if config.base_url.is_empty() { address } else { config.base_url.trim_end_matches('/') };
    Ok(Service::new(Parts {
        store: Arc::clone(&opened.store),
        blobs: opened.blobs.clone(),
        catalogue: Arc::new(components::catalogue()),
        ids: Arc::new(UuidV7),
        inspect: Arc::new(Inspector::new(limits(config))),
        thumbnailer: Arc::new(SmallPictures::new(limits(config))),
        outbound: outside::outbound(config)?,
        seal: Arc::new(opened.key.seal()),
        link_key: opened.key.link_key(),
        check_limits: Arc::new(MeasureLimits),
        settings: ServiceSettings {
            min_visible: domain::time::Millis(i64::from(config.runs.minimum_visible_ms)),
            max_wait: std::time::Duration::from_secs(config.runs.max_wait_seconds.into()),
            upload_bytes_max: config.uploads.max_bytes.0,
            fetch_bytes_max: config.uploads.urls_max_bytes.0,
            access_token_lifetime: domain::time::Millis::seconds(config.accounts.access_token_seconds.into()),
            public_url: public_url.to_owned(),
            claim_namespace: config.accounts.claim_namespace.clone(),
            allowed_clients: (!config.accounts.clients.is_empty()).then(|| config.accounts.clients.clone()),
            offline: config.offline,
            device_codes_per_minute: config.accounts.device_codes_per_minute,
            asset_link_lifetime: seconds(config.links.asset_seconds),
            result_link_lifetime: seconds(config.links.result_seconds),
            upload_link_lifetime: seconds(config.links.upload_seconds),
            asset_bytes_max: config.uploads.library_max_bytes.0,
            batch_items_max: config.limits.batch_items,
            evaluation_price: config.evaluations.price,
            allow_plain_http: config.outbound.allow_plain_http,
            delivery_attempts: u32::try_from(config.webhooks.pauses_ms.len() + 1).unwrap_or(u32::MAX),
            rate_limit: config.limits.rate_calls,
            rate_window: seconds(config.limits.rate_window_seconds),
            ..defaults
        },
    }))
}

/// What every organization begins with.
pub fn plan(config: &Config, org_name: &str, admin_email: &str) -> FoundingPlan {
    FoundingPlan {
        org_name: org_name.to_owned(),
        admin_email: admin_email.to_owned(),
        workflows: components::starters()
            .into_iter()
            .map(|starter| (starter.name.to_owned(), starter.steps))
            .collect(),
        credits: config.accounts.credits,
    }
}

/// Begins an empty system and tells the administrator's password once, on standard error.
pub async fn found(config: &Config, service: &Service) -> anyhow::Result<()> {
    let plan = plan(config, "My studio", ADMIN_EMAIL);
    if let Some(Founded { org, admin_email, admin_password, .. }) = service.found(plan).await? {
        eprintln!("This is a new system. Its administrator, shown this once:");
        eprintln!("  organization  My studio ({org})");
        eprintln!("  sign-in name  {admin_email}");
        eprintln!("  password      {admin_password}");
    }
    Ok(())
}

/// What a program needs to sign in.
#[derive(Serialize)]
pub struct Credentials {
    pub organization_id: String,
    pub user_id: String,
    pub refresh_token: String,
    pub api_key: String,
}

/// Makes credentials for the administrator; begins the system if it is empty.
pub async fn create_credentials(config: &Config, name: &str) -> anyhow::Result<Credentials> {
    let opened = open(config)?;
    let service = service(config, &opened, "")?;
    found(config, &service).await?;
    credentials_of(&service, name).await
}

/// Makes credentials for the administrator of a running service.
pub async fn credentials_of(service: &Service, name: &str) -> anyhow::Result<Credentials> {
    let made = service.create_credentials(name).await?;
    Ok(Credentials {
        organization_id: made.org.to_string(),
        user_id: made.user.to_string(),
        refresh_token: made.refresh_token,
        api_key: made.api_key,
    })
}
