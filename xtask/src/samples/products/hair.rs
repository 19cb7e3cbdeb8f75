//! Hair: a make-up brush, a ball of fur on a ring, and a tress of long hair.

use super::super::chance::Chance;
use super::super::light::Surface;
use super::super::scene::{Layer, Set};
use super::super::stroke::{Ink, Point, Stroke, Strokes, bow};
use super::super::vector::{V3, colour, lerp, mix, sin_cos};
use super::{hue, metal, white};
use crate::samples::spec::Ground;

/// One of them.
pub fn make(set: &Set<'_>, chance: &mut Chance) -> Vec<Layer> {
    let strokes = match chance.below(3) {
        0 => brush(set, chance),
        1 => ball(set, chance),
        _ => tress(set, chance),
    };
    vec![Layer::Strokes(Strokes { strokes, studio: set.studio.clone(), spread: set.spread * 0.85 })]
}

/// Colours of a root and a tip.
fn hair(set: &Set<'_>, chance: &mut Chance) -> (V3, V3) {
    if set.spec.ground == Ground::WhiteOnWhite {
        let tone = white(chance);
        return (tone * 0.7, tone);
    }
    let tones = [
        (0x2a1b12, 0x5a3d28),
        (0x0f0d0c, 0x2b2522),
        (0x7a5232, 0xd8b07a),
        (0xb9935f, 0xf0ddb4),
        (0x5a2213, 0xa5502c),
        (0x9a9a98, 0xe4e2de),
        (0xd98aa8, 0xf6cfdc),
        (0x3b4c7c, 0x9fb4e0),
    ];
    let (root, tip) = chance.one_of(&tones);
    (colour(root), colour(tip))
}

fn strand(root: V3, tip: V3, gloss: f32) -> Ink {
    Ink::Strand { root, tip, gloss }
}

/// Lies slantwise: handle, ferrule, bristles.
fn brush(set: &Set<'_>, chance: &mut Chance) -> Vec<Stroke> {
    let side = set.canvas.shorter();
    let (sine, cosine) = sin_cos(chance.between(-2.2, -0.9));
    let length = side * chance.between(0.76, 0.84);
    let (middle_x, middle_y) = (set.canvas.width * 0.5, set.canvas.height * 0.5);
    let at = |along: f32, across: f32| {
        let along = (along - 0.5) * length;
        (
            middle_x + along * cosine - across * length * sine,
            middle_y + along * sine + across * length * cosine,
        )
    };
    let point = |along: f32, across: f32, radius: f32| {
        let (x, y) = at(along, across);
        Point { x, y, radius: radius * length }
    };
    let thick = chance.between(0.025, 0.04);
    let handle = Surface::polished(hue(set, chance), chance.between(0.05, 0.4));
    let ferrule = Surface::metal(metal(chance), 0.12);
    let (root, tip) = hair(set, chance);
    let wide = thick * chance.between(1.0, 1.5);
    let spread = chance.between(1.4, 2.6);
    let mut strokes = vec![Stroke::new(
        vec![
            point(0.02, 0.0, thick * 0.45),
            point(0.15, 0.0, thick * 0.8),
            point(0.35, 0.0, thick),
            point(0.5, 0.0, thick * 0.8),
            point(0.52, 0.0, thick * 0.8),
        ],
        Ink::Tube(handle),
        1.0,
    )];
    let mut bristles = Vec::new();
    for index in 0..1500 {
        let depth = index as f32 / 1500.0;
        let across = chance.normal().clamp(-2.0, 2.0) * 0.5;
        let reach = (1.0 - 0.25 * across * across) * chance.between(0.86, 1.0);
        let stray = if chance.happens(0.03) { chance.between(-0.05, 0.05) } else { 0.0 };
        let from = at(0.68, across * wide);
        let bend = at(0.82, across * wide * (0.6 + 0.6 * spread) + stray * 0.5);
        let to = at(0.68 + 0.3 * reach, across * wide * spread * 0.9 + stray + chance.between(-0.006, 0.006));
        let radius = length * chance.between(0.0009, 0.0016);
        let tone = chance.between(0.75, 1.15);
        let points = bow(from, bend, to, (radius, radius * 0.25), 12);
        bristles.push(Stroke::new(points, strand(root * tone, tip * tone, 0.35), lerp(0.5, 1.0, depth)));
    }
    strokes.append(&mut bristles);
    strokes.push(Stroke::new(
        vec![point(0.5, 0.0, thick * 0.86), point(0.56, 0.0, thick * 0.95), point(0.7, 0.0, wide * 1.02)],
        Ink::Tube(ferrule),
        1.0,
    ));
    strokes
}

/// Strands from a middle outwards, the farther below the darker.
fn ball(set: &Set<'_>, chance: &mut Chance) -> Vec<Stroke> {
    let side = set.canvas.shorter();
    let (x, y) = (set.canvas.width * 0.5, set.canvas.height * 0.54);
    let size = side * chance.between(0.26, 0.32);
    let (root, tip) = hair(set, chance);
    let surface = Surface::metal(metal(chance), 0.1);
    // What the strands grow on; no light comes through the middle.
    let core = Surface::cloth(root * 0.5);
    let body = [-0.02, 0.02].map(|dx| Point { x: x + dx * size, y, radius: size * 0.55 });
    let mut strokes = vec![Stroke::new(body.to_vec(), Ink::Tube(core), 0.5)];
    // Under-fur: short, thick and dark, so that the core has no rim.
    for _ in 0..1400 {
        let (sine, cosine) = sin_cos(chance.between(0.0, std::f32::consts::TAU));
        let (start, end) = (size * 0.45, size * chance.between(0.6, 0.9));
        let curl = size * chance.between(-0.12, 0.12);
        let from = (x + start * cosine, y + start * sine);
        let bend =
            (x + (start + end) * 0.5 * cosine - curl * sine, y + (start + end) * 0.5 * sine + curl * cosine);
        let to = (x + end * cosine, y + end * sine + size * 0.04);
        let radius = size * chance.between(0.008, 0.013);
        let tone = chance.between(0.45, 0.75);
        let points = bow(from, bend, to, (radius, radius * 0.3), 8);
        strokes.push(Stroke::new(points, strand(root * tone, root * tone, 0.05), 0.55));
    }
    let count = 3600;
    for index in 0..count {
        let depth = index as f32 / count as f32;
        let (sine, cosine) = sin_cos(chance.between(0.0, std::f32::consts::TAU));
        // The nearer to the camera, the shorter it is seen.
        let shown = ((1.0 - depth) * 1.15).clamp(0.12, 1.0);
        let start = size * (0.1 + 0.45 * chance.unit()) * (1.0 - 0.6 * depth);
        let end = size * shown * chance.between(0.82, 1.06) + size * 0.25 * depth;
        let curl = chance.between(-0.35, 0.35);
        let droop = size * 0.08;
        let from = (x + start * cosine, y + start * sine);
        let middle = (start + end) * 0.55;
        let bend = (x + middle * (cosine - curl * sine), y + middle * (sine + curl * cosine));
        let to =
            (x + end * (cosine - 1.3 * curl * 0.5 * sine), y + end * (sine + 0.65 * curl * cosine) + droop);
        let radius = size * chance.between(0.0022, 0.0045);
        let tone = chance.between(0.7, 1.2);
        let light = lerp(0.45, 1.05, depth) * (1.0 - 0.25 * sine);
        let points = bow(from, bend, to, (radius, radius * 0.2), 10);
        strokes.push(Stroke::new(points, strand(root * tone, tip * tone, 0.25), light));
    }
    let ring = size * 0.34;
    let top = y - size * 1.02 - ring * 0.8;
    let wire = ring * 0.12;
    let circle = (0..=32)
        .map(|index| {
            let (sine, cosine) = sin_cos(index as f32 / 32.0 * std::f32::consts::TAU);
            Point { x: x + ring * cosine, y: top + ring * sine, radius: wire }
        })
        .collect();
    let bail = vec![
        Point { x, y: top + ring * 0.8, radius: wire * 1.2 },
        Point { x, y: y - size * 0.6, radius: wire * 1.2 },
    ];
    strokes.insert(0, Stroke::new(bail, Ink::Tube(surface), 1.0));
    strokes.push(Stroke::new(circle, Ink::Tube(surface), 1.0));
    strokes
}

/// Long waves from a band, with strands that fly.
fn tress(set: &Set<'_>, chance: &mut Chance) -> Vec<Stroke> {
    let side = set.canvas.shorter();
    let (middle_x, top) = (set.canvas.width * 0.5, set.canvas.height * 0.5 - side * 0.40);
    let (root, tip) = hair(set, chance);
    let band = hue(set, chance);
    let length = side * chance.between(0.68, 0.78);
    let (waves, height) = (chance.between(1.2, 3.0), chance.between(0.02, 0.05) * side);
    let wide = side * chance.between(0.05, 0.09);
    let count = 1700;
    let lean = chance.between(-0.06, 0.06) * side;
    let mut strokes = Vec::new();
    for index in 0..count {
        let depth = index as f32 / count as f32;
        let across = chance.normal().clamp(-2.2, 2.2);
        let flies = chance.happens(0.035);
        let phase = chance.between(-0.25, 0.25) + if flies { chance.between(-1.5, 1.5) } else { 0.0 };
        let wander = if flies {
            chance.between(-1.0, 1.0) * side * 0.07
        } else {
            chance.between(-1.0, 1.0) * side * 0.006
        };
        let long = length * if flies { chance.between(0.5, 1.05) } else { chance.between(0.85, 1.03) };
        let radius = side * chance.between(0.0009, 0.0017);
        let points = (0..=30)
            .map(|step| {
                let t = step as f32 / 30.0;
                let body = wide * (0.35 + 1.5 * t * (1.25 - t));
                let wave = height
                    * t
                    * libm::sinf((t * waves + phase * 0.3) * std::f32::consts::TAU + across * 0.35);
                Point {
                    x: middle_x + lean * t + across * body * 0.62 + wave + wander * t * t,
                    y: top + long * t - libm::fabsf(across) * t * side * 0.015,
                    radius: radius * (1.0 - 0.75 * t * t),
                }
            })
            .collect();
        let tone = chance.between(0.75, 1.2);
        strokes.push(Stroke::new(
            points,
            strand(root * tone, mix(root, tip, 0.8) * tone, 0.5),
            lerp(0.5, 1.05, depth),
        ));
    }
    let tie = vec![
        Point { x: middle_x - wide * 0.62, y: top + side * 0.012, radius: side * 0.018 },
        Point { x: middle_x, y: top + side * 0.016, radius: side * 0.021 },
        Point { x: middle_x + wide * 0.62, y: top + side * 0.012, radius: side * 0.018 },
    ];
    strokes.push(Stroke::new(tie, Ink::Tube(Surface::polished(band, 0.4)), 1.0));
    strokes
}
