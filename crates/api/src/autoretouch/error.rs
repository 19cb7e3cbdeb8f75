//! This dialect's errors: the only place where a refusal becomes a status code.

use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::time::{Millis, Timestamp};
use serde::Serialize;
use service::{Refusal, Thing, TokenFault};
use utoipa::ToSchema;

use super::status::name_of;
use crate::body::BodyFault;
use crate::multipart::FormFault;
use crate::observe::Said;

pub(crate) use crate::observe::chain;

/// Carries a refusal's code, which never changes; the body has no place for it.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

/// Marks an error that has its body already.
#[derive(Clone, Copy)]
pub(crate) struct Verbatim;

/// The body of every error.
#[derive(Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    /// When: ISO 8601, UTC, milliseconds and offset.
    #[schema(example = "2026-03-02T09:14:05.120+00:00")]
    timestamp: String,
    /// The HTTP status.
    #[schema(example = 404)]
    status: u16,
    /// The status in words.
    #[schema(example = "Not Found")]
    error: String,
    /// What was wrong and the way out.
    message: String,
    /// The path as it was received, without the query.
    #[schema(example = "/v1/workflow/not-a-workflow")]
    path: String,
}

impl ErrorBody {
    pub(crate) fn new(problem: &Problem, now: Timestamp, path: String) -> Self {
        Self {
            timestamp: now.to_string().replace('Z', "+00:00"),
            status: problem.status.as_u16(),
            error: problem.status.canonical_reason().unwrap_or_default().to_owned(),
            message: problem.message.clone(),
            path,
        }
    }
}

/// An error to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    challenge: Option<&'static str>,
    retry_after: Option<Millis>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), challenge: None, retry_after: None }
    }

    /// The request makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request_invalid", message)
    }

    /// Our fault, and nothing more is to be said about it.
    pub(crate) fn internal() -> Self {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "something went wrong here; it has been logged",
        )
    }

    /// What is logged of it.
    pub(crate) fn said(&self) -> Said {
        Said { code: self.code, message: self.message.clone() }
    }

    /// There is no such thing.
    pub(crate) fn missing(thing: Thing, name: &str) -> Self {
        Refusal::missing(thing, name.chars().take(100).collect::<String>()).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let status = match &refusal {
            Refusal::Missing { .. } | Refusal::NoResult { .. } | Refusal::NotRetryable { .. } => {
                StatusCode::NOT_FOUND
            }
            Refusal::Invalid(_) | Refusal::InvalidSettings(_) | Refusal::InvalidWorkflow(_) => {
                StatusCode::BAD_REQUEST
            }
            Refusal::Unusable(_)
            | Refusal::Unfetchable(_)
            | Refusal::UnknownImage { .. }
            | Refusal::TakesOne { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::NotAllowed(_) => StatusCode::FORBIDDEN,
            Refusal::Unauthenticated(_) | Refusal::WrongPassword => StatusCode::UNAUTHORIZED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Conflict(_) | Refusal::NotInReview { .. } | Refusal::LastAdmin => StatusCode::CONFLICT,
            Refusal::Stale { .. } => StatusCode::PRECONDITION_FAILED,
            Refusal::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Ours { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let message = match &refusal {
            Refusal::Missing { thing: Thing::Run, name } => {
                format!("there is no execution `{name}` in an organization of yours")
            }
            Refusal::NoResult { status, why } => match why {
                Some(why) => format!("the execution is {}: {why}", name_of(*status)),
                None => format!("the execution is {}", name_of(*status)),
            },
            Refusal::NotRetryable { status } => format!(
                "the execution is {}; only a FAILED or PAYMENT_REQUIRED one can be retried",
                name_of(*status)
            ),
            Refusal::TimedOut { seconds } => {
                format!(
                    "the execution is not finished after {seconds} seconds; ask for its result again later"
                )
            }
            other => other.to_string(),
        };
        let mut problem = Self::new(status, refusal.code(), message);
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

impl From<FormFault> for Problem {
    fn from(fault: FormFault) -> Self {
        match fault {
            FormFault::Body(fault) => fault.into(),
            FormFault::Malformed(_) => {
                Self::new(StatusCode::BAD_REQUEST, "form_malformed", fault.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    /// Its body is written by the layer that knows the path and the time.
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
