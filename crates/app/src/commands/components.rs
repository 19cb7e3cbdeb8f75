//! `packshot components`: what can stand in a workflow, from the same source as the JSON Schema.

use domain::component::Description;
use serde_json::{Value, json};

use crate::{End, Usage, print_json};

/// List the components, or one with its settings.
#[derive(clap::Args)]
pub struct Options {
    /// One component: its settings with ranges and defaults
    name: Option<String>,
    /// Print JSON, with the JSON Schema of the settings
    #[arg(long)]
    json: bool,
}

/// Runs the command.
pub fn run(options: &Options) -> anyhow::Result<End> {
    let catalogue = components::catalogue();
    let Some(name) = &options.name else {
        if options.json {
            print_json(&catalogue.entries().iter().map(as_json).collect::<Vec<_>>())?;
        } else {
            for entry in catalogue.entries() {
                println!("{:<18} {:>2} credits  {}", entry.kind, entry.credits, entry.summary);
            }
        }
        return Ok(End::Done);
    };
    let entry = catalogue.find(name).ok_or_else(|| {
        let known: Vec<_> = catalogue.entries().iter().map(|entry| entry.kind).collect();
        Usage(format!("no component is called `{name}`; there are {}", known.join(", ")))
    })?;
    if options.json {
        print_json(&as_json(entry))?;
    } else {
        println!("{} ({}): {}", entry.title, entry.kind, entry.summary);
        println!("{} credits, version {}", entry.credits, entry.version);
        for line in components::settings_help(entry) {
            println!("{line}");
        }
    }
    Ok(End::Done)
}

fn as_json(entry: &Description) -> Value {
    json!({
        "type": entry.kind, "title": entry.title, "summary": entry.summary, "version": entry.version,
        "credits": entry.credits, "defaults": entry.defaults, "schema": entry.schema,
    })
}
