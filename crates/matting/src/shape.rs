//! Guards what a solved band may do to the shape of an alpha: no highlight eaten, no hole, no island.

use crate::band::Band;

/// How far around a pixel its stretch of the contour is looked at, and which share of changes is a spot alone.
const NEIGHBOURHOOD: i32 = 14;
const LONE: f32 = 0.35;

/// How far on either side of a groove its walls are looked for.
const GROOVE: i32 = 4;

impl Band {
    /// Takes back decided pixels that changed sides where the rest of the contour near by did not.
    ///
    /// A contour that was off is off along a stretch. A spot alone is a highlight that looks like the
    /// backdrop, or a mark on the backdrop that looks like the product.
    pub(crate) fn keep_highlights(&self, before: &[u8], after: &mut [u8]) {
        for is_inner in [true, false] {
            let was_decided = |slot: usize| {
                if is_inner { before[slot] >= 230 } else { before[slot] <= 25 }
            };
            let has_flipped = |value: u8| (value < 128) == is_inner;
            let mut lone = Vec::new();
            for &index in &self.pixels {
                let index = index as usize;
                if !was_decided(index) || !has_flipped(after[index]) {
                    continue;
                }
                let (x, y) = ((index % self.width as usize) as i32, (index / self.width as usize) as i32);
                let (mut decided, mut flipped) = (0u32, 0u32);
                for row in (y - NEIGHBOURHOOD).max(0)..=(y + NEIGHBOURHOOD).min(self.height - 1) {
                    let start = row * self.width + (x - NEIGHBOURHOOD).max(0);
                    let end = row * self.width + (x + NEIGHBOURHOOD).min(self.width - 1);
                    let (start, end) = (start as usize, end as usize + 1);
                    for (slot, &value) in (start..end).zip(&after[start..end]) {
                        if self.contains(slot) && was_decided(slot) {
                            decided += 1;
                            flipped += u32::from(has_flipped(value));
                        }
                    }
                }
                if flipped as f32 <= LONE * decided as f32 {
                    lone.push(index);
                }
            }
            for index in lone {
                after[index] = before[index];
            }
        }
    }

    /// Takes back every valley that opened without a way down to the background, and every peak that rose
    /// without a way up to the product: greyscale reconstruction of what changed (Vincent 1993).
    pub(crate) fn keep_shape(&self, before: &[u8], after: &mut [u8]) {
        for flip in [0u8, 255] {
            // The second time round all values are mirrored, so that peaks are valleys.
            let changed: Vec<(usize, u8)> = self
                .pixels
                .iter()
                .map(|&index| index as usize)
                .filter(|&index| (before[index] ^ flip) > (after[index] ^ flip))
                .map(|index| (index, after[index] ^ flip))
                .collect();
            for &(index, _) in &changed {
                after[index] = before[index];
            }
            let lower = |&(index, floor): &(usize, u8), after: &mut [u8]| {
                let lowest = self.neighbours(index).map(|near| after[near] ^ flip).min().unwrap_or(floor);
                let value = (after[index] ^ flip).min(lowest).max(floor);
                let is_lower = value < (after[index] ^ flip);
                after[index] = value ^ flip;
                is_lower
            };
            loop {
                let mut is_lower = false;
                for pixel in &changed {
                    is_lower |= lower(pixel, after);
                }
                for pixel in changed.iter().rev() {
                    is_lower |= lower(pixel, after);
                }
                if !is_lower {
                    break;
                }
            }
        }
    }

    /// Fills grooves between the product and a line along its outline: pale material seen as a mixture.
    ///
    /// The edge of a product falls outwards; where it rises again within a few pixels, what lies between is
    /// product, up to what it was before.
    pub(crate) fn fill_grooves(&self, before: &[u8], after: &mut [u8]) {
        let mut raised = Vec::new();
        for &index in &self.pixels {
            let index = index as usize;
            if before[index] <= after[index] {
                continue;
            }
            let (x, y) = ((index % self.width as usize) as i32, (index / self.width as usize) as i32);
            let highest = |dx: i32, dy: i32| {
                (1..=GROOVE)
                    .map(|step| (x + step * dx, y + step * dy))
                    .take_while(|&(x, y)| x >= 0 && y >= 0 && x < self.width && y < self.height)
                    .map(|(x, y)| after[(y * self.width + x) as usize])
                    .max()
                    .unwrap_or(0)
            };
            let sides =
                [(1, 0), (0, 1), (1, 1), (1, -1)].map(|(dx, dy)| highest(dx, dy).min(highest(-dx, -dy)));
            let level = sides.into_iter().max().unwrap_or(0).min(before[index]);
            if level > after[index] {
                raised.push((index, level));
            }
        }
        for (index, level) in raised {
            after[index] = level;
        }
    }

    fn neighbours(&self, index: usize) -> impl Iterator<Item = usize> {
        let (width, height) = (self.width as usize, self.height as usize);
        let (x, y) = (index % width, index / width);
        let rows = y.saturating_sub(1)..=(y + 1).min(height - 1);
        rows.flat_map(move |row| {
            (x.saturating_sub(1)..=(x + 1).min(width - 1)).map(move |column| row * width + column)
        })
        .filter(move |&near| near != index)
    }
}
