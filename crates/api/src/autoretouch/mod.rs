//! The AutoRetouch dialect. Its words (executions, credits charged, statuses in capitals) are known in this folder only.

pub(crate) mod asker;
pub(crate) mod batch;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod execution;
pub(crate) mod image;
pub(crate) mod organization;
pub(crate) mod page;
pub(crate) mod upload;
pub(crate) mod workflow;

mod status;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::Front;
use crate::paths::Received;
use error::{ErrorBody, Problem, Verbatim};

/// Refuses what a proxy before this server might read in another way (RFC 9112, sections 3.2 and 6.3).
pub(crate) async fn unambiguous(request: Request, next: Next) -> Response {
    match crate::body::ambiguity(&request) {
        None => next.run(request).await,
        Some(why) => Problem::invalid(why).into_response(),
    }
}

/// What a healthy server says.
#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `UP`.
    status: &'static str,
}

/// Says that the server is there.
#[utoipa::path(
    method(get, head),
    path = "/health",
    tag = "Health",
    operation_id = "health",
    security(()),
    responses((status = 200, description = "The server is there.", body = Health))
)]
pub(crate) async fn health() -> Json<Health> {
    Json(Health { status: "UP" })
}

/// Answers what no route answers.
pub(crate) async fn unknown_path() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "path_not_found",
        "there is nothing at this path; `/openapi.json` lists them",
    )
}

/// Answers a method that the path does not have.
pub(crate) async fn unknown_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not have this method; the `allow` header lists those it has",
    )
}

/// Gives every answer that is an error, from wherever it comes, the one body all errors have; and lets nobody keep an
/// answer that does not say it may be kept.
pub(crate) async fn seal(State(front): State<Front>, request: Request, next: Next) -> Response {
    let path =
        request.extensions().get::<Received>().map_or_else(String::new, |received| received.path.clone());
    let mut response =
        match futures::FutureExt::catch_unwind(std::panic::AssertUnwindSafe(next.run(request))).await {
            Ok(response) => response,
            Err(_) => {
                tracing::error!("a handler panicked");
                Problem::internal().into_response()
            }
        };
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if is_error && response.extensions().get::<Verbatim>().is_none() {
        let problem = response.extensions().get::<Problem>().cloned();
        let problem = problem.unwrap_or_else(|| Problem::new(status, "request_invalid", ""));
        let said = problem.said();
        let body = ErrorBody::new(&problem, front.service.now(), path);
        let (mut parts, _) = response.into_parts();
        parts.headers.remove(axum::http::header::CONTENT_LENGTH);
        parts.headers.remove(axum::http::header::CONTENT_TYPE);
        response = (parts.status, parts.headers, Json(body)).into_response();
        response.extensions_mut().insert(said);
    }
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
