//! Blobs in a real folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use domain::image::ContentHash;
use domain::time::Timestamp;
use futures::TryStreamExt;
use proptest::prelude::*;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

use crate::{BlobError, Blobs, STREAM_CHUNK, Streamed, VERIFY_FIRST};

fn folder() -> (TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::folder(&dir.path().join("blobs")).unwrap();
    (dir, blobs)
}

fn sha256(bytes: &[u8]) -> ContentHash {
    ContentHash(Sha256::digest(bytes).into())
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Bytes that do not repeat within a chunk.
fn noise(len: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    std::iter::repeat_with(next).take(len).collect()
}

async fn collect(streamed: Streamed) -> (Vec<u8>, Result<(), BlobError>) {
    let mut got = Vec::new();
    let mut bytes = streamed.bytes;
    loop {
        match bytes.try_next().await {
            Ok(Some(chunk)) => {
                assert!(chunk.len() <= STREAM_CHUNK);
                got.extend_from_slice(&chunk);
            }
            Ok(None) => return (got, Ok(())),
            Err(error) => return (got, Err(error)),
        }
    }
}

fn flip(path: &Path, place: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[place] ^= 1;
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn what_is_put_can_be_read_and_lies_where_its_hash_says() {
    let (dir, blobs) = folder();
    let hash = blobs.put(Bytes::from_static(b"abc")).await.unwrap();
    let hex = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(hash.to_string(), hex);
    let path = dir.path().join("blobs/sha256/ba").join(hex);
    assert_eq!(fs::read(&path).unwrap(), b"abc");
    assert_eq!(blobs.local_path(hash), Some(path.canonicalize().unwrap()));
    assert_eq!(blobs.read(hash).await.unwrap(), "abc");
    assert_eq!(blobs.len(hash).await.unwrap(), 3);
    assert!(blobs.exists(hash).await.unwrap());
    assert!(files(&dir.path().join("blobs/tmp")).is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_missing() {
    let (_dir, blobs) = folder();
    let hash = sha256(b"nothing");
    assert!(matches!(blobs.read(hash).await, Err(BlobError::Missing(which)) if which == hash));
    assert!(matches!(blobs.len(hash).await, Err(BlobError::Missing(_))));
    assert!(matches!(blobs.stream(hash, None).await, Err(BlobError::Missing(_))));
    assert!(!blobs.exists(hash).await.unwrap());
    assert_eq!(blobs.local_path(hash), None);
}

#[tokio::test]
async fn equal_bytes_are_stored_once() {
    let (dir, blobs) = folder();
    let mut putting = tokio::task::JoinSet::new();
    for _ in 0..16 {
        let blobs = blobs.clone();
        putting.spawn(async move { blobs.put(Bytes::from_static(b"the same")).await.unwrap() });
    }
    let hashes = putting.join_all().await;
    assert!(hashes.iter().all(|hash| *hash == sha256(b"the same")));
    assert_eq!(files(&dir.path().join("blobs")).len(), 1);
    assert_eq!(blobs.read(hashes[0]).await.unwrap(), "the same");
}

#[tokio::test]
async fn a_folder_can_be_opened_again() {
    let (dir, blobs) = folder();
    let hash = blobs.put(Bytes::from_static(b"kept")).await.unwrap();
    drop(blobs);
    let again = Blobs::folder(&dir.path().join("blobs")).unwrap();
    assert_eq!(again.read(hash).await.unwrap(), "kept");
}

#[tokio::test]
async fn a_spool_is_seen_by_nobody_until_it_is_published() {
    let (dir, blobs) = folder();
    let mut spool = blobs.spool().await.unwrap();
    assert!(spool.is_empty());
    spool.write(b"half ").await.unwrap();
    spool.write(b"and half").await.unwrap();
    assert_eq!(spool.len(), 13);
    let sealed = spool.seal().await.unwrap();
    assert_eq!((sealed.hash, sealed.len), (sha256(b"half and half"), 13));
    assert_eq!(fs::read(sealed.path()).unwrap(), b"half and half");
    assert!(!blobs.exists(sealed.hash).await.unwrap());
    let path = sealed.path().to_owned();
    let hash = blobs.publish(sealed).await.unwrap();
    assert!(!path.exists());
    assert_eq!(blobs.read(hash).await.unwrap(), "half and half");
    assert_eq!(files(&dir.path().join("blobs")).len(), 1);
}

#[tokio::test]
async fn what_is_given_up_leaves_nothing() {
    let (dir, blobs) = folder();
    let mut spool = blobs.spool().await.unwrap();
    spool.write(&noise(600_000)).await.unwrap();
    assert_eq!(files(dir.path()).len(), 1);
    drop(spool);
    let mut spool = blobs.spool().await.unwrap();
    spool.write(b"sealed, but refused").await.unwrap();
    drop(spool.seal().await.unwrap());
    assert!(files(dir.path()).is_empty());
}

#[tokio::test]
async fn leftovers_of_a_killed_program_are_swept_when_they_are_old() {
    let (dir, blobs) = folder();
    let kept = blobs.put(Bytes::from_static(b"kept")).await.unwrap();
    let leftover = dir.path().join("blobs/tmp/1-0.part");
    fs::write(&leftover, "cut off in the mid").unwrap();
    let written = Timestamp(fs::metadata(&leftover).unwrap().mtime() * 1000);
    assert_eq!(blobs.sweep_temp(written).await.unwrap(), 0);
    assert!(leftover.exists());
    assert_eq!(blobs.sweep_temp(Timestamp(written.0 + 1000)).await.unwrap(), 1);
    assert!(!leftover.exists());
    assert_eq!(blobs.read(kept).await.unwrap(), "kept");
}

#[tokio::test]
async fn damaged_bytes_are_never_served_and_storing_them_again_repairs_them() {
    let (_dir, blobs) = folder();
    let bytes = Bytes::from(noise(500_000));
    let hash = blobs.put(bytes.clone()).await.unwrap();
    let path = blobs.local_path(hash).unwrap();
    for place in [0, 250_000, 499_999] {
        flip(&path, place);
        assert!(matches!(blobs.read(hash).await, Err(BlobError::Corrupt(which)) if which == hash));
        assert!(matches!(blobs.stream(hash, None).await, Err(BlobError::Corrupt(_))));
        // Even where the range itself is sound.
        assert!(matches!(blobs.stream(hash, Some(100..200)).await, Err(BlobError::Corrupt(_))));
        assert_eq!(blobs.put(bytes.clone()).await.unwrap(), hash);
        assert_eq!(blobs.read(hash).await.unwrap(), bytes);
    }
    let torn = fs::read(&path).unwrap();
    fs::write(&path, &torn[..torn.len() / 2]).unwrap();
    assert!(matches!(blobs.read(hash).await, Err(BlobError::Corrupt(_))));
    assert!(matches!(blobs.stream(hash, None).await, Err(BlobError::Corrupt(_))));
}

#[tokio::test]
async fn a_large_damaged_blob_never_arrives_whole() {
    let (_dir, blobs) = folder();
    let len = VERIFY_FIRST as usize + 2 * STREAM_CHUNK + 17;
    let bytes = noise(len);
    let hash = blobs.put(Bytes::from(bytes.clone())).await.unwrap();
    let streamed = blobs.stream(hash, None).await.unwrap();
    assert_eq!((streamed.len, streamed.total), (len as u64, len as u64));
    let (got, ended) = collect(streamed).await;
    assert!(ended.is_ok() && got == bytes);
    let path = blobs.local_path(hash).unwrap();
    flip(&path, 5);
    let (got, ended) = collect(blobs.stream(hash, None).await.unwrap()).await;
    assert!(matches!(ended, Err(BlobError::Corrupt(_))));
    assert!(got.len() < len);
    flip(&path, 5);
    let streamed = blobs.stream(hash, None).await.unwrap();
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(1_000_000).unwrap();
    let (got, ended) = collect(streamed).await;
    assert!(matches!(ended, Err(BlobError::Corrupt(_))), "cut while it was read");
    assert!(got.len() <= 1_000_000);
}

#[tokio::test]
async fn a_range_outside_is_refused() {
    let (_dir, blobs) = folder();
    let hash = blobs.put(Bytes::from_static(b"0123456789")).await.unwrap();
    #[allow(clippy::reversed_empty_ranges)]
    for range in [0..11, 11..11, 5..4, 0..u64::MAX] {
        assert!(matches!(blobs.stream(hash, Some(range)).await, Err(BlobError::Range { len: 10 })));
    }
    let streamed = blobs.stream(hash, Some(10..10)).await.unwrap();
    assert_eq!((streamed.len, streamed.total), (0, 10));
    assert!(collect(streamed).await.0.is_empty());
}

#[tokio::test]
async fn a_stream_under_way_outlives_its_replacement() {
    let (_dir, blobs) = folder();
    let bytes = Bytes::from(noise(3 * STREAM_CHUNK));
    let hash = blobs.put(bytes.clone()).await.unwrap();
    let streamed = blobs.stream(hash, None).await.unwrap();
    blobs.put(bytes.clone()).await.unwrap();
    assert_eq!(collect(streamed).await.0, bytes);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn however_bytes_come_in_and_go_out_they_are_the_same(
        len in prop_oneof![0..600_usize, 0..900_000_usize],
        pieces in prop::collection::vec(1..300_000_usize, 1..9),
        (from, to) in (0.0..=1.0_f64, 0.0..=1.0_f64),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (_dir, blobs) = folder();
            let bytes = noise(len);
            let mut spool = blobs.spool().await.unwrap();
            let mut rest = &bytes[..];
            for piece in pieces.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*piece).min(rest.len()));
                spool.write(now).await.unwrap();
                rest = later;
            }
            let hash = blobs.publish(spool.seal().await.unwrap()).await.unwrap();
            assert_eq!(hash, sha256(&bytes));
            assert_eq!(blobs.read(hash).await.unwrap(), bytes);
            let whole = blobs.stream(hash, None).await.unwrap();
            assert_eq!((whole.len, whole.total), (len as u64, len as u64));
            assert_eq!(collect(whole).await.0, bytes);
            let place = |share: f64| (share * len as f64) as u64;
            let (start, end) = (place(from.min(to)), place(from.max(to)));
            let part = blobs.stream(hash, Some(start..end)).await.unwrap();
            assert_eq!((part.len, part.total), (end - start, len as u64));
            assert_eq!(collect(part).await.0, bytes[start as usize..end as usize]);
        });
    }
}
