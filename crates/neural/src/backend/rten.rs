//! The pure Rust runtime: loads the published file as it is and needs no library.

use std::path::Path;
use std::sync::Arc;

use rten::{NodeId, RunOptions, ThreadPool};
use rten_tensor::{Layout, TensorView};

use super::{Backend, BackendInfo, BackendKind, Precision, inference_slot};
use crate::{InputSpec, NeuralError, OutputSpec, Tensor};

/// Version of the runtime, part of every result's identity.
pub const VERSION: &str = "0.27.0";

/// A network loaded into rten.
pub struct Rten {
    model: rten::Model,
    input: NodeId,
    output: NodeId,
    threads: Option<Arc<ThreadPool>>,
}

impl Rten {
    /// Loads the ONNX file `path`; `threads` is the number of cores used, all physical ones if `None`.
    pub fn load(
        path: &Path,
        input: &InputSpec,
        output: &OutputSpec,
        threads: Option<usize>,
    ) -> Result<Self, NeuralError> {
        let model =
            rten::Model::load_file(path).map_err(|error| refused("load the model", &error.to_string()))?;
        let node = |name: &str| {
            model
                .node_id(name)
                .map_err(|_| refused("load the model", &format!("it has no value called `{name}`")))
        };
        let (input, output) = (node(&input.name)?, node(&output.name)?);
        let threads = threads.map(|count| Arc::new(ThreadPool::with_num_threads(count)));
        Ok(Self { model, input, output, threads })
    }
}

impl Backend for Rten {
    fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
        let view = TensorView::from_data(input.shape(), input.data());
        let mut options = RunOptions::default();
        options.thread_pool = self.threads.clone();
        let slot = inference_slot();
        let [value] = self
            .model
            .run_n(vec![(self.input, view.into())], [self.output], Some(options))
            .map_err(|error| refused("run the model", &error.to_string()))?;
        drop(slot);
        let found: rten_tensor::Tensor<f32> = value
            .into_tensor()
            .ok_or_else(|| refused("run the model", "its output is not made of f32 values"))?;
        Tensor::new(found.shape().to_vec(), found.into_data())
    }

    fn describe(&self) -> BackendInfo {
        BackendInfo { kind: BackendKind::Rten, version: VERSION.to_owned(), precision: Precision::F32 }
    }
}

fn refused(what: &'static str, detail: &str) -> NeuralError {
    NeuralError::Backend { backend: "rten", what, detail: detail.replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_stated_version_is_the_locked_one() {
        let lock = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock");
        let lock = std::fs::read_to_string(lock).unwrap();
        let stated = format!("name = \"rten\"\nversion = \"{}\"", super::VERSION);
        assert!(lock.contains(&stated), "VERSION differs from Cargo.lock");
    }
}
