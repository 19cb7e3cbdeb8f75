//! Cuts the subject out of its background.

use std::sync::Arc;

use domain::component::Changes;
use domain::image::ContentHash;
use domain::run::ModelUse;
use matting::{Edges as Finished, Finish, Keep, Marks, Matte, Method, Options, RefineOptions};
use neural::{Network, NetworkInfo, Unavailable};
use pixels::{Bitmap, Channels, Mask};

use crate::component::{Component, bytes};
use crate::frame::View;
use crate::{Context, Fault, Frame, Subject};

mod existing;
mod haze;
mod look;
mod marking;
mod output;
mod settings;
mod trust;

use look::Sight;
use settings::{Edges, Holes, KeepPieces, Mode, Output, Unsure};

pub use settings::Settings;

/// A result that is less sure than this deserves a remark.
const UNSURE: f32 = 0.5;

/// Cuts the subject out of its background.
pub struct RemoveBackground;

impl Component for RemoveBackground {
    const KIND: &'static str = "removeBackground";
    const TITLE: &'static str = "Remove background";
    const SUMMARY: &'static str =
        "Cuts the subject out at full resolution and frees its edges of the old background's colour.";
    const VERSION: u32 = 2;
    const CREDITS: u32 = 5;
    const CHANGES: Changes =
        Changes { mask: true, background: true, geometry: true, tone: true, ..Changes::NONE };
    const EXPENSIVE: bool = true;

    type Settings = Settings;

    fn changes(settings: &Settings) -> Changes {
        // The mask itself is another picture than the product.
        let tone = settings.output == Output::Mask;
        Changes { geometry: settings.crop, tone, ..Self::CHANGES }
    }

    fn check(settings: &Settings) -> Result<(), String> {
        settings.check()
    }

    fn images(settings: &Settings) -> Vec<ContentHash> {
        settings.mask.iter().map(|image| image.0).collect()
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        let is_cut_out = frame.is_cut_out();
        let keeps = match settings.mode {
            Mode::Auto | Mode::Product | Mode::ClothingAndModel => is_cut_out,
            Mode::ExistingAlpha if !is_cut_out => {
                return Err(Fault::input(
                    "no_transparency",
                    "the picture has no transparent parts to keep (`mode` is `existingAlpha`); choose `auto`",
                ));
            }
            Mode::ExistingAlpha => true,
            Mode::Clothing if !settings.has_marks() => {
                return Err(Fault::input(
                    "marks_needed",
                    "no network here tells clothing from skin and hair (`mode` is `clothing`); mark what is to go with \
                     `removeStrokes`, or the clothing with `polygons` or `mask`, or choose `clothingAndModel`",
                ));
            }
            Mode::Clothing => is_cut_out,
            Mode::Fresh | Mode::Studio => false,
        };
        if !frame.shadows.is_empty() {
            frame.shadows.clear();
            frame.note("the shadow of an earlier step went with the background");
        }
        frame.background = None;
        let marks = marking::marks(frame, settings, context)?;
        let bitmap = if keeps {
            existing::keep(frame, settings, marks.as_ref())?
        } else {
            cut_out(frame, settings, marks.as_ref(), context)?
        };
        frame.subject = Subject { bitmap: Arc::new(bitmap), ..frame.subject };
        let bounds = frame.subject_bounds().map_err(|_| Fault::no_subject(NOTHING))?;
        if settings.crop {
            let (x, y) = (i64::from(bounds.x), i64::from(bounds.y));
            frame.set_view(View { x, y, width: bounds.width, height: bounds.height })?;
        }
        match settings.output {
            Output::CutOut => {}
            Output::Mask => output::show_mask(frame)?,
            Output::Both => frame.with_mask = true,
        }
        Ok(())
    }

    fn identity(settings: &Settings, context: &Context<'_>) -> Result<Option<String>, Fault> {
        Ok(match settings.mode {
            Mode::Studio | Mode::ExistingAlpha => None,
            // Whether the network is missed, and is an error, is known only once the picture has been looked at.
            _ => Some(match network(context) {
                Ok(network) => network.identity(),
                Err(_) => "studio".to_owned(),
            }),
        })
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture, its pyramid, a few planes of alpha and marks, and the foreground that is estimated from them.
        bytes(megapixels, 44)
    }
}

const NOTHING: &str = "nothing in the picture stands out from its background; photograph it on a plain backdrop, \
                       mark it with `boxes` or `keepStrokes`, or choose another `mode`";

/// The subject cut out of the picture, freed of the background's colour.
fn cut_out(
    frame: &mut Frame,
    settings: &Settings,
    marks: Option<&Marks>,
    context: &Context<'_>,
) -> Result<Bitmap, Fault> {
    let opaque = match frame.subject.bitmap.channels() {
        Channels::Rgb => Arc::clone(&frame.subject.bitmap),
        Channels::Rgba => Arc::new(pixels::flatten(&frame.subject.bitmap, [255; 3])),
    };
    let network = network_for(frame, settings, context)?;
    let part = marks.and_then(|marks| marking::part_in_question(marks, (opaque.width(), opaque.height())));
    let sight = match &network {
        Some(network) => Some(look::look(&opaque, network, part, context)?),
        None => None,
    };
    let mut options = Options::default();
    if let Some(sight) = &sight {
        options.refine = RefineOptions { source_side: sight.source_side, ..options.refine };
    }
    context.check_cancelled()?;
    let mut matte = matting::matte(&opaque, sight.as_ref().map(|sight| &sight.alpha), &options)?;
    if let Some(sight) = sight.as_ref().filter(|_| matte.method == Method::Network) {
        // A plain backdrop tells by itself what is a piece.
        sight.sure.tidy(&mut matte.alpha)?;
        // Where both were compared, the backdrop is plain, and tells what the network missed.
        if matte.iou.is_some() {
            context.check_cancelled()?;
            matting::recover_parts(&opaque, &mut matte.alpha, &options.refine)?;
        }
        if settings.holes == Holes::Auto {
            context.check_cancelled()?;
            matting::settle_inside(&opaque, &mut matte.alpha, &options.refine)?;
        }
    }
    if settings.edges == Edges::Hair {
        context.check_cancelled()?;
        matting::solve_strands(&opaque, &mut matte.alpha)?;
    }
    if let Some(marks) = marks {
        context.check_cancelled()?;
        matting::obey(&opaque, &mut matte.alpha, marks, &options.refine)?;
    }
    context.check_cancelled()?;
    say(frame, settings, network.as_deref(), sight.as_ref(), &matte);
    options.keep = pieces(settings, &matte.alpha);
    options.holes = if settings.holes == Holes::Fill { matting::Holes::Fill } else { matting::Holes::Keep };
    let trust = trust::of(&matte, sight.as_ref(), marks);
    let last = Finish {
        edges: if settings.edges == Edges::Hard { Finished::Hard } else { Finished::Solved },
        shift: settings.shift.get() as f32,
        marks,
    };
    let outcome = matting::finish(&opaque, matte, &options, &last)?;
    if outcome.alpha.values().iter().all(|&value| value == 0) {
        return Err(Fault::no_subject(NOTHING));
    }
    judge(frame, settings, trust, network.is_some())?;
    Ok(outcome.foreground)
}

/// Keeps the confidence of a result, and refuses what nobody should trust where that was asked for; a network that found next
/// to nothing sure is refused in any case.
fn judge(frame: &mut Frame, settings: &Settings, trust: f32, is_seen: bool) -> Result<(), Fault> {
    frame.confidence(trust);
    if (trust < trust::LEAST && is_seen) || (trust < UNSURE && settings.unsure == Unsure::Refuse) {
        return Err(Fault::no_subject(
            "nothing sure was found in the picture; mark it with `boxes`, `keepStrokes` or `mask`, or photograph it apart \
             from what is around it",
        ));
    }
    if trust < UNSURE && is_seen {
        frame.note(
            "the network was not sure of the subject; look at the result, or mark it with `boxes` or strokes",
        );
    }
    Ok(())
}

/// The network that finds the subject; `None` where none is asked for, or where there is none and the next best will do.
fn network_for(
    frame: &mut Frame,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Option<Arc<Network>>, Fault> {
    if settings.mode == Mode::Studio {
        return Ok(None);
    }
    match network(context) {
        Ok(network) => Ok(Some(network)),
        Err(missing) if context.strict_models || missing.strict => {
            Err(Fault::ours("model_unavailable", missing.to_string()))
        }
        Err(missing) => {
            frame.made_by(ModelUse { fallback: Some(missing.to_string()), ..studio() });
            Ok(None)
        }
    }
}

/// Says what made the alpha, and what somebody should look at.
fn say(
    frame: &mut Frame,
    settings: &Settings,
    network: Option<&Network>,
    sight: Option<&Sight>,
    matte: &Matte,
) {
    if let (Some(network), Some(sight)) = (network, sight) {
        frame.made_by(model_use(network.info()));
        if sight.left_out {
            frame.note("left out an area that the network was not sure of; look at the result");
        }
        if sight.twice {
            frame.note("the subject is small in the picture: the network looked at it a second time, closer");
        }
        if matte.method == Method::NetworkStudio {
            frame.note("the backdrop is plain: the edge is made from its colour, as the network agreed");
        }
        return;
    }
    if settings.mode == Mode::Studio {
        frame.made_by(studio());
    }
    if matte.confidence < UNSURE {
        frame.note("the backdrop is not plain enough for a clean cut without a network; look at the result");
    }
}

/// Which pieces stay.
fn pieces(settings: &Settings, alpha: &Mask) -> Keep {
    match settings.keep {
        KeepPieces::Largest => Keep::Largest,
        KeepPieces::All => Keep::MinArea(speck(alpha)),
        KeepPieces::MinArea => {
            let share = settings.min_area.get() / 100.0;
            let least = (matting::largest_piece(alpha) as f64 * share).ceil() as usize;
            Keep::MinArea(least.max(speck(alpha)))
        }
    }
}

/// Pixels below which a piece of its own is a speck: a thousandth of the subject, and in any case a square of a
/// two-hundredth of the picture's shorter side.
fn speck(alpha: &Mask) -> usize {
    let covered = alpha.values().iter().filter(|&&value| value >= 128).count();
    let square = ((alpha.width().min(alpha.height()) / 200) as usize).pow(2);
    square.max(covered / 1000).max(4)
}

fn network(context: &Context<'_>) -> Result<Arc<Network>, Unavailable> {
    match &context.runtime {
        Some(runtime) => runtime.cut_out(),
        None => Err(Unavailable { reasons: vec!["networks are switched off".to_owned()], strict: false }),
    }
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
