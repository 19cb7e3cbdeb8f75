//! CIE L*a*b* (D65): from sRGB bytes by tables, from linear light exactly. Distances in it are CIE76 ΔE.

/// Steps of the table for the cube root.
const STEPS: usize = 4096;

/// L* 0..=100, a* and b* of linear sRGB 0..=1.
pub fn linear_to_lab([r, g, b]: [f32; 3]) -> [f32; 3] {
    let x = root(0.433_953 * r + 0.376_219 * g + 0.189_828 * b);
    let y = root(0.212_673 * r + 0.715_152 * g + 0.072_175 * b);
    let z = root(0.017_758 * r + 0.109_477 * g + 0.872_765 * b);
    [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
}

/// The cube root of a share of white's light, straight where it is dark.
fn root(t: f32) -> f32 {
    if t > 216.0 / 24_389.0 { t.cbrt() } else { t * (841.0 / 108.0) + 4.0 / 29.0 }
}

/// Tables that turn sRGB bytes into L*a*b*.
pub struct Lab {
    linear: [f32; 256],
    root: Vec<f32>,
}

impl Default for Lab {
    fn default() -> Self {
        Self::new()
    }
}

impl Lab {
    /// Builds the tables.
    pub fn new() -> Self {
        let mut linear = [0.0; 256];
        for (value, slot) in linear.iter_mut().enumerate() {
            let encoded = value as f64 / 255.0;
            *slot = if encoded <= 0.040_45 { encoded / 12.92 } else { ((encoded + 0.055) / 1.055).powf(2.4) }
                as f32;
        }
        let root = (0..=STEPS + 1)
            .map(|step| {
                let t = step as f64 / STEPS as f64;
                let epsilon = 216.0 / 24_389.0;
                (if t > epsilon { t.cbrt() } else { t * (841.0 / 108.0) + 4.0 / 29.0 }) as f32
            })
            .collect();
        Self { linear, root }
    }

    /// L* 0..=100, a* and b* of one sRGB colour.
    #[inline]
    pub fn of(&self, rgb: &[u8]) -> [f32; 3] {
        let [r, g, b] = [
            self.linear[usize::from(rgb[0])],
            self.linear[usize::from(rgb[1])],
            self.linear[usize::from(rgb[2])],
        ];
        // The matrix of IEC 61966-2-1 with each row divided by the D65 white.
        let x = self.root(0.433_953 * r + 0.376_219 * g + 0.189_828 * b);
        let y = self.root(0.212_673 * r + 0.715_152 * g + 0.072_175 * b);
        let z = self.root(0.017_758 * r + 0.109_477 * g + 0.872_765 * b);
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    #[inline]
    fn root(&self, t: f32) -> f32 {
        let at = t.clamp(0.0, 1.0) * STEPS as f32;
        let index = at as usize;
        let low = self.root[index];
        low + (self.root[index + 1] - low) * (at - index as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::{Lab, linear_to_lab};

    #[test]
    fn known_colours_have_their_published_values() {
        let lab = Lab::new();
        for (rgb, expected) in [
            ([255u8, 255, 255], [100.0f32, 0.0, 0.0]),
            ([0, 0, 0], [0.0, 0.0, 0.0]),
            ([255, 0, 0], [53.24, 80.09, 67.20]),
            ([0, 0, 255], [32.30, 79.19, -107.86]),
            ([119, 119, 119], [50.03, 0.0, 0.0]),
        ] {
            let got = lab.of(&rgb);
            for (got, expected) in got.iter().zip(expected) {
                assert!((got - expected).abs() < 0.05, "{rgb:?}: {got} instead of {expected}");
            }
            for (exact, got) in linear_to_lab(rgb.map(crate::srgb_u8_to_linear)).into_iter().zip(got) {
                assert!((got - exact).abs() < 0.02, "{rgb:?}: {got} instead of {exact}");
            }
        }
    }
}
