//! What is known of every request afterwards: an id, a span, a log line, two metrics. Never a token, a query or a body, nor
//! the secret of an invitation's link.

use std::time::Duration;

use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{HeaderName, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use tokio::time::Instant;
use tracing::{Instrument, Span, debug, error, field, info, info_span};

use crate::paths::Received;
use crate::{Front, body};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Longest request id taken over from a client, in characters.
const REQUEST_ID_MAX: usize = 100;

/// Gives each request its id and span, and says afterwards how it went.
pub(crate) async fn observe(State(front): State<Front>, request: Request, next: Next) -> Response {
    let id = request_id(&request).unwrap_or_else(|| front.service.fresh_id().simple().to_string());
    let method = request.method().clone();
    let path = Received::path_to_log(&request);
    // Unknown paths share one name, or anybody could fill the metrics with names of theirs.
    let route = request.extensions().get::<MatchedPath>().map_or("unmatched", MatchedPath::as_str).to_owned();
    let span = info_span!(
        "request",
        request.id = %id,
        http.method = %method,
        http.path = %path,
        http.status = field::Empty,
        ms = field::Empty,
        org.id = field::Empty,
    );
    let began = Instant::now();
    let request = body::watch(request, front.settings.body_idle);
    let mut response = next.run(request).instrument(span.clone()).await;
    let took = began.elapsed();
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    let said = response.extensions().get::<Said>();
    report(&span, &route, method.as_str(), &path, response.status(), took, said);
    response
}

fn report(
    span: &Span,
    route: &str,
    method: &str,
    path: &str,
    status: StatusCode,
    took: Duration,
    said: Option<&Said>,
) {
    let ms = took.as_secs_f64() * 1000.0;
    let code = status.as_u16();
    span.record("http.status", code);
    span.record("ms", (ms * 10.0).round() / 10.0);
    let labels = [
        ("route", route.to_owned()),
        ("method", known_method(method).to_owned()),
        ("status", code.to_string()),
    ];
    metrics::counter!("packshot_http_requests_total", &labels).increment(1);
    metrics::histogram!("packshot_http_request_seconds", &labels).record(took.as_secs_f64());
    let _inside = span.enter();
    match said {
        // What quotes a request is written escaped: nobody writes log lines of their own.
        Some(Said { code: refusal, message }) if status.is_server_error() => {
            error!(refusal, reason = ?message, "answered {method} `{path}` with {code} after {ms:.1} ms");
        }
        Some(Said { code: refusal, message }) => {
            info!(refusal, reason = ?message, "answered {method} `{path}` with {code} after {ms:.1} ms");
        }
        None if status.is_server_error() => error!("answered {method} `{path}` with {code} after {ms:.1} ms"),
        None if route == "/health" => debug!("answered {method} `{path}` with {code} after {ms:.1} ms"),
        None => info!("answered {method} `{path}` with {code} after {ms:.1} ms"),
    }
}

/// Methods are the client's words, too.
fn known_method(method: &str) -> &str {
    const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    if KNOWN.contains(&method) { method } else { "other" }
}

/// The id the client gave, if it is one that can stand in a log.
fn request_id(request: &Request) -> Option<String> {
    let given = request.headers().get(REQUEST_ID)?.to_str().ok()?;
    let good = !given.is_empty()
        && given.len() <= REQUEST_ID_MAX
        && given.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte));
    good.then(|| given.to_owned())
}

/// What a refused request was told, for the log.
#[derive(Clone, Debug)]
pub(crate) struct Said {
    /// Which refusal.
    pub(crate) code: &'static str,
    /// What was wrong and the way out. May quote the request.
    pub(crate) message: String,
}

/// Notes whose request it is.
pub(crate) fn note_org(org: impl std::fmt::Display) {
    Span::current().record("org.id", field::display(org));
}

/// An error with its causes, outermost first.
pub(crate) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}
