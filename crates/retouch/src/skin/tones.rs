//! The colour of skin, apart from the light on it.
//!
//! In Oklab, light that is k times as strong multiplies all three coordinates by the cube root of k. So a/L and b/L are the
//! same in the light and in the shade.

use pixels::{Bitmap, Samples};

use super::sums::{Size, blurred, means};

/// A small picture as planes.
pub(super) struct Tones {
    pub(super) size: Size,
    /// 1 where the picture shows, 0 where it is transparent.
    pub(super) weight: Vec<f32>,
    /// L of Oklab, blurred.
    pub(super) light: Vec<f32>,
    /// a/L, blurred: from green to red.
    pub(super) red: Vec<f32>,
    /// b/L, blurred: from blue to yellow.
    pub(super) yellow: Vec<f32>,
    /// Standard deviation of L nearby: small on skin, large on hair and cloth with a pattern.
    pub(super) unrest: Vec<f32>,
}

impl Tones {
    /// The planes of a picture in which a face is `face_px` pixels wide.
    pub(super) fn of(bitmap: &Bitmap, face_px: f32) -> Self {
        let size = (bitmap.width() as usize, bitmap.height() as usize);
        let weight: Vec<f32> =
            bitmap.alpha().values().iter().map(|alpha| f32::from(u8::from(*alpha >= 128))).collect();
        let rgb = bitmap.clone().without_alpha().into_u8();
        let (mut light, mut red, mut yellow) = (Vec::new(), Vec::new(), Vec::new());
        if let Samples::U8(samples) = rgb.samples() {
            for pixel in samples.as_chunks::<3>().0 {
                let [l, a, b] = pixels::linear_to_oklab(pixel.map(pixels::srgb_u8_to_linear));
                let divisor = l.max(0.05);
                light.push(l);
                red.push(a / divisor);
                yellow.push(b / divisor);
            }
        }
        let mut unrest = vec![0f32; light.len()];
        let near = ((face_px * 0.015).round() as usize).max(1);
        means(
            size,
            near,
            &weight,
            |i| [light[i], light[i] * light[i]],
            |i, [mean, square]| {
                unrest[i] = (square - mean * mean).max(0.0).sqrt();
            },
        );
        let unrest = blurred(size, &unrest, &weight, near, 1);
        let radius = ((face_px * 0.009).round() as usize).max(1);
        let blur = |plane: &[f32]| blurred(size, plane, &weight, radius, 2);
        Self { size, light: blur(&light), red: blur(&red), yellow: blur(&yellow), unrest, weight }
    }
}

/// What skin looks like.
#[derive(Clone, Copy, Debug)]
pub(super) struct Model {
    /// Means of a/L and b/L.
    pub(super) mean: [f32; 2],
    /// The inverse of their covariance: of the first, of both, of the second.
    inverse: [f32; 3],
    /// Median of L.
    pub(super) light: f32,
    /// L that one pixel in fifty exceeds.
    pub(super) brightest: f32,
    /// Median of the unrest.
    pub(super) unrest: f32,
}

/// Pixels from which a colour is learned.
const FEWEST: usize = 60;

impl Model {
    /// Learns from the pixels `of` a picture: a Gaussian of what lies together, without what is far off it (hair, shine,
    /// make-up). `None` where there is too little of one colour.
    pub(super) fn learn(tones: &Tones, of: impl Fn(usize) -> bool) -> Option<Self> {
        let all: Vec<usize> = (0..tones.light.len()).filter(|i| tones.weight[*i] > 0.0 && of(*i)).collect();
        if all.len() < FEWEST {
            return None;
        }
        let median = |plane: &[f32], of: &[usize]| quantile(plane, of, 0.5);
        let mut kept = all.clone();
        let mut model = Self {
            mean: [median(&tones.red, &kept), median(&tones.yellow, &kept)],
            inverse: [0.0; 3],
            light: 0.0,
            brightest: 1.0,
            unrest: 0.0,
        };
        for turn in 0..5 {
            let count = kept.len() as f64;
            let mean = |plane: &[f32]| kept.iter().map(|i| f64::from(plane[*i])).sum::<f64>() / count;
            // The median first: it is right even where a third of the pixels is hair.
            if turn > 0 {
                model.mean = [mean(&tones.red) as f32, mean(&tones.yellow) as f32];
            }
            let [mut aa, mut ab, mut bb] = [0f64; 3];
            for &i in &kept {
                let a = f64::from(tones.red[i] - model.mean[0]);
                let b = f64::from(tones.yellow[i] - model.mean[1]);
                (aa, ab, bb) = (aa + a * a, ab + a * b, bb + b * b);
            }
            // No skin is of one colour alone.
            let (aa, ab, bb) = (aa / count + 4e-5, ab / count, bb / count + 4e-5);
            let determinant = aa * bb - ab * ab;
            model.inverse = [bb / determinant, -ab / determinant, aa / determinant].map(|v| v as f32);
            model.light = median(&tones.light, &kept);
            let near = |i: &usize| model.distance(tones, *i) < 6.0 && tones.light[*i] > 0.6 * model.light;
            let next: Vec<usize> = all.iter().copied().filter(near).collect();
            if next.len() < FEWEST {
                return None;
            }
            kept = next;
        }
        model.brightest = quantile(&tones.light, &kept, 0.98);
        model.unrest = median(&tones.unrest, &kept);
        Some(model)
    }

    /// Skin of people in general, for pictures without a face to learn from; far from all of it is covered.
    pub(super) fn general() -> Self {
        // Around the five skins from pale to dark that this was made with, in daylight.
        let (first, both, second) = (0.026f32 * 0.026, 0.000_2f32, 0.017f32 * 0.017);
        let determinant = first * second - both * both;
        Self {
            mean: [0.08, 0.088],
            inverse: [second / determinant, -both / determinant, first / determinant],
            light: 0.64,
            brightest: 0.9,
            unrest: 0.014,
        }
    }

    /// Whether it has no colour to find more skin by, as in a black and white picture.
    pub(super) fn is_colourless(&self) -> bool {
        self.mean[0].hypot(self.mean[1]) < 0.02
    }

    /// Squared Mahalanobis distance of a pixel's colour.
    pub(super) fn distance(&self, tones: &Tones, at: usize) -> f32 {
        self.apart(tones.red[at], tones.yellow[at])
    }

    /// Squared Mahalanobis distance of a/L and b/L.
    pub(super) fn apart(&self, red: f32, yellow: f32) -> f32 {
        let (a, b) = (red - self.mean[0], yellow - self.mean[1]);
        let [first, both, second] = self.inverse;
        first * a * a + 2.0 * both * a * b + second * b * b
    }
}

fn quantile(plane: &[f32], of: &[usize], share: f64) -> f32 {
    let mut values: Vec<f32> = of.iter().map(|i| plane[*i]).collect();
    let at = ((values.len() - 1) as f64 * share) as usize;
    *values.select_nth_unstable_by(at, f32::total_cmp).1
}
