//! Where a garment is open at the top: between the two points of its outline that a straight line from shoulder to shoulder
//! would touch.

use pixels::Mask;

/// Alpha from which a pixel belongs to the garment.
const INSIDE: u8 = 128;
/// Least and most width of an opening, in shares of the garment's width.
const WIDTHS: (f64, f64) = (0.05, 0.75);
/// Least depth of an opening, in shares of its own width.
const DEPTH: f64 = 0.04;

/// An opening at the top of a garment, in pixels of the canvas.
#[derive(Clone, Debug, PartialEq)]
pub struct Opening {
    /// Column of the outline's point on its left.
    pub left: u32,
    /// Column of the outline's point on its right.
    pub right: u32,
    /// For each column from `left` to `right`: the row of the straight line between the two points, and the first row of
    /// the garment below it.
    pub rows: Vec<(f64, u32)>,
}

impl Opening {
    /// How far the garment's edge lies below the line, at most.
    pub fn depth(&self) -> f64 {
        self.rows.iter().map(|(line, edge)| f64::from(*edge) - line).fold(0.0, f64::max)
    }

    /// The lowest row of the garment's edge in it.
    pub fn lowest(&self) -> u32 {
        self.rows.iter().map(|(_, edge)| *edge).max().unwrap_or(0)
    }

    /// The mean row of the line between its two points.
    pub fn top(&self) -> f64 {
        let sum: f64 = self.rows.iter().map(|(line, _)| *line).sum();
        sum / self.rows.len().max(1) as f64
    }
}

/// Finds the opening of a garment from its alpha: of the pockets between its upper outline and the convex hull of that,
/// the one with the largest area around the middle (Andrew's monotone chain). `None` where the outline is closed at the
/// top.
pub fn find_opening(alpha: &Mask) -> Option<Opening> {
    let bounds = alpha.bounds(INSIDE)?;
    let width = alpha.width() as usize;
    let mut tops: Vec<Option<u32>> = vec![None; width];
    let mut open = bounds.width as usize;
    for (y, row) in alpha.values().chunks_exact(width).enumerate() {
        for (top, &value) in tops.iter_mut().zip(row) {
            if value >= INSIDE && top.is_none() {
                *top = Some(y as u32);
                open -= usize::from(open > 0);
            }
        }
        if open == 0 {
            break;
        }
    }
    let outline: Vec<(f64, f64)> =
        tops.iter().enumerate().filter_map(|(x, top)| top.map(|top| (x as f64, f64::from(top)))).collect();
    let mut hull: Vec<(f64, f64)> = Vec::new();
    for &point in &outline {
        // Rows count downwards, so that the upper half of the hull turns to the right.
        while let [.., a, b] = hull[..]
            && (b.0 - a.0) * (point.1 - a.1) - (b.1 - a.1) * (point.0 - a.0) <= 0.0
        {
            hull.pop();
        }
        hull.push(point);
    }
    let middle = f64::from(bounds.x) + f64::from(bounds.width) / 2.0;
    let whole = f64::from(bounds.width);
    let pockets = hull.windows(2).filter_map(|pair| {
        let (a, b) = (pair[0], pair[1]);
        let span = b.0 - a.0;
        let is_central = a.0 < middle + whole * 0.1 && b.0 > middle - whole * 0.1;
        if !is_central || span < whole * WIDTHS.0 || span > whole * WIDTHS.1 {
            return None;
        }
        let rows: Vec<(f64, u32)> = (a.0 as usize..=b.0 as usize)
            .map(|x| {
                let line = a.1 + (b.1 - a.1) * (x as f64 - a.0) / span;
                (line, tops[x].unwrap_or(bounds.y + bounds.height).max(line.ceil() as u32))
            })
            .collect();
        let opening = Opening { left: a.0 as u32, right: b.0 as u32, rows };
        let area: f64 = opening.rows.iter().map(|(line, edge)| f64::from(*edge) - line).sum();
        (opening.depth() > span * DEPTH).then_some((area, opening))
    });
    pockets.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, opening)| opening)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A shirt: shoulders from column 20 to 180 that fall to both sides, with a round neck of that half width and depth.
    fn shirt(half: f64, depth: f64) -> Mask {
        let mut values = vec![0; 200 * 200];
        for (index, value) in values.iter_mut().enumerate() {
            let (x, y) = ((index % 200) as f64 + 0.5 - 100.0, (index / 200) as f64 + 0.5);
            let shoulder = 30.0 + x.abs() * 0.25;
            let neck = (x / half).powi(2) + ((y - 30.0) / depth).powi(2) < 1.0;
            *value = if x.abs() < 80.0 && y > shoulder && y < 190.0 && !neck { 255 } else { 0 };
        }
        Mask::new(200, 200, values).expect("200 by 200")
    }

    #[test]
    fn the_neck_of_a_shirt_is_found() {
        let opening = find_opening(&shirt(30.0, 25.0)).expect("a neck");
        assert!(opening.left.abs_diff(70) <= 3 && opening.right.abs_diff(129) <= 3, "{opening:?}");
        assert!(opening.lowest().abs_diff(55) <= 1);
        assert!((opening.depth() - 18.0).abs() < 3.0, "{}", opening.depth());
    }

    #[test]
    fn what_is_closed_has_no_opening() {
        assert_eq!(find_opening(&shirt(30.0, 0.01)), None);
        assert_eq!(find_opening(&Mask::new(4, 4, vec![0; 16]).expect("4 by 4")), None);
        assert_eq!(find_opening(&Mask::new(4, 4, vec![255; 16]).expect("4 by 4")), None);
    }
}
