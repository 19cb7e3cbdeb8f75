//! Chance that is the same on every machine: a generator for parameters, and noise that is a function of the place.

use super::vector::{V3, lerp};

/// Mixes the bits of a number well (the finaliser of SplitMix64, Steele et al. 2014).
pub fn scrambled(value: u64) -> u64 {
    let mut z = value.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A sequence of numbers that a seed decides.
#[derive(Clone, Debug)]
pub struct Chance(u64);

impl Chance {
    /// The sequence of that seed; `purpose` keeps sequences for different ends apart.
    pub fn new(seed: u64, purpose: u64) -> Self {
        Self(scrambled(seed ^ scrambled(purpose)))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        scrambled(self.0)
    }

    /// Evenly from 0 up to 1.
    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u64 << 24) as f32
    }

    /// Evenly between two numbers.
    pub fn between(&mut self, low: f32, high: f32) -> f32 {
        lerp(low, high, self.unit())
    }

    /// Evenly from 0 up to `count`.
    pub fn below(&mut self, count: usize) -> usize {
        ((self.unit() * count as f32) as usize).min(count.saturating_sub(1))
    }

    /// One of several.
    pub fn one_of<T: Copy>(&mut self, values: &[T]) -> T {
        values[self.below(values.len())]
    }

    /// Whether something of that likelihood happens.
    pub fn happens(&mut self, likelihood: f32) -> bool {
        self.unit() < likelihood
    }

    /// Around 0 with deviation 1, never beyond 3.5 (the sum of four even numbers).
    pub fn normal(&mut self) -> f32 {
        ((0..4).map(|_| self.unit()).sum::<f32>() - 2.0) * 1.732_050_8
    }
}

fn hash(x: i32, y: i32, z: i32, seed: u32) -> u32 {
    let mut h = (x as u32).wrapping_mul(0x9e37_79b1)
        ^ (y as u32).wrapping_mul(0x85eb_ca77)
        ^ (z as u32).wrapping_mul(0xc2b2_ae3d)
        ^ seed.wrapping_mul(0x27d4_eb2f);
    h = (h ^ (h >> 15)).wrapping_mul(0x2c1b_3c6d);
    h = (h ^ (h >> 12)).wrapping_mul(0x297a_2d39);
    h ^ (h >> 15)
}

/// A number 0..=1 of a whole place.
pub fn dot(x: i32, y: i32, seed: u32) -> f32 {
    (hash(x, y, 0, seed) >> 8) as f32 / (1u32 << 24) as f32
}

/// Around 0 with deviation 1, of a whole place: the noise of one sensor sample.
pub fn grain(x: u32, y: u32, channel: u32, seed: u32) -> f32 {
    let h = hash(x as i32, y as i32, channel as i32 + 1, seed);
    let four = (h & 255) + ((h >> 8) & 255) + ((h >> 16) & 255) + (h >> 24);
    (four as f32 - 510.0) / 147.8
}

/// Smooth noise 0..=1 over the plane, with features about one unit wide.
pub fn noise2(x: f32, y: f32, seed: u32) -> f32 {
    let (fx, fy) = (x.floor(), y.floor());
    let (ix, iy) = (fx as i32, fy as i32);
    let (u, v) = (ease(x - fx), ease(y - fy));
    let at = |dx, dy| dot(ix.wrapping_add(dx), iy.wrapping_add(dy), seed);
    lerp(lerp(at(0, 0), at(1, 0), u), lerp(at(0, 1), at(1, 1), u), v)
}

/// Smooth noise 0..=1 in space, with features about one unit wide.
pub fn noise3(p: V3, seed: u32) -> f32 {
    let f = p.map(f32::floor);
    let [ix, iy, iz] = f.0.map(|value| value as i32);
    let [u, v, w] = (p - f).0.map(ease);
    let at = |dx, dy, dz| {
        (hash(ix.wrapping_add(dx), iy.wrapping_add(dy), iz.wrapping_add(dz), seed) >> 8) as f32
            / (1u32 << 24) as f32
    };
    let plane = |dz| lerp(lerp(at(0, 0, dz), at(1, 0, dz), u), lerp(at(0, 1, dz), at(1, 1, dz), u), v);
    lerp(plane(0), plane(1), w)
}

/// Noise of several sizes, each half as wide and half as strong as the one before; 0..=1.
pub fn cloud2(x: f32, y: f32, octaves: u32, seed: u32) -> f32 {
    let (mut sum, mut weight, mut scale, mut total) = (0.0, 1.0, 1.0, 0.0);
    for octave in 0..octaves {
        sum += weight * noise2(x * scale, y * scale, seed.wrapping_add(octave));
        total += weight;
        weight *= 0.5;
        scale *= 2.03;
    }
    sum / total
}

fn ease(t: f32) -> f32 {
    t * t * (3.0 - 2.0 * t)
}
