//! Products that were turned by a known angle.

#![allow(clippy::needless_range_loop, clippy::useless_conversion, clippy::precedence)]

use pixels::{Bitmap, Channels, Outside, PixelError, Turn};
use retouch::colour::Sampled;
use retouch::upright::{Lean, SIDE, axis_lean, base_lean, mirror_lean};

/// A shape on coordinates from -1 to 1, with its brightness.
type Shape = fn(f32, f32) -> Option<f32>;

fn bottle(x: f32, y: f32) -> Option<f32> {
    let half = if y < -0.55 { 0.09 } else { 0.09 + 0.17 * ((y + 0.55) / 0.2).clamp(0.0, 1.0) };
    let label = if (0.0..0.4).contains(&y) && x.abs() < 0.2 { 0.9 } else { 0.35 + 0.3 * (x * 9.0).cos() };
    (x.abs() < half && (-0.9..0.8).contains(&y)).then_some(label)
}

/// A mug: its handle breaks the symmetry.
fn mug(x: f32, y: f32) -> Option<f32> {
    let body = x.abs() < 0.4 && (-0.5..0.5).contains(&y);
    let (ring, hole) = ((x - 0.42).hypot(y * 0.9) < 0.27, (x - 0.42).hypot(y * 0.9) < 0.19);
    (body || (ring && !hole && x > 0.35)).then_some(if body { 0.75 } else { 0.6 })
}

/// A vase: curved all over, with a foot.
fn vase(x: f32, y: f32) -> Option<f32> {
    let half = 0.16 + 0.26 * (1.0 - ((y + 0.1) / 0.75).powi(2)).max(0.0);
    (x.abs() < half && (-0.8..0.75).contains(&y)).then_some(0.5 + 0.3 * (1.0 - x * x / half / half))
}

fn plate(x: f32, y: f32) -> Option<f32> {
    let radius = x.hypot(y);
    (radius < 0.8).then_some(if radius < 0.5 { 0.9 } else { 0.7 })
}

fn stool(x: f32, y: f32) -> Option<f32> {
    let seat = (-0.6..-0.4).contains(&y) && x.abs() < 0.6;
    let leg = y > -0.5 && y < 0.7 && (x.abs() - 0.45 - 0.05 * y).abs() < 0.04;
    (seat || leg).then_some(0.6)
}

fn drawn(shape: Shape) -> Bitmap {
    let side = 900u32;
    let samples = (0..side * side)
        .flat_map(|i| {
            let (mut sum, mut count) = (0.0, 0.0);
            for sub in 0..9 {
                let x = (i % side) as f32 + (sub % 3) as f32 / 3.0 + 1.0 / 6.0;
                let y = (i / side) as f32 + (sub / 3) as f32 / 3.0 + 1.0 / 6.0;
                if let Some(bright) = shape(x / 450.0 - 1.0, y / 450.0 - 1.0) {
                    sum += bright;
                    count += 1.0;
                }
            }
            let value = if count > 0.0 { (sum / count * 255.0) as u8 } else { 0 };
            [value, value, value, (count / 9.0 * 255.0) as u8]
        })
        .collect();
    Bitmap::from_u8(side, side, Channels::Rgba, samples).expect("a square")
}

fn turned(bitmap: &Bitmap, degrees: f64) -> Sampled {
    let turn = Turn { degrees, about: (450.0, 450.0) };
    let window = turn.bounds(900, 900);
    let turned = pixels::rotate(bitmap, &turn, window, Outside::Clear, || Ok::<_, PixelError>(()));
    Sampled::of(&turned.expect("a turn"), SIDE, 3)
}

const ANGLES: [f64; 6] = [0.0, 0.4, -1.7, 4.3, -9.2, 12.6];

fn check(name: &str, shape: Shape, lean: impl Fn(&Sampled, f64) -> Option<Lean>) {
    let upright = drawn(shape);
    for angle in ANGLES {
        let got = lean(&turned(&upright, angle), 15.0).expect("there is something");
        assert!((got.degrees - angle).abs() < 0.2, "{name} at {angle}: {got:?}");
        assert!(got.confidence > 0.5, "{name} at {angle}: {got:?}");
    }
}

#[test]
fn the_mirror_line_is_found_within_a_fifth_of_a_degree() {
    check("bottle", bottle, mirror_lean);
    check("vase", vase, mirror_lean);
    check("stool", stool, mirror_lean);
    check("mug", mug, mirror_lean);
}

#[test]
fn straight_edges_are_found_within_a_fifth_of_a_degree() {
    check("bottle", bottle, axis_lean);
    check("mug", mug, axis_lean);
}

#[test]
fn the_line_a_product_stands_on_is_found_within_a_fifth_of_a_degree() {
    check("bottle", bottle, base_lean);
    check("mug", mug, base_lean);
    check("stool", stool, base_lean);
}

#[test]
fn what_has_no_direction_is_not_sure() {
    let round = turned(&drawn(plate), 7.0);
    for lean in [mirror_lean(&round, 15.0), axis_lean(&round, 15.0), base_lean(&round, 15.0)] {
        assert!(lean.is_none_or(|lean| lean.confidence < 0.5), "{lean:?}");
    }
    let far = turned(&drawn(bottle), 30.0);
    for lean in [mirror_lean(&far, 15.0), axis_lean(&far, 15.0), base_lean(&far, 15.0)] {
        assert!(lean.is_none_or(|lean| lean.confidence < 0.5), "{lean:?}");
    }
    let nothing = Sampled { width: 64, height: 64, colours: vec![[0.0; 3]; 4096], weights: vec![0.0; 4096] };
    assert_eq!(mirror_lean(&nothing, 15.0), None);
    assert_eq!((axis_lean(&nothing, 15.0), base_lean(&nothing, 15.0)), (None, None));
}
