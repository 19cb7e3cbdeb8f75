//! From a spec to the photograph and its truth, row by row.
//!
//! The photograph is what the compositing equation says of the truth: foreground times alpha and backdrop times the
//! rest, on sRGB values as Packshot composites, then the sensor's noise. Memory is that of the pictures, 8 bit each.

use anyhow::Context as _;
use pixels::{Bitmap, Channels, Mask};

use super::chance::{Chance, cloud2, grain};
use super::scene::Scene;
use super::spec::Spec;
use super::vector::Curve;

/// A photograph with everything that is known about it. All pictures have the same size.
pub struct Sample {
    /// The photograph: sRGB, 8 bit, opaque.
    pub photo: Bitmap,
    /// The product's own colours with its exact alpha, straight; black where alpha is 0.
    pub foreground: Bitmap,
    /// What is behind it, with its shadow, without noise.
    pub backdrop: Bitmap,
    /// How much darker the shadow makes the backdrop: 255 is black.
    pub shadow: Mask,
}

impl Sample {
    /// The exact alpha.
    pub fn alpha(&self) -> Mask {
        self.foreground.alpha()
    }
}

/// Renders a sample, on all cores; the bytes do not depend on their number.
pub fn render(spec: &Spec) -> anyhow::Result<Sample> {
    let (width, height) = (spec.width as usize, spec.height as usize);
    let scene = Scene::new(spec);
    let sensor = Sensor::new(spec);
    let shadow_map = scene.shadow_map(spec);
    let mut photo = vec![0u8; width * height * 3];
    let mut foreground = vec![0u8; width * height * 4];
    let mut backdrop = vec![0u8; width * height * 3];
    let mut shadow = vec![0u8; width * height];
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    // Strips in turn, so that all cores get their share of the product.
    let strip = 16;
    let mut work: Vec<_> = photo
        .chunks_mut(width * 3 * strip)
        .zip(foreground.chunks_mut(width * 4 * strip))
        .zip(backdrop.chunks_mut(width * 3 * strip))
        .zip(shadow.chunks_mut(width * strip))
        .enumerate()
        .collect();
    let mut shares: Vec<Vec<_>> = (0..cores).map(|_| Vec::new()).collect();
    for (index, part) in work.drain(..).enumerate() {
        shares[index % cores].push(part);
    }
    std::thread::scope(|scope| {
        for share in shares {
            let (scene, sensor, shadow_map) = (&scene, &sensor, &shadow_map);
            scope.spawn(move || {
                let curve = Curve::new();
                let mut product = vec![[0.0f32; 4]; width];
                for (index, (((photo, foreground), backdrop), shadow)) in share {
                    let rows = photo
                        .chunks_exact_mut(width * 3)
                        .zip(foreground.chunks_exact_mut(width * 4))
                        .zip(backdrop.chunks_exact_mut(width * 3))
                        .zip(shadow.chunks_exact_mut(width));
                    for (offset, (((photo, foreground), backdrop), shadow)) in rows.enumerate() {
                        let y = index * strip + offset;
                        product.fill([0.0; 4]);
                        scene.paint(y, &mut product, &curve);
                        for x in 0..width {
                            let strength =
                                (shadow_map.at(x, y) * spec.shadow * 255.0).round().clamp(0.0, 255.0);
                            shadow[x] = strength as u8;
                            let vignette = sensor.vignette(x, y);
                            let bare = curve.encode(scene.backdrop(x, y));
                            let behind = bare.map(|v| v * vignette * (1.0 - strength / 255.0));
                            let own = pixel(product[x], vignette);
                            foreground[x * 4..][..4].copy_from_slice(&own);
                            let alpha = f32::from(own[3]) / 255.0;
                            for channel in 0..3 {
                                let under = behind[channel] * 255.0;
                                backdrop[x * 3 + channel] = level(under);
                                let clean = f32::from(own[channel]) * alpha + under * (1.0 - alpha);
                                photo[x * 3 + channel] =
                                    sensor.read(clean, x as u32, y as u32, channel as u32);
                            }
                        }
                    }
                }
            });
        }
    });
    let (w, h) = (spec.width, spec.height);
    Ok(Sample {
        photo: Bitmap::from_u8(w, h, Channels::Rgb, photo).context("the photo's size")?,
        foreground: Bitmap::from_u8(w, h, Channels::Rgba, foreground)?,
        backdrop: Bitmap::from_u8(w, h, Channels::Rgb, backdrop)?,
        shadow: Mask::new(w, h, shadow)?,
    })
}

fn level(value: f32) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}

/// Straight 8-bit colour and alpha of sums that are weighted by alpha.
fn pixel(sum: [f32; 4], vignette: f32) -> [u8; 4] {
    let alpha = level(sum[3] * 255.0);
    if alpha == 0 {
        return [0; 4];
    }
    let own = |channel: usize| level(sum[channel] / sum[3] * vignette * 255.0);
    [own(0), own(1), own(2), alpha]
}

/// What lens and sensor add.
struct Sensor {
    seed: u32,
    /// Deviation in the dark and what brightness adds, in levels.
    read: f32,
    shot: f32,
    /// Share of the noise that is common to the channels.
    luma: f32,
    vignette: f32,
    middle: (f32, f32),
    reach: f32,
    blotch: f32,
}

impl Sensor {
    fn new(spec: &Spec) -> Self {
        let mut chance = Chance::new(spec.seed, 4);
        let strength = chance.one_of(&[0.4f32, 0.7, 1.0, 1.6, 2.4]) * spec.noise;
        Self {
            seed: spec.noise_seed(5),
            read: 0.5 * strength,
            shot: 1.1 * strength,
            luma: 0.7,
            vignette: chance.between(0.0, 0.16),
            middle: (spec.width as f32 * 0.5, spec.height as f32 * 0.5),
            reach: 4.0 / ((spec.width * spec.width + spec.height * spec.height) as f32),
            blotch: 0.5 * strength,
        }
    }

    fn vignette(&self, x: usize, y: usize) -> f32 {
        let (dx, dy) = (x as f32 + 0.5 - self.middle.0, y as f32 + 0.5 - self.middle.1);
        let share = (dx * dx + dy * dy) * self.reach;
        1.0 - self.vignette * share * share.sqrt()
    }

    /// The level that the sensor gives for a clean value of 0.0..=255.0.
    fn read(&self, clean: f32, x: u32, y: u32, channel: u32) -> u8 {
        if self.shot == 0.0 {
            return level(clean);
        }
        let share = clean / 255.0;
        // Photon noise falls with brightness once the transfer curve is applied; highlights clip.
        let sigma = self.read + self.shot * (share.max(0.0).sqrt() * (1.15 - share)).max(0.05);
        let common = grain(x, y, 7, self.seed);
        let own = grain(x, y, channel, self.seed);
        let blotch = if self.blotch > 0.6 {
            (cloud2(x as f32 * 0.3, y as f32 * 0.3, 1, self.seed ^ channel) - 0.5) * self.blotch
        } else {
            0.0
        };
        level(clean + sigma * (self.luma * common + (1.0 - self.luma) * own) + blotch)
    }
}
