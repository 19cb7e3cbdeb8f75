//! The place where blobs lie: `sha256/ab/<hex>` for what is published, `tmp/` beside it for what is on its way.

use std::fs::{self, File};
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use domain::image::ContentHash;
use domain::time::Timestamp;
use object_store::local::LocalFileSystem;
use object_store::path::Path as Location;
use object_store::{
    GetOptions, GetResultPayload, ObjectStore, ObjectStoreExt, RenameOptions, RenameTargetMode,
};
use sha2::{Digest, Sha256};
use tokio::task::spawn_blocking;

use crate::spool::blocking;
use crate::stream::{self, Streamed};
use crate::{BlobError, Sealed, Spool};

/// Blobs in a folder. Cheap to clone; every clone is the same folder.
#[derive(Clone)]
pub struct Blobs {
    folder: Arc<Path>,
    store: Arc<LocalFileSystem>,
}

impl Blobs {
    /// Blobs in that folder, which is made if it is not there. Blocking, but short: for the start of a program.
    pub fn folder(dir: &Path) -> Result<Self, BlobError> {
        let failed = BlobError::io("make the folder for blobs");
        fs::create_dir_all(dir.join("sha256")).map_err(&failed)?;
        fs::create_dir_all(dir.join("tmp")).map_err(&failed)?;
        let dir = dir.canonicalize().map_err(&failed)?;
        // What is published below must not vanish with the folder's own entry.
        for folder in [Some(dir.as_path()), dir.parent()].into_iter().flatten() {
            File::open(folder).and_then(|folder| folder.sync_all()).map_err(&failed)?;
        }
        let store = LocalFileSystem::new_with_prefix(&dir)
            .map_err(|error| failed(io::Error::other(error)))?
            .with_fsync(true);
        Ok(Self { folder: dir.into(), store: Arc::new(store) })
    }

    /// Begins a temporary file in the same file system, hashed while it is written.
    pub async fn spool(&self) -> Result<Spool, BlobError> {
        Spool::begin(self.folder.join("tmp")).await
    }

    /// Publishes a sealed file under its hash; when this answers, it survives a power cut. Bytes that are there already
    /// are replaced by these equal ones, which repairs them should they have been damaged.
    pub async fn publish(&self, sealed: Sealed) -> Result<ContentHash, BlobError> {
        let hash = sealed.hash;
        let name =
            sealed.path().file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let from = Location::from_iter(["tmp", name.as_str()]);
        // Renaming over an equal blob rather than keeping the old one: the old one may be damaged, or its folder entry
        // not synced yet by whoever is publishing it at this moment.
        let options = RenameOptions::new().with_target_mode(RenameTargetMode::Overwrite);
        self.store
            .rename_opts(&from, &location(hash), options)
            .await
            .map_err(BlobError::store("publish a blob", hash))?;
        Ok(hash)
    }

    /// Stores these bytes; when this answers, they survive a power cut.
    pub async fn put(&self, bytes: Bytes) -> Result<ContentHash, BlobError> {
        let mut spool = self.spool().await?;
        spool.write(&bytes).await?;
        self.publish(spool.seal().await?).await
    }

    /// The bytes of that hash, checked against it.
    pub async fn read(&self, hash: ContentHash) -> Result<Bytes, BlobError> {
        let found = self.store.get(&location(hash)).await.map_err(BlobError::store("open a blob", hash))?;
        let bytes = found.bytes().await.map_err(BlobError::store("read a blob", hash))?;
        let (bytes, found) = spawn_blocking(move || {
            let found = Sha256::digest(&bytes);
            (bytes, found)
        })
        .await
        .map_err(|error| BlobError::io("read a blob")(io::Error::other(error)))?;
        if <[u8; 32]>::from(found) == hash.0 { Ok(bytes) } else { Err(BlobError::Corrupt(hash)) }
    }

    /// The bytes of that hash, or those within the range (end exclusive), as a stream checked as [`Streamed`]'s module
    /// says: before its first byte, or for large blobs before its last.
    pub async fn stream(&self, hash: ContentHash, range: Option<Range<u64>>) -> Result<Streamed, BlobError> {
        let opened = self
            .store
            .get_opts(&location(hash), GetOptions::default())
            .await
            .map_err(BlobError::store("open a blob", hash))?;
        let total = opened.meta.size;
        match opened.payload {
            GetResultPayload::File(file, _) => stream::open(file, hash, total, range).await,
            GetResultPayload::Stream(_) => {
                Err(BlobError::io("open a blob")(io::Error::other("a folder's blob is not a file")))
            }
        }
    }

    /// Whether there are bytes of that hash. Does not check them.
    pub async fn exists(&self, hash: ContentHash) -> Result<bool, BlobError> {
        match self.len(hash).await {
            Ok(_) => Ok(true),
            Err(BlobError::Missing(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many bytes the blob of that hash has. Does not check them.
    pub async fn len(&self, hash: ContentHash) -> Result<u64, BlobError> {
        let found =
            self.store.head(&location(hash)).await.map_err(BlobError::store("look at a blob", hash))?;
        Ok(found.size)
    }

    /// Where the blob lies as a file, for readers that need one, if it is there. Whoever reads it must check the bytes.
    pub fn local_path(&self, hash: ContentHash) -> Option<PathBuf> {
        let path = self.folder.join(location(hash).as_ref());
        path.is_file().then_some(path)
    }

    /// Deletes temporary files last written before that time, which a killed process left behind. Answers how many.
    pub async fn sweep_temp(&self, before: Timestamp) -> Result<u64, BlobError> {
        let folder = self.folder.join("tmp");
        let before = UNIX_EPOCH + Duration::from_millis(before.0.max(0).unsigned_abs());
        blocking(move || {
            let mut swept = 0;
            for entry in fs::read_dir(&folder)? {
                let entry = entry?;
                // A file that vanishes meanwhile was published or dropped by its owner.
                let old = entry.metadata().and_then(|found| found.modified()).is_ok_and(|at| at < before);
                if old && fs::remove_file(entry.path()).is_ok() {
                    swept += 1;
                }
            }
            Ok(swept)
        })
        .await
        .map_err(BlobError::io("sweep temporary files"))
    }
}

fn location(hash: ContentHash) -> Location {
    let hex = hash.to_string();
    Location::from_iter(["sha256", &hex[..2], &hex])
}
