//! Bytes on their way in: a temporary file that is hashed while it is written.
//!
//! This is file code of our own because an object store wants the final name before the first byte, and the name is the
//! hash, known only after the last one; and because a picture's header is read from the file before it is published.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use domain::image::ContentHash;
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::BlobError;

/// Bytes gathered before one trip to a blocking thread.
const GATHER: usize = 256 * 1024;

/// A temporary file's path; the file is deleted when this is dropped, unless it was moved away.
#[derive(Debug)]
pub(crate) struct TempPath(PathBuf);

impl TempPath {
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for TempPath {
    fn drop(&mut self) {
        // Published files are gone from here already; any other leftover is swept later.
        let _ = fs::remove_file(&self.0);
    }
}

/// Makes a new file in the folder for temporary files, under a name nobody else has.
fn create_in(folder: &Path) -> io::Result<(File, TempPath)> {
    static COUNT: AtomicU64 = AtomicU64::new(0);
    loop {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("{}-{number}.part", std::process::id()));
        // An earlier process of the same number may have left a file of that name behind.
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, TempPath(path))),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
        }
    }
}

struct Writing {
    file: File,
    hasher: Sha256,
}

impl Writing {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.file.write_all(bytes)
    }
}

/// A temporary file being written. Dropping it deletes the file.
pub struct Spool {
    /// Absent while a blocking thread has it, and for good if that thread failed or the write was given up.
    writing: Option<Writing>,
    gathered: Vec<u8>,
    len: u64,
    temp: TempPath,
}

impl Spool {
    pub(crate) async fn begin(folder: PathBuf) -> Result<Self, BlobError> {
        let (file, temp) =
            blocking(move || create_in(&folder)).await.map_err(BlobError::io("make a temporary file"))?;
        Ok(Self {
            writing: Some(Writing { file, hasher: Sha256::new() }),
            gathered: Vec::new(),
            len: 0,
            temp,
        })
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing has been written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends bytes. After an error, or if the call was cancelled, the spool is of no more use.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), BlobError> {
        self.len += bytes.len() as u64;
        self.gathered.extend_from_slice(bytes);
        if self.gathered.len() >= GATHER { self.flush().await } else { Ok(()) }
    }

    async fn flush(&mut self) -> Result<(), BlobError> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut writing = self.take_writing()?;
        let (writing, mut gathered) = blocking(move || {
            writing.append(&gathered)?;
            Ok((writing, gathered))
        })
        .await
        .map_err(BlobError::io("write a temporary file"))?;
        gathered.clear();
        self.writing = Some(writing);
        self.gathered = gathered;
        Ok(())
    }

    fn take_writing(&mut self) -> Result<Writing, BlobError> {
        self.writing.take().ok_or_else(|| {
            BlobError::io("write a temporary file")(io::Error::other("an earlier write failed"))
        })
    }

    /// Ends the file: from here on it is synced to disk, and its hash is known.
    pub async fn seal(mut self) -> Result<Sealed, BlobError> {
        let gathered = std::mem::take(&mut self.gathered);
        let mut writing = self.take_writing()?;
        let hash = blocking(move || {
            writing.append(&gathered)?;
            writing.file.sync_all()?;
            Ok(ContentHash(writing.hasher.finalize().into()))
        })
        .await
        .map_err(BlobError::io("sync a temporary file"))?;
        Ok(Sealed { hash, len: self.len, temp: self.temp })
    }
}

/// A temporary file that is whole and synced, but not yet published. Dropping it deletes the file.
#[derive(Debug)]
pub struct Sealed {
    /// SHA-256 of its bytes.
    pub hash: ContentHash,
    /// How many bytes it has.
    pub len: u64,
    pub(crate) temp: TempPath,
}

impl Sealed {
    /// Where it lies, until it is published or dropped.
    pub fn path(&self) -> &Path {
        self.temp.path()
    }
}

/// Runs blocking file work off the async threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> io::Result<T> {
    spawn_blocking(work).await.map_err(io::Error::other)?
}
