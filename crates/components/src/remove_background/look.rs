//! What the network sees: of the whole picture, of a box, and once more of a subject that is small in it.

use neural::Network;
use pixels::{Bitmap, Filter, Mask, Rect, Samples};

use super::haze;
use super::marking::with_room;
use crate::{Context, Fault};

/// Coverage from which a pixel counts as subject.
const HALF: u8 = 128;
/// A subject whose box is longer than this share of what was looked at, both ways, is large enough.
const SMALL: f64 = 0.55;
/// Room around a small subject when it is looked at again.
const ROOM: f64 = 0.15;
/// A closer look that shows less than so many times as much is not worth its time.
const LEAST_GAIN: f64 = 1.25;
/// A subject of fewer pixels than this on its longer side has no more to show.
const LEAST_SIDE: u32 = 48;
/// Both looks must agree on this share (intersection over union), or the first stands.
const AGREEMENT: f64 = 0.5;

/// What a network saw.
pub(super) struct Sight {
    /// Coverage by the subject, of the picture's size.
    pub alpha: Mask,
    /// The same of the part that was looked at, at the network's size, without pieces that it was not sure of.
    pub sure: Sure,
    /// Longest side at which the whole picture would have been seen at this resolution.
    pub source_side: u32,
    /// Whether an area was left out that the network was not sure of.
    pub left_out: bool,
    /// Whether a small subject was looked at a second time.
    pub twice: bool,
    /// How sure it was, 0 to 1; see [`sureness`].
    pub sureness: f32,
}

/// What a network was sure of, in a part of the picture.
pub(super) struct Sure {
    part: Rect,
    seen: Mask,
}

impl Sure {
    /// Clears pieces of an alpha of the picture's size that the network was not sure of.
    pub fn tidy(&self, alpha: &mut Mask) -> Result<(), Fault> {
        if (self.part.width, self.part.height) == (alpha.width(), alpha.height()) {
            matting::keep_pieces_of(alpha, &self.seen);
            return Ok(());
        }
        let mut inside = pixels::crop_mask(alpha, self.part)?;
        matting::keep_pieces_of(&mut inside, &self.seen);
        let (x, y) = (self.part.x.into(), self.part.y.into());
        *alpha = pixels::place_mask(alpha.width(), alpha.height(), &inside, x, y)?;
        Ok(())
    }
}

/// One look at a part of the picture, at the network's own size.
struct Glance {
    part: Rect,
    size: (u32, u32),
    plane: Vec<f32>,
    seen: Mask,
    left_out: bool,
    /// Share of what was seen, by its coverage, that went with haze and scraps.
    gone: f32,
}

/// Looks at the picture, or at a part of it; what is outside of the part is clear.
pub(super) fn look(
    bitmap: &Bitmap,
    network: &Network,
    part: Option<Rect>,
    context: &Context<'_>,
) -> Result<Sight, Fault> {
    let whole = Rect { x: 0, y: 0, width: bitmap.width(), height: bitmap.height() };
    let mut glance = Glance::of(bitmap, network, part.unwrap_or(whole))?;
    let (mut twice, gone) = (false, glance.gone);
    // What is left of something that the network was not sure of is not worth another look.
    if let Some(closer) = glance.closer(bitmap).filter(|_| gone < 0.5) {
        context.check_cancelled()?;
        let second = Glance::of(bitmap, network, closer)?;
        if second.agrees_with(&glance)? {
            twice = true;
            glance = Glance { left_out: second.left_out || glance.left_out, ..second };
        }
    }
    let sureness = sureness(&glance.seen) * (1.0 - gone * gone);
    let (left_out, part, size) = (glance.left_out, glance.part, glance.size);
    let longest = f64::from(size.0.max(size.1));
    let magnified =
        longest * f64::from(whole.width.max(whole.height)) / f64::from(part.width.max(part.height));
    // A cubic filter keeps an enlarged edge crisp; on one that is made smaller it rings.
    let filter =
        if part.width.max(part.height) > size.0.max(size.1) { Filter::CatmullRom } else { Filter::Bilinear };
    let plane = pixels::resize_plane(&glance.plane, size, (part.width, part.height), filter)?;
    let mask = Mask::new(part.width, part.height, to_mask(&plane))?;
    let alpha = if part == whole {
        mask
    } else {
        pixels::place_mask(whole.width, whole.height, &mask, part.x.into(), part.y.into())?
    };
    let sure = Sure { part, seen: glance.seen };
    Ok(Sight { alpha, sure, source_side: magnified.round() as u32, left_out, twice, sureness })
}

fn to_mask(plane: &[f32]) -> Vec<u8> {
    plane.iter().map(|&value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect()
}

impl Glance {
    fn of(bitmap: &Bitmap, network: &Network, part: Rect) -> Result<Self, Fault> {
        let spec = network.spec();
        let size = (spec.width as u32, spec.height as u32);
        let is_whole = (part.width, part.height) == (bitmap.width(), bitmap.height());
        let small = if is_whole {
            pixels::resize(bitmap, size.0, size.1, Filter::Bilinear)?
        } else {
            pixels::resize(&pixels::crop(bitmap, part)?, size.0, size.1, Filter::Bilinear)?
        };
        let small = small.into_u8();
        let Samples::U8(rgb) = small.samples() else {
            return Err(Fault::ours("processing_failed", "the network's input is not 8 bit"));
        };
        let mut plane = network.run(&spec.tensor(rgb)?)?.data().to_vec();
        // At the network's own size: what it is not sure of is as wide there, and far cheaper to look for.
        let mut seen = Mask::new(size.0, size.1, to_mask(&plane))?;
        let weight = |seen: &Mask| seen.values().iter().map(|&value| u64::from(value)).sum::<u64>();
        let before = weight(&seen);
        let hazy = haze::clear(&mut seen);
        if hazy {
            for (value, &seen) in plane.iter_mut().zip(seen.values()) {
                if seen == 0 {
                    *value = 0.0;
                }
            }
        }
        matting::drop_scraps(&mut seen);
        let gone = 1.0 - weight(&seen) as f32 / before.max(1) as f32;
        let left_out = hazy || gone > 0.002;
        Ok(Self { part, size, plane, seen, left_out, gone })
    }

    /// The part of the picture that is worth a closer look: a subject that is small in what was seen.
    fn closer(&self, bitmap: &Bitmap) -> Option<Rect> {
        let found = self.seen.bounds(HALF)?;
        let share = |length: u32, of: u32| f64::from(length) / f64::from(of);
        if share(found.width, self.size.0).max(share(found.height, self.size.1)) > SMALL {
            return None;
        }
        let x = |at: u32| (f64::from(at) * share(self.part.width, self.size.0)).round() as u32;
        let y = |at: u32| (f64::from(at) * share(self.part.height, self.size.1)).round() as u32;
        let inner = Rect {
            x: self.part.x + x(found.x),
            y: self.part.y + y(found.y),
            width: x(found.width).max(1),
            height: y(found.height).max(1),
        };
        let part = with_room(inner, (bitmap.width(), bitmap.height()), ROOM);
        let gain = share(self.part.width, part.width).min(share(self.part.height, part.height));
        (inner.width.max(inner.height) >= LEAST_SIDE && gain >= LEAST_GAIN).then_some(part)
    }

    /// Whether this closer look at a part saw the same thing there as the first.
    fn agrees_with(&self, first: &Self) -> Result<bool, Fault> {
        let scale =
            |length: u32, of: u32, to: u32| (u64::from(length) * u64::from(to) / u64::from(of)) as u32;
        let (fx, fy) = (first.part, first.size);
        let left = scale(self.part.x.saturating_sub(fx.x), fx.width, fy.0);
        let top = scale(self.part.y.saturating_sub(fx.y), fx.height, fy.1);
        let width = scale(self.part.width, fx.width, fy.0).clamp(1, fy.0 - left.min(fy.0 - 1));
        let height = scale(self.part.height, fx.height, fy.1).clamp(1, fy.1 - top.min(fy.1 - 1));
        let there = Rect { x: left.min(fy.0 - 1), y: top.min(fy.1 - 1), width, height };
        let before = pixels::crop_mask(&first.seen, there)?;
        let now = pixels::resize_mask(&self.seen, width, height, Filter::Bilinear)?;
        Ok(matting::metrics::iou(&now, &before)? >= AGREEMENT)
    }
}

/// How much of what a network took it was sure of, 0 to 1: what is neither in nor out counts where no edge explains it.
pub(super) fn sureness(seen: &Mask) -> f32 {
    const REACH: usize = 6;
    let (width, height) = (seen.width() as usize, seen.height() as usize);
    let is_in: Vec<bool> = seen.values().iter().map(|&value| value >= 232).collect();
    let is_out: Vec<bool> = seen.values().iter().map(|&value| value < 24).collect();
    let covered = width * height - is_out.iter().filter(|out| **out).count();
    if covered == 0 {
        return 0.0;
    }
    let (near_in, near_out) = (haze::dilated(&is_in, width, REACH), haze::dilated(&is_out, width, REACH));
    let doubtful =
        (0..width * height).filter(|&at| !(is_in[at] || is_out[at] || near_in[at] && near_out[at])).count();
    1.0 - (1.5 * doubtful as f32 / covered as f32).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(of: impl Fn(usize, usize) -> u8) -> Mask {
        Mask::new(100, 100, (0..10_000).map(|at| of(at % 100, at / 100)).collect()).expect("100 by 100")
    }

    #[test]
    fn soft_edges_are_no_doubt_and_half_of_a_thing_is() {
        let edge = |x: usize| ((55.0 - x as f32) * 51.0).clamp(0.0, 255.0) as u8;
        assert_eq!(sureness(&seen(|x, _| edge(x))), 1.0);
        let half = sureness(&seen(|x, y| if y < 50 && x < 50 { 120 } else { edge(x) }));
        assert!((0.2..0.5).contains(&half), "{half}");
        assert_eq!(sureness(&seen(|_, _| 0)), 0.0);
        assert_eq!(sureness(&seen(|x, y| if x > 20 && y > 20 { 90 } else { 0 })), 0.0);
    }
}
