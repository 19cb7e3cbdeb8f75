//! Strands: a wide zone around the outline, solved where a narrow band around it cannot reach.
//!
//! "A Closed-Form Solution to Natural Image Matting" (Levin, Lischinski, Weiss 2008): in every window of three by three pixels
//! alpha is a linear function of colour. Solved at a bounded size by conjugate gradients; the linear functions, enlarged,
//! then give alpha from the colours of the picture at its own size, as in "Fast Guided Filter" (He, Sun 2015).

use pixels::{Bitmap, Mask, Samples};

use crate::claims::Small;
use crate::error::{MattingError, check_size};
use crate::source::{Colours, Interleaved};
use crate::square::dilated;

/// Longest side at which the zone is solved.
const SIDE: usize = 1024;
/// How far strands reach from the outline, in shares of the longer side.
const REACH: f64 = 0.025;
/// Ridge on the colours' covariance, for colours from 0 to 1: the least contrast that says something.
const RIDGE: f64 = 2e-5;
/// Pull of the alpha that was there, beside the windows' nine or less: on what is whole, since strands are looked for
/// outside of it, and on the rest.
const PULL_WHOLE: f64 = 0.015;
const PULL: f64 = 0.004;
/// Rounds of conjugate gradients, and the share of the first residual that is good enough.
const ROUNDS: usize = 120;
const ENOUGH: f64 = 2e-3;

/// Solves hair, fur and fringes around the outline of an alpha. Outside of that zone nothing changes. An alpha channel of
/// the bitmap is not read. Refuses a mask of another size.
pub fn solve_strands(bitmap: &Bitmap, alpha: &mut Mask) -> Result<(), MattingError> {
    check_size(bitmap, alpha)?;
    let small = Small::of(bitmap, alpha, SIDE);
    let zone = zone(&small);
    if !zone.contains(&1) {
        return Ok(());
    }
    let colours: Vec<[f64; 3]> = small
        .plane
        .rgb
        .as_chunks::<3>()
        .0
        .iter()
        .map(|rgb| rgb.map(|value| f64::from(value) / 255.0))
        .collect();
    let windows = Windows::of(&colours, &zone, small.plane.width);
    let before: Vec<f64> = small.alpha.iter().map(|&value| f64::from(value) / 255.0).collect();
    let solved = windows.solved(&before, &zone);
    let models = windows.models(&solved);
    enlarge(bitmap, alpha, &small, &zone, &solved, &models);
    Ok(())
}

/// Where strands may be: near the outline, and near what is neither in nor out.
fn zone(small: &Small) -> Vec<u8> {
    let (width, height) = (small.plane.width, small.plane.height);
    let reach = ((width.max(height) as f64 * REACH).round() as usize).max(4);
    let is_edge = |at: usize| {
        let side = small.alpha[at] >= 128;
        let beside = |next: usize| (small.alpha[next] >= 128) != side;
        (at % width + 1 < width && beside(at + 1)) || (at / width + 1 < height && beside(at + width))
    };
    let edges: Vec<u8> = (0..small.alpha.len()).map(|at| u8::from(is_edge(at))).collect();
    dilated(&edges, width, height, reach)
}

/// All windows that hold a pixel of the zone.
struct Windows<'a> {
    colours: &'a [[f64; 3]],
    width: usize,
    list: Vec<Window>,
}

/// Three by three pixels.
struct Window {
    /// Index of the pixel in the middle.
    middle: usize,
    mean: [f64; 3],
    /// Inverse of the colours' covariance with its ridge: xx, xy, xz, yy, yz, zz.
    inverse: [f64; 6],
}

impl<'a> Windows<'a> {
    fn of(colours: &'a [[f64; 3]], zone: &[u8], width: usize) -> Self {
        let height = colours.len() / width;
        let near = dilated(zone, width, height, 1);
        let mut list = Vec::new();
        for y in 1..height.saturating_sub(1) {
            for x in 1..width.saturating_sub(1) {
                let middle = y * width + x;
                if near[middle] == 1 {
                    list.push(Window::of(colours, middle, width));
                }
            }
        }
        Self { colours, width, list }
    }

    /// The matting Laplacian times a vector: how far each window's pixels are from its best linear function.
    fn times(&self, vector: &[f64], out: &mut [f64]) {
        out.fill(0.0);
        for window in &self.list {
            let (slope, mean) = window.fit(self.colours, self.width, vector);
            for at in around(window.middle, self.width) {
                let colour = self.colours[at];
                let along: f64 = (0..3).map(|c| slope[c] * (colour[c] - window.mean[c])).sum();
                out[at] += vector[at] - mean - along;
            }
        }
    }

    /// Alpha in the zone by conjugate gradients, from what it was; outside it is what it was.
    fn solved(&self, before: &[f64], zone: &[u8]) -> Vec<f64> {
        let inside: Vec<usize> = (0..zone.len()).filter(|&at| zone[at] == 1).collect();
        let mut alpha = before.to_vec();
        let mut product = vec![0.0; alpha.len()];
        self.times(&alpha, &mut product);
        let pull = |at: usize| if before[at] >= 0.95 { PULL_WHOLE } else { PULL };
        let dot = |a: &[f64], b: &[f64]| inside.iter().map(|&at| a[at] * b[at]).sum::<f64>();
        let mut residual = vec![0.0; alpha.len()];
        for &at in &inside {
            residual[at] = -product[at];
        }
        let mut direction = residual.clone();
        let first = dot(&residual, &residual);
        let mut now = first;
        for _ in 0..ROUNDS {
            if now <= first * ENOUGH * ENOUGH || now <= 1e-12 {
                break;
            }
            self.times(&direction, &mut product);
            for &at in &inside {
                product[at] += pull(at) * direction[at];
            }
            let step = now / dot(&direction, &product).max(1e-12);
            for &at in &inside {
                alpha[at] += step * direction[at];
                residual[at] -= step * product[at];
            }
            let next = dot(&residual, &residual);
            for &at in &inside {
                direction[at] = residual[at] + next / now * direction[at];
            }
            now = next;
        }
        alpha
    }

    /// The linear function from colour to alpha of each window: slope and offset, by the pixel in its middle.
    fn models(&self, alpha: &[f64]) -> Vec<[f32; 4]> {
        let mut models = vec![[0.0f32; 4]; alpha.len()];
        let mut count = vec![0.0f32; alpha.len()];
        for window in &self.list {
            let (slope, mean) = window.fit(self.colours, self.width, alpha);
            let offset = mean - (0..3).map(|c| slope[c] * window.mean[c]).sum::<f64>();
            for at in around(window.middle, self.width) {
                for (lane, value) in models[at].iter_mut().zip([slope[0], slope[1], slope[2], offset]) {
                    *lane += value as f32;
                }
                count[at] += 1.0;
            }
        }
        for (model, count) in models.iter_mut().zip(count) {
            *model = model.map(|lane| lane / f32::max(count, 1.0));
        }
        models
    }
}

impl Window {
    fn of(colours: &[[f64; 3]], middle: usize, width: usize) -> Self {
        let mut mean = [0.0; 3];
        for at in around(middle, width) {
            (0..3).for_each(|c| mean[c] += colours[at][c] / 9.0);
        }
        let mut covariance = [RIDGE, 0.0, 0.0, RIDGE, 0.0, RIDGE];
        for at in around(middle, width) {
            let [x, y, z] = [0, 1, 2].map(|c| colours[at][c] - mean[c]);
            for (sum, product) in covariance.iter_mut().zip([x * x, x * y, x * z, y * y, y * z, z * z]) {
                *sum += product / 9.0;
            }
        }
        let [xx, xy, xz, yy, yz, zz] = covariance;
        let cofactors = [
            yy * zz - yz * yz,
            xz * yz - xy * zz,
            xy * yz - xz * yy,
            xx * zz - xz * xz,
            xy * xz - xx * yz,
            xx * yy - xy * xy,
        ];
        let determinant = xx * cofactors[0] + xy * cofactors[1] + xz * cofactors[2];
        Self { middle, mean, inverse: cofactors.map(|cofactor| cofactor / determinant) }
    }

    /// The best linear function of colour: its slope, and the mean of the values.
    fn fit(&self, colours: &[[f64; 3]], width: usize, values: &[f64]) -> ([f64; 3], f64) {
        let (mut mean, mut cross) = (0.0, [0.0; 3]);
        for at in around(self.middle, width) {
            mean += values[at] / 9.0;
            (0..3).for_each(|c| cross[c] += (colours[at][c] - self.mean[c]) * values[at] / 9.0);
        }
        let [xx, xy, xz, yy, yz, zz] = self.inverse;
        let [x, y, z] = cross;
        ([xx * x + xy * y + xz * z, xy * x + yy * y + yz * z, xz * x + yz * y + zz * z], mean)
    }
}

fn around(middle: usize, width: usize) -> impl Iterator<Item = usize> {
    (0..9).map(move |n| middle + n / 3 * width + n % 3 - width - 1)
}

/// Writes the zone at the picture's size.
fn enlarge(
    bitmap: &Bitmap,
    alpha: &mut Mask,
    small: &Small,
    zone: &[u8],
    solved: &[f64],
    models: &[[f32; 4]],
) {
    let (width, halvings) = (small.plane.width, small.halvings());
    let byte = |value: f32| (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
    if halvings == 0 {
        for (at, value) in alpha.values_mut().iter_mut().enumerate().filter(|(at, _)| zone[*at] == 1) {
            *value = byte(solved[at] as f32);
        }
        return;
    }
    let step = bitmap.channels().count();
    match bitmap.samples() {
        Samples::U8(samples) => {
            write_zone(&Interleaved { samples, step }, alpha, (width, halvings), zone, models, byte);
        }
        Samples::U16(samples) => {
            write_zone(&Interleaved { samples, step }, alpha, (width, halvings), zone, models, byte);
        }
    }
}

fn write_zone<C: Colours>(
    colours: &C,
    alpha: &mut Mask,
    (width, halvings): (usize, usize),
    zone: &[u8],
    models: &[[f32; 4]],
    byte: impl Fn(f32) -> u8,
) {
    let full = alpha.width() as usize;
    let height = models.len() / width;
    let scale = 1.0 / (1 << halvings) as f32;
    for (y, line) in alpha.values_mut().chunks_exact_mut(full).enumerate() {
        let zone = &zone[(y >> halvings) * width..][..width];
        let fy = ((y as f32 + 0.5) * scale - 0.5).max(0.0);
        let (top, ty) = (fy as usize, fy.fract());
        let bottom = (top + 1).min(height - 1);
        for (x, value) in line.iter_mut().enumerate().filter(|(x, _)| zone[x >> halvings] == 1) {
            let fx = ((x as f32 + 0.5) * scale - 0.5).max(0.0);
            let (left, tx) = (fx as usize, fx.fract());
            let right = (left + 1).min(width - 1);
            let lane = |c: usize| {
                let upper = models[top * width + left][c] * (1.0 - tx) + models[top * width + right][c] * tx;
                let lower =
                    models[bottom * width + left][c] * (1.0 - tx) + models[bottom * width + right][c] * tx;
                upper * (1.0 - ty) + lower * ty
            };
            let [r, g, b] = colours.at(y * full + x).map(|level| level / 255.0);
            *value = byte(lane(0) * r + lane(1) * g + lane(2) * b + lane(3));
        }
    }
}

#[cfg(test)]
mod tests {
    use pixels::Channels;

    use super::*;

    /// A dark block with strands to its right on a pale ground, at a side; the exact alpha, and one that knows the block only.
    fn strands(side: usize) -> (Bitmap, Mask, Mask) {
        let scale = side as f64 / 200.0;
        let covered = |x: usize, y: usize| -> f64 {
            let (x, y) = (x as f64 / scale, y as f64 / scale);
            if x < 100.0 {
                return 1.0;
            }
            let strand = ((y + 3.0 * (x * 0.2).sin()) % 9.0 - 4.5).abs();
            if x < 104.5 { (1.6 - strand).clamp(0.0, 1.0) } else { 0.0 }
        };
        let exact: Vec<f64> = (0..side * side).map(|at| covered(at % side, at / side)).collect();
        let mix = |alpha: f64, at: usize| {
            let shade = 12.0 * (at as f64 / (side * side) as f64);
            [(50.0, 205.0), (40.0, 210.0), (36.0, 200.0)]
                .map(|(front, back)| (alpha * front + (1.0 - alpha) * (back + shade)).round() as u8)
        };
        let samples = exact.iter().enumerate().flat_map(|(at, alpha)| mix(*alpha, at)).collect();
        let size = side as u32;
        let bitmap = Bitmap::from_u8(size, size, Channels::Rgb, samples).expect("square");
        let mask = |values: Vec<u8>| Mask::new(size, size, values).expect("square");
        let exact = mask(exact.iter().map(|alpha| (alpha * 255.0).round() as u8).collect());
        let block = mask(
            (0..side * side).map(|at| if ((at % side) as f64) < 102.0 * scale { 255 } else { 0 }).collect(),
        );
        (bitmap, exact, block)
    }

    #[test]
    fn strands_beyond_the_outline_are_found_at_any_size() {
        for side in [200, 2200] {
            let (bitmap, exact, block) = strands(side);
            let mut solved = block.clone();
            solve_strands(&bitmap, &mut solved).expect("the same size");
            let error = |mask: &Mask| crate::metrics::mae(mask, &exact).expect("the same size");
            assert!(error(&solved) < 0.5 * error(&block), "{side}: {} {}", error(&solved), error(&block));
        }
    }

    #[test]
    fn a_plain_edge_stays_where_it_is() {
        let (_, _, block) = strands(200);
        let level = |value: &u8| if *value == 255 { [60, 50, 40] } else { [200, 205, 210] };
        let samples = block.values().iter().flat_map(level).collect();
        let bitmap = Bitmap::from_u8(200, 200, Channels::Rgb, samples).expect("square");
        let mut solved = block.clone();
        solve_strands(&bitmap, &mut solved).expect("the same size");
        assert!(crate::metrics::mae(&solved, &block).expect("the same size") < 0.002);
    }
}
