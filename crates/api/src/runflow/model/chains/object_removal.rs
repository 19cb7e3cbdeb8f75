//! `runflow/object-removal`: what is marked goes, and the place is filled from around it.

use serde_json::json;

use super::{About, RUNFLOW};
use crate::runflow::model::field::at;
use crate::runflow::model::parts::{
    idle_prompt, marks_are_faulty, optional_image_url, png, removal, removal_of, steps,
};
use crate::runflow::model::{
    Checked, Example, FieldError, Input, Kind, Model, Plan, Price, Source, Validator,
};

pub(super) fn model() -> Model {
    let member = |name, display_name, description| {
        Input::new(name, Kind::String, display_name, description)
            .within(Validator::Length { min: 1, max: 500 })
    };
    About {
        number: 6,
        creator: RUNFLOW,
        owner: "runflow",
        slug: "object-removal",
        name: "Object removal",
        description: "Takes what a mask marks out of the picture and fills the place with what surrounds it.",
        category: "image-editing",
        inputs: vec![
            optional_image_url(),
            Input::new(
                "mask_url",
                Kind::Image,
                "Mask",
                "A picture that marks what is to go in white; it is stretched over the picture.",
            ),
            Input::new(
                "zip_url",
                Kind::File,
                "Archive",
                "A zip archive that holds both pictures, in place of `image_url` and `mask_url`.",
            ),
            member("file_input", "Picture in the archive", "The name of the picture in the archive."),
            member("file_mask", "Mask in the archive", "The name of the mask in the archive."),
            Input::new(
                "config",
                Kind::Json,
                "Config",
                "`box` or `boxes` instead of a mask: objects with `x`, `y`, `width` and `height` in shares of the picture, 0 to 1.",
            ),
            idle_prompt(),
        ],
        price: Some(Price::mills(480)),
        content: "Fills what the mask marks by copying from the rest of the picture: cloth, paper, backdrops and other even or \
                  repeating surfaces close well, larger structure does not, because nothing is invented. White marks what is to \
                  go, black what stays; grey counts from the middle on.\n\nThe picture and its mask come as `image_url` and \
                  `mask_url`, or as members of one zip archive: `zip_url`, `file_input` and `file_mask`. Instead of a mask, \
                  `config.box` or `config.boxes` marks rectangles. The result is a PNG, as large as the picture.\n\n`prompt` is \
                  kept with the run and does not steer.",
        notable_features: &["Mask, boxes, or a zip archive", "What is not marked stays as it is"],
        examples: vec![
            Example {
                title: "With a mask",
                description: "The picture without what the mask marks.",
                input: json!({
                    "image_url": "https://shop.example/shirt.jpg", "mask_url": "https://shop.example/shirt-mask.png",
                }),
            },
            Example {
                title: "From an archive",
                description: "The same, with both pictures in one file.",
                input: json!({
                    "zip_url": "https://shop.example/shirt.zip", "file_input": "shirt.jpg", "file_mask": "mask.png",
                }),
            },
            Example {
                title: "With a box",
                description: "The picture without what lies in the rectangle.",
                input: json!({
                    "image_url": "https://shop.example/shirt.jpg",
                    "config": { "box": { "x": 0.4, "y": 0.1, "width": 0.2, "height": 0.15 } },
                }),
            },
        ],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    let mut errors = Vec::new();
    let marked = removal(given, &mut errors);
    let (picture, marked) = if given.mentions("zip_url") {
        for name in ["image_url", "mask_url"] {
            if given.mentions(name) {
                errors.push(FieldError::value(at(&[name]), "`zip_url` takes its place; give one of them"));
            }
        }
        let member = |name: &str| {
            let member = given.text(name).map(str::to_owned);
            Source { path: at(&["zip_url"]), member }
        };
        if !given.mentions("file_input") {
            errors.push(FieldError::missing(at(&["file_input"])));
        }
        let marked = match given.mentions("file_mask") {
            true => {
                let boxes = marked.and_then(|(step, _)| step.settings["boxes"].as_array().cloned());
                removal_of(Some(member("file_mask")), boxes.unwrap_or_default())
            }
            false => marked,
        };
        if marked.is_none() && !marks_are_faulty(given, &errors) {
            errors.push(FieldError::missing(at(&["file_mask"])));
        }
        (member("file_input"), marked)
    } else {
        for name in ["file_input", "file_mask"] {
            if given.mentions(name) {
                errors
                    .push(FieldError::value(at(&[name]), "it names a file of `zip_url`, which is not there"));
            }
        }
        if !given.mentions("image_url") {
            errors.push(FieldError::missing(at(&["image_url"])));
        }
        if marked.is_none() && !marks_are_faulty(given, &errors) {
            errors.push(FieldError::missing(at(&["mask_url"])));
        }
        (Source::field(&["image_url"]), marked)
    };
    match marked {
        Some((step, further)) if errors.is_empty() => {
            Ok(Plan { further, ..Plan::new(picture, steps([step], png())) })
        }
        _ => Err(errors),
    }
}
