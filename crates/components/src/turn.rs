//! Turning and mirroring all layers of a frame.

use std::sync::Arc;

use pixels::{Outside, Turn, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::frame::View;
use crate::{Colour, Context, Fault, Frame, Mark, Shadow, Subject};

/// How large the canvas is after a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Expand {
    /// So large that nothing is cut off.
    Grow,
    /// As it was; what is turned out of it is cut off.
    Keep,
    /// The largest that the turned canvas fills without corners.
    Crop,
}

/// What a photograph shows in the corners that a turn leaves free. A cut-out has nothing there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Corners {
    /// Nothing.
    Transparent,
    /// The colours at its edge, drawn outwards: for plain backdrops.
    Extend,
    /// The colour `cornerColor`.
    Color,
}

/// A turn by any angle.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Free {
    /// Degrees clockwise.
    pub degrees: f64,
    pub expand: Expand,
    pub corners: Corners,
    pub colour: Colour,
}

impl Frame {
    /// Turns all layers with the canvas, or mirrors them, without resampling; `orientation` is an Exif orientation.
    pub(crate) fn orient(&mut self, orientation: u8) -> Result<(), Fault> {
        let (width, height) = (i64::from(self.width), i64::from(self.height));
        let moved = |x: i64, y: i64, own: (u32, u32)| {
            let (right, below) = (width - x - i64::from(own.0), height - y - i64::from(own.1));
            match orientation {
                2 => (right, y),
                3 => (right, below),
                4 => (x, below),
                5 => (y, x),
                6 => (below, x),
                7 => (below, right),
                8 => (y, right),
                _ => (x, y),
            }
        };
        let layer = |layer: Subject| -> Result<Subject, Fault> {
            let (x, y) = moved(layer.x, layer.y, (layer.bitmap.width(), layer.bitmap.height()));
            let bitmap = pixels::orient(Arc::unwrap_or_clone(layer.bitmap), orientation)?;
            Ok(Subject { bitmap: Arc::new(bitmap), x, y })
        };
        let photo = self.photo.take();
        let is_same = photo.as_ref().is_some_and(|photo| Arc::ptr_eq(&photo.bitmap, &self.subject.bitmap));
        self.photo = if is_same { None } else { photo.map(layer).transpose()? };
        self.subject = layer(self.subject.clone())?;
        if is_same {
            self.photo = Some(self.subject.clone());
        }
        for mark in &mut self.marks {
            mark.layer = layer(mark.layer.clone())?;
        }
        if let Some(background) = self.background.take() {
            self.background = Some(background.moved(|cleaned| layer(cleaned).map(Some))?);
        }
        for shadow in &mut self.shadows {
            (shadow.x, shadow.y) = moved(shadow.x, shadow.y, (shadow.mask.width(), shadow.mask.height()));
            shadow.reshape(
                |mask| pixels::orient_mask(mask.clone(), orientation),
                |picture| pixels::orient(picture, orientation),
            )?;
        }
        if orientation >= 5 {
            (self.width, self.height) = (self.height, self.width);
        }
        Ok(())
    }

    /// Turns all layers around the middle of the canvas: quarter turns without resampling, the rest in one resampling.
    pub(crate) fn turn(&mut self, turn: Free, context: &Context<'_>) -> Result<(), Fault> {
        let before = (self.width, self.height);
        let quarters = (turn.degrees / 90.0).round();
        match quarters.rem_euclid(4.0) as u8 {
            1 => self.orient(6)?,
            2 => self.orient(3)?,
            3 => self.orient(8)?,
            _ => {}
        }
        context.check_cancelled()?;
        let rest = turn.degrees - quarters * 90.0;
        let centre = (f64::from(self.width) / 2.0, f64::from(self.height) / 2.0);
        let view = view_of(self, rest, turn.expand, before);
        if rest == 0.0 {
            return if turn.expand == Expand::Keep { self.set_view(view) } else { Ok(()) };
        }
        let covers = (self.subject.x, self.subject.y) == (0, 0)
            && (self.subject.bitmap.width(), self.subject.bitmap.height()) == (self.width, self.height);
        let is_photo = covers && !self.is_cut_out();
        // What is cut down to its inside shows no corners, and nothing of them in the pixels along its edge.
        let extends = is_photo && (turn.corners == Corners::Extend || turn.expand == Expand::Crop);
        let photo = self.photo.take();
        let is_same = photo.as_ref().is_some_and(|photo| Arc::ptr_eq(&photo.bitmap, &self.subject.bitmap));
        if !is_same && let Some(photo) = photo {
            self.photo = turned_layer(&photo, rest, centre, view, true, context)?;
        }
        self.subject =
            turned_layer(&self.subject, rest, centre, view, extends, context)?.ok_or_else(|| {
                Fault::no_subject("nothing of it is left after the turn; choose another `expand`")
            })?;
        if is_photo && turn.corners == Corners::Color {
            let Subject { bitmap, x, y } = &self.subject;
            let whole = pixels::place(view.width, view.height, bitmap, x - view.x, y - view.y)?;
            let bitmap = Arc::new(pixels::flatten(&whole, turn.colour.0));
            self.subject = Subject { bitmap, x: view.x, y: view.y };
        }
        if is_same {
            self.photo = Some(self.subject.clone());
        }
        let mut marks = Vec::with_capacity(self.marks.len());
        for mark in self.marks.drain(..) {
            if let Some(layer) = turned_layer(&mark.layer, rest, centre, view, false, context)? {
                marks.push(Mark { layer, ..mark });
            }
        }
        self.marks = marks;
        if let Some(background) = self.background.take() {
            let turned = |layer: Subject| turned_layer(&layer, rest, centre, view, false, context);
            self.background = Some(background.moved(turned)?);
        }
        let mut shadows = Vec::with_capacity(self.shadows.len());
        for mut shadow in self.shadows.drain(..) {
            let (turn, seen) = around(rest, centre, view, (shadow.x, shadow.y));
            let (width, height) = (shadow.mask.width(), shadow.mask.height());
            if let Some(window) = turn.bounds(width, height).inside(seen) {
                shadow.reshape(
                    |mask| Ok(pixels::rotate_mask(mask, &turn, window)?),
                    |picture| {
                        pixels::rotate(&picture, &turn, window, Outside::Clear, || context.check_cancelled())
                    },
                )?;
                shadows.push(Shadow { x: shadow.x + window.x, y: shadow.y + window.y, ..shadow });
            }
        }
        self.shadows = shadows;
        self.set_view(view)
    }
}

/// The canvas after a turn by less than half a right angle; `before` is its size before all turns.
fn view_of(frame: &Frame, degrees: f64, expand: Expand, before: (u32, u32)) -> View {
    let (width, height) = (frame.width, frame.height);
    let size = match expand {
        Expand::Grow => {
            let about = (f64::from(width) / 2.0, f64::from(height) / 2.0);
            let Window { x, y, width, height } = Turn { degrees, about }.bounds(width, height);
            return View { x, y, width, height };
        }
        Expand::Keep => before,
        Expand::Crop => pixels::largest_inside(width, height, degrees),
    };
    let centred = |whole: u32, part: u32| (i64::from(whole) - i64::from(part)).div_euclid(2);
    View { x: centred(width, size.0), y: centred(height, size.1), width: size.0, height: size.1 }
}

/// The turn and the canvas as a layer at that place sees them.
fn around(degrees: f64, centre: (f64, f64), view: View, (x, y): (i64, i64)) -> (Turn, Window) {
    let about = (centre.0 - x as f64, centre.1 - y as f64);
    let seen = Window { x: view.x - x, y: view.y - y, width: view.width, height: view.height };
    (Turn { degrees, about }, seen)
}

/// What a turned layer shows of the canvas; `None` when nothing.
fn turned_layer(
    layer: &Subject,
    degrees: f64,
    centre: (f64, f64),
    view: View,
    extends: bool,
    context: &Context<'_>,
) -> Result<Option<Subject>, Fault> {
    let (turn, seen) = around(degrees, centre, view, (layer.x, layer.y));
    let (window, outside) = if extends {
        (Some(seen), Outside::Extended)
    } else {
        (turn.bounds(layer.bitmap.width(), layer.bitmap.height()).inside(seen), Outside::Clear)
    };
    let Some(window) = window else { return Ok(None) };
    let bitmap = pixels::rotate(&layer.bitmap, &turn, window, outside, || context.check_cancelled())?;
    Ok(Some(Subject { bitmap: Arc::new(bitmap), x: layer.x + window.x, y: layer.y + window.y }))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels, Mask};

    use super::*;
    use crate::{Ink, ShadowKind, StepCache};

    /// A canvas of 60 by 40 with a cut-out off its middle and a shadow under it.
    fn frame() -> Frame {
        let samples = (0..20 * 10u32).flat_map(|i| [i as u8, 90, 30, 255]).collect();
        let bitmap = Bitmap::from_u8(20, 10, Channels::Rgba, samples).expect("20 by 10");
        let mut frame = Frame::new(bitmap, Frame::unread().origin);
        (frame.width, frame.height, frame.subject.x, frame.subject.y) = (60, 40, 30, 5);
        let mask = Arc::new(Mask::new(20, 10, vec![200; 200]).expect("20 by 10"));
        let ink = Ink::Plain([0; 3]);
        frame.shadows.push(Shadow { kind: ShadowKind::Drop, mask, x: 30, y: 9, ink, opacity: 0.5 });
        frame
    }

    fn turned(mut frame: Frame, degrees: f64, expand: Expand, corners: Corners) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let turn = Free { degrees, expand, corners, colour: Colour([9, 8, 7]) };
        frame.turn(turn, &Context::new(&cache, &cancel)).expect("a turn");
        frame
    }

    #[test]
    fn quarter_turns_and_mirrors_undo_each_other_to_the_bit() {
        let mut round = frame();
        for _ in 0..4 {
            round = turned(round, 90.0, Expand::Grow, Corners::Transparent);
        }
        assert_eq!(round, frame());
        let there = turned(frame(), -90.0, Expand::Grow, Corners::Transparent);
        assert_eq!((there.width, there.height, there.subject.x, there.subject.y), (40, 60, 5, 10));
        assert_eq!(turned(there, 90.0, Expand::Grow, Corners::Transparent), frame());
        for orientation in [2, 3, 4] {
            let mut twice = frame();
            (0..2).for_each(|_| twice.orient(orientation).expect("1 to 8"));
            assert_eq!(twice, frame());
        }
        assert_eq!(turned(frame(), 0.0, Expand::Crop, Corners::Color), frame());
    }

    #[test]
    fn all_layers_turn_together_around_the_middle() {
        for degrees in [10.0, -75.0, 100.0] {
            let after = turned(frame(), degrees, Expand::Grow, Corners::Transparent);
            let bounds = after.subject.bitmap.alpha().bounds(128).expect("a subject");
            let middle = (
                after.subject.x as f64 + f64::from(bounds.x) + f64::from(bounds.width) / 2.0,
                after.subject.y as f64 + f64::from(bounds.y) + f64::from(bounds.height) / 2.0,
            );
            let shadow = &after.shadows[0];
            let under = shadow.mask.bounds(100).expect("a shadow");
            let (x, y) = (
                shadow.x as f64 + f64::from(under.x) + f64::from(under.width) / 2.0 - middle.0,
                shadow.y as f64 + f64::from(under.y) + f64::from(under.height) / 2.0 - middle.1,
            );
            // Four pixels below before, so four pixels along the turned downward direction now.
            let (sin, cos) = f64::to_radians(degrees).sin_cos();
            assert!((x + 4.0 * sin).abs() < 1.1 && (y - 4.0 * cos).abs() < 1.1, "{degrees}: {x} {y}");
            let from_centre =
                (middle.0 - f64::from(after.width) / 2.0, middle.1 - f64::from(after.height) / 2.0);
            let expected = (10.0 * cos + 10.0 * sin, 10.0 * sin - 10.0 * cos);
            assert!((from_centre.0 - expected.0).abs() < 1.1 && (from_centre.1 - expected.1).abs() < 1.1);
        }
    }

    #[test]
    fn the_canvas_is_as_large_as_asked() {
        let photo = || {
            let bitmap = Bitmap::from_u8(60, 40, Channels::Rgb, vec![200; 7200]).expect("60 by 40");
            Frame::new(bitmap, Frame::unread().origin)
        };
        let grown = turned(photo(), 30.0, Expand::Grow, Corners::Transparent);
        assert_eq!((grown.width, grown.height), (72, 66));
        let kept = turned(photo(), 30.0, Expand::Keep, Corners::Extend);
        assert_eq!((kept.width, kept.height, kept.subject.bitmap.channels()), (60, 40, Channels::Rgb));
        let whole = (kept.subject.bitmap.width(), kept.subject.bitmap.height());
        assert_eq!((whole, kept.subject.x, kept.subject.y), ((60, 40), 0, 0));
        let cropped = turned(photo(), 30.0, Expand::Crop, Corners::Transparent);
        assert!(cropped.width < 60 && !cropped.subject.bitmap.has_transparency());
        let coloured = turned(photo(), 30.0, Expand::Grow, Corners::Color);
        assert_eq!(coloured.subject.bitmap.channels(), Channels::Rgb);
        let pixels::Samples::U8(samples) = coloured.subject.bitmap.samples() else { panic!("8 bit") };
        assert_eq!(samples[..3], [9, 8, 7]);
        let quarter = turned(photo(), 90.0, Expand::Keep, Corners::Transparent);
        assert_eq!((quarter.width, quarter.height), (60, 40));
    }
}
