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
            "White packshot" | "Marketplace square" | "Shadowed packshot" => {
                assert_eq!(header.format, pixels::Format::Jpeg, "{path}");
                let side = if workflow == "Marketplace square" { 2000 } else { 2048 };
                assert_eq!((bitmap.width(), bitmap.height()), (side, side), "{path}");
                // A soft shadow runs out far from the product; it must run out all the same.
                let band = if workflow == "Shadowed packshot" { 160 } else { 24 };
                let (width, height) = check_backdrop(&bitmap, band, path);
                if workflow == "Marketplace square" {
                    let fill = f64::from(width.max(height)) / f64::from(side);
                    assert!((0.83..=0.87).contains(&fill), "{path}: the product fills {fill} of the frame");
                }
            }
            other => panic!("an unexpected workflow: {other}"),
        }
    }
}

/// Fails unless everything farther than `band` pixels from the product's box is exactly white; answers the box's size.
fn check_backdrop(bitmap: &pixels::Bitmap, band: usize, path: &str) -> (u32, u32) {
    let pixels::Samples::U8(samples) = bitmap.samples() else { panic!("{path}: not 8 bit") };
    let (width, height) = (bitmap.width() as usize, bitmap.height() as usize);
    let product: Vec<u8> =
        samples.chunks_exact(3).map(|pixel| if pixel.iter().any(|&s| s < 250) { 255 } else { 0 }).collect();
    let product = pixels::Mask::new(bitmap.width(), bitmap.height(), product).expect("the size fits");
    let bounds = product.bounds(1).unwrap_or_else(|| panic!("{path}: the picture is empty"));
    let (left, top) = (bounds.x as usize, bounds.y as usize);
    let near_x = left.saturating_sub(band)..(left + bounds.width as usize + band).min(width);
    let near_y = top.saturating_sub(band)..(top + bounds.height as usize + band).min(height);
    for (y, row) in samples.chunks_exact(width * 3).enumerate() {
        for (x, pixel) in row.chunks_exact(3).enumerate() {
            if !(near_x.contains(&x) && near_y.contains(&y)) {
                assert_eq!(pixel, [255, 255, 255], "{path} at {x}, {y}");
            }
        }
    }
    (bounds.width, bounds.height)
}
