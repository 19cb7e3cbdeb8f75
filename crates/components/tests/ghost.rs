//! A garment loses its mannequin and gets the inside of its back.

use std::sync::atomic::AtomicBool;

use components::{Context, Fault, Input, Product, StepCache, catalogue, process_together};
use domain::image::{ContentHash, FileName};
use domain::workflow::Step;
use pixels::{Bitmap, EncodeOptions, Encoding, Samples};
use serde_json::{Value, json};

use crate::scene;

fn made(settings: Value, pictures: &[Bitmap]) -> Result<Product, Fault> {
    let step = |kind: &str, settings: Value| Step { kind: kind.to_owned(), label: kind.to_owned(), settings };
    let steps = [
        step("input", json!({})),
        step("ghostMannequin", settings),
        step("export", json!({ "targetFormat": "PNG" })),
    ];
    let steps = catalogue().check(&steps).expect("good steps");
    let files: Vec<Vec<u8>> = pictures
        .iter()
        .map(|bitmap| pixels::encode(bitmap, &EncodeOptions::new(Encoding::png())).expect("a PNG"))
        .collect();
    let name = FileName::clean("shirt.png");
    let inputs: Vec<Input<'_>> = (0u8..)
        .zip(&files)
        .map(|(number, bytes)| Input { bytes, hash: ContentHash([number; 32]), name: &name })
        .collect();
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    process_together(&Context::new(&cache, &cancel), &inputs, &steps)
}

fn rgba(product: &Product) -> (Vec<[u8; 4]>, usize) {
    let bitmap =
        pixels::decode(&product.file.bytes, &pixels::DecodeOptions::default()).expect("a PNG").bitmap;
    let width = bitmap.width() as usize;
    let Samples::U8(samples) = bitmap.into_rgba().into_samples() else { panic!("8 bit") };
    (samples.as_chunks::<4>().0.to_vec(), width)
}

fn pixels_of(bitmap: &Bitmap) -> Vec<[u8; 4]> {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bit") };
    samples.as_chunks::<4>().0.to_vec()
}

/// Whether a pixel is mannequin in the front shot: pale where the shirt is blue.
fn is_plastic(pixel: [u8; 4]) -> bool {
    pixel[3] == 255 && pixel[0] > 120
}

fn notes(product: &Product) -> (String, Option<f32>) {
    let report =
        product.reports.iter().find(|report| report.component == "ghostMannequin").expect("a report");
    (report.notes.join("; "), report.confidence)
}

#[test]
fn the_mannequin_goes_and_the_garment_stays_byte_for_byte() {
    let front = scene::shirt_on_mannequin();
    let product = made(json!({}), std::slice::from_ref(&front)).expect("made");
    let (after, width) = rgba(&product);
    let before = pixels_of(&front);
    let (mut plastic, mut left, mut changed) = (0, 0, 0);
    for (at, (old, new)) in before.iter().zip(&after).enumerate() {
        assert!(new[3] > 0 || *new == [0; 4], "{at}");
        plastic += usize::from(is_plastic(*old));
        left += usize::from(is_plastic(*old) && new[3] > 0);
        // Away from the neck by two pixels nothing may be touched.
        let (x, y) = (at % width, at / width);
        let near = (y.saturating_sub(2)..(y + 3).min(200))
            .any(|y| (x.saturating_sub(2)..(x + 3).min(width)).any(|x| is_plastic(before[y * width + x])));
        changed += usize::from(!near && old != new && old[3] == 255 && y > 60);
    }
    assert!(plastic > 600, "{plastic}");
    assert!(left * 200 < plastic, "{left} of {plastic} pixels of the mannequin are left");
    assert_eq!(changed, 0);
    let (text, confidence) = notes(&product);
    assert!(text.contains("the joint is missing"), "{text}");
    assert!(confidence.is_some_and(|value| value < 0.3));
    let fault = made(json!({ "missing": "refuse" }), &[front]).expect_err("refused");
    assert_eq!(fault.code, "joint_missing");
}

#[test]
fn the_inlay_lies_behind_the_neck_wherever_the_camera_stood() {
    let front = scene::shirt_on_mannequin();
    let plain =
        made(json!({ "depth": 0 }), &[front.clone(), scene::shirt_inlay_shot(1.0, 0.0, 0.0)]).expect("made");
    let (expected, width) = rgba(&plain);
    let (_, confidence) = notes(&plain);
    assert!(confidence.is_some_and(|value| value > 0.85), "{:?}", notes(&plain));
    for (scale, dx, dy) in [(1.0, 0.03, -0.02), (1.08, 0.0, 0.02), (0.93, -0.02, 0.0)] {
        let product = made(json!({ "depth": 0 }), &[front.clone(), scene::shirt_inlay_shot(scale, dx, dy)])
            .expect("made");
        let (after, _) = rgba(&product);
        assert_eq!(after.len(), expected.len());
        let apart: f64 = after
            .iter()
            .zip(&expected)
            .map(|(a, b)| (0..4).map(|c| f64::from(a[c].abs_diff(b[c]))).fold(0.0, f64::max))
            .sum::<f64>()
            / after.len() as f64;
        assert!(apart < 0.8, "{scale} {dx} {dy}: {apart}");
        // No hole is left between the collar and the inside of the back.
        let column = (0..expected.len() / width).map(|y| after[y * width + 81][3]).collect::<Vec<_>>();
        let first = column.iter().position(|&alpha| alpha > 250).expect("a collar");
        assert!(column[first..150].iter().all(|&alpha| alpha > 245), "{scale}: {column:?}");
    }
}

#[test]
fn what_does_not_reach_is_said() {
    let front = scene::shirt_on_mannequin();
    let inlay = scene::shirt_inlay_shot(1.0, 0.0, 0.0);
    let away = made(json!({ "offsetX": 60 }), &[front.clone(), inlay.clone()]).expect("made");
    let (text, confidence) = notes(&away);
    assert!(text.contains("covers") && confidence.is_some_and(|value| value < 0.3), "{text}");
    let fault = made(json!({ "offsetX": 60, "missing": "refuse" }), &[front.clone(), inlay.clone()]);
    assert_eq!(fault.expect_err("refused").code, "joint_missing");
    let fault = made(json!({}), &[front.clone(), inlay.clone(), inlay]).expect_err("one too many");
    assert_eq!(fault.code, "workflow_invalid");
    let opaque = Bitmap::from_u8(4, 4, pixels::Channels::Rgb, vec![9; 48]).expect("4 by 4");
    assert_eq!(made(json!({}), &[opaque]).expect_err("not cut out").code, "no_transparency");
}

#[test]
fn the_order_of_parts_is_a_setting_and_the_result_is_always_the_same() {
    let (front, inlay) = (scene::shirt_on_mannequin(), scene::shirt_inlay_shot(1.05, 0.01, 0.0));
    let one = made(json!({}), &[front.clone(), inlay.clone()]).expect("made");
    let again = made(json!({}), &[front.clone(), inlay.clone()]).expect("made");
    let turned = made(json!({ "parts": ["inlay", "front"] }), &[inlay, front]).expect("made");
    assert_eq!(one.file.bytes, again.file.bytes);
    assert_eq!(rgba(&one).0, rgba(&turned).0);
}
