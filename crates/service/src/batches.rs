//! Batches: what their owners call orders.

use domain::access::Caller;
use domain::batch::Batch;
use domain::page::{Page, Window};

use crate::{OrgChoice, Refusal, Service, Thing};

impl Service {
    /// An organization's batches, newest first; with `id`, that one or none.
    pub async fn batches(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: Option<&str>,
        window: Window,
    ) -> Result<Page<Batch>, Refusal> {
        let org = self.one_org(caller, choice)?;
        self.0.store.batches(org, id, window).await.map_err(Refusal::store("list the batches"))
    }

    /// Up to `limit` of an organization's batches that are older than the batch `before`, newest first.
    pub async fn batches_before(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Batch>, Refusal> {
        let org = self.one_org(caller, choice)?;
        self.0.store.batches_before(org, before, limit).await.map_err(Refusal::store("list the batches"))
    }

    /// One batch of an organization. Its runs are those of [`Service::runs_before`] with the batch in the filter.
    pub async fn batch(&self, caller: &Caller, choice: &OrgChoice, id: &str) -> Result<Batch, Refusal> {
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.batch(org, id).await.map_err(Refusal::store("read the batch"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Batch, id))
    }
}
