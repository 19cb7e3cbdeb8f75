//! The discrete Poisson equation inside a mask, by multigrid V-cycles with red-black Gauss-Seidel sweeps (Briggs,
//! Henson and McCormick 2000, chapters 3 and 4). Linear in the size of the grid.

/// What is known of a cell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell {
    /// Its value is sought.
    Free,
    /// Its value is 0.
    Zero,
    /// It is not there: nothing flows to it.
    Void,
}

/// Sweeps before and after each step to a coarser grid.
const SWEEPS: usize = 3;
/// Sweeps on the coarsest grid.
const COARSEST: usize = 24;

/// A grid with its coarser grids.
pub(crate) struct Grid {
    width: usize,
    cells: Vec<Cell>,
    /// Free cells of either colour of a chessboard.
    free: [Vec<u32>; 2],
    coarser: Option<Box<Grid>>,
}

impl Grid {
    /// A grid of `width` by `cells.len() / width` cells.
    pub(crate) fn new(width: usize, cells: Vec<Cell>) -> Self {
        let mut free = [Vec::new(), Vec::new()];
        for (index, _) in cells.iter().enumerate().filter(|(_, cell)| **cell == Cell::Free) {
            free[(index % width + index / width) % 2].push(index as u32);
        }
        let coarser = (free[0].len() + free[1].len() > 16).then(|| coarsened(width, &cells));
        let coarser = coarser
            .filter(|(_, cells)| cells.contains(&Cell::Free))
            .map(|(width, cells)| Box::new(Self::new(width, cells)));
        Self { width, cells, free, coarser }
    }

    /// Solves: the sum over a free cell's neighbours of (neighbour - cell) is `right` at that cell. `values` holds a
    /// first guess, 0 outside free cells, and the solution afterwards, to about a thousandth after ten `cycles`. Once `stop` says
    /// so it ends with whatever it has, within a sweep.
    pub(crate) fn solve(&self, values: &mut [f32], right: &[f32], cycles: usize, stop: &dyn Fn() -> bool) {
        for _ in 0..cycles {
            self.cycle(values, right, stop);
        }
    }

    fn sweeps(&self, values: &mut [f32], right: &[f32], many: usize, stop: &dyn Fn() -> bool) {
        for _ in 0..many {
            if stop() {
                return;
            }
            self.sweep(values, right);
        }
    }

    fn cycle(&self, values: &mut [f32], right: &[f32], stop: &dyn Fn() -> bool) {
        let Some(coarser) = &self.coarser else {
            self.sweeps(values, right, COARSEST, stop);
            return;
        };
        self.sweeps(values, right, SWEEPS, stop);
        if stop() {
            return;
        }
        let mut rest = vec![0.0f32; coarser.cells.len()];
        for &index in self.free.iter().flatten() {
            let index = index as usize;
            let (sum, count) = self.around(values, index);
            let (x, y) = (index % self.width / 2, index / self.width / 2);
            rest[y * coarser.width + x] += right[index] - (sum - count * values[index]);
        }
        let mut error = vec![0.0f32; rest.len()];
        coarser.cycle(&mut error, &rest, stop);
        if stop() {
            return;
        }
        let rows = coarser.cells.len() / coarser.width;
        for &index in self.free.iter().flatten() {
            let index = index as usize;
            let (x, y) = (index % self.width, index / self.width);
            // The nearest coarse cell counts nine times, those beside it three times, the one across once.
            let near = |at: usize, most: usize| {
                let own = at / 2;
                let other =
                    if at.is_multiple_of(2) { own.saturating_sub(1) } else { (own + 1).min(most - 1) };
                (own, other)
            };
            let ((x, x2), (y, y2)) = (near(x, coarser.width), near(y, rows));
            let at = |x: usize, y: usize| error[y * coarser.width + x];
            values[index] += (9.0 * at(x, y) + 3.0 * (at(x2, y) + at(x, y2)) + at(x2, y2)) * (1.0 / 16.0);
        }
        self.sweeps(values, right, SWEEPS, stop);
    }

    fn sweep(&self, values: &mut [f32], right: &[f32]) {
        for &index in self.free.iter().flatten() {
            let index = index as usize;
            let (sum, count) = self.around(values, index);
            if count > 0.0 {
                values[index] = (sum - right[index]) / count;
            }
        }
    }

    /// Sum of the neighbours that are there, and their number.
    #[inline]
    fn around(&self, values: &[f32], index: usize) -> (f32, f32) {
        let (mut sum, mut count) = (0.0, 0.0);
        let x = index % self.width;
        let mut add = |near: usize| {
            if self.cells[near] != Cell::Void {
                sum += values[near];
                count += 1.0;
            }
        };
        if x > 0 {
            add(index - 1);
        }
        if x + 1 < self.width {
            add(index + 1);
        }
        if index >= self.width {
            add(index - self.width);
        }
        if index + self.width < self.cells.len() {
            add(index + self.width);
        }
        (sum, count)
    }
}

/// Four cells become one: free only where none of them is known, so that what is known stays in its place.
fn coarsened(width: usize, cells: &[Cell]) -> (usize, Vec<Cell>) {
    let height = cells.len() / width;
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut coarse = vec![Cell::Void; half_width * half_height];
    for (y, row) in cells.chunks_exact(width).enumerate() {
        for (x, &cell) in row.iter().enumerate() {
            let into = &mut coarse[y / 2 * half_width + x / 2];
            *into = match (*into, cell) {
                (Cell::Zero, _) | (_, Cell::Zero) => Cell::Zero,
                (Cell::Free, _) | (_, Cell::Free) => Cell::Free,
                _ => Cell::Void,
            };
        }
    }
    (half_width, coarse)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smooth_surface_comes_back_from_its_edge() {
        // A harmonic surface: its Laplacian is 0, so that the edge alone decides.
        let (width, height) = (67, 45);
        let surface = |x: usize, y: usize| {
            let (x, y) = (x as f32 / 66.0, y as f32 / 66.0);
            x * x - y * y + 0.3 * x
        };
        let edge = |x: usize, y: usize| x == 0 || y == 0 || x == width - 1 || y == height - 1;
        let mut cells = Vec::new();
        let mut right = vec![0.0; width * height];
        for y in 0..height {
            for x in 0..width {
                cells.push(if edge(x, y) { Cell::Zero } else { Cell::Free });
                if !edge(x, y) {
                    for (x2, y2) in [(x - 1, y), (x + 1, y), (x, y - 1), (x, y + 1)] {
                        if edge(x2, y2) {
                            right[y * width + x] -= surface(x2, y2);
                        }
                    }
                }
            }
        }
        let mut values = vec![0.0; width * height];
        Grid::new(width, cells).solve(&mut values, &right, 10, &|| false);
        for y in 1..height - 1 {
            for x in 1..width - 1 {
                let off = (values[y * width + x] - surface(x, y)).abs();
                assert!(off < 1e-3, "{x} {y}: off by {off}");
            }
        }
    }

    #[test]
    fn nothing_flows_to_what_is_not_there() {
        let mut cells = vec![Cell::Void; 9 * 3];
        cells[9..18].fill(Cell::Free);
        cells[9] = Cell::Zero;
        let mut right = vec![0.0; 27];
        // The known end is 0; the other end has nothing beside it, so that all are what the known end is.
        right[10] = -0.5;
        let mut values = vec![0.0; 27];
        Grid::new(9, cells).solve(&mut values, &right, 60, &|| false);
        assert!(values[11..18].iter().all(|value| (value - 0.5).abs() < 0.02), "{values:?}");
    }

    /// Asked to stop, it looks up once a sweep, and does nothing more.
    #[test]
    fn it_stops_within_a_sweep() {
        let cells = vec![Cell::Free; 64 * 64];
        let (mut values, right) = (vec![0.0f32; cells.len()], vec![1.0f32; cells.len()]);
        let looks = std::cell::Cell::new(0);
        let stop = || {
            looks.set(looks.get() + 1);
            looks.get() > 1
        };
        Grid::new(64, cells).solve(&mut values, &right, 10, &stop);
        let once = values.clone();
        let (cells, mut again) = (vec![Cell::Free; 64 * 64], vec![0.0f32; 64 * 64]);
        Grid::new(64, cells).sweep(&mut again, &right);
        assert_eq!(once, again, "one sweep was done");
    }
}
