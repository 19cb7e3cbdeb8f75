//! Redelivery: what was told is told again.

use domain::delivery::About;
use domain::event::What;
use domain::id::{DeliveryId, EventId, OrgId};
use rusqlite::params;
use store::{Redelivery, StoreError, ToldAgain};

use super::recording::{Recording, record};
use crate::batches::batch_by;
use crate::rows::{self, RUN_COLUMNS, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

pub(super) fn redeliver(tx: &Tx<'_>, among: &[OrgId], id: DeliveryId) -> Result<Redelivery, StoreError> {
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
pub(super) fn tell_again(
    tx: &Tx<'_>,
    org: OrgId,
    about: About,
    event: EventId,
) -> Result<ToldAgain, StoreError> {
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
