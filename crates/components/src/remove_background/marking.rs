//! What a person marked, as marks on the subject's pixels.

use matting::{Mark, Marks};
use pixels::{Bitmap, Filter, Mask, Rect, Samples};

use super::Settings;
use crate::frame::is_cut_out;
use crate::{Context, Fault, Frame};

/// From here on a mask is white, and up to here black: a lossy file scatters its ends.
const WHITE: u8 = 250;
const BLACK: u8 = 5;

/// The marks on the subject's bitmap, the later over the earlier: a mask, boxes and lines, strokes that keep, strokes that
/// remove. `None` where nothing is marked.
pub(super) fn marks(
    frame: &Frame,
    settings: &Settings,
    context: &Context<'_>,
) -> Result<Option<Marks>, Fault> {
    if !settings.has_marks() {
        return Ok(None);
    }
    let size = (frame.width, frame.height);
    let bitmap = &frame.subject.bitmap;
    let mut marks = Marks::new(bitmap.width(), bitmap.height());
    if let Some(image) = &settings.mask {
        let mask = frame.on_subject(&grey_of(&context.image(&image.0)?, size)?)?;
        marks.set_where(&mask, Mark::KeepHere, |value| value >= WHITE)?;
        marks.set_where(&mask, Mark::RemoveHere, |value| value <= BLACK)?;
    }
    let meant = settings.meant();
    if !meant.is_empty() {
        let inside = frame.on_subject(&meant.mask(size.0, size.1)?)?;
        marks.set_where(&inside, Mark::RemoveHere, |value| value < 128)?;
    }
    for (keep, mark) in [(true, Mark::Keep), (false, Mark::Remove)] {
        let strokes = settings.strokes(keep);
        if !strokes.is_empty() {
            marks.set(&frame.on_subject(&strokes.mask(size.0, size.1)?)?, mark)?;
        }
    }
    Ok(Some(marks))
}

/// The part of the bitmap that holds all that may stay, with a margin for the network to see what is around; `None`
/// where that is all of it, or where nothing may.
pub(super) fn part_in_question(marks: &Marks, (width, height): (u32, u32)) -> Option<Rect> {
    let wide = width as usize;
    let (mut left, mut right, mut top, mut bottom) = (wide, 0, None, 0);
    for (y, line) in marks.values().chunks_exact(wide).enumerate() {
        let Some(first) = line.iter().position(|mark| !mark.removes()) else { continue };
        let last = line.iter().rposition(|mark| !mark.removes()).unwrap_or(first);
        (left, right) = (left.min(first), right.max(last + 1));
        top.get_or_insert(y);
        bottom = y + 1;
    }
    let top = top?;
    let inner =
        Rect { x: left as u32, y: top as u32, width: (right - left) as u32, height: (bottom - top) as u32 };
    let part = with_room(inner, (width, height), 0.08);
    ((part.width, part.height) != (width, height)).then_some(part)
}

/// The rectangle with that share of its sides around it, no more than twice as long as wide where there is room, inside a
/// picture of that size.
pub(super) fn with_room(inner: Rect, (width, height): (u32, u32), room: f64) -> Rect {
    let longer = f64::from(inner.width.max(inner.height));
    let axis = |start: u32, length: u32, limit: u32| {
        let wanted = (f64::from(length) + 2.0 * room * longer).max(0.5 * longer).ceil();
        let side = (wanted as u32).clamp(1, limit);
        let middle = f64::from(start) + f64::from(length) / 2.0;
        let first = (middle - f64::from(side) / 2.0).round().clamp(0.0, f64::from(limit - side));
        (first as u32, side)
    };
    let (x, wide) = axis(inner.x, inner.width, width);
    let (y, high) = axis(inner.y, inner.height, height);
    Rect { x, y, width: wide, height: high }
}

/// A mask from a picture: its transparency where it has any, else how light it is.
fn grey_of(picture: &Bitmap, (width, height): (u32, u32)) -> Result<Mask, Fault> {
    let mask = if is_cut_out(picture) {
        picture.alpha()
    } else {
        let flat = pixels::flatten(picture, [0; 3]).into_u8();
        let Samples::U8(samples) = flat.samples() else {
            return Err(Fault::ours("processing_failed", "a mask has 8 bits a sample"));
        };
        let luma = |[r, g, b]: &[u8; 3]| ((u32::from(*r) + 2 * u32::from(*g) + u32::from(*b) + 2) / 4) as u8;
        Mask::new(flat.width(), flat.height(), samples.as_chunks::<3>().0.iter().map(luma).collect())?
    };
    if (width, height) == (mask.width(), mask.height()) {
        return Ok(mask);
    }
    Ok(pixels::resize_mask(&mask, width, height, Filter::Bilinear)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_gets_room_and_stays_inside() {
        let inner = Rect { x: 10, y: 40, width: 20, height: 100 };
        let part = with_room(inner, (200, 150), 0.1);
        assert_eq!(part, Rect { x: 0, y: 30, width: 50, height: 120 });
        let whole = with_room(Rect { x: 0, y: 0, width: 200, height: 150 }, (200, 150), 0.1);
        assert_eq!(whole, Rect { x: 0, y: 0, width: 200, height: 150 });
    }

    #[test]
    fn the_part_in_question_is_where_something_may_stay() {
        let mut marks = Marks::new(100, 100);
        assert_eq!(part_in_question(&marks, (100, 100)), None);
        let outside = |at: usize| !((20..40).contains(&(at % 100)) && (50..70).contains(&(at / 100)));
        let mask = (0..10_000).map(|at| if outside(at) { 255 } else { 0 }).collect();
        marks.set(&Mask::new(100, 100, mask).expect("a mask"), Mark::RemoveHere).expect("the same size");
        let part = part_in_question(&marks, (100, 100)).expect("a part");
        assert_eq!(part, with_room(Rect { x: 20, y: 50, width: 20, height: 20 }, (100, 100), 0.08));
    }
}
