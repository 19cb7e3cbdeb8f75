//! Separable resampling in floats, a row at a time: load, across, down, store.
//!
//! Holds a window of resampled rows instead of a copy of the picture. RGBA is premultiplied while loading and divided
//! while storing; in floats a faint edge keeps its colour (8-bit premultiplied would leave alpha 3 with four possible
//! values). What is transparent from edge to edge costs nothing: half of a cut-out is.

use std::ops::Range;

use crate::Filter;

/// A sample that can be resampled in floats.
pub(crate) trait Sample: Copy + Default {
    /// The largest value.
    const MAX: f32;
    /// The value as a float.
    fn to_f32(self) -> f32;
    /// The nearest value; for integers what lies outside is clamped.
    fn from_f32(value: f32) -> Self;
}

impl Sample for f32 {
    const MAX: f32 = 1.0;
    fn to_f32(self) -> f32 {
        self
    }
    fn from_f32(value: f32) -> Self {
        value
    }
}

impl Sample for u8 {
    const MAX: f32 = 255.0;
    fn to_f32(self) -> f32 {
        f32::from(self)
    }
    fn from_f32(value: f32) -> Self {
        (value + 0.5) as u8
    }
}

impl Sample for u16 {
    const MAX: f32 = 65_535.0;
    fn to_f32(self) -> f32 {
        f32::from(self)
    }
    fn from_f32(value: f32) -> Self {
        (value + 0.5) as u16
    }
}

/// What each output position takes from the input: `taps` weights from `starts[i]` on, summing to 1.
struct Weights {
    taps: usize,
    starts: Vec<usize>,
    values: Vec<f32>,
}

impl Weights {
    /// `step` is what the number of taps is rounded up to, for loops without a rest.
    fn new(from: usize, to: usize, filter: Filter, step: usize) -> Self {
        let (support, kernel): (f64, fn(f64) -> f64) = match filter {
            Filter::Lanczos3 => (3.0, lanczos3),
            Filter::CatmullRom => (2.0, catmull_rom),
            Filter::Bilinear => (1.0, |x| (1.0 - x.abs()).max(0.0)),
            Filter::Box => (0.5, |x| if (-0.5..0.5).contains(&x) { 1.0 } else { 0.0 }),
        };
        let scale = from as f64 / to as f64;
        let stretch = scale.max(1.0);
        let reach = support * stretch;
        let taps = ((reach.ceil() as usize) * 2 + 1).next_multiple_of(step).min(from);
        let mut starts = Vec::with_capacity(to);
        let mut values = vec![0.0; to * taps];
        let mut exact = vec![0.0; taps];
        for (i, weights) in values.chunks_exact_mut(taps).enumerate() {
            let centre = (i as f64 + 0.5) * scale;
            let start = ((centre - reach).floor().max(0.0) as usize).min(from - taps);
            for (k, weight) in exact.iter_mut().enumerate() {
                *weight = kernel(((start + k) as f64 + 0.5 - centre) / stretch);
            }
            let sum: f64 = exact.iter().sum();
            for (to, from) in weights.iter_mut().zip(&exact) {
                *to = (from / sum) as f32;
            }
            starts.push(start);
        }
        Self { taps, starts, values }
    }

    /// Output positions that take anything from the input positions in `filled`.
    fn reached_from(&self, filled: &Range<usize>) -> Range<usize> {
        if filled.is_empty() {
            return 0..0;
        }
        let first = self.starts.partition_point(|&start| start + self.taps <= filled.start);
        let end = self.starts.partition_point(|&start| start < filled.end);
        first..end.max(first)
    }

    fn of(&self, i: usize) -> (usize, &[f32]) {
        (self.starts[i], &self.values[i * self.taps..(i + 1) * self.taps])
    }
}

fn lanczos3(x: f64) -> f64 {
    let sinc = |x: f64| {
        if x == 0.0 { 1.0 } else { (x * std::f64::consts::PI).sin() / (x * std::f64::consts::PI) }
    };
    if x.abs() < 3.0 { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn catmull_rom(x: f64) -> f64 {
    let x = x.abs();
    if x < 1.0 {
        (1.5 * x - 2.5) * x * x + 1.0
    } else if x < 2.0 {
        ((-0.5 * x + 2.5) * x - 4.0) * x + 2.0
    } else {
        0.0
    }
}

/// Straight RGBA in, straight RGBA out. Sizes are (width, height) and must match the number of samples.
pub(crate) fn resample_rgba<S: Sample>(
    source: &[S],
    from: (u32, u32),
    to: (u32, u32),
    filter: Filter,
) -> Vec<S> {
    resample(source, 4, from, to, filter, premultiply::<S>, divide::<S>)
}

/// RGB in, RGB out.
pub(crate) fn resample_rgb<S: Sample>(
    source: &[S],
    from: (u32, u32),
    to: (u32, u32),
    filter: Filter,
) -> Vec<S> {
    let load = |row: &[S], to: &mut [[f32; 4]]| {
        for (to, from) in to.iter_mut().zip(row.as_chunks::<3>().0) {
            *to = [from[0].to_f32(), from[1].to_f32(), from[2].to_f32(), 0.0];
        }
        0..to.len()
    };
    let store = |from: &[[f32; 4]], to: &mut [S]| {
        for (to, from) in to.as_chunks_mut::<3>().0.iter_mut().zip(from) {
            *to = [S::from_f32(from[0]), S::from_f32(from[1]), S::from_f32(from[2])];
        }
    };
    resample(source, 3, from, to, filter, load, store)
}

/// One sample a pixel.
pub(crate) fn resample_plane<S: Sample>(
    source: &[S],
    from: (u32, u32),
    to: (u32, u32),
    filter: Filter,
) -> Vec<S> {
    let load = |row: &[S], to: &mut [[f32; 1]]| {
        to.iter_mut().zip(row).for_each(|(to, from)| *to = [from.to_f32()]);
        0..to.len()
    };
    let store = |from: &[[f32; 1]], to: &mut [S]| {
        to.iter_mut().zip(from).for_each(|(to, from)| *to = S::from_f32(from[0]));
    };
    resample(source, 1, from, to, filter, load, store)
}

/// `channels` samples of a pixel become `LANES` floats and back. `load` says which pixels of a row are not all zero;
/// the others need not be written.
fn resample<S: Sample, const LANES: usize>(
    source: &[S],
    channels: usize,
    from: (u32, u32),
    to: (u32, u32),
    filter: Filter,
    load: impl Fn(&[S], &mut [[f32; LANES]]) -> Range<usize>,
    store: impl Fn(&[[f32; LANES]], &mut [S]),
) -> Vec<S> {
    let (from_width, from_height) = (from.0 as usize, from.1 as usize);
    let (width, height) = (to.0 as usize, to.1 as usize);
    let across = Weights::new(from_width, width, filter, if LANES == 1 { DOT } else { 2 });
    let down = Weights::new(from_height, height, filter, 1);

    let mut result = vec![S::default(); width * height * channels];
    let mut loaded = vec![[0f32; LANES]; from_width];
    // Row y of the source, resampled across, lives at y modulo the height of the window until it is overwritten.
    // Beside it, which of its pixels are not zero; only those are up to date.
    let mut window = vec![[0f32; LANES]; down.taps * width];
    let mut used = vec![0..0; down.taps];
    let mut column_sums = vec![[0f32; LANES]; width];
    let mut next_row = 0;

    for (y, out_row) in result.chunks_exact_mut(width * channels).enumerate() {
        let (start, weights) = down.of(y);
        // Rows above the window are never needed again.
        next_row = next_row.max(start);
        while next_row < start + weights.len() {
            let length = from_width * channels;
            let filled = load(&source[next_row * length..(next_row + 1) * length], &mut loaded);
            let reached = across.reached_from(&filled);
            // Windows reach beyond what is filled, and what lies there is left from another row.
            loaded[..filled.start].fill([0.0; LANES]);
            loaded[filled.end..].fill([0.0; LANES]);
            let slot = next_row % down.taps;
            resample_row(&loaded, &across, reached.clone(), &mut window[slot * width..(slot + 1) * width]);
            used[slot] = reached;
            next_row += 1;
        }
        column_sums.fill([0.0; LANES]);
        let mut filled = width..0;
        for (k, &weight) in weights.iter().enumerate() {
            let slot = (start + k) % down.taps;
            let columns = used[slot].clone();
            // The outermost weights of many positions are 0.
            if weight == 0.0 || columns.is_empty() {
                continue;
            }
            filled = filled.start.min(columns.start)..filled.end.max(columns.end);
            let row = window[slot * width..(slot + 1) * width][columns.clone()].as_flattened();
            for (sum, value) in column_sums[columns].as_flattened_mut().iter_mut().zip(row) {
                *sum += value * weight;
            }
        }
        if !filled.is_empty() {
            store(&column_sums[filled.clone()], &mut out_row[filled.start * channels..filled.end * channels]);
        }
    }
    result
}

/// Colour times alpha (unscaled: the division undoes it), and alpha, between the first and the last pixel that shows.
fn premultiply<S: Sample>(row: &[S], to: &mut [[f32; 4]]) -> Range<usize> {
    let pixels = row.as_chunks::<4>().0;
    let shows = |pixel: &[S; 4]| pixel[3].to_f32() > 0.0;
    let Some(first) = pixels.iter().position(shows) else {
        return 0..0;
    };
    let end = pixels.iter().rposition(shows).map_or(first, |last| last + 1);
    for (to, from) in to[first..end].iter_mut().zip(&pixels[first..end]) {
        let alpha = from[3].to_f32();
        *to = [from[0].to_f32() * alpha, from[1].to_f32() * alpha, from[2].to_f32() * alpha, alpha];
    }
    first..end
}

/// Products summed side by side when a pixel is a single float.
const DOT: usize = 8;

fn resample_row<const LANES: usize>(
    from: &[[f32; LANES]],
    across: &Weights,
    columns: Range<usize>,
    to: &mut [[f32; LANES]],
) {
    for x in columns {
        let (start, weights) = across.of(x);
        let pixels = &from[start..start + weights.len()];
        to[x] = if LANES == 1 {
            [dot(pixels.as_flattened(), weights); LANES]
        } else {
            weighted_sum(pixels, weights)
        };
    }
}

fn dot(values: &[f32], weights: &[f32]) -> f32 {
    let mut sums = [0f32; DOT];
    let (values, last_values) = values.as_chunks::<DOT>();
    let (weights, last_weights) = weights.as_chunks::<DOT>();
    for (values, weights) in values.iter().zip(weights) {
        for i in 0..DOT {
            sums[i] += values[i] * weights[i];
        }
    }
    let rest: f32 = last_values.iter().zip(last_weights).map(|(value, weight)| value * weight).sum();
    sums.iter().sum::<f32>() + rest
}

fn weighted_sum<const LANES: usize>(pixels: &[[f32; LANES]], weights: &[f32]) -> [f32; LANES] {
    // Two sums, so that an addition need not wait for the one before it.
    let (mut even, mut odd) = ([0f32; LANES], [0f32; LANES]);
    let (pixel_pairs, last_pixel) = pixels.as_chunks::<2>();
    let (weight_pairs, last_weight) = weights.as_chunks::<2>();
    for (pixel, weight) in pixel_pairs.iter().zip(weight_pairs) {
        for c in 0..LANES {
            even[c] += pixel[0][c] * weight[0];
            odd[c] += pixel[1][c] * weight[1];
        }
    }
    for (pixel, weight) in last_pixel.iter().zip(last_weight) {
        for c in 0..LANES {
            even[c] += pixel[c] * weight;
        }
    }
    std::array::from_fn(|c| even[c] + odd[c])
}

/// Back to straight alpha. Where no alpha is left there is no colour either.
fn divide<S: Sample>(from: &[[f32; 4]], to: &mut [S]) {
    for (to, from) in to.as_chunks_mut::<4>().0.iter_mut().zip(from) {
        let alpha = from[3].clamp(0.0, S::MAX);
        // Half a level and less rounds to fully transparent.
        let scale = if alpha < 0.5 { 0.0 } else { 1.0 / from[3] };
        *to = [
            S::from_f32(from[0] * scale),
            S::from_f32(from[1] * scale),
            S::from_f32(from[2] * scale),
            S::from_f32(alpha),
        ];
    }
}
