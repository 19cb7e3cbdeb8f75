//! Highlights and shadows: local brightness follows a smooth base that keeps to the picture's edges, so that texture
//! stays as it is. The base is a guided filter (He, Sun and Tang 2013) solved on a small picture (He and Sun 2015).

use super::chroma::smooth;
use super::lanes::{Colours, LANES};
use super::light::luminance;
use super::sampled::Sampled;

/// Longest side of the picture that the base is solved on.
pub(crate) const SIDE: usize = 640;
/// Radius of the base as a share of the small picture's longer side.
const RADIUS: f32 = 0.025;
/// Variance of the square root of luminance above which something is an edge.
const EDGE: f32 = 0.012;
/// Steps of the table of gains; the base reaches up to two, of the square root of luminance.
const STEPS: usize = 1024;
const LARGEST: f32 = 2.0;

/// What becomes of dark and of bright parts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Relief {
    /// -1 takes bright parts back by a stop, 1 lifts them towards white.
    pub highlights: f32,
    /// 1 lifts dark parts by two stops, -1 deepens them.
    pub shadows: f32,
}

impl Relief {
    /// Whether it changes nothing.
    pub fn is_neutral(self) -> bool {
        self == Self::default()
    }

    /// How many times brighter (linear) a part with that base becomes.
    fn gain(self, base: f32) -> f32 {
        let dark = 1.0 - smooth(base / 0.6);
        let bright = smooth((base - 0.4) / 0.6);
        let stops = if self.shadows > 0.0 { 2.0 } else { 1.5 };
        let shadows = (stops * self.shadows * dark).exp2();
        let highlights = if self.highlights < 0.0 {
            (self.highlights * bright).exp2()
        } else {
            // Towards white, never over it.
            let lifted = base + self.highlights * 0.6 * bright * (1.0 - base).max(0.0);
            (lifted / base.max(1e-3)).powi(2)
        };
        shadows * highlights
    }
}

/// Gains for every pixel of one picture.
pub(crate) struct Local {
    width: usize,
    height: usize,
    /// Slope and height of the base over the square root of luminance, at each cell.
    slopes: Vec<f32>,
    heights: Vec<f32>,
    gains: Vec<f32>,
}

impl Local {
    /// Solves the base of a picture seen small.
    pub fn new(relief: Relief, small: &Sampled) -> Self {
        let (width, height) = (small.width, small.height);
        let radius = ((width.max(height) as f32 * RADIUS).round() as usize).max(1);
        let weights: Vec<f32> = small.weights.iter().map(|w| w.max(1e-6)).collect();
        let roots: Vec<f32> = small.colours.iter().map(|&rgb| root(luminance(rgb))).collect();
        let mean = |values: &mut dyn Iterator<Item = f32>| box_sums(values.collect(), width, radius);
        let total = mean(&mut weights.iter().copied());
        let first = mean(&mut weights.iter().zip(&roots).map(|(w, r)| w * r));
        let second = mean(&mut weights.iter().zip(&roots).map(|(w, r)| w * r * r));
        let (mut slopes, mut heights) = (first, second);
        for ((slope, height), total) in slopes.iter_mut().zip(&mut heights).zip(&total) {
            let mean = *slope / total;
            let variance = (*height / total - mean * mean).max(0.0);
            *slope = variance / (variance + EDGE);
            *height = mean * (1.0 - *slope);
        }
        let smoothed = |values: &[f32]| {
            let sums = mean(&mut weights.iter().zip(values).map(|(w, v)| w * v));
            sums.iter().zip(&total).map(|(sum, total)| sum / total).collect()
        };
        let (slopes, heights) = (smoothed(&slopes), smoothed(&heights));
        let gains = (0..=STEPS + 1).map(|i| relief.gain(i as f32 / STEPS as f32 * LARGEST)).collect();
        Self { width, height, slopes, heights, gains }
    }

    /// Slopes and heights along a row of a picture of that size, between the small picture's rows.
    pub fn row(&self, y: usize, height: usize) -> Row<'_> {
        let at = ((y as f32 + 0.5) * self.height as f32 / height as f32 - 0.5)
            .clamp(0.0, (self.height - 1) as f32);
        let (upper, share) = (at as usize, at.fract());
        let lower = (upper + 1).min(self.height - 1);
        let between = |values: &[f32]| -> Vec<f32> {
            let (a, b) =
                (&values[upper * self.width..][..self.width], &values[lower * self.width..][..self.width]);
            let mut row: Vec<f32> = a.iter().zip(b).map(|(a, b)| a + (b - a) * share).collect();
            row.push(row[self.width - 1]);
            row
        };
        Row { local: self, slopes: between(&self.slopes), heights: between(&self.heights) }
    }
}

/// The base along one row.
pub(crate) struct Row<'a> {
    local: &'a Local,
    slopes: Vec<f32>,
    heights: Vec<f32>,
}

impl Row<'_> {
    /// Applies the gains to linear sRGB, from column `x` of a row that many pixels wide.
    pub fn apply(&self, colours: &mut Colours, x: usize, width: usize) {
        let step = self.local.width as f32 / width as f32;
        let last = (self.local.width - 1) as f32;
        let mut bases = [0.0; LANES];
        for (i, base) in bases.iter_mut().enumerate() {
            *base = root(luminance([colours[0][i], colours[1][i], colours[2][i]]));
        }
        for (i, base) in bases.iter_mut().enumerate() {
            let at = (((x + i) as f32 + 0.5) * step - 0.5).clamp(0.0, last);
            let (index, share) = (at as usize, at.fract());
            let slope = self.slopes[index] + (self.slopes[index + 1] - self.slopes[index]) * share;
            let height = self.heights[index] + (self.heights[index + 1] - self.heights[index]) * share;
            let at = (slope * *base + height).clamp(0.0, LARGEST) * (STEPS as f32 / LARGEST);
            let index = at as usize;
            let low = self.local.gains[index];
            *base = low + (self.local.gains[index + 1] - low) * at.fract();
        }
        for plane in colours {
            plane.iter_mut().zip(&bases).for_each(|(value, gain)| *value *= gain);
        }
    }
}

#[inline(always)]
fn root(y: f32) -> f32 {
    (if y > 0.0 { y } else { 0.0 }).sqrt()
}

/// Sums over squares of `2 * radius + 1`, cut at the picture's edges, in time that the radius has no part in.
fn box_sums(values: Vec<f32>, width: usize, radius: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mut rows = Vec::with_capacity(values.len());
    for row in values.chunks_exact(width) {
        let mut sums = Vec::with_capacity(width + 1);
        sums.push(0.0f64);
        row.iter().for_each(|v| sums.push(sums[sums.len() - 1] + f64::from(*v)));
        rows.extend(
            (0..width).map(|x| (sums[(x + radius + 1).min(width)] - sums[x.saturating_sub(radius)]) as f32),
        );
    }
    let mut sums = vec![0.0f64; width];
    let add = |sums: &mut [f64], y: usize, sign: f64| {
        let row = &rows[y * width..][..width];
        sums.iter_mut().zip(row).for_each(|(sum, v)| *sum += sign * f64::from(*v));
    };
    (0..radius.min(height)).for_each(|y| add(&mut sums, y, 1.0));
    let mut result = values;
    for y in 0..height {
        if y + radius < height {
            add(&mut sums, y + radius, 1.0);
        }
        if y > radius {
            add(&mut sums, y - radius - 1, -1.0);
        }
        result[y * width..][..width].iter_mut().zip(&sums).for_each(|(v, sum)| *v = *sum as f32);
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_over_boxes_are_what_adding_gives() {
        let (width, height) = (13, 9);
        let values: Vec<f32> = (0..width * height).map(|i| (i * 7 % 11) as f32).collect();
        for radius in [1, 3, 20] {
            let sums = box_sums(values.clone(), width, radius);
            for y in 0..height {
                for x in 0..width {
                    let mut expected = 0.0;
                    for v in y.saturating_sub(radius)..(y + radius + 1).min(height) {
                        for u in x.saturating_sub(radius)..(x + radius + 1).min(width) {
                            expected += values[v * width + u];
                        }
                    }
                    assert!((sums[y * width + x] - expected).abs() < 1e-3);
                }
            }
        }
    }

    #[test]
    fn the_order_of_brightness_stays() {
        for highlights in [-1.0, -0.5, 0.5, 1.0] {
            for shadows in [-1.0, -0.5, 0.5, 1.0] {
                let relief = Relief { highlights, shadows };
                let after: Vec<f32> = (0..=1000)
                    .map(|i| i as f32 / 1000.0)
                    .map(|base| base * relief.gain(base).sqrt())
                    .collect();
                assert!(after.windows(2).all(|v| v[1] > v[0] - 1e-6), "{relief:?}");
                assert!(after[0] == 0.0 && after[1000] <= 1.0 + 1e-6);
            }
        }
        assert_eq!(Relief::default().gain(0.4), 1.0);
    }

    /// Dark on the left, bright on the right, with fine texture on both.
    fn halves() -> Sampled {
        let (width, height) = (200, 120);
        let at = |i: usize| {
            let side = if i % width < width / 2 { 0.04 } else { 0.7 };
            side * (1.0 + 0.1 * f32::from((i * 7 % 3) as u8 as f32 - 1.0))
        };
        Sampled {
            width,
            height,
            colours: (0..width * height).map(|i| [at(i); 3]).collect(),
            weights: vec![1.0; width * height],
        }
    }

    #[test]
    fn shadows_are_lifted_beside_an_edge_without_a_halo() {
        let small = halves();
        let local = Local::new(Relief { highlights: 0.0, shadows: 1.0 }, &small);
        let row = local.row(60, 120);
        let mut gains = Vec::new();
        for x in [0, 72] {
            let mut colours = [[0.0; LANES]; 3];
            for i in 0..LANES {
                colours.iter_mut().for_each(|plane| plane[i] = small.colours[60 * 200 + x + i][0]);
            }
            let before = colours[0];
            row.apply(&mut colours, x, 200);
            gains.extend((0..LANES).map(|i| (x + i, colours[0][i] / before[i])));
        }
        for (x, gain) in gains {
            // Within a few pixels of the edge the base may be anything in between.
            match x {
                0..90 => assert!((1.8..3.6).contains(&gain), "{x}: {gain}"),
                110.. => assert!((0.99..1.15).contains(&gain), "{x}: {gain}"),
                _ => {}
            }
        }
    }
}
