-- Batches, the check by people, feedback, the feed, and requests that may be repeated.

ALTER TABLE versions ADD COLUMN needs_review INTEGER NOT NULL DEFAULT 0 CHECK (needs_review IN (0, 1));
ALTER TABLE workflows ADD COLUMN archived_at INTEGER;

ALTER TABLE entries ADD COLUMN by TEXT;
ALTER TABLE entries ADD COLUMN note TEXT NOT NULL DEFAULT '';

ALTER TABLE runs ADD COLUMN batch TEXT;
ALTER TABLE runs ADD COLUMN more_inputs TEXT NOT NULL DEFAULT '[]';
ALTER TABLE runs ADD COLUMN feedback TEXT;
ALTER TABLE runs ADD COLUMN review TEXT;

-- Runs filed before now say by a label which batch they belong to.
UPDATE runs SET batch = (
    SELECT nullif(value, '') FROM labels WHERE run = runs.id AND key = 'autoretouch_batch_id');
CREATE INDEX runs_of_batch ON runs (org, batch, created_at, id) WHERE batch IS NOT NULL;

CREATE TABLE batches (
    seq           INTEGER PRIMARY KEY,
    org           BLOB NOT NULL REFERENCES orgs (id),
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,
    created_at    INTEGER NOT NULL,
    author        TEXT NOT NULL,
    workflow      BLOB NOT NULL,
    workflow_name TEXT NOT NULL,
    -- Kept by the triggers below.
    runs          INTEGER NOT NULL DEFAULT 0,
    charged       INTEGER NOT NULL DEFAULT 0,
    queued        INTEGER NOT NULL DEFAULT 0,
    running       INTEGER NOT NULL DEFAULT 0,
    in_review     INTEGER NOT NULL DEFAULT 0,
    succeeded     INTEGER NOT NULL DEFAULT 0,
    failed        INTEGER NOT NULL DEFAULT 0,
    unpaid        INTEGER NOT NULL DEFAULT 0,
    cancelled     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (org, id)
) STRICT;
CREATE INDEX batches_of_org ON batches (org, created_at, seq);

-- Who asked, and for what, is the earliest run's; so is when it was made, if its label says so in a way that can be read.
INSERT INTO batches (org, id, name, created_at, author, workflow, workflow_name, runs, charged,
                     queued, running, in_review, succeeded, failed, unpaid, cancelled)
SELECT b.org, b.batch,
       coalesce((SELECT l.value FROM runs n JOIN labels l ON l.run = n.id AND l.key = 'autoretouch_batch_name'
                 WHERE n.org = b.org AND n.batch = b.batch AND l.value <> '' ORDER BY n.seq LIMIT 1), ''),
       coalesce((SELECT CAST(round((julianday(l.value) - 2440587.5) * 86400000) AS INTEGER) FROM labels l
                 WHERE l.run = r.id AND l.key = 'autoretouch_batch_createdAt' AND l.value LIKE '____-__-__T__:__:__%'),
                r.created_at),
       r.user, r.workflow, r.workflow_name, b.runs, b.charged,
       b.queued, b.running, b.in_review, b.succeeded, b.failed, b.unpaid, b.cancelled
FROM (SELECT org, batch, min(seq) AS first, count(*) AS runs, sum(charged) AS charged,
             sum(status = 'queued') AS queued, sum(status = 'running') AS running, sum(status = 'in_review') AS in_review,
             sum(status = 'succeeded') AS succeeded, sum(status = 'failed') AS failed, sum(status = 'unpaid') AS unpaid,
             sum(status = 'cancelled') AS cancelled
      FROM runs WHERE batch IS NOT NULL GROUP BY org, batch) b
JOIN runs r ON r.seq = b.first ORDER BY b.first;

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
        cancelled = cancelled + (NEW.status = 'cancelled')
    WHERE org = NEW.org AND id = NEW.batch;
END;

CREATE TRIGGER batches_count_moves AFTER UPDATE OF status, charged ON runs WHEN NEW.batch IS NOT NULL
BEGIN
    UPDATE batches SET
        charged   = charged   + NEW.charged - OLD.charged,
        queued    = queued    + (NEW.status = 'queued')    - (OLD.status = 'queued'),
        running   = running   + (NEW.status = 'running')   - (OLD.status = 'running'),
        in_review = in_review + (NEW.status = 'in_review') - (OLD.status = 'in_review'),
        succeeded = succeeded + (NEW.status = 'succeeded') - (OLD.status = 'succeeded'),
        failed    = failed    + (NEW.status = 'failed')    - (OLD.status = 'failed'),
        unpaid    = unpaid    + (NEW.status = 'unpaid')    - (OLD.status = 'unpaid'),
        cancelled = cancelled + (NEW.status = 'cancelled') - (OLD.status = 'cancelled')
    WHERE org = NEW.org AND id = NEW.batch;
END;

-- Every status that a run took. Old entries are forgotten.
CREATE TABLE feed (
    place  INTEGER PRIMARY KEY AUTOINCREMENT,
    org    BLOB NOT NULL,
    run    BLOB NOT NULL,
    status TEXT NOT NULL,
    at     INTEGER NOT NULL
) STRICT;
CREATE INDEX feed_of_org ON feed (org, place);

CREATE TABLE repeatable (
    org         BLOB NOT NULL REFERENCES orgs (id),
    user        TEXT NOT NULL,
    key         TEXT NOT NULL,
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    seed        BLOB NOT NULL CHECK (length(seed) = 16),
    begun_at    INTEGER NOT NULL,
    -- Until when nobody else may try; over as soon as there is an answer.
    lease_ends  INTEGER NOT NULL,
    status      INTEGER,
    headers     TEXT,
    body        BLOB,
    CHECK ((status IS NULL) = (headers IS NULL) AND (status IS NULL) = (body IS NULL)),
    PRIMARY KEY (org, user, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX repeatable_by_age ON repeatable (begun_at);
