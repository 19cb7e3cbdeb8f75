//! One strip: the same picture through one component, once for each value of a setting.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::Context as _;
use components::{Context, Images, Input, Toolbox};
use domain::component::{Description, Place};
use domain::image::{ContentHash, FileName};
use pixels::{Bitmap, Channels, EncodeOptions, Encoding, Filter, Rect, Samples};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::{Preview, settings_with};
use crate::{house, root};

/// Width and height that a frame of the strip is fitted into.
const FRAME: u32 = 168;
/// Room between two frames.
const GAP: u32 = 6;
/// Largest mean difference, in levels, at which two frames look the same.
const SAME: f64 = 0.02;

/// The strip as the bytes of a WebP file; `None` where no value looks different from another.
pub fn made(
    toolbox: &Toolbox,
    description: &Description,
    setting: &str,
    preview: &Preview,
    values: &[Value],
) -> anyhow::Result<Option<Vec<u8>>> {
    let case = case_of(description.kind, preview)?;
    let mut frames = Vec::with_capacity(values.len());
    for (index, value) in values.iter().enumerate() {
        let settings = settings_with(setting, preview, values, index);
        let picture = frame(toolbox, description, &case, preview, settings)
            .with_context(|| format!("`{setting}` of {value}"))?;
        frames.push(picture);
    }
    let is_same = |other: &Bitmap| difference(&frames[0], other) < SAME;
    if frames.iter().all(is_same) {
        return Ok(None);
    }
    let options = EncodeOptions { embed_profile: false, ..EncodeOptions::new(Encoding::webp(84)) };
    Ok(Some(pixels::encode(&beside(&frames)?, &options)?))
}

fn cases() -> PathBuf {
    root().join("crates/components/tests/cases")
}

fn case_of(kind: &str, preview: &Preview) -> anyhow::Result<PathBuf> {
    let cases = cases();
    if let Some(case) = &preview.case {
        return Ok(if case.contains('/') { cases.join(case) } else { cases.join(kind).join(case) });
    }
    let mut there: Vec<PathBuf> = fs::read_dir(cases.join(kind))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    there.sort();
    there.into_iter().next().with_context(|| format!("`{kind}` has no golden case"))
}

fn frame(
    toolbox: &Toolbox,
    description: &Description,
    case: &std::path::Path,
    preview: &Preview,
    settings: Map<String, Value>,
) -> anyhow::Result<Bitmap> {
    let mut steps = vec![house::step("input", &json!({}))?];
    for (kind, settings) in &preview.before {
        steps.push(house::step(kind, settings)?);
    }
    if description.place == Place::Middle {
        steps.push(house::step(description.kind, &Value::Object(settings.clone()))?);
    }
    for (kind, settings) in &preview.after {
        steps.push(house::step(kind, settings)?);
    }
    let export = match description.place {
        Place::Last => Value::Object(settings),
        _ => json!({ "targetFormat": "PNG" }),
    };
    steps.push(house::step("export", &export)?);
    let input = ["png", "jpg", "webp", "tif"]
        .iter()
        .map(|extension| case.join(format!("in.{extension}")))
        .find(|path| path.exists())
        .with_context(|| format!("`{}` has no input", case.display()))?;
    let name = FileName::clean("preview.png");
    let files: Vec<Vec<u8>> = std::iter::once(input)
        .chain(Some(case.join("in-2.png")).filter(|path| path.exists()))
        .map(fs::read)
        .collect::<Result<_, _>>()?;
    let inputs: Vec<Input<'_>> = files
        .iter()
        .map(|bytes| Input { bytes, hash: ContentHash(Sha256::digest(bytes).into()), name: &name })
        .collect();
    let cancel = AtomicBool::new(false);
    let mut context = Context::new(&toolbox.cache, &cancel);
    context.runtime = toolbox.runtime.clone();
    let reference = match &preview.reference {
        Some(path) => cases().join(path),
        None => case.join("reference.png"),
    };
    if let Ok(bytes) = fs::read(&reference) {
        context.images = Arc::new(Images::from([(ContentHash(Sha256::digest(&bytes).into()), bytes)]));
    }
    let product = components::process_together(&context, &inputs, &steps)
        .map_err(|fault| anyhow::anyhow!("{}: {}", fault.code, fault.message))?;
    let mut picture = house::decoded(&product.file.bytes)?.into_u8();
    if let Some([x, y, width, height]) = preview.zoom {
        let (across, down) = (f64::from(picture.width()), f64::from(picture.height()));
        let rect = Rect {
            x: (x * across) as u32,
            y: (y * down) as u32,
            width: ((width * across) as u32).max(1),
            height: ((height * down) as u32).max(1),
        };
        picture = pixels::crop(&picture, rect)?;
    }
    let size =
        pixels::fit_inside((picture.width(), picture.height()), (FRAME, FRAME), preview.zoom.is_some());
    // What is enlarged shows its pixels; only a part is.
    let filter = if size.0 > picture.width() * 2 { Filter::Box } else { Filter::Lanczos3 };
    let picture = pixels::resize(&picture, size.0, size.1, filter)?;
    Ok(if picture.channels() == Channels::Rgba { over_board(&picture)? } else { picture })
}

/// Over a board of grey squares, so that what is clear shows.
fn over_board(rgba: &Bitmap) -> anyhow::Result<Bitmap> {
    let (width, height) = (rgba.width(), rgba.height());
    let board = (0..width * height)
        .flat_map(|at| [if (at % width / 8 + at / width / 8).is_multiple_of(2) { 245u8 } else { 222 }; 3])
        .collect();
    let board = Bitmap::from_u8(width, height, Channels::Rgb, board)?;
    Ok(pixels::lay_over(&board, rgba)?.without_alpha())
}

fn difference(one: &Bitmap, other: &Bitmap) -> f64 {
    match (one.samples(), other.samples()) {
        (Samples::U8(a), Samples::U8(b))
            if (one.width(), one.height()) == (other.width(), other.height()) =>
        {
            let sum: u64 = a.iter().zip(b).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            sum as f64 / a.len() as f64
        }
        _ => f64::INFINITY,
    }
}

/// The frames from left to right on a pale ground.
fn beside(frames: &[Bitmap]) -> anyhow::Result<Bitmap> {
    let height = frames.iter().map(Bitmap::height).max().unwrap_or(1) + 2 * GAP;
    let width = frames.iter().map(|frame| frame.width() + GAP).sum::<u32>() + GAP;
    let mut out = vec![236u8; (width * height * 3) as usize];
    let mut left = GAP;
    for frame in frames {
        let Samples::U8(samples) = frame.samples() else { continue };
        let top = (height - frame.height()) / 2;
        for (row, line) in samples.chunks_exact(frame.width() as usize * 3).enumerate() {
            let at = ((top as usize + row) * width as usize + left as usize) * 3;
            out[at..at + line.len()].copy_from_slice(line);
        }
        left += frame.width() + GAP;
    }
    Ok(Bitmap::from_u8(width, height, Channels::Rgb, out)?)
}
