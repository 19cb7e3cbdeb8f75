//! The shadow of something that stands on a floor, from its outline alone.
//!
//! Light from all around is blocked most where subject and floor meet. So the shadow is darkest in a thin line along
//! the places where the outline touches the floor, and fades with the distance from the area that these places enclose,
//! farther to the sides than up and down, because the floor is seen at a flat angle.

use pixels::{Filter, Mask};

use crate::Fault;

/// Longest side at which the shadow is worked out; it is soft, and enlarged afterwards.
const SIDE: f64 = 480.0;
/// How much shorter a length on the floor looks away from the viewer than across.
const FLATTENING: f64 = 0.45;
/// How far above the floor around it, in shares of the longer side, an outline still touches it.
const TOUCH: f64 = 0.018;
/// How far above the lowest point, in shares of the height, the floor can still be: feet farther back stand higher.
const FLOOR: f64 = 0.17;
/// Width around a column, in shares of the longer side, in which the floor is looked for.
const AROUND: f64 = 0.05;
/// How dark the floor between feet is, compared with the floor right under them: some light falls in from all sides.
const BETWEEN: f64 = 0.5;

/// The shadow's mask with its place beside the outline `alpha`, which is cut to what shows. `by` is how far it falls,
/// `sigma` how softly it fades, all in pixels of the outline.
pub(super) fn mask(alpha: &Mask, by: (f64, f64), sigma: f64) -> Result<(Mask, i64, i64), Fault> {
    let (full_width, full_height) = (alpha.width(), alpha.height());
    let scale = (SIDE / f64::from(full_width.max(full_height))).min(1.0);
    let small = |length: u32| ((f64::from(length) * scale).round() as u32).max(1);
    let outline = pixels::resize_mask(alpha, small(full_width), small(full_height), Filter::Bilinear)?;
    let side = f64::from(outline.width().max(outline.height()));
    let feet = Feet::of(&outline);

    // Never sharper than a thin line of contact; the wide part reaches three times as far as the middle one.
    let near = (side * 0.006).max(0.6);
    let middle = (sigma * scale).max(near);
    let wide = middle * 3.0;
    let (fall_x, fall_y) = (by.0 * scale, by.1 * scale * FLATTENING);
    let margin_x = (wide * 3.2 + fall_x.abs()).ceil() as usize + 2;
    let margin_y = (wide * FLATTENING * 6.2 + fall_y.abs()).ceil() as usize + 2;
    let (first, last) = feet.rows();
    let room = Room {
        width: outline.width() as usize + 2 * margin_x,
        height: (last - first).ceil() as usize + 1 + 2 * margin_y,
        left: margin_x as f64,
        top: margin_y as f64 - first,
    };

    // What stands on the floor has a depth that the outline hides: each band reaches up behind the subject as far as
    // it fades, and down by a little, so that it is dark where it begins to be seen.
    let mut touch = room.plane();
    feet.draw_line(&mut touch, &room, (0.0, 0.0), (near * 3.0, near * 0.8));
    soften(&mut touch, room.width, near * 1.3, near * 0.8);
    let band = |sigma: f64| (sigma * FLATTENING * 3.0, sigma * FLATTENING * 0.5);
    let mut around = room.plane();
    feet.draw_line(&mut around, &room, (fall_x * 0.5, fall_y * 0.5), band(middle));
    let mut far = room.plane();
    feet.draw_area(&mut far, &room, (fall_x, fall_y), band(wide));
    soften(&mut around, room.width, middle, middle * FLATTENING);
    soften(&mut far, room.width, wide, wide * FLATTENING);
    for ((touch, around), far) in touch.iter_mut().zip(&around).zip(&far) {
        // Each blocks a share of what light the others let through.
        let light =
            (1.0 - 0.75 * touch.min(1.0)) * (1.0 - 0.7 * around.min(1.0)) * (1.0 - 0.6 * far.min(1.0));
        *touch = 1.0 - light;
    }

    let back = |length: usize, full: u32, small: u32| {
        ((length as f64 * f64::from(full) / f64::from(small)).round() as u32).max(1)
    };
    let size =
        (back(room.width, full_width, outline.width()), back(room.height, full_height, outline.height()));
    let plane =
        pixels::resize_plane(&touch, (room.width as u32, room.height as u32), size, Filter::CatmullRom)?;
    let values = plane.into_iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    let x = -(room.left * f64::from(full_width) / f64::from(outline.width())).round() as i64;
    let y = -(room.top * f64::from(full_height) / f64::from(outline.height())).round() as i64;
    Ok((Mask::new(size.0, size.1, values)?, x, y))
}

/// The working plane, and where the outline's corner lies on it.
struct Room {
    width: usize,
    height: usize,
    left: f64,
    top: f64,
}

impl Room {
    fn plane(&self) -> Vec<f32> {
        vec![0.0; self.width * self.height]
    }
}

/// Where an outline touches the floor: for each column its lowest point, and how surely it touches there (0 to 1).
struct Feet {
    columns: Vec<(f64, f64)>,
}

impl Feet {
    fn of(outline: &Mask) -> Self {
        let (width, height) = (outline.width() as usize, outline.height() as usize);
        let at = |x: usize, y: usize| f64::from(outline.values()[y * width + x]) / 255.0;
        // The lower edge of the lowest pixel that is at least half covered, and of what it shares with the next.
        let lowest: Vec<Option<f64>> = (0..width)
            .map(|x| {
                let y = (0..height).rev().find(|&y| at(x, y) >= 0.5)?;
                Some(y as f64 + 1.0 + if y + 1 < height { at(x, y + 1) } else { 0.0 })
            })
            .collect();
        let side = width.max(height) as f64;
        let floor = lowest.iter().flatten().copied().fold(0.0, f64::max);
        let reach = (side * AROUND).ceil() as usize;
        let columns = (0..width)
            .map(|x| {
                let Some(own) = lowest[x] else { return (0.0, 0.0) };
                let near = &lowest[x.saturating_sub(reach)..(x + reach + 1).min(width)];
                let local = near.iter().flatten().copied().fold(0.0, f64::max);
                let above_local = (local - own) / (side * TOUCH);
                let above_floor = (floor - own) / (height as f64 * FLOOR);
                (own, (-above_local - above_floor * above_floor).exp())
            })
            .collect();
        Self { columns }
    }

    /// First and last row that can matter.
    fn rows(&self) -> (f64, f64) {
        let rows = self.columns.iter().filter(|(_, touch)| *touch > 0.01).map(|(y, _)| *y);
        let (first, last) = rows.fold((f64::INFINITY, 0.0f64), |(a, b), y| (a.min(y), b.max(y)));
        if first.is_finite() { (first.floor(), last) } else { (0.0, 0.0) }
    }

    /// A band along the outline, so far above and so far below it, as dark as it touches.
    fn draw_line(&self, plane: &mut [f32], room: &Room, by: (f64, f64), (above, below): (f64, f64)) {
        for (x, &(y, touch)) in self.columns.iter().enumerate() {
            if touch > 0.01 {
                let middle = y + room.top + by.1;
                fill(plane, room, x as f64 + room.left + by.0, middle - above, middle + below, touch);
            }
        }
    }

    /// The area that the places of contact enclose, and a band along them.
    fn draw_area(&self, plane: &mut [f32], room: &Room, by: (f64, f64), band: (f64, f64)) {
        self.draw_line(plane, room, by, band);
        let points: Vec<(f64, f64)> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(_, (_, touch))| *touch > 0.3)
            .map(|(x, &(y, _))| (x as f64, y))
            .collect();
        // The columns come from left to right, so that each half of the hull is one sweep (Andrew's monotone chain).
        let lower = chain(&points, 1.0);
        let upper = chain(&points, -1.0);
        let (Some(&(first, _)), Some(&(last, _))) = (points.first(), points.last()) else {
            return;
        };
        for x in first as usize..=last as usize {
            let (a, b) = (height_at(&upper, x as f64), height_at(&lower, x as f64));
            fill(plane, room, x as f64 + room.left + by.0, a + room.top + by.1, b + room.top + by.1, BETWEEN);
        }
    }
}

/// One half of the convex hull of points sorted by x; `side` 1 is the half that lies lower in the picture.
fn chain(points: &[(f64, f64)], side: f64) -> Vec<(f64, f64)> {
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for &point in points {
        while let [.., a, b] = hull[..]
            && side * ((b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0)) >= 0.0
        {
            hull.pop();
        }
        hull.push(point);
    }
    hull
}

fn height_at(chain: &[(f64, f64)], x: f64) -> f64 {
    let after = chain.partition_point(|point| point.0 < x).min(chain.len() - 1);
    let (b, a) = (chain[after], chain[after.saturating_sub(1)]);
    if b.0 > a.0 { a.1 + (b.1 - a.1) * ((x - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) } else { b.1 }
}

/// Darkens a column between two heights to at least `value`; both ends by the share of the pixel that they cover.
fn fill(plane: &mut [f32], room: &Room, x: f64, from: f64, to: f64, value: f64) {
    let x = x.round();
    if x < 0.0 || x >= room.width as f64 {
        return;
    }
    let first = from.floor().max(0.0) as usize;
    let last = (to.ceil().max(0.0) as usize).min(room.height);
    for y in first..last {
        let covered = (to.min(y as f64 + 1.0) - from.max(y as f64)).clamp(0.0, 1.0);
        let pixel = &mut plane[y * room.width + x as usize];
        *pixel = pixel.max((covered * value) as f32);
    }
}

/// Blurs a plane with another strength across than down: three running means, which is a Gaussian to within 3 %.
fn soften(plane: &mut [f32], width: usize, across: f64, down: f64) {
    let mut line = Vec::new();
    for row in plane.chunks_exact_mut(width) {
        for _ in 0..3 {
            running_mean(row, across, &mut line);
        }
    }
    let height = plane.len() / width;
    let mut column = vec![0.0; height];
    for x in 0..width {
        for (value, row) in column.iter_mut().zip(plane.chunks_exact(width)) {
            *value = row[x];
        }
        for _ in 0..3 {
            running_mean(&mut column, down, &mut line);
        }
        for (value, row) in column.iter().zip(plane.chunks_exact_mut(width)) {
            row[x] = *value;
        }
    }
}

/// One running mean of the length whose threefold use has the standard deviation `sigma`; beyond the ends there is 0.
fn running_mean(values: &mut [f32], sigma: f64, sums: &mut Vec<f64>) {
    // Variance of a box of length n is (n² − 1) / 12, of three of them (n² − 1) / 4. The length need not be whole:
    // the two outermost values count in part.
    let length = (4.0 * sigma * sigma + 1.0).sqrt();
    let half = (length - 1.0) / 2.0;
    let (whole, part) = (half.floor() as usize, half.fract());
    sums.clear();
    sums.push(0.0);
    let mut sum = 0.0;
    for &value in values.iter() {
        sum += f64::from(value);
        sums.push(sum);
    }
    let count = values.len();
    let single = |at: Option<usize>| at.filter(|&at| at < count).map_or(0.0, |at| sums[at + 1] - sums[at]);
    for (x, value) in values.iter_mut().enumerate() {
        let inner = sums[(x + whole + 1).min(count)] - sums[x.saturating_sub(whole)];
        let outer = single(x.checked_sub(whole + 1)) + single(Some(x + whole + 1));
        *value = ((inner + outer * part) / length) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outline(width: u32, height: u32, inside: impl Fn(f64, f64) -> bool) -> Mask {
        let values = (0..width * height)
            .map(|i| {
                let (x, y) = (f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
                if inside(x, y) { 255 } else { 0 }
            })
            .collect();
        Mask::new(width, height, values).expect("a size")
    }

    /// The shadow at a point of the outline's own coordinates.
    fn at(shadow: &(Mask, i64, i64), x: i64, y: i64) -> u8 {
        let (mask, left, top) = shadow;
        let (x, y) = (x - left, y - top);
        let inside = (0..i64::from(mask.width())).contains(&x) && (0..i64::from(mask.height())).contains(&y);
        if inside { mask.values()[y as usize * mask.width() as usize + x as usize] } else { 0 }
    }

    #[test]
    fn it_is_darkest_at_the_base_and_fades_on_all_sides() {
        let shadow = mask(&outline(300, 200, |_, _| true), (0.0, 0.0), 6.0).expect("a mask");
        assert!(at(&shadow, 150, 199) > 200);
        let down: Vec<u8> = (200..240).map(|y| at(&shadow, 150, y)).collect();
        assert!(down.is_sorted_by(|a, b| a >= b), "{down:?}");
        let right: Vec<u8> = (300..360).map(|x| at(&shadow, x, 199)).collect();
        assert!(right.is_sorted_by(|a, b| a >= b), "{right:?}");
        assert!(right.iter().filter(|&&v| v > 10).count() > down.iter().filter(|&&v| v > 10).count());
        assert_eq!(at(&shadow, 150, 100), 0, "nothing half way up");
        for (left, right) in [(-5, 304), (-20, 319), (40, 259)] {
            assert!(at(&shadow, left, 200).abs_diff(at(&shadow, right, 200)) <= 2, "it is symmetrical");
        }
    }

    #[test]
    fn feet_farther_back_touch_the_floor_and_a_handle_in_the_air_does_not() {
        // A table from the front: a top, two long legs in front and two shorter ones between them behind.
        let table = outline(400, 300, |x, y| {
            let leg = |from: f64, to: f64, end: f64| (from..to).contains(&x) && y < end;
            y < 60.0
                || leg(0.0, 20.0, 300.0)
                || leg(380.0, 400.0, 300.0)
                || leg(90.0, 110.0, 275.0)
                || leg(290.0, 310.0, 275.0)
        });
        let shadow = mask(&table, (0.0, 0.0), 4.0).expect("a mask");
        assert!(at(&shadow, 10, 299) > 150 && at(&shadow, 100, 274) > 120);
        // A cup whose handle reaches out to the right, half way up.
        let cup = outline(300, 200, |x, y| x < 200.0 || (60.0..120.0).contains(&y));
        let shadow = mask(&cup, (0.0, 0.0), 4.0).expect("a mask");
        assert!(at(&shadow, 100, 199) > 200);
        assert_eq!(at(&shadow, 270, 121), 0);
    }

    #[test]
    fn small_and_thin_outlines_have_one_too() {
        for (width, height) in [(1, 1), (1, 50), (50, 1), (3, 2)] {
            let shadow = mask(&outline(width, height, |_, _| true), (1.0, 1.0), 0.0).expect("a mask");
            assert!(shadow.0.values().iter().any(|&v| v > 0), "{width} by {height}");
        }
    }

    #[test]
    fn it_looks_the_same_at_every_resolution() {
        let cup = |x: f64, y: f64| y < 150.0 + (1.0 - ((x - 150.0) / 150.0).powi(2)).max(0.0).sqrt() * 50.0;
        let one = mask(&outline(300, 200, cup), (0.0, 4.0), 6.0).expect("a mask");
        let four =
            mask(&outline(1200, 800, |x, y| cup(x / 4.0, y / 4.0)), (0.0, 16.0), 24.0).expect("a mask");
        for (x, y) in [(150, 199), (150, 204), (60, 190), (20, 170), (-10, 165), (200, 202)] {
            let (a, b) = (at(&one, x, y), at(&four, x * 4 + 2, y * 4 + 2));
            assert!(a.abs_diff(b) <= 24, "{x}, {y}: {a} and {b}");
        }
    }
}
