//! Credentials made at the terminal, for programs that act for a user.

use domain::access::{Connection, ConnectionKind, Role};
use domain::id::{ConnectionId, OrgId, UserId};

use super::secret::{self, KeyFormat};
use crate::{Refusal, Service};

/// A new connection's secrets. They are shown once: only their hashes are kept.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The connection.
    pub connection: ConnectionId,
    /// Where it acts.
    pub org: OrgId,
    /// For whom it acts.
    pub user: UserId,
    /// Gets access tokens.
    pub refresh_token: String,
    /// Works as a bearer token by itself.
    pub api_key: String,
}

impl Service {
    /// Makes credentials that act for the first administrator of the oldest organization. `name` is shown in lists.
    pub async fn create_credentials(&self, name: &str) -> Result<Credentials, Refusal> {
        let doing = "make credentials";
        let org = self.0.store.first_org().await.map_err(Refusal::store(doing))?.ok_or_else(|| {
            Refusal::Invalid("there is no organization yet; start the server once to make one".to_owned())
        })?;
        let admin = org.members.iter().find(|member| member.role == Role::Admin).ok_or_else(|| {
            Refusal::Invalid(format!("organization `{}` has no administrator to act for", org.name))
        })?;
        let credentials = Credentials {
            connection: ConnectionId(self.0.ids.next()),
            org: org.id,
            user: admin.user.id.clone(),
            refresh_token: format!("v1.{}", secret::fresh()),
            api_key: secret::fresh_api_key(KeyFormat::Packshot),
        };
        let connection = Connection {
            id: credentials.connection,
            user: credentials.user.clone(),
            org: credentials.org,
            kind: ConnectionKind::Credential,
            name: name.to_owned(),
            created_at: self.now(),
            scope: "offline_access".to_owned(),
            refresh_token: secret::hash(&credentials.refresh_token),
            api_key: Some(secret::hash(&credentials.api_key)),
        };
        self.0.store.connect(&connection).await.map_err(Refusal::store(doing))?;
        tracing::info!(connection.id = %connection.id, "made credentials `{name}`");
        Ok(credentials)
    }
}
