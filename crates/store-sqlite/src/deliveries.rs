//! Deliveries: recorded with the state they tell of, taken on a lease, settled attempt by attempt.

use std::sync::atomic::{AtomicU16, Ordering};

use async_trait::async_trait;
use domain::batch::BatchEnd;
use domain::delivery::{
    About, Attempt, Delivery, DeliveryFilter, DeliveryState, DeliveryStatus, Disposition, Report, receiver,
};
use domain::event::{Event, Kind, Told, What};
use domain::id::{
    DeliveryId, EvaluationId, EventId, LeaseToken, OrgId, RunId, SecretId, SubscriptionId, UserId,
};
use domain::page::{Cursor, Slice};
use domain::request::Face;
use domain::run::Status;
use domain::time::{Millis, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use store::{Deliveries, Redelivery, StoreError, Taken, Taking, ToldAgain, WebhookSecret, WebhookSecrets};
use tracing::error;
use uuid::{Builder, Uuid};

use crate::audit;
use crate::batches::batch_by;
use crate::database::Sqlite;
use crate::error::store_error;
use crate::evaluations;
use crate::rows::{self, RUN_COLUMNS, maybe_uuid, named, time, unreadable, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// Records an event for each different address that was named with what it is about, and for each subscription to its kind,
/// if it is worth telling. To be called once the row of what it is about says what is to be told.
pub(crate) fn record_event(
    tx: &Tx<'_>,
    event: EventId,
    org: OrgId,
    what: What,
    face: Option<&Face>,
    addresses: &[String],
) -> Result<(), StoreError> {
    let Some(kind) = what.kind() else { return Ok(()) };
    // A face with words of its own tells those whom it was given of ends alone.
    let is_told = face.is_none() || kind != Kind::RunInReview;
    for (index, address) in addresses.iter().enumerate() {
        if is_told && !addresses[..index].contains(address) {
            let face = face.map_or("", |face| face.0.as_str());
            record(
                tx,
                &Recording { event, org, what, kind, face, address, subscription: None, automatic: true },
            )?;
        }
    }
    let subscribed = tx.conn.all(SUBSCRIBED, params![org.0.as_bytes(), kind.as_str()], |row| {
        Ok((SubscriptionId(uuid(row, 0)?), row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    for (id, face, address) in subscribed {
        let (face, address) = (face.as_str(), address.as_str());
        record(
            tx,
            &Recording { event, org, what, kind, face, address, subscription: Some(id), automatic: true },
        )?;
        tx.conn.exec(
            "UPDATE subscriptions SET last_event_at = ?2 WHERE id = ?1",
            params![id.0.as_bytes(), tx.now.0],
        )?;
    }
    Ok(())
}

/// The subscriptions of an organization to a kind of events.
pub(crate) const SUBSCRIBED: &str = "SELECT id, face, address FROM subscriptions
    WHERE org = ?1 AND disabled_at IS NULL AND EXISTS (SELECT 1 FROM json_each(kinds) WHERE value = ?2)";

/// One event to be told to one address.
struct Recording<'a> {
    event: EventId,
    org: OrgId,
    what: What,
    kind: Kind,
    face: &'a str,
    address: &'a str,
    subscription: Option<SubscriptionId>,
    automatic: bool,
}

fn record(tx: &Tx<'_>, it: &Recording<'_>) -> Result<DeliveryId, StoreError> {
    let id = fresh_id(tx)?;
    let subscription = it.subscription.as_ref().map(|id| id.0.as_bytes().as_slice());
    let about = it.what.subject();
    if let What::Run { status, .. } = it.what {
        tx.conn.exec(
            "INSERT INTO deliveries (id, event, org, kind, run, face, subscription, automatic, address, receiver, at, status,
                                     started_at, finished_at, charged, result, failure, state, due_at)
             SELECT ?1, ?2, ?3, ?4, id, ?6, ?7, ?8, ?9, ?10, ?11, ?12, started_at, finished_at, charged, result, failure,
                    'pending', ?11
             FROM runs WHERE id = ?5",
            params![
                id.as_bytes(),
                it.event.0.as_bytes(),
                it.org.0.as_bytes(),
                it.kind.as_str(),
                about.as_bytes(),
                it.face,
                subscription,
                it.automatic,
                it.address,
                receiver(it.address),
                tx.now.0,
                status.as_str(),
            ],
        )?;
    } else {
        let column = if matches!(it.what, What::Batch { .. }) { "batch" } else { "evaluation" };
        tx.conn.exec(
            &format!(
                "INSERT INTO deliveries (id, event, org, kind, {column}, face, subscription, automatic, address, receiver, at,
                                         state, due_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending', ?11)"
            ),
            params![
                id.as_bytes(),
                it.event.0.as_bytes(),
                it.org.0.as_bytes(),
                it.kind.as_str(),
                about.as_bytes(),
                it.face,
                subscription,
                it.automatic,
                it.address,
                receiver(it.address),
                tx.now.0,
            ],
        )?;
    }
    Ok(DeliveryId(id))
}

/// A UUID of version 7 at the store's time.
pub(crate) fn fresh_id(tx: &Tx<'_>) -> Result<Uuid, StoreError> {
    // Those made within one millisecond sort as they were made (RFC 9562, section 6.2, method 1).
    static MADE: AtomicU16 = AtomicU16::new(0);
    let random: Option<[u8; 10]> = tx.conn.one("SELECT randomblob(10)", [], |row| row.get(0))?;
    let mut random =
        random.ok_or_else(|| StoreError::Unavailable("the database made no random bytes".to_owned()))?;
    random[..2].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Ok(Builder::from_unix_timestamp_millis(tx.now.0.max(0).unsigned_abs(), &random).into_uuid())
}

/// The columns [`delivery`] reads, in its order, of a table called `d`.
pub(crate) const DELIVERY_COLUMNS: &str = "d.id, d.event, d.org, d.kind, d.run, d.batch, d.evaluation, d.status, d.at, \
     d.address, d.attempts, d.state, d.due_at, d.ended_at, d.face, d.subscription, d.automatic, d.body, d.secret";
const DELIVERY_WIDTH: usize = 19;

pub(crate) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    delivery_from(row, 0)
}

/// A delivery out of a row that has its columns from `first` on.
fn delivery_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Delivery> {
    let at = |column: usize| first + column;
    let state = match named(row, at(11), DeliveryStatus::parse)? {
        DeliveryStatus::Pending => DeliveryState::Pending { due_at: time(row, at(12))? },
        DeliveryStatus::Delivered => DeliveryState::Delivered { at: time(row, at(13))? },
        DeliveryStatus::Failed => DeliveryState::Failed { at: time(row, at(13))? },
    };
    let kind = named(row, at(3), Kind::parse)?;
    let what = if let Some(run) = maybe_uuid(row, at(4))? {
        What::Run { run: RunId(run), status: named(row, at(7), Status::parse)? }
    } else if let Some(batch) = maybe_uuid(row, at(5))? {
        let end = kind.as_str().strip_prefix("batch_").and_then(BatchEnd::parse);
        What::Batch { batch, end: end.ok_or_else(|| unreadable(at(3), "no end of a batch"))? }
    } else {
        let completed = kind == Kind::EvaluationCompleted;
        What::Evaluation { evaluation: EvaluationId(uuid(row, at(6))?), completed }
    };
    Ok(Delivery {
        id: DeliveryId(uuid(row, at(0))?),
        event: Event {
            id: EventId(uuid(row, at(1))?),
            org: OrgId(uuid(row, at(2))?),
            what,
            at: time(row, at(8))?,
        },
        address: row.get(at(9))?,
        attempts: row.get(at(10))?,
        state,
        face: Face(row.get(at(14))?),
        subscription: maybe_uuid(row, at(15))?.map(SubscriptionId),
        is_automatic: row.get(at(16))?,
        body: row.get(at(17))?,
        secret: maybe_uuid(row, at(18))?.map(SecretId),
    })
}

/// The columns of a run as it was at the event: what changes over a run's life comes from the delivery.
fn run_then() -> String {
    let kept = ["status", "started_at", "finished_at", "charged", "result", "failure"];
    let columns = RUN_COLUMNS.split(',').map(str::trim);
    let columns =
        columns.map(|name| if kept.contains(&name) { format!("d.{name}") } else { format!("r.{name}") });
    columns.collect::<Vec<_>>().join(", ")
}

/// What is told of an event, as it is now.
fn told(conn: &Connection, org: OrgId, what: What) -> Result<Option<Told>, StoreError> {
    match what {
        What::Run { run, .. } => {
            let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1 AND org = ?2");
            let found = conn.one(&sql, params![run.0.as_bytes(), org.0.as_bytes()], rows::run)?;
            Ok(found.map(|run| Told::Run(Box::new(run))))
        }
        What::Batch { batch, .. } => {
            let Some(found) = batch_by(conn, org, batch)? else { return Ok(None) };
            let sql = format!(
                "SELECT {RUN_COLUMNS} FROM runs INDEXED BY runs_of_batch WHERE org = ?1 AND batch = ?2
                 ORDER BY coalesce(place, 0), created_at, id"
            );
            let runs = conn.all(&sql, params![org.0.as_bytes(), found.id], rows::run)?;
            Ok(Some(Told::Batch(Box::new(found), runs)))
        }
        What::Evaluation { evaluation, .. } => {
            let found = evaluations::evaluation_by(conn, org, evaluation)?;
            Ok(found.map(|evaluation| Told::Evaluation(Box::new(evaluation))))
        }
    }
}

/// Receivers put into the row in one round, at most.
const NEW_IN_ROW: i64 = 512;

pub(crate) const LAST_TURN: &str =
    "SELECT turn FROM receivers WHERE turn IS NOT NULL ORDER BY turn DESC LIMIT 1";
pub(crate) const LINE_UP: &str = "UPDATE receivers SET turn = ?2 WHERE (org, receiver) IN (
    SELECT org, receiver FROM receivers WHERE turn IS NULL AND next_due <= ?1 ORDER BY next_due LIMIT ?3)";
pub(crate) const NEXT_ORG: &str =
    "SELECT org FROM receivers WHERE turn IS NOT NULL AND org > ?1 ORDER BY org LIMIT 1";
pub(crate) const NEXT_RECEIVER: &str =
    "SELECT receiver FROM receivers WHERE org = ?1 AND turn IS NOT NULL ORDER BY turn, receiver";
pub(crate) const OLDEST: &str = "SELECT id FROM deliveries
    WHERE state = 'pending' AND org = ?1 AND receiver = ?2 ORDER BY due_at, seq LIMIT 1";

/// Takes turns over the organizations that have something due, going on after the one served last; one delivery a turn.
fn take(tx: &Tx<'_>, taking: &Taking) -> Result<Vec<Taken>, StoreError> {
    let mut tokens = taking.tokens.iter().copied();
    let mut busy = taking.busy.clone();
    let mut taken = Vec::new();
    let mut after = taking.after;
    // Each round finds out who is due, serves everybody once, and lets those who were served stand at the end of the row.
    while tokens.len() > 0 {
        let spent = tokens.len();
        line_up(tx)?;
        for org in orgs_in_turn(tx, after, tokens.len())? {
            let under_way = busy.entry(org).or_default();
            if under_way.values().sum::<usize>() >= taking.per_org {
                continue;
            }
            let Some(receiver) = receiver_in_turn(tx, org, |receiver| {
                under_way.get(receiver).copied().unwrap_or(0) < taking.per_receiver
            })?
            else {
                continue;
            };
            let Some(token) = tokens.next() else { break };
            if let Some(leased) = lease(tx, oldest(tx, org, &receiver)?, token, taking.lease)? {
                taken.push(leased);
                *under_way.entry(receiver).or_default() += 1;
            }
            after = Some(org);
        }
        if tokens.len() == spent {
            break;
        }
    }
    Ok(taken)
}

/// Gives those that have become due a place at the end of the row.
fn line_up(tx: &Tx<'_>) -> Result<(), StoreError> {
    let last = tx.conn.one(LAST_TURN, [], |row| row.get::<_, i64>(0))?.unwrap_or(0);
    tx.conn.exec(LINE_UP, params![tx.now.0, last + 1, NEW_IN_ROW]).map(drop)
}

/// Up to `many` organizations with a receiver in the row, beginning after that one. Each step is one look into an index.
fn orgs_in_turn(tx: &Tx<'_>, last: Option<OrgId>, many: usize) -> Result<Vec<OrgId>, StoreError> {
    let mut found: Vec<OrgId> = Vec::new();
    let mut at = last;
    let mut wrapped = last.is_none();
    while found.len() < many {
        // Every blob sorts after the empty one.
        let after: &[u8] = at.as_ref().map_or(&[], |org| org.0.as_bytes());
        let next = tx.conn.one(NEXT_ORG, [after], |row| uuid(row, 0).map(OrgId))?;
        match next.filter(|next| !wrapped || last.is_none_or(|last| *next <= last)) {
            Some(org) => {
                found.push(org);
                at = Some(org);
            }
            None if wrapped => break,
            None => (at, wrapped) = (None, true),
        }
    }
    Ok(found)
}

/// The first receiver of the organization in the row that may be served. Those that may not have something under way each,
/// so that there are never many.
fn receiver_in_turn(
    tx: &Tx<'_>,
    org: OrgId,
    may_be_served: impl Fn(&str) -> bool,
) -> Result<Option<String>, StoreError> {
    let find = || {
        let mut statement = tx.conn.prepare_cached(NEXT_RECEIVER)?;
        let mut rows = statement.query([org.0.as_bytes()])?;
        while let Some(row) = rows.next()? {
            let receiver = row.get_ref(0)?.as_str()?;
            if may_be_served(receiver) {
                return Ok(Some(receiver.to_owned()));
            }
        }
        Ok(None)
    };
    find().map_err(store_error)
}

/// What is due to a receiver in the row, the oldest first.
fn oldest(tx: &Tx<'_>, org: OrgId, receiver: &str) -> Result<DeliveryId, StoreError> {
    let found =
        tx.conn.one(OLDEST, params![org.0.as_bytes(), receiver], |row| uuid(row, 0).map(DeliveryId))?;
    found.ok_or_else(|| {
        StoreError::Corrupt(format!("nothing is to be told to `{receiver}`, whose turn it is"))
    })
}

fn lease(tx: &Tx<'_>, id: DeliveryId, token: LeaseToken, lease: Millis) -> Result<Option<Taken>, StoreError> {
    tx.conn.exec(
        "UPDATE deliveries SET due_at = ?2, lease_token = ?3 WHERE id = ?1",
        params![id.0.as_bytes(), (tx.now + lease).0, token.0.as_bytes()],
    )?;
    // The run's columns are empty where there is none, and then they are not read.
    let sql = format!(
        "SELECT {}, {DELIVERY_COLUMNS}, d.receiver, d.failed, s.secret
         FROM deliveries d LEFT JOIN runs r ON r.id = d.run LEFT JOIN subscriptions s ON s.id = d.subscription WHERE d.id = ?1",
        run_then()
    );
    // The delivery's columns follow the run's.
    let found = tx.conn.one(&sql, [id.0.as_bytes()], |row| {
        let at = |column: usize| rows::RUN_WIDTH + DELIVERY_WIDTH + column;
        let delivery = delivery_from(row, rows::RUN_WIDTH)?;
        let told = match delivery.event.what {
            What::Run { .. } => Some(Told::Run(Box::new(rows::run(row)?))),
            What::Batch { .. } | What::Evaluation { .. } => None,
        };
        let (receiver, failed, secret) = (row.get(at(0))?, row.get(at(1))?, row.get(at(2))?);
        Ok(Taken { told, delivery, receiver, failed, secret, token })
    });
    match found {
        // It is given up, rather than stopping all others or coming back for ever.
        Err(StoreError::Corrupt(reason)) => {
            error!(delivery.id = %id, "delivery `{id}` cannot be read: {reason}");
            let error = Some("delivery_unreadable".to_owned());
            let report = Report { took: Millis(0), status: None, error, answer: String::new() };
            settle(tx, token, &report, Disposition::GivenUp)?;
            Ok(None)
        }
        found => found,
    }
}

fn settle(
    tx: &Tx<'_>,
    token: LeaseToken,
    report: &Report,
    disposition: Disposition,
) -> Result<bool, StoreError> {
    let (state, due_at, ended_at) = match disposition {
        Disposition::Delivered => ("delivered", None, Some(tx.now.0)),
        Disposition::Again(pause) => ("pending", Some((tx.now + pause).0), None),
        Disposition::GivenUp => ("failed", None, Some(tx.now.0)),
    };
    let failed = u32::from(disposition != Disposition::Delivered);
    let settled = tx.conn.one(
        "UPDATE deliveries SET state = ?2, due_at = ?3, ended_at = ?4, attempts = attempts + 1, failed = failed + ?5,
                               lease_token = NULL
         WHERE lease_token = ?1 RETURNING id, attempts",
        params![token.0.as_bytes(), state, due_at, ended_at, failed],
        |row| Ok((uuid(row, 0)?, row.get::<_, u32>(1)?)),
    )?;
    let Some((id, number)) = settled else { return Ok(false) };
    tx.conn.exec(
        "INSERT INTO delivery_attempts (delivery, number, at, took, status, error, answer)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![id.as_bytes(), number, tx.now.0, report.took.0, report.status, report.error, report.answer],
    )?;
    Ok(true)
}

/// What a subscription has not been sent yet.
pub(crate) const NOT_SENT: &str =
    "SELECT id FROM deliveries WHERE org = ?1 AND subscription = ?2 AND state = 'pending'";

/// Gives up what a subscription has not been sent yet, for that reason; an attempt that is under way does not count any more.
pub(crate) fn give_up_for(
    tx: &Tx<'_>,
    org: OrgId,
    subscription: SubscriptionId,
    reason: &'static str,
) -> Result<(), StoreError> {
    let given_up = tx.conn.all(
        &format!(
            "UPDATE deliveries SET state = 'failed', due_at = NULL, ended_at = ?3, attempts = attempts + 1,
                                   failed = failed + 1, lease_token = NULL
             WHERE id IN ({NOT_SENT}) RETURNING id, attempts"
        ),
        params![org.0.as_bytes(), subscription.0.as_bytes(), tx.now.0],
        |row| Ok((uuid(row, 0)?, row.get::<_, u32>(1)?)),
    )?;
    for (id, number) in given_up {
        tx.conn.exec(
            "INSERT INTO delivery_attempts (delivery, number, at, took, status, error, answer)
             VALUES (?1, ?2, ?3, 0, NULL, ?4, '')",
            params![id.as_bytes(), number, tx.now.0, reason],
        )?;
    }
    Ok(())
}

/// The query of a list and its parameters. Which index it goes by is said, not left to be guessed: a run has few
/// deliveries, and an organization has many.
pub(crate) fn listing(
    org: OrgId,
    filter: &DeliveryFilter,
    limit: u32,
    after: Option<Cursor>,
) -> (String, Vec<Value>) {
    let index = match filter {
        DeliveryFilter { run: Some(_), .. } => "deliveries_of_run",
        DeliveryFilter { status: Some(_), .. } => "deliveries_in_state",
        _ => "deliveries_of_org",
    };
    let mut sql = format!("SELECT {DELIVERY_COLUMNS} FROM deliveries d INDEXED BY {index} WHERE d.org = ?");
    let mut params = vec![Value::Blob(org.0.as_bytes().to_vec())];
    let mut also = |condition: &str, values: &[Value]| {
        sql.push_str(condition);
        params.extend_from_slice(values);
    };
    if let Some(run) = filter.run {
        also(" AND d.run = ?", &[Value::Blob(run.0.as_bytes().to_vec())]);
    }
    if let Some(status) = filter.status {
        also(" AND d.state = ?", &[Value::Text(status.as_str().to_owned())]);
    }
    if let Some(Cursor { at, id }) = after {
        let id = Value::Blob(id.as_bytes().to_vec());
        also(" AND (d.at, d.id) < (?, ?)", &[Value::Integer(at.0), id]);
    }
    also(" ORDER BY d.at DESC, d.id DESC LIMIT ?", &[Value::Integer(i64::from(limit) + 1)]);
    (sql, params)
}

fn list(
    conn: &Connection,
    org: OrgId,
    filter: &DeliveryFilter,
    limit: u32,
    after: Option<Cursor>,
) -> Result<Slice<Delivery>, StoreError> {
    let (sql, params) = listing(org, filter, limit, after);
    let mut entries = conn.all(&sql, params_from_iter(&params), delivery)?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|last| Cursor { at: last.event.at, id: last.id.0 });
    Ok(Slice { entries, next })
}

pub(crate) fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let report =
        Report { took: Millis(row.get(2)?), status: row.get(3)?, error: row.get(4)?, answer: row.get(5)? };
    Ok(Attempt { number: row.get(0)?, at: time(row, 1)?, report })
}

fn redeliver(tx: &Tx<'_>, among: &[OrgId], id: DeliveryId) -> Result<Redelivery, StoreError> {
    let found = tx.conn.one(
        "SELECT org, lease_token IS NOT NULL AND due_at > ?2 FROM deliveries WHERE id = ?1",
        params![id.0.as_bytes(), tx.now.0],
        |row| Ok((OrgId(uuid(row, 0)?), row.get::<_, bool>(1)?)),
    )?;
    match found.filter(|(org, _)| among.contains(org)) {
        None => return Ok(Redelivery::Missing),
        Some((_, true)) => return Ok(Redelivery::UnderWay),
        Some((_, false)) => {}
    }
    tx.conn.exec(
        "UPDATE deliveries SET state = 'pending', due_at = ?2, ended_at = NULL, failed = 0, lease_token = NULL WHERE id = ?1",
        params![id.0.as_bytes(), tx.now.0],
    )?;
    Ok(Redelivery::Due)
}

/// Tells once more of the end of something, by its first address.
fn tell_again(tx: &Tx<'_>, org: OrgId, about: About, event: EventId) -> Result<ToldAgain, StoreError> {
    let (what, face, webhooks) = match about {
        About::Run(run) => {
            let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1 AND org = ?2");
            let found = tx.conn.one(&sql, params![run.0.as_bytes(), org.0.as_bytes()], rows::run)?;
            let Some(found) = found else { return Ok(ToldAgain::Missing) };
            let status = found.state.status();
            if !status.is_final() {
                return Ok(ToldAgain::NotEnded);
            }
            (What::Run { run, status }, found.request.map(|request| request.face), found.webhooks)
        }
        About::Batch(handle) => {
            let Some(found) = batch_by(tx.conn, org, handle)? else { return Ok(ToldAgain::Missing) };
            let Some(end) = found.end() else { return Ok(ToldAgain::NotEnded) };
            let what = What::Batch { batch: handle, end };
            (what, found.request.map(|request| request.face), found.webhooks)
        }
    };
    let (Some(address), Some(kind)) = (webhooks.first(), what.kind()) else {
        return Ok(ToldAgain::NoAddress);
    };
    let column = if matches!(about, About::Run(_)) { "run" } else { "batch" };
    let pending = format!(
        "SELECT 1 FROM deliveries WHERE {column} = ?1 AND org = ?2 AND subscription IS NULL AND state = 'pending' LIMIT 1"
    );
    let subject = what.subject();
    if tx.conn.one(&pending, params![subject.as_bytes(), org.0.as_bytes()], |_| Ok(()))?.is_some() {
        return Ok(ToldAgain::UnderWay);
    }
    let face = face.unwrap_or_default();
    let recording =
        Recording { event, org, what, kind, face: &face.0, address, subscription: None, automatic: false };
    record(tx, &recording).map(ToldAgain::Due)
}

fn secret(bytes: [u8; 32]) -> WebhookSecret {
    WebhookSecret(bytes)
}

fn secrets(conn: &Connection, org: OrgId, now: Timestamp) -> Result<Option<WebhookSecrets>, StoreError> {
    let sql = "SELECT current, made_at, previous, previous_until FROM webhook_secrets WHERE org = ?1";
    conn.one(sql, [org.0.as_bytes()], |row| {
        let previous = match (row.get::<_, Option<[u8; 32]>>(2)?, row.get::<_, Option<i64>>(3)?) {
            (Some(previous), Some(until)) => {
                Some((secret(previous), Timestamp(until))).filter(|(_, until)| *until > now)
            }
            (None, None) => None,
            _ => return Err(unreadable(3, "a secret without its end")),
        };
        Ok(WebhookSecrets { current: row.get(0).map(secret)?, made_at: time(row, 1)?, previous })
    })
}

fn gone(org: OrgId) -> StoreError {
    StoreError::Missing(format!("the organization `{org}`"))
}

#[async_trait]
impl Deliveries for Sqlite {
    async fn take_deliveries(&self, taking: &Taking) -> Result<Vec<Taken>, StoreError> {
        let taking = taking.clone();
        self.write("take_deliveries", move |tx| take(tx, &taking)).await
    }

    async fn told(&self, org: OrgId, what: What) -> Result<Option<Told>, StoreError> {
        self.read(move |conn| told(conn, org, what)).await
    }

    async fn keep_body(
        &self,
        token: LeaseToken,
        body: &[u8],
        secret: Option<SecretId>,
    ) -> Result<bool, StoreError> {
        let body = body.to_vec();
        self.write("keep_body", move |tx| {
            let kept = tx.conn.exec(
                "UPDATE deliveries SET body = coalesce(body, ?2), secret = ?3 WHERE lease_token = ?1",
                params![token.0.as_bytes(), body, secret.as_ref().map(|secret| secret.0.as_bytes())],
            )?;
            Ok(kept > 0)
        })
        .await
    }

    async fn tell_again(&self, org: OrgId, about: About, event: EventId) -> Result<ToldAgain, StoreError> {
        self.write("tell_again", move |tx| tell_again(tx, org, about, event)).await
    }

    async fn settle_delivery(
        &self,
        token: LeaseToken,
        report: &Report,
        disposition: Disposition,
    ) -> Result<bool, StoreError> {
        let report = report.clone();
        self.write("settle_delivery", move |tx| settle(tx, token, &report, disposition)).await
    }

    async fn hand_back_deliveries(&self, tokens: &[LeaseToken]) -> Result<(), StoreError> {
        let tokens = tokens.to_vec();
        self.write("hand_back_deliveries", move |tx| {
            for token in &tokens {
                tx.conn.exec(
                    "UPDATE deliveries SET due_at = ?2, lease_token = NULL WHERE lease_token = ?1",
                    params![token.0.as_bytes(), tx.now.0],
                )?;
            }
            Ok(())
        })
        .await
    }

    async fn next_delivery_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        self.read(move |conn| {
            let next = "SELECT due_at FROM deliveries WHERE state = 'pending' AND due_at > ?1 ORDER BY due_at LIMIT 1";
            conn.one(next, [now.0], |row| time(row, 0))
        })
        .await
    }

    async fn deliveries(
        &self,
        org: OrgId,
        filter: &DeliveryFilter,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Slice<Delivery>, StoreError> {
        let filter = *filter;
        self.read(move |conn| list(conn, org, &filter, limit, after)).await
    }

    async fn delivery(
        &self,
        among: &[OrgId],
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        let among = among.to_vec();
        self.read(move |conn| {
            let sql = format!("SELECT {DELIVERY_COLUMNS} FROM deliveries d WHERE d.id = ?1");
            let found = conn.one(&sql, [id.0.as_bytes()], delivery)?;
            let Some(found) = found.filter(|found| among.contains(&found.event.org)) else {
                return Ok(None);
            };
            let attempts = conn.all(
                "SELECT number, at, took, status, error, answer FROM delivery_attempts WHERE delivery = ?1 ORDER BY number",
                [id.0.as_bytes()],
                attempt,
            )?;
            Ok(Some((found, attempts)))
        })
        .await
    }

    async fn redeliver(&self, among: &[OrgId], id: DeliveryId) -> Result<Redelivery, StoreError> {
        let among = among.to_vec();
        self.write("redeliver", move |tx| redeliver(tx, &among, id)).await
    }

    async fn webhook_secrets(&self, org: OrgId, fresh: WebhookSecret) -> Result<WebhookSecrets, StoreError> {
        let now = self.now();
        if let Some(found) = self.read(move |conn| secrets(conn, org, now)).await? {
            return Ok(found);
        }
        self.write("webhook_secrets", move |tx| {
            tx.conn.exec(
                "INSERT INTO webhook_secrets (org, current, made_at) VALUES (?1, ?2, ?3) ON CONFLICT (org) DO NOTHING",
                params![org.0.as_bytes(), fresh.0, tx.now.0],
            )?;
            secrets(tx.conn, org, tx.now)?.ok_or_else(|| gone(org))
        })
        .await
    }

    async fn rotate_webhook_secret(
        &self,
        org: OrgId,
        fresh: WebhookSecret,
        keep: Millis,
        by: &UserId,
    ) -> Result<WebhookSecrets, StoreError> {
        let by = by.clone();
        self.write("rotate_webhook_secret", move |tx| {
            audit::record(
                tx,
                org,
                Some(&by),
                "webhook_secret.rotated",
                &org.to_string(),
                &serde_json::json!({}),
            )?;
            tx.conn.exec(
                "INSERT INTO webhook_secrets (org, current, made_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (org) DO UPDATE SET previous = webhook_secrets.current, previous_until = ?4,
                                                 current = excluded.current, made_at = excluded.made_at",
                params![org.0.as_bytes(), fresh.0, tx.now.0, (tx.now + keep).0],
            )?;
            secrets(tx.conn, org, tx.now)?.ok_or_else(|| gone(org))
        })
        .await
    }
}
