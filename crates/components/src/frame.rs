//! A picture on its way through the steps: layers on a canvas, put together only when they are written.

use std::sync::Arc;

use domain::run::ModelUse;
use pixels::{Bitmap, Channels, Filter, Mask, Rect, Samples};

use crate::Fault;
use crate::backdrop::Backdrop;
use crate::edit_filename::Edit;
use crate::layer::{Mark, Shadow};

/// Alpha from which a pixel belongs to the subject when its bounds are measured: what is fainter does not show.
const VISIBLE: u8 = 8;

/// The picture itself, with its place on the canvas.
#[derive(Clone, Debug, PartialEq)]
pub struct Subject {
    /// Its pixels: sRGB, straight alpha; RGB while it is opaque.
    pub bitmap: Arc<Bitmap>,
    /// Columns from the canvas's left edge to its own.
    pub x: i64,
    /// Rows from the canvas's top edge to its own.
    pub y: i64,
}

impl Subject {
    /// The part of it that lies inside `view`, placed relative to it; `None` when none does.
    pub(crate) fn seen_in(&self, view: View) -> Result<Option<Self>, Fault> {
        let Self { bitmap, x, y } = self;
        let placed = Placed { x: x - view.x, y: y - view.y, width: bitmap.width(), height: bitmap.height() };
        let Some((rect, x, y)) = placed.inside(view.width, view.height) else { return Ok(None) };
        let is_whole = (rect.width, rect.height) == (bitmap.width(), bitmap.height());
        let bitmap = if is_whole { Arc::clone(bitmap) } else { Arc::new(pixels::crop(bitmap, rect)?) };
        Ok(Some(Self { bitmap, x, y }))
    }
}

/// What is known of the file that the picture came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// Upright width and height as stored in the file, in pixels.
    pub size: (u32, u32),
    /// Format of the file.
    pub format: pixels::Format,
    /// Bits of one stored sample.
    pub depth: u8,
    /// Colour space of the file, for a reader.
    pub profile: String,
    /// Resolution in dots per inch, when stored.
    pub dpi: Option<f64>,
    /// Whose picture the file says it is.
    pub rights: pixels::Rights,
}

/// The finished file.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// Its bytes.
    pub bytes: Arc<Vec<u8>>,
    /// Its format.
    pub format: pixels::Format,
}

/// A further finished file.
#[derive(Clone, Debug, PartialEq)]
pub struct NamedFile {
    /// Its label among the outputs.
    pub label: String,
    /// Pattern of its name; empty is the usual one.
    pub pattern: String,
    /// The file.
    pub file: Encoded,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// What a step had to say about its result.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Remarks {
    /// The model that made it.
    pub model: Option<ModelUse>,
    /// What somebody should know.
    pub notes: Vec<String>,
    /// How sure the step is of its result, 0 to 1.
    pub confidence: Option<f32>,
    /// Pixels of the product that changed although the step promised not to change any; `None` where it did not.
    pub product_pixels_changed: Option<u64>,
}

/// A picture on its way through the steps. Cheap to clone: pixels are shared until somebody changes them.
///
/// Invariant: the subject and every shadow lie inside the canvas, so that what a step cut away stays away.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// Width of the canvas in pixels.
    pub width: u32,
    /// Height of the canvas in pixels.
    pub height: u32,
    /// Whether the size of the canvas was asked for, so that no later step may grow it by itself.
    pub fixed_size: bool,
    /// The picture.
    pub subject: Subject,
    /// The photo that the subject was cut out of: opaque, at the subject's scale; kept only while a later step needs it.
    pub photo: Option<Subject>,
    /// Shadows, lowest first, all under the subject.
    pub shadows: Vec<Shadow>,
    /// Marks over everything, lowest first.
    pub marks: Vec<Mark>,
    /// What lies under everything; `None` is transparent.
    pub background: Option<Backdrop>,
    /// What is known of the file.
    pub origin: Origin,
    /// The finished file, after the last step.
    pub encoded: Option<Encoded>,
    /// Further finished files, after the last step.
    pub more: Vec<NamedFile>,
    /// Whether the mask of the finished picture is written as a further file.
    pub(crate) with_mask: bool,
    /// What becomes of the file's name; kept as rules, so that one cached frame serves files of any name.
    pub(crate) name_edits: Vec<Edit>,
    /// What each finished step had to say; the last entry belongs to the step that runs.
    pub(crate) remarks: Vec<Remarks>,
}

impl Frame {
    /// A frame that holds this picture and nothing else, on a canvas of its size.
    pub fn new(bitmap: Bitmap, origin: Origin) -> Self {
        Self {
            width: bitmap.width(),
            height: bitmap.height(),
            fixed_size: false,
            subject: Subject { bitmap: Arc::new(bitmap), x: 0, y: 0 },
            photo: None,
            shadows: Vec::new(),
            marks: Vec::new(),
            background: None,
            origin,
            encoded: None,
            more: Vec::new(),
            with_mask: false,
            name_edits: Vec::new(),
            remarks: Vec::new(),
        }
    }

    /// What frames begin as, before `input` has read the file: one transparent pixel.
    pub(crate) fn unread() -> Self {
        let pixel = Bitmap::from_u8(1, 1, Channels::Rgba, vec![0; 4]).expect("four samples are one pixel");
        let origin = Origin {
            size: (1, 1),
            format: pixels::Format::Png,
            depth: 8,
            profile: String::new(),
            dpi: None,
            rights: pixels::Rights::default(),
        };
        Self::new(pixel, origin)
    }

    /// Says something about the result of the running step.
    pub fn note(&mut self, text: impl Into<String>) {
        self.running().notes.push(text.into());
    }

    /// Says which model made the result of the running step.
    pub fn made_by(&mut self, model: ModelUse) {
        self.running().model = Some(model);
    }

    /// Says how sure the running step is of its result: 0.0 (a guess) to 1.0 (certain).
    pub fn confidence(&mut self, value: f32) {
        self.running().confidence = Some(value.clamp(0.0, 1.0));
    }

    /// Says how many pixels of the product the running step changed though it promised to change none.
    pub(crate) fn promised(&mut self, changed: u64) {
        if changed > 0 {
            self.note(format!("{changed} pixels of the product were changed, though none should be"));
        }
        self.running().product_pixels_changed = Some(changed);
    }

    fn running(&mut self) -> &mut Remarks {
        if self.remarks.is_empty() {
            self.remarks.push(Remarks::default());
        }
        self.remarks.last_mut().expect("there is one by now")
    }

    /// Whether the subject is a cut-out: at least a thousandth of its pixels do not show.
    pub fn is_cut_out(&self) -> bool {
        is_cut_out(&self.subject.bitmap)
    }

    /// The smallest rectangle of the canvas that holds what shows of the subject, or the refusal that nothing does.
    pub fn subject_bounds(&self) -> Result<Rect, Fault> {
        let Subject { bitmap, x, y } = &self.subject;
        let inner = bounds(bitmap).ok_or_else(|| {
            Fault::no_subject("the picture is fully transparent; check it, or send another")
        })?;
        let on_canvas = |at: i64, inside: u32| u32::try_from(at + i64::from(inside)).unwrap_or(0);
        Ok(Rect { x: on_canvas(*x, inner.x), y: on_canvas(*y, inner.y), ..inner })
    }

    /// The part of a mask of the canvas that lies over the subject's bitmap, at the bitmap's size.
    pub(crate) fn on_subject(&self, mask: &Mask) -> Result<Mask, Fault> {
        let Subject { bitmap, x, y } = &self.subject;
        Ok(pixels::place_mask(bitmap.width(), bitmap.height(), mask, -x, -y)?)
    }

    /// Bytes its layers and its file take in memory.
    pub fn byte_len(&self) -> usize {
        let shadows: usize = self.shadows.iter().map(Shadow::byte_len).sum();
        let more: usize = self.more.iter().map(|named| named.file.bytes.len()).sum();
        let file = self.encoded.as_ref().map_or(0, |file| file.bytes.len()) + more;
        let marks: usize = self.marks.iter().map(|mark| mark.layer.bitmap.byte_len()).sum();
        // Before it is cut out, the photo is the subject itself.
        let photo = self.photo.as_ref().filter(|photo| !Arc::ptr_eq(&photo.bitmap, &self.subject.bitmap));
        self.subject.bitmap.byte_len()
            + photo.map_or(0, |photo| photo.bitmap.byte_len())
            + shadows
            + marks
            + self.background.as_ref().map_or(0, Backdrop::byte_len)
            + file
            + 1024
    }

    /// Cuts the subject to that rectangle of the canvas, which must lie inside it; shadows stay as they are.
    pub(crate) fn trim_subject(&mut self, to: Rect) -> Result<(), Fault> {
        let Subject { bitmap, x, y } = &self.subject;
        let rect = Rect { x: (i64::from(to.x) - x) as u32, y: (i64::from(to.y) - y) as u32, ..to };
        if (rect.width, rect.height) != (bitmap.width(), bitmap.height()) {
            let bitmap = Arc::new(pixels::crop(bitmap, rect)?);
            self.subject = Subject { bitmap, x: i64::from(to.x), y: i64::from(to.y) };
        }
        Ok(())
    }

    /// Makes `view` (which may reach outside) the new canvas and cuts every layer to it.
    pub(crate) fn set_view(&mut self, view: View) -> Result<(), Fault> {
        self.subject = self
            .subject
            .seen_in(view)?
            .ok_or_else(|| Fault::no_subject("nothing of it is left after the cut; choose a larger part"))?;
        if let Some(photo) = self.photo.take() {
            self.photo = photo.seen_in(view)?;
        }
        if let Some(background) = self.background.take() {
            self.background = Some(background.seen_in(view)?);
        }
        let mut shadows = Vec::with_capacity(self.shadows.len());
        for mut shadow in self.shadows.drain(..) {
            let (width, height) = (shadow.mask.width(), shadow.mask.height());
            let placed = Placed { x: shadow.x - view.x, y: shadow.y - view.y, width, height };
            if let Some((rect, x, y)) = placed.inside(view.width, view.height) {
                if (rect.width, rect.height) != (width, height) {
                    shadow.reshape(
                        |mask| pixels::crop_mask(mask, rect),
                        |picture| pixels::crop(&picture, rect),
                    )?;
                }
                shadows.push(Shadow { x, y, ..shadow });
            }
        }
        self.shadows = shadows;
        let mut marks = Vec::with_capacity(self.marks.len());
        for mark in self.marks.drain(..) {
            marks.extend(mark.layer.seen_in(view)?.map(|layer| Mark { layer, ..mark }));
        }
        self.marks = marks;
        (self.width, self.height) = (view.width, view.height);
        Ok(())
    }

    /// Scales every layer so that the rectangle of size `from` at the canvas point (`x`, `y`) gets the size `to` and
    /// begins at (0, 0). Layers may lie outside the canvas afterwards: [`Frame::set_view`] must follow.
    pub(crate) fn scale_from(
        &mut self,
        (x, y): (u32, u32),
        from: (u32, u32),
        to: (u32, u32),
    ) -> Result<(), Fault> {
        self.scale_with((x, y), from, to, |bitmap, width, height| {
            Ok(pixels::resize(bitmap, width, height, Filter::Lanczos3)?)
        })
    }

    /// As [`Frame::scale_from`], with the subject's pixels made by `resized` from its bitmap, for a width and a height.
    pub(crate) fn scale_with(
        &mut self,
        (x, y): (u32, u32),
        from: (u32, u32),
        to: (u32, u32),
        resized: impl FnOnce(&Bitmap, u32, u32) -> Result<Bitmap, Fault>,
    ) -> Result<(), Fault> {
        let scale = (f64::from(to.0) / f64::from(from.0), f64::from(to.1) / f64::from(from.1));
        // Both edges are rounded, not the length: layers that touched still touch.
        let span = |start: i64, length: u32, scale: f64| {
            let first = (start as f64 * scale).round() as i64;
            let last = ((start + i64::from(length)) as f64 * scale).round() as i64;
            (first, u32::try_from(last - first).unwrap_or(1).max(1))
        };
        let mut resized = Some(resized);
        let marks = self.marks.iter_mut().map(|mark| &mut mark.layer);
        let cleaned = self.background.as_mut().and_then(Backdrop::layer_mut);
        for layer in std::iter::once(&mut self.subject).chain(&mut self.photo).chain(marks).chain(cleaned) {
            let (left, width) = span(layer.x - i64::from(x), layer.bitmap.width(), scale.0);
            let (top, height) = span(layer.y - i64::from(y), layer.bitmap.height(), scale.1);
            (layer.x, layer.y) = (left, top);
            // The subject comes first; the photo is only looked at.
            let resized = resized.take();
            if (width, height) != (layer.bitmap.width(), layer.bitmap.height()) {
                let bitmap = &layer.bitmap;
                layer.bitmap = Arc::new(match resized {
                    Some(resized) => resized(bitmap, width, height)?,
                    None => pixels::resize(bitmap, width, height, Filter::Lanczos3)?,
                });
            }
        }
        for shadow in &mut self.shadows {
            let (left, width) = span(shadow.x - i64::from(x), shadow.mask.width(), scale.0);
            let (top, height) = span(shadow.y - i64::from(y), shadow.mask.height(), scale.1);
            (shadow.x, shadow.y) = (left, top);
            if (width, height) != (shadow.mask.width(), shadow.mask.height()) {
                shadow.reshape(
                    |mask| pixels::resize_mask(mask, width, height, Filter::Bilinear),
                    |picture| pixels::resize(&picture, width, height, Filter::CatmullRom),
                )?;
            }
        }
        Ok(())
    }

    /// Puts a shadow over the others and under the subject. The canvas grows to hold all of it that shows, unless its
    /// size was asked for; then the shadow is cut.
    pub(crate) fn add_shadow(&mut self, shadow: Shadow) -> Result<(), Fault> {
        let mut view = View { x: 0, y: 0, width: self.width, height: self.height };
        // What changes no level by a half does not show.
        let least = (0.5 / shadow.opacity.max(0.002)).ceil() as u8;
        if let Some(shows) = shadow.mask.bounds(least.max(1)).filter(|_| !self.fixed_size) {
            let union = |at: i64, inner: u32, length: u32, canvas: u32| {
                let first = (at + i64::from(inner)).min(0);
                let last = (at + i64::from(inner) + i64::from(length)).max(i64::from(canvas));
                (first, (last - first) as u32)
            };
            (view.x, view.width) = union(shadow.x, shows.x, shows.width, self.width);
            (view.y, view.height) = union(shadow.y, shows.y, shows.height, self.height);
        }
        self.shadows.push(shadow);
        self.set_view(view)
    }
}

/// A rectangle of the canvas that may reach outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct View {
    /// First column; negative lies left of the canvas.
    pub x: i64,
    /// First row; negative lies above the canvas.
    pub y: i64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// A layer somewhere near a canvas.
struct Placed {
    x: i64,
    y: i64,
    width: u32,
    height: u32,
}

impl Placed {
    /// The part of the layer that lies inside a canvas of that size, and where; `None` when none does.
    fn inside(&self, width: u32, height: u32) -> Option<(Rect, i64, i64)> {
        let axis = |at: i64, length: u32, limit: u32| -> Option<(u32, u32, i64)> {
            let first = at.max(0);
            let last = (at + i64::from(length)).min(i64::from(limit));
            (last > first).then_some(((first - at) as u32, (last - first) as u32, first))
        };
        let (left, inner_width, x) = axis(self.x, self.width, width)?;
        let (top, inner_height, y) = axis(self.y, self.height, height)?;
        Some((Rect { x: left, y: top, width: inner_width, height: inner_height }, x, y))
    }
}

/// The smallest rectangle with everything that shows of a bitmap.
pub(crate) fn bounds(bitmap: &Bitmap) -> Option<Rect> {
    if bitmap.channels() == Channels::Rgb {
        return Some(Rect { x: 0, y: 0, width: bitmap.width(), height: bitmap.height() });
    }
    let width = bitmap.width() as usize;
    match bitmap.samples() {
        Samples::U8(samples) => rows_bounds(samples, width, VISIBLE),
        Samples::U16(samples) => rows_bounds(samples, width, u16::from(VISIBLE) * 257),
    }
}

fn rows_bounds<S: Copy + PartialOrd>(rgba: &[S], width: usize, least: S) -> Option<Rect> {
    let (mut left, mut right, mut top, mut bottom) = (width, 0, None, 0);
    for (y, row) in rgba.chunks_exact(width * 4).enumerate() {
        let pixels = row.as_chunks::<4>().0;
        if let Some(first) = pixels.iter().position(|p| p[3] >= least) {
            // Only what lies outside the columns known so far has to be looked at from the right.
            let last = pixels.iter().rposition(|p| p[3] >= least).unwrap_or(first);
            left = left.min(first);
            right = right.max(last + 1);
            top.get_or_insert(y);
            bottom = y + 1;
        }
    }
    let top = top?;
    Some(Rect { x: left as u32, y: top as u32, width: (right - left) as u32, height: (bottom - top) as u32 })
}

/// Whether a bitmap has real transparency: at least a thousandth of its pixels do not show.
pub(crate) fn is_cut_out(bitmap: &Bitmap) -> bool {
    if bitmap.channels() == Channels::Rgb {
        return false;
    }
    let hidden = match bitmap.samples() {
        Samples::U8(samples) => samples.as_chunks::<4>().0.iter().filter(|p| p[3] < VISIBLE).count(),
        Samples::U16(samples) => {
            samples.as_chunks::<4>().0.iter().filter(|p| p[3] < u16::from(VISIBLE) * 257).count()
        }
    };
    hidden * 1000 >= bitmap.width() as usize * bitmap.height() as usize
}
