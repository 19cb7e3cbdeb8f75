//! What is known of the files in one model's folder, so that a start need not read 100 MB again.
//!
//! `record.json` beside the files holds their sizes, times and hashes as they were when last read in full, and the
//! self-tests passed. Without it, or when a time differs (a copied folder), the files are read in full once.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::manifest::Item;

const NAME: &str = "record.json";

/// What was seen when the files were last read in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    id: String,
    files: Vec<Seen>,
    /// Self-tests passed with these files, as runtime and processor.
    #[serde(default)]
    pub(crate) passed: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Seen {
    name: String,
    bytes: u64,
    modified_ns: u128,
    sha256: String,
}

/// How the files in a folder stand to what the manifest wants.
pub(crate) enum State {
    /// At least one file is not there.
    Absent,
    /// All are there, untouched since they were last read in full and found right.
    Ready(Record),
    /// All are there with the right sizes, but they have not been read yet.
    Unchecked,
    /// A file is not the pinned one.
    Damaged(Damage),
}

/// A file that is not the pinned one.
pub(crate) struct Damage {
    pub(crate) name: String,
    pub(crate) expected: String,
    pub(crate) found: String,
}

/// Looks at names, sizes and times only.
pub(crate) fn glance(folder: &Path, item: Item<'_>) -> State {
    let mut seen = Vec::new();
    for (name, sha256, bytes) in item.files() {
        match look(folder, name, sha256) {
            Ok(file) if file.bytes == bytes => seen.push(file),
            Ok(file) => {
                return State::Damaged(Damage {
                    name: name.to_owned(),
                    expected: format!("{sha256} ({bytes} bytes)"),
                    found: format!("{} bytes", file.bytes),
                });
            }
            Err(_) => return State::Absent,
        }
    }
    match load(folder) {
        Some(record) if record.id == item.id() && record.files == seen => State::Ready(record),
        _ => State::Unchecked,
    }
}

/// Reads every file in full, and writes down what it finds if all are right.
pub(crate) fn examine(folder: &Path, item: Item<'_>) -> io::Result<Result<Record, Damage>> {
    let mut files = Vec::new();
    for (name, sha256, _) in item.files() {
        let found = sha256_of(&folder.join(name))?;
        if found != sha256 {
            return Ok(Err(Damage { name: name.to_owned(), expected: sha256.to_owned(), found }));
        }
        files.push(look(folder, name, sha256)?);
    }
    // The files are the same bytes as before, so what they passed they still pass.
    let passed = load(folder).map(|record| record.passed).unwrap_or_default();
    let record = Record { id: item.id().to_owned(), files, passed };
    record.save(folder);
    Ok(Ok(record))
}

impl Record {
    /// Writes down one more passed self-test.
    pub(crate) fn add_passed(&mut self, folder: &Path, key: String) {
        if !self.passed.contains(&key) {
            self.passed.push(key);
            self.save(folder);
        }
    }

    /// A folder that cannot be written to is as good; it is then read in full at each start.
    fn save(&self, folder: &Path) {
        let text = serde_json::to_vec_pretty(self).expect("texts and numbers are JSON");
        let write = || -> io::Result<()> {
            let partial = partial_of(&folder.join(NAME));
            File::create(&partial).and_then(|mut file| file.write_all(&text))?;
            fs::rename(&partial, folder.join(NAME))
        };
        if let Err(error) = write() {
            tracing::debug!(folder = %folder.display(), %error, "cannot write down what was checked");
        }
    }
}

fn load(folder: &Path) -> Option<Record> {
    serde_json::from_slice(&fs::read(folder.join(NAME)).ok()?).ok()
}

fn look(folder: &Path, name: &str, sha256: &str) -> io::Result<Seen> {
    let metadata = fs::metadata(folder.join(name))?;
    let modified_ns = metadata.modified()?.duration_since(UNIX_EPOCH).map_or(0, |age| age.as_nanos());
    Ok(Seen { name: name.to_owned(), bytes: metadata.len(), modified_ns, sha256: sha256.to_owned() })
}

/// Names a file beside `path`, of this thread's own, that is written first and then renamed to it.
pub(crate) fn partial_of(path: &Path) -> PathBuf {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    path.with_extension(format!("partial-{}-{count}", std::process::id()))
}

/// Computes the SHA-256 of a file, in hexadecimal.
pub(crate) fn sha256_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hex::encode(hash.finalize())),
            count => hash.update(&buffer[..count]),
        }
    }
}

/// Computes the SHA-256 of bytes, in hexadecimal.
pub(crate) fn sha256_of_bytes(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}
