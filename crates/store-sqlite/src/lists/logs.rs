//! Lists of lines of runs' logs.

use domain::filter::{Leaf, Listing};
use domain::id::{LogId, OrgId, RunId};
use domain::log::{Level, LogLine};
use rusqlite::{Connection, Row};
use store::{LogField, StoreError};

use super::{Noun, Way, always, blob, required};
use crate::filter::{Column, Kept};
use crate::rows::{json, named, time, uuid};

fn column(field: &LogField) -> Column {
    match field {
        LogField::Id => always("l.id", Kept::Id),
        LogField::Run => always("l.run", Kept::Id),
        LogField::Level => always("l.level", Kept::Text),
        LogField::Message => always("l.message", Kept::Text),
        LogField::At => always("l.at", Kept::Time),
    }
}

const COLUMNS: &str = "l.id, l.org, l.run, l.at, l.level, l.message, l.meta";

fn line(row: &Row<'_>) -> rusqlite::Result<LogLine> {
    Ok(LogLine {
        id: LogId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        run: RunId(uuid(row, 2)?),
        at: time(row, 3)?,
        level: named(row, 4, Level::parse)?,
        message: row.get(5)?,
        meta: json(row, 6)?,
    })
}

pub(super) fn noun() -> Noun<LogField> {
    Noun { columns: COLUMNS.to_owned(), table: "run_logs l", id: "l.id", column }
}

pub(super) fn ways(
    noun: &Noun<LogField>,
    org: OrgId,
    run: Option<RunId>,
    listing: &Listing<LogField>,
) -> Vec<Way<LogField>> {
    let org = blob(org.0);
    let runs = run.map(|run| vec![blob(run.0)]).or_else(|| required(listing, &LogField::Run));
    if let Some(runs) = runs {
        noun.ways(runs, "run_logs l INDEXED BY run_logs_of_run WHERE l.org = ? AND l.run = ?", [org])
    } else if required(listing, &LogField::Id).is_some() {
        vec![noun.way("run_logs l WHERE +l.org = ?", [org])]
    } else {
        vec![noun.way("run_logs l INDEXED BY run_logs_of_org WHERE l.org = ?", [org])]
    }
}

pub(super) fn list(
    conn: &Connection,
    org: OrgId,
    run: Option<RunId>,
    listing: &Listing<LogField>,
) -> Result<Leaf<LogLine>, StoreError> {
    let noun = noun();
    noun.page(conn, &ways(&noun, org, run, listing), listing, line)
}
