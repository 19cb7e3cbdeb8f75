//! Puts a plain colour under everything.

use std::borrow::Cow;

use domain::component::Changes;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::component::Component;
use crate::setting::quoted;
use crate::{Backdrop, Colour, Context, Fault, Frame};

const TRANSPARENT: &str = "transparent";

/// What lies under the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fill {
    /// Nothing.
    Transparent,
    /// A plain colour.
    Plain(Colour),
}

impl Serialize for Fill {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Transparent => to.serialize_str(TRANSPARENT),
            Self::Plain(colour) => colour.serialize(to),
        }
    }
}

impl<'de> Deserialize<'de> for Fill {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        match given.as_str() {
            Some(text) if text.eq_ignore_ascii_case(TRANSPARENT) => Ok(Self::Transparent),
            text => text.and_then(Colour::parse).map(Self::Plain).ok_or_else(|| {
                D::Error::custom(format!(
                    "is {}, a colour such as `#FFFFFF` or `transparent` is needed",
                    quoted(&given)
                ))
            }),
        }
    }
}

impl JsonSchema for Fill {
    fn schema_name() -> Cow<'static, str> {
        "Fill".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        schemars::json_schema!({
            "type": "string",
            "format": "color",
            "pattern": "^(#([0-9A-Fa-f]{3}|[0-9A-Fa-f]{6})|transparent)$",
            "x-or": " or transparent",
        })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// Settings of `fillBackground`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Colour under the subject and its shadows, in sRGB; `transparent` takes an earlier one away.
    pub color: Fill,
}

impl Default for Settings {
    fn default() -> Self {
        Self { color: Fill::Plain(Colour([255; 3])) }
    }
}

/// Puts a plain colour under everything.
pub struct FillBackground;

impl Component for FillBackground {
    const KIND: &'static str = "fillBackground";
    const TITLE: &'static str = "Fill background";
    const SUMMARY: &'static str = "Puts a plain colour under the subject and its shadows, or takes it away.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { background: true, ..Changes::NONE };

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, _: &Context<'_>) -> Result<(), Fault> {
        // A layer like any other: later steps still move, scale and shade what lies on it.
        frame.background = match settings.color {
            Fill::Transparent => None,
            Fill::Plain(Colour(rgb)) => Some(Backdrop::Plain(rgb)),
        };
        Ok(())
    }

    fn memory_bytes(_: f64) -> u64 {
        0
    }
}
