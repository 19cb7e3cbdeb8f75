//! Points, directions and colours of three numbers, with arithmetic that gives the same bits on every machine.

use std::ops::{Add, Mul, Neg, Sub};

/// Three numbers: a place or direction (right, up, towards the camera), or linear light (red, green, blue).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct V3(pub [f32; 3]);

/// Shorthand for a vector.
pub const fn v3(x: f32, y: f32, z: f32) -> V3 {
    V3([x, y, z])
}

/// The same number three times.
pub const fn grey(value: f32) -> V3 {
    V3([value; 3])
}

impl V3 {
    /// First number.
    pub fn x(self) -> f32 {
        self.0[0]
    }

    /// Second number.
    pub fn y(self) -> f32 {
        self.0[1]
    }

    /// Third number.
    pub fn z(self) -> f32 {
        self.0[2]
    }

    /// Scalar product.
    pub fn dot(self, other: Self) -> f32 {
        self.0[0] * other.0[0] + self.0[1] * other.0[1] + self.0[2] * other.0[2]
    }

    /// Vector product.
    pub fn cross(self, other: Self) -> Self {
        let ([a, b, c], [x, y, z]) = (self.0, other.0);
        v3(b * z - c * y, c * x - a * z, a * y - b * x)
    }

    /// Euclidean length.
    pub fn length(self) -> f32 {
        self.dot(self).sqrt()
    }

    /// The same direction with length one; a null vector stays one.
    pub fn unit(self) -> Self {
        self * (1.0 / self.length().max(1e-12))
    }

    /// Each number times its counterpart.
    pub fn times(self, other: Self) -> Self {
        V3(std::array::from_fn(|i| self.0[i] * other.0[i]))
    }

    /// Each number through a function.
    pub fn map(self, f: impl Fn(f32) -> f32) -> Self {
        V3(self.0.map(f))
    }

    /// Turned about the upright axis by an angle whose sine and cosine are given.
    pub fn turned(self, (sine, cosine): (f32, f32)) -> Self {
        let [x, y, z] = self.0;
        v3(cosine * x + sine * z, y, cosine * z - sine * x)
    }

    /// Mirrored at a plane with that unit normal, as light is.
    pub fn reflected(self, normal: Self) -> Self {
        self - normal * (2.0 * self.dot(normal))
    }
}

impl Add for V3 {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        V3(std::array::from_fn(|i| self.0[i] + other.0[i]))
    }
}

impl Sub for V3 {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        V3(std::array::from_fn(|i| self.0[i] - other.0[i]))
    }
}

impl Mul<f32> for V3 {
    type Output = Self;
    fn mul(self, factor: f32) -> Self {
        V3(self.0.map(|value| value * factor))
    }
}

impl Neg for V3 {
    type Output = Self;
    fn neg(self) -> Self {
        self * -1.0
    }
}

/// `from` at 0, `to` at 1.
pub fn mix(from: V3, to: V3, share: f32) -> V3 {
    from + (to - from) * share
}

/// `from` at 0, `to` at 1.
pub fn lerp(from: f32, to: f32, share: f32) -> f32 {
    from + (to - from) * share
}

/// 0 below `low`, 1 above `high`, smooth between them.
pub fn smooth(low: f32, high: f32, value: f32) -> f32 {
    let t = ((value - low) / (high - low)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Sine and cosine.
pub fn sin_cos(angle: f32) -> (f32, f32) {
    (libm::sinf(angle), libm::cosf(angle))
}

/// Linear light of an sRGB colour given as `0xRRGGBB`.
pub fn colour(rgb: u32) -> V3 {
    let channel = |shift: u32| {
        let value = ((rgb >> shift) & 255) as f32 / 255.0;
        if value <= 0.040_45 { value / 12.92 } else { libm::powf((value + 0.055) / 1.055, 2.4) }
    };
    v3(channel(16), channel(8), channel(0))
}

/// Turns linear light into sRGB values, by a table over the square root of the light.
pub struct Curve(Vec<f32>);

impl Curve {
    const STEPS: usize = 4096;

    /// Builds the table.
    pub fn new() -> Self {
        let encode = |step| {
            let root = step as f32 / Self::STEPS as f32;
            let light = root * root;
            if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * libm::powf(light, 1.0 / 2.4) - 0.055 }
        };
        Self((0..=Self::STEPS + 1).map(encode).collect())
    }

    /// sRGB values 0..=1 of linear light; what is brighter than 0.8 is rolled off as a camera does it, so that 1.6
    /// and more are white.
    pub fn encode(&self, light: V3) -> [f32; 3] {
        light.0.map(|value| {
            let value = value.max(0.0);
            let shown = if value <= 0.8 {
                value
            } else {
                let over = ((value - 0.8) / 0.8).min(1.0);
                0.8 + 0.2 * over * (2.0 - over)
            };
            let at = shown.min(1.0).sqrt() * Self::STEPS as f32;
            let index = at as usize;
            lerp(self.0[index], self.0[index + 1], at - index as f32)
        })
    }
}
