//! What an error is on every face, whichever envelope it is written in: its status, its code, its text, and the headers
//! that go with it.

use axum::http::header::{HeaderName, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::time::Millis;
use service::{Refusal, Thing, TokenFault};

use crate::body::BodyFault;
use crate::observe::{Said, chain};

/// Carries the code to those who read no body, or whose body has no place for it.
const ERROR_CODE: HeaderName = HeaderName::from_static("x-error-code");

/// What an error is, without its envelope.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    pub(crate) status: StatusCode,
    /// Its code, which never changes.
    pub(crate) code: &'static str,
    /// What was wrong and the way out.
    pub(crate) text: String,
    challenge: Option<&'static str>,
    pub(crate) retry_after: Option<Millis>,
}

impl Cause {
    pub(crate) fn new(status: StatusCode, code: &'static str, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into(), challenge: None, retry_after: None }
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
        Said { code: self.code, message: self.text.clone() }
    }

    /// An answer without a body: its status and its headers.
    pub(crate) fn bodiless(&self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        headers.insert(ERROR_CODE, HeaderValue::from_static(self.code));
        if let Some(challenge) = self.challenge {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(span) = self.retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from((span.0.max(0) + 999) / 1000));
        }
        response
    }
}

/// There is no such thing, as it was named: cut short, as it may be anything.
pub(crate) fn missing(thing: Thing, name: &str) -> Refusal {
    Refusal::missing(thing, name.chars().take(100).collect::<String>())
}

impl From<&Refusal> for Cause {
    /// A fault of ours is logged on the way.
    fn from(refusal: &Refusal) -> Self {
        let status = match refusal {
            Refusal::Missing { .. } => StatusCode::NOT_FOUND,
            Refusal::NoResult { .. }
            | Refusal::NotRetryable { .. }
            | Refusal::NotInReview { .. }
            | Refusal::LastAdmin
            | Refusal::NotNow(_)
            | Refusal::Conflict(_) => StatusCode::CONFLICT,
            Refusal::Stale { .. } | Refusal::Changed => StatusCode::PRECONDITION_FAILED,
            Refusal::OutOfCredit(_) => StatusCode::PAYMENT_REQUIRED,
            Refusal::Invalid(_) => StatusCode::BAD_REQUEST,
            Refusal::InvalidSettings(_)
            | Refusal::InvalidWorkflow(_)
            | Refusal::Unusable(_)
            | Refusal::TakesOne { .. }
            | Refusal::Unfetchable(_)
            | Refusal::UnknownImage { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::NotAllowed(_) | Refusal::ScopeMissing { .. } => StatusCode::FORBIDDEN,
            Refusal::Unauthenticated(_) | Refusal::WrongPassword => StatusCode::UNAUTHORIZED,
            Refusal::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::TooManyTries { .. } => StatusCode::TOO_MANY_REQUESTS,
            Refusal::TimedOut { .. } => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Ours { .. } => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let mut cause = Self::new(status, refusal.code(), refusal.to_string());
        match refusal {
            Refusal::Unauthenticated(TokenFault::Missing) => cause.challenge = Some("Bearer"),
            Refusal::Unauthenticated(_) => cause.challenge = Some("Bearer error=\"invalid_token\""),
            Refusal::TooManyTries { retry_after } => cause.retry_after = Some(*retry_after),
            Refusal::Unavailable(_) => cause.retry_after = Some(Millis::seconds(2)),
            Refusal::Ours { doing, source } => {
                tracing::error!(error = %chain(source.as_ref()), "cannot {doing}");
            }
            _ => {}
        }
        cause
    }
}

impl From<BodyFault> for Cause {
    fn from(fault: BodyFault) -> Self {
        let (status, code) = match fault {
            BodyFault::Idle(_) | BodyFault::Slow => (StatusCode::REQUEST_TIMEOUT, "body_timed_out"),
            BodyFault::Broken => (StatusCode::BAD_REQUEST, "body_incomplete"),
            BodyFault::TooLarge(_) => (StatusCode::PAYLOAD_TOO_LARGE, "too_large"),
        };
        Self::new(status, code, fault.to_string())
    }
}
