//! Components: what steps there are.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::component::Description;
use serde::Serialize;
use serde_json::Value;
use service::Service;
use utoipa::ToSchema;

use super::ROOT;
use super::asker::{Asker, Named};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::Problem;

/// A component.
#[derive(Serialize, ToSchema)]
#[schema(as = Component)]
pub(crate) struct ComponentView {
    /// Its name in workflows.
    #[serde(rename = "type")]
    #[schema(example = "removeBackground")]
    kind: &'static str,
    /// Its name for people.
    title: &'static str,
    /// What it does, in one sentence.
    summary: &'static str,
    /// Rises whenever the same settings give other pixels.
    version: u32,
    /// Credits one run of it costs.
    credits: u32,
    /// Where in a workflow it may stand: `first`, `middle` or `last`.
    place: &'static str,
    /// Whether it makes one image of several: what stands before it is done to each of them.
    joins: bool,
    /// What it may change: `mask`, `background`, `skin`, `tone`, `detail`, `geometry`. Where the last four are missing, the
    /// product's own pixels come out as they went in.
    may_change: Vec<&'static str>,
    /// JSON Schema (2020-12) of its settings.
    #[schema(value_type = Object)]
    settings_schema: Value,
    /// Every setting with its default.
    #[schema(value_type = Object)]
    default_settings: Value,
}

impl From<&Description> for ComponentView {
    fn from(component: &Description) -> Self {
        Self {
            kind: component.kind,
            title: component.title,
            summary: component.summary,
            version: component.version,
            credits: component.credits,
            place: component.place.as_str(),
            joins: component.joins,
            may_change: component.changes.names(),
            settings_schema: component.schema.clone(),
            default_settings: component.defaults.clone(),
        }
    }
}

/// Lists the components.
#[utoipa::path(
    get,
    path = "/components",
    tag = "Components",
    operation_id = "list_components",
    params(PageParams),
    responses((status = 200, description = "A page of components.", body = PageView<ComponentView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    _: Asker,
    paging: Paging,
) -> Result<Listing<ComponentView>, Problem> {
    paging.page_of(service.catalogue().entries().iter(), ComponentView::from)
}

/// Shows one component.
#[utoipa::path(
    get,
    path = "/components/{type}",
    tag = "Components",
    operation_id = "get_component",
    params(("type" = String, Path, description = "Its name in workflows, in any case.")),
    responses((status = 200, description = "The component.", body = ComponentView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    _: Asker,
    named: Named,
) -> Result<Json<ComponentView>, Problem> {
    let found = service.catalogue().find(&named.0).ok_or_else(|| {
        let start: String = named.0.chars().take(100).collect();
        let detail = format!("no component is called `{start}`; `{ROOT}/components` lists them");
        Problem::new(StatusCode::NOT_FOUND, "component_not_found", detail)
    })?;
    Ok(Json(found.into()))
}
