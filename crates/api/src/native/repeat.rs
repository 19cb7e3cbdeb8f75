//! `idempotency-key`: a request that is sent again with the same key does nothing more and gets the same answer. A key belongs to
//! a user and an organization.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::HeaderName;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::repeat::Begun;
use domain::time::Millis;
use uuid::Uuid;

use super::asker::choice_of;
use super::problem::{Problem, seal};
use crate::body::read_all;
use crate::form::Pairs;
use crate::paths::Received;
use crate::repeat::{self, Dialect, KEY, fingerprint, replay};
use crate::{Front, bearer};

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// This interface's words on repeated requests, for the path that was asked for.
struct Native {
    path: String,
}

impl Dialect for Native {
    const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
    const AGAIN: &'static [StatusCode] = &[StatusCode::REQUEST_TIMEOUT, StatusCode::TOO_MANY_REQUESTS];

    fn failure() -> Response {
        Problem::internal().into_response()
    }

    fn shown_once() -> Response {
        Problem::new(
            StatusCode::CONFLICT,
            "secret_shown_once",
            "it was done, and its secret was shown then and is not kept; make another one with a new idempotency key",
        )
        .into_response()
    }

    fn sealed(&self, response: Response) -> Response {
        seal(response, &self.path)
    }
}

/// What a request derives its ids from, so that whoever repeats it makes nothing twice.
#[derive(Clone, Copy)]
pub(crate) struct Seed(pub(crate) Uuid);

impl FromRequestParts<Front> for Seed {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, front: &Front) -> Result<Self, Problem> {
        Ok(parts.extensions.get().copied().unwrap_or_else(|| Self(front.service.fresh_id())))
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
    let query = parts.uri.query().unwrap_or_default();
    let fingerprint = fingerprint(&[parts.method.as_str(), &path, query], &body);
    let (slot, begun) = front.service.begin_repeatable(&caller, &choice, key, fingerprint).await?;
    match begun {
        Begun::First { seed } => {
            parts.extensions.insert(Seed(seed));
            let answered = next.run(Request::from_parts(parts, Body::from(body)));
            Ok(repeat::first(front.service, slot, Native { path }, answered).await)
        }
        Begun::Done(kept) => Ok(replay(kept, REPLAYED)),
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
