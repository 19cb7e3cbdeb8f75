//! [`Bitmap`] → bytes. Nothing of the source file is carried over: no Exif, no position, no serial number.

use crate::codec::{jpeg, png, tiff, webp};
use crate::colour::srgb_profile;
use crate::{Bitmap, Channels, Format, PixelError, Samples, SamplesMut};

/// How finely a JPEG stores colour compared with brightness.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Subsampling {
    /// Full colour resolution (4:4:4): for graphics, red product edges, further editing.
    S444,
    /// Half the colour resolution on both axes (4:2:0): a fifth smaller, usual on the web.
    #[default]
    S420,
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

    /// Format of the file.
    pub const fn format(self) -> Format {
        match self {
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
        matches!(self, Self::Png { .. } | Self::Tiff { .. })
    }
}

/// How a bitmap is to be written.
#[derive(Clone, Debug, PartialEq)]
pub struct EncodeOptions {
    /// Format and its settings.
    pub encoding: Encoding,
    /// Resolution to be stated, in dots per inch (1..=65535); WebP cannot state any.
    pub dpi: Option<f64>,
    /// Embeds an sRGB ICC profile (2.6 KB). Without it a PNG says sRGB in its own chunk and the others say nothing,
    /// which is read as sRGB.
    pub embed_profile: bool,
    /// A copyright notice to be stored (Exif tag 0x8298, the TIFF tag of that number, or a PNG `iTXt` chunk).
    pub copyright: Option<String>,
    /// Keeps the colours of fully transparent pixels. By default they become black: files halve, and
    /// backdrops that were cut away cannot be brought back.
    pub keep_hidden_colours: bool,
}

impl EncodeOptions {
    /// The given format with a profile embedded and nothing else.
    pub const fn new(encoding: Encoding) -> Self {
        Self { encoding, dpi: None, embed_profile: true, copyright: None, keep_hidden_colours: false }
    }
}

/// Writes a bitmap as a file.
///
/// Fails on arguments out of range, alpha in a JPEG, and sides that the format cannot hold.
pub fn encode(bitmap: &Bitmap, options: &EncodeOptions) -> Result<Vec<u8>, PixelError> {
    check(bitmap, options)?;
    let hides = bitmap.channels() == Channels::Rgba && !options.keep_hidden_colours;
    let eight = !options.encoding.keeps_16_bit() && bitmap.depth() == 16;
    // A copy only where something has to change.
    let mut changed = (hides || eight).then(|| bitmap.clone());
    if eight {
        changed = changed.map(Bitmap::into_u8);
    }
    if let (true, Some(bitmap)) = (hides, &mut changed) {
        blacken_hidden(bitmap);
    }
    let bitmap = changed.as_ref().unwrap_or(bitmap);
    let size = (bitmap.width(), bitmap.height());
    let notice = options.copyright.as_deref().map(str::trim).filter(|notice| !notice.is_empty());
    let metadata =
        Metadata { dpi: options.dpi, icc: options.embed_profile.then(srgb_profile), copyright: notice };
    match options.encoding {
        Encoding::Jpeg { quality, subsampling, progressive, optimise } => {
            let settings = jpeg::Settings { quality, subsampling, progressive, optimise };
            jpeg::write(eight_bit(bitmap)?, size, &settings, &metadata)
        }
        Encoding::Png { compression } => png::write(bitmap, compression, &metadata),
        Encoding::WebpLossy { quality, effort } => {
            let lossy = Some((quality, effort));
            webp::write(
                eight_bit(bitmap)?,
                size,
                bitmap.channels(),
                lossy,
                options.keep_hidden_colours,
                &metadata,
            )
        }
        Encoding::WebpLossless => {
            webp::write(eight_bit(bitmap)?, size, bitmap.channels(), None, true, &metadata)
        }
        Encoding::Tiff { compression } => tiff::write(bitmap, compression, &metadata),
    }
}

/// What is written beside the pixels.
pub(crate) struct Metadata<'a> {
    /// Dots per inch, 1..=65535.
    pub dpi: Option<f64>,
    /// The profile to be embedded.
    pub icc: Option<&'a [u8]>,
    /// The copyright notice, not empty.
    pub copyright: Option<&'a str>,
}

fn check(bitmap: &Bitmap, options: &EncodeOptions) -> Result<(), PixelError> {
    let refuse = |name, value: String, allowed| Err(PixelError::Argument { name, value, allowed });
    match options.encoding {
        Encoding::Jpeg { quality, .. } | Encoding::WebpLossy { quality, .. }
            if !(1..=100).contains(&quality) =>
        {
            return refuse("quality", quality.to_string(), "1 to 100 is allowed");
        }
        Encoding::WebpLossy { effort, .. } if effort > 6 => {
            return refuse("effort", effort.to_string(), "0 to 6 is allowed");
        }
        Encoding::Jpeg { .. } if bitmap.channels() == Channels::Rgba => return Err(PixelError::AlphaInJpeg),
        _ => {}
    }
    if let Some(dpi) = options.dpi
        && !(1.0..=65_535.0).contains(&dpi)
    {
        return refuse("dpi", dpi.to_string(), "1 to 65535 is allowed");
    }
    if let Some(notice) = &options.copyright
        && notice.len() > 8192
    {
        return refuse("copyright", format!("{} bytes long", notice.len()), "at most 8192 bytes are allowed");
    }
    let (width, height) = (bitmap.width(), bitmap.height());
    // The longest that libjpeg writes.
    const LONGEST_JPEG_SIDE: u32 = 65_500;
    if options.encoding.format() == Format::Jpeg && width.max(height) > LONGEST_JPEG_SIDE {
        return Err(PixelError::TooLargeForFormat {
            format: Format::Jpeg,
            max: LONGEST_JPEG_SIDE,
            width,
            height,
        });
    }
    Ok(())
}

fn eight_bit(bitmap: &Bitmap) -> Result<&[u8], PixelError> {
    match bitmap.samples() {
        Samples::U8(samples) => Ok(samples),
        Samples::U16(_) => {
            Err(PixelError::Library { library: "encoder", reason: "16 bits were left".to_owned() })
        }
    }
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
