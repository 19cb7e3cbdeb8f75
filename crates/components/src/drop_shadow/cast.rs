//! The shadow that a light throws along the floor.
//!
//! Each row of the outline is taken for a disc as deep as the row is wide, within reason, at its height above the place
//! where it touches the floor. A disc's shadow is a disc of the same size, moved along the floor by its height over the
//! tangent of the light's elevation: so a leg throws a stripe from its own foot, and a body a shape as round as it is
//! itself. What lies higher throws a softer and a fainter edge, as under a light of some size.

use pixels::Mask;

use super::feet::{Feet, TOUCHES};
use super::room::{FLATTENING, Room, Soft};
use crate::soften::soften;

/// Depth of a row, compared with its width.
const DEPTH: f64 = 0.8;
/// Greatest depth of a row, in shares of the outline's longer side: wide things are not that deep.
const DEEPEST: f64 = 0.3;
/// Steps of softness between the contact and the far end.
const STEPS: usize = 6;

/// The light.
pub(super) struct Light {
    /// Direction in which shadows fall, in degrees clockwise: 0 to the right, 90 towards the viewer.
    pub angle: f64,
    /// Height above the floor, in degrees.
    pub elevation: f64,
    /// Standard deviation of the edge at the far end, in the outline's pixels.
    pub sigma: f64,
    /// How much of the shadow is lost on the way to its far end, 0 to 1.
    pub fade: f64,
}

impl Light {
    /// How far the shadow of a point falls across and down the picture, for each pixel that it lies above the floor.
    pub(super) fn fall(&self) -> (f64, f64) {
        let (sin, cos) = self.angle.to_radians().sin_cos();
        let length = 1.0 / self.elevation.to_radians().tan();
        (cos * length, sin * length * FLATTENING)
    }
}

/// A disc over the floor, by its shadow: middle and half axes, in the outline's pixels, and its height.
struct Disc {
    x: f64,
    y: f64,
    across: f64,
    down: f64,
    height: f64,
}

/// The shadow around a small outline with these feet.
pub(super) fn soft(outline: &Mask, feet: &Feet, light: &Light) -> Option<Soft> {
    let side = f64::from(outline.width().max(outline.height()));
    let discs = discs(outline, feet, light)?;
    let near = (side * 0.004).max(0.6);
    let far = light.sigma.max(near);
    let tallest = discs.iter().fold(0.0f64, |most, disc| most.max(disc.height)).max(1.0);
    let room = room_for(&discs, far * 3.2 + 3.0)?;
    let (mut covered, mut heights) = (room.plane(), vec![f32::MAX; room.width * room.height]);
    discs.iter().for_each(|disc| draw(disc, &room, &mut covered, &mut heights));

    // How high what throws the shadow lies, also beyond the shadow's edge: a mean of what is near.
    let mut height: Vec<f32> = covered
        .iter()
        .zip(&heights)
        .map(|(covered, height)| if *covered > 0.0 { covered * height } else { 0.0 })
        .collect();
    drop(heights);
    let mut weight = covered.clone();
    let around = far.max(side * 0.01) * 1.2;
    for plane in [&mut height, &mut weight] {
        // The floor of the weight keeps places apart from which nothing is near.
        soften(plane, room.width, around, around * FLATTENING);
    }
    for (height, weight) in height.iter_mut().zip(&weight) {
        *height = (*height / (weight.max(1e-6) * tallest as f32)).clamp(0.0, 1.0);
    }
    drop(weight);

    // Between two steps of softness both count, in proportion.
    let mut values = room.plane();
    for step in 0..STEPS {
        let share = step as f64 / (STEPS - 1) as f64;
        let sigma = near + (far - near) * share;
        let mut plane = covered.clone();
        soften(&mut plane, room.width, sigma, (sigma * FLATTENING).max(near * 0.6));
        for ((value, plane), height) in values.iter_mut().zip(&plane).zip(&height) {
            let part = 1.0 - (height * (STEPS - 1) as f32 - step as f32).abs();
            *value += plane.min(1.0) * part.max(0.0);
        }
    }
    for (value, height) in values.iter_mut().zip(&height) {
        *value *= 1.0 - light.fade as f32 * height;
    }
    Some(Soft { room, values })
}

/// The shadows of all rows; `None` where the outline touches the floor nowhere.
fn discs(outline: &Mask, feet: &Feet, light: &Light) -> Option<Vec<Disc>> {
    let width = outline.width() as usize;
    let side = f64::from(outline.width().max(outline.height()));
    let floor = feet.floor()?;
    let fall = light.fall();
    // Rows lie a pixel apart; where they throw their shadows farther apart than that, there are some in between.
    let between = fall.0.abs().max(fall.1.abs() * 2.0).ceil().max(1.0) as usize;
    let mut discs = Vec::new();
    for (y, row) in outline.values().chunks_exact(width).enumerate() {
        let mut x = 0;
        while let Some(first) = row[x..].iter().position(|&value| value >= 128).map(|at| at + x) {
            let last = row[first..].iter().position(|&value| value < 128).map_or(width, |at| at + first);
            x = last;
            let part =
                |at: Option<usize>| at.and_then(|at| row.get(at)).map_or(0.0, |&v| f64::from(v) / 255.0);
            let (left, right) = (first as f64 - part(first.checked_sub(1)), last as f64 + part(Some(last)));
            let (middle, across) = ((left + right) / 2.0, (right - left) / 2.0);
            let axis = axis_of(&feet.columns[first..last])
                .unwrap_or_else(|| floor[(middle as usize).min(width - 1)]);
            for part in 0..between {
                let height = (axis - (y as f64 + 0.5 + part as f64 / between as f64)).max(0.0);
                discs.push(Disc {
                    x: middle + fall.0 * height,
                    y: axis + fall.1 * height,
                    across,
                    down: (across * DEPTH).min(side * DEEPEST) * FLATTENING,
                    height,
                });
            }
        }
    }
    Some(discs)
}

/// Where the axis of something stands on the floor, from the columns in which it touches there: behind its front by what
/// of its depth is hidden.
fn axis_of(columns: &[(f64, f64)]) -> Option<f64> {
    let touches = |column: &(f64, f64)| column.1 > TOUCHES;
    let (first, last) = (columns.iter().position(touches)?, columns.iter().rposition(touches)?);
    let front = columns[first..=last].iter().filter(|column| touches(column)).fold(0.0f64, |a, b| a.max(b.0));
    Some(front - 0.6 * FLATTENING * (last - first) as f64 / 2.0)
}

/// The plane that holds all discs with a margin; bounded, as the light is never lower than a fifth of a right angle.
fn room_for(discs: &[Disc], margin: f64) -> Option<Room> {
    let range = |low: &dyn Fn(&Disc) -> f64, high: &dyn Fn(&Disc) -> f64| {
        let least = discs.iter().map(low).fold(f64::INFINITY, f64::min);
        let most = discs.iter().map(high).fold(f64::NEG_INFINITY, f64::max);
        (least.is_finite()).then(|| ((least - margin).floor() as i64, (most + margin).ceil() as i64))
    };
    let (left, right) = range(&|disc| disc.x - disc.across, &|disc| disc.x + disc.across)?;
    let (top, bottom) = range(&|disc| disc.y - disc.down, &|disc| disc.y + disc.down)?;
    Some(Room { width: (right - left) as usize, height: (bottom - top) as usize, left: -left, top: -top })
}

/// Darkens what a disc shades, and lowers the height known there to its own.
fn draw(disc: &Disc, room: &Room, covered: &mut [f32], heights: &mut [f32]) {
    let (middle, centre) = (disc.x + room.left as f64, disc.y + room.top as f64);
    let down = disc.down.max(0.5);
    let first = (centre - down).floor().max(0.0) as usize;
    let last = ((centre + down).ceil().max(0.0) as usize).min(room.height);
    for y in first..last {
        let away = (y as f64 + 0.5 - centre) / down;
        let half = disc.across * (1.0 - away * away).max(0.0).sqrt();
        let (from, to) = (middle - half, middle + half);
        let columns = (from.floor().max(0.0) as usize, (to.ceil().max(0.0) as usize).min(room.width));
        let span = y * room.width + columns.0..y * room.width + columns.1.max(columns.0);
        let height = disc.height as f32;
        for (i, (covered, known)) in covered[span.clone()].iter_mut().zip(&mut heights[span]).enumerate() {
            let x = (columns.0 + i) as f64;
            let share = (to.min(x + 1.0) - from.max(x)).clamp(0.0, 1.0) as f32;
            if share > 0.0 {
                *covered = covered.max(share);
                *known = known.min(height);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pole: 8 wide and 200 high, 40 columns from the left of its outline, on a foot.
    fn pole() -> Mask {
        let values = (0..80 * 200u32).map(|i| if (36..44).contains(&(i % 80)) { 255 } else { 0 }).collect();
        Mask::new(80, 200, values).expect("80 by 200")
    }

    fn light(angle: f64, elevation: f64) -> Light {
        Light { angle, elevation, sigma: 4.0, fade: 0.5 }
    }

    /// The mean place of what is shaded, weighted, and the greatest value, beside the pole's foot.
    fn thrown(light: &Light) -> ((f64, f64), f32) {
        let outline = pole();
        let soft = soft(&outline, &Feet::of(&outline), light).expect("it stands");
        let (mut sum, mut across, mut down) = (0.0, 0.0, 0.0);
        for (i, &value) in soft.values.iter().enumerate() {
            let (x, y) = (i % soft.room.width, i / soft.room.width);
            sum += f64::from(value);
            across += f64::from(value) * (x as f64 + 0.5 - soft.room.left as f64 - 40.0);
            down += f64::from(value) * (y as f64 + 0.5 - soft.room.top as f64 - 200.0);
        }
        ((across / sum, down / sum), soft.values.iter().copied().fold(0.0, f32::max))
    }

    #[test]
    fn it_falls_where_the_light_sends_it() {
        // With half of it lost by the end, the mean of an even stripe lies at (1/2 - 1/6) / (1 - 1/4) of its length.
        let share = (0.5 - 0.5 / 3.0) / 0.75;
        for (angle, elevation) in [(0.0, 45.0), (90.0, 45.0), (180.0, 60.0), (225.0, 40.0), (300.0, 30.0)] {
            let light = light(angle, elevation);
            let ((across, down), most) = thrown(&light);
            let (sin, cos) = f64::to_radians(angle).sin_cos();
            let length = 200.0 / f64::to_radians(elevation).tan() * share;
            let expected = (cos * length, sin * length * FLATTENING);
            assert!((across - expected.0).abs() < 8.0, "{angle}, {elevation}: {across} for {}", expected.0);
            assert!((down - expected.1).abs() < 6.0, "{angle}, {elevation}: {down} for {}", expected.1);
            assert!(most > 0.4);
        }
    }

    #[test]
    fn it_is_anchored_at_the_foot_and_softer_and_fainter_at_the_end() {
        let outline = pole();
        let soft = soft(&outline, &Feet::of(&outline), &light(0.0, 45.0)).expect("it stands");
        let column = |x: i64| -> Vec<f32> {
            let x = (x + soft.room.left) as usize;
            soft.values.iter().skip(x).step_by(soft.room.width).copied().collect()
        };
        let (near, far) = (column(60), column(220));
        let most = |of: &[f32]| of.iter().copied().fold(0.0, f32::max);
        assert!(most(&near) > 0.6 && most(&far) < most(&near) * 0.8);
        // As wide a share of the sum lies within fewer rows where it is sharper.
        let rows = |of: &[f32]| of.iter().filter(|&&value| value > most(of) * 0.1).count();
        assert!(rows(&far) > rows(&near), "{} and {}", rows(&far), rows(&near));
        assert!(most(&column(10)) < 0.05, "nothing on the side of the light");
        assert!(most(&column(260)) < 0.05, "nothing beyond its end");
    }
}
