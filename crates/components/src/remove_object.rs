//! Takes something out of the picture and fills the place with what surrounds it.

use std::sync::Arc;

use pixels::Mask;
use retouch::Within;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::setting::{Polygon, Rectangle, Stroke};
use crate::{Areas, Context, Fault, Frame, Length, List};

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

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.areas().check()
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let areas = settings.areas();
        if areas.is_empty() {
            frame.note("nothing is marked, so nothing was taken out; set `boxes`, `polygons` or `strokes`");
            return Ok(());
        }
        let mask = areas.mask(frame.width, frame.height)?;
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
