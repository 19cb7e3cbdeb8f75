//! Files made for the tests: by the codecs' own encoders, or byte by byte where no encoder would write them.

use std::io::Cursor;

use pixels::{Bitmap, Channels, DecodeOptions, Decoded, Samples};

/// Decodes with default options.
pub fn decode(bytes: &[u8]) -> Decoded {
    pixels::decode(bytes, &DecodeOptions::default()).expect("a readable picture")
}

/// The refusal of a file, as a sentence; checks that the file is what is blamed.
pub fn refusal(bytes: &[u8]) -> String {
    let error = pixels::decode(bytes, &DecodeOptions::default()).expect_err("not readable");
    assert!(error.is_input(), "{error}");
    error.to_string()
}

/// 8-bit samples of a bitmap.
pub fn bytes(bitmap: &Bitmap) -> &[u8] {
    match bitmap.samples() {
        Samples::U8(samples) => samples,
        Samples::U16(_) => panic!("8 bit"),
    }
}

/// 16-bit samples of a bitmap.
pub fn words(bitmap: &Bitmap) -> &[u16] {
    match bitmap.samples() {
        Samples::U16(samples) => samples,
        Samples::U8(_) => panic!("16 bit"),
    }
}

/// A smooth scene without any symmetry: red grows to the right, green downwards, blue along the diagonal.
pub fn scene(width: u32, height: u32) -> Bitmap {
    let samples = (0..height)
        .flat_map(|y| (0..width).map(move |x| (x, y)))
        .flat_map(|(x, y)| {
            let part = |v: u32, whole: u32| (20 + v * 200 / whole) as u8;
            [part(x, width), part(y, height), part(x + 2 * y, width + 2 * height)]
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("the right number")
}

/// The same with an alpha that runs from 0 to 255.
pub fn scene_with_alpha(width: u32, height: u32) -> Bitmap {
    let mut bitmap = scene(width, height).into_rgba();
    let pixels::SamplesMut::U8(samples) = bitmap.samples_mut() else { panic!("8 bit") };
    for (i, pixel) in samples.chunks_exact_mut(4).enumerate() {
        pixel[3] = (i * 255 / (width * height - 1) as usize) as u8;
    }
    bitmap
}

/// Random-looking 16-bit samples.
pub fn deep(width: u32, height: u32, channels: Channels) -> Bitmap {
    let count = width * height * channels.count() as u32;
    let samples = (0..count).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u16).collect();
    Bitmap::from_u16(width, height, channels, samples).expect("the right number")
}

/// Largest difference of two bitmaps in 8-bit levels.
pub fn worst(a: &Bitmap, b: &Bitmap) -> u8 {
    assert_eq!((a.width(), a.height(), a.channels()), (b.width(), b.height(), b.channels()));
    bytes(a).iter().zip(bytes(b)).map(|(a, b)| a.abs_diff(*b)).max().unwrap_or(0)
}

/// A JPEG of raw samples in the given turbojpeg format.
pub fn jpeg(
    samples: &[u8],
    width: u32,
    height: u32,
    format: turbojpeg::PixelFormat,
    set: impl FnOnce(&mut turbojpeg::Compressor),
) -> Vec<u8> {
    let mut compressor = turbojpeg::Compressor::new().expect("a compressor");
    compressor.set_quality(97).expect("a quality");
    compressor.set_subsamp(turbojpeg::Subsamp::None).expect("4:4:4");
    set(&mut compressor);
    let image = turbojpeg::Image {
        pixels: samples,
        width: width as usize,
        pitch: width as usize * format.size(),
        height: height as usize,
        format,
    };
    compressor.compress_to_vec(image).expect("a JPEG")
}

/// A plain RGB JPEG of a bitmap.
pub fn rgb_jpeg(bitmap: &Bitmap) -> Vec<u8> {
    jpeg(bytes(bitmap), bitmap.width(), bitmap.height(), turbojpeg::PixelFormat::RGB, |_| {})
}

/// Puts a segment behind SOI.
pub fn with_segment(jpeg: &[u8], marker: u8, data: &[u8]) -> Vec<u8> {
    let length = (data.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, marker], &length, data, &jpeg[2..]].concat()
}

/// Puts an ICC profile behind SOI.
pub fn with_icc(jpeg: &[u8], icc: &[u8]) -> Vec<u8> {
    with_segment(jpeg, 0xe2, &[b"ICC_PROFILE\0\x01\x01", icc].concat())
}

/// A PNG of raw samples; `set` may add chunks.
pub fn png(
    data: &[u8],
    width: u32,
    height: u32,
    colour: png::ColorType,
    depth: png::BitDepth,
    set: impl FnOnce(&mut png::Info<'static>),
) -> Vec<u8> {
    let mut info = png::Info::with_size(width, height);
    info.color_type = colour;
    info.bit_depth = depth;
    set(&mut info);
    let mut out = Vec::new();
    let mut writer =
        png::Encoder::with_info(&mut out, info).expect("an encoder").write_header().expect("a header");
    writer.write_image_data(data).expect("pixels");
    writer.finish().expect("an end");
    out
}

/// An 8-bit RGB PNG with a profile.
pub fn png_with_icc(bitmap: &Bitmap, icc: Vec<u8>) -> Vec<u8> {
    let (width, height) = (bitmap.width(), bitmap.height());
    png(bytes(bitmap), width, height, png::ColorType::Rgb, png::BitDepth::Eight, |info| {
        info.icc_profile = Some(icc.into());
    })
}

/// One PNG chunk with its check sum.
pub fn chunk(name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    let mut sum = libdeflater::Crc::new();
    sum.update(name);
    sum.update(data);
    [&(data.len() as u32).to_be_bytes(), name.as_slice(), data, &sum.sum().to_be_bytes()].concat()
}

/// Puts a chunk behind the header of a PNG.
pub fn with_chunk(png: &[u8], name: &[u8; 4], data: &[u8]) -> Vec<u8> {
    [&png[..33], &chunk(name, data), &png[33..]].concat()
}

/// Exif (a TIFF structure) with an orientation and nothing else.
pub fn exif_orientation(orientation: u8) -> Vec<u8> {
    [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0]].concat()
}

/// A little-endian TIFF: one strip of raw data, and the entries given as (tag, type, values); types 3 and 4 are
/// short and long, 7 is bytes.
pub fn tiff(width: u32, height: u32, data: &[u8], entries: &[(u16, u16, Vec<u32>)]) -> Vec<u8> {
    let mut entries = entries.to_vec();
    entries.extend([
        (256, 4, vec![width]),
        (257, 4, vec![height]),
        (273, 4, vec![8]),
        (278, 4, vec![height]),
        (279, 4, vec![data.len() as u32]),
    ]);
    entries.sort_by_key(|entry| entry.0);
    entries.dedup_by_key(|entry| entry.0);
    let directory = (8 + data.len()).next_multiple_of(2);
    let mut out = b"II*\0".to_vec();
    out.extend_from_slice(&(directory as u32).to_le_bytes());
    out.extend_from_slice(data);
    out.resize(directory, 0);
    let mut extra = Vec::new();
    let extra_at = directory + 2 + entries.len() * 12 + 4;
    out.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    for (tag, kind, values) in entries {
        let encoded: Vec<u8> = values
            .iter()
            .flat_map(|v| match kind {
                3 => (*v as u16).to_le_bytes().to_vec(),
                7 => vec![*v as u8],
                _ => v.to_le_bytes().to_vec(),
            })
            .collect();
        out.extend_from_slice(&tag.to_le_bytes());
        out.extend_from_slice(&kind.to_le_bytes());
        out.extend_from_slice(&(values.len() as u32).to_le_bytes());
        if encoded.len() <= 4 {
            out.extend_from_slice(&encoded);
            out.resize(out.len() + 4 - encoded.len(), 0);
        } else {
            out.extend_from_slice(&((extra_at + extra.len()) as u32).to_le_bytes());
            extra.extend_from_slice(&encoded);
            extra.resize(extra.len().next_multiple_of(2), 0);
        }
    }
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(&extra);
    out
}

/// A WebP without loss.
pub fn webp(bitmap: &Bitmap) -> Vec<u8> {
    let mut out = Cursor::new(Vec::new());
    let colour = match bitmap.channels() {
        Channels::Rgb => image_webp::ColorType::Rgb8,
        Channels::Rgba => image_webp::ColorType::Rgba8,
    };
    image_webp::WebPEncoder::new(&mut out)
        .encode(bytes(bitmap), bitmap.width(), bitmap.height(), colour)
        .expect("a WebP");
    out.into_inner()
}

/// A CMYK profile made by Little CMS: ink that simply takes away light, in a small table.
pub fn cmyk_profile() -> Vec<u8> {
    cmyk_profile_with(&[])
}

/// The same, with a table for the way back: the light that lacks is made of cyan, magenta and yellow.
pub fn cmyk_output_profile() -> Vec<u8> {
    const GRID: usize = 17;
    let srgb = lcms2::Profile::new_srgb();
    let lab = lcms2::Profile::new_lab4_context(
        lcms2::GlobalContext::new(),
        &lcms2::CIExyY { x: 0.3457, y: 0.3585, Y: 1.0 },
    )
    .expect("Lab");
    let to_rgb: lcms2::Transform<[u8; 3], [u8; 3]> = lcms2::Transform::new(
        &lab,
        lcms2::PixelFormat::Lab_8,
        &srgb,
        lcms2::PixelFormat::RGB_8,
        lcms2::Intent::RelativeColorimetric,
    )
    .expect("a transform");
    let mut table = b"mft1\0\0\0\0\x03\x04".to_vec();
    table.extend_from_slice(&[GRID as u8, 0]);
    for value in [1i32, 0, 0, 0, 1, 0, 0, 0, 1] {
        table.extend_from_slice(&(value << 16).to_be_bytes());
    }
    (0..3).for_each(|_| table.extend(0..=255u8));
    let step = |i: usize| (i * 255 / (GRID - 1)) as u8;
    for i in 0..GRID * GRID * GRID {
        let colour = [step(i / GRID / GRID), step(i / GRID % GRID), step(i % GRID)];
        let mut rgb = [[0u8; 3]];
        to_rgb.transform_pixels(&[colour], &mut rgb);
        table.extend(rgb[0].map(|v| 255 - v));
        table.push(0);
    }
    (0..4).for_each(|_| table.extend(0..=255u8));
    cmyk_profile_with(&[(b"B2A0", table)])
}

fn cmyk_profile_with(more: &[(&[u8; 4], Vec<u8>)]) -> Vec<u8> {
    // A device link cannot be embedded, so the profile is put together here: one `A2B0` table of type `mft1`
    // (ICC.1:2001 6.5.7) with two grid points on each axis, into Lab.
    let srgb = lcms2::Profile::new_srgb();
    let lab = lcms2::Profile::new_lab4_context(
        lcms2::GlobalContext::new(),
        &lcms2::CIExyY { x: 0.3457, y: 0.3585, Y: 1.0 },
    )
    .expect("Lab");
    let to_lab: lcms2::Transform<[u8; 3], [u8; 3]> = lcms2::Transform::new(
        &srgb,
        lcms2::PixelFormat::RGB_8,
        &lab,
        lcms2::PixelFormat::Lab_8,
        lcms2::Intent::RelativeColorimetric,
    )
    .expect("a transform");
    let mut table = b"mft1\0\0\0\0\x04\x03\x02\0".to_vec();
    for value in [1i32, 0, 0, 0, 1, 0, 0, 0, 1] {
        table.extend_from_slice(&(value << 16).to_be_bytes());
    }
    for _ in 0..4 {
        table.extend(0..=255u8);
    }
    for corner in 0..16u8 {
        let ink = |bit: u8| u32::from(corner >> (3 - bit) & 1);
        let rgb: [u8; 3] = std::array::from_fn(|i| (255 * (1 - ink(i as u8)) * (1 - ink(3))) as u8);
        let mut colour = [[0u8; 3]];
        to_lab.transform_pixels(&[rgb], &mut colour);
        table.extend_from_slice(&colour[0]);
    }
    for _ in 0..3 {
        table.extend(0..=255u8);
    }
    let mut tags: Vec<(&[u8; 4], Vec<u8>)> = vec![
        (b"desc", b"desc\0\0\0\0\0\0\0\x09Test ink\0".iter().copied().chain([0; 78]).collect()),
        (b"wtpt", b"XYZ \0\0\0\0\0\0\xf6\xd6\0\x01\0\0\0\0\xd3\x2d".to_vec()),
        (b"A2B0", table),
    ];
    tags.extend(more.iter().cloned());
    let mut header = vec![0; 128];
    header[8] = 2;
    header[12..24].copy_from_slice(b"prtrCMYKLab ");
    header[36..40].copy_from_slice(b"acsp");
    header[68..80].copy_from_slice(b"\0\0\xf6\xd6\0\x01\0\0\0\0\xd3\x2d");
    let mut list = (tags.len() as u32).to_be_bytes().to_vec();
    let mut body = Vec::new();
    for (name, data) in &tags {
        list.extend_from_slice(*name);
        list.extend_from_slice(&((128 + 4 + 12 * tags.len() + body.len()) as u32).to_be_bytes());
        list.extend_from_slice(&(data.len() as u32).to_be_bytes());
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(4), 0);
    }
    let mut profile = [header, list, body].concat();
    let length = (profile.len() as u32).to_be_bytes();
    profile[..4].copy_from_slice(&length);
    profile
}
