//! Holds an input against what a model takes.

use serde_json::{Map, Value, json};

use super::field::{FieldError, Loc};
use super::input::{Input, Kind, Validator, number};
use super::media::{self, MediaRules, names_media};
use super::{Model, plan};

/// The values of an input that a model takes, each in its own kind; defaults are filled in, and what is null is absent.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    values: Map<String, Value>,
    /// What was given and did not pass.
    faulty: Vec<&'static str>,
}

impl Checked {
    /// The value of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.values.get(name)
    }

    /// Whether there is a value of that name.
    pub fn has(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }

    /// Whether a value of that name was given, good or bad.
    pub(crate) fn mentions(&self, name: &str) -> bool {
        self.has(name) || self.is_faulty(name)
    }

    /// Whether a value of that name was given and did not pass.
    pub(crate) fn is_faulty(&self, name: &str) -> bool {
        self.faulty.contains(&name)
    }

    /// The text of that name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name)?.as_str()
    }

    /// The number of that name.
    pub fn number(&self, name: &str) -> Option<f64> {
        self.get(name)?.as_f64()
    }

    /// Whether the value of that name is true.
    pub fn is(&self, name: &str) -> bool {
        self.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// The object of that name.
    pub fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.get(name)?.as_object()
    }
}

/// The values that the model takes from an `input`, or everything that is wrong with it. Keys that the model does not have
/// are passed over. The way to each fault begins inside `input`.
pub fn validate(model: &Model, input: &Value, rules: &MediaRules<'_>) -> Result<Checked, Vec<FieldError>> {
    let Some(given) = input.as_object() else {
        return Err(vec![FieldError::new(NOWHERE, "dict_type", "Input should be a valid dictionary")]);
    };
    let mut checked = Checked::default();
    let mut errors = Vec::new();
    for input in &model.inputs {
        match given.get(input.name).filter(|value| !value.is_null()) {
            Some(value) => match check(input, value, rules) {
                Ok(value) => {
                    checked.values.insert(input.name.to_owned(), value);
                }
                Err(mut wrong) => {
                    checked.faulty.push(input.name);
                    errors.append(&mut wrong);
                }
            },
            None if input.required => errors.push(FieldError::missing(vec![Loc::from(input.name)])),
            None if input.default.is_null() => {}
            None => {
                checked.values.insert(input.name.to_owned(), input.default.clone());
            }
        }
    }
    // What makes no sense together; not again what is wrong by itself.
    if let Err(together) = plan(model, &checked) {
        let is_new = |fault: &FieldError| !errors.iter().any(|known| known.loc.first() == fault.loc.first());
        let new: Vec<_> = together.into_iter().filter(is_new).collect();
        errors.extend(new);
    }
    if errors.is_empty() { Ok(checked) } else { Err(errors) }
}

/// Makes objects of what some clients write as JSON in a text, in the fields that hold objects. Do it first: what is kept of an
/// input, what is found in it and what a plan points at then have one form. What is no JSON object stays, for [`validate`] to
/// tell of it.
pub fn unfold(model: &Model, input: &mut Value) {
    for field in model.inputs.iter().filter(|field| field.kind == Kind::Json) {
        let Some(value) = input.get_mut(field.name).filter(|value| value.is_string()) else { continue };
        if let Ok(map) = object(value) {
            *value = Value::Object(map);
        }
    }
}

const NOWHERE: [&str; 0] = [];

fn check(input: &Input, value: &Value, rules: &MediaRules<'_>) -> Result<Value, Vec<FieldError>> {
    let loc = vec![Loc::from(input.name)];
    let one =
        |kind: &'static str, msg: &str| vec![FieldError { loc: loc.clone(), msg: msg.to_owned(), kind }];
    match input.kind {
        Kind::String => {
            let text = value.as_str().ok_or_else(|| one("string_type", "Input should be a valid string"))?;
            keeps_to(input, text, None).map_err(|(kind, msg)| one(kind, &msg))?;
            Ok(json!(text))
        }
        Kind::Integer => {
            let whole = integer(value).map_err(|(kind, msg)| one(kind, msg))?;
            keeps_to(input, "", Some(whole as f64)).map_err(|(kind, msg)| one(kind, &msg))?;
            Ok(json!(whole))
        }
        Kind::Number => {
            let given = float(value).map_err(|(kind, msg)| one(kind, msg))?;
            keeps_to(input, "", Some(given)).map_err(|(kind, msg)| one(kind, &msg))?;
            Ok(number(given))
        }
        Kind::Boolean => boolean(value).map(|flag| json!(flag)).map_err(|(kind, msg)| one(kind, msg)),
        Kind::Image | Kind::File => {
            let text = value.as_str().ok_or_else(|| one("string_type", "Input should be a valid string"))?;
            media::read(text, input.kind, rules, &loc).map_err(|error| vec![error])?;
            Ok(json!(text.trim()))
        }
        Kind::ImageList => {
            let list = value.as_array().ok_or_else(|| one("list_type", "Input should be a valid list"))?;
            if list.is_empty() {
                return Err(one("too_short", "List should have at least 1 item after validation, not 0"));
            }
            each(list.iter().enumerate().map(|(index, item)| {
                let loc = vec![Loc::from(input.name), Loc::Index(index)];
                media_text(item, input.kind, rules, loc)
            }))?;
            Ok(value.clone())
        }
        Kind::Json => {
            let object = object(value).map_err(|(kind, msg)| one(kind, &msg))?;
            nested(&Value::Object(object.clone()), false, rules, &loc)?;
            Ok(Value::Object(object))
        }
    }
}

/// A fault's kind, and what to say.
type Wrong<T> = (&'static str, T);

/// Whether a value keeps to the limits of its input.
fn keeps_to(input: &Input, text: &str, value: Option<f64>) -> Result<(), Wrong<String>> {
    match &input.validator {
        Some(Validator::Enum(values)) if !values.contains(&text) => {
            Err(("enum", format!("Input should be {}", listed(values))))
        }
        Some(Validator::Range { min, max }) => match value {
            Some(value) if value < *min => Err((
                "greater_than_equal",
                format!("Input should be greater than or equal to {}", number(*min)),
            )),
            Some(value) if value > *max => {
                Err(("less_than_equal", format!("Input should be less than or equal to {}", number(*max))))
            }
            _ => Ok(()),
        },
        Some(Validator::Length { min, max }) => {
            let length = text.chars().count();
            let characters = |count: usize| if count == 1 { "character" } else { "characters" };
            if length < *min {
                let msg = format!("String should have at least {min} {}", characters(*min));
                return Err(("string_too_short", msg));
            }
            if length > *max {
                return Err((
                    "string_too_long",
                    format!("String should have at most {max} {}", characters(*max)),
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// `'a', 'b' or 'c'`.
pub(super) fn listed(values: &[&str]) -> String {
    let quoted: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
    match quoted.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, others)) => format!("{} or {last}", others.join(", ")),
        None => String::new(),
    }
}

fn integer(value: &Value) -> Result<i64, Wrong<&'static str>> {
    const PARSING: Wrong<&str> =
        ("int_parsing", "Input should be a valid integer, unable to parse string as an integer");
    match value {
        Value::String(text) => text.trim().parse().map_err(|_| PARSING),
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Ok(whole),
            (None, Some(float)) if float.fract() != 0.0 => Err((
                "int_from_float",
                "Input should be a valid integer, got a number with a fractional part",
            )),
            (None, Some(float)) if float.abs() < 9e15 => Ok(float as i64),
            _ => {
                Err(("int_parsing_size", "Unable to parse input string as an integer, exceeded maximum size"))
            }
        },
        _ => Err(("int_type", "Input should be a valid integer")),
    }
}

fn float(value: &Value) -> Result<f64, Wrong<&'static str>> {
    const PARSING: Wrong<&str> =
        ("float_parsing", "Input should be a valid number, unable to parse string as a number");
    match value {
        Value::String(text) => {
            text.trim().parse().ok().filter(|number: &f64| number.is_finite()).ok_or(PARSING)
        }
        Value::Number(number) => number.as_f64().ok_or(PARSING),
        _ => Err(("float_type", "Input should be a valid number")),
    }
}

fn boolean(value: &Value) -> Result<bool, Wrong<&'static str>> {
    const PARSING: Wrong<&str> =
        ("bool_parsing", "Input should be a valid boolean, unable to interpret input");
    match value {
        Value::Bool(flag) => Ok(*flag),
        Value::Number(number) => match number.as_f64() {
            Some(1.0) => Ok(true),
            Some(0.0) => Ok(false),
            _ => Err(PARSING),
        },
        Value::String(text) => match text.trim().to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(PARSING),
        },
        _ => Err(("bool_type", "Input should be a valid boolean")),
    }
}

/// An object, or a text that holds one as JSON: some clients write it so.
fn object(value: &Value) -> Result<Map<String, Value>, Wrong<String>> {
    let not_one = || ("dict_type", "Input should be a valid dictionary".to_owned());
    match value {
        Value::Object(map) => Ok(map.clone()),
        Value::String(text) => match serde_json::from_str::<Value>(text) {
            Ok(Value::Object(map)) => Ok(map),
            Ok(_) => Err(not_one()),
            Err(error) => Err(("json_invalid", format!("Invalid JSON: {error}"))),
        },
        _ => Err(not_one()),
    }
}

/// Holds the media values inside an object to the rules.
fn nested(value: &Value, is_media: bool, rules: &MediaRules<'_>, loc: &[Loc]) -> Result<(), Vec<FieldError>> {
    let below = |part: Loc| loc.iter().cloned().chain([part]).collect::<Vec<_>>();
    match value {
        Value::Object(map) => each(
            map.iter()
                .map(|(key, item)| nested(item, names_media(key), rules, &below(Loc::from(key.as_str())))),
        ),
        Value::Array(list) => each(
            list.iter()
                .enumerate()
                .map(|(index, item)| nested(item, is_media, rules, &below(Loc::Index(index)))),
        ),
        _ if is_media && !value.is_null() => media_text(value, Kind::Image, rules, loc.to_vec()),
        _ => Ok(()),
    }
}

fn media_text(
    value: &Value,
    kind: Kind,
    rules: &MediaRules<'_>,
    loc: Vec<Loc>,
) -> Result<(), Vec<FieldError>> {
    let text = value.as_str();
    let read = text.map(|text| media::read(text, kind, rules, &loc).map(|_| ()));
    read.unwrap_or_else(|| {
        Err(FieldError {
            loc: loc.clone(),
            msg: "Input should be a valid string".to_owned(),
            kind: "string_type",
        })
    })
    .map_err(|error| vec![error])
}

/// All the faults of all the results.
fn each(results: impl Iterator<Item = Result<(), Vec<FieldError>>>) -> Result<(), Vec<FieldError>> {
    let errors: Vec<FieldError> = results.filter_map(Result::err).flatten().collect();
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}
