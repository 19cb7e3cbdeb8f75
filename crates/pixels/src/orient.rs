//! The eight Exif orientations.

use crate::{Bitmap, Mask, PixelError, Samples};

/// Turns a picture upright: `orientation` is the Exif tag 0x0112, 1..=8. Copies only what has to move; 1 returns the
/// bitmap itself. Refuses any other number.
pub fn orient(bitmap: Bitmap, orientation: u8) -> Result<Bitmap, PixelError> {
    if orientation == 1 {
        return Ok(bitmap);
    }
    if !(1..=8).contains(&orientation) {
        return Err(refused(orientation));
    }
    let (width, height, channels) = (bitmap.width(), bitmap.height(), bitmap.channels());
    let samples = match bitmap.into_samples() {
        Samples::U8(samples) => Samples::U8(turn(&samples, width, height, channels.count(), orientation)),
        Samples::U16(samples) => Samples::U16(turn(&samples, width, height, channels.count(), orientation)),
    };
    let (width, height) = if orientation >= 5 { (height, width) } else { (width, height) };
    Bitmap::new(width, height, channels, samples)
}

/// The same for a mask.
pub fn orient_mask(mask: Mask, orientation: u8) -> Result<Mask, PixelError> {
    if orientation == 1 {
        return Ok(mask);
    }
    if !(1..=8).contains(&orientation) {
        return Err(refused(orientation));
    }
    let (width, height) = (mask.width(), mask.height());
    let values = mask.values().as_chunks::<1>().0;
    let values = move_pixels(values, width as usize, height as usize, orientation);
    let (width, height) = if orientation >= 5 { (height, width) } else { (width, height) };
    Mask::new(width, height, values)
}

fn refused(orientation: u8) -> PixelError {
    PixelError::Argument { name: "orientation", value: orientation.to_string(), allowed: "1 to 8 is allowed" }
}

fn turn<S: Copy + Default>(
    source: &[S],
    width: u32,
    height: u32,
    channels: usize,
    orientation: u8,
) -> Vec<S> {
    match channels {
        3 => move_pixels(source.as_chunks::<3>().0, width as usize, height as usize, orientation),
        _ => move_pixels(source.as_chunks::<4>().0, width as usize, height as usize, orientation),
    }
}

fn move_pixels<S: Copy + Default, const N: usize>(
    source: &[[S; N]],
    width: usize,
    height: usize,
    orientation: u8,
) -> Vec<S> {
    let mut out = Vec::with_capacity(source.len() * N);
    match orientation {
        2 => {
            source.chunks_exact(width).for_each(|row| row.iter().rev().for_each(|p| out.extend_from_slice(p)))
        }
        3 => source.iter().rev().for_each(|p| out.extend_from_slice(p)),
        4 => source.chunks_exact(width).rev().for_each(|row| out.extend_from_slice(row.as_flattened())),
        _ => {
            // Square tiles, so that neither the rows read nor the columns written leave the cache.
            const TILE: usize = 32;
            out.resize(source.len() * N, S::default());
            let pixels = out.as_chunks_mut::<N>().0;
            for tile_y in (0..height).step_by(TILE) {
                for tile_x in (0..width).step_by(TILE) {
                    for x in tile_x..(tile_x + TILE).min(width) {
                        let row = if matches!(orientation, 7 | 8) { width - 1 - x } else { x };
                        for y in tile_y..(tile_y + TILE).min(height) {
                            let column = if matches!(orientation, 6 | 7) { height - 1 - y } else { y };
                            pixels[row * height + column] = source[y * width + x];
                        }
                    }
                }
            }
        }
    }
    out
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::Channels;

    /// How a scene must be stored so that `orientation` turns it upright again.
    pub(crate) fn store_as(scene: Bitmap, orientation: u8) -> Bitmap {
        // Quarter turns undo each other; all others undo themselves.
        let inverse = match orientation {
            6 => 8,
            8 => 6,
            other => other,
        };
        orient(scene, inverse).expect("1 to 8")
    }

    #[test]
    fn each_orientation_moves_the_first_pixel_to_its_corner() {
        // Row 0 and column 0 as the Exif specification names them: (top, left) for 1, (top, right) for 2 …
        let corners = [(0, 0), (2, 0), (2, 1), (0, 1), (0, 0), (1, 0), (1, 2), (0, 2)];
        for (orientation, (x, y)) in (1..=8).zip(corners) {
            let samples = (0..6u8).flat_map(|i| [i, i, i]).collect();
            let stored = Bitmap::from_u8(3, 2, Channels::Rgb, samples).expect("the right number");
            let upright = orient(stored, orientation).expect("1 to 8");
            let Samples::U8(samples) = upright.samples() else { panic!("8 bit") };
            assert_eq!(samples[(y * upright.width() as usize + x) * 3], 0, "orientation {orientation}");
            let mut all: Vec<u8> = samples.iter().step_by(3).copied().collect();
            all.sort_unstable();
            assert_eq!(all, [0, 1, 2, 3, 4, 5]);
        }
    }

    #[test]
    fn six_is_a_quarter_turn_clockwise() {
        let stored = Bitmap::from_u8(3, 2, Channels::Rgb, (0..6u8).flat_map(|i| [i, i, i]).collect())
            .expect("6 pixels");
        let upright = orient(stored, 6).expect("1 to 8");
        assert_eq!((upright.width(), upright.height()), (2, 3));
        let Samples::U8(samples) = upright.samples() else { panic!("8 bit") };
        assert_eq!(samples.iter().step_by(3).copied().collect::<Vec<_>>(), [3, 0, 4, 1, 5, 2]);
    }

    #[test]
    fn storing_and_turning_gives_the_scene_back() {
        let samples: Vec<u16> = (0..70u16 * 45 * 4).map(|i| i.wrapping_mul(37)).collect();
        let scene = Bitmap::from_u16(70, 45, Channels::Rgba, samples).expect("the right number");
        for orientation in 1..=8 {
            let stored = store_as(scene.clone(), orientation);
            assert_eq!(orient(stored, orientation).expect("1 to 8"), scene, "orientation {orientation}");
        }
        assert!(orient(scene.clone(), 0).is_err());
        assert!(orient(scene, 9).is_err());
    }
}
