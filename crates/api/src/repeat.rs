//! Requests that are sent again with the same key: the first one's answer is kept, and given again. Each dialect has its own
//! keys and its own words; what happens to the answer is the same.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::repeat::{KeptAnswer, Slot};
use futures::FutureExt;
use service::Service;
use sha2::{Digest, Sha256};
use tracing::{Instrument, Span};

use crate::body::read_all;
use crate::observe::chain;

/// By which clients name a request.
pub(crate) const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Headers that belong to an answer, rather than to its way here.
const KEPT: [HeaderName; 5] =
    [CONTENT_TYPE, CACHE_CONTROL, ETAG, LOCATION, HeaderName::from_static("x-error-code")];

/// What a dialect says where an answer is kept.
pub(crate) trait Dialect: Send + 'static {
    /// Largest answer that is kept, in bytes.
    const ANSWER_BYTES_MAX: usize;
    /// Answers, besides failures of ours, that another try may change: they are not kept.
    const AGAIN: &'static [StatusCode];

    /// The answer when something fails here.
    fn failure() -> Response;

    /// What is kept in place of an answer with a secret: that it was given.
    fn shown_once() -> Response;

    /// An answer as the dialect's clients read it.
    fn sealed(&self, response: Response) -> Response;
}

/// An answer with a secret that is shown once: it is given, but not kept for those who repeat the request.
pub(crate) struct ShownOnce<T>(pub(crate) T);

#[derive(Clone, Copy)]
struct HoldsSecret;

impl<T: IntoResponse> IntoResponse for ShownOnce<T> {
    fn into_response(self) -> Response {
        let mut response = self.0.into_response();
        response.extensions_mut().insert(HoldsSecret);
        response
    }
}

/// What tells a request from another with the same key.
pub(crate) fn fingerprint(parts: &[&str], body: &[u8]) -> [u8; 32] {
    let mut told_apart = Sha256::new();
    for part in parts {
        told_apart.update(part);
        told_apart.update([0]);
    }
    told_apart.update(body);
    told_apart.finalize().into()
}

/// Waits for the answer to a first request and keeps it. A client that goes away leaves nothing half done: the work goes on, and
/// its answer is kept.
pub(crate) async fn first<D: Dialect>(
    service: Service,
    slot: Slot,
    dialect: D,
    answered: impl Future<Output = Response> + Send + 'static,
) -> Response {
    let kept = keep(service, slot, dialect, answered).instrument(Span::current());
    tokio::spawn(kept).await.unwrap_or_else(|_| D::failure())
}

/// Keeps the answer, unless it says that trying again may help.
async fn keep<D: Dialect>(
    service: Service,
    slot: Slot,
    dialect: D,
    answered: impl Future<Output = Response>,
) -> Response {
    let answered = AssertUnwindSafe(answered).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        D::failure()
    });
    let response = dialect.sealed(response);
    let status = response.status();
    if status.is_server_error() || D::AGAIN.contains(&status) {
        if let Err(refusal) = service.free_repeatable(&slot).await {
            tracing::warn!(error = %chain(&refusal), "cannot free an idempotency key");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = read_all(body, D::ANSWER_BYTES_MAX).await else { return D::failure() };
    if parts.extensions.get::<HoldsSecret>().is_some() {
        let (parts, body) = dialect.sealed(D::shown_once()).into_parts();
        if let Ok(body) = read_all(body, D::ANSWER_BYTES_MAX).await {
            file(&service, &slot, parts.status, &parts.headers, &body).await;
        }
    } else {
        file(&service, &slot, status, &parts.headers, &body).await;
    }
    Response::from_parts(parts, Body::from(body))
}

async fn file(service: &Service, slot: &Slot, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let text = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    let kept = KeptAnswer {
        status: status.as_u16(),
        headers: KEPT.iter().filter_map(text).collect(),
        body: body.to_vec(),
    };
    // What was kept with what it tells of stays as it is.
    if let Err(refusal) = service.finish_repeatable(slot, &kept).await {
        // What was done is done; whoever tries again is held off until the lease is over, and then makes nothing twice.
        tracing::warn!(error = %chain(&refusal), "cannot keep an answer");
    }
}

/// The answer that was kept, with the header that says so.
pub(crate) fn replay(kept: KeptAnswer, replayed: HeaderName) -> Response {
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(replayed, HeaderValue::from_static("true"));
    response
}
