//! Claims runs, works on them, settles them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use blob::Blobs;
use bytes::Bytes;
use components::{File, Toolbox};
use domain::component::Catalogue;
use domain::id::{EventId, Ids, LeaseToken, OrgId};
use domain::image::Image;
use domain::run::{Failure, Fault, NamedImage, Outcome, RetryPolicy, Status};
use domain::time::Millis;
use domain::workflow::Step;
use store::{Claim, Settled, Settlement, Store, WorkerId};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use crate::admission::Admission;
use crate::leases::Leases;

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
}

/// The running engine. Dropping it does not stop it; [`Engine::drain`] does.
pub struct Engine {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    claiming: JoinHandle<()>,
    renewing: JoinHandle<()>,
}

struct Shared {
    parts: Parts,
    settings: Settings,
    admission: Admission,
    leases: Leases,
    slots: Arc<Semaphore>,
    slot_freed: Notify,
}

impl Engine {
    /// Starts claiming and working. Needs a tokio runtime.
    pub fn start(parts: Parts, settings: Settings) -> Self {
        let concurrency = settings.concurrency.max(1);
        let shared = Arc::new(Shared {
            admission: Admission::new(settings.memory_budget),
            leases: Leases::default(),
            slots: Arc::new(Semaphore::new(concurrency)),
            slot_freed: Notify::new(),
            parts,
            settings: Settings { concurrency, ..settings },
        });
        let (stop, stopped) = watch::channel(false);
        let claiming = tokio::spawn(claim_until_stopped(Arc::clone(&shared), stopped));
        let renewing = tokio::spawn(renew_for_ever(Arc::clone(&shared)));
        Self { shared, stop, claiming, renewing }
    }

    /// The memory runs are admitted against.
    pub fn admission(&self) -> &Admission {
        &self.shared.admission
    }

    /// Claims nothing more, lets running work finish for up to `grace`, hands the rest back untouched, and ends.
    /// Answers how many runs were handed back.
    pub async fn drain(self, grace: Duration) -> usize {
        let _ = self.stop.send(true);
        if let Err(error) = self.claiming.await {
            tracing::error!(%error, "the claiming loop had died before the drain");
        }
        let all = u32::try_from(self.shared.settings.concurrency).unwrap_or(u32::MAX);
        let finished = tokio::time::timeout(grace, self.shared.slots.acquire_many(all)).await.is_ok();
        let mut handed_back = 0;
        if !finished {
            let tokens = self.shared.leases.stop_all();
            handed_back = tokens.len();
            if let Err(error) = self.shared.parts.store.hand_back(&tokens).await {
                // Their leases will run out: later, but nothing is lost.
                tracing::warn!(%error, "could not hand {handed_back} runs back; they wait for their leases to end");
            }
        }
        self.renewing.abort();
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

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.shared.leases.forget(self.token);
        drop(self.slot.take());
        self.shared.slot_freed.notify_one();
    }
}

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
    let claims = store.claim(&settings.worker, settings.lease, settings.retry, &tokens, &events).await?;
    let full = claims.len() == slots.len();
    for claim in claims {
        let slot = slots.pop().expect("no more claims than tokens, no more tokens than slots");
        let stop = shared.leases.hold(claim.token, claim.run.id);
        let shared = Arc::clone(shared);
        tokio::spawn(async move {
            let _held = Held { shared: &shared, token: claim.token, slot: Some(slot) };
            work_and_settle(&shared, claim, stop).await;
        });
    }
    if full {
        return Ok(Next::Full);
    }
    let pause = match store.next_due().await? {
        Some(due) => {
            Duration::from_millis((due - store.clock().now()).0.max(1).unsigned_abs()).min(settings.poll)
        }
        None => settings.poll,
    };
    Ok(Next::Idle(pause))
}

async fn renew_for_ever(shared: Arc<Shared>) {
    let every = Duration::from_millis((shared.settings.lease.0 / 3).max(10).unsigned_abs());
    loop {
        tokio::time::sleep(every).await;
        let tokens = shared.leases.tokens();
        if tokens.is_empty() {
            continue;
        }
        match shared.parts.store.renew(&shared.settings.worker, &tokens, shared.settings.lease).await {
            Ok(lost) => lost.into_iter().for_each(|token| shared.leases.lose(token)),
            Err(error) => tracing::warn!(%error, "could not renew {} leases", tokens.len()),
        }
    }
}

/// One attempt, from claim to settlement.
async fn work_and_settle(shared: &Shared, claim: Claim, stop: Arc<AtomicBool>) {
    let run = claim.run.id;
    let (token, attempt) = (claim.token, claim.attempt);
    let began = Instant::now();
    let how = match attempt_run(shared, claim, &stop).await {
        Ok(outcome) => Settlement::Succeeded(outcome),
        Err(_) if stop.load(Ordering::Relaxed) => {
            // The lease is gone or was handed back: whoever has the run now ends it.
            return;
        }
        Err(failure) => {
            let chance = (token.0.as_u128() & 0xffff) as f64 / 65_535.0;
            Settlement::Failed { failure, policy: shared.settings.retry, chance }
        }
    };
    settle(shared, token, &how, run, attempt, began, &stop).await;
}

/// Writes an attempt's end; a database that is away is asked again until it answers or the lease is gone.
async fn settle(
    shared: &Shared,
    token: LeaseToken,
    how: &Settlement,
    run: domain::id::RunId,
    attempt: u32,
    began: Instant,
    stop: &AtomicBool,
) {
    let event = EventId(shared.parts.ids.next());
    let seconds = began.elapsed().as_secs_f64();
    let mut pause_ms = 50;
    while !stop.load(Ordering::Relaxed) {
        match shared.parts.store.settle(token, event, how).await {
            Ok(Settled::Now(status)) => {
                metrics::counter!("packshot_runs_total", "status" => status.as_str()).increment(1);
                metrics::histogram!("packshot_run_seconds").record(seconds);
                match how {
                    Settlement::Succeeded(_) => {
                        tracing::info!(run.id = %run, attempt, seconds, "finished run `{run}`");
                    }
                    Settlement::Failed { failure, .. } => tracing::warn!(
                        run.id = %run, attempt, code = failure.code, status = status.as_str(),
                        "attempt {attempt} of run `{run}` failed: {}", failure.message
                    ),
                }
                return;
            }
            Ok(Settled::LeaseLost) => {
                tracing::warn!(run.id = %run, attempt, "somebody else has run `{run}` by now; leaving it");
                return;
            }
            Err(error) => {
                tracing::warn!(run.id = %run, %error, "could not settle run `{run}`");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 3).min(5_000);
            }
        }
    }
    tracing::error!(run.id = %run, "could not settle run `{run}` before its lease was gone; it will be done again");
}

/// Reads the input, works on it on a thread of its own, and stores the result's bytes.
async fn attempt_run(shared: &Shared, claim: Claim, stop: &Arc<AtomicBool>) -> Result<Outcome, Failure> {
    let Parts { blobs, toolbox, catalogue, .. } = &shared.parts;
    let run = claim.run;
    let steps = catalogue
        .resolve(&claim.steps, &run.overrides)
        .and_then(|steps| catalogue.check(&steps))
        .map_err(|invalid| fail("workflow_invalid", invalid.to_string(), Fault::Input))?;
    // A picture that a worker died over before is done alone: if it does it again, it takes no other down.
    let alone = claim.crashes > 0;
    let images: Vec<&Image> =
        std::iter::once(&run.input).chain(run.more_inputs.iter().map(|more| &more.image)).collect();
    let named = named_images(shared, run.org, &steps).await?;
    let needed = if alone {
        u64::MAX
    } else {
        toolbox.memory_bytes_together(&images, &named.iter().collect::<Vec<_>>(), &steps)
    };
    let waited = Instant::now();
    let admitted = shared.admission.admit(needed).await;
    metrics::histogram!("packshot_admission_seconds").record(waited.elapsed().as_secs_f64());
    metrics::gauge!("packshot_memory_free_bytes").set(shared.admission.free_bytes() as f64);
    let read = |image: &Image| {
        let hash = image.hash;
        async move {
            blobs.read(hash).await.map_err(|error| {
                fail("input_unreadable", format!("cannot read the stored picture: {error}"), Fault::Ours)
            })
        }
    };
    let mut files = Vec::with_capacity(images.len());
    for image in images {
        files.push(read(image).await?);
    }
    let mut named_files = components::Images::new();
    for image in &named {
        named_files.insert(image.hash, read(image).await?.to_vec());
    }
    let toolbox = Arc::clone(toolbox);
    let stop = Arc::clone(stop);
    let (id, owner) = (run.id, run.org.0.as_u128());
    let worked = tokio::task::spawn_blocking(move || {
        // Held until the work is over, even if nobody waits for it any more.
        let _admitted = admitted;
        let first = (run.input.hash, &run.input_name);
        let named =
            std::iter::once(first).chain(run.more_inputs.iter().map(|more| (more.image.hash, &more.name)));
        let inputs: Vec<_> = files
            .iter()
            .zip(named)
            .map(|(bytes, (hash, name))| components::Input { bytes, hash, name })
            .collect();
        toolbox.process_together(owner, &inputs, named_files, &steps, &stop)
    })
    .await;
    let product = match worked {
        Ok(Ok(product)) => product,
        Ok(Err(fault)) => return Err(fail(fault.code, fault.message, fault.kind)),
        Err(panic) => {
            tracing::error!(run.id = %id, %panic, "the work on run `{id}` panicked");
            return Err(fail(
                "worker_crashed",
                "the picture made the worker crash; its file may be damaged".to_owned(),
                Fault::Crash,
            ));
        }
    };
    for report in &product.reports {
        metrics::histogram!("packshot_step_seconds", "component" => report.component.clone())
            .record(report.millis / 1000.0);
        if report.cached {
            metrics::counter!("packshot_cache_hits_total").increment(1);
        }
    }
    let more = product.more;
    let file = keep(blobs, product.file).await?;
    let mut kept = BTreeMap::new();
    for (label, one) in more {
        kept.insert(label, keep(blobs, one).await?);
    }
    Ok(Outcome { image: file.image, name: file.name, more: kept, made_by: product.reports })
}

/// The pictures that settings name, as far as the organization may see them.
async fn named_images(shared: &Shared, org: OrgId, steps: &[Step]) -> Result<Vec<Image>, Failure> {
    let mut named = Vec::new();
    for hash in shared.parts.catalogue.images(steps) {
        let found = shared.parts.store.image(&[org], hash).await.map_err(|error| {
            fail("input_unreadable", format!("cannot look for the picture `{hash}`: {error}"), Fault::Ours)
        })?;
        named.push(found.ok_or_else(|| {
            let text = format!("the settings name the picture `{hash}`, which is not there; upload it first");
            fail("image_not_found", text, Fault::Input)
        })?);
    }
    Ok(named)
}

/// Stores a finished file's bytes.
async fn keep(blobs: &Blobs, file: File) -> Result<NamedImage, Failure> {
    let bytes = file.bytes.len() as u64;
    let hash = blobs.put(Bytes::from(file.bytes)).await.map_err(|error| {
        fail("result_unwritable", format!("cannot store the result: {error}"), Fault::Ours)
    })?;
    let media_type = file.media_type.to_owned();
    let image = Image { hash, media_type, bytes, width: file.width, height: file.height };
    Ok(NamedImage { image, name: file.name })
}

fn fail(code: &str, message: String, fault: Fault) -> Failure {
    Failure { code: code.to_owned(), message, fault }
}
