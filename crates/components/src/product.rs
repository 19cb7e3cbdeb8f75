//! The product seen small, for measures: by its alpha, or told from a plain backdrop.

use std::borrow::Cow;

use matting::{Studio, studio_matte};
use pixels::{Bitmap, Filter};
use retouch::colour::Sampled;

use crate::Fault;

/// Longest side at which a product is told from its backdrop.
const MATTE_SIDE: u32 = 768;
/// A studio matte with a larger residual, or with fewer of the border on one surface, found no plain backdrop.
const MOST_RESIDUAL: f32 = 4.0;
const LEAST_INLIERS: f32 = 0.6;

/// Whether the backdrop was plain, so that the matte means something.
pub(crate) fn is_plain(studio: &Studio) -> bool {
    studio.residual <= MOST_RESIDUAL && studio.inliers >= LEAST_INLIERS
}

/// The product of a picture through a grid of at most `side` cells; see [`Sampled::of`]. `None` where it is not cut out and
/// cannot be told from what is around it.
pub(crate) fn product_seen(bitmap: &Bitmap, side: usize, taps: usize) -> Result<Option<Sampled>, Fault> {
    let sampled = Sampled::of(bitmap, side, taps);
    if crate::frame::is_cut_out(bitmap) {
        return Ok(Some(sampled));
    }
    let size = pixels::fit_inside((bitmap.width(), bitmap.height()), (MATTE_SIDE, MATTE_SIDE), false);
    let small = if size == (bitmap.width(), bitmap.height()) {
        Cow::Borrowed(bitmap)
    } else {
        Cow::Owned(pixels::resize(bitmap, size.0, size.1, Filter::Bilinear)?)
    };
    let studio = studio_matte(&small);
    let values = studio.alpha.values();
    let share = values.iter().filter(|&&value| value > 127).count() as f64 / values.len() as f64;
    Ok((is_plain(&studio) && share > 0.01).then(|| sampled.weighted_by(&studio.alpha)))
}
