//! Puts the layers of a frame together, once, when they are written. Arithmetic is on sRGB values and rounds to
//! nearest; where nothing lies over the background, the background is exactly what was asked for.

use std::sync::Arc;

use pixels::{Bitmap, Channels, Samples, to_u8, to_u16};

mod ground;
mod imprint;

use ground::Ground;

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
    fn of_wide(wide: u16) -> Self;
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
    #[inline(always)]
    fn of_wide(wide: u16) -> Self {
        to_u8(wide)
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
    #[inline(always)]
    fn of_wide(wide: u16) -> Self {
        wide
    }
}

/// One shadow, ready to be laid.
struct Wash<S> {
    /// Its one colour; `None` where it is painted with a picture.
    colour: Option<[S; 3]>,
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
                Ink::Plain(rgb) => Some(rgb.map(S::of_byte)),
                Ink::Picture(_) => None,
            },
            strength: (0..=255u8)
                .map(|v| S::of_share(f64::from(v) / 255.0 * f64::from(shadow.opacity)))
                .collect(),
        })
        .collect();
    // A file of 16 bits has no steps that could be seen.
    let dithered = S::FULL == 255 || frame.origin.depth < 16;
    let ground = under.map(|under| Ground::of(under, (frame.width, frame.height), dithered)).transpose()?;
    for (y, row) in out.chunks_exact_mut(width * step).enumerate() {
        if y % STRIP == 0 {
            context.check_cancelled()?;
        }
        if let Some(ground) = &ground {
            ground.fill(row, y);
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
    let inks = match (&shadow.ink, wash.colour) {
        (Ink::Picture(bitmap), _) => match bitmap.samples() {
            Samples::U8(inks) => inks[line * width * 3..][..width * 3].as_chunks::<3>().0,
            Samples::U16(_) => &[],
        },
        _ => &[],
    };
    let ink = |i: usize, alpha: S| {
        let [r, g, b] = wash.colour.or_else(|| Some(inks.get(i)?.map(S::of_byte))).unwrap_or_default();
        [r, g, b, alpha]
    };
    if opaque {
        for (i, (pixel, &value)) in
            row.as_chunks_mut::<3>().0[x..x + width].iter_mut().zip(values).enumerate()
        {
            if value > 0 {
                *pixel = blend(ink(i, wash.strength[usize::from(value)]), *pixel);
            }
        }
    } else {
        for (i, (pixel, &value)) in
            row.as_chunks_mut::<4>().0[x..x + width].iter_mut().zip(values).enumerate()
        {
            *pixel = over(ink(i, wash.strength[usize::from(value)]), *pixel);
        }
    }
}

/// Lays a layer of any depth over a row of an opaque canvas.
fn over_opaque<S: Sample>(row: &mut [[S; 3]], y: usize, layer: &Subject) {
    fn lay<S: Sample, const N: usize, F: Copy>(to: &mut [[S; 3]], from: &[F], of: impl Fn(F) -> S) {
        for (pixel, top) in to.iter_mut().zip(from.as_chunks::<N>().0) {
            let alpha = top.get(3).map_or(S::narrow(S::FULL), |&alpha| of(alpha));
            *pixel = blend([of(top[0]), of(top[1]), of(top[2]), alpha], *pixel);
        }
    }
    let bitmap = &layer.bitmap;
    let Some(line) = line_of(y, layer.y, bitmap.height()) else { return };
    let (x, width) = (layer.x as usize, bitmap.width() as usize);
    let count = bitmap.channels().count();
    let (to, span) = (&mut row[x..x + width], line * width * count..(line + 1) * width * count);
    match (bitmap.samples(), bitmap.channels()) {
        (Samples::U8(samples), Channels::Rgba) => lay::<_, 4, _>(to, &samples[span], S::of_byte),
        (Samples::U16(samples), Channels::Rgba) => lay::<_, 4, _>(to, &samples[span], S::of_wide),
        (Samples::U8(samples), Channels::Rgb) => lay::<_, 3, _>(to, &samples[span], S::of_byte),
        (Samples::U16(samples), Channels::Rgb) => lay::<_, 3, _>(to, &samples[span], S::of_wide),
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
    fn a_shadow_may_be_a_picture_and_what_lies_under_everything_may_have_a_layer() {
        let mut frame = layers(false);
        let ink = Bitmap::from_u8(2, 1, Channels::Rgb, vec![250, 20, 30, 40, 50, 60]).expect("2 by 1");
        frame.shadows[0].ink = Ink::Picture(Arc::new(ink));
        let clear = rendered(&frame, None);
        assert_eq!(clear[..8], [0, 0, 0, 0, 250, 20, 30, 128]);
        assert_eq!(rendered(&frame, Some([250, 20, 30]))[3..6], [250, 20, 30]);
        // The same at 16 bits.
        frame.subject.bitmap = Arc::new(Bitmap::clone(&frame.subject.bitmap).into_u16());
        assert_eq!(rendered(&frame, None)[4..8], [250 * 257, 20 * 257, 30 * 257, 32_768]);
        let bitmap = Bitmap::from_u8(2, 1, Channels::Rgba, vec![9, 9, 9, 255, 0, 0, 0, 0]).expect("2 by 1");
        let layer = Subject { bitmap: Arc::new(bitmap), x: 0, y: 0 };
        let under = Backdrop::Cleaned(crate::Cleaned { colour: [255; 3], layer });
        frame.shadows.clear();
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let flat = render(&frame, Some(&under), &Context::new(&cache, &cancel)).expect("not cancelled");
        let Samples::U16(flat) = flat.samples() else { panic!("16 bit") };
        assert_eq!(flat[..6], [9 * 257, 9 * 257, 9 * 257, 65_535, 65_535, 65_535]);
    }

    #[test]
    fn work_that_nobody_waits_for_ends() {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(true));
        let fault = render(&layers(false), None, &Context::new(&cache, &cancel)).expect_err("cancelled");
        assert_eq!(fault.code, "cancelled");
    }
}
