//! Errors of this dialect: one flat envelope, `{"code", "message", "errors"}`.

use axum::Json;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::time::Millis;
use serde::Serialize;
use serde_json::{Value, json};
use service::{Refusal, Thing};

use super::model::FieldError;
use crate::body::BodyFault;
use crate::cause::Cause;
use crate::observe::chain;

/// The code of what is wrong with fields.
const INVALID: &str = "VALIDATION_ERROR";

/// An error to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    errors: Option<Vec<Value>>,
    retry_after: Option<Millis>,
}

#[derive(Serialize)]
struct Envelope<'a> {
    code: &'a str,
    message: &'a str,
    errors: Option<&'a [Value]>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), errors: None, retry_after: None }
    }

    /// The request cannot be read.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// These fields are wrong.
    pub(crate) fn invalid(errors: Vec<FieldError>) -> Self {
        let errors: Vec<Value> = errors.into_iter().map(|error| json!(error)).collect();
        let message = match errors.first() {
            Some(first) => format!("Request validation failed: {}.", said(first, None)),
            None => "Request validation failed.".to_owned(),
        };
        Self { errors: Some(errors), ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, INVALID, message) }
    }

    /// One parameter of the query is wrong.
    pub(crate) fn parameter(name: &str, message: impl Into<String>) -> Self {
        Self::invalid(vec![FieldError::new(["query", name], "value_error", message)])
    }

    /// It is wrong, but no field of it alone.
    pub(crate) fn unprocessable(message: impl Into<String>) -> Self {
        let message = message.into();
        let error = FieldError::new(["body"], "value_error", message.clone());
        Self {
            errors: Some(vec![json!(error)]),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, INVALID, sentence(&message))
        }
    }

    /// A redelivery is on its way already.
    pub(crate) fn in_flight(message: &str) -> Self {
        let error = json!({ "loc": ["path"], "msg": message, "type": "conflict", "error_type": "conflict" });
        Self {
            errors: Some(vec![error]),
            ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, INVALID, sentence(message))
        }
    }

    /// There is no such thing.
    pub(crate) fn missing(thing: Thing) -> Self {
        let (code, noun) = match thing {
            Thing::Run => ("RUN_NOT_FOUND", "run"),
            Thing::Workflow | Thing::Version => ("MODEL_NOT_FOUND", "model"),
            Thing::Batch => ("BATCH_NOT_FOUND", "batch"),
            Thing::Asset | Thing::Upload => ("ASSET_NOT_FOUND", "asset"),
            Thing::Evaluation => ("EVALUATION_NOT_FOUND", "evaluation"),
            Thing::Subscription => ("WEBHOOK_NOT_FOUND", "webhook"),
            Thing::Delivery => ("NOT_FOUND", "delivery"),
            Thing::Secret => ("NOT_FOUND", "callback secret"),
            Thing::Folder => ("NOT_FOUND", "folder"),
            Thing::Deployment => ("NOT_FOUND", "deployed workflow"),
            _ => ("NOT_FOUND", "object"),
        };
        Self::new(StatusCode::NOT_FOUND, code, format!("No {noun} with that id in this organisation."))
    }

    /// There is nothing of that kind.
    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", message)
    }

    /// It contradicts what is there.
    pub(crate) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "CONFLICT", message)
    }

    /// Our fault, and nothing more is to be said about it.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "INTERNAL_ERROR",
            "Something went wrong here; it has been logged.",
        )
    }

    /// The same with ways that begin farther outside.
    pub(crate) fn within(mut self, prefix: &[&str]) -> Self {
        for error in self.errors.iter_mut().flatten() {
            if let Some(Value::Array(way)) = error.get_mut("loc") {
                way.splice(0..0, prefix.iter().map(|part| json!(part)));
            }
        }
        if let Some(first) = self.errors.iter().flatten().next().filter(|_| self.code == INVALID) {
            self.message = format!("Request validation failed: {}.", said(first, None));
        }
        self
    }

    /// Whether sending the same again cannot help.
    pub(crate) fn is_the_callers(&self) -> bool {
        self.status.is_client_error()
    }

    /// What is wrong with the element of a batch at that place, in one sentence.
    pub(crate) fn explained(&self, nth: usize) -> String {
        let faults: Vec<String> = self.errors.iter().flatten().map(|error| said(error, Some(nth))).collect();
        if faults.is_empty() { self.message.clone() } else { faults.join("; ") }
    }

    /// Worth trying again after that span.
    pub(crate) fn after(self, span: Millis) -> Self {
        Self { retry_after: Some(span), ..self }
    }
}

/// `input.image_url: Field required`; of the element of a batch at that place, `body.input.3.image_url: Field required`.
fn said(error: &Value, nth: Option<usize>) -> String {
    let way = error["loc"].as_array().into_iter().flatten();
    let mut way: Vec<String> =
        way.map(|part| part.as_str().map_or_else(|| part.to_string(), str::to_owned)).collect();
    if let Some(nth) = nth.filter(|_| way.len() >= 2) {
        way.insert(2, nth.to_string());
    }
    format!("{}: {}", way.join("."), error["msg"].as_str().unwrap_or_default())
}

/// A text as a sentence of its own.
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let begun: String =
        letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect());
    if begun.ends_with(['.', '!', '?']) { begun } else { format!("{begun}.") }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let said = sentence(&refusal.to_string());
        match refusal {
            Refusal::Missing { thing, .. } => Self::missing(thing),
            Refusal::Unauthenticated(_) | Refusal::WrongPassword => {
                Self::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", said)
            }
            Refusal::ScopeMissing { .. } | Refusal::NotAllowed(_) | Refusal::LastAdmin => {
                Self::new(StatusCode::FORBIDDEN, "PERMISSION_DENIED", said)
            }
            Refusal::OutOfCredit(_) => Self::new(StatusCode::PAYMENT_REQUIRED, "INSUFFICIENT_CREDIT", said),
            Refusal::TooLarge { .. } => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", said),
            Refusal::TooManyTries { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITED", said).after(retry_after)
            }
            Refusal::Conflict(_) | Refusal::Changed | Refusal::Stale { .. } => Self::conflict(said),
            Refusal::TimedOut { .. } | Refusal::Unavailable(_) => {
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "SERVICE_UNAVAILABLE", said)
                    .after(Millis::seconds(2))
            }
            Refusal::Ours { .. } => {
                tracing::error!(error = %chain(&refusal), "a request could not be answered");
                Self::internal()
            }
            Refusal::Invalid(text)
            | Refusal::InvalidSettings(text)
            | Refusal::InvalidWorkflow(text)
            | Refusal::Unusable(text)
            | Refusal::Unfetchable(text)
            | Refusal::NotNow(text) => Self::unprocessable(text),
            Refusal::NoResult { .. }
            | Refusal::NotRetryable { .. }
            | Refusal::NotInReview { .. }
            | Refusal::TakesOne { .. }
            | Refusal::UnknownImage { .. } => Self::unprocessable(said),
        }
    }
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        let said = sentence(&fault.to_string());
        match fault {
            BodyFault::TooLarge(_) => Self::new(StatusCode::PAYLOAD_TOO_LARGE, "PAYLOAD_TOO_LARGE", said),
            BodyFault::Idle(_) | BodyFault::Slow => {
                Self::new(StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT", said)
            }
            BodyFault::Broken => Self::bad_request(said),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let envelope = Envelope { code: self.code, message: &self.message, errors: self.errors.as_deref() };
        let mut response = (self.status, Json(envelope)).into_response();
        if let Some(span) = self.retry_after {
            let seconds = (span.0.max(0) + 999) / 1000;
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            response
                .headers_mut()
                .insert(axum::http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response.extensions_mut().insert(Cause::new(self.status, self.code, self.message.clone()).said());
        response.extensions_mut().insert(Sealed);
        response
    }
}

/// Marks an answer that has the envelope.
#[derive(Clone, Copy)]
struct Sealed;

/// Lets an answer keep its body whatever its status is.
pub(crate) fn as_it_is(mut response: Response) -> Response {
    response.extensions_mut().insert(Sealed);
    response
}

/// Gives an answer that is an error the envelope, unless it has it.
pub(crate) fn seal(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    if !is_error || response.extensions().get::<Sealed>().is_some() {
        return response;
    }
    let code = match status {
        StatusCode::NOT_FOUND => "NOT_FOUND",
        StatusCode::METHOD_NOT_ALLOWED => "METHOD_NOT_ALLOWED",
        StatusCode::PAYLOAD_TOO_LARGE => "PAYLOAD_TOO_LARGE",
        status if status.is_server_error() => "INTERNAL_ERROR",
        _ => "BAD_REQUEST",
    };
    let message = status.canonical_reason().unwrap_or("The request was refused");
    let mut sealed = Problem::new(status, code, sentence(message)).into_response();
    for (name, value) in response.headers() {
        if name != CONTENT_TYPE && name != CONTENT_LENGTH {
            sealed.headers_mut().append(name, value.clone());
        }
    }
    sealed
}
