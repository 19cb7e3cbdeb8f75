//! What people say about results that wait for their check.

use axum::Json;
use axum::extract::State;
use domain::review::{Review, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use service::{Opinion, Service, Tally, Thing};
use utoipa::ToSchema;

use super::asker::{Asker, Named, OrgParam};
use super::problem::Problem;
use super::run::RunView;
use super::sent::Sent;

/// A verdict.
#[derive(Clone, Copy, Deserialize, ToSchema)]
#[schema(as = Verdict)]
#[serde(rename_all = "snake_case")]
pub(crate) enum VerdictBody {
    /// It is good: the run has succeeded.
    Approve,
    /// It is not: the run is done once more, free of charge, perhaps with other settings.
    Reprocess,
    /// It is not, and will not be: the run has failed.
    GiveUp,
}

/// What is to become of results.
#[derive(Deserialize, ToSchema)]
#[schema(as = NewReview)]
#[serde(deny_unknown_fields)]
pub(crate) struct ReviewBody {
    /// The verdict.
    verdict: VerdictBody,
    /// For `reprocess`: settings laid over the run's own, keyed by step label or component.
    #[schema(value_type = Option<Object>)]
    overrides: Option<Map<String, Value>>,
    /// Why.
    reason: Option<String>,
}

impl ReviewBody {
    fn opinion(self) -> Opinion {
        Opinion {
            verdict: match self.verdict {
                VerdictBody::Approve => Verdict::Approve,
                VerdictBody::Reprocess => Verdict::Reprocess,
                VerdictBody::GiveUp => Verdict::GiveUp,
            },
            overrides: self.overrides.map_or(Value::Null, Value::Object),
            reason: self.reason,
        }
    }
}

/// The latest check of a run.
#[derive(Serialize, ToSchema)]
#[schema(as = Review)]
pub(crate) struct ReviewView {
    /// `approve`, `reprocess` or `give_up`.
    verdict: &'static str,
    /// The user who said so.
    by: String,
    /// When.
    at: String,
    /// Why, in their words.
    reason: Option<String>,
}

impl From<Review> for ReviewView {
    fn from(review: Review) -> Self {
        Self {
            verdict: review.verdict.as_str(),
            by: review.by.0,
            at: review.at.to_string(),
            reason: review.reason,
        }
    }
}

/// How many runs of an order were judged.
#[derive(Serialize, ToSchema)]
#[schema(as = Tally)]
pub(crate) struct TallyView {
    /// Those that took the verdict.
    judged: u64,
    /// Those that somebody else judged at the same moment.
    passed_over: u64,
}

impl From<Tally> for TallyView {
    fn from(tally: Tally) -> Self {
        Self { judged: tally.judged, passed_over: tally.passed_over }
    }
}

/// Judges a run that is in review.
#[utoipa::path(
    post,
    path = "/runs/{run_id}/review",
    tag = "Quality",
    operation_id = "review_run",
    params(("run_id" = String, Path, description = "Its id."), OrgParam),
    request_body = ReviewBody,
    responses((status = 200, description = "The run as it is then.", body = RunView))
)]
pub(crate) async fn run(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
    Sent(body): Sent<ReviewBody>,
) -> Result<Json<RunView>, Problem> {
    Ok(Json(service.judge(&caller, &choice, named.id(Thing::Run)?, &body.opinion()).await?.into()))
}

/// Judges every run of an order that is in review at this moment.
#[utoipa::path(
    post,
    path = "/orders/{order_id}/review",
    tag = "Quality",
    operation_id = "review_order",
    params(("order_id" = String, Path, description = "Its id."), OrgParam),
    request_body = ReviewBody,
    responses((status = 200, description = "How many were judged.", body = TallyView))
)]
pub(crate) async fn order(
    State(service): State<Service>,
    Asker { caller, choice }: Asker,
    named: Named,
    Sent(body): Sent<ReviewBody>,
) -> Result<Json<TallyView>, Problem> {
    Ok(Json(service.judge_batch(&caller, &choice, &named.0, &body.opinion()).await?.into()))
}
