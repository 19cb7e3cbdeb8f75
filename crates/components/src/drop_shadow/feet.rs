//! Where a subject touches the floor.

use std::collections::VecDeque;

use pixels::Mask;

/// How far above the floor around it, in shares of the longer side, an outline still touches it.
const TOUCH: f64 = 0.018;
/// How far above the lowest point, in shares of the height, the floor can still be: feet farther back stand higher.
const FLOOR: f64 = 0.17;
/// Width around a column, in shares of the longer side, in which the floor is looked for.
const AROUND: f64 = 0.05;
/// From here on a column is taken to touch.
pub(super) const TOUCHES: f64 = 0.3;

/// Where an outline touches the floor: for each column its lowest point, and how surely it touches there (0 to 1).
pub(super) struct Feet {
    pub columns: Vec<(f64, f64)>,
}

impl Feet {
    /// Looks for them on an outline that is cut to what shows.
    pub(super) fn of(outline: &Mask) -> Self {
        let (width, height) = (outline.width() as usize, outline.height() as usize);
        let lowest = lowest(outline);
        let side = width.max(height) as f64;
        let floor = lowest.iter().flatten().copied().fold(0.0, f64::max);
        let reach = (side * AROUND).ceil() as usize;
        let around = highest_around(&lowest, reach);
        let columns = (0..width)
            .map(|x| {
                let Some(own) = lowest[x] else { return (0.0, 0.0) };
                let above_local = (around[x] - own) / (side * TOUCH);
                let above_floor = (floor - own) / (height as f64 * FLOOR);
                (own, (-above_local - above_floor * above_floor).exp())
            })
            .collect();
        Self { columns }
    }

    /// First and last row that can matter.
    pub(super) fn rows(&self) -> (f64, f64) {
        let rows = self.columns.iter().filter(|(_, touch)| *touch > 0.01).map(|(y, _)| *y);
        let (first, last) = rows.fold((f64::INFINITY, 0.0f64), |(a, b), y| (a.min(y), b.max(y)));
        if first.is_finite() { (first.floor(), last) } else { (0.0, 0.0) }
    }

    /// The height of the floor under each column: where the subject touches it, in a straight line between such places,
    /// and level beyond the outermost. `None` where it touches nowhere.
    pub(super) fn floor(&self) -> Option<Vec<f64>> {
        let touching: Vec<usize> = (0..self.columns.len()).filter(|&x| self.columns[x].1 > TOUCHES).collect();
        let (&first, &last) = (touching.first()?, touching.last()?);
        let mut line = vec![0.0; self.columns.len()];
        line[..=first].fill(self.columns[first].0);
        line[last..].fill(self.columns[last].0);
        for pair in touching.windows(2) {
            let ((from, to), (a, b)) =
                ((pair[0], pair[1]), (self.columns[pair[0]].0, self.columns[pair[1]].0));
            for (x, value) in line.iter_mut().enumerate().take(to + 1).skip(from) {
                *value = a + (b - a) * (x - from) as f64 / (to - from) as f64;
            }
        }
        Some(line)
    }
}

/// For each column the lower edge of the lowest pixel that is at least half covered, and of what it shares with the next.
fn lowest(outline: &Mask) -> Vec<Option<f64>> {
    let width = outline.width() as usize;
    let mut found = vec![None; width];
    let mut missing = width;
    let rows = outline.values().chunks_exact(width);
    let mut below: Option<&[u8]> = None;
    for (y, row) in rows.enumerate().rev() {
        for (x, found) in found.iter_mut().enumerate().filter(|(_, found)| found.is_none()) {
            if row[x] >= 128 {
                *found = Some(y as f64 + 1.0 + below.map_or(0.0, |below| f64::from(below[x]) / 255.0));
                missing -= 1;
            }
        }
        if missing == 0 {
            break;
        }
        below = Some(row);
    }
    found
}

/// The largest value within so many columns to either side; 0 where there is none.
fn highest_around(values: &[Option<f64>], reach: usize) -> Vec<f64> {
    let mut queue: VecDeque<(usize, f64)> = VecDeque::new();
    let mut next = 0;
    (0..values.len())
        .map(|x| {
            while next < values.len() && next <= x + reach {
                if let Some(value) = values[next] {
                    while queue.back().is_some_and(|last| last.1 <= value) {
                        queue.pop_back();
                    }
                    queue.push_back((next, value));
                }
                next += 1;
            }
            while queue.front().is_some_and(|first| first.0 + reach < x) {
                queue.pop_front();
            }
            queue.front().map_or(0.0, |first| first.1)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_floor_runs_between_the_feet() {
        // Two feet, the right one farther back, and something between them in the air.
        let values = (0..100 * 100u32)
            .map(|i| {
                let (x, y) = (i % 100, i / 100);
                let inside = (x < 10 && y < 100) || (x >= 90 && y < 92) || (y < 40 && x > 9);
                if inside { 255 } else { 0 }
            })
            .collect();
        let feet = Feet::of(&Mask::new(100, 100, values).expect("100 by 100"));
        let floor = feet.floor().expect("it touches");
        assert_eq!((floor[0], floor[9], floor[90], floor[99]), (100.0, 100.0, 92.0, 92.0));
        assert!(floor.is_sorted_by(|a, b| a >= b) && floor[50] > 95.0 && floor[50] < 97.0);
    }

    #[test]
    fn the_largest_around_is_found() {
        let values = [None, Some(3.0), Some(1.0), None, Some(2.0), None, None];
        assert_eq!(highest_around(&values, 1), [3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 0.0]);
    }
}
