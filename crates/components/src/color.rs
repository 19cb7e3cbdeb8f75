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

use crate::backdrop::{Backdrop, Cleaned, Gradient, Picture};
use crate::component::{Component, bytes};
use crate::product::{is_plain, product_seen};
use crate::promise::pixels_changed;
use crate::setting::ImageRef;
use crate::{Context, Fault, Frame, Subject};

pub use settings::{ApplyTo, Protect, Settings, WhiteBalance};

/// Longest side of the picture that statistics are made of.
const SAMPLED: usize = 512;

/// Changes colour and tone.
pub struct Color;

impl Component for Color {
    const KIND: &'static str = "color";
    const TITLE: &'static str = "Color";
    const SUMMARY: &'static str = "Changes colour and tone: white balance, match to a reference, exposure, curves, saturation, recolouring.";
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
            let after = Arc::new(grade.apply(&before, mask.as_ref(), pause)?);
            if let (ApplyTo::Background, Some(mask)) = (settings.apply_to, &mask) {
                // The photo is product and backdrop in one: what the matte is sure of is the product.
                frame.promised(pixels_changed(&before, &after, |at| mask.values()[at] == 0));
            }
            frame.subject.bitmap = after;
            // Later steps find the photo as the subject is.
            if let Some(photo) = &mut frame.photo {
                photo.bitmap = match Arc::ptr_eq(&photo.bitmap, &before) {
                    true => Arc::clone(&frame.subject.bitmap),
                    false => Arc::new(grade.apply(&photo.bitmap, None, pause)?),
                };
            }
        }
        if settings.apply_to != ApplyTo::Subject {
            let graded = |background| graded(background, &grade, context);
            frame.background = frame.background.take().map(graded).transpose()?;
        }
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture and what it becomes at 16 bits, and a mask.
        bytes(megapixels, 26)
    }
}

fn graded(background: Backdrop, grade: &Grade, context: &Context<'_>) -> Result<Backdrop, Fault> {
    let applied = |bitmap: &Bitmap| -> Result<Arc<Bitmap>, Fault> {
        Ok(Arc::new(grade.apply(bitmap, None, || context.check_cancelled())?))
    };
    Ok(match background {
        Backdrop::Plain(rgb) => Backdrop::Plain(grade.colour(rgb)),
        Backdrop::Gradient(gradient) => {
            let stops = gradient.stops.iter().map(|&(at, rgb)| (at, grade.colour(rgb))).collect();
            Backdrop::Gradient(Gradient { stops, ..gradient })
        }
        Backdrop::Picture(picture) => Backdrop::Picture(Picture {
            bitmap: applied(&picture.bitmap)?,
            colour: grade.colour(picture.colour),
            ..picture
        }),
        Backdrop::Cleaned(Cleaned { colour, layer }) => Backdrop::Cleaned(Cleaned {
            colour: grade.colour(colour),
            layer: Subject { bitmap: applied(&layer.bitmap)?, ..layer },
        }),
    })
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
    let found =
        other.and_then(|other| Transport::towards(&own, &other, strength, settings.match_limit.get()));
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
        let named = settings
            .recolor_from
            .map_or_else(|| "its main colour".to_owned(), |colour| format!("`{colour}`"));
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Channels, Samples};
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::{StepCache, settings};

    fn read(given: Value) -> Settings {
        settings::read(&given).expect("good settings")
    }

    fn graded(mut frame: Frame, given: Value) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        Color::run(&mut frame, &read(given), &Context::new(&cache, &cancel)).expect("not cancelled");
        frame
    }

    /// A grey backdrop with a red product, under warm light; cut out, with the photo beside it.
    fn cut_out_under_warm_light() -> Frame {
        let (width, height) = (96u32, 80u32);
        let inside = |i: u32| (30..66).contains(&(i % width)) && (20..70).contains(&(i / width));
        let photo: Vec<u8> = (0..width * height)
            .flat_map(|i| if inside(i) { [180, 60, 40] } else { [222, 200, 160] })
            .collect();
        let cut: Vec<u8> = photo
            .chunks(3)
            .enumerate()
            .flat_map(|(i, p)| if inside(i as u32) { [p[0], p[1], p[2], 255] } else { [0; 4] })
            .collect();
        let origin = Frame::unread().origin;
        let mut frame =
            Frame::new(Bitmap::from_u8(width, height, Channels::Rgba, cut).expect("a size"), origin);
        let photo = Bitmap::from_u8(width, height, Channels::Rgb, photo).expect("a size");
        frame.photo = Some(Subject { bitmap: Arc::new(photo), x: 0, y: 0 });
        frame
    }

    fn pixel(bitmap: &Bitmap, x: usize, y: usize) -> Vec<u16> {
        let count = bitmap.channels().count();
        let Samples::U16(samples) = bitmap.samples() else { panic!("16 bit") };
        samples[(y * bitmap.width() as usize + x) * count..][..count].to_vec()
    }

    #[test]
    fn neutral_settings_leave_every_byte() {
        let frame = cut_out_under_warm_light();
        for given in [
            json!({}),
            json!({ "curve": [[0, 0], [255, 255]], "recolorStrength": 0, "recolorTo": "#123456" }),
        ] {
            let after = graded(frame.clone(), given);
            assert!(Arc::ptr_eq(&after.subject.bitmap, &frame.subject.bitmap));
        }
    }

    #[test]
    fn the_backdrop_that_was_cut_away_tells_the_light() {
        let after = graded(cut_out_under_warm_light(), json!({ "whiteBalance": "auto" }));
        let photo = &after.photo.as_ref().expect("it is kept").bitmap;
        let grey = pixel(photo, 3, 3);
        assert!(grey.iter().all(|v| v.abs_diff(grey[0]) < 100), "{grey:?}");
        let (before, now) = ([180u16, 60, 40].map(|v| v * 257), pixel(&after.subject.bitmap, 40, 40));
        assert!(now[2] > before[2] && now[0] < before[0], "{now:?}");
        assert_eq!(pixel(&after.subject.bitmap, 3, 3), [0; 4]);
    }

    #[test]
    fn a_patch_gets_its_colour_wherever_it_lies() {
        let patch = json!({ "x": 0.02, "y": 0.02, "width": 0.1, "height": 0.1 });
        let given = json!({ "whiteBalance": "target", "patch": patch, "patchColor": "#C0C4C8" });
        let after = graded(cut_out_under_warm_light(), given);
        let got = pixel(&after.photo.as_ref().expect("it is kept").bitmap, 4, 4);
        for (got, wanted) in got.iter().zip([0xC0u16, 0xC4, 0xC8]) {
            assert!(got.abs_diff(wanted * 257) < 60, "{got} is not {}", wanted * 257);
        }
    }

    #[test]
    fn settings_that_make_no_sense_together_are_refused() {
        let refuse = |given: Value| Color::check(&read(given)).expect_err("refused");
        assert_eq!(
            refuse(json!({ "whiteBalance": "patch" })),
            "`whiteBalance` needs an area; set `patch`, or choose `auto`"
        );
        assert!(refuse(json!({ "blackPoint": 200, "whitePoint": 100 })).starts_with("`blackPoint` is 200"));
        assert!(refuse(json!({ "gamma": 0 })).contains("at least 0.1"));
    }

    #[test]
    fn a_background_layer_is_changed_only_when_asked() {
        let mut frame = cut_out_under_warm_light();
        frame.background = Some(Backdrop::Plain([255; 3]));
        let given = |to: &str| json!({ "exposure": -1, "applyTo": to });
        assert_eq!(graded(frame.clone(), given("subject")).background, Some(Backdrop::Plain([255; 3])));
        let after = graded(frame.clone(), given("background"));
        assert_eq!(after.background, Some(Backdrop::Plain([188; 3])));
        assert!(Arc::ptr_eq(&after.subject.bitmap, &frame.subject.bitmap));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]

        #[test]
        fn what_is_clear_stays_black(
            samples in proptest::collection::vec(any::<u8>(), 4 * 48),
            exposure in -5..=5i32, saturation in -100..=100i32, shadows in -100..=100i32, tint in -100..=100i32,
        ) {
            let bitmap = Bitmap::from_u8(12, 4, Channels::Rgba, samples).expect("12 by 4");
            let frame = Frame::new(bitmap, Frame::unread().origin);
            let given = json!({
                "exposure": exposure, "saturation": saturation, "shadows": shadows, "tint": tint,
                "recolorTo": "#AA3322", "protect": "skin", "whiteBalance": "auto",
            });
            let after = graded(frame, given).subject.bitmap.as_ref().clone().into_u16();
            let Samples::U16(samples) = after.samples() else { panic!("16 bit") };
            for pixel in samples.as_chunks::<4>().0 {
                prop_assert!(pixel[3] > 0 || pixel[..3] == [0; 3]);
            }
        }
    }
}
