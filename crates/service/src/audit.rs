//! What was done in an organization, for those who answer for it.

use domain::access::Caller;
use domain::audit::AuditEntry;
use domain::id::{AuditId, OrgId};

use crate::{Refusal, Service};

/// Entries given at once, at most.
const PAGE_MAX: u32 = 500;

impl Service {
    /// What was done in an organization, newest first: up to `limit` (1 to 500) entries before that one, or the latest. The
    /// last one's id is where the next page begins. For administrators.
    pub async fn audit(
        &self,
        caller: &Caller,
        org: OrgId,
        before: Option<AuditId>,
        limit: u32,
    ) -> Result<Vec<AuditEntry>, Refusal> {
        self.need_admin(caller, org)?;
        let read = self.0.store.audit(org, before, limit.clamp(1, PAGE_MAX)).await;
        read.map_err(Refusal::store("read the audit"))
    }
}
