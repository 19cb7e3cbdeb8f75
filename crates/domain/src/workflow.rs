//! Workflows: an ordered list of components with settings, saved as immutable versions, each with its price.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::access::Author;
use crate::id::{OrgId, VersionId, WorkflowId};
use crate::time::Timestamp;

/// One component with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Which component: `removeBackground`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its name within the workflow; run-time overrides are keyed by it.
    pub label: String,
    /// Its settings: a JSON object.
    pub settings: Value,
}

/// A workflow as it was saved once. Never changes afterwards.
#[derive(Clone, Debug, PartialEq)]
pub struct Version {
    /// Its id.
    pub id: VersionId,
    /// When it was saved.
    pub saved_at: Timestamp,
    /// Its steps, first `input`, last `export`.
    pub steps: Vec<Step>,
    /// Credits one run costs.
    pub price: u32,
    /// Whether a person checks every result before it counts as done.
    pub needs_review: bool,
}

/// A workflow at one of its versions: the latest unless another was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Workflow {
    /// Its id.
    pub id: WorkflowId,
    /// Whose it is.
    pub org: OrgId,
    /// Its name for people, unique within the organization.
    pub name: String,
    /// Who made it.
    pub author: Author,
    /// The model that it stands for, by the name its face gives it; such a workflow is in no list.
    pub model: Option<String>,
    /// Since when it is archived: kept, but in nobody's way, and no run may begin.
    pub archived_at: Option<Timestamp>,
    /// The version.
    pub version: Version,
}
