//! Names of things: one newtype each, so that a workflow's id can never stand where a run's belongs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use uuid::{Builder, Uuid};

macro_rules! id {
    ($(#[$doc:meta] $name:ident),+ $(,)?) => {$(
        #[$doc]
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }
    )+};
}

id! {
    /// One picture going through one workflow version.
    RunId,
    /// A saved workflow, over all its versions.
    WorkflowId,
    /// One immutable version of a workflow.
    VersionId,
    /// An organization: the owner of everything.
    OrgId,
    /// The version of an organization's record, which changes whenever it is saved.
    OrgVersion,
    /// A program that acts for a user: an approved device or a command-line credential.
    ConnectionId,
    /// A device sign-in under way.
    GrantId,
    /// A link that lets somebody join an organization.
    InvitationId,
    /// One thing that was done, as the audit tells it.
    AuditId,
    /// Something that happened to a run.
    EventId,
    /// One event on its way to one address.
    DeliveryId,
    /// One line of the ledger.
    EntryId,
    /// A picture that an organization keeps under a name.
    AssetId,
    /// A folder of assets.
    FolderId,
    /// One measurement of a picture's quality.
    EvaluationId,
    /// An address that is told of everything of a kind in an organization.
    SubscriptionId,
    /// A secret that signs what an organization is told.
    SecretId,
    /// One line of a run's log.
    LogId,
    /// One attempt's hold on a run; a new one for every attempt, so that an old one proves nothing.
    LeaseToken,
}

/// A user's id. Not a UUID: identity providers name users as `provider|subject`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(pub String);

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The `nth` of several ids that are made from one: the same each time, so that what is done again makes nothing twice.
pub fn derived(seed: Uuid, nth: u32) -> Uuid {
    // The low half of a version 7 id is chance; multiplying by an odd number keeps different ones different.
    let mixed = (seed.as_u128() as u64 ^ u64::from(nth)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    Uuid::from_u128((seed.as_u128() & !0x3FFF_FFFF_FFFF_FFFF) | u128::from(mixed & 0x3FFF_FFFF_FFFF_FFFF))
}

/// The `nth` of many ids that are made from one, each sorting after the ones before it; up to 2²⁴ of them.
pub fn derived_in_order(seed: Uuid, nth: u32) -> Uuid {
    const CHANCE: u128 = (1 << 38) - 1;
    let chance = derived(seed, u32::MAX).as_u128() & CHANCE;
    let place = u128::from(nth & 0x00FF_FFFF) << 38;
    Uuid::from_u128((seed.as_u128() & !0x3FFF_FFFF_FFFF_FFFF) | place | chance)
}

/// The id of what is named by these parts together, the same each time: of version 8 (RFC 9562, section 5.8), from the SHA-256 of
/// the parts one after the other.
pub fn of_name(parts: &[&[u8]]) -> Uuid {
    let mut name = Sha256::new();
    parts.iter().for_each(|part| name.update(part));
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&name.finalize()[..16]);
    Builder::from_custom_bytes(bytes).into_uuid()
}

/// Where new ids come from. The application owns the real source; a test may own one that counts.
pub trait Ids: Send + Sync {
    /// A fresh id that sorts after the ones made before it.
    fn next(&self) -> Uuid;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_differ_and_stay_what_they_are() {
        let seed = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
        let ids: std::collections::BTreeSet<_> = (0..1000).map(|nth| derived(seed, nth)).collect();
        assert_eq!(ids.len(), 1000);
        assert_eq!(derived(seed, 3), derived(seed, 3));
        let in_order: Vec<_> = (0..1000).map(|nth| derived_in_order(seed, nth)).collect();
        assert!(in_order.is_sorted() && in_order.windows(2).all(|two| two[0] != two[1]));
        let entries: std::collections::BTreeSet<_> =
            in_order.iter().flat_map(|seed| [derived(*seed, 1), derived(*seed, 2)]).collect();
        assert_eq!(entries.len(), 2000);
        assert!(ids.iter().all(|id| id.get_version_num() == 7 && id.get_variant() == uuid::Variant::RFC4122));
    }
}
