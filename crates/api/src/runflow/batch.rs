//! Batches: shown, listed, with their items; cancelled.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::batch::{Batch, BatchEnd, BatchStatus};
use domain::filter::{Expr, Kind, Listing, Value as FilterValue};
use domain::request::Origin;
use domain::run::{Run, State as RunState, Status};
use serde_json::{Value, json};
use service::{BatchField, RunField};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::form::MaybeForm;
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::model;
use super::problem::Problem;
use super::run::{failure_of, run_statuses, status_of};
use super::view::{item_id, maybe_time, object, run_of_item, time};
use crate::Front;
use crate::listing::{list_fields, only, sort};

/// Items that a batch has written into it, at most; more are in its list of items alone.
const ITEMS_INLINE_MAX: u64 = 1_000;

/// The names of a batch, in the order they are shown.
const NAMES: &[&str] = &[
    "id",
    "org_id",
    "target_type_code",
    "target_type",
    "target_id",
    "status_code",
    "source_code",
    "items_total",
    "items_succeeded",
    "items_failed",
    "items_cancelled",
    "input",
    "resolved_template_id",
    "dispatch_provider_link_id",
    "cost",
    "output",
    "metadata",
    "callback_url",
    "duration_ms",
    "failure_code",
    "failure_message",
    "failure_stage_code",
    "created_by",
    "created_at",
    "started_at",
    "completed_at",
    "links",
    "items",
];
const ITEM_NAMES: &[&str] = &[
    "id",
    "batch_id",
    "sequence_index",
    "run_id",
    "created_at",
    "client_ref",
    "status_code",
    "input",
    "cost",
    "output",
    "error",
    "started_at",
    "completed_at",
    "run",
];

const ITEM_RELATIONS: &[&str] = &["run"];

list_fields! {
    BatchFields: BatchField, statuses: batch_statuses {
        "id" => BatchField::Id, Id;
        "status_code" => BatchField::Status, Status;
        "created_at" => BatchField::CreatedAt, Time;
        "started_at" => BatchField::StartedAt, Time;
        "completed_at" => BatchField::EndedAt, Time;
        "items_total" => BatchField::Runs, Number;
        "items_succeeded" => BatchField::Succeeded, Number;
        "items_failed" => BatchField::Failed, Number;
        "items_cancelled" => BatchField::Cancelled, Number;
    }
}

/// The store's names of what this dialect calls so.
fn batch_statuses(name: &str) -> Result<Vec<String>, String> {
    let name = match name {
        "queued" | "running" | "succeeded" | "failed" => name,
        "partial_succeeded" => BatchEnd::PartlySucceeded.as_str(),
        "canceled" | "cancelled" => BatchEnd::Cancelled.as_str(),
        "dispatching" => return Ok(Vec::new()),
        _ => {
            return Err("one of `queued`, `running`, `succeeded`, `partial_succeeded`, `failed`, `canceled`"
                .to_owned());
        }
    };
    Ok(vec![name.to_owned()])
}

list_fields! {
    ItemFields: RunField, statuses: run_statuses {
        "sequence_index" => RunField::Place, Number;
        "status_code" => RunField::Status, Status;
        "client_ref" => RunField::Reference, Text;
        "created_at" => RunField::CreatedAt, Time;
        "started_at" => RunField::StartedAt, Time;
        "completed_at" => RunField::FinishedAt, Time;
        "run_id" => RunField::Id, Id;
    }
}

/// How a batch ended, in this dialect.
pub(crate) const fn end_of(end: BatchEnd) -> &'static str {
    match end {
        BatchEnd::Succeeded => "succeeded",
        BatchEnd::PartlySucceeded => "partial_succeeded",
        BatchEnd::Failed => "failed",
        BatchEnd::Cancelled => "canceled",
    }
}

/// Where a batch stands, in this dialect.
fn status_of_batch(batch: &Batch) -> &'static str {
    match batch.status() {
        BatchStatus::Ended(end) => end_of(end),
        status => status.as_str(),
    }
}

/// The place of a run in its batch, as far as it has one.
fn place(run: &Run, nth: usize) -> u64 {
    run.place.map_or(nth as u64, u64::from)
}

/// An item in short.
pub(crate) fn handle(run: &Run, nth: usize) -> Value {
    json!({
        "id": item_id(run.id),
        "sequence_index": place(run, nth),
        "client_ref": run.labels.get("client_ref"),
        "run_id": run.id,
        "status_code": status_of(run.state.status()),
    })
}

fn error_of(run: &Run) -> Value {
    failure_of(run).map_or(
        Value::Null,
        |(code, message, stage)| json!({ "code": code, "message": message, "stage": stage }),
    )
}

impl Front {
    fn output_or_null(&self, run: &Run) -> Value {
        match &run.state {
            RunState::Succeeded { result, .. } => self.output_of(run, result),
            _ => Value::Null,
        }
    }

    /// What a batch that has ended gave.
    pub(crate) fn batch_output(&self, batch: &Batch, runs: &[Run]) -> Value {
        let items: Vec<_> = runs
            .iter()
            .enumerate()
            .map(|(nth, run)| {
                json!({
                    "id": item_id(run.id),
                    "sequence_index": place(run, nth),
                    "client_ref": run.labels.get("client_ref"),
                    "run_id": run.id,
                    "status": status_of(run.state.status()),
                    "output": self.output_or_null(run),
                    "error": error_of(run),
                })
            })
            .collect();
        let count = |status| batch.counts.in_status(status);
        json!({
            "items": items,
            "succeeded": count(Status::Succeeded),
            "failed": count(Status::Failed) + count(Status::Unpaid),
            "cancelled": count(Status::Cancelled),
            "total": batch.runs,
        })
    }

    /// A batch as it is shown, without its items and what they gave.
    pub(crate) fn batch_value(&self, batch: &Batch) -> Value {
        let request = batch.request.as_ref();
        let model = request.and_then(|request| model::find_path(&request.target));
        let is_model = request.is_some_and(|request| request.origin != Origin::Workflow) && model.is_some();
        let target = model.filter(|_| is_model).map_or(batch.workflow.0, |model| model.id);
        let kind = if is_model { "model" } else { "flow" };
        let end = batch.end();
        let count = |status| batch.counts.in_status(status);
        let failed = count(Status::Failed) + count(Status::Unpaid);
        let has_failed = end == Some(BatchEnd::Failed);
        let completed_at = end.and(batch.ended_at);
        let base = format!("/v1/batches/{}", batch.handle);
        let mut links = json!({ "self": base, "items": format!("{base}/items") });
        if !batch.webhooks.is_empty() {
            links["callback"] = json!(format!("{base}/callback"));
        }
        let began = batch.started_at.or(completed_at);
        object([
            ("id", json!(batch.handle)),
            ("org_id", json!(batch.org)),
            ("target_type_code", json!(kind)),
            ("target_type", json!(kind)),
            ("target_id", json!(target)),
            ("status_code", json!(status_of_batch(batch))),
            ("source_code", json!(if request.is_some() { "api" } else { "studio" })),
            ("items_total", json!(batch.size.unwrap_or(batch.runs))),
            ("items_succeeded", json!(count(Status::Succeeded))),
            ("items_failed", json!(failed)),
            ("items_cancelled", json!(count(Status::Cancelled))),
            ("input", json!(request.map_or(Value::Null, |request| request.input.clone()))),
            ("resolved_template_id", json!(null)),
            ("dispatch_provider_link_id", json!(null)),
            ("cost", json!(end.map(|_| self.money(batch.charged)))),
            ("output", json!(null)),
            ("metadata", json!(request.map_or(&Value::Null, |request| &request.metadata))),
            ("callback_url", json!(batch.webhooks.first())),
            ("duration_ms", json!(completed_at.zip(began).map(|(ended, began)| (ended - began).0.max(0)))),
            ("failure_code", json!(has_failed.then_some("ALL_ITEMS_FAILED"))),
            (
                "failure_message",
                json!(has_failed.then_some("No item of the batch succeeded; each item says why.")),
            ),
            ("failure_stage_code", json!(has_failed.then_some("execution"))),
            ("created_by", json!(super::account::user_id(&batch.author))),
            ("created_at", json!(time(batch.created_at))),
            ("started_at", json!(maybe_time(batch.started_at))),
            ("completed_at", json!(maybe_time(completed_at))),
            ("links", json!(links)),
            ("items", json!(null)),
        ])
    }

    /// The runs of a batch, in their order: as many as are written into it.
    async fn runs_of(&self, asker: &Asker, batch: &Batch) -> Result<Vec<Run>, Problem> {
        let listing = Listing {
            filter: Some(Expr::is(RunField::Batch, FilterValue::Id(batch.handle))),
            sorts: vec![
                sort(RunField::Place, Kind::Number, false),
                sort(RunField::CreatedAt, Kind::Time, false),
            ],
            from: None,
            limit: ITEMS_INLINE_MAX as u32,
        };
        Ok(self.service.list_runs(&asker.caller, &asker.choice, &listing).await?.entries)
    }

    /// A batch as it is shown to whoever asks for it.
    pub(crate) async fn show_batch(&self, asker: &Asker, batch: &Batch) -> Result<Value, Problem> {
        let mut value = self.batch_value(batch);
        self.sign_references(batch.org, [&mut value["input"]]).await?;
        // An order of tens of thousands of pictures is walked through its list of items.
        if batch.runs <= ITEMS_INLINE_MAX {
            let runs = self.runs_of(asker, batch).await?;
            value["items"] = runs.iter().enumerate().map(|(nth, run)| handle(run, nth)).collect();
            if value["input"].is_null() {
                value["input"] = runs.iter().map(|run| self.run_value(run)["input"].take()).collect();
            }
            if batch.end().is_some() {
                value["output"] = self.batch_output(batch, &runs);
            }
        }
        Ok(value)
    }

    fn item_value(&self, batch: Uuid, run: &Run, nth: usize) -> Value {
        let mut shown = self.run_value(run);
        let mut take = |name: &str| shown[name].take();
        json!({
            "id": item_id(run.id),
            "batch_id": batch,
            "sequence_index": place(run, nth),
            "run_id": run.id,
            "created_at": take("created_at"),
            "client_ref": take("client_ref"),
            "status_code": take("status_code"),
            "input": take("input"),
            "cost": take("cost"),
            "output": take("output"),
            "error": error_of(run),
            "started_at": take("started_at"),
            "completed_at": take("completed_at"),
            "run": null,
        })
    }

    /// Items of a batch as they are shown to whoever asks for them.
    async fn show_items(
        &self,
        asker: &Asker,
        batch: Uuid,
        runs: &[Run],
        shown: &Shown,
    ) -> Result<Vec<Value>, Problem> {
        let items = runs.iter().enumerate();
        let mut values: Vec<Value> = items.map(|(nth, run)| self.item_value(batch, run, nth)).collect();
        if shown.shows("input") {
            self.sign_references(asker.org, values.iter_mut().map(|value| &mut value["input"])).await?;
        }
        if shown.embeds("run") {
            let whole = self.show_runs(asker, runs, &Shown::default()).await?;
            for (value, run) in values.iter_mut().zip(whole) {
                value["run"] = run;
            }
        }
        Ok(values)
    }
}

/// `GET /v1/batches`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&BatchFields, NEWEST, NAMES, &[])?;
    let leaf = front.service.list_batches(&asker.caller, &asker.choice, &asked.listing).await?;
    let mut values: Vec<Value> = leaf.entries.iter().map(|batch| front.batch_value(batch)).collect();
    if asked.shown.shows("input") {
        front.sign_references(asker.org, values.iter_mut().map(|value| &mut value["input"])).await?;
    }
    // A page of outputs holds the results of thousands of runs: it is for those who ask for it.
    if asked.shown.names("output") {
        for (batch, value) in leaf.entries.iter().zip(&mut values) {
            if batch.end().is_some() && batch.runs <= ITEMS_INLINE_MAX {
                value["output"] = front.batch_output(batch, &front.runs_of(&asker, batch).await?);
            }
        }
    }
    Ok(asked.page(&leaf, values))
}

/// `GET /v1/batches/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.names(NAMES)?;
    let batch = front.service.batch_of(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(Json(shown.of(front.show_batch(&asker, &batch).await?)))
}

const IN_ORDER: &str = "sequence_index:asc,created_at:asc";

/// `GET /v1/batches/{batch_id}/items`.
pub(crate) async fn list_items(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&ItemFields, IN_ORDER, ITEM_NAMES, ITEM_RELATIONS)?;
    let batch = front.service.batch_of(&asker.caller, &asker.choice, named.id(0, "batch_id")?).await?;
    let listing = only(asked.listing.clone(), RunField::Batch, batch.handle);
    let leaf = front.service.list_runs(&asker.caller, &asker.choice, &listing).await?;
    Ok(asked.page(&leaf, front.show_items(&asker, batch.handle, &leaf.entries, &asked.shown).await?))
}

/// `GET /v1/batches/{batch_id}/items/{id}`.
pub(crate) async fn show_item(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(ITEM_NAMES, ITEM_RELATIONS)?;
    let batch = front.service.batch_of(&asker.caller, &asker.choice, named.id(0, "batch_id")?).await?;
    let none = || Problem::not_found("No item with that id in this batch.");
    let run = match front.read_run(&asker, run_of_item(named.id(1, "id")?)).await {
        Ok(run)
            if run.batch.as_ref().is_some_and(|id| domain::batch::handle(run.org, id) == batch.handle) =>
        {
            run
        }
        Err(problem) if !problem.is_the_callers() => return Err(problem),
        _ => return Err(none()),
    };
    let runs = std::slice::from_ref(&run);
    let items = front.show_items(&asker, batch.handle, runs, &shown).await?;
    Ok(Json(items.into_iter().next().map(|item| shown.of(item)).unwrap_or_default()))
}

/// `POST /v1/batches/{batch_id}/cancellation`: every item that has not ended.
pub(crate) async fn cancel(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    MaybeForm(mut form): MaybeForm,
) -> Result<Response, Problem> {
    let reason = form.text("reason", 3..=500);
    form.check()?;
    let id = named.id(0, "batch_id")?;
    let (batch, many) =
        front.service.cancel_batch(&asker.caller, &asker.choice, id, reason.as_deref()).await?;
    let status = if many > 0 { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(front.show_batch(&asker, &batch).await?)).into_response())
}
