//! A run: one picture through one workflow version. Its life cycle is the [`State`] enum and the moves on it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{OrgId, RunId, UserId, VersionId, WorkflowId};
use crate::image::{ContentHash, FileName, Image};
use crate::request::{Request, Source};
use crate::review::Review;
use crate::time::{Millis, Timestamp};
use crate::workflow::Step;

/// One picture through one workflow version.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// Whose it is.
    pub org: OrgId,
    /// Which workflow.
    pub workflow: WorkflowId,
    /// Which of its versions; fixed at creation.
    pub version: VersionId,
    /// The workflow's name at creation.
    pub workflow_name: String,
    /// Who asked for it.
    pub user: UserId,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// The picture it works on; `None` until it is fetched, and for a run that failed before it was.
    pub input: Option<Image>,
    /// That picture's file name.
    pub input_name: FileName,
    /// Further pictures that go into the same result, in order; for workflows with a step that takes several.
    pub more_inputs: Vec<NamedImage>,
    /// Pictures that are not there yet: fetched before work on it begins. Empty once they are there.
    pub sources: Vec<Source>,
    /// The batch it is counted in, if any.
    pub batch: Option<String>,
    /// Its place in that batch, from 0, where the batch has places.
    pub place: Option<u32>,
    /// The caller's own words on it, given back exactly as given.
    pub labels: BTreeMap<String, String>,
    /// Settings for this run alone, keyed by step label or component; an object.
    pub overrides: Value,
    /// Steps for this run alone, in place of its version's.
    pub steps: Option<Vec<Step>>,
    /// What was asked for, as the face took it that it came through; `None` where that says no more than the rest.
    pub request: Option<Request>,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// Credits it costs.
    pub price: u32,
    /// When they are its owner's to pay.
    pub terms: Terms,
    /// Credits taken for it so far: 0 or its price.
    pub charged: u32,
    /// What its owner said about the result, if anything.
    pub feedback: Option<Feedback>,
    /// Its latest check by a person, if there was one.
    pub review: Option<Review>,
    /// Where it stands.
    pub state: State,
}

/// A picture with its file name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NamedImage {
    /// The picture.
    pub image: Image,
    /// Its file name.
    pub name: FileName,
}

/// When a run's credits are due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Terms {
    /// At its acceptance, and kept whatever comes of it. A balance too low files it as unpaid.
    #[default]
    AtAcceptance,
    /// For a success only: they are set aside at its acceptance, and given back if it fails or is cancelled. A balance too
    /// low refuses it.
    ForSuccess,
}

impl Terms {
    /// Its name in the store.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AtAcceptance => "at_acceptance",
            Self::ForSuccess => "for_success",
        }
    }

    /// The terms of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::AtAcceptance, Self::ForSuccess].into_iter().find(|terms| terms.as_str() == text)
    }
}

/// What an owner says about a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Feedback {
    /// Whether it is as they wanted it.
    pub thumbs_up: bool,
    /// Pictures that show what they wanted.
    pub expected: Vec<ContentHash>,
    /// Why, in their words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Where a run stands. A time or a result that exists only in one state lives inside that state.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// Waits for a worker.
    Queued,
    /// A worker has it.
    Running {
        /// When the worker took it.
        started_at: Timestamp,
    },
    /// Done, and waits for a person's check.
    InReview {
        /// When the worker took it.
        started_at: Timestamp,
        /// What came out.
        result: Outcome,
    },
    /// Done; the result can be downloaded.
    Succeeded {
        /// When the worker took it.
        started_at: Timestamp,
        /// When it ended.
        finished_at: Timestamp,
        /// What came out.
        result: Outcome,
    },
    /// Given up; may be tried again free of charge.
    Failed {
        /// When the worker took it.
        started_at: Timestamp,
        /// When it ended.
        finished_at: Timestamp,
        /// Why.
        failure: Failure,
    },
    /// The balance was too low at creation; may be tried again after a top-up.
    Unpaid,
    /// Stopped by its owner.
    Cancelled {
        /// When it was stopped.
        finished_at: Timestamp,
    },
}

/// The name of a state, for filters, columns and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// [`State::Queued`].
    Queued,
    /// [`State::Running`].
    Running,
    /// [`State::InReview`].
    InReview,
    /// [`State::Succeeded`].
    Succeeded,
    /// [`State::Failed`].
    Failed,
    /// [`State::Unpaid`].
    Unpaid,
    /// [`State::Cancelled`].
    Cancelled,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 7] = [
        Self::Queued,
        Self::Running,
        Self::InReview,
        Self::Succeeded,
        Self::Failed,
        Self::Unpaid,
        Self::Cancelled,
    ];

    /// Its name in the store and in metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::InReview => "in_review",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unpaid => "unpaid",
            Self::Cancelled => "cancelled",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing more happens by itself: somebody must ask for a retry, or nothing can be asked for.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Unpaid | Self::Cancelled)
    }

    /// Whether a run in this status may be tried again.
    pub const fn may_retry(self) -> bool {
        matches!(self, Self::Failed | Self::Unpaid)
    }

    /// Whether the move from this status to `next` is legal.
    pub const fn may_become(self, next: Self) -> bool {
        match self {
            Self::Queued => matches!(next, Self::Running | Self::Failed | Self::Cancelled),
            // Back to queued: handed back at a drain, or a fault of ours that is tried again.
            Self::Running => {
                matches!(
                    next,
                    Self::Queued | Self::InReview | Self::Succeeded | Self::Failed | Self::Cancelled
                )
            }
            Self::InReview => matches!(next, Self::Succeeded | Self::Queued | Self::Failed | Self::Cancelled),
            Self::Failed | Self::Unpaid => matches!(next, Self::Queued),
            Self::Succeeded | Self::Cancelled => false,
        }
    }
}

impl State {
    /// Its name.
    pub const fn status(&self) -> Status {
        match self {
            Self::Queued => Status::Queued,
            Self::Running { .. } => Status::Running,
            Self::InReview { .. } => Status::InReview,
            Self::Succeeded { .. } => Status::Succeeded,
            Self::Failed { .. } => Status::Failed,
            Self::Unpaid => Status::Unpaid,
            Self::Cancelled { .. } => Status::Cancelled,
        }
    }

    /// When a worker took it, if one has.
    pub const fn started_at(&self) -> Option<Timestamp> {
        match self {
            Self::Running { started_at }
            | Self::InReview { started_at, .. }
            | Self::Succeeded { started_at, .. }
            | Self::Failed { started_at, .. } => Some(*started_at),
            Self::Queued | Self::Unpaid | Self::Cancelled { .. } => None,
        }
    }

    /// When it ended, if it has.
    pub const fn finished_at(&self) -> Option<Timestamp> {
        match self {
            Self::Succeeded { finished_at, .. }
            | Self::Failed { finished_at, .. }
            | Self::Cancelled { finished_at } => Some(*finished_at),
            Self::Queued | Self::Running { .. } | Self::InReview { .. } | Self::Unpaid => None,
        }
    }

    /// What came out, if anything has.
    pub const fn result(&self) -> Option<&Outcome> {
        match self {
            Self::InReview { result, .. } | Self::Succeeded { result, .. } => Some(result),
            _ => None,
        }
    }

    /// How its steps went, once it has succeeded or failed over one of them.
    pub fn made_by(&self) -> Option<&[StepReport]> {
        match self {
            Self::Succeeded { result, .. } => Some(&result.made_by),
            Self::Failed { failure, .. } if !failure.made_by.is_empty() => Some(&failure.made_by),
            _ => None,
        }
    }
}

/// What came out of a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The result picture, stored and downloadable.
    pub image: Image,
    /// Its file name.
    pub name: FileName,
    /// Further files that the same run wrote, by their labels: `web`, `mask`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub more: BTreeMap<String, NamedImage>,
    /// How it was made, step by step: component, version, milliseconds, cache hit, and the model with its backend.
    pub made_by: Vec<StepReport>,
}

/// How one step went.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct StepReport {
    /// The step's label.
    pub label: String,
    /// The component.
    pub component: String,
    /// The component's version.
    pub version: u32,
    /// Time spent in it; 0 for a cache hit.
    pub millis: f64,
    /// Whether the result came from the step cache.
    pub cached: bool,
    /// The model that made it, where one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<ModelUse>,
    /// What somebody should know about the result: `the profile was unreadable and was ignored`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// How sure the step is of its result, 0 to 1, where it can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f32>,
    /// Pixels of the product that came out otherwise, where the component promises to change none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub product_pixels_changed: Option<u64>,
    /// What stopped the step, if it did not come to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Which model made a result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelUse {
    /// Its id: `isnet-1024`, or `studio` for the matte that needs no network.
    pub id: String,
    /// SHA-256 of its file, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// What ran it: `openvino`, `rten`, `recorded`, `built-in`.
    pub backend: String,
    /// In which number format: `f32`, `bf16`.
    pub precision: String,
    /// Why it was not the first choice, if it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fallback: Option<String>,
}

/// Whose fault a failure is; decides whether to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fault {
    /// The picture or the settings: trying again cannot help.
    Input,
    /// Ours, or the machine's: trying again may help.
    Ours,
    /// The worker died or panicked over it: tried again, but not often.
    Crash,
}

/// Why a run failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// A code that never changes: `image_unreadable`.
    pub code: String,
    /// What was wrong and the way out, for people.
    pub message: String,
    /// Whose fault it is.
    pub fault: Fault,
    /// How its steps went, up to the one at which it ended; empty where that is not known, as after a crash.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub made_by: Vec<StepReport>,
}

impl Failure {
    /// A failure that tells of no steps.
    pub fn new(code: impl Into<String>, message: impl Into<String>, fault: Fault) -> Self {
        Self { code: code.into(), message: message.into(), fault, made_by: Vec::new() }
    }
}

/// When a failed attempt is tried again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct RetryPolicy {
    /// Attempts before a fault of ours is final.
    pub max_attempts: u32,
    /// Crashes before a run is taken for poison.
    pub max_crashes: u32,
    /// Pause after the first failure; doubles with every further one.
    pub first_pause: Millis,
    /// Longest pause.
    pub longest_pause: Millis,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 5,
            max_crashes: 2,
            first_pause: Millis::seconds(2),
            longest_pause: Millis::seconds(600),
        }
    }
}

impl RetryPolicy {
    /// How long to wait before the next attempt, or `None` when the failure is final. `attempts` and `crashes` count
    /// the one that just failed; `chance` in 0..=1 spreads the pause by ±20 %, so that what failed together does not
    /// come back together.
    pub fn pause(&self, fault: Fault, attempts: u32, crashes: u32, chance: f64) -> Option<Millis> {
        let again = match fault {
            Fault::Input => false,
            Fault::Ours => attempts < self.max_attempts,
            Fault::Crash => crashes < self.max_crashes && attempts < self.max_attempts,
        };
        again.then(|| {
            let doubled = self.first_pause.0.saturating_mul(1 << attempts.saturating_sub(1).min(30));
            let pause = doubled.min(self.longest_pause.0) as f64;
            Millis((pause * (0.8 + 0.4 * chance.clamp(0.0, 1.0))) as i64)
        })
    }
}

/// Which runs of a list are wanted. Every member that names something must match.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RunFilter {
    /// Runs of this workflow.
    pub workflow: Option<WorkflowId>,
    /// Runs in any of these statuses; in whichever, if there are none.
    pub statuses: Vec<Status>,
    /// Runs of a picture of exactly this name.
    pub input_name: Option<String>,
    /// Runs that have exactly these labels, among others.
    pub labels: BTreeMap<String, String>,
    /// Only runs that have none of these labels.
    pub without_labels: Vec<String>,
    /// Runs of this batch.
    pub batch: Option<String>,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_bad_picture_is_never_tried_again() {
        assert_eq!(RetryPolicy::default().pause(Fault::Input, 1, 0, 0.5), None);
    }

    #[test]
    fn two_crashes_are_enough() {
        let policy = RetryPolicy::default();
        assert!(policy.pause(Fault::Crash, 1, 1, 0.5).is_some());
        assert_eq!(policy.pause(Fault::Crash, 2, 2, 0.5), None);
    }

    #[test]
    fn nothing_leaves_a_success() {
        for next in Status::ALL {
            assert!(!Status::Succeeded.may_become(next));
        }
    }

    proptest! {
        #[test]
        fn pauses_grow_and_stay_within_a_fifth_of_their_mean(attempts in 1u32..40, chance in 0.0f64..=1.0) {
            let policy = RetryPolicy { max_attempts: 100, ..RetryPolicy::default() };
            let pause = policy.pause(Fault::Ours, attempts, 0, chance).expect("tried again").0 as f64;
            let mean = (2000.0 * 2f64.powi(attempts as i32 - 1)).min(600_000.0);
            prop_assert!(pause >= mean * 0.8 - 1.0 && pause <= mean * 1.2 + 1.0);
        }

        #[test]
        fn every_retry_ends(fault in prop_oneof![Just(Fault::Ours), Just(Fault::Crash), Just(Fault::Input)]) {
            let policy = RetryPolicy::default();
            let mut attempts = 1;
            while policy.pause(fault, attempts, attempts, 0.5).is_some() {
                attempts += 1;
                prop_assert!(attempts <= policy.max_attempts);
            }
        }
    }
}
