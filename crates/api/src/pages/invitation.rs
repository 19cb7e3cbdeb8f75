//! The page a link of invitation leads to.

use askama::Template;
use axum::body::Body;
use axum::extract::Path;
use axum::response::Response;
use service::Refusal;
use service::access::{InvitationView, NewAccount, PASSWORD_CHARS_MIN, email_fault, password_fault};

use super::organization::role_text;
use super::visit::{Fault, Frame, Visit, when};

const GONE: &str = "This invitation was used before, was taken back or has expired. Ask for a new one.";

#[derive(Template)]
#[template(path = "invitation.html")]
struct Page<'a> {
    frame: Frame,
    invitation: &'a InvitationView,
    role: &'static str,
    secret: &'a str,
    account: &'a NewAccount,
    password_min: usize,
}

fn no_account() -> NewAccount {
    let empty = String::new;
    NewAccount { email: empty(), given_name: empty(), family_name: empty(), password: empty() }
}

async fn page(visit: &Visit, secret: &str, faults: Vec<Fault>, account: &NewAccount) -> Response {
    match visit.service.invitation(secret, visit.from).await {
        Ok(invitation) => {
            let page = Page {
                frame: visit.frame(faults, None),
                role: role_text(invitation.role),
                invitation: &invitation,
                secret,
                account,
                password_min: PASSWORD_CHARS_MIN,
            };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => gone(visit, &refusal),
    }
}

fn gone(visit: &Visit, refusal: &Refusal) -> Response {
    let fault = Fault::from(refusal);
    visit.sorry_for(match refusal {
        Refusal::Missing { .. } => fault.saying(GONE),
        _ => fault,
    })
}

/// Says who invites where, and offers to join.
pub(super) async fn show(visit: Visit, Path(secret): Path<String>) -> Response {
    page(&visit, &secret, Vec::new(), &no_account()).await
}

/// Joins: as who is signed in, or with a new account.
pub(super) async fn accept(mut visit: Visit, Path(secret): Path<String>, body: Body) -> Response {
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(fault) => return page(&visit, &secret, vec![fault], &no_account()).await,
    };
    if let Some(visitor) = visit.visitor.clone() {
        return match visit.service.accept_invitation(&visitor.caller, &secret, visit.from).await {
            Ok(org) => visit.go(&format!("/account/organizations/{org}?done=joined")),
            Err(refusal @ Refusal::Missing { .. }) => gone(&visit, &refusal),
            Err(refusal) => page(&visit, &secret, vec![Fault::from(&refusal)], &no_account()).await,
        };
    }
    let field = |name| form.get(name).unwrap_or_default().to_owned();
    let mut account = NewAccount {
        email: field("email"),
        given_name: field("given_name"),
        family_name: field("family_name"),
        password: field("new_password"),
    };
    let mut faults = Vec::new();
    if let Some(text) = email_fault(account.email.trim()) {
        faults.push(Fault::of("email", &text));
    }
    if let Some(text) = password_fault(&account.password, &account.email) {
        faults.push(Fault::of("new_password", &text));
    }
    if faults.is_empty() {
        match visit.service.accept_invitation_as_new(&secret, &account, visit.from).await {
            Ok(visitor) => {
                let org = visitor.caller.selected;
                visit.enter(visitor);
                return visit.go(&match org {
                    Some(org) => format!("/account/organizations/{org}?done=joined"),
                    None => "/account".to_owned(),
                });
            }
            Err(refusal @ Refusal::Missing { .. }) => return gone(&visit, &refusal),
            Err(refusal @ (Refusal::Conflict(_) | Refusal::NotAllowed(_))) => {
                faults.push(Fault::at("email", &refusal));
            }
            Err(refusal) => faults.push(Fault::from(&refusal)),
        }
    }
    account.password.clear();
    page(&visit, &secret, faults, &account).await
}
