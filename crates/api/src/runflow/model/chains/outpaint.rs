//! `runflow/outpaint`: more of plain surroundings.

use serde_json::{Value, json};

use super::{About, RUNFLOW};
use crate::runflow::model::parts::{idle_prompt, image_url, png, step, steps};
use crate::runflow::model::{
    Checked, Example, FieldError, Input, Kind, Model, Plan, Price, Source, Validator,
};

/// The most that a side grows, in per cent of the picture.
const MOST: f64 = 200.0;

pub(super) fn model() -> Model {
    let side = |name, display_name, description| {
        Input::new(name, Kind::Number, display_name, description)
            .within(Validator::Range { min: 0.0, max: MOST })
            .required()
    };
    About {
        number: 5,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "outpaint",
        name: "Outpaint",
        description: "Enlarges the picture on any side and continues its plain surroundings.",
        category: "image-editing",
        inputs: vec![
            image_url(),
            side("expand_top", "Top", "How much is added above, in per cent of the height."),
            side("expand_bottom", "Bottom", "How much is added below, in per cent of the height."),
            side("expand_left", "Left", "How much is added left, in per cent of the width."),
            side("expand_right", "Right", "How much is added right, in per cent of the width."),
            idle_prompt(),
        ],
        price: Some(Price::mills(550)),
        content: "Continues what surrounds the product with its shading and its grain. The surroundings must be plain on every side \
                  that grows: a studio backdrop, a sheet of paper, an even wall. Where something else reaches the edge, a product, \
                  a horizon or a pattern, the run fails with `surroundings_not_plain` and costs nothing, because continuing it \
                  would take a generative model. A transparent picture gets transparent room. The result is a PNG.\n\n`prompt` is \
                  kept with the run and does not steer.",
        notable_features: &["Shading and grain are continued", "The picture itself stays as it is"],
        examples: vec![Example {
            title: "Room for a headline",
            description: "The same picture with half its height of backdrop added above.",
            input: json!({
                "image_url": "https://shop.example/mug.jpg",
                "expand_top": 50, "expand_bottom": 0, "expand_left": 0, "expand_right": 0,
            }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let percent = |name: &str| -> Value { json!(format!("{}%", given.number(name).unwrap_or_default())) };
    let settings = json!({
        "top": percent("expand_top"), "bottom": percent("expand_bottom"),
        "left": percent("expand_left"), "right": percent("expand_right"),
    });
    Ok(Plan::new(Source::field(&["image_url"]), steps([step("extend", settings)], png())))
}
