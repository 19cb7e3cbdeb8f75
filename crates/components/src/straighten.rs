//! Turns a product that leans upright.

use domain::component::Changes;
use retouch::upright::{Lean, SIDE, axis_lean, base_lean, mirror_lean};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::product::product_seen;
use crate::turn::{Corners, Expand, Free};
use crate::{Colour, Context, Fault, Frame, Number};

/// A lean of which a measure is less sure than this is not acted on.
const LEAST: f64 = 0.5;
/// A lean of fewer degrees is not worth a resampling.
const UPRIGHT: f64 = 0.05;

/// What tells how the product leans.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum By {
    /// The first of `symmetry`, `base` and `axis` that is sure.
    Auto,
    /// The line at which the product is its own mirror image: bottles, boxes, shirts, chairs.
    Symmetry,
    /// The direction that most of its edges share, upright or level; where it has no straight ones, the direction in
    /// which it is longest.
    Axis,
    /// The line it stands on, which becomes level.
    Base,
}

/// Settings of `straighten`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What tells how the product leans.
    pub by: By,
    /// The most that the picture is turned; a product that leans more is meant to.
    #[schemars(extend("x-unit" = "degrees"))]
    pub max_angle: Number<1, 45>,
    /// How large the canvas is afterwards.
    pub expand: Expand,
    /// What a photograph shows in the corners that the turn leaves free. A cut-out has nothing there.
    pub corners: Corners,
    /// Colour of the corners, for `color`.
    pub corner_color: Colour,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            by: By::Auto,
            max_angle: Number::new(15.0),
            expand: Expand::Grow,
            corners: Corners::Extend,
            corner_color: Colour([255; 3]),
        }
    }
}

/// Turns a product that leans upright.
pub struct Straighten;

impl Component for Straighten {
    const KIND: &'static str = "straighten";
    const TITLE: &'static str = "Straighten";
    const SUMMARY: &'static str =
        "Turns a product that leans upright, by its symmetry, its edges or its base.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 1;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let Some(seen) = product_seen(&frame.subject.bitmap, SIDE, 3)? else {
            frame.confidence(0.0);
            frame.note("the product cannot be told from what is around it, so that nothing was turned; cut it out first");
            return Ok(());
        };
        let limit = settings.max_angle.get();
        let measures: &[(&str, Measure)] = match settings.by {
            By::Auto => &[MIRROR, BASE, AXIS],
            By::Symmetry => &[MIRROR],
            By::Axis => &[AXIS],
            By::Base => &[BASE],
        };
        let mut best: Option<(&str, Lean)> = None;
        for &(name, measure) in measures {
            context.check_cancelled()?;
            if let Some(lean) = measure(&seen, limit)
                && best.is_none_or(|(_, best)| lean.confidence > best.confidence)
            {
                best = Some((name, lean));
            }
            if best.is_some_and(|(_, lean)| lean.confidence >= LEAST) {
                break;
            }
        }
        let Some((name, lean)) = best.filter(|(_, lean)| lean.confidence >= LEAST) else {
            frame.confidence(best.map_or(0.0, |(_, lean)| lean.confidence as f32));
            frame.note(format!(
                "nothing tells surely how the product leans within {limit}° of upright, so that nothing was turned"
            ));
            return Ok(());
        };
        frame.confidence(lean.confidence as f32);
        if lean.degrees.abs() < UPRIGHT {
            frame.note(format!("the product is upright by {name}"));
            return Ok(());
        }
        let (by, way) = (lean.degrees.abs(), if lean.degrees > 0.0 { "right" } else { "left" });
        frame.note(format!("the product leaned {by:.2}° to the {way} by {name}, and was turned upright"));
        let turn = Free {
            degrees: -lean.degrees,
            expand: settings.expand,
            corners: settings.corners,
            colour: settings.corner_color,
        };
        frame.turn(turn, context)
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 24)
    }
}

type Measure = fn(&retouch::colour::Sampled, f64) -> Option<Lean>;

const MIRROR: (&str, Measure) = ("its mirror line", mirror_lean);
const BASE: (&str, Measure) = ("the line it stands on", base_lean);
const AXIS: (&str, Measure) = ("its edges", axis_lean);
