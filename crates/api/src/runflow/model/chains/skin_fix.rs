//! `runflow/skin-fix`: blemishes off, skin evened.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::parts::{image_url, png, step, steps};
use crate::runflow::model::{Checked, Example, FieldError, Model, Plan, Price, Source};

pub(super) fn model() -> Model {
    About {
        number: 8,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "skin-fix",
        name: "Skin fix",
        description: "Takes blemishes off skin and evens it; pores, moles and the tone of the skin stay.",
        category: "image-editing",
        inputs: vec![image_url()],
        price: Some(Price::mills(120)),
        content: "Finds faces, and skin of their colour on necks, arms, hands and legs; takes red spots off and evens blotches. \
                  Pores, moles, eyes, brows, lips and the mean tone of the skin stay. A picture without a face comes back as \
                  it was: skin is told by the face. The result is a PNG, as large as the picture.",
        notable_features: &["Pores and moles stay", "Nothing but skin is changed"],
        examples: vec![Example {
            title: "A model's face",
            description: "The same picture with blemishes taken off and the skin evened.",
            input: json!({ "image_url": "https://shop.example/model.jpg" }),
        }],
        chain,
    }
    .model()
}

fn chain(_: &Checked) -> Result<Plan, Vec<FieldError>> {
    let middle = [step("skinRetouch", json!({}))];
    Ok(Plan::new(Source::field(&["image_url"]), steps(middle, png())))
}
