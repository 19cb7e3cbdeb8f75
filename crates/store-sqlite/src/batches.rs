//! Batches. Their counts are kept by triggers on the runs.

use async_trait::async_trait;
use domain::batch::{Batch, BatchRef, Counts};
use domain::id::{OrgId, UserId, WorkflowId};
use domain::page::{Page, Window};
use domain::run::{Run, Status};
use rusqlite::{Row, params};
use store::{Batches, StoreError};

use crate::database::Sqlite;
use crate::rows::{limits, number, time, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// The statuses' columns are the last ones, in the order of [`Status::ALL`].
const BATCH_COLUMNS: &str = "org, id, name, created_at, author, workflow, workflow_name, runs, charged, \
     queued, running, in_review, succeeded, failed, unpaid, cancelled";
const FIRST_STATUS: usize = 9;

fn batch(row: &Row<'_>) -> rusqlite::Result<Batch> {
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
        counts: Counts::of(|_| counts.next().unwrap_or(0)),
    })
}

/// Begins a run's batch, or names it if nobody has yet. To be called before the run is filed.
pub(crate) fn begin(tx: &Tx<'_>, run: &Run, batch: &BatchRef) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO batches (org, id, name, created_at, author, workflow, workflow_name)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (org, id) DO UPDATE SET name = excluded.name WHERE name = '' AND excluded.name <> ''",
            params![
                run.org.0.as_bytes(),
                batch.id,
                batch.name,
                batch.created_at.unwrap_or(tx.now).0,
                run.user.0,
                run.workflow.0.as_bytes(),
                run.workflow_name
            ],
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
