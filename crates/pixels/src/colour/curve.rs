//! One tone curve of an ICC profile, evaluated exactly.

use moxcms::ToneReprCurve;

use crate::srgb::{linear_to_srgb, srgb_to_linear};

/// Device value (0..=1) to linear light (0..=1), as ICC.1:2022 10.6 and 10.18 define it.
#[derive(Clone, Debug)]
pub(crate) struct Curve {
    shape: Shape,
    /// Whether the curve ends in CIE L* (grey profiles with a Lab connection space) rather than in light.
    lightness: bool,
}

#[derive(Clone, Debug)]
enum Shape {
    Gamma(f64),
    Table(Vec<u16>),
    Parametric([f64; 7]),
}

impl Curve {
    /// Takes the curve over, or says what is wrong with it.
    pub(crate) fn of(curve: &ToneReprCurve) -> Result<Self, String> {
        let shape = match curve {
            ToneReprCurve::Lut(table) => match table.as_slice() {
                [] => Shape::Gamma(1.0),
                [0] => return Err("a tone curve has gamma 0".to_owned()),
                [gamma] => Shape::Gamma(f64::from(*gamma) / 256.0),
                table => Shape::Table(table.to_vec()),
            },
            ToneReprCurve::Parametric(parameters) => {
                let p: Vec<f64> = parameters.iter().map(|&p| f64::from(p)).collect();
                // All five kinds as (a x + b)^g + e from d on, c x + f below: in the order g a b c d e f.
                let full = match *p.as_slice() {
                    [g] => [g, 1.0, 0.0, 0.0, f64::NEG_INFINITY, 0.0, 0.0],
                    [g, a, b] => [g, a, b, 0.0, -b / a, 0.0, 0.0],
                    [g, a, b, c] => [g, a, b, 0.0, -b / a, c, c],
                    [g, a, b, c, d] => [g, a, b, c, d, 0.0, 0.0],
                    [g, a, b, c, d, e, f] => [g, a, b, c, d, e, f],
                    _ => return Err("a tone curve has an unknown kind".to_owned()),
                };
                Shape::Parametric(full)
            }
        };
        let curve = Self { shape, lightness: false };
        let (black, white) = (curve.to_linear(0.0), curve.to_linear(1.0));
        // A curve that falls, or ends in the dark, would turn the picture into noise.
        if black.is_finite() && white.is_finite() && white > 0.5 && white > black {
            Ok(curve)
        } else {
            Err("a tone curve does not rise from black to white".to_owned())
        }
    }

    /// The same curve when its values are L*/100.
    pub(crate) fn lightness_to_luminance(self) -> Self {
        Self { lightness: true, ..self }
    }

    /// Linear light (0..=1) of a device value (0..=1).
    pub(crate) fn to_linear(&self, x: f64) -> f64 {
        let y = match &self.shape {
            Shape::Gamma(gamma) => x.max(0.0).powf(*gamma),
            Shape::Table(table) => {
                let at = x.clamp(0.0, 1.0) * (table.len() - 1) as f64;
                let low = (at as usize).min(table.len() - 2);
                let (a, b) = (f64::from(table[low]), f64::from(table[low + 1]));
                (a + (b - a) * (at - low as f64)) / 65_535.0
            }
            Shape::Parametric([g, a, b, c, d, e, f]) => {
                if x < *d {
                    c * x + f
                } else {
                    (a * x + b).max(0.0).powf(*g) + e
                }
            }
        };
        let y = y.clamp(0.0, 1.0);
        if !self.lightness {
            return y;
        }
        // CIE 15: luminance of a lightness.
        let lightness = y * 100.0;
        if lightness > 8.0 { ((lightness + 16.0) / 116.0).powi(3) } else { lightness * 27.0 / 24_389.0 }
    }

    /// sRGB value (0..=1) of a device value (0..=1), when the curve is all there is.
    pub(crate) fn to_srgb(&self, x: f64) -> f64 {
        linear_to_srgb(self.to_linear(x))
    }

    /// Whether no 8-bit level changes between this curve and that of sRGB.
    pub(crate) fn is_srgb(&self) -> bool {
        (0..=255).all(|i| {
            let x = f64::from(i) / 255.0;
            (linear_to_srgb(self.to_linear(x)) - linear_to_srgb(srgb_to_linear(x))).abs() * 255.0 < 0.75
        })
    }
}
