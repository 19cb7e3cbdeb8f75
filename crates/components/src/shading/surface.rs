//! The backdrop as a smooth surface, fitted to what of it is seen without shadow.

use super::grid::{Grid, distances};
use super::luma;
use crate::soften::soften;

/// Most cells that the surface is fitted to.
const SAMPLES: usize = 24_000;
/// Rounds of fitting and weighing.
const ROUNDS: usize = 14;
/// Terms of the surface: all up to the second order.
const TERMS: usize = 6;
/// Which of the values in a row tells how bright the bare backdrop is there: shadows lie below it.
const ROW_SHARE: f64 = 0.75;
/// Half of the rows (in shares of the height) over which what is darker is a shadow and no bend.
const DIP: f64 = 0.08;
/// By how many standard deviations of noise that lies above the middle.
const ROW_ABOVE: f64 = 0.674;
/// How far from anything odd the backdrop is bare, in shares of the longer side: a shadow thins out slowly.
const BARE: f32 = 0.035;
/// What the surface counts against what is left around it where that is all bare, which is 1.
const PRIOR: f32 = 0.04;
/// Least noise that is assumed, in levels.
const LEAST_NOISE: f64 = 0.35;

/// A backdrop without what stands before it.
pub(super) struct Surface {
    /// Red, green and blue, in levels of 255.
    pub planes: [Vec<f32>; 3],
    /// Standard deviation of what is seen of it, in shares of its light.
    pub noise: f32,
    /// Its mean brightness, in levels.
    pub level: f32,
    /// Share of what is seen that belongs to it.
    pub inliers: f32,
}

impl Surface {
    /// Fits it to the cells that are not hidden, by iteratively reweighted least squares with Tukey's biweight. Darker
    /// cells lose their say sooner than brighter ones: they may lie in a shadow.
    pub(super) fn fit(grid: &Grid, hidden: &[bool]) -> Self {
        let (width, height) = (grid.width, grid.height);
        let seen: Vec<usize> = (0..width * height).filter(|&i| !hidden[i]).collect();
        let every = seen.len().div_ceil(SAMPLES).max(1);
        let samples: Vec<Sample> = seen.iter().step_by(every).map(|&i| Sample::of(grid, i)).collect();
        let mut weights: Vec<f64> = samples
            .iter()
            // The border is where shadows are least likely.
            .map(|sample| if sample.terms[1].abs().max(sample.terms[2].abs()) > 0.88 { 4.0 } else { 1.0 })
            .collect();
        let first = weights.clone();
        let mut scale = LEAST_NOISE;
        let mut surface = [0.0; TERMS];
        for round in 0..ROUNDS {
            surface = solved(&samples, &weights, |sample| sample.brightness);
            let errors: Vec<f64> =
                samples.iter().map(|sample| sample.brightness - value(&surface, &sample.terms)).collect();
            // Above the surface there is noise alone; below it there may be shadows, too.
            let mut above: Vec<f64> = errors.iter().copied().filter(|&error| error > 0.0).collect();
            scale = (1.4826 * middle(&mut above)).max(LEAST_NOISE);
            // Wide at first, so that nothing is thrown away by a bad beginning.
            let wide = if round < 4 { 2.0 } else { 1.0 };
            for ((weight, first), error) in weights.iter_mut().zip(&first).zip(&errors) {
                let limit = scale * wide * if *error < 0.0 { 2.5 } else { 4.5 };
                let share = 1.0 - (error / limit).powi(2);
                *weight = first * share.max(0.0).powi(2);
            }
        }
        let channels: [[f64; TERMS]; 3] =
            [0, 1, 2].map(|c| solved(&samples, &weights, |sample| sample.colour[c]));

        // What is clearly not the bare backdrop, and what is near it, where the shadow thins out.
        let bend = bend(grid, hidden, &surface, scale);
        let error_at = |i: usize| {
            let sample = Sample::of(grid, i);
            let bare = value(&surface, &sample.terms);
            sample.brightness - bare * bend[i / width]
        };
        let odd: Vec<bool> = (0..width * height)
            .map(|i| hidden[i] || !(-2.5 * scale..4.0 * scale).contains(&error_at(i)))
            .collect();
        let side = width.max(height);
        // Single cells of noise are no shadow.
        let clustered = clustered(&odd, width);
        let away = distances(&clustered, width);
        let bare: Vec<bool> = away.iter().map(|&away| away > side as f32 * BARE).collect();
        let inliers = odd.iter().zip(hidden).filter(|(odd, hidden)| !**odd && !**hidden).count();

        let mut weight: Vec<f32> = bare.iter().map(|&bare| f32::from(u8::from(bare))).collect();
        let sigma = side as f64 * 0.1;
        soften(&mut weight, width, sigma, sigma);
        let planes = [0, 1, 2].map(|c| {
            let at = |i: usize| (value(&channels[c], &terms(grid, i)) * bend[i / width]) as f32;
            // What this leaves, taken from what is bare nearby.
            let left = |i: usize| if bare[i] { grid.colours[c][i] - at(i) } else { 0.0 };
            let mut rest: Vec<f32> = (0..width * height).map(left).collect();
            soften(&mut rest, width, sigma, sigma);
            (0..width * height).map(|i| (at(i) + rest[i] / (weight[i] + PRIOR)).clamp(1.0, 255.0)).collect()
        });
        let planes: [Vec<f32>; 3] = planes;
        let mut errors: Vec<f64> = (0..width * height)
            .filter(|&i| bare[i])
            .map(|i| {
                let of = |planes: &[Vec<f32>; 3]| luma([planes[0][i], planes[1][i], planes[2][i]]);
                f64::from((of(&grid.colours) / of(&planes) - 1.0).abs())
            })
            .collect();
        let noise = if errors.is_empty() { 1.0 } else { 1.4826 * middle(&mut errors) as f32 };
        let level = planes.iter().map(|plane| plane.iter().sum::<f32>()).sum::<f32>();
        Self {
            level: level / (3 * width * height) as f32,
            planes,
            noise,
            inliers: inliers as f32 / seen.len().max(1) as f32,
        }
    }
}

/// By how much each row is brighter than the surface: a wall bends into the floor along a row, all across the photo, while a
/// shadow takes a part of it. Steady from one row to the next.
fn bend(grid: &Grid, hidden: &[bool], surface: &[f64; TERMS], scale: f64) -> Vec<f64> {
    let (width, height) = (grid.width, grid.height);
    let found: Vec<Option<f64>> = (0..height)
        .map(|y| {
            let seen = (y * width..(y + 1) * width).filter(|&i| !hidden[i]);
            let mut shares: Vec<f64> = seen
                .map(|i| {
                    let sample = Sample::of(grid, i);
                    let bare = value(surface, &sample.terms).max(1.0);
                    (sample.brightness - ROW_ABOVE * scale) / bare
                })
                .collect();
            // Beside a subject that leaves little room, all that is seen may be shadow.
            let enough = shares.len() * 2 >= width;
            let place = (shares.len() as f64 * ROW_SHARE) as usize;
            enough.then(|| *shares.select_nth_unstable_by(place, f64::total_cmp).1)
        })
        .collect();
    // A dip over few rows is the shadow under something wide; a sweep bends over more.
    let wide = (height as f64 * DIP).ceil() as usize;
    let highest = over(&found, wide, |rows| rows.reduce(f64::max));
    let closed = over(&highest, wide, |rows| rows.reduce(f64::min));
    // Rows of which too little is seen go on as their neighbours.
    let reach = (height / 64).max(2);
    let mean = |reach: usize| {
        over(&closed, reach, |rows| {
            let (sum, count) = rows.fold((0.0, 0.0), |(sum, count), row| (sum + row, count + 1.0));
            (count > 0.0).then(|| sum / count)
        })
    };
    let steps = [reach, reach * 4, height].map(mean);
    (0..height).map(|y| steps.iter().find_map(|step| step[y]).unwrap_or(1.0)).collect()
}

/// What a measure gives of the rows around each, so many above and below; rows that are not known do not count.
fn over(
    rows: &[Option<f64>],
    reach: usize,
    measure: impl Fn(&mut dyn Iterator<Item = f64>) -> Option<f64>,
) -> Vec<Option<f64>> {
    (0..rows.len())
        .map(|y| {
            let near = &rows[y.saturating_sub(reach)..(y + reach + 1).min(rows.len())];
            measure(&mut near.iter().flatten().copied())
        })
        .collect()
}

/// A cell as the fit sees it.
struct Sample {
    terms: [f64; TERMS],
    brightness: f64,
    colour: [f64; 3],
}

impl Sample {
    fn of(grid: &Grid, i: usize) -> Self {
        let colour = [0, 1, 2].map(|c| grid.colours[c][i]);
        Self { terms: terms(grid, i), brightness: luma(colour).into(), colour: colour.map(f64::from) }
    }
}

/// 1, x, y, x², xy, y² at a cell; x and y run from -1 to 1.
fn terms(grid: &Grid, i: usize) -> [f64; TERMS] {
    let share = |at: usize, count: usize| (at as f64 * 2.0 + 1.0) / count as f64 - 1.0;
    let (x, y) = (share(i % grid.width, grid.width), share(i / grid.width, grid.height));
    [1.0, x, y, x * x, x * y, y * y]
}

fn value(surface: &[f64; TERMS], terms: &[f64; TERMS]) -> f64 {
    surface.iter().zip(terms).map(|(a, b)| a * b).sum()
}

/// Weighted least squares by the normal equations; a little of the identity keeps them solvable.
fn solved(samples: &[Sample], weights: &[f64], of: impl Fn(&Sample) -> f64) -> [f64; TERMS] {
    let mut matrix = [[0.0; TERMS + 1]; TERMS];
    for (sample, weight) in samples.iter().zip(weights) {
        let value = of(sample);
        for (row, term) in matrix.iter_mut().zip(sample.terms) {
            let scaled = term * weight;
            for (cell, other) in row.iter_mut().zip(sample.terms) {
                *cell += scaled * other;
            }
            row[TERMS] += scaled * value;
        }
    }
    let trace: f64 = (0..TERMS).map(|i| matrix[i][i]).sum();
    (0..TERMS).for_each(|i| matrix[i][i] += 1e-9 * trace + 1e-12);
    for pivot in 0..TERMS {
        let lead = matrix[pivot];
        for row in matrix.iter_mut().skip(pivot + 1) {
            let factor = row[pivot] / lead[pivot];
            row.iter_mut().zip(lead).skip(pivot).for_each(|(cell, lead)| *cell -= factor * lead);
        }
    }
    let mut found = [0.0; TERMS];
    for pivot in (0..TERMS).rev() {
        let known: f64 = (pivot + 1..TERMS).map(|i| matrix[pivot][i] * found[i]).sum();
        found[pivot] = (matrix[pivot][TERMS] - known) / matrix[pivot][pivot];
    }
    found
}

/// The median; 0 where there is nothing.
fn middle(values: &mut [f64]) -> f64 {
    let half = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(half, f64::total_cmp).1 }
}

/// The cells that are set together with at least half of the eight around them.
fn clustered(set: &[bool], width: usize) -> Vec<bool> {
    let height = set.len() / width;
    let at = |x: usize, y: usize| usize::from(set[y * width + x]);
    (0..set.len())
        .map(|i| {
            let (x, y) = (i % width, i / width);
            let (columns, rows) =
                (x.saturating_sub(1)..(x + 2).min(width), y.saturating_sub(1)..(y + 2).min(height));
            let around: usize = rows.map(|y| columns.clone().map(|x| at(x, y)).sum::<usize>()).sum();
            set[i] && around >= 5
        })
        .collect()
}
