//! Weighted means over squares, in a time that does not depend on their size, and the filters made of them.

/// Width and height of planes.
pub(super) type Size = (usize, usize);

/// Means of `value` over squares of 2 `radius` + 1 pixels, each pixel counting as much as its `weight`. What lies outside
/// weighs nothing. `to` hears of every pixel that has a weight.
pub(super) fn means<const N: usize>(
    (width, height): Size,
    radius: usize,
    weight: &[f32],
    value: impl Fn(usize) -> [f32; N],
    mut to: impl FnMut(usize, [f32; N]),
) {
    // Of the rows from `y` - `radius` to `y` + `radius`. Products of two floats are exact in f64, so that what was added
    // goes again without a rest that shows.
    let mut weights = vec![0f64; width];
    let mut sums = vec![[0f64; N]; width];
    let add = |weights: &mut [f64], sums: &mut [[f64; N]], y: usize, sign: f64| {
        for x in 0..width {
            let at = y * width + x;
            let share = f64::from(weight[at]);
            if share > 0.0 {
                let value = value(at);
                weights[x] += sign * share;
                for n in 0..N {
                    sums[x][n] += sign * (share * f64::from(value[n]));
                }
            }
        }
    };
    for y in 0..radius.min(height) {
        add(&mut weights, &mut sums, y, 1.0);
    }
    for y in 0..height {
        if y + radius < height {
            add(&mut weights, &mut sums, y + radius, 1.0);
        }
        if y > radius {
            add(&mut weights, &mut sums, y - radius - 1, -1.0);
        }
        let row = y * width..(y + 1) * width;
        let Some(first) = weight[row.clone()].iter().position(|weight| *weight > 0.0) else { continue };
        let last = weight[row].iter().rposition(|weight| *weight > 0.0).unwrap_or(first);
        let (mut share, mut sum) = (0f64, [0f64; N]);
        for x in first.saturating_sub(radius)..(first + radius).min(width) {
            share += weights[x];
            (0..N).for_each(|n| sum[n] += sums[x][n]);
        }
        for x in first..=last {
            if x + radius < width {
                share += weights[x + radius];
                (0..N).for_each(|n| sum[n] += sums[x + radius][n]);
            }
            if x > first && x > radius {
                share -= weights[x - radius - 1];
                (0..N).for_each(|n| sum[n] -= sums[x - radius - 1][n]);
            }
            let at = y * width + x;
            if weight[at] > 0.0 {
                // A pixel's own weight is always part of the sum.
                let share = share.max(f64::from(weight[at]));
                to(at, std::array::from_fn(|n| (sum[n] / share) as f32));
            }
        }
    }
}

/// `plane` blurred by the mean over squares, `times` times: twice is already close to a Gaussian.
pub(super) fn blurred(size: Size, plane: &[f32], weight: &[f32], radius: usize, times: usize) -> Vec<f32> {
    let mut plane = plane.to_vec();
    for _ in 0..times {
        let mut next = vec![0f32; plane.len()];
        means(size, radius, weight, |i| [plane[i]], |i, [mean]| next[i] = mean);
        plane = next;
    }
    plane
}

/// The guided filter with the plane as its own guide (He, Sun and Tang, "Guided Image Filtering", 2013): smooths what
/// varies by less than `amplitude` within `radius` and keeps stronger edges. What has no weight has no part in it.
pub(super) fn guided(size: Size, plane: &[f32], weight: &[f32], radius: usize, amplitude: f32) -> Vec<f32> {
    let least = amplitude * amplitude;
    let (mut slope, mut offset) = (vec![0f32; plane.len()], vec![0f32; plane.len()]);
    means(
        size,
        radius,
        weight,
        |i| [plane[i], plane[i] * plane[i]],
        |i, [mean, square]| {
            let variance = (square - mean * mean).max(0.0);
            slope[i] = variance / (variance + least);
            offset[i] = mean - slope[i] * mean;
        },
    );
    let mut smooth = vec![0f32; plane.len()];
    means(
        size,
        radius,
        weight,
        |i| [slope[i], offset[i]],
        |i, [slope, offset]| {
            smooth[i] = slope * plane[i] + offset;
        },
    );
    smooth
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_what_the_squares_hold() {
        let size = (13, 9);
        let plane: Vec<f32> = (0..117).map(|i| (i * 31 % 57) as f32).collect();
        let weight: Vec<f32> = (0..117).map(|i| [0.0, 1.0, 0.5][i * 7 % 3]).collect();
        for radius in [0, 1, 3, 20] {
            let mut seen = 0;
            means(
                size,
                radius,
                &weight,
                |i| [plane[i]],
                |at, [mean]| {
                    let (x, y) = (at % 13, at / 13);
                    let (mut sum, mut share) = (0.0, 0.0);
                    for i in 0..117usize {
                        if (i % 13).abs_diff(x) <= radius && (i / 13).abs_diff(y) <= radius {
                            sum += weight[i] * plane[i];
                            share += weight[i];
                        }
                    }
                    assert!(
                        (mean - sum / share).abs() < 1e-3,
                        "{radius} {x} {y}: {mean}, not {}",
                        sum / share
                    );
                    seen += 1;
                },
            );
            assert_eq!(seen, weight.iter().filter(|weight| **weight > 0.0).count());
        }
    }
}
