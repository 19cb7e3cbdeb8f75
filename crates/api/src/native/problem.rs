//! This interface's errors (RFC 9457): their body, and what it points at.

use axum::Json;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::time::Millis;
use serde::Serialize;
use service::{Refusal, Thing};
use utoipa::ToSchema;

use crate::body::BodyFault;
use crate::cause::{self, Cause};

/// The media type of every error.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

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
    cause: Cause,
    errors: Vec<Fault>,
}

impl From<Cause> for Problem {
    fn from(cause: Cause) -> Self {
        Self { cause, errors: Vec::new() }
    }
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Cause::new(status, code, detail).into()
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
        Cause::internal().into()
    }

    /// There is no such thing.
    pub(crate) fn missing(thing: Thing, name: &str) -> Self {
        cause::missing(thing, name).into()
    }

    /// Worth trying again after that span.
    pub(crate) fn after(mut self, span: Millis) -> Self {
        self.cause.retry_after = Some(span);
        self
    }

    fn write(self, path: &str) -> ProblemBody {
        let Cause { status, code, text, .. } = self.cause;
        ProblemBody {
            kind: format!("{}/problems/{code}", super::ROOT),
            title: title_of(code),
            status: status.as_u16(),
            detail: text,
            instance: path.to_owned(),
            code,
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
    let said = problem.cause.said();
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
        let mut cause = Cause::from(&refusal);
        if let Refusal::Missing { thing: Thing::Batch, name } = &refusal {
            cause.text = format!("there is no order `{name}` in the organization");
        }
        cause.into()
    }
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        Cause::from(fault).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.cause.bodiless();
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
        assert_eq!(Problem::invalid(vec![fault("one")]).cause.text, "one");
        assert_eq!(
            Problem::invalid(vec![fault("one"), fault("two"), fault("three")]).cause.text,
            "one; and 2 more"
        );
    }
}
