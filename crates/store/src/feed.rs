//! The feed: every status that an organization's runs took, in the order it became true.

use async_trait::async_trait;
use domain::event::FeedItem;
use domain::id::OrgId;

use crate::StoreError;

/// Entries kept over all organizations, at least; older ones are forgotten from time to time.
pub const FEED_KEPT: u64 = 1_000_000;

/// Part of a feed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedPart {
    /// The entries, in order.
    pub items: Vec<FeedItem>,
    /// Whether entries between the place asked for and the first of these may have been forgotten.
    pub has_gap: bool,
}

/// The feed.
#[async_trait]
pub trait Feed: Send + Sync {
    /// Up to `limit` entries of the organization after that place. Nothing appears later before what was given out.
    async fn feed(&self, org: OrgId, after: u64, limit: u32) -> Result<FeedPart, StoreError>;

    /// The place of the latest entry of all organizations; 0 when there is none. What comes later comes after it.
    async fn feed_end(&self) -> Result<u64, StoreError>;
}
