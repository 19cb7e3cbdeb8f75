//! Work on a thread of its own, where it blocks nobody and its panic is its own.

use domain::run::{Failure, Fault};

/// Does work on a thread of its own; a panic there is the failure of that work alone. `what` names it in the log.
pub(crate) async fn on_a_thread<T: Send + 'static>(
    what: &str,
    work: impl FnOnce() -> Result<T, components::Fault> + Send + 'static,
) -> Result<T, Failure> {
    match tokio::task::spawn_blocking(work).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(fault)) => {
            Err(Failure { made_by: fault.reports, ..Failure::new(fault.code, fault.message, fault.kind) })
        }
        Err(panic) => {
            tracing::error!(%panic, "the work on {what} panicked");
            let text = "the picture made the worker crash; its file may be damaged";
            Err(Failure::new("worker_crashed", text, Fault::Crash))
        }
    }
}
