-- What was asked for in a face's own words, pictures that are fetched later, batches as a whole, deliveries about more than
-- runs, evaluations, the library, subscriptions, logs. Foreign keys are not enforced while this runs, and checked after it.

ALTER TABLE workflows ADD COLUMN model TEXT;
CREATE UNIQUE INDEX workflows_of_model ON workflows (org, model) WHERE model IS NOT NULL;

-- `input` is the text `null` until the picture is there.
ALTER TABLE runs ADD COLUMN sources TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN place INTEGER;
ALTER TABLE runs ADD COLUMN steps TEXT;
ALTER TABLE runs ADD COLUMN request TEXT;
ALTER TABLE runs ADD COLUMN terms TEXT NOT NULL DEFAULT 'at_acceptance' CHECK (terms IN ('at_acceptance', 'for_success'));

-- Steps of runs are listed by when the runs succeeded.
CREATE INDEX runs_succeeded ON runs (org, finished_at, id) WHERE status = 'succeeded';

DROP TRIGGER batches_count_new_runs;
DROP TRIGGER batches_count_moves;
ALTER TABLE batches ADD COLUMN handle BLOB;
ALTER TABLE batches ADD COLUMN size INTEGER;
ALTER TABLE batches ADD COLUMN request TEXT;
ALTER TABLE batches ADD COLUMN webhooks TEXT NOT NULL DEFAULT '[]';
ALTER TABLE batches ADD COLUMN started_at INTEGER;
ALTER TABLE batches ADD COLUMN ended_at INTEGER;
-- The event that tells of its end; empty once it is recorded, and for a batch that may grow.
ALTER TABLE batches ADD COLUMN end_event BLOB;
-- `handle_of` is the program's.
UPDATE batches SET handle = handle_of(org, id),
    started_at = (SELECT min(started_at) FROM runs r WHERE r.org = batches.org AND r.batch = batches.id),
    ended_at = (SELECT max(finished_at) FROM runs r WHERE r.org = batches.org AND r.batch = batches.id);
CREATE UNIQUE INDEX batches_by_handle ON batches (org, handle);
CREATE INDEX batches_by_age ON batches (org, created_at, handle);

CREATE TRIGGER batches_count_new_runs AFTER INSERT ON runs WHEN NEW.batch IS NOT NULL
BEGIN
    UPDATE batches SET
        runs      = runs + 1,
        charged   = charged   + NEW.charged,
        queued    = queued    + (NEW.status = 'queued'),
        running   = running   + (NEW.status = 'running'),
        in_review = in_review + (NEW.status = 'in_review'),
        succeeded = succeeded + (NEW.status = 'succeeded'),
        failed    = failed    + (NEW.status = 'failed'),
        unpaid    = unpaid    + (NEW.status = 'unpaid'),
        cancelled = cancelled + (NEW.status = 'cancelled'),
        ended_at  = max(coalesce(ended_at, NEW.finished_at), coalesce(NEW.finished_at, ended_at))
    WHERE org = NEW.org AND id = NEW.batch;
END;

CREATE TRIGGER batches_count_moves AFTER UPDATE OF status, charged ON runs WHEN NEW.batch IS NOT NULL
BEGIN
    UPDATE batches SET
        charged    = charged   + NEW.charged - OLD.charged,
        queued     = queued    + (NEW.status = 'queued')    - (OLD.status = 'queued'),
        running    = running   + (NEW.status = 'running')   - (OLD.status = 'running'),
        in_review  = in_review + (NEW.status = 'in_review') - (OLD.status = 'in_review'),
        succeeded  = succeeded + (NEW.status = 'succeeded') - (OLD.status = 'succeeded'),
        failed     = failed    + (NEW.status = 'failed')    - (OLD.status = 'failed'),
        unpaid     = unpaid    + (NEW.status = 'unpaid')    - (OLD.status = 'unpaid'),
        cancelled  = cancelled + (NEW.status = 'cancelled') - (OLD.status = 'cancelled'),
        started_at = coalesce(started_at, NEW.started_at),
        ended_at   = max(coalesce(ended_at, NEW.finished_at), coalesce(NEW.finished_at, ended_at))
    WHERE org = NEW.org AND id = NEW.batch;
END;

-- Deliveries tell of a run, of a batch (by its handle) or of an evaluation.
DROP TRIGGER receivers_of_new_deliveries;
DROP TRIGGER receivers_of_moved_deliveries;
DROP TRIGGER receivers_of_deleted_deliveries;
CREATE TABLE deliveries_now (
    seq          INTEGER PRIMARY KEY AUTOINCREMENT,
    id           BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    event        BLOB NOT NULL CHECK (length(event) = 16),
    org          BLOB NOT NULL,
    kind         TEXT NOT NULL,
    run          BLOB REFERENCES runs (id),
    batch        BLOB CHECK (length(batch) = 16),
    evaluation   BLOB REFERENCES evaluations (id),
    -- Empty for an address that was named with what it tells of.
    subscription BLOB CHECK (length(subscription) = 16),
    -- Empty for the one that is usual.
    face         TEXT NOT NULL,
    automatic    INTEGER NOT NULL DEFAULT 1 CHECK (automatic IN (0, 1)),
    address      TEXT NOT NULL,
    -- Host and port, by which receivers are told apart.
    receiver     TEXT NOT NULL,
    at           INTEGER NOT NULL,
    -- The run's columns of the same names, as they were then.
    status       TEXT,
    started_at   INTEGER,
    finished_at  INTEGER,
    charged      INTEGER,
    result       TEXT,
    failure      TEXT,
    -- What is sent, once it was worded, and which secret signs it, where secrets have ids.
    body         BLOB,
    secret       BLOB CHECK (length(secret) = 16),
    state        TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    -- Attempts in all, and those that failed since the event or since it was asked for again.
    attempts     INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    failed       INTEGER NOT NULL DEFAULT 0 CHECK (failed BETWEEN 0 AND attempts),
    -- From when it may be taken: its pause has passed then, or its lease is over.
    due_at       INTEGER,
    ended_at     INTEGER,
    lease_token  BLOB UNIQUE CHECK (length(lease_token) = 16),
    CHECK ((run IS NOT NULL) + (batch IS NOT NULL) + (evaluation IS NOT NULL) = 1),
    CHECK ((run IS NOT NULL) = (status IS NOT NULL) AND (run IS NOT NULL) = (charged IS NOT NULL)),
    CHECK ((due_at IS NOT NULL) = (state = 'pending')),
    CHECK ((ended_at IS NULL) = (state = 'pending')),
    CHECK (lease_token IS NULL OR state = 'pending')
) STRICT;
INSERT INTO deliveries_now (seq, id, event, org, kind, run, face, address, receiver, at, status, started_at, finished_at,
                            charged, result, failure, state, attempts, failed, due_at, ended_at, lease_token)
SELECT seq, id, event, org, 'run_' || status, run, '', address, receiver, at, status, started_at, finished_at,
       charged, result, failure, state, attempts, failed, due_at, ended_at, lease_token
FROM deliveries ORDER BY seq;
DROP TABLE deliveries;
ALTER TABLE deliveries_now RENAME TO deliveries;
CREATE UNIQUE INDEX deliveries_once ON deliveries (event, address, coalesce(subscription, x''));
CREATE INDEX deliveries_to_receiver ON deliveries (org, receiver, due_at, seq) WHERE state = 'pending';
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';
CREATE INDEX deliveries_of_org ON deliveries (org, at, id);
CREATE INDEX deliveries_in_state ON deliveries (org, state, at, id);
CREATE INDEX deliveries_of_run ON deliveries (run, at, id) WHERE run IS NOT NULL;
CREATE INDEX deliveries_of_batch ON deliveries (batch, at, id) WHERE batch IS NOT NULL;
CREATE INDEX deliveries_of_evaluation ON deliveries (evaluation, at, id) WHERE evaluation IS NOT NULL;
CREATE INDEX deliveries_of_subscription ON deliveries (org, subscription, at, id) WHERE subscription IS NOT NULL;
CREATE INDEX deliveries_of_subscriptions ON deliveries (org, at, id) WHERE subscription IS NOT NULL;
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;

CREATE TRIGGER receivers_of_new_deliveries AFTER INSERT ON deliveries WHEN NEW.state = 'pending'
BEGIN
    INSERT INTO receivers (org, receiver, next_due) VALUES (NEW.org, NEW.receiver, NEW.due_at)
    ON CONFLICT (org, receiver) DO UPDATE SET next_due = excluded.next_due WHERE excluded.next_due < next_due;
END;

-- Whoever was served, or has something due at another time, goes to the end of the row.
CREATE TRIGGER receivers_of_moved_deliveries AFTER UPDATE OF state, due_at ON deliveries
WHEN NEW.state = 'pending' OR OLD.state = 'pending'
BEGIN
    DELETE FROM receivers WHERE org = NEW.org AND receiver = NEW.receiver;
    INSERT INTO receivers (org, receiver, next_due)
    SELECT org, receiver, due_at FROM deliveries
    WHERE state = 'pending' AND org = NEW.org AND receiver = NEW.receiver ORDER BY due_at LIMIT 1;
END;

CREATE TRIGGER receivers_of_deleted_deliveries AFTER DELETE ON deliveries WHEN OLD.state = 'pending'
BEGIN
    DELETE FROM receivers WHERE org = OLD.org AND receiver = OLD.receiver;
    INSERT INTO receivers (org, receiver, next_due)
    SELECT org, receiver, due_at FROM deliveries
    WHERE state = 'pending' AND org = OLD.org AND receiver = OLD.receiver ORDER BY due_at LIMIT 1;
END;

-- Addresses that are told of every event of some kinds (a JSON list of names) in an organization.
CREATE TABLE subscriptions (
    id            BLOB PRIMARY KEY CHECK (length(id) = 16),
    org           BLOB NOT NULL REFERENCES orgs (id),
    face          TEXT NOT NULL,
    address       TEXT NOT NULL,
    kinds         TEXT NOT NULL,
    -- Closed.
    secret        BLOB NOT NULL,
    fingerprint   TEXT NOT NULL,
    disabled_at   INTEGER,
    last_event_at INTEGER,
    created_at    INTEGER NOT NULL,
    updated_at    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX subscriptions_of_org ON subscriptions (org, created_at, id);

-- Secrets that sign callbacks; closed.
CREATE TABLE callback_secrets (
    id           BLOB PRIMARY KEY CHECK (length(id) = 16),
    org          BLOB NOT NULL REFERENCES orgs (id),
    label        TEXT,
    prefix       TEXT NOT NULL,
    secret       BLOB NOT NULL,
    is_current   INTEGER NOT NULL CHECK (is_current IN (0, 1)),
    last_used_at INTEGER,
    created_at   INTEGER NOT NULL,
    updated_at   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX callback_secrets_of_org ON callback_secrets (org, created_at, id);
CREATE UNIQUE INDEX callback_secret_current ON callback_secrets (org) WHERE is_current = 1;

-- What happened to runs, line by line.
CREATE TABLE run_logs (
    id      BLOB PRIMARY KEY CHECK (length(id) = 16),
    org     BLOB NOT NULL,
    run     BLOB NOT NULL REFERENCES runs (id),
    at      INTEGER NOT NULL,
    level   TEXT NOT NULL CHECK (level IN ('debug', 'info', 'warning', 'error')),
    message TEXT NOT NULL,
    meta    TEXT NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX run_logs_of_run ON run_logs (run, at, id);
CREATE INDEX run_logs_of_org ON run_logs (org, at, id);

-- How good a picture is. While it has not ended it has a place in the queue: `due_at` and what follows it.
CREATE TABLE evaluations (
    seq         INTEGER PRIMARY KEY,
    id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    org         BLOB NOT NULL REFERENCES orgs (id),
    user        TEXT NOT NULL,
    run         BLOB,
    asked       TEXT NOT NULL,
    face        TEXT NOT NULL,
    client_ref  TEXT,
    webhooks    TEXT NOT NULL,
    price       INTEGER NOT NULL CHECK (price >= 0),
    charged     INTEGER NOT NULL CHECK (charged IN (0, price)),
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL,
    status      TEXT NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    started_at  INTEGER,
    finished_at INTEGER,
    report      TEXT,
    failure     TEXT,
    opinion     TEXT,
    due_at      INTEGER,
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    crashes     INTEGER NOT NULL DEFAULT 0 CHECK (crashes >= 0),
    lease_token BLOB UNIQUE CHECK (length(lease_token) = 16),
    lease_by    TEXT,
    CHECK ((started_at IS NOT NULL) >= (status IN ('running', 'completed'))),
    CHECK ((finished_at IS NOT NULL) = (status IN ('completed', 'failed'))),
    CHECK ((report IS NOT NULL) = (status = 'completed')),
    CHECK ((failure IS NOT NULL) = (status = 'failed')),
    CHECK ((due_at IS NOT NULL) = (status IN ('pending', 'running'))),
    CHECK ((lease_token IS NULL) = (lease_by IS NULL))
) STRICT;
CREATE INDEX evaluations_of_org ON evaluations (org, created_at, id);
CREATE INDEX evaluations_of_run ON evaluations (org, run, created_at, id) WHERE run IS NOT NULL;
CREATE INDEX evaluations_by_ref ON evaluations (org, client_ref, created_at, id) WHERE client_ref IS NOT NULL;
CREATE INDEX evaluations_due ON evaluations (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX evaluations_due_of_org ON evaluations (org, due_at, seq) WHERE due_at IS NOT NULL;

-- An organization's own limits for its evaluations: JSON.
CREATE TABLE evaluation_limits (
    org    BLOB PRIMARY KEY REFERENCES orgs (id),
    limits TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The ledger pays for evaluations too.
DROP TRIGGER entries_never_change;
DROP TRIGGER entries_never_go;
CREATE TABLE entries_now (
    seq        INTEGER PRIMARY KEY AUTOINCREMENT,
    id         BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    org        BLOB NOT NULL REFERENCES orgs (id),
    kind       TEXT NOT NULL CHECK (kind IN ('grant', 'charge', 'refund')),
    amount     INTEGER NOT NULL CHECK ((amount < 0) = (kind = 'charge') AND amount <> 0),
    balance    INTEGER NOT NULL CHECK (balance >= 0),
    run        BLOB REFERENCES runs (id),
    evaluation BLOB REFERENCES evaluations (id),
    at         INTEGER NOT NULL,
    by         TEXT,
    note       TEXT NOT NULL DEFAULT '',
    CHECK ((run IS NULL AND evaluation IS NULL) = (kind = 'grant')),
    CHECK (run IS NULL OR evaluation IS NULL)
) STRICT;
INSERT INTO entries_now (seq, id, org, kind, amount, balance, run, at, by, note)
SELECT seq, id, org, kind, amount, balance, run, at, by, note FROM entries ORDER BY seq;
DROP TABLE entries;
ALTER TABLE entries_now RENAME TO entries;
CREATE UNIQUE INDEX entries_of_run ON entries (run, kind) WHERE run IS NOT NULL;
CREATE UNIQUE INDEX entries_of_evaluation ON entries (evaluation, kind) WHERE evaluation IS NOT NULL;
CREATE INDEX entries_of_org ON entries (org, seq);
CREATE TRIGGER entries_never_change BEFORE UPDATE ON entries
BEGIN SELECT RAISE(ABORT, 'a ledger entry never changes'); END;
CREATE TRIGGER entries_never_go BEFORE DELETE ON entries
BEGIN SELECT RAISE(ABORT, 'a ledger entry is never deleted'); END;

-- When an organization wants to be warned of its balance: in millionths of a credit.
CREATE TABLE credit_alerts (
    org         BLOB PRIMARY KEY REFERENCES orgs (id),
    threshold   INTEGER NOT NULL CHECK (threshold >= 0),
    notified_at INTEGER,
    created_at  INTEGER NOT NULL,
    updated_at  INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Files under names.
CREATE TABLE folders (
    id         BLOB PRIMARY KEY CHECK (length(id) = 16),
    org        BLOB NOT NULL REFERENCES orgs (id),
    parent     BLOB REFERENCES folders (id),
    name       TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX folders_of_org ON folders (org, created_at, id);
CREATE INDEX folders_in_folder ON folders (parent) WHERE parent IS NOT NULL;

CREATE TABLE assets (
    id         BLOB PRIMARY KEY CHECK (length(id) = 16),
    org        BLOB NOT NULL REFERENCES orgs (id),
    folder     BLOB REFERENCES folders (id),
    name       TEXT NOT NULL,
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    width      INTEGER,
    height     INTEGER,
    source     TEXT NOT NULL CHECK (source IN ('upload', 'inline')),
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    deleted_at INTEGER,
    deleted_by TEXT,
    CHECK ((deleted_at IS NULL) = (deleted_by IS NULL)),
    CHECK ((width IS NULL) = (height IS NULL))
) STRICT, WITHOUT ROWID;
CREATE INDEX assets_of_org ON assets (org, created_at, id) WHERE deleted_at IS NULL;
CREATE INDEX assets_by_hash ON assets (org, hash);
CREATE INDEX assets_in_folder ON assets (folder, created_at, id) WHERE folder IS NOT NULL;

-- Announced, and what has come for them.
CREATE TABLE uploads (
    asset      BLOB PRIMARY KEY CHECK (length(asset) = 16),
    org        BLOB NOT NULL REFERENCES orgs (id),
    user       TEXT NOT NULL,
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    received   TEXT,
    -- When it became an asset.
    kept_at    INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX uploads_by_age ON uploads (created_at) WHERE kept_at IS NULL;

-- Small pictures of pictures: the same for everybody who may see the picture. Their bytes are elsewhere.
CREATE TABLE thumbnails (
    of_hash    BLOB PRIMARY KEY CHECK (length(of_hash) = 32),
    hash       BLOB NOT NULL CHECK (length(hash) = 32),
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    width      INTEGER NOT NULL,
    height     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Workflows of another program, kept for whoever deploys them here.
CREATE TABLE deployments (
    id         BLOB PRIMARY KEY CHECK (length(id) = 16),
    org        BLOB NOT NULL REFERENCES orgs (id),
    slug       TEXT NOT NULL,
    body       TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    UNIQUE (org, slug)
) STRICT, WITHOUT ROWID;
