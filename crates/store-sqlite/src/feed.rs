//! The feed.

use async_trait::async_trait;
use domain::event::FeedItem;
use domain::id::{OrgId, RunId};
use domain::run::Status;
use rusqlite::params;
use store::{FEED_KEPT, Feed, FeedPart, StoreError};

use crate::database::Sqlite;
use crate::rows::{named, number, time, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// How often old entries are forgotten, in entries: rarely enough to cost nothing, often enough that it takes no time.
const FORGET_EVERY: i64 = 1024;

/// Enters a status that a run took.
pub(crate) fn enter(tx: &Tx<'_>, org: OrgId, run: RunId, status: Status) -> Result<(), StoreError> {
    tx.conn.exec(
        "INSERT INTO feed (org, run, status, at) VALUES (?1, ?2, ?3, ?4)",
        params![org.0.as_bytes(), run.0.as_bytes(), status.as_str(), tx.now.0],
    )?;
    let place = tx.conn.last_insert_rowid();
    if place % FORGET_EVERY == 0 {
        tx.conn.exec("DELETE FROM feed WHERE place <= ?1", [place - FEED_KEPT as i64])?;
    }
    Ok(())
}

#[async_trait]
impl Feed for Sqlite {
    async fn feed(&self, org: OrgId, after: u64, limit: u32) -> Result<FeedPart, StoreError> {
        self.read(move |conn| {
            let after = i64::try_from(after).unwrap_or(i64::MAX);
            let items = conn.all(
                "SELECT place, run, status, at FROM feed WHERE org = ?1 AND place > ?2 ORDER BY place LIMIT ?3",
                params![org.0.as_bytes(), after, limit],
                |row| {
                    Ok(FeedItem {
                        place: number(row, 0)?,
                        run: RunId(uuid(row, 1)?),
                        status: named(row, 2, Status::parse)?,
                        at: time(row, 3)?,
                    })
                },
            )?;
            let first = conn.one("SELECT min(place) FROM feed", [], |row| row.get::<_, Option<i64>>(0))?;
            let has_gap = first.flatten().is_some_and(|first| after.saturating_add(1) < first);
            Ok(FeedPart { items, has_gap })
        })
        .await
    }

    async fn feed_end(&self) -> Result<u64, StoreError> {
        // The table may be empty although there were entries: places are never given twice.
        self.read(|conn| {
            conn.count("SELECT coalesce(max(seq), 0) FROM sqlite_sequence WHERE name = 'feed'", [])
        })
        .await
    }
}
