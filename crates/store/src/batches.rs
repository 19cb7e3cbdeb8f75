//! Batches, counted while their runs move.

use async_trait::async_trait;
use domain::batch::Batch;
use domain::id::OrgId;
use domain::page::{Page, Window};
use uuid::Uuid;

use crate::StoreError;

/// Batches. A batch begins with its first run; its counts change in the transactions that change its runs.
#[async_trait]
pub trait Batches: Send + Sync {
    /// An organization's batches, newest first; with `id`, that one or none.
    async fn batches(&self, org: OrgId, id: Option<&str>, window: Window) -> Result<Page<Batch>, StoreError>;

    /// Up to `limit` batches that are older than the batch `before`, newest first; from the newest on without it, and
    /// none if there is no such batch.
    async fn batches_before(
        &self,
        org: OrgId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError>;

    /// One batch by its handle.
    async fn batch_of(&self, org: OrgId, handle: Uuid) -> Result<Option<Batch>, StoreError>;

    /// One batch.
    async fn batch(&self, org: OrgId, id: &str) -> Result<Option<Batch>, StoreError>;
}
