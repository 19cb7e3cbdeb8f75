//! Colours for what is hidden: continues the visible colours into transparent pixels, so that a filter or a network
//! that looks beyond an edge sees more of the product there.
//!
//! Pull and push over a pyramid, after Gortler et al., "The Lumigraph" (1996): linear in pixels.

use pixels::{Bitmap, Channels, Samples};

use crate::level::Level;

/// Alpha from which a pixel's own colour is believed in full; below, rounding has eaten into it.
const BELIEVED: f32 = 16.0 / 255.0;

/// One size of the pyramid: colour times weight, and weight from 0 to 1.
struct Size {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 4]>,
}

/// The colours of `bitmap` (sRGB, straight alpha) as RGB of the same depth, with those of its visible pixels continued
/// smoothly into its transparent ones. What is opaque stays exactly; a picture in which nothing shows becomes black.
pub fn extend_colours(bitmap: &Bitmap) -> Bitmap {
    if bitmap.channels() == Channels::Rgb {
        return bitmap.clone();
    }
    let size = (bitmap.width() as usize, bitmap.height() as usize);
    let samples = match bitmap.samples() {
        Samples::U8(samples) => Samples::U8(extend(samples, size)),
        Samples::U16(samples) => Samples::U16(extend(samples, size)),
    };
    Bitmap::new(bitmap.width(), bitmap.height(), Channels::Rgb, samples)
        .expect("three samples for each pixel")
}

fn extend<S: Level>(rgba: &[S], (width, height): (usize, usize)) -> Vec<S> {
    let pixels = rgba.as_chunks::<4>().0;
    if pixels.iter().all(|pixel| pixel[3] == S::FULL) {
        return pixels.iter().flat_map(|pixel| [pixel[0], pixel[1], pixel[2]]).collect();
    }
    let mut sizes = vec![halve(width, height, |i| weighted(&pixels[i]))];
    while let Some(last) = sizes.last().filter(|last| last.width.max(last.height) > 1) {
        sizes.push(halve(last.width, last.height, |i| last.pixels[i]));
    }
    // From the coarsest on, what a size lacks comes from the one above it.
    for level in (1..sizes.len()).rev() {
        let (finer, coarser) = sizes.split_at_mut(level);
        let fine = &mut finer[level - 1];
        let mut above = vec![[0.0; 3]; fine.width];
        for (y, row) in fine.pixels.chunks_exact_mut(fine.width).enumerate() {
            coarser[0].row(y, &mut above);
            for (pixel, above) in row.iter_mut().zip(&above) {
                let lack = 1.0 - pixel[3];
                *pixel =
                    [pixel[0] + above[0] * lack, pixel[1] + above[1] * lack, pixel[2] + above[2] * lack, 1.0];
            }
        }
    }
    let mut rgb = Vec::with_capacity(pixels.len() * 3);
    let mut above = vec![[0.0; 3]; width];
    for (y, row) in pixels.chunks_exact(width).enumerate() {
        sizes[0].row(y, &mut above);
        for (pixel, above) in row.iter().zip(&above) {
            let own = (pixel[3].level() * (1.0 / 255.0 / BELIEVED)).min(1.0);
            let mixed = |c: usize| S::from_level(pixel[c].level() * own + above[c] * (1.0 - own));
            rgb.extend_from_slice(&[mixed(0), mixed(1), mixed(2)]);
        }
    }
    debug_assert_eq!(rgb.len(), width * height * 3);
    rgb
}

fn weighted<S: Level>(pixel: &[S; 4]) -> [f32; 4] {
    let alpha = pixel[3].level() * (1.0 / 255.0);
    [pixel[0].level() * alpha, pixel[1].level() * alpha, pixel[2].level() * alpha, alpha]
}

/// The size with half the sides, rounded up; its weights are sums, and never more than 1.
fn halve(width: usize, height: usize, of: impl Fn(usize) -> [f32; 4]) -> Size {
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let mut pixels = vec![[0f32; 4]; half_width * half_height];
    for y in 0..height {
        let row = &mut pixels[y / 2 * half_width..][..half_width];
        for x in 0..width {
            let add = of(y * width + x);
            for c in 0..4 {
                row[x / 2][c] += add[c];
            }
        }
    }
    for pixel in &mut pixels {
        let scale = 1.0 / pixel[3].max(1.0);
        *pixel = pixel.map(|value| value * scale);
    }
    Size { width: half_width, height: half_height, pixels }
}

impl Size {
    /// Row `y` of twice this size, by bilinear weights; every weight here must be 1, or nothing shows at all.
    fn row(&self, y: usize, to: &mut [[f32; 3]]) {
        let near = (y / 2).min(self.height - 1);
        let far = if y.is_multiple_of(2) { near.saturating_sub(1) } else { (near + 1).min(self.height - 1) };
        let (near, far) = (&self.pixels[near * self.width..], &self.pixels[far * self.width..]);
        for (x, to) in to.iter_mut().enumerate() {
            let column = (x / 2).min(self.width - 1);
            let beside =
                if x.is_multiple_of(2) { column.saturating_sub(1) } else { (column + 1).min(self.width - 1) };
            for (c, to) in to.iter_mut().enumerate() {
                *to = (9.0 * near[column][c] + 3.0 * (near[beside][c] + far[column][c]) + far[beside][c])
                    * (1.0 / 16.0);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_colours_come_from_the_visible_ones_next_to_them() {
        // A red half and a blue half with hidden green between and around them.
        let (width, height) = (61u32, 40u32);
        let samples: Vec<u8> = (0..width * height)
            .flat_map(|i| match (i % width, i / width) {
                (4..=20, 5..=33) => [220, 10, 10, 255],
                (40..=55, 5..=33) => [10, 10, 220, 255],
                _ => [0, 255, 0, 0],
            })
            .collect();
        let bitmap = Bitmap::from_u8(width, height, Channels::Rgba, samples.clone()).expect("a size");
        let extended = extend_colours(&bitmap);
        let Samples::U8(rgb) = extended.samples() else { panic!("8 bit") };
        for (i, (before, after)) in samples.chunks(4).zip(rgb.chunks(3)).enumerate() {
            assert!(after[1] <= 11, "green at {i}");
            if before[3] == 255 {
                assert_eq!(before[..3], *after);
            }
        }
        let at = |x: u32, y: u32| &rgb[((y * width + x) * 3) as usize..][..3];
        assert!(at(21, 20)[0] > 180 && at(2, 20)[0] > 180 && at(57, 20)[2] > 180 && at(20, 37)[0] > 180);
    }

    #[test]
    fn an_opaque_picture_stays_and_an_empty_one_is_black() {
        let rgba =
            Bitmap::from_u16(3, 2, Channels::Rgba, [7, 900, 65_535, 65_535].repeat(6)).expect("a size");
        let Samples::U16(rgb) = extend_colours(&rgba).into_samples() else { panic!("16 bit") };
        assert_eq!(rgb, [7, 900, 65_535].repeat(6));
        let empty = Bitmap::from_u8(5, 1, Channels::Rgba, vec![0; 20]).expect("a size");
        let Samples::U8(rgb) = extend_colours(&empty).into_samples() else { panic!("8 bit") };
        assert_eq!(rgb, vec![0; 15]);
    }
}
