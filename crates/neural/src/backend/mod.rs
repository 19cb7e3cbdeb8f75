//! The runtimes that can run a network, behind one small trait.

pub mod openvino;
pub mod recorded;
pub mod rten;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};

use crate::{NeuralError, Tensor};

/// A network loaded into a runtime, kept warm.
pub trait Backend: Send + Sync {
    /// Computes the network's one wanted output, raw; one inference runs at a time in the process, over all cores.
    fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError>;

    /// Says which runtime this is and how precisely it computes.
    fn describe(&self) -> BackendInfo;
}

/// Which runtime runs a network, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackendInfo {
    /// The runtime.
    pub kind: BackendKind,
    /// Its version.
    pub version: String,
    /// The precision it computes in.
    pub precision: Precision,
}

/// The runtimes there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BackendKind {
    /// The pure Rust runtime, always there.
    Rten,
    /// OpenVINO from the fetched runtime pack.
    OpenVino,
    /// Outputs recorded earlier, for tests without weights.
    Recorded,
}

/// The number format a network's sums are computed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// IEEE 754 single precision.
    F32,
    /// bfloat16 products, summed in single precision.
    Bf16,
}

impl BackendKind {
    /// Returns the name used in results, keys and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rten => "rten",
            Self::OpenVino => "openvino",
            Self::Recorded => "recorded",
        }
    }
}

impl Precision {
    /// Returns the name used in results, keys and settings.
    pub fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::Bf16 => "bf16",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for BackendInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}+{}", self.kind, self.version, self.precision)
    }
}

/// Waits for the process's one inference slot: two at once would double the memory and gain nothing,
/// because one inference already uses every core.
fn inference_slot() -> MutexGuard<'static, ()> {
    static SLOT: Mutex<()> = Mutex::new(());
    SLOT.lock().unwrap_or_else(PoisonError::into_inner)
}
