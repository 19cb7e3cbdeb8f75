//! Thresholds the 8 by 8 cosine transform of every block of a plane, with blocks that overlap.
//!
//! After Yaroslavsky, "Local adaptive image restoration" (1996), and Guleryuz, "Weighted overcomplete denoising" (2003).
//! All blocks of one row of blocks share the transform of their columns, which makes small steps affordable.

/// Pixels along each side of a block.
pub(super) const SIDE: usize = 8;

type Lanes = [f32; SIDE];

/// cos(k π / 16) / 2 for k from 1 to 7; half the square root of 1/2 in the place of 4.
const C: [f32; 8] =
    [0.5, 0.490_392_64, 0.461_939_77, 0.415_734_8, 0.353_553_39, 0.277_785_12, 0.191_341_72, 0.097_545_16];

/// How the coefficients of a plane are thresholded.
pub(super) struct Thresholds<'a> {
    /// Standard deviation of the noise for each cell of 8 by 8 pixels, row by row; 0 leaves a block as it is.
    pub(super) sigma: &'a [f32],
    /// Coefficients of an even block are kept from so many standard deviations on.
    pub(super) even: f32,
    /// The same for a block that holds details.
    pub(super) detailed: f32,
    /// Pixels from one block to the next.
    pub(super) step: usize,
}

/// Coefficients above the threshold, besides the mean, from which a block holds details.
const DETAILS: f32 = 2.5;

/// Denoises `plane` in place, `width` pixels a row; sides under 8 pixels are left as they are.
///
/// `check` is asked for each row of blocks and ends the work with its error.
pub(super) fn threshold<E>(
    plane: &mut [f32],
    width: usize,
    with: &Thresholds<'_>,
    check: &mut dyn FnMut() -> Result<(), E>,
) -> Result<(), E> {
    let height = plane.len() / width;
    if width < SIDE || height < SIDE {
        return Ok(());
    }
    let cells = width.div_ceil(SIDE);
    let lefts: Vec<usize> = positions(width, with.step).collect();
    let mut columns = vec![Lanes::default(); width];
    let mut sums = vec![Lanes::default(); width];
    let mut weights = vec![0f32; width];
    // Rows of the picture whose blocks are not all done: the sum of what the blocks say, and of their weights.
    let mut open = vec![0f32; SIDE * width];
    let mut open_weights = vec![0f32; SIDE * width];
    let mut tops = positions(height, with.step).peekable();
    while let Some(top) = tops.next() {
        check()?;
        transform_columns(&plane[top * width..], width, &mut columns);
        sums.fill(Lanes::default());
        weights.fill(0.0);
        let row = &with.sigma[(top + SIDE / 2) / SIDE * cells..];
        for &left in &lefts {
            let sigma = row[(left + SIDE / 2) / SIDE];
            let block: &mut [Lanes; SIDE] =
                (&mut sums[left..left + SIDE]).try_into().expect("as long as a side");
            let columns: &[Lanes; SIDE] =
                (&columns[left..left + SIDE]).try_into().expect("as long as a side");
            let weight = threshold_block(columns, sigma, with, block);
            weights[left..left + SIDE].iter_mut().for_each(|sum| *sum += weight);
        }
        add_columns(&sums, &weights, width, &mut open, &mut open_weights);
        // Rows above the next block are done.
        let done = tops.peek().map_or(SIDE, |next| next - top);
        let (values, totals) = (&open[..done * width], &open_weights[..done * width]);
        for ((to, sum), weight) in plane[top * width..].iter_mut().zip(values).zip(totals) {
            *to = sum / weight;
        }
        for open in [&mut open, &mut open_weights] {
            open.copy_within(done * width.., 0);
            open[(SIDE - done) * width..].fill(0.0);
        }
    }
    Ok(())
}

/// Where blocks begin: every `step` pixels, and at the end.
fn positions(length: usize, step: usize) -> impl Iterator<Item = usize> {
    let last = length - SIDE;
    (0..last.div_ceil(step)).map(move |i| i * step).chain(std::iter::once(last))
}

/// Thresholds one block and adds it with its weight to `sums`. Only the columns are transformed, before and after.
#[inline]
fn threshold_block(
    columns: &[Lanes; SIDE],
    sigma: f32,
    with: &Thresholds<'_>,
    sums: &mut [Lanes; SIDE],
) -> f32 {
    let mut block = forward(columns);
    let mut threshold = sigma * with.even;
    let mut kept = count_above(&block, threshold);
    if kept > DETAILS && with.detailed < with.even {
        threshold = sigma * with.detailed;
        kept = count_above(&block, threshold);
    }
    let mean = block[0][0];
    for row in &mut block {
        for value in row {
            *value = if value.abs() > threshold { *value } else { 0.0 };
        }
    }
    block[0][0] = mean;
    // The fewer coefficients stay, the less noise is left.
    let weight = 1.0 / (1.0 + kept);
    for (sum, value) in sums.iter_mut().zip(inverse(&block)) {
        for (sum, value) in sum.iter_mut().zip(value) {
            *sum += value * weight;
        }
    }
    weight
}

/// How many coefficients, besides the mean, are above a threshold.
#[inline]
fn count_above(block: &[Lanes; SIDE], threshold: f32) -> f32 {
    let mut count = Lanes::default();
    for row in block {
        for (count, value) in count.iter_mut().zip(row) {
            *count += if value.abs() > threshold { 1.0 } else { 0.0 };
        }
    }
    let mean = if block[0][0].abs() > threshold { 1.0 } else { 0.0 };
    count.iter().sum::<f32>() - mean
}

/// The transform down of eight rows, for every column.
fn transform_columns(rows: &[f32], width: usize, columns: &mut [Lanes]) {
    let mut x = 0;
    while x < width {
        // The last columns are done twice rather than apart.
        let at = x.min(width - SIDE);
        let block: [Lanes; SIDE] = std::array::from_fn(|y| {
            rows[y * width + at..y * width + at + SIDE].try_into().expect("as long as a side")
        });
        let block = forward(&block);
        for (lane, column) in columns[at..at + SIDE].iter_mut().enumerate() {
            *column = std::array::from_fn(|k| block[k][lane]);
        }
        x += SIDE;
    }
}

/// The transform back down, added to the eight rows.
fn add_columns(columns: &[Lanes], weights: &[f32], width: usize, rows: &mut [f32], row_weights: &mut [f32]) {
    let mut x = 0;
    while x < width {
        let at = x.min(width - SIDE);
        let block: [Lanes; SIDE] = std::array::from_fn(|k| std::array::from_fn(|lane| columns[at + lane][k]));
        let block = inverse(&block);
        let skip = x - at;
        for (y, row) in block.iter().enumerate() {
            let to = &mut rows[y * width + x..y * width + at + SIDE];
            to.iter_mut().zip(&row[skip..]).for_each(|(to, value)| *to += value);
        }
        x += SIDE;
    }
    for row in row_weights.chunks_exact_mut(width) {
        row.iter_mut().zip(weights).for_each(|(to, weight)| *to += weight);
    }
}

/// Eight orthonormal cosine transforms (DCT-II) side by side, by their even and odd halves.
#[inline]
fn forward(x: &[Lanes; SIDE]) -> [Lanes; SIDE] {
    let mut out = [Lanes::default(); SIDE];
    for i in 0..SIDE {
        let s: [f32; 4] = std::array::from_fn(|k| x[k][i] + x[7 - k][i]);
        let d: [f32; 4] = std::array::from_fn(|k| x[k][i] - x[7 - k][i]);
        let (outer, inner) = (s[0] + s[3], s[1] + s[2]);
        let (outer_d, inner_d) = (s[0] - s[3], s[1] - s[2]);
        out[0][i] = (outer + inner) * C[4];
        out[4][i] = (outer - inner) * C[4];
        out[2][i] = outer_d * C[2] + inner_d * C[6];
        out[6][i] = outer_d * C[6] - inner_d * C[2];
        out[1][i] = d[0] * C[1] + d[1] * C[3] + d[2] * C[5] + d[3] * C[7];
        out[3][i] = d[0] * C[3] - d[1] * C[7] - d[2] * C[1] - d[3] * C[5];
        out[5][i] = d[0] * C[5] - d[1] * C[1] + d[2] * C[7] + d[3] * C[3];
        out[7][i] = d[0] * C[7] - d[1] * C[5] + d[2] * C[3] - d[3] * C[1];
    }
    out
}

/// The inverse of [`forward`].
#[inline]
fn inverse(x: &[Lanes; SIDE]) -> [Lanes; SIDE] {
    let mut out = [Lanes::default(); SIDE];
    for i in 0..SIDE {
        let (sum, difference) = ((x[0][i] + x[4][i]) * C[4], (x[0][i] - x[4][i]) * C[4]);
        let (outer, inner) = (x[2][i] * C[2] + x[6][i] * C[6], x[2][i] * C[6] - x[6][i] * C[2]);
        let even = [sum + outer, difference + inner, difference - inner, sum - outer];
        let (a, b, c, d) = (x[1][i], x[3][i], x[5][i], x[7][i]);
        let odd = [
            a * C[1] + b * C[3] + c * C[5] + d * C[7],
            a * C[3] - b * C[7] - c * C[1] - d * C[5],
            a * C[5] - b * C[1] + c * C[7] + d * C[3],
            a * C[7] - b * C[5] + c * C[3] - d * C[1],
        ];
        for k in 0..4 {
            out[k][i] = even[k] + odd[k];
            out[7 - k][i] = even[k] - odd[k];
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    fn noise(i: usize) -> f32 {
        ((i as u32).wrapping_mul(2_654_435_761) >> 8) as f32 / (1 << 24) as f32
    }

    #[test]
    fn the_transform_is_the_cosine_transform_and_comes_back() {
        let block: [Lanes; SIDE] = std::array::from_fn(|y| std::array::from_fn(|x| noise(y * 8 + x) * 255.0));
        let transformed = forward(&block);
        for k in 0..SIDE {
            let scale = if k == 0 { 0.125f64.sqrt() } else { 0.5 };
            let exact: f64 = (0..SIDE)
                .map(|n| {
                    let angle = std::f64::consts::PI * (n as f64 + 0.5) * k as f64 / 8.0;
                    f64::from(block[n][3]) * angle.cos() * scale
                })
                .sum();
            assert!((exact - f64::from(transformed[k][3])).abs() < 1e-3, "{k}");
        }
        let back = inverse(&transformed);
        let pairs = block.as_flattened().iter().zip(back.as_flattened());
        assert!(pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-3));
    }

    #[test]
    fn without_noise_nothing_changes_and_with_it_an_even_plane_becomes_even() {
        for (width, height, step) in [(8, 8, 4), (29, 21, 3), (64, 17, 2), (13, 40, 8)] {
            let before: Vec<f32> = (0..width * height).map(|i| 100.0 + 20.0 * noise(i)).collect();
            let cells = width.div_ceil(SIDE) * height.div_ceil(SIDE);
            for (sigma, most) in [(0.0, 1e-3), (12.0, 6.0)] {
                let sigmas = vec![sigma; cells];
                let with = Thresholds { sigma: &sigmas, even: 2.7, detailed: 2.7, step };
                let mut plane = before.clone();
                threshold(&mut plane, width, &with, &mut || Ok::<(), Infallible>(()))
                    .expect("nobody stops it");
                let target = |i: usize| if sigma == 0.0 { before[i] } else { 110.0 };
                for (i, value) in plane.iter().enumerate() {
                    assert!(
                        (value - target(i)).abs() < most,
                        "{width} {height} {step} {sigma}: {value} at {i}"
                    );
                }
            }
        }
    }
}
