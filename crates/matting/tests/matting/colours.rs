//! Colours of the foreground against the colours that were drawn.

use matting::estimate_foreground;
use pixels::{Bitmap, Channels, Mask, Samples, to_u16};

use crate::scene::{Backdrop, Drawn, Material, Scene, Shape, mask};

fn bytes(bitmap: &Bitmap) -> &[u8] {
    match bitmap.samples() {
        Samples::U8(samples) => samples,
        Samples::U16(_) => panic!("the bitmap has 16 bits"),
    }
}

/// Mean absolute error of the mixed pixels' colours weighed by alpha, in 8-bit levels.
fn colour_error(drawn: &Drawn, colour: impl Fn(usize) -> [u8; 3]) -> f32 {
    let (mut sum, mut total) = (0.0, 0.0);
    for (index, &alpha) in drawn.alpha.values().iter().enumerate() {
        if alpha == 0 || alpha == 255 {
            continue;
        }
        for (got, exact) in colour(index).into_iter().zip(drawn.product[index]) {
            sum += f32::from(alpha) * (f32::from(got) - exact).abs();
            total += f32::from(alpha);
        }
    }
    sum / total
}

#[test]
fn edge_colours_are_freed_of_the_background() {
    for material in [Material::Plain, Material::Patterned] {
        for backdrop in [Backdrop::White, Backdrop::Coloured, Backdrop::Striped] {
            let least = match (material, backdrop) {
                (Material::Patterned, Backdrop::Striped) => 1.5,
                (Material::Patterned, _) => 3.0,
                (_, Backdrop::Striped) => 3.0,
                _ => 20.0,
            };
            for (side, shape) in [(640, Shape::Mug), (1100, Shape::Ring), (640, Shape::Soft)] {
                let drawn = Scene { side, material, ..Scene::new(shape, backdrop) }.draw();
                let foreground = estimate_foreground(&drawn.picture, &drawn.alpha).unwrap();
                let (before, after) = (
                    colour_error(&drawn, |i| bytes(&drawn.picture)[i * 3..i * 3 + 3].try_into().unwrap()),
                    colour_error(&drawn, |i| bytes(&foreground)[i * 4..i * 4 + 3].try_into().unwrap()),
                );
                assert!(
                    least * after < before,
                    "{material:?} {backdrop:?} {side} {shape:?}: {after} of {before}"
                );
            }
        }
    }
}

#[test]
fn opaque_pixels_keep_their_bytes_and_clear_ones_become_nothing() {
    let drawn = Scene::new(Shape::Strands, Backdrop::Coloured).draw();
    let foreground = estimate_foreground(&drawn.picture, &drawn.alpha).unwrap();
    let source = bytes(&drawn.picture).chunks_exact(3);
    for ((out, source), &alpha) in bytes(&foreground).chunks_exact(4).zip(source).zip(drawn.alpha.values()) {
        assert_eq!(out[3], alpha);
        match alpha {
            0 => assert_eq!(out, [0; 4]),
            255 => assert_eq!(out[..3], *source),
            _ => {}
        }
    }
}

#[test]
fn sixteen_bits_stay_sixteen_bits() {
    let drawn = Scene { side: 200, ..Scene::new(Shape::Ring, Backdrop::White) }.draw();
    // Values between those of 8 bits, under an alpha channel that must not matter.
    let deep: Vec<u16> = bytes(&drawn.picture)
        .chunks_exact(3)
        .flat_map(|p| [to_u16(p[0]) ^ 5, to_u16(p[1]) ^ 9, to_u16(p[2]) ^ 3, 77])
        .collect();
    let picture = Bitmap::from_u16(200, 200, Channels::Rgba, deep.clone()).unwrap();
    let foreground = estimate_foreground(&picture, &drawn.alpha).unwrap();
    let shallow = estimate_foreground(&drawn.picture, &drawn.alpha).unwrap();
    let Samples::U16(out) = foreground.samples() else { panic!("depth was lost") };
    for (index, &alpha) in drawn.alpha.values().iter().enumerate() {
        let (out, source) = (&out[index * 4..][..4], &deep[index * 4..][..4]);
        assert_eq!(out[3], to_u16(alpha));
        match alpha {
            0 => assert_eq!(out, [0; 4]),
            255 => assert_eq!(out[..3], source[..3]),
            _ => {
                for (deep, &shallow) in out.iter().zip(&bytes(&shallow)[index * 4..index * 4 + 3]) {
                    assert!(deep.abs_diff(to_u16(shallow)) <= 2 * 257, "{deep} and {shallow}");
                }
            }
        }
    }
}

#[test]
fn tiles_leave_no_seams() {
    // A diagonal edge across many tiles, of one colour on one colour: the estimate must be that colour.
    let (width, height) = (1400u32, 900u32);
    let alpha: Vec<u8> = (0..width * height)
        .map(|i| ((i % width) as i32 - (i / width) as i32 - 200).clamp(0, 15) as u8 * 17)
        .collect();
    let mixed = alpha.iter().flat_map(|&a| {
        let a = f32::from(a) / 255.0;
        [30.0f32, 90.0, 200.0].map(|front| (a * front + (1.0 - a) * 235.0).round() as u8)
    });
    let picture = Bitmap::from_u8(width, height, Channels::Rgb, mixed.collect()).unwrap();
    let alpha = Mask::new(width, height, alpha).unwrap();
    let foreground = estimate_foreground(&picture, &alpha).unwrap();
    for pixel in bytes(&foreground).chunks_exact(4).filter(|p| p[3] > 60) {
        for (got, exact) in pixel.iter().zip([30u8, 90, 200]) {
            assert!(got.abs_diff(exact) <= 12, "{pixel:?}");
        }
    }
}

#[test]
fn an_empty_and_a_full_alpha_are_fine() {
    let drawn = Scene { side: 64, ..Scene::new(Shape::Ring, Backdrop::White) }.draw();
    let nothing = estimate_foreground(&drawn.picture, &mask(64, vec![0; 64 * 64])).unwrap();
    assert!(bytes(&nothing).iter().all(|&b| b == 0));
    let all = estimate_foreground(&drawn.picture, &mask(64, vec![255; 64 * 64])).unwrap();
    assert_eq!(all, drawn.picture.clone().into_rgba());
}
