//! The 50 % line of a mask as closed polygons: marching squares over pixel centres, with linear interpolation.

use super::Point;
use crate::Mask;

/// Half of the range: a value above is inside.
const HALF: f64 = 127.5;

/// Where a walk goes, with what is inside on its right.
#[derive(Clone, Copy)]
enum Heading {
    Down,
    Up,
    Right,
    Left,
}

/// Samples of the mask, with emptiness all around.
struct Field<'a> {
    width: i64,
    height: i64,
    values: &'a [u8],
}

impl Field<'_> {
    fn at(&self, x: i64, y: i64) -> u8 {
        let inside = (0..self.width).contains(&x) && (0..self.height).contains(&y);
        if inside { self.values[(y * self.width + x) as usize] } else { 0 }
    }

    fn is_in(&self, x: i64, y: i64) -> bool {
        self.at(x, y) > 127
    }

    /// Where the line crosses from sample `a` to its neighbour `b`, in pixels.
    fn crossing(&self, a: (i64, i64), b: (i64, i64)) -> Point {
        let (from, to) = (f64::from(self.at(a.0, a.1)), f64::from(self.at(b.0, b.1)));
        let share = (HALF - from) / (to - from);
        let along = |a: i64, b: i64| a as f64 + 0.5 + (b - a) as f64 * share;
        Point { x: along(a.0, b.0), y: along(a.1, b.1) }
    }
}

/// Every closed line, in the order of its topmost row. The first point is not repeated at the end; what is inside lies
/// on the right of the walk.
pub(super) fn contours(mask: &Mask) -> Vec<Vec<Point>> {
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let field = Field { width: width as i64, height: height as i64, values: mask.values() };
    // Every closed line goes down somewhere between a sample inside and its right neighbour outside. One bit each.
    let mut walked = vec![0u64; (width * height).div_ceil(64)];
    let mut found = Vec::new();
    for (y, row) in mask.values().chunks_exact(width).enumerate() {
        for x in 0..width {
            let goes_down = row[x] > 127 && row.get(x + 1).is_none_or(|&right| right <= 127);
            let bit = y * width + x;
            if goes_down && walked[bit / 64] >> (bit % 64) & 1 == 0 {
                found.push(walk(&field, x as i64, y as i64, &mut walked));
            }
        }
    }
    found
}

/// Follows one line from the crossing between (`x`, `y`) and its right neighbour until it is back.
fn walk(field: &Field<'_>, x: i64, y: i64, walked: &mut [u64]) -> Vec<Point> {
    let mut points = Vec::new();
    // The cell is named by its top left sample.
    let (mut cell, mut heading) = ((x, y), Heading::Down);
    loop {
        let (i, j) = cell;
        match heading {
            Heading::Down => {
                let bit = (j * field.width + i) as usize;
                if walked[bit / 64] >> (bit % 64) & 1 == 1 {
                    return points;
                }
                walked[bit / 64] |= 1 << (bit % 64);
                points.push(field.crossing((i, j), (i + 1, j)));
            }
            Heading::Up => points.push(field.crossing((i, j + 1), (i + 1, j + 1))),
            Heading::Right => points.push(field.crossing((i, j), (i, j + 1))),
            Heading::Left => points.push(field.crossing((i + 1, j), (i + 1, j + 1))),
        }
        heading = leave(field, cell, heading);
        match heading {
            Heading::Down => cell.1 += 1,
            Heading::Up => cell.1 -= 1,
            Heading::Right => cell.0 += 1,
            Heading::Left => cell.0 -= 1,
        }
    }
}

/// Through which side the line leaves a cell that it entered with this heading.
fn leave(field: &Field<'_>, (i, j): (i64, i64), entered: Heading) -> Heading {
    let (tl, tr) = (field.is_in(i, j), field.is_in(i + 1, j));
    let (bl, br) = (field.is_in(i, j + 1), field.is_in(i + 1, j + 1));
    if tl == br && tr == bl && tl != tr {
        // A saddle: the mean of the four decides whether what is inside holds together across it.
        let sum: u32 = [(i, j), (i + 1, j), (i, j + 1), (i + 1, j + 1)]
            .iter()
            .map(|&(x, y)| u32::from(field.at(x, y)))
            .sum();
        let joined = sum >= 510;
        return match (entered, joined) {
            (Heading::Down, true) | (Heading::Up, false) => Heading::Right,
            (Heading::Down, false) | (Heading::Up, true) => Heading::Left,
            (Heading::Right, true) | (Heading::Left, false) => Heading::Up,
            (Heading::Right, false) | (Heading::Left, true) => Heading::Down,
        };
    }
    if bl && !br {
        Heading::Down
    } else if tr && !tl {
        Heading::Up
    } else if br && !tr {
        Heading::Right
    } else {
        Heading::Left
    }
}

/// Area of a closed polygon (the trapezoid formula); positive where it runs clockwise as seen, around what is inside.
pub(super) fn signed_area(points: &[Point]) -> f64 {
    let next = points.iter().cycle().skip(1);
    points.iter().zip(next).map(|(a, b)| a.x * b.y - b.x * a.y).sum::<f64>() / 2.0
}
