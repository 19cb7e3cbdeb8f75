//! Columns to domain types and back.

use domain::access::SecretHash;
use domain::id::{OrgId, RunId, UserId, VersionId, WorkflowId};
use domain::image::ContentHash;
use domain::page::Window;
use domain::run::{Run, State, Status, Terms};
use domain::time::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;
use serde::Serialize;
use serde::de::DeserializeOwned;
use store::StoreError;
use uuid::Uuid;

/// A UUID column.
pub(crate) fn uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Uuid> {
    row.get(column).map(Uuid::from_bytes)
}

/// A UUID column that may be empty.
pub(crate) fn maybe_uuid(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Uuid>> {
    row.get::<_, Option<[u8; 16]>>(column).map(|bytes| bytes.map(Uuid::from_bytes))
}

/// A column with a number that is never negative.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number = row.get::<_, i64>(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// A time column.
pub(crate) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    row.get(column).map(Timestamp)
}

/// A column with a picture's hash.
pub(crate) fn content_hash(row: &Row<'_>, column: usize) -> rusqlite::Result<ContentHash> {
    row.get(column).map(ContentHash)
}

/// A column with a secret's hash.
pub(crate) fn secret_hash(row: &Row<'_>, column: usize) -> rusqlite::Result<SecretHash> {
    row.get(column).map(SecretHash)
}

/// The error of a column whose text makes no sense.
pub(crate) fn unreadable(
    column: usize,
    error: impl Into<Box<dyn std::error::Error + Send + Sync>>,
) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
}

/// A JSON column.
pub(crate) fn json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    serde_json::from_str(text).map_err(|error| unreadable(column, error))
}

/// A JSON column that may be empty.
pub(crate) fn maybe_json<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    let text = row.get_ref(column)?.as_str_or_null()?;
    text.map(serde_json::from_str).transpose().map_err(|error| unreadable(column, error))
}

/// A column with a name out of a fixed list.
pub(crate) fn named<T>(
    row: &Row<'_>,
    column: usize,
    parse: impl FnOnce(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| unreadable(column, format!("no meaning is known for `{text}`")))
}

/// The text of a JSON column.
pub(crate) fn to_json<T: Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value)
        .map_err(|error| StoreError::Corrupt(format!("a value has no JSON form: {error}")))
}

/// Ids as one parameter: a JSON list of hexadecimal text, for `IN (SELECT unhex(value) FROM json_each(?))`.
pub(crate) fn id_list(ids: impl IntoIterator<Item = Uuid>) -> String {
    let quoted: Vec<_> = ids.into_iter().map(|id| format!("\"{}\"", id.simple())).collect();
    format!("[{}]", quoted.join(","))
}

/// Content hashes as one parameter, as [`id_list`] has ids.
pub(crate) fn hash_list(hashes: &[ContentHash]) -> String {
    let quoted: Vec<_> = hashes.iter().map(|hash| format!("\"{hash}\"")).collect();
    format!("[{}]", quoted.join(","))
}

/// A window's limit and offset as SQLite counts.
pub(crate) fn limits(window: Window) -> (i64, i64) {
    (i64::from(window.limit), i64::try_from(window.offset).unwrap_or(i64::MAX))
}

/// The columns [`run`] reads, in its order, for a table named `runs` or called `r`.
pub(crate) const RUN_COLUMNS: &str = "id, org, workflow, version, created_at, status, started_at, finished_at, \
     charged, price, workflow_name, user, input, input_name, labels, overrides, webhooks, result, failure, \
     batch, more_inputs, feedback, review, sources, place, steps, request, terms";

/// How many columns [`RUN_COLUMNS`] are.
pub(crate) const RUN_WIDTH: usize = 28;

/// A run out of a row of [`RUN_COLUMNS`].
pub(crate) fn run(row: &Row<'_>) -> rusqlite::Result<Run> {
    Ok(Run {
        id: RunId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        workflow: WorkflowId(uuid(row, 2)?),
        version: VersionId(uuid(row, 3)?),
        created_at: time(row, 4)?,
        state: state(row)?,
        charged: row.get(8)?,
        price: row.get(9)?,
        workflow_name: row.get(10)?,
        user: UserId(row.get(11)?),
        input: json(row, 12)?,
        // Kept as it was cleaned once; cleaned names stay as they are.
        input_name: domain::image::FileName::clean(row.get_ref(13)?.as_str()?),
        labels: json(row, 14)?,
        overrides: json(row, 15)?,
        webhooks: json(row, 16)?,
        batch: row.get(19)?,
        more_inputs: json(row, 20)?,
        feedback: maybe_json(row, 21)?,
        review: maybe_json(row, 22)?,
        sources: json(row, 23)?,
        place: row.get(24)?,
        steps: maybe_json(row, 25)?,
        request: maybe_json(row, 26)?,
        terms: named(row, 27, Terms::parse)?,
    })
}

fn state(row: &Row<'_>) -> rusqlite::Result<State> {
    let started_at = || time(row, 6);
    let finished_at = || time(row, 7);
    Ok(match named(row, 5, Status::parse)? {
        Status::Queued => State::Queued,
        Status::Running => State::Running { started_at: started_at()? },
        Status::InReview => State::InReview { started_at: started_at()?, result: json(row, 17)? },
        Status::Succeeded => State::Succeeded {
            started_at: started_at()?,
            finished_at: finished_at()?,
            result: json(row, 17)?,
        },
        Status::Failed => {
            State::Failed { started_at: started_at()?, finished_at: finished_at()?, failure: json(row, 18)? }
        }
        Status::Unpaid => State::Unpaid,
        Status::Cancelled => State::Cancelled { finished_at: finished_at()? },
    })
}
