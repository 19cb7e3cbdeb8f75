//! What a file says about its picture before any pixel is read.

use crate::{Format, Limits, PixelError, Rights, codec, format};

/// What one pixel of the file holds, before it is brought into the working space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChannels {
    /// One grey sample.
    Gray,
    /// Grey and alpha.
    GrayAlpha,
    /// An index into a table of colours.
    Palette,
    /// Red, green, blue (for JPEG and TIFF also stored as YCbCr).
    Rgb,
    /// Red, green, blue, alpha.
    Rgba,
    /// Cyan, magenta, yellow, black.
    Cmyk,
    /// CMYK stored as luminance, chrominance and black (Adobe JPEG).
    Ycck,
}

/// The header of a picture file. Sizes are as stored; [`Header::upright_size`] is what a viewer sees.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    /// Format of the file.
    pub format: Format,
    /// Width as stored, in pixels.
    pub width: u32,
    /// Height as stored, in pixels.
    pub height: u32,
    /// What one stored pixel holds.
    pub channels: SourceChannels,
    /// Bits of one stored sample: 1, 2, 4, 8, or 16.
    pub depth: u8,
    /// Whether the picture can hold transparent pixels.
    pub has_alpha: bool,
    /// Exif orientation, 1..=8; 1 when none is stored.
    pub orientation: u8,
    /// Whether an ICC profile is embedded.
    pub has_icc: bool,
    /// Horizontal and vertical resolution in dots per inch, when stored.
    pub dpi: Option<(f64, f64)>,
    /// Pictures in the file; always 1, since others are refused.
    pub frames: u32,
}

impl Header {
    /// Width and height after the orientation is applied, in pixels.
    pub fn upright_size(&self) -> (u32, u32) {
        if self.orientation >= 5 { (self.height, self.width) } else { (self.width, self.height) }
    }

    /// Number of pixels.
    pub fn pixels(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }

    /// Bytes the decoded bitmap takes at full size.
    pub fn decoded_bytes(&self) -> u64 {
        let channels = if self.has_alpha { 4 } else { 3 };
        self.pixels() * channels * if self.depth > 8 { 2 } else { 1 }
    }
}

/// Reads the header and nothing else, and holds it against every limit.
///
/// Allocates no pixel. The errors are all the sender's fault ([`PixelError::is_input`]).
pub fn probe(bytes: &[u8], limits: &Limits) -> Result<Header, PixelError> {
    Ok(codec::inspect(bytes, limits)?.header)
}

/// The header together with the metadata that decoding needs.
#[derive(Clone, Debug)]
pub(crate) struct Inspected {
    /// The public part.
    pub header: Header,
    /// The ICC profile as embedded, inflated.
    pub icc: Option<Vec<u8>>,
    /// A colour space that the file names without embedding a profile.
    pub named_space: Option<NamedSpace>,
    /// Whether CMYK samples are stored as 255 less the ink (Adobe's JPEG files).
    pub inverted_cmyk: bool,
    /// Whose picture it is.
    pub rights: Rights,
    /// What was wrong but could be lived with.
    pub warnings: Vec<String>,
}

/// A colour space that is named by a marker rather than described by a profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NamedSpace {
    /// sRGB: a PNG `sRGB` chunk, or CICP 1/13.
    Srgb,
    /// Adobe RGB (1998): Exif interoperability index `R03` (DCF optional colour space).
    AdobeRgb,
    /// Display P3: CICP 12/13.
    DisplayP3,
}

/// Recognises the format, after the length of the file is known to be acceptable.
pub(crate) fn open(bytes: &[u8], limits: &Limits) -> Result<Format, PixelError> {
    limits.check_bytes(bytes.len())?;
    format::recognise(bytes)
}
