//! What a caller may ask for, one file a noun: runs, images, workflows, access. Checks who asks and what for, and speaks
//! to the store and the blobs. Knows no HTTP and no picture's pixels.

pub mod access;
mod assets;
mod audit;
mod batches;
mod choice;
mod credits;
mod deliveries;
mod deployments;
mod dispatch;
mod evaluations;
mod feed;
mod fetch;
mod founding;
mod images;
mod links;
mod lists;
mod orgs;
mod previews;
mod rates;
mod refusal;
mod repeats;
mod reviews;
mod runs;
mod settings;
mod subscriptions;
mod thumbnails;
mod waiters;
mod workflows;

use std::sync::Arc;

use blob::Blobs;
use domain::component::Catalogue;
use domain::evaluation::CheckLimits;
use domain::id::Ids;
use domain::image::{Inspect, Thumbnailer};
use domain::seal::Seal;
use domain::time::Timestamp;
use outbound::Outbound;
use store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use assets::{UploadDraft, Uploaded};
pub use batches::BatchDraft;
pub use choice::OrgChoice;
pub use credits::Funds;
pub use deliveries::SigningSecret;
pub use deployments::DeploymentDraft;
pub use dispatch::{BatchCommission, Commission, Dispatched, ModelWork, check_callback};
pub use evaluations::EvaluationDraft;
pub use feed::{Follower, Told};
pub use founding::{Founded, FoundingPlan};
pub use images::{Handout, Intake};
pub use links::{Link, LinkFault, LinkKey, LinkUse};
pub use previews::Previewer;
pub use rates::Allowance;
pub use refusal::{Refusal, Thing, TokenFault};
pub use reviews::{Opinion, Tally};
pub use runs::{INPUTS_MAX, Order, RunDetails};
pub use settings::ServiceSettings;
pub use store::{
    AssetChange, AssetField, AttemptField, BatchField, DeliveryField, EvaluationField, FolderChange,
    FolderField, ListedAttempt, ListedStep, LogField, RunField, SecretField, StepField, SubscriptionField,
    attempt_id, part_number, step_id,
};
pub use store::{CreditAlert, Deployment, DeploymentHead};
pub use subscriptions::{NewSecret, NewSubscription, SubscriptionDraft};
pub use waiters::Seat;
pub use workflows::{Checked, WorkflowDraft};

use crate::access::Signers;
use crate::access::Tries;
use crate::access::{Memberships, Passwords};
use crate::feed::Channels;
use crate::fetch::Fetches;
use crate::previews::Previews;
use crate::rates::Rates;
use crate::thumbnails::Places;
use crate::waiters::{Seats, Waiters};

/// What a [`Service`] is made of.
pub struct Parts {
    /// What is remembered.
    pub store: Arc<dyn Store>,
    /// The bytes.
    pub blobs: Blobs,
    /// The components there are.
    pub catalogue: Arc<Catalogue>,
    /// Where new ids come from.
    pub ids: Arc<dyn Ids>,
    /// Reads a picture's header.
    pub inspect: Arc<dyn Inspect>,
    /// Makes small pictures of pictures.
    pub thumbnailer: Arc<dyn Thumbnailer>,
    /// The way out, for pictures to fetch.
    pub outbound: Outbound,
    /// Closes secrets that are remembered.
    pub seal: Arc<dyn Seal>,
    /// What signs links that need no token.
    pub link_key: LinkKey,
    /// Knows which limits for evaluations make sense.
    pub check_limits: Arc<dyn CheckLimits>,
    /// Limits and names.
    pub settings: ServiceSettings,
}

/// Everything a caller may ask for. Cheap to clone; every clone is the same service.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    store: Arc<dyn Store>,
    blobs: Blobs,
    catalogue: Arc<Catalogue>,
    ids: Arc<dyn Ids>,
    inspect: Arc<dyn Inspect>,
    thumbnailer: Arc<dyn Thumbnailer>,
    /// Places for small pictures being made.
    thumbnails: Places,
    /// Who makes small pictures of steps.
    previews: Previews,
    outbound: Outbound,
    /// Places for pictures being fetched, over all requests.
    fetches: Fetches,
    seal: Arc<dyn Seal>,
    link_key: LinkKey,
    settings: ServiceSettings,
    check_limits: Arc<dyn CheckLimits>,
    waiters: Waiters,
    seats: Seats,
    channels: Channels,
    signers: Signers,
    memberships: Memberships,
    passwords: Passwords,
    tries: Tries,
    paces: Tries,
    rates: Rates,
    closing: CancellationToken,
}

impl Service {
    /// A service over these parts. Touches nothing yet.
    pub fn new(parts: Parts) -> Self {
        let Parts {
            store,
            blobs,
            catalogue,
            ids,
            inspect,
            thumbnailer,
            outbound,
            seal,
            link_key,
            check_limits,
            settings,
        } = parts;
        Self(Arc::new(Inner {
            store,
            blobs,
            catalogue,
            ids,
            inspect,
            thumbnailer,
            thumbnails: Places::one_a_core(),
            previews: Previews::default(),
            outbound,
            fetches: Fetches::default(),
            seal,
            link_key,
            check_limits,
            settings,
            waiters: Waiters::default(),
            seats: Seats::default(),
            channels: Channels::default(),
            signers: Signers::default(),
            memberships: Memberships::default(),
            passwords: Passwords::default(),
            tries: Tries::default(),
            paces: Tries::default(),
            rates: Rates::default(),
            closing: CancellationToken::new(),
        }))
    }

    /// Its limits and names.
    pub fn settings(&self) -> &ServiceSettings {
        &self.0.settings
    }

    /// The components there are.
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    /// The store's present.
    pub fn now(&self) -> Timestamp {
        self.0.store.clock().now()
    }

    /// A fresh id, for what has none of its own: a request.
    pub fn fresh_id(&self) -> Uuid {
        self.0.ids.next()
    }

    /// Ends every wait for a run with [`Refusal::Unavailable`], now and from now on: the program is stopping.
    pub fn stop_waiting(&self) {
        self.0.closing.cancel();
    }
}
