//! The RIFF container of WebP (RFC 9649 section 2): its chunks read, and a new one put together.

use crate::{Format, Limits, PixelError};

/// Bits of the VP8X flags.
const ANIMATION: u8 = 0x02;
const XMP: u8 = 0x04;
const EXIF: u8 = 0x08;
const ALPHA: u8 = 0x10;
const ICC: u8 = 0x20;

/// What the container says.
#[derive(Debug, Default)]
pub(crate) struct Container<'a> {
    pub width: u32,
    pub height: u32,
    pub has_alpha: bool,
    pub icc: Option<&'a [u8]>,
    pub exif: Option<&'a [u8]>,
    /// `ALPH`, `VP8 ` and `VP8L` chunks: the picture itself.
    pictures: Vec<([u8; 4], &'a [u8])>,
}

/// Reads the container and holds its metadata against the limits; refuses animations.
pub(crate) fn read<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Container<'a>, PixelError> {
    let truncated = || PixelError::Truncated { format: Format::WebP };
    let damaged = |reason: &str| PixelError::damaged(Format::WebP, reason);
    let announced =
        bytes.get(4..8).map(|n| u32::from_le_bytes([n[0], n[1], n[2], n[3]])).ok_or_else(truncated)?;
    if announced as usize > bytes.len() - 8 {
        return Err(truncated());
    }
    let mut rest = bytes.get(12..8 + announced as usize).ok_or_else(|| damaged("it holds no picture"))?;
    let (mut container, mut canvas) = (Container::default(), None);
    let (mut frames, mut metadata_bytes) = (0u64, 0u64);
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let name = [head[0], head[1], head[2], head[3]];
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let data = after.get(..length).ok_or_else(truncated)?;
        // Chunks begin at even offsets; the last one may lack its padding.
        rest = after.get(length.next_multiple_of(2)..).unwrap_or_default();
        match &name {
            b"VP8X" => {
                let &[flags, _, _, _, w1, w2, w3, h1, h2, h3, ..] = data else {
                    return Err(damaged("its header is too short"));
                };
                if flags & ANIMATION != 0 {
                    frames = 1;
                }
                container.has_alpha = flags & ALPHA != 0;
                canvas =
                    Some((u32::from_le_bytes([w1, w2, w3, 0]) + 1, u32::from_le_bytes([h1, h2, h3, 0]) + 1));
            }
            b"VP8 " | b"VP8L" | b"ALPH" => container.pictures.push((name, data)),
            b"ANMF" => frames += 1,
            b"ICCP" => {
                limits.check_icc(length as u64)?;
                container.icc = Some(data);
            }
            b"EXIF" => container.exif = Some(data),
            _ => {}
        }
        if !matches!(&name, b"VP8 " | b"VP8L" | b"ALPH" | b"ANMF") {
            metadata_bytes += length as u64;
            limits.check_metadata(metadata_bytes)?;
        }
    }
    if frames > 0 {
        let count = frames.saturating_sub(1).max(1);
        return Err(PixelError::SeveralPictures { format: Format::WebP, count, unit: "animation frames" });
    }
    let (width, height, alpha) = container
        .pictures
        .iter()
        .find_map(|(name, data)| match name {
            b"VP8 " => lossy_size(data),
            b"VP8L" => lossless_size(data),
            _ => None,
        })
        .ok_or_else(|| damaged("it holds no picture"))?;
    if canvas.is_some_and(|canvas| canvas != (width, height)) {
        return Err(damaged("its headers contradict each other"));
    }
    container.has_alpha |= alpha;
    (container.width, container.height) = (width, height);
    if width == 0 || height == 0 {
        return Err(damaged("a side is 0"));
    }
    Ok(container)
}

/// RFC 6386 section 9.1: a key frame's start code, then 14 bits for each side.
fn lossy_size(data: &[u8]) -> Option<(u32, u32, bool)> {
    let &[_, _, _, 0x9d, 0x01, 0x2a, w1, w2, h1, h2, ..] = data else {
        return None;
    };
    let side = |low, high| u32::from(u16::from_le_bytes([low, high]) & 0x3fff);
    Some((side(w1, w2), side(h1, h2), false))
}

/// RFC 9649 section 3.4: a signature, then 14 bits less one for each side, then whether alpha is used.
fn lossless_size(data: &[u8]) -> Option<(u32, u32, bool)> {
    let &[0x2f, b1, b2, b3, b4, ..] = data else {
        return None;
    };
    let bits = u32::from_le_bytes([b1, b2, b3, b4]);
    Some(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1, bits >> 28 & 1 == 1))
}

/// The picture of `bytes`, as an encoder wrote it, in a container that also holds a profile, Exif and XMP.
pub(crate) fn with_metadata(
    bytes: Vec<u8>,
    icc: Option<&[u8]>,
    exif: Option<&[u8]>,
    xmp: Option<&str>,
) -> Result<Vec<u8>, PixelError> {
    if icc.is_none() && exif.is_none() && xmp.is_none() {
        return Ok(bytes);
    }
    let container = read(&bytes, &Limits::default())?;
    let flags = if container.has_alpha { ALPHA } else { 0 }
        | if icc.is_some() { ICC } else { 0 }
        | if exif.is_some() { EXIF } else { 0 }
        | if xmp.is_some() { XMP } else { 0 };
    let [w1, w2, w3, _] = (container.width - 1).to_le_bytes();
    let [h1, h2, h3, _] = (container.height - 1).to_le_bytes();
    let extra = icc.map_or(0, <[u8]>::len) + exif.map_or(0, <[u8]>::len) + xmp.map_or(0, str::len);
    let mut out = Vec::with_capacity(bytes.len() + extra + 72);
    out.extend_from_slice(b"RIFF\0\0\0\0WEBP");
    let mut chunk = |name: &[u8; 4], data: &[u8]| {
        out.extend_from_slice(name);
        out.extend_from_slice(&(data.len() as u32).to_le_bytes());
        out.extend_from_slice(data);
        out.resize(out.len().next_multiple_of(2), 0);
    };
    chunk(b"VP8X", &[flags, 0, 0, 0, w1, w2, w3, h1, h2, h3]);
    if let Some(icc) = icc {
        chunk(b"ICCP", icc);
    }
    container.pictures.iter().for_each(|(name, data)| chunk(name, data));
    if let Some(exif) = exif {
        chunk(b"EXIF", exif);
    }
    if let Some(xmp) = xmp {
        chunk(b"XMP ", xmp.as_bytes());
    }
    let length = (out.len() - 8) as u32;
    out[4..8].copy_from_slice(&length.to_le_bytes());
    Ok(out)
}
