//! Drinking glasses: thin walls that hide little where they face the camera and much at their rims.

use super::super::chance::Chance;
use super::super::light::{Studio, Surface};
use super::super::scene::Set;
use super::super::solid::{Seen, Solid, Spot, shape};
use super::super::vector::{V3, colour, grey, mix, smooth, v3};

struct Glass {
    /// A bowl on a stem rather than a tumbler.
    stemmed: bool,
    radius: f32,
    height: f32,
    /// Where the bowl begins.
    bowl: f32,
    taper: f32,
    drink: Option<(f32, V3)>,
    /// The colour its rims have: dark before a bright backdrop, bright before a dark one.
    rim: V3,
    tint: V3,
    base_alpha: f32,
    studio: Studio,
}

/// A tumbler or a wine glass, empty or filled.
pub fn make(set: &Set<'_>, chance: &mut Chance) -> Box<dyn Solid> {
    let stemmed = chance.happens(0.5);
    let wall = set.studio.wall.dot(grey(1.0 / 3.0));
    let rim = if wall > 0.3 { grey(chance.between(0.02, 0.12)) } else { grey(chance.between(0.6, 0.9)) };
    let drinks = [0x8a0f1e, 0xd9a13b, 0xf2d16b, 0x5a2d0c, 0xe86a92, 0x8fd3e8];
    let tint =
        if chance.happens(0.25) { colour(chance.one_of(&[0x7fb3a6, 0xb08bb5, 0x8a6a3a])) } else { grey(0.7) };
    Box::new(Glass {
        stemmed,
        radius: if stemmed { chance.between(0.26, 0.34) } else { chance.between(0.26, 0.36) },
        height: if stemmed { chance.between(1.05, 1.25) } else { chance.between(0.6, 0.95) },
        bowl: chance.between(0.44, 0.52),
        taper: chance.between(0.0, 0.2),
        drink: chance.happens(0.5).then(|| (chance.between(0.35, 0.75), colour(chance.one_of(&drinks)))),
        rim,
        tint,
        base_alpha: chance.between(0.05, 0.12),
        studio: set.studio.clone(),
    })
}

impl Glass {
    fn floor_of_drink(&self) -> f32 {
        if self.stemmed { self.bowl * self.height + 0.05 } else { 0.09 }
    }

    fn level(&self) -> Option<(f32, V3)> {
        let floor = self.floor_of_drink();
        self.drink.map(|(share, colour)| (floor + (self.height - floor) * share * 0.85, colour))
    }
}

impl Solid for Glass {
    fn distance(&self, p: V3) -> f32 {
        if !self.stemmed {
            let narrow = 1.0 + self.taper * (p.y().clamp(0.0, self.height) / self.height - 1.0);
            let q = v3(p.x() / narrow, p.y(), p.z() / narrow);
            return shape::cylinder(q, 0.0, self.height, self.radius, 0.025) * (narrow * 0.97);
        }
        let low = self.bowl * self.height;
        let foot = shape::cylinder(p, 0.0, 0.022, self.radius * 0.85, 0.009);
        let stem = shape::rod(p, v3(0.0, 0.01, 0.0), v3(0.0, low + 0.02, 0.0), 0.03, 0.028);
        let middle = low + (self.height - low) * 0.42;
        let bowl = shape::ellipsoid(p - v3(0.0, middle, 0.0), v3(self.radius, middle - low, self.radius));
        // Above the widest place the bowl narrows a little and is cut off.
        let rise = ((p.y() - middle) / (self.height - middle)).clamp(0.0, 1.0);
        let radius = self.radius * (1.0 - self.taper * rise * rise);
        let upper = shape::turned(p, radius, self.taper * 1.2).max(p.y() - self.height);
        let cup = if p.y() > middle { upper } else { bowl };
        shape::joined(shape::joined(foot, stem, 0.07), cup, 0.05)
    }

    fn seen(&self, spot: &Spot) -> Seen {
        let p = spot.place;
        let facing = spot.normal.dot(spot.view).abs();
        let grazing = 1.0 - facing.min(1.0);
        let edge = grazing * grazing * grazing;
        let top = spot.normal.y() > 0.7 && p.y() > self.height - 0.03;
        let solid = (!self.stemmed && p.y() < 0.07) || (self.stemmed && p.y() < self.bowl * self.height);
        let mut alpha = (self.base_alpha + 0.85 * edge * edge + 0.10 * edge).min(1.0);
        let mut albedo = mix(self.tint, self.rim, smooth(0.1, 0.7, edge));
        let mut surface = Surface { gloss: 0.05, rough: 0.02, ..Surface::polished(albedo, 0.02) };
        if top {
            // The opening is no lid: only the ground rim around it shows.
            let across = (p.x() * p.x() + p.z() * p.z()).sqrt();
            let narrow = if self.stemmed { 1.0 - self.taper } else { 1.0 };
            let ring = smooth(self.radius * narrow - 0.035, self.radius * narrow - 0.02, across);
            alpha = 0.55 * ring;
            surface.albedo = mix(self.tint, self.rim, 0.4);
            surface.gloss = 0.05 * ring;
            return Seen { surface, normal: spot.normal, alpha };
        }
        if solid {
            // Massive glass bends the room: dark and bright streaks.
            let streak = libm::sinf(spot.normal.x() * 9.0 + p.y() * 30.0) * 0.5 + 0.5;
            alpha = alpha.max(0.22 + 0.35 * streak * grazing);
            albedo = mix(albedo, self.rim, 0.5 * streak);
        }
        if let Some((level, drink)) = self.level() {
            let wet = smooth(level + 0.004, level - 0.004, p.y())
                * smooth(self.floor_of_drink() - 0.03, self.floor_of_drink() - 0.01, p.y());
            let line = smooth(0.012, 0.004, (p.y() - level).abs());
            let deep = 0.70 + 0.2 * facing;
            alpha = alpha + (deep - alpha).max(0.0) * wet;
            albedo = mix(albedo, drink * (0.75 + 0.5 * facing), wet);
            alpha = alpha.max(0.6 * line);
        }
        // A reflection of a lamp hides what is behind it.
        let light = self.studio.mirrored((-spot.view).reflected(spot.normal), 0.02);
        let lamp = smooth(0.9, 2.0, light.y()) * if spot.inside { 0.25 } else { 0.7 };
        surface.albedo = mix(albedo, grey(1.6), lamp / (lamp + alpha).max(1e-3));
        alpha += (1.0 - alpha) * lamp;
        Seen { surface, normal: spot.normal, alpha: alpha.min(1.0) }
    }

    fn bounds(&self) -> (V3, V3) {
        let wide = self.radius + 0.01;
        (v3(-wide, 0.0, -wide), v3(wide, self.height + 0.005, wide))
    }

    fn is_clear(&self) -> bool {
        true
    }
}
