//! What was done in an organization, and by whom.

use axum::extract::State;
use domain::audit::AuditEntry;
use serde::Serialize;
use serde_json::Value;
use service::Service;
use utoipa::ToSchema;

use super::asker::{Asker, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::Problem;

/// One thing that was done.
#[derive(Serialize, ToSchema)]
#[schema(as = AuditEntry)]
pub(crate) struct AuditView {
    /// Its id, a UUID.
    id: String,
    /// When.
    at: String,
    /// Who did it; null for somebody at the server's terminal.
    actor: Option<String>,
    /// What was done.
    #[schema(example = "member.removed")]
    action: String,
    /// To what: an id.
    subject: String,
    /// More about it.
    #[schema(value_type = Object)]
    details: Value,
}

impl From<AuditEntry> for AuditView {
    fn from(entry: AuditEntry) -> Self {
        Self {
            id: entry.id.to_string(),
            at: entry.at.to_string(),
            actor: entry.actor.map(|user| user.0),
            action: entry.action,
            subject: entry.subject,
            details: entry.details,
        }
    }
}

/// Lists what was done in an organization, newest first; for administrators.
#[utoipa::path(
    get,
    path = "/audit",
    tag = "People",
    operation_id = "list_audit",
    params(OrgParam, PageParams),
    responses((status = 200, description = "A page of what was done.", body = PageView<AuditView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    paging: Paging,
) -> Result<Listing<AuditView>, Problem> {
    let org = service.one_org(&caller, &choice)?;
    let entries = service.audit(&caller, org, paging.after()?, paging.ask()).await?;
    Ok(paging.part(entries, |entry| entry.id.to_string(), AuditView::from))
}
