//! The sRGB transfer curve of IEC 61966-2-1, exact, and as a table for bytes.

use std::sync::LazyLock;

/// Linear light (0..=1) of an sRGB value (0..=1).
pub fn srgb_to_linear(value: f64) -> f64 {
    if value <= 0.040_45 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
}

/// sRGB value (0..=1) of linear light (0..=1); the inverse of [`srgb_to_linear`].
pub fn linear_to_srgb(light: f64) -> f64 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

/// Linear light (0..=1) of an 8-bit sRGB sample, from a table.
pub fn srgb_u8_to_linear(sample: u8) -> f32 {
    static TABLE: LazyLock<[f32; 256]> =
        LazyLock::new(|| std::array::from_fn(|i| srgb_to_linear(i as f64 / 255.0) as f32));
    TABLE[usize::from(sample)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_and_its_inverse_meet() {
        for i in 0..=1000 {
            let value = f64::from(i) / 1000.0;
            assert!((linear_to_srgb(srgb_to_linear(value)) - value).abs() < 1e-7, "{value}");
        }
        assert_eq!(srgb_u8_to_linear(0), 0.0);
        assert_eq!(srgb_u8_to_linear(255), 1.0);
        assert!((srgb_u8_to_linear(188) - 0.502_886_5).abs() < 1e-6);
    }
}
