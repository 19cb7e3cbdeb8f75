//! How far a cut-out is to be trusted.

use matting::{Marks, Matte, Method};
use pixels::{Filter, Mask};

use super::look::{Sight, sureness};

/// A result below this is none.
pub(super) const LEAST: f32 = 0.12;

/// Side at which a finished alpha is judged.
const SIDE: u32 = 768;
/// A network alone is not trusted beyond this: nothing confirms it.
const ALONE: f32 = 0.95;
/// A subject that covers less than the first or more than the second share of the picture is likely none.
const COVERED: std::ops::RangeInclusive<f64> = 0.002..=0.95;
/// Share of the picture's border on the subject from which on it is cut off rather than stood at the edge.
const CUT: f64 = 0.3;

/// 0.0 (a guess) to 1.0 (certain): how little of the alpha is neither taken nor left, how far the network and a plain
/// backdrop agree, whether there is enough of the subject, and whether the picture's border cuts it; and how much of it a
/// person marked.
pub(super) fn of(matte: &Matte, sight: Option<&Sight>, marks: Option<&Marks>) -> f32 {
    let decided = match sight {
        // What a person marked settles what the network left open.
        Some(sight) if marks.is_none() => sight.sureness,
        _ => sureness_of(&matte.alpha),
    };
    let found = match matte.method {
        Method::Studio => matte.confidence.min(decided),
        Method::NetworkStudio => decided.sqrt() * matte.confidence,
        Method::Network => ALONE * decided,
    };
    let asked = marks.map_or(0.0, |marks| {
        let kept = marks.values().iter().filter(|mark| mark.keeps()).count();
        let covered = matte.alpha.values().iter().filter(|&&value| value >= 128).count();
        kept as f32 / covered.max(kept).max(1) as f32
    });
    (found * extent(&matte.alpha)).max(asked)
}

fn sureness_of(alpha: &Mask) -> f32 {
    let size = pixels::fit_inside((alpha.width(), alpha.height()), (SIDE, SIDE), false);
    match pixels::resize_mask(alpha, size.0, size.1, Filter::Bilinear) {
        Ok(small) => sureness(&small),
        Err(_) => sureness(alpha),
    }
}

fn extent(alpha: &Mask) -> f32 {
    let (width, height) = (alpha.width() as usize, alpha.height() as usize);
    let values = alpha.values();
    let share = |covered: usize, of: usize| covered as f64 / of.max(1) as f64;
    let covered = share(values.iter().filter(|&&value| value >= 128).count(), values.len());
    let is_in = |at: &usize| values[*at] >= 128;
    let across = (0..width).chain((height - 1) * width..height * width).filter(is_in).count();
    let down = (0..height).flat_map(|y| [y * width, y * width + width - 1]).filter(is_in).count();
    let border = share(across + down, 2 * (width + height));
    let amount = if COVERED.contains(&covered) { 1.0 } else { 0.5 };
    amount * (1.0 - 0.3 * (border / CUT).min(1.0)) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matte(of: impl Fn(usize, usize) -> u8) -> Matte {
        let alpha = (0..10_000).map(|at| of(at % 100, at / 100)).collect();
        let alpha = Mask::new(100, 100, alpha).expect("100 by 100");
        Matte { alpha, method: Method::Network, confidence: 1.0, residual: 9.0, inliers: 0.2, iou: None }
    }

    #[test]
    fn what_is_whole_and_free_is_trusted_more_than_what_is_cut_or_half_there() {
        let inside = |x: usize, y: usize| (20..80).contains(&x) && (20..80).contains(&y);
        let whole = of(&matte(|x, y| if inside(x, y) { 255 } else { 0 }), None, Some(&Marks::new(100, 100)));
        let half = of(&matte(|x, y| if inside(x, y) { 110 } else { 0 }), None, Some(&Marks::new(100, 100)));
        let cut = of(&matte(|_, y| if y > 40 { 255 } else { 0 }), None, Some(&Marks::new(100, 100)));
        let speck =
            of(&matte(|x, y| if x == 50 && y > 90 { 255 } else { 0 }), None, Some(&Marks::new(100, 100)));
        assert!((whole - ALONE).abs() < 1e-6, "{whole}");
        let mut marks = Marks::new(100, 100);
        let all = matte(|x, y| if inside(x, y) { 255 } else { 0 });
        marks.set(&all.alpha, matting::Mark::KeepHere).expect("the same size");
        assert_eq!(of(&all, None, Some(&marks)), 1.0);
        assert!(half < LEAST && cut < 0.8 && speck < 0.5, "{half} {cut} {speck}");
    }
}
