//! Callbacks about runs and batches: what was told, how often it was tried, and telling it once more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::delivery::{About, Attempt, Delivery, DeliveryState};
use domain::event::What;
use serde_json::{Value, json};
use service::{Refusal, attempt_id};

use super::asker::{Asker, Named};
use super::problem::Problem;
use super::view::{maybe_time, time};
use crate::Front;

/// The name of a delivery's state.
fn status_of(delivery: &Delivery) -> &'static str {
    match delivery.state {
        DeliveryState::Pending { .. } => "pending",
        DeliveryState::Delivered { .. } => "succeeded",
        DeliveryState::Failed { .. } => "failed",
    }
}

/// Why a delivery was given up: a code, and what is known of it.
fn failure_of(attempts: &[Attempt]) -> Option<(&'static str, String)> {
    let report = &attempts.last()?.report;
    let error = report.error.as_deref()?;
    Some(match (report.status, error) {
        (Some(status), _) => ("http_error", format!("the receiver answered {status}")),
        (None, "blocked_address") => {
            ("blocked_address", "the address leads where nothing may be sent".to_owned())
        }
        (None, "timed_out") => ("timeout", "the receiver took too long".to_owned()),
        (None, other) => ("connection_error", other.to_owned()),
    })
}

/// What was sent, as text and as what it means.
pub(crate) fn payload(delivery: &Delivery) -> (Value, Value) {
    match &delivery.body {
        None => (Value::Null, Value::Null),
        Some(body) => {
            let text = String::from_utf8_lossy(body).into_owned();
            let meaning = serde_json::from_slice(body).unwrap_or(Value::Null);
            (json!(text), meaning)
        }
    }
}

fn attempt_value(delivery: &Delivery, attempt: &Attempt) -> Value {
    json!({
        "id": attempt_id(delivery.id, attempt.number),
        "delivery_id": delivery.id,
        "attempt_number": attempt.number,
        "status_code": attempt.report.status,
        "response_body": attempt.report.answer,
        "response_time_ms": attempt.report.took.0,
        "error_message": attempt.report.error,
        "created_at": time(attempt.at),
    })
}

impl Front {
    fn callback_value(&self, delivery: &Delivery, attempts: &[Attempt]) -> Value {
        let (text, meaning) = payload(delivery);
        let has_failed = matches!(delivery.state, DeliveryState::Failed { .. });
        let (reason, detail) = match failure_of(attempts).filter(|_| has_failed) {
            Some((reason, detail)) => (Some(reason), Some(detail)),
            None => (None, None),
        };
        let (next, ended) = match delivery.state {
            DeliveryState::Pending { due_at } => (Some(due_at), None),
            DeliveryState::Delivered { at } | DeliveryState::Failed { at } => (None, Some(at)),
        };
        let latest = attempts.last().map(|attempt| attempt.at);
        let mut value = json!({
            "id": delivery.id,
            "callback_url": delivery.address,
            "payload_bytes": text,
            "payload": meaning,
            "signing_secret_id": delivery.secret,
            "is_automatic": delivery.is_automatic,
            "status_code": status_of(delivery),
            "failure_reason_code": reason,
            "failure_detail": detail,
            "attempt_count": delivery.attempts,
            "max_attempts": self.service.settings().delivery_attempts,
            "next_attempt_at": maybe_time(next),
            "created_at": time(delivery.event.at),
            "updated_at": time(ended.or(latest).unwrap_or(delivery.event.at)),
            "completed_at": maybe_time(ended),
            "attempts": attempts.iter().map(|attempt| attempt_value(delivery, attempt)).collect::<Vec<_>>(),
        });
        match delivery.event.what {
            What::Run { run, .. } => value["run_id"] = json!(run),
            What::Batch { batch, .. } => value["batch_id"] = json!(batch),
            What::Evaluation { evaluation, .. } => value["evaluation_id"] = json!(evaluation),
        }
        value
    }

    /// The callbacks about something: a bare list, as clients expect it here.
    async fn callbacks(&self, asker: &Asker, about: About) -> Result<Json<Vec<Value>>, Problem> {
        let found = self.service.callbacks(&asker.caller, &asker.choice, about).await?;
        Ok(Json(found.iter().map(|(delivery, attempts)| self.callback_value(delivery, attempts)).collect()))
    }

    async fn redeliver(&self, asker: &Asker, about: About) -> Result<(StatusCode, Json<Value>), Problem> {
        let told = self.service.tell_again(&asker.caller, &asker.choice, about).await;
        let delivery = told.map_err(|refusal| match refusal {
            Refusal::Conflict(why) => Problem::in_flight(&why),
            other => other.into(),
        })?;
        Ok((StatusCode::CREATED, Json(self.callback_value(&delivery, &[]))))
    }
}

/// `GET /v1/runs/{run_id}/callback`.
pub(crate) async fn of_run(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<Json<Vec<Value>>, Problem> {
    front.callbacks(&asker, About::Run(named.id(0, "run_id")?)).await
}

/// `GET /v1/batches/{batch_id}/callback`.
pub(crate) async fn of_batch(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<Json<Vec<Value>>, Problem> {
    front.callbacks(&asker, About::Batch(named.id(0, "batch_id")?)).await
}

/// `POST /v1/runs/{run_id}/callback-redeliveries`.
pub(crate) async fn redeliver_run(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<(StatusCode, Json<Value>), Problem> {
    front.redeliver(&asker, About::Run(named.id(0, "run_id")?)).await
}

/// `POST /v1/batches/{batch_id}/callback-redeliveries`.
pub(crate) async fn redeliver_batch(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<(StatusCode, Json<Value>), Problem> {
    front.redeliver(&asker, About::Batch(named.id(0, "batch_id")?)).await
}
