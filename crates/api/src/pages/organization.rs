//! An organization: who belongs to it, who is invited, what acts in it, and what was done.

use askama::Template;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use domain::access::{Caller, Role};
use domain::id::{OrgId, UserId};
use domain::page::Window;
use service::access::Visitor;
use service::{Refusal, Service, Thing};

use super::connections::{ASKED, Shown};
use super::visit::{Fault, Frame, Visit, when};
use crate::form::{Pairs, Query};
use crate::hosts::SignInUrl;

/// Entries of the audit that are shown.
const ACTIVITY: u32 = 30;
/// Organizations that are named.
const ORGS_MAX: u32 = 500;

/// One of somebody's organizations.
pub(super) struct OrgLine {
    pub(super) id: OrgId,
    pub(super) name: String,
    /// What they are there.
    pub(super) role: &'static str,
    /// Whether it is the one they look at.
    pub(super) selected: bool,
}

/// Somebody's organizations by name.
pub(super) async fn org_lines(service: &Service, caller: &Caller) -> Result<Vec<OrgLine>, Refusal> {
    let page = service.orgs(caller, Window { limit: ORGS_MAX, offset: 0 }).await?;
    let selected = caller.default_org();
    let lines = page.entries.into_iter().map(|org| OrgLine {
        selected: selected == Some(org.id),
        role: caller.role_in(org.id).map_or("", role_text),
        id: org.id,
        name: org.name,
    });
    Ok(lines.collect())
}

pub(super) const fn role_text(role: Role) -> &'static str {
    match role {
        Role::Admin => "Administrator",
        Role::Operator => "Operator",
    }
}

struct MemberLine {
    id: String,
    name: String,
    email: String,
    role: &'static str,
    is_admin: bool,
    is_you: bool,
}

struct InvitationLine {
    id: String,
    email: Option<String>,
    role: &'static str,
    expires: String,
}

struct ActivityLine {
    at: String,
    who: String,
    what: &'static str,
    details: String,
}

#[derive(Template)]
#[template(path = "organization.html")]
struct Page {
    frame: Frame,
    id: OrgId,
    name: String,
    is_admin: bool,
    members: Vec<MemberLine>,
    invitations: Vec<InvitationLine>,
    connections: Shown,
    activity: Vec<ActivityLine>,
    /// The link of an invitation just made.
    link: Option<String>,
    invited_email: String,
}

/// What is shown besides the page's usual content.
#[derive(Default)]
struct Extra {
    faults: Vec<Fault>,
    done: Option<&'static str>,
    link: Option<String>,
    invited_email: String,
}

/// What an entry of the audit is called by people; others write entries too, which are shown by their own name.
fn action_text(action: &str) -> &'static str {
    match action {
        "organization.made" => "made this organization",
        "member.added" => "added a member",
        "member.removed" => "removed a member",
        "member.role_changed" => "changed a role",
        "invitation.made" => "invited somebody",
        "invitation.accepted" => "accepted an invitation",
        "invitation.revoked" => "took an invitation back",
        "connection.made" => "made a connection",
        "connection.renamed" => "renamed a connection",
        "connection.revoked" => "revoked a connection",
        "device.confirmed" => "let a device in",
        "device.denied" => "turned a device away",
        "workflow.saved" => "made a workflow",
        "workflow.revised" => "changed a workflow",
        "workflow.archived" => "archived a workflow",
        "workflow.taken_back" => "took a workflow back from the archive",
        "credits.given" => "gave credits",
        "run.approved" => "approved a result",
        "run.sent_back" => "sent a result back",
        "run.given_up" => "gave a result up",
        "webhook_secret.rotated" => "made a new webhook secret",
        "user.renamed" => "changed their name",
        "user.password_changed" => "changed a password",
        _ => "",
    }
}

async fn content(visit: &Visit, visitor: &Visitor, id: OrgId, extra: Extra) -> Result<Page, Refusal> {
    let (service, caller) = (&visit.service, &visitor.caller);
    let org = service.org(caller, id).await?;
    let is_admin = caller.role_in(id) == Some(Role::Admin);
    let name_of = |user: &UserId| {
        let member = org.members.iter().find(|member| member.user.id == *user);
        member.map_or_else(|| user.0.clone(), |member| member.user.email.clone())
    };
    let (mut invitations, mut connections, mut activity) = (Vec::new(), Shown::none(), Vec::new());
    if is_admin {
        let found = service.invitations(caller, id).await?;
        invitations.extend(found.into_iter().map(|invitation| InvitationLine {
            id: invitation.id.to_string(),
            email: invitation.email,
            role: role_text(invitation.role),
            expires: when(invitation.expires_at),
        }));
        connections = Shown::of(service.org_connections(caller, id, None, ASKED).await?, &[]);
        let found = service.audit(caller, id, None, ACTIVITY).await?;
        activity.extend(found.into_iter().map(|entry| {
            let subject = name_of(&UserId(entry.subject.clone()));
            let detail = |name: &str| entry.details.get(name).and_then(|value| value.as_str());
            let about = match detail("name").or_else(|| detail("email")).or_else(|| detail("client")) {
                Some(about) => about.to_owned(),
                None if entry.action.starts_with("member.") => subject,
                None => String::new(),
            };
            let known = action_text(&entry.action);
            ActivityLine {
                at: when(entry.at),
                who: entry.actor.as_ref().map_or_else(|| "The terminal".to_owned(), name_of),
                what: known,
                details: if known.is_empty() { entry.action } else { about },
            }
        }));
    }
    let members = org.members.into_iter().map(|member| {
        let names = [member.user.given_name, member.user.family_name];
        MemberLine {
            name: names.into_iter().flatten().collect::<Vec<_>>().join(" "),
            is_you: member.user.id == caller.user,
            id: member.user.id.0,
            email: member.user.email,
            role: role_text(member.role),
            is_admin: member.role == Role::Admin,
        }
    });
    Ok(Page {
        frame: visit.frame(extra.faults, extra.done),
        id,
        members: members.collect(),
        name: org.name,
        is_admin,
        invitations,
        connections,
        activity,
        link: extra.link,
        invited_email: extra.invited_email,
    })
}

async fn page(visit: &Visit, visitor: &Visitor, id: OrgId, extra: Extra) -> Response {
    match content(visit, visitor, id, extra).await {
        Ok(page) => visit.page(&page.frame, &page),
        Err(refusal) => visit.sorry(&refusal),
    }
}

/// Who is signed in, and the organization of that path.
async fn at(visit: &Visit, id: &str) -> Result<(Visitor, OrgId), Response> {
    let short: String = id.chars().take(40).collect();
    match id.parse::<OrgId>() {
        Ok(org) => match &visit.visitor {
            Some(visitor) => Ok((visitor.clone(), org)),
            None => Err(visit.to_login(&format!("/account/organizations/{org}"))),
        },
        Err(_) => Err(visit.sorry(&Refusal::missing(Thing::Org, short))),
    }
}

/// Shows an organization. Looking at it chooses nothing: that is what its form is for.
pub(super) async fn show(visit: Visit, Path(id): Path<String>, Query(query): Query) -> Response {
    let (visitor, org) = match at(&visit, &id).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let done = match query.get("done") {
        Some("role") => Some("The role was changed."),
        Some("removed") => Some("The member was removed, and what acted for them here was ended."),
        Some("withdrawn") => Some("The invitation was taken back."),
        Some("selected") => {
            Some("New devices act in this organization unless you choose another, or another one is named.")
        }
        Some("revoked") => Some("The connection was revoked."),
        Some("joined") => Some("Welcome: you belong to this organization now."),
        _ => None,
    };
    page(&visit, &visitor, org, Extra { done, ..Extra::default() }).await
}

/// Takes one of the page's forms; which one says its button.
pub(super) async fn change(visit: Visit, sign_in: SignInUrl, Path(id): Path<String>, body: Body) -> Response {
    let (visitor, org) = match at(&visit, &id).await {
        Ok(found) => found,
        Err(response) => return response,
    };
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(fault) => {
            return page(&visit, &visitor, org, Extra { faults: vec![fault], ..Extra::default() }).await;
        }
    };
    match act(&visit, &visitor, &sign_in, org, &form).await {
        Ok(Next::Go(done)) => visit.go(&format!("/account/organizations/{org}?done={done}")),
        Ok(Next::Left) => visit.go("/account?done=left"),
        Ok(Next::Link(link)) => {
            page(&visit, &visitor, org, Extra { link: Some(link), ..Extra::default() }).await
        }
        Err(refusal) => {
            let field = if form.get("action") == Some("invite") { "email" } else { "" };
            let extra = Extra {
                faults: vec![Fault::at(field, &refusal)],
                invited_email: form.get("email").unwrap_or_default().to_owned(),
                ..Extra::default()
            };
            page(&visit, &visitor, org, extra).await
        }
    }
}

/// Where a form leads.
enum Next {
    /// Back to the page, with this to say.
    Go(&'static str),
    /// To the account: they are no member any more.
    Left,
    /// To the page with a new invitation's link, which is shown once.
    Link(String),
}

async fn act(
    visit: &Visit,
    visitor: &Visitor,
    sign_in: &SignInUrl,
    org: OrgId,
    form: &Pairs,
) -> Result<Next, Refusal> {
    let (service, caller) = (&visit.service, &visitor.caller);
    let user = UserId(form.get("user").unwrap_or_default().to_owned());
    let role = || {
        form.get("role")
            .and_then(Role::parse)
            .ok_or_else(|| Refusal::Invalid("no role is chosen; choose one".to_owned()))
    };
    match form.get("action") {
        Some("role") => {
            service.set_role(caller, org, &user, role()?).await?;
            Ok(Next::Go("role"))
        }
        Some("remove") => {
            service.remove_member(caller, org, &user).await?;
            Ok(if user == caller.user { Next::Left } else { Next::Go("removed") })
        }
        Some("invite") => {
            let made = service.invite(caller, org, role()?, form.get("email")).await?;
            Ok(Next::Link(sign_in.link(&made)))
        }
        Some("withdraw") => {
            let id = form.get("invitation").unwrap_or_default();
            let id = id.parse().map_err(|_| Refusal::missing(Thing::Invitation, "of this form"))?;
            service.revoke_invitation(caller, org, id).await?;
            Ok(Next::Go("withdrawn"))
        }
        Some("select") => {
            service.select_org(visitor, org).await?;
            Ok(Next::Go("selected"))
        }
        _ => Err(Refusal::Invalid("the form does not say what to do; use the page's buttons".to_owned())),
    }
}
