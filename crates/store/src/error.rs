//! Why a verb did not happen.

/// A database could not do its part. Nothing of the verb happened, unless the kind says otherwise.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database is busy, full or away; the same call may work later.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// The commit's answer was lost: it may have happened. Ask, or repeat with the same ids.
    #[error("it is not known whether the database did it: {0}")]
    InDoubt(String),
    /// Something with this name or id exists.
    #[error("{0} exists already")]
    Conflict(String),
    /// Something that this refers to does not exist: an organization, a workflow version, a membership.
    #[error("{0} does not exist")]
    Missing(String),
    /// What the database holds makes no sense.
    #[error("the database holds something unreadable: {0}")]
    Corrupt(String),
    /// The database was made by a newer version.
    #[error("the database has schema version {found}, this program knows up to {known}; use a newer program")]
    TooNew {
        /// Version found.
        found: u32,
        /// Latest version known.
        known: u32,
    },
}
