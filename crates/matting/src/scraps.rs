//! Pieces of a network's alpha that it was not sure of: bits of furniture behind the product, a shadow on a wall.

use pixels::Mask;

use crate::regions::{Connectivity, Regions};

/// Coverage from which a pixel belongs to a piece …
const PIECE: u8 = 24;
/// … and from which the network is sure of it.
const SURE: u8 = 150;
/// A piece is a scrap if fewer than this share of its pixels is sure …
const LEAST_SURE: f64 = 0.2;
/// … or, if it is small beside the largest, fewer than this.
const LEAST_SURE_WHEN_SMALL: f64 = 0.5;
/// Share of a piece that must be left for it to stay.
const LEFT: f64 = 0.3;
/// A piece is small below this share of the largest.
const SMALL: f64 = 0.03;

/// Clears pieces apart from the largest that a network was not sure of, in its alpha at its own size; answers whether
/// any went.
pub fn drop_scraps(alpha: &mut Mask) -> bool {
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
    let mut any = false;
    for (piece, span) in pieces.spans() {
        if is_scrap(piece) {
            any = true;
            values[span].fill(0);
        }
    }
    any
}

/// Clears the pieces of an alpha of which little is left in another that was tidied, of any size. Refuses nothing.
pub fn keep_pieces_of(alpha: &mut Mask, tidied: &Mask) {
    let (width, height) = (alpha.width() as usize, alpha.height() as usize);
    let (small_width, small_height) = (tidied.width() as usize, tidied.height() as usize);
    let values = alpha.values_mut();
    let pieces = Regions::of(values, width, Connectivity::Eight, |value| value >= PIECE);
    let mut left = vec![0usize; pieces.list.len()];
    for (piece, span) in pieces.spans() {
        let line =
            &tidied.values()[span.start / width * small_height / height * small_width..][..small_width];
        left[piece] += span.filter(|at| line[at % width * small_width / width] >= PIECE).count();
    }
    for (piece, span) in pieces.spans() {
        if (left[piece] as f64) < LEFT * pieces.list[piece].area as f64 {
            values[span].fill(0);
        }
    }
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
        assert!(drop_scraps(&mut mask));
        let at = |x: usize, y: usize| mask.values()[y * 100 + x];
        assert_eq!((at(20, 20), at(65, 20), at(70, 60), at(11, 72)), (255, 250, 0, 230));
        assert!(!drop_scraps(&mut mask));
        let mut large: Vec<u8> = (0..40_000).map(|at| value(at % 200 / 2, at / 400)).collect();
        large[199] = 255;
        let mut large = Mask::new(200, 200, large).expect("a mask");
        keep_pieces_of(&mut large, &mask);
        let at = |x: usize, y: usize| large.values()[y * 200 + x];
        assert_eq!((at(40, 40), at(130, 40), at(140, 120), at(199, 0)), (255, 250, 0, 0));
    }
}
