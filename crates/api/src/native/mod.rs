//! The native management interface, below [`ROOT`]: snake_case, problems (RFC 9457), pages from cursor to cursor. Shares
//! no words with the other faces.

mod archive;
mod asker;
mod audit;
mod component;
mod connection;
mod credit;
mod delivery;
mod document;
mod event;
mod limits;
mod me;
mod member;
mod order;
mod organization;
mod page;
mod problem;
mod repeat;
mod review;
mod run;
mod sent;
mod workflow;
mod zip;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any_service, get};
use futures::FutureExt;

use crate::paths::{self, Received};
use crate::{Front, observe};
use problem::Problem;

pub(crate) use document::{document, explain};

/// Where everything of this interface lies.
pub(crate) const ROOT: &str = "/packshot/v1";

/// The interface's routes, to be mounted at [`ROOT`].
pub(crate) fn router(front: Front) -> Router {
    let (routes, description) = document::routes().split_for_parts();
    let description = Arc::new(document::finish(description));
    let routes = routes
        .route("/openapi.json", get(move || crate::openapi::serve_document(description.clone())))
        .route("/problems/{code}", get(explain))
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(front.clone(), repeat::once))
        .layer(middleware::from_fn(unambiguous))
        .layer(middleware::from_fn(seal))
        .layer(middleware::from_fn_with_state(front.clone(), observe::observe))
        .layer(middleware::from_fn(paths::note))
        .with_state(front);
    // What is nested does not match its own root with a slash.
    Router::new().route(&format!("{ROOT}/"), any_service(routes.clone())).nest(ROOT, routes)
}

/// Answers what no route answers.
async fn unknown_path() -> Problem {
    let detail = format!("there is nothing at this path; `{ROOT}/openapi.json` lists them");
    Problem::new(StatusCode::NOT_FOUND, "path_not_found", detail)
}

/// Answers a method that the path does not have.
async fn unknown_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        "this path does not have this method; the `allow` header lists those it has",
    )
}

/// Refuses what a proxy before this server might read in another way.
async fn unambiguous(request: Request, next: Next) -> Response {
    match crate::body::ambiguity(&request) {
        None => next.run(request).await,
        Some(why) => Problem::new(StatusCode::BAD_REQUEST, "request_invalid", why).into_response(),
    }
}

/// Gives every answer that is an error the one body all errors have; and lets nobody keep an answer that does not say it
/// may be kept.
async fn seal(request: Request, next: Next) -> Response {
    let path = request.extensions().get::<Received>().map_or_else(String::new, |it| it.path.clone());
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Problem::internal().into_response()
    });
    let mut response = problem::seal(response, &path);
    let headers = response.headers_mut();
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}
