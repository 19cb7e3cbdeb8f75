//! Requests that may be repeated: the first answer is kept under a key that the caller chose.

use uuid::Uuid;

use crate::id::{OrgId, UserId};

/// Where an answer is kept: each user has keys of their own in each organization.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The organization.
    pub org: OrgId,
    /// The user.
    pub user: UserId,
    /// The caller's key.
    pub key: String,
}

/// An answer as it was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// Its status.
    pub status: u16,
    /// Its headers, as far as they belong to it.
    pub headers: Vec<(String, String)>,
    /// Its body.
    pub body: Vec<u8>,
}

/// How a request with a key begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Begun {
    /// It is to be done. Every id it makes must be derived from `seed`: if an earlier try died half way, the seed is that
    /// try's, so that nothing is made twice.
    First {
        /// What ids are derived from.
        seed: Uuid,
    },
    /// Somebody is at it.
    InFlight,
    /// The key was used for another request.
    OtherRequest,
    /// It was done; this was the answer.
    Done(KeptAnswer),
}
