//! Takes something out of the picture and fills the place with what surrounds it.

use std::sync::Arc;

use domain::component::Changes;
use domain::image::ContentHash;
use pixels::{Bitmap, Filter, Mask, Samples};
use retouch::Within;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::setting::{Polygon, Rectangle, Stroke};
use crate::{Areas, Context, Fault, Frame, ImageRef, Length, List};

/// What may be changed of a cut-out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Where {
    /// Everything, its outline too: takes away a tag, a pin or a clip that sticks out of the subject.
    Picture,
    /// The subject alone: its outline stays as it is, and nothing is copied from outside of it.
    Subject,
}

/// Settings of `removeObject`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Rectangles around what is to go. Coordinates are shares of the canvas, 0 to 1, from the top left corner.
    pub boxes: List<Rectangle, 1000>,
    /// Closed lines around what is to go, each a list of points as shares of the canvas.
    pub polygons: List<Polygon, 1000>,
    /// Strokes of a round brush over what is to go: points as shares of the canvas, a width as a share of its longer
    /// side.
    pub strokes: List<Stroke, 1000>,
    /// A picture that marks what is to go in white, named by the SHA-256 of its uploaded file; it is stretched over the
    /// canvas, and grey counts from the middle on. Null when there is none.
    pub mask: Option<ImageRef>,
    /// How much farther than marked the place reaches, in pixels or in per cent of the canvas's longer side: enough to
    /// hold the soft edge of what is to go.
    pub grow: Length<200, 5>,
    /// Width of the soft edge around the place, in pixels or in per cent of the canvas's longer side.
    pub feather: Length<200, 5>,
    /// What may be changed of a cut-out; a picture without transparent parts is changed wherever it is marked.
    pub within: Where,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            boxes: List::default(),
            polygons: List::default(),
            strokes: List::default(),
            mask: None,
            grow: Length::Px(3),
            feather: Length::Px(2),
            within: Where::Picture,
        }
    }
}

impl Settings {
    fn areas(&self) -> Areas {
        let (boxes, polygons, strokes) = (self.boxes.clone(), self.polygons.clone(), self.strokes.clone());
        Areas { boxes, polygons, strokes }
    }
}

/// Takes something out of the picture.
pub struct RemoveObject;

impl Component for RemoveObject {
    const KIND: &'static str = "removeObject";
    const TITLE: &'static str = "Remove object";
    const SUMMARY: &'static str =
        "Takes a marked thing out of the picture and fills the place with what surrounds it.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 2;
    const EXPENSIVE: bool = true;
    const CHANGES: Changes =
        Changes { mask: true, background: true, tone: true, detail: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.areas().check()
    }

    fn images(settings: &Settings) -> Vec<ContentHash> {
        settings.mask.iter().map(|image| image.0).collect()
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let areas = settings.areas();
        if areas.is_empty() && settings.mask.is_none() {
            frame.note(
                "nothing is marked, so nothing was taken out; set `boxes`, `polygons`, `strokes` or `mask`",
            );
            return Ok(());
        }
        let mut mask = areas.mask(frame.width, frame.height)?;
        if let Some(image) = &settings.mask {
            let white = white_of(&context.image(&image.0)?, (frame.width, frame.height))?;
            for (value, white) in mask.values_mut().iter_mut().zip(white.values()) {
                *value = (*value).max(*white);
            }
        }
        let side = frame.width.max(frame.height);
        let mask = retouch::reaching(&mask, settings.grow.of(side) as f32, settings.feather.of(side) as f32);
        let mask = frame.on_subject(&mask)?;
        let within = match settings.within {
            Where::Picture => Within::Picture,
            Where::Subject => Within::Subject,
        };
        repair(frame, &mask, within, context)?;
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture twice, masks and distances, the correction's grid; and the bounded surroundings of one place.
        bytes(megapixels, 44) + (128 << 20)
    }
}

/// What a picture marks in white, at the size of the canvas; what is clear marks nothing.
fn white_of(picture: &Bitmap, (width, height): (u32, u32)) -> Result<Mask, Fault> {
    let flat = pixels::flatten(picture, [0; 3]).into_u8();
    let Samples::U8(samples) = flat.samples() else {
        return Err(Fault::ours("processing_failed", "a mask has 8 bits a sample"));
    };
    let luma = |[r, g, b]: &[u8; 3]| ((u32::from(*r) + 2 * u32::from(*g) + u32::from(*b) + 2) / 4) as u8;
    let values = samples.as_chunks::<3>().0.iter().map(luma).collect();
    let mask = Mask::new(flat.width(), flat.height(), values)?;
    if (width, height) == (mask.width(), mask.height()) {
        return Ok(mask);
    }
    Ok(pixels::resize_mask(&mask, width, height, Filter::Triangle)?)
}

/// Fills what the mask marks of the subject, in place.
pub(crate) fn repair(
    frame: &mut Frame,
    mask: &Mask,
    within: Within,
    context: &Context<'_>,
) -> Result<retouch::Filling, Fault> {
    let bitmap = Arc::make_mut(&mut frame.subject.bitmap);
    let stop = || context.check_cancelled().is_err();
    let filling = retouch::inpaint(bitmap, mask, within, &stop).map_err(|error| match error {
        retouch::InpaintError::Stopped => Fault::cancelled(),
        retouch::InpaintError::NothingLeft => Fault::input(
            "nothing_left",
            "what is marked leaves nothing of the picture to fill the place with; mark less",
        ),
        retouch::InpaintError::Size => Fault::ours("processing_failed", error.to_string()),
    })?;
    if filling.interpolated > 0 {
        let pixels = filling.interpolated;
        frame
            .note(format!("{pixels} pixels were interpolated: there is too little around them to copy from"));
    }
    Ok(filling)
}
