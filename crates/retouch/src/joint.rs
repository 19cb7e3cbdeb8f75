//! A garment without the mannequin that wore it: what of a cut-out is the mannequin, where the opening at the top is, and
//! how an inlay shot (the same garment, showing the inside of its back) lies behind that opening.

mod mannequin;
mod opening;
mod register;

pub use mannequin::{Body, find_mannequin};
pub use opening::{Opening, find_opening};
pub use register::{Fit, register};
