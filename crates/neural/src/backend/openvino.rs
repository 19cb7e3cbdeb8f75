//! OpenVINO, loaded at run time from the fetched runtime pack; never from elsewhere on the machine, because only
//! the pack's files are verified. The libraries find each other by their own `$ORIGIN` paths.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use openvino::{Core, DeviceType, ElementType, InferRequest, RwPropertyKey, Shape};

use super::{Backend, BackendInfo, BackendKind, Precision, inference_slot};
use crate::{InputSpec, NeuralError, OutputSpec, Tensor};

/// A network compiled by OpenVINO for the processor.
pub struct OpenVino {
    // Dropped in this order: a request before the network it belongs to.
    session: Mutex<Session>,
    version: String,
    precision: Precision,
}

struct Session {
    request: InferRequest,
    input: openvino::Tensor,
    input_name: String,
    output_name: String,
    _network: openvino::CompiledModel,
    _core: Core,
}

impl OpenVino {
    /// Loads `library` (once for the process: the first path stays) and compiles the ONNX file `path` in `precision`.
    pub fn load(
        library: &Path,
        path: &Path,
        input: &InputSpec,
        output: &OutputSpec,
        precision: Precision,
        threads: Option<usize>,
    ) -> Result<Self, NeuralError> {
        let version = open_library(library)?;
        let hint = match precision {
            Precision::F32 => "f32",
            Precision::Bf16 => "bf16",
        };
        let mut core = Core::new().map_err(|error| refused("start", error))?;
        let mut settings = vec![
            (RwPropertyKey::HintInferencePrecision, hint.to_owned()),
            (RwPropertyKey::HintPerformanceMode, "LATENCY".to_owned()),
            // Pictures are decoded and encoded on the same cores meanwhile; a pinned thread would wait for them.
            (RwPropertyKey::HintEnableCpuPinning, "NO".to_owned()),
        ];
        settings.extend(threads.map(|count| (RwPropertyKey::InferenceNumThreads, count.to_string())));
        for (key, value) in settings {
            core.set_property(&DeviceType::CPU, &key, &value).map_err(|error| refused("be set up", error))?;
        }
        let file = path.to_str().ok_or_else(|| refused("load the model", "its path is no UTF-8"))?;
        let model = core.read_model_from_file(file, "").map_err(|error| refused("read the model", error))?;
        let mut network = core
            .compile_model(&model, DeviceType::CPU)
            .map_err(|error| refused("compile the model", error))?;
        let mut request =
            network.create_infer_request().map_err(|error| refused("prepare the model", error))?;
        let shape =
            Shape::new(&dimensions(&input.shape())).map_err(|error| refused("prepare the model", error))?;
        let tensor = openvino::Tensor::new(ElementType::F32, &shape)
            .map_err(|error| refused("prepare the model", error))?;
        request.set_tensor(&input.name, &tensor).map_err(|error| refused("prepare the model", error))?;
        let session = Session {
            request,
            input: tensor,
            input_name: input.name.clone(),
            output_name: output.name.clone(),
            _network: network,
            _core: core,
        };
        Ok(Self { session: Mutex::new(session), version, precision })
    }
}

impl Backend for OpenVino {
    fn run(&self, input: &Tensor) -> Result<Tensor, NeuralError> {
        let failed = |error: openvino::InferenceError| refused("run the model", error);
        let _slot = inference_slot();
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = dimensions(input.shape());
        if session.input.get_shape().map_err(failed)?.get_dimensions() != wanted {
            // A network that takes any size is given another tensor; one that does not refuses it.
            let shape = Shape::new(&wanted).map_err(failed)?;
            let tensor = openvino::Tensor::new(ElementType::F32, &shape).map_err(failed)?;
            let Session { request, input_name, .. } = &mut *session;
            request.set_tensor(input_name, &tensor).map_err(failed)?;
            session.input = tensor;
        }
        session.input.get_data_mut::<f32>().map_err(failed)?.copy_from_slice(input.data());
        session.request.infer().map_err(failed)?;
        let output = session.request.get_tensor(&session.output_name).map_err(failed)?;
        if output.get_element_type().map_err(failed)? != ElementType::F32 {
            return Err(refused("run the model", "its output is not made of f32 values"));
        }
        let shape = output.get_shape().map_err(failed)?;
        let sides = shape.get_dimensions().iter().map(|side| usize::try_from(*side).unwrap_or(0)).collect();
        Tensor::new(sides, output.get_data::<f32>().map_err(failed)?.to_vec())
    }

    fn describe(&self) -> BackendInfo {
        BackendInfo { kind: BackendKind::OpenVino, version: self.version.clone(), precision: self.precision }
    }
}

/// Opens the library and returns its version; another pack is refused, because a process holds one OpenVINO.
fn open_library(library: &Path) -> Result<String, NeuralError> {
    static OPENED: Mutex<Option<PathBuf>> = Mutex::new(None);
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    match opened.as_deref() {
        // A pack's folder is named by its hash: the same name in another models folder is the same pack.
        Some(first) if first.parent().map(Path::file_name) == library.parent().map(Path::file_name) => {}
        Some(first) => {
            let detail = format!("this process already uses `{}`", first.display());
            return Err(refused("be loaded a second time", detail));
        }
        None => {
            openvino_sys::library::load_from(library).map_err(|error| refused("be loaded", error))?;
            *opened = Some(library.to_owned());
        }
    }
    // `2026.4.1-22982-...`: the release alone says which code runs.
    let build = openvino::version().build_number;
    Ok(build.split('-').next().unwrap_or(&build).to_owned())
}

fn dimensions(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|side| *side as i64).collect()
}

fn refused(what: &'static str, detail: impl std::fmt::Display) -> NeuralError {
    NeuralError::Backend { backend: "openvino", what, detail: detail.to_string().replace('\n', " ") }
}
