//! Gaussian blur of a mask, for soft shadows.

use crate::{Mask, PixelError};

/// From this sigma on a quarter of the resolution carries the result.
const QUARTER_FROM_SIGMA: f32 = 6.0;

/// Factor of the small scale.
const FACTOR: usize = 4;

/// The mask blurred by a Gaussian of `sigma` pixels, at the same size; outside the mask there is nothing (0).
///
/// From sigma 6 on it is computed at a quarter of the resolution, within 3 levels of the exact result.
/// A sigma of 0 returns the mask as it is. Refuses a sigma that is negative, not a number, or over 2000.
pub fn blur_mask(mask: &Mask, sigma: f32) -> Result<Mask, PixelError> {
    if !(0.0..=2000.0).contains(&sigma) {
        return Err(PixelError::Argument {
            name: "sigma",
            value: sigma.to_string(),
            allowed: "0 to 2000 pixels are allowed",
        });
    }
    // A hundredth of a pixel changes no level.
    if sigma < 0.01 {
        return Ok(mask.clone());
    }
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let values = if sigma < QUARTER_FROM_SIGMA {
        let plane: Vec<f32> = mask.values().iter().map(|&v| f32::from(v)).collect();
        gaussian(&plane, width, height, sigma).into_iter().map(|v| (v + 0.5) as u8).collect()
    } else {
        blur_small(mask.values(), width, height, sigma)
    };
    Mask::new(mask.width(), mask.height(), values)
}

/// Pixels of nothing around the small plane: what the cubic asks for beyond its edges.
const RING: usize = 2;

/// Quarter scale by box means, Gaussian, back by cubics.
fn blur_small(values: &[u8], width: usize, height: usize, sigma: f32) -> Vec<u8> {
    // The box means blur too, and variances add up; the cubic goes through its points and adds nothing.
    let box_variance = ((FACTOR * FACTOR - 1) as f32) / 12.0;
    let small_sigma = (sigma * sigma - box_variance).sqrt() / FACTOR as f32;
    let small_width = width.div_ceil(FACTOR) + 2 * RING;
    let small_height = height.div_ceil(FACTOR) + 2 * RING;
    let mut small = vec![0f32; small_width * small_height];
    for (y, row) in values.chunks_exact(width).enumerate() {
        let target = &mut small[(y / FACTOR + RING) * small_width + RING..][..small_width - 2 * RING];
        for (sum, block) in target.iter_mut().zip(row.chunks(FACTOR)) {
            *sum += block.iter().map(|&v| u16::from(v)).sum::<u16>() as f32;
        }
    }
    let mean = 1.0 / (FACTOR * FACTOR) as f32;
    small.iter_mut().for_each(|v| *v *= mean);
    let small = gaussian(&small, small_width, small_height, small_sigma);
    enlarge(&small, small_width, width, height)
}

/// Catmull-Rom weights of four neighbours for a point `t` (0..=1) between the middle two.
fn cubic(t: f32) -> [f32; 4] {
    [
        ((-0.5 * t + 1.0) * t - 0.5) * t,
        (1.5 * t - 2.5) * t * t + 1.0,
        ((-1.5 * t + 2.0) * t + 0.5) * t,
        (0.5 * t - 0.5) * t * t,
    ]
}

/// Cubic enlargement by [`FACTOR`] of a plane that has [`RING`] extra pixels on each side.
fn enlarge(small: &[f32], small_width: usize, width: usize, height: usize) -> Vec<u8> {
    // The four pixels of a block lie at −3/8, −1/8, 1/8 and 3/8 from the centre of their small pixel. The first two
    // fall between it and the one before, so their four neighbours begin one earlier.
    let weights = [0.625, 0.875, 0.125, 0.375].map(cubic);
    let first = |phase: usize| usize::from(phase >= FACTOR / 2);
    let mut out = vec![0; width * height];
    let mut between = vec![0f32; small_width];
    for (y, out_row) in out.chunks_exact_mut(width).enumerate() {
        let phase = y % FACTOR;
        let top = y / FACTOR + first(phase);
        let rows = &small[top * small_width..][..4 * small_width];
        let (a, rest) = rows.split_at(small_width);
        let (b, rest) = rest.split_at(small_width);
        let (c, d) = rest.split_at(small_width);
        let w = weights[phase];
        for (((between, a), (b, c)), d) in between.iter_mut().zip(a).zip(b.iter().zip(c)).zip(d) {
            // Half a level is added here, so that the last step may truncate.
            *between = a * w[0] + b * w[1] + c * w[2] + d * w[3] + 0.5;
        }
        for (block, pixels) in out_row.chunks_mut(FACTOR).enumerate() {
            let near: [f32; 5] = std::array::from_fn(|i| between[block + i]);
            let four: [u8; FACTOR] = std::array::from_fn(|phase| {
                let at = first(phase);
                let w = weights[phase];
                // The cast saturates, should the cubic overshoot by a fraction.
                (near[at] * w[0] + near[at + 1] * w[1] + near[at + 2] * w[2] + near[at + 3] * w[3]) as u8
            });
            pixels.copy_from_slice(&four[..pixels.len()]);
        }
    }
    out
}

/// Separable Gaussian of a plane; outside there is 0. The kernel ends at 3.5 sigma and sums to 1.
fn gaussian(plane: &[f32], width: usize, height: usize, sigma: f32) -> Vec<f32> {
    let radius = (sigma * 3.5).ceil() as usize;
    let tap = |k: usize| (-0.5 * (k as f64 / f64::from(sigma)).powi(2)).exp();
    let half: Vec<f64> = (0..=radius).map(tap).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    let half: Vec<f32> = half.iter().map(|v| (v / sum) as f32).collect();

    // Across.
    let mut padded = vec![0f32; width + 2 * radius];
    let mut across = vec![0f32; width * height];
    for (from, to) in plane.chunks_exact(width).zip(across.chunks_exact_mut(width)) {
        padded[radius..radius + width].copy_from_slice(from);
        to.iter_mut().zip(from).for_each(|(to, from)| *to = from * half[0]);
        for (k, weight) in half.iter().enumerate().skip(1) {
            let (left, right) = (&padded[radius - k..][..width], &padded[radius + k..][..width]);
            for ((to, left), right) in to.iter_mut().zip(left).zip(right) {
                *to += (left + right) * weight;
            }
        }
    }
    // Down.
    let mut down = vec![0f32; width * height];
    for (y, to) in down.chunks_exact_mut(width).enumerate() {
        let row = |y: usize| &across[y * width..(y + 1) * width];
        to.iter_mut().zip(row(y)).for_each(|(to, from)| *to = from * half[0]);
        for (k, weight) in half.iter().enumerate().skip(1) {
            let above = y.checked_sub(k).map(row);
            let below = Some(y + k).filter(|&y| y < height).map(row);
            match (above, below) {
                (Some(above), Some(below)) => {
                    for ((to, above), below) in to.iter_mut().zip(above).zip(below) {
                        *to += (above + below) * weight;
                    }
                }
                (Some(one), None) | (None, Some(one)) => {
                    to.iter_mut().zip(one).for_each(|(to, one)| *to += one * weight);
                }
                (None, None) => break,
            }
        }
    }
    down
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, in f64, with the kernel cut off where it no longer matters.
    fn reference(values: &[u8], width: usize, height: usize, sigma: f64) -> Vec<f64> {
        let radius = (sigma * 6.0).ceil() as i64;
        let kernel: Vec<f64> =
            (-radius..=radius).map(|x| (-0.5 * (x as f64 / sigma).powi(2)).exp()).collect();
        let sum: f64 = kernel.iter().sum();
        let pass = |plane: &[f64], step: usize, length: usize, lines: usize, line_step: usize| -> Vec<f64> {
            let mut out = vec![0.0; plane.len()];
            for line in 0..lines {
                for i in 0..length as i64 {
                    let total: f64 = (-radius..=radius)
                        .filter(|k| (0..length as i64).contains(&(i + k)))
                        .map(|k| {
                            plane[line * line_step + (i + k) as usize * step] * kernel[(k + radius) as usize]
                        })
                        .sum();
                    out[line * line_step + i as usize * step] = total / sum;
                }
            }
            out
        };
        let plane: Vec<f64> = values.iter().map(|&v| f64::from(v)).collect();
        let across = pass(&plane, 1, width, height, width);
        pass(&across, width, height, width, 1)
    }

    fn product(width: usize, height: usize) -> Vec<u8> {
        (0..width * height)
            .map(|i| {
                let (x, y) =
                    ((i % width) as f64 / width as f64 - 0.4, (i / width) as f64 / height as f64 - 0.6);
                if x * x + y * y * 0.5 < 0.09 || (i / width) * 10 > height * 9 { 255 } else { 0 }
            })
            .collect()
    }

    #[test]
    fn the_blur_is_gaussian_within_three_levels() {
        for (width, height) in [(203, 158), (64, 33)] {
            let values = product(width, height);
            let mask = Mask::new(width as u32, height as u32, values.clone()).expect("the right number");
            for (sigma, most) in [
                (0.5, 0.6),
                (1.0, 0.8),
                (3.0, 0.8),
                (5.9, 0.8),
                (6.0, 3.0),
                (8.0, 2.0),
                (25.0, 1.5),
                (80.0, 1.5),
            ] {
                let exact = reference(&values, width, height, f64::from(sigma));
                let blurred = blur_mask(&mask, sigma).expect("a sigma");
                let worst = blurred.values().iter().zip(&exact).map(|(a, b)| (f64::from(*a) - b).abs());
                let worst = worst.fold(0.0, f64::max);
                assert!(worst <= most, "sigma {sigma} at {width} by {height}: {worst} levels");
            }
        }
    }

    #[test]
    fn nothing_comes_in_from_outside() {
        let full = Mask::new(120, 90, vec![255; 120 * 90]).expect("the right number");
        for sigma in [2.0, 10.0] {
            let blurred = blur_mask(&full, sigma).expect("a sigma");
            // At a straight edge half of the Gaussian falls outside; in a corner three quarters.
            let at = |x: usize, y: usize| f32::from(blurred.values()[y * 120 + x]);
            assert!((at(60, 45) - 255.0).abs() <= 1.0);
            assert!((at(0, 45) - 128.0).abs() < 32.0 / sigma * 2.0, "{}", at(0, 45));
            assert!(at(0, 0) < at(0, 45) * 0.7);
        }
    }

    #[test]
    fn small_sigmas_are_exact_and_wrong_ones_refused() {
        let mut values = vec![0; 81];
        values[40] = 255;
        let dot = Mask::new(9, 9, values.clone()).expect("81 values");
        assert_eq!(blur_mask(&dot, 0.0).expect("a sigma").values(), values);
        let faint = blur_mask(&dot, 0.3).expect("a sigma");
        assert!(faint.values()[40] > 245 && faint.values()[41] < 3 && faint.values()[42] == 0);
        let total: u32 = blur_mask(&dot, 1.2).expect("a sigma").values().iter().map(|&v| u32::from(v)).sum();
        assert!(total.abs_diff(255) < 12, "{total}");
        for sigma in [-1.0, f32::NAN, f32::INFINITY] {
            assert!(blur_mask(&dot, sigma).is_err());
        }
        let dot = Mask::new(1, 1, vec![255]).expect("one value");
        assert!(blur_mask(&dot, 50.0).expect("a sigma").values()[0] < 3);
    }
}
