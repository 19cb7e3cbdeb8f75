//! A product in another colour: what has the one colour gets the other, with its folds, shading and gloss.
//!
//! In OKLab less light multiplies all three coordinates alike, so that chroma over lightness is the same in the sun and
//! in a fold: colours are chosen by it, and given it.

use pixels::{ciede2000, linear_to_lab, linear_to_oklab, oklab_to_linear, srgb_u8_to_linear};

use super::chroma::smooth;
use super::lanes::{Colours, LANES, fit_gamut, to_oklab};
use super::sampled::Sampled;

/// Chroma over lightness up to which a colour is a grey.
const GREY: f32 = 0.05;
/// Cells of the histogram along each axis of chroma over lightness, from -`REACH` to `REACH`.
const CELLS: usize = 48;
const REACH: f32 = 0.6;
/// Rounds in which what is given is corrected until the mean is what was asked for.
const ROUNDS: usize = 12;

/// What is wanted of a [`Recolour`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// The colour to be replaced, sRGB; `None` is the product's main colour.
    pub from: Option<[u8; 3]>,
    /// The colour it gets on average, sRGB.
    pub to: [u8; 3],
    /// How unlike the replaced colour something may be, 0..=1.
    pub tolerance: f32,
    /// How much of the change is done, 0..=1.
    pub strength: f32,
    /// Whether variations of hue and chroma stay; otherwise only lightness varies.
    pub keep_texture: bool,
}

/// Replaces one colour by another.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recolour {
    chosen: Chosen,
    strength: f32,
    keep_texture: bool,
    /// Mean lightness of what was chosen.
    lightness: f32,
    /// Lightness it gets, and chroma over lightness.
    goal: f32,
    ratio: [f32; 2],
    /// What variations of the ratio are turned and scaled by.
    turn: [f32; 2],
}

/// What a plan comes to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outlook {
    /// The colour that is replaced, linear sRGB.
    pub from: [f32; 3],
    /// Share of the picture's covered part that changes, 0..=1.
    pub share: f32,
    /// ΔE2000 between the mean of what changes and the wanted colour, at full strength.
    pub off: f32,
}

/// Which colours are meant.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Chosen {
    ratio: [f32; 2],
    lightness: f32,
    /// Distance up to which a colour is chosen in full; twice the width of the soft edge beyond.
    radius: f32,
}

impl Chosen {
    /// How much a colour is meant, 0..=1.
    #[inline(always)]
    fn weight(&self, l: f32, a: f32, b: f32) -> f32 {
        let light = 1.0 / (l + 0.02);
        let (u, v) = (a * light - self.ratio[0], b * light - self.ratio[1]);
        let chroma = (self.ratio[0] * self.ratio[0] + self.ratio[1] * self.ratio[1]).sqrt();
        let distance = if chroma > GREY {
            // Along the hue's own direction lie gloss and wear; across it lie other hues.
            let (cos, sin) = (self.ratio[0] / chroma, self.ratio[1] / chroma);
            let (along, across) = (u * cos + v * sin, v * cos - u * sin);
            let scale = 1.0 / if chroma > 0.1 { chroma } else { 0.1 };
            let along = 0.6 * along * scale;
            let across = across * scale;
            let dark = 0.15 * (l - self.lightness);
            (along * along + across * across + dark * dark).sqrt()
        } else {
            let other = (u * u + v * v) * (1.0 / 0.24 / 0.24);
            let lightness = (l - self.lightness) * (1.0 / 1.2);
            (other + lightness * lightness).sqrt()
        };
        1.0 - smooth((distance - self.radius) * 6.0)
    }
}

impl Recolour {
    /// Plans it for a picture seen small (colours that occur, not means). `None` where nothing has the colour.
    pub fn plan(small: &Sampled, wish: &Wish) -> Option<(Self, Outlook)> {
        let mut lab = small.clone();
        lab.change(to_oklab);
        let named = wish.from.map(|rgb| linear_to_oklab(rgb.map(srgb_u8_to_linear)));
        let [l, a, b] = match named {
            Some(named) => named,
            None => main_colour(&lab)?,
        };
        let chosen = Chosen {
            ratio: [a / (l + 0.02), b / (l + 0.02)],
            lightness: l,
            radius: 0.04 + 0.46 * wish.tolerance,
        };
        lab.weights.iter_mut().zip(&lab.colours).for_each(|(w, c)| *w *= chosen.weight(c[0], c[1], c[2]));
        let whole: f32 = small.weights.iter().sum();
        let share = lab.weights.iter().sum::<f32>() / whole.max(1e-6);
        let from = lab.mean().filter(|_| share > 1e-4)?;
        let to = linear_to_oklab(wish.to.map(srgb_u8_to_linear));
        let mut plan = Self {
            chosen,
            strength: 1.0,
            keep_texture: wish.keep_texture,
            lightness: from[0].clamp(0.02, 0.98),
            goal: to[0],
            ratio: [to[1] / to[0].max(0.02), to[2] / to[0].max(0.02)],
            turn: [1.0, 0.0],
        };
        plan.turn = turn([from[1] / from[0].max(0.02), from[2] / from[0].max(0.02)], plan.ratio);
        let mut off = f32::INFINITY;
        let mut best = plan;
        let mut wanted = [to[0], to[1], to[2]];
        let goal = linear_to_lab(wish.to.map(srgb_u8_to_linear));
        // Bending, gloss and the limits of sRGB move the mean: aim beside the goal until the mean is on it.
        for _ in 0..ROUNDS {
            plan.goal = wanted[0].clamp(0.01, 0.99);
            plan.ratio = [wanted[1] / plan.goal, wanted[2] / plan.goal];
            let mut after = small.clone();
            after.change(|colours| plan.apply(colours));
            after.change(to_oklab);
            after.weights.clone_from(&lab.weights);
            let mean = after.mean()?;
            let got = linear_to_lab(oklab_to_linear(mean).map(|v| v.clamp(0.0, 1.0)));
            let now = ciede2000(got, goal);
            if now < off {
                (off, best) = (now, plan);
            }
            (0..3).for_each(|c| wanted[c] += to[c] - mean[c]);
        }
        let outlook = Outlook { from: oklab_to_linear(from), share, off };
        Some((Self { strength: wish.strength, ..best }, outlook))
    }

    /// Applies it to linear sRGB 0..=1; answers the same. What is not meant stays as it is to the last bit.
    pub(crate) fn apply(&self, colours: &mut Colours) {
        let before = *colours;
        to_oklab(colours);
        let mut weights = [0.0; LANES];
        let mut any = false;
        for (i, weight) in weights.iter_mut().enumerate() {
            *weight = self.strength * self.chosen.weight(colours[0][i], colours[1][i], colours[2][i]);
            any |= *weight > 0.0;
        }
        if !any {
            *colours = before;
            return;
        }
        // Darker is less light; brighter bends towards white, so that nothing is clipped.
        let (darker, end) = (self.goal / self.lightness, {
            self.lightness * (1.0 - self.goal) / (self.goal * (1.0 - self.lightness))
        });
        let brightens = self.goal > self.lightness;
        let [own_a, own_b] = self.own_ratio();
        let keep = if self.keep_texture { 1.0 } else { 0.0 };
        for (i, &weight) in weights.iter().enumerate() {
            let [l, a, b] = [colours[0][i], colours[1][i], colours[2][i]];
            let bent = l / (end + (1.0 - end) * l + 1e-9);
            let lightness = if brightens { bent } else { l * darker };
            let light = 1.0 / (l + 0.02);
            let (u, v) = ((a * light - own_a) * keep, (b * light - own_b) * keep);
            let (u, v) = (u * self.turn[0] - v * self.turn[1], u * self.turn[1] + v * self.turn[0]);
            colours[0][i] = l + (lightness - l) * weight;
            colours[1][i] = a + ((self.ratio[0] + u) * lightness - a) * weight;
            colours[2][i] = b + ((self.ratio[1] + v) * lightness - b) * weight;
        }
        fit_gamut(colours);
        for (plane, before) in colours.iter_mut().zip(&before) {
            for ((value, before), weight) in plane.iter_mut().zip(before).zip(&weights) {
                *value = if *weight > 0.0 { *value } else { *before };
            }
        }
    }

    fn own_ratio(&self) -> [f32; 2] {
        self.chosen.ratio
    }
}

/// The turn and scale that brings one ratio to another; greys keep their small variations as they are.
fn turn(from: [f32; 2], to: [f32; 2]) -> [f32; 2] {
    let (own, new) = (from[0].hypot(from[1]), to[0].hypot(to[1]));
    if own < GREY {
        return [1.0, 0.0];
    }
    let scale = (new / own).min(1.5);
    if new < GREY {
        return [scale, 0.0];
    }
    let cos = (from[0] * to[0] + from[1] * to[1]) / (own * new);
    let sin = (from[0] * to[1] - from[1] * to[0]) / (own * new);
    [scale * cos, scale * sin]
}

/// The colour most of the covered part has; colours count one and a half times what greys do. OKLab.
fn main_colour(lab: &Sampled) -> Option<[f32; 3]> {
    let ratio = |c: &[f32; 3]| [c[1] / (c[0] + 0.02), c[2] / (c[0] + 0.02)];
    let cell = |v: f32| (((v / REACH + 1.0) * 0.5 * CELLS as f32) as usize).min(CELLS - 1);
    let mut counts = vec![0.0f32; CELLS * CELLS];
    for (colour, weight) in lab.colours.iter().zip(&lab.weights) {
        let [u, v] = ratio(colour);
        let counted = if u.hypot(v) > GREY { 1.5 } else { 1.0 };
        // What is nearly black has no hue worth counting.
        counts[cell(v) * CELLS + cell(u)] += weight * counted * smooth(colour[0] * 8.0);
    }
    let around = |i: usize| -> f32 {
        let (x, y) = (i % CELLS, i / CELLS);
        let rows = y.saturating_sub(1)..=(y + 1).min(CELLS - 1);
        rows.map(|y| {
            counts[y * CELLS + x.saturating_sub(1)..=y * CELLS + (x + 1).min(CELLS - 1)].iter().sum::<f32>()
        })
        .sum()
    };
    let best = (0..counts.len()).max_by(|&a, &b| around(a).total_cmp(&around(b)))?;
    let middle = |i: usize| ((i as f32 + 0.5) / CELLS as f32 * 2.0 - 1.0) * REACH;
    let mut centre = [middle(best % CELLS), middle(best / CELLS)];
    let mut mean = None;
    for _ in 0..4 {
        let mut near = lab.clone();
        near.weights.iter_mut().zip(&lab.colours).for_each(|(weight, colour)| {
            let [u, v] = ratio(colour);
            *weight *= f32::from(u8::from((u - centre[0]).hypot(v - centre[1]) < 0.06));
        });
        let found = near.mean()?;
        centre = ratio(&found);
        mean = Some(found);
    }
    mean
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shirt with folds and a little gloss in one colour, a grey button row and a differently coloured label.
    fn shirt(rgb: [f32; 3]) -> Sampled {
        let (width, height) = (160, 120);
        let colours: Vec<[f32; 3]> = (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width) as f32 / width as f32, (i / width) as f32 / height as f32);
                if (0.48..0.52).contains(&x) {
                    return [0.35; 3];
                }
                if x > 0.9 && y > 0.9 {
                    return [0.02, 0.3, 0.35];
                }
                let shade = 0.55 + 0.45 * (x * 21.0).sin() * (y * 5.0 + 1.0).cos();
                let gloss = if (x - 0.3).hypot(y - 0.3) < 0.03 { 0.15 } else { 0.0 };
                rgb.map(|v| v * shade + gloss)
            })
            .collect();
        Sampled { width, height, weights: vec![1.0; colours.len()], colours }
    }

    fn done(small: &Sampled, wish: &Wish) -> (Sampled, Outlook) {
        let (plan, outlook) = Recolour::plan(small, wish).expect("the colour occurs");
        let mut after = small.clone();
        after.change(|colours| plan.apply(colours));
        (after, outlook)
    }

    #[test]
    fn the_mean_of_what_changes_is_the_wanted_colour() {
        for from in [[0.5, 0.04, 0.05], [0.03, 0.08, 0.4], [0.6, 0.55, 0.5], [0.04, 0.04, 0.045]] {
            for to in [[30, 90, 60], [200, 40, 50], [235, 200, 60], [40, 44, 52], [225, 225, 220]] {
                let wish = Wish { from: None, to, tolerance: 0.5, strength: 1.0, keep_texture: true };
                let (_, outlook) = done(&shirt(from), &wish);
                assert!(outlook.off < 2.0, "{from:?} to {to:?}: {outlook:?}");
                assert!(outlook.share > 0.5, "{from:?} to {to:?}: {outlook:?}");
            }
        }
    }

    #[test]
    fn folds_stay_and_other_colours_are_left_alone() {
        let small = shirt([0.5, 0.04, 0.05]);
        let wish = Wish {
            from: Some([188, 57, 63]),
            to: [40, 80, 170],
            tolerance: 0.5,
            strength: 1.0,
            keep_texture: true,
        };
        let (after, _) = done(&small, &wish);
        let (mut before_and_after, mut untouched) = (Vec::new(), 0);
        for (before, after) in small.colours.iter().zip(&after.colours) {
            if before[0] > 2.0 * before[1] && before[1] < 0.06 {
                before_and_after.push((linear_to_oklab(*before)[0], linear_to_oklab(*after)[0]));
            } else if before == after {
                untouched += 1;
            }
        }
        // Label and buttons.
        assert!(untouched > 700, "{untouched}");
        before_and_after.sort_by(|a, b| a.0.total_cmp(&b.0));
        let falls = before_and_after.windows(2).filter(|p| p[1].1 < p[0].1 - 2e-3).count();
        assert_eq!(falls, 0, "what was brighter is brighter");
    }

    #[test]
    fn half_the_strength_is_half_the_way_and_none_is_nothing() {
        let small = shirt([0.03, 0.08, 0.4]);
        let wish = Wish { from: None, to: [200, 60, 40], tolerance: 0.4, strength: 0.0, keep_texture: false };
        assert_eq!(done(&small, &wish).0.colours, small.colours);
        let absent = Wish { from: Some([0, 255, 0]), tolerance: 0.1, ..wish };
        assert_eq!(Recolour::plan(&small, &absent), None);
    }
}
