//! Wires the whole house: store, blobs, networks, components, engine, service, API. Read this file first.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::{ApiSettings, Check, Readiness, Serving, Tls};
use blob::Blobs;
use domain::event::Dialect;
use domain::id::Ids as _;
use domain::request::Face;
use domain::run::RetryPolicy;
use domain::time::Millis;
use engine::{Admission, Deliveries, DeliveryParts, Engine, FetchSettings, Settings};
use neural::Runtime;
use service::Service;
use store::{Keeping, Store, WorkerId};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::config::{Config, credit_micros};
use crate::first_start::{self, Opened};
use crate::ids::UuidV7;
use crate::inspect::Inspector;
use crate::previewer::StepPreviews;
use crate::{files, limits, metrics, outside, toolbox};

/// A running server.
pub struct Running {
    /// Where it is reached: `http://127.0.0.1:8787`.
    pub address: String,
    /// Where its figures are.
    pub operations: SocketAddr,
    /// What it proves itself with, where it speaks TLS.
    pub tls: Option<Tls>,
    /// What callers may ask for.
    pub service: Service,
    engine: Engine,
    deliveries: Deliveries,
    stop_http: oneshot::Sender<()>,
    http: JoinHandle<std::io::Result<()>>,
    background: Vec<JoinHandle<()>>,
    grace: Duration,
}

/// Starts everything. Returns when requests are answered.
pub async fn start(config: &Config) -> anyhow::Result<Running> {
    let connections_max = files::connections(files::allow_many());
    let tls = config.tls.are_given().then(|| certificate(config)).transpose()?;
    let listener = TcpListener::bind(config.listen)
        .await
        .with_context(|| format!("cannot listen on {}; name another address with --listen", config.listen))?;
    let scheme = if tls.is_some() { "https" } else { "http" };
    let listening = listener.local_addr()?;
    let address = format!("{scheme}://{listening}");
    let operations_listener = TcpListener::bind(config.operations_listen).await.with_context(|| {
        format!("cannot listen on {} for operations; set `operations_listen`", config.operations_listen)
    })?;
    let operations = operations_listener.local_addr()?;

    let opened = {
        let config = config.clone();
        tokio::task::spawn_blocking(move || first_start::open(&config)).await??
    };
    let service = first_start::service(config, &opened, &reached_at(scheme, listening))?;
    if listening.ip().is_unspecified() && config.base_url.is_empty() && config.hosts.auth.is_empty() {
        tracing::warn!(
            "links say `{}`, where other machines find nothing; set `base_url` to this server's address for people",
            service.settings().public_url
        );
    }
    first_start::found(config, &service).await?;

    let networks = toolbox::networks(config)?;
    let toolbox = toolbox::with_disk(config, Arc::clone(&networks))?;
    if config.models.strict && config.offline {
        // Nothing will bring it later: better said now than by every run.
        let toolbox = Arc::clone(&toolbox);
        tokio::task::spawn_blocking(move || toolbox::require_network(&toolbox)).await??;
    }
    let runs_budget = config.runs_budget(config.cache.memory.0);
    fetch_early(config, &networks);
    let engine = Engine::start(
        engine::Parts {
            store: Arc::clone(&opened.store),
            blobs: opened.blobs.clone(),
            toolbox,
            catalogue: Arc::new(components::catalogue()),
            ids: Arc::new(UuidV7),
            outbound: outside::outbound(config)?,
            inspect: Arc::new(Inspector::new(limits(config))),
        },
        Settings {
            worker: WorkerId(format!("packshot-{}", UuidV7.next())),
            concurrency: config.workers,
            memory_budget: runs_budget,
            lease: Millis::seconds(config.runs.lease_seconds.into()),
            poll: Duration::from_secs(1),
            retry: RetryPolicy {
                max_attempts: config.runs.max_attempts,
                max_crashes: config.runs.max_crashes,
                ..RetryPolicy::default()
            },
            fetch: FetchSettings {
                bytes_max: config.uploads.max_bytes.0,
                archive_bytes_max: config.uploads.urls_max_bytes.0,
                time: Duration::from_secs(config.fetch.seconds),
                at_once: config.fetch.at_once,
                offline: config.offline,
            },
            evaluations: config.evaluations.at_once,
        },
    );
    service.preview_by(Arc::new(StepPreviews(engine.previews())));
    let wire = ApiSettings {
        trusted_proxies: config.trusted_proxies.clone(),
        hosts: config.hosts.parse()?,
        credit_micros: credit_micros(&config.accounts.credit_usd)
            .context("`accounts.credit_usd` is no price")?,
        cors_origins: config.cors_origins.clone(),
        ..ApiSettings::default()
    };
    let deliveries = Deliveries::start(
        DeliveryParts {
            store: Arc::clone(&opened.store),
            outbound: outside::outbound(config)?,
            dialects: dialects(&service, &wire),
            seal: Arc::new(opened.key.seal()),
            ids: Arc::new(UuidV7),
        },
        outside::deliveries(config),
    );

    let page = metrics::start()?;
    ::metrics::gauge!("packshot_memory_budget_bytes").set(runs_budget as f64);
    let readiness: Arc<dyn Readiness> =
        Arc::new(Ready { store: Arc::clone(&opened.store), blobs: opened.blobs.clone(), networks });
    let operations_page = page.clone();
    let operations_router =
        api::operations_router(Arc::clone(&readiness), Arc::new(move || operations_page.render()));
    let background = vec![
        tokio::spawn(async move {
            if let Err(error) = axum::serve(operations_listener, operations_router).await {
                tracing::error!(%error, "the operations listener ended");
            }
        }),
        tokio::spawn(watch_queue(Arc::clone(&opened.store), engine.admission().clone(), page)),
        tokio::spawn(sweep(opened, service.clone(), keeping(config))),
    ];
    let router = api::router(service.clone(), wire, readiness);
    let (stop_http, stopped) = oneshot::channel::<()>();
    let limits = Serving { tls: tls.clone(), connections_max, ..Serving::default() };
    let http = tokio::spawn(api::serve(listener, router, limits, async {
        // An error means that nobody is left who could ask for a stop: then it is one.
        let _ = stopped.await;
    }));
    Ok(Running {
        address,
        operations,
        tls,
        service,
        engine,
        deliveries,
        stop_http,
        http,
        background,
        grace: Duration::from_secs(config.grace_seconds),
    })
}

/// The words of each face's messages.
fn dialects(service: &Service, wire: &ApiSettings) -> BTreeMap<Face, Arc<dyn Dialect>> {
    let runflow: Arc<dyn Dialect> = Arc::new(api::RunflowEvents::new(service.clone(), wire.clone()));
    BTreeMap::from([
        (Face::default(), Arc::new(api::AutoRetouchEvents) as Arc<dyn Dialect>),
        (Face(api::RUNFLOW_FACE.to_owned()), runflow),
    ])
}

impl Running {
    /// Stops accepting, lets running work finish within the grace, hands the rest back, and ends.
    pub async fn stop(self) {
        let deadline = tokio::time::Instant::now() + self.grace;
        let _ = self.stop_http.send(());
        let handed_back = self.engine.drain(self.grace).await;
        if handed_back > 0 {
            tracing::info!("handed {handed_back} runs back; they go on with the next start");
        }
        let left = deadline.saturating_duration_since(tokio::time::Instant::now());
        self.deliveries.drain(left).await;
        self.service.stop_waiting();
        // Answers that wait for nothing more, and uploads under way, have what is left of the grace, and a moment at least.
        let last = deadline.max(tokio::time::Instant::now() + Duration::from_millis(500));
        if tokio::time::timeout_at(last, self.http).await.is_err() {
            tracing::warn!("cut off connections that had not ended");
        }
        for task in self.background {
            task.abort();
        }
    }
}

/// `packshot serve`: runs until SIGTERM or SIGINT.
pub async fn until_told_to_stop(config: Config) -> anyhow::Result<()> {
    let mut told = Box::pin(told_to_stop());
    // The signals are caught from the first poll on: before anybody hears that the server is ready.
    let nobody_yet = tokio::time::timeout(Duration::ZERO, &mut told).await.is_err();
    let read_again = config.tls.are_given().then(hangups).transpose()?;
    let running = start(&config).await?;
    if let (Some(tls), Some(hangups)) = (running.tls.clone(), read_again) {
        tokio::spawn(read_certificate_again(config.clone(), tls, hangups));
    }
    println!("packshot is ready on {}", running.address);
    tracing::info!(operations = %running.operations, data = %config.data_dir.display(), "ready on {}", running.address);
    if nobody_yet {
        told.await?;
    }
    tracing::info!("stopping: running work has {} s to finish", config.grace_seconds);
    running.stop().await;
    tracing::info!("stopped");
    Ok(())
}

/// Returns when the process is asked to end.
pub async fn told_to_stop() -> anyhow::Result<()> {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
    #[cfg(not(unix))]
    tokio::signal::ctrl_c().await?;
    Ok(())
}

/// Where a server that listens there is reached, as far as it knows itself: an address that stands for all of them is none
/// that a link can lead to.
fn reached_at(scheme: &str, listening: SocketAddr) -> String {
    if listening.ip().is_unspecified() {
        format!("{scheme}://localhost:{}", listening.port())
    } else {
        format!("{scheme}://{listening}")
    }
}

/// The certificate and key the settings name.
fn certificate(config: &Config) -> anyhow::Result<Tls> {
    let (chain, key) = certificate_files(config)?;
    Tls::from_pem(&chain, &key).with_context(|| unusable(config))
}

fn certificate_files(config: &Config) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    let read = |file: &Path, setting: &str| {
        std::fs::read(file)
            .with_context(|| format!("cannot read `{}`, which `{setting}` names", file.display()))
    };
    Ok((read(&config.tls.cert, "tls.cert")?, read(&config.tls.key, "tls.key")?))
}

fn unusable(config: &Config) -> String {
    format!("cannot serve with `{}` and `{}`", config.tls.cert.display(), config.tls.key.display())
}

#[cfg(unix)]
type Hangups = tokio::signal::unix::Signal;

#[cfg(unix)]
fn hangups() -> std::io::Result<Hangups> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup())
}

/// Reads certificate and key again with every SIGHUP. Those that cannot be used are not.
#[cfg(unix)]
async fn read_certificate_again(config: Config, tls: Tls, mut hangups: Hangups) {
    while hangups.recv().await.is_some() {
        let replaced = certificate_files(&config)
            .and_then(|(chain, key)| tls.replace(&chain, &key).with_context(|| unusable(&config)));
        match replaced {
            Ok(()) => tracing::info!("read the certificate again"),
            Err(error) => tracing::error!("the certificate stays as it was: {error:#}"),
        }
    }
}

#[cfg(not(unix))]
type Hangups = ();

#[cfg(not(unix))]
fn hangups() -> std::io::Result<Hangups> {
    Ok(())
}

#[cfg(not(unix))]
async fn read_certificate_again(_: Config, _: Tls, _: Hangups) {}

/// Keeps the figures of the queue, and the figures' own book-keeping, up to date.
async fn watch_queue(
    store: Arc<dyn Store>,
    admission: Admission,
    page: metrics_exporter_prometheus::PrometheusHandle,
) {
    loop {
        match store.depth().await {
            Ok(depth) => {
                let gauge = |state: &'static str| ::metrics::gauge!("packshot_queue_depth", "state" => state);
                gauge("ready").set(depth.ready as f64);
                gauge("waiting").set(depth.waiting as f64);
                gauge("leased").set(depth.leased as f64);
                ::metrics::gauge!("packshot_queue_age_seconds").set(depth.oldest.0 as f64 / 1000.0);
            }
            Err(error) => tracing::warn!(%error, "cannot measure the queue"),
        }
        ::metrics::gauge!("packshot_memory_free_bytes").set(admission.free_bytes() as f64);
        page.run_upkeep();
        tokio::time::sleep(Duration::from_secs(5)).await;
    }
}

/// Fetches missing networks while nobody waits for them yet. A run that needs one meanwhile waits for this fetch; without
/// a registry the next best is used, and its results say so.
fn fetch_early(config: &Config, networks: &Arc<Runtime>) {
    let missing = networks.store().list().iter().any(|one| matches!(one.status, neural::Status::Absent));
    if config.offline || !missing {
        return;
    }
    let networks = Arc::clone(networks);
    tokio::task::spawn_blocking(move || {
        tracing::info!("fetching the networks that are missing");
        match networks.prepare(&mut |_| {}) {
            Ok(network) => tracing::info!("cut-outs use {}", network.identity()),
            Err(unavailable) => tracing::warn!("no network can be had: {unavailable}"),
        }
    });
}

/// How long what is over is remembered.
fn keeping(config: &Config) -> Keeping {
    let days = |many: i64| Millis::seconds(many * 24 * 3_600);
    Keeping { deliveries: days(config.webhooks.keep_days.into()), access: days(90) }
}

/// Removes what uploads that broke off have left behind, and forgets what has long been over.
async fn sweep(opened: Opened, service: Service, keeping: Keeping) {
    loop {
        let before = opened.store.clock().now() + Millis(-24 * 3_600_000);
        match opened.blobs.sweep_temp(before).await {
            Ok(0) => {}
            Ok(count) => tracing::info!("removed {count} unfinished files"),
            Err(error) => tracing::warn!(%error, "cannot remove unfinished files"),
        }
        forget(&*opened.store, keeping).await;
        forget_uploads(&service).await;
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
}

/// Forgets uploads that were announced and never confirmed.
async fn forget_uploads(service: &Service) {
    loop {
        match service.forget_uploads().await {
            Ok(0) => return,
            Ok(count) => tracing::info!("forgot {count} uploads that were never confirmed"),
            Err(refusal) => {
                tracing::warn!(error = %refusal, "cannot forget uploads that were never confirmed");
                return;
            }
        }
        // Others have their turn with the database.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn forget(store: &dyn Store, keeping: Keeping) {
    let mut forgotten = 0;
    loop {
        match store.sweep(keeping).await {
            Ok(swept) if swept.total() == 0 => break,
            Ok(swept) => forgotten += swept.total(),
            Err(error) => {
                tracing::warn!(%error, "cannot forget what has long been over");
                break;
            }
        }
        // Others have their turn with the database.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    if forgotten > 0 {
        tracing::info!(
            "forgot {forgotten} deliveries, connections, invitations and sessions that have long been over"
        );
    }
}

struct Ready {
    store: Arc<dyn Store>,
    blobs: Blobs,
    networks: Arc<Runtime>,
}

#[async_trait::async_trait]
impl Readiness for Ready {
    async fn check(&self) -> Vec<Check> {
        let store = match self.store.first_org().await {
            Ok(Some(_)) => (true, "answers".to_owned()),
            Ok(None) => (false, "holds no organization".to_owned()),
            Err(error) => (false, error.to_string()),
        };
        let blobs = match self.blobs.exists(domain::image::ContentHash([0; 32])).await {
            Ok(_) => (true, "answer".to_owned()),
            Err(error) => (false, error.to_string()),
        };
        // A missing network is no reason to take a server out: there is always a next best.
        let there: Vec<_> = self
            .networks
            .store()
            .list()
            .into_iter()
            .filter(|one| matches!(one.status, neural::Status::Ready | neural::Status::Unchecked))
            .map(|one| one.id)
            .collect();
        let models = if there.is_empty() {
            "none is there; cut-outs use the studio matte until `packshot models fetch`".to_owned()
        } else {
            there.join(", ")
        };
        vec![
            Check { name: "store", ok: store.0, detail: store.1 },
            Check { name: "blobs", ok: blobs.0, detail: blobs.1 },
            Check { name: "models", ok: true, detail: models },
        ]
    }
}
