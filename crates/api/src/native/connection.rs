//! Connections: devices and keys that act for people.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::access::{ListedConnection, Scopes};
use serde::{Deserialize, Serialize};
use service::access::{KeyDraft, KeyFormat};
use service::{OrgChoice, Service, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, Named, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::{Fault, Problem};
use super::sent::Sent;
use crate::form::Query;
use crate::repeat::ShownOnce;

/// A device or key that acts for somebody.
#[derive(Serialize, ToSchema)]
#[schema(as = Connection)]
pub(crate) struct ConnectionView {
    /// Its id, a UUID.
    id: String,
    /// `device`, `credential` or `api_key`.
    kind: &'static str,
    /// Its name.
    name: String,
    /// For whom it acts.
    user_id: String,
    /// Their sign-in name.
    user_email: String,
    /// Where it acts: its API key nowhere else, its access tokens unless another organization of yours is named.
    organization_id: String,
    /// When it was made.
    created_at: String,
    /// When it was last used, to the minute.
    last_used_at: Option<String>,
    /// What it is limited to, as `runs:read`; null if it may do whatever its user may.
    scopes: Option<Vec<String>>,
}

impl From<ListedConnection> for ConnectionView {
    fn from(connection: ListedConnection) -> Self {
        Self {
            id: connection.id.to_string(),
            kind: connection.kind.as_str(),
            name: connection.name,
            user_id: connection.user.id.0,
            user_email: connection.user.email,
            organization_id: connection.org.to_string(),
            created_at: connection.created_at.to_string(),
            last_used_at: connection.last_used_at.map(|at| at.to_string()),
            scopes: match Scopes::of(&connection.scope) {
                Scopes::All => None,
                Scopes::Only(named) => Some(named.into_iter().collect()),
            },
        }
    }
}

/// The name of a connection.
#[derive(Deserialize, ToSchema)]
#[schema(as = ConnectionName)]
#[serde(deny_unknown_fields)]
pub(crate) struct NameBody {
    /// Its name.
    name: String,
}

/// An API key to be made.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewApiKey)]
#[serde(deny_unknown_fields)]
pub(crate) struct KeyBody {
    /// Its name.
    name: String,
    /// How it begins: `packshot` (`pk_`, if nothing is said), `live` (`rf_live_`), or `service` (`rf_svc_`, which starts no
    /// work).
    key_format: Option<String>,
    /// What it is limited to, as `runs:read`; left out, it may do whatever you may.
    scopes: Option<Vec<String>>,
}

impl KeyBody {
    fn read(self) -> Result<KeyDraft, Problem> {
        let format = match self.key_format.as_deref() {
            None => KeyFormat::default(),
            Some(name) => KeyFormat::parse(name).ok_or_else(|| {
                let text = "`key_format` is none of packshot, live, service";
                Problem::invalid(vec![Fault::at("/key_format", text)])
            })?,
        };
        Ok(KeyDraft { name: self.name, format, scopes: self.scopes })
    }
}

/// An API key just made.
#[derive(Serialize, ToSchema)]
#[schema(as = MadeApiKey)]
pub(crate) struct MadeView {
    /// The connection's id.
    id: String,
    /// The key; shown this once.
    api_key: String,
}

/// Lists connections that are not revoked, newest first: your own, or for administrators everybody's.
#[utoipa::path(
    get,
    path = "/connections",
    tag = "People",
    operation_id = "list_connections",
    params(
        ("of" = Option<String>, Query, description = "`me` for your own, in all your organizations unless one is named; `all` for everybody's in the organization."),
        OrgParam,
        PageParams,
    ),
    responses((status = 200, description = "A page of connections.", body = PageView<ConnectionView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    paging: Paging,
) -> Result<Listing<ConnectionView>, Problem> {
    let (before, limit) = (paging.after()?, paging.ask());
    let found = match query.get("of") {
        None | Some("me") => {
            let named = choice != OrgChoice::Unnamed;
            let org = named.then(|| service.one_org(&caller, &choice)).transpose()?;
            service.own_connections(&caller, org, before, limit).await?
        }
        Some("all") => {
            let org = service.one_org(&caller, &choice)?;
            service.org_connections(&caller, org, before, limit).await?
        }
        Some(_) => {
            return Err(Problem::invalid(vec![Fault::parameter("of", "`of` is neither `me` nor `all`")]));
        }
    };
    Ok(paging.part(found, |connection| connection.id.to_string(), ConnectionView::from))
}

/// Makes an API key that acts for you in the organization and in no other; the key is shown once.
#[utoipa::path(
    post,
    path = "/connections",
    tag = "People",
    operation_id = "create_api_key",
    params(OrgParam),
    request_body = KeyBody,
    responses((status = 201, description = "The key.", body = MadeView))
)]
pub(crate) async fn create(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Sent(body): Sent<KeyBody>,
) -> Result<ShownOnce<(StatusCode, Json<MadeView>)>, Problem> {
    let org = service.one_org(&caller, &choice)?;
    let made = service.make_api_key(&caller, org, body.read()?).await?;
    let view = MadeView { id: made.connection.to_string(), api_key: made.api_key };
    Ok(ShownOnce((StatusCode::CREATED, Json(view))))
}

/// Renames a connection: your own, or as an administrator.
#[utoipa::path(
    patch,
    path = "/connections/{connection_id}",
    tag = "People",
    operation_id = "rename_connection",
    params(("connection_id" = String, Path, description = "Its id.")),
    request_body = NameBody,
    responses((status = 204, description = "It has that name."))
)]
pub(crate) async fn rename(
    State(service): State<Service>,
    Asker { caller, .. }: Asker,
    named: Named,
    Sent(body): Sent<NameBody>,
) -> Result<StatusCode, Problem> {
    service.rename_connection(&caller, named.id(Thing::Connection)?, &body.name).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Revokes a connection: your own, or as an administrator.
#[utoipa::path(
    delete,
    path = "/connections/{connection_id}",
    tag = "People",
    operation_id = "revoke_connection",
    params(("connection_id" = String, Path, description = "Its id.")),
    responses((status = 204, description = "Its secrets are worth nothing any more."))
)]
pub(crate) async fn revoke(
    State(service): State<Service>,
    Asker { caller, .. }: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    service.end_connection(&caller, named.id(Thing::Connection)?).await?;
    Ok(StatusCode::NO_CONTENT)
}
