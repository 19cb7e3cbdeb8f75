//! Organizations, as their members see them.

use domain::access::{Caller, Org};
use domain::id::OrgId;
use domain::page::{Page, Window};

use crate::{Refusal, Service, Thing};

impl Service {
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
}
