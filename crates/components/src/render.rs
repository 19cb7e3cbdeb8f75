//! Puts the layers of a frame together, once, when they are written. Arithmetic is on sRGB values and rounds to
//! nearest; where nothing lies over the background, the background is exactly what was asked for.

use std::sync::Arc;

use pixels::{Bitmap, Channels, Samples, to_u16};

mod imprint;

use crate::{Backdrop, Context, Fault, Frame, Ink, Shadow, Subject};

/// Rows between two looks at whether the work is still wanted.
const STRIP: usize = 128;

/// The frame as one bitmap at the subject's depth: RGB over `under`, or RGBA where that is `None`.
pub(crate) fn render(
    frame: &Frame,
    under: Option<&Backdrop>,
    context: &Context<'_>,
) -> Result<Arc<Bitmap>, Fault> {
    let subject = &frame.subject;
    let channels = if under.is_some() { Channels::Rgb } else { Channels::Rgba };
    let covers = (subject.bitmap.width(), subject.bitmap.height()) == (frame.width, frame.height);
    // An opaque picture hides its shadows; a transparent one without shadows is what is asked for already.
    let is_done =
        subject.bitmap.channels() == channels && (channels == Channels::Rgb || frame.shadows.is_empty());
    if covers && is_done && frame.marks.is_empty() {
        return Ok(Arc::clone(&subject.bitmap));
    }
    let samples = match subject.bitmap.samples() {
        Samples::U8(samples) => Samples::U8(compose(frame, samples, under, context)?),
        Samples::U16(samples) => Samples::U16(compose(frame, samples, under, context)?),
    };
    Ok(Arc::new(Bitmap::new(frame.width, frame.height, channels, samples)?))
}

/// A sample of either depth.
trait Sample: Copy + Default + From<u8> {
    /// The value that is fully on.
    const FULL: u64;
    fn wide(self) -> u64;
    fn narrow(value: u64) -> Self;
    fn of_byte(byte: u8) -> Self;
    fn of_share(share: f64) -> Self {
        Self::narrow((share * Self::FULL as f64).round() as u64)
    }
}

impl Sample for u8 {
    const FULL: u64 = 255;
    #[inline(always)]
    fn wide(self) -> u64 {
        u64::from(self)
    }
    #[inline(always)]
    fn narrow(value: u64) -> Self {
        value as u8
    }
    fn of_byte(byte: u8) -> Self {
        byte
    }
}

impl Sample for u16 {
    const FULL: u64 = 65_535;
    #[inline(always)]
    fn wide(self) -> u64 {
        u64::from(self)
    }
    #[inline(always)]
    fn narrow(value: u64) -> Self {
        value as u16
    }
    fn of_byte(byte: u8) -> Self {
        to_u16(byte)
    }
}

/// One shadow, ready to be laid.
struct Wash<S> {
    colour: [S; 3],
    /// Alpha for each value of the mask.
    strength: Vec<S>,
}

fn compose<S: Sample>(
    frame: &Frame,
    subject: &[S],
    under: Option<&Backdrop>,
    context: &Context<'_>,
) -> Result<Vec<S>, Fault> {
    let width = frame.width as usize;
    let step = if under.is_some() { 3 } else { 4 };
    let mut out = vec![S::default(); width * frame.height as usize * step];
    let washes: Vec<Wash<S>> = frame
        .shadows
        .iter()
        .map(|shadow| Wash {
            colour: match shadow.ink {
                Ink::Plain(rgb) => rgb.map(S::of_byte),
            },
            strength: (0..=255u8)
                .map(|v| S::of_share(f64::from(v) / 255.0 * f64::from(shadow.opacity)))
                .collect(),
        })
        .collect();
    for (y, row) in out.chunks_exact_mut(width * step).enumerate() {
        if y % STRIP == 0 {
            context.check_cancelled()?;
        }
        match under {
            Some(Backdrop::Plain(rgb)) => row.as_chunks_mut::<3>().0.fill(rgb.map(S::of_byte)),
            None => {}
        }
        for (shadow, wash) in frame.shadows.iter().zip(&washes) {
            shade(row, y, shadow, wash, under.is_some());
        }
        lay(row, y, &frame.subject, subject, under.is_some());
        for mark in &frame.marks {
            imprint::imprint(row, y, mark, under.is_some());
        }
    }
    Ok(out)
}

fn shade<S: Sample>(row: &mut [S], y: usize, shadow: &Shadow, wash: &Wash<S>, opaque: bool) {
    let width = shadow.mask.width() as usize;
    let Some(line) = line_of(y, shadow.y, shadow.mask.height()) else {
        return;
    };
    let values = &shadow.mask.values()[line * width..][..width];
    let x = shadow.x as usize;
    let [r, g, b] = wash.colour;
    if opaque {
        for (pixel, &value) in row.as_chunks_mut::<3>().0[x..x + width].iter_mut().zip(values) {
            if value > 0 {
                *pixel = blend([r, g, b, wash.strength[usize::from(value)]], *pixel);
            }
        }
    } else {
        for (pixel, &value) in row.as_chunks_mut::<4>().0[x..x + width].iter_mut().zip(values) {
            *pixel = over([r, g, b, wash.strength[usize::from(value)]], *pixel);
        }
    }
}

fn lay<S: Sample>(row: &mut [S], y: usize, subject: &Subject, samples: &[S], opaque: bool) {
    let bitmap = &subject.bitmap;
    let Some(line) = line_of(y, subject.y, bitmap.height()) else {
        return;
    };
    let (x, width) = (subject.x as usize, bitmap.width() as usize);
    match (bitmap.channels(), opaque) {
        (Channels::Rgb, true) => {
            row[x * 3..(x + width) * 3].copy_from_slice(&samples[line * width * 3..][..width * 3]);
        }
        (Channels::Rgb, false) => {
            let from = samples[line * width * 3..][..width * 3].as_chunks::<3>().0;
            for (to, [r, g, b]) in row.as_chunks_mut::<4>().0[x..x + width].iter_mut().zip(from) {
                *to = [*r, *g, *b, S::narrow(S::FULL)];
            }
        }
        (Channels::Rgba, true) => {
            let from = samples[line * width * 4..][..width * 4].as_chunks::<4>().0;
            for (to, from) in row.as_chunks_mut::<3>().0[x..x + width].iter_mut().zip(from) {
                *to = blend(*from, *to);
            }
        }
        (Channels::Rgba, false) => {
            let from = samples[line * width * 4..][..width * 4].as_chunks::<4>().0;
            for (to, from) in row.as_chunks_mut::<4>().0[x..x + width].iter_mut().zip(from) {
                *to = over(*from, *to);
            }
        }
    }
}

/// Which row of a layer lies on row `y` of the canvas, if one does.
fn line_of(y: usize, top: i64, height: u32) -> Option<usize> {
    let line = (y as i64).checked_sub(top)?;
    (0..i64::from(height)).contains(&line).then_some(line as usize)
}

/// Straight alpha over an opaque pixel; exact at both ends.
#[inline(always)]
fn blend<S: Sample>(top: [S; 4], under: [S; 3]) -> [S; 3] {
    let alpha = top[3].wide();
    if alpha == S::FULL {
        return [top[0], top[1], top[2]];
    }
    std::array::from_fn(|c| {
        let sum = top[c].wide() * alpha + under[c].wide() * (S::FULL - alpha);
        S::narrow((sum + S::FULL / 2) / S::FULL)
    })
}

/// Porter and Duff's *over* on straight alpha; the sums are scaled by full² so that only the last step rounds.
#[inline(always)]
fn over<S: Sample>(top: [S; 4], under: [S; 4]) -> [S; 4] {
    let (a, b) = (top[3].wide(), under[3].wide());
    if a == S::FULL || b == 0 {
        return if a == 0 { [S::default(); 4] } else { top };
    }
    if a == 0 {
        return under;
    }
    let (over_share, under_share) = (a * S::FULL, b * (S::FULL - a));
    let whole = over_share + under_share;
    let mix = |c: usize| {
        S::narrow((top[c].wide() * over_share + under[c].wide() * under_share + whole / 2) / whole)
    };
    [mix(0), mix(1), mix(2), S::narrow((whole + S::FULL / 2) / S::FULL)]
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::Mask;

    use super::*;
    use crate::{ShadowKind, StepCache};

    fn rendered(frame: &Frame, under: Option<[u8; 3]>) -> Vec<u16> {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let under = under.map(Backdrop::Plain);
        let bitmap = render(frame, under.as_ref(), &Context::new(&cache, &cancel)).expect("not cancelled");
        match bitmap.samples() {
            Samples::U8(samples) => samples.iter().map(|&s| u16::from(s)).collect(),
            Samples::U16(samples) => samples.clone(),
        }
    }

    /// A canvas of 4 by 1: a shadow over columns 1 and 2, the subject over columns 2 and 3.
    fn layers(deep: bool) -> Frame {
        let mut frame = Frame::unread();
        (frame.width, frame.height) = (4, 1);
        let rgba = [200u8, 100, 50, 128, 200, 100, 50, 255];
        let bitmap = if deep {
            Bitmap::from_u16(2, 1, Channels::Rgba, rgba.map(to_u16).to_vec())
        } else {
            Bitmap::from_u8(2, 1, Channels::Rgba, rgba.to_vec())
        };
        frame.subject = Subject { bitmap: Arc::new(bitmap.expect("2 by 1")), x: 2, y: 0 };
        let mask = Arc::new(Mask::new(2, 1, vec![255, 255]).expect("2 by 1"));
        let kind = ShadowKind::Drop;
        frame.shadows.push(Shadow { kind, mask, x: 1, y: 0, ink: Ink::Plain([0; 3]), opacity: 0.5 });
        frame
    }

    #[test]
    fn the_background_is_exact_and_the_order_is_background_shadow_subject() {
        let flat = rendered(&layers(false), Some([255, 254, 0]));
        assert_eq!(flat, [255, 254, 0, 127, 127, 0, 164, 113, 25, 200, 100, 50]);
        let deep = rendered(&layers(true), Some([255, 254, 0]));
        for (flat, deep) in flat.iter().zip(deep) {
            assert!(flat.abs_diff(pixels::to_u8(deep).into()) <= 1);
        }
    }

    #[test]
    fn without_a_background_what_is_empty_stays_transparent_black() {
        let clear = rendered(&layers(false), None);
        assert_eq!(clear[..8], [0, 0, 0, 0, 0, 0, 0, 128]);
        assert_eq!(clear[12..], [200, 100, 50, 255]);
        // Half a subject over half a shadow covers three quarters, two thirds of it the subject's.
        assert_eq!(clear[8..12], [134, 67, 33, 192]);
    }

    #[test]
    fn flattening_later_gives_the_same_as_flattening_at_once() {
        for deep in [false, true] {
            let frame = layers(deep);
            let full = if deep { 65_535u64 } else { 255 };
            let at_once = rendered(&frame, Some([255; 3]));
            for (clear, flat) in rendered(&frame, None).chunks(4).zip(at_once.chunks(3)) {
                for c in 0..3 {
                    let alpha = u64::from(clear[3]);
                    let later = (u64::from(clear[c]) * alpha + full * (full - alpha) + full / 2) / full;
                    assert!(later.abs_diff(u64::from(flat[c])) <= 1);
                }
            }
        }
    }

    #[test]
    fn work_that_nobody_waits_for_ends() {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(true));
        let fault = render(&layers(false), None, &Context::new(&cache, &cancel)).expect_err("cancelled");
        assert_eq!(fault.code, "cancelled");
    }
}
