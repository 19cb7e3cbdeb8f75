//! Runs a network on a tensor: finds, fetches and checks model files, and picks the runtime that runs them.
//! Knows neither pictures nor business; the caller decides which folder holds the models.

pub mod backend;
mod client;
mod cpu;
mod error;
mod keras;
mod manifest;
mod network;
mod onnx_outputs;
mod onnx_writer;
mod record;
mod report;
mod runtime;
mod self_test;
mod spec;
mod store;
mod tensor;
mod tflite;
mod unpack;

pub use backend::{Backend, BackendInfo, BackendKind, Precision};
pub use error::{ModelError, NeuralError, Unavailable};
pub use manifest::{
    Client, FileFormat, FileMark, Golden, Item, Manifest, Model, PackFile, RuntimePack, Source, Task,
};
pub use network::{Network, NetworkInfo};
pub use report::{Fetched, Listed, Progress, Stage, Status, Verified};
pub use runtime::{BackendChoice, Runtime, RuntimeOptions};
pub use self_test::SelfTest;
pub use spec::{InputSpec, Normalise, OutputScale, OutputSpec};
pub use store::ModelStore;
pub use tensor::Tensor;
