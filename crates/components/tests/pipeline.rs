//! What must hold for every picture and every order of steps.

use std::sync::atomic::AtomicBool;

use components::{
    CacheLimits, Context, DiskTier, Fault, Images, Input, Product, StepCache, Toolbox, catalogue, process,
    starters,
};
use domain::image::{ContentHash, FileName, Image};
use domain::workflow::Step;
use pixels::{Bitmap, Channels, EncodeOptions, Encoding, Samples};
use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::golden::recorded;
use crate::scene;

fn png(bitmap: &Bitmap) -> Vec<u8> {
    pixels::encode(bitmap, &EncodeOptions::new(Encoding::png())).expect("a PNG")
}

fn steps(list: &[(&str, Value)]) -> Vec<Step> {
    let steps: Vec<Step> = list
        .iter()
        .map(|(kind, settings)| Step {
            kind: (*kind).to_owned(),
            label: (*kind).to_owned(),
            settings: settings.clone(),
        })
        .collect();
    catalogue().check(&steps).expect("good steps")
}

fn run_with(cache: &StepCache, bytes: &[u8], name: &str, steps: &[Step]) -> Result<Product, Fault> {
    let cancel = AtomicBool::new(false);
    let mut context = Context::new(cache, &cancel);
    context.runtime = Some(recorded());
    let name = FileName::clean(name);
    let input = Input { bytes, hash: ContentHash(Sha256::digest(bytes).into()), name: &name };
    process(&context, &input, steps)
}

fn run(bytes: &[u8], list: &[(&str, Value)]) -> Product {
    run_with(&StepCache::none(), bytes, "in.png", &steps(list)).unwrap_or_else(|fault| panic!("{fault:?}"))
}

fn decoded(product: &Product) -> Bitmap {
    let bitmap =
        pixels::decode(&product.file.bytes, &pixels::DecodeOptions::default()).expect("a picture").bitmap;
    assert_eq!((bitmap.width(), bitmap.height()), (product.file.width, product.file.height));
    bitmap
}

fn levels(bitmap: &Bitmap) -> &[u8] {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bit") };
    samples
}

fn cut_out() -> (&'static str, Value) {
    ("removeBackground", json!({ "mode": "studio" }))
}

#[test]
fn what_is_transparent_has_no_colour() {
    for format in ["PNG", "TIFF", "WEBP"] {
        for picture in [scene::cup_cut_out(), scene::cup_on_backdrop()] {
            let export = json!({ "targetFormat": format, "lossless": true });
            let product =
                run(&png(&picture), &[("input", json!({})), cut_out_if_opaque(&picture), ("export", export)]);
            let result = decoded(&product);
            assert_eq!(result.channels(), Channels::Rgba);
            let clear: Vec<_> = levels(&result).chunks(4).filter(|pixel| pixel[3] == 0).collect();
            assert!(clear.len() > 1000 && clear.iter().all(|pixel| pixel[..3] == [0, 0, 0]), "{format}");
        }
    }
}

fn cut_out_if_opaque(picture: &Bitmap) -> (&'static str, Value) {
    if picture.channels() == Channels::Rgb { cut_out() } else { ("removeBackground", json!({})) }
}

#[test]
fn the_same_work_gives_the_same_bytes() {
    let bytes = png(&scene::cup_on_backdrop());
    for format in ["PNG", "JPEG", "WEBP", "TIFF"] {
        let list = [
            ("input", json!({})),
            cut_out(),
            ("setOnCanvas", json!({ "width": 150, "height": 150 })),
            ("dropShadow", json!({ "type": "contact" })),
            ("export", json!({ "targetFormat": format })),
        ];
        assert_eq!(run(&bytes, &list).file.bytes, run(&bytes, &list).file.bytes, "{format}");
    }
}

#[test]
fn white_stays_white_away_from_the_edge() {
    let bytes = png(&scene::cup_cut_out());
    for (subsampling, band) in [("4:4:4", 12u32), ("4:2:0", 24)] {
        for quality in [40, 75, 92] {
            let list = [
                ("input", json!({})),
                ("setOnCanvas", json!({ "width": 320, "height": 320, "marginLeft": 90, "marginRight": 90 })),
                ("fillBackground", json!({ "color": "#FFFFFF" })),
                ("export", json!({ "targetFormat": "JPEG", "quality": quality, "subsampling": subsampling })),
            ];
            let result = decoded(&run(&bytes, &list));
            let mut white = 0;
            for (i, pixel) in levels(&result).chunks(3).enumerate() {
                let (x, y) = (i as u32 % 320, i as u32 / 320);
                // The cup lies in the middle: what is farther from its box than the band is background.
                if !(90 - band..230 + band).contains(&x) || !(90 - band..230 + band).contains(&y) {
                    assert_eq!(pixel, [255; 3], "{x}, {y} at quality {quality}, {subsampling}");
                    white += 1;
                }
            }
            assert!(white > 20_000);
        }
    }
}

#[test]
fn a_plain_export_keeps_every_pixel() {
    for picture in [scene::patches(), scene::cup_cut_out(), scene::deep_ramp(), scene::cup_deep()] {
        let mode = if picture.channels() == Channels::Rgb { "RGB" } else { "RGBA" };
        for format in ["PNG", "TIFF"] {
            let export = json!({ "targetFormat": format, "targetMode": mode });
            let result = decoded(&run(&png(&picture), &[("input", json!({})), ("export", export)]));
            assert_eq!((result.depth(), result.channels()), (picture.depth(), picture.channels()));
            if picture.channels() == Channels::Rgb {
                assert!(result == picture, "{format}");
            }
        }
    }
    let export = json!({ "targetMode": "RGB", "depth": "16" });
    let deep = decoded(&run(&png(&scene::patches()), &[("input", json!({})), ("export", export)]));
    assert!(deep.depth() == 16 && deep.into_u8() == scene::patches());
}

#[test]
fn a_file_can_be_held_to_a_size() {
    let bytes = png(&scene::patches());
    let export = |settings: Value| run(&bytes, &[("input", json!({})), ("export", settings)]);
    let free = export(json!({ "targetFormat": "JPEG", "quality": 95 }));
    let held = export(json!({ "targetFormat": "JPEG", "quality": 95, "maxFileSize": 8_000 }));
    assert!(free.file.bytes.len() > 8_000 && held.file.bytes.len() <= 8_000);
    let notes = &held.reports[1].notes;
    assert!(notes[0].starts_with("written at quality "), "{notes:?}");
    let list =
        steps(&[("input", json!({})), ("export", json!({ "targetFormat": "JPEG", "maxFileSize": 1_000 }))]);
    let fault = run_with(&StepCache::none(), &bytes, "in.png", &list).expect_err("too small");
    assert_eq!(fault.code, "result_too_large");
}

#[test]
fn bad_input_is_refused_with_a_code_that_never_changes() {
    let export = steps(&[("input", json!({})), ("export", json!({}))]);
    let whole = png(&scene::patches());
    let code = |bytes: &[u8], steps: &[Step]| {
        let fault = run_with(&StepCache::none(), bytes, "in.png", steps).expect_err("refused");
        assert_eq!(fault.kind, domain::run::Fault::Input, "{fault:?}");
        fault.code
    };
    assert_eq!(code(b"", &export), "image_unreadable");
    assert_eq!(code(b"just a text", &export), "image_unreadable");
    assert_eq!(code(&whole[..whole.len() / 2], &export), "image_unreadable");
    assert_eq!(code(b"GIF89a\x01\0\x01\0", &export), "image_unsupported");
    let mut huge = whole.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0x75, 0x30, 0, 0, 0x75, 0x30]);
    let code_of_huge = code(&huge, &export);
    assert!(["image_too_large", "image_unreadable"].contains(&code_of_huge), "{code_of_huge}");
    let empty = Bitmap::from_u8(64, 64, Channels::Rgba, vec![0; 64 * 64 * 4]).expect("64 by 64");
    for step in [("removeBackground", json!({})), ("crop", json!({})), ("setOnCanvas", json!({}))] {
        let list = steps(&[("input", json!({})), step, ("export", json!({}))]);
        assert_eq!(code(&png(&empty), &list), "no_subject");
    }
    let plain = Bitmap::from_u8(64, 64, Channels::Rgb, vec![240; 64 * 64 * 3]).expect("64 by 64");
    let list = steps(&[("input", json!({})), cut_out(), ("export", json!({}))]);
    assert_eq!(code(&png(&plain), &list), "no_subject");
    let existing = ("removeBackground", json!({ "mode": "existingAlpha" }));
    let list = steps(&[("input", json!({})), existing, ("export", json!({}))]);
    assert_eq!(code(&png(&plain), &list), "no_transparency");
}

#[test]
fn a_missing_network_is_said_or_refused_as_asked() {
    let bytes = png(&scene::cup_on_backdrop());
    let list = steps(&[("input", json!({})), ("removeBackground", json!({})), ("export", json!({}))]);
    let (cache, cancel, name) = (StepCache::none(), AtomicBool::new(false), FileName::clean("in.png"));
    let input = Input { bytes: &bytes, hash: ContentHash([1; 32]), name: &name };
    let mut context = Context::new(&cache, &cancel);
    let product = process(&context, &input, &list).expect("the studio matte works alone");
    let model = product.reports[1].model.as_ref().expect("it says what made it");
    assert_eq!((model.id.as_str(), model.backend.as_str()), ("studio", "built-in"));
    assert!(model.fallback.as_ref().is_some_and(|why| why.contains("no network is available")), "{model:?}");
    context.strict_models = true;
    let fault = process(&context, &input, &list).expect_err("refused");
    assert_eq!((fault.code, fault.kind), ("model_unavailable", domain::run::Fault::Ours));
}

#[test]
fn work_that_nobody_waits_for_stops() {
    let (cache, cancel, name) = (StepCache::none(), AtomicBool::new(true), FileName::clean("in.png"));
    let bytes = png(&scene::patches());
    let input = Input { bytes: &bytes, hash: ContentHash([1; 32]), name: &name };
    let list = steps(&[("input", json!({})), ("export", json!({}))]);
    let fault = process(&Context::new(&cache, &cancel), &input, &list).expect_err("stopped");
    assert_eq!(fault.code, "cancelled");
}

#[test]
fn names_follow_the_input_also_from_the_cache() {
    let cache = StepCache::new(CacheLimits { memory_bytes: 1 << 24, disk: None }).expect("a cache");
    let bytes = png(&scene::patches());
    let list = steps(&[
        ("input", json!({})),
        ("editFilename", json!({ "pattern": "{name}-{width}" })),
        ("export", json!({ "targetFormat": "JPEG" })),
    ]);
    let first = run_with(&cache, &bytes, "a.png", &list).expect("a result");
    let second = run_with(&cache, &bytes, "b b.png", &list).expect("a result");
    assert_eq!((first.file.name.as_str(), second.file.name.as_str()), ("a-160.jpg", "b b-160.jpg"));
    assert!(second.reports.iter().all(|report| report.cached && report.millis == 0.0));
    assert_eq!(first.file.bytes, second.file.bytes);
}

#[test]
fn a_changed_last_step_never_recomputes_the_first() {
    let folder = tempfile::tempdir().expect("a folder");
    let disk = || Some(DiskTier { folder: folder.path().to_owned(), bytes: 1 << 24 });
    let cache = StepCache::new(CacheLimits { memory_bytes: 1 << 26, disk: disk() }).expect("a cache");
    let bytes = png(&scene::cup_on_backdrop());
    let with = |shadow: Value, export: Value| {
        let canvas = ("setOnCanvas", json!({ "width": 200, "height": 200 }));
        steps(&[("input", json!({})), cut_out(), canvas, ("dropShadow", shadow), ("export", export)])
    };
    let cached = |cache: &StepCache, list: &[Step]| -> Vec<bool> {
        let product = run_with(cache, &bytes, "in.png", list).expect("a result");
        assert_eq!(
            product.file.bytes,
            run_with(&StepCache::none(), &bytes, "in.png", list).expect("a result").file.bytes
        );
        assert!(product.reports[1].model.is_some(), "what a step said is kept with it");
        product.reports.iter().map(|report| report.cached).collect()
    };
    assert_eq!(cached(&cache, &with(json!({}), json!({}))), [false; 5]);
    assert_eq!(cached(&cache, &with(json!({}), json!({}))), [true; 5]);
    assert_eq!(
        cached(&cache, &with(json!({}), json!({ "targetFormat": "JPEG" }))),
        [true, true, true, true, false]
    );
    assert_eq!(cached(&cache, &with(json!({ "opacity": 9 }), json!({}))), [true, true, true, false, false]);
    // After a restart the dear step is still there, and what came before it need not be.
    let restarted = StepCache::new(CacheLimits { memory_bytes: 0, disk: disk() }).expect("a cache");
    assert_eq!(
        cached(&restarted, &with(json!({ "opacity": 1 }), json!({}))),
        [true, true, false, false, false]
    );
    assert_eq!(restarted.stats().disk_hits, 1);
    assert_eq!(cached(&StepCache::none(), &with(json!({}), json!({}))), [false; 5]);
}

#[test]
fn memory_is_bounded() {
    let cache = StepCache::new(CacheLimits { memory_bytes: 300_000, disk: None }).expect("a cache");
    let bytes = png(&scene::cup_cut_out());
    for opacity in 0..20 {
        let list = steps(&[
            ("input", json!({})),
            ("dropShadow", json!({ "opacity": opacity })),
            ("export", json!({ "targetFormat": "JPEG" })),
        ]);
        run_with(&cache, &bytes, "in.png", &list).expect("a result");
        assert!(cache.stats().memory_bytes <= 300_000);
    }
}

#[test]
fn a_fallback_never_answers_for_the_network() {
    let cache = StepCache::new(CacheLimits { memory_bytes: 1 << 26, disk: None }).expect("a cache");
    let bytes = png(&scene::cup_on_backdrop());
    let list = steps(&[("input", json!({})), ("removeBackground", json!({})), ("export", json!({}))]);
    let (cancel, name) = (AtomicBool::new(false), FileName::clean("in.png"));
    let input = Input { bytes: &bytes, hash: ContentHash(Sha256::digest(&bytes).into()), name: &name };
    let without = process(&Context::new(&cache, &cancel), &input, &list).expect("a result");
    assert_eq!(without.reports[1].model.as_ref().map(|model| model.id.as_str()), Some("studio"));
    let with = run_with(&cache, &bytes, "in.png", &list).expect("a result");
    assert!(!with.reports[1].cached && with.reports[0].cached);
    let model = with.reports[1].model.as_ref().expect("it says what made it");
    assert_eq!(model.backend, "recorded");
    assert!(model.sha256.is_some() && model.fallback.is_none(), "{model:?}");
}

#[test]
fn a_huge_photo_is_read_no_larger_than_the_next_step_needs() {
    let wide = Bitmap::from_u8(2400, 1200, Channels::Rgb, vec![90; 2400 * 1200 * 3]).expect("a size");
    let jpeg = pixels::encode(&wide, &EncodeOptions::new(Encoding::jpeg(90))).expect("a JPEG");
    let canvas = json!({ "width": 300, "height": 300, "reference": "original" });
    let cache = StepCache::new(CacheLimits { memory_bytes: 1 << 28, disk: None }).expect("a cache");
    let list = [("input", json!({})), ("setOnCanvas", canvas), ("export", json!({ "targetFormat": "JPEG" }))];
    let product = run_with(&cache, &jpeg, "in.jpg", &steps(&list)).expect("a result");
    assert_eq!((product.file.width, product.file.height), (300, 300));
    // The frame after `input` would take 8.6 MB at full size.
    assert!(cache.stats().memory_bytes < 4 << 20, "{:?}", cache.stats());
    let whole =
        run_with(&cache, &jpeg, "in.jpg", &steps(&[list[0].clone(), list[2].clone()])).expect("a result");
    assert!(!whole.reports[0].cached, "a picture read small is not taken for the whole one");
    assert_eq!((whole.file.width, whole.file.height), (2400, 1200));
}

#[test]
fn pictures_larger_than_is_worked_on_are_scaled_and_it_is_said() {
    let long = Bitmap::from_u8(5000, 40, Channels::Rgb, vec![7; 5000 * 40 * 3]).expect("a size");
    let product = run(&png(&long), &[("input", json!({})), ("export", json!({ "targetMode": "RGB" }))]);
    assert_eq!((product.file.width, product.file.height), (4096, 33));
    assert_eq!(product.reports[0].notes, ["scaled from 5000 × 40 to 4096 × 33 pixels to be worked on"]);
}

#[test]
fn memory_grows_with_the_picture_up_to_what_is_worked_on() {
    let toolbox = Toolbox::new(None, StepCache::none());
    let image = |width, height| Image {
        hash: ContentHash([0; 32]),
        media_type: "image/jpeg".to_owned(),
        bytes: 1 << 20,
        width,
        height,
    };
    let cut_outs = &starters()[2].steps;
    let needed = |width, height| toolbox.memory_bytes(&image(width, height), cut_outs);
    assert!(needed(1000, 1000) < needed(2000, 2000) && needed(2000, 2000) < needed(4000, 3000));
    assert!(needed(4096, 2731) > 4096 * 2731 * 7 && needed(9000, 6000) < 800 << 20);
    let exported = toolbox.memory_bytes(&image(4000, 3000), &starters()[0].steps);
    assert!(exported < needed(4000, 3000));
    // A shadow that lengthens the canvas, or that is looked for in the photo, is admitted with what it needs.
    let with = |middle: Vec<(&str, Value)>| {
        let list = [vec![("input", json!({}))], middle, vec![("export", json!({}))]].concat();
        toolbox.memory_bytes(&image(4000, 3000), &steps(&list))
    };
    let shadow = |kind: &str| ("dropShadow", json!({ "type": kind }));
    let plain = with(vec![shadow("drop")]);
    assert!(with(vec![shadow("cast")]) > plain + (100 << 20));
    let canvas = || ("setOnCanvas", json!({ "width": 2000, "height": 2000 }));
    let placed = |kind: &str| with(vec![canvas(), shadow(kind)]);
    assert!(placed("natural") > placed("drop") + (40 << 20));
    assert!(placed("cast") < with(vec![shadow("cast")]), "a canvas of a given size stays");
    let fill = |settings: Value| with(vec![("fillBackground", settings)]);
    assert!(fill(json!({ "type": "cleanUp" })) > fill(json!({})) + (100 << 20));
}

fn any_step() -> impl Strategy<Value = (&'static str, Value)> {
    prop_oneof![
        Just(cut_out()),
        Just(("removeBackground", json!({ "mode": "studio", "crop": true }))),
        (0u32..60, prop::option::of(prop_oneof![Just("1:1"), Just("3:20"), Just("16:9")]))
            .prop_map(|(padding, ratio)| ("crop", json!({ "padding": padding, "ratio": ratio }))),
        (1u32..260, 1u32..260, 0u32..40, any::<bool>(), 0usize..3, any::<bool>()).prop_map(
            |(width, height, margin, upscale, fit, subject)| {
                let percent = format!("{margin}%");
                let fit = ["contain", "cover", "none"][fit];
                let settings = json!({
                    "width": width, "height": height, "marginTop": percent, "marginLeft": percent,
                    "marginRight": 0, "marginBottom": 0, "upscale": upscale,
                    "fit": fit,
                    "reference": if subject { "subject" } else { "original" },
                });
                ("setOnCanvas", settings)
            }
        ),
        (0usize..6, 0u32..360, 0u32..50, 0u32..25).prop_map(|(kind, angle, distance, blur)| {
            let kind = ["drop", "contact", "cast", "reflection", "floating", "natural"][kind];
            let (distance, blur) = (format!("{distance}%"), format!("{blur}%"));
            ("dropShadow", json!({ "type": kind, "angle": angle, "distance": distance, "blur": blur }))
        }),
        Just(("fillBackground", json!({ "color": "#EEDDCC" }))),
        Just(("fillBackground", json!({ "color": "transparent" }))),
        Just(("fillBackground", json!({ "type": "radial" }))),
        Just(("fillBackground", json!({ "type": "cleanUp" }))),
        Just(("rotate", json!({ "angle": 33, "expand": "keep" }))),
        Just(("editFilename", json!({ "prefix": "x" }))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 160, ..ProptestConfig::default() })]

    /// Steps in any order give a picture of the promised size or a refusal that is the picture's or settings' fault.
    #[test]
    fn any_order_of_steps_gives_a_picture_or_a_reason(
        middle in prop::collection::vec(any_step(), 0..6),
        format in prop_oneof![Just("PNG"), Just("JPEG")],
        which in 0usize..4,
    ) {
        let picture = match which {
            0 => scene::cup_cut_out(),
            1 => scene::patches(),
            2 => scene::cup_deep(),
            _ => scene::cup_on_backdrop(),
        };
        let canvas = middle.iter().rev().find(|(kind, _)| ["setOnCanvas", "crop", "removeBackground"].contains(kind));
        let mut list = vec![("input", json!({}))];
        list.extend(middle.clone());
        list.push(("export", json!({ "targetFormat": format })));
        let checked: Vec<Step> = list.iter()
            .map(|(kind, settings)| Step { kind: (*kind).into(), label: (*kind).into(), settings: settings.clone() })
            .collect();
        // Margins may leave no room on a canvas of one pixel.
        if let Ok(checked) = catalogue().check(&checked) {
            match run_with(&StepCache::none(), &png(&picture), "in.png", &checked) {
                Ok(product) => {
                    let result = decoded(&product);
                    prop_assert_eq!(format == "JPEG", result.channels() == Channels::Rgb);
                    if let Some(("setOnCanvas", settings)) = canvas {
                        prop_assert_eq!(&json!(product.file.width), &settings["width"]);
                        prop_assert_eq!(&json!(product.file.height), &settings["height"]);
                    }
                }
                Err(fault) => prop_assert_eq!(fault.kind, domain::run::Fault::Input, "{:?}", fault),
            }
        }
    }
}

/// One by one before the joining step, together from there on; remembered like anything else, and not mixed up.
#[test]
fn pictures_that_go_together_are_done_one_by_one_until_they_are_joined() {
    let cache = StepCache::new(CacheLimits { memory_bytes: 64 << 20, disk: None }).expect("a cache");
    let cancel = AtomicBool::new(false);
    let mut context = Context::new(&cache, &cancel);
    context.runtime = Some(recorded());
    let (cup, stool) = (png(&scene::cup_on_backdrop()), png(&scene::stool_cut_out()));
    let (first, second) = (FileName::clean("123_front.png"), FileName::clean("123_back.png"));
    let list = [cut_out(), ("crop", json!({})), ("combine", json!({ "gap": 10 })), ("export", json!({}))];
    let with_input: Vec<_> = std::iter::once(("input", json!({}))).chain(list).collect();
    let steps = steps(&with_input);
    let input = |bytes, number, name| Input { bytes, hash: ContentHash([number; 32]), name };
    let both = [input(cup.as_slice(), 1, &first), input(stool.as_slice(), 2, &second)];
    let together = components::process_together(&context, &both, &steps).expect("joined");
    assert_eq!(together.file.name.as_str(), "123_front.png");
    let alone = |input: &Input<'_>| process(&context, input, &steps).expect("alone");
    let (left, right) = (alone(&both[0]), alone(&both[1]));
    assert_eq!(together.file.height, left.file.height);
    let scaled = f64::from(right.file.width) * f64::from(left.file.height) / f64::from(right.file.height);
    assert_eq!(together.file.width, left.file.width + 10 + scaled.round() as u32);
    assert!(alone(&both[0]).reports.iter().all(|report| report.cached), "remembered");
    let again = components::process_together(&context, &both, &steps).expect("joined");
    assert_eq!(
        (&again.file.bytes, again.reports.iter().all(|report| report.cached)),
        (&together.file.bytes, true)
    );
    let swapped = components::process_together(&context, &[both[1], both[0]], &steps).expect("joined");
    assert_ne!(swapped.file.bytes, together.file.bytes);
    let without = catalogue().check(&[steps[0].clone(), steps[4].clone()]).expect("good steps");
    let fault = components::process_together(&context, &both, &without).expect_err("takes one");
    assert!(fault.message.contains("combine"), "{}", fault.message);
}

/// How fast a result is there again must not tell that somebody else has the picture.
#[test]
fn results_are_remembered_for_each_owner_apart() {
    let cache = StepCache::new(CacheLimits { memory_bytes: 64 << 20, disk: None }).expect("a cache");
    let toolbox = Toolbox::new(None, cache);
    let bytes = png(&scene::cup_on_backdrop());
    let name = FileName::clean("cup.png");
    let input = Input { bytes: &bytes, hash: ContentHash([1; 32]), name: &name };
    let steps = steps(&[("input", json!({})), cut_out(), ("export", json!({}))]);
    let cached = |owner| {
        let product = toolbox
            .process_together(owner, &[input], Images::default(), &steps, &AtomicBool::new(false))
            .expect("done");
        product.reports.iter().filter(|report| report.cached).count()
    };
    assert_eq!(cached(1), 0);
    assert_eq!(cached(1), 3);
    assert_eq!(cached(2), 0);
}
