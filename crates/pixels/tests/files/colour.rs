//! Profiles are honoured, without bias, at both depths.

use moxcms::ColorProfile;
use pixels::{Bitmap, Channels, linear_to_srgb, srgb_to_linear};

use crate::build::*;

/// A cube of colours as one picture, 32 levels an axis.
fn cube() -> Bitmap {
    let level = |i: u32| (i * 255 / 31) as u8;
    let samples =
        (0..32 * 32 * 32).flat_map(|i| [level(i >> 10), level(i >> 5 & 31), level(i & 31)]).collect();
    Bitmap::from_u8(256, 128, Channels::Rgb, samples).expect("32768 colours")
}

/// Linear light of the profile's primaries to that of sRGB, both with the white of daylight D65: straight from the
/// chromaticities (SMPTE EG 432-1, Adobe RGB (1998) 4.3.1), without any profile.
fn to_srgb(primaries: [(f64, f64); 3]) -> [[f64; 3]; 3] {
    let white = (0.3127, 0.3290);
    let srgb = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)];
    multiply(invert(to_xyz(srgb, white)), to_xyz(primaries, white))
}

fn to_xyz(primaries: [(f64, f64); 3], white: (f64, f64)) -> [[f64; 3]; 3] {
    let xyz = |(x, y): (f64, f64)| [x / y, 1.0, (1.0 - x - y) / y];
    let columns = primaries.map(xyz);
    let matrix: [[f64; 3]; 3] = std::array::from_fn(|i| std::array::from_fn(|j| columns[j][i]));
    let white = xyz(white);
    let scale = invert(matrix).map(|row| (0..3).map(|k| row[k] * white[k]).sum::<f64>());
    std::array::from_fn(|i| std::array::from_fn(|j| matrix[i][j] * scale[j]))
}

fn invert(m: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    let minor = |i: usize, j: usize| {
        let (a, b, c, d) = ((i + 1) % 3, (i + 2) % 3, (j + 1) % 3, (j + 2) % 3);
        m[a][c] * m[b][d] - m[a][d] * m[b][c]
    };
    let determinant: f64 = (0..3).map(|j| m[0][j] * minor(0, j)).sum();
    std::array::from_fn(|i| std::array::from_fn(|j| minor(j, i) / determinant))
}

fn multiply(a: [[f64; 3]; 3], b: [[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// Mean signed and mean absolute error in 8-bit levels of a decoded cube against the exact conversion.
fn error(decoded: &Bitmap, matrix: [[f64; 3]; 3], curve: impl Fn(f64) -> f64) -> (f64, f64) {
    let (mut signed, mut absolute, mut count) = (0.0, 0.0, 0.0);
    for (before, after) in bytes(&cube()).chunks_exact(3).zip(bytes(decoded).chunks_exact(3)) {
        let light: Vec<f64> = before.iter().map(|&v| curve(f64::from(v) / 255.0)).collect();
        for (row, after) in matrix.iter().zip(after) {
            let exact =
                linear_to_srgb((0..3).map(|k| row[k] * light[k]).sum::<f64>().clamp(0.0, 1.0)) * 255.0;
            let error = f64::from(*after) - exact;
            // Nothing is rounded where colours are clipped.
            if exact > 0.0 && exact < 255.0 {
                assert!(error.abs() < 1.5, "{before:?}: {after} for {exact}");
                signed += error;
                absolute += error.abs();
                count += 1.0;
            }
        }
    }
    (signed / count, absolute / count)
}

const P3: [(f64, f64); 3] = [(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)];
const ADOBE: [(f64, f64); 3] = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)];

#[test]
fn display_p3_and_adobe_rgb_become_srgb_without_bias() {
    let p3 = ColorProfile::new_display_p3().encode().expect("a profile");
    let adobe = ColorProfile::new_adobe_rgb().encode().expect("a profile");
    let gamma = |v: f64| v.powf(563.0 / 256.0);
    for (name, icc, primaries, curve) in
        [("P3", p3, P3, srgb_to_linear as fn(f64) -> f64), ("Adobe", adobe, ADOBE, gamma as fn(f64) -> f64)]
    {
        let decoded = decode(&png_with_icc(&cube(), icc));
        assert!(decoded.source_profile.contains(name), "{}", decoded.source_profile);
        let (bias, mean) = error(&decoded.bitmap, to_srgb(primaries), curve);
        assert!(bias.abs() < 0.05, "{name}: bias {bias}");
        assert!(mean < 0.30, "{name}: mean {mean}");
    }
}

#[test]
fn sixteen_bits_survive_a_profile() {
    let deep: Vec<u16> = (0..4096u16).flat_map(|v| [v * 16, v * 8, 40_000]).collect();
    let data: Vec<u8> = deep.iter().flat_map(|v| v.to_be_bytes()).collect();
    let icc = ColorProfile::new_display_p3().encode().expect("a profile");
    let file = png(&data, 64, 64, png::ColorType::Rgb, png::BitDepth::Sixteen, |info| {
        info.icc_profile = Some(icc.into())
    });
    let decoded = decode(&file).bitmap;
    assert_eq!(decoded.depth(), 16);
    let distinct: std::collections::BTreeSet<u16> = words(&decoded).iter().step_by(3).copied().collect();
    assert!(distinct.len() > 3000, "{} levels left of 4096", distinct.len());
    let matrix = to_srgb(P3);
    for (before, after) in deep.chunks_exact(3).zip(words(&decoded).chunks_exact(3)) {
        let light: Vec<f64> = before.iter().map(|&v| srgb_to_linear(f64::from(v) / 65_535.0)).collect();
        for (row, after) in matrix.iter().zip(after) {
            let exact =
                linear_to_srgb((0..3).map(|k| row[k] * light[k]).sum::<f64>().clamp(0.0, 1.0)) * 65_535.0;
            // The profile's own numbers have 16 bits, which is worth some dozen levels near black.
            assert!((f64::from(*after) - exact).abs() < 120.0, "{before:?}: {after} for {exact}");
        }
    }
}

#[test]
fn alpha_is_not_touched_by_a_profile() {
    let picture = scene_with_alpha(32, 32);
    let icc = ColorProfile::new_adobe_rgb().encode().expect("a profile");
    let file = png(bytes(&picture), 32, 32, png::ColorType::Rgba, png::BitDepth::Eight, |info| {
        info.icc_profile = Some(icc.into());
    });
    let decoded = decode(&file).bitmap;
    assert_eq!(decoded.alpha(), picture.alpha());
    assert_ne!(decoded, picture);
}

#[test]
fn srgb_profiles_change_nothing() {
    let icc = ColorProfile::new_srgb().encode().expect("a profile");
    assert_eq!(decode(&png_with_icc(&cube(), icc)).bitmap, cube());
    let ours = pixels::encode(&cube(), &pixels::EncodeOptions::new(pixels::Encoding::png())).expect("a PNG");
    let decoded = decode(&ours);
    assert_eq!(decoded.bitmap, cube());
    assert_eq!(decoded.source_profile, "sRGB");
}

#[test]
fn grey_profiles_are_honoured() {
    let icc = ColorProfile::new_gray_with_gamma(1.8).encode().expect("a profile");
    let file = png(&[0, 64, 128, 255], 4, 1, png::ColorType::Grayscale, png::BitDepth::Eight, |info| {
        info.icc_profile = Some(icc.into());
    });
    let decoded = decode(&file);
    let expected = |v: f64| (linear_to_srgb((v / 255.0).powf(1.8)) * 255.0).round() as u8;
    for (pixel, grey) in bytes(&decoded.bitmap).chunks_exact(3).zip([0.0, 64.0, 128.0, 255.0]) {
        assert!(pixel.iter().all(|&v| v.abs_diff(expected(grey)) <= 1), "{pixel:?}");
    }
    // An RGB profile on a grey picture is applied to its three equal channels.
    let icc = ColorProfile::new_adobe_rgb().encode().expect("a profile");
    let file = png(&[0, 64, 128, 255], 4, 1, png::ColorType::Grayscale, png::BitDepth::Eight, |info| {
        info.icc_profile = Some(icc.into());
    });
    let decoded = decode(&file);
    assert!(decoded.warnings.is_empty());
    assert!(bytes(&decoded.bitmap).chunks_exact(3).all(|p| p[0] == p[1] && p[1] == p[2]));
}

#[test]
fn broken_and_foreign_profiles_are_left_aside_with_a_warning() {
    let grey = ColorProfile::new_gray_with_gamma(2.2).encode().expect("a profile");
    let mut cut = ColorProfile::new_display_p3().encode().expect("a profile");
    cut.truncate(300);
    for icc in [b"no profile at all".to_vec(), vec![0; 200], cut, grey, cmyk_profile()] {
        for decoded in
            [decode(&png_with_icc(&cube(), icc.clone())), decode(&with_icc(&rgb_jpeg(&scene(16, 16)), &icc))]
        {
            assert_eq!(decoded.warnings.len(), 1, "{:?}", decoded.warnings);
            assert!(decoded.warnings[0].starts_with("the embedded ICC profile was ignored"));
            assert_eq!(decoded.source_profile, "sRGB (assumed)");
        }
        assert_eq!(decode(&png_with_icc(&cube(), icc)).bitmap, cube());
    }
    // A piece is missing: the file says there are two.
    let piece = [b"ICC_PROFILE\0\x01\x02".as_slice(), &[0; 50]].concat();
    let decoded = decode(&with_segment(&rgb_jpeg(&scene(16, 16)), 0xe2, &piece));
    assert!(decoded.warnings[0].contains("pieces"), "{:?}", decoded.warnings);
}

#[test]
fn png_names_its_colour_space_without_a_profile() {
    let plain = png(bytes(&cube()), 256, 128, png::ColorType::Rgb, png::BitDepth::Eight, |_| {});
    let p3 = decode(&with_chunk(&plain, b"cICP", &[12, 13, 0, 1]));
    assert_eq!(p3.source_profile, "Display P3");
    let (bias, _) = error(&p3.bitmap, to_srgb(P3), srgb_to_linear);
    assert!(bias.abs() < 0.05, "{bias}");
    assert_eq!(decode(&with_chunk(&plain, b"sRGB", &[0])).source_profile, "sRGB");
    let unknown = decode(&with_chunk(&plain, b"cICP", &[9, 16, 0, 1]));
    assert!(unknown.warnings[0].contains("cICP"));
}

#[test]
fn a_large_profile_comes_in_pieces() {
    let icc = ColorProfile::new_display_p3().encode().expect("a profile");
    let scene = scene(16, 16);
    let half = icc.len() / 2;
    let piece = |number: u8, data: &[u8]| [b"ICC_PROFILE\0".as_slice(), &[number, 2], data].concat();
    // In the wrong order, as the specification allows.
    let file = with_segment(&rgb_jpeg(&scene), 0xe2, &piece(1, &icc[..half]));
    let file = with_segment(&file, 0xe2, &piece(2, &icc[half..]));
    let whole = decode(&with_icc(&rgb_jpeg(&scene), &icc));
    let pieces = decode(&file);
    assert_eq!(pieces.bitmap, whole.bitmap);
    assert!(pieces.warnings.is_empty() && pieces.header.has_icc);
    assert_ne!(pieces.bitmap, decode(&rgb_jpeg(&scene)).bitmap);
}
