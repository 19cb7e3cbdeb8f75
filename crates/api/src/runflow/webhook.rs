//! Webhooks: addresses that are told of every event of some kinds, and what became of each delivery.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::delivery::{Attempt, Delivery, DeliveryState};
use domain::event::Kind;
use domain::filter::{Expr, Listing, Value as FilterValue};
use domain::id::{DeliveryId, SubscriptionId};
use domain::request::Face;
use domain::subscription::Subscription;
use domain::time::Timestamp;
use serde_json::{Value, json};
use service::{AttemptField, DeliveryField, ListedAttempt, SubscriptionDraft, SubscriptionField, attempt_id};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::callback::payload;
use super::dispatch::FACE;
use super::event::{kinds_of, name_of};
use super::form::Form;
use super::listing::{ListQuery, PageBody, runflow_fields};
use super::model::{FieldError, Loc};
use super::problem::Problem;
use super::reference::event_codes;
use super::repeat::Once;
use super::run::{NEWEST, sort};
use super::view::{maybe_time, time};
use crate::Front;
use crate::repeat::ShownOnce;

/// Longest address, in characters.
const ADDRESS_MAX: usize = 2048;
/// Longest secret that is read, in characters.
const SECRET_MAX: usize = 255;
/// Deliveries that are embedded in a webhook, the latest ones.
const EMBEDDED_MAX: u32 = 50;

runflow_fields! {
    WebhookFields: SubscriptionField {
        "id" => SubscriptionField::Id, Id;
        "url" => SubscriptionField::Address, Text;
        "disabled_at" => SubscriptionField::DisabledAt, Time;
        "last_triggered_at" => SubscriptionField::LastEventAt, Time;
        "created_at" => SubscriptionField::CreatedAt, Time;
        "updated_at" => SubscriptionField::UpdatedAt, Time;
    }
}

runflow_fields! {
    DeliveryFields: DeliveryField, statuses: delivery_kinds {
        "id" => DeliveryField::Id, Id;
        "webhook_id" => DeliveryField::Subscription, Id;
        "event_type_code" => DeliveryField::Kind, Status;
        "created_at" => DeliveryField::CreatedAt, Time;
    }
}

/// The store's names of what this dialect calls so.
fn delivery_kinds(name: &str) -> Result<Vec<String>, String> {
    match kinds_of(name) {
        Some(kinds) => Ok(kinds.iter().map(|kind| kind.as_str().to_owned()).collect()),
        None => Err(format!("one of {}", known_events())),
    }
}

runflow_fields! {
    AttemptFields: AttemptField {
        "id" => AttemptField::Id, Id;
        "attempt_number" => AttemptField::Number, Number;
        "status_code" => AttemptField::HttpStatus, Number;
        "response_time_ms" => AttemptField::Took, Number;
        "succeeded" => AttemptField::Succeeded, Bool;
        "created_at" => AttemptField::CreatedAt, Time;
    }
}

const NAMES: &[&str] = &[
    "id",
    "org_id",
    "url",
    "secret_fingerprint",
    "disabled_at",
    "last_triggered_at",
    "created_at",
    "updated_at",
    "event_subscriptions",
    "deliveries",
];
const DELIVERY_NAMES: &[&str] =
    &["id", "webhook_id", "event_type_code", "payload", "created_at", "attempts", "webhook"];
const ATTEMPT_NAMES: &[&str] = &[
    "id",
    "delivery_id",
    "attempt_number",
    "status_code",
    "response_body",
    "response_time_ms",
    "succeeded",
    "next_retry_at",
    "created_at",
    "delivery",
];

fn known_events() -> String {
    event_codes().map(|code| format!("`{code}`")).collect::<Vec<_>>().join(", ")
}

fn webhook_value(subscription: &Subscription) -> Value {
    let told: BTreeSet<&str> = subscription.kinds.iter().filter_map(|kind| name_of(*kind)).collect();
    let events: Vec<_> = event_codes()
        .filter(|code| told.contains(code))
        .map(|code| json!({ "webhook_id": subscription.id, "event_type_code": code }))
        .collect();
    json!({
        "id": subscription.id,
        "org_id": subscription.org,
        "url": subscription.address,
        "secret_fingerprint": subscription.fingerprint,
        "disabled_at": maybe_time(subscription.disabled_at),
        "last_triggered_at": maybe_time(subscription.last_event_at),
        "created_at": time(subscription.created_at),
        "updated_at": time(subscription.updated_at),
        "event_subscriptions": events,
        "deliveries": null,
    })
}

fn delivery_value(delivery: &Delivery) -> Value {
    json!({
        "id": delivery.id,
        "webhook_id": delivery.subscription,
        "event_type_code": delivery.event.what.kind().and_then(name_of),
        "payload": payload(delivery).1,
        "created_at": time(delivery.event.at),
        "attempts": null,
        "webhook": null,
    })
}

fn attempt_value(delivery: DeliveryId, attempt: &Attempt, next: Option<Timestamp>) -> Value {
    let report = &attempt.report;
    json!({
        "id": attempt_id(delivery, attempt.number),
        "delivery_id": delivery,
        "attempt_number": attempt.number,
        "status_code": report.status,
        "response_body": report.answer,
        "response_time_ms": report.took.0,
        "succeeded": report.error.is_none(),
        "next_retry_at": maybe_time(next),
        "created_at": time(attempt.at),
        "delivery": null,
    })
}

fn attempts_value(delivery: &Delivery, attempts: &[Attempt]) -> Value {
    let next = match delivery.state {
        DeliveryState::Pending { due_at } => Some(due_at),
        DeliveryState::Delivered { .. } | DeliveryState::Failed { .. } => None,
    };
    let latest = attempts.last().map(|attempt| attempt.number);
    let of = |attempt: &Attempt| {
        attempt_value(delivery.id, attempt, next.filter(|_| Some(attempt.number) == latest))
    };
    attempts.iter().map(of).collect()
}

/// The kinds of events that a body names: codes, or objects with a code; every kind if it names none.
fn read_events(form: &mut Form) -> Option<BTreeSet<Kind>> {
    let given = form.list("event_subscriptions")?;
    let mut kinds = BTreeSet::new();
    for (nth, entry) in given.iter().enumerate() {
        let code = match entry {
            Value::Object(members) => members.get("event_type_code"),
            other => Some(other),
        };
        match code.and_then(Value::as_str).and_then(kinds_of) {
            Some(meant) => kinds.extend(meant),
            None => {
                let way = [Loc::from("event_subscriptions"), Loc::Index(nth)];
                let message = format!("Input should be one of {}", known_events());
                form.wrong_within(&way, vec![FieldError::new(Vec::<Loc>::new(), "enum", message)]);
            }
        }
    }
    Some(kinds)
}

/// The address of a webhook, if it is there.
fn read_address(form: &mut Form) -> Option<String> {
    let address = form.text("url", 1..=ADDRESS_MAX)?;
    if let Err(why) = service::check_callback(&address) {
        form.wrong("url", "url_parsing", why.to_string());
        return None;
    }
    Some(address)
}

/// `GET /v1/webhooks`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let listing = query.listing(&WebhookFields, NEWEST)?;
    let (projection, embeds) = (query.projection(NAMES)?, query.embeds(&["deliveries"])?);
    let leaf = front.service.list_subscriptions(&asker.caller, &asker.choice, &listing).await?;
    let mut items = Vec::with_capacity(leaf.entries.len());
    for subscription in &leaf.entries {
        items.push(projection.of(front.show_webhook(&asker, subscription, &embeds).await?, &embeds));
    }
    Ok(query.page(&leaf, NEWEST, items))
}

impl Front {
    async fn show_webhook(
        &self,
        asker: &Asker,
        subscription: &Subscription,
        embeds: &[&str],
    ) -> Result<Value, Problem> {
        let mut value = webhook_value(subscription);
        if embeds.contains(&"deliveries") {
            let listing = Listing {
                filter: None,
                sorts: vec![sort(DeliveryField::CreatedAt, domain::filter::Kind::Time, true)],
                from: None,
                limit: EMBEDDED_MAX,
            };
            let of = Some(subscription.id);
            let leaf = self.service.list_deliveries(&asker.caller, &asker.choice, of, &listing).await?;
            value["deliveries"] = leaf.entries.iter().map(delivery_value).collect();
        }
        Ok(value)
    }

    async fn show_delivery(
        &self,
        asker: &Asker,
        delivery: &Delivery,
        embeds: &[&str],
    ) -> Result<Value, Problem> {
        let mut value = delivery_value(delivery);
        if embeds.contains(&"attempts") {
            let of = delivery.subscription;
            let found =
                self.service.subscription_delivery(&asker.caller, &asker.choice, of, delivery.id).await?;
            value["attempts"] = attempts_value(&found.0, &found.1);
        }
        if embeds.contains(&"webhook")
            && let Some(of) = delivery.subscription
        {
            // One that was deleted since leaves its deliveries behind.
            value["webhook"] = match self.service.subscription(&asker.caller, &asker.choice, of).await {
                Ok(subscription) => webhook_value(&subscription),
                Err(service::Refusal::Missing { .. }) => Value::Null,
                Err(other) => return Err(other.into()),
            };
        }
        Ok(value)
    }
}

/// `POST /v1/webhooks`. A secret that was made here is in this answer and never again.
pub(crate) async fn add(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    mut form: Form,
) -> Result<ShownOnce<(StatusCode, Json<Value>)>, Problem> {
    let address = read_address(&mut form);
    if form.get("url").is_none() {
        form.wrong("url", "missing", "Field required");
    }
    let secret = form.text("secret", 1..=SECRET_MAX);
    let kinds = read_events(&mut form);
    form.check()?;
    let draft = SubscriptionDraft {
        face: Face(FACE.to_owned()),
        address: address.unwrap_or_default(),
        kinds: kinds.unwrap_or_else(|| event_codes().filter_map(kinds_of).flatten().copied().collect()),
        secret,
    };
    let made = front.service.subscribe(&asker.caller, &asker.choice, draft, once.seed).await?;
    let mut value = webhook_value(&made.subscription);
    value["plain_secret"] = json!(made.plain_secret);
    Ok(ShownOnce((StatusCode::CREATED, Json(value))))
}

/// `GET /v1/webhooks/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let (projection, embeds) = (query.projection(NAMES)?, query.embeds(&["deliveries"])?);
    let subscription = front.service.subscription(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(Json(projection.of(front.show_webhook(&asker, &subscription, &embeds).await?, &embeds)))
}

/// `PATCH /v1/webhooks/{id}`. With `updated_at`, only if nobody else changed it since.
pub(crate) async fn change(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    mut form: Form,
) -> Result<Json<Value>, Problem> {
    let id = named.id(0, "id")?;
    let address = read_address(&mut form);
    let secret = form.text("secret", 1..=SECRET_MAX);
    let kinds = read_events(&mut form);
    let disabled_at = form.time("disabled_at");
    let unless_changed_since = form.time("updated_at");
    form.check()?;
    // Null enables it again; what is not named stays.
    let disabled_at = form.has("disabled_at").then_some(disabled_at);
    let changed = front
        .service
        .change_subscription(
            &asker.caller,
            &asker.choice,
            id,
            address,
            kinds,
            secret,
            disabled_at,
            unless_changed_since,
        )
        .await?;
    Ok(Json(webhook_value(&changed)))
}

/// `DELETE /v1/webhooks/{id}`.
pub(crate) async fn delete(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    front.service.unsubscribe(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /v1/webhooks/{webhook_id}/deliveries`; the webhook may be `any`.
pub(crate) async fn list_deliveries(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let listing = query.listing(&DeliveryFields, NEWEST)?;
    let (projection, embeds) = (query.projection(DELIVERY_NAMES)?, query.embeds(&["attempts", "webhook"])?);
    let of = named.id_or_any::<SubscriptionId>(0, "webhook_id")?;
    let leaf = front.service.list_deliveries(&asker.caller, &asker.choice, of, &listing).await?;
    let mut items = Vec::with_capacity(leaf.entries.len());
    for delivery in &leaf.entries {
        items.push(projection.of(front.show_delivery(&asker, delivery, &embeds).await?, &embeds));
    }
    Ok(query.page(&leaf, NEWEST, items))
}

/// `GET /v1/webhooks/{webhook_id}/deliveries/{id}`, with its attempts; the webhook may be `any`.
pub(crate) async fn show_delivery(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let (projection, mut embeds) =
        (query.projection(DELIVERY_NAMES)?, query.embeds(&["attempts", "webhook"])?);
    let of = named.id_or_any::<SubscriptionId>(0, "webhook_id")?;
    let id = named.id(1, "id")?;
    let (delivery, attempts) =
        front.service.subscription_delivery(&asker.caller, &asker.choice, of, id).await?;
    embeds.retain(|embed| *embed != "attempts");
    let mut value = front.show_delivery(&asker, &delivery, &embeds).await?;
    value["attempts"] = attempts_value(&delivery, &attempts);
    Ok(Json(projection.of(value, &embeds)))
}

/// The parents of attempts that a path names: a delivery, or every delivery of every webhook.
async fn parents(front: &Front, asker: &Asker, named: &Named) -> Result<Option<DeliveryId>, Problem> {
    let webhook = named.id_or_any::<SubscriptionId>(0, "webhook_id")?;
    let delivery = named.id_or_any::<DeliveryId>(1, "delivery_id")?;
    match (webhook, delivery) {
        (_, Some(delivery)) => {
            front.service.subscription_delivery(&asker.caller, &asker.choice, webhook, delivery).await?;
            Ok(Some(delivery))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(Problem::invalid(vec![FieldError::new(
            ["path", "delivery_id"],
            "value_error",
            "Input should be a delivery's id; `any` goes with a webhook that is `any`, too",
        )])),
    }
}

/// `GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/attempts`; both may be `any`.
pub(crate) async fn list_attempts(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let listing = query.listing(&AttemptFields, NEWEST)?;
    let (projection, embeds) = (query.projection(ATTEMPT_NAMES)?, query.embeds(&["delivery"])?);
    let of = parents(&front, &asker, &named).await?;
    let leaf = front.service.list_attempts(&asker.caller, &asker.choice, of, &listing).await?;
    let mut items = Vec::with_capacity(leaf.entries.len());
    for listed in &leaf.entries {
        items.push(projection.of(front.show_attempt(&asker, listed, &embeds).await?, &embeds));
    }
    Ok(query.page(&leaf, NEWEST, items))
}

/// `GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/attempts/{id}`; both may be `any`.
pub(crate) async fn show_attempt(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let (projection, embeds) = (query.projection(ATTEMPT_NAMES)?, query.embeds(&["delivery"])?);
    let id = named.id::<Uuid>(2, "id")?;
    let of = parents(&front, &asker, &named).await?;
    let listing = Listing {
        filter: Some(Expr::is(AttemptField::Id, FilterValue::Id(id))),
        sorts: Vec::new(),
        from: None,
        limit: 1,
    };
    let leaf = front.service.list_attempts(&asker.caller, &asker.choice, of, &listing).await?;
    let missing = || Problem::not_found("No attempt with that id at this delivery.");
    let listed = leaf.entries.first().ok_or_else(missing)?;
    Ok(Json(projection.of(front.show_attempt(&asker, listed, &embeds).await?, &embeds)))
}

impl Front {
    async fn show_attempt(
        &self,
        asker: &Asker,
        listed: &ListedAttempt,
        embeds: &[&str],
    ) -> Result<Value, Problem> {
        let mut value = attempt_value(listed.delivery, &listed.attempt, listed.next_at);
        if embeds.contains(&"delivery") {
            let found = self
                .service
                .subscription_delivery(&asker.caller, &asker.choice, None, listed.delivery)
                .await?;
            value["delivery"] = delivery_value(&found.0);
        }
        Ok(value)
    }
}
