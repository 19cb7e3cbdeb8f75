//! What receivers are sent of an event, and how it is signed.

use domain::batch::BatchEnd;
use domain::evaluation::{Evaluation, EvaluationState};
use domain::event::{Dialect, Event, Kind, Message, Told, What};
use domain::run::{Run, State};
use domain::time::Timestamp;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::{Value, json};
use service::Service;
use sha2::Sha256;
use std::sync::Arc;
use uuid::Uuid;

use super::batch::end_of;
use super::run::{duration_of, failure_of, status_of};
use super::view::iso;
use crate::{ApiSettings, Front};

/// The words of this dialect's callbacks. Their outputs are addresses that are signed when an event is worded.
pub struct RunflowEvents {
    front: Front,
}

impl RunflowEvents {
    /// The words, with links that the service signs; money and links as the settings say.
    pub fn new(service: Service, settings: ApiSettings) -> Self {
        Self { front: Front { service, settings: Arc::new(settings), readiness: None } }
    }
}

/// The name of a kind of event, for those that have one here.
pub(crate) const fn name_of(kind: Kind) -> Option<&'static str> {
    Some(match kind {
        Kind::RunSucceeded => "run.completed",
        Kind::RunFailed | Kind::RunUnpaid => "run.failed",
        Kind::RunCancelled => "run.cancelled",
        Kind::RunInReview => return None,
        Kind::BatchSucceeded => "batch.succeeded",
        Kind::BatchPartlySucceeded => "batch.partial_succeeded",
        Kind::BatchFailed => "batch.failed",
        Kind::BatchCancelled => "batch.cancelled",
        Kind::EvaluationCompleted => "evaluation.completed",
        Kind::EvaluationFailed => "evaluation.failed",
    })
}

/// The kinds that an event of that name may be of; none for a name that there is not.
pub(crate) fn kinds_of(name: &str) -> Option<&'static [Kind]> {
    Some(match name {
        "run.completed" => &[Kind::RunSucceeded],
        "run.failed" => &[Kind::RunFailed, Kind::RunUnpaid],
        "run.cancelled" => &[Kind::RunCancelled],
        // No model of ours has several outputs of which some may be missing.
        "run.partial_succeeded" => &[],
        "batch.succeeded" => &[Kind::BatchSucceeded],
        "batch.partial_succeeded" => &[Kind::BatchPartlySucceeded],
        "batch.failed" => &[Kind::BatchFailed],
        "batch.cancelled" => &[Kind::BatchCancelled],
        "evaluation.completed" => &[Kind::EvaluationCompleted],
        "evaluation.failed" => &[Kind::EvaluationFailed],
        _ => return None,
    })
}

/// A body: its keys in the order that receivers are promised.
#[derive(Serialize)]
struct Body<'a> {
    event: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    run_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    batch_id: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    evaluation_id: Option<Uuid>,
    status: &'a str,
    output: Value,
    duration_ms: Option<i64>,
    created_at: Option<String>,
    completed_at: Option<String>,
    metadata: &'a Value,
}

impl RunflowEvents {
    fn run_body(&self, event: &str, run: &Run) -> Vec<u8> {
        let output = match (&run.state, failure_of(run)) {
            (State::Succeeded { result, .. }, _) => self.front.output_of(run, result),
            (_, Some((code, message, stage))) => json!({ "code": code, "message": message, "stage": stage }),
            _ => Value::Null,
        };
        written(&Body {
            event,
            run_id: Some(run.id.0),
            batch_id: None,
            evaluation_id: None,
            status: status_of(run.state.status()),
            output,
            duration_ms: duration_of(run),
            created_at: Some(iso(run.created_at)),
            completed_at: run.state.finished_at().map(iso),
            metadata: run.request.as_ref().map_or(&Value::Null, |request| &request.metadata),
        })
    }

    fn batch_body(&self, event: &str, batch: &domain::batch::Batch, end: BatchEnd, runs: &[Run]) -> Vec<u8> {
        let began = batch.started_at.or(batch.ended_at);
        let duration = batch.ended_at.zip(began).map(|(ended, began)| (ended - began).0.max(0));
        written(&Body {
            event,
            run_id: None,
            batch_id: Some(batch.handle),
            evaluation_id: None,
            status: end_of(end),
            output: self.front.batch_output(batch, runs),
            duration_ms: duration,
            created_at: Some(iso(batch.created_at)),
            completed_at: batch.ended_at.map(iso),
            metadata: batch.request.as_ref().map_or(&Value::Null, |request| &request.metadata),
        })
    }

    fn evaluation_body(&self, event: &str, evaluation: &Evaluation) -> Vec<u8> {
        let (began, ended): (Option<Timestamp>, Option<Timestamp>) = match &evaluation.state {
            EvaluationState::Completed { started_at, finished_at, .. } => {
                (Some(*started_at), Some(*finished_at))
            }
            EvaluationState::Failed { finished_at, .. } => (None, Some(*finished_at)),
            EvaluationState::Pending | EvaluationState::Running { .. } => (None, None),
        };
        let output = match &evaluation.state {
            EvaluationState::Completed { report, .. } => json!({
                "overall_passed": report.passed,
                "weighted_pass_rate": report.score,
                "top_issues": report.issues,
                "top_strengths": report.strengths,
            }),
            _ => Value::Null,
        };
        written(&Body {
            event,
            run_id: None,
            batch_id: None,
            evaluation_id: Some(evaluation.id.0),
            status: evaluation.state.status().as_str(),
            output,
            duration_ms: ended.zip(began).map(|(ended, began)| (ended - began).0),
            created_at: Some(iso(evaluation.created_at)),
            completed_at: ended.map(iso),
            metadata: &Value::Null,
        })
    }
}

fn written(body: &Body<'_>) -> Vec<u8> {
    serde_json::to_vec(body).expect("strings, numbers and lists have a JSON form")
}

impl Dialect for RunflowEvents {
    fn message(&self, event: &Event, told: Told) -> Message {
        let name = event.what.kind().and_then(name_of).unwrap_or("run.updated");
        let body = match (&told, event.what) {
            (Told::Run(run), _) => self.run_body(name, run),
            (Told::Batch(batch, runs), What::Batch { end, .. }) => self.batch_body(name, batch, end, runs),
            (Told::Batch(batch, runs), _) => {
                self.batch_body(name, batch, batch.end().unwrap_or(BatchEnd::Failed), runs)
            }
            (Told::Evaluation(evaluation), _) => self.evaluation_body(name, evaluation),
        };
        Message { media_type: "application/json", body }
    }

    fn headers(&self, secrets: &[&[u8]], delivery: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        let mut headers = vec![("runflow-request-id", delivery.to_owned())];
        if let Some(secret) = secrets.first() {
            headers.push(("runflow-signature", signature(secret, body)));
        }
        headers
    }
}

/// Lower-case hexadecimal HMAC-SHA256 of a body, with all bytes of the secret as the key.
fn signature(secret: &[u8], body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    mac.update(body);
    mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_as_published() {
        let signed = signature(b"whsec_test", br#"{"event":"run.completed"}"#);
        assert_eq!(signed, "11f962fc7c17c33e9ce7683bac7b64dd040d212d47526e025bdce6e9e478af55");
    }

    #[test]
    fn every_name_leads_back_to_its_kinds() {
        for kind in Kind::ALL {
            if let Some(name) = name_of(kind) {
                assert!(kinds_of(name).is_some_and(|kinds| kinds.contains(&kind)), "{name}");
            }
        }
        assert_eq!(kinds_of("run.exploded"), None);
    }
}
