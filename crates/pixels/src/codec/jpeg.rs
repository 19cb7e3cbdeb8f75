//! JPEG in, by libjpeg-turbo or by `zune-jpeg`.

use turbojpeg::{Decompressor, Image, PixelFormat, ScalingFactor};
use zune_jpeg::JpegDecoder;
use zune_jpeg::zune_core::bytestream::ZCursor;
use zune_jpeg::zune_core::colorspace::ColorSpace;
use zune_jpeg::zune_core::options::DecoderOptions;

use super::{Raw, jpeg_markers, widen_gray};
use crate::header::Inspected;
use crate::{Bitmap, Channels, Codec, Format, Header, Limits, PixelError, Samples, SourceChannels, exif};

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PixelError> {
    let markers = jpeg_markers::read(bytes, limits)?;
    let pixel_bytes = if markers.components == 4 { 4 } else { 3 };
    limits.check_size(markers.width, markers.height, pixel_bytes, bytes.len())?;
    let facts = markers.exif.as_deref().map(exif::read).unwrap_or_default();
    let mut warnings = Vec::new();
    let icc = markers.icc.and_then(|icc| {
        icc.map_err(|()| {
            warnings.push("the embedded ICC profile was ignored: pieces of it are missing".to_owned())
        })
        .ok()
    });
    let jfif_dpi = markers.density.and_then(|(unit, x, y)| {
        let scale = match unit {
            1 => 1.0,
            2 => 2.54,
            _ => return None,
        };
        exif::sensible_dpi(f64::from(x) * scale, f64::from(y) * scale)
    });
    let header = Header {
        format: Format::Jpeg,
        width: markers.width,
        height: markers.height,
        channels: match (markers.components, markers.adobe_transform) {
            (1, _) => SourceChannels::Gray,
            (4, Some(2)) => SourceChannels::Ycck,
            (4, _) => SourceChannels::Cmyk,
            _ => SourceChannels::Rgb,
        },
        depth: 8,
        has_alpha: false,
        orientation: facts.orientation.unwrap_or(1),
        has_icc: icc.is_some(),
        // Exif is what cameras and Photoshop keep up to date; JFIF is often left at 72.
        dpi: facts.dpi.or(jfif_dpi),
        frames: 1,
    };
    let inverted = markers.components == 4 && markers.adobe_transform.is_some();
    let (named_space, rights) = (facts.space, facts.rights);
    Ok(Inspected { header, icc, named_space, inverted_cmyk: inverted, rights, warnings })
}

pub(crate) fn read(
    bytes: &[u8],
    inspected: &mut Inspected,
    limits: &Limits,
    codec: Codec,
    needed: Option<(u32, u32)>,
) -> Result<Raw, PixelError> {
    let header = &inspected.header;
    let is_cmyk = matches!(header.channels, SourceChannels::Cmyk | SourceChannels::Ycck);
    let (width, height, mut samples) = match codec {
        Codec::Safe => read_safe(&jpeg_markers::tidy(bytes), header, limits)?,
        Codec::Fast => {
            let mut read = read_fast(bytes, header, limits, needed, is_cmyk)?;
            if let Fast::Remark(remark) = read {
                // libjpeg-turbo stops at a remark about the header, whether it matters or not.
                inspected.warnings.push(remark);
                read = read_fast(&jpeg_markers::tidy(bytes), header, limits, needed, is_cmyk)?;
            }
            match read {
                Fast::Done(pixels, remark) => {
                    inspected.warnings.extend(remark);
                    pixels
                }
                Fast::Remark(remark) => return Err(PixelError::damaged(Format::Jpeg, remark)),
            }
        }
    };
    if !is_cmyk {
        return Ok(Raw::Colours(Bitmap::from_u8(width, height, Channels::Rgb, samples)?));
    }
    if inspected.inverted_cmyk {
        samples.iter_mut().for_each(|v| *v = 255 - *v);
    }
    Ok(Raw::Cmyk { width, height, samples: Samples::U8(samples), alpha: None })
}

/// Width, height and interleaved samples.
type Pixels = (u32, u32, Vec<u8>);

enum Fast {
    Done(Pixels, Option<String>),
    Remark(String),
}

fn read_fast(
    bytes: &[u8],
    header: &Header,
    limits: &Limits,
    needed: Option<(u32, u32)>,
    is_cmyk: bool,
) -> Result<Fast, PixelError> {
    let library =
        |error: turbojpeg::Error| PixelError::Library { library: "turbojpeg", reason: error.to_string() };
    let mut decompressor = Decompressor::new().map_err(library)?;
    decompressor.set_scan_limit(limits.max_scans).map_err(library)?;
    let scale = needed.map_or(ScalingFactor::ONE, |needed| scale_for((header.width, header.height), needed));
    decompressor.set_scaling_factor(scale).map_err(library)?;
    let parsed = match decompressor.read_header(bytes) {
        Ok(parsed) => parsed,
        Err(error) => match verdict(&error, limits) {
            Ok(remark) => return Ok(Fast::Remark(remark)),
            Err(error) => return Err(error),
        },
    };
    if (parsed.width, parsed.height) != (header.width as usize, header.height as usize) {
        return Err(PixelError::damaged(Format::Jpeg, "its headers contradict each other"));
    }
    let scaled = parsed.scaled(scale);
    let format = if is_cmyk { PixelFormat::CMYK } else { PixelFormat::RGB };
    let pitch = scaled.width * format.size();
    let mut image = Image {
        pixels: vec![0; pitch * scaled.height],
        width: scaled.width,
        pitch,
        height: scaled.height,
        format,
    };
    let warning = match decompressor.decompress(bytes, image.as_deref_mut()) {
        Ok(()) => None,
        Err(error) => Some(verdict(&error, limits)?),
    };
    Ok(Fast::Done((scaled.width as u32, scaled.height as u32, image.pixels), warning))
}

/// Tells a remark that leaves every pixel intact from a fault.
fn verdict(error: &turbojpeg::Error, limits: &Limits) -> Result<String, PixelError> {
    let turbojpeg::Error::TurboJpegError(text) = error else {
        return Err(PixelError::damaged(Format::Jpeg, error));
    };
    if text.contains("Premature end of JPEG file") || text.contains("Premature end of input file") {
        Err(PixelError::Truncated { format: Format::Jpeg })
    } else if text.contains("more than") && text.contains("scans") {
        Err(PixelError::TooManyScans { max: limits.max_scans })
    } else if text.contains("extraneous bytes")
        || text.contains("Unknown Adobe color transform")
        || text.contains("bad ICC marker")
        || text.contains("unknown JFIF revision")
        || text.contains("Invalid SOS parameters")
    {
        Ok(text.trim_end_matches('.').to_owned())
    } else {
        Err(PixelError::damaged(Format::Jpeg, text))
    }
}

/// The largest reduction that leaves each side longer than needed by at least one part in eight.
fn scale_for(size: (u32, u32), needed: (u32, u32)) -> ScalingFactor {
    let room = |side: u32, needed: u32| side / needed.max(1);
    // One step less than would just do, as sharp and libvips: rounding in the last block would show.
    match room(size.0, needed.0).min(room(size.1, needed.1)) {
        0..=2 => ScalingFactor::ONE,
        3..=4 => ScalingFactor::ONE_HALF,
        5..=8 => ScalingFactor::ONE_QUARTER,
        _ => ScalingFactor::ONE_EIGHTH,
    }
}

fn read_safe(bytes: &[u8], header: &Header, limits: &Limits) -> Result<Pixels, PixelError> {
    let out = match header.channels {
        SourceChannels::Gray => ColorSpace::Luma,
        // Without conversion, so that the profile can do it.
        SourceChannels::Cmyk => ColorSpace::CMYK,
        SourceChannels::Ycck => ColorSpace::YCCK,
        _ => ColorSpace::RGB,
    };
    let options = DecoderOptions::default()
        .set_max_width(header.width as usize)
        .set_max_height(header.height as usize)
        .set_strict_mode(true)
        .jpeg_set_max_scans(limits.max_scans as usize)
        .jpeg_set_out_colorspace(out);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    let mut samples = decoder.decode().map_err(|error| refuse_safe(&error))?;
    let expected = header.width as usize * header.height as usize * out.num_components();
    if decoder.dimensions() != Some((header.width as usize, header.height as usize))
        || samples.len() != expected
    {
        return Err(PixelError::damaged(Format::Jpeg, "its headers contradict each other"));
    }
    match header.channels {
        SourceChannels::Gray => samples = widen_gray(&samples, false),
        SourceChannels::Ycck => ycck_to_cmyk(&mut samples),
        _ => {}
    }
    Ok((header.width, header.height, samples))
}

fn refuse_safe(error: &zune_jpeg::errors::DecodeErrors) -> PixelError {
    use zune_jpeg::errors::DecodeErrors as E;
    let text = error.to_string();
    match error {
        E::ExhaustedData | E::IoErrors(_) => PixelError::Truncated { format: Format::Jpeg },
        _ if text.contains("exhausted") || text.contains("Premature") || text.contains("end of") => {
            PixelError::Truncated { format: Format::Jpeg }
        }
        _ => PixelError::damaged(Format::Jpeg, text),
    }
}

/// YCbCr to inverted CMY (T.871 equations), black as it is: what libjpeg gives for Adobe's YCCK.
fn ycck_to_cmyk(samples: &mut [u8]) {
    for pixel in samples.as_chunks_mut::<4>().0 {
        let (y, cb, cr) = (f32::from(pixel[0]), f32::from(pixel[1]) - 128.0, f32::from(pixel[2]) - 128.0);
        let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
        for (to, value) in pixel.iter_mut().zip(rgb) {
            *to = 255 - (value + 0.5) as u8;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reduction_always_leaves_room() {
        for width in 1..600u32 {
            for needed in 1..60 {
                let factor = scale_for((width, width * 2), (needed, needed * 2));
                if factor != ScalingFactor::ONE {
                    assert!(
                        factor.scale(width as usize) as f64 >= f64::from(needed) * 1.125,
                        "{width} {needed}"
                    );
                }
            }
        }
        assert_eq!(scale_for((4000, 6000), (1333, 2000)), ScalingFactor::ONE_HALF);
        assert_eq!(scale_for((4000, 6000), (341, 512)), ScalingFactor::ONE_EIGHTH);
        assert_eq!(scale_for((4000, 6000), (2000, 3000)), ScalingFactor::ONE);
    }

    #[test]
    fn ycck_is_inverted_cmy_and_black() {
        let mut pixel = [255, 128, 128, 9, 0, 128, 128, 200];
        ycck_to_cmyk(&mut pixel);
        assert_eq!(pixel, [0, 0, 0, 9, 255, 255, 255, 200]);
    }
}
