//! The subject as a shining floor mirrors it.
//!
//! Each column is mirrored where the floor lies under it: what stands farther back has its reflection farther up, and
//! the curved foot of something round meets its own reflection all along. Colours stay what they are.

use std::sync::Arc;

use pixels::{Bitmap, Mask, Samples};

use super::feet::Feet;
use crate::soften::{Reach, running_mean_by};
use crate::{Context, Fault, Ink};

/// Rows that a reflection reaches up behind what touches it, so that no light shows through its soft edge.
const BEHIND: f64 = 2.0;
/// Columns that are softened at once: what is read and written together stays in the cache.
const STRIP: usize = 32;

/// How the floor mirrors; lengths in pixels.
pub(super) struct Shine {
    /// How far down something is seen.
    pub length: f64,
    /// Room between the subject and its reflection.
    pub gap: f64,
    /// Standard deviation of the blur at that distance; there is none at the floor.
    pub sigma: f64,
}

/// A reflection: how much of it shows, what it is painted with, and its place beside the subject's bounds. `subject` is
/// cut to what shows, 8 bits, RGBA. `None` where nothing touches the floor.
pub(super) fn of(
    subject: &Bitmap,
    shine: &Shine,
    context: &Context<'_>,
) -> Result<Option<(Mask, Ink, i64, i64)>, Fault> {
    let Samples::U8(samples) = subject.samples() else {
        return Err(Fault::ours("processing_failed", "a reflection is made of 8 bits a sample"));
    };
    let Some(floor) = Feet::of(&subject.alpha()).floor() else { return Ok(None) };
    let pixels = samples.as_chunks::<4>().0;
    let mirror = Mirror::of(pixels, smoothed(&floor), shine);
    let mut rows = Vec::with_capacity(mirror.width * mirror.height);
    for y in 0..mirror.height {
        if y % 128 == 0 {
            context.check_cancelled()?;
        }
        mirror.row(y, &mut rows);
    }
    if shine.sigma >= 0.3 {
        for left in (0..mirror.width).step_by(STRIP) {
            context.check_cancelled()?;
            mirror.soften_columns(&mut rows, left);
        }
    }
    let mut values = Vec::with_capacity(rows.len());
    let mut colours = Vec::with_capacity(rows.len() * 3);
    for (y, row) in rows.chunks_exact(mirror.width).enumerate() {
        for (x, pixel) in row.iter().enumerate() {
            let alpha = f32::from(pixel[3]);
            let shown = (alpha * (255.0 / FULL) * mirror.fade(x, y)).round() as u8;
            values.push(shown);
            let colour = |c: usize| match shown {
                0 => 0,
                _ => (f32::from(pixel[c]) / alpha * 255.0).round() as u8,
            };
            colours.extend_from_slice(&[colour(0), colour(1), colour(2)]);
        }
    }
    let size = (mirror.width as u32, mirror.height as u32);
    let mask = Mask::new(size.0, size.1, values)?;
    let ink = Bitmap::from_u8(size.0, size.1, pixels::Channels::Rgb, colours)?;
    Ok(Some((mask, Ink::Picture(Arc::new(ink)), -(mirror.margin as i64), mirror.top)))
}

const FULL: f32 = 65_535.0;

/// A floor without the steps of whole pixels.
fn smoothed(floor: &[f64]) -> Vec<f64> {
    const REACH: usize = 2;
    (0..floor.len())
        .map(|x| {
            let near = &floor[x.saturating_sub(REACH)..(x + REACH + 1).min(floor.len())];
            near.iter().sum::<f64>() / near.len() as f64
        })
        .collect()
}

/// The plane of a reflection.
struct Mirror<'a> {
    pixels: &'a [[u8; 4]],
    shine: &'a Shine,
    /// Height of the floor under each column of the subject.
    floor: Vec<f64>,
    /// The lowest opaque pixel of each column: what lies under it is its soft edge.
    last: Vec<f64>,
    /// Columns beside the subject, for the blur.
    margin: usize,
    width: usize,
    height: usize,
    /// First row, in the subject's own.
    top: i64,
}

impl<'a> Mirror<'a> {
    fn of(pixels: &'a [[u8; 4]], floor: Vec<f64>, shine: &'a Shine) -> Self {
        let own = floor.len();
        let rows = pixels.len() / own;
        let margin = if shine.sigma >= 0.3 { (shine.sigma * 2.0).ceil() as usize } else { 0 };
        let highest = floor.iter().copied().fold(f64::INFINITY, f64::min);
        let lowest = floor.iter().copied().fold(0.0, f64::max);
        let behind = if shine.gap > 0.0 { 0.0 } else { BEHIND };
        let top = (highest + shine.gap - behind).floor() as i64;
        let bottom = (lowest + shine.gap + shine.length).ceil().max(top as f64 + 1.0) as i64;
        let last = (0..own)
            .map(|x| {
                // Only a soft edge is passed over, not what lies far up.
                let end = (floor[x].ceil() as usize).min(rows);
                let edge = (end.saturating_sub(4)..end).rev();
                let opaque = edge.clone().find(|&y| pixels[y * own + x][3] >= 250);
                opaque.map_or(f64::MAX, |y| y as f64)
            })
            .collect();
        let size = (own + 2 * margin, (bottom - top) as usize);
        Self { pixels, shine, floor, last, margin, width: size.0, height: size.1, top }
    }

    fn floor_at(&self, x: usize) -> f64 {
        self.floor[x.saturating_sub(self.margin).min(self.floor.len() - 1)]
    }

    /// How far along the reflection a pixel lies: 0 at the floor, 1 at the end.
    fn way(&self, x: usize, y: usize) -> f64 {
        let depth = (y as i64 + self.top) as f64 + 0.5 - self.floor_at(x) - self.shine.gap;
        (depth / self.shine.length.max(1e-9)).clamp(0.0, 1.0)
    }

    fn reach(&self, x: usize, y: usize) -> Reach {
        Reach::of(self.shine.sigma * self.way(x, y))
    }

    /// Linear in what is seen would look as if it ended suddenly.
    fn fade(&self, x: usize, y: usize) -> f32 {
        let left = 1.0 - self.way(x, y) as f32;
        left * left.sqrt()
    }

    /// Adds row `y`: mirrored, premultiplied, 16 bits, softened across.
    fn row(&self, y: usize, rows: &mut Vec<[u16; 4]>) {
        let own = self.floor.len();
        let count = (self.pixels.len() / own) as f64;
        let mut row = vec![[0f32; 4]; self.width];
        for (x, pixel) in row[self.margin..self.margin + own].iter_mut().enumerate() {
            let below = (y as i64 + self.top) as f64 + 0.5 - self.shine.gap;
            let depth = below - self.floor[x];
            let behind = if self.shine.gap > 0.0 { 0.0 } else { BEHIND };
            if depth < -behind - 0.5 || (depth < 0.0 && self.last[x] == f64::MAX) {
                continue;
            }
            // The middle of the source's pixel is a whole number here.
            let source = (2.0 * self.floor[x] - below - 0.5).min(self.last[x]);
            if source <= -1.0 || source >= count {
                continue;
            }
            let share = source - source.floor();
            for (at, weight) in [(source.floor(), 1.0 - share), (source.floor() + 1.0, share)] {
                if weight > 0.0 && at >= 0.0 && at < count {
                    let [r, g, b, a] = self.pixels[at as usize * own + x].map(f32::from);
                    let weight = weight as f32 * (FULL / 255.0);
                    let shown = weight * a * (1.0 / 255.0);
                    let sum = [r * shown, g * shown, b * shown, a * weight];
                    pixel.iter_mut().zip(sum).for_each(|(to, one)| *to += one);
                }
            }
        }
        if self.shine.sigma >= 0.3 {
            let reaches: Vec<Reach> = (0..self.width).map(|x| self.reach(x, y)).collect();
            let (mut line, mut sums) = (vec![0f32; self.width], Vec::new());
            for c in 0..4 {
                line.iter_mut().zip(&row).for_each(|(to, pixel)| *to = pixel[c]);
                for _ in 0..3 {
                    running_mean_by(&mut line, |x| reaches[x], &mut sums);
                }
                line.iter().zip(&mut row).for_each(|(from, pixel)| pixel[c] = *from);
            }
        }
        rows.extend(row.iter().map(|pixel| pixel.map(|value| value.round() as u16)));
    }

    /// Softens some columns downwards.
    fn soften_columns(&self, rows: &mut [[u16; 4]], left: usize) {
        let right = (left + STRIP).min(self.width);
        let (mut line, mut sums) = (vec![0f32; self.height], Vec::new());
        let mut strip = Vec::with_capacity((right - left) * self.height);
        for row in rows.chunks_exact(self.width) {
            strip.extend_from_slice(&row[left..right]);
        }
        let wide = right - left;
        for x in 0..wide {
            let reaches: Vec<Reach> = (0..self.height).map(|y| self.reach(left + x, y)).collect();
            for c in 0..4 {
                line.iter_mut()
                    .zip(strip.iter().skip(x).step_by(wide))
                    .for_each(|(to, p)| *to = f32::from(p[c]));
                for _ in 0..3 {
                    running_mean_by(&mut line, |y| reaches[y], &mut sums);
                }
                for (from, pixel) in line.iter().zip(strip.iter_mut().skip(x).step_by(wide)) {
                    pixel[c] = from.round() as u16;
                }
            }
        }
        for (row, from) in rows.chunks_exact_mut(self.width).zip(strip.chunks_exact(wide)) {
            row[left..right].copy_from_slice(from);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use pixels::Channels;

    use super::*;
    use crate::StepCache;

    fn reflected(subject: &Bitmap, shine: &Shine) -> (Mask, Vec<[u8; 3]>, i64, i64) {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        let found = of(subject, shine, &Context::new(&cache, &cancel)).expect("not cancelled");
        let (mask, Ink::Picture(ink), x, y) = found.expect("it stands") else { panic!("a picture") };
        let Samples::U8(samples) = ink.samples() else { panic!("8 bit") };
        (mask, samples.as_chunks::<3>().0.to_vec(), x, y)
    }

    /// 24 by 30, a colour of its own at each pixel.
    fn block() -> Bitmap {
        let samples =
            (0..24 * 30u32).flat_map(|i| [(i % 24) as u8 * 10, (i / 24) as u8 * 8, 77, 255]).collect();
        Bitmap::from_u8(24, 30, Channels::Rgba, samples).expect("24 by 30")
    }

    #[test]
    fn without_blur_it_is_the_exact_mirror() {
        for gap in [0.0, 3.0] {
            let shine = Shine { length: 12.0, gap, sigma: 0.0 };
            let (mask, ink, x, y) = reflected(&block(), &shine);
            assert_eq!((x, mask.width()), (0, 24));
            let first = 30 + gap as i64 - y;
            for depth in 0..11i64 {
                for column in 0..24usize {
                    let at = (first + depth) as usize * 24 + column;
                    assert_eq!(ink[at], [column as u8 * 10, (29 - depth) as u8 * 8, 77], "{depth}");
                    let left: f64 = 1.0 - (depth as f64 + 0.5) / 12.0;
                    assert!((f64::from(mask.values()[at]) - 255.0 * left.powf(1.5)).abs() <= 1.0);
                }
            }
            let behind = &mask.values()[..first as usize * 24];
            assert!(gap == 0.0 || behind.iter().all(|&value| value == 0), "the gap is empty");
        }
    }

    #[test]
    fn blur_grows_with_the_distance() {
        let samples = (0..60 * 80u32)
            .flat_map(|i| if i % 60 < 30 { [250, 250, 250, 255] } else { [10, 10, 10, 255] })
            .collect();
        let subject = Bitmap::from_u8(60, 80, Channels::Rgba, samples).expect("60 by 80");
        let (mask, ink, x, y) = reflected(&subject, &Shine { length: 60.0, gap: 0.0, sigma: 6.0 });
        let width = mask.width() as usize;
        let spread = |depth: i64| {
            let row = &ink[(80 + depth - y) as usize * width..][..width];
            (0..60).filter(|&column| (30..230).contains(&row[(column - x) as usize][0])).count()
        };
        assert!(spread(1) <= 2, "{}", spread(1));
        assert!(spread(15) < spread(30) && spread(30) < spread(45));
        for (value, colour) in mask.values().iter().zip(&ink) {
            assert!(*value > 0 || *colour == [0; 3]);
        }
    }

    #[test]
    fn a_foot_farther_back_has_its_own_floor() {
        // A red foot in front, a green one behind it.
        let samples = (0..100 * 100u32)
            .flat_map(|i| {
                let (x, y) = (i % 100, i / 100);
                match (x, y) {
                    (0..12, _) => [200, 0, 0, 255],
                    (88.., 0..92) => [0, 200, 0, 255],
                    _ => [0; 4],
                }
            })
            .collect();
        let subject = Bitmap::from_u8(100, 100, Channels::Rgba, samples).expect("100 by 100");
        let (mask, ink, _, y) = reflected(&subject, &Shine { length: 40.0, gap: 0.0, sigma: 0.0 });
        let at = |x: usize, row: i64| (row - y) as usize * 100 + x;
        assert_eq!((ink[at(5, 101)], mask.values()[at(5, 101)] > 220), ([200, 0, 0], true));
        assert_eq!((ink[at(95, 93)], mask.values()[at(95, 93)] > 220), ([0, 200, 0], true));
        assert!(mask.values()[at(50, 98)] == 0);
    }
}
