//! The subject's outline in profile: mean colours by distance from it, cell by cell.
//!
//! Means along a stretch of outline cancel what a product's texture does at single places and keep what runs along it: a
//! ring. What is left of an old backdrop has one colour all along; what changes from cell to cell is the subject's own. Rings are looked for at the bounded size, as they are seen.

use pixels::Rect;

use crate::Region;
use crate::luma;
use crate::rank::quantile;
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
/// Share of an outline's pixels that must lie as deep as we look, on either side: along strands, links and gaps there is
/// neither a subject nor a backdrop to compare a ring with.
const LEAST_DEEP: f64 = 0.6;
/// Share of all the outline that must be so.
const LEAST_MEASURED: f64 = 0.3;
/// Rings lie within so much of the longest side around the outline …
const RING_REACH: f64 = 0.005;
/// … and so many pixels of the bounded picture.
const RING_PIXELS: std::ops::RangeInclusive<usize> = 3..=5;
/// Below this longest side a ring could not be told from the subject's own parts.
const LEAST_SIDE: usize = 600;
/// A ring has one colour along the outline, as what it was left from had: within this distance (CIE76) of the middle one.
/// Rims of the subject change with it.
const SAME_COLOUR: f64 = 12.0;
/// Alpha below which a colour says nothing, of 255.
const FAINT: u8 = 32;

/// How much steeper than between them both sides of a ring must be, in L* a pixel.
const RING_STEP: f64 = 3.0;
/// How much L*, a* or b* may step more at a cut-out's edge than behind it, a pixel; shading is gentler.
const RIM_STEP: f64 = 8.0;
/// How far an edge's a*b* may lie from any mixture of subject and backdrop.
const FRINGE_CHROMA: f64 = 14.0;

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

/// Within a stretch of outline, a ring's luma varies by no more than this standard deviation, in levels; a subject's rim
/// catches light here and there.
const EVEN: f64 = 16.0;
/// Mean alpha of 255 that what lies behind an edge needs: of glass and gauze a rim is part.
const SOLID: f64 = 240.0;

/// Sums of one cell at one distance.
#[derive(Clone, Copy, Default)]
struct Sum {
    rgb: [f64; 3],
    luma: f64,
    luma_squares: f64,
    alpha: f64,
    count: u32,
}

impl Sum {
    /// Standard deviation of the luma.
    fn spread(&self) -> f64 {
        let count = f64::from(self.count.max(1));
        (self.luma_squares / count - (self.luma / count).powi(2)).max(0.0).sqrt()
    }
}

impl Outline {
    /// Looks along the outline of the subject.
    pub fn of(scene: &Scene<'_>) -> Option<Self> {
        let subject = scene.found.subject.as_ref().ok()?;
        let work = &scene.work;
        let longest = work.width.max(work.height);
        if longest < LEAST_SIDE {
            return None;
        }
        let reach = ((longest as f64 * RING_REACH) as usize).clamp(*RING_PIXELS.start(), *RING_PIXELS.end());
        let columns = work.width.div_ceil(CELL);
        let cells = cells(work, subject);
        let (mut all, mut length) = (0u32, 0u32);
        let (mut halo, mut fringe) = (Tally::default(), Tally::default());
        for (index, cell) in cells.iter().enumerate() {
            let outline = cell[FIRST_OUT - 1].count;
            all += outline;
            let Some(profile) = Profile::of(cell, work.alpha.is_some()) else { continue };
            length += outline;
            let rect = Rect {
                x: (index % columns * CELL) as u32,
                y: (index / columns * CELL) as u32,
                width: CELL.min(work.width - index % columns * CELL) as u32,
                height: CELL.min(work.height - index / columns * CELL) as u32,
            };
            halo.add(outline, profile.halo(scene, reach).filter(|ring| profile.is_even(ring)), rect);
            fringe.add(outline, profile.fringe(scene, reach).filter(|ring| profile.is_even(ring)), rect);
        }
        let is_enough = length >= LEAST_LENGTH && f64::from(length) >= LEAST_MEASURED * f64::from(all);
        is_enough.then(|| Self {
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
        let luma = f64::from(luma::of(&work.rgb[3 * at..3 * at + 3]));
        sum.luma += luma;
        sum.luma_squares += luma * luma;
        sum.alpha += alpha.map_or(255.0, |alpha| f64::from(alpha[at]));
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

/// A ring in one cell.
struct Found {
    /// Place in the profile.
    at: usize,
    strength: f64,
    lab: [f64; 3],
    is_light: bool,
}

/// The cells with a ring, and how much outline each has.
#[derive(Default)]
struct Tally(Vec<(u32, Found, Rect)>);

impl Tally {
    fn add(&mut self, outline: u32, found: Option<Found>, rect: Rect) {
        self.0.extend(found.map(|found| (outline, found, rect)));
    }

    /// What all of it comes to: only cells whose ring has the colour that most have.
    fn ring(&self, length: u32, work: &Work, size: (u32, u32)) -> Ring {
        let middle = [0, 1, 2].map(|channel| {
            let mut values: Vec<f64> = self.0.iter().map(|(_, found, _)| found.lab[channel]).collect();
            quantile(&mut values, 0.5).unwrap_or(0.0)
        });
        let alike = || {
            self.0.iter().filter(|(_, found, _)| {
                let [l, a, b] = [0, 1, 2].map(|c| found.lab[c] - middle[c]);
                l.hypot(a).hypot(b) <= SAME_COLOUR
            })
        };
        let ringed: u32 = alike().map(|(outline, ..)| outline).sum();
        let strongest = alike().max_by(|(_, a, _), (_, b, _)| a.strength.total_cmp(&b.strength));
        Ring {
            share: f64::from(ringed) / f64::from(length),
            region: strongest.map(|(_, _, rect)| work.region(*rect, size)),
            is_light: strongest.is_some_and(|(_, found, _)| found.is_light),
        }
    }
}

/// Mean colours across a stretch of outline, from inside to outside.
struct Profile {
    /// sRGB 0..=255. For a transparent picture only what has enough pixels.
    rgb: Vec<[f64; 3]>,
    /// Standard deviation of the luma.
    spread: Vec<f64>,
    has_backdrop: bool,
}

impl Profile {
    fn of(cell: &[Sum; BINS], is_transparent: bool) -> Option<Self> {
        if cell[FIRST_OUT - 1].count < LEAST_OUTLINE {
            return None;
        }
        let known = cell.iter().take_while(|sum| sum.count >= LEAST_IN_BIN).count();
        let needed = if is_transparent { FIRST_OUT } else { BINS };
        let is_deep =
            |end: usize, edge: usize| f64::from(cell[end].count) >= LEAST_DEEP * f64::from(cell[edge].count);
        let is_wide = is_transparent || is_deep(BINS - 1, FIRST_OUT);
        if known < needed || !is_deep(0, FIRST_OUT - 1) || !is_wide {
            return None;
        }
        let behind = &cell[..FIRST_OUT - RING_PIXELS.end()];
        if behind.iter().any(|sum| sum.alpha < SOLID * f64::from(sum.count)) {
            return None;
        }
        // What covers less than half of a pixel has hardly a colour of its own.
        let known = if is_transparent { FIRST_OUT } else { known };
        let rgb = cell[..known].iter().map(|sum| sum.rgb.map(|s| s / f64::from(sum.count))).collect();
        let spread = cell[..known].iter().map(Sum::spread).collect();
        Some(Self { rgb, spread, has_backdrop: !is_transparent })
    }

    fn lab(scene: &Scene<'_>, rgb: [f64; 3]) -> [f64; 3] {
        scene.lab.of(&rgb.map(|value| value.round().clamp(0.0, 255.0) as u8)).map(f64::from)
    }

    /// Whether a ring is as even as what is left of a backdrop; judged where it is evenest, beside its own edges.
    fn is_even(&self, ring: &Found) -> bool {
        let around = ring.at.saturating_sub(1)..(ring.at + 2).min(self.spread.len());
        self.spread[around].iter().copied().fold(f64::INFINITY, f64::min) <= EVEN
    }

    /// A ring of another lightness.
    fn halo(&self, scene: &Scene<'_>, reach: usize) -> Option<Found> {
        let lightness: Vec<f64> = self.rgb.iter().map(|&rgb| Self::lab(scene, rgb)[0]).collect();
        if !self.has_backdrop {
            let (at, strength) = step(&lightness, reach)?;
            let is_light = lightness[at] > lightness[at - 1];
            let lab = Self::lab(scene, self.rgb[at]);
            return (strength >= RIM_STEP).then_some(Found { at, strength, lab, is_light });
        }
        let steps: Vec<f64> = lightness.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let steepest =
            |range: std::ops::Range<usize>| steps[range].iter().map(|s| s.abs()).fold(0.0, f64::max);
        let mut best: Option<(f64, usize)> = None;
        for at in FIRST_OUT - reach..FIRST_OUT + reach {
            // A flat stretch with steep ones on both sides …
            let between = steepest(0..at).min(steepest(at + 1..steps.len()));
            let flat = between - steps[at].abs();
            // … or a turn.
            let turns = steps[at - 1] * steps[at] < 0.0;
            let turn = if turns { steepest(0..at).min(steepest(at..steps.len())) } else { 0.0 };
            let strength = flat.max(turn);
            if strength >= RING_STEP && best.is_none_or(|(most, _)| strength > most) {
                best = Some((strength, at));
            }
        }
        best.map(|(strength, at)| {
            let ends = (lightness[0] + lightness[lightness.len() - 1]) / 2.0;
            Found { at, strength, lab: Self::lab(scene, self.rgb[at]), is_light: lightness[at] > ends }
        })
    }

    /// A ring whose colour is no mixture of what it lies between.
    fn fringe(&self, scene: &Scene<'_>, reach: usize) -> Option<Found> {
        let labs: Vec<[f64; 3]> = self.rgb.iter().map(|&rgb| Self::lab(scene, rgb)).collect();
        if !self.has_backdrop {
            let chroma = |channel: usize| labs.iter().map(|lab| lab[channel]).collect::<Vec<_>>();
            let [(at, a), (other, b)] = [step(&chroma(1), reach)?, step(&chroma(2), reach)?];
            let at = if a >= b { at } else { other };
            let strength = a.max(b);
            return (strength >= RIM_STEP).then_some(Found { at, strength, lab: labs[at], is_light: false });
        }
        let mean = |range: std::ops::Range<usize>| {
            let count = range.len() as f64;
            self.rgb[range].iter().fold([0.0; 3], |sum, rgb| [0, 1, 2].map(|c| sum[c] + rgb[c] / count))
        };
        let (subject, backdrop) = (mean(0..3), mean(BINS - 3..BINS));
        let off = |at: usize| {
            let [_, a, b] = labs[at];
            let [_, a0, b0] = Self::lab(scene, nearest_mixture(self.rgb[at], subject, backdrop));
            (a - a0).hypot(b - b0)
        };
        let at = (FIRST_OUT - reach..FIRST_OUT + reach).max_by(|&a, &b| off(a).total_cmp(&off(b)))?;
        (off(at) >= FRINGE_CHROMA).then(|| Found { at, strength: off(at), lab: labs[at], is_light: false })
    }
}

/// Behind which place of an edge the values step most, and by how much more than anywhere farther inside.
fn step(values: &[f64], reach: usize) -> Option<(usize, f64)> {
    let steps: Vec<f64> = values.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
    let first = FIRST_OUT - reach - 1;
    let behind = steps[..first].iter().copied().fold(0.0, f64::max);
    let (at, most) = steps.iter().enumerate().skip(first).max_by(|(_, a), (_, b)| a.total_cmp(b))?;
    Some((at + 1, most - behind))
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
