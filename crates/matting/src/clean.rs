//! Tidies an alpha: leftover specks, pinholes, and values that are meant to be exactly 0 or 255.

use std::collections::VecDeque;

use pixels::Mask;

use crate::crisp::Inside;
use crate::regions::{Connectivity, Regions};

/// From this value on a pixel counts as part of a piece; what is fainter only follows the piece next to it.
const PIECE: u8 = 24;
/// Below this value an enclosed pixel counts as part of a hole, and a piece must reach it.
const HALF: u8 = 128;

/// Below this value an enclosed pixel is not yet surely product.
const SPOT: u8 = 250;

/// Which pieces of the product stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keep {
    /// Only the piece with the largest area.
    Largest,
    /// Every piece that reaches one half somewhere.
    All,
    /// Every piece of at least this many pixels.
    MinArea(usize),
}

/// What happens to openings that the product encloses, such as the inside of a handle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holes {
    /// They stay open.
    Keep,
    /// Those of fewer pixels than this become opaque.
    FillBelow(usize),
    /// All of them become opaque.
    Fill,
}

/// Removes pieces and fills holes of an alpha; doing it twice changes nothing more. Linear in pixels.
///
/// A piece is a set of pixels of at least 10 % coverage joined by sides or corners;
/// fainter pixels stay with the nearest piece and go with it. Lone faint pixels go, and pieces that nowhere
/// reach one half, unless there are no others.
pub fn clean(mask: &mut Mask, keep: Keep, holes: Holes) {
    let width = mask.width() as usize;
    drop_pieces(mask.values_mut(), width, keep);
    let limit = match holes {
        Holes::Keep => return,
        Holes::FillBelow(area) => area,
        Holes::Fill => usize::MAX,
    };
    fill_holes(mask.values_mut(), width, limit);
}

fn fill_holes(values: &mut [u8], width: usize, limit: usize) {
    let openings = Regions::of(values, width, Connectivity::Four, |v| v < HALF);
    let is_filled = |region: usize| !openings.list[region].on_border && openings.list[region].area < limit;
    if !(0..openings.list.len()).any(is_filled) {
        return;
    }
    // The half covered ring around a filled hole has to go with it, so look at all that is not opaque.
    let soft = Regions::of(values, width, Connectivity::Eight, |v| v < u8::MAX);
    let mut below = vec![0usize; soft.list.len()];
    for (region, span) in soft.spans() {
        below[region] += values[span].iter().filter(|&&v| v < HALF).count();
    }
    for (region, span) in openings.spans() {
        if is_filled(region) {
            values[span].fill(u8::MAX);
        }
    }
    let mut filled = vec![0usize; soft.list.len()];
    for (region, span) in soft.spans() {
        filled[region] += values[span].iter().filter(|&&v| v == u8::MAX).count();
    }
    for (region, span) in soft.spans() {
        if filled[region] > 0 && filled[region] == below[region] {
            values[span].fill(u8::MAX);
        }
    }
}

/// Makes small enclosed spots opaque in which a network was in doubt, such as a rivet that mirrors the
/// backdrop. A true opening is clear somewhere; a part of glass is larger than `limit` pixels; a gap between links or
/// strands does not lie deep inside.
pub(crate) fn fill_doubtful_spots(mask: &mut Mask, inside: &Inside, limit: usize) {
    let width = mask.width() as usize;
    let values = mask.values_mut();
    let spots = Regions::of(values, width, Connectivity::Eight, |v| v < SPOT);
    let mut lowest = vec![u8::MAX; spots.list.len()];
    for (region, span) in spots.spans() {
        let is_deep = inside.holds(span.start % width, span.start / width)
            && inside.holds((span.end - 1) % width, span.start / width);
        let least = values[span].iter().copied().min().filter(|_| is_deep).unwrap_or(0);
        lowest[region] = lowest[region].min(least);
    }
    for (region, span) in spots.spans() {
        let spot = spots.list[region];
        if !spot.on_border && spot.area < limit && lowest[region] > PIECE {
            values[span].fill(u8::MAX);
        }
    }
}

fn drop_pieces(values: &mut [u8], width: usize, keep: Keep) {
    let pieces = Regions::of(values, width, Connectivity::Eight, |v| v >= PIECE);
    let mut is_solid = vec![false; pieces.list.len()];
    for (region, span) in pieces.spans() {
        is_solid[region] |= values[span].iter().any(|&v| v >= HALF);
    }
    if !is_solid.contains(&true) {
        is_solid.fill(true);
    }
    let solid = pieces.list.iter().zip(&is_solid).filter(|(_, is_solid)| **is_solid);
    let largest = solid.map(|(piece, _)| piece.area).max().unwrap_or(0);
    let mut found_largest = false;
    let stays: Vec<bool> = pieces
        .list
        .iter()
        .zip(is_solid)
        .map(|(piece, is_solid)| match keep {
            _ if !is_solid => false,
            Keep::All => true,
            Keep::MinArea(area) => piece.area >= area,
            Keep::Largest => piece.area == largest && !std::mem::replace(&mut found_largest, true),
        })
        .collect();
    // Faint pixels take the fate of the piece that reaches them first, spreading evenly from all pieces.
    const FAINT: u8 = 0;
    const STAYS: u8 = 1;
    const GOES: u8 = 2;
    let mut fate = vec![FAINT; values.len()];
    for (region, span) in pieces.spans() {
        fate[span].fill(if stays[region] { STAYS } else { GOES });
    }
    let height = values.len() / width;
    let mut queue: VecDeque<usize> = VecDeque::new();
    let neighbours = |index: usize| {
        let (x, y) = (index % width, index / width);
        let (left, right) = (x.saturating_sub(1), (x + 1).min(width - 1));
        let (top, bottom) = (y.saturating_sub(1), (y + 1).min(height - 1));
        (top..=bottom).flat_map(move |y| (left..=right).map(move |x| y * width + x))
    };
    let is_waiting = |index: usize, fate: &[u8], values: &[u8]| fate[index] == FAINT && values[index] > 0;
    for index in 0..values.len() {
        if is_waiting(index, &fate, values) {
            let mut near = neighbours(index).map(|n| fate[n]).filter(|&f| f == STAYS || f == GOES);
            if let Some(first) = near.next() {
                let decided = if first == STAYS || near.any(|f| f == STAYS) { STAYS } else { GOES };
                queue.push_back(index);
                // Marked later, so that this first ring does not spread along the scan.
                fate[index] = decided | 4;
            }
        }
    }
    for &index in &queue {
        fate[index] &= 3;
    }
    while let Some(index) = queue.pop_front() {
        for next in neighbours(index) {
            if is_waiting(next, &fate, values) {
                fate[next] = fate[index];
                queue.push_back(next);
            }
        }
    }
    for (value, fate) in values.iter_mut().zip(fate) {
        if fate != STAYS {
            *value = 0;
        }
    }
}

/// Sets alpha at or below `low` to 0 and at or above `high` to 255, so that the background is exactly
/// transparent and the product exactly opaque.
pub fn snap(mask: &mut Mask, low: u8, high: u8) {
    for value in mask.values_mut() {
        *value = match *value {
            v if v <= low => 0,
            v if v >= high => u8::MAX,
            v => v,
        };
    }
}
