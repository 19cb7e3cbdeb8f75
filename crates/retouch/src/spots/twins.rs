//! Things that look alike and lie near each other are a pattern: stitches, dots of a print, letters, buttons.

use std::collections::HashMap;

use super::shape::Piece;

/// Alike pieces near a piece from which on it belongs to a pattern.
const PATTERN: usize = 3;

/// Which of the pieces belong to a pattern: at least three others nearby have its size, proportions and contrast.
pub(crate) fn is_pattern(pieces: &[Piece]) -> Vec<bool> {
    let reach = |piece: &Piece| (piece.side() * 24).clamp(120, 1200);
    let widest = pieces.iter().map(reach).max().unwrap_or(1);
    let middle = |piece: &Piece| {
        let [left, top, right, bottom] = piece.bounds;
        (left.midpoint(right), top.midpoint(bottom))
    };
    let mut cells: HashMap<(usize, usize), Vec<usize>> = HashMap::new();
    for (index, piece) in pieces.iter().enumerate() {
        let (x, y) = middle(piece);
        cells.entry((x / widest, y / widest)).or_default().push(index);
    }
    let has_twins = |index: usize| {
        let piece = &pieces[index];
        let (x, y) = middle(piece);
        let reach = reach(piece);
        let (column, row) = (x / widest, y / widest);
        let near = (row.saturating_sub(1)..row + 2)
            .flat_map(|row| (column.saturating_sub(1)..column + 2).map(move |column| (column, row)))
            .filter_map(|cell| cells.get(&cell))
            .flatten();
        let twins = near.filter(|&&other| {
            let (other_x, other_y) = middle(&pieces[other]);
            let is_near = x.abs_diff(other_x) <= reach && y.abs_diff(other_y) <= reach;
            other != index && is_near && are_alike(piece, &pieces[other])
        });
        twins.take(PATTERN).count() == PATTERN
    };
    (0..pieces.len()).map(has_twins).collect()
}

fn are_alike(one: &Piece, other: &Piece) -> bool {
    let near = |a: usize, b: usize, share: f32, slack: f32| {
        let (a, b) = (a as f32, b as f32);
        (a - b).abs() <= a.max(b) * share + slack
    };
    let size = |piece: &Piece| {
        let [left, top, right, bottom] = piece.bounds;
        ((right - left).min(bottom - top), (right - left).max(bottom - top))
    };
    let ((short, long), (other_short, other_long)) = (size(one), size(other));
    one.is_dark == other.is_dark
        && near(one.pixels.len(), other.pixels.len(), 0.2, 1.0)
        && near(short, other_short, 0.15, 1.0)
        && near(long, other_long, 0.15, 1.0)
        && near(usize::from(one.peak), usize::from(other.peak), 0.12, 1.0)
}
