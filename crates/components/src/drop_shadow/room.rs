//! Soft shadows are worked out small, on a plane around the subject's outline, and enlarged.

use pixels::{Filter, Mask};

use crate::Fault;

/// Longest side of an outline at which shadows are worked out.
const SIDE: f64 = 480.0;
/// How much shorter a length on the floor looks away from the viewer than across.
pub(super) const FLATTENING: f64 = 0.45;

/// The outline as it is worked with.
pub(super) struct Small {
    /// The outline.
    pub outline: Mask,
    /// Its pixels in one of the picture's.
    pub scale: f64,
    full: (u32, u32),
}

impl Small {
    /// Makes an outline small; `alpha` is cut to what shows.
    pub(super) fn of(alpha: &Mask) -> Result<Self, Fault> {
        let full = (alpha.width(), alpha.height());
        let scale = (SIDE / f64::from(full.0.max(full.1))).min(1.0);
        let small = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
        let outline = pixels::resize_mask(alpha, small(full.0), small(full.1), Filter::Bilinear)?;
        Ok(Self { outline, scale, full })
    }

    /// The outline's longer side.
    pub(super) fn side(&self) -> f64 {
        f64::from(self.outline.width().max(self.outline.height()))
    }

    /// The shadow as a mask with its place beside the full outline; `None` where nothing of it lies in the canvas that
    /// is given (its corner beside the outline, its size), which it is cut to, more or less.
    pub(super) fn enlarged(
        &self,
        soft: &Soft,
        canvas: Option<((i64, i64), (u32, u32))>,
    ) -> Result<Option<(Mask, i64, i64)>, Fault> {
        let ratio = (
            f64::from(self.full.0) / f64::from(self.outline.width()),
            f64::from(self.full.1) / f64::from(self.outline.height()),
        );
        let room = &soft.room;
        // Cells of the plane that are seen, with room for the cubic beyond.
        let seen = |from: i64, length: u32, ratio: f64, start: i64, count: usize| {
            let first = ((from as f64 / ratio).floor() as i64 + start - 3).clamp(0, count as i64);
            let last = (((from + i64::from(length)) as f64 / ratio).ceil() as i64 + start + 3)
                .clamp(first, count as i64);
            (first as usize, last as usize)
        };
        let (columns, rows) = match canvas {
            Some(((x, y), (width, height))) => (
                seen(x, width, ratio.0, room.left, room.width),
                seen(y, height, ratio.1, room.top, room.height),
            ),
            None => ((0, room.width), (0, room.height)),
        };
        if columns.0 == columns.1 || rows.0 == rows.1 {
            return Ok(None);
        }
        let width = columns.1 - columns.0;
        let mut part = Vec::with_capacity(width * (rows.1 - rows.0));
        for row in soft.values.chunks_exact(room.width).take(rows.1).skip(rows.0) {
            part.extend_from_slice(&row[columns.0..columns.1]);
        }
        let from = (width as u32, (rows.1 - rows.0) as u32);
        let back = |length: u32, ratio: f64| ((f64::from(length) * ratio).round() as u32).max(1);
        let size = (back(from.0, ratio.0), back(from.1, ratio.1));
        let plane = pixels::resize_plane(&part, from, size, Filter::CatmullRom)?;
        let values = plane.into_iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
        let place =
            |first: usize, start: i64, ratio: f64| ((first as i64 - start) as f64 * ratio).round() as i64;
        let at = (place(columns.0, room.left, ratio.0), place(rows.0, room.top, ratio.1));
        Ok(Some((Mask::new(size.0, size.1, values)?, at.0, at.1)))
    }
}

/// A working plane, and where the outline's corner lies on it.
pub(super) struct Room {
    pub width: usize,
    pub height: usize,
    pub left: i64,
    pub top: i64,
}

impl Room {
    /// Nothing, everywhere.
    pub(super) fn plane(&self) -> Vec<f32> {
        vec![0.0; self.width * self.height]
    }
}

/// A shadow on its plane: 0 (none) to 1.
pub(super) struct Soft {
    pub room: Room,
    pub values: Vec<f32>,
}

impl Soft {
    /// Lets this shadow take a share of the light that another one, `strength` of it, lets through.
    pub(super) fn and(&mut self, other: &Self, strength: f32) {
        let (dx, dy) = (self.room.left - other.room.left, self.room.top - other.room.top);
        for (y, row) in other.values.chunks_exact(other.room.width).enumerate() {
            let to = y as i64 + dy;
            if !(0..self.room.height as i64).contains(&to) {
                continue;
            }
            let own = &mut self.values[to as usize * self.room.width..][..self.room.width];
            let skip = (-dx).max(0) as usize;
            let start = dx.max(0) as usize;
            for (own, other) in own.iter_mut().skip(start).zip(row.iter().skip(skip)) {
                *own = 1.0 - (1.0 - *own) * (1.0 - other * strength);
            }
        }
    }
}
