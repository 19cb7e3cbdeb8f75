//! A smooth curve through points that never overshoots them.

/// A curve through points, by Fritsch and Carlson's (1980) cubics: it rises wherever the points do, and nowhere else
/// does it fall. Before the first point and after the last it is level.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    points: Vec<[f64; 2]>,
    slopes: Vec<f64>,
}

impl Curve {
    /// A curve through points whose first coordinates rise and whose second ones do not fall; `None` for others, and for
    /// fewer than two.
    pub fn through(points: &[[f64; 2]]) -> Option<Self> {
        let rises = points.windows(2).all(|p| p[0][0] < p[1][0] && p[0][1] <= p[1][1]);
        if points.len() < 2 || !rises {
            return None;
        }
        let secants: Vec<f64> =
            points.windows(2).map(|p| (p[1][1] - p[0][1]) / (p[1][0] - p[0][0])).collect();
        let last = secants.len() - 1;
        let mut slopes: Vec<f64> = (0..points.len())
            .map(|i| match i {
                0 => secants[0],
                i if i > last => secants[last],
                i if secants[i - 1] * secants[i] <= 0.0 => 0.0,
                i => (secants[i - 1] + secants[i]) / 2.0,
            })
            .collect();
        for (i, &secant) in secants.iter().enumerate() {
            if secant == 0.0 {
                (slopes[i], slopes[i + 1]) = (0.0, 0.0);
                continue;
            }
            // Inside a circle of radius 3 the cubic is monotone.
            let (a, b) = (slopes[i] / secant, slopes[i + 1] / secant);
            let length = a.hypot(b);
            if length > 3.0 {
                (slopes[i], slopes[i + 1]) = (3.0 * a / length * secant, 3.0 * b / length * secant);
            }
        }
        Some(Self { points: points.to_vec(), slopes })
    }

    /// Its height at `x`.
    pub fn at(&self, x: f64) -> f64 {
        let after = self.points.partition_point(|point| point[0] <= x);
        let (Some(before), Some(next)) = (after.checked_sub(1), self.points.get(after)) else {
            let end = if after == 0 { self.points.first() } else { self.points.last() };
            return end.map_or(x, |point| point[1]);
        };
        let [x0, y0] = self.points[before];
        let width = next[0] - x0;
        let t = (x - x0) / width;
        let (u, tt) = (1.0 - t, t * t);
        (1.0 + 2.0 * t) * u * u * y0
            + t * u * u * width * self.slopes[before]
            + tt * (3.0 - 2.0 * t) * next[1]
            - tt * u * width * self.slopes[after]
    }
}

#[cfg(test)]
mod tests {
    use super::Curve;

    #[test]
    fn it_goes_through_its_points_and_never_overshoots() {
        let sets: [&[[f64; 2]]; 4] = [
            &[[0.0, 0.0], [1.0, 1.0]],
            &[[0.0, 0.0], [0.25, 0.1], [0.75, 0.9], [1.0, 1.0]],
            &[[0.0, 0.1], [0.1, 0.1], [0.2, 0.9], [0.9, 0.95]],
            &[[0.1, 0.0], [0.11, 0.8], [0.8, 0.81], [0.9, 1.0]],
        ];
        for points in sets {
            let curve = Curve::through(points).expect("rising points");
            for &[x, y] in points {
                assert!((curve.at(x) - y).abs() < 1e-12);
            }
            let heights: Vec<f64> = (0..=10_000).map(|i| curve.at(f64::from(i) / 10_000.0)).collect();
            assert!(heights.windows(2).all(|h| h[1] >= h[0] - 1e-12), "{points:?}");
            assert!(
                heights[0] >= points[0][1] - 1e-12 && heights[10_000] <= points[points.len() - 1][1] + 1e-12
            );
        }
        let straight = Curve::through(&[[0.0, 0.0], [0.4, 0.4], [1.0, 1.0]]).expect("rising points");
        assert!((0..=100).all(|i| (straight.at(f64::from(i) / 100.0) - f64::from(i) / 100.0).abs() < 1e-12));
    }

    #[test]
    fn points_that_fall_or_stand_above_each_other_make_no_curve() {
        for points in [&[[0.0, 0.0]] as &[_], &[], &[[0.0, 1.0], [1.0, 0.0]], &[[0.5, 0.0], [0.5, 1.0]]] {
            assert_eq!(Curve::through(points), None);
        }
    }
}
