//! What was done, by whom, to be read later by those who answer for it.

use serde_json::Value;

use crate::id::{AuditId, OrgId, UserId};
use crate::time::Timestamp;

/// One thing that was done in an organization. Written with the change it tells of, and never changed.
#[derive(Clone, Debug, PartialEq)]
pub struct AuditEntry {
    /// Its id; also where the next page of a list begins.
    pub id: AuditId,
    /// Where.
    pub org: OrgId,
    /// When.
    pub at: Timestamp,
    /// Who did it; `None`: somebody at the server's terminal.
    pub actor: Option<UserId>,
    /// What was done: a noun and a past verb, as in `member.removed`.
    pub action: String,
    /// To what: an id, or a user's.
    pub subject: String,
    /// More about it; an object. Never holds a secret.
    pub details: Value,
}
