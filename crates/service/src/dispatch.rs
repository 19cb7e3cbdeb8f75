//! Work asked for by a model's inputs: planned by the face, filed here, charged for a success only.

use std::collections::BTreeMap;

use domain::access::{Author, Caller};
use domain::batch::{Batch, Counts};
use domain::id::{self, EntryId, EventId, OrgId, RunId, VersionId, WorkflowId};
use domain::image::FileName;
use domain::repeat::{KeptAnswer, Slot};
use domain::request::{From, Request, Source};
use domain::run::{Failure, Fault, Run, State, Status, Terms};
use domain::workflow::{Step, Version, Workflow};
use outbound::Outbound;
use serde_json::{Value, json};
use store::{Cancelled, Filed, Filing, NewBatch, NewRun};
use uuid::Uuid;

use crate::{OrgChoice, Refusal, Service, Thing};

/// The label under which a run's reference of its caller is kept.
pub(crate) const REFERENCE: &str = "client_ref";
/// Longest reference, in bytes of UTF-8 that 255 characters may take.
const REFERENCE_BYTES_MAX: usize = 4 * 255;

/// What a model does, unless an input says otherwise.
#[derive(Clone, Debug)]
pub struct ModelWork {
    /// Its name, unique among all models.
    pub name: String,
    /// Its steps for no input in particular.
    pub steps: Vec<Step>,
    /// Credits one run costs.
    pub price: u32,
}

/// One picture's work.
#[derive(Clone, Debug)]
pub struct Commission {
    /// Steps for this picture, in place of the workflow's.
    pub steps: Option<Vec<Step>>,
    /// Settings for this picture over those steps, keyed by step label or component.
    pub overrides: Value,
    /// The pictures: the one without a slot is worked on; the others stand in the steps by their slots.
    pub sources: Vec<Source>,
    /// The name of the picture that is worked on.
    pub name: FileName,
    /// The caller's name for it.
    pub client_ref: Option<String>,
    /// What was asked for.
    pub request: Request,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// What is wrong with it: it is filed as failed then.
    pub failure: Option<Failure>,
}

/// A batch that is asked for as a whole.
#[derive(Clone, Debug)]
pub struct BatchCommission {
    /// Its name for people.
    pub name: String,
    /// What was asked for.
    pub request: Request,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
}

/// What was filed.
#[derive(Clone, Debug)]
pub struct Dispatched {
    /// The runs, in order.
    pub runs: Vec<Run>,
    /// The batch that they are.
    pub batch: Option<Batch>,
}

impl Service {
    /// The workflow that stands for a model in an organization: made when it is first needed, and revised when the model's
    /// steps or price have changed. It is in no list.
    pub async fn workflow_for(
        &self,
        caller: &Caller,
        org: OrgId,
        work: &ModelWork,
    ) -> Result<Workflow, Refusal> {
        let doing = "look for the model";
        let steps =
            self.0.catalogue.check(&work.steps).map_err(|invalid| Refusal::InvalidWorkflow(invalid.0))?;
        let known = self.0.store.workflow_of_model(org, &work.name).await.map_err(Refusal::store(doing))?;
        if let Some(known) = &known
            && known.version.steps == steps
            && known.version.price == work.price
        {
            return Ok(known.clone());
        }
        let id = known.as_ref().map_or_else(|| WorkflowId(self.0.ids.next()), |known| known.id);
        let author = Author { id: caller.user.clone(), given_name: None, family_name: None, email: None };
        let version = Version {
            id: VersionId(self.0.ids.next()),
            saved_at: self.now(),
            steps,
            price: work.price,
            needs_review: false,
        };
        let mut workflow = Workflow {
            id,
            org,
            name: work.name.clone(),
            author,
            model: Some(work.name.clone()),
            archived_at: None,
            version,
        };
        match self.0.store.save_workflow(&workflow).await {
            Ok(()) => return Ok(workflow),
            Err(store::StoreError::Conflict(_)) => {}
            Err(error) => return Err(Refusal::store("file the model")(error)),
        }
        // Somebody else made it in this moment, or a workflow of the organization has its name.
        if let Some(made) =
            self.0.store.workflow_of_model(org, &work.name).await.map_err(Refusal::store(doing))?
        {
            return Ok(made);
        }
        workflow.name = format!("{} ({})", work.name, workflow.id);
        self.0.store.save_workflow(&workflow).await.map_err(Refusal::store("file the model"))?;
        Ok(workflow)
    }

    /// Files what is asked for, all of it or none; refuses with [`Refusal::OutOfCredit`] if the balance is lower than what it
    /// costs together. Ids are derived from `seed`: filing the same again changes nothing. `answer` makes what is kept for whoever
    /// repeats the request, in the same transaction.
    pub async fn dispatch(
        &self,
        caller: &Caller,
        workflow: &Workflow,
        work: Vec<Commission>,
        batch: Option<BatchCommission>,
        seed: Uuid,
        answer: impl FnOnce(&Dispatched) -> Option<(Slot, KeptAnswer)>,
    ) -> Result<Dispatched, Refusal> {
        self.need_scope(caller, "runs:create")?;
        // One that stands for a model is nobody's to archive.
        if workflow.archived_at.is_some() && workflow.model.is_none() {
            return Err(Refusal::missing(Thing::Workflow, workflow.id));
        }
        let at = self.now();
        let many = batch.is_some();
        let mut new = Vec::with_capacity(work.len());
        for (nth, commission) in (0..).zip(work) {
            // Others have their turn between two pictures of a large batch.
            tokio::task::yield_now().await;
            let seed = if many { id::derived_in_order(seed, nth) } else { seed };
            new.push(self.commissioned(caller, workflow, commission, seed, many.then_some(nth))?);
        }
        for each in &mut new {
            each.run.created_at = at;
            each.run.batch = batch.as_ref().map(|_| seed.to_string());
        }
        let opened = match batch {
            None => None,
            Some(batch) => {
                let webhooks = checked_addresses(batch.webhooks)?;
                let event = EventId(id::derived(seed, u32::MAX - 1));
                Some(NewBatch { handle: seed, name: batch.name, request: batch.request, webhooks, event })
            }
        };
        let dispatched = Dispatched {
            runs: new.iter().map(|each| each.run.clone()).collect(),
            batch: opened.as_ref().map(|opened| as_opened(opened, workflow, caller, &new, at)),
        };
        let answer = answer(&dispatched);
        let filing = Filing { at, runs: new, batch: opened, answer };
        match self.0.store.file(&filing).await.map_err(Refusal::store("file the work"))? {
            Filed::Done => {}
            Filed::OutOfCredit(short) => return Err(Refusal::OutOfCredit(short)),
        }
        for run in &dispatched.runs {
            metrics::counter!("packshot_runs_accepted_total", "status" => run.state.status().as_str())
                .increment(1);
        }
        tracing::info!(
            seed = %seed, org.id = %workflow.org, workflow.id = %workflow.id, runs = dispatched.runs.len(),
            "accepted {} runs of `{}`", dispatched.runs.len(), workflow.name
        );
        Ok(dispatched)
    }

    fn commissioned(
        &self,
        caller: &Caller,
        workflow: &Workflow,
        work: Commission,
        seed: Uuid,
        place: Option<u32>,
    ) -> Result<NewRun, Refusal> {
        let Commission { steps, overrides, sources, name, client_ref, request, webhooks, failure } = work;
        let webhooks = checked_addresses(webhooks)?;
        let mut labels = BTreeMap::new();
        if let Some(reference) = client_ref {
            if reference.len() > REFERENCE_BYTES_MAX {
                return Err(Refusal::Invalid(
                    "the reference is longer than 255 characters; shorten it".to_owned(),
                ));
            }
            labels.insert(REFERENCE.to_owned(), reference);
        }
        let stored =
            sources.iter().all(|source| matches!(source.from, From::Stored(_)) && source.member.is_none());
        let mut run = Run {
            id: RunId(seed),
            org: workflow.org,
            workflow: workflow.id,
            version: workflow.version.id,
            workflow_name: workflow.name.clone(),
            user: caller.user.clone(),
            created_at: self.now(),
            input: None,
            input_name: name,
            more_inputs: Vec::new(),
            sources,
            batch: None,
            place,
            labels,
            overrides,
            steps,
            request: Some(request),
            webhooks,
            price: workflow.version.price,
            terms: Terms::ForSuccess,
            charged: workflow.version.price,
            feedback: None,
            review: None,
            state: State::Queued,
        };
        if let Some(failure) = &failure {
            run.charged = 0;
            run.state = State::Failed {
                started_at: run.created_at,
                finished_at: run.created_at,
                failure: failure.clone(),
            };
        } else {
            self.check_commission(&run, workflow)?;
            if stored {
                supply_stored(&mut run);
            }
        }
        Ok(NewRun {
            run,
            batch: None,
            // Whoever asks through such a face sees it queued in the answer itself.
            delay: domain::time::Millis(0),
            entry: EntryId(id::derived(seed, 1)),
            event: EventId(id::derived(seed, 2)),
            failure,
        })
    }

    /// Refuses steps that no picture could go through, whatever the pictures that they name are.
    fn check_commission(&self, run: &Run, workflow: &Workflow) -> Result<(), Refusal> {
        let steps = run.steps.as_ref().unwrap_or(&workflow.version.steps);
        let stand_in = "0".repeat(64);
        let hashes: BTreeMap<&str, &str> =
            run.sources.iter().map(|source| (source.slot.as_str(), stand_in.as_str())).collect();
        let filled = domain::request::filled(steps, &hashes);
        let checked = self
            .0
            .catalogue
            .check(&filled)
            .and_then(|steps| self.0.catalogue.resolve(&steps, &run.overrides));
        checked.map(drop).map_err(|invalid| Refusal::InvalidSettings(invalid.0))
    }

    /// Cancels a run that has not ended; its credits are given back if they were set aside for a success and nothing was made yet. Answers how it is now, and whether this did it.
    pub async fn cancel_run(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: RunId,
        reason: Option<&str>,
    ) -> Result<(Run, bool), Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let among = self.orgs_to_search(caller, choice);
        if among.is_empty() {
            return Err(Refusal::missing(Thing::Run, id));
        }
        let event = EventId(self.0.ids.next());
        let cancelled = self.0.store.cancel(&among, id, &caller.user, reason, event).await;
        let now = match cancelled.map_err(Refusal::store("cancel the run"))? {
            Cancelled::Now => true,
            Cancelled::Ended(_) => false,
            Cancelled::Missing => return Err(Refusal::missing(Thing::Run, id)),
        };
        Ok((self.read_run(&among, id).await?, now))
    }

    /// Cancels every run of a batch that has not ended. Answers the batch as it is now, and how many were cancelled.
    pub async fn cancel_batch(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        batch: Uuid,
        reason: Option<&str>,
    ) -> Result<(Batch, u64), Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org(caller, choice)?;
        let seed = self.0.ids.next();
        let cancelled = self.0.store.cancel_batch(org, batch, &caller.user, reason, seed).await;
        let missing = || Refusal::missing(Thing::Batch, batch);
        let many = cancelled.map_err(Refusal::store("cancel the batch"))?.ok_or_else(missing)?;
        Ok((self.batch_of(caller, choice, batch).await?, many))
    }

    /// One batch by its handle.
    pub async fn batch_of(&self, caller: &Caller, choice: &OrgChoice, batch: Uuid) -> Result<Batch, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let found = self.0.store.batch_of(org, batch).await.map_err(Refusal::store("read the batch"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Batch, batch))
    }

    /// Refuses whoever's token does not allow that.
    pub fn need_scope(&self, caller: &Caller, scope: &'static str) -> Result<(), Refusal> {
        if caller.scopes.allow(scope) { Ok(()) } else { Err(Refusal::ScopeMissing { scope }) }
    }
}

/// The failure of a commission that cannot be worked on, as its face found out.
impl Commission {
    /// A commission that is filed as failed at once.
    pub fn failed(request: Request, name: FileName, client_ref: Option<String>, message: String) -> Self {
        Self {
            steps: None,
            overrides: json!({}),
            sources: Vec::new(),
            name,
            client_ref,
            request,
            webhooks: Vec::new(),
            failure: Some(Failure::new("input_invalid", message, Fault::Input)),
        }
    }
}

/// Puts pictures that are here already where they belong.
fn supply_stored(run: &mut Run) {
    let mut hashes = BTreeMap::new();
    for source in &run.sources {
        let From::Stored(image) = &source.from else { continue };
        if source.slot.is_empty() {
            run.input = Some(image.clone());
        } else {
            hashes.insert(source.slot.clone(), image.hash.to_string());
        }
    }
    let hashes: BTreeMap<&str, &str> =
        hashes.iter().map(|(slot, hash)| (slot.as_str(), hash.as_str())).collect();
    run.steps = run.steps.as_ref().map(|steps| domain::request::filled(steps, &hashes));
    run.sources.clear();
}

/// Says what is wrong with an address to call back at.
pub fn check_callback(address: &str) -> Result<(), Refusal> {
    Outbound::check_address(address)
        .map(drop)
        .map_err(|failure| Refusal::Invalid(format!("it cannot be used: {failure}")))
}

/// Addresses as they are kept; refuses what is none.
pub(crate) fn checked_addresses(addresses: Vec<String>) -> Result<Vec<String>, Refusal> {
    for address in &addresses {
        Outbound::check_address(address)
            .map_err(|failure| Refusal::Invalid(format!("`callback_url` cannot be used: {failure}")))?;
    }
    Ok(addresses)
}

/// A batch as it is the moment it is filed.
fn as_opened(
    opened: &NewBatch,
    workflow: &Workflow,
    caller: &Caller,
    runs: &[NewRun],
    at: domain::time::Timestamp,
) -> Batch {
    let count = |status: Status| runs.iter().filter(|each| each.run.state.status() == status).count() as u64;
    Batch {
        id: opened.handle.to_string(),
        handle: opened.handle,
        org: workflow.org,
        name: opened.name.clone(),
        author: caller.user.clone(),
        created_at: at,
        workflow: workflow.id,
        workflow_name: workflow.name.clone(),
        runs: runs.len() as u64,
        charged: runs.iter().map(|each| u64::from(each.run.charged)).sum(),
        counts: Counts::of(count),
        size: Some(runs.len() as u64),
        request: Some(opened.request.clone()),
        webhooks: opened.webhooks.clone(),
        started_at: None,
        ended_at: (count(Status::Failed) > 0).then_some(at),
    }
}
