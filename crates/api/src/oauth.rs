//! Sign-in of devices and programs: RFC 8628 and RFC 7009, with the statuses of the service this dialect comes from.

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use serde_json::Value;
use service::access::{GrantRefusal, Tokens};
use service::{Refusal, Service};
use utoipa::ToSchema;

use crate::autoretouch::error::{Problem, Verbatim};
use crate::body::{BodyFault, read_all};
use crate::client::ClientAddress;
use crate::form::Pairs;
use crate::hosts::SignInUrl;
use crate::observe::Said;

const DEVICE_CODE_GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Longest form, in bytes.
const FORM_BYTES_MAX: usize = 16 * 1024;

/// A device sign-in that has begun.
#[derive(Serialize, ToSchema)]
pub(crate) struct DeviceCode {
    /// What the device polls with.
    device_code: String,
    /// What the person compares.
    #[schema(example = "KDRT-PWMN")]
    user_code: String,
    /// Where the person confirms.
    verification_uri: String,
    /// The same, with the code filled in.
    verification_uri_complete: String,
    /// Seconds until it is over.
    expires_in: i64,
    /// Seconds between two polls.
    interval: i64,
}

/// Tokens. Some clients refuse members they do not know, so there are no more than are asked for.
#[derive(Serialize, ToSchema)]
pub(crate) struct TokenSet {
    /// Opens everything, for a while.
    access_token: String,
    /// Gets further access tokens; only from a device code.
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    /// Says who the user is; only if the scope `openid` was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    id_token: Option<String>,
    /// What the tokens allow.
    scope: String,
    /// Seconds the access token is good for.
    expires_in: i64,
    /// `Bearer`.
    token_type: &'static str,
}

impl From<Tokens> for TokenSet {
    fn from(tokens: Tokens) -> Self {
        Self {
            access_token: tokens.access_token,
            refresh_token: tokens.refresh_token,
            id_token: tokens.id_token,
            scope: tokens.scope,
            expires_in: tokens.expires_in,
            token_type: "Bearer",
        }
    }
}

/// Why there are no tokens (RFC 6749, section 5.2).
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OauthError {
    /// Which error.
    #[schema(example = "authorization_pending")]
    error: &'static str,
    /// What was wrong and the way out.
    error_description: String,
    #[serde(skip)]
    status: u16,
    /// Seconds to wait.
    #[serde(skip)]
    retry_after: Option<i64>,
}

impl OauthError {
    fn new(status: StatusCode, error: &'static str, description: impl Into<String>) -> Self {
        Self { error, error_description: description.into(), status: status.as_u16(), retry_after: None }
    }

    fn lacks(field: &str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", format!("the form has no `{field}`"))
    }
}

impl From<GrantRefusal> for OauthError {
    fn from(refusal: GrantRefusal) -> Self {
        let (status, error) = match &refusal {
            GrantRefusal::Pending => (StatusCode::FORBIDDEN, "authorization_pending"),
            GrantRefusal::SlowDown => (StatusCode::TOO_MANY_REQUESTS, "slow_down"),
            GrantRefusal::Expired => (StatusCode::FORBIDDEN, "expired_token"),
            GrantRefusal::Denied => (StatusCode::FORBIDDEN, "access_denied"),
            GrantRefusal::Invalid(_) => (StatusCode::FORBIDDEN, "invalid_grant"),
            GrantRefusal::TooMany { .. } => (StatusCode::TOO_MANY_REQUESTS, "slow_down"),
            GrantRefusal::UnknownClient(_) => (StatusCode::UNAUTHORIZED, "unauthorized_client"),
            GrantRefusal::Refused(Refusal::Unavailable(_)) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")
            }
            GrantRefusal::Refused(_) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error"),
        };
        if let GrantRefusal::Refused(cause) = &refusal {
            tracing::error!(error = %crate::autoretouch::error::chain(cause), "cannot answer a sign-in");
        }
        let mut answer = Self::new(status, error, refusal.to_string());
        answer.retry_after = match &refusal {
            GrantRefusal::TooMany { retry_after } => Some((retry_after.0.max(0) + 999) / 1000),
            GrantRefusal::Refused(Refusal::Unavailable(_)) => Some(2),
            _ => None,
        };
        answer
    }
}

impl From<BodyFault> for OauthError {
    fn from(fault: BodyFault) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", fault.to_string())
    }
}

impl IntoResponse for OauthError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let said = Said { code: self.error, message: self.error_description.clone() };
        let retry_after = self.retry_after;
        let mut response = (status, [(CACHE_CONTROL, "no-store")], Json(self)).into_response();
        if let Some(seconds) = retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(Verbatim);
        response.extensions_mut().insert(said);
        response
    }
}

/// The fields of a request: a form, raw or percent-encoded, or a JSON object of strings.
async fn fields(headers: &HeaderMap, body: Body) -> Result<Pairs, OauthError> {
    let bytes = read_all(body, FORM_BYTES_MAX).await?;
    let is_json = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|kind| kind.to_ascii_lowercase().contains("json"));
    if !is_json {
        return Ok(Pairs::parse(&bytes));
    }
    let object: serde_json::Map<String, Value> = serde_json::from_slice(&bytes).map_err(|error| {
        let description = format!("the body is no JSON object: {error}");
        OauthError::new(StatusCode::BAD_REQUEST, "invalid_request", description)
    })?;
    let strings = object.into_iter().filter_map(|(name, value)| Some((name, value.as_str()?.to_owned())));
    Ok(strings.collect())
}

/// Begins to sign in a device.
#[utoipa::path(
    post,
    path = "/oauth/device/code",
    tag = "Sign-in",
    operation_id = "beginDeviceSignIn",
    security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
                 description = "`client_id`, `scope`; `audience` is ignored."),
    responses(
        (status = 200, description = "The codes.", body = DeviceCode),
        (status = 400, description = "A field is missing.", body = OauthError),
        (status = 401, description = "The client may not sign in here.", body = OauthError),
        (status = 429, description = "Too many sign-ins were begun from this address.", body = OauthError),
    )
)]
pub(crate) async fn device_code(
    State(service): State<Service>,
    ClientAddress(from): ClientAddress,
    SignInUrl(sign_in): SignInUrl,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<DeviceCode>, OauthError> {
    let fields = fields(&headers, body).await?;
    let client = fields.get("client_id").ok_or_else(|| OauthError::lacks("client_id"))?;
    let begun = service.begin_device(client, fields.get("scope").unwrap_or_default(), from).await?;
    let verification_uri = format!("{sign_in}/activate");
    Ok(Json(DeviceCode {
        verification_uri_complete: format!("{verification_uri}?user_code={}", begun.user_code),
        verification_uri,
        device_code: begun.device_code,
        user_code: begun.user_code,
        expires_in: begun.expires_in,
        interval: begun.interval,
    }))
}

/// Gives tokens for a device code that was confirmed, or an access token for a refresh token.
#[utoipa::path(
    post,
    path = "/oauth/token",
    tag = "Sign-in",
    operation_id = "getToken",
    security(()),
    request_body(content = String, content_type = "application/x-www-form-urlencoded",
                 description = "`grant_type`, `client_id`, and `device_code` or `refresh_token`."),
    responses(
        (status = 200, description = "The tokens.", body = TokenSet),
        (status = 400, description = "A field is missing, or the grant type is unknown.", body = OauthError),
        (status = 401, description = "The client may not sign in here.", body = OauthError),
        (status = 403, description = "Not confirmed yet, expired, refused, unknown, used or revoked.", body = OauthError),
        (status = 429, description = "Polled too often.", body = OauthError),
    )
)]
pub(crate) async fn token(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<TokenSet>, OauthError> {
    let fields = fields(&headers, body).await?;
    let need = |name: &'static str| fields.get(name).ok_or_else(|| OauthError::lacks(name));
    let tokens = match need("grant_type")? {
        DEVICE_CODE_GRANT => service.poll_device(need("client_id")?, need("device_code")?).await?,
        "refresh_token" => service.refresh(need("client_id")?, need("refresh_token")?).await?,
        other => {
            let start: String = other.chars().take(80).collect();
            let description = format!(
                "there is no grant type `{start}` here; use `{DEVICE_CODE_GRANT}` or `refresh_token`"
            );
            return Err(OauthError::new(StatusCode::BAD_REQUEST, "unsupported_grant_type", description));
        }
    };
    Ok(Json(tokens.into()))
}

/// Revokes a refresh token. Unknown ones are fine.
#[utoipa::path(
    post,
    path = "/oauth/revoke",
    tag = "Sign-in",
    operation_id = "revokeToken",
    security(()),
    request_body(content = String, content_type = "application/json",
                 description = "`client_id` and `token`, as JSON or as a form."),
    responses(
        (status = 200, description = "It is revoked, or never was."),
        (status = 400, description = "A field is missing.", body = OauthError),
    )
)]
pub(crate) async fn revoke(
    State(service): State<Service>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, OauthError> {
    let fields = fields(&headers, body).await?;
    let token = fields.get("token").ok_or_else(|| OauthError::lacks("token"))?;
    service.revoke(token).await.map_err(GrantRefusal::from)?;
    Ok(StatusCode::OK)
}

/// Shows the keys that prove access tokens (RFC 7517).
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "Sign-in",
    operation_id = "getKeySet",
    security(()),
    responses((status = 200, description = "The key set.", body = Object))
)]
pub(crate) async fn key_set(State(service): State<Service>) -> Result<Response, Problem> {
    let keys = service.key_set().await?;
    Ok(([(CACHE_CONTROL, "public, max-age=300")], Json(keys)).into_response())
}
