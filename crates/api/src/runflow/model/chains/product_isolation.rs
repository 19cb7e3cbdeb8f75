//! `runflow/product-isolation`: the product alone on white, in a shape and size.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::parts::{
    RATIOS, aspect_ratio, flat_png, idle_prompt, image_url, resolution, size, step, steps,
};
use crate::runflow::model::{Checked, Example, FieldError, Model, Plan, Price, Source};

pub(super) fn model() -> Model {
    About {
        number: 2,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "product-isolation",
        name: "Product isolation",
        description: "Puts the product alone on white, in the middle of a canvas of the asked shape and size.",
        category: "image-editing",
        inputs: vec![image_url(), aspect_ratio(RATIOS), resolution(), idle_prompt()],
        price: Some(Price::mills(270)),
        content: "Cuts the product out, scales it to the room between margins of 8 % and puts it in the middle of pure white \
                  (255, 255, 255). The longer side of the result has 1024, 2048 or 4096 pixels (`1K`, `2K`, `4K`); the result \
                  is a PNG.\n\nA product that is smaller than its room is enlarged, which makes it no sharper. A side on which \
                  the photo cuts the product off stands at the edge of the canvas. What the photo does not show is not \
                  invented: hands, hangers and stands that touch the product stay with it.\n\n`prompt` is kept with the run \
                  and does not steer.",
        notable_features: &["Pure white", "The product in the middle with even margins", "1K, 2K and 4K"],
        examples: vec![Example {
            title: "A square packshot",
            description: "The product in the middle of 2048 by 2048 white pixels, a PNG.",
            input: json!({
                "image_url": "https://shop.example/mug.jpg", "aspect_ratio": "1:1", "resolution": "2K",
            }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let (ratio, resolution) = (given.text("aspect_ratio"), given.text("resolution"));
    let Some((width, height)) = size(ratio.unwrap_or_default(), resolution.unwrap_or_default()) else {
        // Each of the two was refused by itself.
        return Err(Vec::new());
    };
    let canvas = json!({
        "width": width, "height": height, "upscale": true, "snapCroppedSides": "auto",
        "marginTop": "8%", "marginRight": "8%", "marginBottom": "8%", "marginLeft": "8%",
    });
    let middle = [
        step("removeBackground", json!({})),
        step("setOnCanvas", canvas),
        step("fillBackground", json!({ "color": "#FFFFFF" })),
    ];
    Ok(Plan::new(Source::field(&["image_url"]), steps(middle, flat_png())))
}
