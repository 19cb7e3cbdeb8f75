//! Every folder `cases/<component>/<case>` is a test: `in.*` goes through the component with `settings.json` and must
//! come out as `out.png`, to within `tolerance.json` (levels of 255: the largest and the mean difference).
//!
//! `UPDATE=1` writes `out.png` anew (of one component: `CASES=resize`); look at it before it is kept. A new case needs its
//! folder with `settings.json`, and `in.*` or the name of a scene in `scene.txt`. A picture `in-2.png` (or `scene-2.txt`)
//! beside it goes into the same result; settings may name a picture `reference.png` by its SHA-256. Where there is a
//! `cut.png`, it is the subject, cut out of the photo `in.png`. `RECORD=<models folder>` runs the networks that are there
//! and writes what they give into `recorded/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use components::{
    ALL, Context, Fault, Frame, Images, Input, Origin, Product, StepCache, Subject, catalogue,
    process_together,
};
use domain::image::{ContentHash, FileName};
use domain::workflow::Step;
use neural::{BackendChoice, Runtime, RuntimeOptions};
use pixels::{Bitmap, EncodeOptions, Encoding, PngCompression, Samples};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::scene;

#[derive(serde::Deserialize)]
struct Tolerance {
    largest: f64,
    mean: f64,
}

pub fn cases() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases")
}

/// The networks as they were recorded, in `recorded/`. With `RECORD` naming a folder of models, they run, and what they
/// give is recorded.
pub fn recorded() -> Arc<Runtime> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recorded");
    if let Some(models) = std::env::var_os("RECORD") {
        let options = RuntimeOptions {
            backend: BackendChoice::Rten,
            offline: true,
            record: Some(folder),
            ..RuntimeOptions::new(models)
        };
        return Arc::new(Runtime::new(options).expect("good options"));
    }
    let options = RuntimeOptions {
        backend: BackendChoice::Recorded(folder),
        offline: true,
        ..RuntimeOptions::new("no-models-here")
    };
    Arc::new(Runtime::new(options).expect("good options"))
}

fn update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

pub fn folders(of: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(of).unwrap_or_else(|error| panic!("cannot list `{}`: {error}", of.display()));
    let mut folders: Vec<PathBuf> =
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect();
    folders.sort();
    folders
}

pub fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}

fn input_of(case: &Path) -> PathBuf {
    let found =
        ["png", "jpg", "webp", "tif"].iter().map(|e| case.join(format!("in.{e}"))).find(|path| path.exists());
    if let Some(path) = found.filter(|path| !(update() && case.join("scene.txt").exists() && path.exists())) {
        return path;
    }
    let scene = fs::read_to_string(case.join("scene.txt")).expect("a case has `in.*` or `scene.txt`");
    let path = case.join("in.png");
    fs::write(&path, png(&drawn(scene.trim()))).expect("written");
    for (named, picture) in [("scene-2.txt", "in-2.png"), ("scene-cut.txt", "cut.png")] {
        if let Ok(scene) = fs::read_to_string(case.join(named)) {
            fs::write(case.join(picture), png(&drawn(scene.trim()))).expect("written");
        }
    }
    path
}

fn drawn(scene: &str) -> Bitmap {
    match scene {
        "cup" => scene::cup_cut_out(),
        "deep cup" => scene::cup_deep(),
        "stool" => scene::stool_cut_out(),
        "cup on a backdrop" => scene::cup_on_backdrop(),
        "cup with a shadow" => scene::cup_with_shadow(),
        "cup under a lamp" => scene::cup_under_lamp(),
        "leaning stool" => scene::stool_leaning(),
        "leaning cup" => scene::cup_leaning(),
        "noisy cup" => scene::cup_noisy(),
        "noisy cup cut out" => scene::cup_noisy_cut_out(),
        "small cup" => scene::cup_small(),
        "patches" => scene::patches(),
        "labelled cloth" => scene::labelled_cloth(),
        "tagged cup" => scene::tagged_cup(),
        "dusty" => scene::dusty(),
        "deep ramp" => scene::deep_ramp(),
        "forearm" => scene::forearm(),
        "shirt on a mannequin" => scene::shirt_on_mannequin(),
        "inlay shot" => scene::shirt_inlay_shot(1.06, 0.02, -0.015),
        "collar shot" => scene::collar_shot(),
        "desk" => scene::desk(),
        "distant cup" => scene::distant_cup(),
        other => panic!("no scene is called `{other}`"),
    }
}

pub fn png(bitmap: &Bitmap) -> Vec<u8> {
    let options = EncodeOptions {
        embed_profile: false,
        ..EncodeOptions::new(Encoding::Png { compression: PngCompression::Small })
    };
    pixels::encode(bitmap, &options).expect("a PNG")
}

/// Runs a component on a subject that is known exactly, with the photo that it was cut out of beside it.
fn run_on_cut_out(kind: &str, settings: &Value, photo: &Path, cut: &Path) -> Vec<u8> {
    let read = |path: &Path| {
        pixels::decode(&fs::read(path).expect("readable"), &pixels::DecodeOptions::default())
            .expect("a picture")
    };
    let (photo, cut) = (read(photo).bitmap, read(cut).bitmap);
    let origin = Origin {
        size: (photo.width(), photo.height()),
        format: pixels::Format::Png,
        depth: 8,
        profile: String::new(),
        dpi: None,
        rights: pixels::Rights::default(),
    };
    let mut frame = Frame::new(cut, origin);
    frame.photo = Some(Subject { bitmap: Arc::new(photo), x: 0, y: 0 });
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let context = Context::new(&cache, &cancel);
    for (kind, settings) in [(kind, settings), ("export", &json!({}))] {
        let entry = components::entry(kind).expect("a component");
        (entry.run)(&mut frame, settings, &context).unwrap_or_else(|fault| panic!("{kind}: {fault:?}"));
    }
    frame.encoded.expect("exported").bytes.to_vec()
}

fn run(kind: &str, settings: Value, path: &Path) -> Product {
    let bytes = fs::read(path).expect("readable");
    let case = path.parent().expect("a folder");
    made(kind, settings, case, &bytes, Some(recorded()))
        .unwrap_or_else(|fault| panic!("{}: {fault:?}", path.display()))
}

/// What becomes of a picture by a component alone, with the further pictures of a case.
pub fn made(
    kind: &str,
    settings: Value,
    case: &Path,
    picture: &[u8],
    runtime: Option<Arc<Runtime>>,
) -> Result<Product, Fault> {
    let middle =
        |kind: &str, settings: Value| Step { kind: kind.to_owned(), label: kind.to_owned(), settings };
    let mut steps = vec![middle("input", json!({}))];
    match kind {
        "input" => steps.push(middle("export", json!({}))),
        "export" => steps.push(middle("export", settings)),
        _ => steps.extend([middle(kind, settings), middle("export", json!({}))]),
    }
    let steps = catalogue().check(&steps).unwrap_or_else(|error| panic!("{}: {error}", case.display()));
    let name = FileName::clean("in.png");
    let (cache, cancel) = (StepCache::none(), AtomicBool::new(false));
    let mut context = Context::new(&cache, &cancel);
    context.runtime = runtime;
    if let Ok(bytes) = fs::read(case.join("reference.png")) {
        let hash = ContentHash(Sha256::digest(&bytes).into());
        context.images = Arc::new(Images::from([(hash, bytes)]));
    }
    let mut inputs = vec![Input { bytes: picture, hash: ContentHash([0; 32]), name: &name }];
    let second = fs::read(case.join("in-2.png")).ok();
    inputs.extend(second.iter().map(|bytes| Input { bytes, hash: ContentHash([2; 32]), name: &name }));
    process_together(&context, &inputs, &steps)
}

pub fn pixels_of(bytes: &[u8]) -> Bitmap {
    pixels::decode(bytes, &pixels::DecodeOptions::default()).expect("a picture").bitmap
}

/// Largest and mean difference in levels of 255; what is transparent in both has no colour to differ in.
pub fn difference(left: &Bitmap, right: &Bitmap) -> (f64, f64) {
    let levels = |bitmap: &Bitmap| -> Vec<f64> {
        match bitmap.clone().into_rgba().into_samples() {
            Samples::U8(samples) => samples.iter().map(|&s| f64::from(s)).collect(),
            Samples::U16(samples) => samples.iter().map(|&s| f64::from(s) / 257.0).collect(),
        }
    };
    let (left, right) = (levels(left), levels(right));
    let (mut largest, mut sum) = (0.0f64, 0.0);
    for (a, b) in left.chunks(4).zip(right.chunks(4)) {
        for c in 0..4 {
            let weight = if c < 3 { a[3].max(b[3]) / 255.0 } else { 1.0 };
            let difference = (a[c] - b[c]).abs() * weight;
            largest = largest.max(difference);
            sum += difference;
        }
    }
    (largest, sum / left.len() as f64)
}

#[test]
fn every_component_has_a_case_and_every_case_a_component() {
    let there: Vec<String> = folders(&cases()).iter().map(|path| name(path)).collect();
    for entry in ALL {
        let has_case =
            there.iter().any(|kind| kind == entry.kind) && !folders(&cases().join(entry.kind)).is_empty();
        assert!(has_case, "`{}` has no case in tests/cases", entry.kind);
    }
    for kind in there {
        assert!(ALL.iter().any(|entry| entry.kind == kind), "tests/cases/{kind} belongs to no component");
    }
}

#[test]
fn every_case_comes_out_as_it_did() {
    let mut wrong = Vec::new();
    let only = std::env::var("CASES").ok();
    for component in folders(&cases()) {
        if only.as_ref().is_some_and(|only| *only != name(&component)) {
            continue;
        }
        for case in folders(&component) {
            if let Err(reason) = check(&name(&component), &case) {
                wrong.push(format!("{}/{}: {reason}", name(&component), name(&case)));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn check(kind: &str, case: &Path) -> Result<(), String> {
    let read = |file: &str| fs::read_to_string(case.join(file)).map_err(|error| format!("{file}: {error}"));
    let settings: Value = serde_json::from_str(&read("settings.json")?).map_err(|error| error.to_string())?;
    let (input, cut) = (input_of(case), case.join("cut.png"));
    let (now, file_name) = if cut.exists() {
        let made = || run_on_cut_out(kind, &settings, &input, &cut);
        let file = made();
        if file != made() {
            return Err("it has other bytes each time".to_owned());
        }
        (pixels_of(&file), String::new())
    } else {
        let file = run(kind, settings, &input).file;
        (pixels_of(&file.bytes), file.name.as_str().to_owned())
    };
    let expected = case.join("out.png");
    if update() {
        fs::write(&expected, png(&now)).expect("written");
    }
    if case.join("name.txt").exists() && read("name.txt")?.trim() != file_name {
        return Err(format!("it is called `{file_name}`, not `{}`", read("name.txt")?.trim()));
    }
    let before = pixels_of(&fs::read(&expected).map_err(|error| format!("out.png: {error}"))?);
    let keep = |why: String| {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{kind}-{}.png", name(case)));
        fs::write(&path, png(&now)).expect("written");
        Err(format!("{why}; see `{}`", path.display()))
    };
    if (now.width(), now.height(), now.channels(), now.depth())
        != (before.width(), before.height(), before.channels(), before.depth())
    {
        return keep(format!(
            "it is {} by {}, {:?}, {} bit now",
            now.width(),
            now.height(),
            now.channels(),
            now.depth()
        ));
    }
    let tolerance: Tolerance =
        serde_json::from_str(&read("tolerance.json")?).map_err(|error| error.to_string())?;
    let (largest, mean) = difference(&now, &before);
    if largest > tolerance.largest || mean > tolerance.mean {
        return keep(format!("it differs by {largest:.2} levels at most and {mean:.4} on average"));
    }
    Ok(())
}
