//! `Idempotency-Key`: a POST that is sent again with the same key does nothing more and gets the same answer. A key belongs to an
//! organization, a method and a path.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::time::Millis;
use futures::FutureExt;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::asker::Asker;
use super::problem::{Problem, as_it_is, seal};
use crate::Front;
use crate::body::read_all;
use crate::observe::chain;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
/// Largest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
const JSON: &str = "application/json";
/// Answers that another key, more credit or some time may change: they are not kept.
const AGAIN: [StatusCode; 5] = [
    StatusCode::UNAUTHORIZED,
    StatusCode::PAYMENT_REQUIRED,
    StatusCode::FORBIDDEN,
    StatusCode::REQUEST_TIMEOUT,
    StatusCode::TOO_MANY_REQUESTS,
];

/// What a request derives its ids from, and where its answer is kept.
#[derive(Clone, Debug)]
pub(crate) struct Once {
    /// What ids are derived from: the same each time.
    pub(crate) seed: Uuid,
    slot: Option<Slot>,
}

impl FromRequestParts<Front> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        let known = parts.extensions.get().cloned();
        Ok(known.unwrap_or_else(|| Self { seed: front.service.fresh_id(), slot: None }))
    }
}

impl Once {
    /// The answer to be kept in the transaction of what it tells of, if the request has a key.
    pub(crate) fn keep(self, status: StatusCode, body: &Value) -> Option<(Slot, KeptAnswer)> {
        let headers = vec![(CONTENT_TYPE.to_string(), JSON.to_owned())];
        let body = body.to_string().into_bytes();
        self.slot.map(|slot| (slot, KeptAnswer { status: status.as_u16(), headers, body }))
    }
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

/// Answers a POST with a key: as it was answered before, or by its handler.
pub(crate) async fn once(State(front): State<Front>, request: Request, next: Next) -> Response {
    let key = request.headers().get(KEY).filter(|_| *request.method() == Method::POST).cloned();
    match key {
        None => next.run(request).await,
        Some(key) => answer(front, key, request, next).await.unwrap_or_else(Problem::into_response),
    }
}

async fn answer(front: Front, key: HeaderValue, request: Request, next: Next) -> Result<Response, Problem> {
    let key = key.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_BYTES_MAX);
    let key = key.ok_or_else(|| {
        Problem::bad_request(format!("`Idempotency-Key` has 1 to {KEY_BYTES_MAX} visible ASCII characters."))
    })?;
    let (mut parts, body) = request.into_parts();
    let asker = Asker::from_request_parts(&mut parts, &front).await?;
    // A file is too large to be held for a comparison; a repeated upload of one makes a second asset.
    let is_file = parts
        .headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().to_ascii_lowercase().starts_with(b"multipart/"));
    if is_file {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    }
    let body = read_all(body, front.settings.inline_bytes_max).await?;
    let path = parts.uri.path().to_owned();
    let mut told_apart = Sha256::new();
    told_apart.update(parts.uri.query().unwrap_or_default());
    told_apart.update([0]);
    told_apart.update(&body);
    let fingerprint = told_apart.finalize().into();
    let scope = format!("{} {path}", parts.method);
    let (slot, begun) = front.service.begin_shared_repeatable(asker.org, &scope, key, fingerprint).await?;
    match begun {
        Begun::First { seed } => {
            parts.extensions.insert(Once { seed, slot: Some(slot.clone()) });
            let answered = next.run(Request::from_parts(parts, Body::from(body)));
            // A client that goes away leaves nothing half done: the work goes on, and its answer is kept.
            let done = tokio::spawn(keep(front, slot, answered).instrument(Span::current()));
            done.await.map_err(|_| Problem::internal())
        }
        Begun::Done(kept) => Ok(replay(kept)),
        Begun::InFlight => Err(Problem::conflict(
            "The first request with this idempotency key is still being answered; send it again shortly.",
        )
        .after(Millis::seconds(1))),
        Begun::OtherRequest => Err(Problem::conflict(
            "This idempotency key came with another body before; use a new one for each request.",
        )),
    }
}

/// Waits for the answer and keeps it, unless it says that trying again may help.
async fn keep(front: Front, slot: Slot, answered: impl Future<Output = Response>) -> Response {
    let answered = AssertUnwindSafe(answered).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Problem::internal().into_response()
    });
    let response = seal(response);
    let status = response.status();
    let again = AGAIN.contains(&status);
    if status.is_server_error() || again {
        if let Err(refusal) = front.service.free_repeatable(&slot).await {
            tracing::warn!(error = %chain(&refusal), "cannot free an idempotency key");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = read_all(body, ANSWER_BYTES_MAX).await else {
        return Problem::internal().into_response();
    };
    let (status, told) = if parts.extensions.get::<HoldsSecret>().is_some() {
        let told = Problem::conflict(
            "It was done, and its secret was shown then and is not kept; make another one with a new idempotency key.",
        );
        let (parts, body) = told.into_response().into_parts();
        (parts.status, read_all(body, ANSWER_BYTES_MAX).await.unwrap_or_default())
    } else {
        (status, body.clone())
    };
    let headers = vec![(CONTENT_TYPE.to_string(), JSON.to_owned())];
    let kept = KeptAnswer { status: status.as_u16(), headers, body: told.to_vec() };
    // What was kept with what it tells of stays as it is.
    if let Err(refusal) = front.service.finish_repeatable(&slot, &kept).await {
        tracing::warn!(error = %chain(&refusal), "cannot keep an answer");
    }
    Response::from_parts(parts, Body::from(body))
}

fn replay(kept: KeptAnswer) -> Response {
    let mut response = Response::new(Body::from(kept.body));
    *response.status_mut() = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    for (name, value) in kept.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    as_it_is(response)
}
