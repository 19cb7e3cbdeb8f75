//! Runs as their owners see them.

use async_trait::async_trait;
use domain::batch::BatchRef;
use domain::id::{EntryId, EventId, OrgId, RunId, UserId};
use domain::ledger::OutOfCredit;
use domain::page::{Page, Window};
use domain::repeat::{KeptAnswer, Slot};
use domain::request::Request;
use domain::run::{Failure, Run, RunFilter, Status};
use domain::time::{Millis, Timestamp};
use uuid::Uuid;

use crate::StoreError;

/// A run to be accepted.
#[derive(Clone, Debug)]
pub struct NewRun {
    /// The run. Its `created_at`, `charged` and `state` are set by the store, and its `batch` is that of `batch`.
    pub run: Run,
    /// The batch it is counted in, which it begins if there is none of that id.
    pub batch: Option<BatchRef>,
    /// Not to be started before this span has passed, so that a client that looks at once sees it waiting.
    pub delay: Millis,
    /// Id of the ledger entry that charges it.
    pub entry: EntryId,
    /// Id of the event if it cannot be paid, or failed before it began.
    pub event: EventId,
    /// Why it has failed before it began, if it has: nothing is charged then.
    pub failure: Option<Failure>,
}

/// Runs to be filed together: all of them or none.
#[derive(Clone, Debug)]
pub struct Filing {
    /// When they were asked for.
    pub at: Timestamp,
    /// The runs, in order. All of them belong to `batch`, if there is one.
    pub runs: Vec<NewRun>,
    /// The batch that they are.
    pub batch: Option<NewBatch>,
    /// The answer to be kept with them for whoever repeats the request.
    pub answer: Option<(Slot, KeptAnswer)>,
}

/// A batch that is asked for as a whole.
#[derive(Clone, Debug)]
pub struct NewBatch {
    /// Its id, as a UUID.
    pub handle: Uuid,
    /// Its name for people; empty if none was given.
    pub name: String,
    /// What was asked for.
    pub request: Request,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// Id of the event that tells of its end.
    pub event: EventId,
}

/// How runs were filed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filed {
    /// They are, now or since before.
    Done,
    /// The balance is lower than what they cost together: nothing was filed.
    OutOfCredit(OutOfCredit),
}

/// What became of cancelling a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cancelled {
    /// It is cancelled now.
    Now,
    /// It had ended already, so: nothing was changed.
    Ended(Status),
    /// There is no such run.
    Missing,
}

/// How a run was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// [`Status::Queued`] if it was paid, [`Status::Unpaid`] if the balance was too low.
    pub status: Status,
    /// When, by the store's clock.
    pub created_at: Timestamp,
}

/// What became of asking for a retry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retried {
    /// It waits for a worker again, and is paid.
    Queued,
    /// It could not be paid, still.
    StillUnpaid,
    /// Its status allows no retry.
    Refused(Status),
    /// There is no such run.
    Missing,
}

/// Runs as their owners see them.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Files a run. In one transaction: its price is charged if the balance allows, then it is queued; otherwise it is
    /// filed as unpaid, nothing is charged, and its event is recorded to be told. Repeating it with the same run id changes
    /// nothing and answers the same, whatever became of the run since. Refuses with `Missing` if there is no such
    /// organization or workflow version.
    async fn accept(&self, new: &NewRun) -> Result<Accepted, StoreError>;

    /// One run of any of these organizations.
    async fn run(&self, among: &[OrgId], id: RunId) -> Result<Option<Run>, StoreError>;

    /// An organization's runs, newest first, ties by id downwards.
    async fn runs(&self, org: OrgId, filter: &RunFilter, window: Window) -> Result<Page<Run>, StoreError>;

    /// Up to `limit` runs that match and are older than the run `before`, newest first; from the newest on without it,
    /// and none if the organization has no such run. However long the list, a part of it costs the same.
    async fn runs_before(
        &self,
        org: OrgId,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError>;

    /// Files runs together: in one transaction with the batch that they are and the answer that tells of them. Each run's
    /// terms must be for success. Filing the same again changes nothing. Refuses with `Missing` if there is no such
    /// organization or workflow version.
    async fn file(&self, filing: &Filing) -> Result<Filed, StoreError>;

    /// Cancels a run that has not ended: it has no place in the queue any more, its credits are given back if its terms say so
    /// and it has no result yet, its event is recorded, the audit is told. Whoever works on it finds its lease lost.
    async fn cancel(
        &self,
        among: &[OrgId],
        id: RunId,
        by: &UserId,
        reason: Option<&str>,
        event: EventId,
    ) -> Result<Cancelled, StoreError>;

    /// Cancels every run of a batch that has not ended, all in one transaction, and answers how many; `None` if the
    /// organization has no such batch. `seed` is what ids of events are derived from.
    async fn cancel_batch(
        &self,
        org: OrgId,
        batch: Uuid,
        by: &UserId,
        reason: Option<&str>,
        seed: Uuid,
    ) -> Result<Option<u64>, StoreError>;

    /// Tries a failed or unpaid run again. One whose credits were given back is refused: a new run is to be asked for. A failed one is queued as it is paid for already; an unpaid one is charged
    /// first (with `entry`) and stays unpaid if the balance is still too low. Attempts and crashes start anew.
    async fn retry(
        &self,
        among: &[OrgId],
        id: RunId,
        entry: EntryId,
        delay: Millis,
    ) -> Result<Retried, StoreError>;
}
