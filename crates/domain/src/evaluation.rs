//! Evaluations: how good a picture is, measured; and what people say about the verdict.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::id::{EvaluationId, OrgId, RunId, UserId};
use crate::request::{Face, Source};
use crate::run::Failure;
use crate::time::Timestamp;

/// One measurement of a picture's quality.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// Its id.
    pub id: EvaluationId,
    /// Whose it is.
    pub org: OrgId,
    /// Who asked for it.
    pub user: UserId,
    /// The run that made the picture, if it is known.
    pub run: Option<RunId>,
    /// What was asked.
    pub asked: Asked,
    /// The face it was asked through.
    pub face: Face,
    /// The caller's name for it.
    pub client_ref: Option<String>,
    /// Where to tell of its end.
    pub webhooks: Vec<String>,
    /// Credits it costs, set aside at its acceptance and given back if it fails.
    pub price: u32,
    /// Credits taken for it so far.
    pub charged: u32,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
    /// What people say about the verdict.
    pub opinion: Option<Opinion>,
    /// Where it stands.
    pub state: EvaluationState,
}

/// What was asked of an evaluation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// What the picture is for: `product_photography`.
    pub task: String,
    /// The picture.
    pub picture: Source,
    /// Pictures it is held against, in order; the first one that is said to be its input is compared with it.
    pub references: Vec<Reference>,
    /// The rest as it was asked, for its face to show again.
    pub details: Value,
    /// Limits of the organization at that time; an object.
    pub limits: Value,
}

/// A picture that another is held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reference {
    /// The picture.
    pub picture: Source,
    /// What it shows: `input`.
    pub kind: Option<String>,
}

/// Where an evaluation stands.
#[derive(Clone, Debug, PartialEq)]
pub enum EvaluationState {
    /// Waits for a worker.
    Pending,
    /// A worker has it.
    Running {
        /// Since when.
        started_at: Timestamp,
    },
    /// Done.
    Completed {
        /// When the worker took it.
        started_at: Timestamp,
        /// When it ended.
        finished_at: Timestamp,
        /// What was found.
        report: Box<Report>,
    },
    /// Nothing could be measured.
    Failed {
        /// When it ended.
        finished_at: Timestamp,
        /// Why.
        failure: Failure,
    },
}

impl EvaluationState {
    /// Its name.
    pub const fn status(&self) -> EvaluationStatus {
        match self {
            Self::Pending => EvaluationStatus::Pending,
            Self::Running { .. } => EvaluationStatus::Running,
            Self::Completed { .. } => EvaluationStatus::Completed,
            Self::Failed { .. } => EvaluationStatus::Failed,
        }
    }
}

/// The name of an evaluation's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EvaluationStatus {
    /// [`EvaluationState::Pending`].
    Pending,
    /// [`EvaluationState::Running`].
    Running,
    /// [`EvaluationState::Completed`].
    Completed,
    /// [`EvaluationState::Failed`].
    Failed,
}

impl EvaluationStatus {
    /// Every status, in the order they are taken.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Running, Self::Completed, Self::Failed];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Completed => "completed",
            Self::Failed => "failed",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Whether the picture may go out.
    pub passed: bool,
    /// How much of what matters is as it should be, 0 to 1.
    pub score: f64,
    /// What to do now: `accept`, `retouch`, `reshoot`.
    pub action: String,
    /// The measures, each with what it found.
    pub findings: Vec<Finding>,
    /// What is wrong, the worst first, in sentences.
    pub issues: Vec<String>,
    /// What is well above its limit, in sentences.
    pub strengths: Vec<String>,
    /// Codes of the measures that alone keep the picture back.
    pub gates: Vec<String>,
}

/// What one measure found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The measure: `background_purity`.
    pub code: String,
    /// Its name for people.
    pub name: String,
    /// What it measures, in one sentence.
    pub description: String,
    /// What it belongs to: `background`.
    pub category: String,
    /// What was measured; `None` where it could not be.
    pub value: Option<f64>,
    /// In which unit.
    pub unit: String,
    /// The least that passes, if there is one.
    pub least: Option<f64>,
    /// The most that passes, if there is one.
    pub most: Option<f64>,
    /// Whether it passes; `None` where it could not be measured.
    pub passed: Option<bool>,
    /// How sure it is, 0 to 1.
    pub confidence: f64,
    /// How much it counts.
    pub weight: f64,
    /// Where the worst place is: left, top, width and height in pixels.
    pub region: Option<[u32; 4]>,
    /// What and where, and the way out.
    pub sentence: String,
}

/// What people say about a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opinion {
    /// Whether it is right.
    pub is_positive: bool,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// Knows the limits of measures, so that the front can refuse what makes no sense without knowing how is measured.
pub trait CheckLimits: Send + Sync {
    /// Says what is wrong with an organization's own limits (an object, merged over the defaults), and the way out.
    fn check(&self, limits: &Value) -> Result<(), String>;
}
