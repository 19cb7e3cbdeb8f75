//! Credits: the balance, the ledger, top-ups.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::ledger::Entry;
use serde::{Deserialize, Serialize};
use service::Service;
use utoipa::ToSchema;

use super::asker::{Asker, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::Problem;
use super::repeat::Seed;
use super::sent::Sent;

/// The credits an organization has.
#[derive(Serialize, ToSchema)]
#[schema(as = Credits)]
pub(crate) struct CreditsView {
    /// The organization's id.
    organization_id: String,
    /// Credits; never negative. One credit is one euro cent before tax.
    balance: i64,
}

/// One movement of credits.
#[derive(Serialize, ToSchema)]
#[schema(as = CreditEntry)]
pub(crate) struct EntryView {
    /// Its id.
    id: String,
    /// `grant`, `charge` or `refund`.
    kind: &'static str,
    /// Credits in (positive) or out (negative).
    amount: i64,
    /// The balance after it.
    balance: i64,
    /// The run it is for, unless it is a grant.
    run_id: Option<String>,
    /// Who gave them, where a person did.
    by: Option<String>,
    /// What for, in their words.
    note: String,
    /// When.
    at: String,
}

impl From<Entry> for EntryView {
    fn from(entry: Entry) -> Self {
        Self {
            id: entry.id.to_string(),
            kind: entry.kind.as_str(),
            amount: entry.amount,
            balance: entry.balance,
            run_id: entry.run.map(|run| run.to_string()),
            by: entry.by.map(|user| user.0),
            note: entry.note,
            at: entry.at.to_string(),
        }
    }
}

/// Credits to be given.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewGrant)]
#[serde(deny_unknown_fields)]
pub(crate) struct GrantBody {
    /// How many, from 1.
    amount: u32,
    /// What for.
    #[serde(default)]
    note: String,
}

/// Credits that were given.
#[derive(Serialize, ToSchema)]
#[schema(as = Grant)]
pub(crate) struct GrantView {
    /// The ledger entry's id.
    entry_id: String,
    /// Credits given.
    amount: u32,
    /// The balance after it.
    balance: i64,
}

/// Shows the credits an organization has.
#[utoipa::path(
    get,
    path = "/credits",
    tag = "Credits",
    operation_id = "get_credits",
    params(OrgParam),
    responses((status = 200, description = "The credits.", body = CreditsView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
) -> Result<Json<CreditsView>, Problem> {
    let organization_id = service.one_org(&caller, &choice)?.to_string();
    let balance = service.balance(&caller, &choice).await?;
    Ok(Json(CreditsView { organization_id, balance }))
}

/// Lists the ledger's entries, newest first.
#[utoipa::path(
    get,
    path = "/credits/entries",
    tag = "Credits",
    operation_id = "list_credit_entries",
    params(OrgParam, PageParams),
    responses((status = 200, description = "A page of entries.", body = PageView<EntryView>))
)]
pub(crate) async fn entries(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    paging: Paging,
) -> Result<Listing<EntryView>, Problem> {
    let entries = service.entries_before(&caller, &choice, paging.after()?, paging.ask()).await?;
    Ok(paging.part(entries, |entry| entry.id.to_string(), EntryView::from))
}

/// Gives an organization credits; for administrators.
#[utoipa::path(
    post,
    path = "/credits/grants",
    tag = "Credits",
    operation_id = "grant_credits",
    params(OrgParam),
    request_body = GrantBody,
    responses((status = 201, description = "They are given.", body = GrantView))
)]
pub(crate) async fn grant(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Seed(seed): Seed,
    Sent(body): Sent<GrantBody>,
) -> Result<(StatusCode, Json<GrantView>), Problem> {
    let (entry, balance) = service.top_up(&caller, &choice, body.amount, &body.note, seed).await?;
    let view = GrantView { entry_id: entry.to_string(), amount: body.amount, balance };
    Ok((StatusCode::CREATED, Json(view)))
}
