//! What was done, by whom.

use async_trait::async_trait;
use domain::audit::AuditEntry;
use domain::id::{AuditId, OrgId, UserId};
use rusqlite::{Connection, params};
use serde_json::Value;
use store::{Audit, StoreError};
use uuid::Uuid;

use crate::database::Sqlite;
use crate::rows::{json, time, to_json, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// Tells the audit, in the transaction of the change it tells of. `action` is a noun and a past verb, as in
/// `member.removed`; `subject` an id; `details` an object without secrets. `actor` is `None` for somebody at the terminal.
pub(crate) fn record(
    tx: &Tx<'_>,
    org: OrgId,
    actor: Option<&UserId>,
    action: &'static str,
    subject: &str,
    details: &Value,
) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO audit (id, org, at, actor, action, subject, details) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                fresh_uuid(tx.conn)?.as_bytes(),
                org.0.as_bytes(),
                tx.now.0,
                actor.map(|actor| &actor.0),
                action,
                subject,
                to_json(details)?
            ],
        )
        .map(drop)
}

/// A random id of the database's own making.
pub(crate) fn fresh_uuid(conn: &Connection) -> Result<Uuid, StoreError> {
    let bytes = conn.one("SELECT randomblob(16)", [], |row| row.get::<_, [u8; 16]>(0))?;
    let bytes = bytes.ok_or_else(|| StoreError::Unavailable("no random number came".to_owned()))?;
    Ok(uuid::Builder::from_random_bytes(bytes).into_uuid())
}

#[async_trait]
impl Audit for Sqlite {
    async fn audit(
        &self,
        org: OrgId,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        self.read(move |conn| {
            let before = match before {
                None => i64::MAX,
                Some(id) => {
                    let sql = "SELECT seq FROM audit WHERE id = ?1 AND org = ?2";
                    conn.one(sql, params![id.0.as_bytes(), org.0.as_bytes()], |row| row.get(0))?.unwrap_or(0)
                }
            };
            conn.all(
                "SELECT id, at, actor, action, subject, details FROM audit
                 WHERE org = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3",
                params![org.0.as_bytes(), before, limit],
                |row| {
                    Ok(AuditEntry {
                        id: AuditId(uuid(row, 0)?),
                        org,
                        at: time(row, 1)?,
                        actor: row.get::<_, Option<String>>(2)?.map(UserId),
                        action: row.get(3)?,
                        subject: row.get(4)?,
                        details: json(row, 5)?,
                    })
                },
            )
        })
        .await
    }
}
