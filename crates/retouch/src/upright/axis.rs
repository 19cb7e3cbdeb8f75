//! The direction of a product's edges, or of its whole where it is long and has no straight ones.

use super::{Lean, Planes};
use crate::colour::Sampled;

/// Cells of the histogram of directions for each degree.
const CELLS: usize = 8;
/// Directions within so many degrees of the peak belong to it.
const NEAR: f64 = 1.5;
/// How far sides that taper may lean to either way, in degrees.
const SPLAY: f64 = 16.0;
/// How many more edges must lean to both ways than to one.
const TWO: f64 = 1.25;
/// Share of all edges along one direction from which it counts, and from which it is sure.
const LEAST: f64 = 0.12;
const SURE: f64 = 0.30;

/// How the product's straight edges lean, upright or level ones alike, within so many degrees; where there are none, how
/// its principal axis does.
pub fn axis_lean(small: &Sampled, limit: f64) -> Option<Lean> {
    let planes = Planes::of(small);
    let edges = edges_lean(&planes, limit);
    let whole = whole_lean(&planes, limit);
    match (edges, whole) {
        (Some(edges), Some(whole)) => {
            Some(if edges.confidence >= 0.5 { edges } else { better(edges, whole) })
        }
        (edges, whole) => edges.or(whole),
    }
}

fn better(a: Lean, b: Lean) -> Lean {
    if a.confidence >= b.confidence { a } else { b }
}

/// By the direction that most edges share, or the middle of two that share them.
fn edges_lean(planes: &Planes, limit: f64) -> Option<Lean> {
    let (width, height) = (planes.width, planes.height);
    if width < 8 || height < 8 {
        return None;
    }
    let smooth = (blurred(&planes.cover, width), blurred(&planes.bright, width));
    let cells = 90 * CELLS;
    let mut counts = vec![0.0f64; cells];
    let mut directions = Vec::new();
    for y in 3..height - 3 {
        for x in 3..width - 3 {
            let slope = |plane: &[f32]| {
                let at = |dx: usize, dy: usize| f64::from(plane[(y + dy - 1) * width + x + dx - 1]);
                // Scharr's kernels: directions come out alike at all angles.
                let gx = 3.0 * (at(2, 0) + at(2, 2) - at(0, 0) - at(0, 2)) + 10.0 * (at(2, 1) - at(0, 1));
                let gy = 3.0 * (at(0, 2) + at(2, 2) - at(0, 0) - at(2, 0)) + 10.0 * (at(1, 2) - at(1, 0));
                (gx, gy)
            };
            for plane in [&smooth.0, &smooth.1] {
                let (gx, gy) = slope(plane);
                let size = gx.hypot(gy);
                if size > 0.4 {
                    // Lean of the edge, folded so that upright and level ones count alike.
                    let degrees = (gy.atan2(gx).to_degrees() + 45.0).rem_euclid(90.0) - 45.0;
                    let cell = ((degrees + 45.0) * CELLS as f64) as usize % cells;
                    counts[cell] += size;
                    directions.push((degrees, size));
                }
            }
        }
    }
    let total: f64 = counts.iter().sum();
    if total < 50.0 {
        return None;
    }
    let reach = (NEAR * CELLS as f64) as usize;
    let around = |cell: usize| -> f64 {
        (0..=2 * reach).map(|step| counts[(cell + cells + step - reach) % cells]).sum()
    };
    let of = |cell: usize| (cell as f64 + 0.5) / CELLS as f64 - 45.0;
    let inside = || (0..cells).filter(|&cell| of(cell).abs() <= limit);
    let best = inside().max_by(|&a, &b| around(a).total_cmp(&around(b)))?;
    // Sides that taper and legs that splay lean to both ways alike: then the product stands between them.
    let masses: Vec<f64> = (0..cells).map(around).collect();
    let (first, last) = (2 * reach, (SPLAY * CELLS as f64) as usize);
    let both = |cell: usize, off: usize| {
        2.0 * masses[(cell + off) % cells].min(masses[(cell + cells - off) % cells])
    };
    let pairs = inside().flat_map(|cell| (first..=last).map(move |off| (cell, off)));
    let pair = pairs.max_by(|a, b| both(a.0, a.1).total_cmp(&both(b.0, b.1)));
    let refined = |cell: usize| refined(&directions, of(cell % cells));
    let (middle, share) = match pair {
        Some((cell, off)) if both(cell, off) > masses[best] * TWO => {
            let (right, left) = (refined(cell + off), refined(cell + cells - off));
            // Folded directions: the nearer of both ways around.
            let apart = (right.0 - left.0 + 45.0).rem_euclid(90.0) - 45.0;
            let middle = (left.0 + apart / 2.0 + 45.0).rem_euclid(90.0) - 45.0;
            (middle, (left.1 + right.1) / total)
        }
        _ => {
            let (middle, mass) = refined(best);
            (middle, mass / total)
        }
    };
    // Edges of all directions put this share near any one of them.
    let chance = 2.0 * NEAR / 90.0;
    let confidence = ((share - chance - LEAST) / (SURE - LEAST)).clamp(0.0, 1.0);
    let is_inside = middle.abs() <= limit - 0.05;
    Some(Lean { degrees: middle, confidence: if is_inside { confidence } else { 0.0 } })
}

/// The mean of the directions around one, and how many they are.
fn refined(directions: &[(f64, f64)], mut middle: f64) -> (f64, f64) {
    let mut found = 0.0;
    for _ in 0..4 {
        let (mut sum, mut mass) = (0.0, 0.0);
        for &(degrees, size) in directions {
            let off = (degrees - middle + 45.0).rem_euclid(90.0) - 45.0;
            if off.abs() < NEAR {
                sum += off * size;
                mass += size;
            }
        }
        middle += sum / f64::max(mass, 1e-9);
        found = mass;
    }
    (middle, found)
}

/// By the axis of its second moments.
fn whole_lean(planes: &Planes, limit: f64) -> Option<Lean> {
    let (_, _, [xx, xy, yy]) = planes.moments()?;
    let root = ((xx - yy) / 2.0).hypot(xy);
    let (long, short) = ((xx + yy) / 2.0 + root, (xx + yy) / 2.0 - root);
    // Direction of the long axis, then its lean from the nearer of upright and level; y points down.
    let along = 0.5 * (2.0 * xy).atan2(xx - yy).to_degrees();
    let degrees = (along + 45.0).rem_euclid(90.0) - 45.0;
    let slender = 1.0 - (short.max(0.0) / long.max(1e-9)).sqrt();
    let confidence = ((slender - 0.25) / 0.35).clamp(0.0, 0.9);
    Some(Lean { degrees, confidence: if degrees.abs() <= limit { confidence } else { 0.0 } })
}

/// A small binomial blur, twice.
fn blurred(plane: &[f32], width: usize) -> Vec<f32> {
    let height = plane.len() / width;
    let mut plane = plane.to_vec();
    for _ in 0..2 {
        let mut rows = plane.clone();
        for (to, from) in rows.chunks_exact_mut(width).zip(plane.chunks_exact(width)) {
            for x in 1..width - 1 {
                to[x] = 0.25 * (from[x - 1] + 2.0 * from[x] + from[x + 1]);
            }
        }
        for y in 1..height - 1 {
            for x in 0..width {
                let at = y * width + x;
                plane[at] = 0.25 * (rows[at - width] + 2.0 * rows[at] + rows[at + width]);
            }
        }
    }
    plane
}
