//! From the working space into the space of a file: sRGB curve → light → matrix → curve, rounded once.

use std::borrow::Cow;

use super::ink;
use super::space::Space;
use crate::srgb::srgb_to_linear;
use crate::{Bitmap, Channels, PixelError, Samples, SamplesMut};

/// What one pixel of a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ink {
    /// Brightness.
    Gray,
    /// Brightness and straight alpha.
    GrayAlpha,
    /// Red, green, blue.
    Rgb,
    /// Red, green, blue and straight alpha.
    Rgba,
    /// Cyan, magenta, yellow, black; 0 is no ink.
    Cmyk,
}

impl Ink {
    /// Samples a pixel.
    pub(crate) const fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::GrayAlpha => 2,
            Self::Rgb => 3,
            Self::Rgba | Self::Cmyk => 4,
        }
    }

    /// Whether the last sample is alpha.
    pub(crate) const fn has_alpha(self) -> bool {
        matches!(self, Self::GrayAlpha | Self::Rgba)
    }
}

/// Pixels in the space of a file, ready to be written.
pub(crate) struct Raster<'a> {
    pub width: u32,
    pub height: u32,
    pub ink: Ink,
    pub samples: Cow<'a, Samples>,
}

impl<'a> Raster<'a> {
    /// The bitmap as it is.
    pub(crate) fn borrowed(bitmap: &'a Bitmap) -> Self {
        let ink = if bitmap.channels() == Channels::Rgb { Ink::Rgb } else { Ink::Rgba };
        Self { width: bitmap.width(), height: bitmap.height(), ink, samples: Cow::Borrowed(bitmap.samples()) }
    }

    /// The same at 8 bits a sample, rounded to nearest.
    pub(crate) fn into_u8(self) -> Self {
        let samples = match self.samples.into_owned() {
            Samples::U16(samples) => Samples::U8(samples.iter().map(|&s| crate::to_u8(s)).collect()),
            eight @ Samples::U8(_) => eight,
        };
        Self { samples: Cow::Owned(samples), ..self }
    }

    /// The samples of a format that has 8 bits only.
    pub(crate) fn eight_bit(&self) -> Result<&[u8], PixelError> {
        match &*self.samples {
            Samples::U8(samples) => Ok(samples),
            Samples::U16(_) => {
                Err(PixelError::Library { library: "encoder", reason: "16 bits were left".to_owned() })
            }
        }
    }

    /// Bits a sample.
    pub(crate) fn depth(&self) -> u8 {
        if matches!(*self.samples, Samples::U8(_)) { 8 } else { 16 }
    }
}

/// The bitmap in that space. CMYK needs an opaque one.
pub(crate) fn raster_in(mut bitmap: Bitmap, space: &Space) -> Result<Raster<'static>, PixelError> {
    let (width, height, channels) = (bitmap.width(), bitmap.height(), bitmap.channels());
    let (ink, samples) = match space {
        Space::Srgb | Space::DisplayP3 | Space::AdobeRgb => {
            to_space(&mut bitmap, space)?;
            (if channels == Channels::Rgb { Ink::Rgb } else { Ink::Rgba }, bitmap.into_samples())
        }
        Space::Gray => {
            let ink = if channels == Channels::Rgb { Ink::Gray } else { Ink::GrayAlpha };
            (ink, brightness(&bitmap, space))
        }
        Space::Cmyk(profile) => (Ink::Cmyk, ink::separate(&bitmap.without_alpha(), profile)?),
    };
    Ok(Raster { width, height, ink, samples: Cow::Owned(samples) })
}

/// Brings sRGB pixels into another RGB space, in place; alpha is not touched. Refuses spaces that are not RGB.
pub(crate) fn to_space(bitmap: &mut Bitmap, space: &Space) -> Result<(), PixelError> {
    if !space.is_rgb() {
        let value = space.to_string();
        return Err(PixelError::Argument { name: "space", value, allowed: "an RGB space is needed" });
    }
    if !space.is_converted() {
        return Ok(());
    }
    let channels = bitmap.channels();
    match bitmap.samples_mut() {
        SamplesMut::U8(samples) => {
            let tables = Tables8::of(space);
            match channels {
                Channels::Rgb => {
                    samples.as_chunks_mut::<3>().0.iter_mut().for_each(|p| *p = tables.convert(*p))
                }
                Channels::Rgba => samples.as_chunks_mut::<4>().0.iter_mut().for_each(|p| {
                    let [r, g, b] = tables.convert([p[0], p[1], p[2]]);
                    *p = [r, g, b, p[3]];
                }),
            }
        }
        SamplesMut::U16(samples) => {
            let tables = Tables16::of(space);
            match channels {
                Channels::Rgb => {
                    samples.as_chunks_mut::<3>().0.iter_mut().for_each(|p| *p = tables.convert(*p))
                }
                Channels::Rgba => samples.as_chunks_mut::<4>().0.iter_mut().for_each(|p| {
                    let [r, g, b] = tables.convert([p[0], p[1], p[2]]);
                    *p = [r, g, b, p[3]];
                }),
            }
        }
    }
    Ok(())
}

/// One sample of brightness a pixel, with alpha where there is any.
fn brightness(bitmap: &Bitmap, space: &Space) -> Samples {
    fn map<S: Copy>(samples: &[S], channels: Channels, gray: impl Fn([S; 3]) -> S) -> Vec<S> {
        match channels {
            Channels::Rgb => samples.as_chunks::<3>().0.iter().map(|p| gray(*p)).collect(),
            Channels::Rgba => {
                samples.as_chunks::<4>().0.iter().flat_map(|p| [gray([p[0], p[1], p[2]]), p[3]]).collect()
            }
        }
    }
    match bitmap.samples() {
        Samples::U8(samples) => {
            let tables = Tables8::of(space);
            Samples::U8(map(samples, bitmap.channels(), |pixel| tables.first(pixel)))
        }
        Samples::U16(samples) => {
            let tables = Tables16::of(space);
            Samples::U16(map(samples, bitmap.channels(), |pixel| tables.first(pixel)))
        }
    }
}

/// Steps of the tables from light to stored values. They are spaced by the square root of light: a pure gamma is too
/// steep near black for even steps.
const STEPS: usize = 65_535;

fn rows(space: &Space) -> [[f32; 3]; 3] {
    space.srgb_to_own().map(|row| row.map(|v| v as f32))
}

fn light(row: [f32; 3], rgb: [f32; 3]) -> f32 {
    (row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]).clamp(0.0, 1.0)
}

struct Tables8 {
    decode: [f32; 256],
    rows: [[f32; 3]; 3],
    encode: Vec<u8>,
}

impl Tables8 {
    fn of(space: &Space) -> Self {
        let level = |i: usize| {
            let root = i as f64 / STEPS as f64;
            (space.encode(root * root) * 255.0).round() as u8
        };
        Self {
            decode: std::array::from_fn(|i| srgb_to_linear(i as f64 / 255.0) as f32),
            rows: rows(space),
            encode: (0..=STEPS).map(level).collect(),
        }
    }

    fn row(&self, row: [f32; 3], rgb: [f32; 3]) -> u8 {
        self.encode[((light(row, rgb).sqrt() * STEPS as f32 + 0.5) as usize).min(STEPS)]
    }

    fn convert(&self, pixel: [u8; 3]) -> [u8; 3] {
        let rgb = pixel.map(|v| self.decode[usize::from(v)]);
        self.rows.map(|row| self.row(row, rgb))
    }

    fn first(&self, pixel: [u8; 3]) -> u8 {
        self.row(self.rows[0], pixel.map(|v| self.decode[usize::from(v)]))
    }
}

struct Tables16 {
    decode: Vec<f32>,
    rows: [[f32; 3]; 3],
    encode: Vec<f32>,
}

impl Tables16 {
    fn of(space: &Space) -> Self {
        let value = |i: usize| {
            let root = i as f64 / STEPS as f64;
            (space.encode(root * root) * 65_535.0) as f32
        };
        Self {
            decode: (0..=65_535).map(|i| srgb_to_linear(f64::from(i) / 65_535.0) as f32).collect(),
            rows: rows(space),
            encode: (0..=STEPS).map(value).collect(),
        }
    }

    fn row(&self, row: [f32; 3], rgb: [f32; 3]) -> u16 {
        let at = light(row, rgb).sqrt() * STEPS as f32;
        let low = (at as usize).min(STEPS - 1);
        let (a, b) = (self.encode[low], self.encode[low + 1]);
        (a + (b - a) * (at - low as f32) + 0.5) as u16
    }

    fn convert(&self, pixel: [u16; 3]) -> [u16; 3] {
        let rgb = pixel.map(|v| self.decode[usize::from(v)]);
        self.rows.map(|row| self.row(row, rgb))
    }

    fn first(&self, pixel: [u16; 3]) -> u16 {
        self.row(self.rows[0], pixel.map(|v| self.decode[usize::from(v)]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::colour::{Conversion, Kind, convert, interpret};

    const RGB_SPACES: [Space; 2] = [Space::DisplayP3, Space::AdobeRgb];

    fn grid() -> Bitmap {
        let levels: Vec<u8> = (0..=255).step_by(17).collect();
        let mut samples = Vec::new();
        levels.iter().for_each(|&r| {
            levels.iter().for_each(|&g| levels.iter().for_each(|&b| samples.extend_from_slice(&[r, g, b])));
        });
        Bitmap::from_u8(256, 16, Channels::Rgb, samples).expect("a grid")
    }

    #[test]
    fn what_is_written_is_read_back_by_its_profile() {
        for space in RGB_SPACES {
            let mut warnings = Vec::new();
            let source = interpret(Some(space.profile()), None, Kind::Rgb, &mut warnings).expect("a profile");
            assert!(matches!(source.conversion, Conversion::Matrix(_)), "{space}");
            let before = grid().into_u16();
            let mut there = before.clone();
            to_space(&mut there, &space).expect("an RGB space");
            convert(&mut there, &source.conversion).expect("back");
            let (Samples::U16(a), Samples::U16(b)) = (before.samples(), there.samples()) else {
                panic!("16 bit")
            };
            let worst = a.iter().zip(b).map(|(a, b)| a.abs_diff(*b)).max().expect("samples");
            // The numbers of a profile have 16 bits themselves, which shows where the curve is steep.
            assert!(worst <= 80, "{space}: {worst} of 65535");
            assert!(warnings.is_empty());
        }
    }

    #[test]
    fn little_cms_converts_the_same() {
        for space in RGB_SPACES {
            let to = lcms2::Profile::new_icc(space.profile()).expect("a profile that lcms2 reads");
            let from = lcms2::Profile::new_srgb();
            let format = lcms2::PixelFormat::RGB_8;
            let transform: lcms2::Transform<[u8; 3], [u8; 3]> =
                lcms2::Transform::new(&from, format, &to, format, lcms2::Intent::RelativeColorimetric)
                    .expect("a transform");
            let mut ours = grid();
            to_space(&mut ours, &space).expect("an RGB space");
            let (Samples::U8(before), Samples::U8(ours)) = (grid().into_samples(), ours.into_samples())
            else {
                panic!("8 bit")
            };
            let mut theirs = before.as_chunks::<3>().0.to_vec();
            transform.transform_in_place(&mut theirs);
            let mut sum = 0i64;
            for (a, b) in ours.iter().zip(theirs.as_flattened()) {
                // Little CMS has 14 bits of light, too few for the steep end of a power.
                if a.max(b) > &8 {
                    assert!(a.abs_diff(*b) <= 1, "{space}: {a} and {b}");
                    sum += i64::from(*a) - i64::from(*b);
                }
            }
            assert!(sum.abs() < ours.len() as i64 / 20, "{space} is off by {sum} over {}", ours.len());
        }
    }

    #[test]
    fn white_stays_white_and_grey_grey() {
        for space in [Space::DisplayP3, Space::AdobeRgb, Space::Gray] {
            let greys: Vec<u8> = (0..=255u8).flat_map(|v| [v; 3]).collect();
            let bitmap = Bitmap::from_u8(256, 1, Channels::Rgb, greys).expect("greys");
            for deep in [false, true] {
                let bitmap = if deep { bitmap.clone().into_u16() } else { bitmap.clone() };
                let raster = raster_in(bitmap, &space).expect("converted").into_u8();
                let samples = raster.eight_bit().expect("8 bit");
                let step = raster.ink.count();
                assert!(
                    samples[..step].iter().all(|&v| v == 0)
                        && samples[255 * step..].iter().all(|&v| v == 255)
                );
                assert!(samples.chunks(step).all(|p| p.iter().all(|v| *v == p[0])), "{space} has a cast");
                assert!(samples.chunks(step).zip(samples.chunks(step).skip(1)).all(|(a, b)| a[0] <= b[0]));
                if space == Space::DisplayP3 {
                    assert!(samples.chunks(3).enumerate().all(|(i, p)| usize::from(p[0]) == i));
                }
            }
        }
    }

    #[test]
    fn grey_is_as_bright_as_it_was() {
        let mut warnings = Vec::new();
        let source =
            interpret(Some(Space::Gray.profile()), None, Kind::Gray, &mut warnings).expect("a profile");
        assert_eq!(source.name, "Gray Gamma 2.2");
        let greys: Vec<u16> = (0..=255u8).flat_map(|v| [crate::to_u16(v); 3]).collect();
        let before = Bitmap::from_u16(256, 1, Channels::Rgb, greys).expect("greys");
        let raster = raster_in(before.clone(), &Space::Gray).expect("converted");
        let Samples::U16(gray) = &*raster.samples else { panic!("16 bit") };
        let mut back = Bitmap::from_u16(256, 1, Channels::Rgb, gray.iter().flat_map(|&v| [v; 3]).collect())
            .expect("greys");
        convert(&mut back, &source.conversion).expect("back");
        assert_eq!(back.into_u8(), before.into_u8());
        let raster =
            raster_in(Bitmap::from_u8(1, 1, Channels::Rgba, vec![255, 0, 0, 77]).expect("red"), &Space::Gray)
                .expect("converted");
        assert_eq!(raster.ink, Ink::GrayAlpha);
        // 22 % of the light, at gamma 2.2.
        assert_eq!(raster.eight_bit().expect("8 bit"), [129, 77]);
    }
}
