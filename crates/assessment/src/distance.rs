//! Distances from an outline.

/// Where there is no outline at all.
const FAR: u32 = u32::MAX / 2;
/// Weights of a step to a side and to a corner (Borgefors 1986, chamfer 3-4); a third of it is about a pixel.
const SIDE: u32 = 3;
const CORNER: u32 = 4;

/// Distance in pixels of each pixel to the nearest of the other kind, negative inside; infinite where there is none.
/// Within 8 % of the Euclidean distance (Borgefors 1986). The picture's frame is no outline.
pub(crate) fn signed(inside: &[bool], width: usize) -> Vec<f32> {
    let (to_inside, to_outside) = (to(inside, width, true), to(inside, width, false));
    let pixels = |steps: u32| if steps >= FAR { f32::INFINITY } else { steps as f32 / SIDE as f32 };
    inside
        .iter()
        .zip(to_inside.iter().zip(&to_outside))
        .map(|(&inside, (&out, &into))| if inside { -pixels(into) } else { pixels(out) })
        .collect()
}

/// Thirds of pixels to the nearest pixel of the wanted kind, in two passes.
fn to(kinds: &[bool], width: usize, wanted: bool) -> Vec<u32> {
    let height = kinds.len() / width;
    let mut steps: Vec<u32> = kinds.iter().map(|&kind| if kind == wanted { 0 } else { FAR }).collect();
    let relax = |steps: &mut [u32], at: usize, other: usize, cost: u32| {
        let through = steps[other] + cost;
        if through < steps[at] {
            steps[at] = through;
        }
    };
    for y in 0..height {
        for x in 0..width {
            let at = y * width + x;
            if x > 0 {
                relax(&mut steps, at, at - 1, SIDE);
            }
            if y > 0 {
                relax(&mut steps, at, at - width, SIDE);
                if x > 0 {
                    relax(&mut steps, at, at - width - 1, CORNER);
                }
                if x + 1 < width {
                    relax(&mut steps, at, at - width + 1, CORNER);
                }
            }
        }
    }
    for y in (0..height).rev() {
        for x in (0..width).rev() {
            let at = y * width + x;
            if x + 1 < width {
                relax(&mut steps, at, at + 1, SIDE);
            }
            if y + 1 < height {
                relax(&mut steps, at, at + width, SIDE);
                if x + 1 < width {
                    relax(&mut steps, at, at + width + 1, CORNER);
                }
                if x > 0 {
                    relax(&mut steps, at, at + width - 1, CORNER);
                }
            }
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::signed;

    #[test]
    fn distances_grow_from_the_outline() {
        let inside: Vec<bool> = (0..5 * 9).map(|i| i % 9 < 4).collect();
        let row = &signed(&inside, 9)[18..27];
        assert_eq!(row, [-4.0, -3.0, -2.0, -1.0, 1.0, 2.0, 3.0, 4.0, 5.0]);
        let mut dot = vec![false; 49];
        dot[24] = true;
        let around = signed(&dot, 7);
        assert_eq!(around[24], -1.0);
        assert!((around[0] - 18f32.sqrt()).abs() < 0.35, "{}", around[0]);
    }

    #[test]
    fn without_an_outline_everything_is_far() {
        assert_eq!(signed(&[false; 6], 3), [f32::INFINITY; 6]);
        assert_eq!(signed(&[true; 6], 3), [f32::NEG_INFINITY; 6]);
    }
}
