//! The embedded database: SQLite in write-ahead mode, synced at every commit.
//!
//! One thread writes. What many callers ask for while it is busy goes into its next transaction together; one that fails
//! is taken back alone, and nobody is answered before that transaction is on disk. Reads run beside it on read-only
//! connections. Other processes may open the same file at the same time.

mod access;
mod accounts;
mod audit;
mod batches;
mod clock;
mod database;
mod deliveries;
mod deployments;
mod error;
mod evaluations;
mod feed;
mod filter;
mod idempotency;
mod ids;
#[cfg(any(test, feature = "invariants"))]
mod invariants;
mod library;
mod lists;
mod logs;
#[cfg(test)]
mod plans;
mod queue;
mod readers;
mod reviews;
mod rows;
mod runs;
mod schema;
mod sql;
mod subscriptions;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod upgrade;
mod upkeep;
mod workflows;
mod writer;

pub use clock::SystemClock;
pub use database::Sqlite;
#[cfg(any(test, feature = "invariants"))]
pub use invariants::{AttemptKept, check_invariants, deliveries_to, missing_runs};
