//! Continues plain surroundings beyond the edge of a picture: a studio backdrop, paper, an even wall.
//!
//! A strip along the edge is surveyed in square cells. Where they are even and near their neighbours, the surface through
//! their means is carried on outwards, with its slope dying away, and the grain of the strip is laid on it: there and back
//! again, so that the edge does not show, and every time from farther along, so that nothing is seen to repeat. Computes in
//! sRGB levels.

use pixels::{Bitmap, Channels, Samples};

use crate::level::Level;

/// An edge of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The upper one.
    Top,
    /// The right one.
    Right,
    /// The lower one.
    Bottom,
    /// The left one.
    Left,
}

/// What new pixels are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Beyond {
    /// The surroundings, continued; they must be plain.
    Continued,
    /// One colour, sRGB.
    Colour([u8; 3]),
}

/// Why nothing was continued.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotContinued {
    /// Something other than plain surroundings reaches the edge.
    NotPlain,
    /// Somebody asked to stop.
    Stopped,
}

/// Cells are this part of the shorter side long, within bounds in pixels.
const CELL_SHARE: usize = 40;
const CELL_PX: (usize, usize) = (4, 48);
/// Rows of cells that grain is taken from at most, from the edge inwards, and those that tell the slope.
const DEPTH: usize = 16;
const SLOPE_DEPTH: usize = 3;
/// Standard deviation inside a cell that is still grain, in levels.
const GRAIN: f32 = 7.0;
/// By how much neighbouring cells may differ, in levels.
const STEP: f32 = 5.0;
/// By how much a pixel on the very edge may differ from what is around it, in levels.
const RIM: f32 = 3.0 * GRAIN;
/// Share of the cells that may hold a speck.
const SPECKS: f32 = 0.02;
/// Cells within which the slope of the surface has mostly died away, and the most that it comes to, in levels.
const FADE: f32 = 4.0;
const RISE: f32 = 6.0;
/// Part of the edge's length within which what differs along the edge has mostly evened out.
const EVEN_OUT: f32 = 0.1;
/// Part of a way through the strip over which one take of its grain goes over into the next.
const BLEND: f32 = 0.4;

type Colour = [f32; 3];

/// Whether what reaches an edge is plain, so that it can be continued. What is transparent counts by its colour.
pub fn is_plain(bitmap: &Bitmap, edge: Edge) -> bool {
    match bitmap.samples() {
        Samples::U8(samples) => Surface::survey(&Strip::new(samples, bitmap, edge)).is_some(),
        Samples::U16(samples) => Surface::survey(&Strip::new(samples, bitmap, edge)).is_some(),
    }
}

/// The mean colour along an edge, sRGB.
pub fn mean_along(bitmap: &Bitmap, edge: Edge) -> [u8; 3] {
    match bitmap.samples() {
        Samples::U8(samples) => Strip::new(samples, bitmap, edge).mean(),
        Samples::U16(samples) => Strip::new(samples, bitmap, edge).mean(),
    }
}

/// The bitmap with `px` rows or columns of opaque pixels more at an edge; what it had stays exactly.
pub fn enlarged(
    bitmap: &Bitmap,
    edge: Edge,
    px: u32,
    beyond: Beyond,
    stop: &dyn Fn() -> bool,
) -> Result<Bitmap, NotContinued> {
    let samples = match bitmap.samples() {
        Samples::U8(samples) => Samples::U8(grow(&Strip::new(samples, bitmap, edge), px, beyond, stop)?),
        Samples::U16(samples) => Samples::U16(grow(&Strip::new(samples, bitmap, edge), px, beyond, stop)?),
    };
    let (width, height) = match edge {
        Edge::Left | Edge::Right => (bitmap.width() + px, bitmap.height()),
        Edge::Top | Edge::Bottom => (bitmap.width(), bitmap.height() + px),
    };
    Ok(Bitmap::new(width, height, bitmap.channels(), samples).expect("as many samples as the size has"))
}

/// A picture seen from one of its edges: how far along it, and how deep inside.
struct Strip<'a, S> {
    samples: &'a [S],
    width: usize,
    height: usize,
    channels: usize,
    edge: Edge,
}

impl<'a, S: Level> Strip<'a, S> {
    fn new(samples: &'a [S], bitmap: &Bitmap, edge: Edge) -> Self {
        let channels = if bitmap.channels() == Channels::Rgba { 4 } else { 3 };
        let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
        Self { samples, width, height, channels, edge }
    }

    fn is_upright(&self) -> bool {
        matches!(self.edge, Edge::Left | Edge::Right)
    }

    /// Pixels along the edge.
    fn length(&self) -> usize {
        if self.is_upright() { self.height } else { self.width }
    }

    /// Pixels from the edge to the one across.
    fn depth(&self) -> usize {
        if self.is_upright() { self.width } else { self.height }
    }

    fn cell(&self) -> usize {
        (self.width.min(self.height) / CELL_SHARE).clamp(CELL_PX.0, CELL_PX.1).min(self.depth())
    }

    fn colour(&self, along: usize, inside: usize) -> Colour {
        let (x, y) = match self.edge {
            Edge::Top => (along, inside),
            Edge::Bottom => (along, self.height - 1 - inside),
            Edge::Left => (inside, along),
            Edge::Right => (self.width - 1 - inside, along),
        };
        let at = (y * self.width + x) * self.channels;
        [0, 1, 2].map(|c| self.samples[at + c].level())
    }

    /// Whether the outermost two pixels of that part of the edge are near one of those colours.
    fn rim_is_near(&self, along: std::ops::Range<usize>, colours: &[Colour]) -> bool {
        let is_near =
            |own: Colour| colours.iter().any(|colour| (0..3).all(|c| (own[c] - colour[c]).abs() <= RIM));
        along
            .into_iter()
            .all(|along| (0..self.depth().min(2)).all(|inside| is_near(self.colour(along, inside))))
    }

    fn mean(&self) -> [u8; 3] {
        let (length, cell) = (self.length(), self.cell());
        let mut sum = [0.0f64; 3];
        for inside in 0..cell {
            for along in 0..length {
                let colour = self.colour(along, inside);
                for c in 0..3 {
                    sum[c] += f64::from(colour[c]);
                }
            }
        }
        sum.map(|sum| (sum / (length * cell) as f64).round() as u8)
    }
}

/// Plain surroundings along an edge.
struct Surface {
    cell: usize,
    /// Means of the cells, row by row inwards.
    rows: Vec<Vec<Colour>>,
    /// How strong the grain is: the standard deviation inside a middling cell.
    grain: f32,
}

impl Surface {
    /// The surface along an edge; `None` where it is not plain.
    fn survey<S: Level>(strip: &Strip<'_, S>) -> Option<Self> {
        let (length, cell) = (strip.length(), strip.cell());
        let count = (length / cell).max(1);
        let most_specks = (count as f32 * SPECKS).ceil() as usize;
        let mut rows: Vec<Vec<Colour>> = Vec::new();
        let mut grain = 0.0;
        for row in 0..DEPTH.min(strip.depth() / cell) {
            let span = |i: usize| i * length / count..(i + 1) * length / count;
            let mut cells: Vec<(Colour, f32)> =
                (0..count).map(|i| measure(strip, span(i), row * cell, cell)).collect();
            let specks: Vec<usize> = (0..count).filter(|&i| cells[i].1 > GRAIN).collect();
            let mut has_foreign = false;
            for &speck in &specks {
                // The surface under a speck is that of its neighbours; what lies on the very edge is no speck.
                let sound = |i: &usize| cells[*i].1 <= GRAIN;
                let beside = [(0..speck).rev().find(sound), (speck + 1..count).find(sound)];
                let colours: Vec<Colour> = beside.iter().flatten().map(|&i| cells[i].0).collect();
                has_foreign |= colours.is_empty() || row == 0 && !strip.rim_is_near(span(speck), &colours);
                let mean = |c: usize| {
                    colours.iter().map(|colour| colour[c]).sum::<f32>() / colours.len().max(1) as f32
                };
                cells[speck].0 = [0, 1, 2].map(mean);
            }
            let is_near = |a: &Colour, b: &Colour| (0..3).all(|c| (a[c] - b[c]).abs() <= STEP);
            let is_even = cells.windows(2).all(|pair| is_near(&pair[0].0, &pair[1].0));
            let follows =
                rows.last().is_none_or(|above| above.iter().zip(&cells).all(|(a, b)| is_near(a, &b.0)));
            if has_foreign || specks.len() > most_specks || !is_even || !follows {
                break;
            }
            if row == 0 {
                let mut spreads: Vec<f32> = cells.iter().map(|(_, spread)| *spread).collect();
                spreads.sort_by(f32::total_cmp);
                grain = spreads[spreads.len() / 2];
            }
            rows.push(cells.into_iter().map(|(mean, _)| mean).collect());
        }
        (!rows.is_empty()).then_some(Self { cell, rows, grain })
    }

    /// By how many levels the surface rises with each pixel outwards, evened along the edge. Of light alone: a cast of colour
    /// that grows with the distance is never right.
    fn slope(&self) -> Vec<Colour> {
        let first = &self.rows[0];
        let last = (self.rows.len() - 1).min(SLOPE_DEPTH - 1);
        if last == 0 {
            return vec![[0.0; 3]; first.len()];
        }
        let over = (last * self.cell) as f32;
        let light = |colour: &Colour| (colour[0] + 2.0 * colour[1] + colour[2]) / 4.0;
        let most = RISE / (FADE * self.cell as f32);
        let rise = |(a, b): (&Colour, &Colour)| [((light(a) - light(b)) / over).clamp(-most, most); 3];
        let rises: Vec<Colour> = first.iter().zip(&self.rows[last]).map(rise).collect();
        evened(&rises, first.len() / 10)
    }
}

/// The mean of a cell, and the largest standard deviation of its channels.
fn measure<S: Level>(
    strip: &Strip<'_, S>,
    along: std::ops::Range<usize>,
    inside: usize,
    cell: usize,
) -> (Colour, f32) {
    let (mut sum, mut squares) = ([0.0f32; 3], [0.0f32; 3]);
    let count = (along.len() * cell) as f32;
    let first = strip.colour(along.start, inside);
    for depth in inside..inside + cell {
        for along in along.clone() {
            let colour = strip.colour(along, depth);
            for c in 0..3 {
                // Around the first value, so that nothing is lost of a small spread.
                let away = colour[c] - first[c];
                sum[c] += away;
                squares[c] += away * away;
            }
        }
    }
    let mean = sum.map(|sum| sum / count);
    let spread = |c: usize| (squares[c] / count - mean[c] * mean[c]).max(0.0).sqrt();
    ([0, 1, 2].map(|c| first[c] + mean[c]), spread(0).max(spread(1)).max(spread(2)))
}

/// A profile without what is shorter than about `radius` cells: three running means, edges continued.
fn evened(profile: &[Colour], radius: usize) -> Vec<Colour> {
    let mut now = profile.to_vec();
    for _ in 0..3 {
        let last = now.len() as isize - 1;
        let at = |i: isize| now[i.clamp(0, last) as usize];
        let reach = radius as isize;
        let count = (2 * radius + 1) as f32;
        let next = (0..now.len() as isize)
            .map(|i| {
                let mut sum = [0.0; 3];
                for near in i - reach..=i + reach {
                    let colour = at(near);
                    (0..3).for_each(|c| sum[c] += colour[c]);
                }
                sum.map(|sum| sum / count)
            })
            .collect();
        now = next;
    }
    now
}

/// The two of `count` cells over a length between whose middles a pixel lies, and how far.
fn between(along: usize, count: usize, length: usize) -> (usize, usize, f32) {
    let last = count - 1;
    let place = ((along as f32 + 0.5) * count as f32 / length as f32 - 0.5).clamp(0.0, last as f32);
    let first = place as usize;
    (first, (first + 1).min(last), place - first as f32)
}

/// A profile of cells at each pixel along the edge, linear between the middles of cells.
fn spread_out(profile: &[Colour], length: usize) -> Vec<Colour> {
    (0..length)
        .map(|along| {
            let (first, second, share) = between(along, profile.len(), length);
            let (a, b) = (profile[first], profile[second]);
            [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * share)
        })
        .collect()
}

/// Makes the new pixels and puts them beside the old.
fn grow<S: Level>(
    strip: &Strip<'_, S>,
    px: u32,
    beyond: Beyond,
    stop: &dyn Fn() -> bool,
) -> Result<Vec<S>, NotContinued> {
    match beyond {
        Beyond::Colour(colour) => {
            let colour = colour.map(f32::from);
            laid(strip, px as usize, stop, |_, _| colour)
        }
        Beyond::Continued => {
            let surface = Surface::survey(strip).ok_or(NotContinued::NotPlain)?;
            let length = strip.length();
            let cell = surface.cell as f32;
            let rows: Vec<_> = surface.rows.iter().map(|row| spread_out(row, length)).collect();
            let slope = spread_out(&surface.slope(), length);
            let even = spread_out(&evened(&surface.rows[0], surface.rows[0].len() / 8), length);
            let most = 3.0 * surface.grain + 1.5;
            let grain = Grain::new(strip, &surface, &rows, &slope, most);
            laid(strip, px as usize, stop, |along, outside| {
                let away = outside as f32 + 0.5;
                let evened = 1.0 - (-away / (length as f32 * EVEN_OUT)).exp();
                let fade = FADE * cell;
                let risen = 0.5 * cell + fade * (1.0 - (-away / fade).exp());
                let (near, far, rise) = (rows[0][along], even[along], slope[along]);
                let grain = grain.outside(along, outside);
                [0, 1, 2].map(|c| near[c] + (far[c] - near[c]) * evened + rise[c] * risen + grain[c])
            })
        }
    }
}

/// What the pixels of a strip have beside its surface.
struct Grain<'a, 's, S> {
    strip: &'a Strip<'s, S>,
    /// Side of a cell in pixels.
    cell: f32,
    /// The surface at the middles of rows of cells, for each pixel along the edge.
    rows: &'a [Vec<Colour>],
    slope: &'a [Colour],
    /// The most that is grain, in levels; specks are cut down to it.
    most: f32,
    /// What lines along the edge have beside the surface, for each depth in cells along them: an edge that is a little darker
    /// belongs to the edge, and is no grain.
    lines: Vec<Vec<Colour>>,
}

impl<'a, 's, S: Level> Grain<'a, 's, S> {
    fn new(
        strip: &'a Strip<'s, S>,
        surface: &Surface,
        rows: &'a [Vec<Colour>],
        slope: &'a [Colour],
        most: f32,
    ) -> Self {
        let (length, count) = (strip.length(), surface.rows[0].len());
        let mut grain = Self { strip, cell: surface.cell as f32, rows, slope, most, lines: Vec::new() };
        let line = |inside: usize| -> Vec<Colour> {
            let mean = |i: usize| {
                let along = i * length / count..(i + 1) * length / count;
                let cells = along.len() as f32;
                let mut sum = [0.0; 3];
                for along in along {
                    let beside = grain.beside(along, inside);
                    (0..3).for_each(|c| sum[c] += beside[c].clamp(-most, most));
                }
                sum.map(|sum| sum / cells)
            };
            evened(&(0..count).map(mean).collect::<Vec<_>>(), 2)
        };
        let lines = (0..surface.cell * rows.len()).map(line).collect();
        grain.lines = lines;
        grain
    }

    /// What a line along the edge has beside the surface.
    fn line(&self, along: usize, inside: usize) -> Colour {
        let line = &self.lines[inside];
        let (first, second, share) = between(along, line.len(), self.strip.length());
        let (a, b) = (line[first], line[second]);
        [0, 1, 2].map(|c| a[c] + (b[c] - a[c]) * share)
    }

    /// The grain so far outside: through the strip and back again, each way from another place along it.
    fn outside(&self, along: usize, outside: usize) -> Colour {
        let depth = (self.cell as usize * self.rows.len()).max(1);
        let (way, on_way) = (outside / depth, outside % depth);
        let inside = if way % 2 == 0 { on_way } else { depth - 1 - on_way };
        let mut own = self.inside(self.shifted(along, way), inside);
        if way == 0 {
            // So that there is no seam, what belongs to the edge dies away behind it.
            let line = self.line(along, inside);
            let stays = (-(outside as f32) / self.cell).exp();
            (0..3).for_each(|c| own[c] += line[c] * stays);
        }
        let share = (on_way as f32 + 0.5) / depth as f32;
        if share < 1.0 - BLEND {
            return own;
        }
        let next = self.inside(self.shifted(along, way + 1), inside);
        // Grain is as strong in between: squares of the weights add up to 1.
        let (to, from) = ((share - 1.0 + BLEND) / BLEND * std::f32::consts::FRAC_PI_2).sin_cos();
        [0, 1, 2].map(|c| own[c] * from + next[c] * to)
    }

    /// The place along the edge that the grain of that way is taken from; it turns back at the ends.
    fn shifted(&self, along: usize, way: usize) -> usize {
        let length = self.strip.length();
        // Multiples of the golden section lie far apart.
        let shift = (way as f64 * 0.618_033_988_75).fract() * 2.0 * length as f64;
        let place = (along + shift as usize) % (2 * length);
        if place < length { place } else { 2 * length - 1 - place }
    }

    /// The grain of a pixel of the strip.
    fn inside(&self, along: usize, inside: usize) -> Colour {
        let (beside, line) = (self.beside(along, inside), self.line(along, inside));
        [0, 1, 2].map(|c| (beside[c] - line[c]).clamp(-self.most, self.most))
    }

    /// What a pixel of the strip has beside the surface.
    fn beside(&self, along: usize, inside: usize) -> Colour {
        let place = (inside as f32 + 0.5) / self.cell - 0.5;
        let last = self.rows.len() - 1;
        let first = (place.max(0.0) as usize).min(last);
        let second = (first + 1).min(last);
        let share = (place - first as f32).max(0.0);
        // Nearer to the edge than the middle of the first row, the surface goes on as it does outside.
        let before = (-place).max(0.0) * self.cell;
        let own = self.strip.colour(along, inside);
        let (a, b, rise) = (self.rows[first][along], self.rows[second][along], self.slope[along]);
        [0, 1, 2].map(|c| own[c] - (a[c] + (b[c] - a[c]) * share + rise[c] * before))
    }
}

/// The old pixels with new ones beside them; `of` gives the colour so far along the edge and so far outside.
fn laid<S: Level>(
    strip: &Strip<'_, S>,
    px: usize,
    stop: &dyn Fn() -> bool,
    of: impl Fn(usize, usize) -> Colour,
) -> Result<Vec<S>, NotContinued> {
    let channels = strip.channels;
    let (width, height) = match strip.is_upright() {
        true => (strip.width + px, strip.height),
        false => (strip.width, strip.height + px),
    };
    // Where the old picture begins.
    let (left, top) = match strip.edge {
        Edge::Left => (px, 0),
        Edge::Top => (0, px),
        Edge::Right | Edge::Bottom => (0, 0),
    };
    let mut samples = vec![S::FULL; width * height * channels];
    for (y, row) in strip.samples.chunks_exact(strip.width * channels).enumerate() {
        let start = ((y + top) * width + left) * channels;
        samples[start..start + row.len()].copy_from_slice(row);
    }
    for outside in 0..px {
        if stop() {
            return Err(NotContinued::Stopped);
        }
        for along in 0..strip.length() {
            let (x, y) = match strip.edge {
                Edge::Top => (along, px - 1 - outside),
                Edge::Bottom => (along, strip.height + outside),
                Edge::Left => (px - 1 - outside, along),
                Edge::Right => (strip.width + outside, along),
            };
            let at = (y * width + x) * channels;
            let colour = of(along, outside);
            for c in 0..3 {
                samples[at + c] = S::from_level(colour[c]);
            }
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const EDGES: [Edge; 4] = [Edge::Top, Edge::Right, Edge::Bottom, Edge::Left];

    /// A backdrop that darkens to the lower right, with grain of a standard deviation of `grain` levels.
    fn backdrop(width: u32, height: u32, grain: f32) -> Vec<f32> {
        let mut state = 12_345u32;
        (0..width * height)
            .map(|i| {
                let (x, y) = ((i % width) as f32, (i / width) as f32);
                let mut noise = 0.0;
                for _ in 0..4 {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    noise += (state >> 16) as f32 / 65_535.0 - 0.5;
                }
                230.0 - 0.08 * x - 0.05 * y + noise * grain * 1.73
            })
            .collect()
    }

    fn rgb(width: u32, height: u32, levels: &[f32]) -> Bitmap {
        let samples = levels.iter().flat_map(|level| [level.round() as u8; 3]).collect();
        Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size")
    }

    fn go_on() -> bool {
        false
    }

    fn level(bitmap: &Bitmap, x: u32, y: u32) -> f32 {
        let Samples::U8(samples) = bitmap.samples() else { panic!("8 bits") };
        f32::from(samples[((y * bitmap.width() + x) * 3) as usize])
    }

    fn mean(bitmap: &Bitmap, xs: std::ops::Range<u32>, ys: std::ops::Range<u32>) -> f32 {
        let count = (xs.len() * ys.len()) as f32;
        ys.flat_map(|y| xs.clone().map(move |x| (x, y))).map(|(x, y)| level(bitmap, x, y)).sum::<f32>()
            / count
    }

    #[test]
    fn a_backdrop_goes_on_with_its_shading_and_its_grain() {
        let bitmap = rgb(320, 240, &backdrop(320, 240, 2.0));
        for edge in EDGES {
            assert!(is_plain(&bitmap, edge), "{edge:?}");
            let large = enlarged(&bitmap, edge, 100, Beyond::Continued, &go_on).expect("plain");
            let (dx, dy) = match edge {
                Edge::Left => (100, 0),
                Edge::Top => (0, 100),
                Edge::Right | Edge::Bottom => (0, 0),
            };
            for (x, y) in [(0, 0), (319, 239), (17, 200)] {
                assert_eq!(
                    level(&large, x + dx, y + dy),
                    level(&bitmap, x, y),
                    "{edge:?}: what was there stays"
                );
            }
            // On both sides of the seam it is as light, and the grain as strong.
            let (inside, outside) = match edge {
                Edge::Top => ((0..320, 100..108), (0..320, 92..100)),
                Edge::Bottom => ((0..320, 232..240), (0..320, 240..248)),
                Edge::Left => ((100..108, 0..240), (92..100, 0..240)),
                Edge::Right => ((312..320, 0..240), (320..328, 0..240)),
            };
            let (a, b) = (
                mean(&large, inside.0.clone(), inside.1.clone()),
                mean(&large, outside.0.clone(), outside.1.clone()),
            );
            let expected = if matches!(edge, Edge::Top | Edge::Bottom) { 0.05 * 8.0 } else { 0.08 * 8.0 };
            assert!(((a - b).abs() - expected).abs() < 0.35, "{edge:?}: {a} and {b}");
            let spread = |(xs, ys): (std::ops::Range<u32>, std::ops::Range<u32>)| {
                let middle = mean(&large, xs.clone(), ys.clone());
                let squares = ys
                    .clone()
                    .flat_map(|y| xs.clone().map(move |x| (x, y)))
                    .map(|(x, y)| (level(&large, x, y) - middle).powi(2));
                (squares.sum::<f32>() / (xs.len() * ys.len()) as f32).sqrt()
            };
            let ratio = spread(outside) / spread(inside);
            assert!((0.85..1.15).contains(&ratio), "{edge:?}: {ratio}");
        }
    }

    #[test]
    fn what_reaches_the_edge_is_not_plain() {
        let mut levels = backdrop(320, 240, 2.0);
        for y in 0..60 {
            for x in 100..140 {
                levels[y * 320 + x] = 90.0;
            }
        }
        let bitmap = rgb(320, 240, &levels);
        assert!(!is_plain(&bitmap, Edge::Top));
        assert!([Edge::Right, Edge::Bottom, Edge::Left].iter().all(|edge| is_plain(&bitmap, *edge)));
        let refused = enlarged(&bitmap, Edge::Top, 10, Beyond::Continued, &go_on);
        assert_eq!(refused, Err(NotContinued::NotPlain));
        let padded = enlarged(&bitmap, Edge::Top, 10, Beyond::Colour([1, 1, 1]), &go_on).expect("padded");
        assert_eq!((padded.height(), level(&padded, 50, 9), level(&padded, 120, 10)), (250, 1.0, 90.0));
        let stopped = enlarged(&bitmap, Edge::Left, 10, Beyond::Continued, &|| true);
        assert_eq!(stopped, Err(NotContinued::Stopped));
        // Stripes are a pattern, and what is grainier than a camera is too.
        let stripes: Vec<f32> =
            (0..320 * 240).map(|i| if i % 320 / 8 % 2 == 0 { 200.0 } else { 170.0 }).collect();
        assert!(!is_plain(&rgb(320, 240, &stripes), Edge::Bottom));
        assert!(!is_plain(&rgb(320, 240, &backdrop(320, 240, 20.0)), Edge::Bottom));
    }

    #[test]
    fn a_thread_that_reaches_the_edge_is_no_speck() {
        let mut levels = backdrop(320, 240, 1.0);
        (0..80).for_each(|y| levels[y * 320 + 200] = 120.0);
        assert!(!is_plain(&rgb(320, 240, &levels), Edge::Top));
    }

    #[test]
    fn a_speck_is_not_repeated() {
        let mut levels = backdrop(320, 240, 1.0);
        for (x, y) in [(60, 2), (61, 2), (60, 3)] {
            levels[y * 320 + x] = 150.0;
        }
        let bitmap = rgb(320, 240, &levels);
        let large = enlarged(&bitmap, Edge::Top, 60, Beyond::Continued, &go_on).expect("plain");
        let darkest = (0..60).map(|y| level(&large, 60, y)).fold(255.0, f32::min);
        assert!(darkest > 215.0, "{darkest}");
    }

    #[test]
    fn small_deep_and_transparent_pictures_are_taken() {
        for (width, height) in [(1, 1), (1, 9), (9, 1), (5, 3)] {
            let samples = vec![40_000u16; width as usize * height as usize * 4];
            let bitmap = Bitmap::from_u16(width, height, Channels::Rgba, samples).expect("a size");
            for edge in EDGES {
                let large = enlarged(&bitmap, edge, 7, Beyond::Continued, &go_on).expect("plain");
                let Samples::U16(samples) = large.samples() else { panic!("16 bits") };
                let new = samples.as_chunks::<4>().0.iter().filter(|p| p[3] == u16::MAX).count();
                let along = if matches!(edge, Edge::Left | Edge::Right) { height } else { width };
                assert_eq!(new as u32, along * 7, "{width} by {height}, {edge:?}: new pixels are opaque");
                assert!(samples.as_chunks::<4>().0.iter().all(|p| p[0].abs_diff(40_000) < 130));
            }
        }
        assert_eq!(mean_along(&rgb(8, 8, &[100.0; 64]), Edge::Left), [100; 3]);
    }
}
