//! Attempts to deliver.

use axum::Json;
use axum::extract::State;
use domain::delivery::{Attempt, Delivery, DeliveryState};
use domain::id::{DeliveryId, SubscriptionId};
use domain::time::Timestamp;
use serde_json::{Value, json};
use service::{AttemptField, ListedAttempt, attempt_id};
use uuid::Uuid;

use super::asker::{Asker, Named};
use super::delivery::delivery_value;
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::model::FieldError;
use super::problem::Problem;
use super::view::{maybe_time, time};
use crate::Front;
use crate::listing::{list_fields, one};

list_fields! {
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

const RELATIONS: &[&str] = &["delivery"];

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

pub(crate) fn attempts_value(delivery: &Delivery, attempts: &[Attempt]) -> Value {
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
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&AttemptFields, NEWEST, NAMES, RELATIONS)?;
    let of = parents(&front, &asker, &named).await?;
    let leaf = front.service.list_attempts(&asker.caller, &asker.choice, of, &asked.listing).await?;
    let mut items = Vec::with_capacity(leaf.entries.len());
    for listed in &leaf.entries {
        items.push(front.show_attempt(&asker, listed, &asked.shown).await?);
    }
    Ok(asked.page(&leaf, items))
}

/// `GET /v1/webhooks/{webhook_id}/deliveries/{delivery_id}/attempts/{id}`; both may be `any`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, RELATIONS)?;
    let id = named.id::<Uuid>(2, "id")?;
    let of = parents(&front, &asker, &named).await?;
    let listing = one(AttemptField::Id, id);
    let leaf = front.service.list_attempts(&asker.caller, &asker.choice, of, &listing).await?;
    let missing = || Problem::not_found("No attempt with that id at this delivery.");
    let listed = leaf.entries.first().ok_or_else(missing)?;
    Ok(Json(shown.of(front.show_attempt(&asker, listed, &shown).await?)))
}

impl Front {
    async fn show_attempt(
        &self,
        asker: &Asker,
        listed: &ListedAttempt,
        shown: &Shown,
    ) -> Result<Value, Problem> {
        let mut value = attempt_value(listed.delivery, &listed.attempt, listed.next_at);
        if shown.embeds("delivery") {
            let found = self
                .service
                .subscription_delivery(&asker.caller, &asker.choice, None, listed.delivery)
                .await?;
            value["delivery"] = delivery_value(&found.0);
        }
        Ok(value)
    }
}
