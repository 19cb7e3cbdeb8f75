//! Access tokens: JWTs signed with Ed25519 (RFC 8037), typed as RFC 9068 says, and the key set that proves them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use domain::access::Connection;
use domain::id::{OrgId, UserId};
use domain::time::{Millis, Timestamp};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, JwkSet, KeyAlgorithm, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::Serialize;
use serde_json::{Map, Value, json};
use store::SigningKey;

use super::secret;
use crate::{Refusal, Service, TokenFault};

/// The type of an access token, so that no other kind of token passes for one.
const ACCESS_TOKEN: &str = "at+jwt";
/// Keys are read from the store again after this long.
const READ_AGAIN: Millis = Millis::seconds(300);
/// An unknown key's name makes them be read again, but not more often than this.
const READ_AGAIN_FOR_UNKNOWN: Millis = Millis::seconds(5);
/// A private key as PKCS #8 (RFC 8410) is this, then its 32 bytes.
const PKCS8_ED25519: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];

/// The public halves of the keys that sign access tokens (RFC 7517).
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct KeySet(JwkSet);

struct Key {
    kid: String,
    private: EncodingKey,
    public: DecodingKey,
    jwk: Jwk,
}

struct Ring {
    read_at: Timestamp,
    /// Newest first; never empty.
    keys: Vec<Key>,
}

/// The keys that sign access tokens, as they were read last.
#[derive(Default)]
pub(crate) struct Signers(Mutex<Option<Arc<Ring>>>);

/// Who an access token was made for.
pub(crate) struct Claims {
    pub(crate) user: UserId,
    pub(crate) selected: Option<OrgId>,
}

/// A new key, named at random.
pub(crate) fn fresh_signing_key(now: Timestamp) -> SigningKey {
    let mut private = PKCS8_ED25519.to_vec();
    private.extend_from_slice(&secret::bytes::<32>());
    SigningKey { kid: secret::fresh()[..12].to_owned(), private, created_at: now }
}

impl Key {
    fn new(key: &SigningKey) -> Result<Self, jsonwebtoken::errors::Error> {
        let private = EncodingKey::from_ed_der(&key.private);
        let mut jwk = Jwk::from_encoding_key(&private, Algorithm::EdDSA)?;
        jwk.common.key_id = Some(key.kid.clone());
        jwk.common.key_algorithm = Some(KeyAlgorithm::EdDSA);
        jwk.common.public_key_use = Some(PublicKeyUse::Signature);
        let public = DecodingKey::from_jwk(&jwk)?;
        Ok(Self { kid: key.kid.clone(), private, public, jwk })
    }
}

impl Service {
    async fn keys(&self, fresher_than: Millis) -> Result<Arc<Ring>, Refusal> {
        let now = self.now();
        let slot = &self.0.signers.0;
        let known = slot.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(ring) = known
            && now >= ring.read_at
            && now - ring.read_at < fresher_than
        {
            return Ok(ring);
        }
        let doing = "read the keys that sign tokens";
        let stored = self.0.store.signing_keys().await.map_err(Refusal::store(doing))?;
        let keys: Result<Vec<_>, _> = stored.iter().map(Key::new).collect();
        let keys = keys.map_err(|source| Refusal::Ours { doing, source: Box::new(source) })?;
        if keys.is_empty() {
            return Err(Refusal::Unavailable("the server has no key to sign tokens with".to_owned()));
        }
        let ring = Arc::new(Ring { read_at: now, keys });
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(ring.clone());
        Ok(ring)
    }

    /// The public halves of the keys, for those who want to check our tokens.
    pub async fn key_set(&self) -> Result<KeySet, Refusal> {
        let ring = self.keys(READ_AGAIN).await?;
        Ok(KeySet(JwkSet { keys: ring.keys.iter().map(|key| key.jwk.clone()).collect() }))
    }

    /// A fresh access token for a connection, asked for by that client.
    pub(crate) async fn access_token(
        &self,
        connection: &Connection,
        client: &str,
    ) -> Result<String, Refusal> {
        let settings = &self.0.settings;
        let mut claims = self.usual_claims(connection, &settings.audience, settings.access_token_lifetime);
        claims.insert("azp".to_owned(), json!(client));
        claims.insert("scope".to_owned(), json!(connection.scope));
        claims.insert("sid".to_owned(), json!(connection.id));
        claims.insert("jti".to_owned(), json!(self.0.ids.next()));
        claims.insert(format!("{}selectedOrganization", settings.claim_namespace), json!(connection.org));
        self.sign(ACCESS_TOKEN, &claims).await
    }

    /// A token that tells the client who its user is (OpenID Connect Core 1.0, section 2). Opens nothing.
    pub(crate) async fn id_token(&self, connection: &Connection, client: &str) -> Result<String, Refusal> {
        let claims = self.usual_claims(connection, client, self.0.settings.access_token_lifetime);
        self.sign("JWT", &claims).await
    }

    fn usual_claims(&self, connection: &Connection, audience: &str, lifetime: Millis) -> Map<String, Value> {
        let seconds = self.now().0 / 1000;
        let claims = json!({
            "iss": self.0.settings.issuer,
            "sub": connection.user,
            "aud": audience,
            "iat": seconds,
            "exp": seconds + lifetime.0 / 1000,
        });
        match claims {
            Value::Object(claims) => claims,
            _ => Map::new(),
        }
    }

    async fn sign(&self, typ: &str, claims: &Map<String, Value>) -> Result<String, Refusal> {
        let ring = self.keys(READ_AGAIN).await?;
        let key = &ring.keys[0];
        let header =
            Header { typ: Some(typ.to_owned()), kid: Some(key.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        jsonwebtoken::encode(&header, claims, &key.private)
            .map_err(|source| Refusal::Ours { doing: "sign a token", source: Box::new(source) })
    }

    /// Who an access token was made for, if it is one of ours and still good. The algorithm is ours to choose: what the
    /// token says about it is checked, never followed.
    pub(crate) async fn check_access_token(&self, token: &str) -> Result<Claims, Refusal> {
        let invalid = || Refusal::Unauthenticated(TokenFault::Invalid);
        let header = jsonwebtoken::decode_header(token).map_err(|_| invalid())?;
        if header.alg != Algorithm::EdDSA || header.typ.as_deref() != Some(ACCESS_TOKEN) {
            return Err(invalid());
        }
        let kid = header.kid.ok_or_else(invalid)?;
        let mut ring = self.keys(READ_AGAIN).await?;
        if !ring.keys.iter().any(|key| key.kid == kid) {
            ring = self.keys(READ_AGAIN_FOR_UNKNOWN).await?;
        }
        let key = ring.keys.iter().find(|key| key.kid == kid).ok_or_else(invalid)?;
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_required_spec_claims(&["exp", "aud", "iss", "sub"]);
        validation.set_audience(&[&self.0.settings.audience]);
        validation.set_issuer(&[&self.0.settings.issuer]);
        // Time is the store's: checked below.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<HashMap<String, Value>>(token, &key.public, &validation)
            .map_err(|error| match error.kind() {
                ErrorKind::ExpiredSignature => Refusal::Unauthenticated(TokenFault::Expired),
                _ => invalid(),
            })?
            .claims;
        let number = |name: &str| claims.get(name).and_then(Value::as_i64);
        let now = self.now().0 / 1000;
        if now >= number("exp").ok_or_else(invalid)? {
            return Err(Refusal::Unauthenticated(TokenFault::Expired));
        }
        let user = claims.get("sub").and_then(Value::as_str).ok_or_else(invalid)?;
        let selected = claims
            .get(&format!("{}selectedOrganization", self.0.settings.claim_namespace))
            .and_then(Value::as_str)
            .and_then(|org| org.parse().ok());
        Ok(Claims { user: UserId(user.to_owned()), selected })
    }
}
