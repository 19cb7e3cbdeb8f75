//! Rectangles of a picture, and words for where they are.

use serde::Serialize;

/// A rectangle of the picture, in its own pixels from the top left.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Region {
    /// Left edge; 0 is the first column.
    pub x: u32,
    /// Top edge; 0 is the first row.
    pub y: u32,
    /// Width in pixels, at least 1.
    pub width: u32,
    /// Height in pixels, at least 1.
    pub height: u32,
}

impl Region {
    /// Where it is in a picture of that size, such as `at the upper left`.
    pub fn words(&self, size: (u32, u32)) -> &'static str {
        let third = |start: u32, length: u32, side: u32| {
            let middle = 2 * u64::from(start) + u64::from(length);
            match middle * 3 {
                m if m < 2 * u64::from(side) => 0,
                m if m <= 4 * u64::from(side) => 1,
                _ => 2,
            }
        };
        match (third(self.x, self.width, size.0), third(self.y, self.height, size.1)) {
            (0, 0) => "at the upper left",
            (1, 0) => "at the top",
            (2, 0) => "at the upper right",
            (0, 1) => "at the left",
            (1, 1) => "in the middle",
            (2, 1) => "at the right",
            (0, _) => "at the lower left",
            (1, _) => "at the bottom",
            _ => "at the lower right",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Region;

    #[test]
    fn places_have_their_words() {
        let at = |x, y| Region { x, y, width: 10, height: 10 }.words((90, 90));
        assert_eq!(at(0, 0), "at the upper left");
        assert_eq!(at(40, 40), "in the middle");
        assert_eq!(at(80, 40), "at the right");
        assert_eq!(at(40, 80), "at the bottom");
        assert_eq!(at(80, 80), "at the lower right");
        assert_eq!(Region { x: 0, y: 0, width: 1, height: 1 }.words((1, 1)), "in the middle");
    }
}
