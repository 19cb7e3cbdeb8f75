//! Small pictures of pictures, for lists.

use crate::{Bitmap, EncodeOptions, Encoding, Filter, PixelError, encode, fit_inside, resize};

/// Longest side of a small picture, in pixels.
pub const SMALL_SIDE: u32 = 320;
/// Quality of its file, 1 to 100.
const QUALITY: u8 = 80;

/// A small picture as a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Small {
    /// A WebP file, sRGB without a profile; clear where the picture is.
    pub bytes: Vec<u8>,
    /// Its media type.
    pub media_type: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// The picture within [`SMALL_SIDE`] pixels a side, never larger than it is.
pub fn small(bitmap: &Bitmap) -> Result<Small, PixelError> {
    let (width, height) = fit_inside((bitmap.width(), bitmap.height()), (SMALL_SIDE, SMALL_SIDE), false);
    let bitmap = resize(bitmap, width, height, Filter::Lanczos3)?;
    let encoding = Encoding::webp(QUALITY);
    // What says nothing is read as sRGB, which it is; a profile would be a third of the file.
    let options = EncodeOptions { embed_profile: false, ..EncodeOptions::new(encoding) };
    let bytes = encode(&bitmap, &options)?;
    Ok(Small { bytes, media_type: encoding.format().mime(), width, height })
}
