//! Strokes: tubes, links and strands as lines with a width, shaded by the normal of their round cross-section.

use super::light::{Studio, Surface};
use super::vector::{Curve, V3, lerp, mix, smooth, v3};

/// One point of a stroke, in pixels.
#[derive(Clone, Copy, Debug)]
pub struct Point {
    /// Column.
    pub x: f32,
    /// Row.
    pub y: f32,
    /// Half the width there.
    pub radius: f32,
}

/// How a stroke takes light.
#[derive(Clone, Copy, Debug)]
pub enum Ink {
    /// A tube.
    Tube(Surface),
    /// A hair with the colour of its root and its tip, shaded along its direction (Kajiya and Kay 1989).
    Strand {
        /// Albedo at the root.
        root: V3,
        /// Albedo at the tip.
        tip: V3,
        /// Strength of the highlight.
        gloss: f32,
    },
}

/// A line through points.
#[derive(Clone, Debug)]
pub struct Stroke {
    points: Vec<Point>,
    ink: Ink,
    /// Light that reaches it, 1.0 for all.
    open: f32,
    top: f32,
    bottom: f32,
}

impl Stroke {
    /// A stroke through points; `open` is the share of light that reaches it.
    pub fn new(points: Vec<Point>, ink: Ink, open: f32) -> Self {
        let top = points.iter().map(|p| p.y - p.radius).fold(f32::INFINITY, f32::min);
        let bottom = points.iter().map(|p| p.y + p.radius).fold(f32::NEG_INFINITY, f32::max);
        Self { points, ink, open, top, bottom }
    }
}

/// A curve of the second degree from `from` to `to`, bent towards `bend`, as points; the radius goes evenly from one to
/// the other.
pub fn bow(
    from: (f32, f32),
    bend: (f32, f32),
    to: (f32, f32),
    radii: (f32, f32),
    pieces: usize,
) -> Vec<Point> {
    let at = |index: usize| {
        let t = index as f32 / pieces as f32;
        let part = |a: f32, b: f32, c: f32| lerp(lerp(a, b, t), lerp(b, c, t), t);
        Point {
            x: part(from.0, bend.0, to.0),
            y: part(from.1, bend.1, to.1),
            radius: lerp(radii.0, radii.1, t),
        }
    };
    (0..=pieces).map(at).collect()
}

/// Strokes one over the other.
pub struct Strokes {
    /// From the lowest to the topmost.
    pub strokes: Vec<Stroke>,
    /// The light.
    pub studio: Studio,
    /// Spread of the lens in pixels.
    pub spread: f32,
}

/// The best of one stroke at one pixel.
#[derive(Clone, Copy, Default)]
struct Best {
    cover: f32,
    /// Distance from the middle of the stroke in pixels.
    distance: f32,
    /// Across the stroke, -1.0..=1.0, and the stroke's direction.
    across: f32,
    along: (f32, f32),
    share: f32,
}

impl Strokes {
    /// Paints the row whose middle has that height over what is there: sRGB times alpha, and alpha.
    pub fn paint(&self, y: f32, row: &mut [[f32; 4]], curve: &Curve) {
        let mut best = vec![Best::default(); row.len()];
        for stroke in &self.strokes {
            if y < stroke.top - self.spread || y > stroke.bottom + self.spread {
                continue;
            }
            let Some((first, last)) = self.gather(stroke, y, &mut best) else { continue };
            for (pixel, best) in row[first..last].iter_mut().zip(&mut best[first..last]) {
                if best.cover > 0.0 {
                    let shown = curve.encode(self.light(stroke, best));
                    let under = 1.0 - best.cover;
                    for (old, value) in pixel.iter_mut().zip(shown) {
                        *old = *old * under + value * best.cover;
                    }
                    pixel[3] = pixel[3] * under + best.cover;
                }
                *best = Best::default();
            }
        }
    }

    /// Finds what of a stroke covers the row; answers the columns it touches.
    fn gather(&self, stroke: &Stroke, y: f32, best: &mut [Best]) -> Option<(usize, usize)> {
        let (mut first, mut last) = (usize::MAX, 0);
        let pieces = stroke.points.len() - 1;
        for (index, pair) in stroke.points.windows(2).enumerate() {
            let (a, b) = (pair[0], pair[1]);
            let reach = a.radius.max(b.radius) + self.spread;
            if y < a.y.min(b.y) - reach || y > a.y.max(b.y) + reach {
                continue;
            }
            let (dx, dy) = (b.x - a.x, b.y - a.y);
            let length = (dx * dx + dy * dy).sqrt().max(1e-6);
            let (ux, uy) = (dx / length, dy / length);
            // Only the columns near the part of the line that is near the row.
            let (mut low, mut high) = (a.x.min(b.x), a.x.max(b.x));
            if uy.abs() > 0.05 {
                let at = |y: f32| a.x + (y - a.y) * ux / uy;
                let slant = reach / uy.abs();
                let (one, two) = (at(y) - slant, at(y) + slant);
                low = low.max(one - reach);
                high = high.min(two + reach);
            }
            let start = ((low - reach).floor().max(0.0) as usize).min(best.len());
            let end = ((high + reach).ceil().max(0.0) as usize).min(best.len());
            for (column, best) in best[start..end.max(start)].iter_mut().enumerate() {
                let (px, py) = ((start + column) as f32 + 0.5 - a.x, y - a.y);
                let share = ((px * ux + py * uy) / length).clamp(0.0, 1.0);
                let (ox, oy) = (px - dx * share, py - dy * share);
                let distance = (ox * ox + oy * oy).sqrt();
                let radius = lerp(a.radius, b.radius, share);
                let cover = self.share(radius - distance) - self.share(-radius - distance);
                if cover > best.cover || (cover == best.cover && cover > 0.0 && distance < best.distance) {
                    let side = if px * uy - py * ux > 0.0 { 1.0 } else { -1.0 };
                    *best = Best {
                        cover,
                        distance,
                        across: side * (distance / radius.max(0.3)).min(1.0),
                        along: (ux, uy),
                        share: (index as f32 + share) / pieces as f32,
                    };
                }
            }
            if end > start {
                (first, last) = (first.min(start), last.max(end));
            }
        }
        (first < last).then_some((first, last))
    }

    /// Share of the lens's spread that lies on the near side of an edge at that signed distance.
    fn share(&self, distance: f32) -> f32 {
        smooth(-0.5 * self.spread, 0.5 * self.spread, distance)
    }

    fn light(&self, stroke: &Stroke, best: &Best) -> V3 {
        let view = v3(0.0, 0.0, 1.0);
        let (ux, uy) = best.along;
        match &stroke.ink {
            Ink::Tube(surface) => {
                let height = (1.0 - best.across * best.across).max(0.0).sqrt();
                // Rows count downwards, the room's height upwards.
                let normal = v3(uy * best.across, ux * best.across, height + 0.02).unit();
                self.studio.shade(surface, normal, view, stroke.open, stroke.open)
            }
            Ink::Strand { root, tip, gloss } => {
                let tangent = v3(ux, -uy, 0.15 * (best.share - 0.5)).unit();
                let key = self.studio.key();
                let sine = |direction: V3| {
                    let cosine = tangent.dot(direction);
                    (1.0 - cosine * cosine).max(0.0).sqrt()
                };
                let half = (key + view).unit();
                let shine = {
                    let s = sine(half);
                    let s4 = s * s * s * s;
                    let s16 = s4 * s4 * s4 * s4;
                    s16 * s16
                };
                let albedo = mix(*root, *tip, best.share);
                let round = 1.0 - 0.35 * best.across * best.across;
                (albedo * (0.25 + 0.75 * sine(key)) * round
                    + mix(albedo, v3(1.0, 1.0, 1.0), 0.4) * (shine * gloss)
                    + self.studio.wall.times(albedo) * 0.15)
                    * stroke.open
            }
        }
    }
}
