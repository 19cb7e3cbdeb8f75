//! Settings of `color`, and the grade they ask for.

use retouch::colour::{Chroma, Grade, Matrix, Relief, Tone, chained, tinted};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::points::Points;
use crate::setting::{ImageRef, Rectangle};
use crate::{Colour, Number};

/// How the light is made neutral.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum WhiteBalance {
    /// Not at all.
    Off,
    /// By the plain backdrop, as the photo had it; without one, by those parts of the picture that are nearly grey, with
    /// a remark. A backdrop that is clipped to white or coloured by itself tells nothing.
    Auto,
    /// By the area `patch`, which becomes neutral and stays as bright as it is: a grey card, or a white part.
    Patch,
    /// By the area `patch`, which gets the colour `patchColor`.
    Target,
}

/// What of the picture is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApplyTo {
    /// The cut-out; or the whole photograph, where nothing has been cut out.
    Subject,
    /// What lies behind the cut-out; or the plain backdrop of a photograph, where nothing has been cut out.
    Background,
    /// Both.
    All,
}

/// What stays as it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Protect {
    /// Nothing.
    None,
    /// The plain backdrop of a photograph that has not been cut out.
    Background,
    /// What has the colour of skin.
    Skin,
}

/// A slider with nothing in its middle.
pub type Slider = Number<-100, 100>;

/// Settings of `color`. They apply in this order: white balance, `match`, temperature, tint and exposure (linear light);
/// highlights and shadows (linear light, local); levels, brightness, contrast and curves (sRGB values); saturation and
/// vibrance (OKLCh); recolouring (OKLab).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How the light is made neutral.
    pub white_balance: WhiteBalance,
    /// The area that `whiteBalance` looks at with `patch` and `target`: `x`, `y`, `width` and `height` in shares of the
    /// canvas. It may lie on what has been cut away.
    #[schemars(extend("x-range" = "x, y, width and height, 0 to 1 each, or null"))]
    pub patch: Option<Rectangle>,
    /// The colour that the area gets with `target`.
    pub patch_color: Colour,
    /// A stored picture whose colours the subject is given: mean light, then mean and spread of its colours. Only the
    /// product is compared, where it is cut out or stands on a plain backdrop.
    #[serde(rename = "match")]
    #[schemars(extend("x-range" = "SHA-256 of an uploaded picture, or null"))]
    pub reference: Option<ImageRef>,
    /// How much of the way to the reference is gone.
    #[schemars(extend("x-unit" = "%"))]
    pub match_strength: Number<0, 100>,
    /// The most that colours may move on average towards the reference; what would be more is done in part, with a
    /// remark.
    #[schemars(extend("x-unit" = "ΔE2000"))]
    pub match_limit: Number<0, 100>,
    /// Warmer where positive, cooler where negative: the light moves by so many mireds.
    #[schemars(extend("x-unit" = "mired"))]
    pub temperature: Slider,
    /// Towards magenta where positive, towards green where negative.
    pub tint: Slider,
    /// Brighter where positive, by so many stops of linear light.
    #[schemars(extend("x-unit" = "stops"))]
    pub exposure: Number<-5, 5>,
    /// Takes bright parts back by up to a stop where negative, lifts them where positive; texture stays.
    pub highlights: Slider,
    /// Lifts dark parts by up to two stops where positive, deepens them where negative; texture stays.
    pub shadows: Slider,
    /// Level that becomes black.
    pub black_point: Number<0, 254>,
    /// Level that becomes white.
    pub white_point: Number<1, 255>,
    /// Brightness of the levels between black and white: above 1 is brighter. At least 0.1.
    pub gamma: Number<0, 10>,
    /// Brightens or darkens the middle; black and white stay.
    pub brightness: Slider,
    /// Steepness around middle grey; black and white stay, and nothing is clipped.
    pub contrast: Slider,
    /// A smooth curve through points, for all channels: a list of pairs, level before and level after, 0 to 255 each.
    pub curve: Points,
    /// The same for red alone, after `curve`.
    pub curve_red: Points,
    /// The same for green alone, after `curve`.
    pub curve_green: Points,
    /// The same for blue alone, after `curve`.
    pub curve_blue: Points,
    /// Strength of all colours: -100 is grey, 100 is twice as strong. Lightness and hue stay.
    pub saturation: Slider,
    /// Strength of weak colours more than of strong ones, and of skin half as much.
    pub vibrance: Slider,
    /// The colour that the product is given, on average over what changes; null leaves it as it is.
    #[schemars(extend("x-or" = " or null"))]
    pub recolor_to: Option<Colour>,
    /// The colour that is replaced; null is the product's main colour.
    #[schemars(extend("x-or" = " or null"))]
    pub recolor_from: Option<Colour>,
    /// How unlike `recolorFrom` something may be that is replaced with it.
    pub recolor_tolerance: Number<0, 100>,
    /// How much of the change is done.
    #[schemars(extend("x-unit" = "%"))]
    pub recolor_strength: Number<0, 100>,
    /// Whether small variations of hue and strength stay; otherwise only shading does.
    pub recolor_keep_texture: bool,
    /// What is changed.
    pub apply_to: ApplyTo,
    /// What stays as it was.
    pub protect: Protect,
}

impl Default for Settings {
    fn default() -> Self {
        let none = Number::new(0.0);
        Self {
            white_balance: WhiteBalance::Off,
            patch: None,
            patch_color: Colour([200; 3]),
            reference: None,
            match_strength: Number::new(100.0),
            match_limit: Number::new(30.0),
            temperature: none,
            tint: none,
            exposure: Number::new(0.0),
            highlights: none,
            shadows: none,
            black_point: Number::new(0.0),
            white_point: Number::new(255.0),
            gamma: Number::new(1.0),
            brightness: none,
            contrast: none,
            curve: Points::default(),
            curve_red: Points::default(),
            curve_green: Points::default(),
            curve_blue: Points::default(),
            saturation: none,
            vibrance: none,
            recolor_to: None,
            recolor_from: None,
            recolor_tolerance: Number::new(50.0),
            recolor_strength: Number::new(100.0),
            recolor_keep_texture: true,
            apply_to: ApplyTo::Subject,
            protect: Protect::None,
        }
    }
}

impl Settings {
    /// Refuses what makes no sense together.
    pub(super) fn check(&self) -> Result<(), String> {
        if matches!(self.white_balance, WhiteBalance::Patch | WhiteBalance::Target) {
            let Some(patch) = self.patch else {
                return Err("`whiteBalance` needs an area; set `patch`, or choose `auto`".to_owned());
            };
            if patch.width.get() == 0.0 || patch.height.get() == 0.0 {
                return Err("`patch` is flat; give it a `width` and a `height` above 0".to_owned());
            }
            if patch.x.get() >= 1.0 || patch.y.get() >= 1.0 {
                return Err("`patch` lies outside of the canvas; `x` and `y` must be less than 1".to_owned());
            }
        }
        let (black, white) = (self.black_point.get(), self.white_point.get());
        if black >= white {
            return Err(format!(
                "`blackPoint` is {black}, it must be less than `whitePoint`, which is {white}"
            ));
        }
        if self.gamma.get() < 0.1 {
            return Err(format!("`gamma` is {}, at least 0.1 is needed", self.gamma.get()));
        }
        Ok(())
    }

    /// Everything that can be told without the picture.
    pub(super) fn grade(&self) -> Grade {
        let share = |slider: Slider| slider.get() / 100.0;
        Grade {
            light: self.light(),
            relief: Relief { highlights: share(self.highlights) as f32, shadows: share(self.shadows) as f32 },
            tone: Tone {
                black: self.black_point.get() / 255.0,
                white: self.white_point.get() / 255.0,
                gamma: self.gamma.get(),
                brightness: share(self.brightness),
                contrast: share(self.contrast),
                curve: self.curve.curve(),
                channels: [self.curve_red.curve(), self.curve_green.curve(), self.curve_blue.curve()],
            },
            chroma: Chroma {
                saturation: share(self.saturation) as f32,
                vibrance: share(self.vibrance) as f32,
            },
            spares_skin: self.protect == Protect::Skin,
            ..Grade::default()
        }
    }

    /// Temperature, tint and exposure as one map of linear light.
    fn light(&self) -> Option<Matrix> {
        let (mired, tint) = (self.temperature.get(), self.tint.get());
        let gain = self.exposure.get().exp2() as f32;
        let exposed = [[gain, 0.0, 0.0], [0.0, gain, 0.0], [0.0, 0.0, gain]];
        match (mired != 0.0 || tint != 0.0).then(|| tinted(mired, tint)).flatten() {
            Some(tinted) => Some(chained(&exposed, &tinted)),
            None => (gain != 1.0).then_some(exposed),
        }
    }
}
