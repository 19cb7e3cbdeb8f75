//! Areas that a network neither takes nor leaves: ghosts of things behind the product, faint but wide.
//!
//! A soft edge, hair or fur is faint only near what is sure; glass is faint between rims that are. What is faint, far
//! from all that is sure, and open to the background is neither, and no retoucher would leave it in.

use pixels::Mask;

/// Alpha from which a network is taken to be sure.
const SURE: u8 = 128;
/// Alpha below which there is nothing.
const NOTHING: u8 = 8;
/// How far soft edges reach from what is sure, in shares of the longer side.
const SOFT: f64 = 0.015;
/// Pieces of haze smaller than this share of the mask are left to the refinement of the edge.
const SMALL: f64 = 0.0002;

/// Clears the haze of a network's alpha; answers whether there was any.
pub(super) fn clear(alpha: &mut Mask) -> bool {
    let (width, height) = (alpha.width() as usize, alpha.height() as usize);
    let reach = ((width.max(height) as f64 * SOFT).round() as usize).max(4);
    let sure: Vec<bool> = alpha.values().iter().map(|&value| value >= SURE).collect();
    if !sure.contains(&true) {
        return false;
    }
    let soft = dilated(&sure, width, reach);
    let values = alpha.values_mut();
    let is_faint = |value: u8| (NOTHING..SURE).contains(&value);
    let mut haze = vec![false; values.len()];
    let mut seen = vec![false; values.len()];
    let mut piece = Vec::new();
    for start in 0..values.len() {
        if seen[start] || soft[start] || !is_faint(values[start]) {
            continue;
        }
        piece.clear();
        piece.push(start);
        seen[start] = true;
        let (mut next, mut open) = (0, false);
        while let Some(&at) = piece.get(next) {
            next += 1;
            open |= touches_frame(at, width, height);
            for beside in neighbours(at, width, height) {
                open |= values[beside] < NOTHING;
                if !seen[beside] && !soft[beside] && is_faint(values[beside]) {
                    seen[beside] = true;
                    piece.push(beside);
                }
            }
        }
        if open && piece.len() as f64 >= SMALL * values.len() as f64 {
            piece.iter().for_each(|&at| haze[at] = true);
        }
    }
    if !haze.contains(&true) {
        return false;
    }
    // Haze goes on into the reach of soft edges; there it is followed until close to what is sure, and no farther
    // along the edge than the haze itself lies.
    let around = dilated(&haze, width, reach);
    let edge = dilated(&sure, width, reach / 4);
    let mut queue: Vec<usize> = (0..values.len()).filter(|&at| haze[at]).collect();
    while let Some(at) = queue.pop() {
        for beside in neighbours(at, width, height) {
            if !haze[beside] && around[beside] && !edge[beside] && is_faint(values[beside]) {
                haze[beside] = true;
                queue.push(beside);
            }
        }
    }
    for (value, haze) in values.iter_mut().zip(haze) {
        if haze {
            *value = 0;
        }
    }
    true
}

fn neighbours(at: usize, width: usize, height: usize) -> impl Iterator<Item = usize> {
    let (x, y) = (at % width, at / width);
    [
        (x > 0).then(|| at - 1),
        (x + 1 < width).then(|| at + 1),
        (y > 0).then(|| at - width),
        (y + 1 < height).then(|| at + width),
    ]
    .into_iter()
    .flatten()
}

fn touches_frame(at: usize, width: usize, height: usize) -> bool {
    let (x, y) = (at % width, at / width);
    x == 0 || y == 0 || x + 1 == width || y + 1 == height
}

/// Everything within `reach` columns and rows of what is set.
pub(super) fn dilated(set: &[bool], width: usize, reach: usize) -> Vec<bool> {
    let mut rows = vec![false; set.len()];
    for (from, to) in set.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        spread(from.iter().copied(), reach, |at| to[at] = true);
    }
    let mut out = vec![false; set.len()];
    for x in 0..width {
        spread(rows.iter().skip(x).step_by(width).copied(), reach, |at| out[at * width + x] = true);
    }
    out
}

/// Tells of every place of a line within `reach` of one that is set.
fn spread(line: impl ExactSizeIterator<Item = bool>, reach: usize, mut tell: impl FnMut(usize)) {
    let length = line.len();
    let mut told = 0;
    for (at, set) in line.enumerate() {
        if set {
            for near in told.max(at.saturating_sub(reach))..(at + reach + 1).min(length) {
                tell(near);
            }
            told = (at + reach + 1).min(length);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alpha(of: impl Fn(usize, usize) -> u8) -> Mask {
        Mask::new(200, 200, (0..40_000).map(|i| of(i % 200, i / 200)).collect()).expect("200 by 200")
    }

    #[test]
    fn a_ghost_beside_the_product_goes_and_its_soft_edge_stays() {
        let edge = |x: usize| match x {
            0..100 => 255,
            100..104 => (200 - (x - 100) * 50) as u8,
            _ => 0,
        };
        let clean = alpha(|x, _| edge(x));
        let mut ghost = alpha(|x, y| if x >= 104 && (50..90).contains(&y) && x < 160 { 60 } else { edge(x) });
        assert!(clear(&mut ghost));
        let left = ghost.values().iter().zip(clean.values()).filter(|(a, b)| a != b).count();
        // Of the edge itself, one column of the 40 rows along the ghost and the reach of 4 on both ends may go with it.
        assert!(left <= 48, "{left} pixels differ");
        let mut untouched = clean.clone();
        assert!(!clear(&mut untouched));
        assert!(untouched == clean);
    }

    #[test]
    fn glass_between_its_rims_stays() {
        let glass = alpha(|x, y| match (x, y) {
            (40..160, 40..160) if (46..154).contains(&x) && (46..154).contains(&y) => 70,
            (40..160, 40..160) => 230,
            _ => 0,
        });
        let mut kept = glass.clone();
        assert!(!clear(&mut kept));
        assert!(kept == glass);
    }

    #[test]
    fn a_mask_with_nothing_sure_in_it_is_left_alone() {
        let mut faint = alpha(|x, _| if x < 90 { 90 } else { 0 });
        assert!(!clear(&mut faint));
    }
}
