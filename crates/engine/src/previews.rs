//! Small pictures of what came after the steps of runs.

use std::sync::Arc;

use components::Small;
use domain::run::{Failure, Run};
use domain::workflow::Step;

use crate::prepared::Prepared;
use crate::stop::Stop;
use crate::thread::on_a_thread;
use crate::work::Shared;

/// Makes small pictures of what came after the steps of runs, within the engine's memory.
#[derive(Clone)]
pub struct Previews {
    pub(crate) shared: Arc<Shared>,
}

impl Previews {
    /// What came after the step at `place` (from 0) of a run whose pictures are there, taken through `steps`. As far as the steps
    /// are remembered they are not done again. Waits in line for memory as runs do, and takes no worker's slot: ask for one at a
    /// time.
    pub async fn make(&self, run: Run, steps: &[Step], place: usize) -> Result<Small, Failure> {
        let never = Stop::default();
        let id = run.id;
        let work = Prepared::of(&self.shared, run, steps, false, &never).await?;
        let toolbox = Arc::clone(&self.shared.parts.toolbox);
        on_a_thread(&format!("a preview of run `{id}`"), move || {
            work.do_with(|work| {
                toolbox.preview(work.owner, &work.inputs, work.named, work.steps, place, never.flag())
            })
        })
        .await
    }
}
