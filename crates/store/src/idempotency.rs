//! Requests that may be repeated: the first answer is kept under the caller's key.

use async_trait::async_trait;
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::time::Millis;
use uuid::Uuid;

use crate::StoreError;

/// How long an answer is kept.
pub const ANSWERS_KEPT: Millis = Millis::seconds(24 * 3600);

/// Requests that may be repeated.
#[async_trait]
pub trait Idempotency: Send + Sync {
    /// Takes the slot for a request of that fingerprint, for as long as `lease`, unless it is taken. `seed` is used if
    /// nobody has tried before.
    async fn begin_idempotent(
        &self,
        slot: &Slot,
        fingerprint: [u8; 32],
        seed: Uuid,
        lease: Millis,
    ) -> Result<Begun, StoreError>;

    /// Keeps the answer to the request that took the slot.
    async fn finish_idempotent(&self, slot: &Slot, answer: &KeptAnswer) -> Result<(), StoreError>;

    /// Frees the slot of a request that came to nothing, so that it can be tried again at once; the seed stays.
    async fn free_idempotent(&self, slot: &Slot) -> Result<(), StoreError>;
}
