//! Tells those who asked: takes deliveries that are due, has them worded and signed, posts them, and keeps how it went.
//! A receiver that hangs has a few places and no more, and so has an organization, however many of its receivers hang: they
//! hold up nobody else.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use domain::delivery::{Delivery, Disposition, Report, Schedule};
use domain::event::{Dialect, Event, What};
use domain::id::{Ids, LeaseToken, OrgId, SecretId};
use domain::request::Face;
use domain::seal::Seal;
use domain::subscription;
use domain::time::{Millis, Timestamp};
use outbound::{Answer, Failure, Outbound, Request};
use store::{Store, StoreError, Taken, Taking, WebhookSecret};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::sign;

/// How much of an answer is read, in bytes.
const ANSWER_READ_MAX: usize = 64 * 1024;
/// How long a lease lasts beyond the time one attempt may take.
const LEASE_SLACK: Duration = Duration::from_secs(20);

/// What deliveries are made with.
#[derive(Clone)]
pub struct DeliveryParts {
    /// Where deliveries are remembered.
    pub store: Arc<dyn Store>,
    /// The way out.
    pub outbound: Outbound,
    /// The words receivers know, by the face that asked for them; the usual ones by the empty face.
    pub dialects: BTreeMap<Face, Arc<dyn Dialect>>,
    /// Opens the secrets that sign.
    pub seal: Arc<dyn Seal>,
    /// Where lease tokens come from.
    pub ids: Arc<dyn Ids>,
}

/// How deliveries are made.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// Attempts under way at once.
    pub concurrency: usize,
    /// Of these, for one organization at most.
    pub per_org: usize,
    /// Of these, to one receiver at most.
    pub per_receiver: usize,
    /// Longest time for one attempt.
    pub timeout: Duration,
    /// When failed attempts are tried again.
    pub schedule: Schedule,
    /// Longest time between two looks at what is due.
    pub poll: Duration,
}

impl Default for DeliverySettings {
    fn default() -> Self {
        Self {
            concurrency: 64,
            per_org: 16,
            per_receiver: 4,
            timeout: Duration::from_secs(10),
            schedule: Schedule::default(),
            poll: Duration::from_secs(1),
        }
    }
}

/// The running deliveries. Dropping it does not stop them; [`Deliveries::drain`] does.
pub struct Deliveries {
    shared: Arc<Shared>,
    stop: watch::Sender<bool>,
    taking: JoinHandle<()>,
}

struct Shared {
    parts: DeliveryParts,
    settings: DeliverySettings,
    slots: Arc<Semaphore>,
    slot_freed: Notify,
    under_way: Mutex<UnderWay>,
}

#[derive(Default)]
struct UnderWay {
    /// Attempts for each organization to each receiver; none that has none.
    receivers: BTreeMap<OrgId, BTreeMap<String, usize>>,
    tokens: BTreeSet<LeaseToken>,
}

impl Shared {
    fn under_way(&self) -> MutexGuard<'_, UnderWay> {
        // Counts are as good after a panic as before it.
        self.under_way.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Deliveries {
    /// Starts taking and sending. Needs a tokio runtime.
    pub fn start(parts: DeliveryParts, settings: DeliverySettings) -> Self {
        let settings = DeliverySettings {
            concurrency: settings.concurrency.clamp(1, Semaphore::MAX_PERMITS),
            per_org: settings.per_org.max(1),
            per_receiver: settings.per_receiver.max(1),
            ..settings
        };
        let shared = Arc::new(Shared {
            parts,
            slots: Arc::new(Semaphore::new(settings.concurrency)),
            slot_freed: Notify::new(),
            under_way: Mutex::default(),
            settings,
        });
        let (stop, stopped) = watch::channel(false);
        let taking = tokio::spawn(take_until_stopped(Arc::clone(&shared), stopped));
        Self { shared, stop, taking }
    }

    /// Takes nothing more, lets attempts under way end for up to `grace`, hands the rest back, and ends.
    pub async fn drain(self, grace: Duration) {
        let _ = self.stop.send(true);
        if let Err(error) = self.taking.await {
            tracing::error!(%error, "the delivering loop had died before the drain");
        }
        let all = u32::try_from(self.shared.settings.concurrency).unwrap_or(u32::MAX);
        if tokio::time::timeout(grace, self.shared.slots.acquire_many(all)).await.is_ok() {
            return;
        }
        let tokens: Vec<_> = self.shared.under_way().tokens.iter().copied().collect();
        if let Err(error) = self.shared.parts.store.hand_back_deliveries(&tokens).await {
            tracing::warn!(%error, "could not hand {} deliveries back; they wait for their leases to end", tokens.len());
        }
    }
}

async fn take_until_stopped(shared: Arc<Shared>, mut stopped: watch::Receiver<bool>) {
    let mut changes = shared.parts.store.changes();
    let mut after = None;
    while !*stopped.borrow() {
        let pause = match take_free(&shared, &mut after).await {
            Ok(pause) => pause,
            Err(error) => {
                tracing::warn!(%error, "could not take deliveries; trying again in a second");
                Duration::from_secs(1)
            }
        };
        tokio::select! {
            _ = stopped.changed() => {}
            () = shared.slot_freed.notified() => {}
            () = hinted(&mut changes) => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Returns when something happened that may be told, as far as this process noticed.
async fn hinted(changes: &mut tokio::sync::broadcast::Receiver<store::Change>) {
    use tokio::sync::broadcast::error::RecvError;
    loop {
        match changes.recv().await {
            Ok(change) if Event::tells(change.status) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            // The store is going away; the poll decides.
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

/// A place and a lease in use; given up even if the work on them panics.
struct Held {
    shared: Arc<Shared>,
    token: LeaseToken,
    org: OrgId,
    receiver: String,
    slot: Option<OwnedSemaphorePermit>,
}

impl Drop for Held {
    fn drop(&mut self) {
        {
            let mut under_way = self.shared.under_way();
            under_way.tokens.remove(&self.token);
            if let Some(receivers) = under_way.receivers.get_mut(&self.org) {
                if let Some(count) = receivers.get_mut(&self.receiver) {
                    *count -= 1;
                }
                receivers.retain(|_, count| *count > 0);
                if receivers.is_empty() {
                    under_way.receivers.remove(&self.org);
                }
            }
        }
        drop(self.slot.take());
        self.shared.slot_freed.notify_one();
    }
}

/// Takes what is due as far as there are free places, and sends each. Answers how long nothing needs to be looked at,
/// unless a place becomes free or something happens.
async fn take_free(shared: &Arc<Shared>, after: &mut Option<OrgId>) -> Result<Duration, StoreError> {
    let mut slots: Vec<OwnedSemaphorePermit> = Vec::new();
    while let Ok(slot) = Arc::clone(&shared.slots).try_acquire_owned() {
        slots.push(slot);
    }
    let settings = &shared.settings;
    if slots.is_empty() {
        return Ok(settings.poll);
    }
    let DeliveryParts { store, ids, .. } = &shared.parts;
    let lease = settings.timeout + LEASE_SLACK;
    let taking = Taking {
        tokens: slots.iter().map(|_| LeaseToken(ids.next())).collect(),
        lease: Millis(lease.as_millis() as i64),
        per_org: settings.per_org,
        per_receiver: settings.per_receiver,
        busy: shared.under_way().receivers.clone(),
        after: *after,
    };
    for taken in store.take_deliveries(&taking).await? {
        let (org, receiver, token) = (taken.delivery.event.org, taken.receiver.clone(), taken.token);
        *after = Some(org);
        let held = {
            let mut under_way = shared.under_way();
            under_way.tokens.insert(token);
            *under_way.receivers.entry(org).or_default().entry(receiver.clone()).or_default() += 1;
            Held { shared: Arc::clone(shared), token, org, receiver, slot: slots.pop() }
        };
        tokio::spawn(async move {
            send_and_settle(&held.shared, taken).await;
        });
    }
    let due = store.next_delivery_due().await?;
    let until = due.map(|due| Duration::from_millis((due - store.clock().now()).0.max(1).unsigned_abs()));
    Ok(until.unwrap_or(settings.poll).min(settings.poll))
}

/// Why an attempt ends before anything is sent.
enum Unsent {
    /// Left to its lease: the database is away, or somebody else has it.
    Left,
    /// It does not count, with this code, and may be tried again.
    Again(&'static str),
    /// It would end the same way every time.
    GivenUp(&'static str),
}

/// What signs a delivery.
struct Keys {
    /// The secrets, the present one first; none where nothing is signed.
    secrets: Vec<Vec<u8>>,
    /// The present one's id, where secrets have ids.
    id: Option<SecretId>,
}

/// A body with all that goes with it.
struct Worded {
    body: Vec<u8>,
    headers: Vec<(&'static str, String)>,
}

/// The secrets that sign a delivery: its subscription's own; for the usual words the organization's; for other words the
/// callback secret that signs at present, if there is one.
async fn keys(shared: &Shared, delivery: &Delivery, own: Option<&[u8]>) -> Result<Keys, Unsent> {
    let DeliveryParts { store, seal, .. } = &shared.parts;
    let org = delivery.event.org;
    let away = |error: StoreError| {
        tracing::warn!(delivery.id = %delivery.id, %error, "cannot sign delivery `{}`", delivery.id);
        Unsent::Left
    };
    let open = |closed: &[u8], id: Uuid| {
        seal.open(closed, &subscription::context(org, id)).ok_or_else(|| {
            tracing::error!(
                delivery.id = %delivery.id,
                "the secret `{id}` does not open with this server's key; bring back the key file it was made with"
            );
            Unsent::Again("secret_unreadable")
        })
    };
    if let Some(subscription) = delivery.subscription {
        // One that was ended since has no secret any more; nobody else's may sign for it.
        let closed = own.ok_or(Unsent::GivenUp("subscription_ended"))?;
        return Ok(Keys { secrets: vec![open(closed, subscription.0)?], id: None });
    }
    if delivery.face == Face::default() {
        let secrets = store.webhook_secrets(org, WebhookSecret(rand::random())).await.map_err(away)?;
        let previous = secrets.previous.map(|(secret, _)| secret);
        let secrets = [Some(secrets.current), previous].into_iter().flatten();
        return Ok(Keys { secrets: secrets.map(|secret| secret.0.to_vec()).collect(), id: None });
    }
    match store.current_secret(org, true).await.map_err(away)? {
        Some(current) => {
            Ok(Keys { secrets: vec![open(&current.secret, current.id.0)?], id: Some(current.id) })
        }
        None => Ok(Keys { secrets: Vec::new(), id: None }),
    }
}

/// The body as it was kept; else it is worded, and kept before anybody sees it, so that every attempt sends the same bytes.
async fn worded(shared: &Shared, taken: Taken) -> Result<Worded, Unsent> {
    let Taken { delivery, told, secret, token, .. } = taken;
    let store = &shared.parts.store;
    let Some(dialect) = shared.parts.dialects.get(&delivery.face) else {
        tracing::error!(
            delivery.id = %delivery.id,
            "delivery `{}` is for the face `{}`, whose words this server does not have", delivery.id, delivery.face.0
        );
        return Err(Unsent::GivenUp("message_failed"));
    };
    let away = |error: StoreError| {
        tracing::warn!(delivery.id = %delivery.id, %error, "cannot word delivery `{}`", delivery.id);
        Unsent::Left
    };
    let keys = keys(shared, &delivery, secret.as_deref()).await?;
    let is_kept = delivery.body.is_some();
    let body = match delivery.body {
        Some(body) => body,
        None => {
            let told = match told {
                Some(told) => Some(told),
                None => store.told(delivery.event.org, delivery.event.what).await.map_err(away)?,
            };
            let told = told.ok_or_else(|| {
                tracing::error!(delivery.id = %delivery.id, "{} is not there any more", subject(delivery.event.what));
                Unsent::GivenUp("message_failed")
            })?;
            let message = catch_unwind(AssertUnwindSafe(|| dialect.message(&delivery.event, told)));
            let message = message.map_err(|_| {
                // It would panic the next time, too.
                tracing::error!(delivery.id = %delivery.id, "delivery `{}` cannot be put into words; gave it up", delivery.id);
                Unsent::GivenUp("message_failed")
            })?;
            message.body
        }
    };
    if (!is_kept || delivery.secret != keys.id)
        && !store.keep_body(token, &body, keys.id).await.map_err(away)?
    {
        tracing::warn!(delivery.id = %delivery.id, "somebody else has delivery `{}` by now; leaving it", delivery.id);
        return Err(Unsent::Left);
    }
    let secrets: Vec<&[u8]> = keys.secrets.iter().map(Vec::as_slice).collect();
    let mut headers = vec![("content-type", dialect.media_type().to_owned())];
    if !secrets.is_empty() {
        let (id, at) = (delivery.event.id.to_string(), store.clock().now());
        headers.push(("webhook-timestamp", at.0.div_euclid(1000).to_string()));
        headers.push(("webhook-signature", sign::standard(&secrets, &id, at, &body)));
        headers.push(("webhook-id", id));
    }
    headers.extend(dialect.headers(&secrets, &delivery.id.to_string(), &body));
    Ok(Worded { body, headers })
}

/// What an event happened to, for logs.
fn subject(what: What) -> String {
    let kind = match what {
        What::Run { .. } => "run",
        What::Batch { .. } => "batch",
        What::Evaluation { .. } => "evaluation",
    };
    format!("{kind} `{}`", what.subject())
}

/// One attempt, from the taking to its entry in the history.
async fn send_and_settle(shared: &Shared, taken: Taken) {
    let (receiver, token, failed) = (taken.receiver.clone(), taken.token, taken.failed);
    let (id, what, address) = (taken.delivery.id, taken.delivery.event.what, taken.delivery.address.clone());
    let number = taken.delivery.attempts + 1;
    let (store, settings) = (&shared.parts.store, &shared.settings);
    let chance = (token.0.as_u128() & 0xffff) as f64 / 65_535.0;
    let again = |asked| {
        let pause = settings.schedule.pause(failed + 1, chance, asked);
        pause.map_or(Disposition::GivenUp, Disposition::Again)
    };
    let worded = match worded(shared, taken).await {
        Ok(worded) => worded,
        Err(Unsent::Left) => return,
        Err(unsent @ (Unsent::Again(code) | Unsent::GivenUp(code))) => {
            let is_final = matches!(unsent, Unsent::GivenUp(_));
            let disposition = if is_final { Disposition::GivenUp } else { again(None) };
            let report =
                Report { took: Millis(0), status: None, error: Some(code.to_owned()), answer: String::new() };
            settle(shared, token, &report, disposition).await;
            return;
        }
    };
    let request = worded
        .headers
        .iter()
        .try_fold(Request::post(&address, worded.body), |request, (name, value)| request.header(name, value));
    let began = Instant::now();
    let sent = match request {
        Ok(request) => shared.parts.outbound.send(request, settings.timeout).await,
        Err(failure) => Err(failure),
    };
    let seen = Seen::of(sent, store.clock().now()).await;
    let took = Millis(began.elapsed().as_millis() as i64);
    let disposition = match (&seen.error, seen.ends) {
        (None, _) => Disposition::Delivered,
        (Some(_), true) => Disposition::GivenUp,
        (Some(_), false) => again(seen.asked),
    };
    let outcome = match disposition {
        Disposition::Delivered => "delivered",
        Disposition::Again(_) => "again",
        Disposition::GivenUp => "given_up",
    };
    metrics::counter!("packshot_webhook_attempts_total", "outcome" => outcome).increment(1);
    metrics::histogram!("packshot_webhook_seconds").record(began.elapsed().as_secs_f64());
    let of = subject(what);
    match &seen.error {
        None => tracing::info!(delivery.id = %id, number, "told `{receiver}` of {of}"),
        Some(code) => tracing::warn!(
            delivery.id = %id, number, code, status = seen.status, outcome,
            "attempt {number} to tell `{receiver}` of {of} failed"
        ),
    }
    let report = Report { took, status: seen.status, error: seen.error, answer: seen.answer };
    settle(shared, token, &report, disposition).await;
}

/// Writes how an attempt went; a database that is away is asked again for as long as the lease may last.
async fn settle(shared: &Shared, token: LeaseToken, report: &Report, disposition: Disposition) {
    let until = Instant::now() + LEASE_SLACK;
    let mut pause_ms = 50;
    loop {
        match shared.parts.store.settle_delivery(token, report, disposition).await {
            Ok(true) => return,
            Ok(false) => {
                tracing::warn!("somebody else has this delivery by now; leaving it");
                return;
            }
            Err(error) if Instant::now() < until => {
                tracing::warn!(%error, "could not settle a delivery");
                tokio::time::sleep(Duration::from_millis(pause_ms)).await;
                pause_ms = (pause_ms * 3).min(5_000);
            }
            Err(error) => {
                tracing::error!(%error, "could not settle a delivery before its lease was over; it will be made again");
                return;
            }
        }
    }
}

/// What came of one attempt.
#[derive(Debug, Default)]
struct Seen {
    status: Option<u16>,
    error: Option<String>,
    answer: String,
    /// The pause the receiver asked for.
    asked: Option<Millis>,
    /// Whether trying again makes no sense.
    ends: bool,
}

impl Seen {
    async fn of(sent: Result<Answer, Failure>, now: Timestamp) -> Self {
        let answer = match sent {
            Ok(answer) => answer,
            Err(failure) => return Self::failed(&failure),
        };
        let status = answer.status();
        let (error, ends) = match status {
            200..=299 => (None, false),
            300..=399 => (Some("redirect_refused"), false),
            410 => (Some("gone"), true),
            _ => (Some("refused_by_receiver"), false),
        };
        let may_ask = matches!(status, 429 | 503);
        let asked =
            answer.header("retry-after").filter(|_| may_ask).and_then(|value| pause_asked(value, now));
        // The head decides: a receiver that has said 2xx has taken it, however long it then talks.
        match answer.read(Report::ANSWER_BYTES_MAX, ANSWER_READ_MAX).await {
            Ok(bytes) => Self {
                status: Some(status),
                error: error.map(str::to_owned),
                answer: text(&bytes),
                asked,
                ends,
            },
            Err(failure) => {
                tracing::debug!(error = %chain(&failure), "an answer broke off after its head");
                let error = error.map(str::to_owned);
                Self { status: Some(status), error, asked, ends, answer: String::new() }
            }
        }
    }

    fn failed(failure: &Failure) -> Self {
        tracing::debug!(error = %chain(failure), "an attempt got no answer");
        Self { error: Some(failure.code().to_owned()), ends: failure.is_final(), ..Self::default() }
    }
}

fn chain(failure: &Failure) -> String {
    let cause = std::error::Error::source(failure);
    cause.map_or_else(|| failure.to_string(), |cause| format!("{failure}: {cause}"))
}

/// An answer as text that any database takes.
fn text(bytes: &[u8]) -> String {
    let mut text = String::from_utf8_lossy(bytes).replace('\0', "\u{fffd}");
    while text.len() > Report::ANSWER_BYTES_MAX {
        text.pop();
    }
    text
}

/// The pause that a `retry-after` asks for: seconds, or a date.
fn pause_asked(value: &str, now: Timestamp) -> Option<Millis> {
    if let Ok(seconds) = value.trim().parse::<u32>() {
        return Some(Millis::seconds(i64::from(seconds)));
    }
    let date = httpdate::parse_http_date(value.trim()).ok()?;
    let at = date.duration_since(SystemTime::UNIX_EPOCH).ok()?.as_millis() as i64;
    Some(Millis((at - now.0).max(0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_is_asked_for_in_seconds_or_by_date() {
        let now = Timestamp(784_111_777_000); // Sun, 06 Nov 1994 08:49:37 GMT
        assert_eq!(pause_asked("120", now), Some(Millis::seconds(120)));
        assert_eq!(pause_asked("Sun, 06 Nov 1994 08:50:37 GMT", now), Some(Millis::seconds(60)));
        assert_eq!(pause_asked("Sun, 06 Nov 1994 08:48:37 GMT", now), Some(Millis(0)));
        assert_eq!(pause_asked("soon", now), None);
        assert_eq!(pause_asked("-1", now), None);
    }

    #[test]
    fn an_answer_is_kept_as_text_of_bounded_length() {
        assert_eq!(text(b"a\0b\xff"), "a\u{fffd}b\u{fffd}");
        assert!(text(&[0xff; 1024]).len() <= Report::ANSWER_BYTES_MAX);
    }
}
