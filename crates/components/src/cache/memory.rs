//! Frames in memory, by use.

use std::collections::HashMap;

use super::Key;
use crate::Frame;

/// Frames within a number of bytes; what was used longest ago goes first.
pub(super) struct Memory {
    limit: u64,
    bytes: u64,
    uses: u64,
    frames: HashMap<Key, Kept>,
}

struct Kept {
    frame: Frame,
    bytes: u64,
    last_use: u64,
}

impl Memory {
    pub fn new(limit: u64) -> Self {
        Self { limit, bytes: 0, uses: 0, frames: HashMap::new() }
    }

    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    pub fn get(&mut self, key: &Key) -> Option<Frame> {
        self.uses += 1;
        let kept = self.frames.get_mut(key)?;
        kept.last_use = self.uses;
        Some(kept.frame.clone())
    }

    pub fn put(&mut self, key: Key, frame: &Frame) {
        // Frames share pixels with each other; counting them each in full errs on the safe side.
        let bytes = frame.byte_len() as u64;
        if bytes > self.limit {
            return;
        }
        self.uses += 1;
        let kept = Kept { frame: frame.clone(), bytes, last_use: self.uses };
        self.bytes += bytes;
        if let Some(old) = self.frames.insert(key, kept) {
            self.bytes -= old.bytes;
        }
        while self.bytes > self.limit {
            let Some(oldest) = self.frames.iter().min_by_key(|(_, kept)| kept.last_use).map(|(key, _)| *key)
            else {
                break;
            };
            if let Some(old) = self.frames.remove(&oldest) {
                self.bytes -= old.bytes;
            }
        }
    }
}
