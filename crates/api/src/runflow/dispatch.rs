//! Work is asked for: one run of a model, a batch of them, a run once more.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use domain::access::Caller;
use domain::id::RunId;
use domain::image::FileName;
use domain::request::{Face, From, Origin, Request, Source};
use domain::workflow::{Step, Workflow};
use serde_json::{Map, Value, json};
use service::{BatchCommission, Commission, Dispatched, ModelWork};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::deployment;
use super::form::Form;
use super::media::Resolved;
use super::model::{self, FieldError, Loc, MediaRules, Model};
use super::problem::Problem;
use super::repeat::Once;
use crate::Front;

/// This dialect among the faces.
pub const FACE: &str = "runflow";
/// Largest input of one run that is kept, in bytes of JSON, its pictures counted as references.
const INPUT_BYTES_MAX: usize = 64 * 1024;
/// Largest metadata, in bytes of JSON.
const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Most characters in a caller's name for a run.
const REFERENCE_MAX: usize = 255;

/// What is asked for: a model of the catalogue, or a published workflow.
pub(crate) struct Target {
    pub(crate) model: Model,
    workflow: Option<Workflow>,
}

impl Target {
    /// A model as it stands for itself.
    pub(crate) fn of(model: &Model) -> Self {
        Self { model: model.clone(), workflow: None }
    }
}

/// The segments of a model's address: its id, decoded one by one, and what follows it.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let rest = path.strip_prefix("/v1/models/").or_else(|| path.strip_prefix("/v1/comfyui-workflows/"));
    rest.unwrap_or_default()
        .trim_end_matches('/')
        .split('/')
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

impl Front {
    /// The model of that id: one of the catalogue, or a workflow that the asker's organization has published.
    pub(crate) async fn find_model(&self, asker: &Asker, owner: &str, slug: &str) -> Result<Target, Problem> {
        if let Some(model) = model::find(owner, slug) {
            return Ok(Target { model: model.clone(), workflow: None });
        }
        let found = self.workflow_models(asker).await?.into_iter();
        found
            .map(|(model, workflow)| Target { model, workflow: Some(workflow) })
            .find(|target| target.model.owner == owner && target.model.slug == slug)
            .ok_or_else(no_model)
    }

    /// The model of that id to be run. A deployed workflow has the address of one, and nothing that runs it.
    async fn find_target(&self, asker: &Asker, owner: &str, slug: &str) -> Result<Target, Problem> {
        let found = self.find_model(asker, owner, slug).await;
        if found.is_err() && self.is_deployed(asker, owner, slug).await? {
            return Err(deployment::no_executor());
        }
        found
    }

    /// Every published workflow of the asker's organization as a model, in the order they were made.
    pub(crate) async fn workflow_models(&self, asker: &Asker) -> Result<Vec<(Model, Workflow)>, Problem> {
        let org = self.service.org(&asker.caller, asker.org).await?;
        let window = domain::page::Window { limit: 10_000, offset: 0 };
        let (caller, choice) = (&asker.caller, &asker.choice);
        let mut workflows = self.service.workflows(caller, choice, window).await?.entries;
        workflows.extend(self.service.archived_workflows(caller, choice, window).await?.entries);
        // In the order they were made, the archived ones among them: so a slug stays with its workflow.
        workflows.sort_by_key(|workflow| workflow.id);
        let owner = model::slug(&org.name);
        let slugs = model::slugs(workflows.iter().map(|workflow| workflow.name.as_str()));
        let models = slugs.into_iter().zip(workflows);
        let models = models.filter(|(_, workflow)| workflow.archived_at.is_none());
        let as_model = |(slug, workflow): (String, Workflow)| {
            (model::workflow_model(&owner, asker.org.0, &slug, &workflow), workflow)
        };
        Ok(models.map(as_model).collect())
    }

    /// What one run of a model costs, in credits.
    pub(crate) fn price_of(&self, target: &Target) -> u32 {
        match (&target.workflow, target.model.price) {
            (Some(workflow), _) => workflow.version.price,
            (None, Some(price)) => self.credits(price),
            // One without a list price costs what its components cost for the input of its first example.
            (None, None) => {
                let example = target.model.examples.first().map(|example| &example.input);
                let checked =
                    example.and_then(|input| model::validate(&target.model, input, &MediaRules::STRICT).ok());
                let plan = checked.and_then(|checked| model::plan(&target.model, &checked).ok());
                plan.map_or(0, |plan| self.service.catalogue().price(&plan.steps))
            }
        }
    }

    /// The workflow that runs of a model are filed under.
    async fn workflow_of(
        &self,
        caller: &Caller,
        asker: &Asker,
        target: &Target,
    ) -> Result<Workflow, Problem> {
        if let Some(workflow) = &target.workflow {
            return Ok(workflow.clone());
        }
        let step = |kind: &str| Step { kind: kind.to_owned(), label: kind.to_owned(), settings: json!({}) };
        let work = ModelWork {
            name: target.model.path(),
            steps: vec![step("input"), step("export")],
            price: self.price_of(target),
        };
        Ok(self.service.workflow_for(caller, asker.org, &work).await?)
    }

    /// The plan for an input, and the pictures that it names.
    fn planned(
        &self,
        model: &Model,
        input: &Value,
    ) -> Result<(model::Plan, Vec<model::Found>), Vec<FieldError>> {
        let is_own = |address: &str| self.is_own(address);
        let rules = MediaRules { allow_http: self.service.settings().allow_plain_http, is_own: &is_own };
        let checked = model::validate(model, input, &rules)?;
        Ok((model::plan(model, &checked)?, model::media(model, input, &rules)))
    }

    /// What is to be done for one input. Faults lead from inside the input.
    async fn commission(
        &self,
        asker: &Asker,
        target: &Target,
        input: &Map<String, Value>,
        terms: &Terms,
        seed: Uuid,
    ) -> Result<Commission, Wrong> {
        let model = &target.model;
        let mut stored = Value::Object(known_to(model, input));
        model::unfold(model, &mut stored);
        let (plan, media) = self.planned(model, &stored).map_err(Wrong::Fields)?;
        let mut known: Vec<(Vec<Loc>, Resolved)> = Vec::new();
        for (nth, found) in (0..).zip(media) {
            let Some(text) = at(&stored, &found.path).and_then(Value::as_str).map(str::to_owned) else {
                continue;
            };
            let resolved =
                self.resolve(asker, &found.path, &text, seed, nth).await.map_err(Wrong::Problem)?;
            model::put(&mut stored, &found.path, resolved.reference.clone());
            known.push((found.path, resolved));
        }
        if stored.to_string().len() > INPUT_BYTES_MAX {
            let text = format!("Input should have at most {INPUT_BYTES_MAX} bytes beside its pictures");
            return Err(Wrong::Fields(vec![FieldError::new([] as [&str; 0], "too_long", text)]));
        }
        let source = |slot: &str, source: &model::Source| {
            let found = known.iter().find(|(path, _)| *path == source.path);
            found.map(|(_, resolved)| Source {
                slot: slot.to_owned(),
                from: resolved.from.clone(),
                member: source.member.clone(),
            })
        };
        let missing = |source: &model::Source| {
            let text = "this field names no picture that can be used";
            Wrong::Fields(vec![FieldError::new(source.path.clone(), "value_error", text)])
        };
        let mut sources = vec![source("", &plan.picture).ok_or_else(|| missing(&plan.picture))?];
        for further in &plan.further {
            let picture = source(further.placeholder, &further.source);
            sources.push(picture.ok_or_else(|| missing(&further.source))?);
        }
        // A picture that is here and is none is told at once.
        for (path, resolved) in &known {
            let is_archive =
                sources.iter().any(|source| source.from == resolved.from && source.member.is_some());
            if let From::Stored(image) = &resolved.from
                && image.width == 0
                && !is_archive
            {
                let text = "the file is no picture that can be worked on";
                return Err(Wrong::Fields(vec![FieldError::new(path.clone(), "value_error", text)]));
            }
        }
        let picture = known.iter().find(|(path, _)| *path == plan.picture.path);
        let name = match (&plan.picture.member, picture) {
            (Some(member), _) => FileName::clean(member),
            (None, Some((_, resolved))) => resolved.name.clone(),
            (None, None) => FileName::clean(plan.name),
        };
        let name = if plan.before.is_empty() {
            name
        } else {
            FileName::clean(&format!("{}{name}", plan.name.split('_').next().map_or("", |_| "result_")))
        };
        let mut request = terms.request(&target.model, stored);
        request.before = plan.before.iter().map(|label| (*label).to_owned()).collect();
        Ok(Commission {
            steps: target.workflow.is_none().then_some(plan.steps),
            overrides: if plan.overrides.is_null() { json!({}) } else { plan.overrides },
            sources,
            name,
            client_ref: terms.client_ref.clone(),
            request,
            webhooks: terms.webhooks.clone(),
            failure: None,
        })
    }
}

/// Why an input cannot be worked on.
enum Wrong {
    /// These fields of it.
    Fields(Vec<FieldError>),
    /// Something else, or a field that was found out later.
    Problem(Problem),
}

/// What of an input a model knows; the rest is passed over, and not kept.
fn known_to(model: &Model, input: &Map<String, Value>) -> Map<String, Value> {
    let known = input.iter().filter(|(name, _)| model.input(name).is_some());
    known.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The caller's own words on what they ask for.
fn metadata(form: &mut Form) -> Value {
    let metadata = form.object("metadata").map_or(Value::Null, Value::Object);
    if metadata.to_string().len() > METADATA_BYTES_MAX {
        form.wrong(
            "metadata",
            "too_long",
            format!("Metadata should have at most {METADATA_BYTES_MAX} bytes of JSON"),
        );
        return Value::Null;
    }
    metadata
}

/// What goes with an input.
struct Terms {
    metadata: Value,
    client_ref: Option<String>,
    webhooks: Vec<String>,
    origin: Origin,
    request_id: String,
    repeats: Option<RunId>,
    evaluate: bool,
}

impl Terms {
    fn request(&self, model: &Model, input: Value) -> Request {
        Request {
            face: Face(FACE.to_owned()),
            target: model.path(),
            input,
            metadata: self.metadata.clone(),
            origin: if model.is_workflow() { Origin::Workflow } else { self.origin },
            request_id: Some(self.request_id.clone()),
            repeats: self.repeats,
            before: Vec::new(),
            evaluate: self.evaluate,
        }
    }
}

fn at<'a>(value: &'a Value, path: &[Loc]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, part| match part {
        Loc::Key(key) => value.get(key),
        Loc::Index(index) => value.get(*index),
    })
}

fn no_model() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "MODEL_NOT_FOUND",
        "No model with that id; `GET /v1/models` lists those there are.",
    )
}

/// `POST /v1/models/{owner}/{slug}/runs` and `…/batches`, the slug of any depth.
pub(crate) async fn dispatch(
    State(front): State<Front>,
    OriginalUri(uri): OriginalUri,
    asker: Asker,
    once: Once,
    form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let parts = segments(uri.path());
    let (owner, slug, what) = match parts.as_slice() {
        [owner, slug @ .., what] if !slug.is_empty() => (owner, slug.join("/"), what.as_str()),
        _ => return Err(Problem::not_found("There is nothing at this path.")),
    };
    front.service.need_scope(&asker.caller, "runs:create")?;
    match what {
        "runs" => {
            let target = front.find_target(&asker, owner, &slug).await?;
            one(front, asker, once, target, form).await
        }
        "batches" => {
            let target = front.find_target(&asker, owner, &slug).await?;
            many(front, asker, once, target, form).await
        }
        _ => Err(Problem::not_found(
            "There is nothing at this path; `runs` and `batches` are what a model has.",
        )),
    }
}

async fn one(
    front: Front,
    asker: Asker,
    once: Once,
    target: Target,
    mut form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let input = form.object("input");
    if form.get("input").is_none() {
        form.wrong("input", "missing", "Field required");
    }
    let terms = Terms {
        metadata: metadata(&mut form),
        client_ref: form.text("client_ref", 0..=REFERENCE_MAX),
        webhooks: form.callback_url().into_iter().collect(),
        origin: Origin::Single,
        request_id: asker.request_id.clone(),
        repeats: None,
        evaluate: form.boolean("evaluate").unwrap_or(false),
    };
    form.check()?;
    let input = input.unwrap_or_default();
    let commission = match front.commission(&asker, &target, &input, &terms, once.seed).await {
        Ok(commission) => commission,
        Err(Wrong::Fields(errors)) => {
            form.wrong_within(&[Loc::from("input")], errors);
            form.check()?;
            return Err(Problem::internal());
        }
        Err(Wrong::Problem(problem)) => return Err(problem.within(&["body", "input"])),
    };
    file(&front, &asker, &target, commission, once).await
}

async fn file(
    front: &Front,
    asker: &Asker,
    target: &Target,
    commission: Commission,
    once: Once,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let workflow = front.workflow_of(&asker.caller, asker, target).await?;
    let mut signed = commission.request.input.clone();
    front.sign_references(asker.org, &mut signed).await?;
    let shown = |dispatched: &Dispatched| {
        let mut value = dispatched.runs.first().map_or(Value::Null, |run| front.run_value(run));
        value["input"] = signed.clone();
        value
    };
    let seed = once.seed;
    let dispatched = front
        .service
        .dispatch(&asker.caller, &workflow, vec![commission], None, seed, |dispatched| {
            once.keep(StatusCode::CREATED, &shown(dispatched))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&dispatched))))
}

async fn many(
    front: Front,
    asker: Asker,
    once: Once,
    target: Target,
    mut form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let most = front.service.settings().batch_items_max;
    let metadata = metadata(&mut form);
    let webhooks: Vec<String> = form.callback_url().into_iter().collect();
    let evaluate = form.boolean("evaluate").unwrap_or(false);
    let elements = elements(&mut form, most);
    form.check()?;
    let mut work = Vec::with_capacity(elements.len());
    for (nth, (input, client_ref)) in (0..).zip(elements) {
        let terms = Terms {
            // The batch's alone.
            metadata: Value::Null,
            client_ref,
            webhooks: Vec::new(),
            origin: Origin::Batch,
            request_id: asker.request_id.clone(),
            repeats: None,
            evaluate,
        };
        let seed = domain::id::derived_in_order(once.seed, nth);
        let within = ["body", "input"];
        work.push(match front.commission(&asker, &target, &input, &terms, seed).await {
            Ok(commission) => commission,
            Err(wrong) => {
                let problem = match wrong {
                    Wrong::Fields(errors) => Problem::invalid(errors),
                    Wrong::Problem(problem) if problem.is_the_callers() => problem,
                    // Ours: the whole batch may be sent again.
                    Wrong::Problem(problem) => return Err(problem),
                };
                let message = problem.within(&within).explained(nth as usize);
                let kept = kept_of_failed(&target.model, &input);
                let request = terms.request(&target.model, kept);
                Commission::failed(request, FileName::clean("input"), terms.client_ref, message)
            }
        });
    }
    let stored: Vec<Value> = work.iter().map(|commission| commission.request.input.clone()).collect();
    let request = Request {
        face: Face(FACE.to_owned()),
        target: target.model.path(),
        input: Value::Array(stored),
        metadata,
        origin: if target.model.is_workflow() { Origin::Workflow } else { Origin::Batch },
        request_id: Some(asker.request_id.clone()),
        repeats: None,
        before: Vec::new(),
        evaluate,
    };
    let mut signed = request.input.clone();
    front.sign_references(asker.org, &mut signed).await?;
    let workflow = front.workflow_of(&asker.caller, &asker, &target).await?;
    let batch = BatchCommission { name: String::new(), request, webhooks };
    let shown = |dispatched: &Dispatched| {
        let mut value = dispatched.batch.as_ref().map_or(Value::Null, |batch| front.batch_value(batch));
        value["input"] = signed.clone();
        value["items"] =
            dispatched.runs.iter().enumerate().map(|(nth, run)| super::batch::handle(run, nth)).collect();
        if let Some(batch) = dispatched.batch.as_ref().filter(|batch| batch.end().is_some()) {
            value["output"] = front.batch_output(batch, &dispatched.runs);
        }
        value
    };
    let seed = once.seed;
    let dispatched = front
        .service
        .dispatch(&asker.caller, &workflow, work, Some(batch), seed, |dispatched| {
            once.keep(StatusCode::CREATED, &shown(dispatched))
        })
        .await?;
    Ok((StatusCode::CREATED, Json(shown(&dispatched))))
}

/// What is kept of an input that failed: without what it had inline, and nothing of one that is too large.
fn kept_of_failed(model: &Model, input: &Map<String, Value>) -> Value {
    fn shorten(value: &mut Value) {
        match value {
            Value::String(text) if text.starts_with("data:") => {
                let head: String = text.split(',').next().unwrap_or_default().chars().take(100).collect();
                *text = format!("{head},…");
            }
            Value::Array(values) => values.iter_mut().for_each(shorten),
            Value::Object(members) => members.values_mut().for_each(shorten),
            _ => {}
        }
    }
    let mut kept = Value::Object(known_to(model, input));
    shorten(&mut kept);
    if kept.to_string().len() > INPUT_BYTES_MAX { json!({}) } else { kept }
}

/// The inputs of a batch, each with the caller's name for it. Older callers send `items` with an `input` in each.
fn elements(form: &mut Form, most: usize) -> Vec<(Map<String, Value>, Option<String>)> {
    let (name, is_older) =
        if form.get("input").is_none() && form.has("items") { ("items", true) } else { ("input", false) };
    if form.get(name).is_none() {
        form.wrong(name, "missing", "Field required");
        return Vec::new();
    }
    let Some(list) = form.list(name) else { return Vec::new() };
    if list.is_empty() {
        form.wrong(name, "too_short", "List should have at least 1 item after validation, not 0");
    }
    if list.len() > most {
        let many = list.len();
        form.wrong(
            name,
            "too_long",
            format!("List should have at most {most} items after validation, not {many}"),
        );
        return Vec::new();
    }
    let mut elements = Vec::with_capacity(list.len());
    for (nth, element) in list.into_iter().enumerate() {
        let way = |more: &[&str]| {
            let mut way = vec![Loc::from(name), Loc::from(nth)];
            way.extend(more.iter().map(|part| Loc::from(*part)));
            way
        };
        let Value::Object(mut element) = element else {
            let wrong = FieldError::new(way(&[]), "dict_type", "Input should be a valid dictionary");
            form.wrong_within(&[], vec![wrong]);
            continue;
        };
        let client_ref = match element.remove("client_ref") {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if text.chars().count() <= REFERENCE_MAX => Some(text),
            Some(Value::String(_)) => {
                let msg = format!("String should have at most {REFERENCE_MAX} characters");
                form.wrong_within(&[], vec![FieldError::new(way(&["client_ref"]), "string_too_long", msg)]);
                None
            }
            Some(_) => {
                let wrong =
                    FieldError::new(way(&["client_ref"]), "string_type", "Input should be a valid string");
                form.wrong_within(&[], vec![wrong]);
                None
            }
        };
        if !is_older {
            elements.push((element, client_ref));
            continue;
        }
        match element.remove("input") {
            Some(Value::Object(input)) => elements.push((input, client_ref)),
            _ => {
                let wrong =
                    FieldError::new(way(&["input"]), "dict_type", "Input should be a valid dictionary");
                form.wrong_within(&[], vec![wrong]);
            }
        }
    }
    elements
}

/// `POST /v1/runs/{run_id}/reruns`: the same once more.
pub(crate) async fn rerun(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    once: Once,
) -> Result<(StatusCode, Json<Value>), Problem> {
    front.service.need_scope(&asker.caller, "runs:create")?;
    let run = front.read_run(&asker, named.id(0, "run_id")?).await?;
    let client_ref = run.labels.get("client_ref").cloned();
    let terms = Terms {
        metadata: run.request.as_ref().map_or(Value::Null, |request| request.metadata.clone()),
        client_ref,
        webhooks: run.webhooks.clone(),
        origin: Origin::Single,
        request_id: asker.request_id.clone(),
        repeats: Some(run.id),
        evaluate: run.request.as_ref().is_some_and(|request| request.evaluate),
    };
    if let Some(request) = &run.request {
        // A workflow is found by its id: its name, and so its slug, may be another's by now.
        let target = if request.origin == Origin::Workflow {
            let found =
                front.workflow_models(&asker).await?.into_iter().find(|(_, one)| one.id == run.workflow);
            let (model, workflow) = found.ok_or_else(no_model)?;
            Target { model, workflow: Some(workflow) }
        } else {
            let path = request.target.split_once('/');
            let (owner, slug) = path.ok_or_else(no_model)?;
            front.find_model(&asker, owner, slug).await?
        };
        let input = request.input.as_object().cloned().unwrap_or_default();
        return match front.commission(&asker, &target, &input, &terms, once.seed).await {
            Ok(commission) => file(&front, &asker, &target, commission, once).await,
            Err(Wrong::Fields(errors)) => Err(Problem::invalid(errors)),
            Err(Wrong::Problem(problem)) => Err(problem),
        };
    }
    // It came through another face: its workflow on its picture.
    if !run.more_inputs.is_empty() {
        return Err(Problem::unprocessable(
            "the run joined several pictures, which a model's input cannot name; order it again where it was ordered",
        ));
    }
    let found =
        front.workflow_models(&asker).await?.into_iter().find(|(_, workflow)| workflow.id == run.workflow);
    let (model, workflow) = found.ok_or_else(no_model)?;
    let Some(image) = run.input.clone() else {
        return Err(Problem::unprocessable("the run has no picture to be worked on again"));
    };
    let input = json!({ "image_url": format!("runflow://files/{}/{}", image.hash, run.input_name) });
    let commission = Commission {
        steps: None,
        overrides: run.overrides.clone(),
        sources: vec![Source { slot: String::new(), from: From::Stored(image), member: None }],
        name: run.input_name.clone(),
        client_ref: terms.client_ref.clone(),
        request: terms.request(&model, input),
        webhooks: terms.webhooks.clone(),
        failure: None,
    };
    let target = Target { model, workflow: Some(workflow) };
    file(&front, &asker, &target, commission, once).await
}
