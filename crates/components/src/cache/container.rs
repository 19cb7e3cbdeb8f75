//! A frame as bytes: a JSON header, the layers' samples in LZ4 blocks, and a SHA-256 over all of it.

use std::sync::Arc;

use domain::run::ModelUse;
use pixels::{Bitmap, Channels, Format, Mask, Rights, Samples};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::backdrop::{Backdrop, Cleaned, Fitting, Gradient, Picture};
use crate::edit_filename::Edit;
use crate::frame::Remarks;
use crate::{Blend, Frame, Ink, Mark, Origin, Shadow, ShadowKind, Subject};

pub(super) const MAGIC: &[u8; 8] = b"PSSTEP03";
const CHECKSUM: usize = 32;

#[derive(Serialize, Deserialize)]
struct Header {
    size: (u32, u32),
    fixed_size: bool,
    background: Option<BackdropHeader>,
    subject: LayerHeader,
    photo: Option<LayerHeader>,
    shadows: Vec<ShadowHeader>,
    marks: Vec<MarkHeader>,
    origin: OriginHeader,
    name_edits: Vec<Edit>,
    /// Containers from before there was such a thing have none.
    #[serde(default)]
    with_mask: bool,
    remarks: Vec<RemarksHeader>,
}

#[derive(Serialize, Deserialize)]
enum BackdropHeader {
    Plain([u8; 3]),
    Gradient(Gradient),
    Picture { bitmap: BitmapHeader, fitting: Fitting, focus: (f32, f32), colour: [u8; 3] },
    Cleaned { colour: [u8; 3], layer: LayerHeader },
}

#[derive(Serialize, Deserialize)]
struct LayerHeader {
    at: (i64, i64),
    bitmap: BitmapHeader,
}

/// A bitmap whose samples are the next block.
#[derive(Serialize, Deserialize)]
struct BitmapHeader {
    size: (u32, u32),
    has_alpha: bool,
    depth: u8,
    block: usize,
}

#[derive(Serialize, Deserialize)]
struct ShadowHeader {
    kind: ShadowKind,
    at: (i64, i64),
    size: (u32, u32),
    block: usize,
    ink: InkHeader,
    opacity: f32,
}

#[derive(Serialize, Deserialize)]
struct MarkHeader {
    layer: LayerHeader,
    blend: Blend,
    opacity: f32,
}

#[derive(Serialize, Deserialize)]
enum InkHeader {
    Plain([u8; 3]),
    Picture(BitmapHeader),
}

#[derive(Serialize, Deserialize)]
struct OriginHeader {
    size: (u32, u32),
    media_type: String,
    depth: u8,
    profile: String,
    dpi: Option<f64>,
    copyright: Option<String>,
    artist: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct RemarksHeader {
    model: Option<ModelUse>,
    notes: Vec<String>,
    confidence: Option<f32>,
    product_pixels_changed: Option<u64>,
}

/// The blocks of a container that is being packed. Headers are made in the order in which they are read again.
#[derive(Default)]
struct Packed(Vec<Vec<u8>>);

impl Packed {
    /// Adds a block; answers its length.
    fn block(&mut self, bytes: &[u8]) -> usize {
        self.0.push(lz4_flex::block::compress(bytes));
        self.0.last().map_or(0, Vec::len)
    }

    fn bitmap(&mut self, bitmap: &Bitmap) -> BitmapHeader {
        let block = match bitmap.samples() {
            Samples::U8(samples) => self.block(samples),
            Samples::U16(samples) => {
                self.block(&samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
            }
        };
        BitmapHeader {
            size: (bitmap.width(), bitmap.height()),
            has_alpha: bitmap.channels() == Channels::Rgba,
            depth: bitmap.depth(),
            block,
        }
    }

    fn layer(&mut self, layer: &Subject) -> LayerHeader {
        LayerHeader { at: (layer.x, layer.y), bitmap: self.bitmap(&layer.bitmap) }
    }

    fn shadow(&mut self, shadow: &Shadow) -> ShadowHeader {
        ShadowHeader {
            kind: shadow.kind,
            at: (shadow.x, shadow.y),
            size: (shadow.mask.width(), shadow.mask.height()),
            block: self.block(shadow.mask.values()),
            ink: match &shadow.ink {
                Ink::Plain(colour) => InkHeader::Plain(*colour),
                Ink::Picture(bitmap) => InkHeader::Picture(self.bitmap(bitmap)),
            },
            opacity: shadow.opacity,
        }
    }

    fn mark(&mut self, mark: &Mark) -> MarkHeader {
        MarkHeader { layer: self.layer(&mark.layer), blend: mark.blend, opacity: mark.opacity }
    }

    fn backdrop(&mut self, backdrop: &Backdrop) -> BackdropHeader {
        match backdrop {
            Backdrop::Plain(colour) => BackdropHeader::Plain(*colour),
            Backdrop::Gradient(gradient) => BackdropHeader::Gradient(gradient.clone()),
            Backdrop::Picture(picture) => BackdropHeader::Picture {
                bitmap: self.bitmap(&picture.bitmap),
                fitting: picture.fitting,
                focus: picture.focus,
                colour: picture.colour,
            },
            Backdrop::Cleaned(cleaned) => {
                BackdropHeader::Cleaned { colour: cleaned.colour, layer: self.layer(&cleaned.layer) }
            }
        }
    }
}

/// The frame as bytes. A finished file is left out: frames are kept before they are written.
pub(super) fn pack(frame: &Frame) -> Vec<u8> {
    let mut blocks = Packed::default();
    let header = Header {
        size: (frame.width, frame.height),
        fixed_size: frame.fixed_size,
        subject: blocks.layer(&frame.subject),
        photo: frame.photo.as_ref().map(|photo| blocks.layer(photo)),
        shadows: frame.shadows.iter().map(|shadow| blocks.shadow(shadow)).collect(),
        marks: frame.marks.iter().map(|mark| blocks.mark(mark)).collect(),
        background: frame.background.as_ref().map(|backdrop| blocks.backdrop(backdrop)),
        origin: OriginHeader {
            size: frame.origin.size,
            media_type: frame.origin.format.mime().to_owned(),
            depth: frame.origin.depth,
            profile: frame.origin.profile.clone(),
            dpi: frame.origin.dpi,
            copyright: frame.origin.rights.copyright.clone(),
            artist: frame.origin.rights.artist.clone(),
        },
        name_edits: frame.name_edits.clone(),
        with_mask: frame.with_mask,
        remarks: frame
            .remarks
            .iter()
            .map(|one| RemarksHeader {
                model: one.model.clone(),
                notes: one.notes.clone(),
                confidence: one.confidence,
                product_pixels_changed: one.product_pixels_changed,
            })
            .collect(),
    };
    let header = serde_json::to_vec(&header).expect("a header of plain fields is JSON");
    let samples: usize = blocks.0.iter().map(Vec::len).sum();
    let mut bytes = Vec::with_capacity(MAGIC.len() + 8 + header.len() + samples + CHECKSUM);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&header);
    blocks.0.iter().for_each(|block| bytes.extend_from_slice(block));
    let checksum = Sha256::digest(&bytes);
    bytes.extend_from_slice(&checksum);
    bytes
}

const SHAPE: &str = "a layer does not have its size";

/// The blocks of a container that is being read.
struct Unpacked<'a>(&'a [u8]);

impl Unpacked<'_> {
    /// The next block, of so many bytes once it is decompressed.
    fn block(&mut self, length: usize, bytes: usize) -> Result<Vec<u8>, &'static str> {
        let (one, rest) = self.0.split_at_checked(length).ok_or("too short")?;
        self.0 = rest;
        lz4_flex::block::decompress(one, bytes).map_err(|_| "the samples cannot be read")
    }

    fn bitmap(&mut self, header: &BitmapHeader) -> Result<Bitmap, &'static str> {
        let channels = if header.has_alpha { Channels::Rgba } else { Channels::Rgb };
        let count = area(header.size) * channels.count();
        let samples = if header.depth == 16 {
            let bytes = self.block(header.block, count * 2)?;
            Samples::U16(bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).collect())
        } else {
            Samples::U8(self.block(header.block, count)?)
        };
        Bitmap::new(header.size.0, header.size.1, channels, samples).map_err(|_| SHAPE)
    }

    fn layer(&mut self, header: &LayerHeader) -> Result<Subject, &'static str> {
        let bitmap = Arc::new(self.bitmap(&header.bitmap)?);
        Ok(Subject { bitmap, x: header.at.0, y: header.at.1 })
    }

    fn shadow(&mut self, header: &ShadowHeader) -> Result<Shadow, &'static str> {
        let values = self.block(header.block, area(header.size))?;
        let mask = Mask::new(header.size.0, header.size.1, values).map_err(|_| SHAPE)?;
        Ok(Shadow {
            kind: header.kind,
            mask: Arc::new(mask),
            x: header.at.0,
            y: header.at.1,
            ink: match &header.ink {
                InkHeader::Plain(colour) => Ink::Plain(*colour),
                InkHeader::Picture(bitmap) => Ink::Picture(Arc::new(self.bitmap(bitmap)?)),
            },
            opacity: header.opacity,
        })
    }

    fn mark(&mut self, header: &MarkHeader) -> Result<Mark, &'static str> {
        Ok(Mark { layer: self.layer(&header.layer)?, blend: header.blend, opacity: header.opacity })
    }

    fn backdrop(&mut self, header: &BackdropHeader) -> Result<Backdrop, &'static str> {
        Ok(match header {
            BackdropHeader::Plain(colour) => Backdrop::Plain(*colour),
            BackdropHeader::Gradient(gradient) => Backdrop::Gradient(gradient.clone()),
            BackdropHeader::Picture { bitmap, fitting, focus, colour } => Backdrop::Picture(Picture {
                bitmap: Arc::new(self.bitmap(bitmap)?),
                fitting: *fitting,
                focus: *focus,
                colour: *colour,
            }),
            BackdropHeader::Cleaned { colour, layer } => {
                Backdrop::Cleaned(Cleaned { colour: *colour, layer: self.layer(layer)? })
            }
        })
    }
}

fn area(size: (u32, u32)) -> usize {
    size.0 as usize * size.1 as usize
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
    let mut blocks = Unpacked(&rest[length..]);
    let header: Header = serde_json::from_slice(header).map_err(|_| "the header cannot be read")?;
    Ok(Frame {
        width: header.size.0,
        height: header.size.1,
        fixed_size: header.fixed_size,
        subject: blocks.layer(&header.subject)?,
        photo: header.photo.as_ref().map(|photo| blocks.layer(photo)).transpose()?,
        shadows: header.shadows.iter().map(|shadow| blocks.shadow(shadow)).collect::<Result<_, _>>()?,
        marks: header.marks.iter().map(|mark| blocks.mark(mark)).collect::<Result<_, _>>()?,
        background: header.background.as_ref().map(|backdrop| blocks.backdrop(backdrop)).transpose()?,
        origin: Origin {
            size: header.origin.size,
            format: Format::from_mime(&header.origin.media_type).ok_or("of an unknown format")?,
            depth: header.origin.depth,
            profile: header.origin.profile,
            dpi: header.origin.dpi,
            rights: Rights { copyright: header.origin.copyright, artist: header.origin.artist },
        },
        encoded: None,
        more: Vec::new(),
        name_edits: header.name_edits,
        with_mask: header.with_mask,
        remarks: header
            .remarks
            .into_iter()
            .map(|one| Remarks {
                model: one.model,
                notes: one.notes,
                confidence: one.confidence,
                product_pixels_changed: one.product_pixels_changed,
            })
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backdrop::Run;

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
        frame.with_mask = true;
        frame.background = Some(Backdrop::Plain([1, 2, 3]));
        let photo = Bitmap::from_u8(2, 2, Channels::Rgb, (0..12).collect()).expect("2 by 2");
        frame.photo = Some(Subject { bitmap: Arc::new(photo), x: -4, y: 7 });
        let mask = Mask::new(4, 2, (0..8).collect()).expect("4 by 2");
        let mark = Bitmap::from_u8(1, 2, Channels::Rgba, vec![5; 8]).expect("1 by 2");
        let layer = Subject { bitmap: Arc::new(mark), x: 3, y: 4 };
        frame.marks.push(Mark { layer, blend: Blend::Screen, opacity: 0.5 });
        frame.shadows.push(Shadow {
            kind: ShadowKind::Contact,
            mask: Arc::new(mask),
            x: 1,
            y: 2,
            ink: Ink::Plain([9, 8, 7]),
            opacity: 0.35,
        });
        let ink = Bitmap::from_u8(2, 1, Channels::Rgb, vec![1, 2, 3, 4, 5, 6]).expect("2 by 1");
        frame.shadows.push(Shadow {
            kind: ShadowKind::Reflection,
            mask: Arc::new(Mask::new(2, 1, vec![7, 9]).expect("2 by 1")),
            x: 4,
            y: 1,
            ink: Ink::Picture(Arc::new(ink.clone())),
            opacity: 0.7,
        });
        frame.origin.dpi = Some(299.9994);
        frame.origin.rights.artist = Some("Mara".into());
        frame.note("said");
        frame.confidence(0.25);
        frame.made_by(ModelUse {
            id: "net".into(),
            sha256: None,
            backend: "rten".into(),
            precision: "f32".into(),
            fallback: Some("why".into()),
        });
        let stops = vec![(0.1, [1, 2, 3]), (0.7, [4, 5, 6])];
        let layer = Subject { bitmap: Arc::new(ink.clone().into_rgba()), x: 2, y: 2 };
        for background in [
            Backdrop::Plain([1, 2, 3]),
            Backdrop::Gradient(Gradient { run: Run::Linear(33.3), stops }),
            Backdrop::Picture(Picture {
                bitmap: Arc::new(ink),
                fitting: Fitting::Tile(12.5),
                focus: (0.3, 0.9),
                colour: [3, 2, 1],
            }),
            Backdrop::Cleaned(Cleaned { colour: [255; 3], layer }),
        ] {
            frame.background = Some(background);
            assert_eq!(unpack(&pack(&frame)), Ok(frame.clone()));
        }
    }
}
