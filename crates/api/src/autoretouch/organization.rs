//! Organizations and their credits.

use axum::Json;
use axum::extract::State;
use domain::access::{Member, Org};
use serde::Serialize;
use service::{Service, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, Named, OrgParam, org_of};
use super::error::{ErrorBody, Problem};
use super::page::{PageParams, PageView, window_of};
use crate::form::Query;

/// An organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Organization)]
pub(crate) struct OrgView {
    /// Its id, a UUID.
    id: String,
    /// Its name.
    name: String,
    /// Changes whenever its record is saved; a UUID.
    version: String,
    /// Its members.
    members: Vec<MemberView>,
}

/// A member of an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MemberView {
    /// The user's id.
    id: String,
    /// Given name, if known.
    given_name: Option<String>,
    /// Family name, if known.
    family_name: Option<String>,
    /// Sign-in name.
    email: String,
    /// Address of a portrait, if known.
    picture: Option<String>,
    /// `admin`, `operator`.
    roles: Vec<&'static str>,
}

impl From<Org> for OrgView {
    fn from(org: Org) -> Self {
        Self {
            id: org.id.to_string(),
            name: org.name,
            version: org.version.to_string(),
            members: org.members.into_iter().map(MemberView::from).collect(),
        }
    }
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.user.id.0,
            given_name: member.user.given_name,
            family_name: member.user.family_name,
            email: member.user.email,
            picture: member.user.picture,
            roles: vec![member.role.as_str()],
        }
    }
}

/// Lists your organizations.
#[utoipa::path(
    get,
    path = "/organization",
    tag = "Organizations",
    operation_id = "listOrganizations",
    params(PageParams),
    responses(
        (status = 200, description = "A page of organizations.", body = PageView<OrgView>),
        (status = 401, description = "No valid token.", body = ErrorBody),
    )
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<Json<PageView<OrgView>>, Problem> {
    let page = service.orgs(&caller, window_of(&query)).await?;
    Ok(Json(PageView::of(page, OrgView::from)))
}

/// Shows one of your organizations.
#[utoipa::path(
    get,
    path = "/organization/{organizationId}",
    tag = "Organizations",
    operation_id = "getOrganization",
    params(("organizationId" = String, Path, description = "Its id.")),
    responses(
        (status = 200, description = "The organization.", body = OrgView),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 404, description = "You belong to no such organization.", body = ErrorBody),
    )
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker(caller): Asker,
    Named(id): Named,
) -> Result<Json<OrgView>, Problem> {
    let org = id.parse().map_err(|_| Problem::missing(Thing::Org, &id))?;
    Ok(Json(service.org(&caller, org).await?.into()))
}

/// Shows the credits an organization has, as a bare integer; one credit is one euro cent before tax.
#[utoipa::path(
    get,
    path = "/organization/balance",
    tag = "Organizations",
    operation_id = "getBalance",
    params(OrgParam),
    responses(
        (status = 200, description = "The credits.", body = i64, content_type = "application/json"),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
    )
)]
pub(crate) async fn balance(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<Json<i64>, Problem> {
    Ok(Json(service.balance(&caller, &org_of(&query)).await?))
}

/// The same as `/organization/balance`, under its old name.
#[utoipa::path(
    get,
    path = "/company/balance",
    tag = "Organizations",
    operation_id = "getCompanyBalance",
    params(OrgParam),
    responses(
        (status = 200, description = "The credits.", body = i64, content_type = "application/json"),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
    )
)]
pub(crate) async fn company_balance(
    state: State<Service>,
    asker: Asker,
    query: Query,
) -> Result<Json<i64>, Problem> {
    balance(state, asker, query).await
}
