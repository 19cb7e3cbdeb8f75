//! A picture made small enough to be measured: linear light, for statistics and for what varies slowly.

use pixels::{Bitmap, Channels, Rect, Samples};

use super::lanes::{Colours, LANES, Sample};

/// A picture of few pixels in linear sRGB, with coverage.
#[derive(Clone, Debug)]
pub struct Sampled {
    /// Pixels in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// Linear sRGB, row by row; black where nothing is covered.
    pub colours: Vec<[f32; 3]>,
    /// Coverage 0..=1, times the weight of the mask if there was one.
    pub weights: Vec<f32>,
}

impl Sampled {
    /// Looks at a picture through a grid of at most `side` cells along its longer side. A cell is the mean of up to
    /// `taps` by `taps` of its pixels, weighted by alpha; with one, the colours are ones that occur.
    pub fn of(bitmap: &Bitmap, side: usize, taps: usize) -> Self {
        let whole = Rect { x: 0, y: 0, width: bitmap.width(), height: bitmap.height() };
        Self::of_part(bitmap, whole, side, taps)
    }

    /// The same of a part of the picture, which must lie inside it.
    pub fn of_part(bitmap: &Bitmap, part: Rect, side: usize, taps: usize) -> Self {
        let shape = (bitmap.width() as usize, bitmap.channels());
        match bitmap.samples() {
            Samples::U8(samples) => sampled(samples, shape, part, side, taps),
            Samples::U16(samples) => sampled(samples, shape, part, side, taps),
        }
    }

    /// Multiplies the weights by values of a mask of the picture, 0..=255, read at the cells' middles.
    pub fn weighted_by(mut self, mask: &pixels::Mask) -> Self {
        let (width, height) = (mask.width() as usize, mask.height() as usize);
        for y in 0..self.height {
            let row = &mask.values()[(2 * y + 1) * height / (2 * self.height) * width..][..width];
            for x in 0..self.width {
                let value = row[(2 * x + 1) * width / (2 * self.width)];
                self.weights[y * self.width + x] *= f32::from(value) / 255.0;
            }
        }
        self
    }

    /// Changes all colours, a run at a time.
    pub(crate) fn change(&mut self, mut change: impl FnMut(&mut Colours)) {
        for run in self.colours.chunks_mut(LANES) {
            let mut colours = [[0.0; LANES]; 3];
            for (i, rgb) in run.iter().enumerate() {
                (0..3).for_each(|c| colours[c][i] = rgb[c]);
            }
            change(&mut colours);
            for (i, rgb) in run.iter_mut().enumerate() {
                *rgb = std::array::from_fn(|c| colours[c][i]);
            }
        }
    }

    /// The mean colour of what is covered; `None` where nothing is.
    pub fn mean(&self) -> Option<[f32; 3]> {
        let (mut sum, mut total) = ([0.0f64; 3], 0.0f64);
        for (rgb, &weight) in self.colours.iter().zip(&self.weights) {
            (0..3).for_each(|c| sum[c] += f64::from(rgb[c] * weight));
            total += f64::from(weight);
        }
        (total > 1e-3).then(|| sum.map(|s| (s / total) as f32))
    }
}

fn sampled<S: Sample>(
    samples: &[S],
    (stride, channels): (usize, Channels),
    part: Rect,
    side: usize,
    taps: usize,
) -> Sampled {
    let (part_width, part_height) = (part.width as usize, part.height as usize);
    let cell = part_width.max(part_height).div_ceil(side.max(1)).max(1);
    let (width, height) = ((part_width / cell).max(1), (part_height / cell).max(1));
    let taps = taps.clamp(1, cell);
    // Where in a cell, or in what is left of the part where that is less.
    let at = |index: usize, tap: usize, first: u32, length: usize, cells: usize| {
        let inside = (index * taps * 2 + tap * 2 + 1) * length / (2 * taps * cells);
        first as usize + inside.min(length - 1)
    };
    let linear = S::linear();
    let count = channels.count();
    let columns: Vec<usize> =
        (0..width * taps).map(|i| at(i / taps, i % taps, part.x, part_width, width) * count).collect();
    let mut result = Sampled {
        width,
        height,
        colours: vec![[0.0; 3]; width * height],
        weights: vec![0.0; width * height],
    };
    let share = 1.0 / (taps * taps) as f32;
    for y in 0..height {
        let colours = &mut result.colours[y * width..][..width];
        let weights = &mut result.weights[y * width..][..width];
        for tap in 0..taps {
            let row = &samples[at(y, tap, part.y, part_height, height) * stride * count..][..stride * count];
            for (i, &column) in columns.iter().enumerate() {
                let pixel = &row[column..column + count];
                let alpha = if count == 4 { pixel[3].number() / S::FULL } else { 1.0 };
                let colour = &mut colours[i / taps];
                (0..3).for_each(|c| colour[c] += linear[pixel[c].index()] * alpha);
                weights[i / taps] += alpha;
            }
        }
        for (colour, weight) in colours.iter_mut().zip(weights) {
            if *weight > 0.0 {
                *colour = colour.map(|c| c / *weight);
            }
            *weight *= share;
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn means_are_of_what_is_covered() {
        let samples = (0..64 * 40u32)
            .flat_map(|i| if i % 64 < 32 { [255, 0, 128, 255] } else { [0, 0, 0, 0] })
            .collect();
        let bitmap = Bitmap::from_u8(64, 40, Channels::Rgba, samples).expect("64 by 40");
        for (side, taps) in [(64, 1), (16, 4), (7, 3), (1000, 2)] {
            let small = Sampled::of(&bitmap, side, taps);
            assert_eq!(small.colours.len(), small.width * small.height);
            let mean = small.mean().expect("something is covered");
            assert!((mean[0] - 1.0).abs() < 1e-5 && (mean[2] - 0.215_86).abs() < 1e-4, "{mean:?}");
        }
        let right = Rect { x: 32, y: 0, width: 32, height: 40 };
        assert_eq!(Sampled::of_part(&bitmap, right, 8, 2).mean(), None);
        assert_eq!(
            Sampled::of_part(&bitmap, Rect { x: 63, y: 39, width: 1, height: 1 }, 8, 3).colours.len(),
            1
        );
    }
}
