//! How many calls an organization makes, and how many it may make yet.

use axum::extract::{FromRequestParts, Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use service::Allowance;

use super::asker::Asker;
use super::problem::Problem;
use crate::{Front, bearer};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts a call for the organization it is made for, and answers it unless there were too many.
pub(crate) async fn limit(State(front): State<Front>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let org = match Asker::from_request_parts(&mut parts, &front).await {
        Ok(asker) => Some(asker.org),
        // Whoever names an organization that is not theirs is counted for their own. Whoever has no key is counted nowhere: they
        // are refused anyway, or ask for what costs nothing.
        Err(_) => {
            bearer::caller(&parts.headers, &front.service).await.ok().and_then(|caller| caller.default_org())
        }
    };
    let request = Request::from_parts(parts, body);
    let allowance = org.map_or_else(|| front.service.whole_allowance(), |org| front.service.spend_call(org));
    let mut response = if allowance.is_over {
        Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            "RATE_LIMITED",
            format!(
                "Your organisation may make {} calls in each window; wait and try again.",
                allowance.limit
            ),
        )
        .after(allowance.resets_in)
        .into_response()
    } else {
        next.run(request).await
    };
    let Allowance { limit, remaining, resets_at, .. } = allowance;
    let headers = response.headers_mut();
    headers.insert(LIMIT, HeaderValue::from(limit));
    headers.insert(REMAINING, HeaderValue::from(remaining));
    headers.insert(RESET, HeaderValue::from(resets_at));
    response
}
