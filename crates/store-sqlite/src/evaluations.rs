//! Evaluations: their place in the queue is in their own rows.

use async_trait::async_trait;
use domain::evaluation::{Evaluation, EvaluationState, EvaluationStatus, Opinion};
use domain::event::What;
use domain::id::{EntryId, EvaluationId, EventId, LeaseToken, OrgId, RunId, UserId};
use domain::ledger;
use domain::request::Face;
use domain::run::{Failure, Fault, RetryPolicy, Status};
use domain::time::Millis;
use rusqlite::{Connection, Row, named_params, params};
use serde_json::Value;
use store::{
    Admitted, EvaluationClaim, Evaluations, Lost, Measured, NewEvaluation, Settled, StoreError, WorkerId,
};
use tracing::error;

use crate::audit;
use crate::database::Sqlite;
use crate::deliveries::record_event;
use crate::idempotency;
use crate::ids::fresh_id;
use crate::queue::{OrgsInTurn, orgs_due, worker_crashed};
use crate::rows::{id_list, json, maybe_json, maybe_uuid, named, time, to_json, uuid};
use crate::sql::Sql;
use crate::workflows::{Movement, balance, enter};
use crate::writer::Tx;

/// The columns [`evaluation`] reads, in its order.
pub(crate) const EVALUATION_COLUMNS: &str = "id, org, user, run, asked, face, client_ref, webhooks, price, charged, \
     created_at, updated_at, opinion, status, started_at, finished_at, report, failure";

/// An evaluation out of a row of [`EVALUATION_COLUMNS`].
pub(crate) fn evaluation(row: &Row<'_>) -> rusqlite::Result<Evaluation> {
    Ok(Evaluation {
        id: EvaluationId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        user: UserId(row.get(2)?),
        run: maybe_uuid(row, 3)?.map(RunId),
        asked: json(row, 4)?,
        face: Face(row.get(5)?),
        client_ref: row.get(6)?,
        webhooks: json(row, 7)?,
        price: row.get(8)?,
        charged: row.get(9)?,
        created_at: time(row, 10)?,
        updated_at: time(row, 11)?,
        opinion: maybe_json(row, 12)?,
        state: state(row)?,
    })
}

fn state(row: &Row<'_>) -> rusqlite::Result<EvaluationState> {
    let started_at = || time(row, 14);
    let finished_at = || time(row, 15);
    Ok(match named(row, 13, EvaluationStatus::parse)? {
        EvaluationStatus::Pending => EvaluationState::Pending,
        EvaluationStatus::Running => EvaluationState::Running { started_at: started_at()? },
        EvaluationStatus::Completed => EvaluationState::Completed {
            started_at: started_at()?,
            finished_at: finished_at()?,
            report: json(row, 16)?,
        },
        EvaluationStatus::Failed => {
            EvaluationState::Failed { finished_at: finished_at()?, failure: json(row, 17)? }
        }
    })
}

/// One evaluation of an organization.
pub(crate) fn evaluation_by(
    conn: &Connection,
    org: OrgId,
    id: EvaluationId,
) -> Result<Option<Evaluation>, StoreError> {
    conn.one(
        &format!("SELECT {EVALUATION_COLUMNS} FROM evaluations WHERE id = ?1 AND org = ?2"),
        params![id.0.as_bytes(), org.0.as_bytes()],
        evaluation,
    )
}

/// The latest evaluation of each of these runs (`?2`, a list) of an organization (`?1`).
pub(crate) const LATEST: &str = "id IN (SELECT
         (SELECT e.id FROM evaluations e WHERE e.org = ?1 AND e.run = unhex(wanted.value)
          ORDER BY e.created_at DESC, e.id DESC LIMIT 1)
     FROM json_each(?2) wanted)";

fn accept(tx: &Tx<'_>, new: &NewEvaluation) -> Result<Admitted, StoreError> {
    let it = &new.evaluation;
    let there = tx.conn.one("SELECT org FROM evaluations WHERE id = ?1", [it.id.0.as_bytes()], |row| {
        uuid(row, 0).map(OrgId)
    })?;
    match there {
        Some(org) if org == it.org => return Ok(Admitted::Pending),
        Some(_) => return Err(StoreError::Conflict("an evaluation of this id".to_owned())),
        None => {}
    }
    if let Err(refused) = ledger::charge(balance(tx.conn, it.org)?, it.price) {
        return Ok(Admitted::OutOfCredit(refused));
    }
    tx.conn.exec(
        "INSERT INTO evaluations (id, org, user, run, asked, face, client_ref, webhooks, price, charged, created_at,
                                  updated_at, status, opinion, due_at)
         VALUES (:id, :org, :user, :run, :asked, :face, :client_ref, :webhooks, :price, :price, :created_at,
                 :updated_at, 'pending', :opinion, :due_at)",
        named_params! {
            ":id": it.id.0.as_bytes(),
            ":org": it.org.0.as_bytes(),
            ":user": it.user.0,
            ":run": it.run.as_ref().map(|run| run.0.as_bytes()),
            ":asked": to_json(&it.asked)?,
            ":face": it.face.0,
            ":client_ref": it.client_ref,
            ":webhooks": to_json(&it.webhooks)?,
            ":price": it.price,
            ":created_at": it.created_at.0,
            ":updated_at": it.updated_at.0,
            ":opinion": it.opinion.as_ref().map(to_json).transpose()?,
            ":due_at": tx.now.0,
        },
    )?;
    if it.price > 0 {
        enter(tx, it.org, &Movement::charge_evaluation(new.entry, it.price, it.id))?;
    }
    if let Some((slot, answer)) = &new.answer {
        idempotency::finish(tx, slot, answer)?;
    }
    Ok(Admitted::Pending)
}

/// How the organizations with evaluations that are due are found.
pub(crate) const IN_TURN: OrgsInTurn = OrgsInTurn {
    anything: "SELECT 1 FROM evaluations WHERE due_at <= ?1 LIMIT 1",
    next: "SELECT org FROM evaluations WHERE due_at IS NOT NULL AND org > ?1 ORDER BY org LIMIT 1",
    is_due: "SELECT 1 FROM evaluations WHERE org = ?1 AND due_at <= ?2 LIMIT 1",
};
/// An organization's evaluations that are due, oldest first.
pub(crate) const DUE: &str = "SELECT id, org, attempts, crashes, lease_token IS NOT NULL FROM evaluations
     WHERE org = ?1 AND due_at <= ?2 ORDER BY due_at, seq LIMIT ?3";
/// The evaluation that a lease holds.
pub(crate) const LEASED: &str =
    "SELECT id, org, attempts, crashes, 0 FROM evaluations WHERE lease_token = ?1";

/// An evaluation with a place in the queue.
struct Due {
    id: EvaluationId,
    org: OrgId,
    attempts: u32,
    crashes: u32,
    /// Whether it was leased, and the lease is over.
    abandoned: bool,
}

fn due(row: &Row<'_>) -> rusqlite::Result<Due> {
    Ok(Due {
        id: EvaluationId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        attempts: row.get(2)?,
        crashes: row.get(3)?,
        abandoned: row.get(4)?,
    })
}

/// One call of `claim_evaluations`.
struct Claiming<'a> {
    by: &'a WorkerId,
    lease: Millis,
    policy: RetryPolicy,
    tokens: std::slice::Iter<'a, LeaseToken>,
    events: std::slice::Iter<'a, EventId>,
    claims: Vec<EvaluationClaim>,
}

impl Claiming<'_> {
    /// Takes turns over the organizations that have something due, going on after the one served last.
    fn take_turns(&mut self, tx: &mut Tx<'_>) -> Result<(), StoreError> {
        let mut orgs = orgs_due(tx, &IN_TURN, tx.served.evaluations, self.tokens.len())?;
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
                tx.served.evaluations = Some(org);
            }
            orgs = left;
        }
        Ok(())
    }

    /// Takes up to `many` of what an organization has due, oldest first; answers whether there may be more.
    fn take(&mut self, tx: &Tx<'_>, org: OrgId, many: usize) -> Result<bool, StoreError> {
        let found = tx.conn.all(DUE, params![org.0.as_bytes(), tx.now.0, many as i64], due)?;
        let full = found.len() == many;
        for mut due in found {
            if due.abandoned {
                due.crashes += 1;
                if self.policy.pause(Fault::Crash, due.attempts, due.crashes, 0.5).is_none() {
                    // Without an event id left it has to wait for the next claim.
                    let Some(event) = self.events.next() else { return Ok(false) };
                    let failure = worker_crashed(due.crashes);
                    error!(
                        evaluation.id = %due.id, crashes = due.crashes,
                        "gave up evaluation `{}`: {}", due.id, failure.message
                    );
                    fail(tx, &due, *event, &failure)?;
                    continue;
                }
            }
            let Some(token) = self.tokens.next() else { return Ok(false) };
            self.lease(tx, &due, *token)?;
        }
        Ok(full)
    }

    fn lease(&mut self, tx: &Tx<'_>, due: &Due, token: LeaseToken) -> Result<(), StoreError> {
        let attempt = due.attempts + 1;
        let started = tx.conn.one(
            &format!(
                "UPDATE evaluations SET status = 'running', started_at = ?2, updated_at = ?2, due_at = ?3, attempts = ?4,
                                        crashes = ?5, lease_token = ?6, lease_by = ?7
                 WHERE id = ?1 RETURNING {EVALUATION_COLUMNS}"
            ),
            params![
                due.id.0.as_bytes(),
                tx.now.0,
                (tx.now + self.lease).0,
                attempt,
                due.crashes,
                token.0.as_bytes(),
                self.by.0
            ],
            evaluation,
        );
        match started {
            Ok(Some(evaluation)) => {
                self.claims.push(EvaluationClaim { evaluation, token, attempt, crashes: due.crashes });
            }
            Ok(None) => error!(evaluation.id = %due.id, "evaluation `{}` is due but not filed", due.id),
            // It stays leased and is given up as poison after a few leases, rather than stopping everybody else's.
            Err(StoreError::Corrupt(reason)) => {
                error!(evaluation.id = %due.id, "evaluation `{}` cannot be read: {reason}", due.id);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Ends an evaluation as failed: its state, its credits, its event.
fn fail(tx: &Tx<'_>, held: &Due, event: EventId, failure: &Failure) -> Result<(), StoreError> {
    let charged = "SELECT charged FROM evaluations WHERE id = ?1";
    let charged = tx.conn.one(charged, [held.id.0.as_bytes()], |row| row.get::<_, u32>(0))?.unwrap_or(0);
    tx.conn.exec(
        "UPDATE evaluations SET status = 'failed', started_at = NULL, finished_at = ?2, updated_at = ?2, failure = ?3,
                                charged = 0, crashes = ?4, due_at = NULL, lease_token = NULL, lease_by = NULL
         WHERE id = ?1",
        params![held.id.0.as_bytes(), tx.now.0, to_json(failure)?, held.crashes],
    )?;
    if charged > 0 {
        let entry = EntryId(fresh_id(tx)?);
        enter(tx, held.org, &Movement::refund_evaluation(entry, charged, held.id))?;
    }
    end(tx, held, event, false)
}

/// Tells that an evaluation has ended.
fn end(tx: &Tx<'_>, held: &Due, event: EventId, completed: bool) -> Result<(), StoreError> {
    let asked = tx.conn.one(
        "SELECT webhooks, face FROM evaluations WHERE id = ?1",
        [held.id.0.as_bytes()],
        |row| Ok((json::<Vec<String>>(row, 0)?, Face(row.get(1)?))),
    )?;
    let unfiled = || StoreError::Corrupt(format!("evaluation `{}` is due but not filed", held.id));
    let (addresses, face) = asked.ok_or_else(unfiled)?;
    let what = What::Evaluation { evaluation: held.id, completed };
    record_event(tx, event, held.org, what, Some(&face), &addresses)
}

fn settle(tx: &Tx<'_>, token: LeaseToken, event: EventId, how: &Measured) -> Result<Settled, StoreError> {
    let Some(mut held) = tx.conn.one(LEASED, [token.0.as_bytes()], due)? else {
        return Ok(Settled::LeaseLost);
    };
    match how {
        Measured::Completed(report) => {
            tx.conn.exec(
                "UPDATE evaluations SET status = 'completed', finished_at = ?2, updated_at = ?2, report = ?3, due_at = NULL,
                                        lease_token = NULL, lease_by = NULL
                 WHERE id = ?1",
                params![held.id.0.as_bytes(), tx.now.0, to_json(report)?],
            )?;
            end(tx, &held, event, true)?;
            Ok(Settled::Now(Status::Succeeded))
        }
        Measured::Failed { failure, policy, chance } => {
            held.crashes += u32::from(failure.fault == Fault::Crash);
            let Some(pause) = policy.pause(failure.fault, held.attempts, held.crashes, *chance) else {
                fail(tx, &held, event, failure)?;
                return Ok(Settled::Now(Status::Failed));
            };
            tx.conn.exec(
                "UPDATE evaluations SET status = 'pending', started_at = NULL, updated_at = ?2, due_at = ?3, crashes = ?4,
                                        lease_token = NULL, lease_by = NULL
                 WHERE id = ?1",
                params![held.id.0.as_bytes(), tx.now.0, (tx.now + pause).0, held.crashes],
            )?;
            Ok(Settled::Now(Status::Queued))
        }
    }
}

#[async_trait]
impl Evaluations for Sqlite {
    async fn accept_evaluation(&self, new: &NewEvaluation) -> Result<Admitted, StoreError> {
        let new = new.clone();
        self.write("accept_evaluation", move |tx| accept(tx, &new)).await
    }

    async fn evaluation(&self, org: OrgId, id: EvaluationId) -> Result<Option<Evaluation>, StoreError> {
        self.read(move |conn| evaluation_by(conn, org, id)).await
    }

    async fn latest_evaluations(&self, org: OrgId, runs: &[RunId]) -> Result<Vec<Evaluation>, StoreError> {
        let runs = id_list(runs.iter().map(|run| run.0));
        self.read(move |conn| {
            let sql = format!("SELECT {EVALUATION_COLUMNS} FROM evaluations WHERE {LATEST}");
            conn.all(&sql, params![org.0.as_bytes(), runs], evaluation)
        })
        .await
    }

    async fn give_opinion(
        &self,
        org: OrgId,
        id: EvaluationId,
        opinion: Option<&Opinion>,
    ) -> Result<Option<Evaluation>, StoreError> {
        let opinion = opinion.map(to_json).transpose()?;
        self.write("give_opinion", move |tx| {
            tx.conn.one(
                &format!(
                    "UPDATE evaluations SET opinion = ?3, updated_at = ?4 WHERE id = ?1 AND org = ?2
                     RETURNING {EVALUATION_COLUMNS}"
                ),
                params![id.0.as_bytes(), org.0.as_bytes(), opinion, tx.now.0],
                evaluation,
            )
        })
        .await
    }

    async fn claim_evaluations(
        &self,
        by: &WorkerId,
        lease: Millis,
        policy: RetryPolicy,
        tokens: &[LeaseToken],
        events: &[EventId],
    ) -> Result<Vec<EvaluationClaim>, StoreError> {
        let (by, tokens, events) = (by.clone(), tokens.to_vec(), events.to_vec());
        self.write("claim_evaluations", move |tx| {
            let (tokens, events) = (tokens.iter(), events.iter());
            let mut claiming = Claiming { by: &by, lease, policy, tokens, events, claims: Vec::new() };
            claiming.take_turns(tx)?;
            Ok(claiming.claims)
        })
        .await
    }

    async fn renew_evaluations(
        &self,
        by: &WorkerId,
        tokens: &[LeaseToken],
        lease: Millis,
    ) -> Result<Lost, StoreError> {
        if tokens.is_empty() {
            return Ok(Lost::new());
        }
        let (by, tokens) = (by.clone(), tokens.to_vec());
        self.write("renew_evaluations", move |tx| {
            let renewed = tx.conn.all(
                "UPDATE evaluations SET due_at = ?1
                 WHERE lease_token IN (SELECT unhex(value) FROM json_each(?2)) AND lease_by = ?3
                 RETURNING lease_token",
                params![(tx.now + lease).0, id_list(tokens.iter().map(|token| token.0)), by.0],
                |row| uuid(row, 0).map(LeaseToken),
            )?;
            Ok(tokens.iter().copied().filter(|token| !renewed.contains(token)).collect())
        })
        .await
    }

    async fn settle_evaluation(
        &self,
        token: LeaseToken,
        event: EventId,
        how: &Measured,
    ) -> Result<Settled, StoreError> {
        let how = how.clone();
        self.write("settle_evaluation", move |tx| settle(tx, token, event, &how)).await
    }

    async fn evaluation_limits(&self, org: OrgId) -> Result<Value, StoreError> {
        self.read(move |conn| {
            let sql = "SELECT limits FROM evaluation_limits WHERE org = ?1";
            let found = conn.one(sql, [org.0.as_bytes()], |row| json(row, 0))?;
            Ok(found.unwrap_or_else(|| Value::Object(serde_json::Map::new())))
        })
        .await
    }

    async fn set_evaluation_limits(&self, org: OrgId, limits: &Value, by: &UserId) -> Result<(), StoreError> {
        let (limits, by) = (limits.clone(), by.clone());
        self.write("set_evaluation_limits", move |tx| {
            tx.conn.exec(
                "INSERT INTO evaluation_limits (org, limits) VALUES (?1, ?2)
                 ON CONFLICT (org) DO UPDATE SET limits = excluded.limits",
                params![org.0.as_bytes(), to_json(&limits)?],
            )?;
            audit::record(tx, org, Some(&by), "evaluation_limits.set", &org.to_string(), &limits)
        })
        .await
    }
}
