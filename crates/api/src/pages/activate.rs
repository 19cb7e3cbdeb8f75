//! The page on which a person lets a device in.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use domain::access::Caller;
use domain::id::OrgId;
use service::Refusal;
use service::access::{Decision, DeviceRequest};

use super::organization::{OrgLine, org_lines};
use super::visit::{Fault, Frame, Visit, when};
use crate::form::Query;

const UNKNOWN_CODE: &str =
    "There is no open sign-in with this code. Compare it with your device; it may have expired.";
const CHOOSE_ORG: &str = "You are signed in. Choose the organization, and confirm.";

/// What the page shows.
enum Stage<'a> {
    /// A field for the code.
    AskForCode,
    /// The code to compare, and the sign-in.
    Compare(&'a DeviceRequest),
    /// The device is let in.
    Confirmed,
    /// The device is turned away.
    Denied,
}

#[derive(Template)]
#[template(path = "activate.html")]
struct Page<'a> {
    frame: Frame,
    stage: Stage<'a>,
    email: &'a str,
    typed_code: &'a str,
    /// Where the device may act for who is signed in.
    orgs: Vec<OrgLine>,
}

/// Shows the code to compare, or asks for it.
pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    match query.get("user_code") {
        None => page(&visit, Stage::AskForCode, None, "", "").await,
        Some(code) => compare(&visit, code, None, "").await,
    }
}

/// The page for that code; asks for another when there is no open sign-in with it.
async fn compare(visit: &Visit, code: &str, fault: Option<Fault>, email: &str) -> Response {
    match visit.service.device_request(code, visit.from).await {
        Ok(request) => page(visit, Stage::Compare(&request), fault, email, code).await,
        Err(refusal) => ask_again(visit, &refusal, code).await,
    }
}

async fn ask_again(visit: &Visit, refusal: &Refusal, code: &str) -> Response {
    let fault = Fault::at("user_code", refusal);
    let fault = match refusal {
        Refusal::Missing { .. } => fault.saying(UNKNOWN_CODE),
        _ => fault,
    };
    page(visit, Stage::AskForCode, Some(fault), "", code).await
}

/// Takes the decision.
pub(super) async fn decide(visit: Visit, body: Body) -> Response {
    let form = match visit.form(body).await {
        Ok(form) => form,
        Err(fault) => return page(&visit, Stage::AskForCode, Some(fault), "", "").await,
    };
    let code = form.get("user_code").unwrap_or_default();
    let email = form.get("email").unwrap_or_default();
    let signed_in = visit.visitor.as_ref().map(|visitor| visitor.caller.clone());
    let decision = match (form.get("decision"), signed_in) {
        (Some("deny"), Some(caller)) => Decision::DenyAs(caller),
        (Some("deny"), None) => Decision::Deny,
        (Some("confirm"), Some(caller)) => match chosen(&caller, form.get("org")) {
            Ok(org) => Decision::ConfirmAs(caller, org),
            Err(refusal) => return compare(&visit, code, Some(Fault::at("org", &refusal)), "").await,
        },
        (Some("confirm"), None) => {
            if let Err(refusal) = visit.service.device_request(code, visit.from).await {
                return ask_again(&visit, &refusal, code).await;
            }
            let password = form.get("password").unwrap_or_default();
            let caller = match visit.service.authenticate(email, password, visit.from).await {
                Ok(caller) => caller,
                Err(refusal @ Refusal::WrongPassword) => {
                    return compare(&visit, code, Some(Fault::at("password", &refusal)), email).await;
                }
                Err(refusal @ Refusal::TooManyTries { .. }) => {
                    return page(&visit, Stage::AskForCode, Some(Fault::from(&refusal)), "", code).await;
                }
                Err(refusal) => return compare(&visit, code, Some(Fault::from(&refusal)), email).await,
            };
            if caller.memberships.len() > 1 {
                return choose(visit, caller, code).await;
            }
            match chosen(&caller, None) {
                Ok(org) => Decision::ConfirmAs(caller, org),
                Err(refusal) => return compare(&visit, code, Some(Fault::from(&refusal)), email).await,
            }
        }
        _ => return compare(&visit, code, None, email).await,
    };
    let stage = match decision {
        Decision::ConfirmAs(..) | Decision::Confirm { .. } => Stage::Confirmed,
        Decision::DenyAs(_) | Decision::Deny => Stage::Denied,
    };
    match visit.service.decide_device(code, decision, visit.from).await {
        Ok(()) => page(&visit, stage, None, "", "").await,
        Err(refusal @ (Refusal::Missing { .. } | Refusal::TooManyTries { .. })) => {
            ask_again(&visit, &refusal, code).await
        }
        Err(refusal) => compare(&visit, code, Some(Fault::from(&refusal)), email).await,
    }
}

/// The organization that was chosen, or the one there is.
fn chosen(caller: &Caller, org: Option<&str>) -> Result<OrgId, Refusal> {
    let chosen = match org {
        Some(org) => org.parse().ok().filter(|org| caller.belongs_to(*org)),
        None => caller.default_org(),
    };
    chosen.ok_or_else(|| {
        Refusal::NotAllowed("you belong to no such organization; ask an administrator to add you".to_owned())
    })
}

/// Somebody who has just signed in, and belongs to several organizations, says for which one the device is.
async fn choose(mut visit: Visit, caller: Caller, code: &str) -> Response {
    match visit.service.open_session(caller).await {
        Ok(visitor) => visit.enter(visitor),
        Err(refusal) => return visit.sorry(&refusal),
    }
    match visit.service.device_request(code, visit.from).await {
        Ok(request) => {
            let orgs = orgs_of(&visit).await;
            let frame = visit.frame(Vec::new(), Some(CHOOSE_ORG));
            let page = Page { frame, stage: Stage::Compare(&request), email: "", typed_code: code, orgs };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => ask_again(&visit, &refusal, code).await,
    }
}

async fn orgs_of(visit: &Visit) -> Vec<OrgLine> {
    match &visit.visitor {
        // Without the names the device is let into the organization the person looks at.
        Some(visitor) => org_lines(&visit.service, &visitor.caller).await.unwrap_or_default(),
        None => Vec::new(),
    }
}

async fn page(
    visit: &Visit,
    stage: Stage<'_>,
    fault: Option<Fault>,
    email: &str,
    typed_code: &str,
) -> Response {
    let orgs = orgs_of(visit).await;
    let page = Page { frame: visit.frame(fault.into_iter().collect(), None), stage, email, typed_code, orgs };
    visit.page(&page.frame, &page)
}
