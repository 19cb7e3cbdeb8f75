//! What a component may use besides its frame and its settings.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use domain::image::ContentHash;
use neural::Runtime;
use pixels::Bitmap;

use crate::{Fault, StepCache};

/// What is refused, and how large a picture is worked on.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// What a file may be or cost.
    pub file: pixels::Limits,
    /// Longest side that is worked on, in pixels; larger pictures are scaled down to it when they are read.
    pub working_side: u32,
    /// Which decoders read files.
    pub codec: pixels::Codec,
    /// Whether CMYK without a profile is converted by the device formula rather than refused.
    pub assume_device_cmyk: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file: pixels::Limits::default(),
            working_side: 4096,
            codec: pixels::Codec::Fast,
            assume_device_cmyk: false,
        }
    }
}

/// What a component may use besides its frame and its settings.
#[derive(Clone)]
pub struct Context<'a> {
    /// Where networks come from; without it the studio matte works alone.
    pub runtime: Option<Arc<Runtime>>,
    /// Results of earlier steps.
    pub cache: &'a StepCache,
    /// What is refused, and how large a picture is worked on.
    pub limits: Limits,
    /// Set by others when nobody waits for the result any more; looked at between steps and strips.
    pub cancel: &'a AtomicBool,
    /// Whose pictures these are. Results are remembered for each owner apart: how fast one is there again tells nobody
    /// else that somebody had the same picture.
    pub owner: u128,
    /// Whether a missing network is a failure rather than a reason for the next best.
    pub strict_models: bool,
    /// Files of further pictures that settings name, as they are stored.
    pub images: Arc<Images>,
    /// Whether a later step looks at the photo that the subject is cut out of.
    pub(crate) keeps_photo: bool,
    pub(crate) file: Option<File<'a>>,
}

/// Files of further pictures by their content hash.
pub type Images = BTreeMap<ContentHash, Vec<u8>>;

/// The file that `input` reads.
#[derive(Clone, Copy)]
pub(crate) struct File<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Width and height that the next steps need at most, if they say so.
    pub fit: Option<(u32, u32)>,
}

impl<'a> Context<'a> {
    /// A context without networks, with default limits.
    pub fn new(cache: &'a StepCache, cancel: &'a AtomicBool) -> Self {
        Self {
            runtime: None,
            cache,
            limits: Limits::default(),
            cancel,
            owner: 0,
            strict_models: false,
            images: Arc::default(),
            keeps_photo: false,
            file: None,
        }
    }

    /// A further picture that a setting names: upright, in the working space, at most [`Limits::working_side`] long.
    /// Refuses one that is not there.
    pub fn image(&self, hash: &ContentHash) -> Result<Bitmap, Fault> {
        let file = self.images.get(hash).ok_or_else(|| {
            Fault::input(
                "image_not_found",
                format!("the settings name the picture `{hash}`, which is not there; upload it first"),
            )
        })?;
        let options = pixels::DecodeOptions {
            limits: self.limits.file,
            fit: None,
            max_side: Some(self.limits.working_side),
            codec: self.limits.codec,
            assume_device_cmyk: self.limits.assume_device_cmyk,
        };
        Ok(pixels::decode(file, &options)?.bitmap)
    }

    /// Fails once somebody asked to stop.
    pub fn check_cancelled(&self) -> Result<(), Fault> {
        if self.cancel.load(Ordering::Relaxed) { Err(Fault::cancelled()) } else { Ok(()) }
    }
}
