//! What the machinery around a server asks it: whether it lives, whether it is ready, and its figures. For a listener of
//! its own, away from clients.

use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

/// One thing a ready server needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What: `store`, `blobs`, `models`.
    pub name: &'static str,
    /// Whether it is there.
    pub ok: bool,
    /// What is to be known about it, and when it is not there, why.
    pub detail: String,
}

/// Looks whether the server can do its work.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// Everything that is needed, checked now.
    async fn check(&self) -> Vec<Check>;
}

/// Writes the figures in the Prometheus text format.
pub type MetricsText = Arc<dyn Fn() -> String + Send + Sync>;

#[derive(Clone)]
struct Operations {
    readiness: Arc<dyn Readiness>,
    metrics: MetricsText,
}

/// `/livez`, `/readyz` (`?verbose` says why), `/healthz` (the same as JSON) and `/metrics`.
pub fn operations_router(readiness: Arc<dyn Readiness>, metrics: MetricsText) -> Router {
    Router::new()
        .route("/livez", get(|| async { "ok" }))
        .route("/readyz", get(readyz))
        .route("/healthz", get(healthz))
        .route("/metrics", get(metrics_text))
        .with_state(Operations { readiness, metrics })
}

fn status_of(checks: &[Check]) -> StatusCode {
    if checks.iter().all(|check| check.ok) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

async fn readyz(State(operations): State<Operations>, uri: axum::http::Uri) -> Response {
    let checks = operations.readiness.check().await;
    let status = status_of(&checks);
    // `?verbose` has no value, so it is not among the query's pairs.
    let verbose = uri
        .query()
        .is_some_and(|query| query.split('&').any(|pair| pair.split('=').next() == Some("verbose")));
    let mut text = String::new();
    for check in checks.iter().filter(|check| verbose || !check.ok) {
        let mark = if check.ok { '+' } else { '-' };
        // Writing to a string cannot fail.
        let _ = writeln!(text, "[{mark}] {}: {}", check.name, check.detail);
    }
    text.push_str(if status.is_success() { "ok\n" } else { "not ready\n" });
    (status, [(CACHE_CONTROL, "no-store")], text).into_response()
}

async fn healthz(State(operations): State<Operations>) -> Response {
    let checks = operations.readiness.check().await;
    let status = status_of(&checks);
    let listed: Vec<_> = checks
        .iter()
        .map(|check| json!({ "name": check.name, "ok": check.ok, "detail": check.detail }))
        .collect();
    let body = json!({ "status": if status.is_success() { "ok" } else { "not ready" }, "checks": listed });
    (status, [(CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

async fn metrics_text(State(operations): State<Operations>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], (operations.metrics)()).into_response()
}

#[cfg(test)]
mod tests {
    use axum::body::to_bytes;
    use axum::extract::Request;
    use tower::ServiceExt;

    use super::*;

    struct Given(Vec<Check>);

    #[async_trait]
    impl Readiness for Given {
        async fn check(&self) -> Vec<Check> {
            self.0.clone()
        }
    }

    async fn ask(ok: bool, path: &str) -> (StatusCode, String) {
        let checks = vec![
            Check { name: "store", ok: true, detail: "answers".to_owned() },
            Check { name: "models", ok, detail: "isnet-1024".to_owned() },
        ];
        let router = operations_router(Arc::new(Given(checks)), Arc::new(|| "figures 1\n".to_owned()));
        let request = Request::builder().uri(path).body(axum::body::Body::empty()).expect("a request");
        let response = router.oneshot(request).await.expect("an answer");
        let status = response.status();
        let bytes = to_bytes(response.into_body(), 10_000).await.expect("a body");
        (status, String::from_utf8(bytes.to_vec()).expect("text"))
    }

    #[tokio::test]
    async fn a_ready_server_says_so() {
        assert_eq!(ask(true, "/livez").await, (StatusCode::OK, "ok".to_owned()));
        assert_eq!(ask(true, "/readyz").await, (StatusCode::OK, "ok\n".to_owned()));
        let (_, verbose) = ask(true, "/readyz?verbose").await;
        assert_eq!(verbose, "[+] store: answers\n[+] models: isnet-1024\nok\n");
        assert_eq!(ask(true, "/metrics").await.1, "figures 1\n");
    }

    #[tokio::test]
    async fn a_server_that_is_not_ready_lives_and_says_why() {
        assert_eq!(ask(false, "/livez").await.0, StatusCode::OK);
        let (status, text) = ask(false, "/readyz").await;
        assert_eq!(
            (status, text.as_str()),
            (StatusCode::SERVICE_UNAVAILABLE, "[-] models: isnet-1024\nnot ready\n")
        );
        let (status, text) = ask(false, "/healthz").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("\"ok\":false"), "{text}");
    }
}
