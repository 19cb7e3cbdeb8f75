//! Whoever asks.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use service::Service;
use utoipa::ToSchema;

use super::asker::Asker;
use super::problem::Problem;

/// Whoever asks, as far as their token proves it.
#[derive(Serialize, ToSchema)]
#[schema(as = Me)]
pub(crate) struct MeView {
    /// The user's id.
    id: String,
    /// Sign-in name, if they belong to an organization.
    email: Option<String>,
    /// Given name, if known.
    given_name: Option<String>,
    /// Family name, if known.
    family_name: Option<String>,
    /// The organization that is meant when none is named.
    organization_id: Option<String>,
    /// The organizations they belong to, oldest membership first.
    memberships: Vec<MembershipView>,
}

/// A place in an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Membership)]
pub(crate) struct MembershipView {
    /// The organization's id.
    organization_id: String,
    /// `admin` or `operator`.
    role: &'static str,
}

/// Says who you are and where you belong.
#[utoipa::path(
    get,
    path = "/me",
    tag = "Organizations",
    operation_id = "get_me",
    responses((status = 200, description = "You.", body = MeView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, .. }: Asker,
) -> Result<Json<MeView>, Problem> {
    let home = caller.default_org();
    let org = match home {
        Some(home) => Some(service.org(&caller, home).await?),
        None => None,
    };
    let members = org.into_iter().flat_map(|org| org.members);
    let user = members.map(|member| member.user).find(|user| user.id == caller.user);
    let memberships = caller
        .memberships
        .iter()
        .map(|(org, role)| MembershipView { organization_id: org.to_string(), role: role.as_str() });
    Ok(Json(MeView {
        organization_id: home.map(|org| org.to_string()),
        memberships: memberships.collect(),
        email: user.as_ref().map(|user| user.email.clone()),
        given_name: user.as_ref().and_then(|user| user.given_name.clone()),
        family_name: user.and_then(|user| user.family_name),
        id: caller.user.0,
    }))
}
