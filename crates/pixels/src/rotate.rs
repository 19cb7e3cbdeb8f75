//! Turning a picture by any angle: one resampling with Lanczos' kernel of six taps, on premultiplied sRGB values.

use crate::{Bitmap, Channels, Mask, PixelError, Samples};

/// Taps of the kernel along each axis.
const TAPS: usize = 6;
/// Places between two pixels that the kernel is tabulated for; further apart than a level of 16 bits shows.
const PHASES: usize = 1024;
/// Pixels along each side of a piece that is worked on at once; its source stays in the cache.
const TILE: usize = 64;

/// What a turned picture shows where the picture does not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outside {
    /// Nothing: the edge gets coverage between 0 and 1.
    Clear,
    /// The colour that the picture has at its edge.
    Extended,
}

/// A rectangle relative to a layer's top left corner, which may reach outside of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First column.
    pub x: i64,
    /// First row.
    pub y: i64,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

impl Window {
    /// The part of it that lies in another one; `None` when none does.
    pub fn inside(self, other: Self) -> Option<Self> {
        let span = |a: i64, a_length: u32, b: i64, b_length: u32| {
            let (first, last) = (a.max(b), (a + i64::from(a_length)).min(b + i64::from(b_length)));
            u32::try_from(last - first).ok().filter(|&length| length > 0).map(|length| (first, length))
        };
        let (x, width) = span(self.x, self.width, other.x, other.width)?;
        let (y, height) = span(self.y, self.height, other.y, other.height)?;
        Some(Self { x, y, width, height })
    }
}

/// Where a layer lies after a turn: around which point of it, and by how much.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turn {
    /// Degrees; clockwise as one looks at the picture.
    pub degrees: f64,
    /// The point that stays, in pixels from the layer's top left corner; a pixel's middle lies at a half.
    pub about: (f64, f64),
}

impl Turn {
    /// The smallest rectangle that holds a turned layer of that size.
    pub fn bounds(&self, width: u32, height: u32) -> Window {
        let (w, h) = (f64::from(width), f64::from(height));
        let corners = [(0.0, 0.0), (w, 0.0), (0.0, h), (w, h)].map(|corner| self.forward(corner));
        // What reaches over a pixel's edge by rounding alone does not claim the pixel.
        let range = |of: [f64; 4]| {
            let least = of.iter().fold(f64::INFINITY, |a, &b| a.min(b));
            let most = of.iter().fold(f64::NEG_INFINITY, |a, &b| a.max(b));
            ((least + 1e-6).floor() as i64, (most - 1e-6).ceil() as i64)
        };
        let (left, right) = range(corners.map(|corner| corner.0));
        let (top, bottom) = range(corners.map(|corner| corner.1));
        let (width, height) = ((right - left).max(1) as u32, (bottom - top).max(1) as u32);
        Window { x: left, y: top, width, height }
    }

    fn forward(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (sin, cos) = self.degrees.to_radians().sin_cos();
        let (dx, dy) = (x - self.about.0, y - self.about.1);
        (self.about.0 + cos * dx - sin * dy, self.about.1 + sin * dx + cos * dy)
    }
}

/// The largest upright rectangle inside a turned picture of that size, in whole pixels: width, height. It has the
/// picture's middle as its own.
pub fn largest_inside(width: u32, height: u32, degrees: f64) -> (u32, u32) {
    let (w, h) = (f64::from(width), f64::from(height));
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (sin, cos) = (sin.abs(), cos.abs());
    let (long, short) = (w.max(h), w.min(h));
    let (inner_width, inner_height) = if short <= 2.0 * sin * cos * long || (sin - cos).abs() < 1e-9 {
        // Two opposite corners lie on the long sides, the others are free.
        let half = short / 2.0;
        if w >= h { (half / sin, half / cos) } else { (half / cos, half / sin) }
    } else {
        let double = cos * cos - sin * sin;
        ((w * cos - h * sin) / double, (h * cos - w * sin) / double)
    };
    let whole = |side: f64, most: u32| ((side + 1e-6).floor() as u32).clamp(1, most.max(1));
    let most = width.max(height);
    (whole(inner_width, most), whole(inner_height, most))
}

/// What a turned picture shows in a window. RGBA unless it is opaque and [`Outside::Extended`]; the depth is the picture's.
/// Calls `pause` every few rows and stops with its error.
pub fn rotate<E: From<PixelError>>(
    bitmap: &Bitmap,
    turn: &Turn,
    window: Window,
    outside: Outside,
    mut pause: impl FnMut() -> Result<(), E>,
) -> Result<Bitmap, E> {
    let is_opaque = bitmap.channels() == Channels::Rgb && outside == Outside::Extended;
    let channels = if is_opaque { Channels::Rgb } else { Channels::Rgba };
    let samples = match bitmap.samples() {
        Samples::U8(samples) => {
            let source = Source { samples, bitmap, outside };
            Samples::U8(resampled(&source, turn, window, channels, &mut pause)?)
        }
        Samples::U16(samples) => {
            let source = Source { samples, bitmap, outside };
            Samples::U16(resampled(&source, turn, window, channels, &mut pause)?)
        }
    };
    Ok(Bitmap::new(window.width, window.height, channels, samples)?)
}

/// What a turned mask shows in a window; 0 where it does not reach.
pub fn rotate_mask(mask: &Mask, turn: &Turn, window: Window) -> Result<Mask, PixelError> {
    // A mask is the alpha of a picture without colour.
    let rgba = mask.values().iter().flat_map(|&value| [0, 0, 0, value]).collect();
    let bitmap = Bitmap::from_u8(mask.width(), mask.height(), Channels::Rgba, rgba)?;
    let turned = rotate(&bitmap, turn, window, Outside::Clear, || Ok::<_, PixelError>(()))?;
    Ok(turned.alpha())
}

/// A sample of either depth.
trait Sample: Copy + Default {
    const FULL: f32;
    fn number(self) -> f32;
    fn of(value: f32) -> Self;
}

impl Sample for u8 {
    const FULL: f32 = 255.0;
    #[inline(always)]
    fn number(self) -> f32 {
        f32::from(self)
    }
    #[inline(always)]
    fn of(value: f32) -> Self {
        (value + 0.5) as u8
    }
}

impl Sample for u16 {
    const FULL: f32 = 65_535.0;
    #[inline(always)]
    fn number(self) -> f32 {
        f32::from(self)
    }
    #[inline(always)]
    fn of(value: f32) -> Self {
        (value + 0.5) as u16
    }
}

struct Source<'a, S> {
    samples: &'a [S],
    bitmap: &'a Bitmap,
    outside: Outside,
}

impl<S: Sample> Source<'_, S> {
    /// Copies a rectangle, which may reach outside, as premultiplied numbers.
    fn read(&self, (left, top): (i64, i64), (width, height): (usize, usize), to: &mut Vec<[f32; 4]>) {
        to.clear();
        let (own_width, own_height) = (i64::from(self.bitmap.width()), i64::from(self.bitmap.height()));
        let count = self.bitmap.channels().count();
        for y in top..top + height as i64 {
            let is_row = (0..own_height).contains(&y);
            if !is_row && self.outside == Outside::Clear {
                to.resize(to.len() + width, [0.0; 4]);
                continue;
            }
            let start = y.clamp(0, own_height - 1) as usize * own_width as usize * count;
            let row = &self.samples[start..][..own_width as usize * count];
            for x in left..left + width as i64 {
                let is_in = (0..own_width).contains(&x);
                if !is_in && self.outside == Outside::Clear {
                    to.push([0.0; 4]);
                    continue;
                }
                let pixel = &row[x.clamp(0, own_width - 1) as usize * count..][..count];
                to.push(if count == 4 {
                    let alpha = pixel[3].number();
                    let share = alpha * (1.0 / S::FULL);
                    [pixel[0].number() * share, pixel[1].number() * share, pixel[2].number() * share, alpha]
                } else {
                    [pixel[0].number(), pixel[1].number(), pixel[2].number(), S::FULL]
                });
            }
        }
    }
}

fn resampled<S: Sample, E: From<PixelError>>(
    source: &Source<'_, S>,
    turn: &Turn,
    window: Window,
    channels: Channels,
    pause: &mut impl FnMut() -> Result<(), E>,
) -> Result<Vec<S>, E> {
    let (width, height, count) = (window.width as usize, window.height as usize, channels.count());
    let kernel = kernel();
    let (sin, cos) = turn.degrees.to_radians().sin_cos();
    let mut out = vec![S::default(); width * height * count];
    let mut piece = Vec::new();
    // Where the middle of a pixel of the result comes from, in pixels of the source.
    let origin = |x: usize, y: usize| {
        let dx = (window.x + x as i64) as f64 + 0.5 - turn.about.0;
        let dy = (window.y + y as i64) as f64 + 0.5 - turn.about.1;
        (turn.about.0 + cos * dx + sin * dy - 0.5, turn.about.1 - sin * dx + cos * dy - 0.5)
    };
    let own = (source.bitmap.width() as f64, source.bitmap.height() as f64);
    for y0 in (0..height).step_by(TILE) {
        pause()?;
        for x0 in (0..width).step_by(TILE) {
            let (x1, y1) = ((x0 + TILE).min(width), (y0 + TILE).min(height));
            let corners = [(x0, y0), (x1 - 1, y0), (x0, y1 - 1), (x1 - 1, y1 - 1)].map(|(x, y)| origin(x, y));
            let least = corners.iter().fold((f64::MAX, f64::MAX), |a, b| (a.0.min(b.0), a.1.min(b.1)));
            let most = corners.iter().fold((f64::MIN, f64::MIN), |a, b| (a.0.max(b.0), a.1.max(b.1)));
            let reach = (TAPS / 2) as f64;
            let misses =
                most.0 < -reach || most.1 < -reach || least.0 > own.0 + reach || least.1 > own.1 + reach;
            if misses && source.outside == Outside::Clear {
                continue;
            }
            let first = (least.0.floor() as i64 - reach as i64, least.1.floor() as i64 - reach as i64);
            let size = (
                (most.0.floor() as i64 - first.0) as usize + TAPS,
                (most.1.floor() as i64 - first.1) as usize + TAPS,
            );
            source.read(first, size, &mut piece);
            for y in y0..y1 {
                let row = &mut out[(y * width + x0) * count..(y * width + x1) * count];
                let (start_x, start_y) = origin(x0, y);
                let start = (start_x - first.0 as f64, start_y - first.1 as f64);
                for (i, pixel) in row.chunks_exact_mut(count).enumerate() {
                    let at = (start.0 + cos * i as f64, start.1 - sin * i as f64);
                    let value = sampled(&piece, size.0, at, &kernel);
                    finish(pixel, value);
                }
            }
        }
    }
    Ok(out)
}

/// The premultiplied colour between pixels.
#[inline(always)]
fn sampled(piece: &[[f32; 4]], stride: usize, (x, y): (f64, f64), kernel: &[[f32; TAPS]]) -> [f32; 4] {
    // Both are positive: the piece reaches farther than the kernel.
    let (x, y) = ((x * PHASES as f64 + 0.5) as usize, (y * PHASES as f64 + 0.5) as usize);
    let (column, row) = (x / PHASES - (TAPS / 2 - 1), y / PHASES - (TAPS / 2 - 1));
    let (across, down) = (&kernel[x % PHASES], &kernel[y % PHASES]);
    let mut sum = [0.0f32; 4];
    for (i, weight) in down.iter().enumerate() {
        let taps = &piece[(row + i) * stride + column..][..TAPS];
        let mut line = [0.0f32; 4];
        for (tap, weight) in taps.iter().zip(across) {
            (0..4).for_each(|c| line[c] += tap[c] * weight);
        }
        (0..4).for_each(|c| sum[c] += line[c] * weight);
    }
    sum
}

/// Takes coverage out again, keeps what the kernel overshoots inside the range, and rounds.
#[inline(always)]
fn finish<S: Sample>(to: &mut [S], [r, g, b, alpha]: [f32; 4]) {
    let cover = S::of(alpha.clamp(0.0, S::FULL));
    let whole = cover.number();
    if let [to_r, to_g, to_b, rest @ ..] = to {
        // Where coverage overshoots, colours do as much.
        let share = if whole > 0.0 { S::FULL / alpha } else { 0.0 };
        *to_r = S::of((r * share).clamp(0.0, S::FULL));
        *to_g = S::of((g * share).clamp(0.0, S::FULL));
        *to_b = S::of((b * share).clamp(0.0, S::FULL));
        if let [to_alpha] = rest {
            *to_alpha = cover;
        }
    }
}

/// Lanczos' kernel with three lobes at every phase, each row summing to 1.
fn kernel() -> Vec<[f32; TAPS]> {
    let lanczos = |x: f64| {
        let sinc = |x: f64| {
            if x.abs() < 1e-9 { 1.0 } else { (std::f64::consts::PI * x).sin() / (std::f64::consts::PI * x) }
        };
        if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
    };
    (0..PHASES)
        .map(|phase| {
            let share = phase as f64 / PHASES as f64;
            let taps: [f64; TAPS] =
                std::array::from_fn(|tap| lanczos(tap as f64 - (TAPS / 2 - 1) as f64 - share));
            let sum: f64 = taps.iter().sum();
            taps.map(|tap| (tap / sum) as f32)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(bitmap: &Bitmap, degrees: f64, outside: Outside) -> (Bitmap, Window) {
        let about = (f64::from(bitmap.width()) / 2.0, f64::from(bitmap.height()) / 2.0);
        let turn = Turn { degrees, about };
        let window = turn.bounds(bitmap.width(), bitmap.height());
        (rotate(bitmap, &turn, window, outside, || Ok::<_, PixelError>(())).expect("a turn"), window)
    }

    /// Smooth colours in a disc, clear around it.
    fn disc(side: u32) -> Bitmap {
        let samples = (0..side * side)
            .flat_map(|i| {
                let (x, y) = ((i % side) as f32 + 0.5, (i / side) as f32 + 0.5);
                let radius = side as f32 / 2.0;
                let (u, v) = (x / radius - 1.0, y / radius - 1.0);
                let alpha = ((0.85 - u.hypot(v)) * radius * 0.5 + 0.5).clamp(0.0, 1.0);
                let value = |t: f32| (128.0 + 100.0 * (t * 4.0).sin()) as u8;
                if alpha == 0.0 { [0; 4] } else { [value(u), value(v), value(u - v), (alpha * 255.0) as u8] }
            })
            .collect();
        Bitmap::from_u8(side, side, Channels::Rgba, samples).expect("a square")
    }

    #[test]
    fn there_and_back_is_nearly_where_it_began() {
        let before = disc(120);
        for degrees in [3.0, 17.5, 45.0, -80.0, 133.0] {
            let (there, _) = done(&before, degrees, Outside::Clear);
            let (back, _) = done(&there, -degrees, Outside::Clear);
            let (x, y) = ((back.width() - 120) / 2, (back.height() - 120) / 2);
            let rect = crate::Rect { x, y, width: 120, height: 120 };
            let after = crate::crop(&back, rect).expect("inside");
            let (Samples::U8(a), Samples::U8(b)) = (before.samples(), after.samples()) else {
                panic!("8 bit")
            };
            let mut sum = 0.0;
            for (a, b) in a.as_chunks::<4>().0.iter().zip(b.as_chunks::<4>().0) {
                assert!(b[3] > 0 || b[..3] == [0; 3], "what is clear is black");
                let weight = f64::from(a[3].min(b[3])) / 255.0;
                sum += (0..3).map(|c| f64::from(a[c].abs_diff(b[c])) * weight).sum::<f64>();
                sum += f64::from(a[3].abs_diff(b[3]));
            }
            assert!(sum / (a.len() as f64) < 0.6, "{degrees}: {}", sum / a.len() as f64);
        }
    }

    #[test]
    fn edges_of_a_cut_out_bring_no_foreign_colour() {
        let samples = [250u8, 20, 30, 255].repeat(40 * 30);
        let bitmap = Bitmap::from_u8(40, 30, Channels::Rgba, samples).expect("40 by 30");
        for degrees in [7.0, 45.0, 89.0] {
            let Samples::U8(samples) = done(&bitmap, degrees, Outside::Clear).0.into_samples() else {
                panic!("8 bit")
            };
            for pixel in samples.as_chunks::<4>().0 {
                let differs = pixel[..3] != [250, 20, 30] && pixel[3] > 8;
                assert!(!differs, "{degrees}: {pixel:?}");
            }
        }
    }

    #[test]
    fn a_plain_picture_stays_plain_and_the_depth_stays() {
        let plain = Bitmap::from_u16(50, 30, Channels::Rgb, vec![40_000; 4500]).expect("50 by 30");
        let (turned, _) = done(&plain, 12.0, Outside::Extended);
        assert_eq!(turned.channels(), Channels::Rgb);
        let Samples::U16(samples) = turned.samples() else { panic!("16 bit") };
        assert!(samples.iter().all(|&v| v.abs_diff(40_000) <= 1));
        assert_eq!(done(&plain, 12.0, Outside::Clear).0.channels(), Channels::Rgba);
    }

    #[test]
    fn a_point_goes_clockwise_to_where_it_is_said_to() {
        let (side, spot) = (101u32, (80.5, 50.5));
        let samples = (0..side * side)
            .flat_map(|i| {
                let (x, y) = (f64::from(i % side) + 0.5, f64::from(i / side) + 0.5);
                let value = (255.0 * (-((x - spot.0).powi(2) + (y - spot.1).powi(2)) / 12.0).exp()) as u8;
                [value; 3]
            })
            .collect();
        let bitmap = Bitmap::from_u8(side, side, Channels::Rgb, samples).expect("a square");
        for degrees in [30.0, 90.0, -45.0] {
            let (turned, window) = done(&bitmap, degrees, Outside::Clear);
            let Samples::U8(samples) = turned.samples() else { panic!("8 bit") };
            let (mut sum, mut at) = (0.0, (0.0, 0.0));
            for (i, pixel) in samples.as_chunks::<4>().0.iter().enumerate() {
                let weight = f64::from(pixel[0]) * f64::from(pixel[3]) / 255.0;
                let width = turned.width() as usize;
                at.0 += weight * ((i % width) as f64 + 0.5 + window.x as f64);
                at.1 += weight * ((i / width) as f64 + 0.5 + window.y as f64);
                sum += weight;
            }
            let (sin, cos) = f64::to_radians(degrees).sin_cos();
            let expected = (50.5 + 30.0 * cos, 50.5 + 30.0 * sin);
            let off = (at.0 / sum - expected.0).hypot(at.1 / sum - expected.1);
            assert!(off < 0.05, "{degrees}: {off}");
        }
    }

    #[test]
    fn the_largest_rectangle_inside_touches_the_turned_picture() {
        for (size, degrees, expected) in [
            ((100, 100), 45.0, (70, 70)),
            ((200, 100), 0.0, (200, 100)),
            ((200, 100), 90.0, (100, 200)),
            ((400, 100), 30.0, (100, 57)),
        ] {
            assert_eq!(largest_inside(size.0, size.1, degrees), expected, "{size:?} by {degrees}");
        }
        for degrees in [1.0, 8.0, 23.0, 61.0, -12.0] {
            let (width, height) = largest_inside(300, 200, degrees);
            let back = Turn { degrees: -degrees, about: (0.0, 0.0) };
            let (w, h) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
            for corner in [(w, h), (-w, h), (w, -h), (-w, -h)] {
                let (x, y) = back.forward(corner);
                assert!(x.abs() <= 150.01 && y.abs() <= 100.01, "{degrees}: {x} {y}");
            }
        }
    }

    #[test]
    fn masks_turn_like_pictures() {
        let mask = Mask::new(20, 10, vec![255; 200]).expect("20 by 10");
        let turn = Turn { degrees: 90.0, about: (10.0, 5.0) };
        let window = turn.bounds(20, 10);
        assert_eq!(window, Window { x: 5, y: -5, width: 10, height: 20 });
        let turned = rotate_mask(&mask, &turn, window).expect("a turn");
        assert!(turned.values().iter().all(|&v| v == 255));
        let far = Window { x: 5, y: 0, width: 100, height: 5 };
        assert_eq!(window.inside(far), Some(Window { x: 5, y: 0, width: 10, height: 5 }));
        assert_eq!(window.inside(Window { x: 15, ..far }), None);
    }
}
