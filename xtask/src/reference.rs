//! `cargo xtask reference`: writes docs/components.md, with a strip of pictures for every setting that shows.
//!
//! The pictures come from the inputs of the golden cases, so that no photograph is needed and the same command gives the
//! same bytes. What a setting is shown with stands in `previews.json`; what is not there is shown with values that its
//! schema suggests.

mod page;
mod strip;
mod values;

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, ensure};
use domain::component::Description;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{house, root};

/// Writes the reference of components.
#[derive(clap::Args)]
pub struct Options {
    /// Only this component's pictures are made anew
    #[arg(long)]
    only: Option<String>,
    /// Writes the text alone, with the pictures there are
    #[arg(long)]
    text: bool,
}

/// How a component is shown.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Preview {
    /// The golden case whose input is used: `cup` of its own folder, or `clean/dust` of another's.
    case: Option<String>,
    /// Settings besides the one that is shown.
    with: Map<String, Value>,
    /// The part of the picture that is shown: left, top, width and height in shares.
    zoom: Option<[f64; 4]>,
    /// The picture that settings name, below the folder of the golden cases; else `reference.png` of the case.
    reference: Option<String>,
    /// Steps before the component: a component and its settings each.
    before: Vec<(String, Value)>,
    /// Steps after it.
    after: Vec<(String, Value)>,
    /// The values of the setting that are shown.
    values: Option<Vec<Value>>,
    /// Further settings for each of the values.
    also: Vec<Map<String, Value>>,
    /// The name of a file that is shown instead of a picture: what becomes of it.
    names: Option<String>,
    /// Why nothing can be seen of the setting.
    unseen: Option<String>,
    /// How single settings are shown; what is missing is as for the component.
    settings: BTreeMap<String, Preview>,
}

impl Preview {
    /// The preview of one setting: its own, over the component's.
    fn of(&self, setting: &str) -> Self {
        let own = self.settings.get(setting).cloned().unwrap_or_default();
        let mut with = self.with.clone();
        with.extend(own.with);
        Self {
            case: own.case.or_else(|| self.case.clone()),
            with,
            zoom: own.zoom.or(self.zoom),
            reference: own.reference.or_else(|| self.reference.clone()),
            before: if own.before.is_empty() { self.before.clone() } else { own.before },
            after: if own.after.is_empty() { self.after.clone() } else { own.after },
            values: own.values,
            also: own.also,
            names: own.names.or_else(|| self.names.clone()),
            unseen: own.unseen.or_else(|| self.unseen.clone()),
            settings: BTreeMap::new(),
        }
    }
}

fn previews() -> anyhow::Result<BTreeMap<String, Preview>> {
    serde_json::from_str(include_str!("reference/previews.json")).context("cannot read previews.json")
}

/// The folder of the pictures.
fn folder() -> PathBuf {
    root().join("docs/components")
}

/// The file of a setting's strip.
fn strip_file(kind: &str, setting: &str) -> String {
    format!("{kind}-{setting}.webp")
}

/// The values a setting is shown with; `None` where it is not shown.
fn shown(description: &Description, setting: &str, preview: &Preview) -> Option<Vec<Value>> {
    if preview.unseen.is_some() {
        return None;
    }
    let property = &description.schema["properties"][setting];
    let values = preview.values.clone().or_else(|| values::suggested(property))?;
    (values.len() > 1).then_some(values)
}

/// The settings with which one of the values is shown.
fn settings_with(setting: &str, preview: &Preview, values: &[Value], index: usize) -> Map<String, Value> {
    let mut settings = preview.with.clone();
    settings.extend(preview.also.get(index).cloned().unwrap_or_default());
    settings.insert(setting.to_owned(), values[index].clone());
    settings
}

/// Makes the pictures and writes the text.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let previews = previews()?;
    fs::create_dir_all(folder())?;
    let mut failed = Vec::new();
    if !options.text {
        let toolbox = house::toolbox(Some(house::networks()?));
        for description in components::catalogue().entries() {
            if options.only.as_ref().is_some_and(|only| only != description.kind) {
                continue;
            }
            let preview = previews.get(description.kind).cloned().unwrap_or_default();
            for setting in components::settings_of(&description.schema) {
                let preview = preview.of(&setting.name);
                let file = folder().join(strip_file(description.kind, &setting.name));
                let values = shown(description, &setting.name, &preview).filter(|_| preview.names.is_none());
                let strip = match values {
                    Some(values) => {
                        let strip = strip::made(&toolbox, description, &setting.name, &preview, &values);
                        strip.unwrap_or_else(|error| {
                            failed.push(format!("{}.{}: {error:#}", description.kind, setting.name));
                            None
                        })
                    }
                    None => None,
                };
                if strip.is_none() && preview.unseen.is_none() && preview.names.is_none() {
                    println!("{}.{}: nothing to see", description.kind, setting.name);
                }
                match strip {
                    Some(bytes) => fs::write(&file, bytes)?,
                    // What shows no difference is no picture to look at.
                    None if file.exists() => fs::remove_file(&file)?,
                    None => {}
                }
            }
        }
    }
    let file = root().join("docs/components.md");
    fs::write(&file, page::written(&previews, &folder())?)?;
    println!("docs/components.md");
    ensure!(failed.is_empty(), "some pictures could not be made:\n{}", failed.join("\n"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reference_is_what_the_components_say() {
        let previews = previews().expect("previews");
        for (kind, preview) in &previews {
            let entry = components::entry(kind).unwrap_or_else(|| panic!("no component is called `{kind}`"));
            let properties = (entry.describe)().schema["properties"].clone();
            for setting in preview.settings.keys() {
                assert!(
                    properties.get(setting).is_some(),
                    "previews.json: `{kind}` has no setting `{setting}`"
                );
            }
        }
        let now = page::written(&previews, &folder()).expect("a page");
        let there = fs::read_to_string(root().join("docs/components.md")).expect("docs/components.md");
        assert!(now == there, "docs/components.md is not up to date; run `cargo xtask reference --text`");
    }

    #[test]
    fn no_strip_is_left_over() {
        let catalogue = components::catalogue();
        let known: Vec<String> = catalogue
            .entries()
            .iter()
            .flat_map(|entry| {
                components::settings_of(&entry.schema)
                    .into_iter()
                    .map(|setting| strip_file(entry.kind, &setting.name))
            })
            .collect();
        for entry in fs::read_dir(folder()).expect("docs/components") {
            let name = entry.expect("an entry").file_name().to_string_lossy().into_owned();
            assert!(known.contains(&name), "docs/components/{name} belongs to no setting");
        }
    }
}
