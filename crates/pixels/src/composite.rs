//! Pictures over pictures: flattening, layers, and a soft shadow under a cut-out.
//! All arithmetic is on sRGB values, as browsers, Photoshop and libvips do it, and rounds to nearest.

use crate::{Bitmap, Channels, Mask, PixelError, Samples, to_u8, to_u16};

/// The bitmap on a plain background (sRGB), as RGB of the same depth.
///
/// Exact at both ends: alpha 255 keeps the pixel, alpha 0 gives precisely the background.
pub fn flatten(bitmap: &Bitmap, background: [u8; 3]) -> Bitmap {
    if bitmap.channels() == Channels::Rgb {
        return bitmap.clone();
    }
    let samples = match bitmap.samples() {
        Samples::U8(samples) => Samples::U8(flatten_u8(samples, background)),
        Samples::U16(samples) => Samples::U16(flatten_u16(samples, background.map(to_u16))),
    };
    Bitmap::new(bitmap.width(), bitmap.height(), Channels::Rgb, samples)
        .expect("three samples for each pixel there is")
}

fn flatten_u8(rgba: &[u8], background: [u8; 3]) -> Vec<u8> {
    let mut rgb = vec![0; rgba.len() / 4 * 3];
    for (to, from) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(rgba.as_chunks::<4>().0) {
        // Nearly all pixels of a cut-out are one or the other.
        *to = match from[3] {
            255 => [from[0], from[1], from[2]],
            0 => background,
            alpha => std::array::from_fn(|channel| {
                let (over, under) = (u32::from(alpha), u32::from(255 - alpha));
                let sum = u32::from(from[channel]) * over + u32::from(background[channel]) * under;
                ((sum + 127) / 255) as u8
            }),
        };
    }
    rgb
}

fn flatten_u16(rgba: &[u16], background: [u16; 3]) -> Vec<u16> {
    let mut rgb = vec![0; rgba.len() / 4 * 3];
    let background = background.map(u32::from);
    for (to, from) in rgb.as_chunks_mut::<3>().0.iter_mut().zip(rgba.as_chunks::<4>().0) {
        let alpha = u32::from(from[3]);
        for channel in 0..3 {
            // At most 65535² + 32767, which still fits.
            let sum = u32::from(from[channel]) * alpha + background[channel] * (65_535 - alpha);
            to[channel] = ((sum + 32_767) / 65_535) as u16;
        }
    }
    rgb
}

/// `top` over `bottom` (Porter and Duff's *over*), as RGBA with straight alpha at the deeper of the two depths.
/// Refuses two sizes.
pub fn lay_over(bottom: &Bitmap, top: &Bitmap) -> Result<Bitmap, PixelError> {
    let (width, height) = (bottom.width(), bottom.height());
    if (width, height) != (top.width(), top.height()) {
        return Err(PixelError::Argument {
            name: "top",
            value: format!("{} by {}", top.width(), top.height()),
            allowed: "both pictures must have the same size",
        });
    }
    if bottom.depth() == 8 && top.depth() == 8 {
        let (bottom, top) =
            (bottom.clone().into_rgba().into_samples(), top.clone().into_rgba().into_samples());
        if let (Samples::U8(mut under), Samples::U8(over)) = (bottom, top) {
            for (under, over) in under.as_chunks_mut::<4>().0.iter_mut().zip(over.as_chunks::<4>().0) {
                *under = over_u8(*over, *under);
            }
            return Bitmap::from_u8(width, height, Channels::Rgba, under);
        }
    }
    let deep = |bitmap: &Bitmap| match bitmap.clone().into_rgba().into_samples() {
        Samples::U16(samples) => samples,
        Samples::U8(samples) => samples.into_iter().map(to_u16).collect(),
    };
    let (mut under, over) = (deep(bottom), deep(top));
    for (under, over) in under.as_chunks_mut::<4>().0.iter_mut().zip(over.as_chunks::<4>().0) {
        *under = over_u16(*over, *under);
    }
    Bitmap::from_u16(width, height, Channels::Rgba, under)
}

/// A layer of one colour (sRGB), shaped by `mask` and weakened by `opacity` (0..=1), under the picture:
/// the shadow of a cut-out. The result is RGBA at the picture's depth. Refuses two sizes and an opacity out of range.
pub fn lay_mask_under(
    picture: &Bitmap,
    mask: &Mask,
    colour: [u8; 3],
    opacity: f32,
) -> Result<Bitmap, PixelError> {
    if (picture.width(), picture.height()) != (mask.width(), mask.height()) {
        return Err(PixelError::Argument {
            name: "mask",
            value: format!("{} by {}", mask.width(), mask.height()),
            allowed: "it must have the size of the picture",
        });
    }
    if !(0.0..=1.0).contains(&opacity) {
        return Err(PixelError::Argument {
            name: "opacity",
            value: opacity.to_string(),
            allowed: "0 to 1 is allowed",
        });
    }
    let strength: Vec<u16> = (0..=255u8).map(|v| (f32::from(v) * 257.0 * opacity).round() as u16).collect();
    let mut result = picture.clone().into_rgba();
    match result.samples_mut() {
        crate::SamplesMut::U8(samples) => {
            let strength: Vec<u8> = strength.iter().map(|&v| to_u8(v)).collect();
            let [r, g, b] = colour;
            for (pixel, &value) in samples.as_chunks_mut::<4>().0.iter_mut().zip(mask.values()) {
                *pixel = over_u8(*pixel, [r, g, b, strength[usize::from(value)]]);
            }
        }
        crate::SamplesMut::U16(samples) => {
            let [r, g, b] = colour.map(to_u16);
            for (pixel, &value) in samples.as_chunks_mut::<4>().0.iter_mut().zip(mask.values()) {
                *pixel = over_u16(*pixel, [r, g, b, strength[usize::from(value)]]);
            }
        }
    }
    Ok(result)
}

/// One pixel over another, straight alpha. The sums are scaled by 255² so that only the last step rounds.
fn over_u8(over: [u8; 4], under: [u8; 4]) -> [u8; 4] {
    let (a, b) = (u32::from(over[3]), u32::from(under[3]));
    if a == 255 || b == 0 {
        return over;
    }
    if a == 0 {
        return under;
    }
    let (over_share, under_share) = (a * 255, b * (255 - a));
    let whole = over_share + under_share;
    let mix = |i: usize| {
        let sum = u32::from(over[i]) * over_share + u32::from(under[i]) * under_share;
        ((sum + whole / 2) / whole) as u8
    };
    [mix(0), mix(1), mix(2), ((whole + 127) / 255) as u8]
}

/// The same at 16 bits.
fn over_u16(over: [u16; 4], under: [u16; 4]) -> [u16; 4] {
    let (a, b) = (u64::from(over[3]), u64::from(under[3]));
    if a == 65_535 || b == 0 {
        return over;
    }
    if a == 0 {
        return under;
    }
    let (over_share, under_share) = (a * 65_535, b * (65_535 - a));
    let whole = over_share + under_share;
    let mix = |i: usize| {
        let sum = u64::from(over[i]) * over_share + u64::from(under[i]) * under_share;
        ((sum + whole / 2) / whole) as u16
    };
    [mix(0), mix(1), mix(2), ((whole + 32_767) / 65_535) as u16]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(pixel: [u8; 4]) -> Bitmap {
        Bitmap::from_u8(1, 1, Channels::Rgba, pixel.to_vec()).expect("one pixel")
    }

    fn bytes(bitmap: &Bitmap) -> &[u8] {
        match bitmap.samples() {
            Samples::U8(samples) => samples,
            Samples::U16(_) => panic!("8 bit"),
        }
    }

    #[test]
    fn flattening_is_exact_at_both_ends_and_rounds_between() {
        for value in 0..=255u8 {
            assert_eq!(bytes(&flatten(&one([value, 3, 200, 255]), [9, 9, 9])), [value, 3, 200]);
            assert_eq!(bytes(&flatten(&one([value, 3, 200, 0]), [value, 254, 1])), [value, 254, 1]);
            for alpha in 0..=255u8 {
                let exact = (f64::from(value) * f64::from(alpha) + 77.0 * f64::from(255 - alpha)) / 255.0;
                let got = f64::from(bytes(&flatten(&one([value, 0, 0, alpha]), [77, 0, 0]))[0]);
                assert!((got - exact).abs() <= 0.5 + 1e-9, "{value} {alpha}: {got} for {exact}");
            }
        }
        let deep = Bitmap::from_u16(2, 1, Channels::Rgba, vec![65_535, 1, 40_000, 65_535, 5, 6, 7, 0])
            .expect("2 pixels");
        let Samples::U16(flat) = flatten(&deep, [255, 1, 0]).into_samples() else { panic!("16 bit") };
        assert_eq!(flat, [65_535, 1, 40_000, 65_535, 257, 0]);
    }

    #[test]
    fn over_matches_the_equation() {
        for (over, under) in [([200, 10, 0, 128], [20, 30, 40, 255]), ([1, 2, 3, 77], [250, 251, 252, 99])] {
            let got = lay_over(&one(under), &one(over)).expect("one size");
            let (a, b) = (f64::from(over[3]) / 255.0, f64::from(under[3]) / 255.0);
            let alpha = a + b * (1.0 - a);
            for i in 0..3 {
                let exact = (f64::from(over[i]) * a + f64::from(under[i]) * b * (1.0 - a)) / alpha;
                assert!((f64::from(bytes(&got)[i]) - exact).abs() <= 0.5 + 1e-9);
            }
            assert!((f64::from(bytes(&got)[3]) - alpha * 255.0).abs() <= 0.5 + 1e-9);
        }
    }

    #[test]
    fn both_depths_lay_alike() {
        let (top, bottom) = ([180u8, 90, 30, 100], [10u8, 220, 128, 60]);
        let eight = lay_over(&one(bottom), &one(top)).expect("one size");
        let deep =
            |p: [u8; 4]| Bitmap::from_u16(1, 1, Channels::Rgba, p.map(to_u16).to_vec()).expect("one pixel");
        let sixteen = lay_over(&deep(bottom), &deep(top)).expect("one size");
        assert_eq!(sixteen.depth(), 16);
        assert_eq!(sixteen.into_u8(), eight);
        assert_eq!(lay_over(&one(bottom), &deep(top)).expect("one size").depth(), 16);
    }

    #[test]
    fn a_shadow_shows_only_where_the_picture_does_not() {
        let picture = Bitmap::from_u8(3, 1, Channels::Rgba, vec![250, 1, 2, 255, 0, 0, 0, 0, 0, 0, 0, 0])
            .expect("3 pixels");
        let mask = Mask::new(3, 1, vec![255, 255, 0]).expect("3 values");
        let result = lay_mask_under(&picture, &mask, [10, 20, 30], 0.5).expect("one size");
        assert_eq!(bytes(&result), [250, 1, 2, 255, 10, 20, 30, 128, 0, 0, 0, 0]);
        assert!(lay_mask_under(&picture, &mask, [0, 0, 0], 1.5).is_err());
        assert!(lay_mask_under(&picture, &mask, [0, 0, 0], f32::NAN).is_err());
    }
}
