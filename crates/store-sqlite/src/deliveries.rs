//! Deliveries: recorded with the state they tell of, taken on a lease, settled attempt by attempt.

use async_trait::async_trait;
use domain::delivery::{
    Attempt, Delivery, DeliveryFilter, DeliveryState, DeliveryStatus, Disposition, Report, receiver,
};
use domain::event::Event;
use domain::id::{DeliveryId, EventId, LeaseToken, OrgId, RunId, UserId};
use domain::page::{Cursor, Slice};
use domain::run::Status;
use domain::time::{Millis, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params, params_from_iter};
use store::{Deliveries, Redelivery, StoreError, Taken, Taking, WebhookSecret, WebhookSecrets};
use tracing::error;
use uuid::{Builder, Uuid};

use crate::audit::record;
use crate::database::Sqlite;
use crate::error::store_error;
use crate::rows::{self, RUN_COLUMNS, named, time, unreadable, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// Records an event, once for each different address, if this status is worth telling. To be called once the run's row
/// says what is to be told.
pub(crate) fn record_event(
    tx: &Tx<'_>,
    event: EventId,
    org: OrgId,
    run: RunId,
    addresses: &[String],
    status: Status,
) -> Result<(), StoreError> {
    if !Event::tells(status) {
        return Ok(());
    }
    for (index, address) in addresses.iter().enumerate() {
        if addresses[..index].contains(address) {
            continue;
        }
        tx.conn.exec(
            "INSERT INTO deliveries (id, event, org, run, address, receiver, at, status, started_at, finished_at, charged,
                                     result, failure, state, due_at)
             SELECT ?1, ?2, ?3, id, ?5, ?6, ?7, ?8, started_at, finished_at, charged, result, failure, 'pending', ?7
             FROM runs WHERE id = ?4",
            params![
                fresh_id(tx)?.as_bytes(),
                event.0.as_bytes(),
                org.0.as_bytes(),
                run.0.as_bytes(),
                address,
                receiver(address),
                tx.now.0,
                status.as_str(),
            ],
        )?;
    }
    Ok(())
}

/// A UUID of version 7 at the store's time.
fn fresh_id(tx: &Tx<'_>) -> Result<Uuid, StoreError> {
    let random: Option<[u8; 10]> = tx.conn.one("SELECT randomblob(10)", [], |row| row.get(0))?;
    let random =
        random.ok_or_else(|| StoreError::Unavailable("the database made no random bytes".to_owned()))?;
    Ok(Builder::from_unix_timestamp_millis(tx.now.0.max(0).unsigned_abs(), &random).into_uuid())
}

/// The columns [`delivery`] reads, in its order, of a table called `d`.
const DELIVERY_COLUMNS: &str =
    "d.id, d.event, d.org, d.run, d.status, d.at, d.address, d.attempts, d.state, d.due_at, d.ended_at";
const DELIVERY_WIDTH: usize = 11;

fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let state = match named(row, 8, DeliveryStatus::parse)? {
        DeliveryStatus::Pending => DeliveryState::Pending { due_at: time(row, 9)? },
        DeliveryStatus::Delivered => DeliveryState::Delivered { at: time(row, 10)? },
        DeliveryStatus::Failed => DeliveryState::Failed { at: time(row, 10)? },
    };
    Ok(Delivery {
        id: DeliveryId(uuid(row, 0)?),
        event: Event {
            id: EventId(uuid(row, 1)?),
            org: OrgId(uuid(row, 2)?),
            run: RunId(uuid(row, 3)?),
            status: named(row, 4, Status::parse)?,
            at: time(row, 5)?,
        },
        address: row.get(6)?,
        attempts: row.get(7)?,
        state,
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
    let sql = format!(
        "SELECT {}, {DELIVERY_COLUMNS}, d.receiver, d.failed FROM deliveries d JOIN runs r ON r.id = d.run WHERE d.id = ?1",
        run_then()
    );
    // The delivery's columns follow the run's.
    let found = tx.conn.one(&sql, [id.0.as_bytes()], |row| {
        let at = |column: usize| rows::RUN_WIDTH + column;
        Ok(Taken {
            run: rows::run(row)?,
            delivery: Delivery {
                id,
                event: Event {
                    id: EventId(uuid(row, at(1))?),
                    org: OrgId(uuid(row, at(2))?),
                    run: RunId(uuid(row, at(3))?),
                    status: named(row, at(4), Status::parse)?,
                    at: time(row, at(5))?,
                },
                address: row.get(at(6))?,
                attempts: row.get(at(7))?,
                state: DeliveryState::Pending { due_at: time(row, at(9))? },
            },
            receiver: row.get(at(DELIVERY_WIDTH))?,
            failed: row.get(at(DELIVERY_WIDTH + 1))?,
            token,
        })
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

fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
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
            record(tx, org, Some(&by), "webhook_secret.rotated", &org.to_string(), &serde_json::json!({}))?;
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
