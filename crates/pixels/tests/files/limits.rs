//! What is refused from the header alone.

use std::time::Instant;

use pixels::{DecodeOptions, Limits, probe};

use crate::build::*;

fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend_from_slice(&[8, 6, 0, 0, 0]);
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        chunk(b"IHDR", &header),
        chunk(b"IDAT", &[0x78, 0x9c, 3, 0, 0, 0, 0, 1]),
        chunk(b"IEND", &[]),
    ]
    .concat()
}

fn jpeg_header(width: u16, height: u16) -> Vec<u8> {
    let mut jpeg = rgb_jpeg(&scene(16, 16));
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).expect("a frame header");
    jpeg[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    jpeg[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    jpeg
}

fn webp_header(width: u32, height: u32) -> Vec<u8> {
    let mut webp = webp(&scene(16, 16));
    let bits = (width - 1) | (height - 1) << 14;
    webp[21..25].copy_from_slice(&bits.to_le_bytes());
    webp
}

#[test]
fn pictures_over_100_megapixels_are_refused_before_anything_is_allocated() {
    let started = Instant::now();
    for file in [
        png_header(30_000, 30_000),
        jpeg_header(30_000, 30_000),
        webp_header(16_383, 16_383),
        tiff(30_000, 30_000, &[0; 16], &[(262, 3, vec![2]), (258, 3, vec![8, 8, 8]), (277, 3, vec![3])]),
    ] {
        let message = refusal(&file);
        assert!(message.ends_with("at most 100 megapixels are allowed"), "{message}");
        assert!(probe(&file, &Limits::default()).is_err());
    }
    assert!(refusal(&png_header(30_000, 30_000)).starts_with("the picture is 30000 by 30000;"));
    // 4 pictures of 2.7 GB each would take seconds.
    assert!(started.elapsed().as_secs_f64() < 1.0);
}

#[test]
fn long_sides_are_refused() {
    let message = refusal(&png_header(30_001, 10));
    assert_eq!(message, "the picture is 30001 by 10; a side of at most 30000 pixels is allowed");
    assert!(refusal(&jpeg_header(40_000, 2)).contains("a side of at most 30000"));
    assert!(refusal(&png_header(0, 5)).contains("side is 0"));
    assert!(refusal(&png_header(u32::MAX, 5)).contains("too long"));
}

#[test]
fn a_small_file_may_not_claim_a_large_picture() {
    for file in [png_header(9_900, 9_900), jpeg_header(9_900, 9_900), webp_header(9_900, 9_900)] {
        assert!(refusal(&file).contains("at most 500 times are allowed"), "{}", refusal(&file));
    }
    // A flat canvas, or the mask of a 24-megapixel photo, compresses as well and is honest.
    let flat =
        pixels::Bitmap::from_u8(6000, 4000, pixels::Channels::Rgb, vec![255; 72_000_000]).expect("72 MB");
    for encoding in [pixels::Encoding::png(), pixels::Encoding::WebpLossless, pixels::Encoding::jpeg(80)] {
        let file = pixels::encode(&flat, &pixels::EncodeOptions::new(encoding)).expect("a file");
        assert!(file.len() < 450_000, "{}", file.len());
        probe(&file, &Limits::default()).expect("an honest file");
    }
}

#[test]
fn long_files_and_long_metadata_are_refused() {
    let file = rgb_jpeg(&scene(16, 16));
    let limits = Limits { max_bytes: 100, ..Limits::default() };
    let error = probe(&file, &limits).expect_err("too long");
    assert_eq!(error.to_string(), format!("the file has {} bytes; at most 100 are allowed", file.len()));

    let mut stuffed = file.clone();
    for _ in 0..140 {
        stuffed = with_segment(&stuffed, 0xe1, &[b'x'; 65_000]);
    }
    assert!(refusal(&stuffed).contains("metadata of the file has"));

    let icc = vec![7; 60_000];
    let limits = Limits { max_icc_bytes: 50_000, ..Limits::default() };
    for file in [
        with_icc(&file, &icc),
        png_with_icc(&scene(4, 4), icc.clone()),
        tiff(
            1,
            1,
            &[1, 2, 3],
            &[(262, 3, vec![2]), (258, 3, vec![8, 8, 8]), (277, 3, vec![3]), (34_675, 7, vec![7; 60_000])],
        ),
    ] {
        let error = probe(&file, &limits).expect_err("too long").to_string();
        assert!(error.contains("ICC profile has"), "{error}");
    }
    let bomb = with_chunk(&png_with_icc(&scene(4, 4), Vec::new()), b"zTXt", &vec![0; 9 << 20]);
    assert!(refusal(&bomb).contains("metadata of the file"));
}

#[test]
fn a_profile_that_inflates_without_end_is_refused() {
    let zeroes = vec![0; 40 << 20];
    let mut compressor = libdeflater::Compressor::new(libdeflater::CompressionLvl::new(9).expect("a level"));
    let mut zlib = vec![0; compressor.zlib_compress_bound(zeroes.len())];
    let length = compressor.zlib_compress(&zeroes, &mut zlib).expect("room enough");
    zlib.truncate(length);
    let file = with_chunk(&png_header(4, 4), b"iCCP", &[b"bomb\0\0", zlib.as_slice()].concat());
    assert!(refusal(&file).contains("ICC profile has"));
}

#[test]
fn too_many_scans_are_refused_quickly() {
    let scene = scene(2000, 2000);
    let progressive = jpeg(bytes(&scene), 2000, 2000, turbojpeg::PixelFormat::RGB, |c| {
        c.set_progressive(true).expect("set")
    });
    decode(&progressive);
    // The last scan, a refinement, over and over again: each one costs a pass over the whole picture.
    let last = progressive.windows(2).rposition(|pair| pair == [0xff, 0xda]).expect("a scan");
    let (head, scan) = (&progressive[..progressive.len() - 2], &progressive[last..progressive.len() - 2]);
    let mut bomb = head.to_vec();
    (0..150).for_each(|_| bomb.extend_from_slice(scan));
    bomb.extend_from_slice(&[0xff, 0xd9]);
    let started = Instant::now();
    assert_eq!(refusal(&bomb), "the JPEG file has more than 100 scans; save it again as a baseline JPEG");
    assert!(started.elapsed().as_secs_f64() < 0.5);
}

#[test]
fn probing_tells_what_a_file_holds() {
    let file = with_segment(
        &rgb_jpeg(&scene(40, 30)),
        0xe1,
        &[b"Exif\0\0", exif_orientation(6).as_slice()].concat(),
    );
    let header = probe(&file, &Limits::default()).expect("a header");
    assert_eq!((header.width, header.height, header.orientation), (40, 30, 6));
    assert_eq!(header.upright_size(), (30, 40));
    assert_eq!(header.channels, pixels::SourceChannels::Rgb);
    assert!(!header.has_alpha && !header.has_icc && header.depth == 8);
    let header = probe(&webp(&scene_with_alpha(5, 4)), &Limits::default()).expect("a header");
    assert!(header.has_alpha && header.channels == pixels::SourceChannels::Rgba);
}

#[test]
fn what_is_no_picture_is_refused_in_words() {
    assert_eq!(refusal(b""), "the picture file is empty");
    assert!(
        refusal(b"This is a text file that somebody renamed to .jpg\n")
            .contains("send JPEG, PNG, WebP or TIFF")
    );
    let gif = b"GIF89a\x01\0\x01\0\x80\0\0\0\0\0\xff\xff\xff!\xf9\x04\x01\0\0\0\0,\0\0\0\0\x01\0\x01\0\0\x02\x02D\x01\0;";
    assert_eq!(refusal(gif), "unsupported format `GIF`; send JPEG, PNG, WebP or TIFF");
}

#[test]
fn several_pictures_are_refused() {
    let still = png_header(4, 4);
    let apng = with_chunk(&still, b"acTL", &[0, 0, 0, 12, 0, 0, 0, 0]);
    assert_eq!(refusal(&apng), "this PNG file holds 12 frames; only single pictures are accepted");

    let mut webp =
        b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\x02\0\0\0\x0f\0\0\x0f\0\0ANIM\x06\0\0\0\0\0\0\0\0\0".to_vec();
    webp.extend_from_slice(b"ANMF\x10\0\0\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0\0\0\0\0ANMF\0\0\0\0");
    let length = (webp.len() as u32 - 8).to_le_bytes();
    webp[4..8].copy_from_slice(&length);
    assert!(refusal(&webp).contains("holds 2 animation frames"), "{}", refusal(&webp));

    let mut pages = std::io::Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut pages).expect("an encoder");
    for _ in 0..3 {
        encoder.write_image::<tiff::encoder::colortype::RGB8>(4, 4, bytes(&scene(4, 4))).expect("a page");
    }
    assert_eq!(
        refusal(&pages.into_inner()),
        "this TIFF file holds 3 pages; only single pictures are accepted"
    );
}

#[test]
fn a_preview_beside_the_picture_is_no_second_page() {
    use tiff::encoder::{TiffEncoder, colortype::RGB8};
    let mut file = std::io::Cursor::new(Vec::new());
    let mut encoder = TiffEncoder::new(&mut file).expect("an encoder");
    let mut preview = encoder.new_image::<RGB8>(2, 2).expect("a page");
    preview.encoder().write_tag(tiff::tags::Tag::NewSubfileType, 1u32).expect("a tag");
    preview.write_data(&[9; 12]).expect("pixels");
    encoder.write_image::<RGB8>(16, 12, bytes(&scene(16, 12))).expect("a page");
    assert_eq!(decode(&file.into_inner()).bitmap, scene(16, 12));
}

#[test]
fn callers_can_lower_the_limits() {
    let options =
        DecodeOptions { limits: Limits { max_pixels: 255, ..Limits::default() }, ..DecodeOptions::default() };
    let error = pixels::decode(&rgb_jpeg(&scene(16, 16)), &options).expect_err("256 pixels");
    assert_eq!(error.to_string(), "the picture is 16 by 16; at most 0.000255 megapixels are allowed");
    assert_eq!(error.code(), "picture_too_many_pixels");
}
