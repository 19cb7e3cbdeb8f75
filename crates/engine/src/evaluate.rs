//! Claims evaluations, measures their pictures, settles them; and files those that runs ask for with themselves.

use std::sync::Arc;
use std::time::Duration;

use assessment::{EncodedFile, Limits, Outcome as Came, Reading, Task};
use domain::evaluation::{Asked, Evaluation, EvaluationState, Finding, Reference, Report};
use domain::id::{self, EntryId, EvaluationId, EventId, LeaseToken, OrgId};
use domain::image::Image;
use domain::page::Window;
use domain::request::{From, Source};
use domain::run::{Failure, Fault, Outcome, Run, RunFilter, State, Status};
use domain::time::Millis;
use serde_json::json;
use store::{EvaluationClaim, Measured, NewEvaluation, Settled, StoreError};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};

use crate::fetch;
use crate::leases::Leases;
use crate::places::Line;
use crate::stop::Stop;
use crate::thread::on_a_thread;
use crate::work::{Parts, Shared, renewal};

/// What ids of the evaluations are derived from that runs ask for with themselves.
const OF_A_RUN: u32 = 0x6576_616c;
/// A reference of this kind is the photograph that the picture was made from.
const INPUT: &str = "input";
/// Runs of each organization that are looked through for one without its evaluation.
const LATEST: u32 = 100;
/// Organizations that are looked through at a time, at the start.
const PAGE: u32 = 100;
/// Organizations that are looked through at a time, later.
const IN_TURN: u32 = 10;
/// Time between two looks at runs that have succeeded meanwhile.
const LOOK: Duration = Duration::from_secs(3);
/// Such looks between two turns of [`IN_TURN`] organizations: a turn a minute.
const ROUNDS: u32 = 20;
/// Runs that are remembered until the next look.
const NOTED: usize = 10_000;
/// Bytes a pixel while a picture is measured: decoded, once more at 8 bits, and its lightness.
const BYTES_A_PIXEL: f64 = 16.0;
/// Bytes for what is looked at in a bounded size.
const WORK_BYTES: u64 = 320 << 20;

/// The evaluations that this process has.
pub(crate) struct Evaluations {
    leases: Leases,
    slots: Arc<Semaphore>,
    slot_freed: Notify,
}

impl Evaluations {
    /// Places for so many at once.
    pub(crate) fn new(many: usize) -> Self {
        Self { leases: Leases::default(), slots: Arc::new(Semaphore::new(many)), slot_freed: Notify::new() }
    }

    /// Returns once none is under way.
    pub(crate) async fn all_ended(&self) {
        self.leases.all_ended().await;
    }

    /// Tells all work to stop and hands it back.
    pub(crate) async fn hand_back_all(&self, parts: &Parts) {
        let tokens = self.leases.stop_all();
        if let Err(error) = parts.store.hand_back_evaluations(&tokens, Millis(0)).await {
            // Their leases will run out: later, but nothing is lost.
            tracing::warn!(%error, "could not hand {} evaluations back; they wait for their leases to end", tokens.len());
        }
    }
}

/// A slot and a lease in use; given up even if the work on them panics.
struct Held {
    shared: Arc<Shared>,
    token: LeaseToken,
    slot: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        let evaluations = &self.shared.evaluations;
        evaluations.leases.forget(self.token);
        drop(self.slot.take());
        evaluations.slot_freed.notify_one();
    }
}

/// Claims evaluations and sets work on each going, until told to stop.
pub(crate) async fn claim_until_stopped(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    while !*stopped.borrow() {
        if let Err(error) = claim_free(&shared).await {
            tracing::warn!(%error, "could not claim evaluations; trying again in a second");
        }
        tokio::select! {
            _ = stopped.changed() => {}
            () = shared.evaluations.slot_freed.notified() => {}
            () = tokio::time::sleep(shared.settings.poll) => {}
        }
    }
}

async fn claim_free(shared: &Arc<Shared>) -> Result<(), StoreError> {
    let mut slots: Vec<OwnedSemaphorePermit> = Vec::new();
    while let Ok(slot) = Arc::clone(&shared.evaluations.slots).try_acquire_owned() {
        slots.push(slot);
    }
    if slots.is_empty() {
        return Ok(());
    }
    let (store, ids, settings) = (&shared.parts.store, &shared.parts.ids, &shared.settings);
    let tokens: Vec<_> = slots.iter().map(|_| LeaseToken(ids.next())).collect();
    let events: Vec<_> = slots.iter().map(|_| EventId(ids.next())).collect();
    let claims =
        store.claim_evaluations(&settings.worker, settings.lease, settings.retry, &tokens, &events).await?;
    for claim in claims {
        let stop = shared.evaluations.leases.hold(claim.token, claim.evaluation.id.0);
        let mut held = Held { shared: Arc::clone(shared), token: claim.token, slot: slots.pop() };
        tokio::spawn(async move { work_and_settle(&mut held, claim, &stop).await });
    }
    Ok(())
}

/// Keeps the leases of evaluations under way.
pub(crate) async fn renew_for_ever(shared: Arc<Shared>) {
    let every = renewal(&shared.settings);
    loop {
        tokio::time::sleep(every).await;
        let leases = &shared.evaluations.leases;
        let tokens = leases.tokens();
        if tokens.is_empty() {
            continue;
        }
        let settings = &shared.settings;
        match shared.parts.store.renew_evaluations(&settings.worker, &tokens, settings.lease).await {
            Ok(lost) => lost.into_iter().for_each(|token| leases.lose(token)),
            Err(error) => tracing::warn!(%error, "could not renew {} leases of evaluations", tokens.len()),
        }
    }
}

/// One attempt, from claim to settlement.
async fn work_and_settle(held: &mut Held, claim: EvaluationClaim, stop: &Stop) {
    let shared = Arc::clone(&held.shared);
    let (id, org, token, attempt) = (claim.evaluation.id, claim.evaluation.org, claim.token, claim.attempt);
    let mut line = None;
    if sources(&claim.evaluation).iter().any(needs_fetching) {
        if let Some(pause) = shared.places.turned_away(org) {
            if let Err(error) = shared.parts.store.hand_back_evaluations(&[token], pause).await {
                // Its lease will run out: later, but nothing is lost.
                tracing::warn!(evaluation.id = %id, %error, "could not hand evaluation `{id}` back");
            }
            return;
        }
        line = Some(shared.places.stand_in_line(org));
    }
    let measured = tokio::select! {
        measured = measure(held, line, &claim) => measured,
        () = stop.raised() => return,
    };
    let how = match measured {
        Ok(report) => {
            tracing::info!(evaluation.id = %id, attempt, passed = report.passed, "measured evaluation `{id}`");
            Measured::Completed(Box::new(report))
        }
        Err(failure) => {
            tracing::warn!(
                evaluation.id = %id, attempt, code = failure.code,
                "attempt {attempt} of evaluation `{id}` failed: {}", failure.message
            );
            let chance = (token.0.as_u128() & 0xffff) as f64 / 65_535.0;
            Measured::Failed { failure, policy: shared.settings.retry, chance }
        }
    };
    let event = EventId(shared.parts.ids.next());
    let mut pause_ms = 50;
    while !stop.is_raised() {
        match shared.parts.store.settle_evaluation(token, event, &how).await {
            Ok(Settled::Now(status)) => {
                metrics::counter!("packshot_evaluations_total", "status" => status.as_str()).increment(1);
                return;
            }
            Ok(Settled::LeaseLost) => {
                tracing::warn!(evaluation.id = %id, "somebody else has evaluation `{id}` by now; leaving it");
                return;
            }
            Err(error) => {
                tracing::warn!(evaluation.id = %id, %error, "could not settle evaluation `{id}`");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 3).min(5_000);
            }
        }
    }
}

/// Bytes that measuring these pictures needs at its peak.
fn memory_bytes(picture: &Image, reference: Option<&Image>) -> u64 {
    WORK_BYTES + file_bytes(picture) + reference.map_or(0, file_bytes)
}

/// Bytes of a picture's file together with its pixels.
fn file_bytes(image: &Image) -> u64 {
    image.bytes + (image.megapixels() * 1e6 * BYTES_A_PIXEL) as u64
}

/// How pictures are read to be measured: whole, at the size they have.
fn options(shared: &Shared) -> pixels::DecodeOptions {
    let limits = &shared.parts.toolbox.limits;
    pixels::DecodeOptions {
        limits: limits.file,
        fit: None,
        max_side: None,
        codec: limits.codec,
        assume_device_cmyk: limits.assume_device_cmyk,
    }
}

/// Every picture that an evaluation names: what it is of, and what that is compared with.
fn sources(evaluation: &Evaluation) -> Vec<Source> {
    let Asked { picture, references, .. } = &evaluation.asked;
    std::iter::once(picture).chain(references.iter().map(|reference| &reference.picture)).cloned().collect()
}

/// Whether it takes a while until a picture is there.
fn needs_fetching(source: &Source) -> bool {
    source.member.is_some() || matches!(source.from, From::Address(_))
}

/// The pictures of an evaluation, in the order of its sources. Where something has to be fetched, others have its slot meanwhile.
async fn supplied(
    held: &mut Held,
    line: Option<Line>,
    claim: &EvaluationClaim,
    sources: &[Source],
) -> Result<Vec<Image>, Failure> {
    let shared = Arc::clone(&held.shared);
    let last = claim.attempt >= fetch::TIMEOUTS_MAX;
    let fetching = shared.fetcher.fetch(claim.evaluation.org, sources, last);
    let Some(mut line) = line else { return fetching.await };
    drop(held.slot.take());
    shared.evaluations.slot_freed.notify_one();
    line.wait().await;
    let images = fetching.await?;
    line.fetched();
    let slot = Arc::clone(&shared.evaluations.slots).acquire_owned().await;
    held.slot = Some(slot.expect("the semaphore is never closed"));
    Ok(images)
}

async fn measure(held: &mut Held, line: Option<Line>, claim: &EvaluationClaim) -> Result<Report, Failure> {
    let shared = Arc::clone(&held.shared);
    let shared = shared.as_ref();
    let Evaluation { org, asked: Asked { task, references, limits, .. }, .. } = claim.evaluation.clone();
    let alone = claim.crashes > 0;
    let limits = Limits::default().merged(&limits).map_err(|error| {
        Failure::new("limits_invalid", format!("the limits cannot be used: {error}"), Fault::Input)
    })?;
    // Every picture is looked at, so that one that cannot be had is said; the input alone is compared with.
    let sources = sources(&claim.evaluation);
    let images = supplied(held, line, claim, &sources).await?;
    for (image, source) in images.iter().zip(&sources) {
        if needs_fetching(source) {
            shared.parts.store.admit_image(org, image).await.map_err(|error| {
                Failure::new(
                    "input_unreadable",
                    format!("cannot keep a picture that was fetched: {error}"),
                    Fault::Ours,
                )
            })?;
        }
    }
    let is_input = |reference: &Reference| reference.kind.as_deref() == Some(INPUT);
    let compared = references.iter().position(is_input).map(|index| images[index + 1].clone());
    let picture = images[0].clone();
    let needed = if alone { u64::MAX } else { memory_bytes(&picture, compared.as_ref()) };
    let admitted = shared.admission.admit(needed).await;
    let bytes = shared.read(picture.hash).await?;
    let reference = match &compared {
        Some(image) => Some(shared.read(image.hash).await?),
        None => None,
    };
    let options = options(shared);
    let report = on_a_thread("an evaluation", move || {
        // Held until the work is over, even if nobody waits for it any more.
        let _admitted = admitted;
        let decode = |bytes: &[u8]| pixels::decode(bytes, &options).map(|decoded| decoded.bitmap);
        let bitmap = decode(&bytes)?;
        let reference = reference.as_deref().map(decode).transpose()?;
        let file = EncodedFile::of(&bytes);
        Ok(assessment::assess(&bitmap, &file, reference.as_ref(), &Task::of(&task), &limits))
    });
    told(report.await?)
}

/// A report in the words of the business. Where there is no verdict, nothing that is worth its price was found: the
/// evaluation fails, and says what could not be looked at.
fn told(report: assessment::Report) -> Result<Report, Failure> {
    let verdict = report.passed.zip(report.score).zip(report.action);
    let Some(((passed, score), action)) = verdict else {
        let why = report.readings.into_iter().find(|reading| reading.value.is_none() && reading.is_gate);
        let why =
            why.map_or_else(|| "nothing in it could be measured".to_owned(), |reading| reading.sentence);
        let text = format!("there is no verdict on the picture: {why}");
        return Err(Failure::new("picture_not_measurable", text, Fault::Input));
    };
    Ok(Report {
        passed,
        score,
        action: action.code().to_owned(),
        findings: report.readings.into_iter().map(finding).collect(),
        issues: report.issues.into_iter().map(|issue| issue.detail).collect(),
        strengths: report.strengths,
        gates: report.gate_failures.into_iter().map(|gate| gate.code.to_owned()).collect(),
    })
}

fn finding(reading: Reading) -> Finding {
    Finding {
        code: reading.code.to_owned(),
        name: reading.name.to_owned(),
        description: reading.description.to_owned(),
        category: reading.category.code().to_owned(),
        value: reading.value,
        unit: serde_json::to_value(reading.unit)
            .ok()
            .and_then(|unit| unit.as_str().map(str::to_owned))
            .unwrap_or_default(),
        least: reading.min,
        most: reading.max,
        passed: match reading.outcome {
            Came::Passed => Some(true),
            Came::Failed => Some(false),
            Came::NotMeasurable => None,
        },
        confidence: reading.confidence,
        weight: reading.weight,
        region: reading.region.map(|region| [region.x, region.y, region.width, region.height]),
        sentence: reading.sentence,
    }
}

/// Files the evaluation that a run asked for with itself, if it did. Doing it again changes nothing. What fails is made up for
/// by a later look.
pub(crate) async fn file_for(shared: &Shared, run: &Run, outcome: &Outcome) {
    if !run.request.as_ref().is_some_and(|request| request.evaluate) {
        return;
    }
    let mut pause_ms = 50;
    for _ in 0..5 {
        match file(shared, run, outcome).await {
            Ok(()) => return,
            Err(error) => {
                tracing::warn!(run.id = %run.id, %error, "could not file the evaluation of run `{}`", run.id);
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms *= 3;
            }
        }
    }
}

async fn file(shared: &Shared, run: &Run, outcome: &Outcome) -> Result<(), StoreError> {
    let store = &shared.parts.store;
    let seed = id::derived(run.id.0, OF_A_RUN);
    let now = store.clock().now();
    let stored =
        |image: &Image| Source { slot: String::new(), from: From::Stored(image.clone()), member: None };
    let input = |image: &Image| Reference { picture: stored(image), kind: Some(INPUT.to_owned()) };
    let evaluation = Evaluation {
        id: EvaluationId(seed),
        org: run.org,
        user: run.user.clone(),
        run: Some(run.id),
        asked: Asked {
            task: task_of(shared, &outcome.image).await.to_owned(),
            picture: stored(&outcome.image),
            references: run.input.iter().map(input).collect(),
            details: json!({}),
            limits: store.evaluation_limits(run.org).await?,
        },
        face: run.request.as_ref().map(|request| request.face.clone()).unwrap_or_default(),
        client_ref: None,
        webhooks: Vec::new(),
        price: 0,
        charged: 0,
        created_at: now,
        updated_at: now,
        opinion: None,
        state: EvaluationState::Pending,
    };
    let entry = EntryId(id::derived(seed, 1));
    store.accept_evaluation(&NewEvaluation { evaluation, entry, answer: None }).await?;
    shared.evaluations.slot_freed.notify_one();
    Ok(())
}

/// What a result is for: one that can be seen through is a cut-out. A file that could be is decoded to know.
async fn task_of(shared: &Shared, image: &Image) -> &'static str {
    let is_cut_out = async {
        let path = shared.parts.blobs.local_path(image.hash)?;
        let options = options(shared);
        let header = tokio::task::spawn_blocking(move || {
            pixels::probe_file(&mut std::fs::File::open(path).ok()?, &options.limits).ok()?.ok()
        });
        let channels = header.await.ok()??.channels;
        if !matches!(channels, pixels::SourceChannels::Rgba | pixels::SourceChannels::GrayAlpha) {
            return Some(false);
        }
        let admitted = shared.admission.admit(file_bytes(image)).await;
        let bytes = shared.read(image.hash).await.ok()?;
        let decoded = tokio::task::spawn_blocking(move || {
            let _admitted = admitted;
            Some(pixels::decode(&bytes, &options).ok()?.bitmap.has_transparency())
        });
        decoded.await.ok()?
    };
    match is_cut_out.await {
        Some(true) => "cut_out",
        Some(false) | None => "product_photography",
    }
}

/// Files what nobody has filed: a process died between a run's end and its evaluation, or a person has let the run succeed.
/// Looks through all organizations at the start; later at the runs that are known to have succeeded, and at a few
/// organizations in turn.
pub(crate) async fn file_missing_for_ever(shared: Arc<Shared>) {
    let mut changes = shared.parts.store.changes();
    let mut offset = 0;
    while let Some(next) = file_missing(&shared, Window { offset, limit: PAGE }).await {
        offset = next;
    }
    offset = 0;
    let mut succeeded = Vec::new();
    let mut rounds: u32 = 0;
    loop {
        let next = tokio::time::Instant::now() + LOOK;
        while let Ok(change) = tokio::time::timeout_at(next, changes.recv()).await {
            match change {
                Ok(change) if change.status == Status::Succeeded && succeeded.len() < NOTED => {
                    succeeded.push((change.org, change.run));
                }
                // What is missed here comes in its organization's turn.
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            }
        }
        for (org, run) in succeeded.drain(..) {
            let filed = match shared.parts.store.run(&[org], run).await {
                Ok(Some(run)) => file_if_missing(&shared, &run).await,
                Ok(None) => Ok(()),
                Err(error) => Err(error),
            };
            if let Err(error) = filed {
                tracing::warn!(%error, run.id = %run, "could not file the evaluation of run `{run}`");
            }
        }
        rounds += 1;
        if rounds.is_multiple_of(ROUNDS) {
            offset = file_missing(&shared, Window { offset, limit: IN_TURN }).await.unwrap_or(0);
        }
    }
}

/// Looks through some organizations; answers where the next ones begin, if there are more.
async fn file_missing(shared: &Shared, window: Window) -> Option<u64> {
    let orgs = match shared.parts.store.all_orgs(window).await {
        Ok(orgs) => orgs,
        Err(error) => {
            tracing::warn!(%error, "could not look for runs without their evaluation");
            return None;
        }
    };
    let many = orgs.entries.len();
    for org in orgs.entries {
        if let Err(error) = file_missing_of(shared, org.id).await {
            tracing::warn!(%error, org.id = %org.id, "could not look for runs without their evaluation");
        }
    }
    (many == window.limit as usize).then_some(window.offset + u64::from(window.limit))
}

async fn file_missing_of(shared: &Shared, org: OrgId) -> Result<(), StoreError> {
    let filter = RunFilter { statuses: vec![Status::Succeeded], ..RunFilter::default() };
    for run in shared.parts.store.runs_before(org, &filter, None, LATEST).await? {
        file_if_missing(shared, &run).await?;
    }
    Ok(())
}

/// Files a run's evaluation if it has succeeded, asked for one and has none.
async fn file_if_missing(shared: &Shared, run: &Run) -> Result<(), StoreError> {
    let State::Succeeded { result, .. } = &run.state else { return Ok(()) };
    if !run.request.as_ref().is_some_and(|request| request.evaluate) {
        return Ok(());
    }
    let id = EvaluationId(id::derived(run.id.0, OF_A_RUN));
    match shared.parts.store.evaluation(run.org, id).await? {
        Some(_) => Ok(()),
        None => file(shared, run, result).await,
    }
}
