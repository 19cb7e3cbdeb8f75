//! Work is asked for: one run of a model, or a batch of them.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use domain::image::FileName;
use domain::request::Origin;
use serde_json::{Map, Value};
use service::{BatchCommission, Commission, Dispatched};

use super::asker::Asker;
use super::commission::{Terms, Wrong, kept_of_failed, known_to};
use super::form::Form;
use super::media::texts;
use super::model::{FieldError, Loc};
use super::problem::Problem;
use super::repeat::Once;
use super::target::{Target, segments};
use crate::Front;

/// This dialect among the faces.
pub const FACE: &str = "runflow";
/// Largest metadata, in bytes of JSON.
const METADATA_BYTES_MAX: usize = 64 * 1024;
/// Most characters in a caller's name for a run.
const REFERENCE_MAX: usize = 255;

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
    let input = known_to(&target.model, input.unwrap_or_default());
    let referred = front.referred(asker.org, texts(&input)).await?;
    let commission = match front.commission(&asker, &target, &input, &referred, &terms, once.seed).await {
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

/// Files one commission, and shows its run.
pub(crate) async fn file(
    front: &Front,
    asker: &Asker,
    target: &Target,
    commission: Commission,
    once: Once,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let workflow = front.workflow_of(asker, target).await?;
    let mut signed = commission.request.input.clone();
    front.sign_references(asker.org, [&mut signed]).await?;
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
    let whole = Terms {
        metadata: metadata(&mut form),
        client_ref: None,
        webhooks: form.callback_url().into_iter().collect(),
        origin: Origin::Batch,
        request_id: asker.request_id.clone(),
        repeats: None,
        evaluate: form.boolean("evaluate").unwrap_or(false),
    };
    let elements = elements(&mut form, most);
    form.check()?;
    let known = |(input, client_ref)| (known_to(&target.model, input), client_ref);
    let elements: Vec<_> = elements.into_iter().map(known).collect();
    let referred = front.referred(asker.org, elements.iter().flat_map(|(input, _)| texts(input))).await?;
    let mut work = Vec::with_capacity(elements.len());
    for (nth, (input, client_ref)) in (0..).zip(elements) {
        // Whoever only looks is not to wait until the whole batch is read.
        tokio::task::yield_now().await;
        let terms = whole.for_element(client_ref);
        let seed = domain::id::derived_in_order(once.seed, nth);
        let within = ["body", "input"];
        work.push(match front.commission(&asker, &target, &input, &referred, &terms, seed).await {
            Ok(commission) => commission,
            Err(wrong) => {
                let problem = match wrong {
                    Wrong::Fields(errors) => Problem::invalid(errors),
                    Wrong::Problem(problem) if problem.is_the_callers() => problem,
                    // Ours: the whole batch may be sent again.
                    Wrong::Problem(problem) => return Err(problem),
                };
                let message = problem.within(&within).explained(nth as usize);
                let kept = kept_of_failed(input);
                let request = terms.request(&target.model, kept);
                Commission::failed(request, FileName::clean("input"), terms.client_ref, message)
            }
        });
    }
    let stored: Vec<Value> = work.iter().map(|commission| commission.request.input.clone()).collect();
    let request = whole.request(&target.model, Value::Array(stored));
    let mut signed = request.input.clone();
    front.sign_references(asker.org, [&mut signed]).await?;
    let workflow = front.workflow_of(&asker, &target).await?;
    let batch = BatchCommission { name: String::new(), request, webhooks: whole.webhooks };
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
