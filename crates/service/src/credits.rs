//! An organization's credits.

use domain::access::Caller;
use domain::id::{self, EntryId, OrgId};
use domain::ledger::Entry;
use domain::time::Timestamp;
use store::{CreditAlert, TopUp};
use uuid::Uuid;

use crate::{OrgChoice, Refusal, Service};

/// Most credits given at once: a million euros.
const TOP_UP_MAX: u32 = 100_000_000;
/// Longest note, in bytes.
const NOTE_BYTES_MAX: usize = 500;

/// What an organization can spend, and when it wants to be warned.
#[derive(Clone, Copy, Debug)]
pub struct Funds {
    /// Whose.
    pub org: OrgId,
    /// Credits there are.
    pub balance: i64,
    /// When it wants to be warned, if it does.
    pub alert: Option<CreditAlert>,
}

impl Service {
    /// Credits an organization has, and when it wants to be warned of its balance.
    pub async fn funds(&self, caller: &Caller, choice: &OrgChoice) -> Result<Funds, Refusal> {
        self.need_scope(caller, "credit_balance:read")?;
        let org = self.one_org(caller, choice)?;
        let doing = "read the balance";
        let balance = self.0.store.balance(org).await.map_err(Refusal::store(doing))?;
        let alert = self.0.store.credit_alert(org).await.map_err(Refusal::store(doing))?;
        Ok(Funds { org, balance, alert })
    }

    /// Sets below how many millionths of a credit an organization is warned; for administrators. Refuses with
    /// [`Refusal::Changed`] if that was last changed at another time than the caller thinks.
    pub async fn set_credit_alert(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        threshold: i64,
        unless_changed_since: Option<Timestamp>,
    ) -> Result<Funds, Refusal> {
        self.need_scope(caller, "credit_balance:edit")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let doing = "set the warning";
        let set = self.0.store.set_credit_alert(org, threshold, unless_changed_since, &caller.user).await;
        let alert = set.map_err(Refusal::store(doing))?.ok_or(Refusal::Changed)?;
        let balance = self.0.store.balance(org).await.map_err(Refusal::store(doing))?;
        Ok(Funds { org, balance, alert: Some(alert) })
    }

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
