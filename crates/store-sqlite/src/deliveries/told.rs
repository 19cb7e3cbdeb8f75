//! What a delivery tells.

use domain::event::{Told, What};
use domain::id::{LeaseToken, OrgId, SecretId};
use rusqlite::{Connection, params};
use store::StoreError;

use crate::batches::batch_by;
use crate::evaluations;
use crate::rows::{self, RUN_COLUMNS};
use crate::sql::Sql;
use crate::writer::Tx;

/// The columns of a run as it was at the event: what changes over a run's life comes from the delivery.
pub(super) fn run_then() -> String {
    let kept = ["status", "started_at", "finished_at", "charged", "result", "failure"];
    let columns = RUN_COLUMNS.split(',').map(str::trim);
    let columns =
        columns.map(|name| if kept.contains(&name) { format!("d.{name}") } else { format!("r.{name}") });
    columns.collect::<Vec<_>>().join(", ")
}

/// What is told of an event, as it is now.
pub(super) fn told(conn: &Connection, org: OrgId, what: What) -> Result<Option<Told>, StoreError> {
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

pub(super) fn keep_body(
    tx: &Tx<'_>,
    token: LeaseToken,
    body: &[u8],
    secret: Option<SecretId>,
) -> Result<bool, StoreError> {
    let kept = tx.conn.exec(
        "UPDATE deliveries SET body = coalesce(body, ?2), secret = ?3 WHERE lease_token = ?1",
        params![token.0.as_bytes(), body, secret.as_ref().map(|secret| secret.0.as_bytes())],
    )?;
    Ok(kept > 0)
}
