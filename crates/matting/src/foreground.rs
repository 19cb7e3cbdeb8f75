//! Colours of the product without the background that shines through at its edge: "Fast Multi-Level
//! Foreground Estimation" (Germer, Uelwer, Conrad, Harmeling 2020).
//!
//! F and B minimise the error of `I = αF + (1 - α)B` plus differences between neighbours, weighed by the
//! difference of their alpha; coarse solutions start finer ones. Coarse levels are solved whole, fine ones
//! only in tiles that hold an edge, so memory does not grow with the picture.

use pixels::{Bitmap, Channels, Mask, Samples};

use crate::error::{MattingError, check_size};
use crate::rims::{self, Rims};
use crate::source::Sample;

/// A level of at most this many pixels is solved whole.
const WHOLE: usize = 3 << 18;
/// Side of a tile and of what it sees around it; both divisible by the scale of every tiled level.
const TILE: usize = 256;
const MARGIN: usize = 32;
/// More halvings than this do not divide the margin.
const MOST_HALVINGS: usize = 5;
/// Weight of a difference between neighbours: a constant and a part for the step in alpha.
const EVEN_WEIGHT: f32 = 1e-5;
const STEP_WEIGHT: f32 = 1.0;
/// Rounds of relaxation up to `SMALL` pixels a side, and above.
const SMALL: usize = 32;
const SMALL_ROUNDS: usize = 10;
const LARGE_ROUNDS: usize = 2;

/// Red, green, blue and one unused lane (alpha in the picture), 0.0..=1.0; four lanes compile to one register.
type Colour = [f32; 4];

/// The picture with `alpha` as its alpha and the old background taken out of its edge colours.
///
/// Straight RGBA of the bitmap's depth. Opaque pixels keep their exact samples; clear ones become all 0.
/// An alpha channel of the bitmap is replaced. Refuses a mask of another size.
pub fn estimate_foreground(bitmap: &Bitmap, alpha: &Mask) -> Result<Bitmap, MattingError> {
    check_size(bitmap, alpha)?;
    let step = bitmap.channels().count();
    let width = bitmap.width() as usize;
    let samples = match bitmap.samples() {
        Samples::U8(samples) => {
            Samples::U8(Picture { samples, step, width, alpha: alpha.values() }.foreground())
        }
        Samples::U16(samples) => {
            Samples::U16(Picture { samples, step, width, alpha: alpha.values() }.foreground())
        }
    };
    Ok(Bitmap::new(bitmap.width(), bitmap.height(), Channels::Rgba, samples)
        .expect("four samples were written for each pixel"))
}

/// A picture and its alpha as they lie in memory.
struct Picture<'a, S> {
    samples: &'a [S],
    step: usize,
    width: usize,
    alpha: &'a [u8],
}

/// One level (of the picture or of a tile) with its current solution.
struct Level {
    width: usize,
    height: usize,
    /// Colour, and alpha in the last lane.
    image: Vec<Colour>,
    front: Vec<Colour>,
    back: Vec<Colour>,
}

impl<S: Sample> Picture<'_, S> {
    fn height(&self) -> usize {
        self.alpha.len() / self.width
    }

    fn foreground(&self) -> Vec<S> {
        let mut out = Vec::with_capacity(self.alpha.len() * 4);
        for (pixel, &alpha) in self.samples.chunks_exact(self.step).zip(self.alpha) {
            out.extend_from_slice(&match alpha {
                0 => [S::from_level(0.0); 4],
                alpha => [pixel[0], pixel[1], pixel[2], S::from_level(f32::from(alpha))],
            });
        }
        if self.alpha.iter().all(|&alpha| is_whole(alpha)) {
            return out;
        }
        let mut halvings = 0;
        while (self.alpha.len() >> (2 * halvings)) > WHOLE && halvings < MOST_HALVINGS {
            halvings += 1;
        }
        let rims = self.rims();
        let coarse = solve_whole(self.reduced(halvings));
        for top in (0..self.height()).step_by(TILE) {
            for left in (0..self.width).step_by(TILE) {
                self.solve_tile(&coarse, halvings, &rims, (left, top), &mut out);
            }
        }
        out
    }

    /// Means of blocks of `2^halvings` squared; blocks on the right and at the bottom may be smaller.
    fn reduced(&self, halvings: usize) -> Level {
        let block = 1 << halvings;
        let (width, height) = (self.width.div_ceil(block), self.height().div_ceil(block));
        let mut image = vec![[0.0f32; 4]; width * height];
        for y in 0..self.height() {
            let line = &mut image[(y / block) * width..][..width];
            let rows_in_block = block.min(self.height() - y / block * block);
            for (x, sum) in line.iter_mut().enumerate() {
                let columns = x * block..((x + 1) * block).min(self.width);
                let share = 1.0 / (columns.len() * rows_in_block) as f32;
                for x in columns {
                    let colour = self.colour(y * self.width + x);
                    for c in 0..4 {
                        sum[c] += colour[c] * share;
                    }
                }
            }
        }
        Level::unsolved(width, height, image)
    }

    /// How far colours may be carried on, measured on a small copy.
    fn rims(&self) -> Rims {
        let mut halvings = 0;
        while self.width.max(self.height()) >> halvings > rims::SIDE {
            halvings += 1;
        }
        let small = self.reduced(halvings);
        Rims::of(&small.image, small.width, halvings)
    }

    #[inline(always)]
    fn colour(&self, index: usize) -> Colour {
        const UNIT: f32 = 1.0 / 255.0;
        let pixel = &self.samples[index * self.step..][..3];
        [
            pixel[0].level() * UNIT,
            pixel[1].level() * UNIT,
            pixel[2].level() * UNIT,
            // Divided, so that 255 is exactly one.
            f32::from(self.alpha[index]) / 255.0,
        ]
    }

    /// Solves the levels finer than `coarse` for one tile and writes its mixed pixels.
    fn solve_tile(
        &self,
        coarse: &Level,
        halvings: usize,
        rims: &Rims,
        (left, top): (usize, usize),
        out: &mut [S],
    ) {
        let (right, bottom) = ((left + TILE).min(self.width), (top + TILE).min(self.height()));
        let rows = || top..bottom;
        let is_plain = rows().all(|y| {
            self.alpha[y * self.width + left..y * self.width + right].iter().all(|&alpha| is_whole(alpha))
        });
        if is_plain {
            return;
        }
        let (x0, y0) = (left.saturating_sub(MARGIN), top.saturating_sub(MARGIN));
        let (x1, y1) = ((right + MARGIN).min(self.width), (bottom + MARGIN).min(self.height()));
        let image = (y0..y1)
            .flat_map(|y| (x0..x1).map(move |x| y * self.width + x))
            .map(|index| self.colour(index))
            .collect();
        let mut levels = vec![Level::unsolved(x1 - x0, y1 - y0, image)];
        for _ in 1..halvings {
            let half = levels[levels.len() - 1].half();
            levels.push(half);
        }
        let mut solved: Option<Level> = None;
        for (level, mut next) in levels.into_iter().enumerate().rev() {
            match &solved {
                Some(smaller) => next.start_from(smaller, 1, 0, 0),
                None => {
                    // Without halvings the coarse solution is already the finest one.
                    let ratio = halvings.saturating_sub(level);
                    next.start_from(coarse, ratio, x0 >> level, y0 >> level);
                }
            }
            if halvings > 0 {
                for _ in 0..LARGE_ROUNDS {
                    next.relax(true);
                }
            }
            solved = Some(next);
        }
        let Some(solved) = solved else { return };
        for y in rows() {
            for x in left..right {
                let index = y * self.width + x;
                if is_whole(self.alpha[index]) {
                    continue;
                }
                let colour = solved.front[(y - y0) * solved.width + x - x0];
                let colour = rims.held((x, y), self.colour(index), colour);
                for c in 0..3 {
                    out[index * 4 + c] = S::from_level(colour[c] * 255.0);
                }
            }
        }
    }
}

fn is_whole(alpha: u8) -> bool {
    alpha == 0 || alpha == u8::MAX
}

/// Solves a level from a single pixel upwards.
fn solve_whole(level: Level) -> Level {
    let mut levels = vec![level];
    while levels[levels.len() - 1].image.len() > 1 {
        let half = levels[levels.len() - 1].half();
        levels.push(half);
    }
    let mut solved = levels.pop().expect("the level that was passed in");
    solved.start_from_image();
    while let Some(mut next) = levels.pop() {
        next.start_from(&solved, 1, 0, 0);
        let is_small = next.width <= SMALL && next.height <= SMALL;
        for _ in 0..if is_small { SMALL_ROUNDS } else { LARGE_ROUNDS } {
            next.relax(false);
        }
        solved = next;
    }
    solved
}

impl Level {
    fn unsolved(width: usize, height: usize, image: Vec<Colour>) -> Self {
        Self { width, height, image, front: Vec::new(), back: Vec::new() }
    }

    /// The unsolved level of half the size, each pixel the mean of four.
    fn half(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let mut image = Vec::with_capacity(width * height);
        for y in 0..height {
            let top = 2 * y * self.width;
            let bottom = (2 * y + 1).min(self.height - 1) * self.width;
            for x in 0..width {
                let (left, right) = (2 * x, (2 * x + 1).min(self.width - 1));
                let four = [top + left, top + right, bottom + left, bottom + right].map(|i| self.image[i]);
                image.push([0, 1, 2, 3].map(|c| (four[0][c] + four[1][c] + four[2][c] + four[3][c]) * 0.25));
            }
        }
        Self::unsolved(width, height, image)
    }

    /// Takes the picture itself for both F and B.
    fn start_from_image(&mut self) {
        self.front.clone_from(&self.image);
        self.back.clone_from(&self.image);
    }

    /// Takes F and B of a level that is `2^halvings` times smaller and contains this one, whose first pixel
    /// lies at (`left`, `top`) in a level of this size.
    fn start_from(&mut self, smaller: &Self, halvings: usize, left: usize, top: usize) {
        self.front.reserve_exact(self.image.len());
        self.back.reserve_exact(self.image.len());
        for y in 0..self.height {
            let row = ((top + y) >> halvings) * smaller.width;
            for x in 0..self.width {
                let from = row + ((left + x) >> halvings);
                let own = self.image[y * self.width + x];
                // Where one side covers the pixel, that side is known.
                self.front.push(if own[3] == 1.0 { own } else { smaller.front[from] });
                self.back.push(if own[3] == 0.0 { own } else { smaller.back[from] });
            }
        }
    }

    /// One round of Gauss-Seidel: each pixel's F and B solve a system of two by two given their neighbours.
    /// With `only_mixed`, pixels that one side covers stay as they are.
    fn relax(&mut self, only_mixed: bool) {
        let (width, height) = (self.width, self.height);
        for y in 0..height {
            let (above, below) = (y.saturating_sub(1) * width, (y + 1).min(height - 1) * width);
            for x in 0..width {
                let index = y * width + x;
                let own = self.image[index];
                let alpha = own[3];
                if only_mixed && (alpha == 0.0 || alpha == 1.0) {
                    continue;
                }
                let (mut sum_front, mut sum_back, mut total) = ([0.0f32; 4], [0.0f32; 4], 0.0f32);
                let row = y * width;
                let around = [row + x.saturating_sub(1), row + (x + 1).min(width - 1), above + x, below + x];
                for near in around {
                    let weight = EVEN_WEIGHT + STEP_WEIGHT * (alpha - self.image[near][3]).abs();
                    let (front, back) = (self.front[near], self.back[near]);
                    total += weight;
                    for c in 0..4 {
                        sum_front[c] += weight * front[c];
                        sum_back[c] += weight * back[c];
                    }
                }
                let rest = 1.0 - alpha;
                let (a, b, d) = (alpha * alpha + total, alpha * rest, rest * rest + total);
                let scale = 1.0 / (a * d - b * b);
                for c in 0..4 {
                    let from_front = alpha * own[c] + sum_front[c];
                    let from_back = rest * own[c] + sum_back[c];
                    self.front[index][c] = ((d * from_front - b * from_back) * scale).clamp(0.0, 1.0);
                    self.back[index][c] = ((a * from_back - b * from_front) * scale).clamp(0.0, 1.0);
                }
            }
        }
    }
}
