//! Drives the crate on drawn products whose alpha is known exactly.

mod cleaning;
mod colours;
mod edges;
mod scene;

use matting::metrics::{iou, mae};
use matting::{Choice, Method, Options, RefineOptions, cut_out, route, studio_matte};
use pixels::{Bitmap, Channels, Mask, Samples};
use scene::{Backdrop, Material, Noise, Scene, Shape, mask};

/// The side at which the drawn networks look.
const NETWORK_SIDE: usize = 256;

fn options() -> Options {
    Options {
        refine: RefineOptions { source_side: NETWORK_SIDE as u32, ..RefineOptions::default() },
        ..Options::default()
    }
}

fn clear_pixels_are_zero(foreground: &Bitmap) -> bool {
    match foreground.samples() {
        Samples::U8(s) => s.chunks_exact(4).all(|p| p[3] != 0 || p[..3] == [0; 3]),
        Samples::U16(s) => s.chunks_exact(4).all(|p| p[3] != 0 || p[..3] == [0; 3]),
    }
}

#[test]
fn a_plain_backdrop_that_the_network_confirms_takes_the_studio_matte() {
    for backdrop in [Backdrop::White, Backdrop::Gradient, Backdrop::Coloured] {
        let drawn = Scene::new(Shape::Mug, backdrop).draw();
        let network = drawn.network(NETWORK_SIDE);
        let outcome = cut_out(&drawn.picture, Some(&network), &options()).unwrap();
        assert_eq!(outcome.method, Method::NetworkStudio, "{backdrop:?}: {}", outcome.residual);
        assert!(outcome.confidence > 0.95 && outcome.iou > Some(0.95));
        assert!(mae(&outcome.alpha, &drawn.alpha).unwrap() < 3e-4);
        assert!(clear_pixels_are_zero(&outcome.foreground));
        assert_eq!(outcome.foreground.alpha(), outcome.alpha);
    }
}

#[test]
fn without_a_network_the_studio_matte_says_what_it_is_worth() {
    let plain = Scene::new(Shape::Ring, Backdrop::Gradient).draw();
    let outcome = cut_out(&plain.picture, None, &options()).unwrap();
    assert_eq!((outcome.method, outcome.iou), (Method::Studio, None));
    assert!(outcome.confidence > 0.7, "{}", outcome.confidence);
    let striped = Scene::new(Shape::Ring, Backdrop::Striped).draw();
    assert!(cut_out(&striped.picture, None, &options()).unwrap().confidence < 0.3);
}

#[test]
fn a_backdrop_that_is_not_plain_takes_the_network() {
    let drawn = Scene::new(Shape::Mug, Backdrop::Striped).draw();
    let network = drawn.network(NETWORK_SIDE);
    let outcome = cut_out(&drawn.picture, Some(&network), &options()).unwrap();
    assert_eq!((outcome.method, outcome.iou), (Method::Network, None));
    assert!(outcome.confidence > 0.9);
    let before = mae(&network, &drawn.alpha).unwrap();
    assert!(mae(&outcome.alpha, &drawn.alpha).unwrap() < 0.5 * before);
}

#[test]
fn a_white_product_on_white_takes_the_network() {
    let drawn = Scene { material: Material::White, ..Scene::new(Shape::Mug, Backdrop::White) }.draw();
    let network = drawn.network(NETWORK_SIDE);
    let studio = studio_matte(&drawn.picture);
    assert_eq!(route(&studio, &network), Ok(Choice::Network));
    let outcome = cut_out(&drawn.picture, Some(&network), &options()).unwrap();
    assert_eq!(outcome.method, Method::Network);
    assert!(iou(&outcome.alpha, &drawn.alpha).unwrap() > 0.98);
    // Nothing inside may be eaten: all that lies five pixels within the true edge is opaque.
    let deep = matting::metrics::edge_band(&drawn.alpha, 5);
    for ((&got, &exact), near_edge) in outcome.alpha.values().iter().zip(drawn.alpha.values()).zip(deep) {
        assert!(near_edge || got == exact, "{got} instead of {exact}");
    }
}

#[test]
fn what_the_network_alone_knows_overrules_the_studio_matte() {
    // White highlights on the rim, before white: colour alone takes bites out of the product.
    let drawn = Scene { material: Material::Glossy, ..Scene::new(Shape::Mug, Backdrop::White) }.draw();
    let bitten = studio_matte(&drawn.picture);
    let outcome = cut_out(&drawn.picture, Some(&drawn.network(NETWORK_SIDE)), &options()).unwrap();
    assert_eq!(outcome.method, Method::NetworkStudio);
    let (before, after) =
        (mae(&bitten.alpha, &drawn.alpha).unwrap(), mae(&outcome.alpha, &drawn.alpha).unwrap());
    assert!(after < 0.4 * before, "{after} after {before}");
}

#[test]
fn a_spot_the_network_doubted_is_whole_and_a_large_window_stays() {
    let drawn = Scene::new(Shape::Ring, Backdrop::Striped).draw();
    let mut network = drawn.network(NETWORK_SIDE);
    let mut spot = Vec::new();
    // A rivet of 200 pixels in the ring, and half of its lower third as if of glass.
    for (index, value) in network.values_mut().iter_mut().enumerate() {
        let (x, y) = ((index % 640) as f32, (index / 640) as f32);
        let radius = (x - 320.0).hypot(y - 320.0);
        if (x - 320.0).hypot(y - 154.0) < 8.0 {
            *value = 90;
            spot.push(index);
        } else if (155.0..178.0).contains(&radius) && y > 400.0 {
            *value = 110;
        }
    }
    let outcome = cut_out(&drawn.picture, Some(&network), &options()).unwrap();
    assert!(spot.iter().all(|&index| outcome.alpha.values()[index] == 255));
    assert!(outcome.alpha.values().iter().filter(|&&value| value == 110).count() > 5000);
}

#[test]
fn a_mask_of_another_size_is_refused() {
    let drawn = Scene { side: 96, ..Scene::new(Shape::Ring, Backdrop::White) }.draw();
    let small = mask(48, vec![0; 48 * 48]);
    let refusal = cut_out(&drawn.picture, Some(&small), &options()).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the mask is `48x48` and the picture `96x96`; resize the mask to the picture first"
    );
}

#[test]
fn any_picture_of_any_size_gives_the_same_valid_result_twice() {
    let mut noise = Noise(11);
    for (width, height) in [(1u32, 1u32), (1, 40), (37, 1), (2, 3), (61, 47), (300, 33)] {
        let count = (width * height) as usize;
        for deep in [false, true] {
            let step = 3 + (noise.next() % 2) as usize;
            let channels = if step == 3 { Channels::Rgb } else { Channels::Rgba };
            let samples: Vec<u16> = (0..count * step).map(|_| noise.next() as u16).collect();
            let samples = match deep {
                true => Samples::U16(samples),
                false => Samples::U8(samples.iter().map(|&s| s as u8).collect()),
            };
            let picture = Bitmap::new(width, height, channels, samples).unwrap();
            let network = Mask::new(width, height, (0..count).map(|_| noise.next() as u8).collect()).unwrap();
            for network in [None, Some(&network)] {
                let first = cut_out(&picture, network, &options()).unwrap();
                assert_eq!(first, cut_out(&picture, network, &options()).unwrap());
                assert!(clear_pixels_are_zero(&first.foreground));
                assert_eq!(first.foreground.depth(), picture.depth());
                assert!((0.0..=1.0).contains(&first.confidence), "{}", first.confidence);
                assert!(!first.residual.is_nan());
            }
        }
    }
}
