//! What must be remembered, as verbs of the business. One method is one transaction: it happens whole, or not at all,
//! and when it has answered, what it did survives a power cut. No handle to a transaction ever leaves a database.
//!
//! Every verb about an organization's things takes the organization (or the caller's organizations) first, so that
//! nothing can be read across organizations by forgetting a condition.

mod access;
mod accounts;
mod audit;
mod batches;
mod deliveries;
mod deployments;
mod error;
mod evaluations;
mod feed;
mod idempotency;
mod library;
mod lists;
mod queue;
mod reviews;
mod runs;
mod subscriptions;
#[cfg(feature = "suite")]
pub mod suite;
mod upkeep;
mod workflows;

pub use access::{Access, Founding, NewUser, SigningKey};
pub use accounts::{Accounts, Joined, Joining, MemberChange};
pub use audit::Audit;
pub use batches::Batches;
pub use deliveries::{Deliveries, Redelivery, Taken, Taking, ToldAgain, WebhookSecret, WebhookSecrets};
pub use deployments::{Deployment, DeploymentHead, Deployments, Redeployed};
pub use error::StoreError;
pub use evaluations::{Admitted, EvaluationClaim, Evaluations, Measured, NewEvaluation};
pub use feed::{FEED_KEPT, Feed, FeedPart};
pub use idempotency::{ANSWERS_KEPT, Idempotency};
pub use library::{AssetChange, Changed, Confirmed, FolderChange, Library};
pub use lists::{
    AssetField, AttemptField, BatchField, DeliveryField, EvaluationField, FolderField, Listed, ListedAttempt,
    ListedStep, Lists, LogField, REFERENCE, RunField, SCORE_PLACES, SecretField, StepField,
    SubscriptionField, attempt_id, part_id, part_number, step_id, wholes,
};
pub use queue::{Claim, Depth, Lost, Queue, Settled, Settlement, WorkerId};
pub use reviews::{Judged, Judgement, Reviews, Ruling};
pub use runs::{Accepted, Cancelled, Filed, Filing, NewBatch, NewRun, Retried, Runs};
pub use subscriptions::{Changing, SubscriptionChange, Subscriptions};
pub use upkeep::{Keeping, Swept, Upkeep};
pub use workflows::{CreditAlert, Images, Ledger, Revised, TopUp, Workflows};

use domain::id::{OrgId, RunId};
use domain::run::Status;
use domain::time::Clock;
use tokio::sync::broadcast;

/// Everything that is remembered, in one place.
pub trait Store:
    Access
    + Accounts
    + Audit
    + Workflows
    + Images
    + Ledger
    + Runs
    + Queue
    + Batches
    + Reviews
    + Feed
    + Idempotency
    + Deliveries
    + Deployments
    + Evaluations
    + Library
    + Lists
    + Subscriptions
    + Upkeep
{
    /// The clock that leases, pauses and creation times follow: the database's, so that servers need not agree.
    fn clock(&self) -> &dyn Clock;

    /// Hints that a run changed, as far as this process noticed. A hint may be missed or doubled: whoever waits must
    /// look again from time to time.
    fn changes(&self) -> broadcast::Receiver<Change>;
}

/// A hint that a run took a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// Whose run.
    pub org: OrgId,
    /// Which run.
    pub run: RunId,
    /// The status it took.
    pub status: Status,
}
