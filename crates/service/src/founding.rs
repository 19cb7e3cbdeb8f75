//! What an empty system begins with: an organization, its administrator, the starter workflows, credits and a key.

use domain::access::{Author, Org, User};
use domain::id::{EntryId, OrgId, OrgVersion, UserId, VersionId, WorkflowId};
use domain::workflow::{Step, Version, Workflow};
use store::{Founding, NewUser};

use crate::access::{first_password, fresh_signing_key, hash};
use crate::{Refusal, Service};

/// What to begin with.
#[derive(Clone, Debug)]
pub struct FoundingPlan {
    /// The organization's name.
    pub org_name: String,
    /// The administrator's sign-in name.
    pub admin_email: String,
    /// The first workflows: name and steps, in the order they are listed.
    pub workflows: Vec<(String, Vec<Step>)>,
    /// The first credits.
    pub credits: u32,
}

/// What was begun. The password is shown once: only its hash is kept.
#[derive(Clone)]
pub struct Founded {
    /// The organization.
    pub org: OrgId,
    /// The administrator.
    pub admin: UserId,
    /// Their sign-in name.
    pub admin_email: String,
    /// Their password.
    pub admin_password: String,
}

impl std::fmt::Debug for Founded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Founded").field("org", &self.org).field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl Service {
    /// Begins an empty system. Answers `None` when there is an organization already: then nothing is changed. Refuses
    /// with [`Refusal::InvalidWorkflow`] when a workflow of the plan does not fit the components there are.
    pub async fn found(&self, plan: FoundingPlan) -> Result<Option<Founded>, Refusal> {
        let doing = "begin an organization";
        if self.0.store.first_org().await.map_err(Refusal::store(doing))?.is_some() {
            return Ok(None);
        }
        let now = self.now();
        let org = OrgId(self.0.ids.next());
        let user = User {
            id: UserId(format!("packshot|{}", self.0.ids.next())),
            email: plan.admin_email.clone(),
            given_name: None,
            family_name: None,
            picture: None,
        };
        let author = Author { id: user.id.clone(), given_name: None, family_name: None, email: None };
        let mut workflows = Vec::with_capacity(plan.workflows.len());
        for (name, steps) in &plan.workflows {
            let checked = self
                .check_steps(steps)
                .map_err(|refusal| Refusal::InvalidWorkflow(format!("workflow `{name}`: {refusal}")))?;
            workflows.push(Workflow {
                id: WorkflowId(self.0.ids.next()),
                org,
                name: name.clone(),
                author: author.clone(),
                archived_at: None,
                version: Version {
                    needs_review: false,
                    id: VersionId(self.0.ids.next()),
                    saved_at: now,
                    steps: checked.steps,
                    price: checked.price,
                },
            });
        }
        let password = first_password();
        let to_hash = password.clone();
        let password_hash = tokio::task::spawn_blocking(move || hash(&to_hash))
            .await
            .map_err(|source| Refusal::Ours { doing, source: Box::new(source) })?;
        let founded =
            Founded { org, admin: user.id.clone(), admin_email: plan.admin_email, admin_password: password };
        let founding = Founding {
            org: Org {
                id: org,
                version: OrgVersion(self.0.ids.next()),
                name: plan.org_name,
                members: Vec::new(),
            },
            admin: NewUser { user, password_hash },
            workflows,
            credits: plan.credits,
            grant: EntryId(self.0.ids.next()),
            signing_key: fresh_signing_key(now),
        };
        let begun = self.0.store.found(&founding).await.map_err(Refusal::store(doing))?;
        Ok(begun.then_some(founded))
    }
}
