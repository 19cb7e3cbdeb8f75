//! The colour of the light, read from a plain backdrop: what is connected to the picture's border and alike.

use super::lanes::to_oklab;
use super::sampled::Sampled;

/// Longest side of the picture that a backdrop is looked for in.
pub const SIDE: usize = 256;
/// How far the chroma of a backdrop may lie from its middle: OKLab.
const ALIKE: f32 = 0.035;
/// How much darker or brighter than its middle a backdrop may be, as light falls off: OKLab L.
const FALL_OFF: f32 = 0.22;
/// The most that neighbours of one backdrop differ: OKLab.
const STEP: f32 = 0.02;
/// Linear light from which a channel counts as clipped.
const CLIPPED: f32 = 0.97;
/// Chroma over lightness above which a backdrop is coloured paper rather than white under coloured light: the light of
/// a candle has about this much.
const COLOURED: f32 = 0.24;

/// What a backdrop tells of the light.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Backdrop {
    /// It is plain, and has this colour: linear sRGB.
    Plain {
        /// Its mean colour where it is brightest without being clipped.
        light: [f32; 3],
        /// Share of the border that it takes, 0..=1.
        share: f32,
    },
    /// It is plain but clipped to white, so that its tint is lost.
    Clipped,
    /// It is plain but coloured by itself: linear sRGB.
    Coloured([f32; 3]),
    /// There is none: the border is too colourful, or not covered.
    None,
}

/// Looks for the backdrop of a picture seen small, by means of cells.
pub fn backdrop(small: &Sampled) -> Backdrop {
    let mut lab = small.clone();
    lab.change(to_oklab);
    let (width, height) = (small.width, small.height);
    let ring = (width.max(height) / 40).max(1);
    let is_border = |i: usize| {
        let (x, y) = (i % width, i / width);
        x < ring || y < ring || x + ring >= width || y + ring >= height
    };
    let border: Vec<usize> =
        (0..width * height).filter(|&i| is_border(i) && small.weights[i] > 0.99).collect();
    if border.len() < 16 {
        return Backdrop::None;
    }
    let middle = median(&border, &lab.colours);
    let alike = |i: usize| {
        let [l, a, b] = lab.colours[i];
        let chroma = (a - middle[1]).hypot(b - middle[2]);
        chroma < ALIKE && (l - middle[0]).abs() < FALL_OFF && small.weights[i] > 0.99
    };
    let seeds: Vec<usize> = border.iter().copied().filter(|&i| alike(i)).collect();
    let share = seeds.len() as f32 / border.len() as f32;
    if share < 0.5 {
        return Backdrop::None;
    }
    let region = grown(seeds, (width, height), |from, to| {
        let (a, b) = (lab.colours[from], lab.colours[to]);
        alike(to) && (0..3).all(|c| (a[c] - b[c]).abs() < STEP)
    });
    // Shadows on the floor have a colour of their own.
    let middle = median(&region, &lab.colours);
    let lit: Vec<usize> = region.into_iter().filter(|&i| lab.colours[i][0] > middle[0] - 0.06).collect();
    let open: Vec<usize> =
        lit.iter().copied().filter(|&i| small.colours[i].iter().all(|&v| v < CLIPPED)).collect();
    if open.len() * 50 < lit.len() {
        return Backdrop::Clipped;
    }
    let mut light = [0.0f64; 3];
    for &i in &open {
        (0..3).for_each(|c| light[c] += f64::from(small.colours[i][c]) / open.len() as f64);
    }
    let light = light.map(|v| v as f32);
    let [l, a, b] = pixels::linear_to_oklab(light);
    if l < 0.08 || a.hypot(b) > COLOURED * l {
        Backdrop::Coloured(light)
    } else {
        Backdrop::Plain { light, share }
    }
}

/// The mean light of what is covered, without the outliers that dust and edges are: linear sRGB. `None` where nothing is
/// covered.
pub fn patch_light(small: &Sampled) -> Option<[f32; 3]> {
    let mut lab = small.clone();
    lab.change(to_oklab);
    let covered: Vec<usize> = (0..small.weights.len()).filter(|&i| small.weights[i] > 0.5).collect();
    if covered.is_empty() {
        return None;
    }
    let middle = median(&covered, &lab.colours);
    mean_of(small, |i| small.weights[i] > 0.5 && (0..3).all(|c| (lab.colours[i][c] - middle[c]).abs() < 0.06))
        .or_else(|| small.mean())
}

/// The mean light of those parts that are nearly grey under any usual light, by the grey-world assumption (Buchsbaum 1980)
/// on them alone: linear sRGB. `None` where they are less than a twentieth of what is covered.
pub fn grey_light(small: &Sampled) -> Option<[f32; 3]> {
    let mut lab = small.clone();
    lab.change(to_oklab);
    let is_covered = |i: usize| small.weights[i] > 0.9;
    let is_grey = |i: usize| {
        let [l, a, b] = lab.colours[i];
        let clipped = small.colours[i].iter().any(|&v| v >= CLIPPED);
        is_covered(i) && l > 0.15 && !clipped && a.hypot(b) < 0.5 * COLOURED * l
    };
    let whole = (0..small.weights.len()).filter(|&i| is_covered(i)).count();
    let grey = (0..small.weights.len()).filter(|&i| is_grey(i)).count();
    if grey * 20 < whole.max(1) { None } else { mean_of(small, is_grey) }
}

fn mean_of(small: &Sampled, is_meant: impl Fn(usize) -> bool) -> Option<[f32; 3]> {
    let mut meant = small.clone();
    meant.weights.iter_mut().enumerate().for_each(|(i, weight)| *weight = f32::from(u8::from(is_meant(i))));
    meant.mean()
}

fn median(of: &[usize], colours: &[[f32; 3]]) -> [f32; 3] {
    std::array::from_fn(|c| {
        let mut values: Vec<f32> = of.iter().map(|&i| colours[i][c]).collect();
        let middle = values.len() / 2;
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    })
}

/// Everything reached from the seeds by steps between neighbours that `may` be taken.
fn grown(
    seeds: Vec<usize>,
    (width, height): (usize, usize),
    may: impl Fn(usize, usize) -> bool,
) -> Vec<usize> {
    let mut is_in = vec![false; width * height];
    seeds.iter().for_each(|&i| is_in[i] = true);
    let mut region = seeds;
    let mut next = 0;
    while let Some(&i) = region.get(next) {
        next += 1;
        let (x, y) = (i % width, i / width);
        let neighbours = [
            (x > 0).then(|| i - 1),
            (x + 1 < width).then(|| i + 1),
            (y > 0).then(|| i - width),
            (y + 1 < height).then(|| i + width),
        ];
        for to in neighbours.into_iter().flatten() {
            if !is_in[to] && may(i, to) {
                is_in[to] = true;
                region.push(to);
            }
        }
    }
    region
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A backdrop that falls off to the right, with a red product on it.
    fn studio(paper: [f32; 3], product: [f32; 3]) -> Sampled {
        let (width, height) = (120, 90);
        let colours: Vec<[f32; 3]> = (0..width * height)
            .map(|i| {
                let (x, y) = (i % width, i / width);
                let inside = (30..90).contains(&x) && (20..90).contains(&y);
                if inside { product } else { paper.map(|v| v * (1.0 - 0.2 * x as f32 / width as f32)) }
            })
            .collect();
        Sampled { width, height, weights: vec![1.0; colours.len()], colours }
    }

    #[test]
    fn a_plain_backdrop_gives_the_colour_of_the_light() {
        for paper in [[0.8, 0.7, 0.55], [0.5, 0.6, 0.8], [0.3, 0.3, 0.3], [0.85, 0.5, 0.25]] {
            let Backdrop::Plain { light, share } = backdrop(&studio(paper, [0.6, 0.05, 0.04])) else {
                panic!("{paper:?} is plain")
            };
            assert!(share > 0.5);
            let scale = light[1] / paper[1];
            (0..3).for_each(|c| assert!((light[c] - paper[c] * scale).abs() < 1e-3, "{light:?}"));
        }
    }

    #[test]
    fn what_tells_nothing_is_said() {
        assert_eq!(
            backdrop(&studio([1.3, 1.3, 1.3].map(|v: f32| v.min(1.0) * 1.3), [0.2; 3])),
            Backdrop::Clipped
        );
        assert!(matches!(backdrop(&studio([0.02, 0.2, 0.7], [0.2; 3])), Backdrop::Coloured(_)));
        let mut wild = studio([0.5; 3], [0.2; 3]);
        for (i, rgb) in wild.colours.iter_mut().enumerate() {
            *rgb = [(i * 37 % 11) as f32 / 11.0, (i * 17 % 7) as f32 / 7.0, (i * 5 % 13) as f32 / 13.0];
        }
        assert_eq!(backdrop(&wild), Backdrop::None);
        let mut cut_out = studio([0.5; 3], [0.2; 3]);
        cut_out.weights.fill(0.0);
        assert_eq!(backdrop(&cut_out), Backdrop::None);
    }
}
