//! Requests that may be repeated under a key of the caller's.

use domain::access::Caller;
use domain::id::{OrgId, UserId};
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::time::Millis;

use crate::{OrgChoice, Refusal, Service};

/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Stands for everybody in an organization: no user's id has a star.
const SHARED: &str = "*";
/// How long nobody else may try while a request is being answered.
const LEASE: Millis = Millis::seconds(30);

impl Service {
    /// Begins a request under that key. `fingerprint` tells requests apart: a hash of method, path and body. Whoever is
    /// told [`Begun::First`] must [finish](Service::finish_repeatable) or [free](Service::free_repeatable) it.
    pub async fn begin_repeatable(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        key: &str,
        fingerprint: [u8; 32],
    ) -> Result<(Slot, Begun), Refusal> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(Refusal::Invalid(format!("an idempotency key has 1 to {KEY_BYTES_MAX} bytes")));
        }
        let org: OrgId = self.one_org(caller, choice)?;
        let slot = Slot { org, user: caller.user.clone(), key: key.to_owned() };
        let begun = self.0.store.begin_idempotent(&slot, fingerprint, self.0.ids.next(), LEASE).await;
        Ok((slot, begun.map_err(Refusal::store("look up the idempotency key"))?))
    }

    /// The same for a key that everybody in an organization shares, within `scope`: the method and path of what is asked.
    pub async fn begin_shared_repeatable(
        &self,
        org: OrgId,
        scope: &str,
        key: &str,
        fingerprint: [u8; 32],
    ) -> Result<(Slot, Begun), Refusal> {
        let slot = Slot { org, user: UserId(SHARED.to_owned()), key: format!("{scope} {key}") };
        let begun = self.0.store.begin_idempotent(&slot, fingerprint, self.0.ids.next(), LEASE).await;
        Ok((slot, begun.map_err(Refusal::store("look up the idempotency key"))?))
    }

    /// Keeps the answer of a request that was begun.
    pub async fn finish_repeatable(&self, slot: &Slot, answer: &KeptAnswer) -> Result<(), Refusal> {
        let kept = self.0.store.finish_idempotent(slot, answer).await;
        kept.map_err(Refusal::store("keep the answer"))
    }

    /// Gives up a request that was begun and came to nothing, so that it can be tried again at once.
    pub async fn free_repeatable(&self, slot: &Slot) -> Result<(), Refusal> {
        self.0.store.free_idempotent(slot).await.map_err(Refusal::store("free the idempotency key"))
    }
}
