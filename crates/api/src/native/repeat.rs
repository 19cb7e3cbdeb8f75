//! `idempotency-key`: a request that is sent again with the same key does nothing more and gets the same answer.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, HeaderName, LOCATION};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::time::Millis;
use futures::FutureExt;
use service::Service;
use sha2::{Digest, Sha256};
use tracing::{Instrument, Span};
use uuid::Uuid;

use super::asker::choice_of;
use super::problem::{Problem, seal};
use crate::body::read_all;
use crate::form::Pairs;
use crate::observe::chain;
use crate::paths::Received;
use crate::{Front, bearer};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Headers that belong to an answer, rather than to its way here.
const KEPT: [HeaderName; 5] =
    [CONTENT_TYPE, CACHE_CONTROL, ETAG, LOCATION, HeaderName::from_static("x-error-code")];
/// Largest answer that is kept, in bytes.
const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What a request derives its ids from, so that whoever repeats it makes nothing twice.
#[derive(Clone, Copy)]
pub(crate) struct Seed(pub(crate) Uuid);

impl FromRequestParts<Front> for Seed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        Ok(parts.extensions.get().copied().unwrap_or_else(|| Self(front.service.fresh_id())))
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
    let key = key.to_str().map_err(|_| {
        let detail = "the idempotency key is no plain text; use letters and digits";
        Problem::new(StatusCode::BAD_REQUEST, "request_invalid", detail)
    })?;
    let caller = bearer::caller(request.headers(), &front.service).await?;
    let (mut parts, body) = request.into_parts();
    let choice = choice_of(&Pairs::parse(parts.uri.query().unwrap_or_default().as_bytes()));
    let path = parts.extensions.get::<Received>().map_or_else(String::new, |it| it.path.clone());
    let body = read_all(body, front.settings.bytes_max_at(parts.uri.path())).await?;
    let mut told_apart = Sha256::new();
    for part in [parts.method.as_str(), &path, parts.uri.query().unwrap_or_default()] {
        told_apart.update(part);
        told_apart.update([0]);
    }
    told_apart.update(&body);
    let fingerprint = told_apart.finalize().into();
    let (slot, begun) = front.service.begin_repeatable(&caller, &choice, key, fingerprint).await?;
    match begun {
        Begun::First { seed } => {
            parts.extensions.insert(Seed(seed));
            let answered = next.run(Request::from_parts(parts, Body::from(body)));
            // A client that goes away leaves nothing half done: the work goes on, and its answer is kept.
            let done = tokio::spawn(keep(front.service, slot, path, answered).instrument(Span::current()));
            done.await.map_err(|_| Problem::internal())
        }
        Begun::Done(kept) => Ok(replay(kept)),
        Begun::InFlight => Err(Problem::new(
            StatusCode::CONFLICT,
            "request_in_flight",
            "the first request with this idempotency key is still being answered; send it again shortly",
        )
        .after(Millis::seconds(1))),
        Begun::OtherRequest => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "idempotency_key_reused",
            "this idempotency key came with another request before; use a new one for each request",
        )),
    }
}

/// Waits for the answer and keeps it, unless it says that trying again may help.
async fn keep(
    service: Service,
    slot: Slot,
    path: String,
    answered: impl Future<Output = Response>,
) -> Response {
    let answered = AssertUnwindSafe(answered).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Problem::internal().into_response()
    });
    let response = seal(response, &path);
    let status = response.status();
    let again = [StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS].contains(&status);
    if status.is_server_error() || again {
        if let Err(refusal) = service.free_repeatable(&slot).await {
            tracing::warn!(error = %chain(&refusal), "cannot free an idempotency key");
        }
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(body) = read_all(body, ANSWER_BYTES_MAX).await else {
        return Problem::internal().into_response();
    };
    if parts.extensions.get::<HoldsSecret>().is_some() {
        keep_stand_in(&service, &slot, &path).await;
    } else {
        file(&service, &slot, status, &parts.headers, &body).await;
    }
    Response::from_parts(parts, Body::from(body))
}

/// Keeps, for an answer with a secret, that it was given.
async fn keep_stand_in(service: &Service, slot: &Slot, path: &str) {
    let told = Problem::new(
        StatusCode::CONFLICT,
        "secret_shown_once",
        "it was done, and its secret was shown then and is not kept; make another one with a new idempotency key",
    );
    let (parts, body) = seal(told.into_response(), path).into_parts();
    if let Ok(body) = read_all(body, ANSWER_BYTES_MAX).await {
        file(service, slot, parts.status, &parts.headers, &body).await;
    }
}

async fn file(service: &Service, slot: &Slot, status: StatusCode, headers: &HeaderMap, body: &[u8]) {
    let text = |name: &HeaderName| Some((name.to_string(), headers.get(name)?.to_str().ok()?.to_owned()));
    let kept = KeptAnswer {
        status: status.as_u16(),
        headers: KEPT.iter().filter_map(text).collect(),
        body: body.to_vec(),
    };
    if let Err(refusal) = service.finish_repeatable(slot, &kept).await {
        // What was done is done; whoever tries again is held off until the lease is over, and then makes nothing twice.
        tracing::warn!(error = %chain(&refusal), "cannot keep an answer");
    }
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
    response
}
