//! What can be chosen about a file, and about further files beside it.

use pixels::{
    DigitalSource, EncodeOptions, Encoding, Format, PngCompression, Space, Subsampling, TiffCompression,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Number, Whole};

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
    /// The smallest, with transparency, 8 bit; takes a quarter of a second a megapixel.
    Avif,
    /// A Photoshop document with layers, lowest first: background, shadows, the original photo (hidden), and the product
    /// with its mask; 8 or 16 bit.
    Psd,
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
    /// Full resolution where edges between strong colours would bleed, half where nobody sees it.
    #[serde(rename = "auto")]
    Auto,
    /// Full resolution: crisp coloured edges, a fifth larger.
    #[serde(rename = "4:4:4")]
    Full,
    /// Half the resolution on both axes.
    #[serde(rename = "4:2:0")]
    Half,
}

/// How hard a file is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Compression {
    /// Well enough, quickly.
    Auto,
    /// As small as the format allows at the same pixels or quality; several times slower.
    Small,
}

/// How the rows of a TIFF are compressed; all of them keep every pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum TiffRows {
    /// Deflate: the smallest, and quick.
    Zip,
    /// LZW: the most widely read.
    Lzw,
    /// Not at all: the largest, read by everything.
    None,
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
    /// 16 bit; PNG, TIFF and PSD only.
    #[serde(rename = "16")]
    Sixteen,
}

/// The colour space of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum ColorProfile {
    /// sRGB, with its profile embedded.
    #[serde(rename = "sRGB")]
    Srgb,
    /// sRGB, without a profile.
    #[serde(rename = "none")]
    None,
    /// Display P3, with its profile embedded; not in AVIF.
    #[serde(rename = "Display P3")]
    DisplayP3,
    /// Adobe RGB (1998), with a compatible profile embedded; not in AVIF.
    #[serde(rename = "Adobe RGB")]
    AdobeRgb,
    /// Grey of gamma 2.2 in one channel, with its profile embedded; JPEG, PNG and TIFF only.
    #[serde(rename = "gray", alias = "grey")]
    Gray,
}

impl ColorProfile {
    fn space(self) -> Space {
        match self {
            Self::Srgb | Self::None => Space::Srgb,
            Self::DisplayP3 => Space::DisplayP3,
            Self::AdobeRgb => Space::AdobeRgb,
            Self::Gray => Space::Gray,
        }
    }
}

/// What a file says about who made it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum MetadataPolicy {
    /// Nothing: no names, no places, no serial numbers.
    Strip,
    /// Copyright notice and author, from the settings or else from the input; nothing else of the input.
    Copyright,
}

/// How the picture came to be, as IPTC's *digital source type* in XMP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum SourceType {
    /// Nothing is said.
    None,
    /// Taken by a camera, with corrections only.
    DigitalCapture,
    /// Taken by a camera and retouched.
    HumanEdits,
    /// Put together of several photographs.
    CompositeCapture,
    /// A photograph with parts that a model made.
    CompositeWithTrainedAlgorithmicMedia,
    /// Made by a model.
    TrainedAlgorithmicMedia,
}

impl SourceType {
    fn of(self) -> Option<DigitalSource> {
        match self {
            Self::None => None,
            Self::DigitalCapture => Some(DigitalSource::DigitalCapture),
            Self::HumanEdits => Some(DigitalSource::HumanEdits),
            Self::CompositeCapture => Some(DigitalSource::CompositeCapture),
            Self::CompositeWithTrainedAlgorithmicMedia => {
                Some(DigitalSource::CompositeWithTrainedAlgorithmicMedia)
            }
            Self::TrainedAlgorithmicMedia => Some(DigitalSource::TrainedAlgorithmicMedia),
        }
    }
}

/// Settings of `export`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Format of the file.
    pub target_format: TargetFormat,
    /// Whether the file can be transparent.
    pub target_mode: TargetMode,
    /// Quality of JPEG, AVIF and lossy WebP. Below 50, JPEG uses the next at which pure white stays pure white.
    pub quality: Whole<1, 100>,
    /// Largest size of the file: JPEG, AVIF and lossy WebP are written at a quality that stays within it and comes close,
    /// at most at `quality`; null allows any size.
    #[schemars(extend("x-unit" = "bytes"))]
    pub max_file_size: Option<Whole<1000, 1_000_000_000>>,
    /// How finely a JPEG stores colour.
    pub subsampling: Chroma,
    /// Whether a JPEG appears from coarse to fine: a tenth smaller, slower to write.
    pub progressive: bool,
    /// Whether a WebP keeps every pixel exactly.
    pub lossless: bool,
    /// How hard PNG, JPEG, WebP and AVIF are compressed.
    pub compression: Compression,
    /// How the rows of a TIFF are compressed.
    pub tiff_compression: TiffRows,
    /// Bits of a sample.
    pub depth: Depth,
    /// Resolution that the file states; null keeps the input's.
    #[schemars(extend("x-unit" = "dots per inch"))]
    pub dpi: Option<Whole<1, 10_000>>,
    /// Colour space that the file is written in.
    pub color_profile: ColorProfile,
    /// Whether a clipping path along the edge of the product is stored, for layout programs; JPEG, TIFF and PSD only.
    pub clipping_path: bool,
    /// Farthest that the path may be from the edge (where the product is half covered): a larger value gives fewer
    /// anchor points. At least 0.1.
    #[schemars(extend("x-unit" = "px"))]
    pub path_tolerance: Number<0, 20>,
    /// Name of the clipping path.
    #[schemars(length(max = 60))]
    pub path_name: String,
    /// What the file says about who made it.
    pub metadata: MetadataPolicy,
    /// Copyright notice, with `metadata` `copyright`; empty keeps the input's.
    #[schemars(length(max = 500))]
    pub copyright: String,
    /// Author, with `metadata` `copyright`; empty keeps the input's.
    #[schemars(length(max = 200))]
    pub artist: String,
    /// What the file says about how it came to be, for shops that ask for it; JPEG, PNG, WebP, TIFF and PSD only.
    pub source_type: SourceType,
    /// Further files from the same picture, up to 8, each with a `name` and settings of its own in place of these.
    #[schemars(length(max = 8))]
    pub outputs: Vec<Output>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            target_format: TargetFormat::Png,
            target_mode: TargetMode::Rgba,
            quality: Whole::new(90),
            max_file_size: None,
            subsampling: Chroma::Auto,
            progressive: false,
            lossless: false,
            compression: Compression::Auto,
            tiff_compression: TiffRows::Zip,
            depth: Depth::Auto,
            dpi: None,
            color_profile: ColorProfile::Srgb,
            clipping_path: false,
            path_tolerance: Number::new(0.75),
            path_name: "Clipping path".to_owned(),
            metadata: MetadataPolicy::Strip,
            copyright: String::new(),
            artist: String::new(),
            source_type: SourceType::None,
            outputs: Vec::new(),
        }
    }
}

/// What a further file shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Content {
    /// The same as the result.
    #[default]
    Result,
    /// The product alone, without background and shadows.
    Cutout,
    /// How much of the product covers each pixel, as a grey picture: white is product.
    Mask,
    /// The shadows alone, on nothing.
    Shadow,
    /// The photo before its background was removed, at the same place and size.
    Original,
}

/// A further file. What is not said is as for the result, as far as its format can hold it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Output {
    /// Its label: letters, digits, `-` and `_`; different for each.
    #[schemars(length(max = 40))]
    pub name: String,
    /// What it shows.
    pub content: Content,
    /// Name of the file without its extension, as in `editFilename`'s `pattern`, where `{name}` is the result's name and
    /// `{output}` the label; empty is `{name}_{output}`.
    #[schemars(length(max = 200))]
    pub file_name: String,
    /// Format of the file.
    pub target_format: Option<TargetFormat>,
    /// Whether the file can be transparent.
    pub target_mode: Option<TargetMode>,
    /// Widest it may be: it is scaled down to fit, never up.
    #[schemars(extend("x-unit" = "px"))]
    pub max_width: Option<Whole<1, 16_384>>,
    /// Highest it may be: it is scaled down to fit, never up.
    #[schemars(extend("x-unit" = "px"))]
    pub max_height: Option<Whole<1, 16_384>>,
    /// Quality of JPEG, AVIF and lossy WebP.
    pub quality: Option<Whole<1, 100>>,
    /// Largest size of the file.
    #[schemars(extend("x-unit" = "bytes"))]
    pub max_file_size: Option<Whole<1000, 1_000_000_000>>,
    /// How finely a JPEG stores colour.
    pub subsampling: Option<Chroma>,
    /// Whether a JPEG appears from coarse to fine.
    pub progressive: Option<bool>,
    /// Whether a WebP keeps every pixel exactly.
    pub lossless: Option<bool>,
    /// How hard it is compressed.
    pub compression: Option<Compression>,
    /// How the rows of a TIFF are compressed.
    pub tiff_compression: Option<TiffRows>,
    /// Bits of a sample.
    pub depth: Option<Depth>,
    /// Resolution that the file states.
    #[schemars(extend("x-unit" = "dots per inch"))]
    pub dpi: Option<Whole<1, 10_000>>,
    /// Colour space that the file is written in.
    pub color_profile: Option<ColorProfile>,
    /// Whether a clipping path is stored.
    pub clipping_path: Option<bool>,
    /// What the file says about who made it.
    pub metadata: Option<MetadataPolicy>,
}

impl Output {
    /// All settings of this file: its own, then those of the result that its format can hold.
    pub(super) fn over(&self, result: &Settings) -> Settings {
        let mut settings = Settings { outputs: Vec::new(), ..result.clone() };
        fn set<T: Copy>(to: &mut T, own: Option<T>) {
            if let Some(own) = own {
                *to = own;
            }
        }
        set(&mut settings.target_format, self.target_format);
        set(&mut settings.target_mode, self.target_mode);
        set(&mut settings.quality, self.quality);
        set(&mut settings.subsampling, self.subsampling);
        set(&mut settings.progressive, self.progressive);
        set(&mut settings.lossless, self.lossless);
        set(&mut settings.compression, self.compression);
        set(&mut settings.tiff_compression, self.tiff_compression);
        set(&mut settings.metadata, self.metadata);
        settings.dpi = self.dpi.or(settings.dpi);
        // What is inherited must not make the format impossible; what is the file's own is checked.
        if !settings.is_lossy() {
            settings.max_file_size = None;
        }
        if settings.depth == Depth::Sixteen && !settings.holds_16_bit() {
            settings.depth = Depth::Auto;
        }
        if !settings.holds_space() {
            settings.color_profile = ColorProfile::Srgb;
        }
        if self.content == Content::Mask {
            settings.color_profile = ColorProfile::None;
        }
        settings.clipping_path &= settings.holds_path() && self.content == Content::Result;
        settings.max_file_size = self.max_file_size.or(settings.max_file_size);
        set(&mut settings.depth, self.depth);
        set(&mut settings.color_profile, self.color_profile);
        set(&mut settings.clipping_path, self.clipping_path);
        settings
    }
}

impl Settings {
    pub(super) fn format(&self) -> Format {
        self.encoding(90).format()
    }

    pub(super) fn encoding(&self, quality: u8) -> Encoding {
        let small = self.compression == Compression::Small;
        match self.target_format {
            TargetFormat::Png => Encoding::Png {
                compression: if small { PngCompression::Small } else { PngCompression::Auto },
            },
            TargetFormat::Jpeg => Encoding::Jpeg {
                quality,
                subsampling: match self.subsampling {
                    Chroma::Auto => Subsampling::Auto,
                    Chroma::Full => Subsampling::S444,
                    Chroma::Half => Subsampling::S420,
                },
                progressive: self.progressive,
                optimise: small,
            },
            TargetFormat::Webp if self.lossless => Encoding::WebpLossless,
            TargetFormat::Webp if small => Encoding::WebpLossy { quality, effort: 6 },
            TargetFormat::Webp => Encoding::webp(quality),
            TargetFormat::Tiff => Encoding::Tiff {
                compression: match self.tiff_compression {
                    TiffRows::Zip => TiffCompression::Deflate,
                    TiffRows::Lzw => TiffCompression::Lzw,
                    TiffRows::None => TiffCompression::None,
                },
            },
            TargetFormat::Avif => Encoding::Avif { quality, speed: if small { 9 } else { 10 } },
            TargetFormat::Psd => Encoding::Psd,
        }
    }

    /// How a file is written, as far as settings alone say it.
    pub(super) fn options(&self, quality: u8) -> EncodeOptions {
        EncodeOptions {
            space: self.color_profile.space(),
            embed_profile: self.color_profile != ColorProfile::None,
            digital_source: self.source_type.of(),
            ..EncodeOptions::new(self.encoding(quality))
        }
    }

    /// Whether a lower quality makes a smaller file.
    pub(super) fn is_lossy(&self) -> bool {
        match self.target_format {
            TargetFormat::Jpeg | TargetFormat::Avif => true,
            TargetFormat::Webp => !self.lossless,
            TargetFormat::Png | TargetFormat::Tiff | TargetFormat::Psd => false,
        }
    }

    fn holds_16_bit(&self) -> bool {
        self.encoding(90).keeps_16_bit()
    }

    fn holds_space(&self) -> bool {
        self.color_profile.space().fits(self.format(), pixels::Channels::Rgb)
    }

    fn holds_path(&self) -> bool {
        matches!(self.target_format, TargetFormat::Jpeg | TargetFormat::Tiff | TargetFormat::Psd)
    }

    /// Refuses what makes no sense together, for one file.
    pub(super) fn check(&self) -> Result<(), String> {
        if self.depth == Depth::Sixteen && !self.holds_16_bit() {
            return Err(
                "`depth` is `16`, which only `PNG`, `TIFF` and `PSD` can hold; choose another `targetFormat`"
                    .into(),
            );
        }
        if self.max_file_size.is_some() && !self.is_lossy() {
            return Err(
                "`maxFileSize` needs a lossy format; choose `JPEG`, `AVIF`, or `WEBP` without `lossless`"
                    .into(),
            );
        }
        if !self.holds_space() {
            return Err(match self.color_profile {
                ColorProfile::Gray => {
                    "`colorProfile` is `gray`, which only `JPEG`, `PNG` and `TIFF` can hold; choose another"
                        .into()
                }
                _ => "`AVIF` holds sRGB only; choose another `colorProfile` or `targetFormat`".into(),
            });
        }
        if self.clipping_path && !self.holds_path() {
            return Err(
                "`clippingPath` needs `JPEG`, `TIFF` or `PSD`; choose another `targetFormat`, or switch it off".into()
            );
        }
        if self.path_tolerance.get() < 0.1 {
            return Err(format!("`pathTolerance` is {}, at least 0.1 is needed", self.path_tolerance.get()));
        }
        for (name, text, most) in [
            ("pathName", &self.path_name, 60),
            ("copyright", &self.copyright, 500),
            ("artist", &self.artist, 200),
        ] {
            let length = text.chars().count();
            if length > most {
                return Err(format!("`{name}` has {length} characters, at most {most} are allowed"));
            }
        }
        if self.path_name.trim().is_empty() {
            return Err("`pathName` is empty; a path needs a name".into());
        }
        let says_rights = !self.copyright.trim().is_empty() || !self.artist.trim().is_empty();
        if says_rights && self.metadata == MetadataPolicy::Strip {
            return Err(
                "`copyright` and `artist` are written with `metadata` `copyright` only; choose it".into()
            );
        }
        if self.source_type != SourceType::None && self.target_format == TargetFormat::Avif {
            return Err("`sourceType` cannot be stated in `AVIF`; choose another `targetFormat`".into());
        }
        Ok(())
    }
}
