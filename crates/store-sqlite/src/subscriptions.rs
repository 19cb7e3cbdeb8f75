//! Subscriptions to an organization's events, and the secrets that sign callbacks.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::event::Kind;
use domain::id::{OrgId, SecretId, SubscriptionId, UserId};
use domain::request::Face;
use domain::subscription::{CallbackSecret, Subscription};
use domain::time::{Millis, Timestamp};
use rusqlite::{Connection, Row, params};
use serde_json::json;
use store::{Changing, StoreError, SubscriptionChange, Subscriptions};

use crate::audit;
use crate::database::Sqlite;
use crate::deliveries::give_up_for;
use crate::rows::{json, time, to_json, unreadable, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// How often it is noted, at most, that a secret was used.
const NOTED_EVERY: Millis = Millis::seconds(60);

/// The columns [`subscription`] reads, in its order.
pub(crate) const SUBSCRIPTION_COLUMNS: &str = "id, org, face, address, kinds, secret, fingerprint, disabled_at, \
     last_event_at, created_at, updated_at";

/// A subscription out of a row of [`SUBSCRIPTION_COLUMNS`].
pub(crate) fn subscription(row: &Row<'_>) -> rusqlite::Result<Subscription> {
    let names: Vec<String> = json(row, 4)?;
    let kinds = names.iter().map(|name| {
        Kind::parse(name).ok_or_else(|| unreadable(4, format!("no meaning is known for `{name}`")))
    });
    Ok(Subscription {
        id: SubscriptionId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        face: Face(row.get(2)?),
        address: row.get(3)?,
        kinds: kinds.collect::<rusqlite::Result<_>>()?,
        secret: row.get(5)?,
        fingerprint: row.get(6)?,
        disabled_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        last_event_at: row.get::<_, Option<i64>>(8)?.map(Timestamp),
        created_at: time(row, 9)?,
        updated_at: time(row, 10)?,
    })
}

/// The columns [`callback_secret`] reads, in its order.
pub(crate) const SECRET_COLUMNS: &str =
    "id, org, label, prefix, secret, is_current, last_used_at, created_at, updated_at";

/// A secret out of a row of [`SECRET_COLUMNS`].
pub(crate) fn callback_secret(row: &Row<'_>) -> rusqlite::Result<CallbackSecret> {
    Ok(CallbackSecret {
        id: SecretId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        label: row.get(2)?,
        prefix: row.get(3)?,
        secret: row.get(4)?,
        is_current: row.get(5)?,
        last_used_at: row.get::<_, Option<i64>>(6)?.map(Timestamp),
        created_at: time(row, 7)?,
        updated_at: time(row, 8)?,
    })
}

/// The time of a change: now, and later than the change before.
pub(crate) fn changed_at(now: Timestamp, before: Timestamp) -> Timestamp {
    now.max(before + Millis(1))
}

fn names(kinds: &BTreeSet<Kind>) -> Vec<&'static str> {
    kinds.iter().map(|kind| kind.as_str()).collect()
}

/// What the audit says of a subscription: all but its secret.
fn told(subscription: &Subscription) -> serde_json::Value {
    json!({
        "address": subscription.address,
        "kinds": names(&subscription.kinds),
        "fingerprint": subscription.fingerprint,
        "disabled": subscription.disabled_at.is_some(),
    })
}

fn subscription_by(
    conn: &Connection,
    org: OrgId,
    id: SubscriptionId,
) -> Result<Option<Subscription>, StoreError> {
    conn.one(
        &format!("SELECT {SUBSCRIPTION_COLUMNS} FROM subscriptions WHERE id = ?1 AND org = ?2"),
        params![id.0.as_bytes(), org.0.as_bytes()],
        subscription,
    )
}

fn subscribe(tx: &Tx<'_>, new: &Subscription, by: &UserId) -> Result<(), StoreError> {
    let there = tx.conn.one("SELECT org FROM subscriptions WHERE id = ?1", [new.id.0.as_bytes()], |row| {
        uuid(row, 0).map(OrgId)
    })?;
    match there {
        Some(org) if org == new.org => return Ok(()),
        Some(_) => return Err(StoreError::Conflict("a subscription of this id".to_owned())),
        None => {}
    }
    tx.conn.exec(
        "INSERT INTO subscriptions (id, org, face, address, kinds, secret, fingerprint, disabled_at, last_event_at, created_at,
                                    updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
        params![
            new.id.0.as_bytes(),
            new.org.0.as_bytes(),
            new.face.0,
            new.address,
            to_json(&names(&new.kinds))?,
            new.secret,
            new.fingerprint,
            new.disabled_at.map(|at| at.0),
            new.last_event_at.map(|at| at.0),
            new.created_at.0,
            new.updated_at.0,
        ],
    )?;
    audit::record(tx, new.org, Some(by), "subscription.made", &new.id.to_string(), &told(new))
}

fn change(
    tx: &Tx<'_>,
    org: OrgId,
    id: SubscriptionId,
    change: &SubscriptionChange,
    by: &UserId,
) -> Result<Changing<Subscription>, StoreError> {
    let Some(mut found) = subscription_by(tx.conn, org, id)? else { return Ok(Changing::Missing) };
    if change.unless_changed_since.is_some_and(|since| since != found.updated_at) {
        return Ok(Changing::Stale);
    }
    let SubscriptionChange { address, kinds, secret, disabled_at, .. } = change;
    if let Some(address) = address {
        found.address.clone_from(address);
    }
    if let Some(kinds) = kinds {
        found.kinds.clone_from(kinds);
    }
    if let Some((secret, fingerprint)) = secret {
        found.secret.clone_from(secret);
        found.fingerprint.clone_from(fingerprint);
    }
    if let Some(disabled_at) = disabled_at {
        found.disabled_at = *disabled_at;
    }
    found.updated_at = changed_at(tx.now, found.updated_at);
    tx.conn.exec(
        "UPDATE subscriptions SET address = ?2, kinds = ?3, secret = ?4, fingerprint = ?5, disabled_at = ?6, updated_at = ?7
         WHERE id = ?1",
        params![
            id.0.as_bytes(),
            found.address,
            to_json(&names(&found.kinds))?,
            found.secret,
            found.fingerprint,
            found.disabled_at.map(|at| at.0),
            found.updated_at.0,
        ],
    )?;
    if found.disabled_at.is_some() {
        give_up_for(tx, org, id, "subscription_disabled")?;
    }
    audit::record(tx, org, Some(by), "subscription.changed", &id.to_string(), &told(&found))?;
    Ok(Changing::Now(found))
}

fn unsubscribe(tx: &Tx<'_>, org: OrgId, id: SubscriptionId, by: &UserId) -> Result<bool, StoreError> {
    let Some(found) = subscription_by(tx.conn, org, id)? else { return Ok(false) };
    give_up_for(tx, org, id, "subscription_ended")?;
    tx.conn.exec("DELETE FROM subscriptions WHERE id = ?1", [id.0.as_bytes()])?;
    audit::record(tx, org, Some(by), "subscription.ended", &id.to_string(), &told(&found))?;
    Ok(true)
}

fn secret_by(conn: &Connection, org: OrgId, id: SecretId) -> Result<Option<CallbackSecret>, StoreError> {
    conn.one(
        &format!("SELECT {SECRET_COLUMNS} FROM callback_secrets WHERE id = ?1 AND org = ?2"),
        params![id.0.as_bytes(), org.0.as_bytes()],
        callback_secret,
    )
}

fn current(conn: &Connection, org: OrgId) -> Result<Option<CallbackSecret>, StoreError> {
    conn.one(
        &format!("SELECT {SECRET_COLUMNS} FROM callback_secrets WHERE org = ?1 AND is_current = 1"),
        [org.0.as_bytes()],
        callback_secret,
    )
}

/// Whether it is time to note that a secret is used.
fn unnoted(secret: &CallbackSecret, now: Timestamp) -> bool {
    secret.last_used_at.is_none_or(|noted| now - noted >= NOTED_EVERY)
}

fn about(secret: &CallbackSecret) -> serde_json::Value {
    json!({ "label": secret.label, "prefix": secret.prefix, "current": secret.is_current })
}

fn add_secret(tx: &Tx<'_>, new: &CallbackSecret, by: &UserId) -> Result<CallbackSecret, StoreError> {
    let there =
        tx.conn.one("SELECT org FROM callback_secrets WHERE id = ?1", [new.id.0.as_bytes()], |row| {
            uuid(row, 0).map(OrgId)
        })?;
    let conflict = || StoreError::Conflict("a secret of this id".to_owned());
    if let Some(org) = there {
        let found = secret_by(tx.conn, org, new.id)?;
        return found.filter(|_| org == new.org).ok_or_else(conflict);
    }
    let is_current = current(tx.conn, new.org)?.is_none();
    tx.conn.exec(
        "INSERT INTO callback_secrets (id, org, label, prefix, secret, is_current, last_used_at, created_at, updated_at)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            new.id.0.as_bytes(),
            new.org.0.as_bytes(),
            new.label,
            new.prefix,
            new.secret,
            is_current,
            new.last_used_at.map(|at| at.0),
            new.created_at.0,
            new.updated_at.0,
        ],
    )?;
    let added = CallbackSecret { is_current, ..new.clone() };
    audit::record(tx, new.org, Some(by), "callback_secret.made", &new.id.to_string(), &about(&added))?;
    Ok(added)
}

/// Makes a secret the one that signs, in place of the one that did.
fn promote(tx: &Tx<'_>, secret: &mut CallbackSecret) -> Result<(), StoreError> {
    if let Some(mut before) = current(tx.conn, secret.org)? {
        if before.id == secret.id {
            return Ok(());
        }
        before.is_current = false;
        update(tx, &mut before)?;
    }
    secret.is_current = true;
    update(tx, secret)
}

fn update(tx: &Tx<'_>, secret: &mut CallbackSecret) -> Result<(), StoreError> {
    secret.updated_at = changed_at(tx.now, secret.updated_at);
    tx.conn
        .exec(
            "UPDATE callback_secrets SET label = ?2, is_current = ?3, updated_at = ?4 WHERE id = ?1",
            params![secret.id.0.as_bytes(), secret.label, secret.is_current, secret.updated_at.0],
        )
        .map(drop)
}

fn change_secret(
    tx: &Tx<'_>,
    org: OrgId,
    id: SecretId,
    label: Option<Option<&str>>,
    make_current: bool,
    by: &UserId,
) -> Result<Option<CallbackSecret>, StoreError> {
    let Some(mut secret) = secret_by(tx.conn, org, id)? else { return Ok(None) };
    if let Some(label) = label {
        secret.label = label.map(str::to_owned);
        update(tx, &mut secret)?;
    }
    if make_current {
        promote(tx, &mut secret)?;
    }
    audit::record(tx, org, Some(by), "callback_secret.changed", &id.to_string(), &about(&secret))?;
    Ok(Some(secret))
}

fn delete_secret(tx: &Tx<'_>, org: OrgId, id: SecretId, by: &UserId) -> Result<bool, StoreError> {
    let Some(secret) = secret_by(tx.conn, org, id)? else { return Ok(false) };
    tx.conn.exec("DELETE FROM callback_secrets WHERE id = ?1", [id.0.as_bytes()])?;
    let newest = tx.conn.one(
        &format!(
            "SELECT {SECRET_COLUMNS} FROM callback_secrets WHERE org = ?1 ORDER BY created_at DESC, id DESC LIMIT 1"
        ),
        [org.0.as_bytes()],
        callback_secret,
    )?;
    if let Some(mut newest) = newest.filter(|_| secret.is_current) {
        promote(tx, &mut newest)?;
    }
    audit::record(tx, org, Some(by), "callback_secret.deleted", &id.to_string(), &about(&secret))?;
    Ok(true)
}

#[async_trait]
impl Subscriptions for Sqlite {
    async fn subscribe(&self, subscription: &Subscription, by: &UserId) -> Result<(), StoreError> {
        let (subscription, by) = (subscription.clone(), by.clone());
        self.write("subscribe", move |tx| subscribe(tx, &subscription, &by)).await
    }

    async fn subscription(&self, org: OrgId, id: SubscriptionId) -> Result<Option<Subscription>, StoreError> {
        self.read(move |conn| subscription_by(conn, org, id)).await
    }

    async fn change_subscription(
        &self,
        org: OrgId,
        id: SubscriptionId,
        asked: &SubscriptionChange,
        by: &UserId,
    ) -> Result<Changing<Subscription>, StoreError> {
        let (asked, by) = (asked.clone(), by.clone());
        self.write("change_subscription", move |tx| change(tx, org, id, &asked, &by)).await
    }

    async fn unsubscribe(&self, org: OrgId, id: SubscriptionId, by: &UserId) -> Result<bool, StoreError> {
        let by = by.clone();
        self.write("unsubscribe", move |tx| unsubscribe(tx, org, id, &by)).await
    }

    async fn add_secret(&self, secret: &CallbackSecret, by: &UserId) -> Result<CallbackSecret, StoreError> {
        let (secret, by) = (secret.clone(), by.clone());
        self.write("add_secret", move |tx| add_secret(tx, &secret, &by)).await
    }

    async fn secret(&self, org: OrgId, id: SecretId) -> Result<Option<CallbackSecret>, StoreError> {
        self.read(move |conn| secret_by(conn, org, id)).await
    }

    async fn current_secret(&self, org: OrgId, used: bool) -> Result<Option<CallbackSecret>, StoreError> {
        let now = self.now();
        let found = self.read(move |conn| current(conn, org)).await?;
        if !used || !found.as_ref().is_some_and(|secret| unnoted(secret, now)) {
            return Ok(found);
        }
        self.write("use_secret", move |tx| {
            let Some(mut secret) = current(tx.conn, org)? else { return Ok(None) };
            if unnoted(&secret, tx.now) {
                secret.last_used_at = Some(tx.now);
                tx.conn.exec(
                    "UPDATE callback_secrets SET last_used_at = ?2 WHERE id = ?1",
                    params![secret.id.0.as_bytes(), tx.now.0],
                )?;
            }
            Ok(Some(secret))
        })
        .await
    }

    async fn change_secret(
        &self,
        org: OrgId,
        id: SecretId,
        label: Option<Option<&str>>,
        make_current: bool,
        by: &UserId,
    ) -> Result<Option<CallbackSecret>, StoreError> {
        let (label, by) = (label.map(|label| label.map(str::to_owned)), by.clone());
        self.write("change_secret", move |tx| {
            let label = label.as_ref().map(Option::as_deref);
            change_secret(tx, org, id, label, make_current, &by)
        })
        .await
    }

    async fn delete_secret(&self, org: OrgId, id: SecretId, by: &UserId) -> Result<bool, StoreError> {
        let by = by.clone();
        self.write("delete_secret", move |tx| delete_secret(tx, org, id, &by)).await
    }
}
