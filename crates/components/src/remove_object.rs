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
pub(crate) fn white_of(picture: &Bitmap, (width, height): (u32, u32)) -> Result<Mask, Fault> {
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
    Ok(pixels::resize_mask(&mask, width, height, Filter::Bilinear)?)
}

/// Fills what the mask, of the subject's size, marks of the subject, and of the photo that it was cut out of.
pub(crate) fn repair(
    frame: &mut Frame,
    mask: &Mask,
    within: Within,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let mut photo = frame.photo.take();
    let is_subject = photo.as_ref().is_some_and(|photo| Arc::ptr_eq(&photo.bitmap, &frame.subject.bitmap));
    if is_subject {
        // Nobody else holds the pixels then, and they need not be copied.
        photo = None;
    }
    let interpolated = fill(&mut frame.subject.bitmap, mask, within, context)?;
    if interpolated > 0 {
        frame.note(format!(
            "{interpolated} pixels were interpolated: there is too little around them to copy from"
        ));
    }
    if is_subject {
        frame.photo = Some(frame.subject.clone());
    } else if let Some(mut photo) = photo {
        let (x, y) = (frame.subject.x - photo.x, frame.subject.y - photo.y);
        let mask = pixels::place_mask(photo.bitmap.width(), photo.bitmap.height(), mask, x, y)?;
        fill(&mut photo.bitmap, &mask, Within::Picture, context)?;
        frame.photo = Some(photo);
    }
    Ok(())
}

/// Fills what the mask marks, in place; answers how many pixels had to be interpolated.
pub(crate) fn fill(
    bitmap: &mut Arc<Bitmap>,
    mask: &Mask,
    within: Within,
    context: &Context<'_>,
) -> Result<u64, Fault> {
    use retouch::InpaintError as E;
    let stop = || context.check_cancelled().is_err();
    let filling =
        retouch::inpaint(Arc::make_mut(bitmap), mask, within, &stop).map_err(|error| match error {
            E::Stopped => Fault::cancelled(),
            E::NothingLeft => Fault::input(
                "nothing_left",
                "what is marked leaves nothing of the picture to fill the place with; mark less",
            ),
            E::Size => Fault::ours("processing_failed", error.to_string()),
        })?;
    Ok(filling.interpolated)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Channels, EncodeOptions, Encoding, PngCompression};
    use serde_json::json;

    use super::*;
    use crate::StepCache;

    /// A grey picture with a white square in its middle.
    fn marked() -> Frame {
        let square = |i: u32| (24..40).contains(&(i % 64)) && (24..40).contains(&(i / 64));
        let samples = (0..64 * 64).flat_map(|i| [if square(i) { 250 } else { 90 }; 3]).collect();
        let bitmap = Bitmap::from_u8(64, 64, Channels::Rgb, samples).expect("64 by 64");
        Frame::new(bitmap, Frame::unread().origin)
    }

    fn removed(settings: serde_json::Value, images: Vec<Vec<u8>>) -> Result<Frame, Fault> {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let mut context = Context::new(&cache, &cancel);
        let named = |(i, file): (usize, Vec<u8>)| (ContentHash([i as u8; 32]), file);
        context.images = Arc::new(images.into_iter().enumerate().map(named).collect());
        let mut frame = marked();
        let settings: Settings = serde_json::from_value(settings).expect("settings");
        RemoveObject::run(&mut frame, &settings, &context)?;
        Ok(frame)
    }

    fn is_plain(frame: &Frame) -> bool {
        let Samples::U8(samples) = frame.subject.bitmap.samples() else { panic!("8 bits") };
        samples.iter().all(|sample| sample.abs_diff(90) <= 2)
    }

    #[test]
    fn what_is_marked_is_gone_however_it_was_marked() {
        let boxed = json!({ "boxes": [{ "x": 0.37, "y": 0.37, "width": 0.26, "height": 0.26 }] });
        assert!(is_plain(&removed(boxed, Vec::new()).expect("removed")));
        let stroke = json!({ "strokes": [{ "points": [{ "x": 0.5, "y": 0.5 }], "width": 0.4 }] });
        assert!(is_plain(&removed(stroke, Vec::new()).expect("removed")));
        // The mask is of half the size.
        let square = |i: u32| (11..21).contains(&(i % 32)) && (11..21).contains(&(i / 32));
        let samples = (0..32 * 32).flat_map(|i| [if square(i) { 255 } else { 0 }; 3]).collect();
        let mask = Bitmap::from_u8(32, 32, Channels::Rgb, samples).expect("32 by 32");
        let options = EncodeOptions::new(Encoding::Png { compression: PngCompression::Small });
        let file = pixels::encode(&mask, &options).expect("a PNG");
        let hash = ContentHash([0; 32]).to_string();
        assert!(is_plain(&removed(json!({ "mask": hash }), vec![file]).expect("removed")));
        let missing = removed(json!({ "mask": hash }), Vec::new()).expect_err("not there");
        assert_eq!(missing.code, "image_not_found");
    }

    #[test]
    fn nothing_marked_changes_nothing_and_everything_marked_is_refused() {
        let frame = removed(json!({}), Vec::new()).expect("nothing to do");
        assert_eq!(frame.subject, marked().subject);
        let all = json!({ "boxes": [{ "x": 0, "y": 0, "width": 1, "height": 1 }] });
        assert_eq!(removed(all, Vec::new()).expect_err("nothing is left").code, "nothing_left");
        let flat = serde_json::from_value(json!({ "boxes": [{ "x": 0, "y": 0, "width": 0, "height": 1 }] }));
        assert!(RemoveObject::check(&flat.expect("settings")).is_err());
    }
}
