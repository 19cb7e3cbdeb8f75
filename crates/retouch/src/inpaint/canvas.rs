//! The picture that is repaired: pixels as four floats, whatever their depth, and what may be read or written where.

use pixels::{Channels, Mask, Rect};

use super::Within;

/// A sample of either depth.
pub(crate) trait Sample: Copy + PartialEq + Default {
    /// Its share of the full value, 0 to 1.
    fn share(self) -> f32;
    /// The sample nearest to a share; what is out of range becomes the nearest that is allowed.
    fn of_share(share: f32) -> Self;
}

impl Sample for u8 {
    fn share(self) -> f32 {
        f32::from(self) * (1.0 / 255.0)
    }

    fn of_share(share: f32) -> Self {
        (share * 255.0 + 0.5) as u8
    }
}

impl Sample for u16 {
    fn share(self) -> f32 {
        f32::from(self) * (1.0 / 65_535.0)
    }

    fn of_share(share: f32) -> Self {
        (share * 65_535.0 + 0.5) as u16
    }
}

/// What is known of a pixel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum State {
    /// It is as it should be, and may be copied.
    Source,
    /// It has to be filled.
    Hole,
    /// It is neither filled nor copied.
    Avoid,
}

/// A picture with a hole. Pixels are read as `[r, g, b, a]`, sRGB-encoded shares from 0 to 1; the colours of a
/// cut-out are premultiplied where its alpha is filled too, and straight, with an alpha of 1, where it is not.
pub(crate) struct Canvas<'a, S> {
    samples: &'a mut [S],
    pub(crate) width: usize,
    pub(crate) height: usize,
    channels: Channels,
    premultiplied: bool,
    state: Vec<State>,
}

impl<'a, S: Sample> Canvas<'a, S> {
    /// Looks at samples whose hole is where `mask` is above 0.
    pub(crate) fn new(samples: &'a mut [S], channels: Channels, mask: &Mask, within: Within) -> Self {
        let state_of = |value: u8| if value > 0 { State::Hole } else { State::Source };
        let mut state: Vec<State> = mask.values().iter().map(|&value| state_of(value)).collect();
        if channels == Channels::Rgba && within == Within::Subject {
            for (state, pixel) in state.iter_mut().zip(samples.as_chunks::<4>().0) {
                let alpha = pixel[3].share();
                let is_clear = pixel[3] == S::default();
                // What hardly shows has hardly a colour of its own.
                if is_clear || (alpha < 0.5 && *state == State::Source) {
                    *state = State::Avoid;
                }
            }
        }
        Self {
            samples,
            width: mask.width() as usize,
            height: mask.height() as usize,
            channels,
            premultiplied: within == Within::Picture,
            state,
        }
    }

    /// Whether there is anything to copy.
    pub(crate) fn has_source(&self) -> bool {
        self.state.contains(&State::Source)
    }

    /// What is known of a pixel.
    pub(crate) fn state(&self, index: usize) -> State {
        self.state[index]
    }

    /// The states of one row.
    pub(crate) fn states(&self, y: usize) -> &[State] {
        &self.state[y * self.width..][..self.width]
    }

    /// The pixel that is so far from another, when it lies inside the picture.
    pub(crate) fn moved(&self, index: usize, by: (i32, i32)) -> Option<usize> {
        let (x, y) = ((index % self.width) as i32 + by.0, (index / self.width) as i32 + by.1);
        let inside = x >= 0 && y >= 0 && (x as usize) < self.width && (y as usize) < self.height;
        inside.then(|| y as usize * self.width + x as usize)
    }

    /// The four shares of a pixel.
    #[inline]
    pub(crate) fn at(&self, index: usize) -> [f32; 4] {
        match self.channels {
            Channels::Rgb => {
                let pixel = &self.samples[index * 3..][..3];
                [pixel[0].share(), pixel[1].share(), pixel[2].share(), 1.0]
            }
            Channels::Rgba => {
                let pixel = &self.samples[index * 4..][..4];
                let [r, g, b, a] = [0, 1, 2, 3].map(|c| pixel[c].share());
                if self.premultiplied { [r * a, g * a, b * a, a] } else { [r, g, b, 1.0] }
            }
        }
    }

    /// Fills a pixel of the hole: `weight` (0 to 1) of the new pixel over what was there. It may be copied from then on.
    pub(crate) fn fill(&mut self, index: usize, new: [f32; 4], weight: f32) {
        let old = self.at(index);
        let mix: [f32; 4] = std::array::from_fn(|c| old[c] + (new[c].clamp(0.0, 1.0) - old[c]) * weight);
        self.state[index] = State::Source;
        match self.channels {
            Channels::Rgb => {
                for (sample, value) in self.samples[index * 3..][..3].iter_mut().zip(mix) {
                    *sample = S::of_share(value);
                }
            }
            Channels::Rgba => {
                let pixel = &mut self.samples[index * 4..][..4];
                let mut share = 1.0;
                if self.premultiplied {
                    pixel[3] = S::of_share(mix[3]);
                    share = mix[3];
                }
                let is_clear = pixel[3] == S::default();
                for (sample, value) in pixel.iter_mut().zip(mix).take(3) {
                    *sample = if is_clear { S::default() } else { S::of_share((value / share).min(1.0)) };
                }
            }
        }
    }

    /// A rectangle, grown by so many pixels on every side, as far as the picture goes.
    pub(crate) fn grown(&self, rect: Rect, by: usize) -> Rect {
        let axis = |start: u32, length: u32, whole: usize| {
            let first = (start as usize).saturating_sub(by);
            let last = (start as usize + length as usize + by).min(whole);
            (first as u32, (last - first) as u32)
        };
        let (x, width) = axis(rect.x, rect.width, self.width);
        let (y, height) = axis(rect.y, rect.height, self.height);
        Rect { x, y, width, height }
    }
}
