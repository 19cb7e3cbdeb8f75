//! The demonstration: every sample's result is a valid file of the promised size and format, on the promised background.

use serde_json::Value;

use crate::support::{finish, packshot, small_network};

#[test]
fn the_demonstration_ends_with_good_results() {
    small_network();
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = packshot(&["demo", "--exit", "--json", "--offline", "--listen", "127.0.0.1:0"]);
    command.arg("--out").arg(dir.path().join("results")).arg("--data").arg(dir.path().join("data"));
    let output = finish(command);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    let results = report["results"].as_array().expect("results");
    assert!(results.len() >= 12, "{report}");
    for result in results {
        let path = result["path"].as_str().expect("a path");
        let bytes = std::fs::read(path).expect("the result is there");
        let limits = pixels::Limits::default();
        let header = pixels::probe(&bytes, &limits).unwrap_or_else(|error| panic!("{path}: {error}"));
        let workflow = result["workflow"].as_str().expect("a workflow");
        let decoded = pixels::decode(&bytes, &pixels::DecodeOptions::default()).expect("decodable");
        let bitmap = decoded.bitmap;
        match workflow {
            "Transparent cut-out" => {
                assert_eq!(header.format, pixels::Format::Png, "{path}");
                let alpha = bitmap.alpha();
                assert!(alpha.values().contains(&0), "{path}: nothing was cut out");
                assert!(alpha.values().contains(&255), "{path}: nothing was kept");
            }
            "White packshot" | "Marketplace square" => {
                assert_eq!(header.format, pixels::Format::Jpeg, "{path}");
                let side = if workflow == "White packshot" { 2048 } else { 2000 };
                assert_eq!((bitmap.width(), bitmap.height()), (side, side), "{path}");
                let pixels::Samples::U8(samples) = bitmap.samples() else { panic!("{path}: not 8 bit") };
                // The outermost twentieth lies outside every product's edge band.
                let (width, border) = (side as usize, side as usize / 40);
                for (y, row) in samples.chunks_exact(width * 3).enumerate() {
                    let whole = y < border || y >= width - border;
                    for (x, pixel) in row.chunks_exact(3).enumerate() {
                        if whole || x < border || x >= width - border {
                            assert_eq!(pixel, [255, 255, 255], "{path} at {x}, {y}");
                        }
                    }
                }
            }
            _ => {}
        }
    }
}
