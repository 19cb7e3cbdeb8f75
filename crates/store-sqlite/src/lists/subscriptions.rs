//! Lists of subscriptions and of the secrets that sign callbacks. An organization has few of either.

use domain::filter::{Leaf, Listing};
use domain::id::OrgId;
use domain::subscription::{CallbackSecret, Subscription};
use rusqlite::Connection;
use store::{SecretField, StoreError, SubscriptionField};

use super::{Noun, Way, always, blob, maybe};
use crate::filter::{Column, Kept};
use crate::subscriptions::{SECRET_COLUMNS, SUBSCRIPTION_COLUMNS, callback_secret, subscription};

fn subscription_column(field: &SubscriptionField) -> Column {
    match field {
        SubscriptionField::Id => always("s.id", Kept::Id),
        SubscriptionField::Address => always("s.address", Kept::Text),
        SubscriptionField::DisabledAt => maybe("s.disabled_at", Kept::Time),
        SubscriptionField::LastEventAt => maybe("s.last_event_at", Kept::Time),
        SubscriptionField::CreatedAt => always("s.created_at", Kept::Time),
        SubscriptionField::UpdatedAt => always("s.updated_at", Kept::Time),
    }
}

fn secret_column(field: &SecretField) -> Column {
    match field {
        SecretField::Id => always("s.id", Kept::Id),
        SecretField::Label => maybe("s.label", Kept::Text),
        SecretField::Prefix => always("s.prefix", Kept::Text),
        SecretField::IsCurrent => always("s.is_current", Kept::Bool),
        SecretField::CreatedAt => always("s.created_at", Kept::Time),
        SecretField::UpdatedAt => always("s.updated_at", Kept::Time),
    }
}

pub(super) fn subscription_noun() -> Noun<SubscriptionField> {
    let columns = SUBSCRIPTION_COLUMNS.to_owned();
    Noun { columns, table: "subscriptions s", id: "s.id", column: subscription_column }
}

pub(super) fn secret_noun() -> Noun<SecretField> {
    let columns = SECRET_COLUMNS.to_owned();
    Noun { columns, table: "callback_secrets s", id: "s.id", column: secret_column }
}

pub(super) fn subscription_ways(noun: &Noun<SubscriptionField>, org: OrgId) -> Vec<Way<SubscriptionField>> {
    vec![noun.way("subscriptions s INDEXED BY subscriptions_of_org WHERE s.org = ?", [blob(org.0)])]
}

pub(super) fn secret_ways(noun: &Noun<SecretField>, org: OrgId) -> Vec<Way<SecretField>> {
    vec![noun.way("callback_secrets s INDEXED BY callback_secrets_of_org WHERE s.org = ?", [blob(org.0)])]
}

pub(super) fn subscriptions(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<SubscriptionField>,
) -> Result<Leaf<Subscription>, StoreError> {
    let noun = subscription_noun();
    noun.page(conn, &subscription_ways(&noun, org), listing, subscription)
}

pub(super) fn secrets(
    conn: &Connection,
    org: OrgId,
    listing: &Listing<SecretField>,
) -> Result<Leaf<CallbackSecret>, StoreError> {
    let noun = secret_noun();
    noun.page(conn, &secret_ways(&noun, org), listing, callback_secret)
}
