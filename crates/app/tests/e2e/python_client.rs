//! The published Python client, unmodified, against the real server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::{Server, credentials, models_dir, root, sample, small_network};

const VERSION: &str = "0.3.0";

/// A virtual environment with the client, made once and kept in the cache. Its installation edits shell start-up files,
/// so it is given a throw-away home.
pub fn python() -> PathBuf {
    let cache = models_dir().parent().expect("a parent").join("test-clients");
    let ready = cache.join(format!("autoretouch-{VERSION}"));
    let interpreter = |folder: &PathBuf| folder.join("venv/bin/python");
    if interpreter(&ready).exists() {
        return interpreter(&ready);
    }
    fs::create_dir_all(&cache).expect("a cache folder");
    let folder = tempfile::Builder::new().prefix("making-").tempdir_in(&cache).expect("a folder");
    let home = folder.path().join("home");
    fs::create_dir_all(&home).expect("a home");
    let venv = folder.path().join("venv");
    let run = |program: PathBuf, words: &[&str]| {
        let output = Command::new(&program).args(words).env("HOME", &home).output().expect("it runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{} {words:?}: {said}", program.display());
    };
    // `--copies`, because the folder is moved when it is whole.
    run(PathBuf::from("python3"), &["-m", "venv", "--copies", venv.to_str().expect("a path")]);
    let pip = venv.join("bin/python");
    run(pip, &["-m", "pip", "install", "--quiet", &format!("autoretouch=={VERSION}")]);
    // Whoever renames first wins; the others use what is there.
    let _ = fs::rename(folder.path(), &ready);
    assert!(interpreter(&ready).exists(), "the client could not be installed");
    interpreter(&ready)
}

/// Fills a folder with that many small photos. The same one under many names, each with other bytes: a JPEG may carry
/// anything after its end.
pub fn small_photos(folder: &Path, many: usize) {
    fs::create_dir_all(folder).expect("a folder");
    let small = fs::read(root().join("crates/app/tests/e2e/files/orientation-1.jpg")).expect("a file");
    for number in 0..many {
        let bytes = [small.as_slice(), format!("copy {number}").as_bytes()].concat();
        fs::write(folder.join(format!("cup {number:03} é.jpg")), bytes).expect("writable");
    }
}

#[test]
fn the_published_python_client_works_unmodified() {
    small_network();
    let python = python();
    let dir = tempfile::tempdir().expect("a folder");
    let server = Server::start(&dir.path().join("data"), &[]);
    let credentials = credentials(server.data());
    let photos = dir.path().join("photos");
    let results = dir.path().join("results");
    fs::create_dir_all(&results).expect("a folder");
    small_photos(&photos, 200);
    let output = Command::new(python)
        .arg(root().join("crates/app/tests/e2e/python_client.py"))
        .args([&server.base, credentials["refresh_token"].as_str().expect("a token")])
        .args([&sample("coffee-cup.jpg"), &photos, &results])
        .arg("White packshot")
        .env("HOME", dir.path())
        .output()
        .expect("python runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let seen: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(seen["folder"], 200);
    assert!(seen["result_bytes"].as_u64().expect("a number") > 1000);
}
