//! `runflow/dyver-removal`: several removals after one another, each with its picture.

use serde_json::{Value, json};

use super::tag_removal::UNMARKED;
use super::{About, RUNFLOW};
use crate::runflow::model::field::{Loc, at};
use crate::runflow::model::parts::{
    image_url, marks_are_faulty, not_among, ratio_in_config, removal, step, steps,
};
use crate::runflow::model::{Checked, Example, FieldError, Input, Kind, Model, Plan, Source};

const MODEL: &str = "model_removal";
const TAG: &str = "tag_removal";
const ISOLATION: &str = "product_isolation";
const BACKGROUND: &str = "background_removal";
/// In the order in which they run.
const ELEMENTS: [&str; 4] = [MODEL, TAG, ISOLATION, BACKGROUND];

pub(super) fn model() -> Model {
    About {
        number: 9,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "dyver-removal",
        name: "Dyver removal",
        description: "Takes marked tags off, puts the product on white and cuts it out, as far as each is asked for.",
        category: "image-editing",
        inputs: vec![
            image_url(),
            Input::new(
                "config",
                Kind::Json,
                "Config",
                "`elements`: one or more of `tag_removal`, `product_isolation`, `background_removal`. For `tag_removal` also what \
                 marks the tags: `box`, `boxes` or `mask_url`. And `aspect_ratio`, such as `4:5`.",
            )
            .required(),
            Input::new(
                "mask_url",
                Kind::Image,
                "Mask",
                "A picture that marks the tags in white; it is stretched over the picture.",
            ),
        ],
        price: None,
        content: "Does what `config.elements` names, always in the order `tag_removal`, `product_isolation`, \
                  `background_removal`. The output holds the picture of every stage, in that order; the name of the last begins \
                  with `result_`. All are PNGs of one size.\n\n- `tag_removal` needs marks, as `runflow/tag-removal` does.\n- \
                  `product_isolation` puts the product on white, where it stands.\n- `background_removal` gives it on nothing.\n- \
                  `model_removal` is refused: to take the person out of the garment takes a generative model, which is not \
                  here.\n\nWith `config.aspect_ratio` room is added before the product is cut out. \
                  `config.product_isolation_prompt` is kept with the run and does not steer.",
        notable_features: &["Every stage's picture"],
        examples: vec![Example {
            title: "On white and on nothing",
            description: "Two PNGs of one size: the product on white, and the product cut out.",
            input: json!({
                "image_url": "https://shop.example/mug.jpg",
                "config": { "elements": ["product_isolation", "background_removal"] },
            }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let mut errors = Vec::new();
    let elements = elements(given, &mut errors);
    let has = |name: &str| elements.contains(&name);
    let marked = if has(TAG) { removal(given, &mut errors) } else { None };
    if has(TAG) && marked.is_none() && !marks_are_faulty(given, &errors) {
        errors.push(FieldError::value(at(&["mask_url"]), UNMARKED));
    }
    let ratio = ratio_in_config(given, &mut errors);
    if let Some(prompt) = given.object("config").and_then(|config| config.get("product_isolation_prompt"))
        && !(prompt.is_string() || prompt.is_null())
    {
        errors.push(FieldError::new(
            ["config", "product_isolation_prompt"],
            "string_type",
            "Input should be a valid string",
        ));
    }
    let Some(&last) = elements.last().filter(|_| errors.is_empty()) else { return Err(errors) };
    let mut middle = Vec::new();
    let mut further = Vec::new();
    if let Some((step, mask)) = marked {
        middle.push(step);
        further = mask;
    }
    // Before it is cut out, so that every stage's picture has one size.
    middle.extend(ratio.map(|ratio| step("extend", json!({ "ratio": ratio, "unplain": "pad" }))));
    if has(ISOLATION) || has(BACKGROUND) {
        middle.push(step("removeBackground", json!({})));
    }
    let mut outputs: Vec<Value> = Vec::new();
    let mut before = Vec::new();
    for &stage in elements.iter().filter(|&&stage| stage != last) {
        before.push(stage);
        outputs.push(match stage {
            // The photo that the product is cut out of has had its tags taken off too.
            TAG => json!({ "name": stage, "content": "original" }),
            // What no step filled is white without an alpha channel.
            _ => json!({ "name": stage, "targetMode": "RGB" }),
        });
    }
    let mode = if last == ISOLATION { "RGB" } else { "RGBA" };
    let export = json!({ "targetFormat": "PNG", "targetMode": mode, "outputs": outputs });
    let name = match last {
        TAG => "result_tag_removal",
        ISOLATION => "result_product_isolation",
        _ => "result_background_removal",
    };
    let plan = Plan::new(Source::field(&["image_url"]), steps(middle, export));
    Ok(Plan { further, before, name, ..plan })
}

/// What `config.elements` names, in the order in which it runs, each once.
fn elements(given: &Checked, errors: &mut Vec<FieldError>) -> Vec<&'static str> {
    let loc = || at(&["config", "elements"]);
    let Some(config) = given.object("config") else { return Vec::new() };
    let list = match config.get("elements") {
        None | Some(Value::Null) => {
            errors.push(FieldError::missing(loc()));
            return Vec::new();
        }
        Some(Value::Array(list)) => list,
        Some(_) => {
            errors.push(FieldError::new(["config", "elements"], "list_type", "Input should be a valid list"));
            return Vec::new();
        }
    };
    if list.is_empty() {
        let msg = "List should have at least 1 item after validation, not 0";
        errors.push(FieldError::new(["config", "elements"], "too_short", msg));
    }
    let mut named = Vec::new();
    for (index, value) in list.iter().enumerate() {
        let here = || loc().into_iter().chain([Loc::Index(index)]).collect::<Vec<_>>();
        match ELEMENTS.iter().find(|&&element| value.as_str() == Some(element)) {
            Some(&MODEL) => errors.push(FieldError::value(
                here(),
                "`model_removal` takes a generative model, which is not here; leave it out, and send a picture of the garment alone",
            )),
            Some(element) => named.push(*element),
            None => errors.push(not_among(here(), &ELEMENTS[1..])),
        }
    }
    ELEMENTS.into_iter().filter(|element| named.contains(element)).collect()
}
