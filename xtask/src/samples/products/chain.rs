//! A necklace that lies in a bow: links face on and edge on by turns, a clasp and a pendant.

use super::super::chance::Chance;
use super::super::light::Surface;
use super::super::scene::{Layer, Set};
use super::super::stroke::{Ink, Point, Stroke, Strokes};
use super::super::vector::{lerp, sin_cos};
use super::{hue, metal};

/// A chain of some form.
pub fn make(set: &Set<'_>, chance: &mut Chance) -> Vec<Layer> {
    let surface = Surface::metal(metal(chance), chance.between(0.05, 0.25));
    let side = set.canvas.shorter();
    let (middle_x, middle_y) = (set.canvas.width * 0.5, set.canvas.height * 0.5);
    let link = side * chance.between(0.028, 0.06);
    let wire = link * chance.between(0.10, 0.16);
    let wide = link * chance.between(0.30, 0.42);
    let path = path(chance, side);
    let closed = path.is_closed;
    let mut flat = Vec::new();
    let mut edge = Vec::new();
    // Links follow each other at the length that keeps neighbours through one another.
    let pitch = (link - 2.0 * wire) * 0.98;
    let places = path.places(pitch);
    for (index, &(x, y, angle)) in places.iter().enumerate() {
        let (sine, cosine) = sin_cos(angle + chance.between(-0.12, 0.12));
        let to_picture = |along: f32, across: f32, radius: f32| Point {
            x: middle_x + x + along * cosine - across * sine,
            y: middle_y + y + along * sine + across * cosine,
            radius,
        };
        if index.is_multiple_of(2) {
            flat.push(Stroke::new(stadium(link, wide, wire, to_picture), Ink::Tube(surface), 1.0));
        } else {
            let half = link * 0.5 - wire;
            let points =
                (0..=4).map(|i| to_picture(lerp(-half, half, i as f32 / 4.0), 0.0, wire * 1.15)).collect();
            edge.push(Stroke::new(points, Ink::Tube(surface), 1.0));
        }
    }
    let mut strokes = flat;
    strokes.append(&mut edge);
    if !closed || chance.happens(0.6) {
        pendant(set, chance, (middle_x, middle_y + path.lowest), link, wire, surface, &mut strokes);
    }
    vec![Layer::Strokes(Strokes { strokes, studio: set.studio.clone(), spread: set.spread })]
}

/// The outline of a link: two straight sides and two half circles.
fn stadium(link: f32, wide: f32, wire: f32, place: impl Fn(f32, f32, f32) -> Point) -> Vec<Point> {
    let round = wide - wire;
    let straight = (link * 0.5 - wide).max(0.0);
    let steps = 20;
    let at = |index: usize| {
        let (sine, cosine) = sin_cos(index as f32 / steps as f32 * std::f32::consts::TAU);
        let shift = if cosine >= 0.0 { straight } else { -straight };
        place(shift + cosine * round, sine * round, wire)
    };
    (0..=steps).map(at).collect()
}

/// The line that a chain follows, from the middle of the picture.
struct Path {
    points: Vec<(f32, f32)>,
    is_closed: bool,
    lowest: f32,
}

fn path(chance: &mut Chance, side: f32) -> Path {
    let (wide, tall) = (side * chance.between(0.28, 0.36), side * chance.between(0.30, 0.38));
    let is_closed = chance.happens(0.5);
    let wave = chance.between(0.0, 0.12);
    let turns = chance.between(2.0, 4.0);
    let sharp = chance.between(0.8, 1.5);
    let count = 400;
    let points: Vec<(f32, f32)> = (0..=count)
        .map(|index| {
            let share = index as f32 / count as f32;
            let angle = if is_closed {
                share * std::f32::consts::TAU + std::f32::consts::FRAC_PI_2
            } else {
                std::f32::consts::PI * (1.12 * share - 0.06)
            };
            let (sine, cosine) = sin_cos(angle);
            let wobble = 1.0 + wave * libm::sinf(angle * turns);
            let wobble = if is_closed { 1.0 + (wobble - 1.0) * 0.5 * (1.0 - sine) } else { wobble };
            let drop = if is_closed {
                sine
            } else {
                libm::powf(sine.max(0.0), sharp) * 2.0 - 1.0 + 0.3 * sine.min(0.0)
            };
            (wide * cosine * wobble, tall * drop * wobble.min(1.05))
        })
        .collect();
    let lowest = points.iter().map(|point| point.1).fold(f32::NEG_INFINITY, f32::max);
    Path { points, is_closed, lowest }
}

impl Path {
    /// Places along the line at that distance from each other, with their directions.
    fn places(&self, pitch: f32) -> Vec<(f32, f32, f32)> {
        let (mut out, mut left) = (Vec::new(), 0.0f32);
        for pair in self.points.windows(2) {
            let (a, b) = (pair[0], pair[1]);
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let length = (dx * dx + dy * dy).sqrt();
            let mut at = left;
            while at < length {
                let share = at / length;
                out.push((a.0 + dx * share, a.1 + dy * share, libm::atan2f(dy, dx)));
                at += pitch;
            }
            left = at - length;
        }
        out
    }
}

fn pendant(
    set: &Set<'_>,
    chance: &mut Chance,
    (x, y): (f32, f32),
    link: f32,
    wire: f32,
    surface: Surface,
    strokes: &mut Vec<Stroke>,
) {
    let ring = link * 0.5;
    let circle = |cx: f32, cy: f32, radius: f32, wire: f32| -> Vec<Point> {
        (0..=28)
            .map(|index| {
                let (sine, cosine) = sin_cos(index as f32 / 28.0 * std::f32::consts::TAU);
                Point { x: cx + radius * cosine, y: cy + radius * sine, radius: wire }
            })
            .collect()
    };
    strokes.push(Stroke::new(circle(x, y + ring * 0.7, ring * 0.6, wire * 0.8), Ink::Tube(surface), 1.0));
    let size = link * chance.between(0.8, 1.4);
    let centre = y + ring * 1.3 + size;
    if chance.happens(0.5) {
        strokes.push(Stroke::new(circle(x, centre, size, wire * 1.4), Ink::Tube(surface), 1.0));
    } else {
        let stone = Surface { gloss: 0.12, ..Surface::polished(hue(set, chance), 0.02) };
        let drop = vec![
            Point { x, y: centre - size * 0.5, radius: size * 0.35 },
            Point { x, y: centre + size * 0.3, radius: size * 0.75 },
        ];
        strokes.push(Stroke::new(drop, Ink::Tube(stone), 1.0));
    }
}
