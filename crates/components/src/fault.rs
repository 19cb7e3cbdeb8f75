//! Why a picture could not be finished, and whether trying again may help.

use domain::run::{Fault as Kind, StepReport};
use pixels::PixelError;

/// Why a step failed: a code that never changes, a text for people, and whose fault it is.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct Fault {
    /// Whose fault it is; decides whether to try again.
    pub kind: Kind,
    /// A code that never changes: `image_unreadable`.
    pub code: &'static str,
    /// What was wrong and the way out.
    pub message: String,
    /// How the steps went that were taken before it, and the one at which it ended.
    pub reports: Vec<StepReport>,
}

impl Fault {
    /// The picture or the settings are at fault: trying again cannot help.
    pub fn input(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Input, code, message: message.into(), reports: Vec::new() }
    }

    /// This program or its machine is at fault: trying again may help.
    pub fn ours(code: &'static str, message: impl Into<String>) -> Self {
        Self { kind: Kind::Ours, code, message: message.into(), reports: Vec::new() }
    }

    /// Somebody asked to stop.
    pub fn cancelled() -> Self {
        Self::ours("cancelled", "the work was stopped before it was finished")
    }

    /// There is nothing in the picture to work on.
    pub(crate) fn no_subject(why: &str) -> Self {
        Self::input("no_subject", format!("no subject was found: {why}"))
    }
}

impl From<PixelError> for Fault {
    fn from(error: PixelError) -> Self {
        use PixelError as E;
        let code = match &error {
            E::Empty | E::UnknownFormat | E::Truncated { .. } | E::Damaged { .. } => "image_unreadable",
            E::UnsupportedFormat { .. } | E::UnsupportedVariant { .. } | E::SeveralPictures { .. } => {
                "image_unsupported"
            }
            E::TooManyBytes { .. }
            | E::TooManyPixels { .. }
            | E::SideTooLong { .. }
            | E::RatioTooHigh { .. }
            | E::MetadataTooLarge { .. }
            | E::TooManyScans { .. } => "image_too_large",
            E::CmykWithoutProfile => "profile_missing",
            // The steps ask for a canvas that the format of `export` cannot hold.
            E::TooLargeForFormat { .. } => return Self::input("result_too_large", error.to_string()),
            E::AlphaInJpeg | E::Argument { .. } | E::Shape { .. } | E::Library { .. } => "processing_failed",
        };
        let make = if error.is_input() { Self::input } else { Self::ours };
        make(code, error.to_string())
    }
}

impl From<matting::MattingError> for Fault {
    fn from(error: matting::MattingError) -> Self {
        Self::ours("processing_failed", error.to_string())
    }
}

impl From<neural::NeuralError> for Fault {
    fn from(error: neural::NeuralError) -> Self {
        Self::ours("model_failed", error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_that_cannot_get_better_is_never_tried_again() {
        let fault = Fault::from(PixelError::Empty);
        assert_eq!((fault.kind, fault.code), (Kind::Input, "image_unreadable"));
        let fault = Fault::from(PixelError::CmykWithoutProfile);
        assert_eq!((fault.kind, fault.code), (Kind::Input, "profile_missing"));
        let fault = Fault::from(PixelError::SideTooLong { width: 9, height: 1, max: 5 });
        assert_eq!((fault.kind, fault.code), (Kind::Input, "image_too_large"));
        let fault = Fault::from(PixelError::Library { library: "x", reason: "y".into() });
        assert_eq!((fault.kind, fault.code), (Kind::Ours, "processing_failed"));
    }
}
