//! `runflow/background-color`: the subject on a flat colour.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::parts::{flat_png, image_url, step, steps};
use crate::runflow::model::{
    Checked, Example, FieldError, Input, Kind, Model, Plan, Price, Source, Validator,
};

/// The inputs that hold the colour, in its order.
const CHANNELS: [&str; 3] = ["color_red", "color_green", "color_blue"];

pub(super) fn model() -> Model {
    let channel = |name, display_name, description| {
        Input::new(name, Kind::Integer, display_name, description)
            .within(Validator::Range { min: 0.0, max: 255.0 })
            .or(json!(255))
    };
    About {
        number: 3,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "background-color",
        name: "Background colour",
        description: "Puts the subject on a flat colour, where it stands.",
        category: "image-editing",
        inputs: vec![
            image_url(),
            channel(CHANNELS[0], "Red", "Red of the backdrop in sRGB."),
            channel(CHANNELS[1], "Green", "Green of the backdrop in sRGB."),
            channel(CHANNELS[2], "Blue", "Blue of the backdrop in sRGB."),
        ],
        price: Some(Price::mills(120)),
        content: "Cuts the subject out, frees its edges of the old background's colour and puts it on one colour, exactly. The \
                  picture keeps its size and the subject its place; shadows go with the old background. Without a colour it is \
                  white. The result is a PNG.",
        notable_features: &["The colour exactly", "Edges without the old background's colour"],
        examples: vec![Example {
            title: "On light grey",
            description: "The product where it was, on the colour 240, 240, 242.",
            input: json!({
                "image_url": "https://shop.example/mug.jpg",
                "color_red": 240, "color_green": 240, "color_blue": 242,
            }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    // Values were held to 0 to 255.
    let [red, green, blue] = CHANNELS.map(|name| given.number(name).unwrap_or(255.0) as u8);
    let middle = [
        step("removeBackground", json!({})),
        step("fillBackground", json!({ "color": format!("#{red:02X}{green:02X}{blue:02X}") })),
    ];
    Ok(Plan::new(Source::field(&["image_url"]), steps(middle, flat_png())))
}
