//! A network that is ready to run, and all that a result should say about it.

use std::fmt;
use std::time::Instant;

use serde::Serialize;

use crate::backend::{Backend, BackendInfo, BackendKind, Precision};
use crate::{InputSpec, Model, NeuralError, Tensor, self_test};

/// A loaded network with its input and output rules; cheap to share, runs one inference at a time in the process.
pub struct Network {
    model: Model,
    backend: Box<dyn Backend>,
    info: NetworkInfo,
}

/// What a result says about the network that made it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NetworkInfo {
    /// The model's id.
    pub id: String,
    /// SHA-256 of the model file, in hexadecimal.
    pub sha256: String,
    /// The runtime.
    pub backend: BackendKind,
    /// The runtime's version.
    pub backend_version: String,
    /// The precision it computes in.
    pub precision: Precision,
    /// Why this is not the model of first choice, if it is not.
    pub fallback: Option<String>,
    /// Why this is not the fastest runtime, if it is not.
    pub backend_reason: Option<String>,
}

impl Network {
    pub(crate) fn new(
        model: Model,
        backend: Box<dyn Backend>,
        fallback: Option<String>,
        backend_reason: Option<String>,
    ) -> Self {
        let BackendInfo { kind, version, precision } = backend.describe();
        let info = NetworkInfo {
            id: model.id.clone(),
            sha256: model.kept.sha256.clone(),
            backend: kind,
            backend_version: version,
            precision,
            fallback,
            backend_reason,
        };
        Self { model, backend, info }
    }

    /// Returns what a result should say about the network.
    pub fn info(&self) -> &NetworkInfo {
        &self.info
    }

    /// Returns the rules for making the input tensor.
    pub fn spec(&self) -> &InputSpec {
        &self.model.input
    }

    /// Computes alpha for one input tensor (see [`InputSpec::tensor`]): f32 [height, width], 0 background, 1 product.
    /// A network whose output is no alpha gives its values in the shape of [`crate::OutputSpec::shape`];
    /// one that enlarges gives f32 [1, 3, height, width], sRGB from 0 to 1.
    pub fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
        let started = Instant::now();
        let values = self_test::output(&self.model, self.backend.as_ref(), input)?;
        tracing::debug!(network = %self.identity(), elapsed_ms = started.elapsed().as_millis() as u64, "ran the network");
        let shape = match &self.model.output {
            output if output.times.is_some() => output.shape_for(input.shape(), self.model.input.shape()),
            output => output.shape.clone(),
        };
        let alpha = || vec![self.model.input.height, self.model.input.width];
        Tensor::new(shape.unwrap_or_else(alpha), values)
    }

    /// Returns how many times larger than its input a picture is that comes out; `None` where none does.
    pub fn times(&self) -> Option<usize> {
        self.model.output.times
    }

    /// Returns a text that differs whenever outputs may: model, its hash, runtime, version and precision.
    pub fn identity(&self) -> String {
        let NetworkInfo { id, sha256, backend, backend_version, precision, .. } = &self.info;
        format!("{id}@{sha256}+{backend}-{backend_version}+{precision}")
    }
}

impl fmt::Debug for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Network").field("info", &self.info).finish_non_exhaustive()
    }
}
