//! Blur of planes of floats, by running means: as fast for wide blurs as for narrow ones.

/// Blurs a plane with another strength across than down: three running means, which is a Gaussian to within 3 %.
pub(crate) fn soften(plane: &mut [f32], width: usize, across: f64, down: f64) {
    let mut line = Vec::new();
    for row in plane.chunks_exact_mut(width) {
        for _ in 0..3 {
            running_mean(row, across, &mut line);
        }
    }
    let height = plane.len() / width;
    let mut column = vec![0.0; height];
    for x in 0..width {
        for (value, row) in column.iter_mut().zip(plane.chunks_exact(width)) {
            *value = row[x];
        }
        for _ in 0..3 {
            running_mean(&mut column, down, &mut line);
        }
        for (value, row) in column.iter().zip(plane.chunks_exact_mut(width)) {
            row[x] = *value;
        }
    }
}

/// How far a running mean reaches to either side of a place.
#[derive(Clone, Copy)]
pub(crate) struct Reach {
    /// Values that count whole.
    whole: usize,
    /// How much the next ones count.
    part: f32,
    /// One over the length.
    share: f32,
}

impl Reach {
    /// Of the mean whose threefold use has the standard deviation `sigma`. Variance of a box of length n is (n² − 1) / 12,
    /// of three of them (n² − 1) / 4. The length need not be whole: the two outermost values count in part.
    pub(crate) fn of(sigma: f64) -> Self {
        let length = (4.0 * sigma * sigma + 1.0).sqrt();
        let half = (length - 1.0) / 2.0;
        Self { whole: half as usize, part: half.fract() as f32, share: (1.0 / length) as f32 }
    }
}

/// One running mean of the length whose threefold use has the standard deviation `sigma`; beyond the ends there is 0.
fn running_mean(values: &mut [f32], sigma: f64, sums: &mut Vec<f64>) {
    let reach = Reach::of(sigma);
    running_mean_by(values, |_| reach, sums);
}

/// As [`running_mean`], with a reach for each place.
pub(crate) fn running_mean_by(values: &mut [f32], reach: impl Fn(usize) -> Reach, sums: &mut Vec<f64>) {
    sums.clear();
    sums.push(0.0);
    let mut sum = 0.0;
    for &value in values.iter() {
        sum += f64::from(value);
        sums.push(sum);
    }
    let count = values.len();
    let single = |at: Option<usize>| at.filter(|&at| at < count).map_or(0.0, |at| sums[at + 1] - sums[at]);
    for (x, value) in values.iter_mut().enumerate() {
        let Reach { whole, part, share } = reach(x);
        let inner = sums[(x + whole + 1).min(count)] - sums[x.saturating_sub(whole)];
        let outer = single(x.checked_sub(whole + 1)) + single(Some(x + whole + 1));
        *value = ((inner + outer * f64::from(part)) * f64::from(share)) as f32;
    }
}
