//! Fills a hole in a picture with what surrounds it, so that nobody sees there was one: small holes from one place
//! nearby, larger ones patch by patch.

use pixels::{Bitmap, Mask, Rect, SamplesMut};

mod canvas;
mod complete;
mod compose;
mod field;
mod heal;
mod level;
mod peel;
mod poisson;
mod regions;

use canvas::{Canvas, Sample};
use compose::{NONE, compose};
use level::Level;
use regions::Region;

/// Pixels that the surroundings of a hole may have before they are looked at in half the size.
const AREA: usize = 4 << 20;
/// Pixels that a hole may have before it is looked at in half the size.
const HOLE: usize = 400_000;

/// What may be filled and copied of a picture with transparent parts; an opaque picture is the same either way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    /// Everything: the outline is filled too, so that what sticks out of the subject can be taken away.
    Picture,
    /// The subject alone: its outline stays, and nothing is copied from outside of it.
    Subject,
}

/// How a hole was filled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filling {
    /// Parts of the hole that were apart.
    pub parts: u32,
    /// Pixels that were filled.
    pub pixels: u64,
    /// Pixels that were interpolated, because nothing around them was large enough to copy.
    pub interpolated: u64,
}

/// Why a hole could not be filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InpaintError {
    /// The mask has another size than the picture.
    Size,
    /// The hole leaves nothing to fill it with.
    NothingLeft,
    /// Somebody asked to stop.
    Stopped,
}

impl std::fmt::Display for InpaintError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Size => "the mask has another size than the picture",
            Self::NothingLeft => "the hole leaves nothing of the picture to fill it with",
            Self::Stopped => "the work was stopped before it was finished",
        })
    }
}

impl std::error::Error for InpaintError {}

/// Fills the pixels where `mask` is above 0; a value below 255 mixes what was there with what is new. Nothing else
/// changes, and nothing is copied from where the mask is above 0. Alpha 0 means RGB 0 afterwards.
///
/// Patches are matched by PatchMatch (Barnes et al. 2009) from coarse to fine (Wexler et al. 2007, Newson et al. 2014)
/// and joined by gradients (Pérez et al. 2003), on sRGB-encoded values. The time is linear in the area of the hole; a
/// part of more than 0.4 megapixels is matched at half its size or less. The same bytes come out on every run.
pub fn inpaint(
    bitmap: &mut Bitmap,
    mask: &Mask,
    within: Within,
    stop: &dyn Fn() -> bool,
) -> Result<Filling, InpaintError> {
    if (bitmap.width(), bitmap.height()) != (mask.width(), mask.height()) {
        return Err(InpaintError::Size);
    }
    let channels = bitmap.channels();
    match bitmap.samples_mut() {
        SamplesMut::U8(samples) => fill(Canvas::new(samples, channels, mask, within), mask, stop),
        SamplesMut::U16(samples) => fill(Canvas::new(samples, channels, mask, within), mask, stop),
    }
}

fn fill<S: Sample>(
    mut canvas: Canvas<'_, S>,
    mask: &Mask,
    stop: &dyn Fn() -> bool,
) -> Result<Filling, InpaintError> {
    let regions = regions::regions(&canvas);
    let mut filling = Filling::default();
    if regions.is_empty() {
        return Ok(filling);
    }
    if !canvas.has_source() {
        return Err(InpaintError::NothingLeft);
    }
    for region in regions {
        if stop() {
            return Err(InpaintError::Stopped);
        }
        let from = match heal::shift(&canvas, &region) {
            Some(by) => {
                let moved = |at: &u32| canvas.moved(*at as usize, by).map_or(NONE, |at| at as u32);
                region.pixels.iter().map(moved).collect()
            }
            None => sources(&canvas, &region, stop),
        };
        if stop() {
            return Err(InpaintError::Stopped);
        }
        compose(&mut canvas, &region, &from, |at| f32::from(mask.values()[at]) / 255.0, stop)?;
        filling.parts += 1;
        filling.pixels += from.len() as u64;
        filling.interpolated += from.iter().filter(|&&from| from == NONE).count() as u64;
    }
    Ok(filling)
}

/// Which pixel each pixel of a region is copied from, patch by patch; [`NONE`] where there is nothing to copy.
fn sources<S: Sample>(canvas: &Canvas<'_, S>, region: &Region, stop: &dyn Fn() -> bool) -> Vec<u32> {
    // A wide hole needs wide surroundings, a long one does not.
    let Rect { width, height, .. } = region.bounds;
    let thickness = (region.pixels.len() / width.max(height) as usize).max(1);
    let mut room = (thickness * 5 / 4).max(72);
    loop {
        let view = canvas.grown(region.bounds, room);
        let whole = (view.width as usize, view.height as usize) == (canvas.width, canvas.height);
        let mut scale = 1;
        let area = view.width as usize * view.height as usize;
        while area / (scale * scale) > AREA || region.pixels.len() / (scale * scale) > HOLE {
            scale *= 2;
        }
        let level = Level::of(canvas, view, scale);
        let columns = level.width;
        let rooms = level.is_source.iter().filter(|is| **is).count();
        if rooms < 2 * level.targets.len().min(2000) && !whole {
            room *= 2;
            continue;
        }
        let Some(found) = complete::complete(level, stop) else { return vec![NONE; region.pixels.len()] };
        let (left, top) = (view.x as usize, view.y as usize);
        return region
            .pixels
            .iter()
            .map(|&at| {
                let (x, y) = (at as usize % canvas.width - left, at as usize / canvas.width - top);
                let coarse = y / scale * columns + x / scale;
                let from = found.of(coarse).map(|from| {
                    let (x, y) = (from % columns * scale + x % scale, from / columns * scale + y % scale);
                    (x, y)
                });
                from.filter(|(x, y)| *x < view.width as usize && *y < view.height as usize)
                    .map_or(NONE, |(x, y)| ((top + y) * canvas.width + left + x) as u32)
            })
            .collect();
    }
}

#[cfg(test)]
mod tests;
