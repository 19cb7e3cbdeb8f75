//! Recording what happened as deliveries: one for each who is to be told.

use domain::delivery::receiver;
use domain::event::{Kind, What};
use domain::id::{DeliveryId, EventId, OrgId, SubscriptionId};
use domain::request::Face;
use rusqlite::params;
use store::StoreError;

use crate::ids::fresh_id;
use crate::rows::uuid;
use crate::sql::Sql;
use crate::writer::Tx;

/// Records an event for each different address that was named with what it is about, and for each subscription to its kind,
/// if it is worth telling. To be called once the row of what it is about says what is to be told.
pub(crate) fn record_event(
    tx: &Tx<'_>,
    event: EventId,
    org: OrgId,
    what: What,
    face: Option<&Face>,
    addresses: &[String],
) -> Result<(), StoreError> {
    let Some(kind) = what.kind() else { return Ok(()) };
    // A face with words of its own tells those whom it was given of ends alone.
    let is_told = face.is_none() || kind != Kind::RunInReview;
    for (index, address) in addresses.iter().enumerate() {
        if is_told && !addresses[..index].contains(address) {
            let face = face.map_or("", |face| face.0.as_str());
            record(
                tx,
                &Recording { event, org, what, kind, face, address, subscription: None, automatic: true },
            )?;
        }
    }
    let subscribed = tx.conn.all(SUBSCRIBED, params![org.0.as_bytes(), kind.as_str()], |row| {
        Ok((SubscriptionId(uuid(row, 0)?), row.get::<_, String>(1)?, row.get::<_, String>(2)?))
    })?;
    for (id, face, address) in subscribed {
        let (face, address) = (face.as_str(), address.as_str());
        record(
            tx,
            &Recording { event, org, what, kind, face, address, subscription: Some(id), automatic: true },
        )?;
        tx.conn.exec(
            "UPDATE subscriptions SET last_event_at = ?2 WHERE id = ?1",
            params![id.0.as_bytes(), tx.now.0],
        )?;
    }
    Ok(())
}

/// The subscriptions of an organization to a kind of events.
pub(crate) const SUBSCRIBED: &str = "SELECT id, face, address FROM subscriptions
    WHERE org = ?1 AND disabled_at IS NULL AND EXISTS (SELECT 1 FROM json_each(kinds) WHERE value = ?2)";

/// One event to be told to one address.
pub(super) struct Recording<'a> {
    pub(super) event: EventId,
    pub(super) org: OrgId,
    pub(super) what: What,
    pub(super) kind: Kind,
    pub(super) face: &'a str,
    pub(super) address: &'a str,
    pub(super) subscription: Option<SubscriptionId>,
    pub(super) automatic: bool,
}

pub(super) fn record(tx: &Tx<'_>, it: &Recording<'_>) -> Result<DeliveryId, StoreError> {
    let id = fresh_id(tx)?;
    let subscription = it.subscription.as_ref().map(|id| id.0.as_bytes().as_slice());
    let about = it.what.subject();
    if let What::Run { status, .. } = it.what {
        tx.conn.exec(
            "INSERT INTO deliveries (id, event, org, kind, run, face, subscription, automatic, address, receiver, at, status,
                                     started_at, finished_at, charged, result, failure, state, due_at)
             SELECT ?1, ?2, ?3, ?4, id, ?6, ?7, ?8, ?9, ?10, ?11, ?12, started_at, finished_at, charged, result, failure,
                    'pending', ?11
             FROM runs WHERE id = ?5",
            params![
                id.as_bytes(),
                it.event.0.as_bytes(),
                it.org.0.as_bytes(),
                it.kind.as_str(),
                about.as_bytes(),
                it.face,
                subscription,
                it.automatic,
                it.address,
                receiver(it.address),
                tx.now.0,
                status.as_str(),
            ],
        )?;
    } else {
        let column = if matches!(it.what, What::Batch { .. }) { "batch" } else { "evaluation" };
        tx.conn.exec(
            &format!(
                "INSERT INTO deliveries (id, event, org, kind, {column}, face, subscription, automatic, address, receiver, at,
                                         state, due_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 'pending', ?11)"
            ),
            params![
                id.as_bytes(),
                it.event.0.as_bytes(),
                it.org.0.as_bytes(),
                it.kind.as_str(),
                about.as_bytes(),
                it.face,
                subscription,
                it.automatic,
                it.address,
                receiver(it.address),
                tx.now.0,
            ],
        )?;
    }
    Ok(DeliveryId(id))
}
