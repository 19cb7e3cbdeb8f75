//! Grain, where the picture is smoothest.

use super::ALWAYS;
use crate::limits::Bounds;
use crate::measure::{Finding, Measure, MeasureInfo, Measurement, Side, Unit, telling};
use crate::scene::Scene;
use crate::{Action, Category, Region};

/// Side of a tile, in pixels of the picture.
const TILE: usize = 16;
/// Pixels of the picture between a tile and the outline.
const DEPTH: f64 = 6.0;
/// Tiles that are looked at, spread evenly.
const MOST_TILES: usize = 6000;
/// Tiles that are needed.
const LEAST_TILES: usize = 12;
/// The share of tiles that are smoother than the one that is taken: texture is no grain.
const SMOOTHEST: f64 = 0.1;
/// Mean luma outside of which grain is cut off by black and white.
const MIDTONES: std::ops::RangeInclusive<f64> = 10.0..=245.0;

/// Standard deviation of the luma's grain.
pub(super) const NOISE: Measure = Measure {
    info: MeasureInfo {
        code: "noise",
        name: "Noise",
        description: "The standard deviation of the grain in the smoothest tenth of the subject.",
        category: Category::Noise,
        unit: Unit::Levels,
        bounds: Bounds::most(4.0, 1.0),
        range: (0.0, 128.0),
        gates: ALWAYS,
        remedy: Action::Retouch,
    },
    take: |scene| match scene.grain() {
        Some(grain) => {
            Measurement::new(grain.sigma, 0.8 * scene.inside_confidence()).at(Some(grain.region)).into()
        }
        None => Finding::Unmeasured(format!(
            "No smooth place of {} is large enough to measure grain in.",
            scene.whole()
        )),
    },
    tell: |told| {
        let (value, limit) = (told.value(), told.limit());
        match told.side {
            Side::Above => telling(
                "grain",
                format!(
                    "There is grain of {value} even in the smoothest parts ({limit}). Take noise out, or expose longer at a lower sensitivity."
                ),
            ),
            _ => {
                telling("grain", format!("There is little grain: {value} in the smoothest parts ({limit})."))
            }
        }
    },
};

/// The grain of a picture.
pub(crate) struct Grain {
    /// Standard deviation in levels of 255.
    pub sigma: f64,
    /// The tile that it was read from.
    pub region: Region,
}

/// Grain by tiles: of each the estimate of Immerkær (1996), of all the lowest tenth.
///
/// σ = √(π/2) / (6 (W−2)(H−2)) · Σ |I ∗ N| with N = [1 −2 1; −2 4 −2; 1 −2 1], a difference of two Laplacians, to which
/// planes and edges along the axes are nothing.
pub(crate) fn grain(scene: &Scene<'_>) -> Option<Grain> {
    let (width, height) = (scene.picture.width() as usize, scene.picture.height() as usize);
    let mut places = Vec::new();
    for top in (0..(height / TILE) * TILE).step_by(TILE) {
        for left in (0..(width / TILE) * TILE).step_by(TILE) {
            let corners = [(0, 0), (TILE - 1, 0), (0, TILE - 1), (TILE - 1, TILE - 1), (TILE / 2, TILE / 2)];
            if corners.into_iter().all(|(x, y)| scene.is_deep(left + x, top + y, DEPTH)) {
                places.push((left, top));
            }
        }
    }
    let stride = places.len().div_ceil(MOST_TILES).max(1);
    let mut tiles: Vec<(f64, usize, usize)> = places
        .into_iter()
        .step_by(stride)
        .filter_map(|(left, top)| immerkaer(scene.luma(), width, left, top).map(|sigma| (sigma, left, top)))
        .collect();
    if tiles.len() < LEAST_TILES {
        return None;
    }
    let rank = (SMOOTHEST * (tiles.len() - 1) as f64).round() as usize;
    // Among equals the place decides, so that the region does not depend on the order.
    let (_, &mut (sigma, left, top), _) =
        tiles.select_nth_unstable_by(rank, |a, b| a.0.total_cmp(&b.0).then((a.2, a.1).cmp(&(b.2, b.1))));
    let region = Region { x: left as u32, y: top as u32, width: TILE as u32, height: TILE as u32 };
    Some(Grain { sigma, region })
}

/// The estimate of one tile; `None` where grain would be cut off.
fn immerkaer(luma: &[u8], width: usize, left: usize, top: usize) -> Option<f64> {
    let row = |y: usize| &luma[(top + y) * width + left..][..TILE];
    let mean = (0..TILE).flat_map(row).map(|&value| f64::from(value)).sum::<f64>() / (TILE * TILE) as f64;
    if !MIDTONES.contains(&mean) {
        return None;
    }
    let mut sum = 0i64;
    for y in 1..TILE - 1 {
        let [above, here, below] = [row(y - 1), row(y), row(y + 1)];
        for x in 1..TILE - 1 {
            let side = |row: &[u8], x: usize| i64::from(row[x]);
            let second = |row: &[u8]| side(row, x - 1) - 2 * side(row, x) + side(row, x + 1);
            sum += (second(above) - 2 * second(here) + second(below)).abs();
        }
    }
    let count = ((TILE - 2) * (TILE - 2)) as f64;
    Some((std::f64::consts::FRAC_PI_2).sqrt() * sum as f64 / (6.0 * count))
}
