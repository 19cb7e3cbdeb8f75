//! Ids that the store makes itself.

use std::sync::atomic::{AtomicU16, Ordering};

use store::StoreError;
use uuid::{Builder, Uuid};

use crate::sql::Sql;
use crate::writer::Tx;

/// A UUID of version 7 at the store's time.
pub(crate) fn fresh_id(tx: &Tx<'_>) -> Result<Uuid, StoreError> {
    // Those made within one millisecond sort as they were made (RFC 9562, section 6.2, method 1).
    static MADE: AtomicU16 = AtomicU16::new(0);
    let random: Option<[u8; 10]> = tx.conn.one("SELECT randomblob(10)", [], |row| row.get(0))?;
    let mut random =
        random.ok_or_else(|| StoreError::Unavailable("the database made no random bytes".to_owned()))?;
    random[..2].copy_from_slice(&MADE.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    Ok(Builder::from_unix_timestamp_millis(tx.now.0.max(0).unsigned_abs(), &random).into_uuid())
}
