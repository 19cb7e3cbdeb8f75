//! The only resampler: pictures, masks and planes of floats. Works on sRGB values, as browsers and libvips do.

use fast_image_resize::images::{TypedImage, TypedImageRef};
use fast_image_resize::pixels::U8x3;
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};

use crate::{Bitmap, Channels, Mask, PixelError, Samples, resample};

/// The reconstruction filter, widened by the scale when shrinking.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Filter {
    /// Windowed sinc with three lobes: sharpest, may ring at hard edges. For photographs.
    #[default]
    Lanczos3,
    /// Cubic through its samples (a = −0.5): nearly as sharp, rings less.
    CatmullRom,
    /// Triangle: never rings. For masks and network inputs.
    Bilinear,
    /// Mean of the covered pixels.
    Box,
}

impl Filter {
    fn algorithm(self) -> ResizeAlg {
        ResizeAlg::Convolution(match self {
            Self::Lanczos3 => FilterType::Lanczos3,
            Self::CatmullRom => FilterType::CatmullRom,
            Self::Bilinear => FilterType::Bilinear,
            Self::Box => FilterType::Box,
        })
    }
}

/// The bitmap at exactly `width` by `height`, at the same depth. Refuses a side of 0.
///
/// RGBA is resampled premultiplied in floats and divided again, so that the colour of a transparent pixel never
/// bleeds into its neighbours; opaque stays exactly opaque.
pub fn resize(bitmap: &Bitmap, width: u32, height: u32, filter: Filter) -> Result<Bitmap, PixelError> {
    check(width, height)?;
    let from = (bitmap.width(), bitmap.height());
    if from == (width, height) {
        return Ok(bitmap.clone());
    }
    let samples = match (bitmap.channels(), bitmap.samples()) {
        (Channels::Rgb, Samples::U8(samples)) => {
            Samples::U8(convolve(samples, from, (width, height), filter)?)
        }
        (Channels::Rgb, Samples::U16(samples)) => {
            Samples::U16(resample::resample_rgb(samples, from, (width, height), filter))
        }
        (Channels::Rgba, Samples::U8(samples)) => {
            Samples::U8(resample::resample_rgba(samples, from, (width, height), filter))
        }
        (Channels::Rgba, Samples::U16(samples)) => {
            Samples::U16(resample::resample_rgba(samples, from, (width, height), filter))
        }
    };
    Bitmap::new(width, height, bitmap.channels(), samples)
}

/// The mask at exactly `width` by `height`. Refuses a side of 0.
pub fn resize_mask(mask: &Mask, width: u32, height: u32, filter: Filter) -> Result<Mask, PixelError> {
    check(width, height)?;
    let from = (mask.width(), mask.height());
    if from == (width, height) {
        return Ok(mask.clone());
    }
    Mask::new(width, height, resample::resample_plane(mask.values(), from, (width, height), filter))
}

/// A plane of `from.0 * from.1` floats (width, height; row by row) at the size `to`. Values are neither clamped nor
/// rounded, so Lanczos3 and CatmullRom may overshoot. Refuses a wrong number of values and a side of 0.
pub fn resize_plane(
    plane: &[f32],
    from: (u32, u32),
    to: (u32, u32),
    filter: Filter,
) -> Result<Vec<f32>, PixelError> {
    check(to.0, to.1)?;
    let expected = from.0 as usize * from.1 as usize;
    if expected == 0 || plane.len() != expected {
        return Err(PixelError::Shape { width: from.0, height: from.1, expected, given: plane.len() });
    }
    if from == to {
        return Ok(plane.to_vec());
    }
    Ok(resample::resample_plane(plane, from, to, filter))
}

/// The largest size with the proportions of `size` that fits inside `frame` (width, height in pixels), never
/// larger than `size` unless `enlarge`; each side at least 1.
pub fn fit_inside(size: (u32, u32), frame: (u32, u32), enlarge: bool) -> (u32, u32) {
    let (width, height) = (f64::from(size.0.max(1)), f64::from(size.1.max(1)));
    let mut scale = (f64::from(frame.0) / width).min(f64::from(frame.1) / height);
    if !enlarge {
        scale = scale.min(1.0);
    }
    let side = |length: f64, most: u32| ((length * scale).round() as u32).clamp(1, most.max(1));
    (side(width, frame.0), side(height, frame.1))
}

fn check(width: u32, height: u32) -> Result<(), PixelError> {
    // The same bound as for decoding with the default limits: 30,000 a side.
    const LONGEST: u32 = 30_000;
    if (1..=LONGEST).contains(&width) && (1..=LONGEST).contains(&height) {
        return Ok(());
    }
    Err(PixelError::Argument {
        name: "size",
        value: format!("{width} by {height}"),
        allowed: "1 to 30000 pixels a side are allowed",
    })
}

/// 8-bit RGB, the most frequent by far, in the widest instructions there are. `fast_image_resize` is compiled anew for
/// each kind of pixel and instruction set, half a minute each; the other kinds are left to our own resampler.
fn convolve(samples: &[u8], from: (u32, u32), to: (u32, u32), filter: Filter) -> Result<Vec<u8>, PixelError> {
    let failed = |error: &dyn std::fmt::Display| PixelError::Library {
        library: "fast_image_resize",
        reason: error.to_string(),
    };
    let source = TypedImageRef::<U8x3>::from_buffer(from.0, from.1, samples).map_err(|e| failed(&e))?;
    let mut result = vec![0; to.0 as usize * to.1 as usize * 3];
    let mut target = TypedImage::<U8x3>::from_buffer(to.0, to.1, &mut result).map_err(|e| failed(&e))?;
    let options = ResizeOptions::new().resize_alg(filter.algorithm()).use_alpha(false);
    Resizer::new().resize_typed(&source, &mut target, Some(&options)).map_err(|e| failed(&e))?;
    Ok(result)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::to_u16;

    const FILTERS: [Filter; 4] = [Filter::Lanczos3, Filter::CatmullRom, Filter::Bilinear, Filter::Box];

    #[test]
    fn a_plain_picture_stays_plain() {
        for filter in FILTERS {
            for (width, height) in [(7, 5), (40, 31), (1, 1), (64, 3)] {
                let rgb =
                    Bitmap::from_u8(23, 17, Channels::Rgb, [200, 100, 3].repeat(23 * 17)).expect("23 by 17");
                let small = resize(&rgb, width, height, filter).expect("a size");
                let Samples::U8(samples) = small.samples() else { panic!("8 bit") };
                assert!(samples.chunks_exact(3).all(|p| p == [200, 100, 3]), "{filter:?} {width} {height}");
                let rgba = resize(&rgb.into_rgba(), width, height, filter).expect("a size");
                let Samples::U8(samples) = rgba.samples() else { panic!("8 bit") };
                assert!(
                    samples.chunks_exact(4).all(|p| p == [200, 100, 3, 255]),
                    "{filter:?} {width} {height}"
                );
            }
        }
    }

    #[test]
    fn sixteen_bits_stay_sixteen_bits() {
        let rgb = Bitmap::from_u16(8, 8, Channels::Rgb, [12_345, 65_535, 1].repeat(64)).expect("8 by 8");
        let Samples::U16(small) = resize(&rgb, 3, 5, Filter::Lanczos3).expect("a size").into_samples() else {
            panic!("16 bit")
        };
        assert!(small.chunks_exact(3).all(|p| p[0].abs_diff(12_345) <= 1 && p[1] >= 65_534 && p[2] <= 2));
        let Samples::U16(small) =
            resize(&rgb.into_rgba(), 3, 5, Filter::Lanczos3).expect("a size").into_samples()
        else {
            panic!("16 bit")
        };
        assert!(small.chunks_exact(4).all(|p| p == [12_345, 65_535, 1, 65_535]));
    }

    #[test]
    fn transparent_colours_do_not_bleed() {
        // Green product next to hidden red: no pixel of the result may hold red.
        let row: Vec<u8> =
            (0..32).flat_map(|x| if x < 16 { [0, 200, 0, 255] } else { [255, 0, 0, 0] }).collect();
        let picture = Bitmap::from_u8(32, 32, Channels::Rgba, row.repeat(32)).expect("32 by 32");
        for filter in FILTERS {
            let small = resize(&picture, 11, 11, filter).expect("a size");
            let Samples::U8(samples) = small.samples() else { panic!("8 bit") };
            for pixel in samples.chunks_exact(4) {
                assert_eq!(pixel[0], 0, "{filter:?}");
                assert!(pixel[3] == 0 || pixel[1].abs_diff(200) <= 1, "{filter:?} {pixel:?}");
            }
        }
    }

    #[test]
    fn islands_in_transparency_are_found_wherever_they_lie() {
        // Two opaque spots with nothing around them, against the same picture on an alpha that is nowhere quite 0.
        let mut samples = vec![0u16; 97 * 61 * 4];
        for (x, y) in [(3, 2), (4, 2), (3, 3), (90, 55), (91, 57), (50, 30)] {
            samples[(y * 97 + x) * 4..][..4].copy_from_slice(&[30_000, 1000, 65_535, 65_535]);
        }
        let faint: Vec<u16> = samples.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2], p[3].max(1)]).collect();
        let sparse = Bitmap::from_u16(97, 61, Channels::Rgba, samples).expect("97 by 61");
        let dense = Bitmap::from_u16(97, 61, Channels::Rgba, faint).expect("97 by 61");
        for (width, height) in [(31, 17), (97, 20), (200, 150)] {
            let a = resize(&sparse, width, height, Filter::Lanczos3).expect("a size");
            let b = resize(&dense, width, height, Filter::Lanczos3).expect("a size");
            assert!(a.has_transparency());
            let (a, b) = (a.alpha(), b.alpha());
            assert!(a.values().iter().any(|&alpha| alpha > 0));
            assert!(a.values().iter().zip(b.values()).all(|(a, b)| a.abs_diff(*b) <= 1));
        }
    }

    #[test]
    fn rgba_and_rgb_resample_alike() {
        // Away from black and white, where fast_image_resize clamps between its two passes and ours does not.
        let noise = |i: u32| 64 + (i.wrapping_mul(2_654_435_761) >> 25) as u8;
        let samples: Vec<u8> = (0..60 * 47 * 3).map(noise).collect();
        let rgb = Bitmap::from_u8(60, 47, Channels::Rgb, samples).expect("60 by 47");
        for (width, height) in [(21, 13), (90, 100)] {
            let Samples::U8(a) =
                resize(&rgb, width, height, Filter::Lanczos3).expect("a size").into_samples()
            else {
                panic!("8 bit")
            };
            let opaque = resize(&rgb.clone().into_rgba(), width, height, Filter::Lanczos3).expect("a size");
            let Samples::U8(b) = flatten_opaque(opaque).into_samples() else { panic!("8 bit") };
            // fast_image_resize rounds between its two passes, and its weights to 16 bits.
            let worst = a.iter().zip(&b).map(|(a, b)| a.abs_diff(*b)).max();
            assert!(worst <= Some(1), "{worst:?}");
        }
    }

    fn flatten_opaque(bitmap: Bitmap) -> Bitmap {
        assert!(!bitmap.has_transparency());
        crate::flatten(&bitmap, [0, 0, 0])
    }

    #[test]
    fn masks_and_planes_are_resized() {
        let mask = Mask::new(4, 1, vec![0, 0, 255, 255]).expect("4 values");
        let half = resize_mask(&mask, 2, 1, Filter::Box).expect("a size");
        assert_eq!(half.values(), [0, 255]);
        let plane = resize_plane(&[0.0, 1.0, 2.0, 3.0], (2, 2), (1, 1), Filter::Box).expect("a size");
        assert!((plane[0] - 1.5).abs() < 1e-6);
        assert!(resize_plane(&[0.0; 3], (2, 2), (1, 1), Filter::Box).is_err());
        assert!(resize_plane(&[0.0; 4], (2, 2), (0, 1), Filter::Box).is_err());
        assert!(resize_mask(&mask, 30_001, 1, Filter::Box).is_err());
    }

    #[test]
    fn frames_are_filled_without_distortion() {
        assert_eq!(fit_inside((4000, 6000), (2000, 2000), false), (1333, 2000));
        assert_eq!(fit_inside((100, 50), (2000, 2000), false), (100, 50));
        assert_eq!(fit_inside((100, 50), (2000, 2000), true), (2000, 1000));
        assert_eq!(fit_inside((30_000, 1), (100, 100), false), (100, 1));
    }

    #[test]
    fn sixteen_bit_alpha_matches_eight_bit_alpha() {
        let samples: Vec<u8> =
            (0..40 * 40 * 4).map(|i: u32| (i.wrapping_mul(2_246_822_519) >> 24) as u8).collect();
        let eight = Bitmap::from_u8(40, 40, Channels::Rgba, samples.clone()).expect("40 by 40");
        let deep = Bitmap::from_u16(40, 40, Channels::Rgba, samples.into_iter().map(to_u16).collect())
            .expect("40 by 40");
        let a = resize(&eight, 17, 19, Filter::CatmullRom).expect("a size");
        let b = resize(&deep, 17, 19, Filter::CatmullRom).expect("a size").into_u8();
        let (Samples::U8(a), Samples::U8(b)) = (a.samples(), b.samples()) else { panic!("8 bit") };
        assert!(a.iter().zip(b).all(|(a, b)| a.abs_diff(*b) <= 1));
    }
}
