//! Workflows: read, checked, made, revised, archived.

use domain::access::{Author, Caller};
use domain::id::{self, OrgId, UserId, VersionId, WorkflowId};
use domain::page::{Page, Window};
use domain::workflow::{Step, Version, Workflow};
use store::Revised;
use uuid::Uuid;

use crate::{OrgChoice, Refusal, Service, Thing};

/// Longest name of a workflow, in characters.
const NAME_CHARS_MAX: usize = 120;

/// A workflow as its author writes it.
#[derive(Clone, Debug, PartialEq)]
pub struct WorkflowDraft {
    /// Its name for people, unique within the organization.
    pub name: String,
    /// Its steps; settings that are left out have their defaults.
    pub steps: Vec<Step>,
    /// Credits one run costs; the sum of its components' if none is given.
    pub price: Option<u32>,
    /// Whether a person checks every result before it counts as done.
    pub needs_review: bool,
}

/// A list of steps that is a workflow, with every setting present, and its price.
#[derive(Clone, Debug, PartialEq)]
pub struct Checked {
    /// The steps, in canonical form.
    pub steps: Vec<Step>,
    /// Credits one run costs.
    pub price: u32,
}

impl Service {
    /// An organization's workflows.
    pub async fn workflows(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        window: Window,
    ) -> Result<Page<Workflow>, Refusal> {
        let org = self.one_org(caller, choice)?;
        self.0.store.workflows(org, window).await.map_err(Refusal::store("list the workflows"))
    }

    /// One workflow, at that version or else the latest.
    pub async fn workflow(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: WorkflowId,
        version: Option<VersionId>,
    ) -> Result<Workflow, Refusal> {
        let among = self.orgs_to_search(caller, choice);
        let missing = || match version {
            Some(version) => Refusal::missing(Thing::Version, version),
            None => Refusal::missing(Thing::Workflow, id),
        };
        if among.is_empty() {
            return Err(missing());
        }
        let found = self.0.store.workflow(&among, id, version).await;
        found.map_err(Refusal::store("read the workflow"))?.ok_or_else(missing)
    }

    /// Checks a list of steps against the components there are, fills in the defaults and prices it.
    pub fn check_steps(&self, steps: &[Step]) -> Result<Checked, Refusal> {
        let steps = self.0.catalogue.check(steps).map_err(|invalid| Refusal::InvalidWorkflow(invalid.0))?;
        let price = self.0.catalogue.price(&steps);
        Ok(Checked { steps, price })
    }

    /// Refuses with [`Refusal::Missing`] steps that name a picture which the organization does not have.
    pub(crate) async fn check_named_images(&self, org: OrgId, steps: &[Step]) -> Result<(), Refusal> {
        for hash in self.0.catalogue.images(steps) {
            let found =
                self.0.store.image(&[org], hash).await.map_err(Refusal::store("look for the image"))?;
            if found.is_none() {
                return Err(Refusal::missing(Thing::Image, hash));
            }
        }
        Ok(())
    }

    /// An organization's archived workflows.
    pub async fn archived_workflows(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        window: Window,
    ) -> Result<Page<Workflow>, Refusal> {
        let org = self.one_org(caller, choice)?;
        self.0.store.archived_workflows(org, window).await.map_err(Refusal::store("list the workflows"))
    }

    /// Every version of a workflow, newest first.
    pub async fn workflow_versions(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: WorkflowId,
    ) -> Result<Vec<Version>, Refusal> {
        let among = self.orgs_to_search(caller, choice);
        let found = self.0.store.versions(&among, id).await.map_err(Refusal::store("list the versions"))?;
        if found.is_empty() { Err(Refusal::missing(Thing::Workflow, id)) } else { Ok(found) }
    }

    /// Makes a workflow; for administrators. Ids are derived from `seed`: the same draft with the same seed again makes
    /// nothing more.
    pub async fn create_workflow(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        draft: &WorkflowDraft,
        seed: Uuid,
    ) -> Result<Workflow, Refusal> {
        let org = self.one_org_as_admin(caller, choice)?;
        let (name, version) = self.version_of(draft, VersionId(id::derived(seed, 1)))?;
        self.check_named_images(org, &version.steps).await?;
        let author = self.author(org, &caller.user).await?;
        let id = WorkflowId(id::derived(seed, 0));
        let workflow = Workflow { id, org, name, author, model: None, archived_at: None, version };
        self.0.store.save_workflow(&workflow).await.map_err(Refusal::store("save the workflow"))?;
        tracing::info!(workflow.id = %id, "made workflow `{}`", workflow.name);
        Ok(workflow)
    }

    /// Saves a draft as the workflow's next version, in place of the version `revised`; for administrators. Refuses with
    /// [`Refusal::Stale`] if that is not the latest any more. The id of the version is derived from `seed`.
    pub async fn revise_workflow(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: WorkflowId,
        revised: VersionId,
        draft: &WorkflowDraft,
        seed: Uuid,
    ) -> Result<Workflow, Refusal> {
        let before = self.workflow(caller, choice, id, None).await?;
        self.need_admin(caller, before.org)?;
        if before.model.is_some() {
            return Err(Refusal::missing(Thing::Workflow, id));
        }
        let (name, version) = self.version_of(draft, VersionId(id::derived(seed, 1)))?;
        self.check_named_images(before.org, &version.steps).await?;
        let workflow = Workflow { name, version, ..before };
        let revision = self.0.store.revise_workflow(&workflow, revised, &caller.user).await;
        match revision.map_err(Refusal::store("save the workflow"))? {
            Revised::Saved => {
                tracing::info!(workflow.id = %id, version.id = %workflow.version.id, "saved a version of workflow `{id}`");
                Ok(workflow)
            }
            Revised::Stale(latest) => Err(Refusal::Stale { latest }),
            Revised::Missing => Err(Refusal::missing(Thing::Workflow, id)),
        }
    }

    /// Archives a workflow, or takes it back; for administrators. An archived one is in nobody's way: it is not listed
    /// and begins no runs, but its runs and versions stay.
    pub async fn archive_workflow(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: WorkflowId,
        archived: bool,
    ) -> Result<Workflow, Refusal> {
        let before = self.workflow(caller, choice, id, None).await?;
        self.need_admin(caller, before.org)?;
        // What stands for a model is the server's.
        if before.model.is_some() {
            return Err(Refusal::missing(Thing::Workflow, id));
        }
        let done = self.0.store.archive_workflow(before.org, id, archived, &caller.user).await;
        done.map_err(Refusal::store("archive the workflow"))?;
        self.workflow(caller, choice, id, None).await
    }

    fn version_of(&self, draft: &WorkflowDraft, id: VersionId) -> Result<(String, Version), Refusal> {
        let name = draft.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
            return Err(Refusal::InvalidWorkflow(format!(
                "a workflow's name has 1 to {NAME_CHARS_MAX} printable characters"
            )));
        }
        let checked = self.check_steps(&draft.steps)?;
        let version = Version {
            id,
            saved_at: self.now(),
            steps: checked.steps,
            price: draft.price.unwrap_or(checked.price),
            needs_review: draft.needs_review,
        };
        Ok((name.to_owned(), version))
    }

    async fn author(&self, org: OrgId, user: &UserId) -> Result<Author, Refusal> {
        let found = self.0.store.org(org).await.map_err(Refusal::store("read the organization"))?;
        let member = found.into_iter().flat_map(|org| org.members).find(|member| member.user.id == *user);
        let known = member.map(|member| member.user);
        Ok(Author {
            id: user.clone(),
            given_name: known.as_ref().and_then(|user| user.given_name.clone()),
            family_name: known.as_ref().and_then(|user| user.family_name.clone()),
            email: known.map(|user| user.email),
        })
    }
}
