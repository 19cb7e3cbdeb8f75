//! Colours known in some places, carried on into the others.

/// Colours with weights, to be filled where there are none.
pub(crate) struct Grid {
    width: usize,
    height: usize,
    /// L*, a*, b* and the sum of their squares, times the weight.
    sums: Vec<[f32; 4]>,
    weights: Vec<f32>,
}

impl Grid {
    /// The colours where `chosen` is 1.
    pub fn of(colours: &[[f32; 3]], chosen: &[u8], width: usize) -> Self {
        let weights: Vec<f32> = chosen.iter().map(|&chosen| f32::from(chosen)).collect();
        let sums = colours
            .iter()
            .zip(&weights)
            .map(|(&[l, a, b], weight)| [l, a, b, l * l + a * a + b * b].map(|value| value * weight));
        Self { width, height: colours.len() / width, sums: sums.collect(), weights }
    }

    /// Every cell's mean, empty ones from coarser and coarser means: "The Lumigraph" (Gortler and others 1996), pull-push.
    pub fn filled(&self) -> Vec<[f32; 4]> {
        let mean = |at: usize| self.sums[at].map(|sum| sum / self.weights[at].max(1e-6));
        if self.width.max(self.height) <= 1 || self.weights.iter().all(|weight| *weight >= 1.0) {
            return (0..self.sums.len()).map(mean).collect();
        }
        let half = self.half();
        let coarse = half.filled();
        let beside = |at: usize, limit: usize| {
            let own = at / 2;
            (own, if at.is_multiple_of(2) { own.saturating_sub(1) } else { (own + 1).min(limit - 1) })
        };
        let mut out = Vec::with_capacity(self.sums.len());
        for y in 0..self.height {
            let (own_y, other_y) = beside(y, half.height);
            for x in 0..self.width {
                let at = y * self.width + x;
                let weight = self.weights[at].min(1.0);
                if weight >= 1.0 {
                    out.push(mean(at));
                    continue;
                }
                let (own_x, other_x) = beside(x, half.width);
                let [a, b, c, d] = [(own_x, own_y), (other_x, own_y), (own_x, other_y), (other_x, other_y)]
                    .map(|(x, y)| coarse[y * half.width + x]);
                let fine = if weight > 0.0 { mean(at) } else { [0.0; 4] };
                let lane = |c1: usize| {
                    let coarse = (9.0 * a[c1] + 3.0 * b[c1] + 3.0 * c[c1] + d[c1]) / 16.0;
                    weight * fine[c1] + (1.0 - weight) * coarse
                };
                out.push([lane(0), lane(1), lane(2), lane(3)]);
            }
        }
        out
    }

    fn half(&self) -> Self {
        let (width, height) = (self.width.div_ceil(2), self.height.div_ceil(2));
        let (mut sums, mut weights) = (vec![[0.0f32; 4]; width * height], vec![0.0f32; width * height]);
        for (at, (sum, weight)) in self.sums.iter().zip(&self.weights).enumerate() {
            let slot = at / self.width / 2 * width + at % self.width / 2;
            (0..4).for_each(|c| sums[slot][c] += sum[c]);
            weights[slot] += weight;
        }
        Self { width, height, sums, weights }
    }
}
