//! Workflows of other programs that are deployed here: kept and given back, not run.

use domain::access::Caller;
use serde_json::{Map, Value};
use store::Deployment;
use uuid::Uuid;

use crate::{OrgChoice, Refusal, Service, Thing};

/// Most characters in a deployed workflow's name in addresses.
const SLUG_MAX: usize = 200;
/// Most workflows that an organization deploys.
const DEPLOYED_MAX: usize = 1000;

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
        let there = self.0.store.deployments(org).await.map_err(Refusal::store(doing))?;
        if there.len() >= DEPLOYED_MAX {
            return Err(Refusal::Invalid(format!(
                "the organization has {DEPLOYED_MAX} deployed workflows, which is the most there may be; deploy one of \
                 them again"
            )));
        }
        let DeploymentDraft { slug, body } = draft;
        let good = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
        if slug.is_empty() || slug.chars().count() > SLUG_MAX || !slug.chars().all(good) {
            return Err(Refusal::Invalid(format!(
                "`slug` has 1 to {SLUG_MAX} ASCII letters, digits, `-`, `_`, `.` and `/`"
            )));
        }
        let now = self.now();
        let deployment = Deployment {
            id: seed,
            org,
            slug,
            body: Value::Object(body),
            created_by: caller.user.clone(),
            created_at: now,
            updated_at: now,
        };
        self.0.store.deploy(&deployment).await.map_err(Refusal::store(doing))?;
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
        let now = self.0.store.redeploy(org, id, &Value::Object(changes)).await;
        now.map_err(Refusal::store("deploy the workflow"))?
            .ok_or_else(|| Refusal::missing(Thing::Deployment, id))
    }

    /// All deployed workflows of an organization, oldest first.
    pub async fn deployments(&self, caller: &Caller, choice: &OrgChoice) -> Result<Vec<Deployment>, Refusal> {
        self.need_scope(caller, "comfyui-workflows:read")?;
        let org = self.one_org(caller, choice)?;
        self.0.store.deployments(org).await.map_err(Refusal::store("list the deployed workflows"))
    }
}
