//! Why bytes could not be stored or read.

use std::io;

use domain::image::ContentHash;

/// Why bytes could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No blob has this hash.
    #[error("no bytes are stored under `{0}`")]
    Missing(ContentHash),
    /// The stored bytes do not hash to their name; they are never handed out. Storing the right bytes again repairs it.
    #[error("the bytes stored under `{0}` are damaged; store the file again to repair them")]
    Corrupt(ContentHash),
    /// The range asked for is not within the blob.
    #[error("the range begins or ends outside of the `{len}` bytes there are")]
    Range {
        /// Bytes the blob has.
        len: u64,
    },
    /// The disk is full, or the quota is used up; the same call works once there is room.
    #[error("the disk is full; free some space and try again")]
    Full(#[source] io::Error),
    /// The disk failed.
    #[error("cannot {what}")]
    Io {
        /// What was tried: `write a temporary file`.
        what: &'static str,
        /// The cause.
        #[source]
        source: io::Error,
    },
}

impl BlobError {
    /// An input or output error by its kind, having tried `what`.
    pub(crate) fn io(what: &'static str) -> impl Fn(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full(source),
            _ => Self::Io { what, source },
        }
    }

    /// An object store's error by its kind, having tried `what` with that blob.
    pub(crate) fn store(what: &'static str, hash: ContentHash) -> impl Fn(object_store::Error) -> Self {
        move |error| match error {
            object_store::Error::NotFound { .. } => Self::Missing(hash),
            other => Self::io(what)(io_cause(other)),
        }
    }
}

/// The operating system's error beneath an object store's, so that a full disk is known as one.
fn io_cause(error: object_store::Error) -> io::Error {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(inner) = cause {
        if let Some(code) = inner.downcast_ref::<io::Error>().and_then(io::Error::raw_os_error) {
            return io::Error::from_raw_os_error(code);
        }
        cause = inner.source();
    }
    io::Error::other(error)
}
