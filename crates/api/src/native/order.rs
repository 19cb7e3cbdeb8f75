//! Orders: runs that their owner counts together.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::header::LOCATION;
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use domain::batch::Batch;
use domain::grouping::Pattern;
use domain::image::FileName;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::{BatchDraft, BatchField, Service, Thing};
use utoipa::ToSchema;

use super::ROOT;
use super::archive;
use super::asker::{Asker, Named, OrgParam};
use super::page::{FilterParams, Listing, PageParams, PageView, Paging};
use super::problem::{Fault, Problem};
use super::repeat::Seed;
use super::sent::Sent;
use crate::listing::list_fields;

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

/// What to order.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewOrder)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderBody {
    /// The workflow.
    workflow_id: String,
    /// Its version; the latest unless given.
    version_id: Option<String>,
    /// The order's id, if you have one for it; more may be added to an order there is already.
    id: Option<String>,
    /// Its name for people.
    #[serde(default)]
    name: String,
    /// The images, uploaded before: 1 to 50,000.
    images: Vec<OrderedImage>,
    /// Which of them go into one result; for a workflow with a `combine` step. Without it each has a result of its own.
    group_by: Option<GroupBy>,
    /// Your own words on every run.
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Settings for these runs alone, keyed by step label or component.
    #[schema(value_type = Option<Object>)]
    overrides: Option<Map<String, Value>>,
    /// Where to tell of each run's end.
    #[serde(default)]
    webhooks: Vec<String>,
}

/// An uploaded image.
#[derive(Deserialize, ToSchema)]
#[schema(as = OrderedImage)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderedImage {
    /// Its file name.
    name: String,
    /// Its content hash, as the upload answered it.
    content_hash: String,
}

/// How file names tell which images go together.
#[derive(Deserialize, ToSchema)]
#[schema(as = GroupBy)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupBy {
    /// `{group}` and `{part}` once each with some text between them, for file names without their extension.
    #[schema(example = "{group}_{part}")]
    pattern: String,
    /// The parts in the order in which they go into a result; those not listed follow by name.
    #[serde(default)]
    #[schema(example = json!(["front", "back"]))]
    parts: Vec<String>,
}

impl OrderBody {
    fn draft(self) -> Result<BatchDraft, Problem> {
        let mut faults = Vec::new();
        let mut images = Vec::with_capacity(self.images.len());
        for (place, image) in self.images.into_iter().enumerate() {
            match image.content_hash.parse() {
                Ok(hash) => images.push((FileName::clean(&image.name), hash)),
                Err(error) => {
                    faults.push(Fault::at(format!("/images/{place}/content_hash"), format!("{error}")));
                }
            }
        }
        let grouping = match self.group_by {
            None => None,
            Some(by) => match Pattern::parse(&by.pattern) {
                Ok(pattern) => Some((pattern, by.parts)),
                Err(error) => {
                    faults.push(Fault::at("/group_by/pattern", error.to_string()));
                    None
                }
            },
        };
        if !faults.is_empty() {
            faults.truncate(20);
            return Err(Problem::invalid(faults));
        }
        let missing = |thing, text: &str| Problem::missing(thing, text);
        let version = match &self.version_id {
            Some(text) => Some(text.parse().map_err(|_| missing(Thing::Version, text))?),
            None => None,
        };
        Ok(BatchDraft {
            id: self.id,
            name: self.name,
            workflow: self.workflow_id.parse().map_err(|_| missing(Thing::Workflow, &self.workflow_id))?,
            version,
            images,
            grouping,
            labels: self.labels,
            overrides: self.overrides.map_or(Value::Null, Value::Object),
            webhooks: self.webhooks,
        })
    }
}

/// Orders a run for each image, or for each group of images that go together, all in one call. Everything is checked
/// before the first run is filed. Send an `idempotency-key` with it: should the answer get lost, the same request again
/// files what is missing and charges nothing twice.
#[utoipa::path(
    post,
    path = "/orders",
    tag = "Orders",
    operation_id = "create_order",
    params(OrgParam),
    request_body = OrderBody,
    responses((status = 201, description = "The order with all its runs. What cannot be paid is `unpaid`.", body = OrderView))
)]
pub(crate) async fn create(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Seed(seed): Seed,
    Sent(body): Sent<OrderBody>,
) -> Result<Response, Problem> {
    let batch = service.submit_batch(&caller, &choice, &body.draft()?, seed).await?;
    let at = format!("{ROOT}/orders/{}", utf8_percent_encode(&batch.id, NON_ALPHANUMERIC));
    let mut response = (StatusCode::CREATED, Json(OrderView::from(batch))).into_response();
    if let Ok(at) = HeaderValue::from_str(&at) {
        response.headers_mut().insert(LOCATION, at);
    }
    Ok(response)
}

list_fields! {
    OrderFields: BatchField {
        "name" => BatchField::Name, Text;
        "created_at" => BatchField::CreatedAt, Time;
        "workflow_id" => BatchField::Workflow, Id;
        "author_id" => BatchField::User, Text;
        "run_count" => BatchField::Runs, Number;
        "succeeded" => BatchField::Succeeded, Number;
        "failed_or_unpaid" => BatchField::Failed, Number;
        "cancelled" => BatchField::Cancelled, Number;
        "charged" => BatchField::Charged, Number;
    }
}

/// Lists an organization's orders, newest first.
///
/// `q` and `sort_by` know `name`, `created_at`, `workflow_id`, `author_id`, `run_count`, `succeeded`, `failed_or_unpaid`, `cancelled`
/// and `charged`.
#[utoipa::path(
    get,
    path = "/orders",
    tag = "Orders",
    operation_id = "list_orders",
    params(FilterParams, OrgParam, PageParams),
    responses((status = 200, description = "A page of orders.", body = PageView<OrderView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    paging: Paging,
) -> Result<Listing<OrderView>, Problem> {
    if let Some(listing) = paging.narrowed(&OrderFields, &[])? {
        let leaf = service.list_batches(&caller, &choice, &listing).await?;
        return Ok(paging.leaf(leaf, OrderView::from));
    }
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
