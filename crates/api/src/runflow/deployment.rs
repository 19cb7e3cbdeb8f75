//! Workflows of another program that are deployed here: kept and given back. Nothing here runs them.

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::StatusCode;
use domain::filter::{Leaf, Listing, Value as FilterValue};
use serde_json::{Map, Value, json};
use service::{Deployment, DeploymentDraft, DeploymentHead, Refusal};

use super::asker::{Asker, Named};
use super::dispatch;
use super::form::Form;
use super::listing::{ListQuery, NEWEST, PageBody};
use super::model::slug;
use super::problem::Problem;
use super::repeat::Once;
use super::target::segments;
use super::view::time;
use crate::Front;
use crate::listing::list_fields;

/// Most characters in a name.
const NAME_MAX: usize = 255;
/// A page with more bytes of bodies than this ends before its limit; it has one entry at least.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;

list_fields! {
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

/// The same of one whose body is not read; what is in there besides the name is not shown.
fn head_value(asker: &Asker, head: &DeploymentHead) -> Value {
    json!({
        "id": head.id,
        "org_id": asker.org,
        "slug": head.slug,
        "name": head.name,
        "created_at": time(head.created_at),
        "updated_at": time(head.updated_at),
    })
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
    let asked = query.ask(&DeploymentFields, NEWEST, NAMES, &[])?;
    let all = front.service.deployments(&asker.caller, &asker.choice).await?;
    if !MEMBERS.iter().any(|name| *name != "name" && asked.shown.shows(name)) {
        let leaf = page_of(&asked.listing, all);
        return Ok(asked.page(&leaf, leaf.entries.iter().map(|head| head_value(&asker, head))));
    }
    let leaf = page_that_fits(asked.listing.clone(), all);
    let mut items = Vec::with_capacity(leaf.entries.len());
    for head in &leaf.entries {
        // One after the other: what is not shown of a body is let go before the next is read.
        let whole = front.service.deployment(&asker.caller, &asker.choice, head.id).await?;
        items.push(asked.shown.of(deployment_value(&whole)));
    }
    Ok(asked.page(&leaf, items))
}

fn page_of(listing: &Listing<DeploymentField>, all: Vec<DeploymentHead>) -> Leaf<DeploymentHead> {
    let value = |head: &DeploymentHead, field: &DeploymentField| {
        Some(match field {
            DeploymentField::Id => FilterValue::Id(head.id),
            DeploymentField::Slug => FilterValue::Text(head.slug.clone()),
            DeploymentField::Name => FilterValue::Text(head.name.clone()?),
            DeploymentField::CreatedAt => FilterValue::Time(head.created_at),
            DeploymentField::UpdatedAt => FilterValue::Time(head.updated_at),
        })
    };
    listing.of_all(all, |head| head.id, value)
}

/// The same with as few entries as it takes for their bodies to be no more than a page holds.
fn page_that_fits(mut listing: Listing<DeploymentField>, all: Vec<DeploymentHead>) -> Leaf<DeploymentHead> {
    loop {
        let leaf = page_of(&listing, all.clone());
        let bytes: u64 = leaf.entries.iter().map(|head| head.bytes).sum();
        if bytes <= PAGE_BYTES || leaf.entries.len() <= 1 {
            return leaf;
        }
        listing.limit = u32::try_from(leaf.entries.len()).unwrap_or(u32::MAX).min(listing.limit) / 2;
    }
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
        match self.service.is_deployed(&asker.caller, &asker.choice, name).await {
            // Whoever may not read them learns nothing of them.
            Err(Refusal::ScopeMissing { .. }) => Ok(false),
            found => Ok(found?),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::time::Timestamp;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_page_ends_where_its_bodies_are_too_much() {
        let head = |nth: u128, bytes| DeploymentHead {
            id: Uuid::from_u128(nth),
            slug: format!("w{nth}"),
            name: None,
            bytes,
            created_at: Timestamp(nth as i64),
            updated_at: Timestamp(nth as i64),
        };
        let listing = Listing { filter: None, sorts: Vec::new(), from: None, limit: 50 };
        for (bytes, count) in [(1, 9), (PAGE_BYTES / 8, 4), (PAGE_BYTES / 2, 2), (PAGE_BYTES * 3, 1)] {
            let leaf = page_that_fits(listing.clone(), (0..9).map(|nth| head(nth, bytes)).collect());
            assert_eq!((leaf.entries.len(), leaf.next.is_some()), (count, count < 9), "{bytes}");
        }
    }
}
