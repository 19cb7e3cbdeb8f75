//! Scales the whole picture, every layer of it.

use domain::component::Changes;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::frame::View;
use crate::{Context, Fault, Frame, Length};

/// A side of the result.
pub type Side = Length<16384, 1000>;

/// How the picture is scaled to the size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Fit {
    /// As large as fits into `width` and `height`; a side that is null sets no limit. Proportions stay.
    Inside,
    /// To exactly `width` and `height`: as small as covers them, and what stands over is cut off, see `position`.
    Cover,
    /// To exactly `width` and `height`, stretched if it has to be; a side that is null keeps its length.
    Exact,
    /// The longer side becomes `side`. Proportions stay.
    LongestSide,
    /// The shorter side becomes `side`. Proportions stay.
    ShortestSide,
}

/// What is kept where `cover` cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Position {
    /// The middle of the picture.
    Center,
    /// The middle of what shows of the subject, as far as the picture reaches.
    Subject,
    /// The upper end, or the middle across.
    Top,
    /// The lower end, or the middle across.
    Bottom,
    /// The left end, or the middle from top to bottom.
    Left,
    /// The right end, or the middle from top to bottom.
    Right,
}

/// The filter that makes new pixels of old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Filter {
    /// Windowed sinc with three lobes: the sharpest; may ring a little along hard edges.
    Lanczos3,
    /// Cubic through the pixels: nearly as sharp, and rings less.
    CatmullRom,
    /// Triangle: soft, never rings.
    Bilinear,
    /// Mean of the pixels covered; enlarged, pixels stay squares.
    Box,
}

impl From<Filter> for pixels::Filter {
    fn from(filter: Filter) -> Self {
        match filter {
            Filter::Lanczos3 => Self::Lanczos3,
            Filter::CatmullRom => Self::CatmullRom,
            Filter::Bilinear => Self::Bilinear,
            Filter::Box => Self::Box,
        }
    }
}

/// Settings of `resize`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// Width of the result, in pixels or in per cent of the picture's; null leaves it to `height`.
    #[schemars(extend("x-unit" = "px or %"))]
    pub width: Option<Side>,
    /// Height of the result, in pixels or in per cent of the picture's; null leaves it to `width`.
    #[schemars(extend("x-unit" = "px or %"))]
    pub height: Option<Side>,
    /// The side that `longestSide` and `shortestSide` set, in pixels or in per cent of what it is.
    #[schemars(extend("x-unit" = "px or %"))]
    pub side: Option<Side>,
    /// How the picture is scaled to the size.
    pub fit: Fit,
    /// What is kept where `cover` cuts.
    pub position: Position,
    /// Whether a smaller picture is enlarged; otherwise it keeps its size, and `cover` and `exact` give the asked
    /// proportions at the largest size that needs no enlarging.
    pub upscale: bool,
    /// The filter that makes new pixels of old ones.
    pub filter: Filter,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            width: Some(Length::Px(2048)),
            height: Some(Length::Px(2048)),
            side: None,
            fit: Fit::Inside,
            position: Position::Center,
            upscale: false,
            filter: Filter::Lanczos3,
        }
    }
}

/// To what size the whole picture is scaled, and how much of it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target {
    scaled: (u32, u32),
    kept: (u32, u32),
}

impl Settings {
    /// The most that is needed of a picture that comes straight from its file, if that can be told.
    pub(crate) fn needs(&self) -> Option<(u32, u32)> {
        // The decoder scales by Lanczos; what other filters give must come from the full picture.
        if self.filter != Filter::Lanczos3 {
            return None;
        }
        let px = |side: Option<Side>| match side {
            Some(Length::Px(px)) => Some(px),
            Some(Length::Percent(_)) => None,
            None => Some(u32::MAX),
        };
        match self.fit {
            Fit::Inside => Some((px(self.width)?, px(self.height)?)),
            Fit::LongestSide => px(self.side).map(|side| (side, side)),
            Fit::Cover | Fit::Exact | Fit::ShortestSide => None,
        }
    }

    /// Whether the result has a size in pixels that was asked for, rather than a share of what came.
    fn is_asked_size(&self) -> bool {
        let sides = match self.fit {
            Fit::LongestSide | Fit::ShortestSide => [self.side, None],
            Fit::Inside | Fit::Cover | Fit::Exact => [self.width, self.height],
        };
        sides.iter().flatten().all(|side| matches!(side, Length::Px(_)))
    }

    /// The most megapixels that come out where `megapixels` come in; more only where it may enlarge.
    pub(crate) fn most_megapixels(&self, megapixels: f64) -> f64 {
        if !self.upscale {
            return megapixels;
        }
        // Of what shape the picture is, is not known here: a square stands for all.
        let side = (megapixels * 1e6).sqrt().clamp(1.0, 30_000.0) as u32;
        let (width, height) = self.target((side, side)).scaled;
        f64::from(width) * f64::from(height) / 1e6
    }

    fn enlarged(&self) -> Self {
        Self { upscale: true, ..self.clone() }
    }

    fn target(&self, size: (u32, u32)) -> Target {
        let (width, height) = (f64::from(size.0), f64::from(size.1));
        let of = |side: Option<Side>, whole: u32| side.map(|side| side.of(whole).max(1.0));
        let (wanted_width, wanted_height) = (of(self.width, size.0), of(self.height, size.1));
        let in_proportion = |scale: f64| {
            let scale = if self.upscale { scale } else { scale.min(1.0) };
            let scaled = (rounded(width * scale), rounded(height * scale));
            Target { scaled, kept: scaled }
        };
        match self.fit {
            Fit::Inside => {
                let frame = (wanted_width.map_or(u32::MAX, rounded), wanted_height.map_or(u32::MAX, rounded));
                let scaled = pixels::fit_inside(size, frame, self.upscale);
                Target { scaled, kept: scaled }
            }
            Fit::LongestSide | Fit::ShortestSide => {
                let named =
                    if self.fit == Fit::LongestSide { size.0.max(size.1) } else { size.0.min(size.1) };
                in_proportion(of(self.side, named).map_or(1.0, |side| side / f64::from(named)))
            }
            Fit::Exact => {
                let (mut to_width, mut to_height) =
                    (wanted_width.unwrap_or(width), wanted_height.unwrap_or(height));
                if !self.upscale {
                    let less = (width / to_width).min(height / to_height).min(1.0);
                    (to_width, to_height) = (to_width * less, to_height * less);
                }
                let scaled = (rounded(to_width), rounded(to_height));
                Target { scaled, kept: scaled }
            }
            Fit::Cover => {
                let (to_width, to_height) = (wanted_width.unwrap_or(width), wanted_height.unwrap_or(height));
                let scale = (to_width / width).max(to_height / height);
                // What would be larger is kept in its proportions at the largest size there is.
                let less = if self.upscale { 1.0 } else { (1.0 / scale).min(1.0) };
                let kept = (rounded(to_width * less), rounded(to_height * less));
                let scaled =
                    (rounded(width * scale * less).max(kept.0), rounded(height * scale * less).max(kept.1));
                Target { scaled, kept }
            }
        }
    }
}

fn rounded(side: f64) -> u32 {
    side.round().max(1.0) as u32
}

/// Scales the whole picture, every layer of it.
pub struct Resize;

impl Component for Resize {
    const KIND: &'static str = "resize";
    const TITLE: &'static str = "Resize";
    const SUMMARY: &'static str = "Scales the whole picture with its shadows: into a frame, to cover one, to an exact size or by one side.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 0;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        for (name, side) in [("width", settings.width), ("height", settings.height), ("side", settings.side)]
        {
            if side.is_some_and(|side| side.of(100) <= 0.0) {
                return Err(format!("`{name}` is 0, at least 1 pixel is needed; null leaves it open"));
            }
        }
        match settings.fit {
            Fit::LongestSide | Fit::ShortestSide if settings.side.is_none() => {
                Err("`side` is null; `fit` by the longest or shortest side needs it".to_owned())
            }
            Fit::Cover if settings.width.is_none() || settings.height.is_none() => {
                Err("`fit` is `cover`, which needs both `width` and `height`; `inside` takes one".to_owned())
            }
            Fit::Inside | Fit::Exact if settings.width.is_none() && settings.height.is_none() => {
                Err("`width` and `height` are both null; give one of them".to_owned())
            }
            _ => Ok(()),
        }
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let size = (frame.width, frame.height);
        let Target { scaled, kept } = settings.target(size);
        check_size(kept, context)?;
        context.check_cancelled()?;
        let (x, y) = corner(frame, settings.position, scaled, kept);
        frame.scale_with((0, 0), size, scaled, |bitmap, width, height| {
            Ok(pixels::resize(bitmap, width, height, settings.filter.into())?)
        })?;
        frame.set_view(View { x, y, width: kept.0, height: kept.1 })?;
        if scaled.0 > size.0 || scaled.1 > size.1 {
            let percent = f64::from(scaled.0) / f64::from(size.0) * 100.0;
            frame.note(format!("the picture was enlarged to {percent:.0} %"));
        } else if settings.enlarged().target(size).kept != kept {
            frame.note(format!(
                "the picture is {} × {} pixels and was not enlarged; `upscale` would",
                size.0, size.1
            ));
        }
        frame.fixed_size |= settings.is_asked_size();
        Ok(())
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 12)
    }
}

/// Refuses a result that no step after could work on.
pub(crate) fn check_size((width, height): (u32, u32), context: &Context<'_>) -> Result<(), Fault> {
    let limits = &context.limits.file;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > limits.max_pixels || width.max(height) > limits.max_side {
        return Err(Fault::input(
            "result_too_large",
            format!(
                "the result would be {width} × {height} pixels; at most {} million and {} a side are allowed, ask for less",
                limits.max_pixels / 1_000_000,
                limits.max_side
            ),
        ));
    }
    Ok(())
}

/// Where on the scaled picture what is kept begins.
fn corner(frame: &Frame, position: Position, scaled: (u32, u32), kept: (u32, u32)) -> (i64, i64) {
    let spare = (i64::from(scaled.0 - kept.0.min(scaled.0)), i64::from(scaled.1 - kept.1.min(scaled.1)));
    match position {
        Position::Center => (spare.0 / 2, spare.1 / 2),
        Position::Top => (spare.0 / 2, 0),
        Position::Bottom => (spare.0 / 2, spare.1),
        Position::Left => (0, spare.1 / 2),
        Position::Right => (spare.0, spare.1 / 2),
        Position::Subject => {
            // A picture in which nothing shows has its middle in the middle.
            let Ok(bounds) = frame.subject_bounds() else { return (spare.0 / 2, spare.1 / 2) };
            let begin = |first: u32, length: u32, from: u32, to: u32, kept: u32, spare: i64| {
                let middle =
                    (f64::from(first) + f64::from(length) / 2.0) * f64::from(to) / f64::from(from.max(1));
                ((middle - f64::from(kept) / 2.0).round() as i64).clamp(0, spare)
            };
            (
                begin(bounds.x, bounds.width, frame.width, scaled.0, kept.0, spare.0),
                begin(bounds.y, bounds.height, frame.height, scaled.1, kept.1, spare.1),
            )
        }
    }
}

#[cfg(test)]
mod tests;
