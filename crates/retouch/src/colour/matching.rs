//! One picture's colours made like another's: the mean light, then the linear Monge–Kantorovich map between their means and covariances
//! (Pitié and Kokaram 2007), in OKLab. Of all linear maps that do so it moves colours least.

use pixels::{ciede2000, linear_to_lab};

use super::lanes::{Colours, from_oklab, to_oklab, transform};
use super::light::{Adaptation, IDENTITY, Matrix, adaptation};
use super::sampled::Sampled;

/// A spread of colours below this is noise rather than something to be stretched: OKLab units.
const LEAST_SPREAD: f64 = 0.006;
/// The most that contrast or chroma may grow or shrink along any direction.
const MOST_STRETCH: f64 = 2.0;

/// Where a picture's colours lie in OKLab, and how they spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// Mean in linear sRGB.
    light: [f32; 3],
    /// Mean and covariance in OKLab.
    mean: [f64; 3],
    covariance: [[f64; 3]; 3],
}

impl Moments {
    /// Of what is covered; `None` where nothing is.
    pub fn of(sampled: &Sampled) -> Option<Self> {
        let light = sampled.mean()?;
        let mut sampled = sampled.clone();
        sampled.change(to_oklab);
        let mean = sampled.mean()?.map(f64::from);
        let (mut covariance, mut total) = ([[0.0f64; 3]; 3], 0.0f64);
        for (lab, &weight) in sampled.colours.iter().zip(&sampled.weights) {
            let weight = f64::from(weight);
            let off: [f64; 3] = std::array::from_fn(|c| f64::from(lab[c]) - mean[c]);
            for (row, a) in covariance.iter_mut().zip(off) {
                row.iter_mut().zip(off).for_each(|(cell, b)| *cell += weight * a * b);
            }
            total += weight;
        }
        Some(Self { light, mean, covariance: covariance.map(|row| row.map(|cell| cell / total)) })
    }
}

/// A map of colours: one light exchanged for another, then a linear map of OKLab, done in part or in full.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transport {
    light: Matrix,
    matrix: Matrix,
    offset: [f32; 3],
    strength: f32,
}

/// How far colours move by a [`Transport`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moved {
    /// Share of the whole way, 0..=1.
    pub strength: f64,
    /// Mean ΔE2000 between the covered colours and what becomes of them.
    pub mean: f64,
}

impl Transport {
    /// The map that gives the covered colours the moments `to`, done by a share `strength` of 0..=1, or by less where their
    /// mean change would be more than `limit` ΔE2000. `None` where nothing is covered.
    pub fn towards(sampled: &Sampled, to: &Moments, strength: f64, limit: f64) -> Option<(Self, Moved)> {
        // A cast multiplies light, which no linear map of OKLab undoes exactly: the means' lights are exchanged first.
        let light = adaptation(sampled.mean()?, to.light, Adaptation::Bradford)
            .filter(|map| (0..3).all(|c| (0.15..7.0).contains(&map[c][c])))
            .unwrap_or(IDENTITY);
        let mut lit = sampled.clone();
        lit.change(|colours| transform(colours, &light));
        let from = Moments::of(&lit)?;
        let (matrix, offset) = between(&from, to);
        let mut map = Self { light, matrix, offset, strength: strength as f32 };
        loop {
            let mean = map.mean_change(sampled);
            if mean <= limit || map.strength < 1e-3 {
                return Some((map, Moved { strength: f64::from(map.strength), mean }));
            }
            // Changes are nearly proportional; a hair less ends the search.
            map.strength *= ((limit / mean).min(1.0) * 0.998) as f32;
        }
    }

    /// Mean ΔE2000 between the covered colours and what becomes of them.
    fn mean_change(&self, sampled: &Sampled) -> f64 {
        let mut after = sampled.clone();
        after.change(|colours| self.apply(colours));
        let (mut sum, mut total) = (0.0f64, 1e-9f64);
        let pairs = sampled.colours.iter().zip(&after.colours).zip(&sampled.weights);
        // A few thousand tell as much as all.
        for ((before, after), &weight) in pairs.step_by(sampled.colours.len() / 4096 + 1) {
            let change = ciede2000(linear_to_lab(*before), linear_to_lab(after.map(|v| v.clamp(0.0, 1.0))));
            sum += f64::from(change * weight);
            total += f64::from(weight);
        }
        sum / total
    }

    /// Applies it to linear sRGB; answers the same, which may lie outside 0..=1.
    pub(crate) fn apply(&self, colours: &mut Colours) {
        let mut before = *colours;
        to_oklab(&mut before);
        transform(colours, &self.light);
        to_oklab(colours);
        transform(colours, &self.matrix);
        for ((plane, before), offset) in colours.iter_mut().zip(&before).zip(self.offset) {
            for (value, before) in plane.iter_mut().zip(before) {
                *value = before + (*value + offset - before) * self.strength;
            }
        }
        from_oklab(colours);
    }
}

/// The linear map between two distributions, around the first one's mean, and its constant part.
fn between(from: &Moments, to: &Moments) -> (Matrix, [f32; 3]) {
    let noise = |matrix: &[[f64; 3]; 3]| {
        let mut matrix = *matrix;
        (0..3).for_each(|i| matrix[i][i] += LEAST_SPREAD * LEAST_SPREAD);
        matrix
    };
    let (a, b) = (noise(&from.covariance), noise(&to.covariance));
    let root = of_eigenvalues(&a, f64::sqrt);
    let inverse_root = of_eigenvalues(&a, |v| 1.0 / v.sqrt());
    let middle = of_eigenvalues(&product(&product(&root, &b), &root), f64::sqrt);
    let map = product(&product(&inverse_root, &middle), &inverse_root);
    let map = of_eigenvalues(&map, |v| v.clamp(1.0 / MOST_STRETCH, MOST_STRETCH));
    let offset =
        std::array::from_fn(|i| (to.mean[i] - (0..3).map(|j| map[i][j] * from.mean[j]).sum::<f64>()) as f32);
    (map.map(|row| row.map(|cell| cell as f32)), offset)
}

fn product(a: &[[f64; 3]; 3], b: &[[f64; 3]; 3]) -> [[f64; 3]; 3] {
    std::array::from_fn(|i| std::array::from_fn(|j| (0..3).map(|k| a[i][k] * b[k][j]).sum()))
}

/// A function of a symmetric matrix, by its eigenvalues (Jacobi's rotations).
fn of_eigenvalues(matrix: &[[f64; 3]; 3], function: impl Fn(f64) -> f64) -> [[f64; 3]; 3] {
    let mut a = *matrix;
    let mut vectors = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    for _ in 0..12 {
        for (p, q) in [(0, 1), (0, 2), (1, 2)] {
            if a[p][q].abs() < 1e-18 {
                continue;
            }
            let theta = (a[q][q] - a[p][p]) / (2.0 * a[p][q]);
            let t = theta.signum() / (theta.abs() + theta.hypot(1.0));
            let cos = 1.0 / t.hypot(1.0);
            let sin = t * cos;
            for row in &mut a {
                (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
            }
            #[allow(clippy::needless_range_loop, reason = "two rows of one matrix change together")]
            for k in 0..3 {
                (a[p][k], a[q][k]) = (cos * a[p][k] - sin * a[q][k], sin * a[p][k] + cos * a[q][k]);
            }
            for row in &mut vectors {
                (row[p], row[q]) = (cos * row[p] - sin * row[q], sin * row[p] + cos * row[q]);
            }
        }
    }
    let values: [f64; 3] = std::array::from_fn(|i| function(a[i][i].max(1e-12)));
    std::array::from_fn(|i| {
        std::array::from_fn(|j| (0..3).map(|k| vectors[i][k] * values[k] * vectors[j][k]).sum())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(colour: impl Fn(f32, f32) -> [f32; 3]) -> Sampled {
        let colours: Vec<[f32; 3]> =
            (0..32 * 32).map(|i| colour((i % 32) as f32 / 31.0, (i / 32) as f32 / 31.0)).collect();
        Sampled { width: 32, height: 32, weights: vec![1.0; colours.len()], colours }
    }

    fn product_colours(x: f32, y: f32) -> [f32; 3] {
        [0.1 + 0.5 * x, 0.08 + 0.3 * x * y, 0.2 + 0.2 * y * (1.0 - x)]
    }

    #[test]
    fn moments_become_those_of_the_other_picture() {
        let from = sampled(product_colours);
        let to = sampled(|x, y| product_colours(x, y).map(|v| v * 0.8).map(|v| v + 0.02 * x));
        let wanted = Moments::of(&to).expect("colours");
        let (map, _) = Transport::towards(&from, &wanted, 1.0, 100.0).expect("colours");
        let mut moved = from;
        moved.change(|colours| map.apply(colours));
        let got = Moments::of(&moved).expect("colours");
        for i in 0..3 {
            assert!((got.mean[i] - wanted.mean[i]).abs() < 1e-4);
            for j in 0..3 {
                assert!((got.covariance[i][j] - wanted.covariance[i][j]).abs() < 2e-4);
            }
        }
    }

    #[test]
    fn a_picture_like_its_reference_stays_as_it_is() {
        let same = sampled(product_colours);
        let (_, moved) =
            Transport::towards(&same, &Moments::of(&same).expect("colours"), 1.0, 100.0).expect("colours");
        assert!(moved.mean < 0.01, "{moved:?}");
    }

    #[test]
    fn a_change_stays_within_its_limit() {
        let from = sampled(product_colours);
        let to = sampled(|x, y| [product_colours(x, y)[1], 0.5 * x, 0.6]);
        let wanted = Moments::of(&to).expect("colours");
        let (_, moved) = Transport::towards(&from, &wanted, 1.0, 5.0).expect("colours");
        assert!((4.5..=5.0).contains(&moved.mean) && moved.strength < 1.0, "{moved:?}");
        let (_, moved) = Transport::towards(&from, &wanted, 0.5, 100.0).expect("colours");
        assert_eq!(moved.strength, 0.5);
    }

    #[test]
    fn roots_of_matrices_multiply_to_the_matrix() {
        let matrix = [[2.0, 0.5, 0.1], [0.5, 1.0, -0.3], [0.1, -0.3, 0.5]];
        let root = of_eigenvalues(&matrix, f64::sqrt);
        for (row, expected) in product(&root, &root).iter().zip(matrix) {
            row.iter().zip(expected).for_each(|(a, b)| assert!((a - b).abs() < 1e-12));
        }
    }
}
