//! What was done, by whom. Other verbs write it, each in the transaction of the change it tells of.

use async_trait::async_trait;
use domain::audit::AuditEntry;
use domain::id::{AuditId, OrgId};

use crate::StoreError;

/// What was done, by whom.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Up to `limit` things that were done in that organization, newest first: those before that entry, or the latest.
    /// Nothing comes before an entry of another organization.
    async fn audit(
        &self,
        org: OrgId,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError>;
}
