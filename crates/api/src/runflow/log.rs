//! Lines of runs' logs.

use std::collections::HashMap;

use axum::Json;
use axum::extract::State;
use domain::filter::Kind;
use domain::id::{LogId, RunId};
use domain::log::LogLine;
use domain::run::Run;
use serde_json::{Value, json};
use service::LogField;

use super::asker::{Asker, Named};
use super::listing::{ListQuery, PageBody, Shown};
use super::problem::Problem;
use super::view::time;
use crate::Front;
use crate::listing::{everything, list_fields, one, sort};

list_fields! {
    LogFields: LogField {
        "id" => LogField::Id, Id;
        "run_id" => LogField::Run, Id;
        "level_code" => LogField::Level, Text;
        "message" => LogField::Message, Text;
        "timestamp" => LogField::At, Time;
        "created_at" => LogField::At, Time;
    }
}

const NAMES: &[&str] = &["id", "run_id", "level_code", "message", "timestamp", "meta", "run"];
/// The usual order of lines.
const OLDEST: &str = "timestamp:asc";

fn log_value(line: &LogLine) -> Value {
    json!({
        "id": line.id,
        "run_id": line.run,
        "level_code": line.level.as_str(),
        "message": line.message,
        "timestamp": time(line.at),
        "meta": line.meta,
        "run": null,
    })
}

impl Front {
    /// Every line of a run's log, the oldest first.
    pub(crate) async fn logs_of(&self, asker: &Asker, run: RunId) -> Result<Value, Problem> {
        let listing = everything(vec![sort(LogField::At, Kind::Time, false)]);
        let leaf = self.service.list_logs(&asker.caller, &asker.choice, Some(run), &listing).await?;
        Ok(leaf.entries.iter().map(log_value).collect())
    }
}

/// `GET /v1/runs/{run_id}/logs`; the run may be `any`.
pub(crate) async fn list(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
    query: ListQuery,
) -> Result<PageBody, Problem> {
    let asked = query.ask(&LogFields, OLDEST, NAMES, &["run"])?;
    let of = named.id_or_any(0, "run_id")?;
    let leaf = front.service.list_logs(&asker.caller, &asker.choice, of, &asked.listing).await?;
    let runs = match asked.shown.embeds("run") {
        true => front.runs_by_id(&asker, leaf.entries.iter().map(|line| line.run)).await?,
        false => HashMap::new(),
    };
    let runs: Vec<Run> = runs.into_values().collect();
    let values = front.show_runs(&asker, &runs, &Shown::default()).await?;
    let values: HashMap<RunId, Value> = runs.iter().map(|run| run.id).zip(values).collect();
    let with_run = |line: &LogLine| {
        let mut value = log_value(line);
        value["run"] = values.get(&line.run).cloned().unwrap_or_default();
        value
    };
    Ok(asked.page(&leaf, leaf.entries.iter().map(with_run)))
}

/// `GET /v1/runs/{run_id}/logs/{id}`; the run may be `any`.
pub(crate) async fn show(
    State(front): State<Front>,
    asker: Asker,
    named: Named,
) -> Result<Json<Value>, Problem> {
    let (of, id) = (named.id_or_any(0, "run_id")?, named.id::<LogId>(1, "id")?);
    let listing = one(LogField::Id, id.0);
    let leaf = front.service.list_logs(&asker.caller, &asker.choice, of, &listing).await?;
    let line =
        leaf.entries.first().ok_or_else(|| Problem::not_found("No log line with that id in this run."))?;
    Ok(Json(log_value(line)))
}
