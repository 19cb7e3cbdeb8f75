//! What receivers are sent of an event: its name, and the execution as its detail page shows it.

use domain::event::{Dialect, Event, Message, Told, What};
use domain::run::Run;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::Serialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::execution::ExecutionView;
use super::status::name_of;

/// The words of this dialect's webhooks.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoRetouchEvents;

#[derive(Serialize)]
struct Body<T> {
    event: String,
    content: T,
}

fn bytes(body: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(body).expect("strings, numbers and lists have a JSON form")
}

fn run_body(what: What, run: Run) -> Vec<u8> {
    // The status that is told of, whatever the run has become since.
    let status = match what {
        What::Run { status, .. } => status,
        What::Batch { .. } | What::Evaluation { .. } => run.state.status(),
    };
    bytes(&Body {
        event: format!("WORKFLOW_EXECUTION_{}", name_of(status)),
        content: ExecutionView::from(run),
    })
}

/// This dialect has no view of anything but executions: of the rest it says what happened to which.
fn other_body(name: String, id: String) -> Vec<u8> {
    let content: Value = json!({ "id": id });
    bytes(&Body { event: name, content })
}

/// The value of `x-retouch-signature`: HMAC-SHA256 over the body alone, one for each secret.
fn signature(secrets: &[&[u8]], body: &[u8]) -> String {
    let sign = |secret: &&[u8]| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
        mac.update(body);
        let digest = mac.finalize().into_bytes();
        format!("sha256={}", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
    };
    secrets.iter().map(sign).collect::<Vec<_>>().join(", ")
}

impl Dialect for AutoRetouchEvents {
    fn message(&self, event: &Event, told: Told) -> Message {
        let body = match told {
            Told::Run(run) => run_body(event.what, *run),
            Told::Batch(batch, _) => other_body("BATCH_ENDED".to_owned(), batch.id),
            Told::Evaluation(evaluation) => {
                let name = format!("EVALUATION_{}", evaluation.state.status().as_str().to_uppercase());
                other_body(name, evaluation.id.to_string())
            }
        };
        Message { media_type: self.media_type(), body }
    }

    fn headers(&self, secrets: &[&[u8]], _delivery: &str, body: &[u8]) -> Vec<(&'static str, String)> {
        match secrets {
            [] => Vec::new(),
            secrets => vec![("x-retouch-signature", signature(secrets, body))],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_signature_is_over_the_body() {
        // RFC 4231, test case 2.
        let body = b"what do ya want for nothing?";
        let signed = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(signature(&[b"Jefe"], body), signed);
        let both = signature(&[b"other", b"Jefe"], body);
        assert!(both.starts_with("sha256=") && both.ends_with(&format!(", {signed}")), "{both}");
        assert!(AutoRetouchEvents.headers(&[], "", body).is_empty());
    }
}
