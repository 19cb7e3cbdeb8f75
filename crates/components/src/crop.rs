//! Cuts the canvas down to the subject.

use domain::component::Changes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::frame::View;
use crate::{Context, Fault, Frame, Length, Ratio};

/// Settings of `crop`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Room left on every side of the subject, in pixels or in per cent of the subject's longer side. Needs a cut-out:
    /// a picture without transparent parts gets none.
    pub padding: Length<4096, 100>,
    /// Width to height of the result, such as `4:5`; null keeps the subject's own. A cut-out gets more room around it,
    /// a picture without transparent parts is cut down from both ends.
    #[schemars(extend("x-unit" = "width:height"))]
    pub ratio: Option<Ratio>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { padding: Length::Px(0), ratio: None }
    }
}

/// Cuts the canvas down to the subject.
pub struct Crop;

impl Component for Crop {
    const KIND: &'static str = "crop";
    const TITLE: &'static str = "Crop";
    const SUMMARY: &'static str = "Cuts the picture down to its subject, with room around it or to a ratio.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, _: &Context<'_>) -> Result<(), Fault> {
        let bounds = frame.subject_bounds()?;
        let whole = (bounds.width, bounds.height) == (frame.width, frame.height);
        let may_grow = !whole || frame.is_cut_out();
        let padding = if may_grow { settings.padding.px(bounds.width.max(bounds.height)) } else { 0 };
        if !may_grow && settings.padding.of(100) > 0.0 {
            frame.note(
                "the picture has no transparent parts, so that there is no subject to leave room around",
            );
        }
        let (mut width, mut height) = (bounds.width + 2 * padding, bounds.height + 2 * padding);
        if let Some(ratio) = settings.ratio {
            let (wanted_width, wanted_height) = (
                (f64::from(height) * ratio.width / ratio.height).round().max(1.0) as u32,
                (f64::from(width) * ratio.height / ratio.width).round().max(1.0) as u32,
            );
            // Whichever of the two does not cut a cut-out, or does not grow a photograph.
            if (wanted_width > width) == may_grow { width = wanted_width } else { height = wanted_height }
        }
        // Halves are rounded to the left and to the top.
        let centred = |start: u32, length: u32, wanted: u32| {
            i64::from(start) + (i64::from(length) - i64::from(wanted)).div_euclid(2)
        };
        frame.set_view(View {
            x: centred(bounds.x, bounds.width, width),
            y: centred(bounds.y, bounds.height, height),
            width,
            height,
        })?;
        frame.fixed_size = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels};

    use super::*;
    use crate::StepCache;

    fn cropped(mut frame: Frame, padding: u32, ratio: Option<(f64, f64)>) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let ratio = ratio.map(|(width, height)| Ratio { width, height });
        let settings = Settings { padding: Length::Px(padding), ratio };
        Crop::run(&mut frame, &settings, &Context::new(&cache, &cancel)).expect("a subject");
        frame
    }

    fn cut_out() -> Frame {
        let inside = |i: u32| (3..7).contains(&(i % 20)) && (2..10).contains(&(i / 20));
        let samples = (0..20 * 12).flat_map(|i| [200, 0, 0, if inside(i) { 255 } else { 0 }]).collect();
        let origin = Frame::unread().origin;
        Frame::new(Bitmap::from_u8(20, 12, Channels::Rgba, samples).expect("20 by 12"), origin)
    }

    fn photo() -> Frame {
        let origin = Frame::unread().origin;
        Frame::new(Bitmap::from_u8(20, 12, Channels::Rgb, vec![9; 720]).expect("20 by 12"), origin)
    }

    #[test]
    fn a_cut_out_is_cropped_to_what_shows_of_it_and_gets_its_room() {
        let frame = cropped(cut_out(), 0, None);
        assert_eq!((frame.width, frame.height, frame.subject.x, frame.subject.y), (4, 8, 0, 0));
        let frame = cropped(cut_out(), 5, None);
        assert_eq!((frame.width, frame.height), (14, 18));
        let bounds = frame.subject_bounds().expect("a subject");
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (5, 5, 4, 8));
    }

    #[test]
    fn a_ratio_grows_a_cut_out_and_shrinks_a_photo() {
        for (ratio, size) in [((1.0, 1.0), (8, 8)), ((2.0, 1.0), (16, 8)), ((1.0, 4.0), (4, 16))] {
            let frame = cropped(cut_out(), 0, Some(ratio));
            assert_eq!((frame.width, frame.height), size);
            let bounds = frame.subject_bounds().expect("a subject");
            assert_eq!((bounds.width, bounds.height), (4, 8));
        }
        for (ratio, size) in [((1.0, 1.0), (12, 12)), ((2.0, 1.0), (20, 10)), ((5.0, 3.0), (20, 12))] {
            let frame = cropped(photo(), 3, Some(ratio));
            assert_eq!((frame.width, frame.height), size);
        }
    }
}
