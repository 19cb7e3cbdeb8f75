//! What measurements share: the components with their networks, a Python with packages, and files of pictures.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use anyhow::{Context as _, ensure};
use components::{Input, Product, StepCache, Toolbox};
use domain::image::{ContentHash, FileName};
use domain::workflow::Step;
use neural::{Runtime, RuntimeOptions};
use pixels::{Bitmap, EncodeOptions, Encoding};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::root;

/// The folder with the models: that of the tests, else the user's cache.
pub fn models_dir() -> anyhow::Result<PathBuf> {
    if let Some(folder) = std::env::var_os("PACKSHOT_TEST_MODELS") {
        return Ok(folder.into());
    }
    let cache = match std::env::var_os("XDG_CACHE_HOME") {
        Some(folder) => PathBuf::from(folder),
        None => Path::new(&std::env::var_os("HOME").context("HOME is not set")?).join(".cache"),
    };
    Ok(cache.join("packshot/models"))
}

/// The networks, fetched if they are not there.
pub fn networks() -> anyhow::Result<Arc<Runtime>> {
    Ok(Arc::new(Runtime::new(RuntimeOptions::new(models_dir()?))?))
}

/// The components, without a cache, for pictures of any side.
pub fn toolbox(networks: Option<Arc<Runtime>>) -> Toolbox {
    let mut toolbox = Toolbox::new(networks, StepCache::none());
    toolbox.limits.working_side = 16_384;
    toolbox
}

/// A step with checked settings.
pub fn step(kind: &str, settings: &Value) -> anyhow::Result<Step> {
    let entry = components::entry(kind).with_context(|| format!("no component is called `{kind}`"))?;
    let settings = ((entry.describe)().check)(settings)
        .map_err(|reason| anyhow::anyhow!("settings of `{kind}`: {reason}"))?;
    Ok(Step { kind: kind.to_owned(), label: kind.to_owned(), settings })
}

/// Takes the bytes of a picture through steps, `input` first and `export` last.
pub fn process(toolbox: &Toolbox, bytes: &[u8], name: &str, steps: &[Step]) -> anyhow::Result<Product> {
    let name = FileName::clean(name);
    let input = Input { bytes, hash: ContentHash(Sha256::digest(bytes).into()), name: &name };
    toolbox
        .process(&input, steps, &AtomicBool::new(false))
        .map_err(|fault| anyhow::anyhow!("{}: {}", fault.code, fault.message))
}

/// The picture in a file's bytes, at its full size.
pub fn decoded(bytes: &[u8]) -> anyhow::Result<Bitmap> {
    let options = pixels::DecodeOptions {
        limits: pixels::Limits::default(),
        fit: None,
        max_side: None,
        codec: pixels::Codec::Fast,
        assume_device_cmyk: false,
    };
    Ok(pixels::decode(bytes, &options)?.bitmap)
}

/// The bytes of a PNG.
pub fn png(bitmap: &Bitmap) -> anyhow::Result<Vec<u8>> {
    Ok(pixels::encode(bitmap, &EncodeOptions::new(Encoding::png()))?)
}

/// An interpreter with packages from the registry that pip knows, made once below `.venv` and never committed.
pub fn python(packages: &[&str]) -> anyhow::Result<PathBuf> {
    let folder = root().join(".venv");
    let python = folder.join("bin/python");
    if !python.exists() {
        called(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    }
    called(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    Ok(python)
}

/// Runs a command and fails if it does.
pub fn called(command: &mut Command) -> anyhow::Result<()> {
    let status = command.stdin(Stdio::null()).status().with_context(|| format!("cannot run {command:?}"))?;
    ensure!(status.success(), "{command:?} failed");
    Ok(())
}

/// Processor seconds that this process has used, all threads together.
pub fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The name in brackets may hold spaces; user and system time are the 12th and 13th fields after it.
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks =
        |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}
