//! How far an alpha is from the exact one: the measures of the alpha matting benchmark
//! (Rhemann et al. 2009) and of segmentation. Values are taken as 0.0..=1.0.

mod colour;
mod connectivity;

use pixels::Mask;

pub use colour::{edge_colour_error, edge_seen_error};
pub use connectivity::connectivity_error;

use crate::error::MattingError;

/// Deviation of the Gaussian derivative in [`gradient_error`], as in the benchmark.
const GRADIENT_SIGMA: f64 = 1.4;

/// Sum of absolute differences, in whole pixels (the benchmark prints thousands of them).
pub fn sad(alpha: &Mask, exact: &Mask) -> Result<f64, MattingError> {
    Ok(pairs(alpha, exact)?.map(|(a, b)| (a - b).abs()).sum())
}

/// Mean absolute difference over all pixels.
pub fn mae(alpha: &Mask, exact: &Mask) -> Result<f64, MattingError> {
    Ok(sad(alpha, exact)? / exact.values().len() as f64)
}

/// Mean squared difference over all pixels.
pub fn mse(alpha: &Mask, exact: &Mask) -> Result<f64, MattingError> {
    let sum: f64 = pairs(alpha, exact)?.map(|(a, b)| (a - b) * (a - b)).sum();
    Ok(sum / exact.values().len() as f64)
}

/// Intersection over union of the pixels at or above one half; 1.0 when both are empty.
pub fn iou(alpha: &Mask, exact: &Mask) -> Result<f64, MattingError> {
    let (mut both, mut any) = (0u64, 0u64);
    check(alpha, exact)?;
    for (&a, &b) in alpha.values().iter().zip(exact.values()) {
        both += u64::from(a >= 128 && b >= 128);
        any += u64::from(a >= 128 || b >= 128);
    }
    Ok(if any == 0 { 1.0 } else { both as f64 / any as f64 })
}

/// Mean absolute difference over the pixels within `radius` of the exact edge: of a pixel that is neither
/// 0 nor 255 or lies next to the other side. 0.0 when the exact alpha has no edge.
pub fn band_mae(alpha: &Mask, exact: &Mask, radius: usize) -> Result<f64, MattingError> {
    let band = edge_band(exact, radius);
    let (mut count, mut sum) = (0u64, 0.0);
    for ((a, b), is_in) in pairs(alpha, exact)?.zip(band) {
        if is_in {
            count += 1;
            sum += (a - b).abs();
        }
    }
    Ok(if count == 0 { 0.0 } else { sum / count as f64 })
}

/// Sum of squared differences of the gradient magnitudes (Gaussian derivative, sigma 1.4).
pub fn gradient_error(alpha: &Mask, exact: &Mask) -> Result<f64, MattingError> {
    check(alpha, exact)?;
    let (a, b) = (gradient(alpha), gradient(exact));
    Ok(a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(b)).powi(2)).sum())
}

/// Whether each pixel lies within `radius` (Chebyshev distance) of the edge of `exact`.
pub fn edge_band(exact: &Mask, radius: usize) -> Vec<bool> {
    let (width, height) = (exact.width() as usize, exact.height() as usize);
    let values = exact.values();
    let is_edge = |index: usize| {
        let (x, y) = (index % width, index / width);
        let own = values[index];
        (own != 0 && own != u8::MAX)
            || (x + 1 < width && (values[index + 1] >= 128) != (own >= 128))
            || (y + 1 < height && (values[index + width] >= 128) != (own >= 128))
    };
    let edge: Vec<bool> = (0..values.len()).map(is_edge).collect();
    let rows: Vec<bool> = edge.chunks_exact(width).flat_map(|row| widened(row, radius)).collect();
    let mut out = vec![false; values.len()];
    for x in 0..width {
        let column: Vec<bool> = rows.iter().skip(x).step_by(width).copied().collect();
        for (y, value) in widened(&column, radius).into_iter().enumerate() {
            out[y * width + x] = value;
        }
    }
    out
}

fn widened(line: &[bool], radius: usize) -> Vec<bool> {
    let mut out = vec![false; line.len()];
    for at in line.iter().enumerate().filter(|(_, is)| **is).map(|(at, _)| at) {
        out[at.saturating_sub(radius)..(at + radius + 1).min(line.len())].fill(true);
    }
    out
}

fn check(alpha: &Mask, exact: &Mask) -> Result<(), MattingError> {
    let (picture, mask) = ((exact.width(), exact.height()), (alpha.width(), alpha.height()));
    if picture == mask { Ok(()) } else { Err(MattingError::Size { picture, mask }) }
}

fn pairs<'a>(
    alpha: &'a Mask,
    exact: &'a Mask,
) -> Result<impl Iterator<Item = (f64, f64)> + 'a, MattingError> {
    check(alpha, exact)?;
    let level = |&value: &u8| f64::from(value) / 255.0;
    Ok(alpha.values().iter().map(level).zip(exact.values().iter().map(level)))
}

/// Magnitude of the gradient; pixels beyond the border repeat it.
fn gradient(mask: &Mask) -> Vec<f32> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let radius = (3.0 * GRADIENT_SIGMA).ceil() as i64;
    let bell: Vec<f64> = (-radius..=radius)
        .map(|d| (-(d * d) as f64 / (2.0 * GRADIENT_SIGMA * GRADIENT_SIGMA)).exp())
        .collect();
    let slope: Vec<f64> = (-radius..=radius)
        .zip(&bell)
        .map(|(d, bell)| -(d as f64) / (GRADIENT_SIGMA * GRADIENT_SIGMA) * bell)
        .collect();
    // The benchmark scales the product kernel to a Euclidean norm of one.
    let norm = (bell.iter().map(|v| v * v).sum::<f64>() * slope.iter().map(|v| v * v).sum::<f64>()).sqrt();
    let level: Vec<f64> = mask.values().iter().map(|&v| f64::from(v) / 255.0).collect();
    let at = |at: usize, offset: i64, limit: usize| (at as i64 + offset).clamp(0, limit as i64 - 1) as usize;
    let along = |source: &[f64], kernel: &[f64], is_row: bool| -> Vec<f64> {
        let mut out = Vec::with_capacity(source.len());
        for y in 0..height {
            for x in 0..width {
                let sum = (-radius..=radius).zip(kernel).map(|(d, k)| {
                    k * if is_row {
                        source[y * width + at(x, d, width)]
                    } else {
                        source[at(y, d, height) * width + x]
                    }
                });
                out.push(sum.sum::<f64>());
            }
        }
        out
    };
    let horizontal = along(&along(&level, &slope, true), &bell, false);
    let vertical = along(&along(&level, &bell, true), &slope, false);
    horizontal.iter().zip(vertical).map(|(x, y)| ((x * x + y * y).sqrt() / norm) as f32).collect()
}

#[cfg(test)]
mod tests {
    use pixels::Mask;

    use super::{band_mae, gradient_error, iou, mae, mse, sad};

    fn step(at: usize) -> Mask {
        Mask::new(20, 20, (0..400).map(|i| if i % 20 < at { 255 } else { 0 }).collect()).unwrap()
    }

    #[test]
    fn a_shifted_step_has_the_measures_computed_by_hand() {
        let (exact, moved) = (step(10), step(12));
        assert_eq!(sad(&moved, &exact), Ok(40.0));
        assert_eq!(mae(&moved, &exact), Ok(0.1));
        assert_eq!(mse(&moved, &exact), Ok(0.1));
        assert_eq!(iou(&moved, &exact), Ok(200.0 / 240.0));
        // The edge is column 9; the band is columns 7 to 11, of which 10 and 11 are wrong.
        assert_eq!(band_mae(&moved, &exact, 2), Ok(0.4));
        assert_eq!(gradient_error(&exact, &exact), Ok(0.0));
        assert!(gradient_error(&moved, &exact).unwrap() > gradient_error(&step(11), &exact).unwrap());
    }

    #[test]
    fn masks_of_two_sizes_are_refused() {
        let small = Mask::new(2, 2, vec![0; 4]).unwrap();
        assert!(mae(&small, &step(3)).is_err());
    }
}
