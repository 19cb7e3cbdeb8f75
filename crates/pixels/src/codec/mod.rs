//! One file a format: what its header says, its pixels in, its pixels out.

pub(crate) mod avif;
pub(crate) mod jpeg;
mod jpeg_markers;
pub(crate) mod jpeg_write;
pub(crate) mod png;
mod png_chunks;
mod riff;
pub(crate) mod tiff;
pub(crate) mod webp;
mod webp_sys;

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::header::{Inspected, open};
use crate::{Bitmap, Codec, Format, Limits, PixelError, Samples};

/// Pixels as a decoder gives them: not yet in the working space, not yet upright.
pub(crate) enum Raw {
    /// RGB or RGBA with straight alpha; grey is already repeated.
    Colours(Bitmap),
    /// Interleaved CMYK, 0 is no ink.
    Cmyk {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Four samples a pixel.
        samples: Samples,
        /// One straight alpha sample a pixel, at the same depth.
        alpha: Option<Samples>,
    },
}

/// Reads the header and the metadata of a file of any known format, and holds them against the limits.
pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PixelError> {
    let format = open(bytes, limits)?;
    guarded(format, || match format {
        Format::Jpeg => jpeg::inspect(bytes, limits),
        Format::Png => png::inspect(bytes, limits),
        Format::WebP => webp::inspect(bytes, limits),
        Format::Tiff => tiff::inspect(bytes, limits),
        Format::Avif => Err(PixelError::UnsupportedFormat { name: "AVIF" }),
        Format::Psd => Err(PixelError::UnsupportedFormat { name: "PSD" }),
    })
}

/// Decodes the pixels. `needed` is the size (as stored, before orientation) that each side of a JPEG must exceed.
pub(crate) fn read(
    bytes: &[u8],
    inspected: &mut Inspected,
    limits: &Limits,
    codec: Codec,
    needed: Option<(u32, u32)>,
) -> Result<Raw, PixelError> {
    let format = inspected.header.format;
    guarded(format, || match format {
        Format::Jpeg => jpeg::read(bytes, inspected, limits, codec, needed),
        Format::Png => png::read(bytes, &inspected.header),
        Format::WebP => webp::read(bytes, &inspected.header, codec),
        Format::Tiff => tiff::read(bytes, &inspected.header, limits),
        Format::Avif => Err(PixelError::UnsupportedFormat { name: "AVIF" }),
        Format::Psd => Err(PixelError::UnsupportedFormat { name: "PSD" }),
    })
}

/// Runs a decoder so that a panic in it becomes a refusal of the file.
fn guarded<T>(format: Format, run: impl FnOnce() -> Result<T, PixelError>) -> Result<T, PixelError> {
    // Nothing that `run` touches is used again after a panic: the caller gives up on the file.
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(PixelError::damaged(format, "the decoder cannot make sense of it")))
}

/// Grey samples repeated to RGB, or grey and alpha to RGBA.
pub(crate) fn widen_gray<S: Copy>(samples: &[S], with_alpha: bool) -> Vec<S> {
    if with_alpha {
        let mut rgba = Vec::with_capacity(samples.len() * 2);
        samples.as_chunks::<2>().0.iter().for_each(|&[v, a]| rgba.extend_from_slice(&[v, v, v, a]));
        rgba
    } else {
        let mut rgb = Vec::with_capacity(samples.len() * 3);
        samples.iter().for_each(|&v| rgb.extend_from_slice(&[v, v, v]));
        rgb
    }
}
