//! Layered Photoshop documents, written after Adobe's "Photoshop File Formats Specification": RGB, 8 or 16 bit, layers
//! with masks, blend modes and opacity, and the picture they make together.

mod channel;

use crate::metadata::{Metadata, metadata};
use crate::{Bitmap, Channels, EncodeOptions, Format, Mask, PixelError, Samples, colour, photoshop};
use channel::{Plane, planes};

/// The longest side of a PSD file; longer ones need another format (PSB).
const LONGEST_SIDE: u32 = 30_000;
/// Most layers of one document.
const MOST_LAYERS: usize = 1000;

/// How a layer mixes with what lies under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blend {
    /// It covers.
    #[default]
    Normal,
    /// It darkens: the product of both.
    Multiply,
    /// It lightens: the inverse of the product of the inverses.
    Screen,
}

/// Where the values of a layer's mask come from.
#[derive(Clone, Copy, Debug)]
pub enum MaskValues<'a> {
    /// A mask of 8 bits.
    Mask(&'a Mask),
    /// The alpha of a bitmap, at its depth.
    Alpha(&'a Bitmap),
}

impl MaskValues<'_> {
    fn size(&self) -> (u32, u32) {
        match self {
            Self::Mask(mask) => (mask.width(), mask.height()),
            Self::Alpha(bitmap) => (bitmap.width(), bitmap.height()),
        }
    }
}

/// A greyscale mask of a layer, which its program applies and people can paint on.
#[derive(Clone, Copy, Debug)]
pub struct LayerMask<'a> {
    /// Its values: full shows the layer.
    pub values: MaskValues<'a>,
    /// Column of the document where it begins.
    pub x: i32,
    /// Row of the document where it begins.
    pub y: i32,
    /// Its value outside: 0 or 255.
    pub outside: u8,
}

/// One layer of a document. It may reach outside.
#[derive(Clone, Copy, Debug)]
pub struct Layer<'a> {
    /// Its name in the list of layers.
    pub name: &'a str,
    /// Its pixels, sRGB, straight alpha.
    pub bitmap: &'a Bitmap,
    /// Column of the document where it begins.
    pub x: i32,
    /// Row of the document where it begins.
    pub y: i32,
    /// 0 is invisible, 255 as it is.
    pub opacity: u8,
    /// How it mixes.
    pub blend: Blend,
    /// Whether its eye is on.
    pub visible: bool,
    /// Its mask, if it has one.
    pub mask: Option<LayerMask<'a>>,
}

impl<'a> Layer<'a> {
    /// A visible layer that covers, at the top left.
    pub const fn new(name: &'a str, bitmap: &'a Bitmap) -> Self {
        Self { name, bitmap, x: 0, y: 0, opacity: 255, blend: Blend::Normal, visible: true, mask: None }
    }

    /// The same layer at another place.
    pub const fn at(self, x: i32, y: i32) -> Self {
        Self { x, y, ..self }
    }
}

/// Layers, and the picture they make together.
#[derive(Clone, Debug)]
pub struct Document<'a> {
    /// The picture as it looks, for programs that read no layers; its size and depth are the document's. RGBA leaves the
    /// document transparent where it is.
    pub merged: &'a Bitmap,
    /// Lowest first. Layers of another depth are brought to that of `merged`.
    pub layers: Vec<Layer<'a>>,
}

/// Writes a document with its layers. Of the options, `encoding` is not looked at.
///
/// Channels of 8 bits are run-length coded, of 16 bits deflated with prediction, the merged picture run-length coded or
/// raw, as Photoshop does. Refuses sides above 30,000 pixels, colour spaces other than RGB, and more than 1000 layers.
pub fn encode_layers(document: &Document<'_>, options: &EncodeOptions) -> Result<Vec<u8>, PixelError> {
    let merged = document.merged;
    let (width, height) = (merged.width(), merged.height());
    if width.max(height) > LONGEST_SIDE {
        let (format, max) = (Format::Psd, LONGEST_SIDE);
        return Err(PixelError::TooLargeForFormat { format, max, width, height });
    }
    if document.layers.len() > MOST_LAYERS {
        let value = document.layers.len().to_string();
        return Err(PixelError::Argument { name: "layers", value, allowed: "at most 1000 are allowed" });
    }
    if !options.space.is_rgb() {
        return Err(PixelError::Argument {
            name: "space",
            value: options.space.to_string(),
            allowed: "layered files hold sRGB, Display P3 or Adobe RGB",
        });
    }
    let metadata = metadata(options, (width, height))?;
    let deep = merged.depth() == 16;
    let clear = merged.channels() == Channels::Rgba;

    let mut out = Vec::with_capacity(merged.byte_len());
    out.extend_from_slice(b"8BPS\0\x01\0\0\0\0\0\0");
    out.extend_from_slice(&(merged.channels().count() as u16).to_be_bytes());
    out.extend_from_slice(&height.to_be_bytes());
    out.extend_from_slice(&width.to_be_bytes());
    out.extend_from_slice(&u16::from(merged.depth()).to_be_bytes());
    // RGB, and no table of colours.
    out.extend_from_slice(&[0, 3, 0, 0, 0, 0]);
    section(&mut out, |out| resources(out, &metadata));
    let layers = layer_info(document, options, deep, clear)?;
    section(&mut out, |out| {
        if deep {
            // Layers of 16 bits lie in a block of their own, behind an empty list and an empty global mask.
            out.extend_from_slice(&[0; 8]);
            out.extend_from_slice(b"8BIMLr16");
            out.extend_from_slice(&(layers.len() as u32).to_be_bytes());
            out.extend_from_slice(&layers);
        } else {
            out.extend_from_slice(&(layers.len() as u32).to_be_bytes());
            out.extend_from_slice(&layers);
            out.extend_from_slice(&[0; 4]);
        }
    });
    drop(layers);
    let converted = in_space(merged, options, deep)?;
    let planes = planes(converted.as_ref().unwrap_or(merged));
    channel::write_merged(&mut out, &planes, clear);
    if u32::try_from(out.len()).is_ok_and(|length| length <= i32::MAX as u32) {
        Ok(out)
    } else {
        Err(PixelError::Argument {
            name: "layers",
            value: format!("{} bytes together", out.len()),
            allowed: "a PSD file holds at most 2 GiB",
        })
    }
}

/// Something with its length in front.
fn section(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend_from_slice(&[0; 4]);
    write(out);
    if !(out.len() - start).is_multiple_of(2) {
        out.push(0);
    }
    let length = (out.len() - start - 4) as u32;
    out[start..start + 4].copy_from_slice(&length.to_be_bytes());
}

fn resources(out: &mut Vec<u8>, metadata: &Metadata<'_>) {
    use photoshop as block;
    block::put(out, block::RESOLUTION, "", &block::resolution(metadata.dpi.unwrap_or(72.0)));
    if metadata.copyright.is_some() {
        block::put(out, block::COPYRIGHT_FLAG, "", &[1]);
    }
    if let Some(icc) = metadata.icc {
        block::put(out, block::ICC_PROFILE, "", icc);
    }
    // Says that the merged picture is a real one, and by whom it was written.
    let mut version = b"\0\0\0\x01\x01".to_vec();
    (0..2).for_each(|_| version.extend_from_slice(&unicode("Packshot")));
    version.extend_from_slice(&[0, 0, 0, 1]);
    block::put(out, block::VERSION_INFO, "", &version);
    if let Some(xmp) = &metadata.xmp {
        block::put(out, block::XMP, "", xmp.as_bytes());
    }
    if let Some(blocks) = &metadata.photoshop {
        out.extend_from_slice(blocks);
    }
}

/// A text in UTF-16 with its length in front and a zero behind.
fn unicode(text: &str) -> Vec<u8> {
    let units: Vec<u16> = text.encode_utf16().chain([0]).collect();
    let mut out = (units.len() as u32).to_be_bytes().to_vec();
    units.iter().for_each(|unit| out.extend_from_slice(&unit.to_be_bytes()));
    out
}

/// The bitmap at the document's depth and in its colour space; `None` where it is there already.
fn in_space(bitmap: &Bitmap, options: &EncodeOptions, deep: bool) -> Result<Option<Bitmap>, PixelError> {
    let mut changed = match (deep, bitmap.depth()) {
        (true, 8) => Some(bitmap.clone().into_u16()),
        (false, 16) => Some(bitmap.clone().into_u8()),
        _ => None,
    };
    if options.space.is_converted() {
        colour::to_space(changed.get_or_insert_with(|| bitmap.clone()), &options.space)?;
    }
    Ok(changed)
}

/// The number of layers, a record of each, then the channels of each.
fn layer_info(
    document: &Document<'_>,
    options: &EncodeOptions,
    deep: bool,
    clear: bool,
) -> Result<Vec<u8>, PixelError> {
    let count = document.layers.len() as i16;
    let (mut records, mut data) = (Vec::new(), Vec::new());
    // A negative number says that the merged picture's fourth channel is its transparency.
    records.extend_from_slice(&(if clear { -count } else { count }).to_be_bytes());
    for layer in &document.layers {
        let converted = in_space(layer.bitmap, options, deep)?;
        let mut planes = planes(converted.as_ref().unwrap_or(layer.bitmap));
        if let Some(mask) = &layer.mask {
            planes.push(Plane::of_mask(&mask.values, deep));
        }
        let lengths: Vec<usize> =
            planes.iter().map(|plane| channel::write_plane(&mut data, plane)).collect::<Result<_, _>>()?;
        record(&mut records, layer, &lengths);
    }
    records.extend_from_slice(&data);
    records.resize(records.len().next_multiple_of(4), 0);
    Ok(records)
}

/// Identifier of a layer's mask among its channels; red, green and blue are 0 to 2, alpha is -1.
const MASK_CHANNEL: i16 = -2;

fn record(out: &mut Vec<u8>, layer: &Layer<'_>, lengths: &[usize]) {
    let rectangle = |out: &mut Vec<u8>, (x, y): (i32, i32), (width, height): (u32, u32)| {
        // Top, left, bottom, right.
        for edge in [y, x, y.saturating_add_unsigned(height), x.saturating_add_unsigned(width)] {
            out.extend_from_slice(&edge.to_be_bytes());
        }
    };
    rectangle(out, (layer.x, layer.y), (layer.bitmap.width(), layer.bitmap.height()));
    out.extend_from_slice(&(lengths.len() as u16).to_be_bytes());
    let colours = layer.bitmap.channels().count();
    for (index, length) in lengths.iter().enumerate() {
        let id = match index {
            0..=2 => index as i16,
            3 if colours == 4 => -1,
            _ => MASK_CHANNEL,
        };
        out.extend_from_slice(&id.to_be_bytes());
        out.extend_from_slice(&(*length as u32).to_be_bytes());
    }
    out.extend_from_slice(b"8BIM");
    out.extend_from_slice(match layer.blend {
        Blend::Normal => b"norm",
        Blend::Multiply => b"mul ",
        Blend::Screen => b"scrn",
    });
    // Opacity, no clipping, flags (bit 1: hidden; bit 3: bit 4 means something), filler.
    out.extend_from_slice(&[layer.opacity, 0, if layer.visible { 8 } else { 8 | 2 }, 0]);
    section(out, |out| {
        section(out, |out| {
            if let Some(LayerMask { values, x, y, outside }) = layer.mask {
                rectangle(out, (x, y), values.size());
                out.extend_from_slice(&[outside, 0, 0, 0]);
            }
        });
        // No ranges of tones to blend.
        out.extend_from_slice(&[0; 4]);
        out.extend_from_slice(&short_name(layer.name));
        out.extend_from_slice(b"8BIMluni");
        let mut name = unicode(layer.name);
        name.resize(name.len().next_multiple_of(4), 0);
        out.extend_from_slice(&(name.len() as u32).to_be_bytes());
        out.extend_from_slice(&name);
    });
}

/// The name for old programs: ASCII with its length in front, padded to a multiple of four.
fn short_name(name: &str) -> Vec<u8> {
    let ascii: Vec<u8> = name.chars().take(63).map(|c| if c.is_ascii() { c as u8 } else { b'_' }).collect();
    let mut out = vec![ascii.len() as u8];
    out.extend_from_slice(&ascii);
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// A document of one layer.
pub(crate) fn flat(bitmap: &Bitmap, options: &EncodeOptions) -> Result<Vec<u8>, PixelError> {
    let document = Document { merged: bitmap, layers: vec![Layer::new("picture", bitmap)] };
    encode_layers(&document, options)
}

/// Whether the samples are of 16 bits.
pub(crate) fn is_deep(samples: &Samples) -> bool {
    matches!(samples, Samples::U16(_))
}
