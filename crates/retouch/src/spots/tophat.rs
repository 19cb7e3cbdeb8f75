//! How far each pixel stands out from what is around it, darker or brighter: the two top-hats of mathematical
//! morphology (Serra 1982; Soille 2003, chapter 4.5) with a square, on luma.

/// Luma at twelve bits, row by row.
pub(crate) struct Luma {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<i16>,
}

/// A plane's top-hats in steps of a 1024th of the full range, at most 255 (a quarter of it).
pub(crate) struct TopHat {
    /// How much darker a pixel is than every square of its surroundings.
    pub(crate) dark: Vec<u8>,
    /// How much brighter it is.
    pub(crate) bright: Vec<u8>,
}

/// Rows that are worked on at a time: with what is needed around them they stay in the cache.
const STRIP: usize = 64;

impl TopHat {
    /// The top-hats with a square of `side` pixels: what is narrower than that in one direction stands out.
    pub(crate) fn of(luma: &Luma, side: usize, stop: &dyn Fn() -> bool) -> Option<Self> {
        let (width, height) = (luma.width, luma.height);
        let mut dark = vec![0u8; luma.values.len()];
        let mut bright = vec![0u8; luma.values.len()];
        let halo = side - 1;
        for top in (0..height).step_by(STRIP) {
            if stop() {
                return None;
            }
            let bottom = (top + STRIP).min(height);
            let (first, last) = (top.saturating_sub(halo), (bottom + halo).min(height));
            let rows = &luma.values[first * width..last * width];
            let opened = filtered(rows, width, side, i16::min, i16::max);
            let closed = filtered(rows, width, side, i16::max, i16::min);
            let inner = (top - first) * width..(bottom - first) * width;
            let out = top * width..bottom * width;
            let own = &rows[inner.clone()];
            for ((to, own), opened) in bright[out.clone()].iter_mut().zip(own).zip(&opened[inner.clone()]) {
                *to = ((own - opened) >> 2).min(255) as u8;
            }
            for ((to, own), closed) in dark[out].iter_mut().zip(own).zip(&closed[inner]) {
                *to = ((closed - own) >> 2).min(255) as u8;
            }
        }
        Some(Self { dark, bright })
    }

    /// How far a pixel stands out in either way.
    pub(crate) fn most(&self, index: usize) -> u8 {
        self.dark[index].max(self.bright[index])
    }
}

/// One extreme over every square, then the other: opening or closing. Rows and columns outside do not count.
fn filtered(
    rows: &[i16],
    width: usize,
    side: usize,
    first: fn(i16, i16) -> i16,
    second: fn(i16, i16) -> i16,
) -> Vec<i16> {
    let before = side / 2;
    let after = side - 1 - before;
    let once = extreme(rows, width, before, after, first);
    // The reflected square, so that the two together move nothing.
    extreme(&once, width, after, before, second)
}

/// The extreme over `before` and `after` rows and columns, by doubling: each pass spans twice as much.
fn extreme(rows: &[i16], width: usize, before: usize, after: usize, of: fn(i16, i16) -> i16) -> Vec<i16> {
    let height = rows.len() / width;
    let side = before + after + 1;
    // Across: into a row that repeats its ends, so that windows over the edge see what is inside.
    let padded = width + side - 1;
    let (mut line, mut next) = (vec![0i16; padded], vec![0i16; padded]);
    let mut across = Vec::with_capacity(rows.len());
    for row in rows.chunks_exact(width) {
        line[..before].fill(row[0]);
        line[before..before + width].copy_from_slice(row);
        line[before + width..].fill(row[width - 1]);
        doubled(side, |step| {
            let (near, far) = (&line[..padded - step], &line[step..]);
            for ((to, near), far) in next.iter_mut().zip(near).zip(far) {
                *to = of(*near, *far);
            }
            std::mem::swap(&mut line, &mut next);
        });
        across.extend_from_slice(&line[..width]);
    }
    // Down: the same over whole rows.
    let row = |y: usize| {
        let inside = y.saturating_sub(before).min(height - 1);
        &across[inside * width..][..width]
    };
    let mut tall: Vec<i16> = (0..height + side - 1).flat_map(row).copied().collect();
    doubled(side, |step| {
        for y in 0..(height + side - 1) - step {
            let (above, below) = tall.split_at_mut((y + step) * width);
            for (to, far) in above[y * width..][..width].iter_mut().zip(&below[..width]) {
                *to = of(*to, *far);
            }
        }
    });
    tall.truncate(height * width);
    tall
}

/// Calls for each step by which windows have to be joined, so that windows of one pixel become ones of `side`.
fn doubled(side: usize, mut join: impl FnMut(usize)) {
    let mut spans = 1;
    while spans < side {
        let step = spans.min(side - spans);
        join(step);
        spans += step;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_narrower_than_the_square_stands_out_and_the_rest_does_not() {
        let (width, height) = (50, 150);
        let mut values = vec![2000i16; width * height];
        let mut fill = |x: usize, y: usize, w: usize, h: usize, value: i16| {
            for row in y..y + h {
                values[row * width + x..][..w].fill(value);
            }
        };
        fill(10, 10, 3, 3, 1600); // a spot
        fill(20, 60, 2, 50, 2400); // a line over the edge of a strip
        fill(30, 20, 12, 12, 1000); // something large
        fill(0, 140, 50, 10, 3000); // another surface, up to the edge
        let hat = TopHat::of(&Luma { width, height, values }, 7, &|| false).expect("not stopped");
        for y in 0..height {
            for x in 0..width {
                let spot = (10..13).contains(&x) && (10..13).contains(&y);
                let line = (20..22).contains(&x) && (60..110).contains(&y);
                let at = y * width + x;
                assert_eq!(hat.dark[at], if spot { 100 } else { 0 }, "{x} {y}");
                assert_eq!(hat.bright[at], if line { 100 } else { 0 }, "{x} {y}");
            }
        }
    }
}
