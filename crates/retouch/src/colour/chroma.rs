//! Saturation and vibrance in OKLCh (Ottosson 2020): lightness and hue stay, also where sRGB ends.

use super::lanes::{Colours, LANES, Plane, fit_gamut, to_oklab};

/// Chroma from which vibrance leaves a colour alone.
const VIVID: f32 = 0.3;

/// Cosine and sine of 50 degrees, the middle of the hues of skin.
const SKIN_HUE: [f32; 2] = [0.642_787_6, 0.766_044_4];

/// How much stronger colours become.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Chroma {
    /// All colours alike: -1 is grey, 1 is twice the chroma.
    pub saturation: f32,
    /// Weak colours more than strong ones, those of skin half as much: -1 to 1.
    pub vibrance: f32,
}

impl Chroma {
    /// Whether it changes nothing.
    pub fn is_neutral(self) -> bool {
        self == Self::default()
    }

    /// Applies it to linear sRGB 0..=1; answers the same.
    pub(crate) fn apply(self, colours: &mut Colours) {
        to_oklab(colours);
        let [_, a, b] = colours;
        for (a, b) in a.iter_mut().zip(b) {
            let chroma = (*a * *a + *b * *b).sqrt();
            let weak = 1.0 - if chroma < VIVID { chroma / VIVID } else { 1.0 };
            let weak = weak * weak * (1.0 - 0.5 * skin_hue(*a, *b, chroma));
            let factor = (1.0 + self.saturation) * (1.0 + self.vibrance * weak);
            *a *= factor;
            *b *= factor;
        }
        fit_gamut(colours);
    }
}

/// How much a hue is one of skin, 0 to 1.
#[inline(always)]
fn skin_hue(a: f32, b: f32, chroma: f32) -> f32 {
    let cosine = (a * SKIN_HUE[0] + b * SKIN_HUE[1]) / (chroma + 1e-6);
    smooth((cosine - 0.88) * 10.0)
}

/// How much each linear sRGB colour is one of skin, 0 to 1: by hue, chroma and lightness, over all complexions.
pub(crate) fn skin(colours: &Colours) -> Plane {
    let mut lab = *colours;
    to_oklab(&mut lab);
    let mut weights = [0.0; LANES];
    for (i, weight) in weights.iter_mut().enumerate() {
        let (l, a, b) = (lab[0][i], lab[1][i], lab[2][i]);
        let chroma = (a * a + b * b).sqrt();
        let coloured = smooth((chroma - 0.02) * 40.0) * smooth((0.2 - chroma) * 20.0);
        let lit = smooth((l - 0.2) * 8.0) * smooth((0.99 - l) * 20.0);
        *weight = skin_hue(a, b, chroma) * coloured * lit;
    }
    weights
}

/// From 0 at 0 to 1 at 1, level at both ends.
#[inline(always)]
pub(crate) fn smooth(t: f32) -> f32 {
    let t = if t > 0.0 { t } else { 0.0 };
    let t = if t < 1.0 { t } else { 1.0 };
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A spread of linear colours, the first quarter of them greys.
    fn palette() -> Colours {
        let mut colours = [[0.0; LANES]; 3];
        for i in 0..LANES {
            let grey = i as f32 / 31.0;
            let rgb = match i {
                0..32 => [grey; 3],
                _ => [(i % 5) as f32 / 4.0, (i / 5 % 5) as f32 / 4.0, (i / 25) as f32 / 5.0],
            };
            (0..3).for_each(|c| colours[c][i] = rgb[c]);
        }
        colours
    }

    #[test]
    fn greys_stay_grey() {
        for chroma in [
            Chroma { saturation: 1.0, vibrance: 1.0 },
            Chroma { saturation: -1.0, vibrance: 0.0 },
            Chroma { saturation: -0.3, vibrance: -1.0 },
        ] {
            let mut colours = palette();
            chroma.apply(&mut colours);
            for i in 0..32 {
                for plane in &colours {
                    assert!((plane[i] - i as f32 / 31.0).abs() < 1e-5, "{i}: {}", plane[i]);
                }
            }
        }
    }

    #[test]
    fn lightness_and_hue_stay() {
        let mut before = palette();
        to_oklab(&mut before);
        for saturation in [-0.5, 0.4, 1.0] {
            let mut after = palette();
            Chroma { saturation, vibrance: 0.5 }.apply(&mut after);
            assert!(after.iter().flatten().all(|v| (-1e-4..=1.0001).contains(v)));
            to_oklab(&mut after);
            for i in 0..LANES {
                assert!((after[0][i] - before[0][i]).abs() < 2e-3, "{i}");
                let cross = after[1][i] * before[2][i] - after[2][i] * before[1][i];
                assert!(cross.abs() < 2e-4, "{i}: {cross}");
            }
        }
    }

    #[test]
    fn without_saturation_everything_is_grey() {
        let mut colours = palette();
        Chroma { saturation: -1.0, vibrance: 0.0 }.apply(&mut colours);
        for i in 0..LANES {
            assert!(
                (colours[0][i] - colours[1][i]).abs() < 1e-5 && (colours[1][i] - colours[2][i]).abs() < 1e-5
            );
        }
    }

    #[test]
    fn skin_of_all_complexions_is_skin_and_products_are_not() {
        let mut colours = [[0.0; LANES]; 3];
        let of = [
            [0.92, 0.76, 0.66],
            [0.85, 0.62, 0.49],
            [0.55, 0.36, 0.26],
            [0.32, 0.20, 0.15],
            [0.1, 0.3, 0.7],
            [0.1, 0.5, 0.2],
            [0.5, 0.5, 0.5],
            [0.95, 0.05, 0.05],
            [1.0, 1.0, 1.0],
        ];
        for (i, rgb) in of.iter().enumerate() {
            (0..3).for_each(|c| colours[c][i] = pixels::srgb_to_linear(f64::from(rgb[c])) as f32);
        }
        let weights = skin(&colours);
        assert!(weights[..4].iter().all(|&w| w > 0.6), "{:?}", &weights[..4]);
        assert!(weights[4..9].iter().all(|&w| w < 0.05), "{:?}", &weights[4..9]);
    }
}
