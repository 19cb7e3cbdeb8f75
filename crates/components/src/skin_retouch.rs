//! Takes blemishes off skin and evens it, and keeps its pores and its tone.

use std::sync::Arc;

use domain::component::Changes;
use domain::image::ContentHash;
use domain::run::ModelUse;
use neural::{Network, Task, Unavailable};
use pixels::Mask;
use retouch::Within;
use retouch::skin::{self, Face, Skin, Smoothing, SoughtBlemishes};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::component::{Component, bytes};
use crate::remove_background::model_use;
use crate::remove_object::{fill, white_of};
use crate::{Areas, Context, Fault, Frame, ImageRef, Number};

mod dye;
mod faces;
mod finder;
mod mesh;

/// Where skin is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Area {
    /// In faces alone. A picture without a face stays as it is.
    Face,
    /// In faces, and wherever something has their colour and is as even as they are: neck, ears, arms, hands, legs. Cloth
    /// of the very colour of the skin may be taken for it. A picture without a face stays as it is.
    Body,
    /// The same; and in a picture without a face, wherever something has a colour that skin often has. Wood, leather and
    /// beige cloth may be taken for skin: for pictures of hands and legs.
    All,
}

/// What becomes of dark spots.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Moles {
    /// They belong to the person and stay, sharp as they are.
    Keep,
    /// They are taken off, up to `spotSize`. What lies together in numbers, such as freckles and stubble, stays.
    Remove,
}

/// What comes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub enum Show {
    /// The retouched picture.
    Picture,
    /// The picture as it was, with all that would be retouched dyed magenta: to see what was found.
    Mask,
}

/// Settings of `skinRetouch`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// How much blotches, bumps and fine wrinkles lose: 0 leaves the surface as it is, 100 makes it as even as it can
    /// become without losing the shape of the face.
    #[schemars(extend("x-unit" = "%"))]
    pub strength: Number<0, 100>,
    /// How much of the pores and fine hairs stays where the surface is evened; 100 keeps all of it.
    #[schemars(extend("x-unit" = "%"))]
    pub texture: Number<0, 100>,
    /// How much redness and blotches of colour lose; the mean colour of the skin stays as it is.
    #[schemars(extend("x-unit" = "%"))]
    pub even_tone: Number<0, 100>,
    /// How eagerly red spots are taken off: 0 leaves all, 50 takes what is certain, 100 what might be one.
    #[schemars(extend("x-unit" = "%"))]
    pub blemishes: Number<0, 100>,
    /// What becomes of dark spots.
    pub moles: Moles,
    /// Largest size of a spot that is taken off, in per cent of the width of a face; what is larger stays.
    #[schemars(extend("x-unit" = "%"))]
    pub spot_size: Number<1, 15>,
    /// Where skin is looked for.
    pub area: Area,
    /// Where there is skin, marked by hand in shares of the canvas; then it is looked for nowhere else. Eyes, brows, lips
    /// and nostrils of faces in it stay as they are.
    #[schemars(extend("x-range" = "`boxes`, `polygons` and `strokes`, up to 1000 of each"))]
    pub marked: Areas,
    /// A picture that marks the skin in white, named by the SHA-256 of its uploaded file; it is stretched over the canvas.
    /// Null when there is none.
    pub mask: Option<ImageRef>,
    /// What stays as it is in any case, in shares of the canvas: a tattoo, a birthmark, nails, jewellery.
    #[schemars(extend("x-range" = "`boxes`, `polygons` and `strokes`, up to 1000 of each"))]
    pub spared: Areas,
    /// What comes out.
    pub show: Show,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            strength: Number::new(50.0),
            texture: Number::new(90.0),
            even_tone: Number::new(30.0),
            blemishes: Number::new(50.0),
            moles: Moles::Keep,
            spot_size: Number::new(5.0),
            area: Area::Body,
            marked: Areas::default(),
            mask: None,
            spared: Areas::default(),
            show: Show::Picture,
        }
    }
}

impl Settings {
    fn changes_nothing(&self) -> bool {
        let all = [self.strength, self.even_tone, self.blemishes];
        all.iter().all(|value| value.get() == 0.0) && self.moles == Moles::Keep && self.show == Show::Picture
    }

    fn is_marked(&self) -> bool {
        !self.marked.is_empty() || self.mask.is_some()
    }
}

/// Retouches skin.
pub struct SkinRetouch;

impl Component for SkinRetouch {
    const KIND: &'static str = "skinRetouch";
    const TITLE: &'static str = "Skin retouch";
    const SUMMARY: &'static str = "Finds skin, takes blemishes off and evens it; pores, moles, eyes, brows, lips and the tone of the skin stay.";
    const VERSION: u32 = 1;
    const CREDITS: u32 = 3;
    const EXPENSIVE: bool = true;
    const CHANGES: Changes = Changes { skin: true, ..Changes::NONE };

    type Settings = Settings;

    fn check(settings: &Settings) -> Result<(), String> {
        settings.marked.check().map_err(|reason| format!("`marked`: {reason}"))?;
        settings.spared.check().map_err(|reason| format!("`spared`: {reason}"))?;
        Ok(())
    }

    fn images(settings: &Settings) -> Vec<ContentHash> {
        settings.mask.iter().map(|image| image.0).collect()
    }

    fn run(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<(), Fault> {
        if settings.changes_nothing() {
            return Ok(());
        }
        let Some(mut skin) = find(frame, settings, context)? else { return Ok(()) };
        context.check_cancelled()?;
        spare(frame, settings, &mut skin.mask)?;
        if settings.show == Show::Mask {
            dye::dye(Arc::make_mut(&mut frame.subject.bitmap), &skin.mask);
            frame.note("shows what would be retouched, dyed magenta; set `show` to `picture` to retouch it");
            return Ok(());
        }
        take_off_spots(frame, settings, &mut skin, context)?;
        let share = |value: Number<0, 100>| value.get() as f32 / 100.0;
        let how = Smoothing {
            strength: share(settings.strength),
            texture: share(settings.texture),
            even_tone: share(settings.even_tone),
            face_px: skin.face_px,
        };
        skin::smooth_skin(Arc::make_mut(&mut frame.subject.bitmap), &skin.mask, &how, || {
            context.check_cancelled()
        })
    }

    fn identity(_: &Settings, context: &Context<'_>) -> Result<Option<String>, Fault> {
        Ok(Some(match networks(context) {
            Ok((finder, mesh)) => format!("{}+{}", finder.identity(), mesh.identity()),
            Err(_) => "no faces".to_owned(),
        }))
    }

    fn memory_bytes(megapixels: f64) -> u64 {
        // The picture twice, masks, and at most seven planes of floats while one of them is split into bands.
        bytes(megapixels, 52) + (96 << 20)
    }
}

/// The networks that find faces and look at them closely.
fn networks(context: &Context<'_>) -> Result<(Arc<Network>, Arc<Network>), Unavailable> {
    let missing = || Unavailable { reasons: vec!["networks are switched off".to_owned()], strict: false };
    let runtime = context.runtime.as_ref().ok_or_else(missing)?;
    Ok((runtime.network(Task::FaceFinder)?, runtime.network(Task::FaceMesh)?))
}

/// Finds the skin, or says why nothing is done.
fn find(frame: &mut Frame, settings: &Settings, context: &Context<'_>) -> Result<Option<Skin>, Fault> {
    let bitmap = Arc::clone(&frame.subject.bitmap);
    let faces = match networks(context) {
        Ok((finder, mesh)) => {
            frame.made_by(model_use(mesh.info()));
            let networks = faces::Networks { finder: &finder, mesh: &mesh };
            Some(faces::find(&bitmap, &networks, context)?)
        }
        Err(missing) if context.strict_models || missing.strict => {
            return Err(Fault::ours("model_unavailable", missing.to_string()));
        }
        Err(missing) => {
            frame.made_by(ModelUse {
                id: "skin-colour".to_owned(),
                sha256: None,
                backend: "built-in".to_owned(),
                precision: "f32".to_owned(),
                fallback: Some(missing.to_string()),
            });
            None
        }
    };
    context.check_cancelled()?;
    let (outlines, sure): (Vec<Face>, Vec<f32>) = faces.iter().flatten().cloned().unzip();
    if settings.is_marked() {
        let marked = frame.on_subject(&marked(frame, settings, context)?)?;
        frame.confidence(1.0);
        return Ok(Some(skin::marked_skin(&bitmap, &marked, &outlines)?));
    }
    let nothing = match &faces {
        None => "faces cannot be looked for without their networks",
        Some(_) => "no face was found",
    };
    let area = match settings.area {
        Area::Face => skin::Area::Face,
        Area::Body => skin::Area::Body,
        Area::All => skin::Area::All,
    };
    if outlines.is_empty() && area != skin::Area::All {
        frame.note(format!(
            "{nothing}, so the picture was left as it was; mark the skin, or set `area` to `all` to find it by its colour"
        ));
        return Ok(None);
    }
    let found = skin::find_skin(&bitmap, &outlines, area, || context.check_cancelled())?;
    match (&found, outlines.is_empty()) {
        (None, _) => frame.note("no skin was found, so the picture was left as it was; mark it"),
        (Some(_), true) => {
            frame.confidence(0.3);
            frame.note(format!("{nothing}: skin was found by its colour alone; look at the result"));
        }
        (Some(_), false) => frame.confidence(sure.iter().copied().fold(1.0, f32::min)),
    }
    Ok(found)
}

/// What somebody marked as skin, of the canvas's size.
fn marked(frame: &Frame, settings: &Settings, context: &Context<'_>) -> Result<Mask, Fault> {
    let mut mask = settings.marked.mask(frame.width, frame.height)?;
    if let Some(image) = &settings.mask {
        let white = white_of(&context.image(&image.0)?, (frame.width, frame.height))?;
        for (value, white) in mask.values_mut().iter_mut().zip(white.values()) {
            *value = (*value).max(*white);
        }
    }
    Ok(mask)
}

/// Takes what is to stay out of the mask, with a soft edge around it.
fn spare(frame: &Frame, settings: &Settings, mask: &mut Mask) -> Result<(), Fault> {
    if settings.spared.is_empty() {
        return Ok(());
    }
    let spared = settings.spared.mask(frame.width, frame.height)?;
    let feather = f64::from(frame.width.max(frame.height)) * 0.002;
    let spared = frame.on_subject(&retouch::reaching(&spared, 0.0, feather as f32))?;
    for (value, spared) in mask.values_mut().iter_mut().zip(spared.values()) {
        *value = (*value).min(255 - *spared);
    }
    Ok(())
}

/// Takes blemishes and moles off, and takes moles that stay out of the mask of what is evened.
fn take_off_spots(
    frame: &mut Frame,
    settings: &Settings,
    skin: &mut Skin,
    context: &Context<'_>,
) -> Result<(), Fault> {
    let eagerness = settings.blemishes.get() as f32 / 100.0;
    let size = settings.spot_size.get() as f32 / 100.0;
    let removes_moles = settings.moles == Moles::Remove;
    let sought = SoughtBlemishes {
        face_px: skin.face_px,
        red_size: size,
        // What is to stay is known at any size.
        dark_size: if removes_moles { size } else { size.max(0.15) },
        // Moles are found by the same measure whether red spots are to go or not.
        eagerness: eagerness.max(0.5),
    };
    let stop = || context.check_cancelled().is_err();
    let found = skin::find_blemishes(&frame.subject.bitmap, &skin.mask, &sought, &stop)?;
    context.check_cancelled()?;
    let mut gone = Mask::new(skin.mask.width(), skin.mask.height(), vec![0; skin.mask.values().len()])?;
    let mut said = Vec::new();
    let mut take = |mask: &Mask, count: u32, [one, many]: [&str; 2]| {
        gone.values_mut().iter_mut().zip(mask.values()).for_each(|(gone, value)| *gone = (*gone).max(*value));
        if count > 0 {
            said.push(format!("{count} {}", if count == 1 { one } else { many }));
        }
    };
    if eagerness > 0.0 {
        take(&found.red, found.red_count, ["blemish", "blemishes"]);
    }
    if removes_moles {
        take(&found.dark, found.dark_count, ["mole", "moles"]);
    } else {
        for (value, mole) in skin.mask.values_mut().iter_mut().zip(found.dark.values()) {
            *value = (*value).min(255 - *mole);
        }
    }
    if !said.is_empty() {
        fill(&mut frame.subject.bitmap, &gone, Within::Subject, context)?;
        frame.note(format!("took off {}", said.join(" and ")));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
