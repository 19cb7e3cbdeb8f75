//! Programs that act for people: listed, named, made with their secrets shown once, ended.

use domain::access::{Caller, Connection, ConnectionKind, ListedConnection};
use domain::id::{ConnectionId, OrgId};

use super::device::{DeviceStart, GrantRefusal, SCOPE, Tokens};
use super::members::tidy_name;
use super::scopes::scope_of;
use super::secret::{self, KeyFormat};
use crate::{Refusal, Service, Thing};

/// The client our own pages sign devices in as.
const PAGES: &str = "packshot";

/// An API key to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyDraft {
    /// Its name for people.
    pub name: String,
    /// How it begins.
    pub format: KeyFormat,
    /// What it is limited to; everything its user may do if there are none.
    pub scopes: Option<Vec<String>>,
}

impl From<&str> for KeyDraft {
    /// A key that is not limited.
    fn from(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }
}

/// An API key just made. It is shown once: only its hash is kept.
#[derive(Clone)]
pub struct MadeApiKey {
    /// The connection.
    pub connection: ConnectionId,
    /// The key.
    pub api_key: String,
}

fn name_of(name: &str) -> Result<String, Refusal> {
    tidy_name(name)?.ok_or_else(|| Refusal::Invalid("the connection has no name; give it one".to_owned()))
}

impl Service {
    /// The caller's own connections, newest first: the newest `limit`, or those before one of them; in all their
    /// organizations or in that one.
    pub async fn own_connections(
        &self,
        caller: &Caller,
        org: Option<OrgId>,
        before: Option<ConnectionId>,
        limit: u32,
    ) -> Result<Vec<ListedConnection>, Refusal> {
        self.need_everything(caller)?;
        let mut among = caller.orgs();
        among.retain(|one| org.is_none_or(|org| org == *one));
        let listed = self.0.store.connections(&among, Some(&caller.user), before, limit).await;
        listed.map_err(Refusal::store("list your connections"))
    }

    /// Everybody's connections in an organization, newest first: the newest `limit`, or those before one of them. For
    /// administrators.
    pub async fn org_connections(
        &self,
        caller: &Caller,
        org: OrgId,
        before: Option<ConnectionId>,
        limit: u32,
    ) -> Result<Vec<ListedConnection>, Refusal> {
        self.need_admin(caller, org)?;
        let listed = self.0.store.connections(&[org], None, before, limit).await;
        listed.map_err(Refusal::store("list the connections"))
    }

    /// A connection that the caller may change: their own, or one in an organization of which they are administrator.
    async fn their_connection(&self, caller: &Caller, id: ConnectionId) -> Result<ListedConnection, Refusal> {
        self.need_everything(caller)?;
        let missing = || Refusal::missing(Thing::Connection, id);
        let found = self.0.store.connection(id).await.map_err(Refusal::store("look up the connection"))?;
        let found = found.filter(|found| caller.belongs_to(found.org)).ok_or_else(missing)?;
        if found.user.id != caller.user {
            self.need_admin(caller, found.org)?;
        }
        Ok(found)
    }

    /// Renames a connection: one's own, or as an administrator.
    pub async fn rename_connection(
        &self,
        caller: &Caller,
        id: ConnectionId,
        name: &str,
    ) -> Result<(), Refusal> {
        let name = name_of(name)?;
        let found = self.their_connection(caller, id).await?;
        let renamed = self.0.store.rename_connection(found.org, id, &name, Some(&caller.user)).await;
        match renamed.map_err(Refusal::store("rename the connection"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Connection, id)),
        }
    }

    /// Ends a connection: one's own, or as an administrator. Its refresh token and API key are worth nothing from now on;
    /// access tokens already out stay good until they expire.
    pub async fn end_connection(&self, caller: &Caller, id: ConnectionId) -> Result<(), Refusal> {
        let found = self.their_connection(caller, id).await?;
        let ended = self.0.store.end_connection(found.org, id, Some(&caller.user)).await;
        match ended.map_err(Refusal::store("end the connection"))? {
            true => {
                tracing::info!(connection.id = %id, "revoked connection `{id}`");
                Ok(())
            }
            false => Err(Refusal::missing(Thing::Connection, id)),
        }
    }

    /// Begins to make a device connection from our own pages: the caller then confirms its code as for any device, and
    /// [`finish_connection`](Self::finish_connection) has the tokens.
    pub async fn begin_connection(&self, caller: &Caller, name: &str) -> Result<DeviceStart, GrantRefusal> {
        self.need_everything(caller)?;
        name_of(name)?;
        self.keep_pace(&format!("device code for {}", caller.user))?;
        self.begin_sign_in(PAGES, SCOPE).await
    }

    /// The tokens of a device connection begun from our own pages; once. Refuses like
    /// [`poll_device`](Self::poll_device), and when somebody else than the caller confirmed the code: then nobody has the
    /// connection.
    pub async fn finish_connection(
        &self,
        caller: &Caller,
        device_code: &str,
        name: &str,
    ) -> Result<Tokens, GrantRefusal> {
        let name = name_of(name)?;
        let (connection, tokens) = self.poll_sign_in(PAGES, device_code, name).await?;
        if connection.user != caller.user {
            let ended = self.0.store.revoke(connection.refresh_token).await;
            ended.map_err(Refusal::store("end the connection"))?;
            return Err(Refusal::NotAllowed(
                "somebody else confirmed this code; begin again and confirm it yourself".to_owned(),
            )
            .into());
        }
        Ok(tokens)
    }

    /// Makes an API key that acts for the caller in an organization of theirs, and in no other.
    pub async fn make_api_key(
        &self,
        caller: &Caller,
        org: OrgId,
        draft: impl Into<KeyDraft>,
    ) -> Result<MadeApiKey, Refusal> {
        self.need_everything(caller)?;
        let KeyDraft { name, format, scopes } = draft.into();
        let name = name_of(&name)?;
        let scope = scope_of(SCOPE, format, scopes)?;
        if !caller.belongs_to(org) {
            return Err(Refusal::missing(Thing::Org, org));
        }
        let (id, api_key) = (ConnectionId(self.0.ids.next()), secret::fresh_api_key(format));
        let connection = Connection {
            id,
            user: caller.user.clone(),
            org,
            kind: ConnectionKind::ApiKey,
            name,
            created_at: self.now(),
            scope,
            // Of a token that nobody is given.
            refresh_token: secret::hash(&secret::fresh()),
            api_key: Some(secret::hash(&api_key)),
        };
        self.0.store.connect(&connection).await.map_err(Refusal::store("make an API key"))?;
        tracing::info!(connection.id = %id, "made API key `{id}`");
        Ok(MadeApiKey { connection: id, api_key })
    }
}
