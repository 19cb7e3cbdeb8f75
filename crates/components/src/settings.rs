//! From a settings type to everything others want of it: JSON Schema, defaults, refusals, canonical form, help.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::setting::quoted;

/// JSON Schema (2020-12) of a settings type, whole in itself, with defaults and descriptions.
pub(crate) fn schema<S: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<S>().to_value();
    if let Some(object) = schema.as_object_mut() {
        // The name of a Rust type says nothing to a reader.
        object.remove("title");
        object.entry("properties").or_insert_with(|| json!({}));
    }
    schema
}

/// Every setting with its default.
pub(crate) fn defaults<S: Serialize + Default>() -> Value {
    write(&S::default())
}

/// The canonical form: every setting, in the order of the type.
pub(crate) fn write<S: Serialize>(settings: &S) -> Value {
    serde_json::to_value(settings).expect("settings are plain fields with names")
}

/// Reads settings; what is missing gets its default. Refuses with one sentence about the first setting that is wrong.
pub(crate) fn read<S: DeserializeOwned + JsonSchema + Default>(given: &Value) -> Result<S, String> {
    let given = match given {
        Value::Null => return Ok(S::default()),
        Value::Object(given) => given,
        other => return Err(format!("settings are {}, an object is needed", quoted(other))),
    };
    if let Ok(settings) = serde_json::from_value(Value::Object(given.clone())) {
        return Ok(settings);
    }
    // Something is wrong, or written in another case: look at each setting by itself.
    let schema = schema::<S>();
    let known = schema["properties"].as_object().cloned().unwrap_or_default();
    let mut mended = Map::with_capacity(given.len());
    for (name, value) in given {
        let Some(property) = known.get(name) else {
            return Err(unknown(name, &known));
        };
        let alone = |value: &Value| serde_json::from_value::<S>(json!({ name.as_str(): value }));
        let value = match alone(value) {
            Ok(_) => value.clone(),
            Err(error) => {
                let cased = same_but_for_case(property, value).filter(|value| alone(value).is_ok());
                cased.ok_or_else(|| refusal(name, property, value, &error.to_string()))?
            }
        };
        mended.insert(name.clone(), value);
    }
    serde_json::from_value(Value::Object(mended)).map_err(|error| error.to_string())
}

fn unknown(name: &str, known: &Map<String, Value>) -> String {
    if known.is_empty() {
        return format!("unknown setting `{name}`; there are none");
    }
    let names: Vec<String> = known.keys().map(|name| format!("`{name}`")).collect();
    format!("unknown setting `{name}`; there are {}", names.join(", "))
}

fn refusal(name: &str, property: &Value, value: &Value, error: &str) -> String {
    let given = quoted(value);
    let choices = choices(property);
    if !choices.is_empty() {
        return format!("`{name}` is {given}; there are {}", list(&choices));
    }
    match property["type"].as_str() {
        Some("boolean") => format!("`{name}` is {given}, true or false is needed"),
        Some("string") if !value.is_string() => format!("`{name}` is {given}, a text is needed"),
        _ => format!("`{name}` {error}"),
    }
}

fn list(choices: &[(String, String)]) -> String {
    choices.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn same_but_for_case(property: &Value, value: &Value) -> Option<Value> {
    let text = value.as_str()?;
    let choice = choices(property).into_iter().find(|(name, _)| name.eq_ignore_ascii_case(text))?;
    Some(Value::String(choice.0))
}

/// The values a setting may take, each with its description, where there is a list of them.
fn choices(property: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let listed = |schema: &Value| -> Vec<(String, String)> {
        let names = schema["enum"].as_array().into_iter().flatten().filter(|v| v.is_string());
        names.map(|name| (text(name), String::new())).collect()
    };
    if let Some([whole, nothing]) = property["anyOf"].as_array().map(Vec::as_slice)
        && nothing["type"] == "null"
    {
        return choices(whole);
    }
    let mut found = listed(property);
    for one in property["oneOf"].as_array().into_iter().flatten() {
        if one["const"].is_string() {
            found.push((text(&one["const"]), text(&one["description"])));
        }
        found.extend(listed(one));
    }
    found
}

/// One setting, for help texts and forms.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// Its name on the wire.
    pub name: String,
    /// What kind of value it takes: `whole number`, `length`, `choice`.
    pub kind: &'static str,
    /// What is allowed, in words: `1 to 16384`, `0 to 8192 px, or 0% to 49%`; empty when everything is.
    pub range: String,
    /// The unit of the value, where it has one.
    pub unit: Option<String>,
    /// Value when none is given, as JSON.
    pub default: Value,
    /// The values there are, each with its description, for a choice.
    pub choices: Vec<(String, String)>,
    /// What it does.
    pub description: String,
}

/// Lists the settings that a component's schema ([`domain::component::Description::schema`]) describes.
pub fn settings_of(schema: &Value) -> Vec<Setting> {
    let properties = schema["properties"].as_object();
    let setting = |(name, property): (&String, &Value)| {
        let choices = choices(property);
        let (kind, range) = kind_and_range(property, !choices.is_empty());
        Setting {
            name: name.clone(),
            kind,
            range,
            unit: property["x-unit"].as_str().map(str::to_owned),
            default: property["default"].clone(),
            choices,
            description: property["description"].as_str().unwrap_or_default().to_owned(),
        }
    };
    properties.into_iter().flatten().map(setting).collect()
}

/// The settings of a component as lines of help, ready to be printed.
pub fn settings_help(description: &domain::component::Description) -> Vec<String> {
    let mut lines = Vec::new();
    for setting in settings_of(&description.schema) {
        let mut about = setting.kind.to_owned();
        if !setting.range.is_empty() {
            about += &format!(", {}", setting.range);
        }
        if let Some(unit) = setting.unit.filter(|_| setting.kind != "length") {
            about += &format!(" {unit}");
        }
        lines.push(format!("  {} ({about}; default {})", setting.name, quoted(&setting.default)));
        lines.push(format!("      {}", setting.description));
        for (choice, text) in setting.choices {
            lines.push(format!("      `{choice}`: {text}"));
        }
    }
    if lines.is_empty() {
        lines.push("  no settings".to_owned());
    }
    lines
}

fn kind_and_range(property: &Value, is_choice: bool) -> (&'static str, String) {
    if is_choice {
        return ("choice", String::new());
    }
    let between = |schema: &Value| match (schema["minimum"].as_i64(), schema["maximum"].as_i64()) {
        (Some(min), Some(max)) => format!("{min} to {max}"),
        _ => String::new(),
    };
    let has_type = |name: &str| match &property["type"] {
        Value::String(one) => one == name,
        Value::Array(several) => several.iter().any(|one| one == name),
        _ => false,
    };
    let or_nothing = if has_type("null") { ", or null" } else { "" };
<<<<<<< HEAD
    // A setting that may be null wraps the schema of what it is otherwise.
    if let Some([whole, nothing]) = property["anyOf"].as_array().map(Vec::as_slice)
        && nothing["type"] == "null"
    {
        let (kind, range) = kind_and_range(whole, !choices(whole).is_empty());
        return (kind, if range.is_empty() { range } else { range + ", or null" });
=======
    // A length that may be null is one of two kinds, the first of which is a length.
    if let Some([length, _]) = property["anyOf"].as_array().map(Vec::as_slice)
        && length["anyOf"].is_array()
    {
        let (kind, range) = kind_and_range(length, false);
        return (kind, range + ", or null");
>>>>>>> upscale
    }
    if let Some([px, percent]) = property["anyOf"].as_array().map(Vec::as_slice)
        && let Some(most) = percent["x-maximum-percent"].as_i64()
    {
        return ("length", format!("{} px, or 0% to {most}%", between(px)));
    }
    // A setting of several values says itself what they are.
    if let Some(range) = property["x-range"].as_str() {
        let kind = if has_type("array") { "list" } else { "text" };
        return (kind, range.to_owned());
    }
    if has_type("array") {
        let most = property["maxItems"].as_u64();
        return ("list", most.map(|most| format!("up to {most} entries")).unwrap_or_default());
    }
    if has_type("boolean") {
        return ("true or false", String::new());
    }
    if has_type("integer") {
        return ("whole number", between(property) + or_nothing);
    }
    if has_type("number") {
        return ("number", between(property) + or_nothing);
    }
    if property["format"] == "color" {
        return ("colour", "#RRGGBB".to_owned() + property["x-or"].as_str().unwrap_or_default());
    }
    let most = property["maxLength"].as_u64();
    ("text", most.map(|most| format!("up to {most} characters")).unwrap_or_default() + or_nothing)
}

#[cfg(test)]
mod tests {
    use crate::catalogue;
    use serde_json::json;

    use super::*;

    fn check(kind: &str, settings: Value) -> Result<Value, String> {
        (catalogue().find(kind).expect("a component").check)(&settings)
    }

    #[test]
    fn refusals_name_the_setting_and_the_way_out() {
        let refuse = |kind: &str, settings: Value| check(kind, settings).expect_err("refused");
        assert_eq!(
            refuse("setOnCanvas", json!({ "width": 90000 })),
            "`width` is 90000, at most 16384 is allowed"
        );
        assert_eq!(
            refuse("setOnCanvas", json!({ "upscale": "yes" })),
            "`upscale` is `yes`, true or false is needed"
        );
        assert!(
            refuse("setOnCanvas", json!({ "margin": 1 }))
                .starts_with("unknown setting `margin`; there are `width`")
        );
        assert_eq!(refuse("input", json!({ "some": 1 })), "unknown setting `some`; there are none");
        assert!(
            refuse("export", json!({ "targetFormat": "GIF" }))
                .starts_with("`targetFormat` is `GIF`; there are `PNG`")
        );
        assert_eq!(refuse("export", json!([])), "settings are [], an object is needed");
    }

    #[test]
    fn what_is_missing_gets_its_default_and_choices_may_be_written_in_any_case() {
        let checked =
            check("export", json!({ "targetFormat": "jpeg", "quality": 80.0 })).expect("good settings");
        assert_eq!(checked["targetFormat"], "JPEG");
        assert_eq!(checked["quality"], json!(80));
        for entry in catalogue().entries() {
            assert_eq!((entry.check)(&json!({})).as_ref(), Ok(&entry.defaults), "{}", entry.kind);
            assert_eq!((entry.check)(&Value::Null).as_ref(), Ok(&entry.defaults), "{}", entry.kind);
            let canonical = (entry.check)(&entry.defaults).expect("defaults are good");
            assert_eq!(canonical, entry.defaults, "{}", entry.kind);
        }
    }

    #[test]
    fn every_setting_is_described_and_has_a_default() {
        for entry in catalogue().entries() {
            let listed = settings_of(&entry.schema);
            assert_eq!(listed.len(), entry.defaults.as_object().expect("an object").len(), "{}", entry.kind);
            for setting in listed {
                let name = format!("{}.{}", entry.kind, setting.name);
                assert!(!setting.description.is_empty(), "{name} has no description");
                assert_eq!(setting.default, entry.defaults[&setting.name], "{name}");
                assert!(
                    setting.choices.iter().all(|(_, text)| !text.is_empty()),
                    "a choice of {name} has no description"
                );
                let limited = matches!(setting.kind, "true or false" | "choice") || !setting.range.is_empty();
                assert!(limited, "{name} ({}) has no range", setting.kind);
            }
        }
    }
}
