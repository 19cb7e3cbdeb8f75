//! Lays marks over everything else: the blend modes of W3C Compositing and Blending Level 1, on sRGB values.

use pixels::{Channels, Samples};

use super::{Sample, line_of};
use crate::{Blend, Mark};

/// One row of a mark as shares, straight alpha.
fn row_of(mark: &Mark, line: usize) -> Vec<[f32; 4]> {
    fn shares<S: Copy, const N: usize>(row: &[S], share: impl Fn(S) -> f32) -> Vec<[f32; 4]> {
        let pixel = |pixel: &[S; N]| {
            let mut shares = [1.0; 4];
            shares.iter_mut().zip(pixel).for_each(|(to, from)| *to = share(*from));
            shares
        };
        row.as_chunks::<N>().0.iter().map(pixel).collect()
    }
    let bitmap = &mark.layer.bitmap;
    let count = bitmap.width() as usize * bitmap.channels().count();
    let span = line * count..(line + 1) * count;
    let narrow = |sample: u8| f32::from(sample) * (1.0 / 255.0);
    let wide = |sample: u16| f32::from(sample) * (1.0 / 65_535.0);
    match (bitmap.samples(), bitmap.channels()) {
        (Samples::U8(samples), Channels::Rgb) => shares::<_, 3>(&samples[span], narrow),
        (Samples::U8(samples), Channels::Rgba) => shares::<_, 4>(&samples[span], narrow),
        (Samples::U16(samples), Channels::Rgb) => shares::<_, 3>(&samples[span], wide),
        (Samples::U16(samples), Channels::Rgba) => shares::<_, 4>(&samples[span], wide),
    }
}

/// Lays row `y` of a mark over a row of the canvas, RGB where that is `opaque` and RGBA otherwise. What the mark does
/// not cover stays exactly as it was.
pub(super) fn imprint<S: Sample>(row: &mut [S], y: usize, mark: &Mark, opaque: bool) {
    let layer = &mark.layer;
    let Some(line) = line_of(y, layer.y, layer.bitmap.height()) else { return };
    let (x, width) = (layer.x as usize, layer.bitmap.width() as usize);
    let top = row_of(mark, line);
    let share = |sample: S| sample.wide() as f32 / S::FULL as f32;
    if opaque {
        for (pixel, top) in row.as_chunks_mut::<3>().0[x..x + width].iter_mut().zip(top) {
            let alpha = top[3] * mark.opacity;
            if alpha > 0.0 {
                let under = pixel.map(share);
                *pixel = std::array::from_fn(|c| {
                    let mixed = blended(mark.blend, under[c], top[c]);
                    S::of_share((under[c] + (mixed - under[c]) * alpha).into())
                });
            }
        }
        return;
    }
    for (pixel, top) in row.as_chunks_mut::<4>().0[x..x + width].iter_mut().zip(top) {
        let alpha = top[3] * mark.opacity;
        if alpha > 0.0 {
            *pixel = over(pixel.map(share), top, alpha, mark.blend).map(|share| S::of_share(share.into()));
            if pixel[3].wide() == 0 {
                *pixel = [S::default(); 4];
            }
        }
    }
}

/// A mark's pixel over one that may be transparent: only where something lies under it is there something to mix with.
fn over(under: [f32; 4], top: [f32; 4], alpha: f32, blend: Blend) -> [f32; 4] {
    let whole = alpha + under[3] * (1.0 - alpha);
    let colour = |c: usize| {
        let mixed = top[c] + (blended(blend, under[c], top[c]) - top[c]) * under[3];
        ((mixed * alpha + under[c] * under[3] * (1.0 - alpha)) / whole).clamp(0.0, 1.0)
    };
    [colour(0), colour(1), colour(2), whole]
}

#[inline(always)]
fn blended(blend: Blend, under: f32, top: f32) -> f32 {
    match blend {
        Blend::Normal => top,
        Blend::Multiply => under * top,
        Blend::Screen => under + top - under * top,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use pixels::Bitmap;

    use super::*;
    use crate::Subject;

    fn printed(row: &[u8], top: [u8; 4], blend: Blend, opaque: bool) -> Vec<u8> {
        let bitmap = Bitmap::from_u8(1, 1, Channels::Rgba, top.to_vec()).expect("a pixel");
        let layer = Subject { bitmap: Arc::new(bitmap), x: 1, y: 3 };
        let mut row = row.to_vec();
        imprint(&mut row, 3, &Mark { layer, blend, opacity: 0.5 }, opaque);
        row
    }

    #[test]
    fn marks_mix_as_they_are_told() {
        let row = [10, 20, 30, 200, 100, 0];
        let mixed = |blend| printed(&row, [100, 100, 100, 255], blend, true);
        assert_eq!(mixed(Blend::Normal), [10, 20, 30, 150, 100, 50]);
        assert_eq!(mixed(Blend::Multiply), [10, 20, 30, 139, 70, 0]);
        assert_eq!(mixed(Blend::Screen), [10, 20, 30, 211, 130, 50]);
    }

    #[test]
    fn over_nothing_a_mark_has_its_own_colour_and_its_own_alpha() {
        let row = [1, 2, 3, 4, 0, 0, 0, 0];
        for blend in [Blend::Normal, Blend::Multiply, Blend::Screen] {
            assert_eq!(printed(&row, [90, 80, 70, 255], blend, false), [1, 2, 3, 4, 90, 80, 70, 128]);
            assert_eq!(printed(&row, [90, 80, 70, 0], blend, false), row);
        }
    }
}
