//! A mug with a handle: a hole that the backdrop shows through.

use super::super::chance::Chance;
use super::super::light::Surface;
use super::super::scene::Set;
use super::super::solid::{Seen, Solid, Spot, shape};
use super::super::vector::{V3, colour, mix, sin_cos, smooth, v3};
use super::{hue, print, white};

struct Mug {
    radius: f32,
    height: f32,
    taper: f32,
    wall: f32,
    handle: f32,
    thick: f32,
    stretch: f32,
    turn: (f32, f32),
    outer: Surface,
    inner: Surface,
    accent: V3,
    pattern: usize,
    filled: Option<f32>,
    seed: u32,
}

/// A mug of some form.
pub fn make(set: &Set<'_>, chance: &mut Chance) -> Box<dyn Solid> {
    let tone = hue(set, chance);
    let rough = chance.one_of(&[0.05, 0.12, 0.45]);
    let inner = if chance.happens(0.5) { white(chance) } else { tone };
    let height = chance.between(0.75, 1.0);
    let side = if chance.happens(0.8) { 0.0 } else { std::f32::consts::PI };
    Box::new(Mug {
        radius: chance.between(0.36, 0.46),
        height,
        taper: chance.between(-0.05, 0.12),
        wall: chance.between(0.025, 0.045),
        handle: chance.between(0.17, 0.23),
        thick: chance.between(0.04, 0.06),
        stretch: height * chance.between(0.08, 0.16),
        turn: sin_cos(side + chance.between(-0.6, 0.35)),
        outer: Surface::polished(tone, rough),
        inner: Surface::polished(inner, rough),
        accent: hue(set, chance),
        pattern: chance.below(5),
        filled: chance.happens(0.4).then(|| chance.between(0.7, 0.88)),
        seed: set.spec.noise_seed(32),
    })
}

impl Mug {
    fn radius_at(&self, y: f32) -> f32 {
        self.radius * (1.0 + self.taper * (y / self.height - 1.0))
    }

    fn vessel(&self, p: V3) -> f32 {
        let shift = self.radius - self.radius_at(p.y().clamp(0.0, self.height));
        let across = (p.x() * p.x() + p.z() * p.z()).sqrt().max(1e-6);
        let q = v3(p.x() * (across + shift) / across, p.y(), p.z() * (across + shift) / across);
        let outer = shape::cylinder(q, 0.0, self.height, self.radius, 0.035);
        let inner = shape::cylinder(q, 0.06, self.height + 1.0, self.radius - self.wall, 0.05);
        shape::without(outer, inner, self.wall * 0.7)
    }

    fn grip(&self, p: V3) -> f32 {
        let q = p.turned(self.turn) - v3(self.radius + self.handle * 0.35, self.height * 0.5, 0.0);
        let ring = shape::ring(v3(q.x() * 0.92, q.y(), q.z() * 0.8), self.handle, self.thick, self.stretch);
        // Not into the vessel.
        let across = (p.x() * p.x() + p.z() * p.z()).sqrt();
        ring.max(self.radius_at(p.y()) - self.wall * 0.6 - across)
    }

    fn drink(&self, p: V3) -> f32 {
        match self.filled {
            Some(level) => {
                shape::cylinder(p, 0.1, self.height * level, self.radius_at(p.y()) - self.wall * 0.8, 0.002)
            }
            None => f32::INFINITY,
        }
    }

    fn painted(&self, spot: &Spot) -> V3 {
        let p = spot.place;
        let q = p.turned(self.turn);
        let (angle, v) = (libm::atan2f(q.z(), q.x()), p.y() / self.height);
        let soft = spot.pixel / self.height;
        let share = match self.pattern {
            0 => smooth(-soft, soft, 0.34 - v),
            1 => {
                smooth(-soft, soft, libm::sinf(v * 42.0) * 0.02)
                    * smooth(0.15, 0.16, v)
                    * smooth(0.85, 0.84, v)
            }
            2 => {
                let (column, row) = (angle * 6.0 / std::f32::consts::PI, v * 6.0);
                let (x, y) = (column - column.floor() - 0.5, row - row.floor() - 0.5);
                smooth(0.30, 0.26, (x * x + y * y).sqrt()) * smooth(0.1, 0.12, v)
            }
            3 => {
                let front = p.turned((0.0, 1.0));
                let around = libm::atan2f(front.x(), front.z());
                print(around / 0.9, (v - 0.5) * 2.0, self.seed, soft * 2.0)
                    * smooth(0.2, 0.4, spot.normal.z())
            }
            _ => 0.0,
        };
        mix(self.outer.albedo, self.accent, share)
    }
}

impl Solid for Mug {
    fn distance(&self, p: V3) -> f32 {
        shape::joined(self.vessel(p), self.grip(p), 0.035).min(self.drink(p))
    }

    fn seen(&self, spot: &Spot) -> Seen {
        let p = spot.place;
        if self.drink(p) < self.vessel(p) && self.drink(p) < 0.01 {
            let coffee = mix(
                colour(0x2a1408),
                colour(0x6b3e1d),
                smooth(0.6, 1.0, (p.x() * p.x() + p.z() * p.z()).sqrt() / self.radius),
            );
            return Seen::opaque(Surface::polished(coffee, 0.02), spot.normal);
        }
        let across = (p.x() * p.x() + p.z() * p.z()).sqrt();
        let inside = across < self.radius_at(p.y()) - self.wall * 0.5 && p.y() > 0.03;
        if inside {
            return Seen::opaque(self.inner, spot.normal);
        }
        let painted = if self.grip(p) < self.vessel(p) { self.outer.albedo } else { self.painted(spot) };
        Seen::opaque(Surface { albedo: painted, ..self.outer }, spot.normal)
    }

    fn bounds(&self) -> (V3, V3) {
        let reach = self.radius + self.handle * 1.5 + self.thick + 0.03;
        let (sine, cosine) = self.turn;
        let right = (reach * cosine).max(self.radius) + 0.02;
        let left = (reach * -cosine).max(self.radius) + 0.02;
        let deep = (reach * sine.abs()).max(self.radius) + 0.07;
        (v3(-left, 0.0, -deep), v3(right, self.height + 0.01, deep))
    }
}
