//! Who asks: access tokens, API keys, device sign-in (RFC 8628), passwords, browsers, and limits on guessing any of them.
//! And who is who: members, invitations, connections.

mod connections;
mod credentials;
mod device;
mod invitations;
mod members;
mod password;
mod scopes;
mod secret;
mod sessions;
mod token;
mod tries;

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use domain::access::{Caller, Role, Scopes};
use domain::id::{OrgId, UserId};
use domain::time::Timestamp;
use tracing::debug;

pub use connections::{KeyDraft, MadeApiKey};
pub use credentials::Credentials;
pub use device::{Decision, DeviceRequest, DeviceStart, GrantRefusal, Tokens};
pub use invitations::{InvitationView, MadeInvitation, NewAccount};
pub(crate) use members::tidy_name;
pub use members::{MadeUser, PASSWORD_CHARS_MIN, email_fault, password_fault};
pub(crate) use password::{Passwords, first_password, hash};
pub use scopes::KNOWN as KNOWN_SCOPES;
pub use secret::KeyFormat;
pub(crate) use secret::bytes as random_bytes;
pub use sessions::Visitor;
pub use token::KeySet;
pub(crate) use token::{Signers, fresh_signing_key};
pub(crate) use tries::{Tries, neighbourhood};

use crate::{Refusal, Service, TokenFault};

/// Users whose memberships are remembered at most; beyond that, everything is forgotten.
const REMEMBERED_MAX: usize = 10_000;

type Known = HashMap<UserId, (Timestamp, Vec<(OrgId, Role)>)>;

/// The organizations users belong to, remembered for a few seconds.
#[derive(Default)]
pub(crate) struct Memberships(Mutex<Known>);

impl Memberships {
    /// Looks into the store again for that user: their memberships have just changed.
    pub(crate) fn forget(&self, user: &UserId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(user);
    }
}

/// A random token in letters and digits, for forms.
pub fn form_token() -> String {
    secret::fresh()
}

/// A secret of 256 bits in 43 letters and digits.
pub(crate) fn fresh_secret() -> String {
    secret::fresh()
}

impl Service {
    /// Who holds that bearer token: an access token of ours, or an API key. A key acts in its organization alone; an access
    /// token in every organization of its user, unless told which.
    pub async fn bearer(&self, token: &str) -> Result<Caller, Refusal> {
        let (user, selected, only, scopes) = if let Some(format) = KeyFormat::of(token) {
            let unknown = || Refusal::Unauthenticated(TokenFault::Unknown);
            let key = secret::hash_api_key(token).ok_or_else(unknown)?;
            let found =
                self.0.store.connection_by_api_key(key).await.map_err(Refusal::store("check the key"))?;
            let connection = found.ok_or_else(unknown)?;
            (
                connection.user,
                Some(connection.org),
                Some(connection.org),
                scopes::scopes_of(format, &connection.scope),
            )
        } else {
            let claims = self.check_access_token(token).await?;
            (claims.user, claims.selected, None, Scopes::All)
        };
        let mut memberships = self.memberships(&user).await?;
        memberships.retain(|(org, _)| only.is_none_or(|only| only == *org));
        Ok(Caller { user, memberships, selected, scopes })
    }

    async fn memberships(&self, user: &UserId) -> Result<Vec<(OrgId, Role)>, Refusal> {
        let now = self.now();
        let remembered = &self.0.memberships.0;
        let known = remembered.lock().unwrap_or_else(PoisonError::into_inner).get(user).cloned();
        if let Some((since, found)) = known
            && now >= since
            && now - since < self.0.settings.membership_memory
        {
            return Ok(found);
        }
        let found =
            self.0.store.memberships(user).await.map_err(Refusal::store("look up your organizations"))?;
        let mut known = remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= REMEMBERED_MAX {
            debug!("forgetting {} memberships", known.len());
            known.clear();
        }
        known.insert(user.clone(), (now, found.clone()));
        Ok(found)
    }
}
