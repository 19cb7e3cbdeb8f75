//! Where pictures are fetched: so many at once, and for no organization more than its share of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::id::OrgId;
use domain::time::Millis;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// An organization has one place out of so many.
const SHARE: usize = 4;
/// For each place of its share, an organization may have so many waiting here; the rest waits in the queue.
const WAITING: usize = 4;
/// Shortest pause of what finds its line full.
const PAUSE: Duration = Duration::from_millis(500);
/// Time between two that come back to a full line.
const APART: Duration = Duration::from_millis(20);

/// Places to fetch at, and a line before them for each organization.
#[derive(Debug)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    /// Places that one organization may have at once.
    share: usize,
    lines: Lines,
}

type Lines = Arc<Mutex<HashMap<OrgId, Waiting>>>;

/// What an organization has here.
#[derive(Debug)]
struct Waiting {
    share: Arc<Semaphore>,
    /// In line or at a place.
    many: usize,
    /// When the last one comes back that was turned away.
    comes_back: Instant,
}

fn locked(lines: &Lines) -> MutexGuard<'_, HashMap<OrgId, Waiting>> {
    // Counters are as good after a panic as before it.
    lines.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Places {
    /// So many places.
    pub(crate) fn new(many: usize) -> Self {
        Self { all: Arc::new(Semaphore::new(many)), share: (many / SHARE).max(1), lines: Lines::default() }
    }

    fn is_full(&self, line: &Waiting) -> bool {
        line.many >= self.share * (1 + WAITING)
    }

    /// Organizations of which nothing more should come to be fetched for now.
    pub(crate) fn full_lines(&self) -> Vec<OrgId> {
        locked(&self.lines).iter().filter(|(_, line)| self.is_full(line)).map(|(org, _)| *org).collect()
    }

    /// After which time to come back, if the organization's line is full: one after the other.
    pub(crate) fn turned_away(&self, org: OrgId) -> Option<Millis> {
        let mut lines = locked(&self.lines);
        let line = lines.get_mut(&org)?;
        if !self.is_full(line) {
            return None;
        }
        let now = Instant::now();
        line.comes_back = (line.comes_back + APART).max(now + PAUSE);
        let pause = line.comes_back - now;
        Some(Millis(i64::try_from(pause.as_millis()).unwrap_or(i64::MAX)))
    }

    /// A stand in the organization's line, however long it is.
    pub(crate) fn stand_in_line(&self, org: OrgId) -> Line {
        let mut lines = locked(&self.lines);
        let line = lines.entry(org).or_insert_with(|| Waiting {
            share: Arc::new(Semaphore::new(self.share)),
            many: 0,
            comes_back: Instant::now(),
        });
        line.many += 1;
        let (all, share) = (Arc::clone(&self.all), Arc::clone(&line.share));
        Line { org, lines: Arc::clone(&self.lines), all, share, of_share: None, place: None }
    }
}

/// A stand in a line, then a place. Given up by dropping it.
#[derive(Debug)]
pub(crate) struct Line {
    org: OrgId,
    lines: Lines,
    all: Arc<Semaphore>,
    share: Arc<Semaphore>,
    of_share: Option<OwnedSemaphorePermit>,
    place: Option<OwnedSemaphorePermit>,
}

impl Line {
    /// Returns once there is a place. Whoever gave up waiting may go on with it.
    pub(crate) async fn wait(&mut self) {
        if self.of_share.is_none() {
            let of_share = Arc::clone(&self.share).acquire_owned().await;
            self.of_share = Some(of_share.expect("the semaphore is never closed"));
        }
        if self.place.is_none() {
            let place = Arc::clone(&self.all).acquire_owned().await;
            self.place = Some(place.expect("the semaphore is never closed"));
        }
    }

    /// Leaves the place to others; it still counts for its organization, until it has a worker.
    pub(crate) fn fetched(&mut self) {
        self.place = None;
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.place = None;
        self.of_share = None;
        let mut lines = locked(&self.lines);
        if let Some(line) = lines.get_mut(&self.org) {
            line.many -= 1;
            if line.many == 0 {
                lines.remove(&self.org);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn org(number: u128) -> OrgId {
        OrgId(Uuid::from_u128(number))
    }

    async fn is_there(line: &mut Line) -> bool {
        tokio::time::timeout(Duration::from_millis(20), line.wait()).await.is_ok()
    }

    #[tokio::test]
    async fn an_organization_has_its_share_of_the_places_and_the_others_have_theirs() {
        let places = Places::new(8);
        let mut lines: Vec<Line> = (0..10).map(|_| places.stand_in_line(org(1))).collect();
        for (number, line) in lines.iter_mut().enumerate() {
            assert_eq!(is_there(line).await, number < 2, "{number}");
        }
        assert_eq!(places.full_lines(), [org(1)]);
        let first = places.turned_away(org(1)).expect("it is full");
        let second = places.turned_away(org(1)).expect("it is full");
        assert!(first.0 >= 499 && second > first, "{first:?}, {second:?}");
        assert_eq!(places.turned_away(org(2)), None);
        assert!(is_there(&mut places.stand_in_line(org(2))).await);
        drop(lines.remove(0));
        assert!(places.full_lines().is_empty());
        assert!(is_there(&mut lines[1]).await, "there is one again");
        drop(lines);
        assert!(locked(&places.lines).is_empty(), "nothing is left behind");
    }

    #[tokio::test]
    async fn what_is_fetched_leaves_its_place_but_not_its_share() {
        let places = Places::new(1);
        let mut first = places.stand_in_line(org(1));
        assert!(is_there(&mut first).await);
        let mut other = places.stand_in_line(org(2));
        assert!(!is_there(&mut other).await);
        first.fetched();
        assert!(!is_there(&mut places.stand_in_line(org(1))).await);
        assert!(is_there(&mut other).await);
    }
}
