//! Drawn products with an exactly known alpha, on backdrops made to order.

use pixels::{Bitmap, Channels, Mask};

/// Samples a side within one pixel.
const FINE: usize = 8;

/// What the product looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// A disc with a round handle: an enclosed opening.
    Mug,
    /// A thick ring.
    Ring,
    /// A disc with strands of about two pixels.
    Strands,
    /// A disc out of focus: an edge of fourteen pixels.
    Soft,
}

/// What is behind the product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backdrop {
    /// Nearly white, even.
    White,
    /// Grey, darker towards one corner and the rim.
    Gradient,
    /// Green to blue.
    Coloured,
    /// Two fine colours in stripes: not plain at all.
    Striped,
}

/// What the product is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Material {
    /// Red-brown, shaded from side to side.
    Plain,
    /// The same with stripes.
    Patterned,
    /// Nearly the white of the backdrop.
    White,
    /// Dark, with white highlights on its rim.
    Glossy,
}

/// A product before a backdrop.
#[derive(Clone, Copy, Debug)]
pub struct Scene {
    pub side: usize,
    pub shape: Shape,
    pub material: Material,
    pub backdrop: Backdrop,
    /// Standard deviation of the noise in 8-bit levels.
    pub noise: f32,
    pub seed: u64,
}

/// A scene drawn.
pub struct Drawn {
    pub picture: Bitmap,
    pub alpha: Mask,
    /// The product's colour everywhere, 0.0..=255.0.
    pub product: Vec<[f32; 3]>,
}

impl Scene {
    pub fn new(shape: Shape, backdrop: Backdrop) -> Self {
        Self { side: 640, shape, material: Material::Plain, backdrop, noise: 1.5, seed: 7 }
    }

    pub fn draw(&self) -> Drawn {
        let coverage = self.coverage();
        let mut noise = Noise(self.seed);
        let mut samples = Vec::with_capacity(coverage.len() * 3);
        let mut product = Vec::with_capacity(coverage.len());
        for (index, &alpha) in coverage.iter().enumerate() {
            let (x, y) = ((index % self.side) as f32, (index / self.side) as f32);
            let (front, back) = (self.material_at(x, y), self.backdrop_at(x, y));
            for c in 0..3 {
                let mixed = alpha * front[c] + (1.0 - alpha) * back[c] + self.noise * noise.normal();
                samples.push(mixed.round().clamp(0.0, 255.0) as u8);
            }
            product.push(front);
        }
        let side = self.side as u32;
        Drawn {
            picture: Bitmap::from_u8(side, side, Channels::Rgb, samples).expect("three samples a pixel"),
            alpha: mask(side, coverage.iter().map(|a| (a * 255.0).round() as u8).collect()),
            product,
        }
    }

    fn coverage(&self) -> Vec<f32> {
        let mut out = Vec::with_capacity(self.side * self.side);
        for y in 0..self.side {
            for x in 0..self.side {
                let centre = self.distance(x as f32 + 0.5, y as f32 + 0.5);
                out.push(if self.shape == Shape::Soft {
                    let t = (0.5 - centre / 14.0).clamp(0.0, 1.0);
                    t * t * (3.0 - 2.0 * t)
                } else if centre.abs() > 1.5 {
                    f32::from(u8::from(centre < 0.0))
                } else {
                    let step = |i: usize| (i as f32 + 0.5) / FINE as f32;
                    let inside = (0..FINE * FINE)
                        .filter(|i| self.distance(x as f32 + step(i % FINE), y as f32 + step(i / FINE)) < 0.0)
                        .count();
                    inside as f32 / (FINE * FINE) as f32
                });
            }
        }
        out
    }

    /// Signed distance from the product's outline in pixels, negative inside.
    fn distance(&self, x: f32, y: f32) -> f32 {
        let side = self.side as f32;
        let disc = |cx: f32, cy: f32, r: f32| (x - cx * side).hypot(y - cy * side) - r * side;
        match self.shape {
            Shape::Mug => disc(0.45, 0.52, 0.22).min(disc(0.68, 0.5, 0.11).abs() - 0.022 * side),
            Shape::Ring => disc(0.5, 0.5, 0.26).abs() - 0.05 * side,
            Shape::Soft => disc(0.5, 0.5, 0.25),
            Shape::Strands => {
                let strands = (0..7).map(|i| {
                    let angle = -2.6 + 0.35 * i as f32;
                    let end = (0.5 + 0.38 * angle.cos(), 0.55 + 0.38 * angle.sin());
                    segment((x / side, y / side), (0.5, 0.55), end) * side - 0.9 - 0.1 * i as f32
                });
                strands.fold(disc(0.5, 0.55, 0.2), f32::min)
            }
        }
    }

    fn material_at(&self, x: f32, y: f32) -> [f32; 3] {
        let shade = 0.8 + 0.4 * x / self.side as f32;
        let stripe = if ((x + 0.6 * y) / 9.0) as i32 % 2 == 0 { 1.0 } else { 0.55 };
        match self.material {
            Material::Plain => [150.0, 70.0, 40.0].map(|c| c * shade),
            Material::Patterned => [190.0 * stripe, 80.0 * shade, 50.0 + 60.0 * stripe],
            Material::White => [247.0, 247.0, 246.0],
            Material::Glossy => {
                let spot = |angle: f32| {
                    let (cx, cy) = (0.45 + 0.21 * angle.cos(), 0.52 + 0.21 * angle.sin());
                    (x / self.side as f32 - cx).hypot(y / self.side as f32 - cy) < 0.012
                };
                if spot(2.2) || spot(3.4) || spot(4.4) { [252.0; 3] } else { [40.0, 44.0, 60.0] }
            }
        }
    }

    fn backdrop_at(&self, x: f32, y: f32) -> [f32; 3] {
        let (u, v) = (x / self.side as f32, y / self.side as f32);
        match self.backdrop {
            Backdrop::White => [252.0; 3],
            Backdrop::Gradient => {
                let fall = (u - 0.5) * (u - 0.5) + (v - 0.4) * (v - 0.4);
                [205.0 - 30.0 * v - 25.0 * fall; 3]
            }
            Backdrop::Coloured => [60.0 + 20.0 * u, 170.0 - 30.0 * v, 120.0 + 60.0 * v],
            Backdrop::Striped => {
                let is_odd = ((x - 0.4 * y) / 23.0).floor() as i64 % 2 == 0;
                if is_odd { [70.0, 110.0, 150.0] } else { [190.0, 200.0, 120.0] }
            }
        }
    }
}

impl Drawn {
    /// The alpha a network of `network_side` pixels would give, enlarged to the picture.
    pub fn network(&self, network_side: usize) -> Mask {
        let side = self.alpha.width() as usize;
        let at = |x: usize, y: usize| f32::from(self.alpha.values()[y * side + x]);
        let edge = |i: usize| i * side / network_side;
        let small: Vec<f32> = (0..network_side * network_side)
            .map(|i| {
                let (x, y) = (i % network_side, i / network_side);
                let (columns, rows) = (edge(x)..edge(x + 1), edge(y)..edge(y + 1));
                let count = (columns.len() * rows.len()) as f32;
                rows.flat_map(|y| columns.clone().map(move |x| (x, y))).map(|(x, y)| at(x, y)).sum::<f32>()
                    / count
            })
            .collect();
        let scale = network_side as f32 / side as f32;
        let place = |i: usize| {
            let p = ((i as f32 + 0.5) * scale - 0.5).clamp(0.0, network_side as f32 - 1.0);
            let low = (p as usize).min(network_side - 2);
            (low, p - low as f32)
        };
        let values = (0..side * side)
            .map(|i| {
                let ((x, u), (y, v)) = (place(i % side), place(i / side));
                let row =
                    |y: usize| small[y * network_side + x] * (1.0 - u) + small[y * network_side + x + 1] * u;
                (row(y) * (1.0 - v) + row(y + 1) * v).round() as u8
            })
            .collect();
        mask(side as u32, values)
    }
}

pub fn mask(side: u32, values: Vec<u8>) -> Mask {
    Mask::new(side, side, values).expect("one value a pixel")
}

fn segment(p: (f32, f32), a: (f32, f32), b: (f32, f32)) -> f32 {
    let (dx, dy) = (b.0 - a.0, b.1 - a.1);
    let t = (((p.0 - a.0) * dx + (p.1 - a.1) * dy) / (dx * dx + dy * dy)).clamp(0.0, 1.0);
    (p.0 - a.0 - t * dx).hypot(p.1 - a.1 - t * dy)
}

/// SplitMix64, and normal deviates by the sum of twelve.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }
}
