//! One shift for a whole small hole: the place nearby whose surroundings are most like the hole's own.

use pixels::Rect;

use super::canvas::{Canvas, Sample, State};
use super::regions::Region;

/// Largest side of a hole that is filled from one place.
pub(crate) const LARGEST: u32 = 40;
/// Width of the rim that is compared.
const RIM: usize = 4;
/// Squared difference of a rim pixel (shares, all channels) from which on no place is alike enough.
const UNLIKE: f32 = 0.004;

/// What is around a hole, copied together.
struct Window {
    view: Rect,
    width: usize,
    pixels: Vec<[f32; 4]>,
    is_source: Vec<bool>,
}

/// The place that a hole should be copied from, as columns and rows away from it; `None` when it is too large for one
/// place, or no place is alike.
pub(crate) fn shift<S: Sample>(canvas: &Canvas<'_, S>, region: &Region) -> Option<(i32, i32)> {
    let side = region.bounds.width.max(region.bounds.height);
    if side > LARGEST {
        return None;
    }
    let reach = 2 * side as i32 + 24;
    let window = Window::around(canvas, canvas.grown(region.bounds, reach as usize + RIM));
    let hole: Vec<usize> = region.pixels.iter().map(|&at| window.index(canvas, at as usize)).collect();
    let rim = window.rim(canvas.grown(region.bounds, RIM), &hole);
    if rim.len() < 12 {
        return None;
    }
    let stride = (side as i32 / 10).clamp(1, 3);
    let mut best = (f32::MAX, (0, 0));
    let attempt = |by: (i32, i32), best: &mut (f32, (i32, i32))| {
        if let Some(score) = window.score(&hole, &rim, by).filter(|score| *score < best.0) {
            *best = (score, by);
        }
    };
    for dy in (-reach..=reach).step_by(stride as usize) {
        for dx in (-reach..=reach).step_by(stride as usize) {
            attempt((dx, dy), &mut best);
        }
    }
    let (_, (x, y)) = best;
    for dy in 1 - stride..stride {
        for dx in 1 - stride..stride {
            attempt((x + dx, y + dy), &mut best);
        }
    }
    (best.0 < UNLIKE).then_some(best.1)
}

impl Window {
    fn around<S: Sample>(canvas: &Canvas<'_, S>, view: Rect) -> Self {
        let (left, width) = (view.x as usize, view.width as usize);
        let rows = view.y as usize..(view.y + view.height) as usize;
        let all = rows.flat_map(|y| (left..left + width).map(move |x| y * canvas.width + x));
        let (pixels, is_source) = all.map(|at| (canvas.at(at), canvas.state(at) == State::Source)).unzip();
        Self { view, width, pixels, is_source }
    }

    fn index<S: Sample>(&self, canvas: &Canvas<'_, S>, at: usize) -> usize {
        let (x, y) = (at % canvas.width, at / canvas.width);
        (y - self.view.y as usize) * self.width + x - self.view.x as usize
    }

    /// Known pixels within [`RIM`] of the hole.
    fn rim(&self, near: Rect, hole: &[usize]) -> Vec<usize> {
        let mut is_near = vec![false; self.pixels.len()];
        for &at in hole {
            let (x, y) = (at % self.width, at / self.width);
            let rows = y.saturating_sub(RIM)..(y + RIM + 1).min(self.view.height as usize);
            for row in rows {
                let columns = x.saturating_sub(RIM)..(x + RIM + 1).min(self.width);
                is_near[row * self.width..][columns].fill(true);
            }
        }
        let (left, top) = ((near.x - self.view.x) as usize, (near.y - self.view.y) as usize);
        let rows = top..top + near.height as usize;
        rows.flat_map(|y| (left..left + near.width as usize).map(move |x| y * self.width + x))
            .filter(|&at| is_near[at] && self.is_source[at])
            .collect()
    }

    /// How unlike the surroundings are a shift away, for each pixel of the rim: what is left when a difference in
    /// brightness, which can be mended, hardly counts. `None` where the shift leaves the known surroundings.
    fn score(&self, hole: &[usize], rim: &[usize], by: (i32, i32)) -> Option<f32> {
        let (dx, dy) = by;
        let height = self.view.height as i32;
        let step = dy as isize * self.width as isize + dx as isize;
        let moved = |at: usize| -> Option<usize> {
            let (x, y) = ((at % self.width) as i32 + dx, (at / self.width) as i32 + dy);
            let inside = x >= 0 && y >= 0 && x < self.width as i32 && y < height;
            let there = inside.then(|| (at as isize + step) as usize)?;
            self.is_source[there].then_some(there)
        };
        let (mut sum, mut squares) = ([0.0f32; 4], [0.0f32; 4]);
        let (mut own, mut own_squares) = ([0.0f32; 4], [0.0f32; 4]);
        for &at in rim {
            let (here, there) = (self.pixels[at], self.pixels[moved(at)?]);
            for c in 0..4 {
                let away = here[c] - there[c];
                sum[c] += away;
                squares[c] += away * away;
                own[c] += there[c];
                own_squares[c] += there[c] * there[c];
            }
        }
        let count = rim.len() as f32;
        let unlike: f32 = (0..4).map(|c| (squares[c] - 0.9 * sum[c] * sum[c] / count) / count).sum();
        // What lies in the place itself must not stand out from its own rim: it may be another spot, or a print.
        let mean = own.map(|sum| sum / count);
        let spread: f32 = (0..4).map(|c| own_squares[c] / count - mean[c] * mean[c]).sum();
        let mut inside = 0.0f32;
        for &at in hole {
            let there = self.pixels[moved(at)?];
            inside += (0..4).map(|c| (there[c] - mean[c]).powi(2)).sum::<f32>();
        }
        let stands_out = (inside / hole.len() as f32 - 1.5 * spread).max(0.0);
        // Of equals, the nearest.
        let far = (dx * dx + dy * dy) as f32 / (self.width * self.width) as f32;
        Some((unlike + 0.5 * stands_out) * (1.0 + 0.2 * far) + 1e-7 * far)
    }
}
