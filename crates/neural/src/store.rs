//! The models folder: what is in it, how it gets there, and whether it is right.
//!
//! `<folder>/<SHA-256>/` holds one model or runtime pack; a folder appears whole or not at all. Fetches of one
//! id exclude each other through a lock file, also between processes.

use std::ffi::OsString;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::backend::openvino::OpenVino;
use crate::backend::rten::Rten;
use crate::backend::{Backend, Precision};
use crate::manifest::{Item, MODEL_FILE, Manifest, Model, RuntimePack};
use crate::record::{self, Damage, Record, State};
use crate::report::{Fetched, Listed, Progress, Stage, Status, Verified};
use crate::self_test::{self, SelfTest};
use crate::{FileFormat, ModelError, client, cpu, keras, onnx_outputs, tflite, unpack};

/// How long a package client may bring nothing before it is stopped, unless said otherwise.
pub const DEFAULT_STALL: Duration = Duration::from_secs(120);

const FETCH_AGAIN: &str =
    "the package may have been replaced, or a proxy changes what it passes on; fetch it again";
const REMOVE: &str = "remove its folder and fetch it again";

/// The models in one folder.
#[derive(Debug, Clone)]
pub struct ModelStore {
    dir: PathBuf,
    manifest: Manifest,
    client: client::Settings,
}

impl ModelStore {
    /// Opens the models folder `dir`, which need not exist yet.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self::with_manifest(dir, Manifest::embedded())
    }

    /// Opens the models folder `dir` with another list of what it may hold.
    pub fn with_manifest(dir: impl Into<PathBuf>, manifest: Manifest) -> Self {
        let client = client::Settings { stall: DEFAULT_STALL, search_path: None };
        Self { dir: dir.into(), manifest, client }
    }

    /// Stops a package client that brings nothing for `stall`.
    pub fn stall_timeout(mut self, stall: Duration) -> Self {
        self.client.stall = stall;
        self
    }

    /// Looks for package clients in these folders (written like `PATH`) rather than in the process's own.
    pub fn search_path(mut self, path: impl Into<OsString>) -> Self {
        self.client.search_path = Some(path.into());
        self
    }

    /// Returns the folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the list of what the folder may hold.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Lists every model and runtime pack with its licence and whether it is there.
    pub fn list(&self) -> Vec<Listed> {
        self.manifest
            .items()
            .map(|item| {
                let (licence, note) = item.licence();
                Listed {
                    id: item.id().to_owned(),
                    kind: if matches!(item, Item::Model(_)) { "model" } else { "runtime" },
                    title: item.title().to_owned(),
                    client: item.source().client.name(),
                    package: item.source().pinned(),
                    download_bytes: item.source().archive.bytes,
                    bytes: item.bytes(),
                    sha256: item.sha256().to_owned(),
                    licence: licence.to_owned(),
                    licence_note: note.map(str::to_owned),
                    status: self.glance(item),
                    path: self.folder(item),
                }
            })
            .collect()
    }

    /// Says whether `id` is there, from names, sizes and times only.
    pub fn status(&self, id: &str) -> Result<Status, ModelError> {
        Ok(self.glance(self.manifest.find(id)?))
    }

    /// Brings `id` into the folder if it is not there: download, check, unpack, join, check, self-test, rename.
    ///
    /// Fails without leaving anything behind. Two fetches of the same id at once download it once.
    pub fn fetch(&self, id: &str, progress: &mut dyn FnMut(Progress<'_>)) -> Result<Fetched, ModelError> {
        let item = self.manifest.find(id)?;
        if !item.fits_this_machine()
            && let Item::Pack(pack) = item
        {
            return Err(ModelError::OtherPlatform { id: id.to_owned(), platform: pack.platform.clone() });
        }
        let fetched = |already_there| Fetched {
            id: id.to_owned(),
            path: self.folder(item),
            bytes: item.bytes(),
            already_there,
        };
        if self.ready(item).is_ok() {
            return Ok(fetched(true));
        }
        let total_bytes = item.source().archive.bytes;
        let mut tell = |stage, bytes| progress(Progress { id, stage, bytes, total_bytes });
        fs::create_dir_all(&self.dir).map_err(ModelError::io("create the models folder", &self.dir))?;
        let _lock = self.lock(id, &mut || tell(Stage::Waiting, 0))?;
        if self.ready(item).is_ok() {
            return Ok(fetched(true));
        }
        let work = Work::create(self.dir.join(format!(".fetch-{id}")))?;
        tell(Stage::Downloading, 0);
        let archive = client::download(id, item.source(), &work.0, &self.client, &mut |bytes| {
            tell(Stage::Downloading, bytes)
        })?;
        tell(Stage::Checking, total_bytes);
        let pinned = &item.source().archive.sha256;
        let found = record::sha256_of(&archive).map_err(ModelError::io("read", &archive))?;
        if found != *pinned {
            return Err(mismatch(id, "the archive", pinned, found, FETCH_AGAIN));
        }
        tell(Stage::Unpacking, total_bytes);
        let out = work.0.join("out");
        fs::create_dir(&out).map_err(ModelError::io("create", &out))?;
        match item {
            Item::Model(model) => unpack_model(model, &archive, &out)?,
            Item::Pack(pack) => unpack_pack(pack, &archive, &out)?,
        }
        let mut record = examine(&out, item)?;
        if let Item::Model(model) = item
            && model.golden.is_some()
        {
            tell(Stage::Testing, total_bytes);
            self.test(model, &load_rten(model, &out, None)?, &out, &mut record)?;
        }
        self.put_in_place(item, &work, &out)?;
        Ok(fetched(false))
    }

    /// Reads every file of `id` in full and runs its self-tests.
    ///
    /// A model is tested on every runtime it can be used with here, a runtime pack with every model that is here.
    pub fn verify(&self, id: &str) -> Result<Verified, ModelError> {
        let item = self.manifest.find(id)?;
        let folder = self.folder(item);
        if matches!(record::glance(&folder, item), State::Absent) {
            return Err(self.absent(item));
        }
        let mut record = examine(&folder, item)?;
        let mut self_tests = Vec::new();
        match item {
            Item::Model(model) => {
                self_tests.extend(self.test(
                    model,
                    &load_rten(model, &folder, None)?,
                    &folder,
                    &mut record,
                )?);
                for pack in &self.manifest.runtimes {
                    let item = Item::Pack(pack);
                    if item.fits_this_machine() && cpu::has_avx2() && self.ready(item).is_ok() {
                        self_tests.extend(self.test_pack(pack, model)?);
                    }
                }
            }
            Item::Pack(pack) if item.fits_this_machine() && cpu::has_avx2() => {
                for model in &self.manifest.models {
                    if self.ready(Item::Model(model)).is_ok() {
                        self_tests.extend(self.test_pack(pack, model)?);
                    }
                }
            }
            Item::Pack(_) => {}
        }
        Ok(Verified { id: id.to_owned(), path: folder, bytes: item.bytes(), self_tests })
    }

    /// Computes the golden values of a model for the manifest, by rten in single precision: mean alpha of 16 by 16
    /// cells, row by row, or evenly spread values of an output that is no alpha.
    pub fn golden(&self, id: &str) -> Result<Vec<f32>, ModelError> {
        let item = self.manifest.find(id)?;
        let Item::Model(model) = item else {
            return Err(self.absent(item));
        };
        let (folder, _) = self.ready(item)?;
        self_test::looked_at(model, &load_rten(model, &folder, None)?)
    }

    /// Returns the folder of a model or pack that is there and right, reading it in full if it has to.
    pub(crate) fn ready(&self, item: Item<'_>) -> Result<(PathBuf, Record), ModelError> {
        let folder = self.folder(item);
        match record::glance(&folder, item) {
            State::Ready(record) => Ok((folder, record)),
            State::Absent => Err(self.absent(item)),
            State::Damaged(damage) => Err(damaged(item, damage)),
            State::Unchecked => examine(&folder, item).map(|record| (folder, record)),
        }
    }

    /// Runs the self-test of `model` on `backend`, and writes down that it passed.
    pub(crate) fn test(
        &self,
        model: &Model,
        backend: &dyn Backend,
        folder: &Path,
        record: &mut Record,
    ) -> Result<Option<SelfTest>, ModelError> {
        let passed = self_test::check(model, backend)?;
        if passed.is_some() {
            record.add_passed(folder, test_key(backend));
        }
        Ok(passed)
    }

    /// Runs the self-test unless these files passed it before on this kind of processor.
    pub(crate) fn test_once(
        &self,
        model: &Model,
        backend: &dyn Backend,
        folder: &Path,
        record: &mut Record,
    ) -> Result<(), ModelError> {
        if record.passed.contains(&test_key(backend)) {
            return Ok(());
        }
        self.test(model, backend, folder, record).map(|_| ())
    }

    fn test_pack(&self, pack: &RuntimePack, model: &Model) -> Result<Vec<SelfTest>, ModelError> {
        let (pack_folder, _) = self.ready(Item::Pack(pack))?;
        let (folder, mut record) = self.ready(Item::Model(model))?;
        let mut passed = Vec::new();
        for precision in precisions(model) {
            let backend = load_openvino(pack, &pack_folder, model, &folder, precision, None)?;
            passed.extend(self.test(model, &backend, &folder, &mut record)?);
        }
        Ok(passed)
    }

    fn folder(&self, item: Item<'_>) -> PathBuf {
        self.dir.join(item.sha256())
    }

    fn glance(&self, item: Item<'_>) -> Status {
        if !item.fits_this_machine() {
            return Status::OtherPlatform;
        }
        match record::glance(&self.folder(item), item) {
            State::Absent => Status::Absent,
            State::Ready(_) => Status::Ready,
            State::Unchecked => Status::Unchecked,
            State::Damaged(damage) => Status::Damaged { reason: damaged(item, damage).to_string() },
        }
    }

    fn absent(&self, item: Item<'_>) -> ModelError {
        ModelError::Absent { id: item.id().to_owned(), dir: self.dir.clone() }
    }

    /// Waits until no other process fetches `id`. The lock ends with the file, so also with a killed process.
    fn lock(&self, id: &str, waiting: &mut dyn FnMut()) -> Result<File, ModelError> {
        let path = self.dir.join(format!(".{id}.lock"));
        let file = File::options()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(ModelError::io("open the lock file", &path))?;
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => waiting(),
            Err(TryLockError::Error(error)) => return Err(ModelError::io("lock", &path)(error)),
        }
        file.lock().map_err(ModelError::io("lock", &path))?;
        Ok(file)
    }

    fn put_in_place(&self, item: Item<'_>, work: &Work, out: &Path) -> Result<(), ModelError> {
        let folder = self.folder(item);
        let place = || -> io::Result<()> {
            File::open(out)?.sync_all()?;
            if folder.exists() {
                // What is there is damaged, or it would not have been fetched again.
                fs::rename(&folder, work.0.join("damaged"))?;
            }
            fs::rename(out, &folder)?;
            File::open(&self.dir)?.sync_all()
        };
        place().map_err(ModelError::io("put in place", &folder))
    }
}

/// Lists the precisions in which `model` is used with OpenVINO on this processor.
pub(crate) fn precisions(model: &Model) -> Vec<Precision> {
    if model.bf16 && cpu::has_bf16() { vec![Precision::Bf16, Precision::F32] } else { vec![Precision::F32] }
}

pub(crate) fn load_rten(model: &Model, folder: &Path, threads: Option<usize>) -> Result<Rten, ModelError> {
    Rten::load(&folder.join(MODEL_FILE), &model.input, &model.output, threads)
        .map_err(|source| ModelError::Run { id: model.id.clone(), source })
}

pub(crate) fn load_openvino(
    pack: &RuntimePack,
    pack_folder: &Path,
    model: &Model,
    folder: &Path,
    precision: Precision,
    threads: Option<usize>,
) -> Result<OpenVino, ModelError> {
    let (library, file) = (pack_folder.join(&pack.library), folder.join(MODEL_FILE));
    OpenVino::load(&library, &file, &model.input, &model.output, precision, threads)
        .map_err(|source| ModelError::Run { id: model.id.clone(), source })
}

fn test_key(backend: &dyn Backend) -> String {
    format!("{} on {}", backend.describe(), cpu::signature())
}

fn examine(folder: &Path, item: Item<'_>) -> Result<Record, ModelError> {
    record::examine(folder, item)
        .map_err(ModelError::io("read", folder))?
        .map_err(|damage| damaged(item, damage))
}

fn damaged(item: Item<'_>, damage: Damage) -> ModelError {
    mismatch(item.id(), &format!("file `{}`", damage.name), &damage.expected, damage.found, REMOVE)
}

fn mismatch(id: &str, what: &str, expected: &str, found: String, way_out: &'static str) -> ModelError {
    ModelError::Mismatch {
        id: id.to_owned(),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found,
        way_out,
    }
}

/// Joins the model's members, checks the published file, makes the ONNX file that is kept of it and writes that.
fn unpack_model(model: &Model, archive: &Path, out: &Path) -> Result<(), ModelError> {
    let unusable = |detail| ModelError::Archive { id: model.id.clone(), detail };
    let wanted: Vec<&str> = model.members.iter().map(String::as_str).collect();
    let mut parts = vec![Vec::new(); wanted.len()];
    unpack::members(archive, model.source.client, &wanted, |index, from| {
        parts[index] = unpack::read_limited(from, model.published.bytes)?;
        Ok(())
    })
    .map_err(unusable)?;
    let published = parts.concat();
    drop(parts);
    let found = record::sha256_of_bytes(&published);
    if found != model.published.sha256 {
        return Err(mismatch(&model.id, "the published model", &model.published.sha256, found, FETCH_AGAIN));
    }
    let kept = match model.format {
        FileFormat::Keras => keras::to_onnx(&published, model).map_err(unusable)?,
        FileFormat::Tflite => tflite::to_onnx(&published, model).map_err(unusable)?,
        FileFormat::Onnx if model.kept == model.published => published,
        FileFormat::Onnx => onnx_outputs::keep_output(&published, &model.output.name).map_err(unusable)?,
    };
    let path = out.join(MODEL_FILE);
    write_synced(&path, |file| file.write_all(&kept)).map_err(ModelError::io("write", &path))
}

fn unpack_pack(pack: &RuntimePack, archive: &Path, out: &Path) -> Result<(), ModelError> {
    let wanted: Vec<&str> = pack.files.iter().map(|file| file.member.as_str()).collect();
    unpack::members(archive, pack.source.client, &wanted, |index, from| {
        let file = &pack.files[index];
        let mut limited = io::Read::take(from, file.bytes + 1);
        write_synced(&out.join(file.name()), |to| io::copy(&mut limited, to).map(|_| ()))
            .map_err(|error| error.to_string())
    })
    .map_err(|detail| ModelError::Archive { id: pack.id.clone(), detail })
}

fn write_synced(path: &Path, write: impl FnOnce(&mut File) -> io::Result<()>) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    write(&mut file)?;
    file.sync_all()
}

/// A folder that is removed with all it holds, at the end or at the next fetch after a crash.
struct Work(PathBuf);

impl Work {
    fn create(path: PathBuf) -> Result<Self, ModelError> {
        match fs::remove_dir_all(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(ModelError::io("remove", &path)(error));
            }
            _ => {}
        }
        fs::create_dir(&path).map_err(ModelError::io("create", &path))?;
        // The client runs in this folder, so its path must not depend on where this process runs.
        let path = path.canonicalize().map_err(ModelError::io("find", &path))?;
        Ok(Self(path))
    }
}

impl Drop for Work {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            tracing::warn!(path = %self.0.display(), %error, "cannot remove what a fetch left; the next one will");
        }
    }
}
