//! The subject's outline in profile: mean colours by distance from it, cell by cell.
//!
//! Means along a stretch of outline cancel what a product's texture does at single places and keep what runs along it: a
//! ring. Rings are looked for at the bounded size, as they are seen.

use pixels::Rect;

use crate::Region;
use crate::scene::{Scene, Work};
use crate::subject::Subject;

/// Side of a cell, in pixels of the bounded picture.
const CELL: usize = 96;
/// Pixels on each side of the outline that are looked at.
const REACH: usize = 9;
/// Distances of a profile: −9..=−1 inside, 1..=9 outside.
const BINS: usize = 2 * REACH;
/// The first bin outside.
const FIRST_OUT: usize = REACH;
/// Pixels that a bin needs.
const LEAST_IN_BIN: u32 = 8;
/// Pixels of outline that a cell needs.
const LEAST_OUTLINE: u32 = 16;
/// Pixels of outline that a picture needs.
const LEAST_LENGTH: u32 = 64;
/// Rings lie within so many pixels of the outline.
const RING_REACH: usize = 5;
/// Alpha below which a colour says nothing, of 255.
const FAINT: u8 = 32;

/// How much steeper than between them both sides of a ring must be, in L* a pixel.
const RING_STEP: f64 = 3.0;
/// How far an edge's L* may leave the trend of what lies behind it, where there is no backdrop to compare.
const RIM_LIGHTNESS: f64 = 10.0;
/// How far an edge's a*b* may lie from any mixture of subject and backdrop.
const FRINGE_CHROMA: f64 = 10.0;

/// What was found along the outline.
pub(crate) struct Outline {
    /// Shares of the outline with a ring of another lightness and of another colour, 0.0..=1.0.
    pub halo: Ring,
    /// See `halo`.
    pub fringe: Ring,
}

/// A ring along the outline.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ring {
    /// Share of the outline that has it.
    pub share: f64,
    /// Where it is strongest.
    pub region: Option<Region>,
    /// Whether it is lighter than what it lies between, there.
    pub is_light: bool,
}

/// Sums of one cell at one distance.
#[derive(Clone, Copy, Default)]
struct Sum {
    rgb: [f64; 3],
    count: u32,
}

impl Outline {
    /// Looks along the outline of the subject.
    pub fn of(scene: &Scene<'_>) -> Option<Self> {
        let subject = scene.found.subject.as_ref().ok()?;
        let work = &scene.work;
        let columns = work.width.div_ceil(CELL);
        let cells = cells(work, subject);
        let (mut length, mut halo, mut fringe) = (0u32, Tally::default(), Tally::default());
        for (index, cell) in cells.iter().enumerate() {
            let outline = cell[FIRST_OUT - 1].count;
            let Some(profile) = Profile::of(cell, work.alpha.is_some()) else { continue };
            length += outline;
            let rect = Rect {
                x: (index % columns * CELL) as u32,
                y: (index / columns * CELL) as u32,
                width: CELL.min(work.width - index % columns * CELL) as u32,
                height: CELL.min(work.height - index / columns * CELL) as u32,
            };
            halo.add(outline, profile.halo(scene), rect);
            fringe.add(outline, profile.fringe(scene), rect);
        }
        (length >= LEAST_LENGTH).then(|| Self {
            halo: halo.ring(length, work, scene.size()),
            fringe: fringe.ring(length, work, scene.size()),
        })
    }
}

/// Mean colours by distance, in cells.
fn cells(work: &Work, subject: &Subject) -> Vec<[Sum; BINS]> {
    let columns = work.width.div_ceil(CELL);
    let mut cells = vec![[Sum::default(); BINS]; columns * work.height.div_ceil(CELL)];
    let alpha = work.alpha.as_ref().map(pixels::Mask::values);
    for (at, &distance) in subject.distance.iter().enumerate() {
        let Some(bin) = bin(distance) else { continue };
        if alpha.is_some_and(|alpha| alpha[at] < FAINT) {
            continue;
        }
        let (x, y) = (at % work.width, at / work.width);
        let sum = &mut cells[y / CELL * columns + x / CELL][bin];
        for (sum, &value) in sum.rgb.iter_mut().zip(&work.rgb[3 * at..]) {
            *sum += f64::from(value);
        }
        sum.count += 1;
    }
    cells
}

fn bin(distance: f32) -> Option<usize> {
    let away = distance.abs().ceil() as usize;
    if !(1..=REACH).contains(&away) {
        return None;
    }
    Some(if distance < 0.0 { FIRST_OUT - away } else { FIRST_OUT + away - 1 })
}

#[derive(Default)]
struct Tally {
    ringed: u32,
    strongest: f64,
    is_light: bool,
    place: Option<Rect>,
}

impl Tally {
    fn add(&mut self, outline: u32, found: Option<(f64, bool)>, rect: Rect) {
        let Some((strength, is_light)) = found else { return };
        self.ringed += outline;
        if strength > self.strongest {
            (self.strongest, self.is_light, self.place) = (strength, is_light, Some(rect));
        }
    }

    fn ring(&self, length: u32, work: &Work, size: (u32, u32)) -> Ring {
        Ring {
            share: f64::from(self.ringed) / f64::from(length),
            region: self.place.map(|rect| work.region(rect, size)),
            is_light: self.is_light,
        }
    }
}

/// Mean colours across a stretch of outline, from inside to outside.
struct Profile {
    /// sRGB 0..=255. For a transparent picture only what has enough pixels.
    rgb: Vec<[f64; 3]>,
    has_backdrop: bool,
}

impl Profile {
    fn of(cell: &[Sum; BINS], is_transparent: bool) -> Option<Self> {
        if cell[FIRST_OUT - 1].count < LEAST_OUTLINE {
            return None;
        }
        let known = cell.iter().take_while(|sum| sum.count >= LEAST_IN_BIN).count();
        let needed = if is_transparent { FIRST_OUT } else { BINS };
        if known < needed {
            return None;
        }
        // Beyond a cut-out's first outer pixels there is nothing, or another part of it.
        let known = if is_transparent { known.min(FIRST_OUT + 2) } else { known };
        let rgb = cell[..known].iter().map(|sum| sum.rgb.map(|s| s / f64::from(sum.count))).collect();
        Some(Self { rgb, has_backdrop: !is_transparent })
    }

    fn lab(scene: &Scene<'_>, rgb: [f64; 3]) -> [f64; 3] {
        scene.lab.of(&rgb.map(|value| value.round().clamp(0.0, 255.0) as u8)).map(f64::from)
    }

    /// A ring of another lightness: how strong, and whether it is light.
    fn halo(&self, scene: &Scene<'_>) -> Option<(f64, bool)> {
        let lightness: Vec<f64> = self.rgb.iter().map(|&rgb| Self::lab(scene, rgb)[0]).collect();
        if !self.has_backdrop {
            return self.rim(&lightness).filter(|(off, _)| *off >= RIM_LIGHTNESS);
        }
        let steps: Vec<f64> = lightness.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let steepest =
            |range: std::ops::Range<usize>| steps[range].iter().map(|s| s.abs()).fold(0.0, f64::max);
        let mut best: Option<(f64, bool)> = None;
        for at in FIRST_OUT - RING_REACH..FIRST_OUT + RING_REACH {
            // A flat stretch with steep ones on both sides …
            let between = steepest(0..at).min(steepest(at + 1..steps.len()));
            let flat = between - steps[at].abs();
            // … or a turn.
            let turn = if steps[at - 1] * steps[at] < 0.0 {
                steepest(0..at).min(steepest(at..steps.len()))
            } else {
                0.0
            };
            let strength = flat.max(turn);
            if strength >= RING_STEP && best.is_none_or(|(most, _)| strength > most) {
                let ends = (lightness[0] + lightness[lightness.len() - 1]) / 2.0;
                best = Some((strength, lightness[at] > ends));
            }
        }
        best
    }

    /// A ring whose colour is no mixture of what it lies between: how strong, and whether it is light.
    fn fringe(&self, scene: &Scene<'_>) -> Option<(f64, bool)> {
        if !self.has_backdrop {
            let [a, b] = [1, 2].map(|c| {
                let plane: Vec<f64> = self.rgb.iter().map(|&rgb| Self::lab(scene, rgb)[c]).collect();
                self.rim(&plane).map_or(0.0, |(off, _)| off)
            });
            return Some((a.hypot(b), false)).filter(|(off, _)| *off >= FRINGE_CHROMA);
        }
        let mean = |range: std::ops::Range<usize>| {
            let count = range.len() as f64;
            self.rgb[range].iter().fold([0.0; 3], |sum, rgb| [0, 1, 2].map(|c| sum[c] + rgb[c] / count))
        };
        let (subject, backdrop) = (mean(0..3), mean(BINS - 3..BINS));
        let ring = FIRST_OUT - RING_REACH..FIRST_OUT + RING_REACH;
        let off = ring
            .map(|at| {
                let [_, a, b] = Self::lab(scene, self.rgb[at]);
                let [_, a0, b0] = Self::lab(scene, nearest_mixture(self.rgb[at], subject, backdrop));
                (a - a0).hypot(b - b0)
            })
            .fold(0.0, f64::max);
        (off >= FRINGE_CHROMA).then_some((off, false))
    }

    /// How far the values at the edge leave the straight trend of those behind it, and whether upwards.
    fn rim(&self, values: &[f64]) -> Option<(f64, bool)> {
        let behind = &values[..5];
        let slope = behind.windows(2).map(|pair| pair[1] - pair[0]).sum::<f64>() / 4.0;
        let middle = behind.iter().sum::<f64>() / 5.0;
        values
            .iter()
            .enumerate()
            .skip(6)
            .map(|(at, value)| value - (middle + slope * (at as f64 - 2.0)))
            .map(|off| (off.abs(), off > 0.0))
            .max_by(|a, b| a.0.total_cmp(&b.0))
    }
}

/// The mixture of two colours that is nearest to a third, in sRGB values, as cut-outs are composited.
fn nearest_mixture(colour: [f64; 3], from: [f64; 3], to: [f64; 3]) -> [f64; 3] {
    let along = [0, 1, 2].map(|c| to[c] - from[c]);
    let length: f64 = along.iter().map(|v| v * v).sum();
    let share = if length < 1e-9 {
        0.0
    } else {
        ([0, 1, 2].map(|c| (colour[c] - from[c]) * along[c]).iter().sum::<f64>() / length).clamp(0.0, 1.0)
    };
    [0, 1, 2].map(|c| from[c] + share * along[c])
}
