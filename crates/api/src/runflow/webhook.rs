//! Webhooks: addresses that are told of every event of some kinds.

use std::collections::BTreeSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::event::Kind;
use domain::request::Face;
use domain::subscription::Subscription;
use serde_json::{Value, json};
use service::{SubscriptionDraft, SubscriptionField};

use super::asker::{Asker, Named};
use super::dispatch::FACE;
use super::event::{kinds_of, name_of};
use super::form::Form;
use super::listing::{ListQuery, NEWEST, PageBody, Shown};
use super::model::{FieldError, Loc};
use super::problem::Problem;
use super::reference::{event_codes, known_events};
use super::repeat::Once;
use super::view::{maybe_time, time};
use crate::Front;
use crate::listing::list_fields;
use crate::repeat::ShownOnce;

/// Longest address, in characters.
const ADDRESS_MAX: usize = 2048;
/// Longest secret that is read, in characters.
const SECRET_MAX: usize = 255;
list_fields! {
    WebhookFields: SubscriptionField {
        "id" => SubscriptionField::Id, Id;
        "url" => SubscriptionField::Address, Text;
        "disabled_at" => SubscriptionField::DisabledAt, Time;
        "last_triggered_at" => SubscriptionField::LastEventAt, Time;
        "created_at" => SubscriptionField::CreatedAt, Time;
        "updated_at" => SubscriptionField::UpdatedAt, Time;
    }
}

const RELATIONS: &[&str] = &["deliveries"];
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
pub(crate) fn webhook_value(subscription: &Subscription) -> Value {
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
    let asked = query.ask(&WebhookFields, NEWEST, NAMES, RELATIONS)?;
    let leaf = front.service.list_subscriptions(&asker.caller, &asker.choice, &asked.listing).await?;
    let mut items = Vec::with_capacity(leaf.entries.len());
    for subscription in &leaf.entries {
        items.push(front.show_webhook(&asker, subscription, &asked.shown).await?);
    }
    Ok(asked.page(&leaf, items))
}

impl Front {
    async fn show_webhook(
        &self,
        asker: &Asker,
        subscription: &Subscription,
        shown: &Shown,
    ) -> Result<Value, Problem> {
        let mut value = webhook_value(subscription);
        if shown.embeds("deliveries") {
            value["deliveries"] = self.deliveries_to(asker, subscription.id).await?;
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
    let shown = query.shown(NAMES, RELATIONS)?;
    let subscription = front.service.subscription(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(Json(shown.of(front.show_webhook(&asker, &subscription, &shown).await?)))
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
