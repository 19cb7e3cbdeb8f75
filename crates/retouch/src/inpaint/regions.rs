//! Which parts of a hole belong together.

use pixels::Rect;

use super::canvas::{Canvas, Sample, State};

/// Side of the blocks in which a hole is looked at: parts with a block between them are apart.
const BLOCK: usize = 8;
/// Largest side of a part that is thin for its size; longer ones are cut into pieces.
const PIECE: usize = 768;

/// A part of the hole that is filled in one go.
pub(crate) struct Region {
    /// The smallest rectangle around it.
    pub(crate) bounds: Rect,
    /// Its pixels, in the order of the rows.
    pub(crate) pixels: Vec<u32>,
}

/// The parts of the hole, in the order of their first block. Parts whose gap is no wider than a block are one part, so
/// that no patch around one of them holds a pixel of another.
pub(crate) fn regions<S: Sample>(canvas: &Canvas<'_, S>) -> Vec<Region> {
    let (columns, rows) = (canvas.width.div_ceil(BLOCK), canvas.height.div_ceil(BLOCK));
    let mut marked = vec![false; columns * rows];
    for y in 0..canvas.height {
        let row = canvas.states(y);
        for (column, states) in row.chunks(BLOCK).enumerate() {
            marked[y / BLOCK * columns + column] |= states.contains(&State::Hole);
        }
    }
    let mut found = Vec::new();
    let mut open = Vec::new();
    for start in 0..marked.len() {
        if !marked[start] {
            continue;
        }
        marked[start] = false;
        open.push(start);
        let mut blocks = Vec::new();
        while let Some(block) = open.pop() {
            blocks.push(block);
            let (x, y) = (block % columns, block / columns);
            for near_y in y.saturating_sub(1)..(y + 2).min(rows) {
                for near_x in x.saturating_sub(1)..(x + 2).min(columns) {
                    let near = near_y * columns + near_x;
                    if std::mem::take(&mut marked[near]) {
                        open.push(near);
                    }
                }
            }
        }
        blocks.sort_unstable();
        found.extend(
            pieces(&blocks, columns).into_iter().filter_map(|blocks| region(canvas, &blocks, columns)),
        );
    }
    found
}

/// Cuts blocks that are long but few, such as those under a scratch, into pieces along a grid.
fn pieces(blocks: &[usize], columns: usize) -> Vec<Vec<usize>> {
    const SIDE: usize = PIECE / BLOCK;
    let range = |of: &dyn Fn(usize) -> usize| {
        let least = blocks.iter().map(|&block| of(block)).min().unwrap_or(0);
        let most = blocks.iter().map(|&block| of(block)).max().unwrap_or(0);
        most - least + 1
    };
    let (across, down) = (range(&|block| block % columns), range(&|block| block / columns));
    if across.max(down) <= SIDE || blocks.len() * 4 > across * down {
        return vec![blocks.to_vec()];
    }
    let mut cells = std::collections::BTreeMap::<_, Vec<usize>>::new();
    for &block in blocks {
        cells.entry((block / columns / SIDE, block % columns / SIDE)).or_default().push(block);
    }
    cells.into_values().collect()
}

fn region<S: Sample>(canvas: &Canvas<'_, S>, blocks: &[usize], columns: usize) -> Option<Region> {
    let mut pixels = Vec::new();
    for &block in blocks {
        let (left, top) = (block % columns * BLOCK, block / columns * BLOCK);
        for y in top..(top + BLOCK).min(canvas.height) {
            let states = &canvas.states(y)[left..(left + BLOCK).min(canvas.width)];
            let holes = states.iter().enumerate().filter(|(_, state)| **state == State::Hole);
            pixels.extend(holes.map(|(x, _)| (y * canvas.width + left + x) as u32));
        }
    }
    pixels.sort_unstable();
    let (first, last) = (*pixels.first()?, *pixels.last()?);
    let width = canvas.width as u32;
    let (left, right) = pixels.iter().fold((width, 0), |(left, right), pixel| {
        let x = pixel % width;
        (left.min(x), right.max(x))
    });
    let (top, bottom) = (first / width, last / width);
    let bounds = Rect { x: left, y: top, width: right - left + 1, height: bottom - top + 1 };
    Some(Region { bounds, pixels })
}
