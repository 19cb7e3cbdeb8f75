//! How strong the noise is, for each brightness, measured on the picture itself.
//!
//! Response of the mask of Immerkær, "Fast noise variance estimation" (1996), in small cells; at each brightness the
//! evenest cells tell the noise, because details only add to it.

/// Pixels along each side of a cell.
const CELL: usize = 16;

/// Kinds of brightness that are told apart.
pub(super) const BINS: usize = 16;

/// Share of the cells of a brightness that are evener than the one believed.
const EVENEST: f32 = 0.2;

/// What the evenest fifth of cells of pure noise lies under the mean by (measured on white noise).
const CORRECTION: f32 = 1.07;

/// Pixels of a plane from which every other cell in both directions tells enough.
const LARGE: usize = 2_000_000;

/// Cells a brightness needs for an estimate of its own.
const FEWEST: usize = 12;

/// Standard deviation of the noise in levels, for each brightness from 0 to 255.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct NoiseCurve(pub(super) [f32; BINS]);

/// Measures the noise of `plane`; `brightness` has the same size, in levels, and says what to tell apart. Cells that
/// touch black or white are left out, because clipping hides noise, and so are cells with anything `hidden`.
pub(super) fn measure(
    plane: &[f32],
    brightness: &[f32],
    width: usize,
    hidden: impl Fn(usize) -> bool,
) -> NoiseCurve {
    let height = plane.len() / width;
    let mut found: [Vec<f32>; BINS] = Default::default();
    let mut sums = vec![0f32; width];
    let step = if plane.len() < LARGE { CELL } else { 2 * CELL };
    for top in (1..height.saturating_sub(1)).step_by(step) {
        let bottom = (top + CELL).min(height - 1);
        // A remnant says too little.
        if bottom - top < CELL / 2 {
            break;
        }
        sums.fill(0.0);
        for y in top..bottom {
            let row = |y: usize| &plane[y * width..(y + 1) * width];
            add_response(row(y - 1), row(y), row(y + 1), &mut sums);
        }
        for left in (1..width.saturating_sub(1)).step_by(step) {
            let right = (left + CELL).min(width - 1);
            if right - left < CELL / 2 {
                break;
            }
            let (mut mean, mut low, mut high, mut shows) = (0.0, 255.0f32, 0.0f32, true);
            for y in top..bottom {
                for (x, &value) in brightness[y * width + left..y * width + right].iter().enumerate() {
                    (mean, low, high) = (mean + value, low.min(value), high.max(value));
                    shows &= !hidden(y * width + left + x);
                }
            }
            if !shows || low < 1.5 || high > 253.5 {
                continue;
            }
            let count = ((right - left) * (bottom - top)) as f32;
            let response: f32 = sums[left..right].iter().sum::<f32>() / count;
            // The mask has the norm 6; the mean of the absolute value of a Gaussian is sqrt(2/π) of its deviation.
            let sigma = response * (std::f32::consts::PI / 2.0).sqrt() / 6.0;
            found[bin(mean / count)].push(sigma);
        }
    }
    NoiseCurve::of(found)
}

/// The kind of a brightness in levels.
pub(super) fn bin(level: f32) -> usize {
    ((level * (BINS as f32 / 256.0)) as usize).min(BINS - 1)
}

fn add_response(above: &[f32], here: &[f32], below: &[f32], sums: &mut [f32]) {
    let width = here.len();
    for x in 1..width - 1 {
        let corners = above[x - 1] + above[x + 1] + below[x - 1] + below[x + 1];
        let sides = above[x] + below[x] + here[x - 1] + here[x + 1];
        sums[x] += (corners - 2.0 * sides + 4.0 * here[x]).abs();
    }
}

impl NoiseCurve {
    fn of(mut found: [Vec<f32>; BINS]) -> Self {
        let mut own = [None; BINS];
        let mut all: Vec<f32> = found.iter().flatten().copied().collect();
        for (own, cells) in own.iter_mut().zip(&mut found) {
            if cells.len() >= FEWEST {
                *own = Some(evenest(cells));
            }
        }
        if own.iter().all(Option::is_none) {
            // A small picture: all its cells together, or nothing is known.
            return Self([if all.is_empty() { 0.0 } else { evenest(&mut all) }; BINS]);
        }
        // What lies between two measured kinds lies between them in noise; beyond them it stays.
        let filled: [f32; BINS] = std::array::from_fn(|i| {
            let before = (0..=i).rev().find_map(|k| own[k].map(|sigma| (k, sigma)));
            let after = (i..BINS).find_map(|k| own[k].map(|sigma| (k, sigma)));
            match (before, after) {
                (Some((a, from)), Some((b, to))) if b > a => {
                    from + (to - from) * (i - a) as f32 / (b - a) as f32
                }
                (Some((_, sigma)), _) | (None, Some((_, sigma))) => sigma,
                (None, None) => 0.0,
            }
        });
        let at = |i: isize| filled[i.clamp(0, BINS as isize - 1) as usize];
        Self(std::array::from_fn(|i| {
            let i = i as isize;
            0.25 * at(i - 1) + 0.5 * at(i) + 0.25 * at(i + 1)
        }))
    }

    /// The noise at a brightness in levels, between the kinds.
    pub(super) fn at(&self, level: f32) -> f32 {
        let at = (level * (BINS as f32 / 256.0) - 0.5).clamp(0.0, (BINS - 1) as f32);
        let low = (at as usize).min(BINS - 2);
        self.0[low] + (self.0[low + 1] - self.0[low]) * (at - low as f32)
    }

    /// The curve of the plane at half its size: as measured there, but within what noise can become by it. Details that
    /// are large enough would otherwise be taken for noise.
    pub(super) fn within(&self, finer: &Self, least: f32, most: f32) -> Self {
        Self(std::array::from_fn(|i| self.0[i].clamp(finer.0[i] * least, finer.0[i] * most)))
    }
}

fn evenest(cells: &mut [f32]) -> f32 {
    let at = ((cells.len() as f32 * EVENEST) as usize).min(cells.len() - 1);
    let (_, value, _) = cells.select_nth_unstable_by(at, f32::total_cmp);
    *value * CORRECTION
}
