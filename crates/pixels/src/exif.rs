//! What the picture needs to know from Exif, and the few things that are ever written into it.

use exif::{Exif, In, Reader, Tag, Value};

use crate::header::NamedSpace;
use crate::metadata::{Metadata, Rights, text_of};

/// The few facts of Exif that change how a picture looks or whose it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Facts {
    /// 1..=8, when stored and valid.
    pub orientation: Option<u8>,
    /// Dots per inch, horizontal and vertical.
    pub dpi: Option<(f64, f64)>,
    /// The colour space that cameras name here instead of embedding a profile.
    pub space: Option<NamedSpace>,
    /// Whose picture it is.
    pub rights: Rights,
}

/// Reads the TIFF structure of an Exif segment (without its `Exif\0\0` prefix). Broken Exif tells nothing, and is
/// no reason to refuse a picture.
pub(crate) fn read(tiff: &[u8]) -> Facts {
    let tiff = tiff.strip_prefix(b"Exif\0\0").unwrap_or(tiff);
    let parsed = std::panic::catch_unwind(|| {
        let mut reader = Reader::new();
        reader.continue_on_error(true);
        reader.read_raw(tiff.to_vec()).or_else(|error| error.distill_partial_result(|_| ()))
    });
    let Ok(Ok(exif)) = parsed else {
        return Facts::default();
    };
    let number = |tag: Tag| exif.get_field(tag, In::PRIMARY).and_then(|field| field.value.get_uint(0));
    let orientation = number(Tag::Orientation).filter(|n| (1..=8).contains(n)).map(|n| n as u8);
    let dpi = resolution(&exif, number(Tag::ResolutionUnit).unwrap_or(2));
    // DCF 2.0: the optional colour space is Adobe RGB; its files say "uncalibrated" (65535) and name R03.
    let index = exif.get_field(Tag::InteroperabilityIndex, In::PRIMARY).map(|field| &field.value);
    let is_r03 =
        matches!(index, Some(Value::Ascii(text)) if text.first().is_some_and(|t| t.starts_with(b"R03")));
    let uncalibrated = number(Tag::ColorSpace) != Some(1);
    let space = (is_r03 && uncalibrated).then_some(NamedSpace::AdobeRgb);
    // Cameras fill the fields with blanks; editors write UTF-8 where the standard says ASCII.
    let text = |tag: Tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Ascii(parts) => text_of(&parts.join(&b' ')),
        _ => None,
    };
    let rights = Rights { copyright: text(Tag::Copyright), artist: text(Tag::Artist) };
    Facts { orientation, dpi, space, rights }
}

fn resolution(exif: &Exif, unit: u32) -> Option<(f64, f64)> {
    let of = |tag: Tag| match &exif.get_field(tag, In::PRIMARY)?.value {
        Value::Rational(values) => values.first().map(|v| f64::from(v.num) / f64::from(v.denom)),
        _ => None,
    };
    let (x, y) = (of(Tag::XResolution)?, of(Tag::YResolution)?);
    let scale = match unit {
        2 => 1.0,
        3 => 2.54,
        _ => return None,
    };
    sensible_dpi(x * scale, y * scale)
}

/// Dots per inch, if anybody could mean them.
pub(crate) fn sensible_dpi(x: f64, y: f64) -> Option<(f64, f64)> {
    let sensible = |v: f64| v.is_finite() && (1.0..=100_000.0).contains(&v);
    (sensible(x) && sensible(y)).then_some((x, y))
}

/// An Exif structure (TIFF, little-endian, without prefix) that holds resolution, author and copyright notice as far as
/// they are given; `None` where nothing is.
pub(crate) fn write(metadata: &Metadata<'_>) -> Option<Vec<u8>> {
    // Tag, type, number of values, value as bytes; in the order of the tags, as TIFF demands.
    let mut entries: Vec<(u16, u16, u32, Vec<u8>)> = Vec::new();
    if let Some(dpi) = metadata.dpi {
        let hundredths = [((dpi * 100.0).round() as u32).to_le_bytes(), 100u32.to_le_bytes()].concat();
        entries.push((0x011a, RATIONAL, 1, hundredths.clone()));
        entries.push((0x011b, RATIONAL, 1, hundredths));
        // Inches.
        entries.push((0x0128, SHORT, 1, vec![2, 0]));
    }
    for (tag, text) in [(0x013b, metadata.artist), (0x8298, metadata.copyright)] {
        if let Some(text) = text {
            let text = [text.replace('\0', " ").as_bytes(), b"\0"].concat();
            entries.push((tag, ASCII, text.len() as u32, text));
        }
    }
    if entries.is_empty() {
        return None;
    }
    let mut tiff = b"II*\0\x08\0\0\0".to_vec();
    tiff.extend_from_slice(&(entries.len() as u16).to_le_bytes());
    let mut beyond = Vec::new();
    let start = 8 + 2 + entries.len() * 12 + 4;
    for (tag, kind, count, value) in entries {
        tiff.extend_from_slice(&tag.to_le_bytes());
        tiff.extend_from_slice(&kind.to_le_bytes());
        tiff.extend_from_slice(&count.to_le_bytes());
        if value.len() <= 4 {
            // So short a value lies in the entry itself.
            tiff.extend_from_slice(&value);
            tiff.resize(tiff.len() + 4 - value.len(), 0);
        } else {
            tiff.extend_from_slice(&((start + beyond.len()) as u32).to_le_bytes());
            beyond.extend_from_slice(&value);
            beyond.resize(beyond.len().next_multiple_of(2), 0);
        }
    }
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(&beyond);
    Some(tiff)
}

/// Types of TIFF values.
const ASCII: u16 = 2;
const SHORT: u16 = 3;
const RATIONAL: u16 = 5;

/// An Exif structure that holds an orientation, for tests.
#[cfg(test)]
pub(crate) fn with_orientation(orientation: u8) -> Vec<u8> {
    [b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0".as_slice(), &[orientation, 0, 0, 0, 0, 0, 0, 0]]
        .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_can_be_read() {
        for notice in ["©", "© 2026 Studio Nord", "ab", "abc"] {
            let metadata = Metadata {
                dpi: Some(300.0),
                icc: None,
                copyright: Some(notice),
                artist: Some("Mara"),
                xmp: None,
                photoshop: None,
            };
            let bytes = write(&metadata).expect("something to say");
            assert_eq!(read(&bytes).dpi, Some((300.0, 300.0)));
            assert_eq!(read(&bytes).rights.copyright.as_deref(), Some(notice));
            assert_eq!(read(&bytes).rights.artist.as_deref(), Some("Mara"));
            let exif = Reader::new().read_raw(bytes).expect("a TIFF structure");
            assert_eq!(exif.fields().len(), 5);
            let field = exif.get_field(Tag::Copyright, In::PRIMARY).expect("the notice");
            let Value::Ascii(text) = &field.value else { panic!("text") };
            assert_eq!(text[0], notice.as_bytes());
        }
    }

    #[test]
    fn orientation_is_read_and_nonsense_is_not() {
        for orientation in 1..=8 {
            assert_eq!(read(&with_orientation(orientation)).orientation, Some(orientation));
        }
        assert_eq!(read(&with_orientation(0)), Facts::default());
        assert_eq!(read(&with_orientation(9)), Facts::default());
        assert_eq!(read(b"II*\0\xff\xff\xff\xff"), Facts::default());
        assert_eq!(read(b""), Facts::default());
        let prefixed = [b"Exif\0\0".as_slice(), &with_orientation(6)].concat();
        assert_eq!(read(&prefixed).orientation, Some(6));
    }

    #[test]
    fn cameras_name_adobe_rgb_by_r03() {
        // IFD0 → Exif IFD (ColorSpace 65535, interoperability pointer) → index "R03".
        let mut tiff = b"II*\0\x08\0\0\0".to_vec();
        tiff.extend_from_slice(b"\x01\0\x69\x87\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0");
        tiff.extend_from_slice(
            b"\x02\0\x01\xa0\x03\0\x01\0\0\0\xff\xff\0\0\x05\xa0\x04\0\x01\0\0\0\x38\0\0\0\0\0\0\0",
        );
        tiff.extend_from_slice(b"\x01\0\x01\0\x02\0\x04\0\0\0R03\0\0\0\0\0");
        assert_eq!(read(&tiff).space, Some(NamedSpace::AdobeRgb));
    }
}
