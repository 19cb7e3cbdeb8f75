//! Shapes the edge of an alpha: crisp, or moved outwards or inwards.

use pixels::Mask;

/// Between these an edge of one pixel already lies in the three by three pixels around.
const CLEAR: u8 = 12;
const OPAQUE: u8 = 243;
/// A slope of less than this many levels a pixel is no edge, but something half transparent.
const LEAST_SLOPE: f32 = 6.0;

/// Makes every edge about one pixel wide, along the line of one half; what is half transparent over more than some 40
/// pixels falls to the side that is nearer. Opaque and clear pixels stay as they are.
pub fn harden(mask: &mut Mask) {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let before = mask.values().to_vec();
    for (y, line) in mask.values_mut().chunks_exact_mut(width).enumerate() {
        let rows =
            [y.saturating_sub(1), y, (y + 1).min(height - 1)].map(|row| &before[row * width..][..width]);
        for (x, value) in line.iter_mut().enumerate() {
            if matches!(*value, 0 | u8::MAX) {
                continue;
            }
            let columns = [x.saturating_sub(1), x, (x + 1).min(width - 1)];
            let near = rows.map(|row| columns.map(|column| row[column]));
            let (least, most) = near
                .iter()
                .flatten()
                .fold((u8::MAX, 0), |(least, most), &value| (value.min(least), value.max(most)));
            if least <= CLEAR && most >= OPAQUE {
                continue;
            }
            // Scharr's kernels.
            let at = |row: usize, column: usize| f32::from(near[row][column]);
            let across =
                3.0 * (at(0, 2) - at(0, 0)) + 10.0 * (at(1, 2) - at(1, 0)) + 3.0 * (at(2, 2) - at(2, 0));
            let down =
                3.0 * (at(2, 0) - at(0, 0)) + 10.0 * (at(2, 1) - at(0, 1)) + 3.0 * (at(2, 2) - at(0, 2));
            let slope = across.hypot(down) / 32.0;
            let from_half = f32::from(*value) - 127.5;
            let steep =
                if slope < LEAST_SLOPE { 255.0 * from_half.signum() } else { 255.0 * from_half / slope };
            *value = (127.5 + steep).clamp(0.0, 255.0) as u8;
        }
    }
}

/// Moves the outline by so many pixels, outwards above 0 and inwards below, and the softness of the edge with it. The
/// picture's border counts as what lies beside it. Linear in pixels and in the distance.
pub fn shift(mask: &mut Mask, by_px: f32) {
    if by_px == 0.0 {
        return;
    }
    if by_px < 0.0 {
        mask.values_mut().iter_mut().for_each(|value| *value = !*value);
    }
    let width = mask.width() as usize;
    let (whole, rest) = (by_px.abs().floor() as usize, by_px.abs().fract());
    for step in 0..whole {
        let wider = dilated(mask.values(), width, step);
        mask.values_mut().copy_from_slice(&wider);
    }
    if rest > 0.0 {
        let wider = dilated(mask.values(), width, whole);
        for (value, wider) in mask.values_mut().iter_mut().zip(wider) {
            *value = (f32::from(*value) + rest * (f32::from(wider) - f32::from(*value)) + 0.5) as u8;
        }
    }
    if by_px < 0.0 {
        mask.values_mut().iter_mut().for_each(|value| *value = !*value);
    }
}

/// The largest value of the four neighbours in even steps, of all eight in odd ones: together nearly a disc.
fn dilated(values: &[u8], width: usize, step: usize) -> Vec<u8> {
    let height = values.len() / width;
    let mut wide = values.to_vec();
    for (from, to) in values.chunks_exact(width).zip(wide.chunks_exact_mut(width)) {
        for (to, pair) in to[1..].iter_mut().zip(from) {
            *to = (*to).max(*pair);
        }
        for (to, pair) in to.iter_mut().zip(&from[1..]) {
            *to = (*to).max(*pair);
        }
    }
    let beside = if step.is_multiple_of(2) { values } else { &wide };
    let mut out = wide.clone();
    for y in 0..height {
        let to = &mut out[y * width..][..width];
        for row in [y.checked_sub(1), Some(y + 1).filter(|row| *row < height)].into_iter().flatten() {
            for (to, from) in to.iter_mut().zip(&beside[row * width..][..width]) {
                *to = (*to).max(*from);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A ramp from left to right: 0 up to column `from`, opaque from `to` on.
    fn ramp(from: f32, to: f32) -> Mask {
        let value = |x: usize| ((x as f32 - from) / (to - from) * 255.0).round().clamp(0.0, 255.0) as u8;
        Mask::new(60, 20, (0..1200).map(|at| value(at % 60)).collect()).expect("60 by 20")
    }

    fn soft(mask: &Mask) -> usize {
        mask.values()[600..660].iter().filter(|value| !matches!(value, 0 | 255)).count()
    }

    #[test]
    fn a_wide_edge_becomes_crisp_where_it_was_half() {
        let mut mask = ramp(20.0, 40.0);
        harden(&mut mask);
        assert!(soft(&mask) <= 2, "{:?}", &mask.values()[600..660]);
        assert_eq!((mask.values()[628], mask.values()[632]), (0, 255));
        // A crisp edge stays as it is.
        let mut crisp = ramp(29.4, 30.6);
        let before = crisp.clone();
        harden(&mut crisp);
        assert!(crisp == before);
        let mut again = mask.clone();
        harden(&mut again);
        assert!(again == mask);
    }

    #[test]
    fn an_outline_moves_by_what_is_asked_and_comes_back() {
        let start = ramp(28.0, 32.0);
        let covered =
            |mask: &Mask| mask.values()[600..660].iter().map(|v| f64::from(*v)).sum::<f64>() / 255.0;
        for by in [0.5f32, 1.0, 3.0, -2.0, -0.25] {
            let mut moved = start.clone();
            shift(&mut moved, by);
            assert!((covered(&moved) - covered(&start) - f64::from(by)).abs() < 0.02, "{by}");
        }
        let mut same = start.clone();
        shift(&mut same, 4.0);
        shift(&mut same, -4.0);
        assert!(same == start);
    }
}
