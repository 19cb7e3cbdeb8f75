//! Pieces of a network's alpha that it was not sure of: bits of furniture behind the product, a shadow on a wall.

use pixels::Mask;

use crate::regions::{Connectivity, Regions};

/// Coverage from which a pixel belongs to a piece …
const PIECE: u8 = 24;
/// … and from which the network is sure of it.
const SURE: u8 = 224;
/// A piece is a scrap if fewer than this share of its pixels is sure …
const LEAST_SURE: f64 = 0.2;
/// … or, if it is small beside the largest, fewer than this.
const LEAST_SURE_WHEN_SMALL: f64 = 0.5;
/// A piece is small below this share of the largest.
const SMALL: f64 = 0.03;

/// Clears pieces apart from the largest that a network was not sure of, in its alpha at its own size; answers how many
/// of the pixels that it covered went.
pub fn drop_scraps(alpha: &mut Mask) -> f32 {
    let width = alpha.width() as usize;
    let values = alpha.values_mut();
    let pieces = Regions::of(values, width, Connectivity::Eight, |value| value >= PIECE);
    let mut sure = vec![0usize; pieces.list.len()];
    for (piece, span) in pieces.spans() {
        sure[piece] += values[span].iter().filter(|&&value| value >= SURE).count();
    }
    let largest = (0..sure.len()).max_by_key(|&piece| (sure[piece], std::cmp::Reverse(piece)));
    let most = largest.map_or(0, |piece| pieces.list[piece].area);
    let is_scrap = |piece: usize| {
        let area = pieces.list[piece].area as f64;
        let share = sure[piece] as f64 / area;
        let is_small = area < SMALL * most as f64;
        Some(piece) != largest && share < if is_small { LEAST_SURE_WHEN_SMALL } else { LEAST_SURE }
    };
    let (mut covered, mut gone) = (0usize, 0usize);
    for (piece, span) in pieces.spans() {
        covered += span.len();
        if is_scrap(piece) {
            gone += span.len();
            values[span].fill(0);
        }
    }
    if covered == 0 { 0.0 } else { gone as f32 / covered as f32 }
}

/// Pixels of the largest piece of an alpha; 0 where there is none.
pub fn largest_piece(alpha: &Mask) -> usize {
    let pieces =
        Regions::of(alpha.values(), alpha.width() as usize, Connectivity::Eight, |value| value >= PIECE);
    pieces.list.iter().map(|piece| piece.area).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_that_are_sure_stay_and_scraps_go() {
        let value = |x: usize, y: usize| match (x, y) {
            (10..50, 10..50) => 255,
            // A second product, a faint ghost, a speck that is half sure.
            (60..70, 10..30) => 250,
            (60..90, 50..80) => 120,
            (10..14, 70..74) => {
                if x < 12 {
                    230
                } else {
                    100
                }
            }
            _ => 0,
        };
        let mut mask =
            Mask::new(100, 100, (0..10_000).map(|at| value(at % 100, at / 100)).collect()).expect("a mask");
        let gone = drop_scraps(&mut mask);
        let at = |x: usize, y: usize| mask.values()[y * 100 + x];
        assert_eq!((at(20, 20), at(65, 20), at(70, 60), at(11, 72)), (255, 250, 0, 230));
        assert!((gone - 900.0 / (1600.0 + 200.0 + 900.0 + 16.0)).abs() < 1e-6);
        assert_eq!(drop_scraps(&mut mask), 0.0);
    }
}
