//! JPEG out, by libjpeg-turbo: grey, RGB (as YCbCr) and CMYK (as Adobe's YCCK), with the segments that say more.

use turbojpeg::{Compressor, Image, PixelFormat, Subsamp};

use crate::colour::{Ink, Raster};
use crate::metadata::Metadata;
use crate::{PixelError, Subsampling, exif, photoshop};

/// The most a segment can hold: 65,535 with its length.
const SEGMENT_BYTES: usize = 65_533;

/// What can be chosen about a JPEG.
pub(crate) struct Settings {
    pub quality: u8,
    pub subsampling: Subsampling,
    pub progressive: bool,
    pub optimise: bool,
}

/// Writes 8-bit samples without alpha, then puts resolution, rights, paths and profile in front of the picture.
///
/// The quality is raised to the next at which pure white comes out as pure white ([`locks_white`]).
pub(crate) fn write(
    raster: &Raster<'_>,
    settings: &Settings,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, PixelError> {
    let samples = raster.eight_bit()?;
    let inverted;
    let (format, pixels) = match raster.ink {
        Ink::Gray => (PixelFormat::GRAY, samples),
        Ink::Cmyk => {
            // As Adobe writes it: 255 is no ink.
            inverted = samples.iter().map(|v| 255 - v).collect::<Vec<u8>>();
            (PixelFormat::CMYK, &inverted[..])
        }
        Ink::Rgb => (PixelFormat::RGB, samples),
        Ink::Rgba | Ink::GrayAlpha => return Err(PixelError::AlphaInJpeg),
    };
    let full = match settings.subsampling {
        Subsampling::S444 => true,
        Subsampling::S420 => false,
        Subsampling::Auto => raster.ink == Ink::Rgb && has_colour_edges(samples, raster.width as usize),
    };
    let subsampling = match raster.ink {
        Ink::Gray => Subsamp::Gray,
        _ if full => Subsamp::None,
        _ => Subsamp::Sub2x2,
    };
    let quality = (settings.quality..=100).find(|&quality| locks_white(quality)).unwrap_or(100);
    let pitch = raster.width as usize * raster.ink.count();
    let (width, height) = (raster.width as usize, raster.height as usize);
    let jpeg = compress(Image { pixels, width, pitch, height, format }, subsampling, quality, settings)?;

    // libjpeg-turbo begins with SOI and a JFIF segment of 16 bytes, except for CMYK.
    const JFIF_END: usize = 20;
    let has_jfif = jpeg.get(..11) == Some(b"\xff\xd8\xff\xe0\x00\x10JFIF\0");
    if has_jfif == (raster.ink == Ink::Cmyk) || jpeg.len() < JFIF_END {
        let reason = "the file begins in an unknown way".to_owned();
        return Err(PixelError::Library { library: "turbojpeg", reason });
    }
    let start = if has_jfif { JFIF_END } else { 2 };
    let mut out = Vec::with_capacity(jpeg.len() + metadata.icc.map_or(0, <[u8]>::len) + 4096);
    out.extend_from_slice(&jpeg[..start]);
    if let Some(dpi) = metadata.dpi.filter(|_| has_jfif) {
        let [high, low] = (dpi.round() as u16).to_be_bytes();
        out[13..18].copy_from_slice(&[1, high, low, high, low]);
    }
    add_segments(&mut out, metadata, has_jfif);
    out.extend_from_slice(&jpeg[start..]);
    Ok(out)
}

fn compress(
    image: Image<&[u8]>,
    subsampling: Subsamp,
    quality: u8,
    settings: &Settings,
) -> Result<Vec<u8>, PixelError> {
    let library =
        |error: turbojpeg::Error| PixelError::Library { library: "turbojpeg", reason: error.to_string() };
    let mut compressor = Compressor::new().map_err(library)?;
    compressor.set_quality(i32::from(quality)).map_err(library)?;
    compressor.set_subsamp(subsampling).map_err(library)?;
    compressor.set_optimize(settings.optimise).map_err(library)?;
    compressor.set_progressive(settings.progressive).map_err(library)?;
    compressor.compress_to_vec(image).map_err(library)
}

fn add_segments(out: &mut Vec<u8>, metadata: &Metadata<'_>, has_jfif: bool) {
    let mut segment = |marker: u8, parts: &[&[u8]]| {
        let length: usize = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
        out.extend_from_slice(&[0xff, marker]);
        out.extend_from_slice(&(length as u16).to_be_bytes());
        parts.iter().for_each(|part| out.extend_from_slice(part));
    };
    // JFIF says the resolution already.
    let (dpi, icc, xmp, photoshop) = (metadata.dpi.filter(|_| !has_jfif), None, None, None);
    let (copyright, artist) = (metadata.copyright, metadata.artist);
    if let Some(exif) = exif::write(&Metadata { dpi, icc, copyright, artist, xmp, photoshop }) {
        segment(0xe1, &[b"Exif\0\0", &exif]);
    }
    if let Some(xmp) = &metadata.xmp {
        const NAMESPACE: &[u8] = b"http://ns.adobe.com/xap/1.0/\0";
        // Two texts of at most 8 KiB, each character of which becomes at most five, and the frame around them.
        segment(0xe1, &[NAMESPACE, &xmp.as_bytes()[..xmp.len().min(SEGMENT_BYTES - NAMESPACE.len())]]);
    }
    if let Some(blocks) = &metadata.photoshop {
        const NAME: &[u8] = b"Photoshop 3.0\0";
        let mut all = Vec::with_capacity(blocks.len() + 32);
        if let Some(dpi) = metadata.dpi {
            photoshop::put(&mut all, photoshop::RESOLUTION, "", &photoshop::resolution(dpi));
        }
        all.extend_from_slice(blocks);
        // Readers put the pieces of several segments together again.
        all.chunks(SEGMENT_BYTES - NAME.len()).for_each(|piece| segment(0xed, &[NAME, piece]));
    }
    if let Some(icc) = metadata.icc {
        let pieces = icc.chunks(SEGMENT_BYTES - 14);
        let count = pieces.len() as u8;
        for (piece, number) in pieces.zip(1u8..) {
            segment(0xe2, &[b"ICC_PROFILE\0", &[number, count], piece]);
        }
    }
}

/// Whether a block of pure white decodes as pure white at that quality: its one coefficient, 127 times 8, must survive
/// the division by the step that libjpeg makes of the standard's table (T.81 table K.1, whose first value is 16).
/// From quality 50 on it always does.
fn locks_white(quality: u8) -> bool {
    let quality = i32::from(quality.clamp(1, 100));
    let scale = if quality < 50 { 5000 / quality } else { 200 - quality * 2 };
    let step = ((16 * scale + 50) / 100).clamp(1, 255);
    let stored = (1016 + step / 2) / step;
    (stored * step + 4) >> 3 >= 127
}

/// Difference of chroma from the mean of its four pixels that shows as a bleeding edge, in levels.
const BLEEDS: i32 = 20;

/// Whether edges between strong colours are so long that halving the colour resolution would show: at least an eighth
/// of the width and height together.
fn has_colour_edges(rgb: &[u8], width: usize) -> bool {
    let height = rgb.len() / 3 / width;
    if width < 2 || height < 2 {
        return true;
    }
    // Chroma times 8, which is precise enough (JFIF's equations).
    let chroma = |p: &[u8; 3]| {
        let [r, g, b] = p.map(i32::from);
        (((-43 * r - 85 * g + 128 * b) >> 5), ((128 * r - 107 * g - 21 * b) >> 5))
    };
    let rows = |y: usize| rgb[y * width * 3..(y + 1) * width * 3].as_chunks::<3>().0;
    let mut edges = 0usize;
    // Every fourth pair of rows tells enough.
    for y in (0..height - 1).step_by(8) {
        for (a, b) in rows(y).as_chunks::<2>().0.iter().zip(rows(y + 1).as_chunks::<2>().0) {
            let four = [chroma(&a[0]), chroma(&a[1]), chroma(&b[0]), chroma(&b[1])];
            let spread = |of: fn(&(i32, i32)) -> i32| {
                let sum: i32 = four.iter().map(of).sum();
                four.iter().map(|c| (of(c) * 4 - sum).abs()).max().unwrap_or(0)
            };
            // Times 8 for the scale, times 4 for the mean.
            if spread(|c| c.0).max(spread(|c| c.1)) > BLEEDS * 32 {
                edges += 1;
            }
        }
    }
    // A block of an edge is two pixels long, and one in four was looked at.
    edges * 8 >= (width + height) / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn square(width: usize, inner: [u8; 3]) -> Vec<u8> {
        (0..width * width)
            .flat_map(|i| {
                let inside = |v: usize| (width / 4 + 1..width * 3 / 4).contains(&v);
                if inside(i % width) && inside(i / width) { inner } else { [255; 3] }
            })
            .collect()
    }

    #[test]
    fn colour_edges_are_seen_and_others_are_not() {
        for inner in [[200, 20, 30], [30, 60, 200], [240, 120, 0]] {
            assert!(has_colour_edges(&square(400, inner), 400), "{inner:?}");
        }
        for inner in [[20, 20, 20], [120, 110, 100], [200, 180, 170]] {
            assert!(!has_colour_edges(&square(400, inner), 400), "{inner:?}");
        }
    }

    #[test]
    fn most_qualities_keep_white() {
        assert!((50..=100).all(locks_white));
        assert!(!locks_white(42));
        assert!((1..=100u8).all(|quality| (quality..=100).take(8).any(locks_white)));
    }
}
