//! People: their browsers, the links that invite them, their roles, and the connections that act for them.

use async_trait::async_trait;
use domain::access::{ListedConnection, Role, SecretHash};
use domain::account::{Invitation, Session};
use domain::id::{ConnectionId, InvitationId, OrgId, UserId};
use domain::time::Millis;

use crate::{NewUser, StoreError};

/// Who accepts an invitation.
#[derive(Clone, Debug)]
pub enum Joining {
    /// Somebody who had no account.
    New(NewUser),
    /// A user.
    Known(UserId),
}

/// How accepting an invitation went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Joined {
    /// They belong to the organization now, and the invitation is used.
    Yes {
        /// Which organization.
        org: OrgId,
    },
    /// There is no open invitation with that secret. Nothing was changed.
    Gone,
    /// The invitation is meant for somebody else. Nothing was changed.
    NotForThem,
    /// They belong to the organization already. Nothing was changed; the invitation is still open.
    Already,
}

/// How a change to a member went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberChange {
    /// It is as asked, and may have been so before.
    Done,
    /// The organization has no such member.
    Missing,
    /// It would leave the organization without an administrator. Nothing was changed.
    LastAdmin,
}

/// People. Whatever changes something here is told to the audit as `actor`'s doing; `None` stands for somebody at the
/// server's terminal.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// Files a session, and forgets those that are over.
    async fn open_session(&self, session: &Session) -> Result<(), StoreError>;

    /// The session with that secret, if it is good: not over, and seen within `idle`. Notes that it was seen, at most once
    /// a minute.
    async fn session(&self, secret: SecretHash, idle: Millis) -> Result<Option<Session>, StoreError>;

    /// Notes which organization a session looks at. Its user must be a member there; answers whether that is so.
    async fn select_org(&self, session: SecretHash, org: OrgId) -> Result<bool, StoreError>;

    /// Ends a session. An unknown one is fine.
    async fn close_session(&self, secret: SecretHash) -> Result<(), StoreError>;

    /// Ends every session of a user but the one to `keep`, and answers how many.
    async fn close_sessions(&self, user: &UserId, keep: Option<SecretHash>) -> Result<u64, StoreError>;

    /// A user, with the hash of their password.
    async fn user(&self, user: &UserId) -> Result<Option<NewUser>, StoreError>;

    /// Sets a user's names. Answers whether there is such a user.
    async fn set_names(
        &self,
        user: &UserId,
        given_name: Option<&str>,
        family_name: Option<&str>,
    ) -> Result<bool, StoreError>;

    /// Sets a user's password, and ends their sessions but the one to `keep`. Answers whether there is such a user.
    async fn set_password(
        &self,
        user: &UserId,
        password_hash: &str,
        keep: Option<SecretHash>,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError>;

    /// Makes somebody a member: a new user, or the one of that id as they are. Refuses with `Conflict` when they are one
    /// already, or when the sign-in name belongs to another user.
    async fn add_member(
        &self,
        org: OrgId,
        user: &NewUser,
        role: Role,
        actor: Option<&UserId>,
    ) -> Result<(), StoreError>;

    /// Changes a member's role. An operator invites nobody: the open invitations they made there are taken back.
    async fn set_role(
        &self,
        org: OrgId,
        user: &UserId,
        role: Role,
        actor: Option<&UserId>,
    ) -> Result<MemberChange, StoreError>;

    /// Ends a membership, and with it the connections that act for them there, the sign-ins they confirmed for it, the
    /// open invitations they made there, and their sessions' choice of it.
    async fn remove_member(
        &self,
        org: OrgId,
        user: &UserId,
        actor: Option<&UserId>,
    ) -> Result<MemberChange, StoreError>;

    /// Files an invitation. Who invites must be an administrator of its organization, else it is refused with `Missing`.
    async fn invite(&self, invitation: &Invitation) -> Result<(), StoreError>;

    /// The open invitations of an organization, oldest first.
    async fn invitations(&self, org: OrgId) -> Result<Vec<Invitation>, StoreError>;

    /// The open invitations that are meant for that sign-in name, of any organization, oldest first.
    async fn invitations_to(&self, email: &str) -> Result<Vec<Invitation>, StoreError>;

    /// Takes an open invitation back. Answers whether there was one.
    async fn revoke_invitation(
        &self,
        org: OrgId,
        invitation: InvitationId,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError>;

    /// The open invitation with that secret.
    async fn invitation(&self, secret: SecretHash) -> Result<Option<Invitation>, StoreError>;

    /// Lets somebody join by an invitation, which is used then. Refuses with `Conflict` when a new user's sign-in name
    /// belongs to another user.
    async fn accept_invitation(&self, secret: SecretHash, who: &Joining) -> Result<Joined, StoreError>;

    /// The newest `limit` connections in these organizations that are not revoked, newest first; of that user only, if one is
    /// named. With `before` only those made before that one, which may be revoked by now; none if there is no such.
    async fn connections(
        &self,
        among: &[OrgId],
        of: Option<&UserId>,
        before: Option<ConnectionId>,
        limit: u32,
    ) -> Result<Vec<ListedConnection>, StoreError>;

    /// One of them.
    async fn connection(&self, id: ConnectionId) -> Result<Option<ListedConnection>, StoreError>;

    /// Renames a connection of that organization. Answers whether there is one.
    async fn rename_connection(
        &self,
        org: OrgId,
        id: ConnectionId,
        name: &str,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError>;

    /// Ends a connection of that organization: its refresh token and its API key are worth nothing from now on. Answers
    /// whether there was one.
    async fn end_connection(
        &self,
        org: OrgId,
        id: ConnectionId,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError>;
}
