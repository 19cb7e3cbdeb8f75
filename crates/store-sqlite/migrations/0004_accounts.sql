-- Those with an API key were made at the terminal: there was no other way to one.
ALTER TABLE connections ADD COLUMN kind TEXT NOT NULL DEFAULT 'device' CHECK (kind IN ('device', 'credential', 'api_key'));
ALTER TABLE connections ADD COLUMN last_used_at INTEGER;
UPDATE connections SET kind = 'credential' WHERE api_key IS NOT NULL;

-- Browsers that people are signed in with.
CREATE TABLE sessions (
    secret       BLOB PRIMARY KEY CHECK (length(secret) = 32),
    user         TEXT NOT NULL REFERENCES users (id),
    org          BLOB REFERENCES orgs (id),
    made_at      INTEGER NOT NULL,
    last_seen_at INTEGER NOT NULL,
    expires_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sessions_of_user ON sessions (user);
CREATE INDEX sessions_by_end ON sessions (expires_at);

-- Links that let somebody join, once.
CREATE TABLE invitations (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    secret      BLOB NOT NULL UNIQUE CHECK (length(secret) = 32),
    org         BLOB NOT NULL REFERENCES orgs (id),
    role        TEXT NOT NULL CHECK (role IN ('admin', 'operator')),
    email       TEXT,
    invited_by  TEXT NOT NULL REFERENCES users (id),
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'revoked')),
    decided_at  INTEGER,
    accepted_by TEXT REFERENCES users (id),
    CHECK ((decided_at IS NOT NULL) = (state <> 'open')),
    CHECK ((accepted_by IS NOT NULL) = (state = 'accepted'))
) STRICT;
CREATE INDEX invitations_of_org ON invitations (org, state, seq);

-- What was done, by whom; only ever added.
CREATE TABLE audit (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    org     BLOB NOT NULL REFERENCES orgs (id),
    at      INTEGER NOT NULL,
    actor   TEXT,
    action  TEXT NOT NULL,
    subject TEXT NOT NULL,
    details TEXT NOT NULL
) STRICT;
CREATE INDEX audit_of_org ON audit (org, seq);
CREATE TRIGGER audit_never_changes BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'an audit entry never changes'); END;
CREATE TRIGGER audit_never_goes BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'an audit entry is never deleted'); END;
