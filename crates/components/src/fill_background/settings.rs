//! Settings of `fillBackground`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use crate::component::bytes;
use crate::setting::quoted;
use crate::shading::GRID_BYTES;
use crate::{Colour, Fitting, Gradient, ImageRef, Length, List, Number, Point, Run, Share};

const TRANSPARENT: &str = "transparent";

/// One colour under the picture, or none.
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

/// What lies under everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The colour `color`, exactly.
    Plain,
    /// The colours of `stops`, straight in the direction `angle`.
    Linear,
    /// The colours of `stops`, in circles around `center`.
    Radial,
    /// The picture `image`.
    Image,
    /// The photo's own backdrop, brought to `color`: the shadow that the subject throws stays, and farther away there is
    /// nothing but the colour. Needs a subject that was cut out of its photo.
    CleanUp,
}

/// How a picture fills the canvas.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Laying {
    /// It covers the canvas; what stands over is cut off.
    Fill,
    /// All of it is seen; around it there is the colour.
    Fit,
    /// It is repeated.
    Tile,
}

/// A colour of a gradient and its place.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stop {
    /// Where the colour is reached: 0 at the beginning of the gradient, 1 at its end.
    pub position: Share,
    /// The colour, sRGB.
    pub color: Colour,
}

/// Settings of `fillBackground`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What lies under everything.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Colour under the subject and its shadows, in sRGB, exactly; `transparent` takes an earlier one away. Around an
    /// image that does not fill the canvas and under its transparent parts, and what `cleanUp` brings the backdrop to.
    pub color: Fill,
    /// Two or more colours of a gradient, in the order of their places: objects with `position` (0 to 1) and `color`.
    pub stops: List<Stop, 16>,
    /// Direction of a linear gradient, clockwise: 0 from left to right, 90 from top to bottom.
    #[schemars(extend("x-unit" = "degrees"))]
    pub angle: Number<0, 360>,
    /// Where a radial gradient begins: `x` and `y` in shares of the canvas. It ends in the corner farthest away.
    #[schemars(extend("x-range" = "x and y, 0 to 1 each"))]
    pub center: Point,
    /// A stored picture, named by the SHA-256 of its uploaded file.
    #[schemars(extend("x-range" = "SHA-256 of an uploaded picture, or null"))]
    pub image: Option<ImageRef>,
    /// How the picture fills the canvas.
    pub fit: Laying,
    /// The point of the picture, in shares of it, that keeps its place: what is cut off, left free or repeated lies
    /// around it.
    #[schemars(extend("x-range" = "x and y, 0 to 1 each"))]
    pub focus: Point,
    /// Width of one tile in per cent of the canvas's width; null is the picture's own size in pixels.
    #[schemars(extend("x-unit" = "%"))]
    pub tile_width: Option<Number<1, 100>>,
    /// How far from the subject anything of the photo's backdrop is seen with `cleanUp`, in pixels or in per cent of the
    /// subject's longer side; it fades over the second half of the way there.
    pub falloff: Length<8192, 200>,
}

impl Default for Settings {
    fn default() -> Self {
        let stop =
            |position: f64, grey: u8| Stop { position: Share::new(position), color: Colour([grey; 3]) };
        Self {
            kind: Kind::Plain,
            color: Fill::Plain(Colour([255; 3])),
            stops: List::new(vec![stop(0.0, 255), stop(1.0, 226)]),
            angle: Number::new(90.0),
            center: Point::new(0.5, 0.5),
            image: None,
            fit: Laying::Fill,
            focus: Point::new(0.5, 0.5),
            tile_width: None,
            falloff: Length::Percent(60.0),
        }
    }
}

impl Settings {
    /// Refuses what makes no sense together.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.kind {
            Kind::Linear | Kind::Radial => {
                if self.stops.len() < 2 {
                    return Err(format!(
                        "`stops` has {} entries, a gradient needs two; add one, or choose `plain`",
                        self.stops.len()
                    ));
                }
                let rises = |pair: &[Stop]| pair[0].position.get() < pair[1].position.get();
                if !self.stops.windows(2).all(rises) {
                    return Err(
                        "`stops` must be in the order of their places, each at one of its own".to_owned()
                    );
                }
            }
            Kind::Image if self.image.is_none() => {
                return Err("`type` is `image`, and there is none; set `image`, or choose another".to_owned());
            }
            Kind::CleanUp if self.color == Fill::Transparent => {
                return Err("`cleanUp` needs a colour to bring the backdrop to; set `color`".to_owned());
            }
            _ => {}
        }
        Ok(())
    }

    /// The gradient that is asked for, along `run`.
    pub(super) fn gradient(&self, run: Run) -> Gradient {
        let stops = self.stops.iter().map(|stop| (stop.position.get() as f32, stop.color.0)).collect();
        Gradient { run, stops }
    }

    /// How a picture fills the canvas.
    pub(super) fn fitting(&self) -> Fitting {
        match self.fit {
            Laying::Fill => Fitting::Cover,
            Laying::Fit => Fitting::Contain,
            Laying::Tile => Fitting::Tile(self.tile_width.map_or(0.0, |width| width.get() as f32)),
        }
    }

    /// Bytes a pixel of the canvas that what lies under everything takes, while it is laid.
    pub(crate) fn bytes_a_pixel(&self) -> u32 {
        match self.kind {
            Kind::Plain | Kind::Linear | Kind::Radial => 0,
            Kind::Image => 6,
            Kind::CleanUp => 8,
        }
    }

    /// Bytes that the step needs for a canvas of that many megapixels.
    pub(crate) fn memory_bytes(&self, megapixels: f64) -> u64 {
        match self.kind {
            // The picture, its alpha over the photo, and the layer that is left.
            Kind::CleanUp => bytes(megapixels, 18) + GRID_BYTES,
            _ => 0,
        }
    }

    /// The colour, white where it is transparent.
    pub(super) fn colour(&self) -> [u8; 3] {
        match self.color {
            Fill::Plain(colour) => colour.0,
            Fill::Transparent => [255; 3],
        }
    }
}
