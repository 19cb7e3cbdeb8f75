//! Unsharp masking of the luma, with its halos held down.
//!
//! Computes on sRGB-encoded values: luma is 0.2126 R + 0.7152 G + 0.0722 B (BT.709), and what is added to it is added to
//! all three channels, so that no colour changes. Strips of rows; linear in pixels and in the radius.

use pixels::{Bitmap, Channels, SamplesMut};

use crate::level::Level;

mod strip;

use strip::Strip;

/// Rows that are worked on at a time.
const ROWS: usize = 96;

/// How a picture is sharpened.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sharpening {
    /// Sigma of the Gaussian whose difference to the picture is added, in pixels; more than 0.
    pub radius_px: f32,
    /// How much of the difference is added: 1 is all of it, 0 changes nothing.
    pub amount: f32,
    /// Differences up to this many levels of 255 are left alone; from twice as many on they count in full.
    pub threshold: f32,
    /// Whether only edges are sharpened, and neither grain nor even areas.
    pub edges_only: bool,
    /// How far overshoot beyond the brightest and darkest neighbour is held down: 0 not at all, 1 wholly.
    pub halo_suppression: f32,
}

impl Sharpening {
    /// Levels that overshoot can approach but not reach; `None` is no limit.
    fn halo_limit(&self) -> Option<f32> {
        let open = 1.0 - self.halo_suppression.clamp(0.0, 1.0);
        (open < 1.0).then_some(64.0 * open * open)
    }
}

/// Sharpens `bitmap` in place; transparent pixels stay as they are and have no part in what is seen beside them.
///
/// `check` is asked between strips; its error ends the work with the picture half done.
pub fn sharpen<E>(
    bitmap: &mut Bitmap,
    how: &Sharpening,
    mut check: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    // Below a twentieth of a pixel the Gaussian is a single pixel.
    if how.amount <= 0.0 || how.radius_px < 0.05 {
        return Ok(());
    }
    let width = bitmap.width() as usize;
    match (bitmap.channels(), bitmap.samples_mut()) {
        (Channels::Rgb, SamplesMut::U8(samples)) => work::<u8, 3, E>(samples, width, how, &mut check),
        (Channels::Rgb, SamplesMut::U16(samples)) => work::<u16, 3, E>(samples, width, how, &mut check),
        (Channels::Rgba, SamplesMut::U8(samples)) => work::<u8, 4, E>(samples, width, how, &mut check),
        (Channels::Rgba, SamplesMut::U16(samples)) => work::<u16, 4, E>(samples, width, how, &mut check),
    }
}

fn work<S: Level, const N: usize, E>(
    samples: &mut [S],
    width: usize,
    how: &Sharpening,
    check: &mut dyn FnMut() -> Result<(), E>,
) -> Result<(), E> {
    let pixels = samples.as_chunks_mut::<N>().0;
    let height = pixels.len() / width;
    let mut strip = Strip::new(width, ROWS.min(height), how.radius_px, N == 4);
    let mut added = vec![0f32; width];
    for top in (0..height).step_by(strip.rows()) {
        check()?;
        strip.advance();
        for row in strip.missing(top) {
            match usize::try_from(row).unwrap_or(0) {
                // Rows above the strip were changed already, but those the strip has kept.
                inside if inside < height => strip.load(&pixels[inside * width..(inside + 1) * width]),
                _ => strip.repeat_last(),
            }
        }
        strip.look(how.edges_only);
        let rows = pixels[top * width..].chunks_exact_mut(width).take(strip.rows());
        for (y, row) in rows.enumerate() {
            add_difference(&strip, y, how, &mut added);
            for (pixel, added) in row.iter_mut().zip(&added) {
                if N == 3 || pixel[N - 1] != S::default() {
                    for sample in &mut pixel[..3] {
                        *sample = S::from_level(sample.level() + added);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Levels that are added to each pixel of row `y` of the strip.
fn add_difference(strip: &Strip, y: usize, how: &Sharpening, added: &mut [f32]) {
    let seen = strip.row(y);
    let gate = 1.0 / how.threshold.max(1e-3);
    for ((added, luma), blurred) in added.iter_mut().zip(seen.luma).zip(seen.blurred) {
        let difference = luma - blurred;
        let counts = ((difference.abs() - how.threshold) * gate).clamp(0.0, 1.0);
        *added = difference * counts * how.amount;
    }
    if let Some(edges) = seen.edges {
        added.iter_mut().zip(edges).for_each(|(added, edge)| *added *= edge);
    }
    if let Some(limit) = how.halo_limit() {
        let range = seen.lowest.iter().zip(seen.highest);
        for ((added, luma), (lowest, highest)) in added.iter_mut().zip(seen.luma).zip(range) {
            *added = held(*added, highest - luma, limit) - held(-*added, luma - lowest, limit);
        }
    }
}

/// A rise of which `room` is free; the rest approaches `limit`. What falls is 0.
#[inline]
fn held(rise: f32, room: f32, limit: f32) -> f32 {
    let rise = rise.max(0.0);
    let over = (rise - room).max(0.0);
    rise - over + over * limit / (over + limit).max(1e-6)
}

#[cfg(test)]
mod tests;
