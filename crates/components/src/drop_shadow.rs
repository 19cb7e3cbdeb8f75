//! Puts a shadow under the subject.

use std::sync::Arc;

use domain::component::Changes;
use pixels::Mask;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::{Colour, Context, Fault, Frame, Ink, Length, Number, Shadow, ShadowKind};

mod contact;

/// What kind of shadow it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The subject's outline, moved and blurred: as if it hung in front of a wall.
    Drop,
    /// Dark where the subject touches the floor, fading around it: as if it stood there.
    #[serde(alias = "floor")]
    Contact,
}

/// Settings of `dropShadow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What kind of shadow it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Direction in which the shadow falls, clockwise: 0 to the right, 90 down, 180 to the left, 270 up.
    #[schemars(extend("x-unit" = "degrees"))]
    pub angle: Number<0, 360>,
    /// How far the shadow falls, in pixels or in per cent of the subject's longer side.
    pub distance: Length<2000, 50>,
    /// Width of the shadow's soft edge, in pixels or in per cent of the subject's longer side.
    pub blur: Length<1000, 25>,
    /// How dark the shadow is where it is darkest.
    #[schemars(extend("x-unit" = "%"))]
    pub opacity: Number<0, 100>,
    /// Colour of the shadow, sRGB.
    pub color: Colour,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: Kind::Drop,
            angle: Number::new(90.0),
            distance: Length::Percent(1.5),
            blur: Length::Percent(4.0),
            opacity: Number::new(40.0),
            color: Colour([0; 3]),
        }
    }
}

/// Puts a shadow under the subject.
pub struct DropShadow;

impl Component for DropShadow {
    const KIND: &'static str = "dropShadow";
    const TITLE: &'static str = "Drop shadow";
    const SUMMARY: &'static str = "Puts a soft shadow behind the subject, or under it where it stands.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 2;
    const CHANGES: Changes = Changes { background: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let bounds = frame.subject_bounds()?;
        let side = bounds.width.max(bounds.height);
        let distance = settings.distance.of(side);
        let (sin, cos) = settings.angle.get().to_radians().sin_cos();
        // The width of a soft edge from dark to clear is about four standard deviations; half of it lies on each side.
        let sigma = settings.blur.of(side) / 2.0;
        let alpha = pixels::crop_mask(
            &frame.subject.bitmap.alpha(),
            pixels::Rect {
                x: (i64::from(bounds.x) - frame.subject.x) as u32,
                y: (i64::from(bounds.y) - frame.subject.y) as u32,
                ..bounds
            },
        )?;
        context.check_cancelled()?;
        let (mask, x, y) = match settings.kind {
            Kind::Drop => drop_mask(&alpha, (cos * distance, sin * distance), sigma)?,
            Kind::Contact => contact::mask(&alpha, (cos * distance, sin * distance), sigma)?,
        };
        frame.add_shadow(Shadow {
            kind: match settings.kind {
                Kind::Drop => ShadowKind::Drop,
                Kind::Contact => ShadowKind::Contact,
            },
            mask: Arc::new(mask),
            x: i64::from(bounds.x) + x,
            y: i64::from(bounds.y) + y,
            ink: Ink::Plain(settings.color.0),
            opacity: (settings.opacity.get() / 100.0) as f32,
        })
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 12)
    }
}

/// The outline, moved and blurred, with its place beside the outline.
fn drop_mask(alpha: &Mask, by: (f64, f64), sigma: f64) -> Result<(Mask, i64, i64), Fault> {
    let reach = (sigma * 3.0).ceil() as u32;
    let (width, height) = (alpha.width() + 2 * reach, alpha.height() + 2 * reach);
    let room = pixels::place_mask(width, height, alpha, i64::from(reach), i64::from(reach))?;
    let mask = pixels::blur_mask(&room, sigma as f32)?;
    Ok((mask, by.0.round() as i64 - i64::from(reach), by.1.round() as i64 - i64::from(reach)))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels};

    use super::*;
    use crate::StepCache;

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
                angle: Number::new(angle),
                distance: Length::Px(10),
                blur: Length::Px(0),
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
        for kind in [Kind::Drop, Kind::Contact] {
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
}
