use pixels::{Bitmap, Channels, Mask, Samples};
use proptest::prelude::*;

use super::*;

fn go() -> bool {
    false
}

/// A grey picture of what `value` says (0 to 1) at each column and row, at 16 bits.
fn grey(width: u32, height: u32, value: impl Fn(u32, u32) -> f32) -> Bitmap {
    let samples = (0..width * height)
        .flat_map(|i| [(value(i % width, i / width).clamp(0.0, 1.0) * 65_535.0) as u16; 3])
        .collect();
    Bitmap::from_u16(width, height, Channels::Rgb, samples).expect("a picture")
}

/// Grain that is the same on every run, -1 to 1.
fn grain(x: u32, y: u32) -> f32 {
    let mut hash = x.wrapping_mul(0x9E37_79B9) ^ y.wrapping_mul(0x85EB_CA6B);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2C1B_3C6D);
    hash = (hash ^ (hash >> 12)).wrapping_mul(0x297A_2D39);
    (hash >> 8) as f32 / 8_388_608.0 - 1.0
}

fn rectangle(size: (u32, u32), x: std::ops::Range<u32>, y: std::ops::Range<u32>) -> Mask {
    let inside = |i: u32| x.contains(&(i % size.0)) && y.contains(&(i / size.0));
    let values = (0..size.0 * size.1).map(|i| if inside(i) { 255 } else { 0 }).collect();
    Mask::new(size.0, size.1, values).expect("a mask")
}

fn shares(bitmap: &Bitmap, mask: &Mask) -> Vec<f32> {
    let Samples::U16(samples) = bitmap.samples() else { panic!("16 bits") };
    let marked = samples.as_chunks::<3>().0.iter().zip(mask.values()).filter(|(_, value)| **value > 0);
    marked.map(|(pixel, _)| f32::from(pixel[0]) / 65_535.0).collect()
}

/// Root mean square difference inside the mask, 0 to 1.
fn error(one: &Bitmap, other: &Bitmap, mask: &Mask) -> f32 {
    let (one, other) = (shares(one, mask), shares(other, mask));
    let sum: f32 = one.iter().zip(&other).map(|(a, b)| (a - b) * (a - b)).sum();
    (sum / one.len() as f32).sqrt()
}

#[test]
fn a_shaded_surface_comes_back_with_its_grain() {
    for (side, most) in [(9u32, 0.012), (70, 0.012)] {
        let shade = |x: u32, y: u32| 0.4 + x as f32 * 0.001 + (y as f32 * 0.02).sin() * 0.05;
        let whole = grey(220, 200, |x, y| shade(x, y) + grain(x, y) * 0.01);
        let smooth = grey(220, 200, shade);
        let mask = rectangle((220, 200), 80..80 + side, 60..60 + side);
        let mut holed = grey(220, 200, |x, y| {
            let inside = mask.values()[(y * 220 + x) as usize] > 0;
            if inside { 1.0 } else { shade(x, y) + grain(x, y) * 0.01 }
        });
        let filling = inpaint(&mut holed, &mask, Within::Picture, &go).expect("filled");
        assert_eq!((filling.parts, filling.pixels, filling.interpolated), (1, u64::from(side * side), 0));
        // Against the surface without grain, what is left is the grain that was copied: neither more nor less.
        let left = error(&holed, &smooth, &mask);
        let own = error(&whole, &smooth, &mask);
        assert!(left < most && left > own * 0.6, "{side}: {left} instead of {own}");
    }
}

#[test]
fn stripes_go_on_through_the_hole() {
    let stripes = |x: u32, y: u32| if (x + y / 2) % 16 < 8 { 0.3 } else { 0.7 };
    let whole = grey(240, 200, stripes);
    let mask = rectangle((240, 200), 90..150, 70..130);
    let mut holed =
        grey(240, 200, |x, y| if mask.values()[(y * 240 + x) as usize] > 0 { 0.0 } else { stripes(x, y) });
    inpaint(&mut holed, &mask, Within::Picture, &go).expect("filled");
    let off = error(&holed, &whole, &mask);
    assert!(off < 0.08, "off by {off}");
}

#[test]
fn a_long_thin_hole_is_filled_in_pieces() {
    let shade = |x: u32, y: u32| 0.5 + (x as f32 * 0.01).sin() * 0.1 + y as f32 * 0.0005;
    let whole = grey(2000, 300, shade);
    let (width, height) = (2000, 300);
    let inside = |i: u32| (i / width).abs_diff(40 + i % width / 9) < 2;
    let values = (0..width * height).map(|i| if inside(i) { 255 } else { 0 }).collect();
    let mask = Mask::new(width, height, values).expect("a mask");
    let mut holed = grey(width, height, |x, y| if inside(y * width + x) { 1.0 } else { shade(x, y) });
    let filling = inpaint(&mut holed, &mask, Within::Picture, &go).expect("filled");
    assert!(filling.parts > 1 && filling.interpolated == 0, "{filling:?}");
    let off = error(&holed, &whole, &mask);
    assert!(off < 0.01, "off by {off}");
}

#[test]
fn an_outline_goes_on_where_it_may_change_and_stays_where_it_may_not() {
    // A bar with a tag on its right edge.
    let size = 120u32;
    let alpha = |x: u32, y: u32| match x {
        20..60 => 255,
        60..80 if (50..70).contains(&y) => 255,
        _ => 0,
    };
    let pixel = |i: u32| match alpha(i % size, i / size) {
        0 => [0; 4],
        alpha if i % size >= 60 => [20, 200, 20, alpha],
        alpha => [180, 60, 60, alpha],
    };
    let samples: Vec<u8> = (0..size * size).flat_map(pixel).collect();
    let tagged = Bitmap::from_u8(size, size, Channels::Rgba, samples).expect("a picture");
    let mask = rectangle((size, size), 58..84, 46..74);
    let mut whole = tagged.clone();
    inpaint(&mut whole, &mask, Within::Picture, &go).expect("filled");
    let Samples::U8(samples) = whole.samples() else { panic!("8 bits") };
    for (i, pixel) in samples.as_chunks::<4>().0.iter().enumerate() {
        let inside = (20..60).contains(&(i as u32 % size));
        assert_eq!(pixel[3] > 128, inside, "{} {}", i as u32 % size, i as u32 / size);
        assert!(!inside || pixel[0].abs_diff(180) < 12, "{pixel:?}");
    }
    let mut inner = tagged.clone();
    inpaint(&mut inner, &mask, Within::Subject, &go).expect("filled");
    assert_eq!(inner.alpha(), tagged.alpha());
    let Samples::U8(samples) = inner.samples() else { panic!("8 bits") };
    let tag = samples[((60 * size + 70) * 4) as usize..][..4].to_vec();
    assert!(tag[0].abs_diff(180) < 12 && tag[1].abs_diff(60) < 12, "{tag:?}");
}

#[test]
fn what_cannot_be_filled_is_refused() {
    let mut picture = grey(20, 20, |_, _| 0.5);
    let all = rectangle((20, 20), 0..20, 0..20);
    assert_eq!(inpaint(&mut picture, &all, Within::Picture, &go), Err(InpaintError::NothingLeft));
    let other = rectangle((21, 20), 0..2, 0..2);
    assert_eq!(inpaint(&mut picture, &other, Within::Picture, &go), Err(InpaintError::Size));
    let some = rectangle((20, 20), 0..2, 0..2);
    assert_eq!(inpaint(&mut picture, &some, Within::Picture, &|| true), Err(InpaintError::Stopped));
    let none = rectangle((20, 20), 0..0, 0..0);
    let filling = inpaint(&mut picture, &none, Within::Picture, &go).expect("nothing to do");
    assert_eq!(filling, Filling::default());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]

    #[test]
    fn nothing_changes_outside_the_mask_and_what_is_clear_is_black(
        (width, height) in (1u32..48, 1u32..40), seed in any::<u32>(), deep in any::<bool>(),
        has_alpha in any::<bool>(), within_subject in any::<bool>(),
        hole in (0u32..48, 0u32..40, 1u32..30, 1u32..30),
    ) {
        let channels = if has_alpha { Channels::Rgba } else { Channels::Rgb };
        let step = channels.count() as u32;
        let mut samples: Vec<u8> = (0..width * height * step)
            .map(|i| ((grain(i % (width * step) / 3, i / width / 2 ^ seed) + 1.0) * 127.0) as u8)
            .collect();
        if has_alpha {
            for pixel in samples.as_chunks_mut::<4>().0 {
                pixel[3] = match pixel[3] { 0..90 => 0, 90..120 => 100, _ => 255 };
                if pixel[3] == 0 {
                    *pixel = [0; 4];
                }
            }
        }
        let mut before = Bitmap::from_u8(width, height, channels, samples).expect("a picture");
        if deep {
            before = before.into_u16();
        }
        let (x, y, wide, tall) = hole;
        let mut mask = rectangle((width, height), x..x + wide, y..y + tall);
        mask.values_mut().iter_mut().enumerate().for_each(|(i, value)| if i % 7 == 0 { *value /= 2 });
        let within = if within_subject { Within::Subject } else { Within::Picture };
        let (mut one, mut two) = (before.clone(), before.clone());
        let done = inpaint(&mut one, &mask, within, &go);
        prop_assert_eq!(done, inpaint(&mut two, &mask, within, &go));
        prop_assert_eq!(&one, &two);
        if within_subject || !has_alpha {
            prop_assert_eq!(one.alpha(), before.alpha());
        }
        let pixels = |bitmap: &Bitmap| match bitmap.clone().into_u16().into_rgba().into_samples() {
            Samples::U16(samples) => samples,
            Samples::U8(_) => unreachable!("16 bits were asked for"),
        };
        let (before, after) = (pixels(&before), pixels(&one));
        for ((before, after), mask) in before.chunks(4).zip(after.chunks(4)).zip(mask.values()) {
            prop_assert!(*mask > 0 || before == after);
            prop_assert!(after[3] > 0 || after[..3] == [0; 3]);
        }
    }
}
