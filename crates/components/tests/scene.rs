//! Product-like pictures, drawn the same way every time.

use pixels::{Bitmap, Channels, Outside, PixelError, Samples, Turn, Window, to_u16};

/// A shape with a colour at each of its points; coordinates run from 0 to 1 across the longer side.
type Shape<'a> = dyn Fn(f64, f64) -> Option<[f64; 3]> + 'a;

/// Draws a shape by 8 by 8 samples a pixel, as straight RGBA.
fn draw(width: u32, height: u32, shape: &Shape<'_>) -> Vec<[f64; 4]> {
    const FINE: u32 = 8;
    let side = f64::from(width.max(height) * FINE);
    let mut pixels = Vec::with_capacity((width * height) as usize);
    for y in 0..height {
        for x in 0..width {
            let (mut sum, mut count) = ([0.0; 3], 0.0);
            for i in 0..FINE * FINE {
                let (u, v) = (x * FINE + i % FINE, y * FINE + i / FINE);
                if let Some(rgb) = shape((f64::from(u) + 0.5) / side, (f64::from(v) + 0.5) / side) {
                    (0..3).for_each(|c| sum[c] += rgb[c]);
                    count += 1.0;
                }
            }
            let share = if count > 0.0 { 1.0 / count } else { 0.0 };
            pixels.push([sum[0] * share, sum[1] * share, sum[2] * share, count / f64::from(FINE * FINE)]);
        }
    }
    pixels
}

fn bytes(pixels: &[[f64; 4]]) -> Vec<u8> {
    pixels.iter().flatten().map(|value| (value * 255.0).round() as u8).collect()
}

/// A cup from a little above: body, handle, the dark inside, a base that curves.
fn cup(x: f64, y: f64) -> Option<[f64; 3]> {
    let across = (x - 0.42) / 0.26;
    let glaze = |shade: f64| [0.16 + 0.30 * shade, 0.34 + 0.42 * shade, 0.42 + 0.44 * shade];
    let light = |across: f64| (1.0 - (across + 0.45).powi(2) * 0.62).clamp(0.0, 1.0);
    let mouth = across.powi(2) + ((y - 0.24) / 0.075).powi(2);
    if mouth < 0.86 {
        return Some(glaze(0.12 + 0.25 * light(-across)));
    }
    let narrowing = 1.0 - 0.22 * ((y - 0.24) / 0.5).clamp(0.0, 1.0).powi(2);
    let at = across / narrowing;
    let base = 0.70 + 0.06 * (1.0 - at * at).max(0.0).sqrt();
    if mouth < 1.0 || (at.abs() < 1.0 && y > 0.24 && y < base) {
        let stripe =
            if (0.50..0.545).contains(&(y - 0.05 * (1.0 - at * at).max(0.0).sqrt())) { 0.55 } else { 1.0 };
        return Some(glaze(light(at)).map(|c| c * stripe));
    }
    let ring = ((x - 0.665) / 0.13).powi(2) + ((y - 0.43) / 0.145).powi(2);
    let hole = ((x - 0.665) / 0.085).powi(2) + ((y - 0.43) / 0.098).powi(2);
    (ring < 1.0 && hole > 1.0 && x > 0.62).then(|| glaze(0.35 + 0.3 * ((0.6 - y) / 0.3)))
}

/// A stool with a round seat and four legs, two of them farther back.
fn stool(x: f64, y: f64) -> Option<[f64; 3]> {
    let seat = ((x - 0.5) / 0.34).powi(2) + ((y - 0.2) / 0.09).powi(2);
    if seat < 1.0 {
        return Some([0.72 - 0.25 * y, 0.5 - 0.2 * y, 0.3 - 0.12 * y]);
    }
    let rim = ((x - 0.5) / 0.34).powi(2) + ((y - 0.235) / 0.09).powi(2);
    if rim < 1.0 && y > 0.2 {
        return Some([0.45, 0.3, 0.17]);
    }
    let leg = |top: f64, foot: f64, end: f64, width: f64| {
        let middle = top + (foot - top) * ((y - 0.2) / (end - 0.2));
        (0.2..end).contains(&y) && (x - middle).abs() < width
    };
    if leg(0.26, 0.17, 0.93, 0.022) || leg(0.74, 0.83, 0.93, 0.022) {
        return Some([0.56, 0.38, 0.22]);
    }
    (leg(0.38, 0.34, 0.84, 0.018) || leg(0.62, 0.66, 0.84, 0.018)).then_some([0.4, 0.27, 0.15])
}

/// The cup cut out, with a lot of room around it.
pub fn cup_cut_out() -> Bitmap {
    Bitmap::from_u8(200, 180, Channels::Rgba, bytes(&draw(200, 180, &cup))).expect("200 by 180")
}

/// The cup cut out, at 16 bits.
pub fn cup_deep() -> Bitmap {
    let samples =
        draw(120, 108, &cup).iter().flatten().map(|value| (value * 65_535.0).round() as u16).collect();
    Bitmap::from_u16(120, 108, Channels::Rgba, samples).expect("120 by 108")
}

/// The stool cut out.
pub fn stool_cut_out() -> Bitmap {
    Bitmap::from_u8(180, 200, Channels::Rgba, bytes(&draw(180, 200, &stool))).expect("180 by 200")
}

/// The cup cut out, as small as a thumbnail.
pub fn cup_small() -> Bitmap {
    Bitmap::from_u8(44, 40, Channels::Rgba, bytes(&draw(44, 40, &cup))).expect("44 by 40")
}

/// Adds what a camera adds in bad light: Gaussian noise of some 8 levels, the same in all places and every time.
fn add_noise(samples: &mut [u8], channels: usize, is_noisy: impl Fn(&[u8]) -> bool) {
    let mut state = 99_991u32;
    for pixel in samples.chunks_exact_mut(channels) {
        let noisy = is_noisy(pixel);
        for sample in &mut pixel[..3] {
            let grain: i64 = (0..12)
                .map(|_| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    i64::from(state >> 16) - 32_768
                })
                .sum();
            if noisy {
                *sample = (i64::from(*sample) + grain * 8 / 65_536).clamp(0, 255) as u8;
            }
        }
    }
}

/// The cup and a ball on a plain backdrop, in bad light; the outermost columns are clean white.
pub fn cup_noisy() -> Bitmap {
    let Samples::U8(mut samples) = cup_on_backdrop().into_samples() else { panic!("8 bit") };
    for row in samples.chunks_exact_mut(200 * 3) {
        row[..20 * 3].fill(255);
    }
    add_noise(&mut samples, 3, |pixel| pixel != [255; 3]);
    Bitmap::from_u8(200, 180, Channels::Rgb, samples).expect("200 by 180")
}

/// The cup cut out, in bad light.
pub fn cup_noisy_cut_out() -> Bitmap {
    let Samples::U8(mut samples) = cup_cut_out().into_samples() else { panic!("8 bit") };
    add_noise(&mut samples, 4, |pixel| pixel[3] > 0);
    Bitmap::from_u8(200, 180, Channels::Rgba, samples).expect("200 by 180")
}

/// The cup and a ball beside it, on a plain backdrop that darkens a little towards one corner, with camera noise.
pub fn cup_on_backdrop() -> Bitmap {
    let both = |x: f64, y: f64| {
        let ball = (x - 0.88).powi(2) + (y - 0.68).powi(2);
        cup(x, y).or_else(|| (ball < 0.0036).then_some([0.75 - 6.0 * (x - 0.86), 0.25, 0.2]))
    };
    let (width, height) = (200, 180);
    let mut noise = 12_345u32;
    let samples = draw(width, height, &both)
        .iter()
        .enumerate()
        .flat_map(|(i, [r, g, b, a])| {
            let (x, y) = (i as u32 % width, i as u32 / width);
            let fall = 0.05 * f64::from(x + y) / f64::from(width + height);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (f64::from(noise >> 16) / 65_535.0 - 0.5) * 0.008;
            [[*r, 0.90], [*g, 0.905], [*b, 0.89]]
                .map(|[own, under]| ((own * a + (under - fall) * (1.0 - a) + grain) * 255.0).round() as u8)
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("200 by 180")
}

/// How much light the cup's shadow takes from the backdrop of [`cup_with_shadow`], 0 to 1.
fn cup_shadow(x: f64, y: f64) -> f64 {
    let spot = |dx: f64, dy: f64, wide: f64, tall: f64| (-(dx / wide).powi(2) - (dy / tall).powi(2)).exp();
    let contact = 0.6 * spot(x - 0.42, y - 0.742, 0.2, 0.025);
    let thrown = 0.38 * spot(x - 0.58 - (y - 0.74) * 0.9, y - 0.75, 0.21, 0.055);
    1.0 - (1.0 - contact) * (1.0 - thrown)
}

/// The cup on a backdrop that bends from wall to floor and darkens towards its corners, with the shadow it throws there
/// and a grey ball far from it, with camera noise.
pub fn cup_with_shadow() -> Bitmap {
    let (width, height) = (200u32, 180u32);
    let both = |x: f64, y: f64| {
        let ball = (x - 0.9).powi(2) + (y - 0.14).powi(2);
        cup(x, y).or_else(|| (ball < 0.0036).then_some([0.5 - 3.0 * (x - 0.9); 3]))
    };
    let mut noise = 24_680u32;
    let samples = draw(width, height, &both)
        .iter()
        .enumerate()
        .flat_map(|(i, [r, g, b, a])| {
            let side = f64::from(width);
            let (x, y) =
                ((f64::from(i as u32 % width) + 0.5) / side, (f64::from(i as u32 / width) + 0.5) / side);
            let fall = 0.06 * ((x - 0.5).powi(2) + (y - 0.45).powi(2)) / 0.45 + 0.03 * (y - 0.6).max(0.0);
            let light = (1.0 - fall) * (1.0 - cup_shadow(x, y));
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (f64::from(noise >> 16) / 65_535.0 - 0.5) * 0.012;
            [[*r, 0.90], [*g, 0.89], [*b, 0.875]]
                .map(|[own, under]| ((own * a + under * light * (1.0 - a) + grain) * 255.0).round() as u8)
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("200 by 180")
}

/// The cup and the ball on their backdrop under a warm lamp: each channel multiplied in linear light.
pub fn cup_under_lamp() -> Bitmap {
    let Samples::U8(samples) = cup_on_backdrop().into_samples() else {
        unreachable!("it is drawn at 8 bits")
    };
    let lit = |(i, &value): (usize, &u8)| {
        let light = pixels::srgb_to_linear(f64::from(value) / 255.0) * [1.0, 0.74, 0.42][i % 3];
        (pixels::linear_to_srgb(light) * 255.0).round() as u8
    };
    let samples = samples.iter().enumerate().map(lit).collect();
    Bitmap::from_u8(200, 180, Channels::Rgb, samples).expect("200 by 180")
}

/// The stool cut out, leaning to the right.
pub fn stool_leaning() -> Bitmap {
    leaning(&stool_cut_out(), 6.5, Outside::Clear)
}

/// The cup on its backdrop, photographed with a camera that was not level.
pub fn cup_leaning() -> Bitmap {
    leaning(&cup_on_backdrop(), -4.0, Outside::Extended)
}

fn leaning(bitmap: &Bitmap, degrees: f64, outside: Outside) -> Bitmap {
    let (width, height) = (bitmap.width(), bitmap.height());
    let turn = Turn { degrees, about: (f64::from(width) / 2.0, f64::from(height) / 2.0) };
    let window = Window { x: 0, y: 0, width, height };
    pixels::rotate(bitmap, &turn, window, outside, || Ok::<_, PixelError>(())).expect("a turn")
}

/// A photograph without transparent parts: coloured patches and fine stripes.
pub fn patches() -> Bitmap {
    let (width, height) = (160u32, 120u32);
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (i % width, i / width);
            let fine = if (x / 2 + y / 3) % 2 == 0 { 18 } else { 0 };
            let round = (f64::from(x) - 90.0).hypot(f64::from(y) - 50.0) < 32.0;
            if round { [206 - fine, 40 + fine, 38] } else { [(x + 60) as u8, (y + 90) as u8, 150 - fine] }
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("160 by 120")
}

/// A plain grey ramp at 16 bits.
pub fn deep_ramp() -> Bitmap {
    let samples = (0..64 * 48u32).flat_map(|i| [(i * 21) as u16, to_u16((i / 64) as u8), 40_000]).collect();
    Bitmap::from_u16(64, 48, Channels::Rgb, samples).expect("64 by 48")
}

/// A woven cloth with a printed label on it, with camera noise.
pub fn labelled_cloth() -> Bitmap {
    let (width, height) = (200u32, 160u32);
    let mut noise = 4_321u32;
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (f64::from(i % width), f64::from(i / width));
            let thread = 16.0 * (x * 1.05).sin() * (y * 1.05).sin();
            let fold = 18.0 * ((x + 0.6 * y) / 38.0).sin();
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (f64::from(noise >> 16) / 65_535.0 - 0.5) * 6.0;
            let label = (72.0..132.0).contains(&x) && (58.0..98.0).contains(&y);
            let line = label && (y as u32 % 8) < 3 && (78.0..124.0).contains(&x) && y > 62.0 && y < 94.0;
            let rgb = match (label, line) {
                (_, true) => [40.0, 36.0, 44.0],
                (true, _) => [238.0, 236.0, 228.0],
                _ => [60.0, 92.0, 128.0].map(|c| c + thread + fold),
            };
            rgb.map(|c| (c + grain).round() as u8)
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("200 by 160")
}

/// The cup cut out, with a tag on a string beside it and a sticker on its glaze.
pub fn tagged_cup() -> Bitmap {
    let tagged = |x: f64, y: f64| {
        let tag = (0.02..0.14).contains(&x) && (0.52..0.68).contains(&y);
        let string = (0.10..0.30).contains(&x) && (y - 0.56 + (x - 0.1) * 0.5).abs() < 0.008;
        let sticker = (x - 0.40).powi(2) + (y - 0.38).powi(2) < 0.0024;
        match () {
            () if sticker => Some([0.95, 0.8, 0.1]),
            () if tag => Some([0.9, 0.86, 0.74]),
            () if string => Some([0.5, 0.3, 0.2]),
            () => cup(x, y),
        }
    };
    Bitmap::from_u8(200, 180, Channels::Rgba, bytes(&draw(200, 180, &tagged))).expect("200 by 180")
}

/// A plain product on a backdrop, with dust, lint, a scratch and a sensor spot, and a print that belongs to it.
pub fn dusty() -> Bitmap {
    let (width, height) = (256u32, 212u32);
    let specks =
        [(40.0, 36.0, 2.2), (120.0, 90.0, 1.6), (176.0, 64.0, 2.6), (24.0, 150.0, 1.8), (88.0, 190.0, 2.0)];
    let mut noise = 777u32;
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
            let product = (60.0..240.0).contains(&x) && (48.0..200.0).contains(&y);
            let mut level = if product { 112.0 + 24.0 * (x / 70.0).sin() } else { 226.0 - 0.04 * (x + y) };
            // Letters: upright strokes with a bar, in two rows.
            let (column, row) = (x % 11.0, (y - 140.0) % 20.0);
            let letter = (80.0..200.0).contains(&x) && (140.0..180.0).contains(&y) && row < 12.0;
            if letter && (column < 2.2 || (row < 2.2 && column < 7.0)) {
                level = 232.0;
            }
            for (sx, sy, radius) in specks {
                let covered = (radius - (x - sx).hypot(y - sy) + 0.5).clamp(0.0, 1.0);
                level += covered * if product && sy < 140.0 { 70.0 } else { -70.0 };
            }
            // A fibre, curved.
            if (150.0..180.0).contains(&x) {
                let away = (y - 92.0 - ((x - 150.0) / 9.0).sin() * 4.0).abs();
                level += (1.3 - away).clamp(0.0, 1.0) * 60.0;
            }
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (f64::from(noise >> 16) / 65_535.0 - 0.5) * 7.0;
            [level + grain, level * 0.94 + grain, level * 0.9 + grain].map(|c| c.round() as u8)
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("256 by 212")
}

/// A forearm out of a blue sleeve, on grey: pores, blotches, two moles and a red spot.
pub fn forearm() -> Bitmap {
    let (width, height) = (200u32, 140u32);
    let spots = [
        (70.0, 66.0, 3.2, [112.0, 74.0, 58.0]),
        (128.0, 82.0, 2.6, [124.0, 82.0, 64.0]),
        (98.0, 84.0, 3.6, [214.0, 116.0, 104.0]),
    ];
    let mut noise = 4242u32;
    let samples = (0..width * height)
        .flat_map(|i| {
            let (x, y) = (f64::from(i % width) + 0.5, f64::from(i / width) + 0.5);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = f64::from(noise >> 16) / 65_535.0 - 0.5;
            // From the middle line of the arm, as a share of its half width.
            let across = (y - 72.0 - 0.04 * (x - 100.0)) / (38.0 - 0.06 * x);
            let rgb = if across.abs() >= 1.0 {
                [188.0, 190.0, 192.0].map(|c| c + grain * 3.0)
            } else if x < 42.0 + 3.0 * (y / 9.0).sin() {
                [52.0, 74.0, 132.0].map(|c| c * (1.0 - 0.3 * across * across) + grain * 10.0)
            } else {
                let light = 1.0 - 0.26 * (across + 0.3).powi(2);
                let blotch = 1.0 + 0.022 * (x / 1.8).sin() * (y / 2.1).cos();
                let mut rgb = [212.0, 164.0, 140.0].map(|c| c * light * blotch + grain * 11.0);
                for (sx, sy, radius, colour) in spots {
                    let covered = ((radius - (x - sx).hypot(y - sy)) / 1.5 + 0.5).clamp(0.0, 1.0);
                    (0..3).for_each(|c| rgb[c] += (colour[c] - rgb[c]) * covered);
                }
                rgb
            };
            rgb.map(|c| c.round().clamp(0.0, 255.0) as u8)
        })
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("200 by 140")
}

/// Half the width of a shirt at a height, and where its shoulders are; the middle lies at 0.5.
fn is_shirt(x: f64, y: f64) -> bool {
    let across = (x - 0.5).abs();
    let shoulder = 0.17 + 0.3 * (across - 0.1).max(0.0);
    let half = if y < 0.46 { 0.38 - 0.1 * ((y - 0.4) / 0.06).clamp(0.0, 1.0) } else { 0.25 + 0.02 * y };
    across < half && y > shoulder && y < 0.93
}

/// The neck of a mannequin, of pale plastic.
fn plastic_neck(x: f64, y: f64) -> Option<[f64; 3]> {
    let across = (x - 0.5) / (0.068 + 0.05 * (y - 0.15).max(0.0));
    let shade = 0.9 - 0.25 * (across + 0.3).powi(2);
    (across.abs() < 1.0 && (0.04..0.36).contains(&y)).then_some([shade, shade * 0.95, shade * 0.88])
}

fn cloth(x: f64, y: f64) -> [f64; 3] {
    let fold = 0.82 + 0.1 * (x * 31.0 + (y * 9.0).sin()).sin() + 0.08 * (x * 13.0 - y * 6.0).sin();
    [0.16 * fold, 0.36 * fold, 0.5 * fold]
}

/// A shirt with a round neck on a mannequin, from the front.
fn shirt_front(x: f64, y: f64) -> Option<[f64; 3]> {
    let neck = ((x - 0.5) / 0.115).powi(2) + ((y - 0.165) / 0.105).powi(2);
    if is_shirt(x, y) && neck > 1.0 {
        let band = neck < 1.35 && y > 0.17;
        return Some(cloth(x, y).map(|c| if band { c * 0.7 } else { c }));
    }
    plastic_neck(x, y)
}

/// The same shirt inside out, with the inside of its back to the camera: a collar that stands up, and a label.
fn shirt_inlay(x: f64, y: f64) -> Option<[f64; 3]> {
    let collar = 0.165 - 0.028 * (1.0 - ((x - 0.5) / 0.115).powi(2)).max(0.0);
    let is_back = is_shirt(x, y) || ((x - 0.5).abs() < 0.115 && y > collar && y < 0.3);
    if is_back {
        if (x - 0.5).abs() < 0.03 && (0.185..0.215).contains(&y) {
            return Some([0.93, 0.92, 0.9]);
        }
        let band = y < collar + 0.03 && (x - 0.5).abs() < 0.12;
        return Some(cloth(x, y * 0.7).map(|c| c * if band { 0.6 } else { 0.8 }));
    }
    plastic_neck(x, y)
}

/// Scales a shape around the top of its middle, and moves it.
fn shot(shape: &Shape<'_>, scale: f64, dx: f64, dy: f64) -> Bitmap {
    let moved = |x: f64, y: f64| shape((x - 0.5 - dx) / scale + 0.5, (y - 0.2 - dy) / scale + 0.2);
    Bitmap::from_u8(180, 200, Channels::Rgba, bytes(&draw(180, 200, &|x, y| moved(x + 0.05, y))))
        .expect("180 by 200")
}

/// The shirt on its mannequin, cut out.
pub fn shirt_on_mannequin() -> Bitmap {
    shot(&shirt_front, 1.0, 0.0, 0.0)
}

/// Its inlay shot, cut out; the camera stood still but for so much.
pub fn shirt_inlay_shot(scale: f64, dx: f64, dy: f64) -> Bitmap {
    shot(&shirt_inlay, scale, dx, dy)
}

/// What an inlay shot shows when only the collar was photographed.
pub fn collar_shot() -> Bitmap {
    let collar = |x: f64, y: f64| {
        let is_in = (0.34..0.66).contains(&x) && (0.1..0.36).contains(&y);
        shirt_inlay(x, y).filter(|_| is_in && plastic_neck(x, y).is_none_or(|_| y > 0.15))
    };
    shot(&collar, 2.2, 0.0, 0.1)
}

/// The cup and a ball on a table before a wall with a picture on it: nothing is plain.
pub fn desk() -> Bitmap {
    room(300, 270, 0.62, (0.06, 0.22), Some((0.80, 0.60, 0.075)))
}

/// The cup, small and alone, on the same table before the bare wall.
pub fn distant_cup() -> Bitmap {
    room(300, 270, 0.36, (0.33, 0.36), None)
}

/// A wall, a table of boards, the cup at a scale and a place; with a ball, and then a picture on the wall, too.
fn room(width: u32, height: u32, scale: f64, at: (f64, f64), ball: Option<(f64, f64, f64)>) -> Bitmap {
    let drawn = move |x: f64, y: f64| {
        let things = cup((x - at.0) / scale, (y - at.1) / scale).or_else(|| {
            let (bx, by, radius) = ball?;
            let away = (x - bx).hypot(y - by) / radius;
            (away < 1.0).then(|| [0.80 - 0.35 * away * (x - bx + radius) / radius, 0.22, 0.18])
        });
        things.or_else(|| {
            let table = 0.58;
            // A cup that is alone has no picture behind it.
            let frame = ball.is_some() && (0.66..0.92).contains(&x) && (0.08..0.40).contains(&y);
            let inside = frame && (0.68..0.90).contains(&x) && (0.10..0.38).contains(&y);
            Some(match (inside, frame, y > table) {
                (true, ..) => [0.72, 0.68 - 0.5 * (y - 0.1), 0.40],
                (_, true, _) => [0.24, 0.2, 0.16],
                (.., true) => {
                    let board = ((y - table) * 22.0) as u32 % 2;
                    let grain = 0.02 * (x * 60.0 + y * 9.0).sin();
                    [0.58, 0.45, 0.33].map(|c| c - 0.05 * f64::from(board) + grain)
                }
                _ => [0.70 - 0.1 * x, 0.73 - 0.1 * x, 0.74 - 0.08 * x],
            })
        })
    };
    let samples = draw(width, height, &drawn)
        .iter()
        .flat_map(|[r, g, b, _]| [*r, *g, *b].map(|value| (value * 255.0).round() as u8))
        .collect();
    Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size")
}

/// What a person would draw over the cup of the desk: white on it, black far from it, grey between.
pub fn desk_mask() -> Bitmap {
    let value = |at: u32| {
        let (x, y) = (f64::from(at % 300) / 300.0, f64::from(at / 300) / 300.0);
        let near = |grow: f64| {
            let body = ((x - 0.32) / (0.16 + grow)).powi(2) + ((y - 0.50) / (0.19 + grow)).powi(2);
            let handle = ((x - 0.47) / (0.07 + grow)).powi(2) + ((y - 0.487) / (0.075 + grow)).powi(2);
            body < 1.0 || (grow > 0.0 && handle < 1.0)
        };
        match (near(-0.03), near(0.1)) {
            (true, _) => 255,
            (_, true) => 128,
            _ => 0,
        }
    };
    let samples = (0..300 * 270).flat_map(|at| [value(at); 3]).collect();
    Bitmap::from_u8(300, 270, Channels::Rgb, samples).expect("300 by 270")
}
