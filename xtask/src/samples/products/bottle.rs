//! Bottles, dispensers, jars and perfume, with caps and labels.

use super::super::chance::{Chance, noise3};
use super::super::light::Surface;
use super::super::scene::Set;
use super::super::solid::{Seen, Solid, Spot, shape};
use super::super::vector::{V3, colour, lerp, mix, smooth, v3};
use super::{hue, metal, print, white};

#[derive(Clone, Copy, PartialEq)]
enum Form {
    Flask,
    Pump,
    Jar,
    Perfume,
}

struct Bottle {
    form: Form,
    radius: f32,
    /// Depth of the body as a share of its width.
    flat: f32,
    height: f32,
    neck: f32,
    cap_low: f32,
    cap_high: f32,
    cap_radius: f32,
    fillet: f32,
    body: Surface,
    cap: Surface,
    ridges: bool,
    label: Option<Label>,
}

struct Label {
    low: f32,
    high: f32,
    /// Half its width as an angle, or as a length on flat sides.
    half: f32,
    paper: V3,
    ink: V3,
    seed: u32,
}

/// A bottle of some form.
pub fn make(set: &Set<'_>, chance: &mut Chance) -> Box<dyn Solid> {
    let form = chance.one_of(&[Form::Flask, Form::Flask, Form::Pump, Form::Jar, Form::Perfume]);
    let (radius, height) = match form {
        Form::Flask | Form::Pump => (chance.between(0.2, 0.3), chance.between(0.8, 1.1)),
        Form::Jar => (chance.between(0.4, 0.5), chance.between(0.35, 0.6)),
        Form::Perfume => (chance.between(0.3, 0.42), chance.between(0.6, 0.8)),
    };
    let neck = if form == Form::Jar { radius * 0.94 } else { radius * chance.between(0.35, 0.5) };
    let cap_low = height + if form == Form::Jar { 0.015 } else { 0.07 };
    let cap_high =
        cap_low + if form == Form::Jar { chance.between(0.1, 0.2) } else { chance.between(0.12, 0.3) };
    let tone = hue(set, chance);
    let body = match chance.below(4) {
        0 => Surface::polished(tone, 0.08),
        1 => Surface::polished(tone, 0.35),
        2 => Surface { rough: 0.6, ..Surface::polished(tone, 0.5) },
        _ => Surface { gloss: 0.08, ..Surface::polished(tone * 0.8, 0.03) },
    };
    let cap = match chance.below(3) {
        0 => Surface::metal(metal(chance), chance.between(0.08, 0.3)),
        1 => Surface::polished(white(chance), 0.25),
        _ => Surface::polished(hue(set, chance), 0.2),
    };
    let dark = tone.dot(v3(0.2, 0.7, 0.1)) < 0.35;
    let label = chance.happens(0.8).then(|| {
        let plain = chance.happens(0.4);
        let paper = if plain { tone } else { white(chance) };
        let ink = if plain && dark {
            white(chance)
        } else {
            colour(chance.one_of(&[0x222222, 0x7a1f1f, 0x1d3557]))
        };
        let (low, high) = (height * chance.between(0.08, 0.2), height * chance.between(0.62, 0.78));
        let half = if form == Form::Perfume { radius * 0.6 } else { chance.between(0.9, 1.4) };
        Label { low, high, half, paper, ink, seed: set.spec.noise_seed(31) }
    });
    Box::new(Bottle {
        form,
        radius,
        flat: if form == Form::Jar { 1.0 } else { chance.one_of(&[1.0, 1.0, 0.6]) },
        height,
        neck,
        cap_low,
        cap_high,
        cap_radius: if form == Form::Jar { radius * 1.02 } else { neck * chance.between(1.05, 1.5) },
        fillet: chance.between(0.06, 0.3),
        body,
        cap,
        ridges: chance.happens(0.5),
        label,
    })
}

impl Bottle {
    fn body(&self, p: V3) -> f32 {
        let body = match self.form {
            Form::Perfume => shape::block(
                p - v3(0.0, self.height * 0.5, 0.0),
                v3(self.radius, self.height * 0.5, self.radius * 0.6),
                0.05,
            ),
            _ => {
                let q = v3(p.x(), p.y(), p.z() / self.flat);
                let round = if self.form == Form::Jar { 0.06 } else { 0.07 };
                shape::cylinder(q, 0.0, self.height, self.radius, round) * self.flat
            }
        };
        let neck = shape::cylinder(p, self.height * 0.8, self.cap_low + 0.03, self.neck, 0.01);
        let fillet = if self.form == Form::Perfume { 0.02 } else { self.fillet };
        shape::joined(body, neck, fillet)
    }

    fn cap(&self, p: V3) -> f32 {
        match self.form {
            Form::Pump => {
                let collar = shape::cylinder(p, self.cap_low, self.cap_low + 0.1, self.cap_radius, 0.015);
                let stem = shape::cylinder(p, self.cap_low, self.cap_high + 0.06, 0.028, 0.005);
                let top = self.cap_high + 0.07;
                let head = shape::cylinder(p, top - 0.03, top + 0.04, 0.075, 0.02);
                let nozzle = shape::rod(p, v3(0.0, top, 0.0), v3(-0.25, top - 0.015, 0.08), 0.036, 0.026);
                collar.min(stem).min(shape::joined(head, nozzle, 0.04))
            }
            _ => shape::cylinder(p, self.cap_low, self.cap_high, self.cap_radius, 0.02),
        }
    }

    fn marked(&self, spot: &Spot) -> Surface {
        let Some(label) = &self.label else { return self.body };
        let p = spot.place;
        let v = (p.y() - label.low) / (label.high - label.low) * 2.0 - 1.0;
        let (at, facing) = match self.form {
            Form::Perfume => (p.x(), spot.normal.z()),
            _ => (libm::atan2f(p.x(), p.z() / self.flat), spot.normal.z().abs().max(0.3)),
        };
        let u = at / label.half;
        if u.abs() > 1.02 || v.abs() > 1.05 || facing < 0.25 || p.z() < 0.0 {
            return self.body;
        }
        let size = label.half * self.radius;
        let soft = spot.pixel / size;
        let edge =
            (1.0 - smooth(1.0 - soft, 1.0 + soft, u.abs())) * (1.0 - smooth(1.0 - soft, 1.0 + soft, v.abs()));
        let aspect = (label.high - label.low) * 0.5 / size;
        let ink = print(u, v * aspect.max(0.6), label.seed, soft);
        let paper = mix(label.paper, label.ink, ink);
        Surface {
            albedo: mix(self.body.albedo, paper, edge),
            rough: lerp(self.body.rough, self.body.rough.max(0.3), edge),
            ..self.body
        }
    }
}

impl Solid for Bottle {
    fn distance(&self, p: V3) -> f32 {
        self.body(p).min(self.cap(p))
    }

    fn seen(&self, spot: &Spot) -> Seen {
        let p = spot.place;
        if self.cap(p) < self.body(p) {
            let mut normal = spot.normal;
            let around = self.ridges && self.form != Form::Pump && normal.y().abs() < 0.5;
            if around {
                let wave = libm::sinf(libm::atan2f(p.x(), p.z()) * 60.0);
                normal = (normal + v3(normal.z(), 0.0, -normal.x()) * (0.28 * wave)).unit();
            }
            return Seen::opaque(self.cap, normal);
        }
        let fine = noise3(p * 60.0, 3) - 0.5;
        let normal = (spot.normal + v3(fine, fine, 0.0) * (0.015 * self.body.rough)).unit();
        Seen::opaque(self.marked(spot), normal)
    }

    fn bounds(&self) -> (V3, V3) {
        let wide = self.radius.max(self.cap_radius);
        let top = self.cap_high + if self.form == Form::Pump { 0.13 } else { 0.01 };
        let left = if self.form == Form::Pump { wide.max(0.29) } else { wide };
        (v3(-left, 0.0, -wide), v3(wide, top, wide))
    }
}
