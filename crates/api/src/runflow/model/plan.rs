//! What is to be done for an input: workflow steps, and the pictures that go into them.

use std::collections::BTreeMap;

use domain::image::ContentHash;
use domain::workflow::Step;
use serde_json::{Map, Value};

use super::check::Checked;
use super::field::{FieldError, Loc, at};
use super::media::get;
use super::{Model, Work};

/// Where a picture comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// The way to the media value in the input.
    pub path: Vec<Loc>,
    /// The name of the picture inside it, where that is a zip archive.
    pub member: Option<String>,
}

impl Source {
    /// What that field of the input names.
    pub(crate) fn field(path: &[&str]) -> Self {
        Self { path: at(path), member: None }
    }

    /// The media value in an input that has it.
    pub fn value<'a>(&self, input: &'a Value) -> Option<&'a str> {
        get(input, &self.path)?.as_str()
    }
}

/// A further picture that the steps name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Further {
    /// What stands in the steps where its content hash belongs: `@mask`.
    pub placeholder: &'static str,
    /// Where it comes from.
    pub source: Source,
}

/// What is to be done for an input.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// The picture to be worked on.
    pub picture: Source,
    /// Further pictures that the steps name.
    pub further: Vec<Further>,
    /// The steps, with placeholders where the hashes of further pictures belong; not yet held against the components.
    pub steps: Vec<Step>,
    /// What the caller changes of the settings of a published workflow's steps, keyed by label or component; null where
    /// nothing is changed.
    pub overrides: Value,
    /// Labels of further files that come before the result in the output, in their order; mostly none.
    pub before: Vec<&'static str>,
    /// The name of the result's file, without its ending.
    pub name: &'static str,
}

/// A placeholder for which there is no picture.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the picture `{0}` of the plan was not fetched")]
pub struct Unfilled(pub String);

impl Plan {
    /// A plan for one picture.
    pub(crate) fn new(picture: Source, steps: Vec<Step>) -> Self {
        Self {
            picture,
            further: Vec::new(),
            steps,
            overrides: Value::Null,
            before: Vec::new(),
            name: "result",
        }
    }

    /// The steps with the hashes of the further pictures, by their placeholders.
    pub fn filled(&self, hashes: &BTreeMap<String, ContentHash>) -> Result<Vec<Step>, Unfilled> {
        let mut texts = BTreeMap::new();
        for Further { placeholder, .. } in &self.further {
            let hash = hashes.get(*placeholder).ok_or_else(|| Unfilled((*placeholder).to_owned()))?;
            texts.insert(*placeholder, hash.to_string());
        }
        let texts = texts.iter().map(|(placeholder, hash)| (*placeholder, hash.as_str())).collect();
        Ok(domain::request::filled(&self.steps, &texts))
    }
}

/// What is to be done for an input that was checked, or what in it makes no sense together.
pub fn plan(model: &Model, input: &Checked) -> Result<Plan, Vec<FieldError>> {
    match &model.work {
        Work::Chain(chain) => chain(input),
        Work::Workflow(steps) => {
            let settings = input.object("settings").filter(|settings| !settings.is_empty());
            let wrong: Vec<_> = settings.into_iter().flat_map(not_objects).collect();
            if !wrong.is_empty() {
                return Err(wrong);
            }
            let overrides = settings.map_or(Value::Null, |settings| Value::Object(settings.clone()));
            Ok(Plan { overrides, ..Plan::new(Source::field(&["image_url"]), steps.clone()) })
        }
    }
}

fn not_objects(settings: &Map<String, Value>) -> impl Iterator<Item = FieldError> + '_ {
    settings.iter().filter(|(_, value)| !value.is_object()).map(|(key, _)| {
        FieldError::new(["settings", key.as_str()], "dict_type", "Input should be a valid dictionary")
    })
}
