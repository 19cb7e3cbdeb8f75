use std::sync::atomic::AtomicBool;

use pixels::{Bitmap, Channels, Samples};
use serde_json::json;

use super::*;
use crate::StepCache;

const SIDE: u32 = 120;

/// Skin with pores, on the left of blue cloth, with a mole and a red spot.
fn skin_beside_cloth() -> Frame {
    let mut noise = 9u32;
    let samples = (0..SIDE * SIDE)
        .flat_map(|i| {
            let (x, y) = ((i % SIDE) as f32, (i / SIDE) as f32);
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let grain = (noise >> 24) as f32 / 255.0 * 8.0 - 4.0;
            let spot = |cx: f32, cy: f32| (x - cx).hypot(y - cy) < 3.5;
            let rgb = match () {
                () if x >= 80.0 => [40.0, 60.0, 120.0],
                () if spot(30.0, 40.0) => [116.0, 76.0, 60.0],
                () if spot(50.0, 84.0) => [206.0, 112.0, 104.0],
                () => [208.0, 160.0, 138.0].map(|v| v + grain + 4.0 * (x / 5.0).sin()),
            };
            rgb.map(|v| v as u8)
        })
        .collect();
    let bitmap = Bitmap::from_u8(SIDE, SIDE, Channels::Rgb, samples).expect("a square");
    Frame::new(bitmap, Frame::unread().origin)
}

fn retouched(settings: serde_json::Value) -> Result<Frame, Fault> {
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let context = Context::new(&cache, &cancel);
    let settings: Settings = serde_json::from_value(settings).expect("settings");
    let mut frame = skin_beside_cloth();
    SkinRetouch::run(&mut frame, &settings, &context)?;
    Ok(frame)
}

/// Everything left of the cloth, but for a strip on the left.
fn marked(mut more: serde_json::Value) -> serde_json::Value {
    // What is marked is taken for as large as a face, and the spots are large on it.
    more["spotSize"] = json!(12);
    more["marked"] = json!({ "boxes": [{ "x": 0.1, "y": 0.0, "width": 0.5, "height": 1.0 }] });
    more
}

fn samples(frame: &Frame) -> &[u8] {
    let Samples::U8(samples) = frame.subject.bitmap.samples() else { panic!("8 bits") };
    samples
}

fn pixel(frame: &Frame, x: u32, y: u32) -> [u8; 3] {
    let at = (y * SIDE + x) as usize * 3;
    [samples(frame)[at], samples(frame)[at + 1], samples(frame)[at + 2]]
}

#[test]
fn nothing_outside_of_the_marked_skin_changes() {
    let before = skin_beside_cloth();
    let after = retouched(marked(json!({ "strength": 100, "moles": "remove" }))).expect("retouched");
    assert_ne!(before.subject, after.subject);
    for (x, y) in (0..SIDE * SIDE).map(|i| (i % SIDE, i / SIDE)) {
        if !(12..72).contains(&x) {
            assert_eq!(pixel(&after, x, y), pixel(&before, x, y), "{x} {y}");
        }
    }
    assert_eq!(retouched(marked(json!({ "strength": 100, "moles": "remove" }))).expect("retouched"), after);
}

#[test]
fn moles_stay_as_they_are_unless_they_are_to_go() {
    let before = skin_beside_cloth();
    let kept = retouched(marked(json!({ "strength": 100 }))).expect("retouched");
    assert_eq!(pixel(&kept, 30, 40), pixel(&before, 30, 40));
    assert!(pixel(&kept, 50, 84)[1] > 140, "the red spot is gone: {:?}", pixel(&kept, 50, 84));
    assert_eq!(kept.remarks[0].notes, ["took off 1 blemish"]);
    assert_eq!(kept.remarks[0].confidence, Some(1.0));
    let gone = retouched(marked(json!({ "moles": "remove", "blemishes": 0 }))).expect("retouched");
    assert!(pixel(&gone, 30, 40)[1] > 140, "{:?}", pixel(&gone, 30, 40));
    assert!(pixel(&gone, 50, 84)[1] < 130, "the red spot stays: {:?}", pixel(&gone, 50, 84));
    assert_eq!(gone.remarks[0].notes, ["took off 1 mole"]);
}

#[test]
fn what_is_spared_stays_and_the_mask_can_be_seen() {
    let spared = json!({ "boxes": [{ "x": 0.3, "y": 0.5, "width": 0.2, "height": 0.4 }] });
    let before = skin_beside_cloth();
    let after = retouched(marked(json!({ "strength": 100, "spared": spared.clone() }))).expect("retouched");
    for (x, y) in (38..58).flat_map(|x| (62..106).map(move |y| (x, y))) {
        assert_eq!(pixel(&after, x, y), pixel(&before, x, y), "{x} {y}");
    }
    let seen = retouched(marked(json!({ "show": "mask", "spared": spared }))).expect("seen");
    assert!(pixel(&seen, 30, 20)[1] < 90, "dyed: {:?}", pixel(&seen, 30, 20));
    assert_eq!(pixel(&seen, 100, 20), pixel(&before, 100, 20));
    assert_eq!(pixel(&seen, 45, 80), pixel(&before, 45, 80));
}

#[test]
fn without_a_face_nothing_changes_unless_colour_may_decide() {
    let before = skin_beside_cloth();
    let body = retouched(json!({})).expect("nothing to do");
    assert_eq!(body.subject, before.subject);
    assert!(body.remarks[0].notes[0].contains("left as it was"), "{:?}", body.remarks);
    let model = body.remarks[0].model.as_ref().expect("a remark");
    assert_eq!(model.fallback.as_deref().map(|why| why.contains("switched off")), Some(true));
    let all = retouched(json!({ "area": "all" })).expect("retouched");
    assert_ne!(all.subject, before.subject);
    assert_eq!(all.remarks[0].confidence, Some(0.3));
    assert_eq!(pixel(&all, 100, 60), pixel(&before, 100, 60), "cloth");
    let off = retouched(json!({ "strength": 0, "evenTone": 0, "blemishes": 0 })).expect("nothing asked");
    assert_eq!((off.subject, off.remarks.len()), (before.subject, 0));
}

#[test]
fn a_missing_network_is_an_error_where_it_must_be_there() {
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let mut context = Context::new(&cache, &cancel);
    context.strict_models = true;
    let fault = SkinRetouch::run(&mut skin_beside_cloth(), &Settings::default(), &context);
    assert_eq!(fault.expect_err("strict").code, "model_unavailable");
    let flat = serde_json::from_value(
        json!({ "spared": { "boxes": [{ "x": 0, "y": 0, "width": 0, "height": 1 }] } }),
    );
    assert!(SkinRetouch::check(&flat.expect("settings")).expect_err("flat").starts_with("`spared`: box 1"));
}
