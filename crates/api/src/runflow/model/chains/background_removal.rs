//! `runflow/background-removal`: the subject on nothing.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::parts::{image_url, png, ratio_in_config, step, steps};
use crate::runflow::model::{Checked, Example, FieldError, Input, Kind, Model, Plan, Source};

pub(super) fn model() -> Model {
    About {
        number: 1,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "background-removal",
        name: "Background removal",
        description: "Cuts the subject out and leaves everything else transparent.",
        category: "background-removal",
        inputs: vec![
            image_url(),
            Input::new(
                "config",
                Kind::Json,
                "Config",
                "`aspect_ratio`, such as `4:5`: transparent room is added around the picture until it has that shape.",
            ),
        ],
        price: None,
        content: "Cuts the subject out at the resolution of the picture and frees its edges of the old background's colour. \
                  The result is a PNG with an alpha channel, as large as the picture. A picture that is transparent already \
                  keeps its transparency.\n\nWith `config.aspect_ratio` transparent room is added on two sides; nothing is \
                  cut off and nothing is scaled.",
        notable_features: &["Soft edges at full resolution", "PNG with alpha channel"],
        examples: vec![
            Example {
                title: "A cut-out",
                description: "A PNG of the picture's size, transparent around the product.",
                input: json!({ "image_url": "https://shop.example/mug.jpg" }),
            },
            Example {
                title: "A cut-out for a portrait tile",
                description: "The same, with transparent room above and below until it is 4:5.",
                input: json!({
                    "image_url": "https://shop.example/mug.jpg", "config": { "aspect_ratio": "4:5" },
                }),
            },
        ],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let mut errors = Vec::new();
    let ratio = ratio_in_config(given, &mut errors);
    if !errors.is_empty() {
        return Err(errors);
    }
    let mut middle = vec![step("removeBackground", json!({}))];
    middle.extend(ratio.map(|ratio| step("extend", json!({ "ratio": ratio }))));
    Ok(Plan::new(Source::field(&["image_url"]), steps(middle, png())))
}
