//! Lists with a filter, an order and cursors, for every noun that has one.

use async_trait::async_trait;
use domain::asset::{Asset, Folder};
use domain::batch::Batch;
use domain::delivery::{Attempt, Delivery};
use domain::evaluation::Evaluation;
use domain::filter::{Leaf, Listing};
use domain::id::{DeliveryId, OrgId, RunId, SubscriptionId};
use domain::log::LogLine;
use domain::run::{Run, StepReport};
use domain::subscription::{CallbackSecret, Subscription};
use uuid::Uuid;

use crate::StoreError;

macro_rules! fields {
    ($(#[$doc:meta] $name:ident { $(#[$field_doc:meta] $field:ident,)+ })+) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[$field_doc] $field,)+ }

        impl $name {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$field),+];
        }
    )+};
}

fields! {
    /// What runs are filtered and ordered by.
    RunField {
        /// Id.
        Id,
        /// Status: its name in the store, text.
        Status,
        /// When it was asked for, time.
        CreatedAt,
        /// When a worker took it, time.
        StartedAt,
        /// When it ended, time.
        FinishedAt,
        /// From worker to end in milliseconds, number.
        Duration,
        /// The label `client_ref`, text.
        Reference,
        /// Its batch by its handle, id.
        Batch,
        /// Its place in its batch, number.
        Place,
        /// Its workflow, id.
        Workflow,
        /// What was asked for by its face's name, text.
        Target,
        /// Credits charged, number.
        Charged,
        /// Name of its picture, text.
        InputName,
        /// Who asked for it, text.
        User,
        /// Code of its failure, text.
        FailureCode,
        /// Whether its owner liked the result, bool.
        Liked,
    }
    /// What batches are filtered and ordered by.
    BatchField {
        /// Its handle, id.
        Id,
        /// Its name, text.
        Name,
        /// Where it stands, text: `queued`, `running`, or as [`domain::batch::BatchEnd`] says.
        Status,
        /// When it was made, time.
        CreatedAt,
        /// When its first run began, time.
        StartedAt,
        /// When its last run ended, time.
        EndedAt,
        /// Runs in it, number.
        Runs,
        /// Runs that succeeded, number.
        Succeeded,
        /// Runs that failed or were never paid, number.
        Failed,
        /// Runs that were cancelled, number.
        Cancelled,
        /// Credits charged, number.
        Charged,
        /// Workflow of its earliest run, id.
        Workflow,
        /// Who asked for it, text.
        User,
    }
    /// What evaluations are filtered and ordered by.
    EvaluationField {
        /// Id.
        Id,
        /// Status, text.
        Status,
        /// When it was asked for, time.
        CreatedAt,
        /// When it last changed, time.
        UpdatedAt,
        /// When it ended, time.
        FinishedAt,
        /// The run it belongs to, id.
        Run,
        /// The caller's name for it, text.
        Reference,
        /// The task, text.
        Task,
        /// Whether the picture passed, bool.
        Passed,
        /// The score, number.
        Score,
        /// Whether people agreed, bool.
        Liked,
    }
    /// What assets are filtered and ordered by.
    AssetField {
        /// Id.
        Id,
        /// Name, text.
        Name,
        /// Folder, id.
        Folder,
        /// Media type, text.
        MediaType,
        /// Bytes, number.
        Bytes,
        /// How it came here, text.
        Source,
        /// Who put it there, text.
        User,
        /// When it was put there, time.
        CreatedAt,
        /// When it last changed, time.
        UpdatedAt,
    }
    /// What folders are filtered and ordered by.
    FolderField {
        /// Id.
        Id,
        /// Name, text.
        Name,
        /// The folder it lies in, id.
        Parent,
        /// When it was made, time.
        CreatedAt,
        /// When it last changed, time.
        UpdatedAt,
    }
    /// What subscriptions are filtered and ordered by.
    SubscriptionField {
        /// Id.
        Id,
        /// Address, text.
        Address,
        /// Since when it is disabled, time.
        DisabledAt,
        /// When the last event was recorded for it, time.
        LastEventAt,
        /// When it was made, time.
        CreatedAt,
        /// When it last changed, time.
        UpdatedAt,
    }
    /// What secrets are filtered and ordered by.
    SecretField {
        /// Id.
        Id,
        /// Name, text.
        Label,
        /// First characters, text.
        Prefix,
        /// Whether it signs, bool.
        IsCurrent,
        /// When it was made, time.
        CreatedAt,
        /// When it last changed, time.
        UpdatedAt,
    }
    /// What deliveries are filtered and ordered by.
    DeliveryField {
        /// Id.
        Id,
        /// When the event happened, time.
        CreatedAt,
        /// Its subscription, id.
        Subscription,
        /// Kind of the event, text: [`domain::event::Kind`].
        Kind,
        /// State, text.
        Status,
        /// Address, text.
        Address,
        /// Attempts, number.
        Attempts,
    }
    /// What attempts are filtered and ordered by.
    AttemptField {
        /// Id: see [`attempt_id`].
        Id,
        /// Number, number.
        Number,
        /// When it ended, time.
        CreatedAt,
        /// HTTP status, number.
        HttpStatus,
        /// Milliseconds, number.
        Took,
        /// Whether it counted, bool.
        Succeeded,
    }
    /// What lines of logs are filtered and ordered by.
    LogField {
        /// Id.
        Id,
        /// The run, id.
        Run,
        /// Level, text.
        Level,
        /// Message, text.
        Message,
        /// When, time.
        At,
    }
    /// What steps of runs are filtered and ordered by.
    StepField {
        /// Id: see [`step_id`].
        Id,
        /// The run, id.
        Run,
        /// When its run ended, time.
        CreatedAt,
        /// Place in the run, number from 0.
        Place,
        /// Component, text.
        Component,
        /// Milliseconds, number.
        Duration,
        /// Whether it came from the cache, bool.
        Cached,
    }
}

/// An attempt with what it was of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedAttempt {
    /// Its delivery.
    pub delivery: DeliveryId,
    /// The attempt.
    pub attempt: Attempt,
    /// When it is tried again, if this was the latest and it is.
    pub next_at: Option<domain::time::Timestamp>,
}

/// One step of one run, as the run's result tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedStep {
    /// Which run.
    pub run: RunId,
    /// Its place in the run, from 0.
    pub place: u32,
    /// When the run was taken by its worker.
    pub started_at: domain::time::Timestamp,
    /// When the run ended.
    pub finished_at: domain::time::Timestamp,
    /// How it went.
    pub report: StepReport,
}

/// The id of an attempt: its delivery's with its number in it. The number can be had back by [`part_number`].
pub fn attempt_id(delivery: DeliveryId, number: u32) -> Uuid {
    with_number(delivery.0, number)
}

/// The id of a run's step: its run's with its place in it.
pub fn step_id(run: RunId, place: u32) -> Uuid {
    with_number(run.0, place)
}

/// The last two bytes of an id are chance; with a number mixed in they still tell parts of one whole from each other.
fn with_number(id: Uuid, number: u32) -> Uuid {
    Uuid::from_u128(id.as_u128() ^ (u128::from(number & 0xffff) + 1))
}

/// Which number makes `part` of `whole`, if one does.
pub fn part_number(whole: Uuid, part: Uuid) -> Option<u32> {
    let mixed = whole.as_u128() ^ part.as_u128();
    u32::try_from(mixed).ok().filter(|mixed| (1..=0x1_0000).contains(mixed)).map(|mixed| mixed - 1)
}

/// Lists. However long one is, a page of it in the order of time costs the same.
#[async_trait]
pub trait Lists: Send + Sync {
    /// Runs of an organization.
    async fn list_runs(&self, org: OrgId, listing: &Listing<RunField>) -> Result<Leaf<Run>, StoreError>;

    /// Batches of an organization.
    async fn list_batches(
        &self,
        org: OrgId,
        listing: &Listing<BatchField>,
    ) -> Result<Leaf<Batch>, StoreError>;

    /// Evaluations of an organization.
    async fn list_evaluations(
        &self,
        org: OrgId,
        listing: &Listing<EvaluationField>,
    ) -> Result<Leaf<Evaluation>, StoreError>;

    /// Assets of an organization that were not thrown away.
    async fn list_assets(&self, org: OrgId, listing: &Listing<AssetField>)
    -> Result<Leaf<Asset>, StoreError>;

    /// Folders of an organization.
    async fn list_folders(
        &self,
        org: OrgId,
        listing: &Listing<FolderField>,
    ) -> Result<Leaf<Folder>, StoreError>;

    /// Subscriptions of an organization.
    async fn list_subscriptions(
        &self,
        org: OrgId,
        listing: &Listing<SubscriptionField>,
    ) -> Result<Leaf<Subscription>, StoreError>;

    /// Secrets of an organization.
    async fn list_secrets(
        &self,
        org: OrgId,
        listing: &Listing<SecretField>,
    ) -> Result<Leaf<CallbackSecret>, StoreError>;

    /// Deliveries of an organization: those of one subscription, or of all (`None`); not those of callbacks.
    async fn list_deliveries(
        &self,
        org: OrgId,
        subscription: Option<SubscriptionId>,
        listing: &Listing<DeliveryField>,
    ) -> Result<Leaf<Delivery>, StoreError>;

    /// Attempts: those of one delivery, or of every delivery of subscriptions (`None`).
    async fn list_attempts(
        &self,
        org: OrgId,
        delivery: Option<DeliveryId>,
        listing: &Listing<AttemptField>,
    ) -> Result<Leaf<ListedAttempt>, StoreError>;

    /// Lines of the log of one run, or of all (`None`).
    async fn list_logs(
        &self,
        org: OrgId,
        run: Option<RunId>,
        listing: &Listing<LogField>,
    ) -> Result<Leaf<LogLine>, StoreError>;

    /// Steps of one run that has a result, or of all (`None`).
    async fn list_steps(
        &self,
        org: OrgId,
        run: Option<RunId>,
        listing: &Listing<StepField>,
    ) -> Result<Leaf<ListedStep>, StoreError>;

    /// The callbacks about one run or one batch, oldest first, each with its attempts.
    async fn callbacks(
        &self,
        org: OrgId,
        about: domain::delivery::About,
    ) -> Result<Vec<(Delivery, Vec<Attempt>)>, StoreError>;
}
