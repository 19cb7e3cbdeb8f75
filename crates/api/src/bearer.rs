//! Who asks, by the bearer token of a request (RFC 6750, section 2.1). Every face reads it alike.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use domain::access::Caller;
use service::{Refusal, Service, TokenFault};

/// The caller whose access token or API key a request carries.
pub(crate) async fn caller(headers: &HeaderMap, service: &Service) -> Result<Caller, Refusal> {
    let fault = Refusal::Unauthenticated;
    let header = headers.get(AUTHORIZATION).ok_or_else(|| fault(TokenFault::Missing))?;
    let text = header.to_str().map_err(|_| fault(TokenFault::Invalid))?.trim();
    let (scheme, token) = text.split_once(' ').ok_or_else(|| fault(TokenFault::Invalid))?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(fault(TokenFault::Missing));
    }
    let caller = service.bearer(token.trim()).await?;
    if let Some(org) = caller.default_org() {
        crate::observe::note_org(org);
    }
    Ok(caller)
}
