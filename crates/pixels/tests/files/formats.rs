//! Every variant of every format comes out as the pixels that went in.

use pixels::{Bitmap, Channels, Codec, DecodeOptions, SourceChannels};
use turbojpeg::PixelFormat;

use crate::build::*;

fn both_codecs() -> [DecodeOptions; 2] {
    [Codec::Fast, Codec::Safe].map(|codec| DecodeOptions { codec, ..DecodeOptions::default() })
}

#[test]
fn jpeg_baseline_progressive_and_subsampled() {
    let scene = scene(67, 45);
    type Set = fn(&mut turbojpeg::Compressor);
    let variants: [(&str, Set); 4] = [
        ("baseline", |_| {}),
        ("progressive", |c| c.set_progressive(true).expect("set")),
        ("4:2:0", |c| c.set_subsamp(turbojpeg::Subsamp::Sub2x2).expect("set")),
        ("4:4:0", |c| c.set_subsamp(turbojpeg::Subsamp::Sub1x2).expect("set")),
    ];
    for (name, set) in variants {
        let file = jpeg(bytes(&scene), 67, 45, PixelFormat::RGB, set);
        for options in both_codecs() {
            let decoded = pixels::decode(&file, &options).expect("a JPEG");
            assert!(
                worst(&decoded.bitmap, &scene) <= 12,
                "{name} {options:?}: {}",
                worst(&decoded.bitmap, &scene)
            );
            assert_eq!(decoded.source_profile, "sRGB (assumed)");
            assert!(decoded.warnings.is_empty());
        }
    }
}

#[test]
fn jpeg_grey_becomes_rgb() {
    let grey: Vec<u8> = (0..48 * 32).map(|i| (i % 48 * 5) as u8).collect();
    let file = jpeg(&grey, 48, 32, PixelFormat::GRAY, |c| {
        c.set_subsamp(turbojpeg::Subsamp::Gray).expect("set");
    });
    for options in both_codecs() {
        let decoded = pixels::decode(&file, &options).expect("a JPEG");
        assert_eq!(decoded.header.channels, SourceChannels::Gray);
        for (pixel, grey) in bytes(&decoded.bitmap).chunks_exact(3).zip(&grey) {
            assert!(pixel[0] == pixel[1] && pixel[1] == pixel[2] && pixel[0].abs_diff(*grey) <= 3);
        }
    }
}

/// Ink (0 is none) of a CMYK test picture, 32 by 16: four quarters of one ink each.
fn inks() -> Vec<u8> {
    (0..32 * 16)
        .flat_map(|i| {
            let quarter = (i % 32) / 8;
            let mut ink = [0; 4];
            ink[quarter] = 200;
            ink
        })
        .collect()
}

fn adobe_marker(transform: u8) -> Vec<u8> {
    [b"Adobe\0\x64\0\0\0\0".as_slice(), &[transform]].concat()
}

#[test]
fn cmyk_and_ycck_are_un_inverted_and_need_a_profile() {
    let inverted: Vec<u8> = inks().iter().map(|v| 255 - v).collect();
    // libjpeg writes an Adobe marker for CMYK and YCCK by itself.
    let cmyk = jpeg(&inverted, 32, 16, PixelFormat::CMYK, |c| {
        c.set_colorspace(turbojpeg::Colorspace::CMYK).expect("set");
    });
    let ycck = jpeg(&inverted, 32, 16, PixelFormat::CMYK, |c| {
        c.set_colorspace(turbojpeg::Colorspace::YCCK).expect("set");
    });
    for (file, channels) in [(&cmyk, SourceChannels::Cmyk), (&ycck, SourceChannels::Ycck)] {
        assert_eq!(
            refusal(file),
            "the picture is CMYK without an ICC profile; embed the profile, or send it as sRGB"
        );
        for codec in [Codec::Fast, Codec::Safe] {
            let options = DecodeOptions { codec, assume_device_cmyk: true, ..DecodeOptions::default() };
            let decoded = pixels::decode(file, &options).expect("a JPEG");
            assert_eq!(decoded.header.channels, channels);
            check_inks(&decoded.bitmap, 6);

            let options = DecodeOptions { codec, ..DecodeOptions::default() };
            let decoded = pixels::decode(&with_icc(file, &cmyk_profile()), &options).expect("a JPEG");
            assert_eq!(decoded.source_profile, "Test ink");
            assert!(decoded.warnings.is_empty(), "{:?}", decoded.warnings);
            // Cyan takes away red, magenta green, yellow blue, black everything; unprinted paper does not occur.
            let at = |x: usize| &bytes(&decoded.bitmap)[(8 * 32 + x) * 3..][..3];
            assert!(at(4)[0] < 120 && at(4)[1] > 200 && at(4)[2] > 200, "{:?}", at(4));
            assert!(at(12)[1] < 150 && at(12)[0] > 200 && at(12)[2] > 200, "{:?}", at(12));
            assert!(at(20)[2] < 160 && at(20)[0] > 200 && at(20)[1] > 200, "{:?}", at(20));
            assert!(at(28).iter().all(|&v| v < 120), "{:?}", at(28));
        }
    }
}

fn check_inks(bitmap: &Bitmap, most: u8) {
    for (i, pixel) in bytes(bitmap).chunks_exact(3).enumerate() {
        // A pixel on the edge of a quarter may ring.
        if matches!(i % 8, 0 | 7) {
            continue;
        }
        let quarter = i % 32 / 8;
        for (channel, value) in pixel.iter().enumerate() {
            let expected: u8 = if quarter == 3 || quarter == channel { 55 } else { 255 };
            assert!(value.abs_diff(expected) <= most, "{i}: {pixel:?}");
        }
    }
}

#[test]
fn cmyk_without_an_adobe_marker_is_not_inverted() {
    let file = jpeg(&inks(), 32, 16, PixelFormat::CMYK, |c| {
        c.set_colorspace(turbojpeg::Colorspace::CMYK).expect("set");
    });
    let marker = file.windows(2).position(|pair| pair == [0xff, 0xee]).expect("an Adobe marker");
    let plain = [&file[..marker], &file[marker + 16..]].concat();
    let options = DecodeOptions { assume_device_cmyk: true, ..DecodeOptions::default() };
    check_inks(&pixels::decode(&plain, &options).expect("a JPEG").bitmap, 6);
}

#[test]
fn an_adobe_marker_may_say_that_a_jpeg_is_rgb() {
    let scene = scene(32, 32);
    let file = jpeg(bytes(&scene), 32, 32, PixelFormat::RGB, |c| {
        c.set_colorspace(turbojpeg::Colorspace::RGB).expect("set");
    });
    let file = if file.windows(5).any(|w| w == b"Adobe") {
        file
    } else {
        with_segment(&file, 0xee, &adobe_marker(0))
    };
    for options in both_codecs() {
        assert!(worst(&pixels::decode(&file, &options).expect("a JPEG").bitmap, &scene) <= 6);
    }
}

#[test]
fn jpeg_variants_nobody_reads_are_refused_in_words() {
    let mut file = rgb_jpeg(&scene(16, 16));
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    file[frame + 4] = 12;
    assert!(refusal(&file).contains("uses 12 bits a sample"), "{}", refusal(&file));
    file[frame + 4] = 8;
    file[frame + 1] = 0xc3;
    assert!(refusal(&file).contains("lossless coding"));
    file[frame + 1] = 0xc9;
    assert!(refusal(&file).contains("arithmetic coding"));
}

#[test]
fn remarks_about_a_jpeg_are_warnings_not_refusals() {
    let scene = scene(32, 32);
    let file = rgb_jpeg(&scene);
    // Two stray bytes between segments.
    let frame = file.windows(2).position(|pair| pair == [0xff, 0xdb]).expect("a table");
    let stray = [&file[..frame], &[1, 2], &file[frame..]].concat();
    let decoded = decode(&stray);
    assert!(worst(&decoded.bitmap, &scene) <= 6);
    assert_eq!(decoded.warnings.len(), 1);
    // Bytes behind the end, as phones append videos.
    let trailing = [file.as_slice(), &[0; 5000]].concat();
    assert!(worst(&decode(&trailing).bitmap, &scene) <= 6);
}

#[test]
fn jpeg_is_reduced_while_decoding_only_where_room_is_left() {
    let scene = scene(640, 480);
    let file = rgb_jpeg(&scene);
    for (fit, size) in
        [((320, 240), (640, 480)), ((213, 160), (320, 240)), ((100, 75), (160, 120)), ((64, 48), (80, 60))]
    {
        let options = DecodeOptions { fit: Some(fit), ..DecodeOptions::default() };
        let decoded = pixels::decode(&file, &options).expect("a JPEG");
        assert_eq!((decoded.bitmap.width(), decoded.bitmap.height()), size, "{fit:?}");
        assert_eq!((decoded.header.width, decoded.header.height), (640, 480));
        let exact = pixels::resize(&scene, size.0, size.1, pixels::Filter::Box).expect("a size");
        assert!(worst(&decoded.bitmap, &exact) <= 6);
    }
    let options = DecodeOptions { max_side: Some(200), ..DecodeOptions::default() };
    let decoded = pixels::decode(&file, &options).expect("a JPEG");
    assert_eq!((decoded.bitmap.width(), decoded.bitmap.height()), (200, 150));
    let exact = pixels::resize(&scene, 200, 150, pixels::Filter::Lanczos3).expect("a size");
    assert!(worst(&decoded.bitmap, &exact) <= 8);
}

#[test]
fn png_of_every_kind() {
    use png::{BitDepth as D, ColorType as C};
    let scene = scene(19, 7);
    let file = png(bytes(&scene), 19, 7, C::Rgb, D::Eight, |_| {});
    assert_eq!(decode(&file).bitmap, scene);
    let alpha = scene_with_alpha(19, 7);
    assert_eq!(decode(&png(bytes(&alpha), 19, 7, C::Rgba, D::Eight, |_| {})).bitmap, alpha);

    for channels in [Channels::Rgb, Channels::Rgba] {
        let deep = deep(19, 7, channels);
        let data: Vec<u8> = words(&deep).iter().flat_map(|v| v.to_be_bytes()).collect();
        let colour = if channels == Channels::Rgb { C::Rgb } else { C::Rgba };
        assert_eq!(decode(&png(&data, 19, 7, colour, D::Sixteen, |_| {})).bitmap, deep);
    }

    // 16-bit grey keeps its 16 bits.
    let grey: Vec<u16> = (0..19 * 7).map(|i| i * 491).collect();
    let data: Vec<u8> = grey.iter().flat_map(|v| v.to_be_bytes()).collect();
    let decoded = decode(&png(&data, 19, 7, C::Grayscale, D::Sixteen, |_| {})).bitmap;
    assert_eq!((decoded.channels(), decoded.depth()), (Channels::Rgb, 16));
    assert!(words(&decoded).chunks_exact(3).zip(&grey).all(|(pixel, grey)| pixel == [*grey; 3]));

    // Grey with alpha, and one bit a pixel.
    let decoded = decode(&png(&[10, 0, 200, 255], 2, 1, C::GrayscaleAlpha, D::Eight, |_| {})).bitmap;
    assert_eq!(bytes(&decoded), [10, 10, 10, 0, 200, 200, 200, 255]);
    let decoded = decode(&png(&[0b1010_0000], 3, 1, C::Grayscale, D::One, |_| {})).bitmap;
    assert_eq!(bytes(&decoded), [255, 255, 255, 0, 0, 0, 255, 255, 255]);

    // A table of colours, with and without transparency; one colour that is transparent.
    let table = vec![255, 0, 0, 0, 255, 0, 0, 0, 255];
    let palette = |trns: Option<Vec<u8>>| {
        let table = table.clone();
        png(&[0b0001_1000], 3, 1, C::Indexed, D::Two, move |info| {
            info.palette = Some(table.into());
            info.trns = trns.map(Into::into);
        })
    };
    assert_eq!(bytes(&decode(&palette(None)).bitmap), [255, 0, 0, 0, 255, 0, 0, 0, 255]);
    let decoded = decode(&palette(Some(vec![0, 128])));
    assert!(decoded.header.has_alpha);
    assert_eq!(bytes(&decoded.bitmap), [255, 0, 0, 0, 0, 255, 0, 128, 0, 0, 255, 255]);
    let keyed = png(&[1, 2, 3, 4, 5, 6], 2, 1, C::Rgb, D::Eight, |info| {
        info.trns = Some(vec![0, 4, 0, 5, 0, 6].into())
    });
    assert_eq!(bytes(&decode(&keyed).bitmap), [1, 2, 3, 255, 4, 5, 6, 0]);
}

#[test]
fn png_interlaced() {
    // Adam7 of a 3 by 3 grey picture, by hand: passes hold (0,0) | – | – | (2,0) | (0,2) (2,2) | (1,0) (1,2) | row 1.
    let passes: &[&[u8]] = &[&[0, 1], &[0, 3], &[0, 7, 9], &[0, 2, 0, 8], &[0, 4, 5, 6]];
    let passes = passes.concat();
    // Pass 6 holds two rows of one pixel each: (1,0) and (1,2).
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(6).expect("a level"));
    let mut zlib = vec![0; 200];
    let length = compressor.zlib_compress(&passes, &mut zlib).expect("room enough");
    zlib.truncate(length);
    let header = [0, 0, 0, 3, 0, 0, 0, 3, 8, 0, 0, 0, 1];
    let file =
        [b"\x89PNG\r\n\x1a\n".to_vec(), chunk(b"IHDR", &header), chunk(b"IDAT", &zlib), chunk(b"IEND", &[])]
            .concat();
    let decoded = decode(&file).bitmap;
    let grey: Vec<u8> = bytes(&decoded).iter().step_by(3).copied().collect();
    assert_eq!(grey, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
}

#[test]
fn webp_with_and_without_loss() {
    for bitmap in [scene(33, 21), scene_with_alpha(33, 21)] {
        for options in both_codecs() {
            let decoded = pixels::decode(&webp(&bitmap), &options).expect("a WebP");
            assert_eq!(decoded.bitmap, bitmap);
        }
    }
    // Lossy, as libwebp writes it, without and with a container around it.
    for embed_profile in [false, true] {
        let options =
            pixels::EncodeOptions { embed_profile, ..pixels::EncodeOptions::new(pixels::Encoding::webp(95)) };
        let scene = scene(64, 64);
        let file = pixels::encode(&scene, &options).expect("a WebP");
        for options in both_codecs() {
            assert!(worst(&pixels::decode(&file, &options).expect("a WebP").bitmap, &scene) <= 14);
        }
    }
}

#[test]
fn tiff_of_every_kind() {
    use tiff::encoder::colortype as c;
    use tiff::encoder::{Compression, DeflateLevel, TiffEncoder};
    fn written<C: c::ColorType>(data: &[C::Inner], compression: Compression) -> Vec<u8>
    where
        [C::Inner]: tiff::encoder::TiffValue,
    {
        let mut out = std::io::Cursor::new(Vec::new());
        let encoder = TiffEncoder::new(&mut out).expect("an encoder");
        encoder.with_compression(compression).write_image::<C>(19, 7, data).expect("a picture");
        out.into_inner()
    }
    let scene = scene(19, 7);
    for compression in [
        Compression::Uncompressed,
        Compression::Lzw,
        Compression::Deflate(DeflateLevel::Fast),
        Compression::Packbits,
    ] {
        assert_eq!(decode(&written::<c::RGB8>(bytes(&scene), compression)).bitmap, scene);
        let deep = deep(19, 7, Channels::Rgb);
        assert_eq!(decode(&written::<c::RGB16>(words(&deep), compression)).bitmap, deep);
    }
    let alpha = scene_with_alpha(19, 7);
    assert_eq!(decode(&written::<c::RGBA8>(bytes(&alpha), Compression::Lzw)).bitmap, alpha);
    let grey: Vec<u16> = (0..19 * 7).map(|i| i * 491).collect();
    let decoded = decode(&written::<c::Gray16>(&grey, Compression::Lzw));
    assert_eq!(decoded.header.channels, SourceChannels::Gray);
    assert!(words(&decoded.bitmap).chunks_exact(3).zip(&grey).all(|(pixel, grey)| pixel == [*grey; 3]));
}

#[test]
fn tiff_alpha_of_both_kinds() {
    let entries = |kind: u32| {
        vec![(262, 3, vec![2]), (258, 3, vec![8, 8, 8, 8]), (277, 3, vec![4]), (338, 3, vec![kind])]
    };
    let data = [100, 50, 0, 128, 9, 9, 9, 0, 255, 1, 2, 255];
    let unassociated = decode(&tiff(3, 1, &data, &entries(2))).bitmap;
    assert_eq!(bytes(&unassociated), data);
    let associated = decode(&tiff(3, 1, &data, &entries(1))).bitmap;
    assert_eq!(bytes(&associated), [199, 100, 0, 128, 0, 0, 0, 0, 255, 1, 2, 255]);
    // A saved selection is no transparency.
    let selection = decode(&tiff(3, 1, &data, &entries(0))).bitmap;
    assert_eq!(bytes(&selection), [100, 50, 0, 9, 9, 9, 255, 1, 2]);
}

#[test]
fn tiff_by_planes_and_white_is_zero() {
    let planes = [1, 2, 3, 11, 12, 13, 21, 22, 23];
    let entries = [(262, 3, vec![2]), (258, 3, vec![8, 8, 8]), (277, 3, vec![3]), (284, 3, vec![2])];
    let mut entries = entries.to_vec();
    entries.extend([(273, 4, vec![8, 11, 14]), (279, 4, vec![3, 3, 3])]);
    let decoded = decode(&tiff(3, 1, &planes, &entries)).bitmap;
    assert_eq!(bytes(&decoded), [1, 11, 21, 2, 12, 22, 3, 13, 23]);
    let entries = [(262, 3, vec![0]), (258, 3, vec![8]), (277, 3, vec![1])];
    assert_eq!(bytes(&decode(&tiff(2, 1, &[0, 200], &entries)).bitmap), [255, 255, 255, 55, 55, 55]);
}

#[test]
fn tiff_cmyk_needs_a_profile_and_uses_it() {
    let mut entries = vec![(262, 3, vec![5]), (258, 3, vec![8, 8, 8, 8]), (277, 3, vec![4])];
    let data = [0, 0, 0, 0, 255, 0, 0, 0, 0, 0, 0, 255];
    assert!(refusal(&tiff(3, 1, &data, &entries)).contains("CMYK without an ICC profile"));
    entries.push((34_675, 7, cmyk_profile().into_iter().map(u32::from).collect()));
    let decoded = decode(&tiff(3, 1, &data, &entries));
    assert_eq!(decoded.source_profile, "Test ink");
    let pixels: Vec<&[u8]> = bytes(&decoded.bitmap).chunks_exact(3).collect();
    assert!(pixels[0].iter().all(|&v| v >= 253), "{pixels:?}");
    assert!(pixels[1][0] < 60 && pixels[1][1] > 240 && pixels[1][2] > 240, "{pixels:?}");
    assert!(pixels[2].iter().all(|&v| v < 8), "{pixels:?}");
    // Alpha beside the inks.
    let alpha: Vec<u8> =
        data.chunks_exact(4).zip([0, 100, 255]).flat_map(|(ink, a)| [ink, &[a]].concat()).collect();
    entries.retain(|entry| entry.0 != 258 && entry.0 != 277);
    entries.extend([(258, 3, vec![8; 5]), (277, 3, vec![5]), (338, 3, vec![2])]);
    assert_eq!(decode(&tiff(3, 1, &alpha, &entries)).bitmap.alpha().values(), [0, 100, 255]);
}

#[test]
fn tiff_variants_nobody_reads_are_refused_in_words() {
    let rgb = vec![(258, 3, vec![8, 8, 8]), (277, 3, vec![3])];
    let with =
        |more: &[(u16, u16, Vec<u32>)]| refusal(&tiff(1, 1, &[1, 2, 3, 0], &[rgb.as_slice(), more].concat()));
    assert!(with(&[(262, 3, vec![2]), (259, 3, vec![7])]).contains("JPEG compression"));
    assert!(with(&[(262, 3, vec![8])]).contains("not supported"));
    let palette = [(262, 3, vec![3]), (258, 3, vec![8]), (277, 3, vec![1]), (320, 3, vec![0; 768])];
    assert!(refusal(&tiff(1, 1, &[1], &palette)).contains("not supported"));
    let float = [(262, 3, vec![1]), (258, 3, vec![32]), (277, 3, vec![1]), (339, 3, vec![3])];
    assert!(refusal(&tiff(1, 1, &[0; 4], &float)).contains("floating point"));
    let bilevel = [(262, 3, vec![1]), (258, 3, vec![1]), (277, 3, vec![1])];
    assert!(refusal(&tiff(8, 1, &[1], &bilevel)).contains("1 bits a sample"));
}
