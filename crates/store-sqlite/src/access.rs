//! Organizations, users, connections and sign-ins.

use async_trait::async_trait;
use domain::access::{
    Connection as Program, ConnectionKind, Consent, DeviceGrant, GrantState, Member, Org, Poll, Role,
    SecretHash, User,
};
use domain::id::{ConnectionId, GrantId, OrgId, OrgVersion, UserId};
use domain::page::{Page, Window};
use domain::time::{Millis, Timestamp};
use domain::workflow::Workflow;
use rusqlite::{Connection, Row, named_params, params};
use serde_json::json;
use store::{Access, Founding, NewUser, SigningKey, StoreError, TopUp};

use crate::accounts::NOTE_AGAIN;
use crate::audit::record;
use crate::database::Sqlite;
use crate::rows::{id_list, limits, maybe_uuid, named, secret_hash, time, unreadable, uuid};
use crate::sql::Sql;
use crate::workflows::{enter_top_up, save_workflow};
use crate::writer::Tx;

/// How long a sign-in that is over is still known as such.
const KEEP_GRANTS: Millis = Millis::seconds(24 * 3600);

const PROGRAM_COLUMNS: &str =
    "id, user, org, name, created_at, scope, refresh_token, api_key, kind, last_used_at";

fn program(row: &Row<'_>) -> rusqlite::Result<Program> {
    Ok(Program {
        id: ConnectionId(uuid(row, 0)?),
        user: UserId(row.get(1)?),
        org: OrgId(uuid(row, 2)?),
        name: row.get(3)?,
        created_at: time(row, 4)?,
        scope: row.get(5)?,
        refresh_token: secret_hash(row, 6)?,
        api_key: row.get::<_, Option<[u8; 32]>>(7)?.map(SecretHash),
        kind: named(row, 8, ConnectionKind::parse)?,
    })
}

fn file_program(tx: &Tx<'_>, program: &Program) -> Result<(), StoreError> {
    tx.conn.exec(
        "INSERT INTO connections (id, user, org, name, created_at, scope, refresh_token, api_key, kind)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        params![
            program.id.0.as_bytes(),
            program.user.0,
            program.org.0.as_bytes(),
            program.name,
            program.created_at.0,
            program.scope,
            program.refresh_token.0,
            program.api_key.map(|key| key.0),
            program.kind.as_str(),
        ],
    )?;
    let details = json!({ "name": program.name, "kind": program.kind });
    record(tx, program.org, Some(&program.user), "connection.made", &program.id.to_string(), &details)
}

const GRANT_COLUMNS: &str =
    "id, device_code, user_code, client, scope, created_at, expires_at, state, last_poll, user, org";

fn grant(row: &Row<'_>) -> rusqlite::Result<DeviceGrant> {
    let state = match row.get_ref(7)?.as_str()? {
        "pending" => GrantState::Pending { last_poll: row.get::<_, Option<i64>>(8)?.map(Timestamp) },
        "approved" => GrantState::Approved {
            user: UserId(row.get(9)?),
            org: OrgId(
                maybe_uuid(row, 10)?.ok_or_else(|| unreadable(10, "an approval without organization"))?,
            ),
        },
        "denied" => GrantState::Denied,
        "used" => GrantState::Used,
        other => return Err(unreadable(7, format!("no meaning is known for `{other}`"))),
    };
    Ok(DeviceGrant {
        id: GrantId(uuid(row, 0)?),
        device_code: secret_hash(row, 1)?,
        user_code: row.get(2)?,
        client: row.get(3)?,
        scope: row.get(4)?,
        created_at: time(row, 5)?,
        expires_at: time(row, 6)?,
        state,
    })
}

fn write_state(conn: &Connection, id: GrantId, state: &GrantState) -> Result<(), StoreError> {
    let (name, last_poll, user, org) = match state {
        GrantState::Pending { last_poll } => ("pending", last_poll.map(|at| at.0), None, None),
        GrantState::Approved { user, org } => ("approved", None, Some(&user.0), Some(org.0.as_bytes())),
        GrantState::Denied => ("denied", None, None, None),
        GrantState::Used => ("used", None, None, None),
    };
    conn.exec(
        "UPDATE grants SET state = ?2, last_poll = ?3, user = ?4, org = ?5 WHERE id = ?1",
        params![id.0.as_bytes(), name, last_poll, user, org],
    )
    .map(drop)
}

pub(crate) fn user(row: &Row<'_>, first: usize) -> rusqlite::Result<User> {
    Ok(User {
        id: UserId(row.get(first)?),
        email: row.get(first + 1)?,
        given_name: row.get(first + 2)?,
        family_name: row.get(first + 3)?,
        picture: row.get(first + 4)?,
    })
}

fn with_members(conn: &Connection, mut org: Org) -> Result<Org, StoreError> {
    org.members = conn.all(
        "SELECT u.id, u.email, u.given_name, u.family_name, u.picture, m.role
         FROM members m JOIN users u ON u.id = m.user WHERE m.org = ?1 ORDER BY m.seq",
        [org.id.0.as_bytes()],
        |row| Ok(Member { user: user(row, 0)?, role: named(row, 5, Role::parse)? }),
    )?;
    Ok(org)
}

fn bare_org(row: &Row<'_>) -> rusqlite::Result<Org> {
    Ok(Org {
        id: OrgId(uuid(row, 0)?),
        version: OrgVersion(uuid(row, 1)?),
        name: row.get(2)?,
        members: Vec::new(),
    })
}

fn insert_org(conn: &Connection, org: &Org) -> Result<(), StoreError> {
    conn.exec(
        "INSERT INTO orgs (id, version, name) VALUES (?1, ?2, ?3)",
        params![org.id.0.as_bytes(), org.version.0.as_bytes(), org.name],
    )
    .map(drop)
}

pub(crate) fn insert_user(conn: &Connection, new: &NewUser) -> Result<(), StoreError> {
    let NewUser { user, password_hash } = new;
    conn.exec(
        "INSERT INTO users (id, email, email_key, given_name, family_name, picture, password_hash)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        params![
            user.id.0,
            user.email,
            user.email.to_lowercase(),
            user.given_name,
            user.family_name,
            user.picture,
            password_hash
        ],
    )
    .map(drop)
}

pub(crate) fn insert_member(
    conn: &Connection,
    org: OrgId,
    user: &UserId,
    role: Role,
) -> Result<(), StoreError> {
    conn.exec(
        "INSERT INTO members (org, user, role) VALUES (?1, ?2, ?3)",
        params![org.0.as_bytes(), user.0, role.as_str()],
    )
    .map(drop)
}

fn found(tx: &Tx<'_>, founding: &Founding) -> Result<bool, StoreError> {
    if tx.conn.one("SELECT 1 FROM orgs LIMIT 1", [], |_| Ok(()))?.is_some() {
        return Ok(false);
    }
    let org = &founding.org;
    insert_org(tx.conn, org)?;
    insert_user(tx.conn, &founding.admin)?;
    insert_member(tx.conn, org.id, &founding.admin.user.id, Role::Admin)?;
    for workflow in &founding.workflows {
        save_workflow(tx.conn, workflow)?;
    }
    let first = TopUp {
        entry: founding.grant,
        credits: founding.credits,
        by: None,
        note: "first credits".to_owned(),
    };
    enter_top_up(tx, org.id, &first)?;
    let SigningKey { kid, private, created_at } = &founding.signing_key;
    tx.conn.exec(
        "INSERT INTO signing_keys (kid, private, created_at) VALUES (?1, ?2, ?3)",
        params![kid, private, created_at.0],
    )?;
    Ok(true)
}

fn poll(
    tx: &Tx<'_>,
    code: SecretHash,
    least_pause: Millis,
    offered: &Program,
) -> Result<Option<Poll>, StoreError> {
    let sql = format!("SELECT {GRANT_COLUMNS} FROM grants WHERE device_code = ?1");
    let Some(grant) = tx.conn.one(&sql, [code.0], grant)? else {
        return Ok(None);
    };
    let (answer, after) = grant.poll(tx.now, least_pause);
    if after != grant.state {
        write_state(tx.conn, grant.id, &after)?;
    }
    if let Poll::Ready { user, org, scope } = &answer {
        let connection = Program { user: user.clone(), org: *org, scope: scope.clone(), ..offered.clone() };
        file_program(tx, &connection)?;
    }
    Ok(Some(answer))
}

impl Sqlite {
    /// The connection whose `column` holds that secret, and notes that it was used.
    async fn used(&self, column: &'static str, secret: SecretHash) -> Result<Option<Program>, StoreError> {
        let sql =
            format!("SELECT {PROGRAM_COLUMNS} FROM connections WHERE {column} = ?1 AND revoked_at IS NULL");
        let read = |row: &Row<'_>| Ok((program(row)?, row.get::<_, Option<i64>>(9)?));
        let found = self.read(move |conn| conn.one(&sql, [secret.0], read)).await?;
        let Some((program, last_used_at)) = found else {
            return Ok(None);
        };
        if last_used_at.is_none_or(|at| self.now() - Timestamp(at) >= NOTE_AGAIN) {
            let id = program.id;
            let noted = self.write("note_connection", move |tx| {
                let sql = "UPDATE connections SET last_used_at = ?2 WHERE id = ?1";
                tx.conn.exec(sql, params![id.0.as_bytes(), tx.now.0])
            });
            // Whoever holds the secret is let in, noted or not.
            if let Err(error) = noted.await {
                tracing::warn!(connection.id = %id, %error, "cannot note that a connection was used");
            }
        }
        Ok(Some(program))
    }
}

#[async_trait]
impl Access for Sqlite {
    async fn found(&self, founding: &Founding) -> Result<bool, StoreError> {
        let founding = founding.clone();
        self.write("found", move |tx| found(tx, &founding)).await
    }

    async fn add_org(
        &self,
        org: &Org,
        admin: &NewUser,
        workflows: &[Workflow],
        credits: Option<&TopUp>,
    ) -> Result<(), StoreError> {
        let (org, admin) = (org.clone(), admin.clone());
        let (workflows, credits) = (workflows.to_vec(), credits.cloned());
        self.write("add_org", move |tx| {
            insert_org(tx.conn, &org)?;
            let known = "SELECT 1 FROM users WHERE id = ?1";
            if tx.conn.one(known, [&admin.user.id.0], |_| Ok(()))?.is_none() {
                insert_user(tx.conn, &admin)?;
            }
            insert_member(tx.conn, org.id, &admin.user.id, Role::Admin)?;
            let details = json!({ "name": org.name, "email": admin.user.email });
            record(tx, org.id, None, "organization.made", &org.id.to_string(), &details)?;
            for workflow in &workflows {
                save_workflow(tx.conn, workflow)?;
            }
            if let Some(first) = &credits {
                enter_top_up(tx, org.id, first)?;
            }
            Ok(())
        })
        .await
    }

    async fn all_orgs(&self, window: Window) -> Result<Page<Org>, StoreError> {
        self.read(move |conn| {
            let total = conn.count("SELECT count(*) FROM orgs", [])?;
            let (limit, offset) = limits(window);
            let sql = "SELECT id, version, name FROM orgs ORDER BY seq LIMIT ?1 OFFSET ?2";
            let found = conn.all(sql, params![limit, offset], bare_org)?;
            let entries = found.into_iter().map(|org| with_members(conn, org)).collect::<Result<_, _>>()?;
            Ok(Page { entries, total })
        })
        .await
    }

    async fn signing_keys(&self) -> Result<Vec<SigningKey>, StoreError> {
        self.read(|conn| {
            conn.all(
                "SELECT kid, private, created_at FROM signing_keys ORDER BY created_at DESC, seq DESC",
                [],
                |row| Ok(SigningKey { kid: row.get(0)?, private: row.get(1)?, created_at: time(row, 2)? }),
            )
        })
        .await
    }

    async fn memberships(&self, user: &UserId) -> Result<Vec<(OrgId, Role)>, StoreError> {
        let user = user.clone();
        self.read(move |conn| {
            conn.all("SELECT org, role FROM members WHERE user = ?1 ORDER BY seq", [user.0], |row| {
                Ok((OrgId(uuid(row, 0)?), named(row, 1, Role::parse)?))
            })
        })
        .await
    }

    async fn orgs(&self, among: &[OrgId], window: Window) -> Result<Page<Org>, StoreError> {
        let among = id_list(among.iter().map(|org| org.0));
        self.read(move |conn| {
            const AMONG: &str = "FROM orgs WHERE id IN (SELECT unhex(value) FROM json_each(?1))";
            let total = conn.count(&format!("SELECT count(*) {AMONG}"), [&among])?;
            let (limit, offset) = limits(window);
            let found = conn.all(
                &format!(
                    "SELECT id, version, name {AMONG} ORDER BY name COLLATE NOCASE, name, id LIMIT ?2 OFFSET ?3"
                ),
                params![among, limit, offset],
                bare_org,
            )?;
            let entries = found.into_iter().map(|org| with_members(conn, org)).collect::<Result<_, _>>()?;
            Ok(Page { entries, total })
        })
        .await
    }

    async fn org(&self, org: OrgId) -> Result<Option<Org>, StoreError> {
        self.read(move |conn| {
            conn.one("SELECT id, version, name FROM orgs WHERE id = ?1", [org.0.as_bytes()], bare_org)?
                .map(|org| with_members(conn, org))
                .transpose()
        })
        .await
    }

    async fn first_org(&self) -> Result<Option<Org>, StoreError> {
        self.read(|conn| {
            conn.one("SELECT id, version, name FROM orgs ORDER BY seq LIMIT 1", [], bare_org)?
                .map(|org| with_members(conn, org))
                .transpose()
        })
        .await
    }

    async fn user_by_email(&self, email: &str) -> Result<Option<NewUser>, StoreError> {
        let key = email.to_lowercase();
        self.read(move |conn| {
            conn.one(
                "SELECT id, email, given_name, family_name, picture, password_hash FROM users WHERE email_key = ?1",
                [key],
                |row| Ok(NewUser { user: user(row, 0)?, password_hash: row.get(5)? }),
            )
        })
        .await
    }

    async fn connect(&self, connection: &Program) -> Result<(), StoreError> {
        let connection = connection.clone();
        self.write("connect", move |tx| file_program(tx, &connection)).await
    }

    async fn connection_by_refresh_token(&self, token: SecretHash) -> Result<Option<Program>, StoreError> {
        self.used("refresh_token", token).await
    }

    async fn connection_by_api_key(&self, key: SecretHash) -> Result<Option<Program>, StoreError> {
        self.used("api_key", key).await
    }

    async fn revoke(&self, token: SecretHash) -> Result<Option<ConnectionId>, StoreError> {
        self.write("revoke", move |tx| {
            let sql = format!(
                "UPDATE connections SET revoked_at = ?2 WHERE refresh_token = ?1 AND revoked_at IS NULL
                 RETURNING {PROGRAM_COLUMNS}"
            );
            let Some(ended) = tx.conn.one(&sql, params![token.0, tx.now.0], program)? else {
                return Ok(None);
            };
            let details = json!({ "user": ended.user, "name": ended.name });
            let subject = ended.id.to_string();
            record(tx, ended.org, Some(&ended.user), "connection.revoked", &subject, &details)?;
            Ok(Some(ended.id))
        })
        .await
    }

    async fn begin_grant(&self, grant: &DeviceGrant) -> Result<(), StoreError> {
        let grant = grant.clone();
        self.write("begin_grant", move |tx| {
            tx.conn.exec("DELETE FROM grants WHERE expires_at < ?1", [tx.now.0 - KEEP_GRANTS.0])?;
            let same = "SELECT 1 FROM grants WHERE user_code = ?1 AND expires_at > ?2 AND state = 'pending'";
            if tx.conn.one(same, params![grant.user_code, tx.now.0], |_| Ok(()))?.is_some() {
                return Err(StoreError::Conflict("an open sign-in with this user code".to_owned()));
            }
            tx.conn.exec(
                "INSERT INTO grants (id, device_code, user_code, client, scope, created_at, expires_at, state)
                 VALUES (:id, :device_code, :user_code, :client, :scope, :created_at, :expires_at, 'pending')",
                named_params! {
                    ":id": grant.id.0.as_bytes(),
                    ":device_code": grant.device_code.0,
                    ":user_code": grant.user_code,
                    ":client": grant.client,
                    ":scope": grant.scope,
                    ":created_at": grant.created_at.0,
                    ":expires_at": grant.expires_at.0,
                },
            )?;
            write_state(tx.conn, grant.id, &grant.state)
        })
        .await
    }

    async fn grant_by_user_code(&self, user_code: &str) -> Result<Option<DeviceGrant>, StoreError> {
        let (user_code, now) = (user_code.to_owned(), self.now());
        self.read(move |conn| {
            conn.one(
                &format!(
                    "SELECT {GRANT_COLUMNS} FROM grants
                     WHERE user_code = ?1 AND expires_at > ?2 AND state = 'pending'"
                ),
                params![user_code, now.0],
                grant,
            )
        })
        .await
    }

    async fn decide_grant(&self, id: GrantId, consent: &Consent) -> Result<bool, StoreError> {
        let consent = consent.clone();
        self.write("decide_grant", move |tx| {
            let sql = format!("SELECT {GRANT_COLUMNS} FROM grants WHERE id = ?1");
            let Some(open) =
                tx.conn.one(&sql, [id.0.as_bytes()], grant)?.filter(|grant| grant.is_open(tx.now))
            else {
                return Ok(false);
            };
            let (state, by, action) = match consent.clone() {
                Consent::Yes { user, org } => {
                    (GrantState::Approved { user: user.clone(), org }, Some((user, org)), "device.confirmed")
                }
                Consent::No { by } => (GrantState::Denied, by, "device.denied"),
            };
            write_state(tx.conn, open.id, &state)?;
            if let Some((user, org)) = by {
                let details = json!({ "client": open.client });
                record(tx, org, Some(&user), action, &open.id.to_string(), &details)?;
            }
            Ok(true)
        })
        .await
    }

    async fn poll_grant(
        &self,
        device_code: SecretHash,
        least_pause: Millis,
        connection: &Program,
    ) -> Result<Option<Poll>, StoreError> {
        let connection = connection.clone();
        self.write("poll_grant", move |tx| poll(tx, device_code, least_pause, &connection)).await
    }
}
