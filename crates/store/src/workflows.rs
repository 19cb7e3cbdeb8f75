//! Workflows, the pictures an organization may see, and its credits.

use async_trait::async_trait;
use domain::id::{EntryId, OrgId, UserId, VersionId, WorkflowId};
use domain::image::{ContentHash, Image};
use domain::ledger::Entry;
use domain::page::{Page, Window};
use domain::time::Timestamp;
use domain::workflow::{Version, Workflow};

use crate::StoreError;

/// What became of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Revised {
    /// It is the latest version now.
    Saved,
    /// The latest version is this one, not the one that was revised: nothing was changed.
    Stale(VersionId),
    /// The organization has no such workflow.
    Missing,
}

/// Credits to be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// Id of the ledger's entry; the same one counts once.
    pub entry: EntryId,
    /// How many.
    pub credits: u32,
    /// Who gives them, if a person does.
    pub by: Option<UserId>,
    /// What for, in their words.
    pub note: String,
}

/// When an organization wants to be warned of its balance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CreditAlert {
    /// Below how many millionths of a credit.
    pub threshold: i64,
    /// When it was last warned.
    pub notified_at: Option<Timestamp>,
    /// Since when it wants to be.
    pub created_at: Timestamp,
    /// When that was last changed.
    pub updated_at: Timestamp,
}

/// Saved workflows.
#[async_trait]
pub trait Workflows: Send + Sync {
    /// An organization's workflows at their latest versions, in the order they were made; not the archived ones.
    async fn workflows(&self, org: OrgId, window: Window) -> Result<Page<Workflow>, StoreError>;

    /// An organization's archived workflows, in the order they were made.
    async fn archived_workflows(&self, org: OrgId, window: Window) -> Result<Page<Workflow>, StoreError>;

    /// Every version of a workflow of any of these organizations, newest first; none if there is no such workflow.
    async fn versions(&self, among: &[OrgId], id: WorkflowId) -> Result<Vec<Version>, StoreError>;

    /// One workflow of any of these organizations, at that version or else the latest.
    async fn workflow(
        &self,
        among: &[OrgId],
        id: WorkflowId,
        version: Option<VersionId>,
    ) -> Result<Option<Workflow>, StoreError>;

    /// The workflow that stands for a model in this organization, at its latest version.
    async fn workflow_of_model(&self, org: OrgId, model: &str) -> Result<Option<Workflow>, StoreError>;

    /// One workflow by its exact name, at its latest version.
    async fn workflow_named(&self, org: OrgId, name: &str) -> Result<Option<Workflow>, StoreError>;

    /// Saves a workflow's `version` as its latest; makes the workflow if there is none of that id. Refuses with
    /// `Conflict` if another workflow of the organization has that name, or that version id means something else.
    /// Saving the same version again changes nothing. The author stays who made the workflow.
    async fn save_workflow(&self, workflow: &Workflow) -> Result<(), StoreError>;

    /// Saves a workflow's name and `version` in place of the version `revised`, which must be the latest. Saving the same
    /// version again changes nothing. Refuses with `Conflict` as [`Workflows::save_workflow`] does.
    async fn revise_workflow(
        &self,
        workflow: &Workflow,
        revised: VersionId,
        by: &UserId,
    ) -> Result<Revised, StoreError>;

    /// Archives a workflow, or takes it back. Its runs and versions stay. Answers whether the organization has it.
    async fn archive_workflow(
        &self,
        org: OrgId,
        id: WorkflowId,
        archived: bool,
        by: &UserId,
    ) -> Result<bool, StoreError>;
}

/// Which pictures an organization may see. The bytes are elsewhere, stored once for all.
#[async_trait]
pub trait Images: Send + Sync {
    /// Lets an organization see a picture whose bytes are stored. Doing it again changes nothing.
    async fn admit_image(&self, org: OrgId, image: &Image) -> Result<(), StoreError>;

    /// The picture, if any of these organizations may see it.
    async fn image(&self, among: &[OrgId], hash: ContentHash) -> Result<Option<Image>, StoreError>;

    /// Notes the small picture of a picture, whose bytes are stored too. The first one stays.
    async fn keep_thumbnail(&self, of: ContentHash, thumbnail: &Image) -> Result<(), StoreError>;

    /// The small picture of a picture, if it was made before.
    async fn thumbnail(&self, of: ContentHash) -> Result<Option<Image>, StoreError>;
}

/// An organization's credits.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Credits there are.
    async fn balance(&self, org: OrgId) -> Result<i64, StoreError>;

    /// The ledger's entries, newest first.
    async fn entries(&self, org: OrgId, window: Window) -> Result<Page<Entry>, StoreError>;

    /// Up to `limit` entries that are older than the entry `before`, newest first; from the newest on without it, and
    /// none if the organization has no such entry.
    async fn entries_before(
        &self,
        org: OrgId,
        before: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError>;

    /// Gives credits and answers the balance after it. The same entry's id counts once.
    async fn top_up(&self, org: OrgId, top_up: &TopUp) -> Result<i64, StoreError>;

    /// When the organization wants to be warned of its balance, if it does.
    async fn credit_alert(&self, org: OrgId) -> Result<Option<CreditAlert>, StoreError>;

    /// Sets it. With `unless_changed_since`, answers `None` and changes nothing if it was last changed at another time.
    async fn set_credit_alert(
        &self,
        org: OrgId,
        threshold: i64,
        unless_changed_since: Option<Timestamp>,
        by: &UserId,
    ) -> Result<Option<CreditAlert>, StoreError>;

    /// [`Ledger::top_up`] by nobody in particular.
    async fn grant(&self, org: OrgId, entry: EntryId, credits: u32) -> Result<i64, StoreError> {
        self.top_up(org, &TopUp { entry, credits, by: None, note: String::new() }).await
    }
}
