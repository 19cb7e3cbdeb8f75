//! What a person marked: strokes over what is to stay or to go, and how far what they mean reaches.

use pixels::{Bitmap, Mask};

use crate::claims::Small;
use crate::error::{MattingError, check_size};
use crate::front::Front;
use crate::refine::RefineOptions;

/// Longest side at which strokes spread.
const SIDE: usize = 768;
/// What a person said of one pixel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mark {
    /// Nothing.
    #[default]
    Free,
    /// It stays, and with it what belongs together with it.
    Keep,
    /// It goes, and with it what belongs together with it.
    Remove,
    /// It stays; nothing is said of what is around it.
    KeepHere,
    /// It goes; nothing is said of what is around it.
    RemoveHere,
}

impl Mark {
    /// Whether it says that the pixel stays.
    pub fn keeps(self) -> bool {
        matches!(self, Self::Keep | Self::KeepHere)
    }

    /// Whether it says that the pixel goes.
    pub fn removes(self) -> bool {
        matches!(self, Self::Remove | Self::RemoveHere)
    }

    pub(crate) fn spreads(self) -> bool {
        matches!(self, Self::Keep | Self::Remove)
    }
}

/// One mark for each pixel of a picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    width: u32,
    height: u32,
    values: Vec<Mark>,
}

impl Marks {
    /// Nothing marked.
    pub fn new(width: u32, height: u32) -> Self {
        Self { width, height, values: vec![Mark::Free; width as usize * height as usize] }
    }

    /// The marks, row by row.
    pub fn values(&self) -> &[Mark] {
        &self.values
    }

    /// Whether there is such a mark.
    pub fn has(&self, mark: Mark) -> bool {
        self.values.contains(&mark)
    }

    /// Whether nothing is marked.
    pub fn is_empty(&self) -> bool {
        self.values.iter().all(|mark| *mark == Mark::Free)
    }

    /// Marks what the mask covers by half or more, over what was marked before. Refuses a mask of another size.
    pub fn set(&mut self, mask: &Mask, mark: Mark) -> Result<(), MattingError> {
        self.set_where(mask, mark, |value| value >= 128)
    }

    /// Marks what the mask has a chosen value at, over what was marked before. Refuses a mask of another size.
    pub fn set_where(
        &mut self,
        mask: &Mask,
        mark: Mark,
        chosen: impl Fn(u8) -> bool,
    ) -> Result<(), MattingError> {
        self.check(mask)?;
        for (own, value) in self.values.iter_mut().zip(mask.values()) {
            if chosen(*value) {
                *own = mark;
            }
        }
        Ok(())
    }

    /// Makes what is to stay opaque and what is to go clear. Refuses an alpha of another size.
    pub fn enforce(&self, alpha: &mut Mask) -> Result<(), MattingError> {
        self.check(alpha)?;
        for (value, mark) in alpha.values_mut().iter_mut().zip(&self.values) {
            if mark.keeps() {
                *value = u8::MAX;
            } else if mark.removes() {
                *value = 0;
            }
        }
        Ok(())
    }

    fn check(&self, mask: &Mask) -> Result<(), MattingError> {
        let (picture, size) = ((self.width, self.height), (mask.width(), mask.height()));
        if picture == size { Ok(()) } else { Err(MattingError::Size { picture, mask: size }) }
    }

    /// The mark of each block of `2^halvings` squared: of what is marked in it, the side with more pixels.
    fn reduced(&self, width: usize, halvings: usize) -> Vec<Mark> {
        let height = (self.height as usize).div_ceil(1 << halvings);
        let mut score = vec![(0i32, false); width * height];
        for (y, line) in self.values.chunks_exact(self.width as usize).enumerate() {
            let scores = &mut score[(y >> halvings) * width..][..width];
            for (x, mark) in line.iter().enumerate() {
                let slot = &mut scores[x >> halvings];
                slot.0 += i32::from(mark.keeps()) - i32::from(mark.removes());
                slot.1 |= mark.spreads();
            }
        }
        let mark = |(score, spreads): (i32, bool)| match (score, spreads) {
            (1.., true) => Mark::Keep,
            (1.., false) => Mark::KeepHere,
            (0, _) => Mark::Free,
            (_, true) => Mark::Remove,
            (_, false) => Mark::RemoveHere,
        };
        score.into_iter().map(mark).collect()
    }
}

/// Makes an alpha say what a person marked, with what belongs to it: at a bounded size, then solved at full size. An alpha
/// channel of the bitmap is not read. Refuses masks of another size.
pub fn obey(
    bitmap: &Bitmap,
    alpha: &mut Mask,
    marks: &Marks,
    options: &RefineOptions,
) -> Result<(), MattingError> {
    check_size(bitmap, alpha)?;
    marks.check(alpha)?;
    if !marks.values.iter().any(|mark| mark.spreads()) {
        return marks.enforce(alpha);
    }
    let small = Small::of(bitmap, alpha, SIDE);
    let reduced = marks.reduced(small.plane.width, small.halvings());
    let front = Front::new(&small, &reduced);
    let mut claims = front.spread();
    front.round_off(&mut claims);
    small.apply(bitmap, alpha, claims, options)?;
    marks.enforce(alpha)
}

#[cfg(test)]
mod tests {
    use pixels::Channels;

    use super::*;

    /// Two squares on a grey ground: a blue one that the alpha has, a red one that it has not.
    fn two_squares() -> (Bitmap, Mask) {
        let inside = |x: usize, y: usize| (x % 100 >= 20) && (x % 100 < 80) && (20..80).contains(&y);
        let colour = |at: usize| {
            let (x, y) = (at % 200, at / 200);
            let grain = ((at * 2_654_435_761) >> 7) as u8 % 5;
            match (inside(x, y), x < 100) {
                (true, true) => [40 + grain, 60, 170],
                (true, false) => [170, 50 + grain, 40],
                _ => [150, 150 + grain, 148],
            }
        };
        let samples = (0..20_000).flat_map(colour).collect();
        let bitmap = Bitmap::from_u8(200, 100, Channels::Rgb, samples).expect("200 by 100");
        let alpha = (0..20_000)
            .map(|at| if at % 200 < 100 && inside(at % 200, at / 200) { 255 } else { 0 })
            .collect();
        (bitmap, Mask::new(200, 100, alpha).expect("200 by 100"))
    }

    fn dab(x: usize, y: usize) -> Mask {
        let near = |at: usize| (at % 200).abs_diff(x) < 4 && (at / 200).abs_diff(y) < 4;
        Mask::new(200, 100, (0..20_000).map(|at| if near(at) { 255 } else { 0 }).collect())
            .expect("200 by 100")
    }

    fn obeyed(dabs: &[(usize, usize, Mark)]) -> Mask {
        let (bitmap, mut alpha) = two_squares();
        let mut marks = Marks::new(200, 100);
        for &(x, y, mark) in dabs {
            marks.set(&dab(x, y), mark).expect("the same size");
        }
        obey(&bitmap, &mut alpha, &marks, &RefineOptions::default()).expect("the same size");
        alpha
    }

    fn covered(alpha: &Mask, columns: std::ops::Range<usize>) -> f64 {
        let at = |at: &usize| columns.contains(&(at % 200));
        (0..20_000).filter(at).map(|at| f64::from(alpha.values()[at])).sum::<f64>() / 255.0
    }

    #[test]
    fn a_dab_takes_the_thing_it_lies_on_and_no_more() {
        let kept = obeyed(&[(150, 50, Mark::Keep)]);
        assert!((covered(&kept, 100..200) - 3600.0).abs() < 120.0, "{}", covered(&kept, 100..200));
        assert!((covered(&kept, 0..100) - 3600.0).abs() < 5.0);
        let gone = obeyed(&[(50, 50, Mark::Remove)]);
        assert!(covered(&gone, 0..100) < 60.0, "{}", covered(&gone, 0..100));
    }

    #[test]
    fn a_stroke_that_says_what_is_there_changes_nothing() {
        let (_, before) = two_squares();
        assert!(obeyed(&[(50, 50, Mark::Keep), (150, 50, Mark::Remove)]) == before);
        assert!(obeyed(&[]) == before);
    }

    #[test]
    fn what_is_left_of_a_thing_goes_with_it() {
        let (bitmap, mut alpha) = two_squares();
        let pixels::Samples::U8(mut samples) = bitmap.into_samples() else { panic!("8 bits") };
        // A white stripe across the blue square that no stroke passes.
        for at in (60 * 200..66 * 200).filter(|at| (20..80).contains(&(at % 200))) {
            samples[at * 3..at * 3 + 3].copy_from_slice(&[250, 250, 250]);
        }
        let bitmap = Bitmap::from_u8(200, 100, Channels::Rgb, samples).expect("200 by 100");
        let mut marks = Marks::new(200, 100);
        marks.set(&dab(50, 40), Mark::Remove).expect("the same size");
        obey(&bitmap, &mut alpha, &marks, &RefineOptions::default()).expect("the same size");
        assert!(covered(&alpha, 0..100) < 60.0, "{}", covered(&alpha, 0..100));
    }

    #[test]
    fn what_is_marked_here_reaches_no_farther() {
        let kept = obeyed(&[(150, 50, Mark::KeepHere)]);
        assert!((covered(&kept, 100..200) - 49.0).abs() < 1e-6);
        let (_, before) = two_squares();
        let mut marks = Marks::new(200, 99);
        assert!(marks.set(&before, Mark::Keep).is_err());
    }

    #[test]
    fn opposite_strokes_share_what_is_between_them() {
        let shared = obeyed(&[(25, 50, Mark::Remove), (75, 50, Mark::Keep)]);
        let (left, right) = (covered(&shared, 20..35), covered(&shared, 65..80));
        assert!(left < 90.0 && right > 860.0, "{left} {right}");
    }
}
