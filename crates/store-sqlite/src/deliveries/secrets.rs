//! The secrets that an organization's webhooks are signed with.

use domain::id::{OrgId, UserId};
use domain::time::{Millis, Timestamp};
use rusqlite::{Connection, params};
use store::{StoreError, WebhookSecret, WebhookSecrets};

use crate::audit;
use crate::rows::{time, unreadable};
use crate::sql::Sql;
use crate::writer::Tx;

fn secret(bytes: [u8; 32]) -> WebhookSecret {
    WebhookSecret(bytes)
}

pub(super) fn secrets(
    conn: &Connection,
    org: OrgId,
    now: Timestamp,
) -> Result<Option<WebhookSecrets>, StoreError> {
    let sql = "SELECT current, made_at, previous, previous_until FROM webhook_secrets WHERE org = ?1";
    conn.one(sql, [org.0.as_bytes()], |row| {
        let previous = match (row.get::<_, Option<[u8; 32]>>(2)?, row.get::<_, Option<i64>>(3)?) {
            (Some(previous), Some(until)) => {
                Some((secret(previous), Timestamp(until))).filter(|(_, until)| *until > now)
            }
            (None, None) => None,
            _ => return Err(unreadable(3, "a secret without its end")),
        };
        Ok(WebhookSecrets { current: row.get(0).map(secret)?, made_at: time(row, 1)?, previous })
    })
}

fn gone(org: OrgId) -> StoreError {
    StoreError::Missing(format!("the organization `{org}`"))
}

pub(super) fn begin(tx: &Tx<'_>, org: OrgId, fresh: WebhookSecret) -> Result<WebhookSecrets, StoreError> {
    tx.conn.exec(
        "INSERT INTO webhook_secrets (org, current, made_at) VALUES (?1, ?2, ?3) ON CONFLICT (org) DO NOTHING",
        params![org.0.as_bytes(), fresh.0, tx.now.0],
    )?;
    secrets(tx.conn, org, tx.now)?.ok_or_else(|| gone(org))
}

pub(super) fn rotate(
    tx: &Tx<'_>,
    org: OrgId,
    fresh: WebhookSecret,
    keep: Millis,
    by: &UserId,
) -> Result<WebhookSecrets, StoreError> {
    audit::record(tx, org, Some(by), "webhook_secret.rotated", &org.to_string(), &serde_json::json!({}))?;
    tx.conn.exec(
        "INSERT INTO webhook_secrets (org, current, made_at) VALUES (?1, ?2, ?3)
                 ON CONFLICT (org) DO UPDATE SET previous = webhook_secrets.current, previous_until = ?4,
                                                 current = excluded.current, made_at = excluded.made_at",
        params![org.0.as_bytes(), fresh.0, tx.now.0, (tx.now + keep).0],
    )?;
    secrets(tx.conn, org, tx.now)?.ok_or_else(|| gone(org))
}
