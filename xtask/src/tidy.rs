//! Rules about the source itself: who may import whom, which library lives where, which words are never said.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// Which of our crates a crate may use. A crate without a row may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("pixels", &[]),
    ("neural", &[]),
    ("outbound", &[]),
    ("matting", &["pixels"]),
    ("retouch", &["pixels"]),
    ("assessment", &["pixels", "matting"]),
    ("store", &["domain"]),
    ("blob", &["domain"]),
    ("store-sqlite", &["domain", "store"]),
    ("components", &["domain", "pixels", "matting", "retouch", "neural"]),
    ("service", &["domain", "store", "blob", "outbound"]),
    ("engine", &["domain", "store", "blob", "components", "outbound", "pixels", "assessment"]),
    ("api", &["domain", "service"]),
    (
        "app",
        &[
            "domain",
            "pixels",
            "matting",
            "retouch",
            "assessment",
            "neural",
            "outbound",
            "store",
            "store-sqlite",
            "blob",
            "components",
            "service",
            "engine",
            "api",
        ],
    ),
];

/// Libraries that live behind one room each, so that changing one's mind touches one crate.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("rusqlite", &["store-sqlite"]),
    ("object_store", &["blob"]),
    ("turbojpeg", &["pixels"]),
    ("zune-jpeg", &["pixels"]),
    ("png", &["pixels"]),
    ("image-webp", &["pixels"]),
    ("libwebp-sys", &["pixels"]),
    ("tiff", &["pixels"]),
    ("fast_image_resize", &["pixels"]),
    ("lcms2", &["pixels"]),
    ("qcms", &["pixels"]),
    ("moxcms", &["pixels"]),
    ("ravif", &["pixels"]),
    ("libblur", &["pixels"]),
    ("rten", &["neural"]),
    ("openvino", &["neural"]),
    ("schemars", &["components"]),
    ("swash", &["components"]),
    ("regex", &["components"]),
    ("deunicode", &["components"]),
    ("axum", &["api", "app"]),
    ("tokio-rustls", &["api", "outbound"]),
    ("webpki-roots", &["outbound"]),
    ("url", &["outbound"]),
    ("http-body-util", &["outbound"]),
    ("hmac", &["engine", "service", "api"]),
    ("utoipa", &["api"]),
    ("askama", &["api"]),
    ("jsonwebtoken", &["service"]),
    ("argon2", &["service"]),
    ("rcgen", &["app"]),
    ("ring", &["app"]),
    ("libm", &["xtask"]),
    ("rlimit", &["app", "xtask"]),
    ("clap", &["app", "xtask"]),
    ("figment", &["app"]),
    ("tracing-subscriber", &["app"]),
    ("metrics-exporter-prometheus", &["app"]),
    ("indicatif", &["app"]),
    ("ureq", &["app", "xtask"]),
    ("anyhow", &["app", "xtask"]),
];

/// Words that a folder never says, with the reason.
const NEVER_SAYS: &[(&str, &[&str], &str)] = &[
    (
        "crates/domain/src",
        &["std::fs", "std::net", "SystemTime::now", "Instant::now", "async fn"],
        "the domain has no I/O, no clock and nothing async",
    ),
    ("crates/components/src", &["async fn", "tokio", "std::net"], "components are plain blocking code"),
    ("crates/pixels/src", &["domain::", "neural::"], "pixels know nothing of runs or networks"),
    ("crates/retouch/src", &["domain::", "neural::"], "retouching knows nothing of runs or networks"),
    (
        "crates/assessment/src",
        &["domain::", "neural::", "std::net"],
        "measures know nothing of runs or networks",
    ),
    ("crates/neural/src", &["domain::", "pixels::"], "networks know nothing of runs or pictures"),
    ("crates/service/src", &["axum", "StatusCode"], "the service knows no HTTP"),
    (
        "crates/api/src",
        &["rusqlite", "store_sqlite", "components::", "pixels::"],
        "the faces only translate for the service",
    ),
    (
        "crates/api/src/native",
        &["autoretouch", "contentHash", "chargedCredits"],
        "the native interface shares no words with a dialect",
    ),
    (
        "crates/service/src",
        &["contentHash", "chargedCredits", "resultPath", "workflowComponents"],
        "wire names stay in their dialect's folder",
    ),
    (
        "crates/engine/src",
        &["contentHash", "chargedCredits", "resultPath", "workflowComponents"],
        "wire names stay in their dialect's folder",
    ),
    (
        "crates/store/src",
        &["SELECT ", "INSERT INTO", "UPDATE ", "contentHash", "chargedCredits"],
        "the store speaks in verbs; SQL stays in its database's crate",
    ),
    ("crates/service/src", &["TcpStream"], "nothing but `outbound` opens a connection to the world"),
    ("crates/engine/src", &["TcpStream", "hyper"], "nothing but `outbound` opens a connection to the world"),
    (
        "crates/outbound/src",
        &["domain::", "SystemTime"],
        "the way out knows neither runs nor the time of day",
    ),
];

/// Everything that is wrong with the source below `root`, one line each; empty when nothing is.
pub fn check(root: &Path) -> Vec<String> {
    let mut wrong = Vec::new();
    imports_point_down(root, &mut wrong);
    words_stay_in_their_rooms(root, &mut wrong);
    no_leftovers(root, &mut wrong);
    wrong
}

fn imports_point_down(root: &Path, wrong: &mut Vec<String>) {
    for path in folders(&root.join("crates")).into_iter().chain([root.join("xtask")]) {
        let name = file_name(&path);
        let Ok(manifest) = fs::read_to_string(path.join("Cargo.toml")) else {
            wrong.push(format!("{name} has no Cargo.toml"));
            continue;
        };
        let used = match dependencies(&manifest) {
            Ok(used) => used,
            Err(error) => {
                wrong.push(format!("{name}/Cargo.toml: {error}"));
                continue;
            }
        };
        for (library, homes) in ONLY_IN {
            if used.contains(*library) && !homes.contains(&name.as_str()) {
                wrong.push(format!("{name} must not use {library}, which lives in {}", homes.join(", ")));
            }
        }
        if name == "xtask" {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(who, _)| *who == name) else {
            wrong.push(format!("{name} has no row in MAY_USE"));
            continue;
        };
        for other in &used {
            let ours = MAY_USE.iter().any(|(who, _)| who == other);
            if ours && !allowed.contains(&other.as_str()) {
                wrong.push(format!("{name} must not use {other}"));
            }
        }
    }
}

/// What a manifest depends on outside its tests.
fn dependencies(manifest: &str) -> Result<BTreeSet<String>, toml::de::Error> {
    let manifest: toml::Table = toml::from_str(manifest)?;
    let mut tables = vec![&manifest];
    if let Some(targets) = manifest.get("target").and_then(toml::Value::as_table) {
        tables.extend(targets.values().filter_map(toml::Value::as_table));
    }
    Ok(tables
        .into_iter()
        .filter_map(|table| table.get("dependencies").and_then(toml::Value::as_table))
        .flat_map(|dependencies| dependencies.keys().cloned())
        .collect())
}

fn words_stay_in_their_rooms(root: &Path, wrong: &mut Vec<String>) {
    for (folder, words, reason) in NEVER_SAYS {
        for file in rust_files(&root.join(folder)) {
            let Ok(text) = fs::read_to_string(&file) else { continue };
            for (number, line) in text.lines().enumerate() {
                // Comments may name what the code may not.
                let code = line.split("//").next().unwrap_or_default();
                for word in words.iter().filter(|word| code.contains(**word)) {
                    wrong.push(format!("{}:{}: says `{word}`: {reason}", shown(root, &file), number + 1));
                }
            }
        }
    }
}

fn no_leftovers(root: &Path, wrong: &mut Vec<String>) {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
    for file in rust_files(&root.join("crates")).into_iter().chain(rust_files(&root.join("xtask"))) {
        let Ok(text) = fs::read_to_string(&file) else { continue };
        for (number, line) in text.lines().enumerate() {
            if marks.iter().any(|mark| line.contains(mark)) {
                wrong.push(format!("{}:{}: do it now, or file it", shown(root, &file), number + 1));
            }
        }
        let lines = text.lines().count();
        if lines > 900 {
            wrong
                .push(format!("{}: {lines} lines; a file this long holds a second noun", shown(root, &file)));
        }
    }
}

fn folders(path: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .filter(|path| path.is_dir())
        .collect();
    found.sort();
    found
}

fn rust_files(path: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![path.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().filter_map(Result::ok) {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn file_name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root).unwrap_or(file).display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_source_keeps_its_rules() {
        let wrong = check(&crate::root());
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    #[test]
    fn a_forbidden_import_and_word_are_found() {
        let dir = std::env::temp_dir().join(format!("packshot-tidy-{}", std::process::id()));
        let source = dir.join("crates/domain/src");
        fs::create_dir_all(&source).expect("a temporary folder");
        fs::create_dir_all(dir.join("xtask")).expect("a temporary folder");
        fs::write(dir.join("xtask/Cargo.toml"), "").expect("writable");
        fs::write(dir.join("crates/domain/Cargo.toml"), "[dependencies]\nstore = {}\nrusqlite = {}\n")
            .expect("writable");
        fs::write(source.join("lib.rs"), "async fn f() {}\n// std::fs in a comment\n").expect("writable");
        let wrong = check(&dir).join("\n");
        fs::remove_dir_all(&dir).expect("removable");
        assert!(wrong.contains("domain must not use store"), "{wrong}");
        assert!(wrong.contains("domain must not use rusqlite"), "{wrong}");
        assert!(wrong.contains("lib.rs:1: says `async fn`"), "{wrong}");
        assert!(!wrong.contains("std::fs"), "{wrong}");
    }
}
