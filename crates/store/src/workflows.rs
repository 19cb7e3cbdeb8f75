//! Workflows, the pictures an organization may see, and its credits.

use async_trait::async_trait;
use domain::id::{EntryId, OrgId, VersionId, WorkflowId};
use domain::image::{ContentHash, Image};
use domain::ledger::Entry;
use domain::page::{Page, Window};
use domain::workflow::Workflow;

use crate::StoreError;

/// Saved workflows.
#[async_trait]
pub trait Workflows: Send + Sync {
    /// An organization's workflows at their latest versions, in the order they were made.
    async fn workflows(&self, org: OrgId, window: Window) -> Result<Page<Workflow>, StoreError>;

    /// One workflow of any of these organizations, at that version or else the latest.
    async fn workflow(
        &self,
        among: &[OrgId],
        id: WorkflowId,
        version: Option<VersionId>,
    ) -> Result<Option<Workflow>, StoreError>;

    /// One workflow by its exact name, at its latest version.
    async fn workflow_named(&self, org: OrgId, name: &str) -> Result<Option<Workflow>, StoreError>;

    /// Saves a workflow's `version` as its latest; makes the workflow if there is none of that id. Refuses with
    /// `Conflict` if another workflow of the organization has that name, or that version id means something else.
    /// Saving the same version again changes nothing. The author stays who made the workflow.
    async fn save_workflow(&self, workflow: &Workflow) -> Result<(), StoreError>;
}

/// Which pictures an organization may see. The bytes are elsewhere, stored once for all.
#[async_trait]
pub trait Images: Send + Sync {
    /// Lets an organization see a picture whose bytes are stored. Doing it again changes nothing.
    async fn admit_image(&self, org: OrgId, image: &Image) -> Result<(), StoreError>;

    /// The picture, if any of these organizations may see it.
    async fn image(&self, among: &[OrgId], hash: ContentHash) -> Result<Option<Image>, StoreError>;
}

/// An organization's credits.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Credits there are.
    async fn balance(&self, org: OrgId) -> Result<i64, StoreError>;

    /// The ledger's entries, newest first.
    async fn entries(&self, org: OrgId, window: Window) -> Result<Page<Entry>, StoreError>;

    /// Gives credits and answers the balance after it. The same `entry` id counts once.
    async fn grant(&self, org: OrgId, entry: EntryId, credits: u32) -> Result<i64, StoreError>;
}
