//! Deliveries: events on their way to those who asked to be told, and the secrets that sign them.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::delivery::{About, Attempt, Delivery, DeliveryFilter, Disposition, Report};
use domain::event::{Told, What};
use domain::id::{DeliveryId, EventId, LeaseToken, OrgId, SecretId, UserId};
use domain::page::{Cursor, Slice};
use domain::time::{Millis, Timestamp};

use crate::StoreError;

/// One call for deliveries to make.
#[derive(Clone, Debug)]
pub struct Taking {
    /// One fresh token for each delivery that may be taken.
    pub tokens: Vec<LeaseToken>,
    /// When others may take them, unless they are settled before.
    pub lease: Millis,
    /// Deliveries of one organization at a time, at most.
    pub per_org: usize,
    /// Of these, to one receiver at most.
    pub per_receiver: usize,
    /// How many the sender has under way for each organization to each receiver, as [`domain::delivery::receiver`] names
    /// it.
    pub busy: BTreeMap<OrgId, BTreeMap<String, usize>>,
    /// The organization served last, where turns go on.
    pub after: Option<OrgId>,
}

/// A delivery in a sender's hands.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The delivery.
    pub delivery: Delivery,
    /// To which receiver.
    pub receiver: String,
    /// What is told: the thing as it was when the event happened. `None` where it is to be asked for by [`Deliveries::told`].
    pub told: Option<Told>,
    /// What signs it: the subscription's secret, closed. `None` where the organization's sign.
    pub secret: Option<Vec<u8>>,
    /// What proves this attempt.
    pub token: LeaseToken,
    /// Attempts that failed since the event, or since it was asked for again.
    pub failed: u32,
}

/// What became of asking for a delivery once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redelivery {
    /// It is due now.
    Due,
    /// An attempt is under way at this moment.
    UnderWay,
    /// There is no such delivery.
    Missing,
}

/// What became of asking for another callback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ToldAgain {
    /// It is due now.
    Due(DeliveryId),
    /// It has not ended yet.
    NotEnded,
    /// No address was named with it.
    NoAddress,
    /// One is on its way.
    UnderWay,
    /// There is no such thing.
    Missing,
}

/// 32 random bytes that sign what an organization is told.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct WebhookSecret(pub [u8; 32]);

impl std::fmt::Debug for WebhookSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("WebhookSecret(..)")
    }
}

/// An organization's secrets: the present one, and the one before while it still signs beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WebhookSecrets {
    /// The present one.
    pub current: WebhookSecret,
    /// When it was made.
    pub made_at: Timestamp,
    /// The one before, and until when it signs too.
    pub previous: Option<(WebhookSecret, Timestamp)>,
}

/// Events on their way to those who asked to be told.
#[async_trait]
pub trait Deliveries: Send + Sync {
    /// Takes deliveries that are due, or whose lease is over: organizations in turn, the receivers of one in turn, oldest
    /// first for each receiver. Neither an organization nor a receiver with a long backlog delays another, and those that
    /// have as much under way as they may are passed over. Costs what it takes, however much waits.
    async fn take_deliveries(&self, taking: &Taking) -> Result<Vec<Taken>, StoreError>;

    /// What is told of an event: the thing as it is now.
    async fn told(&self, org: OrgId, what: What) -> Result<Option<Told>, StoreError>;

    /// Keeps the body of a delivery before it is sent for the first time, and which secret signs it. Answers whether the lease
    /// holds.
    async fn keep_body(
        &self,
        token: LeaseToken,
        body: &[u8],
        secret: Option<SecretId>,
    ) -> Result<bool, StoreError>;

    /// Ends an attempt and keeps how it went. Answers whether it counted: an old token changes nothing.
    async fn settle_delivery(
        &self,
        token: LeaseToken,
        report: &Report,
        disposition: Disposition,
    ) -> Result<bool, StoreError>;

    /// Gives deliveries back untouched, to be taken at once by anybody. For a drain.
    async fn hand_back_deliveries(&self, tokens: &[LeaseToken]) -> Result<(), StoreError>;

    /// When the next delivery becomes due that is not yet.
    async fn next_delivery_due(&self) -> Result<Option<Timestamp>, StoreError>;

    /// An organization's deliveries, newest event first, ties by id downwards, after the cursor.
    async fn deliveries(
        &self,
        org: OrgId,
        filter: &DeliveryFilter,
        limit: u32,
        after: Option<Cursor>,
    ) -> Result<Slice<Delivery>, StoreError>;

    /// One delivery of any of these organizations, with its attempts in the order they were made.
    async fn delivery(
        &self,
        among: &[OrgId],
        id: DeliveryId,
    ) -> Result<Option<(Delivery, Vec<Attempt>)>, StoreError>;

    /// Makes a delivery due now, whatever became of it; its event id and its attempts stay, its schedule begins anew.
    async fn redeliver(&self, among: &[OrgId], id: DeliveryId) -> Result<Redelivery, StoreError>;

    /// Tells once more of the end of a run or a batch, with a delivery of its own that is worded from the present state.
    async fn tell_again(&self, org: OrgId, about: About, event: EventId) -> Result<ToldAgain, StoreError>;

    /// An organization's secrets; if it has none yet, `fresh` becomes the present one.
    async fn webhook_secrets(&self, org: OrgId, fresh: WebhookSecret) -> Result<WebhookSecrets, StoreError>;

    /// Makes `fresh` the present secret; the one before goes on signing beside it for `keep`.
    async fn rotate_webhook_secret(
        &self,
        org: OrgId,
        fresh: WebhookSecret,
        keep: Millis,
        by: &UserId,
    ) -> Result<WebhookSecrets, StoreError>;
}
