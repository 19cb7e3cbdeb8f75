//! The limits that an organization may set: what a value must be, and how much it counts.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value, json};

use crate::measure::{Side, catalogue, figure};

/// The most that a measure may weigh.
const MOST_WEIGHT: f64 = 10.0;

/// What a value must be, and how much that counts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bounds {
    /// The least that passes; `None` is no least.
    pub min: Option<f64>,
    /// The most that passes; `None` is no most.
    pub max: Option<f64>,
    /// Weight in the score, 0.0..=10.0; at 0 the measure is reported and changes neither score nor verdict.
    pub weight: f64,
}

impl Bounds {
    /// At most so much.
    pub(crate) const fn most(max: f64, weight: f64) -> Self {
        Self { min: None, max: Some(max), weight }
    }

    /// At least so much.
    pub(crate) const fn least(min: f64, weight: f64) -> Self {
        Self { min: Some(min), max: None, weight }
    }

    /// From so much to so much.
    pub(crate) const fn between(min: f64, max: f64, weight: f64) -> Self {
        Self { min: Some(min), max: Some(max), weight }
    }

    /// Where a value lies.
    pub(crate) fn side(&self, value: f64) -> Side {
        match (self.min, self.max) {
            (Some(min), _) if value < min => Side::Below,
            (_, Some(max)) if value > max => Side::Above,
            _ => Side::Within,
        }
    }

    /// Whether a value that passes is well clear of its limits: half of the most, or a fifth over the least; with both, in
    /// the middle half.
    pub(crate) fn is_well_within(&self, value: f64) -> bool {
        match (self.min, self.max) {
            (Some(min), Some(max)) => {
                let quarter = (max - min) / 4.0;
                (min + quarter..=max - quarter).contains(&value)
            }
            (Some(min), None) => value >= min * 1.2,
            (None, Some(max)) => value <= max / 2.0,
            (None, None) => false,
        }
    }
}

/// Why limits were refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LimitError {
    /// Something is not of the form that it must have.
    #[error("`{name}` must be {expected}, not `{given}`")]
    Form {
        /// What it is about, such as `measures.noise.max`.
        name: String,
        /// What it must be.
        expected: &'static str,
        /// What it is.
        given: String,
    },
    /// There is no limit of that name.
    #[error("there is no limit `{name}`; there are {known}")]
    Unknown {
        /// The name.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// A number is out of its range.
    #[error("`{name}` is `{given}`; {least} to {most} are allowed")]
    Range {
        /// What it is about.
        name: String,
        /// The number.
        given: String,
        /// The least that is allowed.
        least: String,
        /// The most that is allowed.
        most: String,
    },
    /// Nothing could pass.
    #[error(
        "`measures.{name}.min` is `{min}` and its `max` is `{max}`; the least must not be more than the most"
    )]
    Crossed {
        /// The measure.
        name: String,
        /// The least.
        min: String,
        /// The most.
        max: String,
    },
}

/// Everything that decides what passes. As JSON: `{"backdrop": "#ffffff", "pass_score": 0.8, "measures": {"noise": {"max":
/// 4, "weight": 1}, …}}`; what is left out keeps its default, and a limit of `null` is no limit.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    backdrop: [u8; 3],
    pass_score: f64,
    measures: BTreeMap<&'static str, Bounds>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            backdrop: [255; 3],
            pass_score: 0.8,
            measures: catalogue().map(|info| (info.code, info.bounds)).collect(),
        }
    }
}

impl Limits {
    /// The sRGB colour that a backdrop is meant to have.
    pub fn backdrop(&self) -> [u8; 3] {
        self.backdrop
    }

    /// The score that a picture without gate failures needs to pass, 0.0..=1.0.
    pub fn pass_score(&self) -> f64 {
        self.pass_score
    }

    /// The limits of a measure by its code; `None` when there is no such measure.
    pub fn of(&self, code: &str) -> Option<Bounds> {
        self.measures.get(code).copied()
    }

    /// These limits with some changed. Refuses unknown names, wrong types, numbers out of range, and limits that cross;
    /// the limits themselves stay as they are then.
    pub fn merged(&self, changes: &Value) -> Result<Self, LimitError> {
        let mut merged = self.clone();
        for (name, value) in object("limits", changes)? {
            match name.as_str() {
                "backdrop" => merged.backdrop = colour("backdrop", value)?,
                "pass_score" => merged.pass_score = number("pass_score", value, (0.0, 1.0))?,
                "measures" => merged.merge_measures(object("measures", value)?)?,
                _ => return Err(unknown(name, ["backdrop", "pass_score", "measures"].into_iter())),
            }
        }
        Ok(merged)
    }

    fn merge_measures(&mut self, changes: &Map<String, Value>) -> Result<(), LimitError> {
        for (code, change) in changes {
            let Some(info) = catalogue().find(|info| info.code == code) else {
                return Err(unknown(code, catalogue().map(|info| info.code)));
            };
            let path = |part: &str| format!("measures.{code}.{part}");
            let mut bounds = self.measures.get(info.code).copied().unwrap_or(info.bounds);
            for (part, value) in object(&format!("measures.{code}"), change)? {
                let limit = || match value {
                    Value::Null => Ok(None),
                    value => number(&path(part), value, info.range).map(Some),
                };
                match part.as_str() {
                    "min" => bounds.min = limit()?,
                    "max" => bounds.max = limit()?,
                    "weight" => bounds.weight = number(&path(part), value, (0.0, MOST_WEIGHT))?,
                    _ => return Err(unknown(&path(part), ["min", "max", "weight"].into_iter())),
                }
            }
            if let (Some(min), Some(max)) = (bounds.min, bounds.max)
                && min > max
            {
                return Err(LimitError::Crossed { name: code.clone(), min: figure(min), max: figure(max) });
            }
            self.measures.insert(info.code, bounds);
        }
        Ok(())
    }
}

impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let [r, g, b] = self.backdrop;
        let measures: Map<String, Value> = self
            .measures
            .iter()
            .map(|(code, bounds)| {
                ((*code).to_owned(), json!({"min": bounds.min, "max": bounds.max, "weight": bounds.weight}))
            })
            .collect();
        json!({
            "backdrop": format!("#{r:02x}{g:02x}{b:02x}"),
            "pass_score": self.pass_score,
            "measures": measures,
        })
        .serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Limits {
    /// The defaults with what is given merged over them; see [`Limits::merged`].
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let changes = Value::deserialize(deserializer)?;
        Self::default().merged(&changes).map_err(D::Error::custom)
    }
}

fn object<'a>(name: &str, value: &'a Value) -> Result<&'a Map<String, Value>, LimitError> {
    value.as_object().ok_or_else(|| form(name, "an object", value))
}

fn number(name: &str, value: &Value, (least, most): (f64, f64)) -> Result<f64, LimitError> {
    let number = value.as_f64().ok_or_else(|| form(name, "a number", value))?;
    if (least..=most).contains(&number) {
        return Ok(number);
    }
    Err(LimitError::Range {
        name: name.to_owned(),
        given: value.to_string(),
        least: figure(least),
        most: figure(most),
    })
}

fn colour(name: &str, value: &Value) -> Result<[u8; 3], LimitError> {
    let parsed = value.as_str().and_then(|text| text.strip_prefix('#')).and_then(|digits| {
        let is_hex = digits.len() == 6 && digits.bytes().all(|b| b.is_ascii_hexdigit());
        is_hex.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
    });
    let [_, r, g, b] = parsed.ok_or_else(|| form(name, "a colour such as `#ffffff`", value))?.to_be_bytes();
    Ok([r, g, b])
}

fn form(name: &str, expected: &'static str, value: &Value) -> LimitError {
    let mut given = value.to_string();
    if given.len() > 80 {
        given = given.chars().take(80).chain(['…']).collect();
    }
    LimitError::Form { name: name.to_owned(), expected, given }
}

fn unknown<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> LimitError {
    let known: Vec<String> = known.map(|name| format!("`{name}`")).collect();
    LimitError::Unknown { name: name.chars().take(80).collect(), known: known.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_keeps_its_default() {
        let changed = Limits::default()
            .merged(&json!({"backdrop": "#F0f0f0", "measures": {"noise": {"max": 2.5}, "subject_fill": {"min": null}}}))
            .expect("good limits");
        assert_eq!(changed.backdrop(), [240; 3]);
        assert_eq!(changed.of("noise").expect("a measure").max, Some(2.5));
        assert_eq!(changed.of("subject_fill").expect("a measure").min, None);
        assert_eq!(
            changed.of("subject_fill").expect("a measure").max,
            Limits::default().of("subject_fill").expect("a measure").max
        );
        assert_eq!(changed.of("sharpness"), Limits::default().of("sharpness"));
        assert_eq!(Limits::default().merged(&json!({})), Ok(Limits::default()));
    }

    #[test]
    fn limits_survive_being_stored() {
        let limits =
            Limits::default().merged(&json!({"measures": {"noise": {"max": 2.5}}})).expect("good limits");
        let text = serde_json::to_string(&limits).expect("JSON");
        assert_eq!(serde_json::from_str::<Limits>(&text).expect("the same"), limits);
        assert_eq!(serde_json::from_str::<Limits>("{}").expect("defaults"), Limits::default());
    }

    #[test]
    fn wrong_limits_are_refused_by_name() {
        for (changes, said) in [
            (json!([]), "`limits` must be an object, not `[]`"),
            (
                json!({"colour": 1}),
                "there is no limit `colour`; there are `backdrop`, `pass_score`, `measures`",
            ),
            (json!({"backdrop": "white"}), "`backdrop` must be a colour such as `#ffffff`, not `\"white\"`"),
            (json!({"backdrop": "#+fffff"}), "`backdrop` must be a colour"),
            (json!({"pass_score": 2}), "`pass_score` is `2`; 0 to 1 are allowed"),
            (json!({"measures": {"nose": {}}}), "there is no limit `nose`; there are `subject_presence`"),
            (
                json!({"measures": {"noise": {"most": 1}}}),
                "there is no limit `measures.noise.most`; there are `min`",
            ),
            (json!({"measures": {"noise": {"max": -1}}}), "`measures.noise.max` is `-1`; 0 to"),
            (
                json!({"measures": {"noise": {"max": "1"}}}),
                "`measures.noise.max` must be a number, not `\"1\"`",
            ),
            (
                json!({"measures": {"noise": {"weight": 11}}}),
                "`measures.noise.weight` is `11`; 0 to 10 are allowed",
            ),
            (
                json!({"measures": {"subject_fill": {"min": 90, "max": 80}}}),
                "the least must not be more than the most",
            ),
        ] {
            let error = Limits::default().merged(&changes).expect_err("wrong limits").to_string();
            assert!(error.contains(said), "{error}");
        }
    }
}
