//! Puts a shadow under the subject.

use std::sync::Arc;

use domain::component::Changes;
use pixels::{Mask, Rect};

use crate::component::{Component, bytes};
use crate::shading::Shading;
use crate::soften::soften;
use crate::{Backdrop, Context, Fault, Frame, Ink, Shadow, ShadowKind};

mod cast;
mod contact;
mod feet;
mod reflection;
mod room;
mod settings;

use feet::Feet;
use room::{Room, Small, Soft};
pub use settings::{Kind, Settings};

/// How dark the contact under a cast shadow is, compared with a contact shadow alone.
const GROUNDING: f32 = 0.9;
/// How dark a cast shadow is away from the contact: what the light does not reach, its surroundings do.
const UMBRA: f32 = 0.75;
/// Half the width of the shadow of something that hovers, in shares of the subject's width.
const FLOATING_WIDTH: f64 = 0.4;
/// Its depth in the picture, in shares of its width.
const FLOATING_DEPTH: f64 = 0.16;

/// Puts a shadow under the subject.
pub struct DropShadow;

impl Component for DropShadow {
    const KIND: &'static str = "dropShadow";
    const TITLE: &'static str = "Drop shadow";
    const SUMMARY: &'static str =
        "Puts a shadow or a reflection behind the subject or under it; several steps stack theirs.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 2;
    const CHANGES: Changes = Changes { background: true, ..Changes::NONE };

    type Settings = Settings;

    fn needs_photo(settings: &Settings) -> bool {
        settings.kind == Kind::Natural
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let bounds = frame.subject_bounds()?;
        if settings.kind == Kind::Natural {
            return natural(frame, settings, context);
        }
        let made = match settings.kind {
            Kind::Reflection => reflected(frame, bounds, settings, context)?,
            kind => {
                let alpha = pixels::crop_mask(&frame.subject.bitmap.alpha(), inner(frame, bounds))?;
                context.check_cancelled()?;
                let made = match kind {
                    Kind::Drop => Some(drop_mask(&alpha, settings)?),
                    _ => small_mask(frame, &alpha, bounds, settings)?,
                };
                made.map(|(mask, x, y)| (mask, Ink::Plain(settings.color.0), x, y))
            }
        };
        let Some((mask, ink, x, y)) = made else {
            frame.note("the subject stands nowhere inside of the canvas, so that it has no shadow there");
            return Ok(());
        };
        frame.add_shadow(Shadow {
            kind: match settings.kind {
                Kind::Drop => ShadowKind::Drop,
                Kind::Contact => ShadowKind::Contact,
                Kind::Cast => ShadowKind::Cast,
                Kind::Reflection => ShadowKind::Reflection,
                Kind::Floating => ShadowKind::Floating,
                Kind::Natural => ShadowKind::Natural,
            },
            mask: Arc::new(mask),
            x: i64::from(bounds.x) + x,
            y: i64::from(bounds.y) + y,
            ink,
            opacity: settings.opacity() as f32,
        })
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 12) + (8 << 20)
    }
}

/// How sure the shadow of a photo must be to be kept.
const LEAST_CONFIDENCE: f32 = 0.2;

/// Keeps the shadow that the photo shows, as a layer of its own.
fn natural(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
    if matches!(frame.background, Some(Backdrop::Cleaned(_))) {
        frame.note("the cleaned backdrop shows the photo's shadow already, so that it is there twice; leave one step out");
    }
    let Some(shading) = Shading::of(frame, context)? else { return Ok(()) };
    frame.confidence(shading.confidence);
    if shading.confidence < LEAST_CONFIDENCE {
        frame.note(
            "the photo's backdrop is too uneven for its shadow to be told apart, so that none was kept; choose another `type`",
        );
        return Ok(());
    }
    context.check_cancelled()?;
    let Some(photo) = &frame.photo else { return Ok(()) };
    let at = (photo.x, photo.y);
    let (mask, shows) = shading.shadow((photo.bitmap.width(), photo.bitmap.height()))?;
    if !shows {
        frame.note("the photo shows no shadow of the subject on its backdrop");
        return Ok(());
    }
    // A photo that reaches over the canvas does not make it grow: neither did its backdrop.
    let shadow = Shadow {
        kind: ShadowKind::Natural,
        mask: Arc::new(mask),
        x: at.0,
        y: at.1,
        ink: Ink::Plain(settings.color.0),
        opacity: settings.opacity() as f32,
    };
    frame.add_shadow(shadow)
}

/// A part of the canvas as the subject's bitmap sees it.
fn inner(frame: &Frame, bounds: Rect) -> Rect {
    let from = |at: u32, start: i64| (i64::from(at) - start) as u32;
    Rect { x: from(bounds.x, frame.subject.x), y: from(bounds.y, frame.subject.y), ..bounds }
}

/// The outline, moved and blurred, with its place beside the outline.
fn drop_mask(alpha: &Mask, settings: &Settings) -> Result<(Mask, i64, i64), Fault> {
    let side = alpha.width().max(alpha.height());
    let (sigma, by) = (settings.sigma(side), settings.fall(side));
    let reach = (sigma * 3.0).ceil() as u32;
    let (width, height) = (alpha.width() + 2 * reach, alpha.height() + 2 * reach);
    let room = pixels::place_mask(width, height, alpha, i64::from(reach), i64::from(reach))?;
    let mask = pixels::blur_mask(&room, sigma as f32)?;
    Ok((mask, by.0.round() as i64 - i64::from(reach), by.1.round() as i64 - i64::from(reach)))
}

/// A shadow on the floor, with its place beside the outline; `None` where there is none.
fn small_mask(
    frame: &Frame,
    alpha: &Mask,
    bounds: Rect,
    settings: &Settings,
) -> Result<Option<(Mask, i64, i64)>, Fault> {
    let small = Small::of(alpha)?;
    let (outline, side) = (&small.outline, alpha.width().max(alpha.height()));
    let sigma = settings.sigma(side) * small.scale;
    let by = settings.fall(side);
    let by = (by.0 * small.scale, by.1 * small.scale);
    let soft = match settings.kind {
        Kind::Floating => Some(floating(outline, by, sigma)),
        Kind::Cast => {
            let feet = Feet::of(outline);
            cast::soft(outline, &feet, &settings.light(sigma)).map(|mut cast| {
                let near = small.side() * 0.02;
                let contact = contact::soft(&feet, outline.width(), small.side(), (0.0, 0.0), near);
                cast.values.iter_mut().for_each(|value| *value *= UMBRA);
                cast.and(&contact, GROUNDING);
                cast
            })
        }
        _ => Some(contact::soft(&Feet::of(outline), outline.width(), small.side(), by, sigma)),
    };
    let Some(soft) = soft else { return Ok(None) };
    // What lies outside of a canvas that may not grow is never made.
    let corner = (-i64::from(bounds.x), -i64::from(bounds.y));
    let canvas = frame.fixed_size.then_some((corner, (frame.width, frame.height)));
    small.enlarged(&soft, canvas)
}

/// The shadow of something that hovers over the floor, `by.1` under its lowest point.
fn floating(outline: &Mask, by: (f64, f64), sigma: f64) -> Soft {
    let (width, height) = (f64::from(outline.width()), f64::from(outline.height()));
    let across = (width * FLOATING_WIDTH).max(0.5);
    let down = (across * FLOATING_DEPTH).max(0.5);
    let margin = (sigma * 3.2).ceil() + 2.0;
    let (middle, centre) = (width / 2.0 + by.0, height + by.1);
    let (left, top) = ((middle - across - margin).floor(), (centre - down - margin).floor());
    let room = Room {
        width: (2.0 * (across + margin)).ceil() as usize + 1,
        height: (2.0 * (down + margin)).ceil() as usize + 1,
        left: -(left as i64),
        top: -(top as i64),
    };
    let mut values = room.plane();
    for (y, row) in values.chunks_exact_mut(room.width).enumerate() {
        let v = (y as f64 + 0.5 + top - centre) / down;
        for (x, value) in row.iter_mut().enumerate() {
            let u = (x as f64 + 0.5 + left - middle) / across;
            *value = if u.hypot(v) < 1.0 { 1.0 } else { 0.0 };
        }
    }
    soften(&mut values, room.width, sigma.max(0.5), (sigma * room::FLATTENING).max(0.5));
    Soft { room, values }
}

/// The mirrored subject, with its place beside the subject's bounds.
fn reflected(
    frame: &Frame,
    bounds: Rect,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Option<(Mask, Ink, i64, i64)>, Fault> {
    let subject = pixels::crop(&frame.subject.bitmap, inner(frame, bounds))?.into_u8().into_rgba();
    context.check_cancelled()?;
    reflection::of(&subject, &settings.shine(bounds), context)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels};

    use super::*;
    use crate::{Length, Number, StepCache};

    fn shaded(settings: &Settings, fixed_size: bool) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let origin = Frame::unread().origin;
        let bitmap = Bitmap::from_u8(40, 60, Channels::Rgba, [9, 9, 9, 255].repeat(2400)).expect("40 by 60");
        let mut frame = Frame::new(bitmap, origin);
        frame.fixed_size = fixed_size;
        DropShadow::run(&mut frame, settings, &Context::new(&cache, &cancel)).expect("a subject");
        frame
    }

    #[test]
    fn a_drop_shadow_falls_where_the_angle_points() {
        for (angle, x, y) in [(0.0, 10, 0), (90.0, 0, 10), (180.0, -10, 0), (270.0, 0, -10), (45.0, 7, 7)] {
            let settings = Settings {
                angle: Some(Number::new(angle)),
                distance: Some(Length::Px(10)),
                blur: Some(Length::Px(0)),
                ..Settings::default()
            };
            let frame = shaded(&settings, false);
            let shadow = &frame.shadows[0];
            assert_eq!((shadow.x - frame.subject.x, shadow.y - frame.subject.y), (x, y), "{angle}");
            assert_eq!((shadow.mask.width(), shadow.mask.height()), (40, 60));
        }
    }

    #[test]
    fn the_canvas_grows_for_a_shadow_unless_its_size_was_asked_for() {
        for kind in [Kind::Drop, Kind::Contact, Kind::Cast, Kind::Reflection, Kind::Floating] {
            let settings = Settings { kind, ..Settings::default() };
            let free = shaded(&settings, false);
            assert!(free.height > 60 && free.width >= 40, "{kind:?}");
            let bounds = free.shadows[0].mask.bounds(2).expect("it shows");
            let last = free.shadows[0].y + i64::from(bounds.y + bounds.height);
            assert!(last <= i64::from(free.height), "{kind:?}: nothing of it is cut");
            let fixed = shaded(&settings, true);
            assert_eq!((fixed.width, fixed.height), (40, 60), "{kind:?}");
        }
    }

    #[test]
    fn shadows_stack_each_in_its_own_layer() {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let context = Context::new(&cache, &cancel);
        let mut frame = shaded(&Settings { kind: Kind::Reflection, ..Settings::default() }, false);
        DropShadow::run(&mut frame, &Settings { kind: Kind::Contact, ..Settings::default() }, &context)
            .expect("a subject");
        let kinds: Vec<ShadowKind> = frame.shadows.iter().map(|shadow| shadow.kind).collect();
        assert_eq!(kinds, [ShadowKind::Reflection, ShadowKind::Contact]);
    }

    #[test]
    fn every_kind_is_the_same_each_time_and_moves_with_the_canvas() {
        for kind in [Kind::Cast, Kind::Reflection, Kind::Floating] {
            let settings = Settings { kind, ..Settings::default() };
            let frame = shaded(&settings, false);
            assert_eq!(frame, shaded(&settings, false));
            let mut turned = frame.clone();
            turned.orient(6).expect("turned");
            turned.orient(8).expect("turned back");
            assert_eq!(turned, frame, "{kind:?}");
            let mut small = frame.clone();
            let size = (frame.width, frame.height);
            small.scale_from((0, 0), size, (size.0 / 2, size.1 / 2)).expect("scaled");
            let (shadow, before) = (&small.shadows[0], &frame.shadows[0]);
            assert!(shadow.mask.width().abs_diff(before.mask.width() / 2) <= 1, "{kind:?}");
            if let Ink::Picture(ink) = &shadow.ink {
                assert_eq!((ink.width(), ink.height()), (shadow.mask.width(), shadow.mask.height()));
            }
        }
    }

    #[test]
    fn no_more_of_a_shadow_is_made_than_a_fixed_canvas_shows() {
        let settings = Settings { kind: Kind::Cast, elevation: Number::new(20.0), ..Settings::default() };
        let (free, fixed) = (shaded(&settings, false), shaded(&settings, true));
        assert!(f64::from(free.width) > 40.0 + 100.0);
        let (mask, view) = (&fixed.shadows[0], (fixed.width, fixed.height));
        assert!(mask.mask.width() <= view.0 && mask.mask.height() <= view.1);
        let grown = f64::from(free.width * free.height) / (40.0 * 60.0);
        assert!(grown < settings.growth(0.0024) * 1.6, "{grown}");
    }
}
