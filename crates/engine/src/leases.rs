//! The leases this process holds, kept alive by one statement for all of them.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::id::{LeaseToken, RunId};

/// What this process works on. A lease found lost tells its work to stop.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<LeaseToken, Held>>,
}

#[derive(Debug)]
struct Held {
    run: RunId,
    stop: Arc<AtomicBool>,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<LeaseToken, Held>> {
        // A map of flags is as good after a panic as before it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a lease; the flag is raised when its work should stop.
    pub(crate) fn hold(&self, token: LeaseToken, run: RunId) -> Arc<AtomicBool> {
        let stop = Arc::new(AtomicBool::new(false));
        self.held().insert(token, Held { run, stop: Arc::clone(&stop) });
        stop
    }

    /// Forgets a lease.
    pub(crate) fn forget(&self, token: LeaseToken) {
        self.held().remove(&token);
    }

    /// Every lease held.
    pub(crate) fn tokens(&self) -> Vec<LeaseToken> {
        self.held().keys().copied().collect()
    }

    /// Tells the work of a lost lease to stop.
    pub(crate) fn lose(&self, token: LeaseToken) {
        if let Some(held) = self.held().get(&token) {
            tracing::warn!(run.id = %held.run, "lost the lease of run `{}`; stopping its work", held.run);
            held.stop.store(true, Ordering::Relaxed);
        }
    }

    /// Tells all work to stop and gives the leases away.
    pub(crate) fn stop_all(&self) -> Vec<LeaseToken> {
        let mut held = self.held();
        for lease in held.values() {
            lease.stop.store(true, Ordering::Relaxed);
        }
        held.drain().map(|(token, _)| token).collect()
    }
}
