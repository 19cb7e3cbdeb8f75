//! The thread that writes, and its group commit.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

use domain::id::{OrgId, RunId};
use domain::run::Status;
use domain::time::{Clock, Timestamp};
use rusqlite::{Connection, ErrorCode};
use store::{Change, StoreError};
use tokio::sync::{broadcast, mpsc, oneshot};
use tracing::error;

use crate::error::spoils_handle;
use crate::feed;
use crate::schema;

/// Commands in one transaction, at most.
const GROUP: usize = 256;

/// Commands that may wait for the writer; whoever comes then waits at the door.
const WAITING: usize = 1024;

/// What a command works with.
pub(crate) struct Tx<'a> {
    /// The connection, inside the group's transaction.
    pub(crate) conn: &'a Connection,
    /// The time, by the store's clock.
    pub(crate) now: Timestamp,
    /// Who was served last, where the next claims go on.
    pub(crate) served: &'a mut Served,
    changes: &'a mut Vec<Change>,
}

/// The organizations that were served last by claims.
#[derive(Clone, Copy, Default)]
pub(crate) struct Served {
    /// With a run.
    pub(crate) runs: Option<OrgId>,
    /// With an evaluation.
    pub(crate) evaluations: Option<OrgId>,
}

impl Tx<'_> {
    /// Enters a change into the feed, and tells of it once it is on disk.
    pub(crate) fn changed(&mut self, org: OrgId, run: RunId, status: Status) -> Result<(), StoreError> {
        feed::enter(self, org, run, status)?;
        self.changes.push(Change { org, run, status });
        Ok(())
    }
}

/// How the transaction ended that a command was in.
enum End {
    Committed,
    /// Nothing of it happened.
    Undone(String),
    /// It may have happened.
    InDoubt(String),
}

/// How a group is run. Savepoints cost a third of the writer's time, and hardly a verb fails after its first change.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Care {
    /// Without savepoints, until a verb fails that has changed something.
    Fast,
    /// Each verb within a savepoint, so that one that fails is taken back alone.
    Each,
}

/// How far a group came.
enum Ran {
    Whole,
    /// A verb left something half done, and there is no savepoint to take it back to.
    Spoilt,
}

trait Command: Send {
    /// Does its part; answers whether to keep it. Done again from the start if its transaction is taken back for
    /// another one's sake.
    fn run(&mut self, tx: &mut Tx<'_>) -> bool;
    fn answer(self: Box<Self>, end: &End);
}

struct Verb<F, T> {
    name: &'static str,
    work: F,
    outcome: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<F, T> Command for Verb<F, T>
where
    F: FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send,
    T: Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> bool {
        // What a panic left half done is taken back, so nothing broken can be seen afterwards.
        let outcome = catch_unwind(AssertUnwindSafe(|| (self.work)(tx))).unwrap_or_else(|_| {
            error!("`{}` panicked inside the database's writer; it was taken back", self.name);
            Err(StoreError::Unavailable(format!("`{}` panicked", self.name)))
        });
        let keep = outcome.is_ok();
        self.outcome = Some(outcome);
        keep
    }

    fn answer(self: Box<Self>, end: &End) {
        let answer = match (self.outcome, end) {
            (Some(outcome), End::Committed) => outcome,
            (Some(Ok(_)), End::InDoubt(reason)) => Err(StoreError::InDoubt(reason.clone())),
            // A refusal may rest on what another command of the group did, which is undone or in doubt as well.
            (_, End::Undone(reason) | End::InDoubt(reason)) => Err(StoreError::Unavailable(reason.clone())),
            (None, End::Committed) => Err(StoreError::Unavailable("the writer passed it over".to_owned())),
        };
        // Nobody waits any more: the caller gave up, which undoes nothing.
        let _ = self.reply.send(answer);
    }
}

/// The way to the writing thread. Dropping it lets the thread finish what waits, and waits for that.
pub(crate) struct Writer {
    commands: Option<mpsc::Sender<Box<dyn Command>>>,
    thread: Option<JoinHandle<()>>,
}

impl Writer {
    /// Starts the thread over an open file that has the present schema.
    pub(crate) fn start(
        path: PathBuf,
        clock: Arc<dyn Clock>,
        changes: broadcast::Sender<Change>,
    ) -> Result<Self, StoreError> {
        let conn = schema::open(&path)?;
        let (commands, waiting) = mpsc::channel(WAITING);
        let state = State { path, clock, conn: Some(conn), told: changes, served: Served::default() };
        let thread = std::thread::Builder::new()
            .name("database writer".to_owned())
            .spawn(move || state.serve(waiting))
            .map_err(|error| StoreError::Unavailable(format!("cannot start the writing thread: {error}")))?;
        Ok(Self { commands: Some(commands), thread: Some(thread) })
    }

    /// Does `work` within the next transaction; answers once that is on disk. It happens even if the caller gives up.
    /// It may be taken back and done again before that, so it must leave what it captured as it was.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        name: &'static str,
        work: impl FnMut(&mut Tx<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let verb = Box::new(Verb { name, work, outcome: None, reply });
        let commands = self.commands.as_ref().expect("present until dropped");
        if commands.send(verb).await.is_err() {
            return Err(StoreError::Unavailable("the writing thread has ended".to_owned()));
        }
        answer.await.unwrap_or_else(|_| Err(StoreError::InDoubt("the writing thread has ended".to_owned())))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.commands.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct State {
    path: PathBuf,
    clock: Arc<dyn Clock>,
    /// Absent after a failure that leaves the handle of no use, until it can be opened again.
    conn: Option<Connection>,
    told: broadcast::Sender<Change>,
    served: Served,
}

impl State {
    fn serve(mut self, mut waiting: mpsc::Receiver<Box<dyn Command>>) {
        let mut group = Vec::with_capacity(GROUP);
        while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
            let (end, changes) = self.commit(&mut group);
            if let End::Undone(reason) | End::InDoubt(reason) = &end {
                error!("the database could not commit {} verbs: {reason}", group.len());
            }
            for change in changes {
                // Nobody listens: fine.
                let _ = self.told.send(change);
            }
            for command in group.drain(..) {
                command.answer(&end);
            }
        }
    }

    /// Runs the group in one transaction; answers how it ended and the changes that are on disk now.
    fn commit(&mut self, group: &mut [Box<dyn Command>]) -> (End, Vec<Change>) {
        let conn = match self.conn.take().map_or_else(|| schema::open(&self.path), Ok) {
            Ok(conn) => conn,
            Err(error) => return (End::Undone(error.to_string()), Vec::new()),
        };
        let mut changes = Vec::new();
        let served = self.served;
        let mut committing = false;
        let mut ran = self.run(&conn, group, &mut changes, Care::Fast);
        if let Ok(Ran::Spoilt) = ran {
            changes.clear();
            self.served = served;
            ran = conn
                .execute_batch("ROLLBACK")
                .and_then(|()| self.run(&conn, group, &mut changes, Care::Each));
        }
        let done = ran.and_then(|_| {
            committing = true;
            conn.prepare_cached("COMMIT")?.execute([]).map(drop)
        });
        let Err(error) = done else {
            self.conn = Some(conn);
            return (End::Committed, changes);
        };
        self.served = served;
        // A disk that is full refuses the last page, so that it cannot have happened. After any other failure of a
        // commit it may have reached the disk although that was not confirmed.
        let in_doubt = committing && error.sqlite_error_code() != Some(ErrorCode::DiskFull);
        // SQLite has taken the transaction back by itself after some errors, and then refuses to do it again.
        let taken_back = conn.is_autocommit() || conn.execute_batch("ROLLBACK").is_ok();
        if taken_back && !in_doubt && !spoils_handle(&error) {
            self.conn = Some(conn);
        }
        let reason = error.to_string();
        (if in_doubt { End::InDoubt(reason) } else { End::Undone(reason) }, Vec::new())
    }

    fn run(
        &mut self,
        conn: &Connection,
        group: &mut [Box<dyn Command>],
        changes: &mut Vec<Change>,
        care: Care,
    ) -> rusqlite::Result<Ran> {
        let exec = |sql: &str| conn.prepare_cached(sql)?.execute([]).map(drop);
        exec("BEGIN IMMEDIATE")?;
        for command in group {
            if care == Care::Each {
                exec("SAVEPOINT verb")?;
            }
            let told = changes.len();
            let served = self.served;
            let rows_before = conn.total_changes();
            let now = self.clock.now();
            let mut tx = Tx { conn, now, served: &mut self.served, changes };
            let keep = command.run(&mut tx);
            // Some failures, a full disk among them, make SQLite take back the whole transaction by itself.
            if conn.is_autocommit() {
                return Err(rusqlite::Error::SqliteFailure(
                    rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
                    Some("the transaction was taken back; the disk may be full".to_owned()),
                ));
            }
            if !keep {
                changes.truncate(told);
                self.served = served;
                match care {
                    Care::Each => exec("ROLLBACK TO verb")?,
                    Care::Fast if conn.total_changes() != rows_before => return Ok(Ran::Spoilt),
                    Care::Fast => {}
                }
            }
            if care == Care::Each {
                exec("RELEASE verb")?;
            }
        }
        Ok(Ran::Whole)
    }
}
