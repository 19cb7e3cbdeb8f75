//! What can be wrong with the input of this crate.

use std::error::Error;
use std::fmt;

use pixels::{Bitmap, Mask};

/// Why a matte could not be computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MattingError {
    /// A mask does not cover the picture pixel for pixel.
    Size {
        /// Width and height of the picture.
        picture: (u32, u32),
        /// Width and height of the mask.
        mask: (u32, u32),
    },
}

impl fmt::Display for MattingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Size { picture, mask } => write!(
                f,
                "the mask is `{}x{}` and the picture `{}x{}`; resize the mask to the picture first",
                mask.0, mask.1, picture.0, picture.1
            ),
        }
    }
}

impl Error for MattingError {}

/// Refuses a mask that does not cover the picture.
pub(crate) fn check_size(bitmap: &Bitmap, mask: &Mask) -> Result<(), MattingError> {
    let picture = (bitmap.width(), bitmap.height());
    let size = (mask.width(), mask.height());
    if picture == size { Ok(()) } else { Err(MattingError::Size { picture, mask: size }) }
}
