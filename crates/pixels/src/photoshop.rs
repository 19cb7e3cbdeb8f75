//! Photoshop's image resource blocks ("Adobe Photoshop File Formats Specification"): what a PSD, a TIFF (tag 34377) and a
//! JPEG (APP13) say beside their pixels.

use crate::path::{ClippingPath, Point};

/// Identifiers of the blocks that are written.
pub(crate) const RESOLUTION: u16 = 1005;
pub(crate) const COPYRIGHT_FLAG: u16 = 1034;
pub(crate) const ICC_PROFILE: u16 = 1039;
pub(crate) const VERSION_INFO: u16 = 1057;
pub(crate) const XMP: u16 = 1060;
pub(crate) const PATH: u16 = 2000;
pub(crate) const CLIPPING_PATH_NAME: u16 = 2999;

/// Appends one block.
pub(crate) fn put(out: &mut Vec<u8>, id: u16, name: &str, data: &[u8]) {
    out.extend_from_slice(b"8BIM");
    out.extend_from_slice(&id.to_be_bytes());
    out.extend_from_slice(&pascal(name));
    out.extend_from_slice(&(data.len() as u32).to_be_bytes());
    out.extend_from_slice(data);
    // Blocks begin at even offsets of the list.
    if !data.len().is_multiple_of(2) {
        out.push(0);
    }
}

/// A text with its length in front, padded to an even number of bytes; what is not ASCII becomes `_`.
fn pascal(text: &str) -> Vec<u8> {
    let text: Vec<u8> = text
        .chars()
        .take(63)
        .map(|c| if c.is_ascii() && !c.is_ascii_control() { c as u8 } else { b'_' })
        .collect();
    let mut out = vec![text.len() as u8];
    out.extend_from_slice(&text);
    if !out.len().is_multiple_of(2) {
        out.push(0);
    }
    out
}

/// The blocks of a clipping path: the path itself, and the name of the path that clips.
pub(crate) fn clipping_path(path: &ClippingPath) -> Vec<u8> {
    let mut out = Vec::new();
    put(&mut out, PATH, &path.name, &path_records(path));
    put(&mut out, CLIPPING_PATH_NAME, "", &pascal(&path.name));
    out
}

/// Dots per inch in both directions, as a block says them: 16.16 fixed, unit inch.
pub(crate) fn resolution(dpi: f64) -> [u8; 16] {
    let fixed = ((dpi * 65_536.0).round() as u32).to_be_bytes();
    let mut out = [0; 16];
    for half in out.as_chunks_mut::<8>().0 {
        half[..4].copy_from_slice(&fixed);
        // Shown in dots and measured in inches.
        half[4..].copy_from_slice(&[0, 1, 0, 1]);
    }
    out
}

/// Bytes of one record of a path.
const RECORD: usize = 26;
/// Kinds of records.
const CLOSED_LENGTH: u16 = 0;
const CLOSED_LINKED: u16 = 1;
const CLOSED_UNLINKED: u16 = 2;
const FILL_RULE: u16 = 6;
const INITIAL_FILL: u16 = 8;
/// Most knots that the length of a subpath can say.
const MOST_KNOTS: usize = 65_535;

/// The path in records of 26 bytes: even-odd, nothing filled at first. Points are (y, x), as 8.24 fixed shares of the
/// height and width.
fn path_records(path: &ClippingPath) -> Vec<u8> {
    let (width, height) = (f64::from(path.path.width), f64::from(path.path.height));
    let mut out = Vec::with_capacity((path.path.knots() + 8) * RECORD);
    let mut record = |kind: u16, content: &[u8]| {
        let end = out.len() + RECORD;
        out.extend_from_slice(&kind.to_be_bytes());
        out.extend_from_slice(content);
        out.resize(end, 0);
    };
    record(FILL_RULE, &[]);
    record(INITIAL_FILL, &[]);
    let fixed = |share: f64| ((share * 16_777_216.0).round() as i32).to_be_bytes();
    for subpath in &path.path.subpaths {
        let knots = &subpath.knots[..subpath.knots.len().min(MOST_KNOTS)];
        record(CLOSED_LENGTH, &(knots.len() as u16).to_be_bytes());
        for knot in knots {
            let mut content = [0; 24];
            for (to, point) in
                content.as_chunks_mut::<8>().0.iter_mut().zip([knot.before, knot.at, knot.after])
            {
                to[..4].copy_from_slice(&fixed(point.y / height));
                to[4..].copy_from_slice(&fixed(point.x / width));
            }
            let linked = is_smooth(knot.before, knot.at, knot.after);
            record(if linked { CLOSED_LINKED } else { CLOSED_UNLINKED }, &content);
        }
    }
    out
}

/// Whether the curve goes through without a bend, so that the two control points move together when one is moved.
fn is_smooth(before: Point, at: Point, after: Point) -> bool {
    let (a, b) = ((at.x - before.x, at.y - before.y), (after.x - at.x, after.y - at.y));
    let lengths = a.0.hypot(a.1) * b.0.hypot(b.1);
    lengths > 0.0 && (a.0 * b.0 + a.1 * b.1) / lengths > 0.9998
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Mask, TraceOptions, trace};

    /// Identifier, name and data of each block.
    fn blocks(mut bytes: &[u8]) -> Vec<(u16, String, Vec<u8>)> {
        let mut found = Vec::new();
        while !bytes.is_empty() {
            assert_eq!(&bytes[..4], b"8BIM");
            let id = u16::from_be_bytes([bytes[4], bytes[5]]);
            let name = bytes[6] as usize;
            let text = String::from_utf8(bytes[7..7 + name].to_vec()).expect("ASCII");
            let at = 6 + (name + 1).next_multiple_of(2);
            let size = u32::from_be_bytes(bytes[at..at + 4].try_into().expect("four bytes")) as usize;
            found.push((id, text, bytes[at + 4..at + 4 + size].to_vec()));
            bytes = &bytes[at + 4 + size.next_multiple_of(2)..];
        }
        found
    }

    #[test]
    fn a_path_comes_back_from_its_records() {
        let values = (0..200 * 100i32)
            .map(|i| if (i % 200 - 90).pow(2) + (i / 200 - 50).pow(2) < 1600 { 255 } else { 0 })
            .collect();
        let mask = Mask::new(200, 100, values).expect("a mask");
        let path = trace(&mask, &TraceOptions::default()).expect("a path");
        let clipping = ClippingPath { path: path.clone(), name: "Umriß 1".to_owned() };
        let found = blocks(&clipping_path(&clipping));
        assert_eq!(found.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), [2000, 2999]);
        assert_eq!(found[0].1, "Umri_ 1");
        assert_eq!(found[1].2, b"\x07Umri_ 1");
        let records: Vec<&[u8]> = found[0].2.chunks(26).collect();
        assert_eq!((records[0][1], records[1][1], records[2][1]), (6, 8, 0));
        let knots = &path.subpaths[0].knots;
        assert_eq!(usize::from(u16::from_be_bytes([records[2][2], records[2][3]])), knots.len());
        assert_eq!(records.len(), 3 + knots.len());
        for (record, knot) in records[3..].iter().zip(knots) {
            let read = |at: usize| {
                f64::from(i32::from_be_bytes(record[at..at + 4].try_into().expect("four"))) / 16_777_216.0
            };
            for (at, point) in [(2, knot.before), (10, knot.at), (18, knot.after)] {
                assert!(
                    (read(at) * 100.0 - point.y).abs() < 1e-4
                        && (read(at + 4) * 200.0 - point.x).abs() < 1e-4
                );
            }
        }
    }
}
