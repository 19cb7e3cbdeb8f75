//! Baselines that come as Python packages, on the same photographs and the same network.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;
use serde_json::Value;

use crate::house;

/// One of them.
pub struct Baseline {
    /// Name of its file.
    pub file: &'static str,
    /// What it is, for a table.
    pub title: &'static str,
}

/// All of them.
pub const ALL: [Baseline; 5] = [
    Baseline { file: "network-ml", title: "network resized + PyMatting `estimate_foreground_ml`" },
    Baseline { file: "rembg", title: "`rembg` (ISNet)" },
    Baseline { file: "rembg-matting", title: "`rembg` (ISNet), `alpha_matting=True`" },
    Baseline { file: "pymatting-cf", title: "PyMatting closed form + `estimate_foreground_ml`" },
    Baseline { file: "pymatting-knn", title: "PyMatting KNN + `estimate_foreground_ml`" },
];

/// The packages, as their authors publish them.
const PACKAGES: [&str; 4] = ["rembg==2.0.86", "pymatting==1.1.16", "onnxruntime==1.32.0", "pillow"];

/// Names them for a reader.
pub fn versions() -> String {
    PACKAGES[..3].join(", ")
}

/// Lets them work on every photograph of the folder, with the network of that hash.
pub fn work(folder: &Path, sha256: &str) -> anyhow::Result<()> {
    let script = folder.join("baselines.py");
    fs::write(&script, include_str!("baselines.py"))?;
    let python = house::python(&PACKAGES)?;
    house::called(
        Command::new(python).arg(&script).arg(folder).arg(weights(sha256)?).env("OMP_NUM_THREADS", "2"),
    )
}

/// The file of the network's weights, which Packshot and the baselines share.
fn weights(sha256: &str) -> anyhow::Result<PathBuf> {
    let folder = house::models_dir()?.join(sha256);
    let files = fs::read_dir(&folder).with_context(|| format!("cannot list `{}`", folder.display()))?;
    let is_network = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "onnx");
    files
        .flatten()
        .map(|entry| entry.path())
        .find(is_network)
        .with_context(|| format!("no network lies in `{}`", folder.display()))
}

/// Forgets what was made of a photograph of that folder, unless it is still the same.
pub fn forget_unless_same(folder: &Path, photo: &[u8]) {
    if fs::read(folder.join("photo.png")).is_ok_and(|known| known != photo) {
        // What cannot be removed was not there.
        fs::remove_file(folder.join("seconds.json")).ok();
    }
}

/// Seconds of processor time that a baseline took for the photograph of that folder; `None` if it failed.
pub fn seconds(folder: &Path, baseline: &Baseline) -> Option<f64> {
    let text = fs::read_to_string(folder.join("seconds.json")).ok()?;
    serde_json::from_str::<Value>(&text).ok()?[baseline.file].as_f64()
}
