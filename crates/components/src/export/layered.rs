//! The layers of a Photoshop document: what a retoucher goes on working with.

use std::sync::Arc;

use pixels::{Bitmap, Blend, Channels, Document, Layer, LayerMask, MaskValues, Rect, Samples, SamplesMut};

use crate::render::render;
use crate::{Backdrop, Context, Fault, Frame, Ink, Shadow, Subject};

/// A layer that owns its pixels.
struct Owned {
    name: &'static str,
    bitmap: Arc<Bitmap>,
    at: (i32, i32),
    opacity: u8,
    blend: Blend,
    visible: bool,
    mask: Option<Arc<Bitmap>>,
}

/// The layers of a frame, lowest first.
pub(super) struct Layers(Vec<Owned>);

/// A subject of one clear pixel, at the frame's depth, so that what lies under the subject can be rendered alone.
pub(super) fn nothing(frame: &Frame) -> Subject {
    let samples = match frame.subject.bitmap.depth() {
        16 => Samples::U16(vec![0; 4]),
        _ => Samples::U8(vec![0; 4]),
    };
    let pixel = Bitmap::new(1, 1, Channels::Rgba, samples).expect("four samples are one pixel");
    Subject { bitmap: Arc::new(pixel), x: 0, y: 0 }
}

impl Layers {
    /// Makes the layers of a frame over that backdrop.
    pub(super) fn of(
        frame: &Frame,
        backdrop: Option<&Backdrop>,
        context: &Context<'_>,
    ) -> Result<Self, Fault> {
        let mut layers = Vec::new();
        let under =
            |shadows: Vec<Shadow>| Frame { subject: nothing(frame), photo: None, shadows, ..frame.clone() };
        if backdrop.is_some() {
            let bitmap = render(&under(Vec::new()), backdrop, context)?;
            layers.push(Owned::new("background", bitmap, (0, 0)));
        }
        for shadow in &frame.shadows {
            context.check_cancelled()?;
            // At full strength: how much of it shows is the layer's opacity, which can be changed later.
            let full = Shadow { opacity: 1.0, ..shadow.clone() };
            let whole = render(&under(vec![full]), None, context)?;
            let rect = Rect {
                x: shadow.x as u32,
                y: shadow.y as u32,
                width: shadow.mask.width(),
                height: shadow.mask.height(),
            };
            let bitmap = Arc::new(pixels::crop(&whole, rect)?);
            layers.push(Owned {
                opacity: (shadow.opacity * 255.0).round() as u8,
                // Over black ink both blends are the same; others are shown as they were rendered.
                blend: if shadow.ink == Ink::Plain([0; 3]) { Blend::Multiply } else { Blend::Normal },
                ..Owned::new(shadow.kind.title(), bitmap, (shadow.x as i32, shadow.y as i32))
            });
        }
        if let Some(photo) = &frame.photo {
            let original =
                Owned::new("original", Arc::clone(&photo.bitmap), (photo.x as i32, photo.y as i32));
            layers.push(Owned { visible: false, ..original });
        }
        layers.push(product(frame)?);
        Ok(Self(layers))
    }

    /// The document that they make, with the picture as it looks.
    pub(super) fn document<'a>(&'a self, merged: &'a Bitmap) -> Document<'a> {
        let layer = |owned: &'a Owned| Layer {
            name: owned.name,
            bitmap: &owned.bitmap,
            x: owned.at.0,
            y: owned.at.1,
            opacity: owned.opacity,
            blend: owned.blend,
            visible: owned.visible,
            mask: owned.mask.as_ref().map(|bitmap| LayerMask {
                values: MaskValues::Alpha(bitmap),
                x: owned.at.0,
                y: owned.at.1,
                outside: 0,
            }),
        };
        Document { merged, layers: self.0.iter().map(layer).collect() }
    }
}

/// The product: opaque colours with its alpha as the layer's mask, so that the edge can be painted on. What the mask
/// hides shows the photo, where it is known.
fn product(frame: &Frame) -> Result<Owned, Fault> {
    let Subject { bitmap, x, y } = &frame.subject;
    let at = (*x as i32, *y as i32);
    if bitmap.channels() == Channels::Rgb {
        return Ok(Owned::new("product", Arc::clone(bitmap), at));
    }
    let mut colours = Bitmap::clone(bitmap);
    if let Some(photo) = &frame.photo {
        uncover(&mut colours, (*x, *y), photo);
    }
    let (mask, colours) = (Arc::clone(bitmap), Arc::new(colours.without_alpha()));
    Ok(Owned { mask: Some(mask), ..Owned::new("product", colours, at) })
}

/// Takes the colours of fully transparent pixels from the photo, where it lies under them.
fn uncover(bitmap: &mut Bitmap, (x, y): (i64, i64), photo: &Subject) {
    fn fill<S: Copy + Default + PartialEq>(
        to: &mut [S],
        width: usize,
        from: &[S],
        count: usize,
        source: &Subject,
        at: (i64, i64),
    ) {
        let (columns, rows) = (i64::from(source.bitmap.width()), i64::from(source.bitmap.height()));
        for (line, row) in to.chunks_exact_mut(width * 4).enumerate() {
            let v = at.1 + line as i64 - source.y;
            if !(0..rows).contains(&v) {
                continue;
            }
            for (column, pixel) in row.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                let u = at.0 + column as i64 - source.x;
                if pixel[3] == S::default() && (0..columns).contains(&u) {
                    let start = (v * columns + u) as usize * count;
                    pixel[..3].copy_from_slice(&from[start..start + 3]);
                }
            }
        }
    }
    let width = bitmap.width() as usize;
    let count = photo.bitmap.channels().count();
    let matched;
    let source = if photo.bitmap.depth() == bitmap.depth() {
        &photo.bitmap
    } else {
        let copy = Bitmap::clone(&photo.bitmap);
        matched = Arc::new(if bitmap.depth() == 16 { copy.into_u16() } else { copy.into_u8() });
        &matched
    };
    match (bitmap.samples_mut(), source.samples()) {
        (SamplesMut::U8(to), Samples::U8(from)) => fill(to, width, from, count, photo, (x, y)),
        (SamplesMut::U16(to), Samples::U16(from)) => fill(to, width, from, count, photo, (x, y)),
        _ => {}
    }
}

impl Owned {
    fn new(name: &'static str, bitmap: Arc<Bitmap>, at: (i32, i32)) -> Self {
        Self { name, bitmap, at, opacity: 255, blend: Blend::Normal, visible: true, mask: None }
    }
}
