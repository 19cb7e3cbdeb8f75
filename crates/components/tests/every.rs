//! What holds for every component with the settings of each of its golden cases.

use std::fs;
use std::path::PathBuf;
use std::thread;

use components::{Product, entry};
use pixels::{Bitmap, Channels, Samples};
use serde_json::Value;

use crate::golden::{cases, difference, folders, made, name, pixels_of, png, recorded};

/// A case: its component, its settings, its folder and its input.
struct Case {
    kind: String,
    settings: Value,
    folder: PathBuf,
    input: Vec<u8>,
}

impl Case {
    fn title(&self) -> String {
        format!("{}/{}", self.kind, name(&self.folder))
    }

    fn made(&self) -> Product {
        made(&self.kind, self.settings.clone(), &self.folder, &self.input, Some(recorded()))
            .unwrap_or_else(|fault| panic!("{}: {fault:?}", self.title()))
    }
}

/// Every case whose input goes through the component alone.
fn all() -> Vec<Case> {
    let mut found = Vec::new();
    for component in folders(&cases()) {
        for folder in folders(&component).into_iter().filter(|folder| !folder.join("cut.png").exists()) {
            let input = ["png", "jpg", "webp", "tif"].iter().map(|e| folder.join(format!("in.{e}")));
            let input = input.into_iter().find_map(|path| fs::read(path).ok()).expect("an input");
            let settings = fs::read_to_string(folder.join("settings.json")).expect("settings");
            let settings = serde_json::from_str(&settings).expect("JSON");
            found.push(Case { kind: name(&component), settings, folder, input });
        }
    }
    found
}

#[test]
fn what_is_clear_is_black_and_promises_are_kept() {
    for case in all() {
        let product = case.made();
        let result = pixels_of(&product.file.bytes);
        // What a lossy file holds where it is clear is its coder's business.
        if result.channels() == Channels::Rgba && product.file.media_type != "image/webp" {
            let is_clean = match result.samples() {
                Samples::U8(samples) => {
                    samples.as_chunks::<4>().0.iter().all(|p| p[3] > 0 || p[..3] == [0; 3])
                }
                Samples::U16(samples) => {
                    samples.as_chunks::<4>().0.iter().all(|p| p[3] > 0 || p[..3] == [0; 3])
                }
            };
            assert!(is_clean, "{}: a clear pixel has a colour", case.title());
        }
        let Some(report) = product.reports.iter().find(|report| report.component == case.kind) else {
            continue;
        };
        let component = entry(&case.kind).expect("a component");
        if (component.changes)(&case.settings).keeps_product() && case.kind != "input" {
            assert_eq!(report.product_pixels_changed, Some(0), "{}", case.title());
        }
        assert!(report.confidence.is_none_or(|value| (0.0..=1.0).contains(&value)), "{}", case.title());
    }
}

#[test]
fn every_run_gives_the_same_bytes_on_any_number_of_threads() {
    let cases = all();
    let alone: Vec<Vec<u8>> = cases.iter().map(|case| case.made().file.bytes).collect();
    let (cases, alone) = (&cases, &alone);
    thread::scope(|scope| {
        for part in 0..3 {
            scope.spawn(move || {
                for (case, before) in cases.iter().zip(alone).skip(part).step_by(3) {
                    assert!(case.made().file.bytes == *before, "{} differs", case.title());
                }
            });
        }
    });
}

/// A picture at 16 bits comes out as it does at 8, but for what 8 bits cannot hold.
#[test]
fn sixteen_bits_give_the_same_picture() {
    // What is found at an edge of a threshold may differ by a pixel; what is read by a recorded network cannot be asked.
    let skipped = ["removeBackground", "upscale", "skinRetouch", "export", "input"];
    for case in all().into_iter().filter(|case| !skipped.contains(&case.kind.as_str())) {
        let before = pixels_of(&case.input);
        if before.depth() == 16 {
            continue;
        }
        let deep = png(&before.into_u16());
        let result = made(&case.kind, case.settings.clone(), &case.folder, &deep, None)
            .unwrap_or_else(|fault| panic!("{}: {fault:?}", case.title()));
        let (result, flat) = (pixels_of(&result.file.bytes), pixels_of(&case.made().file.bytes));
        assert_eq!((result.width(), result.height()), (flat.width(), flat.height()), "{}", case.title());
        let (_, mean) = difference(&result, &flat);
        assert!(mean < 0.6, "{}: {mean} levels apart", case.title());
    }
}

/// Pictures of a pixel or two give a result, or a refusal that says what was wrong with them.
#[test]
fn the_smallest_pictures_are_done_or_refused() {
    for (width, height) in [(1u32, 1u32), (1, 9), (9, 1), (2, 3)] {
        for alpha in [0u8, 90, 255] {
            let samples = (0..width * height).flat_map(|i| [200, 40, (i * 20) as u8, alpha]).collect();
            let picture = png(&Bitmap::from_u8(width, height, Channels::Rgba, samples).expect("a picture"));
            for case in all() {
                if let Err(fault) = made(&case.kind, case.settings.clone(), &case.folder, &picture, None) {
                    let what = format!("{} of {width} by {height}, alpha {alpha}: {fault:?}", case.title());
                    assert_eq!(fault.kind, domain::run::Fault::Input, "{what}");
                }
            }
        }
    }
}

/// What is brought into a state is not changed by being brought there again.
#[test]
fn bringing_a_picture_where_it_is_changes_nothing() {
    let again =
        ["fillBackground/grey", "fillBackground/linear", "crop/padding", "removeBackground/existing-alpha"];
    for case in all().into_iter().filter(|case| again.contains(&case.title().as_str())) {
        let once = case.made().file.bytes;
        let twice = made(&case.kind, case.settings.clone(), &case.folder, &once, None).expect("done");
        assert_eq!(
            difference(&pixels_of(&once), &pixels_of(&twice.file.bytes)),
            (0.0, 0.0),
            "{}",
            case.title()
        );
    }
}
