use std::convert::Infallible;

use proptest::prelude::*;

use super::*;

const USUAL: Denoising = Denoising { luma: 0.5, chroma: 0.5, detail: 0.5 };

fn denoised(mut bitmap: Bitmap, how: Denoising) -> Bitmap {
    denoise(&mut bitmap, &how, || Ok::<(), Infallible>(())).expect("nobody stops it");
    bitmap
}

fn bytes(bitmap: &Bitmap) -> &[u8] {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bit") };
    samples
}

/// A bell curve of deviation 1, by the sum of twelve.
fn gauss(seed: &mut u32) -> f32 {
    let mut next = || {
        *seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (*seed >> 8) as f32 / (1 << 24) as f32
    };
    (0..12).map(|_| next()).sum::<f32>() - 6.0
}

/// Stripes and a soft ramp in colour, and the same with noise whose deviation grows with the brightness.
fn pair(width: u32, height: u32, sigma: f32) -> (Bitmap, Bitmap) {
    let (mut clean, mut noisy, mut seed) = (Vec::new(), Vec::new(), 7);
    for i in 0..width * height {
        let (x, y) = (i % width, i / width);
        let stripe = if x / 24 % 2 == 0 { 40.0 } else { 0.0 };
        for value in [60.0 + 120.0 * y as f32 / height as f32, 80.0 + stripe, 150.0 - stripe] {
            clean.push((value + 0.5) as u8);
            let deviation = sigma * (0.6 + 0.8 * value / 255.0);
            noisy.push((value + deviation * gauss(&mut seed) + 0.5).clamp(0.0, 255.0) as u8);
        }
    }
    let bitmap = |samples| Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size");
    (bitmap(clean), bitmap(noisy))
}

fn psnr(a: &Bitmap, b: &Bitmap) -> f64 {
    let pairs = bytes(a).iter().zip(bytes(b));
    let sum: f64 = pairs.map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum();
    10.0 * (255.0f64.powi(2) * bytes(a).len() as f64 / sum.max(1e-9)).log10()
}

#[test]
fn planted_noise_goes_and_stripes_stay() {
    for (sigma, gain) in [(4.0, 6.0), (10.0, 7.0)] {
        let (clean, noisy) = pair(240, 200, sigma);
        let (before, after) = (psnr(&clean, &noisy), psnr(&clean, &denoised(noisy.clone(), USUAL)));
        assert!(after > before + gain, "{before:.1} to {after:.1} dB at {sigma}");
    }
}

#[test]
fn colour_and_brightness_are_apart() {
    let (_, noisy) = pair(160, 120, 8.0);
    let spread = |bitmap: &Bitmap, of: fn(&[u8]) -> f32| -> f32 {
        let values: Vec<f32> = bytes(bitmap).chunks(3).map(of).collect();
        values.windows(2).map(|w| (w[0] - w[1]).abs()).sum::<f32>() / values.len() as f32
    };
    let grey = |p: &[u8]| p.iter().map(|&v| f32::from(v)).sum::<f32>() / 3.0;
    let red = |p: &[u8]| f32::from(p[0]) - f32::from(p[2]);
    let colour = denoised(noisy.clone(), Denoising { luma: 0.0, ..USUAL });
    assert!(spread(&colour, red) < spread(&noisy, red) * 0.4);
    assert!(spread(&colour, grey) > spread(&noisy, grey) * 0.9);
    let brightness = denoised(noisy.clone(), Denoising { chroma: 0.0, ..USUAL });
    assert!(spread(&brightness, grey) < spread(&noisy, grey) * 0.5);
    assert!(spread(&brightness, red) > spread(&noisy, red) * 0.9);
}

#[test]
fn a_white_backdrop_stays_white_up_to_the_product() {
    let (_, noisy) = pair(160, 120, 9.0);
    let mut samples = bytes(&noisy).to_vec();
    for (i, pixel) in samples.chunks_mut(3).enumerate() {
        let inside = (40..120).contains(&(i % 160)) && (30..90).contains(&(i / 160));
        if !inside {
            pixel.fill(255);
        }
    }
    let before = Bitmap::from_u8(160, 120, Channels::Rgb, samples).expect("a size");
    let after = denoised(before.clone(), Denoising { luma: 1.0, chroma: 1.0, detail: 0.0 });
    for (a, b) in bytes(&before).chunks(3).zip(bytes(&after).chunks(3)) {
        assert!(a != [255; 3] || b == [255; 3], "{b:?}");
    }
    assert_ne!(before, after);
}

#[test]
fn a_clean_picture_stays_and_deep_ones_agree_with_others() {
    let (clean, noisy) = pair(120, 100, 6.0);
    let after = denoised(clean.clone(), USUAL);
    assert!(bytes(&clean).iter().zip(bytes(&after)).all(|(a, b)| a.abs_diff(*b) <= 1));
    let deep = denoised(noisy.clone().into_u16(), USUAL).into_u8();
    let eight = denoised(noisy, USUAL);
    assert!(bytes(&eight).iter().zip(bytes(&deep)).all(|(a, b)| a.abs_diff(*b) <= 1));
}

#[test]
fn it_stops_when_asked() {
    let (_, mut noisy) = pair(64, 64, 6.0);
    let before = noisy.clone();
    let mut left = 5;
    let stopped = denoise(&mut noisy, &USUAL, || {
        left -= 1;
        if left == 0 { Err("stopped") } else { Ok(()) }
    });
    assert_eq!(stopped, Err("stopped"));
    assert_eq!(noisy, before);
}

proptest! {
    #[test]
    fn what_is_hidden_stays_and_does_not_show(width in 1u32..40, height in 1u32..40, seed: u32, hidden: [u8; 3]) {
        let value = |i: u32| (i.wrapping_mul(2_654_435_761) >> 24) as u8;
        let picture = |hidden: [u8; 3]| {
            let samples = (0..width * height)
                .flat_map(|i| match value(i / 5 + seed) {
                    0..100 => [hidden[0], hidden[1], hidden[2], 0],
                    alpha => [value(i), value(i * 3 + 1), value(i * 7 + seed), alpha],
                })
                .collect();
            Bitmap::from_u8(width, height, Channels::Rgba, samples).expect("a size")
        };
        let how = Denoising { luma: 1.0, chroma: 1.0, detail: 0.0 };
        let (black, odd) = (denoised(picture([0; 3]), how), denoised(picture(hidden), how));
        for (a, b) in bytes(&black).chunks(4).zip(bytes(&odd).chunks(4)) {
            if a[3] == 0 {
                prop_assert_eq!(a, [0; 4]);
                prop_assert_eq!(&b[..3], hidden);
            } else {
                prop_assert_eq!(a, b);
            }
        }
        prop_assert_eq!(&denoised(picture(hidden), Denoising { luma: 0.0, chroma: 0.0, detail: 1.0 }), &picture(hidden));
    }
}
