//! A camera on a tripod: which ray each pixel looks along.

use super::vector::{V3, sin_cos, v3};

/// A pinhole camera that looks at a product standing on the floor (height 0).
#[derive(Clone, Copy, Debug)]
pub struct Camera {
    /// Where it stands.
    pub eye: V3,
    ahead: V3,
    right: V3,
    up: V3,
    /// Pixels that one unit takes at the distance of the product.
    pub scale: f32,
    /// Distance to the product, in units.
    pub distance: f32,
    centre: (f32, f32),
}

impl Camera {
    /// Looks at `target` from in front, `elevation` radians above it, so that one unit there takes `scale` pixels and the
    /// target is seen at the pixel `centre`.
    pub fn new(target: V3, elevation: f32, distance: f32, scale: f32, centre: (f32, f32)) -> Self {
        let (sine, cosine) = sin_cos(elevation);
        let back = v3(0.0, sine, cosine);
        let right = v3(1.0, 0.0, 0.0);
        Self {
            eye: target + back * distance,
            ahead: -back,
            right,
            up: back.cross(right),
            scale,
            distance,
            centre,
        }
    }

    /// Direction of the ray through a place of the picture (in pixels, 0.5 is the middle of the first one).
    pub fn ray(&self, x: f32, y: f32) -> V3 {
        let (right, up) = ((x - self.centre.0) / self.scale, (self.centre.1 - y) / self.scale);
        (self.ahead * self.distance + self.right * right + self.up * up).unit()
    }

    /// Width of a pixel at a distance along a ray, in units.
    pub fn footprint(&self, t: f32) -> f32 {
        t / (self.distance * self.scale)
    }

    /// Where a ray meets the floor, if it does before `farthest`.
    pub fn floor(&self, ray: V3, farthest: f32) -> Option<V3> {
        let t = -self.eye.y() / ray.y().min(-1e-4);
        (ray.y() < -1e-4 && t < farthest).then(|| self.eye + ray * t)
    }
}
