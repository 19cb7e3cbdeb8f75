//! Results of steps, kept within bounds: the latest in memory, the dear ones on disk too.

mod container;
mod disk;
mod key;
mod memory;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use self::disk::Disk;
pub(crate) use self::key::Key;
use self::memory::Memory;
use crate::Frame;

/// How much a [`StepCache`] may keep.
#[derive(Clone, Debug, Default)]
pub struct CacheLimits {
    /// Bytes of frames in memory; 0 keeps none.
    pub memory_bytes: u64,
    /// Where results of dear components are kept, if anywhere.
    pub disk: Option<DiskTier>,
}

/// A folder of kept results.
#[derive(Clone, Debug)]
pub struct DiskTier {
    /// The folder; it is made if it is not there, and belongs to the cache alone.
    pub folder: PathBuf,
    /// Bytes of its files together; what was used longest ago goes first.
    pub bytes: u64,
}

/// How a cache was used since it was made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Steps whose result was found in memory.
    pub memory_hits: u64,
    /// Steps whose result was found on disk.
    pub disk_hits: u64,
    /// Bytes in memory now.
    pub memory_bytes: u64,
    /// Bytes on disk now.
    pub disk_bytes: u64,
}

/// Results of steps by the SHA-256 of all that decides them. Shared between threads; a result that cannot be read or
/// written is worked out again, never an error.
#[derive(Default)]
pub struct StepCache {
    memory: Option<Mutex<Memory>>,
    disk: Option<Disk>,
    memory_hits: AtomicU64,
    disk_hits: AtomicU64,
}

impl StepCache {
    /// A cache within these bounds; fails when the folder cannot be made or listed.
    pub fn new(limits: CacheLimits) -> std::io::Result<Self> {
        let memory = (limits.memory_bytes > 0).then(|| Mutex::new(Memory::new(limits.memory_bytes)));
        let disk = match limits.disk {
            Some(tier) if tier.bytes > 0 => Some(Disk::open(tier.folder, tier.bytes)?),
            _ => None,
        };
        Ok(Self { memory, disk, ..Self::default() })
    }

    /// A cache that keeps nothing.
    pub fn none() -> Self {
        Self::default()
    }

    /// How the cache was used so far.
    pub fn stats(&self) -> CacheStats {
        CacheStats {
            memory_hits: self.memory_hits.load(Ordering::Relaxed),
            disk_hits: self.disk_hits.load(Ordering::Relaxed),
            memory_bytes: self.memory.as_ref().map_or(0, |memory| lock(memory).bytes()),
            disk_bytes: self.disk.as_ref().map_or(0, Disk::bytes),
        }
    }

    /// The frame after the step with that key. Only what is `dear` is looked for on disk.
    pub(crate) fn get(&self, key: &Key, dear: bool) -> Option<Frame> {
        if let Some(frame) = self.memory.as_ref().and_then(|memory| lock(memory).get(key)) {
            self.memory_hits.fetch_add(1, Ordering::Relaxed);
            return Some(frame);
        }
        let frame = self.disk.as_ref().filter(|_| dear)?.get(key)?;
        self.disk_hits.fetch_add(1, Ordering::Relaxed);
        if let Some(memory) = &self.memory {
            lock(memory).put(*key, &frame);
        }
        Some(frame)
    }

    /// Keeps the frame after the step with that key. Only what is `dear` goes to disk.
    pub(crate) fn put(&self, key: &Key, frame: &Frame, dear: bool) {
        if let Some(memory) = &self.memory {
            lock(memory).put(*key, frame);
        }
        if let Some(disk) = self.disk.as_ref().filter(|_| dear) {
            disk.put(key, frame);
        }
    }
}

/// Every change under these locks is whole before anything can panic, so that a poisoned one is as good as any.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
