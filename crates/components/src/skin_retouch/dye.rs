//! Shows a mask on the picture.

use pixels::{Bitmap, Mask, SamplesMut};

/// Mixes magenta over what the mask marks.
pub(super) fn dye(bitmap: &mut Bitmap, mask: &Mask) {
    let count = bitmap.channels().count();
    match bitmap.samples_mut() {
        SamplesMut::U8(samples) => {
            for (pixel, value) in samples.chunks_exact_mut(count).zip(mask.values()) {
                mixed(pixel, [255, 0, 255], *value, |v, to, part| {
                    (v as f32 + (to as f32 - v as f32) * part + 0.5) as u8
                });
            }
        }
        SamplesMut::U16(samples) => {
            for (pixel, value) in samples.chunks_exact_mut(count).zip(mask.values()) {
                mixed(pixel, [65_535, 0, 65_535], *value, |v, to, part| {
                    (v as f32 + (to as f32 - v as f32) * part + 0.5) as u16
                });
            }
        }
    }
}

/// Six tenths of a colour at full mask; what the mask does not mark stays.
fn mixed<S: Copy>(pixel: &mut [S], colour: [S; 3], value: u8, mix: impl Fn(S, S, f32) -> S) {
    if value > 0 {
        for (sample, to) in pixel.iter_mut().zip(colour) {
            *sample = mix(*sample, to, 0.6 * f32::from(value) / 255.0);
        }
    }
}
