//! Taking what is due on a lease: whose turn it is, and when there is more.

use domain::delivery::{Disposition, Report};
use domain::event::{Told, What};
use domain::id::{DeliveryId, LeaseToken, OrgId};
use domain::time::{Millis, Timestamp};
use rusqlite::{Connection, params};
use store::{StoreError, Taken, Taking};
use tracing::error;

use super::attempts::settle;
use super::row::{DELIVERY_COLUMNS, DELIVERY_WIDTH, delivery_from};
use super::told::run_then;
use crate::error::store_error;
use crate::rows::{self, time, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

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
pub(super) fn take(tx: &Tx<'_>, taking: &Taking) -> Result<Vec<Taken>, StoreError> {
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

pub(super) fn hand_back(tx: &Tx<'_>, tokens: &[LeaseToken]) -> Result<(), StoreError> {
    for token in tokens {
        tx.conn.exec(
            "UPDATE deliveries SET due_at = ?2, lease_token = NULL WHERE lease_token = ?1",
            params![token.0.as_bytes(), tx.now.0],
        )?;
    }
    Ok(())
}

pub(super) fn next_due(conn: &Connection, now: Timestamp) -> Result<Option<Timestamp>, StoreError> {
    let next =
        "SELECT due_at FROM deliveries WHERE state = 'pending' AND due_at > ?1 ORDER BY due_at LIMIT 1";
    conn.one(next, [now.0], |row| time(row, 0))
}
