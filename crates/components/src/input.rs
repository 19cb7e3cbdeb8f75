//! Reads the picture: always the first step.

use domain::component::{Changes, Place};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::{Context, Fault, Frame, Origin};

/// `input` has no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {}

/// Reads the picture.
pub struct Input;

impl Component for Input {
    const KIND: &'static str = "input";
    const TITLE: &'static str = "Input";
    const SUMMARY: &'static str = "Reads the picture, turns it upright and brings its colours into sRGB.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes::NONE;
    const PLACE: Place = Place::First;

    type Settings = Settings;

    fn run(frame: &mut Frame, _: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let file =
            context.file.ok_or_else(|| Fault::ours("processing_failed", "there is no file to read"))?;
        let limits = &context.limits;
        let fit = match file.fit {
            Some(frame) => {
                let size = pixels::probe(file.bytes, &limits.file)?.upright_size();
                Some(pixels::fit_inside(size, frame, false))
            }
            None => None,
        };
        let decoded = pixels::decode(
            file.bytes,
            &pixels::DecodeOptions {
                limits: limits.file,
                fit,
                max_side: Some(limits.working_side),
                codec: limits.codec,
                assume_device_cmyk: limits.assume_device_cmyk,
            },
        )?;
        let size = decoded.header.upright_size();
        let origin = Origin {
            size,
            format: decoded.header.format,
            depth: decoded.header.depth,
            profile: decoded.source_profile,
            dpi: decoded.dpi.map(|(across, _)| across),
            rights: decoded.rights,
        };
        let remarks = std::mem::take(&mut frame.remarks);
        *frame = Frame::new(decoded.bitmap, origin);
        frame.remarks = remarks;
        if context.keeps_photo {
            frame.photo = Some(frame.subject.clone());
        }
        if size.0.max(size.1) > limits.working_side {
            let (width, height) = (frame.width, frame.height);
            frame.note(format!(
                "scaled from {} × {} to {width} × {height} pixels to be worked on",
                size.0, size.1
            ));
        }
        for warning in decoded.warnings {
            frame.note(warning);
        }
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The decoded rows and the bitmap they become.
        bytes(megapixels, 8)
    }
}
