//! The database as one thing: opening it, and the two ways into it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use domain::time::{Clock, Timestamp};
use rusqlite::Connection;
use store::{Change, Store, StoreError};
use tempfile::TempDir;
use tokio::sync::broadcast;

use crate::readers::Readers;
use crate::schema;
use crate::writer::{Tx, Writer};

/// Connections that read at the same time, at most.
const READERS: usize = 4;

/// Changes a slow listener may be behind before it misses some.
const CHANGES: usize = 4096;

/// Everything that is remembered, in one SQLite file. Dropping it finishes what was asked for and closes the file.
pub struct Sqlite {
    // Before the writer, so that the writer closes last and can put the log back into the file.
    readers: Readers,
    writer: Writer,
    clock: Arc<dyn Clock>,
    changes: broadcast::Sender<Change>,
    /// Last, so that the folder goes after the connections.
    _temporary: Option<TempDir>,
}

impl Sqlite {
    /// Opens the database file, making it and its folder if they are not there, and brings its schema up to date.
    /// Refuses a file of a newer schema, and files of other programs. Blocking: for the start of a program.
    pub fn open(path: &Path, clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        Self::open_held(path.to_owned(), clock, None)
    }

    /// An empty database that goes when it is dropped, on a clock of the caller's.
    pub fn temporary(clock: Arc<dyn Clock>) -> Result<Self, StoreError> {
        let folder = tempfile::tempdir()
            .map_err(|error| StoreError::Unavailable(format!("cannot make a temporary folder: {error}")))?;
        Self::open_held(folder.path().join("packshot.db"), clock, Some(folder))
    }

    fn open_held(path: PathBuf, clock: Arc<dyn Clock>, held: Option<TempDir>) -> Result<Self, StoreError> {
        schema::prepare(&path)?;
        let changes = broadcast::Sender::new(CHANGES);
        let writer = Writer::start(path.clone(), Arc::clone(&clock), changes.clone())?;
        Ok(Self { writer, readers: Readers::new(path, READERS), clock, changes, _temporary: held })
    }

    /// The store's time.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Does `work` within the next transaction; answers once that is on disk. It may be taken back and done again before
    /// that, so it must leave what it captured as it was.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.writer.write(name, work).await
    }

    /// Reads from one snapshot.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.readers.read(work).await
    }
}

impl Store for Sqlite {
    fn clock(&self) -> &dyn Clock {
        &*self.clock
    }

    fn changes(&self) -> broadcast::Receiver<Change> {
        self.changes.subscribe()
    }
}
