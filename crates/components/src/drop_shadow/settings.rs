//! Settings of `dropShadow`.

use pixels::Rect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::cast::Light;
use super::reflection::Shine;
use super::room::FLATTENING;
use crate::component::bytes;
use crate::shading::GRID_BYTES;
use crate::{Colour, Length, Number};

/// What kind of shadow it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// The subject's outline, moved and blurred: as if it hung in front of a wall.
    Drop,
    /// Dark where the subject touches the floor, fading around it: as if it stood there.
    #[serde(alias = "floor")]
    Contact,
    /// Thrown along the floor by a light, from the feet on; sharp there, softer and fainter towards its end.
    Cast,
    /// The mirrored subject, as a shining floor shows it; fades out.
    Reflection,
    /// A soft ellipse on the floor, some way under the subject: as if it hovered.
    Floating,
    /// The one that the photo shows, as a layer of its own: for a subject that was cut out of a photo with an even
    /// backdrop. Its place and softness are the photo's; towards the photo's edges it fades.
    Natural,
}

/// Settings of `dropShadow`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What kind of shadow it is.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// Direction in which the shadow falls, clockwise: 0 to the right, 90 down (for `cast` towards the viewer), 180 to
    /// the left, 270 up; null is 30 for `cast` and 90 for the others. Does not change a reflection.
    #[schemars(extend("x-unit" = "degrees"))]
    pub angle: Option<Number<0, 360>>,
    /// How far the shadow falls, in pixels or in per cent of the subject's longer side; null is 10% for `floating` (to
    /// the floor) and 1.5% for `drop` and `contact`. Changes no others.
    pub distance: Option<Length<2000, 50>>,
    /// Width of the shadow's soft edge, at its far end where it grows towards that (`cast`, `reflection`), in pixels or in
    /// per cent of the subject's longer side; null is 6% for `cast`, 1.2% for `reflection`, 8% for `floating` and 4% for
    /// the others.
    pub blur: Option<Length<1000, 25>>,
    /// How much of the shadow shows where it is darkest; null is 55 for `cast`, 35 for `reflection` and `floating`, 100
    /// for `natural` (as dark as in the photo), and 40 for the others.
    #[schemars(extend("x-unit" = "%"))]
    pub opacity: Option<Number<0, 100>>,
    /// Colour of the shadow, sRGB. A reflection has the subject's.
    pub color: Colour,
    /// Height of the light above the floor for `cast`: the lower, the longer the shadow. At 45 it is as long as the
    /// subject is high.
    #[schemars(extend("x-unit" = "degrees"))]
    pub elevation: Number<20, 85>,
    /// How much of a `cast` shadow is lost on the way to its far end.
    #[schemars(extend("x-unit" = "%"))]
    pub fade: Number<0, 100>,
    /// How far down a `reflection` is seen, in pixels or in per cent of the subject's height.
    pub length: Length<8192, 100>,
    /// Room between the subject and its `reflection`, in pixels or in per cent of the subject's height.
    pub gap: Length<2000, 50>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            kind: Kind::Drop,
            angle: None,
            distance: None,
            blur: None,
            opacity: None,
            color: Colour([0; 3]),
            elevation: Number::new(50.0),
            fade: Number::new(60.0),
            length: Length::Percent(40.0),
            gap: Length::Px(0),
        }
    }
}

impl Settings {
    fn angle(&self) -> f64 {
        let usual = if self.kind == Kind::Cast { 30.0 } else { 90.0 };
        self.angle.map_or(usual, Number::get)
    }

    /// How much of the shadow shows, 0 to 1.
    pub(super) fn opacity(&self) -> f64 {
        let usual = match self.kind {
            Kind::Drop | Kind::Contact => 40.0,
            Kind::Cast => 55.0,
            Kind::Reflection | Kind::Floating => 35.0,
            Kind::Natural => 100.0,
        };
        self.opacity.map_or(usual, Number::get) / 100.0
    }

    /// Standard deviation of the soft edge in pixels, for a subject of that longer side. The width of such an edge from
    /// dark to clear is about four of it; half of that lies on each side.
    pub(super) fn sigma(&self, side: u32) -> f64 {
        let usual = match self.kind {
            Kind::Drop | Kind::Contact | Kind::Natural => 4.0,
            Kind::Cast => 6.0,
            Kind::Reflection => 1.2,
            Kind::Floating => 8.0,
        };
        self.blur.unwrap_or(Length::Percent(usual)).of(side) / 2.0
    }

    /// How far the shadow falls across and down, in pixels.
    pub(super) fn fall(&self, side: u32) -> (f64, f64) {
        let usual = if self.kind == Kind::Floating { 10.0 } else { 1.5 };
        let distance = self.distance.unwrap_or(Length::Percent(usual)).of(side);
        let (sin, cos) = self.angle().to_radians().sin_cos();
        (cos * distance, sin * distance)
    }

    /// The light of a cast shadow.
    pub(super) fn light(&self, sigma: f64) -> Light {
        Light { angle: self.angle(), elevation: self.elevation.get(), sigma, fade: self.fade.get() / 100.0 }
    }

    /// The floor of a reflection.
    pub(super) fn shine(&self, bounds: Rect) -> Shine {
        Shine {
            length: self.length.of(bounds.height),
            gap: self.gap.px(bounds.height).into(),
            sigma: self.sigma(bounds.width.max(bounds.height)),
        }
    }

    /// Bytes a pixel of the canvas that its layer may take.
    pub(crate) fn bytes_a_pixel(&self) -> u32 {
        if self.kind == Kind::Reflection { 4 } else { 1 }
    }

    /// Bytes that this kind of shadow needs beside what every kind does, for a canvas of that many megapixels.
    pub(crate) fn memory_bytes(&self, megapixels: f64) -> u64 {
        match self.kind {
            Kind::Drop | Kind::Contact | Kind::Floating => 0,
            Kind::Cast => GRID_BYTES / 2,
            // What is mirrored, at 8 bits, and premultiplied at 16.
            Kind::Reflection => bytes(megapixels, 12),
            Kind::Natural => bytes(megapixels, 2) + GRID_BYTES,
        }
    }

    /// By how much a canvas of so many megapixels that may grow is larger afterwards, at most.
    pub(crate) fn growth(&self, megapixels: f64) -> f64 {
        if self.kind == Kind::Natural {
            return 1.0;
        }
        let side = ((megapixels * 1e6).sqrt() as u32).max(1);
        let share = |px: f64| px / f64::from(side);
        let soft = share(self.sigma(side)) * 6.0;
        let (across, down) = match self.kind {
            Kind::Cast => {
                let fall = self.light(0.0).fall();
                (fall.0.abs(), fall.1.abs() + FLATTENING)
            }
            Kind::Reflection => (0.0, share(self.length.of(side)) + share(self.gap.of(side))),
            Kind::Drop | Kind::Contact | Kind::Floating | Kind::Natural => {
                let fall = self.fall(side);
                (share(fall.0.abs()), share(fall.1.abs()))
            }
        };
        (1.0 + across + soft) * (1.0 + down + soft)
    }
}
