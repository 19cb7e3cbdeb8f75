//! Reads the headers of uploads for the front, which does not know how pictures are decoded.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use domain::image::{Facts, Inspect, Unusable};

/// Inspects files with the decoder's own header reader and limits.
#[derive(Debug)]
pub struct Inspector {
    limits: pixels::Limits,
    /// One file is read at a time, so that many uploads at once take no more memory than one.
    buffer: Mutex<Vec<u8>>,
}

/// A buffer larger than this is not kept between files.
const KEPT_BYTES: usize = 16 << 20;

impl Inspector {
    /// An inspector that refuses what goes beyond these limits.
    pub fn new(limits: pixels::Limits) -> Self {
        Self { limits, buffer: Mutex::default() }
    }
}

impl Inspect for Inspector {
    fn inspect(&self, path: &Path) -> Result<Facts, Unusable> {
        // Every use begins by clearing it: a panic leaves nothing behind that matters.
        let mut buffer = self.buffer.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.clear();
        let read = File::open(path).and_then(|mut file| file.read_to_end(&mut buffer));
        let answer = match read {
            Ok(_) => pixels::probe(&buffer, &self.limits)
                .and_then(|header| {
                    if is_bare_cmyk(&header) {
                        Err(pixels::PixelError::CmykWithoutProfile)
                    } else {
                        Ok(header)
                    }
                })
                .map_err(|error| Unusable(error.to_string())),
            Err(error) => Err(Unusable(format!("the file could not be read: {error}"))),
        };
        buffer.clear();
        buffer.shrink_to(KEPT_BYTES);
        let header = answer?;
        Ok(Facts { media_type: header.format.mime().to_owned(), width: header.width, height: header.height })
    }
}

/// Whether nothing says what the inks look like; better said now than after the run has begun.
fn is_bare_cmyk(header: &pixels::Header) -> bool {
    matches!(header.channels, pixels::SourceChannels::Cmyk | pixels::SourceChannels::Ycck) && !header.has_icc
}
