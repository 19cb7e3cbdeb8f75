//! A picture made ready for measuring: at full size for what is fine, at a bounded size for what is coarse.

use std::borrow::Cow;
use std::cell::OnceCell;

use pixels::{Bitmap, Channels, Filter, Lab, Mask, Rect, Samples, fit_inside, flatten, resize, to_u8};

use crate::luma::luma;
use crate::measures::noise::{self, Grain};
use crate::outline::Outline;
use crate::subject::{Found, find};
use crate::{EncodedFile, Limits, Region};

/// Longest side of the picture at which subject, backdrop and outline are looked at.
pub(crate) const WORK_SIDE: u32 = 2048;
/// Share of clear pixels from which a picture counts as transparent.
const LEAST_CLEAR: f64 = 0.005;
/// Alpha below which a pixel counts as clear, of 255.
const CLEAR_BELOW: u8 = 128;

/// The picture at no more than [`WORK_SIDE`].
pub(crate) struct Work {
    /// Width in pixels.
    pub width: usize,
    /// Height in pixels.
    pub height: usize,
    /// Red, green, blue at 8 bits; straight where the picture is transparent.
    pub rgb: Vec<u8>,
    /// Alpha; `None` where the picture is taken as opaque.
    pub alpha: Option<Mask>,
    /// Pixels of the picture in one of these, at least 1.0, by width and height.
    pub scale: (f64, f64),
}

impl Work {
    fn of(picture: &Bitmap, is_transparent: bool, backdrop: [u8; 3]) -> Self {
        let size = (picture.width(), picture.height());
        let (width, height) = fit_inside(size, (WORK_SIDE, WORK_SIDE), false);
        // Means of the covered pixels: nothing rings, and an edge stays as wide as it is.
        let small = resize(picture, width, height, Filter::Box).unwrap_or_else(|_| picture.clone());
        let small = small.into_u8();
        let (alpha, small) = if is_transparent {
            (Some(small.alpha()), small.without_alpha())
        } else if small.channels() == Channels::Rgba {
            (None, flatten(&small, backdrop).without_alpha())
        } else {
            (None, small)
        };
        let scale =
            (f64::from(size.0) / f64::from(small.width()), f64::from(size.1) / f64::from(small.height()));
        let (width, height) = (small.width() as usize, small.height() as usize);
        let rgb = match small.into_samples() {
            Samples::U8(rgb) => rgb,
            Samples::U16(wide) => wide.into_iter().map(to_u8).collect(),
        };
        Self { width, height, rgb, alpha, scale }
    }

    /// The picture's rectangle of one of these, never empty.
    pub fn region(&self, rect: Rect, size: (u32, u32)) -> Region {
        let span = |start: u32, length: u32, scale: f64, side: u32| {
            let from = ((f64::from(start) * scale) as u32).min(side - 1);
            let to = ((f64::from(start + length) * scale).ceil() as u32).clamp(from + 1, side);
            (from, to - from)
        };
        let (x, width) = span(rect.x, rect.width, self.scale.0, size.0);
        let (y, height) = span(rect.y, rect.height, self.scale.1, size.1);
        Region { x, y, width, height }
    }

    /// Pixels of the picture in one of these, along a diagonal of both scales.
    pub fn mean_scale(&self) -> f64 {
        (self.scale.0 * self.scale.1).sqrt()
    }
}

/// A picture made ready for measuring.
pub(crate) struct Scene<'a> {
    /// What is assessed.
    pub picture: &'a Bitmap,
    /// The file it came in.
    pub file: &'a EncodedFile,
    /// The photograph it was made from.
    pub reference: Option<&'a Bitmap>,
    /// What passes.
    pub limits: &'a Limits,
    /// The picture at a bounded size.
    pub work: Work,
    /// Share of pixels that are clear, 0.0..=1.0.
    pub clear: f64,
    /// L*a*b* of bytes.
    pub lab: Lab,
    /// Subject and backdrop.
    pub found: Found,
    eight: Cow<'a, [u8]>,
    /// Column of the bounded picture of each of the picture's columns, and the same of rows.
    columns: Vec<u32>,
    rows: Vec<u32>,
    luma: OnceCell<Vec<u8>>,
    outline: OnceCell<Option<Outline>>,
    grain: OnceCell<Option<Grain>>,
}

impl<'a> Scene<'a> {
    /// Makes a picture ready.
    pub fn new(
        picture: &'a Bitmap,
        file: &'a EncodedFile,
        reference: Option<&'a Bitmap>,
        limits: &'a Limits,
    ) -> Self {
        let clear = clear_share(picture);
        let lab = Lab::new();
        let work = Work::of(picture, clear >= LEAST_CLEAR, limits.backdrop());
        let found = find(&work, &lab);
        let eight = match picture.samples() {
            Samples::U8(samples) => Cow::Borrowed(samples.as_slice()),
            Samples::U16(samples) => Cow::Owned(samples.iter().map(|&sample| to_u8(sample)).collect()),
        };
        let steps = |side: u32, scale: f64, work: usize| {
            (0..side).map(|at| ((f64::from(at) / scale) as u32).min(work as u32 - 1)).collect()
        };
        Self {
            columns: steps(picture.width(), work.scale.0, work.width),
            rows: steps(picture.height(), work.scale.1, work.height),
            picture,
            file,
            reference,
            limits,
            work,
            clear,
            lab,
            found,
            eight,
            luma: OnceCell::new(),
            outline: OnceCell::new(),
            grain: OnceCell::new(),
        }
    }

    /// Width and height of the picture.
    pub fn size(&self) -> (u32, u32) {
        (self.picture.width(), self.picture.height())
    }

    /// Whether the picture is transparent beside its subject.
    pub fn is_transparent(&self) -> bool {
        self.work.alpha.is_some()
    }

    /// The picture's samples at 8 bits.
    pub fn eight(&self) -> &[u8] {
        &self.eight
    }

    /// Luma of every pixel of the picture at full size, from a table-free mix of the encoded samples.
    pub fn luma(&self) -> &[u8] {
        self.luma.get_or_init(|| luma(&self.eight, self.picture.channels().count()))
    }

    /// The subject's outline in profile; `None` without a subject or where it is too short.
    pub fn outline(&self) -> Option<&Outline> {
        self.outline.get_or_init(|| Outline::of(self)).as_ref()
    }

    /// The grain where the picture is smoothest; `None` where no smooth place is large enough.
    pub fn grain(&self) -> Option<&Grain> {
        self.grain.get_or_init(|| noise::grain(self)).as_ref()
    }

    /// The bounded picture's row of one of the picture's.
    pub fn work_row(&self, y: usize) -> usize {
        self.rows[y] as usize
    }

    /// The bounded picture's column of one of the picture's.
    pub fn work_column(&self, x: usize) -> usize {
        self.columns[x] as usize
    }

    /// Whether the whole picture stands for the subject: it could not be told from what is behind it. A picture that shows
    /// nothing but its backdrop has no inside.
    pub fn is_all_inside(&self) -> bool {
        self.found.subject.is_err() && self.found.presence.is_none()
    }

    /// Whether a pixel of the picture lies in the subject and at least so many of its own pixels from the outline;
    /// anywhere that is not clear where the whole picture stands for it.
    pub fn is_deep(&self, x: usize, y: usize, depth_px: f64) -> bool {
        match &self.found.subject {
            Ok(subject) => {
                let at = self.work_row(y) * self.work.width + self.work_column(x);
                f64::from(subject.distance[at]) * self.work.mean_scale() <= -depth_px
            }
            Err(_) if !self.is_all_inside() => false,
            Err(_) => {
                let count = self.picture.channels().count();
                count == 3 || self.eight[4 * (y * self.picture.width() as usize + x) + 3] >= CLEAR_BELOW
            }
        }
    }

    /// How sure a value is that was measured inside the subject.
    pub fn inside_confidence(&self) -> f64 {
        self.found.subject.as_ref().map_or(0.5, |subject| subject.confidence)
    }

    /// The subject's rectangle.
    pub fn subject_region(&self) -> Option<Region> {
        let subject = self.found.subject.as_ref().ok()?;
        Some(self.work.region(subject.bounds, self.size()))
    }

    /// `the subject`, or `the picture` where none was found.
    pub fn whole(&self) -> &'static str {
        if self.found.subject.is_ok() { "the subject" } else { "the picture" }
    }
}

fn clear_share(picture: &Bitmap) -> f64 {
    if picture.channels() == Channels::Rgb {
        return 0.0;
    }
    let alpha = picture.alpha();
    let clear = alpha.values().iter().filter(|&&alpha| alpha < CLEAR_BELOW).count();
    clear as f64 / alpha.values().len() as f64
}
