//! How far a product's colour at its outline may be freed of the background.
//!
//! An estimate carries the product's inside on to its edge. That is right for cloth, and wrong for what is glossy or round:
//! it turns darker at its rim, or mirrors what is around it. How well rim and background, mixed by alpha, explain the edge
//! tells them apart; where they do not, a colour stays near the one that the picture shows.

use crate::square::eroded;

/// Longest side at which rims are measured.
pub(crate) const SIDE: usize = 1024;
/// Alpha from which a pixel of the small copy is product alone, and up to which background alone.
const WHOLE: f32 = 0.98;
const NOTHING: f32 = 0.02;
/// How many pixels deep the rim is.
const RIM: usize = 3;
/// Half the side of the square over which colours are averaged, and that over which the equation's error is.
const AROUND: usize = 6;
const STRETCH: usize = 3;
/// Fewer pixels than this do not stand for a rim, and fewer than this not for a background.
const LEAST_RIM: f32 = 4.0;
const LEAST_BACKGROUND: f32 = 40.0;
/// An error of the equation of this much alpha halves the trust.
const ERROR: f32 = 0.05;
/// What is up to half of that is noise, and trusted in full.
const FULL: f32 = 1.1;
/// The share of a rim's scatter that is off without anything being wrong.
const TEXTURE: f32 = 0.25;
/// How far a colour is corrected in any case (8-bit levels).
const ANYWAY: f32 = 15.0;

/// How far the estimate of a colour is trusted, by place.
pub(crate) struct Rims {
    width: usize,
    halvings: usize,
    /// 0.0..=1.0.
    trust: Vec<f32>,
}

impl Rims {
    /// Measures a picture that is `halvings` times halved: red, green, blue and alpha, 0.0..=1.0.
    pub fn of(image: &[[f32; 4]], width: usize, halvings: usize) -> Self {
        let height = image.len() / width;
        let whole: Vec<u8> = image.iter().map(|pixel| u8::from(pixel[3] >= WHOLE)).collect();
        let inside = eroded(&whole, width, height, RIM);
        let rim = mean(image, width, |at| whole[at] > inside[at]);
        let squares = averaged(
            &(0..image.len())
                .map(|at| match whole[at] > inside[at] {
                    true => [(0..3).map(|c| image[at][c] * image[at][c]).sum(), 0.0, 0.0, 1.0],
                    false => [0.0; 4],
                })
                .collect::<Vec<_>>(),
            width,
            AROUND,
        );
        let background = mean(image, width, |at| image[at][3] <= NOTHING);
        let errors: Vec<[f32; 4]> = (0..image.len())
            .map(|at| match error(image[at], rim[at], squares[at][0], background[at]) {
                Some(error) => [error, 0.0, 0.0, 1.0],
                None => [0.0; 4],
            })
            .collect();
        let errors = averaged(&errors, width, STRETCH);
        let trust = |error: [f32; 4]| {
            // Amid fur or what is out of focus there is nothing to hold the equation against: nothing speaks against it.
            match error[3] > 0.0 {
                true => (FULL / (1.0 + (error[0] / ERROR).powi(4))).min(1.0),
                false => 1.0,
            }
        };
        let trust = errors.into_iter().map(trust).collect();
        Self { width, halvings, trust }
    }

    /// An estimate of a colour, taken back towards what the picture shows as far as it is not trusted.
    pub fn held(&self, (x, y): (usize, usize), shown: [f32; 4], estimate: [f32; 4]) -> [f32; 4] {
        let trust = self.trust[(y >> self.halvings) * self.width + (x >> self.halvings)];
        let anyway = ANYWAY / 255.0 / apart(estimate, shown).max(1e-6);
        let share = trust.max(anyway).min(1.0);
        [0, 1, 2, 3].map(|c| shown[c] + share * (estimate[c] - shown[c]))
    }
}

/// By how much alpha a pixel is off the mixture of rim and background; `None` where one of them is
/// not near, or nothing is mixed.
fn error(pixel: [f32; 4], rim: [f32; 4], squares: f32, background: [f32; 4]) -> Option<f32> {
    let alpha = pixel[3];
    if rim[3] < LEAST_RIM || background[3] < LEAST_BACKGROUND || !(NOTHING..WHOLE).contains(&alpha) {
        return None;
    }
    let span = [0, 1, 2].map(|c| rim[c] - background[c]);
    let left: f32 = (0..3).map(|c| span[c] * (pixel[c] - background[c] - alpha * span[c])).sum();
    let squared: f32 = span.iter().map(|value| value * value).sum();
    let scatter = (squares - (0..3).map(|c| rim[c] * rim[c]).sum::<f32>()).max(0.0).sqrt();
    let error = left.abs() / (squared + 1.0 / (255.0 * 255.0));
    // A pattern is off by itself, and says nothing of the edge.
    Some((error - TEXTURE * scatter / squared.sqrt().max(1e-3)).max(0.0))
}

/// Distance of two colours.
fn apart(a: [f32; 4], b: [f32; 4]) -> f32 {
    (0..3).map(|c| (a[c] - b[c]).powi(2)).sum::<f32>().sqrt()
}

/// Mean colour of the chosen pixels around each, with their number in the last lane.
fn mean(image: &[[f32; 4]], width: usize, chosen: impl Fn(usize) -> bool) -> Vec<[f32; 4]> {
    let value = |at: usize| match chosen(at) {
        true => [image[at][0], image[at][1], image[at][2], 1.0],
        false => [0.0; 4],
    };
    let values: Vec<[f32; 4]> = (0..image.len()).map(value).collect();
    averaged(&values, width, AROUND)
}

/// Means over squares, by the weights in the last lane, which become sums; all zero where there is none.
fn averaged(values: &[[f32; 4]], width: usize, radius: usize) -> Vec<[f32; 4]> {
    let height = values.len() / width;
    let mut rows = vec![[0.0f32; 4]; values.len()];
    for (from, to) in values.chunks_exact(width).zip(rows.chunks_exact_mut(width)) {
        for (x, to) in to.iter_mut().enumerate() {
            *to = sum(from[x.saturating_sub(radius)..(x + radius + 1).min(width)].iter());
        }
    }
    let mut out = vec![[0.0f32; 4]; values.len()];
    for y in 0..height {
        let (top, bottom) = (y.saturating_sub(radius), (y + radius + 1).min(height));
        for x in 0..width {
            let total = sum(rows[top * width + x..].iter().step_by(width).take(bottom - top));
            if total[3] >= 0.5 {
                let [a, b, c, count] = total;
                out[y * width + x] = [a / count, b / count, c / count, count];
            }
        }
    }
    out
}

fn sum<'a>(values: impl Iterator<Item = &'a [f32; 4]>) -> [f32; 4] {
    values.fold([0.0; 4], |sum, value| [0, 1, 2, 3].map(|c| sum[c] + value[c]))
}

#[cfg(test)]
mod tests {
    use super::Rims;

    /// Trust at the left edge of a column of product on a pale ground, by its lightness at each depth and by what the pixel
    /// on the edge shows, which alpha covers by half.
    fn trust(lightness: impl Fn(usize) -> f32, edge: f32) -> f32 {
        let pixel = |x: usize| match x {
            19 => [edge, edge, edge, 0.5],
            20..50 => [lightness(x - 20), lightness(x - 20), lightness(x - 20), 1.0],
            _ => [0.9, 0.9, 0.9, 0.0],
        };
        let image: Vec<[f32; 4]> = (0..70 * 20).map(|at| pixel(at % 70)).collect();
        Rims::of(&image, 70, 0).trust[10 * 70 + 19]
    }

    #[test]
    fn an_even_product_whose_edge_is_a_mixture_is_trusted() {
        let even = trust(|_| 0.3, 0.6);
        assert!(even > 0.9, "{even}");
        let mirrors = trust(|_| 0.3, 0.85);
        assert!(mirrors < 0.1, "{mirrors}");
    }

    #[test]
    fn what_is_not_trusted_is_held_near_what_is_seen() {
        let rims = Rims { width: 1, halvings: 0, trust: vec![0.0] };
        let held = rims.held((0, 0), [0.5, 0.5, 0.5, 0.3], [0.5, 0.1, 0.5, 0.3]);
        assert!((held[1] - (0.5 - 15.0 / 255.0)).abs() < 1e-6 && held[0] == 0.5);
        let near = [0.53, 0.5, 0.5, 0.5];
        assert!((rims.held((0, 0), [0.5; 4], near)[0] - near[0]).abs() < 1e-6);
    }
}
