//! Reads what the face finder says: boxes and eyes of faces in a square picture.
//!
//! The network is BlazeFace (Bazarevsky et al. 2019), the short-range model of MediaPipe.

/// A face as the finder sees it; shares of the square's side, from its left and top edge.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Found {
    /// The middle of its box.
    pub(super) middle: [f32; 2],
    /// The longer side of its box.
    pub(super) side: f32,
    /// The eye on the left of an upright picture, then the other.
    pub(super) eyes: [[f32; 2]; 2],
    /// How sure the network is, 0 to 1.
    pub(super) score: f32,
}

/// Cells along a side, and places in each cell, of the two grids that the network looks at.
const GRIDS: [(usize, usize); 2] = [(16, 2), (8, 6)];
/// Values for each place: box, six points, score.
const VALUES: usize = 17;
/// Scores under this are no face.
const LEAST: f32 = 0.5;
/// Boxes that share more than this of their union are one face.
const SHARED: f32 = 0.3;

/// Reads the network's output for a picture of `side` pixels: faces apart from each other, the surest first.
pub(super) fn read(output: &[f32], side: f32) -> Vec<Found> {
    let mut places = Vec::with_capacity(output.len() / VALUES);
    for (cells, count) in GRIDS {
        for cell in 0..cells * cells {
            let middle = |at: usize| (at as f32 + 0.5) / cells as f32;
            places.extend(std::iter::repeat_n([middle(cell % cells), middle(cell / cells)], count));
        }
    }
    let mut found: Vec<Found> = output
        .as_chunks::<VALUES>()
        .0
        .iter()
        .zip(&places)
        .filter_map(|(values, place)| {
            let score = 1.0 / (1.0 + (-values[16].clamp(-100.0, 100.0)).exp());
            let point = |at: usize| [values[at] / side + place[0], values[at + 1] / side + place[1]];
            let face = Found {
                middle: point(0),
                side: values[2].max(values[3]) / side,
                eyes: [point(4), point(6)],
                score,
            };
            (score >= LEAST && face.side > 0.0).then_some(face)
        })
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut apart: Vec<Found> = Vec::new();
    while let Some(best) = found.first().copied() {
        let (same, rest): (Vec<Found>, Vec<Found>) =
            found.iter().partition(|other| shared(best.square(), other.square()) > SHARED || **other == best);
        apart.push(mean(&same));
        found = rest;
    }
    apart
}

impl Found {
    /// Its box as a square: left, top, side.
    fn square(&self) -> [f32; 3] {
        [self.middle[0] - self.side / 2.0, self.middle[1] - self.side / 2.0, self.side]
    }
}

/// The mean of several sightings of one face, the surer ones counting more; as sure as the first.
fn mean(of: &[Found]) -> Found {
    let whole: f32 = of.iter().map(|found| found.score).sum();
    let weighed = |value: fn(&Found) -> f32| of.iter().map(|f| f.score * value(f)).sum::<f32>() / whole;
    Found {
        middle: [weighed(|f| f.middle[0]), weighed(|f| f.middle[1])],
        side: weighed(|f| f.side),
        eyes: [
            [weighed(|f| f.eyes[0][0]), weighed(|f| f.eyes[0][1])],
            [weighed(|f| f.eyes[1][0]), weighed(|f| f.eyes[1][1])],
        ],
        score: of[0].score,
    }
}

/// The share of their union that two squares have in common.
pub(super) fn shared(a: [f32; 3], b: [f32; 3]) -> f32 {
    let axis = |at: usize| ((a[at] + a[2]).min(b[at] + b[2]) - a[at].max(b[at])).max(0.0);
    let both = axis(0) * axis(1);
    both / (a[2] * a[2] + b[2] * b[2] - both).max(f32::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sightings_of_one_face_become_one() {
        let mut output = vec![0f32; 896 * VALUES];
        output.as_chunks_mut::<VALUES>().0.iter_mut().for_each(|values| values[16] = -20.0);
        let mut sight = |place: usize, x: f32, side: f32, score: f32| {
            let values = &mut output[place * VALUES..][..VALUES];
            values[..4].copy_from_slice(&[x, 0.0, side, side * 0.8]);
            values[4..8].copy_from_slice(&[x - 8.0, -4.0, x + 8.0, -4.0]);
            values[16] = score;
        };
        // Row 4, column 4 of the first grid, twice; and the last cell of the second.
        sight((4 * 16 + 4) * 2, 2.0, 40.0, 3.0);
        sight((4 * 16 + 4) * 2 + 1, 0.0, 40.0, 1.0);
        sight(895, -4.0, 20.0, 0.5);
        sight(700, 0.0, 30.0, -0.5);
        let found = read(&output, 128.0);
        assert_eq!(found.len(), 2, "{found:?}");
        let x = |from: f32| (4.5 / 16.0) + from / 128.0;
        assert!(x(0.0) < found[0].middle[0] && found[0].middle[0] < x(2.0), "{found:?}");
        assert!((found[0].side - 40.0 / 128.0).abs() < 1e-6);
        assert!((found[0].eyes[1][0] - found[0].eyes[0][0] - 16.0 / 128.0).abs() < 1e-6);
        assert!((found[0].middle[1] - 4.5 / 16.0).abs() < 1e-6);
        assert!((found[1].middle[0] - (7.5 / 8.0 - 4.0 / 128.0)).abs() < 1e-6);
    }
}
