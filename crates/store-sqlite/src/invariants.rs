//! What must hold in a database file and its folder of blobs at any moment, checked with SQL of its own rather than
//! through the verbs: for tests that kill servers.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use domain::id::RunId;
use rusqlite::{Connection, OpenFlags};
use sha2::{Digest, Sha256};

/// Each query gives one text for each fault it finds.
const RULES: &[(&str, &str)] = &[
    (
        "the database's own checks pass",
        "SELECT integrity_check FROM pragma_integrity_check WHERE integrity_check <> 'ok'",
    ),
    (
        "nothing refers to what is not there",
        "SELECT format('%s row %s refers to a missing row of %s', \"table\", rowid, parent) FROM pragma_foreign_key_check",
    ),
    (
        "a run that is queued or running has its place in the queue",
        "SELECT format('%s is %s', lower(hex(id)), status) FROM runs
         WHERE status IN ('queued', 'running') AND id NOT IN (SELECT run FROM queue)",
    ),
    (
        "a run that is not queued or running has no place in the queue",
        "SELECT format('%s is %s', lower(hex(r.id)), r.status) FROM queue q JOIN runs r ON r.id = q.run
         WHERE r.status NOT IN ('queued', 'running')",
    ),
    (
        "a run is leased when it is running, and only then",
        "SELECT format('%s is %s', lower(hex(r.id)), r.status) FROM queue q JOIN runs r ON r.id = q.run
         WHERE (q.lease_token IS NOT NULL) <> (r.status = 'running')",
    ),
    (
        "the queue knows the run's organization",
        "SELECT lower(hex(r.id)) FROM queue q JOIN runs r ON r.id = q.run WHERE r.org <> q.org",
    ),
    (
        "a lease belongs to one run",
        "SELECT lower(hex(lease_token)) FROM queue WHERE lease_token IS NOT NULL
         GROUP BY lease_token HAVING count(*) > 1",
    ),
    (
        "a final status carries what belongs to it, and no other does",
        "SELECT format('%s is %s', lower(hex(id)), status) FROM runs
         WHERE (started_at IS NOT NULL) <> (status IN ('running', 'in_review', 'succeeded', 'failed'))
            OR (finished_at IS NOT NULL) <> (status IN ('succeeded', 'failed', 'cancelled'))
            OR (result IS NOT NULL) <> (status IN ('in_review', 'succeeded'))
            OR (failure IS NOT NULL) <> (status = 'failed')
            OR finished_at < started_at OR started_at < created_at",
    ),
    (
        "a run is told of once in each final status",
        "SELECT format('%s %s to %s', lower(hex(run)), status, address) FROM deliveries
         WHERE status = 'succeeded' AND automatic = 1 AND subscription IS NULL
         GROUP BY run, status, address HAVING count(*) > 1",
    ),
    (
        "a run's end is to be told to each of its addresses",
        "SELECT format('%s %s to %s', lower(hex(r.id)), r.status, w.value)
         FROM runs r, json_each(r.webhooks) w
         WHERE r.status IN ('succeeded', 'failed', 'unpaid', 'in_review', 'cancelled') AND NOT EXISTS (
             SELECT 1 FROM deliveries o WHERE o.run = r.id AND o.address = w.value AND o.status = r.status
                 AND o.subscription IS NULL)
         -- What ended long ago may be forgotten.
         AND coalesce(r.finished_at, r.started_at, r.created_at) >= coalesce(
             (SELECT before FROM forgotten WHERE what = 'deliveries'), -9223372036854775808)",
    ),
    (
        "a batch's end is to be told to each of its addresses",
        "SELECT format('%s to %s', b.id, w.value) FROM batches b, json_each(b.webhooks) w
         WHERE b.size IS NOT NULL AND b.end_event IS NULL AND NOT EXISTS (
             SELECT 1 FROM deliveries o WHERE o.batch = b.handle AND o.org = b.org AND o.address = w.value
                 AND o.subscription IS NULL)
         AND b.ended_at >= coalesce(
             (SELECT before FROM forgotten WHERE what = 'deliveries'), -9223372036854775808)",
    ),
    (
        "an evaluation's end is to be told to each of its addresses",
        "SELECT format('%s to %s', lower(hex(e.id)), w.value) FROM evaluations e, json_each(e.webhooks) w
         WHERE e.status IN ('completed', 'failed') AND NOT EXISTS (
             SELECT 1 FROM deliveries o WHERE o.evaluation = e.id AND o.address = w.value AND o.subscription IS NULL)
         AND e.finished_at >= coalesce(
             (SELECT before FROM forgotten WHERE what = 'deliveries'), -9223372036854775808)",
    ),
    (
        "a delivery has an attempt for each that it counts",
        "SELECT lower(hex(d.id)) FROM deliveries d
         WHERE d.attempts <> (SELECT count(*) FROM delivery_attempts a WHERE a.delivery = d.id)
            OR (d.state <> 'pending' AND d.attempts = 0)",
    ),
    (
        "what is delivered was taken by its receiver, and nothing else was",
        "SELECT lower(hex(d.id)) FROM deliveries d WHERE (d.state = 'delivered') > EXISTS (
             SELECT 1 FROM delivery_attempts a WHERE a.delivery = d.id AND a.error IS NULL)",
    ),
    (
        "it is known when the first delivery to a receiver is due, and of nobody else",
        "SELECT format('%s of %s', r.receiver, lower(hex(r.org))) FROM receivers r
         FULL JOIN (SELECT org, receiver, min(due_at) AS due_at FROM deliveries WHERE state = 'pending'
                    GROUP BY org, receiver) d ON d.org = r.org AND d.receiver = r.receiver
         WHERE r.next_due IS NOT d.due_at",
    ),
    (
        "a delivery knows its organization",
        "SELECT lower(hex(d.id)) FROM deliveries d JOIN runs r ON r.id = d.run WHERE r.org <> d.org
         UNION ALL SELECT lower(hex(d.id)) FROM deliveries d JOIN evaluations e ON e.id = d.evaluation WHERE e.org <> d.org
         UNION ALL SELECT lower(hex(d.id)) FROM deliveries d WHERE d.batch IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM batches b WHERE b.org = d.org AND b.handle = d.batch)",
    ),
    (
        "a balance is the sum of its entries",
        "SELECT format('%s has %d', lower(hex(id)), balance) FROM orgs o
         WHERE balance <> (SELECT coalesce(sum(amount), 0) FROM entries e WHERE e.org = o.id)",
    ),
    (
        "each entry's balance is the sum up to it, and never negative",
        "SELECT format('entry %d says %d', seq, balance) FROM (
             SELECT seq, balance, sum(amount) OVER (PARTITION BY org ORDER BY seq) AS sum FROM entries)
         WHERE balance <> sum OR sum < 0",
    ),
    (
        "a run has one charge and one refund at most",
        "SELECT format('%s %s', lower(hex(run)), kind) FROM entries WHERE run IS NOT NULL
         GROUP BY run, kind HAVING count(*) > 1",
    ),
    (
        "what a run is charged is what the ledger says",
        "SELECT format('%s is charged %d', lower(hex(id)), charged) FROM runs r
         WHERE charged <> (SELECT coalesce(sum(-amount), 0) FROM entries e WHERE e.run = r.id)",
    ),
    (
        "a run is charged its price, or nothing while it is unpaid or when it came to nothing and pays for a success only",
        "SELECT format('%s is %s, charged %d of %d', lower(hex(id)), status, charged, price) FROM runs
         WHERE charged <> iif(status = 'unpaid' OR (terms = 'for_success' AND status = 'failed'), 0, price)
             AND NOT (terms = 'for_success' AND status = 'cancelled' AND charged = 0)",
    ),
    (
        "what came to nothing and pays for a success only was given back, unless it was cancelled with a result",
        "SELECT format('%s is %s', lower(hex(r.id)), r.status) FROM runs r
         WHERE r.terms = 'for_success' AND r.status IN ('failed', 'cancelled')
             AND (SELECT count(*) FILTER (WHERE kind = 'charge') - count(*) FILTER (WHERE kind = 'refund') <> (r.charged > 0)
                  FROM entries e WHERE e.run = r.id)",
    ),
    (
        "nothing else is given back",
        "SELECT format('%s is %s', lower(hex(r.id)), r.status) FROM entries e JOIN runs r ON r.id = e.run
         WHERE e.kind = 'refund' AND NOT (r.terms = 'for_success' AND r.status IN ('failed', 'cancelled'))",
    ),
    (
        "what an evaluation is charged is what the ledger says, and nothing if it failed",
        "SELECT format('%s is %s, charged %d of %d', lower(hex(id)), status, charged, price) FROM evaluations v
         WHERE charged <> iif(status = 'failed', 0, price)
            OR charged <> (SELECT coalesce(sum(-amount), 0) FROM entries e WHERE e.evaluation = v.id)",
    ),
    (
        "an evaluation is leased when it is running, and only then",
        "SELECT format('%s is %s', lower(hex(id)), status) FROM evaluations
         WHERE (lease_token IS NOT NULL) <> (status = 'running')",
    ),
    (
        "what has a result has its picture",
        "SELECT lower(hex(id)) FROM runs WHERE result IS NOT NULL AND (input = 'null' OR sources <> '[]')",
    ),
    (
        "an organization may see its results",
        "SELECT format('%s of %s', json_extract(result, '$.image.hash'), lower(hex(id))) FROM runs r
         WHERE result IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM images i WHERE i.org = r.org AND i.hash = unhex(json_extract(r.result, '$.image.hash')))",
    ),
    (
        "an organization may see its further results",
        "SELECT format('%s of %s', json_extract(m.value, '$.image.hash'), lower(hex(r.id)))
         FROM runs r, json_each(r.result, '$.more') m
         WHERE r.result IS NOT NULL AND NOT EXISTS (SELECT 1 FROM images i WHERE i.org = r.org
             AND i.hash = unhex(json_extract(m.value, '$.image.hash')))",
    ),
    (
        "the label index says what the runs say",
        "SELECT lower(hex(r.id)) FROM runs r
         WHERE (SELECT count(*) FROM json_each(r.labels)) <> (SELECT count(*) FROM labels l WHERE l.run = r.id)
            OR EXISTS (SELECT 1 FROM json_each(r.labels) j WHERE NOT EXISTS (
                SELECT 1 FROM labels l WHERE l.run = r.id AND l.key = j.key AND l.value = j.value
                    AND l.org = r.org AND l.created_at = r.created_at))",
    ),
    (
        "it is known whether a run says that it belongs to a batch",
        "SELECT lower(hex(id)) FROM runs r WHERE says_batch <> EXISTS (SELECT 1 FROM labels l WHERE l.run = r.id
             AND l.key IN ('autoretouch_batch_id', 'autoretouch_batch_name', 'autoretouch_batch_createdAt'))",
    ),
    (
        "a batch counts its runs",
        "SELECT format('%s of %s', b.id, lower(hex(b.org))) FROM batches b
         LEFT JOIN (SELECT org, batch, count(*) AS runs, sum(charged) AS charged, sum(status = 'queued') AS queued,
                        sum(status = 'running') AS running, sum(status = 'in_review') AS in_review,
                        sum(status = 'succeeded') AS succeeded, sum(status = 'failed') AS failed,
                        sum(status = 'unpaid') AS unpaid, sum(status = 'cancelled') AS cancelled
                    FROM runs WHERE batch IS NOT NULL GROUP BY org, batch) r ON r.org = b.org AND r.batch = b.id
         WHERE (b.runs, b.charged, b.queued, b.running, b.in_review, b.succeeded, b.failed, b.unpaid, b.cancelled)
            IS NOT (r.runs, r.charged, r.queued, r.running, r.in_review, r.succeeded, r.failed, r.unpaid, r.cancelled)",
    ),
    (
        "a batch that is asked for as a whole has as many runs as it was asked for",
        "SELECT format('%s has %d of %d', id, runs, size) FROM batches WHERE size IS NOT NULL AND runs <> size",
    ),
    (
        "a batch is told of when all of its runs have ended, and not before",
        "SELECT id FROM batches
         WHERE (end_event IS NOT NULL) <> (size IS NOT NULL AND queued + running + in_review > 0)",
    ),
    (
        "folders lie in folders of their organization, and so do assets",
        "SELECT lower(hex(f.id)) FROM folders f JOIN folders p ON p.id = f.parent WHERE p.org <> f.org
         UNION ALL SELECT lower(hex(a.id)) FROM assets a JOIN folders p ON p.id = a.folder WHERE p.org <> a.org",
    ),
    (
        "no folder lies within itself",
        "WITH RECURSIVE down (id) AS (
             SELECT id FROM folders WHERE parent IS NULL
             UNION SELECT f.id FROM down JOIN folders f ON f.parent = down.id)
         SELECT name FROM folders WHERE id NOT IN (SELECT id FROM down)",
    ),
    (
        "an organization may see the pictures among its assets",
        "SELECT lower(hex(a.id)) FROM assets a WHERE width IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM images i WHERE i.org = a.org AND i.hash = a.hash)",
    ),
    (
        "an organization with secrets for callbacks has one that signs",
        "SELECT lower(hex(org)) FROM callback_secrets GROUP BY org HAVING sum(is_current) <> 1",
    ),
    (
        "a run's batch is there",
        "SELECT lower(hex(id)) FROM runs r WHERE batch IS NOT NULL AND NOT EXISTS (
             SELECT 1 FROM batches b WHERE b.org = r.org AND b.id = r.batch)",
    ),
    (
        "the feed ends with the status a run has",
        "SELECT format('%s is %s', lower(hex(r.id)), r.status) FROM runs r
         JOIN (SELECT run, max(place) AS place FROM feed GROUP BY run) l ON l.run = r.id
         JOIN feed f ON f.place = l.place WHERE f.status <> r.status",
    ),
    (
        "an organization has an administrator",
        "SELECT name FROM orgs o WHERE NOT EXISTS (
             SELECT 1 FROM members m WHERE m.org = o.id AND m.role = 'admin')",
    ),
    (
        "a workflow's latest version is one of its own",
        "SELECT name FROM workflows w WHERE NOT EXISTS (
             SELECT 1 FROM versions v WHERE v.workflow = w.id AND v.id = w.latest)",
    ),
];

/// Everything that is wrong in the database file and its folder of blobs, in words; empty when all is well. May be
/// asked while a server is running. Panics if the file cannot be opened or asked.
pub fn check_invariants(db: &Path, blobs_dir: &Path) -> Vec<String> {
    let conn = open(db);
    let snapshot = conn.unchecked_transaction().expect("a snapshot");
    let mut wrong = Vec::new();
    for (rule, query) in RULES {
        let found = texts(&snapshot, query);
        wrong.extend(found.into_iter().map(|what| format!("not so: {rule}: {what}")));
    }
    let results =
        texts(&snapshot, "SELECT json_extract(result, '$.image.hash') FROM runs WHERE result IS NOT NULL");
    let admitted = texts(&snapshot, "SELECT lower(hex(hash)) FROM images");
    drop(snapshot);
    for hash in results.iter().chain(&admitted) {
        let path = blobs_dir.join("sha256").join(&hash[..2]).join(hash);
        if !path.is_file() {
            wrong.push(format!("not so: what may be seen is stored: {hash}"));
        }
    }
    wrong.extend(damaged_blobs(&blobs_dir.join("sha256")).expect("a readable folder of blobs"));
    wrong
}

/// Those of these runs that the database file does not hold: none, if each of them was acknowledged.
pub fn missing_runs(db: &Path, acknowledged: &[RunId]) -> Vec<RunId> {
    let conn = open(db);
    let mut find = conn.prepare("SELECT 1 FROM runs WHERE id = ?1").expect("a statement");
    let missing = acknowledged.iter().filter(|run| !find.exists([run.0.as_bytes()]).expect("an answer"));
    missing.copied().collect()
}

/// An attempt's HTTP status and error.
pub type AttemptKept = (Option<u16>, Option<String>);

/// What the database file says of the deliveries to a receiver: their states, and all their attempts in order.
pub fn deliveries_to(db: &Path, receiver: &str) -> (Vec<String>, Vec<AttemptKept>) {
    let conn = open(db);
    let snapshot = conn.unchecked_transaction().expect("a snapshot");
    let mut find = snapshot
        .prepare("SELECT state FROM deliveries WHERE receiver = ?1 ORDER BY seq")
        .expect("a statement");
    let states = find.query_map([receiver], |row| row.get(0)).expect("an answer");
    let states = states.collect::<Result<_, _>>().expect("rows");
    let mut find = snapshot
        .prepare(
            "SELECT a.status, a.error FROM delivery_attempts a JOIN deliveries d ON d.id = a.delivery
             WHERE d.receiver = ?1 ORDER BY d.seq, a.number",
        )
        .expect("a statement");
    let attempts = find.query_map([receiver], |row| Ok((row.get(0)?, row.get(1)?))).expect("an answer");
    (states, attempts.collect::<Result<_, _>>().expect("rows"))
}

fn open(db: &Path) -> Connection {
    // Not read-only: the log of a killed server may have to be put back into the file first.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(db, flags).expect("a database file");
    conn.busy_timeout(std::time::Duration::from_secs(10)).expect("a timeout");
    conn
}

fn texts(conn: &Connection, query: &str) -> Vec<String> {
    let mut statement = conn.prepare(query).unwrap_or_else(|error| panic!("{error} in {query}"));
    let rows = statement.query_map([], |row| row.get(0)).expect("an answer");
    rows.collect::<Result<_, _>>().unwrap_or_else(|error| panic!("{error} in {query}"))
}

/// Files under `sha256/` that lie elsewhere than their hash says.
fn damaged_blobs(dir: &Path) -> io::Result<Vec<String>> {
    let mut wrong = Vec::new();
    if !dir.exists() {
        return Ok(wrong);
    }
    for folder in fs::read_dir(dir)? {
        for file in fs::read_dir(folder?.path())? {
            let path = file?.path();
            if expected_path(dir, &path)? != path {
                wrong.push(format!("not so: a blob is named by its hash: {}", path.display()));
            }
        }
    }
    Ok(wrong)
}

fn expected_path(dir: &Path, path: &Path) -> io::Result<PathBuf> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(path)?, &mut Hashing(&mut hasher))?;
    let digest: [u8; 32] = hasher.finalize().into();
    let name = domain::image::ContentHash(digest).to_string();
    Ok(dir.join(&name[..2]).join(name))
}

struct Hashing<'a>(&'a mut Sha256);

impl io::Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
