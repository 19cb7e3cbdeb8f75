//! An even surface that keeps its pores: what is between the size of pores and the shape of the face becomes weaker.

use pixels::{Bitmap, Channels, Mask, Rect, SamplesMut};

use super::sums::{Size, guided};
use crate::level::Level;

/// How skin is smoothed; each of the first three from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// How much blotches, bumps and fine wrinkles lose.
    pub strength: f32,
    /// How much of the pores stays where the skin is smoothed: 1 all of it.
    pub texture: f32,
    /// How much redness and blotches of colour lose.
    pub even_tone: f32,
    /// Width of a face in pixels, by which all sizes are judged.
    pub face_px: f32,
}

/// Brightness and two colours of an orthonormal opponent space on sRGB-encoded values, in levels of 255.
const AXES: [[f32; 3]; 3] = [
    [0.577_350_26, 0.577_350_26, 0.577_350_26],
    [0.707_106_77, 0.0, -0.707_106_77],
    [0.408_248_3, -0.816_496_6, 0.408_248_3],
];

/// Smooths what `mask` marks, in place, at the picture's depth; where the mask is 0, and alpha everywhere, nothing changes.
///
/// Splits the brightness into three bands by two guided filters that see marked pixels only: what is finer than the first
/// (pores) stays as `texture` says, what lies between both loses `strength`, and what is coarser (the shape of the face, the
/// light on it) stays. Edges stronger than skin has belong to the coarsest band and stay, too. The mean colour of what is
/// marked stays as it is. `check` is asked between stages; its error ends the work with the picture as it was.
pub fn smooth_skin<E>(
    bitmap: &mut Bitmap,
    mask: &Mask,
    how: &Smoothing,
    mut check: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    debug_assert_eq!((bitmap.width(), bitmap.height()), (mask.width(), mask.height()));
    let Some(part) = mask.bounds(1) else { return Ok(()) };
    if how.strength <= 0.0 && how.even_tone <= 0.0 {
        return Ok(());
    }
    let weight = weights(bitmap, mask, part);
    let size = (part.width as usize, part.height as usize);
    let mut change: [Option<Vec<f32>>; 3] = [None, None, None];
    for (axis, change) in change.iter_mut().enumerate() {
        if (axis == 0 && how.strength <= 0.0) || (axis > 0 && how.even_tone <= 0.0) {
            continue;
        }
        let plane = plane(bitmap, part, &AXES[axis]);
        check()?;
        let mut found =
            if axis == 0 { evened(size, plane, &weight, how) } else { toned(size, plane, &weight, how) };
        check()?;
        keep_mean(&mut found, &weight);
        *change = Some(found);
    }
    let width = bitmap.width() as usize;
    let place = Place { part, width, weight: &weight, change: &change };
    match (bitmap.channels(), bitmap.samples_mut()) {
        (Channels::Rgb, SamplesMut::U8(samples)) => place.add::<u8, 3>(samples),
        (Channels::Rgb, SamplesMut::U16(samples)) => place.add::<u16, 3>(samples),
        (Channels::Rgba, SamplesMut::U8(samples)) => place.add::<u8, 4>(samples),
        (Channels::Rgba, SamplesMut::U16(samples)) => place.add::<u16, 4>(samples),
    }
    Ok(())
}

/// A radius that is a share of the face's width.
fn radius(face_px: f32, share: f32, least: usize) -> usize {
    ((face_px * share).round() as usize).max(least)
}

/// By how much the brightness changes.
fn evened(size: Size, plane: Vec<f32>, weight: &[f32], how: &Smoothing) -> Vec<f32> {
    // Brightness of the first axis is √3 times the mean of the channels.
    let levels = 3f32.sqrt();
    // Far above the amplitude of pores, so that none of them is left for the next band; a lash or a wrinkle is stronger.
    let fine = guided(size, &plane, weight, radius(how.face_px, 0.01, 1), 14.0 * levels);
    let wide = (5.0 + 4.5 * how.strength) * levels;
    let base = guided(size, &fine, weight, radius(how.face_px, 0.045, 3), wide);
    let (high, mid) = (how.strength * (1.0 - how.texture), 0.9 * how.strength);
    let mut change = plane;
    for ((value, fine), base) in change.iter_mut().zip(&fine).zip(&base) {
        *value = -mid * (fine - base) - high * (*value - fine);
    }
    change
}

/// By how much a colour changes.
fn toned(size: Size, plane: Vec<f32>, weight: &[f32], how: &Smoothing) -> Vec<f32> {
    let fine = guided(size, &plane, weight, radius(how.face_px, 0.01, 1), 4.0);
    let base = guided(size, &fine, weight, radius(how.face_px, 0.07, 3), 12.0);
    let mut change = plane;
    for ((value, fine), base) in change.iter_mut().zip(&fine).zip(&base) {
        *value = -0.8 * how.even_tone * (fine - base);
    }
    change
}

/// Shifts a change so that it changes nothing on average.
fn keep_mean(change: &mut [f32], weight: &[f32]) {
    let (mut sum, mut share) = (0f64, 0f64);
    for (change, weight) in change.iter().zip(weight) {
        sum += f64::from(change * weight);
        share += f64::from(*weight);
    }
    let mean = if share > 0.0 { (sum / share) as f32 } else { 0.0 };
    change.iter_mut().for_each(|change| *change -= mean);
}

/// How far each pixel of a part is skin, 0 to 1; what does not show is none.
fn weights(bitmap: &Bitmap, mask: &Mask, part: Rect) -> Vec<f32> {
    let width = mask.width() as usize;
    let alpha = (bitmap.channels() == Channels::Rgba).then(|| bitmap.alpha());
    let mut weights = Vec::with_capacity(part.width as usize * part.height as usize);
    for y in part.y..part.y + part.height {
        let row = y as usize * width + part.x as usize..y as usize * width + (part.x + part.width) as usize;
        weights.extend(mask.values()[row.clone()].iter().map(|value| f32::from(*value) / 255.0));
        if let Some(alpha) = &alpha {
            let start = weights.len() - row.len();
            for (weight, alpha) in weights[start..].iter_mut().zip(&alpha.values()[row]) {
                *weight = if *alpha == 0 { 0.0 } else { *weight };
            }
        }
    }
    weights
}

/// One axis of a part of the picture.
fn plane(bitmap: &Bitmap, part: Rect, axis: &[f32; 3]) -> Vec<f32> {
    fn read<S: Level, const N: usize>(samples: &[S], width: usize, part: Rect, axis: &[f32; 3]) -> Vec<f32> {
        let pixels = samples.as_chunks::<N>().0;
        let mut plane = Vec::with_capacity(part.width as usize * part.height as usize);
        for y in part.y..part.y + part.height {
            let row = &pixels[y as usize * width + part.x as usize..][..part.width as usize];
            plane.extend(row.iter().map(|pixel| {
                pixel[0].level() * axis[0] + pixel[1].level() * axis[1] + pixel[2].level() * axis[2]
            }));
        }
        plane
    }
    let width = bitmap.width() as usize;
    match (bitmap.channels(), bitmap.samples()) {
        (Channels::Rgb, pixels::Samples::U8(samples)) => read::<u8, 3>(samples, width, part, axis),
        (Channels::Rgb, pixels::Samples::U16(samples)) => read::<u16, 3>(samples, width, part, axis),
        (Channels::Rgba, pixels::Samples::U8(samples)) => read::<u8, 4>(samples, width, part, axis),
        (Channels::Rgba, pixels::Samples::U16(samples)) => read::<u16, 4>(samples, width, part, axis),
    }
}

/// Where changes go.
struct Place<'a> {
    part: Rect,
    /// Pixels a row of the whole picture.
    width: usize,
    weight: &'a [f32],
    change: &'a [Option<Vec<f32>>; 3],
}

impl Place<'_> {
    fn add<S: Level, const N: usize>(&self, samples: &mut [S]) {
        let pixels = samples.as_chunks_mut::<N>().0;
        let Rect { x, y, width, height } = self.part;
        for row in 0..height as usize {
            let start = (y as usize + row) * self.width + x as usize;
            for (column, pixel) in pixels[start..start + width as usize].iter_mut().enumerate() {
                let at = row * width as usize + column;
                let weight = self.weight[at];
                if weight <= 0.0 || (N == 4 && pixel[N - 1] == S::default()) {
                    continue;
                }
                let by: [f32; 3] = std::array::from_fn(|axis| {
                    self.change[axis].as_ref().map_or(0.0, |change| change[at] * weight)
                });
                for channel in 0..3 {
                    let change: f32 = (0..3).map(|axis| by[axis] * AXES[axis][channel]).sum();
                    pixel[channel] = S::from_level(pixel[channel].level() + change);
                }
            }
        }
    }
}
