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
/// From this share of its width on, what lies under something belongs to it rather than carry it.
const BODY: f64 = 0.4;
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
    let mut rows: Vec<Vec<Piece>> = Vec::new();
    for (y, row) in outline.values().chunks_exact(width).enumerate().rev() {
        let mut pieces = Vec::new();
        let mut x = 0;
        while let Some(first) = row[x..].iter().position(|&value| value >= 128).map(|at| at + x) {
            let last = row[first..].iter().position(|&value| value < 128).map_or(width, |at| at + first);
            x = last;
            let part =
                |at: Option<usize>| at.and_then(|at| row.get(at)).map_or(0.0, |&v| f64::from(v) / 255.0);
            let ends = (first as f64 - part(first.checked_sub(1)), last as f64 + part(Some(last)));
            let below = rows.last().map_or(&[] as &[Piece], Vec::as_slice);
            pieces.push(Piece::over(below, (first, last), ends, feet, y, side * DEEPEST));
        }
        rows.push(pieces);
    }
    // A body stands on all its legs, down to where they leave it.
    for y in (1..rows.len()).rev() {
        let (lower, upper) = rows.split_at_mut(y);
        for piece in &mut lower[y - 1] {
            piece.belong(&upper[0]);
        }
    }
    let mut discs = Vec::new();
    for (y, pieces) in rows.iter().rev().enumerate() {
        for piece in pieces {
            let (middle, across) = ((piece.ends.0 + piece.ends.1) / 2.0, (piece.ends.1 - piece.ends.0) / 2.0);
            let axis = piece.axis().unwrap_or_else(|| floor[(middle as usize).min(width - 1)]);
            for part in 0..between {
                let height = (axis - (y as f64 + 0.5 + part as f64 / between as f64)).max(0.0);
                discs.push(Disc {
                    x: middle + fall.0 * height,
                    y: axis + fall.1 * height,
                    across,
                    down: piece.depth * FLATTENING,
                    height,
                });
            }
        }
    }
    Some(discs)
}

/// A stretch of a row, with what it stands on.
struct Piece {
    columns: (usize, usize),
    /// Where its edges lie, to a part of a pixel.
    ends: (f64, f64),
    /// Half of its depth.
    depth: f64,
    bases: Vec<Base>,
}

/// Neighbouring columns that touch the floor: first and last, and how far in front.
#[derive(Clone)]
struct Base {
    first: usize,
    last: usize,
    front: f64,
}

impl Piece {
    /// A stretch of row `y` over those of the row below: it stands on what they stand on, and on what touches here.
    fn over(
        below: &[Self],
        columns: (usize, usize),
        ends: (f64, f64),
        feet: &Feet,
        y: usize,
        deepest: f64,
    ) -> Self {
        let under: Vec<&Self> = below.iter().filter(|piece| piece.meets(columns)).collect();
        let mut bases: Vec<Base> = under.iter().flat_map(|piece| piece.bases.iter().cloned()).collect();
        for x in columns.0..columns.1 {
            let (front, touch) = feet.columns[x];
            if touch > TOUCHES && (front - 1.0).floor() == y as f64 {
                match bases.iter_mut().find(|base| x + 2 > base.first && x < base.last + 2) {
                    Some(base) => {
                        (base.first, base.last) = (base.first.min(x), base.last.max(x));
                        base.front = base.front.max(front);
                    }
                    None => bases.push(Base { first: x, last: x, front }),
                }
            }
        }
        // What grows wider by a little, such as by a handle, is no deeper at once for that.
        let grown = under.iter().map(|piece| piece.depth).fold(0.0, f64::max);
        let depth = ((ends.1 - ends.0) / 2.0 * DEPTH).min(deepest);
        let depth = if depth < grown * 1.4 { depth.min(grown + 0.15) } else { depth };
        Self { columns, ends, depth, bases }
    }

    fn meets(&self, columns: (usize, usize)) -> bool {
        self.columns.0 < columns.1 && columns.0 < self.columns.1
    }

    /// Stands on what the widest of those above it stands on, unless it is so much narrower that it is a leg of it.
    fn belong(&mut self, above: &[Self]) {
        let width = |piece: &Self| piece.columns.1 - piece.columns.0;
        let widest = above.iter().filter(|piece| piece.meets(self.columns)).max_by_key(|piece| width(piece));
        if let Some(body) = widest.filter(|body| width(self) as f64 >= BODY * width(body) as f64) {
            self.bases.clone_from(&body.bases);
        }
    }

    /// Where its axis stands on the floor: behind its front by what of its depth is hidden. The mean of all that it stands
    /// on, by their widths.
    fn axis(&self) -> Option<f64> {
        let sums = self.bases.iter().fold((0.0, 0.0), |(sum, whole), base| {
            let wide = (base.last - base.first) as f64 + 1.0;
            let axis = base.front - 0.6 * FLATTENING * (wide - 1.0) / 2.0;
            (sum + axis * wide, whole + wide)
        });
        (sums.1 > 0.0).then(|| sums.0 / sums.1)
    }
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
