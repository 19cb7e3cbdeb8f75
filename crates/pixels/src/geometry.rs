//! Cutting a piece out of a picture, and putting a picture on a larger canvas.

use crate::{Bitmap, Channels, Mask, PixelError, Rect, Samples};

/// The part of a bitmap inside `rect`, copied. Refuses a rectangle that is empty or reaches outside.
pub fn crop(bitmap: &Bitmap, rect: Rect) -> Result<Bitmap, PixelError> {
    check_inside(rect, bitmap.width(), bitmap.height())?;
    let channels = bitmap.channels().count();
    let samples = match bitmap.samples() {
        Samples::U8(samples) => Samples::U8(cut(samples, bitmap.width(), channels, rect)),
        Samples::U16(samples) => Samples::U16(cut(samples, bitmap.width(), channels, rect)),
    };
    Bitmap::new(rect.width, rect.height, bitmap.channels(), samples)
}

/// The part of a mask inside `rect`, copied. Refuses a rectangle that is empty or reaches outside.
pub fn crop_mask(mask: &Mask, rect: Rect) -> Result<Mask, PixelError> {
    check_inside(rect, mask.width(), mask.height())?;
    Mask::new(rect.width, rect.height, cut(mask.values(), mask.width(), 1, rect))
}

/// An RGBA canvas of `width` by `height`, transparent black, with the bitmap's top left corner at (`x`, `y`).
/// What lies outside the canvas is cut off; the depth is the bitmap's. Refuses a canvas with a side of 0.
pub fn place(width: u32, height: u32, bitmap: &Bitmap, x: i64, y: i64) -> Result<Bitmap, PixelError> {
    let size = width as usize * height as usize * 4;
    let from = (bitmap.width(), bitmap.height());
    let opaque = bitmap.channels() == Channels::Rgb;
    let samples = match bitmap.samples() {
        Samples::U8(source) => {
            let mut canvas = vec![0u8; size];
            paste(&mut canvas, (width, height), source, from, (x, y), opaque.then_some(u8::MAX));
            Samples::U8(canvas)
        }
        Samples::U16(source) => {
            let mut canvas = vec![0u16; size];
            paste(&mut canvas, (width, height), source, from, (x, y), opaque.then_some(u16::MAX));
            Samples::U16(canvas)
        }
    };
    Bitmap::new(width, height, Channels::Rgba, samples)
}

/// A mask of `width` by `height`, 0 everywhere, with the given mask's top left corner at (`x`, `y`).
/// What lies outside is cut off. Refuses a side of 0.
pub fn place_mask(width: u32, height: u32, mask: &Mask, x: i64, y: i64) -> Result<Mask, PixelError> {
    let mut values = vec![0; width as usize * height as usize];
    if let Some(overlap) = Overlap::of((width, height), (mask.width(), mask.height()), (x, y)) {
        for row in 0..overlap.height {
            let to = (overlap.to_y + row) * width as usize + overlap.to_x;
            let from = (overlap.from_y + row) * mask.width() as usize + overlap.from_x;
            values[to..to + overlap.width].copy_from_slice(&mask.values()[from..from + overlap.width]);
        }
    }
    Mask::new(width, height, values)
}

fn check_inside(rect: Rect, width: u32, height: u32) -> Result<(), PixelError> {
    let right = u64::from(rect.x) + u64::from(rect.width);
    let bottom = u64::from(rect.y) + u64::from(rect.height);
    if rect.width == 0 || rect.height == 0 || right > u64::from(width) || bottom > u64::from(height) {
        return Err(PixelError::Argument {
            name: "rect",
            value: format!("{} by {} at {}, {}", rect.width, rect.height, rect.x, rect.y),
            allowed: "it must hold a pixel and lie inside the picture",
        });
    }
    Ok(())
}

fn cut<S: Copy>(samples: &[S], width: u32, channels: usize, rect: Rect) -> Vec<S> {
    let stride = width as usize * channels;
    let (start, length) = (rect.x as usize * channels, rect.width as usize * channels);
    let mut piece = Vec::with_capacity(length * rect.height as usize);
    for row in samples.chunks_exact(stride).skip(rect.y as usize).take(rect.height as usize) {
        piece.extend_from_slice(&row[start..start + length]);
    }
    piece
}

/// Where a picture placed on a canvas is seen, in both coordinate systems.
struct Overlap {
    to_x: usize,
    to_y: usize,
    from_x: usize,
    from_y: usize,
    width: usize,
    height: usize,
}

impl Overlap {
    fn of(canvas: (u32, u32), picture: (u32, u32), (x, y): (i64, i64)) -> Option<Self> {
        fn axis(canvas: u32, picture: u32, at: i64) -> Option<(usize, usize, usize)> {
            let start = at.max(0);
            let end = at.saturating_add(i64::from(picture)).min(i64::from(canvas));
            let length = end.checked_sub(start).filter(|&length| length > 0)?;
            Some((start as usize, (start - at) as usize, length as usize))
        }
        let (to_x, from_x, width) = axis(canvas.0, picture.0, x)?;
        let (to_y, from_y, height) = axis(canvas.1, picture.1, y)?;
        Some(Self { to_x, to_y, from_x, from_y, width, height })
    }
}

/// Copies RGBA rows, or RGB rows with `opaque` as their alpha, onto an RGBA canvas.
fn paste<S: Copy>(
    canvas: &mut [S],
    canvas_size: (u32, u32),
    source: &[S],
    source_size: (u32, u32),
    at: (i64, i64),
    opaque: Option<S>,
) {
    let Some(overlap) = Overlap::of(canvas_size, source_size, at) else {
        return;
    };
    let channels = if opaque.is_some() { 3 } else { 4 };
    for row in 0..overlap.height {
        let to = ((overlap.to_y + row) * canvas_size.0 as usize + overlap.to_x) * 4;
        let from = ((overlap.from_y + row) * source_size.0 as usize + overlap.from_x) * channels;
        let to = &mut canvas[to..to + overlap.width * 4];
        let from = &source[from..from + overlap.width * channels];
        match opaque {
            None => to.copy_from_slice(from),
            Some(alpha) => {
                for (to, from) in to.chunks_exact_mut(4).zip(from.chunks_exact(3)) {
                    to.copy_from_slice(&[from[0], from[1], from[2], alpha]);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(width: u32, height: u32) -> Bitmap {
        let samples = (0..width * height).flat_map(|i| [i as u8, (i >> 8) as u8, 7]).collect();
        Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("the right number")
    }

    #[test]
    fn a_crop_holds_the_pixels_of_its_rectangle() {
        let piece = crop(&numbered(5, 4), Rect { x: 1, y: 2, width: 3, height: 2 }).expect("inside");
        let Samples::U8(samples) = piece.samples() else { panic!("8 bit") };
        let firsts: Vec<u8> = samples.iter().step_by(3).copied().collect();
        assert_eq!(firsts, [11, 12, 13, 16, 17, 18]);
        assert!(crop(&numbered(5, 4), Rect { x: 3, y: 0, width: 3, height: 1 }).is_err());
        assert!(crop(&numbered(5, 4), Rect { x: 0, y: 0, width: 0, height: 1 }).is_err());
        assert!(crop(&numbered(5, 4), Rect { x: u32::MAX, y: 0, width: u32::MAX, height: 1 }).is_err());
    }

    #[test]
    fn a_placed_picture_keeps_its_pixels_and_the_rest_is_transparent() {
        let canvas = place(4, 3, &numbered(2, 2), 1, -1).expect("a canvas");
        let Samples::U8(samples) = canvas.samples() else { panic!("8 bit") };
        let alpha: Vec<u8> = samples.iter().skip(3).step_by(4).copied().collect();
        assert_eq!(alpha, [0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(&samples[4..8], &[2, 0, 7, 255]);
        for (x, y) in [(4, 0), (-2, 0), (0, 3), (i64::MIN, i64::MAX), (i64::MAX, 0)] {
            assert!(
                !place(4, 3, &numbered(2, 2), x, y)
                    .expect("a canvas")
                    .alpha()
                    .values()
                    .iter()
                    .any(|&a| a > 0)
            );
        }
    }

    #[test]
    fn masks_are_placed_and_cut_like_pictures() {
        let mask = Mask::new(2, 2, vec![1, 2, 3, 4]).expect("the right number");
        let placed = place_mask(3, 3, &mask, 2, 1).expect("a mask");
        assert_eq!(placed.values(), [0, 0, 0, 0, 0, 1, 0, 0, 3]);
        let cut = crop_mask(&placed, Rect { x: 2, y: 1, width: 1, height: 2 }).expect("inside");
        assert_eq!(cut.values(), [1, 3]);
    }
}
