//! Pixels in memory. Says out loud what a buffer holds: channels, depth,
//! alpha convention and colour space.

use std::fmt;

use crate::PixelError;

/// How many samples make one pixel, and what they mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channels {
    /// Red, green, blue; every pixel is opaque.
    Rgb,
    /// Red, green, blue and **straight** (not premultiplied) alpha.
    Rgba,
}

impl Channels {
    /// Samples in one pixel: 3 or 4.
    pub const fn count(self) -> usize {
        match self {
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// The samples of a bitmap, interleaved, row by row from the top, without padding. Their debug form is their number.
#[derive(Clone, PartialEq, Eq)]
pub enum Samples {
    /// Eight bits a sample, full range 0..=255.
    U8(Vec<u8>),
    /// Sixteen bits a sample, full range 0..=65535, native byte order.
    U16(Vec<u16>),
}

impl fmt::Debug for Samples {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U8(samples) => write!(f, "U8({} samples)", samples.len()),
            Self::U16(samples) => write!(f, "U16({} samples)", samples.len()),
        }
    }
}

/// A picture in the working space: **sRGB** primaries and transfer curve, D65,
/// interleaved RGB or RGBA with straight alpha, 8 or 16 bits a sample.
///
/// Invariant: `samples` holds exactly `width * height * channels` samples, and neither side is 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bitmap {
    width: u32,
    height: u32,
    channels: Channels,
    samples: Samples,
}

impl Bitmap {
    /// Wraps samples that already have the right number; refuses any other number, or a side of 0.
    pub fn new(width: u32, height: u32, channels: Channels, samples: Samples) -> Result<Self, PixelError> {
        let expected = width as usize * height as usize * channels.count();
        let given = match &samples {
            Samples::U8(samples) => samples.len(),
            Samples::U16(samples) => samples.len(),
        };
        if expected == 0 || expected != given {
            return Err(PixelError::Shape { width, height, expected, given });
        }
        Ok(Self { width, height, channels, samples })
    }

    /// Wraps interleaved 8-bit samples.
    pub fn from_u8(
        width: u32,
        height: u32,
        channels: Channels,
        samples: Vec<u8>,
    ) -> Result<Self, PixelError> {
        Self::new(width, height, channels, Samples::U8(samples))
    }

    /// Wraps interleaved 16-bit samples.
    pub fn from_u16(
        width: u32,
        height: u32,
        channels: Channels,
        samples: Vec<u16>,
    ) -> Result<Self, PixelError> {
        Self::new(width, height, channels, Samples::U16(samples))
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// What one pixel holds.
    pub fn channels(&self) -> Channels {
        self.channels
    }

    /// Bits a sample: 8 or 16.
    pub fn depth(&self) -> u8 {
        match self.samples {
            Samples::U8(_) => 8,
            Samples::U16(_) => 16,
        }
    }

    /// The samples, interleaved.
    pub fn samples(&self) -> &Samples {
        &self.samples
    }

    /// The samples, to be changed in place; their number cannot change.
    pub fn samples_mut(&mut self) -> SamplesMut<'_> {
        match &mut self.samples {
            Samples::U8(samples) => SamplesMut::U8(samples),
            Samples::U16(samples) => SamplesMut::U16(samples),
        }
    }

    /// Gives the samples away.
    pub fn into_samples(self) -> Samples {
        self.samples
    }

    /// Bytes the samples take in memory.
    pub fn byte_len(&self) -> usize {
        match &self.samples {
            Samples::U8(samples) => samples.len(),
            Samples::U16(samples) => samples.len() * 2,
        }
    }

    /// The same picture with an alpha channel (opaque where there was none).
    pub fn into_rgba(self) -> Self {
        fn widen<S: Copy>(rgb: &[S], opaque: S) -> Vec<S> {
            let mut rgba = Vec::with_capacity(rgb.len() / 3 * 4);
            for pixel in rgb.chunks_exact(3) {
                rgba.extend_from_slice(&[pixel[0], pixel[1], pixel[2], opaque]);
            }
            rgba
        }
        if self.channels == Channels::Rgba {
            return self;
        }
        let samples = match self.samples {
            Samples::U8(rgb) => Samples::U8(widen(&rgb, u8::MAX)),
            Samples::U16(rgb) => Samples::U16(widen(&rgb, u16::MAX)),
        };
        Self { channels: Channels::Rgba, samples, ..self }
    }

    /// The same colours without the alpha channel, whatever it held; see [`crate::flatten`] for a background.
    pub fn without_alpha(self) -> Self {
        fn narrow<S: Copy>(rgba: &[S]) -> Vec<S> {
            let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
            rgba.as_chunks::<4>().0.iter().for_each(|pixel| rgb.extend_from_slice(&pixel[..3]));
            rgb
        }
        if self.channels == Channels::Rgb {
            return self;
        }
        let samples = match self.samples {
            Samples::U8(rgba) => Samples::U8(narrow(&rgba)),
            Samples::U16(rgba) => Samples::U16(narrow(&rgba)),
        };
        Self { channels: Channels::Rgb, samples, ..self }
    }

    /// The same picture with `mask` as its alpha channel in place of the one it had. Refuses a mask of another size.
    pub fn with_alpha(self, mask: &Mask) -> Result<Self, PixelError> {
        if (self.width, self.height) != (mask.width, mask.height) {
            return Err(PixelError::Argument {
                name: "mask",
                value: format!("{} by {}", mask.width, mask.height),
                allowed: "it must have the size of the picture",
            });
        }
        let mut rgba = self.into_rgba();
        match rgba.samples_mut() {
            SamplesMut::U8(samples) => {
                for (pixel, value) in samples.as_chunks_mut::<4>().0.iter_mut().zip(&mask.values) {
                    pixel[3] = *value;
                }
            }
            SamplesMut::U16(samples) => {
                for (pixel, value) in samples.as_chunks_mut::<4>().0.iter_mut().zip(&mask.values) {
                    pixel[3] = to_u16(*value);
                }
            }
        }
        Ok(rgba)
    }

    /// The same picture at 16 bits a sample, exactly.
    pub fn into_u16(self) -> Self {
        let samples = match self.samples {
            Samples::U16(samples) => samples,
            Samples::U8(samples) => samples.iter().map(|&s| to_u16(s)).collect(),
        };
        Self { samples: Samples::U16(samples), ..self }
    }

    /// The same picture at 8 bits a sample, rounded to nearest (never truncated).
    pub fn into_u8(self) -> Self {
        let samples = match self.samples {
            Samples::U8(samples) => samples,
            Samples::U16(samples) => samples.iter().map(|&s| to_u8(s)).collect(),
        };
        Self { samples: Samples::U8(samples), ..self }
    }

    /// Whether any pixel is not fully opaque.
    pub fn has_transparency(&self) -> bool {
        match (self.channels, &self.samples) {
            (Channels::Rgb, _) => false,
            (Channels::Rgba, Samples::U8(s)) => s.iter().skip(3).step_by(4).any(|&a| a != u8::MAX),
            (Channels::Rgba, Samples::U16(s)) => s.iter().skip(3).step_by(4).any(|&a| a != u16::MAX),
        }
    }

    /// The alpha channel at 8 bits; opaque everywhere for [`Channels::Rgb`].
    pub fn alpha(&self) -> Mask {
        let values = match (self.channels, &self.samples) {
            (Channels::Rgb, _) => vec![u8::MAX; self.width as usize * self.height as usize],
            (Channels::Rgba, Samples::U8(s)) => s.iter().skip(3).step_by(4).copied().collect(),
            (Channels::Rgba, Samples::U16(s)) => s.iter().skip(3).step_by(4).map(|&a| to_u8(a)).collect(),
        };
        Mask { width: self.width, height: self.height, values }
    }
}

/// Samples that may be changed but not resized.
pub enum SamplesMut<'a> {
    /// Eight bits a sample.
    U8(&'a mut [u8]),
    /// Sixteen bits a sample.
    U16(&'a mut [u16]),
}

impl fmt::Debug for SamplesMut<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::U8(samples) => write!(f, "U8({} samples)", samples.len()),
            Self::U16(samples) => write!(f, "U16({} samples)", samples.len()),
        }
    }
}

/// One 8-bit value a pixel, 0 = outside, 255 = inside, row by row from the top. Linear coverage, no colour space.
///
/// Invariant: `values` holds exactly `width * height` values, and neither side is 0.
#[derive(Clone, PartialEq, Eq)]
pub struct Mask {
    width: u32,
    height: u32,
    values: Vec<u8>,
}

impl fmt::Debug for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mask({} by {})", self.width, self.height)
    }
}

impl Mask {
    /// Wraps values that already have the right number; refuses any other number, or a side of 0.
    pub fn new(width: u32, height: u32, values: Vec<u8>) -> Result<Self, PixelError> {
        let expected = width as usize * height as usize;
        if expected == 0 || expected != values.len() {
            return Err(PixelError::Shape { width, height, expected, given: values.len() });
        }
        Ok(Self { width, height, values })
    }

    /// Width in pixels.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The values, row by row.
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// The values, to be changed in place.
    pub fn values_mut(&mut self) -> &mut [u8] {
        &mut self.values
    }

    /// The smallest rectangle that holds every value of at least `threshold`; `None` when there is none.
    pub fn bounds(&self, threshold: u8) -> Option<Rect> {
        let width = self.width as usize;
        let (mut left, mut right, mut top, mut bottom) = (width, 0usize, None, 0usize);
        for (y, row) in self.values.chunks_exact(width).enumerate() {
            if let Some(first) = row.iter().position(|&v| v >= threshold) {
                let last = row.iter().rposition(|&v| v >= threshold).unwrap_or(first);
                left = left.min(first);
                right = right.max(last + 1);
                top.get_or_insert(y);
                bottom = y + 1;
            }
        }
        let top = top?;
        Some(Rect {
            x: left as u32,
            y: top as u32,
            width: (right - left) as u32,
            height: (bottom - top) as u32,
        })
    }
}

/// A rectangle inside a bitmap, in whole pixels from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rect {
    /// Left edge, 0 is the first column.
    pub x: u32,
    /// Top edge, 0 is the first row.
    pub y: u32,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// 16 to 8 bits, to nearest: 65535 becomes 255 and 0 stays 0.
pub fn to_u8(sample: u16) -> u8 {
    ((u32::from(sample) * 255 + 32_767) / 65_535) as u8
}

/// 8 to 16 bits, exactly: 255 becomes 65535.
pub fn to_u16(sample: u8) -> u16 {
    u16::from(sample) * 257
}
