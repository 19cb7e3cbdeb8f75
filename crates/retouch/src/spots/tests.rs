use pixels::{Bitmap, Channels};

use super::*;

const WIDTH: u32 = 640;
const HEIGHT: u32 = 480;

/// Random numbers that are the same on every run, 0 to 1.
struct Dice(u32);

impl Dice {
    fn roll(&mut self) -> f32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (self.0 >> 8) as f32 / 16_777_216.0
    }

    fn between(&mut self, from: f32, to: f32) -> f32 {
        from + (to - from) * self.roll()
    }
}

/// Levels of a surface, 0 to 255, without grain.
type Surface = fn(f32, f32) -> f32;

fn backdrop(x: f32, y: f32) -> f32 {
    225.0 - x * 0.03 - y * 0.04
}

fn weave(x: f32, y: f32) -> f32 {
    130.0 + 25.0 * (x / 130.0).sin() + 9.0 * (x * 1.6).sin() * (y * 1.6).sin()
}

fn stripes(x: f32, y: f32) -> f32 {
    if ((x + y * 0.2) / 9.0).sin() > 0.2 { 170.0 } else { 120.0 }
}

fn checker(x: f32, y: f32) -> f32 {
    if (x as i32 / 14 + y as i32 / 14) % 2 == 0 { 170.0 } else { 115.0 }
}

fn dots(x: f32, y: f32) -> f32 {
    let (dx, dy) = (x % 60.0 - 30.0, y % 60.0 - 30.0);
    if dx * dx + dy * dy < 30.0 { 75.0 } else { 135.0 }
}

/// Two rows of stitches, a seam, buttons with holes, and strokes like those of letters.
fn sewn(x: f32, y: f32) -> f32 {
    let cloth = 140.0 + 20.0 * (x / 150.0).sin();
    let stitch = x % 16.0 < 9.0 && ((y - 80.0).abs() < 1.2 || (y - 94.0).abs() < 1.2);
    let seam = (x - 320.0).abs() < 1.6;
    let (bx, by) = (x - 420.0, (y - 60.0) % 90.0 - 45.0);
    let button = bx * bx + by * by < 196.0;
    let hole = button && (bx.abs() - 5.0).abs() < 2.0 && by.abs() < 2.0;
    let (column, row) = (x % 12.0, (y - 200.0) % 24.0);
    let letter = (60.0..260.0).contains(&x)
        && (200.0..300.0).contains(&y)
        && row < 12.0
        && (column < 2.0 || (row < 2.0 && column < 7.0) || ((row - 6.0).abs() < 1.0 && column < 6.0));
    match () {
        () if hole => 25.0,
        () if button => 60.0,
        () if stitch => 225.0,
        () if seam => 95.0,
        () if letter => 240.0,
        () => cloth,
    }
}

/// A speck or a fibre.
struct Planted {
    path: Vec<(f32, f32)>,
    radius: f32,
    contrast: f32,
}

impl Planted {
    fn covers(&self, x: f32, y: f32) -> f32 {
        let far = |a: (f32, f32), b: (f32, f32)| {
            let (dx, dy) = (b.0 - a.0, b.1 - a.1);
            let along = (((x - a.0) * dx + (y - a.1) * dy) / (dx * dx + dy * dy).max(1e-6)).clamp(0.0, 1.0);
            (x - a.0 - along * dx).hypot(y - a.1 - along * dy)
        };
        let first = self.path[0];
        let away = self.path.windows(2).map(|pair| far(pair[0], pair[1])).fold(far(first, first), f32::min);
        // A lens makes every edge a pixel or two wide.
        ((self.radius - away) / 1.6 + 0.5).clamp(0.0, 1.0)
    }
}

fn planted(dice: &mut Dice, count: usize) -> Vec<Planted> {
    let columns = 8;
    (0..count)
        .map(|i| {
            // One in each cell of a grid, so that none lies on another.
            let (column, row) = ((i % columns) as f32, (i / columns) as f32);
            let mut at = (column * 78.0 + dice.between(24.0, 60.0), row * 78.0 + dice.between(24.0, 60.0));
            let contrast = dice.between(28.0, 75.0) * if dice.roll() < 0.6 { -1.0 } else { 1.0 };
            let mut path = vec![at];
            if i % 4 == 3 {
                let mut angle = dice.between(0.0, 6.28);
                for _ in 0..5 {
                    angle += dice.between(-0.35, 0.35);
                    at = (at.0 + 3.4 * angle.cos(), at.1 + 3.4 * angle.sin());
                    path.push(at);
                }
            }
            let radius = if path.len() > 1 { dice.between(0.9, 1.4) } else { dice.between(1.3, 3.4) };
            Planted { path, radius, contrast }
        })
        .collect()
}

fn photographed(surface: Surface, planted: &[Planted], dice: &mut Dice) -> Bitmap {
    let mut samples = Vec::with_capacity((WIDTH * HEIGHT * 3) as usize);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let (px, py) = (x as f32 + 0.5, y as f32 + 0.5);
            // Two by two samples stand for the blur of a lens.
            let steps = [(-0.5, -0.5), (0.5, -0.5), (-0.5, 0.5), (0.5, 0.5)];
            let mut level = steps.iter().map(|(dx, dy)| surface(px + dx, py + dy)).sum::<f32>() / 4.0;
            for one in planted {
                level += one.contrast * one.covers(px, py);
            }
            let grain = (0..4).map(|_| dice.roll() - 0.5).sum::<f32>() * 3.6;
            samples
                .extend([level + grain, level * 0.93 + grain, level * 0.88 + grain].map(|v| v.round() as u8));
        }
    }
    Bitmap::from_u8(WIDTH, HEIGHT, Channels::Rgb, samples).expect("a picture")
}

const SOUGHT: Sought =
    Sought { dust: 50, lint: 50, scratches: 0, sensor_spots: 50, dust_size: 9, lint_length: 40 };

fn found(bitmap: &Bitmap, sought: &Sought) -> Spots {
    find_spots(bitmap, None, sought, &|| false).expect("not stopped")
}

#[test]
fn a_clean_product_stays_as_it_is() {
    let surfaces: [(&str, Surface); 6] = [
        ("backdrop", backdrop),
        ("weave", weave),
        ("stripes", stripes),
        ("checker", checker),
        ("dots", dots),
        ("sewn", sewn),
    ];
    for (name, surface) in surfaces {
        for seed in 1..4 {
            let spots = found(&photographed(surface, &[], &mut Dice(seed)), &SOUGHT);
            assert_eq!(spots.count(), 0, "{name} {seed}: {} {}", spots.dust, spots.lint);
            assert!(spots.mask.values().iter().all(|value| *value == 0));
        }
    }
}

#[test]
fn planted_dust_and_lint_are_found_and_nothing_else() {
    for (name, surface, least) in [("backdrop", backdrop as Surface, 0.9), ("weave", weave, 0.9)] {
        let (mut there, mut hit, mut marked) = (0.0, 0.0, 0.0);
        for seed in 1..4 {
            let mut dice = Dice(seed * 7919);
            let planted = planted(&mut dice, 40);
            let spots = found(&photographed(surface, &planted, &mut dice), &SOUGHT);
            let is_marked = |one: &&Planted| {
                let (x, y) = one.path[one.path.len() / 2];
                spots.mask.values()[(y as u32 * WIDTH + x as u32) as usize] > 0
            };
            there += planted.len() as f32;
            hit += planted.iter().filter(is_marked).count() as f32;
            marked += spots.count() as f32;
        }
        let (recall, precision) = (hit / there, hit / marked);
        assert!(recall >= least && precision >= 0.98, "{name}: recall {recall}, precision {precision}");
    }
}

#[test]
fn sensor_spots_are_found_on_an_even_surface() {
    let spot = |x: f32, y: f32| {
        let away = (x - 200.0).hypot(y - 240.0);
        backdrop(x, y) - 12.0 / (1.0 + ((away - 20.0) / 3.0).exp())
    };
    let mut samples = Vec::new();
    let mut dice = Dice(5);
    for i in 0..WIDTH * HEIGHT {
        let level = spot((i % WIDTH) as f32, (i / WIDTH) as f32) + (dice.roll() - 0.5) * 5.0;
        samples.extend([level.round() as u8; 3]);
    }
    let bitmap = Bitmap::from_u8(WIDTH, HEIGHT, Channels::Rgb, samples).expect("a picture");
    let spots = found(&bitmap, &SOUGHT);
    assert_eq!((spots.sensor_spots, spots.count()), (1, 1));
    assert_eq!(spots.mask.values()[(240 * WIDTH + 200) as usize], 255);
    assert_eq!(found(&bitmap, &Sought { sensor_spots: 0, ..SOUGHT }).count(), 0);
}

#[test]
fn scratches_are_found_only_where_they_are_sought() {
    let line = Planted { path: vec![(60.0, 70.0), (560.0, 330.0)], radius: 1.1, contrast: 45.0 };
    let bitmap = photographed(backdrop, &[line], &mut Dice(3));
    assert_eq!(found(&bitmap, &SOUGHT).count(), 0);
    let spots = found(&bitmap, &Sought { scratches: 50, ..SOUGHT });
    assert_eq!((spots.scratches, spots.count()), (1, 1));
}

#[test]
fn only_what_is_inside_is_looked_at() {
    let mut dice = Dice(99);
    let planted = planted(&mut dice, 40);
    let bitmap = photographed(backdrop, &planted, &mut dice);
    let left = (0..WIDTH * HEIGHT).map(|i| if i % WIDTH < WIDTH / 2 { 255 } else { 0 }).collect();
    let left = Mask::new(WIDTH, HEIGHT, left).expect("a mask");
    let spots = find_spots(&bitmap, Some(&left), &SOUGHT, &|| false).expect("not stopped");
    assert!(spots.count() > 8, "{}", spots.count());
    for (value, inside) in spots.mask.values().iter().zip(left.values()) {
        assert!(*value == 0 || *inside == 255);
    }
    assert_eq!(find_spots(&bitmap, None, &SOUGHT, &|| true), None);
    for (width, height) in [(1, 1), (1, 40), (3, 2), (40, 1)] {
        let tiny = Bitmap::from_u8(width, height, Channels::Rgb, vec![7; (width * height * 3) as usize]);
        assert_eq!(found(&tiny.expect("a picture"), &SOUGHT).count(), 0);
    }
}
