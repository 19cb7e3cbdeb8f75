//! Requests that may be repeated.

use async_trait::async_trait;
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::time::Millis;
use rusqlite::params;
use store::{ANSWERS_KEPT, Idempotency, StoreError};
use uuid::Uuid;

use crate::database::Sqlite;
use crate::rows::{json, time, to_json, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

fn begin(
    tx: &Tx<'_>,
    slot: &Slot,
    fingerprint: [u8; 32],
    seed: Uuid,
    lease: Millis,
) -> Result<Begun, StoreError> {
    tx.conn.exec("DELETE FROM repeatable WHERE begun_at < ?1", [tx.now.0 - ANSWERS_KEPT.0])?;
    let key = params![slot.org.0.as_bytes(), slot.user.0, slot.key];
    let found = tx.conn.one(
        "SELECT fingerprint, seed, lease_ends, status, headers, body FROM repeatable
         WHERE org = ?1 AND user = ?2 AND key = ?3",
        key,
        |row| {
            let answer = match row.get::<_, Option<u16>>(3)? {
                Some(status) => Some(KeptAnswer { status, headers: json(row, 4)?, body: row.get(5)? }),
                None => None,
            };
            Ok((row.get::<_, [u8; 32]>(0)?, uuid(row, 1)?, time(row, 2)?, answer))
        },
    )?;
    let lease_ends = tx.now + lease;
    let Some((known, seed_then, lease_then, answer)) = found else {
        tx.conn.exec(
            "INSERT INTO repeatable (org, user, key, fingerprint, seed, begun_at, lease_ends)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            params![
                slot.org.0.as_bytes(),
                slot.user.0,
                slot.key,
                fingerprint,
                seed.as_bytes(),
                tx.now.0,
                lease_ends.0
            ],
        )?;
        return Ok(Begun::First { seed });
    };
    if known != fingerprint {
        return Ok(Begun::OtherRequest);
    }
    if let Some(answer) = answer {
        return Ok(Begun::Done(answer));
    }
    if tx.now < lease_then {
        return Ok(Begun::InFlight);
    }
    tx.conn.exec(
        "UPDATE repeatable SET lease_ends = ?4 WHERE org = ?1 AND user = ?2 AND key = ?3",
        params![slot.org.0.as_bytes(), slot.user.0, slot.key, lease_ends.0],
    )?;
    Ok(Begun::First { seed: seed_then })
}

/// Keeps an answer, in the transaction of what it tells of.
pub(crate) fn finish(tx: &Tx<'_>, slot: &Slot, answer: &KeptAnswer) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "UPDATE repeatable SET status = ?4, headers = ?5, body = ?6
             WHERE org = ?1 AND user = ?2 AND key = ?3 AND status IS NULL",
            params![
                slot.org.0.as_bytes(),
                slot.user.0,
                slot.key,
                answer.status,
                to_json(&answer.headers)?,
                answer.body
            ],
        )
        .map(drop)
}

#[async_trait]
impl Idempotency for Sqlite {
    async fn begin_idempotent(
        &self,
        slot: &Slot,
        fingerprint: [u8; 32],
        seed: Uuid,
        lease: Millis,
    ) -> Result<Begun, StoreError> {
        let slot = slot.clone();
        self.write("begin_idempotent", move |tx| begin(tx, &slot, fingerprint, seed, lease)).await
    }

    async fn finish_idempotent(&self, slot: &Slot, answer: &KeptAnswer) -> Result<(), StoreError> {
        let (slot, answer) = (slot.clone(), answer.clone());
        self.write("finish_idempotent", move |tx| finish(tx, &slot, &answer)).await
    }

    async fn free_idempotent(&self, slot: &Slot) -> Result<(), StoreError> {
        let slot = slot.clone();
        self.write("free_idempotent", move |tx| {
            tx.conn
                .exec(
                    "UPDATE repeatable SET lease_ends = ?4
                     WHERE org = ?1 AND user = ?2 AND key = ?3 AND status IS NULL",
                    params![slot.org.0.as_bytes(), slot.user.0, slot.key, tx.now.0],
                )
                .map(drop)
        })
        .await
    }
}
