//! A batch: runs of one organization that their owner counts together. People call it an order.

use crate::id::{OrgId, UserId, WorkflowId};
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

/// A batch, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Its id.
    pub id: String,
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
