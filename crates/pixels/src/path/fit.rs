//! Cubic Bézier curves through a closed polygon: corners are found first, then each stretch is fitted by least squares
//! and divided where it does not fit (Schneider 1990).

use super::{Knot, Point, bezier};

/// Rounds of finding better parameters for the points before a stretch is divided.
const ROUNDS: usize = 4;
/// Length over which a corner is looked for, in pixels: shorter ones see the steps of the pixels.
const REACH: f64 = 4.0;
/// Length to both sides over which the direction of a smooth outline is measured, in pixels.
const SMOOTH_REACH: f64 = 16.0;
/// Cosine of the turn from which a point is a corner: 50 degrees.
const CORNER: f64 = 0.643;

impl Point {
    fn minus(self, other: Self) -> Self {
        Self { x: self.x - other.x, y: self.y - other.y }
    }
    fn plus(self, other: Self, times: f64) -> Self {
        Self { x: self.x + other.x * times, y: self.y + other.y * times }
    }
    fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y
    }
    fn length(self) -> f64 {
        self.x.hypot(self.y)
    }
    fn unit(self) -> Self {
        let length = self.length();
        if length > 1e-12 { Self { x: self.x / length, y: self.y / length } } else { Self { x: 1.0, y: 0.0 } }
    }
}

/// The knots of a closed curve that stays within `tolerance` of every point of the polygon.
pub(super) fn closed(points: &[Point], tolerance: f64) -> Vec<Knot> {
    let count = points.len();
    let mut ends = corners(points);
    let is_corner = |index: usize, ends: &[usize]| ends.binary_search(&index).is_ok();
    let corners = ends.clone();
    // A stretch needs two different ends.
    if ends.is_empty() {
        ends = vec![0, count / 2];
    } else if ends.len() == 1 {
        ends.push((ends[0] + count / 2) % count);
        ends.sort_unstable();
    }
    let mut pieces = Vec::new();
    for (index, &start) in ends.iter().enumerate() {
        let end = if index + 1 < ends.len() { ends[index + 1] } else { ends[0] + count };
        let stretch: Vec<Point> = (start..=end).map(|i| points[i % count]).collect();
        let leave = if is_corner(start, &corners) { ahead(&stretch, 1) } else { along(points, start) };
        let arrive = if is_corner(end % count, &corners) {
            let back: Vec<Point> = stretch.iter().rev().copied().take(64).collect();
            ahead(&back, 1)
        } else {
            let direction = along(points, end % count);
            Point { x: -direction.x, y: -direction.y }
        };
        Fit { points: &stretch, tolerance, pieces: &mut pieces }.run(0, stretch.len() - 1, leave, arrive);
    }
    let before = |index: usize| pieces[(index + pieces.len() - 1) % pieces.len()][2];
    (0..pieces.len())
        .map(|index| Knot { before: before(index), at: pieces[index][0], after: pieces[index][1] })
        .collect()
}

/// Direction from the first point of a stretch to what lies [`REACH`] ahead.
fn ahead(stretch: &[Point], least: usize) -> Point {
    let far = stretch.iter().skip(least).find(|p| p.minus(stretch[0]).length() >= REACH);
    far.or(stretch.last()).map_or(Point { x: 1.0, y: 0.0 }, |p| p.minus(stretch[0]).unit())
}

/// The points before and after one of a closed polygon, that far away along it, but no farther than an eighth of it.
fn neighbours(points: &[Point], index: usize, far: f64) -> (Point, Point) {
    let count = points.len();
    let reach = |step: usize| {
        let (mut at, mut walked) = (index, 0.0);
        for _ in 0..(count / 8).max(2) {
            let next = (at + step) % count;
            walked += points[next].minus(points[at]).length();
            at = next;
            if walked >= far {
                break;
            }
        }
        points[at]
    };
    (reach(count - 1), reach(1))
}

fn along(points: &[Point], index: usize) -> Point {
    let (before, after) = neighbours(points, index, SMOOTH_REACH);
    after.minus(before).unit()
}

/// Indices of the points where the polygon turns sharply, in order; of neighbours only the sharpest.
fn corners(points: &[Point]) -> Vec<usize> {
    if points.len() < 8 {
        return Vec::new();
    }
    let turn = |index: usize| {
        let (before, after) = neighbours(points, index, REACH);
        points[index].minus(before).unit().dot(after.minus(points[index]).unit())
    };
    let turns: Vec<f64> = (0..points.len()).map(turn).collect();
    let count = points.len();
    // Marching squares give up to three points for two pixels of the way.
    let near = 5.min(count / 4);
    (0..count)
        .filter(|&i| {
            turns[i] < CORNER
                && (1..=near)
                    .all(|d| turns[i] < turns[(i + count - d) % count] && turns[i] <= turns[(i + d) % count])
        })
        .collect()
}

struct Fit<'a> {
    points: &'a [Point],
    tolerance: f64,
    pieces: &'a mut Vec<[Point; 4]>,
}

impl Fit<'_> {
    /// Fits the points from `first` to `last`, leaving and arriving (looked at from its end) in those directions.
    fn run(&mut self, first: usize, last: usize, leave: Point, arrive: Point) {
        let points = &self.points[first..=last];
        let (start, end) = (points[0], points[points.len() - 1]);
        if points.len() == 2 {
            let third = end.minus(start).length() / 3.0;
            self.pieces.push([start, start.plus(leave, third), end.plus(arrive, third), end]);
            return;
        }
        let mut at = by_length(points);
        let span = at[at.len() - 1];
        at.iter_mut().for_each(|t| *t /= span.max(1e-12));
        let allowed = self.tolerance * self.tolerance;
        let mut worst = 0;
        for round in 0..=ROUNDS {
            let piece = fitted(points, &at, span, leave, arrive);
            let (error, index) = farthest(points, &at, &piece);
            if error <= allowed {
                self.pieces.push(piece);
                return;
            }
            worst = index;
            // Far off, better parameters do not help.
            if round == ROUNDS || error > allowed * 16.0 {
                break;
            }
            points.iter().zip(&mut at).for_each(|(point, t)| *t = nearer(&piece, *point, *t));
            // The order of the points must hold.
            if at.windows(2).any(|pair| pair[1] < pair[0]) {
                break;
            }
        }
        // Divided near the worst point, but never so unevenly that the work becomes quadratic.
        let count = points.len();
        let middle = worst.clamp((count / 4).max(1), (count * 3 / 4).min(count - 2).max(1));
        // The longer the stretch, the farther the points that give the direction: noise tilts long handles most.
        let around = (count / 8).clamp(4, 32).min(middle).min(count - 1 - middle).max(1);
        let through = points[middle + around].minus(points[middle - around]).unit();
        let back = Point { x: -through.x, y: -through.y };
        self.run(first, first + middle, leave, back);
        self.run(first + middle, last, through, arrive);
    }
}

/// How far along the polygon each point is, in pixels.
fn by_length(points: &[Point]) -> Vec<f64> {
    let mut sum = 0.0;
    let steps = points.windows(2).map(|pair| {
        sum += pair[1].minus(pair[0]).length();
        sum
    });
    std::iter::once(0.0).chain(steps.collect::<Vec<_>>()).collect()
}

/// The piece with given ends and directions that is nearest to the points, in the sense of least squares.
fn fitted(points: &[Point], at: &[f64], span: f64, leave: Point, arrive: Point) -> [Point; 4] {
    let (start, end) = (points[0], points[points.len() - 1]);
    let (mut c00, mut c01, mut c11, mut x0, mut x1) = (0.0, 0.0, 0.0, 0.0, 0.0);
    for (point, &t) in points.iter().zip(at) {
        let s = 1.0 - t;
        let (b0, b1, b2, b3) = (s * s * s, 3.0 * s * s * t, 3.0 * s * t * t, t * t * t);
        let rest = Point {
            x: point.x - start.x * (b0 + b1) - end.x * (b2 + b3),
            y: point.y - start.y * (b0 + b1) - end.y * (b2 + b3),
        };
        c00 += b1 * b1;
        c01 += b1 * b2 * leave.dot(arrive);
        c11 += b2 * b2;
        x0 += b1 * rest.dot(leave);
        x1 += b2 * rest.dot(arrive);
    }
    let determinant = c00 * c11 - c01 * c01;
    let chord = end.minus(start).length();
    let third = chord / 3.0;
    let (mut a, mut b) = (third, third);
    if determinant.abs() > 1e-12 * c00 * c11 {
        (a, b) = ((x0 * c11 - x1 * c01) / determinant, (c00 * x1 - c01 * x0) / determinant);
        // Handles that point backwards, or are longer than the way itself, make loops (Wu and Barsky's remedy).
        if !(a > chord * 1e-6 && b > chord * 1e-6 && a <= span && b <= span) {
            (a, b) = (third, third);
        }
    }
    [start, start.plus(leave, a), end.plus(arrive, b), end]
}

/// Largest squared distance between a point and the curve at its parameter, and which point it is.
fn farthest(points: &[Point], at: &[f64], piece: &[Point; 4]) -> (f64, usize) {
    let mut worst = (0.0, points.len() / 2);
    for (index, (point, &t)) in points.iter().zip(at).enumerate() {
        let off = bezier(piece, t).minus(*point);
        let error = off.dot(off);
        if error > worst.0 {
            worst = (error, index);
        }
    }
    worst
}

/// One step of Newton's method towards the parameter at which the curve is nearest to the point.
fn nearer(piece: &[Point; 4], point: Point, t: f64) -> f64 {
    let s = 1.0 - t;
    let [p0, p1, p2, p3] = *piece;
    let (d0, d1, d2) = (p1.minus(p0), p2.minus(p1), p3.minus(p2));
    let mix = |weights: [f64; 3], of: [Point; 3]| {
        of.iter().zip(weights).fold(Point::default(), |sum, (p, weight)| sum.plus(*p, weight))
    };
    let first = mix([3.0 * s * s, 6.0 * s * t, 3.0 * t * t], [d0, d1, d2]);
    let second = mix([6.0 * s, 6.0 * t, 0.0], [d1.minus(d0), d2.minus(d1), Point::default()]);
    let off = bezier(piece, t).minus(point);
    let slope = first.dot(first) + off.dot(second);
    if slope.abs() < 1e-12 { t } else { (t - off.dot(first) / slope).clamp(0.0, 1.0) }
}
