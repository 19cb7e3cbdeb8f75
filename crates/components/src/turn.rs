//! Turning and mirroring all layers of a frame.

use std::sync::Arc;

use pixels::{Outside, Turn, Window};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::frame::View;
use crate::{Colour, Context, Fault, Frame, Shadow, Subject};

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
        for shadow in &mut self.shadows {
            (shadow.x, shadow.y) = moved(shadow.x, shadow.y, (shadow.mask.width(), shadow.mask.height()));
            let mask = Arc::unwrap_or_clone(Arc::clone(&shadow.mask));
            shadow.mask = Arc::new(pixels::orient_mask(mask, orientation)?);
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
        let extends = is_photo && turn.corners == Corners::Extend;
        let photo = self.photo.take();
        let is_same = photo.as_ref().is_some_and(|photo| Arc::ptr_eq(&photo.bitmap, &self.subject.bitmap));
        if !is_same && let Some(photo) = photo {
            self.photo = turned_layer(&photo, rest, centre, view, true, context)?;
        }
        self.subject = turned_layer(&self.subject, rest, centre, view, extends, context)?
            .ok_or_else(|| Fault::no_subject("nothing of it is left after the turn; choose another `expand`"))?;
        if is_photo && turn.corners == Corners::Color {
            let Subject { bitmap, x, y } = &self.subject;
            let whole = pixels::place(view.width, view.height, bitmap, x - view.x, y - view.y)?;
            let bitmap = Arc::new(pixels::flatten(&whole, turn.colour.0));
            self.subject = Subject { bitmap, x: view.x, y: view.y };
        }
        if is_same {
            self.photo = Some(self.subject.clone());
        }
        let mut shadows = Vec::with_capacity(self.shadows.len());
        for shadow in self.shadows.drain(..) {
            let (turn, seen) = around(rest, centre, view, (shadow.x, shadow.y));
            let (width, height) = (shadow.mask.width(), shadow.mask.height());
            if let Some(window) = turn.bounds(width, height).inside(seen) {
                let mask = Arc::new(pixels::rotate_mask(&shadow.mask, &turn, window)?);
                shadows.push(Shadow { mask, x: shadow.x + window.x, y: shadow.y + window.y, ..shadow });
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
