//! Members of an organization, and the links that invite them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::{Member, Role};
use domain::account::Invitation;
use domain::id::UserId;
use serde::{Deserialize, Serialize};
use service::{Service, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, Named, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::Problem;
use super::sent::Sent;
use crate::hosts::SignInUrl;
use crate::repeat::ShownOnce;

/// A user within an organization.
#[derive(Serialize, ToSchema)]
#[schema(as = Member)]
pub(crate) struct MemberView {
    /// The user's id.
    id: String,
    /// Sign-in name.
    email: String,
    /// Given name, if known.
    given_name: Option<String>,
    /// Family name, if known.
    family_name: Option<String>,
    /// `admin` or `operator`.
    role: &'static str,
}

impl From<Member> for MemberView {
    fn from(member: Member) -> Self {
        Self {
            id: member.user.id.0,
            email: member.user.email,
            given_name: member.user.given_name,
            family_name: member.user.family_name,
            role: member.role.as_str(),
        }
    }
}

/// What a member may do.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = Role)]
#[serde(rename_all = "snake_case")]
pub(crate) enum RoleBody {
    /// Everything.
    Admin,
    /// The daily work.
    Operator,
}

impl From<RoleBody> for Role {
    fn from(role: RoleBody) -> Self {
        match role {
            RoleBody::Admin => Self::Admin,
            RoleBody::Operator => Self::Operator,
        }
    }
}

/// A change to a member.
#[derive(Deserialize, ToSchema)]
#[schema(as = MemberChange)]
#[serde(deny_unknown_fields)]
pub(crate) struct MemberBody {
    /// Their role from now on.
    role: RoleBody,
}

/// Lists an organization's members, oldest membership first.
#[utoipa::path(
    get,
    path = "/members",
    tag = "People",
    operation_id = "list_members",
    params(OrgParam, PageParams),
    responses((status = 200, description = "A page of members.", body = PageView<MemberView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    paging: Paging,
) -> Result<Listing<MemberView>, Problem> {
    let org = service.one_org(&caller, &choice)?;
    paging.page_of(service.members(&caller, org).await?.into_iter(), MemberView::from)
}

/// Changes a member's role; for administrators.
#[utoipa::path(
    patch,
    path = "/members/{user_id}",
    tag = "People",
    operation_id = "change_member",
    params(("user_id" = String, Path, description = "The user's id, percent-encoded."), OrgParam),
    request_body = MemberBody,
    responses((status = 200, description = "The member.", body = MemberView))
)]
pub(crate) async fn change(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
    Sent(body): Sent<MemberBody>,
) -> Result<Json<MemberView>, Problem> {
    let org = service.one_org(&caller, &choice)?;
    let user = UserId(named.0.clone());
    service.set_role(&caller, org, &user, body.role.into()).await?;
    let members = service.members(&caller, org).await?;
    let member = members.into_iter().find(|member| member.user.id == user);
    Ok(Json(member.ok_or_else(|| Problem::missing(Thing::User, &named.0))?.into()))
}

/// Ends a membership, and what acts for them there; for administrators, and for everybody about themselves.
#[utoipa::path(
    delete,
    path = "/members/{user_id}",
    tag = "People",
    operation_id = "remove_member",
    params(("user_id" = String, Path, description = "The user's id, percent-encoded."), OrgParam),
    responses((status = 204, description = "They are no member any more."))
)]
pub(crate) async fn remove(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    let org = service.one_org(&caller, &choice)?;
    service.remove_member(&caller, org, &UserId(named.0)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A link that lets somebody join, once.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub(crate) struct InvitationView {
    /// Its id, a UUID.
    id: String,
    /// As what: `admin` or `operator`.
    role: &'static str,
    /// The only sign-in name that may accept it; null lets anybody who has the link.
    email: Option<String>,
    /// Who invites.
    invited_by: String,
    /// When it was made.
    created_at: String,
    /// When it is over.
    expires_at: String,
}

impl From<Invitation> for InvitationView {
    fn from(invitation: Invitation) -> Self {
        Self {
            id: invitation.id.to_string(),
            role: invitation.role.as_str(),
            email: invitation.email,
            invited_by: invitation.invited_by.0,
            created_at: invitation.created_at.to_string(),
            expires_at: invitation.expires_at.to_string(),
        }
    }
}

/// Somebody to be invited.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewInvitation)]
#[serde(deny_unknown_fields)]
pub(crate) struct InvitationBody {
    /// As what.
    role: RoleBody,
    /// The only sign-in name that may accept it; anybody who has the link unless given.
    email: Option<String>,
}

/// An invitation just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeInvitation)]
pub(crate) struct MadeView {
    /// The invitation.
    #[serde(flatten)]
    invitation: InvitationView,
    /// The link to pass on; shown this once.
    link: String,
}

/// Lists the open invitations, oldest first; for administrators.
#[utoipa::path(
    get,
    path = "/invitations",
    tag = "People",
    operation_id = "list_invitations",
    params(OrgParam, PageParams),
    responses((status = 200, description = "A page of invitations.", body = PageView<InvitationView>))
)]
pub(crate) async fn invitations(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    paging: Paging,
) -> Result<Listing<InvitationView>, Problem> {
    let org = service.one_org(&caller, &choice)?;
    paging.page_of(service.invitations(&caller, org).await?.into_iter(), InvitationView::from)
}

/// Invites somebody by a link, which is shown once; for administrators.
#[utoipa::path(
    post,
    path = "/invitations",
    tag = "People",
    operation_id = "invite",
    params(OrgParam),
    request_body = InvitationBody,
    responses((status = 201, description = "The invitation with its link.", body = MadeView))
)]
pub(crate) async fn invite(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    sign_in: SignInUrl,
    Sent(body): Sent<InvitationBody>,
) -> Result<ShownOnce<(StatusCode, Json<MadeView>)>, Problem> {
    let org = service.one_org(&caller, &choice)?;
    let made = service.invite(&caller, org, body.role.into(), body.email.as_deref()).await?;
    let link = sign_in.link(&made);
    let view = MadeView { invitation: made.invitation.into(), link };
    Ok(ShownOnce((StatusCode::CREATED, Json(view))))
}

/// Takes an open invitation back; for administrators.
#[utoipa::path(
    delete,
    path = "/invitations/{invitation_id}",
    tag = "People",
    operation_id = "revoke_invitation",
    params(("invitation_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 204, description = "Its link is worth nothing any more."))
)]
pub(crate) async fn revoke_invitation(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    let org = service.one_org(&caller, &choice)?;
    service.revoke_invitation(&caller, org, named.id(Thing::Invitation)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
