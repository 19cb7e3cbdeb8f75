//! The command line as a shell sees it: output, exit codes, resuming.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::support::{finish, packshot, sample};

fn process(words: &[&str], inputs: &[&Path], out: &Path) -> std::process::Output {
    let mut command = packshot(&["process"]);
    command.args(inputs).args(words).arg("--out").arg(out);
    finish(command)
}

fn json(output: &std::process::Output) -> Value {
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

#[test]
fn process_does_folders_tells_failures_apart_and_goes_on_where_it_stopped() {
    let dir = tempfile::tempdir().expect("a folder");
    let photos = dir.path().join("photos");
    fs::create_dir_all(photos.join("inner")).expect("folders");
    fs::copy(sample("coffee-cup.jpg"), photos.join("cup.jpg")).expect("copied");
    fs::copy(sample("pliers.jpg"), photos.join("inner/cup.jpg")).expect("copied");
    fs::copy(sample("teacup.webp"), photos.join("cup.webp")).expect("copied");
    fs::write(photos.join("broken.jpg"), b"this is not a picture").expect("written");
    fs::write(photos.join("notes.txt"), b"not a photo at all").expect("written");
    let out = dir.path().join("out");
    let words = ["--workflow", "export-only", "--json"];

    let output = process(&words, &[&photos], &out);
    assert_eq!(output.status.code(), Some(1), "some failed: {}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    assert_eq!((&report["done"], &report["failed"]), (&3.into(), &1.into()), "{report}");
    let items = report["items"].as_array().expect("items");
    let broken = items.iter().find(|item| item["status"] == "failed").expect("one failed");
    assert!(broken["input"].as_str().expect("a path").ends_with("broken.jpg"));
    assert!(broken["message"].as_str().is_some_and(|message| !message.is_empty()), "{broken}");
    assert!(out.join("inner").is_dir(), "a folder's structure is kept");

    fs::remove_file(photos.join("broken.jpg")).expect("removed");
    let output = process(&words, &[&photos], &out);
    assert_eq!(output.status.code(), Some(0));
    let report = json(&output);
    assert_eq!((&report["done"], &report["unchanged"]), (&0.into(), &3.into()), "{report}");

    // A result that never came to be, as after a power cut, is made again.
    let lost = report["items"][0]["output"].as_str().expect("a path").to_owned();
    fs::remove_file(&lost).expect("removed");
    let report = json(&process(&words, &[&photos], &out));
    assert_eq!((&report["done"], &report["unchanged"]), (&1.into(), &2.into()), "{report}");
    assert!(fs::exists(&lost).expect("readable"));

    // A changed photo is done again, and so is everything under a changed workflow.
    fs::copy(sample("tape-measure.jpg"), photos.join("cup.jpg")).expect("copied");
    let report = json(&process(&words, &[&photos], &out));
    assert_eq!((&report["done"], &report["unchanged"]), (&1.into(), &2.into()), "{report}");
    let workflow = dir.path().join("small.json");
    let steps = r#"[{"type":"input"},{"type":"export","settings":{"targetFormat":"JPEG","quality":50}}]"#;
    fs::write(&workflow, steps).expect("written");
    let report =
        json(&process(&["--workflow", workflow.to_str().expect("a path"), "--json"], &[&photos], &out));
    assert_eq!(report["done"], 3, "{report}");
}

#[cfg(unix)]
#[test]
fn process_passes_over_pipes_and_names_files_it_cannot_name() {
    use std::os::unix::ffi::OsStrExt as _;
    let dir = tempfile::tempdir().expect("a folder");
    let photos = dir.path().join("photos");
    fs::create_dir_all(&photos).expect("a folder");
    fs::copy(sample("teacup.webp"), photos.join("cup.webp")).expect("copied");
    let strange = photos.join(std::ffi::OsStr::from_bytes(b"strange\xff.webp"));
    fs::copy(sample("teacup.webp"), strange).expect("copied");
    let made =
        std::process::Command::new("mkfifo").arg(photos.join("pipe.jpg")).status().expect("mkfifo runs");
    assert!(made.success());
    let output = process(&["--workflow", "export-only", "--json"], &[&photos], &dir.path().join("out"));
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    assert_eq!((&report["done"], &report["failed"]), (&1.into(), &1.into()), "{report}");
    let output =
        process(&["--workflow", "export-only"], &[&photos.join("pipe.jpg")], &dir.path().join("out"));
    assert_eq!(output.status.code(), Some(2), "a pipe is no photo");
}

#[test]
fn strict_models_refuse_to_begin_without_them() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = packshot(&["process", "--strict-models", "--offline", "--workflow", "white-packshot"]);
    command.arg(sample("teacup.webp")).arg("--out").arg(dir.path().join("out"));
    command.arg("--models-dir").arg(dir.path().join("no-models"));
    let output = finish(command);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn without_any_model_the_studio_matte_steps_in_and_says_so() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut command = packshot(&["process", "--offline", "--json", "--workflow", "transparent-cut-out"]);
    command.arg(sample("pliers.jpg")).arg("--out").arg(dir.path().join("out"));
    command.arg("--models-dir").arg(dir.path().join("no-models"));
    let output = finish(command);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    let report = json(&output);
    let steps = report["items"][0]["steps"].as_array().expect("steps");
    let model = steps.iter().find_map(|step| step.get("model")).expect("a model is named");
    assert_eq!(model["id"], "studio");
    assert!(
        model["fallback"]
            .as_str()
            .is_some_and(|reason| reason.contains("isnet-1024") || reason.contains("u2netp")),
        "{model}"
    );
}

#[test]
fn process_never_writes_over_an_original() {
    let dir = tempfile::tempdir().expect("a folder");
    let photo = dir.path().join("cup.png");
    let made = process(
        &["--workflow", "export-only", "--json"],
        &[&sample("coffee-cup.jpg")],
        &dir.path().join("first"),
    );
    fs::copy(json(&made)["items"][0]["output"].as_str().expect("a path"), &photo).expect("copied");
    let before = fs::read(&photo).expect("readable");
    let output = process(&["--workflow", "export-only", "--json"], &[&photo], dir.path());
    assert_eq!(fs::read(&photo).expect("readable"), before, "the original was changed");
    let written = json(&output)["items"][0]["output"].as_str().map(str::to_owned);
    assert_ne!(written.as_deref(), photo.to_str());
}

#[test]
fn exit_codes_tell_usage_from_configuration() {
    let code = |words: &[&str]| finish(packshot(words)).status.code();
    assert_eq!(code(&["--nonsense"]), Some(2));
    assert_eq!(
        code(&["process", "nowhere.jpg", "--workflow", "export-only", "--out", "/tmp/packshot-none"]),
        Some(2)
    );
    assert_eq!(code(&["components", "nonsense"]), Some(2));
    assert_eq!(code(&["models", "verify", "nonsense"]), Some(2));
    assert_eq!(code(&["serve", "--config", "/nowhere/packshot.toml"]), Some(3));
    assert_eq!(code(&["components"]), Some(0));
}

#[test]
fn components_and_workflows_describe_themselves() {
    let output = finish(packshot(&["components", "--json"]));
    let components: Vec<Value> = serde_json::from_slice(&output.stdout).expect("JSON");
    let kinds: Vec<_> = components.iter().map(|one| one["type"].as_str().expect("a type")).collect();
    for kind in [
        "input",
        "removeBackground",
        "crop",
        "setOnCanvas",
        "dropShadow",
        "fillBackground",
        "editFilename",
        "export",
    ] {
        assert!(kinds.contains(&kind), "{kind} is missing from {kinds:?}");
    }
    let help = String::from_utf8(finish(packshot(&["components", "dropShadow"])).stdout).expect("text");
    for setting in ["opacity", "blur", "distance", "angle"] {
        assert!(help.contains(setting), "{help}");
    }

    let list: Vec<Value> =
        serde_json::from_slice(&finish(packshot(&["workflows", "list", "--json"])).stdout).expect("JSON");
    assert_eq!(list[0]["price"], 10, "the first workflow only exports");
    let dir = tempfile::tempdir().expect("a folder");
    for workflow in &list {
        // What `show` prints, `validate` takes.
        let shown = finish(packshot(&["workflows", "show", workflow["name"].as_str().expect("a name")]));
        let file = dir.path().join("workflow.json");
        fs::write(&file, &shown.stdout).expect("written");
        let output = finish(packshot(&["workflows", "validate", file.to_str().expect("a path"), "--json"]));
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        let checked: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(checked["price"], workflow["price"]);
    }
    let file = dir.path().join("bad.json");
    fs::write(
        &file,
        r#"[{"type":"input"},{"type":"setOnCanvas","settings":{"width":-4}},{"type":"export"}]"#,
    )
    .expect("written");
    let output = finish(packshot(&["workflows", "validate", file.to_str().expect("a path")]));
    assert_eq!(output.status.code(), Some(2));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("width"), "{said}");
}

#[test]
fn models_are_listed_with_their_licences() {
    let models: Vec<Value> =
        serde_json::from_slice(&finish(packshot(&["models", "list", "--json"])).stdout).expect("JSON");
    for model in &models {
        assert_eq!(model["sha256"].as_str().map(str::len), Some(64), "{model}");
        assert!(model["licence"].as_str().is_some_and(|licence| !licence.is_empty()), "{model}");
    }
    assert!(models.iter().any(|model| model["id"] == "u2netp"));
}
