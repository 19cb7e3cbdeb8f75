//! The surroundings of a hole at one resolution, in a form that patches are compared in.

use pixels::Rect;

use super::canvas::{Canvas, Sample, State};

/// Rows and columns of a patch on each side of its middle.
pub(crate) const REACH: usize = 3;
/// Side of a patch.
pub(crate) const SIDE: usize = 2 * REACH + 1;
/// What a share of 1 is in the pixels of a level: twelve bits, so that squared differences of a patch fit 32 bits.
pub(crate) const FULL: f32 = 4095.0;

/// The surroundings of a hole at one resolution.
pub(crate) struct Level {
    pub(crate) width: usize,
    pub(crate) height: usize,
    /// Four shares a pixel, times [`FULL`]. Where the state is not `Source`, a guess.
    pub(crate) pixels: Vec<[i16; 4]>,
    pub(crate) state: Vec<State>,
    /// How many pixels deep in the hole a pixel lies; 0 outside of it.
    pub(crate) depth: Vec<u16>,
    /// Whether a patch with its middle there lies inside and holds nothing but source pixels.
    pub(crate) is_source: Vec<bool>,
    /// Middles of patches that touch the hole, in the order of the rows.
    pub(crate) targets: Vec<u32>,
}

impl Level {
    /// The part of a canvas inside `view`, each pixel the mean of `scale` by `scale` of the canvas's.
    pub(crate) fn of<S: Sample>(canvas: &Canvas<'_, S>, view: Rect, scale: usize) -> Self {
        let (width, height) = ((view.width as usize).div_ceil(scale), (view.height as usize).div_ceil(scale));
        let (right, bottom) = ((view.x + view.width) as usize, (view.y + view.height) as usize);
        let mut pixels = Vec::with_capacity(width * height);
        let mut state = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let (left, top) = (view.x as usize + x * scale, view.y as usize + y * scale);
                let (mut sum, mut count, mut found) = ([0.0f32; 4], 0.0f32, State::Source);
                for y in top..(top + scale).min(bottom) {
                    for x in left..(left + scale).min(right) {
                        let index = y * canvas.width + x;
                        match canvas.state(index) {
                            State::Source => {
                                let pixel = canvas.at(index);
                                (0..4).for_each(|c| sum[c] += pixel[c]);
                                count += 1.0;
                            }
                            State::Hole => found = State::Hole,
                            State::Avoid if found == State::Source => found = State::Avoid,
                            State::Avoid => {}
                        }
                    }
                }
                pixels.push(sum.map(|value| (value / count.max(1.0) * FULL + 0.5) as i16));
                state.push(found);
            }
        }
        Self::new(width, height, pixels, state)
    }

    /// The same at half the size: the mean of what is known.
    pub(crate) fn halved(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut pixels = Vec::with_capacity(width * height);
        let mut state = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let (mut sum, mut count) = ([0i32; 4], [0i32; 3]);
                for y in 2 * y..(2 * y + 2).min(self.height) {
                    for x in 2 * x..(2 * x + 2).min(self.width) {
                        let index = y * self.width + x;
                        count[self.state[index] as usize] += 1;
                        if self.state[index] == State::Source {
                            (0..4).for_each(|c| sum[c] += i32::from(self.pixels[index][c]));
                        }
                    }
                }
                let known = count[State::Source as usize];
                // Two of four known pixels make one, so that a hole does not grow from level to level.
                let found = match count {
                    [known, hole, avoid] if known >= hole + avoid => State::Source,
                    [_, hole, _] if hole > 0 => State::Hole,
                    _ => State::Avoid,
                };
                pixels.push(sum.map(|sum| ((sum + known / 2) / known.max(1)) as i16));
                state.push(found);
            }
        }
        Self::new(width, height, pixels, state)
    }

    fn new(width: usize, height: usize, pixels: Vec<[i16; 4]>, state: Vec<State>) -> Self {
        let depth = depths(width, height, &state);
        let is_source = whole_patches(width, height, &state);
        let mut level = Self { width, height, pixels, state, depth, is_source, targets: Vec::new() };
        level.targets = level.touching();
        level
    }

    /// How many pixels there are to be filled.
    pub(crate) fn hole_area(&self) -> usize {
        self.state.iter().filter(|state| **state == State::Hole).count()
    }

    /// How deep the hole is where it is deepest.
    pub(crate) fn deepest(&self) -> u16 {
        self.depth.iter().copied().max().unwrap_or(0)
    }

    /// The mean of what is known.
    pub(crate) fn mean(&self) -> [i16; 4] {
        let (mut sum, mut count) = ([0i64; 4], 0);
        for (pixel, _) in self.pixels.iter().zip(&self.state).filter(|(_, state)| **state == State::Source) {
            (0..4).for_each(|c| sum[c] += i64::from(pixel[c]));
            count += 1;
        }
        sum.map(|sum| (sum / count.max(1)) as i16)
    }

    /// The middle of the patch nearest to being centred on a pixel that still lies inside.
    pub(crate) fn middle_for(&self, index: usize) -> usize {
        let inside = |at: usize, most: usize| at.clamp(REACH, most - 1 - REACH);
        inside(index / self.width, self.height) * self.width + inside(index % self.width, self.width)
    }

    fn touching(&self) -> Vec<u32> {
        let (width, height) = (self.width, self.height);
        if width < SIDE || height < SIDE {
            return Vec::new();
        }
        // How many rows of each column hold a part of the hole, for the rows that a patch spans.
        let mut column = vec![0u16; width];
        let mut targets = Vec::new();
        let row_of = |y: usize| &self.state[y * width..][..width];
        for y in 0..height {
            for (count, state) in column.iter_mut().zip(row_of(y)) {
                *count += u16::from(*state == State::Hole);
            }
            if y + 1 < SIDE {
                continue;
            }
            let middle = (y - REACH) * width;
            let mut sum: u32 = column[..SIDE - 1].iter().map(|&count| u32::from(count)).sum();
            for x in REACH..width - REACH {
                sum += u32::from(column[x + REACH]);
                if sum > 0 {
                    targets.push((middle + x) as u32);
                }
                sum -= u32::from(column[x - REACH]);
            }
            for (count, state) in column.iter_mut().zip(row_of(y + 1 - SIDE)) {
                *count -= u16::from(*state == State::Hole);
            }
        }
        targets
    }
}

/// Distance of each hole pixel from what is known, in steps to one of eight neighbours.
fn depths(width: usize, height: usize, state: &[State]) -> Vec<u16> {
    let mut depth: Vec<u16> =
        state.iter().map(|state| if *state == State::Hole { u16::MAX - 1 } else { 0 }).collect();
    let mut lower = |index: usize, near: &[usize]| {
        let least = near.iter().map(|&near| depth[near]).min().unwrap_or(u16::MAX - 1);
        depth[index] = depth[index].min(least.saturating_add(1));
    };
    let neighbours = |x: usize, y: usize, up: bool| {
        let mut near = Vec::with_capacity(4);
        let row = if up { y.checked_sub(1) } else { Some(y + 1).filter(|y| *y < height) };
        if let Some(row) = row {
            near.extend((x.saturating_sub(1)..(x + 2).min(width)).map(|x| row * width + x));
        }
        match up {
            true if x > 0 => near.push(y * width + x - 1),
            false if x + 1 < width => near.push(y * width + x + 1),
            _ => {}
        }
        near
    };
    for (index, one) in state.iter().enumerate() {
        if *one == State::Hole {
            lower(index, &neighbours(index % width, index / width, true));
        }
    }
    for index in (0..state.len()).rev() {
        if state[index] == State::Hole {
            lower(index, &neighbours(index % width, index / width, false));
        }
    }
    depth
}

/// Whether the patch around each pixel lies inside and holds nothing but source pixels.
fn whole_patches(width: usize, height: usize, state: &[State]) -> Vec<bool> {
    let mut whole = vec![false; width * height];
    if width < SIDE || height < SIDE {
        return whole;
    }
    // Rows, up to this one, in which each column is source without a break.
    let mut unbroken = vec![0usize; width];
    for y in 0..height {
        let row = &state[y * width..][..width];
        let mut run = 0;
        for x in 0..width {
            unbroken[x] = if row[x] == State::Source { unbroken[x] + 1 } else { 0 };
            run = if unbroken[x] >= SIDE { run + 1 } else { 0 };
            if run >= SIDE {
                whole[(y - REACH) * width + x - REACH] = true;
            }
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level(rows: &[&str]) -> Level {
        let state: Vec<State> = rows
            .iter()
            .flat_map(|row| row.bytes())
            .map(|byte| match byte {
                b'#' => State::Hole,
                b'x' => State::Avoid,
                _ => State::Source,
            })
            .collect();
        Level::new(rows[0].len(), rows.len(), vec![[0; 4]; state.len()], state)
    }

    #[test]
    fn targets_touch_the_hole_and_sources_do_not() {
        let mut rows = vec!["....................".to_owned(); 16];
        rows[2].replace_range(4..6, "##");
        rows[14].replace_range(18..19, "x");
        let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
        let level = level(&rows);
        for y in 0..16usize {
            for x in 0..20usize {
                let inside = (3..13).contains(&y) && (3..17).contains(&x);
                let near = |px: usize, py: usize| x.abs_diff(px) <= 3 && y.abs_diff(py) <= 3;
                let touches = near(4, 2) || near(5, 2);
                let index = y * 20 + x;
                assert_eq!(level.is_source[index], inside && !touches && !near(18, 14), "{x} {y}");
                assert_eq!(level.targets.contains(&(index as u32)), inside && touches, "{x} {y}");
            }
        }
    }

    #[test]
    fn depth_counts_from_what_is_known_even_at_the_edge_of_the_picture() {
        let level = level(&["####.", "####.", "####.", "....."]);
        assert_eq!(level.depth[..5], [3, 3, 2, 1, 0]);
        assert_eq!(level.depth[10..15], [1, 1, 1, 1, 0]);
        assert_eq!(level.deepest(), 3);
        assert_eq!(level.halved().hole_area(), 2);
    }
}
