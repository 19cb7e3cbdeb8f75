//! `packshot demo`: the bundled sample photos through the real server and its HTTP API.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::models::FetchBar;
use crate::client::Client;
use crate::config::{Config, TlsFiles};
use crate::{End, first_start, print_json, runtime, serve, toolbox};

/// Retouch the bundled sample photos through the real server.
#[derive(clap::Args)]
pub struct Options {
    /// End after the results instead of serving on
    #[arg(long)]
    exit: bool,
    /// Address to listen on; port 0 picks a free one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<SocketAddr>,
    /// Folder for the results
    #[arg(long, value_name = "DIR", default_value = "results")]
    out: PathBuf,
    /// The demonstration server's data folder; default: a folder of its own beside the real one
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Print one JSON document with the results
    #[arg(long)]
    json: bool,
}

/// The photos of the folder `samples`, so that the demonstration works wherever the binary is.
const SAMPLES: [(&str, &[u8]); 5] = [
    ("coffee-cup.jpg", include_bytes!("../../../../samples/coffee-cup.jpg")),
    ("frying-pan.jpg", include_bytes!("../../../../samples/frying-pan.jpg")),
    ("pliers.jpg", include_bytes!("../../../../samples/pliers.jpg")),
    ("tape-measure.jpg", include_bytes!("../../../../samples/tape-measure.jpg")),
    ("teacup.webp", include_bytes!("../../../../samples/teacup.webp")),
];

/// The starter workflow that cuts nothing out.
const EXPORT_ONLY: &str = "Export only";

impl Options {
    /// The data folder asked for, or one that no real server uses.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(dir) = &self.data {
            return Ok(dir.clone());
        }
        let config = crate::config::load(None, &crate::config::Overrides::default())?;
        Ok(config.data_dir.with_file_name("packshot-demo"))
    }
}

/// Runs the demonstration.
pub fn run(mut config: Config, options: &Options) -> anyhow::Result<End> {
    // It talks to itself, and shows plain links.
    config.tls = TlsFiles::default();
    prepare_models(&config);
    let runtime = runtime()?;
    let running = runtime.block_on(serve::start(&config))?;
    eprintln!("the server is ready on {}", running.address);
    let credentials = runtime.block_on(first_start::credentials_of(&running.service, "demonstration"))?;
    let client = Client::sign_in(&running.address, &credentials.organization_id, &credentials.refresh_token)?;
    let results = retouch(&client, options);
    let address = running.address.clone();
    let end = match results {
        Ok(results) => {
            report(&results, &address, options)?;
            if results.iter().all(|result| result["error"].is_null()) { End::Done } else { End::SomeFailed }
        }
        Err(error) => {
            runtime.block_on(running.stop());
            return Err(error);
        }
    };
    if !options.exit {
        eprintln!("the server goes on; Ctrl-C ends it");
        runtime.block_on(serve::told_to_stop())?;
    }
    runtime.block_on(running.stop());
    runtime.shutdown_background();
    Ok(end)
}

/// Brings the networks that are missing; without them the next best is used, and said so.
fn prepare_models(config: &Config) {
    let networks = match toolbox::networks(config) {
        Ok(networks) => networks,
        Err(error) => {
            eprintln!("models: {error:#}");
            return;
        }
    };
    let bar = FetchBar::new();
    let prepared = networks.prepare(&mut |progress| bar.show(&progress));
    bar.done();
    match prepared {
        Ok(network) => {
            let info = network.info();
            eprintln!("cut-outs use {} ({}, {})", info.id, info.backend, info.precision);
            if let Some(reason) = &info.fallback {
                eprintln!("  not the first choice: {reason}");
            }
        }
        Err(unavailable) => {
            eprintln!("no network can be had; cut-outs use the studio matte, which needs a plain backdrop:");
            for reason in &unavailable.reasons {
                eprintln!("  {reason}");
            }
        }
    }
}

/// Every sample through every workflow, over HTTP.
fn retouch(client: &Client, options: &Options) -> anyhow::Result<Vec<Value>> {
    let workflows: Vec<_> = client.workflows()?.into_iter().filter(|(name, _)| name != EXPORT_ONLY).collect();
    let style = ProgressStyle::with_template("retouching {bar:30} {pos}/{len} {msg}")
        .expect("the template is fixed and well formed");
    let bar = ProgressBar::new((workflows.len() * SAMPLES.len()) as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_millis(200));
    let mut started = Vec::new();
    let mut hashes = Vec::new();
    for (sample, bytes) in SAMPLES {
        hashes.push(client.upload(sample, bytes)?);
    }
    for (workflow, id) in &workflows {
        for ((sample, _), hash) in SAMPLES.iter().zip(&hashes) {
            started.push((*sample, workflow.as_str(), client.start(id, sample, hash)?));
        }
    }
    let began = Instant::now();
    let mut results = Vec::new();
    for (sample, workflow, execution) in started {
        bar.set_message(format!("{sample}: {workflow}"));
        let result = fetch(client, sample, workflow, &execution, options).unwrap_or_else(|error| {
            json!({ "sample": sample, "workflow": workflow, "execution": execution, "error": format!("{error:#}") })
        });
        results.push(result);
        bar.inc(1);
    }
    bar.finish_and_clear();
    eprintln!("{} results in {:.1} s", results.len(), began.elapsed().as_secs_f64());
    Ok(results)
}

fn fetch(
    client: &Client,
    sample: &str,
    workflow: &str,
    execution: &str,
    options: &Options,
) -> anyhow::Result<Value> {
    let (bytes, model) = client.result(execution)?;
    let details = client.execution(execution)?;
    let name = details["resultFileName"].as_str().context("the execution has no result name")?;
    let folder = options.out.join(workflow.to_lowercase().replace(' ', "-"));
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot create `{}`", folder.display()))?;
    let path = folder.join(name);
    std::fs::write(&path, &bytes).with_context(|| format!("cannot write `{}`", path.display()))?;
    Ok(json!({
        "sample": sample, "workflow": workflow, "execution": execution, "path": path, "bytes": bytes.len(),
        "model": model,
    }))
}

fn report(results: &[Value], address: &str, options: &Options) -> anyhow::Result<()> {
    let out = options.out.canonicalize().unwrap_or_else(|_| options.out.clone());
    if options.json {
        return print_json(&json!({ "address": address, "out": out, "results": results }));
    }
    for result in results {
        let text = |member: &str| result[member].as_str().unwrap_or_default().to_owned();
        match result["error"].as_str() {
            Some(error) => println!("{:<18} {:<20} FAILED: {error}", text("sample"), text("workflow")),
            None => println!("{:<18} {:<20} {}", text("sample"), text("workflow"), text("path")),
        }
    }
    let models: std::collections::BTreeSet<_> =
        results.iter().filter_map(|result| result["model"].as_str()).collect();
    println!("cut out by: {}", models.into_iter().collect::<Vec<_>>().join("; "));
    println!("results:    {}", out.display());
    if !options.exit {
        println!("address:    {address}/health (API document: {address}/openapi.json)");
    }
    Ok(())
}
