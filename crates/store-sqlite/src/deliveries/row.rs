//! A delivery as its row has it.

use domain::batch::BatchEnd;
use domain::delivery::{Delivery, DeliveryState, DeliveryStatus};
use domain::event::{Event, Kind, What};
use domain::id::{DeliveryId, EvaluationId, EventId, OrgId, RunId, SecretId, SubscriptionId};
use domain::request::Face;
use domain::run::Status;
use rusqlite::Row;

use crate::rows::{maybe_uuid, named, time, unreadable, uuid};

/// The columns [`delivery`] reads, in its order, of a table called `d`.
pub(crate) const DELIVERY_COLUMNS: &str = "d.id, d.event, d.org, d.kind, d.run, d.batch, d.evaluation, d.status, d.at, \
     d.address, d.attempts, d.state, d.due_at, d.ended_at, d.face, d.subscription, d.automatic, d.body, d.secret";
pub(super) const DELIVERY_WIDTH: usize = 19;

pub(crate) fn delivery(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    delivery_from(row, 0)
}

/// A delivery out of a row that has its columns from `first` on.
pub(super) fn delivery_from(row: &Row<'_>, first: usize) -> rusqlite::Result<Delivery> {
    let at = |column: usize| first + column;
    let state = match named(row, at(11), DeliveryStatus::parse)? {
        DeliveryStatus::Pending => DeliveryState::Pending { due_at: time(row, at(12))? },
        DeliveryStatus::Delivered => DeliveryState::Delivered { at: time(row, at(13))? },
        DeliveryStatus::Failed => DeliveryState::Failed { at: time(row, at(13))? },
    };
    let kind = named(row, at(3), Kind::parse)?;
    let what = if let Some(run) = maybe_uuid(row, at(4))? {
        What::Run { run: RunId(run), status: named(row, at(7), Status::parse)? }
    } else if let Some(batch) = maybe_uuid(row, at(5))? {
        let end = kind.as_str().strip_prefix("batch_").and_then(BatchEnd::parse);
        What::Batch { batch, end: end.ok_or_else(|| unreadable(at(3), "no end of a batch"))? }
    } else {
        let completed = kind == Kind::EvaluationCompleted;
        What::Evaluation { evaluation: EvaluationId(uuid(row, at(6))?), completed }
    };
    Ok(Delivery {
        id: DeliveryId(uuid(row, at(0))?),
        event: Event {
            id: EventId(uuid(row, at(1))?),
            org: OrgId(uuid(row, at(2))?),
            what,
            at: time(row, at(8))?,
        },
        address: row.get(at(9))?,
        attempts: row.get(at(10))?,
        state,
        face: Face(row.get(at(14))?),
        subscription: maybe_uuid(row, at(15))?.map(SubscriptionId),
        is_automatic: row.get(at(16))?,
        body: row.get(at(17))?,
        secret: maybe_uuid(row, at(18))?.map(SecretId),
    })
}
