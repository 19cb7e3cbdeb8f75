//! What several models have in common: inputs, outputs, steps and sizes.

use domain::workflow::Step;
use serde_json::{Map, Value, json};

use super::check::{Checked, listed};
use super::field::{FieldError, Loc, at};
use super::input::{Input, Kind, Output, Validator};
use super::plan::{Further, Source};

/// The aspect ratios that models name.
pub(super) const RATIOS: &[&str] = &["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9"];
/// The sizes that models name, by the longer side.
const RESOLUTIONS: &[&str] = &["1K", "2K", "4K"];
/// The place of a mask's hash.
pub(super) const MASK: &str = "@mask";

/// The picture to be worked on.
pub(super) fn image_url() -> Input {
    optional_image_url().required()
}

/// The same where it may come from elsewhere.
pub(super) fn optional_image_url() -> Input {
    Input::new(
        "image_url",
        Kind::Image,
        "Image",
        "The picture: an https address, a data URI (`data:image/png;base64,…`), or `runflow://assets/{id}`.",
    )
}

/// A prompt that is taken and does nothing.
pub(super) fn idle_prompt() -> Input {
    Input::new(
        "prompt",
        Kind::String,
        "Prompt",
        "Kept with the run. It does not steer the result: no generative model is at work.",
    )
    .within(Validator::Length { min: 0, max: 4000 })
}

/// One of the aspect ratios that models name.
pub(super) fn aspect_ratio(values: &'static [&'static str]) -> Input {
    Input::new("aspect_ratio", Kind::String, "Aspect ratio", "Width to height of the result.")
        .within(Validator::Enum(values))
        .required()
}

/// One of the sizes that models name.
pub(super) fn resolution() -> Input {
    Input::new(
        "resolution",
        Kind::String,
        "Resolution",
        "Length of the longer side: 1024, 2048 or 4096 pixels.",
    )
    .within(Validator::Enum(RESOLUTIONS))
    .required()
}

/// What a model's output holds.
pub(super) fn outputs() -> Vec<Output> {
    vec![
        Output {
            name: "outputs",
            display_name: "Outputs",
            description: "The results, each with `url` and `type`.",
            kind: Kind::Json,
        },
        Output {
            name: "image_urls",
            display_name: "Image addresses",
            description: "The addresses of the results.",
            kind: Kind::ImageList,
        },
    ]
}

/// One step, labelled by its component.
pub(super) fn step(kind: &str, settings: Value) -> Step {
    Step { kind: kind.to_owned(), label: kind.to_owned(), settings }
}

/// The steps from the file to a file.
pub(super) fn steps(middle: impl IntoIterator<Item = Step>, export: Value) -> Vec<Step> {
    let mut steps = vec![step("input", json!({}))];
    steps.extend(middle);
    steps.push(step("export", export));
    steps
}

/// A PNG, transparent where nothing is.
pub(super) fn png() -> Value {
    json!({ "targetFormat": "PNG", "targetMode": "RGBA" })
}

/// A PNG without transparency.
pub(super) fn flat_png() -> Value {
    json!({ "targetFormat": "PNG", "targetMode": "RGB" })
}

/// Width and height of a picture of that shape whose longer side is what the resolution says; `None` for texts that are
/// neither.
pub(super) fn size(ratio: &str, resolution: &str) -> Option<(u32, u32)> {
    let longer: u32 = match resolution {
        "1K" => 1024,
        "2K" => 2048,
        "4K" => 4096,
        _ => return None,
    };
    let (width, height) = ratio_of(ratio)?;
    let shorter = |share: f64| ((f64::from(longer) * share).round() as u32).max(1);
    Some(match width >= height {
        true => (longer, shorter(height / width)),
        false => (shorter(width / height), longer),
    })
}

/// Width and height of a text such as `4:5`: each from 1 to 100, and none more than 20 times the other.
pub(super) fn ratio_of(text: &str) -> Option<(f64, f64)> {
    let side = |text: &str| {
        let is_plain = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let side = is_plain.then(|| text.parse::<f64>().ok()).flatten()?;
        (1.0..=100.0).contains(&side).then_some(side)
    };
    let (width, height) = text.split_once(':')?;
    let (width, height) = (side(width.trim())?, side(height.trim())?);
    (width <= height * 20.0 && height <= width * 20.0).then_some((width, height))
}

/// A free aspect ratio in `config`, brought to the form that components know.
pub(super) fn ratio_in_config(given: &Checked, errors: &mut Vec<FieldError>) -> Option<String> {
    let value = given.object("config")?.get("aspect_ratio").filter(|value| !value.is_null())?;
    let Some(text) = value.as_str() else {
        errors.push(FieldError::new(
            ["config", "aspect_ratio"],
            "string_type",
            "Input should be a valid string",
        ));
        return None;
    };
    if ratio_of(text).is_none() {
        let why = "width to height is needed, such as 4:5, each from 1 to 100";
        errors.push(FieldError::value(at(&["config", "aspect_ratio"]), why));
        return None;
    }
    Some(text.split(':').map(str::trim).collect::<Vec<_>>().join(":"))
}

/// The step that takes away what is marked: by `mask_url` (in the input or in `config`), and by boxes in `config`. `None`
/// where nothing is marked.
pub(super) fn removal(given: &Checked, errors: &mut Vec<FieldError>) -> Option<(Step, Vec<Further>)> {
    let config = given.object("config");
    let mask = if given.has("mask_url") {
        Some(Source::field(&["mask_url"]))
    } else {
        config
            .and_then(|config| config.get("mask_url"))
            .filter(|mask| mask.is_string())
            .map(|_| Source::field(&["config", "mask_url"]))
    };
    let boxes = config.map_or_else(Vec::new, |config| boxes(config, errors));
    removal_of(mask, boxes)
}

/// Whether what marks something was given and is wrong by itself: then nothing is said of its absence.
pub(super) fn marks_are_faulty(given: &Checked, errors: &[FieldError]) -> bool {
    let is_in_config = |fault: &FieldError| fault.loc.first() == Some(&Loc::from("config"));
    given.is_faulty("config") || given.is_faulty("mask_url") || errors.iter().any(is_in_config)
}

/// The step that takes away what a mask and boxes mark.
pub(super) fn removal_of(mask: Option<Source>, boxes: Vec<Value>) -> Option<(Step, Vec<Further>)> {
    if mask.is_none() && boxes.is_empty() {
        return None;
    }
    let mut settings = json!({ "boxes": boxes });
    let mut further = Vec::new();
    if let Some(source) = mask {
        settings["mask"] = json!(MASK);
        further.push(Further { placeholder: MASK, source });
    }
    Some((step("removeObject", settings), further))
}

/// The rectangles that `config.box` and `config.boxes` mark, in shares of the picture.
fn boxes(config: &Map<String, Value>, errors: &mut Vec<FieldError>) -> Vec<Value> {
    let is_there = |key: &str| config.get(key).filter(|value| !value.is_null());
    let mut found = Vec::new();
    if let Some(value) = is_there("box") {
        found.extend(rectangle(value, at(&["config", "box"]), errors));
    }
    match is_there("boxes") {
        Some(Value::Array(list)) if list.len() > BOXES_MAX => errors.push(FieldError::new(
            ["config", "boxes"],
            "too_long",
            format!("List should have at most {BOXES_MAX} items after validation, not {}", list.len()),
        )),
        Some(Value::Array(list)) => {
            for (index, value) in list.iter().enumerate() {
                let mut loc = at(&["config", "boxes"]);
                loc.push(Loc::Index(index));
                found.extend(rectangle(value, loc, errors));
            }
        }
        Some(_) => {
            errors.push(FieldError::new(["config", "boxes"], "list_type", "Input should be a valid list"))
        }
        None => {}
    }
    found
}

/// Most boxes that are marked at once.
const BOXES_MAX: usize = 500;

fn rectangle(value: &Value, loc: Vec<Loc>, errors: &mut Vec<FieldError>) -> Option<Value> {
    let Some(map) = value.as_object() else {
        errors.push(FieldError {
            loc,
            msg: "Input should be a valid dictionary".to_owned(),
            kind: "dict_type",
        });
        return None;
    };
    let before = errors.len();
    let mut sides = Map::new();
    for key in ["x", "y", "width", "height"] {
        let here = || loc.iter().cloned().chain([Loc::from(key)]).collect::<Vec<_>>();
        let fault = |kind: &'static str, msg: &str| FieldError { loc: here(), msg: msg.to_owned(), kind };
        match map.get(key) {
            None | Some(Value::Null) => errors.push(FieldError::missing(here())),
            Some(value) => match value.as_f64() {
                None => errors.push(fault("float_type", "Input should be a valid number")),
                Some(share) if share < 0.0 => {
                    errors.push(fault("greater_than_equal", "Input should be greater than or equal to 0"));
                }
                Some(share) if share > 1.0 => errors.push(fault(
                    "less_than_equal",
                    "Input should be less than or equal to 1: a share of the picture, not pixels",
                )),
                Some(0.0) if key == "width" || key == "height" => {
                    errors.push(fault("greater_than", "Input should be greater than 0"));
                }
                Some(_) => {
                    sides.insert(key.to_owned(), value.clone());
                }
            },
        }
    }
    (errors.len() == before).then_some(Value::Object(sides))
}

/// Refuses a text that is not among those.
pub(super) fn not_among(loc: Vec<Loc>, values: &[&str]) -> FieldError {
    FieldError { loc, msg: format!("Input should be {}", listed(values)), kind: "enum" }
}
