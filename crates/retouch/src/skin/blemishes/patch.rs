//! A small square of a picture: the plane through its rim, and what is connected in it.

/// A plane through values.
pub(super) struct Slope([f32; 3]);

impl Slope {
    /// The plane nearest to values around the origin, by least squares; they must lie evenly around it.
    pub(super) fn through(values: impl Iterator<Item = ((f32, f32), f32)>) -> Self {
        let (mut count, mut sum, mut x, mut y, mut xx, mut yy) = (0f32, 0f32, 0f32, 0f32, 0f32, 0f32);
        for ((dx, dy), value) in values {
            (count, sum) = (count + 1.0, sum + value);
            (x, y) = (x + dx * value, y + dy * value);
            (xx, yy) = (xx + dx * dx, yy + dy * dy);
        }
        Self([sum / count.max(1.0), x / xx.max(1.0), y / yy.max(1.0)])
    }

    /// Its height there.
    pub(super) fn at(&self, (dx, dy): (f32, f32)) -> f32 {
        self.0[0] + self.0[1] * dx + self.0[2] * dy
    }
}

/// What is connected to `start` in a square.
pub(super) fn flood(side: usize, start: usize, inside: impl Fn(usize) -> bool) -> Vec<usize> {
    let mut seen = vec![false; side * side];
    let mut found = vec![start];
    seen[start] = true;
    let mut next = 0;
    while next < found.len() {
        let at = found[next];
        next += 1;
        let (x, y) = (at % side, at / side);
        let steps = [
            (x > 0).then(|| at - 1),
            (x + 1 < side).then(|| at + 1),
            (y > 0).then(|| at - side),
            (y + 1 < side).then(|| at + side),
        ];
        for at in steps.into_iter().flatten() {
            if !seen[at] && inside(at) {
                seen[at] = true;
                found.push(at);
            }
        }
    }
    found
}
