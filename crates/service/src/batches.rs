//! Batches: what their owners call orders.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::access::Caller;
use domain::batch::{Batch, BatchRef};
use domain::grouping::Pattern;
use domain::id::{self, VersionId, WorkflowId};
use domain::image::{ContentHash, FileName, Image};
use domain::page::{Page, Window};
use domain::run::NamedImage;
use futures::stream::{self, StreamExt, TryStreamExt};
use serde_json::Value;
use uuid::Uuid;

use crate::{OrgChoice, Refusal, RunDetails, Service, Thing};

/// Most pictures ordered at once.
const IMAGES_MAX: usize = 50_000;
/// Runs filed at once: they share the database's transactions.
const AT_ONCE: usize = 256;

/// What a caller orders: one run for each picture, or for each group of pictures that go together.
#[derive(Clone, Debug)]
pub struct BatchDraft {
    /// The batch's id, if the caller has one for it; runs may be added to a batch there is already.
    pub id: Option<String>,
    /// Its name for people.
    pub name: String,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// At which version; the latest unless told.
    pub version: Option<VersionId>,
    /// The pictures, uploaded before, each with its file name.
    pub images: Vec<(FileName, ContentHash)>,
    /// Which of them go into one result, if some do: told by their names, parts in this order.
    pub grouping: Option<(Pattern, Vec<String>)>,
    /// The caller's own words on every run.
    pub labels: BTreeMap<String, String>,
    /// Settings for these runs alone.
    pub overrides: Value,
    /// Where to tell of each run's end.
    pub webhooks: Vec<String>,
}

impl Service {
    /// An organization's batches, newest first; with `id`, that one or none.
    pub async fn batches(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: Option<&str>,
        window: Window,
    ) -> Result<Page<Batch>, Refusal> {
        self.need_scope(caller, "runs:read")?;
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
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        self.0.store.batches_before(org, before, limit).await.map_err(Refusal::store("list the batches"))
    }

    /// Files a whole batch: everything is checked before the first run is filed. Ids are derived from `seed`: the same
    /// draft with the same seed again files what is missing and charges nothing twice. Too little credit is no refusal:
    /// what cannot be paid is filed as unpaid.
    pub async fn submit_batch(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        draft: &BatchDraft,
        seed: Uuid,
    ) -> Result<Batch, Refusal> {
        self.need_scope(caller, "runs:create")?;
        if draft.images.is_empty() || draft.images.len() > IMAGES_MAX {
            return Err(Refusal::Invalid(format!(
                "{} images are ordered; order 1 to {IMAGES_MAX} at once",
                draft.images.len()
            )));
        }
        let order = self.order(caller, choice, draft.workflow, draft.version).await?;
        let hashes: BTreeSet<ContentHash> = draft.images.iter().map(|(_, hash)| *hash).collect();
        let known: HashMap<ContentHash, Image> = stream::iter(hashes)
            .map(|hash| {
                let order = &order;
                async move { Ok::<_, Refusal>((hash, self.uploaded(order, hash).await?)) }
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await?;
        let groups = match &draft.grouping {
            None => (0..draft.images.len()).map(|place| vec![place]).collect(),
            Some((pattern, parts)) => {
                let names: Vec<_> = draft.images.iter().map(|(name, _)| name).collect();
                pattern.group(&names, parts)
            }
        };
        let id = draft.id.clone().unwrap_or_else(|| id::derived(seed, u32::MAX).to_string());
        let batch = BatchRef { id: id.clone(), name: draft.name.clone(), created_at: None };
        let details = RunDetails {
            labels: draft.labels.clone(),
            overrides: draft.overrides.clone(),
            webhooks: draft.webhooks.clone(),
            batch: Some(batch),
        }
        .check()?;
        self.check_overrides(&order, &details.overrides).await?;
        let mut runs = Vec::with_capacity(groups.len());
        for (nth, group) in (0..).zip(&groups) {
            let mut images = group.iter().filter_map(|place| {
                let (name, hash) = draft.images.get(*place)?;
                Some(NamedImage { image: known.get(hash)?.clone(), name: name.clone() })
            });
            // A group has one member at least.
            let Some(first) = images.next() else { continue };
            let seed = id::derived_in_order(seed, nth);
            runs.push(self.new_run(&order, first, images.collect(), details.clone(), seed)?);
        }
        tracing::info!(batch.id = %id, runs = runs.len(), "filing a batch of {} runs", runs.len());
        stream::iter(runs.into_iter().map(Ok))
            .try_for_each_concurrent(AT_ONCE, |new| async move { self.file(&new).await.map(drop) })
            .await?;
        let found = self.0.store.batch(order.org(), &id).await.map_err(Refusal::store("read the batch"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Batch, id))
    }

    /// One batch of an organization. Its runs are those of [`Service::runs_before`] with the batch in the filter.
    pub async fn batch(&self, caller: &Caller, choice: &OrgChoice, id: &str) -> Result<Batch, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.batch(org, id).await.map_err(Refusal::store("read the batch"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Batch, id))
    }
}
