//! Runs as their owners see them.

use async_trait::async_trait;
use domain::event::What;
use domain::id::{self, EntryId, EventId, OrgId, RunId, UserId};
use domain::ledger;
use domain::log::Level;
use domain::page::{Page, Window};
use domain::run::{Run, RunFilter, Status, Terms};
use domain::time::{Millis, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, named_params, params, params_from_iter};
use serde_json::json;
use store::{Accepted, Cancelled, Filed, Filing, NewRun, Retried, Runs, StoreError};
use uuid::Uuid;

use crate::audit;
use crate::batches;
use crate::database::Sqlite;
use crate::deliveries::record_event;
use crate::idempotency;
use crate::logs::log;
use crate::queue::{end, give_back};
use crate::rows::{self, RUN_COLUMNS, limits, named, time, to_json, uuid};
use crate::sql::Sql;
use crate::workflows::{Movement, balance, enter};
use crate::writer::Tx;

/// A new run with its JSON columns written, which needs no writer's time.
struct Row {
    new: NewRun,
    input: String,
    labels: String,
    overrides: String,
    webhooks: String,
    more_inputs: String,
    sources: String,
    steps: Option<String>,
    request: Option<String>,
    failure: Option<String>,
}

impl Row {
    fn of(new: &NewRun) -> Result<Self, StoreError> {
        let run = &new.run;
        Ok(Self {
            input: to_json(&run.input)?,
            labels: to_json(&run.labels)?,
            overrides: to_json(&run.overrides)?,
            webhooks: to_json(&run.webhooks)?,
            more_inputs: to_json(&run.more_inputs)?,
            sources: to_json(&run.sources)?,
            steps: run.steps.as_ref().map(to_json).transpose()?,
            request: run.request.as_ref().map(to_json).transpose()?,
            failure: new.failure.as_ref().map(to_json).transpose()?,
            new: new.clone(),
        })
    }
}

fn accept(tx: &mut Tx<'_>, row: &Row) -> Result<Accepted, StoreError> {
    let NewRun { run, batch, delay, entry, event, .. } = &row.new;
    let before = tx.conn.one(
        "SELECT org, accepted, created_at FROM runs WHERE id = ?1",
        [run.id.0.as_bytes()],
        |row| {
            Ok((uuid(row, 0)?, Accepted { status: named(row, 1, Status::parse)?, created_at: time(row, 2)? }))
        },
    )?;
    match before {
        Some((org, accepted)) if org == run.org.0 => return Ok(accepted),
        Some(_) => return Err(StoreError::Conflict("a run of this id".to_owned())),
        None => {}
    }
    let (status, charged) = match ledger::charge(balance(tx.conn, run.org)?, run.price) {
        Ok(_) => (Status::Queued, run.price),
        Err(_) => (Status::Unpaid, 0),
    };
    if let Some(batch) = batch {
        batches::begin(tx, run, batch)?;
    }
    insert(tx, row, tx.now, batch.as_ref().map(|batch| batch.id.as_str()), status, charged)?;
    if charged > 0 {
        enter(tx, run.org, &Movement::charge(*entry, charged, run.id))?;
    }
    match status {
        Status::Queued => enqueue(tx, run.org, run.id, tx.now + *delay)?,
        _ => {
            let face = run.request.as_ref().map(|request| &request.face);
            record_event(tx, *event, run.org, What::Run { run: run.id, status }, face, &run.webhooks)?;
        }
    }
    tx.changed(run.org, run.id, status)?;
    Ok(Accepted { status, created_at: tx.now })
}

fn insert(
    tx: &Tx<'_>,
    row: &Row,
    at: Timestamp,
    batch: Option<&str>,
    status: Status,
    charged: u32,
) -> Result<(), StoreError> {
    let run = &row.new.run;
    // How it was answered for: a run that failed before it began was accepted as any other.
    let accepted = if status == Status::Unpaid { status } else { Status::Queued };
    let ended = (status == Status::Failed).then_some(at.0);
    tx.conn.exec(
        "INSERT INTO runs (id, org, workflow, version, created_at, status, charged, price, accepted, workflow_name,
                           user, input, input_name, labels, overrides, webhooks, batch, more_inputs, says_batch,
                           sources, place, steps, request, terms, failure, started_at, finished_at)
         VALUES (:id, :org, :workflow, :version, :created_at, :status, :charged, :price, :accepted, :workflow_name,
                 :user, :input, :input_name, :labels, :overrides, :webhooks, :batch, :more_inputs, :says_batch,
                 :sources, :place, :steps, :request, :terms, :failure, :ended, :ended)",
        named_params! {
            ":id": run.id.0.as_bytes(),
            ":org": run.org.0.as_bytes(),
            ":workflow": run.workflow.0.as_bytes(),
            ":version": run.version.0.as_bytes(),
            ":created_at": at.0,
            ":status": status.as_str(),
            ":charged": charged,
            ":price": run.price,
            ":workflow_name": run.workflow_name,
            ":user": run.user.0,
            ":accepted": accepted.as_str(),
            ":input": row.input,
            ":input_name": run.input_name.as_str(),
            ":labels": row.labels,
            ":overrides": row.overrides,
            ":webhooks": row.webhooks,
            ":batch": batch,
            ":more_inputs": row.more_inputs,
            ":says_batch": BATCH_LABELS.iter().any(|key| run.labels.contains_key(*key)),
            ":sources": row.sources,
            ":place": run.place,
            ":steps": row.steps,
            ":request": row.request,
            ":terms": run.terms.as_str(),
            ":failure": row.failure,
            ":ended": ended,
        },
    )?;
    for (key, value) in &run.labels {
        tx.conn.exec(
            "INSERT INTO labels (run, key, value, org, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run.id.0.as_bytes(), key, value, run.org.0.as_bytes(), at.0],
        )?;
    }
    Ok(())
}

/// A filing with its rows written.
struct Rows {
    filing: Filing,
    rows: Vec<Row>,
}

fn file(tx: &mut Tx<'_>, all: &Rows) -> Result<Filed, StoreError> {
    let Filing { at, batch, answer, .. } = &all.filing;
    let Some(first) = all.rows.first() else {
        return Err(StoreError::Corrupt("there are no runs to file".to_owned()));
    };
    let org = first.new.run.org;
    let there =
        tx.conn.one("SELECT org FROM runs WHERE id = ?1", [first.new.run.id.0.as_bytes()], |row| {
            uuid(row, 0).map(OrgId)
        })?;
    match there {
        Some(found) if found == org => return Ok(Filed::Done),
        Some(_) => return Err(StoreError::Conflict("a run of this id".to_owned())),
        None => {}
    }
    let paid = |row: &&Row| row.new.failure.is_none();
    let price: u64 = all.rows.iter().filter(paid).map(|row| u64::from(row.new.run.price)).sum();
    // What nobody can have is more than anybody has.
    let price = u32::try_from(price).unwrap_or(u32::MAX);
    if let Err(refused) = ledger::charge(balance(tx.conn, org)?, price) {
        return Ok(Filed::OutOfCredit(refused));
    }
    let id = batch.as_ref().map(|batch| batch.handle.to_string());
    if let Some(batch) = batch {
        batches::open(tx, batch, &first.new.run, all.rows.len(), *at)?;
    }
    for row in &all.rows {
        let NewRun { run, delay, entry, event, failure, .. } = &row.new;
        if failure.is_some() {
            insert(tx, row, *at, id.as_deref(), Status::Failed, 0)?;
            end(tx, run.id, org, *event, Status::Failed)?;
            continue;
        }
        insert(tx, row, *at, id.as_deref(), Status::Queued, run.price)?;
        if run.price > 0 {
            enter(tx, org, &Movement::charge(*entry, run.price, run.id))?;
        }
        enqueue(tx, org, run.id, tx.now + *delay)?;
        tx.changed(org, run.id, Status::Queued)?;
    }
    if let Some((slot, answer)) = answer {
        idempotency::finish(tx, slot, answer)?;
    }
    Ok(Filed::Done)
}

/// Ends a run that has not ended: no place in the queue, its event. Its credits are given back as its terms say, unless there
/// is a result already: that has been made, and may have been seen.
fn stop(
    tx: &mut Tx<'_>,
    org: OrgId,
    run: RunId,
    was: Status,
    event: EventId,
    reason: Option<&str>,
) -> Result<(), StoreError> {
    tx.conn.exec("DELETE FROM queue WHERE run = ?1", [run.0.as_bytes()])?;
    tx.conn.exec(
        "UPDATE runs SET status = 'cancelled', started_at = NULL, finished_at = ?2, result = NULL WHERE id = ?1",
        params![run.0.as_bytes(), tx.now.0],
    )?;
    log(tx, org, run, Level::Warning, "cancelled", &json!({ "reason": reason }))?;
    if was != Status::InReview {
        give_back(tx, org, run)?;
    }
    end(tx, run, org, event, Status::Cancelled)
}

fn cancel(
    tx: &mut Tx<'_>,
    among: &[OrgId],
    id: RunId,
    by: &UserId,
    reason: Option<&str>,
    event: EventId,
) -> Result<Cancelled, StoreError> {
    let found = tx.conn.one("SELECT org, status FROM runs WHERE id = ?1", [id.0.as_bytes()], |row| {
        Ok((OrgId(uuid(row, 0)?), named(row, 1, Status::parse)?))
    })?;
    let Some((org, status)) = found.filter(|(org, _)| among.contains(org)) else {
        return Ok(Cancelled::Missing);
    };
    if !status.may_become(Status::Cancelled) {
        return Ok(Cancelled::Ended(status));
    }
    stop(tx, org, id, status, event, reason)?;
    audit::record(tx, org, Some(by), "run.cancelled", &id.to_string(), &json!({ "reason": reason }))?;
    Ok(Cancelled::Now)
}

fn cancel_batch(
    tx: &mut Tx<'_>,
    org: OrgId,
    batch: Uuid,
    by: &UserId,
    reason: Option<&str>,
    seed: Uuid,
) -> Result<Option<u64>, StoreError> {
    let Some(found) = batches::batch_by(tx.conn, org, batch)? else { return Ok(None) };
    let runs = tx.conn.all(
        "SELECT id, status FROM runs INDEXED BY runs_of_batch
         WHERE org = ?1 AND batch = ?2 AND status IN ('queued', 'running', 'in_review') ORDER BY created_at, id",
        params![org.0.as_bytes(), found.id],
        |row| Ok((RunId(uuid(row, 0)?), named(row, 1, Status::parse)?)),
    )?;
    for (nth, (run, was)) in (0..).zip(&runs) {
        stop(tx, org, *run, *was, EventId(id::derived_in_order(seed, nth)), reason)?;
    }
    if !runs.is_empty() {
        let details = json!({ "reason": reason, "runs": runs.len() });
        audit::record(tx, org, Some(by), "batch.cancelled", &batch.to_string(), &details)?;
    }
    Ok(Some(runs.len() as u64))
}

/// Puts a run into the queue.
pub(crate) fn enqueue(tx: &Tx<'_>, org: OrgId, run: RunId, due_at: Timestamp) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO queue (run, org, due_at, ready_at) VALUES (?1, ?2, ?3, ?3)",
            params![run.0.as_bytes(), org.0.as_bytes(), due_at.0],
        )
        .map(drop)
}

fn retry(
    tx: &mut Tx<'_>,
    among: &[OrgId],
    id: RunId,
    entry: EntryId,
    delay: Millis,
) -> Result<Retried, StoreError> {
    let found = tx.conn.one(
        "SELECT org, status, price, charged, terms FROM runs WHERE id = ?1",
        [id.0.as_bytes()],
        |row| {
            Ok((
                OrgId(uuid(row, 0)?),
                named(row, 1, Status::parse)?,
                row.get::<_, u32>(2)?,
                row.get::<_, u32>(3)?,
                named(row, 4, Terms::parse)?,
            ))
        },
    )?;
    let Some((org, status, price, charged, terms)) = found.filter(|(org, ..)| among.contains(org)) else {
        return Ok(Retried::Missing);
    };
    // What was given back is not taken a second time.
    if !status.may_retry() || terms == Terms::ForSuccess {
        return Ok(Retried::Refused(status));
    }
    // A failed run keeps what it was charged, and that pays for this retry too.
    let owed = price - charged;
    if ledger::charge(balance(tx.conn, org)?, owed).is_err() {
        return Ok(Retried::StillUnpaid);
    }
    tx.conn.exec(
        "UPDATE runs SET status = 'queued', charged = price, started_at = NULL, finished_at = NULL, failure = NULL
         WHERE id = ?1",
        [id.0.as_bytes()],
    )?;
    if owed > 0 {
        enter(tx, org, &Movement::charge(entry, owed, id))?;
    }
    enqueue(tx, org, id, tx.now + delay)?;
    tx.changed(org, id, Status::Queued)?;
    Ok(Retried::Queued)
}

/// The labels of which each says that a run belongs to a batch: those `runs.says_batch` goes by.
const BATCH_LABELS: [&str; 3] =
    ["autoretouch_batch_id", "autoretouch_batch_name", "autoretouch_batch_createdAt"];

/// Rows that one walk along one index finds: what follows `FROM`, and its parameters.
#[derive(Clone)]
struct Part {
    from: String,
    params: Vec<Value>,
}

impl Part {
    fn also(&mut self, condition: &str, values: impl IntoIterator<Item = Value>) {
        self.from.push_str(condition);
        self.params.extend(values);
    }
}

/// Which rows a filter means. Which index finds them is said, not left to be guessed, so that a list takes the same time
/// whatever the database knows of itself. Each part is in the list's order, and they have no row in common.
pub(crate) struct Selection {
    parts: Vec<Part>,
    /// The columns the list is ordered by: when a run was created, and its id.
    order: (&'static str, &'static str),
}

impl Selection {
    pub(crate) fn of(org: OrgId, filter: &RunFilter) -> Self {
        let text = |text: &str| Value::Text(text.to_owned());
        let org = Value::Blob(org.0.as_bytes().to_vec());
        let without_batch =
            BATCH_LABELS.iter().all(|key| filter.without_labels.iter().any(|each| each == key));
        let mut statuses = filter.statuses.clone();
        statuses.sort_by_key(|status| status.as_str());
        statuses.dedup();
        // Most runs have succeeded; the other statuses tell few from many.
        let few = !statuses.is_empty() && !statuses.contains(&Status::Succeeded);
        let mut labels = filter.labels.iter();
        let by_status = Index::RunsInStatus;
        let index = match filter {
            _ if !filter.labels.is_empty() => Index::Labels,
            RunFilter { batch: Some(_), .. } => Index::Runs("runs_of_batch"),
            RunFilter { input_name: Some(_), .. } => Index::Runs("runs_of_input"),
            _ if few => by_status,
            RunFilter { workflow: Some(_), .. } => Index::Runs("runs_of_workflow"),
            _ if without_batch => Index::Runs("runs_without_batch"),
            _ if !statuses.is_empty() => by_status,
            _ => Index::Runs("runs_of_org"),
        };
        let (mut whole, order) = match (&index, labels.next()) {
            (Index::Labels, Some((key, value))) => {
                let from = "labels l CROSS JOIN runs r ON r.id = l.run WHERE l.org = ? AND l.key = ? AND l.value = ?";
                let params = vec![org, text(key), text(value)];
                (Part { from: from.to_owned(), params }, ("l.created_at", "l.run"))
            }
            (index, _) => {
                let from = format!("runs r INDEXED BY {} WHERE r.org = ?", index.name());
                (Part { from, params: vec![org] }, ("r.created_at", "r.id"))
            }
        };
        if let Some(workflow) = filter.workflow {
            whole.also(" AND r.workflow = ?", [Value::Blob(workflow.0.as_bytes().to_vec())]);
        }
        if let Some(name) = &filter.input_name {
            whole.also(" AND r.input_name = ?", [text(name)]);
        }
        for (key, value) in labels {
            whole.also(
                " AND EXISTS (SELECT 1 FROM labels x WHERE x.run = r.id AND x.key = ? AND x.value = ?)",
                [text(key), text(value)],
            );
        }
        if let Some(batch) = &filter.batch {
            whole.also(" AND r.batch = ?", [text(batch)]);
        }
        if without_batch {
            whole.also(" AND r.says_batch = 0", []);
        }
        for key in &filter.without_labels {
            if !without_batch || !BATCH_LABELS.contains(&key.as_str()) {
                whole.also(
                    " AND NOT EXISTS (SELECT 1 FROM labels x WHERE x.run = r.id AND x.key = ?)",
                    [text(key)],
                );
            }
        }
        let parts = match index {
            // The index is in the list's order within one status only.
            Index::RunsInStatus => statuses
                .iter()
                .map(|status| {
                    let mut part = whole.clone();
                    part.also(" AND r.status = ?", [text(status.as_str())]);
                    part
                })
                .collect(),
            _ => {
                if !statuses.is_empty() {
                    let places = vec!["?"; statuses.len()].join(", ");
                    let names = statuses.iter().map(|status| text(status.as_str()));
                    whole.also(&format!(" AND r.status IN ({places})"), names);
                }
                vec![whole]
            }
        };
        Self { parts, order }
    }

    /// Only what comes after the run `before` in the list's order. Answers nothing if the organization has no such run.
    fn before(self, conn: &Connection, org: OrgId, before: RunId) -> Result<Option<Self>, StoreError> {
        let made = conn.one(
            "SELECT created_at FROM runs WHERE id = ?1 AND org = ?2",
            params![before.0.as_bytes(), org.0.as_bytes()],
            |row| row.get::<_, i64>(0),
        )?;
        Ok(made.map(|made| self.after(made, before)))
    }

    pub(crate) fn after(mut self, made: i64, before: RunId) -> Self {
        let (created_at, id) = self.order;
        for part in &mut self.parts {
            let place = [Value::Integer(made), Value::Blob(before.0.as_bytes().to_vec())];
            part.also(&format!(" AND ({created_at}, {id}) < (?, ?)"), place);
        }
        self
    }

    /// The query of a part of the list, newest first. Its parameters are those of [`Self::params`], a limit and an offset.
    pub(crate) fn list(&self) -> String {
        let columns = format!("r.{}", RUN_COLUMNS.replace(", ", ", r."));
        let (created_at, id) = self.order;
        if let [part] = self.parts.as_slice() {
            let from = &part.from;
            return format!(
                "SELECT {columns} FROM {from} ORDER BY {created_at} DESC, {id} DESC LIMIT ? OFFSET ?"
            );
        }
        // Indexes alone are walked and merged; only what is wanted is looked up.
        let parts: Vec<_> =
            self.parts.iter().map(|part| format!("SELECT {created_at}, {id} FROM {}", part.from)).collect();
        format!(
            "SELECT {columns} FROM ({} ORDER BY 1 DESC, 2 DESC LIMIT ? OFFSET ?) l CROSS JOIN runs r ON r.id = l.id
             ORDER BY l.created_at DESC, l.id DESC",
            parts.join(" UNION ALL ")
        )
    }

    /// The query that counts the whole list.
    pub(crate) fn total(&self) -> String {
        let counts: Vec<_> =
            self.parts.iter().map(|part| format!("(SELECT count(*) FROM {})", part.from)).collect();
        format!("SELECT {}", counts.join(" + "))
    }

    fn params(&self) -> Vec<Value> {
        self.parts.iter().flat_map(|part| part.params.iter().cloned()).collect()
    }

    fn newest(&self, conn: &Connection, limit: i64, offset: i64) -> Result<Vec<Run>, StoreError> {
        let mut params = self.params();
        params.extend([Value::Integer(limit), Value::Integer(offset)]);
        conn.all(&self.list(), params_from_iter(&params), rows::run)
    }

    fn page(&self, conn: &Connection, window: Window) -> Result<Page<Run>, StoreError> {
        let total = conn.count(&self.total(), params_from_iter(&self.params()))?;
        let (limit, offset) = limits(window);
        Ok(Page { entries: self.newest(conn, limit, offset)?, total })
    }
}

/// What a list is found by.
enum Index {
    /// The index of labels: they tell few runs from many.
    Labels,
    /// The index of runs by status, once for each status.
    RunsInStatus,
    /// This index of runs.
    Runs(&'static str),
}

impl Index {
    const fn name(&self) -> &'static str {
        match self {
            Self::Labels => "labels_by_value",
            Self::RunsInStatus => "runs_in_status",
            Self::Runs(name) => name,
        }
    }
}

#[async_trait]
impl Runs for Sqlite {
    async fn accept(&self, new: &NewRun) -> Result<Accepted, StoreError> {
        let row = Row::of(new)?;
        self.write("accept", move |tx| accept(tx, &row)).await
    }

    async fn file(&self, filing: &Filing) -> Result<Filed, StoreError> {
        let rows = filing.runs.iter().map(Row::of).collect::<Result<_, _>>()?;
        let all = Rows { filing: filing.clone(), rows };
        self.write("file", move |tx| file(tx, &all)).await
    }

    async fn cancel(
        &self,
        among: &[OrgId],
        id: RunId,
        by: &UserId,
        reason: Option<&str>,
        event: EventId,
    ) -> Result<Cancelled, StoreError> {
        let (among, by, reason) = (among.to_vec(), by.clone(), reason.map(str::to_owned));
        self.write("cancel", move |tx| cancel(tx, &among, id, &by, reason.as_deref(), event)).await
    }

    async fn cancel_batch(
        &self,
        org: OrgId,
        batch: Uuid,
        by: &UserId,
        reason: Option<&str>,
        seed: Uuid,
    ) -> Result<Option<u64>, StoreError> {
        let (by, reason) = (by.clone(), reason.map(str::to_owned));
        self.write("cancel_batch", move |tx| cancel_batch(tx, org, batch, &by, reason.as_deref(), seed)).await
    }

    async fn run(&self, among: &[OrgId], id: RunId) -> Result<Option<Run>, StoreError> {
        let among = among.to_vec();
        self.read(move |conn| {
            let sql = format!("SELECT {RUN_COLUMNS} FROM runs WHERE id = ?1");
            Ok(conn.one(&sql, [id.0.as_bytes()], rows::run)?.filter(|run| among.contains(&run.org)))
        })
        .await
    }

    async fn runs(&self, org: OrgId, filter: &RunFilter, window: Window) -> Result<Page<Run>, StoreError> {
        let selection = Selection::of(org, filter);
        self.read(move |conn| selection.page(conn, window)).await
    }

    async fn runs_before(
        &self,
        org: OrgId,
        filter: &RunFilter,
        before: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<Run>, StoreError> {
        let selection = Selection::of(org, filter);
        self.read(move |conn| {
            let selection = match before {
                None => Some(selection),
                Some(before) => selection.before(conn, org, before)?,
            };
            selection.map_or_else(|| Ok(Vec::new()), |selection| selection.newest(conn, i64::from(limit), 0))
        })
        .await
    }

    async fn retry(
        &self,
        among: &[OrgId],
        id: RunId,
        entry: EntryId,
        delay: Millis,
    ) -> Result<Retried, StoreError> {
        let among = among.to_vec();
        self.write("retry", move |tx| retry(tx, &among, id, entry, delay)).await
    }
}
