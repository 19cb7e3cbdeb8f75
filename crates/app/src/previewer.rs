//! Makes small pictures of what came after steps for the front, which does not know the engine.

use async_trait::async_trait;
use domain::image::Thumbnail;
use domain::run::{Fault, Run};
use domain::workflow::Step;
use engine::Previews;
use service::{Previewer, Refusal};

use crate::thumbnailer::thumbnail;

/// The engine's previews.
pub struct StepPreviews(pub Previews);

#[async_trait]
impl Previewer for StepPreviews {
    async fn preview(&self, run: Run, steps: &[Step], place: usize) -> Result<Thumbnail, Refusal> {
        let made = self.0.make(run, steps, place).await.map_err(|failure| match failure.fault {
            Fault::Input => Refusal::Unusable(failure.message),
            Fault::Ours | Fault::Crash => {
                Refusal::Ours { doing: "make a small picture of a step", source: failure.message.into() }
            }
        })?;
        Ok(thumbnail(made))
    }
}
