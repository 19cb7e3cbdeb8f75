//! Takes the mannequin out of a garment's photo and joins it with an inlay shot, so that one looks into its neck.

use std::sync::Arc;

use domain::component::Changes;
use pixels::{Bitmap, Mask};
use retouch::joint::{Fit, Opening, find_mannequin, find_opening, register};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::render::render;
use crate::setting::{Polygon, Rectangle, Stroke};
use crate::{Areas, Colour, Context, Fault, Frame, List, Number, Subject};

mod inlay;

use inlay::Inlay;

/// What one of the pictures shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Part {
    /// The garment as it is worn, from the front.
    Front,
    /// The inside of its back: the garment inside out, or its collar laid open.
    Inlay,
}

/// Which opening of the garment is joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Joint {
    /// That of the neck: the back of a collar may stand high above it.
    Neck,
    /// That of a waistband: its back stands little above it.
    Waist,
}

impl Joint {
    /// How far the back may stand above the line between both ends of the opening, in shares of its width.
    const fn rise(self) -> f64 {
        match self {
            Self::Neck => 0.45,
            Self::Waist => 0.15,
        }
    }
}

/// What becomes of the mannequin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Mannequin {
    /// It is taken away where its colour tells it from the garment.
    Remove,
    /// Nothing is taken away by colour: the pictures are free of it already.
    Keep,
}

/// How the inlay shot is laid behind the front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Placing {
    /// By the outlines of both where they agree, else by the width of the opening.
    Auto,
    /// By the outlines of both: the camera and the mannequin stood still.
    Outline,
    /// By the width of the opening: the inlay shot shows little more than the collar.
    Opening,
}

/// What happens when the opening stays empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Missing {
    /// The result says so, and has a low confidence.
    Report,
    /// The step fails.
    Refuse,
}

/// Settings of `ghostMannequin`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// What the pictures of a run show, in their order: `front` and `inlay`, each once.
    #[schemars(extend("x-range" = "`front`, `inlay`"))]
    pub parts: List<Part, 2>,
    /// Which opening of the garment is joined.
    pub joint: Joint,
    /// What becomes of the mannequin.
    pub mannequin: Mannequin,
    /// Colour of the mannequin, sRGB; null measures it where the picture begins at the top.
    pub mannequin_color: Option<Colour>,
    /// How far the mannequin's colour may be from one place of it to another: more takes more shades away.
    #[schemars(extend("x-unit" = "%"))]
    pub tolerance: Number<0, 100>,
    /// Rectangles around what is mannequin in the front picture, in shares of the canvas.
    pub boxes: List<Rectangle, 1000>,
    /// Closed lines around what is mannequin in the front picture, in shares of the canvas.
    pub polygons: List<Polygon, 1000>,
    /// Strokes of a round brush over what is mannequin in the front picture, in shares of the canvas.
    pub strokes: List<Stroke, 1000>,
    /// How the inlay shot is laid behind the front.
    pub placing: Placing,
    /// Size of the inlay shot, compared with where it was laid.
    #[schemars(extend("x-unit" = "%"))]
    pub scale: Number<50, 200>,
    /// How far the inlay shot is moved to the right, in hundredths of the opening's width.
    #[schemars(extend("x-unit" = "%"))]
    pub offset_x: Number<-100, 100>,
    /// How far the inlay shot is moved down, in hundredths of the opening's width.
    #[schemars(extend("x-unit" = "%"))]
    pub offset_y: Number<-100, 100>,
    /// How dark the inside is below the edge of the opening.
    #[schemars(extend("x-unit" = "%"))]
    pub depth: Number<0, 100>,
    /// What happens when the opening stays empty, because there is no inlay shot or it does not reach.
    pub missing: Missing,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            parts: List::new(vec![Part::Front, Part::Inlay]),
            joint: Joint::Neck,
            mannequin: Mannequin::Remove,
            mannequin_color: None,
            tolerance: Number::new(40.0),
            boxes: List::default(),
            polygons: List::default(),
            strokes: List::default(),
            placing: Placing::Auto,
            scale: Number::new(100.0),
            offset_x: Number::new(0.0),
            offset_y: Number::new(0.0),
            depth: Number::new(40.0),
            missing: Missing::Report,
        }
    }
}

impl Settings {
    fn areas(&self) -> Areas {
        let (boxes, polygons, strokes) = (self.boxes.clone(), self.polygons.clone(), self.strokes.clone());
        Areas { boxes, polygons, strokes }
    }

    /// As a distance in OKLab.
    fn distance(&self) -> f32 {
        (0.02 + 0.28 * self.tolerance.get() / 100.0) as f32
    }
}

/// Outlines that agree less than this are not of the same shot.
const ALIKE: f64 = 0.8;
/// Share of the opening that must be covered.
const COVERED: f64 = 0.9;

/// Takes the mannequin out of a garment's photo and joins it with its inlay shot.
pub struct GhostMannequin;

impl Component for GhostMannequin {
    const KIND: &'static str = "ghostMannequin";
    const TITLE: &'static str = "Ghost mannequin";
    const SUMMARY: &'static str = "Takes the mannequin out of a garment's cut-out and lays the inlay shot, the second \
                                   picture of the run, behind its neck; says so when the joint is missing.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 5;
    const CHANGES: Changes = Changes { mask: true, background: true, geometry: true, ..Changes::NONE };
    const JOINS: bool = true;
    const EXPENSIVE: bool = true;

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.areas().check()?;
        let count = |part: Part| settings.parts.iter().filter(|&&one| one == part).count();
        if count(Part::Front) != 1 || count(Part::Inlay) > 1 {
            return Err("`parts` needs `front` once, and `inlay` once at most".to_owned());
        }
        Ok(())
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        ghosted(frame, None, settings, context)
    }

    fn join(
        frame: &mut Frame,
        mut others: Vec<Frame>,
        settings: &Settings,
        context: &Context<'_>,
    ) -> Result<(), Fault> {
        if others.len() + 1 > settings.parts.len() {
            return Err(Fault::input(
                "workflow_invalid",
                format!(
                    "the run has {} pictures, and `parts` of `ghostMannequin` names {}; send the front and its inlay \
                     shot",
                    others.len() + 1,
                    settings.parts.len()
                ),
            ));
        }
        let Some(mut inlay) = others.pop() else { return ghosted(frame, None, settings, context) };
        if settings.parts.first() == Some(&Part::Inlay) {
            // The result keeps the name of the first picture, and shows the front.
            std::mem::swap(&mut frame.subject, &mut inlay.subject);
            std::mem::swap(&mut frame.shadows, &mut inlay.shadows);
            std::mem::swap(&mut frame.marks, &mut inlay.marks);
            std::mem::swap(&mut frame.background, &mut inlay.background);
            std::mem::swap(&mut frame.origin, &mut inlay.origin);
            std::mem::swap(&mut frame.fixed_size, &mut inlay.fixed_size);
            std::mem::swap(&mut frame.width, &mut inlay.width);
            std::mem::swap(&mut frame.height, &mut inlay.height);
        }
        ghosted(frame, Some(inlay), settings, context)
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // Both pictures on their canvases, the joined one, and a few masks.
        bytes(megapixels, 36)
    }
}

fn ghosted(
    frame: &mut Frame,
    inlay: Option<Frame>,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<(), Fault> {
    if !frame.is_cut_out() {
        return Err(Fault::input(
            "no_transparency",
            "the front picture is not cut out; put a `removeBackground` step before `ghostMannequin`",
        ));
    }
    if !frame.shadows.is_empty() {
        frame.shadows.clear();
        frame.note("the shadow of an earlier step went with the mannequin");
    }
    frame.photo = None;
    let marks = std::mem::take(&mut frame.marks);
    let front = render(frame, None, context)?;
    let marked = (!settings.areas().is_empty())
        .then(|| settings.areas().mask(frame.width, frame.height))
        .transpose()?;
    let (front, body) = without_mannequin(&front, marked, settings)?;
    if settings.mannequin == Mannequin::Remove && body.is_none() {
        frame.note(
            "no mannequin was found by its colour; where there is one, give `mannequinColor` or mark it by `boxes`, \
             `polygons` or `strokes`",
        );
    }
    context.check_cancelled()?;
    let alpha = front.alpha();
    let joined = match (find_opening(&alpha), inlay) {
        (None, _) => {
            frame.note("the garment is closed at the top; nothing was joined");
            frame.confidence(if body.is_some() { 0.6 } else { 0.3 });
            None
        }
        (Some(_), None) => {
            missing(
                frame,
                settings,
                "the joint is missing: send the inlay shot as the second picture of the run",
            )?;
            None
        }
        (Some(opening), Some(other)) => joined(frame, &front, &alpha, &opening, &other, settings, context)?,
    };
    let (bitmap, above) = joined.unwrap_or((front, 0));
    frame.height += above;
    frame.subject = Subject { bitmap: Arc::new(bitmap), x: 0, y: 0 };
    frame.marks = marks;
    for mark in &mut frame.marks {
        mark.layer.y += i64::from(above);
    }
    frame.subject_bounds().map(|_| ())
}

/// Says, or refuses, that the opening stays empty.
fn missing(frame: &mut Frame, settings: &Settings, text: &str) -> Result<(), Fault> {
    if settings.missing == Missing::Refuse {
        return Err(Fault::input("joint_missing", text));
    }
    frame.note(text);
    frame.confidence(0.1);
    Ok(())
}

/// The picture on its canvas without the mannequin, and what was taken away, if anything was.
fn without_mannequin(
    picture: &Arc<Bitmap>,
    marked: Option<Mask>,
    settings: &Settings,
) -> Result<(Bitmap, Option<Mask>), Fault> {
    let found = match settings.mannequin {
        Mannequin::Remove => {
            find_mannequin(picture, settings.mannequin_color.map(|colour| colour.0), settings.distance())
                .map(|body| body.mask)
        }
        Mannequin::Keep => None,
    };
    let body = match (found, marked) {
        (Some(mut found), Some(marked)) => {
            for (value, &also) in found.values_mut().iter_mut().zip(marked.values()) {
                *value = (*value).max(also);
            }
            Some(found)
        }
        (found, marked) => found.or(marked),
    };
    let mut bitmap = Arc::unwrap_or_clone(Arc::clone(picture)).into_rgba();
    if let Some(body) = &body {
        // A pixel more than was found: there the colours of both are mixed.
        let soft = retouch::reaching(body, 1.0, 1.0);
        inlay::fade(&mut bitmap, |at| 255 - soft.values()[at]);
    }
    Ok((bitmap, body))
}

/// The front over its inlay, and how many rows the canvas grew at the top; `None` when nothing was joined.
fn joined(
    frame: &mut Frame,
    front: &Bitmap,
    alpha: &Mask,
    opening: &Opening,
    other: &Frame,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Option<(Bitmap, u32)>, Fault> {
    let picture = render(other, None, context)?;
    let (picture, _) = without_mannequin(&picture, None, settings)?;
    context.check_cancelled()?;
    let inlay_alpha = picture.alpha();
    let filled = inlay::filled(alpha, opening);
    let by_outline = match settings.placing {
        Placing::Opening => None,
        _ => register(&filled, &inlay_alpha),
    };
    let is_alike = by_outline.is_some_and(|fit| fit.overlap >= ALIKE);
    let fit = match (by_outline, settings.placing) {
        (Some(fit), Placing::Outline) => Some(fit),
        (Some(fit), _) if is_alike => Some(fit),
        _ => inlay::by_opening(&inlay_alpha, opening, settings.joint.rise()),
    };
    let Some(fit) = fit else {
        missing(frame, settings, "the inlay shot is empty; send one that shows the inside of the back")?;
        return Ok(None);
    };
    let fit = adjusted(fit, opening, settings);
    let may_grow = !frame.fixed_size;
    let laid =
        Inlay::laid(&picture, fit, opening, settings.joint.rise(), (frame.width, frame.height), may_grow)?;
    let Some(mut laid) = laid else {
        missing(
            frame,
            settings,
            "the inlay shot does not reach the opening; move it by `offsetX` and `offsetY`",
        )?;
        return Ok(None);
    };
    let covered = laid.covered(alpha, opening);
    if covered < COVERED {
        let text = format!(
            "the inlay shot covers {:.0} % of the opening only; send one that shows the whole inside, or change `scale`, \
             `offsetX` and `offsetY`",
            covered * 100.0
        );
        missing(frame, settings, &text)?;
    } else {
        let agreement = if is_alike { fit.overlap as f32 } else { 0.6 };
        frame.confidence(agreement * covered as f32);
        if !is_alike && settings.placing == Placing::Auto {
            frame.note(
                "the outlines of front and inlay differ: the inlay was laid by the width of the opening",
            );
        }
    }
    laid.shade(alpha, opening, settings.depth.get() / 100.0)?;
    frame.origin.depth = frame.origin.depth.max(other.origin.depth);
    Ok(Some(laid.under(front)?))
}

/// The fit, with what a person changed about it around the middle of the opening.
fn adjusted(fit: Fit, opening: &Opening, settings: &Settings) -> Fit {
    let factor = settings.scale.get() / 100.0;
    let width = f64::from(opening.right - opening.left);
    let middle = (f64::from(opening.left) + width / 2.0, opening.top());
    Fit {
        scale: fit.scale * factor,
        x: middle.0 - (middle.0 - fit.x) * factor + width * settings.offset_x.get() / 100.0,
        y: middle.1 - (middle.1 - fit.y) * factor + width * settings.offset_y.get() / 100.0,
        ..fit
    }
}
