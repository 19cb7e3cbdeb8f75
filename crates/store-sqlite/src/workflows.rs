//! Workflows, the pictures an organization may see, and its credits.

use async_trait::async_trait;
use domain::access::Author;
use domain::id::{EntryId, OrgId, RunId, UserId, VersionId, WorkflowId};
use domain::image::{ContentHash, Image};
use domain::ledger::{Entry, Kind};
use domain::page::{Page, Window};
use domain::workflow::{Version, Workflow};
use rusqlite::{Connection, Row, named_params, params};
use store::{Images, Ledger, StoreError, Workflows};

use crate::database::Sqlite;
use crate::rows::{content_hash, json, limits, maybe_uuid, named, number, time, to_json, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

const WORKFLOW_COLUMNS: &str = "w.id, w.org, w.name, w.author, w.author_given_name, w.author_family_name, \
     w.author_email, v.id, v.saved_at, v.steps, v.price";

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
        version: Version {
            id: VersionId(uuid(row, 7)?),
            saved_at: time(row, 8)?,
            steps: json(row, 9)?,
            price: row.get(10)?,
        },
    })
}

/// Saves a version as the latest of its workflow, which it makes if there is none. Saving the same version again
/// changes nothing.
pub(crate) fn save_workflow(conn: &Connection, workflow: &Workflow) -> Result<(), StoreError> {
    let conflict = |what: String| Err(StoreError::Conflict(what));
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
        "SELECT workflow = ?2 AND steps = ?3 AND price = ?4 FROM versions WHERE id = ?1",
        params![version.id.0.as_bytes(), id, steps, version.price],
        |row| row.get::<_, bool>(0),
    )?;
    match same {
        Some(true) => return Ok(()),
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
                 (id, org, name, author, author_given_name, author_family_name, author_email, latest)
             VALUES (:id, :org, :name, :author, :given_name, :family_name, :email, :latest)",
            named_params! {
                ":id": id,
                ":org": org,
                ":name": workflow.name,
                ":author": author.id.0,
                ":given_name": author.given_name,
                ":family_name": author.family_name,
                ":email": author.email,
                ":latest": version.id.0.as_bytes(),
            },
        )?;
    }
    conn.exec(
        "INSERT INTO versions (id, workflow, saved_at, steps, price) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![version.id.0.as_bytes(), id, version.saved_at.0, steps, version.price],
    )
    .map(drop)
}

#[async_trait]
impl Workflows for Sqlite {
    async fn workflows(&self, org: OrgId, window: Window) -> Result<Page<Workflow>, StoreError> {
        self.read(move |conn| {
            let org = org.0.as_bytes();
            let total = conn.count("SELECT count(*) FROM workflows WHERE org = ?1", [org])?;
            let (limit, offset) = limits(window);
            let entries = conn.all(
                &format!(
                    "SELECT {WORKFLOW_COLUMNS} FROM workflows w JOIN versions v ON v.id = w.latest
                     WHERE w.org = ?1 ORDER BY w.seq LIMIT ?2 OFFSET ?3"
                ),
                params![org, limit, offset],
                workflow,
            )?;
            Ok(Page { entries, total })
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
        self.write("save_workflow", move |tx| save_workflow(tx.conn, &workflow)).await
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
                    |row| {
                        Ok(Image {
                            hash: content_hash(row, 0)?,
                            media_type: row.get(1)?,
                            bytes: number(row, 2)?,
                            width: row.get(3)?,
                            height: row.get(4)?,
                        })
                    },
                )?;
                if found.is_some() {
                    return Ok(found);
                }
            }
            Ok(None)
        })
        .await
    }
}

/// The balance of an organization that there is.
pub(crate) fn balance(conn: &Connection, org: OrgId) -> Result<i64, StoreError> {
    conn.one("SELECT balance FROM orgs WHERE id = ?1", [org.0.as_bytes()], |row| row.get(0))?
        .ok_or_else(|| StoreError::Missing(format!("organization `{org}`")))
}

/// Enters a movement of credits that the balance allows; answers the balance after it.
pub(crate) fn enter(
    tx: &Tx<'_>,
    org: OrgId,
    id: EntryId,
    kind: Kind,
    amount: i64,
    run: Option<RunId>,
) -> Result<i64, StoreError> {
    let after = tx
        .conn
        .one(
            "UPDATE orgs SET balance = balance + ?2 WHERE id = ?1 RETURNING balance",
            params![org.0.as_bytes(), amount],
            |row| row.get(0),
        )?
        .ok_or_else(|| StoreError::Missing(format!("organization `{org}`")))?;
    tx.conn.exec(
        "INSERT INTO entries (id, org, kind, amount, balance, run, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            id.0.as_bytes(),
            org.0.as_bytes(),
            kind.as_str(),
            amount,
            after,
            run.as_ref().map(|run| run.0.as_bytes()),
            tx.now.0
        ],
    )?;
    Ok(after)
}

/// Gives credits once for that entry; answers the balance after it. Giving none enters nothing.
pub(crate) fn enter_grant(tx: &Tx<'_>, org: OrgId, id: EntryId, credits: u32) -> Result<i64, StoreError> {
    let there = tx.conn.one("SELECT org, kind FROM entries WHERE id = ?1", [id.0.as_bytes()], |row| {
        Ok((OrgId(uuid(row, 0)?), named(row, 1, Kind::parse)?))
    })?;
    match there {
        Some(found) if found != (org, Kind::Grant) => {
            Err(StoreError::Conflict("a ledger entry of this id".to_owned()))
        }
        None if credits > 0 => enter(tx, org, id, Kind::Grant, i64::from(credits), None),
        _ => balance(tx.conn, org),
    }
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
                "SELECT id, org, kind, amount, balance, run, at FROM entries
                 WHERE org = ?1 ORDER BY seq DESC LIMIT ?2 OFFSET ?3",
                params![org, limit, offset],
                |row| {
                    Ok(Entry {
                        id: EntryId(uuid(row, 0)?),
                        org: OrgId(uuid(row, 1)?),
                        kind: named(row, 2, Kind::parse)?,
                        amount: row.get(3)?,
                        balance: row.get(4)?,
                        run: maybe_uuid(row, 5)?.map(RunId),
                        at: time(row, 6)?,
                    })
                },
            )?;
            Ok(Page { entries, total })
        })
        .await
    }

    async fn grant(&self, org: OrgId, entry: EntryId, credits: u32) -> Result<i64, StoreError> {
        self.write("grant", move |tx| enter_grant(tx, org, entry, credits)).await
    }
}
