use std::convert::Infallible;

use pixels::Samples;
use proptest::prelude::*;

use super::*;

const STRONG: Sharpening =
    Sharpening { radius_px: 1.2, amount: 2.0, threshold: 0.0, edges_only: false, halo_suppression: 0.0 };

fn sharpened(mut bitmap: Bitmap, how: Sharpening) -> Bitmap {
    sharpen(&mut bitmap, &how, || Ok::<(), Infallible>(())).expect("nobody stops it");
    bitmap
}

fn bytes(bitmap: &Bitmap) -> &[u8] {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bit") };
    samples
}

fn noise(i: u32) -> u8 {
    (i.wrapping_mul(2_654_435_761) >> 24) as u8
}

/// A soft vertical edge from 60 to 190, a little grain on it.
fn edge(width: u32, height: u32) -> Bitmap {
    let samples = (0..width * height)
        .flat_map(|i| {
            let rise = ((f64::from(i % width) - f64::from(width) / 2.0) / 1.5).tanh();
            [(125.0 + 65.0 * rise) as u8 + noise(i) % 2; 3]
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size")
}

#[test]
fn strips_leave_no_seams() {
    // A picture of several strips is the same as each of its parts, away from the parts' own ends.
    let (width, height) = (40u32, 260u32);
    let samples: Vec<u8> = (0..width * height * 3).map(noise).collect();
    let whole = Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size");
    let rect = pixels::Rect { x: 0, y: 70, width, height: 60 };
    let part = pixels::crop(&whole, rect).expect("inside");
    for radius_px in [0.4, 1.0, 3.0] {
        let how = Sharpening { radius_px, edges_only: true, halo_suppression: 0.5, ..STRONG };
        let (whole, part) = (sharpened(whole.clone(), how), sharpened(part.clone(), how));
        let row = width as usize * 3;
        assert_eq!(bytes(&whole)[(70 + 14) * row..(70 + 46) * row], bytes(&part)[14 * row..46 * row]);
    }
}

#[test]
fn halos_stay_within_what_is_asked() {
    let before = edge(48, 20);
    let free = sharpened(before.clone(), STRONG);
    let held = sharpened(before.clone(), Sharpening { halo_suppression: 1.0, ..STRONG });
    let range = |bitmap: &Bitmap| {
        (*bytes(bitmap).iter().min().expect("samples"), *bytes(bitmap).iter().max().expect("samples"))
    };
    let (lowest, highest) = range(&before);
    assert!(range(&free).0 < lowest - 8 && range(&free).1 > highest + 8, "{:?}", range(&free));
    assert_eq!(range(&held), (lowest, highest));
    // Still steeper than before.
    let rise = |bitmap: &Bitmap| {
        let row = &bytes(bitmap)[48 * 3 * 10..][..48 * 3];
        row.chunks(3).map(|p| i32::from(p[1])).collect::<Vec<_>>().windows(2).map(|w| w[1] - w[0]).max()
    };
    assert!(rise(&held) > rise(&before), "{:?} {:?}", rise(&held), rise(&before));
}

#[test]
fn colours_keep_their_differences_and_grain_is_left_alone() {
    let before = edge(48, 20);
    let only = sharpened(before.clone(), Sharpening { edges_only: true, ..STRONG });
    let gated = sharpened(before.clone(), Sharpening { threshold: 3.0, ..STRONG });
    for after in [&only, &gated] {
        let changed = |from: usize, to: usize| {
            bytes(&before)
                .chunks(48 * 3)
                .zip(bytes(after).chunks(48 * 3))
                .any(|(a, b)| a[from * 3..to * 3] != b[from * 3..to * 3])
        };
        assert!(changed(20, 28) && !changed(0, 12) && !changed(36, 48));
    }
    let coloured: Vec<u8> = bytes(&before).chunks(3).flat_map(|p| [p[0], p[1] - 30, p[2] / 2 + 60]).collect();
    let coloured = Bitmap::from_u8(48, 20, Channels::Rgb, coloured).expect("a size");
    let after = sharpened(coloured.clone(), Sharpening { amount: 0.7, ..STRONG });
    for (a, b) in bytes(&coloured).chunks(3).zip(bytes(&after).chunks(3)) {
        let step = |c: usize| i32::from(b[c]) - i32::from(a[c]);
        assert!((step(0) - step(1)).abs() <= 1 && (step(0) - step(2)).abs() <= 1);
    }
}

#[test]
fn depths_agree() {
    let eight = edge(37, 30);
    let deep = sharpened(eight.clone().into_u16(), STRONG).into_u8();
    let eight = sharpened(eight, STRONG);
    assert!(bytes(&eight).iter().zip(bytes(&deep)).all(|(a, b)| a.abs_diff(*b) <= 1));
}

proptest! {
    #[test]
    fn what_is_hidden_is_neither_seen_nor_changed(
        width in 1u32..24, height in 1u32..24, seed: u32, hidden: [u8; 3],
        radius in 0.1f32..4.0, halo in 0.0f32..=1.0, edges_only: bool,
    ) {
        let alpha = |i: u32| if noise(i ^ seed) < 100 { 0 } else { noise(i + seed) | 1 };
        let picture = |hidden: [u8; 3]| {
            let samples = (0..width * height)
                .flat_map(|i| match alpha(i) {
                    0 => [hidden[0], hidden[1], hidden[2], 0],
                    alpha => [noise(i), noise(i * 3 + 1), noise(i * 7 + seed), alpha],
                })
                .collect();
            Bitmap::from_u8(width, height, Channels::Rgba, samples).expect("a size")
        };
        let how = Sharpening { radius_px: radius, halo_suppression: halo, edges_only, ..STRONG };
        let (clean, odd) = (sharpened(picture([0; 3]), how), sharpened(picture(hidden), how));
        for (a, b) in bytes(&clean).chunks(4).zip(bytes(&odd).chunks(4)) {
            if a[3] == 0 {
                prop_assert_eq!(a, [0; 4]);
                prop_assert_eq!(&b[..3], hidden);
            } else {
                prop_assert_eq!(a, b);
            }
        }
    }

    #[test]
    fn even_areas_and_an_amount_of_nothing_change_no_byte(value: [u8; 3], radius in 0.1f32..8.0, seed: u32) {
        let flat = Bitmap::from_u8(31, 17, Channels::Rgb, value.repeat(31 * 17)).expect("a size");
        let how = Sharpening { radius_px: radius, amount: 5.0, ..STRONG };
        prop_assert_eq!(&sharpened(flat.clone(), how), &flat);
        let samples = (0..31 * 17 * 3).map(|i| noise(i ^ seed)).collect();
        let busy = Bitmap::from_u8(31, 17, Channels::Rgb, samples).expect("a size");
        prop_assert_eq!(&sharpened(busy.clone(), Sharpening { amount: 0.0, ..how }), &busy);
    }
}
