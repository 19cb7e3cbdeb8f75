//! SQLite's errors in the store's words.

use rusqlite::ErrorCode;
use store::StoreError;

/// What SQLite's error means to a caller whose transaction was, or will be, rolled back.
pub(crate) fn store_error(error: rusqlite::Error) -> StoreError {
    use rusqlite::Error;
    match &error {
        Error::SqliteFailure(failure, text) => {
            let said = text.clone().unwrap_or_else(|| failure.to_string());
            match failure.code {
                ErrorCode::ConstraintViolation => match failure.extended_code {
                    rusqlite::ffi::SQLITE_CONSTRAINT_FOREIGNKEY => {
                        StoreError::Missing("what this refers to".to_owned())
                    }
                    rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE | rusqlite::ffi::SQLITE_CONSTRAINT_PRIMARYKEY => {
                        // `UNIQUE constraint failed: runs.id` says which, without any value.
                        StoreError::Conflict(said.rsplit(": ").next().unwrap_or(&said).to_owned())
                    }
                    _ => StoreError::Corrupt(said),
                },
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => StoreError::Corrupt(said),
                _ => StoreError::Unavailable(said),
            }
        }
        Error::FromSqlConversionFailure(..)
        | Error::IntegralValueOutOfRange(..)
        | Error::InvalidColumnType(..)
        | Error::Utf8Error(..) => StoreError::Corrupt(error.to_string()),
        _ => StoreError::Unavailable(error.to_string()),
    }
}

/// Whether the handle that gave this error is of no more use: after a failed sync the kernel may have dropped what was
/// not written, so nothing more may be acknowledged over it.
pub(crate) fn spoils_handle(error: &rusqlite::Error) -> bool {
    matches!(
        error.sqlite_error_code(),
        Some(
            ErrorCode::SystemIoFailure
                | ErrorCode::DatabaseCorrupt
                | ErrorCode::NotADatabase
                | ErrorCode::CannotOpen
                | ErrorCode::FileLockingProtocolFailed
        )
    )
}
