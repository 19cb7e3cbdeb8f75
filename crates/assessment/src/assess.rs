//! Takes every measure of a task and draws the conclusion.

use pixels::Bitmap;

use crate::measure::{Finding, Measure, Role, Side, Told};
use crate::measures::{ALL, SUBJECT_CODE};
use crate::scene::Scene;
use crate::{Action, EncodedFile, GateFailure, Issue, Limits, Outcome, Reading, Report, Summary, Task};

/// Measures a picture.
///
/// `file` is what is known of the file that it came in, and `reference` the photograph that it was made from. Never fails:
/// what cannot be measured is [`Outcome::NotMeasurable`] with the reason. Two equal calls give equal reports.
pub fn assess(
    picture: &Bitmap,
    file: &EncodedFile,
    reference: Option<&Bitmap>,
    task: &Task,
    limits: &Limits,
) -> Report {
    let scene = Scene::new(picture, file, reference, limits);
    let mut readings = Vec::new();
    let mut issues = Vec::new();
    let mut strengths = Vec::new();
    for measure in ALL {
        let role = measure.info.gates.role(task);
        if role == Role::Absent {
            continue;
        }
        let (reading, subcategory, is_strong) = read(measure, role, &scene);
        match (reading.outcome, subcategory) {
            (Outcome::Failed, Some(subcategory)) => issues.push((
                reading.weight,
                Issue {
                    category: reading.category,
                    subcategory,
                    detail: reading.sentence.clone(),
                    region: reading.region,
                    measure: reading.code,
                    is_gate: reading.is_gate,
                    remedy: measure.info.remedy,
                },
            )),
            (Outcome::Passed, _) if is_strong => strengths.push((reading.weight, reading.sentence.clone())),
            _ => {}
        }
        readings.push(reading);
    }
    issues.sort_by(|(a, first), (b, second)| second.is_gate.cmp(&first.is_gate).then(b.total_cmp(a)));
    strengths.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    conclude(task.clone(), readings, issues.into_iter().map(|(_, issue)| issue).collect(), limits)
        .with_strengths(strengths.into_iter().map(|(_, sentence)| sentence).collect())
}

/// One measure: what it said, what kind of fault that is, and whether it is well within its limits.
fn read(measure: &Measure, role: Role, scene: &Scene<'_>) -> (Reading, Option<&'static str>, bool) {
    let info = &measure.info;
    let bounds = scene.limits.of(info.code).unwrap_or(info.bounds);
    let blank = Reading {
        code: info.code,
        name: info.name,
        description: info.description,
        category: info.category,
        unit: info.unit,
        value: None,
        min: bounds.min,
        max: bounds.max,
        outcome: Outcome::NotMeasurable,
        confidence: 0.0,
        weight: bounds.weight,
        // What an organization gives no weight does not fail a picture either.
        is_gate: role == Role::Gate && bounds.weight > 0.0,
        region: None,
        sentence: String::new(),
        evidence: Vec::new(),
    };
    match (measure.take)(scene) {
        Finding::Unmeasured(reason) => (Reading { sentence: reason, ..blank }, None, false),
        // A number that is none says nothing; it must not pass, and not be written as JSON.
        Finding::Measured(found) if !found.value.is_finite() => {
            let sentence = "The measure came to no number on this picture.".to_owned();
            (Reading { sentence, ..blank }, None, false)
        }
        Finding::Measured(found) => {
            let side = bounds.side(found.value);
            let place = found.region.map_or("", |region| region.words(scene.size()));
            let told = Told { value: found.value, unit: info.unit, bounds, side, place, scene };
            let telling = (measure.tell)(&told);
            let passed = side == Side::Within;
            let reading = Reading {
                value: Some(found.value),
                outcome: if passed { Outcome::Passed } else { Outcome::Failed },
                confidence: found.confidence.clamp(0.0, 1.0),
                region: found.region,
                sentence: telling.sentence,
                evidence: found.evidence,
                ..blank
            };
            let is_strong = passed && bounds.weight > 0.0 && bounds.is_well_within(found.value);
            (reading, (!passed).then_some(telling.subcategory), is_strong)
        }
    }
}

/// Score, verdict and what to do next.
fn conclude(task: Task, readings: Vec<Reading>, issues: Vec<Issue>, limits: &Limits) -> Report {
    let mut summary = Summary { total: readings.len(), ..Summary::default() };
    let (mut reached, mut all) = (0.0, 0.0);
    for reading in &readings {
        match reading.outcome {
            Outcome::Passed => {
                summary.passed += 1;
                reached += reading.weight;
                all += reading.weight;
            }
            Outcome::Failed => {
                summary.failed += 1;
                all += reading.weight;
            }
            Outcome::NotMeasurable => summary.not_measurable += 1,
        }
    }
    let gate_failures: Vec<GateFailure> = issues
        .iter()
        .filter(|issue| issue.is_gate)
        .map(|issue| GateFailure { code: issue.measure, detail: issue.detail.clone() })
        .collect();
    // Without a look at the subject the rest says nothing of a product; a gate that failed says enough.
    let is_blind = gate_failures.is_empty()
        && readings.iter().any(|reading| {
            reading.code == SUBJECT_CODE && reading.is_gate && reading.outcome == Outcome::NotMeasurable
        });
    let score = (all > 0.0 && !is_blind).then(|| (reached / all).clamp(0.0, 1.0));
    let passed = score.map(|score| gate_failures.is_empty() && score >= limits.pass_score());
    let action = passed.map(|passed| if passed { Action::Accept } else { remedy(&issues, limits) });
    Report { task, passed, score, readings, gate_failures, issues, strengths: Vec::new(), action, summary }
}

/// The costliest remedy among what failed and counts: what counts nothing sends nobody back to the studio.
fn remedy(issues: &[Issue], limits: &Limits) -> Action {
    let counts = |issue: &&Issue| limits.of(issue.measure).is_none_or(|bounds| bounds.weight > 0.0);
    issues.iter().filter(counts).map(|issue| issue.remedy).max().unwrap_or(Action::Retouch)
}

impl Report {
    fn with_strengths(self, strengths: Vec<String>) -> Self {
        Self { strengths, ..self }
    }
}
