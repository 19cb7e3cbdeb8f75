//! What an assessment came to.

use serde::Serialize;

use crate::measure::Unit;
use crate::{Action, Category, Region, Task};

/// What a measure said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its value is within its limits.
    Passed,
    /// It is not.
    Failed,
    /// There is no value, and the sentence says why. It changes neither score nor verdict.
    NotMeasurable,
}

/// One measure of one picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reading {
    /// The measure's name in data.
    pub code: &'static str,
    /// The measure's name for people.
    pub name: &'static str,
    /// What is measured, in a sentence.
    pub description: &'static str,
    /// What it is about.
    pub category: Category,
    /// The unit of value and limits.
    pub unit: Unit,
    /// What was measured; `None` when that was not possible.
    pub value: Option<f64>,
    /// The least that passes.
    pub min: Option<f64>,
    /// The most that passes.
    pub max: Option<f64>,
    /// What that comes to.
    pub outcome: Outcome,
    /// How sure the value is, 0.0..=1.0; 0 without one.
    pub confidence: f64,
    /// Weight in the score.
    pub weight: f64,
    /// Whether its failure alone fails the picture.
    pub is_gate: bool,
    /// The worst place, or where it was measured.
    pub region: Option<Region>,
    /// What was found, where, and the way out.
    pub sentence: String,
    /// Further facts, a sentence each.
    pub evidence: Vec<String>,
}

/// Something that is wrong with a picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Issue {
    /// What it is about.
    pub category: Category,
    /// What kind of fault it is, such as `off_colour`.
    pub subcategory: &'static str,
    /// What, where, and the way out.
    pub detail: String,
    /// Where it is worst.
    pub region: Option<Region>,
    /// The measure that failed.
    pub measure: &'static str,
    /// Whether it alone fails the picture.
    pub is_gate: bool,
    /// What helps.
    pub remedy: Action,
}

/// A measure that alone fails the picture.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GateFailure {
    /// The measure.
    pub code: &'static str,
    /// What, where, and the way out.
    pub detail: String,
}

/// How many measures came out how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Measures of the task.
    pub total: usize,
    /// Within their limits.
    pub passed: usize,
    /// Not so.
    pub failed: usize,
    /// Without a value.
    pub not_measurable: usize,
}

/// What an assessment came to.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What the picture is meant for.
    pub task: Task,
    /// Whether no gate failed and the score is at least what the limits ask for. `None`, as score and action are then, when
    /// there is no verdict: the subject that the task asks for could not be looked for and no gate failed otherwise, or
    /// nothing that could be measured weighs anything.
    pub passed: Option<bool>,
    /// The weights of the measures that passed over the weights of those that could be taken, 0.0..=1.0.
    pub score: Option<f64>,
    /// Every measure of the task, always in the same order.
    pub readings: Vec<Reading>,
    /// What alone fails the picture.
    pub gate_failures: Vec<GateFailure>,
    /// What is wrong, the worst first: gates, then by weight.
    pub issues: Vec<Issue>,
    /// What is well within its limits, a sentence each, by weight.
    pub strengths: Vec<String>,
    /// What to do next.
    pub action: Option<Action>,
    /// How many measures came out how.
    pub summary: Summary,
}

impl Report {
    /// The reading of a measure; `None` when the task does not take it.
    pub fn reading(&self, code: &str) -> Option<&Reading> {
        self.readings.iter().find(|reading| reading.code == code)
    }
}
