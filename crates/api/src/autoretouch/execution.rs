//! Executions: one picture through one workflow version.

mod view;

use std::collections::BTreeMap;
use std::io;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, HeaderName};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::id::{RunId, VersionId, WorkflowId};
use domain::image::FileName;
use domain::run::{NamedImage, Outcome, RunFilter};
use futures::stream;
use serde::de::DeserializeOwned;
use serde_json::Value;
use service::{Order, OrgChoice, RunDetails, Service, Thing};

use super::asker::{Asker, Named, NamedPart, OrgParam, org_of};
use super::batch;
use super::error::{ErrorBody, Problem};
use super::image::respond;
use super::page::{PageParams, PageView, window_of};
use super::status::{name_of, of_name};
use super::upload::{PLAIN_TEXT, UploadForm, check_announced, form_boundary, take_file};
use crate::Front;
use crate::body::read_all;
use crate::form::{Pairs, Query};
pub(super) use view::ExecutionView;
use view::{CreateBody, CreateParams, FeedbackBody, FeedbackView, ImageRef, ListParams};

/// Names the model that made a result; an addition of ours.
const MODEL: HeaderName = HeaderName::from_static("packshot-model");
/// Longest value of that header, in characters.
const MODEL_CHARS_MAX: usize = 1000;

/// Creates an execution of a workflow on an image: one that was uploaded (JSON) or one that comes along (form). Too few
/// credits are no error: the execution is created with status `PAYMENT_REQUIRED`.
#[utoipa::path(
    post,
    path = "/workflow/execution/create",
    tag = "Executions",
    operation_id = "createExecution",
    params(CreateParams, OrgParam),
    request_body(content(
        (CreateBody = "application/json"),
        (UploadForm = "multipart/form-data"),
    )),
    responses(
        (status = 201, description = "The execution's id.", body = String, content_type = "text/plain;charset=UTF-8"),
        (status = 400, description = "The body makes no sense.", body = ErrorBody),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
        (status = 404, description = "No organization of yours has such a workflow or version.", body = ErrorBody),
        (status = 413, description = "The file is too large.", body = ErrorBody),
        (status = 422, description = "The image was not uploaded, or cannot be worked on.", body = ErrorBody),
    )
)]
pub(crate) async fn create(
    State(front): State<Front>,
    Asker(caller): Asker,
    Query(query): Query,
    headers: HeaderMap,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let service = &front.service;
    let (workflow, version) = workflow_of(&query)?;
    let order = service.order(&caller, &org_of(&query), workflow, version).await?;
    crate::observe::note_org(order.org());
    let mut details = RunDetails { labels: labels_of(&query), ..RunDetails::default() }.check()?;
    let (image, more) = match form_boundary(&headers) {
        Some(boundary) => {
            check_announced(&headers, service)?;
            let intake = service.intake_of(&order).await?;
            let (image, name) = take_file(service, intake, body, &boundary).await?;
            (NamedImage { image, name }, Vec::new())
        }
        None => {
            let body = read_all(body, front.settings.json_bytes_max).await?;
            let body: CreateBody = object(&body).map_err(|error| {
                Problem::invalid(format!(
                    "the body is neither a multipart form nor the JSON expected here: {error}"
                ))
            })?;
            referred(service, &order, body, &mut details).await?
        }
    };
    details.batch = batch::of_labels(&details.labels);
    let id = service.submit_together(order, image, more, details).await?;
    Ok((StatusCode::CREATED, [(CONTENT_TYPE, PLAIN_TEXT)], id.to_string()))
}

/// Reads a JSON object. A list is none, although it might be read member by member.
fn object<T: DeserializeOwned>(body: &[u8]) -> Result<T, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    if !value.is_object() {
        return Err("it is no JSON object".to_owned());
    }
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// The workflow and version a query names.
fn workflow_of(query: &Pairs) -> Result<(WorkflowId, Option<VersionId>), Problem> {
    let workflow = query
        .get("workflow")
        .ok_or_else(|| Problem::invalid("the query names no `workflow`; add `?workflow=<its id>`"))?;
    let workflow = workflow.parse().map_err(|_| Problem::missing(Thing::Workflow, workflow))?;
    let version = query
        .get("version")
        .map(|version| version.parse().map_err(|_| Problem::missing(Thing::Version, version)))
        .transpose()?;
    Ok((workflow, version))
}

/// Labels in a query: `label[season]=SS26`, or `labels[season]=SS26`.
fn labels_of(query: &Pairs) -> BTreeMap<String, String> {
    query
        .iter()
        .filter_map(|(name, value)| {
            let key =
                name.strip_prefix("labels[").or_else(|| name.strip_prefix("label["))?.strip_suffix(']')?;
            Some((key.to_owned(), value.to_owned()))
        })
        .collect()
}

/// The image a JSON body refers to, and those that go with it; what else it says goes into `details`.
async fn referred(
    service: &Service,
    order: &Order,
    body: CreateBody,
    details: &mut RunDetails,
) -> Result<(NamedImage, Vec<NamedImage>), Problem> {
    let missing = || Problem::invalid("the body has no `image`; name the one to work on");
    let references = match body.image.ok_or_else(missing)? {
        Value::Array(images) => images,
        Value::Null => return Err(missing()),
        one => vec![one],
    };
    if references.len() > service::INPUTS_MAX {
        return Err(Problem::invalid(format!(
            "`image` has {} entries; at most {} go into one result",
            references.len(),
            service::INPUTS_MAX
        )));
    }
    let mut images = Vec::with_capacity(references.len());
    for image in references {
        if !image.is_object() {
            return Err(Problem::invalid("`image` is no object; give `{\"name\": …, \"contentHash\": …}`"));
        }
        let image: ImageRef = serde_json::from_value(image)
            .map_err(|error| Problem::invalid(format!("`image` has a member of a wrong kind: {error}")))?;
        let name = image.name.ok_or_else(|| Problem::invalid("`image` has no `name`; give its file name"))?;
        let hash = image.content_hash.ok_or_else(|| {
            Problem::invalid("`image` has no `contentHash`; give the one its upload answered")
        })?;
        let hash = hash.trim().parse().map_err(|_| {
            let start: String = hash.chars().take(80).collect();
            let message =
                format!("`contentHash` is `{start}`, which no upload answers; give 64 hexadecimal digits");
            Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "image_not_uploaded", message)
        })?;
        images.push((name, hash));
    }
    for (key, value) in body.labels.unwrap_or_default() {
        let value = match value {
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(truth) => truth.to_string(),
            Value::Null => continue,
            Value::Array(_) | Value::Object(_) => {
                return Err(Problem::invalid(format!("label `{key}` is no string; labels are strings")));
            }
        };
        details.labels.insert(key, value);
    }
    details.overrides = body.settings;
    details.webhooks = body.webhooks.unwrap_or_default();
    let mut found = Vec::with_capacity(images.len());
    for (name, hash) in images {
        let image = service.uploaded(order, hash).await?;
        found.push(NamedImage { image, name: FileName::clean(&name) });
    }
    let mut found = found.into_iter();
    Ok((found.next().ok_or_else(missing)?, found.collect()))
}

/// Lists an organization's executions, newest first.
#[utoipa::path(
    get,
    path = "/workflow/execution",
    tag = "Executions",
    operation_id = "listExecutions",
    params(OrgParam, ListParams, PageParams),
    responses(
        (status = 200, description = "A page of executions.", body = PageView<ExecutionView>),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
    )
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<Json<PageView<ExecutionView>>, Problem> {
    let filter = filter_of(&query);
    let page = service.runs(&caller, &org_of(&query), filter.as_ref(), window_of(&query)).await?;
    Ok(Json(PageView::of(page, ExecutionView::from)))
}

/// What a query looks for; `None` if it looks for something there cannot be.
fn filter_of(query: &Pairs) -> Option<RunFilter> {
    let mut filter = RunFilter::default();
    if let Some(workflow) = query.get("workflowId").or_else(|| query.get("workflow")) {
        filter.workflow = Some(workflow.parse().ok()?);
    }
    if let Some(status) = query.get("status") {
        filter.statuses = of_name(status);
        if filter.statuses.is_empty() {
            return None;
        }
    }
    filter.input_name = query.get("inputFileName").map(|name| FileName::clean(name).to_string());
    if let Some(name) = query.get("batchName") {
        filter.labels.insert(batch::NAME.to_owned(), name.to_owned());
    }
    if query.get("noBatch").is_some_and(|no_batch| no_batch.eq_ignore_ascii_case("true")) {
        filter.without_labels = [batch::ID, batch::NAME, batch::CREATED_AT].map(str::to_owned).to_vec();
    }
    Some(filter)
}

fn run_id(text: &str) -> Result<RunId, Problem> {
    text.parse().map_err(|_| Problem::missing(Thing::Run, text))
}

/// Shows one execution.
#[utoipa::path(
    get,
    path = "/workflow/execution/{executionId}",
    tag = "Executions",
    operation_id = "getExecution",
    params(("executionId" = String, Path, description = "Its id."), OrgParam),
    responses(
        (status = 200, description = "The execution.", body = ExecutionView),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "No organization of yours has such an execution.", body = ErrorBody),
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
    Named(id): Named,
) -> Result<Json<ExecutionView>, Problem> {
    Ok(Json(service.run(&caller, &org_of(&query), run_id(&id)?).await?.into()))
}

/// Waits until an execution is final and then sends one event with its status.
#[utoipa::path(
    get,
    path = "/workflow/execution/{executionId}/status",
    tag = "Executions",
    operation_id = "watchExecution",
    params(("executionId" = String, Path, description = "Its id."), OrgParam),
    responses(
        (status = 200, description = "One event; `id`, `event` and `data` are the status.", body = String,
         content_type = "text/event-stream"),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "No organization of yours has such an execution.", body = ErrorBody),
    )
)]
pub(crate) async fn watch(
    State(front): State<Front>,
    Asker(caller): Asker,
    Query(query): Query,
    Named(id): Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = run_id(&id)?;
    let choice = org_of(&query);
    let seat = front.service.seat(front.service.run(&caller, &choice, id).await?.org)?;
    // Most clients read the whole answer as one text; only those that name the stream's type can pass over a comment.
    let reads_comments = headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/event-stream")));
    let heartbeat = front.settings.heartbeat;
    let service = front.service.clone();
    let ended = Box::pin(async move {
        let _seat = seat;
        service.watch(&caller, &choice, id, None).await
    });
    let events = stream::unfold(Some(ended), move |waiting| async move {
        let mut ended = waiting?;
        let alive = async {
            if reads_comments {
                tokio::time::sleep(heartbeat).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            ended = &mut ended => {
                let last = match ended {
                    Ok(run) => {
                        let status = name_of(run.state.status());
                        Ok(Bytes::from(format!("id:{status}\nevent:{status}\ndata:{status}\n\n")))
                    }
                    // Breaking off is the only way left to say that no status is coming.
                    Err(refusal) => Err(io::Error::other(refusal.to_string())),
                };
                Some((last, None))
            }
            () = alive => Some((Ok(Bytes::from_static(b":\n\n")), Some(ended))),
        }
    });
    let mut response = Body::from_stream(events).into_response();
    let answer = response.headers_mut();
    answer.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    answer.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    answer.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

/// Waits for an execution's result and sends its bytes.
#[utoipa::path(
    get,
    path = "/workflow/execution/{executionId}/result/default",
    tag = "Executions",
    operation_id = "downloadResult",
    params(("executionId" = String, Path, description = "Its id."), OrgParam),
    responses(
        (status = 200, description = "The image. The header `packshot-model` names the models that made it.",
         body = Vec<u8>, content_type = "image/*"),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "There is no such execution, or it ended without a result.", body = ErrorBody),
        (status = 504, description = "It is not finished yet.", body = ErrorBody),
    )
)]
pub(crate) async fn result(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
    Named(id): Named,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (run, handout) = service.result(&caller, &org_of(&query), run_id(&id)?).await?;
    let Some(outcome) = run.state.result() else {
        return Err(Problem::missing(Thing::Run, &id));
    };
    let mut response = respond(&handout, &outcome.name, &method, &headers).await?;
    if let Some(models) = models_of(outcome) {
        response.headers_mut().insert(MODEL, models);
    }
    Ok(response)
}

/// Waits for an execution's result and sends one of the further files that it wrote, by its name in the settings of
/// `export`.
#[utoipa::path(
    get,
    path = "/workflow/execution/{executionId}/result/{output}",
    tag = "Executions",
    operation_id = "downloadFurtherResult",
    params(
        ("executionId" = String, Path, description = "Its id."),
        ("output" = String, Path, description = "The name of the output."),
        OrgParam,
    ),
    responses(
        (status = 200, description = "The file.", body = Vec<u8>, content_type = "image/*"),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "There is no such execution or output, or it ended without a result.",
         body = ErrorBody),
        (status = 504, description = "It is not finished yet.", body = ErrorBody),
    )
)]
pub(crate) async fn further_result(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
    NamedPart(id, output): NamedPart,
    method: Method,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (name, handout) = service.further_result(&caller, &org_of(&query), run_id(&id)?, &output).await?;
    respond(&handout, &name, &method, &headers).await
}

/// The models that made a result: `isnet-1024; backend=openvino; precision=bf16`, and `fallback` if one was not the first
/// choice. `None` if none was needed.
fn models_of(outcome: &Outcome) -> Option<HeaderValue> {
    let mut named: Vec<String> = Vec::new();
    for model in outcome.made_by.iter().filter_map(|step| step.model.as_ref()) {
        let mut text = format!("{}; backend={}; precision={}", model.id, model.backend, model.precision);
        if model.fallback.is_some() {
            // Why is the operator's to know: the log and `process --json` tell.
            text.push_str("; fallback");
        }
        if !named.contains(&text) {
            named.push(text);
        }
    }
    if named.is_empty() {
        return None;
    }
    let plain: String = named
        .join(", ")
        .chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .take(MODEL_CHARS_MAX)
        .collect();
    HeaderValue::from_str(&plain).ok()
}

/// Tries an execution again: a `FAILED` one free of charge, a `PAYMENT_REQUIRED` one if it can be paid by now.
#[utoipa::path(
    post,
    path = "/workflow/execution/{executionId}/retry",
    tag = "Executions",
    operation_id = "retryExecution",
    params(("executionId" = String, Path, description = "Its id."), OrgParam),
    responses(
        (status = 200, description = "It is tried again, or still waits for payment."),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "There is no such execution, or its status allows no retry.", body = ErrorBody),
    )
)]
pub(crate) async fn retry(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
    Named(id): Named,
) -> Result<StatusCode, Problem> {
    try_again(&service, &caller, &org_of(&query), &id).await
}

/// Says whether a result is as it was wanted, and which uploaded images show what was. Replaces what was said before.
#[utoipa::path(
    post,
    path = "/workflow/execution/{executionId}/feedback",
    tag = "Executions",
    operation_id = "giveFeedback",
    params(("executionId" = String, Path, description = "Its id."), OrgParam),
    request_body(content = FeedbackBody),
    responses(
        (status = 201, description = "It is kept.", body = FeedbackView),
        (status = 400, description = "The body makes no sense.", body = ErrorBody),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "No organization of yours has such an execution.", body = ErrorBody),
    )
)]
pub(crate) async fn give_feedback(
    State(front): State<Front>,
    Asker(caller): Asker,
    Query(query): Query,
    Named(id): Named,
    body: Body,
) -> Result<impl IntoResponse, Problem> {
    let id = run_id(&id)?;
    let body = read_all(body, front.settings.json_bytes_max).await?;
    let body: FeedbackBody = object(&body)
        .map_err(|error| Problem::invalid(format!("the body is not the JSON expected here: {error}")))?;
    let feedback = body.read().map_err(Problem::invalid)?;
    front.service.give_feedback(&caller, &org_of(&query), id, &feedback).await?;
    Ok((StatusCode::CREATED, Json(FeedbackView::from(&feedback))))
}

/// The same as `/workflow/execution/{executionId}/retry`, in its old form.
#[utoipa::path(
    post,
    path = "/workflow/execution/retry",
    tag = "Executions",
    operation_id = "retryExecutionByQuery",
    params(("execution" = String, Query, description = "Its id."), OrgParam),
    responses(
        (status = 200, description = "It is tried again, or still waits for payment."),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "There is no such execution, or its status allows no retry.", body = ErrorBody),
    )
)]
pub(crate) async fn retry_by_query(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<StatusCode, Problem> {
    try_again(&service, &caller, &org_of(&query), query.get("execution").unwrap_or_default()).await
}

async fn try_again(
    service: &Service,
    caller: &domain::access::Caller,
    choice: &OrgChoice,
    id: &str,
) -> Result<StatusCode, Problem> {
    service.retry(caller, choice, run_id(id)?).await?;
    Ok(StatusCode::OK)
}
