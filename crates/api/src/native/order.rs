//! Orders: runs that their owner counts together.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use domain::batch::Batch;
use serde::Serialize;
use service::Service;
use utoipa::ToSchema;

use super::archive;
use super::asker::{Asker, Named, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::Problem;

/// An order.
#[derive(Serialize, ToSchema)]
#[schema(as = Order)]
pub(crate) struct OrderView {
    /// Its id: whatever its owner chose.
    id: String,
    /// The organization it belongs to.
    organization_id: String,
    /// Its name for people; empty if none was given.
    name: String,
    /// `working`, `in_review`, `unpaid`, `incomplete` or `complete`: rolled up from its runs.
    state: &'static str,
    /// Who asked for its earliest run.
    author_id: String,
    /// When it was made.
    created_at: String,
    /// The workflow of its earliest run.
    workflow_id: String,
    /// That workflow's name at the time.
    workflow_name: String,
    /// Runs in it.
    run_count: u64,
    /// How many of them are in each status.
    counts: BTreeMap<&'static str, u64>,
    /// Credits charged for them.
    charged: u64,
}

impl From<Batch> for OrderView {
    fn from(batch: Batch) -> Self {
        Self {
            state: batch.state().as_str(),
            organization_id: batch.org.to_string(),
            author_id: batch.author.0,
            created_at: batch.created_at.to_string(),
            workflow_id: batch.workflow.to_string(),
            run_count: batch.runs,
            counts: batch.counts.iter().map(|(status, count)| (status.as_str(), count)).collect(),
            charged: batch.charged,
            id: batch.id,
            name: batch.name,
            workflow_name: batch.workflow_name,
        }
    }
}

/// Lists an organization's orders, newest first.
#[utoipa::path(
    get,
    path = "/orders",
    tag = "Orders",
    operation_id = "list_orders",
    params(OrgParam, PageParams),
    responses((status = 200, description = "A page of orders.", body = PageView<OrderView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    paging: Paging,
) -> Result<Listing<OrderView>, Problem> {
    let after = paging.after::<String>()?;
    let batches = service.batches_before(&caller, &choice, after.as_deref(), paging.ask()).await?;
    Ok(paging.part(batches, |batch| batch.id.clone(), OrderView::from))
}

/// Shows one order.
#[utoipa::path(
    get,
    path = "/orders/{order_id}",
    tag = "Orders",
    operation_id = "get_order",
    params(("order_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 200, description = "The order.", body = OrderView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<Json<OrderView>, Problem> {
    Ok(Json(service.batch(&caller, &choice, &named.0).await?.into()))
}

/// Sends the results of an order as one ZIP file: every image that succeeded so far, and `manifest.csv` and
/// `manifest.json` about every run.
#[utoipa::path(
    get,
    path = "/orders/{order_id}/results.zip",
    tag = "Orders",
    operation_id = "download_order_results",
    params(("order_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 200, description = "The ZIP file.", body = Vec<u8>, content_type = "application/zip"))
)]
pub(crate) async fn results(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<Response, Problem> {
    let batch = service.batch(&caller, &choice, &named.0).await?;
    archive::of_order(&service, &caller, &choice, &batch).await
}
