//! A photo seen through a grid, and what is worked out between its cells.

use pixels::{Bitmap, Channels, Mask, Samples};

/// Means of a photo over the cells of a grid.
pub(super) struct Grid {
    pub width: usize,
    pub height: usize,
    /// Red, green and blue, in levels of 255.
    pub colours: [Vec<f32>; 3],
    /// The greatest alpha that the subject has in a cell, 0 to 1; 0 where that is too faint to count.
    pub covered: Vec<f32>,
    /// Whether the photo reaches all of a cell.
    pub known: Vec<bool>,
}

impl Grid {
    /// A photo and the alpha of its subject (of the photo's size), with at most `side` cells to a side.
    pub(super) fn of(photo: &Bitmap, alpha: &Mask, side: u32, least: u8) -> Self {
        let full = (photo.width() as usize, photo.height() as usize);
        let size = pixels::fit_inside((photo.width(), photo.height()), (side, side), false);
        let (width, height) = (size.0 as usize, size.1 as usize);
        let cells = width * height;
        let mut sums = vec![[0f32; 4]; cells];
        let (mut covered, mut known) = (vec![0f32; cells], vec![true; cells]);
        let columns: Vec<usize> = (0..full.0).map(|x| x * width / full.0).collect();
        let count = photo.channels().count();
        for y in 0..full.1 {
            let start = y * height / full.1 * width;
            let line = y * full.0 * count..(y + 1) * full.0 * count;
            let mut add = |x: usize, pixel: [f32; 3], opaque: bool| {
                let cell = start + columns[x];
                let [r, g, b] = pixel;
                let sum = &mut sums[cell];
                *sum = [sum[0] + r, sum[1] + g, sum[2] + b, sum[3] + 1.0];
                known[cell] &= opaque;
            };
            let has_alpha = photo.channels() == Channels::Rgba;
            match photo.samples() {
                Samples::U8(samples) => {
                    for (x, pixel) in samples[line].chunks_exact(count).enumerate() {
                        let level = |c: usize| f32::from(pixel[c]);
                        add(x, [level(0), level(1), level(2)], !has_alpha || pixel[3] == u8::MAX);
                    }
                }
                Samples::U16(samples) => {
                    for (x, pixel) in samples[line].chunks_exact(count).enumerate() {
                        let level = |c: usize| f32::from(pixel[c]) * (1.0 / 257.0);
                        add(x, [level(0), level(1), level(2)], !has_alpha || pixel[3] == u16::MAX);
                    }
                }
            }
            for (x, &value) in alpha.values()[y * full.0..][..full.0].iter().enumerate() {
                if value >= least {
                    let cell = &mut covered[start + columns[x]];
                    *cell = cell.max(f32::from(value) / 255.0);
                }
            }
        }
        let plane = |c: usize| sums.iter().map(|sum| sum[c] / sum[3].max(1.0)).collect();
        Self { width, height, colours: [plane(0), plane(1), plane(2)], covered, known }
    }
}

/// How far each cell lies from the nearest that is set, in cells, to within 4 % (chamfer of 3 and 4, Borgefors 1986).
pub(super) fn distances(set: &[bool], width: usize) -> Vec<f32> {
    const FAR: u32 = u32::MAX / 2;
    let mut away: Vec<u32> = set.iter().map(|&set| if set { 0 } else { FAR }).collect();
    let height = set.len() / width;
    let closer = |away: &mut [u32], x: usize, y: usize, by: i64| {
        let own = y * width + x;
        let mut best = away[own];
        let above = y as i64 - by;
        let mut look = |x: i64, y: i64, cost: u32| {
            if (0..width as i64).contains(&x) && (0..height as i64).contains(&y) {
                best = best.min(away[y as usize * width + x as usize] + cost);
            }
        };
        let x = x as i64;
        look(x - by, y as i64, 3);
        look(x, above, 3);
        look(x - 1, above, 4);
        look(x + 1, above, 4);
        away[own] = best;
    };
    for y in 0..height {
        (0..width).for_each(|x| closer(&mut away, x, y, 1));
    }
    for y in (0..height).rev() {
        (0..width).rev().for_each(|x| closer(&mut away, x, y, -1));
    }
    away.iter().map(|&away| away as f32 / 3.0).collect()
}

/// Values with their weights, and how many there are across and down.
type Level = (Vec<(f32, f32)>, usize, usize);

/// The plane with smooth values in place of what is hidden, from what lies around it (pull and push, Gortler et al. 1996).
pub(super) fn continued(plane: &[f32], hidden: &[bool], width: usize) -> Vec<f32> {
    let height = plane.len() / width;
    let mut levels: Vec<Level> = Vec::new();
    let first = plane.iter().zip(hidden).map(|(&v, &hidden)| if hidden { (0.0, 0.0) } else { (v, 1.0) });
    levels.push((first.collect(), width, height));
    while let Some((cells, wide, tall)) = levels.last()
        && (*wide > 1 || *tall > 1)
    {
        let (half_wide, half_tall) = (wide.div_ceil(2), tall.div_ceil(2));
        let mut half = vec![(0f32, 0f32); half_wide * half_tall];
        for (y, row) in cells.chunks_exact(*wide).enumerate() {
            for (x, &(value, weight)) in row.iter().enumerate() {
                let sum = &mut half[y / 2 * half_wide + x / 2];
                *sum = (sum.0 + value * weight, sum.1 + weight);
            }
        }
        for (value, weight) in &mut half {
            *value /= weight.max(1e-6);
            *weight = weight.min(1.0);
        }
        levels.push((half, half_wide, half_tall));
    }
    let Some((mut coarse, mut wide, mut tall)) = levels.pop() else { return plane.to_vec() };
    while let Some((mut fine, columns, rows)) = levels.pop() {
        for y in 0..rows {
            for x in 0..columns {
                let (value, weight) = fine[y * columns + x];
                if weight < 1.0 {
                    let guess = between(&coarse, (wide, tall), x, y);
                    fine[y * columns + x] = (value * weight + guess * (1.0 - weight), 1.0);
                }
            }
        }
        (coarse, wide, tall) = (fine, columns, rows);
    }
    coarse.into_iter().map(|(value, _)| value).collect()
}

/// A value half as fine, in a straight line between its cells.
fn between(cells: &[(f32, f32)], (wide, tall): (usize, usize), x: usize, y: usize) -> f32 {
    let axis = |at: usize, count: usize| {
        let place = (at as f32 - 0.5) / 2.0;
        let first = place.floor();
        let inside = |at: f32| at.clamp(0.0, count as f32 - 1.0) as usize;
        (inside(first), inside(first + 1.0), place - first)
    };
    let ((left, right, u), (top, bottom, v)) = (axis(x, wide), axis(y, tall));
    let at = |x: usize, y: usize| cells[y * wide + x].0;
    let row = |y: usize| at(left, y) + (at(right, y) - at(left, y)) * u;
    row(top) + (row(bottom) - row(top)) * v
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_nearly_those_of_a_ruler() {
        let mut set = vec![false; 61 * 41];
        set[20 * 61 + 30] = true;
        for (i, away) in distances(&set, 61).iter().enumerate() {
            let exact = (i as f32 % 61.0 - 30.0).floor().hypot((i / 61) as f32 - 20.0);
            assert!((away - exact).abs() <= 0.09 * exact + 0.01, "{i}: {away} for {exact}");
        }
    }

    #[test]
    fn what_is_hidden_is_continued_and_what_is_seen_stays() {
        let (width, height) = (40usize, 30usize);
        let plane: Vec<f32> = (0..width * height).map(|i| (i % width) as f32).collect();
        let hidden: Vec<bool> =
            (0..width * height).map(|i| (10..30).contains(&(i % width)) && i / width > 5).collect();
        let whole = continued(&plane, &hidden, width);
        for (i, value) in whole.iter().enumerate() {
            if hidden[i] {
                assert!((5.0..=34.0).contains(value), "{value}");
            } else {
                assert_eq!(*value, plane[i]);
            }
        }
    }
}
