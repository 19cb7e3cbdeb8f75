//! What a component is, and the list of all of them. The types end here: the list knows kinds and JSON.

use domain::component::{Catalogue, Changes, Description, Place};
use domain::image::ContentHash;
use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    Clean, Color, Combine, Context, Crop, Denoise, DropShadow, EditFilename, Export, Extend, Fault,
    FillBackground, Frame, GhostMannequin, InputComponent, RemoveBackground, RemoveObject, Resize, Rotate,
    SetOnCanvas, Sharpen, SkinRetouch, Straighten, Upscale, Watermark, settings,
};

/// One thing that can be done to a picture.
pub trait Component {
    /// Its name in workflows: `setOnCanvas`.
    const KIND: &'static str;
    /// Its name for people.
    const TITLE: &'static str;
    /// What it does, in one sentence.
    const SUMMARY: &'static str;
    /// Rises whenever the same settings give other pixels; part of every cache key.
    const VERSION: u32;
    /// Credits one run of it costs.
    const CREDITS: u32;
    /// Where it may stand.
    const PLACE: Place = Place::Middle;
    /// Whether its result is worth keeping on disk.
    const EXPENSIVE: bool = false;

    /// The most it may change, whatever its settings.
    const CHANGES: Changes;

    /// Its settings: every limit on a value is part of the type of its field.
    type Settings: Serialize + DeserializeOwned + JsonSchema + Default;

    /// Refuses settings that are each in range but make no sense together.
    fn check(settings: &Self::Settings) -> Result<(), String> {
        let _ = settings;
        Ok(())
    }

    /// Does it.
    fn run(frame: &mut Frame, settings: &Self::Settings, context: &Context<'_>) -> Result<(), Fault>;

    /// Whether it makes one picture of several, by [`Component::join`].
    const JOINS: bool = false;

    /// Joins the frames of further pictures, in their order, into the first picture's. Called instead of
    /// [`Component::run`] where a run has several pictures.
    fn join(
        frame: &mut Frame,
        others: Vec<Frame>,
        settings: &Self::Settings,
        context: &Context<'_>,
    ) -> Result<(), Fault> {
        let _ = (frame, others, settings, context);
        Err(Fault::input("workflow_invalid", format!("`{}` takes one picture", Self::KIND)))
    }

    /// What it may change with these settings: no more than [`Component::CHANGES`].
    fn changes(settings: &Self::Settings) -> Changes {
        let _ = settings;
        Self::CHANGES
    }

    /// Further stored pictures that the settings name; [`Context::image`] hands them out.
    fn images(settings: &Self::Settings) -> Vec<ContentHash> {
        let _ = settings;
        Vec::new()
    }

    /// Whether it looks at the photo that the subject was cut out of (`Frame::photo`).
    fn needs_photo(settings: &Self::Settings) -> bool {
        let _ = settings;
        false
    }

    /// Names whatever decides the result besides the frame and the settings: the network, with its runtime.
    fn identity(settings: &Self::Settings, context: &Context<'_>) -> Result<Option<String>, Fault> {
        let _ = (settings, context);
        Ok(None)
    }

    /// Bytes it needs at its peak for a frame of that many megapixels, the frame itself included.
    fn memory_bytes(megapixels: f64) -> u64 {
        bytes(megapixels, 12)
    }
}

/// Bytes of that many megapixels at so many bytes a pixel.
pub(crate) fn bytes(megapixels: f64, bytes_a_pixel: u32) -> u64 {
    (megapixels * 1e6 * f64::from(bytes_a_pixel)) as u64
}

/// A component whose type is forgotten.
pub struct Entry {
    /// Its name in workflows.
    pub kind: &'static str,
    /// Its version.
    pub version: u32,
    /// Whether its result is worth keeping on disk.
    pub expensive: bool,
    /// What others see of it.
    pub describe: fn() -> Description,
    /// Runs it with canonical settings.
    pub run: fn(&mut Frame, &Value, &Context<'_>) -> Result<(), Fault>,
    /// Whether it makes one picture of several.
    pub joins: bool,
    /// Joins further frames into the first, with canonical settings.
    pub join: fn(&mut Frame, Vec<Frame>, &Value, &Context<'_>) -> Result<(), Fault>,
    /// What it may change with canonical settings.
    pub changes: fn(&Value) -> Changes,
    /// Whether it looks at the photo that the subject was cut out of.
    pub needs_photo: fn(&Value) -> bool,
    /// Names what decides the result besides frame and settings.
    pub identity: fn(&Value, &Context<'_>) -> Result<Option<String>, Fault>,
    /// Bytes it needs at its peak for that many megapixels.
    pub memory_bytes: fn(f64) -> u64,
}

impl Entry {
    /// The entry of a component.
    pub const fn of<C: Component>() -> Self {
        Self {
            kind: C::KIND,
            version: C::VERSION,
            expensive: C::EXPENSIVE,
            describe: describe::<C>,
            run: run::<C>,
            joins: C::JOINS,
            join: join::<C>,
            changes: changes::<C>,
            needs_photo: needs_photo::<C>,
            identity: identity::<C>,
            memory_bytes: C::memory_bytes,
        }
    }
}

/// Every component, in the order the documents list them.
pub const ALL: &[Entry] = &[
    Entry::of::<InputComponent>(),
    Entry::of::<RemoveBackground>(),
    Entry::of::<Color>(),
    Entry::of::<Straighten>(),
    Entry::of::<Rotate>(),
    Entry::of::<RemoveObject>(),
    Entry::of::<Clean>(),
    Entry::of::<SkinRetouch>(),
    Entry::of::<Crop>(),
    Entry::of::<Resize>(),
    Entry::of::<Extend>(),
    Entry::of::<GhostMannequin>(),
    Entry::of::<Combine>(),
    Entry::of::<SetOnCanvas>(),
    Entry::of::<DropShadow>(),
    Entry::of::<FillBackground>(),
    Entry::of::<Upscale>(),
    Entry::of::<Denoise>(),
    Entry::of::<Sharpen>(),
    Entry::of::<Watermark>(),
    Entry::of::<EditFilename>(),
    Entry::of::<Export>(),
];

/// Every component as data.
pub fn catalogue() -> Catalogue {
    Catalogue::new(ALL.iter().map(|entry| (entry.describe)()).collect())
}

/// The component of that canonical name.
pub fn entry(kind: &str) -> Option<&'static Entry> {
    ALL.iter().find(|entry| entry.kind == kind)
}

fn describe<C: Component>() -> Description {
    Description {
        kind: C::KIND,
        title: C::TITLE,
        summary: C::SUMMARY,
        version: C::VERSION,
        credits: C::CREDITS,
        place: C::PLACE,
        joins: C::JOINS,
        changes: C::CHANGES,
        schema: settings::schema::<C::Settings>(),
        defaults: settings::defaults::<C::Settings>(),
        check: check::<C>,
        images: images::<C>,
    }
}

fn check<C: Component>(given: &Value) -> Result<Value, String> {
    let read: C::Settings = settings::read(given)?;
    C::check(&read)?;
    Ok(settings::write(&read))
}

fn typed<C: Component>(given: &Value) -> Result<C::Settings, Fault> {
    settings::read(given)
        .map_err(|reason| Fault::input("settings_invalid", format!("`{}`: {reason}", C::KIND)))
}

fn run<C: Component>(frame: &mut Frame, given: &Value, context: &Context<'_>) -> Result<(), Fault> {
    C::run(frame, &typed::<C>(given)?, context)
}

fn join<C: Component>(
    frame: &mut Frame,
    others: Vec<Frame>,
    given: &Value,
    context: &Context<'_>,
) -> Result<(), Fault> {
    C::join(frame, others, &typed::<C>(given)?, context)
}

fn identity<C: Component>(given: &Value, context: &Context<'_>) -> Result<Option<String>, Fault> {
    C::identity(&typed::<C>(given)?, context)
}

fn changes<C: Component>(given: &Value) -> Changes {
    settings::read(given).map_or(C::CHANGES, |settings| C::changes(&settings))
}

fn images<C: Component>(given: &Value) -> Vec<ContentHash> {
    settings::read(given).map_or_else(|_| Vec::new(), |settings| C::images(&settings))
}

fn needs_photo<C: Component>(given: &Value) -> bool {
    settings::read(given).is_ok_and(|settings| C::needs_photo(&settings))
}
