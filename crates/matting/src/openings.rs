//! Doubtful places inside a product: openings where its backdrop shows, and parts that only look a little like it.
//!
//! A network leaves both half there. Which of them a place is, its colour tells: the backdrop's own, as it goes on behind
//! the product, or not.

use pixels::{Bitmap, Lab, Mask};

use crate::claims::Small;
use crate::error::{MattingError, check_size};
use crate::grid::Grid;
use crate::refine::RefineOptions;
use crate::regions::{Connectivity, Regions};
use crate::square::{beside, dilated};

/// Longest side at which places are judged.
const SIDE: usize = 768;
/// Up to here an alpha is nothing, from there on whole.
const NOTHING: u8 = 12;
const WHOLE: u8 = 243;
/// How far soft edges reach from what is nothing, in shares of the longer side.
const SOFT: f64 = 0.008;
/// Pixels below which a place is left to the edge.
const LEAST: usize = 12;
/// A place is the backdrop's colour up to this ΔE and this many times the backdrop's own scatter …
const SAME: f32 = 3.5;
const SAME_SCATTER: f32 = 0.5;
/// … and is not from here on.
const OTHER: f32 = 7.0;
const OTHER_SCATTER: f32 = 2.0;
/// An opening is not taken for one unless the product around it is this much farther from the backdrop …
const CONTRAST: f32 = 2.5;
/// … and the alpha is in doubt at least to this value somewhere.
const DOUBT: u8 = 200;
/// A place that is at least so far there, evenly, and farther from the backdrop than this is product, enclosed or not.
const PLATEAU: f32 = 150.0;
const PLATEAU_SCATTER: f32 = 35.0;
const PLATEAU_OTHER: f32 = 12.0;
/// What is open to the background is product by its colour only where its alpha is as even as this: strands are there
/// and not there.
const EVEN: f32 = 45.0;
/// A hole is small up to this share of the product, and so many of one kind are a pattern.
const HOLE: f64 = 0.01;
const PATTERN: usize = 5;
/// At least one pixel in so many of such a place is of the hole itself …
const HOLLOW: usize = 4;
/// … and its colour is at least this share of the product's contrast away from the backdrop.
const OWN: f32 = 0.75;
/// … or its colour is at least so far (ΔE) from every mixture of product and backdrop.
const OFF_MIXTURE: f32 = 10.0;
/// What is this much darker than its backdrop, and of its hue to within this ΔE, may be its shadow.
const SHADED: std::ops::Range<f32> = 0.3..0.99;
const SHADE: f32 = 4.0;
/// Between parts of a product its shadow is not so deep: light comes from all sides.
const SHADED_INSIDE: std::ops::Range<f32> = 0.5..0.99;
/// Up to this share of its outline a place may border on soft edges and still be enclosed.
const ENCLOSED: f64 = 0.25;

/// Opens enclosed places that show the backdrop's own colour, and makes those whole that have another and that the alpha
/// has half. What is neither, such as glass, stays as it is. An alpha channel of the bitmap is not read. Refuses a
/// mask of another size.
pub fn settle_inside(bitmap: &Bitmap, alpha: &mut Mask, options: &RefineOptions) -> Result<(), MattingError> {
    check_size(bitmap, alpha)?;
    let small = Small::of(bitmap, alpha, SIDE);
    let claims = judged(&small);
    small.apply(bitmap, alpha, claims, options)
}

/// Takes small holes out of `nothing` where there are many of them, for their colours to be judged: a network leaves the
/// squares of a checked shirt out. Answers which pixels they are; `None` where there are few.
fn pattern_holes(nothing: &mut [u8], whole: &[u8], width: usize) -> Option<Vec<bool>> {
    let product = whole.iter().filter(|&&whole| whole == 1).count();
    let regions = Regions::of(nothing, width, Connectivity::Four, |value| value == 1);
    let is_small = |index: usize| {
        let region = &regions.list[index];
        !region.on_border && region.area as f64 <= HOLE * product as f64
    };
    if (0..regions.list.len()).filter(|&index| is_small(index)).count() < PATTERN {
        return None;
    }
    let mut holes = vec![false; nothing.len()];
    for (_, span) in regions.spans().filter(|(region, _)| is_small(*region)) {
        holes[span.clone()].fill(true);
        nothing[span].fill(0);
    }
    Some(holes)
}

/// What is known of one place.
#[derive(Clone, Copy, Default)]
struct Place {
    area: usize,
    /// How many of its pixels are those of small holes.
    of_holes: usize,
    colour: [f32; 3],
    /// Mean of the backdrop as it goes on behind, with its scatter squared in the last lane.
    behind: [f32; 4],
    /// Mean of the product around.
    around: [f32; 3],
    least: u8,
    /// Sums of the alpha and of its squares.
    alpha: f64,
    squares: f64,
    outline: usize,
    beside_soft: usize,
}

fn judged(small: &Small) -> Vec<i16> {
    let width = small.plane.width;
    let mut nothing: Vec<u8> = small.alpha.iter().map(|&value| u8::from(value < NOTHING)).collect();
    let whole: Vec<u8> = small.alpha.iter().map(|&value| u8::from(value >= WHOLE)).collect();
    if !nothing.contains(&1) || !whole.contains(&1) {
        return vec![0; small.alpha.len()];
    }
    let mut claims = claims(small, &nothing, &whole, None);
    if let Some(holes) = pattern_holes(&mut nothing, &whole, width) {
        let printed = self::claims(small, &nothing, &whole, Some(&holes));
        claims.iter_mut().zip(printed).for_each(|(claim, printed)| *claim = (*claim).max(printed));
    }
    claims
}

/// What becomes of each doubtful place; with `holes`, of those alone, and only what is a pattern of the product.
fn claims(small: &Small, nothing: &[u8], whole: &[u8], holes: Option<&[bool]>) -> Vec<i16> {
    let (width, height) = (small.plane.width, small.plane.height);
    let count = width * height;
    let reach = ((width.max(height) as f64 * SOFT).round() as usize).max(2);
    let soft = dilated(nothing, width, height, reach);
    let doubtful: Vec<u8> = (0..count).map(|at| u8::from(soft[at] == 0 && whole[at] == 0)).collect();
    let places = Regions::of(&doubtful, width, Connectivity::Four, |value| value == 1);
    if places.list.iter().all(|place| place.area < LEAST) {
        return vec![0; count];
    }
    let lab = Lab::new();
    let colours: Vec<[f32; 3]> = small.plane.rgb.as_chunks::<3>().0.iter().map(|rgb| lab.of(rgb)).collect();
    let behind = Grid::of(&colours, nothing, width).filled();
    let around = Grid::of(&colours, whole, width).filled();
    let mut found = vec![Place { least: u8::MAX, ..Place::default() }; places.list.len()];
    for (place, span) in places.spans() {
        let place = &mut found[place];
        for at in span {
            place.area += 1;
            place.of_holes += usize::from(holes.is_some_and(|holes| holes[at]));
            let value = small.alpha[at];
            place.least = place.least.min(value);
            place.alpha += f64::from(value);
            place.squares += f64::from(value) * f64::from(value);
            for c in 0..3 {
                place.colour[c] += colours[at][c];
                place.behind[c] += behind[at][c];
                place.around[c] += around[at][c];
            }
            let squares: f32 = (0..3).map(|c| behind[at][c] * behind[at][c]).sum();
            place.behind[3] += (behind[at][3] - squares).max(0.0);
            for next in beside(at, width, height) {
                // The picture's border closes nothing and opens nothing.
                let Some(next) = next.filter(|&next| doubtful[next] == 0) else { continue };
                place.outline += 1;
                place.beside_soft += usize::from(soft[next] == 1 && whole[next] == 0);
            }
        }
    }
    let mut verdicts: Vec<i16> = found.iter().map(Place::verdict).collect();
    if holes.is_some() {
        let prints: Vec<bool> = found
            .iter()
            .zip(&verdicts)
            .map(|(place, verdict)| {
                let is_other =
                    *verdict == 255 || *verdict == 0 && place.is_enclosed() && place.is_off_mixture();
                is_other && place.is_print()
            })
            .collect();
        // One hole with another colour in it shows something behind the product; many are its pattern.
        let is_pattern = prints.iter().filter(|is_print| **is_print).count() >= PATTERN;
        for (verdict, is_print) in verdicts.iter_mut().zip(prints) {
            *verdict = if is_pattern && is_print { 255 } else { 0 };
        }
    }
    let mut claims = vec![0i16; count];
    for (place, span) in places.spans() {
        claims[span].fill(verdicts[place]);
    }
    // The soft edge between a place and what is whole goes with it.
    for _ in 0..reach {
        let before = claims.clone();
        for at in 0..count {
            if before[at] == 0 && whole[at] == 0 && nothing[at] == 0 {
                let (x, y) = (at % width, at / width);
                let left = if x > 0 { before[at - 1] } else { 0 };
                let right = if x + 1 < width { before[at + 1] } else { 0 };
                let above = if y > 0 { before[at - width] } else { 0 };
                let below = if y + 1 < height { before[at + width] } else { 0 };
                // Only what is raised: an opening keeps the edge that the alpha has.
                claims[at] = left.max(right).max(above).max(below).max(0);
            }
        }
    }
    claims
}

impl Place {
    /// 255 for a part of the product, -255 for an opening, 0 where colour does not tell.
    fn verdict(&self) -> i16 {
        if self.area < LEAST {
            return 0;
        }
        let share = 1.0 / self.area as f32;
        let scatter = (self.behind[3] * share).sqrt();
        let from =
            |other: &[f32]| (0..3).map(|c| ((self.colour[c] - other[c]) * share).powi(2)).sum::<f32>().sqrt();
        let (from_behind, from_around) = (from(&self.behind[..3]), from(&self.around));
        let contrast: f32 =
            (0..3).map(|c| ((self.around[c] - self.behind[c]) * share).powi(2)).sum::<f32>().sqrt();
        let is_behind = from_behind <= SAME + SAME_SCATTER * scatter.min(8.0)
            && from_behind * CONTRAST < from_around
            && contrast > 8.0 + scatter
            && self.least < DOUBT;
        // Strands are there and not there; a lamp that a network half took is so all over.
        let mean = (self.alpha / self.area as f64) as f32;
        let uneven = ((self.squares / self.area as f64) as f32 - mean * mean).max(0.0).sqrt();
        let is_other = from_behind >= OTHER + OTHER_SCATTER * scatter
            // Something half covered has a colour between: nearer the product than that, it is product.
            && (self.is_enclosed() && from_around < 1.5 * from_behind
                || uneven <= EVEN && from_around < 0.4 * from_behind);
        let is_plateau = mean >= PLATEAU
            && uneven <= PLATEAU_SCATTER
            && from_behind >= PLATEAU_OTHER + OTHER_SCATTER * scatter;
        // At the foot of a product, what is only darker than its backdrop is the shadow that it throws.
        let is_shade = !self.is_enclosed() && self.is_shade(SHADED);
        match (is_behind, (is_other || is_plateau) && !is_shade) {
            (true, _) => -255,
            (_, true) => 255,
            _ => 0,
        }
    }
}

impl Place {
    fn is_enclosed(&self) -> bool {
        self.beside_soft as f64 <= ENCLOSED * self.outline.max(1) as f64
    }

    /// Whether it is a hole of a colour of its own: between strands there is a mixture of product and backdrop.
    fn is_print(&self) -> bool {
        let between = |a: &[f32], b: &[f32]| (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>().sqrt();
        let from_behind = between(&self.colour, &self.behind);
        let own = from_behind >= OWN * between(&self.around, &self.behind);
        self.of_holes * HOLLOW >= self.area && (own || self.is_off_mixture())
    }

    /// Whether its colour is no mixture of the product around and the backdrop, nor the backdrop in shadow.
    fn is_off_mixture(&self) -> bool {
        self.off_mixture() >= OFF_MIXTURE + OTHER_SCATTER * self.scatter() && !self.is_shade(SHADED_INSIDE)
    }

    /// How far the backdrop's colour scatters behind it.
    fn scatter(&self) -> f32 {
        (self.behind[3] / self.area.max(1) as f32).max(0.0).sqrt()
    }

    /// How far (ΔE) its colour is from every mixture of the product around and the backdrop.
    fn off_mixture(&self) -> f32 {
        let share = 1.0 / self.area.max(1) as f32;
        let span = [0, 1, 2].map(|c| self.around[c] - self.behind[c]);
        let offset = [0, 1, 2].map(|c| self.colour[c] - self.behind[c]);
        let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
        let mixed = (dot(offset, span) / dot(span, span).max(1e-3)).clamp(0.0, 1.0);
        let left = [0, 1, 2].map(|c| (offset[c] - mixed * span[c]) * share);
        dot(left, left).sqrt()
    }

    /// Whether it has the colour of the backdrop in less light: hue as it is, chroma and lightness reduced alike.
    fn is_shade(&self, depth: std::ops::Range<f32>) -> bool {
        let [l, a, b] = self.colour;
        let light = l / self.behind[0].max(1e-3);
        let (a, b) = (a - light * self.behind[1], b - light * self.behind[2]);
        let off = a.hypot(b) / self.area.max(1) as f32;
        depth.contains(&light) && off <= SHADE
    }
}

#[cfg(test)]
mod tests {
    use pixels::Channels;

    use super::*;

    const SIZE: u32 = 240;

    /// A dark ring on a pale ground with a patch of that colour and that alpha in its middle, on whole product.
    fn with_patch(patch: [u8; 3], doubt: u8) -> (Bitmap, Mask) {
        let kind = |at: u32| {
            let (x, y) = (f64::from(at % SIZE) - 119.5, f64::from(at / SIZE) - 119.5);
            let away = x.hypot(y);
            (away < 90.0, away < 30.0)
        };
        let colour = |at: u32| match kind(at) {
            (_, true) => patch,
            (true, _) => [60, 50, 90],
            _ => [210, 214, 212],
        };
        let samples = (0..SIZE * SIZE).flat_map(colour).collect();
        let alpha = (0..SIZE * SIZE).map(|at| match kind(at) {
            (_, true) => doubt,
            (true, _) => 255,
            _ => 0,
        });
        let bitmap = Bitmap::from_u8(SIZE, SIZE, Channels::Rgb, samples).expect("square");
        (bitmap, Mask::new(SIZE, SIZE, alpha.collect()).expect("square"))
    }

    fn middle(patch: [u8; 3], doubt: u8) -> u8 {
        let (bitmap, mut alpha) = with_patch(patch, doubt);
        settle_inside(&bitmap, &mut alpha, &RefineOptions::default()).expect("the same size");
        alpha.values()[(SIZE * 120 + 120) as usize]
    }

    #[test]
    fn a_place_of_the_backdrops_colour_opens_if_the_alpha_doubts_it() {
        assert_eq!(middle([210, 213, 212], 90), 0);
        assert_eq!(middle([210, 213, 212], 160), 0);
        // What the alpha is sure of is a part of the product that looks like its backdrop.
        assert_eq!(middle([210, 213, 212], 255), 255);
        assert!(middle([210, 213, 212], 235) >= 230);
    }

    #[test]
    fn many_holes_of_a_colour_that_is_not_the_backdrops_are_a_pattern() {
        let square = |at: u32, count: u32| {
            let (x, y) = (at % SIZE, at / SIZE);
            let inside = (60..180).contains(&x) && (60..180).contains(&y);
            inside && x % 24 < 10 && y % 24 < 10 && (y - 60) / 24 * 5 + (x - 60) / 24 < count
        };
        let product = |at: u32| (40..200).contains(&(at % SIZE)) && (40..200).contains(&(at / SIZE));
        let after = |holes: [u8; 3], count: u32| {
            let colour = |at: u32| match (square(at, count), product(at)) {
                (true, _) => holes,
                (_, true) => [90, 140, 120],
                _ => [128, 128, 126],
            };
            let samples = (0..SIZE * SIZE).flat_map(colour).collect();
            let alpha = (0..SIZE * SIZE).map(|at| if product(at) && !square(at, count) { 255 } else { 0 });
            let bitmap = Bitmap::from_u8(SIZE, SIZE, Channels::Rgb, samples).expect("square");
            let mut alpha = Mask::new(SIZE, SIZE, alpha.collect()).expect("square");
            settle_inside(&bitmap, &mut alpha, &RefineOptions::default()).expect("the same size");
            alpha.values()[(SIZE * 76 + 76) as usize]
        };
        assert_eq!(after([20, 22, 24], 20), 255, "a checked shirt");
        assert_eq!(after([128, 128, 126], 20), 0, "a net");
        assert_eq!(after([20, 22, 24], 2), 0, "something is seen through two openings");
    }

    #[test]
    fn a_thing_apart_that_is_evenly_half_there_is_whole() {
        let (bitmap, mut alpha) = with_patch([60, 50, 90], 255);
        alpha.values_mut().iter_mut().for_each(|value| *value = (*value).min(175));
        alpha.values_mut()[..(SIZE * 3) as usize].fill(255);
        settle_inside(&bitmap, &mut alpha, &RefineOptions::default()).expect("the same size");
        assert_eq!(alpha.values()[(SIZE * 120 + 120) as usize], 255);
    }

    #[test]
    fn a_place_of_another_colour_is_whole() {
        assert_eq!(middle([90, 84, 120], 120), 255);
        assert_eq!(middle([160, 60, 50], 120), 255);
        // Glass: the backdrop, a little darker.
        let glass = middle([190, 194, 193], 120);
        assert!((100..140).contains(&glass), "{glass}");
    }
}
