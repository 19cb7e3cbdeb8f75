//! What changes the pixels inside a picture: tone and colour, detail, repair, skin. Classical and deterministic, one
//! thread, no I/O; knows neither networks nor components.
//!
//! Pictures are `pixels::Bitmap`s: sRGB, straight alpha. Each function states the space it computes in.

#![allow(
    clippy::needless_range_loop,
    reason = "lanes and neighbours of one index are read from several arrays"
)]
#![cfg_attr(test, allow(clippy::precedence, clippy::approx_constant, clippy::useless_conversion))]

pub mod colour;
mod denoise;
mod extend;
mod inpaint;
pub mod joint;
mod level;
mod plane;
mod reach;
mod sharpen;
pub mod skin;
mod spots;
mod surround;
pub mod upright;

pub use denoise::{Denoising, denoise};
pub use extend::extend_colours;
pub use inpaint::{Filling, InpaintError, Within, inpaint};
pub use reach::reaching;
pub use sharpen::{Sharpening, sharpen};
pub use spots::{Sought, Spots, find_spots};
pub use surround::{Beyond, Edge, NotContinued, enlarged, is_plain, mean_along};
