//! WebP: decoded by libwebp or `image-webp`; lossy by libwebp, lossless by `image-webp`.

use std::io::Cursor;

use image_webp::{ColorType, DecodingError, WebPDecoder, WebPEncoder};

use super::{Raw, riff, webp_sys};
use crate::colour::Raster;
use crate::header::Inspected;
use crate::metadata::Metadata;
use crate::{Bitmap, Channels, Codec, Format, Header, Limits, PixelError, SourceChannels, exif};

/// The longest side of a WebP picture.
pub(crate) const LONGEST_SIDE: u32 = 16_383;

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PixelError> {
    let container = riff::read(bytes, limits)?;
    let (width, height) = (container.width, container.height);
    limits.check_size(width, height, if container.has_alpha { 4 } else { 3 }, bytes.len())?;
    let facts = container.exif.map(exif::read).unwrap_or_default();
    let header = Header {
        format: Format::WebP,
        width,
        height,
        channels: if container.has_alpha { SourceChannels::Rgba } else { SourceChannels::Rgb },
        depth: 8,
        has_alpha: container.has_alpha,
        orientation: facts.orientation.unwrap_or(1),
        has_icc: container.icc.is_some(),
        dpi: facts.dpi,
        frames: 1,
    };
    let icc = container.icc.map(<[u8]>::to_vec);
    let (named_space, rights) = (facts.space, facts.rights);
    Ok(Inspected { header, icc, named_space, inverted_cmyk: false, rights, warnings: Vec::new() })
}

pub(crate) fn read(bytes: &[u8], header: &Header, codec: Codec) -> Result<Raw, PixelError> {
    let (width, height) = (header.width, header.height);
    let channels = if header.has_alpha { Channels::Rgba } else { Channels::Rgb };
    let mut samples = vec![0; width as usize * height as usize * channels.count()];
    match codec {
        Codec::Fast => {
            if !webp_sys::decode_into(bytes, width, height, header.has_alpha, &mut samples) {
                return Err(PixelError::damaged(Format::WebP, "its pixels cannot be decoded"));
            }
        }
        Codec::Safe => {
            let mut decoder = WebPDecoder::new(Cursor::new(bytes)).map_err(refuse)?;
            if decoder.dimensions() != (width, height) {
                return Err(PixelError::damaged(Format::WebP, "its headers contradict each other"));
            }
            if decoder.has_alpha() == header.has_alpha {
                decoder.read_image(&mut samples).map_err(refuse)?;
            } else {
                // The container says one thing about alpha and the picture another: believe the container.
                let own = if decoder.has_alpha() { Channels::Rgba } else { Channels::Rgb };
                let mut own_samples = vec![0; width as usize * height as usize * own.count()];
                decoder.read_image(&mut own_samples).map_err(refuse)?;
                let bitmap = Bitmap::from_u8(width, height, own, own_samples)?;
                return Ok(Raw::Colours(if header.has_alpha {
                    bitmap.into_rgba()
                } else {
                    bitmap.without_alpha()
                }));
            }
        }
    }
    Ok(Raw::Colours(Bitmap::from_u8(width, height, channels, samples)?))
}

fn refuse(error: DecodingError) -> PixelError {
    match error {
        DecodingError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PixelError::Truncated { format: Format::WebP }
        }
        error => PixelError::damaged(Format::WebP, error),
    }
}

/// Writes 8-bit RGB or RGBA samples: with loss at (quality, effort), or without.
pub(crate) fn write(
    raster: &Raster<'_>,
    lossy: Option<(u8, u8)>,
    exact: bool,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, PixelError> {
    let (width, height) = (raster.width, raster.height);
    if width.max(height) > LONGEST_SIDE {
        let (format, max) = (Format::WebP, LONGEST_SIDE);
        return Err(PixelError::TooLargeForFormat { format, max, width, height });
    }
    let samples = raster.eight_bit()?;
    let alpha = raster.ink.has_alpha();
    let bytes = match lossy {
        Some((quality, effort)) => webp_sys::encode(samples, width, height, alpha, quality, effort, exact)
            .map_err(|reason| PixelError::Library { library: "libwebp", reason })?,
        None => {
            let mut bytes = Vec::new();
            let colour = if alpha { ColorType::Rgba8 } else { ColorType::Rgb8 };
            WebPEncoder::new(&mut bytes)
                .encode(samples, width, height, colour)
                .map_err(|error| PixelError::Library { library: "image-webp", reason: error.to_string() })?;
            bytes
        }
    };
    riff::with_metadata(bytes, metadata.icc, exif::write(metadata).as_deref(), metadata.xmp.as_deref())
}
