//! Colour work on pictures whose true colours are known.

#![allow(clippy::needless_range_loop, clippy::useless_conversion, clippy::precedence)]

use std::convert::Infallible;

use pixels::{Bitmap, Channels, Mask, Samples, ciede2000, linear_to_lab, srgb_to_linear, srgb_u8_to_linear};
use proptest::prelude::*;
use retouch::colour::{
    Adaptation, Backdrop, Chroma, Curve, Grade, Matrix, Moments, Recolour, Relief, Sampled, Tone, Transport,
    Wish, adaptation, backdrop, daylight, neutralised, tinted,
};

/// sRGB of the patches of a colour chart (Macbeth's, as published for D65 sRGB), the six greys last.
const CHART: [[u8; 3]; 24] = [
    [115, 82, 68],
    [194, 150, 130],
    [98, 122, 157],
    [87, 108, 67],
    [133, 128, 177],
    [103, 189, 170],
    [214, 126, 44],
    [80, 91, 166],
    [193, 90, 99],
    [94, 60, 108],
    [157, 188, 64],
    [224, 163, 46],
    [56, 61, 150],
    [70, 148, 73],
    [175, 54, 60],
    [231, 199, 31],
    [187, 86, 149],
    [8, 133, 161],
    [243, 243, 242],
    [200, 200, 200],
    [160, 160, 160],
    [122, 122, 121],
    [85, 85, 85],
    [52, 52, 52],
];

fn nothing() -> Result<(), Infallible> {
    Ok(())
}

fn graded(grade: &Grade, bitmap: &Bitmap, mask: Option<&Mask>) -> Bitmap {
    let Ok(bitmap) = grade.apply(bitmap, mask, nothing);
    bitmap
}

fn deep(bitmap: &Bitmap) -> Vec<u16> {
    match bitmap.samples() {
        Samples::U16(samples) => samples.clone(),
        Samples::U8(_) => panic!("16 bits are expected"),
    }
}

fn encoded(linear: f32) -> u16 {
    (pixels::linear_to_srgb(f64::from(linear.clamp(0.0, 1.0))) * 65_535.0).round() as u16
}

fn of(m: &Matrix, v: [f32; 3]) -> [f32; 3] {
    m.map(|row| row[0] * v[0] + row[1] * v[1] + row[2] * v[2])
}

/// The chart on a light grey backdrop, 16 by 16 pixels a patch, every colour changed by `cast` in linear light.
fn chart(cast: impl Fn([f32; 3]) -> [f32; 3]) -> Bitmap {
    let (width, height) = (6 * 16 + 32, 4 * 16 + 32);
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let inside = (16..width - 16).contains(&x) && (16..height - 16).contains(&y);
            let rgb = if inside { CHART[(y - 16) / 16 * 6 + (x - 16) / 16] } else { [205; 3] };
            cast(rgb.map(srgb_u8_to_linear)).map(encoded)
        })
        .collect();
    Bitmap::from_u16(width as u32, height as u32, Channels::Rgb, samples).expect("a chart")
}

/// Mean ΔE2000 between two pictures.
fn apart(a: &Bitmap, b: &Bitmap) -> f64 {
    let lab = |rgb: &[u16]| {
        linear_to_lab(std::array::from_fn(|c| srgb_to_linear(f64::from(rgb[c]) / 65_535.0) as f32))
    };
    let (a, b) = (deep(a), deep(b));
    let sum: f64 = a
        .as_chunks::<3>()
        .0
        .iter()
        .zip(b.as_chunks::<3>().0)
        .map(|(a, b)| f64::from(ciede2000(lab(a), lab(b))))
        .sum();
    sum * 3.0 / a.len() as f64
}

/// Casts of lights from candle to shade, each planted in three ways.
fn casts() -> Vec<(String, Matrix)> {
    let mut casts = Vec::new();
    for (mired, tint) in
        [(60.0, 0.0), (-40.0, 0.0), (100.0, 20.0), (0.0, -40.0), (30.0, 50.0), (150.0, -10.0)]
    {
        let light = daylight(mired, tint);
        // Kept in range, so that nothing is clipped.
        let scale = 0.9 / light.iter().fold(1.0f32, |a, &b| a.max(b));
        let gains: Matrix =
            std::array::from_fn(|i| std::array::from_fn(|j| if i == j { light[i] } else { 0.0 }));
        let ways = [
            ("gains", gains),
            ("CAT16", tinted(mired, tint).expect("a light")),
            ("Bradford", adaptation([1.0; 3], light, Adaptation::Bradford).expect("a light")),
        ];
        for (way, matrix) in ways {
            casts.push((format!("{mired} mired, tint {tint}, {way}"), matrix.map(|r| r.map(|v| v * scale))));
        }
    }
    casts
}

/// The cast of a light on the chart's third grey, and the luminance it should have.
fn third_grey(cast: &Matrix) -> ([f32; 3], f32) {
    let grey = srgb_u8_to_linear(160);
    (of(cast, [grey; 3]), grey)
}

#[test]
fn casts_of_all_lights_are_removed_by_a_grey_patch() {
    for (name, cast) in casts() {
        let photo = chart(|rgb| of(&cast, rgb));
        let truth = chart(|rgb| rgb);
        let (light, grey) = third_grey(&cast);
        let target = adaptation(light, [grey; 3], Adaptation::Bradford).expect("a light");
        let grade = Grade { balance: Some(target), ..Grade::default() };
        let (before, after) = (apart(&photo, &truth), apart(&graded(&grade, &photo, None), &truth));
        // A light of 3300 K planted in the channels of sRGB is what no adaptation by cones undoes exactly.
        let limit = if name.starts_with("150") { 2.0 } else { 1.2 };
        assert!(after < limit && after * 6.0 < before, "{name}: {before:.2} became {after:.2}");
    }
}

#[test]
fn casts_are_removed_by_the_backdrop_alone() {
    for (name, cast) in casts() {
        let photo = chart(|rgb| of(&cast, rgb));
        let small = Sampled::of(&photo, retouch::colour::BACKDROP_SIDE, 3);
        let Backdrop::Plain { light, .. } = backdrop(&small) else { panic!("{name}: the backdrop is plain") };
        let balance = neutralised(light, Adaptation::Bradford).expect("a light");
        let got = graded(&Grade { balance: Some(balance), ..Grade::default() }, &photo, None);
        let pixel = deep(&got)[..3].iter().map(|&v| i32::from(v)).collect::<Vec<_>>();
        assert!(pixel.iter().all(|v| (v - pixel[0]).abs() < 40), "{name}: {pixel:?} is neutral");
    }
}

#[test]
fn a_cast_copy_matched_to_its_original_is_like_it() {
    let truth = chart(|rgb| rgb);
    for (name, cast) in casts() {
        let photo = chart(|rgb| of(&cast, rgb));
        let sampled = |bitmap| Sampled::of(bitmap, 400, 1);
        let moments = |bitmap| Moments::of(&sampled(bitmap)).expect("colours");
        let (map, moved) =
            Transport::towards(&sampled(&photo), &moments(&truth), 1.0, 100.0).expect("colours");
        assert_eq!(moved.strength, 1.0);
        let after = graded(&Grade { matching: Some(map), ..Grade::default() }, &photo, None);
        let (before, after) = (apart(&photo, &truth), apart(&after, &truth));
        assert!(after < 2.0 && after * 5.0 < before, "{name}: {before:.2} became {after:.2}");
    }
}

/// A grey ramp over all levels of 16 bits.
fn ramp() -> Bitmap {
    let samples = (0..=u16::MAX).flat_map(|v| [v; 3]).collect();
    Bitmap::from_u16(256, 256, Channels::Rgb, samples).expect("256 by 256")
}

/// Settings of every kind but those that look at the picture.
fn grades() -> Vec<Grade> {
    let curve = Curve::through(&[[0.0, 0.02], [0.25, 0.2], [0.7, 0.8], [1.0, 0.98]]);
    let chroma = |saturation, vibrance| Grade { chroma: Chroma { saturation, vibrance }, ..Grade::default() };
    let tone = |tone| Grade { tone, ..Grade::default() };
    vec![
        chroma(1.0, 0.0),
        chroma(-1.0, 0.5),
        chroma(0.3, 1.0),
        tone(Tone { contrast: 1.0, ..Tone::default() }),
        tone(Tone { contrast: -0.7, brightness: 0.6, ..Tone::default() }),
        tone(Tone { black: 0.05, white: 0.9, gamma: 1.4, curve, ..Tone::default() }),
        Grade { relief: Relief { highlights: -1.0, shadows: 1.0 }, ..Grade::default() },
        Grade { light: Some([[1.5, 0.0, 0.0], [0.0, 1.5, 0.0], [0.0, 0.0, 1.5]]), ..Grade::default() },
    ]
}

#[test]
fn greys_stay_grey_and_in_order_without_bands() {
    for grade in grades() {
        let after = deep(&graded(&grade, &ramp(), None));
        let pixels = after.as_chunks::<3>().0;
        for (level, pixel) in pixels.iter().enumerate() {
            let (least, most) = (pixel.iter().min(), pixel.iter().max());
            assert!(most.zip(least).is_some_and(|(a, b)| a - b <= 1), "{grade:?} at {level}: {pixel:?}");
        }
        if !grade.relief.is_neutral() {
            // Depends on the place.
            continue;
        }
        let steps: Vec<i32> = pixels.windows(2).map(|p| i32::from(p[1][1]) - i32::from(p[0][1])).collect();
        assert!(steps.iter().all(|&step| step >= -1), "{grade:?}");
        // A band is a step that the eye sees: half a level of eight bits is far below.
        assert!(steps.iter().all(|&step| step < 128), "{grade:?}: {:?}", steps.iter().max());
    }
}

#[test]
fn the_fast_way_is_within_half_a_level_of_the_exact_one() {
    for grade in grades().into_iter().filter(|grade| grade.relief.is_neutral() && grade.chroma.is_neutral()) {
        let after = deep(&graded(&grade, &ramp(), None));
        for (level, pixel) in after.as_chunks::<3>().0.iter().enumerate() {
            let light = srgb_to_linear(level as f64 / 65_535.0);
            let light =
                grade.light.map_or(light, |m| light * m.iter().map(|row| f64::from(row[1])).sum::<f64>());
            let exact = grade.tone.at(pixels::linear_to_srgb(light.min(1.0)), 1);
            let off = (f64::from(pixel[1]) / 65_535.0 - exact).abs() * 255.0;
            assert!(off < 0.5, "{grade:?} at {level}: {off} levels");
        }
    }
}

#[test]
fn a_mask_spares_what_it_does_not_cover_to_the_bit() {
    let photo = chart(|rgb| rgb).into_u8();
    let (width, height) = (photo.width(), photo.height());
    let values = (0..width * height).map(|i| if i % width < 50 { 0 } else { 255 }).collect();
    let mask = Mask::new(width, height, values).expect("a mask");
    let grade = Grade { chroma: Chroma { saturation: -1.0, vibrance: 0.0 }, ..Grade::default() };
    let (before, after) = (deep(&photo.clone().into_u16()), deep(&graded(&grade, &photo, Some(&mask))));
    for (i, (before, after)) in before.chunks(3).zip(after.chunks(3)).enumerate() {
        let is_spared = i as u32 % width < 50;
        assert!(!is_spared || before == after);
        assert!(is_spared || after.iter().all(|v| v.abs_diff(after[0]) <= 1));
    }
    let skin = Grade { spares_skin: true, ..grade };
    let after = deep(&graded(&skin, &photo, None));
    // The second patch is light skin, the sixth is a bluish green.
    let at = |x: usize| ((24 * width as usize) + 24 + x * 16) * 3;
    assert!(after[at(1)].abs_diff(before[at(1)]) < 600 && after[at(1)] > after[at(1) + 2] + 9000);
    assert!(after[at(5)].abs_diff(after[at(5) + 2]) <= 1);
}

#[test]
fn a_recoloured_product_has_the_wanted_mean() {
    let (width, height) = (300u32, 200u32);
    let shade = |x: f32, y: f32| 0.6 + 0.35 * (x * 0.11).sin() * (y * 0.05).cos();
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = ((i % width) as f32, (i / width) as f32);
            let inside = (x - 150.0).powi(2) / 15_000.0 + (y - 100.0).powi(2) / 7_000.0 < 1.0;
            let rgb = [0.42, 0.05, 0.06].map(|v: f32| encoded(v * shade(x, y)));
            if inside { [rgb[0], rgb[1], rgb[2], 65_535] } else { [0; 4] }
        })
        .collect();
    let cut_out = Bitmap::from_u16(width, height, Channels::Rgba, samples).expect("300 by 200");
    for to in [[20, 60, 140], [240, 200, 40], [60, 62, 60], [235, 232, 226], [10, 120, 90]] {
        let wish = Wish { from: None, to, tolerance: 0.5, strength: 1.0, keep_texture: true };
        let (plan, _) = Recolour::plan(&Sampled::of(&cut_out, 512, 1), &wish).expect("it is red");
        let after = graded(&Grade { recolour: Some(plan), ..Grade::default() }, &cut_out, None);
        let (mut sum, mut count) = ([0.0f64; 3], 0.0);
        for pixel in deep(&after).as_chunks::<4>().0 {
            assert!(pixel[3] > 0 || pixel[..3] == [0; 3], "what is clear is black");
            if pixel[3] > 0 {
                let lab = linear_to_lab(std::array::from_fn(|c| {
                    srgb_to_linear(f64::from(pixel[c]) / 65_535.0) as f32
                }));
                (0..3).for_each(|c| sum[c] += f64::from(lab[c]));
                count += 1.0;
            }
        }
        let off = ciede2000(sum.map(|s| (s / count) as f32), linear_to_lab(to.map(srgb_u8_to_linear)));
        assert!(off < 2.0, "{to:?}: {off}");
    }
}

#[test]
fn highlights_and_shadows_keep_texture() {
    let (width, height) = (400u32, 300u32);
    let level = |i: u32| {
        let (x, y) = (i % width, i / width);
        let base = if x < 200 { 40 } else { 215 };
        base + if (x / 2 + y / 2) % 2 == 0 { 8 } else { 0 }
    };
    let samples = (0..width * height).flat_map(|i| [level(i) as u8; 3]).collect();
    let photo = Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("400 by 300");
    let relief = Relief { highlights: -0.8, shadows: 0.8 };
    let after = deep(&graded(&Grade { relief, ..Grade::default() }, &photo, None));
    let at = |x: u32, y: u32| f64::from(after[(y * width + x) as usize * 3]) / 257.0;
    assert!(at(100, 150) > 60.0, "dark parts are lifted: {}", at(100, 150));
    assert!(at(300, 150) < 200.0, "bright parts are taken back: {}", at(300, 150));
    // Contrast of neighbours, as a ratio of light.
    let contrast = |a: f64, b: f64| srgb_to_linear(a / 255.0) / srgb_to_linear(b / 255.0);
    for (x, before) in [(100, contrast(48.0, 40.0)), (300, contrast(223.0, 215.0))] {
        let now = contrast(at(x, 152), at(x + 2, 152));
        assert!((now / before - 1.0).abs() < 0.12, "{x}: {now:.3} was {before:.3}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn extremes_give_pictures(
        samples in proptest::collection::vec(any::<u8>(), 4 * 37),
        sliders in proptest::array::uniform8(-1.0f32..=1.0),
        gamma in 0.1f64..10.0,
        skin in any::<bool>(),
    ) {
        let bitmap = Bitmap::from_u8(37, 1, Channels::Rgba, samples).expect("37 pixels");
        let grade = Grade {
            light: tinted(f64::from(sliders[0]) * 100.0, f64::from(sliders[1]) * 100.0)
                .map(|m| m.map(|row| row.map(|v| v * (sliders[2] * 5.0).exp2()))),
            relief: Relief { highlights: sliders[3], shadows: sliders[4] },
            tone: Tone { gamma, contrast: f64::from(sliders[5]), ..Tone::default() },
            chroma: Chroma { saturation: sliders[6], vibrance: sliders[7] },
            spares_skin: skin,
            ..Grade::default()
        };
        let after = graded(&grade, &bitmap, None);
        prop_assert_eq!(after.alpha(), bitmap.alpha());
        for pixel in deep(&after).as_chunks::<4>().0 {
            prop_assert!(pixel[3] > 0 || pixel[..3] == [0; 3]);
        }
        prop_assert_eq!(deep(&graded(&grade, &bitmap, None)), deep(&after), "the same bytes every time");
    }
}
