//! Deliveries as the members of an organization see them, and the secret that signs them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::access::Caller;
use domain::delivery::{Attempt, Delivery, DeliveryFilter};
use domain::id::DeliveryId;
use domain::page::Slice;
use domain::time::{Millis, Timestamp};
use store::{Redelivery, WebhookSecret, WebhookSecrets};

use crate::access::random_bytes;
use crate::{OrgChoice, Refusal, Service, Thing};

/// How long the secret before the present one signs beside it.
const OLD_SECRET_SIGNS: Millis = Millis::seconds(24 * 3600);
/// Longest page of deliveries.
const DELIVERIES_MAX: u32 = 500;

/// The secret that signs what an organization is told, as its receivers need it: `whsec_` and Base64 of 32 bytes, which
/// are the key of both signatures (`webhook-signature` after Standard Webhooks, and `x-retouch-signature` over the body).
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    /// The present secret.
    pub secret: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// The one before, and until when everything is signed with it too.
    pub previous: Option<(String, Timestamp)>,
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningSecret").field("made_at", &self.made_at).finish_non_exhaustive()
    }
}

impl From<WebhookSecrets> for SigningSecret {
    fn from(secrets: WebhookSecrets) -> Self {
        let text = |secret: WebhookSecret| format!("whsec_{}", STANDARD.encode(secret.0));
        Self {
            secret: text(secrets.current),
            made_at: secrets.made_at,
            previous: secrets.previous.map(|(secret, until)| (text(secret), until)),
        }
    }
}

impl Service {
    /// An organization's deliveries, newest event first: those that match, up to `limit` (500 at most), after the
    /// `cursor` that the page before gave. Refuses with [`Refusal::Invalid`] a cursor that was not given here.
    pub async fn deliveries(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        filter: &DeliveryFilter,
        limit: u32,
        cursor: Option<&str>,
    ) -> Result<Slice<Delivery>, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let after = match cursor {
            None => None,
            Some(text) => {
                let cursor: Result<_, domain::page::NotACursor> = text.parse();
                Some(cursor.map_err(|error| Refusal::Invalid(error.to_string()))?)
            }
        };
        let limit = limit.clamp(1, DELIVERIES_MAX);
        let found = self.0.store.deliveries(org, filter, limit, after).await;
        found.map_err(Refusal::store("list the deliveries"))
    }

    /// One delivery with its attempts, oldest first. Refuses with [`Refusal::Missing`] what belongs to others.
    pub async fn delivery(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: DeliveryId,
    ) -> Result<(Delivery, Vec<Attempt>), Refusal> {
        self.need_scope(caller, "runs:read")?;
        let among = self.orgs_to_search(caller, choice);
        let found = self.0.store.delivery(&among, id).await.map_err(Refusal::store("read the delivery"))?;
        found.ok_or_else(|| Refusal::missing(Thing::Delivery, id))
    }

    /// Makes a delivery once more, now: with the same event id and body, and a schedule that begins anew. Refuses with
    /// [`Refusal::Conflict`] while an attempt is under way.
    pub async fn redeliver(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        id: DeliveryId,
    ) -> Result<(), Refusal> {
        self.need_scope(caller, "runs:execute")?;
        let among = self.orgs_to_search(caller, choice);
        match self.0.store.redeliver(&among, id).await.map_err(Refusal::store("redeliver"))? {
            Redelivery::Due => Ok(()),
            Redelivery::Missing => Err(Refusal::missing(Thing::Delivery, id)),
            Redelivery::UnderWay => Err(Refusal::Conflict(
                "an attempt of this delivery is under way; wait for its end and look again".to_owned(),
            )),
        }
    }

    /// The secret that signs what the organization is told; made when first asked for. For administrators only.
    pub async fn webhook_secret(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
    ) -> Result<SigningSecret, Refusal> {
        let org = self.one_org_as_admin(caller, choice)?;
        let secrets = self.0.store.webhook_secrets(org, WebhookSecret(random_bytes())).await;
        Ok(secrets.map_err(Refusal::store("read the webhook secret"))?.into())
    }

    /// Makes a new secret. Everything is signed with the old one too for 24 hours. For administrators only.
    pub async fn rotate_webhook_secret(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
    ) -> Result<SigningSecret, Refusal> {
        let org = self.one_org_as_admin(caller, choice)?;
        let fresh = WebhookSecret(random_bytes());
        let secrets = self.0.store.rotate_webhook_secret(org, fresh, OLD_SECRET_SIGNS, &caller.user).await;
        Ok(secrets.map_err(Refusal::store("change the webhook secret"))?.into())
    }
}
