//! Lists with a filter, an order and cursors, for every noun that has one.

use async_trait::async_trait;
use domain::asset::{Asset, Folder};
use domain::batch::{Batch, handle};
use domain::delivery::{Attempt, Delivery};
use domain::evaluation::{Evaluation, EvaluationState, Report};
use domain::filter::{Decimal, Kind, Leaf, Listing, Value};
use domain::id::{DeliveryId, OrgId, RunId, SubscriptionId};
use domain::log::LogLine;
use domain::run::{Run, State, Status, StepReport};
use domain::subscription::{CallbackSecret, Subscription};
use domain::time::Timestamp;
use uuid::Uuid;

use crate::StoreError;

macro_rules! fields {
    ($(#[$doc:meta] $name:ident { $(#[$field_doc:meta] $field:ident: $kind:ident,)+ })+) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $(#[$field_doc] $field,)+ }

        impl $name {
            /// Every field.
            pub const ALL: &[Self] = &[$(Self::$field),+];

            /// What kind of values it has.
            pub const fn kind(self) -> Kind {
                match self { $(Self::$field => Kind::$kind,)+ }
            }
        }
    )+};
}

fields! {
    /// What runs are filtered and ordered by.
    RunField {
        /// Id.
        Id: Id,
        /// Status: its name in the store, text.
        Status: Status,
        /// When it was asked for, time.
        CreatedAt: Time,
        /// When a worker took it, time.
        StartedAt: Time,
        /// When it ended, time.
        FinishedAt: Time,
        /// From worker to end in milliseconds, number; missing unless it had both.
        Duration: Number,
        /// The label `client_ref`, text.
        Reference: Text,
        /// Its batch by its handle, id.
        Batch: Id,
        /// Its place in its batch, number.
        Place: Number,
        /// Its workflow, id.
        Workflow: Id,
        /// What was asked for by its face's name, text.
        Target: Text,
        /// Credits charged, number.
        Charged: Number,
        /// Name of its picture, text.
        InputName: Text,
        /// Who asked for it, text.
        User: Text,
        /// Code of its failure, text.
        FailureCode: Text,
        /// Whether its owner liked the result, bool.
        Liked: Bool,
    }
    /// What batches are filtered and ordered by.
    BatchField {
        /// Its handle, id.
        Id: Id,
        /// Its name, text.
        Name: Text,
        /// Where it stands, text: [`domain::batch::BatchStatus`].
        Status: Status,
        /// When it was made, time.
        CreatedAt: Time,
        /// When its first run began, time.
        StartedAt: Time,
        /// When its last run ended, time.
        EndedAt: Time,
        /// Runs in it, number.
        Runs: Number,
        /// Runs that succeeded, number.
        Succeeded: Number,
        /// Runs that failed or were never paid, number.
        Failed: Number,
        /// Runs that were cancelled, number.
        Cancelled: Number,
        /// Credits charged, number.
        Charged: Number,
        /// Workflow of its earliest run, id.
        Workflow: Id,
        /// Who asked for it, text.
        User: Text,
    }
    /// What evaluations are filtered and ordered by.
    EvaluationField {
        /// Id.
        Id: Id,
        /// Status, text.
        Status: Status,
        /// When it was asked for, time.
        CreatedAt: Time,
        /// When it last changed, time.
        UpdatedAt: Time,
        /// When it ended, time.
        FinishedAt: Time,
        /// The run it belongs to, id.
        Run: Id,
        /// The caller's name for it, text.
        Reference: Text,
        /// The task, text.
        Task: Text,
        /// Whether the picture passed, bool.
        Passed: Bool,
        /// The score to six places, number.
        Score: Number,
        /// Whether people agreed, bool.
        Liked: Bool,
    }
    /// What assets are filtered and ordered by.
    AssetField {
        /// Id.
        Id: Id,
        /// Name, text.
        Name: Text,
        /// Folder, id.
        Folder: Id,
        /// Media type, text.
        MediaType: Text,
        /// Bytes, number.
        Bytes: Number,
        /// How it came here, text.
        Source: Text,
        /// Who put it there, text.
        User: Text,
        /// When it was put there, time.
        CreatedAt: Time,
        /// When it last changed, time.
        UpdatedAt: Time,
    }
    /// What folders are filtered and ordered by.
    FolderField {
        /// Id.
        Id: Id,
        /// Name, text.
        Name: Text,
        /// The folder it lies in, id.
        Parent: Id,
        /// When it was made, time.
        CreatedAt: Time,
        /// When it last changed, time.
        UpdatedAt: Time,
    }
    /// What subscriptions are filtered and ordered by.
    SubscriptionField {
        /// Id.
        Id: Id,
        /// Address, text.
        Address: Text,
        /// Since when it is disabled, time.
        DisabledAt: Time,
        /// When the last event was recorded for it, time.
        LastEventAt: Time,
        /// When it was made, time.
        CreatedAt: Time,
        /// When it last changed, time.
        UpdatedAt: Time,
    }
    /// What secrets are filtered and ordered by.
    SecretField {
        /// Id.
        Id: Id,
        /// Name, text.
        Label: Text,
        /// First characters, text.
        Prefix: Text,
        /// Whether it signs, bool.
        IsCurrent: Bool,
        /// When it was made, time.
        CreatedAt: Time,
        /// When it last changed, time.
        UpdatedAt: Time,
    }
    /// What deliveries are filtered and ordered by.
    DeliveryField {
        /// Id.
        Id: Id,
        /// When the event happened, time.
        CreatedAt: Time,
        /// Its subscription, id.
        Subscription: Id,
        /// Kind of the event by its name, text: [`domain::event::Kind`].
        Kind: Status,
        /// State, text.
        Status: Status,
        /// Address, text.
        Address: Text,
        /// Attempts, number.
        Attempts: Number,
    }
    /// What attempts are filtered and ordered by.
    AttemptField {
        /// Id: see [`attempt_id`].
        Id: Id,
        /// Number, number.
        Number: Number,
        /// When it ended, time.
        CreatedAt: Time,
        /// HTTP status, number.
        HttpStatus: Number,
        /// Milliseconds, number.
        Took: Number,
        /// Whether it counted, bool.
        Succeeded: Bool,
    }
    /// What lines of logs are filtered and ordered by.
    LogField {
        /// Id.
        Id: Id,
        /// The run, id.
        Run: Id,
        /// Level, text.
        Level: Text,
        /// Message, text.
        Message: Text,
        /// When, time.
        At: Time,
    }
    /// What steps of runs are filtered and ordered by.
    StepField {
        /// Id: see [`step_id`].
        Id: Id,
        /// The run, id.
        Run: Id,
        /// When its run succeeded, time.
        CreatedAt: Time,
        /// Place in the run, number from 0.
        Place: Number,
        /// Component, text.
        Component: Text,
        /// Whole milliseconds, number.
        Duration: Number,
        /// Whether it came from the cache, bool.
        Cached: Bool,
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
    pub next_at: Option<Timestamp>,
}

/// One step of one run that succeeded or failed, as the run's result or failure tells of it.
#[derive(Clone, Debug, PartialEq)]
pub struct ListedStep {
    /// Which run.
    pub run: RunId,
    /// Its place in the run, from 0.
    pub place: u32,
    /// When the run was taken by its worker.
    pub started_at: Timestamp,
    /// When the run ended.
    pub finished_at: Timestamp,
    /// How it went.
    pub report: StepReport,
}

/// What lists have: entries with an id, and a value for each field or none.
pub trait Listed {
    /// Its fields.
    type Field: Copy + Send + Sync + 'static;

    /// The id that decides among equals.
    fn list_id(&self) -> Uuid;

    /// The value of a field, if it has one. It is the kind of the field.
    fn value(&self, field: Self::Field) -> Option<Value>;
}

/// The label by which a caller's own name for a run is kept.
pub const REFERENCE: &str = "client_ref";

fn text(text: impl Into<String>) -> Option<Value> {
    Some(Value::Text(text.into()))
}

fn number(number: impl TryInto<i64>) -> Option<Value> {
    Some(Value::Number(Decimal::from(number.try_into().unwrap_or(i64::MAX))))
}

const fn id(id: Uuid) -> Option<Value> {
    Some(Value::Id(id))
}

const fn time(at: Timestamp) -> Option<Value> {
    Some(Value::Time(at))
}

/// Rounded to so many places, half of the last one up. Of what is not negative; a database computes it the same way.
fn rounded(value: f64, places: u32) -> Option<Value> {
    let units = (value * 10_f64.powi(places as i32) + 0.5) as i64;
    Decimal::new(units, places).map(Value::Number)
}

/// Places that a score is told to.
pub const SCORE_PLACES: u32 = 6;

impl Listed for Run {
    type Field = RunField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: RunField) -> Option<Value> {
        match field {
            RunField::Id => id(self.id.0),
            RunField::Status => text(self.state.status().as_str()),
            RunField::CreatedAt => time(self.created_at),
            RunField::StartedAt => time(self.state.started_at()?),
            RunField::FinishedAt => time(self.state.finished_at()?),
            RunField::Duration => number((self.state.finished_at()? - self.state.started_at()?).0),
            RunField::Reference => text(self.labels.get(REFERENCE)?),
            RunField::Batch => id(handle(self.org, self.batch.as_deref()?)),
            RunField::Place => number(self.place?),
            RunField::Workflow => id(self.workflow.0),
            RunField::Target => text(&self.request.as_ref()?.target),
            RunField::Charged => number(self.charged),
            RunField::InputName => text(self.input_name.as_str()),
            RunField::User => text(&self.user.0),
            RunField::FailureCode => match &self.state {
                State::Failed { failure, .. } => text(&failure.code),
                _ => None,
            },
            RunField::Liked => Some(Value::Bool(self.feedback.as_ref()?.thumbs_up)),
        }
    }
}

impl Listed for Batch {
    type Field = BatchField;

    fn list_id(&self) -> Uuid {
        self.handle
    }

    fn value(&self, field: BatchField) -> Option<Value> {
        let count = |status| self.counts.in_status(status);
        match field {
            BatchField::Id => id(self.handle),
            BatchField::Name => text(&self.name),
            BatchField::Status => text(self.status().as_str()),
            BatchField::CreatedAt => time(self.created_at),
            BatchField::StartedAt => time(self.started_at?),
            BatchField::EndedAt => time(self.ended_at?),
            BatchField::Runs => number(self.runs),
            BatchField::Succeeded => number(count(Status::Succeeded)),
            BatchField::Failed => number(count(Status::Failed) + count(Status::Unpaid)),
            BatchField::Cancelled => number(count(Status::Cancelled)),
            BatchField::Charged => number(self.charged),
            BatchField::Workflow => id(self.workflow.0),
            BatchField::User => text(&self.author.0),
        }
    }
}

impl Listed for Evaluation {
    type Field = EvaluationField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: EvaluationField) -> Option<Value> {
        let report = || match &self.state {
            EvaluationState::Completed { report, .. } => Some(report.as_ref()),
            _ => None,
        };
        match field {
            EvaluationField::Id => id(self.id.0),
            EvaluationField::Status => text(self.state.status().as_str()),
            EvaluationField::CreatedAt => time(self.created_at),
            EvaluationField::UpdatedAt => time(self.updated_at),
            EvaluationField::FinishedAt => match self.state {
                EvaluationState::Completed { finished_at, .. }
                | EvaluationState::Failed { finished_at, .. } => time(finished_at),
                EvaluationState::Pending | EvaluationState::Running { .. } => None,
            },
            EvaluationField::Run => id(self.run?.0),
            EvaluationField::Reference => text(self.client_ref.as_ref()?),
            EvaluationField::Task => text(&self.asked.task),
            EvaluationField::Passed => report().map(|report: &Report| Value::Bool(report.passed)),
            EvaluationField::Score => rounded(report()?.score, SCORE_PLACES),
            EvaluationField::Liked => Some(Value::Bool(self.opinion.as_ref()?.is_positive)),
        }
    }
}

impl Listed for Asset {
    type Field = AssetField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: AssetField) -> Option<Value> {
        match field {
            AssetField::Id => id(self.id.0),
            AssetField::Name => text(self.name.as_str()),
            AssetField::Folder => id(self.folder?.0),
            AssetField::MediaType => text(&self.file.media_type),
            AssetField::Bytes => number(self.file.bytes),
            AssetField::Source => text(self.source.as_str()),
            AssetField::User => text(&self.created_by.0),
            AssetField::CreatedAt => time(self.created_at),
            AssetField::UpdatedAt => time(self.updated_at),
        }
    }
}

impl Listed for Folder {
    type Field = FolderField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: FolderField) -> Option<Value> {
        match field {
            FolderField::Id => id(self.id.0),
            FolderField::Name => text(&self.name),
            FolderField::Parent => id(self.parent?.0),
            FolderField::CreatedAt => time(self.created_at),
            FolderField::UpdatedAt => time(self.updated_at),
        }
    }
}

impl Listed for Subscription {
    type Field = SubscriptionField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: SubscriptionField) -> Option<Value> {
        match field {
            SubscriptionField::Id => id(self.id.0),
            SubscriptionField::Address => text(&self.address),
            SubscriptionField::DisabledAt => time(self.disabled_at?),
            SubscriptionField::LastEventAt => time(self.last_event_at?),
            SubscriptionField::CreatedAt => time(self.created_at),
            SubscriptionField::UpdatedAt => time(self.updated_at),
        }
    }
}

impl Listed for CallbackSecret {
    type Field = SecretField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: SecretField) -> Option<Value> {
        match field {
            SecretField::Id => id(self.id.0),
            SecretField::Label => text(self.label.as_ref()?),
            SecretField::Prefix => text(&self.prefix),
            SecretField::IsCurrent => Some(Value::Bool(self.is_current)),
            SecretField::CreatedAt => time(self.created_at),
            SecretField::UpdatedAt => time(self.updated_at),
        }
    }
}

impl Listed for Delivery {
    type Field = DeliveryField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: DeliveryField) -> Option<Value> {
        match field {
            DeliveryField::Id => id(self.id.0),
            DeliveryField::CreatedAt => time(self.event.at),
            DeliveryField::Subscription => id(self.subscription?.0),
            DeliveryField::Kind => text(self.event.what.kind()?.as_str()),
            DeliveryField::Status => text(self.state.status().as_str()),
            DeliveryField::Address => text(&self.address),
            DeliveryField::Attempts => number(self.attempts),
        }
    }
}

impl Listed for ListedAttempt {
    type Field = AttemptField;

    fn list_id(&self) -> Uuid {
        attempt_id(self.delivery, self.attempt.number)
    }

    fn value(&self, field: AttemptField) -> Option<Value> {
        let report = &self.attempt.report;
        match field {
            AttemptField::Id => id(self.list_id()),
            AttemptField::Number => number(self.attempt.number),
            AttemptField::CreatedAt => time(self.attempt.at),
            AttemptField::HttpStatus => number(report.status?),
            AttemptField::Took => number(report.took.0),
            AttemptField::Succeeded => Some(Value::Bool(report.error.is_none())),
        }
    }
}

impl Listed for LogLine {
    type Field = LogField;

    fn list_id(&self) -> Uuid {
        self.id.0
    }

    fn value(&self, field: LogField) -> Option<Value> {
        match field {
            LogField::Id => id(self.id.0),
            LogField::Run => id(self.run.0),
            LogField::Level => text(self.level.as_str()),
            LogField::Message => text(&self.message),
            LogField::At => time(self.at),
        }
    }
}

impl Listed for ListedStep {
    type Field = StepField;

    fn list_id(&self) -> Uuid {
        step_id(self.run, self.place)
    }

    fn value(&self, field: StepField) -> Option<Value> {
        match field {
            StepField::Id => id(self.list_id()),
            StepField::Run => id(self.run.0),
            StepField::CreatedAt => time(self.finished_at),
            StepField::Place => number(self.place),
            StepField::Component => text(&self.report.component),
            StepField::Duration => rounded(self.report.millis, 0),
            StepField::Cached => Some(Value::Bool(self.report.cached)),
        }
    }
}

/// The id of an attempt: its delivery's with its number in it. The number can be had back by [`part_number`].
pub fn attempt_id(delivery: DeliveryId, number: u32) -> Uuid {
    part_id(delivery.0, number)
}

/// The id of a run's step: its run's with its place in it.
pub fn step_id(run: RunId, place: u32) -> Uuid {
    part_id(run.0, place)
}

/// The id of a part of something. The last two bytes of an id are chance; with a number mixed in they still tell parts of
/// one whole from each other.
pub fn part_id(whole: Uuid, number: u32) -> Uuid {
    Uuid::from_u128(whole.as_u128() ^ (u128::from(number & 0xffff) + 1))
}

/// Between which ids the whole of a part lies, both included.
pub fn wholes(part: Uuid) -> (Uuid, Uuid) {
    let (part, changed) = (part.as_u128(), 0x1_ffff);
    (Uuid::from_u128(part & !changed), Uuid::from_u128(part | changed))
}

/// Which number makes `part` of `whole`, if one does.
pub fn part_number(whole: Uuid, part: Uuid) -> Option<u32> {
    let mixed = whole.as_u128() ^ part.as_u128();
    u32::try_from(mixed).ok().filter(|mixed| (1..=0x1_0000).contains(mixed)).map(|mixed| mixed - 1)
}

/// Lists. However long one is, a page of it in the order of time (`CreatedAt`, or `At`) costs the same, and so does one of
/// entries that have one thing in common by which they are found: runs of one reference, batch, workflow, picture name or
/// status; evaluations of one run or reference; assets of one folder; lines of one run; deliveries of one subscription, or
/// failed or pending ones; anything by its id. It must be asked for together with everything else (`AND`), and may be one of
/// a few. Any other filter is held against one entry after the other, in the list's order, until the page is full: one that
/// few meet goes through all of the organization's entries of that noun. Any other order goes through all of those too,
/// every time, and so does a list of the attempts of every delivery.
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

    /// Steps of one run that succeeded or failed, or of all that did (`None`).
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
