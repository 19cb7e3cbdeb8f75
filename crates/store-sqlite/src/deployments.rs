//! Workflows of other programs that are deployed here.

use async_trait::async_trait;
use domain::id::{OrgId, UserId};
use rusqlite::{Row, params};
use serde_json::{Value, json};
use store::{Deployment, Deployments, StoreError};
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

fn deploy(tx: &Tx<'_>, new: &Deployment) -> Result<(), StoreError> {
    let there = tx.conn.one("SELECT org FROM deployments WHERE id = ?1", [new.id.as_bytes()], |row| {
        uuid(row, 0).map(OrgId)
    })?;
    match there {
        Some(org) if org == new.org => return Ok(()),
        Some(_) => return Err(StoreError::Conflict("a deployed workflow of this id".to_owned())),
        None => {}
    }
    let namesake = "SELECT 1 FROM deployments WHERE org = ?1 AND slug = ?2";
    if tx.conn.one(namesake, params![new.org.0.as_bytes(), new.slug], |_| Ok(()))?.is_some() {
        return Err(StoreError::Conflict(format!("a deployed workflow named `{}`", new.slug)));
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
    audit::record(tx, new.org, Some(&new.created_by), "deployment.made", &new.id.to_string(), &details)
}

fn redeploy(tx: &Tx<'_>, org: OrgId, id: Uuid, changes: &Value) -> Result<Option<Deployment>, StoreError> {
    let found = tx.conn.one(
        &format!("SELECT {COLUMNS} FROM deployments WHERE id = ?1 AND org = ?2"),
        params![id.as_bytes(), org.0.as_bytes()],
        deployment,
    )?;
    let Some(mut found) = found else { return Ok(None) };
    let unreadable = || StoreError::Corrupt(format!("the deployed workflow `{id}` is not an object"));
    let body = found.body.as_object_mut().ok_or_else(unreadable)?;
    for (name, value) in changes.as_object().into_iter().flatten() {
        body.insert(name.clone(), value.clone());
    }
    found.updated_at = tx.now;
    tx.conn.exec(
        "UPDATE deployments SET body = ?2, updated_at = ?3 WHERE id = ?1",
        params![id.as_bytes(), to_json(&found.body)?, tx.now.0],
    )?;
    Ok(Some(found))
}

#[async_trait]
impl Deployments for Sqlite {
    async fn deploy(&self, deployment: &Deployment) -> Result<(), StoreError> {
        let deployment = deployment.clone();
        self.write("deploy", move |tx| deploy(tx, &deployment)).await
    }

    async fn redeploy(
        &self,
        org: OrgId,
        id: Uuid,
        changes: &Value,
    ) -> Result<Option<Deployment>, StoreError> {
        let changes = changes.clone();
        self.write("redeploy", move |tx| redeploy(tx, org, id, &changes)).await
    }

    async fn deployments(&self, org: OrgId) -> Result<Vec<Deployment>, StoreError> {
        self.read(move |conn| {
            conn.all(
                &format!("SELECT {COLUMNS} FROM deployments WHERE org = ?1 ORDER BY created_at, id"),
                [org.0.as_bytes()],
                deployment,
            )
        })
        .await
    }
}
