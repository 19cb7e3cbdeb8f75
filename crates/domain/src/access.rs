//! Who may ask: organizations, users, roles, and the connections (devices, credentials) that act for them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::id::{ConnectionId, GrantId, OrgId, OrgVersion, UserId};
use crate::time::{Millis, Timestamp};

/// What a member may do in an organization.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// The daily work.
    Operator,
}

impl Role {
    /// Its name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Operator => "operator",
        }
    }

    /// The role of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Admin, Self::Operator].into_iter().find(|role| role.as_str() == text)
    }
}

/// A person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Their id.
    pub id: UserId,
    /// Their sign-in name.
    pub email: String,
    /// Given name, if known.
    pub given_name: Option<String>,
    /// Family name, if known.
    pub family_name: Option<String>,
    /// Address of a portrait, if known.
    pub picture: Option<String>,
}

/// Who made something, as far as it is shown to others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Author {
    /// Their id.
    pub id: UserId,
    /// Given name, if known.
    pub given_name: Option<String>,
    /// Family name, if known.
    pub family_name: Option<String>,
    /// Sign-in name, if it is shown.
    pub email: Option<String>,
}

/// A user within an organization.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Who.
    pub user: User,
    /// As what.
    pub role: Role,
}

/// An organization and its members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Changes whenever its record is saved.
    pub version: OrgVersion,
    /// Its name.
    pub name: String,
    /// Its members.
    pub members: Vec<Member>,
}

/// Who asks, as far as a token proved it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The user.
    pub user: UserId,
    /// The organizations they act in, oldest membership first, with their role in each: all they belong to, or the one
    /// their API key is for.
    pub memberships: Vec<(OrgId, Role)>,
    /// The organization their token was made for.
    pub selected: Option<OrgId>,
    /// What their token allows.
    pub scopes: Scopes,
}

/// What a token allows, in the words of whoever asks for it: `runs:create`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Scopes {
    /// Whatever its user may do.
    #[default]
    All,
    /// These alone.
    Only(BTreeSet<String>),
}

impl Scopes {
    /// What a connection's scope says: one that names no `resource:verb` limits nothing.
    pub fn of(scope: &str) -> Self {
        let named: BTreeSet<String> =
            scope.split_whitespace().filter(|name| name.contains(':')).map(str::to_owned).collect();
        if named.is_empty() { Self::All } else { Self::Only(named) }
    }

    /// Whether it allows that.
    pub fn allow(&self, scope: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(named) => named.contains(scope),
        }
    }
}

impl Caller {
    /// Whether the caller belongs to that organization.
    pub fn belongs_to(&self, org: OrgId) -> bool {
        self.memberships.iter().any(|(member_of, _)| *member_of == org)
    }

    /// The organizations the caller belongs to.
    pub fn orgs(&self) -> Vec<OrgId> {
        self.memberships.iter().map(|(org, _)| *org).collect()
    }

    /// What the caller is in that organization, if they belong to it.
    pub fn role_in(&self, org: OrgId) -> Option<Role> {
        self.memberships.iter().find(|(member_of, _)| *member_of == org).map(|(_, role)| *role)
    }

    /// The organization meant when none is named: the token's, if still a member there, else the oldest membership.
    pub fn default_org(&self) -> Option<OrgId> {
        self.selected
            .filter(|org| self.belongs_to(*org))
            .or_else(|| self.memberships.first().map(|(org, _)| *org))
    }
}

/// SHA-256 of a secret with at least 128 bits of entropy; the secret itself is never kept.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash(pub [u8; 32]);

impl std::fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SecretHash(..)")
    }
}

/// How a connection came to be, and so which secrets its holder has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// A device that a person let in; has a refresh token.
    Device,
    /// Made at the server's terminal; has a refresh token and an API key.
    Credential,
    /// Has an API key alone: nobody was ever given its refresh token.
    ApiKey,
}

impl ConnectionKind {
    /// Its name in the store and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Device => "device",
            Self::Credential => "credential",
            Self::ApiKey => "api_key",
        }
    }

    /// The kind of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Device, Self::Credential, Self::ApiKey].into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A program that acts for a user in an organization, with the hashes of its secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its id.
    pub id: ConnectionId,
    /// For whom it acts.
    pub user: UserId,
    /// Where it acts: its API key nowhere else, its access tokens unless another organization of the user is named.
    pub org: OrgId,
    /// How it came to be.
    pub kind: ConnectionKind,
    /// Its name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// What its tokens allow.
    pub scope: String,
    /// Hash of its refresh token.
    pub refresh_token: SecretHash,
    /// Hash of its API key, if it has one.
    pub api_key: Option<SecretHash>,
}

/// A connection as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedConnection {
    /// Its id.
    pub id: ConnectionId,
    /// For whom it acts.
    pub user: User,
    /// Where it acts: its API key nowhere else, its access tokens unless another organization of the user is named.
    pub org: OrgId,
    /// How it came to be.
    pub kind: ConnectionKind,
    /// Its name for people.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its refresh token or its API key was last used; not noted more often than once a minute.
    pub last_used_at: Option<Timestamp>,
    /// What its tokens allow.
    pub scope: String,
}

/// A device sign-in under way (RFC 8628).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceGrant {
    /// Its id.
    pub id: GrantId,
    /// Hash of the code the device polls with.
    pub device_code: SecretHash,
    /// The code the person compares: four capitals, a hyphen, four capitals.
    pub user_code: String,
    /// The client that asked.
    pub client: String,
    /// The scope it asked for.
    pub scope: String,
    /// When it was begun.
    pub created_at: Timestamp,
    /// When it is over.
    pub expires_at: Timestamp,
    /// Where it stands.
    pub state: GrantState,
}

/// Where a device sign-in stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GrantState {
    /// Nobody has decided.
    Pending {
        /// When the device last asked.
        last_poll: Option<Timestamp>,
    },
    /// A user said yes; the device has not fetched its tokens yet.
    Approved {
        /// Who.
        user: UserId,
        /// For which organization.
        org: OrgId,
    },
    /// A user said no.
    Denied,
    /// The device has its tokens. Nothing more can be had from this code.
    Used,
}

/// What a person says to a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Let it in.
    Yes {
        /// For whom it will act.
        user: UserId,
        /// In which organization.
        org: OrgId,
    },
    /// Turn it away.
    No {
        /// Who said so, and in which organization that is told; `None`: somebody who had the code and did not sign in.
        by: Option<(UserId, OrgId)>,
    },
}

/// What a device's poll is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Poll {
    /// Tokens may be issued, now and only now.
    Ready {
        /// To whom.
        user: UserId,
        /// For which organization.
        org: OrgId,
        /// The scope that was asked for.
        scope: String,
    },
    /// Nobody has decided.
    Pending,
    /// Asked too soon after the last time.
    TooSoon,
    /// Nobody decided in time.
    Expired,
    /// A user said no.
    Denied,
    /// The code was used before.
    Used,
}

impl DeviceGrant {
    /// Answers a poll at `now` and says how the grant stands afterwards. A device that asks again within
    /// `least_pause` is told so, unless there is something to tell.
    pub fn poll(&self, now: Timestamp, least_pause: Millis) -> (Poll, GrantState) {
        match &self.state {
            GrantState::Used => (Poll::Used, GrantState::Used),
            _ if now >= self.expires_at => (Poll::Expired, self.state.clone()),
            GrantState::Denied => (Poll::Denied, GrantState::Denied),
            GrantState::Approved { user, org } => {
                let scope = self.scope.clone();
                (Poll::Ready { user: user.clone(), org: *org, scope }, GrantState::Used)
            }
            GrantState::Pending { last_poll } => {
                let too_soon = last_poll.is_some_and(|last| now - last < least_pause);
                let answer = if too_soon { Poll::TooSoon } else { Poll::Pending };
                (answer, GrantState::Pending { last_poll: Some(now) })
            }
        }
    }

    /// Whether a person may still decide at `now`.
    pub fn is_open(&self, now: Timestamp) -> bool {
        now < self.expires_at && matches!(self.state, GrantState::Pending { .. })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn grant(state: GrantState) -> DeviceGrant {
        DeviceGrant {
            id: GrantId(Uuid::nil()),
            device_code: SecretHash([0; 32]),
            user_code: "KDRT-PWMN".to_owned(),
            client: "client".to_owned(),
            scope: "offline_access".to_owned(),
            created_at: Timestamp(0),
            expires_at: Timestamp(900_000),
            state,
        }
    }

    #[test]
    fn an_approved_code_works_once() {
        let org = OrgId(Uuid::nil());
        let user = UserId("packshot|1".to_owned());
        let mut grant = grant(GrantState::Approved { user: user.clone(), org });
        let (first, after) = grant.poll(Timestamp(10), Millis::seconds(4));
        assert_eq!(first, Poll::Ready { user, org, scope: "offline_access".to_owned() });
        grant.state = after;
        assert_eq!(grant.poll(Timestamp(20), Millis::seconds(4)).0, Poll::Used);
    }

    #[test]
    fn polling_too_fast_is_told_and_polling_slowly_is_not() {
        let mut grant = grant(GrantState::Pending { last_poll: None });
        let pause = Millis::seconds(4);
        let mut ask = |at| {
            let (answer, after) = grant.poll(Timestamp(at), pause);
            grant.state = after;
            answer
        };
        assert_eq!(ask(0), Poll::Pending);
        assert_eq!(ask(5_000), Poll::Pending);
        assert_eq!(ask(6_000), Poll::TooSoon);
        assert_eq!(ask(900_000), Poll::Expired);
    }
}
