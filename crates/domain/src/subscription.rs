//! Who is told of everything of a kind in an organization, and the secrets that sign what is told.

use std::collections::BTreeSet;

use uuid::Uuid;

use crate::event::Kind;
use crate::id::{OrgId, SecretId, SubscriptionId};
use crate::request::Face;
use crate::time::Timestamp;

/// An address that is told of every event of some kinds in an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscription {
    /// Its id.
    pub id: SubscriptionId,
    /// Whose events.
    pub org: OrgId,
    /// The face that words them.
    pub face: Face,
    /// The address.
    pub address: String,
    /// Which events.
    pub kinds: BTreeSet<Kind>,
    /// The secret that signs them, closed.
    pub secret: Vec<u8>,
    /// The first characters of that secret's SHA-256, by which people tell secrets apart.
    pub fingerprint: String,
    /// Since when nothing is sent, if so.
    pub disabled_at: Option<Timestamp>,
    /// When the last event was recorded for it.
    pub last_event_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; later than before with every change.
    pub updated_at: Timestamp,
}

/// A secret that signs what an organization's callbacks are sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallbackSecret {
    /// Its id.
    pub id: SecretId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name for people.
    pub label: Option<String>,
    /// Its first characters, by which people tell secrets apart.
    pub prefix: String,
    /// The secret, closed.
    pub secret: Vec<u8>,
    /// Whether it is the one that signs.
    pub is_current: bool,
    /// When it last signed; not noted more often than once a minute.
    pub last_used_at: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// What a secret is closed with, so that it opens for its organization and its id alone: a secret of a subscription or of
/// callbacks.
pub fn context(org: OrgId, id: Uuid) -> Vec<u8> {
    [org.0.as_bytes().as_slice(), id.as_bytes().as_slice()].concat()
}
