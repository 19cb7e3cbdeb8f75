//! What a measure is: its facts, how it is taken, and what is said of it.

use serde::Serialize;

use crate::limits::Bounds;
use crate::measures::ALL;
use crate::scene::Scene;
use crate::{Action, Category, Region, Task};

/// The unit of a measure's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Colour difference CIEDE2000; about 1 is what a trained eye just sees.
    DeltaE2000,
    /// Colour difference CIE76, the distance in L*a*b*.
    DeltaE76,
    /// Hundredths of what the measure names.
    Percent,
    /// Pixels of the picture.
    Pixels,
    /// Levels of an 8-bit sample, 0..=255.
    Levels,
    /// A ratio of two like quantities.
    Ratio,
    /// JPEG quality of the Independent JPEG Group's scale, 1..=100.
    JpegQuality,
    /// CIE lightness L*, 0..=100.
    Lightness,
}

impl Unit {
    /// What follows a number of it, with its space.
    pub fn suffix(self) -> &'static str {
        match self {
            Self::DeltaE2000 | Self::DeltaE76 => " ΔE",
            Self::Percent => " %",
            Self::Pixels => " px",
            Self::Levels => " levels",
            Self::Ratio | Self::JpegQuality => "",
            Self::Lightness => " L*",
        }
    }
}

/// What a measure does to the verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// It is not taken.
    Absent,
    /// It counts by its weight.
    Counts,
    /// It counts, and its failure alone fails the picture.
    Gate,
}

/// The role of a measure in each kind of task.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Gates {
    /// In `product_photography`.
    pub product_photography: Role,
    /// In `cut_out`.
    pub cut_out: Role,
    /// In every other task.
    pub other: Role,
}

impl Gates {
    /// The role in one task.
    pub fn role(&self, task: &Task) -> Role {
        match task {
            Task::ProductPhotography => self.product_photography,
            Task::CutOut => self.cut_out,
            Task::Other(_) => self.other,
        }
    }
}

/// The facts of a measure that do not depend on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeasureInfo {
    /// Its name in data; never changes.
    pub code: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// What is measured, in a sentence.
    pub description: &'static str,
    /// What it is about.
    pub category: Category,
    /// The unit of its value and its limits.
    pub unit: Unit,
    /// The limits and the weight that hold where nobody has chosen others.
    pub bounds: Bounds,
    /// The least and the most that a limit may be.
    pub range: (f64, f64),
    /// What it does to the verdict in each task.
    pub gates: Gates,
    /// What helps when it fails.
    pub remedy: Action,
}

/// One measure.
pub(crate) struct Measure {
    /// Its facts.
    pub info: MeasureInfo,
    /// Takes it.
    pub take: fn(&Scene<'_>) -> Finding,
    /// Says what was found.
    pub tell: fn(&Told<'_>) -> Telling,
}

/// All measures, in the order in which reports hold them.
pub fn catalogue() -> impl Iterator<Item = &'static MeasureInfo> {
    ALL.iter().map(|measure| &measure.info)
}

/// What taking a measure came to.
pub(crate) enum Finding {
    /// A number.
    Measured(Measurement),
    /// None, and why, in a sentence for people that names the way out.
    Unmeasured(String),
}

/// A number with what belongs to it.
pub(crate) struct Measurement {
    /// In the measure's unit; finite.
    pub value: f64,
    /// How sure it is, 0.0..=1.0.
    pub confidence: f64,
    /// The worst place, or where it was measured.
    pub region: Option<Region>,
    /// Further facts, a sentence each.
    pub evidence: Vec<String>,
}

impl Measurement {
    /// A number without a place.
    pub fn new(value: f64, confidence: f64) -> Self {
        Self { value, confidence, region: None, evidence: Vec::new() }
    }

    /// The same with a place.
    pub fn at(self, region: Option<Region>) -> Self {
        Self { region, ..self }
    }

    /// The same with one more fact.
    pub fn with(mut self, evidence: String) -> Self {
        self.evidence.push(evidence);
        self
    }
}

impl From<Measurement> for Finding {
    fn from(measurement: Measurement) -> Self {
        Self::Measured(measurement)
    }
}

/// On which side of its limits a value lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// Below the least.
    Below,
    /// Allowed.
    Within,
    /// Above the most.
    Above,
}

/// What a sentence can be made of.
pub(crate) struct Told<'a> {
    /// The value.
    pub value: f64,
    /// The unit of the value.
    pub unit: Unit,
    /// Its limits.
    pub bounds: Bounds,
    /// Where it lies in respect to them.
    pub side: Side,
    /// Words for the region, such as `at the top`; empty without one.
    pub place: &'static str,
    /// What was looked at.
    pub scene: &'a Scene<'a>,
}

impl Told<'_> {
    /// The value with its unit.
    pub fn value(&self) -> String {
        format!("{}{}", figure(self.value), self.unit.suffix())
    }

    /// The limit that was broken, or the one that is nearest, as `at most 3 %`.
    pub fn limit(&self) -> String {
        let least = |v: f64| format!("at least {}{}", figure(v), self.unit.suffix());
        let most = |v: f64| format!("at most {}{}", figure(v), self.unit.suffix());
        match (self.side, self.bounds.min, self.bounds.max) {
            (Side::Below, Some(min), _) => least(min),
            (Side::Above, _, Some(max)) => most(max),
            (_, Some(min), Some(max)) => {
                format!("{} to {}{}", figure(min), figure(max), self.unit.suffix())
            }
            (_, Some(min), None) => least(min),
            (_, None, Some(max)) => most(max),
            (_, None, None) => "any".to_owned(),
        }
    }
}

/// What is said of a value.
pub(crate) struct Telling {
    /// What kind of fault it is, for programs.
    pub subcategory: &'static str,
    /// What was found, where, and the way out if it is a fault.
    pub sentence: String,
}

/// The telling of a fault or of its absence.
pub(crate) fn telling(subcategory: &'static str, sentence: String) -> Telling {
    Telling { subcategory, sentence }
}

/// A number for people: three figures or so, no zeros at the end.
pub(crate) fn figure(value: f64) -> String {
    let digits = match value.abs() {
        v if v >= 100.0 => 0,
        v if v >= 10.0 => 1,
        _ => 2,
    };
    let text = format!("{value:.digits$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn numbers_are_short() {
        for (value, expected) in [
            (0.0, "0"),
            (-0.001, "0"),
            (0.154, "0.15"),
            (3.0, "3"),
            (12.34, "12.3"),
            (999.6, "1000"),
            (120.0, "120"),
        ] {
            assert_eq!(figure(value), expected);
        }
    }

    #[test]
    fn every_measure_has_a_code_of_its_own_and_limits_in_its_range() {
        let codes: BTreeSet<_> = catalogue().map(|info| info.code).collect();
        assert_eq!(codes.len(), catalogue().count());
        for info in catalogue() {
            let (least, most) = info.range;
            for limit in [info.bounds.min, info.bounds.max].into_iter().flatten() {
                assert!((least..=most).contains(&limit), "{}: {limit}", info.code);
            }
            assert!(info.bounds.min.is_some() || info.bounds.max.is_some(), "{} has no limit", info.code);
            assert!(info.description.ends_with('.') && !info.name.ends_with('.'), "{}", info.code);
            assert_ne!(info.remedy, Action::Accept, "{} has no way out", info.code);
        }
    }
}
