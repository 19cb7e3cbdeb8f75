//! Deliveries to webhooks.

use axum::Json;
use axum::extract::State;
use domain::delivery::Delivery;
use domain::filter::{Kind, Listing};
use domain::id::SubscriptionId;
use serde_json::{Value, json};
use service::DeliveryField;

use super::asker::{Asker, Named};
use super::attempt::attempts_value;
use super::callback::payload;
use super::event::{kinds_of, name_of};
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::problem::Problem;
use super::reference::known_events;
use super::view::time;
use super::webhook::webhook_value;
use crate::Front;
use crate::listing::{everything, list_fields, sort};

/// Deliveries that are embedded in a webhook, the latest ones.
const EMBEDDED_MAX: u32 = 50;

list_fields! {
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

const NAMES: &[&str] =
    &["id", "webhook_id", "event_type_code", "payload", "created_at", "attempts", "webhook"];

const RELATIONS: &[&str] = &["attempts", "webhook"];

pub(crate) fn delivery_value(delivery: &Delivery) -> Value {
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

impl Front {
    /// The latest deliveries to a webhook.
    pub(crate) async fn deliveries_to(
        &self,
        asker: &Asker,
        webhook: SubscriptionId,
    ) -> Result<Value, Problem> {
        let listing = Listing {
            limit: EMBEDDED_MAX,
            ..everything(vec![sort(DeliveryField::CreatedAt, Kind::Time, true)])
        };
        let leaf =
            self.service.list_deliveries(&asker.caller, &asker.choice, Some(webhook), &listing).await?;
        Ok(leaf.entries.iter().map(delivery_value).collect())
    }

    async fn show_delivery(
        &self,
        asker: &Asker,
        delivery: &Delivery,
        shown: &Shown,
    ) -> Result<Value, Problem> {
        let mut value = delivery_value(delivery);
        if shown.embeds("webhook")
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

/// `GET /v1/webhooks/{webhook_id}/deliveries`; the webhook may be `any`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&DeliveryFields, NEWEST, NAMES, RELATIONS)?;
    let of = named.id_or_any::<SubscriptionId>(0, "webhook_id")?;
    let leaf = front.service.list_deliveries(&asker.caller, &asker.choice, of, &asked.listing).await?;
    let mut items = Vec::with_capacity(leaf.entries.len());
    for delivery in &leaf.entries {
        let mut value = front.show_delivery(&asker, delivery, &asked.shown).await?;
        if asked.shown.embeds("attempts") {
            let of = delivery.subscription;
            let found =
                front.service.subscription_delivery(&asker.caller, &asker.choice, of, delivery.id).await?;
            value["attempts"] = attempts_value(&found.0, &found.1);
        }
        items.push(value);
    }
    Ok(asked.page(&leaf, items))
}

/// `GET /v1/webhooks/{webhook_id}/deliveries/{id}`, with its attempts; the webhook may be `any`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, RELATIONS)?;
    let of = named.id_or_any::<SubscriptionId>(0, "webhook_id")?;
    let id = named.id(1, "id")?;
    let (delivery, attempts) =
        front.service.subscription_delivery(&asker.caller, &asker.choice, of, id).await?;
    let mut value = front.show_delivery(&asker, &delivery, &shown).await?;
    value["attempts"] = attempts_value(&delivery, &attempts);
    Ok(Json(shown.of(value)))
}
