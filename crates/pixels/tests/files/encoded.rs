//! What is written can be read, says what it should, and nothing more.

use pixels::{
    Bitmap, Channels, EncodeOptions, Encoding, PngCompression, Subsampling, TiffCompression, encode, flatten,
};

use crate::build::*;

fn options(encoding: Encoding) -> EncodeOptions {
    EncodeOptions::new(encoding)
}

fn every_encoding() -> Vec<Encoding> {
    vec![
        Encoding::jpeg(90),
        Encoding::Jpeg { quality: 90, subsampling: Subsampling::S444, progressive: true, optimise: true },
        Encoding::png(),
        Encoding::Png { compression: PngCompression::Small },
        Encoding::webp(90),
        Encoding::WebpLossless,
        Encoding::Tiff { compression: TiffCompression::None },
        Encoding::Tiff { compression: TiffCompression::Lzw },
        Encoding::tiff(),
    ]
}

/// A photograph as far as compression can tell.
fn busy(width: u32, height: u32) -> Bitmap {
    let mut bitmap = scene(width, height);
    let pixels::SamplesMut::U8(samples) = bitmap.samples_mut() else { panic!("8 bit") };
    for (i, value) in samples.iter_mut().enumerate() {
        *value = value.wrapping_add(((i as u32).wrapping_mul(2_654_435_761) >> 30) as u8);
    }
    bitmap
}

#[test]
fn every_encoding_can_be_read_again() {
    for (name, bitmap) in [("smooth", scene(61, 43)), ("busy", busy(61, 43)), ("one pixel", scene(1, 1))] {
        for encoding in every_encoding() {
            let file = encode(&bitmap, &options(encoding)).expect("a file");
            assert_eq!(pixels::sniff(&file), Some(encoding.format()));
            let decoded = decode(&file);
            assert_eq!(decoded.source_profile, "sRGB", "{encoding:?}");
            assert!(decoded.warnings.is_empty());
            match encoding {
                Encoding::Jpeg { .. } | Encoding::WebpLossy { .. } => {
                    assert!(
                        worst(&decoded.bitmap, &bitmap) <= 24,
                        "{name} {encoding:?} {}",
                        worst(&decoded.bitmap, &bitmap)
                    );
                }
                _ => assert_eq!(decoded.bitmap, bitmap, "{name} {encoding:?}"),
            }
        }
    }
}

#[test]
fn sixteen_bits_and_alpha_are_kept_exactly() {
    for channels in [Channels::Rgb, Channels::Rgba] {
        let deep = deep(37, 29, channels);
        for encoding in every_encoding().into_iter().filter(|encoding| encoding.keeps_16_bit()) {
            let written = EncodeOptions { keep_hidden_colours: true, ..options(encoding) };
            assert_eq!(decode(&encode(&deep, &written).expect("a file")).bitmap, deep, "{encoding:?}");
        }
    }
    let alpha = scene_with_alpha(61, 43);
    for encoding in [Encoding::png(), Encoding::WebpLossless, Encoding::tiff()] {
        let written = EncodeOptions { keep_hidden_colours: true, ..options(encoding) };
        assert_eq!(decode(&encode(&alpha, &written).expect("a file")).bitmap, alpha, "{encoding:?}");
    }
    // Lossy colours, but lossless alpha.
    let decoded = decode(&encode(&alpha, &options(Encoding::webp(80))).expect("a file"));
    assert_eq!(decoded.bitmap.alpha(), alpha.alpha());
    // 16 bits are rounded for formats that hold 8.
    let deep = scene(16, 16).into_u16();
    assert_eq!(
        decode(&encode(&deep, &options(Encoding::WebpLossless)).expect("a file")).bitmap,
        scene(16, 16)
    );
}

#[test]
fn hidden_colours_are_removed_unless_asked_for() {
    let mut picture = scene(8, 8).into_rgba();
    let pixels::SamplesMut::U8(samples) = picture.samples_mut() else { panic!("8 bit") };
    samples.iter_mut().skip(3).step_by(4).take(32).for_each(|alpha| *alpha = 0);
    for encoding in [Encoding::png(), Encoding::WebpLossless, Encoding::tiff()] {
        let decoded = decode(&encode(&picture, &options(encoding)).expect("a file")).bitmap;
        assert!(bytes(&decoded)[..32 * 4].iter().all(|&v| v == 0), "{encoding:?}");
        assert_eq!(bytes(&decoded)[32 * 4..], bytes(&picture)[32 * 4..]);
        let kept = EncodeOptions { keep_hidden_colours: true, ..options(encoding) };
        assert_eq!(decode(&encode(&picture, &kept).expect("a file")).bitmap, picture, "{encoding:?}");
    }
}

#[test]
fn jpeg_refuses_alpha_and_bad_numbers_are_refused() {
    let alpha = scene_with_alpha(8, 8);
    let error = encode(&alpha, &options(Encoding::jpeg(90))).expect_err("alpha");
    assert_eq!(error.to_string(), "JPEG has no transparency; flatten the picture onto a background first");
    assert!(!error.is_input());
    encode(&flatten(&alpha, [255; 3]), &options(Encoding::jpeg(90))).expect("a JPEG");
    for encoding in [
        Encoding::jpeg(0),
        Encoding::jpeg(101),
        Encoding::webp(0),
        Encoding::WebpLossy { quality: 80, effort: 7 },
    ] {
        assert!(encode(&scene(8, 8), &options(encoding)).is_err(), "{encoding:?}");
    }
    for dpi in [0.0, f64::NAN, 70_000.0] {
        assert!(encode(&scene(8, 8), &EncodeOptions { dpi: Some(dpi), ..options(Encoding::png()) }).is_err());
    }
    let wide = Bitmap::from_u8(16_384, 1, Channels::Rgb, vec![0; 16_384 * 3]).expect("one row");
    for encoding in [Encoding::webp(80), Encoding::WebpLossless] {
        let error = encode(&wide, &options(encoding)).expect_err("too wide").to_string();
        assert!(error.starts_with("WebP holds at most 16383 pixels a side"), "{error}");
    }
}

#[test]
fn quality_subsampling_and_progression_do_what_they_say() {
    let picture = busy(256, 256);
    let size = |encoding| encode(&picture, &options(encoding)).expect("a file").len();
    assert!(size(Encoding::jpeg(60)) < size(Encoding::jpeg(90)));
    let jpeg = |subsampling, progressive, optimise| Encoding::Jpeg {
        quality: 90,
        subsampling,
        progressive,
        optimise,
    };
    assert!(size(jpeg(Subsampling::S420, false, false)) < size(jpeg(Subsampling::S444, false, false)));
    assert!(size(jpeg(Subsampling::S420, false, true)) < size(jpeg(Subsampling::S420, false, false)));
    let progressive = encode(&picture, &options(jpeg(Subsampling::S420, true, false))).expect("a file");
    assert!(progressive.windows(2).any(|pair| pair == [0xff, 0xc2]));
    let header = turbojpeg::read_header(&progressive).expect("a header");
    assert_eq!(header.subsamp, turbojpeg::Subsamp::Sub2x2);
    assert!(size(Encoding::webp(60)) < size(Encoding::webp(90)));
    assert!(
        size(Encoding::WebpLossy { quality: 80, effort: 6 })
            < size(Encoding::WebpLossy { quality: 80, effort: 0 })
    );
}

#[test]
fn resolution_is_written_and_read() {
    for encoding in [Encoding::jpeg(90), Encoding::png(), Encoding::tiff()] {
        for dpi in [72.0, 300.0, 600.0] {
            let file =
                encode(&scene(8, 8), &EncodeOptions { dpi: Some(dpi), ..options(encoding) }).expect("a file");
            assert_eq!(decode(&file).dpi, Some((dpi, dpi)), "{encoding:?}");
        }
        let file = encode(&scene(8, 8), &options(encoding)).expect("a file");
        let none = decode(&file).dpi;
        assert!(none.is_none(), "{encoding:?} {none:?}");
    }
}

#[test]
fn a_profile_is_embedded_when_asked_for() {
    for encoding in every_encoding() {
        let with = encode(&scene(8, 8), &options(encoding)).expect("a file");
        let without = EncodeOptions { embed_profile: false, ..options(encoding) };
        let without = encode(&scene(8, 8), &without).expect("a file");
        assert!(decode(&with).header.has_icc, "{encoding:?}");
        assert!(!decode(&without).header.has_icc, "{encoding:?}");
        assert!(without.len() < with.len());
    }
}

#[test]
fn only_the_copyright_that_was_given_is_written() {
    let notice = "© 2026 Studio Nord";
    for encoding in every_encoding() {
        let given = EncodeOptions { copyright: Some(notice.to_owned()), ..options(encoding) };
        let file = encode(&scene(8, 8), &given).expect("a file");
        let found = file.windows(notice.len()).any(|window| window == notice.as_bytes());
        assert!(found, "{encoding:?}");
        decode(&file);
        let plain = encode(&scene(8, 8), &options(encoding)).expect("a file");
        for word in ["Exif", "EXIF", "http", "Studio", "libpng", "Software"] {
            assert!(
                !plain.windows(word.len()).any(|window| window == word.as_bytes()),
                "{encoding:?} {word}"
            );
        }
    }
    // What a camera wrote does not come along.
    let camera =
        with_segment(&rgb_jpeg(&scene(16, 16)), 0xe1, b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0serial 12345");
    let again = encode(&decode(&camera).bitmap, &options(Encoding::jpeg(90))).expect("a file");
    assert!(!again.windows(6).any(|window| window == b"serial"));
}

#[test]
fn photographs_and_canvases_are_compressed_by_different_means() {
    let photo = encode(&busy(512, 512), &options(Encoding::png())).expect("a PNG");
    let mut fixed = Vec::new();
    let mut encoder = png::Encoder::new(&mut fixed, 512, 512);
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header().expect("a header");
    writer.write_image_data(bytes(&busy(512, 512))).expect("pixels");
    writer.finish().expect("an end");
    assert!(photo.len() < fixed.len() * 4 / 5, "{} against {}", photo.len(), fixed.len());
    let canvas = pixels::place(512, 512, &busy(64, 64), 200, 200).expect("a canvas");
    let file = encode(&canvas, &options(Encoding::png())).expect("a PNG");
    assert!(file.len() < 64 * 64 * 4 + 8192, "{}", file.len());
    assert_eq!(decode(&file).bitmap, canvas);
}

#[test]
fn equal_pictures_give_equal_files() {
    for encoding in every_encoding() {
        let write = || encode(&scene(40, 30), &options(encoding)).expect("a file");
        assert_eq!(write(), write());
    }
}
