//! Claims runs, works on them, settles them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use blob::Blobs;
use bytes::Bytes;
use components::{File, Product, Toolbox};
use domain::component::Catalogue;
use domain::id::{EventId, Ids, LeaseToken, OrgId};
use domain::image::{ContentHash, Image, Inspect};
use domain::request::filled;
use domain::run::{Failure, Fault, NamedImage, Outcome, RetryPolicy, Run, Status};
use domain::time::Millis;
use outbound::Outbound;
use store::{Claim, Settled, Settlement, Store, WorkerId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::admission::Admission;
use crate::evaluate;
use crate::fetch::{self, FetchSettings, Fetcher};
use crate::leases::Leases;
use crate::places::Places;
use crate::prepared::Prepared;
use crate::previews::Previews;
use crate::stop::Stop;
use crate::thread::on_a_thread;

/// What the engine works with.
#[derive(Clone)]
pub struct Parts {
    /// Where runs are remembered.
    pub store: Arc<dyn Store>,
    /// Where bytes are kept.
    pub blobs: Blobs,
    /// The components, with the networks and the cache they use.
    pub toolbox: Arc<Toolbox>,
    /// What the components are.
    pub catalogue: Arc<Catalogue>,
    /// Where lease tokens and event ids come from.
    pub ids: Arc<dyn Ids>,
    /// The way out, for pictures to fetch.
    pub outbound: Outbound,
    /// Reads a picture's header.
    pub inspect: Arc<dyn Inspect>,
}

/// How the engine works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// This process's name on leases; unique among all processes on one store.
    pub worker: WorkerId,
    /// Runs worked on at once.
    pub concurrency: usize,
    /// Memory that runs may need together, in bytes.
    pub memory_budget: u64,
    /// How long a lease lasts unless renewed; renewed every third of it.
    pub lease: Millis,
    /// Longest time between two looks at the queue.
    pub poll: Duration,
    /// When failed attempts are tried again.
    pub retry: RetryPolicy,
    /// How pictures are fetched.
    pub fetch: FetchSettings,
    /// Evaluations worked on at once.
    pub evaluations: usize,
}

/// The running engine. Dropping it does not stop it; [`Engine::drain`] does.
pub struct Engine {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    claiming: JoinHandle<()>,
    evaluating: JoinHandle<()>,
    /// What ends with the engine and has nothing to end by itself.
    watching: Vec<JoinHandle<()>>,
}

pub(crate) struct Shared {
    pub(crate) parts: Parts,
    pub(crate) settings: Settings,
    pub(crate) admission: Admission,
    pub(crate) fetcher: Fetcher,
    leases: Leases,
    slots: Arc<Semaphore>,
    /// Where pictures are fetched for runs and evaluations: they have given their slot back meanwhile.
    pub(crate) places: Places,
    slot_freed: Notify,
    pub(crate) evaluations: evaluate::Evaluations,
}

impl Shared {
    /// The bytes of a stored picture.
    pub(crate) async fn read(&self, hash: ContentHash) -> Result<Bytes, Failure> {
        self.parts.blobs.read(hash).await.map_err(|error| {
            let text = format!("cannot read the stored picture: {error}");
            Failure::new("input_unreadable", text, Fault::Ours)
        })
    }
}

impl Engine {
    /// Starts claiming and working. Needs a tokio runtime.
    pub fn start(parts: Parts, settings: Settings) -> Self {
        let concurrency = settings.concurrency.max(1);
        let evaluations = settings.evaluations.max(1);
        let fetch = FetchSettings { at_once: settings.fetch.at_once.max(1), ..settings.fetch };
        let shared = Arc::new(Shared {
            admission: Admission::new(settings.memory_budget),
            fetcher: Fetcher {
                blobs: parts.blobs.clone(),
                outbound: parts.outbound.clone(),
                inspect: Arc::clone(&parts.inspect),
                settings: fetch.clone(),
            },
            leases: Leases::default(),
            slots: Arc::new(Semaphore::new(concurrency)),
            places: Places::new(fetch.at_once),
            slot_freed: Notify::new(),
            evaluations: evaluate::Evaluations::new(evaluations),
            parts,
            settings: Settings { concurrency, evaluations, fetch, ..settings },
        });
        let (stop, stopped) = watch::channel(false);
        let claiming = tokio::spawn(claim_until_stopped(Arc::clone(&shared), stopped.clone()));
        let evaluating = tokio::spawn(evaluate::claim_until_stopped(Arc::clone(&shared), stopped));
        let watching = vec![
            tokio::spawn(renew_for_ever(Arc::clone(&shared))),
            tokio::spawn(stop_what_is_cancelled(Arc::clone(&shared))),
            tokio::spawn(evaluate::renew_for_ever(Arc::clone(&shared))),
            tokio::spawn(evaluate::file_missing_for_ever(Arc::clone(&shared))),
        ];
        Self { shared, stop, claiming, evaluating, watching }
    }

    /// The memory runs are admitted against.
    pub fn admission(&self) -> &Admission {
        &self.shared.admission
    }

    /// Where small pictures of what came after steps are made.
    pub fn previews(&self) -> Previews {
        Previews { shared: Arc::clone(&self.shared) }
    }

    /// Claims nothing more, lets running work finish for up to `grace`, hands the rest back untouched, and ends.
    /// Answers how many runs were handed back.
    pub async fn drain(self, grace: Duration) -> usize {
        let _ = self.stop.send(true);
        for ended in [self.claiming.await, self.evaluating.await] {
            if let Err(error) = ended {
                tracing::error!(%error, "a claiming loop had died before the drain");
            }
        }
        let all_ended = async {
            self.shared.leases.all_ended().await;
            self.shared.evaluations.all_ended().await;
        };
        let finished = tokio::time::timeout(grace, all_ended).await.is_ok();
        let mut handed_back = 0;
        if !finished {
            self.shared.evaluations.hand_back_all(&self.shared.parts).await;
            let tokens = self.shared.leases.stop_all();
            handed_back = tokens.len();
            if let Err(error) = self.shared.parts.store.hand_back(&tokens).await {
                // Their leases will run out: later, but nothing is lost.
                tracing::warn!(%error, "could not hand {handed_back} runs back; they wait for their leases to end");
            }
        }
        self.watching.iter().for_each(JoinHandle::abort);
        handed_back
    }
}

async fn claim_until_stopped(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut changes = shared.parts.store.changes();
    while !*stopped.borrow() {
        let pause = match claim_free(&shared).await {
            // More may be due than there were slots for: wait for a slot, not for the clock.
            Ok(Next::Full) => None,
            Ok(Next::Idle(pause)) => Some(pause),
            Err(error) => {
                tracing::warn!(%error, "could not claim runs; trying again in a second");
                Some(Duration::from_secs(1))
            }
        };
        tokio::select! {
            _ = stopped.changed() => {}
            () = shared.slot_freed.notified() => {}
            () = hinted(&mut changes), if pause.is_some() => {}
            () = tokio::time::sleep(pause.unwrap_or(shared.settings.poll)) => {}
        }
    }
}

/// Returns when a run was queued, as far as this process noticed.
async fn hinted(changes: &mut tokio::sync::broadcast::Receiver<store::Change>) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match changes.recv().await {
            Ok(change) if change.status == Status::Queued => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The store is going away; the poll decides.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A slot and a lease in use; given up even if the work on them panics.
struct Held<'a> {
    shared: &'a Shared,
    token: LeaseToken,
    slot: Option<OwnedSemaphorePermit>,
}

impl Held<'_> {
    /// Fetches something for an organization once it has a place for that. Others have the slot meanwhile.
    async fn without_slot<T>(&mut self, org: OrgId, fetching: impl Future<Output = T>) -> T {
        let shared = self.shared;
        let mut line = shared.places.stand_in_line(org);
        drop(self.slot.take());
        shared.slot_freed.notify_one();
        line.wait().await;
        let done = fetching.await;
        line.fetched();
        let slot = Arc::clone(&shared.slots).acquire_owned().await;
        self.slot = Some(slot.expect("the semaphore is never closed"));
        drop(line);
        // Of this organization more may be taken now.
        shared.slot_freed.notify_one();
        done
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.leases.forget(self.token);
        drop(self.slot.take());
        self.shared.slot_freed.notify_one();
    }
}

/// Time between two looks at the queue while organizations have all they may have waiting to be fetched.
const WITH_FULL_LINES: Duration = Duration::from_millis(100);

enum Next {
    /// Every slot is taken.
    Full,
    /// Nothing more is due before this much time has passed.
    Idle(Duration),
}

/// Claims as many runs as there are free slots and sets work on each going.
async fn claim_free(shared: &Arc<Shared>) -> Result<Next, store::StoreError> {
    let mut slots: Vec<OwnedSemaphorePermit> = Vec::new();
    while let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() {
        slots.push(slot);
    }
    if slots.is_empty() {
        return Ok(Next::Full);
    }
    let Parts { store, ids, .. } = &shared.parts;
    let tokens: Vec<_> = slots.iter().map(|_| LeaseToken(ids.next())).collect();
    let events: Vec<_> = slots.iter().map(|_| EventId(ids.next())).collect();
    let settings = &shared.settings;
    // Whoever has enough waiting here for a place to fetch gets no more of that before.
    let full_lines = shared.places.full_lines();
    let claims = store
        .claim_but(&settings.worker, settings.lease, settings.retry, &tokens, &events, &full_lines)
        .await?;
    let full = claims.len() == slots.len();
    for claim in claims {
        let slot = slots.pop().expect("no more claims than tokens, no more tokens than slots");
        let stop = shared.leases.hold(claim.token, claim.run.id.0);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let mut held = Held { shared: &shared, token: claim.token, slot: Some(slot) };
            work_and_settle(&mut held, claim, stop).await;
        });
    }
    if full {
        return Ok(Next::Full);
    }
    if !full_lines.is_empty() {
        // What is due may be theirs: no use in looking at once. Whoever leaves a line wakes this.
        return Ok(Next::Idle(settings.poll.min(WITH_FULL_LINES)));
    }
    let pause = match store.next_due().await? {
        Some(due) => {
            Duration::from_millis((due - store.clock().now()).0.max(1).unsigned_abs()).min(settings.poll)
        }
        None => settings.poll,
    };
    Ok(Next::Idle(pause))
}

/// Time between two renewals of leases.
pub(crate) fn renewal(settings: &Settings) -> Duration {
    Duration::from_millis((settings.lease.0 / 3).max(10).unsigned_abs())
}

async fn renew_for_ever(shared: Arc<Shared>) {
    let every = renewal(&shared.settings);
    loop {
        tokio::time::sleep(every).await;
        renew(&shared).await;
    }
}

async fn renew(shared: &Shared) {
    let tokens = shared.leases.tokens();
    if tokens.is_empty() {
        return;
    }
    match shared.parts.store.renew(&shared.settings.worker, &tokens, shared.settings.lease).await {
        Ok(lost) => lost.into_iter().for_each(|token| shared.leases.lose(token)),
        Err(error) => tracing::warn!(%error, "could not renew {} leases", tokens.len()),
    }
}

/// Stops the work on runs that are cancelled, as far as this process notices; what it does not notice loses its lease, which
/// the next renewal finds out.
async fn stop_what_is_cancelled(shared: Arc<Shared>) {
    use tokio::sync::broadcast::error::RecvError;
    let mut changes = shared.parts.store.changes();
    loop {
        match changes.recv().await {
            Ok(change) if change.status == Status::Cancelled => shared.leases.cancel(change.run.0),
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => renew(&shared).await,
            Err(RecvError::Closed) => return,
        }
    }
}

/// One attempt, from claim to settlement.
async fn work_and_settle(held: &mut Held<'_>, claim: Claim, stop: Stop) {
    let shared = held.shared;
    let (token, attempt) = (claim.token, claim.attempt);
    let began = Instant::now();
    let mut run = claim.run.clone();
    let done = match supplied(held, claim, &stop).await {
        Ok(Some(claim)) => {
            run = claim.run.clone();
            attempt_run(shared, claim, &stop).await
        }
        // The lease is gone: whoever has the run now ends it.
        Ok(None) => return,
        Err(failure) => Err(failure),
    };
    let how = match done {
        Ok(outcome) => Settlement::Succeeded(outcome),
        Err(_) if stop.is_raised() => {
            // The lease is gone or was handed back: whoever has the run now ends it.
            return;
        }
        Err(failure) => {
            let chance = (token.0.as_u128() & 0xffff) as f64 / 65_535.0;
            Settlement::Failed { failure, policy: shared.settings.retry, chance }
        }
    };
    settle(shared, token, &how, &run, attempt, began, &stop).await;
}

/// The claim with its pictures there: those that are missing are fetched, and noted so that no further attempt fetches them.
/// `None` when the run is somebody else's by now.
async fn supplied(held: &mut Held<'_>, mut claim: Claim, stop: &Stop) -> Result<Option<Claim>, Failure> {
    if claim.run.sources.is_empty() {
        return Ok(Some(claim));
    }
    let shared = held.shared;
    let sources = std::mem::take(&mut claim.run.sources);
    let last = claim.attempt >= fetch::TIMEOUTS_MAX;
    let fetching = shared.fetcher.fetch(claim.run.org, &sources, last);
    let fetched = tokio::select! {
        fetched = held.without_slot(claim.run.org, fetching) => fetched,
        () = stop.raised() => return Ok(None),
    };
    let images = fetched?;
    let mut input = None;
    let mut further = Vec::new();
    let mut hashes: BTreeMap<String, String> = BTreeMap::new();
    for (source, image) in sources.iter().zip(images) {
        if source.slot.is_empty() {
            input = Some(image);
        } else {
            hashes.insert(source.slot.clone(), image.hash.to_string());
            further.push(image);
        }
    }
    let input = input.or(claim.run.input.take()).ok_or_else(|| {
        Failure::new(
            "image_not_fetched",
            "no picture to work on was named; name one".to_owned(),
            Fault::Input,
        )
    })?;
    let steps = (!hashes.is_empty()).then(|| {
        let hashes = hashes.iter().map(|(slot, hash)| (slot.as_str(), hash.as_str())).collect();
        filled(&claim.steps, &hashes)
    });
    let noted = shared.parts.store.supply(claim.token, &input, &further, steps.as_deref()).await;
    let noted = noted.map_err(|error| {
        Failure::new(
            "input_unreadable",
            format!("cannot note the pictures that were fetched: {error}"),
            Fault::Ours,
        )
    })?;
    if !noted {
        return Ok(None);
    }
    claim.run.input = Some(input);
    if let Some(steps) = steps {
        claim.steps = steps;
    }
    Ok(Some(claim))
}

/// Writes an attempt's end; a database that is away is asked again until it answers or the lease is gone.
async fn settle(
    shared: &Shared,
    token: LeaseToken,
    how: &Settlement,
    run: &Run,
    attempt: u32,
    began: Instant,
    stop: &Stop,
) {
    let id = run.id;
    let event = EventId(shared.parts.ids.next());
    let seconds = began.elapsed().as_secs_f64();
    let (mut pause_ms, mut failed) = (50, false);
    while !stop.is_raised() {
        match shared.parts.store.settle(token, event, how).await {
            Ok(Settled::Now(status)) => {
                metrics::counter!("packshot_runs_total", "status" => status.as_str()).increment(1);
                metrics::histogram!("packshot_run_seconds").record(seconds);
                match how {
                    Settlement::Succeeded(outcome) => {
                        tracing::info!(run.id = %id, attempt, seconds, "finished run `{id}`");
                        if status == Status::Succeeded {
                            evaluate::file_for(shared, run, outcome).await;
                        }
                    }
                    Settlement::Failed { failure, .. } => tracing::warn!(
                        run.id = %id, attempt, code = failure.code, status = status.as_str(),
                        "attempt {attempt} of run `{id}` failed: {}", failure.message
                    ),
                }
                return;
            }
            Ok(Settled::LeaseLost) => {
                tracing::warn!(run.id = %id, attempt, "somebody else has run `{id}` by now; leaving it");
                return;
            }
            Err(error) => {
                tracing::warn!(run.id = %id, %error, "could not settle run `{id}`");
                failed = true;
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 3).min(5_000);
            }
        }
    }
    if failed {
        tracing::error!(run.id = %id, "could not settle run `{id}` before its lease was gone; it will be done again");
    } else {
        tracing::info!(run.id = %id, "run `{id}` was cancelled, or is somebody else's by now: its result is dropped");
    }
}

/// Reads the input, works on it on a thread of its own, and stores the result's bytes.
async fn attempt_run(shared: &Shared, claim: Claim, stop: &Stop) -> Result<Outcome, Failure> {
    // A picture that a worker died over before is done alone: if it does it again, it takes no other down.
    let alone = claim.crashes > 0;
    let id = claim.run.id;
    let work = Prepared::of(shared, claim.run, &claim.steps, alone, stop).await?;
    let (toolbox, stop) = (Arc::clone(&shared.parts.toolbox), stop.clone());
    let product = on_a_thread(&format!("run `{id}`"), move || {
        work.do_with(|work| {
            toolbox.process_together(work.owner, &work.inputs, work.named, work.steps, stop.flag())
        })
    })
    .await?;
    for report in &product.reports {
        metrics::histogram!("packshot_step_seconds", "component" => report.component.clone())
            .record(report.millis / 1000.0);
        if report.cached {
            metrics::counter!("packshot_cache_hits_total").increment(1);
        }
    }
    let blobs = &shared.parts.blobs;
    let Product { file, more, reports } = product;
    let mut kept = BTreeMap::new();
    let stored = async {
        let file = keep(blobs, file).await?;
        for (label, one) in more {
            kept.insert(label, keep(blobs, one).await?);
        }
        Ok(file)
    };
    match stored.await {
        Ok(file) => Ok(Outcome { image: file.image, name: file.name, more: kept, made_by: reports }),
        Err(failure) => Err(Failure { made_by: reports, ..failure }),
    }
}

/// Stores a finished file's bytes.
async fn keep(blobs: &Blobs, file: File) -> Result<NamedImage, Failure> {
    let bytes = file.bytes.len() as u64;
    let hash = blobs.put(Bytes::from(file.bytes)).await.map_err(|error| {
        Failure::new("result_unwritable", format!("cannot store the result: {error}"), Fault::Ours)
    })?;
    let media_type = file.media_type.to_owned();
    let image = Image { hash, media_type, bytes, width: file.width, height: file.height };
    Ok(NamedImage { image, name: file.name })
}
