//! Pieces, holes and values at the ends.

use matting::{Holes, Keep, clean, snap};
use pixels::Mask;

use crate::scene::Noise;

/// A mask drawn in characters: `#` opaque, `+` 60 %, `.` 5 %, blank clear.
fn drawn(rows: &[&str]) -> Mask {
    let values = rows.iter().flat_map(|row| row.bytes()).map(|c| match c {
        b'#' => 255,
        b'+' => 153,
        b'.' => 13,
        _ => 0,
    });
    Mask::new(rows[0].len() as u32, rows.len() as u32, values.collect()).expect("rows of one length")
}

#[test]
fn only_the_largest_piece_stays_with_its_own_fringe() {
    let mut mask = drawn(&["###.  .#", "###..  .", "        ", "   .    "]);
    clean(&mut mask, Keep::Largest, Holes::Keep);
    assert_eq!(mask, drawn(&["###.    ", "###..   ", "        ", "        "]));
}

#[test]
fn pieces_of_enough_area_stay() {
    let before = drawn(&["##  #   ", "##   #  ", "      # ", "#       "]);
    let mut mask = before.clone();
    clean(&mut mask, Keep::MinArea(3), Holes::Keep);
    assert_eq!(mask, drawn(&["##  #   ", "##   #  ", "      # ", "        "]));
    let mut mask = before.clone();
    clean(&mut mask, Keep::All, Holes::Keep);
    assert_eq!(mask, before);
}

#[test]
fn a_piece_that_is_nowhere_solid_is_a_leftover() {
    let ghost = |value: u8, other: u8| Mask::new(7, 1, vec![255, 90, 0, 0, value, value, other]).unwrap();
    let mut mask = ghost(90, 60);
    clean(&mut mask, Keep::All, Holes::Keep);
    assert_eq!(mask, ghost(0, 0));
    // A half transparent product alone is a product all the same.
    let veil = Mask::new(4, 1, vec![0, 90, 100, 0]).unwrap();
    let mut mask = veil.clone();
    clean(&mut mask, Keep::Largest, Holes::Keep);
    assert_eq!(mask, veil);
}

#[test]
fn a_hole_is_filled_with_its_soft_rim_and_the_bay_stays_open() {
    let open = ["##########", "#++#######", "#+ +#### #", "#++####   ", "########  "];
    let mut mask = drawn(&open);
    clean(&mut mask, Keep::All, Holes::FillBelow(2));
    assert_eq!(mask, drawn(&["##########", "##########", "######## #", "#######   ", "########  "]));
    let mut mask = drawn(&open);
    clean(&mut mask, Keep::All, Holes::FillBelow(1));
    assert_eq!(mask, drawn(&open));
}

#[test]
fn cleaning_twice_changes_nothing_more() {
    let mut noise = Noise(3);
    for round in 0..300 {
        let (width, height) = (1 + noise.next() % 30, 1 + noise.next() % 30);
        let values =
            (0..width * height).map(|_| [0, 0, 13, 40, 153, 255, 255][(noise.next() % 7) as usize]).collect();
        let mut once = Mask::new(width as u32, height as u32, values).unwrap();
        let keep = [Keep::Largest, Keep::All, Keep::MinArea(5)][round % 3];
        let holes = [Holes::Keep, Holes::Fill, Holes::FillBelow(4)][round / 3 % 3];
        clean(&mut once, keep, holes);
        let mut twice = once.clone();
        clean(&mut twice, keep, holes);
        assert_eq!(once, twice, "{keep:?} {holes:?}");
    }
}

#[test]
fn values_at_the_ends_snap_and_others_stay() {
    let mut mask = Mask::new(6, 1, vec![0, 3, 4, 251, 252, 255]).unwrap();
    snap(&mut mask, 3, 252);
    assert_eq!(mask.values(), [0, 0, 4, 251, 255, 255]);
}
