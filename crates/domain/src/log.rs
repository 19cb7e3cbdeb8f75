//! A run's log: what happened to it, line by line, for its owner.

use serde_json::Value;

use crate::id::{LogId, OrgId, RunId};
use crate::time::Timestamp;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct LogLine {
    /// Its id; later ones sort after earlier ones.
    pub id: LogId,
    /// Whose run.
    pub org: OrgId,
    /// Which run.
    pub run: RunId,
    /// When.
    pub at: Timestamp,
    /// How much it matters.
    pub level: Level,
    /// What happened, for people.
    pub message: String,
    /// The same for programs; an object.
    pub meta: Value,
}

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For whoever looks closely.
    Debug,
    /// As it should be.
    Info,
    /// Somebody should look at it.
    Warning,
    /// It went wrong.
    Error,
}

impl Level {
    /// Every level, the least first.
    pub const ALL: [Self; 4] = [Self::Debug, Self::Info, Self::Warning, Self::Error];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }

    /// The level of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|level| level.as_str() == text)
    }
}
