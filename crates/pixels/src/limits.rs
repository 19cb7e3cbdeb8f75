//! How much a picture may cost. Every limit is checked from the header, before a pixel is allocated.

use crate::PixelError;

/// Decoded pictures up to this size (89 megapixels in RGB) pass whatever their ratio: the clean mask of a camera's picture, or a
/// white canvas, compresses two-thousandfold, and honestly so. What they cost is known from the header, and they wait for it.
const RATIO_FLOOR_BYTES: u64 = 256 << 20;

/// The most that a picture may be or cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the file.
    pub max_bytes: u64,
    /// Width times height, in pixels.
    pub max_pixels: u64,
    /// Longest side, in pixels.
    pub max_side: u32,
    /// Decoded bytes for one byte of the file; pictures of at most 256 MiB decoded are exempt.
    pub max_ratio: u32,
    /// Bytes of the ICC profile, inflated.
    pub max_icc_bytes: u64,
    /// Bytes of all metadata together (Exif, XMP, IPTC, text, ICC) as stored in the file.
    pub max_metadata_bytes: u64,
    /// Scans of a JPEG whose components come in several.
    pub max_scans: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 100_000_000,
            max_pixels: 100_000_000,
            max_side: 30_000,
            max_ratio: 500,
            max_icc_bytes: 4 << 20,
            max_metadata_bytes: 8 << 20,
            max_scans: 100,
        }
    }
}

impl Limits {
    /// Refuses a file that is too long to look into.
    pub(crate) fn check_bytes(&self, bytes: usize) -> Result<(), PixelError> {
        let bytes = bytes as u64;
        if bytes > self.max_bytes {
            return Err(PixelError::TooManyBytes { bytes, max: self.max_bytes });
        }
        Ok(())
    }

    /// Refuses a picture that is too large, or too large for its file.
    /// `sample_bytes` is what one pixel takes in memory once decoded.
    pub(crate) fn check_size(
        &self,
        width: u32,
        height: u32,
        pixel_bytes: u64,
        file_bytes: usize,
    ) -> Result<(), PixelError> {
        let pixels = u64::from(width) * u64::from(height);
        if pixels > self.max_pixels {
            return Err(PixelError::TooManyPixels { width, height, max: self.max_pixels });
        }
        if width.max(height) > self.max_side {
            return Err(PixelError::SideTooLong { width, height, max: self.max_side });
        }
        let decoded = pixels * pixel_bytes;
        let bytes = file_bytes as u64;
        if decoded > RATIO_FLOOR_BYTES && decoded > bytes.saturating_mul(u64::from(self.max_ratio)) {
            return Err(PixelError::RatioTooHigh { bytes, decoded, max: self.max_ratio });
        }
        Ok(())
    }

    /// Refuses a profile that is too long.
    pub(crate) fn check_icc(&self, bytes: u64) -> Result<(), PixelError> {
        if bytes > self.max_icc_bytes {
            return Err(PixelError::MetadataTooLarge { what: "ICC profile", bytes, max: self.max_icc_bytes });
        }
        Ok(())
    }

    /// Refuses metadata that is too long in all.
    pub(crate) fn check_metadata(&self, bytes: u64) -> Result<(), PixelError> {
        if bytes > self.max_metadata_bytes {
            let max = self.max_metadata_bytes;
            return Err(PixelError::MetadataTooLarge { what: "metadata of the file", bytes, max });
        }
        Ok(())
    }
}
