//! Runs as their owners see them.

use async_trait::async_trait;
use domain::id::{EntryId, OrgId, RunId};
use domain::ledger;
use domain::page::{Page, Window};
use domain::run::{Run, RunFilter, Status};
use domain::time::{Millis, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, named_params, params, params_from_iter};
use store::{Accepted, NewRun, Retried, Runs, StoreError};

use crate::batches;
use crate::database::Sqlite;
use crate::deliveries::record_event;
use crate::rows::{self, RUN_COLUMNS, limits, named, time, to_json, uuid};
use crate::sql::Sql;
use crate::workflows::{Movement, balance, enter};
use crate::writer::Tx;

/// A new run with its JSON columns written, which needs no writer's time.
struct Filed {
    new: NewRun,
    input: String,
    labels: String,
    overrides: String,
    webhooks: String,
    more_inputs: String,
}

impl Filed {
    fn of(new: &NewRun) -> Result<Self, StoreError> {
        let run = &new.run;
        Ok(Self {
            input: to_json(&run.input)?,
            labels: to_json(&run.labels)?,
            overrides: to_json(&run.overrides)?,
            webhooks: to_json(&run.webhooks)?,
            more_inputs: to_json(&run.more_inputs)?,
            new: new.clone(),
        })
    }
}

fn accept(tx: &mut Tx<'_>, filed: &Filed) -> Result<Accepted, StoreError> {
    let NewRun { run, batch, delay, entry, event } = &filed.new;
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
    insert(tx, filed, status, charged)?;
    if charged > 0 {
        enter(tx, run.org, &Movement::charge(*entry, charged, run.id))?;
    }
    match status {
        Status::Queued => enqueue(tx, run.org, run.id, tx.now + *delay)?,
        _ => record_event(tx, *event, run.org, run.id, &run.webhooks, status)?,
    }
    tx.changed(run.org, run.id, status)?;
    Ok(Accepted { status, created_at: tx.now })
}

fn insert(tx: &Tx<'_>, filed: &Filed, status: Status, charged: u32) -> Result<(), StoreError> {
    let run = &filed.new.run;
    tx.conn.exec(
        "INSERT INTO runs (id, org, workflow, version, created_at, status, charged, price, accepted, workflow_name,
                           user, input, input_name, labels, overrides, webhooks, batch, more_inputs)
         VALUES (:id, :org, :workflow, :version, :created_at, :status, :charged, :price, :status, :workflow_name,
                 :user, :input, :input_name, :labels, :overrides, :webhooks, :batch, :more_inputs)",
        named_params! {
            ":id": run.id.0.as_bytes(),
            ":org": run.org.0.as_bytes(),
            ":workflow": run.workflow.0.as_bytes(),
            ":version": run.version.0.as_bytes(),
            ":created_at": tx.now.0,
            ":status": status.as_str(),
            ":charged": charged,
            ":price": run.price,
            ":workflow_name": run.workflow_name,
            ":user": run.user.0,
            ":input": filed.input,
            ":input_name": run.input_name.as_str(),
            ":labels": filed.labels,
            ":overrides": filed.overrides,
            ":webhooks": filed.webhooks,
            ":batch": filed.new.batch.as_ref().map(|batch| &batch.id),
            ":more_inputs": filed.more_inputs,
        },
    )?;
    for (key, value) in &run.labels {
        tx.conn.exec(
            "INSERT INTO labels (run, key, value, org, created_at) VALUES (?1, ?2, ?3, ?4, ?5)",
            params![run.id.0.as_bytes(), key, value, run.org.0.as_bytes(), tx.now.0],
        )?;
    }
    Ok(())
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
        "SELECT org, status, price, charged FROM runs WHERE id = ?1",
        [id.0.as_bytes()],
        |row| {
            Ok((
                OrgId(uuid(row, 0)?),
                named(row, 1, Status::parse)?,
                row.get::<_, u32>(2)?,
                row.get::<_, u32>(3)?,
            ))
        },
    )?;
    let Some((org, status, price, charged)) = found.filter(|(org, ..)| among.contains(org)) else {
        return Ok(Retried::Missing);
    };
    if !status.may_retry() {
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

/// Which rows a filter means: what follows `FROM`, its parameters, and the order in which an index gives them.
struct Selection {
    from: String,
    params: Vec<Value>,
    newest_first: &'static str,
}

impl Selection {
    fn of(org: OrgId, filter: &RunFilter) -> Self {
        let mut labels = filter.labels.iter();
        let mut params = vec![Value::Blob(org.0.as_bytes().to_vec())];
        // With a label, its own index comes first: labels tell few runs from many, and it is in the list's order.
        let (mut from, newest_first) = match labels.next() {
            Some((key, value)) => {
                params.extend([Value::Text(key.clone()), Value::Text(value.clone())]);
                let from = "labels l CROSS JOIN runs r ON r.id = l.run
                            WHERE l.org = ? AND l.key = ? AND l.value = ?";
                (from.to_owned(), "l.created_at DESC, l.run DESC")
            }
            None => ("runs r WHERE r.org = ?".to_owned(), "r.created_at DESC, r.id DESC"),
        };
        let mut also = |condition: &str, values: &[Value]| {
            from.push_str(condition);
            params.extend_from_slice(values);
        };
        if let Some(workflow) = filter.workflow {
            also(" AND r.workflow = ?", &[Value::Blob(workflow.0.as_bytes().to_vec())]);
        }
        if !filter.statuses.is_empty() {
            let places = vec!["?"; filter.statuses.len()].join(", ");
            let names: Vec<_> =
                filter.statuses.iter().map(|status| Value::Text(status.as_str().to_owned())).collect();
            also(&format!(" AND r.status IN ({places})"), &names);
        }
        if let Some(name) = &filter.input_name {
            also(" AND r.input_name = ?", &[Value::Text(name.clone())]);
        }
        for (key, value) in labels {
            also(
                " AND EXISTS (SELECT 1 FROM labels x WHERE x.run = r.id AND x.key = ? AND x.value = ?)",
                &[Value::Text(key.clone()), Value::Text(value.clone())],
            );
        }
        if let Some(batch) = &filter.batch {
            also(" AND r.batch = ?", &[Value::Text(batch.clone())]);
        }
        for key in &filter.without_labels {
            also(
                " AND NOT EXISTS (SELECT 1 FROM labels x WHERE x.run = r.id AND x.key = ?)",
                &[Value::Text(key.clone())],
            );
        }
        Self { from, params, newest_first }
    }

    /// Only what comes after the run `before` in the list's order. Answers nothing if the organization has no such run.
    fn before(mut self, conn: &Connection, org: OrgId, before: RunId) -> Result<Option<Self>, StoreError> {
        let made = conn.one(
            "SELECT created_at FROM runs WHERE id = ?1 AND org = ?2",
            params![before.0.as_bytes(), org.0.as_bytes()],
            |row| row.get::<_, i64>(0),
        )?;
        let Some(made) = made else { return Ok(None) };
        self.from.push_str(if self.newest_first.starts_with("l.") {
            " AND (l.created_at, l.run) < (?, ?)"
        } else {
            " AND (r.created_at, r.id) < (?, ?)"
        });
        self.params.extend([Value::Integer(made), Value::Blob(before.0.as_bytes().to_vec())]);
        Ok(Some(self))
    }

    fn newest(self, conn: &Connection, limit: i64, offset: i64) -> Result<Vec<Run>, StoreError> {
        let Self { from, mut params, newest_first } = self;
        params.extend([Value::Integer(limit), Value::Integer(offset)]);
        let columns = RUN_COLUMNS.replace(", ", ", r.");
        let list = format!("SELECT r.{columns} FROM {from} ORDER BY {newest_first} LIMIT ? OFFSET ?");
        conn.all(&list, params_from_iter(&params), rows::run)
    }

    fn page(self, conn: &Connection, window: Window) -> Result<Page<Run>, StoreError> {
        let count = format!("SELECT count(*) FROM {}", self.from);
        let total = conn.count(&count, params_from_iter(&self.params))?;
        let (limit, offset) = limits(window);
        Ok(Page { entries: self.newest(conn, limit, offset)?, total })
    }
}

#[async_trait]
impl Runs for Sqlite {
    async fn accept(&self, new: &NewRun) -> Result<Accepted, StoreError> {
        let filed = Filed::of(new)?;
        self.write("accept", move |tx| accept(tx, &filed)).await
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
