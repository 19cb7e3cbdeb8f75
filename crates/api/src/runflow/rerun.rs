//! A run is asked for once more.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::request::{From, Origin, Source};
use serde_json::{Value, json};
use service::Commission;

use super::asker::{Asker, Named};
use super::commission::{Terms, Wrong, known_to};
use super::dispatch::file;
use super::media::texts;
use super::problem::Problem;
use super::repeat::Once;
use super::target::no_model;
use crate::Front;

/// `POST /v1/runs/{run_id}/reruns`: the same once more.
pub(crate) async fn rerun(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    once: Once,
) -> Result<(StatusCode, Json<Value>), Problem> {
    front.service.need_scope(&asker.caller, "runs:create")?;
    let run = front.read_run(&asker, named.id(0, "run_id")?).await?;
    let client_ref = run.labels.get("client_ref").cloned();
    let terms = Terms {
        metadata: run.request.as_ref().map_or(Value::Null, |request| request.metadata.clone()),
        client_ref,
        webhooks: run.webhooks.clone(),
        origin: Origin::Single,
        request_id: asker.request_id.clone(),
        repeats: Some(run.id),
        evaluate: run.request.as_ref().is_some_and(|request| request.evaluate),
    };
    if let Some(request) = &run.request {
        // A workflow is found by its id: its name, and so its slug, may be another's by now.
        let target = if request.origin == Origin::Workflow {
            front.find_workflow(&asker, run.workflow).await?
        } else {
            let path = request.target.split_once('/');
            let (owner, slug) = path.ok_or_else(no_model)?;
            front.find_model(&asker, owner, slug).await?
        };
        let input = request.input.as_object().cloned().unwrap_or_default();
        let input = known_to(&target.model, input);
        let referred = front.referred(asker.org, texts(&input)).await?;
        return match front.commission(&asker, &target, &input, &referred, &terms, once.seed).await {
            Ok(commission) => file(&front, &asker, &target, commission, once).await,
            Err(Wrong::Fields(errors)) => Err(Problem::invalid(errors).within(&["body", "input"])),
            Err(Wrong::Problem(problem)) => Err(problem.within(&["body", "input"])),
        };
    }
    // It came through another face: its workflow on its picture.
    if !run.more_inputs.is_empty() {
        return Err(Problem::unprocessable(
            "the run joined several pictures, which a model's input cannot name; order it again where it was ordered",
        ));
    }
    let target = front.find_workflow(&asker, run.workflow).await?;
    let Some(image) = run.input.clone() else {
        return Err(Problem::unprocessable("the run has no picture to be worked on again"));
    };
    let input = json!({ "image_url": format!("runflow://files/{}/{}", image.hash, run.input_name) });
    let commission = Commission {
        steps: None,
        overrides: run.overrides.clone(),
        sources: vec![Source { slot: String::new(), from: From::Stored(image), member: None }],
        name: run.input_name.clone(),
        client_ref: terms.client_ref.clone(),
        request: terms.request(&target.model, input),
        webhooks: terms.webhooks.clone(),
        failure: None,
    };
    file(&front, &asker, &target, commission, once).await
}
