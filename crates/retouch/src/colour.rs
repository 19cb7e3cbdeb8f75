//! What is done to a picture's colours, in one fixed order and one pass: floats inside, 16 bits out.

mod backdrop;
mod chroma;
mod curve;
mod lanes;
mod light;
mod matching;
mod recolour;
mod relief;
mod sampled;
mod tone;

use pixels::{Bitmap, Channels, Mask, Samples, to_u8};

pub use backdrop::{Backdrop, SIDE as BACKDROP_SIDE, backdrop, grey_light, patch_light};
pub use chroma::Chroma;
pub use curve::Curve;
pub use light::{
    Adaptation, IDENTITY, Matrix, adaptation, chained, daylight, linear_bytes, luminance, neutralised, tinted,
};
pub use matching::{Moments, Moved, Transport};
pub use recolour::{Outlook, Recolour, Wish};
pub use relief::Relief;
pub use sampled::Sampled;
pub use tone::Tone;

use lanes::{Colours, LANES, Plane, Sample, clamp, encoding, transform};
use relief::{Local, Row};
use tone::Tables;

/// Rows between two looks at whether the work is still wanted.
const STRIP: usize = 64;

/// Everything that is done to colours. The fields are in the order in which they apply; each takes what the one before
/// it gives. Light is added and multiplied in linear sRGB, chroma and hue change in OKLab, tone on sRGB values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Grade {
    /// The light made neutral, in linear light.
    pub balance: Option<Matrix>,
    /// Made like a reference, in OKLab.
    pub matching: Option<Transport>,
    /// Exposure, temperature and tint, in linear light.
    pub light: Option<Matrix>,
    /// Highlights and shadows, in linear light.
    pub relief: Relief,
    /// Levels, brightness, contrast and curves, on sRGB values.
    pub tone: Tone,
    /// Saturation and vibrance, in OKLCh.
    pub chroma: Chroma,
    /// One colour replaced by another, in OKLab.
    pub recolour: Option<Recolour>,
    /// Whether what has the colour of skin stays as it was.
    pub spares_skin: bool,
}

impl Grade {
    /// Whether it changes nothing.
    pub fn is_neutral(&self) -> bool {
        *self == Self { spares_skin: self.spares_skin, ..Self::default() }
    }

    /// A picture with its colours changed, at 16 bits a sample, alpha as it was. Where `mask` (of the picture's size) is
    /// less than full, so much less is changed; where it is 0 nothing is. Calls `pause` every few rows and stops with its
    /// error.
    pub fn apply<E>(
        &self,
        bitmap: &Bitmap,
        mask: Option<&Mask>,
        mut pause: impl FnMut() -> Result<(), E>,
    ) -> Result<Bitmap, E> {
        let prepared = self.prepared(bitmap);
        let samples = match bitmap.samples() {
            Samples::U8(samples) => prepared.run(samples, bitmap, mask, &mut pause)?,
            Samples::U16(samples) => prepared.run(samples, bitmap, mask, &mut pause)?,
        };
        Ok(Bitmap::from_u16(bitmap.width(), bitmap.height(), bitmap.channels(), samples)
            .expect("one sample for each that there was"))
    }

    /// What becomes of one sRGB colour, as a plain area of it.
    pub fn colour(&self, rgb: [u8; 3]) -> [u8; 3] {
        if self.is_neutral() {
            return rgb;
        }
        let samples = rgb.repeat(LANES);
        let plain = Bitmap::from_u8(LANES as u32, 1, Channels::Rgb, samples).expect("one row of pixels");
        let after = self.apply(&plain, None, || Ok::<_, std::convert::Infallible>(()));
        let Ok(after) = after;
        match after.samples() {
            Samples::U16(samples) => std::array::from_fn(|c| to_u8(samples[c])),
            Samples::U8(samples) => std::array::from_fn(|c| samples[c]),
        }
    }

    /// A picture seen small, after everything that comes before [`Grade::recolour`]; linear sRGB 0..=1.
    pub fn preview(&self, mut small: Sampled) -> Sampled {
        let before = Self { recolour: None, ..self.clone() };
        small.change(|colours| before.lit(colours));
        let local = (!self.relief.is_neutral()).then(|| Local::new(self.relief, &small));
        if let Some(local) = &local {
            let (width, height) = (small.width, small.height);
            for y in 0..height {
                let row = local.row(y, height);
                let mut x = 0;
                let mut line = Sampled {
                    width,
                    height: 1,
                    colours: small.colours[y * width..][..width].to_vec(),
                    weights: Vec::new(),
                };
                line.change(|colours| {
                    row.apply(colours, x, width);
                    x += LANES;
                });
                small.colours[y * width..][..width].copy_from_slice(&line.colours);
            }
        }
        let tone = (!self.tone.is_neutral()).then(|| self.tone.tables(false));
        small.change(|colours| {
            if let Some(tone) = &tone {
                tone.apply(colours);
            }
            clamp(colours);
            if !self.chroma.is_neutral() {
                self.chroma.apply(colours);
                clamp(colours);
            }
        });
        small
    }

    fn prepared(&self, bitmap: &Bitmap) -> Prepared<'_> {
        let local = (!self.relief.is_neutral()).then(|| {
            let mut small = Sampled::of(bitmap, relief::SIDE, 3);
            small.change(|colours| self.lit(colours));
            Local::new(self.relief, &small)
        });
        let stays_linear = !self.chroma.is_neutral() || self.recolour.is_some();
        let tone = (!self.tone.is_neutral()).then(|| self.tone.tables(!stays_linear));
        Prepared { grade: self, local, tone, stays_linear }
    }

    /// What is done to linear light before anything depends on the place.
    fn lit(&self, colours: &mut Colours) {
        if let Some(matrix) = &self.balance {
            transform(colours, matrix);
        }
        if let Some(matching) = &self.matching {
            matching.apply(colours);
        }
        if let Some(matrix) = &self.light {
            transform(colours, matrix);
        }
    }
}

/// A grade with everything that can be known before the first pixel.
struct Prepared<'a> {
    grade: &'a Grade,
    local: Option<Local>,
    tone: Option<Tables>,
    /// Whether something after the tone wants linear light.
    stays_linear: bool,
}

impl Prepared<'_> {
    fn run<S: Sample, E>(
        &self,
        samples: &[S],
        bitmap: &Bitmap,
        mask: Option<&Mask>,
        pause: &mut impl FnMut() -> Result<(), E>,
    ) -> Result<Vec<u16>, E> {
        let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
        let count = bitmap.channels().count();
        let mut out = vec![0u16; samples.len()];
        for y in 0..height {
            if y.is_multiple_of(STRIP) {
                pause()?;
            }
            let local = self.local.as_ref().map(|local| local.row(y, height));
            let weights = mask.map(|mask| &mask.values()[y * width..][..width]);
            let from = &samples[y * width * count..][..width * count];
            let to = &mut out[y * width * count..][..width * count];
            for x in (0..width).step_by(LANES) {
                let end = (x + LANES).min(width);
                let place = Place { local: local.as_ref(), weights: weights.map(|w| &w[x..end]), x, width };
                let (from, to) = (&from[x * count..end * count], &mut to[x * count..end * count]);
                match bitmap.channels() {
                    Channels::Rgb => self.short(from.as_chunks::<3>().0, to.as_chunks_mut::<3>().0, &place),
                    Channels::Rgba => self.short(from.as_chunks::<4>().0, to.as_chunks_mut::<4>().0, &place),
                }
            }
        }
        Ok(out)
    }

    /// One run of at most [`LANES`] pixels of a row.
    fn short<S: Sample, const N: usize>(&self, from: &[[S; N]], to: &mut [[u16; N]], place: &Place<'_>) {
        let is_clear = N == 4 && from.iter().all(|pixel| pixel[3].index() == 0);
        let is_spared = place.weights.is_some_and(|weights| weights.iter().all(|&w| w == 0));
        if is_clear {
            return;
        }
        if is_spared {
            from.iter().zip(to).for_each(|(from, to)| *to = from.map(S::deep));
            return;
        }
        let mut colours = [[0.0; LANES]; 3];
        let linear = S::linear();
        for (i, pixel) in from.iter().enumerate() {
            (0..3).for_each(|c| colours[c][i] = linear[pixel[c].index()]);
        }
        let weights = self.weights(&colours, place);
        self.graded(&mut colours, place);
        for (i, (from, to)) in from.iter().zip(to).enumerate() {
            for c in 0..3 {
                let mut value = colours[c][i];
                if let Some(weights) = &weights {
                    let before = from[c].number() * (1.0 / S::FULL);
                    value = before + (value - before) * weights[i];
                }
                to[c] = (value * 65_535.0 + 0.5) as u16;
            }
            if N == 4 {
                to[3] = from[3].deep();
                if to[3] == 0 {
                    to[..3].fill(0);
                }
            }
        }
    }

    /// How much of the change each pixel gets, unless all get all of it.
    fn weights(&self, colours: &Colours, place: &Place<'_>) -> Option<Plane> {
        if place.weights.is_none() && !self.grade.spares_skin {
            return None;
        }
        let mut weights = [1.0; LANES];
        if let Some(values) = place.weights {
            weights.iter_mut().zip(values).for_each(|(weight, &value)| *weight = f32::from(value) / 255.0);
        }
        if self.grade.spares_skin {
            let skin = chroma::skin(colours);
            weights.iter_mut().zip(skin).for_each(|(weight, skin)| *weight *= 1.0 - skin);
        }
        Some(weights)
    }

    /// From linear sRGB to graded sRGB values 0..=1.
    fn graded(&self, colours: &mut Colours, place: &Place<'_>) {
        self.grade.lit(colours);
        if let Some(row) = place.local {
            row.apply(colours, place.x, place.width);
        }
        if let Some(tone) = &self.tone {
            tone.apply(colours);
        }
        if self.stays_linear {
            clamp(colours);
        }
        if !self.grade.chroma.is_neutral() {
            self.grade.chroma.apply(colours);
        }
        if let Some(recolour) = &self.grade.recolour {
            clamp(colours);
            recolour.apply(colours);
        }
        if self.stays_linear || self.tone.is_none() {
            colours.iter_mut().for_each(|plane| encoding().apply(plane));
        }
    }
}

/// Where a run of pixels is, and what holds there.
struct Place<'a> {
    local: Option<&'a Row<'a>>,
    weights: Option<&'a [u8]>,
    x: usize,
    width: usize,
}
