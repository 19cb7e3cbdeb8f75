//! What work is asked of: a model of the catalogue, or a published workflow, which is a model too.

use axum::http::StatusCode;
use domain::id::WorkflowId;
use domain::workflow::{Step, Workflow};
use serde_json::json;
use service::ModelWork;

use super::asker::Asker;
use super::deployment;
use super::model::{self, MediaRules, Model};
use super::problem::Problem;
use crate::Front;

/// What is asked for: a model of the catalogue, or a published workflow.
pub(crate) struct Target {
    pub(crate) model: Model,
    workflow: Option<Workflow>,
}

impl Target {
    /// A model as it stands for itself.
    pub(crate) fn of(model: &Model) -> Self {
        Self { model: model.clone(), workflow: None }
    }
}

/// The segments of a model's address: its id, decoded one by one, and what follows it.
pub(crate) fn segments(path: &str) -> Vec<String> {
    let rest = path.strip_prefix("/v1/models/").or_else(|| path.strip_prefix("/v1/comfyui-workflows/"));
    rest.unwrap_or_default()
        .trim_end_matches('/')
        .split('/')
        .map(|segment| percent_encoding::percent_decode_str(segment).decode_utf8_lossy().into_owned())
        .collect()
}

impl Front {
    /// The model of that id: one of the catalogue, or a workflow that the asker's organization has published.
    pub(crate) async fn find_model(&self, asker: &Asker, owner: &str, slug: &str) -> Result<Target, Problem> {
        if let Some(model) = model::find(owner, slug) {
            return Ok(Target::of(model));
        }
        let found = self.workflow_models(asker).await?.into_iter();
        found
            .map(|(model, workflow)| Target { model, workflow: Some(workflow) })
            .find(|target| target.model.owner == owner && target.model.slug == slug)
            .ok_or_else(no_model)
    }

    /// A workflow of the asker's organization, by its id.
    pub(crate) async fn find_workflow(&self, asker: &Asker, id: WorkflowId) -> Result<Target, Problem> {
        let mut found = self.workflow_models(asker).await?.into_iter();
        let (model, workflow) = found.find(|(_, workflow)| workflow.id == id).ok_or_else(no_model)?;
        Ok(Target { model, workflow: Some(workflow) })
    }

    /// The model of that id to be run. A deployed workflow has the address of one, and nothing that runs it.
    pub(crate) async fn find_target(
        &self,
        asker: &Asker,
        owner: &str,
        slug: &str,
    ) -> Result<Target, Problem> {
        let found = self.find_model(asker, owner, slug).await;
        if found.is_err() && self.is_deployed(asker, owner, slug).await? {
            return Err(deployment::no_executor());
        }
        found
    }

    /// Every published workflow of the asker's organization as a model, in the order they were made.
    pub(crate) async fn workflow_models(&self, asker: &Asker) -> Result<Vec<(Model, Workflow)>, Problem> {
        let org = self.service.org(&asker.caller, asker.org).await?;
        let window = domain::page::Window { limit: 10_000, offset: 0 };
        let (caller, choice) = (&asker.caller, &asker.choice);
        let mut workflows = self.service.workflows(caller, choice, window).await?.entries;
        workflows.extend(self.service.archived_workflows(caller, choice, window).await?.entries);
        // In the order they were made, the archived ones among them: so a slug stays with its workflow.
        workflows.sort_by_key(|workflow| workflow.id);
        let owner = model::slug(&org.name);
        let slugs = model::slugs(workflows.iter().map(|workflow| workflow.name.as_str()));
        let models = slugs.into_iter().zip(workflows);
        let models = models.filter(|(_, workflow)| workflow.archived_at.is_none());
        let as_model = |(slug, workflow): (String, Workflow)| {
            (model::workflow_model(&owner, asker.org.0, &slug, &workflow), workflow)
        };
        Ok(models.map(as_model).collect())
    }

    /// What one run of a model costs, in credits.
    pub(crate) fn price_of(&self, target: &Target) -> u32 {
        match (&target.workflow, target.model.price) {
            (Some(workflow), _) => workflow.version.price,
            (None, Some(price)) => self.credits(price),
            // One without a list price costs what its components cost for the input of its first example.
            (None, None) => {
                let example = target.model.examples.first().map(|example| &example.input);
                let checked =
                    example.and_then(|input| model::validate(&target.model, input, &MediaRules::STRICT).ok());
                let plan = checked.and_then(|checked| model::plan(&target.model, &checked).ok());
                plan.map_or(0, |plan| self.service.catalogue().price(&plan.steps))
            }
        }
    }

    /// The workflow that runs of a model are filed under.
    pub(crate) async fn workflow_of(&self, asker: &Asker, target: &Target) -> Result<Workflow, Problem> {
        if let Some(workflow) = &target.workflow {
            return Ok(workflow.clone());
        }
        let step = |kind: &str| Step { kind: kind.to_owned(), label: kind.to_owned(), settings: json!({}) };
        let work = ModelWork {
            name: target.model.path(),
            steps: vec![step("input"), step("export")],
            price: self.price_of(target),
        };
        Ok(self.service.workflow_for(&asker.caller, asker.org, &work).await?)
    }
}

pub(crate) fn no_model() -> Problem {
    Problem::new(
        StatusCode::NOT_FOUND,
        "MODEL_NOT_FOUND",
        "No model with that id; `GET /v1/models` lists those there are.",
    )
}
