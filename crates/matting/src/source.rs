//! Reads colours from a bitmap of any depth, and makes its half-size levels.

use pixels::{Bitmap, Samples, to_u8};

/// Colours by pixel index, sRGB-encoded, 0.0..=255.0 whatever the depth.
pub(crate) trait Colours {
    /// Red, green and blue of pixel `index` (row by row).
    fn at(&self, index: usize) -> [f32; 3];
}

/// A sample that can be read as 0.0..=255.0.
pub(crate) trait Sample: Copy {
    /// The value at 8-bit scale, fractions kept.
    fn level(self) -> f32;
    /// The value at 8 bits, rounded.
    fn byte(self) -> u8;
    /// From 0.0..=255.0, rounded to this depth.
    fn from_level(level: f32) -> Self;
}

impl Sample for u8 {
    #[inline(always)]
    fn level(self) -> f32 {
        f32::from(self)
    }
    #[inline(always)]
    fn byte(self) -> u8 {
        self
    }
    #[inline(always)]
    fn from_level(level: f32) -> Self {
        (level + 0.5) as Self
    }
}

impl Sample for u16 {
    #[inline(always)]
    fn level(self) -> f32 {
        f32::from(self) * (1.0 / 257.0)
    }
    #[inline(always)]
    fn byte(self) -> u8 {
        to_u8(self)
    }
    #[inline(always)]
    fn from_level(level: f32) -> Self {
        (level * 257.0 + 0.5) as Self
    }
}

/// Interleaved samples with 3 or 4 to a pixel; a fourth (alpha) is not read.
pub(crate) struct Interleaved<'a, S> {
    /// The samples, row by row.
    pub samples: &'a [S],
    /// Samples in one pixel.
    pub step: usize,
}

impl<S: Sample> Colours for Interleaved<'_, S> {
    #[inline(always)]
    fn at(&self, index: usize) -> [f32; 3] {
        let start = index * self.step;
        let pixel = &self.samples[start..start + 3];
        [pixel[0].level(), pixel[1].level(), pixel[2].level()]
    }
}

/// A smaller copy of a picture at 8 bits: one level of a pyramid.
pub(crate) struct Plane {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Interleaved RGB.
    pub rgb: Vec<u8>,
}

impl Plane {
    /// The same picture at 8 bits, without alpha.
    pub fn copy(bitmap: &Bitmap) -> Self {
        fn bytes<S: Sample>(samples: &[S], step: usize) -> Vec<u8> {
            samples.chunks_exact(step).flat_map(|p| [p[0].byte(), p[1].byte(), p[2].byte()]).collect()
        }
        let step = bitmap.channels().count();
        let rgb = match bitmap.samples() {
            Samples::U8(samples) => bytes(samples, step),
            Samples::U16(samples) => bytes(samples, step),
        };
        Self { width: bitmap.width() as usize, height: bitmap.height() as usize, rgb }
    }

    /// The picture at half size (rounded up), each pixel the mean of four.
    pub fn half_of(bitmap: &Bitmap) -> Self {
        let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
        let step = bitmap.channels().count();
        match bitmap.samples() {
            Samples::U8(samples) => halve_rgb(samples, width, height, step),
            Samples::U16(samples) => halve_rgb(samples, width, height, step),
        }
    }

    /// This level at half size.
    pub fn half(&self) -> Self {
        halve_rgb(&self.rgb, self.width, self.height, 3)
    }

    /// The colours of this level.
    pub fn colours(&self) -> Interleaved<'_, u8> {
        Interleaved { samples: &self.rgb, step: 3 }
    }
}

fn halve_rgb<S: Sample>(samples: &[S], width: usize, height: usize, step: usize) -> Plane {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut rgb = Vec::with_capacity(half_width * half_height * 3);
    for y in 0..half_height {
        let top = &samples[2 * y * width * step..][..width * step];
        let bottom = &samples[(2 * y + 1).min(height - 1) * width * step..][..width * step];
        for x in 0..half_width {
            let left = 2 * x * step;
            let right = (2 * x + 1).min(width - 1) * step;
            for c in 0..3 {
                let sum = u32::from(top[left + c].byte())
                    + u32::from(top[right + c].byte())
                    + u32::from(bottom[left + c].byte())
                    + u32::from(bottom[right + c].byte());
                rgb.push(((sum + 2) / 4) as u8);
            }
        }
    }
    Plane { width: half_width, height: half_height, rgb }
}

/// One value a pixel at half size (rounded up), each the rounded mean of four.
pub(crate) fn halve(values: &[u8], width: usize, height: usize) -> Vec<u8> {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut out = Vec::with_capacity(half_width * half_height);
    for y in 0..half_height {
        let top = &values[2 * y * width..][..width];
        let bottom = &values[(2 * y + 1).min(height - 1) * width..][..width];
        for x in 0..half_width {
            let (left, right) = (2 * x, (2 * x + 1).min(width - 1));
            let sum = u16::from(top[left])
                + u16::from(top[right])
                + u16::from(bottom[left])
                + u16::from(bottom[right]);
            out.push(((sum + 2) / 4) as u8);
        }
    }
    out
}

/// Bilinear doubling of a half-size plane; the centre of a small pixel lies between its four large ones.
pub(crate) fn double<T: Copy + Into<i32>>(
    values: &[T],
    width: usize,
    height: usize,
) -> impl Iterator<Item = i32> {
    let (small_width, small_height) = (width.div_ceil(2), height.div_ceil(2));
    let near = |at: usize, limit: usize| {
        let own = at / 2;
        let other = if at.is_multiple_of(2) { own.saturating_sub(1) } else { (own + 1).min(limit - 1) };
        (own, other)
    };
    (0..height).flat_map(move |y| {
        let (own_y, other_y) = near(y, small_height);
        (0..width).map(move |x| {
            let (own_x, other_x) = near(x, small_width);
            let at = |x: usize, y: usize| -> i32 { values[y * small_width + x].into() };
            let own_row = 3 * at(own_x, own_y) + at(other_x, own_y);
            let other_row = 3 * at(own_x, other_y) + at(other_x, other_y);
            (3 * own_row + other_row + 8) >> 4
        })
    })
}
