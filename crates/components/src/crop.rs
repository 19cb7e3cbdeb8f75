//! Cuts the canvas down: to the subject, to an area, by so much from each edge, or to a ratio.

use domain::component::Changes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::Component;
use crate::frame::View;
use crate::{Context, Fault, Frame, Length, List, Point, Ratio, Rectangle};

/// What is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// The subject, with room around it.
    #[serde(alias = "auto")]
    Subject,
    /// The rectangle `area`.
    #[serde(alias = "box")]
    Area,
    /// The canvas less `top`, `right`, `bottom` and `left`.
    Edges,
    /// The whole canvas, cut only to a ratio.
    #[serde(alias = "ratio")]
    Canvas,
}

/// Settings of `crop`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What is left.
    pub mode: Mode,
    /// Room left on every side of the subject, in pixels or in per cent of the subject's longer side. Needs a cut-out:
    /// a picture without transparent parts gets none. Only for `mode` `subject`.
    pub padding: Length<4096, 100>,
    /// The rectangle that is left, in shares of the canvas: 0 is the left and top edge, 1 the right and bottom edge.
    /// Only for `mode` `area`.
    #[schemars(extend("x-range" = "`x`, `y`, `width`, `height`, each 0 to 1, or null"))]
    pub area: Option<Rectangle>,
    /// How much is cut from the top, in pixels or in per cent of the height. Only for `mode` `edges`.
    pub top: Length<16384, 99>,
    /// How much is cut from the right, in pixels or in per cent of the width. Only for `mode` `edges`.
    pub right: Length<16384, 99>,
    /// How much is cut from the bottom, in pixels or in per cent of the height. Only for `mode` `edges`.
    pub bottom: Length<16384, 99>,
    /// How much is cut from the left, in pixels or in per cent of the width. Only for `mode` `edges`.
    pub left: Length<16384, 99>,
    /// Width to height of the result, such as `4:5`; null keeps what is left as it is. A cut-out in `mode` `subject` gets
    /// more room around it; everything else is cut down.
    #[schemars(extend("x-unit" = "width:height"))]
    pub ratio: Option<Ratio>,
    /// Ratios of which the one is taken that changes the picture least; empty is none. Not together with `ratio`.
    #[schemars(extend("x-range" = "up to 20 ratios, width:height"))]
    pub ratios: List<Ratio, 20>,
    /// What stays nearest to the middle when a ratio cuts something off, in shares of what is left by `mode`.
    #[schemars(extend("x-range" = "`x` and `y`, each 0 to 1"))]
    pub focus: Point,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            mode: Mode::Subject,
            padding: Length::Px(0),
            area: None,
            top: Length::Px(0),
            right: Length::Px(0),
            bottom: Length::Px(0),
            left: Length::Px(0),
            ratio: None,
            ratios: List::default(),
            focus: Point::new(0.5, 0.5),
        }
    }
}

impl Settings {
    /// The ratio for what is left, if one is asked for.
    fn ratio_for(&self, width: u32, height: u32) -> Option<Ratio> {
        let own = f64::from(width) / f64::from(height);
        // Twice as wide is as far away as half as wide.
        let away = |ratio: &Ratio| (ratio.width / ratio.height / own).ln().abs();
        self.ratio.or_else(|| self.ratios.iter().copied().min_by(|a, b| away(a).total_cmp(&away(b))))
    }
}

/// Cuts the canvas down.
pub struct Crop;

impl Component for Crop {
    const KIND: &'static str = "crop";
    const TITLE: &'static str = "Crop";
    const SUMMARY: &'static str =
        "Cuts the picture down to its subject with room around it, to an area, by its edges, or to a ratio.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let has_edges = [settings.top, settings.right, settings.bottom, settings.left]
            .iter()
            .any(|edge| edge.of(100) > 0.0);
        match settings.mode {
            Mode::Area if settings.area.is_none() => {
                return Err("`mode` is `area`, which needs an `area`; set it, or choose `subject`".to_owned());
            }
            Mode::Area => {}
            _ if settings.area.is_some() => {
                return Err(
                    "`area` is used only when `mode` is `area`; set that, or leave `area` out".to_owned()
                );
            }
            _ => {}
        }
        if settings.area.is_some_and(|area| area.width.get() == 0.0 || area.height.get() == 0.0) {
            return Err("`area` is flat; give it a `width` and a `height` above 0".to_owned());
        }
        if has_edges && settings.mode != Mode::Edges {
            return Err("`top`, `right`, `bottom` and `left` are used only when `mode` is `edges`".to_owned());
        }
        for (one, other, a, b) in [
            ("left", "right", settings.left, settings.right),
            ("top", "bottom", settings.top, settings.bottom),
        ] {
            if let (Length::Percent(a), Length::Percent(b)) = (a, b)
                && a + b > 99.0
            {
                return Err(format!(
                    "`{one}` and `{other}` leave nothing: {a}% and {b}%; at most 99% together"
                ));
            }
        }
        if settings.ratio.is_some() && !settings.ratios.is_empty() {
            return Err("`ratio` and `ratios` are both set; choose one of them".to_owned());
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, _: &Context<'_>) -> Result<(), Fault> {
        let mut may_grow = false;
        let mut view = match settings.mode {
            Mode::Subject => {
                let bounds = frame.subject_bounds()?;
                let is_whole = (bounds.width, bounds.height) == (frame.width, frame.height);
                may_grow = !is_whole || frame.is_cut_out();
                let padding = if may_grow { settings.padding.px(bounds.width.max(bounds.height)) } else { 0 };
                if !may_grow && settings.padding.of(100) > 0.0 {
                    frame.note(
                        "the picture has no transparent parts, so that there is no subject to leave room around",
                    );
                }
                View {
                    x: i64::from(bounds.x) - i64::from(padding),
                    y: i64::from(bounds.y) - i64::from(padding),
                    width: bounds.width + 2 * padding,
                    height: bounds.height + 2 * padding,
                }
            }
            Mode::Area => area_of(settings.area, frame.width, frame.height),
            Mode::Edges => less_edges(settings, frame.width, frame.height)?,
            Mode::Canvas => View { x: 0, y: 0, width: frame.width, height: frame.height },
        };
        if let Some(ratio) = settings.ratio_for(view.width, view.height) {
            let (wanted_width, wanted_height) = (
                (f64::from(view.height) * ratio.width / ratio.height).round().max(1.0) as u32,
                (f64::from(view.width) * ratio.height / ratio.width).round().max(1.0) as u32,
            );
            // Whichever of the two does not cut a cut-out, or does not grow anything else.
            let (width, height) = if (wanted_width > view.width) == may_grow {
                (wanted_width, view.height)
            } else {
                (view.width, wanted_height)
            };
            view.x += shifted(view.width, width, settings.focus.x.get());
            view.y += shifted(view.height, height, settings.focus.y.get());
            (view.width, view.height) = (width, height);
        }
        frame.set_view(view)?;
        frame.fixed_size = true;
        Ok(())
    }
}

/// How far the start of a length moves when it becomes `wanted` long: room is shared between both ends, and what is cut
/// off leaves `focus` as near to the middle as it can. Halves are rounded to the left and to the top.
fn shifted(length: u32, wanted: u32, focus: f64) -> i64 {
    let free = i64::from(length) - i64::from(wanted);
    if free <= 0 {
        return free.div_euclid(2);
    }
    let start = f64::from(length) * focus - f64::from(wanted) / 2.0;
    (start.ceil() as i64 - i64::from(start.fract() == 0.5)).clamp(0, free)
}

/// The pixels of an area: its edges are rounded to nearest, and at least one pixel is left.
fn area_of(area: Option<Rectangle>, width: u32, height: u32) -> View {
    let Some(area) = area else { return View { x: 0, y: 0, width, height } };
    let span = |start: f64, share: f64, length: u32| {
        let length = f64::from(length);
        let first = (start * length).round().min(length - 1.0);
        let last = ((start + share) * length).round().clamp(first + 1.0, length);
        (first as i64, (last - first) as u32)
    };
    let (x, width) = span(area.x.get(), area.width.get(), width);
    let (y, height) = span(area.y.get(), area.height.get(), height);
    View { x, y, width, height }
}

/// The canvas less what is cut from its edges; refuses to leave nothing.
fn less_edges(settings: &Settings, width: u32, height: u32) -> Result<View, Fault> {
    let (left, right) = (settings.left.px(width), settings.right.px(width));
    let (top, bottom) = (settings.top.px(height), settings.bottom.px(height));
    let left_over = |length: u32, cut: u32| length.checked_sub(cut).filter(|&length| length > 0);
    match (left_over(width, left + right), left_over(height, top + bottom)) {
        (Some(width), Some(height)) => Ok(View { x: left.into(), y: top.into(), width, height }),
        _ => Err(Fault::input(
            "settings_invalid",
            format!(
                "`crop` would cut {left} + {right} columns and {top} + {bottom} rows off a picture of {width} by \
                 {height} pixels; cut less, or use per cent"
            ),
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels, Samples};
    use serde_json::{Value, json};

    use super::*;
    use crate::StepCache;

    fn cropped(mut frame: Frame, padding: u32, ratio: Option<(f64, f64)>) -> Frame {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let ratio = ratio.map(|(width, height)| Ratio { width, height });
        let settings = Settings { padding: Length::Px(padding), ratio, ..Settings::default() };
        Crop::run(&mut frame, &settings, &Context::new(&cache, &cancel)).expect("a subject");
        frame
    }

    fn read(given: Value) -> Result<Settings, String> {
        let settings: Settings = serde_json::from_value(given).map_err(|error| error.to_string())?;
        Crop::check(&settings).map(|()| settings)
    }

    /// What is left of a photo whose red counts columns and whose green counts rows: left, top, width, height.
    fn left_of(given: Value) -> (u8, u8, u32, u32) {
        let samples = (0..20 * 12).flat_map(|i| [(i % 20) as u8, (i / 20) as u8, 0]).collect();
        let bitmap = Bitmap::from_u8(20, 12, Channels::Rgb, samples).expect("20 by 12");
        let mut frame = Frame::new(bitmap, Frame::unread().origin);
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let settings = read(given).expect("good settings");
        Crop::run(&mut frame, &settings, &Context::new(&cache, &cancel)).expect("a subject");
        let Samples::U8(samples) = frame.subject.bitmap.samples() else { panic!("8 bit") };
        (samples[0], samples[1], frame.width, frame.height)
    }

    #[test]
    fn an_area_edges_or_a_ratio_are_left() {
        let area = |x: f64, y: f64, width: f64, height: f64| json!({ "mode": "area", "area": { "x": x, "y": y, "width": width, "height": height } });
        assert_eq!(left_of(area(0.25, 0.5, 0.5, 0.25)), (5, 6, 10, 3));
        assert_eq!(left_of(area(0.9, 0.9, 1.0, 1.0)), (18, 11, 2, 1));
        assert_eq!(left_of(area(1.0, 1.0, 0.001, 0.001)), (19, 11, 1, 1));
        let edges = json!({ "mode": "edges", "left": 3, "right": "10%", "top": 1, "bottom": 2 });
        assert_eq!(left_of(edges), (3, 1, 15, 9));
        assert_eq!(left_of(json!({ "mode": "canvas" })), (0, 0, 20, 12));
        assert_eq!(left_of(json!({ "mode": "canvas", "ratio": "1:1" })), (4, 0, 12, 12));
        let focus = |x: f64| json!({ "mode": "canvas", "ratio": "1:1", "focus": { "x": x, "y": 0.5 } });
        assert_eq!(left_of(focus(0.0)), (0, 0, 12, 12));
        assert_eq!(left_of(focus(0.35)), (1, 0, 12, 12));
        assert_eq!(left_of(focus(1.0)), (8, 0, 12, 12));
        let nearest = json!({ "mode": "canvas", "ratios": ["1:1", "3:2", "4:5"] });
        assert_eq!(left_of(nearest), (1, 0, 18, 12));
    }

    #[test]
    fn settings_that_make_no_sense_together_are_refused() {
        let refuse = |given: Value| read(given).expect_err("refused");
        assert!(refuse(json!({ "mode": "area" })).contains("needs an `area`"));
        let flat = json!({ "x": 0, "y": 0, "width": 0, "height": 1 });
        assert!(refuse(json!({ "mode": "area", "area": flat })).contains("is flat"));
        assert!(refuse(json!({ "area": { "x": 0, "y": 0, "width": 1, "height": 1 } })).contains("only when"));
        assert!(refuse(json!({ "left": 5 })).contains("only when `mode` is `edges`"));
        assert!(refuse(json!({ "mode": "edges", "left": "50%", "right": "50%" })).contains("leave nothing"));
        assert!(refuse(json!({ "ratio": "1:1", "ratios": ["1:1"] })).contains("choose one"));
        let mut frame = photo();
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let settings = read(json!({ "mode": "edges", "left": 15, "right": 5 })).expect("in range");
        let fault =
            Crop::run(&mut frame, &settings, &Context::new(&cache, &cancel)).expect_err("nothing is left");
        assert_eq!(fault.code, "settings_invalid");
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
