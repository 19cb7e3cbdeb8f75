//! Runs.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName,
};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use domain::image::{FileName, Image};
use domain::run::{
    Fault as Blame, ModelUse, NamedImage, Run, RunFilter, State as RunState, Status, StepReport,
};
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Serialize;
use serde_json::Value;
use service::{Handout, Refusal, RunField, Service, Thing};
use utoipa::{IntoParams, ToSchema};

use super::asker::{Asker, Named, NamedPart, OrgParam};
use super::page::{FilterParams, Listing, PageParams, PageView, Paging};
use super::problem::{Fault, Problem};
use super::review::ReviewView;
use crate::form::{Pairs, Query};
use crate::listing::{list_fields, only};

const PREFER: HeaderName = HeaderName::from_static("prefer");
const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// Longest wait for a run, in seconds.
const WAIT_SECONDS_MAX: u64 = 60;
/// What stands for itself in a parameter of a header (RFC 8187, section 3.2.1).
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// One image going through one workflow version.
#[derive(Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct RunView {
    /// Its id, a UUID.
    id: String,
    /// The organization it belongs to.
    organization_id: String,
    /// The workflow's id.
    workflow_id: String,
    /// The workflow's version.
    version_id: String,
    /// The workflow's name at creation.
    workflow_name: String,
    /// Who asked for it.
    user_id: String,
    /// The order it is counted in, if any.
    order_id: Option<String>,
    /// `queued`, `running`, `in_review`, `succeeded`, `failed`, `unpaid` or `cancelled`.
    status: &'static str,
    /// When it was asked for.
    created_at: String,
    /// When a worker took it.
    started_at: Option<String>,
    /// When it ended.
    finished_at: Option<String>,
    /// The image it works on; null until it is fetched.
    input: Option<PictureView>,
    /// Further images that go into the same result, in order.
    more_inputs: Vec<PictureView>,
    /// The result, if there is one.
    result: Option<PictureView>,
    /// Further files it wrote, by their labels.
    more_results: BTreeMap<String, PictureView>,
    /// How the result was made, step by step.
    made_by: Vec<MadeByView>,
    /// Why it failed, if it did.
    failure: Option<FailureView>,
    /// Its latest check by a person, if there was one.
    review: Option<ReviewView>,
    /// What its owner said about the result, if anything.
    feedback: Option<FeedbackView>,
    /// Its owner's own words on it.
    labels: BTreeMap<String, String>,
    /// Settings for this run alone, keyed by step label or component.
    #[schema(value_type = Object)]
    overrides: Value,
    /// Where its end is told.
    webhooks: Vec<String>,
    /// Credits it costs.
    price: u32,
    /// Credits charged for it so far.
    charged: u32,
}

/// An image with its file name.
#[derive(Serialize, ToSchema)]
#[schema(as = Picture)]
pub(crate) struct PictureView {
    /// Its file name.
    name: String,
    /// SHA-256 of its bytes, in hexadecimal digits.
    sha256: String,
    /// Its media type, as found in its bytes.
    media_type: String,
    /// Its length in bytes.
    bytes: u64,
    /// Width in pixels.
    width: u32,
    /// Height in pixels.
    height: u32,
}

/// How one step went.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeBy)]
pub(crate) struct MadeByView {
    /// The step's label.
    label: String,
    /// The component.
    component: String,
    /// The component's version.
    version: u32,
    /// Milliseconds spent in it; 0 if the result was there already.
    ms: f64,
    /// Whether the result was there already.
    cached: bool,
    /// The model that made it, where one did.
    model: Option<ModelView>,
    /// What somebody should know about the result.
    notes: Vec<String>,
    /// How sure the step is of its result, 0 to 1, where it can tell.
    confidence: Option<f32>,
    /// Pixels of the product that it changed, where its component promises to change none.
    product_pixels_changed: Option<u64>,
}

/// Which model made a result.
#[derive(Serialize, ToSchema)]
#[schema(as = ModelUse)]
pub(crate) struct ModelView {
    /// Its id.
    id: String,
    /// SHA-256 of its file, if it has one.
    sha256: Option<String>,
    /// What ran it.
    backend: String,
    /// In which number format.
    precision: String,
    /// Whether it was the first choice.
    is_fallback: bool,
}

/// Why a run failed.
#[derive(Serialize, ToSchema)]
#[schema(as = Failure)]
pub(crate) struct FailureView {
    /// A code that never changes.
    code: String,
    /// What was wrong and the way out.
    message: String,
    /// `input`: trying again cannot help; `ours` or `crash`: it may.
    fault: &'static str,
}

/// What an owner says about a result.
#[derive(Serialize, ToSchema)]
#[schema(as = Feedback)]
pub(crate) struct FeedbackView {
    /// Whether it is as they wanted it.
    thumbs_up: bool,
    /// SHA-256 of images that show what they wanted.
    expected: Vec<String>,
}

impl PictureView {
    fn of(image: Image, name: FileName) -> Self {
        Self {
            name: name.to_string(),
            sha256: image.hash.to_string(),
            media_type: image.media_type,
            bytes: image.bytes,
            width: image.width,
            height: image.height,
        }
    }
}

fn further((label, one): (String, NamedImage)) -> (String, PictureView) {
    (label, PictureView::of(one.image, one.name))
}

impl From<StepReport> for MadeByView {
    fn from(step: StepReport) -> Self {
        Self {
            label: step.label,
            component: step.component,
            version: step.version,
            ms: step.millis,
            cached: step.cached,
            model: step.model.map(ModelView::from),
            notes: step.notes,
            confidence: step.confidence,
            product_pixels_changed: step.product_pixels_changed,
        }
    }
}

impl From<ModelUse> for ModelView {
    fn from(model: ModelUse) -> Self {
        // Why it was not the first choice is the operator's to know.
        Self {
            id: model.id,
            sha256: model.sha256,
            backend: model.backend,
            precision: model.precision,
            is_fallback: model.fallback.is_some(),
        }
    }
}

const fn name_of(fault: Blame) -> &'static str {
    match fault {
        Blame::Input => "input",
        Blame::Ours => "ours",
        Blame::Crash => "crash",
    }
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        let failure = match &run.state {
            RunState::Failed { failure, .. } => Some(FailureView {
                code: failure.code.clone(),
                message: failure.message.clone(),
                fault: name_of(failure.fault),
            }),
            _ => None,
        };
        let result = run.state.result().cloned();
        let picture = result.as_ref().map(|it| PictureView::of(it.image.clone(), it.name.clone()));
        Self {
            id: run.id.to_string(),
            organization_id: run.org.to_string(),
            workflow_id: run.workflow.to_string(),
            version_id: run.version.to_string(),
            workflow_name: run.workflow_name,
            user_id: run.user.0,
            order_id: run.batch,
            status: run.state.status().as_str(),
            created_at: run.created_at.to_string(),
            started_at: run.state.started_at().map(|at| at.to_string()),
            finished_at: run.state.finished_at().map(|at| at.to_string()),
            input: run.input.map(|input| PictureView::of(input, run.input_name)),
            more_inputs: run.more_inputs.into_iter().map(|it| PictureView::of(it.image, it.name)).collect(),
            result: picture,
            more_results: result.iter().flat_map(|it| it.more.clone()).map(further).collect(),
            made_by: result.into_iter().flat_map(|it| it.made_by).map(MadeByView::from).collect(),
            failure,
            review: run.review.map(ReviewView::from),
            feedback: run.feedback.map(|said| FeedbackView {
                thumbs_up: said.thumbs_up,
                expected: said.expected.iter().map(ToString::to_string).collect(),
            }),
            labels: run.labels,
            overrides: run.overrides,
            webhooks: run.webhooks,
            price: run.price,
            charged: run.charged,
        }
    }
}

/// For the document: which runs are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct RunParams {
    /// Those of this workflow.
    workflow_id: Option<String>,
    /// Those in one of these statuses, divided by commas.
    status: Option<String>,
    /// Those of an input with exactly this file name.
    input_name: Option<String>,
    /// Those of this order.
    order_id: Option<String>,
    /// Those with these labels, one parameter each: `label[season]=SS26`.
    #[param(style = DeepObject, explode)]
    label: Option<BTreeMap<String, String>>,
}

/// What a query looks for.
fn filter_of(query: &Pairs) -> Result<RunFilter, Problem> {
    let mut filter = RunFilter::default();
    let mut faults = Vec::new();
    if let Some(id) = query.get("workflow_id") {
        match id.parse() {
            Ok(id) => filter.workflow = Some(id),
            Err(_) => faults.push(Fault::parameter("workflow_id", "`workflow_id` is no UUID")),
        }
    }
    for name in query.get("status").into_iter().flat_map(|names| names.split(',')) {
        match Status::parse(name.trim()) {
            Some(status) => filter.statuses.push(status),
            None => {
                let known: Vec<_> = Status::ALL.iter().map(|status| status.as_str()).collect();
                let start: String = name.chars().take(40).collect();
                let detail = format!("there is no status `{start}`; there are {}", known.join(", "));
                faults.push(Fault::parameter("status", detail));
            }
        }
    }
    filter.input_name = query.get("input_name").map(|name| FileName::clean(name).to_string());
    filter.batch = query.get("order_id").map(str::to_owned);
    for (name, value) in query.iter() {
        if let Some(label) = name.strip_prefix("label[").and_then(|rest| rest.strip_suffix(']')) {
            filter.labels.insert(label.to_owned(), value.to_owned());
        }
    }
    if faults.is_empty() { Ok(filter) } else { Err(Problem::invalid(faults)) }
}

list_fields! {
    RunFields: RunField, statuses: run_statuses {
        "id" => RunField::Id, Id;
        "status" => RunField::Status, Status;
        "created_at" => RunField::CreatedAt, Time;
        "started_at" => RunField::StartedAt, Time;
        "finished_at" => RunField::FinishedAt, Time;
        "duration_ms" => RunField::Duration, Number;
        "workflow_id" => RunField::Workflow, Id;
        "input_name" => RunField::InputName, Text;
        "user_id" => RunField::User, Text;
        "client_ref" => RunField::Reference, Text;
        "failure_code" => RunField::FailureCode, Text;
        "charged" => RunField::Charged, Number;
        "thumbs_up" => RunField::Liked, Bool;
    }
}

fn run_statuses(name: &str) -> Result<Vec<String>, String> {
    let known = || Status::ALL.iter().map(|status| format!("`{}`", status.as_str())).collect::<Vec<_>>();
    let status = Status::parse(name).ok_or_else(|| format!("one of {}", known().join(", ")))?;
    Ok(vec![status.as_str().to_owned()])
}

/// Parameters that do not go with a filter in the filter language.
const SIMPLE: &[&str] = &["workflow_id", "status", "input_name", "order_id", "label"];

/// Lists an organization's runs, newest first.
///
/// `q` and `sort_by` know `id`, `status`, `created_at`, `started_at`, `finished_at`, `duration_ms`, `workflow_id`, `input_name`,
/// `user_id`, `client_ref` (the label), `failure_code`, `charged` and `thumbs_up`.
#[utoipa::path(
    get,
    path = "/runs",
    tag = "Runs",
    operation_id = "list_runs",
    params(RunParams, FilterParams, OrgParam, PageParams),
    responses((status = 200, description = "A page of runs.", body = PageView<RunView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    paging: Paging,
) -> Result<Listing<RunView>, Problem> {
    if let Some(listing) = paging.narrowed(&RunFields, SIMPLE)? {
        let leaf = service.list_runs(&caller, &choice, &listing).await?;
        return Ok(paging.leaf(leaf, RunView::from));
    }
    let filter = filter_of(&query)?;
    let runs = service.runs_before(&caller, &choice, &filter, paging.after()?, paging.ask()).await?;
    Ok(paging.part(runs, |run| run.id.to_string(), RunView::from))
}

/// Lists an order's runs, newest first. `q` and `sort_by` know what they know of all runs.
#[utoipa::path(
    get,
    path = "/orders/{order_id}/runs",
    tag = "Orders",
    operation_id = "list_order_runs",
    params(("order_id" = String, Path, description = "Its id."), RunParams, FilterParams, OrgParam, PageParams),
    responses((status = 200, description = "A page of runs.", body = PageView<RunView>))
)]
pub(crate) async fn list_of_order(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    named: Named,
    paging: Paging,
) -> Result<Listing<RunView>, Problem> {
    let batch = service.batch(&caller, &choice, &named.0).await?;
    if let Some(listing) = paging.narrowed(&RunFields, SIMPLE)? {
        let listing = only(listing, RunField::Batch, batch.handle);
        let leaf = service.list_runs(&caller, &choice, &listing).await?;
        return Ok(paging.leaf(leaf, RunView::from));
    }
    let filter = RunFilter { batch: Some(batch.id), ..filter_of(&query)? };
    let runs = service.runs_before(&caller, &choice, &filter, paging.after()?, paging.ask()).await?;
    Ok(paging.part(runs, |run| run.id.to_string(), RunView::from))
}

/// Shows one run; waits for its end first, if the client prefers to.
#[utoipa::path(
    get,
    path = "/runs/{run_id}",
    tag = "Runs",
    operation_id = "get_run",
    params(
        ("run_id" = String, Path, description = "Its id."),
        ("prefer" = Option<String>, Header,
         description = "`wait=30`: answer when the run has ended, or after so many seconds, 60 at most (RFC 7240)."),
        OrgParam,
    ),
    responses((status = 200, description = "The run.", body = RunView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = named.id(Thing::Run)?;
    let Some(seconds) = wait_of(&headers) else {
        return Ok(Json(RunView::from(service.run(&caller, &choice, id).await?)).into_response());
    };
    let run = match service.watch(&caller, &choice, id, Some(Duration::from_secs(seconds))).await {
        Err(Refusal::TimedOut { .. }) => service.run(&caller, &choice, id).await?,
        other => other?,
    };
    let mut response = Json(RunView::from(run)).into_response();
    if let Ok(applied) = HeaderValue::from_str(&format!("wait={seconds}")) {
        response.headers_mut().insert(PREFERENCE_APPLIED, applied);
    }
    Ok(response)
}

/// The seconds a client prefers to wait.
fn wait_of(headers: &HeaderMap) -> Option<u64> {
    let given = headers.get_all(PREFER).iter().filter_map(|value| value.to_str().ok());
    let wait = given
        .flat_map(|value| value.split([',', ';']))
        .filter_map(|preference| preference.trim().strip_prefix("wait="))
        .find_map(|seconds| seconds.trim().parse::<u64>().ok());
    wait.map(|seconds| seconds.min(WAIT_SECONDS_MAX))
}

/// Sends a run's result; also one that waits for its check.
#[utoipa::path(
    get,
    path = "/runs/{run_id}/result",
    tag = "Runs",
    operation_id = "download_run_result",
    params(("run_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 200, description = "The image.", body = Vec<u8>, content_type = "image/*"))
)]
pub(crate) async fn result(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<Response, Problem> {
    let run = service.run(&caller, &choice, named.id(Thing::Run)?).await?;
    let (Some(handout), Some(result)) = (service.result_of(&run), run.state.result()) else {
        return Err(Refusal::NoResult { status: run.state.status(), why: None }.into());
    };
    send(&handout, &result.name).await
}

/// Sends one of the further files that a run wrote, by its label.
#[utoipa::path(
    get,
    path = "/runs/{run_id}/results/{label}",
    tag = "Runs",
    operation_id = "download_further_run_result",
    params(
        ("run_id" = String, Path, description = "The run's id."),
        ("label" = String, Path, description = "The file's label."),
        OrgParam,
    ),
    responses((status = 200, description = "The file.", body = Vec<u8>, content_type = "image/*"))
)]
pub(crate) async fn further_result(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: NamedPart,
) -> Result<Response, Problem> {
    let NamedPart(id, label) = named;
    let run = service.run(&caller, &choice, Named(id).id(Thing::Run)?).await?;
    let Some(result) = run.state.result() else {
        return Err(Refusal::NoResult { status: run.state.status(), why: None }.into());
    };
    let Some(file) = result.more.get(&label) else { return Err(Problem::missing(Thing::Image, &label)) };
    send(&service.handout(file.image.clone()), &file.name).await
}

async fn send(handout: &Handout, name: &FileName) -> Result<Response, Problem> {
    let bytes = handout.stream(None).await?.bytes.inspect(|next| {
        // The status is out already: all that can be done is to break off, which the length makes noticeable.
        if let Err(error) = next {
            tracing::error!(error = %crate::observe::chain(error), "cannot read a result to its end");
        }
    });
    let mut response = Body::from_stream(bytes).into_response();
    let name = utf8_percent_encode(name.as_str(), ATTRIBUTE);
    for (header, value) in [
        (CONTENT_TYPE, handout.image.media_type.clone()),
        (CONTENT_LENGTH, handout.image.bytes.to_string()),
        (CONTENT_DISPOSITION, format!("inline; filename*=UTF-8''{name}")),
        (ETAG, format!("\"{}\"", handout.image.hash)),
        // A result in review may be replaced by another.
        (CACHE_CONTROL, "private, no-cache".to_owned()),
        // An image opened by itself in a browser runs nothing.
        (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox".to_owned()),
    ] {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(header, value);
        }
    }
    Ok(response)
}

/// Tries a run again: a failed one free of charge, an unpaid one if it can be paid by now.
#[utoipa::path(
    post,
    path = "/runs/{run_id}/retry",
    tag = "Runs",
    operation_id = "retry_run",
    params(("run_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 200, description = "The run as it is then: queued, or unpaid still.", body = RunView))
)]
pub(crate) async fn retry(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<Json<RunView>, Problem> {
    let id = named.id(Thing::Run)?;
    service.retry(&caller, &choice, id).await?;
    Ok(Json(service.run(&caller, &choice, id).await?.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_among_other_preferences() {
        let wait = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(PREFER, HeaderValue::from_str(text).expect("a value"));
            wait_of(&headers)
        };
        assert_eq!(wait("wait=10"), Some(10));
        assert_eq!(wait("respond-async, wait=600"), Some(60));
        assert_eq!(wait("wait=soon"), None);
        assert_eq!(wait_of(&HeaderMap::new()), None);
    }

    #[test]
    fn filters_that_make_no_sense_are_refused_all_at_once() {
        let filter = |query: &str| filter_of(&Pairs::parse(query.as_bytes()));
        let good = filter("status=failed,unpaid&label[season]=SS26&order_id=7").expect("good");
        assert_eq!(good.statuses, [Status::Failed, Status::Unpaid]);
        assert_eq!(good.labels["season"], "SS26");
        assert_eq!(good.batch.as_deref(), Some("7"));
        assert!(filter("status=COMPLETED&workflow_id=x").is_err());
    }
}
