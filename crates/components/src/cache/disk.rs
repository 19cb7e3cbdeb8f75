//! Frames on disk, by use: one file each, whole or not there.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Key, container, lock};
use crate::Frame;

const EXTENSION: &str = "step";
const PARTIAL: &str = "partial";

/// A folder of frames within a number of bytes; what was used longest ago goes first.
pub(super) struct Disk {
    folder: PathBuf,
    limit: u64,
    index: Mutex<Index>,
    writes: AtomicU64,
}

#[derive(Default)]
struct Index {
    files: HashMap<String, Kept>,
    bytes: u64,
    uses: u64,
}

struct Kept {
    bytes: u64,
    last_use: u64,
}

impl Disk {
    /// Opens the folder; the times of its files say what was used longest ago.
    pub fn open(folder: PathBuf, limit: u64) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        let mut found = Vec::new();
        for entry in fs::read_dir(&folder)? {
            let entry = entry?;
            let path = entry.path();
            let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
            match path.extension().and_then(|extension| extension.to_str()) {
                Some(EXTENSION) => {
                    if let Ok(metadata) = entry.metadata() {
                        found.push((metadata.modified().ok(), stem, metadata.len()));
                    }
                }
                // Left by a process that died while writing.
                Some(PARTIAL) => drop(fs::remove_file(&path)),
                _ => {}
            }
        }
        found.sort();
        let disk = Self { folder, limit, index: Mutex::new(Index::default()), writes: AtomicU64::new(0) };
        for (_, name, bytes) in found {
            disk.remember(name, bytes);
        }
        Ok(disk)
    }

    pub fn bytes(&self) -> u64 {
        lock(&self.index).bytes
    }

    pub fn get(&self, key: &Key) -> Option<Frame> {
        let name = key.hex();
        let path = self.path(&name);
        // Another process may have written it, so the file is asked and not the index.
        let bytes = fs::read(&path).ok()?;
        match container::unpack(&bytes) {
            Ok(frame) => {
                self.remember(name, bytes.len() as u64);
                touch(&path);
                Some(frame)
            }
            Err(reason) => {
                tracing::warn!(path = %path.display(), reason, "removed a damaged step result; it is made again");
                self.forget(&name);
                None
            }
        }
    }

    pub fn put(&self, key: &Key, frame: &Frame) {
        let bytes = container::pack(frame);
        if bytes.len() as u64 > self.limit {
            return;
        }
        let name = key.hex();
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let partial = self.folder.join(format!("{name}-{}-{number}.{PARTIAL}", std::process::id()));
        let written = fs::write(&partial, &bytes).and_then(|()| fs::rename(&partial, self.path(&name)));
        match written {
            Ok(()) => self.remember(name, bytes.len() as u64),
            Err(error) => {
                drop(fs::remove_file(&partial));
                tracing::warn!(%error, folder = %self.folder.display(), "could not keep a step result");
            }
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.{EXTENSION}"))
    }

    /// Counts a file as just used, and removes others until all fit.
    fn remember(&self, name: String, bytes: u64) {
        let mut index = lock(&self.index);
        index.uses += 1;
        let last_use = index.uses;
        index.bytes += bytes;
        if let Some(old) = index.files.insert(name, Kept { bytes, last_use }) {
            index.bytes -= old.bytes;
        }
        while index.bytes > self.limit {
            let oldest =
                index.files.iter().min_by_key(|(_, kept)| kept.last_use).map(|(name, _)| name.clone());
            let Some(oldest) = oldest else { break };
            if let Some(old) = index.files.remove(&oldest) {
                index.bytes -= old.bytes;
            }
            drop(fs::remove_file(self.path(&oldest)));
        }
    }

    fn forget(&self, name: &str) {
        let mut index = lock(&self.index);
        if let Some(old) = index.files.remove(name) {
            index.bytes -= old.bytes;
        }
        drop(fs::remove_file(self.path(name)));
    }
}

/// Dates the file by the file system's own clock: its first byte is written again.
fn touch(path: &Path) {
    use std::io::Write;
    let again = fs::OpenOptions::new().write(true).open(path);
    // A file that cannot be dated is merely forgotten earlier.
    drop(again.and_then(|mut file| file.write_all(&container::MAGIC[..1])));
}

#[cfg(test)]
mod tests {
    use domain::image::ContentHash;
    use pixels::{Bitmap, Channels};

    use super::*;
    use crate::{Frame, Limits};

    fn frame(seed: u8) -> Frame {
        let noise = (0..64 * 64 * 4u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 ^ seed).collect();
        let mut frame = Frame::unread();
        frame.subject.bitmap =
            std::sync::Arc::new(Bitmap::from_u8(64, 64, Channels::Rgba, noise).expect("64 by 64"));
        (frame.width, frame.height) = (64, 64);
        frame
    }

    fn key(seed: u8) -> Key {
        Key::of_file(0, &ContentHash([seed; 32]), &Limits::default(), (None, false))
    }

    #[test]
    fn what_was_used_longest_ago_goes_first_also_after_a_restart() {
        let folder = tempfile::tempdir().expect("a folder");
        let one = container::pack(&frame(1)).len() as u64;
        let limit = one * 5 / 2;
        let disk = Disk::open(folder.path().to_owned(), limit).expect("a folder");
        disk.put(&key(1), &frame(1));
        disk.put(&key(2), &frame(2));
        assert_eq!(disk.get(&key(1)), Some(frame(1)));
        disk.put(&key(3), &frame(3));
        assert_eq!(disk.get(&key(2)), None, "2 was used longest ago");
        assert_eq!(disk.get(&key(1)), Some(frame(1)));
        assert!(disk.bytes() <= limit);
        drop(disk);
        let disk = Disk::open(folder.path().to_owned(), limit).expect("a folder");
        assert_eq!(
            disk.bytes(),
            [1, 3].map(|seed| container::pack(&frame(seed)).len() as u64).iter().sum::<u64>()
        );
        assert_eq!(disk.get(&key(3)), Some(frame(3)));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 2);
    }

    #[test]
    fn a_damaged_or_half_written_file_is_no_result_and_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        let disk = Disk::open(folder.path().to_owned(), 1 << 20).expect("a folder");
        let path = disk.path(&key(1).hex());
        disk.put(&key(1), &frame(1));
        let whole = fs::read(&path).expect("written");
        for at in [0, 9, 40, whole.len() / 2, whole.len() - 1] {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x40;
            fs::write(&path, damaged).expect("written");
            assert_eq!(disk.get(&key(1)), None, "byte {at}");
            assert!(!path.exists());
        }
        for length in [0, 3, 60, whole.len() - 1] {
            fs::write(&path, &whole[..length]).expect("written");
            assert_eq!(disk.get(&key(1)), None, "{length} bytes");
            assert!(!path.exists());
        }
        assert_eq!(disk.bytes(), 0);
        fs::write(folder.path().join("x.partial"), b"half").expect("written");
        drop(Disk::open(folder.path().to_owned(), 1 << 20).expect("a folder"));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
    }
}
