//! Packshot: a retouching server for product photographs. The commands, and what their ends mean to a shell.
#![allow(clippy::print_stdout, clippy::print_stderr)] // a command line talks

mod client;
mod commands;
mod config;
mod files;
mod first_start;
mod ids;
mod inspect;
mod logging;
mod measures;
mod metrics;
mod outside;
mod previewer;
mod seal;
mod serve;
mod thumbnailer;
mod toolbox;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use config::{Config, Overrides};

/// A retouching server for product photographs: a raw photo goes in, a finished packshot comes out.
#[derive(Parser)]
#[command(name = "packshot", version, about, max_term_width = 100)]
struct Arguments {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

/// Flags of every command.
#[derive(Args)]
struct Common {
    /// Settings file (TOML); `packshot config` prints every setting with its default
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Folder of the model files
    #[arg(long, global = true, value_name = "DIR")]
    models_dir: Option<PathBuf>,
    /// Fail rather than fall back to a second-choice model
    #[arg(long, global = true)]
    strict_models: bool,
    /// Never fetch anything
    #[arg(long, global = true)]
    offline: bool,
    /// Log filter: error, warn, info, debug, trace
    #[arg(long, global = true, value_name = "FILTER")]
    log: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API
    Serve {
        /// Address to listen on; port 0 picks a free one
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: Option<SocketAddr>,
        /// Folder for everything that must be kept
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Serve over TLS with this certificate (PEM: the server's own, then those that signed it)
        #[arg(long, value_name = "FILE", requires = "tls_key")]
        tls_cert: Option<PathBuf>,
        /// The certificate's private key (PEM)
        #[arg(long, value_name = "FILE", requires = "tls_cert")]
        tls_key: Option<PathBuf>,
    },
    /// Make a certificate for names that clients have built in
    Certificate(commands::certificate::Options),
    /// Retouch the bundled sample photos through the real server
    Demo(commands::demo::Options),
    /// Make or show credentials
    #[command(subcommand)]
    Credentials(commands::credentials::Credentials),
    /// Make or list organizations
    #[command(subcommand)]
    Organizations(commands::organizations::Organizations),
    /// Make or list users, or give one a new password
    #[command(subcommand)]
    Users(commands::users::Users),
    /// Retouch files and folders without a server
    Process(commands::process::Options),
    /// List, show or check workflows
    #[command(subcommand)]
    Workflows(commands::workflows::Workflows),
    /// List the components, or one with its settings
    Components(commands::components::Options),
    /// List, fetch or check the model files
    #[command(subcommand)]
    Models(commands::models::Models),
    /// Print every setting with its default
    Config,
}

/// How a command ended well: with everything done, or with some items failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Everything was done.
    Done,
    /// Some items failed; each was reported.
    SomeFailed,
}

/// A mistake in how the command was called, as against one in the settings.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(arguments) {
        Ok(End::Done) => ExitCode::SUCCESS,
        Ok(End::SomeFailed) => ExitCode::from(1),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(if error.is::<Usage>() { 2 } else { 3 })
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<End> {
    let common = arguments.common;
    let mut flags = Overrides {
        models_dir: common.models_dir,
        strict_models: common.strict_models,
        offline: common.offline,
        ..Overrides::default()
    };
    let quiet = common.log.clone().unwrap_or_else(|| "warn".to_owned());
    let load = |flags: &Overrides| config::load(common.config.as_deref(), flags);
    match arguments.command {
        Command::Serve { listen, data, tls_cert, tls_key } => {
            flags.listen = listen;
            flags.tls_cert = tls_cert;
            flags.tls_key = tls_key;
            flags.data_dir = data;
            let config = load(&flags)?;
            let filter = common.log.as_deref().unwrap_or(&config.log);
            logging::start(filter, config.log_format)?;
            let runtime = runtime()?;
            let ended = runtime.block_on(serve::until_told_to_stop(config));
            // Work that cannot be stopped (an inference, a fetch) was handed back: it must not keep the process.
            runtime.shutdown_background();
            ended.map(|()| End::Done)
        }
        Command::Certificate(options) => commands::certificate::run(&options),
        Command::Demo(options) => {
            flags.listen = options.listen;
            flags.data_dir = Some(options.data_dir()?);
            let config = load(&flags)?;
            logging::start(&quiet, config.log_format)?;
            commands::demo::run(config, &options)
        }
        Command::Credentials(command) => {
            flags.data_dir = command.data_dir();
            let config = load(&flags)?;
            logging::start(&quiet, config.log_format)?;
            runtime()?.block_on(commands::credentials::run(&config, &command))
        }
        Command::Organizations(command) => {
            flags.data_dir = command.data_dir();
            let config = load(&flags)?;
            logging::start(&quiet, config.log_format)?;
            runtime()?.block_on(commands::organizations::run(&config, &command))
        }
        Command::Users(command) => {
            flags.data_dir = command.data_dir();
            let config = load(&flags)?;
            logging::start(&quiet, config.log_format)?;
            runtime()?.block_on(commands::users::run(&config, &command))
        }
        Command::Process(options) => {
            flags.workers = options.jobs.map(usize::from);
            let config = load(&flags)?;
            logging::start(&quiet, config.log_format)?;
            commands::process::run(&config, &options)
        }
        Command::Workflows(command) => {
            flags.data_dir = command.data_dir();
            let config = load(&flags)?;
            runtime()?.block_on(commands::workflows::run(&config, &command))
        }
        Command::Components(options) => commands::components::run(&options),
        Command::Models(command) => {
            let config = load(&flags)?;
            logging::start(&quiet, config.log_format)?;
            commands::models::run(&config, &command)
        }
        Command::Config => {
            print!("{}", config::DEFAULTS);
            Ok(End::Done)
        }
    }
}

fn runtime() -> anyhow::Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_multi_thread().enable_all().thread_name("packshot").build()?)
}

/// Prints a value as one JSON document on standard output.
fn print_json(value: &impl serde::Serialize) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string_pretty(value)?);
    Ok(())
}

/// The settings that concern pictures, from the configuration.
fn limits(config: &Config) -> pixels::Limits {
    pixels::Limits {
        max_bytes: config.uploads.max_bytes.0,
        max_pixels: u64::from(config.uploads.max_megapixels) * 1_000_000,
        max_side: config.uploads.max_side,
        ..pixels::Limits::default()
    }
}
