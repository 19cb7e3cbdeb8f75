//! What an empty system begins with: an organization, its administrator, the starter workflows, credits and a key. And what
//! a further organization does.

use domain::access::{Author, Org};
use domain::id::{EntryId, OrgId, OrgVersion, UserId, VersionId, WorkflowId};
use domain::page::{Page, Window};
use domain::workflow::{Step, Version, Workflow};
use store::{Founding, NewUser, TopUp};

use crate::access::{MadeUser, email_fault, first_password, fresh_signing_key, hash, tidy_name};
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
        let user = self.fresh_user(&plan.admin_email, None, None);
        let workflows = self.first_workflows(org, &user.id, &plan.workflows)?;
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

    /// Makes a further organization, at the terminal. Its administrator may have an account already, and keeps it then.
    /// Refuses with [`Refusal::InvalidWorkflow`] like [`found`](Self::found).
    pub async fn create_org(&self, plan: FoundingPlan) -> Result<MadeUser, Refusal> {
        let doing = "make an organization";
        let email = plan.admin_email.trim();
        if let Some(fault) = email_fault(email) {
            return Err(Refusal::Invalid(fault));
        }
        let name = tidy_name(&plan.org_name)?.ok_or_else(|| {
            Refusal::Invalid("the organization has no name; give it one with `--name`".to_owned())
        })?;
        let (admin, password) = self.known_or_new(email, doing).await?;
        let id = OrgId(self.0.ids.next());
        let workflows = self.first_workflows(id, &admin.user.id, &plan.workflows)?;
        let org = Org { id, version: OrgVersion(self.0.ids.next()), name, members: Vec::new() };
        let credits = TopUp {
            entry: EntryId(self.0.ids.next()),
            credits: plan.credits,
            by: None,
            note: "first credits".to_owned(),
        };
        let added = self.0.store.add_org(&org, &admin, &workflows, Some(&credits)).await;
        added.map_err(Refusal::store(doing))?;
        tracing::info!(org.id = %id, "made organization `{id}`");
        Ok(MadeUser { user: admin.user.id, org: id, password })
    }

    /// Every organization with its members, oldest first, for the terminal.
    pub async fn all_orgs(&self, window: Window) -> Result<Page<Org>, Refusal> {
        self.0.store.all_orgs(window).await.map_err(Refusal::store("list the organizations"))
    }

    /// The workflows an organization begins with.
    fn first_workflows(
        &self,
        org: OrgId,
        author: &UserId,
        planned: &[(String, Vec<Step>)],
    ) -> Result<Vec<Workflow>, Refusal> {
        let author = Author { id: author.clone(), given_name: None, family_name: None, email: None };
        let make = |(name, steps): &(String, Vec<Step>)| {
            let checked = self
                .check_steps(steps)
                .map_err(|refusal| Refusal::InvalidWorkflow(format!("workflow `{name}`: {refusal}")))?;
            Ok(Workflow {
                id: WorkflowId(self.0.ids.next()),
                org,
                name: name.clone(),
                author: author.clone(),
                model: None,
                archived_at: None,
                version: Version {
                    needs_review: false,
                    id: VersionId(self.0.ids.next()),
                    saved_at: self.now(),
                    steps: checked.steps,
                    price: checked.price,
                },
            })
        };
        planned.iter().map(make).collect()
    }
}
