//! The photo's own backdrop, brought to one colour around the subject's shadow.

use std::sync::Arc;

use pixels::{Bitmap, Channels, Samples};

use super::Settings;
use crate::frame::bounds;
use crate::shading::{Shading, luma, step};
use crate::{Backdrop, Cleaned, Context, Fault, Frame, ShadowKind, Subject};

/// How sure the backdrop must be to be brought to a colour.
const LEAST_CONFIDENCE: f32 = 0.2;
/// Darkness from which on a tint of the photo's backdrop begins to stay, and from which on all of it does.
const TINTED: (f32, f32) = (0.03, 0.25);
/// Alpha below which the layer shows nothing that could be seen.
const LEAST_SHOWN: f32 = 1.0 / 255.0;

/// The backdrop: what the photo has of its own one, in proportion, is kept of the colour. Says so where that cannot be told;
/// then there is the colour alone.
pub(super) fn cleaned(
    frame: &mut Frame,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Backdrop, Fault> {
    let colour = settings.colour();
    if frame.shadows.iter().any(|shadow| shadow.kind == ShadowKind::Natural) {
        frame.note("the photo's shadow is a layer already, so that it is there twice; leave one step out");
    }
    let Some(shading) = Shading::of(frame, context)? else { return Ok(Backdrop::Plain(colour)) };
    frame.confidence(shading.confidence);
    if shading.confidence < LEAST_CONFIDENCE {
        frame.note("the photo's backdrop is too uneven to be cleaned, so that there is the colour alone");
        return Ok(Backdrop::Plain(colour));
    }
    let Some(photo) = frame.photo.clone() else { return Ok(Backdrop::Plain(colour)) };
    let subject = bounds(&frame.subject.bitmap).map_or(1, |rect| rect.width.max(rect.height));
    let longer = f64::from(photo.bitmap.width().max(photo.bitmap.height()));
    let cells = shading.width.max(shading.height) as f64 / longer;
    let falloff = (settings.falloff.of(subject) * cells) as f32;
    let show: Vec<f32> = (0..shading.width * shading.height)
        .map(|i| {
            // Half of the way everything stays; from there on it fades.
            let near = 1.0 - step(falloff / 2.0, falloff.max(1.0), shading.away[i]);
            shading.gate[i] * shading.edge[i] * near
        })
        .collect();
    let layer = match photo.bitmap.samples() {
        Samples::U8(samples) => {
            let of = |sample: u8| f32::from(sample);
            Samples::U8(lifted(
                samples,
                of,
                |level| level.round() as u8,
                &photo,
                &shading,
                &show,
                colour,
                context,
            )?)
        }
        Samples::U16(samples) => {
            let of = |sample: u16| f32::from(sample) * (1.0 / 257.0);
            let to = |level: f32| (level * 257.0).round() as u16;
            Samples::U16(lifted(samples, of, to, &photo, &shading, &show, colour, context)?)
        }
    };
    let bitmap = Bitmap::new(photo.bitmap.width(), photo.bitmap.height(), Channels::Rgba, layer)?;
    // Only what shows is kept.
    let Some(rect) = bounds(&bitmap) else { return Ok(Backdrop::Plain(colour)) };
    let (x, y) = (photo.x + i64::from(rect.x), photo.y + i64::from(rect.y));
    let layer = Subject { bitmap: Arc::new(pixels::crop(&bitmap, rect)?), x, y };
    let view = crate::frame::View { x: 0, y: 0, width: frame.width, height: frame.height };
    Backdrop::Cleaned(Cleaned { colour, layer }).seen_in(view)
}

/// The photo over its clean backdrop, times the colour, as RGBA.
#[expect(clippy::too_many_arguments, reason = "both depths share it")]
fn lifted<S: Copy + Default>(
    samples: &[S],
    of: impl Fn(S) -> f32,
    to: impl Fn(f32) -> S,
    photo: &Subject,
    shading: &Shading,
    show: &[f32],
    colour: [u8; 3],
    context: &Context<'_>,
) -> Result<Vec<S>, Fault> {
    let (width, height) = (photo.bitmap.width() as usize, photo.bitmap.height() as usize);
    let count = photo.bitmap.channels().count();
    let mut out = vec![S::default(); width * height * 4];
    let size = (shading.width, shading.height);
    // One pixel has more grain than a cell of several.
    let cell = (width.max(height) as f32 / size.0.max(size.1) as f32).min(4.0);
    let grain = 2.0 * shading.noise * cell + 0.008;
    let across: Vec<Between> = (0..width).map(|x| Between::of(x, width, size.0)).collect();
    for (y, (row, line)) in
        out.chunks_exact_mut(width * 4).zip(samples.chunks_exact(width * count)).enumerate()
    {
        if y % 128 == 0 {
            context.check_cancelled()?;
        }
        let down = Between::of(y, height, size.1);
        let pixels = row.as_chunks_mut::<4>().0.iter_mut().zip(line.chunks_exact(count));
        for ((pixel, own), across) in pixels.zip(&across) {
            let at = |plane: &[f32]| down.row(plane, size.0, across);
            let shown = at(show);
            if shown < LEAST_SHOWN {
                continue;
            }
            // Under the subject and at its edge, where its own colour comes in, what lies around is continued. Elsewhere
            // the photo's own detail stays, as far as it is no grain.
            let smooth = [0, 1, 2].map(|c| at(&shading.ratio[c]));
            // A tint is seen in a shadow; on what is nearly the colour itself it would be a stain.
            let level = luma(smooth);
            let tint = step(TINTED.0, TINTED.1, 1.0 - level);
            let smooth = smooth.map(|ratio| level + (ratio - level) * tint);
            let seen = 1.0 - at(&shading.hidden);
            let detail = match seen > 0.0 {
                true => luma([0, 1, 2].map(|c| of(own[c]) / at(&shading.clean[c]))) - luma(smooth),
                false => 0.0,
            };
            let detail = detail * seen * step(grain, 3.0 * grain, detail.abs());
            let level = |c: usize| to(f32::from(colour[c]) * (smooth[c] + detail).clamp(0.0, 1.0));
            *pixel = [level(0), level(1), level(2), to((shown * 255.0).min(255.0))];
        }
    }
    Ok(out)
}

/// Between which two cells of a grid a pixel lies, and how far.
struct Between {
    first: usize,
    second: usize,
    share: f32,
}

impl Between {
    fn of(at: usize, length: usize, cells: usize) -> Self {
        let place = ((at as f32 + 0.5) * cells as f32 / length as f32 - 0.5).clamp(0.0, cells as f32 - 1.0);
        let first = place as usize;
        Self { first, second: (first + 1).min(cells - 1), share: place - first as f32 }
    }

    /// The value of a plane on this row, at a column.
    #[inline(always)]
    fn row(&self, plane: &[f32], width: usize, across: &Self) -> f32 {
        let mix = |a: f32, b: f32, share: f32| a + (b - a) * share;
        let line = |row: usize| {
            let row = &plane[row * width..][..width];
            mix(row[across.first], row[across.second], across.share)
        };
        mix(line(self.first), line(self.second), self.share)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use serde_json::json;

    use super::*;
    use crate::component::Component;
    use crate::render::render;
    use crate::{FillBackground, StepCache, settings};

    /// A block on a grey backdrop with a shadow under it, at either depth.
    fn photographed(deep: bool) -> Frame {
        let (width, height) = (160u32, 140u32);
        let is_block = |x: u32, y: u32| (50..100).contains(&x) && (30..100).contains(&y);
        let pixels: Vec<[u8; 3]> = (0..width * height)
            .map(|i| {
                let (x, y) = (i % width, i / width);
                let (dx, dy) = ((f64::from(x) - 80.0) / 34.0, (f64::from(y) - 101.0) / 9.0);
                let light = 1.0 - 0.5 * (-dx * dx - dy * dy).exp();
                let fall = 1.0 - 0.0004 * f64::from(x);
                if is_block(x, y) {
                    [20, 90, 160]
                } else {
                    [214.0, 210.0, 205.0].map(|c| (c * light * fall) as u8)
                }
            })
            .collect();
        let cut = pixels.iter().enumerate().flat_map(|(i, &[r, g, b])| {
            let i = i as u32;
            if is_block(i % width, i / width) { [r, g, b, 255] } else { [0; 4] }
        });
        let cut = Bitmap::from_u8(width, height, Channels::Rgba, cut.collect()).expect("a size");
        let photo = pixels.iter().flatten().copied().collect();
        let photo = Bitmap::from_u8(width, height, Channels::Rgb, photo).expect("a size");
        let depth = |bitmap: Bitmap| if deep { bitmap.into_u16() } else { bitmap };
        let mut frame = Frame::new(depth(cut), Frame::unread().origin);
        frame.photo = Some(Subject { bitmap: Arc::new(depth(photo)), x: 0, y: 0 });
        frame
    }

    fn flat(frame: &Frame) -> Vec<[u8; 3]> {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let context = Context::new(&cache, &cancel);
        let bitmap = render(frame, frame.background.as_ref(), &context).expect("not cancelled");
        let Samples::U8(samples) = Bitmap::clone(&bitmap).into_u8().into_samples() else { panic!("8 bit") };
        samples.as_chunks::<3>().0.to_vec()
    }

    #[test]
    fn the_border_is_exact_and_the_shadow_stays() {
        for (deep, colour) in [(false, "#FFFFFF"), (true, "#FFFFFF"), (false, "#E4E8EC")] {
            let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
            let mut frame = photographed(deep);
            let given = settings::read(&json!({ "type": "cleanUp", "color": colour })).expect("good");
            FillBackground::run(&mut frame, &given, &Context::new(&cache, &cancel)).expect("cleaned");
            let target = crate::Colour::parse(colour).expect("a colour").0;
            let pixels = flat(&frame);
            let (width, height) = (160usize, 140usize);
            for (i, pixel) in pixels.iter().enumerate() {
                let (x, y) = (i % width, i / width);
                if x == 0 || y == 0 || x == width - 1 || y == height - 1 {
                    assert_eq!(*pixel, target, "{x}, {y}");
                }
                assert!(pixel.iter().zip(target).all(|(own, target)| *own <= target));
            }
            // In front of the block half of the light is gone.
            let shadow = pixels[104 * width + 80];
            let expected = 1.0 - 0.5 * f64::exp(-(3.0f64 / 9.0).powi(2));
            for (own, target) in shadow.iter().zip(target) {
                assert!((f64::from(*own) / f64::from(target) - expected).abs() < 0.03, "{shadow:?}");
            }
            assert_eq!(pixels[60 * width + 75], [20, 90, 160], "the subject is as it was");
            // It goes with the subject wherever that goes.
            frame.scale_from((0, 0), (160, 140), (80, 70)).expect("scaled");
            frame.set_view(crate::frame::View { x: -20, y: -10, width: 120, height: 90 }).expect("placed");
            let moved = flat(&frame);
            assert_eq!(moved[0], target);
            assert!(moved[62 * 120 + 60][0].abs_diff(shadow[0]) < 14, "{:?}", moved[62 * 120 + 60]);
            frame.orient(6).expect("turned");
            assert_eq!(flat(&frame)[0], target);
        }
    }
}
