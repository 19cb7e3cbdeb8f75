//! Takes noise out of a picture: thresholds cosine transforms of brightness and colour apart, by the noise that is
//! measured on the picture itself.
//!
//! Computes on sRGB-encoded values in an orthonormal opponent space (brightness, red against blue, green against both),
//! in which equal noise of the three channels stays equal. Linear in pixels.

use pixels::{Bitmap, Channels, Samples, SamplesMut};

use crate::extend::extend_colours;
use crate::level::Level;

mod dct;
mod noise;
mod plane;

use plane::{Seen, Strength};

/// How much noise is taken out; each from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Denoising {
    /// Of brightness: 0 nothing, 0.5 what is measured, 1 twice as much.
    pub luma: f32,
    /// Of colour: 0 nothing, 0.5 what is measured, 1 twice as much.
    pub chroma: f32,
    /// How easily fine detail is believed rather than taken for noise.
    pub detail: f32,
}

/// Coefficients under so many standard deviations are noise, at a strength of one half (Donoho and Johnstone's universal
/// threshold for 64 coefficients is 2.9; 2.7 keeps a little more).
const MEASURED: f32 = 2.7;

/// How many halvings take out coarse colour noise: blotches of up to 32 pixels.
const COARSE_COLOUR: usize = 2;

/// Takes noise out of `bitmap` in place. What is transparent has no part in it, alpha stays as it is, and areas that are
/// clipped white in all channels stay exactly so.
///
/// `check` is asked every few rows; its error ends the work with the picture as it was.
pub fn denoise<E>(
    bitmap: &mut Bitmap,
    how: &Denoising,
    mut check: impl FnMut() -> Result<(), E>,
) -> Result<(), E> {
    if how.luma <= 0.0 && how.chroma <= 0.0 {
        return Ok(());
    }
    let width = bitmap.width() as usize;
    // Continued colours, so that no block sees an edge to what is hidden.
    let seen = (bitmap.channels() == Channels::Rgba).then(|| extend_colours(bitmap));
    let planes = match seen.as_ref().unwrap_or(bitmap).samples() {
        Samples::U8(samples) => Planes::of(samples),
        Samples::U16(samples) => Planes::of(samples),
    };
    drop(seen);
    let alpha = (bitmap.channels() == Channels::Rgba).then(|| bitmap.alpha());
    let hidden = |i: usize| alpha.as_ref().is_some_and(|alpha| alpha.values()[i] < u8::MAX);
    let planes = planes.denoised(width, how, &hidden, &mut check)?;
    match (bitmap.channels(), bitmap.samples_mut()) {
        (Channels::Rgb, SamplesMut::U8(samples)) => planes.write::<u8, 3>(samples, width),
        (Channels::Rgb, SamplesMut::U16(samples)) => planes.write::<u16, 3>(samples, width),
        (Channels::Rgba, SamplesMut::U8(samples)) => planes.write::<u8, 4>(samples, width),
        (Channels::Rgba, SamplesMut::U16(samples)) => planes.write::<u16, 4>(samples, width),
    }
    Ok(())
}

/// A picture in the opponent space.
struct Planes([Vec<f32>; 3]);

impl Planes {
    fn of<S: Level>(rgb: &[S]) -> Self {
        let pixels = rgb.as_chunks::<3>().0;
        let plane = |of: fn(f32, f32, f32) -> f32| -> Vec<f32> {
            pixels.iter().map(|p| of(p[0].level(), p[1].level(), p[2].level())).collect()
        };
        // 1/√3, 1/√2 and 1/√6.
        Self([
            plane(|r, g, b| (r + g + b) * 0.577_350_26),
            plane(|r, _, b| (r - b) * 0.707_106_77),
            plane(|r, g, b| (r - 2.0 * g + b) * 0.408_248_3),
        ])
    }

    fn denoised<E>(
        mut self,
        width: usize,
        how: &Denoising,
        hidden: &dyn Fn(usize) -> bool,
        check: &mut dyn FnMut() -> Result<(), E>,
    ) -> Result<Self, E> {
        let brightness: Vec<f32> = self.0[0].iter().map(|value| value * 0.577_350_26).collect();
        let seen = Seen { brightness: &brightness, width, finer: None };
        let luma = strength(how.luma, how.detail, 2, 0);
        let chroma = strength(how.chroma, 0.5, 4, COARSE_COLOUR);
        let [first, second, third] = &mut self.0;
        for (plane, given, how) in
            [(first, how.luma, luma), (second, how.chroma, chroma), (third, how.chroma, chroma)]
        {
            check()?;
            if given > 0.0 {
                plane::denoise(plane, &seen, &how, hidden, check)?;
            }
        }
        Ok(self)
    }

    fn write<S: Level, const N: usize>(&self, samples: &mut [S], width: usize) {
        let [first, second, third] = &self.0;
        let pixels = samples.as_chunks_mut::<N>().0;
        let mut white = White::new(width);
        let height = pixels.len() / width;
        for y in 0..height {
            white.look(pixels, y);
            let row = y * width..(y + 1) * width;
            let planes = first[row.clone()].iter().zip(&second[row.clone()]).zip(&third[row.clone()]);
            for ((pixel, stays), ((a, b), c)) in pixels[row].iter_mut().zip(white.stays()).zip(planes) {
                if *stays || (N == 4 && pixel[N - 1] == S::default()) {
                    continue;
                }
                let (grey, red, green) = (a * 0.577_350_26, b * 0.707_106_77, c * 0.408_248_3);
                pixel[0] = S::from_level(grey + red + green);
                pixel[1] = S::from_level(grey - 2.0 * green);
                pixel[2] = S::from_level(grey - red + green);
            }
        }
    }
}

/// Thresholds for a strength from 0 to 1.
fn strength(given: f32, detail: f32, step: usize, halvings: usize) -> Strength {
    let even = MEASURED * 2.0 * given;
    // One half keeps four fifths of the threshold, which measures best on pictures of products.
    Strength { even, detailed: even * (1.0 - 0.4 * detail), step, halvings }
}

/// Which pixels of a row are clipped white amid others that are: no noise can be told there, and a white backdrop is
/// promised to stay white.
struct White {
    width: usize,
    /// Whether each pixel of the row before, of this one and of the next is white; a column of white at both ends.
    rows: [Vec<u8>; 3],
    stays: Vec<bool>,
}

impl White {
    fn new(width: usize) -> Self {
        Self { width, rows: std::array::from_fn(|_| vec![1; width + 2]), stays: vec![false; width] }
    }

    /// Looks at row `y` before it is changed; rows must come in their order.
    fn look<S: Level, const N: usize>(&mut self, pixels: &[[S; N]], y: usize) {
        let read = |y: usize, to: &mut [u8]| match pixels.get(y * self.width..(y + 1) * self.width) {
            Some(row) => to[1..=self.width].iter_mut().zip(row).for_each(|(to, pixel)| {
                *to = u8::from(pixel[0] == S::FULL && pixel[1] == S::FULL && pixel[2] == S::FULL);
            }),
            None => to.fill(1),
        };
        if y == 0 {
            read(0, &mut self.rows[2]);
        }
        self.rows.rotate_left(1);
        read(y + 1, &mut self.rows[2]);
        let [above, here, below] = &self.rows;
        for (x, stays) in self.stays.iter_mut().enumerate() {
            let count: u8 = [above, here, below].iter().map(|row| row[x] + row[x + 1] + row[x + 2]).sum();
            // Itself and five of its eight neighbours: also along a straight edge of the product.
            *stays = here[x + 1] == 1 && count >= 6;
        }
    }

    fn stays(&self) -> &[bool] {
        &self.stays
    }
}

#[cfg(test)]
mod tests;
