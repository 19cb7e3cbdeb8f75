//! Runs as their owners see them.

use async_trait::async_trait;
use domain::batch::BatchRef;
use domain::id::{EntryId, EventId, OrgId, RunId};
use domain::page::{Page, Window};
use domain::run::{Run, RunFilter, Status};
use domain::time::{Millis, Timestamp};

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
    /// Id of the event if it cannot be paid.
    pub event: EventId,
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

    /// Tries a failed or unpaid run again. A failed one is queued as it is paid for already; an unpaid one is charged
    /// first (with `entry`) and stays unpaid if the balance is still too low. Attempts and crashes start anew.
    async fn retry(
        &self,
        among: &[OrgId],
        id: RunId,
        entry: EntryId,
        delay: Millis,
    ) -> Result<Retried, StoreError>;
}
