//! Strokes on their way through a picture.
//!
//! A stroke that contradicts the alpha spreads from where it was drawn at the cost of colours unlike its own, of edges and
//! of distance, in competition with the strokes that say the opposite: geodesic segmentation (Bai, Sapiro 2007) with the
//! colour term of "Lazy Snapping" (Li, Sun, Tang, Shum 2004), up to a limit. A stroke that says what the alpha says changes
//! nothing and is a fence to the others.

use pixels::Lab;

use crate::claims::Small;
use crate::marks::Mark;
use crate::palette::Palette;
use crate::regions::{Connectivity, Regions};
use crate::square::beside;

/// How far a stroke spreads, in units of cost (ΔE).
const LIMIT: f32 = 40.0;
/// As a share of the longer side: how far it spreads where everything has its own colour.
const FARTHEST: f32 = 0.35;
/// Cost of a pixel whose colour is like the other side's and unlike the stroke's.
const UNLIKE: f32 = 8.0;
/// Cost of a step over an edge of the alpha from nothing to whole.
const OVER_ALPHA: f32 = 12.0;
/// Colours that stand for a stroke, and for what it is told from.
const OWN_COLOURS: usize = 8;
const OTHER_COLOURS: usize = 24;
/// How much farther than it is (ΔE) a colour of the other side's strokes counts: where both have the same, distance decides.
const ALIKE: f32 = 1.0;
/// How much farther than it is (ΔE) a colour of the other side counts that was not marked, but only taken from the alpha:
/// what a stroke contradicts is among them.
const DILUTED: f32 = 2.0;
/// Steps of a front's distance for a unit of cost.
const FINE: f32 = 32.0;

/// A piece that goes by this share goes altogether …
const MOST: f64 = 0.6;
/// … and of any other, parts that are left over go below this share of what was taken.
const SMALL: f64 = 0.1;

/// The fronts of all strokes on their way.
pub(crate) struct Front<'a> {
    small: &'a Small,
    marks: &'a [Mark],
    /// L*a*b* of three by three pixels' mean.
    colours: Vec<[f32; 3]>,
    /// Differences between neighbours that are noise.
    noise: f32,
    /// Per pixel and side (keep, remove): what entering it costs.
    entry: [Vec<f32>; 2],
}

const KEEP: usize = 0;
const REMOVE: usize = 1;

/// Where a front has come to.
#[derive(Clone, Copy)]
struct Reached {
    side: usize,
    /// Whether it comes from a stroke that contradicts the alpha.
    changes: bool,
}

impl<'a> Front<'a> {
    /// The strokes of a small copy before they spread, one mark a pixel.
    pub fn new(small: &'a Small, marks: &'a [Mark]) -> Self {
        let colours = smoothed(small);
        let noise = noise(&colours, small.plane.width);
        // What a stroke is told from: the other side's strokes, and what the alpha is sure of on the other side. The
        // stroke itself often lies in the midst of what it is told from, which is why colours of its own come first.
        let chosen = |keep: &dyn Fn(usize) -> bool| -> Vec<[f32; 3]> {
            (0..colours.len()).filter(|&at| keep(at)).map(|at| colours[at]).collect()
        };
        let entry = [KEEP, REMOVE].map(|side| {
            let says = |at: usize, side: usize| match side {
                KEEP => marks[at].keeps(),
                _ => marks[at].removes(),
            };
            let own = Palette::of(&chosen(&|at| marks[at].spreads() && says(at, side)), OWN_COLOURS);
            let strokes = Palette::of(&chosen(&|at| marks[at].spreads() && says(at, 1 - side)), OWN_COLOURS);
            let sure = |at: usize| match side {
                KEEP => small.alpha[at] <= 12,
                _ => small.alpha[at] >= 243,
            };
            let others = Palette::of(&chosen(&|at| sure(at) && !says(at, side)), OTHER_COLOURS);
            let even = LIMIT / (FARTHEST * small.plane.width.max(small.plane.height) as f32);
            let cost = |colour: &[f32; 3]| {
                let own = own.distance(*colour);
                let other = (strokes.distance(*colour) + ALIKE).min(others.distance(*colour) + DILUTED);
                let other = other + 2.0 * noise;
                // Lazy Snapping's term: 0 like the stroke, 1/2 like both, 1 like the other side. A colour unlike
                // anything that was marked is unlike the stroke, too.
                let unlike = (own / (own + other + 1e-3)).max(((own - 6.0) / 30.0).clamp(0.0, 1.0));
                even + UNLIKE * unlike * unlike
            };
            colours.iter().map(cost).collect()
        });
        Self { small, marks, colours, noise, entry }
    }

    /// Spreads all strokes; what the alpha is to become, as [`Small::apply`] takes it.
    pub fn spread(&self) -> Vec<i16> {
        let (width, height) = (self.small.plane.width, self.small.plane.height);
        let most = (LIMIT * FINE) as usize;
        let mut reached: Vec<Option<Reached>> = vec![None; width * height];
        // A queue for each distance: Dijkstra's algorithm over whole numbers (Dial 1969).
        let mut queues: Vec<Vec<(u32, Reached)>> = vec![Vec::new(); most + 1];
        for (at, mark) in self.marks.iter().enumerate() {
            let side = if mark.keeps() { KEEP } else { REMOVE };
            let is_other =
                if side == KEEP { self.small.alpha[at] < 128 } else { self.small.alpha[at] >= 128 };
            // What is half there is contradicted by both.
            let is_unsure = (26..=229).contains(&self.small.alpha[at]);
            match mark {
                Mark::Free => {}
                Mark::Keep | Mark::Remove => {
                    let from = Reached { side, changes: is_other || is_unsure };
                    queues[0].push((at as u32, from));
                }
                // Reached from the beginning, so that no front passes.
                Mark::KeepHere | Mark::RemoveHere => reached[at] = Some(Reached { side, changes: false }),
            }
        }
        let mut distance = 0;
        while distance <= most {
            let Some((at, from)) = queues[distance].pop() else {
                distance += 1;
                continue;
            };
            let at = at as usize;
            if reached[at].is_some() {
                continue;
            }
            reached[at] = Some(from);
            for next in
                beside(at, width, height).into_iter().flatten().filter(|&next| reached[next].is_none())
            {
                let to = distance + (FINE * self.step(at, next, from.side)).max(1.0) as usize;
                if to <= most {
                    queues[to].push((next as u32, from));
                }
            }
        }
        let claim = |reached: &Option<Reached>| match reached {
            Some(Reached { side: KEEP, changes: true }) => 255,
            Some(Reached { side: _, changes: true }) => -255,
            _ => 0,
        };
        let claims: Vec<i16> = reached.iter().map(claim).collect();
        // Colours are means of three by three pixels, so that fronts stop a pixel before an edge.
        let grown = |at: usize| {
            let claimed = beside(at, width, height).into_iter().flatten().map(|next| claims[next]);
            let (most, least) =
                claimed.fold((0, 0), |(most, least), claim| (claim.max(most), claim.min(least)));
            if claims[at] != 0 || reached[at].is_some() { claims[at] } else { most + least }
        };
        (0..claims.len()).map(grown).collect()
    }

    /// Takes the rest of a thing along that a stroke took for the most part, where nobody asked for the rest: scraps of what
    /// goes, and patches of another colour in what stays.
    pub fn round_off(&self, claims: &mut [i16]) {
        let width = self.small.plane.width;
        for side in [KEEP, REMOVE] {
            let claim = if side == KEEP { 255 } else { -255 };
            if !claims.contains(&claim) {
                continue;
            }
            let is_this_side = |at: usize| (self.small.alpha[at] >= 128) == (side == KEEP);
            let is_asked = |at: usize| match side {
                KEEP => self.marks[at].removes(),
                _ => self.marks[at].keeps(),
            };
            // What the stroke's thing was part of: for what goes, the piece of the alpha.
            let there: Vec<u8> = (0..claims.len()).map(|at| u8::from(!is_this_side(at))).collect();
            let whole = Regions::of(&there, width, Connectivity::Eight, |value| value == 1);
            let mut taken = vec![0usize; whole.list.len()];
            let mut piece_of = vec![u32::MAX; claims.len()];
            for (piece, span) in whole.spans() {
                taken[piece] += claims[span.clone()].iter().filter(|&&own| own == claim).count();
                piece_of[span].fill(piece as u32);
            }
            let rest: Vec<u8> =
                (0..claims.len()).map(|at| u8::from(there[at] == 1 && claims[at] != claim)).collect();
            let parts = Regions::of(&rest, width, Connectivity::Four, |value| value == 1);
            let mut goes: Vec<bool> = vec![true; parts.list.len()];
            for (part, span) in parts.spans() {
                let piece = piece_of[span.start] as usize;
                let (area, all) = (parts.list[part].area, whole.list[piece].area);
                let is_most = side == REMOVE && taken[piece] as f64 >= MOST * all as f64;
                let is_small = (area as f64) < SMALL * taken[piece] as f64;
                // Where something stays, what reaches the picture's border is what is around it.
                let is_open = side == KEEP && parts.list[part].on_border;
                goes[part] &= (is_most || is_small) && !is_open && !span.clone().any(is_asked);
            }
            for (part, span) in parts.spans() {
                if goes[part] {
                    claims[span].fill(claim);
                }
            }
        }
    }

    /// What a step to a neighbour costs.
    fn step(&self, from: usize, to: usize, side: usize) -> f32 {
        let (a, b) = (self.colours[from], self.colours[to]);
        let apart = ((a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2) + (a[2] - b[2]).powi(2)).sqrt();
        let over_alpha = f32::from(self.small.alpha[from].abs_diff(self.small.alpha[to])) / 255.0;
        self.entry[side][to] + (apart - 2.0 * self.noise).max(0.0) + OVER_ALPHA * over_alpha
    }
}

/// L*a*b* of the mean of three by three pixels.
fn smoothed(small: &Small) -> Vec<[f32; 3]> {
    let (width, height) = (small.plane.width, small.plane.height);
    let lab = Lab::new();
    let own: Vec<[f32; 3]> = small.plane.rgb.as_chunks::<3>().0.iter().map(|rgb| lab.of(rgb)).collect();
    let mean = |at: usize| {
        let (x, y) = (at % width, at / width);
        let (mut sum, mut count) = ([0.0f32; 3], 0.0f32);
        for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
            for colour in &own[row * width + x.saturating_sub(1)..=row * width + (x + 1).min(width - 1)] {
                (0..3).for_each(|c| sum[c] += colour[c]);
                count += 1.0;
            }
        }
        sum.map(|sum| sum / count)
    };
    (0..own.len()).map(mean).collect()
}

/// The median difference between neighbours, at least a little: most of a picture is no edge.
fn noise(colours: &[[f32; 3]], width: usize) -> f32 {
    let apart = |pair: &[[f32; 3]]| (0..3).map(|c| (pair[0][c] - pair[1][c]).powi(2)).sum::<f32>().sqrt();
    let mut found: Vec<f32> =
        colours.chunks_exact(width).flat_map(|line| line.windows(2).step_by(3).map(apart)).collect();
    if found.is_empty() {
        return 0.3;
    }
    let middle = found.len() / 2;
    let (_, median, _) = found.select_nth_unstable_by(middle, f32::total_cmp);
    median.clamp(0.3, 2.5)
}
