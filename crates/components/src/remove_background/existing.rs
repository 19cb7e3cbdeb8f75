//! Transparency that the picture has already, tidied as asked.

use std::sync::Arc;

use matting::Marks;
use pixels::{Bitmap, Mask, SamplesMut};

use super::pieces;
use super::settings::{Edges, Holes, Settings};
use crate::{Fault, Frame};

/// Keeps it. Only less can stay than there is: what is clear has no colours to bring back.
pub(super) fn keep(frame: &mut Frame, settings: &Settings, marks: Option<&Marks>) -> Result<Bitmap, Fault> {
    frame.note("kept the transparency that the picture had");
    let bitmap = Arc::clone(&frame.subject.bitmap);
    let before = bitmap.alpha();
    let mut alpha = before.clone();
    if let Some(marks) = marks {
        let flat = pixels::flatten(&bitmap, [255; 3]);
        matting::obey(&flat, &mut alpha, marks, &matting::RefineOptions::default())?;
    }
    if settings.keep != super::KeepPieces::All {
        let pieces = pieces(settings, &alpha);
        matting::clean(&mut alpha, pieces, matting::Holes::Keep);
    }
    matting::shift(&mut alpha, settings.shift.get() as f32);
    if settings.edges == Edges::Hard {
        matting::harden(&mut alpha);
    }
    if let Some(marks) = marks {
        marks.enforce(&mut alpha)?;
    }
    let grows = alpha.values().iter().zip(before.values()).any(|(now, before)| *before == 0 && *now > 0);
    if grows || settings.holes == Holes::Fill {
        frame.note(
            "what is transparent already has no colours to bring back; choose `mode` `fresh`, or send the photo itself",
        );
    }
    frame.confidence(1.0);
    if alpha == before {
        return Ok(Arc::unwrap_or_clone(bitmap));
    }
    let mut bitmap = Arc::unwrap_or_clone(bitmap);
    set_alpha(&mut bitmap, &before, &alpha);
    Ok(bitmap)
}

/// Sets a picture's alpha where it changes, to no more than opaque where there is a colour. What becomes clear is black.
fn set_alpha(bitmap: &mut Bitmap, before: &Mask, alpha: &Mask) {
    fn set<S: Copy + Default>(samples: &mut [S], before: &[u8], alpha: &[u8], wide: impl Fn(u8) -> S) {
        let pixels = samples.as_chunks_mut::<4>().0.iter_mut();
        for (pixel, (&before, &alpha)) in pixels.zip(before.iter().zip(alpha)) {
            if before == alpha || before == 0 {
                continue;
            }
            if alpha == 0 {
                *pixel = [S::default(); 4];
            } else {
                pixel[3] = wide(alpha);
            }
        }
    }
    match bitmap.samples_mut() {
        SamplesMut::U8(samples) => set(samples, before.values(), alpha.values(), |value| value),
        SamplesMut::U16(samples) => set(samples, before.values(), alpha.values(), pixels::to_u16),
    }
}

#[cfg(test)]
mod tests {
    use pixels::{Channels, Samples};

    use super::*;

    #[test]
    fn only_what_has_a_colour_changes() {
        let samples = vec![9, 9, 9, 255, 7, 7, 7, 100, 0, 0, 0, 0];
        let mut bitmap = Bitmap::from_u8(3, 1, Channels::Rgba, samples).expect("3 by 1");
        let before = bitmap.alpha();
        let after = Mask::new(3, 1, vec![0, 200, 255]).expect("3 by 1");
        set_alpha(&mut bitmap, &before, &after);
        let Samples::U8(samples) = bitmap.samples() else { panic!("8 bits") };
        assert_eq!(samples[..], [0, 0, 0, 0, 7, 7, 7, 200, 0, 0, 0, 0]);
    }
}
