//! What there is of statuses, classes, events and media types.

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::asker::{Asker, Named};
use super::listing::PageBody;
use super::problem::Problem;
use crate::Front;

/// The class of evaluations that there is.
pub(crate) const ACTIVE_CLASS: &str = "standard";

/// Statuses of runs: code, name, description, whether it is the end.
const RUN_STATUSES: &[(&str, &str, &str, bool)] = &[
    ("queued", "Queued", "Accepted, and waiting for a worker.", false),
    ("dispatching", "Dispatching", "Being handed to a worker.", false),
    ("running", "Running", "A worker has it, or a person looks at its result.", false),
    ("succeeded", "Succeeded", "Its output is ready.", true),
    (
        "partial_succeeded",
        "Partly succeeded",
        "Several outputs were asked for, and some of them are ready.",
        true,
    ),
    ("failed", "Failed", "It came to nothing; `failure_code` and `failure_message` say why.", true),
    ("canceled", "Cancelled", "It was cancelled before its end.", true),
];

/// Statuses of evaluations: code, name, description, whether it is the end.
const EVALUATION_STATUSES: &[(&str, &str, &str, bool)] = &[
    ("pending", "Pending", "Accepted, and waiting for a worker.", false),
    ("running", "Running", "The picture is being measured.", false),
    ("completed", "Completed", "There is a verdict.", true),
    ("failed", "Failed", "Nothing could be measured; `failure_code` says why.", true),
];

/// Kinds of events: code, name, description.
const EVENT_TYPES: &[(&str, &str, &str)] = &[
    ("run.completed", "Run completed", "A run succeeded."),
    ("run.partial_succeeded", "Run partly succeeded", "A run ended with some of its outputs."),
    ("run.failed", "Run failed", "A run came to nothing."),
    ("run.cancelled", "Run cancelled", "A run was cancelled."),
    ("batch.succeeded", "Batch succeeded", "Every run of a batch succeeded."),
    ("batch.partial_succeeded", "Batch partly succeeded", "A batch ended, and some of its runs succeeded."),
    ("batch.failed", "Batch failed", "A batch ended, and none of its runs succeeded."),
    ("batch.cancelled", "Batch cancelled", "Every run of a batch was cancelled."),
    ("evaluation.completed", "Evaluation completed", "An evaluation has a verdict."),
    ("evaluation.failed", "Evaluation failed", "An evaluation came to nothing."),
];

/// Media types that are taken in: code, type, kind of asset, endings of file names.
const ASSET_TYPES: &[(&str, &str, &str, &[&str])] = &[
    ("jpeg", "image/jpeg", "image", &["jpg", "jpeg"]),
    ("png", "image/png", "image", &["png"]),
    ("webp", "image/webp", "image", &["webp"]),
    ("tiff", "image/tiff", "image", &["tif", "tiff"]),
    ("zip", "application/zip", "archive", &["zip"]),
    // For whoever cannot tell; the bytes are looked at when they are there.
    ("unknown", "application/octet-stream", "file", &[]),
];
/// Other names of these types that are in use.
const OTHER_NAMES: &[&str] =
    &["image/jpg", "image/pjpeg", "image/x-png", "image/x-tiff", "application/x-zip-compressed"];

/// What to do with a picture next: code, name, description.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("accept", "Accept", "The picture can be used as it is."),
    ("reexport", "Export again", "Write the file again from its source, with other settings of the export."),
    ("retouch", "Retouch", "Change what the issues name, and evaluate the result."),
    ("reshoot", "Take it again", "The photograph lacks what no retouching can put back; take it again."),
];

/// Codes of every kind of event.
pub(crate) fn event_codes() -> impl Iterator<Item = &'static str> {
    EVENT_TYPES.iter().map(|(code, ..)| *code)
}

/// The same for people: `` `run.completed`, `run.failed`, … ``.
pub(crate) fn known_events() -> String {
    event_codes().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ")
}

/// Whether files of that media type are taken in, as far as their senders know.
pub(crate) fn is_accepted(media_type: &str) -> bool {
    let known = ASSET_TYPES.iter().map(|(_, media_type, ..)| *media_type).chain(OTHER_NAMES.iter().copied());
    known.into_iter().any(|known| known.eq_ignore_ascii_case(media_type.trim()))
}

/// What to do with a picture next, with its name where that is known.
pub(crate) fn action(code: &str) -> Value {
    let found = ACTIONS.iter().find(|(known, ..)| *known == code);
    let (name, description) = found.map_or((None, None), |(_, name, what)| (Some(name), Some(what)));
    json!({ "code": code, "name": name, "description": description })
}

fn statuses(all: &[(&str, &str, &str, bool)]) -> PageBody {
    let shown = |(nth, (code, name, description, is_terminal)): (usize, &(&str, &str, &str, bool))| {
        json!({
            "code": code, "name": name, "description": description, "is_terminal": is_terminal, "sort_order": nth,
        })
    };
    PageBody::whole(all.iter().enumerate().map(shown).collect())
}

/// `GET /v1/runs/statuses`.
pub(crate) async fn run_statuses(_: Asker) -> PageBody {
    statuses(RUN_STATUSES)
}

/// `GET /v1/evaluations/statuses`.
pub(crate) async fn evaluation_statuses(_: Asker) -> PageBody {
    statuses(EVALUATION_STATUSES)
}

/// `GET /v1/evaluations/job-classes`.
pub(crate) async fn job_classes(State(front): State<Front>, _: Asker) -> PageBody {
    let price = front.money(front.service.settings().evaluation_price.into());
    PageBody::whole(vec![json!({
        "code": ACTIVE_CLASS,
        "name": "Standard",
        "description": "Measures of the backdrop, the edges, the light, the sharpness and the file itself.",
        "price": price,
        "is_active": true,
    })])
}

fn event_value((code, name, description): &(&str, &str, &str)) -> Value {
    let resource = code.split('.').next();
    json!({ "code": code, "name": name, "description": description, "resource": resource })
}

/// `GET /v1/webhooks/event-types`.
pub(crate) async fn event_types(_: Asker) -> PageBody {
    PageBody::whole(EVENT_TYPES.iter().map(event_value).collect())
}

/// `GET /v1/webhooks/event-types/{code}`.
pub(crate) async fn event_type(_: Asker, named: Named) -> Result<Json<Value>, Problem> {
    let found = EVENT_TYPES.iter().find(|(code, ..)| *code == named.text(0));
    let missing = || {
        Problem::not_found(
            "There is no event type of that code; `GET /v1/webhooks/event-types` lists those there are.",
        )
    };
    Ok(Json(event_value(found.ok_or_else(missing)?)))
}

/// `GET /v1/assets/types`.
pub(crate) async fn asset_types(_: Asker) -> PageBody {
    let shown = |(code, media_type, kind, endings): &(&str, &str, &str, &[&str])| json!({ "code": code, "mime_type": media_type, "asset_type": kind, "extensions": endings });
    PageBody::whole(ASSET_TYPES.iter().map(shown).collect())
}

#[cfg(test)]
mod tests {
    use domain::evaluation::EvaluationStatus;

    use super::*;
    use crate::runflow::event::kinds_of;

    #[test]
    fn every_code_is_one_that_the_rest_knows() {
        assert!(event_codes().all(|code| kinds_of(code).is_some()));
        let listed: Vec<_> = EVALUATION_STATUSES.iter().map(|(code, ..)| *code).collect();
        assert_eq!(listed, EvaluationStatus::ALL.map(EvaluationStatus::as_str));
    }

    #[test]
    fn media_types_are_known_by_their_other_names_too() {
        for known in ["image/jpeg", "IMAGE/PNG", "image/jpg", "application/octet-stream"] {
            assert!(is_accepted(known), "{known}");
        }
        assert!(!is_accepted("text/html") && !is_accepted("image/gif") && !is_accepted(""));
    }
}
