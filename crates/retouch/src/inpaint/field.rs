//! For each patch that touches a hole, the patch most like it elsewhere: PatchMatch (Barnes, Shechtman, Finkelstein and
//! Goldman 2009), by propagation and random search.

use super::level::{Level, REACH, SIDE};

/// A patch that is not sought.
const NONE: u32 = u32::MAX;

/// Random numbers that are the same on every run: SplitMix64 (Steele, Lea and Flood 2014).
pub(crate) struct Dice(u64);

impl Dice {
    /// Numbers that begin with a seed.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, which is above 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        (((mixed >> 32) * end as u64) >> 32) as usize
    }
}

/// Sum of squared differences of two patches; anything from `most` on may be returned as soon as it is reached.
#[inline]
pub(crate) fn difference(level: &Level, one: usize, other: usize, most: u32) -> u32 {
    let pixels = level.pixels.as_flattened();
    let start = |middle: usize| (middle - REACH * level.width - REACH) * 4;
    let (mut one, mut other) = (start(one), start(other));
    let mut sum = 0u32;
    for _ in 0..SIDE {
        let (row, other_row) = (&pixels[one..one + SIDE * 4], &pixels[other..other + SIDE * 4]);
        let mut line = 0i32;
        for (a, b) in row.iter().zip(other_row) {
            // Twelve bits: neither the difference nor the sum of 28 squares overflows.
            let away = i32::from(a.wrapping_sub(*b));
            line += away * away;
        }
        sum += line as u32;
        if sum >= most {
            return sum;
        }
        one += level.width * 4;
        other += level.width * 4;
    }
    sum
}

/// The best patch known for each target of a level.
pub(crate) struct Field {
    /// Middle of the best patch, by the middle of the target; [`NONE`] elsewhere.
    nearest: Vec<u32>,
    /// How different the two are.
    cost: Vec<u32>,
}

impl Field {
    /// A field whose first guess for each target is what `guess` says, where that is a source, or a random source out of
    /// `sources`, which are not empty.
    pub(crate) fn new(
        level: &Level,
        sources: &[u32],
        dice: &mut Dice,
        mut guess: impl FnMut(usize) -> Option<usize>,
    ) -> Self {
        let mut nearest = vec![NONE; level.state.len()];
        for &target in &level.targets {
            let known = guess(target as usize).filter(|&source| level.is_source[source]);
            nearest[target as usize] =
                known.map_or_else(|| sources[dice.below(sources.len())], |source| source as u32);
        }
        let cost = vec![u32::MAX; level.state.len()];
        Self { nearest, cost }
    }

    /// The best patch for a target and how different it is; `None` where nothing is sought.
    #[inline]
    pub(crate) fn get(&self, target: usize) -> Option<(usize, u32)> {
        let nearest = self.nearest[target];
        (nearest != NONE).then(|| (nearest as usize, self.cost[target]))
    }

    /// Compares every target with its best patch again, after the pixels of the hole have changed.
    pub(crate) fn measure(&mut self, level: &Level) {
        for &target in &level.targets {
            let target = target as usize;
            self.cost[target] = difference(level, target, self.nearest[target] as usize, u32::MAX);
        }
    }

    /// Looks for better patches, so many times: in turn from the first target to the last and back.
    pub(crate) fn improve(&mut self, level: &Level, dice: &mut Dice, times: usize) {
        let reach = level.width.max(level.height) / 2;
        for time in 0..times {
            if time % 2 == 0 {
                for &target in &level.targets {
                    self.improve_one(level, target as usize, false, reach, dice);
                }
            } else {
                for &target in level.targets.iter().rev() {
                    self.improve_one(level, target as usize, true, reach, dice);
                }
            }
        }
    }

    fn improve_one(&mut self, level: &Level, target: usize, back: bool, reach: usize, dice: &mut Dice) {
        let (mut best, mut cost) = (self.nearest[target] as usize, self.cost[target]);
        let mut attempt = |source: usize| {
            if source != best && level.is_source[source] {
                let found = difference(level, target, source, cost);
                if found < cost {
                    (best, cost) = (source, found);
                }
            }
            best
        };
        // What continues the match of a neighbour that was looked at before.
        for step in [1, level.width] {
            let near = if back { target + step } else { target - step };
            let nearest = self.nearest[near];
            if nearest != NONE {
                let source = nearest as usize;
                attempt(if back { source - step } else { source + step });
            }
        }
        let mut radius = reach;
        let mut centre = attempt(self.nearest[target] as usize);
        while radius > 0 {
            let pick = |at: usize, most: usize, dice: &mut Dice| {
                let first = at.saturating_sub(radius).max(REACH);
                let last = (at + radius).min(most - 1 - REACH);
                first + dice.below(last - first + 1)
            };
            let x = pick(centre % level.width, level.width, dice);
            let y = pick(centre / level.width, level.height, dice);
            centre = attempt(y * level.width + x);
            radius /= 2;
        }
        (self.nearest[target], self.cost[target]) = (best as u32, cost);
    }
}
