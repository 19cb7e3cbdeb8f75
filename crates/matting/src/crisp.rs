//! What an alpha at its network's own size still lacks: edges as crisp as the lens drew them, and a whole inside.

use crate::refine::{SURE_IN, SURE_OUT};
use crate::square::dilated;

/// An edge is crisp where product and background are both sure within this many pixels.
const CRISP: usize = 4;
/// How far from all background the inside begins, in shares of the longer side: beyond the softest edge.
const INSIDE: f64 = 0.03;

/// Makes crisp edges `gain` times steeper around their 0.5 contour; edges that are soft over more than a few pixels (fur, things out of
/// focus, glass) stay as they are.
pub(crate) fn steepen(alpha: &mut [u8], width: usize, gain: f32) {
    let height = alpha.len() / width;
    let near = |is_sure: fn(u8) -> bool| {
        let sure: Vec<u8> = alpha.iter().map(|&value| u8::from(is_sure(value))).collect();
        dilated(&sure, width, height, CRISP)
    };
    let (product, background) = (near(|value| value >= SURE_IN), near(|value| value <= SURE_OUT));
    for ((value, product), background) in alpha.iter_mut().zip(product).zip(background) {
        if product & background == 1 {
            *value = (127.5 + gain * (f32::from(*value) - 127.5)).round().clamp(0.0, 255.0) as u8;
        }
    }
}

/// Where a product is so far from all background that what is nearly opaque there is meant to be opaque.
pub(crate) struct Inside {
    width: usize,
    halvings: usize,
    /// By pixel of the halved picture: whether background is near.
    is_open: Vec<u8>,
}

impl Inside {
    /// The inside of an alpha that is `halvings` times halved.
    pub fn of(halved: &[u8], width: usize, halvings: usize) -> Self {
        let height = halved.len() / width;
        let background: Vec<u8> = halved.iter().map(|&value| u8::from(value <= SURE_OUT)).collect();
        let reach = (INSIDE * width.max(height) as f64).round() as usize;
        Self { width, halvings, is_open: dilated(&background, width, height, reach) }
    }

    /// Whether a pixel of the full picture lies in it.
    pub fn holds(&self, x: usize, y: usize) -> bool {
        self.is_open[(y >> self.halvings) * self.width + (x >> self.halvings)] == 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Inside, steepen};

    #[test]
    fn a_crisp_edge_becomes_steeper_and_a_soft_one_does_not() {
        let crisp = [0, 0, 0, 60, 128, 200, 255, 255, 255];
        let mut line = crisp;
        steepen(&mut line, 9, 1.5);
        assert_eq!(line, [0, 0, 0, 26, 128, 236, 255, 255, 255]);
        let soft: Vec<u8> = (0..25).map(|x| (x * 10).min(255) as u8).collect();
        let mut line = soft.clone();
        steepen(&mut line, 25, 1.5);
        assert_eq!(line, soft);
    }

    #[test]
    fn the_inside_keeps_away_from_background() {
        let inside = Inside::of(&[0, 255, 255, 255, 255, 255, 255, 255], 8, 1);
        assert!(inside.holds(15, 1) && !inside.holds(1, 0));
    }
}
