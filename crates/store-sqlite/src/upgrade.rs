//! What becomes of a file of the first schema.

use std::path::Path;
use std::sync::Arc;

use domain::delivery::{DeliveryFilter, DeliveryStatus, receiver};
use domain::id::{OrgId, RunId};
use domain::page::Window;
use domain::run::{RunFilter, Status};
use domain::time::{Clock as _, Timestamp};
use rusqlite::{Connection, params};
use store::{Batches as _, Deliveries as _, Runs as _};
use uuid::Uuid;

use crate::{Sqlite, SystemClock, check_invariants};

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
    let wrong = check_invariants(&path, folder.path());
    let wrong: Vec<_> =
        wrong.into_iter().filter(|what| !what.contains("what may be seen is stored")).collect();
    assert!(wrong.is_empty(), "{wrong:#?}");

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
