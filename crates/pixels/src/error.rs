//! Why bytes did not become pixels, or pixels bytes.

use crate::Format;

/// What went wrong with a picture. [`PixelError::is_input`] says whose fault it is,
/// [`PixelError::code`] gives a name that never changes.
#[derive(Debug, thiserror::Error)]
pub enum PixelError {
    /// There are no bytes at all.
    #[error("the picture file is empty")]
    Empty,
    /// The first bytes belong to no format that is known here.
    #[error("the file is no picture that can be read; send JPEG, PNG, WebP or TIFF")]
    UnknownFormat,
    /// A format that is known by name, but not read.
    #[error("unsupported format `{name}`; send JPEG, PNG, WebP or TIFF")]
    UnsupportedFormat {
        /// Common name, such as `GIF`.
        name: &'static str,
    },
    /// A variant of a readable format that is not read.
    #[error("this {format} file uses {what}, which is not supported; {way_out}")]
    UnsupportedVariant {
        /// Format of the file.
        format: Format,
        /// Which feature of the format is in the way.
        what: String,
        /// What the sender can do about it.
        way_out: &'static str,
    },
    /// An animation or a file of several pages.
    #[error("this {format} file holds {count} {unit}; only single pictures are accepted")]
    SeveralPictures {
        /// Format of the file.
        format: Format,
        /// How many pictures there are.
        count: u64,
        /// `frames` or `pages`.
        unit: &'static str,
    },
    /// The file ends too early.
    #[error("the {format} file is truncated: it ends before the picture does; send the whole file")]
    Truncated {
        /// Format of the file.
        format: Format,
    },
    /// The file breaks the rules of its format.
    #[error("the {format} file is damaged: {reason}")]
    Damaged {
        /// Format of the file.
        format: Format,
        /// What the decoder found.
        reason: String,
    },
    /// More bytes than allowed.
    #[error("the file has {bytes} bytes; at most {max} are allowed")]
    TooManyBytes {
        /// Size of the file.
        bytes: u64,
        /// Limit in force.
        max: u64,
    },
    /// More pixels than allowed.
    #[error("the picture is {width} by {height}; at most {} megapixels are allowed", megapixels(*.max))]
    TooManyPixels {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Limit in force, in pixels.
        max: u64,
    },
    /// One side is longer than allowed.
    #[error("the picture is {width} by {height}; a side of at most {max} pixels is allowed")]
    SideTooLong {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Limit in force, in pixels.
        max: u32,
    },
    /// So few bytes cannot honestly hold so many pixels.
    #[error(
        "the picture would grow from {bytes} to {decoded} bytes when decoded; at most {max} times are allowed"
    )]
    RatioTooHigh {
        /// Size of the file.
        bytes: u64,
        /// Size of the decoded picture in bytes.
        decoded: u64,
        /// Limit in force: decoded bytes for one byte of the file.
        max: u32,
    },
    /// A profile or other metadata larger than allowed.
    #[error("the {what} has {bytes} bytes; at most {max} are allowed")]
    MetadataTooLarge {
        /// `ICC profile`, `metadata` and the like.
        what: &'static str,
        /// Its size.
        bytes: u64,
        /// Limit in force.
        max: u64,
    },
    /// More JPEG scans than allowed: each costs a pass over the whole picture.
    #[error("the JPEG file has more than {max} scans; save it again as a baseline JPEG")]
    TooManyScans {
        /// Limit in force.
        max: u32,
    },
    /// CMYK numbers mean nothing without a profile.
    #[error("the picture is CMYK without an ICC profile; embed the profile, or send it as sRGB")]
    CmykWithoutProfile,
    /// Alpha was given to a format that has none: the caller must flatten first.
    #[error("JPEG has no transparency; flatten the picture onto a background first")]
    AlphaInJpeg,
    /// A picture larger than the output format can hold.
    #[error(
        "{format} holds at most {max} pixels a side, the picture is {width} by {height}; choose another format"
    )]
    TooLargeForFormat {
        /// Output format.
        format: Format,
        /// Longest side the format can hold.
        max: u32,
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
    },
    /// An argument out of its range: a mistake of the caller's.
    #[error("`{name}` is {value}, {allowed}")]
    Argument {
        /// Name of the argument.
        name: &'static str,
        /// Value that was given.
        value: String,
        /// What is allowed.
        allowed: &'static str,
    },
    /// A buffer does not hold what its size promises: a mistake of the caller's.
    #[error("{width} by {height} pixels need {expected} samples, {given} were given")]
    Shape {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Samples the size promises.
        expected: usize,
        /// Samples there are.
        given: usize,
    },
    /// A library failed where it should not have.
    #[error("the {library} library failed: {reason}")]
    Library {
        /// Which library.
        library: &'static str,
        /// What it said.
        reason: String,
    },
}

impl PixelError {
    /// Whether the picture that was sent is at fault; `false` means that the caller or this crate is.
    pub fn is_input(&self) -> bool {
        match self {
            Self::Empty
            | Self::UnknownFormat
            | Self::UnsupportedFormat { .. }
            | Self::UnsupportedVariant { .. }
            | Self::SeveralPictures { .. }
            | Self::Truncated { .. }
            | Self::Damaged { .. }
            | Self::TooManyBytes { .. }
            | Self::TooManyPixels { .. }
            | Self::SideTooLong { .. }
            | Self::RatioTooHigh { .. }
            | Self::MetadataTooLarge { .. }
            | Self::TooManyScans { .. }
            | Self::CmykWithoutProfile => true,
            Self::AlphaInJpeg
            | Self::TooLargeForFormat { .. }
            | Self::Argument { .. }
            | Self::Shape { .. }
            | Self::Library { .. } => false,
        }
    }

    /// A name for this refusal that never changes, for machines to act on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "picture_empty",
            Self::UnknownFormat => "picture_unknown_format",
            Self::UnsupportedFormat { .. } => "picture_unsupported_format",
            Self::UnsupportedVariant { .. } => "picture_unsupported_variant",
            Self::SeveralPictures { .. } => "picture_several",
            Self::Truncated { .. } => "picture_truncated",
            Self::Damaged { .. } => "picture_damaged",
            Self::TooManyBytes { .. } => "picture_too_many_bytes",
            Self::TooManyPixels { .. } => "picture_too_many_pixels",
            Self::SideTooLong { .. } => "picture_side_too_long",
            Self::RatioTooHigh { .. } => "picture_ratio_too_high",
            Self::MetadataTooLarge { .. } => "picture_metadata_too_large",
            Self::TooManyScans { .. } => "picture_too_many_scans",
            Self::CmykWithoutProfile => "picture_cmyk_without_profile",
            Self::AlphaInJpeg => "alpha_in_jpeg",
            Self::TooLargeForFormat { .. } => "too_large_for_format",
            Self::Argument { .. } => "pixel_argument",
            Self::Shape { .. } => "pixel_shape",
            Self::Library { .. } => "pixel_library",
        }
    }

    /// A damaged file, with the decoder's own words in one line.
    pub(crate) fn damaged(format: Format, reason: impl std::fmt::Display) -> Self {
        let reason = reason.to_string().replace(['\n', '\r'], " ");
        Self::Damaged { format, reason: reason.trim_end_matches('.').to_owned() }
    }
}

/// Pixels as megapixels for a reader: `100`, `0.5`.
fn megapixels(pixels: u64) -> String {
    (pixels as f64 / 1e6).to_string()
}
