//! What is left of a backdrop's light, without the grain of the photo.

use super::grid::Grid;
use super::{luma, step};
use crate::soften::soften;

/// Shares of the light from which on a darkness is seen as finely as the grid allows; fainter ones are seen through wider
/// means, because nothing hides grain there.
const FAINT: (f32, f32) = (0.03, 0.12);

/// The light on a grid; what is hidden holds no meaning.
pub(super) struct Light {
    /// What is left of it, by channel.
    pub ratio: [Vec<f32>; 3],
    /// How much of it is lost, 0 to 1.
    pub lost: Vec<f32>,
    /// How unsteady it is from one place to the next: the standard deviation of what a mean over a few cells leaves.
    pub ragged: Vec<f32>,
}

impl Light {
    /// The photo over its clean backdrop. Means are made over what is seen alone: nothing of the subject comes in.
    pub(super) fn of(grid: &Grid, clean: &[Vec<f32>; 3], hidden: &[bool]) -> Self {
        let (width, side) = (grid.width, grid.width.max(grid.height) as f64);
        let means = Means { hidden, width };
        let raw: [Vec<f32>; 3] = [0, 1, 2].map(|c| {
            let pairs = grid.colours[c].iter().zip(&clean[c]).zip(hidden);
            pairs.map(|((own, clean), hidden)| if *hidden { 0.0 } else { own / clean }).collect()
        });
        let brightness = |planes: &[Vec<f32>; 3], i: usize| luma([planes[0][i], planes[1][i], planes[2][i]]);
        let whole: Vec<f32> = (0..raw[0].len()).map(|i| brightness(&raw, i)).collect();
        let fine = means.over(&whole, 0.8);
        let mut ratio = raw.map(|plane| means.over(&plane, (side * 0.004).max(1.5)));
        let mut lost = Vec::with_capacity(fine.len());
        for (i, &fine) in fine.iter().enumerate() {
            let wide = brightness(&ratio, i);
            let level = wide + (fine - wide) * step(FAINT.0, FAINT.1, 1.0 - fine);
            ratio.iter_mut().for_each(|plane| plane[i] = (plane[i] + level - wide).max(0.0));
            lost.push((1.0 - level).clamp(0.0, 1.0));
        }
        let around = means.over(&fine, (side * 0.006).max(1.5));
        let detail: Vec<f32> = fine
            .iter()
            .zip(&around)
            .zip(hidden)
            .map(|((fine, around), hidden)| if *hidden { 0.0 } else { (fine - around).powi(2) })
            .collect();
        let ragged = means.over(&detail, (side * 0.012).max(2.5));
        Self { ratio, lost, ragged: ragged.iter().map(|value| value.max(0.0).sqrt()).collect() }
    }
}

/// Means around each place over what is not hidden.
struct Means<'a> {
    hidden: &'a [bool],
    width: usize,
}

impl Means<'_> {
    /// The plane, which is 0 where it is hidden, softened by `sigma` cells.
    fn over(&self, plane: &[f32], sigma: f64) -> Vec<f32> {
        let mut seen: Vec<f32> = self.hidden.iter().map(|&hidden| if hidden { 0.0 } else { 1.0 }).collect();
        let mut mean: Vec<f32> = plane.iter().zip(&seen).map(|(value, seen)| value * seen).collect();
        soften(&mut seen, self.width, sigma, sigma);
        soften(&mut mean, self.width, sigma, sigma);
        mean.iter_mut().zip(&seen).for_each(|(value, seen)| *value /= seen.max(1e-3));
        mean
    }
}
