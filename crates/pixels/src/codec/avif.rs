//! AVIF, written by `ravif` on one thread: sRGB as CICP says it (1/13/6), 4:4:4, 10 bits. Not read.

use ravif::{AlphaColorMode, Encoder, Img, RGB8, RGBA8};

use crate::colour::{Ink, Raster};
use crate::metadata::Metadata;
use crate::{PixelError, exif};

/// Writes 8-bit RGB or RGBA samples; resolution and rights go into Exif.
pub(crate) fn write(
    raster: &Raster<'_>,
    quality: u8,
    speed: u8,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, PixelError> {
    let failed = |error: ravif::Error| PixelError::Library { library: "ravif", reason: error.to_string() };
    let samples = raster.eight_bit()?;
    let (width, height) = (raster.width as usize, raster.height as usize);
    let mut encoder = Encoder::new()
        .with_quality(f32::from(quality))
        // Alpha compresses well, and its steps show at once.
        .with_alpha_quality(f32::from(quality.max(90)))
        .with_speed(speed)
        .with_num_threads(Some(1))
        .with_alpha_color_mode(AlphaColorMode::UnassociatedClean);
    if let Some(exif) = exif::write(metadata) {
        encoder = encoder.with_exif(exif);
    }
    let encoded = match raster.ink {
        Ink::Rgba => {
            let pixels: Vec<RGBA8> =
                samples.as_chunks::<4>().0.iter().map(|&[r, g, b, a]| RGBA8::new(r, g, b, a)).collect();
            encoder.encode_rgba(Img::new(&pixels[..], width, height))
        }
        _ => {
            let pixels: Vec<RGB8> =
                samples.as_chunks::<3>().0.iter().map(|&[r, g, b]| RGB8::new(r, g, b)).collect();
            encoder.encode_rgb(Img::new(&pixels[..], width, height))
        }
    };
    Ok(encoded.map_err(failed)?.avif_file)
}
