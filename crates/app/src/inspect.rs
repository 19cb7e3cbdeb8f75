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
    /// Whole files are read one at a time, so that many uploads at once take no more memory than one.
    buffer: Mutex<Vec<u8>>,
}

/// How much of a file is looked at first.
const START_BYTES: u64 = 1 << 20;
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
        // Nearly every header lies at the start. Whatever is not settled by that is settled by the whole file.
        let mut start = Vec::new();
        let read = File::open(path).and_then(|file| file.take(START_BYTES).read_to_end(&mut start));
        if read.is_ok()
            && let Ok(header) = pixels::probe(&start, &self.limits)
            && !is_bare_cmyk(&header)
        {
            return Ok(facts(&header));
        }
        drop(start);
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
        answer.map(|header| facts(&header))
    }
}

fn facts(header: &pixels::Header) -> Facts {
    Facts { media_type: header.format.mime().to_owned(), width: header.width, height: header.height }
}

/// Whether nothing says what the inks look like; better said now than after the run has begun.
fn is_bare_cmyk(header: &pixels::Header) -> bool {
    matches!(header.channels, pixels::SourceChannels::Cmyk | pixels::SourceChannels::Ycck) && !header.has_icc
}
