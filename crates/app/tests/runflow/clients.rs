//! Callers as integrators write them, in Python with its standard library and in JavaScript with `fetch`, each a file of its own.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house::{House, LOOPBACK, picture};

fn caller(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runflow/callers").join(name)
}

fn runs(program: &str, file: &str) {
    let house = House::with(&LOOPBACK);
    let folder = tempfile::tempdir().expect("a folder");
    let shot = folder.path().join("mug.png");
    std::fs::write(&shot, picture(7)).expect("written");
    let output = Command::new(program)
        .arg(caller(file))
        .args([house.base(), &house.key])
        .arg(&shot)
        .arg(house.plain_model())
        .output()
        .unwrap_or_else(|error| panic!("{program}: {error}"));
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("fine"), "{said}");
}

#[test]
fn a_caller_in_python_does_its_day() {
    runs("python3", "client.py");
}

#[test]
fn a_caller_in_javascript_does_its_day() {
    runs("node", "client.mjs");
}
