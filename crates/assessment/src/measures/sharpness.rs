//! How sharp the subject is: the blur of its edges.

use super::ALWAYS_GATE;
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::rank::quantile;
use crate::scene::Scene;
use crate::{Action, Category};

/// Sigmas of the two Gaussians between which edges are compared, in pixels.
const FINE: f64 = 1.0;
const COARSE: f64 = 2.0;
/// Reach of the coarse one.
const RADIUS: usize = 6;
/// Variance of a central difference over two pixels, taken as a box, and of a pixel's own square.
const DIFFERENCE_VARIANCE: f64 = 4.0 / 12.0;
/// Pixels of the picture between a tile's edges and the outline, whose sharpness is the cut-out's.
const DEPTH: f64 = 8.0;
/// Side of a tile, in pixels of the picture.
const TILE: usize = 96;
/// Tiles that are looked at, spread evenly.
const MOST_TILES: usize = 240;
/// Steepness from which something is an edge and not shading, in levels a pixel after the fine Gaussian …
const LEAST_STEP: f64 = 2.5;
/// … and how many times the grain's own steepness.
const OVER_GRAIN: f64 = 6.0;
/// Share of the grain's sigma that is left of it in a derivative of the fine Gaussian: 1 / (2 σ² √(2π)).
const GRAIN_STEP: f64 = 0.2;
/// Edge pixels that are needed.
const LEAST_EDGES: usize = 120;
/// Share of the steeper edges that are sharper than the value.
const MIDDLE: f64 = 0.5;
/// Blur counts as it is seen at this longest side.
const SEEN_SIDE: f64 = 2000.0;

/// Median sigma of the Gaussians that blur the steeper half of the edges.
pub(super) const SHARPNESS: Measure = Measure {
    info: MeasureInfo {
        code: "sharpness",
        name: "Sharpness",
        description: "How wide the steeper half of the edges inside the subject is blurred in the middle, as the sigma of a \
                      Gaussian, seen at 2000 px on the longest side.",
        category: Category::Sharpness,
        unit: Unit::Pixels,
        bounds: Bounds::most(2.0, 3.0),
        range: (0.0, 50.0),
        gates: ALWAYS_GATE,
        remedy: Action::Reshoot,
    },
    take,
    tell: |told| {
        let (value, limit, whole) = (told.value(), told.limit(), told.scene.whole());
        match told.side {
            Side::Above => telling(
                "blurred",
                format!(
                    "The edges of {whole} are blurred by {value} ({limit}). Use a sharper picture; sharpening brings no detail back."
                ),
            ),
            _ => telling(
                "blurred",
                format!("{} is sharp: its edges are blurred by {value} ({limit}).", upper(whole)),
            ),
        }
    },
};

fn take(scene: &Scene<'_>) -> Finding {
    let (width, height) = (scene.picture.width() as usize, scene.picture.height() as usize);
    let mut tiles = Vec::new();
    for top in (0..height).step_by(TILE) {
        for left in (0..width).step_by(TILE) {
            let (x, y) = ((left + TILE / 2).min(width - 1), (top + TILE / 2).min(height - 1));
            let near = |dx: usize, dy: usize| {
                scene.is_deep((left + dx).min(width - 1), (top + dy).min(height - 1), DEPTH)
            };
            if scene.is_deep(x, y, DEPTH)
                || near(0, 0)
                || near(TILE - 1, 0)
                || near(0, TILE - 1)
                || near(TILE - 1, TILE - 1)
            {
                tiles.push((left, top));
            }
        }
    }
    let stride = tiles.len().div_ceil(MOST_TILES).max(1);
    let grain = scene.grain().map_or(0.0, |grain| grain.sigma);
    let least = LEAST_STEP.max(OVER_GRAIN * GRAIN_STEP * grain);
    let mut edges = Vec::new();
    for &(left, top) in tiles.iter().step_by(stride) {
        look(scene, left, top, least, &mut edges);
    }
    if edges.len() < LEAST_EDGES {
        return Finding::Unmeasured(format!(
            "{} shows no edges inside by which sharpness could be measured.",
            upper(scene.whole())
        ));
    }
    // Grain makes faint edges look sharp; the steeper half is what people see.
    let mut steps: Vec<f64> = edges.iter().map(|edge| edge.step).collect();
    let steep = quantile(&mut steps, 0.5).unwrap_or(0.0);
    let mut sigmas: Vec<f64> =
        edges.iter().filter(|edge| edge.step >= steep).map(|edge| edge.sigma).collect();
    let sigma = quantile(&mut sigmas, MIDDLE).unwrap_or(0.0);
    let longest = f64::from(scene.picture.width().max(scene.picture.height()));
    let seen = sigma * (SEEN_SIDE / longest).min(1.0);
    let enough = (edges.len() as f64 / (8.0 * LEAST_EDGES as f64)).min(1.0);
    Measurement::new(seen, 0.6 + 0.3 * enough)
        .at(scene.subject_region())
        .with(format!(
            "{} edge pixels were measured, blurred by {sigma:.2} px at the picture's own size.",
            edges.len()
        ))
        .into()
}

/// An edge pixel.
struct Edge {
    /// Levels a pixel after the fine Gaussian.
    step: f64,
    /// Blur before both Gaussians.
    sigma: f64,
}

/// Measures the edges of one tile.
///
/// An ideal edge blurred by σ has, after a further Gaussian s, the steepness A / √(2π(σ² + s²)) at its crest; the ratio of
/// two such gives σ (Elder and Zucker 1998; with re-blurring, Zhuo and Sim 2011).
fn look(scene: &Scene<'_>, left: usize, top: usize, least: f64, edges: &mut Vec<Edge>) {
    let (width, height) = (scene.picture.width() as usize, scene.picture.height() as usize);
    let luma = scene.luma();
    let pad = RADIUS + 2;
    let side = TILE + 2 * pad;
    let mut patch = vec![0.0f32; side * side];
    for (y, row) in patch.chunks_exact_mut(side).enumerate() {
        let from = (top + y).saturating_sub(pad).min(height - 1) * width;
        for (x, slot) in row.iter_mut().enumerate() {
            *slot = f32::from(luma[from + (left + x).saturating_sub(pad).min(width - 1)]);
        }
    }
    let (fine, coarse) = (blurred(&patch, side, FINE), blurred(&patch, side, COARSE));
    let gradient = |plane: &[f32], at: usize| {
        let across = (plane[at + 1] - plane[at - 1]) / 2.0;
        let down = (plane[at + side] - plane[at - side]) / 2.0;
        (f64::from(across), f64::from(down))
    };
    let steep = |plane: &[f32], at: usize| {
        let (across, down) = gradient(plane, at);
        across.hypot(down)
    };
    for y in pad..(pad + TILE).min(height + pad - top) {
        for x in pad..(pad + TILE).min(width + pad - left) {
            let at = y * side + x;
            let (across, down) = gradient(&fine, at);
            let step = across.hypot(down);
            if step < least {
                continue;
            }
            // Only crests: the ratio holds nowhere else.
            let next = if across.abs() >= down.abs() { 1 } else { side };
            if step < steep(&fine, at - next) || step < steep(&fine, at + next) {
                continue;
            }
            // What is beside the picture is only repeated, and makes edges of its own.
            let (px, py) = (left + x - pad, top + y - pad);
            let is_inside = px >= pad && py >= pad && px + pad < width && py + pad < height;
            if !is_inside || !scene.is_deep(px, py, DEPTH) {
                continue;
            }
            let ratio = (step / steep(&coarse, at).max(1e-6)).powi(2);
            if ratio <= 1.0 {
                continue;
            }
            let variance = (COARSE * COARSE - ratio * FINE * FINE) / (ratio - 1.0) - DIFFERENCE_VARIANCE;
            edges.push(Edge { step, sigma: variance.clamp(0.0, 2500.0).sqrt() });
        }
    }
}

/// A square plane blurred by a Gaussian; its values are repeated beyond its sides.
fn blurred(plane: &[f32], side: usize, sigma: f64) -> Vec<f32> {
    let mut kernel: Vec<f64> = (0..=2 * RADIUS)
        .map(|i| (-((i as f64 - RADIUS as f64).powi(2)) / (2.0 * sigma * sigma)).exp())
        .collect();
    let sum: f64 = kernel.iter().sum();
    kernel.iter_mut().for_each(|weight| *weight /= sum);
    let at = |i: usize, k: usize| (i + k).saturating_sub(RADIUS).min(side - 1);
    let mut across = vec![0.0f32; plane.len()];
    for (from, to) in plane.chunks_exact(side).zip(across.chunks_exact_mut(side)) {
        for (x, slot) in to.iter_mut().enumerate() {
            *slot = kernel.iter().enumerate().map(|(k, &w)| w as f32 * from[at(x, k)]).sum();
        }
    }
    let mut out = vec![0.0f32; plane.len()];
    for (y, to) in out.chunks_exact_mut(side).enumerate() {
        for (k, &weight) in kernel.iter().enumerate() {
            let from = &across[at(y, k) * side..][..side];
            for (slot, value) in to.iter_mut().zip(from) {
                *slot += weight as f32 * value;
            }
        }
    }
    out
}

fn upper(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
