//! What a component is, without running it: the catalogue is data, so that the front can list components, check
//! settings and show prices without depending on the code that moves pixels.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::image::ContentHash;
use crate::workflow::Step;

/// Where in a workflow a component may stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Always the first step, exactly once.
    First,
    /// Anywhere between the first and the last step.
    Middle,
    /// Always the last step, exactly once.
    Last,
}

impl Place {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Middle => "middle",
            Self::Last => "last",
        }
    }
}

/// What a component may change about a picture; what is not named here comes out as it went in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Which pixels belong to the product, and how far.
    pub mask: bool,
    /// What lies around and under the product, shadows included.
    pub background: bool,
    /// Skin.
    pub skin: bool,
    /// Colour and brightness of the product.
    pub tone: bool,
    /// Sharpness, noise and small things on the product.
    pub detail: bool,
    /// Size, place and direction of the product, and how much of it is in the picture.
    pub geometry: bool,
}

impl Changes {
    /// Nothing at all.
    pub const NONE: Self =
        Self { mask: false, background: false, skin: false, tone: false, detail: false, geometry: false };

    /// Whether every pixel of the product that stays keeps its colour and its place.
    pub const fn keeps_product(self) -> bool {
        !(self.skin || self.tone || self.detail || self.geometry)
    }

    /// The names of what may change: `mask`, `background`, `skin`, `tone`, `detail`, `geometry`.
    pub fn names(self) -> Vec<&'static str> {
        [
            (self.mask, "mask"),
            (self.background, "background"),
            (self.skin, "skin"),
            (self.tone, "tone"),
            (self.detail, "detail"),
            (self.geometry, "geometry"),
        ]
        .into_iter()
        .filter_map(|(may, name)| may.then_some(name))
        .collect()
    }
}

/// One component as others see it.
#[derive(Clone, Debug)]
pub struct Description {
    /// Its name in workflows: `removeBackground`.
    pub kind: &'static str,
    /// Its name for people: `Remove background`.
    pub title: &'static str,
    /// What it does, in one sentence.
    pub summary: &'static str,
    /// Rises whenever the same settings give other pixels.
    pub version: u32,
    /// Credits one run of it costs.
    pub credits: u32,
    /// Where it may stand.
    pub place: Place,
    /// Whether it makes one picture of several: what stands before it is done to each of them.
    pub joins: bool,
    /// What it may change.
    pub changes: Changes,
    /// JSON Schema of its settings, defaults included.
    pub schema: Value,
    /// Every setting with its default.
    pub defaults: Value,
    /// Reads settings, fills in the defaults and gives them back in canonical form, or says what is wrong with them.
    pub check: fn(&Value) -> Result<Value, String>,
    /// Further stored pictures that canonical settings name.
    pub images: fn(&Value) -> Vec<ContentHash>,
}

/// What is wrong with a list of steps; the text names the step, the setting and the way out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

const TOO_SHORT: &str = "a workflow begins with `input` and ends with `export`";

/// One thing that is wrong with a list of steps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepFault {
    /// Where.
    pub at: FaultAt,
    /// What, and the way out.
    pub text: String,
}

/// Where in a list of steps something is wrong. Steps count from 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FaultAt {
    /// The list as a whole.
    Whole,
    /// The component of that step.
    Kind(usize),
    /// The settings of that step; one of them, if it is about one.
    Settings(usize, Option<String>),
}

/// Every component there is.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    entries: Vec<Description>,
}

impl Catalogue {
    /// A catalogue of these components, in the order the documents list them.
    pub fn new(entries: Vec<Description>) -> Self {
        Self { entries }
    }

    /// Every component.
    pub fn entries(&self) -> &[Description] {
        &self.entries
    }

    /// The component of that name, in any case.
    pub fn find(&self, kind: &str) -> Option<&Description> {
        self.entries.iter().find(|entry| entry.kind.eq_ignore_ascii_case(kind))
    }

    fn named(&self, kind: &str) -> Result<&Description, Invalid> {
        self.find(kind).ok_or_else(|| {
            let known: Vec<_> = self.entries.iter().map(|entry| entry.kind).collect();
            Invalid(format!("no component is called `{kind}`; there are {}", known.join(", ")))
        })
    }

    /// The steps with canonical names and settings: every setting present. Refuses unknown components and settings,
    /// values out of range, and steps in an order that no picture could go through.
    pub fn check(&self, steps: &[Step]) -> Result<Vec<Step>, Invalid> {
        let mut checked = Vec::with_capacity(steps.len());
        for index in 0..steps.len() {
            checked.push(self.check_step(steps, index).map_err(|fault| Invalid(fault.text))?);
        }
        if checked.len() < 2 {
            return Err(Invalid(TOO_SHORT.to_owned()));
        }
        Ok(checked)
    }

    /// Whether these steps make one picture of several.
    pub fn takes_several(&self, steps: &[Step]) -> bool {
        steps.iter().filter_map(|step| self.find(&step.kind)).any(|entry| entry.joins)
    }

    /// Everything that is wrong with the steps, where [`Catalogue::check`] stops at the first: one fault a step at most.
    pub fn faults(&self, steps: &[Step]) -> Vec<StepFault> {
        let mut faults: Vec<_> =
            (0..steps.len()).filter_map(|index| self.check_step(steps, index).err()).collect();
        if faults.is_empty() && steps.len() < 2 {
            faults.push(StepFault { at: FaultAt::Whole, text: TOO_SHORT.to_owned() });
        }
        faults
    }

    fn check_step(&self, steps: &[Step], index: usize) -> Result<Step, StepFault> {
        let step = &steps[index];
        let at_kind = |text| StepFault { at: FaultAt::Kind(index), text };
        let entry = self.named(&step.kind).map_err(|invalid| at_kind(invalid.0))?;
        let stands = match index {
            0 => Place::First,
            _ if index + 1 == steps.len() => Place::Last,
            _ => Place::Middle,
        };
        if entry.place != stands {
            return Err(at_kind(match entry.place {
                Place::First => format!("`{}` must be the first step, once", entry.kind),
                Place::Last => format!("`{}` must be the last step, once", entry.kind),
                Place::Middle => {
                    format!(
                        "`{}` cannot be first or last; begin with `input` and end with `export`",
                        entry.kind
                    )
                }
            }));
        }
        let settings = (entry.check)(&step.settings).map_err(|reason| {
            // A reason begins with the setting's name, if it is about one.
            let named = reason.split('`').nth(1).filter(|name| step.settings.get(name).is_some());
            StepFault {
                at: FaultAt::Settings(index, named.map(str::to_owned)),
                text: format!("step {} `{}`: {reason}", index + 1, step.label),
            }
        })?;
        Ok(Step { kind: entry.kind.to_owned(), label: step.label.clone(), settings })
    }

    /// Credits one run of these steps costs.
    pub fn price(&self, steps: &[Step]) -> u32 {
        steps.iter().filter_map(|step| self.find(&step.kind)).map(|entry| entry.credits).sum()
    }

    /// Further stored pictures that the settings of checked steps name, each once.
    pub fn images(&self, steps: &[Step]) -> Vec<ContentHash> {
        let named = |step: &Step| self.find(&step.kind).map(|entry| (entry.images)(&step.settings));
        steps.iter().filter_map(named).flatten().collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The steps with one run's overrides merged over their settings. Overrides are keyed by a step's label, or else
    /// by its component; what names no step, and settings that no component has, are passed over; a value out of
    /// range is refused.
    pub fn resolve(&self, steps: &[Step], overrides: &Value) -> Result<Vec<Step>, Invalid> {
        let Some(overrides) = overrides.as_object().filter(|map| !map.is_empty()) else {
            return Ok(steps.to_vec());
        };
        let mut resolved = steps.to_vec();
        for step in &mut resolved {
            let given = overrides.get(&step.label).or_else(|| overrides.get(&step.kind));
            let Some(given) = given.and_then(Value::as_object) else { continue };
            let entry = self.named(&step.kind)?;
            let known = entry.schema.get("properties").and_then(Value::as_object);
            let mut merged = step.settings.as_object().cloned().unwrap_or_else(Map::new);
            for (key, value) in given {
                if known.is_some_and(|known| known.contains_key(key)) {
                    merged.insert(key.clone(), value.clone());
                }
            }
            step.settings = (entry.check)(&Value::Object(merged))
                .map_err(|reason| Invalid(format!("settings for `{}`: {reason}", step.label)))?;
        }
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn describe(kind: &'static str, place: Place, credits: u32) -> Description {
        Description {
            kind,
            title: kind,
            summary: kind,
            version: 1,
            credits,
            place,
            joins: kind == "combine",
            changes: Changes::NONE,
            schema: json!({ "properties": { "size": {} } }),
            defaults: json!({ "size": 1 }),
            check: |given| match given.get("size").and_then(Value::as_u64).unwrap_or(1) {
                size @ 0..=9 => Ok(json!({ "size": size })),
                size => Err(format!("`size` is {size}, at most 9 is allowed")),
            },
            images: |given| {
                given
                    .get("image")
                    .and_then(Value::as_str)
                    .and_then(|text| text.parse().ok())
                    .into_iter()
                    .collect()
            },
        }
    }

    fn catalogue() -> Catalogue {
        Catalogue::new(vec![
            describe("input", Place::First, 0),
            describe("crop", Place::Middle, 2),
            describe("export", Place::Last, 10),
        ])
    }

    fn step(kind: &str, settings: Value) -> Step {
        Step { kind: kind.to_owned(), label: kind.to_owned(), settings }
    }

    #[test]
    fn checking_fills_in_defaults_and_names() {
        let steps = [step("INPUT", json!({})), step("export", json!({ "size": 3 }))];
        let checked = catalogue().check(&steps).expect("good steps");
        assert_eq!(checked[0].kind, "input");
        assert_eq!(checked[0].settings, json!({ "size": 1 }));
        assert_eq!(checked[1].settings, json!({ "size": 3 }));
        assert_eq!(catalogue().price(&checked), 10);
    }

    #[test]
    fn a_joining_step_takes_several() {
        let catalogue =
            Catalogue::new(vec![describe("combine", Place::Middle, 0), describe("crop", Place::Middle, 0)]);
        assert!(catalogue.takes_several(&[step("crop", json!({})), step("combine", json!({}))]));
        assert!(!catalogue.takes_several(&[step("crop", json!({}))]));
    }

    #[test]
    fn pictures_that_settings_name_are_listed_once() {
        let hash = ContentHash([7; 32]);
        let named = || step("crop", json!({ "image": hash.to_string() }));
        assert_eq!(catalogue().images(&[step("input", json!({})), named(), named()]), [hash]);
    }

    #[test]
    fn refusals_name_the_step_and_the_way_out() {
        let refuse = |steps: &[Step]| catalogue().check(steps).expect_err("bad steps").0;
        assert!(refuse(&[step("input", json!({}))]).contains("export"));
        assert!(
            refuse(&[step("input", json!({})), step("crip", json!({}))])
                .contains("no component is called `crip`")
        );
        assert!(refuse(&[step("crop", json!({})), step("export", json!({}))]).contains("cannot be first"));
        let text = refuse(&[step("input", json!({})), step("export", json!({ "size": 12 }))]);
        assert_eq!(text, "step 2 `export`: `size` is 12, at most 9 is allowed");
    }

    #[test]
    fn every_fault_is_found_and_placed() {
        let steps = [
            step("input", json!({})),
            step("crip", json!({})),
            step("crop", json!({ "size": 12 })),
            step("export", json!({ "other": 1, "size": 10 })),
        ];
        let faults: Vec<_> = catalogue().faults(&steps).into_iter().map(|fault| fault.at).collect();
        let size = || Some("size".to_owned());
        assert_eq!(faults, [FaultAt::Kind(1), FaultAt::Settings(2, size()), FaultAt::Settings(3, size())]);
        assert_eq!(catalogue().faults(&[])[0].at, FaultAt::Whole);
        assert_eq!(catalogue().faults(&[step("input", json!({})), step("export", json!({}))]), []);
    }

    #[test]
    fn overrides_pass_over_what_they_cannot_know_and_refuse_what_they_can() {
        let steps = [step("input", json!({ "size": 1 })), step("export", json!({ "size": 3 }))];
        let some =
            json!({ "input": { "some": "settings" }, "nobody": { "size": 99 }, "export": { "size": 5 } });
        let resolved = catalogue().resolve(&steps, &some).expect("good overrides");
        assert_eq!(resolved[0].settings, json!({ "size": 1 }));
        assert_eq!(resolved[1].settings, json!({ "size": 5 }));
        assert!(catalogue().resolve(&steps, &json!({ "export": { "size": 50 } })).is_err());
    }
}
