//! Connections for reading, beside the writer.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use store::StoreError;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use crate::error::store_error;
use crate::schema;

/// Read-only connections, opened when first needed and kept.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    free: Arc<Semaphore>,
}

struct Shared {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
}

impl Shared {
    fn take(&self) -> Result<Connection, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        idle.map_or_else(|| schema::open_to_read(&self.path), Ok)
    }

    fn give_back(&self, conn: Connection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(conn);
    }
}

impl Readers {
    /// Up to `many` connections to that file.
    pub(crate) fn new(path: PathBuf, many: usize) -> Self {
        let shared = Arc::new(Shared { path, idle: Mutex::new(Vec::new()) });
        Self { shared, free: Arc::new(Semaphore::new(many)) }
    }

    /// Reads on a blocking thread, all of it from one snapshot.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let ended = |_| StoreError::Unavailable("the readers have ended".to_owned());
        let permit = Arc::clone(&self.free).acquire_owned().await.map_err(ended)?;
        let shared = Arc::clone(&self.shared);
        let read = spawn_blocking(move || {
            // Held until the connection is back, even if the caller gave up.
            let _permit = permit;
            let conn = shared.take()?;
            let snapshot = conn.unchecked_transaction().map_err(store_error)?;
            let answer = work(&snapshot);
            let ended = snapshot.commit().map_err(store_error);
            // A connection that failed is closed, lest its fault be met again.
            if answer.is_ok() && ended.is_ok() {
                shared.give_back(conn);
            }
            answer
        });
        read.await.map_err(|error| StoreError::Unavailable(format!("a read ended early: {error}")))?
    }
}
