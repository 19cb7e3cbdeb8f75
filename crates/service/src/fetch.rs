//! Pictures taken in from addresses that a caller names: fetched by the guarded client, all of them or none.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::access::Caller;
use domain::id::OrgId;
use domain::image::Image;
use futures::{StreamExt as _, TryStreamExt as _, stream};
use outbound::{Failure, Request};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::images::Looked;
use crate::{OrgChoice, Refusal, Service};

/// Pictures fetched for one request, at most.
const PICTURES_MAX: usize = 100;
/// Of these, at the same time.
const AT_ONCE: usize = 4;
/// Pictures fetched at the same time over all requests: each takes memory and a file.
const AT_ONCE_IN_ALL: usize = 32;
/// Of these, for one organization.
const AT_ONCE_FOR_ONE: usize = AT_ONCE_IN_ALL / 4;

/// Places for pictures being fetched, over all requests.
pub(crate) struct Fetches {
    all: Arc<Semaphore>,
    /// The places of each organization that fetches something; none of the others.
    shares: Mutex<BTreeMap<OrgId, Arc<Semaphore>>>,
}

impl Default for Fetches {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(AT_ONCE_IN_ALL)), shares: Mutex::default() }
    }
}

impl Fetches {
    /// A place, once there is one within the organization's share; none if that takes longer than `patience`.
    async fn place(&self, org: OrgId, patience: Duration) -> Option<Place<'_>> {
        let share =
            Arc::clone(self.shares().entry(org).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE_FOR_ONE))));
        let mut place = Place { fetches: self, org, share, held: None };
        let share = Arc::clone(&place.share);
        let all = Arc::clone(&self.all);
        let both = async {
            // The share first: who waits for that takes no place from others.
            let share = share.acquire_owned().await.expect("the semaphore is never closed");
            (share, all.acquire_owned().await.expect("the semaphore is never closed"))
        };
        place.held = Some(tokio::time::timeout(patience, both).await.ok()?);
        Some(place)
    }

    fn shares(&self) -> MutexGuard<'_, BTreeMap<OrgId, Arc<Semaphore>>> {
        // The map is as good after a panic as before it.
        self.shares.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in use or waited for. An organization's share goes with the last of its places.
struct Place<'a> {
    fetches: &'a Fetches,
    org: OrgId,
    share: Arc<Semaphore>,
    held: Option<(OwnedSemaphorePermit, OwnedSemaphorePermit)>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut shares = self.fetches.shares();
        drop(self.held.take());
        // The map's and this one's are the last: nobody holds or waits for any of it.
        if Arc::strong_count(&self.share) == 2 {
            shares.remove(&self.org);
        }
    }
}

/// What one request may fetch yet, in bytes.
struct Allowance {
    left: AtomicU64,
    limit: u64,
}

impl Allowance {
    fn take(&self, bytes: u64) -> Result<(), Refusal> {
        let taken =
            self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
        taken.map(drop).map_err(|_| {
            Refusal::Unfetchable(format!(
                "the pictures of this request are larger than {} bytes together, which is the most that is fetched at a \
                 time; send several requests",
                self.limit
            ))
        })
    }
}

impl Service {
    /// Takes in the picture behind each address, and answers them under their names in the order given. If one cannot be
    /// had or worked on, nothing is taken in, and [`Refusal::Unfetchable`] says which and why.
    pub async fn take_in_from(
        &self,
        caller: &Caller,
        choice: &OrgChoice,
        pictures: Vec<(String, String)>,
    ) -> Result<Vec<(String, Image)>, Refusal> {
        self.need_scope(caller, "assets:create")?;
        let org = self.one_org(caller, choice)?;
        if self.0.settings.offline {
            return Err(Refusal::Unfetchable(
                "this server is set never to fetch anything (`offline`); upload the pictures themselves"
                    .to_owned(),
            ));
        }
        if pictures.len() > PICTURES_MAX {
            return Err(Refusal::Invalid(format!(
                "{} addresses are given, at most {PICTURES_MAX} are fetched at a time; send several requests",
                pictures.len()
            )));
        }
        let limit = self.0.settings.fetch_bytes_max;
        let allowance = &Allowance { left: AtomicU64::new(limit), limit };
        let fetching = stream::iter(pictures).map(|(name, address)| async move {
            let looked =
                self.fetch(org, &address, allowance).await.map_err(|refusal| named(&name, refusal))?;
            Ok::<_, Refusal>((name, looked))
        });
        // The first that fails ends the others.
        let fetched: Vec<(String, Looked)> = fetching.buffered(AT_ONCE).try_collect().await?;
        let mut taken = Vec::with_capacity(fetched.len());
        for (name, looked) in fetched {
            taken.push((name, self.keep(looked).await?));
        }
        Ok(taken)
    }

    async fn fetch(&self, org: OrgId, address: &str, allowance: &Allowance) -> Result<Looked, Refusal> {
        let Some(_place) = self.0.fetches.place(org, self.0.settings.fetch_patience).await else {
            return Err(Refusal::Unavailable("too many pictures are being fetched at the moment".to_owned()));
        };
        let mut intake = self.intake_for(org).await?;
        let unfetchable = |failure: Failure| {
            // Why a connection did not come about is the operator's to know, and the address may hold a key.
            let cause = std::error::Error::source(&failure).map(ToString::to_string).unwrap_or_default();
            tracing::info!(code = failure.code(), cause, "cannot fetch a picture");
            Refusal::Unfetchable(failure.to_string())
        };
        let request = Request::get(address);
        let mut answer =
            self.0.outbound.send(request, self.0.settings.fetch_time).await.map_err(unfetchable)?;
        if answer.is_redirect() {
            return Err(Refusal::Unfetchable(
                "its address redirects, which is not followed; give the address it leads to".to_owned(),
            ));
        }
        if !answer.is_success() {
            return Err(Refusal::Unfetchable(format!("its address answers with status {}", answer.status())));
        }
        let announced: Option<u64> = answer.header("content-length").and_then(|length| length.parse().ok());
        if announced.is_some_and(|announced| announced > self.0.settings.upload_bytes_max) {
            return Err(Refusal::TooLarge { limit: self.0.settings.upload_bytes_max });
        }
        while let Some(bytes) = answer.chunk().await.map_err(unfetchable)? {
            allowance.take(bytes.len() as u64)?;
            intake.write(&bytes).await?;
        }
        self.look_at(intake, announced).await
    }
}

/// Says which picture it was. What is wrong with one of several is wrong with the request.
fn named(name: &str, refusal: Refusal) -> Refusal {
    let start: String = name.chars().take(100).collect();
    match refusal {
        Refusal::Unfetchable(_) | Refusal::Unusable(_) | Refusal::TooLarge { .. } | Refusal::Invalid(_) => {
            Refusal::Unfetchable(format!("`{start}` cannot be taken in: {refusal}"))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_millis(20);
    const LATER: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn an_organization_has_its_share_of_places_and_no_more() {
        let fetches = Fetches::default();
        let org = |number| OrgId(uuid::Uuid::from_u128(number));
        let mut held = Vec::new();
        for _ in 0..AT_ONCE_FOR_ONE {
            held.push(fetches.place(org(1), LATER).await.expect("within its share"));
        }
        assert!(fetches.place(org(1), SOON).await.is_none(), "more than its share");
        let other = fetches.place(org(2), LATER).await.expect("another one's share");
        held.pop();
        held.push(fetches.place(org(1), LATER).await.expect("one became free"));
        drop((held, other));
        assert!(fetches.shares().is_empty(), "nothing is left of those that fetch nothing");
        let mut all = Vec::new();
        for number in 0..AT_ONCE_IN_ALL as u128 {
            all.push(fetches.place(org(number / 8), LATER).await.expect("four shares are all there is"));
        }
        assert!(fetches.place(org(99), SOON).await.is_none(), "every place is taken");
        all.pop();
        assert!(fetches.place(org(99), LATER).await.is_some());
    }

    #[test]
    fn a_request_fetches_so_much_and_no_more() {
        let allowance = Allowance { left: AtomicU64::new(10), limit: 10 };
        assert!(allowance.take(6).is_ok() && allowance.take(4).is_ok());
        let refused = allowance.take(1).expect_err("too much").to_string();
        assert!(refused.contains("larger than 10 bytes together"), "{refused}");
    }
}
