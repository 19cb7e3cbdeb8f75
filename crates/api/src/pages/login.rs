//! Signing in with a browser, and out again.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use service::Refusal;

use super::visit::{Fault, Frame, Visit, own_path};
use crate::form::{Pairs, Query};

#[derive(Template)]
#[template(path = "login.html")]
struct Page<'a> {
    frame: Frame,
    email: &'a str,
    next: &'a str,
}

fn next_of(pairs: &Pairs) -> &str {
    pairs.get("next").and_then(own_path).unwrap_or("/account")
}

fn page(visit: &Visit, faults: Vec<Fault>, email: &str, next: &str) -> Response {
    let page = Page { frame: visit.frame(faults, None), email, next };
    visit.page(&page.frame, &page)
}

/// Asks for name and password; whoever is signed in already goes on.
pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    match visit.visitor {
        Some(_) => visit.go(next_of(&query)),
        None => page(&visit, Vec::new(), "", next_of(&query)),
    }
}

/// Signs in. The session is a new one, whatever the browser brought along.
pub(super) async fn sign_in(mut visit: Visit, body: Body) -> Response {
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(fault) => return page(&visit, vec![fault], "", "/account"),
    };
    let (email, next) = (form.get("email").unwrap_or_default(), next_of(&form));
    let password = form.get("password").unwrap_or_default();
    match visit.service.sign_in(email, password, visit.from).await {
        Ok(visitor) => {
            if let Some(before) = visit.visitor.take()
                && let Err(refusal) = visit.service.sign_out(before.secret()).await
            {
                return visit.sorry(&refusal);
            }
            visit.enter(visitor);
            visit.go(next)
        }
        Err(refusal @ Refusal::WrongPassword) => {
            page(&visit, vec![Fault::at("password", &refusal)], email, next)
        }
        Err(refusal) => page(&visit, vec![Fault::from(&refusal)], email, next),
    }
}

/// Signs out.
pub(super) async fn sign_out(mut visit: Visit, body: Body) -> Response {
    let Some(visitor) = visit.visitor.clone() else {
        return visit.go("/login");
    };
    if let Err(fault) = visit.form(body).await {
        return visit.sorry_for(fault);
    }
    if let Err(refusal) = visit.service.sign_out(visitor.secret()).await {
        return visit.sorry(&refusal);
    }
    visit.leave();
    visit.go("/login")
}
