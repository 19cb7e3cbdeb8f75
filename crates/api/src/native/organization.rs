//! Organizations.

use axum::Json;
use axum::extract::State;
use domain::access::{Caller, Org};
use serde::Serialize;
use service::{Service, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, Named};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::Problem;

/// An organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrgView {
    /// Its id, a UUID.
    id: String,
    /// Its name.
    name: String,
    /// Your role there: `admin` or `operator`.
    role: Option<&'static str>,
    /// How many belong to it.
    member_count: usize,
}

impl OrgView {
    fn of(org: Org, caller: &Caller) -> Self {
        Self {
            id: org.id.to_string(),
            name: org.name,
            role: caller.role_in(org.id).map(|role| role.as_str()),
            member_count: org.members.len(),
        }
    }
}

/// Lists your organizations.
#[utoipa::path(
    get,
    path = "/organizations",
    tag = "Organizations",
    operation_id = "list_organizations",
    params(PageParams),
    responses((status = 200, description = "A page of organizations.", body = PageView<OrgView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, .. }: Asker,
    paging: Paging,
) -> Result<Listing<OrgView>, Problem> {
    let page = service.orgs(&caller, paging.window()?).await?;
    paging.page(page, |org| OrgView::of(org, &caller))
}

/// Shows one of your organizations.
#[utoipa::path(
    get,
    path = "/organizations/{organization_id}",
    tag = "Organizations",
    operation_id = "get_organization",
    params(("organization_id" = String, Path, description = "Its id.")),
    responses((status = 200, description = "The organization.", body = OrgView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, .. }: Asker,
    named: Named,
) -> Result<Json<OrgView>, Problem> {
    let org = service.org(&caller, named.id(Thing::Org)?).await?;
    Ok(Json(OrgView::of(org, &caller)))
}
