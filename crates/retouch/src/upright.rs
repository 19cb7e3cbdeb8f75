//! By how much a product leans: by its own axis and edges, by the line it is mirrored at, or by the line it stands on.
//! All work on a picture seen small; an angle is found far more finely than a pixel of it.

mod axis;
mod base;
mod mirror;

pub use axis::axis_lean;
pub use base::base_lean;
pub use mirror::mirror_lean;

use crate::colour::{Sampled, luminance};

/// Longest side of the picture that a lean is measured in.
pub const SIDE: usize = 448;

/// How a product leans.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lean {
    /// Degrees from upright, clockwise.
    pub degrees: f64,
    /// How sure that is, 0..=1; below about a half it is a guess.
    pub confidence: f64,
}

/// Coverage and brightness of the product, each 0..=1.
struct Planes {
    width: usize,
    height: usize,
    cover: Vec<f32>,
    /// Square root of luminance, 0 where nothing is covered.
    bright: Vec<f32>,
}

impl Planes {
    fn of(small: &Sampled) -> Self {
        let bright = small
            .colours
            .iter()
            .zip(&small.weights)
            .map(|(&rgb, &weight)| luminance(rgb).max(0.0).sqrt() * weight)
            .collect();
        Self { width: small.width, height: small.height, cover: small.weights.clone(), bright }
    }

    /// The same at half the size.
    fn halved(&self) -> Self {
        let (width, height) = ((self.width / 2).max(1), (self.height / 2).max(1));
        let half = |plane: &[f32]| -> Vec<f32> {
            let at = |x: usize, y: usize| plane[y.min(self.height - 1) * self.width + x.min(self.width - 1)];
            (0..width * height)
                .map(|i| {
                    let (x, y) = (i % width * 2, i / width * 2);
                    0.25 * (at(x, y) + at(x + 1, y) + at(x, y + 1) + at(x + 1, y + 1))
                })
                .collect()
        };
        Self { width, height, cover: half(&self.cover), bright: half(&self.bright) }
    }

    /// Mass, centre and second central moments (xx, xy, yy) of the coverage; `None` where there is none.
    fn moments(&self) -> Option<(f64, (f64, f64), [f64; 3])> {
        let weighted = |of: &dyn Fn(f64, f64) -> f64| -> f64 {
            let rows = self.cover.chunks_exact(self.width).enumerate();
            rows.map(|(y, row)| {
                row.iter().enumerate().map(|(x, &w)| f64::from(w) * of(x as f64, y as f64)).sum::<f64>()
            })
            .sum()
        };
        let mass = weighted(&|_, _| 1.0);
        if mass < 16.0 {
            return None;
        }
        let (x, y) = (weighted(&|x, _| x) / mass, weighted(&|_, y| y) / mass);
        let second = [
            weighted(&|u, _| (u - x) * (u - x)) / mass,
            weighted(&|u, v| (u - x) * (v - y)) / mass,
            weighted(&|_, v| (v - y) * (v - y)) / mass,
        ];
        Some((mass, (x, y), second))
    }
}
