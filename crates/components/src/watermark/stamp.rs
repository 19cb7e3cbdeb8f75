//! A mark before it is laid over the picture: made, turned, and repeated.

use pixels::{Bitmap, Channels, Filter, Mask, Samples};

use crate::Fault;

/// A mask painted with one colour, as RGBA; `strength` (0 to 1) of it.
pub(super) fn painted(mask: &Mask, colour: [u8; 3], strength: f64) -> Result<Bitmap, Fault> {
    let [r, g, b] = colour;
    let pixel = |&value: &u8| match (f64::from(value) * strength).round() as u8 {
        0 => [0; 4],
        alpha => [r, g, b, alpha],
    };
    let samples = mask.values().iter().flat_map(pixel).collect();
    Ok(Bitmap::from_u8(mask.width(), mask.height(), Channels::Rgba, samples)?)
}

/// A picture as a mark of so many pixels across, at 8 bits.
pub(super) fn pictured(picture: Bitmap, width: u32) -> Result<Bitmap, Fault> {
    let height = f64::from(picture.height()) * f64::from(width) / f64::from(picture.width());
    let height = (height.round() as u32).max(1);
    let picture = picture.into_u8();
    if (width, height) == (picture.width(), picture.height()) {
        return Ok(picture.into_rgba());
    }
    Ok(pixels::resize(&picture, width, height, Filter::Lanczos3)?.into_rgba())
}

/// An 8-bit RGBA bitmap turned clockwise about its middle, on a canvas that holds it. Cubic (Catmull and Rom 1974) on
/// premultiplied values; quarter turns are exact.
pub(super) fn turned(bitmap: Bitmap, degrees: f64) -> Result<Bitmap, Fault> {
    if degrees == 0.0 {
        return Ok(bitmap);
    }
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (width, height) = (f64::from(bitmap.width()), f64::from(bitmap.height()));
    // What is wider by less than a hundredth of a pixel is so by rounding alone.
    let side = |a: f64, b: f64| (a.abs() + b.abs() - 0.01).ceil().max(1.0) as u32;
    let (wide, tall) = (side(width * cos, height * sin), side(width * sin, height * cos));
    let Samples::U8(samples) = bitmap.samples() else {
        return Err(Fault::ours("processing_failed", "a mark has 8 bits a sample"));
    };
    let source = samples.as_chunks::<4>().0;
    let columns = bitmap.width() as usize;
    let mut out = Vec::with_capacity(wide as usize * tall as usize * 4);
    for y in 0..tall {
        for x in 0..wide {
            let (dx, dy) =
                (f64::from(x) + 0.5 - f64::from(wide) / 2.0, f64::from(y) + 0.5 - f64::from(tall) / 2.0);
            let at = (dx * cos + dy * sin + width / 2.0 - 0.5, dy * cos - dx * sin + height / 2.0 - 0.5);
            out.extend(cubic(source, columns, at));
        }
    }
    Ok(Bitmap::from_u8(wide, tall, Channels::Rgba, out)?)
}

fn cubic(source: &[[u8; 4]], columns: usize, (x, y): (f64, f64)) -> [u8; 4] {
    let rows = (source.len() / columns) as i64;
    // Rounding of a quarter turn must not reach for the next pixel.
    let (x, y) = ((x * 4096.0).round() / 4096.0, (y * 4096.0).round() / 4096.0);
    let (left, top) = (x.floor() as i64, y.floor() as i64);
    if left < -2 || top < -2 || left > columns as i64 + 1 || top > rows + 1 {
        return [0; 4];
    }
    let (across, down) = (weights((x - left as f64) as f32), weights((y - top as f64) as f32));
    let mut sum = [0.0f32; 4];
    for (row, down) in (top - 1..).zip(down) {
        for (column, across) in (left - 1..).zip(across) {
            if (0..rows).contains(&row) && (0..columns as i64).contains(&column) {
                let [r, g, b, a] = source[row as usize * columns + column as usize].map(f32::from);
                let weight = across * down;
                let share = weight * a * (1.0 / 255.0);
                sum = [sum[0] + r * share, sum[1] + g * share, sum[2] + b * share, sum[3] + a * weight];
            }
        }
    }
    let alpha = (sum[3] + 0.5) as u8;
    if alpha == 0 {
        return [0; 4];
    }
    let colour = |value: f32| (value * 255.0 / sum[3] + 0.5) as u8;
    [colour(sum[0]), colour(sum[1]), colour(sum[2]), alpha]
}

fn weights(t: f32) -> [f32; 4] {
    let (t2, t3) = (t * t, t * t * t);
    [-0.5 * t3 + t2 - 0.5 * t, 1.5 * t3 - 2.5 * t2 + 1.0, -1.5 * t3 + 2.0 * t2 + 0.5 * t, 0.5 * t3 - 0.5 * t2]
}

/// A canvas full of an 8-bit RGBA mark, `gap` pixels apart, every other row moved by half; one lies in the middle.
pub(super) fn tiled(mark: &Bitmap, (width, height): (u32, u32), gap: u32) -> Result<Bitmap, Fault> {
    let Samples::U8(samples) = mark.samples() else {
        return Err(Fault::ours("processing_failed", "a mark has 8 bits a sample"));
    };
    let own = mark.width() as usize;
    let (across, down) = (i64::from(mark.width() + gap), i64::from(mark.height() + gap));
    let start = |whole: u32, own: u32| (i64::from(whole) - i64::from(own)) / 2;
    let (left, top) = (start(width, mark.width()), start(height, mark.height()));
    let mut out = vec![0u8; width as usize * height as usize * 4];
    for (y, row) in out.as_chunks_mut::<4>().0.chunks_exact_mut(width as usize).enumerate() {
        let from_top = y as i64 - top;
        let line = from_top.rem_euclid(down) as usize;
        if line >= mark.height() as usize {
            continue;
        }
        let values = &samples.as_chunks::<4>().0[line * own..][..own];
        let moved = if from_top.div_euclid(down).rem_euclid(2) == 1 { across / 2 } else { 0 };
        for (x, pixel) in row.iter_mut().enumerate() {
            let column = (x as i64 - left - moved).rem_euclid(across) as usize;
            if let Some(value) = values.get(column) {
                *pixel = *value;
            }
        }
    }
    Ok(Bitmap::from_u8(width, height, Channels::Rgba, out)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn corner() -> Bitmap {
        let samples = vec![9, 8, 7, 255, 1, 2, 3, 128, 0, 0, 0, 0, 4, 5, 6, 255, 0, 0, 0, 0, 7, 7, 7, 7];
        Bitmap::from_u8(3, 2, Channels::Rgba, samples).expect("3 by 2")
    }

    #[test]
    fn quarter_turns_are_exact() {
        let once = turned(corner(), 90.0).expect("turned");
        assert_eq!((once.width(), once.height()), (2, 3));
        let Samples::U8(samples) = once.samples() else { panic!("8 bits") };
        assert_eq!(samples[..8], [4, 5, 6, 255, 9, 8, 7, 255]);
        let mut four = corner();
        for _ in 0..4 {
            four = turned(four, 90.0).expect("turned");
        }
        assert_eq!(four, corner());
        assert_eq!(
            turned(turned(corner(), 137.0).expect("turned"), 0.0).expect("turned").channels(),
            Channels::Rgba
        );
    }

    #[test]
    fn tiles_fill_the_canvas_around_its_middle() {
        let dot = Bitmap::from_u8(1, 1, Channels::Rgba, vec![5, 5, 5, 255]).expect("a pixel");
        let tiles = tiled(&dot, (7, 5), 1).expect("tiles");
        let Samples::U8(samples) = tiles.samples() else { panic!("8 bits") };
        let rows: Vec<String> = samples
            .chunks(28)
            .map(|row| row.chunks(4).map(|pixel| if pixel[3] > 0 { '#' } else { '.' }).collect())
            .collect();
        assert_eq!(rows, ["#.#.#.#", ".......", ".#.#.#.", ".......", "#.#.#.#"].map(|row| row.to_owned()));
    }
}
