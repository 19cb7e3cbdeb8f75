//! What people have besides their roles: the browsers they are signed in with, and the links that invite them.

use crate::access::{Role, SecretHash};
use crate::id::{InvitationId, OrgId, UserId};
use crate::time::{Millis, Timestamp};

/// A browser that a user is signed in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Hash of the secret in its cookie.
    pub secret: SecretHash,
    /// Who is signed in.
    pub user: UserId,
    /// The organization they look at, if they chose one.
    pub org: Option<OrgId>,
    /// When they signed in.
    pub made_at: Timestamp,
    /// When they were last seen; not noted more often than once a minute.
    pub last_seen_at: Timestamp,
    /// When it is over, however busy they are.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether it is good at `now`: not over, and seen within `idle`.
    pub fn is_open(&self, now: Timestamp, idle: Millis) -> bool {
        now < self.expires_at && now - self.last_seen_at < idle
    }
}

/// A link that lets somebody join an organization, once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invitation {
    /// Its id.
    pub id: InvitationId,
    /// Hash of the secret in its link.
    pub secret: SecretHash,
    /// The organization to join.
    pub org: OrgId,
    /// As what.
    pub role: Role,
    /// The only sign-in name that may accept it; `None` lets anybody who has the link.
    pub email: Option<String>,
    /// Who invites.
    pub invited_by: UserId,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: InvitationState,
}

/// Where an invitation stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum InvitationState {
    /// Nobody has used it.
    Open,
    /// Somebody joined by it.
    Accepted {
        /// Who.
        by: UserId,
        /// When.
        at: Timestamp,
    },
    /// An administrator took it back.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

impl Invitation {
    /// Whether it may be accepted at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at && self.state == InvitationState::Open
    }

    /// Whether it is meant for that sign-in name, in any case.
    pub fn is_for(&self, email: &str) -> bool {
        self.email.as_ref().is_none_or(|meant| meant.to_lowercase() == email.trim().to_lowercase())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_session_ends_by_idleness_and_by_age() {
        let mut session = Session {
            secret: SecretHash([0; 32]),
            user: UserId("packshot|1".to_owned()),
            org: None,
            made_at: Timestamp(0),
            last_seen_at: Timestamp(0),
            expires_at: Timestamp(100_000),
        };
        let idle = Millis::seconds(10);
        assert!(session.is_open(Timestamp(9_999), idle));
        assert!(!session.is_open(Timestamp(10_000), idle));
        session.last_seen_at = Timestamp(99_000);
        assert!(session.is_open(Timestamp(99_999), idle));
        assert!(!session.is_open(Timestamp(100_000), idle));
    }

    #[test]
    fn an_invitation_is_for_one_name_or_for_anybody() {
        let mut invitation = Invitation {
            id: InvitationId(Uuid::nil()),
            secret: SecretHash([0; 32]),
            org: OrgId(Uuid::nil()),
            role: Role::Operator,
            email: Some("Mara@example.test".to_owned()),
            invited_by: UserId("packshot|1".to_owned()),
            created_at: Timestamp(0),
            expires_at: Timestamp(10),
            state: InvitationState::Open,
        };
        assert!(invitation.is_for(" mara@EXAMPLE.test") && !invitation.is_for("tom@example.test"));
        assert!(invitation.is_open(Timestamp(9)) && !invitation.is_open(Timestamp(10)));
        invitation.email = None;
        invitation.state = InvitationState::Revoked { at: Timestamp(1) };
        assert!(invitation.is_for("tom@example.test") && !invitation.is_open(Timestamp(2)));
    }
}
