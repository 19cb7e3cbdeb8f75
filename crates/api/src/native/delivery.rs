//! Deliveries of webhooks, and the secret that signs them.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::delivery::{Attempt, Delivery, DeliveryFilter, DeliveryState, DeliveryStatus};
use domain::event::What;
use serde::Serialize;
use service::{Service, SigningSecret, Thing};
use utoipa::{IntoParams, ToSchema};

use super::asker::{Asker, Named, OrgParam};
use super::page::{Listing, PageParams, PageView, Paging};
use super::problem::{Fault, Problem};
use crate::form::{Pairs, Query};
use crate::repeat::ShownOnce;

/// An event on its way to one address.
#[derive(Serialize, ToSchema)]
#[schema(as = Delivery)]
pub(crate) struct DeliveryView {
    /// Its id, a UUID.
    id: String,
    /// The event's id: the same in every attempt and every redelivery.
    event_id: String,
    /// Which run it tells of; null if it tells of something else.
    run_id: Option<String>,
    /// The status the run took, or how the batch or the evaluation ended.
    status: &'static str,
    /// When.
    at: String,
    /// To which address.
    address: String,
    /// `pending`, `delivered` or `failed`.
    state: &'static str,
    /// When it is tried next, while it is pending.
    due_at: Option<String>,
    /// When it was delivered or given up.
    ended_at: Option<String>,
    /// Attempts made so far.
    attempt_count: u32,
}

/// A delivery with every attempt.
#[derive(Serialize, ToSchema)]
#[schema(as = DeliveryWithAttempts)]
pub(crate) struct DetailView {
    /// The delivery.
    #[serde(flatten)]
    delivery: DeliveryView,
    /// Its attempts, oldest first.
    attempts: Vec<AttemptView>,
}

/// One try to deliver.
#[derive(Serialize, ToSchema)]
#[schema(as = Attempt)]
pub(crate) struct AttemptView {
    /// Which one, from 1.
    number: u32,
    /// When it ended.
    at: String,
    /// Milliseconds it took.
    ms: i64,
    /// The HTTP status, if there was an answer.
    http_status: Option<u16>,
    /// Why it does not count, as a code that never changes; null for a success.
    error: Option<String>,
    /// How the answer begins.
    answer: String,
}

impl From<Delivery> for DeliveryView {
    fn from(delivery: Delivery) -> Self {
        let (due_at, ended_at) = match delivery.state {
            DeliveryState::Pending { due_at } => (Some(due_at.to_string()), None),
            DeliveryState::Delivered { at } | DeliveryState::Failed { at } => (None, Some(at.to_string())),
        };
        Self {
            id: delivery.id.to_string(),
            event_id: delivery.event.id.to_string(),
            run_id: delivery.event.what.run().map(|run| run.to_string()),
            status: status_of(delivery.event.what),
            at: delivery.event.at.to_string(),
            address: delivery.address,
            state: delivery.state.status().as_str(),
            due_at,
            ended_at,
            attempt_count: delivery.attempts,
        }
    }
}

const fn status_of(what: What) -> &'static str {
    match what {
        What::Run { status, .. } => status.as_str(),
        What::Batch { end, .. } => end.as_str(),
        What::Evaluation { completed: true, .. } => "completed",
        What::Evaluation { completed: false, .. } => "failed",
    }
}

impl From<Attempt> for AttemptView {
    fn from(attempt: Attempt) -> Self {
        Self {
            number: attempt.number,
            at: attempt.at.to_string(),
            ms: attempt.report.took.0,
            http_status: attempt.report.status,
            error: attempt.report.error,
            answer: attempt.report.answer,
        }
    }
}

/// For the document: which deliveries are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct DeliveryParams {
    /// Those in this state: `pending`, `delivered` or `failed`.
    state: Option<String>,
    /// Those that tell of this run.
    run_id: Option<String>,
}

fn filter_of(query: &Pairs) -> Result<DeliveryFilter, Problem> {
    let mut faults = Vec::new();
    let mut filter = DeliveryFilter::default();
    if let Some(name) = query.get("state") {
        filter.status = DeliveryStatus::parse(name);
        if filter.status.is_none() {
            faults.push(Fault::parameter("state", "`state` is none of pending, delivered, failed"));
        }
    }
    if let Some(id) = query.get("run_id") {
        filter.run = id.parse().ok();
        if filter.run.is_none() {
            faults.push(Fault::parameter("run_id", "`run_id` is no UUID"));
        }
    }
    if faults.is_empty() { Ok(filter) } else { Err(Problem::invalid(faults)) }
}

/// Lists an organization's deliveries, newest event first.
#[utoipa::path(
    get,
    path = "/deliveries",
    tag = "Webhooks",
    operation_id = "list_deliveries",
    params(DeliveryParams, OrgParam, PageParams),
    responses((status = 200, description = "A page of deliveries.", body = PageView<DeliveryView>))
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Query(query): Query,
    paging: Paging,
) -> Result<Listing<DeliveryView>, Problem> {
    let filter = filter_of(&query)?;
    let after = paging.after::<String>()?;
    let slice = service.deliveries(&caller, &choice, &filter, paging.limit(), after.as_deref()).await?;
    let next = slice.next.map(|cursor| cursor.to_string());
    Ok(paging.slice(slice.entries.into_iter().map(DeliveryView::from).collect(), next))
}

/// Shows one delivery with its attempts.
#[utoipa::path(
    get,
    path = "/deliveries/{delivery_id}",
    tag = "Webhooks",
    operation_id = "get_delivery",
    params(("delivery_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 200, description = "The delivery.", body = DetailView))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<Json<DetailView>, Problem> {
    let (delivery, attempts) = service.delivery(&caller, &choice, named.id(Thing::Delivery)?).await?;
    let attempts = attempts.into_iter().map(AttemptView::from).collect();
    Ok(Json(DetailView { delivery: delivery.into(), attempts }))
}

/// Makes a delivery once more, now, with the same event id and body.
#[utoipa::path(
    post,
    path = "/deliveries/{delivery_id}/redeliver",
    tag = "Webhooks",
    operation_id = "redeliver",
    params(("delivery_id" = String, Path, description = "Its id."), OrgParam),
    responses((status = 202, description = "It is due now.", body = DetailView))
)]
pub(crate) async fn redeliver(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
) -> Result<(StatusCode, Json<DetailView>), Problem> {
    let id = named.id(Thing::Delivery)?;
    service.redeliver(&caller, &choice, id).await?;
    let (delivery, attempts) = service.delivery(&caller, &choice, id).await?;
    let attempts = attempts.into_iter().map(AttemptView::from).collect();
    Ok((StatusCode::ACCEPTED, Json(DetailView { delivery: delivery.into(), attempts })))
}

/// The secret that signs what an organization is told.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookSecret)]
pub(crate) struct SecretView {
    /// The present secret: `whsec_` and the key in Base64.
    secret: String,
    /// When it was made.
    made_at: String,
    /// The one before, while everything is signed with it too.
    previous_secret: Option<String>,
    /// Until when.
    previous_until: Option<String>,
}

impl From<SigningSecret> for SecretView {
    fn from(secret: SigningSecret) -> Self {
        let (previous_secret, previous_until) = secret.previous.unzip();
        Self {
            secret: secret.secret,
            made_at: secret.made_at.to_string(),
            previous_secret,
            previous_until: previous_until.map(|until| until.to_string()),
        }
    }
}

/// Shows the secret that signs webhooks; for administrators.
#[utoipa::path(
    get,
    path = "/webhook_secret",
    tag = "Webhooks",
    operation_id = "get_webhook_secret",
    params(OrgParam),
    responses((status = 200, description = "The secret.", body = SecretView))
)]
pub(crate) async fn secret(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
) -> Result<Json<SecretView>, Problem> {
    Ok(Json(service.webhook_secret(&caller, &choice).await?.into()))
}

/// Makes a new secret; everything is signed with the old one too for 24 hours. For administrators.
#[utoipa::path(
    post,
    path = "/webhook_secret/rotate",
    tag = "Webhooks",
    operation_id = "rotate_webhook_secret",
    params(OrgParam),
    responses((status = 200, description = "The secrets.", body = SecretView))
)]
pub(crate) async fn rotate(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
) -> Result<ShownOnce<Json<SecretView>>, Problem> {
    Ok(ShownOnce(Json(service.rotate_webhook_secret(&caller, &choice).await?.into())))
}
