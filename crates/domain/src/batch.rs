//! A batch: runs of one organization that their owner counts together. People call it an order.

use uuid::Uuid;

use crate::id::{OrgId, UserId, WorkflowId, of_name};
use crate::request::Request;
use crate::run::Status;
use crate::time::Timestamp;

/// What a new run says about the batch it belongs to. The batch begins with its first run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRef {
    /// Its id: whatever the caller chose, unique within the organization.
    pub id: String,
    /// Its name for people; empty if none was given.
    pub name: String,
    /// When the caller says that it was made, if they say.
    pub created_at: Option<Timestamp>,
}

/// The UUID that stands for a batch's id where only a UUID can stand: the id itself where it is one, or else one of version
/// 8 made of the organization and the id.
pub fn handle(org: OrgId, id: &str) -> Uuid {
    // In another spelling it is another id.
    if let Ok(uuid) = Uuid::try_parse(id)
        && uuid.hyphenated().to_string() == id
    {
        return uuid;
    }
    of_name(&[org.0.as_bytes(), id.as_bytes()])
}

/// A batch, counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// Its id.
    pub id: String,
    /// The same as a UUID: its id where that is one.
    pub handle: Uuid,
    /// Whose it is.
    pub org: OrgId,
    /// The first name that any of its runs gave it.
    pub name: String,
    /// Who asked for its earliest run.
    pub author: UserId,
    /// When it was made: as its earliest run says, or else when that run was made.
    pub created_at: Timestamp,
    /// The workflow of its earliest run.
    pub workflow: WorkflowId,
    /// That workflow's name at the time.
    pub workflow_name: String,
    /// Runs in it.
    pub runs: u64,
    /// Credits charged for them.
    pub charged: u64,
    /// How many of them are in each status.
    pub counts: Counts,
    /// How many runs it has when it is whole; `None` for one that may grow.
    pub size: Option<u64>,
    /// What was asked for, for a batch that was asked for as a whole.
    pub request: Option<Request>,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// When its first run was taken by a worker.
    pub started_at: Option<Timestamp>,
    /// When its last run ended; of one that may grow, the last so far.
    pub ended_at: Option<Timestamp>,
}

/// How a batch ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchEnd {
    /// Every run succeeded.
    Succeeded,
    /// Some did.
    PartlySucceeded,
    /// None did, and one failed or was never paid.
    Failed,
    /// Every run was cancelled.
    Cancelled,
}

impl BatchEnd {
    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::PartlySucceeded => "partly_succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The end of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Succeeded, Self::PartlySucceeded, Self::Failed, Self::Cancelled]
            .into_iter()
            .find(|end| end.as_str() == text)
    }
}

/// Where a batch stands, in the words for a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchStatus {
    /// None of its runs has left the queue.
    Queued,
    /// Some run has not ended, or there are to be more.
    Running,
    /// It ended.
    Ended(BatchEnd),
}

impl BatchStatus {
    /// Every status.
    pub const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Ended(BatchEnd::Succeeded),
        Self::Ended(BatchEnd::PartlySucceeded),
        Self::Ended(BatchEnd::Failed),
        Self::Ended(BatchEnd::Cancelled),
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Ended(end) => end.as_str(),
        }
    }
}

/// How many runs are in each status.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts([u64; Status::ALL.len()]);

impl Counts {
    /// The counts, asked for status by status.
    pub fn of(mut count: impl FnMut(Status) -> u64) -> Self {
        Self(Status::ALL.map(&mut count))
    }

    /// Runs in that status.
    pub fn in_status(&self, status: Status) -> u64 {
        Status::ALL.iter().zip(self.0).find(|(each, _)| **each == status).map_or(0, |(_, count)| count)
    }

    /// Every status with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Status, u64)> {
        Status::ALL.into_iter().zip(self.0)
    }
}

/// Where a batch stands: rolled up from its runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchState {
    /// Something waits for a worker, or is being worked on.
    Working,
    /// Nothing is worked on, and somebody must look at results.
    InReview,
    /// Nothing is worked on or looked at, and some runs wait for credits.
    Unpaid,
    /// Everything has ended, and something failed or was cancelled.
    Incomplete,
    /// Every run succeeded.
    Complete,
}

impl BatchState {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::InReview => "in_review",
            Self::Unpaid => "unpaid",
            Self::Incomplete => "incomplete",
            Self::Complete => "complete",
        }
    }
}

impl Batch {
    /// How it ended, once it has: when none of its runs waits, is worked on or is looked at, and it is whole. Runs that could
    /// not be paid have ended: nothing more happens to them by itself.
    pub fn end(&self) -> Option<BatchEnd> {
        let count = |status| self.counts.in_status(status);
        let under_way = count(Status::Queued) + count(Status::Running) + count(Status::InReview);
        if under_way > 0 || self.runs == 0 || self.size.is_some_and(|size| self.runs < size) {
            return None;
        }
        let succeeded = count(Status::Succeeded);
        Some(if succeeded == self.runs {
            BatchEnd::Succeeded
        } else if succeeded > 0 {
            BatchEnd::PartlySucceeded
        } else if count(Status::Cancelled) == self.runs {
            BatchEnd::Cancelled
        } else {
            BatchEnd::Failed
        })
    }

    /// Where it stands, in the words for a run.
    pub fn status(&self) -> BatchStatus {
        if self.counts.in_status(Status::Queued) == self.runs {
            BatchStatus::Queued
        } else {
            self.end().map_or(BatchStatus::Running, BatchStatus::Ended)
        }
    }

    /// Where it stands.
    pub fn state(&self) -> BatchState {
        let any = |status| self.counts.in_status(status) > 0;
        if any(Status::Queued) || any(Status::Running) {
            BatchState::Working
        } else if any(Status::InReview) {
            BatchState::InReview
        } else if any(Status::Unpaid) {
            BatchState::Unpaid
        } else if any(Status::Failed) || any(Status::Cancelled) {
            BatchState::Incomplete
        } else {
            BatchState::Complete
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn batch(counts: &[(Status, u64)]) -> Batch {
        Batch {
            id: "7".to_owned(),
            handle: Uuid::nil(),
            org: OrgId(Uuid::nil()),
            name: String::new(),
            author: UserId("packshot|1".to_owned()),
            created_at: Timestamp(0),
            workflow: WorkflowId(Uuid::nil()),
            workflow_name: String::new(),
            runs: counts.iter().map(|(_, count)| count).sum(),
            charged: 0,
            counts: Counts::of(|status| {
                counts.iter().find(|(each, _)| *each == status).map_or(0, |(_, count)| *count)
            }),
            size: None,
            request: None,
            webhooks: Vec::new(),
            started_at: None,
            ended_at: None,
        }
    }

    #[test]
    fn the_state_is_what_holds_it_up() {
        let state = |counts: &[(Status, u64)]| batch(counts).state();
        let (done, failed) = ((Status::Succeeded, 9), (Status::Failed, 1));
        assert_eq!(state(&[done]), BatchState::Complete);
        assert_eq!(state(&[done, failed]), BatchState::Incomplete);
        assert_eq!(state(&[done, failed, (Status::Unpaid, 1)]), BatchState::Unpaid);
        assert_eq!(state(&[done, failed, (Status::InReview, 1)]), BatchState::InReview);
        assert_eq!(state(&[done, failed, (Status::InReview, 1), (Status::Queued, 1)]), BatchState::Working);
    }

    #[test]
    fn counts_are_kept_by_status() {
        let counts = batch(&[(Status::Failed, 3)]).counts;
        assert_eq!(counts.in_status(Status::Failed), 3);
        assert_eq!(counts.iter().map(|(_, count)| count).sum::<u64>(), 3);
    }
}
