//! The connectivity error of the alpha matting benchmark (Rhemann et al. 2009): pieces that float apart from the product.

use pixels::Mask;

use super::check;
use crate::error::MattingError;
use crate::regions::{Connectivity, Regions};

/// Levels of alpha that are looked at.
const STEPS: u32 = 10;
/// A pixel is taken as connected if it falls short by less than this.
const TOLERANCE: f64 = 0.15;

/// Sum over all pixels of how differently the two alphas are connected to what is opaque in both.
pub fn connectivity_error(alpha: &Mask, exact: &Mask) -> Result<f64, MattingError> {
    check(alpha, exact)?;
    let width = exact.width() as usize;
    let both: Vec<u8> = alpha.values().iter().zip(exact.values()).map(|(a, b)| *a.min(b)).collect();
    // For each pixel the highest level at which it still hangs together with the largest common piece.
    let mut level = vec![0u8; both.len()];
    for step in 1..=STEPS {
        let threshold = (255 * step).div_ceil(STEPS) as u8;
        let regions = Regions::of(&both, width, Connectivity::Four, |value| value >= threshold);
        let largest = regions
            .list
            .iter()
            .enumerate()
            .max_by_key(|(index, region)| (region.area, std::cmp::Reverse(*index)));
        let Some((largest, _)) = largest else { break };
        for run in regions.runs.iter().filter(|run| run.region as usize == largest) {
            let row = run.row as usize * width;
            level[row + run.start as usize..row + run.end as usize].fill(step as u8);
        }
    }
    let connected = |value: u8, level: u8| {
        let short = f64::from(value) / 255.0 - f64::from(level) / f64::from(STEPS);
        if short >= TOLERANCE { 1.0 - short } else { 1.0 }
    };
    Ok(alpha
        .values()
        .iter()
        .zip(exact.values())
        .zip(level)
        .map(|((&a, &b), level)| (connected(a, level) - connected(b, level)).abs())
        .sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn columns(of: impl Fn(usize) -> u8) -> Mask {
        Mask::new(10, 4, (0..40).map(|i| of(i % 10)).collect()).unwrap()
    }

    #[test]
    fn a_piece_apart_counts_and_the_product_itself_does_not() {
        let exact = columns(|x| if x < 5 { 255 } else { 0 });
        assert_eq!(connectivity_error(&exact, &exact), Ok(0.0));
        let speck = columns(|x| if x < 5 || x == 8 { 255 } else { 0 });
        // Four pixels are opaque in one alpha and not connected at any level.
        assert_eq!(connectivity_error(&speck, &exact), Ok(4.0));
    }
}
