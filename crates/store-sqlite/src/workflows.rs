//! Workflows, the pictures an organization may see, and its credits.

use async_trait::async_trait;
use domain::access::Author;
use domain::id::{EntryId, EvaluationId, OrgId, RunId, UserId, VersionId, WorkflowId};
use domain::image::{ContentHash, Image};
use domain::ledger::{Entry, Kind};
use domain::page::{Page, Window};
use domain::time::Timestamp;
use domain::workflow::{Version, Workflow};
use rusqlite::{Connection, Row, named_params, params};
use serde_json::json;
use store::{CreditAlert, Images, Ledger, Revised, StoreError, TopUp, Workflows};

use crate::audit::record;
use crate::database::Sqlite;
use crate::rows::{content_hash, id_list, json, limits, maybe_uuid, named, number, time, to_json, uuid};
use crate::sql::Sql;
use crate::subscriptions::changed_at;
use crate::writer::Tx;

const WORKFLOW_COLUMNS: &str = "w.id, w.org, w.name, w.author, w.author_given_name, w.author_family_name, \
     w.author_email, w.archived_at, w.model, v.id, v.saved_at, v.steps, v.price, v.needs_review";
/// Where the version begins among [`WORKFLOW_COLUMNS`].
const VERSION: usize = 9;

fn workflow(row: &Row<'_>) -> rusqlite::Result<Workflow> {
    Ok(Workflow {
        id: WorkflowId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        name: row.get(2)?,
        author: Author {
            id: UserId(row.get(3)?),
            given_name: row.get(4)?,
            family_name: row.get(5)?,
            email: row.get(6)?,
        },
        archived_at: row.get::<_, Option<i64>>(7)?.map(Timestamp),
        model: row.get(8)?,
        version: version(row, VERSION)?,
    })
}

/// A version out of a row that has its columns from `first` on.
fn version(row: &Row<'_>, first: usize) -> rusqlite::Result<Version> {
    Ok(Version {
        id: VersionId(uuid(row, first)?),
        saved_at: time(row, first + 1)?,
        steps: json(row, first + 2)?,
        price: row.get(first + 3)?,
        needs_review: row.get(first + 4)?,
    })
}

/// Saves a version as the latest of its workflow, which it makes if there is none. Saving the same version again
/// changes nothing. Answers whether it changed something.
pub(crate) fn save_workflow(conn: &Connection, workflow: &Workflow) -> Result<bool, StoreError> {
    let conflict = |what: String| Err::<bool, _>(StoreError::Conflict(what));
    let (id, org, version) = (workflow.id.0.as_bytes(), workflow.org.0.as_bytes(), &workflow.version);
    let steps = to_json(&version.steps)?;
    let there = conn.one("SELECT org FROM workflows WHERE id = ?1", [id], |row| uuid(row, 0))?;
    if there.is_some_and(|owner| owner != workflow.org.0) {
        return conflict("a workflow of this id".to_owned());
    }
    let namesake = "SELECT 1 FROM workflows WHERE org = ?1 AND name = ?2 AND id <> ?3";
    if conn.one(namesake, params![org, workflow.name, id], |_| Ok(()))?.is_some() {
        return conflict(format!("a workflow named `{}`", workflow.name));
    }
    let same = conn.one(
        "SELECT workflow = ?2 AND steps = ?3 AND price = ?4 AND needs_review = ?5 FROM versions WHERE id = ?1",
        params![version.id.0.as_bytes(), id, steps, version.price, version.needs_review],
        |row| row.get::<_, bool>(0),
    )?;
    match same {
        Some(true) => return Ok(false),
        Some(false) => return conflict("a workflow version of this id".to_owned()),
        None => {}
    }
    if there.is_some() {
        conn.exec(
            "UPDATE workflows SET name = ?2, latest = ?3 WHERE id = ?1",
            params![id, workflow.name, version.id.0.as_bytes()],
        )?;
    } else {
        let author = &workflow.author;
        conn.exec(
            "INSERT INTO workflows
                 (id, org, name, author, author_given_name, author_family_name, author_email, latest,
                  model)
             VALUES (:id, :org, :name, :author, :given_name, :family_name, :email, :latest, :model)",
            named_params! {
                ":id": id,
                ":org": org,
                ":name": workflow.name,
                ":author": author.id.0,
                ":given_name": author.given_name,
                ":family_name": author.family_name,
                ":email": author.email,
                ":latest": version.id.0.as_bytes(),
                ":model": workflow.model,
            },
        )?;
    }
    conn.exec(
        "INSERT INTO versions (id, workflow, saved_at, steps, price, needs_review) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        params![version.id.0.as_bytes(), id, version.saved_at.0, steps, version.price, version.needs_review],
    )?;
    Ok(true)
}

fn listed(conn: &Connection, org: OrgId, which: &str, window: Window) -> Result<Page<Workflow>, StoreError> {
    let org = org.0.as_bytes();
    let total = conn.count(
        &format!("SELECT count(*) FROM workflows WHERE org = ?1 AND model IS NULL AND {which}"),
        [org],
    )?;
    let (limit, offset) = limits(window);
    let entries = conn.all(
        &format!(
            "SELECT {WORKFLOW_COLUMNS} FROM workflows w JOIN versions v ON v.id = w.latest
             WHERE w.org = ?1 AND w.model IS NULL AND w.{which} ORDER BY w.seq LIMIT ?2 OFFSET ?3"
        ),
        params![org, limit, offset],
        workflow,
    )?;
    Ok(Page { entries, total })
}

fn record_version(
    tx: &Tx<'_>,
    workflow: &Workflow,
    action: &'static str,
    by: Option<&UserId>,
) -> Result<(), StoreError> {
    let version = &workflow.version;
    let details = json!({
        "name": workflow.name, "version": version.id, "price": version.price, "needs_review": version.needs_review
    });
    record(tx, workflow.org, by, action, &workflow.id.to_string(), &details)
}

fn revise(tx: &Tx<'_>, workflow: &Workflow, revised: VersionId, by: &UserId) -> Result<Revised, StoreError> {
    let latest = tx.conn.one(
        "SELECT latest FROM workflows WHERE id = ?1 AND org = ?2",
        params![workflow.id.0.as_bytes(), workflow.org.0.as_bytes()],
        |row| uuid(row, 0).map(VersionId),
    )?;
    match latest {
        None => Ok(Revised::Missing),
        Some(latest) if latest == revised || latest == workflow.version.id => {
            if save_workflow(tx.conn, workflow)? {
                record_version(tx, workflow, "workflow.revised", Some(by))?;
            }
            Ok(Revised::Saved)
        }
        Some(latest) => Ok(Revised::Stale(latest)),
    }
}

#[async_trait]
impl Workflows for Sqlite {
    async fn workflows(&self, org: OrgId, window: Window) -> Result<Page<Workflow>, StoreError> {
        self.read(move |conn| listed(conn, org, "archived_at IS NULL", window)).await
    }

    async fn archived_workflows(&self, org: OrgId, window: Window) -> Result<Page<Workflow>, StoreError> {
        self.read(move |conn| listed(conn, org, "archived_at IS NOT NULL", window)).await
    }

    async fn versions(&self, among: &[OrgId], id: WorkflowId) -> Result<Vec<Version>, StoreError> {
        let among = id_list(among.iter().map(|org| org.0));
        self.read(move |conn| {
            conn.all(
                "SELECT v.id, v.saved_at, v.steps, v.price, v.needs_review
                 FROM workflows w JOIN versions v ON v.workflow = w.id
                 WHERE w.id = ?1 AND w.org IN (SELECT unhex(value) FROM json_each(?2))
                 ORDER BY v.rowid DESC",
                params![id.0.as_bytes(), among],
                |row| version(row, 0),
            )
        })
        .await
    }

    async fn workflow(
        &self,
        among: &[OrgId],
        id: WorkflowId,
        version: Option<VersionId>,
    ) -> Result<Option<Workflow>, StoreError> {
        let among = among.to_vec();
        self.read(move |conn| {
            let found = conn.one(
                &format!(
                    "SELECT {WORKFLOW_COLUMNS} FROM workflows w
                     JOIN versions v ON v.workflow = w.id AND v.id = coalesce(?2, w.latest) WHERE w.id = ?1"
                ),
                params![id.0.as_bytes(), version.as_ref().map(|version| version.0.as_bytes())],
                workflow,
            )?;
            Ok(found.filter(|found| among.contains(&found.org)))
        })
        .await
    }

    async fn workflow_of_model(&self, org: OrgId, model: &str) -> Result<Option<Workflow>, StoreError> {
        let model = model.to_owned();
        self.read(move |conn| {
            conn.one(
                &format!(
                    "SELECT {WORKFLOW_COLUMNS} FROM workflows w JOIN versions v ON v.id = w.latest
                     WHERE w.org = ?1 AND w.model = ?2"
                ),
                params![org.0.as_bytes(), model],
                workflow,
            )
        })
        .await
    }

    async fn workflow_named(&self, org: OrgId, name: &str) -> Result<Option<Workflow>, StoreError> {
        let name = name.to_owned();
        self.read(move |conn| {
            conn.one(
                &format!(
                    "SELECT {WORKFLOW_COLUMNS} FROM workflows w JOIN versions v ON v.id = w.latest
                     WHERE w.org = ?1 AND w.name = ?2"
                ),
                params![org.0.as_bytes(), name],
                workflow,
            )
        })
        .await
    }

    async fn save_workflow(&self, workflow: &Workflow) -> Result<(), StoreError> {
        let workflow = workflow.clone();
        self.write("save_workflow", move |tx| {
            if save_workflow(tx.conn, &workflow)? {
                record_version(tx, &workflow, "workflow.saved", Some(&workflow.author.id))?;
            }
            Ok(())
        })
        .await
    }

    async fn revise_workflow(
        &self,
        workflow: &Workflow,
        revised: VersionId,
        by: &UserId,
    ) -> Result<Revised, StoreError> {
        let (workflow, by) = (workflow.clone(), by.clone());
        self.write("revise_workflow", move |tx| revise(tx, &workflow, revised, &by)).await
    }

    async fn archive_workflow(
        &self,
        org: OrgId,
        id: WorkflowId,
        archived: bool,
        by: &UserId,
    ) -> Result<bool, StoreError> {
        let by = by.clone();
        self.write("archive_workflow", move |tx| {
            let found = tx.conn.one(
                "SELECT name, archived_at IS NOT NULL FROM workflows WHERE id = ?1 AND org = ?2",
                params![id.0.as_bytes(), org.0.as_bytes()],
                |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)),
            )?;
            let Some((name, was)) = found else { return Ok(false) };
            if was != archived {
                tx.conn.exec(
                    "UPDATE workflows SET archived_at = iif(?2, ?3, NULL) WHERE id = ?1",
                    params![id.0.as_bytes(), archived, tx.now.0],
                )?;
                let action = if archived { "workflow.archived" } else { "workflow.taken_back" };
                record(tx, org, Some(&by), action, &id.to_string(), &json!({ "name": name }))?;
            }
            Ok(true)
        })
        .await
    }
}

/// Lets an organization see a picture, if it may not already.
pub(crate) fn admit(tx: &Tx<'_>, org: OrgId, image: &Image) -> Result<(), StoreError> {
    tx.conn
        .exec(
            "INSERT INTO images (org, hash, media_type, bytes, width, height, admitted_at)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT DO NOTHING",
            params![
                org.0.as_bytes(),
                image.hash.0,
                image.media_type,
                i64::try_from(image.bytes).unwrap_or(i64::MAX),
                image.width,
                image.height,
                tx.now.0
            ],
        )
        .map(drop)
}

/// A picture out of a row of hash, media type, bytes, width and height.
fn image(row: &Row<'_>) -> rusqlite::Result<Image> {
    Ok(Image {
        hash: content_hash(row, 0)?,
        media_type: row.get(1)?,
        bytes: number(row, 2)?,
        width: row.get(3)?,
        height: row.get(4)?,
    })
}

#[async_trait]
impl Images for Sqlite {
    async fn admit_image(&self, org: OrgId, image: &Image) -> Result<(), StoreError> {
        let image = image.clone();
        self.write("admit_image", move |tx| admit(tx, org, &image)).await
    }

    async fn image(&self, among: &[OrgId], hash: ContentHash) -> Result<Option<Image>, StoreError> {
        let among = among.to_vec();
        self.read(move |conn| {
            for org in among {
                let found = conn.one(
                    "SELECT hash, media_type, bytes, width, height FROM images WHERE org = ?1 AND hash = ?2",
                    params![org.0.as_bytes(), hash.0],
                    image,
                )?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        })
        .await
    }

    async fn keep_thumbnail(&self, of: ContentHash, thumbnail: &Image) -> Result<(), StoreError> {
        let Image { hash, media_type, bytes, width, height } = thumbnail.clone();
        self.write("keep_thumbnail", move |tx| {
            tx.conn
                .exec(
                    "INSERT INTO thumbnails (of_hash, hash, media_type, bytes, width, height)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
                    params![
                        of.0,
                        hash.0,
                        media_type,
                        i64::try_from(bytes).unwrap_or(i64::MAX),
                        width,
                        height
                    ],
                )
                .map(drop)
        })
        .await
    }

    async fn thumbnail(&self, of: ContentHash) -> Result<Option<Image>, StoreError> {
        self.read(move |conn| {
            conn.one(
                "SELECT hash, media_type, bytes, width, height FROM thumbnails WHERE of_hash = ?1",
                params![of.0],
                image,
            )
        })
        .await
    }
}

/// The balance of an organization that there is.
pub(crate) fn balance(conn: &Connection, org: OrgId) -> Result<i64, StoreError> {
    conn.one("SELECT balance FROM orgs WHERE id = ?1", [org.0.as_bytes()], |row| row.get(0))?
        .ok_or_else(|| StoreError::Missing(format!("organization `{org}`")))
}

/// A movement of credits to be entered.
pub(crate) struct Movement<'a> {
    pub(crate) id: EntryId,
    pub(crate) kind: Kind,
    pub(crate) amount: i64,
    pub(crate) run: Option<RunId>,
    pub(crate) evaluation: Option<EvaluationId>,
    pub(crate) by: Option<&'a UserId>,
    pub(crate) note: &'a str,
}

impl Movement<'_> {
    /// What a run costs.
    pub(crate) fn charge(id: EntryId, credits: u32, run: RunId) -> Self {
        let amount = -i64::from(credits);
        Self { id, kind: Kind::Charge, amount, run: Some(run), evaluation: None, by: None, note: "" }
    }

    /// What a run cost, given back.
    pub(crate) fn refund(id: EntryId, credits: u32, run: RunId) -> Self {
        let amount = i64::from(credits);
        Self { id, kind: Kind::Refund, amount, run: Some(run), evaluation: None, by: None, note: "" }
    }

    /// What an evaluation costs.
    pub(crate) fn charge_evaluation(id: EntryId, credits: u32, evaluation: EvaluationId) -> Self {
        let amount = -i64::from(credits);
        Self { id, kind: Kind::Charge, amount, run: None, evaluation: Some(evaluation), by: None, note: "" }
    }

    /// What an evaluation cost, given back.
    pub(crate) fn refund_evaluation(id: EntryId, credits: u32, evaluation: EvaluationId) -> Self {
        let amount = i64::from(credits);
        Self { id, kind: Kind::Refund, amount, run: None, evaluation: Some(evaluation), by: None, note: "" }
    }
}

/// Enters a movement of credits that the balance allows; answers the balance after it.
pub(crate) fn enter(tx: &Tx<'_>, org: OrgId, movement: &Movement<'_>) -> Result<i64, StoreError> {
    let after = tx
        .conn
        .one(
            "UPDATE orgs SET balance = balance + ?2 WHERE id = ?1 RETURNING balance",
            params![org.0.as_bytes(), movement.amount],
            |row| row.get(0),
        )?
        .ok_or_else(|| StoreError::Missing(format!("organization `{org}`")))?;
    tx.conn.exec(
        "INSERT INTO entries (id, org, kind, amount, balance, run, at, by, note, evaluation)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            movement.id.0.as_bytes(),
            org.0.as_bytes(),
            movement.kind.as_str(),
            movement.amount,
            after,
            movement.run.as_ref().map(|run| run.0.as_bytes()),
            tx.now.0,
            movement.by.map(|by| &by.0),
            movement.note,
            movement.evaluation.as_ref().map(|evaluation| evaluation.0.as_bytes())
        ],
    )?;
    Ok(after)
}

/// Gives credits once for that entry; answers the balance after it. Giving none enters nothing.
pub(crate) fn enter_top_up(tx: &Tx<'_>, org: OrgId, top_up: &TopUp) -> Result<i64, StoreError> {
    let TopUp { entry, credits, by, note } = top_up;
    let there = tx.conn.one("SELECT org, kind FROM entries WHERE id = ?1", [entry.0.as_bytes()], |row| {
        Ok((OrgId(uuid(row, 0)?), named(row, 1, Kind::parse)?))
    })?;
    match there {
        Some(found) if found != (org, Kind::Grant) => {
            Err(StoreError::Conflict("a ledger entry of this id".to_owned()))
        }
        None if *credits > 0 => {
            let amount = i64::from(*credits);
            let movement = Movement {
                id: *entry,
                kind: Kind::Grant,
                amount,
                run: None,
                evaluation: None,
                by: by.as_ref(),
                note,
            };
            let details = json!({ "credits": credits, "note": note });
            record(tx, org, by.as_ref(), "credits.given", &entry.to_string(), &details)?;
            enter(tx, org, &movement)
        }
        _ => balance(tx.conn, org),
    }
}

const ENTRY_COLUMNS: &str = "id, org, kind, amount, balance, run, at, by, note, evaluation";

fn entry(row: &Row<'_>) -> rusqlite::Result<Entry> {
    Ok(Entry {
        id: EntryId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        kind: named(row, 2, Kind::parse)?,
        amount: row.get(3)?,
        balance: row.get(4)?,
        run: maybe_uuid(row, 5)?.map(RunId),
        at: time(row, 6)?,
        by: row.get::<_, Option<String>>(7)?.map(UserId),
        note: row.get(8)?,
        evaluation: maybe_uuid(row, 9)?.map(EvaluationId),
    })
}

fn alert(conn: &Connection, org: OrgId) -> Result<Option<CreditAlert>, StoreError> {
    conn.one(
        "SELECT threshold, notified_at, created_at, updated_at FROM credit_alerts WHERE org = ?1",
        [org.0.as_bytes()],
        |row| {
            Ok(CreditAlert {
                threshold: row.get(0)?,
                notified_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
                created_at: time(row, 2)?,
                updated_at: time(row, 3)?,
            })
        },
    )
}

fn set_alert(
    tx: &Tx<'_>,
    org: OrgId,
    threshold: i64,
    unless_changed_since: Option<Timestamp>,
    by: &UserId,
) -> Result<Option<CreditAlert>, StoreError> {
    let before = alert(tx.conn, org)?;
    if unless_changed_since.is_some() && unless_changed_since != before.map(|alert| alert.updated_at) {
        return Ok(None);
    }
    let updated_at = before.map_or(tx.now, |before| changed_at(tx.now, before.updated_at));
    tx.conn.exec(
        "INSERT INTO credit_alerts (org, threshold, created_at, updated_at) VALUES (?1, ?2, ?3, ?3)
         ON CONFLICT (org) DO UPDATE SET threshold = excluded.threshold, updated_at = excluded.updated_at",
        params![org.0.as_bytes(), threshold, updated_at.0],
    )?;
    let details = json!({ "threshold_millionths": threshold });
    record(tx, org, Some(by), "credit_alert.set", &org.to_string(), &details)?;
    alert(tx.conn, org)
}

#[async_trait]
impl Ledger for Sqlite {
    async fn balance(&self, org: OrgId) -> Result<i64, StoreError> {
        self.read(move |conn| balance(conn, org)).await
    }

    async fn entries(&self, org: OrgId, window: Window) -> Result<Page<Entry>, StoreError> {
        self.read(move |conn| {
            let org = org.0.as_bytes();
            let total = conn.count("SELECT count(*) FROM entries WHERE org = ?1", [org])?;
            let (limit, offset) = limits(window);
            let entries = conn.all(
                &format!(
                    "SELECT {ENTRY_COLUMNS} FROM entries WHERE org = ?1 ORDER BY seq DESC LIMIT ?2 OFFSET ?3"
                ),
                params![org, limit, offset],
                entry,
            )?;
            Ok(Page { entries, total })
        })
        .await
    }

    async fn entries_before(
        &self,
        org: OrgId,
        before: Option<EntryId>,
        limit: u32,
    ) -> Result<Vec<Entry>, StoreError> {
        self.read(move |conn| {
            let seq = match before {
                None => Some(i64::MAX),
                Some(before) => conn.one(
                    "SELECT seq FROM entries WHERE id = ?1 AND org = ?2",
                    params![before.0.as_bytes(), org.0.as_bytes()],
                    |row| row.get(0),
                )?,
            };
            let Some(seq) = seq else { return Ok(Vec::new()) };
            conn.all(
                &format!(
                    "SELECT {ENTRY_COLUMNS} FROM entries WHERE org = ?1 AND seq < ?2 ORDER BY seq DESC LIMIT ?3"
                ),
                params![org.0.as_bytes(), seq, limit],
                entry,
            )
        })
        .await
    }

    async fn top_up(&self, org: OrgId, top_up: &TopUp) -> Result<i64, StoreError> {
        let top_up = top_up.clone();
        self.write("top_up", move |tx| enter_top_up(tx, org, &top_up)).await
    }

    async fn credit_alert(&self, org: OrgId) -> Result<Option<CreditAlert>, StoreError> {
        self.read(move |conn| alert(conn, org)).await
    }

    async fn set_credit_alert(
        &self,
        org: OrgId,
        threshold: i64,
        unless_changed_since: Option<Timestamp>,
        by: &UserId,
    ) -> Result<Option<CreditAlert>, StoreError> {
        let by = by.clone();
        self.write("set_credit_alert", move |tx| set_alert(tx, org, threshold, unless_changed_since, &by))
            .await
    }
}
