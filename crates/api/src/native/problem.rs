//! This interface's errors (RFC 9457): the only place where a refusal becomes a status code.

use axum::Json;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::time::Millis;
use serde::Serialize;
use service::{Refusal, Thing, TokenFault};
use utoipa::ToSchema;

use crate::body::BodyFault;
use crate::observe::{Said, chain};

/// The media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";
/// Carries a problem's code to those who read no body.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

/// One thing that is wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Fault)]
pub(crate) struct Fault {
    /// Where in the body, as a JSON Pointer (RFC 6901); the empty text is the whole body.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/steps/1/settings/quality")]
    pub(crate) pointer: Option<String>,
    /// Which parameter of the query.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) parameter: Option<String>,
    /// What was wrong and the way out.
    pub(crate) detail: String,
}

impl Fault {
    /// Something in the body.
    pub(crate) fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    /// Something in the query.
    pub(crate) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        Self { pointer: None, parameter: Some(name.to_owned()), detail: detail.into() }
    }
}

/// The body of every error (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemBody {
    /// Which kind of problem: a reference that never changes.
    #[serde(rename = "type")]
    #[schema(example = "/packshot/v1/problems/run_not_found")]
    kind: String,
    /// The kind in words.
    #[schema(example = "Run not found")]
    title: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// What was wrong this time and the way out.
    detail: String,
    /// The path that was asked for.
    instance: String,
    /// The kind's code, which never changes.
    #[schema(example = "run_not_found")]
    code: &'static str,
    /// Each thing that is wrong, where that is known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

/// A problem to be answered. Its body is written by the layer that knows the path.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<Fault>,
    challenge: Option<&'static str>,
    retry_after: Option<Millis>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        Self { status, code, detail, errors: Vec::new(), challenge: None, retry_after: None }
    }

    /// The request has no form that makes sense.
    pub(crate) fn invalid(faults: Vec<Fault>) -> Self {
        Self::faulty(StatusCode::BAD_REQUEST, "request_invalid", faults)
    }

    /// Something is wrong with these parts of the request.
    pub(crate) fn faulty(status: StatusCode, code: &'static str, faults: Vec<Fault>) -> Self {
        let detail = match faults.as_slice() {
            [] => String::new(),
            [one] => one.detail.clone(),
            [first, rest @ ..] => format!("{}; and {} more", first.detail, rest.len()),
        };
        Self { errors: faults, ..Self::new(status, code, detail) }
    }

    /// Our fault, and nothing more is to be said about it.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong here; it has been logged",
        )
    }

    /// There is no such thing.
    pub(crate) fn missing(thing: Thing, name: &str) -> Self {
        Refusal::missing(thing, name.chars().take(100).collect::<String>()).into()
    }

    /// Worth trying again after that span.
    pub(crate) fn after(self, span: Millis) -> Self {
        Self { retry_after: Some(span), ..self }
    }

    fn write(self, path: &str) -> ProblemBody {
        ProblemBody {
            kind: format!("{}/problems/{}", super::ROOT, self.code),
            title: title_of(self.code),
            status: self.status.as_u16(),
            detail: self.detail,
            instance: path.to_owned(),
            code: self.code,
            errors: self.errors,
        }
    }
}

/// A code in words: `run_not_found` is `Run not found`.
fn title_of(code: &str) -> String {
    let words = code.replace('_', " ");
    let mut letters = words.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// Gives an answer that is an error the body that all errors have, unless it has it.
pub(crate) fn seal(response: Response, path: &str) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_sealed =
        response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes() == PROBLEM_JSON.as_bytes());
    if !is_error || is_sealed {
        return response;
    }
    let problem = response.extensions().get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| Problem::new(status, "request_invalid", ""));
    let said = Said { code: problem.code, message: problem.detail.clone() };
    let (parts, _) = response.into_parts();
    let mut sealed = (status, Json(problem.write(path))).into_response();
    for (name, value) in &parts.headers {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            sealed.headers_mut().append(name, value.clone());
        }
    }
    sealed.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
    sealed.extensions_mut().insert(said);
    sealed
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Missing { .. } => StatusCode::NOT_FOUND,
            Refusal::NoResult { .. }
            | Refusal::NotRetryable { .. }
            | Refusal::NotInReview { .. }
            | Refusal::LastAdmin
            | Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::InvalidSettings(_)
            | Refusal::InvalidWorkflow(_)
            | Refusal::Unusable(_)
            | Refusal::TakesOne { .. }
            | Refusal::Unfetchable(_)
            | Refusal::UnknownImage { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
            Refusal::Unauthenticated(_) | Refusal::WrongPassword => StatusCode::UNAUTHORIZED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Ours { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let detail = match &refusal {
            Refusal::Missing { thing: Thing::Batch, name } => {
                format!("there is no order `{name}` in the organization")
            }
            other => other.to_string(),
        };
        let mut problem = Self::new(status, refusal.code(), detail);
        match &refusal {
            Refusal::Unauthenticated(TokenFault::Missing) => problem.challenge = Some("Bearer"),
            Refusal::Unauthenticated(_) => problem.challenge = Some("Bearer error=\"invalid_token\""),
            Refusal::TooManyTries { retry_after } => problem.retry_after = Some(*retry_after),
            Refusal::Unavailable(_) => problem.retry_after = Some(Millis::seconds(2)),
            Refusal::Ours { doing, source } => {
                tracing::error!(error = %chain(source.as_ref()), "cannot {doing}");
            }
            _ => {}
        }
        problem
    }
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        let (status, code) = match fault {
            BodyFault::Idle(_) | BodyFault::Slow => (StatusCode::REQUEST_TIMEOUT, "body_timed_out"),
            BodyFault::Broken => (StatusCode::BAD_REQUEST, "body_incomplete"),
            BodyFault::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        };
        Self::new(status, code, fault.to_string())
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(span) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from((span.0.max(0) + 999) / 1000));
        }
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_the_code_in_words() {
        assert_eq!(title_of("run_not_found"), "Run not found");
        assert_eq!(title_of(""), "");
    }

    #[test]
    fn many_faults_are_summed_up() {
        let fault = |text: &str| Fault::at("/a", text);
        assert_eq!(Problem::invalid(vec![fault("one")]).detail, "one");
        assert_eq!(
            Problem::invalid(vec![fault("one"), fault("two"), fault("three")]).detail,
            "one; and 2 more"
        );
    }
}
