//! What the steps of runs did: node runs, in this dialect's words.

use axum::Json;
use axum::extract::State;
use domain::filter::Kind;
use domain::id::{OrgId, RunId};
use serde_json::{Value, json};
use service::{ListedStep, StepField, part_number, step_id};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::listing::{ListQuery, PageBody};
use super::problem::Problem;
use super::view::time;
use crate::Front;
use crate::listing::{everything, list_fields, one, sort};

list_fields! {
    NodeFields: StepField {
        "id" => StepField::Id, Id;
        "run_id" => StepField::Run, Id;
        "created_at" => StepField::CreatedAt, Time;
        "completed_at" => StepField::CreatedAt, Time;
        "duration_ms" => StepField::Duration, Number;
        "node_name" => StepField::Component, Text;
        "sort_order" => StepField::Place, Number;
    }
}

const NAMES: &[&str] = &[
    "id",
    "run_id",
    "node_id",
    "flow_id",
    "state_code",
    "input",
    "output",
    "input_signature",
    "preview_type",
    "preview_value",
    "duration_ms",
    "cost",
    "retry_count",
    "error_message",
    "created_at",
    "started_at",
    "completed_at",
];
/// The usual order of node runs.
const FIRST: &str = "created_at:asc,sort_order:asc";

impl Front {
    fn node_value(&self, org: OrgId, step: &ListedStep) -> Value {
        let report = &step.report;
        // What a step that failed would have made is nowhere.
        let preview = (report.error.is_none() && self.service.has_previews())
            .then(|| self.preview_url(org, step.run, step.place));
        json!({
            "id": step_id(step.run, step.place),
            "run_id": step.run,
            "node_id": null,
            "flow_id": null,
            "state_code": if report.error.is_none() { "succeeded" } else { "failed" },
            "input": { "component": report.component, "label": report.label, "version": report.version },
            "output": {
                "cached": report.cached, "notes": report.notes, "confidence": report.confidence,
                "product_pixels_changed": report.product_pixels_changed, "model": report.model,
            },
            "input_signature": null,
            "preview_type": preview.as_ref().map(|_| "image"),
            "preview_value": preview,
            "duration_ms": report.millis.round() as i64,
            "cost": null,
            "retry_count": 0,
            "error_message": report.error,
            "created_at": time(step.started_at),
            "started_at": time(step.started_at),
            "completed_at": time(step.finished_at),
        })
    }

    /// Every node run of a run, in the order of its steps.
    pub(crate) async fn nodes_of(&self, asker: &Asker, run: RunId) -> Result<Value, Problem> {
        let listing = everything(vec![sort(StepField::Place, Kind::Number, false)]);
        let leaf = self.service.list_steps(&asker.caller, &asker.choice, Some(run), &listing).await?;
        Ok(leaf.entries.iter().map(|step| self.node_value(asker.org, step)).collect())
    }
}

/// `GET /v1/runs/{run_id}/node-runs`; the run may be `any`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&NodeFields, FIRST, NAMES, &[])?;
    let of = named.id_or_any(0, "run_id")?;
    let leaf = front.service.list_steps(&asker.caller, &asker.choice, of, &asked.listing).await?;
    Ok(asked.page(&leaf, leaf.entries.iter().map(|step| front.node_value(asker.org, step))))
}

/// `GET /v1/runs/{run_id}/node-runs/{id}`; the run may be `any`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<Json<Value>, Problem> {
    let (of, id) = (named.id_or_any::<RunId>(0, "run_id")?, named.id::<Uuid>(1, "id")?);
    let missing = || Problem::not_found("No node run with that id in this run.");
    if let Some(of) = of {
        part_number(of.0, id).ok_or_else(missing)?;
    }
    let listing = one(StepField::Id, id);
    let leaf = front.service.list_steps(&asker.caller, &asker.choice, of, &listing).await?;
    Ok(Json(front.node_value(asker.org, leaf.entries.first().ok_or_else(missing)?)))
}
