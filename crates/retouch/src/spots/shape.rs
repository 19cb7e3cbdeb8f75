//! What stands out as one piece, how it is shaped, and whether it lies on something even.

use super::tophat::{Luma, TopHat};
use super::unrest::Unrest;

/// One piece of a picture that stands out.
pub(crate) struct Piece {
    /// Its pixels, its soft edge included.
    pub(crate) pixels: Vec<u32>,
    /// Those that stand out at least half as far as the one that does most.
    pub(crate) core: Vec<u32>,
    /// Left, top, right and bottom edge; right and bottom lie behind the last pixel.
    pub(crate) bounds: [usize; 4],
    /// Whether it is darker than what is around.
    pub(crate) is_dark: bool,
    /// How far it stands out where it does most, in steps of a 1024th.
    pub(crate) peak: u8,
}

impl Piece {
    /// The longer side of its bounds.
    pub(crate) fn side(&self) -> usize {
        let [left, top, right, bottom] = self.bounds;
        (right - left).max(bottom - top)
    }

    /// Its length along its longer direction, and its mean width, in pixels, by the moments of its pixels: the axes of
    /// the ellipse with the same moments for a compact piece, the area by the length for a long one.
    pub(crate) fn length_and_width(&self, columns: usize) -> (f32, f32) {
        let count = self.core.len() as f32;
        let (mut x_sum, mut y_sum) = (0.0f32, 0.0f32);
        let [left, top, ..] = self.bounds;
        let place = |at: u32| ((at as usize % columns - left) as f32, (at as usize / columns - top) as f32);
        for &at in &self.core {
            let (x, y) = place(at);
            x_sum += x;
            y_sum += y;
        }
        let (x_mean, y_mean) = (x_sum / count, y_sum / count);
        // A pixel is a square, not a point.
        let (mut xx, mut xy, mut yy) = (count / 12.0, 0.0f32, count / 12.0);
        for &at in &self.core {
            let (x, y) = place(at);
            xx += (x - x_mean) * (x - x_mean);
            xy += (x - x_mean) * (y - y_mean);
            yy += (y - y_mean) * (y - y_mean);
        }
        let (mean, half) = ((xx + yy) / 2.0, (xx - yy) / 2.0);
        let long = mean + half.hypot(xy);
        // An ellipse's second moment is a sixteenth of its axis squared, a line's a twelfth of its length squared.
        let length = (long / count * 14.0).sqrt();
        // A curved fibre is longer than it reaches, so that its area by its reach is at most a little too wide.
        (length, count / length.max(1.0))
    }

    /// How far its pixels lie from a straight line, at most.
    pub(crate) fn bend(&self, columns: usize) -> f32 {
        let place = |at: u32| ((at as usize % columns) as f32, (at as usize / columns) as f32);
        let farthest = |from: (f32, f32)| {
            let away = |p: (f32, f32)| (p.0 - from.0).hypot(p.1 - from.1);
            self.pixels
                .iter()
                .map(|&at| place(at))
                .max_by(|a, b| away(*a).total_cmp(&away(*b)))
                .unwrap_or(from)
        };
        let one = farthest(self.pixels.first().map_or((0.0, 0.0), |&at| place(at)));
        let other = farthest(one);
        let (dx, dy) = (other.0 - one.0, other.1 - one.1);
        let length = dx.hypot(dy).max(1.0);
        let off = |p: (f32, f32)| ((p.0 - one.0) * dy - (p.1 - one.1) * dx).abs() / length;
        self.pixels.iter().map(|&at| off(place(at))).fold(0.0, f32::max)
    }

    /// Whether what is around it is even enough that it cannot belong to it: it is outside the range of its
    /// surroundings, and little else stands out there.
    pub(crate) fn is_alone(
        &self,
        luma: &Luma,
        hat: &TopHat,
        unrest: &Unrest,
        counts: &dyn Fn(usize) -> bool,
    ) -> bool {
        let [left, top, right, bottom] = self.bounds;
        let room = (self.side().min(24) * 3 / 2).max(7);
        let (x0, y0) = (left.saturating_sub(room), top.saturating_sub(room));
        let (x1, y1) = ((right + room).min(luma.width), (bottom + room).min(luma.height));
        let width = x1 - x0;
        // What is nearer than two pixels is still the piece's own soft edge.
        let mut is_near = vec![false; width * (y1 - y0)];
        let mut is_around = is_near.clone();
        let grow = |into: &mut Vec<bool>, at: u32, by: usize| {
            let (x, y) = (at as usize % luma.width - x0, at as usize / luma.width - y0);
            for row in y.saturating_sub(by)..(y + by + 1).min(y1 - y0) {
                into[row * width..][x.saturating_sub(by)..(x + by + 1).min(width)].fill(true);
            }
        };
        let stride = (self.pixels.len() / 400).max(1);
        for (turn, &at) in self.pixels.iter().enumerate() {
            grow(&mut is_near, at, 2);
            if turn % stride == 0 {
                grow(&mut is_around, at, room);
            }
        }
        let (mut around, mut standing, mut outside) = (Vec::new(), 0usize, 0usize);
        for index in (0..is_near.len()).filter(|&index| is_around[index] && !is_near[index]) {
            let (x, y) = (x0 + index % width, y0 + index / width);
            let at = y * luma.width + x;
            if !counts(at) {
                outside += 1;
                continue;
            }
            around.push(((x - x0) as f32, (y - y0) as f32, f32::from(luma.values[at])));
            standing += usize::from(hat.most(at) > unrest.grain(x, y));
        }
        // At an edge there is no telling what belongs to the subject, or goes on beyond the picture.
        let at_edge = left < 2 || top < 2 || right + 2 > luma.width || bottom + 2 > luma.height;
        if at_edge || around.len() < 24 || outside * 8 > around.len() || standing * 25 > around.len() {
            return false;
        }
        // Light that falls off across the surroundings makes nothing uneven.
        let slope = Slope::of(&around);
        let mut values: Vec<f32> = around.iter().map(|&(x, y, value)| value - slope.at(x, y)).collect();
        values.sort_unstable_by(f32::total_cmp);
        let (low, high) = (values[values.len() / 20], values[values.len() * 19 / 20]);
        let own = |&at: &u32| {
            let (x, y) = (at as usize % luma.width - x0, at as usize / luma.width - y0);
            f32::from(luma.values[at as usize]) - slope.at(x as f32, y as f32)
        };
        let mut own: Vec<f32> = self.core.iter().map(own).collect();
        own.sort_unstable_by(f32::total_cmp);
        let middle = own[own.len() / 2];
        let away = if self.is_dark { low - middle } else { middle - high };
        away > ((high - low) / 2.0).max(8.0)
    }
}

/// A plane through values, by least squares.
struct Slope {
    middle: (f32, f32, f32),
    across: f32,
    down: f32,
}

impl Slope {
    fn of(values: &[(f32, f32, f32)]) -> Self {
        let count = values.len().max(1) as f32;
        let sum = values.iter().fold((0.0, 0.0, 0.0), |s, v| (s.0 + v.0, s.1 + v.1, s.2 + v.2));
        let middle = (sum.0 / count, sum.1 / count, sum.2 / count);
        let (mut xx, mut xy, mut yy, mut xv, mut yv) = (0.0f32, 0.0f32, 0.0f32, 0.0f32, 0.0f32);
        for &(x, y, value) in values {
            let (x, y, value) = (x - middle.0, y - middle.1, value - middle.2);
            xx += x * x;
            xy += x * y;
            yy += y * y;
            xv += x * value;
            yv += y * value;
        }
        let whole = xx * yy - xy * xy;
        // All on one line: there is no plane.
        let (across, down) = match whole > 1e-3 * xx * yy {
            true => ((xv * yy - yv * xy) / whole, (yv * xx - xv * xy) / whole),
            false => (0.0, 0.0),
        };
        Self { middle, across, down }
    }

    fn at(&self, x: f32, y: f32) -> f32 {
        self.middle.2 + self.across * (x - self.middle.0) + self.down * (y - self.middle.1)
    }
}

/// What is left of a piece that is not sure enough to be looked at, but may make a pattern of one that is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Outline {
    /// As in [`Piece`].
    pub(crate) bounds: [u32; 4],
    /// How many pixels its core has.
    pub(crate) core: u32,
    /// As in [`Piece`].
    pub(crate) peak: u8,
}

impl Piece {
    /// What others are compared with.
    pub(crate) fn outline(&self) -> Outline {
        let bounds = self.bounds.map(|edge| edge as u32);
        Outline { bounds, core: self.core.len() as u32, peak: self.peak }
    }
}

/// Everything that stands out from the grain in one direction: the pieces that are sure enough, and the outlines of all.
/// Pieces of more than `most` pixels are left out of the first.
pub(crate) fn pieces(
    size: (usize, usize),
    values: &[u8],
    unrest: &Unrest,
    is_dark: bool,
    most: usize,
    counts: &dyn Fn(usize) -> bool,
) -> (Vec<Piece>, Vec<Outline>) {
    let (width, height) = size;
    let mut seen = vec![false; values.len()];
    let (mut found, mut outlines) = (Vec::new(), Vec::new());
    let (mut open, mut pixels) = (Vec::new(), Vec::new());
    for start in 0..values.len() {
        let grain = unrest.grain(start % width, start / width);
        if values[start] < grain || seen[start] || !counts(start) {
            continue;
        }
        seen[start] = true;
        open.push(start as u32);
        pixels.clear();
        let (mut bounds, mut peak, mut is_sure) = ([width, height, 0, 0], 0, false);
        while let Some(at) = open.pop() {
            let (x, y) = (at as usize % width, at as usize / width);
            bounds = [bounds[0].min(x), bounds[1].min(y), bounds[2].max(x + 1), bounds[3].max(y + 1)];
            let value = values[at as usize];
            peak = peak.max(value);
            is_sure |= value >= unrest.least(x, y);
            pixels.push(at);
            for near_y in y.saturating_sub(1)..(y + 2).min(height) {
                for near_x in x.saturating_sub(1)..(x + 2).min(width) {
                    let near = near_y * width + near_x;
                    if !seen[near] && values[near] >= grain {
                        seen[near] = true;
                        open.push(near as u32);
                    }
                }
            }
        }
        let is_core = |at: &u32| values[*at as usize] >= peak.div_ceil(2);
        if pixels.len() > 1 {
            let core = pixels.iter().filter(|at| is_core(at)).count() as u32;
            outlines.push(Outline { bounds: bounds.map(|edge| edge as u32), core, peak });
        }
        if is_sure && pixels.len() > 1 && pixels.len() <= most {
            let core = pixels.iter().copied().filter(|at| is_core(at)).collect();
            found.push(Piece { pixels: pixels.clone(), core, bounds, is_dark, peak });
        }
    }
    (found, outlines)
}
