//! What can be chosen about a file besides its format: colour space, rights, paths, white.

use pixels::{
    Bitmap, Channels, ClippingPath, CmykIntent, CmykProfile, DigitalSource, EncodeOptions, Encoding, Mask,
    Space, Subsampling, TiffCompression, TraceOptions, encode, encode_mask, trace,
};

use crate::build::*;

fn options(encoding: Encoding) -> EncodeOptions {
    EncodeOptions::new(encoding)
}

fn has(file: &[u8], text: &[u8]) -> bool {
    file.windows(text.len()).any(|window| window == text)
}

fn with_space(encoding: Encoding, space: Space) -> EncodeOptions {
    EncodeOptions { space, ..options(encoding) }
}

#[test]
fn avif_is_written_and_says_what_it_is() {
    for (width, height) in [(1, 1), (3, 2), (61, 43), (200, 120)] {
        let file = encode(&scene(width, height), &options(Encoding::avif(80))).expect("a file");
        assert!(has(&file[..32], b"ftypavif"));
        let error = refusal(&file);
        assert!(error.contains("`AVIF`"), "{error}");
    }
    let size = |quality| encode(&scene(200, 120), &options(Encoding::avif(quality))).expect("a file").len();
    assert!(size(30) < size(95));
    let clear = encode(&scene_with_alpha(64, 48), &options(Encoding::avif(80))).expect("a file");
    assert!(has(&clear, b"auxC"), "alpha is a picture of its own");
    let again = encode(&scene_with_alpha(64, 48), &options(Encoding::avif(80))).expect("a file");
    assert_eq!(clear, again);
    assert!(encode(&scene(8, 8), &options(Encoding::Avif { quality: 80, speed: 11 })).is_err());
    assert!(encode(&scene(8, 8), &options(Encoding::avif(0))).is_err());
    assert!(encode(&scene(8, 8), &with_space(Encoding::avif(80), Space::DisplayP3)).is_err());
}

#[test]
fn other_spaces_come_back_as_the_same_colours() {
    let picture = scene(64, 48);
    for (space, name) in
        [(Space::DisplayP3, "Display P3"), (Space::AdobeRgb, "Compatible with Adobe RGB (1998)")]
    {
        for encoding in [Encoding::png(), Encoding::tiff(), Encoding::WebpLossless] {
            let file = encode(&picture, &with_space(encoding, space.clone())).expect("a file");
            let decoded = decode(&file);
            assert_eq!(decoded.source_profile, name);
            // Half a level of a bright channel is several levels of a dark one, once the matrix has mixed them: no more
            // is lost than by rounding alone.
            let (worst, rounding) = (worst(&decoded.bitmap, &picture), rounded_away(&picture, &space));
            assert!(worst <= rounding, "{encoding:?} {space} {worst}, {rounding} by rounding");
            let pairs = bytes(&decoded.bitmap).iter().zip(bytes(&picture));
            let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
            assert!(sum < 64 * 48 * 3 * 2 / 5, "{encoding:?} {space} {sum}");
        }
        let deep = picture.clone().into_u16();
        let decoded = decode(&encode(&deep, &with_space(Encoding::tiff(), space.clone())).expect("a file"));
        assert_eq!(decoded.bitmap.depth(), 16);
        assert_eq!(decoded.bitmap.into_u8(), picture, "{space}");
    }
}

#[test]
fn grey_files_have_one_channel() {
    let greys: Vec<u8> = (0..64 * 48u32).flat_map(|i| [(i / 12) as u8; 3]).collect();
    let picture = Bitmap::from_u8(64, 48, Channels::Rgb, greys).expect("greys");
    for encoding in [Encoding::png(), Encoding::tiff(), Encoding::Tiff { compression: TiffCompression::Lzw }]
    {
        for picture in [picture.clone(), picture.clone().into_u16(), picture.clone().into_rgba()] {
            let file = encode(&picture, &with_space(encoding, Space::Gray)).expect("a file");
            let decoded = decode(&file);
            let channels = decoded.header.channels;
            assert!(
                matches!(channels, pixels::SourceChannels::Gray | pixels::SourceChannels::GrayAlpha),
                "{encoding:?} {channels:?}"
            );
            assert_eq!(decoded.source_profile, "Gray Gamma 2.2");
            // Near black the curve of sRGB is a line, and a power has fewer levels there.
            assert!(
                worst(&decoded.bitmap.into_u8().without_alpha(), &picture.into_u8().without_alpha()) <= 6
            );
        }
    }
    let jpeg = encode(&picture, &with_space(Encoding::jpeg(95), Space::Gray)).expect("a file");
    assert_eq!(decode(&jpeg).header.channels, pixels::SourceChannels::Gray);
    assert!(encode(&picture, &with_space(Encoding::webp(80), Space::Gray)).is_err());
}

/// The largest difference that 8 bits of a wider space cost, in double precision: primaries and curves as published for
/// sRGB (IEC 61966-2-1), Display P3 (SMPTE EG 432-1 with D65) and Adobe RGB (1998), all of the same white.
fn rounded_away(picture: &Bitmap, space: &Space) -> u8 {
    type Matrix = [[f64; 3]; 3];
    let times = |m: &Matrix, v: [f64; 3]| m.map(|row| (0..3).map(|c| row[c] * v[c]).sum::<f64>());
    let inverse = |m: &Matrix| -> Matrix {
        let minor = |r: usize, c: usize| {
            let (r1, r2, c1, c2) = ((r + 1) % 3, (r + 2) % 3, (c + 1) % 3, (c + 2) % 3);
            m[r1][c1] * m[r2][c2] - m[r1][c2] * m[r2][c1]
        };
        let whole: f64 = (0..3).map(|c| m[0][c] * minor(0, c)).sum();
        std::array::from_fn(|r| std::array::from_fn(|c| minor(c, r) / whole))
    };
    let to_xyz = |primaries: [(f64, f64); 3]| -> Matrix {
        let column = |(x, y): (f64, f64)| [x / y, 1.0, (1.0 - x - y) / y];
        let columns = primaries.map(column);
        let plain: Matrix = std::array::from_fn(|r| std::array::from_fn(|c| columns[c][r]));
        let gains = times(&inverse(&plain), column((0.3127, 0.3290)));
        plain.map(|row| std::array::from_fn(|c| row[c] * gains[c]))
    };
    let srgb = to_xyz([(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]);
    let is_adobe = matches!(space, Space::AdobeRgb);
    let wide = match is_adobe {
        true => to_xyz([(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]),
        false => to_xyz([(0.680, 0.320), (0.265, 0.690), (0.150, 0.060)]),
    };
    let gamma = 563.0 / 256.0;
    let light = |v: f64| if v <= 0.04045 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) };
    let level = |v: f64| if v <= 0.003_130_8 { v * 12.92 } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
    let rounded = |v: f64| (v.clamp(0.0, 1.0) * 255.0).round() / 255.0;
    let (there, back) = (inverse(&wide), inverse(&srgb));
    let mut most = 0;
    for rgb in bytes(picture).as_chunks::<3>().0 {
        let linear =
            times(&there, times(&srgb, rgb.map(|v| light(f64::from(v) / 255.0)))).map(|v| v.max(0.0));
        let stored = linear.map(|v| rounded(if is_adobe { v.powf(1.0 / gamma) } else { level(v) }));
        let linear = stored.map(|v| if is_adobe { v.powf(gamma) } else { light(v) });
        let read =
            times(&back, times(&wide, linear)).map(|v| (rounded(level(v.max(0.0))) * 255.0).round() as u8);
        most = (0..3).fold(most, |most, c| most.max(rgb[c].abs_diff(read[c])));
    }
    most
}

/// sRGB to the inks of a profile and back, by Little CMS alone.
fn there_and_back(rgb: &[u8], icc: &[u8]) -> Vec<u8> {
    use lcms2::{Flags, Intent::RelativeColorimetric, PixelFormat, Profile, Transform};
    let (srgb, inks) = (Profile::new_srgb(), Profile::new_icc(icc).expect("a profile"));
    let (rgb_8, cmyk_8, flags) = (PixelFormat::RGB_8, PixelFormat::CMYK_8, Flags::BLACKPOINT_COMPENSATION);
    let there: Transform<[u8; 3], [u8; 4]> =
        Transform::new_flags(&srgb, rgb_8, &inks, cmyk_8, RelativeColorimetric, flags).expect("a transform");
    let back: Transform<[u8; 4], [u8; 3]> =
        Transform::new_flags(&inks, cmyk_8, &srgb, rgb_8, RelativeColorimetric, flags).expect("a transform");
    let mut separated = vec![[0; 4]; rgb.len() / 3];
    there.transform_pixels(rgb.as_chunks::<3>().0, &mut separated);
    let mut out = vec![[0; 3]; separated.len()];
    back.transform_pixels(&separated, &mut out);
    out.into_flattened()
}

#[test]
fn pictures_are_separated_by_a_profile_of_the_callers() {
    let profile =
        CmykProfile::new(cmyk_output_profile(), CmykIntent::RelativeColorimetric).expect("a profile");
    let space = Space::Cmyk(profile);
    let mut picture = scene(64, 48);
    let pixels::SamplesMut::U8(samples) = picture.samples_mut() else { panic!("8 bit") };
    samples[..3 * 64].fill(255);
    let expected = there_and_back(bytes(&picture), &cmyk_output_profile());
    // Hard edges between colours would be lost where a JPEG stores colour coarsely.
    let jpeg =
        Encoding::Jpeg { quality: 98, subsampling: Subsampling::S444, progressive: false, optimise: false };
    for encoding in [jpeg, Encoding::tiff()] {
        let file = encode(&picture, &with_space(encoding, space.clone())).expect("a file");
        let decoded = decode(&file);
        assert!(decoded.header.has_icc && decoded.source_profile == "Test ink", "{encoding:?}");
        let channels = decoded.header.channels;
        assert!(
            matches!(channels, pixels::SourceChannels::Cmyk | pixels::SourceChannels::Ycck),
            "{channels:?}"
        );
        // The tables of this profile are coarse: what counts is that the inks say what Little CMS says.
        let (most, mean) = match encoding {
            Encoding::Tiff { .. } => (1, 0.1),
            _ => (40, 2.5),
        };
        let differences: Vec<u8> =
            bytes(&decoded.bitmap).iter().zip(&expected).map(|(a, b)| a.abs_diff(*b)).collect();
        let sum: f64 = differences.iter().map(|&d| f64::from(d)).sum();
        assert!(differences.iter().all(|&d| d <= most), "{encoding:?} {:?}", differences.iter().max());
        assert!(sum / (differences.len() as f64) < mean, "{encoding:?} {sum}");
        assert!(bytes(&decoded.bitmap)[..3].iter().all(|&v| v >= 250), "paper stays white");
    }
    let deep =
        encode(&picture.clone().into_u16(), &with_space(Encoding::tiff(), space.clone())).expect("a file");
    assert_eq!(decode(&deep).header.depth, 16);
    assert!(encode(&picture, &with_space(Encoding::png(), space.clone())).is_err());
    assert!(encode(&picture.into_rgba(), &with_space(Encoding::tiff(), space)).is_err());
    for icc in [Vec::new(), vec![0; 200], cmyk_profile()] {
        assert!(CmykProfile::new(icc, CmykIntent::Perceptual).is_err());
    }
}

#[test]
fn masks_are_written_as_they_are() {
    let mask = Mask::new(64, 48, (0..64 * 48u32).map(|i| (i / 12) as u8).collect()).expect("a mask");
    for encoding in [Encoding::png(), Encoding::tiff(), Encoding::WebpLossless] {
        let decoded = decode(&encode_mask(&mask, &options(encoding)).expect("a file"));
        let values: Vec<u8> = bytes(&decoded.bitmap).iter().step_by(3).copied().collect();
        assert_eq!(values, mask.values(), "{encoding:?}");
    }
    encode_mask(&mask, &options(Encoding::jpeg(90))).expect("a file");
    encode_mask(&mask, &options(Encoding::avif(60))).expect("a file");
    assert!(encode_mask(&mask, &options(Encoding::jpeg(0))).is_err());
}

#[test]
fn rights_and_source_are_written_and_rights_are_read() {
    let given = |encoding| EncodeOptions {
        copyright: Some("© 2026 Studio Nord & Co".to_owned()),
        artist: Some("Mara Öz".to_owned()),
        digital_source: Some(DigitalSource::HumanEdits),
        dpi: Some(300.0),
        ..options(encoding)
    };
    for encoding in
        [Encoding::jpeg(90), Encoding::png(), Encoding::webp(80), Encoding::WebpLossless, Encoding::tiff()]
    {
        let file = encode(&scene(16, 16), &given(encoding)).expect("a file");
        let decoded = decode(&file);
        assert_eq!(decoded.rights.copyright.as_deref(), Some("© 2026 Studio Nord & Co"), "{encoding:?}");
        assert_eq!(decoded.rights.artist.as_deref(), Some("Mara Öz"), "{encoding:?}");
        assert!(has(&file, b"digitalsourcetype/humanEdits"), "{encoding:?}");
        assert_eq!(decoded.dpi, Some((300.0, 300.0)), "{encoding:?}");
        assert!(decoded.warnings.is_empty());
        assert_eq!(
            decode(&encode(&scene(16, 16), &options(encoding)).expect("a file")).rights,
            Default::default()
        );
    }
    let avif = encode(&scene(16, 16), &given(Encoding::avif(80))).expect("a file");
    assert!(has(&avif, "© 2026 Studio Nord".as_bytes()));
}

#[test]
fn clipping_paths_lie_where_programs_look_for_them() {
    let values =
        (0..64 * 48i32).map(|i| if (i % 64 - 30).pow(2) + (i / 64 - 24).pow(2) < 300 { 255 } else { 0 });
    let mask = Mask::new(64, 48, values.collect()).expect("a mask");
    let path = trace(&mask, &TraceOptions::default()).expect("a path");
    let given = |encoding| EncodeOptions {
        clipping_path: Some(ClippingPath { path: path.clone(), name: "Path 1".to_owned() }),
        dpi: Some(300.0),
        ..options(encoding)
    };
    let jpeg = encode(&scene(64, 48), &given(Encoding::jpeg(90))).expect("a file");
    assert!(has(&jpeg, b"Photoshop 3.0\x008BIM") && has(&jpeg, b"8BIM\x07\xd0\x06Path 1\0"));
    assert!(has(&jpeg, b"8BIM\x0b\xb7\0\0\0\0\0\x08\x06Path 1\0"));
    decode(&jpeg);
    let tiff = encode(&scene(64, 48), &given(Encoding::tiff())).expect("a file");
    let mut reader = tiff::decoder::Decoder::new(std::io::Cursor::new(&tiff)).expect("a TIFF");
    let blocks = reader.get_tag_u8_vec(tiff::tags::Tag::Unknown(34_377)).expect("the tag");
    assert!(blocks.starts_with(b"8BIM\x07\xd0\x06Path 1\0"));
    // One that does not fit into one segment is divided.
    let mut many = path.clone();
    many.subpaths = std::iter::repeat_n(path.subpaths[0].clone(), 2000).collect();
    let large = EncodeOptions {
        clipping_path: Some(ClippingPath { path: many, name: "many".to_owned() }),
        ..options(Encoding::jpeg(90))
    };
    let jpeg = encode(&scene(64, 48), &large).expect("a file");
    assert!(jpeg.windows(14).filter(|w| *w == b"Photoshop 3.0\0").count() > 1);
    assert_eq!((decode(&jpeg).bitmap.width(), decode(&jpeg).bitmap.height()), (64, 48));
}

/// A saturated disc with a soft edge and some grain, on pure white.
fn disc_on_white(side: u32) -> Bitmap {
    let samples = (0..side * side)
        .flat_map(|i| {
            let (x, y) = (f64::from(i % side) + 0.5, f64::from(i / side) + 0.5);
            let radius = f64::from(side) * 0.31;
            let cover = (radius - (x - f64::from(side) / 2.0).hypot(y - f64::from(side) / 2.0))
                .clamp(-0.5, 0.5)
                + 0.5;
            let grain = f64::from(i.wrapping_mul(2_654_435_761) >> 27);
            [200.0, 20.0, 40.0].map(|v| ((v + grain) * cover + 255.0 * (1.0 - cover)).round() as u8)
        })
        .collect();
    Bitmap::from_u8(side, side, Channels::Rgb, samples).expect("a disc")
}

#[test]
fn white_is_locked_beyond_a_block_from_the_subject() {
    let side = 208;
    let picture = disc_on_white(side);
    for quality in 1..=100 {
        for subsampling in [Subsampling::S444, Subsampling::S420] {
            let encoding =
                Encoding::Jpeg { quality, subsampling, progressive: quality % 7 == 0, optimise: false };
            let decoded = decode(&encode(&picture, &options(encoding)).expect("a file")).bitmap;
            // The longest block is 16 pixels, and its chroma reaches two pixels into the next.
            let reach = f64::from(side) * 0.31 + 16.0 * std::f64::consts::SQRT_2 + 3.0;
            for (i, pixel) in bytes(&decoded).as_chunks::<3>().0.iter().enumerate() {
                let (x, y) = ((i as u32 % side) as f64 + 0.5, (i as u32 / side) as f64 + 0.5);
                let middle = f64::from(side) / 2.0;
                if (x - middle).hypot(y - middle) > reach {
                    assert_eq!(*pixel, [255; 3], "at quality {quality}, {subsampling:?}");
                }
            }
        }
    }
}

#[test]
fn colour_is_halved_only_where_nobody_sees_it() {
    let chosen = |picture: &Bitmap| {
        let encoding = Encoding::Jpeg {
            quality: 90,
            subsampling: Subsampling::Auto,
            progressive: false,
            optimise: false,
        };
        turbojpeg::read_header(&encode(picture, &options(encoding)).expect("a file"))
            .expect("a header")
            .subsamp
    };
    assert_eq!(chosen(&disc_on_white(208)), turbojpeg::Subsamp::None);
    assert_eq!(chosen(&scene(208, 208)), turbojpeg::Subsamp::Sub2x2);
}
