//! The profiles that are embedded in files: ICC version 2, which everything reads, made here from the numbers of their
//! standards so that they carry nobody's copyright.

use std::sync::LazyLock;

use super::space::D50;
use crate::srgb::srgb_to_linear;

/// Points of the tone curve. Straight lines between them stay within 0.02 of an 8-bit level of the exact curve.
const CURVE_POINTS: u16 = 1024;

/// An sRGB profile, 2.6 KB.
pub(crate) fn srgb_profile() -> &'static [u8] {
    static PROFILE: LazyLock<Vec<u8>> = LazyLock::new(build);
    &PROFILE
}

fn build() -> Vec<u8> {
    // IEC 61966-2-1, adapted to D50 by Bradford's method; red, green, blue.
    let primaries = [
        [0.436_074_7, 0.222_504_5, 0.013_932_2],
        [0.385_064_9, 0.716_878_6, 0.097_104_5],
        [0.143_080_4, 0.060_616_9, 0.714_173_3],
    ];
    rgb("sRGB", &primaries, &sampled(srgb_to_linear))
}

/// A profile of three primaries (XYZ relative to D50) and one curve ([`sampled`] or [`gamma`]).
pub(super) fn rgb(name: &str, [red, green, blue]: &[[f64; 3]; 3], curve: &[u8]) -> Vec<u8> {
    let tags =
        [(*b"rXYZ", xyz(*red)), (*b"gXYZ", xyz(*green)), (*b"bXYZ", xyz(*blue)), (*b"rTRC", curve.to_vec())];
    assemble(name, b"RGB ", &tags)
}

/// A profile of one curve.
pub(super) fn gray(name: &str, curve: &[u8]) -> Vec<u8> {
    assemble(name, b"GRAY", &[(*b"kTRC", curve.to_vec())])
}

fn assemble(name: &str, space: &[u8; 4], own: &[([u8; 4], Vec<u8>)]) -> Vec<u8> {
    let common = [
        (*b"desc", description(name)),
        (*b"cprt", text("CC0")),
        // Of the connection space for a display: ICC.1:2001 6.4.43.
        (*b"wtpt", xyz(D50)),
    ];
    let tags: Vec<&([u8; 4], Vec<u8>)> = common.iter().chain(own).collect();
    let shared = if space == b"RGB " { 2 } else { 0 };
    // The green and blue curves point at the red one.
    let count = tags.len() + shared;
    let mut offset = 128 + 4 + 12 * count;
    let mut table = Vec::new();
    let mut body = Vec::new();
    for (name, data) in tags {
        let names: &[[u8; 4]] = if name == b"rTRC" { &[*b"rTRC", *b"gTRC", *b"bTRC"] } else { &[*name] };
        for name in names {
            table.extend_from_slice(name);
            table.extend_from_slice(&(offset as u32).to_be_bytes());
            table.extend_from_slice(&(data.len() as u32).to_be_bytes());
        }
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(4), 0);
        offset = 128 + 4 + 12 * count + body.len();
    }

    let mut profile = Vec::with_capacity(offset);
    profile.extend_from_slice(&(offset as u32).to_be_bytes());
    profile.extend_from_slice(&[0; 4]);
    profile.extend_from_slice(&[2, 0x40, 0, 0]);
    profile.extend_from_slice(b"mntr");
    profile.extend_from_slice(space);
    profile.extend_from_slice(b"XYZ ");
    // A fixed date (2026-01-01), so that equal pictures give equal files.
    for part in [2026u16, 1, 1, 0, 0, 0] {
        profile.extend_from_slice(&part.to_be_bytes());
    }
    profile.extend_from_slice(b"acsp");
    profile.resize(68, 0);
    // Illuminant of the connection space: D50 as s15Fixed16.
    for value in D50 {
        profile.extend_from_slice(&fixed(value));
    }
    profile.resize(128, 0);
    profile.extend_from_slice(&(count as u32).to_be_bytes());
    profile.extend_from_slice(&table);
    profile.extend_from_slice(&body);
    profile
}

fn fixed(value: f64) -> [u8; 4] {
    ((value * 65_536.0).round() as i32).to_be_bytes()
}

fn xyz(values: [f64; 3]) -> Vec<u8> {
    let mut data = b"XYZ \0\0\0\0".to_vec();
    values.iter().for_each(|&value| data.extend_from_slice(&fixed(value)));
    data
}

fn text(text: &str) -> Vec<u8> {
    [b"text\0\0\0\0", text.as_bytes(), b"\0"].concat()
}

fn description(name: &str) -> Vec<u8> {
    let mut data = b"desc\0\0\0\0".to_vec();
    data.extend_from_slice(&(name.len() as u32 + 1).to_be_bytes());
    data.extend_from_slice(name.as_bytes());
    // End of the name; then no Unicode name (8 bytes) and no Macintosh name (2 and 68 bytes).
    data.resize(data.len() + 1 + 8 + 70, 0);
    data
}

/// A curve as a table.
pub(super) fn sampled(to_linear: fn(f64) -> f64) -> Vec<u8> {
    let mut data = b"curv\0\0\0\0".to_vec();
    data.extend_from_slice(&u32::from(CURVE_POINTS).to_be_bytes());
    for i in 0..CURVE_POINTS {
        let light = to_linear(f64::from(i) / f64::from(CURVE_POINTS - 1));
        data.extend_from_slice(&((light * 65_535.0).round() as u16).to_be_bytes());
    }
    data
}

/// A curve as a power, in 256ths.
pub(super) fn gamma(power_256: u16) -> Vec<u8> {
    [b"curv\0\0\0\0\0\0\0\x01".as_slice(), &power_256.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{Conversion, Kind, interpret};

    #[test]
    fn our_profile_is_read_as_srgb() {
        let mut warnings = Vec::new();
        let source = interpret(Some(srgb_profile()), None, Kind::Rgb, &mut warnings).expect("a profile");
        assert!(matches!(source.conversion, Conversion::None));
        assert_eq!(source.name, "sRGB");
        assert!(warnings.is_empty());
        assert!(srgb_profile().len() < 2700);
    }

    #[test]
    fn little_cms_takes_our_profile_for_srgb_too() {
        let ours = lcms2::Profile::new_icc(srgb_profile()).expect("a profile that lcms2 reads");
        let theirs = lcms2::Profile::new_srgb();
        let format = lcms2::PixelFormat::RGB_8;
        let transform: lcms2::Transform<[u8; 3], [u8; 3]> =
            lcms2::Transform::new(&ours, format, &theirs, format, lcms2::Intent::RelativeColorimetric)
                .expect("a transform");
        let before: Vec<[u8; 3]> = (0..=255u8).map(|v| [v, 255 - v, v / 2]).collect();
        let mut after = before.clone();
        transform.transform_in_place(&mut after);
        for (a, b) in before.as_flattened().iter().zip(after.as_flattened()) {
            assert!(a.abs_diff(*b) <= 1, "{a} became {b}");
        }
    }
}
