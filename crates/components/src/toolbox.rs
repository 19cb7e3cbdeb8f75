//! The components with everything they use, ready to be shared between threads.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use domain::image::Image;
use domain::workflow::Step;
use neural::Runtime;
use pixels::Small;

use crate::{Context, Fault, Images, Input, Limits, Product, StepCache, pipeline};

/// The components with the networks, the cache and the limits they use.
pub struct Toolbox {
    /// Where networks come from; without it the studio matte works alone.
    pub runtime: Option<Arc<Runtime>>,
    /// Results of earlier steps.
    pub cache: StepCache,
    /// What is refused, and how large a picture is worked on.
    pub limits: Limits,
    /// Whether a missing network is a failure rather than a reason for the next best.
    pub strict_models: bool,
}

impl Toolbox {
    /// A toolbox with default limits that takes the next best where a network is missing.
    pub fn new(runtime: Option<Arc<Runtime>>, cache: StepCache) -> Self {
        Self { runtime, cache, limits: Limits::default(), strict_models: false }
    }

    /// Takes one picture through canonical steps on this thread; ends early, with the code `cancelled`, once `cancel` is set.
    pub fn process(&self, input: &Input<'_>, steps: &[Step], cancel: &AtomicBool) -> Result<Product, Fault> {
        self.process_together(0, std::slice::from_ref(input), Images::default(), steps, cancel)
    }

    /// Makes one picture of several, as [`crate::process_together`] does; ends early like [`Toolbox::process`].
    /// Results are remembered for `owner` alone. `images` holds the files of the pictures that the settings name.
    pub fn process_together(
        &self,
        owner: u128,
        inputs: &[Input<'_>],
        images: Images,
        steps: &[Step],
        cancel: &AtomicBool,
    ) -> Result<Product, Fault> {
        pipeline::process_together(&self.context(owner, images, cancel), inputs, steps)
    }

    /// A small picture of what that work has made after the step at `place`, as [`crate::preview`] does.
    pub fn preview(
        &self,
        owner: u128,
        inputs: &[Input<'_>],
        images: Images,
        steps: &[Step],
        place: usize,
        cancel: &AtomicBool,
    ) -> Result<Small, Fault> {
        pipeline::preview(&self.context(owner, images, cancel), inputs, steps, place)
    }

    fn context<'a>(&'a self, owner: u128, images: Images, cancel: &'a AtomicBool) -> Context<'a> {
        Context {
            runtime: self.runtime.clone(),
            cache: &self.cache,
            limits: self.limits,
            cancel,
            owner,
            strict_models: self.strict_models,
            images: Arc::new(images),
            keeps_photo: false,
            file: None,
        }
    }

    /// Bytes the work on that picture needs at its peak, without the networks (which all work shares) and the cache.
    pub fn memory_bytes(&self, image: &Image, steps: &[Step]) -> u64 {
        self.memory_bytes_together(&[image], &[], steps)
    }

    /// The same for pictures that go into one result; `named` are those that settings name.
    pub fn memory_bytes_together(&self, images: &[&Image], named: &[&Image], steps: &[Step]) -> u64 {
        pipeline::memory_bytes(&self.limits, images, named, steps)
    }
}
