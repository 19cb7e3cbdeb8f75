//! Webhooks over real sockets: what one organization's receivers or events do wrong delays nobody else.
#![allow(clippy::unwrap_used, reason = "these are tests")]

use std::sync::Arc;
use std::time::Duration;

use domain::delivery::{DeliveryFilter, DeliveryStatus};
use domain::event::{Dialect, Event, Message};
use domain::id::Ids;
use domain::run::Run;
use engine::{Deliveries, DeliveryParts, DeliverySettings};
use outbound::{Outbound, Rules};
use store::suite::ManualClock;
use store::suite::fixture::{Tenant, World};
use store_sqlite::{Sqlite, SystemClock};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// Of one organization: more than there are places for all.
const HUNG: usize = 100;

struct Words;

impl Dialect for Words {
    fn message(&self, event: &Event, run: Run) -> Message {
        assert!(!run.labels.contains_key("unspeakable"), "a test's panic, which is expected in its output");
        Message { media_type: "application/json", body: format!("\"{}\"", event.run).into_bytes() }
    }
}

struct Fresh;

impl Ids for Fresh {
    #[allow(clippy::disallowed_methods, reason = "this test has an id source of its own")]
    fn next(&self) -> uuid::Uuid {
        uuid::Uuid::now_v7()
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    (listener, address)
}

fn parts(store: &Arc<Sqlite>) -> DeliveryParts {
    let allow = vec!["127.0.0.1".parse().unwrap()];
    let outbound = Outbound::new(Rules { allow, ..Rules::default() }).unwrap();
    DeliveryParts { store: store.clone(), outbound, dialect: Arc::new(Words), ids: Arc::new(Fresh) }
}

/// A run that ended and is to be told to these.
async fn ended(world: &World, tenant: &Tenant, addresses: &[String]) {
    let mut new = world.new_run(tenant);
    new.run.webhooks = addresses.to_vec();
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organization_whose_receivers_all_hang_delays_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).unwrap());
    let (world, hanging) = World::founded((store.clone(), Arc::new(ManualClock::default())), 100).await;
    let other = world.tenant("Other", 10).await;
    let mut hung = Vec::new();
    for _ in 0..HUNG {
        // Connections are taken by the system and never answered.
        hung.push(listen().await);
    }
    // Who became due at once is served in the order of the names.
    hung.sort_by(|one, other| one.1.cmp(&other.1));
    let addresses: Vec<_> = hung.iter().map(|(_, address)| address.clone()).collect();
    for some in addresses.chunks(20) {
        ended(&world, &hanging, some).await;
    }
    // No attempt ends while this test runs.
    let settings = DeliverySettings { timeout: Duration::from_secs(600), ..DeliverySettings::default() };
    let deliveries = Deliveries::start(parts(&store), settings);
    // One of them is being told: the others that may be are by then, too.
    tokio::time::timeout(Duration::from_secs(60), hung[0].0.accept()).await.unwrap().unwrap();

    let (good, address) = listen().await;
    ended(&world, &other, &[address]).await;
    let told = async {
        let (mut stream, _) = good.accept().await.unwrap();
        let mut buffer = [0; 8192];
        assert!(stream.read(&mut buffer).await.unwrap() > 0);
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    };
    tokio::time::timeout(Duration::from_secs(60), told).await.expect("told while the others hang");
    deliveries.drain(Duration::ZERO).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_put_into_words_is_given_up_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SystemClock::new());
    let store = Arc::new(Sqlite::open(&folder.path().join("packshot.db"), clock).unwrap());
    let (world, tenant) = World::founded((store.clone(), Arc::new(ManualClock::default())), 100).await;
    let mut new = world.new_run(&tenant);
    new.run.webhooks = vec!["http://hooks.example/".to_owned()];
    new.run.labels.insert("unspeakable".to_owned(), String::new());
    world.store.accept(&new).await.unwrap();
    let claim = world.claim_one().await;
    world.settle(claim.token, &world.success()).await;
    let deliveries = Deliveries::start(parts(&store), DeliverySettings::default());
    let failed = async {
        loop {
            let filter = DeliveryFilter { status: Some(DeliveryStatus::Failed), run: Some(new.run.id) };
            let found = world.store.deliveries(tenant.org, &filter, 1, None).await.unwrap().entries;
            if let Some(failed) = found.into_iter().next() {
                return failed;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let failed = tokio::time::timeout(Duration::from_secs(60), failed).await.expect("given up");
    let (_, attempts) = world.store.delivery(&[tenant.org], failed.id).await.unwrap().unwrap();
    let codes: Vec<_> = attempts.iter().map(|attempt| attempt.report.error.as_deref()).collect();
    assert_eq!(codes, [Some("message_failed")]);
    deliveries.drain(Duration::ZERO).await;
}
