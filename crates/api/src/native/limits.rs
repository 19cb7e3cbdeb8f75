//! An organization's own limits for evaluations.

use axum::Json;
use axum::extract::State;
use serde_json::Value;
use service::Service;

use super::asker::{Asker, OrgParam};
use super::problem::Problem;
use super::sent::Sent;

/// Shows the organization's own limits for evaluations: an object with a member for each measure that has one of its own.
#[utoipa::path(
    get,
    path = "/evaluation-limits",
    tag = "Organizations",
    operation_id = "get_evaluation_limits",
    params(OrgParam),
    responses((status = 200, description = "The limits; empty where all are the usual ones.", body = Object))
)]
pub(crate) async fn show(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
) -> Result<Json<Value>, Problem> {
    Ok(Json(service.evaluation_limits(&caller, &choice).await?))
}

/// Sets the organization's own limits for evaluations, in place of those before; for administrators. They are in force for what is
/// evaluated from now on.
#[utoipa::path(
    put,
    path = "/evaluation-limits",
    tag = "Organizations",
    operation_id = "set_evaluation_limits",
    params(OrgParam),
    request_body = Object,
    responses((status = 200, description = "The limits as they are now.", body = Object))
)]
pub(crate) async fn set(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    Sent(limits): Sent<Value>,
) -> Result<Json<Value>, Problem> {
    service.set_evaluation_limits(&caller, &choice, &limits).await?;
    Ok(Json(limits))
}
