//! Batches: executions that share the label `autoretouch_batch_id`.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use domain::batch::{Batch, BatchRef};
use domain::time::Timestamp;
use serde::Serialize;
use service::Service;
use utoipa::ToSchema;

use super::asker::{Asker, OrgParam, org_of};
use super::error::{ErrorBody, Problem};
use super::page::{PageParams, PageView, window_of};
use crate::form::Query;

/// The label that puts an execution into a batch.
pub(super) const ID: &str = "autoretouch_batch_id";
/// The label that names the batch.
pub(super) const NAME: &str = "autoretouch_batch_name";
/// The label that says when the batch was made.
pub(super) const CREATED_AT: &str = "autoretouch_batch_createdAt";

/// The batch that labels put an execution into, if they do. A date that cannot be read counts as none.
pub(super) fn of_labels(labels: &BTreeMap<String, String>) -> Option<BatchRef> {
    let id = labels.get(ID).filter(|id| !id.is_empty())?;
    Some(BatchRef {
        id: id.clone(),
        name: labels.get(NAME).cloned().unwrap_or_default(),
        created_at: labels.get(CREATED_AT).and_then(|at| Timestamp::parse(at)),
    })
}

/// A batch.
#[derive(Serialize, ToSchema)]
#[schema(as = Batch)]
#[serde(rename_all = "camelCase")]
pub(crate) struct BatchView {
    /// Its id, as the label says.
    id: String,
    /// Its name; empty if no label says one.
    name: String,
    /// The user who created its earliest execution.
    author: String,
    /// When it was made: ISO 8601, UTC, milliseconds.
    #[schema(example = "2026-03-02T09:13:58.000Z")]
    created_at: String,
    /// How many executions it has.
    executions: u64,
    /// Credits charged for them.
    price: u64,
    /// The workflow of its earliest execution.
    workflow_id: String,
    /// That workflow's name.
    workflow_name: String,
}

impl From<Batch> for BatchView {
    fn from(batch: Batch) -> Self {
        Self {
            id: batch.id,
            name: batch.name,
            author: batch.author.0,
            created_at: batch.created_at.to_string(),
            executions: batch.runs,
            price: batch.charged,
            workflow_id: batch.workflow.to_string(),
            workflow_name: batch.workflow_name,
        }
    }
}

/// Lists an organization's batches, newest first.
#[utoipa::path(
    get,
    path = "/batch",
    tag = "Executions",
    operation_id = "listBatches",
    params(
        OrgParam,
        ("batchId" = Option<String>, Query, description = "Only this batch."),
        PageParams,
    ),
    responses(
        (status = 200, description = "A page of batches.", body = PageView<BatchView>),
        (status = 401, description = "No valid token.", body = ErrorBody),
        (status = 403, description = "You do not belong to that organization.", body = ErrorBody),
    )
)]
pub(crate) async fn list(
    State(service): State<Service>,
    Asker(caller): Asker,
    Query(query): Query,
) -> Result<Json<PageView<BatchView>>, Problem> {
    let page = service.batches(&caller, &org_of(&query), query.get("batchId"), window_of(&query)).await?;
    Ok(Json(PageView::of(page, BatchView::from)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_make_a_batch_when_they_have_its_id() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let whole =
            of_labels(&labels(&[(ID, "7"), (NAME, "Drop"), (CREATED_AT, "2026-03-02T09:14:05.120Z")]));
        let expected = BatchRef {
            id: "7".to_owned(),
            name: "Drop".to_owned(),
            created_at: Some(Timestamp(1_772_442_845_120)),
        };
        assert_eq!(whole, Some(expected));
        let bare = of_labels(&labels(&[(ID, "7"), (CREATED_AT, "today")]));
        assert_eq!(bare, Some(BatchRef { id: "7".to_owned(), name: String::new(), created_at: None }));
        assert_eq!(of_labels(&labels(&[(NAME, "Drop")])), None);
        assert_eq!(of_labels(&labels(&[(ID, "")])), None);
    }
}
