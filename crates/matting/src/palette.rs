//! The few colours that stand for many: centres found by k-means, as in "Lazy Snapping" (Li, Sun, Tang, Shum 2004).

/// Colours that are looked at to find the centres.
const SAMPLES: usize = 2048;
/// Rounds of k-means; the centres hardly move after that.
const ROUNDS: usize = 6;

/// Representative colours, L*a*b*.
pub(crate) struct Palette(Vec<[f32; 3]>);

impl Palette {
    /// At most `most` colours that stand for these; an even share of them is looked at. Deterministic: the first centre is
    /// the mean's nearest colour, each further one the colour farthest from all centres so far.
    pub fn of(colours: &[[f32; 3]], most: usize) -> Self {
        let stride = colours.len().div_ceil(SAMPLES).max(1);
        let samples: Vec<[f32; 3]> = colours.iter().copied().step_by(stride).collect();
        let Some(mean) = mean_of(samples.iter()) else { return Self(Vec::new()) };
        let first = samples.iter().copied().min_by(|a, b| apart(*a, mean).total_cmp(&apart(*b, mean)));
        let mut centres: Vec<[f32; 3]> = first.into_iter().collect();
        while centres.len() < most {
            let away = |colour: &[f32; 3]| nearest(&centres, *colour).1;
            let farthest = samples.iter().copied().max_by(|a, b| away(a).total_cmp(&away(b)));
            // Less than a just noticeable difference is no colour of its own.
            match farthest.filter(|colour| away(colour) > 1.0) {
                Some(colour) => centres.push(colour),
                None => break,
            }
        }
        let mut sums = vec![[0.0f64; 4]; centres.len()];
        for _ in 0..ROUNDS {
            sums.fill([0.0; 4]);
            for colour in &samples {
                let sum = &mut sums[nearest(&centres, *colour).0];
                (0..3).for_each(|c| sum[c] += f64::from(colour[c]));
                sum[3] += 1.0;
            }
            for (centre, sum) in centres.iter_mut().zip(&sums).filter(|(_, sum)| sum[3] > 0.0) {
                *centre = [0, 1, 2].map(|c| (sum[c] / sum[3]) as f32);
            }
        }
        // A centre of hardly any colours is an outlier, such as a mixture on an edge.
        let least = 0.01 * samples.len() as f64;
        let mut kept =
            centres.iter().zip(&sums).filter(|(_, sum)| sum[3] >= least).map(|(centre, _)| *centre);
        Self(kept.by_ref().collect())
    }

    /// ΔE (CIE76) from the nearest of the colours; infinite where there are none.
    pub fn distance(&self, colour: [f32; 3]) -> f32 {
        if self.0.is_empty() { f32::INFINITY } else { nearest(&self.0, colour).1.sqrt() }
    }
}

fn mean_of<'a>(colours: impl Iterator<Item = &'a [f32; 3]>) -> Option<[f32; 3]> {
    let (mut sum, mut count) = ([0.0f64; 3], 0.0);
    for colour in colours {
        (0..3).for_each(|c| sum[c] += f64::from(colour[c]));
        count += 1.0;
    }
    (count > 0.0).then(|| sum.map(|sum| (sum / count) as f32))
}

fn nearest(centres: &[[f32; 3]], colour: [f32; 3]) -> (usize, f32) {
    let mut best = (0, f32::INFINITY);
    for (index, centre) in centres.iter().enumerate() {
        let away = apart(*centre, colour);
        if away < best.1 {
            best = (index, away);
        }
    }
    best
}

/// Squared ΔE.
fn apart(a: [f32; 3], b: [f32; 3]) -> f32 {
    let [l, m, n] = [a[0] - b[0], a[1] - b[1], a[2] - b[2]];
    l * l + m * m + n * n
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cluster_gets_a_colour() {
        let around =
            |base: f32, n: usize| (0..n).map(move |i| [base + (i % 3) as f32 * 0.4, base / 2.0, 0.0]);
        let colours: Vec<_> = around(20.0, 500).chain(around(80.0, 100)).chain(around(50.0, 300)).collect();
        let palette = Palette::of(&colours, 8);
        for base in [20.0, 50.0, 80.0] {
            assert!(palette.distance([base + 0.4, base / 2.0, 0.0]) < 1.0);
        }
        assert!(palette.distance([65.0, 32.5, 0.0]) > 10.0);
        assert!(Palette::of(&[], 8).distance([0.0; 3]).is_infinite());
    }
}
