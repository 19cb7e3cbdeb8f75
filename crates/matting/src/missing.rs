//! Parts of a product that a network left out although they stand out from a plain backdrop.
//!
//! What differs from a plain backdrop is the product or its shadow, and a shadow is the backdrop in less light: of its hue, and
//! as smooth as it is. What is neither, and joined to what the network took, is a part that it missed.

use pixels::{Bitmap, Lab, Mask};

use crate::claims::Small;
use crate::error::{MattingError, check_size};
use crate::grid::Grid;
use crate::refine::RefineOptions;
use crate::regions::{Connectivity, Regions};
use crate::source::halve;
use crate::square::{dilated, eroded};
use crate::studio::studio_matte;

/// Longest side at which parts are looked for.
const SIDE: usize = 768;
/// Up to here an alpha is nothing; from the second on it is more than half.
const NOTHING: u8 = 12;
const HALF: u8 = 128;
/// A shadow is no darker than this share of its backdrop, and no lighter than the backdrop but for noise …
const DARKEST: f32 = 0.3;
const LIGHTEST: f32 = 1.02;
/// … and its hue is off by no more than this ΔE and this many times the backdrop's scatter.
const OFF_HUE: f32 = 5.0;
const OFF_HUE_SCATTER: f32 = 1.5;
/// A surface is rougher than a shadow from this many times the backdrop's grain on, and this much lightness.
const ROUGH: f32 = 2.5;
const ROUGH_LEAST: f32 = 0.6;
/// Half the side of the square over which roughness is measured; as near to the network's product nothing is measured.
const AROUND: usize = 3;
/// Half the thickness of a part whose colour tells, in pixels …
const THICK: usize = 2;
/// … and of one that only its roughness tells, in shares of the longer side: strands and links are rough, too.
const THICK_ROUGH: f64 = 0.01;
/// A colour is the product's own from this distance (ΔE) of every mixture of product and backdrop on …
const OFF_MIXTURE: f32 = 10.0;
/// … and one in so many pixels of a part has such a colour.
const OWN: usize = 3;
/// The least area of a part, in shares of what the network took.
const LEAST: f64 = 0.004;
/// How near a part is to what the network took, in pixels.
const NEAR: usize = 4;

/// Brings back what a network missed before a plain backdrop; answers whether there was any. An alpha channel of the
/// bitmap is not read. Refuses a mask of another size.
///
/// Meaningful only where the backdrop is plain (see [`crate::Studio::is_plain`]).
pub fn recover_parts(
    bitmap: &Bitmap,
    alpha: &mut Mask,
    options: &RefineOptions,
) -> Result<bool, MattingError> {
    check_size(bitmap, alpha)?;
    let studio = studio_matte(bitmap);
    if !studio.is_plain() {
        return Ok(false);
    }
    let small = Small::of(bitmap, alpha, SIDE);
    let mut other = studio.alpha.values().to_vec();
    let mut size = (alpha.width() as usize, alpha.height() as usize);
    for _ in 0..small.halvings() {
        other = halve(&other, size.0, size.1);
        size = (size.0.div_ceil(2), size.1.div_ceil(2));
    }
    let Some(parts) = parts(&small, &other) else { return Ok(false) };
    let claims = parts.into_iter().map(|part| 255 * i16::from(part)).collect();
    small.apply(bitmap, alpha, claims, options)?;
    Ok(true)
}

/// Which pixels are parts that were missed; `None` without any.
fn parts(small: &Small, studio: &[u8]) -> Option<Vec<u8>> {
    let (width, height) = (small.plane.width, small.plane.height);
    let taken: Vec<u8> = small.alpha.iter().map(|&value| u8::from(value >= HALF)).collect();
    let in_question: Vec<u8> =
        studio.iter().zip(&taken).map(|(&studio, taken)| u8::from(studio >= HALF) & (1 - taken)).collect();
    if !eroded(&in_question, width, height, THICK).contains(&1) || !taken.contains(&1) {
        return None;
    }
    let backdrop: Vec<u8> = studio
        .iter()
        .zip(&small.alpha)
        .map(|(&studio, &own)| u8::from(studio <= NOTHING && own <= NOTHING))
        .collect();
    let lab = Lab::new();
    let colours: Vec<[f32; 3]> = small.plane.rgb.as_chunks::<3>().0.iter().map(|rgb| lab.of(rgb)).collect();
    let behind = Grid::of(&colours, &backdrop, width).filled();
    let around = Grid::of(&colours, &taken, width).filled();
    let opened =
        |mask: &[u8], thick: usize| dilated(&eroded(mask, width, height, thick), width, height, thick);
    let chosen = |is_part: &dyn Fn(usize) -> bool| -> Vec<u8> {
        (0..colours.len()).map(|at| u8::from(in_question[at] == 1 && is_part(at))).collect()
    };
    // A place is measured wider than it is.
    let rough = eroded(&roughness(&colours, &taken, &backdrop, width), width, height, AROUND);
    let thick = (THICK_ROUGH * width.max(height) as f64).round() as usize;
    let rough = opened(&chosen(&|at| rough[at] == 1), thick.max(THICK));
    let coloured = opened(&chosen(&|at| !is_shade(colours[at], behind[at])), THICK);
    let own = |at: usize| off_mixture(colours[at], behind[at], around[at]);
    let regions = Regions::of(&coloured, width, Connectivity::Eight, |value| value == 1);
    let mut owned = vec![0usize; regions.list.len()];
    for (region, span) in regions.spans() {
        owned[region] += span.filter(|&at| own(at)).count();
    }
    let mut found = rough;
    for (region, span) in regions.spans() {
        if owned[region] * OWN >= regions.list[region].area {
            found[span].fill(1);
        }
    }
    let product = taken.iter().filter(|&&taken| taken == 1).count();
    let near = dilated(&taken, width, height, NEAR);
    let regions = Regions::of(&found, width, Connectivity::Eight, |value| value == 1);
    let mut is_near = vec![false; regions.list.len()];
    for (region, span) in regions.spans() {
        is_near[region] |= near[span].contains(&1);
    }
    let mut out = vec![0u8; found.len()];
    let mut any = false;
    for (region, span) in regions.spans() {
        if is_near[region] && regions.list[region].area as f64 >= LEAST * product as f64 {
            out[span].fill(1);
            any = true;
        }
    }
    any.then_some(out)
}

/// Whether a colour is the backdrop's in less light: lightness and chroma reduced alike.
fn is_shade(colour: [f32; 3], behind: [f32; 4]) -> bool {
    let [l, a, b, squares] = behind;
    let scatter = (squares - l * l - a * a - b * b).max(0.0).sqrt();
    let light = colour[0] / l.max(1e-3);
    let off = (colour[1] - light * a).hypot(colour[2] - light * b);
    (DARKEST..=LIGHTEST + scatter / l.max(1.0)).contains(&light) && off <= OFF_HUE + OFF_HUE_SCATTER * scatter
}

/// Whether a colour is no mixture of the product around and the backdrop.
fn off_mixture(colour: [f32; 3], behind: [f32; 4], around: [f32; 4]) -> bool {
    let [l, a, b, squares] = behind;
    let scatter = (squares - l * l - a * a - b * b).max(0.0).sqrt();
    let span = [0, 1, 2].map(|c| around[c] - behind[c]);
    let offset = [0, 1, 2].map(|c| colour[c] - behind[c]);
    let dot = |a: [f32; 3], b: [f32; 3]| a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
    let mixed = (dot(offset, span) / dot(span, span).max(1e-3)).clamp(0.0, 1.0);
    let left = [0, 1, 2].map(|c| offset[c] - mixed * span[c]);
    dot(left, left).sqrt() >= OFF_MIXTURE + OFF_HUE_SCATTER * scatter
}

/// Which pixels lie in a rough place, measured apart from what was taken: its outline is no roughness.
fn roughness(colours: &[[f32; 3]], taken: &[u8], backdrop: &[u8], width: usize) -> Vec<u8> {
    let height = colours.len() / width;
    let light: Vec<f32> = colours.iter().map(|colour| colour[0]).collect();
    let near = dilated(taken, width, height, AROUND);
    let grain = |at: usize| {
        let (x, y) = (at % width, at / width);
        let (mut sum, mut count) = (0.0, 0.0f32);
        for row in y.saturating_sub(1)..=(y + 1).min(height - 1) {
            for value in &light[row * width + x.saturating_sub(1)..=row * width + (x + 1).min(width - 1)] {
                sum += value;
                count += 1.0;
            }
        }
        (light[at] - sum / count).powi(2)
    };
    let squares: Vec<f32> = (0..light.len()).map(grain).collect();
    let (mut sum, mut count) = (0.0f64, 0usize);
    for (square, _) in squares.iter().zip(backdrop).filter(|(_, backdrop)| **backdrop == 1) {
        sum += f64::from(*square);
        count += 1;
    }
    let limit = ROUGH * (sum / count.max(1) as f64).sqrt() as f32 + ROUGH_LEAST;
    let is_rough = |at: usize| {
        let (x, y) = (at % width, at / width);
        let (mut sum, mut count) = (0.0, 0.0f32);
        for row in y.saturating_sub(AROUND)..=(y + AROUND).min(height - 1) {
            for at in row * width + x.saturating_sub(AROUND)..=row * width + (x + AROUND).min(width - 1) {
                if near[at] == 0 {
                    sum += squares[at];
                    count += 1.0;
                }
            }
        }
        count > 0.0 && (sum / count).sqrt() > limit
    };
    (0..light.len()).map(|at| u8::from(taken[at] == 0 && backdrop[at] == 0 && is_rough(at))).collect()
}

#[cfg(test)]
mod tests {
    use pixels::Channels;

    use super::*;

    const SIZE: u32 = 200;

    /// A red bar on a pale ground, with something beside it that the alpha lacks.
    fn beside(colour: impl Fn(u32, u32) -> [u8; 3]) -> (Bitmap, Mask) {
        let is_bar = |x: u32, y: u32| (40..90).contains(&x) && (50..150).contains(&y);
        let is_other = |x: u32, y: u32| (90..150).contains(&x) && (70..150).contains(&y);
        let pixel = |at: u32| {
            let (x, y) = (at % SIZE, at / SIZE);
            match (is_bar(x, y), is_other(x, y)) {
                (true, _) => [170, 40, 50],
                (_, true) => colour(x, y),
                _ => [222, 224, 226],
            }
        };
        let samples = (0..SIZE * SIZE).flat_map(pixel).collect();
        let bitmap = Bitmap::from_u8(SIZE, SIZE, Channels::Rgb, samples).expect("square");
        let alpha = (0..SIZE * SIZE).map(|at| if is_bar(at % SIZE, at / SIZE) { 255 } else { 0 });
        (bitmap, Mask::new(SIZE, SIZE, alpha.collect()).expect("square"))
    }

    fn middle(colour: impl Fn(u32, u32) -> [u8; 3]) -> u8 {
        let (bitmap, mut alpha) = beside(colour);
        recover_parts(&bitmap, &mut alpha, &RefineOptions::default()).expect("the same size");
        alpha.values()[(SIZE * 110 + 125) as usize]
    }

    #[test]
    fn what_is_no_shadow_comes_back() {
        assert_eq!(middle(|_, _| [60, 70, 150]), 255, "another colour");
        let fur = |x: u32, y: u32| if (x * 7 + y * 5) % 4 < 2 { [150, 151, 152] } else { [90, 91, 92] };
        assert_eq!(middle(fur), 255, "grey, but rough");
    }

    #[test]
    fn a_shadow_stays_out() {
        assert_eq!(middle(|x, _| [222, 224, 226].map(|v: u32| (v * (60 + x / 4) / 100).min(255) as u8)), 0);
    }
}
