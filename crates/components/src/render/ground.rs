//! What lies under everything, made at the canvas's size, row by row.

use std::borrow::Cow;

use pixels::{Bitmap, Filter, Samples};

use super::{Sample, line_of, over_opaque};
use crate::Fault;
use crate::backdrop::{Backdrop, Cleaned, Fitting, Gradient, Picture, Run};

/// A backdrop, ready for a canvas.
pub(super) enum Ground<'a> {
    Plain([u8; 3]),
    Gradient { gradient: &'a Gradient, run: Along, dithered: bool },
    Picture { bitmap: Cow<'a, Bitmap>, colour: [u8; 3], at: (i64, i64), repeats: bool },
    Cleaned(&'a Cleaned),
}

impl<'a> Ground<'a> {
    /// The backdrop for a canvas of that size; a gradient is `dithered` where the file has 8 bits.
    pub(super) fn of(backdrop: &'a Backdrop, canvas: (u32, u32), dithered: bool) -> Result<Self, Fault> {
        Ok(match backdrop {
            Backdrop::Plain(colour) => Self::Plain(*colour),
            Backdrop::Gradient(gradient) => {
                Self::Gradient { gradient, run: Along::of(gradient.run, canvas), dithered }
            }
            Backdrop::Picture(picture) => fitted(picture, canvas)?,
            Backdrop::Cleaned(cleaned) => Self::Cleaned(cleaned),
        })
    }

    /// Fills row `y` of the canvas, RGB.
    pub(super) fn fill<S: Sample>(&self, row: &mut [S], y: usize) {
        let row = row.as_chunks_mut::<3>().0;
        match self {
            Self::Plain(colour) => row.fill(colour.map(S::of_byte)),
            Self::Gradient { gradient, run, dithered } => {
                for (x, pixel) in row.iter_mut().enumerate() {
                    let colour = colour_at(&gradient.stops, run.share(x as f64, y as f64));
                    *pixel = if *dithered {
                        // The same for all channels, so that grey stays grey; what is whole stays exactly so.
                        let rise = threshold(x, y);
                        colour.map(|value| S::of_byte((value + rise) as u8))
                    } else {
                        colour.map(|value| S::of_share(value / 255.0))
                    };
                }
            }
            Self::Picture { bitmap, colour, at, repeats } => {
                let (width, height) = (i64::from(bitmap.width()), i64::from(bitmap.height()));
                let line = match *repeats {
                    true => Some((y as i64 - at.1).rem_euclid(height) as usize),
                    false => line_of(y, at.1, bitmap.height()),
                };
                let Some(line) = line else { return row.fill(colour.map(S::of_byte)) };
                for (x, pixel) in row.iter_mut().enumerate() {
                    let column = x as i64 - at.0;
                    let column = if *repeats { column.rem_euclid(width) } else { column };
                    *pixel = match (0..width).contains(&column) {
                        true => pixel_of(bitmap, column as usize, line),
                        false => colour.map(S::of_byte),
                    };
                }
            }
            Self::Cleaned(cleaned) => {
                row.fill(cleaned.colour.map(S::of_byte));
                over_opaque(row, y, &cleaned.layer);
            }
        }
    }
}

/// One pixel of an opaque bitmap.
fn pixel_of<S: Sample>(bitmap: &Bitmap, x: usize, y: usize) -> [S; 3] {
    let start = (y * bitmap.width() as usize + x) * bitmap.channels().count();
    match bitmap.samples() {
        Samples::U8(samples) => std::array::from_fn(|c| S::of_byte(samples[start + c])),
        Samples::U16(samples) => std::array::from_fn(|c| S::of_wide(samples[start + c])),
    }
}

/// A picture at the size that it has on the canvas, and where it lies.
fn fitted<'a>(picture: &'a Picture, canvas: (u32, u32)) -> Result<Ground<'a>, Fault> {
    let bitmap = picture.bitmap.as_ref();
    let (width, height) = (f64::from(bitmap.width()), f64::from(bitmap.height()));
    let resized = |source: &Bitmap, (width, height): (u32, u32)| -> Result<Bitmap, Fault> {
        Ok(pixels::resize(source, width, height, Filter::Lanczos3)?)
    };
    // Free room, or what stands over where that is negative, is shared out by the focus.
    let place = |own: u32, whole: u32, focus: f32| {
        ((f64::from(whole) - f64::from(own)) * f64::from(focus)).round() as i64
    };
    let laid = |bitmap: Cow<'a, Bitmap>, repeats: bool| {
        let at = (
            place(bitmap.width(), canvas.0, picture.focus.0),
            place(bitmap.height(), canvas.1, picture.focus.1),
        );
        Ground::Picture { bitmap, colour: picture.colour, at, repeats }
    };
    Ok(match picture.fitting {
        Fitting::Cover => {
            let scale = (f64::from(canvas.0) / width).max(f64::from(canvas.1) / height);
            let part = |side: u32, own: u32| ((f64::from(side) / scale).round() as u32).clamp(1, own);
            let (wide, tall) = (part(canvas.0, bitmap.width()), part(canvas.1, bitmap.height()));
            let first =
                |part: u32, own: u32, focus: f32| (f64::from(own - part) * f64::from(focus)).round() as u32;
            let rect = pixels::Rect {
                x: first(wide, bitmap.width(), picture.focus.0),
                y: first(tall, bitmap.height(), picture.focus.1),
                width: wide,
                height: tall,
            };
            laid(Cow::Owned(resized(&pixels::crop(bitmap, rect)?, canvas)?), false)
        }
        Fitting::Contain => {
            let size = pixels::fit_inside((bitmap.width(), bitmap.height()), canvas, true);
            laid(Cow::Owned(resized(bitmap, size)?), false)
        }
        Fitting::Tile(percent) if percent > 0.0 => {
            let wide = (f64::from(canvas.0) * f64::from(percent) / 100.0).round().max(1.0);
            let tall = (height * wide / width).round().clamp(1.0, 30_000.0);
            laid(Cow::Owned(resized(bitmap, (wide as u32, tall as u32))?), true)
        }
        Fitting::Tile(_) => laid(Cow::Borrowed(bitmap), true),
    })
}

/// How far along a gradient each pixel of a canvas lies.
pub(super) enum Along {
    Linear { x: f64, y: f64, start: f64 },
    Radial { centre: (f64, f64), farthest: f64 },
}

impl Along {
    /// Measured between the middles of pixels, so that the outermost have exactly the outermost colours.
    fn of(run: Run, (width, height): (u32, u32)) -> Self {
        let (right, bottom) = (f64::from(width - 1), f64::from(height - 1));
        match run {
            Run::Linear(degrees) => {
                // Whole right angles have no remainder of rounding.
                let (sin, cos) = match degrees {
                    0.0 | 360.0 => (0.0, 1.0),
                    90.0 => (1.0, 0.0),
                    180.0 => (0.0, -1.0),
                    270.0 => (-1.0, 0.0),
                    _ => f64::from(degrees).to_radians().sin_cos(),
                };
                let length = right * cos.abs() + bottom * sin.abs();
                let start = right * cos.min(0.0) + bottom * sin.min(0.0);
                let scale = if length > 0.0 { 1.0 / length } else { 0.0 };
                Self::Linear { x: cos * scale, y: sin * scale, start: start * scale }
            }
            Run::Radial(x, y) => {
                let centre = (right * f64::from(x), bottom * f64::from(y));
                let reach = (centre.0.max(right - centre.0), centre.1.max(bottom - centre.1));
                Self::Radial { centre, farthest: reach.0.hypot(reach.1).max(1e-9) }
            }
        }
    }

    #[inline(always)]
    fn share(&self, x: f64, y: f64) -> f64 {
        let share = match self {
            Self::Linear { x: across, y: down, start } => x * across + y * down - start,
            Self::Radial { centre, farthest } => (x - centre.0).hypot(y - centre.1) / farthest,
        };
        share.clamp(0.0, 1.0)
    }
}

/// The colour at a share of the way, in levels of 255.
fn colour_at(stops: &[(f32, [u8; 3])], share: f64) -> [f64; 3] {
    let after = stops.partition_point(|stop| f64::from(stop.0) <= share);
    let whole = |colour: [u8; 3]| colour.map(f64::from);
    match (after.checked_sub(1).map(|before| stops[before]), stops.get(after)) {
        (None, None) => [0.0; 3],
        (None, Some(&(_, colour))) | (Some((_, colour)), None) => whole(colour),
        (Some((from, a)), Some(&(to, b))) => {
            let t = (share - f64::from(from)) / (f64::from(to) - f64::from(from));
            std::array::from_fn(|c| f64::from(a[c]) + (f64::from(b[c]) - f64::from(a[c])) * t)
        }
    }
}

/// From just above 0 to just below 1, so that rounding of a whole level does not count; spread evenly over any few
/// pixels: interleaved gradient noise (Jimenez 2014).
#[inline(always)]
fn threshold(x: usize, y: usize) -> f64 {
    let inner = (0.067_110_56 * x as f64 + 0.005_837_15 * y as f64).fract();
    (52.982_918_9 * inner).fract() * 0.999_98 + 0.000_01
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pixels::Channels;

    use super::*;

    fn rows(backdrop: &Backdrop, (width, height): (u32, u32), dithered: bool) -> Vec<Vec<[u8; 3]>> {
        let ground = Ground::of(backdrop, (width, height), dithered).expect("a backdrop");
        (0..height as usize)
            .map(|y| {
                let mut row = vec![0u8; width as usize * 3];
                ground.fill(&mut row, y);
                row.as_chunks::<3>().0.to_vec()
            })
            .collect()
    }

    fn gradient(run: Run) -> Backdrop {
        let stops = vec![(0.0, [255, 250, 240]), (0.25, [200; 3]), (1.0, [90, 100, 110])];
        Backdrop::Gradient(Gradient { run, stops })
    }

    #[test]
    fn a_gradient_has_its_colours_exactly_where_they_are_asked_for() {
        for (angle, first, last) in [
            (0.0, (0, 0), (40, 0)),
            (90.0, (7, 0), (7, 20)),
            (180.0, (40, 3), (0, 3)),
            (270.0, (9, 20), (9, 0)),
            (30.0, (0, 0), (40, 20)),
            (135.0, (40, 0), (0, 20)),
        ] {
            for dithered in [false, true] {
                let rows = rows(&gradient(Run::Linear(angle)), (41, 21), dithered);
                assert_eq!(rows[first.1][first.0], [255, 250, 240], "{angle}");
                assert_eq!(rows[last.1][last.0], [90, 100, 110], "{angle}");
            }
        }
        // A quarter of the way is a whole pixel.
        assert_eq!(rows(&gradient(Run::Linear(0.0)), (41, 3), true)[1][10], [200; 3]);
        let round = rows(&gradient(Run::Radial(0.5, 0.5)), (41, 21), true);
        assert_eq!(round[10][20], [255, 250, 240]);
        for corner in [round[0][0], round[0][40], round[20][0], round[20][40]] {
            assert_eq!(corner, [90, 100, 110]);
        }
        for size in [(1, 1), (1, 9), (9, 1)] {
            assert_eq!(rows(&gradient(Run::Linear(0.0)), size, true)[0][0], [255, 250, 240]);
        }
    }

    #[test]
    fn dithering_hides_steps_and_leaves_grey_grey() {
        let stops = vec![(0.0, [250; 3]), (1.0, [240; 3])];
        let rows = rows(&Backdrop::Gradient(Gradient { run: Run::Linear(0.0), stops }), (800, 64), true);
        assert!(rows.iter().flatten().all(|[r, g, b]| r == g && g == b));
        // Means over small areas follow the line far below one level.
        for left in (0..784).step_by(16) {
            let sum: f64 = rows.iter().flat_map(|row| &row[left..left + 16]).map(|p| f64::from(p[0])).sum();
            let exact = 250.0 - 10.0 * (left as f64 + 7.5) / 799.0;
            assert!((sum / (16.0 * 64.0) - exact).abs() < 0.06, "{left}");
        }
    }

    fn picture(fitting: Fitting, focus: (f32, f32)) -> Backdrop {
        let samples = (0..6u8).flat_map(|i| [i * 40, i, 9]).collect();
        let bitmap = Arc::new(Bitmap::from_u8(3, 2, Channels::Rgb, samples).expect("3 by 2"));
        Backdrop::Picture(Picture { bitmap, fitting, focus, colour: [1, 2, 3] })
    }

    #[test]
    fn tiles_repeat_exactly_from_where_they_are_put() {
        let rows = rows(&picture(Fitting::Tile(0.0), (0.0, 0.0)), (11, 7), true);
        for (y, row) in rows.iter().enumerate() {
            for (x, pixel) in row.iter().enumerate() {
                let i = (x % 3 + y % 2 * 3) as u8;
                assert_eq!(*pixel, [i * 40, i, 9]);
            }
        }
        let centred = self::rows(&picture(Fitting::Tile(0.0), (0.5, 0.5)), (5, 4), true);
        assert_eq!((centred[1][1], centred[1][4]), ([0, 0, 9], [0, 0, 9]));
    }

    #[test]
    fn a_picture_covers_the_canvas_or_is_seen_whole() {
        let covered = rows(&picture(Fitting::Cover, (1.0, 0.5)), (4, 4), true);
        assert!(covered.iter().flatten().all(|pixel| *pixel != [1, 2, 3]));
        assert_eq!(covered[0][3][2], 9);
        let whole = rows(&picture(Fitting::Contain, (0.5, 1.0)), (6, 8), true);
        assert_eq!(whole[0][0], [1, 2, 3]);
        assert_ne!(whole[7][0], [1, 2, 3]);
        assert_eq!(whole.iter().filter(|row| row[0] == [1, 2, 3]).count(), 4);
    }
}
