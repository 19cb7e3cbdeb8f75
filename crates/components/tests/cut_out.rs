//! What must hold of every cut-out, whatever was marked.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use components::{Context, Fault, Images, Input, Product, StepCache, catalogue, process};
use domain::image::{ContentHash, FileName};
use domain::workflow::Step;
use pixels::{Bitmap, EncodeOptions, Encoding, Samples};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::golden::recorded;
use crate::scene;

fn png(bitmap: &Bitmap) -> Vec<u8> {
    pixels::encode(bitmap, &EncodeOptions::new(Encoding::png())).expect("a PNG")
}

fn cut(picture: &Bitmap, settings: Value) -> Result<Product, Fault> {
    cut_with(picture, settings, Images::default())
}

fn cut_with(picture: &Bitmap, settings: Value, images: Images) -> Result<Product, Fault> {
    let step = |kind: &str, settings: Value| Step { kind: kind.to_owned(), label: kind.to_owned(), settings };
    let steps = [step("input", json!({})), step("removeBackground", settings), step("export", json!({}))];
    let steps = catalogue().check(&steps).expect("good steps");
    let (cache, cancel, name) = (StepCache::none(), AtomicBool::new(false), FileName::clean("in.png"));
    let mut context = Context::new(&cache, &cancel);
    context.runtime = Some(recorded());
    context.images = Arc::new(images);
    let bytes = png(picture);
    process(&context, &Input { bytes: &bytes, hash: ContentHash([0; 32]), name: &name }, &steps)
}

fn decoded(bytes: &[u8]) -> Bitmap {
    pixels::decode(bytes, &pixels::DecodeOptions::default()).expect("a picture").bitmap
}

fn result(product: &Product) -> Bitmap {
    decoded(&product.file.bytes).into_rgba()
}

fn levels(bitmap: &Bitmap) -> &[u8] {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bit") };
    samples
}

fn clear_is_black(bitmap: &Bitmap) -> bool {
    levels(bitmap).chunks(4).all(|pixel| pixel[3] != 0 || pixel[..3] == [0; 3])
}

fn dab(x: f64, y: f64) -> Value {
    json!([{ "points": [{ "x": x, "y": y }], "width": 0.05 }])
}

/// Pixels well inside a dab on a picture of 200 by 180.
fn under((x, y): (f64, f64)) -> impl Iterator<Item = usize> {
    let (x, y) = (x * 200.0, y * 180.0);
    (0..200 * 180)
        .filter(move |at| (f64::from(at % 200) + 0.5 - x).hypot(f64::from(at / 200) + 0.5 - y) < 4.9)
        .map(|at| at as usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_is_marked_is_obeyed_to_the_pixel(
        keep in (0.05f64..0.95, 0.05f64..0.95), remove in (0.05f64..0.95, 0.05f64..0.95), hard in any::<bool>(),
    ) {
        prop_assume!((keep.0 - remove.0).hypot(keep.1 - remove.1) > 0.08);
        let edges = if hard { "hard" } else { "auto" };
        let settings = json!({
            "mode": "studio", "edges": edges, "keepStrokes": dab(keep.0, keep.1), "removeStrokes": dab(remove.0, remove.1),
        });
        let product = cut(&scene::cup_on_backdrop(), settings.clone()).expect("a result");
        let bitmap = result(&product);
        let alpha = |at: usize| levels(&bitmap)[at * 4 + 3];
        prop_assert!(under(keep).all(|at| alpha(at) == 255));
        prop_assert!(under(remove).all(|at| alpha(at) == 0));
        prop_assert!(clear_is_black(&bitmap));
        let again = cut(&scene::cup_on_backdrop(), settings).expect("a result");
        prop_assert!(again.file.bytes == product.file.bytes);
    }

    #[test]
    fn nothing_is_left_outside_of_a_box(x in 0.0f64..0.4, y in 0.0f64..0.4, side in 0.3f64..0.6) {
        let settings = json!({ "mode": "studio", "boxes": [{ "x": x, "y": y, "width": side, "height": side }] });
        let bitmap = result(&cut(&scene::cup_on_backdrop(), settings).expect("a result"));
        for (at, pixel) in levels(&bitmap).chunks(4).enumerate() {
            let (column, row) = ((at % 200) as f64 + 0.5, (at / 200) as f64 + 0.5);
            let inside = (x * 200.0..(x + side) * 200.0).contains(&column) && (y * 180.0..(y + side) * 180.0).contains(&row);
            prop_assert!(inside || pixel == [0; 4], "{} {}", column, row);
        }
    }
}

#[test]
fn what_is_cut_out_stays_as_it_is() {
    let first = cut(&scene::cup_on_backdrop(), json!({ "mode": "studio" })).expect("a result");
    for mode in ["auto", "product", "clothingAndModel", "existingAlpha"] {
        let again = cut(&result(&first), json!({ "mode": mode })).expect("a result");
        assert!(result(&again) == result(&first), "{mode}");
        assert_eq!(again.reports[1].confidence, Some(1.0));
    }
    let largest = json!({ "mode": "existingAlpha", "keep": "largest" });
    let once = cut(&result(&first), largest.clone()).expect("a result");
    assert!(result(&once) != result(&first), "the ball went");
    assert!(result(&cut(&result(&once), largest).expect("a result")) == result(&once));
    assert!(clear_is_black(&result(&once)));
}

#[test]
fn the_mask_is_the_alpha_alone_or_beside_the_cut_out() {
    let picture = scene::cup_on_backdrop();
    let plain = result(&cut(&picture, json!({ "mode": "studio" })).expect("a result"));
    let mask =
        decoded(&cut(&picture, json!({ "mode": "studio", "output": "mask" })).expect("a result").file.bytes);
    let both = cut(&picture, json!({ "mode": "studio", "output": "both" })).expect("a result");
    assert!(result(&both) == plain);
    let beside = &both.more["mask"];
    assert_eq!((beside.media_type, beside.name.as_str()), ("image/png", "in_mask.png"));
    let beside = decoded(&beside.bytes).into_rgba();
    let alone = mask.into_rgba();
    for (at, pixel) in levels(&plain).chunks(4).enumerate() {
        let grey = [pixel[3], pixel[3], pixel[3], 255];
        assert_eq!(levels(&alone)[at * 4..][..4], grey);
        assert_eq!(levels(&beside)[at * 4..][..4], grey);
    }
}

#[test]
fn clothing_without_marks_and_next_to_nothing_are_refused_with_the_way_out() {
    let fault = cut(&scene::desk(), json!({ "mode": "clothing" })).expect_err("refused");
    assert_eq!(fault.code, "marks_needed");
    assert!(fault.message.contains("`removeStrokes`") && fault.message.contains("`clothingAndModel`"));
    let missing = json!({ "mask": ContentHash([7; 32]).to_string() });
    assert_eq!(cut(&scene::desk(), missing).expect_err("refused").code, "image_not_found");
}

#[test]
fn a_mask_that_says_everything_is_the_result() {
    let (picture, mask) = (scene::desk(), scene::desk_mask());
    let hash = ContentHash([3; 32]);
    let black = |level: u8| if level < 128 { 0 } else { 255 };
    let sharp = levels(&mask).iter().map(|level| black(*level)).collect();
    let sharp = Bitmap::from_u8(300, 270, pixels::Channels::Rgb, sharp).expect("300 by 270");
    let images = Images::from([(hash, png(&sharp))]);
    let settings = json!({ "mode": "studio", "mask": hash.to_string() });
    let bitmap = result(&cut_with(&picture, settings, images).expect("a result"));
    for (pixel, wanted) in levels(&bitmap).chunks(4).zip(levels(&sharp).chunks(3)) {
        assert_eq!(pixel[3], wanted[0]);
    }
    assert!(clear_is_black(&bitmap));
}
