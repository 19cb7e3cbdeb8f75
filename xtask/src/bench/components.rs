//! Processor time and memory of each component at 12 and 24 megapixels, each in a process of its own.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, ensure};
use components::{CacheLimits, StepCache};
use domain::workflow::Step;
use serde_json::{Value, json};

use crate::house;
use crate::samples::{self, Ground, Kind, Spec};

/// Megapixels, width and height.
const SIZES: [(u32, u32, u32); 2] = [(12, 4000, 3000), (24, 6000, 4000)];

/// Ways of a component that are measured besides its usual one: what it is called, and its settings.
const WAYS: [(&str, &str, &str); 12] = [
    ("removeBackground", "studio", r#"{ "mode": "studio" }"#),
    ("color", "recolorTo", r##"{ "recolorTo": "#B02030" }"##),
    ("dropShadow", "contact", r#"{ "type": "contact" }"#),
    ("dropShadow", "cast", r#"{ "type": "cast" }"#),
    ("dropShadow", "reflection", r#"{ "type": "reflection" }"#),
    ("dropShadow", "natural", r#"{ "type": "natural" }"#),
    ("fillBackground", "linear", r#"{ "type": "linear" }"#),
    ("fillBackground", "cleanUp", r#"{ "type": "cleanUp" }"#),
    ("export", "JPEG", r#"{ "targetFormat": "JPEG" }"#),
    ("export", "AVIF", r#"{ "targetFormat": "AVIF" }"#),
    ("export", "TIFF", r#"{ "targetFormat": "TIFF" }"#),
    ("export", "PSD", r#"{ "targetFormat": "PSD" }"#),
];

/// Settings of the usual way of components whose defaults change nothing; the others are measured with their defaults.
fn usual(kind: &str) -> Value {
    match kind {
        "fillBackground" => json!({ "color": "#F2F2F2" }),
        "setOnCanvas" => json!({ "width": 2048, "height": 2048, "upscale": true }),
        "resize" => json!({ "width": 2000 }),
        "rotate" => json!({ "angle": 7 }),
        "extend" => json!({ "top": "10%", "left": "10%", "unplain": "pad" }),
        "color" => json!({ "exposure": 0.3, "contrast": 15, "saturation": 10 }),
        "watermark" => json!({ "text": "Packshot" }),
        "removeObject" => json!({ "boxes": [{ "x": 0.45, "y": 0.45, "width": 0.05, "height": 0.05 }] }),
        "upscale" => json!({ "factor": 2, "method": "resample", "maximumMegapixels": 100 }),
        _ => json!({}),
    }
}

/// The component and the settings of a row, which is called `kind` or `kind way`.
fn row(name: &str) -> anyhow::Result<(&str, Value)> {
    let Some((kind, way)) = name.split_once(' ') else { return Ok((name, usual(name))) };
    let found = WAYS.iter().find(|(of, called, _)| (*of, *called) == (kind, way));
    let (_, _, settings) = found.with_context(|| format!("no row is called `{name}`"))?;
    Ok((kind, serde_json::from_str(settings)?))
}

/// The names of all rows.
fn rows() -> Vec<String> {
    let mut rows = Vec::new();
    for entry in components::ALL {
        rows.push(entry.kind.to_owned());
        let ways = WAYS.iter().filter(|(kind, ..)| *kind == entry.kind);
        rows.extend(ways.map(|(kind, way, _)| format!("{kind} {way}")));
    }
    rows
}

/// Whether a component is measured on a cut-out rather than on the photo.
fn needs_cut_out(kind: &str) -> bool {
    ["crop", "setOnCanvas", "shadow", "dropShadow", "fillBackground", "ghostMannequin"].contains(&kind)
}

/// One measurement, as a child process prints it.
struct Cost {
    seconds: f64,
    peak: f64,
}

/// Measures every component and answers the table.
pub fn measure(work: &Path) -> anyhow::Result<String> {
    let photos: Vec<PathBuf> = SIZES.iter().map(|size| photo(work, size)).collect::<anyhow::Result<_>>()?;
    let mut text = String::from(
        "Each component on a generated photo (a bottle before a coloured backdrop, JPEG), in a process of its own, with its\n\
         default settings or, where those change nothing, typical ones. Seconds are of processor time, all threads\n\
         together, beyond what the steps before it and `export` take; the peak is that of the whole process, with the\n\
         decoded photo, the result and (for `removeBackground`) the network in it.\n",
    );
    if cfg!(debug_assertions) {
        text.push_str("Built with the development profile: optimised, but with overflow checks, which a release does not have.\n");
    }
    text.push_str(
        "\n| component | s at 12 MP | s at 24 MP | ratio | peak at 12 MP | peak at 24 MP |\n|---|---|---|---|---|---|\n",
    );
    let mut left_out = Vec::new();
    for name in rows() {
        let costs: anyhow::Result<Vec<Cost>> = photos.iter().map(|photo| child(&name, photo)).collect();
        match costs {
            Ok(costs) => {
                let [twelve, twenty_four] = costs.as_slice() else { continue };
                let _ = writeln!(
                    text,
                    "| {} | {:.2} | {:.2} | {} | {:.0} MB | {:.0} MB |",
                    name,
                    twelve.seconds,
                    twenty_four.seconds,
                    if twelve.seconds < 0.05 {
                        "–".to_owned()
                    } else {
                        format!("{:.1}", twenty_four.seconds / twelve.seconds)
                    },
                    twelve.peak / 1e6,
                    twenty_four.peak / 1e6,
                );
            }
            Err(error) => left_out.push(format!("`{name}` ({error:#})")),
        }
    }
    if !left_out.is_empty() {
        let _ = writeln!(text, "\nNot measured alone: {}.", left_out.join(", "));
    }
    Ok(text)
}

fn photo(work: &Path, &(megapixels, width, height): &(u32, u32, u32)) -> anyhow::Result<PathBuf> {
    let spec = Spec {
        kind: Kind::Bottle,
        ground: Ground::Colour,
        width,
        height,
        jpeg: Some(92),
        ..Spec::numbered(0, 4, width)
    };
    let file = work.join(format!("{megapixels}mp.jpg"));
    fs::write(&file, samples::photo_file(&spec, &samples::render(&spec)?)?)?;
    Ok(file)
}

fn child(kind: &str, photo: &Path) -> anyhow::Result<Cost> {
    // Twice: once for the time, with the steps before it kept, and once for the memory, with nothing kept.
    let ask = |what: &str| -> anyhow::Result<Value> {
        let output = Command::new(std::env::current_exe()?)
            .args(["component-cost", kind, what])
            .arg(photo)
            .output()
            .context("cannot start a process to measure in")?;
        let said = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{}", said.trim().trim_start_matches("error: "));
        Ok(serde_json::from_slice(&output.stdout)?)
    };
    let number = |value: &Value, name: &str| value[name].as_f64().with_context(|| format!("no `{name}`"));
    Ok(Cost { seconds: number(&ask("time")?, "seconds")?, peak: number(&ask("memory")?, "peak")? })
}

/// What a child process measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum What {
    /// Processor time.
    Time,
    /// The largest resident set.
    Memory,
}

/// Arguments of a child process.
#[derive(clap::Args)]
pub struct Child {
    kind: String,
    what: What,
    photo: PathBuf,
}

/// Measures one component in this process and prints it.
pub fn run_child(options: &Child) -> anyhow::Result<()> {
    let bytes = fs::read(&options.photo)?;
    let (kind, settings) = row(&options.kind)?;
    let uses_network = kind == "skinRetouch" || options.kind == "removeBackground";
    let networks = if uses_network { Some(house::networks()?) } else { None };
    if let Some(networks) = networks.as_ref().filter(|_| kind == "removeBackground") {
        networks.cut_out().context("the networks are not there")?;
    }
    let before = steps_before(kind)?;
    let export = house::step("export", &json!({ "targetFormat": "JPEG", "targetMode": "RGB" }))?;
    let with: Vec<Step> = match kind {
        "input" => vec![before[0].clone(), export.clone()],
        "export" => vec![before[0].clone(), house::step("export", &settings)?],
        _ => before.iter().cloned().chain([house::step(kind, &settings)?, export.clone()]).collect(),
    };
    let mut toolbox = house::toolbox(networks);
    if options.what == What::Memory {
        house::process(&toolbox, &bytes, "photo.jpg", &with)?;
        println!("{}", json!({ "peak": peak_rss() }));
        return Ok(());
    }
    let timed = |steps: &[Step], toolbox: &components::Toolbox| -> anyhow::Result<f64> {
        let began = house::cpu_seconds();
        house::process(toolbox, &bytes, "photo.jpg", steps)?;
        Ok(house::cpu_seconds() - began)
    };
    let seconds = if kind == "input" {
        let warm = timed(&with, &toolbox)?;
        toolbox.cache = kept()?;
        let whole = timed(&with, &toolbox)?.min(warm);
        // A second export of the same frame: what is left is reading it.
        let other =
            house::step("export", &json!({ "targetFormat": "JPEG", "targetMode": "RGB", "quality": 91 }))?;
        whole - timed(&[before[0].clone(), other], &toolbox)?
    } else {
        let without: Vec<Step> = before.iter().cloned().chain([export]).collect();
        let mut least = f64::INFINITY;
        let began = std::time::Instant::now();
        for turn in 0..3 {
            // Where it takes long, one more turn tells little.
            if turn > 0 && began.elapsed().as_secs() > 8 {
                break;
            }
            toolbox.cache = kept()?;
            timed(&without, &toolbox)?;
            let other = house::step(
                "export",
                &json!({ "targetFormat": "JPEG", "targetMode": "RGB", "quality": 91 }),
            )?;
            let idle: Vec<Step> = before.iter().cloned().chain([other]).collect();
            let idle = if kind == "export" { 0.0 } else { timed(&idle, &toolbox)? };
            least = least.min(timed(&with, &toolbox)? - idle);
        }
        least
    };
    println!("{}", json!({ "seconds": seconds.max(0.0) }));
    Ok(())
}

fn steps_before(kind: &str) -> anyhow::Result<Vec<Step>> {
    let mut steps = vec![house::step("input", &json!({}))?];
    if needs_cut_out(kind) {
        steps.push(house::step("removeBackground", &json!({ "mode": "studio" }))?);
    }
    Ok(steps)
}

fn kept() -> anyhow::Result<StepCache> {
    Ok(StepCache::new(CacheLimits { memory_bytes: 4 << 30, disk: None })?)
}

/// The largest resident set of this process so far, in bytes.
fn peak_rss() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap_or_default() * 1024.0
}
