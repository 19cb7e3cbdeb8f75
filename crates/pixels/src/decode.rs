//! Bytes → [`Bitmap`] within limits. Orientation and profile are applied here, once, and nowhere else.

use crate::codec::{self, Raw};
use crate::colour::{self, Conversion, Kind, Source};
use crate::{
    Bitmap, Channels, Filter, Header, Limits, PixelError, Rights, Samples, SamplesMut, SourceChannels,
    fit_inside, orient, resize,
};

/// Which decoders read JPEG and WebP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Codec {
    /// libjpeg-turbo and libwebp: C, the fastest.
    #[default]
    Fast,
    /// `zune-jpeg` and `image-webp`: memory-safe Rust, slower, without scaling while decoding.
    Safe,
}

/// How a picture is to be decoded.
#[derive(Clone, Debug, Default)]
pub struct DecodeOptions {
    /// What is refused.
    pub limits: Limits,
    /// Upright width and height that the caller will scale down to. When the picture is far larger, a JPEG may be
    /// decoded at 1/2, 1/4 or 1/8; each side then stays longer than asked for by at least 1/8. `None` decodes every pixel.
    pub fit: Option<(u32, u32)>,
    /// Longest side of the result, in pixels: larger pictures are scaled down to it exactly (Lanczos3), and their
    /// colours converted after that. `None` never scales.
    pub max_side: Option<u32>,
    /// Which decoders are used.
    pub codec: Codec,
    /// What becomes of CMYK without a profile: refused (`false`), or converted by the device formula
    /// R = (1 − C)(1 − K), G and B alike, of ISO 32000-1 10.3.5, which is no printing condition but always the same (`true`).
    pub assume_device_cmyk: bool,
}

/// A decoded picture: upright, in the working space of [`Bitmap`].
#[derive(Clone, Debug)]
pub struct Decoded {
    /// The pixels: sRGB, straight alpha, 16 bit when the file has more than 8, RGBA when the file can hold transparency.
    pub bitmap: Bitmap,
    /// What the file said.
    pub header: Header,
    /// Colour space that the file was in, for a reader: `Display P3`, or `sRGB (assumed)`.
    pub source_profile: String,
    /// Horizontal and vertical resolution of the upright picture in dots per inch, when stored.
    pub dpi: Option<(f64, f64)>,
    /// Whose picture the file says it is.
    pub rights: Rights,
    /// What was wrong with the file but could be lived with, one sentence each.
    pub warnings: Vec<String>,
}

/// Decodes a picture: limits first, then pixels, then downscale, colour, orientation.
///
/// Refuses truncated and damaged files; no panic of a decoder escapes.
pub fn decode(bytes: &[u8], options: &DecodeOptions) -> Result<Decoded, PixelError> {
    let mut inspected = codec::inspect(bytes, &options.limits)?;
    let header = inspected.header.clone();
    let kind = match header.channels {
        SourceChannels::Gray | SourceChannels::GrayAlpha => Kind::Gray,
        SourceChannels::Palette | SourceChannels::Rgb | SourceChannels::Rgba => Kind::Rgb,
        SourceChannels::Cmyk | SourceChannels::Ycck => Kind::Cmyk,
    };
    let icc = inspected.icc.take();
    let source = colour::interpret(icc.as_deref(), inspected.named_space, kind, &mut inspected.warnings);
    let source = match source {
        Some(source) => source,
        None if options.assume_device_cmyk => {
            Source { conversion: Conversion::DeviceCmyk, name: "CMYK (assumed, no profile)".to_owned() }
        }
        None => return Err(PixelError::CmykWithoutProfile),
    };

    // Sizes as stored from here on: the picture is turned last, when it is smallest.
    let stored = |(width, height): (u32, u32)| {
        if header.orientation >= 5 { (height, width) } else { (width, height) }
    };
    let size = (header.width, header.height);
    let target = match options.max_side {
        Some(side) if size.0.max(size.1) > side => Some(fit_inside(size, (side, side), false)),
        _ => None,
    };
    let needed = target.or(options.fit.map(stored));
    let raw = codec::read(bytes, &mut inspected, &options.limits, options.codec, needed)?;
    let mut bitmap = match raw {
        Raw::Colours(bitmap) => {
            let mut bitmap = match target {
                Some((width, height)) => resize(&bitmap, width, height, Filter::Lanczos3)?,
                None => bitmap,
            };
            colour::convert(&mut bitmap, &source.conversion)?;
            bitmap
        }
        Raw::Cmyk { width, height, samples, alpha } => {
            let rgb = colour::cmyk_to_rgb(&samples, &source.conversion)?;
            drop(samples);
            let bitmap = join_alpha(Bitmap::new(width, height, Channels::Rgb, rgb)?, alpha)?;
            match target {
                Some((width, height)) => resize(&bitmap, width, height, Filter::Lanczos3)?,
                None => bitmap,
            }
        }
    };
    bitmap = orient(bitmap, header.orientation)?;
    let dpi = header.dpi.map(|(x, y)| if header.orientation >= 5 { (y, x) } else { (x, y) });
    let rights = inspected.rights;
    Ok(Decoded { bitmap, source_profile: source.name, dpi, rights, warnings: inspected.warnings, header })
}

/// Gives an RGB bitmap an alpha channel of the same depth.
fn join_alpha(bitmap: Bitmap, alpha: Option<Samples>) -> Result<Bitmap, PixelError> {
    let Some(alpha) = alpha else { return Ok(bitmap) };
    let mut rgba = bitmap.into_rgba();
    match (rgba.samples_mut(), alpha) {
        (SamplesMut::U8(to), Samples::U8(from)) => {
            to.as_chunks_mut::<4>().0.iter_mut().zip(from).for_each(|(pixel, alpha)| pixel[3] = alpha);
        }
        (SamplesMut::U16(to), Samples::U16(from)) => {
            to.as_chunks_mut::<4>().0.iter_mut().zip(from).for_each(|(pixel, alpha)| pixel[3] = alpha);
        }
        _ => {
            return Err(PixelError::Library {
                library: "decoder",
                reason: "alpha has another depth".to_owned(),
            });
        }
    }
    Ok(rgba)
}
