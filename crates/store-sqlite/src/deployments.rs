//! Workflows of other programs that are deployed here.

use async_trait::async_trait;
use domain::id::{OrgId, UserId};
use rusqlite::{Connection, Row, params};
use serde_json::{Value, json};
use store::{Deployment, DeploymentHead, Deployments, Redeployed, StoreError};
use uuid::Uuid;

use crate::audit;
use crate::database::Sqlite;
use crate::rows::{json as json_column, time, to_json, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

const COLUMNS: &str = "id, org, slug, body, created_by, created_at, updated_at";

fn deployment(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    Ok(Deployment {
        id: uuid(row, 0)?,
        org: OrgId(uuid(row, 1)?),
        slug: row.get(2)?,
        body: json_column(row, 3)?,
        created_by: UserId(row.get(4)?),
        created_at: time(row, 5)?,
        updated_at: time(row, 6)?,
    })
}

/// A name that is no text is none.
const HEAD: &str = "id, slug, CASE json_type(body, '$.name') WHEN 'text' THEN json_extract(body, '$.name') END, \
                    octet_length(body), created_at, updated_at";

fn head(row: &Row<'_>) -> rusqlite::Result<DeploymentHead> {
    Ok(DeploymentHead {
        id: uuid(row, 0)?,
        slug: row.get(1)?,
        name: row.get(2)?,
        bytes: row.get::<_, i64>(3)?.unsigned_abs(),
        created_at: time(row, 4)?,
        updated_at: time(row, 5)?,
    })
}

fn deploy(tx: &Tx<'_>, new: &Deployment, most: usize) -> Result<bool, StoreError> {
    let there = tx.conn.one("SELECT org FROM deployments WHERE id = ?1", [new.id.as_bytes()], |row| {
        uuid(row, 0).map(OrgId)
    })?;
    match there {
        Some(org) if org == new.org => return Ok(true),
        Some(_) => return Err(StoreError::Conflict("a deployed workflow of this id".to_owned())),
        None => {}
    }
    let namesake = "SELECT 1 FROM deployments WHERE org = ?1 AND slug = ?2";
    if tx.conn.one(namesake, params![new.org.0.as_bytes(), new.slug], |_| Ok(()))?.is_some() {
        return Err(StoreError::Conflict(format!("a deployed workflow named `{}`", new.slug)));
    }
    let count = "SELECT count(*) FROM deployments WHERE org = ?1";
    let there = tx.conn.one(count, [new.org.0.as_bytes()], |row| row.get::<_, i64>(0))?;
    if there.is_some_and(|there| usize::try_from(there).is_ok_and(|there| there >= most)) {
        return Ok(false);
    }
    tx.conn.exec(
        "INSERT INTO deployments (id, org, slug, body, created_by, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            new.id.as_bytes(),
            new.org.0.as_bytes(),
            new.slug,
            to_json(&new.body)?,
            new.created_by.0,
            new.created_at.0,
            new.updated_at.0,
        ],
    )?;
    let details = json!({ "slug": new.slug });
    audit::record(tx, new.org, Some(&new.created_by), "deployment.made", &new.id.to_string(), &details)?;
    Ok(true)
}

fn one(conn: &Connection, org: OrgId, id: Uuid) -> Result<Option<Deployment>, StoreError> {
    conn.one(
        &format!("SELECT {COLUMNS} FROM deployments WHERE id = ?1 AND org = ?2"),
        params![id.as_bytes(), org.0.as_bytes()],
        deployment,
    )
}

fn redeploy(
    tx: &Tx<'_>,
    org: OrgId,
    id: Uuid,
    changes: &Value,
    bytes_max: usize,
) -> Result<Redeployed, StoreError> {
    let Some(mut found) = one(tx.conn, org, id)? else { return Ok(Redeployed::Missing) };
    let unreadable = || StoreError::Corrupt(format!("the deployed workflow `{id}` is not an object"));
    let body = found.body.as_object_mut().ok_or_else(unreadable)?;
    for (name, value) in changes.as_object().into_iter().flatten() {
        body.insert(name.clone(), value.clone());
    }
    let written = to_json(&found.body)?;
    if written.len() > bytes_max {
        return Ok(Redeployed::TooLarge);
    }
    found.updated_at = tx.now;
    tx.conn.exec(
        "UPDATE deployments SET body = ?2, updated_at = ?3 WHERE id = ?1",
        params![id.as_bytes(), written, tx.now.0],
    )?;
    Ok(Redeployed::Now(found))
}

#[async_trait]
impl Deployments for Sqlite {
    async fn deploy(&self, deployment: &Deployment, most: usize) -> Result<bool, StoreError> {
        let deployment = deployment.clone();
        self.write("deploy", move |tx| deploy(tx, &deployment, most)).await
    }

    async fn redeploy(
        &self,
        org: OrgId,
        id: Uuid,
        changes: &Value,
        bytes_max: usize,
    ) -> Result<Redeployed, StoreError> {
        let changes = changes.clone();
        self.write("redeploy", move |tx| redeploy(tx, org, id, &changes, bytes_max)).await
    }

    async fn deployment(&self, org: OrgId, id: Uuid) -> Result<Option<Deployment>, StoreError> {
        self.read(move |conn| one(conn, org, id)).await
    }

    async fn deployment_called(&self, org: OrgId, slug: &str) -> Result<Option<Uuid>, StoreError> {
        let slug = slug.to_owned();
        self.read(move |conn| {
            let called = "SELECT id FROM deployments WHERE org = ?1 AND slug = ?2";
            conn.one(called, params![org.0.as_bytes(), slug], |row| uuid(row, 0))
        })
        .await
    }

    async fn deployments(&self, org: OrgId) -> Result<Vec<DeploymentHead>, StoreError> {
        self.read(move |conn| {
            conn.all(
                &format!("SELECT {HEAD} FROM deployments WHERE org = ?1 ORDER BY created_at, id"),
                [org.0.as_bytes()],
                head,
            )
        })
        .await
    }
}
