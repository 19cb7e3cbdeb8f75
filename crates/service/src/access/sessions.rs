//! Browsers that people are signed in with.

use std::net::IpAddr;

use domain::access::{Caller, Scopes, User};
use domain::account::Session;
use domain::id::{OrgId, UserId};

use super::{neighbourhood, secret};
use crate::{Refusal, Service, Thing};

/// Longest session secret looked up, in bytes; a longer one is nobody's.
const SECRET_BYTES_MAX: usize = 100;

/// Somebody who is signed in with a browser.
#[derive(Clone)]
pub struct Visitor {
    /// Who they are.
    pub user: User,
    /// What they may do. Its selected organization is the one they chose to look at.
    pub caller: Caller,
    /// The secret in their cookie.
    secret: String,
}

/// Says nothing of the secret.
impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visitor").field("user", &self.user.id).finish_non_exhaustive()
    }
}

impl Visitor {
    /// What their forms carry to show that they came from our pages: made from the session's secret, so that it is worth
    /// nothing in another session.
    pub fn form_token(&self) -> String {
        let hash = secret::hash(&format!("form {}", self.secret)).0;
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The secret that belongs into their cookie.
    pub fn secret(&self) -> &str {
        &self.secret
    }
}

impl Service {
    pub(crate) fn try_once(&self, who: &str) -> Result<(), Refusal> {
        let settings = &self.0.settings;
        self.0.tries.begin(who, self.now(), settings.wrong_tries_max, settings.wrong_tries_window)
    }

    /// The user of that sign-in name and password. Wrong ones are counted by address, at whatever names, and by name from
    /// all addresses together, of which many more are allowed: nobody keeps a user out by guessing. Opens no session.
    /// Refuses with [`Refusal::WrongPassword`] and [`Refusal::TooManyTries`].
    pub async fn authenticate(&self, email: &str, password: &str, from: IpAddr) -> Result<Caller, Refusal> {
        let by_address = format!("password from {}", neighbourhood(from));
        let by_name = format!("password for {}", email.trim().to_lowercase());
        self.try_once(&by_address)?;
        let settings = &self.0.settings;
        let most = settings.wrong_tries_for_a_name_max;
        let let_in = self.0.tries.begin(&by_name, self.now(), most, settings.wrong_tries_window);
        if let Err(refusal) = let_in {
            // Nothing was guessed from there.
            self.0.tries.take_back(&by_address);
            return Err(refusal);
        }
        let found =
            self.0.store.user_by_email(email.trim()).await.map_err(Refusal::store("look up the user"))?;
        let (user, stored) = match found {
            Some(found) => (Some(found.user.id), Some(found.password_hash)),
            None => (None, None),
        };
        let fits = self.0.passwords.fits(password, stored).await?;
        let Some(user) = user.filter(|_| fits) else {
            tracing::warn!(%from, "a wrong e-mail address or password");
            return Err(Refusal::WrongPassword);
        };
        self.0.tries.take_back(&by_address);
        self.0.tries.take_back(&by_name);
        self.caller(user, None).await
    }

    pub(crate) async fn caller(&self, user: UserId, selected: Option<OrgId>) -> Result<Caller, Refusal> {
        let memberships =
            self.0.store.memberships(&user).await.map_err(Refusal::store("look up your organizations"))?;
        Ok(Caller { user, memberships, selected, scopes: Scopes::All })
    }

    /// Opens a session for somebody who has just proved who they are. Its secret is new, whatever the browser had before.
    pub async fn open_session(&self, caller: Caller) -> Result<Visitor, Refusal> {
        let doing = "open a session";
        let (now, secret) = (self.now(), secret::fresh());
        let session = Session {
            secret: secret::hash(&secret),
            user: caller.user.clone(),
            org: caller.selected,
            made_at: now,
            last_seen_at: now,
            expires_at: now + self.0.settings.session_lifetime,
        };
        let user = self.user_of(&caller, doing).await?;
        self.0.store.open_session(&session).await.map_err(Refusal::store(doing))?;
        tracing::info!(user.id = %user.id, "user `{}` signed in", user.id);
        Ok(Visitor { user, caller, secret })
    }

    /// Signs somebody in: [`authenticate`](Self::authenticate), then [`open_session`](Self::open_session).
    pub async fn sign_in(&self, email: &str, password: &str, from: IpAddr) -> Result<Visitor, Refusal> {
        let caller = self.authenticate(email, password, from).await?;
        self.open_session(caller).await
    }

    /// Who holds the session of that secret, if it is still good. Their memberships are read afresh.
    pub async fn visitor(&self, secret: &str) -> Result<Option<Visitor>, Refusal> {
        if secret.is_empty() || secret.len() > SECRET_BYTES_MAX {
            return Ok(None);
        }
        let doing = "look up the session";
        let idle = self.0.settings.session_idle;
        let found = self.0.store.session(secret::hash(secret), idle).await.map_err(Refusal::store(doing))?;
        let Some(session) = found else {
            return Ok(None);
        };
        let caller = self.caller(session.user, session.org).await?;
        let user = self.user_of(&caller, doing).await?;
        Ok(Some(Visitor { user, caller, secret: secret.to_owned() }))
    }

    /// Ends a session. One that is over already is fine.
    pub async fn sign_out(&self, secret: &str) -> Result<(), Refusal> {
        self.0.store.close_session(secret::hash(secret)).await.map_err(Refusal::store("end the session"))
    }

    /// Ends every session of the visitor but this one, and answers how many there were.
    pub async fn sign_out_elsewhere(&self, visitor: &Visitor) -> Result<u64, Refusal> {
        let keep = Some(secret::hash(&visitor.secret));
        let closed = self.0.store.close_sessions(&visitor.user.id, keep).await;
        closed.map_err(Refusal::store("end your other sessions"))
    }

    /// Looks at another organization of theirs from now on.
    pub async fn select_org(&self, visitor: &Visitor, org: OrgId) -> Result<(), Refusal> {
        let selected = self.0.store.select_org(secret::hash(&visitor.secret), org).await;
        match selected.map_err(Refusal::store("choose the organization"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Org, org)),
        }
    }

    /// The caller's own record.
    pub async fn profile(&self, caller: &Caller) -> Result<User, Refusal> {
        self.user_of(caller, "read your profile").await
    }

    async fn user_of(&self, caller: &Caller, doing: &'static str) -> Result<User, Refusal> {
        let found = self.0.store.user(&caller.user).await.map_err(Refusal::store(doing))?;
        Ok(found.ok_or_else(|| Refusal::missing(Thing::User, &caller.user))?.user)
    }
}
