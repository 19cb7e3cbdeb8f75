//! Bytes on their way out, checked against their name.
//!
//! A whole blob of up to [`VERIFY_FIRST`] bytes, and any range, is hashed from disk before the first byte goes out. A
//! larger whole blob is hashed while it goes out, with its last chunk held back until the hash is right: a damaged one
//! ends in an error, short of its length, so that no reader can take it for complete.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;

use bytes::Bytes;
use domain::image::ContentHash;
use futures::stream::{self, BoxStream, StreamExt};
use sha2::{Digest, Sha256};

use crate::BlobError;
use crate::spool::blocking;

/// Largest blob, in bytes, that is checked as a whole before its first byte is streamed.
pub const VERIFY_FIRST: u64 = 16 * 1024 * 1024;

/// Bytes in one chunk of a stream, at most.
pub const STREAM_CHUNK: usize = 256 * 1024;

/// A blob, or a range of one, as a stream.
pub struct Streamed {
    /// Bytes the whole blob has.
    pub total: u64,
    /// Bytes the stream will give, unless it ends in an error.
    pub len: u64,
    /// The bytes. An error ends it.
    pub bytes: BoxStream<'static, Result<Bytes, BlobError>>,
}

/// Hashes a file from its beginning.
pub(crate) fn hash_file(file: &mut File) -> io::Result<ContentHash> {
    file.seek(SeekFrom::Start(0))?;
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; STREAM_CHUNK];
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(ContentHash(hasher.finalize().into())),
            read => hasher.update(&chunk[..read]),
        }
    }
}

struct Reading {
    file: File,
    left: u64,
    hash: ContentHash,
    /// Present while the bytes are hashed on their way.
    hasher: Option<Sha256>,
}

pub(crate) async fn open(
    mut file: File,
    hash: ContentHash,
    total: u64,
    range: Option<Range<u64>>,
) -> Result<Streamed, BlobError> {
    let range = match range {
        Some(range) if range.start > range.end || range.end > total => {
            return Err(BlobError::Range { len: total });
        }
        Some(range) => range,
        None => 0..total,
    };
    let whole = range == (0..total);
    let verify_first = !whole || total <= VERIFY_FIRST;
    let (start, left) = (range.start, range.end - range.start);
    let (file, found) = blocking(move || {
        let found = if verify_first { hash_file(&mut file)? } else { hash };
        file.seek(SeekFrom::Start(start))?;
        Ok((file, found))
    })
    .await
    .map_err(BlobError::io("read a blob"))?;
    if found != hash {
        return Err(BlobError::Corrupt(hash));
    }
    let reading = Reading { file, left, hash, hasher: (!verify_first).then(Sha256::new) };
    let bytes = stream::try_unfold(reading, next).boxed();
    Ok(Streamed { total, len: left, bytes })
}

async fn next(mut reading: Reading) -> Result<Option<(Bytes, Reading)>, BlobError> {
    if reading.left == 0 {
        return Ok(None);
    }
    let hash = reading.hash;
    let read = blocking(move || {
        let size = reading.left.min(STREAM_CHUNK as u64);
        let mut chunk = vec![0; size as usize];
        reading.file.read_exact(&mut chunk)?;
        reading.left -= size;
        if let Some(hasher) = &mut reading.hasher {
            hasher.update(&chunk);
        }
        Ok((Bytes::from(chunk), reading))
    })
    .await;
    let (chunk, mut reading) = match read {
        // Shorter than when it was opened: somebody cut it.
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(BlobError::Corrupt(hash)),
        other => other.map_err(BlobError::io("read a blob"))?,
    };
    if reading.left == 0
        && let Some(hasher) = reading.hasher.take()
        && <[u8; 32]>::from(hasher.finalize()) != hash.0
    {
        return Err(BlobError::Corrupt(hash));
    }
    Ok(Some((chunk, reading)))
}
