//! `packshot workflows`: list, show and check workflows.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use components::Images;
use domain::component::Catalogue;
use domain::image::ContentHash;
use domain::page::Window;
use domain::workflow::Step;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::{End, Usage, first_start, print_json};

/// List, show or check workflows.
#[derive(clap::Subcommand)]
pub enum Workflows {
    /// List the starter workflows, or with --data those of a server
    List {
        /// A server's data folder
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Print a workflow as a file that `process` and `validate` read
    Show {
        /// Its name
        name: String,
        /// A server's data folder
        #[arg(long, value_name = "DIR")]
        data: Option<PathBuf>,
    },
    /// Check a workflow file and print its price
    Validate {
        /// The file
        file: PathBuf,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

impl Workflows {
    /// The data folder asked for.
    pub fn data_dir(&self) -> Option<PathBuf> {
        match self {
            Self::List { data, .. } | Self::Show { data, .. } => data.clone(),
            Self::Validate { .. } => None,
        }
    }
}

/// A workflow as a file: its name and its steps, labels optional.
#[derive(Deserialize)]
#[serde(untagged)]
enum Document {
    Named { components: Vec<DocumentStep> },
    Bare(Vec<DocumentStep>),
}

#[derive(Deserialize)]
struct DocumentStep {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    label: Option<String>,
    #[serde(default)]
    settings: Option<serde_json::Value>,
}

struct Named {
    name: String,
    steps: Vec<Step>,
}

/// Runs the command.
pub async fn run(config: &Config, command: &Workflows) -> anyhow::Result<End> {
    let catalogue = components::catalogue();
    match command {
        Workflows::List { json, data } => {
            let all = all(config, data.is_some()).await?;
            if *json {
                let entries: Vec<_> = all.iter().map(|workflow| document(workflow, &catalogue)).collect();
                print_json(&entries)?;
            } else {
                for workflow in &all {
                    let kinds: Vec<_> = workflow.steps.iter().map(|step| step.kind.as_str()).collect();
                    println!(
                        "{:<22} {:>3} credits  {}",
                        workflow.name,
                        catalogue.price(&workflow.steps),
                        kinds.join(" > ")
                    );
                }
            }
        }
        Workflows::Show { name, data } => {
            let all = all(config, data.is_some()).await?;
            let Some(workflow) = all.iter().find(|workflow| same_name(&workflow.name, name)) else {
                let known: Vec<_> = all.iter().map(|workflow| format!("`{}`", workflow.name)).collect();
                return Err(
                    Usage(format!("no workflow is called `{name}`; there are {}", known.join(", "))).into()
                );
            };
            print_json(&document(workflow, &catalogue))?;
        }
        Workflows::Validate { file, json } => {
            let Local { steps, .. } = read(file)?;
            let price = catalogue.price(&steps);
            if *json {
                print_json(&json!({ "valid": true, "price": price, "components": steps }))?;
            } else {
                println!(
                    "`{}` is a good workflow of {} steps; one run costs {price} credits",
                    file.display(),
                    steps.len()
                );
            }
        }
    }
    Ok(End::Done)
}

async fn all(config: &Config, from_server: bool) -> anyhow::Result<Vec<Named>> {
    if !from_server {
        return Ok(starters());
    }
    let store = first_start::open_existing(config)?;
    let org = store
        .first_org()
        .await?
        .context("the data folder holds no organization yet; run `packshot serve` once")?;
    let page = store.workflows(org.id, Window { limit: 500, offset: 0 }).await?;
    Ok(page.entries.into_iter().map(|w| Named { name: w.name, steps: w.version.steps }).collect())
}

fn starters() -> Vec<Named> {
    components::starters()
        .into_iter()
        .map(|starter| Named { name: starter.name.to_owned(), steps: starter.steps })
        .collect()
}

fn document(workflow: &Named, catalogue: &Catalogue) -> serde_json::Value {
    json!({ "name": workflow.name, "price": catalogue.price(&workflow.steps), "components": workflow.steps })
}

/// Names are compared as people type them: `white-packshot` is `White packshot`.
fn same_name(left: &str, right: &str) -> bool {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_'], " ");
    plain(left) == plain(right)
}

/// Checked steps, with the files of the pictures that their settings name.
pub struct Local {
    /// The steps.
    pub steps: Vec<Step>,
    /// The files.
    pub images: Images,
}

/// The checked steps of a starter workflow of that name, or of a workflow file at that path. In a file, a setting that
/// names a stored picture may name a file beside it instead: `"file:logo.png"`.
pub fn find(name_or_file: &str) -> anyhow::Result<Local> {
    if let Some(starter) = starters().into_iter().find(|starter| same_name(&starter.name, name_or_file)) {
        return Ok(Local { steps: starter.steps, images: Images::new() });
    }
    let path = Path::new(name_or_file);
    if path.is_file() {
        return read(path);
    }
    let known: Vec<_> = starters().iter().map(|starter| format!("`{}`", starter.name)).collect();
    Err(Usage(format!(
        "there is no workflow and no file called `{name_or_file}`; there are {}, or name a workflow file",
        known.join(", ")
    ))
    .into())
}

fn read(file: &Path) -> anyhow::Result<Local> {
    let refuse = |reason: String| Usage(format!("`{}` is no good workflow: {reason}", file.display()));
    let text = std::fs::read_to_string(file).map_err(|error| refuse(error.to_string()))?;
    let steps = match serde_json::from_str::<Document>(&text) {
        Ok(Document::Named { components } | Document::Bare(components)) => components,
        Err(_) => {
            let reason = match serde_json::from_str::<serde_json::Value>(&text) {
                Err(error) => format!("it is not JSON: {error}"),
                Ok(_) => "it needs `components`, a list of objects with `type` and `settings`".to_owned(),
            };
            return Err(refuse(reason).into());
        }
    };
    let mut images = Images::new();
    let mut steps: Vec<Step> = steps
        .into_iter()
        .map(|step| Step {
            label: step.label.unwrap_or_else(|| step.kind.clone()),
            kind: step.kind,
            settings: step.settings.unwrap_or_else(|| json!({})),
        })
        .collect();
    let folder = file.parent().unwrap_or(Path::new("."));
    for step in &mut steps {
        take_in_files(&mut step.settings, folder, &mut images).map_err(&refuse)?;
    }
    let catalogue = components::catalogue();
    let steps = catalogue.check(&steps).map_err(|invalid| refuse(invalid.to_string()))?;
    Ok(Local { steps, images })
}

/// Replaces every text `file:PATH` by the SHA-256 of that file, which it reads.
fn take_in_files(value: &mut Value, folder: &Path, images: &mut Images) -> Result<(), String> {
    match value {
        Value::String(text) => {
            if let Some(path) = text.strip_prefix("file:") {
                let path = folder.join(path);
                let file = std::fs::read(&path)
                    .map_err(|error| format!("cannot read the picture `{}`: {error}", path.display()))?;
                let hash = ContentHash(Sha256::digest(&file).into());
                images.insert(hash, file);
                *text = hash.to_string();
            }
        }
        Value::Array(items) => items.iter_mut().try_for_each(|item| take_in_files(item, folder, images))?,
        Value::Object(members) => {
            members.values_mut().try_for_each(|member| take_in_files(member, folder, images))?;
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
    Ok(())
}
