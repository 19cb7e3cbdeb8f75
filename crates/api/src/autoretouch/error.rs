//! This dialect's errors: their body, and where its statuses and words are its own.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::time::Timestamp;
use serde::Serialize;
use service::{Refusal, Thing};
use utoipa::ToSchema;

use super::status::name_of;
use crate::body::BodyFault;
use crate::cause::{self, Cause};
use crate::multipart::FormFault;
use crate::observe::Said;

pub(crate) use crate::observe::chain;

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
            status: problem.0.status.as_u16(),
            error: problem.0.status.canonical_reason().unwrap_or_default().to_owned(),
            message: problem.0.text.clone(),
            path,
        }
    }
}

/// An error to be answered.
#[derive(Clone, Debug)]
pub(crate) struct Problem(Cause);

impl Problem {
    pub(crate) fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self(Cause::new(status, code, message))
    }

    /// The request makes no sense.
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "request_invalid", message)
    }

    /// Our fault, and nothing more is to be said about it.
    pub(crate) fn internal() -> Self {
        Self(Cause::internal())
    }

    /// What is logged of it.
    pub(crate) fn said(&self) -> Said {
        self.0.said()
    }

    /// There is no such thing.
    pub(crate) fn missing(thing: Thing, name: &str) -> Self {
        cause::missing(thing, name).into()
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        let mut cause = Cause::from(&refusal);
        match &refusal {
            // What cannot be had is not there, in this dialect.
            Refusal::NoResult { .. } | Refusal::NotRetryable { .. } => cause.status = StatusCode::NOT_FOUND,
            Refusal::InvalidSettings(_) | Refusal::InvalidWorkflow(_) => {
                cause.status = StatusCode::BAD_REQUEST;
            }
            _ => {}
        }
        match &refusal {
            Refusal::Missing { thing: Thing::Run, name } => {
                cause.text = format!("there is no execution `{name}` in an organization of yours");
            }
            Refusal::NoResult { status, why } => {
                cause.text = match why {
                    Some(why) => format!("the execution is {}: {why}", name_of(*status)),
                    None => format!("the execution is {}", name_of(*status)),
                };
            }
            Refusal::NotRetryable { status } => {
                cause.text = format!(
                    "the execution is {}; only a FAILED or PAYMENT_REQUIRED one can be retried",
                    name_of(*status)
                );
            }
            Refusal::TimedOut { seconds } => {
                cause.text = format!(
                    "the execution is not finished after {seconds} seconds; ask for its result again later"
                );
            }
            _ => {}
        }
        Self(cause)
    }
}

impl From<BodyFault> for Problem {
    fn from(fault: BodyFault) -> Self {
        Self(fault.into())
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
        let mut response = self.0.bodiless();
        response.extensions_mut().insert(self);
        response
    }
}
