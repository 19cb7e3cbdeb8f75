//! What lies under everything: one colour, a gradient, a picture, or what is left of the photo's own backdrop.

use std::sync::Arc;

use pixels::Bitmap;
use serde::{Deserialize, Serialize};

use crate::Fault;
use crate::Subject;
use crate::frame::View;

/// What lies under everything. It belongs to the canvas, whatever its size: it is made when the layers are put together.
#[derive(Clone, Debug, PartialEq)]
pub enum Backdrop {
    /// One colour, sRGB.
    Plain([u8; 3]),
    /// Colours that run into each other.
    Gradient(Gradient),
    /// A picture.
    Picture(Picture),
    /// The photo's own backdrop, brought to one colour.
    Cleaned(Cleaned),
}

/// Along which way the colours of a gradient run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Run {
    /// Straight, in this direction: degrees clockwise, 0 to the right. It begins and ends in those corners of the canvas
    /// that lie farthest back and ahead.
    Linear(f32),
    /// In circles around a point in shares of the canvas; it ends in the corner farthest away.
    Radial(f32, f32),
}

/// Colours that run into each other: straight lines between sRGB values, exact at each stop.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gradient {
    /// Along which way.
    pub run: Run,
    /// Places from 0 (where it begins) to 1, rising, and the colour at each, sRGB. Never empty.
    pub stops: Vec<(f32, [u8; 3])>,
}

/// How a picture fills the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum Fitting {
    /// It covers all of it; what stands over is cut off.
    Cover,
    /// All of it is seen; around it there is a colour.
    Contain,
    /// It is repeated, each so many hundredths of the canvas wide; 0 is its own size in pixels.
    Tile(f32),
}

/// A picture under everything.
#[derive(Clone, Debug, PartialEq)]
pub struct Picture {
    /// Its pixels: sRGB, opaque.
    pub bitmap: Arc<Bitmap>,
    /// How it fills the canvas.
    pub fitting: Fitting,
    /// The point of the picture that keeps its share of the canvas: what is cut off, left free or repeated lies around it.
    pub focus: (f32, f32),
    /// What shows where the picture does not reach, sRGB.
    pub colour: [u8; 3],
}

/// The photo's own backdrop, brought to one colour.
#[derive(Clone, Debug, PartialEq)]
pub struct Cleaned {
    /// The colour, sRGB; exact wherever the layer is clear.
    pub colour: [u8; 3],
    /// What differs from it around the subject, with its place on the canvas: RGBA. It moves as the subject does.
    pub layer: Subject,
}

impl Backdrop {
    /// Bytes it takes in memory.
    pub fn byte_len(&self) -> usize {
        match self {
            Self::Plain(_) => 0,
            Self::Gradient(gradient) => gradient.stops.len() * 8,
            Self::Picture(picture) => picture.bitmap.byte_len(),
            Self::Cleaned(cleaned) => cleaned.layer.bitmap.byte_len(),
        }
    }

    /// The layer of it that moves with the subject, if it has one.
    pub(crate) fn layer_mut(&mut self) -> Option<&mut Subject> {
        match self {
            Self::Cleaned(cleaned) => Some(&mut cleaned.layer),
            _ => None,
        }
    }

    /// The backdrop with that layer changed; where nothing of it is left, its colour stays.
    pub(crate) fn moved<E>(self, by: impl FnOnce(Subject) -> Result<Option<Subject>, E>) -> Result<Self, E> {
        let Self::Cleaned(Cleaned { colour, layer }) = self else { return Ok(self) };
        Ok(match by(layer)? {
            Some(layer) => Self::Cleaned(Cleaned { colour, layer }),
            None => Self::Plain(colour),
        })
    }

    /// As seen in that part of the canvas.
    pub(crate) fn seen_in(self, view: View) -> Result<Self, Fault> {
        self.moved(|layer| layer.seen_in(view))
    }
}
