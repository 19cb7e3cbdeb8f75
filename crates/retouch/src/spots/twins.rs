//! Things that look alike and lie near each other are a pattern: stitches, dots of a print, letters, buttons.

use std::collections::HashMap;

use super::shape::{Outline, Piece};

/// Alike things near a piece from which on it belongs to a pattern.
const PATTERN: usize = 3;
/// Side of the cells in which things are looked up.
const CELL: u32 = 64;
/// How many of its own sizes away a thing may lie to be of the same pattern.
const SIZES: u32 = 20;
/// How many pixels away a thing may lie to be of the same pattern, at least and at most.
const AWAY: (u32, u32) = (120, 900);

/// Where everything lies that stands out in one direction.
pub(crate) struct Crowd {
    cells: HashMap<(u32, u32), Vec<Outline>>,
}

impl Crowd {
    /// Sorts outlines by where they lie.
    pub(crate) fn of(outlines: Vec<Outline>) -> Self {
        let mut cells: HashMap<_, Vec<_>> = HashMap::new();
        for outline in outlines {
            let (x, y) = middle(&outline);
            cells.entry((x / CELL, y / CELL)).or_default().push(outline);
        }
        Self { cells }
    }

    /// Whether a piece belongs to a pattern: at least three others nearby have its size, proportions and contrast.
    pub(crate) fn repeats(&self, piece: &Piece) -> bool {
        let own = piece.outline();
        let (x, y) = middle(&own);
        let reach = (piece.side() as u32 * SIZES).clamp(AWAY.0, AWAY.1);
        let cells = |at: u32| at.saturating_sub(reach) / CELL..=(at + reach) / CELL;
        let near = cells(y).flat_map(|row| cells(x).map(move |column| (column, row)));
        let twins = near.filter_map(|cell| self.cells.get(&cell)).flatten().filter(|other| {
            let (other_x, other_y) = middle(other);
            let is_near = x.abs_diff(other_x) <= reach && y.abs_diff(other_y) <= reach;
            is_near && own != **other && are_alike(&own, other)
        });
        twins.take(PATTERN).count() == PATTERN
    }
}

fn middle(outline: &Outline) -> (u32, u32) {
    let [left, top, right, bottom] = outline.bounds;
    (left.midpoint(right), top.midpoint(bottom))
}

fn are_alike(one: &Outline, other: &Outline) -> bool {
    let near = |a: u32, b: u32, share: f32, slack: f32| {
        let (a, b) = (a as f32, b as f32);
        (a - b).abs() <= a.max(b) * share + slack
    };
    let size = |outline: &Outline| {
        let [left, top, right, bottom] = outline.bounds;
        ((right - left).min(bottom - top), (right - left).max(bottom - top))
    };
    let ((short, long), (other_short, other_long)) = (size(one), size(other));
    near(one.core, other.core, 0.15, 1.0)
        && near(short, other_short, 0.12, 1.0)
        && near(long, other_long, 0.12, 1.0)
        && near(one.peak.into(), other.peak.into(), 0.12, 1.0)
}
