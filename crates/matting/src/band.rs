//! Solves the compositing equation `I = αF + (1 - α)B` in a narrow band around the contour of an alpha.
//!
//! F and B come from the nearest pixels that are surely product and surely background. The answer is weighed
//! against the alpha that was there: by the contrast of F and B, by how far both scatter, by what the
//! equation leaves unexplained, and by the distance from the contour.

use crate::refine::{SURE_IN, SURE_OUT};
use crate::source::Colours;

/// Half the width of the band, in pixels of the level that is solved.
pub(crate) const REACH: i32 = 3;
/// How far F and B are looked for.
const SEARCH: i32 = 9;
/// Known pixels averaged into F and into B.
const KNOWN_PIXELS: usize = 10;
/// Noise of one colour that is assumed at least, in 8-bit levels summed over channels.
const NOISE: f32 = 2.5;
/// How much more doubt a colour off the line from B to F brings than one scattered along it.
const UNEXPLAINED_WEIGHT: f32 = 2.0;

/// F and B are compared with those this much farther from the edge …
const DEEPER: f32 = 2.5;
/// … and what they change by on the way, carried on to the edge, counts this much as doubt: a rim darkens or mirrors
/// the backdrop, a contact shadow darkens towards the product.
const DRIFT_WEIGHT: f32 = 2.0;

/// Half the side of the square over which uncertain estimates are evened out …
const POOL: usize = 3;
/// … how different the alpha of two pixels at the same height of an edge may be …
const POOL_HEIGHT: f32 = 32.0;
/// … and the variance that being another pixel adds.
const POOL_VARIANCE: f32 = 0.04;
/// Estimates of less variance than this keep mostly to themselves.
const POOL_FROM: f32 = 0.02;
/// Variance of a pixel without an F or a B to solve for.
const UNSOLVED: f32 = 1e6;

/// What `Band::kind` says of a pixel; up to `REACH` squared it is the squared distance from the contour.
const OUTSIDE: u8 = 253;
const INSIDE: u8 = 254;
const UNKNOWN: u8 = 255;

/// What kind of estimate a band is solved from.
#[derive(Clone, Copy)]
pub(crate) struct Start {
    /// Standard deviation of its error on the contour.
    pub doubt: f32,
    /// Whether it has shades of its own to fall back on, as a network's alpha has and an outline has not.
    pub has_shades: bool,
}

/// Solves the band of one level in place. `alpha` is the estimate to start from, with a contour that is
/// at most about `REACH` pixels off. Nothing beyond the band changes.
pub(crate) fn solve<C: Colours>(colours: &C, width: usize, alpha: &mut [u8], start: Start) {
    let band = Band::around(alpha, width);
    if band.pixels.is_empty() {
        return;
    }
    let spiral = spiral();
    let mut solved: Vec<Estimate> = band
        .pixels
        .iter()
        .map(|&index| band.solved_at(colours, alpha, index as usize, &spiral, start))
        .collect();
    if start.has_shades {
        solved = band.pooled(&solved, alpha);
    }
    let mut refined = alpha.to_vec();
    for (&index, pooled) in band.pixels.iter().zip(solved) {
        let index = index as usize;
        // The old alpha is worth little on the contour and is all there is at the end of the band.
        let distance = f32::from(band.kind[index]).sqrt();
        let fade = 1.0 - (distance / (REACH as f32 + 1.0)).powi(2);
        let doubt = (start.doubt * fade * fade).powi(2);
        let share = doubt / (doubt + pooled.variance);
        let value = f32::from(alpha[index]) + 255.0 * share * pooled.shift;
        refined[index] = (value + 0.5).clamp(0.0, 255.0) as u8;
    }
    if start.has_shades {
        band.keep_highlights(alpha, &mut refined);
    } else {
        band.fill_grooves(alpha, &mut refined);
    }
    band.keep_shape(alpha, &mut refined);
    alpha.copy_from_slice(&refined);
}

/// The pixels of one level that are solved, and what is known of the others.
pub(crate) struct Band {
    pub(crate) width: i32,
    pub(crate) height: i32,
    /// One of the constants above, or the squared distance from the contour.
    kind: Vec<u8>,
    /// Indices of the band's pixels, in order.
    pub(crate) pixels: Vec<u32>,
}

/// A step away from a pixel.
struct Step {
    x: i32,
    y: i32,
    squared: i32,
}

/// Mean colour of known pixels near by and how far they scatter.
struct Known {
    mean: [f32; 3],
    /// Mean squared distance from the mean, summed over channels.
    scatter: f32,
}

/// Known pixels and how far away they are.
#[derive(Default)]
struct Found {
    colours: [[f32; 3]; KNOWN_PIXELS],
    count: usize,
    distances: f32,
}

impl Found {
    fn add(&mut self, colour: [f32; 3], distance: f32) {
        self.colours[self.count] = colour;
        self.count += 1;
        self.distances += distance;
    }

    fn distance(&self) -> f32 {
        self.distances / self.count as f32
    }

    fn mean(&self) -> [f32; 3] {
        let mut mean = [0.0f32; 3];
        for colour in &self.colours[..self.count] {
            for c in 0..3 {
                mean[c] += colour[c] / self.count as f32;
            }
        }
        mean
    }

    fn scatter(&self, mean: [f32; 3]) -> f32 {
        let found = &self.colours[..self.count];
        found.iter().map(|colour| squared_distance(*colour, mean)).sum::<f32>() / self.count as f32
    }
}

/// What the equation says of one pixel.
#[derive(Clone, Copy)]
struct Estimate {
    /// Alpha less the alpha that was there, 1.0 = opaque.
    shift: f32,
    variance: f32,
}

/// All steps within the search radius, nearest first; ties in a fixed order.
fn spiral() -> Vec<Step> {
    let mut steps: Vec<Step> = (-SEARCH..=SEARCH)
        .flat_map(|y| (-SEARCH..=SEARCH).map(move |x| Step { x, y, squared: x * x + y * y }))
        .filter(|step| step.squared <= SEARCH * SEARCH)
        .collect();
    steps.sort_by_key(|step| (step.squared, step.y, step.x));
    steps
}

impl Band {
    /// Whether a pixel is solved.
    pub(crate) fn contains(&self, index: usize) -> bool {
        self.kind[index] < OUTSIDE
    }

    /// Finds the pixels within `REACH` of the 0.5 contour by stamping a disc on each contour pixel.
    fn around(alpha: &[u8], width: usize) -> Self {
        let height = alpha.len() / width;
        let mut kind: Vec<u8> = alpha
            .iter()
            .map(|&a| match a {
                SURE_IN.. => INSIDE,
                ..=SURE_OUT => OUTSIDE,
                _ => UNKNOWN,
            })
            .collect();
        let mut pixels = Vec::new();
        let disc: Vec<Step> = spiral().into_iter().take_while(|step| step.squared <= REACH * REACH).collect();
        for y in 0..height {
            for x in 0..width {
                let index = y * width + x;
                let side = alpha[index] >= 128;
                let is_contour = (x + 1 < width && (alpha[index + 1] >= 128) != side)
                    || (x > 0 && (alpha[index - 1] >= 128) != side)
                    || (y + 1 < height && (alpha[index + width] >= 128) != side)
                    || (y > 0 && (alpha[index - width] >= 128) != side);
                if !is_contour {
                    continue;
                }
                for step in &disc {
                    let (x, y) = (x as i32 + step.x, y as i32 + step.y);
                    if x >= 0 && y >= 0 && x < width as i32 && y < height as i32 {
                        let slot = y as usize * width + x as usize;
                        if kind[slot] >= OUTSIDE {
                            pixels.push(slot as u32);
                        }
                        kind[slot] = kind[slot].min(step.squared as u8);
                    }
                }
            }
        }
        pixels.sort_unstable();
        Self { width: width as i32, height: height as i32, kind, pixels }
    }

    fn solved_at<C: Colours>(
        &self,
        colours: &C,
        alpha: &[u8],
        index: usize,
        spiral: &[Step],
        start: Start,
    ) -> Estimate {
        let own = colours.at(index);
        let front = self.known(colours, index, spiral, INSIDE, start);
        let back = self.known(colours, index, spiral, OUTSIDE, start);
        let both = match (front, back) {
            (Some(front), Some(back)) => Some((front, back)),
            (None, Some(back)) => {
                self.purest(colours, alpha, index, spiral, &back, |a| a >= 160).map(|front| (front, back))
            }
            (Some(front), None) => {
                self.purest(colours, alpha, index, spiral, &front, |a| a <= 95).map(|back| (front, back))
            }
            (None, None) => None,
        };
        match both {
            Some((front, back)) => {
                let (solved, variance) = solve_pixel(own, &front, &back, start.has_shades);
                Estimate { shift: solved - f32::from(alpha[index]) / 255.0, variance }
            }
            None => Estimate { shift: 0.0, variance: UNSOLVED },
        }
    }

    /// Evens out uncertain estimates along the contour: each takes part of its neighbours at the same height
    /// of the edge, by their certainty. Certain ones keep their own.
    fn pooled(&self, solved: &[Estimate], alpha: &[u8]) -> Vec<Estimate> {
        let width = self.width as usize;
        let mut rows = vec![0usize; self.height as usize + 1];
        for &index in &self.pixels {
            rows[index as usize / width + 1] += 1;
        }
        for row in 1..rows.len() {
            rows[row] += rows[row - 1];
        }
        let mut cursors = [0usize; 2 * POOL + 1];
        let mut row = usize::MAX;
        let mut out = Vec::with_capacity(solved.len());
        for (own, &index) in self.pixels.iter().enumerate() {
            let (x, y) = (index as usize % width, index as usize / width);
            if y != row {
                row = y;
                for (offset, cursor) in cursors.iter_mut().enumerate() {
                    *cursor = rows[(y + offset).saturating_sub(POOL).min(self.height as usize)];
                }
            }
            let height = f32::from(alpha[index as usize]);
            let certainty = 1.0 / solved[own].variance;
            let need = solved[own].variance / (solved[own].variance + POOL_FROM);
            let (mut weights, mut shift, mut certainties) =
                (1.0f32, solved[own].shift * certainty, certainty);
            for (offset, cursor) in cursors.iter_mut().enumerate() {
                let Some(line) = (y + offset).checked_sub(POOL).filter(|&line| line < self.height as usize)
                else {
                    continue;
                };
                let (first, last) =
                    (line * width + x.saturating_sub(POOL), line * width + (x + POOL).min(width - 1));
                while *cursor < rows[line + 1] && (self.pixels[*cursor] as usize) < first {
                    *cursor += 1;
                }
                let near = (*cursor..rows[line + 1]).take_while(|&i| self.pixels[i] as usize <= last);
                for near in near.filter(|&near| near != own) {
                    let slot = self.pixels[near] as usize;
                    let apart = (f32::from(alpha[slot]) - height) * (1.0 / POOL_HEIGHT);
                    let weight = need * (1.0 - apart * apart).max(0.0);
                    let certainty = weight / (solved[near].variance + POOL_VARIANCE);
                    weights += weight;
                    shift += solved[near].shift * certainty;
                    certainties += certainty;
                }
            }
            // The neighbours err together: more of them make the estimate even, not certain.
            out.push(Estimate { shift: shift / certainties, variance: weights / certainties });
        }
        out
    }

    /// Mean of the nearest pixels of one kind; `None` when there is none within the search radius.
    fn known<C: Colours>(
        &self,
        colours: &C,
        index: usize,
        spiral: &[Step],
        kind: u8,
        start: Start,
    ) -> Option<Known> {
        let mut near = Found::default();
        let mut deeper = Found::default();
        let mut limit = i32::MAX;
        for (step, slot) in self.steps(index, spiral).filter(|&(_, slot)| self.kind[slot] == kind) {
            let distance = (step.squared as f32).sqrt();
            if near.count == 0 {
                // Two pixels beyond the nearest are still the same place on the product.
                limit = ((distance + 2.0) * (distance + 2.0)) as i32;
            }
            if near.count < KNOWN_PIXELS && step.squared <= limit {
                near.add(colours.at(slot), distance);
            } else if !start.has_shades {
                // An outline has nothing better to fall back on: no need to know how it changes.
                break;
            } else if distance > near.distance() + DEEPER {
                deeper.add(colours.at(slot), distance);
                if deeper.count == KNOWN_PIXELS {
                    break;
                }
            }
        }
        if near.count == 0 {
            return None;
        }
        let mean = near.mean();
        let mut scatter = near.scatter(mean);
        if deeper.count > 0 {
            let by_chance = scatter * (1.0 / deeper.count as f32 + 1.0 / near.count as f32);
            let drift = (squared_distance(deeper.mean(), mean) - by_chance).max(0.0);
            let ratio = near.distance() / (deeper.distance() - near.distance()).max(1.0);
            scatter += DRIFT_WEIGHT * drift * ratio * ratio;
        }
        Some(Known { mean, scatter })
    }

    /// For a part too thin to hold a sure pixel: the pixel near by that differs most from the other side.
    fn purest<C: Colours>(
        &self,
        colours: &C,
        alpha: &[u8],
        index: usize,
        spiral: &[Step],
        other: &Known,
        chosen: impl Fn(u8) -> bool,
    ) -> Option<Known> {
        let near = (REACH + 1) * (REACH + 1);
        let (mut best, mut farthest) = (None, 0.0f32);
        for (step, slot) in self.steps(index, spiral) {
            if step.squared > near {
                break;
            }
            if chosen(alpha[slot]) {
                let colour = colours.at(slot);
                let away = squared_distance(colour, other.mean);
                if away > farthest {
                    farthest = away;
                    best = Some(colour);
                }
            }
        }
        // One pixel may itself be mixed: count a tenth of the contrast as scatter.
        best.map(|mean| Known { mean, scatter: 0.01 * farthest + NOISE * NOISE })
    }

    fn steps<'a>(&'a self, index: usize, spiral: &'a [Step]) -> impl Iterator<Item = (&'a Step, usize)> {
        let (x, y) = ((index % self.width as usize) as i32, (index / self.width as usize) as i32);
        spiral.iter().filter_map(move |step| {
            let (x, y) = (x + step.x, y + step.y);
            let is_in = x >= 0 && y >= 0 && x < self.width && y < self.height;
            is_in.then(|| (step, (y * self.width + x) as usize))
        })
    }
}

/// Alpha of one pixel by projection on the line from B to F, and the variance of that answer.
fn solve_pixel(own: [f32; 3], front: &Known, back: &Known, has_shades: bool) -> (f32, f32) {
    let span = [0, 1, 2].map(|c| front.mean[c] - back.mean[c]);
    let offset = [0, 1, 2].map(|c| own[c] - back.mean[c]);
    let contrast = dot(span, span).max(1e-3);
    let raw = dot(offset, span) / contrast;
    let alpha = raw.clamp(0.0, 1.0);
    // Beyond F a pixel is product all the same; beyond B it is nothing the equation knows.
    let reached = raw.max(0.0);
    let left = [0, 1, 2].map(|c| offset[c] - reached * span[c]);
    let spread = if has_shades {
        // Whatever the share: texture of one side alone can look like any mixture.
        front.scatter + back.scatter
    } else {
        alpha * alpha * front.scatter + (1.0 - alpha) * (1.0 - alpha) * back.scatter
    };
    (alpha, (spread + UNEXPLAINED_WEIGHT * dot(left, left) + NOISE * NOISE) / contrast)
}

fn dot(a: [f32; 3], b: [f32; 3]) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

fn squared_distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    let apart = [0, 1, 2].map(|c| a[c] - b[c]);
    dot(apart, apart)
}

#[cfg(test)]
mod tests {
    use super::{Known, solve_pixel};

    #[test]
    fn a_mixed_pixel_gives_its_share_back() {
        let front = Known { mean: [20.0, 60.0, 180.0], scatter: 0.0 };
        let back = Known { mean: [250.0, 250.0, 250.0], scatter: 0.0 };
        for share in [0.0f32, 0.25, 0.6, 1.0] {
            let own = [0, 1, 2].map(|c| back.mean[c] + share * (front.mean[c] - back.mean[c]));
            let (alpha, variance) = solve_pixel(own, &front, &back, true);
            assert!((alpha - share).abs() < 1e-4);
            assert!(variance < 1e-3);
        }
    }

    #[test]
    fn low_contrast_and_foreign_colours_are_in_doubt() {
        let white = Known { mean: [250.0; 3], scatter: 6.0 };
        let whiter = Known { mean: [253.0; 3], scatter: 6.0 };
        assert!(solve_pixel([251.0; 3], &white, &whiter, true).1 > 0.3);
        let blue = Known { mean: [20.0, 20.0, 120.0], scatter: 6.0 };
        let grey = Known { mean: [128.0; 3], scatter: 6.0 };
        assert!(
            solve_pixel([255.0; 3], &blue, &grey, true).1 > 0.3,
            "a highlight is neither product colour nor backdrop"
        );
    }
}
