//! One's own connections: devices and programs that act for one.

use askama::Template;
use axum::body::Body;
use axum::response::Response;
use domain::access::{ConnectionKind, ListedConnection};
use domain::id::ConnectionId;
use service::Refusal;
use service::access::{DeviceStart, GrantRefusal, Visitor};

use super::organization::{OrgLine, org_lines};
use super::visit::{Fault, Frame, Visit, when};
use crate::form::{Pairs, Query};

const HERE: &str = "/account/connections";
const NOT_YET: &str = "This connection is not confirmed yet. Confirm it first, then come back here.";

/// Connections that a page shows.
const SHOWN_MAX: u32 = 500;

/// How many to ask for: one more than are shown, to know whether there are more.
pub(super) const ASKED: u32 = SHOWN_MAX + 1;

/// The connections of a page, the newest of them if there are [too many](ASKED).
pub(super) struct Shown {
    pub(super) lines: Vec<ConnectionLine>,
    /// How many are shown of more; `None` when all are.
    pub(super) newest: Option<u32>,
}

impl Shown {
    pub(super) fn of(mut found: Vec<ListedConnection>, orgs: &[OrgLine]) -> Self {
        let newest = (found.len() > SHOWN_MAX as usize).then_some(SHOWN_MAX);
        found.truncate(SHOWN_MAX as usize);
        Self { lines: found.into_iter().map(|one| connection_line(one, orgs)).collect(), newest }
    }

    /// None: what somebody is shown who may not see any.
    pub(super) const fn none() -> Self {
        Self { lines: Vec::new(), newest: None }
    }
}

/// A connection as a page shows it.
pub(super) struct ConnectionLine {
    pub(super) id: ConnectionId,
    pub(super) name: String,
    /// What it is, in a word or two.
    pub(super) kind: &'static str,
    /// Whom it acts for.
    pub(super) user: String,
    /// Where.
    pub(super) org: String,
    pub(super) created: String,
    pub(super) last_used: Option<String>,
}

fn connection_line(connection: ListedConnection, orgs: &[OrgLine]) -> ConnectionLine {
    let org = orgs.iter().find(|org| org.id == connection.org);
    ConnectionLine {
        id: connection.id,
        name: connection.name,
        kind: match connection.kind {
            ConnectionKind::Device => "Device",
            ConnectionKind::Credential => "Credentials from the terminal",
            ConnectionKind::ApiKey => "API key",
        },
        user: connection.user.email,
        org: org.map(|org| org.name.clone()).unwrap_or_default(),
        created: when(connection.created_at),
        last_used: connection.last_used_at.map(when),
    }
}

/// What a connection's holder is shown, once.
enum Secrets {
    Tokens { refresh_token: String, access_token: String },
    ApiKey(String),
}

#[derive(Template)]
#[template(path = "connections.html")]
struct Listing<'a> {
    frame: Frame,
    connections: Shown,
    orgs: Vec<OrgLine>,
    name: &'a str,
    key_name: &'a str,
}

#[derive(Template)]
#[template(path = "connection_confirm.html")]
struct Confirm<'a> {
    frame: Frame,
    name: &'a str,
    device_code: &'a str,
    user_code: &'a str,
}

#[derive(Template)]
#[template(path = "connection_made.html")]
struct Made<'a> {
    frame: Frame,
    name: &'a str,
    secrets: Secrets,
}

async fn listing(
    visit: &Visit,
    visitor: &Visitor,
    faults: Vec<Fault>,
    done: Option<&'static str>,
    (name, key_name): (&str, &str),
) -> Response {
    let listed = async {
        let orgs = org_lines(&visit.service, &visitor.caller).await?;
        let own = visit.service.own_connections(&visitor.caller, None, None, ASKED).await?;
        Ok::<_, Refusal>((Shown::of(own, &orgs), orgs))
    };
    match listed.await {
        Ok((connections, orgs)) => {
            let page = Listing { frame: visit.frame(faults, done), connections, orgs, name, key_name };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => visit.sorry(&refusal),
    }
}

/// Lists them.
pub(super) async fn show(visit: Visit, Query(query): Query) -> Response {
    let Some(visitor) = visit.visitor.clone() else {
        return visit.to_login(HERE);
    };
    let done = match query.get("done") {
        Some("renamed") => Some("The connection was renamed."),
        Some("revoked") => Some("The connection was revoked."),
        _ => None,
    };
    listing(&visit, &visitor, Vec::new(), done, ("", "")).await
}

/// Who is signed in and what they sent, or the answer that says why not.
async fn sent(visit: &Visit, body: Body) -> Result<(Visitor, Pairs), Response> {
    let visitor = visit.visitor.clone().ok_or_else(|| visit.to_login(HERE))?;
    match visit.form(body).await {
        Ok(form) => Ok((visitor, form)),
        Err(fault) => Err(listing(visit, &visitor, vec![fault], None, ("", "")).await),
    }
}

/// Begins a new one: the same sign-in as a device's.
pub(super) async fn begin(visit: Visit, body: Body) -> Response {
    let (visitor, form) = match sent(&visit, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let name = form.get("name").unwrap_or_default();
    match visit.service.begin_connection(&visitor.caller, name).await {
        Ok(DeviceStart { device_code, user_code, .. }) => {
            let frame = visit.frame(Vec::new(), None);
            let page = Confirm { frame, name, device_code: &device_code, user_code: &user_code };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => {
            let fault = Fault::at("name", &as_refusal(refusal));
            listing(&visit, &visitor, vec![fault], None, (name, "")).await
        }
    }
}

fn as_refusal(refusal: GrantRefusal) -> Refusal {
    match refusal {
        GrantRefusal::Refused(refusal) => refusal,
        other => Refusal::Invalid(other.to_string()),
    }
}

/// Shows the tokens of a new one, once, after it was confirmed.
pub(super) async fn finish(visit: Visit, body: Body) -> Response {
    let (visitor, form) = match sent(&visit, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let field = |name| form.get(name).unwrap_or_default();
    let (name, device_code, user_code) = (field("name"), field("device_code"), field("user_code"));
    match visit.service.finish_connection(&visitor.caller, device_code, name).await {
        Ok(tokens) => {
            let secrets = Secrets::Tokens {
                refresh_token: tokens.refresh_token.unwrap_or_default(),
                access_token: tokens.access_token,
            };
            let page = Made { frame: visit.frame(Vec::new(), None), name, secrets };
            visit.page(&page.frame, &page)
        }
        Err(GrantRefusal::Pending | GrantRefusal::SlowDown) => {
            let frame = visit.frame(vec![Fault::of("", NOT_YET)], None);
            let page = Confirm { frame, name, device_code, user_code };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => {
            let fault = Fault::from(&as_refusal(refusal));
            listing(&visit, &visitor, vec![fault], None, (name, "")).await
        }
    }
}

/// Makes an API key and shows it once.
pub(super) async fn make_key(visit: Visit, body: Body) -> Response {
    let (visitor, form) = match sent(&visit, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let name = form.get("key_name").unwrap_or_default();
    let org = form.get("org").and_then(|org| org.parse().ok()).or_else(|| visitor.caller.default_org());
    let made = match org {
        Some(org) => visit.service.make_api_key(&visitor.caller, org, name).await,
        None => Err(Refusal::NotAllowed("you belong to no organization; ask for an invitation".to_owned())),
    };
    match made {
        Ok(made) => {
            let frame = visit.frame(Vec::new(), None);
            let page = Made { frame, name, secrets: Secrets::ApiKey(made.api_key) };
            visit.page(&page.frame, &page)
        }
        Err(refusal) => {
            listing(&visit, &visitor, vec![Fault::at("key_name", &refusal)], None, ("", name)).await
        }
    }
}

fn id_of(form: &Pairs) -> Result<ConnectionId, Refusal> {
    let id = form.get("connection").unwrap_or_default();
    id.parse()
        .map_err(|_| Refusal::missing(service::Thing::Connection, id.chars().take(40).collect::<String>()))
}

/// Renames one.
pub(super) async fn rename(visit: Visit, body: Body) -> Response {
    let (visitor, form) = match sent(&visit, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let renamed = match id_of(&form) {
        Ok(id) => {
            let name = form.get("name").unwrap_or_default();
            visit.service.rename_connection(&visitor.caller, id, name).await
        }
        Err(refusal) => Err(refusal),
    };
    match renamed {
        Ok(()) => visit.go("/account/connections?done=renamed"),
        Err(refusal) => listing(&visit, &visitor, vec![Fault::from(&refusal)], None, ("", "")).await,
    }
}

/// Revokes one: one's own, or as an administrator from the organization's page.
pub(super) async fn revoke(visit: Visit, body: Body) -> Response {
    let (visitor, form) = match sent(&visit, body).await {
        Ok(sent) => sent,
        Err(response) => return response,
    };
    let revoked = match id_of(&form) {
        Ok(id) => visit.service.end_connection(&visitor.caller, id).await,
        Err(refusal) => Err(refusal),
    };
    match revoked {
        Ok(()) => match form.get("org").and_then(|org| org.parse::<domain::id::OrgId>().ok()) {
            Some(org) => visit.go(&format!("/account/organizations/{org}?done=revoked")),
            None => visit.go("/account/connections?done=revoked"),
        },
        Err(refusal) => listing(&visit, &visitor, vec![Fault::from(&refusal)], None, ("", "")).await,
    }
}
