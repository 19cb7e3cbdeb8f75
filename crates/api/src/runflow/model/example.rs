//! An input with what comes of it.

use serde_json::Value;

/// An input with what comes of it. Nothing is told that was not measured: an example has no duration and no picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What it shows, in a few words.
    pub title: &'static str,
    /// What comes of it.
    pub description: &'static str,
    /// The `input` of a run.
    pub input: Value,
}
