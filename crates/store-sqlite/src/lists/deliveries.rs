//! Lists of deliveries, of their attempts, and the callbacks about one thing.

use std::collections::BTreeMap;

use domain::delivery::{About, Attempt, Delivery, DeliveryStatus};
use domain::filter::{Leaf, Listing};
use domain::id::{DeliveryId, OrgId, SubscriptionId};
use domain::time::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, Row, params};
use store::{AttemptField, DeliveryField, ListedAttempt, StoreError, wholes};
use uuid::Uuid;

use super::{Noun, WHOLE, Way, always, blob, maybe, required, the_one};
use crate::deliveries::{DELIVERY_COLUMNS, attempt, delivery};
use crate::filter::{Column, Kept};
use crate::rows::{id_list, uuid};
use crate::sql::Sql;

fn column(field: &DeliveryField) -> Column {
    match field {
        DeliveryField::Id => always("d.id", Kept::Id),
        DeliveryField::CreatedAt => always("d.at", Kept::Time),
        DeliveryField::Subscription => maybe("d.subscription", Kept::Id),
        DeliveryField::Kind => always("d.kind", Kept::Text),
        DeliveryField::Status => always("d.state", Kept::Text),
        DeliveryField::Address => always("d.address", Kept::Text),
        DeliveryField::Attempts => always("d.attempts", WHOLE),
    }
}

pub(super) fn noun() -> Noun<DeliveryField> {
    Noun { columns: DELIVERY_COLUMNS.to_owned(), table: "deliveries d", id: "d.id", column }
}

pub(super) fn ways(
    noun: &Noun<DeliveryField>,
    org: OrgId,
    subscription: Option<SubscriptionId>,
    listing: &Listing<DeliveryField>,
) -> Vec<Way<DeliveryField>> {
    let org = blob(org.0);
    let subscriptions = subscription
        .map(|subscription| vec![blob(subscription.0)])
        .or_else(|| required(listing, &DeliveryField::Subscription));
    let states = required(listing, &DeliveryField::Status);
    // Most deliveries were delivered; the other states tell few from many.
    let most = Value::Text(DeliveryStatus::Delivered.as_str().to_owned());
    let states = states.filter(|states| !states.contains(&most));
    if required(listing, &DeliveryField::Id).is_some() {
        match subscription {
            Some(subscription) => {
                let from = "deliveries d WHERE +d.org = ? AND +d.subscription = ?";
                vec![noun.way(from, [org, blob(subscription.0)])]
            }
            None => vec![noun.way("deliveries d WHERE +d.org = ? AND +d.subscription IS NOT NULL", [org])],
        }
    } else if let Some(subscriptions) = subscriptions {
        let from =
            "deliveries d INDEXED BY deliveries_of_subscription WHERE d.org = ? AND d.subscription = ?";
        noun.ways(subscriptions, from, [org])
    } else if let Some(states) = states {
        let from = "deliveries d INDEXED BY deliveries_in_state
                    WHERE d.subscription IS NOT NULL AND d.org = ? AND d.state = ?";
        noun.ways(states, from, [org])
    } else {
        let from = "deliveries d INDEXED BY deliveries_of_subscriptions WHERE d.org = ? AND d.subscription IS NOT NULL";
        vec![noun.way(from, [org])]
    }
}

pub(super) fn list(
    conn: &Connection,
    org: OrgId,
    subscription: Option<SubscriptionId>,
    listing: &Listing<DeliveryField>,
) -> Result<Leaf<Delivery>, StoreError> {
    let noun = noun();
    noun.page(conn, &ways(&noun, org, subscription, listing), listing, delivery)
}

fn attempt_column(field: &AttemptField) -> Column {
    match field {
        AttemptField::Id => always("part_of(a.delivery, a.number)", Kept::Id),
        AttemptField::Number => always("a.number", WHOLE),
        AttemptField::CreatedAt => always("a.at", Kept::Time),
        AttemptField::HttpStatus => maybe("a.status", WHOLE),
        AttemptField::Took => always("a.took", WHOLE),
        AttemptField::Succeeded => always("(a.error IS NULL)", Kept::Bool),
    }
}

/// What [`listed_attempt`] reads: an attempt's columns first.
const ATTEMPT_COLUMNS: &str = "a.number, a.at, a.took, a.status, a.error, a.answer, a.delivery, \
     iif(d.state = 'pending' AND a.number = d.attempts, d.due_at, NULL)";

fn listed_attempt(row: &Row<'_>) -> rusqlite::Result<ListedAttempt> {
    Ok(ListedAttempt {
        delivery: DeliveryId(uuid(row, 6)?),
        attempt: attempt(row)?,
        next_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
    })
}

pub(super) fn attempt_noun() -> Noun<AttemptField> {
    Noun {
        columns: ATTEMPT_COLUMNS.to_owned(),
        table: "deliveries d CROSS JOIN delivery_attempts a ON a.delivery = d.id",
        id: "part_of(a.delivery, a.number)",
        column: attempt_column,
    }
}

/// Attempts of one delivery are few. Those of every delivery are put in order, as many as are kept: no index has them.
pub(super) fn attempt_way(
    noun: &Noun<AttemptField>,
    org: OrgId,
    delivery: Option<DeliveryId>,
    listing: &Listing<AttemptField>,
) -> Way<AttemptField> {
    let org = blob(org.0);
    let table = noun.table;
    if let Some(delivery) = delivery {
        return noun.way(&format!("{table} WHERE d.id = ? AND +d.org = ?"), [blob(delivery.0), org]);
    }
    if let Some((least, most)) = whole_of(the_one(listing, &AttemptField::Id)) {
        let from =
            format!("{table} WHERE d.id BETWEEN ? AND ? AND +d.org = ? AND +d.subscription IS NOT NULL");
        return noun.way(&from, [least, most, org]);
    }
    let from = "deliveries d INDEXED BY deliveries_of_subscriptions CROSS JOIN delivery_attempts a ON a.delivery = d.id
                WHERE d.org = ? AND d.subscription IS NOT NULL";
    noun.way(from, [org])
}

/// Between which ids the whole lies that has a part of this id.
pub(super) fn whole_of(part: Option<Value>) -> Option<(Value, Value)> {
    let Some(Value::Blob(part)) = part else { return None };
    let (least, most) = wholes(Uuid::from_slice(&part).ok()?);
    Some((blob(least), blob(most)))
}

pub(super) fn attempts(
    conn: &Connection,
    org: OrgId,
    delivery: Option<DeliveryId>,
    listing: &Listing<AttemptField>,
) -> Result<Leaf<ListedAttempt>, StoreError> {
    let noun = attempt_noun();
    noun.page(conn, &[attempt_way(&noun, org, delivery, listing)], listing, listed_attempt)
}

pub(super) const CALLBACKS_OF_RUN: &str = "deliveries d INDEXED BY deliveries_of_run WHERE d.run = ?1";
pub(super) const CALLBACKS_OF_BATCH: &str = "deliveries d INDEXED BY deliveries_of_batch WHERE d.batch = ?1";

pub(super) fn callbacks(
    conn: &Connection,
    org: OrgId,
    about: About,
) -> Result<Vec<(Delivery, Vec<Attempt>)>, StoreError> {
    let (from, subject) = match about {
        About::Run(run) => (CALLBACKS_OF_RUN, run.0),
        About::Batch(handle) => (CALLBACKS_OF_BATCH, handle),
    };
    let found = conn.all(
        &format!(
            "SELECT {DELIVERY_COLUMNS} FROM {from} AND d.org = ?2 AND d.subscription IS NULL ORDER BY d.at, d.id"
        ),
        params![subject.as_bytes(), org.0.as_bytes()],
        delivery,
    )?;
    let made = conn.all(
        "SELECT number, at, took, status, error, answer, delivery FROM delivery_attempts
         WHERE delivery IN (SELECT unhex(value) FROM json_each(?1)) ORDER BY delivery, number",
        [id_list(found.iter().map(|delivery| delivery.id.0))],
        |row| Ok((DeliveryId(uuid(row, 6)?), attempt(row)?)),
    )?;
    let mut attempts: BTreeMap<DeliveryId, Vec<Attempt>> = BTreeMap::new();
    for (delivery, attempt) in made {
        attempts.entry(delivery).or_default().push(attempt);
    }
    Ok(found
        .into_iter()
        .map(|delivery| {
            let made = attempts.remove(&delivery.id).unwrap_or_default();
            (delivery, made)
        })
        .collect())
}
