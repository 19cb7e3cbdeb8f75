//! A colour surface of second order over the picture, fitted so that outliers do not pull it.
//! Iteratively reweighted least squares with Tukey's biweight (Holland and Welsch 1977).

/// Terms of a second-order polynomial in two variables.
const TERMS: usize = 6;
/// The fit settles long before this many rounds.
const ROUNDS: usize = 15;
/// Median of a chi distribution with three degrees of freedom: turns a median ΔE into one channel's deviation.
const MEDIAN_OF_CHI_3: f32 = 1.538;

/// One observed colour.
#[derive(Clone, Copy)]
pub(crate) struct Observation {
    /// Place, -1.0..=1.0 on both axes.
    pub place: [f32; 2],
    /// L*, a*, b*.
    pub lab: [f32; 3],
}

/// L*, a* and b* as polynomials of the place.
#[derive(Clone)]
pub(crate) struct Surface {
    coefficients: [[f32; TERMS]; 3],
}

/// How well a surface describes what it was fitted to.
#[derive(Clone, Copy)]
pub(crate) struct Fit {
    /// Root mean square ΔE of the inliers.
    pub residual: f32,
    /// Share of the observations that lie on the surface, 0.0..=1.0.
    pub inliers: f32,
}

impl Surface {
    /// Fits a surface; without observations it is black everywhere and nothing lies on it.
    pub fn fit(observations: &[Observation]) -> (Self, Fit) {
        let mut surface = Self { coefficients: [[0.0; TERMS]; 3] };
        if observations.is_empty() {
            return (surface, Fit { residual: f32::INFINITY, inliers: 0.0 });
        }
        let middle = median_colour(observations);
        for (channel, value) in surface.coefficients.iter_mut().zip(middle) {
            channel[0] = value;
        }
        let mut weights: Vec<f32> = observations
            .iter()
            .map(|o| {
                let off = distance(o.lab, middle) / 6.0;
                1.0 / (1.0 + off * off)
            })
            .collect();
        let mut scratch = Vec::with_capacity(observations.len());
        for _ in 0..ROUNDS {
            surface = surface.solved(observations, &weights);
            let sigma = surface.deviation(observations, &mut scratch);
            let limit = 6.0 * sigma;
            for (weight, o) in weights.iter_mut().zip(observations) {
                let off = distance(o.lab, surface.at(o.place)) / limit;
                let inside = (1.0 - off * off).max(0.0);
                *weight = inside * inside;
            }
        }
        let fit = surface.judged(observations, &mut scratch);
        (surface, fit)
    }

    /// The surface's L*, a*, b* at a place.
    #[inline]
    pub fn at(&self, place: [f32; 2]) -> [f32; 3] {
        let terms = terms(place);
        self.coefficients.map(|channel| channel.iter().zip(terms).map(|(c, t)| c * t).sum())
    }

    /// For a fixed row: the polynomial in x alone, lowest power first, for each channel.
    pub fn row(&self, y: f32) -> [[f32; 3]; 3] {
        self.coefficients.map(|c| [c[0] + c[2] * y + c[5] * y * y, c[1] + c[4] * y, c[3]])
    }

    fn solved(&self, observations: &[Observation], weights: &[f32]) -> Self {
        let mut normal = [[0.0f64; TERMS + 3]; TERMS];
        for (o, &weight) in observations.iter().zip(weights) {
            let terms = terms(o.place).map(f64::from);
            for (row, &term) in normal.iter_mut().zip(&terms) {
                let scaled = f64::from(weight) * term;
                for (cell, &other) in row.iter_mut().zip(&terms) {
                    *cell += scaled * other;
                }
                for (cell, value) in row[TERMS..].iter_mut().zip(o.lab) {
                    *cell += scaled * f64::from(value);
                }
            }
        }
        // A trace of ridge keeps the system solvable when all inliers lie on one side of the picture;
        // curvature is held back a little more than the plane.
        let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
        for (index, row) in normal.iter_mut().enumerate() {
            row[index] += match index {
                0 => 1e-9,
                1 | 2 => 1e-5 * total,
                _ => 1e-4 * total,
            };
        }
        match eliminate(normal) {
            Some(coefficients) => Self { coefficients },
            None => self.clone(),
        }
    }

    /// Robust standard deviation of one channel around the surface.
    fn deviation(&self, observations: &[Observation], scratch: &mut Vec<f32>) -> f32 {
        scratch.clear();
        scratch.extend(observations.iter().map(|o| distance(o.lab, self.at(o.place))));
        let middle = scratch.len() / 2;
        let (_, median, _) = scratch.select_nth_unstable_by(middle, f32::total_cmp);
        (*median / MEDIAN_OF_CHI_3).max(0.2)
    }

    fn judged(&self, observations: &[Observation], scratch: &mut Vec<f32>) -> Fit {
        let limit = (5.0 * self.deviation(observations, scratch)).max(2.0);
        let (mut count, mut sum) = (0usize, 0.0f64);
        for o in observations {
            let off = distance(o.lab, self.at(o.place));
            if off <= limit {
                count += 1;
                sum += f64::from(off) * f64::from(off);
            }
        }
        Fit {
            residual: (sum / count.max(1) as f64).sqrt() as f32,
            inliers: count as f32 / observations.len() as f32,
        }
    }
}

fn terms([x, y]: [f32; 2]) -> [f32; TERMS] {
    [1.0, x, y, x * x, x * y, y * y]
}

/// CIE76 ΔE.
pub(crate) fn distance(a: [f32; 3], b: [f32; 3]) -> f32 {
    let [l, u, v] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    (l * l + u * u + v * v).sqrt()
}

fn median_colour(observations: &[Observation]) -> [f32; 3] {
    let middle = observations.len() / 2;
    [0, 1, 2].map(|channel| {
        let mut values: Vec<f32> = observations.iter().map(|o| o.lab[channel]).collect();
        *values.select_nth_unstable_by(middle, f32::total_cmp).1
    })
}

/// Gauss-Jordan elimination with pivoting of the normal equations of three channels.
fn eliminate(mut rows: [[f64; TERMS + 3]; TERMS]) -> Option<[[f32; TERMS]; 3]> {
    for column in 0..TERMS {
        let pivot =
            (column..TERMS).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        if rows[pivot][column].abs() < 1e-12 {
            return None;
        }
        rows.swap(column, pivot);
        let lead = rows[column];
        for (index, row) in rows.iter_mut().enumerate() {
            if index == column {
                continue;
            }
            let factor = row[column] / lead[column];
            for (cell, from) in row.iter_mut().zip(lead).skip(column) {
                *cell -= factor * from;
            }
        }
    }
    let mut coefficients = [[0.0f32; TERMS]; 3];
    for (channel, out) in coefficients.iter_mut().enumerate() {
        for (index, slot) in out.iter_mut().enumerate() {
            *slot = (rows[index][TERMS + channel] / rows[index][index]) as f32;
        }
    }
    Some(coefficients)
}

#[cfg(test)]
mod tests {
    use super::{Observation, Surface, distance};

    #[test]
    fn a_fifth_of_foreign_colours_does_not_pull_the_surface() {
        let truth = |x: f32, y: f32| [80.0 + 4.0 * x - 6.0 * y * y, 2.0 + x * y, -3.0 + y];
        let observations: Vec<Observation> = (0..2000)
            .map(|i| {
                let place = [(i % 50) as f32 / 24.5 - 1.0, (i / 50) as f32 / 19.5 - 1.0];
                let lab = if i % 5 == 0 { [20.0, 30.0, 40.0] } else { truth(place[0], place[1]) };
                Observation { place, lab }
            })
            .collect();
        let (surface, fit) = Surface::fit(&observations);
        assert!(fit.residual < 0.1, "{}", fit.residual);
        assert!((fit.inliers - 0.8).abs() < 0.01, "{}", fit.inliers);
        for place in [[0.0, 0.0], [0.5, -0.7], [-1.0, 1.0]] {
            assert!(distance(surface.at(place), truth(place[0], place[1])) < 0.1);
        }
    }
}
