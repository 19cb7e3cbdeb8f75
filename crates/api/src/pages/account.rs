//! One's own name, password and organizations.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use domain::access::User;
use service::Refusal;
use service::access::{PASSWORD_CHARS_MIN, Visitor, password_fault};

use super::organization::{OrgLine, org_lines};
use super::visit::{Fault, Frame, Visit};
use crate::form::Query;

const HERE: &str = "/account";

#[derive(Template)]
#[template(path = "account.html")]
struct Page {
    frame: Frame,
    user: User,
    orgs: Vec<OrgLine>,
    password_min: usize,
}

async fn page(visit: &Visit, visitor: Visitor, faults: Vec<Fault>, done: Option<&'static str>) -> Response {
    match org_lines(&visit.service, &visitor.caller).await {
        Ok(orgs) => {
            let frame = visit.frame(faults, done);
            let page = Page { frame, user: visitor.user, orgs, password_min: PASSWORD_CHARS_MIN };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => visit.sorry(&refusal),
    }
}

/// Shows the account.
pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    let Some(visitor) = visit.visitor.clone() else {
        return visit.to_login(HERE);
    };
    let done = match query.get("done") {
        Some("profile") => Some("Your name was saved."),
        Some("password") => Some("Your password was changed. Other browsers were signed out."),
        Some("sessions") => Some("Other browsers were signed out."),
        Some("left") => Some("You have left the organization."),
        _ => None,
    };
    page(&visit, visitor, Vec::new(), done).await
}

/// Saves the names.
pub(super) async fn save_profile(visit: Visit, body: Body) -> Response {
    let Some(visitor) = visit.visitor.clone() else {
        return visit.to_login(HERE);
    };
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(fault) => return page(&visit, visitor, vec![fault], None).await,
    };
    let name = |field| form.get(field).unwrap_or_default();
    let saved = visit.service.set_profile(&visitor.caller, name("given_name"), name("family_name")).await;
    match saved {
        Ok(()) => visit.go("/account?done=profile"),
        Err(refusal) => page(&visit, visitor, vec![Fault::at("given_name", &refusal)], None).await,
    }
}

/// Changes the password.
pub(super) async fn change_password(visit: Visit, body: Body) -> Response {
    let Some(visitor) = visit.visitor.clone() else {
        return visit.to_login(HERE);
    };
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(fault) => return page(&visit, visitor, vec![fault], None).await,
    };
    let (old, new) = (form.get("password").unwrap_or_default(), form.get("new_password").unwrap_or_default());
    if let Some(text) = password_fault(new, &visitor.user.email) {
        return page(&visit, visitor, vec![Fault::of("new_password", &text)], None).await;
    }
    match visit.service.change_password(&visitor, old, new).await {
        Ok(()) => visit.go("/account?done=password"),
        Err(refusal @ Refusal::WrongPassword) => {
            let fault = Fault::at("password", &refusal).saying("The present password is wrong; try again.");
            page(&visit, visitor, vec![fault], None).await
        }
        Err(refusal) => page(&visit, visitor, vec![Fault::from(&refusal)], None).await,
    }
}

/// Signs every other browser out.
pub(super) async fn sign_out_elsewhere(visit: Visit, body: Body) -> Response {
    let Some(visitor) = visit.visitor.clone() else {
        return visit.to_login(HERE);
    };
    if let Err(fault) = visit.form(body).await {
        return page(&visit, visitor, vec![fault], None).await;
    }
    match visit.service.sign_out_elsewhere(&visitor).await {
        Ok(_) => visit.go("/account?done=sessions"),
        Err(refusal) => page(&visit, visitor, vec![Fault::from(&refusal)], None).await,
    }
}
