//! Turns and mirrors the picture.

use domain::component::Changes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::turn::{Corners, Expand, Free};
use crate::{Colour, Context, Fault, Frame, Number};

/// Whether the picture is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Flip {
    /// Not at all.
    None,
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
}

/// Settings of `rotate`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How far the picture is turned, clockwise where positive. Quarter turns change no pixel's colour.
    #[schemars(extend("x-unit" = "degrees"))]
    pub angle: Number<-180, 180>,
    /// Whether the picture is mirrored, before it is turned.
    pub flip: Flip,
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
            angle: Number::new(0.0),
            flip: Flip::None,
            expand: Expand::Grow,
            corners: Corners::Transparent,
            corner_color: Colour([255; 3]),
        }
    }
}

/// Turns and mirrors the picture.
pub struct Rotate;

impl Component for Rotate {
    const KIND: &'static str = "rotate";
    const TITLE: &'static str = "Rotate";
    const SUMMARY: &'static str = "Turns the picture by an angle, or mirrors it.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        match settings.flip {
            Flip::None => {}
            Flip::Horizontal => frame.orient(2)?,
            Flip::Vertical => frame.orient(4)?,
        }
        let turn = Free {
            degrees: settings.angle.get(),
            expand: settings.expand,
            corners: settings.corners,
            colour: settings.corner_color,
        };
        frame.turn(turn, context)
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // A canvas that grows by an eighth of a turn has twice the pixels.
        bytes(megapixels, 24)
    }
}
