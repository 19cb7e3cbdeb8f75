//! Enlarges the canvas on any side, or to a ratio, and continues plain surroundings there.

use std::sync::Arc;

use domain::component::Changes;
use retouch::{Beyond, Edge, NotContinued};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::frame::View;
use crate::resize::check_size;
use crate::{Colour, Context, Fault, Frame, Length, Ratio, Subject};

/// How much is added at one side.
pub type Room = Length<16384, 200>;

/// What becomes of a side at which the surroundings are not plain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Unplain {
    /// The picture is refused (`surroundings_not_plain`): nothing is invented.
    Refuse,
    /// Its room has one colour, `color` or the mean of that edge.
    Pad,
}

/// Settings of `extend`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How much is added above, in pixels or in per cent of the height.
    pub top: Room,
    /// How much is added right, in pixels or in per cent of the width.
    pub right: Room,
    /// How much is added below, in pixels or in per cent of the height.
    pub bottom: Room,
    /// How much is added left, in pixels or in per cent of the width.
    pub left: Room,
    /// Width to height of the result, such as `4:5`: beside what the sides say, room is added in equal parts above and
    /// below, or left and right. Nothing is cut off. Null adds nothing.
    #[schemars(extend("x-unit" = "width:height"))]
    pub ratio: Option<Ratio>,
    /// What becomes of a side at which the surroundings are not plain.
    pub unplain: Unplain,
    /// Colour of the room at such a side, with `unplain` `pad`, in sRGB; null is the mean of that edge.
    pub color: Option<Colour>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            top: Length::Px(0),
            right: Length::Px(0),
            bottom: Length::Px(0),
            left: Length::Px(0),
            ratio: None,
            unplain: Unplain::Refuse,
            color: None,
        }
    }
}

impl Settings {
    /// The enlarged canvas, seen from the old one.
    fn view(&self, width: u32, height: u32) -> View {
        let (left, right) = (self.left.px(width), self.right.px(width));
        let (top, bottom) = (self.top.px(height), self.bottom.px(height));
        let (mut wide, mut high) = (width + left + right, height + top + bottom);
        let (mut x, mut y) = (-i64::from(left), -i64::from(top));
        if let Some(ratio) = self.ratio {
            let wanted_wide = (f64::from(high) * ratio.width / ratio.height).round() as u32;
            let wanted_high = (f64::from(wide) * ratio.height / ratio.width).round() as u32;
            if wanted_wide > wide {
                x -= i64::from((wanted_wide - wide) / 2);
                wide = wanted_wide;
            } else if wanted_high > high {
                y -= i64::from((wanted_high - high) / 2);
                high = wanted_high;
            }
        }
        View { x, y, width: wide, height: high }
    }

    /// The most megapixels that come out where `megapixels` come in.
    pub(crate) fn most_megapixels(&self, megapixels: f64) -> f64 {
        // Of what shape the picture is, is not known here: a square stands for all, and for a ratio one twice as long as wide.
        let side = (megapixels * 1e6).sqrt().clamp(1.0, 30_000.0) as u32;
        let View { width, height, .. } = Self { ratio: None, ..self.clone() }.view(side, side);
        let by_ratio = self.ratio.map_or(1.0, |ratio| {
            let longer = (ratio.width / ratio.height).max(ratio.height / ratio.width);
            2.0 * longer
        });
        f64::from(width) * f64::from(height) / 1e6 * by_ratio
    }
}

/// Enlarges the canvas.
pub struct Extend;

impl Component for Extend {
    const KIND: &'static str = "extend";
    const TITLE: &'static str = "Extend";
    const SUMMARY: &'static str =
        "Enlarges the canvas on any side, or to a ratio, and continues plain surroundings there.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 1;
    const CHANGES: Changes = Changes { background: true, geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        if settings.color.is_some() && settings.unplain == Unplain::Refuse {
            return Err(
                "`color` is used only when `unplain` is `pad`; choose that, or leave `color` out".into()
            );
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let view = settings.view(frame.width, frame.height);
        check_size((view.width, view.height), context)?;
        if (view.width, view.height) == (frame.width, frame.height) {
            return Ok(());
        }
        // Around a subject there is nothing to be continued; what lies under everything fills the canvas by itself.
        if is_photo(frame) {
            continue_photo(frame, settings, view, context)?;
        } else {
            frame.set_view(view)?;
        }
        frame.fixed_size = true;
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture as it came, before and after a side was added, each in up to eight bytes a pixel; and the strip along it.
        bytes(megapixels, 24) + (16 << 20)
    }
}

/// Whether the subject is a whole photo that fills the canvas.
fn is_photo(frame: &Frame) -> bool {
    let Subject { bitmap, x, y } = &frame.subject;
    (*x, *y) == (0, 0)
        && (bitmap.width(), bitmap.height()) == (frame.width, frame.height)
        && !frame.is_cut_out()
}

fn continue_photo(
    frame: &mut Frame,
    settings: &Settings,
    view: View,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let (left, top) = ((-view.x) as u32, (-view.y) as u32);
    let right = view.width - frame.width - left;
    let bottom = view.height - frame.height - top;
    // Rows that are added later go over the columns that were added before: corners are continued twice.
    let sides = [
        (Edge::Left, "left", left),
        (Edge::Right, "right", right),
        (Edge::Top, "top", top),
        (Edge::Bottom, "bottom", bottom),
    ];
    let sides = sides.iter().filter(|(_, _, px)| *px > 0);
    let photo = Arc::clone(&frame.subject.bitmap);
    let is_whole = frame.photo.as_ref().is_some_and(|kept| Arc::ptr_eq(&kept.bitmap, &photo));
    let unplain: Vec<_> = sides.clone().filter(|(edge, ..)| !retouch::is_plain(&photo, *edge)).collect();
    let names = unplain.iter().map(|(_, name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    if settings.unplain == Unplain::Refuse && !unplain.is_empty() {
        return Err(Fault::input(
            "surroundings_not_plain",
            format!(
                "what reaches the picture's edge ({names}) is not plain, and continuing it would mean inventing it; extend another \
                 side, cut the subject out first, or choose `unplain` `pad`"
            ),
        ));
    }
    let mut bitmap = photo;
    for (edge, _, px) in sides {
        context.check_cancelled()?;
        let padded = unplain.iter().any(|(other, ..)| other == edge);
        let colour = || settings.color.map_or_else(|| retouch::mean_along(&bitmap, *edge), |colour| colour.0);
        let beyond = if padded { Beyond::Colour(colour()) } else { Beyond::Continued };
        let stop = || context.check_cancelled().is_err();
        let grown = match retouch::enlarged(&bitmap, *edge, *px, beyond, &stop) {
            // A side was padded before, and stands out at the end of this one.
            Err(NotContinued::NotPlain) => {
                retouch::enlarged(&bitmap, *edge, *px, Beyond::Colour(colour()), &stop)
            }
            done => done,
        };
        bitmap = Arc::new(grown.map_err(|_| Fault::cancelled())?);
    }
    let subject = Subject { bitmap, x: 0, y: 0 };
    frame.set_view(view)?;
    if is_whole {
        frame.photo = Some(subject.clone());
    }
    frame.subject = subject;
    if !unplain.is_empty() {
        frame.note(format!(
            "what reaches the picture's edge ({names}) is not plain; the room there has one colour"
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels, Samples};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Backdrop, StepCache, settings};

    /// A grey photo with a dark bar that reaches its upper edge.
    fn photo() -> Frame {
        let is_bar = |i: u32| (40..60).contains(&(i % 100)) && i / 100 < 30;
        let samples = (0..100 * 80).flat_map(|i| [if is_bar(i) { 20 } else { 200 }; 3]).collect();
        let bitmap = Bitmap::from_u8(100, 80, Channels::Rgb, samples).expect("100 by 80");
        let mut frame = Frame::new(bitmap, Frame::unread().origin);
        frame.photo = Some(frame.subject.clone());
        frame
    }

    fn extended(mut frame: Frame, given: Value) -> Result<Frame, Fault> {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let settings: Settings = settings::read(&given).expect("good settings");
        Extend::check(&settings).expect("good settings");
        Extend::run(&mut frame, &settings, &Context::new(&cache, &cancel))?;
        Ok(frame)
    }

    fn pixel(frame: &Frame, x: u32, y: u32) -> u8 {
        let bitmap = &frame.subject.bitmap;
        assert_eq!((bitmap.width(), bitmap.height()), (frame.width, frame.height));
        let Samples::U8(samples) = bitmap.samples() else { panic!("8 bits") };
        samples[((y * frame.width + x) * 3) as usize]
    }

    #[test]
    fn plain_sides_are_continued() {
        let given = json!({ "left": "10%", "right": 5, "bottom": "50%" });
        let frame = extended(photo(), given).expect("plain");
        assert_eq!((frame.width, frame.height), (115, 120));
        assert_eq!(
            (pixel(&frame, 0, 119), pixel(&frame, 114, 0), pixel(&frame, 10 + 45, 10)),
            (200, 200, 20)
        );
        assert_eq!(frame.photo.as_ref(), Some(&frame.subject), "the photo that is kept grows too");
    }

    #[test]
    fn sides_that_are_not_plain_are_refused_or_padded() {
        let fault = extended(photo(), json!({ "top": 10, "left": 10 })).expect_err("the bar");
        assert_eq!(fault.code, "surroundings_not_plain");
        assert!(fault.message.contains("(`top`)"), "{}", fault.message);
        let padded = json!({ "top": 10, "unplain": "pad", "color": "#0A0A0A" });
        let frame = extended(photo(), padded).expect("padded");
        assert_eq!((pixel(&frame, 50, 0), pixel(&frame, 50, 10), pixel(&frame, 5, 10)), (10, 20, 200));
        let frame = extended(photo(), json!({ "top": 10, "unplain": "pad" })).expect("padded");
        assert_eq!(pixel(&frame, 0, 0), 164, "the mean of the edge: a fifth of it is bar");
        assert!(frame.remarks[0].notes[0].contains("`top`"));
    }

    #[test]
    fn a_ratio_adds_and_never_cuts() {
        let wide = extended(photo(), json!({ "ratio": "2:1" })).expect("plain");
        assert_eq!((wide.width, wide.height, pixel(&wide, 30 + 50, 0)), (160, 80, 20));
        let same = extended(photo(), json!({ "ratio": "5:4" })).expect("nothing to do");
        assert_eq!(same.subject, photo().subject);
        let both = extended(photo(), json!({ "left": 20, "ratio": "3:2" })).expect("nothing more to do");
        assert_eq!((both.width, both.height), (120, 80));
    }

    #[test]
    fn a_cut_out_gets_room_and_its_backdrop_fills_it() {
        let samples = (0..40 * 40).flat_map(|i| if i % 40 < 20 { [9, 9, 9, 255] } else { [0; 4] }).collect();
        let bitmap = Bitmap::from_u8(40, 40, Channels::Rgba, samples).expect("40 by 40");
        let mut frame = Frame::new(bitmap, Frame::unread().origin);
        frame.background = Some(Backdrop::Plain([1, 2, 3]));
        let frame = extended(frame, json!({ "ratio": "1:2" })).expect("room");
        assert_eq!((frame.width, frame.height, frame.subject.y), (40, 80, 20));
        assert_eq!(frame.background, Some(Backdrop::Plain([1, 2, 3])));
    }

    #[test]
    fn what_is_too_large_or_makes_no_sense_is_refused() {
        let settings: Settings = settings::read(&json!({ "color": "#FFF" })).expect("in range");
        assert!(Extend::check(&settings).expect_err("refused").contains("`unplain`"));
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let settings: Settings = settings::read(&json!({ "right": 16384 })).expect("in range");
        let mut context = Context::new(&cache, &cancel);
        context.limits.file.max_side = 10_000;
        let fault = Extend::run(&mut photo(), &settings, &context).expect_err("too large");
        assert_eq!(fault.code, "result_too_large");
        let wide: Settings = settings::read(&json!({ "left": "100%", "right": "100%" })).expect("in range");
        assert!((wide.most_megapixels(1.0) - 3.0).abs() < 0.01);
        let ratio: Settings = settings::read(&json!({ "ratio": "9:16" })).expect("in range");
        assert!(ratio.most_megapixels(1.0) > 16.0 / 9.0 * 1.5);
    }
}
