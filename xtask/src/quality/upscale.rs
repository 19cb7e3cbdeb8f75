//! Enlarging: photographs are made half or a quarter as large, enlarged again, and compared with what they were.

use std::fmt::Write as _;

use pixels::Filter;
use serde_json::{Value, json};

use super::Options;
use super::fidelity::{psnr, ssim};
use crate::house;
use crate::samples::{self, Spec};

const FILTERS: [(&str, Filter); 3] = [
    ("bilinear", Filter::Bilinear),
    ("bicubic (Catmull-Rom)", Filter::CatmullRom),
    ("Lanczos3", Filter::Lanczos3),
];

/// Measures and answers the text.
pub fn measure(options: &Options) -> anyhow::Result<String> {
    if components::entry("upscale").is_none() {
        return Ok("There is no component `upscale` in this build.\n".to_owned());
    }
    // A network takes a minute and more for each megapixel: small pictures tell as much.
    let side = options.side.min(512);
    let specs = Spec::set(options.seed, options.count, options.half, side);
    let networks = if options.no_networks { None } else { Some(house::networks()?) };
    let toolbox = house::toolbox(networks);
    let mut ours: Vec<(&str, Value)> = vec![
        ("**Packshot** `upscale`", json!({})),
        ("**Packshot** `upscale`, `sharpening: 50`", json!({ "sharpening": 50 })),
    ];
    if !options.no_networks {
        ours.push(("**Packshot** `upscale`, `method: network`", json!({ "method": "network" })));
    }
    let mut text = format!(
        "{} photographs without noise, {side} px, made smaller with Lanczos3 and enlarged again; PSNR in dB and SSIM of the\nluma, higher is better.\n\n| method | 2×: PSNR | SSIM | 4×: PSNR | SSIM |\n|---|---|---|---|---|\n",
        specs.len()
    );
    let mut sums = vec![[0.0; 4]; FILTERS.len() + ours.len()];
    for spec in &specs {
        // Sides that four divides, so that nothing moves by parts of a pixel.
        let spec =
            Spec { noise: 0.0, width: spec.width / 4 * 4, height: spec.height / 4 * 4, ..spec.clone() };
        let truth = samples::render(&spec)?.photo;
        let (width, height) = (truth.width(), truth.height());
        for (place, factor) in [2, 4].into_iter().enumerate() {
            let small = pixels::resize(&truth, width / factor, height / factor, Filter::Lanczos3)?;
            let bytes = house::png(&small)?;
            for (row, (_, filter)) in FILTERS.iter().enumerate() {
                let large = pixels::resize(&small, width, height, *filter)?;
                sums[row][place * 2] += psnr(&large, &truth)?;
                sums[row][place * 2 + 1] += ssim(&large, &truth)?;
            }
            for (row, (_, settings)) in ours.iter().enumerate() {
                let mut settings = settings.clone();
                settings["factor"] = json!(factor);
                let steps = [
                    house::step("input", &json!({}))?,
                    house::step("upscale", &settings)?,
                    house::step("export", &json!({ "targetFormat": "PNG" }))?,
                ];
                let large =
                    house::decoded(&house::process(&toolbox, &bytes, "photo.png", &steps)?.file.bytes)?;
                let row = FILTERS.len() + row;
                sums[row][place * 2] += psnr(&large, &truth)?;
                sums[row][place * 2 + 1] += ssim(&large, &truth)?;
            }
        }
    }
    let names = FILTERS.iter().map(|filter| filter.0).chain(ours.iter().map(|way| way.0));
    for (name, sums) in names.zip(sums) {
        let [p2, s2, p4, s4] = sums.map(|sum| sum / specs.len().max(1) as f64);
        let _ = writeln!(text, "| {name} | {p2:.2} | {s2:.4} | {p4:.2} | {s4:.4} |");
    }
    Ok(text)
}
