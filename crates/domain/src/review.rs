//! The check of a result by a person, before it counts as done.

use serde::{Deserialize, Serialize};

use crate::id::UserId;
use crate::time::Timestamp;

/// What a person says about a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is good: the run has succeeded.
    Approve,
    /// It is not: the run is done once more, free of charge, perhaps with other settings.
    Reprocess,
    /// It is not, and will not be: the run has failed.
    GiveUp,
}

impl Verdict {
    /// Every verdict.
    pub const ALL: [Self; 3] = [Self::Approve, Self::Reprocess, Self::GiveUp];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reprocess => "reprocess",
            Self::GiveUp => "give_up",
        }
    }

    /// The verdict of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.as_str() == text)
    }
}

/// The latest check of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// What was said.
    pub verdict: Verdict,
    /// By whom.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
