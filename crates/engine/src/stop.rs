//! Tells work under way that nobody waits for its end any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;

/// A flag that plain threads look at and tasks wait for. Clones are the same flag.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    is_raised: AtomicBool,
    raised: Notify,
}

impl Stop {
    /// Raises it, for good.
    pub(crate) fn raise(&self) {
        self.0.is_raised.store(true, Ordering::Relaxed);
        self.0.raised.notify_waiters();
    }

    /// Whether it is raised.
    pub(crate) fn is_raised(&self) -> bool {
        self.0.is_raised.load(Ordering::Relaxed)
    }

    /// The flag itself, for threads.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0.is_raised
    }

    /// Returns once it is raised.
    pub(crate) async fn raised(&self) {
        let raised = self.0.raised.notified();
        tokio::pin!(raised);
        // Whoever raises it after this line wakes us; whoever did before is seen.
        raised.as_mut().enable();
        if !self.is_raised() {
            raised.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn whoever_waits_is_told_and_whoever_comes_later_need_not_wait() {
        let stop = Stop::default();
        let waiting = tokio::spawn({
            let stop = stop.clone();
            async move { stop.raised().await }
        });
        tokio::task::yield_now().await;
        assert!(!stop.is_raised() && !waiting.is_finished());
        stop.raise();
        waiting.await.expect("no panic");
        stop.raised().await;
        assert!(stop.is_raised() && stop.flag().load(Ordering::Relaxed));
    }
}
