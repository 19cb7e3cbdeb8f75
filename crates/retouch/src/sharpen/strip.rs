//! A strip of luma with what lies around it: blurred, with the range of each pixel's neighbours, and where edges are.

use std::ops::Range;

use crate::level::Level;
use crate::plane::{across, down, gaussian};

/// Stands for the luma of a transparent neighbour.
const NOTHING: f32 = 1e9;

/// Levels that the blurred luma changes over three pixels where an edge begins, and where it is one for certain.
const EDGE: Range<f32> = 6.0..18.0;

/// What is known of a row, pixel by pixel, in levels of 255.
pub(super) struct Row<'a> {
    pub(super) luma: &'a [f32],
    pub(super) blurred: &'a [f32],
    pub(super) lowest: &'a [f32],
    pub(super) highest: &'a [f32],
    /// 0 where there is no edge, 1 where there is one; `None` when nobody asked.
    pub(super) edges: Option<&'a [f32]>,
}

/// `rows` rows of luma, and `reach` more above and below.
pub(super) struct Strip {
    width: usize,
    rows: usize,
    reach: usize,
    /// Pixels to each side whose luma limits the overshoot.
    near: usize,
    /// The Gaussian from its middle on.
    kernel: Vec<f32>,
    /// Rows that are loaded.
    filled: usize,
    luma: Vec<f32>,
    /// Alpha from 0 to 1; empty for an opaque picture.
    alpha: Vec<f32>,
    scratch: Vec<f32>,
    scratch_alpha: Vec<f32>,
    /// One row more above and below than the strip has.
    blurred: Vec<f32>,
    lowest: Vec<f32>,
    highest: Vec<f32>,
    edges: Vec<f32>,
}

impl Strip {
    pub(super) fn new(width: usize, rows: usize, radius_px: f32, has_alpha: bool) -> Self {
        let kernel = gaussian(radius_px);
        let near = if radius_px < 1.5 { 1 } else { 2 };
        // As many as the kernel is long: one more than it needs, for the blurred row beside the strip.
        let reach = kernel.len().max(near);
        let all = (rows + 2 * reach) * width;
        let alpha = if has_alpha { all } else { 0 };
        Self {
            width,
            rows,
            reach,
            near,
            kernel,
            filled: 0,
            luma: vec![0.0; all],
            alpha: vec![0.0; alpha],
            scratch: vec![0.0; all],
            scratch_alpha: vec![0.0; alpha],
            blurred: vec![0.0; (rows + 2) * width],
            lowest: vec![0.0; rows * width],
            highest: vec![0.0; rows * width],
            edges: Vec::new(),
        }
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Drops the rows of the strip before, but those that the next one needs.
    pub(super) fn advance(&mut self) {
        if self.filled > 0 {
            self.filled -= self.rows;
            let kept = self.rows * self.width..(self.rows + self.filled) * self.width;
            self.luma.copy_within(kept.clone(), 0);
            if !self.alpha.is_empty() {
                self.alpha.copy_within(kept, 0);
            }
        }
    }

    /// The rows of the picture that must be loaded for a strip from `top` on; they may lie outside the picture.
    pub(super) fn missing(&self, top: usize) -> Range<isize> {
        let first = top as isize - self.reach as isize;
        first + self.filled as isize..first + (self.rows + 2 * self.reach) as isize
    }

    pub(super) fn load<S: Level, const N: usize>(&mut self, pixels: &[[S; N]]) {
        let here = self.filled * self.width..(self.filled + 1) * self.width;
        for (to, pixel) in self.luma[here.clone()].iter_mut().zip(pixels) {
            *to = 0.2126 * pixel[0].level() + 0.7152 * pixel[1].level() + 0.0722 * pixel[2].level();
        }
        if !self.alpha.is_empty() {
            for (to, pixel) in self.alpha[here].iter_mut().zip(pixels) {
                *to = pixel[N - 1].level() * (1.0 / 255.0);
            }
        }
        self.filled += 1;
    }

    /// The picture goes on beyond its last row as that row is.
    pub(super) fn repeat_last(&mut self) {
        let last = (self.filled - 1) * self.width..self.filled * self.width;
        self.luma.copy_within(last.clone(), self.filled * self.width);
        if !self.alpha.is_empty() {
            self.alpha.copy_within(last, self.filled * self.width);
        }
        self.filled += 1;
    }

    /// Finds out all that [`Strip::row`] tells.
    pub(super) fn look(&mut self, edges: bool) {
        self.blur();
        self.find_range(true);
        self.find_range(false);
        if edges {
            self.find_edges();
        }
    }

    pub(super) fn row(&self, y: usize) -> Row<'_> {
        let row = |y: usize| y * self.width..(y + 1) * self.width;
        Row {
            luma: &self.luma[row(y + self.reach)],
            blurred: &self.blurred[row(y + 1)],
            lowest: &self.lowest[row(y)],
            highest: &self.highest[row(y)],
            edges: self.edges.get(row(y)),
        }
    }

    /// Weighted by alpha, so that nothing is seen of what is transparent.
    fn blur(&mut self) {
        let width = self.width;
        self.scratch.copy_from_slice(&self.luma);
        if !self.alpha.is_empty() {
            self.scratch.iter_mut().zip(&self.alpha).for_each(|(to, alpha)| *to *= alpha);
            self.scratch_alpha.copy_from_slice(&self.alpha);
            across(&mut self.scratch_alpha, width, &self.kernel);
        }
        across(&mut self.scratch, width, &self.kernel);
        let mut weights = vec![0.0; width];
        for (y, to) in self.blurred.chunks_exact_mut(width).enumerate() {
            let middle = y + self.reach - 1;
            down(&self.scratch, width, middle, &self.kernel, to);
            if !self.alpha.is_empty() {
                down(&self.scratch_alpha, width, middle, &self.kernel, &mut weights);
                to.iter_mut().zip(&weights).for_each(|(to, weight)| *to /= weight.max(1e-6));
            }
        }
    }

    /// The darkest or the brightest neighbour of each pixel: first across, then down.
    fn find_range(&mut self, darkest: bool) {
        let (width, near) = (self.width, self.near);
        let hidden = if darkest { NOTHING } else { -NOTHING };
        let first = self.reach - near;
        let mut padded = vec![hidden; width + 2 * near];
        let scratch = &mut self.scratch[..(self.rows + 2 * near) * width];
        for (y, to) in scratch.chunks_exact_mut(width).enumerate() {
            let row = (first + y) * width..(first + y + 1) * width;
            padded[near..near + width].copy_from_slice(&self.luma[row.clone()]);
            if !self.alpha.is_empty() {
                for (to, alpha) in padded[near..].iter_mut().zip(&self.alpha[row]) {
                    *to = if *alpha > 0.0 { *to } else { hidden };
                }
            }
            to.copy_from_slice(&padded[..width]);
            (1..=2 * near).for_each(|k| widen(to, &padded[k..], darkest));
        }
        let found = if darkest { &mut self.lowest } else { &mut self.highest };
        for (y, to) in found.chunks_exact_mut(width).enumerate() {
            to.copy_from_slice(&scratch[y * width..(y + 1) * width]);
            (1..=2 * near).for_each(|k| widen(to, &scratch[(y + k) * width..], darkest));
        }
    }

    /// Where the blurred luma changes by more than grain does.
    fn find_edges(&mut self) {
        let width = self.width;
        self.edges.resize(self.rows * width, 0.0);
        let scale = 1.0 / (EDGE.end - EDGE.start);
        let (mut low, mut high) = (vec![0.0; width + 2], vec![0.0; width + 2]);
        for (y, to) in self.edges.chunks_exact_mut(width).enumerate() {
            let row = |k: usize| &self.blurred[(y + k) * width..(y + k + 1) * width];
            for (x, ((above, here), below)) in row(0).iter().zip(row(1)).zip(row(2)).enumerate() {
                low[x + 1] = above.min(*here).min(*below);
                high[x + 1] = above.max(*here).max(*below);
            }
            for ends in [&mut low, &mut high] {
                (ends[0], ends[width + 1]) = (ends[1], ends[width]);
            }
            for (x, to) in to.iter_mut().enumerate() {
                let rise = high[x].max(high[x + 1]).max(high[x + 2]) - low[x].min(low[x + 1]).min(low[x + 2]);
                let t = ((rise - EDGE.start) * scale).clamp(0.0, 1.0);
                *to = t * t * (3.0 - 2.0 * t);
            }
        }
    }
}

fn widen(to: &mut [f32], other: &[f32], darkest: bool) {
    let pairs = to.iter_mut().zip(other);
    if darkest {
        pairs.for_each(|(to, v)| *to = to.min(*v))
    } else {
        pairs.for_each(|(to, v)| *to = to.max(*v))
    }
}
