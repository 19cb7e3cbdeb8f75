use std::sync::atomic::{AtomicBool, Ordering};

use pixels::{Channels, Samples};
use serde_json::json;

use super::*;
use crate::{Context, StepCache};

fn photo(width: u32, height: u32) -> Frame {
    let samples = (0..width * height * 3).map(|i| (i * 7 % 251) as u8).collect();
    let origin = Frame::unread().origin;
    Frame::new(Bitmap::from_u8(width, height, Channels::Rgb, samples).expect("a size"), origin)
}

fn upscaled(mut frame: Frame, settings: &serde_json::Value) -> Result<Frame, Fault> {
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let settings = crate::settings::read(settings).expect("good settings");
    Upscale::check(&settings).expect("good settings");
    Upscale::run(&mut frame, &settings, &Context::new(&cache, &cancel))?;
    Ok(frame)
}

#[test]
fn the_size_is_by_factor_or_by_side() {
    for (settings, size, fixed) in [
        (json!({}), (120, 80), false),
        (json!({ "factor": 4 }), (240, 160), false),
        (json!({ "width": 90 }), (90, 60), true),
        (json!({ "width": 90, "height": 50 }), (75, 50), true),
        (json!({ "height": 30 }), (60, 40), true),
    ] {
        let frame = upscaled(photo(60, 40), &settings).expect("a picture");
        assert_eq!((frame.width, frame.height, frame.fixed_size), (size.0, size.1, fixed), "{settings}");
        let bitmap = &frame.subject.bitmap;
        assert_eq!((bitmap.width(), bitmap.height()), size);
    }
    let both = json!({ "factor": 2, "width": 90 });
    let text = (crate::catalogue().find("upscale").expect("a component").check)(&both).expect_err("refused");
    assert!(text.ends_with("give one of them"), "{text}");
}

#[test]
fn a_limit_holds_or_refuses() {
    let settings = json!({ "factor": 4, "maximumMegapixels": 1 });
    let frame = upscaled(photo(600, 400), &settings).expect("a picture");
    assert_eq!((frame.width, frame.height), (1224, 816));
    assert!(frame.remarks[0].notes[0].contains("instead of 2400 × 1600"));
    let settings = json!({ "factor": 4, "maximumMegapixels": 1, "refuseIfWouldExceed": true });
    assert_eq!(upscaled(photo(600, 400), &settings).expect_err("refused").code, "result_too_large");
    // What is too large already stays.
    let settings = json!({ "factor": 2, "maximumMegapixels": 1 });
    let frame = upscaled(photo(1200, 900), &settings).expect("a picture");
    assert_eq!((frame.width, frame.height), (1200, 900));
}

#[test]
fn without_the_network_the_resampler_stands_in_and_says_so() {
    let settings = json!({ "method": "network" });
    let frame = upscaled(photo(30, 20), &settings).expect("a picture");
    let model = frame.remarks[0].model.as_ref().expect("a model");
    assert_eq!(model.id, "lanczos3");
    assert!(model.fallback.as_ref().expect("a reason").contains("networks are switched off"));
    let plain = upscaled(photo(30, 20), &json!({})).expect("a picture");
    assert_eq!(frame.subject.bitmap, plain.subject.bitmap);

    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let mut context = Context::new(&cache, &cancel);
    context.strict_models = true;
    let settings = crate::settings::read(&settings).expect("good settings");
    let fault = Upscale::run(&mut photo(30, 20), &settings, &context).expect_err("strict");
    assert_eq!(fault.code, "model_unavailable");
}

#[test]
fn sharpening_makes_edges_steeper_and_cancelling_stops_it() {
    let steepest = |frame: &Frame| {
        let Samples::U8(samples) = frame.subject.bitmap.samples() else { panic!("8 bit") };
        let row = &samples[..frame.width as usize * 3];
        row.windows(4).map(|w| (i32::from(w[3]) - i32::from(w[0])).abs()).max()
    };
    let samples = (0..40 * 30).flat_map(|i| [if i % 40 < 20 { 60u8 } else { 190 }; 3]).collect();
    let edge =
        Frame::new(Bitmap::from_u8(40, 30, Channels::Rgb, samples).expect("a size"), Frame::unread().origin);
    let soft = upscaled(edge.clone(), &json!({ "factor": 4 })).expect("a picture");
    let crisp = upscaled(edge.clone(), &json!({ "factor": 4, "sharpening": 100 })).expect("a picture");
    assert!(steepest(&crisp) > steepest(&soft));

    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    cancel.store(true, Ordering::Relaxed);
    let settings = Settings { sharpening: Number::new(50.0), ..Settings::default() };
    let fault =
        Upscale::run(&mut edge.clone(), &settings, &Context::new(&cache, &cancel)).expect_err("stopped");
    assert_eq!(fault.code, "cancelled");
}
