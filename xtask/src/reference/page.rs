//! The text of the reference.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use components::{Setting, settings_of};
use domain::component::{Description, Place};
use pixels::{Bitmap, Channels};
use serde_json::{Map, Value, json};

use super::{Preview, settings_with, shown, strip_file};
use crate::house;

/// The whole page, with the strips that lie in `folder`.
pub fn written(previews: &BTreeMap<String, Preview>, folder: &Path) -> anyhow::Result<String> {
    let catalogue = components::catalogue();
    let mut page = String::from(HEAD);
    for entry in catalogue.entries() {
        writeln!(page, "- [{}](#{}): {}", entry.kind, entry.kind.to_lowercase(), entry.summary)?;
    }
    for entry in catalogue.entries() {
        let preview = previews.get(entry.kind).cloned().unwrap_or_default();
        component(&mut page, entry, &preview, folder)?;
    }
    Ok(page)
}

const HEAD: &str = "# Components

What can be done to a picture, step by step. A workflow begins with `input`, ends with `export`, and has any of the others in
between, as often as they are wanted. Settings that are left out have their defaults; a value out of range is refused with the
allowed one.

Written by `cargo xtask reference`, pictures included: each strip shows the same picture with the values named under it.

";

fn component(page: &mut String, entry: &Description, preview: &Preview, folder: &Path) -> anyhow::Result<()> {
    writeln!(page, "\n## {}\n\n{}\n", entry.kind, entry.summary)?;
    let place = match entry.place {
        Place::First => "the first step, once",
        Place::Middle => "anywhere between the first and the last step",
        Place::Last => "the last step, once",
    };
    let changes = entry.changes.names();
    let changes = if changes.is_empty() { "nothing of the picture".to_owned() } else { changes.join(", ") };
    let credits = match entry.credits {
        1 => "1 credit".to_owned(),
        many => format!("{many} credits"),
    };
    writeln!(page, "Stands: {place}. May change: {changes}. Costs: {credits}. Version {}.", entry.version)?;
    if entry.joins {
        writeln!(page, "Takes several pictures of one run: the steps before it are done to each of them.")?;
    }
    let settings = settings_of(&entry.schema);
    if settings.is_empty() {
        writeln!(page, "\nIt has no settings.")?;
    }
    for setting in settings {
        let preview = preview.of(&setting.name);
        one_setting(page, entry, &setting, &preview, folder)?;
    }
    Ok(())
}

fn one_setting(
    page: &mut String,
    entry: &Description,
    setting: &Setting,
    preview: &Preview,
    folder: &Path,
) -> anyhow::Result<()> {
    let mut about = setting.kind.to_owned();
    if !setting.range.is_empty() {
        write!(about, ", {}", setting.range)?;
    }
    if let Some(unit) = setting.unit.as_ref().filter(|_| setting.kind != "length") {
        write!(about, " {unit}")?;
    }
    writeln!(page, "\n### {}.{}\n\n{}\n", entry.kind, setting.name, setting.description)?;
    writeln!(page, "{about}; default {}.", code(&setting.default))?;
    if !setting.choices.is_empty() {
        writeln!(page)?;
    }
    for (choice, text) in &setting.choices {
        writeln!(page, "- `{choice}`: {text}")?;
    }
    let file = strip_file(entry.kind, &setting.name);
    if let Some(name) = &preview.names {
        names(page, entry, setting, preview, name)?;
    } else if let Some(values) = shown(entry, &setting.name, preview).filter(|_| folder.join(&file).exists())
    {
        let values: Vec<String> = (0..values.len())
            .map(|index| match preview.also.get(index).filter(|also| !also.is_empty()) {
                Some(also) => format!("{} ({})", code(&values[index]), settings_text(also)),
                None => code(&values[index]),
            })
            .collect();
        writeln!(page, "\n![{} of {}](components/{file})\n", setting.name, entry.kind)?;
        writeln!(page, "From left to right: {}{}.", values.join(", "), with(preview, &setting.name))?;
    } else if let Some(why) = &preview.unseen {
        writeln!(page, "\nNo picture: {why}.")?;
    }
    Ok(())
}

/// What else was set, in words.
fn with(preview: &Preview, setting: &str) -> String {
    let mut others = preview.with.clone();
    others.remove(setting);
    if others.is_empty() { String::new() } else { format!("; with {}", settings_text(&others)) }
}

fn settings_text(settings: &Map<String, Value>) -> String {
    let each: Vec<String> =
        settings.iter().map(|(name, value)| format!("`{name}` {}", code(value))).collect();
    each.join(", ")
}

/// What becomes of a file's name, for each value.
fn names(
    page: &mut String,
    entry: &Description,
    setting: &Setting,
    preview: &Preview,
    name: &str,
) -> anyhow::Result<()> {
    let Some(values) = shown(entry, &setting.name, preview) else { return Ok(()) };
    let toolbox = house::toolbox(None);
    let pixel = house::png(&Bitmap::from_u8(2, 3, Channels::Rgb, vec![128; 18])?)?;
    writeln!(page, "\n| `{}` | `{name}` becomes |\n|---|---|", setting.name)?;
    for (index, value) in values.iter().enumerate() {
        let settings = settings_with(&setting.name, preview, &values, index);
        let steps = [
            house::step("input", &json!({}))?,
            house::step(entry.kind, &Value::Object(settings))?,
            house::step("export", &json!({ "targetFormat": "JPEG" }))?,
        ];
        let product = house::process(&toolbox, &pixel, name, &steps)?;
        writeln!(
            page,
            "| {}{} | `{}` |",
            code(value).replace('|', "\\|"),
            with(preview, &setting.name),
            product.file.name
        )?;
    }
    Ok(())
}

/// A value as it is written in settings, shortened where it is long.
fn code(value: &Value) -> String {
    let text = match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}
