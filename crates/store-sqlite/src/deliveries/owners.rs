//! Deliveries as their owners see them.

use domain::delivery::{Attempt, Delivery, DeliveryFilter};
use domain::id::{DeliveryId, OrgId};
use domain::page::{Cursor, Slice};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use store::StoreError;

use super::attempts::attempt;
use super::row::{DELIVERY_COLUMNS, delivery};
use crate::sql::Sql;

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

pub(super) fn list(
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

pub(super) fn one(
    conn: &Connection,
    among: &[OrgId],
    id: DeliveryId,
) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
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
}
