//! Cuts the subject out of its background.

use std::sync::Arc;

use domain::component::Changes;
use domain::run::ModelUse;
use matting::{Holes, Keep, Method, Options, RefineOptions};
use neural::{Network, NetworkInfo, Unavailable};
use pixels::{Bitmap, Channels, Filter, Mask, Samples};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::frame::View;
use crate::{Context, Fault, Frame, Subject};

mod haze;

/// A studio matte without a network that is less sure than this deserves a remark.
const UNSURE: f32 = 0.5;

/// How the subject is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mode {
    /// A picture that is transparent already is kept as it is; any other is cut out by the network, and on a plain
    /// backdrop by its colour where the network agrees. What a person wears or holds stays with the person.
    #[serde(alias = "clothingAndModel")]
    Auto,
    /// As `auto`, but transparency in the file is looked at as white, and the picture is cut out anew.
    Fresh,
    /// By the colour of a plain backdrop alone, without a network.
    Studio,
    /// Only by the transparency in the file; a picture without any is refused.
    ExistingAlpha,
}

/// Which pieces of the subject stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum KeepPieces {
    /// Every piece but specks: sets of several products stay whole.
    All,
    /// Only the largest piece.
    Largest,
}

/// Settings of `removeBackground`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How the subject is found.
    pub mode: Mode,
    /// Which pieces of the subject stay.
    pub keep: KeepPieces,
    /// Whether the result is cut down to the subject.
    pub crop: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { mode: Mode::Auto, keep: KeepPieces::All, crop: false }
    }
}

/// Cuts the subject out of its background.
pub struct RemoveBackground;

impl Component for RemoveBackground {
    const KIND: &'static str = "removeBackground";
    const TITLE: &'static str = "Remove background";
    const SUMMARY: &'static str =
        "Cuts the subject out at full resolution and frees its edges of the old background's colour.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 5;
    const CHANGES: Changes = Changes { mask: true, background: true, ..Changes::NONE };
    const EXPENSIVE: bool = true;

    type Settings = Settings;

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let is_cut_out = frame.is_cut_out();
        let keeps = match settings.mode {
            Mode::Auto => is_cut_out,
            Mode::ExistingAlpha if !is_cut_out => {
                return Err(Fault::input(
                    "no_transparency",
                    "the picture has no transparent parts to keep (`mode` is `existingAlpha`); choose `auto`",
                ));
            }
            Mode::ExistingAlpha => true,
            Mode::Fresh | Mode::Studio => false,
        };
        if !frame.shadows.is_empty() {
            frame.shadows.clear();
            frame.note("the shadow of an earlier step went with the background");
        }
        frame.background = None;
        let bitmap = if keeps { keep(frame, settings)? } else { cut_out(frame, settings, context)? };
        frame.subject = Subject { bitmap: Arc::new(bitmap), ..frame.subject };
        let bounds = frame.subject_bounds().map_err(|_| Fault::no_subject(NOTHING))?;
        if settings.crop {
            let (x, y) = (i64::from(bounds.x), i64::from(bounds.y));
            frame.set_view(View { x, y, width: bounds.width, height: bounds.height })?;
        }
        Ok(())
    }

    fn identity(settings: &Settings, context: &Context<'_>) -> Result<Option<String>, Fault> {
        Ok(match settings.mode {
            Mode::Studio | Mode::ExistingAlpha => None,
            // Whether the network is missed, and is an error, is known only once the picture has been looked at.
            Mode::Auto | Mode::Fresh => Some(match network(context) {
                Ok(network) => network.identity(),
                Err(_) => "studio".to_owned(),
            }),
        })
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture, its pyramid, a few planes of alpha, and the foreground that is estimated from them.
        bytes(megapixels, 36)
    }
}

const NOTHING: &str = "nothing in the picture stands out from its background; \
                       photograph it on a plain backdrop, or choose another `mode`";

/// The transparency that is there, tidied as asked.
fn keep(frame: &mut Frame, settings: &Settings) -> Result<Bitmap, Fault> {
    frame.note("kept the transparency that the picture had");
    let mut bitmap = Arc::unwrap_or_clone(Arc::clone(&frame.subject.bitmap));
    if settings.keep == KeepPieces::Largest {
        let mut alpha = bitmap.alpha();
        matting::clean(&mut alpha, Keep::Largest, Holes::Keep);
        clear_outside(&mut bitmap, &alpha);
    }
    Ok(bitmap)
}

/// Makes transparent what a mask no longer covers.
fn clear_outside(bitmap: &mut Bitmap, alpha: &Mask) {
    fn clear<S: Copy + Default>(samples: &mut [S], alpha: &[u8]) {
        for (pixel, &covered) in samples.as_chunks_mut::<4>().0.iter_mut().zip(alpha) {
            if covered == 0 {
                *pixel = [S::default(); 4];
            }
        }
    }
    match bitmap.samples_mut() {
        pixels::SamplesMut::U8(samples) => clear(samples, alpha.values()),
        pixels::SamplesMut::U16(samples) => clear(samples, alpha.values()),
    }
}

fn cut_out(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<Bitmap, Fault> {
    let opaque = match frame.subject.bitmap.channels() {
        Channels::Rgb => Arc::clone(&frame.subject.bitmap),
        Channels::Rgba => Arc::new(pixels::flatten(&frame.subject.bitmap, [255; 3])),
    };
    let mut options = Options::default();
    let network = match settings.mode {
        Mode::Studio => Err(None),
        _ => network(context).map_err(Some),
    };
    let network = match network {
        Ok(network) => Some(network),
        Err(None) => None,
        Err(Some(missing)) if context.strict_models || missing.strict => {
            return Err(Fault::ours("model_unavailable", missing.to_string()));
        }
        Err(Some(missing)) => {
            let model = ModelUse { fallback: Some(missing.to_string()), ..studio() };
            frame.made_by(model);
            None
        }
    };
    let alpha = match &network {
        Some(network) => {
            let spec = network.spec();
            options.refine =
                RefineOptions { source_side: spec.width.max(spec.height) as u32, ..options.refine };
            let (alpha, left_out) = network_alpha(&opaque, network)?;
            if left_out {
                frame.note("left out an area that the network was not sure of; look at the result");
            }
            Some(alpha)
        }
        None => None,
    };
    options.keep = match settings.keep {
        KeepPieces::Largest => Keep::Largest,
        KeepPieces::All => Keep::MinArea(speck(&opaque, alpha.as_ref())),
    };
    context.check_cancelled()?;
    let outcome = matting::cut_out(&opaque, alpha.as_ref(), &options)?;
    drop(opaque);
    match (&network, outcome.method) {
        (Some(network), method) => {
            frame.made_by(model_use(network.info()));
            if method == Method::NetworkStudio {
                frame.note("the backdrop is plain: the edge is made from its colour, as the network agreed");
            }
        }
        (None, _) => {
            if settings.mode == Mode::Studio {
                frame.made_by(studio());
            }
            if outcome.confidence < UNSURE {
                frame.note(
                    "the backdrop is not plain enough for a clean cut without a network; look at the result",
                );
            }
        }
    }
    if outcome.alpha.values().iter().all(|&value| value == 0) {
        return Err(Fault::no_subject(NOTHING));
    }
    Ok(outcome.foreground)
}

/// Pixels below which a piece of its own is a speck: a thousandth of the subject, as far as its size is known, and in
/// any case a square of a two-hundredth of the picture's shorter side.
fn speck(bitmap: &Bitmap, alpha: Option<&Mask>) -> usize {
    let covered = alpha.map_or(0, |alpha| alpha.values().iter().filter(|&&value| value >= 128).count());
    let square = ((bitmap.width().min(bitmap.height()) / 200) as usize).pow(2);
    square.max(covered / 1000).max(4)
}

fn network(context: &Context<'_>) -> Result<Arc<Network>, Unavailable> {
    match &context.runtime {
        Some(runtime) => runtime.cut_out(),
        None => Err(Unavailable { reasons: vec!["networks are switched off".to_owned()], strict: false }),
    }
}

/// What the network sees, enlarged to the picture, and whether an area it was not sure of was left out.
fn network_alpha(bitmap: &Bitmap, network: &Network) -> Result<(Mask, bool), Fault> {
    let spec = network.spec();
    let (width, height) = (spec.width as u32, spec.height as u32);
    let small = pixels::resize(bitmap, width, height, Filter::Bilinear)?.into_u8();
    let Samples::U8(rgb) = small.samples() else {
        return Err(Fault::ours("processing_failed", "the network's input is not 8 bit"));
    };
    let alpha = network.run(&spec.tensor(rgb)?)?;
    let to_mask =
        |plane: &[f32]| plane.iter().map(|&value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let mut plane = alpha.data().to_vec();
    // At the network's own size: what it is not sure of is as wide there, and far cheaper to look for.
    let mut seen = Mask::new(width, height, to_mask(&plane))?;
    let left_out = haze::clear(&mut seen);
    if left_out {
        for (value, &seen) in plane.iter_mut().zip(seen.values()) {
            if seen == 0 {
                *value = 0.0;
            }
        }
    }
    let plane =
        pixels::resize_plane(&plane, (width, height), (bitmap.width(), bitmap.height()), Filter::CatmullRom)?;
    Ok((Mask::new(bitmap.width(), bitmap.height(), to_mask(&plane))?, left_out))
}

/// What a result says about the network that made it.
pub(crate) fn model_use(info: &NetworkInfo) -> ModelUse {
    ModelUse {
        id: info.id.clone(),
        sha256: Some(info.sha256.clone()),
        backend: info.backend.name().to_owned(),
        precision: info.precision.name().to_owned(),
        fallback: info.fallback.clone(),
    }
}

/// The matte that needs no network.
fn studio() -> ModelUse {
    ModelUse {
        id: "studio".to_owned(),
        sha256: None,
        backend: "built-in".to_owned(),
        precision: "f32".to_owned(),
        fallback: None,
    }
}
