use pixels::{Bitmap, Channels, Mask, Samples};

use super::*;

const SIDE: u32 = 360;

/// Random numbers that are the same on every run, -1 to 1.
struct Dice(u32);

impl Dice {
    fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 8_388_608.0 - 1.0
    }
}

const MOLE: (f32, f32) = (110.0, 150.0);
const RED: (f32, f32) = (235.0, 160.0);
const LIPS: [f32; 4] = [140.0, 220.0, 240.0, 256.0];

fn in_face(x: f32, y: f32) -> bool {
    ((x - 180.0) / 110.0).powi(2) + ((y - 170.0) / 140.0).powi(2) < 1.0
}

fn in_arm(x: f32, y: f32) -> bool {
    y > 330.0 && x < 150.0
}

fn in_lips(x: f32, y: f32) -> bool {
    let [left, right, top, bottom] = LIPS;
    (left..right).contains(&x) && (top..bottom).contains(&y)
}

/// A face with pores, blotches, lips, a mole and a red spot, and a piece of arm, on blue cloth. Levels of 255.
fn scene() -> Vec<[f32; 3]> {
    let mut dice = Dice(7);
    let pores: Vec<f32> = (0..SIDE * SIDE).map(|_| 7.0 * dice.roll()).collect();
    (0..SIDE * SIDE)
        .map(|i| {
            let (x, y) = ((i % SIDE) as f32 + 0.5, (i / SIDE) as f32 + 0.5);
            let skin = in_face(x, y) || in_arm(x, y);
            let mut rgb = if skin { [206.0, 158.0, 136.0] } else { [40.0, 60.0, 120.0] };
            if skin {
                let light = 1.0 - 0.2 * (x - 180.0) / 180.0;
                let blotch = 4.0 * (x / 4.0).sin() * (y / 4.0).sin();
                rgb = rgb.map(|v| v * light + pores[i as usize] + blotch);
                rgb[0] += 3.0 * (x / 7.0).cos() * (y / 7.0).sin();
            }
            let away = |(cx, cy): (f32, f32)| (x - cx).hypot(y - cy);
            if in_face(x, y) && in_lips(x, y) {
                rgb = [170.0 + pores[i as usize], 84.0, 88.0];
            }
            let spot = |rgb: [f32; 3], to: [f32; 3], away: f32| {
                let share = ((5.0 - away) / 2.0).clamp(0.0, 1.0);
                std::array::from_fn(|c| rgb[c] + (to[c] - rgb[c]) * share)
            };
            rgb = spot(rgb, [120.0, 78.0, 60.0], away(MOLE));
            spot(rgb, [205.0, 118.0, 108.0], away(RED))
        })
        .collect()
}

fn bitmap(rgb: &[[f32; 3]]) -> Bitmap {
    let samples = rgb.iter().flatten().map(|v| (v + 0.5) as u8).collect();
    Bitmap::from_u8(SIDE, SIDE, Channels::Rgb, samples).expect("a square")
}

fn face() -> Face {
    let oval = (0..40)
        .map(|i| {
            let angle = i as f32 / 40.0 * std::f32::consts::TAU;
            [180.0 + 110.0 * angle.cos(), 170.0 + 140.0 * angle.sin()]
        })
        .collect();
    let [left, right, top, bottom] = LIPS;
    let lips = vec![[left, top], [right, top], [right, bottom], [left, bottom]];
    Face { oval, spared: vec![Spared { outline: lips, grow: 0.01 }], width: 220.0 }
}

fn found(area: Area) -> Skin {
    let found = find_skin::<pixels::PixelError>(&bitmap(&scene()), &[face()], area, || Ok(()));
    found.expect("no error").expect("skin")
}

fn at(mask: &Mask, x: f32, y: f32) -> u8 {
    mask.values()[y as usize * SIDE as usize + x as usize]
}

fn levels(bitmap: &Bitmap) -> Vec<f32> {
    match bitmap.clone().without_alpha().into_samples() {
        Samples::U8(samples) => samples.iter().map(|v| f32::from(*v)).collect(),
        Samples::U16(samples) => samples.iter().map(|v| f32::from(*v) / 257.0).collect(),
    }
}

fn places() -> impl Iterator<Item = (f32, f32)> {
    (0..SIDE * SIDE).map(|i| ((i % SIDE) as f32 + 0.5, (i / SIDE) as f32 + 0.5))
}

#[test]
fn skin_is_found_and_lips_and_cloth_are_not() {
    let skin = found(Area::Body);
    assert_eq!(skin.face_px, 220.0);
    let (mut inside, mut whole) = (0, 0);
    for (x, y) in places() {
        let value = at(&skin.mask, x, y);
        if in_lips(x, y) || !(in_face(x, y) || in_arm(x, y)) {
            assert_eq!(value, 0, "{x} {y}");
        } else if in_face(x, y) {
            whole += 1;
            inside += usize::from(value > 0);
        }
    }
    assert!(inside * 100 > whole * 90, "{inside} of {whole}");
    assert_eq!(at(&skin.mask, MOLE.0, MOLE.1), 255, "a mole lies on skin");
    assert!(at(&skin.mask, 60.0, 350.0) > 0);
    assert_eq!(at(&found(Area::Face).mask, 60.0, 350.0), 0);
    let nothing =
        |area| find_skin::<pixels::PixelError>(&bitmap(&scene()), &[], area, || Ok(())).expect("no error");
    assert!(nothing(Area::Body).is_none());
    assert!(at(&nothing(Area::All).expect("by its colour").mask, 180.0, 120.0) > 0);
}

#[test]
fn nothing_that_is_transparent_is_skin() {
    let alpha = Mask::new(SIDE, SIDE, places().map(|(x, _)| if x < 180.0 { 255 } else { 0 }).collect());
    let half = bitmap(&scene()).with_alpha(&alpha.expect("a mask")).expect("the same size");
    let skin = find_skin::<pixels::PixelError>(&half, &[face()], Area::Body, || Ok(()));
    let skin = skin.expect("no error").expect("skin");
    assert!(places().all(|(x, y)| x < 180.0 || at(&skin.mask, x, y) == 0));
    assert!(at(&skin.mask, 120.0, 170.0) > 0);
}

#[test]
fn a_mole_and_a_red_spot_are_found_and_told_apart() {
    let skin = found(Area::Body);
    let sought = SoughtBlemishes { face_px: skin.face_px, red_size: 0.06, dark_size: 0.06, eagerness: 0.5 };
    let spots = find_blemishes(&bitmap(&scene()), &skin.mask, &sought, &|| false).expect("no error");
    assert_eq!((spots.dark_count, spots.red_count), (1, 1));
    assert_eq!((at(&spots.dark, MOLE.0, MOLE.1), at(&spots.red, RED.0, RED.1)), (255, 255));
    for (x, y) in places() {
        if at(&spots.dark, x, y) > 0 {
            assert!((x - MOLE.0).hypot(y - MOLE.1) < 12.0, "{x} {y}");
        }
    }
    // A spot larger than what is sought stays.
    let small = SoughtBlemishes { red_size: 0.02, dark_size: 0.02, ..sought };
    let spots = find_blemishes(&bitmap(&scene()), &skin.mask, &small, &|| false).expect("no error");
    assert_eq!((spots.dark_count, spots.red_count), (0, 0));
}

fn smoothed(mut bitmap: Bitmap, strength: f32, texture: f32) -> Bitmap {
    let skin = found(Area::Body);
    let how = Smoothing { strength, texture, even_tone: strength, face_px: skin.face_px };
    smooth_skin(&mut bitmap, &skin.mask, &how, || Ok::<(), ()>(())).expect("no error");
    bitmap
}

/// Energy of what is finer than the mean of nine pixels, and of what lies between that and 25 by 25, well inside the skin.
fn bands(bitmap: &Bitmap) -> (f64, f64) {
    let levels = levels(bitmap);
    let light = |x: usize, y: usize| f64::from(levels[(y * SIDE as usize + x) * 3 + 1]);
    let mean = |x: usize, y: usize, r: usize| {
        let mut sum = 0.0;
        for (dx, dy) in (0..(2 * r + 1).pow(2)).map(|i| (i % (2 * r + 1), i / (2 * r + 1))) {
            sum += light(x + dx - r, y + dy - r);
        }
        sum / ((2 * r + 1) as f64).powi(2)
    };
    let (mut high, mut mid) = (0.0, 0.0);
    for (x, y) in (150..210).flat_map(|x| (80..140).map(move |y| (x, y))) {
        let fine = mean(x, y, 1);
        high += (light(x, y) - fine).powi(2);
        mid += (fine - mean(x, y, 12)).powi(2);
    }
    (high, mid)
}

#[test]
fn blotches_go_and_pores_stay() {
    let before = bitmap(&scene());
    let ((high, mid), after) = (bands(&before), bands(&smoothed(before.clone(), 0.7, 1.0)));
    assert!(after.0 > 0.8 * high, "pores: {} of {high}", after.0);
    assert!(after.1 < 0.5 * mid, "blotches: {} of {mid}", after.1);
    // The usual settings keep four fifths of the pores, too.
    let usual = bands(&smoothed(before.clone(), 0.5, 0.9));
    assert!(usual.0 > 0.8 * high && usual.1 < 0.65 * mid, "{usual:?} of {high} and {mid}");
    let none = bands(&smoothed(before, 1.0, 0.0));
    assert!(none.0 < 0.4 * high, "without texture: {} of {high}", none.0);
}

#[test]
fn the_tone_and_all_that_is_no_skin_stay() {
    let before = bitmap(&scene());
    let mask = found(Area::Body).mask;
    let deep = before.clone().into_u16();
    let alpha = Mask::new(SIDE, SIDE, places().map(|(x, _)| if x < 150.0 { 0 } else { 200 }).collect());
    let clear = before.clone().with_alpha(&alpha.expect("a mask")).expect("the same size");
    for before in [before, deep, clear] {
        let after = smoothed(before.clone(), 1.0, 0.5);
        assert_eq!(after, smoothed(before.clone(), 1.0, 0.5), "the same bytes twice");
        assert_eq!(after.alpha().values(), before.alpha().values());
        let (old, new) = (levels(&before), levels(&after));
        let (mut sums, mut share) = ([[0f64; 3]; 2], 0.0);
        for (i, value) in mask.values().iter().enumerate() {
            let shows = before.alpha().values()[i] > 0;
            if *value == 0 || !shows {
                assert_eq!(old[i * 3..i * 3 + 3], new[i * 3..i * 3 + 3]);
            } else {
                share += f64::from(*value);
                for c in 0..3 {
                    sums[0][c] += f64::from(*value) * f64::from(old[i * 3 + c]);
                    sums[1][c] += f64::from(*value) * f64::from(new[i * 3 + c]);
                }
            }
        }
        assert_ne!(old, new);
        let lab = |sum: [f64; 3]| {
            pixels::linear_to_lab(sum.map(|v| pixels::srgb_to_linear(v / share / 255.0) as f32))
        };
        let difference = pixels::ciede2000(lab(sums[0]), lab(sums[1]));
        assert!(difference < 0.5, "the mean skin differs by {difference}");
    }
}

#[test]
fn what_is_marked_is_skin_but_for_lips() {
    let marked = Mask::new(SIDE, SIDE, places().map(|(x, _)| if x < 200.0 { 255 } else { 0 }).collect());
    let skin = marked_skin(&bitmap(&scene()), &marked.expect("a mask"), &[face()]).expect("no error");
    assert_eq!((at(&skin.mask, 60.0, 60.0), at(&skin.mask, 180.0, 240.0)), (255, 0));
    assert_eq!(at(&skin.mask, 220.0, 100.0), 0);
}

#[test]
fn small_spots_on_little_skin_are_found() {
    let mut noise = 9u32;
    let samples = (0..120 * 120)
        .flat_map(|i: u32| {
            let (x, y) = ((i % 120) as f32, (i / 120) as f32);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (noise >> 24) as f32 / 255.0 * 8.0 - 4.0;
            let rgb = match (x - 30.0).hypot(y - 40.0) < 3.5 {
                true => [116.0, 76.0, 60.0],
                _ => [208.0, 160.0, 138.0].map(|v| v + grain + 4.0 * (x / 5.0).sin()),
            };
            rgb.map(|v| v as u8)
        })
        .collect();
    let bitmap = Bitmap::from_u8(120, 120, Channels::Rgb, samples).expect("a square");
    let marked = (0..120 * 120).map(|i| if (12..72).contains(&(i % 120)) { 255 } else { 0 }).collect();
    let skin = marked_skin(&bitmap, &Mask::new(120, 120, marked).expect("a mask"), &[]).expect("no error");
    let sought = SoughtBlemishes { face_px: skin.face_px, red_size: 0.12, dark_size: 0.15, eagerness: 0.5 };
    let spots = find_blemishes(&bitmap, &skin.mask, &sought, &|| false).expect("no error");
    assert_eq!((spots.dark_count, spots.red_count), (1, 0));
    assert_eq!(spots.dark.values()[40 * 120 + 30], 255);
}
