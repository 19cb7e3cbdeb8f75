//! Lists of runs.

use domain::filter::{Leaf, Listing};
use domain::id::OrgId;
use domain::run::{Run, Status};
use rusqlite::Connection;
use rusqlite::types::Value;
use store::{REFERENCE, RunField, StoreError};

use super::{Noun, WHOLE, Way, always, among, blob, fragment, maybe, required};
use crate::filter::{Column, Kept};
use crate::rows::{self, RUN_COLUMNS};

fn column(field: &RunField) -> Column {
    match field {
        RunField::Id => always("r.id", Kept::Id),
        RunField::Status => always("r.status", Kept::Text),
        RunField::CreatedAt => always("r.created_at", Kept::Time),
        RunField::StartedAt => maybe("r.started_at", Kept::Time),
        RunField::FinishedAt => maybe("r.finished_at", Kept::Time),
        RunField::Duration => maybe("(r.finished_at - r.started_at)", WHOLE),
        RunField::Reference => {
            const { assert!(matches!(REFERENCE.as_bytes(), b"client_ref")) }
            maybe("(SELECT x.value FROM labels x WHERE x.run = r.id AND x.key = 'client_ref')", Kept::Text)
        }
        RunField::Batch => {
            maybe("(SELECT b.handle FROM batches b WHERE b.org = r.org AND b.id = r.batch)", Kept::Id)
        }
        RunField::Place => maybe("r.place", WHOLE),
        RunField::Workflow => always("r.workflow", Kept::Id),
        RunField::Target => maybe("(r.request ->> '$.target')", Kept::Text),
        RunField::Charged => always("r.charged", WHOLE),
        RunField::InputName => always("r.input_name", Kept::Text),
        RunField::User => always("r.user", Kept::Text),
        RunField::FailureCode => maybe("(r.failure ->> '$.code')", Kept::Text),
        RunField::Liked => maybe("(r.feedback ->> '$.thumbs_up')", Kept::Bool),
    }
}

/// The same on the way through the labels, which know when their runs were made.
fn labelled(field: &RunField) -> Column {
    match field {
        RunField::Id => always("l.run", Kept::Id),
        RunField::CreatedAt => always("l.created_at", Kept::Time),
        _ => column(field),
    }
}

pub(super) fn noun() -> Noun<RunField> {
    let columns = format!("r.{}", RUN_COLUMNS.replace(", ", ", r."));
    Noun { columns, table: "runs r", id: "r.id", column }
}

/// What tells few runs from many comes first.
pub(super) fn ways(noun: &Noun<RunField>, org: OrgId, listing: &Listing<RunField>) -> Vec<Way<RunField>> {
    let org = blob(org.0);
    if listing.filter.as_ref().is_some_and(|filter| among(filter, &RunField::Id).is_some()) {
        return vec![noun.way("runs r WHERE +r.org = ?", [org])];
    }
    if let Some(references) = listing.filter.as_ref().and_then(|filter| among(filter, &RunField::Reference)) {
        return by_reference(noun, org, references);
    }
    if let Some(handles) = required(listing, &RunField::Batch) {
        let from = "runs r INDEXED BY runs_of_batch
                    WHERE r.org = ? AND r.batch = (SELECT b.id FROM batches b WHERE b.org = ? AND b.handle = ?)";
        return noun.ways(handles, from, [org.clone(), org]);
    }
    let by =
        |index: &str, column: &str| format!("runs r INDEXED BY {index} WHERE r.org = ? AND r.{column} = ?");
    if let Some(names) = required(listing, &RunField::InputName) {
        return noun.ways(names, &by("runs_of_input", "input_name"), [org]);
    }
    // Most runs have succeeded; the other statuses tell few from many.
    let most = Value::Text(Status::Succeeded.as_str().to_owned());
    let statuses = required(listing, &RunField::Status);
    let workflows = required(listing, &RunField::Workflow);
    match (statuses, workflows) {
        (Some(statuses), None) => noun.ways(statuses, &by("runs_in_status", "status"), [org]),
        (Some(statuses), Some(_)) if !statuses.contains(&most) => {
            noun.ways(statuses, &by("runs_in_status", "status"), [org])
        }
        (_, Some(workflows)) => noun.ways(workflows, &by("runs_of_workflow", "workflow"), [org]),
        (None, None) => vec![noun.way("runs r INDEXED BY runs_of_org WHERE r.org = ?", [org])],
    }
}

/// Runs that have one of these references. Of many references all runs are put in order, of a few only a page's.
fn by_reference(noun: &Noun<RunField>, org: Value, references: Vec<Value>) -> Vec<Way<RunField>> {
    let key = Value::Text(REFERENCE.to_owned());
    let from = "labels l CROSS JOIN runs r ON r.id = l.run WHERE l.org = ? AND l.key = ? AND l.value";
    let way = |from: String, references: Vec<Value>| {
        let params = [org.clone(), key.clone()].into_iter().chain(references);
        Way { from: fragment(&from, params), id: "l.run", column: labelled }
    };
    if references.len() > super::WAYS || references.is_empty() {
        let marks = vec!["?"; references.len()].join(", ");
        return vec![Way { id: noun.id, column, ..way(format!("{from} IN ({marks})"), references) }];
    }
    references.into_iter().map(|reference| way(format!("{from} = ?"), vec![reference])).collect()
}

pub(super) fn list(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<RunField>,
) -> Result<Leaf<Run>, StoreError> {
    let noun = noun();
    noun.page(conn, &ways(&noun, org, listing), listing, rows::run)
}
