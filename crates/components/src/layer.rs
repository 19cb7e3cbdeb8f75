//! What lies under the subject: shadows, and the backdrop under everything. What lies over it: marks.

use std::sync::Arc;

use pixels::{Bitmap, Mask, PixelError};
use serde::{Deserialize, Serialize};

use crate::Subject;

/// What a shadow is, for layered files and for steps that look for one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ShadowKind {
    /// The subject's outline on a wall behind it.
    Drop,
    /// Where the subject touches the floor.
    Contact,
    /// Thrown along the floor by a light.
    Cast,
    /// The mirrored subject in a shining floor.
    Reflection,
    /// Under something that hovers over the floor.
    Floating,
    /// Taken from the photo as it was.
    Natural,
}

impl ShadowKind {
    /// Its name for people: the name of its layer.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Drop => "drop shadow",
            Self::Contact => "contact shadow",
            Self::Cast => "cast shadow",
            Self::Reflection => "reflection",
            Self::Floating => "floating shadow",
            Self::Natural => "natural shadow",
        }
    }
}

/// What a shadow is painted with.
#[derive(Clone, Debug, PartialEq)]
pub enum Ink {
    /// One colour, sRGB.
    Plain([u8; 3]),
    /// A picture of the mask's size: sRGB, RGB, 8 bits a sample.
    Picture(Arc<Bitmap>),
}

/// A shadow under the subject, with its place on the canvas.
#[derive(Clone, Debug, PartialEq)]
pub struct Shadow {
    /// What it is.
    pub kind: ShadowKind,
    /// How much of it shows at each pixel.
    pub mask: Arc<Mask>,
    /// Columns from the canvas's left edge to its own.
    pub x: i64,
    /// Rows from the canvas's top edge to its own.
    pub y: i64,
    /// What it is painted with.
    pub ink: Ink,
    /// How much shows where the mask is full, 0 to 1.
    pub opacity: f32,
}

impl Shadow {
    /// Bytes it takes in memory.
    pub fn byte_len(&self) -> usize {
        let ink = match &self.ink {
            Ink::Plain(_) => 0,
            Ink::Picture(bitmap) => bitmap.byte_len(),
        };
        self.mask.values().len() + ink
    }

    /// Gives it another shape: by `mask` where it has one colour, otherwise by `picture` as RGBA, so that colours are
    /// weighted by how much of them shows.
    pub(crate) fn reshape<E: From<PixelError>>(
        &mut self,
        mask: impl FnOnce(&Mask) -> Result<Mask, E>,
        picture: impl FnOnce(Bitmap) -> Result<Bitmap, E>,
    ) -> Result<(), E> {
        match &self.ink {
            Ink::Plain(_) => self.mask = Arc::new(mask(&self.mask)?),
            Ink::Picture(bitmap) => {
                let whole = picture(Bitmap::clone(bitmap).with_alpha(&self.mask)?)?;
                self.mask = Arc::new(whole.alpha());
                self.ink = Ink::Picture(Arc::new(whole.without_alpha()));
            }
        }
        Ok(())
    }
}

/// How a mark mixes with what lies under it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Blend {
    /// It covers what lies under it.
    Normal,
    /// It darkens what lies under it.
    Multiply,
    /// It lightens what lies under it.
    Screen,
}

/// Something over the finished picture, such as a watermark.
#[derive(Clone, Debug, PartialEq)]
pub struct Mark {
    /// Its pixels, with their place on the canvas.
    pub layer: Subject,
    /// How it mixes with what lies under it.
    pub blend: Blend,
    /// How much of it shows, 0 to 1.
    pub opacity: f32,
}
