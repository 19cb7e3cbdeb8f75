//! Writes the file: always the last step, and the only one that puts the layers together.

use std::sync::Arc;

use domain::component::{Changes, Place};
use pixels::{
    Bitmap, EncodeOptions, Encoding, PngCompression, Samples, Subsampling, TiffCompression, to_u16,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::render::render;
use crate::{Backdrop, Context, Encoded, Fault, Frame, Whole};

/// Lossy files are not made worse than this to become small.
const LEAST_QUALITY: u8 = 20;

/// A file format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetFormat {
    /// Lossless, with transparency, 8 or 16 bit.
    Png,
    /// Small, without transparency, 8 bit.
    #[serde(alias = "JPG")]
    Jpeg,
    /// Smaller still, with transparency, 8 bit.
    Webp,
    /// Lossless, with transparency, 8 or 16 bit, for print.
    #[serde(alias = "TIF")]
    Tiff,
}

/// Whether the file can be transparent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum TargetMode {
    /// With an alpha channel: what no step filled is transparent. JPEG has none and is written as RGB.
    Rgba,
    /// Without one: what no step filled is white.
    Rgb,
}

/// How finely a JPEG stores colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Chroma {
    /// Full resolution: crisp coloured edges, a fifth larger.
    #[serde(rename = "4:4:4")]
    Full,
    /// Half the resolution on both axes.
    #[serde(rename = "4:2:0")]
    Half,
}

/// Bits of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Depth {
    /// As many as the input file had, where the format can hold them.
    #[serde(rename = "auto")]
    Auto,
    /// 8 bit.
    #[serde(rename = "8")]
    Eight,
    /// 16 bit; PNG and TIFF only.
    #[serde(rename = "16")]
    Sixteen,
}

/// What a file says about its colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColorProfile {
    /// An sRGB profile is embedded.
    #[serde(rename = "sRGB")]
    Srgb,
    /// No profile is embedded; the colours are sRGB all the same.
    #[serde(rename = "none")]
    None,
}

/// Settings of `export`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Format of the file.
    pub target_format: TargetFormat,
    /// Whether the file can be transparent.
    pub target_mode: TargetMode,
    /// Quality of JPEG and lossy WebP.
    pub quality: Whole<1, 100>,
    /// Largest size of the file: JPEG and lossy WebP are written at the best quality that stays within it, at most at
    /// `quality`; null allows any size.
    #[schemars(extend("x-unit" = "bytes"))]
    pub max_file_size: Option<Whole<1000, 1_000_000_000>>,
    /// How finely a JPEG stores colour.
    pub subsampling: Chroma,
    /// Whether a JPEG appears from coarse to fine: a tenth smaller, slower to write.
    pub progressive: bool,
    /// Whether a WebP keeps every pixel exactly.
    pub lossless: bool,
    /// Bits of a sample.
    pub depth: Depth,
    /// Resolution that the file states; null keeps the input's. WebP cannot state any.
    #[schemars(extend("x-unit" = "dots per inch"))]
    pub dpi: Option<Whole<1, 10_000>>,
    /// What the file says about its colours, which are always sRGB.
    pub color_profile: ColorProfile,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_format: TargetFormat::Png,
            target_mode: TargetMode::Rgba,
            quality: Whole::new(90),
            max_file_size: None,
            subsampling: Chroma::Half,
            progressive: false,
            lossless: false,
            depth: Depth::Auto,
            dpi: None,
            color_profile: ColorProfile::Srgb,
        }
    }
}

impl Settings {
    fn encoding(&self, quality: u8) -> Encoding {
        match self.target_format {
            TargetFormat::Png => Encoding::Png { compression: PngCompression::Auto },
            TargetFormat::Jpeg => Encoding::Jpeg {
                quality,
                subsampling: match self.subsampling {
                    Chroma::Full => Subsampling::S444,
                    Chroma::Half => Subsampling::S420,
                },
                progressive: self.progressive,
                optimise: false,
            },
            TargetFormat::Webp if self.lossless => Encoding::WebpLossless,
            TargetFormat::Webp => Encoding::webp(quality),
            TargetFormat::Tiff => Encoding::Tiff { compression: TiffCompression::Deflate },
        }
    }

    /// Whether a lower quality makes a smaller file.
    fn is_lossy(&self) -> bool {
        match self.target_format {
            TargetFormat::Jpeg => true,
            TargetFormat::Webp => !self.lossless,
            TargetFormat::Png | TargetFormat::Tiff => false,
        }
    }
}

/// Writes the file.
pub struct Export;

impl Component for Export {
    const KIND: &'static str = "export";
    const TITLE: &'static str = "Export";
    const SUMMARY: &'static str = "Writes the result as PNG, JPEG, WebP or TIFF.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 10;
    const CHANGES: Changes = Changes::NONE;
    const PLACE: Place = Place::Last;

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let holds_16 = matches!(settings.target_format, TargetFormat::Png | TargetFormat::Tiff);
        if settings.depth == Depth::Sixteen && !holds_16 {
            return Err(
                "`depth` is `16`, which only `PNG` and `TIFF` can hold; choose another `targetFormat`".into(),
            );
        }
        if settings.max_file_size.is_some() && !settings.is_lossy() {
            return Err(
                "`maxFileSize` needs a lossy format; choose `JPEG`, or `WEBP` without `lossless`".into()
            );
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let quality = settings.quality.get() as u8;
        let encoding = settings.encoding(quality);
        let wants_alpha = settings.target_mode == TargetMode::Rgba && encoding.keeps_alpha();
        let under = match &frame.background {
            Some(backdrop) => Some(backdrop),
            None if wants_alpha => None,
            None => Some(&Backdrop::Plain([255; 3])),
        };
        let mut bitmap = render(frame, under, context)?;
        let deep = match settings.depth {
            // A step may have widened the picture to be exact; that makes a file of 8 bit no better one of 16.
            Depth::Auto => bitmap.depth() == 16 && frame.origin.depth == 16 && encoding.keeps_16_bit(),
            Depth::Eight => false,
            Depth::Sixteen => true,
        };
        if deep != (bitmap.depth() == 16) {
            let whole = Arc::unwrap_or_clone(bitmap);
            bitmap = Arc::new(if deep { deepen(whole)? } else { whole.into_u8() });
        }
        if wants_alpha && bitmap.channels() == pixels::Channels::Rgb {
            bitmap = Arc::new(Arc::unwrap_or_clone(bitmap).into_rgba());
        }
        context.check_cancelled()?;
        let options = EncodeOptions {
            dpi: settings.dpi.map(|dpi| f64::from(dpi.get())).or(frame.origin.dpi.filter(|dpi| *dpi >= 1.0)),
            embed_profile: settings.color_profile == ColorProfile::Srgb,
            ..EncodeOptions::new(encoding)
        };
        let mut file = pixels::encode(&bitmap, &options)?;
        if let Some(most) = settings.max_file_size.map(|most| most.get() as usize)
            && file.len() > most
        {
            let (smaller, quality) = squeeze(&bitmap, &options, settings, most, context)?;
            frame.note(format!("written at quality {quality} to stay within {most} bytes"));
            file = smaller;
        }
        frame.encoded = Some(Encoded { bytes: Arc::new(file), format: encoding.format() });
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The layers, the canvas they are put on, and the file.
        bytes(megapixels, 12)
    }
}

/// The file at the best quality that stays within `most` bytes, and that quality.
fn squeeze(
    bitmap: &Bitmap,
    options: &EncodeOptions,
    settings: &Settings,
    most: usize,
    context: &Context<'_>,
) -> Result<(Vec<u8>, u8), Fault> {
    let mut best: Option<(Vec<u8>, u8)> = None;
    let (mut low, mut high) = (LEAST_QUALITY, settings.quality.get() as u8);
    // Qualities from `high` on are known to be too large, those up to the best so far to fit.
    while low < high {
        context.check_cancelled()?;
        let quality = low + (high - low) / 2;
        let options = EncodeOptions { encoding: settings.encoding(quality), ..options.clone() };
        let file = pixels::encode(bitmap, &options)?;
        if file.len() <= most {
            best = Some((file, quality));
            low = quality + 1;
        } else {
            high = quality;
        }
    }
    best.ok_or_else(|| {
        Fault::input(
            "result_too_large",
            format!(
                "the result does not fit into {most} bytes (`maxFileSize`) at any quality from {LEAST_QUALITY} on; \
                 allow more, or make it smaller with `setOnCanvas`"
            ),
        )
    })
}

fn deepen(bitmap: Bitmap) -> Result<Bitmap, Fault> {
    let (width, height, channels) = (bitmap.width(), bitmap.height(), bitmap.channels());
    let samples = match bitmap.into_samples() {
        Samples::U8(samples) => samples.into_iter().map(to_u16).collect(),
        Samples::U16(samples) => samples,
    };
    Ok(Bitmap::from_u16(width, height, channels, samples)?)
}
