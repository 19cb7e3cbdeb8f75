//! Fills closed lines.

use pixels::Mask;

/// Sets what lies inside a closed line (even-odd) to 255, where the middle of a pixel does; points are pixels times `scale`.
pub(super) fn fill(mask: &mut Mask, points: &[[f32; 2]], scale: f32) {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let points: Vec<[f32; 2]> = points.iter().map(|[x, y]| [x * scale, y * scale]).collect();
    if points.len() < 3 || points.iter().flatten().any(|value| !value.is_finite()) {
        return;
    }
    let (mut top, mut bottom) = (f32::MAX, f32::MIN);
    points.iter().for_each(|[_, y]| (top, bottom) = (top.min(*y), bottom.max(*y)));
    let first = (top - 0.5).ceil().clamp(0.0, height as f32) as usize;
    let last = (bottom + 0.5).floor().clamp(0.0, height as f32) as usize;
    let mut crossings = Vec::new();
    for y in first..last {
        let middle = y as f32 + 0.5;
        crossings.clear();
        for (i, &[x, y]) in points.iter().enumerate() {
            let [next_x, next_y] = points[(i + 1) % points.len()];
            if (y <= middle) != (next_y <= middle) {
                crossings.push(x + (middle - y) / (next_y - y) * (next_x - x));
            }
        }
        crossings.sort_by(f32::total_cmp);
        for pair in crossings.as_chunks::<2>().0 {
            let column = |x: f32| (x - 0.5).ceil().clamp(0.0, width as f32) as usize;
            let (from, to) = (column(pair[0]), column(pair[1]));
            mask.values_mut()[y * width + from..y * width + to.max(from)].fill(255);
        }
    }
}
