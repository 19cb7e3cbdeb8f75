//! The Runflow dialect, below `/v1`. Its words (models, assets, dispatches, outputs) are known in this folder only.

pub(crate) mod account;
pub(crate) mod asker;
pub(crate) mod asset;
pub(crate) mod attempt;
pub(crate) mod batch;
pub(crate) mod callback;
pub(crate) mod commission;
pub(crate) mod cors;
pub(crate) mod delivery;
pub(crate) mod deployment;
pub(crate) mod dispatch;
pub(crate) mod evaluation;
pub mod event;
pub(crate) mod file;
pub(crate) mod folder;
pub(crate) mod form;
pub(crate) mod listing;
pub(crate) mod log;
pub(crate) mod media;
pub mod model;
pub(crate) mod models;
pub(crate) mod node;
pub(crate) mod problem;
pub(crate) mod rate;
pub(crate) mod reference;
pub(crate) mod repeat;
pub(crate) mod rerun;
pub(crate) mod run;
pub(crate) mod secret;
pub(crate) mod status;
pub(crate) mod target;
pub(crate) mod upload;
pub(crate) mod view;
pub(crate) mod webhook;

use std::panic::AssertUnwindSafe;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::CACHE_CONTROL;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, patch, post, put};
use futures::FutureExt;
use tower::ServiceExt;

use crate::{Front, observe, paths};
use problem::Problem;

/// By which requests are found again in the log.
const REQUEST_ID: HeaderName = HeaderName::from_static("runflow-request-id");

/// What comes after `/v1/` in this dialect's paths and in none of the other's.
const PLACES: [&str; 21] = [
    "admin",
    "asset-folders",
    "asset-uploads",
    "assets",
    "auth",
    "batches",
    "billing",
    "callback-secrets",
    "comfyui-workflows",
    "credit-balances",
    "evaluations",
    "files",
    "model-creators",
    "models",
    "previews",
    "public",
    "readiness",
    "runs",
    "thumbnails",
    "uploads",
    "webhooks",
];
/// Paths of this dialect that begin as some of the other's do.
const SHARED: [&str; 2] = ["/v1/health", "/v1/openapi.json"];

/// Puts this dialect before the others: whatever lies in its places is answered in its words, be there something or not.
pub(crate) fn before(others: Router, front: Front) -> Router {
    let own = router(front);
    // Around the routes, not a layer on them: the path must be without its slash before a route is chosen.
    Router::new().fallback_service(tower::service_fn(move |request: Request| {
        let (request, router) =
            if is_own(request.uri().path()) { (trim(request), &own) } else { (request, &others) };
        router.clone().oneshot(request)
    }))
}

fn is_own(path: &str) -> bool {
    let place = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    place.is_some_and(|place| PLACES.contains(&place)) || SHARED.contains(&path)
}

/// Takes one slash at the end of a path away.
fn trim(mut request: Request) -> Request {
    if let Some(path) = request.uri().path().strip_suffix('/') {
        let trimmed = match request.uri().query() {
            Some(query) => format!("{path}?{query}"),
            None => path.to_owned(),
        };
        let mut parts = request.uri().clone().into_parts();
        // What was a path is one without its last slash; there is another before it.
        parts.path_and_query = trimmed.parse().ok().or(parts.path_and_query);
        if let Ok(uri) = Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
    }
    request
}

/// The dialect's routes, with their whole paths.
fn router(front: Front) -> Router {
    let routes = Router::new()
        .route("/v1/models", get(models::list))
        .route("/v1/public/models", get(models::list_public))
        .route("/v1/models/{*id}", get(models::show).post(dispatch::dispatch))
        .route("/v1/model-creators", get(models::list_creators))
        .route("/v1/runs", get(run::list))
        .route("/v1/runs/statuses", get(reference::run_statuses))
        .route("/v1/runs/{id}", get(run::show))
        .route("/v1/runs/{id}/logs", get(log::list))
        .route("/v1/runs/{id}/logs/{part}", get(log::show))
        .route("/v1/runs/{id}/node-runs", get(node::list))
        .route("/v1/runs/{id}/node-runs/{part}", get(node::show))
        .route("/v1/runs/{id}/callback", get(callback::of_run))
        .route("/v1/runs/{id}/callback-redeliveries", post(callback::redeliver_run))
        .route("/v1/runs/{id}/evaluations", get(evaluation::of_run))
        .route("/v1/runs/{id}/evaluations/{part}/feedback", patch(evaluation::feedback_of_run))
        .route("/v1/runs/{id}/cancellation", post(run::cancel))
        .route("/v1/admin/runs/{id}/cancellation", post(run::cancel_as_admin))
        .route("/v1/runs/{id}/reruns", post(rerun::rerun))
        .route("/v1/batches", get(batch::list))
        .route("/v1/batches/{id}", get(batch::show))
        .route("/v1/batches/{id}/items", get(batch::list_items))
        .route("/v1/batches/{id}/items/{part}", get(batch::show_item))
        .route("/v1/batches/{id}/callback", get(callback::of_batch))
        .route("/v1/batches/{id}/callback-redeliveries", post(callback::redeliver_batch))
        .route("/v1/batches/{id}/cancellation", post(batch::cancel))
        .route("/v1/asset-uploads", post(upload::announce))
        .route("/v1/asset-uploads/{id}/confirmations", post(upload::confirm))
        .route("/v1/uploads/{org}/{asset}/{until}", put(upload::receive))
        .route("/v1/files/{org}/{hash}/{until}/{name}", get(file::download))
        .route("/v1/thumbnails/{org}/{hash}/{until}/{name}", get(file::thumbnail))
        .route("/v1/previews/{org}/{step}/{until}/{name}", get(file::preview))
        .route("/v1/assets", get(asset::list).post(asset::add))
        .route("/v1/assets/types", get(reference::asset_types))
        .route("/v1/assets/{id}", get(asset::show).patch(asset::change).delete(asset::delete))
        .route("/v1/asset-folders", get(folder::list).post(folder::add))
        .route("/v1/asset-folders/{id}", get(folder::show).patch(folder::change).delete(folder::delete))
        .route("/v1/evaluations", get(evaluation::list).post(evaluation::submit))
        .route("/v1/evaluations/statuses", get(reference::evaluation_statuses))
        .route("/v1/evaluations/job-classes", get(reference::job_classes))
        .route("/v1/evaluations/{id}", get(evaluation::show))
        .route("/v1/evaluations/{id}/feedback", patch(evaluation::feedback))
        .route("/v1/webhooks", get(webhook::list).post(webhook::add))
        .route("/v1/webhooks/event-types", get(reference::event_types))
        .route("/v1/webhooks/event-types/{code}", get(reference::event_type))
        .route("/v1/webhooks/{id}", get(webhook::show).patch(webhook::change).delete(webhook::delete))
        .route("/v1/webhooks/{id}/deliveries", get(delivery::list))
        .route("/v1/webhooks/{id}/deliveries/{part}", get(delivery::show))
        .route("/v1/webhooks/{id}/deliveries/{part}/attempts", get(attempt::list))
        .route("/v1/webhooks/{id}/deliveries/{part}/attempts/{attempt}", get(attempt::show))
        .route("/v1/callback-secrets", get(secret::list).post(secret::add))
        .route("/v1/callback-secrets/{id}", get(secret::show).patch(secret::change).delete(secret::delete))
        .route("/v1/auth/me", get(account::me))
        .route("/v1/billing/balance", get(account::balance).patch(account::set_threshold))
        .route("/v1/credit-balances", get(account::balances))
        .route("/v1/health", get(status::health))
        .route("/v1/readiness", get(status::readiness))
        .route("/v1/openapi.json", get(status::document))
        .route("/v1/comfyui-workflows", get(deployment::list).post(deployment::add))
        .route("/v1/comfyui-workflows/{id}", patch(deployment::change))
        .route("/v1/comfyui-workflows/{owner}/{*slug}", post(deployment::run));
    routes
        .fallback(unknown_path)
        .method_not_allowed_fallback(unknown_method)
        .layer(middleware::from_fn_with_state(front.clone(), repeat::once))
        .layer(middleware::from_fn_with_state(front.clone(), rate::limit))
        .layer(middleware::from_fn(unambiguous))
        .layer(middleware::from_fn_with_state(front.clone(), seal))
        .layer(middleware::from_fn_with_state(front.clone(), cors::share))
        .layer(middleware::from_fn_with_state(front.clone(), observe::observe))
        .layer(middleware::from_fn(paths::note))
        .with_state(front)
}

/// Answers a path in this dialect's places that is none of its own.
async fn unknown_path() -> Problem {
    Problem::not_found("There is nothing at this path; `GET /v1/openapi.json` lists what there is.")
}

/// Answers a method that the path does not have.
async fn unknown_method() -> Problem {
    Problem::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "METHOD_NOT_ALLOWED",
        "This path does not have this method; the `allow` header lists those it has.",
    )
}

/// Refuses what a proxy before this server might read in another way.
async fn unambiguous(request: Request, next: Next) -> Response {
    match crate::body::ambiguity(&request) {
        None => next.run(request).await,
        Some(why) => Problem::bad_request(why).into_response(),
    }
}

/// Gives every answer that is an error the one body all errors have, and every answer its request's id; lets nobody keep an
/// answer that does not say it may be kept.
async fn seal(State(front): State<Front>, request: Request, next: Next) -> Response {
    let id = front.service.fresh_id();
    let mut request = request;
    request.extensions_mut().insert(RequestId(id.to_string()));
    let answered = AssertUnwindSafe(next.run(request)).catch_unwind().await;
    let response = answered.unwrap_or_else(|_| {
        tracing::error!("a handler panicked");
        Problem::internal().into_response()
    });
    let mut response = problem::seal(response);
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, id);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    response
}

/// The id of a request, as its answer tells it.
#[derive(Clone, Debug)]
pub(crate) struct RequestId(pub(crate) String);

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn one_slash_at_the_end_goes_and_the_query_stays() {
        let trimmed = |path: &str| {
            let request = Request::builder().uri(path).body(Body::empty()).expect("a request");
            trim(request).uri().to_string()
        };
        for path in ["/v1/runs", "/v1/models/a/b/runs", "/v1/files/a/b/1/%E9.png"] {
            assert_eq!(trimmed(path), path);
            assert_eq!(trimmed(&format!("{path}/")), path);
            assert_eq!(trimmed(&format!("{path}/?q=a&&b=/")), format!("{path}?q=a&&b=/"));
        }
        assert_eq!(trimmed("/v1/runs//"), "/v1/runs/");
        assert_eq!(trimmed("http://host:1/v1/runs/?x"), "http://host:1/v1/runs?x");
    }

    #[test]
    fn the_others_keep_what_is_theirs() {
        for path in ["/v1/runs", "/v1/runs/", "/v1/runs/a/b", "/v1/public/", "/v1/health", "/v1/models//"] {
            assert!(is_own(path), "{path}");
        }
        for path in [
            "/v1/workflow",
            "/v1/health/",
            "/v1",
            "/v1/",
            "/runs",
            "/v1/runsx",
            "/v2/runs",
            "/packshot/v1/runs",
        ] {
            assert!(!is_own(path), "{path}");
        }
    }
}
