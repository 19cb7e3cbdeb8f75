//! Skin: where it is, what is on it that may go, and an even surface that keeps its pores.
//!
//! Faces are given by outlines, which somebody found; the rest of the skin is found by the colour that the faces have.
//! All functions leave every pixel where the mask is 0 as it is, byte for byte.

mod blemishes;
mod find;
mod outline;
mod parts;
mod smooth;
mod sums;
mod tones;

pub use blemishes::{Blemishes, SoughtBlemishes, find_blemishes};
pub use find::{Area, Skin, find_skin, marked_skin};
pub use smooth::{Smoothing, smooth_skin};

/// A face in a picture; coordinates are pixels from the top left corner, x before y.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// The line around it, from the forehead to the chin, without the ears.
    pub oval: Vec<[f32; 2]>,
    /// What is no skin in it: eyes, brows, lips, nostrils.
    pub spared: Vec<Spared>,
    /// Its width in pixels, as if it were seen from the front.
    pub width: f32,
}

/// A part of a face that stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Spared {
    /// The line around it.
    pub outline: Vec<[f32; 2]>,
    /// How much farther it reaches, as a share of the face's width.
    pub grow: f32,
}

#[cfg(test)]
mod tests;
