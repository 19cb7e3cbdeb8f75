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
    /// A file of a format without an outline is read whole, and one at a time, so that many uploads at once take no more
    /// memory than one.
    whole: Mutex<()>,
}

impl Inspector {
    /// An inspector that refuses what goes beyond these limits.
    pub fn new(limits: pixels::Limits) -> Self {
        Self { limits, whole: Mutex::default() }
    }

    fn probe(&self, path: &Path) -> std::io::Result<Result<pixels::Header, pixels::PixelError>> {
        let mut file = File::open(path)?;
        let mut start = [0; 16];
        let known = file.read(&mut start)?;
        let by_outline = pixels::sniff(&start[..known]).is_some_and(pixels::has_outline);
        // It guards nothing that a panic could leave half done.
        let _turn = (!by_outline).then(|| self.whole.lock().unwrap_or_else(PoisonError::into_inner));
        pixels::probe_file(&mut file, &self.limits)
    }
}

impl Inspect for Inspector {
    fn inspect(&self, path: &Path) -> Result<Facts, Unusable> {
        let probed =
            self.probe(path).map_err(|error| Unusable(format!("the file could not be read: {error}")))?;
        let header = probed
            .and_then(|header| {
                if is_bare_cmyk(&header) { Err(pixels::PixelError::CmykWithoutProfile) } else { Ok(header) }
            })
            .map_err(|error| Unusable(error.to_string()))?;
        Ok(Facts { media_type: header.format.mime().to_owned(), width: header.width, height: header.height })
    }
}

/// Whether nothing says what the inks look like; better said now than after the run has begun.
fn is_bare_cmyk(header: &pixels::Header) -> bool {
    matches!(header.channels, pixels::SourceChannels::Cmyk | pixels::SourceChannels::Ycck) && !header.has_icc
}
