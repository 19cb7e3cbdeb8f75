//! What people say about results: the check before a run counts as done, and feedback afterwards.

use async_trait::async_trait;
use domain::id::{EventId, OrgId, RunId, UserId};
use domain::run::{Feedback, Status};
use serde_json::Value;

use crate::StoreError;

/// A verdict on one run.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// Which run.
    pub run: RunId,
    /// What is to become of it.
    pub what: Ruling,
    /// Id of the event that tells of it, if it is worth telling.
    pub event: EventId,
}

/// What is to become of a run that is in review.
#[derive(Clone, Debug, PartialEq)]
pub enum Ruling {
    /// It has succeeded.
    Approve,
    /// It is queued again, with these overrides in place of its own.
    Reprocess {
        /// An object, as in [`domain::run::Run::overrides`].
        overrides: Value,
    },
    /// It has failed.
    GiveUp,
}

/// What became of a judgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// The run took this status.
    Now(Status),
    /// It is not in review but in this status: nothing was changed.
    Refused(Status),
    /// The organization has no such run.
    Missing,
}

/// What people say about results.
#[async_trait]
pub trait Reviews: Send + Sync {
    /// Judges runs that are in review, all in one transaction, each for itself: one that is not in review is passed
    /// over. Answers what became of each, in the order they were given.
    async fn judge(
        &self,
        org: OrgId,
        by: &UserId,
        reason: Option<&str>,
        judgements: &[Judgement],
    ) -> Result<Vec<Judged>, StoreError>;

    /// Keeps what an owner says about a run's result, in place of what they said before. Answers whether there is such a
    /// run.
    async fn give_feedback(
        &self,
        among: &[OrgId],
        run: RunId,
        feedback: &Feedback,
    ) -> Result<bool, StoreError>;
}
