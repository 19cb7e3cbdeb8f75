//! Colour and tone: white balance, likeness to a reference, exposure, levels, curves, saturation, another colour.

mod balance;
mod points;
mod settings;

use std::sync::Arc;

use domain::component::Changes;
use domain::image::ContentHash;
use matting::studio_matte;
use pixels::{Bitmap, Mask};
use retouch::colour::{Grade, Moments, Recolour, Sampled, Transport, Wish, linear_bytes};

use crate::component::{Component, bytes};
use crate::product::{is_plain, product_seen};
use crate::setting::ImageRef;
use crate::{Backdrop, Context, Fault, Frame};

pub use points::Points;
pub use settings::{ApplyTo, Patch, Protect, Settings, WhiteBalance};

/// Longest side of the picture that statistics are made of.
const SAMPLED: usize = 512;

/// Changes colour and tone.
pub struct Color;

impl Component for Color {
    const KIND: &'static str = "color";
    const TITLE: &'static str = "Color";
    const SUMMARY: &'static str =
        "Changes colour and tone: white balance, match to a reference, exposure, curves, saturation, recolouring.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 2;
    const CHANGES: Changes = Changes { background: true, skin: true, tone: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn changes(settings: &Settings) -> Changes {
        Changes {
            // A photograph that was not cut out has its background in its pixels.
            tone: settings.apply_to != ApplyTo::Background,
            skin: settings.apply_to != ApplyTo::Background && settings.protect != Protect::Skin,
            ..Self::CHANGES
        }
    }

    fn images(settings: &Settings) -> Vec<ContentHash> {
        settings.reference.iter().map(|reference| reference.0).collect()
    }

    fn needs_photo(settings: &Settings) -> bool {
        settings.white_balance != WhiteBalance::Off
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let mut grade = settings.grade();
        grade.balance = balance::measured(frame, settings);
        context.check_cancelled()?;
        if let Some(ImageRef(hash)) = settings.reference {
            let reference = context.image(&hash)?;
            grade.matching = matched(frame, &reference, &grade, settings)?;
        }
        if settings.recolor_to.is_some() {
            grade.recolour = recoloured(frame, &grade, settings)?;
        }
        context.check_cancelled()?;
        // What would come out as it went in keeps its bytes and its depth.
        if grade.is_neutral() {
            return Ok(());
        }
        let is_cut_out = frame.is_cut_out();
        let needs_matte = !is_cut_out
            && (settings.apply_to == ApplyTo::Background || settings.protect == Protect::Background);
        let mask = if needs_matte { matte_for(frame, settings)? } else { None };
        if settings.apply_to != ApplyTo::Background || mask.is_some() {
            let pause = || context.check_cancelled();
            let before = Arc::clone(&frame.subject.bitmap);
            frame.subject.bitmap = Arc::new(grade.apply(&before, mask.as_ref(), pause)?);
            // Later steps find the photo as the subject is.
            if let Some(photo) = &mut frame.photo {
                photo.bitmap = match Arc::ptr_eq(&photo.bitmap, &before) {
                    true => Arc::clone(&frame.subject.bitmap),
                    false => Arc::new(grade.apply(&photo.bitmap, None, pause)?),
                };
            }
        }
        if settings.apply_to != ApplyTo::Subject {
            frame.background = frame.background.take().map(|background| graded(background, &grade));
        }
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture and what it becomes at 16 bits, and a mask.
        bytes(megapixels, 18)
    }
}

fn graded(background: Backdrop, grade: &Grade) -> Backdrop {
    match background {
        Backdrop::Plain(rgb) => Backdrop::Plain(grade.colour(rgb)),
    }
}

/// Which pixels of a photograph that was not cut out are changed. Says so where that cannot be told; answers `None` where
/// all are, or where nothing is.
fn matte_for(frame: &mut Frame, settings: &Settings) -> Result<Option<Mask>, Fault> {
    let studio = studio_matte(&frame.subject.bitmap);
    if !is_plain(&studio) {
        frame.note(match settings.apply_to {
            ApplyTo::Background => "no plain backdrop was found, so that nothing was changed; cut the product out first",
            _ => "no plain backdrop was found to protect, so that the whole picture was changed; cut the product out first",
        });
        return Ok(None);
    }
    let mut mask = studio.alpha;
    if settings.apply_to == ApplyTo::Background {
        mask.values_mut().iter_mut().for_each(|value| *value = 255 - *value);
    }
    Ok(Some(mask))
}

/// A picture for statistics, in colours that occur: its product, or the whole where there is no telling.
fn product_sampled(bitmap: &Bitmap) -> Result<Sampled, Fault> {
    Ok(product_seen(bitmap, SAMPLED, 1)?.unwrap_or_else(|| Sampled::of(bitmap, SAMPLED, 1)))
}

/// The map to the reference's colours.
fn matched(
    frame: &mut Frame,
    reference: &Bitmap,
    grade: &Grade,
    settings: &Settings,
) -> Result<Option<Transport>, Fault> {
    let balanced = Grade { balance: grade.balance, ..Grade::default() };
    let own = balanced.preview(product_sampled(&frame.subject.bitmap)?);
    let other = Moments::of(&product_sampled(reference)?);
    let strength = settings.match_strength.get() / 100.0;
    let found = other.and_then(|other| Transport::towards(&own, &other, strength, settings.match_limit.get()));
    let Some((transport, moved)) = found else {
        frame.note("the picture or its reference shows nothing, so that there is nothing to match");
        return Ok(None);
    };
    frame.note(format!("matched to the reference: colours moved by {:.1} ΔE2000 on average", moved.mean));
    if moved.strength < strength - 1e-6 {
        frame.note(format!(
            "the reference is farther away than `matchLimit` allows; {:.0} % of the way was gone",
            moved.strength * 100.0
        ));
    }
    Ok((moved.strength > 0.0).then_some(transport))
}

/// The plan for another colour, after everything that comes before it.
fn recoloured(frame: &mut Frame, grade: &Grade, settings: &Settings) -> Result<Option<Recolour>, Fault> {
    let Some(to) = settings.recolor_to else { return Ok(None) };
    let wish = Wish {
        from: settings.recolor_from.map(|colour| colour.0),
        to: to.0,
        tolerance: (settings.recolor_tolerance.get() / 100.0) as f32,
        strength: (settings.recolor_strength.get() / 100.0) as f32,
        keep_texture: settings.recolor_keep_texture,
    };
    let small = grade.preview(product_sampled(&frame.subject.bitmap)?);
    let Some((plan, outlook)) = Recolour::plan(&small, &wish) else {
        let named = settings.recolor_from.map_or_else(|| "its main colour".to_owned(), |colour| format!("`{colour}`"));
        frame.note(format!("nothing was recoloured: no part of the product has {named}"));
        return Ok(None);
    };
    let from = crate::Colour(linear_bytes(outlook.from));
    frame.note(format!("recoloured {:.0} % of the product from {from} to {to}", outlook.share * 100.0));
    if outlook.off > 2.0 {
        frame.note(format!(
            "the mean of what was recoloured is {:.1} ΔE2000 beside {to}; a colour with less chroma would be met",
            outlook.off
        ));
    }
    Ok((wish.strength > 0.0).then_some(plan))
}
