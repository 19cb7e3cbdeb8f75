//! Denoises one plane at several sizes: coarse noise first, on the plane halved, then what is left of it.
//!
//! After Pierazzo, Lebrun, Rais and Facciolo, "Multi-scale DCT denoising" (2017).

use super::dct::{self, SIDE, Thresholds};
use super::noise::{self, NoiseCurve};

/// Sides under which a plane is not halved.
const SMALLEST: usize = 48;

/// How a plane is denoised.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Strength {
    /// Coefficients of an even block are kept from so many standard deviations of the noise on.
    pub(super) even: f32,
    /// The same for a block that holds details.
    pub(super) detailed: f32,
    /// Pixels from one block to the next.
    pub(super) step: usize,
    /// How often the plane is halved.
    pub(super) halvings: usize,
}

/// A plane of a picture, with what tells its noise.
pub(super) struct Seen<'a> {
    /// Brightness of the pixels in levels.
    pub(super) brightness: &'a [f32],
    /// Pixels a row.
    pub(super) width: usize,
    /// Noise of the next finer size; `None` at full size.
    pub(super) finer: Option<&'a NoiseCurve>,
}

/// Denoises `plane` in place; `hidden` pixels are not measured.
pub(super) fn denoise<E>(
    plane: &mut [f32],
    seen: &Seen<'_>,
    how: &Strength,
    hidden: &dyn Fn(usize) -> bool,
    check: &mut dyn FnMut() -> Result<(), E>,
) -> Result<(), E> {
    let width = seen.width;
    let height = plane.len() / width;
    let measured = noise::measure(plane, seen.brightness, width, hidden);
    // White noise halves; what a camera's processing has smoothed shrinks less.
    let curve = seen.finer.map_or(measured.clone(), |finer| measured.within(finer, 0.5, 0.75));
    if curve.0.iter().all(|&sigma| sigma <= 0.0) {
        return Ok(());
    }
    if how.halvings > 0 && width.min(height) >= SMALLEST {
        let half_width = width / 2;
        let before = halved(plane, width);
        let brightness = halved(seen.brightness, width);
        let mut half = before.clone();
        let coarser = Seen { brightness: &brightness, width: half_width, finer: Some(&curve) };
        let less = Strength { halvings: how.halvings - 1, ..*how };
        let hidden_half = |i: usize| {
            let (x, y) = (i % half_width * 2, i / half_width * 2);
            hidden(y * width + x)
        };
        denoise(&mut half, &coarser, &less, &hidden_half, check)?;
        half.iter_mut().zip(&before).for_each(|(after, before)| *after -= before);
        drop(before);
        add_enlarged(plane, width, &half, half_width);
    }
    let sigma = sigmas(seen.brightness, width, &curve);
    let with = Thresholds { sigma: &sigma, even: how.even, detailed: how.detailed, step: how.step };
    dct::threshold(plane, width, &with, check)
}

/// The noise of each cell of 8 by 8 pixels.
fn sigmas(brightness: &[f32], width: usize, curve: &NoiseCurve) -> Vec<f32> {
    let mut sigmas = Vec::with_capacity(brightness.len() / (SIDE * SIDE) + width);
    for rows in brightness.chunks(SIDE * width) {
        for left in (0..width).step_by(SIDE) {
            let right = (left + SIDE).min(width);
            let sum: f32 = rows.chunks_exact(width).flat_map(|row| &row[left..right]).sum();
            sigmas.push(curve.at(sum / ((right - left) * (rows.len() / width)) as f32));
        }
    }
    sigmas
}

/// Means of two by two pixels; an odd last row or column is left out.
fn halved(plane: &[f32], width: usize) -> Vec<f32> {
    let mut half = Vec::with_capacity(plane.len() / 4);
    for rows in plane.chunks_exact(2 * width) {
        let (above, below) = rows.split_at(width);
        for (above, below) in above.as_chunks::<2>().0.iter().zip(below.as_chunks::<2>().0) {
            half.push((above[0] + above[1] + below[0] + below[1]) * 0.25);
        }
    }
    half
}

/// Adds twice the size of `half` by bilinear weights.
fn add_enlarged(plane: &mut [f32], width: usize, half: &[f32], half_width: usize) {
    let half_height = half.len() / half_width;
    // A row between its two neighbours, with one more value at each end.
    let mut between = vec![0f32; half_width + 2];
    for (y, row) in plane.chunks_exact_mut(width).enumerate() {
        let near = (y / 2).min(half_height - 1);
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(half_height - 1) };
        let near = &half[near * half_width..][..half_width];
        let far = &half[far * half_width..][..half_width];
        for ((to, near), far) in between[1..].iter_mut().zip(near).zip(far) {
            *to = 0.75 * near + 0.25 * far;
        }
        (between[0], between[half_width + 1]) = (between[1], between[half_width]);
        for (x, pair) in row.chunks_mut(2).enumerate() {
            let x = x.min(half_width - 1);
            pair[0] += 0.25 * between[x] + 0.75 * between[x + 1];
            if let Some(second) = pair.get_mut(1) {
                *second += 0.75 * between[x + 1] + 0.25 * between[x + 2];
            }
        }
    }
}
