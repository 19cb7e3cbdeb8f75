//! The line that a product stands on: the edge of its hull under its centre of mass.

use super::{Lean, Planes};
use crate::colour::Sampled;

/// Share of the product's width that the line must span to count, and to be sure.
const LEAST: f64 = 0.15;
const SURE: f64 = 0.4;

/// How the line that the product stands on leans from level, within so many degrees. A product that stands on a curve or on
/// a point has no such line.
pub fn base_lean(small: &Sampled, limit: f64) -> Option<Lean> {
    let planes = Planes::of(small);
    let (_, centre, _) = planes.moments()?;
    let profile = profile(&planes);
    let (first, last) = (profile.first()?.0, profile.last()?.0);
    let hull = lower_hull(&profile);
    let edge = hull.windows(2).find(|edge| edge[0].0 <= centre.0 && centre.0 <= edge[1].0)?;
    let slope_of = |a: (f64, f64), b: (f64, f64)| (b.1 - a.1) / (b.0 - a.0);
    let mut slope = slope_of(edge[0], edge[1]);
    let mut height = edge[0].1 - slope * edge[0].0;
    let mut span = 0.0;
    // The hull rests on single points; the line is laid through all that touch it.
    for _ in 0..6 {
        let touching: Vec<(f64, f64)> =
            profile.iter().copied().filter(|&(x, y)| (slope * x + height - y).abs() < 1.0).collect();
        let count = touching.len() as f64;
        let (Some(left), Some(right)) = (touching.first(), touching.last()) else { break };
        span = right.0 - left.0;
        if touching.len() < 4 || span < 4.0 {
            break;
        }
        let (mx, my) = touching.iter().fold((0.0, 0.0), |sum, p| (sum.0 + p.0 / count, sum.1 + p.1 / count));
        let (mut xx, mut xy) = (0.0, 0.0);
        for (x, y) in &touching {
            xx += (x - mx) * (x - mx);
            xy += (x - mx) * (y - my);
        }
        slope = xy / xx;
        height = my - slope * mx;
    }
    let degrees = slope.atan().to_degrees();
    let share = span / (last - first).max(1.0);
    let confidence = ((share - LEAST) / (SURE - LEAST)).clamp(0.0, 1.0);
    Some(Lean { degrees, confidence: if degrees.abs() <= limit { confidence } else { 0.0 } })
}

/// For each column, where the product ends below: where coverage falls through a half.
fn profile(planes: &Planes) -> Vec<(f64, f64)> {
    let (width, height) = (planes.width, planes.height);
    let at = |x: usize, y: usize| f64::from(planes.cover[y * width + x]);
    (0..width)
        .filter_map(|x| {
            let last = (0..height).rev().find(|&y| at(x, y) >= 0.5)?;
            let below = if last + 1 < height { at(x, last + 1) } else { 0.0 };
            let inside = at(x, last);
            Some((x as f64, last as f64 + (inside - 0.5) / (inside - below).max(1e-6)))
        })
        .collect()
}

/// The part of the convex hull that is seen from below (y points down).
fn lower_hull(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for &point in points {
        while let [.., a, b] = hull[..]
            && (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0) >= 0.0
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}
