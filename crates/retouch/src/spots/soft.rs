//! Dust on a sensor: large, soft, round shadows that show on even surfaces only.

use pixels::Mask;

use super::shape::pieces;
use super::tophat::{Luma, TopHat};
use super::twins::Crowd;
use super::unrest::{Sureness, Unrest};

/// How much smaller the picture is looked at.
const SCALE: usize = 4;
/// Side of the square that a spot has to be smaller than, at that size.
const SIDE: usize = 33;

/// A round spot, in pixels of the picture.
pub(crate) struct Disc {
    x: f32,
    y: f32,
    radius: f32,
}

impl Disc {
    /// Marks it.
    pub(crate) fn mark(&self, mask: &mut Mask) {
        let (width, height) = (mask.width() as usize, mask.height() as usize);
        let rows =
            (self.y - self.radius).max(0.0) as usize..((self.y + self.radius) as usize + 1).min(height);
        for y in rows {
            let away = y as f32 + 0.5 - self.y;
            let half = (self.radius * self.radius - away * away).max(0.0).sqrt();
            let first = (self.x - half).max(0.0) as usize;
            let last = ((self.x + half) as usize + 1).min(width);
            mask.values_mut()[y * width..][first.min(last)..last].fill(255);
        }
    }
}

/// Every sensor spot: darker by at most an eighth of the range, round, soft, and alone on an even surface.
pub(crate) fn discs(
    luma: &Luma,
    sure: Sureness,
    counts: &dyn Fn(usize) -> bool,
    stop: &dyn Fn() -> bool,
) -> Option<Vec<Disc>> {
    let small = reduced(luma);
    if small.width < 2 * SIDE || small.height < 2 * SIDE {
        return Some(Vec::new());
    }
    let small = levelled(small);
    let inside: Vec<bool> = (0..small.values.len())
        .map(|at| counts((at / small.width * SCALE) * luma.width + at % small.width * SCALE))
        .collect();
    let counts = |at: usize| inside[at];
    let hat = TopHat::of(&small, SIDE, stop)?;
    // The mean of sixteen pixels has a quarter of their grain: what is sought is fainter than dust.
    let sure = Sureness { contrast: sure.contrast * 0.35, ..sure };
    let unrest = Unrest::of(&hat, small.width, sure, &counts);
    let size = (small.width, small.height);
    let (found, outlines) = pieces(size, &hat.dark, &unrest, true, SIDE * SIDE, &counts);
    let crowd = Crowd::of(outlines);
    let discs = found.iter().filter_map(|piece| {
        // Its soft edge is lost in the grain, so that its core tells its shape.
        let (x, y) = (|at: u32| at as usize % small.width, |at: u32| at as usize / small.width);
        let span = |of: &dyn Fn(u32) -> usize| {
            let (first, last) = piece
                .core
                .iter()
                .fold((usize::MAX, 0), |(first, last), &at| (first.min(of(at)), last.max(of(at) + 1)));
            (first, last.saturating_sub(first) as f32)
        };
        let ((left, wide), (top, tall)) = (span(&x), span(&y));
        let side = wide.max(tall);
        let fill = piece.core.len() as f32 / (wide * tall);
        let is_round = wide.min(tall) > side * 0.7 && (0.62..0.95).contains(&fill);
        // A print has an edge: it reaches its full contrast within a pixel or two.
        let steep = piece
            .pixels
            .iter()
            .map(|&at| {
                let at = at as usize;
                let beside = [at.saturating_sub(1), at.saturating_sub(small.width)];
                beside.map(|near| hat.dark[at].abs_diff(hat.dark[near])).into_iter().max().unwrap_or(0)
            })
            .max()
            .unwrap_or(0);
        let is_soft = side >= 5.0 && f32::from(steep) < f32::from(piece.peak) * 0.62 && piece.peak < 128;
        let is_alone = !crowd.repeats(piece) && piece.is_alone(&small, &hat, &unrest, &counts);
        (is_round && is_soft && is_alone).then(|| Disc {
            x: (left as f32 + wide / 2.0) * SCALE as f32,
            y: (top as f32 + tall / 2.0) * SCALE as f32,
            radius: (piece.side() as f32 * 0.55 + 1.0) * SCALE as f32,
        })
    });
    Some(discs.collect())
}

fn reduced(luma: &Luma) -> Luma {
    let (width, height) = (luma.width / SCALE, luma.height / SCALE);
    let mut values = Vec::with_capacity(width * height);
    for y in 0..height {
        let rows = &luma.values[y * SCALE * luma.width..][..SCALE * luma.width];
        let mut sums = vec![0i32; width];
        for row in rows.chunks_exact(luma.width) {
            for (sum, pixels) in sums.iter_mut().zip(row.as_chunks::<SCALE>().0) {
                *sum += pixels.iter().map(|&value| i32::from(value)).sum::<i32>();
            }
        }
        values.extend(sums.into_iter().map(|sum| (sum / (SCALE * SCALE) as i32) as i16));
    }
    Luma { width, height, values }
}

/// The picture without the light that falls off across it: less its mean over a square of about twice the side of a spot.
/// A top-hat would find half of every slope beside a spot to stand out as well.
fn levelled(mut luma: Luma) -> Luma {
    let (width, height) = (luma.width, luma.height);
    let mut means: Vec<i32> = luma.values.iter().map(|&value| i32::from(value) * 16).collect();
    for row in means.chunks_exact_mut(width) {
        let line = row.to_vec();
        running_mean(&line, |at, mean| row[at] = mean);
    }
    let mut column = vec![0; height];
    for x in 0..width {
        (0..height).for_each(|y| column[y] = means[y * width + x]);
        running_mean(&column, |at, mean| means[at * width + x] = mean);
    }
    for (value, mean) in luma.values.iter_mut().zip(means) {
        *value = (i32::from(*value) - mean / 16 + 2048).clamp(0, 4095) as i16;
    }
    luma
}

/// The mean of the values within `SIDE` of each on both sides; at the ends, of as many as both sides have.
fn running_mean(values: &[i32], mut write: impl FnMut(usize, i32)) {
    let mut sums = Vec::with_capacity(values.len() + 1);
    let mut sum = 0i64;
    sums.push(sum);
    for &value in values {
        sum += i64::from(value);
        sums.push(sum);
    }
    for at in 0..values.len() {
        // Of the same length to both sides, so that a slope is its own mean.
        let reach = SIDE.min(at).min(values.len() - 1 - at);
        let total = sums[at + reach + 1] - sums[at - reach];
        write(at, (total / (2 * reach as i64 + 1)) as i32);
    }
}
