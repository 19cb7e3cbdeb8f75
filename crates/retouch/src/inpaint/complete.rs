//! Which pixel each pixel of a hole is copied from: the multi-scale completion of Wexler, Shechtman and Irani (2007)
//! with the refinements of Newson, Almansa, Fradet, Gousseau and Pérez (2014): from coarse to fine, patches are matched
//! and vote for the pixels they cover, in turn.

use super::canvas::State;
use super::field::{Dice, Field};
use super::level::{Level, REACH, SIDE};
use super::peel::peel;

/// Depth of a hole from which on it is looked at in half the size first.
const SHALLOW: u16 = 4;
/// Pixels of a hole from which on it is looked at in half the size first.
const FEW: usize = 700;
/// How much less a patch counts for each pixel that it lies deeper in the hole.
const TRUST: f32 = 0.85;

/// For each pixel of a level's hole, the pixel it should be copied from.
pub(crate) struct Sources {
    /// By the index of the pixel; only hole pixels have one.
    from: Vec<u32>,
}

impl Sources {
    /// The source of a pixel, or `None` for what no patch reaches.
    pub(crate) fn of(&self, index: usize) -> Option<usize> {
        let from = self.from[index];
        (from != u32::MAX).then_some(from as usize)
    }
}

/// Fills the hole of a level. `None` when there is no patch to copy, or when `stop` says so.
pub(crate) fn complete(base: Level, stop: &dyn Fn() -> bool) -> Option<Sources> {
    let mut levels = vec![base];
    loop {
        let level = levels.last()?;
        let small = level.deepest() <= SHALLOW && level.hole_area() <= FEW;
        if small || level.width.min(level.height) < 6 * SIDE {
            break;
        }
        let half = level.halved();
        let sources = half.is_source.iter().filter(|is| **is).count();
        if half.targets.is_empty() || sources < 64 {
            break;
        }
        levels.push(half);
    }
    spread(&mut levels);
    let mut dice = Dice::new(0x5EED_0F9A_7C4B_1D23);
    let mut coarser: Option<(usize, usize, Field)> = None;
    let coarsest = levels.len() - 1;
    for (index, level) in levels.iter_mut().enumerate().rev() {
        let sources: Vec<u32> =
            (0..level.state.len()).filter(|&at| level.is_source[at]).map(|at| at as u32).collect();
        if sources.is_empty() || level.targets.is_empty() || stop() {
            return None;
        }
        let mut field = match coarser.take() {
            None => {
                let known = peel(level, &sources);
                Field::new(level, &sources, &mut dice, |target| known[target])
            }
            Some((width, height, field)) => {
                let finer = level.width;
                Field::new(level, &sources, &mut dice, |target| {
                    let (x, y) = (target % finer, target / finer);
                    let above = (y / 2).min(height - 1 - REACH).max(REACH) * width
                        + (x / 2).min(width - 1 - REACH).max(REACH);
                    let (source, _) = field.get(above)?;
                    // What the patch on the coarser level was beside, doubled.
                    let (dx, dy) = (source % width, source / width);
                    let (ox, oy) = (above % width, above / width);
                    let (x, y) = (x + 2 * dx, y + 2 * dy);
                    let (x, y) = (x.checked_sub(2 * ox)?, y.checked_sub(2 * oy)?);
                    (x < finer).then_some(y * finer + x).filter(|at| *at < level.state.len())
                })
            }
        };
        if index < coarsest {
            vote(level, &field, None);
        }
        let rounds = if index == coarsest { 8 } else { (2 + index).min(5) };
        for round in 0..rounds {
            if stop() {
                return None;
            }
            field.measure(level);
            field.improve(level, &mut dice, if round == 0 { 4 } else { 2 });
            if index > 0 || round + 1 < rounds {
                let weights = weights(level, &field);
                vote(level, &field, Some(&weights));
            }
        }
        coarser = Some((level.width, level.height, field));
    }
    let (_, _, field) = coarser?;
    Some(best(levels.first()?, &field))
}

/// Gives what is neither filled nor copied the colours beside it, so that patches over it match by the rest.
fn spread(levels: &mut [Level]) {
    for index in (0..levels.len()).rev() {
        let (finer, coarser) = levels.split_at_mut(index + 1);
        let level = &mut finer[index];
        let mean = level.mean();
        for at in (0..level.state.len()).filter(|&at| level.state[at] == State::Avoid).collect::<Vec<_>>() {
            level.pixels[at] = coarser.first().map_or(mean, |coarser| {
                let (x, y) = (at % level.width, at / level.width);
                coarser.pixels[y / 2 * coarser.width + x / 2]
            });
        }
    }
}

/// How much the match of each target counts: the more alike and the nearer to what is known, the more.
fn weights(level: &Level, field: &Field) -> Vec<f32> {
    let mut costs: Vec<u32> =
        level.targets.iter().filter_map(|&target| Some(field.get(target as usize)?.1)).collect();
    let at = costs.len() * 3 / 4;
    let (_, &mut typical, _) = costs.select_nth_unstable(at);
    let scale = -0.5 / (typical as f32).max(SIDE as f32 * SIDE as f32 * 16.0);
    let mut weights = vec![0.0; level.state.len()];
    for &target in &level.targets {
        let target = target as usize;
        if let Some((_, cost)) = field.get(target) {
            let depth = i32::from(level.depth[target].min(40));
            weights[target] = (cost as f32 * scale).exp().max(1e-6) * TRUST.powi(depth);
        }
    }
    weights
}

/// Targets whose patch covers a pixel, each with the step from its middle to the pixel.
fn covering(level: &Level, index: usize) -> impl Iterator<Item = (usize, isize)> {
    let (x, y) = (index % level.width, index / level.width);
    let (width, height) = (level.width, level.height);
    let rows = y.saturating_sub(REACH).max(REACH)..(y + REACH + 1).min(height - REACH);
    rows.flat_map(move |row| {
        let columns = x.saturating_sub(REACH).max(REACH)..(x + REACH + 1).min(width - REACH);
        columns.map(move |column| {
            let target = row * width + column;
            (target, index as isize - target as isize)
        })
    })
}

/// Gives each pixel of the hole the mean of what the patches that cover it say.
fn vote(level: &mut Level, field: &Field, weights: Option<&[f32]>) {
    for (index, state) in level.state.iter().enumerate() {
        if *state != State::Hole {
            continue;
        }
        let (mut sum, mut whole) = ([0.0f32; 4], 0.0f32);
        for (target, step) in covering(level, index) {
            if let Some((source, _)) = field.get(target) {
                let weight = weights.map_or(1.0, |weights| weights[target]);
                let pixel = level.pixels[(source as isize + step) as usize];
                (0..4).for_each(|c| sum[c] += weight * f32::from(pixel[c]));
                whole += weight;
            }
        }
        if whole > 0.0 {
            level.pixels[index] = sum.map(|sum| (sum / whole + 0.5) as i16);
        }
    }
}

/// The one best source of each pixel: a mean of several would lose the grain.
fn best(level: &Level, field: &Field) -> Sources {
    let mut from = vec![u32::MAX; level.state.len()];
    for index in 0..level.state.len() {
        if level.state[index] != State::Hole {
            continue;
        }
        let mut least = f32::MAX;
        for (target, step) in covering(level, index) {
            if let Some((source, cost)) = field.get(target) {
                // Of equals, the patch whose middle is nearest: the pieces that are copied stay large.
                let (dx, dy) = offset(level.width, index, target);
                let cost = (cost as f32 + 500.0) * (1.0 + 0.04 * (dx * dx + dy * dy));
                if cost < least {
                    least = cost;
                    from[index] = (source as isize + step) as u32;
                }
            }
        }
    }
    Sources { from }
}

fn offset(width: usize, one: usize, other: usize) -> (f32, f32) {
    let across = (one % width) as f32 - (other % width) as f32;
    (across, (one / width) as f32 - (other / width) as f32)
}
