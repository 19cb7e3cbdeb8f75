//! Colour work: a known cast is laid on a photograph, and taken off again.

use std::fmt::Write as _;

use pixels::{Bitmap, Channels, linear_to_srgb, srgb_u8_to_linear};
use serde_json::json;

use super::Options;
use super::fidelity::{colour_error, rgb};
use crate::house;
use crate::samples::{self, Ground, Spec};

/// Gains of red, green and blue in linear light: lamps that are too warm or too cold, and light through leaves.
const CASTS: [(&str, [f64; 3]); 4] = [
    ("warm lamp", [1.0, 0.80, 0.52]),
    ("slightly warm", [1.0, 0.93, 0.82]),
    ("cold daylight", [0.72, 0.86, 1.0]),
    ("green", [0.84, 1.0, 0.80]),
];

/// Measures and answers the text.
pub fn measure(options: &Options) -> anyhow::Result<String> {
    let Some(_) = components::entry("color") else {
        return Ok("There is no component `color` in this build.\n".to_owned());
    };
    let toolbox = house::toolbox(None);
    let steps = [
        house::step("input", &json!({}))?,
        house::step("color", &json!({ "whiteBalance": "auto" }))?,
        house::step("export", &json!({ "targetFormat": "PNG" }))?,
    ];
    // Where the backdrop is neutral, what is right is known.
    let specs: Vec<Spec> = Spec::set(options.seed, options.count * 2, options.half, options.side)
        .into_iter()
        .filter(|spec| matches!(spec.ground, Ground::White | Ground::WhiteOnWhite | Ground::Grey))
        .collect();
    let names = ["as it came", "grey world", "brightest patch", "**Packshot** `color`, `whiteBalance: auto`"];
    let mut sums = [[0.0; CASTS.len()]; 4];
    for spec in &specs {
        let sample = samples::render(spec)?;
        let alpha = sample.alpha();
        for (column, (_, gains)) in CASTS.iter().enumerate() {
            // Half a stop darker, so that nothing clips on the way.
            let cast = scaled(&sample.photo, gains.map(|gain| gain * 0.7))?;
            let truth = scaled(&sample.photo, [0.7; 3])?;
            let bytes = house::png(&cast)?;
            let ours = house::decoded(&house::process(&toolbox, &bytes, "photo.png", &steps)?.file.bytes)?;
            let corrected = [cast.clone(), grey_world(&cast)?, brightest(&cast)?, ours];
            for (row, picture) in corrected.iter().enumerate() {
                // Brightness is another question: each is first given the mean light of the truth.
                sums[row][column] += colour_error(&as_bright(picture, &truth)?, &truth, &alpha)?;
            }
        }
    }
    let mut text = format!(
        "{} photographs on neutral backdrops; mean ΔE2000 of the product against the photo without the cast, at equal\nmean light.\n\n| method |",
        specs.len()
    );
    for (name, _) in CASTS {
        let _ = write!(text, " {name} |");
    }
    let _ = writeln!(text, "\n|---|{}", "---|".repeat(CASTS.len()));
    for (name, sums) in names.iter().zip(sums) {
        let _ = write!(text, "| {name} |");
        for sum in sums {
            let _ = write!(text, " {:.2} |", sum / specs.len().max(1) as f64);
        }
        text.push('\n');
    }
    Ok(text)
}

fn scaled(bitmap: &Bitmap, gains: [f64; 3]) -> anyhow::Result<Bitmap> {
    let tables = gains.map(|gain| -> Vec<u8> {
        (0..=255u8)
            .map(|value| {
                (linear_to_srgb((f64::from(srgb_u8_to_linear(value)) * gain).min(1.0)) * 255.0).round() as u8
            })
            .collect()
    });
    let mut samples = rgb(bitmap)?;
    for pixel in samples.as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(&tables) {
            *value = table[usize::from(*value)];
        }
    }
    Ok(Bitmap::from_u8(bitmap.width(), bitmap.height(), Channels::Rgb, samples)?)
}

/// Mean linear light of each channel.
fn means(bitmap: &Bitmap) -> anyhow::Result<[f64; 3]> {
    let samples = rgb(bitmap)?;
    let mut sums = [0.0; 3];
    for pixel in samples.as_chunks::<3>().0 {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += f64::from(srgb_u8_to_linear(value));
        }
    }
    Ok(sums.map(|sum| (sum / (samples.len() / 3) as f64).max(1e-6)))
}

fn as_bright(bitmap: &Bitmap, truth: &Bitmap) -> anyhow::Result<Bitmap> {
    let light = |bitmap: &Bitmap| -> anyhow::Result<f64> {
        let [r, g, b] = means(bitmap)?;
        Ok(0.2126 * r + 0.7152 * g + 0.0722 * b)
    };
    scaled(bitmap, [light(truth)? / light(bitmap)?; 3])
}

/// Every channel has the same mean (Buchsbaum 1980).
fn grey_world(bitmap: &Bitmap) -> anyhow::Result<Bitmap> {
    let means = means(bitmap)?;
    scaled(bitmap, means.map(|mean| means[1] / mean))
}

/// The brightest hundredth of each channel is white (Land and McCann 1971).
fn brightest(bitmap: &Bitmap) -> anyhow::Result<Bitmap> {
    let samples = rgb(bitmap)?;
    let tops: [f64; 3] = std::array::from_fn(|channel| {
        let mut counts = [0usize; 256];
        samples.iter().skip(channel).step_by(3).for_each(|&value| counts[usize::from(value)] += 1);
        let mut left = samples.len() / 300;
        let top = (0..=255u8).rev().find(|&value| {
            let count = counts[usize::from(value)];
            let found = count > left;
            left = left.saturating_sub(count);
            found
        });
        f64::from(srgb_u8_to_linear(top.unwrap_or(255))).max(1e-6)
    });
    scaled(bitmap, tops.map(|top| tops[1] / top))
}
