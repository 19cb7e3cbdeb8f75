//! The behaviours every database must have, on this one; and what is this one's own: groups, failures, crashes.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, mpsc};

use domain::delivery::{DeliveryFilter, DeliveryStatus};
use domain::id::{EntryId, LeaseToken, OrgId, RunId};
use domain::run::Status;
use domain::time::Millis;
use rusqlite::Connection;
use store::suite::fixture::{Tenant, World};
use store::suite::{Empty, ManualClock};
use store::{Store, StoreError, Taking};
use tempfile::TempDir;

use crate::sql::Sql;
use crate::{Sqlite, SystemClock, check_invariants, missing_runs};

fn empty() -> Empty {
    let clock = Arc::new(ManualClock::default());
    let store: Arc<dyn Store> = Arc::new(Sqlite::temporary(clock.clone()).expect("a temporary database"));
    (store, clock)
}

store::suite!(empty);

/// A store whose insides and whose file can be reached.
struct Opened {
    sqlite: Arc<Sqlite>,
    world: World,
    tenant: Tenant,
    folder: TempDir,
}

impl Opened {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        let sqlite = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock.clone()).unwrap());
        let (world, tenant) = World::founded((sqlite.clone(), clock), 1000).await;
        Self { sqlite, world, tenant, folder }
    }

    fn raw(&self) -> Connection {
        Connection::open(self.folder.path().join("packshot.db")).unwrap()
    }

    /// Holds the writer up within a transaction until the sender is used or dropped; what is asked meanwhile becomes
    /// one group.
    async fn hold(&self) -> (mpsc::Sender<()>, tokio::task::JoinHandle<()>) {
        let (release, held) = mpsc::channel::<()>();
        let (begun, began) = tokio::sync::oneshot::channel();
        let mut begun = Some(begun);
        let sqlite = Arc::clone(&self.sqlite);
        let holding = tokio::spawn(async move {
            let hold = sqlite.write("hold", move |_| {
                let _ = begun.take().map(|begun| begun.send(()));
                let _ = held.recv();
                Ok(())
            });
            hold.await.unwrap();
        });
        began.await.unwrap();
        (release, holding)
    }

    fn check(&self) {
        let wrong = check_invariants(&self.folder.path().join("packshot.db"), self.folder.path());
        let wrong: Vec<_> =
            wrong.into_iter().filter(|what| !what.contains("what may be seen is stored")).collect();
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }
}

/// Polls each of these once, so that they are on their way to the writer.
macro_rules! sent {
    ($($name:ident = $work:expr;)+) => {$(
        let mut $name = Box::pin($work);
        assert!(poll_once(&mut $name).await.is_none(), "answered while the writer is held up");
    )+};
}

async fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    std::future::poll_fn(|context| match std::pin::Pin::new(&mut *future).poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

fn refuse<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Conflict(what.to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_fails_does_not_spoil_its_group() {
    let opened = Opened::new().await;
    let Opened { sqlite, world, tenant, .. } = &opened;
    let mut changes = sqlite.changes();
    let (first, last) = (world.new_run(tenant), world.new_run(tenant));
    let half_done = "UPDATE orgs SET balance = balance + 5000";
    let (release, holding) = opened.hold().await;
    sent! {
        before = world.store.accept(&first);
        refused = sqlite.write("refused", move |tx| {
            tx.conn.exec(half_done, [])?;
            tx.changed(OrgId(uuid::Uuid::nil()), RunId(uuid::Uuid::nil()), Status::Failed)?;
            refuse::<()>("this")
        });
        panicking = sqlite.write("panicking", move |tx| -> Result<(), StoreError> {
            tx.conn.exec(half_done, [])?;
            panic!("a test's panic, which is expected in its output");
        });
        broken = sqlite.write("broken", move |tx| {
            tx.conn.exec(half_done, [])?;
            tx.conn.exec("INSERT INTO entries (id) VALUES (1)", []).map(drop)
        });
        after = world.store.accept(&last);
    }
    release.send(()).unwrap();
    holding.await.unwrap();
    assert_eq!(before.await.unwrap().status, Status::Queued);
    assert!(matches!(refused.await, Err(StoreError::Conflict(what)) if what == "this"));
    assert!(matches!(panicking.await, Err(StoreError::Unavailable(what)) if what.contains("`panicking`")));
    assert!(matches!(broken.await, Err(StoreError::Corrupt(_))));
    assert_eq!(after.await.unwrap().status, Status::Queued);
    assert_eq!(world.balance(tenant).await, 9980);
    let told: Vec<_> = std::iter::from_fn(|| changes.try_recv().ok()).map(|change| change.run).collect();
    assert_eq!(told, [first.run.id, last.run.id]);
    opened.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_answered_before_the_commit() {
    let opened = Opened::new().await;
    let Opened { sqlite, world, tenant, .. } = &opened;
    let new = world.new_run(tenant);
    let (release, holding) = opened.hold().await;
    let (at_second, second_release) = (tokio::sync::oneshot::channel(), mpsc::channel::<()>());
    let mut begun = Some(at_second.0);
    sent! {
        accepted = world.store.accept(&new);
        second = sqlite.write("second", move |_| {
            let _ = begun.take().map(|begun| begun.send(()));
            let _ = second_release.1.recv();
            Ok(())
        });
    }
    release.send(()).unwrap();
    holding.await.unwrap();
    at_second.1.await.unwrap();
    assert!(poll_once(&mut accepted).await.is_none(), "answered before its group was committed");
    assert_eq!(world.store.run(&[tenant.org], new.run.id).await.unwrap(), None);
    second_release.0.send(()).unwrap();
    accepted.await.unwrap();
    second.await.unwrap();
    assert_eq!(world.status(tenant, new.run.id).await, Status::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_happens_even_if_the_caller_gives_up() {
    let opened = Opened::new().await;
    let Opened { world, tenant, .. } = &opened;
    let new = world.new_run(tenant);
    let (release, holding) = opened.hold().await;
    {
        sent! { given_up = world.store.accept(&new); }
    }
    release.send(()).unwrap();
    holding.await.unwrap();
    world.accepted(tenant).await;
    assert_eq!(world.status(tenant, new.run.id).await, Status::Queued);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_and_recovers() {
    let opened = Opened::new().await;
    let Opened { sqlite, world, tenant, .. } = &opened;
    // SQLite's own limit on the file's size gives the very error of a full disk.
    let limit = |pages: i64| {
        sqlite.write("limit", move |tx| {
            let most = if pages == 0 { "SELECT page_count FROM pragma_page_count" } else { "SELECT 1000000" };
            let most: i64 = tx.conn.one(most, [], |row| row.get(0))?.unwrap();
            tx.conn.query_row(&format!("PRAGMA max_page_count = {most}"), [], |_| Ok(())).unwrap();
            Ok(())
        })
    };
    limit(0).await.unwrap();
    let mut accepted = Vec::new();
    let refused = loop {
        let mut new = world.new_run(tenant);
        new.run.labels.insert("note".to_owned(), "x".repeat(3000));
        match world.store.accept(&new).await {
            Ok(_) => accepted.push(new.run.id),
            Err(error) => break (new, error),
        }
    };
    assert!(matches!(refused.1, StoreError::Unavailable(_)), "{}", refused.1);
    for run in &accepted {
        assert_eq!(world.status(tenant, *run).await, Status::Queued);
    }
    assert_eq!(world.store.run(&[tenant.org], refused.0.run.id).await.unwrap(), None);
    limit(1).await.unwrap();
    assert_eq!(world.store.accept(&refused.0).await.unwrap().status, Status::Queued);
    assert_eq!(world.balance(tenant).await, 10_000 - 10 * (accepted.len() as i64 + 1));
    opened.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_commit_nothing_is_acknowledged_and_the_file_is_opened_afresh() {
    let opened = Opened::new().await;
    let Opened { sqlite, world, tenant, .. } = &opened;
    let new = world.new_run(tenant);
    let (release, holding) = opened.hold().await;
    sent! {
        neighbour = world.store.accept(&new);
        // What is put off to the commit fails there, after every verb of the group did its part.
        failing = sqlite.write("failing", |tx| {
            tx.conn.exec("PRAGMA defer_foreign_keys = ON", [])?;
            tx.conn.exec("CREATE TEMP TABLE of_this_connection (a)", [])?;
            tx.conn.exec("INSERT INTO members (org, user, role) VALUES (x'00', 'nobody', 'admin')", []).map(drop)
        });
        refused = sqlite.write("refused", |_| refuse::<()>("this"));
    }
    release.send(()).unwrap();
    // The one that held the writer up was a group of its own.
    holding.await.unwrap();
    assert!(matches!(neighbour.await, Err(StoreError::InDoubt(_))));
    assert!(matches!(failing.await, Err(StoreError::InDoubt(_))));
    assert!(matches!(refused.await, Err(StoreError::Unavailable(_))));
    assert_eq!(
        world.store.accept(&new).await.unwrap().status,
        Status::Queued,
        "asking again settles the doubt"
    );
    assert_eq!(world.balance(tenant).await, 9990);
    let kept =
        sqlite.write("look", |tx| tx.conn.one("SELECT 1 FROM temp.sqlite_schema", [], |_| Ok(()))).await;
    assert_eq!(kept.unwrap(), None, "the old connection is closed");
    opened.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_cannot_be_read_stops_nobody_else() {
    let opened = Opened::new().await;
    let Opened { world, tenant, .. } = &opened;
    let damaged = world.accepted(tenant).await;
    let sound = world.accepted(tenant).await;
    opened.raw().execute("UPDATE runs SET labels = '{' WHERE id = ?1", [damaged.0.as_bytes()]).unwrap();
    let claims = world.claim(5).await;
    assert_eq!(claims.iter().map(|claim| claim.run.id).collect::<Vec<_>>(), [sound]);
    world.settle(claims[0].token, &world.success()).await;
    for _ in 0..3 {
        world.clock.advance(Millis::seconds(60));
        assert!(world.claim(5).await.is_empty());
    }
    assert_eq!(world.store.next_due().await.unwrap(), None, "it was given up in the end");
    assert!(matches!(world.store.run(&[tenant.org], damaged).await, Err(StoreError::Corrupt(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_cannot_be_read_is_given_up_at_once() {
    let opened = Opened::new().await;
    let Opened { world, tenant, .. } = &opened;
    let mut runs = Vec::new();
    for _ in 0..2 {
        let mut new = world.new_run(tenant);
        new.run.webhooks.push("https://example.test/".to_owned());
        world.store.accept(&new).await.unwrap();
        let claim = world.claim_one().await;
        world.settle(claim.token, &world.success()).await;
        runs.push(new.run.id);
    }
    opened
        .raw()
        .execute("UPDATE deliveries SET result = '{' WHERE run = ?1", [runs[0].0.as_bytes()])
        .unwrap();
    let taking = || Taking {
        tokens: (0..4).map(|_| LeaseToken(world.id())).collect(),
        lease: Millis::seconds(30),
        per_org: 1,
        per_receiver: 1,
        busy: std::collections::BTreeMap::new(),
        after: None,
    };
    let taken = world.store.take_deliveries(&taking()).await.unwrap();
    let about = |taken: &[store::Taken]| -> Vec<_> {
        taken.iter().filter_map(|taken| taken.delivery.event.what.run()).collect()
    };
    assert_eq!(about(&taken), [runs[1]], "its place is used by another");
    let filter = DeliveryFilter { run: Some(runs[0]), status: Some(DeliveryStatus::Failed) };
    let failed = world.store.deliveries(tenant.org, &filter, 9, None).await.unwrap().entries.remove(0);
    let (_, attempts) = world.store.delivery(&[tenant.org], failed.id).await.unwrap().unwrap();
    assert_eq!(attempts[0].report.error.as_deref(), Some("delivery_unreadable"));
    world.clock.advance(Millis::seconds(60));
    let again = world.store.take_deliveries(&taking()).await.unwrap();
    assert_eq!(about(&again), [runs[1]]);
    opened.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn two_programs_share_the_file() {
    let opened = Opened::new().await;
    let Opened { world, tenant, folder, .. } = &opened;
    let other = Sqlite::open(&folder.path().join("packshot.db"), Arc::new(SystemClock::new())).unwrap();
    let mut granting = tokio::task::JoinSet::new();
    for number in 0..40 {
        let (store, entry, org) = (Arc::clone(&world.store), EntryId(world.id()), tenant.org);
        granting.spawn(async move { store.grant(org, entry, 1 + number % 2).await.unwrap() });
    }
    for _ in 0..20 {
        use store::Ledger;
        other.grant(tenant.org, EntryId(world.id()), 100).await.unwrap();
    }
    granting.join_all().await;
    assert_eq!(world.balance(tenant).await, 10_000 + 60 + 2000);
    // A writer elsewhere that takes its time is waited for.
    let raw = opened.raw();
    raw.execute_batch("BEGIN IMMEDIATE").unwrap();
    sent! { waiting = world.store.grant(tenant.org, EntryId(world.id()), 7); }
    raw.execute_batch("COMMIT").unwrap();
    assert_eq!(waiting.await.unwrap(), 12_067);
    drop(other);
    opened.check();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_file_is_one_file_and_opens_again() {
    let opened = Opened::new().await;
    let Opened { sqlite, world, tenant, folder } = opened;
    let run = world.accepted(&tenant).await;
    let path = folder.path().join("packshot.db");
    assert!(folder.path().join("packshot.db-wal").exists());
    drop((sqlite, world));
    assert!(!folder.path().join("packshot.db-wal").exists(), "the log was put back into the file");
    let again = Sqlite::open(&path, Arc::new(ManualClock::default())).unwrap();
    use store::Runs;
    assert!(again.run(&[tenant.org], run).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_what_is_wrong() {
    let opened = Opened::new().await;
    let Opened { world, tenant, folder, .. } = &opened;
    let mut new = world.new_run(tenant);
    new.run.webhooks.push("https://example.test/1".to_owned());
    new.run.labels.insert("sku".to_owned(), "1".to_owned());
    world.store.accept(&new).await.unwrap();
    let other = world.accepted(tenant).await;
    let claims = world.claim(2).await;
    let done = claims.iter().find(|claim| claim.run.id == new.run.id).unwrap();
    world.settle(done.token, &world.success()).await;
    let mut filing = world.filing(tenant, 2);
    filing.runs[0].failure = Some(world.bad_input());
    world.store.file(&filing).await.unwrap();
    let evaluation = world.new_evaluation(tenant);
    world.store.accept_evaluation(&evaluation).await.unwrap();
    let mut cancelled = world.filing(tenant, 1);
    cancelled.batch.as_mut().unwrap().webhooks = vec!["https://example.test/batch".to_owned()];
    world.store.file(&cancelled).await.unwrap();
    let handle = cancelled.batch.as_ref().unwrap().handle;
    world.store.cancel_batch(tenant.org, handle, &tenant.user, None, world.id()).await.unwrap();
    world.store.subscribe(&world.subscription(tenant), &tenant.user).await.unwrap();
    opened.check();
    let db = folder.path().join("packshot.db");
    assert_eq!(missing_runs(&db, &[new.run.id, RunId(world.id()), other]).len(), 1);
    let wrong = check_invariants(&db, folder.path());
    assert!(!wrong.is_empty() && wrong.iter().all(|what| what.contains("what may be seen is stored")));

    let breaks = [
        ("UPDATE orgs SET balance = balance + 1", "sum of its entries"),
        ("UPDATE runs SET charged = 0", "what the ledger says"),
        ("DELETE FROM queue", "has its place"),
        ("UPDATE queue SET lease_token = NULL, lease_by = NULL", "leased when it is running"),
        (
            "INSERT INTO queue (run, org, due_at, ready_at) SELECT id, org, 0, 0 FROM runs WHERE status = 'succeeded'",
            "no place",
        ),
        ("DELETE FROM deliveries", "to be told to each"),
        ("DELETE FROM images", "may see its results"),
        ("DELETE FROM labels", "label index"),
        ("DELETE FROM versions", "refers to"),
        ("DROP TRIGGER entries_never_change; UPDATE entries SET balance = balance + 1", "sum up to it"),
        (
            "INSERT INTO deliveries (id, event, org, kind, run, face, address, receiver, status, at, charged, started_at,
                                     finished_at, result, state, due_at)
             SELECT zeroblob(16), zeroblob(16), org, kind, run, face, address, receiver, status, at, charged, started_at,
                    finished_at, result, state, due_at FROM deliveries WHERE status = 'succeeded'",
            "told of once",
        ),
        ("UPDATE deliveries SET attempts = 1", "each that it counts"),
        ("UPDATE runs SET charged = price WHERE status = 'failed'", "charged its price"),
        ("UPDATE runs SET charged = 0 WHERE terms = 'for_success' AND status = 'queued'", "what the ledger says"),
        (
            "DROP TRIGGER entries_never_go; DELETE FROM entries WHERE kind = 'refund'",
            "was given back, unless it was cancelled with a result",
        ),
        ("UPDATE batches SET size = size + 1 WHERE size IS NOT NULL", "as many runs as it was asked for"),
        ("UPDATE batches SET end_event = zeroblob(16)", "told of when all of its runs have ended"),
        ("UPDATE batches SET end_event = NULL", "told of when all of its runs have ended"),
        ("DELETE FROM deliveries WHERE batch IS NOT NULL", "batch's end is to be told"),
        ("UPDATE evaluations SET charged = 0", "what an evaluation is charged"),
        ("UPDATE evaluations SET lease_token = zeroblob(16), lease_by = 'w'", "an evaluation is leased"),
        ("UPDATE deliveries SET org = zeroblob(16) WHERE batch IS NOT NULL", "knows its organization"),
        ("UPDATE runs SET input = 'null'", "has its picture"),
        ("UPDATE deliveries SET state = 'delivered', due_at = NULL, ended_at = 1, attempts = 1", "taken by its receiver"),
    ];
    for (sql, rule) in breaks {
        let copy = folder.path().join("copy.db");
        opened.raw().execute("VACUUM INTO ?1", [copy.to_str().unwrap()]).unwrap();
        Connection::open(&copy).unwrap().execute_batch(&format!("PRAGMA foreign_keys = OFF; {sql}")).unwrap();
        let wrong = check_invariants(&copy, folder.path());
        assert!(wrong.iter().any(|what| what.contains(rule)), "{sql}: {wrong:?}");
        std::fs::remove_file(&copy).unwrap();
    }
}

const FOLDER: &str = "PACKSHOT_TEST_DATABASE";

/// What [`a_killed_program_loses_nothing_it_acknowledged`] kills: accepts, claims and settles without end, and prints
/// what was acknowledged.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "run by another test, as a program of its own"]
async fn child() {
    let Ok(path) = std::env::var(FOLDER) else { return };
    let clock = Arc::new(ManualClock::default());
    let store = Arc::new(Sqlite::open(Path::new(&path), clock.clone()).unwrap());
    let world = Arc::new(World::empty((store, clock)));
    // Ids after those of the earlier child.
    let skip: u64 = std::env::var("PACKSHOT_TEST_SKIP").unwrap().parse().unwrap();
    for _ in 0..skip {
        world.id();
    }
    let (founding, mut tenant) = world.founding(1_000_000);
    if !world.store.found(&founding).await.unwrap() {
        let org = world.store.first_org().await.unwrap().unwrap();
        tenant.workflow = world.store.workflow_named(org.id, "White packshot").await.unwrap().unwrap();
        (tenant.org, tenant.user) = (org.id, org.members[0].user.id.clone());
    }
    let mut workers = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (world, tenant) = (Arc::clone(&world), tenant.clone());
        workers.spawn(async move {
            loop {
                let run = world.accepted(&tenant).await;
                println!("acknowledged {run}");
                if number % 2 == 0 {
                    for claim in world.claim(2).await {
                        world.settle(claim.token, &world.success()).await;
                    }
                }
            }
        });
    }
    workers.join_all().await;
}

#[test]
fn a_killed_program_loses_nothing_it_acknowledged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("packshot.db");
    let mut acknowledged = Vec::new();
    for round in 0_usize..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::child", "--ignored", "--nocapture"])
            .env(FOLDER, &path)
            .env("PACKSHOT_TEST_SKIP", (round * 1_000_000).to_string())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut heard = 0;
        for line in lines {
            let Ok(line) = line else { break };
            let Some(run) = line.split("acknowledged ").nth(1).and_then(|id| id.parse::<RunId>().ok()) else {
                continue;
            };
            acknowledged.push(run);
            heard += 1;
            if heard == 40 + 37 * round {
                // What it has printed by then and is still in the pipe counts too.
                child.kill().unwrap();
            }
        }
        child.wait().unwrap();
        assert!(heard >= 40 + 37 * round, "the child ended by itself after {heard} runs");
        assert_eq!(missing_runs(&path, &acknowledged), []);
        let wrong = check_invariants(&path, folder.path());
        let wrong: Vec<_> =
            wrong.iter().filter(|what| !what.contains("what may be seen is stored")).collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
