//! Clear parts before a coloured backdrop. A network takes a glass for solid; what shows through it is the backdrop's
//! own colour, paler: with a grey front (`Cf` grey), alpha follows from the hue alone, the second solution of "Blue
//! Screen Matting" (Smith, Blinn 1996). Before white and grey, hue says nothing and all stays as it is.

use crate::refine::SURE_OUT;
use crate::regions::{Connectivity, Regions};
use crate::source::Plane;
use crate::square::{dilated, eroded};
use crate::surface::{Observation, Surface};

/// About how many pixels of the backdrop a surface is fitted to.
const OBSERVATIONS: usize = 12_000;
/// The backdrop is known below this residual of the fit and above this share of inliers (colours of 0.0..=100.0).
const MOST_RESIDUAL: f32 = 3.0;
const LEAST_INLIERS: f32 = 0.7;
/// The least distance of the backdrop's colour from grey, in 8-bit levels.
const LEAST_CHROMA: f32 = 14.0;
/// How far a colour may be from the line of grey to the backdrop, in levels and in shares of the backdrop's chroma.
const OFF_LINE: f32 = 5.0;
const OFF_LINE_SHARE: f32 = 0.08;
/// No glass shows more of the backdrop's hue than there is, but for noise: what is of the same hue and stronger is a product.
const MOST_SEEN: f32 = 1.08;
/// How far beyond black and white the front may come out, in levels: noise.
const OFF_GREY: f32 = 25.0;
/// What hides less than this of the backdrop is clear: paler than hardly any product of the backdrop's own hue …
const CLEAR: f32 = 0.4;
/// … and what is joined to it is glass as well up to this.
const GLASS: f32 = 0.75;
/// The least area of a clear part, in shares of the product.
const LEAST_AREA: f32 = 0.05;
/// Half the thickness that a clear part has at least, in pixels.
const THICK: usize = 2;
/// How far around glass its rims and reflections belong to it, in shares of the longer side.
const RIM: f64 = 0.01;
/// How far clear parts are from the outline at most, in shares of the longer side.
const OUTLINE: f64 = 0.03;
/// Differences of lightness up to this many levels are noise.
const NOISE: f32 = 4.0;

/// What covers the backdrop at each pixel of a level, where clear parts were found; 255 elsewhere. `alpha` is the
/// network's at that level. `None` where nothing is surely clear.
pub(crate) fn clear_parts(plane: &Plane, alpha: &[u8]) -> Option<Vec<u8>> {
    let (width, height) = (plane.width, plane.height);
    let backdrop = fitted(plane, alpha)?;
    let mut cover = vec![u8::MAX; alpha.len()];
    let mut is_valid = vec![0u8; alpha.len()];
    for index in (0..alpha.len()).filter(|&index| alpha[index] > SURE_OUT) {
        let (x, y) = (index % width, index / width);
        let behind = backdrop.at([place(x, width), place(y, height)]).map(|value| value * 2.55);
        if let Some(share) = covered(mean_colour(plane, x, y, 2), behind) {
            let pixel = mean_colour(plane, x, y, 0);
            is_valid[index] = 1;
            cover[index] = (share.max(least_covered(grey(pixel), grey(behind))) * 255.0 + 0.5) as u8;
        }
    }
    let below = |limit: f32| -> Vec<u8> {
        cover.iter().map(|&cover| u8::from(f32::from(cover) < limit * 255.0)).collect()
    };
    let reach = |share: f64| (share * width.max(height) as f64).round() as usize;
    let background: Vec<u8> = alpha.iter().map(|&value| u8::from(value <= SURE_OUT)).collect();
    let is_outside_near = dilated(&background, width, height, reach(OUTLINE));
    let product = alpha.iter().filter(|&&value| value >= 128).count() as f32;
    let cores = dilated(&eroded(&below(CLEAR), width, height, THICK), width, height, THICK);
    // A label of the backdrop's colour lies inside; a clear part reaches the outline.
    let parts =
        kept(&cores, width, |area, seen| area as f32 >= LEAST_AREA * product && seen, &is_outside_near)?;
    let glass = kept(&below(GLASS), width, |_, seen| seen, &parts)?;
    let glass = dilated(&glass, width, height, reach(RIM));
    for ((cover, glass), is_valid) in cover.iter_mut().zip(glass).zip(is_valid) {
        if glass & is_valid == 0 {
            *cover = u8::MAX;
        }
    }
    Some(cover)
}

/// The pieces of a set that are wanted by their area and by whether they meet `other`; `None` without any.
fn kept(set: &[u8], width: usize, is_wanted: impl Fn(usize, bool) -> bool, other: &[u8]) -> Option<Vec<u8>> {
    let regions = Regions::of(set, width, Connectivity::Eight, |value| value == 1);
    let mut meets = vec![false; regions.list.len()];
    for (region, span) in regions.spans() {
        meets[region] |= other[span].contains(&1);
    }
    let mut out = vec![0u8; set.len()];
    let mut found = false;
    for (region, span) in regions.spans() {
        if is_wanted(regions.list[region].area, meets[region]) {
            out[span].fill(1);
            found = true;
        }
    }
    found.then_some(out)
}

/// The backdrop as a surface over the picture, fitted to what the network leaves; `None` where it is not plain.
fn fitted(plane: &Plane, alpha: &[u8]) -> Option<Surface> {
    let background = || (0..alpha.len()).filter(|&index| alpha[index] <= SURE_OUT / 4);
    let stride = (background().count() / OBSERVATIONS) | 1;
    let observations: Vec<Observation> = background()
        .step_by(stride)
        .map(|index| {
            let (x, y) = (index % plane.width, index / plane.width);
            Observation {
                place: [place(x, plane.width), place(y, plane.height)],
                lab: mean_colour(plane, x, y, 1).map(|value| value / 2.55),
            }
        })
        .collect();
    let (surface, fit) = Surface::fit(&observations);
    (fit.residual < MOST_RESIDUAL && fit.inliers > LEAST_INLIERS).then_some(surface)
}

/// How much of the backdrop something grey hides; `None` where no grey explains the colour.
fn covered(own: [f32; 3], behind: [f32; 3]) -> Option<f32> {
    let (own_grey, behind_grey) = (grey(own), grey(behind));
    let (own, behind) = (own.map(|value| value - own_grey), behind.map(|value| value - behind_grey));
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let squared = dot(behind, behind);
    if squared < LEAST_CHROMA * LEAST_CHROMA {
        return None;
    }
    let seen = dot(own, behind) / squared;
    let off = [0, 1, 2].map(|c| own[c] - seen * behind[c]);
    let limit = OFF_LINE + OFF_LINE_SHARE * squared.sqrt();
    let share = (1.0 - seen).clamp(0.0, 1.0);
    // What hides little may have any grey: it is not seen.
    let front = own_grey - (1.0 - share) * behind_grey;
    let is_grey = (-OFF_GREY..=255.0 * share + OFF_GREY).contains(&front);
    (dot(off, off) <= limit * limit && is_grey && seen < MOST_SEEN).then_some(share)
}

/// The least share that explains a lightness: fine rims and reflections, which files keep sharper than their hue.
fn least_covered(own: f32, behind: f32) -> f32 {
    let apart = own - behind;
    let beyond = (apart.abs() - NOISE).max(0.0);
    (beyond / if apart > 0.0 { 255.0 - behind } else { behind }.max(1.0)).min(1.0)
}

fn grey(colour: [f32; 3]) -> f32 {
    (colour[0] + colour[1] + colour[2]) / 3.0
}

/// Mean of the square of that radius around a pixel, as far as it lies in the picture.
fn mean_colour(plane: &Plane, x: usize, y: usize, radius: usize) -> [f32; 3] {
    let (mut sum, mut count) = ([0.0f32; 3], 0.0f32);
    let columns = x.saturating_sub(radius)..(x + radius + 1).min(plane.width);
    for row in y.saturating_sub(radius)..(y + radius + 1).min(plane.height) {
        let row = row * plane.width;
        for pixel in plane.rgb[3 * (row + columns.start)..3 * (row + columns.end)].as_chunks::<3>().0 {
            for (sum, &value) in sum.iter_mut().zip(pixel) {
                *sum += f32::from(value);
            }
            count += 1.0;
        }
    }
    sum.map(|sum| sum / count)
}

/// -1.0..=1.0 from the first to the last pixel.
fn place(at: usize, count: usize) -> f32 {
    2.0 * at as f32 / (count.max(2) - 1) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::{covered, least_covered};

    #[test]
    fn a_grey_veil_before_a_colour_is_told_by_its_share() {
        let blue = [40.0, 70.0, 130.0];
        let veiled = |share: f32, grey: f32| blue.map(|value| value * (1.0 - share) + grey * share);
        for (share, grey) in [(0.1, 200.0), (0.3, 20.0), (0.8, 240.0)] {
            assert!((covered(veiled(share, grey), blue).unwrap() - share).abs() < 0.01);
        }
        assert!((least_covered(180.0, 105.0) - 71.0 / 150.0).abs() < 0.01);
        assert_eq!(covered([180.0, 120.0, 40.0], blue), None, "a drink is no veil");
        assert_eq!(covered([200.0; 3], [202.0, 200.0, 198.0]), None, "hue says nothing before white");
    }
}
