//! The leases this process holds, kept alive by one statement for all of them.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use domain::id::LeaseToken;
use uuid::Uuid;

use crate::stop::Stop;

/// What this process works on. A lease found lost tells its work to stop.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    held: Mutex<HashMap<LeaseToken, Held>>,
}

#[derive(Debug)]
struct Held {
    /// What is worked on: a run or an evaluation.
    subject: Uuid,
    stop: Stop,
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<LeaseToken, Held>> {
        // A map of flags is as good after a panic as before it.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of a lease on that run or evaluation; the flag is raised when its work should stop.
    pub(crate) fn hold(&self, token: LeaseToken, subject: Uuid) -> Stop {
        let stop = Stop::default();
        self.held().insert(token, Held { subject, stop: stop.clone() });
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

    /// Returns once none is held.
    pub(crate) async fn all_ended(&self) {
        while !self.held().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Tells the work of a lost lease to stop.
    pub(crate) fn lose(&self, token: LeaseToken) {
        if let Some(held) = self.held().get(&token).filter(|held| !held.stop.is_raised()) {
            tracing::warn!(id = %held.subject, "lost the lease of `{}`; stopping its work", held.subject);
            held.stop.raise();
        }
    }

    /// Tells the work on a run that was cancelled to stop, if this process has it.
    pub(crate) fn cancel(&self, run: Uuid) {
        for held in self.held().values().filter(|held| held.subject == run) {
            tracing::info!(run.id = %run, "run `{run}` was cancelled; stopping its work");
            held.stop.raise();
        }
    }

    /// Tells all work to stop and gives the leases away.
    pub(crate) fn stop_all(&self) -> Vec<LeaseToken> {
        let mut held = self.held();
        held.values().for_each(|lease| lease.stop.raise());
        held.drain().map(|(token, _)| token).collect()
    }
}
