//! Holds a component to what it promised: where it may not change the product, its pixels are compared.

use pixels::{Bitmap, Channels, Samples, to_u16};

use crate::Subject;

/// How many pixels of the product differ after a step. Where the step may change the mask, only pixels that are opaque
/// before and after it belong to the product; otherwise all that show do.
pub(crate) fn product_pixels_changed(before: &Subject, after: &Subject, may_change_mask: bool) -> u64 {
    if std::sync::Arc::ptr_eq(&before.bitmap, &after.bitmap) && (before.x, before.y) == (after.x, after.y) {
        return 0;
    }
    // The part of the canvas that both cover; what lies outside of it was cut away or is new.
    let left = before.x.max(after.x);
    let top = before.y.max(after.y);
    let right = (before.x + i64::from(before.bitmap.width())).min(after.x + i64::from(after.bitmap.width()));
    let bottom =
        (before.y + i64::from(before.bitmap.height())).min(after.y + i64::from(after.bitmap.height()));
    if right <= left || bottom <= top {
        return 0;
    }
    let width = (right - left) as usize;
    let mut changed = 0;
    let (mut old, mut new) = (vec![[0; 4]; width], vec![[0; 4]; width]);
    for y in top..bottom {
        read_row(&before.bitmap, (y - before.y) as usize, (left - before.x) as usize, &mut old);
        read_row(&after.bitmap, (y - after.y) as usize, (left - after.x) as usize, &mut new);
        if old == new {
            continue;
        }
        changed += old
            .iter()
            .zip(&new)
            .filter(|(old, new)| match may_change_mask {
                true => old[3] == u16::MAX && new[3] == u16::MAX && old != new,
                false => (old[3] > 0 || new[3] > 0) && old != new,
            })
            .count() as u64;
    }
    changed
}

/// How many of the pixels that count differ between two pictures of one size.
pub(crate) fn pixels_changed(before: &Bitmap, after: &Bitmap, counts: impl Fn(usize) -> bool) -> u64 {
    let width = before.width() as usize;
    let (mut old, mut new) = (vec![[0; 4]; width], vec![[0; 4]; width]);
    let mut changed = 0;
    for y in 0..before.height().min(after.height()) as usize {
        read_row(before, y, 0, &mut old);
        read_row(after, y, 0, &mut new);
        let differs = |x: &usize| old[*x] != new[*x] && counts(y * width + x);
        changed += (0..width).filter(differs).count() as u64;
    }
    changed
}

/// Part of a row as 16-bit RGBA, so that pictures of either depth compare.
fn read_row(bitmap: &Bitmap, y: usize, x: usize, to: &mut [[u16; 4]]) {
    let width = bitmap.width() as usize;
    let count = bitmap.channels().count();
    let span = (y * width + x) * count..(y * width + x + to.len()) * count;
    match (bitmap.samples(), bitmap.channels()) {
        (Samples::U8(samples), Channels::Rgb) => {
            for (to, [r, g, b]) in to.iter_mut().zip(samples[span].as_chunks::<3>().0) {
                *to = [to_u16(*r), to_u16(*g), to_u16(*b), u16::MAX];
            }
        }
        (Samples::U8(samples), Channels::Rgba) => {
            for (to, from) in to.iter_mut().zip(samples[span].as_chunks::<4>().0) {
                *to = from.map(to_u16);
            }
        }
        (Samples::U16(samples), Channels::Rgb) => {
            for (to, [r, g, b]) in to.iter_mut().zip(samples[span].as_chunks::<3>().0) {
                *to = [*r, *g, *b, u16::MAX];
            }
        }
        (Samples::U16(samples), Channels::Rgba) => to.copy_from_slice(samples[span].as_chunks::<4>().0),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn layer(rgba: &[u8], at: (i64, i64)) -> Subject {
        let bitmap = Bitmap::from_u8(2, rgba.len() as u32 / 8, Channels::Rgba, rgba.to_vec());
        Subject { bitmap: Arc::new(bitmap.expect("two columns")), x: at.0, y: at.1 }
    }

    #[test]
    fn only_pixels_that_stay_are_compared_where_the_mask_may_change() {
        let before = layer(&[1, 1, 1, 255, 2, 2, 2, 255, 3, 3, 3, 255, 4, 4, 4, 255], (0, 0));
        let after = layer(&[1, 1, 1, 255, 9, 9, 9, 200, 0, 0, 0, 0, 5, 4, 4, 255], (0, 0));
        assert_eq!(product_pixels_changed(&before, &after, true), 1);
        assert_eq!(product_pixels_changed(&before, &after, false), 3);
        assert_eq!(product_pixels_changed(&before, &before.clone(), false), 0);
    }

    #[test]
    fn a_layer_that_was_cut_or_widened_is_compared_where_it_lies() {
        let before = layer(&[1, 1, 1, 255, 2, 2, 2, 255, 3, 3, 3, 255, 4, 4, 4, 255], (5, 5));
        let row = layer(&[3, 3, 3, 255, 4, 4, 4, 255], (5, 6));
        assert_eq!(product_pixels_changed(&before, &row, false), 0);
        let wide = Subject { bitmap: Arc::new(row.bitmap.as_ref().clone().into_u16()), ..row.clone() };
        assert_eq!(product_pixels_changed(&before, &wide, false), 0);
        assert_eq!(product_pixels_changed(&before, &Subject { y: 5, ..row }, false), 2);
    }
}
