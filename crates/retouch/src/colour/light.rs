//! Light and its colour: chromatic adaptation in linear light, and lights on the locus of black bodies.

/// A linear map of three coordinates, row by row.
pub type Matrix = [[f32; 3]; 3];

/// In double precision, while matrices are made.
type Wide = [[f64; 3]; 3];

/// The map that changes nothing.
pub const IDENTITY: Matrix = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];

/// Linear sRGB to CIE XYZ (IEC 61966-2-1).
const RGB_TO_XYZ: Wide = [
    [0.412_390_799_265_96, 0.357_584_339_383_88, 0.180_480_788_401_83],
    [0.212_639_005_871_51, 0.715_168_678_767_76, 0.072_192_315_360_73],
    [0.019_330_818_715_59, 0.119_194_779_794_63, 0.950_532_152_249_66],
];

/// XYZ to the sharpened cone responses of CAT16 (Li et al. 2017).
const CAT16: Wide = [
    [0.401_288, 0.650_173, -0.051_461],
    [-0.250_268, 1.204_414, 0.045_854],
    [-0.002_079, 0.048_952, 0.953_127],
];

/// XYZ to the responses of Lam's Bradford transform, the one ICC profiles are made with.
const BRADFORD: Wide = [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]];

/// In which responses one light is exchanged for another. Cameras exchange lights in responses of their own: of the two,
/// Bradford errs less against casts planted in either, or in the channels of sRGB (`tests/colour.rs`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Adaptation {
    /// CAT16 (Li et al. 2017).
    Cat16,
    /// Bradford, as in ICC profiles.
    Bradford,
}

/// The map of linear sRGB that gives what had the colour `from` the colour `to`, and everything else the colour it has
/// when the light is exchanged so. `None` where a colour is too dark or too pure to stand for a light.
pub fn adaptation(from: [f32; 3], to: [f32; 3], method: Adaptation) -> Option<Matrix> {
    let cones = match method {
        Adaptation::Cat16 => CAT16,
        Adaptation::Bradford => BRADFORD,
    };
    let there = product(&cones, &RGB_TO_XYZ);
    let back = inverse(&there)?;
    let (from, to) = (applied(&there, from.map(f64::from)), applied(&there, to.map(f64::from)));
    let mut gains = [0.0; 3];
    for ((gain, from), to) in gains.iter_mut().zip(from).zip(to) {
        *gain = to / from;
        if from < 1e-4 || !(1.0 / 32.0..=32.0).contains(gain) {
            return None;
        }
    }
    let scaled: Wide = std::array::from_fn(|row| there[row].map(|cell| cell * gains[row]));
    Some(product(&back, &scaled).map(|row| row.map(|cell| cell as f32)))
}

/// The map that makes a light neutral and as bright as it was.
pub fn neutralised(light: [f32; 3], method: Adaptation) -> Option<Matrix> {
    let y = luminance(light);
    adaptation(light, [y; 3], method)
}

/// Relative luminance of linear sRGB.
#[inline(always)]
pub fn luminance([r, g, b]: [f32; 3]) -> f32 {
    0.212_639 * r + 0.715_168_7 * g + 0.072_192_32 * b
}

/// sRGB bytes of linear sRGB, to nearest.
pub fn linear_bytes(rgb: [f32; 3]) -> [u8; 3] {
    rgb.map(|v| (pixels::linear_to_srgb(f64::from(v.clamp(0.0, 1.0))) * 255.0).round() as u8)
}

/// D65 in the CIE 1960 diagram, and in mireds.
const D65_UV: [f64; 2] = [0.197_83, 0.312_22];
const D65_MIRED: f64 = 153.76;

/// Linear sRGB, luminance 1, of D65 moved by so many mireds along the locus of black bodies (warmer when positive) and
/// by so many hundredths of 0.03 across it (greener when negative, towards magenta when positive).
pub fn daylight(mired: f64, tint: f64) -> [f32; 3] {
    let (before, after) = (black_body(D65_MIRED), black_body(D65_MIRED + mired));
    let [du, dv] = [after[0] - before[0], after[1] - before[1]];
    let ahead = black_body(D65_MIRED + mired + 0.5);
    let (tu, tv) = (ahead[0] - after[0], ahead[1] - after[1]);
    let across = tint * 0.0003 / tu.hypot(tv);
    // The normal that points away from green.
    let u = D65_UV[0] + du + across * tv;
    let v = D65_UV[1] + dv - across * tu;
    let whole = 2.0 * u - 8.0 * v + 4.0;
    let (x, y) = (3.0 * u / whole, 2.0 * v / whole);
    let xyz = [x / y, 1.0, (1.0 - x - y) / y];
    let back = inverse(&RGB_TO_XYZ).expect("the primaries of sRGB are independent");
    applied(&back, xyz).map(|v| v as f32)
}

/// u and v (CIE 1960) of a black body, by Krystek's (1985) approximation.
fn black_body(mired: f64) -> [f64; 2] {
    let t = 1e6 / mired;
    [
        (0.860_117_757 + 1.541_182_54e-4 * t + 1.286_412_12e-7 * t * t)
            / (1.0 + 8.424_202_35e-4 * t + 7.081_451_63e-7 * t * t),
        (0.317_398_726 + 4.228_062_45e-5 * t + 4.204_816_91e-8 * t * t)
            / (1.0 - 2.897_418_16e-5 * t + 1.614_560_53e-7 * t * t),
    ]
}

/// The map that shows a picture as under warmer or cooler, greener or more magenta light; see [`daylight`].
pub fn tinted(mired: f64, tint: f64) -> Option<Matrix> {
    let white = daylight(0.0, 0.0);
    adaptation(white, daylight(mired, tint), Adaptation::Bradford)
}

/// First `second`, then `first`, as one map.
pub fn chained(first: &Matrix, second: &Matrix) -> Matrix {
    let [a, b] = [first, second].map(|matrix| matrix.map(|row| row.map(f64::from)));
    product(&a, &b).map(|row| row.map(|cell| cell as f32))
}

fn product(a: &Wide, b: &Wide) -> Wide {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

fn applied(m: &Wide, v: [f64; 3]) -> [f64; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// By the adjugate; `None` for a map that loses a dimension.
fn inverse(m: &Wide) -> Option<Wide> {
    let minor = |row: usize, column: usize| {
        let (r, c) = ([(row + 1) % 3, (row + 2) % 3], [(column + 1) % 3, (column + 2) % 3]);
        m[r[0]][c[0]] * m[r[1]][c[1]] - m[r[0]][c[1]] * m[r[1]][c[0]]
    };
    let determinant: f64 = (0..3).map(|column| m[0][column] * minor(0, column)).sum();
    (determinant.abs() > 1e-12)
        .then(|| std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i) / determinant)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(m: &Matrix, v: [f32; 3]) -> [f32; 3] {
        m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
    }

    #[test]
    fn a_light_becomes_exactly_what_was_asked_for() {
        for method in [Adaptation::Cat16, Adaptation::Bradford] {
            for light in [[0.8, 0.5, 0.2], [0.3, 0.4, 0.6], [0.05, 0.06, 0.05]] {
                let map = neutralised(light, method).expect("a light");
                let got = of(&map, light);
                got.iter().for_each(|v| assert!((v - luminance(light)).abs() < 1e-5, "{got:?}"));
                let map = adaptation(light, [0.2, 0.5, 0.4], method).expect("a light");
                for (got, wanted) in of(&map, light).into_iter().zip([0.2, 0.5, 0.4]) {
                    assert!((got - wanted).abs() < 1e-5);
                }
            }
            assert_eq!(adaptation([0.0; 3], [0.5; 3], method), None);
        }
    }

    #[test]
    fn warm_is_redder_and_a_positive_tint_is_less_green() {
        assert!(daylight(0.0, 0.0).iter().all(|v| (v - 1.0).abs() < 2e-3), "{:?}", daylight(0.0, 0.0));
        let [r, g, b] = daylight(80.0, 0.0);
        assert!(r > g && g > b, "{r} {g} {b}");
        let [r, g, b] = daylight(-60.0, 0.0);
        assert!(r < g && g < b, "{r} {g} {b}");
        let [r, g, b] = daylight(0.0, 60.0);
        assert!(r > g && b > g, "{r} {g} {b}");
        let map = tinted(0.0, 0.0).expect("a light");
        for (row, expected) in map.iter().zip(IDENTITY) {
            row.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-6));
        }
    }

    #[test]
    fn an_inverse_undoes() {
        let back = inverse(&CAT16).expect("three cones");
        for (i, row) in product(&back, &CAT16).iter().enumerate() {
            for (j, cell) in row.iter().enumerate() {
                assert!((cell - f64::from(u8::from(i == j))).abs() < 1e-12);
            }
        }
        assert_eq!(inverse(&[[1.0, 2.0, 3.0], [2.0, 4.0, 6.0], [0.0, 0.0, 1.0]]), None);
    }
}
