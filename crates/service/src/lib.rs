//! What a caller may ask for, one file a noun: runs, images, workflows, access. Checks who asks and what for, and speaks
//! to the store and the blobs. Knows no HTTP and no picture's pixels.

pub mod access;
mod audit;
mod batches;
mod choice;
mod credits;
mod deliveries;
mod feed;
mod fetch;
mod founding;
mod images;
mod orgs;
mod refusal;
mod repeats;
mod reviews;
mod runs;
mod settings;
mod waiters;
mod workflows;

use std::sync::Arc;

use blob::Blobs;
use domain::component::Catalogue;
use domain::id::Ids;
use domain::image::Inspect;
use domain::time::Timestamp;
use outbound::Outbound;
use store::Store;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use batches::BatchDraft;
pub use choice::OrgChoice;
pub use deliveries::SigningSecret;
pub use feed::{Follower, Told};
pub use founding::{Founded, FoundingPlan};
pub use images::{Handout, Intake};
pub use refusal::{Refusal, Thing, TokenFault};
pub use reviews::{Opinion, Tally};
pub use runs::{INPUTS_MAX, Order, RunDetails};
pub use settings::ServiceSettings;
pub use waiters::Seat;
pub use workflows::{Checked, WorkflowDraft};

use crate::access::Signers;
use crate::access::Tries;
use crate::access::{Memberships, Passwords};
use crate::feed::Channels;
use crate::fetch::Fetches;
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
    /// The way out, for pictures to fetch.
    pub outbound: Outbound,
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
    outbound: Outbound,
    /// Places for pictures being fetched, over all requests.
    fetches: Fetches,
    settings: ServiceSettings,
    waiters: Waiters,
    seats: Seats,
    channels: Channels,
    signers: Signers,
    memberships: Memberships,
    passwords: Passwords,
    tries: Tries,
    paces: Tries,
    closing: CancellationToken,
}

impl Service {
    /// A service over these parts. Touches nothing yet.
    pub fn new(parts: Parts) -> Self {
        let Parts { store, blobs, catalogue, ids, inspect, outbound, settings } = parts;
        Self(Arc::new(Inner {
            store,
            blobs,
            catalogue,
            ids,
            inspect,
            outbound,
            fetches: Fetches::default(),
            settings,
            waiters: Waiters::default(),
            seats: Seats::default(),
            channels: Channels::default(),
            signers: Signers::default(),
            memberships: Memberships::default(),
            passwords: Passwords::default(),
            tries: Tries::default(),
            paces: Tries::default(),
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
