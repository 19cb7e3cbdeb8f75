//! What receivers are sent of an event: its name, and the execution as its detail page shows it.

use domain::event::{Dialect, Event, Message};
use domain::run::Run;
use serde::Serialize;

use super::execution::ExecutionView;
use super::status::name_of;

/// The words of this dialect's webhooks.
#[derive(Clone, Copy, Debug, Default)]
pub struct AutoRetouchEvents;

#[derive(Serialize)]
struct Body {
    event: String,
    content: ExecutionView,
}

impl Dialect for AutoRetouchEvents {
    fn message(&self, event: &Event, run: Run) -> Message {
        let name = format!("WORKFLOW_EXECUTION_{}", name_of(event.status));
        let body = Body { event: name, content: ExecutionView::from(run) };
        let body = serde_json::to_vec(&body).expect("strings, numbers and lists have a JSON form");
        Message { media_type: "application/json", body }
    }
}
