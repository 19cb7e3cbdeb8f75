//! What the steps of runs did: node runs, in this dialect's words.

use axum::Json;
use axum::extract::State;
use domain::filter::Kind;
use domain::id::RunId;
use serde_json::{Value, json};
use service::{ListedStep, StepField, part_number, step_id};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::listing::{ListQuery, PageBody, everything, one, runflow_fields, sort};
use super::problem::Problem;
use super::view::time;
use crate::Front;

runflow_fields! {
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

fn node_value(step: &ListedStep) -> Value {
    let report = &step.report;
    json!({
        "id": step_id(step.run, step.place),
        "run_id": step.run,
        "node_id": null,
        "flow_id": null,
        "state_code": "succeeded",
        "input": { "component": report.component, "label": report.label, "version": report.version },
        "output": {
            "cached": report.cached, "notes": report.notes, "confidence": report.confidence,
            "product_pixels_changed": report.product_pixels_changed, "model": report.model,
        },
        "input_signature": null,
        "preview_type": null,
        "preview_value": null,
        "duration_ms": report.millis.round() as i64,
        "cost": null,
        "retry_count": 0,
        "error_message": null,
        "created_at": time(step.started_at),
        "started_at": time(step.started_at),
        "completed_at": time(step.finished_at),
    })
}

impl Front {
    /// Every node run of a run, in the order of its steps.
    pub(crate) async fn nodes_of(&self, asker: &Asker, run: RunId) -> Result<Value, Problem> {
        let listing = everything(vec![sort(StepField::Place, Kind::Number, false)]);
        let leaf = self.service.list_steps(&asker.caller, &asker.choice, Some(run), &listing).await?;
        Ok(leaf.entries.iter().map(node_value).collect())
    }
}

/// `GET /v1/runs/{run_id}/node-runs`; the run may be `any`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let listing = query.listing(&NodeFields, FIRST)?;
    let projection = query.projection(NAMES)?;
    query.embeds(&[])?;
    let of = named.id_or_any(0, "run_id")?;
    let leaf = front.service.list_steps(&asker.caller, &asker.choice, of, &listing).await?;
    let items = leaf.entries.iter().map(|step| projection.of(node_value(step), &[])).collect();
    Ok(query.page(&leaf, FIRST, items))
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
    Ok(Json(node_value(leaf.entries.first().ok_or_else(missing)?)))
}
