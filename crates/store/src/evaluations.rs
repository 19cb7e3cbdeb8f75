//! Evaluations: asked for, measured by workers, judged by people; and an organization's limits for them.

use async_trait::async_trait;
use domain::evaluation::{Evaluation, Opinion, Report};
use domain::id::{EntryId, EvaluationId, EventId, LeaseToken, OrgId, RunId, UserId};
use domain::ledger::OutOfCredit;
use domain::repeat::{KeptAnswer, Slot};
use domain::run::{Failure, RetryPolicy};
use domain::time::Millis;
use serde_json::Value;

use crate::{Settled, StoreError, WorkerId};

/// An evaluation to be accepted.
#[derive(Clone, Debug)]
pub struct NewEvaluation {
    /// The evaluation, pending.
    pub evaluation: Evaluation,
    /// Id of the ledger entry that charges it.
    pub entry: EntryId,
    /// The answer to be kept with it for whoever repeats the request.
    pub answer: Option<(Slot, KeptAnswer)>,
}

/// How an evaluation was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It waits for a worker.
    Pending,
    /// The balance is too low: nothing was filed.
    OutOfCredit(OutOfCredit),
}

/// An evaluation in a worker's hands.
#[derive(Clone, Debug)]
pub struct EvaluationClaim {
    /// The evaluation, as running.
    pub evaluation: Evaluation,
    /// What proves this attempt.
    pub token: LeaseToken,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// How often a worker died over it before.
    pub crashes: u32,
}

/// How an attempt at an evaluation ended.
#[derive(Clone, Debug)]
pub enum Measured {
    /// It has a report.
    Completed(Box<Report>),
    /// It failed. The policy decides whether it is tried again.
    Failed {
        /// Why.
        failure: Failure,
        /// When to try again.
        policy: RetryPolicy,
        /// Spreads the pause.
        chance: f64,
    },
}

/// Evaluations.
#[async_trait]
pub trait Evaluations: Send + Sync {
    /// Files an evaluation: in one transaction its price is charged if the balance allows, and it waits for a worker.
    /// Repeating it with the same id changes nothing and answers the same.
    async fn accept_evaluation(&self, new: &NewEvaluation) -> Result<Admitted, StoreError>;

    /// One evaluation.
    async fn evaluation(&self, org: OrgId, id: EvaluationId) -> Result<Option<Evaluation>, StoreError>;

    /// The latest evaluation of each of those runs that has one, in no particular order.
    async fn latest_evaluations(&self, org: OrgId, runs: &[RunId]) -> Result<Vec<Evaluation>, StoreError>;

    /// Keeps what people say about an evaluation in place of what they said before, or takes it back. Answers the evaluation
    /// as it is now.
    async fn give_opinion(
        &self,
        org: OrgId,
        id: EvaluationId,
        opinion: Option<&Opinion>,
    ) -> Result<Option<Evaluation>, StoreError>;

    /// Takes up to as many evaluations as there are `tokens` that are due, or whose lease is over: oldest first, organizations
    /// in turn. One whose workers died too often has failed (ids of events from `events`).
    async fn claim_evaluations(
        &self,
        by: &WorkerId,
        lease: Millis,
        policy: RetryPolicy,
        tokens: &[LeaseToken],
        events: &[EventId],
    ) -> Result<Vec<EvaluationClaim>, StoreError>;

    /// Extends these leases to `lease` from now; answers those that are not the worker's any more.
    async fn renew_evaluations(
        &self,
        by: &WorkerId,
        tokens: &[LeaseToken],
        lease: Millis,
    ) -> Result<crate::Lost, StoreError>;

    /// Ends an attempt: evaluation, refund of one that failed for good, deliveries. An old token changes nothing. The answer's
    /// status is `Succeeded` for completed, `Failed`, or `Queued` for one that is tried again.
    async fn settle_evaluation(
        &self,
        token: LeaseToken,
        event: EventId,
        how: &Measured,
    ) -> Result<Settled, StoreError>;

    /// The organization's limits: an object, empty where it has none of its own.
    async fn evaluation_limits(&self, org: OrgId) -> Result<Value, StoreError>;

    /// Sets the organization's limits.
    async fn set_evaluation_limits(&self, org: OrgId, limits: &Value, by: &UserId) -> Result<(), StoreError>;
}
