//! Lists of the steps of runs that succeeded or failed. They are read out of the runs' results and failures.

use domain::filter::{Leaf, Listing};
use domain::id::{OrgId, RunId};
use rusqlite::{Connection, Row};
use store::{ListedStep, StepField, StoreError};

use super::deliveries::whole_of;
use super::{Noun, WHOLE, Way, always, blob, the_one};
use crate::filter::{Column, Kept};
use crate::rows::{json, time, uuid};

fn column(field: &StepField) -> Column {
    match field {
        StepField::Id => always("part_of(r.id, s.key)", Kept::Id),
        StepField::Run => always("r.id", Kept::Id),
        StepField::CreatedAt => always("r.finished_at", Kept::Time),
        StepField::Place => always("s.key", WHOLE),
        StepField::Component => always("(s.value ->> '$.component')", Kept::Text),
        // Rounded as `Listed` rounds.
        StepField::Duration => always("CAST((s.value ->> '$.millis') + 0.5 AS INTEGER)", WHOLE),
        StepField::Cached => always("(s.value ->> '$.cached')", Kept::Bool),
    }
}

/// Runs with their steps: a run has a result or a failure, or neither.
const STEPS: &str = "runs r CROSS JOIN json_each(coalesce(r.result, r.failure), '$.made_by') s";

/// Runs whose steps are known: the condition of the index that has them.
const DONE: &str = "status IN ('succeeded', 'failed')";

const COLUMNS: &str = "r.id, r.started_at, r.finished_at, s.key, s.value";

fn step(row: &Row<'_>) -> rusqlite::Result<ListedStep> {
    Ok(ListedStep {
        run: RunId(uuid(row, 0)?),
        place: row.get(3)?,
        started_at: time(row, 1)?,
        finished_at: time(row, 2)?,
        report: json(row, 4)?,
    })
}

pub(super) fn noun() -> Noun<StepField> {
    Noun { columns: COLUMNS.to_owned(), table: STEPS, id: "part_of(r.id, s.key)", column }
}

pub(super) fn way(
    noun: &Noun<StepField>,
    org: OrgId,
    run: Option<RunId>,
    listing: &Listing<StepField>,
) -> Way<StepField> {
    let org = blob(org.0);
    let table = noun.table;
    if let Some(run) = run.map(|run| blob(run.0)).or_else(|| the_one(listing, &StepField::Run)) {
        let from = format!("{table} WHERE r.id = ? AND +r.org = ? AND +r.{DONE}");
        return noun.way(&from, [run, org]);
    }
    if let Some((least, most)) = whole_of(the_one(listing, &StepField::Id)) {
        let from = format!("{table} WHERE r.id BETWEEN ? AND ? AND +r.org = ? AND +r.{DONE}");
        return noun.way(&from, [least, most, org]);
    }
    let from = STEPS.replacen("runs r", "runs r INDEXED BY runs_done", 1);
    noun.way(&format!("{from} WHERE r.org = ? AND r.{DONE}"), [org])
}

pub(super) fn list(
    conn: &Connection,
    org: OrgId,
    run: Option<RunId>,
    listing: &Listing<StepField>,
) -> Result<Leaf<ListedStep>, StoreError> {
    let noun = noun();
    noun.page(conn, &[way(&noun, org, run, listing)], listing, step)
}
