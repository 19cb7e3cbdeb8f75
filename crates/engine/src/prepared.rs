//! A run's work made ready: the memory for it, the files of its pictures, its steps.

use std::time::Instant;

use bytes::Bytes;
use domain::id::OrgId;
use domain::image::{ContentHash, Image};
use domain::run::{Failure, Fault, Run};
use domain::workflow::Step;

use crate::admission::Admitted;
use crate::stop::Stop;
use crate::work::{Parts, Shared};

/// Everything that work on a run needs, and the memory for it.
pub(crate) struct Prepared {
    run: Run,
    /// The files of its pictures, the first one first.
    files: Vec<(ContentHash, Bytes)>,
    /// The files of the pictures that its settings name.
    named: components::Images,
    /// Its steps with its overrides.
    steps: Vec<Step>,
    admitted: Admitted,
}

/// The same as the components take it.
pub(crate) struct Work<'a> {
    pub(crate) owner: u128,
    pub(crate) inputs: Vec<components::Input<'a>>,
    pub(crate) named: components::Images,
    pub(crate) steps: &'a [Step],
}

impl Prepared {
    /// Waits for the memory that a run needs (all of it, if it is to be alone), and reads its pictures.
    pub(crate) async fn of(
        shared: &Shared,
        run: Run,
        steps: &[Step],
        alone: bool,
        stop: &Stop,
    ) -> Result<Self, Failure> {
        let Parts { toolbox, catalogue, .. } = &shared.parts;
        let steps = catalogue
            .resolve(steps, &run.overrides)
            .and_then(|steps| catalogue.check(&steps))
            .map_err(|invalid| Failure::new("workflow_invalid", invalid.to_string(), Fault::Input))?;
        let input = run.input.as_ref().ok_or_else(|| {
            let text = "the run has no picture to work on; name one";
            Failure::new("image_not_fetched", text, Fault::Input)
        })?;
        let images: Vec<&Image> =
            std::iter::once(input).chain(run.more_inputs.iter().map(|more| &more.image)).collect();
        let named = named_images(shared, run.org, &steps).await?;
        let needed = if alone {
            u64::MAX
        } else {
            toolbox.memory_bytes_together(&images, &named.iter().collect::<Vec<_>>(), &steps)
        };
        let waited = Instant::now();
        let admitted = tokio::select! {
            admitted = shared.admission.admit(needed) => admitted,
            () = stop.raised() => {
                let text = "the work was stopped before it was finished";
                return Err(Failure::new("cancelled", text, Fault::Ours));
            }
        };
        metrics::histogram!("packshot_admission_seconds").record(waited.elapsed().as_secs_f64());
        metrics::gauge!("packshot_memory_free_bytes").set(shared.admission.free_bytes() as f64);
        let mut files = Vec::with_capacity(images.len());
        for image in images {
            files.push((image.hash, shared.read(image.hash).await?));
        }
        let mut named_files = components::Images::new();
        for image in &named {
            named_files.insert(image.hash, shared.read(image.hash).await?.to_vec());
        }
        Ok(Self { files, named: named_files, steps, admitted, run })
    }

    /// Does something with it. The memory is held until that is over, even if nobody waits for it any more.
    pub(crate) fn do_with<T>(self, what: impl FnOnce(Work<'_>) -> T) -> T {
        let Self { run, files, named, steps, admitted } = self;
        let names = std::iter::once(&run.input_name).chain(run.more_inputs.iter().map(|more| &more.name));
        let inputs = files.iter().zip(names);
        let inputs = inputs.map(|((hash, bytes), name)| components::Input { bytes, hash: *hash, name });
        let done = what(Work { owner: run.org.0.as_u128(), inputs: inputs.collect(), named, steps: &steps });
        drop(admitted);
        done
    }
}

/// The pictures that settings name, as far as the organization may see them.
async fn named_images(shared: &Shared, org: OrgId, steps: &[Step]) -> Result<Vec<Image>, Failure> {
    let mut named = Vec::new();
    for hash in shared.parts.catalogue.images(steps) {
        let found = shared.parts.store.image(&[org], hash).await.map_err(|error| {
            Failure::new(
                "input_unreadable",
                format!("cannot look for the picture `{hash}`: {error}"),
                Fault::Ours,
            )
        })?;
        named.push(found.ok_or_else(|| {
            let text = format!("the settings name the picture `{hash}`, which is not there; upload it first");
            Failure::new("image_not_found", text, Fault::Input)
        })?);
    }
    Ok(named)
}
