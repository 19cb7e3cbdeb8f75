//! What is to be done for one input: the steps, the pictures that it names, and what is remembered of it.

use domain::id::RunId;
use domain::image::FileName;
use domain::request::{Face, From, Origin, Request, Source};
use serde_json::{Map, Value, json};
use service::Commission;
use uuid::Uuid;

use super::asker::Asker;
use super::dispatch::FACE;
use super::media::{Referred, Resolved};
use super::model::{self, FieldError, Loc, MediaRules, Model};
use super::problem::Problem;
use super::target::Target;
use crate::Front;

/// Largest input of one run that is kept, in bytes of JSON, its pictures counted as references.
const INPUT_BYTES_MAX: usize = 64 * 1024;

/// What goes with an input.
pub(crate) struct Terms {
    pub(crate) metadata: Value,
    pub(crate) client_ref: Option<String>,
    pub(crate) webhooks: Vec<String>,
    pub(crate) origin: Origin,
    pub(crate) request_id: String,
    pub(crate) repeats: Option<RunId>,
    pub(crate) evaluate: bool,
}

impl Terms {
    /// The terms of one element of a batch: metadata and callback are the batch's alone.
    pub(crate) fn for_element(&self, client_ref: Option<String>) -> Self {
        Self {
            metadata: Value::Null,
            client_ref,
            webhooks: Vec::new(),
            origin: self.origin,
            request_id: self.request_id.clone(),
            repeats: None,
            evaluate: self.evaluate,
        }
    }

    /// The request for one input, or for a whole batch.
    pub(crate) fn request(&self, model: &Model, input: Value) -> Request {
        Request {
            face: Face(FACE.to_owned()),
            target: model.path(),
            input,
            metadata: self.metadata.clone(),
            origin: if model.is_workflow() { Origin::Workflow } else { self.origin },
            request_id: Some(self.request_id.clone()),
            repeats: self.repeats,
            before: Vec::new(),
            evaluate: self.evaluate,
        }
    }
}

impl Front {
    /// The plan for an input, and the pictures that it names.
    fn planned(
        &self,
        model: &Model,
        input: &Value,
    ) -> Result<(model::Plan, Vec<model::Found>), Vec<FieldError>> {
        let is_own = |address: &str| self.is_own(address);
        let rules = MediaRules { allow_http: self.service.settings().allow_plain_http, is_own: &is_own };
        let checked = model::validate(model, input, &rules)?;
        Ok((model::plan(model, &checked)?, model::media(model, input, &rules)))
    }

    /// What is to be done for one input, [as its model knows it](known_to), whose references were looked up. Faults lead from inside
    /// the input.
    pub(crate) async fn commission(
        &self,
        asker: &Asker,
        target: &Target,
        input: &Value,
        referred: &Referred,
        terms: &Terms,
        seed: Uuid,
    ) -> Result<Commission, Wrong> {
        let model = &target.model;
        let mut stored = input.clone();
        let (plan, media) = self.planned(model, &stored).map_err(Wrong::Fields)?;
        let mut known: Vec<(Vec<Loc>, Resolved)> = Vec::new();
        for (nth, found) in (0..).zip(media) {
            let Some(text) = model::get(&stored, &found.path).and_then(Value::as_str).map(str::to_owned)
            else {
                continue;
            };
            let resolved = self.resolve(asker, referred, &found.path, &text, seed, nth).await;
            let resolved = resolved.map_err(Wrong::Problem)?;
            model::put(&mut stored, &found.path, resolved.reference.clone());
            known.push((found.path, resolved));
        }
        if stored.to_string().len() > INPUT_BYTES_MAX {
            let text = format!("Input should have at most {INPUT_BYTES_MAX} bytes beside its pictures");
            return Err(Wrong::Fields(vec![FieldError::new([] as [&str; 0], "too_long", text)]));
        }
        let source = |slot: &str, source: &model::Source| {
            let found = known.iter().find(|(path, _)| *path == source.path);
            found.map(|(_, resolved)| Source {
                slot: slot.to_owned(),
                from: resolved.from.clone(),
                member: source.member.clone(),
            })
        };
        let missing = |source: &model::Source| {
            let text = "this field names no picture that can be used";
            Wrong::Fields(vec![FieldError::new(source.path.clone(), "value_error", text)])
        };
        let mut sources = vec![source("", &plan.picture).ok_or_else(|| missing(&plan.picture))?];
        for further in &plan.further {
            let picture = source(further.placeholder, &further.source);
            sources.push(picture.ok_or_else(|| missing(&further.source))?);
        }
        // A picture that is here and is none is told at once.
        for (path, resolved) in &known {
            let is_archive =
                sources.iter().any(|source| source.from == resolved.from && source.member.is_some());
            if let From::Stored(image) = &resolved.from
                && image.width == 0
                && !is_archive
            {
                let text = "the file is no picture that can be worked on";
                return Err(Wrong::Fields(vec![FieldError::new(path.clone(), "value_error", text)]));
            }
        }
        let picture = known.iter().find(|(path, _)| *path == plan.picture.path);
        let name = match (&plan.picture.member, picture) {
            (Some(member), _) => FileName::clean(member),
            (None, Some((_, resolved))) => resolved.name.clone(),
            (None, None) => FileName::clean(plan.name),
        };
        let name = if plan.before.is_empty() { name } else { FileName::clean(&format!("result_{name}")) };
        let mut request = terms.request(model, stored);
        request.before = plan.before.iter().map(|label| (*label).to_owned()).collect();
        Ok(Commission {
            steps: (!model.is_workflow()).then_some(plan.steps),
            overrides: if plan.overrides.is_null() { json!({}) } else { plan.overrides },
            sources,
            name,
            client_ref: terms.client_ref.clone(),
            request,
            webhooks: terms.webhooks.clone(),
            failure: None,
        })
    }
}

/// Why an input cannot be worked on.
pub(crate) enum Wrong {
    /// These fields of it.
    Fields(Vec<FieldError>),
    /// Something else, or a field that was found out later.
    Problem(Problem),
}

/// What of an input a model knows, objects that came as text unfolded; the rest is passed over, and not kept.
pub(crate) fn known_to(model: &Model, input: Map<String, Value>) -> Value {
    let known = input.into_iter().filter(|(name, _)| model.input(name).is_some());
    let mut known = Value::Object(known.collect());
    model::unfold(model, &mut known);
    known
}

/// What is kept of an input that failed: without what it had inline, and nothing of one that is too large.
pub(crate) fn kept_of_failed(mut known: Value) -> Value {
    fn shorten(value: &mut Value) {
        match value {
            Value::String(text) if text.starts_with("data:") => {
                let head: String = text.split(',').next().unwrap_or_default().chars().take(100).collect();
                *text = format!("{head},…");
            }
            Value::Array(values) => values.iter_mut().for_each(shorten),
            Value::Object(members) => members.values_mut().for_each(shorten),
            _ => {}
        }
    }
    shorten(&mut known);
    if known.to_string().len() > INPUT_BYTES_MAX { json!({}) } else { known }
}
