//! Forgetting what nobody needs any more.

use async_trait::async_trait;
use domain::time::Millis;

use crate::StoreError;

/// How long what is over is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keeping {
    /// Deliveries with their attempts, from their end on.
    pub deliveries: Millis,
    /// Revoked connections, invitations that were used, taken back or ran out, and sessions that ran out.
    pub access: Millis,
}

/// What was forgotten.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Deliveries.
    pub deliveries: u64,
    /// Connections.
    pub connections: u64,
    /// Invitations.
    pub invitations: u64,
    /// Sessions.
    pub sessions: u64,
}

impl Swept {
    /// How many things in all.
    pub const fn total(&self) -> u64 {
        self.deliveries + self.connections + self.invitations + self.sessions
    }
}

/// Forgetting what nobody needs any more. Runs, the ledger and the audit are never forgotten.
#[async_trait]
pub trait Upkeep: Send + Sync {
    /// Forgets what has been over for longer than it is kept, a bounded part of it at a time, so that it holds nobody up:
    /// to be called again until nothing is forgotten.
    async fn sweep(&self, keeping: Keeping) -> Result<Swept, StoreError>;
}
