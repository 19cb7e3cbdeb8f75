//! The matte of a product on a plain backdrop, from colour alone.
//!
//! A smooth colour surface is fitted to the picture's border; what lies on it and is connected to the border
//! is backdrop. The edge is then solved at full resolution.

use pixels::{Bitmap, Mask};

use crate::refine::enlarge;
use crate::regions::{Connectivity, Regions};
use crate::source::Plane;
use crate::square::{dilated, eroded};
use crate::surface::{Observation, Surface, distance};
use pixels::Lab;

/// The backdrop is told from the product at no more than this many pixels on the longest side.
const WORK_SIDE: usize = 2048;
/// About how many observations a surface is fitted to.
const OBSERVATIONS: usize = 12_000;
/// The smallest ΔE that separates product from backdrop, however clean the backdrop is.
const LEAST_DIFFERENCE: f32 = 2.5;

/// What a pixel of the working level is.
const PRODUCT: u8 = 0;
const LIKE_BACKDROP: u8 = 1;
const BACKDROP: u8 = 2;

/// A matte found without a network, and how plain the backdrop was.
#[derive(Clone, Debug, PartialEq)]
pub struct Studio {
    /// Coverage by the product, at the picture's size.
    pub alpha: Mask,
    /// Root mean square distance (CIE76 ΔE) of the backdrop's border from a smooth colour surface, by means
    /// of three by three pixels.
    pub residual: f32,
    /// Share of the border that lies on that surface, 0.0..=1.0.
    pub inliers: f32,
}

/// Cuts a product out of a plain backdrop.
///
/// Backdrop is what resembles the fitted surface and is connected to the border through pixels that do;
/// an enclosed opening counts only if it matches the surface closely. An alpha channel is not read.
/// Meaningless, with a large residual or few inliers, where the backdrop is not plain.
pub fn studio_matte(bitmap: &Bitmap) -> Studio {
    Measured::of(bitmap).matte()
}

/// A picture whose border has been looked at, before the work of a matte.
pub(crate) struct Measured<'a> {
    bitmap: &'a Bitmap,
    /// Halvings of the bitmap, largest first, down to the working level; a copy where it is small.
    planes: Vec<Plane>,
    lab: Lab,
    border: Backdrop,
    /// As in [`Studio`].
    pub residual: f32,
    /// As in [`Studio`].
    pub inliers: f32,
}

impl<'a> Measured<'a> {
    /// Fits a surface to the picture's border.
    pub fn of(bitmap: &'a Bitmap) -> Self {
        let is_small = (bitmap.width().max(bitmap.height()) as usize) <= WORK_SIDE;
        let mut planes = vec![if is_small { Plane::copy(bitmap) } else { Plane::half_of(bitmap) }];
        while let Some(last) = planes.last().filter(|p| p.width.max(p.height) > WORK_SIDE) {
            let half = last.half();
            planes.push(half);
        }
        let work = &planes[planes.len() - 1];
        let lab = Lab::new();
        let border = Backdrop::fit(work, &lab, on_border, 0);
        // Plainness is judged without the sensor's noise, which says nothing of the backdrop.
        let judged = Backdrop::fit(work, &lab, on_border, 1);
        let (residual, inliers) = (judged.residual, judged.inliers);
        Self { bitmap, planes, lab, border, residual, inliers }
    }

    /// Tells product from backdrop and solves the edge at full resolution.
    pub fn matte(self) -> Studio {
        let Self { bitmap, planes, lab, border, residual, inliers } = self;
        let work = &planes[planes.len() - 1];
        let threshold = LEAST_DIFFERENCE.max(3.0 * border.residual.min(10.0));

        // The border says little of the middle: fit again to all the backdrop found through it.
        let rough = connected_backdrop(&border.difference(work, &lab), work.width, 1.5 * threshold);
        let whole = if rough.contains(&BACKDROP) {
            Backdrop::fit(work, &lab, |_, x, y| rough[y * work.width + x] == BACKDROP, 0)
        } else {
            border
        };

        let difference = whole.difference(work, &lab);
        let mut kinds = connected_backdrop(&difference, work.width, threshold);
        open_holes(&mut kinds, work, &lab, &whole);
        drop_ringing(&mut kinds, &difference, work.width, threshold);
        drop_specks(&mut kinds, &difference, work.width, threshold);
        let outline = kinds.iter().map(|&kind| if kind == BACKDROP { 0 } else { u8::MAX }).collect();
        let values = enlarge(bitmap, work, &planes, outline);
        let alpha = Mask::new(bitmap.width(), bitmap.height(), values).expect("one value for each pixel");
        Studio { alpha, residual, inliers }
    }
}

/// A fitted backdrop.
struct Backdrop {
    surface: Surface,
    /// Root mean square ΔE of the inliers, noise included.
    residual: f32,
    inliers: f32,
}

/// Whether a pixel lies in the outermost 64th of the picture.
fn on_border(plane: &Plane, x: usize, y: usize) -> bool {
    let ring = (plane.width.min(plane.height) / 64).max(2);
    x < ring || y < ring || x + ring >= plane.width || y + ring >= plane.height
}

impl Backdrop {
    /// Fits a surface to an even share of the chosen pixels, each the mean of a square of that radius.
    fn fit(plane: &Plane, lab: &Lab, chosen: impl Fn(&Plane, usize, usize) -> bool, radius: usize) -> Self {
        let places = || {
            (0..plane.height)
                .flat_map(|y| (0..plane.width).map(move |x| (x, y)))
                .filter(|&(x, y)| chosen(plane, x, y))
        };
        // An odd stride does not fall in step with rows, so that all columns take part.
        let stride = (places().count() / OBSERVATIONS) | 1;
        let observations: Vec<Observation> = places()
            .step_by(stride)
            .map(|(x, y)| Observation {
                place: [place(x, plane.width), place(y, plane.height)],
                lab: mean_colour(plane, lab, x, y, radius),
            })
            .collect();
        let (surface, fit) = Surface::fit(&observations);
        Self { surface, residual: fit.residual, inliers: fit.inliers }
    }

    /// ΔE of every pixel from the surface in eighths, up to 255 of them.
    fn difference(&self, plane: &Plane, lab: &Lab) -> Vec<u8> {
        let mut out = Vec::with_capacity(plane.width * plane.height);
        for (y, row) in plane.rgb.chunks_exact(plane.width * 3).enumerate() {
            let row_surface = self.surface.row(place(y, plane.height));
            for (x, rgb) in row.chunks_exact(3).enumerate() {
                let x = place(x, plane.width);
                let expected = row_surface.map(|c| c[0] + x * (c[1] + x * c[2]));
                out.push((8.0 * distance(lab.of(rgb), expected)).min(255.0) as u8);
            }
        }
        out
    }
}

/// Mean L*a*b* of the square of that radius around a pixel, as far as it lies in the picture.
fn mean_colour(plane: &Plane, lab: &Lab, x: usize, y: usize, radius: usize) -> [f32; 3] {
    let (mut sum, mut count) = ([0.0f32; 3], 0.0f32);
    for row in y.saturating_sub(radius)..=(y + radius).min(plane.height - 1) {
        for column in x.saturating_sub(radius)..=(x + radius).min(plane.width - 1) {
            let colour = lab.of(&plane.rgb[3 * (row * plane.width + column)..][..3]);
            for (sum, value) in sum.iter_mut().zip(colour) {
                *sum += value;
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

/// Marks what resembles the backdrop, and what of it is connected to the border through passages of at least
/// three pixels: a hairline of backdrop colour must not let the outside into the product.
fn connected_backdrop(difference: &[u8], width: usize, threshold: f32) -> Vec<u8> {
    let limit = (8.0 * threshold).min(254.0) as u8;
    let height = difference.len() / width;
    let mut kinds: Vec<u8> =
        difference.iter().map(|&d| if d <= limit { LIKE_BACKDROP } else { PRODUCT }).collect();
    let around = |index: usize| {
        let (x, y) = (index % width, index / width);
        [
            (x > 0).then(|| index - 1),
            (x + 1 < width).then(|| index + 1),
            (y > 0).then(|| index - width),
            (y + 1 < height).then(|| index + width),
        ]
        .into_iter()
        .flatten()
    };
    let wide: Vec<bool> =
        (0..kinds.len()).map(|i| kinds[i] != PRODUCT && around(i).all(|n| kinds[n] != PRODUCT)).collect();
    let is_edge = |i: usize| {
        let (x, y) = (i % width, i / width);
        x == 0 || y == 0 || x + 1 == width || y + 1 == height
    };
    let mut stack: Vec<usize> = (0..kinds.len()).filter(|&i| wide[i] && is_edge(i)).collect();
    for &index in &stack {
        kinds[index] = BACKDROP;
    }
    while let Some(index) = stack.pop() {
        for next in around(index) {
            if kinds[next] == LIKE_BACKDROP {
                kinds[next] = BACKDROP;
                if wide[next] {
                    stack.push(next);
                }
            }
        }
    }
    kinds
}

/// Opens enclosed regions that are clearly backdrop, such as the inside of a handle: large enough, of the
/// surface's colour on average, and no rougher than the backdrop is elsewhere.
fn open_holes(kinds: &mut [u8], plane: &Plane, lab: &Lab, backdrop: &Backdrop) {
    let width = plane.width;
    let least = (kinds.len() / 4000).max(24);
    let regions = Regions::of(kinds, width, Connectivity::Four, |kind| kind == LIKE_BACKDROP);
    let mut sums = vec![[0.0f32; 4]; regions.list.len()];
    for (region, span) in regions.spans() {
        if regions.list[region].area < least {
            continue;
        }
        let y = place(span.start / width, plane.height);
        for index in span {
            let expected = backdrop.surface.at([place(index % width, width), y]);
            let found = lab.of(&plane.rgb[3 * index..][..3]);
            let sum = &mut sums[region];
            for c in 0..3 {
                sum[c] += found[c] - expected[c];
                sum[3] += (found[c] - expected[c]) * (found[c] - expected[c]);
            }
        }
    }
    for (region, span) in regions.spans() {
        let area = regions.list[region].area;
        if area < least {
            continue;
        }
        let [l, a, b, squares] = sums[region].map(|sum| sum / area as f32);
        let offset = (l * l + a * a + b * b).sqrt();
        let spread = squares.sqrt();
        if offset <= 0.5 + 0.35 * backdrop.residual && spread <= 0.6 + 1.3 * backdrop.residual {
            kinds[span].fill(BACKDROP);
        }
    }
}

/// Gives what lossy compression scatters around an edge back to the backdrop: pale and thin, and neither part
/// of anything thick nor next to anything clear.
fn drop_ringing(kinds: &mut [u8], difference: &[u8], width: usize, threshold: f32) {
    let height = kinds.len() / width;
    let product: Vec<u8> = kinds.iter().map(|&kind| u8::from(kind != BACKDROP)).collect();
    let thick = dilated(&eroded(&product, width, height, 2), width, height, 2);
    let clear = (8.0 * threshold.mul_add(3.0, 2.5)).min(254.0) as u8;
    let is_clear: Vec<u8> =
        product.iter().zip(difference).map(|(&product, &d)| product & u8::from(d >= clear)).collect();
    let near_clear = dilated(&is_clear, width, height, 1);
    for ((kind, thick), near_clear) in kinds.iter_mut().zip(thick).zip(near_clear) {
        if thick == 0 && near_clear == 0 {
            *kind = BACKDROP;
        }
    }
}

/// Gives specks of dust back to the backdrop: too small, or too pale for their size.
fn drop_specks(kinds: &mut [u8], difference: &[u8], width: usize, threshold: f32) {
    let least = (kinds.len() / 20_000).max(6);
    let small = kinds.len() / 1000;
    let clear = |factor: f32| (8.0 * factor * threshold).min(254.0) as u8;
    let (clear_when_small, clear_when_large) = (clear(5.0), clear(2.0));
    let regions = Regions::of(kinds, width, Connectivity::Eight, |kind| kind != BACKDROP);
    let mut strongest = vec![0u8; regions.list.len()];
    for (region, span) in regions.spans() {
        let most = difference[span].iter().copied().max().unwrap_or(0);
        strongest[region] = strongest[region].max(most);
    }
    for (region, span) in regions.spans() {
        let area = regions.list[region].area;
        let clear = if area < small { clear_when_small } else { clear_when_large };
        if area < least || strongest[region] < clear {
            kinds[span].fill(BACKDROP);
        }
    }
}
