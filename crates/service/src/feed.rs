//! Following what becomes of an organization's runs. One task for each organization that is followed reads the feed for
//! all its followers, so that a thousand of them cost the store no more than one.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use domain::access::Caller;
use domain::event::FeedItem;
use domain::id::OrgId;
use store::Store;
use tokio::sync::{broadcast, watch};

use crate::{OrgChoice, Refusal, Service};

/// Entries remembered for each organization that is followed. Whoever is further behind reads from the store.
const REMEMBERED: usize = 1024;
/// Entries read at once.
const PART: u32 = 500;
/// What comes within this span after a change is read together with it.
const GATHER: Duration = Duration::from_millis(20);

/// The organizations that are followed.
#[derive(Default)]
pub(crate) struct Channels(Mutex<HashMap<OrgId, Weak<Channel>>>);

struct Channel {
    org: OrgId,
    recent: Mutex<Recent>,
    /// The place that has been read up to.
    read_to: watch::Sender<u64>,
}

/// The latest entries: all that the organization has after `from`, up to what was read.
struct Recent {
    from: u64,
    items: VecDeque<FeedItem>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing in here panics half-way through a change, so what a poisoned lock guards is whole.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Channel {
    /// The remembered entries after that place; `None` if they go back less far.
    fn after(&self, place: u64) -> Option<Vec<FeedItem>> {
        let recent = lock(&self.recent);
        if place < recent.from {
            return None;
        }
        let first = recent.items.partition_point(|item| item.place <= place);
        Some(recent.items.iter().skip(first).take(PART as usize).copied().collect())
    }

    fn append(&self, items: &[FeedItem]) {
        let mut recent = lock(&self.recent);
        recent.items.extend(items);
        while recent.items.len() > REMEMBERED {
            if let Some(forgotten) = recent.items.pop_front() {
                recent.from = forgotten.place;
            }
        }
    }
}

/// Part of what a follower is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    /// These statuses were taken, in this order.
    Items(Vec<FeedItem>),
    /// What happened between the place asked for and this one is not known any more: look at the runs themselves.
    Gap {
        /// From where it goes on.
        place: u64,
    },
}

/// Somebody who follows an organization's runs. Holds no more than one part of the feed.
pub struct Follower {
    service: Service,
    channel: Arc<Channel>,
    progress: watch::Receiver<u64>,
    place: u64,
}

impl Follower {
    /// The place after which the next entries come: where to go on from if nothing comes before the end.
    pub fn place(&self) -> u64 {
        self.place
    }

    /// What comes next; waits for it. Refuses with [`Refusal::Unavailable`] when the program stops.
    pub async fn next(&mut self) -> Result<Told, Refusal> {
        let store = &self.service.0.store;
        loop {
            self.progress.mark_unchanged();
            let items = match self.channel.after(self.place) {
                Some(items) => items,
                None => {
                    let reached = lock(&self.channel.recent).from;
                    let part = store.feed(self.channel.org, self.place, PART).await;
                    let part = part.map_err(Refusal::store("read the feed"))?;
                    if part.has_gap {
                        let end = store.feed_end().await.map_err(Refusal::store("read the feed"))?;
                        self.place = end;
                        return Ok(Told::Gap { place: end });
                    }
                    if part.items.is_empty() {
                        // Everything up to there had been read before this look.
                        self.place = self.place.max(reached);
                        continue;
                    }
                    part.items
                }
            };
            if let Some(last) = items.last() {
                self.place = last.place;
                return Ok(Told::Items(items));
            }
            tokio::select! {
                changed = self.progress.changed() => {
                    if changed.is_err() {
                        return Err(Refusal::Unavailable("the feed has ended".to_owned()));
                    }
                }
                () = self.service.0.closing.cancelled() => {
                    return Err(Refusal::Unavailable("the server is stopping".to_owned()));
                }
            }
        }
    }
}

impl Service {
    /// Follows an organization's runs from after the place `after`, or from now on.
    pub async fn follow(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        after: Option<u64>,
    ) -> Result<Follower, Refusal> {
        self.need_scope(caller, "runs:read")?;
        let org = self.one_org(caller, choice)?;
        let end = self.0.store.feed_end().await.map_err(Refusal::store("read the feed"))?;
        let channel = self.channel(org, end);
        let progress = channel.read_to.subscribe();
        // A place beyond the end was never given out by this store: it is a stranger's.
        let place = after.map_or(end, |after| after.min(end));
        Ok(Follower { service: self.clone(), channel, progress, place })
    }

    fn channel(&self, org: OrgId, end: u64) -> Arc<Channel> {
        let mut channels = lock(&self.0.channels.0);
        if let Some(channel) = channels.get(&org).and_then(Weak::upgrade) {
            return channel;
        }
        channels.retain(|_, channel| channel.strong_count() > 0);
        let recent = Mutex::new(Recent { from: end, items: VecDeque::new() });
        let channel = Arc::new(Channel { org, recent, read_to: watch::Sender::new(end) });
        channels.insert(org, Arc::downgrade(&channel));
        let store = Arc::clone(&self.0.store);
        tokio::spawn(read_along(store, org, Arc::downgrade(&channel), self.0.settings.look_again));
        channel
    }
}

/// Reads the feed for a channel for as long as somebody follows it.
async fn read_along(store: Arc<dyn Store>, org: OrgId, channel: Weak<Channel>, look_again: Duration) {
    let mut changes = store.changes();
    loop {
        let Some(open) = channel.upgrade() else { return };
        let place = *open.read_to.borrow();
        match store.feed(org, place, PART).await {
            Ok(part) => {
                open.append(&part.items);
                if let Some(last) = part.items.last() {
                    open.read_to.send_replace(last.place);
                    if part.items.len() == PART as usize {
                        continue;
                    }
                }
            }
            Err(error) => tracing::warn!(%error, "cannot read the feed; trying again"),
        }
        drop(open);
        tokio::select! {
            () = hinted(&mut changes, org) => tokio::time::sleep(GATHER).await,
            () = tokio::time::sleep(look_again) => {}
        }
    }
}

/// Returns when a run of the organization changed, as far as this process noticed.
async fn hinted(changes: &mut broadcast::Receiver<store::Change>, org: OrgId) {
    loop {
        match changes.recv().await {
            Ok(change) if change.org == org => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            // The store is going away; the regular look decides.
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}
