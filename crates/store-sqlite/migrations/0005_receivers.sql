-- Receivers with something to be told, indexes for what is asked most, and what is needed to forget what is old.

-- Whose turn it is can be found without a look at those whose turn it is not.
CREATE TABLE receivers (
    org      BLOB NOT NULL,
    receiver TEXT NOT NULL,
    -- When the first of its pending deliveries is due. Kept by the triggers below.
    next_due INTEGER NOT NULL,
    -- Its place in the row of those that are known to be due; empty for the others.
    turn     INTEGER,
    PRIMARY KEY (org, receiver)
) STRICT, WITHOUT ROWID;
CREATE INDEX receivers_waiting ON receivers (next_due) WHERE turn IS NULL;
CREATE INDEX receivers_in_turn ON receivers (org, turn, receiver) WHERE turn IS NOT NULL;
CREATE INDEX receivers_turns ON receivers (turn) WHERE turn IS NOT NULL;

DROP INDEX deliveries_to_receiver;
CREATE INDEX deliveries_to_receiver ON deliveries (org, receiver, due_at, seq) WHERE state = 'pending';

INSERT INTO receivers (org, receiver, next_due)
SELECT org, receiver, min(due_at) FROM deliveries WHERE state = 'pending' GROUP BY org, receiver;

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

DROP INDEX deliveries_of_run;
CREATE INDEX deliveries_of_run ON deliveries (run, at, id);

-- Whether a run says by a label that it belongs to a batch, if only the batch's name.
ALTER TABLE runs ADD COLUMN says_batch INTEGER NOT NULL DEFAULT 0 CHECK (says_batch IN (0, 1));
UPDATE runs SET says_batch = 1 WHERE id IN (
    SELECT run FROM labels
    WHERE key IN ('autoretouch_batch_id', 'autoretouch_batch_name', 'autoretouch_batch_createdAt'));
-- With the column itself, so that it can be counted by the index alone.
CREATE INDEX runs_without_batch ON runs (org, created_at, id, says_batch) WHERE says_batch = 0;

-- Deliveries that have ended, by when.
CREATE INDEX deliveries_ended ON deliveries (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX connections_revoked ON connections (revoked_at) WHERE revoked_at IS NOT NULL;
CREATE INDEX invitations_over ON invitations (coalesce(decided_at, expires_at));

-- Up to when what has ended is forgotten.
CREATE TABLE forgotten (
    what   TEXT PRIMARY KEY CHECK (what IN ('deliveries')),
    before INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
