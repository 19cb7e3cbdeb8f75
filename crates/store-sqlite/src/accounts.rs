//! People: their browsers, the links that invite them, their roles, and the connections that act for them.

use async_trait::async_trait;
use domain::access::{ConnectionKind, ListedConnection, Role, SecretHash};
use domain::account::{Invitation, InvitationState, Session};
use domain::id::{ConnectionId, InvitationId, OrgId, UserId};
use domain::time::{Millis, Timestamp};
use rusqlite::{Connection, Row, params};
use serde_json::json;
use store::{Accounts, Joined, Joining, MemberChange, NewUser, StoreError};

use crate::access::{insert_member, insert_user, user};
use crate::audit::{fresh_uuid, record};
use crate::database::Sqlite;
use crate::rows::{id_list, maybe_uuid, named, secret_hash, time, unreadable, uuid};
use crate::sql::Sql;
use crate::writer::Tx;

/// Uses are noted this often at most: a write for each would be one for every request.
pub(crate) const NOTE_AGAIN: Millis = Millis::seconds(60);

fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        secret: secret_hash(row, 0)?,
        user: UserId(row.get(1)?),
        org: maybe_uuid(row, 2)?.map(OrgId),
        made_at: time(row, 3)?,
        last_seen_at: time(row, 4)?,
        expires_at: time(row, 5)?,
    })
}

fn close_sessions(conn: &Connection, user: &UserId, keep: Option<SecretHash>) -> Result<u64, StoreError> {
    let keep = keep.map_or([0; 32], |keep| keep.0);
    conn.exec("DELETE FROM sessions WHERE user = ?1 AND secret <> ?2", params![user.0, keep])
        .map(|closed| closed as u64)
}

const INVITATION_COLUMNS: &str =
    "id, secret, org, role, email, invited_by, created_at, expires_at, state, decided_at, accepted_by";

fn invitation(row: &Row<'_>) -> rusqlite::Result<Invitation> {
    let at = || row.get::<_, Option<i64>>(9).map(|at| Timestamp(at.unwrap_or_default()));
    let state = match row.get_ref(8)?.as_str()? {
        "open" => InvitationState::Open,
        "accepted" => InvitationState::Accepted { by: UserId(row.get(10)?), at: at()? },
        "revoked" => InvitationState::Revoked { at: at()? },
        other => return Err(unreadable(8, format!("no meaning is known for `{other}`"))),
    };
    Ok(Invitation {
        id: InvitationId(uuid(row, 0)?),
        secret: secret_hash(row, 1)?,
        org: OrgId(uuid(row, 2)?),
        role: named(row, 3, Role::parse)?,
        email: row.get(4)?,
        invited_by: UserId(row.get(5)?),
        created_at: time(row, 6)?,
        expires_at: time(row, 7)?,
        state,
    })
}

fn open_invitation(
    conn: &Connection,
    secret: SecretHash,
    now: Timestamp,
) -> Result<Option<Invitation>, StoreError> {
    let sql = format!("SELECT {INVITATION_COLUMNS} FROM invitations WHERE secret = ?1");
    Ok(conn.one(&sql, [secret.0], invitation)?.filter(|invitation| invitation.is_open(now)))
}

fn role_of(conn: &Connection, org: OrgId, user: &UserId) -> Result<Option<Role>, StoreError> {
    let sql = "SELECT role FROM members WHERE org = ?1 AND user = ?2";
    conn.one(sql, params![org.0.as_bytes(), user.0], |row| named(row, 0, Role::parse))
}

fn is_last_admin(conn: &Connection, org: OrgId, role: Role) -> Result<bool, StoreError> {
    let sql = "SELECT count(*) FROM members WHERE org = ?1 AND role = 'admin'";
    Ok(role == Role::Admin && conn.count(sql, [org.0.as_bytes()])? == 1)
}

/// The organization's record was saved: it says who its members are.
fn saved(conn: &Connection, org: OrgId) -> Result<(), StoreError> {
    let version = fresh_uuid(conn)?;
    conn.exec("UPDATE orgs SET version = ?2 WHERE id = ?1", params![org.0.as_bytes(), version.as_bytes()])
        .map(drop)
}

/// Makes a user a member, who may be new.
fn add_member(tx: &Tx<'_>, org: OrgId, new: &NewUser, role: Role) -> Result<(), StoreError> {
    let known = "SELECT 1 FROM users WHERE id = ?1";
    if tx.conn.one(known, [&new.user.id.0], |_| Ok(()))?.is_none() {
        insert_user(tx.conn, new)?;
    }
    insert_member(tx.conn, org, &new.user.id, role)?;
    saved(tx.conn, org)
}

fn accept(tx: &Tx<'_>, secret: SecretHash, who: &Joining) -> Result<Joined, StoreError> {
    let Some(invitation) = open_invitation(tx.conn, secret, tx.now)? else {
        return Ok(Joined::Gone);
    };
    let joining = match who {
        Joining::New(new) => new.clone(),
        Joining::Known(id) => read_user(tx.conn, id)?
            .ok_or_else(|| StoreError::Missing("the user who accepts the invitation".to_owned()))?,
    };
    let user = &joining.user;
    if !invitation.is_for(&user.email) {
        return Ok(Joined::NotForThem);
    }
    if role_of(tx.conn, invitation.org, &user.id)?.is_some() {
        return Ok(Joined::Already);
    }
    add_member(tx, invitation.org, &joining, invitation.role)?;
    tx.conn.exec(
        "UPDATE invitations SET state = 'accepted', decided_at = ?2, accepted_by = ?3 WHERE id = ?1",
        params![invitation.id.0.as_bytes(), tx.now.0, user.id.0],
    )?;
    let details = json!({ "user": user.id, "email": user.email, "role": invitation.role });
    let subject = invitation.id.to_string();
    record(tx, invitation.org, Some(&user.id), "invitation.accepted", &subject, &details)?;
    Ok(Joined::Yes { org: invitation.org })
}

fn read_user(conn: &Connection, id: &UserId) -> Result<Option<NewUser>, StoreError> {
    conn.one(
        "SELECT id, email, given_name, family_name, picture, password_hash FROM users WHERE id = ?1",
        [&id.0],
        |row| Ok(NewUser { user: user(row, 0)?, password_hash: row.get(5)? }),
    )
}

/// Takes back the open invitations that somebody made in an organization in which they may not invite any more.
fn revoke_invitations_of(
    tx: &Tx<'_>,
    org: OrgId,
    user: &UserId,
    actor: Option<&UserId>,
) -> Result<(), StoreError> {
    let revoked = tx.conn.all(
        "UPDATE invitations SET state = 'revoked', decided_at = ?3
         WHERE org = ?1 AND invited_by = ?2 AND state = 'open' AND expires_at > ?3 RETURNING id",
        params![org.0.as_bytes(), user.0, tx.now.0],
        |row| uuid(row, 0).map(InvitationId),
    )?;
    for invitation in revoked {
        let details = json!({ "invited_by": user });
        record(tx, org, actor, "invitation.revoked", &invitation.to_string(), &details)?;
    }
    Ok(())
}

/// Tells the audits of all organizations a user belongs to.
fn record_everywhere(
    tx: &Tx<'_>,
    user: &UserId,
    actor: Option<&UserId>,
    action: &'static str,
) -> Result<(), StoreError> {
    let sql = "SELECT org FROM members WHERE user = ?1 ORDER BY seq";
    for org in tx.conn.all(sql, [&user.0], |row| uuid(row, 0).map(OrgId))? {
        record(tx, org, actor, action, &user.0, &json!({}))?;
    }
    Ok(())
}

const LISTED: &str = "SELECT c.id, c.org, c.kind, c.name, c.created_at, c.last_used_at,
         u.id, u.email, u.given_name, u.family_name, u.picture, c.scope
     FROM connections c JOIN users u ON u.id = c.user WHERE c.revoked_at IS NULL";

fn listed(row: &Row<'_>) -> rusqlite::Result<ListedConnection> {
    Ok(ListedConnection {
        id: ConnectionId(uuid(row, 0)?),
        org: OrgId(uuid(row, 1)?),
        kind: named(row, 2, ConnectionKind::parse)?,
        name: row.get(3)?,
        created_at: time(row, 4)?,
        last_used_at: row.get::<_, Option<i64>>(5)?.map(Timestamp),
        user: user(row, 6)?,
        scope: row.get(11)?,
    })
}

#[async_trait]
impl Accounts for Sqlite {
    async fn open_session(&self, session: &Session) -> Result<(), StoreError> {
        let session = session.clone();
        self.write("open_session", move |tx| {
            tx.conn.exec("DELETE FROM sessions WHERE expires_at <= ?1", [tx.now.0])?;
            tx.conn
                .exec(
                    "INSERT INTO sessions (secret, user, org, made_at, last_seen_at, expires_at)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                    params![
                        session.secret.0,
                        session.user.0,
                        session.org.map(|org| *org.0.as_bytes()),
                        session.made_at.0,
                        session.last_seen_at.0,
                        session.expires_at.0
                    ],
                )
                .map(drop)
        })
        .await
    }

    async fn session(&self, secret: SecretHash, idle: Millis) -> Result<Option<Session>, StoreError> {
        let now = self.now();
        let sql =
            "SELECT secret, user, org, made_at, last_seen_at, expires_at FROM sessions WHERE secret = ?1";
        let found = self.read(move |conn| conn.one(sql, [secret.0], session)).await?;
        let Some(mut found) = found.filter(|session| session.is_open(now, idle)) else {
            return Ok(None);
        };
        if now - found.last_seen_at >= NOTE_AGAIN {
            self.write("note_session", move |tx| {
                tx.conn.exec(
                    "UPDATE sessions SET last_seen_at = ?2 WHERE secret = ?1",
                    params![secret.0, tx.now.0],
                )
            })
            .await?;
            found.last_seen_at = now;
        }
        Ok(Some(found))
    }

    async fn select_org(&self, session: SecretHash, org: OrgId) -> Result<bool, StoreError> {
        self.write("select_org", move |tx| {
            let changed = tx.conn.exec(
                "UPDATE sessions SET org = ?2 WHERE secret = ?1
                 AND EXISTS (SELECT 1 FROM members m WHERE m.org = ?2 AND m.user = sessions.user)",
                params![session.0, org.0.as_bytes()],
            )?;
            Ok(changed == 1)
        })
        .await
    }

    async fn close_session(&self, secret: SecretHash) -> Result<(), StoreError> {
        self.write("close_session", move |tx| {
            tx.conn.exec("DELETE FROM sessions WHERE secret = ?1", [secret.0]).map(drop)
        })
        .await
    }

    async fn close_sessions(&self, user: &UserId, keep: Option<SecretHash>) -> Result<u64, StoreError> {
        let user = user.clone();
        self.write("close_sessions", move |tx| close_sessions(tx.conn, &user, keep)).await
    }

    async fn user(&self, user: &UserId) -> Result<Option<NewUser>, StoreError> {
        let user = user.clone();
        self.read(move |conn| read_user(conn, &user)).await
    }

    async fn set_names(
        &self,
        user: &UserId,
        given_name: Option<&str>,
        family_name: Option<&str>,
    ) -> Result<bool, StoreError> {
        let (user, given, family) =
            (user.clone(), given_name.map(str::to_owned), family_name.map(str::to_owned));
        self.write("set_names", move |tx| {
            let sql = "UPDATE users SET given_name = ?2, family_name = ?3 WHERE id = ?1";
            if tx.conn.exec(sql, params![user.0, given, family])? == 0 {
                return Ok(false);
            }
            record_everywhere(tx, &user, Some(&user), "user.renamed")?;
            Ok(true)
        })
        .await
    }

    async fn set_password(
        &self,
        user: &UserId,
        password_hash: &str,
        keep: Option<SecretHash>,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError> {
        let (user, hash, actor) = (user.clone(), password_hash.to_owned(), actor.cloned());
        self.write("set_password", move |tx| {
            let sql = "UPDATE users SET password_hash = ?2 WHERE id = ?1";
            if tx.conn.exec(sql, params![user.0, hash])? == 0 {
                return Ok(false);
            }
            close_sessions(tx.conn, &user, keep)?;
            record_everywhere(tx, &user, actor.as_ref(), "user.password_changed")?;
            Ok(true)
        })
        .await
    }

    async fn add_member(
        &self,
        org: OrgId,
        user: &NewUser,
        role: Role,
        actor: Option<&UserId>,
    ) -> Result<(), StoreError> {
        let (new, actor) = (user.clone(), actor.cloned());
        self.write("add_member", move |tx| {
            add_member(tx, org, &new, role)?;
            let details = json!({ "email": new.user.email, "role": role });
            record(tx, org, actor.as_ref(), "member.added", &new.user.id.0, &details)
        })
        .await
    }

    async fn set_role(
        &self,
        org: OrgId,
        user: &UserId,
        role: Role,
        actor: Option<&UserId>,
    ) -> Result<MemberChange, StoreError> {
        let (user, actor) = (user.clone(), actor.cloned());
        self.write("set_role", move |tx| {
            let Some(before) = role_of(tx.conn, org, &user)? else {
                return Ok(MemberChange::Missing);
            };
            if before == role {
                return Ok(MemberChange::Done);
            }
            if is_last_admin(tx.conn, org, before)? {
                return Ok(MemberChange::LastAdmin);
            }
            let sql = "UPDATE members SET role = ?3 WHERE org = ?1 AND user = ?2";
            tx.conn.exec(sql, params![org.0.as_bytes(), user.0, role.as_str()])?;
            saved(tx.conn, org)?;
            let details = json!({ "from": before, "to": role });
            record(tx, org, actor.as_ref(), "member.role_changed", &user.0, &details)?;
            if role != Role::Admin {
                revoke_invitations_of(tx, org, &user, actor.as_ref())?;
            }
            Ok(MemberChange::Done)
        })
        .await
    }

    async fn remove_member(
        &self,
        org: OrgId,
        user: &UserId,
        actor: Option<&UserId>,
    ) -> Result<MemberChange, StoreError> {
        let (user, actor) = (user.clone(), actor.cloned());
        self.write("remove_member", move |tx| {
            let Some(role) = role_of(tx.conn, org, &user)? else {
                return Ok(MemberChange::Missing);
            };
            if is_last_admin(tx.conn, org, role)? {
                return Ok(MemberChange::LastAdmin);
            }
            let both = params![org.0.as_bytes(), user.0];
            // Their connections and confirmed sign-ins go with the row.
            tx.conn.exec("DELETE FROM members WHERE org = ?1 AND user = ?2", both)?;
            tx.conn.exec("UPDATE sessions SET org = NULL WHERE org = ?1 AND user = ?2", both)?;
            saved(tx.conn, org)?;
            record(tx, org, actor.as_ref(), "member.removed", &user.0, &json!({ "role": role }))?;
            revoke_invitations_of(tx, org, &user, actor.as_ref())?;
            Ok(MemberChange::Done)
        })
        .await
    }

    async fn invite(&self, invitation: &Invitation) -> Result<(), StoreError> {
        let new = invitation.clone();
        self.write("invite", move |tx| {
            // Asked here once more: a role that was taken away since the request began invites nobody.
            if role_of(tx.conn, new.org, &new.invited_by)? != Some(Role::Admin) {
                return Err(StoreError::Missing("the administrator who invites".to_owned()));
            }
            tx.conn.exec(
                "INSERT INTO invitations (id, secret, org, role, email, invited_by, created_at, expires_at, state)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 'open')",
                params![
                    new.id.0.as_bytes(),
                    new.secret.0,
                    new.org.0.as_bytes(),
                    new.role.as_str(),
                    new.email,
                    new.invited_by.0,
                    new.created_at.0,
                    new.expires_at.0
                ],
            )?;
            let details = json!({ "role": new.role, "email": new.email });
            let subject = new.id.to_string();
            record(tx, new.org, Some(&new.invited_by), "invitation.made", &subject, &details)
        })
        .await
    }

    async fn invitations(&self, org: OrgId) -> Result<Vec<Invitation>, StoreError> {
        let now = self.now();
        self.read(move |conn| {
            let sql = format!(
                "SELECT {INVITATION_COLUMNS} FROM invitations
                 WHERE org = ?1 AND state = 'open' AND expires_at > ?2 ORDER BY seq"
            );
            conn.all(&sql, params![org.0.as_bytes(), now.0], invitation)
        })
        .await
    }

    async fn invitations_to(&self, email: &str) -> Result<Vec<Invitation>, StoreError> {
        let (email, now) = (email.to_owned(), self.now());
        self.read(move |conn| {
            let sql = format!(
                "SELECT {INVITATION_COLUMNS} FROM invitations
                 WHERE email = ?1 COLLATE NOCASE AND state = 'open' AND expires_at > ?2 ORDER BY seq"
            );
            conn.all(&sql, params![email, now.0], invitation)
        })
        .await
    }

    async fn revoke_invitation(
        &self,
        org: OrgId,
        id: InvitationId,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError> {
        let actor = actor.cloned();
        self.write("revoke_invitation", move |tx| {
            let revoked = tx.conn.exec(
                "UPDATE invitations SET state = 'revoked', decided_at = ?3
                 WHERE org = ?1 AND id = ?2 AND state = 'open' AND expires_at > ?3",
                params![org.0.as_bytes(), id.0.as_bytes(), tx.now.0],
            )?;
            if revoked == 1 {
                record(tx, org, actor.as_ref(), "invitation.revoked", &id.to_string(), &json!({}))?;
            }
            Ok(revoked == 1)
        })
        .await
    }

    async fn invitation(&self, secret: SecretHash) -> Result<Option<Invitation>, StoreError> {
        let now = self.now();
        self.read(move |conn| open_invitation(conn, secret, now)).await
    }

    async fn accept_invitation(&self, secret: SecretHash, who: &Joining) -> Result<Joined, StoreError> {
        let who = who.clone();
        self.write("accept_invitation", move |tx| accept(tx, secret, &who)).await
    }

    async fn connections(
        &self,
        among: &[OrgId],
        of: Option<&UserId>,
        before: Option<ConnectionId>,
        limit: u32,
    ) -> Result<Vec<ListedConnection>, StoreError> {
        let (among, of) = (id_list(among.iter().map(|org| org.0)), of.map(|user| user.0.clone()));
        self.read(move |conn| {
            const AMONG: &str =
                "c.org IN (SELECT unhex(value) FROM json_each(?1)) AND (?2 IS NULL OR c.user = ?2)";
            let (at, id) = match before {
                None => (i64::MAX, [0xFF; 16]),
                Some(id) => {
                    let sql = format!("SELECT c.created_at FROM connections c WHERE {AMONG} AND c.id = ?3");
                    let key = params![among, of, id.0.as_bytes()];
                    let Some(at) = conn.one(&sql, key, |row| row.get(0))? else {
                        return Ok(Vec::new());
                    };
                    (at, *id.0.as_bytes())
                }
            };
            let sql = format!(
                "{LISTED} AND {AMONG} AND (c.created_at, c.id) < (?3, ?4)
                 ORDER BY c.created_at DESC, c.id DESC LIMIT ?5"
            );
            conn.all(&sql, params![among, of, at, id, limit], listed)
        })
        .await
    }

    async fn connection(&self, id: ConnectionId) -> Result<Option<ListedConnection>, StoreError> {
        self.read(move |conn| conn.one(&format!("{LISTED} AND c.id = ?1"), [id.0.as_bytes()], listed)).await
    }

    async fn rename_connection(
        &self,
        org: OrgId,
        id: ConnectionId,
        name: &str,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError> {
        let (name, actor) = (name.to_owned(), actor.cloned());
        self.write("rename_connection", move |tx| {
            let sql =
                "UPDATE connections SET name = ?3 WHERE org = ?1 AND id = ?2 AND revoked_at IS NULL RETURNING user";
            let key = params![org.0.as_bytes(), id.0.as_bytes(), name];
            let Some(user) = tx.conn.one(sql, key, |row| row.get::<_, String>(0))? else {
                return Ok(false);
            };
            let details = json!({ "user": user, "name": name });
            record(tx, org, actor.as_ref(), "connection.renamed", &id.to_string(), &details)?;
            Ok(true)
        })
        .await
    }

    async fn end_connection(
        &self,
        org: OrgId,
        id: ConnectionId,
        actor: Option<&UserId>,
    ) -> Result<bool, StoreError> {
        let actor = actor.cloned();
        self.write("end_connection", move |tx| {
            let sql =
                "UPDATE connections SET revoked_at = ?3 WHERE org = ?1 AND id = ?2 AND revoked_at IS NULL
                 RETURNING user, name";
            let key = params![org.0.as_bytes(), id.0.as_bytes(), tx.now.0];
            let read = |row: &Row<'_>| {
                Ok(json!({ "user": row.get::<_, String>(0)?, "name": row.get::<_, String>(1)? }))
            };
            let Some(details) = tx.conn.one(sql, key, read)? else {
                return Ok(false);
            };
            record(tx, org, actor.as_ref(), "connection.revoked", &id.to_string(), &details)?;
            Ok(true)
        })
        .await
    }
}
