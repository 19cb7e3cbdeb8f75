//! Lets work in by the memory it will need, so that memory is bounded by configuration and not by how many runs
//! happen to be large.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

const MIB: u64 = 1 << 20;

/// A budget of memory that work takes from before it begins and gives back when it ends. First come, first served: a
/// large picture is not overtaken for ever by small ones.
#[derive(Clone, Debug)]
pub struct Admission {
    free: Arc<Semaphore>,
    budget_mib: u32,
}

/// Memory taken from the budget; given back when dropped.
#[derive(Debug)]
pub struct Admitted {
    _permit: OwnedSemaphorePermit,
}

impl Admission {
    /// A budget of that many bytes, at least one MiB.
    pub fn new(budget_bytes: u64) -> Self {
        let budget_mib =
            u32::try_from(budget_bytes / MIB).unwrap_or(u32::MAX).clamp(1, Semaphore::MAX_PERMITS as u32);
        Self { free: Arc::new(Semaphore::new(budget_mib as usize)), budget_mib }
    }

    /// Waits until that many bytes are free. What needs more than the whole budget waits until nothing else runs, then
    /// runs alone.
    pub async fn admit(&self, bytes: u64) -> Admitted {
        let wanted = u32::try_from(bytes.div_ceil(MIB)).unwrap_or(u32::MAX).clamp(1, self.budget_mib);
        let permit = Arc::clone(&self.free).acquire_many_owned(wanted).await;
        Admitted { _permit: permit.expect("the semaphore is never closed") }
    }

    /// Bytes not taken at the moment.
    pub fn free_bytes(&self) -> u64 {
        self.free.available_permits() as u64 * MIB
    }

    /// Bytes in all.
    pub fn budget_bytes(&self) -> u64 {
        u64::from(self.budget_mib) * MIB
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn what_does_not_fit_waits_and_what_never_fits_runs_alone() {
        let admission = Admission::new(100 * MIB);
        let small = admission.admit(30 * MIB).await;
        assert_eq!(admission.free_bytes(), 70 * MIB);
        let (told, mut tell) = oneshot::channel();
        let waiting = tokio::spawn({
            let admission = admission.clone();
            async move {
                let _all = admission.admit(5_000 * MIB).await;
                told.send(admission.free_bytes()).expect("somebody listens");
            }
        });
        tokio::task::yield_now().await;
        assert!(tell.try_recv().is_err(), "a job larger than the rest of the budget must wait");
        drop(small);
        assert_eq!(tell.await.expect("it runs"), 0, "a job larger than the budget runs alone");
        waiting.await.expect("no panic");
        assert_eq!(admission.free_bytes(), admission.budget_bytes());
    }

    #[tokio::test]
    async fn a_large_job_is_not_overtaken_by_small_ones() {
        let admission = Admission::new(10 * MIB);
        let first = admission.admit(5 * MIB).await;
        let mut large = tokio_test_pending(admission.clone(), 10);
        tokio::task::yield_now().await;
        let mut small = tokio_test_pending(admission.clone(), 1);
        tokio::task::yield_now().await;
        assert!(small.try_recv().is_err(), "the small job stands behind the large one");
        drop(first);
        assert!(large.try_recv().is_ok() || (&mut large).await.is_ok());
        assert!((&mut small).await.is_ok());
    }

    fn tokio_test_pending(admission: Admission, mib: u64) -> oneshot::Receiver<()> {
        let (told, tell) = oneshot::channel();
        tokio::spawn(async move {
            let _admitted = admission.admit(mib * MIB).await;
            let _ = told.send(());
        });
        tell
    }
}
