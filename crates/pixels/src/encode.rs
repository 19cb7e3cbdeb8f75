//! [`Bitmap`] → bytes. Nothing of the source file is carried over: no Exif, no position, no serial number.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use crate::codec::{self, avif, jpeg_write, png, tiff, webp};
use crate::colour::{self, Ink, Raster};
use crate::metadata::metadata;
use crate::{
    Bitmap, Channels, ClippingPath, DigitalSource, Format, Mask, PixelError, Samples, SamplesMut, Space, psd,
};

/// How finely a JPEG stores colour compared with brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subsampling {
    /// Full colour resolution (4:4:4): for graphics, red product edges, further editing.
    S444,
    /// Half the colour resolution on both axes (4:2:0): a fifth smaller, usual on the web.
    #[default]
    S420,
    /// Full resolution where edges between strong colours are a noticeable part of the picture, half elsewhere.
    Auto,
}

/// How hard a PNG is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PngCompression {
    /// Chosen by the picture: fixed Huffman codes for cut-outs and flat canvases, deflate level 1 for opaque photographs.
    #[default]
    Auto,
    /// Deflate level 6 with adaptive filters: about 5 % smaller, 5 to 10 times slower.
    Small,
}

/// How a TIFF is compressed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TiffCompression {
    /// Not at all.
    None,
    /// LZW with horizontal differencing: the most widely read, slow to write.
    Lzw,
    /// Deflate with horizontal differencing.
    #[default]
    Deflate,
}

/// The output format with what can be chosen about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// JPEG, 8 bit, opaque. Refuses RGBA: flatten first. 16-bit bitmaps are rounded.
    Jpeg {
        /// 1..=100.
        quality: u8,
        /// Colour resolution.
        subsampling: Subsampling,
        /// Several scans, from coarse to fine: a tenth smaller, 5 times slower.
        progressive: bool,
        /// Huffman tables made for the picture: a twentieth smaller, 3 times slower. Progressive files always have them.
        optimise: bool,
    },
    /// PNG at the depth and channels of the bitmap.
    Png {
        /// How hard to try.
        compression: PngCompression,
    },
    /// Lossy WebP with lossless alpha, 8 bit, at most 16,383 pixels a side. 16-bit bitmaps are rounded.
    WebpLossy {
        /// 1..=100.
        quality: u8,
        /// 0 (fastest) to 6 (smallest).
        effort: u8,
    },
    /// Lossless WebP, 8 bit, at most 16,383 pixels a side. 16-bit bitmaps are rounded.
    WebpLossless,
    /// TIFF at the depth and channels of the bitmap; alpha is unassociated.
    Tiff {
        /// How strips are compressed.
        compression: TiffCompression,
    },
    /// AVIF with alpha, 4:4:4, 10 bits inside, at most 65,535 pixels a side; sRGB only. 16-bit bitmaps are rounded to 8.
    Avif {
        /// 1..=100.
        quality: u8,
        /// 1 (smallest) to 10 (fastest); below 9 it takes seconds a megapixel.
        speed: u8,
    },
    /// A Photoshop document of one layer, at the depth and channels of the bitmap; see [`crate::encode_layers`] for several.
    Psd,
}

impl Encoding {
    /// JPEG at `quality`, 4:2:0, baseline.
    pub const fn jpeg(quality: u8) -> Self {
        Self::Jpeg { quality, subsampling: Subsampling::S420, progressive: false, optimise: false }
    }

    /// PNG with the compression chosen by the picture.
    pub const fn png() -> Self {
        Self::Png { compression: PngCompression::Auto }
    }

    /// TIFF with deflate.
    pub const fn tiff() -> Self {
        Self::Tiff { compression: TiffCompression::Deflate }
    }

    /// Lossy WebP at `quality`, effort 2 (4 % larger than effort 4, 2.3 times faster).
    pub const fn webp(quality: u8) -> Self {
        Self::WebpLossy { quality, effort: 2 }
    }

    /// AVIF at `quality`, speed 10 (the fastest).
    pub const fn avif(quality: u8) -> Self {
        Self::Avif { quality, speed: 10 }
    }

    /// Format of the file.
    pub const fn format(self) -> Format {
        match self {
            Self::Avif { .. } => Format::Avif,
            Self::Psd => Format::Psd,
            Self::Jpeg { .. } => Format::Jpeg,
            Self::Png { .. } => Format::Png,
            Self::WebpLossy { .. } | Self::WebpLossless => Format::WebP,
            Self::Tiff { .. } => Format::Tiff,
        }
    }

    /// Whether transparent pixels survive in the file.
    pub const fn keeps_alpha(self) -> bool {
        !matches!(self, Self::Jpeg { .. })
    }

    /// Whether 16 bits a sample survive in the file.
    pub const fn keeps_16_bit(self) -> bool {
        matches!(self, Self::Png { .. } | Self::Tiff { .. } | Self::Psd)
    }
}

/// How a bitmap is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodeOptions {
    /// Format and its settings.
    pub encoding: Encoding,
    /// Resolution to be stated, in dots per inch (1..=65535).
    pub dpi: Option<f64>,
    /// Colour space that the colours are converted to.
    pub space: Space,
    /// Embeds an ICC profile of that space. Without it a PNG says sRGB in its own chunk and the others say nothing,
    /// which is read as sRGB.
    pub embed_profile: bool,
    /// A copyright notice to be stored (Exif tag 0x8298, the TIFF tag of that number, or a PNG `iTXt` chunk).
    pub copyright: Option<String>,
    /// Who made the picture (Exif and TIFF tag 0x013b, or a PNG `iTXt` chunk).
    pub artist: Option<String>,
    /// How the picture came to be, stated in XMP.
    pub digital_source: Option<DigitalSource>,
    /// A path that layout programs cut by, in JPEG, TIFF and PSD; others cannot hold any.
    pub clipping_path: Option<ClippingPath>,
    /// Keeps the colours of fully transparent pixels. By default they become black: files halve, and
    /// backdrops that were cut away cannot be brought back.
    pub keep_hidden_colours: bool,
}

impl EncodeOptions {
    /// The given format with an sRGB profile embedded and nothing else.
    pub const fn new(encoding: Encoding) -> Self {
        Self {
            encoding,
            dpi: None,
            space: Space::Srgb,
            embed_profile: true,
            copyright: None,
            artist: None,
            digital_source: None,
            clipping_path: None,
            keep_hidden_colours: false,
        }
    }
}

/// Writes a bitmap as a file.
///
/// Fails on arguments out of range, alpha in a JPEG, colour spaces that the format cannot hold, and sides too long for it.
pub fn encode(bitmap: &Bitmap, options: &EncodeOptions) -> Result<Vec<u8>, PixelError> {
    check(bitmap, options)?;
    let size = (bitmap.width(), bitmap.height());
    let metadata = metadata(options, size)?;
    let hides = bitmap.channels() == Channels::Rgba && !options.keep_hidden_colours;
    let eight = !options.encoding.keeps_16_bit() && bitmap.depth() == 16;
    // A copy only where something has to change.
    let mut changed = hides.then(|| bitmap.clone());
    changed.as_mut().into_iter().for_each(blacken_hidden);
    let raster = |changed: Option<Bitmap>| match (changed, eight, options.space.is_converted()) {
        (None, false, false) => Ok(Raster::borrowed(bitmap)),
        // Colours are converted before they are rounded.
        (changed, ..) => {
            let raster = colour::raster_in(changed.unwrap_or_else(|| bitmap.clone()), &options.space)?;
            Ok(if eight { raster.into_u8() } else { raster })
        }
    };
    match options.encoding {
        Encoding::Jpeg { quality, subsampling, progressive, optimise } => {
            let settings = jpeg_write::Settings { quality, subsampling, progressive, optimise };
            jpeg_write::write(&raster(changed)?, &settings, &metadata)
        }
        Encoding::Png { compression } => png::write(&raster(changed)?, compression, &metadata),
        Encoding::WebpLossy { quality, effort } => {
            webp::write(&raster(changed)?, Some((quality, effort)), options.keep_hidden_colours, &metadata)
        }
        Encoding::WebpLossless => webp::write(&raster(changed)?, None, true, &metadata),
        Encoding::Tiff { compression } => tiff::write(&raster(changed)?, compression, &metadata),
        Encoding::Avif { quality, speed } => avif::write(&raster(changed)?, quality, speed, &metadata),
        Encoding::Psd => psd::flat(changed.as_ref().unwrap_or(bitmap), options),
    }
}

/// Writes a mask as a grey picture, its values as they are, without a profile. Of the options, `space` and `embed_profile`
/// are not looked at; formats without grey hold the value three times.
pub fn encode_mask(mask: &Mask, options: &EncodeOptions) -> Result<Vec<u8>, PixelError> {
    let (width, height) = (mask.width(), mask.height());
    let plain = EncodeOptions { space: Space::Srgb, embed_profile: false, ..options.clone() };
    let values = mask.values();
    let metadata = metadata(&plain, (width, height))?;
    let raster = Raster { width, height, ink: Ink::Gray, samples: Cow::Owned(Samples::U8(values.to_vec())) };
    match options.encoding {
        Encoding::Jpeg { quality, subsampling, progressive, optimise } => {
            check_range("quality", quality, 1..=100)?;
            check_side(Format::Jpeg, width, height)?;
            let settings = jpeg_write::Settings { quality, subsampling, progressive, optimise };
            jpeg_write::write(&raster, &settings, &metadata)
        }
        Encoding::Tiff { compression } => tiff::write(&raster, compression, &metadata),
        Encoding::Png { compression } => png::write(&raster, compression, &metadata),
        Encoding::WebpLossy { .. } | Encoding::WebpLossless | Encoding::Avif { .. } | Encoding::Psd => {
            let rgb = codec::widen_gray(values, false);
            encode(&Bitmap::from_u8(width, height, Channels::Rgb, rgb)?, &plain)
        }
    }
}

fn check(bitmap: &Bitmap, options: &EncodeOptions) -> Result<(), PixelError> {
    match options.encoding {
        Encoding::Jpeg { .. } if bitmap.channels() == Channels::Rgba => return Err(PixelError::AlphaInJpeg),
        Encoding::Jpeg { quality, .. } => check_range("quality", quality, 1..=100)?,
        Encoding::WebpLossy { quality, effort } => {
            check_range("quality", quality, 1..=100)?;
            check_range("effort", effort, 0..=6)?;
        }
        Encoding::Avif { quality, speed } => {
            check_range("quality", quality, 1..=100)?;
            check_range("speed", speed, 1..=10)?;
        }
        _ => {}
    }
    let format = options.encoding.format();
    if !options.space.fits(format, bitmap.channels()) {
        return Err(PixelError::Argument {
            name: "space",
            value: format!("{} for {format}", options.space),
            allowed: "AVIF holds sRGB only, WebP and PSD RGB only, and CMYK needs JPEG or TIFF without transparency",
        });
    }
    check_side(format, bitmap.width(), bitmap.height())
}

fn check_range(name: &'static str, given: u8, range: RangeInclusive<u8>) -> Result<(), PixelError> {
    if range.contains(&given) {
        return Ok(());
    }
    let allowed = match *range.end() {
        100 => "1 to 100 is allowed",
        10 => "1 to 10 is allowed",
        _ => "0 to 6 is allowed",
    };
    Err(PixelError::Argument { name, value: given.to_string(), allowed })
}

/// Refuses sides longer than libjpeg writes and AV1 can say; the other formats look for themselves.
fn check_side(format: Format, width: u32, height: u32) -> Result<(), PixelError> {
    let max = match format {
        Format::Jpeg => 65_500,
        Format::Avif => 65_535,
        _ => u32::MAX,
    };
    if width.max(height) > max {
        return Err(PixelError::TooLargeForFormat { format, max, width, height });
    }
    Ok(())
}

/// Makes fully transparent pixels black.
fn blacken_hidden(bitmap: &mut Bitmap) {
    fn blacken<S: Copy + Default + PartialEq>(samples: &mut [S]) {
        let zero = S::default();
        for pixel in samples.as_chunks_mut::<4>().0 {
            if pixel[3] == zero {
                *pixel = [zero; 4];
            }
        }
    }
    match bitmap.samples_mut() {
        SamplesMut::U8(samples) => blacken(samples),
        SamplesMut::U16(samples) => blacken(samples),
    }
}
