//! Steps in order on one picture. Looks for the longest part that was done before, and does the rest.

use std::sync::Arc;
use std::time::Instant;

use domain::image::{ContentHash, FileName, Image};
use domain::run::StepReport;
use domain::workflow::Step;

use crate::cache::Key;
use crate::component::{Component, Entry, entry};
use crate::context::File;
use crate::edit_filename::result_name;
use crate::frame::Remarks;
use crate::{
    Context, EditFilename, Export, Fault, FillBackground, Frame, InputComponent, Limits, SetOnCanvas,
    settings,
};

/// The picture to be worked on.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// SHA-256 of the bytes; results are remembered by it.
    pub hash: ContentHash,
    /// Its file name.
    pub name: &'a FileName,
}

/// The finished file.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Its media type: `image/png`.
    pub media_type: &'static str,
    /// Its name.
    pub name: FileName,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How each step went.
    pub reports: Vec<StepReport>,
}

/// Takes one picture through steps that a catalogue has checked (canonical names and settings), on this thread.
///
/// What was done before with the same file, settings, versions and models is taken from the cache, as far as it goes.
pub fn process(context: &Context<'_>, input: &Input<'_>, steps: &[Step]) -> Result<Product, Fault> {
    let entries = entries_of(steps)?;
    let fit = needed_size(steps);
    let context = Context { file: Some(File { bytes: input.bytes, fit }), ..context.clone() };
    let mut key = Key::of_file(&input.hash, &context.limits, fit);
    let mut keys = Vec::with_capacity(steps.len());
    for (entry, step) in entries.iter().zip(steps) {
        let identity = (entry.identity)(&step.settings, &context)?;
        key = key.after(entry, &step.settings, identity.as_deref());
        keys.push(key);
    }
    let known = (0..steps.len()).rev().find_map(|index| {
        let frame = context.cache.get(&keys[index], entries[index].expensive)?;
        // A step that is kept has said all that the steps before it had to say.
        (frame.remarks.len() == index + 1).then_some((index + 1, frame))
    });
    let (done, mut frame) = known.unwrap_or_else(|| (0, Frame::unread()));
    let mut reports: Vec<StepReport> = Vec::with_capacity(steps.len());
    for index in 0..done {
        reports.push(report(&steps[index], entries[index], &frame.remarks[index], None));
    }
    for index in done..steps.len() {
        context.check_cancelled()?;
        let (entry, step) = (entries[index], &steps[index]);
        let started = Instant::now();
        frame.remarks.push(Remarks::default());
        (entry.run)(&mut frame, &step.settings, &context)?;
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        tracing::debug!(component = entry.kind, millis, "finished step `{}`", step.label);
        context.cache.put(&keys[index], &frame, entry.expensive);
        reports.push(report(step, entry, &frame.remarks[index], Some(millis)));
    }
    let size = (frame.width, frame.height);
    let file = frame.encoded.take().ok_or_else(|| Fault::input("workflow_invalid", NO_EXPORT))?;
    Ok(Product {
        name: result_name(input.name, &frame.name_edits, size, file.format.extension()),
        media_type: file.format.mime(),
        bytes: Arc::unwrap_or_clone(file.bytes),
        width: size.0,
        height: size.1,
        reports,
    })
}

const NO_EXPORT: &str = "a workflow begins with `input` and ends with `export`";

fn entries_of(steps: &[Step]) -> Result<Vec<&'static Entry>, Fault> {
    let find = |step: &Step| {
        entry(&step.kind).ok_or_else(|| {
            Fault::input("workflow_invalid", format!("no component is called `{}`", step.kind))
        })
    };
    let entries: Vec<_> = steps.iter().map(find).collect::<Result<_, _>>()?;
    let ends = (entries.first().map(|entry| entry.kind), entries.last().map(|entry| entry.kind));
    if ends != (Some(InputComponent::KIND), Some(Export::KIND)) {
        return Err(Fault::input("workflow_invalid", NO_EXPORT));
    }
    Ok(entries)
}

fn report(step: &Step, entry: &Entry, remarks: &Remarks, millis: Option<f64>) -> StepReport {
    StepReport {
        label: step.label.clone(),
        component: entry.kind.to_owned(),
        version: entry.version,
        millis: millis.unwrap_or(0.0),
        cached: millis.is_none(),
        model: remarks.model.clone(),
        notes: remarks.notes.clone(),
    }
}

/// Width and height within which the picture will be fitted before anything else looks at its pixels.
fn needed_size(steps: &[Step]) -> Option<(u32, u32)> {
    let mut middle = steps.iter().skip(1);
    // What neither measures nor moves pixels may stand in between.
    let first =
        middle.find(|step| ![EditFilename::KIND, FillBackground::KIND].contains(&step.kind.as_str()))?;
    if first.kind != SetOnCanvas::KIND {
        return None;
    }
    settings::read::<<SetOnCanvas as Component>::Settings>(&first.settings).ok()?.needs()
}

/// Bytes the work on a picture needs at its peak, without networks and cache.
pub(crate) fn memory_bytes(limits: &Limits, image: &Image, steps: &[Step]) -> u64 {
    let full = image.megapixels();
    let longest = f64::from(image.width.max(image.height).max(1));
    let share = (f64::from(limits.working_side) / longest).min(1.0);
    let working = full * share * share;
    // A JPEG of at least twice the size that is worked on is never decoded in full; other files are, row by row.
    let decoded = if image.media_type == "image/jpeg" && share <= 0.5 { full / 4.0 } else { full };
    let mut canvas = working;
    let mut most = (InputComponent::memory_bytes)(decoded);
    for step in steps {
        if step.kind == SetOnCanvas::KIND
            && let Ok(set) = settings::read::<<SetOnCanvas as Component>::Settings>(&step.settings)
        {
            canvas = canvas.max(f64::from(set.width.get()) * f64::from(set.height.get()) / 1e6);
        }
        if let Some(entry) = entry(&step.kind).filter(|entry| entry.kind != InputComponent::KIND) {
            most = most.max((entry.memory_bytes)(canvas));
        }
    }
    image.bytes + most + (4 << 20)
}
