-- Deliveries: one event to one address, with what was true of the run when it happened, and every attempt.

CREATE TABLE deliveries (
    seq         INTEGER PRIMARY KEY AUTOINCREMENT,
    id          BLOB NOT NULL UNIQUE CHECK (length(id) = 16),
    event       BLOB NOT NULL CHECK (length(event) = 16),
    org         BLOB NOT NULL,
    run         BLOB NOT NULL REFERENCES runs (id),
    address     TEXT NOT NULL,
    -- Host and port, by which receivers are told apart.
    receiver    TEXT NOT NULL,
    at          INTEGER NOT NULL,
    -- The run's columns of the same names, as they were then.
    status      TEXT NOT NULL,
    started_at  INTEGER,
    finished_at INTEGER,
    charged     INTEGER NOT NULL,
    result      TEXT,
    failure     TEXT,
    state       TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
    -- Attempts in all, and those that failed since the event or since it was asked for again.
    attempts    INTEGER NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    failed      INTEGER NOT NULL DEFAULT 0 CHECK (failed BETWEEN 0 AND attempts),
    -- From when it may be taken: its pause has passed then, or its lease is over.
    due_at      INTEGER,
    ended_at    INTEGER,
    lease_token BLOB UNIQUE CHECK (length(lease_token) = 16),
    UNIQUE (event, address),
    CHECK ((due_at IS NOT NULL) = (state = 'pending')),
    CHECK ((ended_at IS NULL) = (state = 'pending')),
    CHECK (lease_token IS NULL OR state = 'pending')
) STRICT;
CREATE INDEX deliveries_to_receiver ON deliveries (receiver, due_at, seq) WHERE state = 'pending';
CREATE INDEX deliveries_due ON deliveries (due_at) WHERE state = 'pending';
CREATE INDEX deliveries_of_org ON deliveries (org, at, id);
CREATE INDEX deliveries_in_state ON deliveries (org, state, at, id);
CREATE INDEX deliveries_of_run ON deliveries (run, seq);

CREATE TABLE delivery_attempts (
    delivery BLOB NOT NULL REFERENCES deliveries (id),
    number   INTEGER NOT NULL CHECK (number > 0),
    at       INTEGER NOT NULL,
    took     INTEGER NOT NULL,
    status   INTEGER,
    -- Why it does not count; empty for a success.
    error    TEXT,
    answer   TEXT NOT NULL,
    PRIMARY KEY (delivery, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE webhook_secrets (
    org            BLOB PRIMARY KEY REFERENCES orgs (id),
    current        BLOB NOT NULL CHECK (length(current) = 32),
    made_at        INTEGER NOT NULL,
    previous       BLOB CHECK (length(previous) = 32),
    previous_until INTEGER,
    CHECK ((previous IS NULL) = (previous_until IS NULL))
) STRICT, WITHOUT ROWID;

-- What was recorded and never sent is sent now, unless it is more than a day old: that has failed. A failed run that was
-- tried again since has lost why it had failed. `receiver_of` is the program's.
INSERT INTO deliveries (id, event, org, run, address, receiver, at, status, started_at, finished_at, charged, result,
                        failure, state, attempts, failed, due_at, ended_at)
SELECT unhex(format('%012x7%s8%s', o.at, substr(hex(randomblob(2)), 2), substr(hex(randomblob(8)), 2))),
       o.event, o.org, o.run, o.address, receiver_of(o.address), o.at, o.status,
       CASE WHEN r.status = o.status THEN r.started_at WHEN o.status = 'failed' THEN o.at END,
       CASE WHEN r.status = o.status THEN r.finished_at WHEN o.status = 'failed' THEN o.at END,
       CASE WHEN o.status = 'unpaid' THEN 0 ELSE r.charged END,
       CASE WHEN r.status = o.status THEN r.result END,
       CASE WHEN r.status = o.status THEN r.failure
            WHEN o.status = 'failed' THEN '{"code":"unknown","message":"it is not known any more why it failed","fault":"ours"}' END,
       iif(o.old, 'failed', 'pending'), o.old, o.old, iif(o.old, NULL, o.at), iif(o.old, unixepoch() * 1000, NULL)
FROM (SELECT *, at < (unixepoch() - 86400) * 1000 AS old FROM outbox) o JOIN runs r ON r.id = o.run
ORDER BY o.seq;
INSERT INTO delivery_attempts (delivery, number, at, took, error, answer)
SELECT id, 1, ended_at, 0, 'too_old', '' FROM deliveries WHERE state = 'failed';
DROP TABLE outbox;
