//! Lists of batches.

use domain::batch::Batch;
use domain::filter::{Leaf, Listing};
use domain::id::OrgId;
use rusqlite::Connection;
use store::{BatchField, StoreError};

use super::{Noun, WHOLE, Way, always, blob, maybe, required};
use crate::batches::{BATCH_COLUMNS, batch};
use crate::filter::{Column, Kept};

/// What [`domain::batch::Batch::status`] says, of the columns that hold the counts.
const STATUS: &str = "CASE WHEN b.queued = b.runs THEN 'queued'
     WHEN b.queued + b.running + b.in_review > 0 OR b.runs = 0 OR b.runs < coalesce(b.size, 0) THEN 'running'
     WHEN b.succeeded = b.runs THEN 'succeeded'
     WHEN b.succeeded > 0 THEN 'partly_succeeded'
     WHEN b.cancelled = b.runs THEN 'cancelled'
     ELSE 'failed' END";

fn column(field: &BatchField) -> Column {
    match field {
        BatchField::Id => always("b.handle", Kept::Id),
        BatchField::Name => always("b.name", Kept::Text),
        BatchField::Status => always(STATUS, Kept::Text),
        BatchField::CreatedAt => always("b.created_at", Kept::Time),
        BatchField::StartedAt => maybe("b.started_at", Kept::Time),
        BatchField::EndedAt => maybe("b.ended_at", Kept::Time),
        BatchField::Runs => always("b.runs", WHOLE),
        BatchField::Succeeded => always("b.succeeded", WHOLE),
        BatchField::Failed => always("(b.failed + b.unpaid)", WHOLE),
        BatchField::Cancelled => always("b.cancelled", WHOLE),
        BatchField::Charged => always("b.charged", WHOLE),
        BatchField::Workflow => always("b.workflow", Kept::Id),
        BatchField::User => always("b.author", Kept::Text),
    }
}

pub(super) fn noun() -> Noun<BatchField> {
    Noun { columns: BATCH_COLUMNS.to_owned(), table: "batches b", id: "b.handle", column }
}

pub(super) fn ways(
    noun: &Noun<BatchField>,
    org: OrgId,
    listing: &Listing<BatchField>,
) -> Vec<Way<BatchField>> {
    let index = match required(listing, &BatchField::Id) {
        Some(_) => "batches_by_handle",
        None => "batches_by_age",
    };
    vec![noun.way(&format!("batches b INDEXED BY {index} WHERE b.org = ?"), [blob(org.0)])]
}

pub(super) fn list(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<BatchField>,
) -> Result<Leaf<Batch>, StoreError> {
    let noun = noun();
    noun.page(conn, &ways(&noun, org, listing), listing, batch)
}
