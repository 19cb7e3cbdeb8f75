//! Runs as workers see them.

use async_trait::async_trait;
use domain::event::What;
use domain::id::{EntryId, EventId, LeaseToken, OrgId, RunId};
use domain::image::Image;
use domain::log::Level;
use domain::request::Face;
use domain::run::{Failure, Fault, RetryPolicy, Status};
use domain::time::{Millis, Timestamp};
use domain::workflow::Step;
use rusqlite::{Connection, Row, params};
use serde_json::json as object;
use store::{Claim, Depth, Lost, Queue, Settled, Settlement, StoreError, WorkerId};
use tracing::error;

use crate::batches;
use crate::database::Sqlite;
use crate::deliveries::record_event;
use crate::ids::fresh_id;
use crate::logs::{log, log_outcome};
use crate::rows::{self, RUN_COLUMNS, id_list, json, named, number, time, to_json, uuid};
use crate::sql::Sql;
use crate::workflows::{Movement, admit, enter};
use crate::writer::Tx;

/// One call of `claim`.
struct Claiming<'a> {
    by: &'a WorkerId,
    lease: Millis,
    policy: RetryPolicy,
    tokens: std::slice::Iter<'a, LeaseToken>,
    events: std::slice::Iter<'a, EventId>,
    /// Organizations of which only runs are taken whose pictures are there.
    supplied_only: &'a [OrgId],
    claims: Vec<Claim>,
}

/// Due runs of an organization that are looked through for one whose pictures are there.
const LOOKED_THROUGH: usize = 1_000;

/// A claimable row of the queue.
struct Due {
    run: RunId,
    org: OrgId,
    attempts: u32,
    crashes: u32,
    /// Whether it was leased, and the lease is over.
    abandoned: bool,
}

fn due(row: &Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        run: RunId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        attempts: row.get(2)?,
        crashes: row.get(3)?,
        abandoned: row.get(4)?,
    })
}

impl Claiming<'_> {
    /// Takes turns over the organizations that have something due, going on after the one served last.
    fn take_turns(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        // Those that may have nothing to be taken keep no other from its turn.
        let many = self.tokens.len() + self.supplied_only.len();
        let mut orgs = orgs_due(tx, &IN_TURN, tx.served.runs, many)?;
        while self.tokens.len() > 0 && !orgs.is_empty() {
            let share = (self.tokens.len() / orgs.len()).max(1);
            let mut left = Vec::with_capacity(orgs.len());
            for org in orgs {
                if self.tokens.len() == 0 {
                    break;
                }
                if self.take(tx, org, share)? {
                    left.push(org);
                }
                tx.served.runs = Some(org);
            }
            orgs = left;
        }
        Ok(())
    }

    /// Takes up to `many` of an organization's due runs, oldest first; answers whether there may be more.
    fn take(&mut self, tx: &mut Tx<'_>, org: OrgId, many: usize) -> Result<bool, StoreError> {
        let oldest = "SELECT run, org, attempts, crashes, lease_token IS NOT NULL FROM queue
             WHERE org = ?1 AND due_at <= ?2 ORDER BY due_at, run LIMIT ?3";
        let found = if self.supplied_only.contains(&org) {
            let sql = format!(
                "SELECT * FROM ({oldest}) due WHERE (SELECT sources FROM runs WHERE id = due.run) = '[]' LIMIT ?4"
            );
            let bounds = params![org.0.as_bytes(), tx.now.0, LOOKED_THROUGH as i64, many as i64];
            tx.conn.all(&sql, bounds, due)?
        } else {
            tx.conn.all(oldest, params![org.0.as_bytes(), tx.now.0, many as i64], due)?
        };
        let full = found.len() == many;
        for mut due in found {
            if due.abandoned {
                due.crashes += 1;
                if self.policy.pause(Fault::Crash, due.attempts, due.crashes, 0.5).is_none() {
                    // Without an event id left it has to wait for the next claim.
                    let Some(event) = self.events.next() else {
                        return Ok(false);
                    };
                    let failure = worker_crashed(due.crashes);
                    tracing::error!(run.id = %due.run, crashes = due.crashes, "gave up run `{}`: {}", due.run, failure.message);
                    fail(tx, due.run, due.org, *event, &failure)?;
                    continue;
                }
            }
            let Some(token) = self.tokens.next() else {
                return Ok(false);
            };
            self.lease(tx, &due, *token)?;
        }
        Ok(full)
    }

    fn lease(&mut self, tx: &mut Tx<'_>, due: &Due, token: LeaseToken) -> Result<(), StoreError> {
        let lease_ends = tx.now + self.lease;
        let attempt = due.attempts + 1;
        tx.conn.exec(
            "UPDATE queue SET due_at = ?2, attempts = ?3, crashes = ?4, lease_token = ?5, lease_by = ?6 WHERE run = ?1",
            params![due.run.0.as_bytes(), lease_ends.0, attempt, due.crashes, token.0.as_bytes(), self.by.0],
        )?;
        let started = tx.conn.one(
            &format!(
                "UPDATE runs SET status = 'running', started_at = ?2 WHERE id = ?1
                 RETURNING {RUN_COLUMNS}, coalesce(steps, (SELECT steps FROM versions v WHERE v.id = runs.version))"
            ),
            params![due.run.0.as_bytes(), tx.now.0],
            |row| Ok((rows::run(row)?, json::<Vec<Step>>(row, rows::RUN_WIDTH)?)),
        );
        tx.changed(due.org, due.run, Status::Running)?;
        log(tx, due.org, due.run, Level::Info, "taken by a worker", &object!({ "attempt": attempt }))?;
        match started {
            Ok(Some((run, steps))) => {
                let crashes = due.crashes;
                self.claims.push(Claim { run, steps, token, attempt, crashes, lease_ends });
            }
            // It stays leased and is given up as poison after a few leases, rather than stopping everybody else's work.
            Ok(None) => error!(run.id = %due.run, "run `{}` is queued but not filed", due.run),
            Err(StoreError::Corrupt(reason)) => {
                error!(run.id = %due.run, "run `{}` cannot be read: {reason}", due.run);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// How the organizations that have something due are found. Each is one look into an index, however much waits.
pub(crate) struct OrgsInTurn {
    /// Whether anything is due by a time.
    pub(crate) anything: &'static str,
    /// The first organization after one that has something in the queue.
    pub(crate) next: &'static str,
    /// Whether an organization has something due by a time.
    pub(crate) is_due: &'static str,
}

/// How the organizations with runs that are due are found.
const IN_TURN: OrgsInTurn = OrgsInTurn {
    anything: "SELECT 1 FROM queue WHERE due_at <= ?1 LIMIT 1",
    next: "SELECT org FROM queue WHERE org > ?1 ORDER BY org LIMIT 1",
    is_due: "SELECT 1 FROM queue WHERE org = ?1 AND due_at <= ?2 LIMIT 1",
};

/// Up to `many` organizations with something due, in turn after the one served last.
pub(crate) fn orgs_due(
    tx: &Tx<'_>,
    sql: &OrgsInTurn,
    last: Option<OrgId>,
    many: usize,
) -> Result<Vec<OrgId>, StoreError> {
    if tx.conn.one(sql.anything, [tx.now.0], |_| Ok(()))?.is_none() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    let last = last.map(|org| org.0.into_bytes());
    let mut at = last;
    let mut wrapped = last.is_none();
    while found.len() < many {
        // Every blob sorts after the empty one.
        let after: &[u8] = at.as_ref().map_or(&[], |org| org);
        let next = tx.conn.one(sql.next, [after], |row| uuid(row, 0))?;
        let Some(org) = next.filter(|org| !(wrapped && last.is_some_and(|last| *org.as_bytes() > last)))
        else {
            if wrapped {
                break;
            }
            (at, wrapped) = (None, true);
            continue;
        };
        if tx.conn.one(sql.is_due, params![org.as_bytes(), tx.now.0], |_| Ok(()))?.is_some() {
            found.push(OrgId(org));
        }
        at = Some(org.into_bytes());
    }
    Ok(found)
}

pub(crate) fn worker_crashed(crashes: u32) -> Failure {
    let message = format!(
        "the worker died over this picture {crashes} times; try again, or send the picture in another format"
    );
    Failure::new("worker_crashed", message, Fault::Crash)
}

/// Ends a running run as failed: its state, its event, and no place in the queue any more.
fn fail(
    tx: &mut Tx<'_>,
    run: RunId,
    org: OrgId,
    event: EventId,
    failure: &Failure,
) -> Result<(), StoreError> {
    tx.conn.exec("DELETE FROM queue WHERE run = ?1", [run.0.as_bytes()])?;
    tx.conn.exec(
        "UPDATE runs SET status = 'failed', finished_at = ?2, failure = ?3 WHERE id = ?1",
        params![run.0.as_bytes(), tx.now.0, to_json(failure)?],
    )?;
    log(tx, org, run, Level::Error, &failure.message, &object!({ "code": failure.code }))?;
    give_back(tx, org, run)?;
    end(tx, run, org, event, Status::Failed)
}

/// Gives back what was set aside for a run that came to nothing, if its terms say so.
pub(crate) fn give_back(tx: &mut Tx<'_>, org: OrgId, run: RunId) -> Result<(), StoreError> {
    let charged = tx.conn.one(
        "SELECT charged FROM runs WHERE id = ?1 AND terms = 'for_success' AND charged > 0",
        [run.0.as_bytes()],
        |row| row.get::<_, u32>(0),
    )?;
    let Some(charged) = charged else { return Ok(()) };
    tx.conn.exec("UPDATE runs SET charged = 0 WHERE id = ?1", [run.0.as_bytes()])?;
    enter(tx, org, &Movement::refund(EntryId(fresh_id(tx)?), charged, run)).map(drop)
}

/// Tells that a run has come to rest.
pub(crate) fn end(
    tx: &mut Tx<'_>,
    run: RunId,
    org: OrgId,
    event: EventId,
    status: Status,
) -> Result<(), StoreError> {
    let asked = tx.conn.one(
        "SELECT webhooks, request ->> '$.face' FROM runs WHERE id = ?1",
        [run.0.as_bytes()],
        |row| Ok((json::<Vec<String>>(row, 0)?, row.get::<_, Option<String>>(1)?.map(Face))),
    )?;
    let unfiled = || StoreError::Corrupt(format!("run `{run}` is queued but not filed"));
    let (addresses, face) = asked.ok_or_else(unfiled)?;
    record_event(tx, event, org, What::Run { run, status }, face.as_ref(), &addresses)?;
    batches::tell_of_end(tx, org, run)?;
    tx.changed(org, run, status)
}

/// Puts a running run back into the queue.
fn requeue(tx: &mut Tx<'_>, org: OrgId, run: RunId) -> Result<(), StoreError> {
    tx.conn.exec("UPDATE runs SET status = 'queued', started_at = NULL WHERE id = ?1", [run.0.as_bytes()])?;
    tx.changed(org, run, Status::Queued)
}

fn leased(conn: &Connection, token: LeaseToken) -> Result<Option<Due>, StoreError> {
    conn.one(
        "SELECT run, org, attempts, crashes, 0 FROM queue WHERE lease_token = ?1",
        [token.0.as_bytes()],
        due,
    )
}

fn settle(
    tx: &mut Tx<'_>,
    token: LeaseToken,
    event: EventId,
    how: &Settlement,
) -> Result<Settled, StoreError> {
    let Some(held) = leased(tx.conn, token)? else {
        return Ok(Settled::LeaseLost);
    };
    match how {
        Settlement::Succeeded(outcome) => {
            tx.conn.exec("DELETE FROM queue WHERE run = ?1", [held.run.0.as_bytes()])?;
            let ended = tx.conn.one(
                "UPDATE runs SET status = iif(v.needs_review, 'in_review', 'succeeded'),
                     finished_at = iif(v.needs_review, NULL, ?2), result = ?3
                 FROM versions v WHERE runs.id = ?1 AND v.id = runs.version RETURNING runs.status",
                params![held.run.0.as_bytes(), tx.now.0, to_json(outcome)?],
                |row| named(row, 0, Status::parse),
            )?;
            for image in std::iter::once(&outcome.image).chain(outcome.more.values().map(|one| &one.image)) {
                admit(tx, held.org, image)?;
            }
            let status = ended.unwrap_or(Status::Succeeded);
            log_outcome(tx, held.org, held.run, outcome)?;
            end(tx, held.run, held.org, event, status)?;
            Ok(Settled::Now(status))
        }
        Settlement::Failed { failure, policy, chance } => {
            let crashes = held.crashes + u32::from(failure.fault == Fault::Crash);
            let Some(pause) = policy.pause(failure.fault, held.attempts, crashes, *chance) else {
                fail(tx, held.run, held.org, event, failure)?;
                return Ok(Settled::Now(Status::Failed));
            };
            tx.conn.exec(
                "UPDATE queue SET due_at = ?2, ready_at = ?2, crashes = ?3, lease_token = NULL, lease_by = NULL
                 WHERE run = ?1",
                params![held.run.0.as_bytes(), (tx.now + pause).0, crashes],
            )?;
            let told = object!({ "code": failure.code, "pause_ms": pause.0 });
            log(tx, held.org, held.run, Level::Warning, &failure.message, &told)?;
            requeue(tx, held.org, held.run)?;
            Ok(Settled::Now(Status::Queued))
        }
    }
}

#[async_trait]
impl Queue for Sqlite {
    async fn claim_but(
        &self,
        by: &WorkerId,
        lease: Millis,
        policy: RetryPolicy,
        tokens: &[LeaseToken],
        events: &[EventId],
        supplied_only: &[OrgId],
    ) -> Result<Vec<Claim>, StoreError> {
        let (by, tokens, events) = (by.clone(), tokens.to_vec(), events.to_vec());
        let supplied_only = supplied_only.to_vec();
        self.write("claim", move |tx| {
            let mut claiming = Claiming {
                by: &by,
                lease,
                policy,
                tokens: tokens.iter(),
                events: events.iter(),
                supplied_only: &supplied_only,
                claims: Vec::with_capacity(tokens.len()),
            };
            claiming.take_turns(tx)?;
            Ok(claiming.claims)
        })
        .await
    }

    async fn renew(&self, by: &WorkerId, tokens: &[LeaseToken], lease: Millis) -> Result<Lost, StoreError> {
        if tokens.is_empty() {
            return Ok(Lost::new());
        }
        let (by, tokens) = (by.clone(), tokens.to_vec());
        self.write("renew", move |tx| {
            let renewed = tx.conn.all(
                "UPDATE queue SET due_at = ?1
                 WHERE lease_token IN (SELECT unhex(value) FROM json_each(?2)) AND lease_by = ?3
                 RETURNING lease_token",
                params![(tx.now + lease).0, id_list(tokens.iter().map(|token| token.0)), by.0],
                |row| uuid(row, 0).map(LeaseToken),
            )?;
            Ok(tokens.iter().copied().filter(|token| !renewed.contains(token)).collect())
        })
        .await
    }

    async fn settle(
        &self,
        token: LeaseToken,
        event: EventId,
        how: &Settlement,
    ) -> Result<Settled, StoreError> {
        let how = how.clone();
        self.write("settle", move |tx| settle(tx, token, event, &how)).await
    }

    async fn supply(
        &self,
        token: LeaseToken,
        input: &Image,
        further: &[Image],
        steps: Option<&[Step]>,
    ) -> Result<bool, StoreError> {
        let (input, further, steps) = (input.clone(), further.to_vec(), steps.map(<[Step]>::to_vec));
        self.write("supply", move |tx| {
            let Some(held) = leased(tx.conn, token)? else { return Ok(false) };
            let steps = steps.as_ref().map(to_json).transpose()?;
            tx.conn.exec(
                "UPDATE runs SET input = ?2, steps = coalesce(?3, steps), sources = '[]' WHERE id = ?1",
                params![held.run.0.as_bytes(), to_json(&input)?, steps],
            )?;
            for image in std::iter::once(&input).chain(&further) {
                admit(tx, held.org, image)?;
            }
            log(
                tx,
                held.org,
                held.run,
                Level::Info,
                "fetched its pictures",
                &object!({ "bytes": input.bytes }),
            )?;
            Ok(true)
        })
        .await
    }

    async fn hand_back(&self, tokens: &[LeaseToken]) -> Result<(), StoreError> {
        if tokens.is_empty() {
            return Ok(());
        }
        let tokens = tokens.to_vec();
        self.write("hand_back", move |tx| {
            for token in &tokens {
                let Some(held) = leased(tx.conn, *token)? else { continue };
                // Its old place in the queue: what was interrupted does not wait behind what came later.
                tx.conn.exec(
                    "UPDATE queue SET due_at = ready_at, attempts = attempts - 1, lease_token = NULL, lease_by = NULL
                     WHERE run = ?1",
                    [held.run.0.as_bytes()],
                )?;
                requeue(tx, held.org, held.run)?;
            }
            Ok(())
        })
        .await
    }

    async fn hand_back_evaluations(&self, tokens: &[LeaseToken], pause: Millis) -> Result<u64, StoreError> {
        if tokens.is_empty() {
            return Ok(0);
        }
        let tokens = tokens.to_vec();
        self.write("hand_back_evaluations", move |tx| {
            // Without a pause: since when it has been there, before what came later.
            let handed_back = tx.conn.exec(
                "UPDATE evaluations SET status = 'pending', started_at = NULL, updated_at = ?1,
                     due_at = iif(?2 > 0, ?1 + ?2, created_at), attempts = attempts - 1,
                     lease_token = NULL, lease_by = NULL
                 WHERE lease_token IN (SELECT unhex(value) FROM json_each(?3))",
                params![tx.now.0, pause.0, id_list(tokens.iter().map(|token| token.0))],
            )?;
            Ok(handed_back as u64)
        })
        .await
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(|conn| {
            let first = "SELECT due_at FROM queue ORDER BY due_at LIMIT 1";
            conn.one(first, [], |row| time(row, 0))
        })
        .await
    }

    async fn depth(&self) -> Result<Depth, StoreError> {
        let now = self.now();
        self.read(move |conn| {
            let counted = conn.one(
                "SELECT count(*) FILTER (WHERE due_at <= ?1),
                        count(*) FILTER (WHERE due_at > ?1 AND lease_token IS NULL),
                        count(*) FILTER (WHERE due_at > ?1 AND lease_token IS NOT NULL),
                        min(due_at)
                 FROM queue",
                [now.0],
                |row| {
                    Ok(Depth {
                        ready: number(row, 0)?,
                        waiting: number(row, 1)?,
                        leased: number(row, 2)?,
                        oldest: Millis(
                            row.get::<_, Option<i64>>(3)?.map_or(0, |first| (now.0 - first).max(0)),
                        ),
                    })
                },
            )?;
            Ok(counted.unwrap_or_default())
        })
        .await
    }

    async fn outbox(&self, org: OrgId, run: RunId) -> Result<Vec<(EventId, String, Status)>, StoreError> {
        self.read(move |conn| {
            conn.all(
                "SELECT event, address, status FROM deliveries WHERE run = ?1 AND org = ?2 ORDER BY seq",
                params![run.0.as_bytes(), org.0.as_bytes()],
                |row| Ok((EventId(uuid(row, 0)?), row.get(1)?, named(row, 2, Status::parse)?)),
            )
        })
        .await
    }
}
