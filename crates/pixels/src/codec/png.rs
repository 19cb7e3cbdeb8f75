//! PNG: decoded by `png`, encoded by `png` (fixed Huffman codes) or by an Up filter and libdeflate.

use std::io::Cursor;

use ::png::{
    BitDepth, ColorType, Compression, Decoder, DecodingError, Encoder, PixelDimensions, Transformations, Unit,
};

use super::{Raw, png_chunks, widen_gray};
use crate::colour::{Ink, Raster};
use crate::header::Inspected;
use crate::metadata::Metadata;
use crate::{Bitmap, Channels, Format, Header, Limits, PixelError, PngCompression, Samples};

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PixelError> {
    let chunks = png_chunks::read(bytes, limits)?;
    let header = Header {
        format: Format::Png,
        width: chunks.width,
        height: chunks.height,
        channels: chunks.channels,
        depth: chunks.depth,
        has_alpha: chunks.has_transparency,
        orientation: chunks.orientation.unwrap_or(1),
        has_icc: chunks.icc.is_some(),
        dpi: chunks.dpi,
        frames: 1,
    };
    Ok(Inspected {
        header,
        icc: chunks.icc,
        named_space: chunks.space,
        inverted_cmyk: false,
        rights: chunks.rights,
        warnings: chunks.warnings,
    })
}

pub(crate) fn read(bytes: &[u8], header: &Header) -> Result<Raw, PixelError> {
    let mut decoder = Decoder::new(Cursor::new(bytes));
    decoder.set_ignore_text_chunk(true);
    decoder.set_ignore_iccp_chunk(true);
    decoder.set_transformations(Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(refuse)?;
    let size =
        reader.output_buffer_size().ok_or_else(|| PixelError::damaged(Format::Png, "it is too large"))?;
    let mut samples = vec![0; size];
    let info = reader.next_frame(&mut samples).map_err(refuse)?;
    if (info.width, info.height) != (header.width, header.height) {
        return Err(PixelError::damaged(Format::Png, "its headers contradict each other"));
    }
    samples.truncate(info.buffer_size());
    let (gray, alpha) = match info.color_type {
        ColorType::Grayscale => (true, false),
        ColorType::GrayscaleAlpha => (true, true),
        ColorType::Rgb => (false, false),
        ColorType::Rgba => (false, true),
        ColorType::Indexed => {
            return Err(PixelError::damaged(Format::Png, "its table of colours is missing"));
        }
    };
    let channels = if alpha { Channels::Rgba } else { Channels::Rgb };
    let samples = if info.bit_depth == BitDepth::Sixteen {
        let deep: Vec<u16> =
            samples.as_chunks::<2>().0.iter().map(|&pair| u16::from_be_bytes(pair)).collect();
        Samples::U16(if gray { widen_gray(&deep, alpha) } else { deep })
    } else {
        Samples::U8(if gray { widen_gray(&samples, alpha) } else { samples })
    };
    Ok(Raw::Colours(Bitmap::new(header.width, header.height, channels, samples)?))
}

fn refuse(error: DecodingError) -> PixelError {
    let text = error.to_string();
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PixelError::Truncated { format: Format::Png }
        }
        // The chunks were all there, so pixel data that ends early was written that way.
        _ => PixelError::damaged(Format::Png, text),
    }
}

/// Writes a raster at its own depth.
pub(crate) fn write(
    raster: &Raster<'_>,
    compression: PngCompression,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, PixelError> {
    let failed =
        |error: ::png::EncodingError| PixelError::Library { library: "png", reason: error.to_string() };
    let mut info = ::png::Info::with_size(raster.width, raster.height);
    info.color_type = match raster.ink {
        Ink::Gray => ColorType::Grayscale,
        Ink::GrayAlpha => ColorType::GrayscaleAlpha,
        Ink::Rgb => ColorType::Rgb,
        Ink::Rgba => ColorType::Rgba,
        Ink::Cmyk => {
            return Err(PixelError::Library { library: "png", reason: "there is no CMYK".to_owned() });
        }
    };
    info.bit_depth = if raster.depth() == 8 { BitDepth::Eight } else { BitDepth::Sixteen };
    info.pixel_dims = metadata.dpi.map(|dpi| {
        let per_metre = (dpi / 0.0254).round() as u32;
        PixelDimensions { xppu: per_metre, yppu: per_metre, unit: Unit::Meter }
    });
    match metadata.icc {
        Some(icc) => info.icc_profile = Some(icc.into()),
        None if matches!(raster.ink, Ink::Rgb | Ink::Rgba) => {
            info.srgb = Some(::png::SrgbRenderingIntent::Perceptual);
        }
        None => {}
    }

    let big_endian;
    let (bytes, pixel_bytes): (&[u8], usize) = match &*raster.samples {
        Samples::U8(samples) => (samples, raster.ink.count()),
        Samples::U16(samples) => {
            big_endian = samples.iter().flat_map(|v| v.to_be_bytes()).collect::<Vec<u8>>();
            (&big_endian, raster.ink.count() * 2)
        }
    };
    let row_bytes = raster.width as usize * pixel_bytes;
    let by_libdeflate = compression == PngCompression::Auto && is_busy(raster);

    let mut out = Vec::with_capacity(bytes.len() / 2 + 4096);
    let mut encoder = Encoder::with_info(&mut out, info).map_err(failed)?;
    encoder.set_compression(match compression {
        PngCompression::Auto => Compression::Fast,
        PngCompression::Small => Compression::Balanced,
    });
    // The pixels may be written chunk by chunk, which `png` cannot count.
    encoder.validate_sequence(false);
    let texts = [
        ("Copyright", metadata.copyright),
        ("Author", metadata.artist),
        ("XML:com.adobe.xmp", metadata.xmp.as_deref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            encoder.add_itxt_chunk(name.to_owned(), text.to_owned()).map_err(failed)?;
        }
    }
    let mut writer = encoder.write_header().map_err(failed)?;
    if by_libdeflate {
        // A chunk holds less than 2 GiB.
        for piece in deflate_up(bytes, row_bytes)?.chunks(1 << 30) {
            writer.write_chunk(::png::chunk::IDAT, piece).map_err(failed)?;
        }
    } else {
        writer.write_image_data(bytes).map_err(failed)?;
    }
    writer.finish().map_err(failed)?;
    Ok(out)
}

/// Whether most of the picture is photograph: fixed Huffman codes then cost 60 % more bytes than they save time.
/// On cut-outs and canvases, where runs of equal pixels dominate, they are smaller and faster.
fn is_busy(raster: &Raster<'_>) -> bool {
    fn varied<S: PartialEq>(samples: &[S], count: usize, width: usize) -> bool {
        // Every 16th row is enough to tell a canvas from a photograph.
        let (mut equal, mut all) = (0usize, 0usize);
        for row in samples.chunks_exact(width * count).step_by(16) {
            equal +=
                row.chunks_exact(count).zip(row.chunks_exact(count).skip(1)).filter(|(a, b)| a == b).count();
            all += width - 1;
        }
        equal * 4 < all
    }
    let (width, count) = (raster.width as usize, raster.ink.count());
    match &*raster.samples {
        Samples::U8(samples) => varied(samples, count, width),
        Samples::U16(samples) => varied(samples, count, width),
    }
}

/// All rows through the Up filter (each byte less the one above), then deflate level 1.
fn deflate_up(bytes: &[u8], row_bytes: usize) -> Result<Vec<u8>, PixelError> {
    const UP: u8 = 2;
    let mut filtered = Vec::with_capacity(bytes.len() + bytes.len() / row_bytes);
    let first = vec![0; row_bytes];
    let mut above: &[u8] = &first;
    for row in bytes.chunks_exact(row_bytes) {
        filtered.push(UP);
        filtered.extend(row.iter().zip(above).map(|(byte, above)| byte.wrapping_sub(*above)));
        above = row;
    }
    zlib(&filtered)
}

/// Deflate level 1 in a zlib stream.
pub(crate) fn zlib(bytes: &[u8]) -> Result<Vec<u8>, PixelError> {
    let level = libdeflater::CompressionLvl::new(1).expect("level 1 exists");
    let mut compressor = libdeflater::Compressor::new(level);
    let mut out = vec![0; compressor.zlib_compress_bound(bytes.len())];
    let length = compressor
        .zlib_compress(bytes, &mut out)
        .map_err(|error| PixelError::Library { library: "libdeflate", reason: format!("{error:?}") })?;
    out.truncate(length);
    Ok(out)
}
