//! What happened to runs, batches and evaluations, for those who asked to be told. It is recorded in the transaction that
//! makes it true.

use crate::batch::{Batch, BatchEnd};
use crate::evaluation::Evaluation;
use crate::id::{EvaluationId, EventId, OrgId, RunId};
use crate::run::{Run, Status};
use crate::time::Timestamp;
use uuid::Uuid;

/// Something came to rest, or needs somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its id; the same over every attempt to deliver it.
    pub id: EventId,
    /// Whose.
    pub org: OrgId,
    /// What happened.
    pub what: What,
    /// When.
    pub at: Timestamp,
}

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// A run took a status.
    Run {
        /// Which run.
        run: RunId,
        /// The status it took.
        status: Status,
    },
    /// Every run of a batch has ended.
    Batch {
        /// Which batch, by [`Batch::handle`].
        batch: Uuid,
        /// How.
        end: BatchEnd,
    },
    /// An evaluation ended.
    Evaluation {
        /// Which one.
        evaluation: EvaluationId,
        /// Whether it has a report.
        completed: bool,
    },
}

impl What {
    /// The run that it happened to, if it did to one.
    pub const fn run(&self) -> Option<RunId> {
        match self {
            Self::Run { run, .. } => Some(*run),
            Self::Batch { .. } | Self::Evaluation { .. } => None,
        }
    }

    /// The id of what it happened to.
    pub const fn subject(&self) -> Uuid {
        match self {
            Self::Run { run, .. } => run.0,
            Self::Batch { batch, .. } => *batch,
            Self::Evaluation { evaluation, .. } => evaluation.0,
        }
    }

    /// Which kind of event it is.
    pub const fn kind(&self) -> Option<Kind> {
        Some(match self {
            Self::Run { status, .. } => match status {
                Status::Succeeded => Kind::RunSucceeded,
                Status::Failed => Kind::RunFailed,
                Status::Cancelled => Kind::RunCancelled,
                Status::Unpaid => Kind::RunUnpaid,
                Status::InReview => Kind::RunInReview,
                Status::Queued | Status::Running => return None,
            },
            Self::Batch { end, .. } => match end {
                BatchEnd::Succeeded => Kind::BatchSucceeded,
                BatchEnd::PartlySucceeded => Kind::BatchPartlySucceeded,
                BatchEnd::Failed => Kind::BatchFailed,
                BatchEnd::Cancelled => Kind::BatchCancelled,
            },
            Self::Evaluation { completed: true, .. } => Kind::EvaluationCompleted,
            Self::Evaluation { completed: false, .. } => Kind::EvaluationFailed,
        })
    }
}

/// The kinds of event that one may ask to be told of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// A run succeeded.
    RunSucceeded,
    /// A run failed.
    RunFailed,
    /// A run was cancelled.
    RunCancelled,
    /// A run could not be paid.
    RunUnpaid,
    /// A run waits for a person's check.
    RunInReview,
    /// Every run of a batch succeeded.
    BatchSucceeded,
    /// A batch ended, and some of its runs succeeded.
    BatchPartlySucceeded,
    /// A batch ended, and none of its runs succeeded.
    BatchFailed,
    /// Every run of a batch was cancelled.
    BatchCancelled,
    /// An evaluation has a report.
    EvaluationCompleted,
    /// An evaluation came to nothing.
    EvaluationFailed,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 11] = [
        Self::RunSucceeded,
        Self::RunFailed,
        Self::RunCancelled,
        Self::RunUnpaid,
        Self::RunInReview,
        Self::BatchSucceeded,
        Self::BatchPartlySucceeded,
        Self::BatchFailed,
        Self::BatchCancelled,
        Self::EvaluationCompleted,
        Self::EvaluationFailed,
    ];

    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RunSucceeded => "run_succeeded",
            Self::RunFailed => "run_failed",
            Self::RunCancelled => "run_cancelled",
            Self::RunUnpaid => "run_unpaid",
            Self::RunInReview => "run_in_review",
            Self::BatchSucceeded => "batch_succeeded",
            Self::BatchPartlySucceeded => "batch_partly_succeeded",
            Self::BatchFailed => "batch_failed",
            Self::BatchCancelled => "batch_cancelled",
            Self::EvaluationCompleted => "evaluation_completed",
            Self::EvaluationFailed => "evaluation_failed",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
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

/// What is told of an event: the thing as it was when that happened, whatever became of it since.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// A run.
    Run(Box<Run>),
    /// A batch with its runs, in their order.
    Batch(Box<Batch>, Vec<Run>),
    /// An evaluation.
    Evaluation(Box<Evaluation>),
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
    /// Media type of its bodies: that of every [`Message`].
    fn media_type(&self) -> &'static str {
        "application/json"
    }

    /// What to send of an event.
    fn message(&self, event: &Event, told: Told) -> Message;

    /// Headers of this dialect's own that go with a body: its signatures with these secrets, the present one first.
    /// `delivery` names this attempt's delivery. None of them is needed where a standard one says the same.
    fn headers(&self, secrets: &[&[u8]], delivery: &str, body: &[u8]) -> Vec<(&'static str, String)>;
}
