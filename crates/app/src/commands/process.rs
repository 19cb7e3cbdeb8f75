//! `packshot process`: the pipeline without a server, over files and folders, resumable.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::Context as _;
use components::{Images, Toolbox};
use domain::image::{ContentHash, FileName, Image, Inspect as _};
use domain::run::StepReport;
use domain::workflow::Step;
use engine::Admission;
use indicatif::{ProgressBar, ProgressStyle};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::config::Config;
use crate::inspect::Inspector;
use crate::{End, Usage, limits, print_json, toolbox};

use super::workflows;

/// Retouch files and folders without a server.
#[derive(clap::Args)]
pub struct Options {
    /// Photos, and folders of photos (searched deeply)
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
    /// A starter workflow's name, or a workflow file (`packshot workflows list`)
    #[arg(long, short, value_name = "NAME|FILE.json")]
    workflow: String,
    /// Folder for the results; a folder's own structure is kept in it
    #[arg(long, short, value_name = "DIR")]
    out: PathBuf,
    /// Photos worked on at once; default: one for each core
    #[arg(long, short, value_name = "N")]
    pub jobs: Option<std::num::NonZeroUsize>,
    /// Print one JSON document with what became of each photo
    #[arg(long)]
    json: bool,
}

/// The journal of finished photos in the results folder.
const JOURNAL: &str = ".packshot.jsonl";

/// What is said of a picture that a decoder panicked over.
const CRASHED: &str = "the picture made the worker crash; its file may be damaged";

const EXTENSIONS: [&str; 7] = ["jpg", "jpeg", "jpe", "png", "webp", "tif", "tiff"];

/// One photo to be done.
#[derive(Clone, Debug)]
struct Item {
    path: PathBuf,
    /// Its folder below the results folder.
    folder: PathBuf,
    /// The name the pipeline is told: the file's own, unless another photo of the folder has the same stem.
    name: FileName,
}

/// What became of one photo.
#[derive(Clone, Debug, Serialize)]
struct Report {
    input: String,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    more: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
    seconds: f64,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    steps: Vec<StepReport>,
}

/// A line of the journal: this input through this workflow gave that output.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Done {
    input: PathBuf,
    input_sha256: ContentHash,
    workflow_sha256: ContentHash,
    output: PathBuf,
    output_bytes: u64,
    /// Further files that came of it, by their labels.
    #[serde(default)]
    more: BTreeMap<String, PathBuf>,
    /// If a model of second choice made it: the models there were. Once there are others it is done again.
    #[serde(default)]
    second_choice: Option<String>,
}

/// Why a photo failed.
struct Failed {
    code: String,
    message: String,
}

impl Failed {
    fn new(code: &str, message: impl std::fmt::Display) -> Self {
        Self { code: code.to_owned(), message: message.to_string() }
    }
}

/// What all photos of one call share.
struct Batch {
    toolbox: Arc<Toolbox>,
    inspector: Inspector,
    admission: Admission,
    steps: Vec<Step>,
    /// Pictures that settings name, and what their headers say.
    images: Images,
    named: Vec<Image>,
    workflow_sha256: ContentHash,
    /// The models there are, by id.
    models: String,
    out: PathBuf,
    originals: HashSet<PathBuf>,
    journal: Mutex<Journal>,
    stop: Arc<AtomicBool>,
}

struct Journal {
    file: File,
    /// The latest line for each input.
    done: HashMap<PathBuf, Done>,
    /// Outputs taken in this call or before, so that no photo overwrites another's result.
    taken: HashMap<PathBuf, PathBuf>,
}

/// Does the photos and answers whether all went well.
pub fn run(config: &Config, options: &Options) -> anyhow::Result<End> {
    let workflows::Local { steps, images } = workflows::find(&options.workflow)?;
    let named = components::catalogue().images(&steps);
    if let Some(missing) = named.iter().find(|hash| !images.contains_key(*hash)) {
        return Err(Usage(format!(
            "`{}` names the stored picture `{missing}`; without a server, name a file beside it: `file:logo.png`",
            options.workflow
        ))
        .into());
    }
    fs::create_dir_all(&options.out)
        .with_context(|| format!("cannot create the results folder `{}`", options.out.display()))?;
    let out = options.out.canonicalize()?;
    let items = collect(&options.inputs, &out)?;
    if items.is_empty() {
        return Err(Usage("no photo was found among the inputs (JPEG, PNG, WebP, TIFF)".to_owned()).into());
    }
    let began = Instant::now();
    let toolbox = toolbox::without_disk(config)?;
    if config.models.strict && steps.iter().any(|step| step.kind == "removeBackground") {
        toolbox::require_network(&toolbox)?;
    }
    let batch = Arc::new(Batch {
        models: toolbox::models_there(&toolbox),
        toolbox,
        inspector: Inspector::new(limits(config)),
        admission: Admission::new(config.runs_budget(0)),
        workflow_sha256: fingerprint(&steps, config.processing.max_side),
        named: named_images(&images, &limits(config))?,
        images,
        steps,
        originals: items.iter().filter_map(|item| item.path.canonicalize().ok()).collect(),
        journal: Mutex::new(Journal::open(&out)?),
        out,
        stop: Arc::new(AtomicBool::new(false)),
    });
    let bar = progress_bar(items.len() as u64);
    let jobs = config.workers.max(1);
    let runtime = crate::runtime()?;
    let reports = runtime.block_on(do_all(&batch, items, jobs, &bar));
    bar.finish_and_clear();
    let interrupted = batch.stop.load(Ordering::Relaxed);
    let count = |status| reports.iter().filter(|report| report.status == status).count();
    let (done, unchanged, failed) = (count("done"), count("unchanged"), count("failed"));
    let seconds = began.elapsed().as_secs_f64();
    if options.json {
        print_json(&serde_json::json!({
            "done": done, "unchanged": unchanged, "failed": failed, "seconds": seconds,
            "peak_memory_bytes": peak_memory_bytes(), "items": reports,
        }))?;
    } else {
        for report in &reports {
            if let Some(output) = &report.output {
                println!("{output}");
            }
        }
    }
    eprintln!("{done} done, {unchanged} unchanged, {failed} failed in {seconds:.1} s");
    if interrupted {
        eprintln!("interrupted; the same command goes on where this one stopped");
        std::process::exit(130);
    }
    Ok(if failed == 0 { End::Done } else { End::SomeFailed })
}

async fn do_all(batch: &Arc<Batch>, items: Vec<Item>, jobs: usize, bar: &ProgressBar) -> Vec<Report> {
    let slots = Arc::new(tokio::sync::Semaphore::new(jobs));
    let stop = Arc::clone(&batch.stop);
    let listener = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.store(true, Ordering::Relaxed);
        }
    });
    let mut tasks = Vec::with_capacity(items.len());
    for item in items {
        let slot = Arc::clone(&slots).acquire_owned().await.expect("the semaphore is never closed");
        if batch.stop.load(Ordering::Relaxed) {
            break;
        }
        let (batch, bar) = (Arc::clone(batch), bar.clone());
        tasks.push(tokio::spawn(async move {
            let began = Instant::now();
            let path = item.path.clone();
            let outcome = do_one(&batch, item).await;
            drop(slot);
            let report = report(path, outcome, began.elapsed().as_secs_f64());
            if let Some(message) =
                report.message.as_ref().filter(|_| report.code.as_deref() != Some("cancelled"))
            {
                bar.suspend(|| eprintln!("failed  {}: {message}", report.input));
            }
            bar.inc(1);
            report
        }));
    }
    let mut reports = Vec::with_capacity(tasks.len());
    for task in tasks {
        match task.await {
            Ok(report) if report.code.as_deref() == Some("cancelled") => {}
            Ok(report) => reports.push(report),
            Err(error) => tracing::error!(%error, "a job ended without a report"),
        }
    }
    listener.abort();
    reports
}

enum Outcome {
    Made { output: PathBuf, more: BTreeMap<String, PathBuf>, steps: Vec<StepReport> },
    Unchanged { output: PathBuf },
}

fn report(input: PathBuf, outcome: Result<Outcome, Failed>, seconds: f64) -> Report {
    let shown = |path: PathBuf| path.to_string_lossy().into_owned();
    let blank = Report {
        input: shown(input),
        status: "failed",
        output: None,
        more: BTreeMap::new(),
        code: None,
        message: None,
        seconds: (seconds * 1000.0).round() / 1000.0,
        steps: Vec::new(),
    };
    match outcome {
        Ok(Outcome::Made { output, more, steps }) => {
            let more = more.into_iter().map(|(label, path)| (label, shown(path))).collect();
            Report { status: "done", output: Some(shown(output)), more, steps, ..blank }
        }
        Ok(Outcome::Unchanged { output }) => {
            Report { status: "unchanged", output: Some(shown(output)), ..blank }
        }
        Err(failed) => Report { code: Some(failed.code), message: Some(failed.message), ..blank },
    }
}

async fn do_one(batch: &Arc<Batch>, item: Item) -> Result<Outcome, Failed> {
    if item.path.to_str().is_none() {
        return Err(Failed::new("name_not_unicode", "the file's name is not Unicode; rename it"));
    }
    let facts = {
        let (batch, path) = (Arc::clone(batch), item.path.clone());
        tokio::task::spawn_blocking(move || batch.inspector.inspect(&path))
            .await
            .map_err(|_| Failed::new("worker_crashed", CRASHED))?
            .map_err(|unusable| Failed::new("image_unusable", unusable))?
    };
    let length = fs::metadata(&item.path).map_or(0, |metadata| metadata.len());
    let image = Image {
        hash: ContentHash([0; 32]),
        media_type: facts.media_type,
        bytes: length,
        width: facts.width,
        height: facts.height,
    };
    let needed =
        batch.toolbox.memory_bytes_together(&[&image], &batch.named.iter().collect::<Vec<_>>(), &batch.steps);
    let admitted = batch.admission.admit(needed).await;
    let batch = Arc::clone(batch);
    tokio::task::spawn_blocking(move || {
        let _admitted = admitted;
        work(&batch, &item)
    })
    .await
    .unwrap_or_else(|_| Err(Failed::new("worker_crashed", CRASHED)))
}

/// One photo, from file to file. Blocking.
fn work(batch: &Batch, item: &Item) -> Result<Outcome, Failed> {
    let bytes = fs::read(&item.path).map_err(|error| Failed::new("file_unreadable", error))?;
    let hash = ContentHash(Sha256::digest(&bytes).into());
    let key = item.path.canonicalize().unwrap_or_else(|_| item.path.clone());
    if let Some(output) = batch.journal().unchanged(&key, hash, batch) {
        return Ok(Outcome::Unchanged { output });
    }
    let input = components::Input { bytes: &bytes, hash, name: &item.name };
    let product = batch
        .toolbox
        .process_together(0, &[input], batch.images.clone(), &batch.steps, &batch.stop)
        .map_err(|fault| Failed { code: fault.code.to_owned(), message: fault.message })?;
    drop(bytes);
    let folder = batch.out.join(&item.folder);
    fs::create_dir_all(&folder).map_err(|error| Failed::new("result_unwritable", error))?;
    let output = batch.claim_output(&key, &folder, &product.file.name)?;
    let mut more = BTreeMap::new();
    for (label, file) in &product.more {
        let path = batch.claim_output(&further_key(&key, label), &folder, &file.name)?;
        more.insert(label.clone(), (path, file));
    }
    let done = Done {
        input: key,
        input_sha256: hash,
        workflow_sha256: batch.workflow_sha256,
        output: output.clone(),
        output_bytes: product.file.bytes.len() as u64,
        more: more.iter().map(|(label, (path, _))| (label.clone(), path.clone())).collect(),
        second_choice: product
            .reports
            .iter()
            .any(|step| step.model.as_ref().is_some_and(|model| model.fallback.is_some()))
            .then(|| batch.models.clone()),
    };
    // The journal first: if this is cut off, the result is known to be ours and is not there, and the photo is done again.
    batch.journal().add(done).map_err(|error| Failed::new("journal_unwritable", error))?;
    // The further files first: a photo counts as done once its result is there.
    for (path, file) in more.values() {
        write_whole(path, &file.bytes).map_err(|error| Failed::new("result_unwritable", error))?;
    }
    write_whole(&output, &product.file.bytes).map_err(|error| Failed::new("result_unwritable", error))?;
    let more = more.into_iter().map(|(label, (path, _))| (label, path)).collect();
    Ok(Outcome::Made { output, more, steps: product.reports })
}

/// Under what a further file of a photo takes its name, so that doing the photo again takes the same one.
fn further_key(photo: &Path, label: &str) -> PathBuf {
    photo.join(label)
}

/// What the headers of the pictures say that settings name.
fn named_images(images: &Images, limits: &pixels::Limits) -> anyhow::Result<Vec<Image>> {
    let look = |(hash, file): (&ContentHash, &Vec<u8>)| {
        let header = pixels::probe(file, limits)
            .map_err(|error| Usage(format!("a picture that the workflow names is of no use: {error}")))?;
        let (width, height) = header.upright_size();
        let media_type = header.format.mime().to_owned();
        Ok(Image { hash: *hash, media_type, bytes: file.len() as u64, width, height })
    };
    images.iter().map(look).collect()
}

impl Batch {
    fn journal(&self) -> std::sync::MutexGuard<'_, Journal> {
        // Every change to the journal is one whole insertion: it is as good after a panic as before it.
        self.journal.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A path for a result that is no photo of this call and no other photo's result.
    fn claim_output(&self, key: &Path, folder: &Path, name: &FileName) -> Result<PathBuf, Failed> {
        let mut journal = self.journal();
        for number in 1..10_000 {
            let path = folder.join(numbered(name, number));
            if self.originals.contains(&path) {
                continue;
            }
            match journal.taken.get(&path) {
                Some(owner) if owner == key => return Ok(path),
                Some(_) => continue,
                None if path.exists() => {
                    return Err(Failed::new(
                        "result_exists",
                        format!("`{}` exists and was not made here; choose another --out", path.display()),
                    ));
                }
                None => {
                    journal.taken.insert(path.clone(), key.to_owned());
                    return Ok(path);
                }
            }
        }
        Err(Failed::new("result_exists", format!("too many results are called `{name}`")))
    }
}

fn numbered(name: &FileName, number: u32) -> String {
    match (number, name.extension()) {
        (1, _) => name.as_str().to_owned(),
        (_, Some(extension)) => format!("{}-{number}.{extension}", name.stem()),
        (_, None) => format!("{}-{number}", name.stem()),
    }
}

impl Journal {
    fn open(out: &Path) -> anyhow::Result<Self> {
        let path = out.join(JOURNAL);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(error).with_context(|| format!("cannot read `{}`", path.display())),
        };
        // A line cut off by a crash is no line: its photo is done again.
        let done: HashMap<_, _> = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Done>(line).ok())
            .map(|done| (done.input.clone(), done))
            .collect();
        let mut taken = HashMap::new();
        for one in done.values() {
            taken.insert(one.output.clone(), one.input.clone());
            taken.extend(one.more.iter().map(|(label, path)| (path.clone(), further_key(&one.input, label))));
        }
        let mut file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .with_context(|| format!("cannot write `{}`", path.display()))?;
        if !text.is_empty() && !text.ends_with('\n') {
            writeln!(file)?;
        }
        Ok(Self { file, done, taken })
    }

    fn unchanged(&self, input: &Path, hash: ContentHash, batch: &Batch) -> Option<PathBuf> {
        let done = self.done.get(input)?;
        let same = done.input_sha256 == hash && done.workflow_sha256 == batch.workflow_sha256;
        let best = done.second_choice.as_ref().is_none_or(|models| *models == batch.models);
        let there = fs::metadata(&done.output).is_ok_and(|metadata| metadata.len() == done.output_bytes)
            && done.more.values().all(|path| path.exists());
        (same && there && best).then(|| done.output.clone())
    }

    fn add(&mut self, done: Done) -> std::io::Result<()> {
        let mut line = serde_json::to_string(&done)?;
        line.push('\n');
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.done.insert(done.input.clone(), done);
        Ok(())
    }
}

/// Writes a file so that it is either there whole or not at all.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let partial = path.with_file_name(format!(".{name}.partial"));
    fs::write(&partial, bytes)?;
    fs::rename(&partial, path)
}

/// SHA-256 over what decides a result besides the photo: the steps with every setting, the components' versions, and
/// the size worked at.
fn fingerprint(steps: &[Step], max_side: u32) -> ContentHash {
    let catalogue = components::catalogue();
    let mut hash = Sha256::new();
    hash.update(format!("{max_side}\n"));
    for step in steps {
        let version = catalogue.find(&step.kind).map_or(0, |entry| entry.version);
        hash.update(format!("{}\n{version}\n{}\n", step.kind, step.settings));
    }
    ContentHash(hash.finalize().into())
}

/// The photos among the inputs, in a fixed order, each once; never the results of an earlier call.
fn collect(inputs: &[PathBuf], out: &Path) -> anyhow::Result<Vec<Item>> {
    let mut found: Vec<(PathBuf, PathBuf)> = Vec::new();
    for input in inputs {
        let metadata = fs::metadata(input)
            .map_err(|error| Usage(format!("cannot read the input `{}`: {error}", input.display())))?;
        if metadata.is_dir() {
            fs::read_dir(input).with_context(|| format!("cannot list the folder `{}`", input.display()))?;
            walk(input, Path::new(""), out, &mut found)?;
        } else if !metadata.is_file() {
            return Err(
                Usage(format!("the input `{}` is neither a file nor a folder", input.display())).into()
            );
        } else {
            found.push((input.clone(), PathBuf::new()));
        }
    }
    let mut seen = HashSet::new();
    found.retain(|(path, _)| seen.insert(path.canonicalize().unwrap_or_else(|_| path.clone())));
    let name_of = |path: &Path| {
        FileName::clean(&path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default())
    };
    let mut stems: HashMap<(PathBuf, String), u32> = HashMap::new();
    for (path, folder) in &found {
        *stems.entry((folder.clone(), name_of(path).stem().to_lowercase())).or_default() += 1;
    }
    Ok(found
        .into_iter()
        .map(|(path, folder)| {
            let mut name = name_of(&path);
            let shared =
                stems.get(&(folder.clone(), name.stem().to_lowercase())).is_some_and(|count| *count > 1);
            if let (true, Some(extension)) = (shared, name.extension()) {
                // `a.jpg` and `a.png` would both become `a.jpg`.
                name = FileName::clean(&format!("{}-{extension}.{extension}", name.stem()));
            }
            Item { path, folder, name }
        })
        .collect())
}

fn walk(folder: &Path, below: &Path, out: &Path, found: &mut Vec<(PathBuf, PathBuf)>) -> anyhow::Result<()> {
    if folder.canonicalize().is_ok_and(|folder| folder == out) {
        return Ok(());
    }
    let Ok(listed) = fs::read_dir(folder) else {
        // One folder that cannot be listed is one item that fails, with its reason; the others are done.
        found.push((folder.to_owned(), below.to_owned()));
        return Ok(());
    };
    let mut entries: Vec<_> = listed.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let (path, name) = (entry.path(), entry.file_name());
        if name.to_string_lossy().starts_with('.') {
            continue;
        }
        let kind = entry.file_type()?;
        // A pipe or a device would be read for ever; a broken link is told of where it is opened.
        let is_special = fs::metadata(&path).is_ok_and(|metadata| !metadata.is_file());
        if kind.is_dir() {
            walk(&path, &below.join(&name), out, found)?;
        } else if !is_special
            && path
                .extension()
                .is_some_and(|extension| EXTENSIONS.iter().any(|known| extension.eq_ignore_ascii_case(known)))
        {
            found.push((path, below.to_owned()));
        }
    }
    Ok(())
}

fn progress_bar(length: u64) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} photos, {per_sec}, {eta} left")
        .expect("the template is fixed and well formed");
    ProgressBar::new(length).with_style(style)
}

/// The most memory this process has had at once, as the kernel counts it; `None` where it does not say.
fn peak_memory_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kib| kib * 1024)
}
