//! Solids given by their signed distance, seen by rays: coverage, colour, and the shadow on the floor.
//!
//! Rays advance by the distance to the solid (sphere tracing, Hart 1996). A ray that misses by less than the spread of
//! the lens covers its pixel in part; that share is the exact alpha, by definition.

use super::camera::Camera;
use super::light::{Studio, Surface};
use super::vector::{Curve, V3, smooth, v3};

/// What is seen where a ray meets a solid.
pub struct Seen {
    /// How it takes light.
    pub surface: Surface,
    /// Its normal with fine relief, length one.
    pub normal: V3,
    /// Share of what lies behind that it hides; below 1.0 for glass.
    pub alpha: f32,
}

impl Seen {
    /// Something that hides what is behind it.
    pub fn opaque(surface: Surface, normal: V3) -> Self {
        Self { surface, normal, alpha: 1.0 }
    }
}

/// A place on a solid, and how it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Spot {
    /// Where.
    pub place: V3,
    /// Outward normal.
    pub normal: V3,
    /// Towards the viewer.
    pub view: V3,
    /// Width of a pixel there, in units.
    pub pixel: f32,
    /// Whether it is the far side of something clear, seen from within.
    pub inside: bool,
}

/// A product as a solid; heights begin at 0, one unit is about its size.
pub trait Solid: Sync + Send {
    /// Distance to the surface, negative inside; never more than the true distance by more than a few hundredths of it.
    fn distance(&self, place: V3) -> f32;
    /// What is seen at a spot of the surface.
    fn seen(&self, spot: &Spot) -> Seen;
    /// A box around it: least and greatest coordinates.
    fn bounds(&self) -> (V3, V3);
    /// Whether light goes through it.
    fn is_clear(&self) -> bool {
        false
    }
}

/// A solid in front of a camera.
pub struct Stand {
    /// The product.
    pub solid: Box<dyn Solid>,
    /// The camera.
    pub camera: Camera,
    /// The light.
    pub studio: Studio,
    /// Spread of the lens in pixels: how far outside of an edge it is still felt.
    pub spread: f32,
}

const MOST_STEPS: usize = 220;

impl Stand {
    /// Red, green, blue (sRGB, times alpha) and alpha of the pixel at that place.
    pub fn pixel(&self, x: f32, y: f32, curve: &Curve) -> [f32; 4] {
        let mut sum = [0.0; 4];
        let ray = self.camera.ray(x, y);
        let Some((start, end)) = self.within(ray) else { return sum };
        let (mut t, mut nearest, mut armed) = (start, (f32::INFINITY, start), true);
        for _ in 0..MOST_STEPS {
            let distance = self.solid.distance(self.camera.eye + ray * t);
            let footprint = self.camera.footprint(t);
            let ratio = distance / footprint;
            if ratio < 0.04 {
                self.hit(ray, t, curve, &mut sum);
                return sum;
            }
            if ratio < nearest.0 {
                nearest = (ratio, t);
            } else if armed && nearest.0 < self.spread && ratio > nearest.0 + 0.25 {
                self.passed(ray, nearest, curve, &mut sum);
                (armed, nearest) = (false, (f32::INFINITY, t));
            }
            if ratio > self.spread {
                (armed, nearest) = (true, (nearest.0.max(ratio), t));
            }
            t += (distance * 0.9).max(footprint * 0.2);
            if t > end {
                break;
            }
        }
        if armed && nearest.0 < self.spread {
            self.passed(ray, nearest, curve, &mut sum);
        }
        sum
    }

    /// The part of a ray that may meet the solid.
    fn within(&self, ray: V3) -> Option<(f32, f32)> {
        let (low, high) = self.solid.bounds();
        let margin = 4.0 * self.camera.footprint(self.camera.distance);
        let (mut start, mut end) = (0.0f32, f32::INFINITY);
        for axis in 0..3 {
            let inverse = 1.0 / ray.0[axis];
            let (a, b) = (
                (low.0[axis] - margin - self.camera.eye.0[axis]) * inverse,
                (high.0[axis] + margin - self.camera.eye.0[axis]) * inverse,
            );
            start = start.max(a.min(b));
            end = end.min(a.max(b));
        }
        (start < end).then_some((start, end))
    }

    /// A ray that missed the edge by `nearest.0` pixels.
    fn passed(&self, ray: V3, (ratio, t): (f32, f32), curve: &Curve, sum: &mut [f32; 4]) {
        let cover = 1.0 - smooth(0.0, self.spread, ratio);
        self.lay(ray, t, cover, false, curve, sum);
    }

    fn hit(&self, ray: V3, t: f32, curve: &Curve, sum: &mut [f32; 4]) {
        self.lay(ray, t, 1.0, false, curve, sum);
        if !self.solid.is_clear() || sum[3] > 0.995 {
            return;
        }
        let footprint = self.camera.footprint(t);
        let mut far = t + 2.0 * footprint;
        for _ in 0..MOST_STEPS {
            let depth = -self.solid.distance(self.camera.eye + ray * far);
            if depth < 0.04 * footprint {
                break;
            }
            far += (depth * 0.9).max(0.2 * footprint);
        }
        self.lay(ray, far, 1.0, true, curve, sum);
    }

    /// Lays what is seen at a spot behind what was seen before it.
    fn lay(&self, ray: V3, t: f32, cover: f32, inside: bool, curve: &Curve, sum: &mut [f32; 4]) {
        let pixel = self.camera.footprint(t);
        let place = self.camera.eye + ray * t;
        let normal = self.normal(place, pixel);
        let spot = Spot { place, normal, view: -ray, pixel, inside };
        let seen = self.solid.seen(&spot);
        let (lit, open) = if self.solid.is_clear() {
            (1.0, 1.0)
        } else {
            (self.lit(place, normal), self.open(place, normal))
        };
        let facing = if inside { -seen.normal } else { seen.normal };
        let light = self.studio.shade(&seen.surface, facing, -ray, lit, open);
        let weight = (1.0 - sum[3]) * cover * seen.alpha;
        let shown = curve.encode(light);
        for (sum, value) in sum.iter_mut().zip(shown) {
            *sum += value * weight;
        }
        sum[3] += weight;
    }

    fn normal(&self, place: V3, pixel: f32) -> V3 {
        let step = (0.5 * pixel).max(4e-4);
        let corners = [v3(1.0, -1.0, -1.0), v3(-1.0, -1.0, 1.0), v3(-1.0, 1.0, -1.0), v3(1.0, 1.0, 1.0)];
        corners
            .iter()
            .fold(v3(0.0, 0.0, 0.0), |sum, &corner| sum + corner * self.solid.distance(place + corner * step))
            .unit()
    }

    /// Share of the key light that reaches a place: how wide a cone towards it stays free.
    fn lit(&self, place: V3, normal: V3) -> f32 {
        let facing = normal.dot(self.studio.key());
        if facing < -0.3 {
            return 1.0; // Turned away: the lamp does not count there anyway.
        }
        self.free(place + normal * 0.02, 5.0, 14)
    }

    fn free(&self, from: V3, sharpness: f32, steps: usize) -> f32 {
        let (mut t, mut free) = (0.02f32, 1.0f32);
        for _ in 0..steps {
            let distance = self.solid.distance(from + self.studio.key() * t);
            free = free.min(0.5 + 0.5 * sharpness * distance / t);
            if free <= 0.0 || t > 3.0 {
                break;
            }
            t += distance.clamp(0.03, 0.3);
        }
        smooth(0.0, 1.0, free.max(0.0))
    }

    /// Share of the room that a place sees (ambient occlusion from distances along the normal).
    fn open(&self, place: V3, normal: V3) -> f32 {
        let (mut hidden, mut weight) = (0.0, 1.0);
        for step in [0.04f32, 0.1, 0.22] {
            let at = place + normal * step;
            let distance = self.solid.distance(at).min(at.y().max(0.0) + 0.02);
            hidden += weight * (step - distance).max(0.0) / step;
            weight *= 0.6;
        }
        (1.0 - 0.5 * hidden).clamp(0.0, 1.0)
    }

    /// How dark the product's shadow makes a place of the floor: what it keeps off of the key light, and what it hides
    /// of the room close to where it stands. 0.0..=1.0, before the strengths that the light gives both.
    pub fn floor_shadow(&self, place: V3) -> (f32, f32) {
        let cast = 1.0 - self.free(place + v3(0.0, 0.01, 0.0), 2.2, 26);
        let mut contact = 0.0f32;
        for (height, weight) in [(0.03f32, 0.5f32), (0.1, 0.3), (0.3, 0.2)] {
            let distance = self.solid.distance(place + v3(0.0, height, 0.0)).max(0.0);
            contact += weight * (1.0 - (distance / height).min(1.0));
        }
        (cast, contact)
    }
}

/// Solids from which products are put together; exact distances unless said otherwise.
pub mod shape {
    use super::{V3, v3};

    /// A ball stretched along the axes (a good bound, not exact).
    pub fn ellipsoid(place: V3, radii: V3) -> f32 {
        let scaled = v3(place.x() / radii.x(), place.y() / radii.y(), place.z() / radii.z());
        let twice = v3(scaled.x() / radii.x(), scaled.y() / radii.y(), scaled.z() / radii.z());
        let length = scaled.length();
        length * (length - 1.0) / twice.length().max(1e-6)
    }

    /// A box with rounded edges, by half its sides.
    pub fn block(place: V3, half: V3, round: f32) -> f32 {
        let q = place.map(f32::abs) - half + v3(round, round, round);
        q.map(|value| value.max(0.0)).length() + q.x().max(q.y()).max(q.z()).min(0.0) - round
    }

    /// An upright cylinder with rounded edges from height `low` to `high`.
    pub fn cylinder(place: V3, low: f32, high: f32, radius: f32, round: f32) -> f32 {
        let across = (place.x() * place.x() + place.z() * place.z()).sqrt();
        let (r, h) =
            (across - radius + round, (place.y() - 0.5 * (low + high)).abs() - 0.5 * (high - low) + round);
        r.max(h).min(0.0) + (r.max(0.0) * r.max(0.0) + h.max(0.0) * h.max(0.0)).sqrt() - round
    }

    /// A round rod from one place to another, thinner or thicker towards its end (a bound).
    pub fn rod(place: V3, from: V3, to: V3, thick: f32, thin: f32) -> f32 {
        let (along, axis) = (place - from, to - from);
        let share = (along.dot(axis) / axis.dot(axis)).clamp(0.0, 1.0);
        (along - axis * share).length() - (thick + (thin - thick) * share)
    }

    /// A ring in the plane of x and y, stretched by `stretch` to both sides along y.
    pub fn ring(place: V3, radius: f32, thickness: f32, stretch: f32) -> f32 {
        let y = place.y() - place.y().clamp(-stretch, stretch);
        let across = (place.x() * place.x() + y * y).sqrt() - radius;
        (across * across + place.z() * place.z()).sqrt() - thickness
    }

    /// Both, with a fillet of that size where they meet.
    pub fn joined(a: f32, b: f32, fillet: f32) -> f32 {
        let h = (fillet - (a - b).abs()).max(0.0) / fillet;
        a.min(b) - h * h * fillet * 0.25
    }

    /// The first without the second, with a rounded rim of that size.
    pub fn without(a: f32, b: f32, round: f32) -> f32 {
        let h = (round - (a + b).abs()).max(0.0) / round;
        a.max(-b) + h * h * round * 0.25
    }

    /// What turning about the upright axis makes of a profile: half-width `radius` at the height, which changes by
    /// `slope` for each unit of height (a bound).
    pub fn turned(place: V3, radius: f32, slope: f32) -> f32 {
        let across = (place.x() * place.x() + place.z() * place.z()).sqrt();
        (across - radius) / (1.0 + slope * slope).sqrt()
    }
}
