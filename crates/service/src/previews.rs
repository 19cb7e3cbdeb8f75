//! Small pictures of what came after the steps of runs: made when they are first asked for, and kept.

use async_trait::async_trait;
use domain::id::{OrgId, RunId};
use domain::image::{ContentHash, Thumbnail};
use domain::run::Run;
use domain::workflow::Step;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

use crate::{Handout, Refusal, Service, Thing};

/// Takes runs through their steps again for a look at what lies between. The front does not know how pictures are made.
#[async_trait]
pub trait Previewer: Send + Sync {
    /// A small picture of what came after the step at `place` (from 0) of a run whose picture is there.
    async fn preview(&self, run: Run, steps: &[Step], place: usize) -> Result<Thumbnail, Refusal>;
}

impl Service {
    /// Says who makes previews. Without one there are none; the first one stays.
    pub fn preview_by(&self, previewer: Arc<dyn Previewer>) {
        let _ = self.0.previewer.set(previewer);
    }

    /// Whether previews can be made here.
    pub fn has_previews(&self) -> bool {
        self.0.previewer.get().is_some()
    }

    /// What came after the step at `place` (from 0) of a run, for a link that was checked.
    pub async fn step_preview(&self, org: OrgId, id: RunId, place: u32) -> Result<Handout, Refusal> {
        let of = name_of(id, place);
        if let Some(known) = self.kept_thumbnail(of).await? {
            return Ok(self.handout(known));
        }
        let run = self.read_run(&[org], id).await?;
        let steps = match &run.steps {
            Some(steps) => steps.clone(),
            None => {
                let found = self.0.store.workflow(&[org], run.workflow, Some(run.version)).await;
                let found = found.map_err(Refusal::store("read the workflow"))?;
                found.ok_or_else(|| Refusal::missing(Thing::Version, run.version))?.version.steps
            }
        };
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        if place >= steps.len() {
            return Err(Refusal::missing(Thing::Image, of));
        }
        if run.input.is_none() {
            return Err(Refusal::NotNow("the run's picture is not here yet; look again later".to_owned()));
        }
        let previewer =
            self.0.previewer.get().ok_or_else(|| {
                Refusal::Unavailable("no worker here makes small pictures of steps".to_owned())
            })?;
        let made = previewer.preview(run, &steps, place).await?;
        self.keep_thumbnail(of, made).await
    }
}

/// What a preview is kept under.
fn name_of(run: RunId, place: u32) -> ContentHash {
    ContentHash(Sha256::digest(format!("preview\n{run}\n{place}")).into())
}
