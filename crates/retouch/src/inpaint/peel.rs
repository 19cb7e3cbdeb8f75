//! A first guess for a small hole: filled from its edge inwards, each pixel from the patch that fits best to what is
//! known around it so far (the onion peel of Newson et al. 2014).

use super::canvas::State;
use super::level::{Level, REACH};

/// How much less the part of a patch counts that nothing is known of yet. Of patches that fit alike, the one with
/// nothing new in it is taken: a hole in something even must not be filled with a print from beside it.
const NEW: u32 = 48;
/// Squared deviations, as a multiple of the known part's variance, up to which nothing counts as new.
const RANGE: i32 = 9;
/// Patches that are looked at for each pixel.
const LOOKED_AT: usize = 1500;

/// Fills the hole of a level, and returns the source of the patch around each pixel that was filled.
pub(crate) fn peel(level: &mut Level, sources: &[u32]) -> Vec<Option<usize>> {
    let mut order: Vec<u32> =
        (0..level.state.len()).filter(|&at| level.state[at] == State::Hole).map(|at| at as u32).collect();
    order.sort_by_key(|&at| level.depth[at as usize]);
    let mut known: Vec<bool> = level.state.iter().map(|state| *state == State::Source).collect();
    let mut nearest = vec![None; level.state.len()];
    // Every so many sources, so that all parts of the surroundings have their say.
    let stride = sources.len().div_ceil(LOOKED_AT).max(1);
    for (turn, &index) in order.iter().enumerate() {
        let index = index as usize;
        let middle = level.middle_for(index);
        let near: Vec<(usize, [i16; 4])> =
            around(level, middle).filter(|&at| known[at]).map(|at| (at, level.pixels[at])).collect();
        let unknown: Vec<usize> = around(level, middle).filter(|&at| !known[at]).collect();
        let mut best = (u32::MAX, sources[0] as usize);
        let mut attempt = |source: usize| {
            let (mut sum, mut whole, mut squares) = (0u32, [0i32; 4], [0i32; 4]);
            for &(at, pixel) in &near {
                let other = level.pixels[at + source - middle];
                sum = (0..4).fold(sum, |sum, c| {
                    let away = i32::from(pixel[c]) - i32::from(other[c]);
                    sum.saturating_add((away * away) as u32)
                });
                if sum >= best.0 {
                    return;
                }
                for c in 0..4 {
                    whole[c] += i32::from(other[c]);
                    squares[c] += i32::from(other[c]) * i32::from(other[c]);
                }
            }
            let count = near.len().max(1) as i32;
            let mean = whole.map(|whole| whole / count);
            // Shading goes on; what is well out of the known part's own range is new.
            let usual: [i32; 4] =
                std::array::from_fn(|c| RANGE * (squares[c] / count - mean[c] * mean[c]).max(0));
            for &at in &unknown {
                let other = level.pixels[at + source - middle];
                sum = (0..4).fold(sum, |sum, c| {
                    let away = i32::from(other[c]) - mean[c];
                    sum.saturating_add((away * away - usual[c]).max(0) as u32 / NEW)
                });
            }
            if sum < best.0 {
                best = (sum, source);
            }
        };
        for &source in sources.iter().skip(turn % stride).step_by(stride) {
            attempt(source as usize);
        }
        // What continues the match of a neighbour keeps pieces together.
        for step in [1isize, -1, level.width as isize, -(level.width as isize)] {
            let beside = usize::try_from(middle as isize + step).ok();
            if let Some(source) = beside.and_then(|beside| *nearest.get(beside)?) {
                let source = (source as isize - step) as usize;
                if level.is_source[source] {
                    attempt(source);
                }
            }
        }
        nearest[middle] = Some(best.1);
        level.pixels[index] = level.pixels[index + best.1 - middle];
        known[index] = true;
    }
    nearest
}

fn around(level: &Level, middle: usize) -> impl Iterator<Item = usize> {
    let first = middle - REACH * level.width - REACH;
    let width = level.width;
    (0..2 * REACH + 1).flat_map(move |y| (0..2 * REACH + 1).map(move |x| first + y * width + x))
}
