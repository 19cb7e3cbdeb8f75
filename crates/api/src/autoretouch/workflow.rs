//! Workflows.

use axum::Json;
use axum::extract::State;
use domain::workflow::{Step, Workflow};
use serde::Serialize;
use serde_json::Value;
use service::{Service, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, Named, OrgParam, org_of};
use super::error::{ErrorBody, Problem};
use super::page::{PageParams, PageView, window_of};
use crate::form::Query;

/// A workflow at its latest version.
#[derive(Serialize, ToSchema)]
#[schema(as = Workflow)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkflowView {
    /// Its id, a UUID.
    id: String,
    /// Its version, a UUID; changes whenever it is saved.
    version: String,
    /// Its name.
    name: String,
    /// When it was saved last: ISO 8601, UTC, microseconds.
    #[schema(example = "2026-01-19T13:02:41.553120Z")]
    date: String,
    /// Who made it.
    author: AuthorView,
    /// Its steps, first `input`, last `export`.
    workflow_components: Vec<StepView>,
    /// Credits one execution costs.
    execution_price: u32,
}

/// Who made a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = Author)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AuthorView {
    /// The user's id.
    id: String,
    /// Given name, if known.
    first_name: Option<String>,
    /// Family name, if known.
    last_name: Option<String>,
    /// E-mail address, if shown.
    email: Option<String>,
}

/// One step of a workflow.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowComponent)]
pub(crate) struct StepView {
    /// Which component.
    #[serde(rename = "type")]
    kind: String,
    /// Its name within the workflow.
    label: String,
    /// Its settings.
    #[schema(value_type = Object)]
    settings: Value,
}

impl From<Step> for StepView {
    fn from(step: Step) -> Self {
        Self { kind: step.kind, label: step.label, settings: step.settings }
    }
}

impl From<Workflow> for WorkflowView {
    fn from(workflow: Workflow) -> Self {
        Self {
            id: workflow.id.to_string(),
            version: workflow.version.id.to_string(),
            name: workflow.name,
            date: workflow.version.saved_at.to_string().replace('Z', "000Z"),
            author: AuthorView {
                id: workflow.author.id.0,
                first_name: workflow.author.given_name,
                last_name: workflow.author.family_name,
                email: workflow.author.email,
            },
            workflow_components: workflow.version.steps.into_iter().map(StepView::from).collect(),
            execution_price: workflow.version.price,
        }
    }
}

/// Lists an organization's workflows.
#[utoipa::path(
    get,
    path = "/workflow",
    tag = "Workflows",
    operation_id = "listWorkflows",
    params(OrgParam, PageParams),
    responses(
        (status = 200, description = "A page of workflows.", body = PageView<WorkflowView>),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
    )
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<Json<PageView<WorkflowView>>, Problem> {
    let page = service.workflows(&caller, &org_of(&query), window_of(&query)).await?;
    Ok(Json(PageView::of(page, WorkflowView::from)))
}

/// Shows one workflow.
#[utoipa::path(
    get,
    path = "/workflow/{workflowId}",
    tag = "Workflows",
    operation_id = "getWorkflow",
    params(("workflowId" = String, Path, description = "Its id."), OrgParam),
    responses(
        (status = 200, description = "The workflow.", body = WorkflowView),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "No organization of yours has such a workflow.", body = ErrorBody),
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
    Named(id): Named,
) -> Result<Json<WorkflowView>, Problem> {
    let workflow = id.parse().map_err(|_| Problem::missing(Thing::Workflow, &id))?;
    Ok(Json(service.workflow(&caller, &org_of(&query), workflow, None).await?.into()))
}
