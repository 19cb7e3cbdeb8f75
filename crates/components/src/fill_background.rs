//! Puts something under everything.

use std::sync::Arc;

use domain::component::Changes;
use domain::image::ContentHash;

use crate::component::Component;
use crate::{Backdrop, Context, Fault, Frame, Picture, Run};

mod clean_up;
mod settings;

use settings::Fill;
pub use settings::{Kind, Settings};

/// Puts something under everything.
pub struct FillBackground;

impl Component for FillBackground {
    const KIND: &'static str = "fillBackground";
    const TITLE: &'static str = "Fill background";
    const SUMMARY: &'static str = "Puts a colour, a gradient or a picture under the subject and its shadows, or cleans the photo's backdrop.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { background: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn images(settings: &Settings) -> Vec<ContentHash> {
        settings.image.iter().filter(|_| settings.kind == Kind::Image).map(|image| image.0).collect()
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        // A layer like any other: later steps still move, scale and shade what lies on it.
        frame.background = match (settings.kind, settings.color) {
            (Kind::Plain, Fill::Transparent) => None,
            (Kind::Plain, Fill::Plain(colour)) => Some(Backdrop::Plain(colour.0)),
            (Kind::Linear, _) => {
                let run = Run::Linear(settings.angle.get() as f32);
                Some(Backdrop::Gradient(settings.gradient(run)))
            }
            (Kind::Radial, _) => {
                let run = Run::Radial(settings.center.x.get() as f32, settings.center.y.get() as f32);
                Some(Backdrop::Gradient(settings.gradient(run)))
            }
            (Kind::Image, _) => Some(Backdrop::Picture(pictured(settings, context)?)),
            (Kind::CleanUp, _) => Some(clean_up::cleaned(frame, settings, context)?),
        };
        Ok(())
    }

    fn needs_photo(settings: &Settings) -> bool {
        settings.kind == Kind::CleanUp
    }

    fn memory_bytes(_: f64) -> u64 {
        0
    }
}

fn pictured(settings: &Settings, context: &Context<'_>) -> Result<Picture, Fault> {
    let image = settings.image.ok_or_else(|| Fault::input("settings_invalid", "`image` is missing"))?;
    let bitmap = context.image(&image.0)?;
    let colour = settings.colour();
    let bitmap = match bitmap.has_transparency() {
        true => pixels::flatten(&bitmap, colour),
        false => bitmap.without_alpha(),
    };
    Ok(Picture {
        bitmap: Arc::new(bitmap),
        fitting: settings.fitting(),
        focus: (settings.focus.x.get() as f32, settings.focus.y.get() as f32),
        colour,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use serde_json::{Value, json};

    use super::*;
    use crate::{Gradient, StepCache, settings};

    fn filled(given: Value) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let mut frame = Frame::unread();
        let settings: Settings = settings::read(&given).expect("good settings");
        FillBackground::run(&mut frame, &settings, &Context::new(&cache, &cancel)).expect("filled");
        frame
    }

    #[test]
    fn each_type_is_put_under_everything() {
        assert_eq!(filled(json!({ "color": "transparent" })).background, None);
        assert_eq!(filled(json!({ "color": "#0A0B0C" })).background, Some(Backdrop::Plain([10, 11, 12])));
        let stops = json!([{ "position": 0, "color": "#FFFFFF" }, { "position": 0.5, "color": "#101112" }]);
        let run = Run::Linear(45.0);
        assert_eq!(
            filled(json!({ "type": "linear", "angle": 45, "stops": stops })).background,
            Some(Backdrop::Gradient(Gradient { run, stops: vec![(0.0, [255; 3]), (0.5, [16, 17, 18])] }))
        );
    }

    #[test]
    fn settings_that_make_no_sense_together_are_refused() {
        let refuse = |given: Value| {
            FillBackground::check(&settings::read(&given).expect("in range")).expect_err("refused")
        };
        let stop = |at: f64| json!({ "position": at, "color": "#FFF" });
        assert!(refuse(json!({ "type": "radial", "stops": [stop(0.1)] })).contains("needs two"));
        assert!(refuse(json!({ "type": "linear", "stops": [stop(0.5), stop(0.5)] })).contains("order"));
        assert!(refuse(json!({ "type": "image" })).contains("set `image`"));
        assert!(refuse(json!({ "type": "cleanUp", "color": "transparent" })).contains("set `color`"));
    }
}
