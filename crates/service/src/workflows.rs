//! Workflows, organizations and credits, as their members see them.

use domain::access::{Caller, Org};
use domain::id::{OrgId, VersionId, WorkflowId};
use domain::page::{Page, Window};
use domain::workflow::{Step, Workflow};

use crate::{OrgChoice, Refusal, Service, Thing};

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

    /// The organizations the caller belongs to.
    pub async fn orgs(&self, caller: &Caller, window: Window) -> Result<Page<Org>, Refusal> {
        let among = caller.orgs();
        if among.is_empty() {
            return Ok(Page { entries: Vec::new(), total: 0 });
        }
        self.0.store.orgs(&among, window).await.map_err(Refusal::store("list the organizations"))
    }

    /// One organization the caller belongs to.
    pub async fn org(&self, caller: &Caller, id: OrgId) -> Result<Org, Refusal> {
        let missing = || Refusal::missing(Thing::Org, id);
        if !caller.belongs_to(id) {
            return Err(missing());
        }
        self.0.store.org(id).await.map_err(Refusal::store("read the organization"))?.ok_or_else(missing)
    }

    /// Credits an organization has.
    pub async fn balance(&self, caller: &Caller, choice: &OrgChoice) -> Result<i64, Refusal> {
        let org = self.one_org(caller, choice)?;
        self.0.store.balance(org).await.map_err(Refusal::store("read the balance"))
    }
}
