//! OKLab (Ottosson 2020), from and to linear sRGB.
//!
//! Its three coordinates are homogeneous: light made `k` times brighter multiplies all of them by the cube root of `k`.

/// Linear sRGB to the cone-like responses whose cube roots OKLab mixes.
pub const RGB_TO_LMS: [[f32; 3]; 3] = [
    [0.412_221_47, 0.536_332_55, 0.051_445_995],
    [0.211_903_5, 0.680_699_5, 0.107_396_96],
    [0.088_302_46, 0.281_718_85, 0.629_978_7],
];

/// The inverse of [`RGB_TO_LMS`].
pub const LMS_TO_RGB: [[f32; 3]; 3] = [
    [4.076_741_7, -3.307_711_6, 0.230_969_94],
    [-1.268_438, 2.609_757_4, -0.341_319_38],
    [-0.004_196_086_3, -0.703_418_6, 1.707_614_7],
];

/// Cube roots of the responses to L, a, b.
pub const ROOTS_TO_OKLAB: [[f32; 3]; 3] = [
    [0.210_454_26, 0.793_617_8, -0.004_072_047],
    [1.977_998_5, -2.428_592_2, 0.450_593_7],
    [0.025_904_037, 0.782_771_77, -0.808_675_77],
];

/// The inverse of [`ROOTS_TO_OKLAB`].
pub const OKLAB_TO_ROOTS: [[f32; 3]; 3] = [
    [1.0, 0.396_337_78, 0.215_803_76],
    [1.0, -0.105_561_346, -0.063_854_17],
    [1.0, -0.089_484_18, -1.291_485_5],
];

/// L 0..=1, a and b of linear sRGB 0..=1.
#[inline]
pub fn linear_to_oklab(rgb: [f32; 3]) -> [f32; 3] {
    product(&ROOTS_TO_OKLAB, product(&RGB_TO_LMS, rgb).map(f32::cbrt))
}

/// Linear sRGB of an OKLab colour; outside 0..=1 where sRGB has no such colour.
#[inline]
pub fn oklab_to_linear(lab: [f32; 3]) -> [f32; 3] {
    product(&LMS_TO_RGB, product(&OKLAB_TO_ROOTS, lab).map(|root| root * root * root))
}

#[inline]
fn product(matrix: &[[f32; 3]; 3], v: [f32; 3]) -> [f32; 3] {
    matrix.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_colours_have_their_published_values() {
        for (rgb, expected) in [
            ([1.0, 1.0, 1.0], [1.0, 0.0, 0.0]),
            ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
            ([1.0, 0.0, 0.0], [0.627_955, 0.224_863, 0.125_846]),
            ([0.0, 1.0, 0.0], [0.866_440, -0.233_888, 0.179_498]),
            ([0.0, 0.0, 1.0], [0.452_014, -0.032_457, -0.311_528]),
        ] {
            for (got, expected) in linear_to_oklab(rgb).into_iter().zip(expected) {
                assert!((got - expected).abs() < 2e-5, "{rgb:?}: {got}, not {expected}");
            }
        }
    }

    #[test]
    fn there_and_back_is_where_it_began() {
        for i in 0..1000 {
            let rgb = [(i % 10) as f32 / 9.0, (i / 10 % 10) as f32 / 9.0, (i / 100) as f32 / 9.0];
            for (got, expected) in oklab_to_linear(linear_to_oklab(rgb)).into_iter().zip(rgb) {
                assert!((got - expected).abs() < 3e-6, "{rgb:?}: {got}");
            }
        }
    }

    #[test]
    fn brighter_light_scales_all_coordinates_alike() {
        let (dim, bright) = (linear_to_oklab([0.05, 0.02, 0.1]), linear_to_oklab([0.4, 0.16, 0.8]));
        for (dim, bright) in dim.into_iter().zip(bright) {
            assert!((bright - 2.0 * dim).abs() < 1e-6);
        }
    }
}
