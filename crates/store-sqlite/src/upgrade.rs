//! What becomes of files of earlier schemas.

use std::path::Path;
use std::sync::Arc;

use domain::batch::handle;
use domain::delivery::{About, DeliveryFilter, DeliveryState, DeliveryStatus, receiver};
use domain::event::What;
use domain::id::{EventId, LeaseToken, OrgId, RunId, UserId};
use domain::page::Window;
use domain::run::{RunFilter, Status};
use domain::time::{Clock as _, Timestamp};
use rusqlite::types::Value;
use rusqlite::{Connection, params};
use store::{Batches as _, Cancelled, Deliveries as _, Runs as _, ToldAgain};
use uuid::Uuid;

use crate::{Sqlite, SystemClock, check_invariants, schema};

const ORG: OrgId = OrgId(Uuid::from_u128(1));
const DAY: i64 = 24 * 3_600_000;

fn id(number: u128) -> [u8; 16] {
    Uuid::from_u128(number).into_bytes()
}

/// A run of the first schema.
struct Old<'a> {
    number: u128,
    status: &'a str,
    at: i64,
    labels: &'a [(&'a str, &'a str)],
    webhooks: &'a [&'a str],
}

impl Old<'_> {
    fn file(&self, conn: &Connection) {
        let Self { number, status, at, .. } = *self;
        let started = ["running", "succeeded", "failed"].contains(&status).then_some(at + 1);
        let finished = ["succeeded", "failed"].contains(&status).then_some(at + 2);
        let charged = if status == "unpaid" { 0 } else { 10 };
        let image = r#"{"hash":"HASH","media_type":"image/png","bytes":3,"width":1,"height":1}"#;
        let image = image.replace("HASH", &"ab".repeat(32));
        let result =
            (status == "succeeded").then(|| format!(r#"{{"image":{image},"name":"a.png","made_by":[]}}"#));
        let failure = (status == "failed").then_some(r#"{"code":"bad","message":"bad","fault":"input"}"#);
        let labels: std::collections::BTreeMap<_, _> = self.labels.iter().copied().collect();
        conn.execute(
            "INSERT INTO runs (id, org, workflow, version, created_at, status, started_at, finished_at, charged, price,
                               accepted, workflow_name, user, input, input_name, labels, overrides, webhooks, result, failure)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 10, ?10, 'W', 'ada', ?11, 'a.png', ?12, '{}', ?13, ?14, ?15)",
            params![
                id(number), id(1), id(2), id(3), at, status, started, finished, charged,
                if status == "unpaid" { "unpaid" } else { "queued" },
                image,
                serde_json::to_string(&labels).unwrap(),
                serde_json::to_string(self.webhooks).unwrap(),
                result,
                failure
            ],
        )
        .unwrap();
        for (key, value) in self.labels {
            conn.execute(
                "INSERT INTO labels VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id(number), key, value, id(1), at],
            )
            .unwrap();
        }
        if charged > 0 {
            conn.execute(
                "INSERT INTO entries (id, org, kind, amount, balance, run, at)
                 SELECT ?1, ?2, 'charge', -10, balance - 10, ?3, ?4 FROM orgs",
                params![id(1_000 + number), id(1), id(number), at],
            )
            .unwrap();
            conn.execute("UPDATE orgs SET balance = balance - 10", []).unwrap();
        }
        if ["queued", "running"].contains(&status) {
            let token = (status == "running").then(|| id(2_000 + number));
            let by = token.map(|_| "worker");
            conn.execute(
                "INSERT INTO queue (run, org, due_at, ready_at, attempts, lease_token, lease_by)
                 VALUES (?1, ?2, ?3, ?3, 0, ?4, ?5)",
                params![id(number), id(1), at, token, by],
            )
            .unwrap();
        }
        let told = ["succeeded", "failed", "unpaid"].contains(&status);
        for address in self.webhooks.iter().filter(|_| told) {
            conn.execute(
                "INSERT INTO outbox (event, org, run, address, status, at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                params![id(3_000 + number), id(1), id(number), address, status, finished.unwrap_or(at)],
            )
            .unwrap();
        }
    }
}

fn first_schema(path: &Path, runs: &[Old<'_>]) {
    let conn = Connection::open(path).unwrap();
    conn.execute_batch(include_str!("../migrations/0001_begin.sql")).unwrap();
    conn.pragma_update(None, "application_id", i32::from_be_bytes(*b"Pack")).unwrap();
    conn.pragma_update(None, "user_version", 1).unwrap();
    let fill = [
        "INSERT INTO orgs (id, version, name, balance) VALUES (?1, ?1, 'Studio', 1000)",
        "INSERT INTO entries (id, org, kind, amount, balance, at) VALUES (?1, ?1, 'grant', 1000, 1000, 0)",
    ];
    for sql in fill {
        conn.execute(sql, [id(1)]).unwrap();
    }
    conn.execute_batch(
        "INSERT INTO users (id, email, email_key, password_hash) VALUES ('ada', 'a@b.test', 'a@b.test', '');
         INSERT INTO members (org, user, role) SELECT id, 'ada', 'admin' FROM orgs;",
    )
    .unwrap();
    conn.execute(
        "INSERT INTO workflows (id, org, name, author, latest) VALUES (?1, ?2, 'W', 'ada', ?3)",
        params![id(2), id(1), id(3)],
    )
    .unwrap();
    conn.execute(
        "INSERT INTO versions (id, workflow, saved_at, steps, price) VALUES (?1, ?2, 0, '[]', 10)",
        params![id(3), id(2)],
    )
    .unwrap();
    conn.execute(
        "INSERT INTO images VALUES (?1, ?2, 'image/png', 3, 1, 1, 0)",
        params![id(1), [0xab_u8; 32]],
    )
    .unwrap();
    for run in runs {
        run.file(&conn);
    }
}

/// Nothing is wrong in the file, blobs aside.
fn sound(path: &Path) {
    let wrong = check_invariants(path, path.parent().unwrap());
    let wrong: Vec<_> =
        wrong.into_iter().filter(|what| !what.contains("what may be seen is stored")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Every row that a query finds.
fn rows(conn: &Connection, sql: &str) -> Vec<Vec<Value>> {
    let mut statement = conn.prepare(sql).unwrap();
    let width = statement.column_count();
    let found = statement.query_map([], |row| (0..width).map(|column| row.get(column)).collect()).unwrap();
    found.map(Result::unwrap).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_first_schema_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packshot.db");
    let now = SystemClock::new().now().0;
    let (old, young) = (now - 2 * DAY, now - DAY / 2);
    let (batch, name, made) =
        ("autoretouch_batch_id", "autoretouch_batch_name", "autoretouch_batch_createdAt");
    let addresses = ["HTTPS://Me@Hooks.Example/a?b", "http://[2606:4700::1]/", "http://hooks.example:8080#x"];
    let run = |number, status, at| Old { number, status, at, labels: &[], webhooks: &[] };
    first_schema(
        &path,
        &[
            Old {
                labels: &[(batch, "7"), (name, ""), (made, "2026-03-02T10:14:05.120+01:00")],
                webhooks: &addresses,
                ..run(10, "succeeded", old)
            },
            Old { labels: &[(batch, "7"), (name, "Drop")], webhooks: &addresses, ..run(11, "failed", young) },
            Old {
                labels: &[(batch, "7"), (name, "Later"), (made, "2026-03-03T00:00:00Z")],
                ..run(12, "queued", young)
            },
            Old { labels: &[(batch, "8"), (made, "today")], ..run(13, "running", young) },
            Old { labels: &[(name, "No batch")], webhooks: &addresses[..1], ..run(14, "unpaid", young) },
            Old { labels: &[("sku", batch)], ..run(15, "succeeded", young) },
            Old { labels: &[(batch, "")], ..run(16, "queued", young) },
        ],
    );
    let store = Sqlite::open(&path, Arc::new(SystemClock::new())).unwrap();
    sound(&path);

    let batches = store.batches(ORG, None, Window { limit: 9, offset: 0 }).await.unwrap().entries;
    let mut told: Vec<_> = batches
        .iter()
        .map(|batch| (batch.id.as_str(), batch.name.as_str(), batch.created_at, batch.runs))
        .collect();
    told.sort_unstable_by_key(|batch| batch.0);
    assert_eq!(told, [("7", "Drop", Timestamp(1_772_442_845_120), 3), ("8", "", Timestamp(young), 1)]);
    let seven = batches.iter().find(|batch| batch.id == "7").unwrap();
    for status in [Status::Succeeded, Status::Failed, Status::Queued] {
        assert_eq!(seven.counts.in_status(status), 1);
    }

    let without_labels = [batch, name, made].map(str::to_owned).to_vec();
    let filter = RunFilter { without_labels, ..RunFilter::default() };
    let alone = store.runs(ORG, &filter, Window { limit: 9, offset: 0 }).await.unwrap();
    assert_eq!(alone.entries.iter().map(|run| run.id.0.as_u128()).collect::<Vec<_>>(), [15]);
    assert_eq!(alone.total, 1);

    let of =
        |number, status| DeliveryFilter { run: Some(RunId(Uuid::from_u128(number))), status: Some(status) };
    for (run, status, many) in
        [(10, DeliveryStatus::Failed, 3), (11, DeliveryStatus::Pending, 3), (14, DeliveryStatus::Pending, 1)]
    {
        let found = store.deliveries(ORG, &of(run, status), 9, None).await.unwrap().entries;
        assert_eq!(found.len(), many, "{run}");
        for delivery in found.iter().filter(|_| status == DeliveryStatus::Failed) {
            let (_, attempts) = store.delivery(&[ORG], delivery.id).await.unwrap().unwrap();
            let codes: Vec<_> = attempts.iter().map(|attempt| attempt.report.error.as_deref()).collect();
            assert_eq!(codes, [Some("too_old")]);
        }
    }
    let conn = Connection::open(&path).unwrap();
    let mut statement = conn.prepare("SELECT address, receiver FROM deliveries").unwrap();
    let spelt =
        statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    for (address, spelt) in spelt.map(Result::unwrap) {
        assert_eq!(spelt, receiver(&address));
    }
}

/// Tables that are made anew keep their rows, their order and what refers to them, and go on as before.
#[tokio::test(flavor = "multi_thread")]
async fn a_file_of_the_fifth_schema_keeps_what_it_holds() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packshot.db");
    let now = SystemClock::new().now().0;
    let at = now - DAY / 2;
    let in_batch = [("autoretouch_batch_id", "7")];
    let addresses = ["https://hooks.example/a", "https://hooks.example/b", "https://else.example/"];
    let run = |number, status| Old { number, status, at, labels: &in_batch, webhooks: &addresses };
    first_schema(
        &path,
        &[
            run(10, "succeeded"),
            run(11, "failed"),
            run(12, "queued"),
            run(13, "queued"),
            Old { labels: &[], webhooks: &addresses[..1], ..run(14, "unpaid") },
        ],
    );
    schema::prepare_as_of(&path, 5).unwrap();
    {
        let conn = Connection::open(&path).unwrap();
        // One delivered at the second attempt, one given up, one under way; numbers with a gap.
        conn.execute_batch(
            "UPDATE deliveries SET seq = seq + 100 WHERE seq > 2;
             UPDATE deliveries SET state = 'delivered', due_at = NULL, ended_at = at + 9, attempts = 2, failed = 1 WHERE seq = 1;
             UPDATE deliveries SET state = 'failed', due_at = NULL, ended_at = at + 9, attempts = 1, failed = 1 WHERE seq = 2;
             UPDATE deliveries SET lease_token = randomblob(16), due_at = due_at + 1 WHERE seq = 105;
             INSERT INTO delivery_attempts (delivery, number, at, took, status, error, answer)
             SELECT id, 1, at + 1, 5, 500, 'http_status', 'no' FROM deliveries WHERE seq IN (1, 2)
             UNION ALL SELECT id, 2, at + 9, 5, 200, NULL, '' FROM deliveries WHERE seq = 1;",
        )
        .unwrap();
    }
    let kept = [
        "SELECT seq, id, event, org, run, address, receiver, at, status, started_at, finished_at, charged, result, failure,
                state, attempts, failed, due_at, ended_at, lease_token FROM deliveries ORDER BY seq",
        "SELECT * FROM delivery_attempts ORDER BY delivery, number",
        "SELECT seq, id, org, kind, amount, balance, run, at, by, note FROM entries ORDER BY seq",
        "SELECT seq, org, id, name, created_at, author, workflow, workflow_name, runs, charged, queued, running, in_review,
                succeeded, failed, unpaid, cancelled FROM batches ORDER BY seq",
        "SELECT id, org, workflow, version, created_at, status, started_at, finished_at, charged, price, input, result, failure,
                batch, labels, webhooks FROM runs ORDER BY id",
        "SELECT * FROM receivers ORDER BY org, receiver",
        "SELECT * FROM queue ORDER BY run",
    ];
    let read = || {
        let conn = Connection::open(&path).unwrap();
        kept.map(|sql| rows(&conn, sql))
    };
    let before = read();
    assert!(before.iter().all(|rows| !rows.is_empty()));
    let store = Sqlite::open(&path, Arc::new(SystemClock::new())).unwrap();
    assert_eq!(read(), before);
    sound(&path);

    let conn = Connection::open(&path).unwrap();
    conn.pragma_update(None, "foreign_keys", 1).unwrap();
    for refused in [
        "DELETE FROM deliveries WHERE seq = 1",
        "INSERT INTO delivery_attempts (delivery, number, at, took, answer) VALUES (zeroblob(16), 1, 0, 0, '')",
        "UPDATE entries SET note = 'x'",
        "DELETE FROM entries",
    ] {
        assert!(conn.execute(refused, []).is_err(), "{refused}");
    }
    let all = rows(
        &conn,
        "SELECT DISTINCT kind, face, automatic, subscription, body FROM deliveries ORDER BY kind",
    );
    let kinds = ["run_failed", "run_succeeded", "run_unpaid"];
    let expected = kinds.map(|kind| {
        vec![
            Value::Text(kind.to_owned()),
            Value::Text(String::new()),
            Value::Integer(1),
            Value::Null,
            Value::Null,
        ]
    });
    assert_eq!(all, expected);
    drop(conn);

    let of_run = DeliveryFilter { run: Some(RunId(Uuid::from_u128(10))), status: None };
    let deliveries = store.deliveries(ORG, &of_run, 9, None).await.unwrap().entries;
    assert_eq!(deliveries.len(), 3);
    let delivered = deliveries.iter().find(|delivery| delivery.attempts == 2).unwrap();
    assert!(matches!(delivered.state, DeliveryState::Delivered { .. }));
    let (run, status) = (RunId(Uuid::from_u128(10)), Status::Succeeded);
    assert_eq!(delivered.event.what, What::Run { run, status });
    assert_eq!(store.delivery(&[ORG], delivered.id).await.unwrap().unwrap().1.len(), 2);

    // The batch has its handle and its times, and goes on counting; what is told stands behind what was.
    let seven = handle(ORG, "7");
    let batch = store.batch_of(ORG, seven).await.unwrap().unwrap();
    assert_eq!((batch.runs, batch.counts.in_status(Status::Queued), batch.size), (4, 2, None));
    assert_eq!((batch.started_at, batch.ended_at), (Some(Timestamp(at + 1)), Some(Timestamp(at + 2))));
    let by = UserId("ada".to_owned());
    let event = EventId(Uuid::from_u128(9_000));
    let run = RunId(Uuid::from_u128(12));
    assert_eq!(store.cancel(&[ORG], run, &by, None, event).await.unwrap(), Cancelled::Now);
    let batch = store.batch_of(ORG, seven).await.unwrap().unwrap();
    assert_eq!((batch.counts.in_status(Status::Queued), batch.counts.in_status(Status::Cancelled)), (1, 1));
    let last = before[0].last().unwrap()[0].clone();
    let conn = Connection::open(&path).unwrap();
    let told = rows(&conn, "SELECT min(seq) FROM deliveries WHERE status = 'cancelled'");
    let (Value::Integer(first), Value::Integer(last)) = (&told[0][0], &last) else { panic!("{told:?}") };
    assert!(first > last);
    let taking = store::Taking {
        tokens: (0..20).map(|number| LeaseToken(Uuid::from_u128(20_000 + number))).collect(),
        lease: domain::time::Millis::seconds(30),
        per_org: 100,
        per_receiver: 100,
        busy: std::collections::BTreeMap::new(),
        after: None,
    };
    let pending = before[0].iter().filter(|row| row[14] == Value::Text("pending".to_owned())).count();
    assert_eq!(store.take_deliveries(&taking).await.unwrap().len(), pending + addresses.len());
    let again =
        store.tell_again(ORG, About::Run(RunId(Uuid::from_u128(14))), EventId(Uuid::from_u128(9_001)));
    assert_eq!(again.await.unwrap(), ToldAgain::UnderWay);
    sound(&path);
}
