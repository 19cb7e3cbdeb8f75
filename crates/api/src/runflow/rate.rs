//! How many calls an organization makes, and how many it may make yet.

use axum::extract::{Request, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use service::Allowance;

use super::problem::Problem;
use crate::{Front, bearer};

const LIMIT: HeaderName = HeaderName::from_static("x-ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("x-ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("x-ratelimit-reset");

/// Counts a call, and answers it unless there were too many.
pub(crate) async fn limit(State(front): State<Front>, request: Request, next: Next) -> Response {
    // Whoever has no key is counted nowhere: they are refused anyway, or ask for what costs nothing.
    let org = match bearer::caller(request.headers(), &front.service).await {
        Ok(caller) => caller.default_org(),
        Err(_) => None,
    };
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
