//! `Idempotency-Key`: a POST that is sent again with the same key does nothing more and gets the same answer. A key belongs to an
//! organization, a method and a path.

use axum::body::Body;
use axum::extract::{FromRequestParts, Request, State};
use axum::http::header::{CONTENT_TYPE, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use domain::repeat::{Begun, KeptAnswer, Slot};
use domain::time::Millis;
use serde_json::Value;
use uuid::Uuid;

use super::asker::Asker;
use super::problem::{Problem, as_it_is, seal};
use crate::Front;
use crate::body::read_all;
use crate::repeat::{self, Dialect, KEY, fingerprint, replay};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");
/// Longest key, in bytes.
const KEY_BYTES_MAX: usize = 255;
const JSON: &str = "application/json";

/// This dialect's words on repeated requests.
struct Runflow;

impl Dialect for Runflow {
    const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;
    /// What another key, more credit or some time may change.
    const AGAIN: &'static [StatusCode] = &[
        StatusCode::UNAUTHORIZED,
        StatusCode::PAYMENT_REQUIRED,
        StatusCode::FORBIDDEN,
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_MANY_REQUESTS,
    ];

    fn failure() -> Response {
        Problem::internal().into_response()
    }

    fn shown_once() -> Response {
        Problem::conflict(
            "It was done, and its secret was shown then and is not kept; make another one with a new idempotency key.",
        )
        .into_response()
    }

    fn sealed(&self, response: Response) -> Response {
        seal(response)
    }
}

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
    // Whoever may not do it may not read what came of it, either.
    if let Some(scope) = scope_of(&path) {
        front.service.need_scope(&asker.caller, scope)?;
    }
    let fingerprint = fingerprint(&[], &body);
    let scope = format!("{} {path}", parts.method);
    let (slot, begun) = front.service.begin_shared_repeatable(asker.org, &scope, key, fingerprint).await?;
    match begun {
        Begun::First { seed } => {
            parts.extensions.insert(Once { seed, slot: Some(slot.clone()) });
            let answered = next.run(Request::from_parts(parts, Body::from(body)));
            Ok(repeat::first(front.service, slot, Runflow, answered).await)
        }
        Begun::Done(kept) => Ok(as_it_is(replay(kept, REPLAYED))),
        Begun::InFlight => Err(Problem::conflict(
            "The first request with this idempotency key is still being answered; send it again shortly.",
        )
        .after(Millis::seconds(1))),
        Begun::OtherRequest => Err(Problem::conflict(
            "This idempotency key came with another body before; use a new one for each request.",
        )),
    }
}

/// The scope that a POST at that path needs, where its answer may be given again.
fn scope_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.trim_start_matches("/v1/").trim_end_matches('/').split('/').collect();
    Some(match (*parts.first()?, *parts.last()?) {
        (_, "cancellation" | "callback-redeliveries") => "runs:execute",
        ("models", "runs" | "batches") | ("runs", "reruns") | ("comfyui-workflows", "runs") => "runs:create",
        ("comfyui-workflows", _) => "comfyui-workflows:create",
        ("asset-uploads" | "assets" | "asset-folders", _) => "assets:create",
        ("evaluations", _) => "evaluations:create",
        // What these answer holds a secret, and is not kept.
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every POST of the document has a scope here, but those whose answers are never kept.
    #[test]
    fn every_answer_that_is_given_again_needs_a_scope() {
        let document: Value = serde_json::from_str(super::super::status::DOCUMENT).expect("the document");
        let paths = document["paths"].as_object().expect("paths");
        let posts: Vec<_> = paths.iter().filter(|(_, methods)| methods["post"].is_object()).collect();
        assert!(posts.len() >= 15, "{}", posts.len());
        for (path, _) in posts {
            let has_secret = ["/v1/webhooks", "/v1/callback-secrets"].contains(&path.as_str());
            assert_eq!(scope_of(path).is_none(), has_secret, "{path}");
        }
        assert_eq!(scope_of("/v1/models/a/b/c/runs"), Some("runs:create"));
        assert_eq!(scope_of("/v1/models/a/b/batches/"), Some("runs:create"));
        assert_eq!(scope_of("/v1/admin/runs/x/cancellation"), Some("runs:execute"));
        assert_eq!(scope_of("/v1/comfyui-workflows"), Some("comfyui-workflows:create"));
        assert_eq!(scope_of("/v1/comfyui-workflows/a/b/runs"), Some("runs:create"));
    }
}
