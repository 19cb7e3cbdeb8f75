//! The chunks of a PNG file (W3C PNG, third edition), without their pixels.

use crate::header::NamedSpace;
use crate::metadata::text_of;
use crate::{Format, Limits, PixelError, Rights, SourceChannels, exif};

/// What the chunks say.
#[derive(Debug)]
pub(crate) struct Chunks {
    pub width: u32,
    pub height: u32,
    pub depth: u8,
    pub channels: SourceChannels,
    pub has_transparency: bool,
    pub icc: Option<Vec<u8>>,
    pub space: Option<NamedSpace>,
    pub orientation: Option<u8>,
    pub dpi: Option<(f64, f64)>,
    pub rights: Rights,
    pub warnings: Vec<String>,
}

/// Walks over all chunks and holds them against the limits. Pixel data is neither read nor inflated.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Chunks, PixelError> {
    let damaged = |reason: &str| PixelError::damaged(Format::Png, reason);
    let truncated = || PixelError::Truncated { format: Format::Png };
    let mut walker = Walker { rest: bytes.get(8..).ok_or_else(truncated)? };
    let (name, header) = walker.next().ok_or_else(truncated)??;
    let &[w1, w2, w3, w4, h1, h2, h3, h4, depth, colour, 0, 0, _] = header else {
        return Err(damaged("its header is not that of a PNG"));
    };
    if name != b"IHDR" {
        return Err(damaged("its header is missing"));
    }
    let channels = match (colour, depth) {
        (0, 1 | 2 | 4 | 8 | 16) => SourceChannels::Gray,
        (2, 8 | 16) => SourceChannels::Rgb,
        (3, 1 | 2 | 4 | 8) => SourceChannels::Palette,
        (4, 8 | 16) => SourceChannels::GrayAlpha,
        (6, 8 | 16) => SourceChannels::Rgba,
        _ => {
            return Err(damaged(&format!("colour type {colour} with {depth} bits does not exist")));
        }
    };
    let mut chunks = Chunks {
        width: u32::from_be_bytes([w1, w2, w3, w4]),
        height: u32::from_be_bytes([h1, h2, h3, h4]),
        depth,
        channels,
        has_transparency: matches!(channels, SourceChannels::GrayAlpha | SourceChannels::Rgba),
        icc: None,
        space: None,
        orientation: None,
        dpi: None,
        rights: Rights::default(),
        warnings: Vec::new(),
    };
    if chunks.width == 0 || chunks.height == 0 || chunks.width.max(chunks.height) > i32::MAX as u32 {
        return Err(damaged("a side is 0 or too long"));
    }
    let deep = if depth == 16 { 2 } else { 1 };
    // Alpha is reckoned with before it is known: `tRNS` comes later, and the limit is about magnitude.
    let samples = if chunks.has_transparency || channels == SourceChannels::Palette { 4 } else { 3 };
    limits.check_size(chunks.width, chunks.height, samples * deep, bytes.len())?;

    let (mut metadata_bytes, mut has_pixels, mut ended) = (0u64, false, false);
    let (mut cicp, mut is_srgb) = (None, false);
    for chunk in walker {
        let (name, data) = chunk?;
        if !matches!(name, b"IDAT" | b"PLTE" | b"fdAT" | b"IEND") {
            metadata_bytes += data.len() as u64;
            limits.check_metadata(metadata_bytes)?;
        }
        match name {
            b"IDAT" => has_pixels = true,
            b"IEND" => {
                ended = true;
                break;
            }
            b"tRNS" => chunks.has_transparency = true,
            b"acTL" => {
                let frames = data.get(..4).map_or(0, |n| u32::from_be_bytes([n[0], n[1], n[2], n[3]]));
                // One frame is a still picture that an animation tool wrote; more would be silently lost.
                if frames > 1 {
                    let count = u64::from(frames);
                    return Err(PixelError::SeveralPictures { format: Format::Png, count, unit: "frames" });
                }
            }
            b"iCCP" if !has_pixels => match inflate_icc(data, limits)? {
                Some(icc) => chunks.icc = Some(icc),
                None => chunks
                    .warnings
                    .push("the embedded ICC profile was ignored: it cannot be inflated".to_owned()),
            },
            b"cICP" if !has_pixels => cicp = data.get(..4),
            b"sRGB" if !has_pixels => is_srgb = true,
            b"eXIf" => {
                let facts = exif::read(data);
                chunks.orientation = facts.orientation;
                chunks.rights = std::mem::take(&mut chunks.rights).or(facts.rights);
            }
            b"tEXt" | b"iTXt" => match said(name, data) {
                Some((b"Copyright", text)) => chunks.rights.copyright = text,
                Some((b"Author", text)) => chunks.rights.artist = text,
                _ => {}
            },
            b"pHYs" => chunks.dpi = density(data),
            _ => {}
        }
    }
    if !has_pixels || !ended {
        return Err(truncated());
    }
    // In the order of precedence of the specification: cICP, iCCP, sRGB.
    match cicp {
        Some([1, 13, 0, 1]) => (chunks.space, chunks.icc) = (Some(NamedSpace::Srgb), None),
        Some([12, 13, 0, 1]) => (chunks.space, chunks.icc) = (Some(NamedSpace::DisplayP3), None),
        Some(other) => {
            chunks.warnings.push(format!("the colour space `cICP {other:?}` is not known and was ignored"));
        }
        None => {}
    }
    if chunks.space.is_none() && is_srgb {
        chunks.space = Some(NamedSpace::Srgb);
    }
    Ok(chunks)
}

/// Keyword and text of a chunk that is not compressed.
fn said<'a>(name: &[u8; 4], data: &'a [u8]) -> Option<(&'a [u8], Option<String>)> {
    let end = data.iter().take(80).position(|&b| b == 0)?;
    let (keyword, rest) = (&data[..end], &data[end + 1..]);
    if name == b"tEXt" {
        // Latin-1, whose numbers are those of Unicode.
        let text: String = rest.iter().map(|&b| char::from(b)).collect();
        return Some((keyword, text_of(text.as_bytes())));
    }
    // Whether compressed, by which method, then language and translated keyword, each with a zero behind.
    let rest = rest.strip_prefix(b"\0")?.get(1..)?;
    let mut parts = rest.splitn(3, |&b| b == 0);
    let text = parts.nth(2)?;
    Some((keyword, text_of(text)))
}

fn density(data: &[u8]) -> Option<(f64, f64)> {
    let &[x1, x2, x3, x4, y1, y2, y3, y4, 1] = data else {
        return None;
    };
    let inches = |metres: [u8; 4]| {
        // Whole numbers a metre cannot say 300 dpi; to a tenth they can.
        (f64::from(u32::from_be_bytes(metres)) * 0.0254 * 10.0).round() / 10.0
    };
    exif::sensible_dpi(inches([x1, x2, x3, x4]), inches([y1, y2, y3, y4]))
}

/// Name, zero, method 0, zlib data.
fn inflate_icc(data: &[u8], limits: &Limits) -> Result<Option<Vec<u8>>, PixelError> {
    let Some(end) = data.iter().take(80).position(|&b| b == 0) else {
        return Ok(None);
    };
    let Some((0, zlib)) = data.get(end + 1).copied().zip(data.get(end + 2..)) else {
        return Ok(None);
    };
    let most = limits.max_icc_bytes as usize;
    let mut inflater = libdeflater::Decompressor::new();
    let mut room = (64 << 10).min(most);
    loop {
        let mut icc = vec![0; room];
        match inflater.zlib_decompress(zlib, &mut icc) {
            Ok(length) => {
                icc.truncate(length);
                return Ok(Some(icc));
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) if room < most => {
                room = (room * 8).min(most)
            }
            Err(libdeflater::DecompressionError::InsufficientSpace) => {
                limits.check_icc(most as u64 + 1)?;
                return Ok(None);
            }
            Err(_) => return Ok(None),
        }
    }
}

/// Chunk after chunk: name and data. Check sums are left to the decoder.
struct Walker<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Walker<'a> {
    type Item = Result<(&'a [u8; 4], &'a [u8]), PixelError>;

    fn next(&mut self) -> Option<Self::Item> {
        let truncated = || PixelError::Truncated { format: Format::Png };
        if self.rest.is_empty() {
            return None;
        }
        let Some((length, after)) = self.rest.split_first_chunk::<4>() else {
            return Some(Err(truncated()));
        };
        let length = u32::from_be_bytes(*length) as usize;
        let Some((name, after)) = after.split_first_chunk::<4>() else {
            return Some(Err(truncated()));
        };
        // The check sum follows; a file cut inside it is cut all the same.
        let (Some(data), Some(rest)) = (after.get(..length), after.get(length.saturating_add(4)..)) else {
            return Some(Err(truncated()));
        };
        self.rest = rest;
        Some(Ok((name, data)))
    }
}
