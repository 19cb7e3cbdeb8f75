//! `topaz/upscale/image`: the picture enlarged.

use serde_json::{Value, json};

use super::{About, TOPAZ};
use crate::runflow::model::field::at;
use crate::runflow::model::input::number;
use crate::runflow::model::parts::{image_url, step, steps};
use crate::runflow::model::{Checked, Example, FieldError, Input, Kind, Model, Plan, Source, Validator};

/// The names of ways to enlarge that have a counterpart here.
const WAYS: &[&str] = &["Standard V2", "High Fidelity V2", "Low Resolution V2", "CGI"];

pub(super) fn model() -> Model {
    let share = |name, display_name| {
        Input::new(name, Kind::Number, display_name, "Without effect: faces are not enhanced here.")
            .within(Validator::Range { min: 0.0, max: 1.0 })
    };
    About {
        number: 11,
        creator: TOPAZ,
        owner: "topaz",
        slug: "upscale/image",
        name: "Upscale image",
        description: "Enlarges the picture up to four times.",
        category: "upscale",
        inputs: vec![
            image_url(),
            Input::new(
                "model",
                Kind::String,
                "Model",
                "`Standard V2` and `High Fidelity V2` resample and sharpen; `Low Resolution V2` and `CGI` enlarge by a network.",
            )
            .within(Validator::Enum(WAYS))
            .or(json!(WAYS[0])),
            Input::new("upscale_factor", Kind::Number, "Factor", "How many times longer the sides become.")
                .within(Validator::Range { min: 1.0, max: 4.0 })
                .or(json!(2)),
            Input::new("output_format", Kind::String, "Format", "Format of the result.")
                .within(Validator::Enum(&["png", "jpeg", "jpg", "webp"]))
                .or(json!("png")),
            Input::new(
                "face_enhancement",
                Kind::Boolean,
                "Face enhancement",
                "Must be false: faces are enlarged as everything else is.",
            )
            .or(json!(false)),
            share("face_enhancement_strength", "Strength of face enhancement"),
            share("face_enhancement_creativity", "Creativity of face enhancement"),
        ],
        price: None,
        content: "The enlarger of this server, for clients that call this id: no network of Topaz is at work here.\n\n| `model` | what \
                  is done |\n|---|---|\n| `Standard V2`, `High Fidelity V2` | resampled (Lanczos) and sharpened without halos: \
                  invents nothing, takes seconds |\n| `Low Resolution V2`, `CGI` | enlarged by a network that has learned what edges \
                  look like larger: crisper, at a minute and more for each megapixel without an accelerator; where the server has no \
                  such network, resampled, and the run's log says so |\n\n`Recovery V2` and `face_enhancement` paint what is not in \
                  the picture; they take a generative model, which is not here, and are refused. A result of more than 100 megapixels \
                  is refused.",
        notable_features: &["Any factor from 1 to 4", "Resampled, or by a network"],
        examples: vec![Example {
            title: "Twice as large",
            description: "The picture with sides of twice the length, a PNG.",
            input: json!({ "image_url": "https://shop.example/mug.jpg", "upscale_factor": 2 }),
        }],
        chain,
    }
    .model()
}

fn chain(given: &Checked) -> Result<Plan, Vec<FieldError>> {
    if given.is("face_enhancement") {
        let why = "faces are not enhanced here, which takes a generative model; send false, or leave it out";
        return Err(vec![FieldError::value(at(&["face_enhancement"]), why)]);
    }
    let by_network = matches!(given.text("model"), Some("Low Resolution V2" | "CGI"));
    let (method, sharpening) = if by_network { ("network", 0) } else { ("resample", 40) };
    let upscale = json!({
        "method": method, "factor": number(given.number("upscale_factor").unwrap_or(2.0)), "sharpening": sharpening,
        "maximumMegapixels": 100, "refuseIfWouldExceed": true,
    });
    let export: Value = match given.text("output_format") {
        Some("jpeg" | "jpg") => json!({ "targetFormat": "JPEG", "targetMode": "RGB", "quality": 95 }),
        Some("webp") => json!({ "targetFormat": "WEBP", "targetMode": "RGBA", "quality": 95 }),
        _ => json!({ "targetFormat": "PNG", "targetMode": "RGBA" }),
    };
    Ok(Plan::new(Source::field(&["image_url"]), steps([step("upscale", upscale)], export)))
}
