//! Garments laid flat, and scarves, rugs and blankets with a fringe at both ends.

use super::super::chance::Chance;
use super::super::cloth::{Cloth, Pattern, Weave, folds, rounded};
use super::super::scene::{Layer, Set};
use super::super::stroke::{Ink, Point, Stroke, Strokes};
use super::super::vector::{V3, colour, lerp, sin_cos};
use super::{hue, white};

/// The right half of a garment, from the neck down to the middle of the hem: places in shares of its height, and whether
/// they are sharp corners.
type Half = Vec<(f32, f32, bool)>;

fn half(chance: &mut Chance) -> (Half, f32) {
    let neck = chance.between(0.10, 0.14);
    let wide = chance.between(0.30, 0.38);
    let hem = wide * chance.between(0.95, 1.12);
    let scoop = chance.between(-0.40, -0.30);
    let long = chance.happens(0.4);
    let mut points = vec![(0.0, scoop, false), (neck * 0.8, scoop - 0.02, false), (neck, -0.455, false)];
    points.push((wide * 1.02, -0.41, false));
    if long {
        let reach = chance.between(0.02, 0.16);
        points.extend([
            (wide + 0.10, -0.30, false),
            (wide + 0.14 + reach, 0.30, true),
            (wide + reach - 0.01, 0.32, true),
            (wide + 0.01, -0.12, false),
        ]);
    } else {
        points.extend([(wide + 0.22, -0.20, true), (wide + 0.12, -0.07, true), (wide + 0.01, -0.15, false)]);
    }
    points.extend([
        (wide * 0.98, 0.1, false),
        (hem, 0.47, true),
        (hem * 0.5, 0.485, false),
        (0.0, 0.485, false),
    ]);
    (points, neck)
}

/// A shirt, jumper or dress.
pub fn shirt(set: &Set<'_>, chance: &mut Chance) -> Vec<Layer> {
    let (width, height, side) = (set.canvas.width, set.canvas.height, set.canvas.longer());
    let (points, neck) = half(chance);
    let reach = points.iter().map(|point| point.0).fold(0.0, f32::max);
    let size = (height * chance.between(0.78, 0.88)).min(width * 0.44 / reach);
    let (middle_x, middle_y) = (width * 0.5, height * 0.5);
    let mut jitter = chance.clone();
    let mut place = |x: f32, y: f32| {
        let shift = |chance: &mut Chance| chance.normal() * 0.006;
        (middle_x + (x + shift(&mut jitter)) * size, middle_y + (y + shift(&mut jitter)) * size)
    };
    let mut outline = Vec::new();
    let mirrored = points.iter().rev().map(|&(x, y, sharp)| (-x, y, sharp));
    for (x, y, sharp) in points.iter().copied().chain(mirrored.filter(|point| point.0 != 0.0)) {
        let at = place(x, y);
        outline.push(at);
        if sharp {
            outline.push((at.0 + 0.3, at.1 + 0.3));
        }
    }
    let base = hue(set, chance);
    let accent = hue(set, chance);
    let pattern = match chance.below(5) {
        0 => Pattern::Bands(chance.between(14.0, 40.0)),
        1 => Pattern::Check(chance.between(10.0, 22.0)),
        2 | 3 => Pattern::Print((middle_x, middle_y - size * 0.12), size * 0.2),
        _ => Pattern::Plain,
    };
    let weave = chance.one_of(&[Weave::Plain, Weave::Plain, Weave::Knit, Weave::Twill, Weave::Fleece]);
    let main = std::f32::consts::FRAC_PI_2;
    let count = 14 + chance.below(20);
    let front = Cloth {
        outline: rounded(outline, 3),
        folds: folds(chance, count, (middle_x, middle_y), (size * 0.4, size * 0.45), side, main),
        weave,
        base,
        accent,
        pattern,
        turn: (0.0, 1.0),
        side,
        studio: set.studio.clone(),
        spread: set.spread,
        rim: side * 0.006,
        seam: side * 0.014,
        open: 1.0,
        seed: set.spec.noise_seed(35),
    };
    // The inside of the back, seen through the neck.
    let back = Cloth {
        outline: rounded(
            [(-1.02, -0.455), (-0.5, -0.475), (0.5, -0.475), (1.02, -0.455), (0.9, -0.27), (-0.9, -0.27)]
                .map(|(x, y)| (middle_x + x * neck * size, middle_y + y * size))
                .to_vec(),
            2,
        ),
        folds: Vec::new(),
        weave: Weave::Plain,
        base: base * 0.75,
        accent,
        pattern: Pattern::Plain,
        turn: (0.0, 1.0),
        side,
        studio: set.studio.clone(),
        spread: set.spread,
        rim: side * 0.004,
        seam: side * 0.010,
        open: 0.7,
        seed: set.spec.noise_seed(36),
    };
    vec![Layer::Cloth(back), Layer::Cloth(front)]
}

/// A scarf, blanket or rug.
pub fn scarf(set: &Set<'_>, chance: &mut Chance) -> Vec<Layer> {
    let (width, height, side) = (set.canvas.width, set.canvas.height, set.canvas.longer());
    let (middle_x, middle_y) = (width * 0.5, height * 0.5);
    let share = chance.between(0.3, 0.75);
    let turn = sin_cos(chance.between(-0.5, 0.5));
    let fringe_share = chance.between(0.08, 0.16);
    // The box around it, turned, fits the frame.
    let wide = |long: f32| long * share * turn.1.abs() + long * (1.0 + 2.0 * fringe_share) * turn.0.abs();
    let tall = |long: f32| long * (1.0 + 2.0 * fringe_share) * turn.1.abs() + long * share * turn.0.abs();
    let long = chance.between(0.82, 0.9) * (width / wide(1.0)).min(height / tall(1.0));
    let (half_width, half_length) = (long * share * 0.5, long * 0.5);
    let place = |x: f32, y: f32| (middle_x + x * turn.1 - y * turn.0, middle_y + x * turn.0 + y * turn.1);
    let bulge = |chance: &mut Chance| 1.0 + chance.normal() * 0.02;
    let mut outline = Vec::new();
    for (x, y) in [(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)] {
        let corner = place(x * half_width, y * half_length);
        outline.extend([corner, (corner.0 + 0.3, corner.1 + 0.3)]);
        // Along the long sides a little in and out.
        if x * y < 0.0 {
            for step in 1..5 {
                let along = y * (1.0 - step as f32 * 0.4);
                outline.push(place(x * half_width * bulge(chance), along * half_length));
            }
        }
    }
    let (base, accent) = (hue(set, chance), hue(set, chance));
    let pattern = match chance.below(4) {
        0 => Pattern::Bands(chance.between(8.0, 26.0)),
        1 | 2 => Pattern::Check(chance.between(6.0, 16.0)),
        _ => Pattern::Plain,
    };
    let weave = chance.one_of(&[Weave::Knit, Weave::Knit, Weave::Fleece, Weave::Twill]);
    let main = std::f32::consts::FRAC_PI_2 + libm::atan2f(turn.0, turn.1);
    let count = 6 + chance.below(14);
    let cloth = Cloth {
        outline: rounded(outline, 2),
        folds: folds(chance, count, (middle_x, middle_y), (half_width, half_length), side, main),
        weave,
        base,
        accent,
        pattern,
        turn,
        side,
        studio: set.studio.clone(),
        spread: set.spread,
        rim: side * 0.006,
        seam: 0.0,
        open: 1.0,
        seed: set.spec.noise_seed(37),
    };
    let threads = if chance.happens(0.3) { white(chance) } else { base };
    let fringe = (long * fringe_share, half_width, half_length);
    let strokes = tassels(chance, fringe, side, threads, place);
    vec![
        Layer::Strokes(Strokes { strokes, studio: set.studio.clone(), spread: set.spread * 0.9 }),
        Layer::Cloth(cloth),
    ]
}

fn tassels(
    chance: &mut Chance,
    (length, half_width, half_length): (f32, f32, f32),
    side: f32,
    threads: V3,
    place: impl Fn(f32, f32) -> (f32, f32),
) -> Vec<Stroke> {
    let pitch = side * chance.between(0.012, 0.026);
    let count = ((half_width * 2.0 / pitch) as usize).max(6);
    let per_tassel = 4 + chance.below(6);
    let radius = side * chance.between(0.0009, 0.0017);
    let dark = threads * 0.6 + colour(0x111111) * 0.1;
    let mut strokes = Vec::new();
    for end in [-1.0f32, 1.0] {
        for index in 0..count {
            let x = lerp(-half_width, half_width, (index as f32 + 0.5) / count as f32);
            let lean = chance.normal() * 0.12;
            for _ in 0..per_tassel {
                let (own, wave, phase) = (
                    lean + chance.normal() * 0.10,
                    chance.between(0.0, 0.018),
                    chance.between(0.0, std::f32::consts::TAU),
                );
                let long = length * chance.between(0.8, 1.08);
                let start = x + chance.between(-0.12, 0.12) * pitch;
                let tone = chance.between(0.75, 1.15);
                let points = (0..=14)
                    .map(|step| {
                        let t = step as f32 / 14.0;
                        let knot = (t * 4.0).min(1.0);
                        let shift = own * long * t * t + libm::sinf(t * 9.0 + phase) * wave * long * 2.0 * t;
                        let (px, py) = place(
                            start * knot + x * (1.0 - knot) + shift,
                            end * (half_length - length * 0.1 + (long + length * 0.1) * t),
                        );
                        Point { x: px, y: py, radius: radius * (1.0 - 0.35 * t) }
                    })
                    .collect();
                strokes.push(Stroke::new(
                    points,
                    Ink::Strand { root: dark * tone, tip: threads * tone, gloss: 0.1 },
                    0.95,
                ));
            }
        }
    }
    strokes
}
