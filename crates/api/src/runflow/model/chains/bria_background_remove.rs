//! `bria/background/remove`: the same cut-out under another id.

use serde_json::json;

use super::{About, BRIA};
use crate::runflow::model::parts::{image_url, png, step, steps};
use crate::runflow::model::{Checked, Example, FieldError, Input, Kind, Model, Plan, Price, Source};

pub(super) fn model() -> Model {
    About {
        number: 10,
        creator: BRIA,
        owner: "bria",
        slug: "background/remove",
        name: "Background remove",
        description: "Cuts the subject out and leaves everything else transparent.",
        category: "background-removal",
        inputs: vec![
            image_url(),
            Input::new(
                "sync_mode",
                Kind::Boolean,
                "Sync mode",
                "Taken and without effect: every run is answered at once, and its result is an address.",
            )
            .or(json!(false)),
        ],
        price: Some(Price::mills(18)),
        content: "The cut-out of `runflow/background-removal`, for clients that call this id: no network of Bria is at work \
                  here. The result is a PNG with an alpha channel, as large as the picture.\n\n`sync_mode` changes nothing.",
        notable_features: &["Soft edges at full resolution", "PNG with alpha channel"],
        examples: vec![Example {
            title: "A cut-out",
            description: "A PNG of the picture's size, transparent around the product.",
            input: json!({ "image_url": "https://shop.example/mug.jpg" }),
        }],
        chain,
    }
    .model()
}

fn chain(_: &Checked) -> Result<Plan, Vec<FieldError>> {
    let middle = [step("removeBackground", json!({}))];
    Ok(Plan::new(Source::field(&["image_url"]), steps(middle, png())))
}
