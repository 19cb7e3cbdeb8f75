//! TIFF 6.0 and BigTIFF, by `tiff`: 8 and 16 bit, grey, RGB and CMYK, with or without alpha.

use std::borrow::Cow;
use std::io::Cursor;
use std::marker::PhantomData;

use ::tiff::decoder::ifd::Value;
use ::tiff::decoder::{Decoder, DecodingResult};
use ::tiff::encoder::{Compression, DeflateLevel, Rational, TiffEncoder, TiffValue, colortype};
use ::tiff::tags::{
    ExtraSamples, PhotometricInterpretation, Predictor, ResolutionUnit, SampleFormat, Tag, Type,
};
use ::tiff::{ColorType, TiffError};

use super::{Raw, widen_gray};
use crate::colour::{Ink, Raster};
use crate::header::Inspected;
use crate::metadata::{Metadata, Rights, text_of};
use crate::{
    Bitmap, Channels, Format, Header, Limits, PixelError, Samples, SourceChannels, TiffCompression, exif,
};

/// Pages looked at before a file is refused: nobody sends so many previews.
const MOST_DIRECTORIES: usize = 64;

const WAY_OUT: &str = "save it as an 8 or 16 bit grey, RGB or CMYK TIFF without JPEG compression";

fn unsupported(what: impl Into<String>) -> PixelError {
    PixelError::UnsupportedVariant { format: Format::Tiff, what: what.into(), way_out: WAY_OUT }
}

fn refuse(error: TiffError) -> PixelError {
    match error {
        TiffError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
            PixelError::Truncated { format: Format::Tiff }
        }
        TiffError::UnsupportedError(error) => unsupported(format!("a feature that is not read ({error})")),
        TiffError::LimitsExceeded => PixelError::damaged(Format::Tiff, "a table in it is too large"),
        error => PixelError::damaged(Format::Tiff, error),
    }
}

type Reader<'a> = Decoder<Cursor<&'a [u8]>>;

/// Opens the file at its only picture of full size, and says how its pixels are laid out.
fn open<'a>(bytes: &'a [u8], limits: &Limits) -> Result<Reader<'a>, PixelError> {
    let allowed = {
        let mut allowed = ::tiff::decoder::Limits::default();
        // The size was or will be checked against our own limits; 8 bytes a pixel is the most that is decoded.
        allowed.decoding_buffer_size = limits.max_pixels.saturating_mul(16) as usize;
        allowed.intermediate_buffer_size = 256 << 20;
        allowed.ifd_value_size = (limits.max_icc_bytes.max(1 << 20) + 16) as usize;
        allowed
    };
    let mut reader = Decoder::new(Cursor::new(bytes)).map_err(refuse)?.with_limits(allowed);
    let (mut full_size, mut index) = (Vec::new(), 0);
    loop {
        // Bit 0: a reduced version of another picture. Bit 2: a transparency mask.
        let kind: u32 = reader.find_tag_unsigned(Tag::NewSubfileType).map_err(refuse)?.unwrap_or(0);
        if kind & 0b101 == 0 {
            full_size.push(index);
        }
        if !reader.more_images() || index + 1 >= MOST_DIRECTORIES {
            break;
        }
        index += 1;
        reader.next_image().map_err(refuse)?;
    }
    match full_size.as_slice() {
        [] => reader.seek_to_image(0).map_err(refuse)?,
        &[only] => reader.seek_to_image(only).map_err(refuse)?,
        pages => {
            let count = pages.len() as u64;
            return Err(PixelError::SeveralPictures { format: Format::Tiff, count, unit: "pages" });
        }
    }
    Ok(reader)
}

/// How the samples of a pixel are to be read.
struct Layout {
    channels: SourceChannels,
    depth: u8,
    /// Samples stored for a pixel.
    stored: usize,
    /// Samples that carry colour.
    colours: usize,
    /// Whether alpha follows the colours, and whether they are multiplied by it.
    alpha: Option<bool>,
}

fn layout(reader: &mut Reader<'_>) -> Result<Layout, PixelError> {
    let compression: u16 = reader.find_tag_unsigned(Tag::Compression).map_err(refuse)?.unwrap_or(1);
    let name = match compression {
        // None, LZW, deflate (Adobe's number and the older one), PackBits.
        1 | 5 | 8 | 32_946 | 32_773 => None,
        2..=4 => Some("fax compression".to_owned()),
        6 | 7 => Some("JPEG compression".to_owned()),
        other => Some(format!("compression {other}")),
    };
    if let Some(name) = name {
        return Err(unsupported(name));
    }
    let stored: u16 = reader.find_tag_unsigned(Tag::SamplesPerPixel).map_err(refuse)?.unwrap_or(1);
    let format: Vec<u16> =
        reader.find_tag_unsigned_vec(Tag::SampleFormat).map_err(refuse)?.unwrap_or_default();
    if format.iter().any(|&format| format != 1) {
        return Err(unsupported("floating point or signed samples"));
    }
    let extra: Vec<u16> =
        reader.find_tag_unsigned_vec(Tag::ExtraSamples).map_err(refuse)?.unwrap_or_default();
    let photometric: u16 =
        reader.find_tag_unsigned(Tag::PhotometricInterpretation).map_err(refuse)?.unwrap_or(1);
    if photometric == 3 {
        return Err(unsupported("a table of colours"));
    }
    let (gray, rgb, cmyk) = (1, 3, 4);
    let (colours, depth) = match reader.colortype().map_err(refuse)? {
        ColorType::Gray(depth) | ColorType::GrayA(depth) => (gray, depth),
        ColorType::Multiband { bit_depth, .. } if photometric <= 1 => (gray, bit_depth),
        ColorType::RGB(depth) | ColorType::RGBA(depth) => (rgb, depth),
        ColorType::CMYK(depth) | ColorType::CMYKA(depth) => (cmyk, depth),
        other => return Err(unsupported(format!("{other:?} pixels"))),
    };
    if depth != 8 && depth != 16 {
        return Err(unsupported(format!("{depth} bits a sample")));
    }
    let stored = usize::from(stored);
    if stored < colours || stored > 8 {
        return Err(unsupported(format!("{stored} samples a pixel")));
    }
    // Alpha is the first extra sample if it says so, or if a fourth colour is there and no tag at all. Others are spot
    // colours and saved selections.
    let alpha = match extra.first() {
        Some(kind @ (1 | 2)) if stored > colours => Some(*kind == 1),
        None if stored == colours + 1 => Some(false),
        _ => None,
    };
    let channels = match (colours, alpha) {
        (1, None) => SourceChannels::Gray,
        (1, Some(_)) => SourceChannels::GrayAlpha,
        (3, None) => SourceChannels::Rgb,
        (3, Some(_)) => SourceChannels::Rgba,
        _ => SourceChannels::Cmyk,
    };
    Ok(Layout { channels, depth, stored, colours, alpha })
}

pub(crate) fn inspect(bytes: &[u8], limits: &Limits) -> Result<Inspected, PixelError> {
    let mut reader = open(bytes, limits)?;
    let (width, height) = reader.dimensions().map_err(refuse)?;
    let layout = layout(&mut reader)?;
    let pixel_bytes = layout.stored as u64 * u64::from(layout.depth / 8);
    limits.check_size(width, height, pixel_bytes, bytes.len())?;
    check_extent(&mut reader, bytes.len())?;
    let mut warnings = Vec::new();
    let icc = match reader.find_tag(Tag::IccProfile) {
        Ok(value) => value.and_then(|value| value.into_u8_vec().ok()),
        Err(TiffError::LimitsExceeded) => {
            limits.check_icc(limits.max_icc_bytes + 1)?;
            None
        }
        Err(error) => {
            warnings.push(format!("the embedded ICC profile was ignored: {error}"));
            None
        }
    };
    if let Some(icc) = &icc {
        limits.check_icc(icc.len() as u64)?;
    }
    let orientation: u16 = reader.find_tag_unsigned(Tag::Orientation).ok().flatten().unwrap_or(1);
    let header = Header {
        format: Format::Tiff,
        width,
        height,
        channels: layout.channels,
        depth: layout.depth,
        has_alpha: layout.alpha.is_some(),
        orientation: u8::try_from(orientation).ok().filter(|n| (1..=8).contains(n)).unwrap_or(1),
        has_icc: icc.is_some(),
        dpi: dpi(&mut reader),
        frames: 1,
    };
    let mut text = |tag: Tag| match reader.find_tag(tag) {
        Ok(Some(Value::Ascii(text))) => text_of(text.as_bytes()),
        _ => None,
    };
    let rights = Rights { copyright: text(Tag::Copyright), artist: text(Tag::Artist) };
    Ok(Inspected { header, icc, named_space: None, inverted_cmyk: false, rights, warnings })
}

/// Refuses a file whose strips or tiles lie beyond its end.
fn check_extent(reader: &mut Reader<'_>, length: usize) -> Result<(), PixelError> {
    for (offsets, counts) in
        [(Tag::StripOffsets, Tag::StripByteCounts), (Tag::TileOffsets, Tag::TileByteCounts)]
    {
        let offsets: Vec<u64> = reader.find_tag_unsigned_vec(offsets).map_err(refuse)?.unwrap_or_default();
        let counts: Vec<u64> = reader.find_tag_unsigned_vec(counts).map_err(refuse)?.unwrap_or_default();
        if offsets.iter().zip(&counts).any(|(offset, count)| offset.saturating_add(*count) > length as u64) {
            return Err(PixelError::Truncated { format: Format::Tiff });
        }
    }
    Ok(())
}

fn dpi(reader: &mut Reader<'_>) -> Option<(f64, f64)> {
    let mut of = |tag: Tag| match reader.find_tag(tag).ok()?? {
        Value::Rational(n, d) => Some(f64::from(n) / f64::from(d)),
        _ => None,
    };
    let (x, y) = (of(Tag::XResolution)?, of(Tag::YResolution)?);
    let unit: u16 = reader.find_tag_unsigned(Tag::ResolutionUnit).ok().flatten().unwrap_or(2);
    let scale = match unit {
        2 => 1.0,
        3 => 2.54,
        _ => return None,
    };
    exif::sensible_dpi(x * scale, y * scale)
}

pub(crate) fn read(bytes: &[u8], header: &Header, limits: &Limits) -> Result<Raw, PixelError> {
    let mut reader = open(bytes, limits)?;
    let layout = layout(&mut reader)?;
    let planar: u16 = reader.find_tag_unsigned(Tag::PlanarConfiguration).map_err(refuse)?.unwrap_or(1);
    let mut result = DecodingResult::U8(Vec::new());
    reader.read_image_to_buffer(&mut result).map_err(refuse)?;
    let by_planes = planar == 2 && layout.stored > 1;
    match result {
        DecodingResult::U8(samples) if layout.depth == 8 => assemble(samples, by_planes, header, &layout),
        DecodingResult::U16(samples) if layout.depth == 16 => assemble(samples, by_planes, header, &layout),
        _ => Err(PixelError::damaged(Format::Tiff, "its headers contradict each other")),
    }
}

/// A sample that alpha can be taken out of.
trait Straighten: Copy + Default {
    fn straighten(self, alpha: Self) -> Self;
    fn wrap(samples: Vec<Self>) -> Samples;
}

impl Straighten for u8 {
    fn straighten(self, alpha: Self) -> Self {
        let (value, alpha) = (u32::from(self), u32::from(alpha));
        (value * 255 + alpha / 2).checked_div(alpha).map_or(0, |v| v.min(255) as u8)
    }
    fn wrap(samples: Vec<Self>) -> Samples {
        Samples::U8(samples)
    }
}

impl Straighten for u16 {
    fn straighten(self, alpha: Self) -> Self {
        let (value, alpha) = (u64::from(self), u64::from(alpha));
        (value * 65_535 + alpha / 2).checked_div(alpha).map_or(0, |v| v.min(65_535) as u16)
    }
    fn wrap(samples: Vec<Self>) -> Samples {
        Samples::U16(samples)
    }
}

fn assemble<S: Straighten>(
    samples: Vec<S>,
    by_planes: bool,
    header: &Header,
    layout: &Layout,
) -> Result<Raw, PixelError> {
    let pixels = header.width as usize * header.height as usize;
    let kept = layout.colours + usize::from(layout.alpha.is_some());
    // The decoder leaves out some of the extra samples by itself.
    let stored = samples.len() / pixels;
    if samples.len() != pixels * stored || stored < kept {
        return Err(PixelError::damaged(Format::Tiff, "it holds fewer samples than its size promises"));
    }
    let samples = if by_planes {
        let mut interleaved = vec![S::default(); samples.len()];
        for (plane, values) in samples.chunks_exact(pixels).enumerate() {
            for (pixel, value) in interleaved.chunks_exact_mut(stored).zip(values) {
                pixel[plane] = *value;
            }
        }
        interleaved
    } else {
        samples
    };
    let (width, height) = (header.width, header.height);
    let mut packed = if kept == stored {
        samples
    } else {
        samples.chunks_exact(stored).flat_map(|pixel| pixel[..kept].iter().copied()).collect()
    };
    if matches!(layout.alpha, Some(true)) {
        for pixel in packed.chunks_exact_mut(kept) {
            if let Some((alpha, colours)) = pixel.split_last_mut() {
                colours.iter_mut().for_each(|v| *v = v.straighten(*alpha));
            }
        }
    }
    if layout.colours == 4 {
        let (samples, alpha) = if layout.alpha.is_some() {
            let alpha = packed.iter().skip(4).step_by(5).copied().collect();
            let cmyk = packed.chunks_exact(5).flat_map(|pixel| pixel[..4].iter().copied()).collect();
            (cmyk, Some(S::wrap(alpha)))
        } else {
            (packed, None)
        };
        return Ok(Raw::Cmyk { width, height, samples: S::wrap(samples), alpha });
    }
    let channels = if layout.alpha.is_some() { Channels::Rgba } else { Channels::Rgb };
    let packed = if layout.colours == 1 { widen_gray(&packed, layout.alpha.is_some()) } else { packed };
    Ok(Raw::Colours(Bitmap::new(width, height, channels, S::wrap(packed))?))
}

/// Writes a raster at its own depth, strip by strip.
pub(crate) fn write(
    raster: &Raster<'_>,
    compression: TiffCompression,
    metadata: &Metadata<'_>,
) -> Result<Vec<u8>, PixelError> {
    let mut out = Cursor::new(Vec::new());
    let (compression, predictor) = match compression {
        TiffCompression::None => (Compression::Uncompressed, Predictor::None),
        TiffCompression::Lzw => (Compression::Lzw, Predictor::Horizontal),
        TiffCompression::Deflate => (Compression::Deflate(DeflateLevel::Fast), Predictor::Horizontal),
    };
    let encoder =
        TiffEncoder::new(&mut out).map_err(failed)?.with_compression(compression).with_predictor(predictor);
    match (raster.ink, &*raster.samples) {
        (Ink::Gray, Samples::U8(s)) => write_as::<colortype::Gray8>(encoder, raster, s, metadata)?,
        (Ink::Gray, Samples::U16(s)) => write_as::<colortype::Gray16>(encoder, raster, s, metadata)?,
        (Ink::GrayAlpha, Samples::U8(s)) => write_as::<GrayAlpha<u8>>(encoder, raster, s, metadata)?,
        (Ink::GrayAlpha, Samples::U16(s)) => write_as::<GrayAlpha<u16>>(encoder, raster, s, metadata)?,
        (Ink::Rgb, Samples::U8(s)) => write_as::<colortype::RGB8>(encoder, raster, s, metadata)?,
        (Ink::Rgb, Samples::U16(s)) => write_as::<colortype::RGB16>(encoder, raster, s, metadata)?,
        (Ink::Rgba, Samples::U8(s)) => write_as::<colortype::RGBA8>(encoder, raster, s, metadata)?,
        (Ink::Rgba, Samples::U16(s)) => write_as::<colortype::RGBA16>(encoder, raster, s, metadata)?,
        (Ink::Cmyk, Samples::U8(s)) => write_as::<colortype::CMYK8>(encoder, raster, s, metadata)?,
        (Ink::Cmyk, Samples::U16(s)) => write_as::<colortype::CMYK16>(encoder, raster, s, metadata)?,
    }
    Ok(out.into_inner())
}

/// Bytes of the type `UNDEFINED`, as a profile must have.
struct Undefined<'a>(&'a [u8]);

impl TiffValue for Undefined<'_> {
    const BYTE_LEN: u8 = 1;
    const FIELD_TYPE: Type = Type::UNDEFINED;

    fn count(&self) -> usize {
        self.0.len()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        self.0.into()
    }
}

/// Text of the type `ASCII`, in UTF-8, as everybody writes it and the copyright sign demands.
struct Text<'a>(&'a str);

impl TiffValue for Text<'_> {
    const BYTE_LEN: u8 = 1;
    const FIELD_TYPE: Type = Type::ASCII;

    fn count(&self) -> usize {
        self.0.len() + 1
    }

    fn data(&self) -> Cow<'_, [u8]> {
        [self.0.replace('\0', " ").as_bytes(), &[0]].concat().into()
    }
}

fn failed(error: TiffError) -> PixelError {
    PixelError::Library { library: "tiff", reason: error.to_string() }
}

fn write_as<C: colortype::ColorType>(
    mut encoder: TiffEncoder<&mut Cursor<Vec<u8>>>,
    raster: &Raster<'_>,
    samples: &[C::Inner],
    metadata: &Metadata<'_>,
) -> Result<(), PixelError>
where
    [C::Inner]: TiffValue,
{
    let mut image = encoder.new_image::<C>(raster.width, raster.height).map_err(failed)?;
    if raster.ink.has_alpha() {
        // The last sample says what it is. `extra_samples` would have to add it to RGB, and then the difference
        // between neighbours would be taken over three samples.
        let kind = [ExtraSamples::UnassociatedAlpha.to_u16()];
        image.encoder().write_tag(Tag::ExtraSamples, &kind[..]).map_err(failed)?;
    }
    if let Some(dpi) = metadata.dpi {
        // Hundredths, so that 299.99 stays what it is.
        image.resolution(ResolutionUnit::Inch, Rational { n: (dpi * 100.0).round() as u32, d: 100 });
    }
    if let Some(icc) = metadata.icc {
        image.encoder().write_tag(Tag::IccProfile, Undefined(icc)).map_err(failed)?;
    }
    for (tag, text) in [(Tag::Artist, metadata.artist), (Tag::Copyright, metadata.copyright)] {
        if let Some(text) = text {
            image.encoder().write_tag(tag, Text(text)).map_err(failed)?;
        }
    }
    if let Some(xmp) = &metadata.xmp {
        image.encoder().write_tag(Tag::Unknown(XMP), xmp.as_bytes()).map_err(failed)?;
    }
    if let Some(blocks) = &metadata.photoshop {
        image.encoder().write_tag(Tag::Unknown(PHOTOSHOP), &blocks[..]).map_err(failed)?;
    }
    image.write_data(samples).map_err(failed)
}

/// Tags of an XMP packet and of Photoshop's image resource blocks (Adobe, "TIFF Technical Notes").
const XMP: u16 = 700;
const PHOTOSHOP: u16 = 34_377;

/// Brightness and alpha, which the library has no name for.
struct GrayAlpha<S>(PhantomData<S>);

macro_rules! gray_alpha {
    ($sample:ty, $bits:literal) => {
        impl colortype::ColorType for GrayAlpha<$sample> {
            type Inner = $sample;
            const TIFF_VALUE: PhotometricInterpretation = PhotometricInterpretation::BlackIsZero;
            const BITS_PER_SAMPLE: &'static [u16] = &[$bits; 2];
            const SAMPLE_FORMAT: &'static [SampleFormat] = &[SampleFormat::Uint; 2];

            fn horizontal_predict(row: &[Self::Inner], result: &mut Vec<Self::Inner>) {
                result.extend_from_slice(&row[..row.len().min(2)]);
                result.extend(
                    row.iter().zip(row.iter().skip(2)).map(|(left, value)| value.wrapping_sub(*left)),
                );
            }
        }
    };
}

gray_alpha!(u8, 8);
gray_alpha!(u16, 16);
