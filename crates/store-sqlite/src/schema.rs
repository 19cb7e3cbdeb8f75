//! How the file is opened, and how it comes to the present schema.

use std::fs::{self, File, OpenOptions};
use std::path::Path;
use std::time::Duration;

use domain::batch::handle;
use domain::delivery::receiver;
use domain::id::OrgId;
use rusqlite::Error::UserFunctionError;
use rusqlite::functions::FunctionFlags;
use rusqlite::{Connection, ErrorCode, OpenFlags, TransactionBehavior};
use store::{StoreError, part_id};
use uuid::Uuid;

use crate::error::store_error;

/// Every migration, in order; its place from 1 is the schema version it leads to.
const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_begin.sql"),
    include_str!("../migrations/0002_orders.sql"),
    include_str!("../migrations/0003_deliveries.sql"),
    include_str!("../migrations/0004_accounts.sql"),
    include_str!("../migrations/0005_receivers.sql"),
    include_str!("../migrations/0006_requests.sql"),
    include_str!("../migrations/0007_steps.sql"),
];

/// Marks a file as ours: `Pack` in ASCII.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Pack");

/// How long to wait for another process that writes.
const BUSY: Duration = Duration::from_secs(5);

/// Cached statements a connection; more than there are different ones.
const STATEMENTS: usize = 192;

/// Makes the file and its folder if they are not there, and brings its schema up to date.
pub(crate) fn prepare(path: &Path) -> Result<(), StoreError> {
    let cannot = |error: std::io::Error| {
        StoreError::Unavailable(format!("cannot make the database file `{}`: {error}", path.display()))
    };
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(cannot)?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(false);
        // It holds password hashes and the key that signs tokens: for its owner alone. The files beside it take its mode.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(path).map_err(cannot)?;
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(cannot)?;
    }
    let mut conn = open(path)?;
    migrate(&mut conn, MIGRATIONS.len())
}

/// Brings a file to an earlier schema than the present one, for tests of what comes after it.
#[cfg(test)]
pub(crate) fn prepare_as_of(path: &Path, version: usize) -> Result<(), StoreError> {
    migrate(&mut open(path)?, version)
}

/// A connection that may write.
pub(crate) fn open(path: &Path) -> Result<Connection, StoreError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(store_error)?;
    settle_in(&conn)?;
    write_ahead(&conn)?;
    let set = |name: &str, value: i64| conn.pragma_update(None, name, value).map_err(store_error);
    conn.pragma_update(None, "synchronous", "FULL").map_err(store_error)?;
    set("foreign_keys", 1)?;
    // 16 MiB between checkpoints: the log is written over from its start again, which syncs faster than growing it.
    set("wal_autocheckpoint", 4096)?;
    set("cache_size", -16 * 1024)?;
    Ok(conn)
}

/// A connection that cannot write.
pub(crate) fn open_to_read(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(store_error)?;
    settle_in(&conn)?;
    Ok(conn)
}

fn settle_in(conn: &Connection) -> Result<(), StoreError> {
    conn.busy_timeout(BUSY).map_err(store_error)?;
    conn.set_prepared_statement_cache_capacity(STATEMENTS);
    // For lists of what has no id of its own in the file.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("part_of", 2, flags, |context| {
        let whole = Uuid::from_slice(context.get_raw(0).as_blob()?);
        let whole = whole.map_err(|error| UserFunctionError(error.into()))?;
        Ok(part_id(whole, context.get(1)?).as_bytes().to_vec())
    })
    .map_err(store_error)?;
    conn.pragma_update(None, "temp_store", "MEMORY").map_err(store_error)
}

/// Switches to write-ahead mode. Two processes that begin at the same moment refuse each other without waiting, so this
/// is tried until one of them has done it.
fn write_ahead(conn: &Connection) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match conn.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(mode) => {
                return Err(StoreError::Unavailable(format!(
                    "the file system allows no write-ahead log, only `{mode}`; put the data folder on a local disk"
                )));
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && tries < 100 => {
                tries += 1;
                std::thread::sleep(BUSY / 100);
            }
            Err(error) => return Err(store_error(error)),
        }
    }
}

/// Brings a file to the schema `wanted`, if it has an earlier one.
fn migrate(conn: &mut Connection, wanted: usize) -> Result<(), StoreError> {
    // For migrations, as nothing that is in the schema may need a function of ours.
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    conn.create_scalar_function("receiver_of", 1, flags, |context| {
        Ok(receiver(context.get_raw(0).as_str()?))
    })
    .map_err(store_error)?;
    conn.create_scalar_function("handle_of", 2, flags, |context| {
        let org = Uuid::from_slice(context.get_raw(0).as_blob()?)
            .map_err(|error| UserFunctionError(error.into()))?;
        Ok(handle(OrgId(org), context.get_raw(1).as_str()?).as_bytes().to_vec())
    })
    .map_err(store_error)?;
    // A table that is made anew may be missing for a moment; what refers to it is checked before a migration is kept.
    conn.pragma_update(None, "foreign_keys", 0).map_err(store_error)?;
    let known = MIGRATIONS.len() as u32;
    loop {
        // Within the transaction, so that of two processes that begin at once the second sees what the first did.
        let tx = conn.transaction_with_behavior(TransactionBehavior::Immediate).map_err(store_error)?;
        let number = |sql: &str| tx.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(store_error);
        let found = number("PRAGMA user_version")?;
        let owner = number("PRAGMA application_id")?;
        let tables = number("SELECT count(*) FROM sqlite_schema")?;
        if owner != i64::from(APPLICATION_ID) && tables > 0 {
            return Err(StoreError::Corrupt("this is some other program's database file".to_owned()));
        }
        let found =
            u32::try_from(found).map_err(|_| StoreError::Corrupt(format!("schema version {found}")))?;
        if found > known {
            return Err(StoreError::TooNew { found, known });
        }
        let Some(next) = MIGRATIONS[..wanted].get(found as usize) else {
            return Ok(());
        };
        tx.execute_batch(next).map_err(store_error)?;
        if number("SELECT count(*) FROM pragma_foreign_key_check")? > 0 {
            return Err(StoreError::Corrupt("rows refer to others that are not there".to_owned()));
        }
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(store_error)?;
        tx.pragma_update(None, "user_version", found + 1).map_err(store_error)?;
        tx.commit().map_err(store_error)?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(path: &Path) -> i64 {
        let conn = Connection::open(path).unwrap();
        conn.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn opening_again_changes_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/er/packshot.db");
        prepare(&path).unwrap();
        assert_eq!(version(&path), MIGRATIONS.len() as i64);
        prepare(&path).unwrap();
        assert_eq!(version(&path), MIGRATIONS.len() as i64);
    }

    #[test]
    fn a_newer_schema_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packshot.db");
        prepare(&path).unwrap();
        Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
        let refused = prepare(&path).unwrap_err();
        assert!(
            matches!(refused, StoreError::TooNew { found: 99, known } if known == MIGRATIONS.len() as u32)
        );
    }

    #[test]
    fn somebody_elses_file_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("other.db");
        Connection::open(&path).unwrap().execute_batch("CREATE TABLE theirs (a)").unwrap();
        assert!(matches!(prepare(&path), Err(StoreError::Corrupt(_))));
        let text = dir.path().join("text.db");
        fs::write(
            &text,
            "not a database at all, and long enough to be read as a header of one by mistake ".repeat(9),
        )
        .unwrap();
        assert!(matches!(prepare(&text), Err(StoreError::Corrupt(_))));
    }

    #[test]
    fn many_may_begin_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packshot.db");
        std::thread::scope(|scope| {
            let begun: Vec<_> = (0..6).map(|_| scope.spawn(|| prepare(&path))).collect();
            for each in begun {
                each.join().unwrap().unwrap();
            }
        });
        assert_eq!(version(&path), MIGRATIONS.len() as i64);
    }

    #[cfg(unix)]
    #[test]
    fn the_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("packshot.db");
        prepare(&path).unwrap();
        let conn = open(&path).unwrap();
        conn.execute("CREATE TABLE more (a)", []).unwrap();
        for name in ["packshot.db", "packshot.db-wal", "packshot.db-shm"] {
            assert_eq!(
                fs::metadata(dir.path().join(name)).unwrap().permissions().mode() & 0o777,
                0o600,
                "{name}"
            );
        }
    }
}
