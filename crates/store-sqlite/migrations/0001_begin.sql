-- Ids are UUIDs as 16 bytes, hashes 32 bytes, times milliseconds since 1970-01-01T00:00:00Z, JSON is text.

CREATE TABLE orgs (
    seq     INTEGER PRIMARY KEY,
    id      BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    version BLOB NOT NULL CHECK (length(version) = 16),
    name    TEXT NOT NULL,
    -- Always the sum of the organization's entries.
    balance INTEGER NOT NULL DEFAULT 0 CHECK (balance >= 0)
) STRICT;

CREATE TABLE users (
    id            TEXT PRIMARY KEY,
    email         TEXT NOT NULL,
    -- The sign-in name in lower case.
    email_key     TEXT NOT NULL UNIQUE,
    given_name    TEXT,
    family_name   TEXT,
    picture       TEXT,
    password_hash TEXT NOT NULL
) STRICT;

CREATE TABLE members (
    seq  INTEGER PRIMARY KEY,
    org  BLOB NOT NULL REFERENCES orgs (id),
    user TEXT NOT NULL REFERENCES users (id),
    role TEXT NOT NULL CHECK (role IN ('admin', 'operator')),
    UNIQUE (org, user)
) STRICT;
CREATE INDEX members_of_user ON members (user, seq);

CREATE TABLE signing_keys (
    seq        INTEGER PRIMARY KEY,
    kid        TEXT NOT NULL UNIQUE,
    private    BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

-- Whoever leaves an organization loses the connections that act for them there.
CREATE TABLE connections (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    user          TEXT NOT NULL,
    org           BLOB NOT NULL,
    name          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    scope         TEXT NOT NULL,
    refresh_token BLOB NOT NULL UNIQUE CHECK (length(refresh_token) = 32),
    api_key       BLOB UNIQUE CHECK (length(api_key) = 32),
    revoked_at    INTEGER,
    FOREIGN KEY (org, user) REFERENCES members (org, user) ON DELETE CASCADE
) STRICT;
CREATE INDEX connections_of_member ON connections (org, user);

CREATE TABLE grants (
    id          BLOB PRIMARY KEY CHECK (length(id) = 16),
    device_code BLOB NOT NULL UNIQUE CHECK (length(device_code) = 32),
    user_code   TEXT NOT NULL,
    client      TEXT NOT NULL,
    scope       TEXT NOT NULL,
    created_at  INTEGER NOT NULL,
    expires_at  INTEGER NOT NULL,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'approved', 'denied', 'used')),
    last_poll   INTEGER,
    user        TEXT,
    org         BLOB,
    CHECK ((state = 'approved') <= (user IS NOT NULL AND org IS NOT NULL)),
    FOREIGN KEY (org, user) REFERENCES members (org, user) ON DELETE CASCADE
) STRICT;
CREATE INDEX grants_by_user_code ON grants (user_code, expires_at);
CREATE INDEX grants_by_end ON grants (expires_at);
CREATE INDEX grants_of_member ON grants (org, user);

CREATE TABLE workflows (
    seq                INTEGER PRIMARY KEY,
    id                 BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    org                BLOB NOT NULL REFERENCES orgs (id),
    name               TEXT NOT NULL,
    author             TEXT NOT NULL,
    author_given_name  TEXT,
    author_family_name TEXT,
    author_email       TEXT,
    latest             BLOB NOT NULL CHECK (length(latest) = 16),
    UNIQUE (org, name)
) STRICT;
CREATE INDEX workflows_of_org ON workflows (org, seq);

-- Never changed once written.
CREATE TABLE versions (
    id       BLOB PRIMARY KEY CHECK (length(id) = 16),
    workflow BLOB NOT NULL REFERENCES workflows (id),
    saved_at INTEGER NOT NULL,
    steps    TEXT NOT NULL,
    price    INTEGER NOT NULL CHECK (price >= 0),
    UNIQUE (workflow, id)
) STRICT;
CREATE TRIGGER versions_never_change BEFORE UPDATE ON versions
BEGIN SELECT RAISE(ABORT, 'a workflow version never changes'); END;

-- Which pictures an organization may see. The bytes lie elsewhere, once for all.
CREATE TABLE images (
    org         BLOB NOT NULL REFERENCES orgs (id),
    hash        BLOB NOT NULL CHECK (length(hash) = 32),
    media_type  TEXT NOT NULL,
    bytes       INTEGER NOT NULL,
    width       INTEGER NOT NULL,
    height      INTEGER NOT NULL,
    admitted_at INTEGER NOT NULL,
    PRIMARY KEY (org, hash)
) STRICT, WITHOUT ROWID;

-- A column that exists in one status only is empty in every other.
CREATE TABLE runs (
    seq           INTEGER PRIMARY KEY,
    id            BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    org           BLOB NOT NULL REFERENCES orgs (id),
    workflow      BLOB NOT NULL,
    version       BLOB NOT NULL,
    created_at    INTEGER NOT NULL,
    status        TEXT NOT NULL,
    started_at    INTEGER,
    finished_at   INTEGER,
    charged       INTEGER NOT NULL CHECK (charged IN (0, price)),
    price         INTEGER NOT NULL CHECK (price >= 0),
    -- How its acceptance was answered, so that a repeated one is answered the same.
    accepted      TEXT NOT NULL CHECK (accepted IN ('queued', 'unpaid')),
    workflow_name TEXT NOT NULL,
    user          TEXT NOT NULL,
    input         TEXT NOT NULL,
    input_name    TEXT NOT NULL,
    labels        TEXT NOT NULL,
    overrides     TEXT NOT NULL,
    webhooks      TEXT NOT NULL,
    result        TEXT,
    failure       TEXT,
    FOREIGN KEY (workflow, version) REFERENCES versions (workflow, id),
    CHECK (status IN ('queued', 'running', 'in_review', 'succeeded', 'failed', 'unpaid', 'cancelled')),
    CHECK ((started_at IS NOT NULL) = (status IN ('running', 'in_review', 'succeeded', 'failed'))),
    CHECK ((finished_at IS NOT NULL) = (status IN ('succeeded', 'failed', 'cancelled'))),
    CHECK ((result IS NOT NULL) = (status IN ('in_review', 'succeeded'))),
    CHECK ((failure IS NOT NULL) = (status = 'failed')),
    CHECK (status <> 'unpaid' OR charged = 0)
) STRICT;
CREATE INDEX runs_of_org ON runs (org, created_at, id);
CREATE INDEX runs_of_workflow ON runs (org, workflow, created_at, id);
CREATE INDEX runs_in_status ON runs (org, status, created_at, id);
CREATE INDEX runs_of_input ON runs (org, input_name, created_at, id);

-- The runs' labels once more, for filters.
CREATE TABLE labels (
    run        BLOB NOT NULL REFERENCES runs (id),
    key        TEXT NOT NULL,
    value      TEXT NOT NULL,
    org        BLOB NOT NULL,
    created_at INTEGER NOT NULL,
    PRIMARY KEY (run, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX labels_by_value ON labels (org, key, value, created_at, run);

-- Runs that are queued or running, and only those; small, however long the history.
CREATE TABLE queue (
    run         BLOB PRIMARY KEY REFERENCES runs (id),
    org         BLOB NOT NULL,
    -- From when it may be claimed: its pause has passed then, or its lease is over.
    due_at      INTEGER NOT NULL,
    -- What `due_at` was before it was leased.
    ready_at    INTEGER NOT NULL,
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    crashes     INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    lease_token BLOB UNIQUE CHECK (length(lease_token) = 16),
    lease_by    TEXT,
    CHECK ((lease_token IS NULL) = (lease_by IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX queue_due ON queue (due_at, lease_token);
CREATE INDEX queue_of_org ON queue (org, due_at, run);

-- What happened, to be told: one row for each address of a run.
CREATE TABLE outbox (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    event   BLOB NOT NULL CHECK (length(event) = 16),
    org     BLOB NOT NULL,
    run     BLOB NOT NULL REFERENCES runs (id),
    address TEXT NOT NULL,
    status  TEXT NOT NULL,
    at      INTEGER NOT NULL,
    UNIQUE (event, address)
) STRICT;
CREATE INDEX outbox_of_run ON outbox (run, seq);

-- Movements of credits; only ever added.
CREATE TABLE entries (
    seq     INTEGER PRIMARY KEY AUTOINCREMENT,
    id      BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    org     BLOB NOT NULL REFERENCES orgs (id),
    kind    TEXT NOT NULL CHECK (kind IN ('grant', 'charge', 'refund')),
    amount  INTEGER NOT NULL CHECK ((amount < 0) = (kind = 'charge') AND amount <> 0),
    balance INTEGER NOT NULL CHECK (balance >= 0),
    run     BLOB REFERENCES runs (id),
    at      INTEGER NOT NULL,
    CHECK ((run IS NULL) = (kind = 'grant'))
) STRICT;
CREATE UNIQUE INDEX entries_of_run ON entries (run, kind) WHERE run IS NOT NULL;
CREATE INDEX entries_of_org ON entries (org, seq);
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'a ledger entry never changes'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'a ledger entry is never deleted'); END;
