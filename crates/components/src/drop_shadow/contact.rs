//! The shadow of something that stands on a floor, from its outline alone.
//!
//! Light from all around is blocked most where subject and floor meet. So the shadow is darkest in a thin line along
//! the places where the outline touches the floor, and fades with the distance from the area that these places enclose,
//! farther to the sides than up and down, because the floor is seen at a flat angle.

use super::feet::{Feet, TOUCHES};
use super::room::{FLATTENING, Room, Soft};
use crate::soften::soften;

/// How dark the floor between feet is, compared with the floor right under them: some light falls in from all sides.
const BETWEEN: f64 = 0.5;

/// The shadow around a small outline of that width. `by` is how far it falls, `sigma` how softly it fades, both in the
/// outline's pixels, as is its longer `side`.
pub(super) fn soft(feet: &Feet, width: u32, side: f64, by: (f64, f64), sigma: f64) -> Soft {
    // Never sharper than a thin line of contact; the wide part reaches three times as far as the middle one.
    let near = (side * 0.006).max(0.6);
    let middle = sigma.max(near);
    let wide = middle * 3.0;
    let (fall_x, fall_y) = (by.0, by.1 * FLATTENING);
    let margin_x = (wide * 3.2 + fall_x.abs()).ceil() as usize + 2;
    let margin_y = (wide * FLATTENING * 6.2 + fall_y.abs()).ceil() as usize + 2;
    let (first, last) = feet.rows();
    let room = Room {
        width: width as usize + 2 * margin_x,
        height: (last - first).ceil() as usize + 1 + 2 * margin_y,
        left: margin_x as i64,
        top: margin_y as i64 - first as i64,
    };

    // What stands on the floor has a depth that the outline hides: each band reaches up behind the subject as far as
    // it fades, and down by a little, so that it is dark where it begins to be seen.
    let mut touch = room.plane();
    draw_line(feet, &mut touch, &room, (0.0, 0.0), (near * 3.0, near * 0.8));
    soften(&mut touch, room.width, near * 1.3, near * 0.8);
    let band = |sigma: f64| (sigma * FLATTENING * 3.0, sigma * FLATTENING * 0.5);
    let mut around = room.plane();
    draw_line(feet, &mut around, &room, (fall_x * 0.5, fall_y * 0.5), band(middle));
    let mut far = room.plane();
    draw_area(feet, &mut far, &room, (fall_x, fall_y), band(wide));
    soften(&mut around, room.width, middle, middle * FLATTENING);
    soften(&mut far, room.width, wide, wide * FLATTENING);
    for ((touch, around), far) in touch.iter_mut().zip(&around).zip(&far) {
        // Each blocks a share of what light the others let through.
        let light =
            (1.0 - 0.75 * touch.min(1.0)) * (1.0 - 0.7 * around.min(1.0)) * (1.0 - 0.6 * far.min(1.0));
        *touch = 1.0 - light;
    }
    Soft { room, values: touch }
}

/// A band along the outline, so far above and so far below it, as dark as it touches.
fn draw_line(feet: &Feet, plane: &mut [f32], room: &Room, by: (f64, f64), (above, below): (f64, f64)) {
    for (x, &(y, touch)) in feet.columns.iter().enumerate() {
        if touch > 0.01 {
            let middle = y + room.top as f64 + by.1;
            fill(plane, room, x as f64 + room.left as f64 + by.0, middle - above, middle + below, touch);
        }
    }
}

/// The area that the places of contact enclose, and a band along them.
fn draw_area(feet: &Feet, plane: &mut [f32], room: &Room, by: (f64, f64), band: (f64, f64)) {
    draw_line(feet, plane, room, by, band);
    let points: Vec<(f64, f64)> = feet
        .columns
        .iter()
        .enumerate()
        .filter(|(_, (_, touch))| *touch > TOUCHES)
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
        fill(
            plane,
            room,
            x as f64 + room.left as f64 + by.0,
            a + room.top as f64 + by.1,
            b + room.top as f64 + by.1,
            BETWEEN,
        );
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

#[cfg(test)]
mod tests {
    use pixels::Mask;

    use super::super::room::Small;
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

    fn mask(alpha: &Mask, by: (f64, f64), sigma: f64) -> Option<(Mask, i64, i64)> {
        let small = Small::of(alpha).ok()?;
        let (by, sigma) = ((by.0 * small.scale, by.1 * small.scale), sigma * small.scale);
        let shadow = soft(&Feet::of(&small.outline), small.outline.width(), small.side(), by, sigma);
        small.enlarged(&shadow, None).ok()?
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
