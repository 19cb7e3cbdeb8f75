//! `runflow/smart-resize`: the whole picture in another shape and size.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::parts::{aspect_ratio, idle_prompt, image_url, resolution, size, step, steps};
use crate::runflow::model::{Checked, Example, FieldError, Model, Plan, Price, Source};

/// One client sends 25:36 beside those that others send.
const RATIOS: &[&str] = &["1:1", "2:3", "3:2", "3:4", "4:3", "4:5", "5:4", "9:16", "16:9", "21:9", "25:36"];

pub(super) fn model() -> Model {
    About {
        number: 4,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "smart-resize",
        name: "Smart resize",
        description: "Brings the whole picture into another shape and size without cutting anything off.",
        category: "image-editing",
        inputs: vec![image_url(), aspect_ratio(RATIOS), resolution(), idle_prompt()],
        price: Some(Price::mills(550)),
        content: "Adds room on two sides until the picture has the asked shape, then scales it: the longer side of the result has \
                  1024, 2048 or 4096 pixels (`1K`, `2K`, `4K`). The result is a WebP.\n\nWhere the surroundings are plain, such as \
                  a studio backdrop, they are continued with their shading and their grain. Where they are not, the room has the \
                  mean colour of that edge; no scene is invented. A transparent picture gets transparent room.\n\nA picture that \
                  is smaller than the result is enlarged, which makes it no sharper. `prompt` is kept with the run and does not \
                  steer.",
        notable_features: &["Nothing is cut off", "Plain surroundings are continued", "1K, 2K and 4K"],
        examples: vec![Example {
            title: "For a story",
            description: "The whole picture with its backdrop continued above and below, 1152 by 2048 pixels, a WebP.",
            input: json!({
                "image_url": "https://shop.example/mug.jpg", "aspect_ratio": "9:16", "resolution": "2K",
            }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let (ratio, resolution) = (given.text("aspect_ratio"), given.text("resolution"));
    let (Some(ratio), Some(resolution)) = (ratio, resolution) else { return Err(Vec::new()) };
    let Some((width, height)) = size(ratio, resolution) else { return Err(Vec::new()) };
    let middle = [
        step("extend", json!({ "ratio": ratio, "unplain": "pad" })),
        // The shape is right to a pixel by now: nothing is stretched that can be seen.
        step("resize", json!({ "width": width, "height": height, "fit": "exact", "upscale": true })),
    ];
    let webp = json!({ "targetFormat": "WEBP", "targetMode": "RGBA", "quality": 92 });
    Ok(Plan::new(Source::field(&["image_url"]), steps(middle, webp)))
}
