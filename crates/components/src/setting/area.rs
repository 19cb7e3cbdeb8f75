//! Places in a picture that somebody marked: boxes, polygons and strokes of a brush.
//!
//! Coordinates are shares of the picture: `x` of its width and `y` of its height, 0 at the left and top edge, 1 at the
//! right and bottom edge. So they hold at every size that the picture is worked on.

use std::borrow::Cow;

use pixels::{Mask, PixelError};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::{List, in_range, write_number};

/// A share of a side of the picture, 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Share(f64);

impl Share {
    /// The share, or the nearest that is allowed.
    pub const fn new(value: f64) -> Self {
        Self(value.clamp(0.0, 1.0))
    }

    /// The share.
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl Serialize for Share {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        write_number(self.0, to)
    }
}

impl<'de> Deserialize<'de> for Share {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let given = Value::deserialize(from)?;
        in_range::<D::Error>(&given, 0, 1, "a share of the picture from 0 to 1").map(Self)
    }
}

impl JsonSchema for Share {
    fn schema_name() -> Cow<'static, str> {
        "Share".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "number", "minimum": 0, "maximum": 1 })
    }

    fn inline_schema() -> bool {
        true
    }
}

/// A point of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Point {
    /// Share of the width from the left edge.
    pub x: Share,
    /// Share of the height from the top edge.
    pub y: Share,
}

impl Point {
    /// The point at these shares.
    pub const fn new(x: f64, y: f64) -> Self {
        Self { x: Share::new(x), y: Share::new(y) }
    }

    fn px(self, width: u32, height: u32) -> (f64, f64) {
        (self.x.get() * f64::from(width), self.y.get() * f64::from(height))
    }
}

/// A rectangle of the picture; what reaches over the right or bottom edge is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rectangle {
    /// Left edge, as a share of the width.
    pub x: Share,
    /// Top edge, as a share of the height.
    pub y: Share,
    /// Width, as a share of the picture's.
    pub width: Share,
    /// Height, as a share of the picture's.
    pub height: Share,
}

/// The inside of a closed line; where it crosses itself, what is enclosed twice is outside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Polygon {
    /// Its corners, at least three; the last is joined to the first.
    pub points: List<Point, 2000>,
}

/// A stroke of a round brush.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stroke {
    /// The way of the brush; one point is a dab.
    pub points: List<Point, 2000>,
    /// Diameter of the brush, as a share of the picture's longer side.
    pub width: Share,
}

/// Everything that somebody marked.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Areas {
    /// Rectangles.
    pub boxes: List<Rectangle, 1000>,
    /// Closed lines.
    pub polygons: List<Polygon, 1000>,
    /// Strokes of a brush.
    pub strokes: List<Stroke, 1000>,
}

impl Areas {
    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.boxes.is_empty() && self.polygons.is_empty() && self.strokes.is_empty()
    }

    /// Refuses what encloses nothing: a flat box, a polygon of two points, a stroke without points or width.
    pub fn check(&self) -> Result<(), String> {
        for (index, area) in self.boxes.iter().enumerate() {
            if area.width.get() == 0.0 || area.height.get() == 0.0 {
                return Err(format!("box {} is flat; give it a `width` and a `height` above 0", index + 1));
            }
        }
        if let Some(index) = self.polygons.iter().position(|area| area.points.len() < 3) {
            return Err(format!("polygon {} has fewer than three points; add some", index + 1));
        }
        for (index, area) in self.strokes.iter().enumerate() {
            if area.points.is_empty() || area.width.get() == 0.0 {
                let number = index + 1;
                return Err(format!("stroke {number} covers nothing; give it points and a `width` above 0"));
            }
        }
        Ok(())
    }

    /// What is marked of a picture of that size: 255 where the middle of a pixel lies inside an area, 0 elsewhere.
    /// An area that is thinner than a pixel still marks the pixels it passes. Refuses a side of 0.
    pub fn mask(&self, width: u32, height: u32) -> Result<Mask, PixelError> {
        let mut mask = Mask::new(width, height, vec![0; width as usize * height as usize])?;
        let mut paper = Paper { width, height, values: mask.values_mut() };
        self.boxes.iter().for_each(|area| paper.fill_box(area));
        self.polygons.iter().for_each(|area| paper.fill_polygon(area));
        self.strokes.iter().for_each(|area| paper.fill_stroke(area));
        Ok(mask)
    }
}

/// A mask while it is drawn.
struct Paper<'a> {
    width: u32,
    height: u32,
    values: &'a mut [u8],
}

impl Paper<'_> {
    /// Marks the pixels of row `y` whose middle lies from `from` to `to`, at least the one under `from`.
    fn fill_row(&mut self, y: usize, from: f64, to: f64) {
        let width = self.width as usize;
        let first = (from - 0.5).ceil().max(0.0) as usize;
        let last = (to - 0.5).ceil().clamp(0.0, self.width.into()) as usize;
        let row = &mut self.values[y * width..][..width];
        if first < last {
            row[first..last].fill(255);
        } else if (0.0..=f64::from(self.width)).contains(&from) {
            row[(from as usize).min(width - 1)] = 255;
        }
    }

    /// Rows whose middle lies from `from` to `to`, at least the one under `from`.
    fn rows(&self, from: f64, to: f64) -> std::ops::Range<usize> {
        let height = self.height as usize;
        let first = (from - 0.5).ceil().max(0.0) as usize;
        let last = (to - 0.5).ceil().clamp(0.0, self.height.into()) as usize;
        if first < last {
            return first..last;
        }
        let only = (from.max(0.0) as usize).min(height - 1);
        only..only + 1
    }

    fn fill_box(&mut self, area: &Rectangle) {
        let (width, height) = (f64::from(self.width), f64::from(self.height));
        let (left, top) = (area.x.get() * width, area.y.get() * height);
        let (right, bottom) = (left + area.width.get() * width, top + area.height.get() * height);
        for y in self.rows(top, bottom) {
            self.fill_row(y, left, right);
        }
    }

    fn fill_polygon(&mut self, area: &Polygon) {
        let corners: Vec<_> = area.points.iter().map(|point| point.px(self.width, self.height)).collect();
        let top = corners.iter().fold(f64::MAX, |least, corner| least.min(corner.1));
        let bottom = corners.iter().fold(0.0f64, |most, corner| most.max(corner.1));
        let mut crossings = Vec::new();
        for y in self.rows(top, bottom) {
            let middle = y as f64 + 0.5;
            crossings.clear();
            for (index, &(x, from)) in corners.iter().enumerate() {
                let (to_x, to) = corners[(index + 1) % corners.len()];
                if (from <= middle) != (to <= middle) {
                    crossings.push(x + (to_x - x) * (middle - from) / (to - from));
                }
            }
            crossings.sort_by(f64::total_cmp);
            for pair in crossings.as_chunks::<2>().0 {
                self.fill_row(y, pair[0], pair[1]);
            }
        }
    }

    fn fill_stroke(&mut self, area: &Stroke) {
        let radius = area.width.get() * f64::from(self.width.max(self.height)) / 2.0;
        // The pixels that a hair-thin brush passes are a little more than half a pixel away from its line.
        let radius = radius.max(0.71);
        let line: Vec<_> = area.points.iter().map(|point| point.px(self.width, self.height)).collect();
        for (index, &from) in line.iter().enumerate() {
            let to = line.get(index + 1).copied().unwrap_or(from);
            if index == 0 || index + 1 < line.len() {
                self.fill_capsule(from, to, radius);
            }
        }
    }

    /// Marks everything within `radius` of a straight line, row by row.
    fn fill_capsule(&mut self, from: (f64, f64), to: (f64, f64), radius: f64) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let length = dx.hypot(dy);
        for y in self.rows(from.1.min(to.1) - radius, from.1.max(to.1) + radius) {
            let middle = y as f64 + 0.5;
            let (mut left, mut right) = (f64::MAX, f64::MIN);
            let mut reach = |low: f64, high: f64| (left, right) = (left.min(low), right.max(high));
            for end in [from, to] {
                let away = middle - end.1;
                if away.abs() <= radius {
                    let half = (radius * radius - away * away).sqrt();
                    reach(end.0 - half, end.0 + half);
                }
            }
            if length > 0.0 {
                // The long sides of the capsule are the line, moved to both sides.
                let (side_x, side_y) = (-dy / length * radius, dx / length * radius);
                for side in [1.0, -1.0] {
                    let (x, start) = (from.0 + side_x * side, from.1 + side_y * side);
                    if dy != 0.0 {
                        let along = (middle - start) / dy;
                        if (0.0..=1.0).contains(&along) {
                            reach(x + dx * along, x + dx * along);
                        }
                    }
                }
            }
            if left <= right {
                self.fill_row(y, left, right);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{from_value, json, to_value};

    use super::*;

    fn drawn(areas: Value, width: u32, height: u32) -> Vec<String> {
        let areas: Areas = from_value(areas).expect("areas");
        let mask = areas.mask(width, height).expect("a mask");
        let rows = mask.values().chunks(width as usize);
        rows.map(|row| row.iter().map(|&v| if v == 255 { '#' } else { '.' }).collect()).collect()
    }

    #[test]
    fn areas_are_shares_of_the_picture() {
        let corner = json!({ "boxes": [{ "x": 0.5, "y": 0, "width": 0.25, "height": 0.5 }] });
        assert_eq!(drawn(corner, 8, 4), ["....##..", "....##..", "........", "........"]);
        let triangle = json!({ "polygons": [{ "points": [
            { "x": 0, "y": 0 }, { "x": 1, "y": 0 }, { "x": 0, "y": 1 }
        ] }] });
        assert_eq!(drawn(triangle, 4, 4), ["###.", "##..", "#...", "#..."].map(|row| row.to_owned()));
        let line = json!({ "strokes": [{ "points": [{ "x": 0.25, "y": 0.5 }, { "x": 0.75, "y": 0.5 }], "width": 0.25 }] });
        assert_eq!(drawn(line, 8, 4), ["........", ".######.", ".######.", "........"]);
    }

    #[test]
    fn what_is_thinner_than_a_pixel_still_marks_it() {
        let dab = json!({ "strokes": [{ "points": [{ "x": 0.55, "y": 0.55 }], "width": 0.0001 }] });
        assert_eq!(drawn(dab, 5, 5)[2], "..#..");
        let flat = json!({ "boxes": [{ "x": 0.41, "y": 0.41, "width": 0.001, "height": 0.001 }] });
        assert_eq!(drawn(flat, 5, 5)[2], "..#..");
    }

    #[test]
    fn what_encloses_nothing_or_lies_outside_is_refused() {
        let refused =
            |given: Value| from_value::<Areas>(given).expect("in range").check().expect_err("refused");
        let flat = json!({ "boxes": [{ "x": 0, "y": 0, "width": 0, "height": 1 }] });
        assert_eq!(refused(flat), "box 1 is flat; give it a `width` and a `height` above 0");
        let two = json!({ "polygons": [{ "points": [{ "x": 0, "y": 0 }, { "x": 1, "y": 1 }] }] });
        assert!(refused(two).contains("fewer than three points"));
        let none = json!({ "strokes": [{ "points": [], "width": 0.1 }] });
        assert!(refused(none).starts_with("stroke 1 covers nothing"));
        let outside = json!({ "boxes": [{ "x": 1.5, "y": 0, "width": 0.1, "height": 0.1 }] });
        let error = from_value::<Areas>(outside).expect_err("outside");
        assert_eq!(error.to_string(), "is 1.5, at most 1 is allowed");
        let many = json!(vec![json!({ "x": 0, "y": 0, "width": 1, "height": 1 }); 1001]);
        assert!(
            from_value::<Areas>(json!({ "boxes": many }))
                .expect_err("many")
                .to_string()
                .contains("at most 1000")
        );
    }

    #[test]
    fn areas_are_written_as_they_are_read() {
        let given = json!({
            "boxes": [{ "x": 0.25, "y": 0, "width": 1, "height": 0.5 }],
            "polygons": [],
            "strokes": [{ "points": [{ "x": 0, "y": 1 }], "width": 0.01 }],
        });
        assert_eq!(to_value(from_value::<Areas>(given.clone()).expect("areas")).expect("JSON"), given);
    }

    proptest! {
        #[test]
        fn strokes_cover_what_is_within_half_their_width(
            ends in prop::array::uniform4(0.0f64..=1.0), width in 0.05f64..0.5,
        ) {
            let [ax, ay, bx, by] = ends;
            let points = List::new(vec![Point::new(ax, ay), Point::new(bx, by)]);
            let stroke = Stroke { points, width: Share::new(width) };
            let areas = Areas { strokes: List::new(vec![stroke]), ..Areas::default() };
            let mask = areas.mask(40, 30).expect("a mask");
            let ((ax, ay), (bx, by)) = ((ax * 40.0, ay * 30.0), (bx * 40.0, by * 30.0));
            for (index, &value) in mask.values().iter().enumerate() {
                let (x, y) = ((index % 40) as f64 + 0.5, (index / 40) as f64 + 0.5);
                let (dx, dy) = (bx - ax, by - ay);
                let along = ((x - ax) * dx + (y - ay) * dy) / (dx * dx + dy * dy).max(1e-9);
                let along = along.clamp(0.0, 1.0);
                let away = (x - ax - along * dx).hypot(y - ay - along * dy);
                let radius = width * 20.0;
                prop_assert!(away > radius - 1e-6 || value == 255, "{x} {y} is inside");
                prop_assert!(away < radius + 0.75 || value == 0, "{x} {y} is outside");
            }
        }
    }
}
