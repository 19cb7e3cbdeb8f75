//! A file's header without the file: JPEG and PNG files are reduced, while they are read, to what [`probe`] looks at.

use std::io::{self, Read, Seek, SeekFrom};

use crate::{Format, Header, Limits, PixelError, probe, sniff};

/// How much of a JPEG's start is searched for its first scan; profiles and previews lie before it.
const START_BYTES: u64 = 4 << 20;
/// Coded data looked through at once.
const WINDOW_BYTES: usize = 64 << 10;
/// Scans noted; the limit on them is far lower.
const SCANS_NOTED: usize = 1 << 16;
/// Longest chunk that is copied: beyond what any limit allows.
const CHUNK_BYTES_MAX: u32 = 64 << 20;

/// Whether files of that format are looked at without being held whole.
pub fn has_outline(format: Format) -> bool {
    matches!(format, Format::Jpeg | Format::Png)
}

/// Reads the header of a file as [`probe`] does, with the same answer, but holds no more than a few MiB of it if its
/// format [has an outline](has_outline); other files are read whole. Fails with an I/O error if the file cannot be read.
pub fn probe_file(file: &mut (impl Read + Seek), limits: &Limits) -> io::Result<Result<Header, PixelError>> {
    let length = file.seek(SeekFrom::End(0))?;
    file.rewind()?;
    let mut start = Vec::new();
    file.by_ref().take(START_BYTES).read_to_end(&mut start)?;
    if (start.len() as u64) < START_BYTES {
        return Ok(probe(&start, limits));
    }
    let outline = match sniff(&start) {
        Some(Format::Jpeg) => jpeg(file, start)?,
        Some(Format::Png) => png(file, length)?,
        _ => None,
    };
    let Some(outline) = outline else {
        let mut whole = Vec::new();
        file.rewind()?;
        file.read_to_end(&mut whole)?;
        return Ok(probe(&whole, limits));
    };
    if length > limits.max_bytes {
        // Says so with the right number.
        return Ok(Err(PixelError::TooManyBytes { bytes: length, max: limits.max_bytes }));
    }
    // The outline is shorter than the file: how much a file may grow is for the file to say.
    let any_ratio = Limits { max_ratio: u32::MAX, ..*limits };
    Ok(probe(&outline, &any_ratio).and_then(|header| {
        let pixel_bytes = header.decoded_bytes() / header.pixels().max(1);
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        limits.check_size(header.width, header.height, pixel_bytes, length).map(|()| header)
    }))
}

/// Everything before the first scan's data, and of that data the markers that begin another scan or end the picture.
fn jpeg(file: &mut (impl Read + Seek), mut start: Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let Some(data) = first_scan_data(&start) else { return Ok(None) };
    start.truncate(data);
    let mut outline = start;
    file.seek(SeekFrom::Start(data as u64))?;
    let mut window = vec![0; WINDOW_BYTES];
    let (mut after_ff, mut scans) = (false, 0);
    loop {
        let read = file.read(&mut window)?;
        if read == 0 {
            return Ok(Some(outline));
        }
        let mut at = 0;
        while at < read {
            if !after_ff {
                let Some(found) = memchr::memchr(0xff, &window[at..read]) else { break };
                (at, after_ff) = (at + found + 1, true);
                continue;
            }
            match window[at] {
                0xd9 => {
                    outline.extend_from_slice(&[0xff, 0xd9]);
                    return Ok(Some(outline));
                }
                0xda if scans < SCANS_NOTED => {
                    scans += 1;
                    outline.extend_from_slice(&[0xff, 0xda]);
                    after_ff = false;
                }
                byte => after_ff = byte == 0xff,
            }
            at += 1;
        }
    }
}

/// Where the data of the first scan begins, if the segments before it are whole.
fn first_scan_data(start: &[u8]) -> Option<usize> {
    let mut at = 2;
    loop {
        at += memchr::memchr(0xff, start.get(at..)?)?;
        while *start.get(at)? == 0xff {
            at += 1;
        }
        let marker = start[at];
        at += 1;
        if matches!(marker, 0x00 | 0x01 | 0xd0..=0xd9) {
            continue;
        }
        let length = usize::from(u16::from_be_bytes([*start.get(at)?, *start.get(at + 1)?]));
        start.get(at..at + length.max(2))?;
        at += length.max(2);
        if marker == 0xda {
            return Some(at);
        }
    }
}

/// All chunks, but those with pixels without their data.
fn png(file: &mut (impl Read + Seek), length: u64) -> io::Result<Option<Vec<u8>>> {
    let mut outline = vec![0; 8];
    let mut file = io::BufReader::with_capacity(WINDOW_BYTES, file);
    file.rewind()?;
    file.read_exact(&mut outline)?;
    let mut at = 8;
    let mut in_pixels = false;
    loop {
        let mut head = [0; 8];
        if at + 8 > length {
            // Cut off: as much of it as there is says so.
            file.read_to_end(&mut outline)?;
            return Ok(Some(outline));
        }
        file.read_exact(&mut head)?;
        let [size @ .., _, _, _, _] = head;
        let size = u32::from_be_bytes(size);
        let end = at + 12 + u64::from(size);
        if end > length {
            outline.extend_from_slice(&head);
            return Ok(Some(outline));
        }
        let name = &head[4..];
        let is_pixels = name == b"IDAT" || name == b"fdAT";
        if is_pixels {
            if !in_pixels {
                outline.extend_from_slice(&[0; 4]);
                outline.extend_from_slice(name);
                outline.extend_from_slice(&[0; 4]);
            }
            file.seek_relative(i64::from(size) + 4)?;
        } else {
            if size > CHUNK_BYTES_MAX {
                return Ok(None);
            }
            outline.extend_from_slice(&head);
            io::copy(&mut file.by_ref().take(u64::from(size) + 4), &mut outline)?;
        }
        if name == b"IEND" {
            return Ok(Some(outline));
        }
        in_pixels = is_pixels;
        at = end;
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::{Bitmap, Channels, EncodeOptions, Encoding, encode};

    /// 12 megapixels of noise: several MiB in either format.
    fn noise() -> Bitmap {
        let mut state = 1u32;
        let samples = (0..2000 * 1500 * 3).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        Bitmap::from_u8(2000, 1500, Channels::Rgb, samples.collect()).expect("a picture")
    }

    fn same(bytes: &[u8], limits: &Limits) {
        let whole = probe(bytes, limits);
        let outlined = probe_file(&mut Cursor::new(bytes), limits).expect("readable");
        match (&whole, &outlined) {
            (Ok(whole), Ok(outlined)) => assert_eq!(format!("{whole:?}"), format!("{outlined:?}")),
            (Err(whole), Err(outlined)) => assert_eq!(whole.to_string(), outlined.to_string()),
            _ => panic!("{whole:?} and {outlined:?}"),
        }
    }

    #[test]
    fn an_outline_says_what_the_file_says() {
        let limits = Limits::default();
        for encoding in [Encoding::png(), Encoding::jpeg(97)] {
            let bytes = encode(&noise(), &EncodeOptions::new(encoding)).expect("a file");
            assert!(bytes.len() as u64 > START_BYTES, "{} bytes are settled by the start", bytes.len());
            same(&bytes, &limits);
            // Cut off anywhere.
            for length in [bytes.len() - 1, bytes.len() - 13, bytes.len() / 2 + 3, START_BYTES as usize + 7] {
                same(&bytes[..length], &limits);
            }
            // Beyond a limit.
            same(&bytes, &Limits { max_pixels: 100, ..limits });
            same(&bytes, &Limits { max_side: 1600, ..limits });
            same(&bytes, &Limits { max_ratio: 1, ..limits });
            same(&bytes, &Limits { max_bytes: 1000, ..limits });
        }
    }
}
