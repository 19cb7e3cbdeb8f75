//! An organization's credits.

use domain::access::Caller;
use domain::id::{self, EntryId};
use domain::ledger::Entry;
use store::TopUp;
use uuid::Uuid;

use crate::{OrgChoice, Refusal, Service};

/// Most credits given at once: a million euros.
const TOP_UP_MAX: u32 = 100_000_000;
/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 500;

impl Service {
    /// Credits an organization has.
    pub async fn balance(&self, caller: &Caller, choice: &OrgChoice) -> Result<i64, Refusal> {
        self.need_scope(caller, "credit_balance:read")?;
        let org = self.one_org(caller, choice)?;
        self.0.store.balance(org).await.map_err(Refusal::store("read the balance"))
    }

    /// Up to `limit` entries of an organization's ledger that are older than the entry `before`, newest first.
    pub async fn entries_before(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        before: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<Entry>, Refusal> {
        self.need_scope(caller, "credit_balance:read")?;
        let org = self.one_org(caller, choice)?;
        self.0
            .store
            .entries_before(org, before, limit)
            .await
            .map_err(Refusal::store("list the ledger's entries"))
    }

    /// Gives an organization credits; for administrators. Answers the balance after it. The entry's id is derived from
    /// `seed`: the same again gives nothing more.
    pub async fn top_up(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        credits: u32,
        note: &str,
        seed: Uuid,
    ) -> Result<(EntryId, i64), Refusal> {
        let org = self.one_org_as_admin(caller, choice)?;
        if credits == 0 || credits > TOP_UP_MAX {
            return Err(Refusal::Invalid(format!(
                "{credits} credits cannot be given; give 1 to {TOP_UP_MAX}"
            )));
        }
        if note.len() > NOTE_BYTES_MAX {
            return Err(Refusal::Invalid(format!("the note is longer than {NOTE_BYTES_MAX} bytes")));
        }
        let entry = EntryId(id::derived(seed, 0));
        let top_up = TopUp { entry, credits, by: Some(caller.user.clone()), note: note.to_owned() };
        let balance = self.0.store.top_up(org, &top_up).await.map_err(Refusal::store("give credits"))?;
        tracing::info!(org.id = %org, credits, "gave {credits} credits");
        Ok((entry, balance))
    }
}
