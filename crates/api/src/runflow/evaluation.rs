//! Evaluations: how good a picture is, and what people say about the verdict.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::evaluation::{
    Asked, Evaluation, EvaluationState, EvaluationStatus, Finding, Opinion, Reference, Report,
};
use domain::id::{self, EvaluationId, RunId};
use domain::image::FileName;
use domain::request::{Face, From, Source};
use domain::run::Run;
use serde_json::{Map, Value, json};
use service::{EvaluationDraft, EvaluationField};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::dispatch::FACE;
use super::form::Form;
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::media::Resolved;
use super::model::{FieldError, Loc};
use super::problem::Problem;
use super::reference::{ACTIVE_CLASS, action};
use super::repeat::Once;
use super::run::{flow_id, model_id, target_type};
use super::view::{maybe_time, time, with_ending};
use crate::Front;
use crate::listing::{list_fields, only};

/// Most pictures that one is held against.
const REFERENCES_MAX: usize = 4;
/// Most characters in the name of a task, or of what a reference shows.
const NAME_MAX: usize = 255;
/// Most characters in what is written about a picture.
const TEXT_MAX: usize = 20_000;
/// Most characters in what people say.
const REASON_MAX: usize = 2000;
/// Where ids of what is found begin among those made from an evaluation's id.
const FIRST_JUDGE: u32 = 10_000;

list_fields! {
    EvaluationFields: EvaluationField, statuses: evaluation_statuses {
        "id" => EvaluationField::Id, Id;
        "status_code" => EvaluationField::Status, Status;
        "created_at" => EvaluationField::CreatedAt, Time;
        "submitted_at" => EvaluationField::CreatedAt, Time;
        "updated_at" => EvaluationField::UpdatedAt, Time;
        "completed_at" => EvaluationField::FinishedAt, Time;
        "run_id" => EvaluationField::Run, Id;
        "client_ref" => EvaluationField::Reference, Text;
        "task_type" => EvaluationField::Task, Text;
        "overall_passed" => EvaluationField::Passed, Bool;
        "weighted_pass_rate" => EvaluationField::Score, Number;
        "feedback_is_positive" => EvaluationField::Liked, Bool;
    }
}

/// The statuses there are have the store's names.
fn evaluation_statuses(name: &str) -> Result<Vec<String>, String> {
    match EvaluationStatus::parse(name) {
        Some(status) => Ok(vec![status.as_str().to_owned()]),
        None => Err("one of `pending`, `running`, `completed`, `failed`".to_owned()),
    }
}

const NAMES: &[&str] = &[
    "id",
    "org_id",
    "run_id",
    "target_type_code",
    "model_id",
    "flow_id",
    "comfyui_workflow_id",
    "status_code",
    "job_class_code",
    "failure_code",
    "task_type",
    "task_description",
    "generation_prompt",
    "generated_image_url",
    "input_attributes",
    "evaluation_instructions",
    "reference_images",
    "overall_passed",
    "weighted_pass_rate",
    "override_reason",
    "top_issues",
    "top_strengths",
    "check_summary",
    "analysis_modules_executed",
    "primary_action_code",
    "parent_evaluation_id",
    "attempt_number",
    "superseded_at",
    "eval_duration_ms",
    "feedback_is_positive",
    "feedback_reason",
    "created_at",
    "updated_at",
    "client_ref",
    "submitted_at",
    "completed_at",
    "callback_url",
    "cost",
    "links",
    "judges",
    "action",
    "gate_failures",
];
const RELATIONS: &[&str] = &["judges", "action", "gate_failures"];

/// `POST /v1/evaluations`.
pub(crate) async fn submit(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    mut form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    front.service.need_scope(&asker.caller, "evaluations:create")?;
    let picture = form.required_text("generated_image_url", 1..=usize::MAX);
    let task = form.required_text("task_type", 1..=NAME_MAX);
    let mut details = Map::new();
    for name in ["task_description", "generation_prompt", "evaluation_instructions"] {
        details.insert(name.to_owned(), json!(form.text(name, 0..=TEXT_MAX)));
    }
    details.insert("input_attributes".to_owned(), json!(form.object("input_attributes")));
    let references = read_references(&mut form);
    let run = form.id::<RunId>("run_id");
    let client_ref = form.text("client_ref", 0..=NAME_MAX);
    let class = form.text("job_class", 0..=NAME_MAX);
    if class.is_some_and(|class| class != ACTIVE_CLASS) {
        form.wrong(
            "job_class",
            "enum",
            format!("Input should be '{ACTIVE_CLASS}', the one class that is active"),
        );
    }
    let webhooks = form.callback_url().into_iter().collect();
    form.check()?;
    let way = [Loc::from("body"), Loc::from("generated_image_url")];
    let named = references.iter().map(|reference| reference.url.as_str()).chain([picture.as_str()]);
    let referred = front.referred(asker.org, named).await?;
    let resolved = front.resolve(&asker, &referred, &way, &picture, once.seed, 0).await?;
    let mut shown = Vec::new();
    let mut held_against = Vec::new();
    for (nth, reference) in (1..).zip(references) {
        let place = usize::try_from(nth - 1).unwrap_or_default();
        let way = [Loc::from("body"), Loc::from("reference_images"), Loc::Index(place), Loc::from("url")];
        let resolved = front.resolve(&asker, &referred, &way, &reference.url, once.seed, nth).await?;
        shown.push(json!({
            "url": resolved.reference, "kind": reference.kind, "description": reference.description,
        }));
        held_against.push(Reference { picture: source(resolved), kind: reference.kind });
    }
    details.insert("generated_image_url".to_owned(), json!(resolved.reference));
    details.insert("reference_images".to_owned(), json!(shown));
    let details = Value::Object(details);
    let mut signed = details.clone();
    front.sign_references(asker.org, [&mut signed]).await?;
    let draft = EvaluationDraft {
        face: Face(FACE.to_owned()),
        task,
        picture: source(resolved),
        references: held_against,
        run,
        client_ref,
        webhooks,
        details,
    };
    let evaluated = front.runs_by_id(&asker, run).await?;
    let of = run.and_then(|run| evaluated.get(&run));
    let keep = |evaluation: &Evaluation| {
        once.clone()
            .keep(StatusCode::ACCEPTED, &front.evaluation_value(evaluation, &signed, of, &Shown::default()))
    };
    let evaluation = front.service.evaluate(&asker.caller, &asker.choice, draft, once.seed, keep).await?;
    Ok((StatusCode::ACCEPTED, Json(front.evaluation_value(&evaluation, &signed, of, &Shown::default()))))
}

fn source(resolved: Resolved) -> Source {
    Source { slot: String::new(), from: resolved.from, member: None }
}

/// A picture to be held against, as it was given.
struct Given {
    url: String,
    kind: Option<String>,
    description: Option<String>,
}

fn read_references(form: &mut Form) -> Vec<Given> {
    let values = form.list("reference_images").unwrap_or_default();
    if values.len() > REFERENCES_MAX {
        let most = format!("List should have at most {REFERENCES_MAX} items");
        form.wrong("reference_images", "too_long", most);
        return Vec::new();
    }
    let mut given = Vec::new();
    for (nth, value) in values.iter().enumerate() {
        let way = [Loc::from("reference_images"), Loc::Index(nth)];
        let Some(members) = value.as_object() else {
            let error = FieldError::new(Vec::<Loc>::new(), "dict_type", "Input should be a valid dictionary");
            form.wrong_within(&way, vec![error]);
            continue;
        };
        let mut errors = Vec::new();
        let mut text = |name: &str, most: usize| match members.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.chars().count() <= most => Some(text.clone()),
            Some(Value::String(_)) => {
                let too_long = format!("String should have at most {most} characters");
                errors.push(FieldError::new([name], "string_too_long", too_long));
                None
            }
            Some(_) => {
                errors.push(FieldError::new([name], "string_type", "Input should be a valid string"));
                None
            }
        };
        let (url, kind) = (text("url", usize::MAX), text("kind", NAME_MAX));
        let description = text("description", TEXT_MAX);
        if url.is_none() && errors.is_empty() {
            errors.push(FieldError::new(["url"], "missing", "Field required"));
        }
        form.wrong_within(&way, errors);
        given.push(Given { url: url.unwrap_or_default(), kind, description });
    }
    given
}

impl Front {
    /// An evaluation as it is shown; `signed` is what was asked besides, with addresses in place of references, `run` the run it
    /// belongs to, as far as that may be seen.
    fn evaluation_value(
        &self,
        evaluation: &Evaluation,
        signed: &Value,
        run: Option<&Run>,
        shown: &Shown,
    ) -> Value {
        let Asked { task, picture, .. } = &evaluation.asked;
        let report = match &evaluation.state {
            EvaluationState::Completed { report, .. } => Some(report.as_ref()),
            _ => None,
        };
        let (ended, took) = match &evaluation.state {
            EvaluationState::Completed { started_at, finished_at, .. } => {
                (Some(*finished_at), Some((*finished_at - *started_at).0))
            }
            EvaluationState::Failed { finished_at, .. } => (Some(*finished_at), None),
            EvaluationState::Pending | EvaluationState::Running { .. } => (None, None),
        };
        let failure = match &evaluation.state {
            EvaluationState::Failed { failure, .. } => Some(failure.code.to_ascii_uppercase()),
            _ => None,
        };
        // One that nobody asked for by an address has the run's own picture.
        let address = match (&signed["generated_image_url"], &picture.from) {
            (Value::String(address), _) => address.clone(),
            (_, From::Address(address)) => address.clone(),
            (_, From::Stored(image)) => {
                let name = with_ending(&FileName::clean("picture"), &image.media_type);
                self.result_url(evaluation.org, image.hash, &name)
            }
        };
        let mut links = json!({ "self": format!("/v1/evaluations/{}", evaluation.id) });
        if let Some(run) = evaluation.run {
            links["run"] = json!(format!("/v1/runs/{run}"));
        }
        let mut value = json!({
            "id": evaluation.id,
            "org_id": evaluation.org,
            "run_id": evaluation.run,
            "target_type_code": run.map(target_type),
            "model_id": run.and_then(model_id),
            "flow_id": run.and_then(flow_id),
            "comfyui_workflow_id": null,
            "status_code": evaluation.state.status().as_str(),
            "job_class_code": ACTIVE_CLASS,
            "failure_code": failure,
            "task_type": task,
            "task_description": signed["task_description"],
            "generation_prompt": signed["generation_prompt"],
            "generated_image_url": address,
            "input_attributes": signed["input_attributes"],
            "evaluation_instructions": signed["evaluation_instructions"],
            "reference_images": signed["reference_images"],
            "parent_evaluation_id": null,
            "attempt_number": 1,
            "superseded_at": null,
            "eval_duration_ms": took,
            "feedback_is_positive": evaluation.opinion.as_ref().map(|opinion| opinion.is_positive),
            "feedback_reason": evaluation.opinion.as_ref().and_then(|opinion| opinion.reason.clone()),
            "created_at": time(evaluation.created_at),
            "updated_at": time(evaluation.updated_at),
            "client_ref": evaluation.client_ref,
            "submitted_at": time(evaluation.created_at),
            "completed_at": maybe_time(ended),
            "callback_url": evaluation.webhooks.first(),
            "cost": report.map(|_| self.money(evaluation.charged.into())),
            "links": links,
        });
        if let (Value::Object(members), Value::Object(found)) =
            (&mut value, verdict(evaluation, report, shown))
        {
            members.extend(found);
        }
        value
    }

    /// Evaluations as they are shown to whoever asks for them.
    async fn evaluation_values(
        &self,
        asker: &Asker,
        evaluations: &[Evaluation],
        shown: &Shown,
    ) -> Result<Vec<Value>, Problem> {
        let mut signed: Vec<Value> =
            evaluations.iter().map(|evaluation| evaluation.asked.details.clone()).collect();
        self.sign_references(asker.org, &mut signed).await?;
        let runs = self.runs_by_id(asker, evaluations.iter().filter_map(|it| it.run)).await?;
        let values = evaluations.iter().zip(&signed).map(|(evaluation, signed)| {
            let run = evaluation.run.and_then(|run| runs.get(&run));
            self.evaluation_value(evaluation, signed, run, shown)
        });
        Ok(values.collect())
    }

    async fn show_evaluation(
        &self,
        asker: &Asker,
        evaluation: &Evaluation,
        shown: &Shown,
    ) -> Result<Value, Problem> {
        let values = self.evaluation_values(asker, std::slice::from_ref(evaluation), shown).await?;
        Ok(values.into_iter().next().map(|value| shown.of(value)).unwrap_or_default())
    }

    async fn page_of_evaluations(
        &self,
        asker: &Asker,
        query: &ListQuery,
        of: Option<RunId>,
    ) -> Result<PageBody, Problem> {
        let asked = query.ask(&EvaluationFields, NEWEST, NAMES, RELATIONS)?;
        let listing = match of {
            None => asked.listing.clone(),
            Some(run) => only(asked.listing.clone(), EvaluationField::Run, run.0),
        };
        let leaf = self.service.list_evaluations(&asker.caller, &asker.choice, &listing).await?;
        Ok(asked.page(&leaf, self.evaluation_values(asker, &leaf.entries, &asked.shown).await?))
    }

    async fn give_feedback(
        &self,
        asker: &Asker,
        id: EvaluationId,
        of: Option<RunId>,
        mut form: Form,
    ) -> Result<Json<Value>, Problem> {
        if !form.has("is_positive") {
            form.wrong("is_positive", "missing", "Field required");
        }
        let is_positive = form.boolean("is_positive");
        let reason = form.text("reason", 0..=REASON_MAX);
        form.check()?;
        let opinion = is_positive.map(|is_positive| Opinion { is_positive, reason });
        let now = self.service.give_opinion(&asker.caller, &asker.choice, id, of, opinion).await?;
        Ok(Json(self.show_evaluation(asker, &now, &Shown::default()).await?))
    }
}

/// What was found, and of that what is asked for besides.
fn verdict(evaluation: &Evaluation, report: Option<&Report>, shown: &Shown) -> Value {
    let wanted = |name: &str| report.filter(|_| shown.embeds(name));
    json!({
        "overall_passed": report.map(|report| report.passed),
        "weighted_pass_rate": report.map(|report| report.score),
        "override_reason": null,
        "top_issues": report.map(|report| &report.issues),
        "top_strengths": report.map(|report| &report.strengths),
        "check_summary": report.map(summary),
        "analysis_modules_executed": report.map(|report| measured(report).count()),
        "primary_action_code": report.map(|report| &report.action),
        "judges": wanted("judges").map(|report| judges(evaluation, report)),
        "action": wanted("action").map(|report| action(&report.action)),
        "gate_failures": wanted("gate_failures").map(gate_failures),
    })
}

fn measured(report: &Report) -> impl Iterator<Item = &Finding> {
    report.findings.iter().filter(|finding| finding.value.is_some())
}

fn summary(report: &Report) -> Value {
    let count = |passed| report.findings.iter().filter(|finding| finding.passed == passed).count();
    json!({
        "total": report.findings.len(),
        "passed": count(Some(true)),
        "failed": count(Some(false)),
        "not_measured": count(None),
        "gate_failures": report.gates.len(),
    })
}

fn gate_failures(report: &Report) -> Vec<Value> {
    let detail = |code: &str| {
        let found = report.findings.iter().find(|finding| finding.code == code);
        found.map(|finding| finding.sentence.clone())
    };
    report.gates.iter().map(|code| json!({ "code": code, "detail": detail(code) })).collect()
}

/// What was measured, each measure as a judge.
fn judges(evaluation: &Evaluation, report: &Report) -> Vec<Value> {
    (FIRST_JUDGE..)
        .zip(&report.findings)
        .map(|(place, finding)| judge(evaluation, id::derived(evaluation.id.0, place), finding))
        .collect()
}

fn judge(evaluation: &Evaluation, id: Uuid, finding: &Finding) -> Value {
    let ended = match &evaluation.state {
        EvaluationState::Completed { finished_at, .. } => Some(*finished_at),
        _ => None,
    };
    let issues: Vec<_> = (finding.passed == Some(false))
        .then(|| {
            json!({
                "id": id::derived(id, 1),
                "evaluation_id": evaluation.id,
                "evaluation_judge_id": id,
                "category": finding.category,
                "subcategory": finding.code,
                "detail": finding.sentence,
                "region": finding.region,
            })
        })
        .into_iter()
        .collect();
    json!({
        "id": id,
        "evaluation_id": evaluation.id,
        "name": finding.name,
        "description": finding.description,
        "category": finding.category,
        "passed": finding.passed,
        "confidence": finding.confidence,
        "weight": finding.weight,
        "reasoning": finding.sentence,
        "evidence": evidence(finding),
        "sub_point_results": {
            "code": finding.code,
            "value": finding.value,
            "unit": finding.unit,
            "least": finding.least,
            "most": finding.most,
            "region": finding.region,
        },
        "sub_points_evaluated": i32::from(finding.value.is_some()),
        "created_at": maybe_time(ended),
        "issues": issues,
    })
}

/// What was measured and what it is held against, in words.
fn evidence(finding: &Finding) -> Vec<String> {
    let unit = if finding.unit.is_empty() { String::new() } else { format!(" {}", finding.unit) };
    let said = |what: &str, value: Option<f64>| value.map(|value| format!("{what} {}{unit}", rounded(value)));
    [
        said("measured", finding.value),
        said("at least", finding.least),
        said("at most", finding.most),
        finding.region.map(|[left, top, width, height]| {
            format!("worst place: left {left}, top {top}, {width} by {height} pixels")
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A number with at most four digits behind its point.
fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

/// `GET /v1/evaluations`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    front.page_of_evaluations(&asker, &query, None).await
}

/// `GET /v1/runs/{run_id}/evaluations`.
pub(crate) async fn of_run(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    front.service.need_scope(&asker.caller, "evaluations:read")?;
    let of = named.id_or_any::<RunId>(0, "run_id")?;
    if let Some(run) = of {
        front.service.run(&asker.caller, &asker.choice, run).await?;
    }
    front.page_of_evaluations(&asker, &query, of).await
}

/// `GET /v1/evaluations/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, RELATIONS)?;
    let found = front.service.evaluation(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(Json(front.show_evaluation(&asker, &found, &shown).await?))
}

/// `PATCH /v1/evaluations/{evaluation_id}/feedback`.
pub(crate) async fn feedback(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    form: Form,
) -> Result<Json<Value>, Problem> {
    front.give_feedback(&asker, named.id(0, "evaluation_id")?, None, form).await
}

/// `PATCH /v1/runs/{run_id}/evaluations/{evaluation_id}/feedback`.
pub(crate) async fn feedback_of_run(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    form: Form,
) -> Result<Json<Value>, Problem> {
    let (run, id) = (named.id(0, "run_id")?, named.id(1, "evaluation_id")?);
    front.give_feedback(&asker, id, Some(run), form).await
}
