//! Puts copied pixels into a hole so that no seam shows: the gradients of what is copied are kept, and the colours follow
//! from what is known at the edge (Poisson image editing, Pérez, Gangnet and Blake 2003). Where pieces meet inside the
//! hole, the gradient across is the mean of what both say (Agarwala et al. 2004).

use super::InpaintError;
use super::canvas::{Canvas, Sample, State};
use super::poisson::{Cell, Grid};
use super::regions::Region;

/// Largest correction of a share that is taken for a difference in light rather than in what is shown.
const LIGHT: f32 = 0.2;
/// V-cycles for each channel.
const CYCLES: usize = 9;
/// A pixel without a source.
pub(crate) const NONE: u32 = u32::MAX;

/// Fills a region: each pixel from the index in `from`, in the order of the region's pixels, or by interpolation where
/// that is [`NONE`]. `weight` says how much of the new pixel shows, 0 to 1. Nothing is filled once `stop` says so.
pub(crate) fn compose<S: Sample>(
    canvas: &mut Canvas<'_, S>,
    region: &Region,
    from: &[u32],
    weight: impl Fn(usize) -> f32,
    stop: &dyn Fn() -> bool,
) -> Result<(), InpaintError> {
    let view = canvas.grown(region.bounds, 1);
    let (left, top, width) = (view.x as usize, view.y as usize, view.width as usize);
    let local = |at: usize| (at / canvas.width - top) * width + at % canvas.width - left;
    let mut slot = vec![NONE; width * view.height as usize];
    for (index, &at) in region.pixels.iter().enumerate() {
        slot[local(at as usize)] = index as u32;
    }
    let piece = Pieces { canvas, region, from };
    let mut cells = Vec::with_capacity(slot.len());
    for y in 0..view.height as usize {
        for x in 0..width {
            let at = (top + y) * canvas.width + left + x;
            cells.push(match canvas.state(at) {
                _ if slot[y * width + x] != NONE => Cell::Free,
                State::Source => Cell::Zero,
                _ => Cell::Void,
            });
        }
    }
    let mut right = vec![[0.0f32; 4]; region.pixels.len()];
    for (index, &at) in region.pixels.iter().enumerate() {
        for step in [(1, 0), (-1, 0), (0, 1), (0, -1)] {
            let Some(beside) = canvas.moved(at as usize, step) else { continue };
            let there = local(beside);
            match cells[there] {
                Cell::Zero => {
                    let light = piece.light(index, beside);
                    (0..4).for_each(|c| right[index][c] -= light[c]);
                }
                Cell::Free => {
                    let jump = piece.jump(index, slot[there] as usize);
                    (0..4).for_each(|c| right[index][c] += jump[c]);
                }
                Cell::Void => {}
            }
        }
    }
    let mut filled: Vec<[f32; 4]> = (0..from.len()).map(|index| piece.copied(index)).collect();
    let grid = Grid::new(width, cells);
    let (mut sought, mut equal) = (vec![0.0f32; slot.len()], vec![0.0f32; slot.len()]);
    let places: Vec<usize> = region.pixels.iter().map(|&at| local(at as usize)).collect();
    for c in 0..4 {
        if right.iter().all(|right| right[c] == 0.0) {
            continue;
        }
        sought.fill(0.0);
        for (&place, right) in places.iter().zip(&right) {
            equal[place] = right[c];
        }
        grid.solve(&mut sought, &equal, CYCLES, stop);
        if stop() {
            return Err(InpaintError::Stopped);
        }
        for (&place, filled) in places.iter().zip(&mut filled) {
            filled[c] += sought[place];
        }
    }
    for (&at, filled) in region.pixels.iter().zip(filled) {
        canvas.fill(at as usize, filled, weight(at as usize));
    }
    Ok(())
}

/// What is copied from where.
struct Pieces<'a, 'b, S> {
    canvas: &'a Canvas<'b, S>,
    region: &'a Region,
    from: &'a [u32],
}

impl<S: Sample> Pieces<'_, '_, S> {
    fn copied(&self, index: usize) -> [f32; 4] {
        match self.from[index] {
            NONE => [0.0; 4],
            from => self.canvas.at(from as usize),
        }
    }

    /// How far away the source of a pixel lies.
    fn shift(&self, index: usize) -> Option<(i32, i32)> {
        let (at, from) = (self.region.pixels[index] as usize, self.from[index]);
        let width = self.canvas.width;
        (from != NONE).then(|| {
            let (x, y) = (from as usize % width, from as usize / width);
            (x as i32 - (at % width) as i32, y as i32 - (at / width) as i32)
        })
    }

    /// The correction that a known pixel beside the hole asks for: it minus what would be copied there, as a mean of
    /// the known pixels around it, because the grain of a single one would be carried into the hole.
    fn light(&self, index: usize, known: usize) -> [f32; 4] {
        let Some(by) = self.shift(index) else { return self.canvas.at(known) };
        let around = (-2..=2).flat_map(|dy| (-2..=2).map(move |dx| (dx, dy)));
        let pairs = around.filter_map(|step| {
            let here = self.canvas.moved(known, step).filter(|&at| self.is_source(at))?;
            let there = self.canvas.moved(here, by).filter(|&at| self.is_source(at))?;
            Some((self.canvas.at(here), self.canvas.at(there)))
        });
        limited(mean_difference(pairs))
    }

    /// How much more the correction has to be at `other` than at `index`, which lie side by side.
    fn jump(&self, index: usize, other: usize) -> [f32; 4] {
        let (Some(by), Some(other_by)) = (self.shift(index), self.shift(other)) else {
            let (one, other) = (self.copied(index), self.copied(other));
            return std::array::from_fn(|c| one[c] - other[c]);
        };
        if by == other_by {
            return [0.0; 4];
        }
        let middles = [self.region.pixels[index] as usize, self.region.pixels[other] as usize];
        let around = middles
            .into_iter()
            .flat_map(|middle| (-1..=1).flat_map(move |dy| (-1..=1).map(move |dx| (middle, (dx, dy)))));
        let pairs = around.filter_map(|(middle, step)| {
            let at = self.canvas.moved(middle, step)?;
            let one = self.canvas.moved(at, by).filter(|&at| self.is_source(at))?;
            let other = self.canvas.moved(at, other_by).filter(|&at| self.is_source(at))?;
            Some((self.canvas.at(one), self.canvas.at(other)))
        });
        limited(mean_difference(pairs))
    }

    fn is_source(&self, at: usize) -> bool {
        self.canvas.state(at) == State::Source
    }
}

fn mean_difference(pairs: impl Iterator<Item = ([f32; 4], [f32; 4])>) -> [f32; 4] {
    let (mut sum, mut count) = ([0.0f32; 4], 0.0f32);
    for (one, other) in pairs {
        (0..4).for_each(|c| sum[c] += one[c] - other[c]);
        count += 1.0;
    }
    sum.map(|sum| sum / count.max(1.0))
}

/// A difference that is too large for one in light is one in what is shown, and would smear.
fn limited(light: [f32; 4]) -> [f32; 4] {
    light.map(|value| value.clamp(-LIGHT, LIGHT))
}
