//! Deliveries: recorded with the state they tell of, taken on a lease, settled attempt by attempt.

mod attempts;
mod owners;
mod recording;
mod redelivery;
mod row;
mod secrets;
mod taking;
mod told;

use async_trait::async_trait;
use domain::delivery::{About, Attempt, Delivery, DeliveryFilter, Disposition, Report};
use domain::event::{Told, What};
use domain::id::{DeliveryId, EventId, LeaseToken, OrgId, SecretId, UserId};
use domain::page::{Cursor, Slice};
use domain::time::{Millis, Timestamp};
use store::{Deliveries, Redelivery, StoreError, Taken, Taking, ToldAgain, WebhookSecret, WebhookSecrets};

pub(crate) use self::attempts::{attempt, give_up_for};
pub(crate) use self::recording::record_event;
pub(crate) use self::row::{DELIVERY_COLUMNS, delivery};
use crate::database::Sqlite;

#[cfg(test)]
pub(crate) use self::{
    attempts::NOT_SENT,
    owners::listing,
    recording::SUBSCRIBED,
    taking::{LAST_TURN, LINE_UP, NEXT_ORG, NEXT_RECEIVER, OLDEST},
};

#[async_trait]
impl Deliveries for Sqlite {
    async fn take_deliveries(&self, taking: &Taking) -> Result<Vec<Taken>, StoreError> {
        let taking = taking.clone();
        self.write("take_deliveries", move |tx| taking::take(tx, &taking)).await
    }

    async fn told(&self, org: OrgId, what: What) -> Result<Option<Told>, StoreError> {
        self.read(move |conn| told::told(conn, org, what)).await
    }

    async fn keep_body(
        &self,
        token: LeaseToken,
        body: &[u8],
        secret: Option<SecretId>,
    ) -> Result<bool, StoreError> {
        let body = body.to_vec();
        self.write("keep_body", move |tx| told::keep_body(tx, token, &body, secret)).await
    }

    async fn tell_again(&self, org: OrgId, about: About, event: EventId) -> Result<ToldAgain, StoreError> {
        self.write("tell_again", move |tx| redelivery::tell_again(tx, org, about, event)).await
    }

    async fn settle_delivery(
        &self,
        token: LeaseToken,
        report: &Report,
        disposition: Disposition,
    ) -> Result<bool, StoreError> {
        let report = report.clone();
        self.write("settle_delivery", move |tx| attempts::settle(tx, token, &report, disposition)).await
    }

    async fn hand_back_deliveries(&self, tokens: &[LeaseToken]) -> Result<(), StoreError> {
        let tokens = tokens.to_vec();
        self.write("hand_back_deliveries", move |tx| taking::hand_back(tx, &tokens)).await
    }

    async fn next_delivery_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let now = self.now();
        self.read(move |conn| taking::next_due(conn, now)).await
    }

    async fn deliveries(
        &self,
        org: OrgId,
        filter: &DeliveryFilter,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Slice<Delivery>, StoreError> {
        let filter = *filter;
        self.read(move |conn| owners::list(conn, org, &filter, limit, after)).await
    }

    async fn delivery(
        &self,
        among: &[OrgId],
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError> {
        let among = among.to_vec();
        self.read(move |conn| owners::one(conn, &among, id)).await
    }

    async fn redeliver(&self, among: &[OrgId], id: DeliveryId) -> Result<Redelivery, StoreError> {
        let among = among.to_vec();
        self.write("redeliver", move |tx| redelivery::redeliver(tx, &among, id)).await
    }

    async fn webhook_secrets(&self, org: OrgId, fresh: WebhookSecret) -> Result<WebhookSecrets, StoreError> {
        let now = self.now();
        if let Some(found) = self.read(move |conn| secrets::secrets(conn, org, now)).await? {
            return Ok(found);
        }
        self.write("webhook_secrets", move |tx| secrets::begin(tx, org, fresh)).await
    }

    async fn rotate_webhook_secret(
        &self,
        org: OrgId,
        fresh: WebhookSecret,
        keep: Millis,
        by: &UserId,
    ) -> Result<WebhookSecrets, StoreError> {
        let by = by.clone();
        self.write("rotate_webhook_secret", move |tx| secrets::rotate(tx, org, fresh, keep, &by)).await
    }
}
