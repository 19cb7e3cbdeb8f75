//! Batches. Their counts are kept by triggers on the runs.

use async_trait::async_trait;
use domain::batch::{Batch, BatchRef, Counts, handle};
use domain::event::What;
use domain::id::{EventId, OrgId, RunId, UserId, WorkflowId};
use domain::page::{Page, Window};
use domain::run::{Run, Status};
use domain::time::Timestamp;
use rusqlite::{Connection, Row, params};
use store::{Batches, NewBatch, StoreError};
use uuid::Uuid;

use crate::database::Sqlite;
use crate::deliveries::record_event;
use crate::rows::{json, limits, maybe_json, number, time, to_json, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// The statuses' columns are the last ones, in the order of [`Status::ALL`].
pub(crate) const BATCH_COLUMNS: &str = "org, id, name, created_at, author, workflow, workflow_name, runs, charged, \
     handle, size, request, webhooks, started_at, ended_at, queued, running, in_review, succeeded, failed, unpaid, cancelled";
const FIRST_STATUS: usize = 15;

pub(crate) fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
    let mut counts = Vec::with_capacity(Status::ALL.len());
    for place in 0..Status::ALL.len() {
        counts.push(number(row, FIRST_STATUS + place)?);
    }
    let mut counts = counts.into_iter();
    Ok(Batch {
        org: OrgId(uuid(row, 0)?),
        id: row.get(1)?,
        name: row.get(2)?,
        created_at: time(row, 3)?,
        author: UserId(row.get(4)?),
        workflow: WorkflowId(uuid(row, 5)?),
        workflow_name: row.get(6)?,
        runs: number(row, 7)?,
        charged: number(row, 8)?,
        handle: uuid(row, 9)?,
        size: row.get::<_, Option<u32>>(10)?.map(u64::from),
        request: maybe_json(row, 11)?,
        webhooks: json(row, 12)?,
        started_at: row.get::<_, Option<i64>>(13)?.map(Timestamp),
        ended_at: row.get::<_, Option<i64>>(14)?.map(Timestamp),
        counts: Counts::of(|_| counts.next().unwrap_or(0)),
    })
}

/// The batch of that handle.
pub(crate) fn batch_by(conn: &Connection, org: OrgId, handle: Uuid) -> Result<Option<Batch>, StoreError> {
    conn.one(
        &format!("SELECT {BATCH_COLUMNS} FROM batches WHERE org = ?1 AND handle = ?2"),
        params![org.0.as_bytes(), handle.as_bytes()],
        batch,
    )
}

/// Begins a run's batch, or names it if nobody has yet. To be called before the run is filed.
pub(crate) fn begin(tx: &Tx<'_>, run: &Run, batch: &BatchRef) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO batches (org, id, name, created_at, author, workflow, workflow_name, handle)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
             ON CONFLICT (org, id) DO UPDATE SET name = excluded.name WHERE name = '' AND excluded.name <> ''",
            params![
                run.org.0.as_bytes(),
                batch.id,
                batch.name,
                batch.created_at.unwrap_or(tx.now).0,
                run.user.0,
                run.workflow.0.as_bytes(),
                run.workflow_name,
                handle(run.org, &batch.id).as_bytes()
            ],
        )
        .map(drop)
}

/// Files a batch that is asked for as a whole; `first` is the earliest of its `runs`.
pub(crate) fn open(
    tx: &Tx<'_>,
    new: &NewBatch,
    first: &Run,
    runs: usize,
    at: Timestamp,
) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO batches (org, id, name, created_at, author, workflow, workflow_name, handle, size, request, webhooks,
                                  end_event)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
            params![
                first.org.0.as_bytes(),
                new.handle.to_string(),
                new.name,
                at.0,
                first.user.0,
                first.workflow.0.as_bytes(),
                first.workflow_name,
                new.handle.as_bytes(),
                runs as i64,
                to_json(&new.request)?,
                to_json(&new.webhooks)?,
                new.event.0.as_bytes(),
            ],
        )
        .map(drop)
}

/// Tells of a batch's end, if this was the last of its runs and it has an event for that. To be called once the run's row
/// says what has become of it.
pub(crate) fn tell_of_end(tx: &Tx<'_>, org: OrgId, run: RunId) -> Result<(), StoreError> {
    let columns = BATCH_COLUMNS.replace(", ", ", b.");
    let found = tx.conn.one(
        &format!(
            "SELECT b.{columns}, b.end_event FROM runs r JOIN batches b ON b.org = r.org AND b.id = r.batch
             WHERE r.id = ?1 AND b.end_event IS NOT NULL AND b.queued + b.running + b.in_review = 0"
        ),
        [run.0.as_bytes()],
        |row| Ok((batch(row)?, EventId(uuid(row, FIRST_STATUS + Status::ALL.len())?))),
    )?;
    let Some((batch, event)) = found else { return Ok(()) };
    let Some(end) = batch.end() else { return Ok(()) };
    let face = batch.request.as_ref().map(|request| request.face.clone());
    let what = What::Batch { batch: batch.handle, end };
    record_event(tx, event, org, what, face.as_ref(), &batch.webhooks)?;
    tx.conn
        .exec(
            "UPDATE batches SET end_event = NULL WHERE org = ?1 AND handle = ?2",
            params![org.0.as_bytes(), batch.handle.as_bytes()],
        )
        .map(drop)
}

#[async_trait]
impl Batches for Sqlite {
    async fn batches(&self, org: OrgId, id: Option<&str>, window: Window) -> Result<Page<Batch>, StoreError> {
        if let Some(id) = id {
            let found = self.batch(org, id).await?;
            let total = u64::from(found.is_some());
            let shown = found.filter(|_| window.offset == 0 && window.limit > 0);
            return Ok(Page { entries: shown.into_iter().collect(), total });
        }
        self.read(move |conn| {
            let org = org.0.as_bytes();
            let total = conn.count("SELECT count(*) FROM batches WHERE org = ?1", [org])?;
            let (limit, offset) = limits(window);
            let entries = conn.all(
                &format!(
                    "SELECT {BATCH_COLUMNS} FROM batches WHERE org = ?1
                     ORDER BY created_at DESC, seq DESC LIMIT ?2 OFFSET ?3"
                ),
                params![org, limit, offset],
                batch,
            )?;
            Ok(Page { entries, total })
        })
        .await
    }

    async fn batches_before(
        &self,
        org: OrgId,
        before: Option<&str>,
        limit: u32,
    ) -> Result<Vec<Batch>, StoreError> {
        let before = before.map(str::to_owned);
        self.read(move |conn| {
            let place = match &before {
                None => Some((i64::MAX, i64::MAX)),
                Some(id) => conn.one(
                    "SELECT created_at, seq FROM batches WHERE org = ?1 AND id = ?2",
                    params![org.0.as_bytes(), id],
                    |row| Ok((row.get(0)?, row.get(1)?)),
                )?,
            };
            let Some((at, seq)) = place else { return Ok(Vec::new()) };
            conn.all(
                &format!(
                    "SELECT {BATCH_COLUMNS} FROM batches WHERE org = ?1 AND (created_at, seq) < (?2, ?3)
                     ORDER BY created_at DESC, seq DESC LIMIT ?4"
                ),
                params![org.0.as_bytes(), at, seq, limit],
                batch,
            )
        })
        .await
    }

    async fn batch_of(&self, org: OrgId, handle: Uuid) -> Result<Option<Batch>, StoreError> {
        self.read(move |conn| batch_by(conn, org, handle)).await
    }

    async fn batch(&self, org: OrgId, id: &str) -> Result<Option<Batch>, StoreError> {
        let id = id.to_owned();
        self.read(move |conn| {
            conn.one(
                &format!("SELECT {BATCH_COLUMNS} FROM batches WHERE org = ?1 AND id = ?2"),
                params![org.0.as_bytes(), id],
                batch,
            )
        })
        .await
    }
}
