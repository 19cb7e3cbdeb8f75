//! How like two opaque pictures of the same size are.

use anyhow::ensure;
use pixels::{Bitmap, Lab, Mask, Samples, ciede2000};

/// Peak signal-to-noise ratio over all samples, in decibels; 99.0 for equal pictures.
pub fn psnr(a: &Bitmap, b: &Bitmap) -> anyhow::Result<f64> {
    let (a, b) = pair(a, b)?;
    let sum: f64 = a.iter().zip(&b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum();
    let mean = sum / a.len() as f64;
    Ok(if mean == 0.0 { 99.0 } else { 10.0 * (255.0 * 255.0 / mean).log10() })
}

/// Structural similarity (Wang et al. 2004) of the luma, over windows of 8 by 8 pixels at every fourth place.
pub fn ssim(a: &Bitmap, b: &Bitmap) -> anyhow::Result<f64> {
    let (width, height) = (a.width() as usize, a.height() as usize);
    let (a, b) = pair(a, b)?;
    let luma = |rgb: &[u8]| -> Vec<f64> {
        let weighted =
            |p: &[u8; 3]| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]);
        rgb.as_chunks::<3>().0.iter().map(weighted).collect()
    };
    let (a, b) = (luma(&a), luma(&b));
    let (c1, c2) = ((0.01f64 * 255.0).powi(2), (0.03f64 * 255.0).powi(2));
    let (mut sum, mut count) = (0.0, 0u32);
    for top in (0..height.saturating_sub(7)).step_by(4) {
        for left in (0..width.saturating_sub(7)).step_by(4) {
            let (mut sa, mut sb, mut aa, mut bb, mut ab) = (0.0, 0.0, 0.0, 0.0, 0.0);
            for row in top..top + 8 {
                let range = row * width + left..row * width + left + 8;
                for (&x, &y) in a[range.clone()].iter().zip(&b[range]) {
                    (sa, sb) = (sa + x, sb + y);
                    (aa, bb, ab) = (aa + x * x, bb + y * y, ab + x * y);
                }
            }
            let (ma, mb) = (sa / 64.0, sb / 64.0);
            let (va, vb, cov) = (aa / 64.0 - ma * ma, bb / 64.0 - mb * mb, ab / 64.0 - ma * mb);
            sum += (2.0 * ma * mb + c1) * (2.0 * cov + c2) / ((ma * ma + mb * mb + c1) * (va + vb + c2));
            count += 1;
        }
    }
    Ok(if count == 0 { 1.0 } else { sum / f64::from(count) })
}

/// Mean CIEDE2000 over the pixels that the mask covers wholly; 0.0 if it covers none.
pub fn colour_error(a: &Bitmap, b: &Bitmap, mask: &Mask) -> anyhow::Result<f64> {
    let (a, b) = pair(a, b)?;
    let lab = Lab::new();
    let (mut sum, mut count) = (0.0, 0u64);
    let pixels = a.as_chunks::<3>().0.iter().zip(b.as_chunks::<3>().0).zip(mask.values());
    for ((a, b), _) in pixels.filter(|(_, covered)| **covered == 255) {
        sum += f64::from(ciede2000(lab.of(a), lab.of(b)));
        count += 1;
    }
    Ok(if count == 0 { 0.0 } else { sum / count as f64 })
}

fn pair(a: &Bitmap, b: &Bitmap) -> anyhow::Result<(Vec<u8>, Vec<u8>)> {
    ensure!((a.width(), a.height()) == (b.width(), b.height()), "two pictures of different sizes");
    Ok((rgb(a)?, rgb(b)?))
}

/// The samples as 8-bit RGB.
pub fn rgb(bitmap: &Bitmap) -> anyhow::Result<Vec<u8>> {
    match bitmap.clone().without_alpha().into_u8().into_samples() {
        Samples::U8(samples) => Ok(samples),
        Samples::U16(_) => anyhow::bail!("8 bit was asked for"),
    }
}

#[cfg(test)]
mod tests {
    use pixels::Channels;

    use super::*;

    #[test]
    fn equal_pictures_are_perfect_and_a_shift_of_one_level_is_48_decibels() {
        let picture = |shift: u8| {
            let samples = (0..24 * 24 * 3).map(|i| (i * 7 % 200) as u8 + shift).collect();
            Bitmap::from_u8(24, 24, Channels::Rgb, samples).unwrap()
        };
        let (a, b) = (picture(0), picture(1));
        assert_eq!((psnr(&a, &a).unwrap(), ssim(&a, &a).unwrap()), (99.0, 1.0));
        assert!((psnr(&a, &b).unwrap() - 48.13).abs() < 0.01);
        assert!(ssim(&a, &b).unwrap() > 0.999);
        let all = Mask::new(24, 24, vec![255; 576]).unwrap();
        assert_eq!(colour_error(&a, &a, &all).unwrap(), 0.0);
        assert!(colour_error(&a, &b, &all).unwrap() > 0.1);
    }
}
