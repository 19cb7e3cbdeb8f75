//! Secrets that sign callbacks.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::subscription::CallbackSecret;
use serde_json::{Value, json};
use service::SecretField;

use super::asker::{Asker, Named};
use super::form::{Form, MaybeForm};
use super::listing::{ListQuery, NEWEST, PageBody};
use super::problem::Problem;
use super::repeat::Once;
use super::view::{maybe_time, time};
use crate::Front;
use crate::listing::list_fields;
use crate::repeat::ShownOnce;

/// How long a label may be, in characters.
const LABEL: std::ops::RangeInclusive<usize> = 0..=255;

list_fields! {
    SecretFields: SecretField {
        "id" => SecretField::Id, Id;
        "label" => SecretField::Label, Text;
        "key_prefix" => SecretField::Prefix, Text;
        "is_current" => SecretField::IsCurrent, Bool;
        "created_at" => SecretField::CreatedAt, Time;
        "updated_at" => SecretField::UpdatedAt, Time;
    }
}

const NAMES: &[&str] = &[
    "id",
    "org_id",
    "key_prefix",
    "is_current",
    "label",
    "disabled_at",
    "last_used_at",
    "created_at",
    "updated_at",
];

fn secret_value(secret: &CallbackSecret) -> Value {
    json!({
        "id": secret.id,
        "org_id": secret.org,
        "key_prefix": secret.prefix,
        "is_current": secret.is_current,
        "label": secret.label,
        "disabled_at": null,
        "last_used_at": maybe_time(secret.last_used_at),
        "created_at": time(secret.created_at),
        "updated_at": time(secret.updated_at),
    })
}

/// `GET /v1/callback-secrets`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&SecretFields, NEWEST, NAMES, &[])?;
    let leaf = front.service.list_callback_secrets(&asker.caller, &asker.choice, &asked.listing).await?;
    Ok(asked.page(&leaf, leaf.entries.iter().map(secret_value)))
}

/// `POST /v1/callback-secrets`: the secret itself is in this answer and never again.
pub(crate) async fn add(
    State(front): State<Front>,
    asker: Asker,
    once: Once,
    MaybeForm(mut form): MaybeForm,
) -> Result<ShownOnce<(StatusCode, Json<Value>)>, Problem> {
    let label = form.text("label", LABEL);
    form.check()?;
    let made = front.service.add_callback_secret(&asker.caller, &asker.choice, label, once.seed).await?;
    let mut value = secret_value(&made.secret);
    value["plain_secret"] = json!(made.plain_secret);
    Ok(ShownOnce((StatusCode::CREATED, Json(value))))
}

/// `GET /v1/callback-secrets/{id}`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<Json<Value>, Problem> {
    let shown = query.shown(NAMES, &[])?;
    let secret = front.service.callback_secret(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(Json(shown.of(secret_value(&secret))))
}

/// `PATCH /v1/callback-secrets/{id}`: renames it, or makes it the one that signs.
pub(crate) async fn change(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    mut form: Form,
) -> Result<Json<Value>, Problem> {
    let id = named.id(0, "id")?;
    let label = form.text("label", LABEL);
    let is_current = form.boolean("is_current");
    if is_current == Some(false) {
        form.wrong(
            "is_current",
            "literal_error",
            "Input should be true; make another secret the current one instead",
        );
    }
    form.check()?;
    let label = form.has("label").then_some(label);
    let make_current = is_current.unwrap_or(false);
    let changed =
        front.service.change_callback_secret(&asker.caller, &asker.choice, id, label, make_current).await?;
    Ok(Json(secret_value(&changed)))
}

/// `DELETE /v1/callback-secrets/{id}`.
pub(crate) async fn delete(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<StatusCode, Problem> {
    front.service.delete_callback_secret(&asker.caller, &asker.choice, named.id(0, "id")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
