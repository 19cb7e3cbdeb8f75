//! Text as a mask. The font is Inter Semi Bold (SIL Open Font License 1.1, see `fonts/`), with Latin, Greek and
//! Cyrillic letters; it is shaped with kerning and marks.

use pixels::Mask;
use swash::FontRef;
use swash::scale::{Render, ScaleContext, Source};
use swash::shape::ShapeContext;
use swash::zeno::{Format, Vector};

use crate::Fault;

const FONT: &[u8] = include_bytes!("../../fonts/Inter-SemiBold.ttf");
/// Distance of two lines, in sizes of the font.
const LINE: f32 = 1.25;

fn font() -> FontRef<'static> {
    FontRef::from_index(FONT, 0).expect("the font in the source is a font")
}

/// The first character that the font has no letter for; line breaks need none.
pub(super) fn unknown(text: &str) -> Option<char> {
    let letters = font().charmap();
    text.chars().find(|&character| character != '\n' && letters.map(character) == 0)
}

/// A letter with its place, in pixels from the start of the first line.
struct Letter {
    id: u16,
    x: f32,
    y: f32,
}

/// A text that was laid out.
pub(super) struct Lines {
    letters: Vec<Letter>,
    size: f32,
    /// Width of the longest line, in pixels.
    pub(super) width: f32,
    /// Height from the top of the first line to the foot of the last, in pixels.
    pub(super) height: f32,
    ascent: f32,
}

impl Lines {
    /// Lays out a text whose letters are `size` pixels high; each line is centred.
    pub(super) fn of(text: &str, size: f32) -> Self {
        let font = font();
        let mut context = ShapeContext::new();
        let mut lines = Vec::new();
        for line in text.lines() {
            let mut shaper = context.builder(font).size(size).build();
            shaper.add_str(line.trim());
            let (mut letters, mut x) = (Vec::new(), 0.0);
            shaper.shape_with(|cluster| {
                for glyph in cluster.glyphs {
                    letters.push(Letter { id: glyph.id, x: x + glyph.x, y: -glyph.y });
                    x += glyph.advance;
                }
            });
            lines.push((letters, x));
        }
        let width = lines.iter().map(|line| line.1).fold(0.0, f32::max);
        let metrics = font.metrics(&[]).scale(size);
        let last = lines.len().saturating_sub(1) as f32;
        let height = metrics.ascent + metrics.descent + last * LINE * size;
        let mut letters = Vec::new();
        for (row, (line, own)) in lines.into_iter().enumerate() {
            let (x, y) = ((width - own) / 2.0, row as f32 * LINE * size);
            letters.extend(line.into_iter().map(|l| Letter { id: l.id, x: l.x + x, y: l.y + y }));
        }
        Self { letters, size, width, height, ascent: metrics.ascent }
    }

    /// Its letters as a mask with `room` clear pixels on every side.
    pub(super) fn mask(&self, room: u32) -> Result<Mask, Fault> {
        let width = self.width.ceil() as u32 + 2 * room;
        let height = self.height.ceil() as u32 + 2 * room;
        let mut mask = Mask::new(width, height, vec![0; width as usize * height as usize])?;
        let mut context = ScaleContext::new();
        let mut scaler = context.builder(font()).size(self.size).hint(false).build();
        for letter in &self.letters {
            let (x, y) = (letter.x + room as f32, letter.y + room as f32 + self.ascent);
            let (column, row) = (x.floor(), y.floor());
            let image = Render::new(&[Source::Outline])
                .format(Format::Alpha)
                .offset(Vector::new(x - column, row - y))
                .render(&mut scaler, letter.id);
            // A space has no outline.
            let Some(image) = image else { continue };
            let place = image.placement;
            let (left, top) = (column as i64 + i64::from(place.left), row as i64 - i64::from(place.top));
            for (line, values) in image.data.chunks_exact(place.width.max(1) as usize).enumerate() {
                let y = top + line as i64;
                for (step, &value) in values.iter().enumerate() {
                    let x = left + step as i64;
                    if (0..i64::from(height)).contains(&y) && (0..i64::from(width)).contains(&x) {
                        let at = y as usize * width as usize + x as usize;
                        // Where letters touch, both cover a part of the pixel.
                        let under = &mut mask.values_mut()[at];
                        *under = under.saturating_add(value);
                    }
                }
            }
        }
        Ok(mask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_have_their_size_and_kerning() {
        let lines = Lines::of("Hx", 100.0);
        let mask = lines.mask(4).expect("a mask");
        let bounds = mask.bounds(128).expect("letters");
        // Inter's capitals are 0.727 of its size.
        assert!(bounds.height.abs_diff(73) <= 1, "{bounds:?}");
        assert!(bounds.x >= 4 && bounds.y >= 4);
        let apart = Lines::of("A", 100.0).width + Lines::of("V", 100.0).width;
        assert!(Lines::of("AV", 100.0).width < apart - 1.0, "no kerning");
        let twice = Lines::of("Hx\nHx", 100.0);
        assert!((twice.height - lines.height - 125.0).abs() < 1.0);
    }

    #[test]
    fn letters_that_are_not_there_are_named() {
        assert_eq!(unknown("© Österreich\nŁódź Ελλάδα Москва 100 %"), None);
        assert_eq!(unknown("漢字"), Some('漢'));
    }
}
