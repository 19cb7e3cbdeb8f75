//! Changes of an alpha that are decided on a small copy of the picture, then brought to full size with the edge solved anew.

use pixels::{Bitmap, Mask};

use crate::error::MattingError;
use crate::refine::{RefineOptions, refine_band};
use crate::source::{Plane, double, halve};
use crate::square::dilated;

/// How far around a change the edge is solved anew, in pixels of the small copy.
const RIM: usize = 4;

/// A picture and its alpha at a size at which regions are looked at as wholes.
pub(crate) struct Small {
    /// The picture.
    pub plane: Plane,
    /// Its alpha.
    pub alpha: Vec<u8>,
    /// Widths and heights of the levels above, the picture's first.
    above: Vec<(usize, usize)>,
}

impl Small {
    /// Halves the picture and its alpha until no side is longer than `side`.
    pub fn of(bitmap: &Bitmap, alpha: &Mask, side: usize) -> Self {
        let mut size = (bitmap.width() as usize, bitmap.height() as usize);
        let mut above = Vec::new();
        let mut plane: Option<Plane> = None;
        let mut values = alpha.values().to_vec();
        while size.0.max(size.1) > side {
            plane = Some(plane.map_or_else(|| Plane::half_of(bitmap), |plane| plane.half()));
            values = halve(&values, size.0, size.1);
            above.push(size);
            size = (size.0.div_ceil(2), size.1.div_ceil(2));
        }
        let plane = plane.unwrap_or_else(|| Plane::copy(bitmap));
        Self { plane, alpha: values, above }
    }

    /// By which power of two the copy is smaller than the picture.
    pub fn halvings(&self) -> usize {
        self.above.len()
    }

    /// Makes pixels product (255), backdrop (-255) or something between, and leaves the rest (0) as it is; around what
    /// changes, the edge is solved at the picture's size. `alpha` must be what the copy was made of.
    pub fn apply(
        &self,
        bitmap: &Bitmap,
        alpha: &mut Mask,
        claims: Vec<i16>,
        options: &RefineOptions,
    ) -> Result<(), MattingError> {
        let (width, height) = (self.plane.width, self.plane.height);
        let changed: Vec<u8> = claims.iter().map(|claim| u8::from(*claim != 0)).collect();
        if !changed.contains(&1) {
            return Ok(());
        }
        let near = dilated(&changed, width, height, RIM);
        let mut claims = claims;
        for &(width, height) in self.above.iter().rev() {
            claims = double(&claims, width, height).map(|value| value as i16).collect();
        }
        for (value, claim) in alpha.values_mut().iter_mut().zip(claims) {
            let target = if claim > 0 { 255 } else { 0 };
            let own = i32::from(*value);
            *value = (own + (target - own) * i32::from(claim.unsigned_abs()) / 255).clamp(0, 255) as u8;
        }
        let options = RefineOptions { source_side: width.max(height) as u32, ..*options };
        let refined = refine_band(bitmap, alpha, &options)?;
        let (full, halvings) = (alpha.width() as usize, self.halvings());
        let lines = alpha.values_mut().chunks_exact_mut(full).zip(refined.values().chunks_exact(full));
        for (y, (line, refined)) in lines.enumerate() {
            let near = &near[(y >> halvings) * width..][..width];
            for (x, (value, refined)) in line.iter_mut().zip(refined).enumerate() {
                if near[x >> halvings] == 1 {
                    *value = *refined;
                }
            }
        }
        Ok(())
    }
}
