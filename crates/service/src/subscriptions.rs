//! Subscriptions to an organization's events, and the secrets that sign callbacks. Secrets are shown once and kept closed.

use std::collections::BTreeSet;

use domain::access::Caller;
use domain::delivery::{About, Attempt, Delivery};
use domain::event::Kind;
use domain::id::{DeliveryId, EventId, OrgId, SecretId, SubscriptionId};
use domain::request::Face;
use domain::subscription::{CallbackSecret, Subscription};
use domain::time::Timestamp;
use sha2::{Digest, Sha256};
use store::{Changing, SubscriptionChange, ToldAgain};
use uuid::Uuid;

use crate::access::fresh_secret;
use crate::dispatch::checked_addresses;
use crate::{OrgChoice, Refusal, Service, Thing};

/// What such secrets begin with.
const PREFIX: &str = "whsec_";
/// How much of a secret is shown after that.
const SHOWN: usize = 6;
/// Shortest and longest secret that a caller may choose.
const SECRET_CHARS: std::ops::RangeInclusive<usize> = 16..=255;
/// Most characters in a secret's label.
const LABEL_MAX: usize = 255;

/// A subscription to be made.
#[derive(Clone, Debug)]
pub struct SubscriptionDraft {
    /// The face that words what is told.
    pub face: Face,
    /// The address to tell.
    pub address: String,
    /// Of what.
    pub kinds: BTreeSet<Kind>,
    /// The secret that signs it; a fresh one if none is chosen.
    pub secret: Option<String>,
}

/// A subscription that was made.
#[derive(Clone, Debug)]
pub struct NewSubscription {
    /// The subscription.
    pub subscription: Subscription,
    /// Its secret, shown this once, if it was made here.
    pub plain_secret: Option<String>,
}

/// A secret that was made.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// The secret, as lists show it.
    pub secret: CallbackSecret,
    /// The secret itself, shown this once.
    pub plain_secret: String,
}

/// What a subscription's secret is closed with: it opens nowhere else.
pub(crate) fn context(org: OrgId, id: Uuid) -> Vec<u8> {
    domain::subscription::context(org, id)
}

impl Service {
    /// Subscribes an address to events. Its id is `seed`.
    pub async fn subscribe(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        draft: SubscriptionDraft,
        seed: Uuid,
    ) -> Result<NewSubscription, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let chosen = draft.secret.is_some();
        let plain = match draft.secret {
            Some(secret) => checked_secret(secret)?,
            None => format!("{PREFIX}{}", fresh_secret()),
        };
        let address = checked_addresses(vec![draft.address])?.remove(0);
        let now = self.now();
        let id = SubscriptionId(seed);
        let subscription = Subscription {
            id,
            org,
            face: draft.face,
            address,
            kinds: draft.kinds,
            secret: self.0.seal.close(plain.as_bytes(), &context(org, id.0)),
            fingerprint: fingerprint(&plain),
            disabled_at: None,
            last_event_at: None,
            created_at: now,
            updated_at: now,
        };
        self.0
            .store
            .subscribe(&subscription, &caller.user)
            .await
            .map_err(Refusal::store("file the subscription"))?;
        Ok(NewSubscription { subscription, plain_secret: (!chosen).then_some(plain) })
    }

    /// One subscription.
    pub async fn subscription(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: SubscriptionId,
    ) -> Result<Subscription, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let found =
            self.0.store.subscription(org, id).await.map_err(Refusal::store("read the subscription"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Subscription, id))
    }

    /// Changes a subscription; a new secret is the caller's to choose.
    #[allow(clippy::too_many_arguments, reason = "each is one thing that may change")]
    pub async fn change_subscription(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: SubscriptionId,
        address: Option<String>,
        kinds: Option<BTreeSet<Kind>>,
        secret: Option<String>,
        disabled_at: Option<Option<Timestamp>>,
        unless_changed_since: Option<Timestamp>,
    ) -> Result<Subscription, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let address =
            address.map(|address| checked_addresses(vec![address])).transpose()?.map(|mut one| one.remove(0));
        let secret = secret
            .map(checked_secret)
            .transpose()?
            .map(|plain| (self.0.seal.close(plain.as_bytes(), &context(org, id.0)), fingerprint(&plain)));
        let change = SubscriptionChange { address, kinds, secret, disabled_at, unless_changed_since };
        let changed = self.0.store.change_subscription(org, id, &change, &caller.user).await;
        match changed.map_err(Refusal::store("change the subscription"))? {
            Changing::Now(now) => Ok(now),
            Changing::Stale => Err(Refusal::Changed),
            Changing::Missing => Err(Refusal::missing(Thing::Subscription, id)),
        }
    }

    /// Ends a subscription.
    pub async fn unsubscribe(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: SubscriptionId,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let gone = self.0.store.unsubscribe(org, id, &caller.user).await;
        match gone.map_err(Refusal::store("end the subscription"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Subscription, id)),
        }
    }

    /// Makes a secret that signs callbacks; the organization's first one signs at once. Its id is `seed`.
    pub async fn add_callback_secret(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        label: Option<String>,
        seed: Uuid,
    ) -> Result<NewSecret, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let label = label.map(checked_label).transpose()?;
        let plain_secret = format!("{PREFIX}{}", fresh_secret());
        let now = self.now();
        let secret = CallbackSecret {
            id: SecretId(seed),
            org,
            label,
            prefix: plain_secret[..PREFIX.len() + SHOWN].to_owned(),
            secret: self.0.seal.close(plain_secret.as_bytes(), &context(org, seed)),
            is_current: false,
            last_used_at: None,
            created_at: now,
            updated_at: now,
        };
        let secret = self.0.store.add_secret(&secret, &caller.user).await;
        Ok(NewSecret { secret: secret.map_err(Refusal::store("file the secret"))?, plain_secret })
    }

    /// One secret, as lists show it.
    pub async fn callback_secret(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: SecretId,
    ) -> Result<CallbackSecret, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let found = self.0.store.secret(org, id).await.map_err(Refusal::store("read the secret"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Secret, id))
    }

    /// Renames a secret, or makes it the one that signs.
    pub async fn change_callback_secret(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: SecretId,
        label: Option<Option<String>>,
        make_current: bool,
    ) -> Result<CallbackSecret, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let label = label.map(|label| label.map(checked_label).transpose()).transpose()?;
        let label = label.as_ref().map(|label| label.as_deref());
        let changed = self.0.store.change_secret(org, id, label, make_current, &caller.user).await;
        let changed = changed.map_err(Refusal::store("change the secret"))?;
        changed.ok_or_else(|| Refusal::missing(Thing::Secret, id))
    }

    /// Deletes a secret; if it signed, the newest of the others signs.
    pub async fn delete_callback_secret(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: SecretId,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org_as_admin(caller, choice)?;
        let gone = self.0.store.delete_secret(org, id, &caller.user).await;
        match gone.map_err(Refusal::store("delete the secret"))? {
            true => Ok(()),
            false => Err(Refusal::missing(Thing::Secret, id)),
        }
    }

    /// The callbacks about a run or a batch, oldest first, each with its attempts.
    pub async fn callbacks(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        about: About,
    ) -> Result<Vec<(Delivery, Vec<Attempt>)>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        match about {
            About::Run(run) => drop(self.read_run(&[org], run).await?),
            About::Batch(batch) => drop(self.batch_of(caller, choice, batch).await?),
        }
        self.0.store.callbacks(org, about).await.map_err(Refusal::store("list the callbacks"))
    }

    /// Tells once more of the end of a run or a batch. Refuses with [`Refusal::NotNow`] if it has not ended or names no address,
    /// and with [`Refusal::Conflict`] while a callback is on its way.
    pub async fn tell_again(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        about: About,
    ) -> Result<Delivery, Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let org = self.one_org(caller, choice)?;
        let event = EventId(self.0.ids.next());
        let told = self.0.store.tell_again(org, about, event).await;
        let delivery: DeliveryId = match told.map_err(Refusal::store("redeliver"))? {
            ToldAgain::Due(delivery) => delivery,
            ToldAgain::NotEnded => {
                return Err(Refusal::NotNow("it has not ended yet; wait for its end".to_owned()));
            }
            ToldAgain::NoAddress => {
                return Err(Refusal::NotNow(
                    "no `callback_url` was given with it; there is nobody to tell".to_owned(),
                ));
            }
            ToldAgain::UnderWay => {
                return Err(Refusal::Conflict(
                    "a delivery is on its way already; wait for its end".to_owned(),
                ));
            }
            ToldAgain::Missing => {
                return Err(match about {
                    About::Run(run) => Refusal::missing(Thing::Run, run),
                    About::Batch(batch) => Refusal::missing(Thing::Batch, batch),
                });
            }
        };
        let found =
            self.0.store.delivery(&[org], delivery).await.map_err(Refusal::store("read the delivery"))?;
        found.map(|(delivery, _)| delivery).ok_or_else(|| Refusal::missing(Thing::Delivery, delivery))
    }
}

fn checked_secret(secret: String) -> Result<String, Refusal> {
    let good = SECRET_CHARS.contains(&secret.chars().count()) && secret.chars().all(|c| c.is_ascii_graphic());
    if good {
        Ok(secret)
    } else {
        Err(Refusal::Invalid(format!(
            "`secret` has {} to {} visible ASCII characters; leave it out to have one made",
            SECRET_CHARS.start(),
            SECRET_CHARS.end()
        )))
    }
}

fn checked_label(label: String) -> Result<String, Refusal> {
    if label.chars().count() > LABEL_MAX {
        return Err(Refusal::Invalid(format!("`label` is longer than {LABEL_MAX} characters; shorten it")));
    }
    Ok(label)
}

/// By which people tell secrets apart: the first 16 hexadecimal digits of its SHA-256.
fn fingerprint(secret: &str) -> String {
    let digest = Sha256::digest(secret.as_bytes());
    digest[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}
