//! Organizations, users, connections and sign-ins.

use async_trait::async_trait;
use domain::access::{Connection, Consent, DeviceGrant, Org, Poll, Role, SecretHash, User};
use domain::id::{ConnectionId, GrantId, OrgId, UserId};
use domain::page::{Page, Window};
use domain::time::{Millis, Timestamp};
use domain::workflow::Workflow;

use crate::{StoreError, TopUp};

/// What an empty system begins with.
#[derive(Clone, Debug)]
pub struct Founding {
    /// The organization, without members: `admin` becomes its first.
    pub org: Org,
    /// Its first user, an administrator.
    pub admin: NewUser,
    /// Its first workflows, in the order they are listed.
    pub workflows: Vec<Workflow>,
    /// Its first credits, entered into the ledger as a grant.
    pub credits: u32,
    /// Id of that ledger entry.
    pub grant: domain::id::EntryId,
    /// The first key that signs access tokens.
    pub signing_key: SigningKey,
}

/// A user with a password.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The user.
    pub user: User,
    /// The password's hash in PHC string format (argon2id).
    pub password_hash: String,
}

/// A key that signs access tokens.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Its name in token headers and in the published key set.
    pub kid: String,
    /// The private key, PKCS #8 DER.
    pub private: Vec<u8>,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey").field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// Organizations, users, connections and sign-ins.
#[async_trait]
pub trait Access: Send + Sync {
    /// Begins an empty system: organization, administrator, workflows, credits and key, all at once. Answers whether
    /// it did; a system that has an organization already is left as it is.
    async fn found(&self, founding: &Founding) -> Result<bool, StoreError>;

    /// Makes a further organization, with these workflows and first credits, and tells its audit. Its first member is
    /// `admin`, as an administrator: a new user, or the one of that id as they are. Members named in `org` itself are not
    /// looked at. Refuses with `Conflict` when a new user's sign-in name belongs to another user.
    async fn add_org(
        &self,
        org: &Org,
        admin: &NewUser,
        workflows: &[Workflow],
        credits: Option<&TopUp>,
    ) -> Result<(), StoreError>;

    /// Every organization with its members, oldest first: what a command at the terminal lists.
    async fn all_orgs(&self, window: Window) -> Result<Page<Org>, StoreError>;

    /// The keys that sign access tokens, newest first.
    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError>;

    /// The organizations that user belongs to, oldest membership first, with their role in each.
    async fn memberships(&self, user: &UserId) -> Result<Vec<(OrgId, Role)>, StoreError>;

    /// The organizations among these, with their members, in the order of their names.
    async fn orgs(&self, among: &[OrgId], window: Window) -> Result<Page<Org>, StoreError>;

    /// One organization with its members.
    async fn org(&self, org: OrgId) -> Result<Option<Org>, StoreError>;

    /// The oldest organization: what a command at the terminal means when it names none.
    async fn first_org(&self) -> Result<Option<Org>, StoreError>;

    /// The user of that sign-in name, in any case, with the hash of their password.
    async fn user_by_email(&self, email: &str) -> Result<Option<NewUser>, StoreError>;

    /// Files a connection, and tells the audit that its user made it. Its user must be a member of its organization, else it is refused with `Missing`.
    async fn connect(&self, connection: &Connection) -> Result<(), StoreError>;

    /// The connection that holds this refresh token and is not revoked. Its use is noted, at most once a minute.
    async fn connection_by_refresh_token(&self, token: SecretHash) -> Result<Option<Connection>, StoreError>;

    /// The connection that holds this API key and is not revoked. Its use is noted, at most once a minute.
    async fn connection_by_api_key(&self, key: SecretHash) -> Result<Option<Connection>, StoreError>;

    /// Ends the connection that holds this refresh token, tells the audit that its user did, and answers which it was. Unknown and ended ones are fine, and
    /// answered with nothing.
    async fn revoke(&self, token: SecretHash) -> Result<Option<ConnectionId>, StoreError>;

    /// Begins a device sign-in. Refuses with `Conflict` if an open one has the same user code.
    async fn begin_grant(&self, grant: &DeviceGrant) -> Result<(), StoreError>;

    /// The open sign-in with this user code, at the store's time.
    async fn grant_by_user_code(&self, user_code: &str) -> Result<Option<DeviceGrant>, StoreError>;

    /// A person's decision on an open sign-in: yes for an organization they are a member of, or no. Answers whether it
    /// counted: only the first decision on an open sign-in does. The audit tells of it where it names an organization.
    async fn decide_grant(&self, grant: GrantId, consent: &Consent) -> Result<bool, StoreError>;

    /// A device's poll. If it is ready, `connection` (its `user`, `org` and `scope` filled in from the grant) is filed and
    /// the grant used up in the same transaction, so that two polls racing get one set of tokens. `None`: no such code.
    async fn poll_grant(
        &self,
        device_code: SecretHash,
        least_pause: Millis,
        connection: &Connection,
    ) -> Result<Option<Poll>, StoreError>;
}
