//! Convolution of planes of floats with a symmetric kernel, across and down; planes go on beyond their edges as the edge is.

/// The Gaussian of that sigma from its middle on, cut off at three sigmas; the whole of it sums to 1.
pub(crate) fn gaussian(sigma: f32) -> Vec<f32> {
    let sigma = f64::from(sigma);
    let reach = (sigma * 3.0).ceil().max(1.0) as usize;
    let half: Vec<f64> = (0..=reach).map(|x| (-0.5 * (x as f64 / sigma).powi(2)).exp()).collect();
    let sum = half[0] + 2.0 * half[1..].iter().sum::<f64>();
    half.iter().map(|value| (value / sum) as f32).collect()
}

/// Convolves every row of `plane` in place.
pub(crate) fn across(plane: &mut [f32], width: usize, half: &[f32]) {
    let reach = half.len() - 1;
    let mut padded = vec![0f32; width + 2 * reach];
    for row in plane.chunks_exact_mut(width) {
        padded[reach..reach + width].copy_from_slice(row);
        padded[..reach].fill(row[0]);
        padded[reach + width..].fill(row[width - 1]);
        row.iter_mut().for_each(|value| *value *= half[0]);
        for (k, weight) in half.iter().enumerate().skip(1) {
            let (left, right) = (&padded[reach - k..][..width], &padded[reach + k..][..width]);
            for ((to, left), right) in row.iter_mut().zip(left).zip(right) {
                *to += (left + right) * weight;
            }
        }
    }
}

/// Convolves the columns around row `middle` of `plane`; all rows the kernel reaches must be there.
pub(crate) fn down(plane: &[f32], width: usize, middle: usize, half: &[f32], to: &mut [f32]) {
    let row = |y: usize| &plane[y * width..(y + 1) * width];
    to.iter_mut().zip(row(middle)).for_each(|(to, value)| *to = value * half[0]);
    for (k, weight) in half.iter().enumerate().skip(1) {
        for ((to, above), below) in to.iter_mut().zip(row(middle - k)).zip(row(middle + k)) {
            *to += (above + below) * weight;
        }
    }
}
