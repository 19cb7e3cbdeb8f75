//! A mask that reaches farther than what was marked, with a soft edge.

use std::ops::Range;

use pixels::Mask;

/// The mask, reaching `grow` pixels farther from every value of at least 128, and fading to 0 within `feather` pixels
/// more. Values are never lowered. Distances are exact (Felzenszwalb and Huttenlocher 2012); the time is linear in the
/// area around what is marked.
pub fn reaching(mask: &Mask, grow: f32, feather: f32) -> Mask {
    let mut soft = mask.clone();
    let Some(bounds) = mask.bounds(128).filter(|_| grow + feather >= 0.5) else { return soft };
    let (width, height) = (mask.width() as usize, mask.height() as usize);
    let reach = (grow + feather).ceil() as usize + 1;
    let axis = |start: u32, length: u32, whole: usize| {
        (start as usize).saturating_sub(reach)..(start as usize + length as usize + reach).min(whole)
    };
    let columns = axis(bounds.x, bounds.width, width);
    let rows = axis(bounds.y, bounds.height, height);
    let far = (reach + 1) as f32;
    let mut squares = Vec::with_capacity(columns.len() * rows.len());
    for y in rows.clone() {
        squares.extend(row_squares(&mask.values()[y * width..][..width], columns.clone(), far));
    }
    let mut column = Column::new(rows.len());
    for (x, place) in columns.enumerate() {
        let span = squares.len() / rows.len();
        column.lower((0..rows.len()).map(|y| squares[y * span + x]));
        for (y, squared) in rows.clone().zip(column.squares()) {
            let away = squared.sqrt();
            let share = if away <= grow { 1.0 } else { 1.0 - (away - grow) / (feather + 1.0) };
            let value = &mut soft.values_mut()[y * width + place];
            *value = (*value).max((share.max(0.0) * 255.0 + 0.5) as u8);
        }
    }
    soft
}

/// Squared distance to the nearest marked pixel of the same row, at most `far` squared.
fn row_squares(row: &[u8], columns: Range<usize>, far: f32) -> Vec<f32> {
    let mut distances = vec![far; columns.len()];
    let mut away = far;
    for (distance, &value) in distances.iter_mut().zip(&row[columns.clone()]) {
        away = if value >= 128 { 0.0 } else { (away + 1.0).min(far) };
        *distance = away;
    }
    away = far;
    for (distance, &value) in distances.iter_mut().zip(&row[columns]).rev() {
        away = if value >= 128 { 0.0 } else { (away + 1.0).min(far) };
        *distance = distance.min(away);
    }
    distances.iter().map(|distance| distance * distance).collect()
}

/// The lower envelope of the parabolas that stand on the values of one column.
struct Column {
    heights: Vec<f32>,
    feet: Vec<usize>,
    starts: Vec<f32>,
}

impl Column {
    fn new(length: usize) -> Self {
        Self {
            heights: Vec::with_capacity(length),
            feet: Vec::with_capacity(length),
            starts: Vec::with_capacity(length),
        }
    }

    fn lower(&mut self, heights: impl Iterator<Item = f32>) {
        self.heights.clear();
        self.heights.extend(heights);
        self.feet.clear();
        self.starts.clear();
        for foot in 0..self.heights.len() {
            loop {
                let Some(&last) = self.feet.last() else {
                    self.starts.push(f32::NEG_INFINITY);
                    break;
                };
                let (at, before) = (foot as f32, last as f32);
                let (height, last_height) = (self.heights[foot], self.heights[last]);
                let meet = ((height + at * at) - (last_height + before * before)) / (2.0 * (at - before));
                if meet > self.starts[self.starts.len() - 1] {
                    self.starts.push(meet);
                    break;
                }
                self.feet.pop();
                self.starts.pop();
            }
            self.feet.push(foot);
        }
    }

    fn squares(&self) -> impl Iterator<Item = f32> {
        let mut piece = 0;
        (0..self.heights.len()).map(move |y| {
            while self.starts.get(piece + 1).is_some_and(|start| *start < y as f32) {
                piece += 1;
            }
            let foot = self.feet[piece];
            let away = y as f32 - foot as f32;
            away * away + self.heights[foot]
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_reaches_as_far_as_it_was_told(
            marks in prop::collection::vec((0usize..30, 0usize..20), 1..6), grow in 0f32..9.0, feather in 0f32..6.0,
        ) {
            let mut values = vec![0; 600];
            marks.iter().for_each(|(x, y)| values[y * 30 + x] = 255);
            let soft = reaching(&Mask::new(30, 20, values).expect("30 by 20"), grow, feather);
            for (index, &value) in soft.values().iter().enumerate() {
                let (x, y) = ((index % 30) as f32, (index / 30) as f32);
                let away = |(mx, my): &(usize, usize)| (*mx as f32 - x).hypot(*my as f32 - y);
                let away = marks.iter().map(away).fold(f32::MAX, f32::min);
                let whole = away <= grow;
                let none = away > 0.0 && away >= grow + feather + 1.0;
                prop_assert!(!whole || grow + feather < 0.5 || value == 255, "{x} {y}: {value}");
                prop_assert!(!none || value == 0, "{x} {y}: {value}");
            }
        }
    }
}
