//! Bytes by content hash. A blob is named by the SHA-256 of its bytes, stored once, synced to disk before anybody hears
//! of it, and checked against its name whenever it is read. Knows nothing of pictures, runs or organizations.

mod blobs;
mod error;
mod spool;
mod stream;
#[cfg(test)]
mod tests;

pub use blobs::Blobs;
pub use error::BlobError;
pub use spool::{Sealed, Spool};
pub use stream::{STREAM_CHUNK, Streamed, VERIFY_FIRST};
