//! What lies around a pixel: its neighbours, and erosion and dilation of masks of 0 and 1 by a square, in time that does not
//! depend on its size.

/// The pixels left, right, above and below one; `None` beyond the picture.
pub(crate) fn beside(at: usize, width: usize, height: usize) -> [Option<usize>; 4] {
    let (x, y) = (at % width, at / width);
    [
        (x > 0).then(|| at - 1),
        (x + 1 < width).then(|| at + 1),
        (y > 0).then(|| at - width),
        (y + 1 < height).then(|| at + width),
    ]
}

/// Erosion of a mask of 0 and 1 by a square of side `2 * radius + 1`, by running counts. What lies beyond the
/// picture counts as 0.
pub(crate) fn eroded(mask: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    let mut rows = vec![0u8; mask.len()];
    for (from, to) in mask.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        let mut length = 0;
        for (x, &value) in from.iter().enumerate() {
            length = if value == 1 { length + 1 } else { 0 };
            if length > 2 * radius {
                to[x - radius] = 1;
            }
        }
    }
    let mut lengths = vec![0usize; width];
    let mut out = vec![0u8; mask.len()];
    for y in 0..height {
        for x in 0..width {
            lengths[x] = if rows[y * width + x] == 1 { lengths[x] + 1 } else { 0 };
            if lengths[x] > 2 * radius {
                out[(y - radius) * width + x] = 1;
            }
        }
    }
    out
}

/// Dilation of a mask of 0 and 1 by a square of side `2 * radius + 1`.
pub(crate) fn dilated(mask: &[u8], width: usize, height: usize, radius: usize) -> Vec<u8> {
    let mut rows = vec![0u8; mask.len()];
    for (from, to) in mask.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        for x in from.iter().enumerate().filter(|(_, value)| **value == 1).map(|(x, _)| x) {
            to[x.saturating_sub(radius)..(x + radius + 1).min(width)].fill(1);
        }
    }
    let mut out = vec![0u8; mask.len()];
    for y in 0..height {
        let line = &mut out[y * width..(y + 1) * width];
        for from in y.saturating_sub(radius)..=(y + radius).min(height - 1) {
            for (to, from) in line.iter_mut().zip(&rows[from * width..(from + 1) * width]) {
                *to |= from;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{dilated, eroded};

    #[test]
    fn a_square_shrinks_to_its_centre_and_grows_back() {
        let square: Vec<u8> =
            (0..63).map(|i| u8::from((2..7).contains(&(i % 9)) && (1..6).contains(&(i / 9)))).collect();
        let centre = eroded(&square, 9, 7, 2);
        assert_eq!(centre.iter().position(|&v| v == 1), Some(3 * 9 + 4));
        assert_eq!(centre.iter().filter(|&&v| v == 1).count(), 1);
        assert_eq!(dilated(&centre, 9, 7, 2), square);
        assert!(eroded(&square, 9, 7, 3).iter().all(|&v| v == 0));
    }
}
