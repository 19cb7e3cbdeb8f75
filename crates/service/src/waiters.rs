//! Those who wait for runs to end. One task listens to the store's hints for all of them, so that a change wakes those
//! who wait for that run and nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::id::{OrgId, RunId};
use store::{Change, Store};
use tokio::sync::{Notify, broadcast};

#[derive(Default)]
pub(crate) struct Waiters(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    listening: bool,
    waiting: HashMap<RunId, (usize, Arc<Notify>)>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing in here panics half-way through a change, so what a poisoned lock guards is whole.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One waiter's place. Dropping it gives the place up.
pub(crate) struct Place {
    run: RunId,
    notify: Arc<Notify>,
    state: Arc<Mutex<State>>,
}

impl Place {
    /// A future that ends when the run changes after this call. Ask for it before looking at the run: a change between
    /// the look and the wait is not lost then.
    pub(crate) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.notify.notified()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        if let Some((count, _)) = state.waiting.get_mut(&self.run) {
            *count -= 1;
            if *count == 0 {
                state.waiting.remove(&self.run);
            }
        }
    }
}

impl Waiters {
    /// Takes a place among those who wait for that run. The first one starts the listening.
    pub(crate) fn wait_for(&self, run: RunId, store: &dyn Store) -> Place {
        let mut state = lock(&self.0);
        if !state.listening {
            state.listening = true;
            tokio::spawn(listen(store.changes(), self.0.clone()));
        }
        let (count, notify) = state.waiting.entry(run).or_insert_with(|| (0, Arc::new(Notify::new())));
        *count += 1;
        Place { run, notify: notify.clone(), state: self.0.clone() }
    }
}

/// How many requests of each organization wait.
#[derive(Default)]
pub(crate) struct Seats(Arc<Mutex<HashMap<OrgId, usize>>>);

/// A seat among those who wait. Dropping it gives it up.
pub struct Seat {
    org: OrgId,
    taken: Arc<Mutex<HashMap<OrgId, usize>>>,
}

impl Seats {
    /// A seat, unless the organization has that many already.
    pub(crate) fn take(&self, org: OrgId, most: usize) -> Option<Seat> {
        let mut taken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(org).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Seat { org, taken: self.0.clone() })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = taken.get_mut(&self.org) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.org);
            }
        }
    }
}

async fn listen(mut changes: broadcast::Receiver<Change>, state: Arc<Mutex<State>>) {
    loop {
        match changes.recv().await {
            Ok(Change { run, status, .. }) => {
                // Only ends are waited for.
                if status.is_final()
                    && let Some((_, notify)) = lock(&state).waiting.get(&run)
                {
                    notify.notify_waiters();
                }
            }
            Err(broadcast::error::RecvError::Lagged(_)) => {
                for (_, notify) in lock(&state).waiting.values() {
                    notify.notify_waiters();
                }
            }
            Err(broadcast::error::RecvError::Closed) => {
                lock(&state).listening = false;
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn seats_are_counted_for_each_organization_and_given_back() {
        let seats = Seats::default();
        let (one, other) = (OrgId(Uuid::from_u128(1)), OrgId(Uuid::from_u128(2)));
        let first = seats.take(one, 1).expect("free");
        assert!(seats.take(one, 1).is_none());
        assert!(seats.take(other, 1).is_some());
        drop(first);
        assert!(seats.take(one, 1).is_some());
        assert!(seats.0.lock().expect("no panic").is_empty());
    }
}
