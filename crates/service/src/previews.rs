//! Small pictures of what came after the steps of runs: made when they are first asked for, and kept.

use std::sync::{Arc, OnceLock};

use async_trait::async_trait;
use domain::id::{OrgId, RunId};
use domain::image::{ContentHash, Thumbnail};
use domain::run::{Run, Status};
use domain::workflow::Step;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::thumbnails::Places;
use crate::{Handout, Refusal, Service, Thing};

/// Takes runs through their steps again for a look at what lies between. The front does not know how pictures are made.
#[async_trait]
pub trait Previewer: Send + Sync {
    /// A small picture of what came after the step at `place` (from 0) of a run whose picture is there.
    async fn preview(&self, run: Run, steps: &[Step], place: usize) -> Result<Thumbnail, Refusal>;
}

/// Who makes previews, and the one place for it: each takes a core and the memory that its run took.
pub(crate) struct Previews {
    place: Places,
    previewer: OnceLock<Arc<dyn Previewer>>,
}

impl Default for Previews {
    fn default() -> Self {
        Self { place: Places::new(1), previewer: OnceLock::new() }
    }
}

impl Service {
    /// Says who makes previews. Without one there are none; the first one stays.
    pub fn preview_by(&self, previewer: Arc<dyn Previewer>) {
        let _ = self.0.previews.previewer.set(previewer);
    }

    /// Whether previews can be made here.
    pub fn has_previews(&self) -> bool {
        self.0.previews.previewer.get().is_some()
    }

    /// What came after the step at `place` (from 0) of a run that has ended, for a link that was checked.
    pub async fn step_preview(&self, org: OrgId, id: RunId, place: u32) -> Result<Handout, Refusal> {
        let run = self.read_run(&[org], id).await?;
        if !matches!(run.state.status(), Status::Succeeded | Status::Failed) || run.input.is_none() {
            return Err(Refusal::NotNow("the run has not ended yet; look again when it has".to_owned()));
        }
        let steps = match &run.steps {
            Some(steps) => steps.clone(),
            None => {
                let found = self.0.store.workflow(&[org], run.workflow, Some(run.version)).await;
                let found = found.map_err(Refusal::store("read the workflow"))?;
                found.ok_or_else(|| Refusal::missing(Thing::Version, run.version))?.version.steps
            }
        };
        let of = name_of(&run, &steps, place);
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if place >= steps.len() {
            return Err(Refusal::missing(Thing::Image, of));
        }
        let previewer = Arc::clone(self.0.previews.previewer.get().ok_or_else(|| {
            Refusal::Unavailable("no worker here makes small pictures of steps".to_owned())
        })?);
        let making = async move { previewer.preview(run, &steps, place).await };
        self.made_once(&self.0.previews.place, of, making).await
    }
}

/// What a preview is kept under: a run may be done again, with other settings.
fn name_of(run: &Run, steps: &[Step], place: u32) -> ContentHash {
    let inputs = run.input.iter().chain(run.more_inputs.iter().map(|more| &more.image));
    let inputs: Vec<_> = inputs.map(|image| image.hash.to_string()).collect();
    let what = json!(["preview", run.id, place, steps, run.overrides, inputs]);
    ContentHash(Sha256::digest(what.to_string()).into())
}
