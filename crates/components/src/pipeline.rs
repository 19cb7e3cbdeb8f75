//! Steps in order on one picture. Looks for the longest part that was done before, and does the rest.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use domain::image::{ContentHash, FileName, Image};
use domain::run::StepReport;
use domain::workflow::Step;
use pixels::{PixelError, SMALL_SIDE, Small};

use crate::cache::Key;
use crate::combine::area_max;
use crate::component::{Component, Entry, bytes, entry};
use crate::context;
use crate::edit_filename::{check_name, output_name, result_name};
use crate::frame::Remarks;
use crate::promise::product_pixels_changed;
use crate::render::render;
use crate::{
    Combine, Context, DropShadow, EditFilename, Export, Extend, Fault, FillBackground, Frame, InputComponent,
    Limits, Resize, SetOnCanvas, Upscale, settings,
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

/// A finished file.
#[derive(Clone, Debug, PartialEq)]
pub struct File {
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
}

/// The finished files, and how they were made.
#[derive(Clone, Debug, PartialEq)]
pub struct Product {
    /// The result.
    pub file: File,
    /// Further files by their labels.
    pub more: BTreeMap<String, File>,
    /// How each step went.
    pub reports: Vec<StepReport>,
}

/// Takes one picture through steps that a catalogue has checked (canonical names and settings), on this thread.
///
/// What was done before with the same file, settings, versions and models is taken from the cache, as far as it goes.
pub fn process(context: &Context<'_>, input: &Input<'_>, steps: &[Step]) -> Result<Product, Fault> {
    process_together(context, std::slice::from_ref(input), steps)
}

/// Makes one picture of several: the steps before the first one that joins are done to each of them, the others to what
/// it made. The product is named after the first. Refuses several pictures where no step joins.
pub fn process_together(
    context: &Context<'_>,
    inputs: &[Input<'_>],
    steps: &[Step],
) -> Result<Product, Fault> {
    let walk = Walk::of(context, inputs, steps)?;
    let name = walk.name;
    let mut reports = Vec::with_capacity(steps.len());
    let mut frame = match walk.to(steps.len(), &mut reports) {
        Ok(frame) => frame,
        Err(fault) => return Err(Fault { reports, ..fault }),
    };
    let (size, edits) = ((frame.width, frame.height), &frame.name_edits);
    let file = frame.encoded.take().ok_or_else(|| Fault::input("workflow_invalid", NO_EXPORT))?;
    let file = File {
        name: result_name(name, edits, size, file.format.extension()),
        media_type: file.format.mime(),
        bytes: Arc::unwrap_or_clone(file.bytes),
        width: size.0,
        height: size.1,
    };
    let more = frame.more.into_iter().map(|named| {
        let size = (named.width, named.height);
        let kind = named.file.format;
        let further = File {
            name: output_name(name, &file.name, (&named.label, &named.pattern), size, kind.extension()),
            media_type: kind.mime(),
            bytes: Arc::unwrap_or_clone(named.file.bytes),
            width: size.0,
            height: size.1,
        };
        (named.label, further)
    });
    Ok(Product { more: more.collect(), file, reports })
}

/// A small picture of what [`process_together`] has after the step at `place` (from 0); clear where that is. What was done before is
/// taken from the cache, and what must be done now is kept there. A file that cannot be read back here (AVIF, PSD) is shown as
/// what went into it.
pub fn preview(
    context: &Context<'_>,
    inputs: &[Input<'_>],
    steps: &[Step],
    place: usize,
) -> Result<Small, Fault> {
    let after = |end: usize| Walk::of(context, inputs, steps)?.to(end, &mut Vec::new());
    let mut frame = after(steps.len().min(place + 1))?;
    if let Some(file) = &frame.encoded {
        let (limits, codec) = (context.limits.file, context.limits.codec);
        let options =
            pixels::DecodeOptions { limits, max_side: Some(SMALL_SIDE), codec, ..Default::default() };
        match pixels::decode(&file.bytes, &options) {
            Ok(decoded) => return Ok(pixels::small(&decoded.bitmap)?),
            Err(PixelError::UnsupportedFormat { .. }) => frame = after(place)?,
            Err(error) => return Err(error.into()),
        }
    }
    Ok(pixels::small(&*render(&frame, frame.background.as_ref(), context)?)?)
}

/// Pictures on their way through steps, one after the step that joins them.
struct Walk<'a> {
    /// The first picture's file name.
    name: &'a FileName,
    line: Line<'a>,
    /// The further pictures, up to the step that joins them.
    others: Vec<Line<'a>>,
    joint: usize,
}

impl<'a> Walk<'a> {
    fn of(context: &Context<'a>, inputs: &[Input<'a>], steps: &'a [Step]) -> Result<Self, Fault> {
        let entries: Arc<[&'static Entry]> = entries_of(steps)?.into();
        let (first, more) =
            inputs.split_first().ok_or_else(|| Fault::input("workflow_invalid", NO_PICTURE))?;
        check_name(first.name, steps)?;
        let joint = match more {
            [] => steps.len(),
            _ => entries
                .iter()
                .position(|entry| entry.joins)
                .ok_or_else(|| Fault::input("workflow_invalid", TAKES_ONE))?,
        };
        let fit = needed_size(steps);
        let keeps_photo = entries.iter().zip(steps).any(|(entry, step)| (entry.needs_photo)(&step.settings));
        let begun = |input: &Input<'a>| {
            let file = Some(context::File { bytes: input.bytes, fit });
            let context = Context { file, keeps_photo, ..context.clone() };
            let start = Key::of_file(context.owner, &input.hash, &context.limits, (fit, keeps_photo));
            let mut line = Line { context, keys: Vec::new(), entries: Arc::clone(&entries), steps };
            line.extend_keys(start, joint)?;
            Ok(line)
        };
        let mut line = begun(first)?;
        let others = more.iter().map(begun).collect::<Result<Vec<_>, Fault>>()?;
        if !others.is_empty() {
            let ends: Vec<Key> = std::iter::once(&line).chain(&others).filter_map(Line::end).collect();
            line.extend_keys(Key::of_all(&ends), steps.len())?;
        }
        Ok(Self { name: first.name, line, others, joint })
    }

    /// The picture after the steps up to `end`, and in `reports` how each went, the last of them the one that could not be done.
    fn to(self, end: usize, reports: &mut Vec<StepReport>) -> Result<Frame, Fault> {
        let Self { line, mut others, joint, .. } = self;
        let about = |index: usize, frame: &Frame, millis| {
            let said = frame.remarks.get(index).cloned().unwrap_or_default();
            report(&line.steps[index], line.entries[index], said, millis)
        };
        let (done, mut frame) = line.known(end);
        reports.extend((0..done).map(|index| about(index, &frame, None)));
        for index in done..end {
            let began = Instant::now();
            let others = match index == joint {
                true => others.drain(..).map(|other| other.finished(joint)).collect::<Result<Vec<_>, _>>(),
                false => Ok(Vec::new()),
            };
            match others.and_then(|others| line.step(index, &mut frame, others)) {
                Ok(millis) => reports.push(about(index, &frame, Some(millis))),
                Err(fault) => {
                    let millis = began.elapsed().as_secs_f64() * 1000.0;
                    let error = Some(fault.message.clone());
                    reports.push(StepReport { error, ..about(index, &frame, Some(millis)) });
                    return Err(fault);
                }
            }
        }
        Ok(frame)
    }
}

/// One picture on its way, with the name of each step's result.
struct Line<'a> {
    context: Context<'a>,
    keys: Vec<Key>,
    entries: Arc<[&'static Entry]>,
    steps: &'a [Step],
}

impl Line<'_> {
    /// Names the results of the steps up to `end`, the first of them after `start`.
    fn extend_keys(&mut self, start: Key, end: usize) -> Result<(), Fault> {
        let mut key = start;
        for index in self.keys.len()..end {
            let (entry, settings) = (self.entries[index], &self.steps[index].settings);
            let identity = (entry.identity)(settings, &self.context)?;
            key = key.after(entry, settings, identity.as_deref());
            self.keys.push(key);
        }
        Ok(())
    }

    fn end(&self) -> Option<Key> {
        self.keys.last().copied()
    }

    /// The longest part of the steps up to `end` that was done before, and how many steps it is.
    fn known(&self, end: usize) -> (usize, Frame) {
        let found = (0..self.keys.len().min(end)).rev().find_map(|index| {
            let frame = self.context.cache.get(&self.keys[index], self.entries[index].expensive)?;
            // A step that is kept has said all that the steps before it had to say.
            (frame.remarks.len() == index + 1).then_some((index + 1, frame))
        });
        found.unwrap_or_else(|| (0, Frame::unread()))
    }

    /// Does one step; answers how many milliseconds it took. It joins `others` if there are any.
    fn step(&self, index: usize, frame: &mut Frame, others: Vec<Frame>) -> Result<f64, Fault> {
        self.context.check_cancelled()?;
        let (entry, step) = (self.entries[index], &self.steps[index]);
        let changes = (entry.changes)(&step.settings);
        let is_input = entry.kind == InputComponent::KIND;
        let before = (changes.keeps_product() && !is_input).then(|| frame.subject.clone());
        let started = Instant::now();
        frame.remarks.push(Remarks::default());
        if others.is_empty() {
            (entry.run)(frame, &step.settings, &self.context)?;
        } else {
            (entry.join)(frame, others, &step.settings, &self.context)?;
        }
        let millis = started.elapsed().as_secs_f64() * 1000.0;
        // A step that can tell the product from its backdrop better has counted already.
        let is_counted = frame.remarks.last().is_some_and(|remarks| remarks.product_pixels_changed.is_some());
        if let Some(before) = before.filter(|_| !is_counted) {
            frame.promised(product_pixels_changed(&before, &frame.subject, changes.mask));
        }
        tracing::debug!(component = entry.kind, millis, "finished step `{}`", step.label);
        self.context.cache.put(&self.keys[index], frame, entry.expensive);
        Ok(millis)
    }

    /// The picture after the steps up to `end`.
    fn finished(self, end: usize) -> Result<Frame, Fault> {
        let (done, mut frame) = self.known(end);
        for index in done..end {
            self.step(index, &mut frame, Vec::new())?;
        }
        Ok(frame)
    }
}

const NO_PICTURE: &str = "there is no picture to work on";
const TAKES_ONE: &str = "the workflow takes one picture at a time; add a `combine` step";
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

fn report(step: &Step, entry: &Entry, remarks: Remarks, millis: Option<f64>) -> StepReport {
    StepReport {
        label: step.label.clone(),
        component: entry.kind.to_owned(),
        version: entry.version,
        millis: millis.unwrap_or(0.0),
        cached: millis.is_none(),
        model: remarks.model,
        notes: remarks.notes,
        confidence: remarks.confidence,
        product_pixels_changed: remarks.product_pixels_changed,
        error: None,
    }
}

/// Width and height within which the picture will be fitted before anything else looks at its pixels.
fn needed_size(steps: &[Step]) -> Option<(u32, u32)> {
    let mut middle = steps.iter().skip(1);
    // What neither measures nor moves pixels may stand in between.
    let first =
        middle.find(|step| ![EditFilename::KIND, FillBackground::KIND].contains(&step.kind.as_str()))?;
    match first.kind.as_str() {
        SetOnCanvas::KIND => {
            settings::read::<<SetOnCanvas as Component>::Settings>(&first.settings).ok()?.needs()
        }
        Resize::KIND => settings::read::<<Resize as Component>::Settings>(&first.settings).ok()?.needs(),
        _ => None,
    }
}

/// Bytes the work on pictures that go into one result needs at its peak, without networks and cache. `named` are the
/// pictures that settings name.
pub(crate) fn memory_bytes(limits: &Limits, images: &[&Image], named: &[&Image], steps: &[Step]) -> u64 {
    let (mut working, mut decoding, mut files) = (0.0, 0.0_f64, 0);
    for image in named {
        let longest = f64::from(image.width.max(image.height).max(1));
        let share = (f64::from(limits.working_side) / longest).min(1.0);
        // While it is used, it lies beside the picture in four bytes a pixel, and once more while it is scaled.
        files += image.bytes + bytes(image.megapixels() * share * share, 8);
    }
    for image in images {
        let full = image.megapixels();
        let longest = f64::from(image.width.max(image.height).max(1));
        let share = (f64::from(limits.working_side) / longest).min(1.0);
        // A JPEG of at least twice the size that is worked on is never decoded in full; other files are, row by row.
        let quartered = image.media_type == "image/jpeg" && share <= 0.5;
        decoding = decoding.max(if quartered { full / 4.0 } else { full });
        working += full * share * share;
        files += image.bytes;
    }
    let several = images.len() > 1;
    let mut canvas = working;
    let mut most = (InputComponent::memory_bytes)(decoding);
    // Bytes a pixel of the photo that is kept beside the cut-out.
    let mut photo = 0;
    // The same of shadows and of what lies under everything.
    let mut layers = 0;
    // From then on no step grows the canvas by itself.
    let mut fixed = false;
    for step in steps {
        if several && step.kind == Combine::KIND {
            canvas = area_max((canvas * 1e6) as u64) as f64 / 1e6;
        }
        if step.kind == SetOnCanvas::KIND
            && let Ok(set) = settings::read::<<SetOnCanvas as Component>::Settings>(&step.settings)
        {
            // Before they are joined, each picture has a canvas of its own.
            let pictures = if several { images.len() as f64 } else { 1.0 };
            canvas = canvas.max(f64::from(set.width.get()) * f64::from(set.height.get()) / 1e6 * pictures);
            fixed = true;
        }
        // Beyond what every kind of the step needs.
        let mut more = 0;
        if step.kind == DropShadow::KIND
            && let Ok(shadow) = settings::read::<<DropShadow as Component>::Settings>(&step.settings)
        {
            if !fixed {
                canvas *= shadow.growth(canvas);
            }
            more = shadow.memory_bytes(canvas);
            layers += shadow.bytes_a_pixel();
        }
        if step.kind == FillBackground::KIND
            && let Ok(fill) = settings::read::<<FillBackground as Component>::Settings>(&step.settings)
        {
            more = fill.memory_bytes(canvas);
            layers += fill.bytes_a_pixel();
        }
        if step.kind == Resize::KIND
            && let Ok(resize) = settings::read::<<Resize as Component>::Settings>(&step.settings)
        {
            canvas = canvas.max(resize.most_megapixels(canvas));
        }
        if step.kind == Extend::KIND
            && let Ok(extend) = settings::read::<<Extend as Component>::Settings>(&step.settings)
        {
            canvas = canvas.max(extend.most_megapixels(canvas));
        }
        if step.kind == Upscale::KIND
            && let Ok(upscale) = settings::read::<<Upscale as Component>::Settings>(&step.settings)
        {
            canvas = canvas.max(upscale.most_megapixels(canvas));
        }
        if let Some(entry) = entry(&step.kind).filter(|entry| entry.kind != InputComponent::KIND) {
            if (entry.needs_photo)(&step.settings) {
                photo = 4;
            }
            most = most.max((entry.memory_bytes)(canvas) + more);
        }
    }
    files + most + bytes(canvas, photo + layers) + (4 << 20)
}
