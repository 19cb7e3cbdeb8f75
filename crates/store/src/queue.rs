//! Runs as workers see them: leases, heartbeats, and ends that only the latest lease may write.

use async_trait::async_trait;
use domain::id::{EventId, LeaseToken, OrgId, RunId};
use domain::image::Image;
use domain::run::{Failure, Outcome, RetryPolicy, Run, Status};
use domain::time::{Millis, Timestamp};
use domain::workflow::Step;

use crate::StoreError;

/// Who works: one id for each running process.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct WorkerId(pub String);

/// A run in a worker's hands, until `lease_ends`.
#[derive(Clone, Debug)]
pub struct Claim {
    /// The run, as running.
    pub run: Run,
    /// Its own steps or those of its workflow version, without the run's overrides.
    pub steps: Vec<Step>,
    /// What proves this attempt; every verb that ends or renews it asks for it.
    pub token: LeaseToken,
    /// Which attempt this is, from 1. Attempts handed back do not count.
    pub attempt: u32,
    /// How often a worker died or panicked over this run before.
    pub crashes: u32,
    /// When others may take it, unless it is renewed.
    pub lease_ends: Timestamp,
}

/// How an attempt ended.
#[derive(Clone, Debug)]
pub enum Settlement {
    /// It made a result, whose bytes are stored and synced. The organization may see the result from now on. The run has
    /// succeeded, or waits for its check if its workflow version asks for one.
    Succeeded(Outcome),
    /// It failed. The policy decides, with `chance` in 0..=1 for the pause, whether it is tried again or is over.
    Failed {
        /// Why.
        failure: Failure,
        /// When to try again.
        policy: RetryPolicy,
        /// Spreads the pause.
        chance: f64,
    },
}

/// What became of a settlement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Settled {
    /// The run took this status: succeeded, in review, failed, or queued for another attempt.
    Now(Status),
    /// Somebody else has the run by now, or it ended: nothing was changed.
    LeaseLost,
}

/// Leases that are no longer the worker's.
pub type Lost = Vec<LeaseToken>;

/// How long the queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Depth {
    /// Runs that could be claimed now.
    pub ready: u64,
    /// Runs that wait for a pause to pass.
    pub waiting: u64,
    /// Runs in workers' hands.
    pub leased: u64,
    /// How long the oldest claimable run has been claimable (one that was handed back: since before it was taken); 0 when
    /// there is none.
    pub oldest: Millis,
}

/// Runs as workers see them.
#[async_trait]
pub trait Queue: Send + Sync {
    /// Takes up to `many` runs that are due, or whose lease is over, fairly across organizations: one with a long
    /// backlog does not delay the others. A lease that ran out counts as a crash; a run with too many crashes is not
    /// given out but failed with code `worker_crashed`, its event recorded (ids from `events`, one a run at most).
    /// `tokens` holds `many` fresh lease tokens, `events` as many fresh event ids.
    async fn claim(
        &self,
        by: &WorkerId,
        lease: Millis,
        policy: RetryPolicy,
        tokens: &[LeaseToken],
        events: &[EventId],
    ) -> Result<Vec<Claim>, StoreError> {
        self.claim_but(by, lease, policy, tokens, events, &[]).await
    }

    /// As [`Queue::claim`], but of the organizations of `supplied_only` takes only runs whose pictures are there: what they have
    /// to be fetched stays in the queue as it is. Of a long backlog, only its beginning is looked through for such runs.
    async fn claim_but(
        &self,
        by: &WorkerId,
        lease: Millis,
        policy: RetryPolicy,
        tokens: &[LeaseToken],
        events: &[EventId],
        supplied_only: &[OrgId],
    ) -> Result<Vec<Claim>, StoreError>;

    /// Extends these leases to `lease` from now, all in one statement; answers those that are not the worker's any more.
    async fn renew(&self, by: &WorkerId, tokens: &[LeaseToken], lease: Millis) -> Result<Lost, StoreError>;

    /// Ends an attempt: run, result, event and queue row together. An old token changes nothing.
    async fn settle(
        &self,
        token: LeaseToken,
        event: EventId,
        how: &Settlement,
    ) -> Result<Settled, StoreError>;

    /// Notes the pictures that were fetched for a run, which the organization may see from now on: it needs none any more.
    /// `input` is what it works on, `steps` its steps with the pictures' hashes in them. Answers whether the lease holds.
    async fn supply(
        &self,
        token: LeaseToken,
        input: &Image,
        further: &[Image],
        steps: Option<&[Step]>,
    ) -> Result<bool, StoreError>;

    /// Gives runs back untouched, to be claimed at once by anybody; their attempts do not count. For a drain.
    async fn hand_back(&self, tokens: &[LeaseToken]) -> Result<(), StoreError>;

    /// Gives evaluations back untouched, to be claimed by anybody after a pause: at their old place in the queue if it is none.
    /// Their attempts do not count. Answers how many there were.
    async fn hand_back_evaluations(&self, tokens: &[LeaseToken], pause: Millis) -> Result<u64, StoreError>;

    /// When the next run is due, if one waits or is leased: nothing needs to be claimed before. May be in the past.
    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// How long the queue is.
    async fn depth(&self) -> Result<Depth, StoreError>;

    /// Events recorded for this run, oldest first: the address to tell and the status to tell of. An
    /// event has one row for each different address of the run, all with the event's id.
    async fn outbox(&self, org: OrgId, run: RunId) -> Result<Vec<(EventId, String, Status)>, StoreError>;
}
