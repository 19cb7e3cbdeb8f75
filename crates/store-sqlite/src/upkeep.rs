//! Forgetting what nobody needs any more.

use async_trait::async_trait;
use domain::time::Timestamp;
use rusqlite::params;
use store::{Keeping, StoreError, Swept, Upkeep};

use crate::database::Sqlite;
use crate::sql::Sql;
use crate::writer::Tx;

/// Rows of one kind forgotten in one call, at most.
const AT_ONCE: i64 = 1000;

/// Deliveries with their attempts. What is told of a run may be missing from now on, up to that time.
fn deliveries(tx: &Tx<'_>, before: Timestamp) -> Result<u64, StoreError> {
    let old = "SELECT id FROM deliveries WHERE ended_at IS NOT NULL AND ended_at < ?1 ORDER BY ended_at, id LIMIT ?2";
    let which = params![before.0, AT_ONCE];
    tx.conn.exec(&format!("DELETE FROM delivery_attempts WHERE delivery IN ({old})"), which)?;
    let many = tx.conn.exec(&format!("DELETE FROM deliveries WHERE id IN ({old})"), which)?;
    if many > 0 {
        tx.conn.exec(
            "INSERT INTO forgotten (what, before) VALUES ('deliveries', ?1)
             ON CONFLICT (what) DO UPDATE SET before = max(before, excluded.before)",
            [before.0],
        )?;
    }
    Ok(many as u64)
}

#[async_trait]
impl Upkeep for Sqlite {
    async fn sweep(&self, keeping: Keeping) -> Result<Swept, StoreError> {
        self.write("sweep", move |tx| {
            let before = Timestamp(tx.now.0 - keeping.access.0);
            let delete = |sql: &str| Ok(tx.conn.exec(sql, params![before.0, AT_ONCE])? as u64);
            Ok(Swept {
                deliveries: deliveries(tx, Timestamp(tx.now.0 - keeping.deliveries.0))?,
                connections: delete(
                    "DELETE FROM connections WHERE id IN (
                         SELECT id FROM connections WHERE revoked_at IS NOT NULL AND revoked_at < ?1 LIMIT ?2)",
                )?,
                invitations: delete(
                    "DELETE FROM invitations WHERE seq IN (
                         SELECT seq FROM invitations WHERE coalesce(decided_at, expires_at) < ?1 LIMIT ?2)",
                )?,
                sessions: delete(
                    "DELETE FROM sessions WHERE secret IN (
                         SELECT secret FROM sessions WHERE expires_at < ?1 LIMIT ?2)",
                )?,
            })
        })
        .await
    }
}
