//! RGB profiles made of three curves and a matrix: device → linear light → sRGB primaries → sRGB curve.

use std::sync::LazyLock;

use moxcms::ColorProfile;

use super::curve::Curve;
use crate::srgb::linear_to_srgb;

/// XYZ (D50, Bradford-adapted as ICC demands) of the sRGB primaries, in columns red, green, blue.
pub(super) const SRGB_D50: [[f64; 3]; 3] = [
    [0.436_074_7, 0.385_064_9, 0.143_080_4],
    [0.222_504_5, 0.716_878_6, 0.060_616_9],
    [0.013_932_2, 0.097_104_5, 0.714_173_3],
];

/// A matrix profile, ready to be applied.
pub(crate) struct Matrix {
    curves: [Curve; 3],
    /// Linear light of the profile to linear light of sRGB.
    to_srgb: [[f64; 3]; 3],
}

impl Matrix {
    /// Takes curves and primaries from a profile, or says what is missing.
    pub(crate) fn of(profile: &ColorProfile) -> Result<Self, String> {
        let curve =
            |trc: &Option<moxcms::ToneReprCurve>| Curve::of(trc.as_ref().ok_or("it has no tone curves")?);
        let curves = [curve(&profile.red_trc)?, curve(&profile.green_trc)?, curve(&profile.blue_trc)?];
        let (r, g, b) = (profile.red_colorant, profile.green_colorant, profile.blue_colorant);
        let to_xyz = [[r.x, g.x, b.x], [r.y, g.y, b.y], [r.z, g.z, b.z]];
        // White must come out as the white of the connection space, within what careless profilers write.
        let white = to_xyz.map(|row| row.iter().sum::<f64>());
        let d50 = [0.9642, 1.0, 0.8249];
        if white.iter().zip(d50).any(|(w, d)| !w.is_finite() || (w - d).abs() > 0.05)
            || determinant(&to_xyz).abs() < 1e-6
        {
            return Err("its primaries do not add up to white".to_owned());
        }
        Ok(Self { curves, to_srgb: multiply(&inverse(&SRGB_D50), &to_xyz) })
    }

    /// Whether this is sRGB as one of its many authors wrote it down: equal curves, and primaries that differ by no
    /// more than the ways of rounding and adapting the white do. The nearest other space, BT.709 with EBU primaries,
    /// is ten times as far.
    pub(crate) fn is_srgb(&self) -> bool {
        let near = |i: usize, j: usize| (self.to_srgb[i][j] - if i == j { 1.0 } else { 0.0 }).abs() < 0.004;
        self.curves.iter().all(Curve::is_srgb) && (0..3).all(|i| (0..3).all(|j| near(i, j)))
    }

    /// One colour, exactly.
    #[cfg(test)]
    fn convert(&self, device: [f64; 3]) -> [f64; 3] {
        let light: [f64; 3] = std::array::from_fn(|i| self.curves[i].to_linear(device[i]));
        self.to_srgb.map(|row| {
            let sum = row[0] * light[0] + row[1] * light[1] + row[2] * light[2];
            linear_to_srgb(sum.clamp(0.0, 1.0))
        })
    }

    /// Converts 8-bit pixels in place; only the first three samples of each are touched.
    pub(crate) fn apply_u8<const N: usize>(&self, pixels: &mut [[u8; N]]) {
        let table = |curve: &Curve| -> [f32; 256] {
            std::array::from_fn(|i| curve.to_linear(i as f64 / 255.0) as f32)
        };
        let [red, green, blue] = [&self.curves[0], &self.curves[1], &self.curves[2]].map(table);
        let m = self.to_srgb.map(|row| row.map(|v| (v * ENCODE_STEPS as f64) as f32));
        let encode: &[u8; ENCODE_STEPS + 1] = &ENCODE_U8;
        for pixel in pixels {
            let (r, g, b) =
                (red[usize::from(pixel[0])], green[usize::from(pixel[1])], blue[usize::from(pixel[2])]);
            for (to, row) in pixel.iter_mut().zip(&m) {
                // The cast saturates below at 0; half a step is added so that it rounds.
                let at = (row[0] * r + row[1] * g + row[2] * b + 0.5) as usize;
                *to = encode[at.min(ENCODE_STEPS)];
            }
        }
    }

    /// Converts 16-bit pixels in place; only the first three samples of each are touched.
    pub(crate) fn apply_u16<const N: usize>(&self, pixels: &mut [[u16; N]]) {
        let table = |curve: &Curve| -> Vec<f32> {
            (0..=65_535).map(|i| curve.to_linear(f64::from(i) / 65_535.0) as f32).collect()
        };
        let tables = [&self.curves[0], &self.curves[1], &self.curves[2]].map(table);
        let m = self.to_srgb.map(|row| row.map(|v| v as f32));
        let encode: &[f32] = &ENCODE_F32;
        for pixel in pixels {
            let light: [f32; 3] = std::array::from_fn(|i| tables[i][usize::from(pixel[i])]);
            for (to, row) in pixel.iter_mut().zip(&m) {
                let sum = (row[0] * light[0] + row[1] * light[1] + row[2] * light[2]).clamp(0.0, 1.0);
                let at = sum * ENCODE_STEPS as f32;
                let low = (at as usize).min(ENCODE_STEPS - 1);
                let (a, b) = (encode[low], encode[low + 1]);
                *to = (a + (b - a) * (at - low as f32) + 0.5) as u16;
            }
        }
    }
}

/// Steps of linear light in the tables of the sRGB curve: the steepest part then rises by 0.05 of an 8-bit level a step.
const ENCODE_STEPS: usize = 65_535;

/// Linear light to the nearest 8-bit sRGB level.
static ENCODE_U8: LazyLock<Box<[u8; ENCODE_STEPS + 1]>> = LazyLock::new(|| {
    let levels: Vec<u8> = (0..=ENCODE_STEPS)
        .map(|i| (linear_to_srgb(i as f64 / ENCODE_STEPS as f64) * 255.0).round() as u8)
        .collect();
    levels.into_boxed_slice().try_into().expect("one level for each step")
});

/// Linear light to sRGB times 65535, to be interpolated.
static ENCODE_F32: LazyLock<Vec<f32>> = LazyLock::new(|| {
    (0..=ENCODE_STEPS).map(|i| (linear_to_srgb(i as f64 / ENCODE_STEPS as f64) * 65_535.0) as f32).collect()
});

fn determinant(m: &[[f64; 3]; 3]) -> f64 {
    (0..3)
        .map(|i| m[0][i] * (m[1][(i + 1) % 3] * m[2][(i + 2) % 3] - m[1][(i + 2) % 3] * m[2][(i + 1) % 3]))
        .sum()
}

pub(super) fn inverse(m: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let scale = 1.0 / determinant(m);
    let cofactor = |row: usize, column: usize| {
        let (r1, r2, c1, c2) = ((row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3);
        m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
    };
    std::array::from_fn(|i| std::array::from_fn(|j| cofactor(j, i) * scale))
}

pub(super) fn multiply(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Mean signed and largest error in 8-bit levels against the exact conversion, over a dense grid.
    fn errors(profile: &ColorProfile) -> (f64, f64) {
        let matrix = Matrix::of(profile).expect("a matrix profile");
        let grid: Vec<u8> = (0..=255).step_by(5).collect();
        let mut pixels: Vec<[u8; 3]> = Vec::new();
        grid.iter()
            .for_each(|&r| grid.iter().for_each(|&g| grid.iter().for_each(|&b| pixels.push([r, g, b]))));
        matrix.apply_u8(&mut pixels);
        let mut converted = pixels.into_iter();
        let (mut sum, mut worst, mut count) = (0.0, 0f64, 0.0);
        for &r in &grid {
            for &g in &grid {
                for &b in &grid {
                    let exact = matrix.convert([r, g, b].map(|v| f64::from(v) / 255.0)).map(|v| v * 255.0);
                    let got = &converted.next().expect("one for each");
                    for (got, exact) in got.iter().zip(exact) {
                        // At the ends, where colours are clipped, rounding goes one way only.
                        if exact > 0.5 && exact < 254.5 {
                            let error = f64::from(*got) - exact;
                            sum += error;
                            worst = worst.max(error.abs());
                            count += 1.0;
                        }
                    }
                }
            }
        }
        (sum / count, worst)
    }

    #[test]
    fn matrix_profiles_are_applied_without_bias() {
        for profile in [ColorProfile::new_display_p3(), ColorProfile::new_adobe_rgb()] {
            let (bias, worst) = errors(&profile);
            assert!(bias.abs() < 0.05, "bias {bias}");
            assert!(worst < 0.56, "worst {worst}");
        }
    }

    #[test]
    fn sixteen_bit_conversion_is_exact_to_a_level() {
        for profile in [ColorProfile::new_display_p3(), ColorProfile::new_adobe_rgb()] {
            let matrix = Matrix::of(&profile).expect("a matrix profile");
            let device: Vec<[u16; 3]> = (0..30_000u32)
                .map(|i| std::array::from_fn(|c| (i.wrapping_mul(2_654_435_761) >> (4 * c)) as u16))
                .collect();
            let mut got = device.clone();
            matrix.apply_u16(&mut got);
            let (mut sum, mut count) = (0.0, 0.0);
            for (device, got) in device.iter().zip(&got) {
                let exact = matrix.convert(device.map(|v| f64::from(v) / 65_535.0)).map(|v| v * 65_535.0);
                for (got, exact) in got.iter().zip(exact) {
                    let error = f64::from(*got) - exact;
                    assert!(error.abs() < 0.6, "{error}");
                    if exact > 0.0 && exact < 65_535.0 {
                        sum += error;
                        count += 1.0;
                    }
                }
            }
            assert!(f64::abs(sum / count) < 0.02, "bias {}", sum / count);
        }
    }

    #[test]
    fn srgb_is_recognised_and_others_are_not() {
        assert!(Matrix::of(&ColorProfile::new_srgb()).expect("a matrix profile").is_srgb());
        assert!(!Matrix::of(&ColorProfile::new_display_p3()).expect("a matrix profile").is_srgb());
        assert!(!Matrix::of(&ColorProfile::new_adobe_rgb()).expect("a matrix profile").is_srgb());
    }

    #[test]
    fn white_stays_white_and_black_black() {
        for profile in [ColorProfile::new_display_p3(), ColorProfile::new_adobe_rgb()] {
            let matrix = Matrix::of(&profile).expect("a matrix profile");
            let mut pixels = [[255u8; 3], [0; 3]];
            matrix.apply_u8(&mut pixels);
            assert_eq!(pixels, [[255; 3], [0; 3]]);
            let mut grey = [[128u8, 128, 128, 7]];
            matrix.apply_u8(&mut grey);
            assert!(grey[0][0] == grey[0][1] && grey[0][1] == grey[0][2] && grey[0][3] == 7);
        }
    }
}
