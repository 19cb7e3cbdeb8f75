//! Workflows of other programs that are deployed here: kept and given back, not run.

use async_trait::async_trait;
use domain::id::{OrgId, UserId};
use domain::time::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::StoreError;

/// A deployed workflow of another program.
#[derive(Clone, Debug, PartialEq)]
pub struct Deployment {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub org: OrgId,
    /// Its name in addresses, unique within the organization.
    pub slug: String,
    /// All of it, as it was given; an object.
    pub body: Value,
    /// Who deployed it first.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// When it was last deployed.
    pub updated_at: Timestamp,
}

/// Deployed workflows. An organization has few of them.
#[async_trait]
pub trait Deployments: Send + Sync {
    /// Files one. Refuses with `Conflict` if the organization has another of that slug. Filing it again changes nothing.
    async fn deploy(&self, deployment: &Deployment) -> Result<(), StoreError>;

    /// Replaces members of its body by those of `changes`. Answers it as it is now.
    async fn redeploy(&self, org: OrgId, id: Uuid, changes: &Value)
    -> Result<Option<Deployment>, StoreError>;

    /// All of an organization, oldest first.
    async fn deployments(&self, org: OrgId) -> Result<Vec<Deployment>, StoreError>;
}
