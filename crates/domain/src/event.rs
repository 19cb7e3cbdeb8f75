//! What happened to runs, for those who asked to be told. It is recorded in the transaction that makes it true.

use crate::id::{EventId, OrgId, RunId};
use crate::run::{Run, Status};
use crate::time::Timestamp;

/// A run came to rest, or needs somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id; the same over every attempt to deliver it.
    pub id: EventId,
    /// Whose run.
    pub org: OrgId,
    /// Which run.
    pub run: RunId,
    /// The status it took.
    pub status: Status,
    /// When.
    pub at: Timestamp,
}

/// One status that one run took: an entry of its organization's feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeedItem {
    /// Its place in the feed; later ones have higher places, with gaps.
    pub place: u64,
    /// Which run.
    pub run: RunId,
    /// The status it took.
    pub status: Status,
    /// When.
    pub at: Timestamp,
}

impl Event {
    /// Whether taking this status is worth telling: every final one, and waiting for review.
    pub const fn tells(status: Status) -> bool {
        status.is_final() || matches!(status, Status::InReview)
    }
}

/// What is sent of an event, in the words of a dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Media type of the body.
    pub media_type: &'static str,
    /// The body, exactly as it is signed and sent.
    pub body: Vec<u8>,
}

/// Puts events into the words their receivers know.
pub trait Dialect: Send + Sync {
    /// What to send of an event. `run` is the run as it was when that happened, whatever became of it since.
    fn message(&self, event: &Event, run: Run) -> Message;
}
