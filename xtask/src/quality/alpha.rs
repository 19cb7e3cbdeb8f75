//! Cut-outs: ours as the product makes them, the network alone, and the baselines.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;
use neural::Network;
use pixels::{Bitmap, Channels, Filter, Mask, Samples};
use serde_json::json;

use super::Options;
use super::baselines::{self, ALL};
use super::score::{Group, Score};
use crate::house;
use crate::samples::{self, Half, Sample, Spec};

/// The scores of one method, one for each photograph; `None` where it failed.
struct Row {
    title: String,
    scores: Vec<Option<Score>>,
}

/// Measures and answers the text.
pub fn measure(options: &Options) -> anyhow::Result<String> {
    let specs = Spec::set(options.seed, options.count, options.half, options.side);
    let networks = house::networks()?;
    let network = networks.cut_out().context("the networks are not there")?;
    let toolbox = house::toolbox(Some(networks));
    let steps = [
        house::step("input", &json!({}))?,
        house::step("removeBackground", &json!({}))?,
        house::step("export", &json!({ "targetFormat": "PNG" }))?,
    ];
    let mut ours = Row { title: "**Packshot** `removeBackground`".to_owned(), scores: Vec::new() };
    let mut raw =
        Row { title: "network resized (bilinear), colours of the photo".to_owned(), scores: Vec::new() };
    let mut failed = Vec::new();
    for spec in &specs {
        let folder = folder(options, spec);
        fs::create_dir_all(&folder)?;
        let sample = samples::render(spec)?;
        let file = samples::photo_file(spec, &sample)?;
        let photo = house::decoded(&file)?;
        let png = house::png(&photo)?;
        baselines::forget_unless_same(&folder, &png);
        fs::write(folder.join("photo.png"), png)?;
        let began = house::cpu_seconds();
        let alone = network_alone(&photo, &network)?;
        raw.scores.push(Some(Score::of(&alone, &sample, house::cpu_seconds() - began)?));
        fs::write(folder.join("network.png"), house::png(&shown(&alone.alpha())?)?)?;
        let began = house::cpu_seconds();
        match house::process(&toolbox, &file, "photo", &steps) {
            Ok(product) => {
                let seconds = house::cpu_seconds() - began;
                ours.scores.push(Some(Score::of(
                    &house::decoded(&product.file.bytes)?.into_rgba(),
                    &sample,
                    seconds,
                )?));
                fs::write(folder.join("packshot.png"), &product.file.bytes)?;
            }
            Err(error) => {
                failed.push(format!("{}: {error:#}", spec.name()));
                ours.scores.push(None);
            }
        }
        fs::write(folder.join("exact.png"), house::png(&sample.foreground)?)?;
        eprintln!("{}", spec.name());
    }
    let mut rows = vec![ours, raw];
    if !options.no_python {
        baselines::work(&options.out, &network.info().sha256)?;
        rows.extend(read(options, &specs)?);
    }
    fs::write(options.out.join("scores.tsv"), by_photo(&specs, &rows))?;
    Ok(page(options, &specs, &rows, &failed))
}

/// The scores of every photograph, a line for each method: where a mean comes from.
fn by_photo(specs: &[Spec], rows: &[Row]) -> String {
    let mut text = format!("photo\tmethod\t{}\n", Score::HEADS.replace(" | ", "\t"));
    for (index, spec) in specs.iter().enumerate() {
        for row in rows {
            let Some(score) = &row.scores[index] else { continue };
            let _ = writeln!(text, "{}\t{}\t{}", spec.name(), row.title, score.cells().replace(" | ", "\t"));
        }
    }
    text
}

fn folder(options: &Options, spec: &Spec) -> PathBuf {
    options.out.join(format!("{}-{}", spec.name(), options.side))
}

/// What the baselines wrote, scored; each photograph is rendered once for all of them.
fn read(options: &Options, specs: &[Spec]) -> anyhow::Result<Vec<Row>> {
    let mut rows: Vec<Row> =
        ALL.iter().map(|baseline| Row { title: baseline.title.to_owned(), scores: Vec::new() }).collect();
    for spec in specs {
        let folder = folder(options, spec);
        let sample: Sample = samples::render(spec)?;
        for (baseline, row) in ALL.iter().zip(&mut rows) {
            let score = match baselines::seconds(&folder, baseline) {
                Some(seconds) => {
                    let bytes = fs::read(folder.join(format!("{}.png", baseline.file)))?;
                    Some(Score::of(&house::decoded(&bytes)?.into_rgba(), &sample, seconds)?)
                }
                None => None,
            };
            row.scores.push(score);
        }
    }
    Ok(rows)
}

/// The network's alpha enlarged to the photo, on the photo's own colours.
fn network_alone(photo: &Bitmap, network: &Network) -> anyhow::Result<Bitmap> {
    let spec = network.spec();
    let (width, height) = (spec.width as u32, spec.height as u32);
    let opaque = photo.clone().without_alpha().into_u8();
    let small = pixels::resize(&opaque, width, height, Filter::Bilinear)?;
    let Samples::U8(rgb) = small.samples() else { anyhow::bail!("8 bit stays 8 bit") };
    let plane = network.run(&spec.tensor(rgb)?)?.into_data();
    let size = (photo.width(), photo.height());
    let plane = pixels::resize_plane(&plane, (width, height), size, Filter::Bilinear)?;
    let values = plane.iter().map(|value| (value.clamp(0.0, 1.0) * 255.0).round() as u8).collect();
    Ok(opaque.with_alpha(&Mask::new(size.0, size.1, values)?)?)
}

fn shown(mask: &Mask) -> anyhow::Result<Bitmap> {
    let samples = mask.values().iter().flat_map(|&value| [value; 3]).collect();
    Ok(Bitmap::from_u8(mask.width(), mask.height(), Channels::Rgb, samples)?)
}

fn page(options: &Options, specs: &[Spec], rows: &[Row], failed: &[String]) -> String {
    let mut text = String::new();
    let half = match options.half {
        Half::Tune => "the half that thresholds are tuned on: not for publication",
        Half::Report => "the half kept aside (odd seeds)",
        Half::All => "both halves",
    };
    let _ = writeln!(
        text,
        "{} photographs, longer side {} px, {half}, first seed {}. Baselines: {}, on the same ISNet weights as Packshot \
         (rembg by its `dis_custom` session, since its own copy cannot be fetched everywhere). Lower is better, except \
         for IoU. Seconds are of processor time, all threads together.\n",
        specs.len(),
        options.side,
        options.seed,
        baselines::versions(),
    );
    let _ = writeln!(text, "| method | {} |\n|---|---|---|---|---|---|---|---|---|---|", Score::HEADS);
    // Only what every method managed can be compared.
    let whole: Vec<usize> =
        (0..specs.len()).filter(|&index| rows.iter().all(|row| row.scores[index].is_some())).collect();
    for row in rows {
        let mean = Score::mean(whole.iter().filter_map(|&index| row.scores[index].as_ref()));
        let _ = writeln!(text, "| {} | {} |", row.title, mean.cells());
    }
    let missing: Vec<String> = rows
        .iter()
        .filter_map(|row| {
            let count = row.scores.iter().filter(|score| score.is_none()).count();
            (count > 0).then(|| format!("{} failed on {count}", row.title))
        })
        .collect();
    if !missing.is_empty() {
        let _ = writeln!(text, "\nMeans over the {} that all managed: {}.", whole.len(), missing.join("; "));
    }
    for failure in failed {
        let _ = writeln!(text, "\nPackshot failed on {failure}.");
    }
    text.push_str("\nSAD and edge ΔE by product and by backdrop:\n\n| group | n |");
    for row in rows {
        let _ = write!(text, " {} |", row.title);
    }
    let _ = writeln!(text, "\n|---|---|{}", "---|".repeat(rows.len()));
    for group in Group::all() {
        let inside: Vec<usize> = whole.iter().copied().filter(|&index| group.holds(&specs[index])).collect();
        if inside.is_empty() {
            continue;
        }
        let _ = write!(text, "| {} | {} |", group.name(), inside.len());
        for row in rows {
            let mean = Score::mean(inside.iter().filter_map(|&index| row.scores[index].as_ref()));
            let _ = write!(text, " {:.2} / {:.2} |", mean.sad, mean.colour);
        }
        text.push('\n');
    }
    text
}
