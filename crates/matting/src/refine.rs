//! Brings the edge of a network's alpha to full resolution, coarse to fine.
//!
//! A network sees about a thousand pixels a side, so on a large photo its contour is off by several pixels.
//! Each level of a pyramid moves it by at most the band's reach in its own pixels, so that F and B are always
//! taken close to the edge.

use pixels::{Bitmap, Mask, Samples};

use crate::band::{self, Start};
use crate::crisp::{Inside, steepen};
use crate::error::{MattingError, check_size};
use crate::glass;
use crate::source::{Interleaved, Plane, double, halve};

/// From here on an alpha is surely product, up to `SURE_OUT` surely background.
pub(crate) const SURE_IN: u8 = 243;
pub(crate) const SURE_OUT: u8 = 12;

/// At its own size a network's alpha is seldom wrong on the contour: it knows rims that mirror the backdrop and
/// contact shadows, which colour alone takes for a mixture …
const NETWORK: Start = Start { doubt: 0.1, has_shades: true };
/// … enlarged, it is soft and roughly right.
const ENLARGED: Start = Start { doubt: 0.25, has_shades: true };
/// An alpha found by colour is an outline without shades …
const OUTLINE: Start = Start { doubt: 0.5, has_shades: false };
/// … that smaller levels correct only where the equation leaves no doubt.
const SOFT_OUTLINE: Start = Start { doubt: 0.15, has_shades: false };

/// How much steeper a crisp edge is than a network draws it, which answers with the blur of its own doubt: on a level below
/// the picture …
const GAIN: f32 = 1.5;
/// … and in a picture that is no larger than what it saw. Where the contour is a little off, a steeper edge costs more than it
/// gains elsewhere.
const GAIN_SEEN: f32 = 1.2;

/// An alpha found by colour is solved on levels of no less than about this many pixels a side.
const SOFT_SIDE: usize = 200;

/// How a network's alpha is refined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefineOptions {
    /// Longest side, in pixels, at which the alpha was computed before it was enlarged to the picture.
    pub source_side: u32,
    /// Values up to this become 0, with a ramp above: the haze networks leave on a backdrop. 0 keeps it.
    pub haze: u8,
    /// Far from all background, values from this on become 255, with a ramp below: the product is whole inside.
    /// 255 keeps them as they are.
    pub solid: u8,
}

impl Default for RefineOptions {
    fn default() -> Self {
        Self { source_side: 1024, haze: 28, solid: 235 }
    }
}

/// Solves the compositing equation around the 0.5 contour of `alpha` at full resolution.
///
/// `alpha` is a network's, already enlarged to the picture. Where contrast is low, where the equation does
/// not hold, and in semi-transparent parts wider than the band, it stays as it was. A hole or an island
/// never appears. An alpha channel of the bitmap is not read. Refuses a mask of another size.
pub fn refine_band(bitmap: &Bitmap, alpha: &Mask, options: &RefineOptions) -> Result<Mask, MattingError> {
    check_size(bitmap, alpha)?;
    let levels = levels_for(bitmap.width(), bitmap.height(), options.source_side);
    let mut refined = alpha.clone();
    settle(&mut refined, &inside(alpha, levels), options);
    refine_from(bitmap, levels, &mut refined);
    open_clear_parts(bitmap, alpha, options.source_side, &mut refined);
    Ok(refined)
}

/// Makes clear in `refined` what the picture shows to be glass, whoever took it for solid.
pub(crate) fn open_clear_parts(bitmap: &Bitmap, network: &Mask, source_side: u32, refined: &mut Mask) {
    let levels = levels_for(bitmap.width(), bitmap.height(), source_side);
    let clear = clear_parts(bitmap, network, levels);
    for (value, clear) in refined.values_mut().iter_mut().zip(clear.iter().flatten()) {
        *value = (*value).min(*clear);
    }
}

/// What of the picture clear parts cover, found on the level whose pixels are the network's.
fn clear_parts(bitmap: &Bitmap, alpha: &Mask, levels: usize) -> Option<Vec<u8>> {
    let mut sizes = vec![(alpha.width() as usize, alpha.height() as usize)];
    let mut plane = if levels == 0 { Plane::copy(bitmap) } else { Plane::half_of(bitmap) };
    let mut halved = alpha.values().to_vec();
    for level in 0..levels {
        let (width, height) = sizes[level];
        halved = halve(&halved, width, height);
        sizes.push((width.div_ceil(2), height.div_ceil(2)));
        if level > 0 {
            plane = plane.half();
        }
    }
    let mut cover = glass::clear_parts(&plane, &halved)?;
    for &(width, height) in sizes[..levels].iter().rev() {
        cover = double(&cover, width, height).map(|value| value as u8).collect();
    }
    Some(cover)
}

/// The inside of a network's alpha, by the level whose pixels are the network's.
pub(crate) fn network_inside(alpha: &Mask, source_side: u32) -> Inside {
    inside(alpha, levels_for(alpha.width(), alpha.height(), source_side))
}

fn inside(alpha: &Mask, levels: usize) -> Inside {
    let (mut width, mut height) = (alpha.width() as usize, alpha.height() as usize);
    let mut halved: Option<Vec<u8>> = None;
    for _ in 0..levels {
        halved = Some(halve(halved.as_deref().unwrap_or(alpha.values()), width, height));
        (width, height) = (width.div_ceil(2), height.div_ceil(2));
    }
    Inside::of(halved.as_deref().unwrap_or(alpha.values()), width, levels)
}

/// Halvings until the longest side is about `source_side`: the level whose pixels are the network's.
fn levels_for(width: u32, height: u32, source_side: u32) -> usize {
    let scale = f64::from(width.max(height)) / f64::from(source_side.max(16));
    scale.log2().round().max(0.0) as usize
}

/// Cuts the ends off without a step: the value right beyond an end starts from it.
fn settle(alpha: &mut Mask, inside: &Inside, options: &RefineOptions) {
    let (low, from_top) = (i32::from(options.haze), 255 - i32::from(options.solid));
    let end = |value: i32, reach: i32| if value < 2 * reach { (2 * (value - reach)).max(0) } else { value };
    let lowered: Vec<u8> =
        (0..=255).map(|value| (if value < 128 { end(value, low) } else { value }) as u8).collect();
    let raised: Vec<u8> = (0..=255)
        .map(|value| (if value < 128 { end(value, low) } else { 255 - end(255 - value, from_top) }) as u8)
        .collect();
    let width = alpha.width() as usize;
    for (y, row) in alpha.values_mut().chunks_exact_mut(width).enumerate() {
        for (x, value) in row.iter_mut().enumerate() {
            // Most are 0 or 255, and need no look at where they are.
            if !matches!(*value, 0 | u8::MAX) {
                let table = if inside.holds(x, y) { &raised } else { &lowered };
                *value = table[usize::from(*value)];
            }
        }
    }
}

/// Refines `alpha` in place from the `levels`-th halving up to full size.
fn refine_from(bitmap: &Bitmap, levels: usize, alpha: &mut Mask) {
    let (width, height) = (alpha.width() as usize, alpha.height() as usize);
    if levels > 0 {
        let plane = Plane::half_of(bitmap);
        let start = halve(alpha.values(), width, height);
        let refined = refine_plane(&plane, start.clone(), levels - 1, ENLARGED);
        transfer(alpha.values_mut(), &start, &refined, width, height);
        solve_full(bitmap, alpha.values_mut(), ENLARGED);
    } else {
        steepen(alpha.values_mut(), width, GAIN_SEEN);
        solve_full(bitmap, alpha.values_mut(), NETWORK);
    }
}

/// Refines one reduced level, after the `levels` below it.
fn refine_plane(plane: &Plane, mut alpha: Vec<u8>, levels: usize, kind: Start) -> Vec<u8> {
    if levels > 0 {
        let start = halve(&alpha, plane.width, plane.height);
        let refined = refine_plane(&plane.half(), start.clone(), levels - 1, kind);
        transfer(&mut alpha, &start, &refined, plane.width, plane.height);
        band::solve(&plane.colours(), plane.width, &mut alpha, kind);
    } else if kind.has_shades {
        steepen(&mut alpha, plane.width, GAIN);
        band::solve(&plane.colours(), plane.width, &mut alpha, NETWORK);
    } else {
        band::solve(&plane.colours(), plane.width, &mut alpha, kind);
    }
    alpha
}

/// Adds what changed on the level below, so that all it left alone keeps its own detail.
fn transfer(alpha: &mut [u8], start: &[u8], refined: &[u8], width: usize, height: usize) {
    let change: Vec<i16> = refined.iter().zip(start).map(|(&r, &s)| i16::from(r) - i16::from(s)).collect();
    for (value, change) in alpha.iter_mut().zip(double(&change, width, height)) {
        *value = (i32::from(*value) + change).clamp(0, 255) as u8;
    }
}

/// Solves an alpha found on `plane`, then brings it up to the picture's size over `planes` (halvings of the
/// bitmap, largest first), solving the band of every level on the way.
pub(crate) fn enlarge(bitmap: &Bitmap, plane: &Plane, planes: &[Plane], alpha: Vec<u8>) -> Vec<u8> {
    // Edges out of focus are wider than the band; on smaller levels they are not.
    let levels = (plane.width.max(plane.height) / SOFT_SIDE).checked_ilog2().unwrap_or(0) as usize;
    let mut alpha = alpha;
    if levels > 0 {
        let start = halve(&alpha, plane.width, plane.height);
        let refined = refine_plane(&plane.half(), start.clone(), levels - 1, SOFT_OUTLINE);
        transfer(&mut alpha, &start, &refined, plane.width, plane.height);
    }
    band::solve(&plane.colours(), plane.width, &mut alpha, OUTLINE);
    for plane in planes.iter().rev() {
        if alpha.len() != plane.width * plane.height {
            alpha = double(&alpha, plane.width, plane.height).map(|v| v as u8).collect();
            band::solve(&plane.colours(), plane.width, &mut alpha, OUTLINE);
        }
    }
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    if alpha.len() != width * height {
        alpha = double(&alpha, width, height).map(|v| v as u8).collect();
    }
    solve_full(bitmap, &mut alpha, OUTLINE);
    alpha
}

fn solve_full(bitmap: &Bitmap, alpha: &mut [u8], kind: Start) {
    let width = bitmap.width() as usize;
    let step = bitmap.channels().count();
    match bitmap.samples() {
        Samples::U8(samples) => band::solve(&Interleaved { samples, step }, width, alpha, kind),
        Samples::U16(samples) => band::solve(&Interleaved { samples, step }, width, alpha, kind),
    }
}
