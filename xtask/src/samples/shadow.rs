//! The shadow on the ground, worked out on a coarse grid (it has no fine detail) and read smoothly.

/// Strengths 0.0..=1.0 on a grid over the picture.
pub struct ShadowMap {
    columns: usize,
    rows: usize,
    /// Pixels of the picture from one grid point to the next.
    step: f32,
    values: Vec<f32>,
}

impl ShadowMap {
    /// The grid over a picture of that size with about `side` points along its longer side; `strength` is asked at
    /// places in pixels.
    pub fn new(width: u32, height: u32, side: u32, strength: impl Fn(f32, f32) -> f32 + Sync) -> Self {
        let step = (width.max(height) as f32 / side as f32).max(1.0);
        let count = |length: u32| (length as f32 / step).ceil() as usize + 2;
        let (columns, rows) = (count(width), count(height));
        let mut values = vec![0.0; columns * rows];
        let half = rows.div_ceil(2) * columns;
        std::thread::scope(|scope| {
            for (part, values) in values.chunks_mut(half).enumerate() {
                let strength = &strength;
                scope.spawn(move || {
                    for (index, value) in values.iter_mut().enumerate() {
                        let index = part * half + index;
                        *value = strength((index % columns) as f32 * step, (index / columns) as f32 * step);
                    }
                });
            }
        });
        Self { columns, rows, step, values }
    }

    /// The strength at the middle of a pixel.
    pub fn at(&self, x: usize, y: usize) -> f32 {
        let (fx, fy) = ((x as f32 + 0.5) / self.step, (y as f32 + 0.5) / self.step);
        let (ix, iy) = ((fx as usize).min(self.columns - 2), (fy as usize).min(self.rows - 2));
        let (u, v) = (fx - ix as f32, fy - iy as f32);
        let row = |y: usize| {
            let at = y * self.columns + ix;
            self.values[at] + (self.values[at + 1] - self.values[at]) * u
        };
        row(iy) + (row(iy + 1) - row(iy)) * v
    }
}

/// A mask made soft by three passes of a box of that radius, each about linear in its points.
pub fn softened(values: &[f32], width: usize, radius: usize) -> Vec<f32> {
    let height = values.len() / width;
    let mut now = values.to_vec();
    for _ in 0..3 {
        let mut next = vec![0.0; now.len()];
        for y in 0..height {
            blurred_line(&now, &mut next, y * width, 1, width, radius);
        }
        let mut last = vec![0.0; now.len()];
        for x in 0..width {
            blurred_line(&next, &mut last, x, width, height, radius);
        }
        now = last;
    }
    now
}

fn blurred_line(from: &[f32], to: &mut [f32], start: usize, step: usize, count: usize, radius: usize) {
    let value = |index: i64| {
        if (0..count as i64).contains(&index) { from[start + index as usize * step] } else { 0.0 }
    };
    let reach = radius as i64;
    let mut sum: f32 = (-reach..=reach).map(value).sum();
    let share = 1.0 / (2 * radius + 1) as f32;
    for index in 0..count as i64 {
        to[start + index as usize * step] = sum.max(0.0) * share;
        sum += value(index + reach + 1) - value(index - reach);
    }
}
