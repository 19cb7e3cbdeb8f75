//! `runflow/tag-removal`: marked tags and labels go.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::field::at;
use crate::runflow::model::parts::{image_url, marks_are_faulty, png, ratio_in_config, removal, step, steps};
use crate::runflow::model::{Checked, Example, FieldError, Input, Kind, Model, Plan, Price, Source};

/// What is said where nothing is marked.
pub(super) const UNMARKED: &str = "tags are not found by themselves here: mark them with `mask_url` (white on black), \
                                   `config.mask_url`, `config.box` or `config.boxes`";

pub(super) fn model() -> Model {
    About {
        number: 7,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "tag-removal",
        name: "Tag removal",
        description: "Takes marked tags and labels off and fills the place with what surrounds it.",
        category: "image-editing",
        inputs: vec![
            image_url(),
            Input::new(
                "config",
                Kind::Json,
                "Config",
                "What marks the tags: `box` or `boxes` (`x`, `y`, `width`, `height` in shares of the picture, 0 to 1) or \
                 `mask_url`. And `aspect_ratio`, such as `4:3`: room is added until the picture has that shape.",
            ),
            Input::new(
                "mask_url",
                Kind::Image,
                "Mask",
                "A picture that marks the tags in white; it is stretched over the picture.",
            ),
        ],
        price: Some(Price::mills(140)),
        content: "Fills what is marked by copying from the rest of the picture. **Tags must be marked**: to find them by itself would \
                  take a network that is not here, and a request without a mark is refused. Mark them by `mask_url` (white on \
                  black), or by rectangles in `config.box` or `config.boxes`. A tag that hangs over the edge of the product is \
                  taken off with its string, if both are marked.\n\nWith `config.aspect_ratio` room is added on two sides: plain \
                  surroundings are continued, others get the mean colour of that edge. The result is a PNG.",
        notable_features: &["Mask or boxes", "What is not marked stays as it is"],
        examples: vec![Example {
            title: "A tag at the collar",
            description: "The picture without what lies in the rectangle.",
            input: json!({
                "image_url": "https://shop.example/shirt.jpg",
                "config": { "box": { "x": 0.46, "y": 0.08, "width": 0.08, "height": 0.06 } },
            }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let mut errors = Vec::new();
    let marked = removal(given, &mut errors);
    let ratio = ratio_in_config(given, &mut errors);
    if marked.is_none() && !marks_are_faulty(given, &errors) {
        errors.push(FieldError::value(at(&["mask_url"]), UNMARKED));
    }
    match marked {
        Some((removal, further)) if errors.is_empty() => {
            let mut middle = vec![removal];
            middle.extend(ratio.map(|ratio| step("extend", json!({ "ratio": ratio, "unplain": "pad" }))));
            Ok(Plan { further, ..Plan::new(Source::field(&["image_url"]), steps(middle, png())) })
        }
        _ => Err(errors),
    }
}
