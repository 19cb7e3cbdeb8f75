//! Subscriptions to an organization's events, and the secrets that sign callbacks.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::event::Kind;
use domain::id::{OrgId, SecretId, SubscriptionId, UserId};
use domain::subscription::{CallbackSecret, Subscription};
use domain::time::Timestamp;

use crate::StoreError;

/// A change to a subscription; what is `None` stays.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SubscriptionChange {
    /// Another address.
    pub address: Option<String>,
    /// Other kinds of events.
    pub kinds: Option<BTreeSet<Kind>>,
    /// Another secret, closed, with its fingerprint.
    pub secret: Option<(Vec<u8>, String)>,
    /// Disabled since then, or enabled again.
    pub disabled_at: Option<Option<Timestamp>>,
    /// How it must have been last changed, or the change is refused.
    pub unless_changed_since: Option<Timestamp>,
}

/// How a change went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changing<T> {
    /// This is how it is now.
    Now(T),
    /// It was changed since.
    Stale,
    /// There is no such thing.
    Missing,
}

/// Subscriptions and secrets.
#[async_trait]
pub trait Subscriptions: Send + Sync {
    /// Files a subscription. Filing it again changes nothing.
    async fn subscribe(&self, subscription: &Subscription, by: &UserId) -> Result<(), StoreError>;

    /// One subscription.
    async fn subscription(&self, org: OrgId, id: SubscriptionId) -> Result<Option<Subscription>, StoreError>;

    /// Changes a subscription. What one that is disabled was not sent yet is given up.
    async fn change_subscription(
        &self,
        org: OrgId,
        id: SubscriptionId,
        change: &SubscriptionChange,
        by: &UserId,
    ) -> Result<Changing<Subscription>, StoreError>;

    /// Ends a subscription. Its deliveries stay in the records; those not sent yet are given up. Answers whether there was one.
    async fn unsubscribe(&self, org: OrgId, id: SubscriptionId, by: &UserId) -> Result<bool, StoreError>;

    /// Files a secret: the organization's first is the current one. Answers it as it is. Filing it again changes nothing.
    async fn add_secret(&self, secret: &CallbackSecret, by: &UserId) -> Result<CallbackSecret, StoreError>;

    /// One secret.
    async fn secret(&self, org: OrgId, id: SecretId) -> Result<Option<CallbackSecret>, StoreError>;

    /// The secret that signs, noted as used now where `used` (at most once a minute).
    async fn current_secret(&self, org: OrgId, used: bool) -> Result<Option<CallbackSecret>, StoreError>;

    /// Renames a secret (`Some(None)` takes its name), or makes it the current one.
    async fn change_secret(
        &self,
        org: OrgId,
        id: SecretId,
        label: Option<Option<&str>>,
        make_current: bool,
        by: &UserId,
    ) -> Result<Option<CallbackSecret>, StoreError>;

    /// Deletes a secret; if it was the current one, the newest of the others is. Answers whether there was one.
    async fn delete_secret(&self, org: OrgId, id: SecretId, by: &UserId) -> Result<bool, StoreError>;
}
