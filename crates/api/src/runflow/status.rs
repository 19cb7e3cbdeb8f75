//! Whether the server is there and ready, and the document of this interface. Without a key.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::problem::Problem;
use crate::Front;

/// The document of this interface.
pub(crate) const DOCUMENT: &str = include_str!("../../../../openapi/runflow.json");

/// `GET /v1/health`.
pub(crate) async fn health() -> Json<Value> {
    Json(json!({ "status": "ok", "ok": true, "version": env!("CARGO_PKG_VERSION") }))
}

/// `GET /v1/readiness`. Says which part is not ready, but not why: anybody may ask.
pub(crate) async fn readiness(State(front): State<Front>) -> Result<Response, Problem> {
    let readiness = front.readiness.as_ref().ok_or_else(Problem::internal)?;
    let mut checks = Map::new();
    let mut is_ready = true;
    for check in readiness.check().await {
        is_ready &= check.ok;
        let status = if check.ok { "ok" } else { "failed" };
        checks.insert(name_of(check.name).to_owned(), json!({ "status": status }));
    }
    let (status, said) =
        if is_ready { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "degraded") };
    // No error: whoever asks learns which part it is.
    let response = (status, Json(json!({ "status": said, "checks": checks }))).into_response();
    Ok(super::problem::as_it_is(response))
}

/// What this dialect calls the parts of a server.
fn name_of(check: &str) -> &str {
    match check {
        "store" => "database",
        "blobs" => "storage",
        "models" => "executor",
        other => other,
    }
}

/// `GET /v1/openapi.json`.
pub(crate) async fn document() -> Response {
    let headers = [(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "public, max-age=300")];
    (headers, DOCUMENT).into_response()
}
