//! Executions as they look on the wire.

use std::collections::BTreeMap;

use domain::run::{Feedback, Run};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};

use crate::autoretouch::status::name_of;

/// An execution. Every member is always there; what is not known yet is null.
#[derive(Serialize, ToSchema)]
#[schema(as = WorkflowExecution)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExecutionView {
    /// Its id, a UUID.
    id: String,
    /// The workflow's id.
    workflow: String,
    /// The workflow's version.
    workflow_version: String,
    /// The workflow's name at creation.
    workflow_name: String,
    /// The organization's id.
    organization_id: String,
    /// The same, under its old name.
    company_id: String,
    /// `CREATED`, `ACTIVE`, `IN_QA`, `COMPLETED`, `FAILED` or `PAYMENT_REQUIRED`.
    status: &'static str,
    /// Who created it.
    user_id: String,
    /// When it was created: ISO 8601, UTC, milliseconds.
    created_at: String,
    /// When work on it began.
    started_at: Option<String>,
    /// When it ended.
    finished_at: Option<String>,
    /// File name of the input.
    input_file_name: String,
    /// Content hash of the input.
    input_content_hash: String,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    intermediate_result: Option<()>,
    /// Content hash of the result.
    result_content_hash: Option<String>,
    /// Media type of the result.
    result_content_type: Option<String>,
    /// File name of the result.
    result_file_name: Option<String>,
    /// Content hash of a preview of the result.
    result_preview_content_hash: Option<String>,
    /// Where the result can be downloaded; not percent-encoded.
    result_path: Option<String>,
    /// The labels, as they were given.
    labels: BTreeMap<String, String>,
    /// Credits charged for it.
    charged_credits: u32,
    /// Null until there is some.
    feedback: Option<FeedbackView>,
    /// Always null.
    #[schema(value_type = Option<Object>)]
    fastlane: Option<()>,
    /// Where its end is told.
    webhooks: Vec<String>,
}

impl From<Run> for ExecutionView {
    fn from(run: Run) -> Self {
        let result = run.state.result();
        let hash = result.map(|result| result.image.hash.to_string());
        Self {
            id: run.id.to_string(),
            workflow: run.workflow.to_string(),
            workflow_version: run.version.to_string(),
            organization_id: run.org.to_string(),
            company_id: run.org.to_string(),
            status: name_of(run.state.status()),
            user_id: run.user.to_string(),
            created_at: run.created_at.to_string(),
            started_at: run.state.started_at().map(|at| at.to_string()),
            finished_at: run.state.finished_at().map(|at| at.to_string()),
            input_file_name: run.input_name.to_string(),
            input_content_hash: run.input.as_ref().map(|input| input.hash.to_string()).unwrap_or_default(),
            intermediate_result: None,
            result_content_type: result.map(|result| result.image.media_type.clone()),
            result_file_name: result.map(|result| result.name.to_string()),
            result_path: result.map(|result| format!("/image/{}/{}", result.image.hash, result.name)),
            result_preview_content_hash: hash.clone(),
            result_content_hash: hash,
            workflow_name: run.workflow_name,
            labels: run.labels,
            charged_credits: run.charged,
            feedback: run.feedback.as_ref().map(FeedbackView::from),
            fastlane: None,
            webhooks: run.webhooks,
        }
    }
}

/// What was said about a result.
#[derive(Serialize, ToSchema)]
#[schema(as = Feedback)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeedbackView {
    /// Whether it is as it was wanted.
    thumbs_up: bool,
    /// Content hashes of images that show what was wanted.
    expected_images: Vec<String>,
}

impl From<&Feedback> for FeedbackView {
    fn from(feedback: &Feedback) -> Self {
        Self {
            thumbs_up: feedback.thumbs_up,
            expected_images: feedback.expected.iter().map(ToString::to_string).collect(),
        }
    }
}

/// What to say about a result.
#[derive(Deserialize, ToSchema)]
#[schema(as = GiveFeedback)]
#[serde(rename_all = "camelCase")]
pub(crate) struct FeedbackBody {
    /// Whether it is as it was wanted.
    #[schema(value_type = bool)]
    thumbs_up: Option<bool>,
    /// Content hashes of uploaded images that show what was wanted.
    expected_images: Option<Vec<String>>,
}

impl FeedbackBody {
    /// What it says; or what is wrong with it.
    pub(super) fn read(self) -> Result<Feedback, String> {
        let thumbs_up =
            self.thumbs_up.ok_or_else(|| "the body has no `thumbsUp`; give true or false".to_owned())?;
        let read = |text: String| {
            let start: String = text.chars().take(80).collect();
            text.parse().map_err(|_| format!("`expectedImages` has `{start}`, which is no content hash"))
        };
        let expected =
            self.expected_images.unwrap_or_default().into_iter().map(read).collect::<Result<_, _>>()?;
        Ok(Feedback { thumbs_up, expected, reason: None })
    }
}

/// What to execute on which uploaded image.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateExecution)]
pub(crate) struct CreateBody {
    /// The image; or, for a workflow with a `combine` step, several of them that go into one result.
    #[schema(value_type = Option<OneOrMore>)]
    pub(super) image: Option<Value>,
    /// Your own words on it, given back as they are.
    #[schema(value_type = Option<BTreeMap<String, String>>)]
    pub(super) labels: Option<Map<String, Value>>,
    /// Settings for this execution alone, keyed by a step's label or component; what is unknown is ignored.
    #[serde(default)]
    #[schema(value_type = Option<Object>)]
    pub(super) settings: Value,
    /// URLs to be told of its end.
    pub(super) webhooks: Option<Vec<String>>,
}

/// For the document: one uploaded image, or several.
#[derive(ToSchema)]
#[serde(untagged)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) enum OneOrMore {
    One(ImageRef),
    More(Vec<ImageRef>),
}

/// An uploaded image.
#[derive(Deserialize, ToSchema)]
#[schema(as = ImageReference)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ImageRef {
    /// Its file name.
    pub(super) name: Option<String>,
    /// Its content hash, as the upload answered it.
    pub(super) content_hash: Option<String>,
    /// Not looked at: the bytes say what they are.
    #[serde(rename = "contentType")]
    _content_type: Option<Value>,
}

/// For the document: what to execute.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct CreateParams {
    /// The workflow's id.
    workflow: String,
    /// Its version; the latest unless told.
    version: Option<String>,
    /// Labels, one parameter each: `label[season]=SS26`.
    #[param(style = DeepObject, explode)]
    label: Option<BTreeMap<String, String>>,
}

/// For the document: which executions are meant.
#[derive(IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
#[allow(dead_code, reason = "read by the document, not by the handlers")]
pub(crate) struct ListParams {
    /// Those of this workflow; `workflow` means the same.
    workflow_id: Option<String>,
    /// Those with this label `autoretouch_batch_name`.
    batch_name: Option<String>,
    /// Those with this status.
    status: Option<String>,
    /// Those of an input with exactly this file name.
    input_file_name: Option<String>,
    /// With `true`, those without any batch label.
    no_batch: Option<bool>,
}
