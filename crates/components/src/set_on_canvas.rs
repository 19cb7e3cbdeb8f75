//! Places the subject on a canvas of a given size.

use domain::component::Changes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::frame::View;
use crate::{Context, Fault, Frame, Length, Whole};

/// Room on one side of a canvas.
pub type Margin = Length<8192, 49>;

/// Where the subject stands across.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Horizontal {
    /// At the left margin.
    Left,
    /// In the middle between the margins.
    Center,
    /// At the right margin.
    Right,
}

/// Where the subject stands from top to bottom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Vertical {
    /// At the top margin.
    Top,
    /// In the middle between the margins.
    Center,
    /// At the bottom margin: several products stand on one line.
    Bottom,
}

/// How the subject is scaled to the room between the margins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fit {
    /// As large as fits: nothing of it is cut off.
    Contain,
    /// So large that no room is left free; what stands over the margins is cut off.
    Cover,
    /// Not at all, unless it is larger than the room.
    None,
}

/// What is measured and aligned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Reference {
    /// What shows of the subject, without shadows.
    Subject,
    /// The whole picture, transparent parts included.
    Original,
}

/// Settings of `setOnCanvas`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Width of the canvas.
    #[schemars(extend("x-unit" = "px"))]
    pub width: Whole<1, 16384>,
    /// Height of the canvas.
    #[schemars(extend("x-unit" = "px"))]
    pub height: Whole<1, 16384>,
    /// Room above the subject, in pixels or in per cent of the canvas's height.
    pub margin_top: Margin,
    /// Room right of the subject, in pixels or in per cent of the canvas's width.
    pub margin_right: Margin,
    /// Room under the subject, in pixels or in per cent of the canvas's height.
    pub margin_bottom: Margin,
    /// Room left of the subject, in pixels or in per cent of the canvas's width.
    pub margin_left: Margin,
    /// Where the subject stands across, where there is room to spare.
    pub horizontal_alignment: Horizontal,
    /// Where the subject stands from top to bottom, where there is room to spare.
    pub vertical_alignment: Vertical,
    /// How the subject is scaled to the room between the margins.
    pub fit: Fit,
    /// What is measured and aligned.
    pub reference: Reference,
    /// Whether a subject smaller than the room is enlarged; otherwise it keeps its size, because enlarging blurs it.
    pub upscale: bool,
}

impl Default for Settings {
    fn default() -> Self {
        let margin = Length::Percent(5.0);
        Self {
            width: Whole::new(2048),
            height: Whole::new(2048),
            margin_top: margin,
            margin_right: margin,
            margin_bottom: margin,
            margin_left: margin,
            horizontal_alignment: Horizontal::Center,
            vertical_alignment: Vertical::Center,
            fit: Fit::Contain,
            reference: Reference::Subject,
            upscale: false,
        }
    }
}

impl Settings {
    /// The room between the margins: left, top, width, height in pixels.
    fn room(&self) -> (u32, u32, u32, u32) {
        let (width, height) = (self.width.get(), self.height.get());
        let (left, right) = (self.margin_left.px(width), self.margin_right.px(width));
        let (top, bottom) = (self.margin_top.px(height), self.margin_bottom.px(height));
        (left, top, width.saturating_sub(left + right), height.saturating_sub(top + bottom))
    }

    /// The most that is needed of a picture that comes straight from its file, if that can be told.
    pub(crate) fn needs(&self) -> Option<(u32, u32)> {
        let (_, _, width, height) = self.room();
        (self.reference == Reference::Original && self.fit == Fit::Contain).then_some((width, height))
    }
}

/// Places the subject on a canvas of a given size.
pub struct SetOnCanvas;

impl Component for SetOnCanvas {
    const KIND: &'static str = "setOnCanvas";
    const TITLE: &'static str = "Set on canvas";
    const SUMMARY: &'static str =
        "Scales the subject to the room between the margins of a canvas and places it there.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        let (_, _, width, height) = settings.room();
        let canvas = (settings.width.get(), settings.height.get());
        if width == 0 {
            return Err(format!(
                "`marginLeft` and `marginRight` leave no room on a canvas {} pixels wide; make them smaller",
                canvas.0
            ));
        }
        if height == 0 {
            return Err(format!(
                "`marginTop` and `marginBottom` leave no room on a canvas {} pixels high; make them smaller",
                canvas.1
            ));
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let (left, top, room_width, room_height) = settings.room();
        let (x, y, width, height) = match settings.reference {
            Reference::Subject => {
                // What is too faint to be measured is cut, so that the edges fall on whole pixels.
                let bounds = frame.subject_bounds()?;
                frame.trim_subject(bounds)?;
                (bounds.x, bounds.y, bounds.width, bounds.height)
            }
            Reference::Original => (0, 0, frame.width, frame.height),
        };
        let target = target_size((width, height), (room_width, room_height), settings);
        context.check_cancelled()?;
        let spare = |room: u32, length: u32, share: f64| {
            ((f64::from(room) - f64::from(length)) * share).floor() as i64
        };
        let across = match settings.horizontal_alignment {
            Horizontal::Left => 0.0,
            Horizontal::Center => 0.5,
            Horizontal::Right => 1.0,
        };
        let down = match settings.vertical_alignment {
            Vertical::Top => 0.0,
            Vertical::Center => 0.5,
            Vertical::Bottom => 1.0,
        };
        // Where what is measured will begin, on the new canvas.
        let to_x = i64::from(left) + spare(room_width, target.0, across);
        let to_y = i64::from(top) + spare(room_height, target.1, down);
        frame.scale_from((x, y), (width, height), target)?;
        frame.set_view(View {
            x: -to_x,
            y: -to_y,
            width: settings.width.get(),
            height: settings.height.get(),
        })?;
        if target.0 < room_width && target.1 < room_height && settings.fit != Fit::None {
            frame.note(format!(
                "the subject is {} × {} pixels and was not enlarged to {room_width} × {room_height}; `upscale` would",
                target.0, target.1
            ));
        }
        if target.0 > width || target.1 > height {
            let percent = f64::from(target.0.max(1)) / f64::from(width.max(1)) * 100.0;
            frame.note(format!("the subject was enlarged to {percent:.0} %"));
        }
        frame.fixed_size = true;
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 12)
    }
}

fn target_size(size: (u32, u32), room: (u32, u32), settings: &Settings) -> (u32, u32) {
    match settings.fit {
        Fit::Contain => pixels::fit_inside(size, room, settings.upscale),
        Fit::None => pixels::fit_inside(size, room, false),
        Fit::Cover => {
            let (width, height) = (f64::from(size.0), f64::from(size.1));
            let mut scale = (f64::from(room.0) / width).max(f64::from(room.1) / height);
            if !settings.upscale {
                scale = scale.min(1.0);
            }
            // A sliver may not become longer than any picture is.
            let side = |length: f64| ((length * scale).round() as u32).clamp(1, 30_000);
            (side(width), side(height))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels, Mask, Rect};

    use super::*;
    use crate::{Ink, Shadow, ShadowKind, StepCache};

    fn placed(frame: &Frame, settings: &Settings) -> (Frame, Rect) {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let mut frame = frame.clone();
        SetOnCanvas::run(&mut frame, settings, &Context::new(&cache, &cancel)).expect("a subject");
        let bounds = frame.subject_bounds().expect("a subject");
        (frame, bounds)
    }

    fn cut_out(at: (u32, u32), size: (u32, u32), canvas: (u32, u32)) -> Frame {
        let inside = |i: u32| {
            let (x, y) = (i % canvas.0, i / canvas.0);
            (at.0..at.0 + size.0).contains(&x) && (at.1..at.1 + size.1).contains(&y)
        };
        let samples = (0..canvas.0 * canvas.1)
            .flat_map(|i| if inside(i) { [200, 90, 30, 255] } else { [0; 4] })
            .collect();
        let origin = Frame::unread().origin;
        Frame::new(Bitmap::from_u8(canvas.0, canvas.1, Channels::Rgba, samples).expect("a size"), origin)
    }

    fn settings(width: i64, height: i64, margins: [u32; 4]) -> Settings {
        let [top, right, bottom, left] = margins.map(Length::Px);
        Settings {
            width: Whole::new(width),
            height: Whole::new(height),
            margin_top: top,
            margin_right: right,
            margin_bottom: bottom,
            margin_left: left,
            ..Settings::default()
        }
    }

    #[test]
    fn margins_are_exact_to_the_pixel() {
        for (size, canvas) in [((300, 200), (400, 400)), ((131, 377), (200, 400)), ((399, 20), (400, 33))] {
            let frame = cut_out((1, 7), size, canvas);
            let settings = settings(160, 120, [11, 17, 23, 5]);
            let (placed, bounds) = placed(&frame, &settings);
            assert_eq!((placed.width, placed.height), (160, 120));
            let touches_sides = bounds.x == 5 && bounds.x + bounds.width == 160 - 17;
            let touches_ends = bounds.y == 11 && bounds.y + bounds.height == 120 - 23;
            assert!(touches_sides || touches_ends, "{size:?}: {bounds:?}");
            assert!(
                bounds.x >= 5
                    && bounds.x + bounds.width <= 143
                    && bounds.y >= 11
                    && bounds.y + bounds.height <= 97
            );
        }
    }

    #[test]
    fn per_cent_are_of_the_side_they_lie_on() {
        let mut settings = settings(400, 200, [0; 4]);
        settings.margin_left = Length::Percent(10.0);
        settings.margin_top = Length::Percent(10.0);
        (settings.horizontal_alignment, settings.vertical_alignment) = (Horizontal::Left, Vertical::Top);
        let (_, bounds) = placed(&cut_out((3, 3), (50, 50), (60, 60)), &settings);
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (40, 20, 50, 50));
    }

    #[test]
    fn nothing_is_enlarged_unless_asked() {
        let frame = cut_out((3, 3), (50, 40), (60, 60));
        for fit in [Fit::Contain, Fit::Cover, Fit::None] {
            let (placed, bounds) = placed(&frame, &Settings { fit, ..settings(200, 200, [10; 4]) });
            assert_eq!((bounds.width, bounds.height), (50, 40), "{fit:?}");
            assert_eq!((bounds.x, bounds.y), (75, 80));
            assert_eq!(placed.subject.bitmap.byte_len(), 50 * 40 * 4);
        }
        let asked = Settings { upscale: true, ..settings(200, 200, [10; 4]) };
        let (_, bounds) = placed(&frame, &asked);
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (10, 28, 180, 144));
        let (_, bounds) = placed(&frame, &Settings { fit: Fit::Cover, ..asked });
        assert_eq!(
            (bounds.x, bounds.y, bounds.width, bounds.height),
            (0, 10, 200, 180),
            "cut by the canvas alone"
        );
    }

    #[test]
    fn alignment_uses_the_room_that_is_left() {
        let frame = cut_out((3, 3), (50, 40), (60, 60));
        for (horizontal, x) in [(Horizontal::Left, 10), (Horizontal::Center, 75), (Horizontal::Right, 140)] {
            for (vertical, y) in [(Vertical::Top, 10), (Vertical::Center, 80), (Vertical::Bottom, 150)] {
                let settings = Settings {
                    horizontal_alignment: horizontal,
                    vertical_alignment: vertical,
                    ..settings(200, 200, [10; 4])
                };
                let (_, bounds) = placed(&frame, &settings);
                assert_eq!((bounds.x, bounds.y), (x, y));
            }
        }
    }

    #[test]
    fn the_whole_picture_can_be_the_reference() {
        let frame = cut_out((0, 10), (20, 20), (80, 40));
        let whole = Settings { reference: Reference::Original, ..settings(60, 60, [10; 4]) };
        let (placed, _) = placed(&frame, &whole);
        // Inside the picture the edge is an edge among others, soft by a pixel: measured where it is half covered.
        let bounds = placed.subject.bitmap.alpha().bounds(128).expect("a subject");
        let at = (placed.subject.x + i64::from(bounds.x), placed.subject.y + i64::from(bounds.y));
        assert_eq!((at, bounds.width, bounds.height), ((10, 25), 10, 10));
    }

    #[test]
    fn shadows_move_and_shrink_with_the_subject() {
        let mut frame = cut_out((40, 40), (40, 40), (120, 120));
        let mask = Mask::new(60, 20, vec![255; 1200]).expect("60 by 20");
        frame.shadows.push(Shadow {
            kind: ShadowKind::Drop,
            mask: Arc::new(mask),
            x: 30,
            y: 76,
            ink: Ink::Plain([0; 3]),
            opacity: 0.5,
        });
        let (placed, bounds) = placed(&frame, &settings(40, 40, [10; 4]));
        assert_eq!((bounds.x, bounds.y, bounds.width, bounds.height), (10, 10, 20, 20));
        let shadow = &placed.shadows[0];
        assert_eq!((shadow.x, shadow.y, shadow.mask.width(), shadow.mask.height()), (5, 28, 30, 10));
    }

    #[test]
    fn margins_that_leave_no_room_are_refused() {
        let text = SetOnCanvas::check(&settings(100, 100, [0, 60, 0, 40])).expect_err("refused");
        assert_eq!(
            text,
            "`marginLeft` and `marginRight` leave no room on a canvas 100 pixels wide; make them smaller"
        );
        assert!(
            SetOnCanvas::check(&settings(100, 100, [40, 0, 60, 0]))
                .expect_err("refused")
                .contains("marginTop")
        );
    }
}
