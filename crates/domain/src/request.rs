//! What was asked for, kept for the face it came through: its own words for inputs, and the caller's on the side.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::RunId;
use crate::image::Image;
use crate::workflow::Step;

/// The face that a request came through, by its name; it words what is told about it. The empty one is that of requests which
/// name none.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Face(pub String);

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The face it came through.
    pub face: Face,
    /// What was to be done, by that face's name for it.
    pub target: String,
    /// The parameters as they were given. Pictures that were sent inline stand there by reference.
    pub input: Value,
    /// The caller's own words on it, given back exactly as given; an object or null.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub metadata: Value,
    /// How it came: by itself, or as a part of something.
    pub origin: Origin,
    /// The id of the request that asked for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// The run that it repeats, if it does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repeats: Option<RunId>,
    /// Labels of further files that come before the result where they are told in a row, in their order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<String>,
    /// Whether its result is to be evaluated without being asked again.
    #[serde(default)]
    pub evaluate: bool,
}

/// How a run was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// By itself.
    Single,
    /// As one of a batch.
    Batch,
    /// As a published workflow.
    Workflow,
}

/// A picture that is to be fetched for a run, and what it is for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// What it is for: empty for the picture that is worked on, or the text that stands for its hash in the steps.
    pub slot: String,
    /// Where it is.
    pub from: From,
    /// Its name within the archive that is there, if an archive is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub member: Option<String>,
}

/// Where a picture comes from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum From {
    /// An address to fetch it from.
    Address(String),
    /// It is stored here.
    Stored(Image),
}

/// The steps with the hashes of pictures where their slots stand: every text in the settings that is a slot is replaced.
pub fn filled(steps: &[Step], hashes: &BTreeMap<&str, &str>) -> Vec<Step> {
    fn fill(value: &mut Value, hashes: &BTreeMap<&str, &str>) {
        match value {
            Value::String(text) => {
                if let Some(hash) = hashes.get(text.as_str()).filter(|_| !text.is_empty()) {
                    *text = (*hash).to_owned();
                }
            }
            Value::Array(values) => values.iter_mut().for_each(|value| fill(value, hashes)),
            Value::Object(members) => members.values_mut().for_each(|value| fill(value, hashes)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
    let mut steps = steps.to_vec();
    steps.iter_mut().for_each(|step| fill(&mut step.settings, hashes));
    steps
}
