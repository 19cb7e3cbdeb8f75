//! A frame as bytes: a JSON header, the layers' samples in LZ4 blocks, and a SHA-256 over all of it.

use std::sync::Arc;

use domain::run::ModelUse;
use pixels::{Bitmap, Channels, Format, Mask, Samples};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::edit_filename::Edit;
use crate::frame::Remarks;
use crate::{Frame, Origin, Shadow, Subject};

pub(super) const MAGIC: &[u8; 8] = b"PSSTEP01";
const CHECKSUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct Header {
    size: (u32, u32),
    fixed_size: bool,
    background: Option<[u8; 3]>,
    subject: SubjectHeader,
    shadows: Vec<ShadowHeader>,
    origin: OriginHeader,
    name_edits: Vec<Edit>,
    remarks: Vec<RemarksHeader>,
}

#[derive(Serialize, Deserialize)]
struct SubjectHeader {
    at: (i64, i64),
    size: (u32, u32),
    has_alpha: bool,
    depth: u8,
    block: usize,
}

#[derive(Serialize, Deserialize)]
struct ShadowHeader {
    at: (i64, i64),
    size: (u32, u32),
    colour: [u8; 3],
    opacity: f32,
    block: usize,
}

#[derive(Serialize, Deserialize)]
struct OriginHeader {
    size: (u32, u32),
    media_type: String,
    depth: u8,
    profile: String,
    dpi: Option<f64>,
}

#[derive(Serialize, Deserialize)]
struct RemarksHeader {
    model: Option<ModelUse>,
    notes: Vec<String>,
}

/// The frame as bytes. A finished file is left out: frames are kept before they are written.
pub(super) fn pack(frame: &Frame) -> Vec<u8> {
    let compress = lz4_flex::block::compress;
    let bitmap = &frame.subject.bitmap;
    let mut blocks = vec![match bitmap.samples() {
        Samples::U8(samples) => compress(samples),
        Samples::U16(samples) => {
            compress(&samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
        }
    }];
    blocks.extend(frame.shadows.iter().map(|shadow| compress(shadow.mask.values())));
    let header = Header {
        size: (frame.width, frame.height),
        fixed_size: frame.fixed_size,
        background: frame.background,
        subject: SubjectHeader {
            at: (frame.subject.x, frame.subject.y),
            size: (bitmap.width(), bitmap.height()),
            has_alpha: bitmap.channels() == Channels::Rgba,
            depth: bitmap.depth(),
            block: blocks[0].len(),
        },
        shadows: frame
            .shadows
            .iter()
            .zip(&blocks[1..])
            .map(|(shadow, block)| ShadowHeader {
                at: (shadow.x, shadow.y),
                size: (shadow.mask.width(), shadow.mask.height()),
                colour: shadow.colour,
                opacity: shadow.opacity,
                block: block.len(),
            })
            .collect(),
        origin: OriginHeader {
            size: frame.origin.size,
            media_type: frame.origin.format.mime().to_owned(),
            depth: frame.origin.depth,
            profile: frame.origin.profile.clone(),
            dpi: frame.origin.dpi,
        },
        name_edits: frame.name_edits.clone(),
        remarks: frame
            .remarks
            .iter()
            .map(|one| RemarksHeader { model: one.model.clone(), notes: one.notes.clone() })
            .collect(),
    };
    let header = serde_json::to_vec(&header).expect("a header of plain fields is JSON");
    let samples: usize = blocks.iter().map(Vec::len).sum();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 8 + header.len() + samples + CHECKSUM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&header);
    blocks.iter().for_each(|block| bytes.extend_from_slice(block));
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

/// The frame that was packed, or what is wrong with the bytes.
pub(super) fn unpack(bytes: &[u8]) -> Result<Frame, &'static str> {
    let body = bytes.len().checked_sub(CHECKSUM).ok_or("too short")?;
    let (body, checksum) = bytes.split_at(body);
    if Sha256::digest(body).as_slice() != checksum {
        return Err("the checksum is wrong");
    }
    let rest = body.strip_prefix(MAGIC).ok_or("of another format")?;
    let (length, rest) = rest.split_first_chunk::<8>().ok_or("too short")?;
    let length = usize::try_from(u64::from_le_bytes(*length)).map_err(|_| "too long")?;
    let header = rest.get(..length).ok_or("too short")?;
    let mut blocks = &rest[length..];
    let header: Header = serde_json::from_slice(header).map_err(|_| "the header cannot be read")?;
    let mut take = |block: usize, bytes: usize| -> Result<Vec<u8>, &'static str> {
        let (one, rest) = blocks.split_at_checked(block).ok_or("too short")?;
        blocks = rest;
        lz4_flex::block::decompress(one, bytes).map_err(|_| "the samples cannot be read")
    };
    let pixels = |size: (u32, u32)| size.0 as usize * size.1 as usize;
    let subject = &header.subject;
    let channels = if subject.has_alpha { Channels::Rgba } else { Channels::Rgb };
    let count = pixels(subject.size) * channels.count();
    let samples = if subject.depth == 16 {
        let bytes = take(subject.block, count * 2)?;
        Samples::U16(bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect())
    } else {
        Samples::U8(take(subject.block, count)?)
    };
    const SHAPE: &str = "a layer does not have its size";
    let bitmap = Bitmap::new(subject.size.0, subject.size.1, channels, samples).map_err(|_| SHAPE)?;
    let mut shadows = Vec::with_capacity(header.shadows.len());
    for shadow in &header.shadows {
        let values = take(shadow.block, pixels(shadow.size))?;
        let mask = Mask::new(shadow.size.0, shadow.size.1, values).map_err(|_| SHAPE)?;
        shadows.push(Shadow {
            mask: Arc::new(mask),
            x: shadow.at.0,
            y: shadow.at.1,
            colour: shadow.colour,
            opacity: shadow.opacity,
        });
    }
    Ok(Frame {
        width: header.size.0,
        height: header.size.1,
        fixed_size: header.fixed_size,
        subject: Subject { bitmap: Arc::new(bitmap), x: subject.at.0, y: subject.at.1 },
        shadows,
        background: header.background,
        origin: Origin {
            size: header.origin.size,
            format: Format::from_mime(&header.origin.media_type).ok_or("of an unknown format")?,
            depth: header.origin.depth,
            profile: header.origin.profile,
            dpi: header.origin.dpi,
        },
        encoded: None,
        name_edits: header.name_edits,
        remarks: header
            .remarks
            .into_iter()
            .map(|one| Remarks { model: one.model, notes: one.notes })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_comes_back_as_it_was() {
        let mut frame = Frame::unread();
        let samples = (0..40u16 * 30 * 3).map(|i| i.wrapping_mul(517)).collect();
        frame.subject = Subject {
            bitmap: Arc::new(Bitmap::from_u16(40, 30, Channels::Rgb, samples).expect("40 by 30")),
            x: 3,
            y: 5,
        };
        (frame.width, frame.height, frame.fixed_size) = (60, 50, true);
        frame.background = Some([1, 2, 3]);
        let mask = Mask::new(4, 2, (0..8).collect()).expect("4 by 2");
        frame.shadows.push(Shadow { mask: Arc::new(mask), x: 1, y: 2, colour: [9, 8, 7], opacity: 0.35 });
        frame.origin.dpi = Some(299.9994);
        frame.note("said");
        frame.made_by(ModelUse {
            id: "net".into(),
            sha256: None,
            backend: "rten".into(),
            precision: "f32".into(),
            fallback: Some("why".into()),
        });
        assert_eq!(unpack(&pack(&frame)), Ok(frame));
    }
}
