//! Cuts a picture into tiles of one size that overlap, and blends what becomes of them.

/// The longest side of a tile, in pixels of the picture.
pub(super) const SIDE: usize = 256;

/// The least that neighbours overlap, in pixels of the picture: what a tile sees at its border is not the picture.
pub(super) const OVERLAP: usize = 48;

/// Pixels of the picture over which one tile fades into the next, in the middle of their overlap.
const FADE: usize = 16;

/// Where the tiles of one direction lie.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Row {
    /// Pixels of each tile.
    pub(super) length: usize,
    /// Where each tile begins.
    pub(super) starts: Vec<usize>,
}

impl Row {
    /// Spreads as few tiles as reach over `length` pixels, evenly.
    pub(super) fn over(length: usize, side: usize, overlap: usize) -> Self {
        if length <= side {
            return Self { length, starts: vec![0] };
        }
        let count = (length - overlap).div_ceil(side - overlap);
        let tile = (length + (count - 1) * overlap).div_ceil(count);
        let starts = (0..count).map(|i| (length - tile) * i / (count - 1)).collect();
        Self { length: tile, starts }
    }

    /// The share of tile `index` in each of its pixels, `times` as many as it has in the picture. Shares add up to 1.
    fn shares(&self, index: usize, times: usize) -> Vec<f32> {
        let mut shares = vec![1f32; self.length * times];
        let fade = FADE * times;
        let overlap = |left: usize| (self.starts[left] + self.length - self.starts[left + 1]) * times;
        let rising = |overlap: usize, at: usize| {
            ((at as f32 + 0.5 - (overlap as f32 - fade as f32) / 2.0) / fade as f32).clamp(0.0, 1.0)
        };
        if index > 0 {
            let overlap = overlap(index - 1);
            (0..overlap).for_each(|at| shares[at] *= rising(overlap, at));
        }
        if index + 1 < self.starts.len() {
            let overlap = overlap(index);
            let first = shares.len() - overlap;
            (0..overlap).for_each(|at| shares[first + at] *= 1.0 - rising(overlap, at));
        }
        shares
    }
}

/// One tile of a picture: where it begins and what it measures, in pixels.
pub(super) struct Tile {
    pub(super) x: usize,
    pub(super) y: usize,
    pub(super) width: usize,
    pub(super) height: usize,
}

/// Makes every tile `times` larger by `enlarged` (three planes, red, green, blue) and hands the rows of the
/// whole, interleaved, to `finished` from top to bottom. No more than one row of tiles is held at a time.
pub(super) fn enlarge<E>(
    columns: &Row,
    rows: &Row,
    width: usize,
    times: usize,
    mut enlarged: impl FnMut(&Tile) -> Result<Vec<f32>, E>,
    mut finished: impl FnMut(&[f32]),
) -> Result<(), E> {
    let length = width * times * 3;
    let (tile_width, tile_height) = (columns.length * times, rows.length * times);
    let mut band = vec![0f32; tile_height * length];
    for (row, &y) in rows.starts.iter().enumerate() {
        let down = rows.shares(row, times);
        for (column, &x) in columns.starts.iter().enumerate() {
            let across = columns.shares(column, times);
            let planes = enlarged(&Tile { x, y, width: columns.length, height: rows.length })?;
            for (c, plane) in planes.chunks_exact(tile_width * tile_height).enumerate() {
                for (line, (values, down)) in plane.chunks_exact(tile_width).zip(&down).enumerate() {
                    let to = &mut band[line * length + x * times * 3..][..tile_width * 3];
                    for ((to, value), across) in to.as_chunks_mut::<3>().0.iter_mut().zip(values).zip(&across)
                    {
                        to[c] += value * (across * down);
                    }
                }
            }
        }
        // The next tiles add nothing above where they begin.
        let done = rows.starts.get(row + 1).map_or(tile_height, |next| (next - y) * times) * length;
        finished(&band[..done]);
        band.copy_within(done.., 0);
        let kept = band.len() - done;
        band[kept..].fill(0.0);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn tiles_cover_all_and_their_shares_add_up() {
        for length in [1, 5, 255, 256, 257, 300, 511, 1000, 4096] {
            let row = Row::over(length, SIDE, OVERLAP);
            assert!(row.length <= SIDE && row.length <= length);
            assert_eq!(row.starts.last().expect("a tile") + row.length, length);
            for times in [2, 3, 4] {
                let mut sums = vec![0f32; length * times];
                for (index, start) in row.starts.iter().enumerate() {
                    let shares = row.shares(index, times);
                    sums[start * times..].iter_mut().zip(&shares).for_each(|(sum, share)| *sum += share);
                }
                assert!(sums.iter().all(|sum| (sum - 1.0).abs() < 1e-5), "{length} {times}");
            }
        }
    }

    #[test]
    fn a_picture_comes_together_again() {
        let (width, height, times) = (70, 45, 2);
        let value = |x: usize, y: usize, c: usize| (x * 3 + y * 5 + c * 70) as f32;
        let (columns, rows) = (Row::over(width, 40, 20), Row::over(height, 32, 18));
        let mut whole = Vec::new();
        let enlarged = |tile: &Tile| {
            let mut planes = Vec::new();
            for c in 0..3 {
                for y in 0..tile.height * times {
                    planes.extend(
                        (0..tile.width * times).map(|x| value(x + tile.x * times, y + tile.y * times, c)),
                    );
                }
            }
            Ok::<_, Infallible>(planes)
        };
        enlarge(&columns, &rows, width, times, enlarged, |rows| whole.extend_from_slice(rows))
            .expect("nothing fails");
        assert_eq!(whole.len(), width * height * times * times * 3);
        for (i, pixel) in whole.chunks(3).enumerate() {
            let (x, y) = (i % (width * times), i / (width * times));
            assert!((0..3).all(|c| (pixel[c] - value(x, y, c)).abs() < 0.01), "{x} {y}");
        }
    }
}
