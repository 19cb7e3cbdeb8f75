//! The mask in place of the picture.

use std::sync::Arc;

use pixels::{Bitmap, Channels, Samples};

use crate::{Fault, Frame, Subject};

/// Makes the subject a grey picture of how much it covers: white is subject, at the depth it had.
pub(super) fn show_mask(frame: &mut Frame) -> Result<(), Fault> {
    let bitmap = &frame.subject.bitmap;
    if bitmap.channels() == Channels::Rgb {
        return Err(Fault::ours("processing_failed", "the subject has no alpha to show"));
    }
    let samples = match bitmap.samples() {
        Samples::U8(samples) => Samples::U8(grey(samples)),
        Samples::U16(samples) => Samples::U16(grey(samples)),
    };
    let shown = Bitmap::new(bitmap.width(), bitmap.height(), Channels::Rgb, samples)?;
    frame.subject = Subject { bitmap: Arc::new(shown), ..frame.subject };
    Ok(())
}

fn grey<S: Copy>(rgba: &[S]) -> Vec<S> {
    rgba.as_chunks::<4>().0.iter().flat_map(|pixel| [pixel[3]; 3]).collect()
}
