//! What `export` writes besides a plain picture: layers, further files, colour spaces, sizes.

use std::sync::atomic::AtomicBool;

use ag_psd::psd::{BlendMode, Layer, Psd, ReadOptions};
use components::{Context, File, Input, Product, StepCache, catalogue, process};
use domain::image::{ContentHash, FileName};
use domain::workflow::Step;
use pixels::{Bitmap, Channels, DecodeOptions, Decoded, EncodeOptions, Encoding, Samples};
use serde_json::{Value, json};

use crate::scene;

fn steps(list: &[(&str, Value)]) -> Vec<Step> {
    list.iter()
        .map(|(kind, settings)| Step {
            kind: (*kind).to_owned(),
            label: (*kind).to_owned(),
            settings: settings.clone(),
        })
        .collect()
}

fn run(picture: &Bitmap, list: &[(&str, Value)]) -> Product {
    let steps = catalogue().check(&steps(list)).expect("good steps");
    let bytes = pixels::encode(picture, &EncodeOptions::new(Encoding::png())).expect("a PNG");
    let (cache, cancel, name) = (StepCache::none(), AtomicBool::new(false), FileName::clean("cup 1.png"));
    let input = Input { bytes: &bytes, hash: ContentHash([1; 32]), name: &name };
    process(&Context::new(&cache, &cancel), &input, &steps).unwrap_or_else(|fault| panic!("{fault:?}"))
}

fn refusal(export: Value) -> String {
    (catalogue().find("export").expect("a component").check)(&export).expect_err("refused")
}

fn decoded(file: &File) -> Decoded {
    pixels::decode(&file.bytes, &DecodeOptions::default()).expect("a picture")
}

fn bytes(bitmap: &Bitmap) -> &[u8] {
    let Samples::U8(samples) = bitmap.samples() else { panic!("8 bit") };
    samples
}

fn psd(file: &File) -> Psd {
    let options = ReadOptions { use_image_data: Some(true), ..ReadOptions::default() };
    ag_psd::read_psd(&file.bytes, &options).expect("a document")
}

/// The steps of a packshot on a coloured canvas with a shadow, before `export`.
fn packshot(export: Value) -> Vec<(&'static str, Value)> {
    vec![
        ("input", json!({})),
        ("removeBackground", json!({ "mode": "studio" })),
        ("setOnCanvas", json!({ "width": 240, "height": 220 })),
        ("dropShadow", json!({ "color": "#202830" })),
        ("fillBackground", json!({ "color": "#E8F0F4" })),
        ("export", export),
    ]
}

fn at(layer: &Layer) -> (i64, i64, i64) {
    let edge = |edge: Option<f64>| edge.expect("an edge") as i64;
    (edge(layer.left), edge(layer.top), edge(layer.right))
}

/// Layers put over each other as a program does that knows only normal and multiply, masks and opacity.
fn composite(psd: &Psd) -> Vec<[f64; 3]> {
    let (width, height) = (psd.width as i64, psd.height as i64);
    let mut canvas = vec![[0.0; 3]; (width * height) as usize];
    for layer in psd.children.iter().flatten().filter(|layer| layer.hidden != Some(true)) {
        let data = &layer.image_data.as_ref().expect("pixels").data;
        let mask =
            layer.additional_info.mask.as_ref().map(|mask| &mask.image_data.as_ref().expect("values").data);
        let (left, top, right) = at(layer);
        for (i, pixel) in data.chunks(4).enumerate() {
            let (x, y) = (left + i as i64 % (right - left), top + i as i64 / (right - left));
            if !(0..width).contains(&x) || !(0..height).contains(&y) {
                continue;
            }
            let shown = mask.map_or(1.0, |mask| f64::from(mask[i * 4]) / 255.0);
            let alpha = f64::from(pixel[3]) / 255.0 * layer.opacity.unwrap_or(1.0) * shown;
            let under = &mut canvas[(y * width + x) as usize];
            for c in 0..3 {
                let own = f64::from(pixel[c]);
                let mixed =
                    if layer.blend_mode == Some(BlendMode::Multiply) { own * under[c] / 255.0 } else { own };
                under[c] += (mixed - under[c]) * alpha;
            }
        }
    }
    canvas
}

#[test]
fn a_photoshop_document_has_every_layer_and_they_make_the_picture() {
    for color in ["#202830", "#000000"] {
        let mut list = packshot(json!({ "targetFormat": "PSD", "clippingPath": true, "dpi": 300 }));
        list[3].1 = json!({ "color": color });
        let product = run(&scene::cup_on_backdrop(), &list);
        assert_eq!(product.file.media_type, "image/vnd.adobe.photoshop");
        assert_eq!(product.file.name.as_str(), "cup 1.psd");
        let psd = psd(&product.file);
        let layers = psd.children.as_ref().expect("layers");
        let names: Vec<&str> = layers.iter().filter_map(|l| l.additional_info.name.as_deref()).collect();
        assert_eq!(names, ["background", "drop shadow", "original", "product"]);
        assert_eq!(layers[2].hidden, Some(true));
        assert!(layers[3].additional_info.mask.is_some());
        let blend = if color == "#000000" { BlendMode::Multiply } else { BlendMode::Normal };
        assert_eq!(layers[1].blend_mode, Some(blend));
        // The original and the product lie over each other.
        assert!(at(&layers[2]).0 <= at(&layers[3]).0 && at(&layers[2]).2 >= at(&layers[3]).2);
        let merged = &psd.image_data.as_ref().expect("the merged picture").data;
        let flat = decoded(
            &run(&scene::cup_on_backdrop(), &{
                let mut list = list.clone();
                list[5].1 = json!({ "targetMode": "RGB" });
                list
            })
            .file,
        )
        .bitmap;
        for (i, (own, mixed)) in merged.chunks(4).zip(composite(&psd)).enumerate() {
            assert_eq!(own[..3], bytes(&flat)[i * 3..i * 3 + 3]);
            for c in 0..3 {
                assert!((f64::from(own[c]) - mixed[c]).abs() <= 2.0, "pixel {i}: {own:?} and {mixed:?}");
            }
        }
        let has = |text: &[u8]| product.file.bytes.windows(text.len()).any(|window| window == text);
        assert!(has(b"8BIM\x07\xd0\x0dClipping path"));
    }
}

#[test]
fn stacked_shadows_and_a_gradient_are_layers_that_make_the_picture() {
    let stops = json!([{ "position": 0, "color": "#FFFFFF" }, { "position": 1, "color": "#C8D0D8" }]);
    let list = |export: Value| {
        let mut list = packshot(export);
        list[3] = ("dropShadow", json!({ "type": "reflection" }));
        list.insert(4, ("dropShadow", json!({ "type": "cast" })));
        list[5].1 = json!({ "type": "linear", "stops": stops });
        list
    };
    let psd = psd(&run(&scene::cup_on_backdrop(), &list(json!({ "targetFormat": "PSD" }))).file);
    let layers = psd.children.as_ref().expect("layers");
    let names: Vec<&str> = layers.iter().filter_map(|l| l.additional_info.name.as_deref()).collect();
    assert_eq!(names, ["background", "reflection", "cast shadow", "original", "product"]);
    let flat = decoded(&run(&scene::cup_on_backdrop(), &list(json!({ "targetMode": "RGB" }))).file).bitmap;
    let merged = &psd.image_data.as_ref().expect("the merged picture").data;
    for (i, (own, mixed)) in merged.chunks(4).zip(composite(&psd)).enumerate() {
        assert_eq!(own[..3], bytes(&flat)[i * 3..i * 3 + 3]);
        for c in 0..3 {
            assert!((f64::from(own[c]) - mixed[c]).abs() <= 2.5, "pixel {i}: {own:?} and {mixed:?}");
        }
    }
}

#[test]
fn what_lies_under_everything_comes_out_as_it_was_asked_for() {
    let stops = json!([{ "position": 0, "color": "#FDF8F1" }, { "position": 1, "color": "#3A4B5C" }]);
    for (fill, first, last) in [
        (json!({ "color": "#F7F3EE" }), [0xF7, 0xF3, 0xEE], [0xF7, 0xF3, 0xEE]),
        (json!({ "type": "linear", "angle": 45, "stops": stops }), [0xFD, 0xF8, 0xF1], [0x3A, 0x4B, 0x5C]),
    ] {
        for (target, depth, off) in
            [("PNG", "auto", 0), ("PNG", "16", 0), ("TIFF", "auto", 0), ("JPEG", "auto", 2)]
        {
            let mut list = packshot(
                json!({ "targetFormat": target, "depth": depth, "targetMode": "RGB", "quality": 96 }),
            );
            list[4].1 = fill.clone();
            let bitmap =
                decoded(&run(&scene::cup_on_backdrop(), &list).file).bitmap.into_u8().without_alpha();
            let samples = bytes(&bitmap);
            let corners = [(&samples[..3], first), (&samples[samples.len() - 3..], last)];
            for (own, asked) in corners {
                let apart = own.iter().zip(asked).map(|(own, asked)| own.abs_diff(asked)).max();
                assert!(apart <= Some(off), "{target} {depth}: {own:?} for {asked:?}");
            }
        }
    }
}

#[test]
fn several_files_come_from_one_execution() {
    let outputs = json!([
        { "name": "web", "targetFormat": "WEBP", "maxWidth": 120, "maxHeight": 120 },
        { "name": "mask", "content": "mask", "targetFormat": "PNG", "fileName": "{original}-alpha" },
        { "name": "cut", "content": "cutout", "targetFormat": "PNG" },
        { "name": "shadow", "content": "shadow", "targetFormat": "PNG" },
        { "name": "before", "content": "original", "targetFormat": "TIFF", "colorProfile": "Adobe RGB" },
        { "name": "small", "targetFormat": "AVIF", "quality": 50, "maxWidth": 4000 },
        { "name": "layers", "targetFormat": "PSD", "maxWidth": 120 },
    ]);
    let settings = json!({ "targetFormat": "JPEG", "quality": 88, "dpi": 300, "maxFileSize": 100_000, "outputs": outputs });
    let product = run(&scene::cup_on_backdrop(), &packshot(settings));
    assert_eq!(product.file.name.as_str(), "cup 1.jpg");
    assert_eq!(product.more.len(), 7);
    let file = |label: &str| &product.more[label];
    let name = |label: &str| file(label).name.as_str();
    assert_eq!(
        (name("web"), name("mask"), name("small")),
        ("cup 1_web.webp", "cup 1-alpha.png", "cup 1_small.avif")
    );
    assert_eq!((file("web").width, file("web").height), (120, 110));
    assert_eq!((file("small").width, file("small").height), (240, 220));
    assert_eq!(file("small").media_type, "image/avif");
    let shown = |label: &str| decoded(file(label)).bitmap;
    assert_eq!((shown("web").width(), shown("web").height()), (120, 110));
    // The mask is the cut-out's alpha, in one channel.
    assert_eq!(decoded(file("mask")).header.channels, pixels::SourceChannels::Gray);
    let cut = shown("cut");
    assert_eq!(cut.channels(), Channels::Rgba);
    let values: Vec<u8> = bytes(&shown("mask")).iter().step_by(3).copied().collect();
    assert_eq!(cut.alpha().values(), values);
    // The shadow is no part of the cut-out, and the product none of the shadow.
    let shadow = shown("shadow");
    assert!(shadow.alpha().bounds(8).is_some());
    assert!(bytes(&shadow).chunks(4).filter(|p| p[3] > 8).all(|p| p[0] < 60), "ink alone");
    let before = decoded(file("before"));
    assert!(before.source_profile.contains("Adobe RGB") && before.dpi == Some((300.0, 300.0)));
    assert!(before.bitmap.has_transparency(), "the canvas is larger than the photo");
    let small = psd(file("layers"));
    assert_eq!((small.width, small.height), (120.0, 110.0));
    assert_eq!(small.children.as_ref().map(Vec::len), Some(4));
    let again = run(
        &scene::cup_on_backdrop(),
        &packshot(json!({ "targetFormat": "JPEG", "quality": 88, "dpi": 300 })),
    );
    assert_eq!(again.file.bytes, product.file.bytes, "further files change nothing about the result");
}

#[test]
fn an_opaque_photo_has_no_path_and_says_so() {
    let list = [("input", json!({})), ("export", json!({ "targetFormat": "JPEG", "clippingPath": true }))];
    let product = run(&scene::patches(), &list);
    assert!(
        product.reports[1].notes[0].starts_with("no clipping path was stored"),
        "{:?}",
        product.reports[1].notes
    );
}

#[test]
fn sizes_are_kept_in_avif_too() {
    let export = |most: Value| {
        let settings = json!({ "targetFormat": "AVIF", "quality": 95, "maxFileSize": most });
        run(&scene::patches(), &[("input", json!({})), ("export", settings)])
    };
    let free = export(Value::Null).file.bytes.len();
    let held = export(json!(free / 2));
    assert!(held.file.bytes.len() <= free / 2);
    assert!(held.reports[1].notes[0].starts_with("written at quality "));
}

#[test]
fn settings_that_make_no_sense_together_are_refused() {
    assert!(refusal(json!({ "targetFormat": "AVIF", "depth": "16" })).contains("`PNG`, `TIFF` and `PSD`"));
    assert!(refusal(json!({ "targetFormat": "AVIF", "colorProfile": "Display P3" })).contains("sRGB only"));
    assert!(refusal(json!({ "targetFormat": "WEBP", "colorProfile": "gray" })).contains("`gray`"));
    assert!(refusal(json!({ "clippingPath": true })).contains("needs `JPEG`"));
    assert!(refusal(json!({ "targetFormat": "TIFF", "maxFileSize": 5000 })).contains("lossy"));
    assert!(refusal(json!({ "copyright": "me" })).contains("`metadata` `copyright`"));
    assert!(refusal(json!({ "pathTolerance": 0 })).contains("at least 0.1"));
    let one = |output: Value| refusal(json!({ "outputs": [output] }));
    assert!(one(json!({ "name": "a b" })).starts_with("`outputs` 1 (`a b`): `name` must be"));
    assert!(one(json!({ "name": "default" })).contains("not `default`"));
    assert!(one(json!({ "name": "a", "fileName": "{nme}" })).contains("`fileName` holds `{nme}`"));
    assert!(one(json!({ "name": "a", "targetFormat": "WEBP", "depth": "16" })).contains("`depth` is `16`"));
    assert!(one(json!({ "name": "a", "qualty": 9 })).contains("qualty"));
    assert!(refusal(json!({ "outputs": [{ "name": "a" }, { "name": "A" }] })).contains("another output"));
    let nine: Vec<Value> = (0..9).map(|i| json!({ "name": format!("n{i}") })).collect();
    assert!(refusal(json!({ "outputs": nine })).contains("at most 8"));
    // What an output inherits never stands in its way.
    let settings = json!({
        "targetFormat": "TIFF", "depth": "16", "colorProfile": "Display P3", "clippingPath": true,
        "outputs": [{ "name": "a", "targetFormat": "AVIF" }, { "name": "b", "targetFormat": "WEBP" }],
    });
    (catalogue().find("export").expect("a component").check)(&settings).expect("good settings");
}
