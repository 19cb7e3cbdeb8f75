//! The marker segments of a JPEG file (ITU-T T.81 annex B): everything before the first scan, and the number of scans.

use crate::{Format, Limits, PixelError};

/// What the marker segments say.
#[derive(Debug, Default)]
pub(crate) struct Markers {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// 1, 3 or 4.
    pub components: u8,
    /// The `transform` byte of an Adobe marker (Adobe TN 5116): its presence means inverted CMYK, 2 means YCCK.
    pub adobe_transform: Option<u8>,
    /// Density of the JFIF segment: unit (1 inch, 2 cm), horizontal, vertical.
    pub density: Option<(u8, u16, u16)>,
    /// The TIFF structure of the first Exif segment.
    pub exif: Option<Vec<u8>>,
    /// The ICC profile, put together; `Err` when pieces are missing.
    pub icc: Option<Result<Vec<u8>, ()>>,
}

/// Reads the markers and holds them against the limits.
pub(crate) fn read(bytes: &[u8], limits: &Limits) -> Result<Markers, PixelError> {
    let truncated = || PixelError::Truncated { format: Format::Jpeg };
    let damaged = |reason: &str| PixelError::damaged(Format::Jpeg, reason);
    let mut markers = Markers::default();
    let mut icc_pieces: Vec<(u8, u8, &[u8])> = Vec::new();
    let mut icc_bytes = 0u64;
    let mut metadata_bytes = 0u64;
    let mut progressive = false;
    let mut at = 2;
    loop {
        // Any number of fill bytes may stand before a marker; other bytes do not belong there, and decoders skip them.
        let found =
            bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff)).ok_or_else(truncated)?;
        at += found;
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        let marker = *bytes.get(at).ok_or_else(truncated)?;
        at += 1;
        match marker {
            0x00 | 0x01 | 0xd0..=0xd8 => continue,
            0xd9 => return Err(damaged("it holds no picture")),
            _ => {}
        }
        let length = match bytes.get(at..at + 2) {
            Some(&[high, low]) => usize::from(high) << 8 | usize::from(low),
            _ => return Err(truncated()),
        };
        if length < 2 {
            return Err(damaged("a segment has no length"));
        }
        let segment = bytes.get(at + 2..at + length).ok_or_else(truncated)?;
        at += length;
        match marker {
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                frame(&mut markers, marker, segment)?;
                progressive = marker == 0xc2 || marker == 0xca;
            }
            0xda => {
                if markers.components == 0 {
                    return Err(damaged("a scan comes before the frame header"));
                }
                let in_first_scan = *segment.first().ok_or_else(|| damaged("a scan header is empty"))?;
                // A single scan with all components is decoded in one pass; only others may be too many.
                let several = progressive || in_first_scan < markers.components;
                let most = if several { limits.max_scans } else { u32::MAX };
                find_end(&bytes[at..], most)?;
                break;
            }
            0xe0..=0xef | 0xfe => {
                metadata_bytes += segment.len() as u64;
                limits.check_metadata(metadata_bytes)?;
                match segment {
                    [b'J', b'F', b'I', b'F', 0, _, _, unit, x1, x2, y1, y2, ..] if marker == 0xe0 => {
                        let pair = |a: u8, b: u8| u16::from_be_bytes([a, b]);
                        markers.density = Some((*unit, pair(*x1, *x2), pair(*y1, *y2)));
                    }
                    [b'E', b'x', b'i', b'f', 0, _, tiff @ ..] if marker == 0xe1 && markers.exif.is_none() => {
                        markers.exif = Some(tiff.to_vec());
                    }
                    [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, transform, ..] if marker == 0xee => {
                        markers.adobe_transform = Some(*transform);
                    }
                    _ if marker == 0xe2 && segment.starts_with(b"ICC_PROFILE\0") && segment.len() >= 14 => {
                        icc_bytes += segment.len() as u64 - 14;
                        limits.check_icc(icc_bytes)?;
                        icc_pieces.push((segment[12], segment[13], &segment[14..]));
                    }
                    _ => {}
                }
            }
            _ => {}
        }
    }
    markers.icc = join_icc(icc_pieces);
    Ok(markers)
}

fn frame(markers: &mut Markers, marker: u8, segment: &[u8]) -> Result<(), PixelError> {
    let unsupported = |what: &str| PixelError::UnsupportedVariant {
        format: Format::Jpeg,
        what: what.to_owned(),
        way_out: "save it again as a baseline or progressive JPEG with 8 bits",
    };
    let damaged = |reason: &str| PixelError::damaged(Format::Jpeg, reason);
    if markers.components != 0 {
        return Err(damaged("it has two frame headers"));
    }
    match marker {
        0xc0..=0xc2 => {}
        0xc9 | 0xca => return Err(unsupported("arithmetic coding")),
        0xc3 | 0xcb => return Err(unsupported("lossless coding")),
        _ => return Err(unsupported("hierarchical coding")),
    }
    let &[depth, h1, h2, w1, w2, components, ref rest @ ..] = segment else {
        return Err(damaged("its frame header is too short"));
    };
    if depth != 8 {
        return Err(unsupported(&format!("{depth} bits a sample")));
    }
    if !matches!(components, 1 | 3 | 4) {
        return Err(unsupported(&format!("{components} colour components")));
    }
    if rest.len() < usize::from(components) * 3 {
        return Err(damaged("its frame header is too short"));
    }
    markers.height = u32::from(u16::from_be_bytes([h1, h2]));
    markers.width = u32::from(u16::from_be_bytes([w1, w2]));
    markers.components = components;
    if markers.height == 0 {
        return Err(unsupported("a height that is only known at the end"));
    }
    if markers.width == 0 {
        return Err(damaged("its width is 0"));
    }
    Ok(())
}

/// Finds the end of the picture and counts the scan headers before it; inside coded data 0xff is never followed by 0xda
/// or 0xd9. A file without an end was cut off.
fn find_end(rest: &[u8], max_scans: u32) -> Result<(), PixelError> {
    let mut scans = 1;
    for at in memchr::memchr_iter(0xff, rest) {
        match rest.get(at + 1) {
            Some(0xda) => {
                scans += 1;
                if scans > max_scans {
                    return Err(PixelError::TooManyScans { max: max_scans });
                }
            }
            // What follows the picture (previews, videos) is not part of it.
            Some(0xd9) => return Ok(()),
            _ => {}
        }
    }
    Err(PixelError::Truncated { format: Format::Jpeg })
}

/// The same picture without what is not needed to decode it: application segments other than Adobe's, comments, and
/// stray bytes between segments, at which decoders stop. For a file that [`read`] has accepted.
pub(crate) fn tidy(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    out.extend_from_slice(&[0xff, 0xd8]);
    let mut at = 2;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff)) {
        at += found;
        while bytes.get(at) == Some(&0xff) {
            at += 1;
        }
        let Some(&[marker, high, low]) = bytes.get(at..at + 3) else {
            break;
        };
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd8) {
            at += 1;
            continue;
        }
        if marker == 0xda {
            out.push(0xff);
            out.extend_from_slice(&bytes[at..]);
            break;
        }
        let end = at + 1 + (usize::from(high) << 8 | usize::from(low));
        if !matches!(marker, 0xe0..=0xed | 0xef | 0xfe) {
            out.push(0xff);
            out.extend_from_slice(bytes.get(at..end).unwrap_or_default());
        }
        at = end;
    }
    out
}

/// ICC.1:2022 annex B.4: pieces are numbered from 1 and say how many there are.
fn join_icc(mut pieces: Vec<(u8, u8, &[u8])>) -> Option<Result<Vec<u8>, ()>> {
    let count = pieces.first()?.1;
    pieces.sort_by_key(|piece| piece.0);
    let complete = pieces.len() == usize::from(count)
        && pieces.iter().zip(1u8..).all(|(piece, number)| piece.0 == number && piece.1 == count);
    Some(if complete { Ok(pieces.iter().flat_map(|piece| piece.2).copied().collect()) } else { Err(()) })
}
