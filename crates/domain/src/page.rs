//! One page of a list.

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// How many entries at most.
    pub limit: u32,
    /// How many entries to pass over first.
    pub offset: u64,
}

impl Default for Window {
    fn default() -> Self {
        Self { limit: 50, offset: 0 }
    }
}

/// Part of a list, and how long the whole list is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The entries in the window.
    pub entries: Vec<T>,
    /// Entries there are in all, before the window was laid over them.
    pub total: u64,
}
