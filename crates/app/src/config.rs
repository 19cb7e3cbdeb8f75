//! The settings, from the built-in defaults, a file, the environment and the flags, checked all at once.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use figment::Figment;
use figment::providers::{Env, Format as _, Toml};
use serde::{Deserialize, Deserializer, Serialize};

/// The defaults, with a line of why for each.
pub const DEFAULTS: &str = include_str!("config.default.toml");

/// Every setting. See `config.default.toml` for what each means.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub listen: SocketAddr,
    pub operations_listen: SocketAddr,
    pub base_url: String,
    pub trusted_proxies: Vec<std::net::IpAddr>,
    pub cors_origins: Vec<String>,
    pub data_dir: PathBuf,
    pub models_dir: PathBuf,
    pub secret_key_file: PathBuf,
    pub log: String,
    pub log_format: LogFormat,
    pub workers: usize,
    pub memory_budget: Bytes,
    pub grace_seconds: u64,
    pub offline: bool,
    pub tls: TlsFiles,
    pub hosts: HostNames,
    pub runs: Runs,
    pub limits: Limits,
    pub uploads: Uploads,
    pub fetch: Fetch,
    pub links: Links,
    pub evaluations: Evaluations,
    pub processing: Processing,
    pub cache: Cache,
    pub models: Models,
    pub accounts: Accounts,
    pub outbound: Outbound,
    pub webhooks: Webhooks,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    Text,
    Json,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

impl TlsFiles {
    /// Whether requests come over TLS.
    pub fn are_given(&self) -> bool {
        !self.cert.as_os_str().is_empty()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostNames {
    pub api: Vec<String>,
    pub auth: Vec<String>,
}

impl HostNames {
    /// The names as the API knows them.
    pub fn parse(&self) -> Result<api::Hosts, api::NoHost> {
        let parse = |names: &[String]| names.iter().map(|name| name.parse()).collect::<Result<Vec<_>, _>>();
        Ok(api::Hosts { api: parse(&self.api)?, auth: parse(&self.auth)? })
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Runs {
    pub minimum_visible_ms: u32,
    pub max_wait_seconds: u32,
    pub lease_seconds: u32,
    pub max_attempts: u32,
    pub max_crashes: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Uploads {
    pub max_bytes: Bytes,
    pub max_megapixels: u32,
    pub max_side: u32,
    pub urls_max_bytes: Bytes,
    pub library_max_bytes: Bytes,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    pub batch_items: usize,
    pub rate_calls: u32,
    pub rate_window_seconds: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fetch {
    pub seconds: u64,
    pub at_once: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Links {
    pub asset_seconds: u32,
    pub result_seconds: u32,
    pub upload_seconds: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Evaluations {
    pub price: u32,
    pub at_once: usize,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Processing {
    pub max_side: u32,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cache {
    pub memory: Bytes,
    pub disk: Bytes,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    pub backend: Backend,
    pub cut_out: String,
    pub strict: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum Backend {
    Auto,
    Rten,
    Openvino,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accounts {
    pub access_token_seconds: u32,
    pub claim_namespace: String,
    pub clients: Vec<String>,
    pub device_codes_per_minute: u32,
    pub credits: u32,
    pub credit_usd: String,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outbound {
    pub allow: Vec<String>,
    pub allow_plain_http: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhooks {
    pub concurrency: usize,
    pub per_organization: usize,
    pub per_receiver: usize,
    pub timeout_seconds: u64,
    pub pauses_ms: Vec<u32>,
    pub keep_days: u32,
}

/// A number of bytes, written as a number or as `256 MiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Serialize)]
pub struct Bytes(pub u64);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

impl Bytes {
    fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let number: u64 = text[..digits].parse().ok()?;
        let unit = match text[digits..].trim().to_ascii_lowercase().as_str() {
            "" | "b" => 1,
            "kib" | "k" => 1 << 10,
            "mib" | "m" => 1 << 20,
            "gib" | "g" => 1 << 30,
            "kb" => 1_000,
            "mb" => 1_000_000,
            "gb" => 1_000_000_000,
            _ => return None,
        };
        number.checked_mul(unit).map(Self)
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Number(u64),
            Text(String),
        }
        match Written::deserialize(from)? {
            Written::Number(bytes) => Ok(Self(bytes)),
            Written::Text(text) => Self::parse(&text).ok_or_else(|| {
                serde::de::Error::custom(format!("`{text}` is not a size; write it like `256 MiB`"))
            }),
        }
    }
}

/// Memory that the largest network takes at its peak (measured), set aside from the budget that runs are admitted against.
const NETWORK_BYTES: u64 = 850 << 20;
/// What must be left for runs: a photo of 12 megapixels through a cut-out.
const LEAST_RUNS_BYTES: u64 = 512 << 20;

impl Config {
    /// Memory that runs may take together: the budget less what the network and a step cache of that size take.
    pub fn runs_budget(&self, cache_bytes: u64) -> u64 {
        self.memory_budget.0.saturating_sub(NETWORK_BYTES + cache_bytes)
    }
}

/// Settings given as flags; each wins over file and environment.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub listen: Option<SocketAddr>,
    pub tls_cert: Option<PathBuf>,
    pub tls_key: Option<PathBuf>,
    pub data_dir: Option<PathBuf>,
    pub models_dir: Option<PathBuf>,
    pub strict_models: bool,
    pub offline: bool,
    pub workers: Option<usize>,
}

/// Reads the settings: defaults, then the file, then the environment, then the flags.
pub fn load(file: Option<&Path>, flags: &Overrides) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Toml::string(DEFAULTS));
    if let Some(file) = file {
        anyhow::ensure!(file.is_file(), "there is no configuration file `{}`", file.display());
        figment = figment.merge(Toml::file_exact(file));
    }
    let known = setting_names()?;
    // Other programs set variables that begin like ours (Kubernetes does for a service called `packshot`): only settings count.
    let environment = Env::prefixed("PACKSHOT_")
        .filter(move |key| {
            let key = key.as_str().to_lowercase();
            known.contains(key.split("__").next().unwrap_or_default())
        })
        .split("__");
    let figment = figment.merge(environment);
    let mut config: Config = figment.extract().context("the settings cannot be used")?;
    if let Some(listen) = flags.listen {
        config.listen = listen;
    }
    if let Some(file) = &flags.tls_cert {
        config.tls.cert.clone_from(file);
    }
    if let Some(file) = &flags.tls_key {
        config.tls.key.clone_from(file);
    }
    if let Some(dir) = &flags.data_dir {
        config.data_dir.clone_from(dir);
    }
    if let Some(dir) = &flags.models_dir {
        config.models_dir.clone_from(dir);
    }
    if let Some(workers) = flags.workers {
        config.workers = workers;
    }
    config.models.strict |= flags.strict_models;
    config.offline |= flags.offline;
    // Somebody who asks for any free port runs several servers: the second listener must not collide either.
    if config.listen.port() == 0 && config.operations_listen == default_operations() {
        config.operations_listen.set_port(0);
    }
    if config.data_dir.as_os_str().is_empty() {
        config.data_dir = xdg("XDG_DATA_HOME", ".local/share")?;
    }
    if config.secret_key_file.as_os_str().is_empty() {
        config.secret_key_file = config.data_dir.join("secret.key");
    }
    if config.models_dir.as_os_str().is_empty() {
        config.models_dir = xdg("XDG_CACHE_HOME", ".cache")?.join("models");
    }
    if config.workers == 0 {
        config.workers = std::thread::available_parallelism().map_or(1, usize::from);
    }
    check(&config)?;
    Ok(config)
}

/// The top-level names among the settings.
fn setting_names() -> anyhow::Result<std::collections::BTreeSet<String>> {
    let defaults: figment::value::Dict = Figment::from(Toml::string(DEFAULTS)).extract()?;
    Ok(defaults.into_keys().collect())
}

fn default_operations() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8788))
}

fn xdg(variable: &str, under_home: &str) -> anyhow::Result<PathBuf> {
    if let Some(dir) = std::env::var_os(variable).map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        return Ok(dir.join("packshot"));
    }
    let home = std::env::var_os("HOME")
        .with_context(|| format!("neither {variable} nor HOME is set; name the folder with a flag"))?;
    Ok(PathBuf::from(home).join(under_home).join("packshot"))
}

/// What one credit stands for in millionths of a US dollar; `None` where the text is no such number.
pub fn credit_micros(text: &str) -> Option<u64> {
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|digit| digit.is_ascii_digit());
    if whole.is_empty() || part.len() > 6 || !are_digits(whole) || !are_digits(part) {
        return None;
    }
    let whole: u64 = whole.parse().ok()?;
    let part: u64 = format!("{part:0<6}").parse().ok()?;
    whole.checked_mul(1_000_000)?.checked_add(part)
}

/// Names every setting that cannot work, not only the first.
fn check(config: &Config) -> anyhow::Result<()> {
    let mut wrong = Vec::new();
    let least = NETWORK_BYTES + config.cache.memory.0 + LEAST_RUNS_BYTES;
    if config.memory_budget.0 < least {
        wrong.push(format!(
            "`memory_budget` is {} MiB; the network, `cache.memory` and one photo need {} MiB",
            config.memory_budget.0 >> 20,
            least >> 20
        ));
    }
    if config.runs.lease_seconds == 0 {
        wrong.push("`runs.lease_seconds` is 0, at least 1 is needed".to_owned());
    }
    if config.runs.max_attempts == 0 || config.runs.max_crashes == 0 {
        wrong.push("`runs.max_attempts` and `runs.max_crashes` must be at least 1".to_owned());
    }
    for text in &config.outbound.allow {
        if let Err(error) = text.parse::<outbound::Allowed>() {
            wrong.push(format!("`outbound.allow`: {error}"));
        }
    }
    let webhooks = &config.webhooks;
    for (name, given) in [
        ("concurrency", webhooks.concurrency as u64),
        ("per_organization", webhooks.per_organization as u64),
        ("per_receiver", webhooks.per_receiver as u64),
        ("timeout_seconds", webhooks.timeout_seconds),
        ("keep_days", webhooks.keep_days.into()),
    ] {
        if given == 0 {
            wrong.push(format!("`webhooks.{name}` is 0, at least 1 is needed"));
        }
    }
    for (name, given) in [
        ("limits.batch_items", config.limits.batch_items as u64),
        ("limits.rate_calls", config.limits.rate_calls.into()),
        ("limits.rate_window_seconds", config.limits.rate_window_seconds.into()),
        ("fetch.seconds", config.fetch.seconds),
        ("fetch.at_once", config.fetch.at_once as u64),
        ("links.asset_seconds", config.links.asset_seconds.into()),
        ("links.result_seconds", config.links.result_seconds.into()),
        ("links.upload_seconds", config.links.upload_seconds.into()),
        ("evaluations.at_once", config.evaluations.at_once as u64),
    ] {
        if given == 0 {
            wrong.push(format!("`{name}` is 0, at least 1 is needed"));
        }
    }
    if credit_micros(&config.accounts.credit_usd).is_none() {
        wrong.push(format!(
            "`accounts.credit_usd` is `{}`; give a decimal number with at most six places, as \"0.001\"",
            config.accounts.credit_usd
        ));
    }
    if config.accounts.device_codes_per_minute == 0 {
        wrong.push("`accounts.device_codes_per_minute` is 0: no device could sign in".to_owned());
    }
    if config.processing.max_side < 64 {
        wrong.push("`processing.max_side` is less than 64 pixels".to_owned());
    }
    if !(config.base_url.is_empty()
        || config.base_url.starts_with("http://")
        || config.base_url.starts_with("https://"))
    {
        wrong.push(format!("`base_url` is `{}`; it begins with http:// or https://", config.base_url));
    }
    if config.tls.cert.as_os_str().is_empty() != config.tls.key.as_os_str().is_empty() {
        let (given, lacks) = if config.tls.are_given() { ("cert", "key") } else { ("key", "cert") };
        wrong.push(format!(
            "`tls.{given}` is given and `tls.{lacks}` is not; give both (`--tls-cert` and `--tls-key`), or neither for plain HTTP"
        ));
    }
    if let Err(error) = config.hosts.parse() {
        wrong.push(format!("`hosts`: {error}"));
    }
    anyhow::ensure!(wrong.is_empty(), "the settings cannot be used: {}", wrong.join("; "));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_hold_every_setting() {
        let config: Config =
            Figment::from(Toml::string(DEFAULTS)).extract().expect("every setting has a default");
        assert_eq!(config.memory_budget, Bytes(2 << 30));
        assert_eq!(config.operations_listen, default_operations());
        check(&config).expect("the defaults work");
    }

    #[test]
    fn sizes_are_read_with_their_unit() {
        assert_eq!(Bytes::parse("256 MiB"), Some(Bytes(256 << 20)));
        assert_eq!(Bytes::parse("10GB"), Some(Bytes(10_000_000_000)));
        assert_eq!(Bytes::parse("7"), Some(Bytes(7)));
        assert_eq!(Bytes::parse("7 parsec"), None);
    }

    #[test]
    fn what_a_credit_stands_for_is_read_exactly() {
        for (text, microdollars) in [
            ("0.001", Some(1_000)),
            ("1", Some(1_000_000)),
            ("0.000001", Some(1)),
            ("12.5", Some(12_500_000)),
        ] {
            assert_eq!(credit_micros(text), microdollars, "{text}");
        }
        for text in ["", ".", ".5", "-1", "1e3", "0.0000001", "1,5"] {
            assert_eq!(credit_micros(text), None, "{text}");
        }
    }

    #[test]
    fn a_small_memory_budget_says_what_is_needed() {
        let mut config: Config =
            Figment::from(Toml::string(DEFAULTS)).extract().expect("every setting has a default");
        config.memory_budget = Bytes(1 << 30);
        let error = format!("{:#}", check(&config).expect_err("too little"));
        assert!(error.contains("1024 MiB") && error.contains("1618 MiB"), "{error}");
    }

    #[test]
    fn a_wrong_setting_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let file = dir.path().join("packshot.toml");
        std::fs::write(&file, "listne = \"127.0.0.1:1\"\n").expect("writable");
        let error = format!("{:#}", load(Some(&file), &Overrides::default()).expect_err("a typing error"));
        assert!(error.contains("listne"), "{error}");
        std::fs::write(&file, "[hosts]\napi = [\"https://a\"]\n").expect("writable");
        let cert = Overrides { tls_cert: Some("cert.pem".into()), ..Overrides::default() };
        let error = format!("{:#}", load(Some(&file), &cert).expect_err("two bad settings"));
        assert!(error.contains("--tls-key") && error.contains("`https://a` is no host"), "{error}");
        std::fs::write(
            &file,
            "memory_budget = 1\n[runs]\nlease_seconds = 0\n[outbound]\nallow = [\"10.0.0.0/99\"]\n",
        )
        .expect("writable");
        let error = format!("{:#}", load(Some(&file), &Overrides::default()).expect_err("two bad settings"));
        assert!(error.contains("memory_budget") && error.contains("lease_seconds"), "{error}");
        assert!(error.contains("10.0.0.0/99"), "{error}");
    }
}
