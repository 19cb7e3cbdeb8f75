//! Runs: shown, listed, cancelled.

use std::collections::{BTreeSet, HashMap};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use domain::access::Role;
use domain::evaluation::{Evaluation, EvaluationState};
use domain::filter::{Expr, Listing, Value as FilterValue};
use domain::id::{RunId, WorkflowId};
use domain::request::Origin;
use domain::run::{Outcome, Run, State as RunState, Status};
use serde_json::{Map, Value, json};
use service::RunField;
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::form::MaybeForm;
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::model;
use super::problem::Problem;
use super::view::{maybe_time, object, time, with_ending};
use crate::Front;
use crate::listing::{everything, list_fields};

list_fields! {
    RunFields: RunField, statuses: run_statuses {
        "id" => RunField::Id, Id;
        "status_code" => RunField::Status, Status;
        "created_at" => RunField::CreatedAt, Time;
        "started_at" => RunField::StartedAt, Time;
        "completed_at" => RunField::FinishedAt, Time;
        "duration_ms" => RunField::Duration, Number;
        "client_ref" => RunField::Reference, Text;
        "batch_id" => RunField::Batch, Id;
        "flow_id" => RunField::Workflow, Id;
        "failure_code" => RunField::FailureCode, Text;
        "feedback_is_positive" => RunField::Liked, Bool;
    }
}

/// The store's names of what this dialect calls so.
pub(crate) fn run_statuses(name: &str) -> Result<Vec<String>, String> {
    let statuses: &[Status] = match name {
        "queued" => &[Status::Queued],
        // Handing over takes no time here.
        "dispatching" | "partial_succeeded" => &[],
        "running" => &[Status::Running, Status::InReview],
        "succeeded" => &[Status::Succeeded],
        "failed" => &[Status::Failed, Status::Unpaid],
        "canceled" | "cancelled" => &[Status::Cancelled],
        _ => {
            return Err(
                "one of `queued`, `dispatching`, `running`, `succeeded`, `partial_succeeded`, `failed`, \
                        `canceled`"
                    .to_owned(),
            );
        }
    };
    Ok(statuses.iter().map(|status| status.as_str().to_owned()).collect())
}

/// Every name of a run, in the order they are shown.
pub(crate) const NAMES: &[&str] = &[
    "id",
    "flow_id",
    "model_id",
    "comfyui_workflow_id",
    "target_type",
    "target_version",
    "org_id",
    "status_code",
    "source_code",
    "input",
    "output",
    "context",
    "duration_ms",
    "cost",
    "cost_breakdown",
    "nodes_total",
    "nodes_completed",
    "resolved_template_id",
    "batch_id",
    "client_ref",
    "jurisdiction_code",
    "flow_version_id",
    "request_id",
    "created_by",
    "created_at",
    "started_at",
    "completed_at",
    "callback_url",
    "metadata",
    "has_logs",
    "has_node_runs",
    "links",
    "failure_code",
    "failure_message",
    "failure_stage_code",
    "feedback_is_positive",
    "feedback_reason",
    "source_chat_message_id",
    "current_evaluation_summary",
    "node_runs",
    "logs",
    "flow",
    "error",
];
const RELATIONS: &[&str] = &["node_runs", "logs", "flow", "model", "batch"];
/// A status in this dialect.
pub(crate) const fn status_of(status: Status) -> &'static str {
    match status {
        Status::Queued => "queued",
        Status::Running | Status::InReview => "running",
        Status::Succeeded => "succeeded",
        Status::Failed | Status::Unpaid => "failed",
        Status::Cancelled => "canceled",
    }
}

/// Why a run came to nothing: code, message and stage.
pub(crate) fn failure_of(run: &Run) -> Option<(String, String, &'static str)> {
    match &run.state {
        RunState::Failed { failure, started_at, finished_at } => {
            let before_it_began = failure.code == "input_invalid" && started_at == finished_at;
            let (code, stage) = if before_it_began {
                ("VALIDATION_ERROR".to_owned(), "dispatch")
            } else if failure.code.starts_with("result_") {
                (failure.code.to_ascii_uppercase(), "output")
            } else {
                (failure.code.to_ascii_uppercase(), "execution")
            };
            Some((code, failure.message.clone(), stage))
        }
        RunState::Unpaid => Some((
            "INSUFFICIENT_CREDIT".to_owned(),
            "The balance was too low when it was asked for; top up and retry.".to_owned(),
            "dispatch",
        )),
        _ => None,
    }
}

/// Milliseconds from worker to end.
pub(crate) fn duration_of(run: &Run) -> Option<i64> {
    Some((run.state.finished_at()? - began(run)?).0)
}

/// When work began. What failed before it began never did.
fn began(run: &Run) -> Option<domain::time::Timestamp> {
    let before = matches!(failure_of(run), Some((_, _, "dispatch")));
    run.state.started_at().filter(|_| !before)
}

impl Front {
    /// What a run gave: its files as addresses, in the order its model gives them.
    pub(crate) fn output_of(&self, run: &Run, result: &Outcome) -> Value {
        let before = run.request.as_ref().map(|request| request.before.as_slice()).unwrap_or_default();
        let earlier =
            before.iter().filter_map(|label| result.more.get(label)).map(|file| (&file.image, &file.name));
        let rest = result
            .more
            .iter()
            .filter(|(label, _)| !before.contains(label))
            .map(|(_, file)| (&file.image, &file.name));
        let files = earlier.chain(std::iter::once((&result.image, &result.name))).chain(rest);
        let urls: Vec<String> = files
            .map(|(image, name)| self.result_url(run.org, image.hash, &with_ending(name, &image.media_type)))
            .collect();
        let outputs: Vec<_> = urls.iter().map(|url| json!({ "url": url, "type": "image" })).collect();
        json!({ "outputs": outputs, "image_urls": urls, "seed": null, "timing": null, "nsfw_detected": null })
    }

    /// A run as it is shown. Its input has references where pictures are; [`Front::sign_references`] makes addresses of them.
    pub(crate) fn run_value(&self, run: &Run) -> Value {
        let status = run.state.status();
        let request = run.request.as_ref();
        let output = match &run.state {
            RunState::Succeeded { result, .. } => self.output_of(run, result),
            _ => Value::Null,
        };
        let failure = failure_of(run);
        let cost = match status {
            // What failed or was cancelled was given back, as far as it was set aside for a success.
            status if status.is_final() => json!(self.money(run.charged.into())),
            _ => Value::Null,
        };
        let made_by = run.state.made_by();
        let steps = made_by.map(<[_]>::len);
        let completed = made_by.map(|steps| steps.iter().filter(|step| step.error.is_none()).count());
        let input = match (request, &run.input) {
            (Some(request), _) => request.input.clone(),
            (None, Some(image)) => {
                json!({ "image_url": self.result_url(run.org, image.hash, &with_ending(&run.input_name, &image.media_type)) })
            }
            (None, None) => json!({}),
        };
        let error = match (&failure, status) {
            (Some((code, message, _)), _) => json!({ "code": code, "message": message }),
            (None, Status::Cancelled) => json!({ "code": "CANCELED", "message": "The run was cancelled." }),
            _ => Value::Null,
        };
        let batch = run.batch.as_ref().map(|batch| domain::batch::handle(run.org, batch));
        let source = match request {
            Some(request) if request.origin == Origin::Batch => "batch",
            Some(request) if request.origin == Origin::Workflow => "workflow",
            Some(_) => "api",
            None => "studio",
        };
        let has_ended = status.is_final();
        let (code, message, stage) = match failure {
            Some((code, message, stage)) => (json!(code), json!(message), json!(stage)),
            None => (Value::Null, Value::Null, Value::Null),
        };
        object([
            ("id", json!(run.id)),
            ("flow_id", json!(flow_id(run))),
            ("model_id", json!(model_id(run))),
            ("comfyui_workflow_id", json!(null)),
            ("target_type", json!(target_type(run))),
            ("target_version", json!(run.version)),
            ("org_id", json!(run.org)),
            ("status_code", json!(status_of(status))),
            ("source_code", json!(source)),
            ("input", json!(input)),
            ("output", json!(output)),
            ("context", json!(null)),
            ("duration_ms", json!(duration_of(run))),
            ("cost", json!(cost)),
            ("cost_breakdown", json!(null)),
            ("nodes_total", json!(steps)),
            ("nodes_completed", json!(completed)),
            ("resolved_template_id", json!(null)),
            ("batch_id", json!(batch)),
            ("client_ref", json!(run.labels.get("client_ref"))),
            ("jurisdiction_code", json!(null)),
            ("flow_version_id", json!(flow_id(run).map(|_| run.version))),
            ("request_id", json!(request.and_then(|request| request.request_id.clone()))),
            ("created_by", json!(super::account::user_id(&run.user))),
            ("created_at", json!(time(run.created_at))),
            ("started_at", json!(maybe_time(began(run)))),
            ("completed_at", json!(maybe_time(run.state.finished_at()))),
            ("callback_url", json!(run.webhooks.first())),
            ("metadata", json!(request.map_or(&Value::Null, |request| &request.metadata))),
            ("has_logs", json!(began(run).is_some() || has_ended)),
            ("has_node_runs", json!(steps.is_some())),
            ("links", json!(links(run))),
            ("failure_code", json!(code)),
            ("failure_message", json!(message)),
            ("failure_stage_code", json!(stage)),
            ("feedback_is_positive", json!(run.feedback.as_ref().map(|feedback| feedback.thumbs_up))),
            ("feedback_reason", json!(run.feedback.as_ref().and_then(|feedback| feedback.reason.clone()))),
            ("source_chat_message_id", json!(null)),
            ("current_evaluation_summary", json!(null)),
            ("node_runs", json!(null)),
            ("logs", json!(null)),
            ("flow", json!(null)),
            ("error", json!(error)),
        ])
    }

    /// The runs of those ids, as far as whoever asks may see them.
    pub(crate) async fn runs_by_id(
        &self,
        asker: &Asker,
        ids: impl IntoIterator<Item = RunId>,
    ) -> Result<HashMap<RunId, Run>, Problem> {
        let ids: BTreeSet<RunId> = ids.into_iter().collect();
        if ids.is_empty() || !asker.caller.scopes.allow("runs:read") {
            return Ok(HashMap::new());
        }
        let ids = ids.into_iter().map(|run| FilterValue::Id(run.0)).collect();
        let filter = Some(Expr::is_among(RunField::Id, ids));
        let listing = Listing { filter, ..everything(Vec::new()) };
        let leaf = self.service.list_runs(&asker.caller, &asker.choice, &listing).await?;
        Ok(leaf.entries.into_iter().map(|run| (run.id, run)).collect())
    }

    /// A run as it is shown to whoever asks for it; of what is not shown nothing is looked up.
    async fn show_run(&self, asker: &Asker, run: &Run, shown: &Shown) -> Result<Value, Problem> {
        let values = self.show_runs(asker, std::slice::from_ref(run), shown).await?;
        Ok(values.into_iter().next().map(|value| shown.of(value)).unwrap_or_default())
    }

    /// Runs as they are shown, whole but for what would have to be looked up and is not shown.
    pub(crate) async fn show_runs(
        &self,
        asker: &Asker,
        runs: &[Run],
        shown: &Shown,
    ) -> Result<Vec<Value>, Problem> {
        let mut values: Vec<Value> = runs.iter().map(|run| self.run_value(run)).collect();
        if shown.shows("input") {
            self.sign_references(asker.org, values.iter_mut().map(|value| &mut value["input"])).await?;
        }
        if shown.shows("current_evaluation_summary") {
            let verdicts = self.verdicts_on(asker, runs).await?;
            for (run, value) in runs.iter().zip(&mut values) {
                value["current_evaluation_summary"] = verdicts.get(&run.id).cloned().unwrap_or_default();
            }
        }
        for (run, value) in runs.iter().zip(&mut values) {
            self.embed(asker, run, shown, value).await?;
        }
        Ok(values)
    }

    async fn embed(&self, asker: &Asker, run: &Run, shown: &Shown, value: &mut Value) -> Result<(), Problem> {
        if shown.embeds("logs") {
            value["logs"] = self.logs_of(asker, run.id).await?;
        }
        if shown.embeds("node_runs") {
            value["node_runs"] = self.nodes_of(asker, run.id).await?;
        }
        if shown.embeds("flow") && value["target_type"] == "flow" {
            value["flow"] = json!({ "id": run.workflow, "name": run.workflow_name });
        }
        if shown.embeds("model") {
            value["model"] =
                model_of(run).map_or(Value::Null, |model| super::models::model_value(self, model));
        }
        if shown.embeds("batch") {
            value["batch"] = match run.batch.as_ref() {
                None => Value::Null,
                Some(batch) => {
                    let handle = domain::batch::handle(run.org, batch);
                    let batch = self.service.batch_of(&asker.caller, &asker.choice, handle).await?;
                    self.batch_value(&batch)
                }
            };
        }
        Ok(())
    }

    /// What the latest evaluation of each run found, where there is one.
    async fn verdicts_on(&self, asker: &Asker, runs: &[Run]) -> Result<HashMap<RunId, Value>, Problem> {
        if !asker.caller.scopes.allow("evaluations:read") {
            return Ok(HashMap::new());
        }
        let ids: Vec<RunId> = runs.iter().map(|run| run.id).collect();
        let latest = self.service.latest_evaluations(&asker.caller, &asker.choice, &ids).await?;
        let verdict = |state: &EvaluationState| match state {
            EvaluationState::Completed { report, .. } => {
                json!({ "passed": report.passed, "status_code": "completed", "score": report.score })
            }
            state => json!({ "passed": null, "status_code": state.status().as_str(), "score": null }),
        };
        let of_run = |it: &Evaluation| Some((it.run?, verdict(&it.state)));
        Ok(latest.iter().filter_map(of_run).collect())
    }
}

/// The catalogue's model that a run is of, if it is of one.
pub(crate) fn model_of(run: &Run) -> Option<&'static model::Model> {
    let request = run.request.as_ref().filter(|request| request.origin != Origin::Workflow)?;
    let (owner, slug) = request.target.split_once('/')?;
    model::find(owner, slug)
}

/// The id of that model.
pub(crate) fn model_id(run: &Run) -> Option<Uuid> {
    model_of(run).map(|model| model.id)
}

/// The workflow that a run is of, unless that stands for a model.
pub(crate) fn flow_id(run: &Run) -> Option<WorkflowId> {
    model_of(run).is_none().then_some(run.workflow)
}

/// What a run is of.
pub(crate) fn target_type(run: &Run) -> &'static str {
    if model_of(run).is_some() { "model" } else { "flow" }
}

fn links(run: &Run) -> Value {
    let base = format!("/v1/runs/{}", run.id);
    let mut links = Map::new();
    let mut add = |name: &str, path: String| drop(links.insert(name.to_owned(), json!(path)));
    add("self", base.clone());
    add("logs", format!("{base}/logs"));
    add("node_runs", format!("{base}/node-runs"));
    if !run.webhooks.is_empty() {
        add("callback", format!("{base}/callback"));
    }
    add("evaluations", format!("{base}/evaluations"));
    if let Some(batch) = &run.batch {
        add("batch", format!("/v1/batches/{}", domain::batch::handle(run.org, batch)));
    }
    Value::Object(links)
}

/// `GET /v1/runs`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&RunFields, NEWEST, NAMES, RELATIONS)?;
    let leaf = front.service.list_runs(&asker.caller, &asker.choice, &asked.listing).await?;
    Ok(asked.page(&leaf, front.show_runs(&asker, &leaf.entries, &asked.shown).await?))
}

/// `GET /v1/runs/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, RELATIONS)?;
    let run = front.read_run(&asker, named.id(0, "id")?).await?;
    Ok(Json(front.show_run(&asker, &run, &shown).await?))
}

impl Front {
    /// One run of the asker's organization.
    pub(crate) async fn read_run(&self, asker: &Asker, id: RunId) -> Result<Run, Problem> {
        self.service.need_scope(&asker.caller, "runs:read")?;
        Ok(self.service.run(&asker.caller, &asker.choice, id).await?)
    }
}

/// `POST /v1/runs/{run_id}/cancellation`.
pub(crate) async fn cancel(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    MaybeForm(mut form): MaybeForm,
) -> Result<Response, Problem> {
    let reason = form.text("reason", 3..=500);
    form.check()?;
    let id = named.id(0, "run_id")?;
    let (run, now) = front.service.cancel_run(&asker.caller, &asker.choice, id, reason.as_deref()).await?;
    let status = if now { StatusCode::CREATED } else { StatusCode::OK };
    Ok((status, Json(front.show_run(&asker, &run, &Shown::default()).await?)).into_response())
}

/// `POST /v1/admin/runs/{run_id}/cancellation`: the same, for administrators.
pub(crate) async fn cancel_as_admin(
    state: State<Front>,
    asker: Asker,
    named: Named,
    form: MaybeForm,
) -> Result<Response, Problem> {
    if asker.caller.role_in(asker.org) != Some(Role::Admin) {
        return Err(Problem::new(
            StatusCode::FORBIDDEN,
            "PERMISSION_DENIED",
            "Only an administrator of the organisation may do this; ask one.",
        ));
    }
    cancel(state, asker, named, form).await
}
