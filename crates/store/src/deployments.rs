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

/// A deployed workflow without what it is made of, which may be large.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeploymentHead {
    /// Its id.
    pub id: Uuid,
    /// Its name in addresses.
    pub slug: String,
    /// What its body calls it: the text `name`, if it has one.
    pub name: Option<String>,
    /// Size of its body as JSON, in bytes.
    pub bytes: u64,
    /// When it was first deployed.
    pub created_at: Timestamp,
    /// When it was last deployed.
    pub updated_at: Timestamp,
}

/// What came of deploying a workflow again.
#[derive(Clone, Debug, PartialEq)]
pub enum Redeployed {
    /// It is like this now.
    Now(Deployment),
    /// The organization has none of that id.
    Missing,
    /// Its body would be larger than allowed; nothing was changed.
    TooLarge,
}

/// Deployed workflows.
#[async_trait]
pub trait Deployments: Send + Sync {
    /// Files one, unless the organization has `most` already: answers whether it is there now. Refuses with `Conflict` if
    /// the organization has another of that slug. Filing it again changes nothing.
    async fn deploy(&self, deployment: &Deployment, most: usize) -> Result<bool, StoreError>;

    /// Replaces members of its body by those of `changes`, unless it would have more than `bytes_max` bytes as JSON then.
    async fn redeploy(
        &self,
        org: OrgId,
        id: Uuid,
        changes: &Value,
        bytes_max: usize,
    ) -> Result<Redeployed, StoreError>;

    /// One of an organization.
    async fn deployment(&self, org: OrgId, id: Uuid) -> Result<Option<Deployment>, StoreError>;

    /// The id of an organization's workflow of that slug.
    async fn deployment_called(&self, org: OrgId, slug: &str) -> Result<Option<Uuid>, StoreError>;

    /// All of an organization, oldest first, without their bodies.
    async fn deployments(&self, org: OrgId) -> Result<Vec<DeploymentHead>, StoreError>;
}
