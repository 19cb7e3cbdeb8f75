//! What is behind and below the product, as a function of the place.

use super::camera::Camera;
use super::chance::{Chance, cloud2, dot, noise2};
use super::spec::{Ground, Spec};
use super::vector::{V3, colour, grey, lerp, mix, smooth};

/// A soft-edged patch of light or colour in a room out of focus.
#[derive(Clone, Copy, Debug)]
struct Blob {
    centre: (f32, f32),
    half: (f32, f32),
    soft: f32,
    light: V3,
    round: bool,
}

/// The backdrop of one sample.
#[derive(Clone, Debug)]
pub struct Backdrop {
    ground: Ground,
    /// Its light where the product is.
    pub base: V3,
    other: V3,
    seed: u32,
    /// How much darker it gets with the distance, and sideways.
    fall: (f32, f32),
    blobs: Vec<Blob>,
    board: f32,
    blur: f32,
}

impl Backdrop {
    /// The backdrop that the seed decides.
    pub fn new(spec: &Spec) -> Self {
        let mut chance = Chance::new(spec.seed, 2);
        let vivid =
            [0xd9c2a7, 0xb7cfd9, 0xe3b7b2, 0xa9c5a0, 0x2f4858, 0xc65f3f, 0xe7c14a, 0x7b6ca8, 0xefd9dc];
        let base = match spec.ground {
            Ground::White | Ground::WhiteOnWhite => {
                let level = chance.between(0.78, 1.25);
                let warm = chance.between(-0.02, 0.02);
                V3([level * (1.0 + warm), level, level * (1.0 - warm)])
            }
            Ground::Grey => grey(chance.between(0.12, 0.55)),
            Ground::Colour | Ground::Gradient => colour(chance.one_of(&vivid)) * chance.between(0.8, 1.1),
            Ground::Wood => colour(chance.one_of(&[0xb78b5e, 0x8c5f3c, 0xd6b48a, 0x5b4030, 0xc9bba6])),
            Ground::Concrete => grey(chance.between(0.2, 0.5)),
            Ground::Room => colour(chance.one_of(&[0xcdbfae, 0x8f8a80, 0xb9a58f, 0xd8d4cc, 0x6f5f52])),
        };
        let other = match spec.ground {
            Ground::Gradient => colour(chance.one_of(&vivid)),
            Ground::Wood | Ground::Concrete => {
                colour(chance.one_of(&[0xe6e3de, 0xb8bcc0, 0xcfc4b6, 0x60666b]))
            }
            _ => base * chance.between(0.75, 1.0),
        };
        let tones = [0xf5e9d4, 0x3f4a44, 0x7a4b32, 0xffffff, 0x4d6b57, 0xb3552f, 0x2c3440, 0xd9b98a];
        let blobs = (0..if spec.ground == Ground::Room { 16 } else { 0 })
            .map(|_| {
                let round = chance.happens(0.35);
                let size = chance.between(0.05, 0.45);
                let half = (size, if round { size } else { size * chance.between(0.4, 2.5) });
                Blob {
                    centre: (chance.between(-0.9, 0.9), chance.between(-0.75, 0.2)),
                    half: if round { (half.0 * 0.3, half.0 * 0.3) } else { half },
                    soft: chance.between(0.02, 0.09),
                    light: colour(chance.one_of(&tones)) * chance.between(0.5, 1.2),
                    round,
                }
            })
            .collect();
        Self {
            ground: spec.ground,
            base,
            other,
            seed: spec.noise_seed(3),
            fall: (chance.between(0.05, 0.3), chance.between(-0.12, 0.12)),
            blobs,
            board: chance.between(0.22, 0.5),
            blur: chance.between(0.25, 1.0),
        }
    }

    /// Light of the floor as it shines up at the product.
    pub fn floor(&self) -> V3 {
        self.base.map(|value| value.min(1.0))
    }

    /// Light of what is behind the product.
    pub fn wall(&self) -> V3 {
        match self.ground {
            Ground::Wood | Ground::Concrete => self.other,
            _ => mix(self.base, self.other, 0.5).map(|value| value.min(1.0)),
        }
    }

    /// Light at a place of the picture, seen from above: `u`, `v` from the middle in shares of the longer side.
    pub fn flat(&self, u: f32, v: f32, pixel: f32) -> V3 {
        let shade = 1.0 - self.fall.0 * 0.5 * (u * u + v * v) - self.fall.1 * u;
        let light = match self.ground {
            Ground::White | Ground::WhiteOnWhite | Ground::Grey | Ground::Colour => self.paper(u, v),
            Ground::Gradient => mix(self.base, self.other, smooth(-0.5, 0.5, v + self.fall.1 * 3.0 * u)),
            Ground::Wood => self.boards(u * 2.2, v * 2.2, pixel * 2.2),
            Ground::Concrete => self.concrete(u * 2.2, v * 2.2),
            Ground::Room => {
                // A carpet, near enough to be sharp.
                let weave = noise2(u * 260.0, v * 260.0, self.seed);
                let worn = cloud2(u * 5.0, v * 5.0, 4, self.seed ^ 5);
                let band = smooth(0.02, 0.03, ((v + 0.21) * 3.0).abs() % 0.5);
                mix(self.other, self.base, 0.4 + 0.6 * band) * (0.65 + 0.3 * worn + 0.25 * weave)
            }
        };
        light * shade
    }

    /// Light at a place of the picture, seen by a camera that stands in front of the product.
    pub fn behind(&self, camera: &Camera, x: f32, y: f32, (u, v): (f32, f32), pixel: f32) -> V3 {
        let ray = camera.ray(x, y);
        let depth = match camera.floor(ray, 400.0) {
            Some(place) => -place.z(),
            None => 400.0,
        };
        // A sweep bends upwards behind the product; only its light tells.
        let far = smooth(0.3, 4.0, depth);
        let shade = 1.0 - self.fall.0 * far - self.fall.1 * u - 0.12 * self.fall.0 * (u * u + v * v);
        let light = match self.ground {
            Ground::White | Ground::WhiteOnWhite | Ground::Grey | Ground::Colour => self.paper(u, v),
            Ground::Gradient => mix(self.base, self.other, smooth(0.35, -0.45, v)),
            Ground::Wood | Ground::Concrete => {
                let near = 1.0 - smooth(2.2, 2.2 + 0.6 * self.blur, depth);
                let wall = self.other
                    * (0.92 + 0.1 * cloud2(u * 3.0, v * 3.0, 3, self.seed ^ 9))
                    * (1.0 - 0.35 * smooth(0.25, -0.05, v + 0.12) * 0.6);
                match camera.floor(ray, 400.0).filter(|_| near > 0.0) {
                    Some(place) => {
                        let width = pixel * (1.0 + depth.max(0.0) * 0.6);
                        let floor = if self.ground == Ground::Wood {
                            self.boards(place.z() * 0.9 + 7.0, place.x() * 0.9, width)
                        } else {
                            self.concrete(place.x(), place.z() * 0.8)
                        };
                        mix(wall, floor, near)
                    }
                    None => wall,
                }
            }
            Ground::Room => self.room(camera, ray, (u, v)),
        };
        light * shade
    }

    fn paper(&self, u: f32, v: f32) -> V3 {
        self.base * (1.0 + 0.015 * (cloud2(u * 2.0, v * 2.0, 2, self.seed) - 0.5))
    }

    fn boards(&self, along: f32, across: f32, pixel: f32) -> V3 {
        let row = (across / self.board).floor();
        let at = across - row * self.board;
        let shift = dot(row as i32, 7, self.seed) * 40.0;
        let piece = ((along + shift) / 2.6).floor();
        let tone = 0.82 + 0.3 * dot(row as i32, piece as i32, self.seed ^ 1);
        let bend = noise2(along * 1.3 + shift, across * 3.0, self.seed ^ 2);
        let rings = cloud2(along * 1.1 + shift, across * 26.0 + bend * 4.0, 4, self.seed ^ 3);
        let fibre = noise2(along * 9.0 + shift, across * 240.0, self.seed ^ 4);
        let grain = 0.72 + 0.4 * rings + 0.1 * (fibre - 0.5) / (1.0 + 300.0 * pixel);
        let soft = 0.004 + pixel;
        let gap = smooth(0.0, soft, at.min(self.board - at) - 0.001);
        self.base * (tone * grain * lerp(0.35, 1.0, gap))
    }

    fn concrete(&self, x: f32, z: f32) -> V3 {
        let stains = cloud2(x * 1.7, z * 1.7, 5, self.seed);
        let fine = cloud2(x * 34.0, z * 34.0, 3, self.seed ^ 1);
        let pits = smooth(0.82, 1.0, noise2(x * 47.0, z * 47.0, self.seed ^ 2));
        self.base * ((0.72 + 0.4 * stains + 0.22 * (fine - 0.5)) * (1.0 - 0.35 * pits))
    }

    fn room(&self, camera: &Camera, ray: V3, (u, v): (f32, f32)) -> V3 {
        let wall = self.base * (0.75 + 0.25 * smooth(-0.6, 0.4, u));
        let mut light = wall;
        for blob in &self.blobs {
            let (dx, dy) = ((u - blob.centre.0).abs(), (v - blob.centre.1).abs());
            let soft = blob.soft;
            let cover = if blob.round {
                1.0 - smooth(blob.half.0 - soft * 0.3, blob.half.0 + soft * 0.3, (dx * dx + dy * dy).sqrt())
            } else {
                (1.0 - smooth(blob.half.0 - soft, blob.half.0 + soft, dx))
                    * (1.0 - smooth(blob.half.1 - soft, blob.half.1 + soft, dy))
            };
            light = mix(light, blob.light, cover * if blob.round { 0.6 } else { 0.85 });
        }
        // The table it stands on.
        match camera.floor(ray, 60.0) {
            Some(place) => {
                let depth = -place.z();
                let edge = 1.0 - smooth(1.4, 1.4 + 0.5 * self.blur, depth);
                let worn = cloud2(place.x() * 2.0, place.z() * 14.0, 4, self.seed);
                let table = self.other * (0.75 + 0.4 * worn);
                mix(light, table, edge)
            }
            None => light,
        }
    }
}
