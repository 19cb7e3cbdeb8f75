//! The piece of an inlay shot that is seen through the opening, at its place on the front's canvas.

use pixels::{Bitmap, Filter, Mask, Rect, SamplesMut};
use retouch::joint::{Fit, Opening};

use crate::Fault;

/// How far the piece goes on below the opening's edge, in shares of the opening's width: the front hides it there.
const BELOW: f64 = 0.06;
/// How high a back stands above the line, in shares of the most that it may.
const STANDS: f64 = 0.4;
/// How far from both ends of the opening what stands above it fades, in shares of its width.
const ENDS: f64 = 0.02;
/// Width of the shadow that the front's edge throws on the inside, in shares of the opening's width.
const SHADOW: f64 = 0.07;
/// How much of the light is lost at the front's edge, and all over the inside, at full depth.
const AT_EDGE: f64 = 0.75;
const INSIDE: f64 = 0.35;

/// The alpha of a front with its opening closed by a straight line.
pub(super) fn filled(alpha: &Mask, opening: &Opening) -> Mask {
    let mut filled = alpha.clone();
    let width = filled.width() as usize;
    for (column, (line, edge)) in (opening.left as usize..).zip(&opening.rows) {
        for y in line.ceil() as usize..=*edge as usize {
            if let Some(value) = filled.values_mut().get_mut(y * width + column) {
                *value = 255;
            }
        }
    }
    filled
}

/// Where an inlay lies that shows little more than the opening: a little wider than that, and as deep.
pub(super) fn by_opening(inlay: &Mask, opening: &Opening, rise: f64) -> Option<Fit> {
    let own = inlay.bounds(128)?;
    let width = f64::from(opening.right - opening.left + 1);
    // The back of a collar stands a little above the ends of the opening, and the shot goes on below it.
    let top = opening.top() - width * rise * STANDS;
    let by_width = width * 1.04 / f64::from(own.width);
    let by_depth = (f64::from(opening.lowest()) + width * BELOW - top) / f64::from(own.height);
    let scale = by_width.max(by_depth);
    let middle = f64::from(own.x) + f64::from(own.width) / 2.0;
    Some(Fit {
        scale,
        x: f64::from(opening.left) + width / 2.0 - middle * scale,
        y: top - f64::from(own.y) * scale,
        overlap: 0.0,
    })
}

/// A piece of an inlay on the front's canvas.
pub(super) struct Inlay {
    bitmap: Bitmap,
    /// Column and row of its corner; the row may be negative.
    x: i64,
    y: i64,
    /// Size of the front's canvas.
    canvas: (u32, u32),
}

impl Inlay {
    /// Cuts out and scales the piece that shows; `None` where the inlay does not reach the opening.
    pub(super) fn laid(
        picture: &Bitmap,
        fit: Fit,
        opening: &Opening,
        rise: f64,
        canvas: (u32, u32),
        may_grow: bool,
    ) -> Result<Option<Self>, Fault> {
        let width = f64::from(opening.right - opening.left + 1);
        let highest = opening.rows.iter().map(|(line, _)| *line).fold(f64::INFINITY, f64::min);
        let mut top = (highest - width * rise).floor();
        if !may_grow {
            top = top.max(0.0);
        }
        let bottom = (f64::from(opening.lowest()) + width * BELOW).min(f64::from(canvas.1));
        // The piece in the inlay's own pixels, as far as there are any.
        let own = |at: f64, from: f64, limit: u32| ((at - from) / fit.scale).clamp(0.0, f64::from(limit));
        let left = own(f64::from(opening.left), fit.x, picture.width()).floor();
        let right = own(f64::from(opening.right) + 1.0, fit.x, picture.width()).ceil();
        let (first, last) =
            (own(top, fit.y, picture.height()).floor(), own(bottom, fit.y, picture.height()).ceil());
        if right - left < 1.0 || last - first < 1.0 {
            return Ok(None);
        }
        let rect = Rect {
            x: left as u32,
            y: first as u32,
            width: (right - left) as u32,
            height: (last - first) as u32,
        };
        let place = |at: f64, from: f64| (at * fit.scale + from).round() as i64;
        let (x, y) = (place(left, fit.x), place(first, fit.y));
        let size = (
            u32::try_from(place(right, fit.x) - x).unwrap_or(1).max(1),
            u32::try_from(place(last, fit.y) - y).unwrap_or(1).max(1),
        );
        let piece = pixels::crop(picture, rect)?;
        let bitmap = pixels::resize(&piece, size.0, size.1, Filter::Lanczos3)?.into_rgba();
        let mut laid = Self { bitmap, x, y, canvas };
        laid.cut(opening, top);
        Ok(laid.bitmap.alpha().bounds(8).map(|_| laid))
    }

    /// Takes away what lies beside, above or below the opening.
    fn cut(&mut self, opening: &Opening, top: f64) {
        let width = self.bitmap.width() as usize;
        let span = f64::from(opening.right - opening.left + 1);
        let (x0, y0) = (self.x, self.y);
        fade(&mut self.bitmap, |at| {
            let (x, y) = (x0 + (at % width) as i64, y0 + (at / width) as i64);
            let Some((line, edge)) =
                usize::try_from(x - i64::from(opening.left)).ok().and_then(|column| opening.rows.get(column))
            else {
                return 0;
            };
            let y = y as f64;
            if y < top || y > f64::from(*edge) + span * BELOW {
                return 0;
            }
            if y >= *line {
                return 255;
            }
            let end = (x - i64::from(opening.left)).min(i64::from(opening.right) - x) as f64;
            ((end + 1.0) / (span * ENDS).max(1.0) * 255.0).min(255.0) as u8
        });
    }

    /// The share of the opening that it covers.
    pub(super) fn covered(&self, front: &Mask, opening: &Opening) -> f64 {
        let inlay = self.bitmap.alpha();
        let (width, own) = (front.width() as usize, inlay.width() as usize);
        let (mut needed, mut there) = (0usize, 0usize);
        for (column, (line, edge)) in (opening.left as usize..).zip(&opening.rows) {
            for y in line.ceil() as usize..*edge as usize {
                if front.values().get(y * width + column).is_some_and(|&value| value >= 128) {
                    continue;
                }
                needed += 1;
                let (x, y) = (column as i64 - self.x, y as i64 - self.y);
                let is_in = (0..own as i64).contains(&x) && (0..i64::from(inlay.height())).contains(&y);
                there += usize::from(is_in && inlay.values()[y as usize * own + x as usize] >= 128);
            }
        }
        if needed == 0 { 1.0 } else { there as f64 / needed as f64 }
    }

    /// Darkens the inside towards the front's edge: there the garment itself takes the light.
    pub(super) fn shade(&mut self, front: &Mask, opening: &Opening, depth: f64) -> Result<(), Fault> {
        let (width, height) = (self.bitmap.width(), self.bitmap.height());
        let near = pixels::place_mask(width, height, front, -self.x, -self.y)?;
        let span = f64::from(opening.right - opening.left + 1);
        let near = pixels::blur_mask(&near, (span * SHADOW).max(1.0) as f32)?;
        let (row, x0, y0) = (width as usize, self.x, self.y);
        let light: Vec<f32> = near
            .values()
            .iter()
            .enumerate()
            .map(|(at, &value)| {
                let (x, y) = (x0 + (at % row) as i64, (y0 + (at / row) as i64) as f64);
                let below = usize::try_from(x - i64::from(opening.left))
                    .ok()
                    .and_then(|column| opening.rows.get(column))
                    .map_or(0.0, |(line, edge)| {
                        ((y - line) / (f64::from(*edge) - line).max(1.0)).clamp(0.0, 1.0)
                    });
                let edge = 1.0 - depth * AT_EDGE * (f64::from(value) / 255.0);
                (edge * (1.0 - depth * INSIDE * below)) as f32
            })
            .collect();
        match self.bitmap.samples_mut() {
            SamplesMut::U8(samples) => {
                for (pixel, light) in samples.as_chunks_mut::<4>().0.iter_mut().zip(light) {
                    for sample in &mut pixel[..3] {
                        *sample = (f32::from(*sample) * light + 0.5) as u8;
                    }
                }
            }
            SamplesMut::U16(samples) => {
                for (pixel, light) in samples.as_chunks_mut::<4>().0.iter_mut().zip(light) {
                    for sample in &mut pixel[..3] {
                        *sample = (f32::from(*sample) * light + 0.5) as u16;
                    }
                }
            }
        }
        Ok(())
    }

    /// The front over it, and how many rows the canvas grew at the top for what stands above it.
    pub(super) fn under(self, front: &Bitmap) -> Result<(Bitmap, u32), Fault> {
        let shows = self.bitmap.alpha().bounds(8).map_or(0, |bounds| self.y + i64::from(bounds.y));
        let above = u32::try_from(-shows).unwrap_or(0);
        let (width, height) = (self.canvas.0, self.canvas.1 + above);
        let below = pixels::place(width, height, &self.bitmap, self.x, self.y + i64::from(above))?;
        drop(self.bitmap);
        let joined = match above {
            0 => pixels::lay_over(&below, front)?,
            _ => pixels::lay_over(&below, &pixels::place(width, height, front, 0, i64::from(above))?)?,
        };
        Ok((joined, above))
    }
}

/// Multiplies alpha by a value (0 to 255) for each pixel; what becomes clear becomes black.
pub(super) fn fade(rgba: &mut Bitmap, by: impl Fn(usize) -> u8) {
    match rgba.samples_mut() {
        SamplesMut::U8(samples) => {
            for (at, pixel) in samples.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                pixel[3] = ((u32::from(pixel[3]) * u32::from(by(at)) + 127) / 255) as u8;
                if pixel[3] == 0 {
                    *pixel = [0; 4];
                }
            }
        }
        SamplesMut::U16(samples) => {
            for (at, pixel) in samples.as_chunks_mut::<4>().0.iter_mut().enumerate() {
                pixel[3] = ((u32::from(pixel[3]) * u32::from(by(at)) + 127) / 255) as u16;
                if pixel[3] == 0 {
                    *pixel = [0; 4];
                }
            }
        }
    }
}
