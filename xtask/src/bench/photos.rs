//! Photos a second: through `packshot process`, and through a server over HTTP.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::Options;
use super::server::Server;
use crate::root;

/// The workflows measured: without a network, and with one.
const WORKFLOWS: [&str; 4] = ["Export only", "White packshot", "Shadowed packshot", "Marketplace square"];

/// One way of doing a workflow, measured several times.
struct Row {
    way: &'static str,
    workflow: &'static str,
    /// Photos a second, one for each round.
    rates: Vec<f64>,
    peak_rss: u64,
    /// Mean milliseconds of each step.
    steps: Vec<(String, f64)>,
}

/// Measures photos a second and answers the table of them.
pub fn measure(binary: &Path, work: &Path, options: &Options) -> anyhow::Result<String> {
    eprintln!("making {} photos of 12 megapixels ...", options.photos);
    let photos = make_photos(binary, work, options.photos)?;
    // The first cut-out on a machine fetches and tests the model; that is not what is measured.
    let models = Command::new(binary).args(["models", "fetch"]).stdout(Stdio::null()).status()?;
    ensure!(models.success(), "the models cannot be fetched");
    let mut rows = Vec::new();
    for workflow in WORKFLOWS {
        eprintln!("process: {workflow} ...");
        rows.push(through_process(binary, work, &photos, workflow, options)?);
    }
    for workflow in WORKFLOWS {
        eprintln!("HTTP: {workflow} ...");
        rows.push(through_http(binary, work, &photos, workflow, options)?);
    }
    Ok(page(&rows, options))
}

/// Photos of 4000 by 3000 pixels from the samples, each with other bytes.
fn make_photos(binary: &Path, work: &Path, count: usize) -> anyhow::Result<Vec<PathBuf>> {
    let samples: Vec<_> = fs::read_dir(root().join("samples"))?
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "jpg" || extension == "webp"))
        .collect();
    ensure!(!samples.is_empty(), "there are no samples");
    let folder = work.join("photos");
    fs::create_dir_all(&folder)?;
    let mut photos = Vec::new();
    for number in 0..count {
        let workflow = work.join("enlarge.json");
        // Another quality for each round through the samples: other bytes, so that no photo is met twice.
        let quality = 95 - (number / samples.len()).min(20);
        let steps = json!([
            { "type": "input" },
            { "type": "setOnCanvas", "settings": {
                "width": 4000, "height": 3000, "upscale": true, "reference": "original", "fit": "cover" } },
            { "type": "export", "settings": { "targetFormat": "JPEG", "quality": quality } },
        ]);
        fs::write(&workflow, steps.to_string())?;
        let sample = &samples[number % samples.len()];
        let out = work.join(format!("make-{number}"));
        let made = process_json(binary, std::slice::from_ref(sample), &workflow.display().to_string(), &out)?;
        let output = made["items"][0]["output"].as_str().context("the photo was not made")?;
        let photo = folder.join(format!("photo-{number:03}.jpg"));
        fs::rename(output, &photo)?;
        photos.push(photo);
    }
    Ok(photos)
}

fn process_json(binary: &Path, photos: &[PathBuf], workflow: &str, out: &Path) -> anyhow::Result<Value> {
    let output = Command::new(binary)
        .arg("process")
        .args(photos)
        .args(["--workflow", workflow, "--json", "--out"])
        .arg(out)
        .stderr(Stdio::null())
        .output()?;
    let report: Value = serde_json::from_slice(&output.stdout)
        .with_context(|| format!("`packshot process --workflow {workflow}` gave no report"))?;
    ensure!(output.status.success(), "`packshot process --workflow {workflow}` failed: {report}");
    Ok(report)
}

fn through_process(
    binary: &Path,
    work: &Path,
    photos: &[PathBuf],
    workflow: &'static str,
    options: &Options,
) -> anyhow::Result<Row> {
    let mut row = Row { way: "process", workflow, rates: Vec::new(), peak_rss: 0, steps: Vec::new() };
    for round in 0..options.rounds {
        let out = work.join(format!("{}-{round}", workflow.replace(' ', "-")));
        let report = process_json(binary, photos, workflow, &out)?;
        let seconds = report["seconds"].as_f64().context("the report has no time")?;
        row.rates.push(photos.len() as f64 / seconds);
        row.peak_rss = row.peak_rss.max(report["peak_memory_bytes"].as_u64().unwrap_or_default());
        let items = report["items"].as_array().context("the report has no items")?;
        row.steps = mean_steps(items.iter().filter_map(|item| item["steps"].as_array()));
        fs::remove_dir_all(&out)?;
    }
    Ok(row)
}

/// Mean milliseconds of each component, in the order of the steps.
fn mean_steps<'a>(reports: impl Iterator<Item = &'a Vec<Value>>) -> Vec<(String, f64)> {
    let mut order: Vec<String> = Vec::new();
    let mut sums: BTreeMap<String, (f64, u32)> = BTreeMap::new();
    for step in reports.flatten() {
        let name = step["component"].as_str().unwrap_or("?").to_owned();
        if !order.contains(&name) {
            order.push(name.clone());
        }
        let sum = sums.entry(name).or_default();
        sum.0 += step["millis"].as_f64().unwrap_or_default();
        sum.1 += 1;
    }
    order
        .into_iter()
        .map(|name| {
            let (sum, count) = sums[&name];
            (name, sum / f64::from(count))
        })
        .collect()
}

fn through_http(
    binary: &Path,
    work: &Path,
    photos: &[PathBuf],
    workflow: &'static str,
    options: &Options,
) -> anyhow::Result<Row> {
    let mut row = Row { way: "HTTP", workflow, rates: Vec::new(), peak_rss: 0, steps: Vec::new() };
    for round in 0..options.rounds {
        // A fresh server each round: neither the step cache nor the blobs know the photos.
        let data = work.join(format!("data-{}-{round}", workflow.replace(' ', "-")));
        let server = Server::start(binary, &data, &[("PACKSHOT_RUNS__MINIMUM_VISIBLE_MS", "0")])?;
        let id = server.client.workflow(workflow)?;
        let began = Instant::now();
        let mut executions = Vec::new();
        for photo in photos {
            let bytes = fs::read(photo)?;
            let name = photo.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            executions.push(server.client.create(&id, &name, &bytes)?);
        }
        for execution in &executions {
            ensure!(server.client.result(execution)? > 0, "an empty result");
        }
        row.rates.push(photos.len() as f64 / began.elapsed().as_secs_f64());
        row.peak_rss = row.peak_rss.max(server.peak_rss());
        drop(server);
        fs::remove_dir_all(&data)?;
    }
    Ok(row)
}

fn page(rows: &[Row], options: &Options) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "Work: {} photos of 12 megapixels (JPEG, 4000 by 3000, made from the samples), {} rounds. \"process\" is one call of\n\
         `packshot process` over all of them, start and model loading included; \"HTTP\" is a fresh server that takes the\n\
         photos one after the other (`POST /v1/workflow/execution/create`) and gives the results back\n\
         (`/result/default`), with every write synced to disk.\n",
        options.photos, options.rounds
    );
    text.push_str(
        "| way | workflow | images/s (best) | images/s (median) | peak RSS |\n|---|---|---|---|---|\n",
    );
    for row in rows {
        let (best, median) = best_and_median(&row.rates);
        let _ = writeln!(
            text,
            "| {} | {} | {best:.2} | {median:.2} | {:.0} MB |",
            row.way,
            row.workflow,
            row.peak_rss as f64 / 1e6
        );
    }
    text.push_str(
        "\nTime of each step, in milliseconds for one photo (mean over the last round of `process`):\n\n",
    );
    text.push_str("| workflow | steps |\n|---|---|\n");
    for row in rows.iter().filter(|row| !row.steps.is_empty()) {
        let steps: Vec<_> = row.steps.iter().map(|(name, millis)| format!("{name} {millis:.1}")).collect();
        let _ = writeln!(text, "| {} | {} |", row.workflow, steps.join(", "));
    }
    text
}

fn best_and_median(rates: &[f64]) -> (f64, f64) {
    let mut sorted = rates.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted.last().copied().unwrap_or_default(), sorted.get(sorted.len() / 2).copied().unwrap_or_default())
}
