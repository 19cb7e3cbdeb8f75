//! Lines of runs' logs.

use domain::id::{OrgId, RunId};
use domain::log::Level;
use domain::run::Outcome;
use rusqlite::params;
use serde_json::{Value, json};
use store::StoreError;

use crate::ids::fresh_id;
use crate::sql::Sql;
use crate::writer::Tx;

/// Writes a line.
pub(crate) fn log(
    tx: &Tx<'_>,
    org: OrgId,
    run: RunId,
    level: Level,
    message: &str,
    meta: &Value,
) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO run_logs (id, org, run, at, level, message, meta) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                fresh_id(tx)?.as_bytes(),
                org.0.as_bytes(),
                run.0.as_bytes(),
                tx.now.0,
                level.as_str(),
                message,
                meta.to_string()
            ],
        )
        .map(drop)
}

/// Writes how a run's result was made: a line for it, and one for each thing that somebody should know of it.
pub(crate) fn log_outcome(tx: &Tx<'_>, org: OrgId, run: RunId, outcome: &Outcome) -> Result<(), StoreError> {
    for step in &outcome.made_by {
        for note in &step.notes {
            log(
                tx,
                org,
                run,
                Level::Warning,
                note,
                &json!({ "step": step.label, "component": step.component }),
            )?;
        }
    }
    let millis: f64 = outcome.made_by.iter().map(|step| step.millis).sum();
    let meta = json!({ "steps": outcome.made_by.len(), "millis": millis, "bytes": outcome.image.bytes });
    log(tx, org, run, Level::Info, "made its result", &meta)
}
