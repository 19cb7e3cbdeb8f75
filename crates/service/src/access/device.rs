//! Signing in a device that has no browser (RFC 8628), and what its refresh token gives afterwards.

use std::net::IpAddr;

use domain::access::{Caller, Connection, ConnectionKind, Consent, DeviceGrant, GrantState, Poll};
use domain::id::{ConnectionId, GrantId, OrgId, UserId};
use domain::time::{Millis, Timestamp};
use store::StoreError;
use uuid::Uuid;

use super::{neighbourhood, secret};
use crate::{Refusal, Service, Thing};

/// What every connection may do.
pub(crate) const SCOPE: &str = "offline_access";
/// Asks for an ID token beside the access token.
const OPENID: &str = "openid";
/// Polls may come this much sooner than the interval says.
const POLL_SLACK: Millis = Millis::seconds(1);
/// Longest name of a client.
const CLIENT_BYTES_MAX: usize = 200;
/// User codes tried before giving up on finding a free one.
const USER_CODE_DRAWS: usize = 10;

/// A device sign-in that has begun.
#[derive(Clone, Debug)]
pub struct DeviceStart {
    /// What the device polls with.
    pub device_code: String,
    /// What the person compares.
    pub user_code: String,
    /// Seconds until it is over.
    pub expires_in: i64,
    /// Seconds between two polls.
    pub interval: i64,
}

/// Tokens for a connection.
#[derive(Clone, Debug)]
pub struct Tokens {
    /// Opens everything, for a while.
    pub access_token: String,
    /// Gets further access tokens; present only when the connection is new.
    pub refresh_token: Option<String>,
    /// Says who the user is; present only when asked for.
    pub id_token: Option<String>,
    /// What the tokens allow.
    pub scope: String,
    /// Seconds the access token is good for.
    pub expires_in: i64,
}

/// Why there are no tokens.
#[derive(Debug, thiserror::Error)]
pub enum GrantRefusal {
    /// Nobody has decided.
    #[error("the user has not confirmed this device yet")]
    Pending,
    /// Asked too soon after the last time.
    #[error("the device polls too often; wait the interval between two polls")]
    SlowDown,
    /// Nobody decided in time.
    #[error("the device code has expired; ask for a new one")]
    Expired,
    /// A user said no.
    #[error("the user has refused this device")]
    Denied,
    /// The code or the token is unknown, used or revoked.
    #[error("the {0} is unknown, was used before or was revoked; sign in again")]
    Invalid(&'static str),
    /// Too many sign-ins were begun of late, from one address or by one user.
    #[error("too many sign-ins were begun of late; wait {} seconds and try again", (.retry_after.0.max(0) + 999) / 1000)]
    TooMany {
        /// How long to wait.
        retry_after: Millis,
    },
    /// The client may not sign in here.
    #[error("the client `{0}` may not sign in here")]
    UnknownClient(String),
    /// Something else.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// A device that asks to be let in, as the person who decides sees it.
#[derive(Clone, Debug)]
pub struct DeviceRequest {
    /// The code to compare.
    pub user_code: String,
    /// The client that asks.
    pub client: String,
    /// Since when.
    pub since: Timestamp,
}

/// What a person decides about a device.
#[derive(Clone)]
pub enum Decision {
    /// Let it act for the user who signs in so.
    Confirm {
        /// Sign-in name.
        email: String,
        /// Password.
        password: String,
    },
    /// Let it act for the caller, who is signed in, in that organization of theirs.
    ConfirmAs(Caller, OrgId),
    /// Turn it away. Needs no sign-in: whoever has the code in front of them may distrust it.
    Deny,
    /// Turn it away, says the caller, who is signed in.
    DenyAs(Caller),
}

impl Service {
    fn check_client(&self, client: &str) -> Result<(), GrantRefusal> {
        // It is kept, and shown to whoever confirms.
        if client.len() > CLIENT_BYTES_MAX || !client.bytes().all(|byte| byte.is_ascii_graphic()) {
            let start: String = client.chars().filter(|c| !c.is_control()).take(40).collect();
            return Err(GrantRefusal::UnknownClient(start));
        }
        match &self.0.settings.allowed_clients {
            Some(allowed) if !allowed.iter().any(|known| known == client) => {
                Err(GrantRefusal::UnknownClient(client.to_owned()))
            }
            _ => Ok(()),
        }
    }

    /// Begins to sign in a device, asked for from that address.
    pub async fn begin_device(
        &self,
        client: &str,
        scope: &str,
        from: IpAddr,
    ) -> Result<DeviceStart, GrantRefusal> {
        self.check_client(client)?;
        self.keep_pace(&format!("device code from {}", neighbourhood(from)))?;
        self.begin_sign_in(client, scope).await
    }

    /// Refuses whoever has begun too many sign-ins within a minute.
    pub(crate) fn keep_pace(&self, who: &str) -> Result<(), GrantRefusal> {
        let most = self.0.settings.device_codes_per_minute;
        match self.0.paces.begin(who, self.now(), most, Millis::seconds(60)) {
            Err(Refusal::TooManyTries { retry_after }) => Err(GrantRefusal::TooMany { retry_after }),
            begun => Ok(begun?),
        }
    }

    pub(crate) async fn begin_sign_in(&self, client: &str, scope: &str) -> Result<DeviceStart, GrantRefusal> {
        let openid = scope.split_whitespace().any(|word| word == OPENID);
        let device_code = secret::fresh();
        let now = self.now();
        let mut grant = DeviceGrant {
            id: GrantId(self.0.ids.next()),
            device_code: secret::hash(&device_code),
            user_code: secret::fresh_user_code(),
            client: client.to_owned(),
            scope: if openid { format!("{SCOPE} {OPENID}") } else { SCOPE.to_owned() },
            created_at: now,
            expires_at: now + self.0.settings.device_code_lifetime,
            state: GrantState::Pending { last_poll: None },
        };
        for _ in 0..USER_CODE_DRAWS {
            match self.0.store.begin_grant(&grant).await {
                Ok(()) => {
                    return Ok(DeviceStart {
                        device_code,
                        user_code: grant.user_code,
                        expires_in: self.0.settings.device_code_lifetime.0 / 1000,
                        interval: self.0.settings.device_poll_interval.0 / 1000,
                    });
                }
                Err(StoreError::Conflict(_)) => grant.user_code = secret::fresh_user_code(),
                Err(error) => return Err(Refusal::store("begin the sign-in")(error).into()),
            }
        }
        Err(Refusal::Unavailable("too many sign-ins are under way".to_owned()).into())
    }

    /// Tokens for a device whose user has confirmed it; once.
    pub async fn poll_device(&self, client: &str, device_code: &str) -> Result<Tokens, GrantRefusal> {
        self.check_client(client)?;
        let name = format!("device signed in by client `{}`", client.chars().take(60).collect::<String>());
        Ok(self.poll_sign_in(client, device_code, name).await?.1)
    }

    /// The new connection of that name, and its tokens.
    pub(crate) async fn poll_sign_in(
        &self,
        client: &str,
        device_code: &str,
        name: String,
    ) -> Result<(Connection, Tokens), GrantRefusal> {
        let refresh_token = format!("v1.{}", secret::fresh());
        let mut connection = Connection {
            id: ConnectionId(self.0.ids.next()),
            // The store fills these in from the grant, and the scope.
            user: UserId(String::new()),
            org: OrgId(Uuid::nil()),
            scope: String::new(),
            kind: ConnectionKind::Device,
            name,
            created_at: self.now(),
            refresh_token: secret::hash(&refresh_token),
            api_key: None,
        };
        let pause = Millis((self.0.settings.device_poll_interval.0 - POLL_SLACK.0).max(0));
        let polled = self.0.store.poll_grant(secret::hash(device_code), pause, &connection).await;
        match polled.map_err(Refusal::store("look up the sign-in"))? {
            Some(Poll::Ready { user, org, scope }) => {
                connection.user = user;
                connection.org = org;
                connection.scope = scope;
                let openid = connection.scope.split_whitespace().any(|word| word == OPENID);
                let id_token = match openid {
                    true => Some(self.id_token(&connection, client).await?),
                    false => None,
                };
                let access_token = self.access_token(&connection, client).await?;
                tracing::info!(connection.id = %connection.id, user.id = %connection.user, "a device signed in");
                let tokens = self.tokens(connection.clone(), access_token, Some(refresh_token), id_token);
                Ok((connection, tokens))
            }
            Some(Poll::Pending) => Err(GrantRefusal::Pending),
            Some(Poll::TooSoon) => Err(GrantRefusal::SlowDown),
            Some(Poll::Expired) => Err(GrantRefusal::Expired),
            Some(Poll::Denied) => Err(GrantRefusal::Denied),
            Some(Poll::Used) | None => Err(GrantRefusal::Invalid("device code")),
        }
    }

    fn tokens(
        &self,
        connection: Connection,
        access_token: String,
        refresh_token: Option<String>,
        id_token: Option<String>,
    ) -> Tokens {
        Tokens {
            access_token,
            refresh_token,
            id_token,
            scope: connection.scope,
            expires_in: self.0.settings.access_token_lifetime.0 / 1000,
        }
    }

    /// A further access token for a connection. The refresh token stays as it is, and any number of access tokens may
    /// be good at once: several processes share one refresh token.
    pub async fn refresh(&self, client: &str, refresh_token: &str) -> Result<Tokens, GrantRefusal> {
        self.check_client(client)?;
        let found = self.0.store.connection_by_refresh_token(secret::hash(refresh_token)).await;
        let connection = found
            .map_err(Refusal::store("look up the refresh token"))?
            .ok_or(GrantRefusal::Invalid("refresh token"))?;
        let access_token = self.access_token(&connection, client).await?;
        Ok(self.tokens(connection, access_token, None, None))
    }

    /// Ends a connection. Unknown tokens are fine (RFC 7009); access tokens already out stay good until they expire.
    pub async fn revoke(&self, refresh_token: &str) -> Result<(), Refusal> {
        let ended = self.0.store.revoke(secret::hash(refresh_token)).await;
        if let Some(connection) = ended.map_err(Refusal::store("revoke the token"))? {
            tracing::info!(connection.id = %connection, "revoked connection `{connection}`");
        }
        Ok(())
    }

    /// The open sign-in with that code, asked for from that address. Wrong codes are counted.
    pub async fn device_request(&self, user_code: &str, from: IpAddr) -> Result<DeviceRequest, Refusal> {
        let grant = self.open_grant(user_code, from).await?;
        Ok(DeviceRequest { user_code: grant.user_code, client: grant.client, since: grant.created_at })
    }

    async fn open_grant(&self, user_code: &str, from: IpAddr) -> Result<DeviceGrant, Refusal> {
        let who = format!("user code from {}", neighbourhood(from));
        self.try_once(&who)?;
        let missing = || Refusal::missing(Thing::DeviceCode, user_code.chars().take(20).collect::<String>());
        let tidy = secret::tidy_user_code(user_code).ok_or_else(missing)?;
        let found =
            self.0.store.grant_by_user_code(&tidy).await.map_err(Refusal::store("look up the code"))?;
        let grant = found.filter(|grant| grant.is_open(self.now())).ok_or_else(missing)?;
        self.0.tries.take_back(&who);
        Ok(grant)
    }

    /// A person's decision on a device. Wrong codes and wrong passwords are counted by address, wrong passwords by
    /// sign-in name too.
    pub async fn decide_device(
        &self,
        user_code: &str,
        decision: Decision,
        from: IpAddr,
    ) -> Result<(), Refusal> {
        let grant = self.open_grant(user_code, from).await?;
        let consent = match decision {
            Decision::Deny => Consent::No { by: None },
            Decision::DenyAs(caller) => {
                Consent::No { by: caller.default_org().map(|org| (caller.user, org)) }
            }
            Decision::ConfirmAs(caller, org) if caller.belongs_to(org) => {
                Consent::Yes { user: caller.user, org }
            }
            Decision::ConfirmAs(_, org) => {
                return Err(Refusal::NotAllowed(format!("you do not belong to organization `{org}`")));
            }
            Decision::Confirm { email, password } => {
                let caller = self.authenticate(&email, &password, from).await?;
                let org = caller.default_org().ok_or_else(|| {
                    Refusal::NotAllowed(
                        "you belong to no organization; ask an administrator to add you".to_owned(),
                    )
                })?;
                Consent::Yes { user: caller.user, org }
            }
        };
        let counted = self.0.store.decide_grant(grant.id, &consent).await;
        if counted.map_err(Refusal::store("record the decision"))? {
            tracing::info!(grant.id = %grant.id, "a device sign-in was decided");
            Ok(())
        } else {
            Err(Refusal::missing(Thing::DeviceCode, grant.user_code))
        }
    }
}

/// Says nothing of what it holds.
impl std::fmt::Debug for Decision {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Confirm { .. } => "Confirm(..)",
            Self::ConfirmAs(..) => "ConfirmAs(..)",
            Self::Deny => "Deny",
            Self::DenyAs(_) => "DenyAs(_)",
        })
    }
}
