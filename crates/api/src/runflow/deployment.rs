//! Workflows of another program that are deployed here: kept and given back. Nothing here runs them.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use domain::filter::Value as FilterValue;
use serde_json::{Map, Value, json};
use service::{Deployment, DeploymentDraft, Refusal};

use super::asker::{Asker, Named};
use super::dispatch::{self, segments};
use super::form::Form;
use super::listing::{ListQuery, PageBody};
use super::model::slug;
use super::problem::Problem;
use super::repeat::Once;
use super::run::NEWEST;
use super::view::time;
use crate::{Front, runflow_fields};

/// Most characters in a name.
const NAME_MAX: usize = 255;

runflow_fields! {
    DeploymentFields: DeploymentField {
        "id" => DeploymentField::Id, Id;
        "slug" => DeploymentField::Slug, Text;
        "name" => DeploymentField::Name, Text;
        "created_at" => DeploymentField::CreatedAt, Time;
        "updated_at" => DeploymentField::UpdatedAt, Time;
    }
}

/// What deployed workflows are asked for by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DeploymentField {
    Id,
    Slug,
    Name,
    CreatedAt,
    UpdatedAt,
}

/// What a deployed workflow is made of, besides its name in addresses.
const MEMBERS: &[&str] =
    &["name", "workflow_json", "graph", "environment", "custom_nodes", "models", "resources"];
const NAMES: &[&str] = &[
    "id",
    "org_id",
    "slug",
    "name",
    "workflow_json",
    "graph",
    "environment",
    "custom_nodes",
    "models",
    "resources",
    "created_at",
    "updated_at",
];

fn deployment_value(deployment: &Deployment) -> Value {
    let mut value = json!({
        "id": deployment.id,
        "org_id": deployment.org,
        "slug": deployment.slug,
        "created_at": time(deployment.created_at),
        "updated_at": time(deployment.updated_at),
    });
    for name in MEMBERS {
        value[*name] = deployment.body[*name].clone();
    }
    value
}

/// What of it is given.
fn read(form: &mut Form) -> Map<String, Value> {
    form.text("name", 0..=NAME_MAX);
    for name in ["workflow_json", "graph", "environment"] {
        form.object(name);
    }
    let given = form.members().iter().filter(|(name, _)| MEMBERS.contains(&name.as_str()));
    given.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// `GET /v1/comfyui-workflows`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let listing = query.listing(&DeploymentFields, NEWEST)?;
    let projection = query.projection(NAMES)?;
    query.embeds(&[])?;
    let all = front.service.deployments(&asker.caller, &asker.choice).await?;
    let value = |deployment: &Deployment, field: &DeploymentField| {
        Some(match field {
            DeploymentField::Id => FilterValue::Id(deployment.id),
            DeploymentField::Slug => FilterValue::Text(deployment.slug.clone()),
            DeploymentField::Name => FilterValue::Text(deployment.body["name"].as_str()?.to_owned()),
            DeploymentField::CreatedAt => FilterValue::Time(deployment.created_at),
            DeploymentField::UpdatedAt => FilterValue::Time(deployment.updated_at),
        })
    };
    let leaf = listing.of_all(all, |deployment| deployment.id, value);
    let items =
        leaf.entries.iter().map(|deployment| projection.of(deployment_value(deployment), &[])).collect();
    Ok(query.page(&leaf, &listing, NEWEST, items))
}

/// `POST /v1/comfyui-workflows`.
pub(crate) async fn add(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    mut form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let slug = form.required_text("slug", 1..=NAME_MAX);
    let body = read(&mut form);
    form.check()?;
    let draft = DeploymentDraft { slug, body };
    let made = front.service.deploy(&asker.caller, &asker.choice, draft, once.seed).await?;
    Ok((StatusCode::CREATED, Json(deployment_value(&made))))
}

/// `PATCH /v1/comfyui-workflows/{id}`.
pub(crate) async fn change(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    mut form: Form,
) -> Result<Json<Value>, Problem> {
    let id = named.id(0, "id")?;
    let changes = read(&mut form);
    form.check()?;
    let now = front.service.redeploy(&asker.caller, &asker.choice, id, changes).await?;
    Ok(Json(deployment_value(&now)))
}

/// `POST /v1/comfyui-workflows/{owner}/{slug}/runs`. Published workflows of this server run; deployed ones of the other program
/// have nothing here that could run them.
pub(crate) async fn run(
    State(front): State<Front>,
    OriginalUri(uri): OriginalUri,
    asker: Asker,
    once: Once,
    form: Form,
) -> Result<(StatusCode, Json<Value>), Problem> {
    front.service.need_scope(&asker.caller, "runs:create")?;
    let parts = segments(uri.path());
    if let [owner, named @ .., what] = parts.as_slice()
        && what == "runs"
        && front.is_deployed(&asker, owner, &named.join("/")).await?
    {
        return Err(no_executor());
    }
    dispatch::dispatch(State(front), OriginalUri(uri), asker, once, form).await
}

/// The answer to whoever wants a run of a deployed workflow.
pub(crate) fn no_executor() -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "MODEL_UNAVAILABLE",
        "This workflow is kept here, but no executor for workflows of its kind is configured on this server; build it as a \
         workflow of this server to run it.",
    )
}

impl Front {
    /// Whether the asker's organization has deployed a workflow of that name.
    pub(crate) async fn is_deployed(&self, asker: &Asker, owner: &str, name: &str) -> Result<bool, Problem> {
        let org = self.service.org(&asker.caller, asker.org).await?;
        if owner != slug(&org.name) && owner != asker.org.to_string() {
            return Ok(false);
        }
        match self.service.deployments(&asker.caller, &asker.choice).await {
            Ok(all) => Ok(all.iter().any(|deployment| deployment.slug == name)),
            // Whoever may not read them learns nothing of them.
            Err(Refusal::ScopeMissing { .. }) => Ok(false),
            Err(other) => Err(other.into()),
        }
    }
}
