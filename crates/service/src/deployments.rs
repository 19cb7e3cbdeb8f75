//! Workflows of other programs that are deployed here: kept and given back, not run.

use domain::access::Caller;
use serde_json::{Map, Value};
use store::{Deployment, DeploymentHead, Redeployed};
use uuid::Uuid;

use crate::{OrgChoice, Refusal, Service, Thing};

/// Most characters in a deployed workflow's name in addresses.
const SLUG_MAX: usize = 200;
/// Most workflows that an organization deploys.
const DEPLOYED_MAX: usize = 200;
/// Largest deployed workflow, in bytes as JSON.
const BYTES_MAX: usize = 2 * 1024 * 1024;

/// A workflow of another program, to be deployed.
#[derive(Clone, Debug)]
pub struct DeploymentDraft {
    /// Its name in addresses.
    pub slug: String,
    /// All of it, as it was given.
    pub body: Map<String, Value>,
}

impl Service {
    /// Deploys a workflow. Its id is `seed`.
    pub async fn deploy(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        draft: DeploymentDraft,
        seed: Uuid,
    ) -> Result<Deployment, Refusal> {
        self.need_scope(caller, "comfyui-workflows:create")?;
        let org = self.one_org(caller, choice)?;
        let doing = "deploy the workflow";
        let DeploymentDraft { slug, body } = draft;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if slug.is_empty() || slug.chars().count() > SLUG_MAX || !slug.chars().all(good) {
            return Err(Refusal::Invalid(format!(
                "`slug` has 1 to {SLUG_MAX} ASCII letters, digits, `-`, `_`, `.` and `/`"
            )));
        }
        let body = Value::Object(body);
        // Written once more to be measured: what was sent had members that are not kept, or spaces.
        if body.to_string().len() > BYTES_MAX {
            return Err(too_large());
        }
        let now = self.now();
        let deployment = Deployment {
            id: seed,
            org,
            slug,
            body,
            created_by: caller.user.clone(),
            created_at: now,
            updated_at: now,
        };
        if !self.0.store.deploy(&deployment, DEPLOYED_MAX).await.map_err(Refusal::store(doing))? {
            return Err(Refusal::Invalid(format!(
                "the organization has {DEPLOYED_MAX} deployed workflows, which is the most there may be; deploy one of \
                 them again"
            )));
        }
        Ok(deployment)
    }

    /// Deploys a workflow again: members of `changes` take the place of its own.
    pub async fn redeploy(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: Uuid,
        changes: Map<String, Value>,
    ) -> Result<Deployment, Refusal> {
        self.need_scope(caller, "comfyui-workflows:edit")?;
        let org = self.one_org(caller, choice)?;
        let done = self.0.store.redeploy(org, id, &Value::Object(changes), BYTES_MAX).await;
        match done.map_err(Refusal::store("deploy the workflow"))? {
            Redeployed::Now(deployment) => Ok(deployment),
            Redeployed::Missing => Err(Refusal::missing(Thing::Deployment, id)),
            Redeployed::TooLarge => Err(too_large()),
        }
    }

    /// All deployed workflows of an organization, oldest first, without their bodies.
    pub async fn deployments(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
    ) -> Result<Vec<DeploymentHead>, Refusal> {
        self.need_scope(caller, "comfyui-workflows:read")?;
        let org = self.one_org(caller, choice)?;
        self.0.store.deployments(org).await.map_err(Refusal::store("list the deployed workflows"))
    }

    /// One deployed workflow with its body.
    pub async fn deployment(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: Uuid,
    ) -> Result<Deployment, Refusal> {
        self.need_scope(caller, "comfyui-workflows:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.deployment(org, id).await.map_err(Refusal::store("show the workflow"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Deployment, id))
    }

    /// Whether an organization has a deployed workflow of that name in addresses.
    pub async fn is_deployed(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        slug: &str,
    ) -> Result<bool, Refusal> {
        self.need_scope(caller, "comfyui-workflows:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.deployment_called(org, slug).await;
        Ok(found.map_err(Refusal::store("look for the workflow"))?.is_some())
    }
}

fn too_large() -> Refusal {
    Refusal::Invalid(format!(
        "the workflow has more than {BYTES_MAX} bytes as JSON, which is the most that is kept; leave out what it does not need"
    ))
}
