//! Workflows.

use axum::Json;
use axum::extract::State;
use axum::http::header::{ETAG, IF_MATCH, IF_NONE_MATCH, LOCATION};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::access::Author;
use domain::component::FaultAt;
use domain::workflow::{Step, Version, Workflow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::{Refusal, Service, Thing, WorkflowDraft};
use utoipa::ToSchema;

use super::ROOT;
use super::asker::{Asker, Named, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::{Fault, Problem};
use super::repeat::Seed;
use super::sent::{Sent, escaped};
use crate::form::Query;

/// A workflow at one of its versions.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
pub(crate) struct WorkflowView {
    /// Its id, a UUID.
    id: String,
    /// The organization it belongs to.
    organization_id: String,
    /// Its name.
    name: String,
    /// Who made it.
    author: AuthorView,
    /// Its version, a UUID; changes whenever it is saved. The same as its `etag`.
    version_id: String,
    /// When this version was saved.
    saved_at: String,
    /// Its steps, first `input`, last `export`.
    steps: Vec<StepView>,
    /// Credits one run costs.
    price: u32,
    /// Whether a person checks every result before it counts as done.
    needs_review: bool,
    /// Since when it is archived, if it is: kept, but not listed, and no run may begin.
    archived_at: Option<String>,
}

/// Who made a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = Author)]
pub(crate) struct AuthorView {
    /// The user's id.
    id: String,
    /// Given name, if known.
    given_name: Option<String>,
    /// Family name, if known.
    family_name: Option<String>,
    /// Sign-in name, if shown.
    email: Option<String>,
}

/// One step of a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = Step)]
pub(crate) struct StepView {
    /// Which component.
    #[serde(rename = "type")]
    kind: String,
    /// Its name within the workflow.
    label: String,
    /// Its settings, every one.
    #[schema(value_type = Object)]
    settings: Value,
}

impl From<Step> for StepView {
    fn from(step: Step) -> Self {
        Self { kind: step.kind, label: step.label, settings: step.settings }
    }
}

impl From<Author> for AuthorView {
    fn from(author: Author) -> Self {
        Self {
            id: author.id.0,
            given_name: author.given_name,
            family_name: author.family_name,
            email: author.email,
        }
    }
}

impl From<Workflow> for WorkflowView {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id.to_string(),
            organization_id: workflow.org.to_string(),
            name: workflow.name,
            author: workflow.author.into(),
            version_id: workflow.version.id.to_string(),
            saved_at: workflow.version.saved_at.to_string(),
            steps: workflow.version.steps.into_iter().map(StepView::from).collect(),
            price: workflow.version.price,
            needs_review: workflow.version.needs_review,
            archived_at: workflow.archived_at.map(|at| at.to_string()),
        }
    }
}

impl WorkflowView {
    /// The workflow with its version as `etag`.
    fn tagged(self, status: StatusCode) -> Response {
        let tag = format!("\"{}\"", self.version_id);
        let mut response = (status, Json(self)).into_response();
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}

/// A step as it is sent.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewStep)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepBody {
    /// Which component.
    #[serde(rename = "type")]
    kind: String,
    /// Its name within the workflow; the component's unless given.
    label: Option<String>,
    /// Its settings; what is left out has its default.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    settings: Map<String, Value>,
}

/// Steps to be checked.
#[derive(Deserialize, ToSchema)]
#[schema(as = StepsToCheck)]
#[serde(deny_unknown_fields)]
pub(crate) struct StepsBody {
    /// The steps, first `input`, last `export`.
    steps: Vec<StepBody>,
}

/// Steps that are a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = CheckedSteps)]
pub(crate) struct CheckedView {
    /// The steps with every setting.
    steps: Vec<StepView>,
    /// Credits one run costs.
    price: u32,
}

/// Steps as they are meant.
fn steps_of(service: &Service, steps: Vec<StepBody>) -> Vec<Step> {
    let step = |step: StepBody| {
        let known = service.catalogue().find(&step.kind).map(|known| known.kind.to_owned());
        let label = step.label.or(known).unwrap_or_else(|| step.kind.clone());
        Step { kind: step.kind, label, settings: Value::Object(step.settings) }
    };
    steps.into_iter().map(step).collect()
}

/// Says where in the body's steps a workflow is wrong, if that is why it was refused.
fn pointing_at(service: &Service, steps: &[Step], refusal: Refusal) -> Problem {
    let faults = match &refusal {
        Refusal::InvalidWorkflow(_) => service.catalogue().faults(steps),
        _ => Vec::new(),
    };
    if faults.is_empty() {
        return refusal.into();
    }
    let faults = faults.into_iter().map(|fault| {
        let pointer = match fault.at {
            FaultAt::Whole => "/steps".to_owned(),
            FaultAt::Kind(step) => format!("/steps/{step}/type"),
            FaultAt::Settings(step, None) => format!("/steps/{step}/settings"),
            FaultAt::Settings(step, Some(name)) => format!("/steps/{step}/settings/{}", escaped(&name)),
        };
        Fault::at(pointer, fault.text)
    });
    Problem::faulty(StatusCode::UNPROCESSABLE_ENTITY, refusal.code(), faults.collect())
}

/// A version of a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowVersion)]
pub(crate) struct VersionView {
    /// Its id, a UUID.
    version_id: String,
    /// When it was saved.
    saved_at: String,
    /// Its steps, first `input`, last `export`.
    steps: Vec<StepView>,
    /// Credits one run costs.
    price: u32,
    /// Whether a person checks every result before it counts as done.
    needs_review: bool,
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        Self {
            version_id: version.id.to_string(),
            saved_at: version.saved_at.to_string(),
            steps: version.steps.into_iter().map(StepView::from).collect(),
            price: version.price,
            needs_review: version.needs_review,
        }
    }
}

/// A workflow to be saved, whole.
#[derive(Deserialize, ToSchema)]
#[schema(as = WorkflowDraft)]
#[serde(deny_unknown_fields)]
pub(crate) struct DraftBody {
    /// Its name, unique within the organization.
    name: String,
    /// Its steps, first `input`, last `export`.
    steps: Vec<StepBody>,
    /// Credits one run costs; the sum of its components' unless given.
    price: Option<u32>,
    /// Whether a person checks every result before it counts as done.
    #[serde(default)]
    needs_review: bool,
}

impl DraftBody {
    fn draft(self, service: &Service) -> WorkflowDraft {
        WorkflowDraft {
            name: self.name,
            steps: steps_of(service, self.steps),
            price: self.price,
            needs_review: self.needs_review,
        }
    }
}

/// What `if-match` says about versions (RFC 9110, section 13.1.1).
enum Precondition {
    /// Nothing.
    None,
    /// Whichever it is.
    Any,
    /// It is one of these.
    OneOf(Vec<String>),
}

impl Precondition {
    fn of(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(IF_MATCH).iter().peekable();
        if given.peek().is_none() {
            return Self::None;
        }
        let texts = given.filter_map(|value| value.to_str().ok());
        let tags: Vec<_> = texts.flat_map(|value| value.split(',')).map(str::trim).collect();
        if tags.contains(&"*") {
            return Self::Any;
        }
        // A weak tag never matches here.
        let strong = tags.iter().filter_map(|tag| tag.strip_prefix('"')?.strip_suffix('"'));
        Self::OneOf(strong.map(str::to_owned).collect())
    }

    /// Refuses unless the workflow is as the client says.
    fn check(&self, workflow: &Workflow) -> Result<(), Problem> {
        let latest = workflow.version.id;
        match self {
            Self::OneOf(tags) if !tags.contains(&latest.to_string()) => Err(Refusal::Stale { latest }.into()),
            _ => Ok(()),
        }
    }
}

/// Lists an organization's workflows.
#[utoipa::path(
    get,
    path = "/workflows",
    tag = "Workflows",
    operation_id = "list_workflows",
    params(
        ("archived" = Option<bool>, Query, description = "With `true`, the archived ones and no others."),
        OrgParam,
        PageParams,
    ),
    responses((status = 200, description = "A page of workflows.", body = PageView<WorkflowView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    paging: Paging,
) -> Result<Listing<WorkflowView>, Problem> {
    let window = paging.window()?;
    let page = match query.get("archived") {
        None | Some("false") => service.workflows(&caller, &choice, window).await?,
        Some("true") => service.archived_workflows(&caller, &choice, window).await?,
        Some(_) => {
            let fault = Fault::parameter("archived", "`archived` is neither `true` nor `false`");
            return Err(Problem::invalid(vec![fault]));
        }
    };
    paging.page(page, WorkflowView::from)
}

/// Shows one workflow, at its latest version or another.
#[utoipa::path(
    get,
    path = "/workflows/{workflow_id}",
    tag = "Workflows",
    operation_id = "get_workflow",
    params(
        ("workflow_id" = String, Path, description = "Its id."),
        ("version_id" = Option<String>, Query, description = "Its version; the latest unless told."),
        ("if-none-match" = Option<String>, Header, description = "The `etag` you have."),
        OrgParam,
    ),
    responses(
        (status = 200, description = "The workflow. The header `etag` is its version.", body = WorkflowView),
        (status = 304, description = "You have it."),
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let id = named.id(Thing::Workflow)?;
    let version = match query.get("version_id") {
        Some(text) => Some(text.parse().map_err(|_| Problem::missing(Thing::Version, text))?),
        None => None,
    };
    let view = WorkflowView::from(service.workflow(&caller, &choice, id, version).await?);
    if has_tag(&headers, &view.version_id) {
        let mut response = view.tagged(StatusCode::NOT_MODIFIED);
        *response.body_mut() = axum::body::Body::empty();
        return Ok(response);
    }
    Ok(view.tagged(StatusCode::OK))
}

/// Whether the client has that version. A weak tag will do for reading (RFC 9110, section 13.1.2).
fn has_tag(headers: &HeaderMap, version: &str) -> bool {
    let given = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    given
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/").trim_matches('"'))
        .any(|tag| tag == "*" || tag == version)
}

/// Checks steps without saving them: fills in the defaults and prices them.
#[utoipa::path(
    post,
    path = "/workflows/validate",
    tag = "Workflows",
    operation_id = "validate_workflow",
    request_body = StepsBody,
    responses(
        (status = 200, description = "The steps are a workflow.", body = CheckedView),
        (status = 422, description = "They are none; `errors` points at what is wrong.",
         body = super::problem::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn validate(
    State(service): State<Service>,
    _: Asker,
    Sent(body): Sent<StepsBody>,
) -> Result<Json<CheckedView>, Problem> {
    let steps = steps_of(&service, body.steps);
    let checked = service.check_steps(&steps).map_err(|refusal| pointing_at(&service, &steps, refusal))?;
    Ok(Json(CheckedView {
        steps: checked.steps.into_iter().map(StepView::from).collect(),
        price: checked.price,
    }))
}

/// Makes a workflow; for administrators.
#[utoipa::path(
    post,
    path = "/workflows",
    tag = "Workflows",
    operation_id = "create_workflow",
    params(OrgParam),
    request_body = DraftBody,
    responses((status = 201, description = "It is made. The header `etag` is its version.", body = WorkflowView))
)]
pub(crate) async fn create(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Seed(seed): Seed,
    Sent(body): Sent<DraftBody>,
) -> Result<Response, Problem> {
    let draft = body.draft(&service);
    let made = service.create_workflow(&caller, &choice, &draft, seed).await;
    let made = made.map_err(|refusal| pointing_at(&service, &draft.steps, refusal))?;
    let at = HeaderValue::from_str(&format!("{ROOT}/workflows/{}", made.id));
    let mut response = WorkflowView::from(made).tagged(StatusCode::CREATED);
    if let Ok(at) = at {
        response.headers_mut().insert(LOCATION, at);
    }
    Ok(response)
}

/// Saves a workflow's next version, in place of the one named by `if-match`; for administrators.
#[utoipa::path(
    put,
    path = "/workflows/{workflow_id}",
    tag = "Workflows",
    operation_id = "revise_workflow",
    params(
        ("workflow_id" = String, Path, description = "Its id."),
        ("if-match" = String, Header, description = "The `etag` of the version that you changed."),
        OrgParam,
    ),
    request_body = DraftBody,
    responses(
        (status = 200, description = "It is saved. The header `etag` is its version.", body = WorkflowView),
        (status = 412, description = "It was changed meanwhile: read it again.",
         body = super::problem::ProblemBody, content_type = "application/problem+json"),
        (status = 428, description = "The header `if-match` is missing.",
         body = super::problem::ProblemBody, content_type = "application/problem+json"),
    )
)]
pub(crate) async fn revise(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Seed(seed): Seed,
    named: Named,
    headers: HeaderMap,
    Sent(body): Sent<DraftBody>,
) -> Result<Response, Problem> {
    let precondition = Precondition::of(&headers);
    if matches!(precondition, Precondition::None) {
        return Err(Problem::new(
            StatusCode::PRECONDITION_REQUIRED,
            "precondition_required",
            "read the workflow and send its `etag` as `if-match`, so that nobody's change is lost",
        ));
    }
    let before = service.workflow(&caller, &choice, named.id(Thing::Workflow)?, None).await?;
    precondition.check(&before)?;
    let draft = body.draft(&service);
    // Whoever saves between these two is noticed by the store.
    let saved = service.revise_workflow(&caller, &choice, before.id, before.version.id, &draft, seed).await;
    let saved = saved.map_err(|refusal| pointing_at(&service, &draft.steps, refusal))?;
    Ok(WorkflowView::from(saved).tagged(StatusCode::OK))
}

/// Archives a workflow: it is not listed and begins no runs, but its runs and versions stay; for administrators.
#[utoipa::path(
    delete,
    path = "/workflows/{workflow_id}",
    tag = "Workflows",
    operation_id = "archive_workflow",
    params(
        ("workflow_id" = String, Path, description = "Its id."),
        ("if-match" = Option<String>, Header, description = "Its `etag`, to archive no other version."),
        OrgParam,
    ),
    responses((status = 200, description = "It is archived.", body = WorkflowView))
)]
pub(crate) async fn archive(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let before = service.workflow(&caller, &choice, named.id(Thing::Workflow)?, None).await?;
    Precondition::of(&headers).check(&before)?;
    let archived = service.archive_workflow(&caller, &choice, before.id, true).await?;
    Ok(WorkflowView::from(archived).tagged(StatusCode::OK))
}

/// Takes a workflow back that was archived; for administrators.
#[utoipa::path(
    post,
    path = "/workflows/{workflow_id}/unarchive",
    tag = "Workflows",
    operation_id = "unarchive_workflow",
    params(("workflow_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 200, description = "It is back.", body = WorkflowView))
)]
pub(crate) async fn unarchive(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<Response, Problem> {
    let back = service.archive_workflow(&caller, &choice, named.id(Thing::Workflow)?, false).await?;
    Ok(WorkflowView::from(back).tagged(StatusCode::OK))
}

/// Lists every version of a workflow, newest first.
#[utoipa::path(
    get,
    path = "/workflows/{workflow_id}/versions",
    tag = "Workflows",
    operation_id = "list_workflow_versions",
    params(("workflow_id" = String, Path, description = "Its id."), OrgParam, PageParams),
    responses((status = 200, description = "A page of versions.", body = PageView<VersionView>))
)]
pub(crate) async fn versions(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
    paging: Paging,
) -> Result<Listing<VersionView>, Problem> {
    let versions = service.workflow_versions(&caller, &choice, named.id(Thing::Workflow)?).await?;
    // New versions come in front, so that counting would show some twice.
    paging.page_of_newest(versions, |version| version.id.to_string(), VersionView::from)
}
