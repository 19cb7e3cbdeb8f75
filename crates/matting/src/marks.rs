//! What a person marked: strokes over what is to stay or to go, and how far what they mean reaches.
//!
//! A stroke that contradicts the alpha spreads from where it was drawn at the cost of colours unlike its own, of edges and
//! of distance, in competition with the strokes that say the opposite: geodesic segmentation (Bai, Sapiro 2007) with the
//! colour term of "Lazy Snapping" (Li, Sun, Tang, Shum 2004), up to a limit. A stroke that says what the alpha says changes
//! nothing and is a fence to the others.

use pixels::{Bitmap, Lab, Mask};

use crate::claims::Small;
use crate::error::{MattingError, check_size};
use crate::palette::Palette;
use crate::refine::RefineOptions;

/// Longest side at which strokes spread.
const SIDE: usize = 768;
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

/// What a person said of one pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    #[default]
    Free,
    /// It stays, and with it what belongs together with it.
    Keep,
    /// It goes, and with it what belongs together with it.
    Remove,
    /// It stays; nothing is said of what is around it.
    KeepHere,
    /// It goes; nothing is said of what is around it.
    RemoveHere,
}

impl Mark {
    /// Whether it says that the pixel stays.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Keep | Self::KeepHere)
    }

    /// Whether it says that the pixel goes.
    pub fn removes(self) -> bool {
        matches!(self, Self::Remove | Self::RemoveHere)
    }

    fn spreads(self) -> bool {
        matches!(self, Self::Keep | Self::Remove)
    }
}

/// One mark for each pixel of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    width: u32,
    height: u32,
    values: Vec<Mark>,
}

impl Marks {
    /// Nothing marked.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, values: vec![Mark::Free; width as usize * height as usize] }
    }

    /// The marks, row by row.
    pub fn values(&self) -> &[Mark] {
        &self.values
    }

    /// Whether there is such a mark.
    pub fn has(&self, mark: Mark) -> bool {
        self.values.contains(&mark)
    }

    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|mark| *mark == Mark::Free)
    }

    /// Marks what the mask covers by half or more, over what was marked before. Refuses a mask of another size.
    pub fn set(&mut self, mask: &Mask, mark: Mark) -> Result<(), MattingError> {
        self.set_where(mask, mark, |value| value >= 128)
    }

    /// Marks what the mask has a chosen value at, over what was marked before. Refuses a mask of another size.
    pub fn set_where(
        &mut self,
        mask: &Mask,
        mark: Mark,
        chosen: impl Fn(u8) -> bool,
    ) -> Result<(), MattingError> {
        self.check(mask)?;
        for (own, value) in self.values.iter_mut().zip(mask.values()) {
            if chosen(*value) {
                *own = mark;
            }
        }
        Ok(())
    }

    /// Makes what is to stay opaque and what is to go clear. Refuses an alpha of another size.
    pub fn enforce(&self, alpha: &mut Mask) -> Result<(), MattingError> {
        self.check(alpha)?;
        for (value, mark) in alpha.values_mut().iter_mut().zip(&self.values) {
            if mark.keeps() {
                *value = u8::MAX;
            } else if mark.removes() {
                *value = 0;
            }
        }
        Ok(())
    }

    fn check(&self, mask: &Mask) -> Result<(), MattingError> {
        let (picture, size) = ((self.width, self.height), (mask.width(), mask.height()));
        if picture == size { Ok(()) } else { Err(MattingError::Size { picture, mask: size }) }
    }

    /// The mark of each block of `2^halvings` squared: of what is marked in it, the side with more pixels.
    fn reduced(&self, width: usize, halvings: usize) -> Vec<Mark> {
        let height = (self.height as usize).div_ceil(1 << halvings);
        let mut score = vec![(0i32, false); width * height];
        for (y, line) in self.values.chunks_exact(self.width as usize).enumerate() {
            let scores = &mut score[(y >> halvings) * width..][..width];
            for (x, mark) in line.iter().enumerate() {
                let slot = &mut scores[x >> halvings];
                slot.0 += i32::from(mark.keeps()) - i32::from(mark.removes());
                slot.1 |= mark.spreads();
            }
        }
        let mark = |(score, spreads): (i32, bool)| match (score, spreads) {
            (1.., true) => Mark::Keep,
            (1.., false) => Mark::KeepHere,
            (0, _) => Mark::Free,
            (_, true) => Mark::Remove,
            (_, false) => Mark::RemoveHere,
        };
        score.into_iter().map(mark).collect()
    }
}

/// Makes an alpha say what a person marked, with what belongs to it: at a bounded size, then solved at full size. An alpha
/// channel of the bitmap is not read. Refuses masks of another size.
pub fn obey(
    bitmap: &Bitmap,
    alpha: &mut Mask,
    marks: &Marks,
    options: &RefineOptions,
) -> Result<(), MattingError> {
    check_size(bitmap, alpha)?;
    marks.check(alpha)?;
    if !marks.values.iter().any(|mark| mark.spreads()) {
        return marks.enforce(alpha);
    }
    let small = Small::of(bitmap, alpha, SIDE);
    let reduced = marks.reduced(small.plane.width, small.halvings());
    let claims = Front::new(&small, &reduced).spread();
    small.apply(bitmap, alpha, claims, options)?;
    marks.enforce(alpha)
}

/// The fronts of all strokes on their way.
struct Front<'a> {
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
    fn new(small: &'a Small, marks: &'a [Mark]) -> Self {
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
    fn spread(&self) -> Vec<i16> {
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
            let (x, y) = (at % width, at / width);
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                (y > 0).then(|| at - width),
                (y + 1 < height).then(|| at + width),
            ];
            for next in beside.into_iter().flatten().filter(|&next| reached[next].is_none()) {
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
            let (x, y) = (at % width, at / width);
            let beside = [
                (x > 0).then(|| at - 1),
                (x + 1 < width).then(|| at + 1),
                (y > 0).then(|| at - width),
                (y + 1 < height).then(|| at + width),
            ];
            let claimed = beside.into_iter().flatten().map(|next| claims[next]);
            let (most, least) =
                claimed.fold((0, 0), |(most, least), claim| (claim.max(most), claim.min(least)));
            if claims[at] != 0 || reached[at].is_some() { claims[at] } else { most + least }
        };
        (0..claims.len()).map(grown).collect()
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

#[cfg(test)]
mod tests {
    use pixels::Channels;

    use super::*;

    /// Two squares on a grey ground: a blue one that the alpha has, a red one that it has not.
    fn two_squares() -> (Bitmap, Mask) {
        let inside = |x: usize, y: usize| (x % 100 >= 20) && (x % 100 < 80) && (20..80).contains(&y);
        let colour = |at: usize| {
            let (x, y) = (at % 200, at / 200);
            let grain = ((at * 2_654_435_761) >> 7) as u8 % 5;
            match (inside(x, y), x < 100) {
                (true, true) => [40 + grain, 60, 170],
                (true, false) => [170, 50 + grain, 40],
                _ => [150, 150 + grain, 148],
            }
        };
        let samples = (0..20_000).flat_map(colour).collect();
        let bitmap = Bitmap::from_u8(200, 100, Channels::Rgb, samples).expect("200 by 100");
        let alpha = (0..20_000)
            .map(|at| if at % 200 < 100 && inside(at % 200, at / 200) { 255 } else { 0 })
            .collect();
        (bitmap, Mask::new(200, 100, alpha).expect("200 by 100"))
    }

    fn dab(x: usize, y: usize) -> Mask {
        let near = |at: usize| (at % 200).abs_diff(x) < 4 && (at / 200).abs_diff(y) < 4;
        Mask::new(200, 100, (0..20_000).map(|at| if near(at) { 255 } else { 0 }).collect())
            .expect("200 by 100")
    }

    fn obeyed(dabs: &[(usize, usize, Mark)]) -> Mask {
        let (bitmap, mut alpha) = two_squares();
        let mut marks = Marks::new(200, 100);
        for &(x, y, mark) in dabs {
            marks.set(&dab(x, y), mark).expect("the same size");
        }
        obey(&bitmap, &mut alpha, &marks, &RefineOptions::default()).expect("the same size");
        alpha
    }

    fn covered(alpha: &Mask, columns: std::ops::Range<usize>) -> f64 {
        let at = |at: &usize| columns.contains(&(at % 200));
        (0..20_000).filter(at).map(|at| f64::from(alpha.values()[at])).sum::<f64>() / 255.0
    }

    #[test]
    fn a_dab_takes_the_thing_it_lies_on_and_no_more() {
        let kept = obeyed(&[(150, 50, Mark::Keep)]);
        assert!((covered(&kept, 100..200) - 3600.0).abs() < 120.0, "{}", covered(&kept, 100..200));
        assert!((covered(&kept, 0..100) - 3600.0).abs() < 5.0);
        let gone = obeyed(&[(50, 50, Mark::Remove)]);
        assert!(covered(&gone, 0..100) < 60.0, "{}", covered(&gone, 0..100));
    }

    #[test]
    fn a_stroke_that_says_what_is_there_changes_nothing() {
        let (_, before) = two_squares();
        assert!(obeyed(&[(50, 50, Mark::Keep), (150, 50, Mark::Remove)]) == before);
        assert!(obeyed(&[]) == before);
    }

    #[test]
    fn what_is_marked_here_reaches_no_farther() {
        let kept = obeyed(&[(150, 50, Mark::KeepHere)]);
        assert!((covered(&kept, 100..200) - 49.0).abs() < 1e-6);
        let (_, before) = two_squares();
        let mut marks = Marks::new(200, 99);
        assert!(marks.set(&before, Mark::Keep).is_err());
    }

    #[test]
    fn opposite_strokes_share_what_is_between_them() {
        let shared = obeyed(&[(25, 50, Mark::Remove), (75, 50, Mark::Keep)]);
        let (left, right) = (covered(&shared, 20..35), covered(&shared, 65..80));
        assert!(left < 90.0 && right > 860.0, "{left} {right}");
    }
}
