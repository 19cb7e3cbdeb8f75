//! A product in its place: what is painted over what, and the shadow between.

use super::backdrop::Backdrop;
use super::camera::Camera;
use super::chance::Chance;
use super::cloth::Cloth;
use super::light::Studio;
use super::products;
use super::shadow::{ShadowMap, softened};
use super::solid::Stand;
use super::spec::Spec;
use super::stroke::Strokes;
use super::vector::{Curve, V3};

/// Points of the shadow's grid along the longer side.
const SHADOW_SIDE: u32 = 420;

/// One layer of a product.
pub enum Layer {
    /// A solid that stands.
    Stand(Stand),
    /// Strokes.
    Strokes(Strokes),
    /// Cloth that lies flat.
    Cloth(Cloth),
}

/// The frame a product is put into.
#[derive(Clone, Copy, Debug)]
pub struct Canvas {
    /// Width in pixels.
    pub width: f32,
    /// Height in pixels.
    pub height: f32,
}

impl Canvas {
    /// Longer side in pixels.
    pub fn longer(&self) -> f32 {
        self.width.max(self.height)
    }

    /// Shorter side in pixels.
    pub fn shorter(&self) -> f32 {
        self.width.min(self.height)
    }

    /// Place from the middle in shares of the longer side.
    pub fn share(&self, x: f32, y: f32) -> (f32, f32) {
        ((x - self.width * 0.5) / self.longer(), (y - self.height * 0.5) / self.longer())
    }
}

/// What a product's makers are given.
pub struct Set<'a> {
    /// What is asked for.
    pub spec: &'a Spec,
    /// The frame.
    pub canvas: Canvas,
    /// The light.
    pub studio: Studio,
    /// Spread of the lens in pixels.
    pub spread: f32,
}

/// Everything that is painted.
pub struct Scene {
    layers: Vec<Layer>,
    camera: Option<Camera>,
    backdrop: Backdrop,
    canvas: Canvas,
    light: ShadowLight,
}

/// How strong and where shadows fall.
struct ShadowLight {
    cast: f32,
    contact: f32,
    offset: (f32, f32),
}

impl Scene {
    /// The scene that the seed decides.
    pub fn new(spec: &Spec) -> Self {
        let backdrop = Backdrop::new(spec);
        let mut chance = Chance::new(spec.seed, 6);
        let studio = Studio::new(&mut chance, backdrop.wall(), backdrop.floor());
        let canvas = Canvas { width: spec.width as f32, height: spec.height as f32 };
        // Lenses blur by the picture's size, sensors by a pixel or two.
        let spread = chance.between(1.3, 2.4) * (canvas.longer() / 1400.0).clamp(1.0, 1.8);
        let key = studio.key();
        let long = chance.between(0.010, 0.035);
        let light = ShadowLight {
            cast: chance.between(0.18, 0.5),
            contact: chance.between(0.35, 0.7),
            offset: (-key.x() * long, key.y() * long),
        };
        let (layers, camera) = products::layers(Set { spec, canvas, studio, spread });
        Self { layers, camera, backdrop, canvas, light }
    }

    /// Paints the product's row: sRGB times alpha, and alpha.
    pub fn paint(&self, y: usize, row: &mut [[f32; 4]], curve: &Curve) {
        let middle = y as f32 + 0.5;
        for layer in &self.layers {
            match layer {
                Layer::Strokes(strokes) => strokes.paint(middle, row, curve),
                Layer::Cloth(cloth) => cloth.paint(middle, row, curve),
                Layer::Stand(stand) => {
                    for (x, pixel) in row.iter_mut().enumerate() {
                        let own = stand.pixel(x as f32 + 0.5, middle, curve);
                        for (old, value) in pixel.iter_mut().zip(own) {
                            *old = *old * (1.0 - own[3]) + value;
                        }
                    }
                }
            }
        }
    }

    /// Linear light of the backdrop at a pixel, without shadow.
    pub fn backdrop(&self, x: usize, y: usize) -> V3 {
        let (x, y) = (x as f32 + 0.5, y as f32 + 0.5);
        let (u, v) = self.canvas.share(x, y);
        let pixel = 1.0 / self.canvas.longer();
        match &self.camera {
            Some(camera) => self.backdrop.behind(camera, x, y, (u, v), pixel * 3.0),
            None => self.backdrop.flat(u, v, pixel),
        }
    }

    /// The shadow on the ground, before the factor of the spec.
    pub fn shadow_map(&self, spec: &Spec) -> ShadowMap {
        match &self.camera {
            Some(camera) => ShadowMap::new(spec.width, spec.height, SHADOW_SIDE, |x, y| {
                let Some(place) = camera.floor(camera.ray(x, y), 60.0) else { return 0.0 };
                if place.x().abs() > 3.5 || place.z().abs() > 3.5 {
                    return 0.0;
                }
                let (mut cast, mut contact) = (0.0f32, 0.0f32);
                for layer in &self.layers {
                    if let Layer::Stand(stand) = layer {
                        let (c, n) = stand.floor_shadow(place);
                        // Glass lets most of the light through.
                        let share = if stand.solid.is_clear() { 0.45 } else { 1.0 };
                        (cast, contact) = (cast.max(c * share), contact.max(n * share));
                    }
                }
                1.0 - (1.0 - self.light.cast * cast) * (1.0 - self.light.contact * contact)
            }),
            None => self.flat_shadow(spec),
        }
    }

    /// The shadow of what lies: its own shape, softened and moved away from the lamp.
    fn flat_shadow(&self, spec: &Spec) -> ShadowMap {
        let scale = SHADOW_SIDE as f32 / self.canvas.longer();
        let length = |side: f32| ((side * scale).round() as u32).max(2);
        let coarse =
            Spec { width: length(self.canvas.width), height: length(self.canvas.height), ..spec.clone() };
        let scene = Self::new(&coarse);
        let (width, height) = (coarse.width as usize, coarse.height as usize);
        let curve = Curve::new();
        let mut alpha = Vec::with_capacity(width * height);
        let mut row = vec![[0.0; 4]; width];
        for y in 0..height {
            row.fill([0.0; 4]);
            scene.paint(y, &mut row, &curve);
            alpha.extend(row.iter().map(|pixel| pixel[3]));
        }
        let near = softened(&alpha, width, 2);
        let far = softened(&alpha, width, 9);
        let side = SHADOW_SIDE as f32;
        let (dx, dy) = self.light.offset;
        let to_coarse = (width as f32 / self.canvas.width, height as f32 / self.canvas.height);
        let read = |values: &[f32], x: f32, y: f32| {
            let (x, y) =
                ((x - 0.5).clamp(0.0, width as f32 - 1.001), (y - 0.5).clamp(0.0, height as f32 - 1.001));
            let (ix, iy) = (x as usize, y as usize);
            let (u, v) = (x - ix as f32, y - iy as f32);
            let at =
                |dx: usize, dy: usize| values[(iy + dy).min(height - 1) * width + (ix + dx).min(width - 1)];
            (at(0, 0) * (1.0 - u) + at(1, 0) * u) * (1.0 - v) + (at(0, 1) * (1.0 - u) + at(1, 1) * u) * v
        };
        ShadowMap::new(spec.width, spec.height, SHADOW_SIDE, |x, y| {
            let (x, y) = (x * to_coarse.0, y * to_coarse.1);
            let contact = read(&near, x - dx * side * 0.25, y - dy * side * 0.25);
            let cast = read(&far, x - dx * side, y - dy * side);
            1.0 - (1.0 - self.light.contact * 0.8 * contact) * (1.0 - self.light.cast * cast)
        })
    }
}
