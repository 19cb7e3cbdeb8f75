//! How the backdrop of a photo is lit: what it would look like without the subject, and what the subject's shadow takes
//! of it.
//!
//! A smooth surface is fitted to what lies outside the subject and its shadow. The photo divided by it is the light that
//! is left at each place. What is darker by more than noise, without having another hue, and hangs together with the
//! subject's surroundings, is the subject's shadow. All of it is worked out on a grid, on sRGB values, because that is
//! where layers are put together: what is found gives the photo again when it is laid over its backdrop.

use pixels::Mask;

use crate::{Context, Fault, Frame, Subject};

mod grid;
mod light;
mod surface;

use grid::{Grid, continued, distances};
use light::Light;
use surface::Surface;

/// Longest side of the grid.
const SIDE: u32 = 1024;
/// Bytes that the planes on the grid take together at most.
pub(crate) const GRID_BYTES: u64 = 112 << 20;
/// Alpha from which a pixel is not backdrop alone.
const COVERED: u8 = 3;
/// How far from the subject its shadow begins at most, in shares of the grid's longer side.
const BEGINS: f32 = 0.025;
/// Width of the fade towards the border of the photo, in shares of the grid's longer side.
const EDGE: f32 = 0.09;
/// Most that roughness counts, in shares of light: hard edges of shadows are rougher than that, and stay.
const ROUGH: f32 = 0.06;
/// How much of a darkness must be believed where a shadow goes on: what noise alone makes nowhere hangs together.
const OPEN: f32 = 0.5;
/// How far a shadow's end is followed into what is hardly darker than the backdrop, in shares of the same.
const TAIL: f32 = 0.04;
/// Noise of a backdrop (in shares of its light) at which nothing can be told any more.
const MOST_NOISE: f32 = 0.035;
/// Share of the photo's border that a shadow darkens at most; more is an uneven backdrop.
const MOST_BORDER: f32 = 0.4;

/// How the backdrop of a photo is lit, on a grid over the photo.
pub(crate) struct Shading {
    /// Width of the grid.
    pub width: usize,
    /// Height of the grid.
    pub height: usize,
    /// The backdrop without the subject and its shadow: red, green and blue, in levels of 255.
    pub clean: [Vec<f32>; 3],
    /// What the photo has of it, by channel and without grain; continued under the subject.
    pub ratio: [Vec<f32>; 3],
    /// 1 where the subject hides the backdrop, or might.
    pub hidden: Vec<f32>,
    /// The share of light that the subject's shadow takes, 0 to 1; continued under the subject.
    pub dark: Vec<f32>,
    /// How much of a place's darkness is that shadow and not noise or something else, 0 to 1.
    pub gate: Vec<f32>,
    /// 0 at the border of the photo, 1 some way inside.
    pub edge: Vec<f32>,
    /// How far from the subject each place lies, in cells.
    pub away: Vec<f32>,
    /// Standard deviation of the photo's grain on the grid, in shares of the backdrop's light.
    pub noise: f32,
    /// How sure all this is, 0 to 1.
    pub confidence: f32,
}

impl Shading {
    /// Looks at the photo that the frame's subject was cut out of; `None`, with a remark, where that is not there or the
    /// subject was not cut out.
    pub(crate) fn of(frame: &mut Frame, context: &Context<'_>) -> Result<Option<Self>, Fault> {
        let Some(photo) = frame.photo.clone().filter(|_| frame.is_cut_out()) else {
            frame.note("the subject is not cut out of a photo, so that its shadow there cannot be found; put `removeBackground` before it");
            return Ok(None);
        };
        let Subject { bitmap, x, y } = &frame.subject;
        let size = (photo.bitmap.width(), photo.bitmap.height());
        let alpha = pixels::place_mask(size.0, size.1, &bitmap.alpha(), x - photo.x, y - photo.y)?;
        context.check_cancelled()?;
        let grid = Grid::of(&photo.bitmap, &alpha, SIDE, COVERED);
        drop(alpha);
        context.check_cancelled()?;
        Ok(Some(Self::on(grid)))
    }

    /// Works it out on a grid.
    fn on(grid: Grid) -> Self {
        let (width, height) = (grid.width, grid.height);
        let side = width.max(height) as f32;
        let reach = 1.0 + (side * 0.002).floor();
        let covered: Vec<bool> = grid.covered.iter().map(|&covered| covered > 0.0).collect();
        let away = distances(&covered, width);
        let mut hidden: Vec<bool> =
            away.iter().zip(&grid.known).map(|(&away, &known)| away <= reach || !known).collect();
        let surface = Surface::fit(&grid, &hidden);
        let noise = surface.noise;
        let clean = surface.planes;
        let allowed = |lost: f32| 0.04 + 2.0 * noise + 0.3 * lost;
        // Close to the subject its colour may come in; where none did, the shadow is darkest, and seen.
        for i in (0..width * height).filter(|&i| grid.covered[i] == 0.0 && grid.known[i]) {
            let [r, g, b] = [0, 1, 2].map(|c| grid.colours[c][i] / clean[c][i]);
            let (lost, spread) = (1.0 - luma([r, g, b]), r.max(g).max(b) - r.min(g).min(b));
            hidden[i] &= spread > allowed(lost.max(0.0)) || lost < -3.0 * noise - 0.01;
        }

        let Light { mut ratio, lost: mut dark, ragged } = Light::of(&grid, &clean, &hidden);
        let low = 2.0 * noise + 0.004;
        let mut gate: Vec<f32> = (0..width * height)
            .map(|i| {
                if hidden[i] {
                    return 0.0;
                }
                let [r, g, b] = [ratio[0][i], ratio[1][i], ratio[2][i]];
                let spread = r.max(g).max(b) - r.min(g).min(b);
                let neutral = 1.0 - step(allowed(dark[i]), 2.0 * allowed(dark[i]), spread);
                // Shadows are smooth, and where their edges are not, they are dark; what is neither is texture.
                let rough = (3.0 * (ragged[i] - noise)).clamp(0.0, ROUGH).powi(2);
                let smooth = dark[i].powi(2) / (dark[i].powi(2) + rough).max(1e-9);
                shrunk(dark[i], low) * neutral * smooth
            })
            .collect();
        let far = |i: &usize| !hidden[*i] && away[*i] > side * 0.04;
        let mut texture: Vec<f32> = (0..width * height).filter(far).map(|i| ragged[i]).collect();
        let texture = middle(&mut texture);

        let kept = kept(&gate, &away, &hidden, width, (BEGINS * side + reach).max(reach + 2.0));
        let outside = |i: usize| !grid.known[i];
        let at_border = border_share(&kept, width, height);
        // Where it thins out into the noise it fades, rather than end.
        let tail = (side * TAIL).max(5.0);
        for (gate, away) in gate.iter_mut().zip(distances(&kept, width)) {
            *gate *= 1.0 - step(0.0, tail, away);
        }
        dark.iter_mut().zip(&gate).for_each(|(dark, gate)| *dark *= gate);

        for plane in ratio.iter_mut().chain([&mut dark, &mut gate]) {
            *plane = continued(plane, &hidden, width);
        }
        for i in (0..width * height).filter(|&i| outside(i)) {
            (dark[i], gate[i]) = (0.0, 0.0);
        }
        let edge = edge(&grid.known, width, height, EDGE * side);
        let evenness = (1.0 - noise.max(1.5 * texture) / MOST_NOISE).clamp(0.0, 1.0);
        let lit = ((surface.level - 20.0) / 50.0).clamp(0.0, 1.0);
        let backdrop = (surface.inliers / 0.3).clamp(0.0, 1.0);
        let free = 1.0 - step(MOST_BORDER * 0.6, MOST_BORDER, at_border);
        Self {
            width,
            height,
            clean,
            ratio,
            hidden: hidden.iter().map(|&hidden| f32::from(u8::from(hidden))).collect(),
            dark,
            gate,
            edge,
            away,
            noise,
            confidence: evenness.sqrt() * lit * backdrop * free,
        }
    }

    /// The shadow as a mask of the photo's size, and whether anything of it shows.
    pub(crate) fn shadow(&self, size: (u32, u32)) -> Result<(Mask, bool), Fault> {
        let level = |(dark, edge): (&f32, &f32)| (dark * edge * 255.0).round() as u8;
        let values: Vec<u8> = self.dark.iter().zip(&self.edge).map(level).collect();
        let shows = values.iter().zip(&self.hidden).any(|(&value, &hidden)| value > 3 && hidden == 0.0);
        let small = Mask::new(self.width as u32, self.height as u32, values)?;
        Ok((pixels::resize_mask(&small, size.0, size.1, pixels::Filter::Bilinear)?, shows))
    }
}

/// The median; 0 where there is nothing.
fn middle(values: &mut [f32]) -> f32 {
    let half = values.len() / 2;
    if values.is_empty() { 0.0 } else { *values.select_nth_unstable_by(half, f32::total_cmp).1 }
}

/// Brightness of sRGB values (Rec. 709 weights).
pub(crate) fn luma([r, g, b]: [f32; 3]) -> f32 {
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// 0 up to `low`, 1 from `high` on, smooth between.
pub(crate) fn step(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low).max(1e-6)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// How much of a darkness is to be believed where noise may make one of `low`: nothing up to half of that, nearly all from
/// twice as much on.
fn shrunk(lost: f32, low: f32) -> f32 {
    let (lost, low) = (lost * lost, low * low);
    ((lost - 0.25 * low) / (lost + 0.5 * low)).max(0.0)
}

/// The open places that hang together with open places close to the subject.
fn kept(gate: &[f32], away: &[f32], hidden: &[bool], width: usize, begins: f32) -> Vec<bool> {
    let open = |i: usize| gate[i] > OPEN;
    let mut kept = vec![false; gate.len()];
    let mut queue: Vec<usize> =
        (0..gate.len()).filter(|&i| !hidden[i] && gate[i] > 0.6 && away[i] <= begins).collect();
    queue.iter().for_each(|&i| kept[i] = true);
    while let Some(i) = queue.pop() {
        let x = i % width;
        let neighbours = [
            (x > 0).then(|| i - 1),
            (x + 1 < width).then(|| i + 1),
            i.checked_sub(width),
            Some(i + width).filter(|&below| below < gate.len()),
        ];
        for next in neighbours.into_iter().flatten() {
            if !kept[next] && open(next) {
                kept[next] = true;
                queue.push(next);
            }
        }
    }
    kept
}

/// How much of the border is kept.
fn border_share(kept: &[bool], width: usize, height: usize) -> f32 {
    let rows = kept.chunks_exact(width).enumerate();
    let count: usize = rows
        .map(|(y, row)| {
            let whole = y == 0 || y + 1 == height;
            row.iter().enumerate().filter(|(x, kept)| **kept && (whole || *x == 0 || x + 1 == width)).count()
        })
        .sum();
    count as f32 / (2 * (width + height)) as f32
}

/// 0 where the photo ends, by itself or by the canvas that cuts it, 1 from `wide` cells on.
fn edge(known: &[bool], width: usize, height: usize, wide: f32) -> Vec<f32> {
    // One ring of cells more, so that an end is a place like any other.
    let (columns, rows) = (width + 2, height + 2);
    let mut end = vec![false; columns * rows];
    for (y, row) in end.chunks_exact_mut(columns).enumerate() {
        for (x, end) in row.iter_mut().enumerate() {
            let outside = x == 0 || y == 0 || x == columns - 1 || y == rows - 1;
            *end = outside || !known[(y - 1) * width + x - 1];
        }
    }
    let away = distances(&end, columns);
    let rows = away.chunks_exact(columns).skip(1).take(height);
    rows.flat_map(|row| &row[1..=width]).map(|&away| step(1.0, wide.max(2.0), away)).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::AtomicBool;

    use pixels::{Bitmap, Channels};

    use super::*;
    use crate::StepCache;

    const SIZE: (u32, u32) = (240, 200);

    /// How much light the shadow of the block takes.
    fn taken(x: f64, y: f64) -> f64 {
        0.5 * (-((x - 140.0) / 48.0).powi(2) - ((y - 152.0) / 12.0).powi(2)).exp()
    }

    /// A block with a shadow on a backdrop that darkens towards its corners, with noise and something else in it.
    fn photo(noise: f64, uneven: f64, other: bool) -> Frame {
        let is_block = |x: f64, y: f64| (80.0..150.0).contains(&x) && (60.0..150.0).contains(&y);
        let (mut photo, mut cut, mut state) = (Vec::new(), Vec::new(), 5_u32);
        for i in 0..SIZE.0 * SIZE.1 {
            let (x, y) = (f64::from(i % SIZE.0) + 0.5, f64::from(i / SIZE.0) + 0.5);
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (f64::from(state >> 16) / 65_535.0 - 0.5) * noise;
            let base =
                [236.0, 232.0, 226.0].map(|c| c + grain + uneven * (x * 0.21).sin() * (y * 0.17).sin());
            let far = (x - 120.0).hypot(y - 90.0) / 160.0;
            let light = (1.0 - 0.1 * far * far) * (1.0 - taken(x, y));
            let is_other = other && (x - 24.0).hypot(y - 24.0) < 12.0;
            let pixel = match (is_block(x, y), is_other) {
                (true, _) => [180.0, 60.0, 40.0],
                (_, true) => [120.0, 118.0, 116.0],
                _ => base.map(|c| c * light),
            };
            let pixel = pixel.map(|c| c.round().clamp(0.0, 255.0) as u8);
            photo.extend(pixel);
            let [r, g, b] = pixel;
            cut.extend(if is_block(x, y) { [r, g, b, 255] } else { [0; 4] });
        }
        let mut frame = Frame::new(
            Bitmap::from_u8(SIZE.0, SIZE.1, Channels::Rgba, cut).expect("a size"),
            Frame::unread().origin,
        );
        let photo = Bitmap::from_u8(SIZE.0, SIZE.1, Channels::Rgb, photo).expect("a size");
        frame.photo = Some(Subject { bitmap: Arc::new(photo), x: 0, y: 0 });
        frame
    }

    fn shading(frame: &mut Frame) -> Shading {
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        Shading::of(frame, &Context::new(&cache, &cancel)).expect("not cancelled").expect("a cut-out")
    }

    #[test]
    fn a_shadow_is_found_as_it_was_thrown() {
        for (noise, most, mean) in [(0.0, 0.03, 0.004), (4.0, 0.05, 0.006)] {
            let found = shading(&mut photo(noise, 0.0, true));
            assert!(found.confidence > 0.5, "{}", found.confidence);
            let (mut worst, mut sum, mut count) = (0.0f64, 0.0, 0.0);
            for i in (0..found.dark.len()).filter(|&i| found.hidden[i] == 0.0 && found.edge[i] == 1.0) {
                let (x, y) = ((i % SIZE.0 as usize) as f64 + 0.5, (i / SIZE.0 as usize) as f64 + 0.5);
                let error = (f64::from(found.dark[i]) - taken(x, y)).abs();
                worst = worst.max(error);
                sum += error;
                count += 1.0;
            }
            assert!(
                worst < most && sum / count < mean,
                "{noise}: {worst} at most, {} on average",
                sum / count
            );
        }
    }

    #[test]
    fn nothing_else_of_the_photo_comes_with_it() {
        let found = shading(&mut photo(2.0, 0.0, true));
        let width = SIZE.0 as usize;
        for (i, &dark) in found.dark.iter().enumerate() {
            let (x, y) = ((i % width) as f64, (i / width) as f64);
            assert!(dark == 0.0 || (x - 24.0).hypot(y - 24.0) > 20.0, "no ghost of the other thing");
            let border = x == 0.0 || y == 0.0 || x == 239.0 || y == 199.0;
            assert!(!border || found.edge[i] == 0.0, "nothing where the photo ends");
        }
    }

    #[test]
    fn an_uneven_backdrop_is_no_shadow() {
        assert!(shading(&mut photo(2.0, 26.0, false)).confidence < 0.2);
    }

    #[test]
    fn without_a_photo_there_is_nothing_to_find() {
        let mut frame = photo(0.0, 0.0, false);
        frame.photo = None;
        let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
        assert!(Shading::of(&mut frame, &Context::new(&cache, &cancel)).expect("not cancelled").is_none());
        assert!(frame.remarks[0].notes[0].contains("put `removeBackground` before it"));
    }
}
