//! The line that a product is mirrored at.

use super::{Lean, Planes};
use crate::colour::Sampled;

/// Likeness of a product to its mirror image from which it counts as symmetrical, and by how much more it is surely so.
const LEAST: f64 = 0.80;
const SURE: f64 = 0.08;
/// How much less like itself a product must be when mirrored at a line a few degrees off; round ones are not.
const FALL: f64 = 0.015;

/// How the product's mirror line leans, within so many degrees of upright. The handle of a mug or a label may break the
/// symmetry; a round product has no such line.
pub fn mirror_lean(small: &Sampled, limit: f64) -> Option<Lean> {
    let planes = Planes::of(small);
    let mut levels = vec![planes];
    while levels.len() < 3 && levels[levels.len() - 1].width.min(levels[levels.len() - 1].height) > 64 {
        levels.push(levels[levels.len() - 1].halved());
    }
    let coarse = &levels[levels.len() - 1];
    let (mass, centre, _) = coarse.moments()?;
    let reach = mass.sqrt() * 0.25;
    let mut best = Line { degrees: 0.0, offset: 0.0, likeness: f64::MIN };
    let angles = (limit.ceil() as i32).max(1);
    for degree in -angles..=angles {
        let degrees = (f64::from(degree) * limit / f64::from(angles)).clamp(-limit, limit);
        for step in -8..=8 {
            let offset = f64::from(step) / 8.0 * reach;
            best = best.better(coarse, centre, degrees, offset);
        }
    }
    let mut angle_step = 0.5 * (limit / f64::from(angles));
    let mut offset_step = reach / 16.0;
    for planes in levels.iter().rev() {
        let scale = planes.width as f64 / coarse.width as f64;
        let (_, centre, _) = planes.moments()?;
        let mut here = Line { offset: best.offset * scale, likeness: f64::MIN, ..best };
        here = here.better(planes, centre, here.degrees, here.offset);
        let mut steps = (angle_step, offset_step * scale);
        let is_finest = std::ptr::eq(planes, &levels[0]);
        let end = if is_finest { 0.015 } else { 0.1 };
        while steps.0 > end {
            let before = here;
            for (a, o) in [
                (1.0, 0.0),
                (-1.0, 0.0),
                (0.0, 1.0),
                (0.0, -1.0),
                (1.0, 1.0),
                (-1.0, -1.0),
                (1.0, -1.0),
                (-1.0, 1.0),
            ] {
                here = here.better(planes, centre, before.degrees + a * steps.0, before.offset + o * steps.1);
            }
            if here.likeness <= before.likeness {
                steps = (steps.0 / 2.0, steps.1 / 2.0);
            }
        }
        best = Line { offset: here.offset / scale, ..here };
        (angle_step, offset_step) = (0.2, 1.0 / scale);
    }
    let finest = &levels[0];
    let (_, centre, _) = finest.moments()?;
    let scale = finest.width as f64 / coarse.width as f64;
    let beside = [-5.0, 5.0].map(|by| {
        let at = best.degrees + by;
        let offsets =
            [-2.0, -1.0, 0.0, 1.0, 2.0].map(|o| likeness(finest, centre, at, best.offset * scale + o * 3.0));
        offsets.into_iter().fold(f64::MIN, f64::max)
    });
    let fall = best.likeness - beside[0].max(beside[1]);
    let inside = best.degrees.abs() <= limit - 0.05;
    let confidence = ((best.likeness - LEAST) / SURE).clamp(0.0, 1.0) * (fall / FALL).clamp(0.0, 1.0);
    Some(Lean { degrees: best.degrees, confidence: if inside { confidence } else { 0.0 } })
}

/// A line near upright: its lean, and how far right of the centre it passes.
#[derive(Clone, Copy)]
struct Line {
    degrees: f64,
    offset: f64,
    likeness: f64,
}

impl Line {
    fn better(self, planes: &Planes, centre: (f64, f64), degrees: f64, offset: f64) -> Self {
        let likeness = likeness(planes, centre, degrees, offset);
        if likeness > self.likeness { Self { degrees, offset, likeness } } else { self }
    }
}

/// How much of the product and its mirror image overlap, and how alike they are there: 1 is a perfect mirror image.
fn likeness(planes: &Planes, centre: (f64, f64), degrees: f64, offset: f64) -> f64 {
    let (sin, cos) = degrees.to_radians().sin_cos();
    // Across the line, which leans to the right at its top.
    let (nx, ny) = (cos as f32, sin as f32);
    let middle = centre.0 as f32 * nx + centre.1 as f32 * ny + offset as f32;
    let (width, height) = (planes.width, planes.height);
    let (mut both, mut any) = (0.0f64, 1e-9f64);
    for y in 0..height {
        let (mut row_both, mut row_any) = (0.0f32, 0.0f32);
        for x in 0..width {
            let here = planes.cover[y * width + x];
            let (u, v) = (x as f32, y as f32);
            let away = u * nx + v * ny - middle;
            // Each pair is seen from both sides; one is enough.
            if away < 0.0 || (here == 0.0 && away > width as f32) {
                continue;
            }
            let (mx, my) = (u - 2.0 * away * nx, v - 2.0 * away * ny);
            let (there, bright) = between(planes, mx, my);
            let (least, most) = if here < there { (here, there) } else { (there, here) };
            if most > 0.0 {
                let off = (planes.bright[y * width + x] - bright).abs();
                row_both += least * (1.0 - (off * 1.5).min(0.6));
                row_any += most;
            }
        }
        both += f64::from(row_both);
        any += f64::from(row_any);
    }
    both / any
}

/// Coverage and brightness between pixels; nothing outside.
#[inline(always)]
fn between(planes: &Planes, x: f32, y: f32) -> (f32, f32) {
    let (width, height) = (planes.width, planes.height);
    if x < 0.0 || y < 0.0 || x >= (width - 1) as f32 || y >= (height - 1) as f32 {
        return (0.0, 0.0);
    }
    let (column, row) = (x as usize, y as usize);
    let (fx, fy) = (x - column as f32, y - row as f32);
    let at = row * width + column;
    let mix = |plane: &[f32]| {
        let upper = plane[at] + (plane[at + 1] - plane[at]) * fx;
        let lower = plane[at + width] + (plane[at + width + 1] - plane[at + width]) * fx;
        upper + (lower - upper) * fy
    };
    (mix(&planes.cover), mix(&planes.bright))
}
