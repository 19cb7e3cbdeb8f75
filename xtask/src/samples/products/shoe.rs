//! A trainer: sole, upper, opening, tongue and laces.

use super::super::chance::{Chance, noise2, noise3};
use super::super::light::Surface;
use super::super::scene::Set;
use super::super::solid::{Seen, Solid, Spot, shape};
use super::super::vector::{V3, mix, sin_cos, smooth, v3};
use super::{hue, white};

struct Shoe {
    turn: (f32, f32),
    sole: V3,
    upper: V3,
    accent: V3,
    lining: V3,
    laces: V3,
    /// How high the heel and the ankle are.
    collar: f32,
    thick: f32,
    toe_cap: bool,
    stripes: usize,
    knit: bool,
    seed: u32,
    /// Half the length it takes across the picture once turned, and half its depth.
    extent: (f32, f32),
}

/// A trainer of some form.
pub fn make(set: &Set<'_>, chance: &mut Chance) -> Box<dyn Solid> {
    let side = if chance.happens(0.5) { 0.0 } else { std::f32::consts::PI };
    let turn = sin_cos(side + chance.between(-0.55, 0.55));
    let upper = hue(set, chance);
    Box::new(Shoe {
        turn,
        sole: if chance.happens(0.7) { white(chance) } else { hue(set, chance) },
        upper,
        accent: hue(set, chance),
        lining: mix(upper, white(chance), 0.5) * 0.6,
        laces: if chance.happens(0.6) { white(chance) } else { hue(set, chance) },
        collar: chance.between(0.0, 0.28),
        thick: chance.between(0.10, 0.17),
        toe_cap: chance.happens(0.5),
        stripes: chance.below(4),
        knit: chance.happens(0.5),
        seed: set.spec.noise_seed(33),
        extent: (
            1.10 * turn.1.abs() + 0.40 * turn.0.abs() + 0.02,
            1.10 * turn.0.abs() + 0.40 * turn.1.abs() + 0.02,
        ),
    })
}

/// The length along which laces cross, from the toe to the ankle.
const LACES: usize = 6;

impl Shoe {
    /// Distance to the outline of the foot, seen from above.
    fn outline(x: f32, z: f32) -> f32 {
        let circle = |cx: f32, cz: f32, r: f32| ((x - cx) * (x - cx) + (z - cz) * (z - cz)).sqrt() - r;
        let waist = {
            let (along, across) = ((x + 0.1).abs() - 0.55, z.abs() - 0.20);
            along.max(across).min(0.0)
                + (along.max(0.0) * along.max(0.0) + across.max(0.0) * across.max(0.0)).sqrt()
        };
        let front = shape::joined(circle(0.48, 0.03, 0.33), circle(0.74, 0.07, 0.27), 0.2);
        shape::joined(shape::joined(front, circle(-0.70, 0.0, 0.28), 0.1), waist, 0.35)
    }

    fn sole_distance(&self, p: V3) -> f32 {
        let spring = 0.10 * smooth(0.45, 1.05, p.x()) + 0.03 * smooth(-0.7, -1.0, p.x());
        let (low, high) = (spring, spring * 0.6 + self.thick + 0.03 * smooth(-0.2, -0.9, p.x()));
        let flare = 0.03 * smooth(high, low, p.y());
        let outline = Self::outline(p.x(), p.z()) - 0.015 - flare;
        let upright = (p.y() - 0.5 * (low + high)).abs() - 0.5 * (high - low);
        let (a, b) = (outline + 0.03, upright + 0.03);
        (a.max(b).min(0.0) + (a.max(0.0) * a.max(0.0) + b.max(0.0) * b.max(0.0)).sqrt() - 0.03) * 0.85
    }

    fn upper_distance(&self, p: V3) -> f32 {
        let toe = shape::ellipsoid(p - v3(0.52, 0.12, 0.03), v3(0.50, 0.27, 0.33));
        let instep = shape::rod(p, v3(0.42, 0.18, 0.02), v3(-0.30, 0.42, 0.0), 0.25, 0.235);
        let heel = shape::ellipsoid(p - v3(-0.62, 0.30, 0.0), v3(0.37, 0.44 + self.collar * 0.4, 0.27));
        let ankle = shape::rod(p, v3(-0.52, 0.40, 0.0), v3(-0.56, 0.62 + self.collar, 0.0), 0.27, 0.235);
        let whole = shape::joined(shape::joined(toe, instep, 0.18), shape::joined(heel, ankle, 0.12), 0.16);
        let flat = whole.max(-(p.y() - 0.05));
        let opening = shape::rod(p, v3(-0.44, 0.45, 0.0), v3(-0.56, 1.3 + self.collar, 0.0), 0.17, 0.30);
        shape::without(flat, opening, 0.05)
    }

    fn tongue(&self, p: V3) -> f32 {
        let q = p - v3(-0.235, 0.60 + self.collar * 0.7, 0.0);
        let tilted = v3(q.x() * 0.85 + q.y() * 0.5, q.y() * 0.85 - q.x() * 0.5, q.z());
        shape::block(tilted, v3(0.03, 0.17 + self.collar * 0.35, 0.13), 0.028)
    }

    fn laced(&self, p: V3) -> f32 {
        let (mut nearest, mirrored) = (f32::INFINITY, v3(p.x(), p.y(), p.z().abs()));
        for index in 0..LACES {
            let share = index as f32 / (LACES - 1) as f32;
            let (x, y) = (0.32 - 0.50 * share, 0.425 + 0.205 * share);
            let bar =
                shape::rod(mirrored, v3(x, y + 0.012, 0.0), v3(x + 0.03, y - 0.075, 0.14), 0.024, 0.022);
            nearest = nearest.min(bar);
        }
        nearest
    }

    fn coloured(&self, p: V3, spot: &Spot) -> Surface {
        let soft = spot.pixel;
        let mut albedo = self.upper;
        let step = |edge: f32, at: f32| smooth(edge - soft, edge + soft, at);
        if self.toe_cap {
            albedo = mix(albedo, self.accent, step(0.62 + p.y() * 0.25, p.x()));
        }
        let counter = step(0.0, -0.62 - p.x() - (p.y() - 0.2) * 0.35);
        albedo = mix(albedo, self.accent, counter);
        if self.stripes > 0 && p.z().abs() > 0.1 {
            let slanted = p.x() + 0.05 + (p.y() - 0.25) * 0.75;
            let period = slanted * 7.0;
            let at = period - period.floor();
            let band = step(0.28, at) * (1.0 - step(0.68, at));
            let zone = step(-0.36, slanted)
                * (1.0 - step(-0.36 + 0.143 * self.stripes as f32, slanted))
                * (1.0 - step(0.52, p.y()));
            albedo = mix(albedo, if counter > 0.5 { self.upper } else { self.laces }, band * zone);
        }
        // A seam along the rim of the opening and above the sole.
        let seam = smooth(0.012, 0.004, (p.y() - 0.26 - 0.02 * libm::sinf(p.x() * 3.0)).abs());
        albedo = albedo * (1.0 - 0.25 * seam);
        let surface = if self.knit {
            Surface::cloth(albedo)
        } else {
            Surface { rough: 0.55, ..Surface::polished(albedo, 0.55) }
        };
        let grey = 0.93 + 0.14 * noise2(p.x() * 140.0, (p.y() + p.z()) * 140.0, self.seed);
        Surface { albedo: surface.albedo * grey, ..surface }
    }
}

impl Solid for Shoe {
    fn distance(&self, place: V3) -> f32 {
        let p = place.turned(self.turn);
        let near = self.sole_distance(p).min(self.upper_distance(p));
        near.min(self.laced(p)).min(self.tongue(p))
    }

    fn seen(&self, spot: &Spot) -> Seen {
        let p = spot.place.turned(self.turn);
        let (sole, upper, laces, tongue) =
            (self.sole_distance(p), self.upper_distance(p), self.laced(p), self.tongue(p));
        let least = sole.min(upper).min(laces).min(tongue);
        let rough = v3(
            noise3(p * 75.0, self.seed) - 0.5,
            noise3(p * 75.0, self.seed ^ 1) - 0.5,
            noise3(p * 75.0, self.seed ^ 2) - 0.5,
        );
        let normal = (spot.normal + rough * if self.knit { 0.22 } else { 0.08 }).unit();
        if least == laces {
            return Seen::opaque(Surface::cloth(self.laces), normal);
        }
        if least == sole {
            let groove = smooth(0.010, 0.003, (p.y() - self.thick * 0.62).abs());
            let tread = smooth(0.0, 0.3, libm::sinf(p.x() * 70.0)) * smooth(0.05, 0.04, p.y());
            let albedo = self.sole * (1.0 - 0.35 * groove - 0.25 * tread);
            return Seen::opaque(Surface { rough: 0.6, ..Surface::polished(albedo, 0.6) }, spot.normal);
        }
        if least == tongue {
            return Seen::opaque(Surface::cloth(mix(self.upper, self.accent, 0.3)), normal);
        }
        let inside = p.y() > 0.3 && Self::outline(p.x(), p.z()) < -0.085 && spot.normal.y() > -0.5 && {
            let axis = -0.44 - 0.12 * (p.y() - 0.45) / 0.85;
            let across = ((p.x() - axis) * (p.x() - axis) + p.z() * p.z()).sqrt();
            across < 0.17 + 0.13 * (p.y() - 0.45).max(0.0) / 0.85 + 0.02
        };
        if inside {
            return Seen::opaque(Surface::cloth(self.lining), normal);
        }
        Seen::opaque(self.coloured(p, spot), normal)
    }

    fn bounds(&self) -> (V3, V3) {
        let (wide, deep) = self.extent;
        (v3(-wide, 0.0, -deep), v3(wide, 0.86 + self.collar, deep))
    }
}
