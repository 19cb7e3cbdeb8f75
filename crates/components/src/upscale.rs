//! Enlarges the whole picture: by a resampler, or by a network.

use std::sync::Arc;

use domain::component::Changes;
use domain::run::ModelUse;
use neural::{Network, Task, Unavailable};
use pixels::Bitmap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::remove_background::model_use;
use crate::resize::{Filter, check_size};
use crate::{Context, Fault, Frame, Number, Whole};

mod network;
mod tiles;

/// How new pixels are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Method {
    /// From those around them, by `filter`: invents nothing, and takes no time.
    Resample,
    /// By a network that has learned what edges and textures look like larger (`esrgan-thick`, fetched the first time):
    /// crisper, at a minute and more for each megapixel of the picture without an accelerator. What is transparent
    /// is resampled.
    Network,
}

/// Settings of `upscale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How new pixels are made.
    pub method: Method,
    /// How many times longer the sides become; null is 2, or what `width` and `height` say.
    #[schemars(extend("x-unit" = "times"))]
    pub factor: Option<Number<1, 4>>,
    /// Width to enlarge to; null leaves it to `height`. With both, the picture becomes as large as fits into them; a
    /// larger picture stays as it is.
    #[schemars(extend("x-unit" = "px"))]
    pub width: Option<Whole<1, 16384>>,
    /// Height to enlarge to; null leaves it to `width`.
    #[schemars(extend("x-unit" = "px"))]
    pub height: Option<Whole<1, 16384>>,
    /// The most megapixels the result may have.
    #[schemars(extend("x-unit" = "MP"))]
    pub maximum_megapixels: Number<1, 100>,
    /// Whether a picture that would become larger than `maximumMegapixels` fails; otherwise it is enlarged up to there.
    pub refuse_if_would_exceed: bool,
    /// The filter of `resample`.
    pub filter: Filter,
    /// How strongly the enlarged edges are sharpened, without halos; 0 leaves them as they come.
    #[schemars(extend("x-unit" = "%"))]
    pub sharpening: Number<0, 100>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            method: Method::Resample,
            factor: None,
            width: None,
            height: None,
            maximum_megapixels: Number::new(50.0),
            refuse_if_would_exceed: false,
            filter: Filter::Lanczos3,
            sharpening: Number::new(0.0),
        }
    }
}

impl Settings {
    /// The most megapixels that come out where `megapixels` come in.
    pub(crate) fn most_megapixels(&self, megapixels: f64) -> f64 {
        let wanted = match (self.width, self.height) {
            (Some(width), Some(height)) => f64::from(width.get()) * f64::from(height.get()) / 1e6,
            (None, None) => megapixels * self.factor().powi(2),
            _ => f64::INFINITY,
        };
        wanted.min(self.maximum_megapixels.get()).max(megapixels)
    }

    fn factor(&self) -> f64 {
        self.factor.map_or(2.0, Number::get)
    }

    /// The size that is asked for, never smaller than `size`.
    fn wanted(&self, size: (u32, u32)) -> (u32, u32) {
        if self.width.is_none() && self.height.is_none() {
            let longer = |side: u32| (f64::from(side) * self.factor()).round() as u32;
            return (longer(size.0), longer(size.1));
        }
        let most = |side: Option<Whole<1, 16384>>| side.map_or(u32::MAX, Whole::get);
        let fitted = pixels::fit_inside(size, (most(self.width), most(self.height)), true);
        if fitted.0 < size.0 || fitted.1 < size.1 { size } else { fitted }
    }

    /// The largest size with the proportions of `size` that is allowed.
    fn limited(&self, size: (u32, u32), wanted: (u32, u32)) -> (u32, u32) {
        let most = self.maximum_megapixels.get() * 1e6;
        let pixels = |size: (u32, u32)| f64::from(size.0) * f64::from(size.1);
        if pixels(wanted) <= most {
            return wanted;
        }
        let scale = (most / pixels(size)).sqrt().max(1.0);
        ((f64::from(size.0) * scale) as u32, (f64::from(size.1) * scale) as u32)
    }
}

/// Enlarges the whole picture.
pub struct Upscale;

impl Component for Upscale {
    const KIND: &'static str = "upscale";
    const TITLE: &'static str = "Upscale";
    const SUMMARY: &'static str =
        "Enlarges the whole picture, up to a limit: by a resampler, or by a network that keeps edges crisp.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 2;
    const EXPENSIVE: bool = true;
    const CHANGES: Changes = Changes { geometry: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        if settings.factor.is_some() && (settings.width.is_some() || settings.height.is_some()) {
            return Err(
                "`factor` and `width` or `height` both say how large the result is; give one of them"
                    .to_owned(),
            );
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let size = (frame.width, frame.height);
        let wanted = settings.wanted(size);
        let target = settings.limited(size, wanted);
        if target != wanted && settings.refuse_if_would_exceed {
            return Err(Fault::input(
                "result_too_large",
                format!(
                    "the picture would become {} × {} pixels, more than `maximumMegapixels` {} allows; raise it, or ask for less",
                    wanted.0,
                    wanted.1,
                    settings.maximum_megapixels.get()
                ),
            ));
        }
        check_size(target, context)?;
        frame.fixed_size |= settings.width.is_some() || settings.height.is_some();
        if target == size {
            frame.note(format!("the picture is {} × {} pixels and was not enlarged", size.0, size.1));
            return Ok(());
        }
        let network = match settings.method {
            Method::Resample => None,
            Method::Network => enlarger(frame, settings, context)?,
        };
        let scale = f64::from(target.0) / f64::from(size.0);
        frame.scale_with((0, 0), size, target, |bitmap, width, height| {
            let mut enlarged = match &network {
                Some(network) => network::enlarge(bitmap, (width, height), network, context)?,
                None => pixels::resize(bitmap, width, height, settings.filter.into())?,
            };
            sharpen(&mut enlarged, scale, settings, context)?;
            Ok(enlarged)
        })?;
        (frame.width, frame.height) = target;
        if target != wanted {
            frame.note(format!(
                "enlarged to {} × {} pixels instead of {} × {}: `maximumMegapixels` is {}",
                target.0,
                target.1,
                wanted.0,
                wanted.1,
                settings.maximum_megapixels.get()
            ));
        }
        Ok(())
    }

    fn identity(settings: &Settings, context: &Context<'_>) -> Result<Option<String>, Fault> {
        Ok(match settings.method {
            Method::Resample => None,
            // A missing network is an error or a reason for the resampler only once there is a picture.
            Method::Network => Some(match find(context) {
                Ok(network) => network.identity(),
                Err(_) => "resample".to_owned(),
            }),
        })
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // What came, the colours at the next whole multiple, the result and its alpha as floats; and a band of tiles.
        bytes(megapixels, 24) + network::BAND_BYTES
    }
}

fn find(context: &Context<'_>) -> Result<Arc<Network>, Unavailable> {
    match &context.runtime {
        Some(runtime) => runtime.network(Task::Upscale),
        None => Err(Unavailable { reasons: vec!["networks are switched off".to_owned()], strict: false }),
    }
}

/// The network, or `None` with a remark that the resampler stands in for it.
fn enlarger(
    frame: &mut Frame,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Option<Arc<Network>>, Fault> {
    match find(context) {
        Ok(network) => {
            frame.made_by(model_use(network.info()));
            Ok(Some(network))
        }
        Err(missing) if context.strict_models || missing.strict => {
            Err(Fault::ours("model_unavailable", missing.to_string()))
        }
        Err(missing) => {
            let filter = serde_json::to_value(settings.filter).unwrap_or_default();
            frame.made_by(ModelUse {
                id: filter.as_str().unwrap_or_default().to_owned(),
                sha256: None,
                backend: "built-in".to_owned(),
                precision: "f32".to_owned(),
                fallback: Some(missing.to_string()),
            });
            Ok(None)
        }
    }
}

/// Edges as steep as the scale has made them wide.
fn sharpen(bitmap: &mut Bitmap, scale: f64, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
    let how = retouch::Sharpening {
        radius_px: (0.5 * scale).min(4.0) as f32,
        amount: settings.sharpening.get() as f32 / 100.0 * 1.2,
        threshold: 1.0,
        edges_only: false,
        halo_suppression: 0.9,
    };
    retouch::sharpen(bitmap, &how, || context.check_cancelled())
}

#[cfg(test)]
mod tests;
