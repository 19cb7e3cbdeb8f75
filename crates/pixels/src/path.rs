//! Clipping paths: the outline of a mask as closed cubic Bézier curves, for layout programs and as SVG.

mod contour;
mod fit;

use std::fmt::Write as _;

use crate::{Mask, PixelError};

/// A point in pixels from the top left corner of the picture; the centre of the first pixel is (0.5, 0.5).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Point {
    /// To the right.
    pub x: f64,
    /// Downwards.
    pub y: f64,
}

/// A point that the curve goes through, with the two control points that shape it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Knot {
    /// Control point of the piece that arrives.
    pub before: Point,
    /// The point itself.
    pub at: Point,
    /// Control point of the piece that leaves.
    pub after: Point,
}

/// One closed curve: a cubic Bézier piece from each knot to the next, and from the last to the first.
///
/// Outer curves run clockwise as seen, holes anticlockwise, so that both filling rules give the same area.
#[derive(Clone, Debug, PartialEq)]
pub struct Subpath {
    /// At least two knots.
    pub knots: Vec<Knot>,
    /// Whether it encloses a hole.
    pub is_hole: bool,
}

/// The closed curves around what a mask holds.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// Width of the picture in pixels.
    pub width: u32,
    /// Height of the picture in pixels.
    pub height: u32,
    /// The curves; those that enclose nothing visible are left out.
    pub subpaths: Vec<Subpath>,
}

/// A path that layout programs cut the picture out by.
#[derive(Clone, Debug, PartialEq)]
pub struct ClippingPath {
    /// The curves; for a picture of the same size.
    pub path: Path,
    /// Its name, as shown in the list of paths: ASCII, at most 63 characters are kept.
    pub name: String,
}

/// How a mask is traced.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TraceOptions {
    /// Farthest that the curve may be from the outline of the mask, in pixels (0.05..=20). A larger one gives fewer knots.
    pub tolerance: f64,
    /// Smallest area that is kept, in square pixels; smaller spots and holes are left out.
    pub min_area: f64,
    /// Whether holes are kept.
    pub holes: bool,
}

impl Default for TraceOptions {
    fn default() -> Self {
        // Just above the half pixel by which the steps of a mask without soft edges are off.
        Self { tolerance: 0.75, min_area: 16.0, holes: true }
    }
}

/// Traces the 50 % line of a mask: marching squares with linear interpolation, then curves fitted by Schneider's method
/// ("An Algorithm for Automatically Fitting Digitized Curves", Graphics Gems, 1990) between corners.
///
/// What lies outside the picture counts as empty, so curves along its edge close there. Takes time in proportion to the
/// pixels, and n log n in the length of the outline. Refuses a tolerance or an area out of range.
pub fn trace(mask: &Mask, options: &TraceOptions) -> Result<Path, PixelError> {
    let refuse =
        |name, value: f64, allowed| Err(PixelError::Argument { name, value: value.to_string(), allowed });
    if !(0.05..=20.0).contains(&options.tolerance) {
        return refuse("tolerance", options.tolerance, "0.05 to 20 is allowed");
    }
    if !(0.0..=1e12).contains(&options.min_area) {
        return refuse("min_area", options.min_area, "0 to 1e12 is allowed");
    }
    let mut subpaths = Vec::new();
    for contour in contour::contours(mask) {
        let area = contour::signed_area(&contour);
        let is_hole = area < 0.0;
        if area.abs() >= options.min_area && (options.holes || !is_hole) {
            subpaths.push(Subpath { knots: fit::closed(&contour, options.tolerance), is_hole });
        }
    }
    Ok(Path { width: mask.width(), height: mask.height(), subpaths })
}

impl Path {
    /// Knots of all curves together.
    pub fn knots(&self) -> usize {
        self.subpaths.iter().map(|subpath| subpath.knots.len()).sum()
    }

    /// The curves as the `d` of an SVG path, in pixels to two decimals.
    pub fn svg_data(&self) -> String {
        let mut data = String::new();
        for subpath in &self.subpaths {
            let Some(first) = subpath.knots.first() else { continue };
            // Writing into a text cannot fail.
            let _ = write!(data, "M{:.2} {:.2}", first.at.x, first.at.y);
            let mut from = first;
            for to in subpath.knots.iter().skip(1).chain([first]) {
                let (a, b, c) = (from.after, to.before, to.at);
                let _ = write!(data, "C{:.2} {:.2} {:.2} {:.2} {:.2} {:.2}", a.x, a.y, b.x, b.y, c.x, c.y);
                from = to;
            }
            data.push('Z');
        }
        data
    }

    /// A whole SVG file: the area inside the curves in black, the picture's size as its view.
    pub fn svg(&self) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\">\
             <path fill-rule=\"evenodd\" d=\"{}\"/></svg>\n",
            self.svg_data(),
            w = self.width,
            h = self.height
        )
    }
}

/// The point of a cubic Bézier piece at `t`, 0 to 1.
pub(crate) fn bezier(piece: &[Point; 4], t: f64) -> Point {
    let s = 1.0 - t;
    let weights = [s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t];
    let sum =
        |of: fn(&Point) -> f64| piece.iter().zip(weights).map(|(point, weight)| of(point) * weight).sum();
    Point { x: sum(|p| p.x), y: sum(|p| p.y) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mask drawn by 4 by 4 samples a pixel.
    fn drawn(width: u32, height: u32, inside: impl Fn(f64, f64) -> bool) -> Mask {
        let values = (0..width * height)
            .map(|i| {
                let (x, y) = (f64::from(i % width), f64::from(i / width));
                let hits = (0..16u32)
                    .filter(|s| {
                        inside(x + (f64::from(s % 4) + 0.5) / 4.0, y + (f64::from(s / 4) + 0.5) / 4.0)
                    })
                    .count();
                (hits as f64 * 255.0 / 16.0).round() as u8
            })
            .collect();
        Mask::new(width, height, values).expect("a mask")
    }

    /// Points along every piece, close together.
    fn polygons(path: &Path) -> Vec<Vec<Point>> {
        let flat = |subpath: &Subpath| {
            let knots = &subpath.knots;
            (0..knots.len())
                .flat_map(|i| {
                    let (from, to) = (&knots[i], &knots[(i + 1) % knots.len()]);
                    let piece = [from.at, from.after, to.before, to.at];
                    (0..200).map(move |step| bezier(&piece, f64::from(step) / 200.0))
                })
                .collect()
        };
        path.subpaths.iter().map(flat).collect()
    }

    /// The area inside the curves, by the even-odd rule on 4 lines of samples a row.
    fn filled(path: &Path) -> Mask {
        let (width, height) = (path.width as usize, path.height as usize);
        let mut sums = vec![0.0f64; width * height];
        let polygons = polygons(path);
        for line in 0..height * 4 {
            let y = (line as f64 + 0.5) / 4.0;
            let mut crossings: Vec<f64> = Vec::new();
            for polygon in &polygons {
                for (a, b) in polygon.iter().zip(polygon.iter().cycle().skip(1)) {
                    if (a.y <= y) != (b.y <= y) {
                        crossings.push(a.x + (b.x - a.x) * (y - a.y) / (b.y - a.y));
                    }
                }
            }
            crossings.sort_by(f64::total_cmp);
            for pair in crossings.as_chunks::<2>().0 {
                for x in (pair[0].max(0.0) as usize)..=(pair[1] as usize).min(width - 1) {
                    let covered = (pair[1].min(x as f64 + 1.0) - pair[0].max(x as f64)).max(0.0);
                    sums[line / 4 * width + x] += covered / 4.0;
                }
            }
        }
        let values = sums.iter().map(|sum| (sum * 255.0).round().min(255.0) as u8).collect();
        Mask::new(path.width, path.height, values).expect("a mask")
    }

    /// Intersection over union of two soft masks.
    fn iou(a: &Mask, b: &Mask) -> f64 {
        let pairs = || a.values().iter().zip(b.values());
        let common: u64 = pairs().map(|(a, b)| u64::from(*a.min(b))).sum();
        let all: u64 = pairs().map(|(a, b)| u64::from(*a.max(b))).sum();
        common as f64 / all as f64
    }

    fn ring(x: f64, y: f64) -> bool {
        let (u, v) = ((x - 200.0) / 1.4, y - 150.0);
        (60.0..120.0).contains(&u.hypot(v))
    }

    fn rounded_box(x: f64, y: f64) -> bool {
        let (u, v) = (((x - 150.0).abs() - 70.0).max(0.0), ((y - 150.0).abs() - 90.0).max(0.0));
        u.hypot(v) < 25.0
    }

    fn blob(x: f64, y: f64) -> bool {
        let (u, v) = (x - 180.0, y - 170.0);
        u.hypot(v) < 110.0 + 30.0 * (3.0 * v.atan2(u)).sin() + 8.0 * (7.0 * v.atan2(u)).cos()
    }

    fn star(x: f64, y: f64) -> bool {
        let (u, v) = (x - 150.0, y - 150.0);
        let turn = (v.atan2(u) / std::f64::consts::TAU * 5.0).rem_euclid(1.0);
        u.hypot(v) < 130.0 - 150.0 * (turn - 0.5).abs()
    }

    #[test]
    fn the_path_encloses_what_the_mask_holds() {
        let large = |width: u32, height: u32, inside: fn(f64, f64) -> bool| {
            drawn(width * 3, height * 3, move |x, y| inside(x / 3.0, y / 3.0))
        };
        for (name, mask, knots) in [
            ("ring", large(400, 300, ring), 40),
            ("box", large(300, 300, rounded_box), 40),
            ("blob", large(360, 340, blob), 80),
            ("star", large(300, 300, star), 60),
        ] {
            let options = TraceOptions { tolerance: 0.3, ..TraceOptions::default() };
            let path = trace(&mask, &options).expect("a path");
            let iou = iou(&filled(&path), &mask);
            assert!(iou > 0.999, "{name}: {iou}");
            assert!(path.knots() <= knots, "{name} has {} knots", path.knots());
        }
    }

    #[test]
    fn the_curve_stays_within_the_tolerance() {
        let mask = drawn(360, 340, blob);
        for tolerance in [0.2, 0.5, 1.0, 3.0] {
            let path = trace(&mask, &TraceOptions { tolerance, ..TraceOptions::default() }).expect("a path");
            let curve = polygons(&path);
            let outline = contour::contours(&mask);
            let farthest = |from: &[Point], to: &[Point]| {
                let nearest =
                    |p: &Point| to.iter().map(|q| (p.x - q.x).hypot(p.y - q.y)).fold(f64::MAX, f64::min);
                from.iter().map(nearest).fold(0.0, f64::max)
            };
            // Points of the outline are up to a pixel apart.
            assert!(farthest(&outline[0], &curve[0]) <= tolerance + 0.05, "{tolerance}");
            assert!(farthest(&curve[0], &outline[0]) <= tolerance + 0.75, "{tolerance}");
        }
        let knots = |tolerance| {
            trace(&mask, &TraceOptions { tolerance, ..TraceOptions::default() }).expect("a path").knots()
        };
        assert!(knots(2.0) < knots(0.2));
    }

    #[test]
    fn holes_and_spots_are_kept_by_their_area() {
        let with_spots = |x: f64, y: f64| ring(x, y) || (x < 6.0 && y < 6.0) || (x > 390.0 && y < 2.0);
        let mask = drawn(400, 300, with_spots);
        let count = |min_area, holes| {
            let path =
                trace(&mask, &TraceOptions { min_area, holes, ..TraceOptions::default() }).expect("a path");
            (
                path.subpaths.iter().filter(|s| !s.is_hole).count(),
                path.subpaths.iter().filter(|s| s.is_hole).count(),
            )
        };
        assert_eq!(count(0.0, true), (3, 1));
        assert_eq!(count(25.0, true), (2, 1));
        assert_eq!(count(100.0, false), (1, 0));
        assert_eq!(count(1e6, true), (0, 0));
    }

    #[test]
    fn a_full_mask_is_its_frame_and_an_empty_one_nothing() {
        let full = Mask::new(40, 30, vec![255; 1200]).expect("a mask");
        let path = trace(&full, &TraceOptions::default()).expect("a path");
        assert_eq!(path.subpaths.len(), 1);
        let near = |value: f64, to: f64| (value - to).abs() < 0.6;
        for knot in &path.subpaths[0].knots {
            let Point { x, y } = knot.at;
            assert!(near(x, 0.0) || near(x, 40.0) || near(y, 0.0) || near(y, 30.0), "{x} {y}");
        }
        assert!(iou(&filled(&path), &full) > 0.99);
        let empty = Mask::new(40, 30, vec![0; 1200]).expect("a mask");
        assert!(trace(&empty, &TraceOptions::default()).expect("a path").subpaths.is_empty());
        assert!(trace(&empty, &TraceOptions { tolerance: 0.0, ..TraceOptions::default() }).is_err());
    }

    #[test]
    fn noise_is_traced_in_order_and_without_loops() {
        let mut state = 7u32;
        let values = (0..256 * 256).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 24) as u8
        });
        let mask = Mask::new(256, 256, values.collect()).expect("a mask");
        let path = trace(&mask, &TraceOptions { min_area: 0.0, ..TraceOptions::default() }).expect("a path");
        for point in path.subpaths.iter().flat_map(|s| &s.knots).flat_map(|k| [k.before, k.at, k.after]) {
            assert!((-40.0..300.0).contains(&point.x) && (-40.0..300.0).contains(&point.y), "{point:?}");
        }
    }

    #[test]
    fn svg_says_the_same() {
        let path = trace(&drawn(400, 300, ring), &TraceOptions::default()).expect("a path");
        let data = path.svg_data();
        assert_eq!(data.matches('M').count(), 2);
        assert_eq!(data.matches('C').count(), path.knots());
        assert!(path.svg().contains("viewBox=\"0 0 400 300\""));
    }
}
