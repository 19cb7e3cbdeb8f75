//! The products, each made of solids, strokes or cloth with the variety that a seed gives.

mod bottle;
mod chain;
mod garment;
mod glass;
mod hair;
mod mug;
mod shoe;

use super::camera::Camera;
use super::chance::Chance;
use super::scene::{Layer, Set};
use super::solid::{Solid, Stand};
use super::spec::{Ground, Kind};
use super::vector::{V3, colour, smooth, v3};

/// The layers of the product, and the camera if it stands.
pub fn layers(set: Set<'_>) -> (Vec<Layer>, Option<Camera>) {
    let mut chance = Chance::new(set.spec.seed, 7);
    match set.spec.kind {
        Kind::Bottle => stand(set, &mut chance, bottle::make),
        Kind::Mug => stand(set, &mut chance, mug::make),
        Kind::Shoe => stand(set, &mut chance, shoe::make),
        Kind::Glass => stand(set, &mut chance, glass::make),
        Kind::Garment => (garment::shirt(&set, &mut chance), None),
        Kind::Fringe => (garment::scarf(&set, &mut chance), None),
        Kind::Chain => (chain::make(&set, &mut chance), None),
        Kind::Hair => (hair::make(&set, &mut chance), None),
    }
}

/// Puts a solid in front of a camera so that it fills the frame as products do.
fn stand(
    set: Set<'_>,
    chance: &mut Chance,
    make: impl Fn(&Set<'_>, &mut Chance) -> Box<dyn Solid>,
) -> (Vec<Layer>, Option<Camera>) {
    let solid = make(&set, chance);
    let (low, high) = solid.bounds();
    let elevation = chance.between(0.05, 0.42);
    let fill = chance.between(0.62, 0.84);
    let size = high - low;
    // What the box covers of the picture: its depth is seen from above.
    let tall = size.y() * (1.0 - 0.4 * elevation) + size.z() * elevation;
    let scale = (set.canvas.height * fill / tall).min(set.canvas.width * fill / size.x());
    let target = v3((low.x() + high.x()) * 0.5, size.y() * 0.5, 0.0);
    let centre = (
        set.canvas.width * (0.5 + chance.between(-0.03, 0.03)),
        set.canvas.height * (0.5 + chance.between(0.0, 0.04)),
    );
    let distance = chance.between(6.0, 11.0);
    let camera = Camera::new(target, elevation, distance, scale, centre);
    let layer = Layer::Stand(Stand { solid, camera, studio: set.studio, spread: set.spread });
    (vec![layer], Some(camera))
}

/// A colour that products of any kind come in; white where the sample is white on white.
fn hue(set: &Set<'_>, chance: &mut Chance) -> V3 {
    let strong = [
        0xc8102e, 0x1f3a93, 0x0b6e4f, 0xf2a900, 0x202225, 0x6a4c93, 0xe4572e, 0x2a9d8f, 0x8d99ae, 0xe7d8c9,
        0x5c4033, 0xd88c9a, 0x3d405b, 0xf3efe6, 0x9fb8ad, 0x46211a, 0xf5f5f5, 0x2b2d2f,
    ];
    let picked = chance.one_of(&strong);
    if set.spec.ground == Ground::WhiteOnWhite { white(chance) } else { colour(picked) }
}

/// White as products are white: a little warm or cold.
fn white(chance: &mut Chance) -> V3 {
    colour(chance.one_of(&[0xf6f5f2, 0xf1f3f5, 0xfaf8f3, 0xefece6]))
}

/// A metal: steel, gold, rose gold, brass or gunmetal.
fn metal(chance: &mut Chance) -> V3 {
    colour(chance.one_of(&[0xd9dbdd, 0xf0c76a, 0xe3a688, 0xc9a24b, 0x7a7d82]))
}

/// How much ink a printed label has at a place (both -1.0..=1.0): a mark above lines of words; `soft` is a pixel.
pub fn print(u: f32, v: f32, seed: u32, soft: f32) -> f32 {
    use super::chance::dot;
    let soft = soft.max(0.004);
    let inside = |low: f32, high: f32, at: f32| {
        smooth(low - soft, low + soft, at) * (1.0 - smooth(high - soft, high + soft, at))
    };
    let round = (u * u + (v - 0.45) * (v - 0.45)).sqrt();
    let mark = match seed % 3 {
        0 => inside(0.16, 0.26, round),
        1 => inside(-0.22, 0.22, u) * inside(0.30, 0.62, v) - inside(0.06, 0.12, round),
        _ => inside(-1.0, 0.20, round) * smooth(-soft, soft, u + v - 0.45),
    };
    let mut ink = mark.max(0.0);
    let line = ((0.1 - v) / 0.17).floor();
    if (0.0..6.0).contains(&line) {
        let within = 0.1 - v - line * 0.17;
        let tall = if line == 0.0 { 0.12 } else { 0.055 };
        let word = if line == 0.0 { 0.17 } else { 0.11 };
        let column = (u / word).floor();
        let letter = (u / (word * 0.22)).floor();
        let width = 0.42 + 0.45 * dot(column as i32, line as i32, seed);
        let at = u / word - column;
        let reach = if line == 0.0 { 0.62 } else { 0.35 + 0.3 * dot(line as i32, 3, seed) };
        if u.abs() < reach {
            let gap = 0.55 + 0.45 * dot(letter as i32, line as i32, seed ^ 9);
            ink = ink.max(inside(0.08, 0.08 + width, at) * inside(0.0, tall, within) * gap);
        }
    }
    ink
}
