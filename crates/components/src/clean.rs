//! Takes dust, lint, scratches and sensor spots off.

use std::sync::Arc;

use domain::component::Changes;
use pixels::Mask;
use retouch::{Sought, Within};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::remove_object::repair;
use crate::{Context, Fault, Frame, Length, Whole};

/// Where spots are looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Place {
    /// On the subject and around it.
    Everywhere,
    /// On the subject alone. A picture that is not cut out must have a plain backdrop, so that the two can be told apart.
    Subject,
    /// On the backdrop alone, which must be plain. Of a cut-out it is gone, and nothing is done.
    Background,
}

/// Settings of `clean`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How eagerly small specks are taken off: 0 leaves all, 50 takes what is certain, 100 what might be one.
    #[schemars(extend("x-unit" = "%"))]
    pub dust: Whole<0, 100>,
    /// How eagerly short thin fibres are taken off: 0 leaves all.
    #[schemars(extend("x-unit" = "%"))]
    pub lint: Whole<0, 100>,
    /// How eagerly long thin straight lines are taken off: 0 leaves all. A seam or a strap may look like a scratch,
    /// so that this is off unless it is asked for.
    #[schemars(extend("x-unit" = "%"))]
    pub scratches: Whole<0, 100>,
    /// How eagerly the large soft shadows of dust on the sensor are taken off: 0 leaves all.
    #[schemars(extend("x-unit" = "%"))]
    pub sensor_spots: Whole<0, 100>,
    /// Largest side of a speck, in pixels or in per cent of the subject's longer side; what is larger stays, such as a
    /// button. At most 61 pixels count.
    pub dust_size: Length<61, 2>,
    /// Largest length of a fibre, in pixels or in per cent of the subject's longer side.
    pub lint_length: Length<2000, 20>,
    /// Where spots are looked for.
    #[serde(rename = "where")]
    pub place: Place,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            dust: Whole::new(50),
            lint: Whole::new(50),
            scratches: Whole::new(0),
            sensor_spots: Whole::new(50),
            dust_size: Length::Percent(0.4),
            lint_length: Length::Percent(4.0),
            place: Place::Everywhere,
        }
    }
}

/// Takes dust, lint, scratches and sensor spots off.
pub struct Clean;

impl Component for Clean {
    const KIND: &'static str = "clean";
    const TITLE: &'static str = "Clean";
    const SUMMARY: &'static str = "Finds dust, lint, scratches and sensor spots and takes them off.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 2;
    const EXPENSIVE: bool = true;
    const CHANGES: Changes = Changes { background: true, detail: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let bitmap = Arc::clone(&frame.subject.bitmap);
        let side = bitmap.width().max(bitmap.height());
        let sought = Sought {
            dust: settings.dust.get(),
            lint: settings.lint.get(),
            scratches: settings.scratches.get(),
            sensor_spots: settings.sensor_spots.get(),
            // A small picture has specks of a few pixels too.
            dust_size: settings.dust_size.px(side).clamp(5, 61),
            // Nor is a fibre shorter there.
            lint_length: settings.lint_length.px(side).max(48),
        };
        // The largest thing that is sought is a fibre of that length.
        let speck = sought.lint_length as usize * 8;
        let inside = match part(frame, settings.place, speck) {
            Part::All => None,
            Part::Inside(mask) => Some(mask),
            Part::None(why) => {
                frame.note(why);
                return Ok(());
            }
        };
        let stop = || context.check_cancelled().is_err();
        let found =
            retouch::find_spots(&bitmap, inside.as_ref(), &sought, &stop).ok_or_else(Fault::cancelled)?;
        drop(bitmap);
        if found.count() == 0 {
            frame.note("found nothing to take off");
            return Ok(());
        }
        let kinds = [
            (found.dust, "speck", "specks"),
            (found.lint, "fibre", "fibres"),
            (found.scratches, "scratch", "scratches"),
            (found.sensor_spots, "sensor spot", "sensor spots"),
        ];
        let said: Vec<String> = kinds
            .iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, many)| format!("{count} {}", if *count == 1 { one } else { many }))
            .collect();
        repair(frame, &found.mask, Within::Subject, context)?;
        frame.note(format!("took off {}", said.join(", ")));
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 30) + (128 << 20)
    }
}

/// The part of the picture that is looked at.
enum Part {
    All,
    Inside(Mask),
    None(&'static str),
}

/// Which part that is. Pieces of the subject smaller than `speck` pixels are specks on the backdrop.
fn part(frame: &Frame, place: Place, speck: usize) -> Part {
    if frame.is_cut_out() {
        return match place {
            // What is clear is never looked at.
            Place::Everywhere | Place::Subject => Part::All,
            Place::Background => Part::None("the picture is cut out, so that there is no backdrop to clean"),
        };
    }
    if place == Place::Everywhere {
        return Part::All;
    }
    let studio = matting::studio_matte(&frame.subject.bitmap);
    if !studio.is_plain() {
        return Part::None(
            "the backdrop is not plain, so that it cannot be told from the subject and nothing was taken off; \
             remove the background first, or clean everywhere",
        );
    }
    let mut mask = studio.alpha;
    matting::clean(&mut mask, matting::Keep::MinArea(speck), matting::Holes::Keep);
    if place == Place::Background {
        mask.values_mut().iter_mut().for_each(|value| *value = 255 - *value);
    }
    Part::Inside(mask)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels};

    use super::*;
    use crate::StepCache;

    /// A grey product on a light backdrop, with a dark speck on each.
    fn specked() -> Frame {
        let samples = (0..160 * 160)
            .flat_map(|i: u32| {
                let (x, y) = (i % 160, i / 160);
                let speck = |a: u32, b: u32| x.abs_diff(a) < 2 && y.abs_diff(b) < 2;
                let inside = (40..120).contains(&x) && (40..120).contains(&y);
                match (speck(20, 20) || speck(80, 80), inside) {
                    (true, _) => [40; 3],
                    (_, true) => [120; 3],
                    _ => [220; 3],
                }
            })
            .collect();
        let bitmap = Bitmap::from_u8(160, 160, Channels::Rgb, samples).expect("160 by 160");
        Frame::new(bitmap, Frame::unread().origin)
    }

    fn cleaned(mut frame: Frame, settings: &Settings) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        Clean::run(&mut frame, settings, &Context::new(&cache, &cancel)).expect("cleaned");
        frame
    }

    fn dark(frame: &Frame) -> Vec<usize> {
        let pixels::Samples::U8(samples) = frame.subject.bitmap.samples() else { panic!("8 bits") };
        [20 * 160 + 20, 80 * 160 + 80].into_iter().filter(|at| samples[at * 3] < 60).collect()
    }

    #[test]
    fn specks_go_from_where_they_are_looked_for() {
        let at = |place: Place| cleaned(specked(), &Settings { place, ..Settings::default() });
        let everywhere = at(Place::Everywhere);
        assert!(dark(&everywhere).is_empty());
        assert_eq!(everywhere.remarks[0].notes, ["took off 2 specks"]);
        assert_eq!(dark(&at(Place::Subject)), [20 * 160 + 20], "{:?}", at(Place::Subject).remarks);
        assert_eq!(dark(&at(Place::Background)), [80 * 160 + 80]);
    }

    #[test]
    fn strengths_of_nothing_change_nothing() {
        let off = Settings {
            dust: Whole::new(0),
            lint: Whole::new(0),
            sensor_spots: Whole::new(0),
            ..Settings::default()
        };
        let frame = cleaned(specked(), &off);
        assert_eq!(frame.subject, specked().subject);
        // What was cleaned once is clean.
        let once = cleaned(specked(), &Settings::default());
        assert_eq!(cleaned(once.clone(), &Settings::default()).subject, once.subject);
    }
}
