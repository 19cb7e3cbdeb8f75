//! Attempts to deliver, and what becomes of a delivery by them.

use domain::delivery::{Attempt, Disposition, Report};
use domain::id::{LeaseToken, OrgId, SubscriptionId};
use domain::time::Millis;
use rusqlite::{Row, params};
use store::StoreError;

use crate::rows::{time, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

pub(crate) fn attempt(row: &Row<'_>) -> rusqlite::Result<Attempt> {
    let report =
        Report { took: Millis(row.get(2)?), status: row.get(3)?, error: row.get(4)?, answer: row.get(5)? };
    Ok(Attempt { number: row.get(0)?, at: time(row, 1)?, report })
}

pub(super) fn settle(
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
